// Worker threads that do something for as long as the clock runs, counted by each for itself.

import { once } from "node:events";
import { Worker } from "node:worker_threads";

const WORKER = new URL("./timed-worker.js", import.meta.url);

/** Indices into the shared control words. */
export const CONTROL = { GO: 0, STOP: 1, READY: 2 };

/** No worker gets longer than this for one answer. */
const ANSWER_LIMIT_MS = 10 * 60 * 1000;

async function answerOf(worker) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ANSWER_LIMIT_MS);
  try {
    const [message] = await once(worker, "message", { signal: abort.signal });
    if (message.error) throw new Error(message.error);
    return message;
  } finally {
    clearTimeout(timer);
  }
}

/** A group of threads that attach to one tree. */
export class TimedWorkers {
  #workers = [];
  #control = new Int32Array(new SharedArrayBuffer(4 * 16));

  /** Starts `count` threads; `handle` is a vfs's handle. */
  static async start(count, handle) {
    const workers = new TimedWorkers();
    for (let i = 0; i < count; i++) {
      const worker = new Worker(WORKER, { workerData: { handle, control: workers.#control } });
      workers.#workers.push(worker);
      await answerOf(worker);
    }
    return workers;
  }

  /** Has each thread prepare a task (see squad-worker.js) under a name. */
  async prepare(index, name, task) {
    const worker = this.#workers[index];
    worker.postMessage({ prepare: name, task });
    await answerOf(worker);
  }

  /**
   * Runs prepared tasks at the same time for `ms`, one a thread; a thread without one sleeps. All begin together.
   * @param {(string | undefined)[]} names task of each thread
   * @returns {Promise<{ count: number, hits: number, ns: number, wall: number, counters: Record<string, number> }[]>}
   *   of the threads that ran: turns and how many of them found something, nanoseconds a turn in the median batch,
   *   nanoseconds in all, and what its `fs` counted
   */
  async run(names, ms) {
    const control = this.#control;
    Atomics.store(control, CONTROL.GO, 0);
    Atomics.store(control, CONTROL.STOP, 0);
    Atomics.store(control, CONTROL.READY, 0);
    const busy = this.#workers.filter((_, i) => names[i]);
    const answers = this.#workers.map((worker, i) => {
      if (!names[i]) return undefined;
      worker.postMessage({ run: names[i], threads: busy.length });
      return answerOf(worker);
    });
    // This thread sleeps, so that it takes no core from those that are measured.
    await new Promise((resolve) => setTimeout(resolve, ms));
    Atomics.store(control, CONTROL.STOP, 1);
    return Promise.all(answers.filter((answer) => answer !== undefined));
  }

  async stop() {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

/** Turns per second in all: what came out, with all waiting and all disturbance in it. */
export function rate(answers) {
  return answers.reduce((sum, { count, wall }) => sum + (count * 1e9) / wall, 0);
}

/** Turns per second in all as in each thread's median batch: other work on the machine does not show, nor does waiting. */
export function undisturbedRate(answers) {
  return answers.reduce((sum, { ns }) => sum + 1e9 / ns, 0);
}
