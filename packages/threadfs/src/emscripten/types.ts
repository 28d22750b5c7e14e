/**
 * What a file system type and an instance of Emscripten's `FS` call of each other
 * (https://emscripten.org/docs/api_reference/Filesystem-API.html, and the types that builds have: MEMFS, NODEFS, WORKERFS).
 */

/** A file, directory or link, as a walk of the program has found it. */
export interface FsNode {
  parent: FsNode;
  mount: FsMount;
  mounted?: FsMount | null;
  id: number;
  name: string;
  mode: number;
  node_ops: object;
  stream_ops: object;
  /** Its path in the tree. */
  treePath: string;
  /** The open file that was opened with this node. */
  treeFile?: OpenFile | undefined;
}

/** An open file of the tree. All descriptors of the program that are duplicates of one another have the same one. */
export interface OpenFile {
  /** Of the tree; -1: it is closed. */
  fd: number;
  /** Whether the tree puts each write at the end. */
  appends: boolean;
  /** Whether it has no positions. */
  readonly isPipe: boolean;
}

/** An open file of the program. */
export interface FsStream {
  node: FsNode;
  flags: number;
  position: number;
  seekable: boolean;
  treeFile?: OpenFile | undefined;
}

export interface FsMount {
  opts: unknown;
  mountpoint: string;
  /** Mounts on directories of this one. Builds that the Closure compiler has been through have it under another name. */
  mounts?: FsMount[];
  root?: FsNode;
}

export type NodeConstructor = new (parent: FsNode | null, name: string, mode: number, rdev: number) => FsNode;
export type ErrorConstructor = new (errno: number) => Error;

/** The members of `FS` that are used here. */
export interface RawFs {
  readonly root: FsNode | null;
  readonly streams: readonly (FsStream | null | undefined)[];
  readonly ErrnoError?: ErrorConstructor;
  readonly FSNode?: NodeConstructor;
  open(path: unknown, flags: unknown, ...rest: unknown[]): FsStream;
  close(stream: FsStream): void;
  write(stream: FsStream, from: Uint8Array, offset: number, length: number, position: number): number;
  mmap(stream: FsStream, ...rest: number[]): Mapping;
  unlink(path: string): void;
  rename(from: string, to: string): void;
  unmount?(place: string): void;
  stat(path: string, ...rest: unknown[]): unknown;
  lstat(path: string): unknown;
  lookupPath?(path: string, options?: object): { node: FsNode };
  cwd?(): string;
  hashRemoveNode?(node: FsNode): void;
}

/** Where an allocation of the program's memory is. */
export interface Mapping {
  ptr: number;
  allocated: boolean;
}

/** What the program is told of a file. */
export interface FsAttributes {
  dev: number;
  ino: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  atime: Date;
  mtime: Date;
  ctime: Date;
  blksize: number;
  blocks: number;
}

/** What the program sets. Times are milliseconds; null: stays as it is. */
export interface FsChanges {
  mode?: number;
  size?: number;
  atime?: number | null;
  mtime?: number | null;
  /** Both times: of builds that have no `atime`. */
  timestamp?: number;
  dontFollow?: boolean;
}

/** A type for `FS.mount()`. */
export interface FileSystemType {
  /** Called by `FS.mount()`. */
  // Each version of Emscripten's types has other ones for these two.
  mount(mount: never): never;
  /** Called by `FS.syncfs()`: there is nothing to write back. */
  syncfs(mount: unknown, populate: unknown, done: (error?: null) => unknown): void;
}
