/** The shrinker: kills unused dentries. */

import * as COUNTER from "../../../abi/counters";
import { objectsMax } from "../../mem/bounds";
import { lock, mutexTryLock, mutexUnlock, tryLock, unlock } from "../../mem/lock/lock";
import { lockrefCount } from "../../mem/lock/lockref";
import { count } from "../../mem/thread";
import { G_LRU_COUNT, G_LRU_LOCK, G_LRU_TAIL, G_SHRINK_LOCK } from "../layout";
import { lruAdd, lruUnlink } from "./d-lru";
import { dentryKill, dput } from "./dcache";
import { D_REFERENCED, Dentry } from "./dentry";

/**
 * Kills up to `n` unused dentries, least recently used first; a dentry that was used since it was listed gets a second
 * chance. Returns how many.
 */
export function shrinkDcache(n: u32): u32 {
  if (!mutexTryLock(G_SHRINK_LOCK)) return 0;
  let killed: u32 = 0;
  let looked = min<u32>(load<u32>(G_LRU_COUNT), objectsMax()) << 1;
  while (killed < n && looked-- != 0) {
    // The LRU lock comes after d_lock, so the dentry's lock is only tried here.
    lock(G_LRU_LOCK);
    const d = changetype<Dentry>(<usize>load<u32>(G_LRU_TAIL));
    if (!d) {
      unlock(G_LRU_LOCK);
      break;
    }
    if (!tryLock(d.lockref)) {
      unlock(G_LRU_LOCK);
      continue;
    }
    const again = (d.flags & D_REFERENCED) != 0 && lockrefCount(d.lockref) == 0;
    lruUnlink(d);
    unlock(G_LRU_LOCK);
    if (again) lruAdd(d);
    if (again || lockrefCount(d.lockref) != 0) {
      unlock(d.lockref);
      continue;
    }
    const parent = dentryKill(d);
    killed++;
    count(COUNTER.shrunkDentries);
    if (parent) dput(parent);
  }
  mutexUnlock(G_SHRINK_LOCK);
  return killed;
}
