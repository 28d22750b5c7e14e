/** The public types of loading and saving. They need the types of no host. */
import type { Url } from "../bridge/wasm.js";
import type { Signal } from "../node-fs/forms/types.js";
import type { Bytes } from "../node-fs/types.js";

/** A path of a directory on the host or in the tree. */
export type DirectoryPath = string | Uint8Array | Url;

/** What a copy uses of Stats, as `lstatSync(path, { bigint: true })` returns them. */
export interface FileStats {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mode: bigint;
  readonly nlink: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly size: bigint;
  readonly blocks: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
}

/** The synchronous calls of `node:fs` that a copy makes: `node:fs` itself, the `fs` of another tree, or a module like them. */
export interface DirectoryFs {
  readonly constants: { readonly [name: string]: number };
  lstatSync(path: Bytes, options: { bigint: true }): FileStats;
  readdirSync(path: Bytes, options: { encoding: "buffer" }): unknown;
  readlinkSync(path: Bytes, options: { encoding: "buffer" }): unknown;
  openSync(path: Bytes, flags: number, mode?: number): number;
  closeSync(fd: number): void;
  readSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  writeSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  ftruncateSync(fd: number, length: number): void;
  mkdirSync(path: Bytes, mode: number): unknown;
  symlinkSync(target: Bytes, path: Bytes): void;
  linkSync(existingPath: Bytes, newPath: Bytes): void;
  chmodSync(path: Bytes, mode: number): void;
  lchownSync(path: Bytes, uid: number, gid: number): void;
  lutimesSync(path: Bytes, atime: number, mtime: number): void;
}

/** How far a copy has come. */
export interface CopyProgress {
  /** The file that was copied last, as seen from the directory; "": the directory itself, which is the last of all. */
  readonly path: string;
  /** Files, directories and links so far, and bytes of contents. */
  readonly files: number;
  readonly bytes: number;
}

/** The calls of {@link LinuxCalls} by which a copy keeps extended attributes, and ACLs, which are such attributes: `linux` of a tree. */
export interface XattrCalls {
  listxattrSync(file: Bytes, options: { nofollow: true }): string[];
  getxattrSync(file: Bytes, name: string, options: { nofollow: true }): Uint8Array;
  setxattrSync(file: Bytes, name: string, value: Uint8Array, options: { nofollow: true }): void;
  removexattrSync(file: Bytes, name: string, options: { nofollow: true }): void;
}

/** A file, directory or link whose extended attributes were not all kept. */
export interface LostAttributes {
  /** As in {@link CopyProgress}. */
  readonly path: string;
  /** Of those that the caller may see: `system.posix_acl_access`, `user.mime_type` ... */
  readonly names: readonly string[];
}

/** What a copy has come to. */
export interface CopyResult {
  /** Files, directories and links, and bytes of contents. */
  readonly files: number;
  readonly bytes: number;
  /**
   * What has extended attributes or ACLs that the other side does not keep, or did not allow. `node:fs` has no calls for them: so an
   * export to the disk tells all of them here, and an import from the disk sees none.
   */
  readonly lost: readonly LostAttributes[];
}

/** Options of {@link Vfs.importDirectory} and {@link Vfs.exportDirectory}. */
export interface CopyOptions {
  /** Is called for every file that has been copied. What it throws ends the copy. */
  onProgress?: ((progress: CopyProgress) => void) | undefined;
  /** Owners and groups are kept too, which needs CAP_CHOWN there. Default: what is made belongs to its maker. */
  owners?: boolean | undefined;
  /** What is done with FIFOs, sockets and devices: "refuse", the default, is ERR_THREADFS_FILE_TYPE. */
  special?: "refuse" | "skip" | undefined;
  /** Ends the copy. */
  signal?: Signal | undefined;
  /** The other side. Default: `node:fs`. */
  fs?: DirectoryFs | undefined;
  /** The extended attributes of the other side: `linux` of another tree whose `fs` is given. Default: it has none. */
  linux?: XattrCalls | undefined;
}

/** What a snapshot does where something is mounted. */
export type Mounts = "refuse" | "skip";

/**
 * Where a snapshot comes from: its bytes, or pieces of them in order, such as a `Snapshot`, a stream of Node, a `ReadableStream`.
 */
export type SnapshotSource = Uint8Array | ArrayBuffer | Iterable<Uint8Array> | AsyncIterable<Uint8Array> | WebSource;
/** A `ReadableStream`. */
export interface WebSource {
  getReader(): { read(): Promise<{ done: boolean; value?: unknown }>; cancel(reason?: unknown): Promise<unknown> };
}
