/**
 * d_path(): builds the path of a dentry, from its end, for getcwd and realpath. In a read-side section that validates
 * the rename sequence and the mount sequence; after a few attempts writers are locked out.
 */

import { EAGAIN, EBADF, ENAMETOOLONG, ENOENT } from "../../../abi/errno";
import { IO_SIZE } from "../../../abi/limits";
import * as SCRATCH from "../../../abi/scratch";
import { lock, unlock } from "../../mem/lock/lock";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { rcuReadLock, rcuReadUnlock } from "../../mem/smr/smr";
import { scratch } from "../../mem/thread";
import { sleepUs, spinFor } from "../../mem/wait";
import { G_MOUNT_LOCK, G_MOUNT_SEQ, G_RENAME_LOCK, G_RENAME_SEQ } from "../layout";
import { Mount } from "../mount/namespace";
import { Context } from "../task/cred";
import { D_UNHASHED, Dentry, INLINE_NAME } from "./dentry";

const TRIES: i32 = 16;
const STEPS_MAX: i32 = 100000;

/**
 * Writes the path of (m, d), as seen from the context's root, to SCRATCH.IO. Returns its length; -ENOENT: removed, or the
 * root is not above it, so that a path would name what is outside of the root.
 */
export function dPath(c: Context, m: Mount, d: Dentry): i32 {
  for (let n = 0; n < TRIES; n++) {
    rcuReadLock();
    const rename = readSeqBegin(G_RENAME_SEQ);
    const mounts = readSeqBegin(G_MOUNT_SEQ);
    const fs = readSeqBegin(c.seq);
    const r = prependPath(c, m, d, scratch + SCRATCH.IO, IO_SIZE);
    const moved = readSeqRetry(G_RENAME_SEQ, rename) || readSeqRetry(G_MOUNT_SEQ, mounts) || readSeqRetry(c.seq, fs);
    if (rcuReadUnlock() && !moved && r != -EAGAIN) return r;
    sleepUs(10);
  }
  lock(G_MOUNT_LOCK);
  lock(G_RENAME_LOCK);
  const r = dPathLocked(c, m, d, scratch + SCRATCH.IO, IO_SIZE);
  unlock(G_RENAME_LOCK);
  unlock(G_MOUNT_LOCK);
  return r;
}

/** The same to `room` bytes at `base`, under the mount lock and the rename lock. -ENAMETOOLONG: they are too few. */
export function dPathLocked(c: Context, m: Mount, d: Dentry, base: usize, room: u32): i32 {
  let r = prependPath(c, m, d, base, room);
  // Renames of the file itself that have begun before, and other changes of the dentries.
  for (let deadline: f64 = 0; r == -EAGAIN; r = prependPath(c, m, d, base, room)) deadline = spinFor(deadline, d.seq);
  return r;
}

/** dentry_path(): the path of a dentry in its file system, to `room` bytes at `base`, under the rename lock. -ENAMETOOLONG, as above. */
export function dentryPathLocked(start: Dentry, base: usize, room: u32): i32 {
  let end = base + room;
  let d = start;
  let removed = false;
  for (let n = 0, deadline: f64 = 0; d.parent != d; ) {
    if (n++ == STEPS_MAX) return -ENAMETOOLONG;
    const parent = d.parent;
    if (d.flags & D_UNHASHED) removed = true;
    const before = end;
    end = prependName(d, base, end);
    if (end == 0) return -ENAMETOOLONG;
    if (end == AGAIN) {
      deadline = spinFor(deadline, d.seq);
      end = before;
      continue;
    }
    d = parent;
  }
  const len = finish(base, end, room);
  if (!removed) return len;
  if (<u32>len + DELETED_LEN > room) return -ENAMETOOLONG;
  store<u64>(base + len, DELETED);
  store<u8>(base + len + 8, 100);
  return len + <i32>DELETED_LEN;
}

/** What prependName() returns for a dentry that is being changed. */
const AGAIN: usize = 1;
/** "//delete", and how long it is with its last letter. */
const DELETED: u64 = 0x6574656c65642f2f;
const DELETED_LEN: u32 = 9;

/** Puts a slash and the name of a dentry in front of `end`. Returns where they begin; 0: there is no room; AGAIN. */
function prependName(d: Dentry, base: usize, end: usize): usize {
  const seq = readSeqBegin(d.seq);
  const len = d.nameLen;
  const name = len > INLINE_NAME ? <usize>atomic.load<u32>(d.name) : d.name;
  if (readSeqRetry(d.seq, seq)) return AGAIN;
  if (end - base < len + 1) return 0;
  const at = end - len;
  memory.copy(at, name, len);
  // A file gets another name in its directory without the rename sequence (d-move.ts): parent and name belong together by its own.
  if (readSeqRetry(d.seq, seq)) return AGAIN;
  store<u8>(at - 1, 47);
  return at - 1;
}

function prependPath(c: Context, startMnt: Mount, start: Dentry, base: usize, room: u32): i32 {
  let end = base + room;
  const rootMnt = atomic.load<u32>(c.at + offsetof<Context>("rootMnt_"));
  const root = atomic.load<u32>(c.at + offsetof<Context>("root_"));
  // The context was closed since this call began.
  if (root == 0) return -EBADF;
  let m = startMnt;
  let d = start;
  for (let n = 0; n < STEPS_MAX; n++) {
    if (<u32>d.at == root && <u32>changetype<usize>(m) == rootMnt) return finish(base, end, room);
    if (d == m.root) {
      const up = m.parent;
      // The top, and the context's root has not been met: glibc's getcwd() fails where the kernel says "(unreachable)".
      if (up == m) return -ENOENT;
      d = m.mountpoint;
      m = up;
      continue;
    }
    const seq = readSeqBegin(d.seq);
    const parent = d.parent;
    const removed = (d.flags & D_UNHASHED) != 0 || parent == d;
    if (readSeqRetry(d.seq, seq)) return -EAGAIN;
    if (removed) return -ENOENT;
    end = prependName(d, base, end);
    if (end == 0) return -ENAMETOOLONG;
    if (end == AGAIN || readSeqRetry(d.seq, seq)) return -EAGAIN;
    d = parent;
  }
  return -ENAMETOOLONG;
}

function finish(base: usize, end: usize, room: u32): i32 {
  const len = <u32>(base + room - end);
  if (len == 0) {
    store<u8>(base, 47);
    return 1;
  }
  memory.copy(base, end, len);
  return <i32>len;
}
