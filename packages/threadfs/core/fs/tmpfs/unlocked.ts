/**
 * Reads of contents in memory without i_mutex, as a walk in rcu mode reads names: nothing is stored, and what was read counts only if
 * no change was under way meanwhile. So threads that read one file write no line in common. (Linux reads the page cache without the
 * mutex too, but then a read may see a part of a write.)
 *
 *   inode + 108   contents sequence u32, of a regular file in memory: odd while a thread that has the i_mutex changes contents or size
 *
 * Guarantees
 *  - dataReadUnlocked() returns what one moment of the call had, or that it does not know. A call that writes makes the sequence odd
 *    before its first change and even after its last, so of a write that is several transactions a read sees all or nothing.
 *  - A pointer is followed only after the sequence has been compared: it led to a page or node of this file then. What is freed while it
 *    is being read stays memory, and its bytes are thrown away.
 *  - Ordering: the read-modify-write in contentsChangeBegin() precedes the plain stores of the change, and pairs with the last comparison
 *    in dataReadUnlocked(); smpMb() keeps the plain loads of the copy before that. The store in contentsChangeEnd() follows the change,
 *    and pairs with the first load of the sequence.
 *  - A thread that dies in a change has the i_mutex: recovery repairs the contents, and then makes the sequence even.
 */

import { smpMb } from "../../mem/lock/seqlock";
import { I_DRIVER, I_WIDE_TIME, Inode } from "../../vfs/inode/inode";
import { MAX_LEVELS, NODE_BITS, PAGE, PAGE_SHIFT, RADIX } from "./data";

function isInMemory(i: Inode): bool {
  return i.isReg && (i.mode & I_DRIVER) == 0;
}

/** The caller, who has the i_mutex, is going to change contents or size. Not nested. */
export function contentsChangeBegin(i: Inode): void {
  if (!isInMemory(i)) return;
  atomic.or<u32>(i.contentsSeq, 1);
}

/** The change is complete, or recovery has repaired it. */
export function contentsChangeEnd(i: Inode): void {
  const s = load<u32>(i.contentsSeq);
  if (isInMemory(i) && (s & 1) != 0) atomic.store<u32>(i.contentsSeq, s + 1);
}

/** Second return value of dataReadUnlocked(): the size of the file. */
export let unlockedSize: i64 = 0;

/** Copies up to `n` bytes at `pos` to `to`. Returns how many; -1: it is not known, the caller reads under i_mutex. */
export function dataReadUnlocked(i: Inode, pos: i64, to: usize, n: u32): i32 {
  // A wide time is two words, which relatime would read apart.
  if (!isInMemory(i) || (i.mode & I_WIDE_TIME) != 0) return -1;
  const s = atomic.load<u32>(i.contentsSeq);
  if (s & 1) return -1;
  const size = i.size;
  const shape = i.shapeNow;
  const data = <usize>i.dataNow;
  if (hasChanged(i, s)) return -1;
  unlockedSize = size;
  if (pos >= size) return 0;
  const bytes = size - pos < <i64>n ? <u32>(size - pos) : n;
  if (shape & RADIX) {
    if (!copyPages(i, s, shape, data, pos, to, bytes)) return -1;
  } else {
    const have = <i64>shape - pos;
    const inBlock: u32 = have <= 0 ? 0 : have < <i64>bytes ? <u32>have : bytes;
    if (inBlock != 0) memory.copy(to, data + <u32>pos, inBlock);
    if (inBlock < bytes) memory.fill(to + inBlock, 0, bytes - inBlock);
  }
  smpMb();
  return hasChanged(i, s) ? -1 : bytes;
}

function hasChanged(i: Inode, s: u32): bool {
  return atomic.load<u32>(i.contentsSeq) != s;
}

/** Copies out of a tree. False: the file has changed. */
function copyPages(i: Inode, s: u32, shape: u32, top: usize, pos: i64, to: usize, n: u32): bool {
  const levels = shape & 0xff;
  const bits = ((shape & ~RADIX) >> 8) + (levels - 1) * NODE_BITS;
  if (levels == 0 || levels > MAX_LEVELS) return false;
  for (let done: u32 = 0; done < n; ) {
    const at = pos + done;
    const index = <u32>(at >> PAGE_SHIFT);
    const inPage = <u32>at & (PAGE - 1);
    const part = min<u32>(PAGE - inPage, n - done);
    let p: usize = index >> bits != 0 ? 0 : top;
    for (let l = levels; l > 0 && p != 0; l--) {
      p = <usize>atomic.load<u32>(p + (((index >> ((l - 1) * NODE_BITS)) & 1023) << 2));
      if (hasChanged(i, s)) return false;
    }
    if (p != 0) memory.copy(to + done, p + inPage, part);
    else memory.fill(to + done, 0, part);
    done += part;
  }
  return true;
}
