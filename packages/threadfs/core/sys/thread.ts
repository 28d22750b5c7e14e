/** Threads attach to the arena and detach from it. */

import { EBUSY, EDEADLK, EINVAL, ENOENT, ENOSPC, EUSERS } from "../../abi/errno";
import { HOST_AUDIT, HOST_SECURITY } from "../../abi/host";
import { HOLDS_LOCK, THREAD_CLOSES, THREAD_OF_HOST } from "../../abi/memory";
import * as SCRATCH from "../../abi/scratch";
import { chunkAddress, chunkAllocRun } from "../mem/alloc/pages";
import * as L from "../mem/layout";
import { lock, unlock } from "../mem/lock/lock";
import { rcuDepth } from "../mem/smr/smr";
import * as T from "../mem/thread";
import { put32, set32, txDepth } from "../mem/undo/log";
import { setWaitLimit } from "../mem/wait";
import { setFileOwner } from "../vfs/file/file";
import * as V from "../vfs/layout";
import { leaveChanges } from "../vfs/notify/changes";
import { active, enterActive, leaveActive } from "../vfs/recovery/quiescence";
import { releaseContextOf, resumeContext } from "../vfs/task/context-ref";
import { clearPrefixTags, hookDepth, setHostHooks, setPrefixCache, setWalkModes, walkModes } from "../vfs/task/thread";
import { clearSearched } from "../vfs/walk/searched";
import { arenaCheck } from "./arena/arena";
import { closeOwned, threadAbandon } from "./recovery";
import { clearSlot, freeSlot, SLOT_STATES, SLOT_USED, slotAt, threadNumberAt } from "./slot";

/**
 * Takes a slot for the calling thread. `mayWait` 0: Atomics.wait is not allowed. `hostId`: the host's id of the thread,
 * 0: none. State and id are stored together, so that a thread that dies while it attaches can be found. Returns 0,
 * -EINVAL, -EUSERS or -ENOSPC.
 */
export function threadAttach(mayWait: i32, hostId: u32): i32 {
  if (arenaCheck() != 0) return -EINVAL;
  if (T.tid != 0) return -EINVAL;
  let n: u32 = 0;
  while (n < L.MAX_THREADS && atomic.cmpxchg<u64>(slotAt(n) + L.SLOT_STATE, 0, ((<u64>hostId) << 32) | SLOT_USED) != 0)
    n++;
  if (n == L.MAX_THREADS) return -EUSERS;
  T.setThread(n, 0, mayWait != 0);
  return startThread(n, mayWait);
}

/**
 * Takes the slot of a thread that has ended, for a host that knows of the end when no slot is free: recovers that thread
 * in place, and goes on as its successor. `keep` not 0: the contexts and descriptors that end with that thread stay. Precondition: the
 * thread has terminated. Returns as threadAttach(); -EBUSY: another thread recovers it.
 */
export function threadTakeOver(n: u32, mayWait: i32, hostId: u32, keep: i32): i32 {
  if (arenaCheck() != 0 || T.tid != 0 || n >= L.MAX_THREADS) return -EINVAL;
  const s = slotAt(n);
  const state = atomic.load<u64>(s + L.SLOT_STATE);
  if ((<u32>state & SLOT_STATES) != SLOT_USED) return -EBUSY;
  if (atomic.cmpxchg<u64>(s + L.SLOT_STATE, state, ((<u64>hostId) << 32) | SLOT_USED) != state) return -EBUSY;
  T.setThread(n, load<u32>(s + L.SLOT_SCRATCH), mayWait != 0);
  threadAbandon(0);
  enterActive();
  releaseContextOf(s);
  leaveActive();
  if (keep == 0) closeOwned(s);
  leaveChanges(s);
  clearSlot(s);
  return startThread(n, mayWait);
}

/** Gives the slot, which is the calling thread's, what a thread needs. */
function startThread(n: u32, mayWait: i32): i32 {
  const s = slotAt(n);
  lock(L.G_SLOT_LOCK);
  if (load<u32>(L.G_SLOTS_USED) <= n) put32(L.G_SLOTS_USED, n + 1);
  if (load<u32>(s + L.SLOT_SCRATCH) == 0) {
    const run = chunkAllocRun(<u32>SCRATCH.SIZE >> L.CHUNK_SHIFT);
    if (run != 0) set32(s + L.SLOT_SCRATCH, <u32>chunkAddress(run));
  }
  if (load<u32>(s + L.SLOT_SCRATCH) != 0 && load<u32>(s + V.SLOT_PREFIX_CACHE) == 0)
    set32(s + V.SLOT_PREFIX_CACHE, allocPrefixCache());
  unlock(L.G_SLOT_LOCK);
  const scratch = load<u32>(s + L.SLOT_SCRATCH);
  if (scratch == 0) {
    atomic.store<u64>(s + L.SLOT_STATE, 0);
    T.clearThread();
    return -ENOSPC;
  }
  T.setThread(n, scratch, mayWait != 0);
  setPrefixCache(load<u32>(s + V.SLOT_PREFIX_CACHE));
  atomic.store<u64>(s + V.SLOT_HOME, 0);
  // The slot's previous thread may have died while filling an entry.
  clearPrefixTags();
  clearSearched(atomic.load<u32>(L.G_SEQ_WRAPS));
  return 0;
}

/**
 * Makes this instance a second one of the thread in slot `n`, for a replay in another build of the core (src/api/explain/replay.ts): with that
 * thread's scratch area and prefix cache. Precondition: the caller is that thread; its first instance is in no call, and makes none
 * until the last call of this one has returned, and threadResume(). Which directories were searched before is forgotten, so that the
 * replay finds out who decides. Returns 0, -EINVAL or, inside a call, -EBUSY.
 */
export function threadShare(n: u32, mayWait: i32): i32 {
  if (arenaCheck() != 0 || T.tid != 0 || n >= L.MAX_THREADS) return -EINVAL;
  const s = slotAt(n);
  if ((atomic.load<u32>(s + L.SLOT_STATE) & SLOT_STATES) != SLOT_USED) return -EINVAL;
  if (atomic.load<u32>(s + L.SLOT_EPOCH) != 0 || atomic.load<u32>(s + V.SLOT_ACTIVE) != 0) return -EBUSY;
  T.setThread(n, load<u32>(s + L.SLOT_SCRATCH), mayWait != 0);
  setPrefixCache(load<u32>(s + V.SLOT_PREFIX_CACHE));
  clearSearched(atomic.load<u32>(L.G_SEQ_WRAPS));
  resumeContext();
  return 0;
}

/**
 * Ends the time of a second instance (threadShare()): this one, the thread's first, takes over the context that it has acquired. It is all
 * that an instance knows between two calls and the slot can change. Returns 0 or -EINVAL.
 */
export function threadResume(): i32 {
  if (T.tid == 0) return -EINVAL;
  resumeContext();
  return 0;
}

/** Allocates a prefix cache; 0: the arena has no room for another one. Under the slot lock. */
function allocPrefixCache(): u32 {
  const n = load<u32>(V.G_PREFIX_CACHES) + 1;
  const max = load<u32>(L.H_MAX_CHUNKS);
  const chunks = load<u32>(V.G_PREFIX_CHUNKS);
  if (max < V.PREFIX_CACHE_MIN_CHUNKS || n * chunks * V.PREFIX_CACHE_SHARE > max) return 0;
  const run = chunkAllocRun(chunks);
  if (run == 0) return 0;
  set32(V.G_PREFIX_CACHES, n);
  return <u32>chunkAddress(run);
}

/**
 * Closes the contexts that end with the calling thread, and frees its slot. Returns 0, -EINVAL or, inside a call, -EDEADLK: a
 * hook or the clock may close the attachment or end the thread, and then the call's locks and references need a recovery.
 */
export function threadDetach(): i32 {
  if (T.tid == 0) return -EINVAL;
  if (hookDepth != 0 || active || rcuDepth() != 0 || txDepth != 0) return -EDEADLK;
  closeOwned(T.slot);
  leaveChanges(T.slot);
  freeSlot(T.slot);
  T.clearThread();
  return 0;
}

/** The number of the calling thread's slot, as `threadRecover` takes it; -1: none. */
export function threadSlot(): i32 {
  return <i32>T.tid - 1;
}

/** The calling thread's number, as `threadDied` takes it; -1: it is not attached. */
export function threadNumber(): f64 {
  return T.tid == 0 ? -1 : threadNumberAt(T.tid - 1);
}

/**
 * The slot of another thread with this host's id, or -ENOENT. `family` not 0: of a thread to which the host gave the id,
 * or that was made by that thread or by one that it made.
 */
export function threadFind(hostId: u32, family: i32): i32 {
  for (let n: u32 = 0; n < L.MAX_THREADS && hostId != 0; n++) {
    const s = slotAt(n);
    const state = atomic.load<u64>(s + L.SLOT_STATE);
    if (<u32>state == 0 || n == T.tid - 1) continue;
    const id = <u32>(state >> 32);
    if (family == 0 ? id == hostId : belongsTo(s, id, hostId)) return <i32>n;
  }
  return -ENOENT;
}

function belongsTo(s: usize, id: u32, hostId: u32): bool {
  if (!(atomic.load<u32>(s + L.SLOT_FLAGS) & THREAD_OF_HOST)) return false;
  if ((id & ~HOLDS_LOCK) == hostId) return true;
  for (let i: u32 = 0; i < L.NR_ANCESTORS; i++) {
    if (atomic.load<u32>(s + L.SLOT_ANCESTORS + (i << 2)) == hostId) return true;
  }
  return false;
}

/**
 * What this thread is (THREAD_*), and the host's ids of the threads that it ends with, 0: no more. Returns 0, or -EINVAL
 * without a slot.
 */
export function threadFamily(flags: u32, a: u32, b: u32, c: u32, d: u32, e: u32): i32 {
  if (T.tid == 0) return -EINVAL;
  const at = T.slot + L.SLOT_ANCESTORS;
  atomic.store<u32>(at, a);
  atomic.store<u32>(at, b, 4);
  atomic.store<u32>(at, c, 8);
  atomic.store<u32>(at, d, 12);
  atomic.store<u32>(at, e, 16);
  atomic.store<u32>(T.slot + L.SLOT_FLAGS, flags);
  setFileOwner(flags & THREAD_CLOSES ? T.tid : 0);
  return 0;
}

/** The address of the calling thread's scratch area, unsigned: the host applies `>>> 0`. */
export function scratchBase(): u32 {
  return <u32>T.scratch;
}

/** Sets which hooks this thread's host has: HOST_SECURITY, HOST_AUDIT. Returns 0. */
export function hostHooks(bits: u32): i32 {
  setHostHooks((bits & HOST_SECURITY) != 0, (bits & HOST_AUDIT) != 0);
  return 0;
}

/** Sets how long this thread waits for others, in milliseconds, before it leaves a call (`timedOut`). Returns 0. */
export function waitLimit(ms: f64): i32 {
  setWaitLimit(ms);
  return 0;
}

/** Sets the walk modes of this thread (MODE_*). Returns the previous ones. */
export function walkMode(modes: u32): i32 {
  const former = <i32>walkModes;
  setWalkModes(modes);
  return former;
}
