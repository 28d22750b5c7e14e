/** The shipping core with its threads, not instrumented: for the tests of the model and of the judge. */
import { readFileSync } from "node:fs";
import { SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { logicalClock } from "../../dist/binary/core.js";
import type { Result } from "../../dist/model/call.js";
import { CLOCK } from "../../dist/scenario/build.js";
import { type CoreCall, type CoreCalls, copyFromUser, copyToUser } from "../../dist/scenario/core-calls.js";
import { type DriverState, type DriverThread, driverCall, newDriverState } from "../../dist/scenario/driver.js";
import type { CallEvent } from "../../dist/scenario/linearizability.js";
import { dump, type LabelledDump, type TreeOperation, trees } from "../../dist/scenario/operations.js";
import { defined } from "../../dist/support/defined.js";

const module = new WebAssembly.Module(readFileSync(new URL("../../../threadfs/dist/core.wasm", import.meta.url)));
const PAGE = 65536;

/** A thread of the core: its exports that are called here, and its scratch area. */
export interface CoreThread extends DriverThread {
  core: Record<string, (...args: number[]) => number>;
}

/** Calls an export of the core. */
export function callCore(t: CoreThread, [name, ...args]: CoreCall): number {
  return defined(t.core[name], `export ${name}`)(...args);
}

interface ThreadOptions {
  /** The clock, which the core reads at every change. */
  now?: () => number;
  /** Size of the arena in WebAssembly pages. */
  pages?: number;
  /** What the driver of the threads keeps. */
  driverState?: DriverState;
}

/** A fresh arena with `count` threads attached. */
export function freshThreads(
  count: number,
  { now = () => CLOCK, pages = 64, driverState = newDriverState() }: ThreadOptions = {},
): CoreThread[] {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: pages, shared: true });
  /** The buffer of a memory does not grow with it: takes the one that has all of it. */
  function renew(t: CoreThread): CoreThread {
    memory.grow(0);
    if (t.scratch.buffer !== memory.buffer)
      t.scratch = new Uint8Array(memory.buffer, t.scratch.byteOffset, SCRATCH.SIZE);
    return t;
  }
  const threads = Array.from({ length: count }, (_, n) => {
    const t: CoreThread = { driverState, clock: CLOCK, core: {}, scratch: new Uint8Array() };
    const host = {
      now,
      wait: (_word: number, _expected: number, ms: number) => {
        logicalClock(ms);
        return 2;
      },
      clock: () => logicalClock(),
      panic: (code: number, at: number) => {
        throw new Error(`panic ${code} at ${at}`);
      },
      timedOut: (word: number) => {
        throw new Error(`the call waited too long (${word})`);
      },
      driverCall: (op: number, driver: number, a: number, b: number, c: number, d: number) =>
        driverCall(t, op, driver, a, b, c, d),
      copyFromUser: (to: number, done: number, bytes: number) => copyFromUser(renew(t), to, done, bytes),
      copyToUser: (from: number, done: number, bytes: number) => copyToUser(renew(t), from >>> 0, done, bytes),
      security: () => 0,
      audit: () => undefined,
    };
    // The type of an instance's exports cannot be known: all but the memory are functions of numbers.
    t.core = new WebAssembly.Instance(module, { env: { memory }, host }).exports as CoreThread["core"];
    const made = n === 0 ? callCore(t, ["arenaInit", pages * PAGE, 1, 2]) : 0;
    if (made !== 0 || callCore(t, ["threadAttach", 1]) !== 0) throw new Error("no arena");
    return t;
  });
  memory.grow(0);
  for (const t of threads) t.scratch = new Uint8Array(memory.buffer, callCore(t, ["scratchBase"]) >>> 0, SCRATCH.SIZE);
  return threads;
}

/** Runs a generator of the core's calls on a thread, to its end. */
export function drive<T>(t: CoreThread, calls: CoreCalls<T>): T {
  for (let next = calls.next(); ; next = calls.next(callCore(t, next.value))) if (next.done) return next.value;
}

/** What operations returned, the tree that they left, and the order of their calls. */
export interface TreeRun {
  results: (Result[] | undefined)[];
  final: LabelledDump;
  order: CallEvent[];
}

/** Runs operations one after the other, each in a thread of its own; `turns` are their numbers in this order. */
export function runInTurn(tree: string, operations: readonly TreeOperation[], turns: readonly number[]): TreeRun {
  const fixture = defined(trees[tree], `tree ${tree}`);
  const threads = freshThreads(operations.length + 1, { driverState: fixture.newDriverState() });
  const inspector = defined(threads.at(-1), "thread");
  const built = drive(inspector, fixture.build(inspector));
  const results: (Result[] | undefined)[] = [];
  const order: CallEvent[] = [];
  for (const n of turns) {
    const operation = defined(operations[n], `operation ${n}`);
    const thread = defined(threads[n], `thread ${n}`);
    results[n] = drive(thread, operation.run(thread, built));
    for (const k of operation.calls.keys()) order.push([n, k, "begin"], [n, k, "end"]);
  }
  return { results, final: drive(inspector, dump(inspector, built)), order };
}
