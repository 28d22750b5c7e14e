/**
 * The tiny file system behind a driver that the explored trees have: plain functions called through the host's `driverCall`.
 * It keeps its nodes in one plain object, and calls every other name it is asked about stale, so that walks leave rcu mode
 * and look again while the tree is what it was.
 */
import { DRIVER_OP, ERRNO, HOOK, SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { S_IFDIR, S_IFMT, S_IFREG } from "../support/linux.js";

export const DRIVER_NAME = "twig";
export const DRIVER_HOOKS = HOOK.LOOKUP | HOOK.REVALIDATE | HOOK.READDIR | HOOK.CREATE | HOOK.UNLINK;
/** The same without being asked about what is in the cache: walks stay in rcu mode there, over names that do not exist too. */
export const CACHED_HOOKS = HOOK.LOOKUP | HOOK.READDIR | HOOK.CREATE | HOOK.UNLINK;

/** What is there at first: its root, /f, /s, /s/g. */
export function newDriverState() {
  return {
    asked: 0,
    last: 4,
    nodes: {
      1: { mode: S_IFDIR | 0o755, kids: { f: 2, s: 3 } },
      2: { mode: S_IFREG | 0o644 },
      3: { mode: S_IFDIR | 0o755, kids: { g: 4 } },
      4: { mode: S_IFREG | 0o644 },
    },
  };
}

const NAME = SCRATCH.DRIVER + 256;
const isDir = ({ mode }) => (mode & S_IFMT) === S_IFDIR;

function view(t) {
  return new DataView(t.scratch.buffer, t.scratch.byteOffset, t.scratch.byteLength);
}

/** Leaves a node's attributes for the core. */
function attributes(t, ino) {
  const v = view(t);
  const node = t.driverState.nodes[ino];
  v.setFloat64(SCRATCH.DRIVER, ino, true);
  v.setFloat64(SCRATCH.DRIVER + 8, 0, true);
  v.setFloat64(SCRATCH.DRIVER + 16, t.clock, true);
  v.setUint32(SCRATCH.DRIVER + 24, node.mode, true);
  v.setUint32(SCRATCH.DRIVER + 28, 0, true);
  v.setUint32(SCRATCH.DRIVER + 32, 0, true);
  v.setUint32(SCRATCH.DRIVER + 36, isDir(node) ? 2 : 1, true);
  return 0;
}

const nameOf = (t, length) => String.fromCharCode(...t.scratch.slice(NAME, NAME + length));

function lookup(t, dir, length) {
  const { kids } = t.driverState.nodes[dir];
  const name = nameOf(t, length);
  return Object.hasOwn(kids, name) ? attributes(t, kids[name]) : -ERRNO.ENOENT;
}

function create(t, dir, length, mode) {
  const s = t.driverState;
  const type = mode & S_IFMT;
  if (type !== S_IFREG && type !== S_IFDIR) return -ERRNO.EPERM;
  const ino = ++s.last;
  s.nodes[ino] = type === S_IFDIR ? { mode, kids: {} } : { mode };
  s.nodes[dir].kids[nameOf(t, length)] = ino;
  return attributes(t, ino);
}

function unlink(t, dir, length, ino) {
  const { nodes } = t.driverState;
  if (isDir(nodes[ino]) && Object.keys(nodes[ino].kids).length > 0) return -ERRNO.ENOTEMPTY;
  delete nodes[dir].kids[nameOf(t, length)];
  return 0;
}

/** All entries at once; they are few. */
function readdir(t, dir, from) {
  const v = view(t);
  const { nodes } = t.driverState;
  const all = Object.entries(nodes[dir].kids);
  let used = 0;
  for (const [name, ino] of all.slice(from)) {
    const at = SCRATCH.IO + used;
    v.setFloat64(at, ino, true);
    v.setUint8(at + 8, (nodes[ino].mode & S_IFMT) >> 12);
    v.setUint8(at + 9, name.length);
    for (let i = 0; i < name.length; i++) v.setUint8(at + 10 + i, name.charCodeAt(i));
    used += (10 + name.length + 7) & ~7;
  }
  v.setFloat64(SCRATCH.DRIVER, all.length, true);
  return used;
}

/**
 * The host's `driverCall` for a thread: `t` has `scratch` (its whole scratch area), `driverState` (shared by the threads of
 * one tree) and `clock`. Answers >= 0 or -errno.
 */
export function driverCall(t, op, _driver, a, b, c, _d) {
  switch (op) {
    case DRIVER_OP.ROOT:
      return attributes(t, 1);
    case DRIVER_OP.LOOKUP:
      return lookup(t, a, b);
    case DRIVER_OP.REVALIDATE:
      t.driverState.asked += 1;
      return t.driverState.asked % 2;
    case DRIVER_OP.READDIR:
      return readdir(t, a, b);
    case DRIVER_OP.CREATE:
      return create(t, a, b, c);
    case DRIVER_OP.UNLINK:
      return unlink(t, a, b, c);
    default:
      return -ERRNO.ENOSYS;
  }
}
