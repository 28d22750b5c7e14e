/**
 * The limits of a file system in memory, as Linux's tmpfs counts them (mm/shmem.c: shmem_inode_acct_blocks(), shmem_reserve_inode()).
 *
 *   blocks   each page of contents, and a page for the body of a link of LONG_LINK bytes or more
 *   space    INODE_SPACE for each inode, and for each name of a file beyond its first; for an extended attribute what
 *            xattrSpace() says. The limit on the number of inodes is one on this sum
 *
 * A file system without a limit counts nothing: its writers only read its limit, on a line that nobody writes. One with a limit counts
 * under quotaLock, in the transaction of the change that is counted, and takes this lock before all other spin locks. So the sums are exact
 * whenever the lock is free, and never beyond the limit. A limit that has been lifted does not come back, as in Linux, since nothing
 * was counted meanwhile.
 *
 * What a thread that dies leaves behind without a name counts until the recount has freed it (vfs/recovery/quotas.ts), as its memory does.
 */
import { EINVAL, ENOSPC } from "../../../abi/errno";
import { lock, txBegin, txEnd, unlock } from "../../mem/lock/lock";
import { Inode } from "../../vfs/inode/inode";
import { SuperBlock } from "../../vfs/mount/super";

const PAGE_SIZE: f64 = 4096;
/** BOGO_INODE_SIZE */
export const INODE_SPACE: u64 = 1024;
/** A link whose body has so many bytes takes a page (SHORT_SYMLINK_LEN, less the NUL). */
export const LONG_LINK: u32 = 128;
/** simple_xattr_space(): what an attribute counts for besides its name and its value. */
const XATTR_SPACE: u64 = 40;
/** A limit is a float64 that holds an integer exactly. */
const LIMIT_MAX: f64 = 9007199254740991.0;

/** The blocks of a limit in bytes, in whole pages; 0: no limit. NaN counts as none. */
function blocksOf(size: f64): u64 {
  return size > 0 ? <u64>ceil<f64>(min<f64>(size, LIMIT_MAX) / PAGE_SIZE) : 0;
}

function spaceOf(inodes: f64): u64 {
  return inodes > 0 ? <u64>min<f64>(inodes, LIMIT_MAX) * INODE_SPACE : 0;
}

/** Sets the limits of a new file system, whose root counts. `size` in bytes, `inodes`; 0: no limit. */
export function setLimits(sb: SuperBlock, size: f64, inodes: f64): void {
  sb.maxBlocks = blocksOf(size);
  sb.maxSpace = spaceOf(inodes);
  sb.usedSpace = INODE_SPACE;
}

/**
 * shmem_reconfigure(): changes limits; negative: as it was. -EINVAL, and neither is changed: one is below what is used, or there was none.
 */
export function changeLimits(sb: SuperBlock, size: f64, inodes: f64): i32 {
  lock(sb.quotaLock);
  const blocks = size >= 0 ? blocksOf(size) : sb.maxBlocks;
  const space = inodes >= 0 ? spaceOf(inodes) : sb.maxSpace;
  let err = 0;
  if (size >= 0 && blocks != 0 && (sb.maxBlocks == 0 || sb.usedBlocks > blocks)) err = -EINVAL;
  if (inodes >= 0 && space != 0 && (sb.maxSpace == 0 || sb.usedSpace > space)) err = -EINVAL;
  if (err == 0) {
    sb.maxBlocks = blocks;
    sb.maxSpace = space;
  }
  unlock(sb.quotaLock);
  return err;
}

/** Whether a file system counts anything. */
export function isLimited(sb: SuperBlock): bool {
  return (sb.maxBlocks | sb.maxSpace) != 0;
}

/**
 * Takes the lock of a file system's counts at the start of a transaction that is to change them after it has taken other locks. To be
 * released by txEnd() if it returns true.
 */
export function lockQuota(sb: SuperBlock): bool {
  if (!isLimited(sb)) return false;
  lock(sb.quotaLock);
  return true;
}

/** Counts pages more, inside the transaction that adds them. False: they would be beyond the limit. */
export function chargeBlocks(sb: SuperBlock, n: u64): bool {
  if (sb.maxBlocks == 0) return true;
  lock(sb.quotaLock);
  const used = sb.usedBlocks + n;
  const max = sb.maxBlocks;
  const fits = max == 0 || used <= max;
  if (fits) sb.usedBlocks = used;
  unlock(sb.quotaLock);
  return fits;
}

/** Whether the limit has room for so many pages now. */
export function hasBlocks(sb: SuperBlock, n: u64): bool {
  if (sb.maxBlocks == 0) return true;
  lock(sb.quotaLock);
  const max = sb.maxBlocks;
  const fits = max == 0 || sb.usedBlocks + n <= max;
  unlock(sb.quotaLock);
  return fits;
}

/** Counts pages less, inside the transaction that takes them off the file. */
export function releaseBlocks(sb: SuperBlock, n: u64): void {
  if (n == 0 || sb.maxBlocks == 0) return;
  lock(sb.quotaLock);
  sb.usedBlocks = sb.usedBlocks - n;
  unlock(sb.quotaLock);
}

/**
 * shmem_reserve_inode(): counts a new inode or a further name, and `blocks` pages, inside the transaction that makes it. 0 or -ENOSPC, and
 * nothing is counted.
 */
export function reserveInode(sb: SuperBlock, blocks: u32): i32 {
  if (!isLimited(sb)) return 0;
  lock(sb.quotaLock);
  let err = -ENOSPC;
  if (sb.maxSpace == 0 || sb.usedSpace + INODE_SPACE <= sb.maxSpace) {
    if (blocks == 0 || chargeBlocks(sb, blocks)) {
      addSpace(sb, INODE_SPACE);
      err = 0;
    }
  }
  unlock(sb.quotaLock);
  return err;
}

/** Under quotaLock. */
function addSpace(sb: SuperBlock, n: u64): void {
  if (sb.maxSpace != 0) sb.usedSpace = sb.usedSpace + n;
}

/** Counts inodes, names or attributes less, inside the transaction that removes them. */
export function releaseSpace(sb: SuperBlock, n: u64): void {
  if (n == 0 || sb.maxSpace == 0) return;
  lock(sb.quotaLock);
  addSpace(sb, 0 - n);
  unlock(sb.quotaLock);
}

/** shmem_evict_inode(): counts an inode less that nothing references, whose pages and attributes are gone. */
export function releaseInode(i: Inode): void {
  const sb = i.sb;
  if (!isLimited(sb)) return;
  txBegin();
  lock(sb.quotaLock);
  if (i.isLink && i.pages != 0) {
    releaseBlocks(sb, i.pages);
    i.pages = 0;
  }
  releaseSpace(sb, INODE_SPACE);
  unlock(sb.quotaLock);
  txEnd();
}

/** simple_xattr_space(): what an attribute counts for, by the bytes of its name and of its value. */
export function xattrSpace(name: u32, value: u32): u64 {
  return XATTR_SPACE + name + value;
}

/** Counts an attribute more, inside the transaction that sets it. As in Linux it must leave a byte free. */
export function chargeXattr(sb: SuperBlock, space: u64): bool {
  if (sb.maxSpace == 0) return true;
  lock(sb.quotaLock);
  const fits = sb.maxSpace == 0 || sb.usedSpace + space < sb.maxSpace;
  if (fits) addSpace(sb, space);
  unlock(sb.quotaLock);
  return fits;
}

/** shmem_statfs(): blocks, free ones, inodes, free ones, as float64 at `to`; -1 for both of what has no limit. */
export function tmpfsStatfs(sb: SuperBlock, to: usize): void {
  lock(sb.quotaLock);
  const blocks = sb.maxBlocks;
  const space = sb.maxSpace;
  store<f64>(to, blocks == 0 ? -1 : <f64>blocks);
  store<f64>(to, blocks == 0 ? -1 : <f64>(blocks - sb.usedBlocks), 8);
  store<f64>(to, space == 0 ? -1 : <f64>(space / INODE_SPACE), 16);
  store<f64>(to, space == 0 ? -1 : <f64>((space - sb.usedSpace) / INODE_SPACE), 24);
  unlock(sb.quotaLock);
}

/** What an inode and the names of it count for. */
export function inodeSpace(i: Inode): u64 {
  return i.isDir ? INODE_SPACE : INODE_SPACE * max<u32>(i.nlink, 1);
}
