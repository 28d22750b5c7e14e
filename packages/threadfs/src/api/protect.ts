/** The protection of files in directories that others may write: options of a new tree. */
import {
  PROTECTED_FIFOS_SHIFT,
  PROTECTED_HARDLINKS,
  PROTECTED_REGULAR_SHIFT,
  PROTECTED_SYMLINKS,
} from "../../abi/permissions.js";
import { invalidArgType } from "../errors/errors.js";
import { toInteger } from "../node-fs/args.js";

/**
 * Linux's protection of directories that every user may write, such as /tmp, by the names and with the meanings of /proc/sys/fs (proc(5)). The defaults
 * are those of Debian and Ubuntu; the kernel's own are 0. What is refused is EACCES, and EPERM for a further name. It concerns the superuser too.
 */
export interface ProtectOptions {
  /**
   * Whether a link at the end of a path that is in a sticky directory which every user may write is followed only by its owner, or if the owner of the
   * directory owns it. Default: true.
   */
  protectedSymlinks?: boolean | undefined;
  /**
   * Whether a file gets a further name only from its owner, from a caller with CAP_FOWNER, or, if it is a regular file without set-id bits, from one who
   * may read and write it. Default: true.
   */
  protectedHardlinks?: boolean | undefined;
  /**
   * Where O_CREAT does not open a regular file that is neither the caller's nor the directory's owner's: 1: in sticky directories that every user may write, 2: also
   * in those that the group may write, 0: nowhere. Default: 2.
   */
  protectedRegular?: 0 | 1 | 2 | undefined;
  /** The same for named pipes. Default: 1. */
  protectedFifos?: 0 | 1 | 2 | undefined;
}

/** @throws TypeError ERR_INVALID_ARG_TYPE */
function isSet(value: unknown, name: keyof ProtectOptions): boolean {
  if (value !== undefined && typeof value !== "boolean")
    throw invalidArgType(`options.${name}`, "of type boolean", value);
  return value !== false;
}

/** @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE */
const levelOf = (value: unknown, name: keyof ProtectOptions, otherwise: number): number =>
  value === undefined ? otherwise : toInteger(value, `options.${name}`, 0, 2);

/** @internal PROTECTED_* bits */
export function toProtect(options: Partial<ProtectOptions>): number {
  const { protectedSymlinks, protectedHardlinks, protectedRegular, protectedFifos } = options;
  return (
    (isSet(protectedSymlinks, "protectedSymlinks") ? PROTECTED_SYMLINKS : 0) |
    (isSet(protectedHardlinks, "protectedHardlinks") ? PROTECTED_HARDLINKS : 0) |
    (levelOf(protectedRegular, "protectedRegular", 2) << PROTECTED_REGULAR_SHIFT) |
    (levelOf(protectedFifos, "protectedFifos", 1) << PROTECTED_FIFOS_SHIFT)
  );
}
