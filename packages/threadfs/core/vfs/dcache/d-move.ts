/**
 * Moves dentries: rename, exchange, a directory that is found again under another name, and another spelling of a name.
 *
 * Guarantee: name and place change in one step for every reader, inside write sections of all sequences concerned: the
 * rename sequence, dirSeq of both directories, and the sequences of both dentries.
 *
 * A file that stays in its directory changes the shape of no tree, so its rename leaves the rename sequence alone, and does not wait
 * for others: both are words that every rename would write. Instead of the rename lock, the directory's i_mutex guards dirSeq, and
 * the locks of dentries and of chains are taken in the order of their addresses, here and in every other move. Readers of its name are
 * told by the sequence of the dentry. While a thread holds the rename lock to look something up undisturbed, it waits nevertheless.
 */

import * as POINT from "../../../abi/points";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { put64 } from "../../mem/undo/log";
import { tracepoint } from "../../tracepoints";
import { G_RENAME_LOCK, G_RENAME_SEQ } from "../layout";
import { chainLock, hashInsert } from "./d-hash";
import { addChild, dDropLocked, dget, removeChild } from "./dcache";
import { D_LONG_NAME, D_ROOT, Dentry, dentryName, dWriteBegin, setFlags } from "./dentry";

function swapNames(a: Dentry, b: Dentry): void {
  for (let i: usize = 0; i < 32; i += 8) {
    const x = load<u64>(a.name + i);
    put64(a.name + i, load<u64>(b.name + i));
    put64(b.name + i, x);
  }
  const h = a.hashLen;
  a.hashLen = b.hashLen;
  b.hashLen = h;
  const long = a.flags & D_LONG_NAME;
  setFlags(a, b.flags & D_LONG_NAME, D_LONG_NAME);
  setFlags(b, long, D_LONG_NAME);
}

function isFile(d: Dentry): bool {
  return d.inode_ != 0 && !d.inode.isDir;
}

/** Takes two locks of one kind, of which another thread may want the same two. */
function lockInOrder(a: usize, b: usize): void {
  lock(min<usize>(a, b));
  lock(max<usize>(a, b));
}

/**
 * d_move(): `d` takes over the name and place of `target`, which is unhashed; with `exchange` `target` takes over the
 * old ones. The caller owns both parents' i_mutex and holds references on both dentries. Both sequences are odd from
 * before the first change until the commit. True: the caller gets the old place's reference on its parent, and drops it
 * after the commit.
 */
export function dMove(d: Dentry, target: Dentry, exchange: bool): bool {
  const from = d.parent;
  const to = target.parent;
  const local = !exchange && from == to && from != d && isFile(d) && (target.inode_ == 0 || isFile(target));
  // Only to be polite: whoever owns the lock checks sequences too (dLookup()).
  const waits = !local || atomic.load<u32>(G_RENAME_LOCK) != 0;
  if (waits) lock(G_RENAME_LOCK);
  if (!local) writeSeqBegin(G_RENAME_SEQ);
  // A replaced dentry stays below its parent, so that ".." still leads from it to where it led before. So the new place
  // needs its own reference on its parent, and the old place's reference is left over.
  const targetStays = !exchange && from != d && from != to;
  if (targetStays) dget(to);
  writeSeqBegin(from.dirSeq);
  if (to != from) writeSeqBegin(to.dirSeq);
  lockInOrder(d.lockref, target.lockref);
  lockInOrder(chainLock(<u32>d.hashLen), chainLock(<u32>target.hashLen));
  dWriteBegin(d);
  dWriteBegin(target);
  tracepoint(POINT.MOVE_BEGIN, d.at, target.at);
  dDropLocked(d);
  dDropLocked(target);
  swapNames(d, target);
  tracepoint(POINT.MOVE_NAMES, d.at, target.at);
  setFlags(d, 0, D_ROOT);
  // Each dentry now has the hash of its new place. Chains before lists, because bucket locks come first in the lock
  // order.
  hashInsert(d);
  if (exchange) hashInsert(target);
  // Within one directory both keep their position, so that a readdir in progress neither misses nor repeats one.
  if (from != to) {
    // A dentry that was not in the tree is its own parent and on no list.
    if (from != d) removeChild(from, d);
    if (!targetStays) removeChild(to, target);
    d.parent = to;
    addChild(to, d);
    if (!targetStays) target.parent = from != d ? from : target;
    if (exchange) addChild(from, target);
  }
  tracepoint(POINT.MOVE_END, d.at, target.at);
  writeSeqEnd(target.seq);
  writeSeqEnd(d.seq);
  // Four locks, whichever: they are released at the commit.
  unlock(target.lockref);
  unlock(d.lockref);
  unlock(chainLock(<u32>target.hashLen));
  unlock(chainLock(<u32>d.hashLen));
  if (to != from) writeSeqEnd(to.dirSeq);
  writeSeqEnd(from.dirSeq);
  if (!local) writeSeqEnd(G_RENAME_SEQ);
  if (waits) unlock(G_RENAME_LOCK);
  return targetStays;
}

/**
 * dentry_update_name_case(): changes the spelling, not the length, of a name. For file systems that consider both
 * spellings equal: the hash stays. Under the parent's i_mutex.
 */
export function dUpdateNameCase(d: Dentry, name: usize, len: u32): bool {
  if (len != d.nameLen) return false;
  lock(d.lockref);
  dWriteBegin(d);
  const to = dentryName(d);
  // Stored names are zero-padded to a multiple of eight bytes.
  for (let i: u32 = 0; i < len; i += 8) {
    const rest = len - i;
    const w = load<u64>(name + i);
    put64(to + i, rest >= 8 ? w : w & (((<u64>1) << (rest << 3)) - 1));
  }
  writeSeqEnd(d.seq);
  unlock(d.lockref);
  return true;
}
