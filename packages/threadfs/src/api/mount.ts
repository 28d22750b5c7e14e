/** mount(2): its options, and which call of the core they ask for. */
import * as ERRNO from "../../abi/errno.js";
import { MS_BIND, MS_MOVE, MS_NOEXEC, MS_RDONLY } from "../../abi/flags.js";
import { flagOption, readOptions } from "../bridge/options.js";
import { invalidArgType, invalidArgValue, systemCallError } from "../errors/errors.js";
import { toInteger, toPath } from "../node-fs/args.js";
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

/** Options of {@link Vfs.mount}. Limits are those of a "tmpfs". */
export interface MountOptions extends LimitOptions {
  readonly?: boolean | undefined;
  noexec?: boolean | undefined;
  /** Mounts the source directory at the target too. */
  bind?: boolean | undefined;
  /** Moves the mount at the source to the target. */
  move?: boolean | undefined;
  /**
   * Changes the limits of the "tmpfs" that is mounted at the target, for all its mounts; a limit that is left out stays. EINVAL for one that is below what is
   * used, and for one where there was none, as in Linux.
   */
  remount?: boolean | undefined;
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
  const given = readOptions<MountOptions>(options, {
    ...{ readonly: true, noexec: true, bind: true, move: true, remount: true, size: true, nrInodes: true },
  });
  const readonly = flagOption(given.readonly, "options.readonly");
  const noexec = flagOption(given.noexec, "options.noexec");
  const bind = flagOption(given.bind, "options.bind");
  const move = flagOption(given.move, "options.move");
  const remount = flagOption(given.remount, "options.remount");
  const size = limitOption(given.size, "size", remount ? -1 : 0);
  const nrInodes = limitOption(given.nrInodes, "nrInodes", remount ? -1 : 0);
  const flags = (readonly ? MS_RDONLY : 0) | (noexec ? MS_NOEXEC : 0);
  if (remount) refuseOthers(given, ["readonly", "noexec", "bind", "move"], "cannot be given with options.remount");
  if (type !== "tmpfs" || bind || move)
    refuseOthers(given, ["size", "nrInodes", "remount"], 'is for a mount of type "tmpfs" alone');
  if (type === "bind" || bind || move) {
    const path = toPath(source, "source");
    const [length, length2] = calls.putPaths(path, dest, "mount");
    const how = move ? MS_MOVE : MS_BIND;
    calls.check(calls.core.sysMount(calls.ctx, length, length2, flags | how), "mount", path, dest);
    return;
  }
  if (typeof type !== "string") throw invalidArgType("type", "of type string", type);
  calls.checkOpen();
  const { drivers } = calls.attachment;
  const driver = type === "tmpfs" ? 0 : drivers.find(type);
  if (driver === undefined) throw systemCallError(-ERRNO.ENODEV, "mount", type, dest);
  const length = calls.putPath(dest, "mount");
  const mounted = remount
    ? calls.core.sysRemount(calls.ctx, length, size, nrInodes)
    : drivers.withSource(source, () => calls.core.sysMountNew(calls.ctx, length, driver, flags, size, nrInodes));
  calls.check(mounted, "mount", dest);
}
