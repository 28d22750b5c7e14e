/** mount(2) and umount2(2): their options, and which call of the core they ask for. */
import * as ERRNO from "../../abi/errno.js";
import {
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_BIND,
  MS_MOVE,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
  UMOUNT_NOFOLLOW,
} from "../../abi/flags.js";
import { MOUNT_SOURCE_MAX } from "../../abi/limits.js";
import { flagOption, readOptions } from "../bridge/options.js";
import { invalidArgType, invalidArgValue, systemCallError } from "../errors/errors.js";
import { type Path, toInteger, toPath } from "../node-fs/args.js";
import { decodeText, utf8Bytes } from "../node-fs/bytes.js";
import type { SystemCalls } from "../node-fs/system-calls.js";
import type { PathLike } from "../node-fs/types.js";

/** The limits of a file system in memory, as tmpfs(5) has them. What goes beyond one fails with ENOSPC. */
export interface LimitOptions {
  /**
   * Most bytes of contents, in whole pages of 4,096: each page that is stored counts, and a page for the body of a symbolic link of 128
   * bytes or more. 0: no limit but the memory of the tree. Default: 0.
   */
  size?: number | undefined;
  /**
   * Most inodes, the root and each further name of a file included (`nr_inodes`); extended attributes count for 1,024th parts of one.
   * 0: no limit. Default: 0.
   */
  nrInodes?: number | undefined;
}

/** What a mount allows, beside what its files allow: the options of mount(8) that do not depend on the file system. Default: false. */
export interface MountFlags {
  /** Nothing is changed through the mount (EROFS). Of a new file system, and with `remount` without `bind`, through none of its mounts. */
  readonly?: boolean | undefined;
  /** No file is executed: `access` says so. */
  noexec?: boolean | undefined;
  /** Set-user-ID bits have no effect. Kept and listed: nothing executes files here. */
  nosuid?: boolean | undefined;
  /** Devices are not opened. Kept and listed: there are no devices here. */
  nodev?: boolean | undefined;
  /** Links in the mount are not followed: ELOOP, also by a call that would follow one at the end of its path. `readlink` reads them. */
  nosymfollow?: boolean | undefined;
  /** Times of access stay as they are; `nodiratime`: those of directories. */
  noatime?: boolean | undefined;
  nodiratime?: boolean | undefined;
  /** A time of access changes if it is not later than the last change of the file, or a day old. What a mount has without `noatime` and `strictatime`. */
  relatime?: boolean | undefined;
  /** A time of access changes with each access. */
  strictatime?: boolean | undefined;
}

/**
 * How a mount shares what is mounted in it (mount_namespaces(7)). "shared": what is mounted or unmounted in it also is in its peers, which are the bind
 * mounts of it and of its peers, and theirs in it. "slave": it receives from the peers that it had, and they not from it. "private": neither. "unbindable": neither,
 * and no bind mount is made of it.
 */
export type MountPropagation = "shared" | "slave" | "private" | "unbindable";

/** Options of {@link Vfs.mount}. Limits are those of a "tmpfs". */
export interface MountOptions extends LimitOptions, MountFlags {
  /** Mounts the source directory or file at the target too, with the flags of its mount and those given here. */
  bind?: boolean | undefined;
  /**
   * With `bind`: the mounts below the source too, as `mount --rbind`, but for unbindable ones. Flags given here are those of the uppermost. With
   * `propagation`: of the mounts below the target too.
   */
  recursive?: boolean | undefined;
  /** Moves the mount at the source, with all that is mounted below it, to the target. */
  move?: boolean | undefined;
  /**
   * Changes the mount at the target; an option that is left out stays. With `bind` only its flags; without it `readonly` and the limits of its file
   * system too, which all its mounts share. EINVAL for a limit that is below what is used, and for one where there was none, as in Linux. EBUSY for
   * `readonly` while a file is open for writing through the mount, or while another thread stays in a call for more than 100 ms.
   */
  remount?: boolean | undefined;
  /**
   * Changes how the mount at the target shares what is mounted in it, as `mount --make-shared`, with `recursive` as `mount --make-rshared`; nothing else: no flags and
   * no limits can be given with it. The source and the type have no meaning. A new mount is private, or shared if the one it stands in is. ENOSPC for `recursive`
   * where the mounts are too many for one change.
   */
  propagation?: MountPropagation | undefined;
}

/** Options of {@link Vfs.umount}: the flags of umount2(2). */
export interface UmountOptions {
  /** Removes the mount, and those below it, from the tree at once, and frees each after its last use. */
  detach?: boolean | undefined;
  /** The first call marks the mount and fails with EAGAIN; a later one unmounts it, unless it was used in between. EINVAL with `detach` or `force`. */
  expire?: boolean | undefined;
  /** Nothing more, because no file system here waits for a server. */
  force?: boolean | undefined;
  /** Does not follow a link at the end of the path: EINVAL. */
  nofollow?: boolean | undefined;
}

const FLAGS = {
  ...{ readonly: MS_RDONLY, noexec: MS_NOEXEC, nosuid: MS_NOSUID, nodev: MS_NODEV },
  ...{ nosymfollow: MS_NOSYMFOLLOW, nodiratime: MS_NODIRATIME },
} as const;
/** Of these a mount has one. */
const TIMES = { noatime: MS_NOATIME, relatime: 0, strictatime: MS_STRICTATIME } as const;

const PROPAGATION = { shared: MS_SHARED, slave: MS_SLAVE, private: MS_PRIVATE, unbindable: MS_UNBINDABLE } as const;

/** The flag of a propagation; 0: none is given. @throws TypeError ERR_INVALID_ARG_VALUE */
function propagationOf(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value === "string" && Object.hasOwn(PROPAGATION, value))
    return PROPAGATION[value as keyof typeof PROPAGATION];
  throw invalidArgValue("options.propagation", value, `must be one of: ${Object.keys(PROPAGATION).join(", ")}`);
}

/** The flags that are set, and those that are given at all. @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
function flagsOf(given: Partial<MountFlags>): { flags: number; mask: number } {
  let flags = 0;
  let mask = 0;
  for (const [name, bit] of Object.entries(FLAGS)) {
    const value = given[name as keyof typeof FLAGS];
    if (flagOption(value, `options.${name}`)) flags |= bit;
    if (value !== undefined) mask |= bit;
  }
  let chosen: string | undefined;
  for (const [name, bit] of Object.entries(TIMES)) {
    const value = given[name as keyof typeof TIMES];
    if (value !== undefined) mask |= MS_NOATIME | MS_STRICTATIME;
    if (!flagOption(value, `options.${name}`)) continue;
    if (chosen !== undefined) throw invalidArgValue(`options.${name}`, value, `cannot be given with options.${chosen}`);
    chosen = name;
    flags |= bit;
  }
  return { flags, mask };
}

/** @internal A limit as the core takes it; `otherwise`: where the option is left out. @throws RangeError ERR_OUT_OF_RANGE, TypeError ERR_INVALID_ARG_TYPE */
export function limitOption(value: unknown, name: keyof LimitOptions, otherwise: number): number {
  return value === undefined ? otherwise : toInteger(value, `options.${name}`, 0);
}

/** @throws TypeError ERR_INVALID_ARG_VALUE for a limit or a flag that means nothing here */
function refuseOthers(given: Partial<MountOptions>, names: readonly (keyof MountOptions)[], why: string): void {
  for (const name of names) {
    const value = given[name];
    if (value !== undefined && value !== false) throw invalidArgValue(`options.${name}`, value, why);
  }
}

/** @internal {@link Vfs.mount} */
export function mount(
  calls: SystemCalls,
  source: PathLike | null,
  target: PathLike,
  type: string,
  options: MountOptions | undefined,
): void {
  const dest = toPath(target, "target");
  const given = readOptions<MountOptions>(options, OPTIONS);
  const { flags, mask } = flagsOf(given);
  const bind = flagOption(given.bind, "options.bind") || type === "bind";
  const recursive = flagOption(given.recursive, "options.recursive");
  const move = flagOption(given.move, "options.move");
  const remount = flagOption(given.remount, "options.remount");
  const size = limitOption(given.size, "size", remount ? -1 : 0);
  const nrInodes = limitOption(given.nrInodes, "nrInodes", remount ? -1 : 0);
  const propagation = propagationOf(given.propagation);
  if (propagation !== 0) refuseOthers(given, NOT_PROPAGATED, "cannot be given with options.propagation");
  if (type !== "tmpfs" || bind || move) refuseOthers(given, LIMITS, 'is for a mount of type "tmpfs" alone');
  if (remount) refuseOthers(given, ["move", "recursive"], "cannot be given with options.remount");
  else if (recursive && !bind && propagation === 0)
    refuseOthers(given, ["recursive"], "is for a bind mount or options.propagation alone");
  if (typeof type !== "string") throw invalidArgType("type", "of type string", type);
  if (propagation !== 0) {
    const [length, length2] = calls.putPaths(dest, dest, "mount");
    calls.check(calls.core.sysMount(calls.ctx, length, length2, propagation | (recursive ? MS_REC : 0)), "mount", dest);
  } else if (remount) {
    const length = calls.putPath(dest, "mount");
    const how = flags | (bind ? MS_BIND : 0);
    calls.check(calls.core.sysRemount(calls.ctx, length, size, nrInodes, how, mask), "mount", dest);
  } else if (bind || move) {
    const path = toPath(source, "source");
    const [length, length2] = calls.putPaths(path, dest, "mount");
    const how = move ? MS_MOVE : MS_BIND | (recursive ? MS_REC : 0);
    calls.check(calls.core.sysMount(calls.ctx, length, length2, flags | how), "mount", path, dest);
  } else mountNew(calls, source, dest, type, { flags, size, nrInodes });
}

const OPTIONS = {
  ...{ readonly: true, noexec: true, nosuid: true, nodev: true, nosymfollow: true },
  ...{ noatime: true, nodiratime: true, relatime: true, strictatime: true },
  ...{ bind: true, recursive: true, move: true, remount: true, size: true, nrInodes: true },
  propagation: true,
} as const;
/** Every other option but `recursive`. */
const NOT_PROPAGATED = (Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]).filter(
  (name) => name !== "propagation" && name !== "recursive",
);
const LIMITS = ["size", "nrInodes"] as const;

function mountNew(
  calls: SystemCalls,
  source: PathLike | null,
  dest: Path,
  type: string,
  { flags, size, nrInodes }: { flags: number; size: number; nrInodes: number },
): void {
  calls.checkOpen();
  const { drivers } = calls.attachment;
  const driver = type === "tmpfs" ? 0 : drivers.find(type);
  if (driver === undefined) throw systemCallError(-ERRNO.ENODEV, "mount", type, dest);
  const length = calls.putPath(dest, "mount");
  const length2 = putSource(calls, source);
  const mounted = drivers.withSource(source, () =>
    calls.core.sysMountNew(calls.ctx, length, driver, flags, size, nrInodes, length2),
  );
  calls.check(mounted, "mount", dest);
}

/** Passes the source to the core for the list of mounts: as much as it keeps, in whole characters. Returns its bytes. */
function putSource(calls: SystemCalls, source: unknown): number {
  let text = textOf(source);
  let bytes = utf8Bytes(text);
  while (bytes.length > MOUNT_SOURCE_MAX) {
    text = [...text.slice(0, MOUNT_SOURCE_MAX + 1)].slice(0, -1).join("");
    bytes = utf8Bytes(text);
  }
  calls.attachment.path2.set(bytes);
  return bytes.length;
}

/** A path as text; "": what a driver takes instead of a path. */
function textOf(source: unknown): string {
  if (source instanceof Uint8Array) return decodeText(source, "utf8");
  const text = typeof source === "object" ? (source as Partial<URL> | null)?.href : source;
  return typeof text === "string" ? text : "";
}

/** @internal {@link Vfs.umount} */
export function umount(calls: SystemCalls, target: PathLike, options: UmountOptions | undefined): void {
  const path = toPath(target, "target");
  const given = readOptions<UmountOptions>(options, { detach: true, expire: true, force: true, nofollow: true });
  let flags = 0;
  for (const [name, bit] of Object.entries(UMOUNT_FLAGS))
    if (flagOption(given[name as keyof UmountOptions], `options.${name}`)) flags |= bit;
  const length = calls.putPath(path, "umount");
  calls.check(calls.core.sysUmount(calls.ctx, length, flags), "umount", path);
}

/** @internal {@link Context.pivotRoot} */
export function pivotRoot(calls: SystemCalls, newRoot: PathLike, putOld: PathLike): void {
  const path = toPath(newRoot, "newRoot");
  const dest = toPath(putOld, "putOld");
  const [length, length2] = calls.putPaths(path, dest, "pivot_root");
  calls.check(calls.core.sysPivotRoot(calls.ctx, length, length2), "pivot_root", path, dest);
}

const UMOUNT_FLAGS = { detach: MNT_DETACH, expire: MNT_EXPIRE, force: MNT_FORCE, nofollow: UMOUNT_NOFOLLOW } as const;
