/**
 * File contents in memory. Everything here runs under the inode's i_mutex; unlocked.ts reads without it.
 *
 *   shape 0               only holes
 *   shape 16 ... 4096     one block of that many bytes at `data`
 *   shape RADIX | levels | bits << 8
 *                         a radix tree of 4 KiB pages. The top node has 2^bits pointers, the nodes below it have 1024.
 *                         1 level: bits 4 (64 KiB of contents) ... 10 (4 MiB); 2 levels: 4 GiB; 3 levels: 4 TiB
 *
 * Invariant: bytes of a block or page at or beyond the file's size are zero. `pages` counts the pages that hold
 * contents (a single block counts as one).
 */

import { IN_MODIFY } from "../../../abi/flags";
import { IO_SIZE } from "../../../abi/limits";
import * as SCRATCH from "../../../abi/scratch";
import { KMALLOC_MAX, kfreeAt, kmalloc, kmallocSizeRoundup, slabFree } from "../../mem/alloc/slab";
import { corrupt, objectsMax } from "../../mem/bounds";
import { txBegin, txEnd } from "../../mem/lock/lock";
import { LOG_END, put32, put64, removePendingBlock, set32, undoLog } from "../../mem/undo/log";
import { Dentry } from "../../vfs/dcache/dentry";
import { beginAttr, currentTime, endAttr, I_SPARSE, Inode, setMtime } from "../../vfs/inode/inode";
import { changeBegin, changeEnd } from "../../vfs/notify/fsnotify";
import { chargeBlocks, releaseBlocks } from "./quota";

export const RADIX: u32 = 0x80000000;
export const PAGE: u32 = 4096;
export const PAGE_SHIFT: i64 = 12;
export const NODE_BITS: u32 = 10;
/** log2 of the pointers in the smallest node. */
export const TOP_BITS_MIN: u32 = 4;
export const MAX_LEVELS: u32 = 3;
/**
 * The redo record of a write in progress, behind the thread's undo log. Contents that a write overwrites cannot be undone: they are
 * still in the thread's scratch area, and recovery writes them again. Inode ptr (0: none), address of the file position that
 * moves (0: none) u32, position i64, bytes u32, the dentry by which the file was reached, which the dead thread's descriptor holds. No bytes: a
 * hole is punched from the position on (holes.ts), up to the end i64.
 */
export const LOG_REDO: u32 = LOG_END;
const REDO_POS_ADDRESS: u32 = 4;
export const REDO_POS: u32 = 8;
export const REDO_BYTES: u32 = 16;
export const REDO_DENTRY: u32 = 20;
export const REDO_END: u32 = 24;
/** In a write's record: the address of the position of the file that the bytes are read from, which moves with them (0: none) u32. */
const REDO_SOURCE: u32 = REDO_END;
export const REDO_SIZE: u32 = 32;

/** The largest size of a file in bytes: 4 TiB. */
export const MAX_FILE_SIZE: i64 = 4398046511104;

/** Second return value of dataRun(): its bytes. */
export let dataRunBytes: u32 = 0;

/**
 * The run at `pos`: as many of `n` bytes, at least one, as lie at consecutive addresses. Returns its address, 0 for a hole, which
 * reads as zeros. Valid while the caller holds i_mutex.
 */
export function dataRun(i: Inode, pos: i64, n: u32): usize {
  if (!(i.shape & RADIX)) {
    const have = <i64>i.shape - pos;
    dataRunBytes = have > 0 && have < <i64>n ? <u32>have : n;
    return have > 0 ? <usize>(i.data + <u32>pos) : 0;
  }
  const inPage = <u32>(pos & (PAGE - 1));
  let index = <u32>(pos >> PAGE_SHIFT);
  let slot = findSlot(i, index);
  const first = pageIn(slot);
  let next = first;
  let bytes = PAGE - inPage;
  while (bytes < n) {
    // The slots of one node are neighbours; nodes of less than 1024 pointers have no page behind their last.
    index++;
    slot =
      (index & ((1 << NODE_BITS) - 1)) == 0 || index >> indexBits(i) != 0
        ? findSlot(i, index)
        : slot == 0
          ? 0
          : slot + 4;
    if (first != 0) next += PAGE;
    if (pageIn(slot) != next) break;
    bytes += PAGE;
  }
  dataRunBytes = min<u32>(bytes, n);
  return first == 0 ? 0 : first + inPage;
}

/** Copies `n` bytes at `pos` out; holes read as zeros. The caller stays within the file's size. */
export function dataRead(i: Inode, pos: i64, to: usize, n: u32): void {
  for (let done: u32 = 0; done < n; done += dataRunBytes) {
    const run = dataRun(i, pos + done, n - done);
    if (run != 0) memory.copy(to + done, run, dataRunBytes);
    else memory.fill(to + done, 0, dataRunBytes);
  }
}

/** Second return value of dataReserve(): the limit of the file system is why it returned less, not the arena. */
export let dataReserveLimited: bool = false;

/**
 * Allocates room for `n` bytes at `pos`. Returns for how many of them the arena and the limit of the file system had room. New pages beyond the end of the file
 * that the write fills are not zeroed: if it does not come to that, dataRepair() frees them.
 */
export function dataReserve(i: Inode, pos: i64, n: u32): u32 {
  dataReserveLimited = false;
  if (!growShape(i, pos + n)) return 0;
  const atEnd = pos >= i.size;
  let done: u32 = 0;
  while (done < n) {
    const part = bytesInPage(pos + done, n - done);
    if (getPage(i, <u32>((pos + done) >> PAGE_SHIFT), !atEnd || part < PAGE) == 0) break;
    done += part;
  }
  return done;
}

/** The next run of the room that a write has reserved, as dataRun() has it. */
export function dataRoom(i: Inode, pos: i64, n: u32): usize {
  const run = dataRun(i, pos, n);
  if (run == 0) corrupt(i.at);
  return run;
}

/** How many of `n` bytes at `pos` are in the same page. */
function bytesInPage(pos: i64, n: u32): u32 {
  const left = PAGE - <u32>(pos & (PAGE - 1));
  return left < n ? left : n;
}

/**
 * Copies `n` bytes to reserved room, then sets size, times, and the file position at `posAddress` if that is not 0. The one at `source`, if that is not 0, advances.
 * Overwritten bytes cannot be undone. So the undo log holds a redo record of the write, and recovery repeats the write
 * as a whole (redoWrite()).
 */
export function dataWrite(
  d: Dentry,
  i: Inode,
  posAddress: usize,
  pos: i64,
  from: usize,
  n: u32,
  time: i64,
  source: usize = 0,
): void {
  const w = undoLog() + LOG_REDO;
  store<u32>(w + REDO_SOURCE, <u32>source);
  store<u32>(w + REDO_DENTRY, <u32>d.at);
  store<u32>(w + REDO_POS_ADDRESS, <u32>posAddress);
  store<i64>(w + REDO_POS, pos);
  store<u32>(w + REDO_BYTES, n);
  store<u32>(w, <u32>i.at);
  copyIn(d, i, posAddress, pos, from, n, time, w);
}

function copyIn(d: Dentry, i: Inode, posAddress: usize, pos: i64, from: usize, n: u32, time: i64, w: usize): void {
  for (let done: u32 = 0; done < n; done += dataRunBytes) {
    memory.copy(dataRoom(i, pos + done, n - done), from + done, dataRunBytes);
  }
  commitWrite(d, i, posAddress, pos + n, time, w);
}

/** Size, times, and the file position at `posAddress` if that is not 0, in one transaction, which ends the redo record `w`; 0: none. */
function commitWrite(d: Dentry, i: Inode, posAddress: usize, end: i64, time: i64, w: usize): void {
  const size = i.size;
  txBegin();
  const followed = changeBegin(d);
  setSize(i, end > size ? end : size, time);
  if (posAddress != 0) put64(posAddress, end);
  if (w != 0) {
    const source = <usize>load<u32>(w + REDO_SOURCE);
    if (source != 0) put64(source, load<i64>(source) + <i64>load<u32>(w + REDO_BYTES));
    set32(w, 0);
  }
  changeEnd(followed, d, i, IN_MODIFY);
  txEnd();
}

/**
 * Adds `n` bytes at `pos` that the host has copied to their room already: at or beyond the end of the file, where no reader sees them
 * until the commit, and after a death dataRepair() frees them; or in pages that this transaction replaces (replace.ts). Such a write
 * needs no redo record.
 */
export function dataAppend(d: Dentry, i: Inode, posAddress: usize, pos: i64, n: u32, time: i64): void {
  commitWrite(d, i, posAddress, pos + n, time, 0);
}

/** Repeats the write that the dead thread with this undo log and scratch area had begun in `i`. Under i_mutex. */
export function redoWrite(i: Inode, j: usize, deadScratch: usize): void {
  const w = j + LOG_REDO;
  if (load<u32>(w) != <u32>i.at) return;
  const posAddress = <usize>load<u32>(w + REDO_POS_ADDRESS);
  const n = load<u32>(w + REDO_BYTES);
  if (n == 0) return;
  if (n > <u32>IO_SIZE) corrupt(w);
  const d = changetype<Dentry>(<usize>load<u32>(w + REDO_DENTRY));
  copyIn(d, i, posAddress, load<i64>(w + REDO_POS), deadScratch + SCRATCH.IO, n, currentTime(), w);
}

/** Levels of a file's tree. */
export function levelsOf(i: Inode): u32 {
  const levels = i.shape & 0xff;
  if (levels == 0 || levels > MAX_LEVELS) corrupt(i.at);
  return levels;
}

/** log2 of the pointers of the top node; only a tree of one level may have fewer than 1024. */
export function topBits(i: Inode): u32 {
  const bits = (i.shape & ~RADIX) >> 8;
  if (bits > NODE_BITS || bits < (levelsOf(i) == 1 ? TOP_BITS_MIN : NODE_BITS)) corrupt(i.at);
  return bits;
}

/** Bits of a page's index in a tree of this shape. */
function indexBits(i: Inode): u32 {
  return (levelsOf(i) - 1) * NODE_BITS + topBits(i);
}

/** The address of the pointer to the page with this index; 0: a hole without a node above it. In a tree. */
function findSlot(i: Inode, index: u32): usize {
  if (index >> indexBits(i) != 0) return 0;
  let node = <usize>i.data;
  for (let l = levelsOf(i) - 1; l > 0 && node != 0; l--) {
    node = <usize>load<u32>(node + (((index >> (l * NODE_BITS)) & 1023) << 2));
  }
  return node == 0 ? 0 : node + ((index & 1023) << 2);
}

/** The slot of the `k`-th page behind `pos`, as findSlot(). */
export function slotOf(i: Inode, pos: i64, k: u32): usize {
  return findSlot(i, <u32>(pos >> PAGE_SHIFT) + k);
}

/** The page in a slot; 0: a hole. */
export function pageIn(slot: usize): usize {
  return slot == 0 ? 0 : <usize>load<u32>(slot);
}

/** The block or page with this index, which is allocated if it is a hole; 0: the arena is full. */
function getPage(i: Inode, index: u32, zeroed: bool): usize {
  if (!(i.shape & RADIX)) return <usize>i.data;
  let node = <usize>i.data;
  for (let l = levelsOf(i); l > 0; l--) {
    const slot = node + (((index >> ((l - 1) * NODE_BITS)) & 1023) << 2);
    let next = <usize>load<u32>(slot);
    if (next == 0) {
      next = zeroed || l > 1 ? kzalloc(PAGE) : kmalloc(PAGE, false);
      if (next == 0) return 0;
      txBegin();
      if (l == 1 && !chargeBlocks(i.sb, 1)) return refusePage(next);
      put32(slot, <u32>next);
      if (l == 1) i.pages += 1;
      removePendingBlock(next);
      txEnd();
    }
    node = next;
  }
  return node;
}

/** The limit of the file system has no room for a page that has been allocated: ends the transaction without a change. Returns 0. */
function refusePage(page: usize): usize {
  txEnd();
  slabFree(page);
  dataReserveLimited = true;
  return 0;
}

function kzalloc(size: u32): usize {
  const p = kmalloc(size, false);
  if (p != 0) memory.fill(p, 0, size);
  return p;
}

/** Changes the shape so that every page below `end` has a place. */
function growShape(i: Inode, end: i64): bool {
  if (!(i.shape & RADIX)) {
    if (end <= <i64>i.shape) return true;
    if (end <= <i64>KMALLOC_MAX) return growBlock(i, <u32>end);
    if (i.shape != 0 && i.shape < PAGE && !growBlock(i, PAGE)) return false;
  }
  const last = (end - 1) >> PAGE_SHIFT;
  if (!(i.shape & RADIX) && !addLevel(i, 1, topBitsFor(last))) return false;
  if (last >> indexBits(i) != 0 && topBits(i) < NODE_BITS && !growTop(i, topBitsFor(last))) return false;
  while (last >> indexBits(i) != 0) {
    const levels = levelsOf(i);
    if (levels == MAX_LEVELS || !addLevel(i, levels + 1, NODE_BITS)) return false;
  }
  return true;
}

/** The size of a single node for a page with this index, limited to the largest node. */
function topBitsFor(last: i64): u32 {
  const bits = <u32>(64 - clz<i64>(last));
  return bits < TOP_BITS_MIN ? TOP_BITS_MIN : bits > NODE_BITS ? NODE_BITS : bits;
}

/** Adds a node of 2^bits pointers on top. */
function addLevel(i: Inode, levels: u32, bits: u32): bool {
  const node = kzalloc(4 << bits);
  if (node == 0) return false;
  txBegin();
  store<u32>(node, i.data);
  i.data = <u32>node;
  i.shape = RADIX | (bits << 8) | levels;
  removePendingBlock(node);
  txEnd();
  return true;
}

/** Replaces the only node by a larger one. */
function growTop(i: Inode, bits: u32): bool {
  const node = kzalloc(4 << bits);
  if (node == 0) return false;
  const old = <usize>i.data;
  if (topBits(i) > bits) corrupt(i.at);
  memory.copy(node, old, 4 << topBits(i));
  txBegin();
  i.data = <u32>node;
  i.shape = RADIX | (bits << 8) | 1;
  removePendingBlock(node);
  slabFree(old);
  txEnd();
  return true;
}

function growBlock(i: Inode, size: u32): bool {
  const shape = kmallocSizeRoundup(size);
  if (i.shape > shape) corrupt(i.at);
  const p = kmalloc(shape, false);
  if (p == 0) return false;
  memory.copy(p, i.data, i.shape);
  memory.fill(p + i.shape, 0, shape - i.shape);
  txBegin();
  if (i.shape == 0 && !chargeBlocks(i.sb, 1)) return refusePage(p) != 0;
  if (i.shape != 0) slabFree(i.data);
  else i.pages = 1;
  i.data = <u32>p;
  i.shape = shape;
  removePendingBlock(p);
  txEnd();
  return true;
}

/** Frees the pages beyond `size` and zeroes the rest of the last page. Needs no memory. */
export function dataTruncate(i: Inode, size: i64): void {
  if (size == 0) {
    dataFree(i);
    return;
  }
  if (!(i.shape & RADIX)) {
    if (i.shape > PAGE) corrupt(i.at);
    if (size < <i64>i.shape) memory.fill(i.data + <u32>size, 0, i.shape - <u32>size);
    return;
  }
  const inPage = <u32>(size & (PAGE - 1));
  if (inPage != 0) {
    const page = pageIn(findSlot(i, <u32>(size >> PAGE_SHIFT)));
    if (page != 0) memory.fill(page + inPage, 0, PAGE - inPage);
  }
  truncateBudget = objectsMax();
  truncateNode(i, <usize>i.data, levelsOf(i), (<u32>1) << topBits(i), 0, (size + PAGE - 1) >> PAGE_SHIFT);
}

/** Nodes and pages that a truncation may still visit: more than fit into memory means a cycle. */
let truncateBudget: u32 = 0;

/**
 * Frees the pages from index `from` on below a node of `count` pointers whose first page has index `base`. Recursion is
 * at most 3 deep.
 */
function truncateNode(i: Inode, node: usize, level: u32, count: u32, base: i64, from: i64): void {
  const span = (<i64>1) << ((level - 1) * NODE_BITS);
  // From the end, so that they are allocated again in the order of their addresses, and make one run.
  for (let k = count; k-- > 0; ) {
    const slot = node + (k << 2);
    const child = <usize>load<u32>(slot);
    const first = base + span * k;
    if (child == 0 || first + span <= from) continue;
    if (truncateBudget-- == 0) corrupt(node);
    if (level > 1) {
      truncateNode(i, child, level - 1, 1 << NODE_BITS, first, from);
      if (first < from) continue;
    }
    freePage(i, slot, level);
  }
}

/** Frees what the word `slot` of a node of this level points to: on the first level a page, else an empty node. */
export function freePage(i: Inode, slot: usize, level: u32): void {
  txBegin();
  if (level == 1) {
    releaseBlocks(i.sb, 1);
    i.pages -= 1;
  }
  kfreeAt(slot);
  txEnd();
}

/** Frees all contents. */
export function dataFree(i: Inode): void {
  if (i.shape == 0) return;
  truncateBudget = objectsMax();
  if (i.shape & RADIX) truncateNode(i, <usize>i.data, levelsOf(i), (<u32>1) << topBits(i), 0, 0);
  txBegin();
  releaseBlocks(i.sb, i.pages);
  i.shape = 0;
  i.pages = 0;
  kfreeAt(i.dataAt);
  txEnd();
}

/** Repairs a file whose writer or truncating thread died or failed: frees pages beyond the size. Under i_mutex. */
export function dataRepair(i: Inode): void {
  dataTruncate(i, i.size);
  updateSparse(i);
}

/** Sets size, times and the I_SPARSE flag in one step for readers. */
export function setSize(i: Inode, size: i64, time: i64): void {
  beginAttr(i);
  i.size = size;
  setMtime(i, time, 0);
  i.ctime = time;
  i.mode = sparseMode(i, size);
  endAttr(i);
}

/** Updates the I_SPARSE flag after pages were freed. */
export function updateSparse(i: Inode): void {
  beginAttr(i);
  i.mode = sparseMode(i, i.size);
  endAttr(i);
}

function sparseMode(i: Inode, size: i64): u32 {
  const full = (size + PAGE - 1) >> PAGE_SHIFT == <i64>i.pages;
  return full ? i.mode & ~I_SPARSE : i.mode | I_SPARSE;
}
