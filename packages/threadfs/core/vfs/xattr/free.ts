/** Frees extended attributes (store.ts). */

import { XATTR_SIZE_MAX } from "../../../abi/limits";
import { releaseSpace, xattrSpace } from "../../fs/tmpfs/quota";
import { KMALLOC_MAX } from "../../mem/alloc/slab";
import { corrupt, objectsMax } from "../../mem/bounds";
import { txBegin, txEnd } from "../../mem/lock/lock";
import { slot } from "../../mem/thread";
import { put32, set32 } from "../../mem/undo/log";
import { I_XATTR, Inode } from "../inode/inode";
import { SLOT_FREE_LOCKS } from "../layout";
import { freeLocks } from "../locks/file-lock";

/** In an attribute's first block (store.ts). */
export const NEXT: u32 = 4;
export const NAME_LENGTH: u32 = 8;
export const VALUE_LENGTH: u32 = 12;
/** In each further block: where its part of the value begins. */
export const MORE_HEAD: u32 = 4;

/** Most blocks of an attribute. */
const BLOCKS_MAX: u32 = XATTR_SIZE_MAX / (KMALLOC_MAX - MORE_HEAD) + 2;

/** Puts the blocks of an attribute that the present transaction takes off its list on the thread's list of blocks to be freed. */
export function freeLater(first: usize): void {
  let last = first;
  for (let left = BLOCKS_MAX; load<u32>(last) != 0; left--) {
    if (left == 0) corrupt(first);
    last = <usize>load<u32>(last);
  }
  set32(last, load<u32>(slot + SLOT_FREE_LOCKS));
  set32(slot + SLOT_FREE_LOCKS, <u32>first);
}

/** What an attribute counts for in a file system with a limit. */
export function spaceOf(p: usize): u64 {
  return xattrSpace(load<u32>(p + NAME_LENGTH), load<u32>(p + VALUE_LENGTH));
}

/** Takes an attribute off the list in which the word at `at` points to it, inside a change of attributes. */
export function unlinkAttribute(i: Inode, at: usize, p: usize): void {
  const next = load<u32>(p + NEXT);
  put32(at, next);
  if (next == 0 && at == i.xattrsAt) i.mode = i.mode & ~I_XATTR;
  freeLater(p);
}

/** Frees the attributes of an inode that nothing references. If the thread dies, the recount goes on. */
export function xattrsFree(i: Inode): void {
  for (let left = objectsMax(); i.mode & I_XATTR; left--) {
    const p = <usize>load<u32>(i.xattrsAt);
    if (p == 0 || left == 0) corrupt(i.at);
    txBegin();
    releaseSpace(i.sb, spaceOf(p));
    unlinkAttribute(i, i.xattrsAt, p);
    txEnd();
    freeLocks(slot);
  }
}
