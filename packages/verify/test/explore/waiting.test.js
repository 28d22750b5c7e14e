/** Readers beside a change that is under way: they wait for its end, and stay in rcu mode. On the shipping binary, at each access of the change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COUNTERS, SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { Harness, hostOf } from "../../dist/explore/harness.js";
import { AT_SPIN, DONE, READY } from "../../dist/machine/constants.js";
import { coreProgram } from "../../dist/machine/program.js";
import { operation } from "../../dist/scenario/operations.js";

const stat = (path) => operation("small", "test", [{ call: "sysStat", path }]);
const rename = (path, path2) => operation("small", "test", [{ call: "sysRename", path, path2 }]);
const create = (path) => operation("small", "test", [{ call: "sysMkdir", path, mode: 0o755 }]);

/** @type {Harness | undefined} made once */
let harness;

/** The reader runs; where it looks at a word that the writer has to change, the writer goes on to its end. */
const READER_FIRST = {
  choose(machine, t, reason) {
    const [writer, reader] = machine.threads;
    if (reader.state !== READY || (reason === AT_SPIN && t === reader)) return writer.state === READY ? 0 : 1;
    return 1;
  },
};

/** What the reader answered and counted, with the writer stopped before its n-th access; undefined: it has fewer. */
function beside(writer, reader, n) {
  const { machine } = harness;
  machine.everyAccess = true;
  const ops = [writer, reader];
  let failed = machine.begin(harness.operations(ops));
  const [first, second] = machine.threads;
  const counters = () => {
    machine.call(second, "sumCounters", 1);
    const values = new Float64Array(hostOf(second).scratch.slice(SCRATCH.IO, SCRATCH.IO + 8 * COUNTERS.length).buffer);
    return Object.fromEntries(COUNTERS.map((name, i) => [name, values[i]]));
  };
  while (failed === null && first.state === READY && first.steps < n) failed = machine.step(0);
  if (first.state === DONE) return undefined;
  const outcome = failed ?? machine.finish(READER_FIRST);
  assert.equal(outcome.status, "done", outcome.message);
  const { walks, endedRcu, endedRef, seqRetries } = counters();
  return { answer: outcome.results[1], waited: seqRetries > 0, walks, endedRcu, endedRef };
}

for (const [what, change, look, answers] of [
  // Fails when dLookupRcu() does not wait for dirSeq: the miss drops out for the whole length of the change.
  ["a miss beside a rename in its directory", rename("/d/f", "/d/x"), stat("/d/none"), ["ENOENT"]],
  ["a hit beside a rename of what it looks for", rename("/h", "/k"), stat("/h"), [undefined, "ENOENT"]],
  ["a miss beside a directory that is made there", create("/d/x"), stat("/d/none"), ["ENOENT"]],
]) {
  test(`${what} stays in rcu mode, wherever the change stands`, () => {
    harness ??= new Harness(coreProgram(), "small");
    let waits = 0;
    let places = 0;
    for (let n = 1; ; n++) {
      const found = beside(change, look, n);
      if (found === undefined) break;
      places++;
      if (found.waited) waits++;
      const { answer, walks, endedRcu, endedRef } = found;
      assert.deepEqual([walks, endedRcu, endedRef], [1, 1, 0], `before access ${n}`);
      assert.ok(answers.includes(typeof answer[0] === "string" ? answer[0] : undefined), JSON.stringify(answer));
    }
    assert.ok(places > 50, `${places} places`);
    if (!what.includes("made")) assert.ok(waits > 10, `it waited at ${waits} of ${places} places`);
  });
}
