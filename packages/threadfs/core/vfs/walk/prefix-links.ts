/**
 * Entries of the prefix cache (prefix-cache.ts) whose path leads over links, mounts, ".", ".." or long names. Paths in a tree of pnpm, and
 * all of node_modules/.bin, are of this kind. So are those over names of a driver that are good under a generation number, and over
 * directories that not every user may search.
 *
 * What such an entry states is a chain too: "under these sequences, from this start, these bytes lead to that directory".
 *  - A link: under the sequence of its dentry it is the child of a directory and has one inode, and the body of an inode never
 *    changes. The inode's sequence is in the chain as well: it moves when the link's times change, and a link whose time of
 *    access has to be updated must be walked over.
 *  - "..": under the sequence of a directory its parent is that directory. It does not lead above the root of the walk, or of its
 *    mount, so the root belongs to the entry.
 *  - A body that begins with "/" leads to the root of the walk, whose dentry and sequence belong to the entry.
 *  - A mount: under the mount sequence it is mounted on that dentry, and its root is that directory. Then the mounts in which the walk
 *    begins and ends belong to the entry.
 *  - A name of a driver with FS_GENERATION: under its sequence it is that child, and no driver has to be asked about it as long as the number
 *    of the file system is the one under which it is good. The number only counts up, and belongs to the entry.
 *  - A directory that not every user may search: under its sequence the context of the entry may search it (searched.ts). A context keeps its
 *    user, groups and capabilities. A driver's directory is not in an entry, because its attributes change before the sequence does.
 *
 * Guarantees: those of the prefix cache. prefixLinksValid() loads every sequence of the chain, and the flags of every directory, once:
 * if they are what the entry says, all that the entry states was true at the first of these loads. It loads none of them while the count of
 * changes is the one under which it has done so, unless a generation number is among them, which moves without a count. The root is that of the context
 * at the same moment, or the one that the walk has begun with. The count of links goes on, so that a walk ends with ELOOP behind 40
 * links with an entry as without.
 *
 * A walk with the host's security hook, or whose resolution has limits (openat2(2)), does not use these entries: mayFollow().
 *
 * The chains lie one behind the other in a ring behind the entries of the prefix cache. An entry has the position of its chain, which counts
 * all bytes that were ever written to the ring; so a chain is whole until another ring of bytes has been written.
 *
 * In an entry, instead of the chain:
 *   0   position u64   8 root u64: dentry (low), sequence (high)   16 links u32: how many the path leads over   20 flags u32
 *   24  mount sequence u32   28 mount at the start ptr   32 mount at the end ptr   36 mount of the root ptr
 *   40  dirsSize u16   42 size u16: bytes of the chain, and of its first part   48 number of the context f64, if it is for one
 * Chain
 *   (dentry (low), sequence (high)) of each directory, u64; then, u64 too, the address (low) and the value (high) of each word that must keep
 *   its value: sequences of mount points, of links and their inodes, and the halves of generation numbers
 */

import { MS_NOSYMFOLLOW, MS_STRICTATIME } from "../../../abi/flags";
import { PATH_MAX } from "../../../abi/limits";
import * as POINT from "../../../abi/points";
import { DOT, hashLen, hashName, hashNameLen, SLASH } from "../../mem/hash";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { scratch } from "../../mem/thread";
import { tracepoint } from "../../tracepoints";
import { dLookupRcu, dLookupRcuSeq } from "../dcache/d-lookup";
import {
  D_DIRECTORY,
  D_EXEC_ANY,
  D_GENERATION,
  D_MOUNTED,
  D_OP_REVALIDATE,
  D_SYMLINK,
  D_TYPE,
  D_UNHASHED,
  Dentry,
  isCurrent,
} from "../dcache/dentry";
import { atimeIsFresh, forgetClock, keepsAtime } from "../inode/atime";
import { I_DRIVER, Inode } from "../inode/inode";
import { keepsLinkBody, linkBody } from "../inode/link";
import { G_DIR_CHANGES, G_MOUNT_SEQ, PREFIX_LINKS_CHAIN, S_PREFIX_CHAIN, S_PREFIX_WRITTEN } from "../layout";
import { lookupMnt, Mount } from "../mount/namespace";
import { SuperBlock } from "../mount/super";
import { prefixRing, prefixRingSize } from "../task/thread";
import { copyLinkBody, copyLinkBodyEnd } from "./link-body";
import { LOOKUP_HAS_LIMITS, MAXSYMLINKS, Nameidata, ND_MOUNTS } from "./nameidata";
import { setRoot } from "./path-init";
import { PLAIN_MASK } from "./rcu-walk";
import { maySearch } from "./searched";

const POSITION: usize = 0;
const ROOT: usize = 8;
const LINKS: usize = 16;
const FLAGS: usize = 20;
const MOUNT_SEQ: usize = 24;
const START_MOUNT: usize = 28;
const END_MOUNT: usize = 32;
const ROOT_MOUNT: usize = 36;
const DIRS_SIZE: usize = 40;
const SIZE: usize = 42;
const CONTEXT: usize = 48;

/** The path leads up, or to the root: the entry is for this root. The walk began in the root's mount. */
const DOTS: u32 = 1;
const JUMPS: u32 = 2;
const IN_ROOT_MOUNT: u32 = 4;
/** A link's time of access would have to be updated if the file system could be written. */
const OLD_ATIME: u32 = 8;
/** The path leads over mount points. */
const MOUNTS: u32 = 16;

/** The path leads over directories that not every user may search: the entry is for one context. */
const PRIVATE: u32 = 32;
/** A generation number is in the chain. */
const GENERATION: u32 = 64;

/**
 * A directory on the way: D_DIRECTORY among these flags. A long name is no matter here, gather() looks at D_OP_REVALIDATE, which a dentry never
 * changes, and D_EXEC_ANY changes with the sequence alone.
 */
const DIR_MASK: u32 = (PLAIN_MASK & ~D_EXEC_ANY) | D_MOUNTED;
const STATE_MASK: u64 = ((<u64>DIR_MASK) << 32) | 0xffffffff;
const STATE: u64 = (<u64>D_DIRECTORY) << 32;

/** In the area where an entry is gathered: directories; links and their inodes; and where each path with a link in it goes on. */
const GATHER_LINKS: u32 = PREFIX_LINKS_CHAIN;
const GATHER_STACK: u32 = 2 * PREFIX_LINKS_CHAIN;
export const PREFIX_LINKS_GATHER: u32 = GATHER_STACK + (MAXSYMLINKS << 3);

/**
 * Walks over cached links between two that walk over the links themselves, because a time of access that is a day old must be
 * updated, and no sequence moves when the day is over.
 */
export const WALK_EVERY: u32 = 4096;
let walksLeft: u32 = WALK_EVERY;

/** Where the chain at a position of the ring lies. */
function chainAt(position: u64): usize {
  return prefixRing + <usize>(position & (prefixRingSize - 1));
}

/** Whether links and ".." on a path have no other meaning for this walk than for any other. */
function mayFollow(nd: Nameidata): bool {
  return (nd.flags & LOOKUP_HAS_LIMITS) == 0;
}

/** Whether a mount shows all of its file system, so that ".." leads to the parent wherever the walk is in it. */
function isWhole(m: Mount): bool {
  const root = m.root;
  return root.parent == root;
}

/** Whether links of a mount may be passed without a look at each: it lets them be followed, and not every time of access is updated. */
function passesLinks(m: Mount): bool {
  return (m.flags & (MS_NOSYMFOLLOW | MS_STRICTATIME)) == 0;
}

/** The walk's root, as an entry has it. */
function rootKey(nd: Nameidata): u64 {
  return <u64>nd.root_ | ((<u64>nd.rootSeq) << 32);
}

/** Whether an entry that leads up or to the root is for the root of this walk, which is known. */
function isForRoot(nd: Nameidata, at: usize, flags: u32): bool {
  if (load<u64>(at, ROOT) != rootKey(nd)) return false;
  if ((nd.mnt_ == nd.rootMnt_) != ((flags & IN_ROOT_MOUNT) != 0)) return false;
  return areWhole(nd);
}

function areWhole(nd: Nameidata): bool {
  return isWhole(nd.mnt) && isWhole(nd.rootMnt);
}

/** Whether an entry that leads over mounts is for the mount of this walk, and was made under the mount sequence with which the walk began. */
function isForMount(nd: Nameidata, at: usize, flags: u32): bool {
  if (load<u32>(at, MOUNT_SEQ) != nd.mSeq || load<u32>(at, START_MOUNT) != nd.mnt_) return false;
  return !(flags & (DOTS | JUMPS)) || load<u32>(at, ROOT_MOUNT) == nd.rootMnt_;
}

/** Whether the ring has no other chains where that of an entry lies, whose fields for links are at `at`. */
function isChainThere(at: usize): bool {
  return load<u64>(scratch + S_PREFIX_WRITTEN) - load<u64>(at, POSITION) <= prefixRingSize;
}

/** Whether every word of the chain of an entry, whose fields for links are at `at`, is what it was. */
function isChainInPlace(at: usize): bool {
  if (!isChainThere(at)) return false;
  let p = chainAt(load<u64>(at, POSITION));
  const dirsEnd = p + <usize>load<u16>(at, DIRS_SIZE);
  const end = p + <usize>load<u16>(at, SIZE);
  while (p < dirsEnd) {
    const link = load<u64>(p);
    // Pairs with the write sections that move, remove or change the directory.
    if (((atomic.load<u64>(<usize>(<u32>link)) & STATE_MASK) ^ (link >> 32)) != STATE) return false;
    p += 8;
  }
  while (p < end) {
    const link = load<u64>(p);
    if (atomic.load<u32>(<usize>(<u32>link)) != <u32>(link >> 32)) return false;
    p += 8;
  }
  return true;
}

/** Second return value of prefixLinksValid() when it returns false: the entry is another context's. */
export let prefixLinksAlien: bool = false;

/**
 * Whether the entry whose fields for links are at `at` is valid for this walk, which is at the entry's start. If so, counts its links
 * and takes over its mount; the caller takes over the directory. `changes`: the count of changes under which its chain was in place; `now`: the
 * count that the caller has loaded. The chain is not looked at if they are the same.
 */
export function prefixLinksValid(nd: Nameidata, at: usize, changes: u32, now: u32): bool {
  const links = load<u32>(at, LINKS);
  const flags = load<u32>(at, FLAGS);
  prefixLinksAlien = false;
  if (nd.links + links > MAXSYMLINKS || !mayFollow(nd)) return false;
  if (flags & PRIVATE && load<f64>(at, CONTEXT) != nd.ctxNumber) {
    prefixLinksAlien = true;
    return false;
  }
  if (--walksLeft == 0) {
    walksLeft = WALK_EVERY;
    forgetClock();
    return false;
  }
  let fs: u32 = 0;
  const findRoot = nd.root_ == 0;
  if (flags & (DOTS | JUMPS)) {
    if (findRoot) {
      fs = readSeqBegin(nd.ctx.seq);
      if (setRoot(nd) != 0) return false;
      // The chain has to be in place while the root is the context's: at a moment between the two loads of the context's sequence.
      now = atomic.load<u32>(G_DIR_CHANGES);
    }
    if (!isForRoot(nd, at, flags)) return false;
  }
  if (flags & MOUNTS && !isForMount(nd, at, flags)) return false;
  // The mount sequence is for the flags of an entry that leads over mounts.
  if (links != 0 && !(flags & MOUNTS) && !(passesLinks(nd.mnt) && (!(flags & JUMPS) || passesLinks(nd.rootMnt))))
    return false;
  if (flags & OLD_ATIME && !(keepsAtime(nd.mnt) && (!(flags & JUMPS) || keepsAtime(nd.rootMnt)))) return false;
  if (changes != now && !isChainInPlace(at)) return false;
  // At the moment of the chain no mount had changed, and the root was the context's.
  if (flags & MOUNTS && readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) return false;
  if (flags & (DOTS | JUMPS) && findRoot && readSeqRetry(nd.ctx.seq, fs)) return false;
  nd.links += links;
  if (flags & MOUNTS) {
    nd.mnt_ = load<u32>(at, END_MOUNT);
    nd.state |= ND_MOUNTS;
  } else if (flags & JUMPS) {
    nd.mnt_ = nd.rootMnt_;
  }
  return true;
}

/** Reports the chain of a valid entry, whose fields for links are at `at`, if the ring still has it: in the debug build. */
export function prefixLinksTell(at: usize): void {
  if (load<u32>(at, FLAGS) & PRIVATE) tracepoint(POINT.PREFIX_CONTEXT, 0, 0);
  if (!isChainThere(at)) return;
  const chain = chainAt(load<u64>(at, POSITION));
  const end = chain + <usize>load<u16>(at, SIZE);
  for (let p = chain; p < end; p += 8) {
    tracepoint(POINT.PREFIX_SEQ, <usize>load<u32>(p), <usize>load<u32>(p, 4));
  }
}

// ------------------------------------------------------------------------------------------------- new entries

/** The chain that is being gathered: bytes of its two parts; and what the entry says of the path. */
let dirs: u32 = 0;
let others: u32 = 0;
let gatheredLinks: u32 = 0;
let gatheredFlags: u32 = 0;
/** Where gather() is: dentry and sequence. */
let here: u64 = 0;
let hereMnt: Mount = changetype<Mount>(0);

/** Adds a directory to the chain, once. False: the walk may not pass it, or it has changed since it was added, or there is no room. */
function addDir(nd: Nameidata, link: u64): bool {
  const from = scratch + S_PREFIX_CHAIN;
  for (let i: u32 = 0; i < dirs; i += 8) {
    const other = load<u64>(from + i);
    if (<u32>other == <u32>link) return other == link;
  }
  const d = changetype<Dentry>(<usize>(<u32>link));
  const flags = d.flags;
  if (dirs + others == PREFIX_LINKS_CHAIN || (flags & DIR_MASK) != D_DIRECTORY) return false;
  if (!(flags & D_EXEC_ANY)) {
    const inode = d.inode;
    if (!inode || inode.mode & I_DRIVER || !maySearch(nd, <u32>d.at, <u32>(link >> 32), <u32>inode.at)) return false;
    gatheredFlags |= PRIVATE;
  }
  store<u64>(from + dirs, link);
  dirs += 8;
  return true;
}

/** Adds a word that has to keep its value: a sequence, or half a generation number. */
function addOther(at: usize, value: u32): bool {
  if (dirs + others == PREFIX_LINKS_CHAIN) return false;
  store<u64>(scratch + S_PREFIX_CHAIN + GATHER_LINKS + others, <u64>at | ((<u64>value) << 32));
  others += 8;
  return true;
}

/** Adds the generation number of a file system, once. It only counts up, so both halves have their values only as long as it has its. */
function addGeneration(sb: SuperBlock, generation: u64): bool {
  const at = sb.generationAt;
  const from = scratch + S_PREFIX_CHAIN + GATHER_LINKS;
  for (let i: u32 = 0; i < others; i += 8) {
    if (load<u32>(from + i) == <u32>at) return load<u32>(from + i, 4) == <u32>generation;
  }
  gatheredFlags |= GENERATION;
  return addOther(at, <u32>generation) && addOther(at + 4, <u32>(generation >> 32));
}

/** Whether no driver has to be asked about a name that was found. One that is good under a generation number is so as long as the entry has that. */
function isGood(d: Dentry): bool {
  const flags = d.flags;
  if (!(flags & D_OP_REVALIDATE)) return true;
  if (!(flags & D_GENERATION)) return false;
  const sb = hereMnt.sb;
  prefixLinksLater = !isCurrent(d, sb);
  return !prefixLinksLater && addGeneration(sb, d.generation);
}

/** Goes to a directory without looking up a name: under the sequence in the chain, if it is there. */
function goTo(nd: Nameidata, d: Dentry): bool {
  const from = scratch + S_PREFIX_CHAIN;
  for (let i: u32 = 0; i < dirs; i += 8) {
    here = load<u64>(from + i);
    if (<u32>here == <u32>d.at) return true;
  }
  const seq = readSeqBegin(d.seq);
  here = <u64>d.at | ((<u64>seq) << 32);
  return !(seq & 1) && addDir(nd, here);
}

/** "..": the parent was read after the recorded sequence of the directory. */
function gatherUp(nd: Nameidata): bool {
  if (nd.root_ == 0 && setRoot(nd) != 0) return false;
  gatheredFlags |= DOTS;
  const d = changetype<Dentry>(<usize>(<u32>here));
  if (d == nd.root && hereMnt == nd.rootMnt) return true;
  const parent = d.parent;
  return parent != d && isWhole(hereMnt) && addDir(nd, here) && goTo(nd, parent);
}

/** A body that begins with "/". */
function gatherJump(nd: Nameidata): bool {
  if (nd.root_ == 0 && setRoot(nd) != 0) return false;
  gatheredFlags |= JUMPS;
  here = rootKey(nd);
  hereMnt = nd.rootMnt;
  return addDir(nd, here);
}

/** Goes down through all mounts on a directory, as followMountRcu(). */
function gatherMounts(): bool {
  let d = changetype<Dentry>(<usize>(<u32>here));
  for (let m = lookupMnt(hereMnt, d); m; m = lookupMnt(hereMnt, d)) {
    // Only a reference shows an umount with MNT_EXPIRE that the mount is in use.
    if (m.expire != 0) return false;
    if (!addOther(d.at, <u32>(here >> 32))) return false;
    gatheredFlags |= MOUNTS;
    hereMnt = m;
    d = m.root;
    here = <u64>d.at | ((<u64>readSeqBegin(d.seq)) << 32);
  }
  return true;
}

/** Adds a link and copies its body to `to`. */
function gatherLink(d: Dentry, seq: u32, to: usize): bool {
  const inode = d.inode;
  if (d.flags & (D_MOUNTED | D_UNHASHED) || !inode) return false;
  if (!passesLinks(hereMnt)) return false;
  const attrSeq = readSeqBegin(inode.seq);
  // A driver keeps the times of its links itself; copyLinkBody() refuses one whose body has to be asked for.
  if (!(inode.mode & I_DRIVER) && !atimeIsFresh(inode)) {
    prefixLinksLater = !keepsAtime(hereMnt);
    if (prefixLinksLater) return false;
    gatheredFlags |= OLD_ATIME;
  }
  prefixLinksLater = keepsLinkBody(inode) && linkBody(inode) == 0;
  if (prefixLinksLater) return false;
  gatheredLinks++;
  return (
    gatheredLinks <= MAXSYMLINKS &&
    !readSeqRetry(inode.seq, attrSeq) &&
    copyLinkBody(inode, d.seq, seq, to) &&
    load<u8>(to) != 0 &&
    addOther(d.at, seq) &&
    addOther(inode.at, attrSeq)
  );
}

/**
 * Walks the `n` bytes at `path` from `start` and gathers their chain. Everything is read after the sequence that covers it, so that
 * what does not belong together is a stale entry. False: something on the way is not for an entry.
 */
function gather(nd: Nameidata, start: u64, path: usize, n: u32): bool {
  const stack = scratch + S_PREFIX_CHAIN + GATHER_STACK;
  let name = path;
  let to = <usize>nd.bodies;
  let depth: u32 = 0;
  here = start;
  hereMnt = nd.mnt;
  while (true) {
    while (load<u8>(name) == SLASH) name++;
    if (depth == 0 ? name >= path + n : load<u8>(name) == 0) {
      if (depth == 0) return true;
      depth--;
      name = <usize>load<u32>(stack + (depth << 3));
      to = <usize>load<u32>(stack + (depth << 3) + 4);
      continue;
    }
    const raw = hashName(name);
    const len = hashNameLen;
    if (len > 255) return false;
    const dots = load<u8>(name) == DOT && (len == 1 || (len == 2 && load<u8>(name + 1) == DOT));
    if (dots) {
      if (len == 2 && !gatherUp(nd)) return false;
      name += len;
      continue;
    }
    const parent = <usize>(<u32>here);
    const d = dLookupRcu(changetype<Dentry>(parent), changetype<Inode>(0), name, hashLen(raw, len, parent));
    if (!d) return false;
    const seq = dLookupRcuSeq;
    if (!isGood(d)) return false;
    name += len;
    if ((d.flags & D_TYPE) == D_SYMLINK) {
      if (!gatherLink(d, seq, to)) return false;
      store<u32>(stack + (depth << 3), <u32>name);
      store<u32>(stack + (depth << 3) + 4, <u32>to);
      depth++;
      name = to;
      to = copyLinkBodyEnd;
      if (load<u8>(name) == SLASH && !gatherJump(nd)) return false;
      continue;
    }
    here = <u64>d.at | ((<u64>seq) << 32);
    if (d.flags & D_MOUNTED && !gatherMounts()) return false;
    if (!addDir(nd, here)) return false;
  }
}

/**
 * Second return value of prefixLinksGather() when it returns false: this walk itself will change what stood in the way, a time of access, the text
 * of a driver's link that is not kept yet, or a name that the driver has to be asked about.
 */
export let prefixLinksLater: bool = false;
/** Second return values of prefixLinksGather(): dentry and sequence of the directory, and its inode. */
export let prefixLinksLast: u64 = 0;
export let prefixLinksInode: u32 = 0;
/** Whether every change of what is in the chain counts (G_DIR_CHANGES). */
export let prefixLinksCounted: bool = false;

/**
 * Gathers the chain of the `n` bytes at `path` for prefixLinksStore(), inside the read-side section in which the walk was at `start`. False:
 * there is nothing to enter. The walk may know its root afterwards.
 */
export function prefixLinksGather(nd: Nameidata, start: u64, path: usize, n: u32): bool {
  dirs = 0;
  others = 0;
  gatheredLinks = 0;
  gatheredFlags = 0;
  prefixLinksLater = false;
  if (!mayFollow(nd) || n >= <u32>PATH_MAX || !gather(nd, start, path, n) || dirs == 0) return false;
  if (gatheredFlags & (DOTS | JUMPS)) {
    if (nd.mnt_ == nd.rootMnt_) gatheredFlags |= IN_ROOT_MOUNT;
    if (!areWhole(nd)) return false;
  }
  // A link's time of access is looked at in the mount where it is: with several mounts all of them would belong to the entry.
  if (gatheredFlags & MOUNTS && (gatheredFlags & OLD_ATIME || readSeqRetry(G_MOUNT_SEQ, nd.mSeq))) return false;
  prefixLinksLast = here;
  prefixLinksInode = <u32>changetype<usize>(changetype<Dentry>(<usize>(<u32>here)).inode);
  prefixLinksCounted = !(gatheredFlags & GENERATION);
  return true;
}

/** Writes the chain to the ring, and the fields for links of an entry, which are at `at`. The caller writes the rest of the entry. */
export function prefixLinksStore(nd: Nameidata, at: usize): void {
  const size = dirs + others;
  const head = scratch + S_PREFIX_WRITTEN;
  let position = load<u64>(head);
  // A chain is in one piece.
  const rest = prefixRingSize - (position & (prefixRingSize - 1));
  if (size > rest) position += rest;
  store<u64>(head, position + size);
  const chain = chainAt(position);
  memory.copy(chain, scratch + S_PREFIX_CHAIN, dirs);
  memory.copy(chain + dirs, scratch + S_PREFIX_CHAIN + GATHER_LINKS, others);
  store<u64>(at, position, POSITION);
  store<u16>(at, <u16>dirs, DIRS_SIZE);
  store<u16>(at, <u16>size, SIZE);
  store<u32>(at, gatheredLinks, LINKS);
  store<u32>(at, gatheredFlags, FLAGS);
  store<f64>(at, nd.ctxNumber, CONTEXT);
  store<u32>(at, nd.mSeq, MOUNT_SEQ);
  store<u64>(at, rootKey(nd), ROOT);
  store<u32>(at, nd.mnt_, START_MOUNT);
  store<u32>(at, <u32>changetype<usize>(hereMnt), END_MOUNT);
  store<u32>(at, nd.rootMnt_, ROOT_MOUNT);
}
