/**
 * Open files and descriptors.
 *
 * File (128 bytes, typed cache): 0 count i32 4 flags u32 8 mnt ptr 12 dentry ptr 16 inode ptr 20 posLock u32
 *   24 pos i64  32 hint ptr (readdir: the last child returned)  36 mode u32  40 rcuNext 44 rcuTag
 *   48 lastCookie u64 (readdir: the last entry to return)  56 recount u32 (references found by the recount, recount.ts)
 *   60 owner u32 (the thread whose end closes it, owner.ts)
 *   64 opener u32 (the thread whose open of a FIFO waits, pipe/fifo.ts)  68 openings u32 (of the other end that it has seen)
 *   72 tag u64 (by which its opener can tell it from a later file of the same descriptor, 0: none; written before the descriptor is installed)
 *   80 opened u32 (how often the memory has been given a path)
 *
 * fdtable.ts has the words of the descriptors.
 *
 * A closed file is reused at once, as in Linux since 6.7 (SLAB_TYPESAFE_BY_RCU): there is no grace period. Each slot keeps one of them
 * with a reference (spare.ts).
 *
 * Guarantees
 *  - fget() takes no lock for an open descriptor. It takes a reference on a live file and then checks that the descriptor still
 *    means that file. So if the file is closed at the same time, fget() either gets it whole or not at all. Its thread is active, so that
 *    the memory is a file's meanwhile.
 *  - A walk in rcu mode starts at a file without a reference (fdPath()): it has the path that the file had at one moment while it was open
 *    under that descriptor, because `opened` has not changed.
 *  - fputSpare() keeps a file only if no thread can get it any more: the descriptor is cleared before the count is loaded, and pairs with
 *    fgetRaw(), which takes a reference before it loads the descriptor again.
 *
 * Lock order: posLock before any i_mutex; i_lock before the lock of a descriptor.
 */

import { ENFILE, ENOSPC } from "../../../abi/errno";
import * as POINT from "../../../abi/points";
import { slabFree } from "../../mem/alloc/slab";
import { MAX_THREADS } from "../../mem/layout";
import { lock, unlock } from "../../mem/lock/lock";
import { PERCPU_BATCH, percpuCounterAdd, percpuCounterRead, percpuCounterSum } from "../../mem/percpu-counter";
import { slot, tid } from "../../mem/thread";
import { put32 } from "../../mem/undo/log";
import { waitFor } from "../../mem/wait";
import { tracepoint } from "../../tracepoints";
import { dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { Inode } from "../inode/inode";
import { CACHE_FILE, G_NR_FILES, SLOT_NR_FILES } from "../layout";
import { freeLocks } from "../locks/file-lock";
import { hasLocks, locksRemoveFile } from "../locks/remove";
import { Mount, mntput } from "../mount/namespace";
import { pipeRelease } from "../pipe/pipe";
import { kalloc } from "../recovery/space";
import { Context } from "../task/cred";
import { FD_OPENING, FD_RESERVED, fdLockOf, fdSlot, fdValue, forgetTaken, freeFd } from "./fdtable";
import { hasSpare, keepSpare, spareFiles, takeSpare } from "./spare";

export const FILE_SIZE: u32 = 128;
export const FILE_LINK: u32 = offsetof<File>("rcuNext");
/** Words that are kept when the memory is freed: count, posLock, opened. */
export const FILE_KEEP: u32 =
  (1 << (offsetof<File>("count_") >> 2)) |
  (1 << (offsetof<File>("posLock_") >> 2)) |
  (1 << (offsetof<File>("opened_") >> 2));
/** Files that may be open in the whole arena. */
export const MAX_FILES: u32 = 1 << 18;

export const FMODE_READ: u32 = 1;
export const FMODE_WRITE: u32 = 2;
/** Opened with O_PATH: names a file, but can neither read nor change it. */
export const FMODE_PATH: u32 = 4;

/** An end of a pipe, which the file's last reference closes. */
export const FMODE_PIPE: u32 = 8;

/** Attempts against threads that use, close and open the same descriptor, before this thread sleeps in between. */
export const EAGER_TRIES: i32 = 1000;

@unmanaged
export class File {
  count_: u32;
  flags: u32;
  mnt_: u32;
  dentry_: u32;
  inode_: u32;
  posLock_: u32;
  pos: i64;
  hint: u32;
  mode: u32;
  rcuNext: u32;
  rcuTag: u32;
  lastCookie: u64;
  recount: u32;
  owner_: u32;
  opener: u32;
  openings: u32;
  tag_: u64;
  opened_: u32;

  get at(): usize {
    return changetype<usize>(this);
  }
  get count(): usize {
    return changetype<usize>(this);
  }
  get mnt(): Mount {
    return changetype<Mount>(<usize>atomic.load<u32>(changetype<usize>(this), offsetof<File>("mnt_")));
  }
  get dentry(): Dentry {
    return changetype<Dentry>(<usize>atomic.load<u32>(changetype<usize>(this), offsetof<File>("dentry_")));
  }
  get inode(): Inode {
    return changetype<Inode>(<usize>atomic.load<u32>(changetype<usize>(this), offsetof<File>("inode_")));
  }
  /** The number, as in lock words, of the thread with which the descriptor ends; 0: it belongs to its context alone. */
  get owner(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<File>("owner_"));
  }
  set owner(v: u32) {
    atomic.store<u32>(changetype<usize>(this), v, offsetof<File>("owner_"));
  }
  get tag(): u64 {
    return atomic.load<u64>(changetype<usize>(this), offsetof<File>("tag_"));
  }
  get opened(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<File>("opened_"));
  }
  get posAt(): usize {
    return changetype<usize>(this) + offsetof<File>("pos");
  }
  get posLock(): usize {
    return changetype<usize>(this) + offsetof<File>("posLock_");
  }
}

/** The owner of files that this thread opens from now on. */
let fileOwner: u32 = 0;

export function setFileOwner(owner: u32): void {
  fileOwner = owner;
}

/** How many files are open. G_NR_FILES counts the spares too. */
export function openFiles(): u32 {
  return percpuCounterSum(G_NR_FILES, SLOT_NR_FILES) - spareFiles();
}

/** Whether MAX_FILES are open. Threads that open the last ones at the same time may all do so, as in Linux. */
function fileMaxReached(): bool {
  const near = percpuCounterRead(G_NR_FILES, SLOT_NR_FILES) + <i32>MAX_THREADS * PERCPU_BATCH >= <i32>MAX_FILES;
  return near && openFiles() >= MAX_FILES;
}

/** Second return value of getEmptyFilp() when it returns null: -errno. */
export let getEmptyFilpErr: i32 = 0;

/**
 * get_empty_filp(): a file with one reference, not open yet; null: `getEmptyFilpErr`. May use the arena's reserved
 * chunks. Only in an active call.
 */
export function getEmptyFilp(): File {
  const spare = changetype<File>(takeSpare());
  if (spare) {
    initFile(spare);
    return spare;
  }
  if (fileMaxReached()) {
    getEmptyFilpErr = -ENFILE;
    return changetype<File>(0);
  }
  const f = changetype<File>(kalloc(CACHE_FILE, true));
  if (!f) {
    getEmptyFilpErr = -ENOSPC;
    return f;
  }
  percpuCounterAdd(G_NR_FILES, SLOT_NR_FILES, 1);
  f.mnt_ = 0;
  f.dentry_ = 0;
  f.inode_ = 0;
  f.hint = 0;
  initFile(f);
  atomic.store<u32>(f.count, 1);
  return f;
}

/** What a file has before it is open, but for its path. */
function initFile(f: File): void {
  f.flags = 0;
  f.mode = 0;
  f.owner_ = fileOwner;
  f.tag_ = 0;
  f.pos = 0;
  f.lastCookie = 0;
}

/** Opens a file at a path, whose references it takes over. */
export function fileSetPath(f: File, mnt: Mount, dentry: Dentry, inode: Inode, flags: u32, mode: u32): void {
  f.flags = flags;
  f.mode = mode;
  // Others read these after the exchange that installs the file.
  f.mnt_ = <u32>mnt.at;
  f.inode_ = <u32>inode.at;
  f.dentry_ = <u32>dentry.at;
  // Behind them: a walk that finds it new finds the path of that time (fdPath()).
  atomic.store<u32>(f.at, f.opened_ + 1, offsetof<File>("opened_"));
}

/** fput(): the last reference closes the file. */
export function fput(f: File): void {
  if (atomic.sub<u32>(f.count, 1) != 1) return;
  fileRelease(f);
  percpuCounterAdd(G_NR_FILES, SLOT_NR_FILES, -1);
  slabFree(f.at);
}

/** __fput(): ends what a file holds that no other thread can get any more. */
function fileRelease(f: File): void {
  const i = f.inode;
  if (i && hasLocks(i)) {
    locksRemoveFile(i, f.at);
    freeLocks(slot);
  }
  const mode = f.mode;
  if (mode & FMODE_PIPE) pipeRelease(i, (mode & FMODE_READ) != 0, (mode & FMODE_WRITE) != 0);
  const hint = f.hint;
  if (hint != 0) dput(changetype<Dentry>(<usize>hint));
  f.hint = 0;
  const d = f.dentry;
  if (!d) return;
  const m = f.mnt;
  dput(d);
  mntput(m);
}

/**
 * fput() of a file that no descriptor means, which this thread's slot keeps if no other thread has a reference and it keeps none yet. Only in an
 * active call.
 */
export function fputSpare(f: File): void {
  if (hasSpare() || atomic.load<u32>(f.count) != 1) {
    fput(f);
    return;
  }
  fileRelease(f);
  // Before the slot has it: a spare has no path, and is no end of a pipe.
  f.mode = 0;
  f.mnt_ = 0;
  f.dentry_ = 0;
  f.inode_ = 0;
  keepSpare(f.at);
}

/** The file of a descriptor, without a reference: only in an active call or inside a read-side section. null: not open. */
export function fdFile(c: Context, fd: i32): File {
  const v = fdValue(c, fd);
  return changetype<File>(v & FD_OPENING ? <usize>0 : <usize>v);
}

/** Second return values of fdPath(). */
export let fdPathMnt: u32 = 0;
export let fdPathDentry: u32 = 0;

/**
 * The path of a file that a descriptor's slot has just shown, without a reference: inside a read-side section, and valid until it ends. False: the
 * descriptor does not mean the file any more. A dentry of 0: the file has no path.
 */
export function fdPath(c: Context, fd: i32, f: File): bool {
  const opened = f.opened;
  tracepoint(POINT.START_FILE, f.at, 0);
  fdPathMnt = atomic.load<u32>(f.at, offsetof<File>("mnt_"));
  fdPathDentry = atomic.load<u32>(f.at, offsetof<File>("dentry_"));
  tracepoint(POINT.START_FILE, f.at, 1);
  // In this order: an exchange that has installed the file again comes after the store to `opened` in fileSetPath().
  return fdFile(c, fd) == f && f.opened == opened;
}

/** fget(): the file of a descriptor with a reference; null: not open, or opened with O_PATH. */
export function fget(c: Context, fd: i32): File {
  const f = fgetRaw(c, fd);
  if (!f || !(f.mode & FMODE_PATH)) return f;
  fput(f);
  return changetype<File>(0);
}

/** fget_raw(): the file of a descriptor with a reference, null: not open. Only in an active call. */
export function fgetRaw(c: Context, fd: i32): File {
  let deadline: f64 = 0;
  let tries = 0;
  while (true) {
    if (tries++ > EAGER_TRIES) deadline = waitFor(deadline, fdLockOf(c, fd));
    const f = fdFile(c, fd);
    if (!f) {
      // Under the lock: a descriptor that is being closed is open until the commit.
      const guard = fdLockOf(c, fd);
      if (guard == 0) return f;
      lock(guard);
      const open = fdFile(c, fd);
      unlock(guard);
      if (!open) return f;
      continue;
    }
    const n = atomic.load<u32>(f.count);
    const got = n != 0 && atomic.cmpxchg<u32>(f.count, n, n + 1) == n;
    if (got && fdFile(c, fd) == f) return f;
    if (got) fput(f);
  }
}

/** fd_install(). `state`: 0 or FD_OPENING. False: the context, and the descriptor with it, has been closed meanwhile. */
export function fdInstall(c: Context, fd: i32, f: File, state: u32): bool {
  forgetTaken();
  return atomic.cmpxchg<u32>(fdSlot(c, <u32>fd), FD_RESERVED, <u32>f.at | state) == FD_RESERVED;
}

/** The same for two descriptors at once. */
export function fdInstallPair(c: Context, fd: i32, f: File, fd2: i32, f2: File): bool {
  const at = fdSlot(c, <u32>fd);
  const at2 = fdSlot(c, <u32>fd2);
  const guard = fdLockOf(c, min(fd, fd2));
  const guard2 = fdLockOf(c, max(fd, fd2));
  lock(guard);
  lock(guard2);
  const reserved = atomic.load<u32>(at) == FD_RESERVED && atomic.load<u32>(at2) == FD_RESERVED;
  if (reserved) {
    put32(at, <u32>f.at);
    put32(at2, <u32>f2.at);
  }
  unlock(guard2);
  unlock(guard);
  forgetTaken();
  return reserved;
}

/** The file of a descriptor whose open waits, with a reference; null: this thread has no such open. */
export function fgetOpening(c: Context, fd: i32): File {
  const guard = fdLockOf(c, fd);
  if (guard == 0) return changetype<File>(0);
  lock(guard);
  const f = openingFile(c, fd, tid);
  if (f) atomic.add<u32>(f.count, 1);
  unlock(guard);
  return f;
}

/** Under the descriptor's lock. `opener` 0: any thread. */
function openingFile(c: Context, fd: i32, opener: u32): File {
  const v = fdValue(c, fd);
  const f = changetype<File>(v & FD_OPENING ? <usize>(v & ~FD_OPENING) : <usize>0);
  return f && (opener == 0 || f.opener == opener) ? f : changetype<File>(0);
}

/** Opens a descriptor whose open has waited. False: the context has been closed meanwhile. */
export function fdOpened(c: Context, fd: i32, f: File): bool {
  return atomic.cmpxchg<u32>(fdSlot(c, <u32>fd), <u32>f.at | FD_OPENING, <u32>f.at) == (<u32>f.at | FD_OPENING);
}

/** Takes back an open that waits: returns its file with the descriptor's reference; null: there is none. `opener` as above. */
export function fdCloseOpening(c: Context, fd: i32, opener: u32): File {
  const guard = fdLockOf(c, fd);
  if (guard == 0) return changetype<File>(0);
  lock(guard);
  const f = openingFile(c, fd, opener);
  if (f) freeFd(c, fd);
  unlock(guard);
  return f;
}
