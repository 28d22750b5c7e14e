/**
 * The model against the core and against the kernel: random calls, one after the other, with the same answers and the same
 * tree in the end. What the core does is thereby held against the model that judges its interleavings, and the model
 * against Linux.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { modelRunner } from "../../dist/model/sequential.js";
import { dumpCalls, readWith, withNames } from "../../dist/model/tree-dump.js";
import { begin, beginContext, finish } from "../../dist/scenario/core-calls.js";
import { freshThreads } from "./core-runner.js";
import { EDGE_CASES, KERNEL_EDGE_CASES } from "./edge-cases.js";
import { openKernelRunner, SELF } from "./kernel-runner.js";
import { everyCall, FLOOR, kernelCall, plant } from "./random-commands.js";

const SEED = Number(process.env.PROPERTY_SEED ?? Date.now() & 0x7fffffff);
const RUNS = Number(process.env.PROPERTY_RUNS ?? 30);
const LIMIT_MS = 60_000;
const START = 1.6e12;

const USERS = [
  { uid: 1000, gid: 1000, groups: [] },
  { uid: 2000, gid: 2000, groups: [1000] },
];

function check(t, property, numRuns) {
  t.diagnostic(`seed ${SEED}`);
  fc.assert(property, {
    seed: SEED,
    numRuns,
    interruptAfterTimeLimit: LIMIT_MS,
    markInterruptAsFailure: true,
    includeErrorInReport: true,
    endOnFailure: process.env.PROPERTY_SHRINK === "0",
  });
}

/** A side to run calls on; inode numbers are replaced by the order in which they were seen. */
function side(run) {
  const seen = new Map();
  const name = (ino) => {
    if (!seen.has(ino)) seen.set(ino, `#${seen.size}`);
    return seen.get(ino);
  };
  return { run: (call) => withNames(run(call), name) };
}

function coreSide(contexts) {
  const clock = { now: START };
  const [t] = freshThreads(1, { now: () => clock.now, pages: 128 });
  const numbers = [0];
  for (const context of contexts) {
    const [name, ...args] = beginContext(t, context);
    numbers.push(t.core[name](...args));
  }
  const run = (call) => {
    const [name, ...args] = begin(t, call, numbers);
    return finish(t, call, t.core[name](...args));
  };
  return { ...side(run), tick: () => clock.now++ };
}

function modelSide(contexts) {
  const model = modelRunner({ now: START });
  for (const context of contexts) model.addContext(context);
  return { ...side(model.run), tick: () => model.state.now++ };
}

const LAST = { uid: 0, gid: 0 };

test("the model and the core answer every call alike", (t) => {
  const contexts = [...USERS, LAST];
  let calls = 0;
  const property = fc.property(
    fc.array(everyCall(contexts.length + 1), { minLength: 60, maxLength: 60 }),
    (commands) => {
      const sides = [modelSide(contexts), coreSide(contexts)];
      for (const call of [...plant(contexts.length + 1), ...commands]) {
        calls += 1;
        for (const s of sides) s.tick();
        const [model, core] = sides.map((s) => s.run(call));
        assert.deepEqual(core, model, JSON.stringify(call));
      }
      const [model, core] = sides.map((s) => readWith(s.run, dumpCalls(contexts.length + 1)));
      assert.deepEqual(core, model);
    },
  );
  check(t, property, RUNS);
  t.diagnostic(`${calls} calls`);
});

for (const [name, { calls, met }] of Object.entries(EDGE_CASES)) {
  test(`corner, model and core: ${name}`, () => {
    const sides = [modelSide([...USERS, LAST]), coreSide([...USERS, LAST])];
    const answers = [];
    for (const call of calls) {
      for (const s of sides) s.tick();
      const [model, core] = sides.map((s) => s.run(call));
      assert.deepEqual(core, model, JSON.stringify(call));
      answers.push(model);
    }
    for (const [n, answer] of met) assert.deepEqual(answers[n], answer, JSON.stringify(calls[n]));
    const [model, core] = sides.map((s) => readWith(s.run, dumpCalls(USERS.length + 2)));
    assert.deepEqual(core, model);
  });
}

/** The kernel and the model in the same directory: { kernel, run } and how to end it. */
function kernelAndModel(contexts) {
  const kernel = openKernelRunner(contexts, FLOOR);
  const model = modelRunner({ now: START });
  for (const context of contexts) model.addContext(context);
  // Context 0 of the model is the superuser, the kernel's first is this process.
  const run = (call) => model.run({ ...call, ctx: (call.ctx ?? 0) + 1 });
  model.run({ call: "sysUmask", mask: 0 });
  for (const path of kernel.directories) {
    model.run({ call: "sysMkdir", path, mode: 0o777 });
    model.run({ call: "sysChown", path, uid: SELF.uid, gid: SELF.gid });
  }
  for (const ctx of contexts.keys()) run({ call: "sysChdir", path: kernel.cwd, ctx });
  const sides = [side(run), side(kernel.run)];
  return {
    /** The same call on both, and whether they agree; the answer. */
    both(call) {
      const [ours, theirs] = sides.map((s) => kernel.comparable(call, s.run(call)));
      assert.deepEqual(ours, theirs, JSON.stringify(call));
      return ours;
    },
    compareTrees: () => assert.deepEqual(kernel.tree(sides[0].run), kernel.tree(sides[1].run)),
    can: kernel.can,
    close: kernel.close,
  };
}

const KERNEL_CONTEXTS = SELF.uid === 0 ? [SELF, ...USERS] : [SELF];

test("the model and the kernel answer alike what node:fs can ask", (t) => {
  const contexts = KERNEL_CONTEXTS;
  let calls = 0;
  const property = fc.property(fc.array(kernelCall(contexts.length), { minLength: 60, maxLength: 60 }), (commands) => {
    const pair = kernelAndModel(contexts);
    try {
      for (const call of [...plant(contexts.length), ...commands]) {
        if (!pair.can(call)) continue;
        calls += 1;
        pair.both(call);
      }
      pair.compareTrees();
    } finally {
      pair.close();
    }
  });
  check(t, property, Math.ceil(RUNS / 3));
  t.diagnostic(`${calls} calls`);
});

for (const [name, { calls, met }] of Object.entries(KERNEL_EDGE_CASES)) {
  test(`corner, model and kernel: ${name}`, () => {
    const pair = kernelAndModel(KERNEL_CONTEXTS.slice(0, 1));
    try {
      const answers = calls.map((call) => pair.both(call));
      for (const [n, answer] of met) assert.deepEqual(answers[n], answer, JSON.stringify(calls[n]));
      pair.compareTrees();
    } finally {
      pair.close();
    }
  });
}
