/** Drivers: file systems written as JavaScript objects. */
import type { PathLike } from "../node-fs/types.js";

/** Attributes of a driver's node. */
export interface DriverAttributes {
  /** The node's number, an integer from 0 to 2^53 - 1. Equal numbers mean the same node. */
  ino: number;
  /** Type and permission bits, as in `Stats.mode`. The type of a node never changes. */
  mode: number;
  uid?: number | undefined;
  gid?: number | undefined;
  /** Default: 1, for a directory 2. */
  nlink?: number | undefined;
  /** Bytes. */
  size?: number | undefined;
  /** Milliseconds since 1970. Default 0. */
  mtimeMs?: number | undefined;
}

/** An entry of a driver's directory. Only the type in `mode` is used. */
export interface DriverEntry {
  name: string;
  ino: number;
  mode: number;
}

/** Changes for {@link Driver.setattr}: only the properties to change are set. */
export interface DriverChanges {
  mode?: number | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
  size?: number | undefined;
  atimeMs?: number | undefined;
  mtimeMs?: number | undefined;
}

/** The hooks that a driver may have called inside a walk in rcu mode. */
export type RcuHook = "permission" | "checkAcl" | "revalidate" | "readlink";

/** What a hook that is named in {@link Driver.rcu} gets as its last argument. */
export interface HookMode {
  /**
   * The walk is in rcu mode: it holds no reference and no lock, and other threads may wait for its end. The hook answers from memory, or
   * returns "again" (`readlink`: null) to be asked again outside of rcu mode. false: it must decide.
   */
  readonly rcu: boolean;
}

/**
 * A file system as an object. Every hook but `root` is optional, and a missing hook costs nothing. Nodes are identified
 * by their numbers.
 *
 * If a hook throws an error with a `code` such as "ENOENT", that is the error of the call. After any other exception, or a
 * result that it may not return (a promise is none that it may), the call fails with an EIO that names the hook and has the exception as its `cause`. Where the call cannot fail, or its
 * caller ignores the error, the exception is thrown again outside of the call. A hook may not call the tree that called
 * it. docs/drivers.md is the guide.
 */
export interface Driver {
  /** The file system type for `mount`, at most 100 bytes. */
  name: string;
  /** Linux's FS_REVAL_DOT: calls `revalidate` also if a walk ends in ".", ".." or "/". */
  revalidateDots?: boolean | undefined;
  /**
   * What `lookup` or `revalidate` has said of a name is good until {@link Vfs.invalidate}: `revalidate` is not called before. So a walk over
   * cached names reads two numbers in shared memory for each, and stays in rcu mode. For a driver that learns of changes: it changes what its
   * hooks return, and then calls `invalidate`. Needs `revalidate`. Default: false.
   */
  generation?: boolean | undefined;
  /**
   * The text of a link never changes, as its node's type: the tree keeps what `readlink` has returned, for as long as it knows the node, and walks
   * over the link without a call, in rcu mode. A link with another text is another node. Descriptors are not kept. Needs `readlink`. Default: false.
   */
  cacheLinks?: boolean | undefined;
  /**
   * The hooks that are called in rcu mode too. They get a {@link HookMode} as their last argument, and may return "again" (`readlink`: null).
   * Default: none; then each of them takes every walk out of rcu mode.
   */
  rcu?: readonly RcuHook[] | undefined;
  /** The root directory of a new mount. @param source the first argument of `mount` */
  root(source: PathLike | null): DriverAttributes;
  /**
   * i_op->lookup: the node of a name; null: it does not exist. Both results are cached. Other threads may be in their hooks for other names
   * of the directory meanwhile; those that want this name wait.
   */
  lookup?(dir: number, name: string): DriverAttributes | null;
  /** d_op->d_hash: an integer. Names that `compare` considers equal must have the same hash. Called in rcu mode. */
  hash?(dir: number, name: string): number;
  /**
   * d_op->d_compare: whether a cached name equals the one looked up. `node` null: a negative entry, in ref mode only.
   */
  compare?(dir: number, node: number | null, cached: string, wanted: string): boolean;
  /**
   * d_op->d_revalidate, at every lookup of a cached entry: false drops it. Attributes keep it and are the node's from now on; those of
   * another node, or of another type, drop it. `node` null: the entry says that there is no such name. In rcu mode anything but true takes the
   * walk out of it, and the hook is called again.
   */
  revalidate?(
    dir: number,
    node: number | null,
    name: string,
    reval: boolean,
    mode?: HookMode,
  ): boolean | DriverAttributes | "again";
  /** i_op->permission: throws EACCES ... `mask`: 1 execute, 2 write, 4 read. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most hooks return nothing, and TypeScript before 5.1 has no other type for that
  permission?(node: number, mask: number, mode?: HookMode): void | "again";
  /** i_op->check_acl: true grants, false denies, undefined: the mode bits decide. */
  checkAcl?(node: number, mask: number, mode?: HookMode): boolean | undefined | "again";
  /**
   * i_op->get_link: the body of a link, at most 4095 bytes. Or a descriptor, from 0 to 2^20 - 1, of the context that makes the call: a magic
   * link (proc(5), `/proc/self/fd`), which leads to that open file itself. ENOENT if it is not open; EXDEV in a context with `resolve`. A walk in
   * rcu mode follows texts alone: it asks again outside of it about a descriptor, and where the hook returns null.
   */
  readlink?(node: number, mode?: HookMode): string | number | null;
  /** i_op->put_link: the body is not used any more. Called once for each `readlink` that returned one. */
  putLink?(node: number): void;
  /** d_op->d_iput: the tree has dropped the node. */
  iput?(node: number, nlink: number): void;
  /** d_op->d_delete: true: do not cache the entry while it is unused. */
  deleteUnused?(node: number | null, name: string): boolean;
  /** The entries of a directory, without "." and "..", in a stable order. */
  readdir?(node: number): readonly DriverEntry[];
  /** Reads into `into` from `offset` on. Returns the number of bytes, 0 at the end. */
  read?(node: number, offset: number, into: Uint8Array): number;
  /** Writes `data` at `offset`. Returns the number of bytes written. */
  write?(node: number, offset: number, data: Uint8Array): number;
  /** Creates a file, directory or link (to `target`). `mode` includes the type. */
  create?(dir: number, name: string, mode: number, target?: string): DriverAttributes;
  /** Removes a name; throws ENOTEMPTY ... */
  unlink?(dir: number, node: number, name: string): void;
  /** Changes attributes. Returns all attributes. */
  setattr?(node: number, changes: DriverChanges): DriverAttributes;
}
