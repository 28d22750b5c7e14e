/** A program with threads in Node, Bun and Deno: this thread starts it, two workers run its threads. Prints "ok". */
import { Worker } from "node:worker_threads";
import { createVfs } from "threadfs";
import { createWasi } from "threadfs/wasi";
import { expect, PATIENCE_MS } from "../scenario.js";
import { checkMade, newMemory, THREADED } from "./threaded.js";

/** A worker, and the next of what it says. */
class ThreadWorker {
  readonly #worker: Worker;
  readonly #said: string[] = [];
  #hear: ((text: string) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(workerData: object) {
    this.#worker = new Worker(new URL("./host-threads-worker.js", import.meta.url), { workerData });
    this.#worker.on("message", (text: string) => {
      if (this.#hear === undefined) this.#said.push(text);
      else this.#hear(text);
      this.#hear = undefined;
    });
    this.#worker.on("error", (error) => this.#fail?.(error as Error));
  }

  next(): Promise<string> {
    return new Promise((resolve, reject) => {
      const said = this.#said.shift();
      if (said !== undefined) return resolve(said);
      this.#hear = resolve;
      this.#fail = reject;
    });
  }

  terminate(): Promise<unknown> {
    return this.#worker.terminate();
  }
}

const late = setTimeout(() => {
  console.error("late");
  process.exit(1);
}, PATIENCE_MS);
const vfs = await createVfs({ maxBytes: 1 << 26 });
vfs.fs.mkdirSync("/w");
const program = { module: new WebAssembly.Module(THREADED), memory: newMemory() };
const wasi = createWasi(vfs, { preopens: { ".": "/w" } });
wasi.bindMemory(program.memory);
const workers = [0, 1].map(() => new ThreadWorker({ handle: wasi.handle, ...program }));
expect("before the program starts", String(await Promise.all(workers.map((worker) => worker.next()))), "waits,waits");
const imports = { ...wasi.getImportObject(), env: { memory: program.memory } } as WebAssembly.Imports;
expect("the exit code", wasi.start(new WebAssembly.Instance(program.module, imports)), 0);
expect("what the threads return", String(await Promise.all(workers.map((worker) => worker.next()))), "ended,ended");
checkMade(vfs);
for (const worker of workers) await worker.terminate();
vfs.close();
clearTimeout(late);
console.log("ok");
