/** The counters of the threads, and gauges of the whole tree. */

import * as COUNTER from "../../abi/counters";
import * as SCRATCH from "../../abi/scratch";
import * as L from "../mem/layout";
import { percpuCounterSum } from "../mem/percpu-counter";
import { scratch, slot } from "../mem/thread";
import { unusedDentries, unusedOf } from "../vfs/dcache/d-lru";
import { openFiles } from "../vfs/file/file";
import * as V from "../vfs/layout";
import { slotAt } from "./slot";

function putCounter(to: usize, index: usize, value: u32): void {
  store<f64>(to + (index << 3), <f64>value);
}

/**
 * Writes the sums of all threads' counters to SCRATCH.IO, a float64 each (abi/counters.ts). `own` not 0: the counters
 * of the calling thread since it attached. Gauges are always those of the whole tree. Returns how many numbers it
 * wrote.
 */
export function sumCounters(own: i32): i32 {
  const out = scratch + SCRATCH.IO;
  const used = min<u32>(atomic.load<u32>(L.G_SLOTS_USED), L.MAX_THREADS);
  for (let i: u32 = 0; i < L.NR_COUNTERS; i++) {
    let sum = own != 0 ? load<u64>(slot + L.SLOT_COUNTERS + (i << 3)) : load<u64>(L.G_OLD_COUNTERS + (i << 3));
    for (let n: u32 = 0; n < used && own == 0; n++) sum += load<u64>(slotAt(n) + L.SLOT_COUNTERS + (i << 3));
    store<f64>(out + (i << 3), <f64>sum);
  }
  putCounter(out, COUNTER.dentries, percpuCounterSum(V.G_NR_DENTRY, V.SLOT_NR_DENTRY));
  putCounter(out, COUNTER.inodes, percpuCounterSum(V.G_NR_INODE, V.SLOT_NR_INODE));
  putCounter(out, COUNTER.mounts, load<u32>(V.G_NR_MOUNTS));
  // Of the chunks reserved for hash buckets, only those that the table has grown into are in use.
  const kept = (load<u32>(V.H_MAX_BUCKETS) << 2) >> L.CHUNK_SHIFT;
  const grown = (load<u32>(V.G_HASH_N) << 2) >> L.CHUNK_SHIFT;
  putCounter(out, COUNTER.chunksUsed, load<u32>(L.G_PAGE_USED) - kept + grown);
  putCounter(out, COUNTER.chunksMax, load<u32>(L.H_MAX_CHUNKS));
  putCounter(out, COUNTER.openFiles, openFiles());
  putCounter(out, COUNTER.unusedDentries, unusedDentries());
  putCounter(out, COUNTER.negativeDentries, unusedOf(V.LRU_NEGATIVE));
  return <i32>COUNTER.negativeDentries + 1;
}
