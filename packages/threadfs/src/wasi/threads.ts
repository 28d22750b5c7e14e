/**
 * Threads of a program (wasi-threads). A thread that the program starts is given to a worker that waits, in memory that its threads share; so no message has to be delivered, which
 * a thread in the program could not do.
 *
 * Each slot of the tree has two words for its thread: below 0, the name of a worker that waits (table.ts); the id of a thread that it is to run, and that one's argument; else 0. Both
 * are written as one, so that a thread that ends in between has started the other one or has not. A worker that has ended is passed over.
 */
import { MAX_THREADS } from "../../abi/memory.js";
import type { Descriptors } from "./descriptors.js";
import { ERRNO } from "./preview1.js";
import { highOf, lowOf, WORD, wide, workerAt } from "./table.js";

/** Thread ids are 1 to 2^29 - 1. */
const ID_MAX = 2 ** 29 - 1;
const SLEEP_MS = 200;

/** `thread-spawn`: returns the id of the new thread, or a negative error: EAGAIN without a worker that waits. */
export function makeSpawn({ words, pairs, thread }: Descriptors): (argument: number) => number {
  return (argument) => {
    for (let slot = 0; slot < MAX_THREADS; slot++) {
      const at = workerAt(slot);
      const worker = Atomics.load(words, at);
      if (worker >= 0 || thread.hasEnded(worker)) continue;
      const id = ((Atomics.add(words, WORD.NEXT_ID, 1) >>> 0) % ID_MAX) + 1;
      const waits = wide(worker, 0);
      if (Atomics.compareExchange(pairs, at / 2, waits, wide(id, argument)) !== waits) continue;
      Atomics.notify(words, at);
      return id;
    }
    return -ERRNO.EAGAIN;
  };
}

/** How many workers wait to run threads. */
export function waitingWorkers({ words, thread }: Descriptors): number {
  let waiting = 0;
  for (let slot = 0; slot < MAX_THREADS; slot++) {
    const worker = Atomics.load(words, workerAt(slot));
    if (worker < 0 && !thread.hasEnded(worker)) waiting++;
  }
  return waiting;
}

/** Runs threads in this worker until the program has ended. */
export function runStarts(descriptors: Descriptors, run: (id: number, argument: number) => void): void {
  const { words, pairs, thread } = descriptors;
  const at = workerAt(thread.slot);
  while (Atomics.load(words, WORD.EXIT) === 0) {
    Atomics.store(pairs, at / 2, wide(thread.name, 0));
    const given = awaitStart(descriptors, at);
    Atomics.store(pairs, at / 2, 0n);
    if (given === undefined) return;
    run(lowOf(given), highOf(given));
  }
}

/** Waits for a thread to run; undefined: the program has ended. */
function awaitStart({ words, pairs, thread }: Descriptors, at: number): bigint | undefined {
  for (;;) {
    if (Atomics.load(words, WORD.EXIT) !== 0) return undefined;
    const given = Atomics.load(pairs, at / 2);
    if (lowOf(given) > 0) return given;
    Atomics.wait(words, at, thread.name, SLEEP_MS);
  }
}
