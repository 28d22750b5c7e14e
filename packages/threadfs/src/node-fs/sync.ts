/**
 * The synchronous fs surface of one context: the table's operations under Node's names, and fast versions of the four
 * calls that module resolution makes most. A fast version passes a string and makes one call. In every other case
 * (another type of argument, an error) it falls back to the table's operation.
 */
import type * as NodeFs from "node:fs";
import * as ERRNO from "../../abi/errno.js";
import { AT_SYMLINK_NOFOLLOW } from "../../abi/flags.js";
import { PATH_MAX } from "../../abi/limits.js";
import { STATE_PANIC } from "../bridge/attachment.js";
import { systemCallError } from "../errors/errors.js";
import { bufferWriter } from "./bytes.js";
import { syncForm } from "./operation.js";
import { statsOf } from "./stats.js";
import type { SystemCalls } from "./system-calls.js";
import { globSync, operations as ops, realpathNative } from "./table.js";
import type { FsSync } from "./types.js";

/** Makes the calls. They do not use `this` and may be taken out of the object. */
export function makeSync(calls: SystemCalls) {
  return {
    ...hotSync(calls),
    appendFileSync: syncForm(calls, ops.appendFile) as FsSync["appendFileSync"],
    chmodSync: syncForm(calls, ops.chmod),
    chownSync: syncForm(calls, ops.chown),
    closeSync: syncForm(calls, ops.close),
    copyFileSync: syncForm(calls, ops.copyFile),
    cpSync: syncForm(calls, ops.cp),
    fchmodSync: syncForm(calls, ops.fchmod),
    fchownSync: syncForm(calls, ops.fchown),
    fdatasyncSync: syncForm(calls, ops.fdatasync),
    fstatSync: syncForm(calls, ops.fstat) as FsSync["fstatSync"],
    fsyncSync: syncForm(calls, ops.fsync),
    ftruncateSync: syncForm(calls, ops.ftruncate),
    futimesSync: syncForm(calls, ops.futimes),
    globSync: syncForm(calls, globSync) as FsSync["globSync"],
    lchownSync: syncForm(calls, ops.lchown),
    linkSync: syncForm(calls, ops.link),
    lutimesSync: syncForm(calls, ops.lutimes),
    mkdirSync: syncForm(calls, ops.mkdir) as FsSync["mkdirSync"],
    mkdtempSync: syncForm(calls, ops.mkdtemp) as FsSync["mkdtempSync"],
    mkdtempDisposableSync: syncForm(calls, ops.mkdtempDisposable) as FsSync["mkdtempDisposableSync"],
    opendirSync: syncForm(calls, ops.opendir) as FsSync["opendirSync"],
    openSync: syncForm(calls, ops.open),
    readSync: syncForm(calls, ops.read) as FsSync["readSync"],
    readdirSync: syncForm(calls, ops.readdir) as FsSync["readdirSync"],
    readFileSync: syncForm(calls, ops.readFile) as FsSync["readFileSync"],
    readlinkSync: syncForm(calls, ops.readlink) as FsSync["readlinkSync"],
    readvSync: syncForm(calls, ops.readv),
    realpathSync: Object.assign(syncForm(calls, ops.realpath), {
      native: syncForm(calls, realpathNative),
    }) as FsSync["realpathSync"],
    renameSync: syncForm(calls, ops.rename),
    rmSync: syncForm(calls, ops.rm),
    rmdirSync: syncForm(calls, ops.rmdir),
    statfsSync: syncForm(calls, ops.statfs) as FsSync["statfsSync"],
    symlinkSync: syncForm(calls, ops.symlink),
    truncateSync: syncForm(calls, ops.truncate),
    unlinkSync: syncForm(calls, ops.unlink),
    utimesSync: syncForm(calls, ops.utimes),
    writeSync: syncForm(calls, ops.write) as FsSync["writeSync"],
    writeFileSync: syncForm(calls, ops.writeFile) as FsSync["writeFileSync"],
    writevSync: syncForm(calls, ops.writev),
  };
}

/**
 * A path of at most this many bytes was written as a whole. Buffer.write() ends before a character that does not fit, which has
 * four bytes at most, and does not tell.
 */
const PATH_SURE = PATH_MAX - 3;

/** Result of the fast versions: not a plain case. Outside the range of errno. */
const NOT_PLAIN = -0x10000;
/**
 * The core's error for a path that contains a NUL, which no walk returns: the table's operation throws as Node does.
 */
const HAS_NUL = -ERRNO.EINVAL;

function hotSync(calls: SystemCalls) {
  const { attachment, ctx, dirfd } = calls;
  const { unguarded, path: pathBytes, stat: statNumbers } = attachment;
  const write = bufferWriter(pathBytes) ?? ((path: string) => attachment.writeString(path, pathBytes));

  /** Passes a plain string to the core: its length, or NOT_PLAIN. */
  function put(path: unknown): number {
    // The core finds a NUL faster (EINVAL); then the table's operation throws.
    if (typeof path !== "string") return NOT_PLAIN;
    calls.checkOpen();
    const length = write(path);
    if (length < 0 || length > PATH_SURE) return NOT_PLAIN;
    pathBytes[length] = 0;
    return length;
  }

  /** Whether the path in scratch exists: 0 or a negative errno. */
  function access(length: number): number {
    try {
      return unguarded.sysAccess(ctx, dirfd, length, 0, 0);
    } catch (error) {
      attachment.state = STATE_PANIC;
      return attachment.poison(error);
    }
  }

  /** The attributes of the path in scratch: 0 or a negative errno. */
  function stat(length: number, flags: number): number {
    try {
      return unguarded.sysStat(ctx, dirfd, length, flags);
    } catch (error) {
      attachment.state = STATE_PANIC;
      return attachment.poison(error);
    }
  }

  function existsSync(path: NodeFs.PathLike): boolean {
    const length = put(path);
    if (length !== NOT_PLAIN) {
      const failed = access(length);
      if (failed === -ERRNO.ENXIO) attachment.drivers.checkRegistered();
      return failed === 0;
    }
    return ops.exists.run(calls, ops.exists.parse(path));
  }

  function accessSync(path: NodeFs.PathLike, mode?: number): void {
    if (mode === undefined) {
      const length = put(path);
      const failed = length === NOT_PLAIN ? HAS_NUL : access(length);
      if (failed === 0) return;
      if (failed === -ERRNO.ENXIO) attachment.drivers.checkRegistered();
      if (failed !== HAS_NUL) throw systemCallError(failed, "access", path as string);
    }
    ops.access.run(calls, ops.access.parse(path, mode));
  }

  function statWith(
    op: typeof ops.stat,
    syscall: "stat" | "lstat",
    flags: number,
    path: NodeFs.PathLike,
    options: NodeFs.StatSyncOptions | undefined,
  ) {
    // Options of null are an error, but only after those of the path.
    if (typeof path === "string" && options !== null) {
      // Read before the path is in the scratch area: an option may be an accessor that makes calls of its own.
      const bigint = options?.bigint === true;
      const mayMiss = options?.throwIfNoEntry === false;
      const length = put(path);
      const failed = length === NOT_PLAIN ? HAS_NUL : stat(length, flags);
      if (failed === 0) return bigint ? calls.stats(true) : statsOf(statNumbers);
      if (failed === -ERRNO.ENOENT && mayMiss) return undefined;
      if (failed === -ERRNO.ENXIO) attachment.drivers.checkRegistered();
      if (failed !== HAS_NUL && failed !== -ERRNO.ENOTDIR) throw systemCallError(failed, syscall, path);
    }
    return op.run(calls, op.parse(path, options));
  }

  return {
    existsSync,
    accessSync,
    statSync: ((path: NodeFs.PathLike, options?: NodeFs.StatSyncOptions) =>
      statWith(ops.stat, "stat", 0, path, options)) as FsSync["statSync"],
    lstatSync: ((path: NodeFs.PathLike, options?: NodeFs.StatSyncOptions) =>
      statWith(ops.lstat, "lstat", AT_SYMLINK_NOFOLLOW, path, options)) as FsSync["lstatSync"],
  };
}
