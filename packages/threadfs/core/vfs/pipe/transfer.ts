/**
 * read(2) and write(2) on a pipe (Linux: pipe_read(), pipe_write()). The ring changes under i_mutex, which a call holds while it copies, and releases while it
 * waits for the other end.
 *
 * Guarantees: what a round of a call has copied becomes the pipe's, or ceases to be, in one transaction after the last byte. So a thread that dies has written
 * all of a round or nothing, and has read nothing that another reader will not get. A write of up to PIPE_BUF bytes is one round, into one page. A thread
 * that waits has no reference (wait.ts): afterwards it finds its file by the descriptor again, and ends with EBADF if that has been closed.
 */
import { EAGAIN, EBADF, ENOSPC, EPIPE, ESPIPE } from "../../../abi/errno";
import { IN_MODIFY, O_NOATIME, O_NONBLOCK } from "../../../abi/flags";
import { IO_SIZE, MAX_RW_COUNT, PIPE_WAITS } from "../../../abi/limits";
import * as POINT from "../../../abi/points";
import * as SCRATCH from "../../../abi/scratch";
import * as host from "../../host";
import { linkBlock } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { mutexLock, mutexUnlock, txBegin, txEnd } from "../../mem/lock/lock";
import { scratch } from "../../mem/thread";
import { set32 } from "../../mem/undo/log";
import { hostWaits, isPast, timedOut, waitDeadline } from "../../mem/wait";
import { tracepoint } from "../../tracepoints";
import { File, FMODE_READ, FMODE_WRITE, fget, fput } from "../file/file";
import { touchAtime } from "../inode/atime";
import { beginAttr, currentTime, endAttr, I_PIPE, Inode, setMtime } from "../inode/inode";
import { changeBegin, changeEnd } from "../notify/fsnotify";
import { happened } from "../recovery/outcome";
import { enterActive, leaveActive } from "../recovery/quiescence";
import { kmallocSpace } from "../recovery/space";
import { acquireContext } from "../task/context-ref";
import { Context } from "../task/cred";
import { countReaders, countWriters, openPipe, PIPE_PAGE, Pipe, SLOT_BYTES } from "./pipe";
import { changed, expectChange, readersWord, showWord, sleepOnPipe, wake, writersWord } from "./wait";

/** Result of pipeWait(): the call may go on. */
const GO_ON: i32 = 1;

/** The word on which the last write of this thread would have had to wait when it ended with fewer bytes than it had; 0: none. */
let leftAt: usize = 0;
export function writeLeftAt(): usize {
  return leftAt;
}

/** When the present call has waited for too long, 0: it has not waited; and whether it has. */
let deadline: f64 = 0;
let late = false;

/** The call begins, or bytes have moved: from now on it may wait as long as a call may. */
function waitsAnew(): void {
  deadline = 0;
  late = false;
}

/**
 * Waits for a change of the word, without the caller's reference on the file. Returns GO_ON, with a reference on the same file as before; -EBADF: the descriptor
 * means another file now, or the context has been closed; or PIPE_WAITS: the host is to wait.
 */
function pipeWait(number: f64, fd: i32, f: File, word: usize, seen: u32): i32 {
  fput(f);
  if (late) {
    leaveActive();
    timedOut(word);
  }
  if (hostWaits()) {
    showWord(word, seen);
    return PIPE_WAITS;
  }
  leaveActive();
  if (deadline == 0) deadline = waitDeadline();
  sleepOnPipe(word, seen, deadline);
  late = isPast(deadline);
  enterActive();
  const c = acquireContext(number);
  if (c == null) return -EBADF;
  const same = fget(c, fd);
  if (same == f) return GO_ON;
  if (same) fput(same);
  return -EBADF;
}

// ------------------------------------------------------------------------------------------------- read

/** pipe_read(). Puts the caller's reference on the file. `direct`: the host copies the bytes out of the pages themselves. */
export function pipeRead(c: Context, fd: i32, f: File, offset: f64, wanted: u32, direct: bool): i32 {
  const n = min<u32>(wanted, direct ? MAX_RW_COUNT : IO_SIZE);
  let r: i32 = 0;
  if (offset >= 0) r = -ESPIPE;
  else if (!(f.mode & FMODE_READ)) r = -EBADF;
  else if (n != 0) return readWaiting(c.number, fd, f, n, direct);
  fput(f);
  return r;
}

function readWaiting(number: f64, fd: i32, f: File, n: u32, direct: bool): i32 {
  const i = f.inode;
  const word = readersWord(i);
  waitsAnew();
  while (true) {
    const p = openPipe(i);
    let seen: u32 = 0;
    let atEnd = false;
    mutexLock(i.mutex);
    let r = drain(i, p, n, direct);
    if (r > 0 && !(f.flags & O_NOATIME)) touchAtime(f.mnt, i);
    if (r != 0) happened(r);
    else {
      seen = expectChange(word);
      tracepoint(POINT.PIPE_EMPTY, i.at, seen);
      atEnd = countWriters(i, p) == 0;
      if (!atEnd && f.flags & O_NONBLOCK) r = -EAGAIN;
    }
    mutexUnlock(i.mutex);
    if (r != 0 || atEnd) {
      fput(f);
      return r;
    }
    r = pipeWait(number, fd, f, word, seen);
    if (r != GO_ON) return r;
  }
}

/** Reads what there is, up to `n` bytes. Under i_mutex. Returns the bytes read, 0 if there are none, or -errno of a copy. */
function drain(i: Inode, p: Pipe, n: u32, direct: bool): i32 {
  const head = p.head;
  let tail = p.tail;
  let left = p.occupancy;
  let done: u32 = 0;
  let partSlot: usize = 0;
  let partBytes: u32 = 0;
  let err = 0;
  for (; done < n && tail != head; left--) {
    if (left == 0) corrupt(p.at);
    const slot = p.slotAt(tail);
    const offset = <u32>load<u16>(slot, SLOT_BYTES);
    const bytes = <u32>load<u16>(slot, SLOT_BYTES + 2);
    if (bytes == 0 || offset + bytes > PIPE_PAGE) corrupt(slot);
    const part = min<u32>(bytes, n - done);
    const from = <usize>load<u32>(slot) + offset;
    if (direct) err = host.copyToUser(from, done, part);
    else memory.copy(scratch + SCRATCH.IO + done, from, part);
    if (err < 0) break;
    done += part;
    if (part == bytes) tail++;
    else {
      partSlot = slot;
      partBytes = (offset + part) | ((bytes - part) << 16);
      break;
    }
  }
  if (done == 0) return err;
  tracepoint(POINT.PIPE_COPIED, i.at, done);
  const word = writersWord(i);
  txBegin();
  p.tail = tail;
  if (partSlot != 0) set32(partSlot + SLOT_BYTES, partBytes);
  const woken = changed(word);
  txEnd();
  if (woken) wake(word);
  return done;
}

// ------------------------------------------------------------------------------------------------- write

/** pipe_write(). Puts the caller's reference on the file. The bytes are in scratch or, if they are more than IO_SIZE, come from the host. */
export function pipeWrite(c: Context, fd: i32, f: File, offset: f64, wanted: u32): i32 {
  const n = min<u32>(wanted, MAX_RW_COUNT);
  leftAt = 0;
  let r: i32 = 0;
  if (offset >= 0) r = -ESPIPE;
  else if (!(f.mode & FMODE_WRITE)) r = -EBADF;
  else if (n != 0) return writeWaiting(c.number, fd, f, n);
  fput(f);
  return r;
}

function writeWaiting(number: f64, fd: i32, f: File, n: u32): i32 {
  const i = f.inode;
  const word = writersWord(i);
  let done: u32 = 0;
  waitsAnew();
  while (true) {
    const p = openPipe(i);
    let seen: u32 = 0;
    let err = -EPIPE;
    mutexLock(i.mutex);
    if (countReaders(i, p) != 0) {
      const wrote = fill(f, i, p, n, done);
      err = fillErr;
      if (wrote != 0) {
        done += wrote;
        happened(done);
        waitsAnew();
      }
      if (err == 0 && done < n) {
        seen = expectChange(word);
        if (countReaders(i, p) == 0) err = -EPIPE;
        else if (f.flags & O_NONBLOCK) err = -EAGAIN;
      }
    }
    mutexUnlock(i.mutex);
    const isOver = done == n || err != 0;
    if (isOver || (done != 0 && (late || hostWaits()))) {
      if (!isOver) {
        leftAt = word;
        showWord(word, seen);
      }
      fput(f);
      return done != 0 ? <i32>done : err;
    }
    err = pipeWait(number, fd, f, word, seen);
    if (err != GO_ON) return done != 0 ? <i32>done : err;
    if (done != 0) happened(done);
  }
}

/** Second return value of fill(): 0, or the -errno that has ended it. */
let fillErr: i32 = 0;

/**
 * Writes what there is room for of the `n` bytes of a write that has written `done`. As in Linux, what is more than whole pages goes to the last page with
 * bytes if it has room for that. Under i_mutex. Returns the bytes written, 0 if there is no room.
 */
function fill(f: File, i: Inode, p: Pipe, n: u32, done: u32): u32 {
  const max = p.tail + p.ringSize;
  let head = p.head;
  let at = done;
  let err = 0;
  let last: usize = 0;
  let lastBytes: u32 = 0;
  const rest = n & (PIPE_PAGE - 1);
  if (done == 0 && rest != 0 && p.occupancy != 0) {
    const slot = p.slotAt(head - 1);
    const offset = <u32>load<u16>(slot, SLOT_BYTES);
    const bytes = <u32>load<u16>(slot, SLOT_BYTES + 2);
    if (offset + bytes + rest <= PIPE_PAGE) {
      err = copyIn(<usize>load<u32>(slot) + offset + bytes, 0, rest, n);
      fillErr = err;
      if (err < 0) return 0;
      last = slot;
      lastBytes = offset | ((bytes + rest) << 16);
      at = rest;
    }
  }
  while (at < n && head != max) {
    const slot = slotWithPage(p, head);
    if (slot == 0) err = -ENOSPC;
    const part = min<u32>(n - at, PIPE_PAGE);
    if (err == 0) err = copyIn(<usize>load<u32>(slot), at, part, n);
    if (err < 0) break;
    // No reader looks at a slot behind the head.
    store<u32>(slot, part << 16, SLOT_BYTES);
    head++;
    at += part;
  }
  fillErr = err;
  if (at == done) return 0;
  tracepoint(POINT.PIPE_COPIED, i.at, at - done);
  commitWrite(f, i, p, head, last, lastBytes);
  return at - done;
}

/** Bytes `at` and following of the `n` bytes of a write. 0 or -errno. */
function copyIn(to: usize, at: u32, bytes: u32, n: u32): i32 {
  if (n > <u32>IO_SIZE) return host.copyFromUser(to, at, bytes);
  memory.copy(to, scratch + SCRATCH.IO + at, bytes);
  return 0;
}

/** The slot of a page behind the head, with a page: the one that it has had, or one that was read, the last one first; 0: the arena is full. */
function slotWithPage(p: Pipe, n: u32): usize {
  const slot = p.slotAt(n);
  if (load<u32>(slot) != 0) return slot;
  const tail = p.tail;
  for (let k: u32 = 1; k < p.ringSize - (n - tail); k++) {
    const read = p.slotAt(tail - k);
    const page = load<u32>(read);
    if (page == 0) continue;
    txBegin();
    set32(read, 0);
    set32(slot, page);
    txEnd();
    return slot;
  }
  const fresh = kmallocSpace(PIPE_PAGE);
  if (fresh == 0) return 0;
  linkBlock(slot, fresh);
  return slot;
}

/** `last` not 0: the slot whose page has got more bytes. */
function commitWrite(f: File, i: Inode, p: Pipe, head: u32, last: usize, lastBytes: u32): void {
  const word = readersWord(i);
  const now = currentTime();
  const d = f.dentry;
  txBegin();
  const followed = i.mode & I_PIPE ? false : changeBegin(d);
  p.head = head;
  if (last != 0) set32(last + SLOT_BYTES, lastBytes);
  beginAttr(i);
  setMtime(i, now, 0);
  i.ctime = now;
  endAttr(i);
  const woken = changed(word);
  changeEnd(followed, d, i, IN_MODIFY);
  txEnd();
  if (woken) wake(word);
}
