/** The types of the calls with callbacks and promises, as types.ts has those of the synchronous calls. */

import type { Url } from "../../bridge/wasm.js";
import type { constants } from "../constants.js";
import type { NodeFs, StreamExports } from "../streams/types.js";
import type {
  AsyncDisposableBySymbol,
  BigIntStats,
  Bigint,
  BufferOption,
  Bytes,
  CopyOptions,
  Dir,
  Dirent,
  DirOptions,
  Encoding,
  EncodingOption,
  Flag,
  GlobAny,
  GlobNames,
  GlobTyped,
  MakeDirectoryOptions,
  Mode,
  NotTyped,
  PathLike,
  ReadOptions,
  RemoveOptions,
  StatFs,
  Stats,
  TimeLike,
  Typed,
  WithEncoding,
  WriteFileOptions,
  WriteOptions,
} from "../types.js";
import type { WatchPromises } from "../watch/types.js";
import type { Promisified } from "./promisified.js";

/** The error of a call, as Node's ErrnoException. */
export interface CallError extends Error {
  errno?: number | undefined;
  code?: string | undefined;
  path?: string | undefined;
  syscall?: string | undefined;
}

/** What an AbortSignal has that the calls look at. */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer S } }
  ? S
  : { readonly aborted: boolean };
interface Abortable {
  signal?: Signal | undefined;
}
type Done = (error: CallError | null) => void;
type Then<T> = (error: CallError | null, value: T) => void;
type Created = (error: CallError | null, first?: string) => void;
/** After a read or a write: how many bytes, and the caller's data. */
type Transferred<D> = (error: CallError | null, bytes: number, data: D) => void;
type SymlinkType = "dir" | "file" | "junction" | null | undefined;
export type ReadFileBytes = ({ encoding?: null | undefined } & Flag & Abortable) | null | undefined;
export type ReadFileText = ({ encoding: Encoding } & Flag & Abortable) | Encoding;
export type ReadFileAny = (WithEncoding & Flag & Abortable) | Encoding | null | undefined;
type WriteOf<O> = O & Abortable;
export type Writing = WriteOf<Exclude<WriteFileOptions, Encoding | null>> | Encoding | null;
export type StatOptions = Bigint & Abortable;
interface MayMiss extends StatOptions {
  throwIfNoEntry?: boolean | undefined;
}
type Removal = RemoveOptions & { force?: boolean | undefined };
type AsyncCopyOptions = Omit<CopyOptions, "filter"> & {
  filter?: ((source: string, destination: string) => boolean | Promise<boolean>) | undefined;
};

interface StatWithCallback {
  (path: PathLike, callback: Then<Stats>): void;
  (path: PathLike, options: (StatOptions & { bigint?: false | undefined }) | undefined, callback: Then<Stats>): void;
  (path: PathLike, options: StatOptions & { bigint: true }, callback: Then<BigIntStats>): void;
  (path: PathLike, options: StatOptions | undefined, callback: Then<Stats | BigIntStats>): void;
}
interface NameWithCallback {
  (path: PathLike, options: EncodingOption, callback: Then<string>): void;
  (path: PathLike, options: BufferOption, callback: Then<Bytes>): void;
  (path: PathLike, options: EncodingOption | BufferOption, callback: Then<string | Bytes>): void;
  (path: PathLike, callback: Then<string>): void;
}

/**
 * The calls of `node:fs` with a callback. They call it in a later turn of the event loop. What `util.promisify()` makes of each is the
 * type of its `__promisify__`, where promisify's own types look for it; there is no such property.
 */
export type FsCallbacks = {
  readonly [K in keyof Calls]: Calls[K] & { readonly __promisify__: Promisified[K] };
};

interface Calls {
  access(path: PathLike, mode: number | undefined, callback: Done): void;
  access(path: PathLike, callback: Done): void;
  appendFile(path: PathLike | number, data: string | Uint8Array, options: Writing | undefined, callback: Done): void;
  appendFile(path: PathLike | number, data: string | Uint8Array, callback: Done): void;
  chmod(path: PathLike, mode: Mode, callback: Done): void;
  chown(path: PathLike, uid: number, gid: number, callback: Done): void;
  close(fd: number, callback?: Done): void;
  copyFile(src: PathLike, dest: PathLike, callback: Done): void;
  copyFile(src: PathLike, dest: PathLike, mode: number, callback: Done): void;
  cp(source: string | Url, destination: string | Url, callback: Done): void;
  cp(source: string | Url, destination: string | Url, options: AsyncCopyOptions, callback: Done): void;
  exists(path: PathLike, callback: (exists: boolean) => void): void;
  fchmod(fd: number, mode: Mode, callback: Done): void;
  fchown(fd: number, uid: number, gid: number, callback: Done): void;
  fdatasync(fd: number, callback: Done): void;
  fstat(fd: number, callback: Then<Stats>): void;
  fstat(fd: number, options: (StatOptions & { bigint?: false | undefined }) | undefined, callback: Then<Stats>): void;
  fstat(fd: number, options: StatOptions & { bigint: true }, callback: Then<BigIntStats>): void;
  fstat(fd: number, options: StatOptions | undefined, callback: Then<Stats | BigIntStats>): void;
  fsync(fd: number, callback: Done): void;
  ftruncate(fd: number, length: number | undefined, callback: Done): void;
  ftruncate(fd: number, callback: Done): void;
  futimes(fd: number, atime: TimeLike, mtime: TimeLike, callback: Done): void;
  glob(pattern: string | readonly string[], callback: Then<string[]>): void;
  glob(pattern: string | readonly string[], options: GlobTyped, callback: Then<Dirent[]>): void;
  glob(pattern: string | readonly string[], options: GlobNames, callback: Then<string[]>): void;
  glob(pattern: string | readonly string[], options: GlobAny, callback: Then<string[] | Dirent[]>): void;
  lchown(path: PathLike, uid: number, gid: number, callback: Done): void;
  link(existingPath: PathLike, newPath: PathLike, callback: Done): void;
  readonly lstat: StatWithCallback;
  lutimes(path: PathLike, atime: TimeLike, mtime: TimeLike, callback: Done): void;
  mkdir(path: PathLike, options: MakeDirectoryOptions & { recursive: true }, callback: Created): void;
  mkdir(
    path: PathLike,
    options: Mode | (MakeDirectoryOptions & { recursive?: false | undefined }) | null | undefined,
    callback: Done,
  ): void;
  mkdir(path: PathLike, options: Mode | MakeDirectoryOptions | null | undefined, callback: Created): void;
  mkdir(path: PathLike, callback: Done): void;
  mkdtemp(prefix: string, options: EncodingOption, callback: Then<string>): void;
  mkdtemp(prefix: string, options: BufferOption, callback: Then<Bytes>): void;
  mkdtemp(prefix: string, options: EncodingOption | BufferOption, callback: Then<string | Bytes>): void;
  mkdtemp(prefix: string, callback: Then<string>): void;
  open(path: PathLike, flags: number | string | undefined, mode: Mode | null | undefined, callback: Then<number>): void;
  open(path: PathLike, flags: number | string | undefined, callback: Then<number>): void;
  open(path: PathLike, callback: Then<number>): void;
  opendir(path: PathLike, callback: Then<Dir>): void;
  opendir(path: PathLike, options: DirOptions, callback: Then<Dir>): void;
  read<V extends ArrayBufferView>(
    fd: number,
    buffer: V,
    offset: number,
    length: number,
    position: number | bigint | null,
    callback: Transferred<V>,
  ): void;
  read<V extends ArrayBufferView>(fd: number, options: ReadOptions & { buffer?: V }, callback: Transferred<V>): void;
  read<V extends ArrayBufferView>(fd: number, buffer: V, options: ReadOptions, callback: Transferred<V>): void;
  read<V extends ArrayBufferView>(fd: number, buffer: V, callback: Transferred<V>): void;
  read(fd: number, callback: Transferred<Bytes>): void;
  readdir(
    path: PathLike,
    options: (WithEncoding & NotTyped) | Encoding | null | undefined,
    callback: Then<string[]>,
  ): void;
  readdir(path: PathLike, options: ({ encoding: "buffer" } & NotTyped) | "buffer", callback: Then<Bytes[]>): void;
  readdir(
    path: PathLike,
    options: (WithEncoding & NotTyped) | Encoding | null | undefined,
    callback: Then<string[] | Bytes[]>,
  ): void;
  readdir(path: PathLike, callback: Then<string[]>): void;
  readdir(path: PathLike, options: WithEncoding & Typed, callback: Then<Dirent[]>): void;
  readdir(path: PathLike, options: { encoding: "buffer" } & Typed, callback: Then<Dirent<Bytes>[]>): void;
  readFile(path: PathLike | number, options: ReadFileBytes, callback: Then<Bytes>): void;
  readFile(path: PathLike | number, options: ReadFileText, callback: Then<string>): void;
  readFile(path: PathLike | number, options: ReadFileAny, callback: Then<string | Bytes>): void;
  readFile(path: PathLike | number, callback: Then<Bytes>): void;
  readonly readlink: NameWithCallback;
  readv<V extends readonly ArrayBufferView[]>(fd: number, buffers: V, callback: Transferred<V>): void;
  readv<V extends readonly ArrayBufferView[]>(
    fd: number,
    buffers: V,
    position: number | null,
    callback: Transferred<V>,
  ): void;
  readonly realpath: NameWithCallback & {
    readonly native: NameWithCallback & { readonly __promisify__: Promisified["realpath"] };
  };
  rename(oldPath: PathLike, newPath: PathLike, callback: Done): void;
  rm(path: PathLike, callback: Done): void;
  rm(path: PathLike, options: Removal, callback: Done): void;
  rmdir(path: PathLike, callback: Done): void;
  rmdir(path: PathLike, options: RemoveOptions, callback: Done): void;
  readonly stat: StatWithCallback;
  statfs(path: PathLike, callback: Then<StatFs<number>>): void;
  statfs(
    path: PathLike,
    options: (Bigint & { bigint?: false | undefined }) | undefined,
    callback: Then<StatFs<number>>,
  ): void;
  statfs(path: PathLike, options: Bigint & { bigint: true }, callback: Then<StatFs<bigint>>): void;
  statfs(path: PathLike, options: Bigint | undefined, callback: Then<StatFs<number> | StatFs<bigint>>): void;
  symlink(target: PathLike, path: PathLike, type: SymlinkType, callback: Done): void;
  symlink(target: PathLike, path: PathLike, callback: Done): void;
  truncate(path: PathLike, length: number | undefined, callback: Done): void;
  truncate(path: PathLike, callback: Done): void;
  unlink(path: PathLike, callback: Done): void;
  utimes(path: PathLike, atime: TimeLike, mtime: TimeLike, callback: Done): void;
  write<V extends ArrayBufferView>(
    fd: number,
    buffer: V,
    offset: number | null | undefined,
    length: number | null | undefined,
    position: number | null | undefined,
    callback: Transferred<V>,
  ): void;
  write<V extends ArrayBufferView>(
    fd: number,
    buffer: V,
    offset: number | null | undefined,
    length: number | null | undefined,
    callback: Transferred<V>,
  ): void;
  write<V extends ArrayBufferView>(
    fd: number,
    buffer: V,
    offset: number | null | undefined,
    callback: Transferred<V>,
  ): void;
  write<V extends ArrayBufferView>(fd: number, buffer: V, callback: Transferred<V>): void;
  write<V extends ArrayBufferView>(fd: number, buffer: V, options: WriteOptions, callback: Transferred<V>): void;
  write(
    fd: number,
    text: string,
    position: number | null | undefined,
    encoding: Encoding | null | undefined,
    callback: Transferred<string>,
  ): void;
  write(fd: number, text: string, position: number | null | undefined, callback: Transferred<string>): void;
  write(fd: number, text: string, callback: Transferred<string>): void;
  writeFile(
    file: PathLike | number,
    data: string | ArrayBufferView,
    options: Writing | undefined,
    callback: Done,
  ): void;
  writeFile(file: PathLike | number, data: string | ArrayBufferView, callback: Done): void;
  writev<V extends readonly ArrayBufferView[]>(fd: number, buffers: V, callback: Transferred<V>): void;
  writev<V extends readonly ArrayBufferView[]>(
    fd: number,
    buffers: V,
    position: number | null,
    callback: Transferred<V>,
  ): void;
}

/** What `writeFile` and `appendFile` write. */
type Data = string | ArrayBufferView | Iterable<string | ArrayBufferView> | AsyncIterable<string | ArrayBufferView>;

export interface ReadResult<V> {
  bytesRead: number;
  buffer: V;
}
export interface WriteResult<V> {
  bytesWritten: number;
  buffer: V;
}

/** An open file (https://nodejs.org/api/fs.html#class-filehandle). */
export type FileHandle = HandleMethods & HostMethods & AsyncDisposableBySymbol;

/** What lines are read by in a program without @types/node: an interface of `node:readline`. */
interface Lines {
  on(event: "line", listener: (line: string) => void): this;
  on(event: "close", listener: () => void): this;
  close(): void;
  [Symbol.asyncIterator](): AsyncIterableIterator<string>;
}
/** What the emitters of Node have beyond those of other hosts. */
interface NodeEmitter {
  prependListener(event: string | symbol, listener: Listener): this;
  prependOnceListener(event: string | symbol, listener: Listener): this;
  eventNames(): (string | symbol)[];
  listeners(event: string | symbol): Listener[];
  rawListeners(event: string | symbol): Listener[];
  getMaxListeners(): number;
  setMaxListeners(count: number): this;
}
type HostMethods = [NodeFs] extends [never]
  ? { readLines(options?: HandleStreamOptions<"createReadStream">): Lines }
  : NodeFs extends { promises: { open(...args: never[]): Promise<infer H> } }
    ? NodeEmitter & Pick<H, "readLines" & keyof H>
    : NodeEmitter;
type Listener = (...args: never[]) => void;
type HandleStreamOptions<Name extends "createReadStream" | "createWriteStream"> = Exclude<
  Parameters<StreamExports[Name]>[1],
  string | null
>;
type WebStream = typeof globalThis extends { ReadableStream: { prototype: infer S } } ? S : object;
interface HandleMethods {
  /** The descriptor, which every thread of the context may use; -1 when the handle is closed. */
  readonly fd: number;
  on(event: "close", listener: () => void): this;
  on(event: string | symbol, listener: Listener): this;
  once(event: "close", listener: () => void): this;
  once(event: string | symbol, listener: Listener): this;
  off(event: "close", listener: () => void): this;
  off(event: string | symbol, listener: Listener): this;
  addListener(event: string | symbol, listener: Listener): this;
  removeListener(event: string | symbol, listener: Listener): this;
  removeAllListeners(event?: string | symbol): this;
  listenerCount(event: string | symbol): number;
  emit(event: string | symbol, ...args: unknown[]): boolean;
  /** -1: there is nothing that async_hooks could follow. */
  getAsyncId(): number;
  appendFile(data: Data, options?: Writing): Promise<void>;
  createReadStream(options?: HandleStreamOptions<"createReadStream">): ReturnType<StreamExports["createReadStream"]>;
  createWriteStream(options?: HandleStreamOptions<"createWriteStream">): ReturnType<StreamExports["createWriteStream"]>;
  chmod(mode: Mode): Promise<void>;
  chown(uid: number, gid: number): Promise<void>;
  close(): Promise<void>;
  datasync(): Promise<void>;
  read<V extends ArrayBufferView>(
    buffer: V,
    offset?: number | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<ReadResult<V>>;
  read<V extends ArrayBufferView>(buffer: V, options?: ReadOptions): Promise<ReadResult<V>>;
  read<V extends ArrayBufferView = Bytes>(options?: ReadOptions & { buffer?: V }): Promise<ReadResult<V>>;
  readFile(options?: ReadFileBytes): Promise<Bytes>;
  readFile(options: ReadFileText): Promise<string>;
  readFile(options?: ReadFileAny): Promise<string | Bytes>;
  /** A web stream of the file's bytes: a ReadableStream where the program's library has the type. */
  readableWebStream(options?: { autoClose?: boolean | undefined }): WebStream;
  readv<V extends readonly ArrayBufferView[]>(
    buffers: V,
    position?: number,
  ): Promise<{ bytesRead: number; buffers: V }>;
  stat(options?: StatOptions & { bigint?: false | undefined }): Promise<Stats>;
  stat(options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  stat(options?: StatOptions): Promise<Stats | BigIntStats>;
  sync(): Promise<void>;
  truncate(length?: number): Promise<void>;
  utimes(atime: TimeLike, mtime: TimeLike): Promise<void>;
  write<V extends ArrayBufferView>(
    buffer: V,
    offset?: number | null,
    length?: number | null,
    position?: number | null,
  ): Promise<WriteResult<V>>;
  write<V extends ArrayBufferView>(buffer: V, options?: WriteOptions): Promise<WriteResult<V>>;
  write(text: string, position?: number | null, encoding?: Encoding | null): Promise<WriteResult<string>>;
  writeFile(data: Data, options?: Writing): Promise<void>;
  writev<V extends readonly ArrayBufferView[]>(
    buffers: V,
    position?: number,
  ): Promise<{ bytesWritten: number; buffers: V }>;
}

export interface NamePromise {
  (path: PathLike, options?: EncodingOption): Promise<string>;
  (path: PathLike, options: BufferOption): Promise<Bytes>;
  // Node's types take any string here.
  (path: PathLike, options?: EncodingOption | BufferOption | string): Promise<string | Bytes>;
}
/** A path, or an open file. */
type FileLike = PathLike | FileHandle;

/** `fs.promises`. */
export interface FsPromises {
  access(path: PathLike, mode?: number): Promise<void>;
  appendFile(path: FileLike, data: Data, options?: Writing): Promise<void>;
  chmod(path: PathLike, mode: Mode): Promise<void>;
  chown(path: PathLike, uid: number, gid: number): Promise<void>;
  copyFile(src: PathLike, dest: PathLike, mode?: number): Promise<void>;
  cp(source: string | Url, destination: string | Url, options?: AsyncCopyOptions): Promise<void>;
  watch: WatchPromises["watch"];
  glob(pattern: string | readonly string[], options?: GlobNames): AsyncIterableIterator<string>;
  glob(pattern: string | readonly string[], options: GlobTyped): AsyncIterableIterator<Dirent>;
  glob(pattern: string | readonly string[], options: GlobAny): AsyncIterableIterator<string | Dirent>;
  /** Node has it on macOS alone. @throws Error ERR_METHOD_NOT_IMPLEMENTED */
  lchmod(path: PathLike, mode: Mode): Promise<void>;
  lchown(path: PathLike, uid: number, gid: number): Promise<void>;
  link(existingPath: PathLike, newPath: PathLike): Promise<void>;
  lstat(path: PathLike, options?: StatOptions & { bigint?: false | undefined }): Promise<Stats>;
  lstat(path: PathLike, options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  lstat(path: PathLike, options?: StatOptions): Promise<Stats | BigIntStats>;
  lutimes(path: PathLike, atime: TimeLike, mtime: TimeLike): Promise<void>;
  mkdir(path: PathLike, options: MakeDirectoryOptions & { recursive: true }): Promise<string | undefined>;
  mkdir(
    path: PathLike,
    options?: Mode | (MakeDirectoryOptions & { recursive?: false | undefined }) | null,
  ): Promise<void>;
  mkdir(path: PathLike, options?: Mode | MakeDirectoryOptions | null): Promise<string | undefined>;
  mkdtemp(prefix: string, options?: EncodingOption): Promise<string>;
  mkdtemp(prefix: string, options: BufferOption): Promise<Bytes>;
  mkdtemp(prefix: string, options?: EncodingOption | BufferOption): Promise<string | Bytes>;
  mkdtempDisposable(prefix: string, options?: EncodingOption): Promise<AsyncTemporaryDirectory>;
  open(path: PathLike, flags?: number | string, mode?: Mode): Promise<FileHandle>;
  opendir(path: PathLike, options?: DirOptions): Promise<Dir>;
  readdir(path: PathLike, options?: (WithEncoding & NotTyped) | Encoding | null): Promise<string[]>;
  readdir(path: PathLike, options: ({ encoding: "buffer" } & NotTyped) | "buffer"): Promise<Bytes[]>;
  readdir(path: PathLike, options?: (WithEncoding & NotTyped) | Encoding | null): Promise<string[] | Bytes[]>;
  readdir(path: PathLike, options: WithEncoding & Typed): Promise<Dirent[]>;
  readdir(path: PathLike, options: { encoding: "buffer" } & Typed): Promise<Dirent<Bytes>[]>;
  readFile(path: FileLike, options?: ReadFileBytes): Promise<Bytes>;
  readFile(path: FileLike, options: ReadFileText): Promise<string>;
  readFile(path: FileLike, options?: ReadFileAny): Promise<string | Bytes>;
  readonly readlink: NamePromise;
  readonly realpath: NamePromise;
  rename(oldPath: PathLike, newPath: PathLike): Promise<void>;
  rm(path: PathLike, options?: Removal): Promise<void>;
  rmdir(path: PathLike, options?: RemoveOptions): Promise<void>;
  stat(
    path: PathLike,
    options?: StatOptions & { bigint?: false | undefined; throwIfNoEntry?: true | undefined },
  ): Promise<Stats>;
  stat(path: PathLike, options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  stat(
    path: PathLike,
    options: MayMiss & { bigint?: false | undefined; throwIfNoEntry: false },
  ): Promise<Stats | undefined>;
  stat(path: PathLike, options?: StatOptions): Promise<Stats | BigIntStats>;
  statfs(path: PathLike, options?: Bigint & { bigint?: false | undefined }): Promise<StatFs<number>>;
  statfs(path: PathLike, options: Bigint & { bigint: true }): Promise<StatFs<bigint>>;
  statfs(path: PathLike, options?: Bigint): Promise<StatFs<number> | StatFs<bigint>>;
  // Node's types take any string here too, its call does not.
  symlink(target: PathLike, path: PathLike, type?: string | null): Promise<void>;
  truncate(path: PathLike, length?: number): Promise<void>;
  unlink(path: PathLike): Promise<void>;
  utimes(path: PathLike, atime: TimeLike, mtime: TimeLike): Promise<void>;
  writeFile(file: FileLike, data: Data, options?: Writing): Promise<void>;
  /** Numbers of Linux on x86-64, on every machine. */
  readonly constants: typeof constants;
}

/** A directory that `remove()`, or the end of its block, removes with everything in it. */
export type AsyncTemporaryDirectory = { path: string; remove(): Promise<void> } & AsyncDisposableBySymbol;
