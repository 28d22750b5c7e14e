/**
 * The operations that run concurrently on the small trees (trees.ts), as data: the calls of one thread. Nearly all are one call; a
 * few are two in a row, where the second result of a thread must not contradict its first.
 */
import {
  MNT_DETACH,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  RENAME_NOREPLACE,
  S_IFIFO,
  S_IFREG,
  UMASK_UNCHANGED,
} from "../../../threadfs/dist/abi/abi.js";
import type { ProgramCall, Result } from "../model/call.js";
import { callsMade, isRepeated, resolveCall } from "../model/call-sequence.js";
import type { TreeDump } from "../model/tree-dump.js";
import { defined } from "../support/defined.js";
import { type BuiltTree, buildOnCore, CLOCK, contentsOf, dumpOnCore } from "./build.js";
import {
  access,
  chdir,
  close,
  copy,
  exchange,
  fstat,
  getcwd,
  getdents,
  MTIME,
  read,
  readlink,
  realpath,
  rename,
  rmdir,
  scandir,
  shrink,
  stat,
  TAGGED,
  truncate,
  umount,
  unlink,
  write,
} from "./calls.js";
import { begin, type CoreCalls, finish, type ScratchThread } from "./core-calls.js";
import { driverCall, newDriverState } from "./driver.js";
import { CLOSING } from "./lists/closing.js";
import { COLD } from "./lists/cold.js";
import { CONFINED } from "./lists/confined.js";
import { FOLLOWED } from "./lists/followed.js";
import { IDLE } from "./lists/idle.js";
import { IN_RCU } from "./lists/in-rcu.js";
import { LIMITED } from "./lists/limits.js";
import { DRIVER_LINKS, LINKED } from "./lists/linked.js";
import { DEFAULTS, NAMELESS, RANGES, XATTRS } from "./lists/linux.js";
import { LOCKED, WAITING } from "./lists/locks.js";
import { MOUNTED } from "./lists/mounts.js";
import { PAGES } from "./lists/pages.js";
import { PIPE_WAITS, PIPED } from "./lists/pipes.js";
import { PLACES } from "./lists/places.js";
import { SPLIT } from "./lists/split.js";
import {
  bind,
  chmod,
  chown,
  INLINE,
  LONG,
  LONG2,
  link,
  MIDDLE,
  mkdir,
  mount,
  open,
  setacl,
  symlink,
  WITHOUT_OTHER,
} from "./setup-calls.js";
import { TREES } from "./trees.js";

export { judge } from "./linearizability.js";

/** One call, or several in a row. */
type Entry = ProgramCall | ProgramCall[];

/** By tree and kind; each entry is one operation. */
const CATALOGUE: Record<string, Record<string, Entry[]>> = {
  small: {
    stat: [
      stat("/d/e/g"),
      stat("/d/x"),
      stat("/l/f"),
      stat("/d/e/../f"),
      stat("/d/up"),
      stat("/o/"),
      stat("/d"),
      stat("/o/../d/e/g"),
    ],
    lstat: [stat("/l", { nofollow: true })],
    statat: [stat("e/g", { dirfd: 3 }), stat("", { dirfd: 4, empty: true })],
    access: [access("/d/f", 6)],
    open: [[open("/d/f", O_RDWR), fstat({ of: 0 })], open("/d/up", O_NOFOLLOW), open("/d", O_DIRECTORY)],
    openat: [{ ...open("e/g", O_WRONLY), dirfd: 3 }],
    tagged: TAGGED,
    create: [
      open("/d/x", O_CREAT | O_WRONLY),
      open("/d/x", O_CREAT | O_EXCL),
      open("/d/up", O_CREAT | O_TRUNC | O_WRONLY),
    ],
    mknod: [
      { call: "sysMknod", path: "/o/x", mode: S_IFIFO | 0o666 },
      { call: "sysMknod", path: "/d/x", mode: S_IFREG },
      { call: "sysMknod", path: "/d/x", mode: 0o060660, dev: 0x701 },
    ],
    mkdir: [mkdir("/d/x"), mkdir("/o/x")],
    rmdir: [rmdir("/o"), rmdir("/d/e")],
    unlink: [unlink("/d/f"), unlink("/h"), unlink("/l"), unlink("/d/e/g")],
    rename: [
      rename("/d/f", "/d/x"),
      rename("/d/f", "/f"),
      rename("/d/e", "/o/e"),
      rename("/o", "/d/e/o"),
      rename("/d", "/o/d"),
      rename("/d/e", "/o"),
      rename("/h", "/d/x", RENAME_NOREPLACE),
    ],
    exchange: [exchange("/d/f", "/f"), exchange("/d/e", "/o"), exchange("/d/e", "/f")],
    link: [link("/f", "/d/x"), link("/d/f", "/o/x")],
    ...NAMELESS,
    ...XATTRS,
    symlink: [symlink("../f", "/d/x")],
    readlink: [readlink("/l"), readlink("/d/up")],
    realpath: [realpath("/l/e/g")],
    chmod: [chmod("/d/f", 0o600), chmod("/d", 0o700), { call: "sysFchmod", fd: 4, mode: 0o4755 }],
    chown: [chown("/d/f", 7, 8)],
    utimens: [{ call: "sysUtimens", path: "/d/f", ...MTIME }],
    umask: [{ call: "sysUmask", mask: UMASK_UNCHANGED }],
    truncate: [truncate("/d/f", 1), { call: "sysFtruncate", fd: 4, size: 9 }],
    write: [
      write(4, "twenty bytes of it..."),
      [open("/h", O_WRONLY | O_APPEND), { call: "sysWrite", fd: { of: 0 }, data: "+" }],
    ],
    read: [read(4), { call: "sysRead", fd: 4, n: 2 }, { call: "sysRead", fd: 4, n: 100, direct: true }],
    flags: [
      [
        { call: "sysFileFlags", fd: 4, flags: O_APPEND },
        { call: "sysWrite", fd: 4, data: "three" },
      ],
    ],
    readdir: [
      getdents(3),
      { call: "sysGetdents", fd: 5, from: 1 },
      scandir("/d"),
      scandir("/o"),
      [open("/o", O_DIRECTORY), getdents({ of: 0 })],
    ],
    close: [close(3), close(4)],
    reopen: [[close(3), open("/o", O_DIRECTORY)]],
    /** The file is a child without a name until it is closed. */
    leave: [[unlink("/d/f"), close(4)]],
    shrink: [shrink, copy],
    /** Two lookups of one thread. */
    looks: [
      [stat("/d/f"), stat("/f")],
      [stat("/d/x"), stat("/d/f")],
      [stat("/o/e/g"), stat("/d/e/g")],
    ],
  },
  followed: FOLLOWED,
  locks: LOCKED,
  lockWaits: WAITING,
  pipes: PIPED,
  pipeWaits: PIPE_WAITS,
  mounts: {
    stat: [
      stat("/m/f"),
      stat("/m/s/.."),
      stat("/m/.."),
      stat("/b/.."),
      stat("/b/g"),
      stat("/d/e/g"),
      stat("/m/"),
      stat("/n/f"),
      { call: "sysStatx", path: "/m" },
    ],
    open: [
      open("/m/f", O_RDWR),
      { call: "sysReadFile", path: "/m/f" },
      scandir("/m/s"),
      [open("/m/s", O_DIRECTORY), getdents({ of: 0 })],
    ],
    create: [open("/m/x", O_CREAT | O_WRONLY), mkdir("/b/x")],
    remove: [unlink("/m/f"), rmdir("/m/s"), rmdir("/n"), rmdir("/m"), unlink("/b/g")],
    rename: [
      rename("/d/e", "/n/e"),
      rename("/m/f", "/m/s/f"),
      rename("/n", "/d/n"),
      rename("/m/f", "/d/f"),
      exchange("/d", "/n"),
    ],
    link: [link("/m/f", "/m/x")],
    realpath: [realpath("/b/g")],
    chmod: [chmod("/d/e", 0o700)],
    mount: [mount("/n"), mount("/m"), mount("/m/s")],
    bind: [bind("/d", "/n"), bind("/m/f", "/d/f")],
    move: [{ call: "sysMount", path: "/m", path2: "/n", move: true }],
    umount: [umount("/m"), umount("/b"), umount("/m", MNT_DETACH)],
    shrink: [shrink, copy],
    looks: [[stat("/m/f"), stat("/n/f")]],
  },
  ...MOUNTED,
  closing: CLOSING,
  confined: CONFINED,
  split: SPLIT,
  splitEmpty: SPLIT,
  names: {
    stat: [stat("/d/n"), stat(`/d/${LONG}`), stat(`/d/${MIDDLE}/f`), stat(`/d/${INLINE}`), stat(`/d/${LONG2}`)],
    exchange: [exchange("/d/n", `/d/${LONG}`), exchange(`/d/${INLINE}`, `/d/${LONG}`)],
    rename: [
      rename(`/d/${LONG}`, `/d/${LONG2}`),
      rename("/d/n", `/o/${LONG}`),
      rename(`/d/${MIDDLE}`, "/o/m"),
      rename(`/d/${INLINE}`, `/d/${LONG}`),
    ],
    unlink: [unlink(`/d/${LONG}`)],
    link: [link("/d/n", `/d/${LONG2}`)],
    readdir: [scandir("/d"), [open("/d", O_DIRECTORY), getdents({ of: 0 })]],
    realpath: [realpath(`/d/${MIDDLE}/f`), realpath(`/d/${LONG}`), realpath(`/d/${INLINE}`)],
    shrink: [shrink],
    looks: [[stat("/d/n"), stat(`/d/${LONG}`)]],
  },
  users: {
    stat: [stat("/p/q/f", { ctx: 1 }), stat("/p/q/f", { ctx: 2 }), stat("/p/f", { ctx: 2 }), stat("/closed/./x")],
    rmdir: [rmdir("/closed")],
    access: [access("/p/f", 2, 1), access("/p/f", 4, 2), access("/p/q", 3, 2)],
    open: [open("/p/f", O_RDWR, 1), open("/p/f", O_RDWR, 2)],
    create: [open("/p/q/x", O_CREAT | O_WRONLY, 1), mkdir("/t/x", 0o755, 2)],
    unlink: [unlink("/t/mine", 1), unlink("/t/mine", 2), unlink("/t/root", 1), unlink("/p/f", 2)],
    rename: [rename("/t/mine", "/t/root", 0, 1), rename("/p/q", "/t/q", 0, 1), rename("/p/f", "/p/x", 0, 2)],
    chmod: [
      chmod("/p", 0, 1),
      chmod("/p", 0o777, 1),
      chmod("/p/f", 0o666, 1),
      chmod("/t", 0o777),
      chmod("/p/q", 0o500, 1),
    ],
    chown: [chown("/t/mine", 2000), chown("/p/f", 2000, 1000), chown("/p/f", 2000, 3000), chown("/p", 2000)],
    acl: [setacl("/p/q", [], 1), setacl("/p", WITHOUT_OTHER, 1), { call: "sysGetacl", path: "/p/q", ctx: 1 }],
    truncate: [truncate("/p/f", 2, 2)],
    link: [link("/p/f", "/t/x", 1)],
    /** A thread that has seen the new mode is bound by it. */
    looks: [
      [stat("/p", { ctx: 1 }), stat("/p/q/f", { ctx: 1 })],
      [stat("/p/q/f", { ctx: 1 }), stat("/p", { ctx: 1 })],
    ],
  },
  ...IN_RCU,
  defaults: DEFAULTS,
  places: PLACES,
  pages: { ...PAGES, ...RANGES },
  limited: LIMITED,
  full: { stat: [stat("/f"), stat("/d"), stat("/d/n1")] },
  driver: {
    stat: [stat("/m/f"), stat("/m/s/g"), stat("/m/x"), stat("/m/s/../f"), stat("/m/")],
    open: [open("/m/f", O_RDWR)],
    create: [open("/m/x", O_CREAT | O_WRONLY), mkdir("/m/s/x"), open("/m/x", O_CREAT | O_EXCL)],
    unlink: [unlink("/m/f"), rmdir("/m/s"), unlink("/m/s/g")],
    rename: [rename("/m/f", "/m/s/f")],
    readdir: [[open("/m", O_DIRECTORY), getdents({ of: 0 })]],
    umount: [umount("/m"), umount("/m", MNT_DETACH)],
    shrink: [shrink, copy],
  },
  cached: {
    stat: [stat("/m/f"), stat("/m/s/g"), stat("/m/s/../s/g")],
    open: [open("/m/s/g", O_RDWR)],
    create: [open("/m/x", O_CREAT | O_WRONLY), mkdir("/m/s/x")],
    unlink: [unlink("/m/f"), rmdir("/m/s"), unlink("/m/s/g")],
    again: [[unlink("/m/f"), mkdir("/m/f")]],
    shrink: [shrink],
    /** From a descriptor inside, where the plain walk reaches the end. */
    looks: [[open("/m", O_DIRECTORY), stat("x", { dirfd: { of: 0 } }), stat("x", { dirfd: { of: 0 } })]],
  },
  idle: IDLE,
  aliases: {
    alias: [
      stat("/m/p/x"),
      stat("/m/q/x"),
      stat("/m/p/y"),
      stat("/m/a/toB"),
      stat("/m/b/toA"),
      stat("/m/q/x/g"),
      stat("/m/q/x/.."),
      stat("/m/a/toB/toA"),
    ],
    getcwd: [getcwd(1), realpath("/m/q/x/g")],
    here: [stat("..", { ctx: 1 }), stat("g", { ctx: 1 })],
    mount: [mount("/m/q/x"), [mount("/m/p/x"), stat("/m/q/x")]],
    umount: [umount("/m", MNT_DETACH)],
    readdir: [[open("/m/q/x", O_DIRECTORY), getdents({ of: 0 })]],
    shrink: [shrink],
    looks: [[stat("/m/q/x"), stat("/m/p/x/..")]],
  },
  remade: {
    stale: [stat("/m/s"), stat("/m/s/d/in"), stat("/b/d/in"), [stat("/m/s"), umount("/m")]],
    here: [stat("..", { ctx: 1 }), stat(".", { ctx: 1 }), mkdir("new", 0o755, 1)],
    getcwd: [getcwd(1)],
    mount: [mount("/b/d"), mount("/m/s/d"), bind("/m/s/d", "/b")],
    umount: [umount("/b/d", MNT_DETACH), umount("/m"), umount("/b"), umount("/m", MNT_DETACH)],
    chdir: [chdir("/", 1)],
    shrink: [shrink],
  },
  linked: LINKED,
  kept: DRIVER_LINKS,
  told: DRIVER_LINKS,
  cold: COLD,
};

/** The name of an operation, also on the command line. */
function nameOf(kind: string, calls: ProgramCall[]): string {
  const short = (value: unknown) =>
    typeof value === "string" && value.length > 30 ? `${value.slice(0, 4)}*${value.length}` : value;
  const text = ({ call, ...args }: ProgramCall) => {
    const words = Object.entries(args).map(
      ([key, value]) => `${key}=${short(typeof value === "object" ? JSON.stringify(value) : value)}`,
    );
    return `${call}(${words.filter((word) => word !== "ctx=0").join(" ")})`;
  };
  return `${kind}: ${calls.map(text).join("; ")}`;
}

/** A program that one thread runs on a tree. */
export interface TreeOperation {
  /** The kind and the calls with their arguments. */
  name: string;
  kind: string;
  tree: string;
  calls: ProgramCall[];
  /** Yields one call of the core at a time, and once more one that was left. @returns the results: callsMade() says of which calls */
  run(t: ScratchThread, built: BuiltTree): CoreCalls<Result[]>;
}

export function operation(tree: string, kind: string, entry: Entry): TreeOperation {
  const calls = Array.isArray(entry) ? entry : [entry];
  return {
    name: nameOf(kind, calls),
    kind,
    tree,
    calls,
    *run(t, { contexts }) {
      const results: Result[] = [];
      for (const [n, made] of calls.entries()) {
        let attempts = 0;
        do {
          const given = defined(callsMade(calls.slice(0, n + 1), results)[results.length], "call");
          const call = resolveCall(given, results);
          results.push(finish(t, call, yield begin(t, call, contexts)));
        } while (isRepeated(made, results.at(-1), ++attempts));
      }
      return results;
    },
  };
}

export const operations = Object.entries(CATALOGUE).flatMap(([tree, kinds]) =>
  Object.entries(kinds).flatMap(([kind, list]) => list.map((entry) => operation(tree, kind, entry))),
);

/** A tree, as a runner of operations needs it. */
export interface TreeFixture {
  name: string;
  build(t: ScratchThread): CoreCalls<BuiltTree>;
  warm: string[];
  warmBy: number;
  splits: string | undefined;
  /** The log of changes is followed. */
  followed: boolean;
  /** It leaves no memory for the scratch area of another thread. */
  full: boolean;
  driverCall: typeof driverCall;
  newDriverState(): ReturnType<typeof newDriverState>;
  clock: number;
}

export const trees: Record<string, TreeFixture> = Object.fromEntries(
  Object.entries(TREES).map(([name, tree]) => [
    name,
    {
      name,
      build: (t: ScratchThread) => buildOnCore(t, tree),
      warm: tree.warm ?? [],
      warmBy: tree.warmBy ?? 0,
      splits: tree.splits,
      followed: tree.followed === true,
      full: tree.fills !== undefined,
      driverCall,
      newDriverState: () => newDriverState(contentsOf(tree)),
      clock: CLOCK,
    },
  ]),
);

/** The final tree, with the labels of the first inodes. */
export type LabelledDump = TreeDump & { labels: [number, string][] };

/** Reads the final tree, and unmounts everything in it: the last use of a tree. */
export function* dump(t: ScratchThread, built: BuiltTree): CoreCalls<LabelledDump> {
  const final = yield* dumpOnCore(t, built);
  return { ...final, labels: [...built.labels] };
}

/** Operations that change nothing: two of them do not conflict. */
const READ_ONLY = new Set(["stat", "lstat", "statat", "access", "readlink", "realpath", "getcwd", "looks", "look"]);

const byTree = (tree: string): TreeOperation[] => operations.filter((op) => op.tree === tree);

/** Whether a tree has these operations at the same time. */
function fitBeside(tree: string, ops: readonly TreeOperation[]): boolean {
  const { beside, apart = [] } = defined(TREES[tree], tree);
  if (apart.length > 0 && apart.every((name) => ops.some(({ kind }) => kind === name))) return false;
  if (beside === undefined) return true;
  const contexts = new Set(ops.flatMap(({ calls }) => calls.map(({ ctx }) => ctx)));
  return ops.some(({ kind }) => kind === beside) && contexts.size === 1;
}

export interface Pair {
  tree: string;
  a: TreeOperation;
  b: TreeOperation;
}

/** Every two operations of a tree, also twice the same one; not two that change nothing. */
export function pairs(): Pair[] {
  return Object.keys(TREES).flatMap((tree) => {
    const all = byTree(tree);
    const both = all.flatMap((a, n) => all.slice(n).map((b) => ({ tree, a, b })));
    return both.filter(({ a, b }) => !(READ_ONLY.has(a.kind) && READ_ONLY.has(b.kind)) && fitBeside(tree, [a, b]));
  });
}

/** Operations that run concurrently on a tree. */
export interface OperationSet {
  tree: string;
  ops: TreeOperation[];
}

/** Every three operations of a tree of which at least two change something. */
export function triples(): OperationSet[] {
  return Object.keys(TREES).flatMap((tree) => {
    const all = byTree(tree);
    const three = all.flatMap((a, n) => all.slice(n).flatMap((b, m) => all.slice(n + m).map((c) => [a, b, c])));
    return three
      .filter((ops) => ops.filter(({ kind }) => !READ_ONLY.has(kind)).length >= 2 && fitBeside(tree, ops))
      .map((ops) => ({ tree, ops }));
  });
}
