/**
 * Each slot keeps one open file that has a reference and no path, the *spare*, for the next open(2) of its thread: a thread that opens and closes
 * one file at a time writes no list for that. fput() and open(2) are in file.ts.
 *
 *   slot + SLOT_SPARE_FILE   the file, 0: none
 *
 * Guarantees: only the slot's thread uses the word, in an active call, or a thread that excludes the others (recovery/exclusion.ts). It stays with
 * the slot when its thread ends. A thread that dies before it has opened the spare, or after it has closed the file and not kept it, leaves a
 * file without a descriptor, which the recount of references frees; the recount and a thread that finds no memory take the spares of all
 * slots away.
 */
import { slabFree } from "../../mem/alloc/slab";
import { G_SLOTS_USED, MAX_THREADS, SLOT_SIZE, SLOT_SPARE_FILE, SLOTS } from "../../mem/layout";
import { percpuCounterAdd } from "../../mem/percpu-counter";
import { slot } from "../../mem/thread";
import { G_NR_FILES, SLOT_NR_FILES } from "../layout";

/** Whether the thread's slot keeps a file. */
export function hasSpare(): bool {
  return load<u32>(slot + SLOT_SPARE_FILE) != 0;
}

/** Takes the file that the thread's slot keeps; 0: none. */
export function takeSpare(): usize {
  const f = <usize>load<u32>(slot + SLOT_SPARE_FILE);
  if (f != 0) store<u32>(slot + SLOT_SPARE_FILE, 0);
  return f;
}

/** Keeps a file without a path, whose only reference is the caller's. */
export function keepSpare(f: usize): void {
  store<u32>(slot + SLOT_SPARE_FILE, <u32>f);
}

/** How many slots keep a file. G_NR_FILES counts these too. */
export function spareFiles(): u32 {
  let n: u32 = 0;
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) {
    if (atomic.load<u32>(s + SLOT_SPARE_FILE) != 0) n++;
  }
  return n;
}

/** Takes the files of all slots away, for a recount, which finds them without a reference. The caller excludes the other threads. */
export function forgetSpares(): void {
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) store<u32>(s + SLOT_SPARE_FILE, 0);
}

/** The same, and frees them. */
export function freeSpares(): void {
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) {
    const f = <usize>load<u32>(s + SLOT_SPARE_FILE);
    if (f == 0) continue;
    store<u32>(s + SLOT_SPARE_FILE, 0);
    // The count, which is the first word.
    atomic.store<u32>(f, 0);
    percpuCounterAdd(G_NR_FILES, SLOT_NR_FILES, -1);
    slabFree(f);
  }
}
