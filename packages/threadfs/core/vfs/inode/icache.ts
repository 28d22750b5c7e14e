/** Allocates inodes, finds a driver's inodes by number, and frees an inode with its last reference. */

import * as HOOK from "../../../abi/hooks";
import { NODE_GID, NODE_INO, NODE_MODE, NODE_MTIME, NODE_NLINK, NODE_SIZE, NODE_UID } from "../../../abi/memory";
import { S_IFMT } from "../../../abi/mode";
import { driverAttrF64, driverAttrU32 } from "../../fs/driver/hooks";
import { slabFree } from "../../mem/alloc/slab";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { percpuCounterAdd } from "../../mem/percpu-counter";
import { set32 } from "../../mem/undo/log";
import { CACHE_INODE, G_INODE_GENERATION, G_INODE_LOCK, G_NR_INODE, SLOT_NR_INODE } from "../layout";
import { SuperBlock } from "../mount/super";
import { freeInodeBlocks } from "../recovery/reclaim";
import { kalloc } from "../recovery/space";
import { beginAttr, currentTime, endAttr, I_ACL, I_DRIVER, I_OP_PERMISSION, Inode, ihold, timeOfMs } from "./inode";
import { headOf } from "./iput";

/** An inode with one reference and no links; null: the arena is full. */
export function newInode(sb: SuperBlock, mode: u32, uid: u32, gid: u32): Inode {
  const i = changetype<Inode>(kalloc(CACHE_INODE, false));
  if (!i) return i;
  writeSeqBegin(i.seq);
  if (i.generation == 0) i.generation = load<u32>(G_INODE_GENERATION);
  // 0 means that the memory has never held an inode, so the generation passes over it when it comes round.
  i.generation = max<u32>(i.generation + 1, 1);
  i.mode = mode;
  i.uid = uid;
  i.gid = gid;
  i.nlink = 0;
  i.size = 0;
  const t = currentTime();
  i.mtime = t;
  i.ctime = t;
  i.atime = t;
  i.btime = t;
  i.sb_ = <u32>changetype<usize>(sb);
  i.alias = 0;
  i.pages = 0;
  i.mtimeHigh = 0;
  // Also atimeHigh.
  i.hashNext = 0;
  i.lastCookie = 0;
  i.shape = 0;
  atomic.store<u32>(i.flctxAt, 0);
  writeSeqEnd(i.seq);
  atomic.store<u32>(i.count, 1);
  percpuCounterAdd(G_NR_INODE, SLOT_NR_INODE, 1);
  return i;
}

/** Frees an inode that no other thread has ever seen. */
export function discardInode(i: Inode): void {
  freeInodeBlocks(i);
  percpuCounterAdd(G_NR_INODE, SLOT_NR_INODE, -1);
  slabFree(i.at);
}

/**
 * iget(): the inode, with a reference, for the attributes that a driver has just left in scratch. Updates an existing
 * inode; else creates one, in `spare` if that is not null. null: the arena is full.
 */
export function igetDriver(sb: SuperBlock, spare: Inode): Inode {
  const ino = driverAttrF64(NODE_INO);
  const type = driverAttrU32(NODE_MODE) & S_IFMT;
  let fresh = spare;
  if (fresh) initDriverInode(fresh, ino);
  while (true) {
    lock(G_INODE_LOCK);
    const head = headOf(sb, ino);
    let i = changetype<Inode>(<usize>load<u32>(head));
    let left = objectsMax();
    // A number with another type is another node: the type of an inode never changes.
    while (i && !(i.ino64 == ino && i.sb == sb && i.type == type)) {
      if (left-- == 0) corrupt(head);
      i = changetype<Inode>(<usize>i.hashNext);
    }
    if (i) {
      ihold(i);
      unlock(G_INODE_LOCK);
      if (fresh) discardInode(fresh);
      setDriverAttr(i);
      return i;
    }
    if (fresh) {
      fresh.hashNext = load<u32>(head);
      set32(head, <u32>fresh.at);
      unlock(G_INODE_LOCK);
      return fresh;
    }
    unlock(G_INODE_LOCK);
    // Allocation is not allowed under the lock: allocate an inode, then search again.
    fresh = newInode(sb, 0, 0, 0);
    if (!fresh) return fresh;
    initDriverInode(fresh, ino);
  }
}

/**
 * Updates an inode from the attributes that revalidate() has left in scratch. False: they are of another node. The caller
 * has a reference.
 */
export function refreshDriver(i: Inode): bool {
  if (driverAttrF64(NODE_INO) != i.ino64 || (driverAttrU32(NODE_MODE) & S_IFMT) != i.type) return false;
  setDriverAttr(i);
  return true;
}

/** Initializes an inode that no other thread knows from the attributes in scratch. */
function initDriverInode(i: Inode, ino: f64): void {
  i.mode = driverAttrU32(NODE_MODE) & S_IFMT;
  i.ino64 = ino;
  setDriverAttr(i);
}

/** Updates an inode from the attributes in scratch. The type of an inode never changes. */
export function setDriverAttr(i: Inode): void {
  const sb = i.sb;
  let ops = I_DRIVER;
  if (sb.hooks & HOOK.PERMISSION) ops |= I_OP_PERMISSION;
  if (sb.hooks & HOOK.CHECK_ACL) ops |= I_ACL;
  beginAttr(i);
  i.mode = (i.mode & S_IFMT) | (driverAttrU32(NODE_MODE) & 0xfff) | ops;
  i.uid = driverAttrU32(NODE_UID);
  i.gid = driverAttrU32(NODE_GID);
  i.nlink = driverAttrU32(NODE_NLINK);
  i.size = <i64>driverAttrF64(NODE_SIZE);
  const t = timeOfMs(driverAttrF64(NODE_MTIME));
  i.mtime = t;
  i.ctime = t;
  i.atime = t;
  endAttr(i);
}
