/** Frees memory on request. */

import { EDEADLK, EINVAL } from "../../abi/errno";
import { rcuDepth, synchronizeRcu as waitForReaders } from "../mem/smr/smr";
import { tid } from "../mem/thread";
import { shrinkDcache } from "../vfs/dcache/dcache";
import { enterActive, leaveActive } from "../vfs/recovery/quiescence";
import { makeSpace } from "../vfs/recovery/reclaim";

/** Waits until every read-side section that is open now has ended. Returns 0, -EINVAL or -EDEADLK. */
export function synchronizeRcu(): i32 {
  if (tid == 0) return -EINVAL;
  if (rcuDepth() != 0) return -EDEADLK;
  waitForReaders();
  return 0;
}

/**
 * Frees at most `count` unused dentries, and objects whose grace period is over. Returns how many dentries it freed.
 */
export function shrink(count: u32): i32 {
  if (tid == 0) return -EINVAL;
  enterActive();
  const freed = shrinkDcache(count);
  // Active here too, because an object taken off the retired list is in no structure until it is free.
  makeSpace();
  leaveActive();
  return <i32>freed;
}
