/**
 * The prefix cache: directories that this thread has walked, by the path to them. Each thread has its own, so that
 * filling it writes to no cache line that another thread reads.
 *
 * Most lookups ask for a name in a directory that has been walked before. An entry holds the bytes of a path up to its
 * last slash (or of the rest of a path after a special component), the dentry that this prefix starts from, and the
 * chain of dentries along it, each with the sequence under which it had that name and parent. A later walk of the same
 * bytes from the same start validates the chain instead of walking, and not even that while no directory of the tree has changed.
 *
 * Guarantees
 *  - An entry states what stays true forever: "under sequence s, this dentry is the child of that one, by this name".
 *    Entries may be stale; prefixCacheFind() revalidates every sequence. It loads (sequence, flags) of each dentry of
 *    the chain once and compares them with the entry's sequence and the flags of a plain directory. A sequence that is
 *    unchanged did not change in between, so at the first of these loads the whole chain was in place: the directory
 *    that prefixCacheFind() returns was at that path below the start, at one moment after the walk had reached the
 *    start. From there the walk continues hand over hand, as always.
 *  - An entry also has the count of changes of directories and links (G_DIR_CHANGES) that was loaded before its chain was seen in place. A change
 *    makes the sequence of its directory or link odd, counts, and only then leads walks elsewhere (dWriteBegin() in dentry.ts, beginAttr() in
 *    inode.ts). So whoever loads the same count again has the chain in place at that load: a change that was not counted yet has changed
 *    nothing yet, and one that was counted before the chain was seen had made a sequence of it odd.
 *  - Only directories that rcuWalk() walks get into a plain entry: no links, dots, mount points, hooks, long names, and no
 *    directory whose inode decides who may search it. So it is valid for every caller and every mount. Paths over links, dots, long
 *    names, generation numbers and such directories have entries of another kind: prefix-links.ts.
 *  - Dentries keep their type and their sequence forever, so a pointer to a dentry that is gone is harmless: its
 *    sequence has changed.
 *  - A 32-bit sequence wraps after 2^31 changes. G_SEQ_WRAPS is incremented whenever any sequence passes a multiple of
 *    2^24 (seqlock.ts), and entries from before that are ignored. Up to 2^24 changes may pass between the loads of
 *    G_SEQ_WRAPS and of a sequence, which is the bound that applies to any single walk.
 *  - A thread that takes over a slot clears its cache: the slot's previous thread may have died while filling an entry.
 *
 * The cache is set-associative: three entries (ways) make a set, and the hash of a prefix selects two sets, of which either may hold it: a
 * tree with fewer directories than there are entries finds room for nearly all. The tags are behind the entries: one for each way, and the tag of
 * the last miss. A prefix that misses for the second time is filled in. Of more directories than there are entries few are: only
 * one in EVICT_EVERY takes the place of another, unless it is asked for twice in a row.
 *
 * Entry (192 bytes)
 *   0   start     u64  dentry (low), sequence (high)
 *   8   wraps     u32  G_SEQ_WRAPS when the entry was filled
 *   12  len       u16  bytes of the prefix; 0: no entry
 *   14  chainEnd  u16  offset of the chain's end; 0: an entry with links, whose chain is in a ring (prefix-links.ts)
 *   16  inode     u32  of the directory, under its sequence
 *   20  changes   u32  G_DIR_CHANGES, loaded before the chain was seen in place; NEVER in an entry with a generation number
 *   24  chain     9 x u64  dentry (low), sequence (high): the directory itself first, then from the top down
 *   96  words     12 x u64  the bytes of the prefix in the order in which prefixCacheFind() reads them
 */

import * as POINT from "../../../abi/points";
import { DOT, hashLen, hashName, hashNameLen, SLASH, SLASHES } from "../../mem/hash";
import { G_SEQ_WRAPS } from "../../mem/layout";
import { scratch } from "../../mem/thread";
import { tracepoint } from "../../tracepoints";
import { dLookupRcu, dLookupRcuSeq } from "../dcache/d-lookup";
import { D_DIRECTORY, D_EXEC_ANY, D_OP_REVALIDATE, Dentry, INLINE_NAME } from "../dcache/dentry";
import { Inode } from "../inode/inode";
import { G_DIR_CHANGES, PREFIX_CACHE_ENTRY, S_PREFIX_CHAIN } from "../layout";
import { prefixCache, prefixSets, prefixTags } from "../task/thread";
import { Nameidata, ND_PREFIX } from "./nameidata";
import {
  prefixLinksAlien,
  prefixLinksCounted,
  prefixLinksGather,
  prefixLinksInode,
  prefixLinksLast,
  prefixLinksLater,
  prefixLinksStore,
  prefixLinksTell,
  prefixLinksValid,
} from "./prefix-links";
import { CHILD_MASK, isStart, PLAIN, PLAIN_MASK, rcuWalk, rcuWalkRest, rcuWalkSplit, setSplits } from "./rcu-walk";

const LOWS: u64 = 0x7f7f7f7f7f7f7f7f;

const START: usize = 0;
const WRAPS: usize = 8;
const LEN: usize = 12;
const CHAIN_END: usize = 14;
const INODE: usize = 16;
const CHANGES: usize = 20;
const LAST: usize = 24;
const CHAIN: usize = 32;
const WORDS: usize = 96;
/** Instead of the chain's end. */
const WITH_LINKS: u32 = 0;
/** In the place of CHANGES in an entry whose chain has a generation number, which moves without a count: a number that G_DIR_CHANGES never has. */
const NEVER: u32 = 1;
/** The wraps and the length in a word of an entry. */
const SHAPE_MASK: u64 = 0xffffffffffff;
/** Room for the directories above the last one. */
export const PREFIX_CHAIN_SIZE: u32 = 8 * 8;
const ABOVE_MAX: usize = PREFIX_CHAIN_SIZE;

/** Bytes of a prefix. Shorter ones are walked as fast, longer ones do not fit. */
const MIN_LEN: u32 = 24;
const MAX_LEN: u32 = 96;
/** The bits of (sequence, flags) that are compared: the whole sequence, and the flags that matter. */
const STATE_MASK: u64 = ((<u64>CHILD_MASK) << 32) | 0xffffffff;
const STATE: u64 = (<u64>PLAIN) << 32;

const K0: u64 = 0x9e3779b97f4a7c15;
const K1: u64 = 0xc2b2ae3d27d4eb4f;
const K2: u64 = 0x165667b19e3779f9;
const K3: u64 = 0xd6e8feb86659fd93;

/**
 * Second return values of prefixCacheFind() when it returns 0, for prefixCacheFill(): address of the tag to fill, 0: do
 * not fill.
 */
let fillTagAddress: usize = 0;
/** Length of the prefix, and the tag and the entry to fill. */
let fillLength: u32 = 0;
let fillTag: u32 = 0;
let fillEntry: usize = 0;
/** The way to replace next. */
let victimWay: usize = 0;
/** Prefixes that miss for the first time and find no empty way, for each that gets another one's. */
const EVICT_EVERY: u32 = 64;
let evictIn: u32 = EVICT_EVERY;
/** Fills to skip. Set after a prefix that could not be filled, so that trying stays cheap. */
let backoff: u32 = 0;
const BACKOFF: u32 = 64;
/** The same for paths with links, which are tried in more cases. */
let linksBackoff: u32 = 0;
/** For an entry with links, which prefixCacheFind() returns without a look at its chain: the count of changes; and for a miss both tags, tag and way. */
let foundChanges: u32 = 0;
let foundFirst: usize = 0;
let foundTags: usize = 0;
let foundTag: u32 = 0;
let foundWay: usize = 0;
/** Walks that find the entry of another context, for each that counts as a miss: contexts that walk in turn would make it anew each time. */
const ALIEN_EVERY: u32 = 64;
let alienIn: u32 = ALIEN_EVERY;

/**
 * rcuWalk() along the `len` bytes at `path`, the rest of the walk's path; starts at the last component's directory if
 * the cache has it. For PREFIX_CACHE_MIN_PATH bytes or more.
 */
export function prefixCacheWalk(nd: Nameidata, path: usize, len: u32, parents: bool): i32 {
  if ((nd.dentry.flags & PLAIN_MASK) != PLAIN) {
    if (!isStart(nd)) return rcuWalk(nd, path, parents);
  }
  const end = path + len;
  let from = path;
  setSplits(end);
  while (true) {
    const r = walkOnce(nd, from, <u32>(end - from), parents);
    const split = rcuWalkSplit;
    setSplits(0);
    if (!split) return r;
    // Behind a directory that is in no entry. The walk has asked for the permission to search it; so it may start again there, once.
    from = rcuWalkRest;
  }
}

/** rcuWalk() from the cached directory of this path, if there is one; else from the walk's position, and the directory is cached. */
function walkOnce(nd: Nameidata, path: usize, len: u32, parents: bool): i32 {
  const start = <u64>nd.dentry_ | ((<u64>nd.seq) << 32);
  const e = prefixCacheFind(nd, start, path, len);
  if (e != 0 && (load<u16>(e, CHAIN_END) != WITH_LINKS || isLinksValid(nd, e))) {
    const last = load<u64>(e, LAST);
    nd.dentry_ = <u32>last;
    nd.seq = <u32>(last >> 32);
    nd.inode_ = load<u32>(e, INODE);
    if (POINTS) tellEntry(e, path);
    return rcuWalk(nd, path + load<u16>(e, LEN) + 1, parents);
  }
  const r = rcuWalk(nd, path, parents);
  if (fillTagAddress != 0) {
    // The walk has reached the last component, or a special one before it, which may be a link.
    const walked = rcuWalkRest > path + fillLength;
    if (walked ? !prefixCacheFill(start, path) : r == 0) prefixCacheFillLinks(nd, start, path);
  }
  return r;
}

/** Whether an entry with links, which prefixCacheFind() has found, is valid; if not, that is a miss. */
function isLinksValid(nd: Nameidata, e: usize): bool {
  const changes = load<u32>(e, CHANGES);
  if (prefixLinksValid(nd, e + CHAIN, changes, foundChanges)) {
    if (changes != NEVER) store<u32>(e, foundChanges, CHANGES);
    return true;
  }
  if (prefixLinksAlien) {
    if (--alienIn != 0) return false;
    alienIn = ALIEN_EVERY;
  }
  recordMiss(nd, foundFirst, foundTag, load<u16>(e, LEN), foundTags, foundWay);
  return false;
}

/** Reports a valid entry: in the debug build. */
function tellEntry(e: usize, path: usize): void {
  tracepoint(POINT.PREFIX_ENTRY, path, load<u16>(e, LEN));
  if (load<u16>(e, CHAIN_END) == WITH_LINKS) {
    prefixLinksTell(e + CHAIN);
  } else {
    for (let p = e + LAST; p < e + load<u16>(e, CHAIN_END); p += 8) {
      tracepoint(POINT.PREFIX_SEQ, <usize>load<u32>(p), <usize>load<u32>(p, 4));
    }
  }
  tracepoint(POINT.PREFIX_FOUND, <usize>load<u32>(e, LAST), <usize>load<u32>(e + LAST, 4));
}

/** Bytes before the last slash of a path of `len` bytes; 0: no slash in the part that is searched. */
function prefixLen(path: usize, len: u32): u32 {
  let p = path + len - 8;
  const end = path + MIN_LEN - 8;
  while (p >= end) {
    const x = load<u64>(p) ^ SLASHES;
    const marks = ~(((x & LOWS) + LOWS) | x | LOWS);
    if (marks != 0) return <u32>(p - path) + 7 - <u32>(clz<u64>(marks) >> 3);
    p -= 8;
  }
  return 0;
}

/**
 * The entry for a prefix walked from the dentry and sequence in `start`, valid unless it is one with links; 0: none. Then the fill...
 * variables say what to fill.
 */
function prefixCacheFind(nd: Nameidata, start: u64, path: usize, len: u32): usize {
  fillTagAddress = 0;
  const n = prefixLen(path, len);
  if (n - MIN_LEN > MAX_LEN - MIN_LEN || n == len - 1) return 0;
  // Hashes four words for each power of two of the length; those at the end may overlap the others.
  const end = path + n;
  let h = load<u64>(path) * K0 + load<u64>(path, 8) * K1 + load<u64>(end - 16) * K2 + load<u64>(end - 8) * K3;
  if (n > 32) {
    h += rotl<u64>(
      load<u64>(path, 16) * K1 + load<u64>(path, 24) * K2 + load<u64>(end - 32) * K3 + load<u64>(end - 24) * K0,
      7,
    );
    if (n > 64) {
      for (let i: u32 = 32; i < n - 32; i += 8) h = (h + load<u64>(path + i)) * K2;
    }
  }
  h += start * K1;
  h = (h ^ (h >> 32)) * K0;
  const tag = <u32>h | 1;
  const first = tagsOf(h >> 32);
  let tags = first;
  let way = wayOf(tags, tag);
  if (way == NO_WAY) {
    tags = tagsOf(<u64>tag);
    way = wayOf(tags, tag);
    if (way == NO_WAY) {
      recordMiss(nd, first, tag, n, tags, NO_WAY);
      return 0;
    }
  }
  const e = entryOf(tags, way);
  const wraps = atomic.load<u32>(G_SEQ_WRAPS);
  const shape = ((<u64>n) << 32) | <u64>wraps;
  let differs =
    ((load<u64>(e, WRAPS) & SHAPE_MASK) ^ shape) |
    (load<u64>(e, START) ^ start) |
    (load<u64>(e, WORDS) ^ load<u64>(path)) |
    (load<u64>(e, WORDS + 8) ^ load<u64>(path, 8)) |
    (load<u64>(e, WORDS + 16) ^ load<u64>(end - 16)) |
    (load<u64>(e, WORDS + 24) ^ load<u64>(end - 8));
  if (n > 32) {
    differs |=
      (load<u64>(e, WORDS + 32) ^ load<u64>(path, 16)) |
      (load<u64>(e, WORDS + 40) ^ load<u64>(path, 24)) |
      (load<u64>(e, WORDS + 48) ^ load<u64>(end - 32)) |
      (load<u64>(e, WORDS + 56) ^ load<u64>(end - 24));
    if (n > 64) {
      for (let i: u32 = 32; i < n - 32; i += 8) differs |= load<u64>(e + 32 + i, WORDS) ^ load<u64>(path + i);
    }
  }
  if (differs == 0) {
    // Before the chain. Pairs with dWriteBegin().
    const changes = atomic.load<u32>(G_DIR_CHANGES);
    const chainSize = load<u16>(e, CHAIN_END);
    if (chainSize == WITH_LINKS) {
      foundChanges = changes;
      foundFirst = first;
      foundTags = tags;
      foundTag = tag;
      foundWay = way;
      return e;
    }
    if (load<u32>(e, CHANGES) == changes) return e;
    let p = e + LAST;
    const chainEnd = e + chainSize;
    while (true) {
      const link = load<u64>(p);
      // Pairs with the write sections that move, remove or change the directory.
      if (((atomic.load<u64>(<usize>(<u32>link)) & STATE_MASK) ^ (link >> 32)) != STATE) break;
      p += 8;
      if (p >= chainEnd) {
        store<u32>(e, changes, CHANGES);
        return e;
      }
    }
  }
  recordMiss(nd, first, tag, n, tags, way);
  return 0;
}

/** The tags of a set, which 32 bits of a hash select. */
function tagsOf(bits: u64): usize {
  return prefixTags + ((<usize>((bits * prefixSets) >> 32)) << 4);
}

const NO_WAY: usize = 3;
/** No prefix has this tag, so it is that of an empty way. */
const NO_TAG: u32 = 0;

/** The way of a set that has this tag, or NO_WAY. */
function wayOf(tags: usize, tag: u32): usize {
  const first = load<u64>(tags);
  if (<u32>first == tag) return 0;
  if (<u32>(first >> 32) == tag) return 1;
  return load<u32>(tags, 8) == tag ? 2 : NO_WAY;
}

function entryOf(tags: usize, way: usize): usize {
  return prefixCache + (((tags - prefixTags) >> 4) * 3 + way) * PREFIX_CACHE_ENTRY;
}

/**
 * Records a miss, and on a prefix's second one chooses the way to fill. On the first one the prefix gets a way without an entry: the one whose
 * entry was stale, `way` of `tags` unless that is NO_WAY; an empty one of either set; or, once in EVICT_EVERY such misses, one that another
 * prefix has. A prefix without a way is filled in if it is also the last that has missed in its first set. Parts of a path whose directory is
 * to have an entry are not recorded.
 */
function recordMiss(nd: Nameidata, first: usize, tag: u32, n: u32, tags: usize, way: usize): void {
  if (nd.state & ND_PREFIX) return;
  if (load<u32>(first, 12) != tag) {
    store<u32>(first, tag, 12);
    const e: usize = way == NO_WAY ? 0 : entryOf(tags, way);
    if (e == 0 || load<u16>(e, LEN) != 0) {
      if (e != 0) store<u16>(e, 0, LEN);
      else if (!takeWay(first, tag, tags)) return;
      nd.state |= ND_PREFIX;
      return;
    }
  }
  if (backoff != 0) {
    backoff--;
    return;
  }
  if (way == NO_WAY) {
    tags = first;
    way = nextVictim();
  }
  fillTagAddress = tags + (way << 2);
  fillTag = tag;
  fillLength = n;
  fillEntry = entryOf(tags, way);
}

/** Gives a prefix whose sets begin at `first` and `second` a way without an entry. False: there is none for it. */
function takeWay(first: usize, tag: u32, second: usize): bool {
  let tags = first;
  let way = wayOf(first, NO_TAG);
  if (way == NO_WAY) {
    tags = second;
    way = wayOf(second, NO_TAG);
    if (way == NO_WAY) {
      if (--evictIn != 0) return false;
      evictIn = EVICT_EVERY;
      tags = first;
      way = nextVictim();
    }
  }
  store<u16>(entryOf(tags, way), 0, LEN);
  store<u32>(tags + (way << 2), tag);
  return true;
}

function nextVictim(): usize {
  victimWay = victimWay == 2 ? 0 : victimWay + 1;
  return victimWay;
}

/**
 * Fills the entry that the last prefixCacheFind() has chosen, inside the read-side section in which the walk reached
 * the directory. Walks the prefix again and collects its chain. Name, parent and inode are read after the recorded
 * sequence: if they belong to another dentry, the sequence has changed, and prefixCacheFind() rejects the entry. False: the entry must
 * have a generation number, or be for one context.
 */
function prefixCacheFill(start: u64, path: usize): bool {
  const e = fillEntry;
  const n = fillLength;
  const wraps = atomic.load<u32>(G_SEQ_WRAPS);
  const changes = atomic.load<u32>(G_DIR_CHANGES);
  backoff = BACKOFF;
  const stop = path + n;
  let name = path;
  while (load<u8>(name) == SLASH) name++;
  let d = <u32>start;
  let inode: u32 = 0;
  let last: u64 = 0;
  const chain = scratch + S_PREFIX_CHAIN;
  let to = chain;
  while (true) {
    const raw = hashName(name);
    const len = hashNameLen;
    if (len == 0 || len > INLINE_NAME) return true;
    if (load<u8>(name) == DOT) {
      if (len == 1) return true;
      if (len == 2 && load<u8>(name, 1) == DOT) return true;
    }
    const c = dLookupRcu(changetype<Dentry>(<usize>d), changetype<Inode>(0), name, hashLen(raw, len, d));
    if (!c) return true;
    const flags = c.flags & CHILD_MASK;
    if (flags != PLAIN) {
      if ((flags & ~D_EXEC_ANY) != D_DIRECTORY && flags != (PLAIN | D_OP_REVALIDATE)) return true;
      backoff = 0;
      return false;
    }
    inode = <u32>changetype<usize>(c.inode);
    d = <u32>c.at;
    last = <u64>d | ((<u64>dLookupRcuSeq) << 32);
    name += len;
    if (name >= stop) break;
    if (to == chain + ABOVE_MAX) return true;
    store<u64>(to, last);
    to += 8;
    name++;
  }
  backoff = 0;
  store<u32>(fillTagAddress, 0);
  const above = <u32>(to - chain);
  memory.copy(e + CHAIN, chain, above);
  store<u64>(e, last, LAST);
  store<u16>(e, <u16>(CHAIN + above), CHAIN_END);
  store<u32>(e, changes, CHANGES);
  store<u32>(e, inode, INODE);
  writeKey(start, path, wraps);
  return true;
}

/** The same for a path over what a plain entry cannot hold. */
function prefixCacheFillLinks(nd: Nameidata, start: u64, path: usize): void {
  const e = fillEntry;
  const wraps = atomic.load<u32>(G_SEQ_WRAPS);
  const changes = atomic.load<u32>(G_DIR_CHANGES);
  if (linksBackoff != 0) {
    linksBackoff--;
    return;
  }
  if (!prefixLinksGather(nd, start, path, fillLength)) {
    // Behind a walk that changes what stood in the way there may be an entry at once.
    if (!prefixLinksLater) linksBackoff = BACKOFF;
    return;
  }
  store<u32>(fillTagAddress, 0);
  prefixLinksStore(nd, e + CHAIN);
  store<u64>(e, prefixLinksLast, LAST);
  store<u16>(e, <u16>WITH_LINKS, CHAIN_END);
  store<u32>(e, prefixLinksCounted ? changes : NEVER, CHANGES);
  store<u32>(e, prefixLinksInode, INODE);
  writeKey(start, path, wraps);
  nd.state |= ND_PREFIX;
}

/** The end of a fill: start and path, by which the entry is found, and its tag. */
function writeKey(start: u64, path: usize, wraps: u32): void {
  const e = fillEntry;
  const n = fillLength;
  const stop = path + n;
  store<u64>(e, start, START);
  store<u64>(e, load<u64>(path), WORDS);
  store<u64>(e, load<u64>(path, 8), WORDS + 8);
  store<u64>(e, load<u64>(stop - 16), WORDS + 16);
  store<u64>(e, load<u64>(stop - 8), WORDS + 24);
  if (n > 32) {
    store<u64>(e, load<u64>(path, 16), WORDS + 32);
    store<u64>(e, load<u64>(path, 24), WORDS + 40);
    store<u64>(e, load<u64>(stop - 32), WORDS + 48);
    store<u64>(e, load<u64>(stop - 24), WORDS + 56);
    for (let i: u32 = 32; i + 32 < n; i += 8) store<u64>(e + 32 + i, load<u64>(path + i), WORDS);
  }
  store<u32>(e, wraps, WRAPS);
  store<u16>(e, <u16>n, LEN);
  store<u32>(fillTagAddress, fillTag);
}
