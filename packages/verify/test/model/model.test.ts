/**
 * The model, the core and the kernel return the same results for random calls, one after the other, and have the same tree in
 * the end. So the model that judges the core's interleavings agrees with Linux.
 */
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import fc from "fast-check";
import { S_IFDIR, S_IFMT } from "../../dist/arena/layout.js";
import type { Call, Result } from "../../dist/model/call.js";
import { modelRunner } from "../../dist/model/sequential.js";
import { dumpCalls, readWith, withNames } from "../../dist/model/tree-dump.js";
import { begin, beginContext, finish } from "../../dist/scenario/core-calls.js";
import { defined } from "../../dist/support/defined.js";
import { only } from "../support/members.js";
import { callCore, freshThreads } from "./core-runner.js";
import { EDGE_CASES, type EdgeCase, KERNEL_EDGE_CASES } from "./edge-cases.js";
import { type Kernel, openKernel } from "./kernel.js";
import { type Credentials, canCompare, comparable, entryOf, type KernelResult, SELF } from "./kernel-runner.js";
import { everyCall, FLOOR, kernelCall, plant } from "./random-commands.js";

const SEED = Number(process.env.PROPERTY_SEED ?? Date.now() & 0x7fffffff);
const RUNS = Number(process.env.PROPERTY_RUNS ?? 30);
/** Ends a property that hangs. */
const LIMIT_MS = 600_000;
const START = 1.6e12;

const USERS: Credentials[] = [
  { uid: 1000, gid: 1000, groups: [] },
  { uid: 2000, gid: 2000, groups: [1000] },
];

async function check<T>(
  t: TestContext,
  property: fc.IProperty<T> | fc.IAsyncProperty<T>,
  numRuns: number,
): Promise<void> {
  t.diagnostic(`seed ${SEED}`);
  await fc.assert(property as fc.IAsyncProperty<T>, {
    seed: SEED,
    numRuns,
    interruptAfterTimeLimit: LIMIT_MS,
    markInterruptAsFailure: true,
    includeErrorInReport: true,
    endOnFailure: process.env.PROPERTY_SHRINK === "0",
  });
}

/** Runs calls; inode numbers are replaced by the order in which they were seen. */
function renumbered<R>(run: (call: Call) => R): (call: Call) => R {
  const seen = new Map<number, string>();
  const name = (ino: number) => {
    const known = seen.get(ino) ?? `#${seen.size}`;
    seen.set(ino, known);
    return known;
  };
  return (call) => withNames(run(call), name);
}

/** What calls are made on. */
interface Side {
  run: (call: Call) => Result;
  /** The same with the inode numbers as they are. */
  raw: (call: Call) => Result;
  /** Advances the clock. */
  tick: () => void;
}

function coreSide(contexts: Credentials[]): Side {
  let now = START;
  const t = only(freshThreads(1, { now: () => now, pages: 128 }), "thread");
  const numbers = [0, ...contexts.map((context) => callCore(t, beginContext(t, context)))];
  const run = (call: Call) => finish(t, call, callCore(t, begin(t, call, numbers)));
  const tick = () => {
    now++;
  };
  return { run: renumbered(run), raw: run, tick };
}

function modelSide(contexts: Credentials[]): Side {
  const model = modelRunner({ now: START });
  for (const context of contexts) model.addContext(context);
  const tick = () => {
    model.state.now++;
  };
  return { run: renumbered(model.run), raw: model.run, tick };
}

/** The model and the core, and the number of their contexts. */
class ModelAndCore {
  readonly #model: Side;
  readonly #core: Side;

  constructor(readonly contexts: Credentials[]) {
    this.#model = modelSide(contexts);
    this.#core = coreSide(contexts);
  }

  /** Makes a call on both. @returns the model's result, which the core's equals */
  both(given: Call): Result {
    const call = this.#opaque(given);
    for (const side of [this.#model, this.#core]) side.tick();
    const result = this.#model.run(call);
    assert.deepEqual(this.#core.run(call), result, JSON.stringify(call));
    return result;
  }

  /**
   * A call whose result no program may count on becomes one with a result: positions in a directory are numbers of the core's own, which
   * names that are looked up and do not exist take too, so that a directory's position is only set to its start.
   */
  #opaque(call: Call): Call {
    if (call.call !== "sysLseek") return call;
    const at = this.#model.raw({ call: "sysFstat", fd: call.fd, ...(call.ctx === undefined ? {} : { ctx: call.ctx }) });
    const directory = typeof at === "object" && "mode" in at && (at.mode & S_IFMT) === S_IFDIR;
    return directory ? { ...call, offset: 0, whence: 0 } : call;
  }

  compareTrees(): void {
    const [model, core] = [this.#model, this.#core].map(({ run }) =>
      readWith(run, dumpCalls(this.contexts.length + 1)),
    );
    assert.deepEqual(core, model);
  }
}

/** Asserts that the results of an edge case are those that show that it is reached. */
function assertMet({ calls, met }: EdgeCase, results: unknown[]): void {
  for (const [n, result] of met) assert.deepEqual(results[n], result, JSON.stringify(calls[n]));
}

const LAST: Credentials = { uid: 0, gid: 0, groups: [] };

test("the model and the core return the same result for every call", async (t) => {
  const contexts = [...USERS, LAST];
  let calls = 0;
  const property = fc.property(
    fc.array(everyCall(contexts.length + 1), { minLength: 60, maxLength: 60 }),
    (commands) => {
      const pair = new ModelAndCore(contexts);
      for (const call of [...plant(contexts.length + 1), ...commands]) {
        calls += 1;
        pair.both(call);
      }
      pair.compareTrees();
    },
  );
  await check(t, property, RUNS);
  t.diagnostic(`${calls} calls`);
});

for (const [name, edgeCase] of Object.entries(EDGE_CASES)) {
  test(`the model and the core agree: ${name}`, () => {
    const pair = new ModelAndCore([...USERS, LAST]);
    assertMet(
      edgeCase,
      edgeCase.calls.map((call) => pair.both(call)),
    );
    pair.compareTrees();
  });
}

let kernel: Kernel;
before(() => {
  kernel = openKernel();
});
after(() => kernel.close());

/** Makes calls on the kernel and on the model in the same directory. @returns the results, which are equal, as are the trees */
async function onKernelAndModel(contexts: Credentials[], calls: readonly Call[]): Promise<KernelResult[]> {
  const { cwd, directories, results, tree } = await kernel.run({ contexts, floor: FLOOR, calls });
  const model = modelRunner({ now: START });
  for (const context of contexts) model.addContext(context);
  // Context 0 of the model is the superuser, the kernel's first is this process.
  const run = (call: Call): KernelResult => model.run({ ...call, ctx: (call.ctx ?? 0) + 1 });
  model.run({ call: "sysUmask", mask: 0 });
  for (const path of directories) {
    model.run({ call: "sysMkdir", path, mode: 0o777 });
    model.run({ call: "sysChown", path, uid: SELF.uid, gid: SELF.gid });
  }
  for (const ctx of contexts.keys()) run({ call: "sysChdir", path: cwd, ctx });
  const left = [...results, ...tree.flatMap(([, entry]) => entry)];
  const theirs = renumbered(() => defined(left.shift(), "result of the kernel"));
  const ours = renumbered(run);
  const same = calls.map((call) => {
    const result = comparable(ours(call));
    assert.deepEqual(result, comparable(theirs(call)), JSON.stringify(call));
    return result;
  });
  for (const [at] of tree) assert.deepEqual(entryOf(ours, at), entryOf(theirs, at), at);
  return same;
}

const KERNEL_CONTEXTS = SELF.uid === 0 ? [SELF, ...USERS] : [SELF];

test("the model and the kernel return the same result for every call that node:fs can make", async (t) => {
  const contexts = KERNEL_CONTEXTS;
  let calls = 0;
  const property = fc.asyncProperty(
    fc.array(kernelCall(contexts.length), { minLength: 60, maxLength: 60 }),
    async (commands) => {
      const made = [...plant(contexts.length), ...commands].filter(canCompare);
      calls += made.length;
      await onKernelAndModel(contexts, made);
    },
  );
  await check(t, property, Math.ceil(RUNS / 3));
  t.diagnostic(`${calls} calls`);
});

for (const [name, edgeCase] of Object.entries(KERNEL_EDGE_CASES)) {
  test(`the model and the kernel agree: ${name}`, async () => {
    assertMet(edgeCase, await onKernelAndModel(KERNEL_CONTEXTS.slice(0, 1), edgeCase.calls));
  });
}
