/**
 * Runs a scenario twice, with the same paths: on `node:fs` in a directory of the disk, and on a tree. Each step runs in one of two workers.
 * While the tree's runs, that directory of the disk is empty, and must stay so: a program that looks there finds nothing.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createVfs, type Vfs, type VfsHandle } from "threadfs";
import type { Reply, Request, WorkerSetup } from "./worker.js";

/** Calls an exported function of the scenario's module in a worker: with the `fs` of its side, and these arguments. */
export type Run = (thread: 1 | 2, call: string, ...args: unknown[]) => Promise<unknown>;

/** Terminates a worker, whatever it does. */
export type End = (thread: 1 | 2) => Promise<void>;

/** A scenario: it returns what both sides must have in common. */
export type Scenario = (run: Run, dir: string) => Promise<unknown>;

/** Where a side's workers find their `fs`. */
interface Side {
  /** undefined: `node:fs`. */
  handle?: VfsHandle;
  /** Whether what a worker imports gets this `fs` for `node:fs`. */
  mocked: boolean;
}

const WORKER = new URL("./worker.js", import.meta.url);

/** One worker, whose calls are answered one after the other. */
class Thread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #last = 0;

  constructor(setup: WorkerSetup) {
    this.#worker = new Worker(WORKER, { workerData: setup });
    this.#worker.on("message", ({ id, value, error }: Reply) => {
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (error === undefined) pending?.resolve(value);
      else pending?.reject(new Error(error));
    });
    this.#worker.on("error", (error: Error) => {
      for (const { reject } of this.#pending.values()) reject(error);
    });
  }

  call(call: string, args: unknown[]): Promise<unknown> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call, args } satisfies Request);
    });
  }

  terminate(): Promise<number> {
    return this.#worker.terminate();
  }
}

async function runOn({ handle, mocked }: Side, module: string, scenario: Scenario, dir: string): Promise<unknown> {
  const threads = [1, 2].map(() => new Thread({ handle, module, mocked }));
  try {
    return await scenario((thread, call, ...args) => (threads[thread - 1] as Thread).call(call, args), dir);
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

/** Runs a scenario on a tree alone: what it uses is not in `node:fs`. */
export async function onTree(
  module: string,
  scenario: (run: Run, dir: string, end: End, vfs: Vfs) => Promise<void>,
): Promise<void> {
  const vfs = await createVfs({ maxBytes: 1 << 28 });
  try {
    vfs.fs.mkdirSync("/work");
    const threads = [1, 2].map(() => new Thread({ handle: vfs.handle, module, mocked: false }));
    try {
      const run: Run = (thread, call, ...args) => (threads[thread - 1] as Thread).call(call, args);
      await scenario(run, "/work", async (thread) => void (await threads[thread - 1]?.terminate()), vfs);
    } finally {
      await Promise.all(threads.map((thread) => thread.terminate()));
    }
  } finally {
    vfs.close();
  }
}

/**
 * Runs the scenario on both sides and compares what it returns. Returns that of the tree.
 * @param module URL of the module whose functions the scenario calls; their first argument is the `fs`
 * @param options `mocked`: the programs have no option for an `fs`, so `node:fs` is replaced for them (module-hooks.ts)
 */
export async function sameOnTree(module: string, scenario: Scenario, { mocked = false } = {}): Promise<unknown> {
  const dir = mkdtempSync(join(tmpdir(), "threadfs-programs-"));
  const vfs = await createVfs({ maxBytes: 1 << 28 });
  try {
    const wanted = await runOn({ mocked: false }, module, scenario, dir);
    for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
    vfs.fs.mkdirSync(dir, { recursive: true });
    const got = await runOn({ handle: vfs.handle, mocked }, module, scenario, dir);
    assert.deepEqual(readdirSync(dir), [], "the program has written to the disk");
    assert.deepEqual(got, wanted);
    return got;
  } finally {
    vfs.close();
    rmSync(dir, { recursive: true });
  }
}
