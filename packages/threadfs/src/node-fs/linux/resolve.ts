/** openat2(2): what a walk may pass, as names, and the operation. Contexts take the same names. */
import {
  O_CREAT,
  O_TMPFILE_BIT,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../../abi/flags.js";
import { type KeysOf, readOptions } from "../../bridge/options.js";
import { invalidArgValue } from "../../errors/errors.js";
import { toFd, toOpenFlags, toPath, toUint32 } from "../args.js";
import { operation } from "../operation.js";
import type { OpenHow, ResolveFlag } from "./types.js";

const BITS: Readonly<Record<ResolveFlag, number>> = {
  beneath: RESOLVE_BENEATH,
  "in-root": RESOLVE_IN_ROOT,
  "no-xdev": RESOLVE_NO_XDEV,
  "no-symlinks": RESOLVE_NO_SYMLINKS,
  "no-magiclinks": RESOLVE_NO_MAGICLINKS,
  cached: RESOLVE_CACHED,
};

/**
 * A name, or an array of names, as RESOLVE_* bits.
 * @param refused a name that means nothing here
 * @throws TypeError ERR_INVALID_ARG_VALUE
 */
export function toResolve(value: unknown, name: string, refused?: ResolveFlag): number {
  if (value === undefined) return 0;
  const names: unknown[] = Array.isArray(value) ? Array.from(value) : [value];
  let bits = 0;
  for (const one of names) {
    if (typeof one !== "string" || one === refused || !Object.hasOwn(BITS, one)) {
      const known = Object.keys(BITS).filter((flag) => flag !== refused);
      throw invalidArgValue(name, value, `must be one of ${known.map((flag) => `"${flag}"`).join(", ")}, or some`);
    }
    bits |= BITS[one as ResolveFlag];
  }
  return bits;
}

const HOW: KeysOf<OpenHow> = { flags: true, mode: true, resolve: true };
const DEFAULT_MODE = 0o666;

export const openat2 = operation(
  (dir: unknown, path: unknown, how?: unknown) => {
    const dirfd = dir === null || dir === undefined ? undefined : toFd(dir);
    const checked = toPath(path);
    const { flags, mode, resolve } = readOptions<OpenHow>(how, HOW, "how");
    const bits = toOpenFlags(flags, "how.flags");
    const creates = (bits & (O_CREAT | O_TMPFILE_BIT)) !== 0;
    return {
      ...{ dirfd, path: checked, flags: bits },
      mode: mode === undefined ? (creates ? DEFAULT_MODE : 0) : toUint32(mode, "how.mode"),
      resolve: toResolve(resolve, "how.resolve"),
    };
  },
  (calls, { dirfd = calls.dirfd, path, flags, mode, resolve }): number =>
    calls.openat2(dirfd, path, flags, mode, resolve),
);
