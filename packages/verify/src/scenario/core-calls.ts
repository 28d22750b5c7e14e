/**
 * The calls of the model made on the core: arguments by name go into a thread's scratch area and a list of numbers; the result in
 * scratch is read into the form in which the model returns it.
 */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  CLONE_NEWNS,
  ERRNO,
  F_GETLK,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_SETLK,
  F_SETLKW,
  F_UNLCK,
  FLOCK_LEN,
  FLOCK_START,
  FLOCK_TYPE,
  IO_SIZE,
  MOUNTINFO_ALIGN,
  MOUNTINFO_FIRST,
  MOUNTINFO_FLAGS,
  MOUNTINFO_LENGTHS,
  MOUNTINFO_MASTER,
  MOUNTINFO_SHARED,
  MOUNTINFO_TEXT,
  MS_BIND,
  MS_MOVE,
  MS_NOATIME,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSYMFOLLOW,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
  OF_MAKER,
  OPENED,
  OPENING,
  SCAN_ALIGN,
  SCAN_NAME,
  SCAN_NAME_LENGTH,
  SCAN_TYPE,
  SCRATCH,
  STAT,
  THREAD_CLOSES,
  WRITE_FAILED,
} from "../../../threadfs/dist/abi/abi.js";
import { TIMED_OUT } from "../machine/errors.js";
import type { AclEntry } from "../model/acl.js";
import {
  type Attributes,
  type Call,
  type CallArguments,
  type CallName,
  type CallResults,
  type DirectoryEntry,
  LEFT,
  type Listed,
  type MountFlags,
  type Result,
  type Time,
} from "../model/call.js";
import { type ListedMount, mountLines } from "../model/calls-mounts.js";
import type { ContextOptions } from "../model/sequential.js";
import { defined } from "../support/defined.js";
import { readDirents } from "../support/dirents.js";

/** A thread as far as calls need it: a view of its whole scratch area. */
export interface ScratchThread {
  scratch: Uint8Array;
  /** The contents of a write that is longer than their part of the scratch area; the host copies them there piece by piece. */
  source?: string;
  /** What the host has copied out for a read; undefined: the read goes through the scratch area. */
  sink?: string | undefined;
  /** Whether the host is given a copy of the arena, which it drops. */
  copiesArena?: boolean;
}
/** A call of an export of the core: its name and its arguments. */
export type CoreCall = [name: string, ...numbers: number[]];
/** The calls of one thread on the core: each yields an export and its arguments, and is sent the number that it returned. */
export type CoreCalls<T> = Generator<CoreCall, T, number>;
/** A call of the model, or one that only the core has: it enters the driver. */
export type AnyCall =
  | Call
  | { call: "driverRegister"; name: string; hooks: number; fsFlags: number }
  | { call: "lateContext"; options: ContextOptions }
  | { call: "contextKeep"; ctx: number };

const NAME_OF = new Map<number, string>(Object.entries(ERRNO).map(([name, number]) => [number, name]));
const decoder = new TextDecoder("latin1");

/** Writes a path with its NUL; paths of the checks are ASCII. */
function put(t: ScratchThread, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) t.scratch[at + i] = text.charCodeAt(i);
  t.scratch[at + text.length] = 0;
  return text.length;
}

const text = (t: ScratchThread, at: number, n: number): string => decoder.decode(t.scratch.slice(at, at + n));
const atFlags = ({ nofollow, empty }: { nofollow?: boolean; empty?: boolean }): number =>
  (nofollow ? AT_SYMLINK_NOFOLLOW : 0) | (empty ? AT_EMPTY_PATH : 0);
const MOUNT_FLAGS: readonly (readonly [name: keyof MountFlags, bit: number])[] = [
  ["readonly", MS_RDONLY],
  ["noexec", MS_NOEXEC],
  ["nosymfollow", MS_NOSYMFOLLOW],
  ["noatime", MS_NOATIME],
  ["nodiratime", MS_NODIRATIME],
  ["strictatime", MS_STRICTATIME],
];
const PROPAGATION = { shared: MS_SHARED, slave: MS_SLAVE, private: MS_PRIVATE, unbindable: MS_UNBINDABLE } as const;
const mountFlags = (given: MountFlags): number =>
  MOUNT_FLAGS.reduce((flags, [name, bit]) => (given[name] ? flags | bit : flags), 0);
/** The flags that a remount changes: those for times of access together. */
const mountMask = (given: MountFlags): number => {
  const times = MS_NOATIME | MS_STRICTATIME;
  const mask = MOUNT_FLAGS.reduce((bits, [name, bit]) => (given[name] === undefined ? bits : bits | bit), 0);
  return mask & times ? mask | times : mask;
};
const first = (t: ScratchThread, { dirfd = AT_FDCWD, path }: { dirfd?: number; path: string }): number[] => [
  dirfd,
  put(t, SCRATCH.PATH, path),
];
const second = (t: ScratchThread, { dirfd2 = AT_FDCWD, path2 }: { dirfd2?: number; path2: string }): number[] => [
  dirfd2,
  put(t, SCRATCH.PATH2, path2),
];
const times = ({ atime, mtime }: { atime: Time; mtime: Time }): number[] => [
  atime.sec,
  atime.nsec,
  mtime.sec,
  mtime.nsec,
];

const range = ({ type, whence = 0, start, len }: CallArguments["getLock"]): number[] => [type, whence, start, len];

const scratchView = (t: ScratchThread, at: number): DataView =>
  new DataView(t.scratch.buffer, t.scratch.byteOffset + at);

/** The arguments of each call after the context. */
const ARGUMENTS: {
  [K in Exclude<CallName, "shrink" | "contextClose" | "contextCreate" | "threadCloses" | "threadEnd">]: (
    t: ScratchThread,
    args: CallArguments[K],
  ) => number[];
} = {
  sysStat: (t, a) => [...first(t, a), atFlags(a)],
  sysStatx: (t, a) => [...first(t, a), atFlags(a)],
  sysAccess: (t, a) => [...first(t, a), a.mode, atFlags(a)],
  sysReadlink: first,
  sysRealpath: first,
  sysGetcwd: () => [],
  sysChdir: first,
  sysChroot: first,
  sysUmask: (_t, a) => [a.mask],
  contextDestroy: () => [],
  contextList: (_t, a) => [a.from],
  sysMkdir: (t, a) => [...first(t, a), a.mode],
  sysMknod: (t, a) => [...first(t, a), a.mode, a.dev ?? 0],
  sysSymlink: (t, a) => [put(t, SCRATCH.PATH, a.target), ...second(t, a)],
  sysLink: (t, a) => [...first(t, a), ...second(t, a), (a.follow ? AT_SYMLINK_FOLLOW : 0) | atFlags(a)],
  sysUnlink: (t, a) => [...first(t, a), a.removedir ? AT_REMOVEDIR : 0],
  sysRename: (t, a) => [...first(t, a), ...second(t, a), a.flags ?? 0],
  sysOpen: (t, a) => [...first(t, a), a.flags, a.mode ?? 0],
  sysOpenat2: (t, a) => [
    ...[...first(t, a), a.flags, a.mode ?? 0, a.resolve],
    ...(a.tag === undefined ? [] : [TAG_HIGH, a.tag]),
  ],
  sysClose: (_t, a) => [a.fd],
  sysCloseTagged: (_t, a) => [TAG_HIGH, a.tag],
  sysRead: (_t, a) => [a.fd, a.offset ?? -1, a.n],
  sysWrite: (t, a) => {
    if (a.data.length > IO_SIZE) t.source = a.data;
    else put(t, SCRATCH.IO, a.data);
    return [a.fd, a.offset ?? -1, a.data.length];
  },
  sysReadFile: (t, a) => [...first(t, a), IO_SIZE],
  sysScandir: first,
  sysWriteFile: (t, a) => {
    put(t, SCRATCH.IO, a.data);
    return [...first(t, a), a.append ? 1 : 0, a.mode ?? 0o644, a.data.length];
  },
  sysLseek: (_t, a) => [a.fd, a.offset, a.whence],
  sysTruncate: (t, a) => [...first(t, a), a.size],
  sysFtruncate: (_t, a) => [a.fd, a.size],
  sysFallocate: (_t, a) => [a.fd, a.mode, a.offset, a.len],
  sysCopyFileRange: (_t, a) => [a.fd, a.offset ?? -1, a.fd2, a.offset2 ?? -1, a.len],
  sysGetdents: (_t, a) => [a.fd, 0, a.from ?? -1],
  sysFsync: (_t, a) => [a.fd],
  sysFileFlags: (_t, a) => [a.fd, a.flags],
  sysPoll: (_t, a) => [a.fd, a.events],
  sysFstat: (_t, a) => [a.fd],
  sysPipe: (_t, a) => [a.flags],
  sysPipeSize: (_t, a) => [a.fd, a.size],
  sysFifoWait: (_t, a) => [a.fd + OPENING],
  sysFifoCancel: (_t, a) => [a.fd + OPENING],
  sysFlock: (_t, a) => [a.fd, a.op],
  lockRequest: (_t, a) => [a.fd, a.op],
  setLock: (_t, a) => [a.fd, a.ofd ? (a.wait ? F_OFD_SETLKW : F_OFD_SETLK) : a.wait ? F_SETLKW : F_SETLK, ...range(a)],
  getLock: (_t, a) => [a.fd, a.ofd ? F_OFD_GETLK : F_GETLK, ...range(a)],
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
    return [...first(t, a), a.acl.length, a.isDefault ? 1 : 0];
  },
  sysGetacl: (t, a) => [...first(t, a), a.isDefault ? 1 : 0],
  sysSetxattr: (t, a) => {
    const size = put(t, SCRATCH.IO, a.value);
    return [...first(t, a), put(t, SCRATCH.PATH2, a.name), size, a.how ?? 0, atFlags(a)];
  },
  sysGetxattr: (t, a) => [...first(t, a), put(t, SCRATCH.PATH2, a.name), atFlags(a)],
  sysListxattr: (t, a) => [...first(t, a), atFlags(a)],
  sysRemovexattr: (t, a) => [...first(t, a), put(t, SCRATCH.PATH2, a.name), atFlags(a)],
  sysUtimens: (t, a) => [...first(t, a), ...times(a), atFlags(a)],
  sysFutimens: (_t, a) => [a.fd, ...times(a)],
  sysMount: (t, a) => {
    const from = put(t, SCRATCH.PATH, a.path);
    const to = put(t, SCRATCH.PATH2, a.path2);
    const how = (a.move ? MS_MOVE : 0) | (a.bind ? MS_BIND : 0) | (a.recursive ? MS_REC : 0);
    const shares = a.propagation ? PROPAGATION[a.propagation] : 0;
    return [from, to, how | shares | mountFlags(a)];
  },
  sysMountNew: (t, a) => [put(t, SCRATCH.PATH, a.path), a.type ?? 0, mountFlags(a), a.size ?? 0, a.inodes ?? 0, 0],
  sysRemount: (t, a) => {
    const flags = (a.bind ? MS_BIND : 0) | mountFlags(a);
    return [put(t, SCRATCH.PATH, a.path), a.size ?? -1, a.inodes ?? -1, flags, mountMask(a)];
  },
  sysMounts: () => [0],
  sysInvalidate: (t, a) => [put(t, SCRATCH.PATH, a.path)],
  sysPivotRoot: (t, a) => [put(t, SCRATCH.PATH, a.path), put(t, SCRATCH.PATH2, a.path2)],
  sysUmount: (t, a) => [put(t, SCRATCH.PATH, a.path), a.flags ?? 0],
  arenaCopy: () => [COPY_WAIT_MS],
};

/** Not at all: a thread that polls while two others are scheduled at each access passes every bound of a run. */
const COPY_WAIT_MS = 0;

/** The next bytes of a write that is longer than the part of the scratch area for contents: the host's `copyFromUser`. */
export function copyFromUser(t: ScratchThread, to: number, done: number, bytes: number): number {
  const source = defined(t.source, "contents of a long write");
  const room = new Uint8Array(t.scratch.buffer, to >>> 0, bytes);
  for (let i = 0; i < bytes; i++) room[i] = source.charCodeAt(done + i);
  return 0;
}

/** The next bytes of a direct read: the host's `copyToUser`. */
export function copyToUser(t: ScratchThread, from: number, done: number, bytes: number): number {
  if (t.copiesArena) return 0;
  const read = defined(t.sink, "a direct read");
  if (read.length !== done) throw new Error(`the bytes from ${done} on follow ${read.length}`);
  const piece = from === 0 ? new Uint8Array(bytes) : new Uint8Array(t.scratch.buffer, from >>> 0, bytes).slice();
  t.sink = read + decoder.decode(piece);
  return 0;
}

/** The upper half of all tags. */
const TAG_HIGH = 1;

/** Calls of the model that are not named as the export that makes them. */
const EXPORTS = new Map<string, string>([
  ["setLock", "sysFcntlLock"],
  ["getLock", "sysFcntlLock"],
]);

/** The export of a call and its arguments; puts paths and contents into scratch. @param contexts numbers of the contexts */
export function begin(t: ScratchThread, call: AnyCall, contexts: readonly number[]): CoreCall {
  if (call.call === "driverRegister") return [call.call, 0, put(t, SCRATCH.PATH, call.name), call.hooks, call.fsFlags];
  if (call.call === "lateContext") return beginContext(t, call.options, contexts);
  if (call.call === "shrink") return [call.call, 0, call.count ?? 0];
  if (call.call === "threadCloses") return ["threadFamily", THREAD_CLOSES, 0, 0, 0, 0, 0];
  if (call.call === "threadEnd") return ["threadDetach"];
  const caller = defined(contexts[call.ctx ?? 0], `context ${call.ctx}`);
  if (call.call === "contextKeep") return [call.call, caller];
  if (call.call === "contextCreate") {
    const unshare = call.mounts === "own" ? CLONE_NEWNS : 0;
    return ["contextCreate", caller, call.uid, call.gid, OF_MAKER, OF_MAKER, -1, 0, unshare];
  }
  if (call.call === "contextClose") return [call.call, caller, defined(contexts[call.other], `context ${call.other}`)];
  const { call: name, ctx: _ctx, ...args } = call;
  t.copiesArena = name === "arenaCopy";
  // The arguments are those of this very call.
  const numbersOf = ARGUMENTS[name] as (t: ScratchThread, args: object) => number[];
  const direct = call.call === "sysRead" && call.direct === true;
  if (call.call === "sysRead" || call.call === "sysReadFile")
    t.sink = direct || call.call === "sysReadFile" ? "" : undefined;
  const tagged = call.call === "sysOpenat2" && call.tag !== undefined;
  const any = call.call === "sysOpen" && call.any === true;
  const other = direct ? "sysReadDirect" : tagged ? "sysOpenTagged" : any ? "sysOpenAny" : EXPORTS.get(name);
  const made = other ?? name;
  return [made, caller, ...numbersOf(t, args)];
}

/** A copy of the attributes: the next call overwrites them. Times are in milliseconds, as the clock is. */
function attributes(t: ScratchThread): Attributes {
  const f = new Float64Array(t.scratch.slice(SCRATCH.STAT, SCRATCH.STAT + 18 * 8).buffer);
  const field = (at: number) => f[at] ?? Number.NaN;
  const ms = (at: number) => field(at) * 1000 + field(at + 1) / 1e6;
  return {
    ino: field(STAT.ino),
    mode: field(STAT.mode),
    nlink: field(STAT.nlink),
    uid: field(STAT.uid),
    gid: field(STAT.gid),
    size: field(STAT.size),
    atime: ms(STAT.atimeSec),
    mtime: ms(STAT.mtimeSec),
    ctime: ms(STAT.ctimeSec),
    rdev: field(STAT.rdev),
  };
}

/** The entries of a directory, by name: Linux promises no order. */
function entries(t: ScratchThread, n: number): { entries: DirectoryEntry[] } {
  const list = readDirents(t.scratch.subarray(SCRATCH.IO), n).map(({ name, type, ino }) => ({ name, type, ino }));
  return { entries: list.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** The entries of a directory in memory, which are fewer here than one piece of the scratch area has room for. */
function listed(t: ScratchThread, n: number): Listed {
  const bytes = t.scratch.slice(SCRATCH.IO, SCRATCH.IO + n);
  const list: string[] = [];
  for (let at = 0; at < n; ) {
    const name = at + SCAN_NAME;
    const length = defined(bytes[at + SCAN_NAME_LENGTH], "length of a name");
    list.push(`${decoder.decode(bytes.subarray(name, name + length))} ${bytes[at + SCAN_TYPE]}`);
    at = (name + length + 2 + SCAN_ALIGN - 1) & ~(SCAN_ALIGN - 1);
  }
  return { listed: list.sort() };
}

function aclEntries(t: ScratchThread, n: number): { acl: AclEntry[] } {
  const at = scratchView(t, SCRATCH.IO);
  const entry = (k: number) => ({
    tag: at.getUint16(k * 8, true),
    perm: at.getUint16(k * 8 + 2, true),
    id: at.getUint32(k * 8 + 4, true),
  });
  return { acl: Array.from({ length: n }, (_, k) => entry(k)) };
}

function heldLock(t: ScratchThread): { lock: number[] } {
  const at = scratchView(t, SCRATCH.IO);
  const type = at.getFloat64(FLOCK_TYPE, true);
  if (type === F_UNLCK) return { lock: [type] };
  return { lock: [type, at.getFloat64(FLOCK_START, true), at.getFloat64(FLOCK_LEN, true)] };
}

/** The mounts of one page, which has room for all of a small tree. */
function mountList(t: ScratchThread, n: number): { mounts: string[] } {
  const at = scratchView(t, SCRATCH.IO);
  const mounts: ListedMount[] = [];
  for (let record = MOUNTINFO_FIRST; record < n; ) {
    const lengths = [0, 1, 2, 3].map((k) => at.getUint32(record + MOUNTINFO_LENGTHS + 4 * k, true));
    const [root = 0, point = 0] = lengths;
    const bits = at.getUint32(record + MOUNTINFO_FLAGS, true);
    const flags = Object.fromEntries(MOUNT_FLAGS.map(([name, bit]) => [name, (bits & bit) !== 0]));
    mounts.push({
      ...{ path: text(t, SCRATCH.IO + record + MOUNTINFO_TEXT + root, point), flags },
      group: at.getFloat64(record + MOUNTINFO_SHARED, true),
      master: at.getFloat64(record + MOUNTINFO_MASTER, true),
      unbindable: (bits & MS_UNBINDABLE) !== 0,
    });
    const end = record + MOUNTINFO_TEXT + lengths.reduce((sum, length) => sum + length, 0);
    record = Math.ceil(end / MOUNTINFO_ALIGN) * MOUNTINFO_ALIGN;
  }
  return { mounts: mountLines(mounts) };
}

const pathResult = (t: ScratchThread, r: number): { path: string } => ({ path: text(t, SCRATCH.IO, r) });

/** The result in scratch after a call that did not fail; a call without an entry returns its number. */
const RESULTS: { [K in keyof CallResults]: (t: ScratchThread, r: number) => CallResults[K] } = {
  sysStat: attributes,
  sysFstat: attributes,
  sysReadlink: pathResult,
  sysRealpath: pathResult,
  sysGetcwd: pathResult,
  sysRead: (t, r) => ({ data: t.sink ?? text(t, SCRATCH.IO, r) }),
  sysScandir: listed,
  sysReadFile: (t, r) => ({ data: t.sink || text(t, SCRATCH.IO, r) }),
  sysWriteFile: (_t, r) => r,
  sysGetdents: entries,
  sysGetacl: aclEntries,
  sysGetxattr: (t, r) => ({ data: text(t, SCRATCH.IO, r) }),
  sysListxattr: (t, r) => ({ names: r === 0 ? [] : text(t, SCRATCH.IO, r - 1).split("\0") }),
  sysMounts: mountList,
  getLock: heldLock,
  lockRequest: (_t, r) => (r === 0 ? 0 : { any: true }),
  contextCreate: () => ({ any: true }),
  shrink: () => ({ any: true }),
  arenaCopy: () => ({ any: true }),
};

const hasResult = (call: string): call is keyof CallResults => Object.hasOwn(RESULTS, call);

/** Calls that may do no more than open. */
const WHOLE = new Set(["sysReadFile", "sysWriteFile", "sysScandir"]);

/** The result of a call that has returned `r`: the name of the errno, the result as the model returns it, or LEFT. */
export function finish(t: ScratchThread, { call }: { call: string }, r: number): Result {
  if (r === TIMED_OUT) return LEFT;
  // An open of a FIFO that waits: its result is a number by which it goes on.
  if (r <= OPENING && (call === "sysOpen" || WHOLE.has(call))) return -r;
  if (r <= OPENED && WHOLE.has(call)) return { opened: OPENED - r };
  if (r < WRITE_FAILED && call === "sysWriteFile") return finish(t, { call }, r - WRITE_FAILED);
  // Whether another thread is in a call is a matter of the schedule.
  if (call === "arenaCopy" && r === -ERRNO.EAGAIN) return { any: true };
  if (r < 0) return NAME_OF.get(-r) ?? `errno ${-r}`;
  return hasResult(call) ? RESULTS[call](t, r) : r;
}

/** The call that makes a context. @param contexts numbers of the contexts that there are */
export function beginContext(
  t: ScratchThread,
  { uid, gid, groups = [], umask = 0o022, caps = -1, resolve = 0, from = 0, mounts }: ContextOptions,
  contexts: readonly number[] = [0],
): CoreCall {
  const view = scratchView(t, SCRATCH.IO);
  for (const [n, group] of groups.entries()) view.setUint32(n * 4, group, true);
  const unshare = mounts === "own" ? CLONE_NEWNS : 0;
  return [
    "contextCreate",
    defined(contexts[from], `context ${from}`),
    uid,
    gid,
    umask,
    groups.length,
    caps,
    resolve,
    unshare,
  ];
}
