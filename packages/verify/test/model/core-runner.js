/** What the tests of the model and of the judge share: the shipping core with its threads, without any instrumentation. */
import { readFileSync } from "node:fs";
import { SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { driverCall, newDriverState } from "../../dist/scenario/driver.js";
import { dump, trees } from "../../dist/scenario/operations.js";
import { CLOCK } from "../../dist/scenario/trees.js";

const module = new WebAssembly.Module(readFileSync(new URL("../../../threadfs/dist/core.wasm", import.meta.url)));
const PAGE = 65536;

/** A fresh arena with `count` threads attached: [{ core, scratch, memory }]. `now` is asked at every change. */
export function freshThreads(count, { now = () => CLOCK, pages = 64 } = {}) {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: pages, shared: true });
  const driverState = newDriverState();
  const threads = Array.from({ length: count }, (_, n) => {
    const t = { memory, driverState, clock: CLOCK };
    const host = {
      now,
      wait: () => 0,
      clock: () => performance.now(),
      panic: (code, at) => {
        throw new Error(`panic ${code} at ${at}`);
      },
      driverCall: (...args) => driverCall(t, ...args),
      security: () => 0,
      audit: () => undefined,
    };
    t.core = new WebAssembly.Instance(module, { env: { memory }, host }).exports;
    const made = n === 0 ? t.core.arenaInit(pages * PAGE, 1, 2) : 0;
    if (made !== 0 || t.core.threadAttach(1) !== 0) throw new Error("no arena");
    return t;
  });
  memory.grow(0);
  for (const t of threads) t.scratch = new Uint8Array(memory.buffer, t.core.scratchBase() >>> 0, SCRATCH.SIZE);
  return threads;
}

/** Runs a generator of the core's calls on a thread, to its end. */
export function drive(t, calls) {
  let { value, done } = calls.next();
  while (!done) {
    const [name, ...args] = value;
    ({ value, done } = calls.next(t.core[name](...args)));
  }
  return value;
}

/** Runs operations one after the other (`turns`: which is next), each in a thread of its own: { results, final, order }. */
export function runInTurn(tree, operations, turns) {
  const threads = freshThreads(operations.length + 1);
  const inspector = threads[operations.length];
  const built = drive(inspector, trees[tree].build(inspector));
  const results = [];
  const order = [];
  for (const n of turns) {
    results[n] = drive(threads[n], operations[n].run(threads[n], built));
    for (const k of operations[n].calls.keys()) order.push([n, k, "begin"], [n, k, "end"]);
  }
  return { results, final: drive(inspector, dump(inspector, built)), order };
}
