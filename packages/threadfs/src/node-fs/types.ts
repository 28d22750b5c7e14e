/**
 * The types of the calls of `node:fs`, as @types/node has them, but without it: a program for browsers has no @types/node, and where
 * it is there, these types are assignable to its own (`FsCalls` in test/support/fs-calls.ts). Everything here needs TypeScript 5.0 and the library
 * ES2020, no DOM. No other file that the entries' declarations reach names what only one host has.
 */
import type { Url } from "../bridge/wasm.js";
import type { constants } from "./constants.js";
import type { FsCallbacks, FsPromises } from "./forms/types.js";
import type { StreamExports } from "./streams/types.js";
import type { Watchers } from "./watch/types.js";

/** Node's Buffer where the program has @types/node, elsewhere a Uint8Array: what calls return, too. */
export type Bytes = typeof globalThis extends { Buffer: { alloc(size: number): infer B } }
  ? B
  : // In TypeScript 5.7 and newer this is Uint8Array<ArrayBuffer>, which older ones cannot write.
    ReturnType<Uint8Array["slice"]>;
/** A `Temporal.Instant`, where the program's library has it. */
type Instant = typeof globalThis extends { Temporal: { Instant: new (...args: never[]) => infer T } } ? T : object;
/** Has `[Symbol.dispose]()` and `[Symbol.asyncDispose]()` where the program's library has the symbols. */
type DisposableBySymbol = (SymbolConstructor extends { readonly dispose: infer S extends symbol }
  ? { [K in S]: () => void }
  : unknown) &
  AsyncDisposableBySymbol;
/** Has `[Symbol.asyncDispose]()` alone. */
export type AsyncDisposableBySymbol = SymbolConstructor extends { readonly asyncDispose: infer S extends symbol }
  ? { [K in S]: () => Promise<void> }
  : unknown;

/** A path as `node:fs` takes it. */
export type PathLike = string | Uint8Array | Url;
export type Encoding =
  | "ascii"
  | "utf8"
  | "utf-8"
  | "utf16le"
  | "utf-16le"
  | "ucs2"
  | "ucs-2"
  | "base64"
  | "base64url"
  | "latin1"
  | "binary"
  | "hex";
export type Mode = number | string;
export type TimeLike = string | number | Date;
export interface WithEncoding {
  encoding?: Encoding | null | undefined;
}
export type EncodingOption = WithEncoding | Encoding | undefined | null;
export type BufferOption = "buffer" | { encoding: "buffer" };
interface Recursive {
  recursive?: boolean | undefined;
}
export interface NotTyped extends Recursive {
  withFileTypes?: false | undefined;
}
export interface Typed extends Recursive {
  withFileTypes: true;
}
export interface Flag {
  flag?: string | number | undefined;
}

interface FileType {
  isFile(): boolean;
  isDirectory(): boolean;
  isBlockDevice(): boolean;
  isCharacterDevice(): boolean;
  isSymbolicLink(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}

interface StatsOf<N extends number | bigint> extends FileType {
  dev: N;
  ino: N;
  mode: N;
  nlink: N;
  uid: N;
  gid: N;
  rdev: N;
  size: N;
  blksize: N;
  blocks: N;
  atimeMs: N;
  mtimeMs: N;
  ctimeMs: N;
  birthtimeMs: N;
  atime: Date;
  mtime: Date;
  ctime: Date;
  birthtime: Date;
  // Reading one throws ERR_NO_TEMPORAL where the host has no Temporal.
  readonly atimeInstant: Instant;
  readonly mtimeInstant: Instant;
  readonly ctimeInstant: Instant;
  readonly birthtimeInstant: Instant;
}

/** Attributes of a file as numbers (https://nodejs.org/api/fs.html#class-fsstats). */
export interface Stats extends StatsOf<number> {}

/** Attributes of a file as bigints, with times in nanoseconds as well. */
export interface BigIntStats extends StatsOf<bigint> {
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  birthtimeNs: bigint;
}

/** One entry of a directory (https://nodejs.org/api/fs.html#class-fsdirent). */
export interface Dirent<Name extends string | Uint8Array = string> extends FileType {
  name: Name;
  /** Path of the directory: bytes where it was given as bytes, which Node's types do not express either. */
  parentPath: string;
  /** Node 26 has no `path` any more. The type never keeps this one assignable to the types of older versions. */
  readonly path: never;
}

/** An open directory (https://nodejs.org/api/fs.html#class-fsdir). */
export type Dir = DirMethods & DisposableBySymbol;
interface DirMethods {
  readonly path: string;
  readSync(): Dirent | null;
  closeSync(): void;
  read(): Promise<Dirent | null>;
  read(callback: (error: Error | null, entry: Dirent | null) => void): void;
  close(): Promise<void>;
  close(callback: (error?: Error | null) => void): void;
  entries(): AsyncIterableIterator<Dirent>;
  [Symbol.asyncIterator](): AsyncIterableIterator<Dirent>;
}

/** The room of a file system (https://nodejs.org/api/fs.html#class-fsstatfs). */
export interface StatFs<N extends number | bigint> {
  type: N;
  bsize: N;
  /** Bytes of a block. */
  frsize: N;
  blocks: N;
  bfree: N;
  bavail: N;
  files: N;
  ffree: N;
}

/** A directory that `remove()`, or the end of its block, removes with everything in it. */
export type TemporaryDirectory = { path: string; remove(): void } & (SymbolConstructor extends {
  readonly dispose: infer S extends symbol;
}
  ? { [K in S]: () => void }
  : unknown);

export interface Bigint {
  bigint?: boolean | undefined;
}
interface StatSyncOptions extends Bigint {
  throwIfNoEntry?: boolean | undefined;
}
interface StatSync {
  (path: PathLike, options?: undefined): Stats;
  (
    path: PathLike,
    options?: StatSyncOptions & { bigint?: false | undefined; throwIfNoEntry: false },
  ): Stats | undefined;
  (path: PathLike, options: StatSyncOptions & { bigint: true; throwIfNoEntry: false }): BigIntStats | undefined;
  (path: PathLike, options?: StatSyncOptions & { bigint?: false | undefined }): Stats;
  (path: PathLike, options: StatSyncOptions & { bigint: true }): BigIntStats;
  (
    path: PathLike,
    options: StatSyncOptions & { bigint: boolean; throwIfNoEntry?: false | undefined },
  ): Stats | BigIntStats;
  (path: PathLike, options: StatSyncOptions & { throwIfNoEntry?: true | undefined }): Stats | BigIntStats;
  (path: PathLike, options?: StatSyncOptions): Stats | BigIntStats | undefined;
}
interface NameSync {
  (path: PathLike, options?: EncodingOption): string;
  (path: PathLike, options: BufferOption): Bytes;
  (path: PathLike, options?: EncodingOption | BufferOption): string | Bytes;
}

export interface MakeDirectoryOptions extends Recursive {
  mode?: Mode | undefined;
}
export interface RemoveOptions extends Recursive {
  maxRetries?: number | undefined;
  retryDelay?: number | undefined;
}
export interface CopyOptions extends Recursive {
  dereference?: boolean | undefined;
  errorOnExist?: boolean | undefined;
  filter?: ((source: string, destination: string) => boolean) | undefined;
  force?: boolean | undefined;
  mode?: number | undefined;
  preserveTimestamps?: boolean | undefined;
  verbatimSymlinks?: boolean | undefined;
}
export interface ReadOptions {
  offset?: number | undefined;
  length?: number | undefined;
  position?: number | bigint | null | undefined;
}
export interface WriteOptions {
  offset?: number | undefined;
  length?: number | undefined;
  position?: number | null | undefined;
}
interface GlobOptions {
  cwd?: string | Url | undefined;
  followSymlinks?: boolean | undefined;
  /** Names between `cwd` and what is found. */
  maxDepth?: number | undefined;
}
export interface GlobNames extends GlobOptions {
  withFileTypes?: false | undefined;
  exclude?: ((name: string) => boolean) | readonly string[] | undefined;
}
export interface GlobTyped extends GlobOptions {
  withFileTypes: true;
  exclude?: ((entry: Dirent) => boolean) | readonly string[] | undefined;
}
export interface GlobAny extends GlobOptions {
  withFileTypes?: boolean | undefined;
  exclude?: ((entry: never) => boolean) | readonly string[] | undefined;
}
export type WriteFileOptions =
  | (WithEncoding & Flag & { mode?: Mode | undefined; flush?: boolean | undefined })
  | Encoding
  | null;

/** Options of `opendir`. */
export interface DirOptions extends Recursive {
  encoding?: Encoding | undefined;
  /** Entries that are read at a time. */
  bufferSize?: number | undefined;
}

/** The calls of `node:fs` that a tree has. They do not use `this` and may be taken out of the object. */
export interface FsSync extends StreamExports, Watchers {
  accessSync(path: PathLike, mode?: number): void;
  appendFileSync(path: PathLike | number, data: string | Uint8Array, options?: WriteFileOptions): void;
  chmodSync(path: PathLike, mode: Mode): void;
  chownSync(path: PathLike, uid: number, gid: number): void;
  closeSync(fd: number): void;
  copyFileSync(src: PathLike, dest: PathLike, mode?: number): void;
  cpSync(source: string | Url, destination: string | Url, options?: CopyOptions): void;
  existsSync(path: PathLike): boolean;
  fchmodSync(fd: number, mode: Mode): void;
  fchownSync(fd: number, uid: number, gid: number): void;
  fdatasyncSync(fd: number): void;
  fstatSync(fd: number, options?: Bigint & { bigint?: false | undefined }): Stats;
  fstatSync(fd: number, options: Bigint & { bigint: true }): BigIntStats;
  fstatSync(fd: number, options?: Bigint): Stats | BigIntStats;
  fsyncSync(fd: number): void;
  ftruncateSync(fd: number, length?: number): void;
  futimesSync(fd: number, atime: TimeLike, mtime: TimeLike): void;
  globSync(pattern: string | readonly string[], options?: GlobNames): string[];
  globSync(pattern: string | readonly string[], options: GlobTyped): Dirent[];
  globSync(pattern: string | readonly string[], options: GlobAny): string[] | Dirent[];
  lchownSync(path: PathLike, uid: number, gid: number): void;
  linkSync(existingPath: PathLike, newPath: PathLike): void;
  readonly lstatSync: StatSync;
  lutimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void;
  mkdirSync(path: PathLike, options: MakeDirectoryOptions & { recursive: true }): string | undefined;
  mkdirSync(path: PathLike, options?: Mode | (MakeDirectoryOptions & { recursive?: false | undefined }) | null): void;
  mkdirSync(path: PathLike, options?: Mode | MakeDirectoryOptions | null): string | undefined;
  mkdtempSync(prefix: string, options?: EncodingOption): string;
  mkdtempSync(prefix: string, options: BufferOption): Bytes;
  mkdtempSync(prefix: string, options?: EncodingOption | BufferOption): string | Bytes;
  mkdtempDisposableSync(prefix: string, options?: EncodingOption): TemporaryDirectory;
  openSync(path: PathLike, flags?: number | string, mode?: Mode | null): number;
  opendirSync(path: PathLike, options?: DirOptions): Dir;
  readSync(
    fd: number,
    buffer: ArrayBufferView,
    offset: number,
    length: number,
    position: number | bigint | null,
  ): number;
  readSync(fd: number, buffer: ArrayBufferView, options?: ReadOptions): number;
  readdirSync(path: PathLike, options?: (WithEncoding & NotTyped) | Encoding | null): string[];
  readdirSync(path: PathLike, options: ({ encoding: "buffer" } & NotTyped) | "buffer"): Bytes[];
  readdirSync(path: PathLike, options?: (WithEncoding & NotTyped) | Encoding | null): string[] | Bytes[];
  readdirSync(path: PathLike, options: WithEncoding & Typed): Dirent[];
  readdirSync(path: PathLike, options: { encoding: "buffer" } & Typed): Dirent<Bytes>[];
  readFileSync(path: PathLike | number, options?: ({ encoding?: null | undefined } & Flag) | null): Bytes;
  readFileSync(path: PathLike | number, options: ({ encoding: Encoding } & Flag) | Encoding): string;
  readFileSync(path: PathLike | number, options?: (WithEncoding & Flag) | Encoding | null): string | Bytes;
  readonly readlinkSync: NameSync;
  readvSync(fd: number, buffers: readonly ArrayBufferView[], position?: number | null): number;
  readonly realpathSync: NameSync & { readonly native: NameSync };
  renameSync(oldPath: PathLike, newPath: PathLike): void;
  rmSync(path: PathLike, options?: RemoveOptions & { force?: boolean | undefined }): void;
  rmdirSync(path: PathLike, options?: RemoveOptions): void;
  readonly statSync: StatSync;
  statfsSync(path: PathLike, options?: Bigint & { bigint?: false | undefined }): StatFs<number>;
  statfsSync(path: PathLike, options: Bigint & { bigint: true }): StatFs<bigint>;
  statfsSync(path: PathLike, options?: Bigint): StatFs<number> | StatFs<bigint>;
  symlinkSync(target: PathLike, path: PathLike, type?: "dir" | "file" | "junction" | null): void;
  truncateSync(path: PathLike, length?: number): void;
  unlinkSync(path: PathLike): void;
  utimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void;
  writeSync(
    fd: number,
    buffer: ArrayBufferView,
    offset?: number | null,
    length?: number | null,
    position?: number | null,
  ): number;
  writeSync(fd: number, buffer: ArrayBufferView, options: WriteOptions): number;
  writeSync(fd: number, text: string, position?: number | null, encoding?: Encoding | null): number;
  writeFileSync(file: PathLike | number, data: string | ArrayBufferView, options?: WriteFileOptions): void;
  writevSync(fd: number, buffers: readonly ArrayBufferView[], position?: number | null): number;
  /** Numbers of Linux on x86-64, on every machine. */
  readonly constants: typeof constants;
  readonly Stats: abstract new (...values: never[]) => Stats;
  readonly Dirent: new (name: string, type: number, parentPath: string) => Dirent;
  readonly Dir: abstract new (...values: never[]) => Dir;
}

/** Everything that `node:fs` exports, on a tree. */
export type Fs = FsSync & FsCallbacks & { readonly promises: FsPromises };
