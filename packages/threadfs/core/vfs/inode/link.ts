/**
 * The body of a link in its inode: at `data`, with a NUL behind it. That of a link in memory is there from the start. That of a driver's
 * link is there if its text never changes (FS_CACHE_LINKS), once the driver was asked for it; `shape` has its bytes then, because the size of
 * a driver's link is whatever the driver says of it.
 *
 * Guarantees
 *  - A driver's body is stored once, and never changes: its bytes, then its length, then its address, the last two in one transaction under
 *    i_lock. Pairs with the loads of linkBody() and linkBodySize(), in this order: who sees the address sees the rest.
 *  - The memory is freed with the inode, a grace period after the last reference on it (freeInodeBlocks()).
 */

import { FS_CACHE_LINKS } from "../../../abi/flags";
import { PATH_MAX } from "../../../abi/limits";
import { linkBlock, slabFree } from "../../mem/alloc/slab";
import { lock, unlock } from "../../mem/lock/lock";
import { kmallocSpace } from "../recovery/space";
import { I_DRIVER, Inode } from "./inode";

/** The body; 0: a driver's link without one. */
export function linkBody(inode: Inode): usize {
  return <usize>inode.dataNow;
}

/** Its bytes, where there is one. */
export function linkBodySize(inode: Inode): i64 {
  return inode.mode & I_DRIVER ? <i64>inode.shapeNow : inode.size;
}

/** The memory for a body of `n` bytes, with a NUL: copyLinkBody() loads whole words. */
export function linkBlockSize(n: u32): u32 {
  return min<u32>(n + 9, PATH_MAX + 1);
}

/** Whether the body of this driver's link never changes. */
export function keepsLinkBody(inode: Inode): bool {
  return (inode.sb.fsFlags & FS_CACHE_LINKS) != 0;
}

/**
 * Keeps the body, `n` bytes at `from`, that a driver has returned for a link. Returns the body in the inode, which may be that of another
 * thread; 0: the arena is full. The caller has a reference on the inode.
 */
export function keepLinkBody(inode: Inode, from: usize, n: u32): usize {
  const body = kmallocSpace(linkBlockSize(n));
  if (body == 0) return 0;
  memory.copy(body, from, n);
  store<u8>(body + n, 0);
  lock(inode.lock);
  const first = inode.data == 0;
  if (first) {
    inode.shape = n;
    linkBlock(inode.dataAt, body);
  }
  unlock(inode.lock);
  if (!first) slabFree(body);
  return <usize>inode.dataNow;
}
