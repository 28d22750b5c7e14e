/**
 * Replaces whole pages of a file by others that the host has filled, so that the bytes of a long write are copied once. Under the
 * inode's i_mutex.
 *
 *   pending blocks of the thread's undo log        slots of the tree
 *     [first]      spare page 0   <- exchanged ->    page at pos
 *     [first + 1]  spare page 1   <- exchanged ->    the next one
 *     ...
 *
 * One transaction exchanges the pages of one part of a write, with its size, times and position: a death before its commit leaves
 * the part unwritten, and recovery frees the spare pages, as it does all pending blocks. The pages that a part has replaced are
 * spare for the next one, so a write allocates one part's pages, however long it is. What is left of them is freed at its end.
 */
import { IO_SIZE } from "../../../abi/limits";
import { kmalloc, slabFree } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { txBegin, txEnd } from "../../mem/lock/lock";
import { nrPendingBlocks, pendingBlockAt, put32, set32 } from "../../mem/undo/log";
import { Dentry } from "../../vfs/dcache/dentry";
import { Inode } from "../../vfs/inode/inode";
import { dataAppend, PAGE, PAGE_SHIFT, pageIn, RADIX, slotOf } from "./data";

/** The most pages that one transaction exchanges. */
const SPARES_MAX: u32 = <u32>IO_SIZE / PAGE;

/** The pending blocks that are spare pages of the write in progress: the first one's number, and how many. */
let first: u32 = 0;
let spares: u32 = 0;

/** Begins a write. Whatever an earlier one left when it was ended in the middle, its recovery has freed. */
export function replaceBegin(): void {
  spares = 0;
}

/** Ends a write: frees the spare pages. */
export function replaceEnd(): void {
  // From the end, so that they are allocated again in the order of their addresses.
  while (spares > 0) slabFree(load<u32>(pendingBlockAt(first + --spares)));
}

/**
 * Whether `n` bytes at `pos`, one part of a write, are whole pages that may be replaced: not where there is a hole, nor while there
 * is no memory for spare pages.
 */
export function mayReplace(i: Inode, pos: i64, n: u32): bool {
  if (!(i.shape & RADIX) || ((<u32>pos | n) & (PAGE - 1)) != 0) return false;
  const pages = n >> <u32>PAGE_SHIFT;
  if (pages > SPARES_MAX) corrupt(i.at);
  for (let k: u32 = 0; k < pages; k++) {
    if (pageIn(slotOf(i, pos, k)) == 0 || !hasSpare(k)) return false;
  }
  return true;
}

/** Whether there is a spare page of this number; allocates the next one. */
function hasSpare(k: u32): bool {
  if (k < spares) return true;
  if (spares == 0) first = nrPendingBlocks();
  if (kmalloc(PAGE, false) == 0) return false;
  spares++;
  return true;
}

/** Second return value of spareRun(): its bytes. */
export let spareRunBytes: u32 = 0;

/** Room in the spare pages: from byte `at` on as many of `n` bytes as lie at consecutive addresses. Returns their address. */
export function spareRun(at: u32, n: u32): usize {
  let k = at >> <u32>PAGE_SHIFT;
  const run = spare(k);
  let bytes = PAGE;
  while (bytes < n && spare(++k) == run + bytes) bytes += PAGE;
  spareRunBytes = min<u32>(bytes, n);
  return run;
}

function spare(k: u32): usize {
  if (k >= spares) corrupt(pendingBlockAt(first + k));
  return <usize>load<u32>(pendingBlockAt(first + k));
}

/** Exchanges the pages of `n` bytes at `pos` for the spare ones, and sets size, times, and the file position at `posAddress`. */
export function dataReplace(d: Dentry, i: Inode, posAddress: usize, pos: i64, n: u32, time: i64): void {
  txBegin();
  for (let k: u32 = 0; k < n >> <u32>PAGE_SHIFT; k++) {
    const slot = slotOf(i, pos, k);
    const old = pageIn(slot);
    if (old == 0) corrupt(i.at);
    put32(slot, <u32>spare(k));
    set32(pendingBlockAt(first + k), <u32>old);
  }
  dataAppend(d, i, posAddress, pos, n, time);
  txEnd();
}
