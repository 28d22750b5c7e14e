/**
 * Closes descriptors: close(2), also of the file with a tag, and what goes with it, the locks of fcntl(2) that the context has on the file.
 *
 * Lock order: i_lock before the lock of a descriptor.
 */

import { lock, txBegin, txEnd, unlock } from "../../mem/lock/lock";
import { slot } from "../../mem/thread";
import { put32 } from "../../mem/undo/log";
import { waitFor } from "../../mem/wait";
import { Inode } from "../inode/inode";
import { freeLocks } from "../locks/file-lock";
import { hasLocks, removeLocksOf } from "../locks/remove";
import { Context, FD_BLOCK, FD_BLOCKS } from "../task/cred";
import { FD_OPENING, fdLockOf, fdSlot, freeFd } from "./fdtable";
import { EAGER_TRIES, File, fdFile, fgetRaw, fput, fputSpare } from "./file";

/**
 * Closes a descriptor and returns its file with the descriptor's reference, for closed(); null: not open. `owner` not 0: only if the file
 * ends with that thread; `tag` not 0: only if it has that tag.
 */
export function fdClose(c: Context, fd: i32, owner: u32 = 0, tag: u64 = 0): File {
  let deadline: f64 = 0;
  let tries = 0;
  while (true) {
    const guard = fdLockOf(c, fd);
    if (guard == 0) return changetype<File>(0);
    lock(guard);
    const f = fdFile(c, fd);
    if (!f || (owner != 0 && f.owner != owner) || (tag != 0 && f.tag != tag)) {
      unlock(guard);
      return changetype<File>(0);
    }
    const i = f.inode;
    if (!i || !hasLocks(i)) {
      freeFd(c, fd);
      // Pairs with the stores of a request for a lock of the context (locks/fcntl.ts). One by this descriptor holds the same lock: it is granted before that, or finds
      // the descriptor closed. One by another descriptor of the file may hold another lock: it is seen here, or is granted after this close.
      if (!i || !hasLocks(i)) {
        unlock(guard);
        return f;
      }
      put32(fdSlot(c, fd), <u32>f.at);
    }
    unlock(guard);
    const held = fgetRaw(c, fd);
    if (!held) continue;
    const done = held == f && closeLocked(c, fd, f, i);
    fput(held);
    if (done) return f;
    if (tries++ > EAGER_TRIES) deadline = waitFor(deadline, guard);
  }
}

/**
 * The same for a file on whose inode there are locks: those of the context end in the transaction that closes the descriptor
 * (locks_remove_posix()). The caller has a reference. False: the descriptor is not the file's any more.
 */
function closeLocked(c: Context, fd: i32, f: File, i: Inode): bool {
  const guard = fdLockOf(c, fd);
  txBegin();
  lock(i.lock);
  lock(guard);
  const same = fdFile(c, fd) == f;
  if (same) {
    freeFd(c, fd);
    removeLocksOf(i, reinterpret<u64>(c.number));
  }
  unlock(guard);
  unlock(i.lock);
  txEnd();
  return same;
}

/** Closes the descriptor of the file with a tag, which is not 0. Returns the file as fdClose(); null: no descriptor has it. */
export function fdCloseTagged(c: Context, tag: u64): File {
  for (let b: u32 = 0; b < FD_BLOCKS; b++) {
    const block = c.fdBlock(b);
    if (block == 0) continue;
    for (let fd = fdTagged(c, block, b * FD_BLOCK, tag); fd >= 0; fd = fdTagged(c, block, b * FD_BLOCK, tag)) {
      const f = fdClose(c, fd, 0, tag);
      if (f) return f;
    }
  }
  return changetype<File>(0);
}

/** The descriptor of the file with a tag in a block, whose first one is given, -1: none has it. */
function fdTagged(c: Context, block: u32, first: u32, tag: u64): i32 {
  const guard = fdLockOf(c, first);
  let fd: i32 = -1;
  // Under the lock: a descriptor that is being closed is open until the commit.
  lock(guard);
  for (let k: u32 = 0; fd < 0 && k < FD_BLOCK; k++) {
    const v = atomic.load<u32>(<usize>(block + (k << 2)));
    if (v != 0 && !(v & FD_OPENING) && changetype<File>(<usize>v).tag == tag) fd = first + k;
  }
  unlock(guard);
  return fd;
}

/** Puts the reference of a descriptor that fdClose() has closed, and frees the locks that ended with it. */
export function closed(f: File): void {
  freeLocks(slot);
  fputSpare(f);
}
