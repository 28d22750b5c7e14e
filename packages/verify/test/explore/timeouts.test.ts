/** Threads that may not sleep: on programs whose schedules can be counted by hand, and on the core with and without the reduction. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "../../dist/explore/explore.js";
import { Harness } from "../../dist/explore/harness.js";
import { replay } from "../../dist/explore/schedule.js";
import { Waits } from "../../dist/explore/waits.js";
import { TIMED_OUT } from "../../dist/machine/errors.js";
import type { Machine, Operation, Outcome } from "../../dist/machine/machine.js";
import { coreProgram } from "../../dist/machine/program.js";
import { operations } from "../../dist/scenario/operations.js";
import { defined } from "../../dist/support/defined.js";
import { calls, machineOf, POLLERS } from "../machine/small-programs.js";
import { only } from "../support/members.js";

/** A machine whose second thread may not sleep. */
function machine(): Machine {
  const made = machineOf(POLLERS);
  made.thread(1).mayWait = false;
  return made;
}

/** The results of all schedules, with their schedules, and the failures. */
function all(on: Machine, ops: Operation[]) {
  const found = new Map<string, string>();
  const judge = ({ results }: Outcome) => {
    found.set(JSON.stringify([...results, on.words[48]]), on.schedule.map((segment) => segment.join()).join(" "));
    return null;
  };
  const { failures, complete } = explore(on, ops, { bound: 1, judge });
  return { results: [...found.keys()].sort(), schedules: found, failures, complete };
}

test("a thread that polls gets what it waits for, or its limit passes and it leaves its call; its next call is made", () => {
  const { results, failures, complete } = all(machine(), [calls(["forget"]), calls(["poll"], ["poll"])]);
  assert.deepEqual([failures, complete], [[], true]);
  // The result of the second call, and how many calls were left.
  assert.deepEqual(results, [`[0,${TIMED_OUT},2]`, "[0,1,0]", "[0,1,1]"].sort());
});

test("a thread that polls a word for which nothing comes leaves its call: time passes where no thread can run", () => {
  const on = machine();
  const { results, failures } = all(on, [calls(["look"]), calls(["poll"])]);
  assert.deepEqual(failures, []);
  assert.deepEqual(results, [`[0,${TIMED_OUT},1]`]);
  assert.ok(on.waitedMs > 10_000);
});

test("a thread that counts its looks in place of time is caught: it panics while the other thread is suspended", () => {
  const on = machine();
  const ops = [calls(["forget"]), calls(["spin"])];
  const { failures } = all(on, ops);
  assert.match(only(failures, "failure").message, /unreachable/);
});

test("a thread that sleeps though it may not is caught", () => {
  const { failures } = all(machine(), [calls(["wake"]), calls(["await"])]);
  assert.match(only(failures, "failure").message, /thread 1 sleeps on 64, and may not/);
});

test("a schedule in which a limit passes can be repeated from its text", () => {
  const on = machine();
  const ops = [calls(["forget"]), calls(["poll"])];
  const judge = ({ results }: Outcome) => (results[1] === TIMED_OUT ? "left" : null);
  const { replay: schedule } = only(explore(on, ops, { bound: 1, judge }).failures, "failure");
  assert.match(schedule, /b\d+t/);
  assert.deepEqual(replay(machine(), ops, schedule).results, [0, TIMED_OUT]);
});

test("with a suspension at every access no thread returns anything that it does not with the reduction", () => {
  const program = coreProgram();
  for (const [tree, ...names] of [
    ["small", "sysMkdir(path=/d/x", "sysUnlink(path=/d/f"],
    ["mounts", "sysMountNew(path=/n", "sysUmount(path=/b"],
  ] as const) {
    const ops = names.map((name) =>
      defined(
        operations.find((op) => op.tree === tree && op.name.includes(name)),
        name,
      ),
    );
    const [some, every] = [new Waits(), undefined].map((focus) => {
      const harness = new Harness(program, tree, { spins: true });
      const found = harness.explore(ops, { bound: 1, ...(focus ? { focus } : {}) });
      assert.deepEqual([found.complete, found.failures], [true, []]);
      const ends = [...harness.verdicts.keys()].map((key) => JSON.stringify(JSON.parse(key).slice(1, 3)));
      return new Set(ends.filter((end) => end.includes("ERR_THREADFS_TIMEOUT")));
    });
    assert.ok(some !== undefined && some.size > 0);
    assert.deepEqual(some, every, tree);
  }
});
