/**
 * The synchronous fs surface of one context: the table's operations under Node's names, and straight-line forms of the
 * four calls that module resolution asks most. Those four hand a string over and make one call; whatever is out
 * of the ordinary (another kind of argument, an error) takes the table's way, which answers the same.
 */
import type * as NodeFs from "node:fs";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, ERRNO, PATH_MAX } from "../../abi/abi.js";
import { STATE_PANIC } from "../bridge/attachment.js";
import { systemCallError } from "../errors/errors.js";
import { bufferWriter } from "./bytes.js";
import { constants } from "./constants.js";
import { Dir, Dirent } from "./dirent.js";
import { syncForm } from "./operation.js";
import { Stats } from "./stats.js";
import type { Door } from "./system-calls.js";
import { operations as ops, realpathNative } from "./table.js";

type SyncNames = `${keyof typeof ops}Sync`;

/** The calls of `node:fs` that a tree has, typed as Node's own. */
export type FsSync = Pick<typeof NodeFs, Extract<SyncNames, keyof typeof NodeFs>> & {
  /** Numbers of Linux on x86-64, on every machine. */
  readonly constants: typeof constants;
  readonly Stats: typeof Stats;
  readonly Dirent: typeof Dirent;
  readonly Dir: typeof Dir;
};

/** Makes the surface. Its functions need no `this` and may be taken out of the object. */
export function makeSync(door: Door): FsSync {
  return {
    ...hotForms(door),
    appendFileSync: syncForm(door, ops.appendFile) as FsSync["appendFileSync"],
    chmodSync: syncForm(door, ops.chmod),
    chownSync: syncForm(door, ops.chown),
    closeSync: syncForm(door, ops.close),
    copyFileSync: syncForm(door, ops.copyFile),
    cpSync: syncForm(door, ops.cp),
    fchmodSync: syncForm(door, ops.fchmod),
    fchownSync: syncForm(door, ops.fchown),
    fdatasyncSync: syncForm(door, ops.fdatasync),
    fstatSync: syncForm(door, ops.fstat) as FsSync["fstatSync"],
    fsyncSync: syncForm(door, ops.fsync),
    ftruncateSync: syncForm(door, ops.ftruncate),
    futimesSync: syncForm(door, ops.futimes),
    lchownSync: syncForm(door, ops.lchown),
    linkSync: syncForm(door, ops.link),
    lutimesSync: syncForm(door, ops.lutimes),
    mkdirSync: syncForm(door, ops.mkdir) as FsSync["mkdirSync"],
    mkdtempSync: syncForm(door, ops.mkdtemp) as FsSync["mkdtempSync"],
    opendirSync: syncForm(door, ops.opendir) as FsSync["opendirSync"],
    openSync: syncForm(door, ops.open),
    readSync: syncForm(door, ops.read) as FsSync["readSync"],
    readdirSync: syncForm(door, ops.readdir) as FsSync["readdirSync"],
    readFileSync: syncForm(door, ops.readFile) as FsSync["readFileSync"],
    readlinkSync: syncForm(door, ops.readlink) as FsSync["readlinkSync"],
    realpathSync: Object.assign(syncForm(door, ops.realpath), {
      native: syncForm(door, realpathNative),
    }) as FsSync["realpathSync"],
    renameSync: syncForm(door, ops.rename),
    rmSync: syncForm(door, ops.rm),
    rmdirSync: syncForm(door, ops.rmdir),
    symlinkSync: syncForm(door, ops.symlink),
    truncateSync: syncForm(door, ops.truncate),
    unlinkSync: syncForm(door, ops.unlink),
    utimesSync: syncForm(door, ops.utimes),
    writeSync: syncForm(door, ops.write) as FsSync["writeSync"],
    writeFileSync: syncForm(door, ops.writeFile) as FsSync["writeFileSync"],
    constants,
    Stats,
    Dirent,
    Dir,
  };
}

/** Answer of the straight-line forms: this is no plain case. Outside the range of errno. */
const NOT_PLAIN = -0x10000;
/** The core's answer to a path with a NUL inside, which no walk gives: the table's way throws as Node does. */
const HAS_NUL = -ERRNO.EINVAL;

function hotForms(door: Door) {
  const { arena, ctx } = door;
  const { raw, path: room, stat: answer } = arena;
  const write = bufferWriter(room) ?? ((path: string) => arena.writeString(path, room));

  /** Hands a plain string over: its length, or NOT_PLAIN. */
  function put(path: unknown): number {
    // A NUL inside is the core's to find (EINVAL), faster than here; the table's way then throws for it.
    if (typeof path !== "string") return NOT_PLAIN;
    door.enter();
    const length = write(path);
    if (length < 0 || length > PATH_MAX) return NOT_PLAIN;
    room[length] = 0;
    return length;
  }

  /** Asks whether the path handed over is there: 0 or a negative errno. */
  function access(length: number): number {
    try {
      return raw.sysAccess(ctx, AT_FDCWD, length, 0, 0);
    } catch (error) {
      arena.state = STATE_PANIC;
      return arena.torn(error);
    }
  }

  /** Attributes of the path handed over: 0 or a negative errno. */
  function stat(length: number, flags: number): number {
    try {
      return raw.sysStat(ctx, AT_FDCWD, length, flags);
    } catch (error) {
      arena.state = STATE_PANIC;
      return arena.torn(error);
    }
  }

  function existsSync(path: NodeFs.PathLike): boolean {
    const length = put(path);
    if (length !== NOT_PLAIN) return access(length) === 0;
    return ops.exists.run(door, ops.exists.parse(path));
  }

  function accessSync(path: NodeFs.PathLike, mode?: number): void {
    if (mode === undefined) {
      const length = put(path);
      const failed = length === NOT_PLAIN ? HAS_NUL : access(length);
      if (failed === 0) return;
      if (failed !== HAS_NUL) throw systemCallError(failed, "access", path as string);
    }
    ops.access.run(door, ops.access.parse(path, mode));
  }

  function statWith(
    op: typeof ops.stat,
    syscall: "stat" | "lstat",
    flags: number,
    path: NodeFs.PathLike,
    options: NodeFs.StatSyncOptions | undefined,
  ) {
    const length = put(path);
    if (length !== NOT_PLAIN) {
      const failed = stat(length, flags);
      if (failed === 0) return options?.bigint ? door.stats(true) : new Stats(answer);
      if (failed === -ERRNO.ENOENT && options?.throwIfNoEntry === false) return undefined;
      if (failed !== HAS_NUL) throw systemCallError(failed, syscall, path as string);
    }
    return op.run(door, op.parse(path, options));
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
