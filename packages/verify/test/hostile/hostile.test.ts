/** The short form of packages/verify/src/hostile/hostile.ts, and the tool itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { randomBelow } from "../../../cli/dist/support/random.js";
import { createVfs } from "../../../threadfs/dist/src/index.js";
import { type AttachOptions, attach, createMemory, shippingCore, type Thread } from "../../dist/binary/core.js";
import { check as fsck } from "../../dist/fsck/check-arena.js";
import { Corruption, KINDS } from "../../dist/hostile/corruption.js";
import { build, driverCall, OPERATIONS } from "../../dist/hostile/fixture.js";
import { run } from "../../dist/hostile/hostile.js";
import { defined } from "../../dist/support/defined.js";

const ARENA = 4 << 20;

/** The memory with the tree, and a way to attach further threads to it. */
function fixture() {
  const memory = createMemory({ maxBytes: ARENA });
  let thread: Thread | undefined;
  const hooks = { driverCall: driverCall(() => defined(thread, "thread")) };
  const attachTo = (options: AttachOptions) => {
    thread = attach(memory, shippingCore({ accesses: true }).shipping, hooks, options);
    return thread;
  };
  const state = build(attachTo({ init: { seed: 42 } }));
  return { memory, state, attachTo };
}

test("every operation ends, whatever the memory holds, and another tree of the process stays as it was", async (t) => {
  const vfs = await createVfs({ maxBytes: 8 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/f", "as it was");
  const { ok, explored, failures } = await run({ seed: 1, short: true });
  t.diagnostic(JSON.stringify(explored));
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.equal(explored.operations, 40 * Object.keys(OPERATIONS).length);
  for (const ending of ["trapped", "panicked", "returned an errno"])
    assert.ok(Number(explored[ending]) > 0, `an operation ${ending}`);
  assert.equal(vfs.fs.readFileSync("/d/f", "utf8"), "as it was");
  assert.deepEqual(fsck(vfs.handle.memory).problems, []);
});

test("before it is damaged the tree is whole, and every operation on it succeeds but those that must fail", () => {
  const { memory, state, attachTo } = fixture();
  assert.deepEqual(fsck(memory).problems, []);
  const bytes = new Uint8Array(memory.buffer).slice();
  const failed = Object.entries(OPERATIONS).filter(([, call]) => {
    new Uint8Array(memory.buffer).set(bytes);
    return call(attachTo({}), state) < 0;
  });
  // A driver without these hooks or still in use, names that do not exist, a thread that does not, a context without the capability.
  const mayFail = [
    "unlink of a driver's file",
    "stat of nothing",
    "stat of a driver's nothing",
    "threadRecover",
    "driverUnregister",
    "chroot",
  ];
  assert.deepEqual(
    failed.map(([name]) => name).filter((name) => !mayFail.includes(name)),
    [],
  );
});

for (const kind of KINDS) {
  test(`damage of the kind "${kind}" changes the memory, and the same seed changes the same words`, () => {
    const said = [1, 1].map((seed) => {
      const { memory } = fixture();
      const before = new Uint32Array(memory.buffer).slice();
      const damage = new Corruption(memory.buffer, ARENA, randomBelow(seed));
      for (let n = 0; n < 8; n++) damage[kind]();
      const words = new Uint32Array(memory.buffer);
      assert.ok(before.some((word, i) => word !== words[i]));
      return damage.said;
    });
    assert.deepEqual(said[0], said[1]);
  });
}

test("an operation with more steps than allowed is reported, with its place in the core and the damage", async () => {
  const { ok, failures } = await run({ seed: 1, cases: 1, stepsMax: 200 });
  assert.equal(ok, false);
  const { message, replay = "", trace = "" } = defined(failures[0], "failure");
  assert.match(message, /made more than 200 steps, in \w+ \(core\/.*\.ts\)/);
  assert.match(replay, /--seed 1 --cases 1/);
  assert.ok(trace.length > 0);
});
