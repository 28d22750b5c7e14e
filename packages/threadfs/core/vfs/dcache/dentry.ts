/**
 * The dentry in memory: 128 bytes in two cache lines. The first holds what a step of the walk reads; it changes only
 * when a name changes. The second is written often.
 *
 *   0   seq       u32  sequence of the tuple (name, parent, inode): odd while it changes
 *   4   flags     u32  type of the inode, state, hooks of the file system
 *   8   hashLen   u64  hash (low) and length (high) of the name
 *   16  parent    ptr  itself at the root of a file system
 *   20  inode     ptr  0: negative
 *   24  next      ptr  next in the hash chain; odd: the end of the chain (d-hash.ts)
 *   28  dirSeq    u32  directories: odd while a rename into or within this directory is in progress
 *   32  name      32 bytes, zero-padded; for a longer name the address of its block
 *   64  lockref   u64  d_lock and reference count
 *   72  sb        ptr
 *   76  sibNext, 80 sibPrev   ptr  the parent's list of children
 *   84  firstChild, 88 lastChild ptr, 92 childLock u32
 *   96  lruNext, 100 lruPrev  ptr  list of unused dentries; when retired: retired list and epoch; when free: free list
 *   104 lookup mutex u32  drivers: owned by the thread that asks for this name (d-parallel.ts)
 *   108 nrChildren u32 directories: positive, hashed children (under its i_mutex)
 *   112 cookie    u64  in memory: position in the parent directory, never used twice there (written under its i_mutex and childLock)
 *       generation u64 with D_GENERATION, in its place: the generation number of the file system under which the dentry was good last
 *   120 mounts    u32  mounts on this dentry (under the mount lock)
 *   124 recount   u32  references found by the recount (recount.ts)
 *
 * Fields of the first line that may change under a reader are read by atomic loads.
 *
 * Accessors, here and in the other classes of the core: a field whose name ends in "_" is read and written through them. Fields
 * that readers load without a lock have an atomic load and put32() or put64(); fields that only the owner of a lock reads
 * have a plain load and set32(). They are written out for each field, because which of the two a field has is what a reader
 * of these files needs to see. AssemblyScript has no macros. A transform of its compiler could write them, but its code would be
 * in no file: neither the editor nor the source map, by which races and traces name an access, would show it.
 */
import * as POINT from "../../../abi/points";
import { forgetCounts, writeSeqBegin } from "../../mem/lock/seqlock";
import { put32, put64, set32 } from "../../mem/undo/log";
import { tracepoint } from "../../tracepoints";
import { Inode } from "../inode/inode";
import { G_DIR_CHANGES } from "../layout";
import { SuperBlock } from "../mount/super";

export const DENTRY_SIZE: u32 = 128;
export const DENTRY_LINK: u32 = offsetof<Dentry>("lruNext_");
/**
 * Words that are kept when the memory is freed: seq, dirSeq, lockref, childLock, lookupMutex; also hash and length, which the
 * recount reads from an unfinished dentry.
 */
export const DENTRY_KEEP: u32 =
  (1 << (offsetof<Dentry>("seq_") >> 2)) |
  (3 << (offsetof<Dentry>("hashLen_") >> 2)) |
  (1 << (offsetof<Dentry>("dirSeq_") >> 2)) |
  (3 << (offsetof<Dentry>("lockref_") >> 2)) |
  (1 << (offsetof<Dentry>("childLock_") >> 2)) |
  (1 << (offsetof<Dentry>("lookupMutex_") >> 2));
export const INLINE_NAME: u32 = 32;

/** Bits 0-2: the type of the inode, so that a walk need not read the inode. */
export const D_TYPE: u32 = 7;
export const D_NEGATIVE: u32 = 0;
export const D_DIRECTORY: u32 = 1;
export const D_REGULAR: u32 = 2;
export const D_SYMLINK: u32 = 3;
export const D_SPECIAL: u32 = 4;
export const D_UNHASHED: u32 = 1 << 3;
/** A mount stands on this dentry. */
export const D_MOUNTED: u32 = 1 << 4;
/** Nothing may be mounted here: the directory is being removed. */
export const D_CANT_MOUNT: u32 = 1 << 5;
/** A directory that every user may search, so that a walk need not read the inode. */
export const D_EXEC_ANY: u32 = 1 << 6;
/** A directory whose children all have dentries: a name that is not found does not exist. */
export const D_COMPLETE: u32 = 1 << 7;
export const D_OP_HASH: u32 = 1 << 8;
export const D_OP_COMPARE: u32 = 1 << 9;
export const D_OP_REVALIDATE: u32 = 1 << 10;
export const D_OP_DELETE: u32 = 1 << 11;
/** The last reference frees the dentry: the file system keeps no unused dentries. */
export const D_NO_CACHE: u32 = 1 << 12;
export const D_ON_LRU: u32 = 1 << 13;
export const D_REFERENCED: u32 = 1 << 14;
/** The root of a file system, or a dentry that is not in the tree. */
export const D_ROOT: u32 = 1 << 15;
/** FS_REVAL_DOT of the file system. */
export const D_REVAL_DOT: u32 = 1 << 16;
/** The name is in a block of its own. Changes with the name, in the same write section. */
export const D_LONG_NAME: u32 = 1 << 17;
/**
 * The dentry is in a hash chain. It may stay there for a while after D_UNHASHED is set, which hides it from lookups.
 */
export const D_CHAINED: u32 = 1 << 18;
/**
 * A driver is creating or removing this name. If the thread dies meanwhile, only the driver knows the outcome
 * (recount.ts).
 */
export const D_DRIVER_PENDING: u32 = 1 << 19;
/** Unused for so long that the shrinker comes to it soon: a walk takes a reference on it, and so says that it is used (d-lru.ts). */
export const D_IDLE: u32 = 1 << 23;
/** FS_GENERATION of the file system: beside D_OP_REVALIDATE. */
export const D_GENERATION: u32 = 1 << 24;
/**
 * The name is being looked up in the file system: the dentry is in its chain, and D_UNHASHED hides it from lookups
 * (d-parallel.ts). Changes under d_lock and the chain's lock.
 */
export const D_PAR_LOOKUP: u32 = 1 << 25;
/** Whenever the count of changes passes a multiple of this, what was kept of it is forgotten, as with sequences. */
const DIR_CHANGES_WRAP: u32 = 1 << 24;

@unmanaged
export class Dentry {
  seq_: u32;
  flags_: u32;
  hashLen_: u64;
  parent_: u32;
  inode_: u32;
  next_: u32;
  dirSeq_: u32;
  name0: u64;
  name1: u64;
  name2: u64;
  name3: u64;
  lockref_: u64;
  sb_: u32;
  sibNext_: u32;
  sibPrev_: u32;
  firstChild_: u32;
  lastChild_: u32;
  childLock_: u32;
  lruNext_: u32;
  lruPrev_: u32;
  lookupMutex_: u32;
  nrChildren_: u32;
  cookie_: u64;
  mounts_: u32;
  recount: u32;

  get at(): usize {
    return changetype<usize>(this);
  }
  get seq(): usize {
    return changetype<usize>(this);
  }
  get lockref(): usize {
    return changetype<usize>(this) + offsetof<Dentry>("lockref_");
  }
  get childLock(): usize {
    return changetype<usize>(this) + offsetof<Dentry>("childLock_");
  }
  get dirSeq(): usize {
    return changetype<usize>(this) + offsetof<Dentry>("dirSeq_");
  }
  get lookupMutex(): usize {
    return changetype<usize>(this) + offsetof<Dentry>("lookupMutex_");
  }
  get name(): usize {
    return changetype<usize>(this) + offsetof<Dentry>("name0");
  }

  get flags(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Dentry>("flags_"));
  }
  set flags(v: u32) {
    put32(changetype<usize>(this) + offsetof<Dentry>("flags_"), v);
  }
  get hashLen(): u64 {
    return atomic.load<u64>(changetype<usize>(this), offsetof<Dentry>("hashLen_"));
  }
  set hashLen(v: u64) {
    put64(changetype<usize>(this) + offsetof<Dentry>("hashLen_"), v);
  }
  get parent(): Dentry {
    return changetype<Dentry>(<usize>atomic.load<u32>(changetype<usize>(this), offsetof<Dentry>("parent_")));
  }
  set parent(v: Dentry) {
    put32(changetype<usize>(this) + offsetof<Dentry>("parent_"), <u32>changetype<usize>(v));
  }
  get inode(): Inode {
    return changetype<Inode>(<usize>atomic.load<u32>(changetype<usize>(this), offsetof<Dentry>("inode_")));
  }
  set inode(v: Inode) {
    put32(changetype<usize>(this) + offsetof<Dentry>("inode_"), <u32>changetype<usize>(v));
  }
  get next(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Dentry>("next_"));
  }
  set next(v: u32) {
    put32(changetype<usize>(this) + offsetof<Dentry>("next_"), v);
  }
  get sb(): SuperBlock {
    return changetype<SuperBlock>(<usize>this.sb_);
  }
  get nameLen(): u32 {
    return <u32>(this.hashLen >> 32);
  }
  get isRoot(): bool {
    return this.parent == this;
  }
  get type(): u32 {
    return this.flags & D_TYPE;
  }
  /** The links from one child to the next are also read without childLock (d-children.ts). */
  get sibNext(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Dentry>("sibNext_"));
  }
  set sibNext(v: u32) {
    put32(changetype<usize>(this) + offsetof<Dentry>("sibNext_"), v);
  }
  get sibPrev(): u32 {
    return this.sibPrev_;
  }
  set sibPrev(v: u32) {
    set32(changetype<usize>(this) + offsetof<Dentry>("sibPrev_"), v);
  }
  get firstChild(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Dentry>("firstChild_"));
  }
  set firstChild(v: u32) {
    put32(changetype<usize>(this) + offsetof<Dentry>("firstChild_"), v);
  }
  get lastChild(): u32 {
    return this.lastChild_;
  }
  set lastChild(v: u32) {
    set32(changetype<usize>(this) + offsetof<Dentry>("lastChild_"), v);
  }
  get lruNext(): u32 {
    return this.lruNext_;
  }
  set lruNext(v: u32) {
    set32(changetype<usize>(this) + offsetof<Dentry>("lruNext_"), v);
  }
  get lruPrev(): u32 {
    return this.lruPrev_;
  }
  set lruPrev(v: u32) {
    set32(changetype<usize>(this) + offsetof<Dentry>("lruPrev_"), v);
  }
  get cookie(): u64 {
    return this.cookie_;
  }
  set cookie(v: u64) {
    put64(changetype<usize>(this) + offsetof<Dentry>("cookie_"), v);
  }
  /** With D_GENERATION. Written under d_lock, or while no other thread knows the dentry; read without a lock. It never goes back. */
  get generation(): u64 {
    return atomic.load<u64>(changetype<usize>(this), offsetof<Dentry>("cookie_"));
  }
  set generation(v: u64) {
    put64(changetype<usize>(this) + offsetof<Dentry>("cookie_"), v);
  }
  get nrChildren(): u32 {
    return this.nrChildren_;
  }
  set nrChildren(v: u32) {
    set32(changetype<usize>(this) + offsetof<Dentry>("nrChildren_"), v);
  }
  get mounts(): u32 {
    return this.mounts_;
  }
  set mounts(v: u32) {
    set32(changetype<usize>(this) + offsetof<Dentry>("mounts_"), v);
  }
}

/** Address of a dentry's name. Only while the name cannot change. */
export function dentryName(d: Dentry): usize {
  return d.nameLen > INLINE_NAME ? <usize>load<u32>(d.name) : d.name;
}

/**
 * Whether an entry of a file system with FS_GENERATION is good without its revalidate(): at the moment at which `sb` is asked. The caller
 * validates the dentry's sequence, which it has read before, afterwards.
 */
export function isCurrent(d: Dentry, sb: SuperBlock): bool {
  if (POINTS) tracepoint(POINT.GENERATION, <usize>d.generation, <usize>sb.generation);
  return d.generation == sb.generation;
}

/**
 * Begins a change of a dentry's name, place, inode, or of the flags by which a walk passes it: makes its sequence odd, and counts if it is a
 * directory's or a link's. A change that leads a walk elsewhere follows the count, so whoever finds the old count has seen every directory and
 * link as it was (prefix-cache.ts). In a transaction, which ends the section; inside one nothing is left to do.
 */
export function dWriteBegin(d: Dentry): void {
  if (load<u32>(d.seq) & 1) return;
  writeSeqBegin(d.seq);
  const type = d.flags & D_TYPE;
  if (type == D_DIRECTORY || type == D_SYMLINK) countDirChange();
}

/**
 * Counts a change of a directory or a link. Also before a sequence that a dead thread has made odd becomes even, which it may have counted or not, and
 * for a mount (hashMountAt()).
 */
export function countDirChange(): void {
  const n = atomic.add<u32>(G_DIR_CHANGES, 2) + 2;
  if ((n & (DIR_CHANGES_WRAP - 1)) == 0) forgetCounts();
}

/** Sets and clears flags. The caller owns d_lock, or no other thread knows the dentry. */
export function setFlags(d: Dentry, set: u32, clear: u32): void {
  d.flags = (d.flags & ~clear) | set;
}

/** A new entry's position in a directory in memory. */
export function nextCookie(parent: Dentry): u64 {
  const dir = parent.inode;
  const cookie = dir.lastCookie + 1;
  dir.lastCookie = cookie;
  return cookie;
}
