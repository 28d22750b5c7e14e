/**
 * Work that needs every other thread to be quiescent (quiescence.ts): the recount of references, and giving memory of
 * names and inodes back. G_RECOUNT_OWNER names the thread that does it; meanwhile no other thread becomes active.
 */

import * as host from "../../host";
import { G_SLOTS_USED, MAX_THREADS, SLOT_SIZE, SLOTS } from "../../mem/layout";
import { slot, tid } from "../../mem/thread";
import { sleepUs } from "../../mem/wait";
import { G_RECOUNT_OWNER, SLOT_ACTIVE } from "../layout";

/** Waits at most `waitMs` for all other threads to become quiescent, and keeps them so. False: not possible now. */
export function excludeOthers(waitMs: f64): bool {
  if (atomic.cmpxchg<u32>(G_RECOUNT_OWNER, 0, tid) != 0) return false;
  if (allQuiescent(waitMs)) return true;
  admitOthers();
  return false;
}

export function admitOthers(): void {
  atomic.store<u32>(G_RECOUNT_OWNER, 0);
}

function allQuiescent(waitMs: f64): bool {
  const until = host.clock() + waitMs;
  for (let s = SLOTS; s < SLOTS + min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS) * SLOT_SIZE; s += SLOT_SIZE) {
    while (s != slot && atomic.load<u32>(s + SLOT_ACTIVE) != 0) {
      if (host.clock() >= until) return false;
      sleepUs(100);
    }
  }
  return true;
}
