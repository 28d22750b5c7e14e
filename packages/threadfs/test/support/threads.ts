/** Real threads on one tree: bodies that run against each other for some time, and a loop beside the test's own thread. */
import { Worker } from "node:worker_threads";
import type { Context } from "../../dist/src/api/context.js";
import type { Vfs, VfsHandle } from "../../dist/src/index.js";
import type { objectDriver } from "./drivers/object-driver.js";
import type { TestScope, walkerOf } from "./hooked-vfs.js";
import type { RawCore } from "./raw-core.js";
import { sourceOf, type WorkerBody } from "./worker-body.js";

/** What bodies find under `tools`, beside the tree. */
export interface ThreadTools {
  readonly Context: typeof Context;
  readonly objectDriver: typeof objectDriver;
  readonly walkerOf: typeof walkerOf;
}

/** A body of threads(). `running` is true until the test's time is over; `data` is a copy of what the test gave. */
export type ThreadBody<Data> = WorkerBody<
  [vfs: Vfs, raw: RawCore, running: () => boolean, data: Data, tools: ThreadTools]
>;

/** What a thread of threads() is started with. */
export interface ThreadWorkerData {
  readonly handle: VfsHandle;
  readonly source: string;
  readonly data: unknown;
  /** Word 0: 0 wait, 1 run, 2 stop. */
  readonly flags: Int32Array;
}

/** Its first message says that the thread is ready, its second what the body returned. */
export interface ThreadMessage {
  readonly value?: unknown;
  readonly error?: string;
}

/** A worker and its messages, one by one. */
function startThread(workerData: ThreadWorkerData) {
  const worker = new Worker(new URL("./workers/thread.worker.js", import.meta.url), { workerData });
  const messages: ThreadMessage[] = [];
  const waiting: ((message: ThreadMessage) => void)[] = [];
  const settle = (message: ThreadMessage) => {
    const resolve = waiting.shift();
    if (resolve) resolve(message);
    else messages.push(message);
  };
  worker.on("message", settle);
  worker.on("error", (error: Error) => settle({ error: `${error.stack}` }));
  worker.on("exit", () => settle({ error: "the thread ended" }));
  return {
    worker,
    /** The value of its next message. @throws Error when it says that the body failed */
    async next(): Promise<unknown> {
      const message = messages.shift() ?? (await new Promise<ThreadMessage>((resolve) => waiting.push(resolve)));
      if (message.error) throw new Error(message.error);
      return message.value;
    },
  };
}

/**
 * Each body runs in a worker of its own on the tree of `handle`, all at a time, for `ms` milliseconds. Returns what the
 * bodies returned, in their order; the caller names the types.
 */
export async function threads<Results extends unknown[] = unknown[], Data = unknown>(
  handle: VfsHandle,
  ms: number,
  bodies: readonly ThreadBody<Data>[],
  data?: Data,
): Promise<Results> {
  const flags = new Int32Array(new SharedArrayBuffer(4));
  const workers = bodies.map((body) => startThread({ handle, source: sourceOf(body), data: data ?? {}, flags }));
  try {
    for (const { next } of workers) await next();
    Atomics.store(flags, 0, 1);
    Atomics.notify(flags, 0);
    await new Promise((resolve) => setTimeout(resolve, ms));
    Atomics.store(flags, 0, 2);
    const values: unknown[] = [];
    for (const { next } of workers) values.push(await next());
    return values as Results;
  } finally {
    Atomics.store(flags, 0, 2);
    Atomics.notify(flags, 0);
    for (const { worker } of workers) await worker.terminate();
  }
}

/** What a loop's thread is started with. */
export interface LoopWorkerData {
  readonly handle: VfsHandle;
  readonly source: string;
  /** Words: 0 stop, 1 the first round is done. */
  readonly shared: Int32Array;
  readonly maxRounds: number;
}

/** How a loop ended. */
export interface LoopResult {
  readonly rounds: number;
  /** Stack of the error that ended it. */
  readonly message: string | undefined;
}

export interface Loop {
  /** Ends the loop; returns how many rounds there were. */
  stop(): Promise<number>;
  /** Waits until it has done its rounds. */
  done(): Promise<number>;
}

/** A thread that does its work over and over. Returns once it has begun. */
export async function startLoop(
  t: TestScope,
  vfs: Vfs,
  work: WorkerBody<[vfs: Vfs, round: number]>,
  maxRounds = 1e9,
): Promise<Loop> {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const workerData: LoopWorkerData = { handle: vfs.handle, source: sourceOf(work), shared, maxRounds };
  const worker = new Worker(new URL("./workers/loop.worker.js", import.meta.url), { workerData });
  t.after(() => worker.terminate());
  const ended = new Promise<LoopResult>((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
    worker.on("exit", () => reject(new Error("the worker ended without a result")));
  });
  ended.catch(() => {});
  const begun = Atomics.waitAsync(shared, 1, 0, 5000);
  if ((begun.async ? await begun.value : begun.value) === "timed-out") throw new Error("the worker never began");
  const done = async () => {
    const { rounds, message } = await ended;
    if (message !== undefined) throw new Error(message);
    return rounds;
  };
  return {
    stop() {
      Atomics.store(shared, 0, 1);
      return done();
    },
    done,
  };
}

/** A thread that renames a file to another name and back, over and over. */
export function startRenaming(t: TestScope, vfs: Vfs, from: string, to: string): Promise<Loop> {
  const [a, b] = [JSON.stringify(from), JSON.stringify(to)];
  return startLoop(t, vfs, `vfs.fs.renameSync(${a}, ${b}); vfs.fs.renameSync(${b}, ${a});`);
}

/** Does something again and again for `ms` milliseconds; returns how often. */
export function during(ms: number, run: (round: number) => void): number {
  const until = performance.now() + ms;
  let rounds = 0;
  do {
    for (let i = 0; i < 100; i++) run(rounds++);
  } while (performance.now() < until);
  return rounds;
}
