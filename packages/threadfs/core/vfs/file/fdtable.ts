/**
 * The table of descriptors of a context: its words, who takes and frees them. What a word means is file.ts's.
 *
 * A descriptor is a word in one of the context's blocks: 0 free, FD_RESERVED taken but not open yet, else the address of a file.
 * FD_OPENING is added to a file whose open waits for the other end of a FIFO.
 *
 *   blocks 0 to 31    open(2) takes the lowest free descriptor of all of them. One lock, fdLock of the context, and one hint
 *   blocks 32 to 63   for an open whose caller has numbers of its own: it takes any free descriptor. Each has a lock and a hint behind its descriptors
 *                     (FD_BLOCK_LOCK, FD_BLOCK_HINT). A thread begins at the block of its slot, so that threads that share a context
 *                     write to different lines. A block that was never used has no memory
 *
 * A block is made in a transaction in which the pointer to it is odd: no thread uses it, as it may be undone. When that is committed one store shows the block,
 * for ever. If the thread dies in between, the next one that needs the block does that, or a recount.
 *
 * Where one half is full both kinds of open go on in the other, so that each may have all descriptors of the context.
 *
 * Guarantees
 *  - A word changes under the lock of its block (fdLockOf()), but for the exchanges that make a taken descriptor an open one.
 *  - A hint is never above a free descriptor of its blocks.
 *  - A context that has been closed gives out no descriptor: who takes one looks under the lock whether the context is in the table, and who
 *    closes it takes it out of the table before it takes the locks of all blocks (closeRemoved()). A block that it did not find was not shown
 *    then: its lock is taken later, by a thread that looks at the table after that.
 *
 * Lock order: fdLock, then locks of blocks with their numbers; all of them after i_lock.
 */

import { EBADF, EMFILE, ENOSPC } from "../../../abi/errno";
import { kmalloc } from "../../mem/alloc/slab";
import { lock, unlock } from "../../mem/lock/lock";
import { tid } from "../../mem/thread";
import { put32, removePendingBlock, set32 } from "../../mem/undo/log";
import {
  Context,
  FD_BLOCK,
  FD_BLOCK_END,
  FD_BLOCK_HIDDEN,
  FD_BLOCK_HINT,
  FD_BLOCK_LOCK,
  FD_BLOCKS,
  FD_FIRST,
  FD_ORDERED_BLOCKS,
  isAlive,
  NR_OPEN,
} from "../task/cred";

/** A descriptor that is taken but not open yet. */
export const FD_RESERVED: u32 = 1;
/** Bit of a descriptor that is not open yet: alone, or with a file whose open waits. */
export const FD_OPENING: u32 = 1;

/** The address of a descriptor's word, 0: it has none. */
export function fdSlot(c: Context, fd: u32): usize {
  if (fd >= NR_OPEN) return 0;
  const block = c.fdBlock(fd / FD_BLOCK);
  return block == 0 ? 0 : <usize>(block + ((fd % FD_BLOCK) << 2));
}

/**
 * The word of a descriptor; FD_RESERVED (not open) where there is none. 0 may be a close that is not
 * committed yet.
 */
export function fdValue(c: Context, fd: i32): u32 {
  const s = fdSlot(c, <u32>fd);
  return s == 0 ? FD_RESERVED : atomic.load<u32>(s);
}

/** The lock of a descriptor; 0: it has none, nor a word. It never has another one. */
export function fdLockOf(c: Context, fd: u32): usize {
  const b = fd / FD_BLOCK;
  if (b < FD_ORDERED_BLOCKS) return c.fdLock;
  if (b >= FD_BLOCKS) return 0;
  const block = c.fdBlock(b);
  return block == 0 ? 0 : <usize>(block + FD_BLOCK_LOCK);
}

/** The hint that goes with that lock. Of a descriptor of the second half, which has a word. */
function fdHintOf(c: Context, fd: u32): usize {
  const b = fd / FD_BLOCK;
  return b < FD_ORDERED_BLOCKS ? c.fdHintAt : <usize>(c.fdBlock(b) + FD_BLOCK_HINT);
}

/** Frees a descriptor. Under its lock. */
export function freeFd(c: Context, fd: u32): void {
  put32(fdSlot(c, fd), 0);
  lowerFdHint(c, fd);
}

/** A descriptor is free. Under its lock. */
function lowerFdHint(c: Context, fd: u32): void {
  const hint = fdHintOf(c, fd);
  if (fd < load<u32>(hint)) set32(hint, fd);
}

// ------------------------------------------------------------------------------------------------- take a descriptor

/** The descriptors, up to two, that this thread's call has taken and not opened yet: fdAbandon() frees them when the thread leaves the call. */
let taken: i32 = 0;
let takenIn: Context | null = null;
let taken2: i32 = 0;
let takenIn2: Context | null = null;

/**
 * get_unused_fd(): takes the lowest free descriptor; `any`: any free one. -EMFILE, -ENOSPC; -EBADF: the context has been closed, so that no
 * thread would close the descriptor.
 */
export function getUnusedFd(c: Context, any: bool): i32 {
  let fd = any ? takeAny(c, (tid - 1) % (FD_BLOCKS - FD_ORDERED_BLOCKS)) : takeLowest(c);
  if (any && (fd == -EMFILE || fd == -ENOSPC)) fd = takeLowest(c);
  else if (fd == -EMFILE) fd = takeAny(c, 0);
  if (fd < 0) return fd;
  taken2 = taken;
  takenIn2 = takenIn;
  taken = fd;
  takenIn = c;
  return fd;
}

/** From the blocks that have an order. */
function takeLowest(c: Context): i32 {
  return takeBetween(c, FD_FIRST, FD_ORDERED_BLOCKS * FD_BLOCK);
}

/** From the others, the first of them that has a free descriptor, from `start` on and around. */
function takeAny(c: Context, start: u32): i32 {
  const blocks = FD_BLOCKS - FD_ORDERED_BLOCKS;
  for (let n: u32 = 0; n < blocks; n++) {
    const b = FD_ORDERED_BLOCKS + ((start + n) % blocks);
    if (c.fdBlock(b) == 0 && !addBlock(c, b, FD_BLOCK_END)) return -ENOSPC;
    const fd = takeBetween(c, b * FD_BLOCK, (b + 1) * FD_BLOCK);
    if (fd != -EMFILE) return fd;
  }
  return -EMFILE;
}

/** Makes the block with this number and shows it, unless another thread has done so. False: the arena is full. Not in a transaction. */
function addBlock(c: Context, b: u32, bytes: u32): bool {
  const at = c.fdBlockAt(b);
  lock(c.fdLock);
  let block = load<u32>(at);
  if (block == 0) {
    block = <u32>kmalloc(bytes, true);
    if (block != 0) {
      memory.fill(block, 0, bytes);
      put32(at, block | FD_BLOCK_HIDDEN);
      removePendingBlock(block);
    }
  }
  unlock(c.fdLock);
  if (block == 0) return false;
  // Who has made it has committed that: this thread, or one that had the lock before.
  atomic.store<u32>(at, block & ~FD_BLOCK_HIDDEN);
  return true;
}

/** Takes the lowest free descriptor of those that have one lock: from `first` on, whose block is there or may be made, below `end`. */
function takeBetween(c: Context, first: u32, end: u32): i32 {
  const guard = fdLockOf(c, first);
  const hint = fdHintOf(c, first);
  lock(guard);
  if (!isAlive(c)) {
    unlock(guard);
    return -EBADF;
  }
  let fd = max<u32>(load<u32>(hint), first);
  for (; fd < end; fd++) {
    const s = fdSlot(c, fd);
    if (s == 0) {
      unlock(guard);
      return addBlock(c, fd / FD_BLOCK, FD_BLOCK << 2) ? takeBetween(c, first, end) : -ENOSPC;
    }
    if (load<u32>(s) != 0) continue;
    put32(s, FD_RESERVED);
    set32(hint, fd + 1);
    unlock(guard);
    return <i32>fd;
  }
  set32(hint, end);
  unlock(guard);
  return -EMFILE;
}

/** The call's descriptors are open, or free again. */
export function forgetTaken(): void {
  takenIn = null;
  takenIn2 = null;
}

/** put_unused_fd(): frees a descriptor that was taken but not opened, the last one of the call. */
export function putUnusedFd(c: Context, fd: i32): void {
  const guard = fdLockOf(c, fd);
  lock(guard);
  freeFd(c, fd);
  unlock(guard);
  taken = taken2;
  takenIn = takenIn2;
  takenIn2 = null;
}

/**
 * Frees a descriptor of a context that has been closed, if it is taken and not open yet. False: its thread has opened it meanwhile: by fdInstall(), with which the
 * exchange pairs, or by fdInstallPair(), which holds the lock.
 */
export function fdUnreserve(c: Context, fd: u32): bool {
  const guard = fdLockOf(c, fd);
  lock(guard);
  const v = atomic.cmpxchg<u32>(fdSlot(c, fd), FD_RESERVED, 0);
  if (v == FD_RESERVED) lowerFdHint(c, fd);
  unlock(guard);
  return v == 0 || v == FD_RESERVED;
}

/** The thread's call has been abandoned, and its context is still acquired: frees the descriptors that the call had taken. */
export function fdAbandon(): void {
  for (let c = takenIn; c != null; c = takenIn) putUnusedFd(c, taken);
}
