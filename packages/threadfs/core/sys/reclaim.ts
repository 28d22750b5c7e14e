/** Memory that is given back on request. */

import { EDEADLK, EINVAL } from "../../abi/errno";
import { rcuDepth, synchronizeRcu as waitForReaders } from "../mem/smr/smr";
import { tid } from "../mem/thread";
import { shrinkDcache } from "../vfs/dcache/dcache";
import { enterActive, leaveActive } from "../vfs/recovery/quiescence";
import { makeSpace } from "../vfs/recovery/reclaim";

/** Waits until every read-side section that was open at the call has ended. 0, -EINVAL or -EDEADLK. */
export function synchronizeRcu(): i32 {
  if (tid == 0) return -EINVAL;
  if (rcuDepth() != 0) return -EDEADLK;
  waitForReaders();
  return 0;
}

/** Frees at most `count` unused dentries, and the memory whose grace period has ended. Returns how many dentries it freed. */
export function shrink(count: u32): i32 {
  if (tid == 0) return -EINVAL;
  enterActive();
  const freed = shrinkDcache(count);
  // The thread is active here too: an object that it has taken off the retired list is on no other list until it is free.
  makeSpace();
  leaveActive();
  return <i32>freed;
}
