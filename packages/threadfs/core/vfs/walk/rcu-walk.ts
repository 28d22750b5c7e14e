/**
 * The hot path: the walk in rcu mode over plain directories, from the beginning of a path until a component is special.
 *
 * It takes the same steps as linkPathWalk() and lookupFast(), but keeps its state in locals and reads one cache line of
 * each dentry in a few loads: hash, (sequence, flags), (parent, inode), the words of the name. It stops before a
 * component that is special (dots, links, mount points, hooks, long names, permissions that need the inode, an odd or
 * changed sequence). The general walk continues there and decides. A directory whose inode decides who may search it (searched.ts), and
 * an entry that a driver calls good under a generation number, are passed here too. Where the result is no, the general walk comes to it
 * again, and returns it.
 *
 * Guarantees: those of the general walk, hand over hand. A child's (sequence, flags) is loaded before its parent and
 * name are compared, and the parent's sequence is checked afterwards. Nothing is decided about a child that a later
 * check of its own sequence does not cover. A miss is final under the conditions in d-hash.ts. Nothing is stored but
 * the thread's nameidata.
 */

import * as COUNTER from "../../../abi/counters";
import { ECHILD, ENOENT } from "../../../abi/errno";
import * as POINT from "../../../abi/points";
import { DOT, HIGHS, hashInParent, mix, ONES, SLASH, SLASHES, spread } from "../../mem/hash";
import { G_SEQ_WRAPS, KEYS } from "../../mem/layout";
import { count, scratch } from "../../mem/thread";
import { tracepoint } from "../../tracepoints";
import { dLookupRcu, dLookupRcuMissFinal } from "../dcache/d-lookup";
import {
  D_DIRECTORY,
  D_EXEC_ANY,
  D_GENERATION,
  D_IDLE,
  D_LONG_NAME,
  D_MOUNTED,
  D_NEGATIVE,
  D_OP_COMPARE,
  D_OP_HASH,
  D_OP_REVALIDATE,
  D_SYMLINK,
  D_TYPE,
  D_UNHASHED,
  Dentry,
  isCurrent,
} from "../dcache/dentry";
import { Inode } from "../inode/inode";
import { G_HASH_MASK, G_HASH_N, H_BUCKETS, S_SEARCHED, SEARCHED } from "../layout";
import { prefixCacheMinPath } from "../task/thread";
import { LAST_NORM, Nameidata, ND_JUMPED } from "./nameidata";
import { maySearch, searchedWraps } from "./searched";

const DOTS: u64 = 0x2e2e;
/** Flags that stop this walk at a child. */
const SPECIAL: u32 = D_MOUNTED | D_UNHASHED | D_OP_REVALIDATE | D_LONG_NAME | D_IDLE;
/** A directory that this walk can search: PLAIN among the flags in PLAIN_MASK. */
export const PLAIN: u32 = D_DIRECTORY | D_EXEC_ANY;
export const PLAIN_MASK: u32 = D_TYPE | D_EXEC_ANY | D_OP_HASH | D_OP_COMPARE;
/** The same test for a child that is a directory on the way. */
export const CHILD_MASK: u32 = PLAIN_MASK | SPECIAL;
/** Dentries compared in one chain before the general walk takes over. */
const CHAIN_MAX: i32 = 64;

/** Second return value of rcuWalk(): where in the path the general walk continues. */
export let rcuWalkRest: usize = 0;

/**
 * Walks from nd's start along `path`. Returns 1: the whole path is walked, nd is at its end; 0: continue at
 * `rcuWalkRest`, nd is at the directory before it; -ENOENT; -ECHILD. `parents`: the last component is not walked.
 *
 * Conditions are separate `if`s, because the compiler turns `||` into arithmetic on booleans here. The bucket, the
 * chain and the hash only lead to a candidate, so plain loads do: the candidate is accepted or rejected by its state, parent and
 * name, and a miss is confirmed by confirmMiss().
 */
export function rcuWalk(nd: Nameidata, path: usize, parents: bool): i32 {
  const start = nd.dentry_;
  let d = start;
  // Sequence (low) and flags (high), loaded together.
  let state = ((<u64>changetype<Dentry>(<usize>d).flags) << 32) | <u64>nd.seq;
  let inode = nd.inode_;
  let name = path;
  let r: i32 = 0;
  while (load<u8>(name) == SLASH) name++;
  if ((<u32>(state >> 32) & PLAIN_MASK) == PLAIN || isStart(nd)) {
    const buckets = load<u32>(H_BUCKETS);
    while (true) {
      // The words of the name, the last one zero-padded, with the name's hash and length.
      let w0 = load<u64>(name);
      let w1: u64 = 0;
      let w2: u64 = 0;
      let w3: u64 = 0;
      let sum: u64;
      let len: u32;
      let end = nameEnd(w0);
      if (end != 0) {
        w0 &= bytesMask(end);
        len = bytesBelow(end);
        // An empty name means only slashes; "." and ".." are for the general walk.
        if (len < 3) {
          if (len == 0) {
            // Trailing slashes after a directory end the path.
            while (load<u8>(name) == SLASH) name++;
            if (load<u8>(name) == 0) r = d == start ? 0 : 1;
            break;
          }
          if (w0 == <u64>DOT) break;
          if (w0 == DOTS) break;
        }
        sum = mix(w0, KEYS);
      } else {
        sum = mix(w0, KEYS);
        w1 = load<u64>(name, 8);
        end = nameEnd(w1);
        if (end != 0) {
          w1 &= bytesMask(end);
          len = 8 + bytesBelow(end);
          sum += mix(w1, KEYS + 8);
        } else {
          sum += mix(w1, KEYS + 8);
          w2 = load<u64>(name, 16);
          end = nameEnd(w2);
          if (end != 0) {
            w2 &= bytesMask(end);
            len = 16 + bytesBelow(end);
            sum += mix(w2, KEYS + 16);
          } else {
            sum += mix(w2, KEYS + 16);
            w3 = load<u64>(name, 24);
            end = nameEnd(w3);
            if (end == 0) break;
            w3 &= bytesMask(end);
            len = 24 + bytesBelow(end);
            sum += mix(w3, KEYS + 24);
          }
        }
      }
      sum = spread(sum + len);
      let next = name + len;
      let last: u32 = 1;
      if (load<u8>(next) != 0) {
        next++;
        last = 0;
        if (parents) {
          const c = load<u8>(next);
          if (c == SLASH) break;
          if (c == 0) break;
        }
      } else if (parents) {
        break;
      }
      tracepoint(POINT.PERMISSION, inode, 0);
      tracepoint(POINT.COMPONENT, d, name);

      const hash = hashInParent(sum, <usize>d);
      const mask = load<u32>(G_HASH_MASK);
      let b = hash & mask;
      if (b >= load<u32>(G_HASH_N)) b &= mask >> 1;
      let p = load<u32>(<usize>(buckets + (b << 2)));
      let childState: u64 = 0;
      let place: u64 = 0;
      let n = CHAIN_MAX;
      while (true) {
        if (p & 1) break;
        if (p == 0) break;
        if (load<u32>(<usize>p, offsetof<Dentry>("hashLen_")) == hash) {
          childState = atomic.load<u64>(<usize>p);
          tracepoint(POINT.SEQ_OPENED, <usize>p, <usize>childState);
          place = atomic.load<u64>(<usize>p, offsetof<Dentry>("parent_"));
          let differs = atomic.load<u64>(<usize>p, offsetof<Dentry>("name0")) ^ w0;
          if (len >= 8) {
            differs |= atomic.load<u64>(<usize>p, offsetof<Dentry>("name1")) ^ w1;
            if (len >= 16) {
              differs |= atomic.load<u64>(<usize>p, offsetof<Dentry>("name2")) ^ w2;
              differs |= atomic.load<u64>(<usize>p, offsetof<Dentry>("name3")) ^ w3;
            }
          }
          if ((differs | <u64>(<u32>place ^ d)) == 0) break;
        }
        p = load<u32>(<usize>p, offsetof<Dentry>("next_"));
        if (--n == 0) p = 1;
      }
      if (p & 1 || p == 0) {
        r = confirmMiss(d, state, name, ((<u64>len) << 32) | <u64>hash);
        break;
      }
      tracepoint(POINT.COMPARED, <usize>p, <usize>childState);
      // Tests in one comparison: a plain directory with an even sequence.
      if ((childState & (((<u64>CHILD_MASK) << 32) | 1)) != (<u64>PLAIN) << 32) {
        if (<u32>childState & 1) break;
        let flags = <u32>(childState >> 32);
        if (flags & D_OP_REVALIDATE) {
          if (!(flags & D_GENERATION)) break;
          if (!isCurrent(changetype<Dentry>(<usize>p), nd.mnt.sb)) break;
          flags &= ~D_OP_REVALIDATE;
        }
        if (last != 0) {
          if (!canBeLast(flags)) break;
        } else if ((flags & CHILD_MASK) != PLAIN) {
          if ((flags & CHILD_MASK) != D_DIRECTORY) break;
          // isSearched(), whose call would cost as much as it does.
          const known = scratch + S_SEARCHED + ((p >> 3) & ((SEARCHED - 1) << 4));
          let isKnown = false;
          if (load<u64>(known) == (((<u64>p) << 32) | (childState & 0xffffffff))) {
            const wraps = <u64>atomic.load<u32>(G_SEQ_WRAPS);
            if (load<f64>(known, 8) == nd.ctxNumber) isKnown = wraps == searchedWraps;
          }
          if (!isKnown) {
            if (!maySearch(nd, p, <u32>childState, <u32>(place >> 32))) break;
          }
          if (splitEnd != 0) last = splitsAt(next);
        }
      }
      tracepoint(POINT.FOUND, p, <usize>childState);
      tracepoint(POINT.PARENT_CHECK, d, <usize>state);
      // Pairs with the write sections that move or remove the directory. The child's sequence has been read already.
      if (atomic.load<u32>(<usize>d) != <u32>state) {
        r = -ECHILD;
        break;
      }
      d = p;
      state = childState;
      inode = <u32>(place >> 32);
      name = next;
      if (last != 0) {
        if (last == 1) r = 1;
        else rcuWalkSplit = true;
        break;
      }
    }
  }
  rcuWalkRest = name;
  if (d != start) {
    nd.dentry_ = d;
    nd.seq = <u32>state;
    nd.inode_ = inode;
    nd.state &= ~ND_JUMPED;
    nd.lastType = LAST_NORM;
  }
  return r;
}

/**
 * The lowest set bit marks the first byte that is "/" or NUL: it is that byte's top bit. 0: there is none in this word.
 */
function nameEnd(w: u64): u64 {
  const s = w ^ SLASHES;
  return (((w - ONES) & ~w) | ((s - ONES) & ~s)) & HIGHS;
}

/** Mask of the bytes before the first marked one. */
function bytesMask(end: u64): u64 {
  return ((end & (0 - end)) >> 7) - 1;
}

function bytesBelow(end: u64): u32 {
  return <u32>(ctz<u64>(end) >> 3);
}

/** Whether the last component may be this dentry: positive, not a link, without hooks. */
function canBeLast(flags: u32): bool {
  if (flags & SPECIAL) return false;
  const type = flags & D_TYPE;
  return type != D_NEGATIVE && type != D_SYMLINK;
}

/**
 * Whether this walk can go on from nd's directory, where that is not a plain one: names are hashed and compared as usual, and the caller may
 * search it. No hook is called, because there may be a NUL in the part of the path that is not walked yet.
 */
export function isStart(nd: Nameidata): bool {
  const flags = nd.dentry.flags;
  if ((flags & (PLAIN_MASK & ~D_EXEC_ANY)) != D_DIRECTORY) return false;
  return (flags & D_EXEC_ANY) != 0 || maySearch(nd, nd.dentry_, nd.seq, nd.inode_);
}

/**
 * The end of the path, or of the body of a link, if rcuWalk() ends behind a directory that is not plain where what is left may be in the
 * prefix cache; 0: it goes on.
 */
let splitEnd: usize = 0;
/** Whether it has ended so. */
export let rcuWalkSplit: bool = false;

export function setSplits(end: usize): void {
  splitEnd = end;
  rcuWalkSplit = false;
}

/** 2, the mark of such an end, or 0. */
function splitsAt(rest: usize): u32 {
  return splitEnd - rest >= <usize>prefixCacheMinPath ? 2 : 0;
}

/**
 * Whether the general walk hands back to this one at such a directory. If each of its children has to be revalidated, this walk would stop
 * at once.
 */
export function canResume(flags: u32): bool {
  if ((flags & (D_TYPE | D_OP_HASH | D_OP_COMPARE)) != D_DIRECTORY) return false;
  return !(flags & D_OP_REVALIDATE) || (flags & D_GENERATION) != 0;
}

/**
 * Repeats a lookup that has found nothing, with all the checks that make a miss final. -ENOENT, -ECHILD, or 0: not
 * final.
 */
function confirmMiss(d: u32, state: u64, name: usize, want: u64): i32 {
  const parent = changetype<Dentry>(<usize>d);
  if (dLookupRcu(parent, changetype<Inode>(0), name, want) || !dLookupRcuMissFinal) return 0;
  tracepoint(POINT.MISS, d, 1);
  if (atomic.load<u32>(<usize>d) != <u32>state) return -ECHILD;
  count(COUNTER.missesValidated);
  return -ENOENT;
}
