/** Frees memory on request. */

import { EDEADLK, EINVAL, EPERM } from "../../../abi/errno";
import { CAP_SYS_ADMIN } from "../../../abi/permissions";
import { rcuDepth, synchronizeRcu as waitForReaders } from "../../mem/smr/smr";
import { tid } from "../../mem/thread";
import { shrinkDcache } from "../../vfs/dcache/d-shrink";
import { makeSpace } from "../../vfs/recovery/space";
import { capable } from "../../vfs/task/cred";
import { syscallEnterActive, syscallEnterErr, syscallExit } from "../syscall";

/** Waits until every read-side section that is open now has ended. Returns 0, -EINVAL or -EDEADLK. */
export function synchronizeRcu(): i32 {
  if (tid == 0) return -EINVAL;
  if (rcuDepth() != 0) return -EDEADLK;
  waitForReaders();
  return 0;
}

/**
 * Frees at most `count` unused dentries, and objects whose grace period is over. Returns how many dentries it freed; -EPERM
 * without CAP_SYS_ADMIN, because it costs every thread of the tree (/proc/sys/vm/drop_caches).
 */
export function shrink(ctx: f64, count: u32): i32 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
  if (!capable(c, CAP_SYS_ADMIN)) return syscallExit(-EPERM);
  const freed = shrinkDcache(count);
  // Active here too, because an object taken off the retired list is in no structure until it is free.
  makeSpace(0);
  return syscallExit(<i32>freed);
}
