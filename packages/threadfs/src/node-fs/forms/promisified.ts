/** The types of what `util.promisify()` makes of the calls with callbacks: of those on paths, the promises; these are the others. */
import type {
  BigIntStats,
  Bigint,
  Bytes,
  Dirent,
  Encoding,
  GlobAny,
  GlobNames,
  GlobTyped,
  Mode,
  PathLike,
  ReadOptions,
  Stats,
  TimeLike,
  WriteOptions,
} from "../types.js";
import type {
  FsPromises,
  ReadFileAny,
  ReadFileBytes,
  ReadFileText,
  ReadResult,
  StatOptions,
  WriteResult,
  Writing,
} from "./types.js";

type OnPaths =
  | "access"
  | "chmod"
  | "chown"
  | "copyFile"
  | "cp"
  | "lchown"
  | "link"
  | "lstat"
  | "lutimes"
  | "mkdir"
  | "mkdtemp"
  | "opendir"
  | "readdir"
  | "readlink"
  | "realpath"
  | "rename"
  | "rm"
  | "rmdir"
  | "stat"
  | "statfs"
  | "symlink"
  | "truncate"
  | "unlink"
  | "utimes";
type Position = number | null | undefined;

/** The forms of `promisify()`, by the names of the calls. */
export interface Promisified extends Pick<FsPromises, OnPaths> {
  appendFile(path: PathLike | number, data: string | Uint8Array, options?: Writing): Promise<void>;
  close(fd: number): Promise<void>;
  exists(path: PathLike): Promise<boolean>;
  fchmod(fd: number, mode: Mode): Promise<void>;
  fchown(fd: number, uid: number, gid: number): Promise<void>;
  fdatasync(fd: number): Promise<void>;
  fstat(fd: number, options?: StatOptions & { bigint?: false | undefined }): Promise<Stats>;
  fstat(fd: number, options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  fstat(fd: number, options?: StatOptions & Bigint): Promise<Stats | BigIntStats>;
  fsync(fd: number): Promise<void>;
  ftruncate(fd: number, length?: number): Promise<void>;
  futimes(fd: number, atime: TimeLike, mtime: TimeLike): Promise<void>;
  glob(pattern: string | readonly string[], options?: GlobNames): Promise<string[]>;
  glob(pattern: string | readonly string[], options: GlobTyped): Promise<Dirent[]>;
  glob(pattern: string | readonly string[], options: GlobAny): Promise<string[] | Dirent[]>;
  open(path: PathLike, flags?: number | string, mode?: Mode | null): Promise<number>;
  read<V extends ArrayBufferView>(
    fd: number,
    buffer: V,
    offset: number,
    length: number,
    position: number | bigint | null,
  ): Promise<ReadResult<V>>;
  read<V extends ArrayBufferView>(fd: number, buffer: V, options?: ReadOptions): Promise<ReadResult<V>>;
  read<V extends ArrayBufferView>(fd: number, options: ReadOptions & { buffer: V }): Promise<ReadResult<V>>;
  read(fd: number, options?: ReadOptions): Promise<ReadResult<Bytes>>;
  readFile(path: PathLike | number, options?: ReadFileBytes): Promise<Bytes>;
  readFile(path: PathLike | number, options: ReadFileText): Promise<string>;
  readFile(path: PathLike | number, options?: ReadFileAny): Promise<string | Bytes>;
  readv<V extends readonly ArrayBufferView[]>(
    fd: number,
    buffers: V,
    position?: number | null,
  ): Promise<{ bytesRead: number; buffers: V }>;
  write<V extends ArrayBufferView>(
    fd: number,
    buffer: V,
    offset?: Position,
    length?: Position,
    position?: Position,
  ): Promise<WriteResult<V>>;
  write<V extends ArrayBufferView>(fd: number, buffer: V, options?: WriteOptions): Promise<WriteResult<V>>;
  write(fd: number, text: string, position?: Position, encoding?: Encoding | null): Promise<WriteResult<string>>;
  writeFile(path: PathLike | number, data: string | ArrayBufferView, options?: Writing): Promise<void>;
  writev<V extends readonly ArrayBufferView[]>(
    fd: number,
    buffers: V,
    position?: number | null,
  ): Promise<{ bytesWritten: number; buffers: V }>;
}
