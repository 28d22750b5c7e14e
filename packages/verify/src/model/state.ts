/**
 * The state of the sequential model: file systems, inodes, dentries (a name in a directory), mounts, contexts, open files; `locks`
 * with their owners, and `held`, the mounts that an operation under way references.
 *
 * All tables are Maps of frozen records, which are replaced and never edited: a copy of the state is a copy of the Maps.
 */
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../../threadfs/dist/abi/abi.js";
import { DIRENT_SIZE, PAGE } from "../../../threadfs/dist/generated/core-layout.js";
import type { AclEntry } from "./acl.js";
import type { MountFlags } from "./call.js";
import type { FileLocks } from "./locks/locks.js";
import type { Pipe } from "./pipes/pipes.js";

export const ALL_CAPS = -1;
export const FIRST_FD = 3;

/** A place in the tree: a dentry as seen in a mount. */
export interface Path {
  mnt: number;
  d: number;
}
export interface Inode {
  /** Its file system. */
  fs: number;
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  size: number;
  atime: number;
  mtime: number;
  ctime: number;
  data: string;
  /** The body of a link. */
  body?: string;
  /** The number of a device. */
  rdev?: number;
  acl?: AclEntry[] | undefined;
  /** The default ACL of a directory. */
  defaultAcl?: AclEntry[] | undefined;
  /** Extended attributes by name. */
  xattrs?: Record<string, string>;
  /** A directory that was removed. */
  dead?: boolean;
  /** A file that has been made without a name, and may get one. */
  linkable?: boolean;
  /** The pages that count for it, where they may not be those of its contents: some are holes, reserved for a write, or not given back yet. */
  stored?: readonly number[];
}
export interface Dentry {
  parent: number;
  name: string;
  ino: number;
  hashed: boolean;
  isRoot: boolean;
  /** Entries of a directory, by name. */
  kids: Record<string, number>;
  /** Its place in the order of its directory. */
  cookie: number;
  /** The last cookie that it gave to an entry. */
  next: number;
}
export interface Filesystem {
  root: number;
  readonly: boolean;
  /** The limits of one in memory; 0: none. */
  limits?: { pages: number; space: number };
  /** 0: in memory. */
  driver: number;
  /**
   * The entries of a driver's directories, by the directory's inode, where a directory may have several names or lose one behind the
   * tree's back. A dentry then is only what the tree has in its cache: a directory has one, under the name that was looked up last.
   */
  names?: Record<number, Record<string, number>>;
  /** What the entries of its root become when a file of this name is made in it; or, `told`, at the first sysInvalidate() after that. */
  remade?: Remade;
  /** The file has been made, and sysInvalidate() not called yet. */
  changed?: boolean;
}
interface Remade {
  by: string;
  entries: Record<string, number>;
  told?: boolean;
}
/** The nodes of a driver by their numbers; 1 is the root. `body`: the text of a link. */
export type DriverNodes = Record<number, { mode: number; kids?: Record<string, number>; body?: string }>;
/** What the driver of a scenario shows. */
export interface DriverContents {
  nodes: DriverNodes;
  /** Directories have several names, or lose them. */
  byNumber?: boolean;
  /** Entries that the root gets when a file of that name is made in it. `told`: its names are good until sysInvalidate() is called. */
  remade?: Remade;
}
export interface Mount {
  fs: number;
  root: number;
  flags: MountFlags;
  /** An umount has found it unused, and nothing has used it since. */
  expire?: boolean;
  /** Its peer group, the group that it receives from (linux/propagation.ts). */
  group?: number | undefined;
  master?: number | undefined;
  unbindable?: boolean | undefined;
  /** It is the uppermost mount of a namespace that is not the tree's. */
  isNamespace?: boolean;
  /** The mount and the dentry that it stands on; 0: none. */
  parent: number;
  point: number;
}
export interface Context {
  uid: number;
  gid: number;
  groups: number[];
  umask: number;
  caps: number;
  root: Path;
  cwd: Path;
  /** RESOLVE_* of all its walks, for its root. */
  resolve?: number;
  /** Descriptor -> number of an open file. */
  fds: Record<number, number>;
  /** The uppermost mount of its namespace, where that is not the tree's. */
  ns?: number | undefined;
  /** The operation of the thread with which it ends. */
  maker?: number;
  /** It takes no calls any more; those that had begun may go on as its own. */
  closed?: boolean;
}
export interface OpenFile extends Path {
  flags: number;
  pos: number;
  /** Entries with larger cookies are not shown by the present reading of a directory. */
  limit: number;
  closed?: boolean;
  /** Its open of a FIFO waits: the operation that makes it, and the openings of the other end that it has seen. */
  opening?: { by: number; seen: number };
  /** The operation of the thread with which its descriptor ends. */
  owner?: number;
  tag?: number;
}

export interface State {
  /** The clock. */
  now: number;
  /** The last number given to a record. */
  last: number;
  rootMount: number;
  filesystems: Map<number, Filesystem>;
  inodes: Map<number, Inode>;
  dentries: Map<number, Dentry>;
  mounts: Map<number, Mount>;
  contexts: Map<number, Context>;
  files: Map<number, OpenFile>;
  /** Lock -> the operation that holds it. */
  locks: Map<string, number>;
  /** "operation slot" -> the mount that the operation references. */
  held: Map<string, number>;
  /** Inode -> the advisory locks on it. */
  fileLocks: Map<number, FileLocks>;
  /** Inode -> the pipe of a FIFO that is open. */
  pipes: Map<number, Pipe>;
  /** Operation -> the owner of a lock that it asks for ("": of none that a circle is made of), and the one that it waits for. */
  waiting: Map<string, { owner: string; blocker: string }>;
  /** What references an open file, besides descriptors -> the file. */
  pins: Map<string, number>;
  /** Contexts that a call may close: only for those it is asked at each step whether they are closed. */
  closable: readonly number[];
  /** Operations of threads with which the descriptors end that they open. */
  owners: readonly number[];
}

export const typeOf = (inode: Inode): number => inode.mode & S_IFMT;
export const isDir = (inode: Inode): boolean => typeOf(inode) === S_IFDIR;
export const isLink = (inode: Inode): boolean => typeOf(inode) === S_IFLNK;

/** Tables of records by number. */
export const RECORD_TABLES = [
  "filesystems",
  "inodes",
  "dentries",
  "mounts",
  "contexts",
  "files",
  "fileLocks",
  "pipes",
] as const;
const TABLES = [...RECORD_TABLES, "locks", "held", "waiting", "pins"] as const;

/** The owners of advisory locks: an open file, a context. */
export const ofFile = (file: number): string => `file ${file}`;
export const ofContext = (ctx: number): string => `context ${ctx}`;

/** The record of this number, which exists. */
export function get<T>(table: Map<number, T>, id: number): T {
  const record = table.get(id);
  if (record === undefined) throw new Error(`The model has no record ${id}`);
  return record;
}

/** A fresh tree: an empty in-memory file system at "/", and context 0 of the superuser. */
export function newState({ now = 0 } = {}): State {
  const s: State = {
    now,
    last: 0,
    rootMount: 0,
    filesystems: new Map(),
    inodes: new Map(),
    dentries: new Map(),
    mounts: new Map(),
    contexts: new Map(),
    files: new Map(),
    locks: new Map(),
    held: new Map(),
    fileLocks: new Map(),
    pipes: new Map(),
    waiting: new Map(),
    pins: new Map(),
    closable: [],
    owners: [],
  };
  const fs = newFilesystem(s, { mode: 0o755 });
  const root = get(s.filesystems, fs).root;
  const mnt = newMount(s, fs, root, {});
  s.contexts.set(0, {
    uid: 0,
    gid: 0,
    groups: [],
    umask: 0o022,
    caps: ALL_CAPS,
    root: { mnt, d: root },
    cwd: { mnt, d: root },
    fds: {},
  });
  s.rootMount = mnt;
  return s;
}

export function cloneState(s: State): State {
  return {
    ...s,
    filesystems: new Map(s.filesystems),
    inodes: new Map(s.inodes),
    dentries: new Map(s.dentries),
    mounts: new Map(s.mounts),
    contexts: new Map(s.contexts),
    files: new Map(s.files),
    locks: new Map(s.locks),
    held: new Map(s.held),
    fileLocks: new Map(s.fileLocks),
    pipes: new Map(s.pipes),
    waiting: new Map(s.waiting),
    pins: new Map(s.pins),
  };
}

/** Numbers for the texts of records, so that the key of a state is short; a record's number is kept with it. */
const numberOf = new Map<string, number>();
const recordNumbers = new WeakMap<object, number>();

function recordNumber(record: number | object | undefined): number {
  if (typeof record !== "object") return record ?? 0;
  let n = recordNumbers.get(record);
  if (n === undefined) {
    const text = JSON.stringify(record);
    n = numberOf.get(text) ?? numberOf.size;
    numberOf.set(text, n);
    recordNumbers.set(record, n);
  }
  return n;
}

/** Equal keys: equal states, as they are reached from one first state. */
export function stateKey(s: State): string {
  let key = `${s.last}`;
  for (const name of TABLES) {
    const table: Map<number | string, number | object> = s[name];
    key += "|";
    for (const id of [...table.keys()].sort()) key += `${id}:${recordNumber(table.get(id))} `;
  }
  return key;
}

/** Replaces fields of one record. */
export function patch<T extends object>(table: Map<number, T>, id: number, fields: Partial<T>): void {
  table.set(id, { ...get(table, id), ...fields });
}

export const newId = (s: State): number => ++s.last;

export function newInode(
  s: State,
  fs: number,
  mode: number,
  uid: number,
  gid: number,
  more: Partial<Inode> = {},
): number {
  const id = newId(s);
  const { now } = s;
  // "." and ".." count as entries of a directory in memory.
  const size = (mode & S_IFMT) === S_IFDIR && get(s.filesystems, fs).driver === 0 ? 2 * DIRENT_SIZE : 0;
  s.inodes.set(id, { fs, mode, uid, gid, nlink: 1, size, data: "", atime: now, mtime: now, ctime: now, ...more });
  return id;
}

/** A file system with its root, which has this mode. */
export function newFilesystem(
  s: State,
  { mode, readonly = false, driver = 0, limits }: { mode: number } & Partial<Filesystem>,
): number {
  const fs = newId(s);
  s.filesystems.set(fs, { root: 0, readonly, driver, ...(limits && { limits }) });
  const ino = newInode(s, fs, S_IFDIR | mode, 0, 0, { nlink: 2 });
  const root = newId(s);
  s.dentries.set(root, { parent: root, name: "", ino, hashed: true, isRoot: true, kids: {}, cookie: 0, next: 0 });
  patch(s.filesystems, fs, { root });
  return fs;
}

export function newMount(s: State, fs: number, root: number, flags: MountFlags): number {
  const id = newId(s);
  s.mounts.set(id, { fs, root, flags, parent: 0, point: 0 });
  return id;
}

/** Gives back the pages behind the end: of one file, or of all that no operation has locked. */
export function dropReserved(s: State, only?: number): 0 {
  for (const [ino, i] of s.inodes) {
    if (i.stored === undefined || (only === undefined ? s.locks.has(`inode ${ino}`) : ino !== only)) continue;
    const stored = i.stored.filter((page) => page * PAGE < i.size);
    if (stored.length < i.stored.length) s.inodes.set(ino, { ...i, stored });
  }
  return 0;
}

/** The inode of an open file. */
export const inoOf = (s: State, file: number): number => get(s.dentries, get(s.files, file).d).ino;
export const inodeOf = (s: State, d: number): Inode => get(s.inodes, get(s.dentries, d).ino);

/** The dentry of a name in a directory, undefined: there is none. */
export function child(s: State, d: number, name: string): number | undefined {
  const { kids } = get(s.dentries, d);
  return Object.hasOwn(kids, name) ? kids[name] : undefined;
}

/** Puts a dentry (new: `d` undefined) for an inode into a directory; it comes last. */
export function addName(s: State, parent: number, name: string, ino: number, d = newId(s)): number {
  const dir = get(s.dentries, parent);
  const cookie = dir.next + 1;
  patch(s.dentries, parent, { kids: { ...dir.kids, [name]: d }, next: cookie });
  const before = s.dentries.get(d) ?? { isRoot: false, kids: {}, next: 0 };
  s.dentries.set(d, { ...before, parent, name, ino, hashed: true, cookie });
  return d;
}

/** Removes a name. The dentry stays for the operations that have reached it, and still knows its parent. */
export function dropName(s: State, d: number): void {
  const { parent, name } = get(s.dentries, d);
  const { [name]: _gone, ...kids } = get(s.dentries, parent).kids;
  patch(s.dentries, parent, { kids });
  patch(s.dentries, d, { hashed: false });
}

/** Whether dentry `d` is `above` or lies below it. */
export function isBelow(s: State, d: number, above: number): boolean {
  for (let at = d; ; at = get(s.dentries, at).parent) {
    if (at === above) return true;
    if (get(s.dentries, at).parent === at) return false;
  }
}

/** What a driver shows under a name in a directory; undefined: nothing, or its dentries say it all. */
export function shown(s: State, d: number, name: string): number | undefined {
  const { fs } = inodeOf(s, d);
  const entries = get(s.filesystems, fs).names?.[get(s.dentries, d).ino];
  return entries !== undefined && Object.hasOwn(entries, name) ? entries[name] : undefined;
}

/** Whether a name exists in a directory. */
export const hasName = (s: State, d: number, name: string): boolean =>
  child(s, d, name) !== undefined || shown(s, d, name) !== undefined;

/** Whether a directory above a dentry has lost its name. */
export function isBelowRemoved(s: State, d: number): boolean {
  for (let at = get(s.dentries, d).parent; get(s.dentries, at).parent !== at; at = get(s.dentries, at).parent) {
    if (!get(s.dentries, at).hashed) return true;
  }
  return false;
}

/** The mount on a dentry as seen in one mount; undefined: there is none. */
export function mountedOn(s: State, mnt: number, d: number): number | undefined {
  for (const [id, m] of s.mounts) if (m.parent === mnt && m.point === d) return id;
  return undefined;
}

/** Whether anything is mounted on the dentry anywhere. */
export function isMountpoint(s: State, d: number): boolean {
  for (const m of s.mounts.values()) if (m.parent !== 0 && m.point === d) return true;
  return false;
}
