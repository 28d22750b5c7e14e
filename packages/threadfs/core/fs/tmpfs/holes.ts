/**
 * Holes in the contents of a file: where they are, and making them. Everything here runs under the inode's i_mutex; data.ts has the shapes of
 * contents.
 *
 * A hole that is punched replaces contents, which cannot be undone: the redo record of a write (LOG_REDO) with no bytes stands for it,
 * and recovery punches the hole again, as a whole.
 */
import { IN_MODIFY } from "../../../abi/flags";
import { corrupt, objectsMax } from "../../mem/bounds";
import { txBegin, txEnd } from "../../mem/lock/lock";
import { set32, undoLog } from "../../mem/undo/log";
import { Dentry } from "../../vfs/dcache/dentry";
import { currentTime, Inode } from "../../vfs/inode/inode";
import { changeBegin, changeEnd } from "../../vfs/notify/fsnotify";
import {
  dataFree,
  dataRepair,
  freePage,
  LOG_REDO,
  levelsOf,
  NODE_BITS,
  PAGE,
  PAGE_SHIFT,
  pageIn,
  RADIX,
  REDO_BYTES,
  REDO_DENTRY,
  REDO_END,
  REDO_POS,
  setSize,
  slotOf,
  topBits,
} from "./data";

/** Nodes and pages that a walk may still visit: more than fit into memory means a cycle. */
let budget: u32 = 0;

/** Calls of a walk over a file's pages. */
const FREE: i32 = 0;
const FREE_ZEROS: i32 = 1;
const FILL: i32 = 2;
const COUNT: i32 = 3;

/** How many pages a walk that counts has found. */
let found: u32 = 0;

function isZero(page: usize): bool {
  for (let at = page; at < page + PAGE; at += 8) if (load<u64>(at) != 0) return false;
  return true;
}

/** Frees, fills or counts the pages with an index in [from, to) below a node of `count` pointers whose first page has index `base`. At most 3 deep. */
function walkPages(i: Inode, node: usize, level: u32, count: u32, base: i64, from: i64, to: i64, what: i32): void {
  const span = (<i64>1) << ((level - 1) * NODE_BITS);
  // From the end, so that pages are allocated again in the order of their addresses.
  for (let k = count; k-- > 0; ) {
    const slot = node + (k << 2);
    const child = <usize>load<u32>(slot);
    const first = base + span * k;
    if (child == 0 || first + span <= from || first >= to) continue;
    if (budget-- == 0) corrupt(node);
    if (level > 1) {
      walkPages(i, child, level - 1, 1 << NODE_BITS, first, from, to, what);
      // A node is freed with its last page only where the whole of it is a hole.
      if (what != FREE || first < from || first + span > to) continue;
    } else if (what == COUNT) {
      found++;
      continue;
    } else if (what == FILL) {
      memory.fill(child, 0, PAGE);
      continue;
    } else if (what == FREE_ZEROS && !isZero(child)) continue;
    freePage(i, slot, level);
  }
}

function overPages(i: Inode, from: i64, to: i64, what: i32): void {
  if (from >= to || !(i.shape & RADIX)) return;
  budget = objectsMax();
  walkPages(i, <usize>i.data, levelsOf(i), (<u32>1) << topBits(i), 0, from, to, what);
}

/** Fills the bytes of [start, end), which are of one page, with zeros. */
function clearPart(i: Inode, start: i64, end: i64): void {
  if (start >= end) return;
  const page = pageIn(slotOf(i, start, 0));
  if (page != 0) memory.fill(page + <u32>(start & (PAGE - 1)), 0, <u32>(end - start));
}

/** Frees the pages of [start, end), and fills the parts of pages at its edges with zeros. Needs no memory. */
function punch(i: Inode, start: i64, end: i64): void {
  if (i.shape == 0) return;
  if (!(i.shape & RADIX)) {
    // A block stands for the first page.
    if (start == 0 && end >= <i64>PAGE) dataFree(i);
    else if (start < <i64>i.shape) {
      memory.fill(<usize>i.data + <u32>start, 0, <u32>(min<i64>(end, i.shape) - start));
    }
    return;
  }
  const from = (start + PAGE - 1) >> PAGE_SHIFT;
  const to = end >> PAGE_SHIFT;
  clearPart(i, start, min<i64>(end, from << PAGE_SHIFT));
  if (to >= from) clearPart(i, to << PAGE_SHIFT, end);
  overPages(i, from, to, FREE);
}

/** Punches a hole in a file that has been reached by a dentry: from the return of this function's record on it is completed, by this thread or for it. */
export function dataPunchBegin(d: Dentry, i: Inode, start: i64, end: i64): void {
  const w = undoLog() + LOG_REDO;
  store<u32>(w + REDO_DENTRY, <u32>d.at);
  store<i64>(w + REDO_POS, start);
  store<i64>(w + REDO_END, end);
  store<u32>(w + REDO_BYTES, 0);
  store<u32>(w, <u32>i.at);
}

/** Does what the record of dataPunchBegin() says. */
export function dataPunch(): void {
  const w = undoLog() + LOG_REDO;
  finishPunch(changetype<Inode>(<usize>load<u32>(w)), w);
}

function finishPunch(i: Inode, w: usize): void {
  const d = changetype<Dentry>(<usize>load<u32>(w + REDO_DENTRY));
  punch(i, load<i64>(w + REDO_POS), load<i64>(w + REDO_END));
  txBegin();
  const followed = changeBegin(d);
  // The size stays; the times and whether the file is sparse do not.
  setSize(i, i.size, currentTime());
  set32(w, 0);
  changeEnd(followed, d, i, IN_MODIFY);
  txEnd();
}

/** Punches the hole again that the dead thread with this undo log had begun in `i`. */
export function redoPunch(i: Inode, j: usize): void {
  const w = j + LOG_REDO;
  if (load<u32>(w) == <u32>i.at && load<u32>(w + REDO_BYTES) == 0) finishPunch(i, w);
}

/** How many pages of [start, end) are holes. */
export function dataHoles(i: Inode, start: i64, end: i64): u64 {
  const from = start >> PAGE_SHIFT;
  const to = (end + PAGE - 1) >> PAGE_SHIFT;
  found = 0;
  if (i.shape & RADIX) overPages(i, from, to, COUNT);
  // A block stands for the first page.
  else if (i.shape != 0 && from == 0) found = 1;
  return <u64>(to - from) - found;
}

/** Fills the pages of [start, end) that are beyond the file's size: they may hold anything. */
export function dataClearBeyond(i: Inode, end: i64): void {
  overPages(i, (i.size + PAGE - 1) >> PAGE_SHIFT, (end + PAGE - 1) >> PAGE_SHIFT, FILL);
}

/**
 * Takes room back that was made in [start, end) and is not used: pages beyond the file's size, and before that those that hold zeros
 * only. So a page of zeros that was there before becomes a hole, which reads the same.
 */
export function dataGiveBack(i: Inode, start: i64, end: i64): void {
  dataRepair(i);
  overPages(i, start >> PAGE_SHIFT, (min<i64>(end, i.size) + PAGE - 1) >> PAGE_SHIFT, FREE_ZEROS);
  dataRepair(i);
}

/** The first page from index `from` on that is data, or a hole, below a node as in walkPages(); -1: there is none. */
function seekPage(node: usize, level: u32, count: u32, base: i64, from: i64, data: bool): i64 {
  const span = (<i64>1) << ((level - 1) * NODE_BITS);
  for (let k: u32 = 0; k < count; k++) {
    const first = base + span * k;
    if (first + span <= from) continue;
    const child = <usize>load<u32>(node + (k << 2));
    if (child == 0) {
      if (!data) return max<i64>(first, from);
      continue;
    }
    if (budget-- == 0) corrupt(node);
    if (level == 1) {
      if (data) return first;
      continue;
    }
    const found = seekPage(child, level - 1, 1 << NODE_BITS, first, from, data);
    if (found >= 0) return found;
  }
  return -1;
}

/** The first byte at or behind `pos` that is data, or a hole, as the end of the file is. -1: there is no data. `pos` is below the size. */
export function dataSeek(i: Inode, pos: i64, data: bool): i64 {
  const size = i.size;
  let page: i64;
  if (!(i.shape & RADIX)) {
    const inBlock = i.shape != 0 && pos < <i64>PAGE;
    if (data) return inBlock ? pos : -1;
    return inBlock ? min<i64>(PAGE, size) : pos;
  }
  budget = objectsMax();
  page = seekPage(<usize>i.data, levelsOf(i), (<u32>1) << topBits(i), 0, pos >> PAGE_SHIFT, data);
  // Behind the last page that the tree has a place for everything is a hole.
  if (page < 0 && !data) page = (<i64>1) << ((levelsOf(i) - 1) * NODE_BITS + topBits(i));
  if (page < 0) return -1;
  const at = max<i64>(page << PAGE_SHIFT, pos);
  if (at >= size) return data ? -1 : size;
  return at;
}
