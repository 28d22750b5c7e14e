/**
 * The shrinker: kills unused dentries of drivers, where a tree has as many as it may have, and where memory is short (Linux:
 * prune_dcache_sb()).
 *
 * One thread shrinks at a time, under the shrink lock, which keeps the end of a file system out too. It takes no mutex besides, and of
 * what comes before the LRU lock in the order it only tries for d_lock: so a thread may shrink, and may wait for the one that does, with
 * any mutexes of its own.
 */

import * as COUNTER from "../../../abi/counters";
import * as HOOK from "../../../abi/hooks";
import * as host from "../../host";
import { objectsMax } from "../../mem/bounds";
import { lock, mutexTryLock, mutexUnlock, tryLock, unlock } from "../../mem/lock/lock";
import { lockrefCount } from "../../mem/lock/lockref";
import { count } from "../../mem/thread";
import { sleepUs } from "../../mem/wait";
import { G_LRU_LOCK, G_MAX_NEGATIVE, G_MAX_POSITIVE, G_SHRINK_LOCK, LRU_IDLE, LRU_NEGATIVE } from "../layout";
import { reclaimBacklog } from "../recovery/reclaim";
import { lruCount, lruLast, lruLink, lruUnlink, unusedDentries, unusedOf } from "./d-lru";
import { dentryKill, dput } from "./dcache";
import { D_IDLE, D_REFERENCED } from "./dentry";

/** The most dentries that are killed at a time where a limit is reached; an eighth of a lower limit, and at least 2, so that they become fewer. */
const SHRINK_BATCH: u32 = 64;
/** How long a thread that has no memory waits for another one that shrinks. */
const SHRINK_MS: f64 = 100;

/** Hooks that the end of a dentry or of its inode may call. */
const END_HOOKS: u32 = HOOK.IPUT | HOOK.DELETE;

/**
 * Looks at the dentry that has been unused for longest of a kind (LRU_NEGATIVE or 0), an idle one if there is one: takes it out of its list
 * if it is in use, gives it another turn if it was used, else kills it. `hooks`: the end of a dentry may call hooks; without it, a dentry that
 * has some gets another turn. True: killed.
 */
function shrinkOne(kind: u32, hooks: bool): bool {
  lock(G_LRU_LOCK);
  const idle = lruLast(kind | LRU_IDLE);
  const d = idle ? idle : lruLast(kind);
  // The LRU lock comes after d_lock, so the dentry's lock is only tried here.
  if (!d || !tryLock(d.lockref)) {
    unlock(G_LRU_LOCK);
    return false;
  }
  const unused = lockrefCount(d.lockref) == 0;
  const again = unused && ((d.flags & D_REFERENCED) != 0 || (!hooks && (d.sb.hooks & END_HOOKS) != 0));
  lruUnlink(d);
  if (again) lruLink(d, 0);
  unlock(G_LRU_LOCK);
  if (!unused || again) {
    unlock(d.lockref);
    return false;
  }
  const parent = dentryKill(d);
  count(COUNTER.shrunkDentries);
  if (parent) dput(parent);
  return true;
}

/** Kills up to `n` dentries of a kind. Returns how many. Under the shrink lock. */
function shrinkKind(kind: u32, n: u32, hooks: bool): u32 {
  let killed: u32 = 0;
  // Each is looked at twice at most: used dentries get one more turn.
  let left = min<u32>(unusedOf(kind), objectsMax()) << 1;
  while (killed < n && left-- != 0) if (shrinkOne(kind, hooks)) killed++;
  return killed;
}

function shrinkLocked(n: u32, hooks: bool): u32 {
  const negative = shrinkKind(LRU_NEGATIVE, n, hooks);
  return negative + shrinkKind(0, n - negative, hooks);
}

/**
 * Kills up to `n` unused dentries, those of names that do not exist first, and of each kind the longest unused; one that was used
 * since it was listed gets a second turn. Returns how many.
 */
export function shrinkDcache(n: u32): u32 {
  if (!mutexTryLock(G_SHRINK_LOCK)) return 0;
  const killed = shrinkLocked(n, true);
  mutexUnlock(G_SHRINK_LOCK);
  return killed;
}

/**
 * For a thread that found no memory: kills one part in `parts` of the unused dentries, after it has waited for another thread that shrinks. The
 * caller may hold mutexes, so `hooks` is for when nothing else has helped. False: there are none, or the other thread takes too long.
 */
export function shrinkForSpace(parts: u32, hooks: bool): bool {
  const until = host.clock() + SHRINK_MS;
  while (!mutexTryLock(G_SHRINK_LOCK)) {
    if (host.clock() >= until) return false;
    sleepUs(100);
  }
  const unused = unusedDentries();
  const killed = shrinkLocked((unused + parts - 1) / parts, hooks);
  mutexUnlock(G_SHRINK_LOCK);
  return killed != 0;
}

/** Marks up to `n` dentries of a kind as idle, the longest unused first; one that was used gets another turn, one in use leaves its list. */
function age(kind: u32, n: u32): void {
  for (let left = n; left != 0; left--) {
    lock(G_LRU_LOCK);
    const d = lruLast(kind);
    if (!d || !tryLock(d.lockref)) {
      unlock(G_LRU_LOCK);
      return;
    }
    const unused = lockrefCount(d.lockref) == 0;
    const used = (d.flags & D_REFERENCED) != 0;
    lruUnlink(d);
    if (unused) lruLink(d, used ? 0 : D_IDLE);
    unlock(G_LRU_LOCK);
    unlock(d.lockref);
  }
}

/** Keeps one kind of unused dentries below its limit, and at most half of the limit from being idle. */
function pruneKind(kind: u32, limit: usize): void {
  const most = atomic.load<u32>(limit);
  const batch = max<u32>(min<u32>(most >> 3, SHRINK_BATCH), 2);
  if (lruCount(kind) > (most >> 1) + batch) age(kind, batch << 1);
  if (unusedOf(kind) < most || !mutexTryLock(G_SHRINK_LOCK)) return;
  shrinkKind(kind, batch, true);
  mutexUnlock(G_SHRINK_LOCK);
  // Where a reader keeps the dead ones from being freed, the thread that makes new ones waits for it.
  reclaimBacklog();
}

/** Keeps the limits of unused dentries, for a thread that is about to make another one. It may hold an i_mutex, and has a reference on what it uses. */
export function pruneDcache(): void {
  pruneKind(LRU_NEGATIVE, G_MAX_NEGATIVE);
  pruneKind(0, G_MAX_POSITIVE);
}
