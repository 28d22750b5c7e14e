/**
 * The calls of the model made on the core: arguments by name go into a thread's scratch area and a list of numbers, and the
 * answer that lies in scratch afterwards is read into what the model answers.
 *
 * A thread here is anything with `scratch`, a Uint8Array of the whole scratch area.
 */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  ERRNO,
  MS_BIND,
  MS_MOVE,
  MS_NOEXEC,
  MS_RDONLY,
  SCRATCH,
  STAT,
} from "../../../threadfs/dist/abi/abi.js";

const NAME_OF = new Map(Object.entries(ERRNO).map(([name, number]) => [number, name]));
const decoder = new TextDecoder("latin1");

/** Writes a path with its NUL; paths of the checks are ASCII. */
function put(t, at, text) {
  for (let i = 0; i < text.length; i++) t.scratch[at + i] = text.charCodeAt(i);
  t.scratch[at + text.length] = 0;
  return text.length;
}

const text = (t, at, n) => decoder.decode(t.scratch.slice(at, at + n));
const atFlags = ({ nofollow, empty }) => (nofollow ? AT_SYMLINK_NOFOLLOW : 0) | (empty ? AT_EMPTY_PATH : 0);
const mountFlags = ({ readonly, noexec }) => (readonly ? MS_RDONLY : 0) | (noexec ? MS_NOEXEC : 0);
const first = (t, { dirfd = AT_FDCWD, path }) => [dirfd, put(t, SCRATCH.PATH, path)];
const second = (t, { dirfd2 = AT_FDCWD, path2 }) => [dirfd2, put(t, SCRATCH.PATH2, path2)];
const times = ({ atime, mtime }) => [atime.sec, atime.nsec, mtime.sec, mtime.nsec];

const scratchView = (t, at) => new DataView(t.scratch.buffer, t.scratch.byteOffset + at);

/** What follows the context in each call's arguments. */
const ARGUMENTS = {
  sysStat: (t, a) => [...first(t, a), atFlags(a)],
  sysAccess: (t, a) => [...first(t, a), a.mode, atFlags(a)],
  sysReadlink: first,
  sysRealpath: first,
  sysGetcwd: () => [],
  sysChdir: first,
  sysChroot: first,
  sysUmask: (_t, a) => [a.mask],
  sysMkdir: (t, a) => [...first(t, a), a.mode],
  sysMknod: (t, a) => [...first(t, a), a.mode],
  sysSymlink: (t, a) => [put(t, SCRATCH.PATH, a.target), ...second(t, a)],
  sysLink: (t, a) => [...first(t, a), ...second(t, a), (a.follow ? AT_SYMLINK_FOLLOW : 0) | atFlags(a)],
  sysUnlink: (t, a) => [...first(t, a), a.removedir ? AT_REMOVEDIR : 0],
  sysRename: (t, a) => [...first(t, a), ...second(t, a), a.flags ?? 0],
  sysOpen: (t, a) => [...first(t, a), a.flags, a.mode ?? 0],
  sysClose: (_t, a) => [a.fd],
  sysRead: (_t, a) => [a.fd, a.offset ?? -1, a.n],
  sysWrite: (t, a) => {
    put(t, SCRATCH.IO, a.data);
    return [a.fd, a.offset ?? -1, a.data.length];
  },
  sysLseek: (_t, a) => [a.fd, a.offset, a.whence],
  sysTruncate: (t, a) => [...first(t, a), a.size],
  sysFtruncate: (_t, a) => [a.fd, a.size],
  sysGetdents: (_t, a) => [a.fd],
  sysFsync: (_t, a) => [a.fd],
  sysFstat: (_t, a) => [a.fd],
  sysChmod: (t, a) => [...first(t, a), a.mode, atFlags(a)],
  sysFchmod: (_t, a) => [a.fd, a.mode],
  sysChown: (t, a) => [...first(t, a), a.uid, a.gid, atFlags(a)],
  sysFchown: (_t, a) => [a.fd, a.uid, a.gid],
  sysSetacl: (t, a) => {
    const at = scratchView(t, SCRATCH.IO);
    for (const [n, { tag, perm, id = 0 }] of a.acl.entries()) {
      at.setUint16(n * 8, tag, true);
      at.setUint16(n * 8 + 2, perm, true);
      at.setUint32(n * 8 + 4, id, true);
    }
    return [...first(t, a), a.acl.length];
  },
  sysGetacl: first,
  sysUtimens: (t, a) => [...first(t, a), ...times(a), atFlags(a)],
  sysFutimens: (_t, a) => [a.fd, ...times(a)],
  sysMount: (t, a) => {
    const from = put(t, SCRATCH.PATH, a.path);
    const to = put(t, SCRATCH.PATH2, a.path2);
    return [from, to, (a.move ? MS_MOVE : 0) | (a.bind ? MS_BIND : 0) | mountFlags(a)];
  },
  sysMountNew: (t, a) => [put(t, SCRATCH.PATH, a.path), a.type ?? 0, mountFlags(a)],
  sysUmount: (t, a) => [put(t, SCRATCH.PATH, a.path), a.flags ?? 0],
};

/** Calls that are no context's. */
const BARE = {
  shrink: (_t, a) => [a.count],
  driverRegister: (t, a) => [put(t, SCRATCH.PATH, a.name), a.hooks, 0],
};

/** The export of a call and its arguments; paths and contents are in scratch afterwards. */
export function begin(t, { call, ctx = 0, ...args }, contexts) {
  if (Object.hasOwn(BARE, call)) return [call, ...BARE[call](t, args)];
  return [call, contexts[ctx], ...ARGUMENTS[call](t, args)];
}

/** A copy of the attributes: the next call writes over them. Times are in milliseconds, as the clock is. */
function attributes(t) {
  const f = new Float64Array(t.scratch.slice(SCRATCH.STAT, SCRATCH.STAT + 18 * 8).buffer);
  const { ino, mode, nlink, uid, gid, size } = STAT;
  const ms = (at) => f[at] * 1000 + f[at + 1] / 1e6;
  return {
    ino: f[ino],
    mode: f[mode],
    nlink: f[nlink],
    uid: f[uid],
    gid: f[gid],
    size: f[size],
    atime: ms(STAT.atimeSec),
    mtime: ms(STAT.mtimeSec),
    ctime: ms(STAT.ctimeSec),
  };
}

/** The entries of a directory, by name: Linux promises no order. */
function entries(t, n) {
  const bytes = t.scratch.slice(SCRATCH.IO, SCRATCH.IO + n);
  const view = new DataView(bytes.buffer);
  const list = [];
  for (let at = 0; at < n; ) {
    const length = bytes[at + 9];
    const name = decoder.decode(bytes.subarray(at + 10, at + 10 + length));
    list.push({ name, type: bytes[at + 8], ino: view.getFloat64(at, true) });
    at += (10 + length + 7) & ~7;
  }
  return { entries: list.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

function aclEntries(t, n) {
  const at = scratchView(t, SCRATCH.IO);
  const entry = (k) => ({
    tag: at.getUint16(k * 8, true),
    perm: at.getUint16(k * 8 + 2, true),
    id: at.getUint32(k * 8 + 4, true),
  });
  return { acl: Array.from({ length: n }, (_, k) => entry(k)) };
}

const pathAnswer = (t, r) => ({ path: text(t, SCRATCH.IO, r) });

/** What lies in scratch after a call that went well; a call that is not named answers its number. */
const ANSWERS = {
  sysStat: attributes,
  sysFstat: attributes,
  sysReadlink: pathAnswer,
  sysRealpath: pathAnswer,
  sysGetcwd: pathAnswer,
  sysRead: (t, r) => ({ data: text(t, SCRATCH.IO, r) }),
  sysGetdents: entries,
  sysGetacl: aclEntries,
  shrink: () => ({ any: true }),
};

/** The answer to a call that has returned `r`: the name of the errno, or as the model answers it. */
export function finish(t, { call }, r) {
  if (r < 0) return NAME_OF.get(-r) ?? `errno ${-r}`;
  return Object.hasOwn(ANSWERS, call) ? ANSWERS[call](t, r) : r;
}

/** The call that makes a context from context 0: `{ uid, gid, groups, umask, caps }`. */
export function beginContext(t, { uid, gid, groups = [], umask = 0o022, caps = -1 }) {
  const view = scratchView(t, SCRATCH.IO);
  for (const [n, group] of groups.entries()) view.setUint32(n * 4, group, true);
  return ["contextCreate", 0, uid, gid, umask, groups.length, caps];
}
