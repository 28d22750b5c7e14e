/** Walks that stay below the directory where they start (RESOLVE_BENEATH), whatever the call. */
import { EXDEV } from "../../abi/errno.js";
import { AT_SYMLINK_NOFOLLOW, RESOLVE_BENEATH } from "../../abi/flags.js";
import { MODE_BENEATH } from "../../abi/host.js";
import type { SystemCalls } from "../node-fs/system-calls.js";

/** Makes a call of the core whose paths are below their descriptors. Its result. */
export function beneath({ core }: SystemCalls, call: () => number): number {
  const before = core.walkMode(MODE_BENEATH);
  if (before !== 0) core.walkMode(before | MODE_BENEATH);
  try {
    return call();
  } finally {
    core.walkMode(before);
  }
}

/** The paths of a call, which the scratch area still has. */
export interface TwoPaths {
  readonly dirfd: number;
  readonly length: number;
  /** How the first one is walked. */
  readonly flags: number;
  readonly dirfd2: number;
  readonly length2: number;
}

/** Whether one of two paths led out of its directory, after a call that returned EXDEV: else they are of two file systems. */
export function leadOut({ attachment, core, ctx }: SystemCalls, paths: TwoPaths): boolean {
  const leadsOut = (dirfd: number, bytes: number, how: number) =>
    core.sysWalk(ctx, dirfd, bytes, how, -1, RESOLVE_BENEATH) === -EXDEV;
  if (leadsOut(paths.dirfd, paths.length, paths.flags)) return true;
  attachment.path.set(attachment.path2.subarray(0, paths.length2 + 1));
  return leadsOut(paths.dirfd2, paths.length2, AT_SYMLINK_NOFOLLOW);
}
