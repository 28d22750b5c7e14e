/** Drops references on inodes, and takes a driver's inode out of the table of numbers. */

import * as HOOK from "../../../abi/hooks";
import { driverIput } from "../../fs/driver/hooks";
import { dataFree } from "../../fs/tmpfs/data";
import { releaseInode } from "../../fs/tmpfs/quota";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { set32 } from "../../mem/undo/log";
import { G_INODE_LOCK, INODE_HASH, INODE_HEADS } from "../layout";
import { SuperBlock } from "../mount/super";
import { retire } from "../recovery/reclaim";
import { xattrsFree } from "../xattr/free";
import { I_DRIVER, I_XATTR, Inode } from "./inode";

/** iput(): drops a reference. The last one frees the contents at once and the inode after a grace period. */
export function iput(i: Inode): void {
  if (i.mode & I_DRIVER) {
    lock(G_INODE_LOCK);
    const last = atomic.sub<u32>(i.count, 1) == 1;
    if (last) unhashInode(i);
    unlock(G_INODE_LOCK);
    if (!last) return;
    if (i.sb.hooks & HOOK.IPUT) driverIput(i);
  } else {
    if (atomic.sub<u32>(i.count, 1) != 1) return;
    if (i.isReg) dataFree(i);
    if (i.mode & I_XATTR) xattrsFree(i);
    releaseInode(i);
  }
  retire(i.at);
}

/** The chain of the table in which an inode of this number is. */
export function headOf(sb: SuperBlock, ino: f64): usize {
  const h = <u32>(<i64>ino) * 0x9e3779b1 + <u32>sb.dev;
  return INODE_HEADS + (((h >> 8) & (INODE_HASH - 1)) << 2);
}

/** Under the inode lock. */
export function unhashInode(i: Inode): void {
  let at = headOf(i.sb, i.ino64);
  for (let left = objectsMax(); ; left--) {
    if (left == 0) corrupt(at);
    const p = load<u32>(at);
    if (p == 0) return;
    if (p == <u32>i.at) {
      set32(at, i.hashNext);
      return;
    }
    at = <usize>p + offsetof<Inode>("hashNext_");
  }
}
