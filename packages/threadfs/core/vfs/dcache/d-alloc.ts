/** Allocates dentries. */

import * as POINT from "../../../abi/points";
import { slabFree } from "../../mem/alloc/slab";
import { txBegin, txEnd } from "../../mem/lock/lock";
import { lockrefGet, lockrefSet } from "../../mem/lock/lockref";
import { writeSeqBarrier, writeSeqBegin } from "../../mem/lock/seqlock";
import { percpuCounterAdd } from "../../mem/percpu-counter";
import { put64, removePendingBlock } from "../../mem/undo/log";
import { tracepoint } from "../../tracepoints";
import { CACHE_DENTRY, G_NR_DENTRY, SLOT_NR_DENTRY } from "../layout";
import { SuperBlock } from "../mount/super";
import { kalloc, kmallocSpace } from "../recovery/space";
import { pruneDcache } from "./d-shrink";
import { addChild } from "./dcache";
import { D_LONG_NAME, D_ROOT, D_UNHASHED, DENTRY_SIZE, Dentry, INLINE_NAME, setFlags } from "./dentry";

/**
 * d_alloc(): a dentry with one reference, negative and unhashed, a child of `parent`, on which it holds a reference.
 * null: the arena is full. The sequence continues from the last dentry in this memory.
 */
export function dAlloc(parent: Dentry, name: usize, len: u32, hashLen: u64): Dentry {
  const d = dAllocCommon(parent.sb, name, len, hashLen);
  if (!d) return d;
  lockrefGet(parent.lockref);
  // A dentry has a parent other than itself exactly while it is on that parent's list.
  txBegin();
  writeSeqBarrier(d.seq);
  d.parent = parent;
  addChild(parent, d);
  txEnd();
  tracepoint(POINT.ALLOCATED, d.at, parent.at);
  return d;
}

/** A dentry that is its own parent: the root of a file system, or a dentry that is not in the tree yet. */
export function dAllocRoot(sb: SuperBlock): Dentry {
  const d = dAllocCommon(sb, 0, 0, 0);
  if (!d) return d;
  setFlags(d, D_ROOT, 0);
  writeSeqBarrier(d.seq);
  return d;
}

function dAllocCommon(sb: SuperBlock, name: usize, len: u32, hashLen: u64): Dentry {
  let outside: usize = 0;
  if (len > INLINE_NAME) {
    outside = kmallocSpace(len + 8);
    if (outside == 0) return changetype<Dentry>(0);
    store<u64>(outside + (len & ~7), 0);
    memory.copy(outside, name, len);
  }
  if (sb.driver != 0) pruneDcache();
  const p = kalloc(CACHE_DENTRY, false);
  if (p == 0) {
    if (outside != 0) slabFree(outside);
    return changetype<Dentry>(0);
  }
  const d = changetype<Dentry>(p);
  // No other thread knows the dentry, so its words are not logged, except for those that say what it owns.
  txBegin();
  writeSeqBegin(d.seq);
  atomic.store<u32>(p, sb.dflags | D_UNHASHED | (outside != 0 ? D_LONG_NAME : 0), offsetof<Dentry>("flags_"));
  atomic.store<u32>(p, 0, offsetof<Dentry>("inode_"));
  atomic.store<u32>(p, 1, offsetof<Dentry>("next_"));
  atomic.store<u32>(p, <u32>p, offsetof<Dentry>("parent_"));
  memory.fill(d.name, 0, INLINE_NAME);
  memory.fill(d.lockref + 8, 0, DENTRY_SIZE - offsetof<Dentry>("sb_"));
  d.sb_ = <u32>sb.at;
  if (outside != 0) store<u32>(d.name, <u32>outside);
  else memory.copy(d.name, name, len);
  put64(p + offsetof<Dentry>("hashLen_"), hashLen);
  if (outside != 0) removePendingBlock(outside);
  lockrefSet(d.lockref, 1);
  txEnd();
  percpuCounterAdd(G_NR_DENTRY, SLOT_NR_DENTRY, 1);
  return d;
}
