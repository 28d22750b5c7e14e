/**
 * Counters that every thread changes often (Linux: percpu_counter): a total, and a part in each slot, which only the slot's thread
 * changes. A part is added to the total when it reaches PERCPU_BATCH, so that threads seldom write one line.
 *
 * Guarantees: the sum of total and parts is exact while no thread changes the counter. A part stays with its slot when the thread ends.
 * A thread that dies while it moves its part to the total leaves the sum wrong by that part, until the recount of references sets it.
 */
import { G_SLOTS_USED, MAX_THREADS, SLOT_SIZE, SLOTS } from "./layout";
import { slot } from "./thread";

export const PERCPU_BATCH: i32 = 32;

/** percpu_counter_add(). `part`: the offset of the thread's part in its slot. Only in an active call. */
export function percpuCounterAdd(total: usize, part: u32, n: i32): void {
  const own = <i32>load<u32>(slot + part) + n;
  if (own >= PERCPU_BATCH || own <= -PERCPU_BATCH) {
    atomic.add<u32>(total, <u32>own);
    atomic.store<u32>(slot + part, 0);
  } else {
    atomic.store<u32>(slot + part, <u32>own);
  }
}

/** The counter, to within PERCPU_BATCH for each other thread. */
export function percpuCounterRead(total: usize, part: u32): i32 {
  return <i32>(atomic.load<u32>(total) + load<u32>(slot + part));
}

/** percpu_counter_sum(): reads the parts of all slots. */
export function percpuCounterSum(total: usize, part: u32): u32 {
  let sum = atomic.load<u32>(total);
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) sum += atomic.load<u32>(s + part);
  return sum;
}

/** percpu_counter_set(): while all other threads are quiescent. */
export function percpuCounterSet(total: usize, part: u32, n: u32): void {
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) atomic.store<u32>(s + part, 0);
  atomic.store<u32>(total, n);
}
