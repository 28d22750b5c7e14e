/**
 * Closes descriptors: close(2), also of the file with a tag, and what goes with it, the locks of fcntl(2) that the context has on the file.
 *
 * Lock order: i_lock before fdLock.
 */

import { lock, txBegin, txEnd, unlock } from "../../mem/lock/lock";
import { slot } from "../../mem/thread";
import { waitFor } from "../../mem/wait";
import { Inode } from "../inode/inode";
import { freeLocks } from "../locks/file-lock";
import { hasLocks, removeLocksOf } from "../locks/remove";
import { Context, FD_BLOCK, FD_BLOCKS } from "../task/cred";
import { EAGER_TRIES, FD_OPENING, File, fdFile, fgetRaw, fput, fputSpare, freeFd } from "./file";

/**
 * Closes a descriptor and returns its file with the descriptor's reference, for closed(); null: not open. `owner` not 0: only if the file
 * ends with that thread; `tag` not 0: only if it has that tag.
 */
export function fdClose(c: Context, fd: i32, owner: u32 = 0, tag: u64 = 0): File {
  let deadline: f64 = 0;
  let tries = 0;
  while (true) {
    lock(c.fdLock);
    const f = fdFile(c, fd);
    if (!f || (owner != 0 && f.owner != owner) || (tag != 0 && f.tag != tag)) {
      unlock(c.fdLock);
      return changetype<File>(0);
    }
    // A request for a lock of the context holds fdLock too: it is granted before this load, or finds the descriptor closed.
    const i = f.inode;
    if (!i || !hasLocks(i)) {
      freeFd(c, fd);
      unlock(c.fdLock);
      return f;
    }
    unlock(c.fdLock);
    const held = fgetRaw(c, fd);
    if (!held) continue;
    const done = held == f && closeLocked(c, fd, f, i);
    fput(held);
    if (done) return f;
    if (tries++ > EAGER_TRIES) deadline = waitFor(deadline, c.fdLock);
  }
}

/**
 * The same for a file on whose inode there are locks: those of the context end in the transaction that closes the descriptor
 * (locks_remove_posix()). The caller has a reference. False: the descriptor is not the file's any more.
 */
function closeLocked(c: Context, fd: i32, f: File, i: Inode): bool {
  txBegin();
  lock(i.lock);
  lock(c.fdLock);
  const same = fdFile(c, fd) == f;
  if (same) {
    freeFd(c, fd);
    removeLocksOf(i, reinterpret<u64>(c.number));
  }
  unlock(c.fdLock);
  unlock(i.lock);
  txEnd();
  return same;
}

/** Closes the descriptor of the file with a tag, which is not 0. Returns the file as fdClose(); null: no descriptor has it. */
export function fdCloseTagged(c: Context, tag: u64): File {
  lock(c.fdLock);
  const fd = fdTagged(c, tag);
  unlock(c.fdLock);
  return fd < 0 ? changetype<File>(0) : fdClose(c, fd, 0, tag);
}

/** The descriptor of the file with a tag, -1: none has it. Under fdLock: a descriptor that is being closed is open until the commit. */
function fdTagged(c: Context, tag: u64): i32 {
  for (let b: u32 = 0; b < FD_BLOCKS; b++) {
    const block = load<u32>(c.fdBlock(b));
    for (let k: u32 = 0; block != 0 && k < FD_BLOCK; k++) {
      const v = atomic.load<u32>(<usize>(block + (k << 2)));
      if (v != 0 && !(v & FD_OPENING) && changetype<File>(<usize>v).tag == tag) return b * FD_BLOCK + k;
    }
  }
  return -1;
}

/** Puts the reference of a descriptor that fdClose() has closed, and frees the locks that ended with it. */
export function closed(f: File): void {
  freeLocks(slot);
  fputSpare(f);
}
