/**
 * The lists of unused dentries of drivers, each with the one that was listed last first. The shrinker (d-shrink.ts) takes them from the
 * ends.
 *
 *   G_LRU_LISTS    4 x { head ptr, tail ptr, how many u32 }, by number: LRU_NEGATIVE for names that do not exist, with LRU_IDLE for
 *                  those that have not been used lately
 *
 * Names that do not exist have lists and a limit of their own, so that a thread which asks for any number of them costs no file that
 * others use its dentry.
 *
 * A walk in rcu mode stores nothing, so nothing shows which dentries it uses: as with pages in Linux's idle page tracking the older half of
 * each kind is marked (D_IDLE), and the next walk that comes to such a dentry takes a reference on it. When that is dropped the dentry is
 * listed first again. So a walk stores something once in the time in which half of the list passes, and what is idle at the end of its
 * list has not been used for that long. A dentry that is used by references (open, ref mode) is marked by D_REFERENCED before it is idle.
 *
 * Guarantees: under d_lock and the LRU lock a dentry is in the list that its type bits and D_IDLE name, or in none. So its type changes
 * only while it is in none.
 */

import * as COUNTER from "../../../abi/counters";
import { lock, unlock } from "../../mem/lock/lock";
import { count } from "../../mem/thread";
import { put32, set32 } from "../../mem/undo/log";
import {
  G_LRU_LISTS,
  G_LRU_LOCK,
  LRU_COUNT,
  LRU_HEAD,
  LRU_IDLE,
  LRU_LIST_SIZE,
  LRU_NEGATIVE,
  LRU_TAIL,
} from "../layout";
import { D_IDLE, D_NEGATIVE, D_ON_LRU, D_REFERENCED, D_TYPE, Dentry, setFlags } from "./dentry";

export function lruList(n: u32): usize {
  return G_LRU_LISTS + n * LRU_LIST_SIZE;
}

/** The dentry that has been in a list for longest, or null. Under the LRU lock. */
export function lruLast(n: u32): Dentry {
  return changetype<Dentry>(<usize>load<u32>(lruList(n) + LRU_TAIL));
}

/** How many dentries are in a list. */
export function lruCount(n: u32): u32 {
  return atomic.load<u32>(lruList(n) + LRU_COUNT);
}

/** How many unused dentries of a kind there are, LRU_NEGATIVE or 0: in both of its lists. */
export function unusedOf(kind: u32): u32 {
  return lruCount(kind) + lruCount(kind | LRU_IDLE);
}

/** How many dentries are in all lists. */
export function unusedDentries(): u32 {
  return unusedOf(0) + unusedOf(LRU_NEGATIVE);
}

function listOf(flags: u32): usize {
  return lruList(((flags & D_TYPE) == D_NEGATIVE ? LRU_NEGATIVE : 0) | (flags & D_IDLE ? LRU_IDLE : 0));
}

/** Lists a dentry that is in no list. `idle`: D_IDLE or 0. Under d_lock and the LRU lock. */
export function lruLink(d: Dentry, idle: u32): void {
  const list = listOf(d.flags | idle);
  const first = load<u32>(list + LRU_HEAD);
  d.lruNext = first;
  d.lruPrev = 0;
  if (first != 0) changetype<Dentry>(<usize>first).lruPrev = <u32>d.at;
  else set32(list + LRU_TAIL, <u32>d.at);
  set32(list + LRU_HEAD, <u32>d.at);
  put32(list + LRU_COUNT, load<u32>(list + LRU_COUNT) + 1);
  setFlags(d, D_ON_LRU | idle, 0);
}

/** Under d_lock and the LRU lock. */
export function lruUnlink(d: Dentry): void {
  const list = listOf(d.flags);
  if (d.lruPrev != 0) changetype<Dentry>(<usize>d.lruPrev).lruNext = d.lruNext;
  else set32(list + LRU_HEAD, d.lruNext);
  if (d.lruNext != 0) changetype<Dentry>(<usize>d.lruNext).lruPrev = d.lruPrev;
  else set32(list + LRU_TAIL, d.lruPrev);
  d.lruNext = 0;
  d.lruPrev = 0;
  put32(list + LRU_COUNT, load<u32>(list + LRU_COUNT) - 1);
  setFlags(d, 0, D_ON_LRU | D_REFERENCED | D_IDLE);
}

/** A dentry loses its last reference: lists it, or, if it is in a list still, marks it as used again. Under d_lock. */
export function lruAdd(d: Dentry): void {
  const flags = d.flags;
  if ((flags & (D_ON_LRU | D_IDLE)) == D_ON_LRU) {
    if (!(flags & D_REFERENCED)) setFlags(d, D_REFERENCED, 0);
    return;
  }
  lock(G_LRU_LOCK);
  if (flags & D_IDLE) {
    lruUnlink(d);
    count(COUNTER.activatedDentries);
  }
  lruLink(d, 0);
  unlock(G_LRU_LOCK);
}

/** Under d_lock, before the dentry is killed or gets another type. */
export function lruRemove(d: Dentry): void {
  if (!(d.flags & D_ON_LRU)) return;
  lock(G_LRU_LOCK);
  lruUnlink(d);
  unlock(G_LRU_LOCK);
}
