/**
 * Pipes (Linux: struct pipe_inode_info, fs/pipe.c): the contents of the inode of a FIFO while it is open, or of an inode of pipe(2). docs/memory.md draws them.
 *
 *   pipe (48 bytes): 0 readers u32  4 writers u32  8 files u32  12 rCounter u32  16 wCounter u32  20 ringSize u32  24 head u32  28 tail u32  32 bufs ptr
 *   slot (8 bytes):  0 page ptr  4 offset u16, bytes u16 << 16
 *
 * Counts change under i_lock, in the transaction in which a file becomes or ceases to be an end of the pipe. Head, tail and the slots are read
 * and changed under i_mutex (transfer.ts); page n of the pipe is in slot n mod ringSize.
 *
 * Guarantees: a pipe exists while an open file is an end of it. Who has a reference on such a file needs no lock to find the pipe. With the last
 * file the bytes are gone in the transaction that counts it; the memory follows step by step, each under i_lock, so that an open that comes
 * meanwhile takes the pipe over. What a dead thread has left of this the recount does.
 */
import { ENOSPC, ENXIO } from "../../../abi/errno";
import { O_NONBLOCK } from "../../../abi/flags";
import { PIPE_DEF_SIZE, PIPE_MAX_SIZE } from "../../../abi/limits";
import * as POINT from "../../../abi/points";
import { kfreeAt, slabFree } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { put32, removePendingBlock } from "../../mem/undo/log";
import { tracepoint } from "../../tracepoints";
import { Inode } from "../inode/inode";
import { kmallocSpace } from "../recovery/space";
import { changed, readersWord, wake, writersWord } from "./wait";

export const PIPE_SIZE: u32 = 48;
export const SLOT_SHIFT: u32 = 3;
export const PIPE_PAGE: u32 = 4096;
const PAGE_SHIFT: u32 = 12;
/** The most slots of a ring. */
export const SLOTS_MAX: u32 = PIPE_MAX_SIZE >> PAGE_SHIFT;
const SLOTS_DEF: u32 = PIPE_DEF_SIZE >> PAGE_SHIFT;
/** In a slot: where its bytes are in the page, u16 each. */
export const SLOT_BYTES: u32 = 4;

@unmanaged
export class Pipe {
  readers_: u32;
  writers_: u32;
  files_: u32;
  rCounter_: u32;
  wCounter_: u32;
  ringSize_: u32;
  head_: u32;
  tail_: u32;
  bufs_: u32;

  get at(): usize {
    return changetype<usize>(this);
  }
  /** Open files that may read; under i_lock, as the next four. */
  get readers(): u32 {
    return this.readers_;
  }
  set readers(v: u32) {
    put32(this.at + offsetof<Pipe>("readers_"), v);
  }
  get writers(): u32 {
    return this.writers_;
  }
  set writers(v: u32) {
    put32(this.at + offsetof<Pipe>("writers_"), v);
  }
  get files(): u32 {
    return this.files_;
  }
  set files(v: u32) {
    put32(this.at + offsetof<Pipe>("files_"), v);
  }
  /** How often the pipe was opened for reading: an open for writing waits for it to change. */
  get rCounter(): u32 {
    return this.rCounter_;
  }
  set rCounter(v: u32) {
    put32(this.at + offsetof<Pipe>("rCounter_"), v);
  }
  get wCounter(): u32 {
    return this.wCounter_;
  }
  set wCounter(v: u32) {
    put32(this.at + offsetof<Pipe>("wCounter_"), v);
  }
  get ringSize(): u32 {
    const n = this.ringSize_;
    if (n == 0 || n > SLOTS_MAX || (n & (n - 1)) != 0) corrupt(this.at);
    return n;
  }
  set ringSize(v: u32) {
    put32(this.at + offsetof<Pipe>("ringSize_"), v);
  }
  get head(): u32 {
    return this.head_;
  }
  set head(v: u32) {
    put32(this.at + offsetof<Pipe>("head_"), v);
  }
  get tail(): u32 {
    return this.tail_;
  }
  set tail(v: u32) {
    put32(this.at + offsetof<Pipe>("tail_"), v);
  }
  get bufsAt(): usize {
    return this.at + offsetof<Pipe>("bufs_");
  }
  /** pipe_occupancy(): pages with bytes. */
  get occupancy(): u32 {
    const n = this.head - this.tail;
    if (n > this.ringSize) corrupt(this.at);
    return n;
  }
  /** The slot of a page of the pipe. */
  slotAt(n: u32): usize {
    return <usize>(this.bufs_ + ((n & (this.ringSize - 1)) << SLOT_SHIFT));
  }
}

/** The pipe of a FIFO: that of an open file, or under i_lock; null: none is open. */
export function pipeOf(i: Inode): Pipe {
  return changetype<Pipe>(<usize>atomic.load<u32>(i.dataAt));
}

/** The pipe of an inode that an open file is an end of. */
export function openPipe(i: Inode): Pipe {
  const p = pipeOf(i);
  if (!p) corrupt(i.at);
  return p;
}

export function countReaders(i: Inode, p: Pipe): u32 {
  lock(i.lock);
  const n = p.readers;
  unlock(i.lock);
  return n;
}

export function countWriters(i: Inode, p: Pipe): u32 {
  lock(i.lock);
  const n = p.writers;
  unlock(i.lock);
  return n;
}

/** Memory for a pipe, which the present open may need, on the thread's pending list; 0: none. */
let spare: usize = 0;
let spareRing: usize = 0;

function allocSpares(): bool {
  if (spare == 0) spare = kmallocSpace(PIPE_SIZE);
  if (spareRing == 0 && spare != 0) spareRing = kmallocSpace(SLOTS_DEF << SLOT_SHIFT);
  return spareRing != 0;
}

function freeSpares(): void {
  const a = spare;
  const b = spareRing;
  spare = 0;
  spareRing = 0;
  if (a != 0) slabFree(a);
  if (b != 0) slabFree(b);
}

/** alloc_pipe_info(): makes the spares the pipe of an inode, under i_lock. */
function linkSpares(i: Inode): Pipe {
  memory.fill(spare, 0, PIPE_SIZE);
  memory.fill(spareRing, 0, SLOTS_DEF << SLOT_SHIFT);
  const p = changetype<Pipe>(spare);
  p.ringSize_ = SLOTS_DEF;
  p.bufs_ = <u32>spareRing;
  put32(i.dataAt, <u32>spare);
  removePendingBlock(spare);
  removePendingBlock(spareRing);
  spare = 0;
  spareRing = 0;
  return p;
}

/** Second return value of pipeOpen(): the openings of the other end that an open which waits has seen. */
export let openingsSeen: u32 = 0;
/** Result of an open that waits for the other end. */
export const OPEN_WAITS: i32 = 1;

/**
 * fifo_open(): makes an open file an end of a pipe, of which there is none before the first. `named`: of a FIFO, not of pipe(2). The file gets its inode and mode
 * afterwards. Returns 0, OPEN_WAITS, -ENXIO or -ENOSPC.
 */
export function pipeOpen(i: Inode, reads: bool, writes: bool, flags: u32, named: bool): i32 {
  spare = 0;
  spareRing = 0;
  const needsReader = named && writes && !reads && (flags & O_NONBLOCK) != 0;
  let err = 0;
  while (true) {
    lock(i.lock);
    let p = pipeOf(i);
    if (needsReader && (!p || p.readers == 0)) err = -ENXIO;
    else if (p || spareRing != 0) {
      if (!p) p = linkSpares(i);
      err = countEnd(p, reads, writes, flags, named);
      unlockChanged(i, writes, reads);
      break;
    }
    unlock(i.lock);
    if (err == 0 && !allocSpares()) err = -ENOSPC;
    if (err != 0) break;
  }
  freeSpares();
  return err;
}

/** Commits a change that those who wait for the pipe are to see. */
function unlockChanged(i: Inode, forReaders: bool, forWriters: bool): void {
  const readers = readersWord(i);
  const writers = writersWord(i);
  const woken = forReaders && changed(readers);
  const wokenToo = forWriters && changed(writers);
  unlock(i.lock);
  if (woken) wake(readers);
  if (wokenToo) wake(writers);
}

/** Under i_lock. */
function countEnd(p: Pipe, reads: bool, writes: bool, flags: u32, named: bool): i32 {
  p.files = p.files + 1;
  if (reads) {
    p.readers = p.readers + 1;
    p.rCounter = p.rCounter + 1;
  }
  if (writes) {
    p.writers = p.writers + 1;
    p.wCounter = p.wCounter + 1;
  }
  if (!named || (reads && writes) || flags & O_NONBLOCK) return 0;
  openingsSeen = reads ? p.wCounter : p.rCounter;
  return (reads ? p.writers : p.readers) == 0 ? OPEN_WAITS : 0;
}

/** Whether the other end, for which an open waits, has been opened. */
export function partnerCame(i: Inode, reads: bool, seen: u32): bool {
  lock(i.lock);
  const p = openPipe(i);
  const came = (reads ? p.wCounter : p.rCounter) != seen;
  unlock(i.lock);
  return came;
}

/** pipe_release(): an open file ends. The caller has the file's last reference, and with it one on the inode. */
export function pipeRelease(i: Inode, reads: bool, writes: bool): void {
  lock(i.lock);
  const p = openPipe(i);
  if (reads) p.readers = p.readers - 1;
  if (writes) p.writers = p.writers - 1;
  const left = p.files - 1;
  p.files = left;
  if (left == 0) {
    // What nobody has read is lost. Nobody has the i_mutex: that would need an open file.
    p.head = 0;
    p.tail = 0;
  }
  // Also those who wait by a descriptor of this file: it is closed.
  unlockChanged(i, true, true);
  if (left == 0) pipeFree(i);
}

/** Frees a pipe without open files, if no other thread opens it meanwhile: page by page, and then the rest. */
export function pipeFree(i: Inode): void {
  // If another thread adds pages meanwhile, its own last close frees them.
  for (let n: u32 = 0; n <= SLOTS_MAX; n++) {
    lock(i.lock);
    const p = pipeOf(i);
    if (!p || p.files != 0) {
      unlock(i.lock);
      return;
    }
    const end = p.slotAt(0) + (p.ringSize << SLOT_SHIFT);
    let slot = p.slotAt(0);
    while (slot < end && load<u32>(slot) == 0) slot += 1 << SLOT_SHIFT;
    if (slot < end) kfreeAt(slot);
    else {
      put32(i.dataAt, 0);
      kfreeAt(p.bufsAt);
      slabFree(p.at);
      n = SLOTS_MAX;
    }
    unlock(i.lock);
    tracepoint(POINT.PIPE_FREED, i.at, slot);
  }
}

/** For the recount, which counts the ends anew. */
export function forgetEnds(p: Pipe): void {
  p.readers = 0;
  p.writers = 0;
  p.files = 0;
}

/** For the recount: one open file. */
export function countFile(p: Pipe, reads: bool, writes: bool): void {
  if (reads) p.readers = p.readers + 1;
  if (writes) p.writers = p.writers + 1;
  p.files = p.files + 1;
}
