/**
 * The focus on threads that wait for each other: a thread is suspended once for each state of what it holds, and a run in which the
 * thread that may not sleep has waited for nothing is not judged.
 *
 * What is left out. A thread waits for what another one holds: locks, a read-side section, references (it is active). Between two
 * changes of that, the other thread waits for the same, and what the suspended one changes meanwhile is under its locks: the waiting
 * thread sees nothing of it. Readers without locks do, and end: interleave.ts suspends the writer at each access of it. Runs without a wait
 * are those of interleave.ts too: the two kinds of threads differ only where they wait.
 */
import * as L from "../arena/layout.js";
import { DEAD, DONE } from "../machine/constants.js";
import type { LogicalThread } from "../machine/logical-thread.js";
import type { Machine } from "../machine/machine.js";
import type { Focus } from "./explore.js";

/** The parts of an undo log that list what the thread holds: the count, the list. */
const LISTS = [
  [L.LOG_NR_LOCKS, L.LOG_LOCK],
  [L.LOG_NR_SEQS, L.LOG_SEQ],
  [L.LOG_NR_MUTEXES, L.LOG_MUTEX],
] as const;
const ACTIVE = 1;
const IN_SECTION = 2;

/** A number for what a thread holds; 0: nothing that another thread could wait for. */
export function holdings({ words }: Machine, { id }: LogicalThread): number {
  const slot = (L.SLOTS + id * L.SLOT_SIZE) >>> 2;
  const log = slot + (L.SLOT_UNDO_LOG >>> 2);
  let hash = 0;
  for (const [count, list] of LISTS) {
    const n = words[log + (count >>> 2)] ?? 0;
    for (let k = 0; k < n; k++) hash = Math.imul(hash ^ (words[log + (list >>> 2) + k] ?? 0), 0x9e3779b1) ^ list;
  }
  hash = Math.imul(hash ^ (words[slot + (L.SLOT_SHARED >>> 2)] ?? 0), 0xc2b2ae35);
  if (words[slot + (L.SLOT_ACTIVE >>> 2)] !== 0) hash = Math.imul(hash ^ ACTIVE, 0x85ebca6b);
  if (words[slot + (L.SLOT_EPOCH >>> 2)] !== 0) hash = Math.imul(hash ^ IN_SECTION, 0x85ebca6b);
  return hash;
}

export class Waits implements Focus {
  /** What each thread held where it could have been suspended last. */
  readonly #held: number[] = [];

  begin(): void {
    this.#held.length = 0;
  }

  maySuspend(machine: Machine, t: LogicalThread): boolean {
    const held = holdings(machine, t);
    if (held === (this.#held[t.id] ?? 0)) return false;
    this.#held[t.id] = held;
    return held !== 0;
  }

  /** The looks at the clock behind the loop are where a thread that may not sleep gives way. */
  readsOn({ mayWait }: LogicalThread): boolean {
    return !mayWait;
  }

  /** Whether a thread has ended without a wait: it alone could have caused one. */
  isOver(machine: Machine): boolean {
    return machine.waits === 0 && machine.threads.some(({ state }) => state === DONE || state === DEAD);
  }
}
