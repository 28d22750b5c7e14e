/** Recovers a thread that has terminated in the middle of a call, and one that has left its call. */

import { EBUSY, EDEADLK, EINVAL, EPERM } from "../../abi/errno";
import { THREAD_CLOSES } from "../../abi/memory";
import { CAP_SYS_ADMIN } from "../../abi/permissions";
import { dataRepair, LOG_REDO, redoWrite } from "../fs/tmpfs/data";
import { redoPunch } from "../fs/tmpfs/holes";
import { contentsChangeEnd } from "../fs/tmpfs/unlocked";
import { chunkEntry, ENTRY_CACHE } from "../mem/alloc/pages";
import * as L from "../mem/layout";
import { rcuAbandon, rcuClear, rcuDepth } from "../mem/smr/smr";
import * as T from "../mem/thread";
import { forgetTransaction, MUTEXES_MAX } from "../mem/undo/log";
import { heldMutex, releaseThread, rollBackThread } from "../mem/undo/recover";
import { countDirChange } from "../vfs/dcache/dentry";
import { fdAbandon } from "../vfs/file/fdtable";
import { fdCloseOwned } from "../vfs/file/owner";
import { I_DRIVER, Inode } from "../vfs/inode/inode";
import * as V from "../vfs/layout";
import { CACHE_INODE } from "../vfs/layout";
import { giveUpRequestsOf, lockAbandon } from "../vfs/locks/fcntl";
import { freeLocks, wakeAllBlocked } from "../vfs/locks/file-lock";
import { leaveChanges } from "../vfs/notify/changes";
import { wakeAllPipes } from "../vfs/pipe/wait";
import { completeDriverChange } from "../vfs/recovery/driver-change";
import { outcome } from "../vfs/recovery/outcome";
import { enterActive, forgetActive, leaveActive } from "../vfs/recovery/quiescence";
import { recountReferences } from "../vfs/recovery/recount";
import { closeContextsOf, contextAbandon } from "../vfs/task/context";
import { contextCapable, forgetContext, releaseContext, releaseContextOf } from "../vfs/task/context-ref";
import { clearPrefixTags, hookDepth, setHookDepth } from "../vfs/task/thread";
import { freeSlot, isLiveThread, SLOT_DEAD, SLOT_STATES, slotAt, threadNumberAt } from "./slot";
import { syscallEnter, syscallEnterErr } from "./syscall";

/** Calls are shorter than this, unless a driver's hook blocks. */
const RECOUNT_WAIT_MS: f64 = 1000;
const ANY_THREAD: f64 = -1;

/**
 * Recovers a thread that the caller says has terminated: its number from threadSlot(). -EPERM: without CAP_SYS_ADMIN, because
 * a false report takes the locks of a thread that runs. 0 if the thread has left its slot already, which may be another's
 * now; -EINVAL: there was no such thread; -EAGAIN: this thread was stopped for long in the call.
 * Otherwise as threadRecover(), which is for what the host itself reports.
 */
export function threadDied(ctx: f64, thread: f64): i32 {
  if (!syscallEnter()) return syscallEnterErr;
  // Not as an active thread: the one that has ended may be what keeps others from becoming active.
  const may = contextCapable(ctx, CAP_SYS_ADMIN);
  if (may <= 0) return may == 0 ? -EPERM : may;
  const n = <u32>(<i64>thread) & (L.MAX_THREADS - 1);
  if (threadNumberAt(n) == thread) {
    const r = recover(n, 0, thread);
    if (r != -EINVAL) return r;
  }
  return threadNumberAt(n) > thread ? 0 : -EINVAL;
}

/**
 * Recovers the thread of a slot; the first caller does it. Precondition: the thread has terminated. Rolls its open
 * transaction back, releases its locks and drops its references. `trapped` not 0: the thread trapped, so the memory
 * that it references may be corrupt. Its references are kept then, because the recount could trap too.
 *
 * Returns 0; 1: all but the references, which are dropped when the other threads are quiescent; -EBUSY: another thread
 * is recovering it; -EINVAL: there is no such thread, or it is the caller; -EDEADLK: the caller is inside a hook or a
 * read-side section.
 */
export function threadRecover(slot: i32, trapped: i32): i32 {
  return recover(slot, trapped, ANY_THREAD);
}

/** `thread`: the number that the slot's thread must have, or ANY_THREAD. */
function recover(slot: i32, trapped: i32, thread: f64): i32 {
  if (T.tid == 0 || <u32>slot >= L.MAX_THREADS || <u32>slot == T.tid - 1) return -EINVAL;
  if (hookDepth != 0 || rcuDepth() != 0) return -EDEADLK;
  const s = slotAt(slot);
  const state = atomic.load<u32>(s + L.SLOT_STATE);
  if (state == 0) return -EINVAL;
  if ((state & SLOT_STATES) == SLOT_DEAD && isLiveThread((state >> 2) - 1)) return -EBUSY;
  if (atomic.cmpxchg<u32>(s + L.SLOT_STATE, state, SLOT_DEAD | (T.tid << 2)) != state) return -EBUSY;
  if (thread != ANY_THREAD && threadNumberAt(slot) != thread) {
    // The slot has been left and taken since the number was checked.
    atomic.cmpxchg<u32>(s + L.SLOT_STATE, SLOT_DEAD | (T.tid << 2), state);
    return -EINVAL;
  }
  rollBackChain(<u32>slot);
  for (let n: u32 = 0; n < L.MAX_THREADS; n++) if (isMine(n)) release(n);
  for (let n: u32 = 0; n < L.MAX_THREADS; n++) if (isMine(n)) finish(n, n == <u32>slot ? trapped : 0);
  return atomic.load<u32>(V.G_LEAKS) == 0 || recountReferences(RECOUNT_WAIT_MS) ? 0 : 1;
}

/** Whether this thread is recovering the thread of slot `n`. */
function isMine(n: u32): bool {
  return atomic.load<u32>(slotAt(n) + L.SLOT_STATE) == (SLOT_DEAD | (T.tid << 2));
}

/**
 * Rolls back the transaction of the thread in a slot. Its sequences become even, so it counts first as if it had changed a directory: the
 * thread may have died before it did.
 */
function rollBack(slot: usize, dead: u32): void {
  countDirChange();
  rollBackThread(slot + L.SLOT_UNDO_LOG, dead);
}

/**
 * Rolls a dead thread's transaction back and releases its spin locks; takes over the recoveries that it was making, and does the
 * same for those threads. Waits for nobody. Only then is anything done that takes locks: of two dead threads, one of
 * which was recovering the other, each may hold what the recovery of the other needs.
 */
function rollBackChain(slot: u32): void {
  rollBack(slotAt(slot), slot + 1);
  const theirs = SLOT_DEAD | ((slot + 1) << 2);
  for (let n: u32 = 0; n < L.MAX_THREADS; n++) {
    const state = slotAt(n) + L.SLOT_STATE;
    if (atomic.cmpxchg<u32>(state, theirs, SLOT_DEAD | (T.tid << 2)) == theirs) rollBackChain(n);
  }
}

/** Releases what the dead thread of a slot keeps others from: its mutexes, its read-side section, the gate of a recount. */
function release(slot: u32): void {
  const s = slotAt(slot);
  releaseHeld(s, slot + 1);
  rcuClear(s);
  // If the dead thread was recounting, another thread must be able to.
  atomic.cmpxchg<u32>(V.G_RECOUNT_OWNER, slot + 1, 0);
}

/** Gives back what the dead thread of a slot owned, and then the slot. */
function finish(slot: u32, trapped: i32): void {
  const s = slotAt(slot);
  if (atomic.load<u32>(s + V.SLOT_ACTIVE) != 0) {
    if (trapped == 0) atomic.add<u32>(V.G_LEAKS, 1);
    store<u32>(s + V.SLOT_CONTEXT, 0);
    atomic.store<u32>(s + V.SLOT_ACTIVE, 0);
  } else if (trapped == 0) {
    enterActive();
    releaseContextOf(s);
    leaveActive();
  }
  if (trapped == 0) closeOwned(s);
  else giveUpRequestsOf(slot + 1, true);
  leaveChanges(s);
  // The thread may have committed a change without waking those who wait for it.
  atomic.notify(V.G_CHANGES_SEQ, -1);
  // The same for a lock that it has released, and for a pipe.
  wakeAllBlocked();
  wakeAllPipes();
  freeSlot(s);
}

/**
 * Closes the contexts and descriptors that end with the thread of a slot, before the slot can be taken: its next thread has
 * the same number in lock words. The thread is this one, or has ended.
 */
export function closeOwned(s: usize): void {
  const owner = <u32>((s - L.SLOTS) / L.SLOT_SIZE) + 1;
  enterActive();
  giveUpRequestsOf(owner, false);
  closeContextsOf(owner);
  const closes = (atomic.load<u32>(s + L.SLOT_FLAGS) & THREAD_CLOSES) != 0;
  if (closes || atomic.load<u32>(s + V.SLOT_OPENS) != 0) fdCloseOwned(owner, !closes);
  releaseContext();
  leaveActive();
}

/** Completes or drops the change under each mutex of this slot's thread, releases the mutexes, frees pending blocks. */
function releaseHeld(s: usize, dead: u32): void {
  const j = s + L.SLOT_UNDO_LOG;
  for (let k: u32 = 0; k < MUTEXES_MAX; k++) repairContents(heldMutex(j, k, dead), s);
  store<u32>(j + LOG_REDO, 0);
  releaseThread(j, dead);
  freeLocks(s);
}

/**
 * Takes back what this thread's last call has begun, after the host has left that call by an exception because it waited
 * for too long (host.timedOut()): the same as recovery does for a dead thread, in the thread's own slot, which it keeps.
 * `leave` not 0: gives the slot up too, because the call was threadAttach().
 *
 * This may wait and time out as well; the host then calls it again later, and refuses other calls until it has returned
 * 0. References of the call are dropped by a recount, as after a death.
 * A call that has happened has a result to return: callOutcome().
 */
export function threadAbandon(leave: i32): i32 {
  if (T.tid == 0) return -EINVAL;
  const s = T.slot;
  // First the lists in the slot, then this instance's copies: what follows takes locks itself.
  rollBack(s, T.tid);
  forgetTransaction();
  setHookDepth(0);
  rcuAbandon();
  // Under the mutexes of the call: no other thread finds the tree without a change that has happened.
  completeDriverChange();
  releaseHeld(s, T.tid);
  fdAbandon();
  contextAbandon();
  atomic.cmpxchg<u32>(V.G_RECOUNT_OWNER, T.tid, 0);
  // The recovery of another thread may be what was left: any thread may go on with it.
  for (let n: u32 = 0; n < L.MAX_THREADS; n++) {
    atomic.cmpxchg<u32>(slotAt(n) + L.SLOT_STATE, SLOT_DEAD | (T.tid << 2), SLOT_DEAD);
  }
  if (atomic.load<u32>(s + V.SLOT_ACTIVE) != 0) {
    atomic.add<u32>(V.G_LEAKS, 1);
    forgetContext();
    store<u32>(s + V.SLOT_CONTEXT, 0);
    atomic.store<u32>(s + V.SLOT_ACTIVE, 0);
  }
  forgetActive();
  lockAbandon();
  // An entry of the prefix cache may have been filled in part.
  clearPrefixTags();
  if (leave != 0) {
    atomic.store<u64>(s + L.SLOT_STATE, 0);
    T.clearThread();
  }
  return 0;
}

/**
 * The result of this thread's call, which the host has left, if the call has happened nevertheless; else NaN. To be asked
 * before threadAbandon().
 */
export function callOutcome(): f64 {
  return outcome;
}

/** Repairs the data under a mutex that the dead thread of this slot owns: the contents of a file. */
function repairContents(mutex: usize, s: usize): void {
  if (mutex == 0 || load<u32>(chunkEntry(<u32>mutex >> L.CHUNK_SHIFT) + ENTRY_CACHE) != CACHE_INODE) return;
  const i = changetype<Inode>(mutex - offsetof<Inode>("mutex_"));
  if (!i.isReg || i.mode & I_DRIVER) return;
  redoWrite(i, s + L.SLOT_UNDO_LOG, load<u32>(s + L.SLOT_SCRATCH));
  redoPunch(i, s + L.SLOT_UNDO_LOG);
  dataRepair(i);
  contentsChangeEnd(i);
}
