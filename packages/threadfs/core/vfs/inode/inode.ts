/**
 * The inode in memory: 128 bytes. The first cache line is what permission checks and stat read, under the sequence
 * i_seq.
 *
 *   0   seq u32   4 mode u32 (low 16 bits: type and permission; above: I_* flags)   8 uid u32   12 gid u32
 *   16  generation u32   20 nlink u32   24 size i64
 *   32  mtime  40 ctime  48 atime  56 btime   i64: seconds since 1970 << 30 | nanoseconds, so that splitting needs no
 *                                             division, and comparing numbers compares times. Seconds beyond +-2^33 (the
 *                                             years 1697 to 2242) have more bits: mtimeHigh, atimeHigh, with I_WIDE_TIME
 *   64  mutex u32 (i_mutex)   68 count i32   72 lock u32 (i_lock)   76 sb ptr   80 alias ptr (the dentry of a directory)
 *   84  data ptr (contents, link body, pipe)   88 pages u32 (4 KiB pages that hold contents)   92 mtimeHigh i32
 *   96  acl ptr   100 hashNext ptr (inodes of drivers), or atimeHigh i32 (inodes in memory)
 *   104 ino64 f64 (inodes of drivers: their number), or lastCookie u64 (directories in memory: the last cookie given out)
 *   108 contents sequence u32 (regular files in memory: fs/tmpfs/unlocked.ts), or rdev u32 (devices in memory)
 *   112 shape u32 (shape of data; of a driver's link with a body its bytes)
 *   with I_XATTR the first extended attribute ptr: at 112 of a directory, at 104 of any other inode in memory
 *   116 rcuNext  120 flctx ptr (the first advisory lock, locks/file-lock.ts); when the inode is retired its epoch
 *   124 recount u32 (references found by the recount, recount.ts)
 *
 * The number of an inode in memory is made of its address and 28 bits of its generation, which grows whenever the memory is
 * reused: no two files that exist at one time have the same number, and one comes again after 2^28 files in its place.
 */

import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../../../abi/mode";
import * as host from "../../host";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { put32, put64, set32 } from "../../mem/undo/log";
import { countDirChange, D_DIRECTORY, D_REGULAR, D_SPECIAL, D_SYMLINK } from "../dcache/dentry";
import { SuperBlock } from "../mount/super";

export const INODE_SIZE: u32 = 128;
export const INODE_LINK: u32 = offsetof<Inode>("rcuNext");
/**
 * Words that are kept when the memory is freed: seq, generation, mutex, count, lock; also mode, data, acl and shape,
 * which the recount reads from an unfinished inode.
 */
export const INODE_KEEP: u32 =
  (1 << (offsetof<Inode>("seq_") >> 2)) |
  (1 << (offsetof<Inode>("mode_") >> 2)) |
  (1 << (offsetof<Inode>("generation") >> 2)) |
  (1 << (offsetof<Inode>("mutex_") >> 2)) |
  (1 << (offsetof<Inode>("count_") >> 2)) |
  (1 << (offsetof<Inode>("lock_") >> 2)) |
  (1 << (offsetof<Inode>("data_") >> 2)) |
  (1 << (offsetof<Inode>("acl_") >> 2)) |
  (1 << (offsetof<Inode>("shape_") >> 2));

/** The file system has its own permission(). */
export const I_OP_PERMISSION: u32 = 1 << 16;
/** The inode has an ACL, or the file system its own check_acl(). */
export const I_ACL: u32 = 1 << 17;
/** An inode of a driver. */
export const I_DRIVER: u32 = 1 << 18;
/** The file has fewer pages than its size says. */
export const I_SPARSE: u32 = 1 << 19;
/** A removed directory: nothing may be created in it. */
export const I_DEAD: u32 = 1 << 20;
/** mtime or atime is beyond the years 1697 to 2242: mtimeHigh or atimeHigh is not 0. Only inodes in memory. */
export const I_WIDE_TIME: u32 = 1 << 21;
/** A file of O_TMPFILE that has never had a name, and may get one: linkat(2). */
export const I_LINKABLE: u32 = 1 << 22;
/** The inode has extended attributes (vfs/xattr/store.ts). Only inodes in memory. */
export const I_XATTR: u32 = 1 << 23;
/** The inode of pipe(2), which has no name and counts one link as in Linux. */
export const I_PIPE: u32 = 1 << 27;

/** Offset of the contents sequence. */
export const CONTENTS_SEQ: u32 = 108;
/** Offset of the number of a device. */
export const RDEV: u32 = 108;

/** S_ISCHR() or S_ISBLK(), of S_IFMT's bits. */
export function isDeviceType(type: u32): bool {
  return (type & ~(S_IFBLK ^ S_IFCHR)) == S_IFCHR;
}

@unmanaged
export class Inode {
  seq_: u32;
  mode_: u32;
  uid_: u32;
  gid_: u32;
  generation: u32;
  nlink_: u32;
  size_: i64;
  mtime_: i64;
  ctime_: i64;
  atime_: i64;
  btime_: i64;
  mutex_: u32;
  count_: u32;
  lock_: u32;
  sb_: u32;
  alias_: u32;
  data_: u32;
  pages_: u32;
  mtimeHigh_: i32;
  acl_: u32;
  hashNext_: u32;
  ino64: f64;
  shape_: u32;
  rcuNext: u32;
  flctx_: u32;
  recount: u32;

  get at(): usize {
    return changetype<usize>(this);
  }
  get seq(): usize {
    return changetype<usize>(this);
  }
  get mutex(): usize {
    return changetype<usize>(this) + offsetof<Inode>("mutex_");
  }
  /** Address of the pointer to the contents, the link body or the pipe. */
  get dataAt(): usize {
    return changetype<usize>(this) + offsetof<Inode>("data_");
  }
  get aclAt(): usize {
    return changetype<usize>(this) + offsetof<Inode>("acl_");
  }
  get lock(): usize {
    return changetype<usize>(this) + offsetof<Inode>("lock_");
  }
  get count(): usize {
    return changetype<usize>(this) + offsetof<Inode>("count_");
  }
  get sb(): SuperBlock {
    return changetype<SuperBlock>(<usize>this.sb_);
  }

  get mode(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Inode>("mode_"));
  }
  set mode(v: u32) {
    put32(changetype<usize>(this) + offsetof<Inode>("mode_"), v);
  }
  get uid(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Inode>("uid_"));
  }
  set uid(v: u32) {
    put32(changetype<usize>(this) + offsetof<Inode>("uid_"), v);
  }
  get gid(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Inode>("gid_"));
  }
  set gid(v: u32) {
    put32(changetype<usize>(this) + offsetof<Inode>("gid_"), v);
  }
  get nlink(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Inode>("nlink_"));
  }
  set nlink(v: u32) {
    put32(changetype<usize>(this) + offsetof<Inode>("nlink_"), v);
  }
  get size(): i64 {
    return atomic.load<i64>(changetype<usize>(this), offsetof<Inode>("size_"));
  }
  set size(v: i64) {
    put64(changetype<usize>(this) + offsetof<Inode>("size_"), <u64>v);
  }
  get mtime(): i64 {
    return atomic.load<i64>(changetype<usize>(this), offsetof<Inode>("mtime_"));
  }
  set mtime(v: i64) {
    put64(changetype<usize>(this) + offsetof<Inode>("mtime_"), <u64>v);
  }
  get ctime(): i64 {
    return atomic.load<i64>(changetype<usize>(this), offsetof<Inode>("ctime_"));
  }
  set ctime(v: i64) {
    put64(changetype<usize>(this) + offsetof<Inode>("ctime_"), <u64>v);
  }
  get atime(): i64 {
    return atomic.load<i64>(changetype<usize>(this), offsetof<Inode>("atime_"));
  }
  set atime(v: i64) {
    put64(changetype<usize>(this) + offsetof<Inode>("atime_"), <u64>v);
  }
  get btime(): i64 {
    return atomic.load<i64>(changetype<usize>(this), offsetof<Inode>("btime_"));
  }
  set btime(v: i64) {
    put64(changetype<usize>(this) + offsetof<Inode>("btime_"), <u64>v);
  }

  get type(): u32 {
    return this.mode & S_IFMT;
  }
  get isDir(): bool {
    return (this.mode & S_IFMT) == S_IFDIR;
  }
  get isReg(): bool {
    return (this.mode & S_IFMT) == S_IFREG;
  }
  get isFifo(): bool {
    return (this.mode & S_IFMT) == S_IFIFO;
  }
  get isLink(): bool {
    return (this.mode & S_IFMT) == S_IFLNK;
  }
  /** Also read without i_lock, as a hint to which dentry must be locked (modeChangeBegin()). */
  get alias(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Inode>("alias_"));
  }
  set alias(v: u32) {
    put32(changetype<usize>(this) + offsetof<Inode>("alias_"), v);
  }
  get data(): u32 {
    return this.data_;
  }
  set data(v: u32) {
    put32(changetype<usize>(this) + offsetof<Inode>("data_"), v);
  }
  /** Data and shape for readers without i_mutex (fs/tmpfs/unlocked.ts). */
  get dataNow(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Inode>("data_"));
  }
  get shapeNow(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Inode>("shape_"));
  }
  /** Address of the sequence of a regular file's contents, in memory: the upper half of a directory's last cookie. */
  get contentsSeq(): usize {
    return changetype<usize>(this) + CONTENTS_SEQ;
  }
  /** i_rdev of a device in memory: the number that stat shows. It is set before any other thread sees the inode. */
  get rdev(): u32 {
    return load<u32>(changetype<usize>(this) + RDEV);
  }
  set rdev(v: u32) {
    store<u32>(changetype<usize>(this) + RDEV, v);
  }
  /** The bits of mtime's seconds beyond the 34 in mtime. */
  get mtimeHigh(): i32 {
    return atomic.load<i32>(changetype<usize>(this), offsetof<Inode>("mtimeHigh_"));
  }
  set mtimeHigh(v: i32) {
    put32(changetype<usize>(this) + offsetof<Inode>("mtimeHigh_"), <u32>v);
  }
  /** The same of atime; not in an inode of a driver, which is in a table. */
  get atimeHigh(): i32 {
    return atomic.load<i32>(changetype<usize>(this), offsetof<Inode>("hashNext_"));
  }
  set atimeHigh(v: i32) {
    put32(changetype<usize>(this) + offsetof<Inode>("hashNext_"), <u32>v);
  }
  /** Directories in memory: the last cookie given to an entry, written under i_mutex and childLock. It counts from 0 and never comes round. */
  get lastCookie(): u64 {
    return load<u64>(changetype<usize>(this), offsetof<Inode>("ino64"));
  }
  set lastCookie(v: u64) {
    put64(changetype<usize>(this) + offsetof<Inode>("ino64"), v);
  }
  get pages(): u32 {
    return atomic.load<u32>(changetype<usize>(this) + offsetof<Inode>("pages_"));
  }
  set pages(v: u32) {
    put32(changetype<usize>(this) + offsetof<Inode>("pages_"), v);
  }
  /** i_flctx: address of the pointer to the first advisory lock, which 0 ends. An inode that is retired has none. */
  get flctxAt(): usize {
    return changetype<usize>(this) + offsetof<Inode>("flctx_");
  }
  /** Address of the pointer to the first extended attribute, with I_XATTR: the shape of a directory's contents, which has none; else the last cookie. */
  get xattrsAt(): usize {
    const field = this.isDir ? offsetof<Inode>("shape_") : offsetof<Inode>("ino64");
    return changetype<usize>(this) + field;
  }
  /** Also read without a lock, under the inode's sequence (walk/permission.ts). */
  get acl(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Inode>("acl_"));
  }
  set acl(v: u32) {
    put32(changetype<usize>(this) + offsetof<Inode>("acl_"), v);
  }
  get hashNext(): u32 {
    return this.hashNext_;
  }
  set hashNext(v: u32) {
    set32(changetype<usize>(this) + offsetof<Inode>("hashNext_"), v);
  }
  get shape(): u32 {
    return this.shape_;
  }
  set shape(v: u32) {
    put32(changetype<usize>(this) + offsetof<Inode>("shape_"), v);
  }
}

/** A time as inodes store it, with the low 34 bits of the seconds; highSeconds() has the others. */
export function makeTime(sec: i64, nsec: i64): i64 {
  return (sec << 30) | nsec;
}

/** The bits of seconds that makeTime() leaves out: 0 from 1697 to 2242. */
export function highSeconds(sec: i64): i32 {
  return <i32>((sec - ((sec << 30) >> 30)) >> 34);
}

/** The seconds of a time and its high bits. */
export function timeSeconds(time: i64, high: i32): i64 {
  return (time >> 30) + ((<i64>high) << 34);
}

/** Sets mtime, inside a change of attributes. */
export function setMtime(i: Inode, time: i64, high: i32): void {
  i.mtime = time;
  if (high == 0 && !(i.mode & I_WIDE_TIME)) return;
  i.mtimeHigh = high;
  updateWideTime(i);
}

/** Sets atime, inside a change of attributes. */
export function setAtime(i: Inode, time: i64, high: i32): void {
  i.atime = time;
  if (high == 0 && !(i.mode & I_WIDE_TIME)) return;
  i.atimeHigh = high;
  updateWideTime(i);
}

function updateWideTime(i: Inode): void {
  i.mode = i.mtimeHigh != 0 || i.atimeHigh != 0 ? i.mode | I_WIDE_TIME : i.mode & ~I_WIDE_TIME;
}

/** A time from milliseconds with a fraction. Seconds are limited to +-2^33. */
export function timeOfMs(ms: f64): i64 {
  const s = floor<f64>(ms / 1000.0);
  const limited = min<f64>(max<f64>(s, -8589934592.0), 8589934591.0);
  return makeTime(<i64>limited, <i64>min<f64>((ms - s * 1000.0) * 1000000.0, 999999999.0));
}

export function currentTime(): i64 {
  return timeOfMs(host.now());
}

/** The number that stat returns. */
export function inodeNumber(i: Inode): f64 {
  if (i.mode & I_DRIVER) return i.ino64;
  return <f64>(i.generation & 0x0fffffff) * 33554432.0 + <f64>(<u32>(i.at >> 7));
}

/** The dentry flags for the type in this mode. */
export function dentryType(mode: u32): u32 {
  const t = mode & S_IFMT;
  if (t == S_IFDIR) return D_DIRECTORY;
  if (t == S_IFREG) return D_REGULAR;
  if (t == S_IFLNK) return D_SYMLINK;
  return D_SPECIAL;
}

export function ihold(i: Inode): void {
  atomic.add<u32>(i.count, 1);
}

/**
 * Begins a change of attributes: i_lock excludes other writers, i_seq notifies readers, and the count of changes those that have a link in an
 * entry of their prefix cache, as in dWriteBegin().
 */
export function beginAttr(i: Inode): void {
  lock(i.lock);
  writeSeqBegin(i.seq);
  if ((i.mode & S_IFMT) == S_IFLNK) countDirChange();
}

export function endAttr(i: Inode): void {
  writeSeqEnd(i.seq);
  unlock(i.lock);
}

/** Sets mtime and ctime, or only ctime. */
export function touch(i: Inode, contents: bool, t: i64): void {
  beginAttr(i);
  if (contents) setMtime(i, t, 0);
  i.ctime = t;
  endAttr(i);
}

/** Changes the link count and sets ctime. */
export function addLinks(i: Inode, n: i32, t: i64): void {
  beginAttr(i);
  i.nlink = i.nlink + n;
  i.ctime = t;
  endAttr(i);
}
