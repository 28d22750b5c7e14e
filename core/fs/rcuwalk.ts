/**
 * The hot path: the walk in rcu mode over plain directories, from the start of a path as far as nothing special comes up.
 *
 * It makes the same steps as linkPathWalk() and lookupFast() in namei.ts, with the state in locals and each line of a dentry
 * read in three loads: (seq, flags), (hash, length), (parent, inode). Whatever is not plain (dots, links, mount points,
 * hooks, long names, permissions that need the inode, a sequence that is odd or has moved) ends it before that
 * component; the general walk takes over from there and decides.
 *
 * Guarantees: the same as those of the general walk. Hand over hand: a child's (seq, flags) is loaded before its parent
 * and name are compared, and its parent's sequence is checked after; nothing is decided on a child that a later check
 * of its own sequence does not cover. A miss is an answer under the conditions named in dhash.ts. Nothing is stored but
 * this thread's nameidata.
 */

import { hashLen, hashName, nameLen } from "../mem/hash";
import { C_MISSES, G_HASH_N, H_BUCKETS } from "../mem/layout";
import { count } from "../mem/thread";
import { at, P_COMPARED, P_COMPONENT, P_FOUND, P_MISS, P_PARENT_CHECK, P_PERMISSION, P_SEQ_OPENED } from "../points";
import {
  D_COMPLETE,
  D_DIRECTORY,
  D_EXEC_ANY,
  D_MOUNTED,
  D_OP_COMPARE,
  D_OP_HASH,
  D_OP_REVALIDATE,
  D_SYMLINK,
  D_TYPE,
  D_UNHASHED,
  Dentry,
  INLINE_NAME,
} from "./dentry";
import { bucketOf } from "./dhash";
import { ECHILD, ENOENT } from "./errno";
import { LAST_NORM, Nameidata, ND_JUMPED } from "./nameidata";

const SLASH: u32 = 47;
const DOT: u32 = 46;
/** A directory that this path can search, and what must not be there. */
const PLAIN: u32 = D_DIRECTORY | D_EXEC_ANY;
const PLAIN_MASK: u32 = D_TYPE | D_EXEC_ANY | D_OP_HASH | D_OP_COMPARE;
/** What a child must not have to be stepped onto here. */
const SPECIAL: u32 = D_MOUNTED | D_UNHASHED | D_OP_REVALIDATE;
/** Dentries looked at in one chain before the general walk takes over. */
const CHAIN_MAX: i32 = 64;

/** Where the general walk goes on. */
export let restOfPath: usize = 0;

/**
 * Walks from nd's start along the path at `path`. 1: all of it is walked, nd is at its end. 0: go on at `restOfPath`, nd is
 * at the directory before it. -ENOENT, -ECHILD. `parents`: the last component is left alone.
 */
export function rcuWalk(nd: Nameidata, path: usize, parents: bool): i32 {
  let d = nd.dentry_;
  let seq = nd.seq;
  let flags = changetype<Dentry>(<usize>d).flags;
  let inode = nd.inode_;
  let name = path;
  let r: i32 = 0;
  const buckets = load<u32>(H_BUCKETS);
  while (load<u8>(name) == SLASH) name++;
  while ((flags & PLAIN_MASK) == PLAIN) {
    const raw = hashName(name);
    const len = nameLen;
    // An empty name: the path was slashes only.
    if (len - 1 >= INLINE_NAME) break;
    if (load<u8>(name) == DOT && (len == 1 || (len == 2 && load<u8>(name + 1) == DOT))) break;
    let next = name + len;
    const last = load<u8>(next) == 0;
    if (!last) {
      do next++;
      while (load<u8>(next) == SLASH);
      if (load<u8>(next) == 0) break;
    } else if (parents) {
      break;
    }
    at(P_PERMISSION, inode, 0);
    at(P_COMPONENT, d, name);
    const dirSeq = atomic.load<u32>(<usize>d, offsetof<Dentry>("dirSeq_"));
    // Number of buckets (low) and sequence of the table (high) in one load.
    const table = atomic.load<u64>(G_HASH_N);
    const want = hashLen(raw, len, <usize>d);
    const b = bucketOf(<u32>want, <u32>table);
    let p = atomic.load<u32>(<usize>(buckets + (b << 2)));
    let state: u64 = 0;
    let place: u64 = 0;
    let found: u32 = 0;
    for (let n = CHAIN_MAX; p != 0 && !(p & 1); n--) {
      if (atomic.load<u64>(<usize>p, offsetof<Dentry>("hashLen_")) == want) {
        state = atomic.load<u64>(<usize>p);
        at(P_SEQ_OPENED, <usize>p, <usize>state);
        place = atomic.load<u64>(<usize>p, offsetof<Dentry>("parent_"));
        if (<u32>place == d && !(<u32>state & 1) && sameInline(<usize>p, name, len)) {
          at(P_COMPARED, <usize>p, <usize>state);
          found = p;
          break;
        }
      }
      p = n == 0 ? 1 : atomic.load<u32>(<usize>p, offsetof<Dentry>("next_"));
    }
    if (found == 0) {
      r = missed(d, seq, flags, dirSeq, table, p, b);
      break;
    }
    const childFlags = <u32>(state >> 32);
    const child = <u32>(place >> 32);
    if (childFlags & SPECIAL || child == 0 || (childFlags & D_TYPE) == D_SYMLINK) break;
    if (!last && (childFlags & D_TYPE) != D_DIRECTORY) break;
    at(P_FOUND, found, <usize>state);
    at(P_PARENT_CHECK, d, seq);
    // Pairs with the write sections of whoever moves or removes the directory: the child's sequence is open already.
    if (atomic.load<u32>(<usize>d) != seq) {
      r = -ECHILD;
      break;
    }
    d = found;
    seq = <u32>state;
    flags = childFlags;
    inode = child;
    name = next;
    if (last) {
      r = 1;
      break;
    }
  }
  restOfPath = name;
  if (d != nd.dentry_) {
    nd.dentry_ = d;
    nd.seq = seq;
    nd.inode_ = inode;
    nd.state &= ~ND_JUMPED;
    nd.lastType = LAST_NORM;
  }
  return r;
}

/** Compares a name stored in the dentry, zero-padded to a multiple of eight, with `len` bytes at `name`; len > 0. */
function sameInline(dentry: usize, name: usize, len: u32): bool {
  const stored = dentry + offsetof<Dentry>("name0");
  let i: u32 = 0;
  for (; i + 8 <= len; i += 8) {
    if (atomic.load<u64>(stored + i) != load<u64>(name + i)) return false;
  }
  const rest = len - i;
  if (rest == 0) return true;
  return (atomic.load<u64>(stored + i) ^ load<u64>(name + i)) << (64 - (rest << 3)) == 0;
}

/** The end of a chain was reached: -ENOENT if that is an answer, else 0. */
function missed(d: u32, seq: u32, flags: u32, dirSeq: u32, table: u64, end: u32, b: u32): i32 {
  if (!(flags & D_COMPLETE) || (end != 0 && end >> 1 != b)) return 0;
  if ((<u32>(table >> 32) | dirSeq) & 1) return 0;
  if (<u32>(atomic.load<u64>(G_HASH_N) >> 32) != <u32>(table >> 32)) return 0;
  if (atomic.load<u32>(<usize>d, offsetof<Dentry>("dirSeq_")) != dirSeq) return 0;
  at(P_MISS, d, 1);
  if (atomic.load<u32>(<usize>d) != seq) return -ECHILD;
  count(C_MISSES);
  return -ENOENT;
}
