/** Readers during a change wait for its end and stay in rcu mode: on the shipping binary, at each access of the change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COUNTERS, SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { Harness, hostOf } from "../../dist/explore/harness.js";
import { AT_SPIN, DONE, READY } from "../../dist/machine/constants.js";
import type { Controller } from "../../dist/machine/machine.js";
import { coreProgram } from "../../dist/machine/program.js";
import { operation, type TreeOperation } from "../../dist/scenario/operations.js";
import { defined } from "../../dist/support/defined.js";
import { firstTwo } from "../support/members.js";

const stat = (path: string) => operation("small", "test", [{ call: "sysStat", path }]);
const rename = (path: string, path2: string) => operation("small", "test", [{ call: "sysRename", path, path2 }]);
const create = (path: string) => operation("small", "test", [{ call: "sysMkdir", path, mode: 0o755 }]);

/** Made once. */
let made: Harness | undefined;
function harness(): Harness {
  made ??= new Harness(coreProgram(), "small");
  return made;
}

/** Runs the reader; where it reads a word again that the writer has to change, runs the writer to its end. */
const READER_FIRST: Controller = {
  choose(machine, t, reason) {
    const [writer, reader] = firstTwo(machine.threads);
    if (reader.state !== READY || (reason === AT_SPIN && t === reader)) return writer.state === READY ? 0 : 1;
    return 1;
  },
};

/** What the reader returned and counted. */
interface Found {
  answer: unknown;
  waited: boolean;
  walks: number;
  endedRcu: number;
  endedRef: number;
}

/** Runs the reader with the writer stopped before its n-th access; undefined: it has fewer. */
function duringChange(writer: TreeOperation, reader: TreeOperation, n: number): Found | undefined {
  const { machine } = harness();
  machine.everyAccess = true;
  const ops = [writer, reader];
  let failed = machine.begin(harness().operations(ops));
  const [first, second] = firstTwo(machine.threads);
  const counters = () => {
    machine.call(second, "sumCounters", 1);
    const values = new Float64Array(hostOf(second).scratch.slice(SCRATCH.IO, SCRATCH.IO + 8 * COUNTERS.length).buffer);
    return (name: (typeof COUNTERS)[number]) => defined(values[COUNTERS.indexOf(name)], `counter ${name}`);
  };
  while (failed === null && first.state === READY && first.steps < n) failed = machine.step(0);
  if (first.state === DONE) return undefined;
  const outcome = failed ?? machine.finish(READER_FIRST);
  assert.equal(outcome.status, "done", outcome.message);
  const count = counters();
  return {
    answer: outcome.results[1],
    waited: count("seqRetries") > 0,
    walks: count("walks"),
    endedRcu: count("endedRcu"),
    endedRef: count("endedRef"),
  };
}

/** What is read during which change, and the errors that the reader may return. */
const CASES: [what: string, change: TreeOperation, look: TreeOperation, errors: (string | undefined)[]][] = [
  // Fails when dLookupRcu() does not wait for dirSeq: the miss drops out for the whole length of the change.
  ["a miss during a rename in its directory", rename("/d/f", "/d/x"), stat("/d/none"), ["ENOENT"]],
  ["a hit during a rename of its file", rename("/h", "/k"), stat("/h"), [undefined, "ENOENT"]],
  ["a miss while a directory is made there", create("/d/x"), stat("/d/none"), ["ENOENT"]],
];
for (const [what, change, look, errors] of CASES) {
  test(`${what} stays in rcu mode, wherever the change is stopped`, () => {
    let waits = 0;
    let places = 0;
    for (let n = 1; ; n++) {
      const found = duringChange(change, look, n);
      if (found === undefined) break;
      places++;
      if (found.waited) waits++;
      const { answer, walks, endedRcu, endedRef } = found;
      assert.deepEqual([walks, endedRcu, endedRef], [1, 1, 0], `before access ${n}`);
      const [result] = Array.isArray(answer) ? answer : [];
      assert.ok(errors.includes(typeof result === "string" ? result : undefined), JSON.stringify(answer));
    }
    assert.ok(places > 50, `${places} places`);
    if (!what.includes("made")) assert.ok(waits > 10, `it waited at ${waits} of ${places} places`);
  });
}
