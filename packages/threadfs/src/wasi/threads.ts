/**
 * Threads of a program (wasi-threads). A thread that the program starts becomes a job in the memory that its threads share; a worker that waits there takes it. So no message has to
 * be delivered, which a thread in the program could not do.
 *
 * WAITING counts the workers that wait and have not been promised a job, JOBS counts jobs, so that workers can wait for the next one. A job is a pair of words: the id of the
 * thread, 0: the pair is free, -1: a thread writes or reads it; and the argument.
 */
import { type Descriptors, FIRST_JOB, JOBS, WORD } from "./descriptors.js";
import { ERRNO } from "./preview1.js";

/** Thread ids are 1 to 2^29 - 1. */
const ID_MAX = 2 ** 29 - 1;
const SLEEP_MS = 200;

/** Takes one from a number that is greater than 0. False: it is 0. */
function takeOne(words: Int32Array, at: number): boolean {
  for (;;) {
    const n = Atomics.load(words, at);
    if (n <= 0) return false;
    if (Atomics.compareExchange(words, at, n, n - 1) === n) return true;
  }
}

/** `thread-spawn`: returns the id of the new thread, or a negative error: EAGAIN without a worker that waits. */
export function makeSpawn({ words }: Descriptors): (argument: number) => number {
  return (argument) => {
    if (!takeOne(words, WORD.WAITING)) return -ERRNO.EAGAIN;
    const id = (Atomics.add(words, WORD.NEXT_ID, 1) % ID_MAX) + 1;
    putJob(words, id, argument);
    Atomics.notify(words, WORD.JOBS);
    return id;
  };
}

/** Adds a job. There are never more than there are workers that wait, which are fewer than JOBS. */
function putJob(words: Int32Array, id: number, argument: number): void {
  for (;;) {
    for (let n = 0; n < JOBS; n++) {
      const at = FIRST_JOB + 2 * n;
      // The id is written last: with it the job can be taken.
      if (Atomics.load(words, at) !== 0 || Atomics.compareExchange(words, at, 0, -1) !== 0) continue;
      Atomics.store(words, at + 1, argument);
      Atomics.store(words, at, id);
      Atomics.add(words, WORD.JOBS, 1);
      return;
    }
  }
}

/** Takes a job. undefined: there is none. */
function takeJob(words: Int32Array): { id: number; argument: number } | undefined {
  for (let n = 0; n < JOBS; n++) {
    const at = FIRST_JOB + 2 * n;
    const id = Atomics.load(words, at);
    if (id <= 0 || Atomics.compareExchange(words, at, id, -1) !== id) continue;
    const argument = Atomics.load(words, at + 1);
    Atomics.store(words, at, 0);
    return { id, argument };
  }
  return undefined;
}

/** Runs jobs until the program has ended. */
export function runStarts({ words }: Descriptors, run: (id: number, argument: number) => void): void {
  while (Atomics.load(words, WORD.EXIT) === 0) {
    Atomics.add(words, WORD.WAITING, 1);
    const job = awaitJob(words);
    if (job === undefined) return;
    run(job.id, job.argument);
  }
}

/** Waits for a job; undefined: the program has ended. */
function awaitJob(words: Int32Array): { id: number; argument: number } | undefined {
  for (;;) {
    const seen = Atomics.load(words, WORD.JOBS);
    if (Atomics.load(words, WORD.EXIT) !== 0) return undefined;
    const job = takeJob(words);
    if (job !== undefined) return job;
    Atomics.wait(words, WORD.JOBS, seen, SLEEP_MS);
  }
}
