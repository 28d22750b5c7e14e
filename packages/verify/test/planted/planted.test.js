/**
 * The short form of packages/verify/src/planted/planted.js: two faults are built and caught. And the tool itself: every edit of the list fits, what is
 * no fault is not said to be caught, nor what a check says of any core.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { applyEdits, buildName, coreSources } from "../../dist/binary/mutant.js";
import { ROOT } from "../../dist/binary/symbols.js";
import { commandOf } from "../../dist/planted/detectors.js";
import { MUTANTS, NOT_PLANTED } from "../../dist/planted/faults.js";
import { run } from "../../dist/planted/planted.js";
import { document, firstLine } from "../../dist/planted/report.js";
import { PLANTED } from "../../dist/torture/planted-faults.js";

/** How many bugs the algorithm has had that are numbered. */
const KNOWN = 25;

test("every edit of the list stands in the source exactly once, and makes another core", () => {
  const sources = coreSources();
  const names = new Set();
  for (const { name, edits } of MUTANTS) {
    const edited = applyEdits(sources, edits);
    assert.notEqual(buildName(edited), buildName(sources), name);
    names.add(buildName(edited));
  }
  assert.ok(MUTANTS.length >= 40);
  assert.equal(names.size, MUTANTS.length, "each is another one");
  assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  assert.throws(() => applyEdits(sources, [{ file: "mem/lock/lock.ts", from: "lock", to: "" }]), /once/);
  assert.throws(() => applyEdits(sources, [{ file: "mem/none.ts", from: "lock", to: "" }]), /once/);
});

test("every numbered bug is planted, or it is said why not", () => {
  for (let n = 1; n <= KNOWN; n++) {
    const planted = MUTANTS.some(({ known }) => known === n);
    assert.notEqual(planted, n in NOT_PLANTED, `bug ${n}`);
  }
});

test("every fault has checks, and their programs are there", () => {
  for (const { name, caughtBy } of MUTANTS) {
    assert.ok(caughtBy.length > 0, name);
    for (const { args } of caughtBy) assert.ok(existsSync(join(ROOT, args[0])), args[0]);
  }
  assert.equal(Object.keys(PLANTED).length, 8, "the torture run has faults of its own to find");
});

test("two of the list are caught", async () => {
  const { ok, explored, failures, results } = await run({ seconds: 60, seed: 1, short: true });
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.equal(explored.caught, 2);
  for (const { caught } of results) assert.ok(caught.said.length > 10 && caught.seconds > 0, caught.said);
});

test("no fault is not caught: by nothing that holds, nor by what fails on the sound core too", async () => {
  const step = (program) => ({ check: "made up", args: ["-e", program] });
  const none = {
    name: "none",
    edits: [{ file: "mem/lock/lock.ts", from: "Not fair.", to: "Not fair!" }],
    caughtBy: [step("console.log('ok')"), step("throw new Error('always')"), step("throw new Error('names: none')")],
  };
  const { ok, failures, results } = await run({ seconds: 60, seed: 1, mutants: [none] });
  assert.equal(ok, false);
  assert.match(failures[0].message, /not caught: none/);
  const [holds, fails, broken] = results[0].tried;
  assert.equal(holds.said, "holds");
  assert.match(fails.said, /^fails on the sound core too: .*always/);
  assert.match(broken.said, /names: none/);
  const table = document(results, { command: "make", all: ["none", "another"], notPlanted: { 7: "there is none" } });
  assert.match(table, /## Not caught\n\n.*\n.*\n\| none \|/);
  assert.match(table, /## Not run\n\n.*1 of the list's 2.*\n\n- another\n/);
  assert.match(table, /- 7: there is none/);
});

test("what a check said is told in one line", () => {
  const said = (output, more = {}) => firstLine({ output, code: 1, late: false, ...more });
  assert.equal(
    said("title: FAILS (seed 3)\n  pairs: 3\n\nsmall: rename || stat\n  no interleaving\n  again: x\n"),
    "small: rename || stat: no interleaving",
  );
  assert.equal(
    said("title: FAILS (seed 3)\n  n: 1\n\ndead before 3\n  the arena is not whole:\n    lock: held\n"),
    "dead before 3: lock: held",
  );
  assert.equal(said("FAILED thread 3: impossible\n..."), "thread 3: impossible");
  assert.equal(said("✖ bug 3: nothing (12.5ms)\n  AssertionError: a\n"), "bug 3: nothing: AssertionError: a");
  assert.equal(said("x\nRuntimeError: unreachable\n    at y"), "RuntimeError: unreachable");
  assert.equal(said("", { code: null, late: true }), "it did not come to an end");
  assert.ok(said(`Error: ${"x".repeat(500)}`).length < 200);
  assert.equal(commandOf({ check: "", args: ["a/b.js", "--only", "a b"] }), 'node a/b.js --only "a b"');
});
