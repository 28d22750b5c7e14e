/**
 * Small trees to explore, as data: the contexts they have beside the superuser's (number 0) and the calls that make them.
 * Each has what a few operations can quarrel about, and no more.
 */
import { ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER, ACL_USER, ACL_USER_OBJ } from "../model/acl.js";
import { modelRunner } from "../model/sequential.js";
import { dumpCalls, readWith } from "../model/tree-dump.js";
import { O_CREAT, O_DIRECTORY, O_RDWR } from "../support/linux.js";
import { begin, beginContext, finish } from "./core-calls.js";
import { CACHED_HOOKS, DRIVER_HOOKS, DRIVER_NAME } from "./driver.js";

/** Names that lie outside a directory entry's own memory, and one that just does not. */
export const LONG = "n".repeat(200);
export const LONG2 = `${"n".repeat(199)}m`;
export const MIDDLE = "x".repeat(40);
export const INLINE = "y".repeat(32);

/** Directories in each other. */
export const FIRST = "/aaaaaaaa";
export const SECOND = `${FIRST}/bbbbbbbb`;
export const THIRD = `${SECOND}/cccccccc`;

export const mkdir = (path, mode = 0o755, ctx = 0) => ({ call: "sysMkdir", path, mode, ctx });
export const symlink = (target, path2, ctx = 0) => ({ call: "sysSymlink", target, path2, ctx });
export const link = (path, path2, ctx = 0) => ({ call: "sysLink", path, path2, ctx });
export const chmod = (path, mode, ctx = 0) => ({ call: "sysChmod", path, mode, ctx });
export const chown = (path, uid, gid = uid, ctx = 0) => ({ call: "sysChown", path, uid, gid, ctx });
export const open = (path, flags, ctx = 0) => ({ call: "sysOpen", path, flags, mode: 0o644, ctx });
export const setacl = (path, acl, ctx = 0) => ({ call: "sysSetacl", path, acl, ctx });
export const mount = (path) => ({ call: "sysMountNew", path });
export const bind = (path, path2) => ({ call: "sysMount", path, path2, bind: true });
const close = (fd) => ({ call: "sysClose", fd });
/** A file with contents; descriptor 3 must be free. */
const file = (path, data = "") => [
  open(path, O_CREAT | O_RDWR),
  ...(data === "" ? [] : [{ call: "sysWrite", fd: 3, data }]),
  close(3),
];

const USER = { uid: 1000, gid: 1000 };
const OTHER = { uid: 2000, gid: 2000, groups: [1000] };

/** Everybody may search but the user OTHER. */
export const WITHOUT_OTHER = [
  { tag: ACL_USER_OBJ, perm: 7, id: 0 },
  { tag: ACL_USER, perm: 0, id: 2000 },
  { tag: ACL_GROUP_OBJ, perm: 5, id: 0 },
  { tag: ACL_MASK, perm: 5, id: 0 },
  { tag: ACL_OTHER, perm: 5, id: 0 },
];

/** What the table of names is split under. */
const TABLE = [mkdir("/d"), ...file("/d/f", "one"), mkdir("/d/e"), mkdir("/o"), ...file("/f", "two")];

/**
 * `contexts` are numbered from 1; `setup` runs in order and every call of it must succeed; the model's driver is mounted
 * where `driver` says.
 */
export const TREES = {
  /** Files, nested directories, links in the middle and at the end, a hard link, open descriptors. */
  small: {
    contexts: [],
    setup: [
      ...file("/f", "one"),
      mkdir("/d"),
      mkdir("/d/e"),
      mkdir("/o"),
      ...file("/d/f", "two"),
      ...file("/d/e/g"),
      link("/d/f", "/h"),
      symlink("d", "/l"),
      symlink("../f", "/d/up"),
      open("/d", O_DIRECTORY),
      open("/d/f", O_RDWR),
    ],
  },
  /** A file system on a directory that is not empty, a bind mount, a mount on a mount's directory. */
  mounts: {
    contexts: [],
    setup: [
      mkdir("/d"),
      mkdir("/d/e"),
      ...file("/d/f", "two"),
      mkdir("/m"),
      ...file("/m/below"),
      mkdir("/b"),
      mkdir("/n"),
      mount("/m"),
      ...file("/m/f", "three"),
      mkdir("/m/s"),
      bind("/d/e", "/b"),
      ...file("/b/g"),
    ],
  },
  /**
   * Paths long enough for the memo of directories walked, also behind a mount, and directories of the same names elsewhere.
   * Each thread knows those of `warm` when it begins: it has asked for them so often that they are in its memo.
   */
  memo: {
    contexts: [USER],
    setup: [
      ...[FIRST, SECOND, THIRD].map((path) => mkdir(path)),
      ...file(`${THIRD}/file-one`, "one"),
      ...["/o", "/o/bbbbbbbb", "/o/bbbbbbbb/cccccccc"].map((path) => mkdir(path)),
      ...file("/o/bbbbbbbb/cccccccc/file-one", "two"),
      mkdir("/m"),
      mount("/m"),
      ...[FIRST, SECOND, THIRD].map((path) => mkdir(`/m${path}`)),
      ...file(`/m${THIRD}/file-one`, "three"),
    ],
    warm: [`${THIRD}/file-one`, `/m${THIRD}/file-one`],
  },
  /** The next two entries made split the bucket of a name that is there, and of one that is not. */
  split: { contexts: [], setup: TABLE, splits: "/d/f" },
  splitEmpty: { contexts: [], setup: TABLE, splits: "/d/x" },
  /** Short and long names, which lie in different places. */
  names: {
    contexts: [],
    setup: [
      mkdir("/d"),
      ...file("/d/n", "short"),
      ...file(`/d/${LONG}`, "long"),
      mkdir(`/d/${MIDDLE}`),
      ...file(`/d/${MIDDLE}/f`),
      ...file(`/d/${INLINE}`, "inline"),
      mkdir("/o"),
    ],
  },
  /** A sticky directory, a user's own, one with an ACL, an empty one of the superuser's; two ordinary users, one in the other's group. */
  users: {
    contexts: [USER, OTHER],
    setup: [
      mkdir("/t"),
      chmod("/t", 0o1777),
      ...file("/t/root"),
      ...file("/t/mine", "mine"),
      chown("/t/mine", 1000),
      mkdir("/p"),
      mkdir("/p/q"),
      ...file("/p/q/f", "deep"),
      ...file("/p/f", "private"),
      chown("/p", 1000),
      chown("/p/q", 1000),
      chown("/p/f", 1000),
      chmod("/p/f", 0o640),
      setacl("/p/q", WITHOUT_OTHER),
      mkdir("/closed", 0o700),
    ],
  },
  /** A context that is in a directory, and one with a root of its own. */
  places: {
    contexts: [
      { uid: 0, gid: 0 },
      { uid: 0, gid: 0 },
    ],
    setup: [
      mkdir("/d"),
      mkdir("/d/e"),
      mkdir("/d/e/w"),
      ...file("/d/f", "two"),
      mkdir("/o"),
      { call: "sysChdir", path: "/d/e", ctx: 1 },
      { call: "sysChroot", path: "/d", ctx: 2 },
      { call: "sysChdir", path: "/e", ctx: 2 },
      { ...open("/d/e", O_DIRECTORY), ctx: 1 },
    ],
  },
  /** Contents at the edge of their shape: a tree of pages whose node is nearly full, a block that is. Both open. */
  pages: {
    contexts: [],
    setup: [
      ...file("/f", "a".repeat(15 * 4096)),
      ...file("/g", "b".repeat(4000)),
      open("/f", O_RDWR),
      open("/g", O_RDWR),
    ],
  },
  /** A driver's file system, which is asked about its names again and again. */
  driver: { contexts: [], setup: [mkdir("/m"), ...file("/f")], driver: "/m", hooks: DRIVER_HOOKS },
  /** One whose entries are believed for as long as they are in the cache. */
  cached: { contexts: [], setup: [mkdir("/m"), ...file("/f")], driver: "/m", hooks: CACHED_HOOKS },
};

/** The clock of every exploration stands still, so that times are part of what is compared. */
export const CLOCK = 1.6e12;

/** Paths that get labels: whatever the setup makes. */
const placeMade = ({ call, path, path2, flags }) => {
  if (["sysMkdir", "sysMountNew"].includes(call)) return path;
  if (["sysSymlink", "sysMount"].includes(call)) return path2;
  return call === "sysOpen" && flags & O_CREAT ? path : undefined;
};

/**
 * Builds a tree: yields calls as the model takes them, is sent their answers. Answers the labels of the inodes: Map of
 * inode number to name.
 * @param mountDriver the calls that put the driver's file system on a path, with these hooks
 */
export function* buildCalls(tree, mountDriver) {
  const labels = new Map();
  function* name(path, ctx) {
    const stat = yield { call: "sysStat", path, nofollow: true, ctx };
    if (typeof stat === "string") throw new Error(`no ${path}: ${stat}`);
    if (!labels.has(stat.ino))
      labels.set(stat.ino, `old ${path}${[...labels.values()].includes(`old ${path}`) ? " above" : ""}`);
  }
  yield* name("/", 0);
  for (const call of tree.setup) {
    const answer = yield call;
    if (typeof answer === "string") throw new Error(`${JSON.stringify(call)}: ${answer}`);
    const made = placeMade(call);
    if (made !== undefined) yield* name(made, call.ctx);
  }
  if (tree.driver !== undefined) {
    yield* mountDriver(tree.driver, tree.hooks);
    for (const path of ["", "/f", "/s", "/s/g"]) yield* name(tree.driver + path, 0);
  }
  return labels;
}

// ------------------------------------------------------------------------------------- on the core, call by call

/** Turns a generator of calls into one of the core's exports and numbers: `yield [export, ...numbers]` answers a number. */
export function* onCore(t, calls, contexts) {
  let { value, done } = calls.next();
  while (!done) {
    const r = yield begin(t, value, contexts);
    ({ value, done } = calls.next(finish(t, value, r)));
  }
  return value;
}

/** Builds a tree on a fresh arena. Answers { contexts: numbers, labels }. */
export function* buildOnCore(t, tree) {
  const contexts = [0];
  for (const context of tree.contexts) {
    const number = yield beginContext(t, context);
    if (number < 0) throw new Error(`no context: ${number}`);
    contexts.push(number);
  }
  const labels = yield* onCore(t, buildCalls(tree, mountDriver), contexts);
  return { contexts, labels };
}

function* mountDriver(path, hooks) {
  const type = yield { call: "driverRegister", name: DRIVER_NAME, hooks };
  const answer = yield { call: "sysMountNew", path, type };
  if (typeof answer === "string") throw new Error(`no driver at ${path}: ${answer}`);
}

/** Reads the final tree. @param built as buildOnCore() answered it */
export function dumpOnCore(t, { contexts }) {
  return onCore(t, dumpCalls(contexts.length), contexts);
}

// ------------------------------------------------------------------------------------- on the model

/** The model of a tree: { state, labels, contexts }. */
export function modelOf(tree) {
  const model = modelRunner({ now: CLOCK });
  for (const context of tree.contexts) model.addContext(context);
  const labels = readWith(model.run, buildCalls(tree, mountModelDriver));
  return { state: model.state, labels };
}

function* mountModelDriver(path) {
  yield { call: "sysMountNew", path, type: 1 };
}
