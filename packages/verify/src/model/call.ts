/** The calls that the model and the core take, as data: their arguments by name, and their results. */

import type { AclEntry } from "./acl.js";
import type { Propagation } from "./linux/propagation.js";
import type { DriverContents } from "./state.js";

export interface At {
  /** A descriptor; the working directory where it is left out. */
  dirfd?: number;
  path: string;
}
export interface Lookup extends At {
  nofollow?: boolean;
  /** The empty path stands for the descriptor. */
  empty?: boolean;
}
export interface Second {
  dirfd2?: number;
  path2: string;
}
export interface Fd {
  fd: number;
}
export interface Time {
  sec: number;
  nsec: number;
}
export interface Times {
  atime: Time;
  mtime: Time;
}
export interface MountFlags {
  readonly?: boolean;
  noexec?: boolean;
  nosymfollow?: boolean;
  noatime?: boolean;
  nodiratime?: boolean;
  strictatime?: boolean;
}

/** Which bytes of a file; `type`: F_RDLCK, F_WRLCK, F_UNLCK. */
interface FileRange {
  type: number;
  start: number;
  len: number;
  whence?: number;
  /** The lock of the open file, not of the context. */
  ofd?: boolean;
}

/** Arguments of each call beside its context. */
export interface CallArguments {
  sysStat: Lookup;
  sysStatx: Lookup;
  sysAccess: Lookup & { mode: number };
  sysReadlink: At;
  sysRealpath: At;
  sysGetcwd: object;
  sysChdir: At;
  sysChroot: At;
  sysUmask: { mask: number };
  /** Closes the context that makes the call. */
  contextDestroy: object;
  /** A context of the superuser's making; it ends with the thread that makes it. */
  contextCreate: { uid: number; gid: number; mounts?: "own" };
  /** Closes another context. */
  contextClose: { other: number };
  /** The next context at this place of the table or behind it. */
  contextList: { from: number };
  /** The descriptors that the thread opens from now on end with it. */
  threadCloses: object;
  /** The thread detaches. */
  threadEnd: object;
  sysMkdir: At & { mode: number };
  /** `dev`: the number of a device; default 0. */
  sysMknod: At & { mode: number; dev?: number };
  sysSymlink: Second & { target: string };
  sysLink: Lookup & Second & { follow?: boolean };
  sysUnlink: At & { removedir?: boolean };
  sysRename: At & Second & { flags?: number };
  /** `any`: by sysOpenAny(). */
  sysOpen: At & { flags: number; mode?: number; any?: boolean };
  /** `resolve`: RESOLVE_*. `tag`, 32 bits: by sysOpenTagged(), with any descriptor. */
  sysOpenat2: At & { flags: number; mode?: number; resolve: number; tag?: number };
  sysClose: Fd;
  sysCloseTagged: { tag: number };
  /** `direct`: the host copies the bytes out of the pages. */
  sysRead: Fd & { offset?: number; n: number; direct?: boolean };
  sysWrite: Fd & { offset?: number; data: string };
  sysReadFile: At;
  sysScandir: At;
  sysWriteFile: At & { append?: boolean; mode?: number; data: string };
  sysLseek: Fd & { offset: number; whence: number };
  sysTruncate: At & { size: number };
  sysFtruncate: Fd & { size: number };
  sysFallocate: Fd & { mode: number; offset: number; len: number };
  /** Offsets: where they are left out, the position. Not more than one part of a write. */
  sysCopyFileRange: Fd & { offset?: number; fd2: number; offset2?: number; len: number };
  /** `from`: the position that the descriptor gets before; where it is left out, its own. */
  sysGetdents: Fd & { from?: number };
  /** `flags`: O_NONBLOCK. */
  sysPipe: { flags: number };
  /** fcntl(2): F_SETPIPE_SZ, with a size below 0 F_GETPIPE_SZ. */
  sysPipeSize: Fd & { size: number };
  /** `fd`: the result of an open of a FIFO that waits. */
  sysFifoWait: Fd;
  sysFifoCancel: Fd;
  sysFsync: Fd;
  /** fcntl(2): F_SETFL, with flags below 0 F_GETFL. */
  sysFileFlags: Fd & { flags: number };
  /** `events`: POLLIN, POLLOUT. */
  sysPoll: Fd & { events: number };
  sysFstat: Fd;
  /** `op`: LOCK_*. */
  sysFlock: Fd & { op: number };
  /** The same, by a thread that does not sleep: it leaves a request that waits, which ends with the thread. */
  lockRequest: Fd & { op: number };
  /** fcntl(2): F_SETLK, with `wait` F_SETLKW; with `ofd` their OFD forms. */
  setLock: Fd & FileRange & { wait?: boolean };
  /** F_GETLK. */
  getLock: Fd & FileRange;
  sysChmod: Lookup & { mode: number };
  sysFchmod: Fd & { mode: number };
  sysChown: Lookup & { uid: number; gid: number };
  sysFchown: Fd & { uid: number; gid: number };
  /** `isDefault`: the default ACL of a directory. */
  sysSetacl: At & { acl: AclEntry[]; isDefault?: boolean };
  sysGetacl: At & { isDefault?: boolean };
  /** `how`: XATTR_CREATE, XATTR_REPLACE. */
  sysSetxattr: Lookup & { name: string; value: string; how?: number };
  sysGetxattr: Lookup & { name: string };
  sysListxattr: Lookup;
  sysRemovexattr: Lookup & { name: string };
  sysUtimens: Lookup & Times;
  sysFutimens: Fd & Times;
  /** `recursive`: a bind mount with copies of the mounts below its source, or a change of propagation of the mounts below the target too. */
  sysMount: {
    path: string;
    path2: string;
    move?: boolean;
    bind?: boolean;
    recursive?: boolean;
    propagation?: Propagation;
  } & MountFlags;
  /** `type` 0: in memory; else the number of a driver, which shows `contents` (of the model alone). */
  /** Limits of one in memory: `size` in bytes, `inodes`. */
  sysMountNew: { path: string; type?: number; contents?: DriverContents; size?: number; inodes?: number } & MountFlags;
  /** Changes its limits, and the flags that are given; `bind`: of the mount alone. */
  sysRemount: { path: string; size?: number; inodes?: number; bind?: boolean } & MountFlags;
  /** Moves the generation number of the driver's file system that is mounted there. */
  sysInvalidate: { path: string };
  /** `path`: the new root, `path2`: where the old one goes. */
  sysPivotRoot: { path: string; path2: string };
  /** The mounts that the context can reach. */
  sysMounts: object;
  sysUmount: { path: string; flags?: number };
  shrink: { count?: number };
  /** A copy of the arena for a snapshot. */
  arenaCopy: object;
}

/** Attributes as stat() shows them; times in milliseconds, as the clock of the model. */
export interface Attributes {
  ino: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  size: number;
  atime: number;
  mtime: number;
  ctime: number;
  rdev: number;
}
export interface DirectoryEntry {
  name: string;
  type: number;
  ino: number;
}

/** The result of a call for a whole file that has done no more than open it. */
export interface Opened {
  opened: number;
}

/** The entries of a listing in one call: names with their types, sorted. */
export interface Listed {
  listed: string[];
}

/** Results of the calls that return more than a number. */
export interface CallResults {
  sysStat: Attributes;
  sysFstat: Attributes;
  sysReadlink: { path: string };
  sysRealpath: { path: string };
  sysGetcwd: { path: string };
  sysRead: { data: string };
  sysReadFile: { data: string } | Opened;
  sysScandir: Listed | Opened;
  sysWriteFile: number | Opened;
  sysGetdents: { entries: DirectoryEntry[] };
  sysGetacl: { acl: AclEntry[] };
  sysGetxattr: { data: string };
  sysListxattr: { names: string[] };
  /** Type, first byte and length of the lock that is in the way; F_UNLCK alone: there is none. */
  getLock: { lock: number[] };
  /** A request that waits has a number. */
  lockRequest: number | { any: true };
  /** A context has another number in the core. */
  contextCreate: { any: true };
  /** Of each mount where it is, its flags, and how it shares what is mounted in it; sorted. */
  sysMounts: { mounts: string[] };
  /** The number of dentries that a shrink frees is not specified. */
  shrink: { any: true };
  /** Its length, or an error while another thread is in a call. */
  arenaCopy: { any: true };
}

export type CallName = keyof CallArguments;
/** The result of a call that does not fail. */
export type ResultOf<K extends CallName> = K extends keyof CallResults ? CallResults[K] : number;
/** A result of any call: an error is its name. */
export type Result = number | string | CallResults[keyof CallResults];

/** One call in a context; context 0 where it is left out. */
export type CallOf<K extends CallName> = { call: K; ctx?: number } & CallArguments[K];
export type Call = { [K in CallName]: CallOf<K> }[CallName];

/** In a program: the result of its n-th call, which is a descriptor. */
export interface ResultReference {
  of: number;
}
type OrReference<T> = { [A in keyof T]: number extends T[A] ? T[A] | ResultReference : T[A] };
/** A call of a program: a number may be the result of an earlier call. */
export type ProgramCall = { [K in CallName]: { call: K; ctx?: number } & OrReference<CallArguments[K]> }[CallName];

/** The result of a call that its thread has left after waiting for too long: it has not happened. */
export const LEFT = "ERR_THREADFS_TIMEOUT";

export const isError = (result: unknown): result is string => typeof result === "string";
