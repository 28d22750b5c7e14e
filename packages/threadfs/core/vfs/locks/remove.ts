/** The end of locks with their owner: a descriptor, an open file or a context is closed. */
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { Inode } from "../inode/inode";
import { lockAt, unlinkLocks, wakeBlocked } from "./file-lock";

/** Whether there are advisory locks on an inode. Without i_lock: who asks knows that its own locks neither come nor go meanwhile. */
export function hasLocks(i: Inode): bool {
  return atomic.load<u32>(i.flctxAt) != 0;
}

/** Takes the locks of an owner off an inode, under its i_lock. There are two stretches of them at most: of flock(2), of fcntl(2). */
export function removeLocksOf(i: Inode, owner: u64): void {
  let removed = false;
  let at = i.flctxAt;
  let left = objectsMax();
  while (true) {
    const first = lockAt(at);
    if (!first) break;
    if (left-- == 0) corrupt(i.at);
    if (first.owner != owner) {
      at = first.at;
      continue;
    }
    let after = lockAt(first.at);
    while (after && after.owner == owner) {
      if (left-- == 0) corrupt(i.at);
      after = lockAt(after.at);
    }
    unlinkLocks(at, first, after ? after.at : 0);
    removed = true;
  }
  if (removed) wakeBlocked(i);
}

/** locks_remove_file(): the last reference on an open file is gone, and with it its locks. freeLocks() frees them. */
export function locksRemoveFile(i: Inode, file: usize): void {
  lock(i.lock);
  removeLocksOf(i, <u64>file);
  unlock(i.lock);
}
