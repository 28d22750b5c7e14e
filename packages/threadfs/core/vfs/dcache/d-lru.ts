/** The list of unused dentries, the one that was listed last first. The shrinker (dcache.ts) takes them from its end. */

import { lock, unlock } from "../../mem/lock/lock";
import { put32, set32 } from "../../mem/undo/log";
import { G_LRU_COUNT, G_LRU_HEAD, G_LRU_LOCK, G_LRU_TAIL } from "../layout";
import { D_ON_LRU, D_REFERENCED, Dentry, setFlags } from "./dentry";

/** Puts a dentry without references on the list, or marks one on it as used again. Under d_lock. */
export function lruAdd(d: Dentry): void {
  if (d.flags & D_ON_LRU) {
    setFlags(d, D_REFERENCED, 0);
    return;
  }
  lock(G_LRU_LOCK);
  const first = load<u32>(G_LRU_HEAD);
  d.lruNext = first;
  d.lruPrev = 0;
  if (first != 0) changetype<Dentry>(<usize>first).lruPrev = <u32>d.at;
  else set32(G_LRU_TAIL, <u32>d.at);
  set32(G_LRU_HEAD, <u32>d.at);
  put32(G_LRU_COUNT, load<u32>(G_LRU_COUNT) + 1);
  setFlags(d, D_ON_LRU, 0);
  unlock(G_LRU_LOCK);
}

/** Under d_lock. */
export function lruRemove(d: Dentry): void {
  if (!(d.flags & D_ON_LRU)) return;
  lock(G_LRU_LOCK);
  lruUnlink(d);
  unlock(G_LRU_LOCK);
}

/** Under d_lock and the LRU lock. */
export function lruUnlink(d: Dentry): void {
  if (d.lruPrev != 0) changetype<Dentry>(<usize>d.lruPrev).lruNext = d.lruNext;
  else set32(G_LRU_HEAD, d.lruNext);
  if (d.lruNext != 0) changetype<Dentry>(<usize>d.lruNext).lruPrev = d.lruPrev;
  else set32(G_LRU_TAIL, d.lruPrev);
  d.lruNext = 0;
  d.lruPrev = 0;
  put32(G_LRU_COUNT, load<u32>(G_LRU_COUNT) - 1);
  setFlags(d, 0, D_ON_LRU | D_REFERENCED);
}
