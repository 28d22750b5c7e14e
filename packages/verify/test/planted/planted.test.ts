/**
 * The short form of packages/verify/src/planted/planted.ts: a fault is built and caught. And the tool itself: every edit of the list fits, and a
 * change that is no fault is not reported as caught, even where a check fails on every core.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { applyEdits, coreSources, packageSources } from "../../dist/binary/mutant.js";
import { ROOT } from "../../dist/binary/symbols.js";
import { commandOf, type Step } from "../../dist/planted/detectors.js";
import { MUTANTS, type Mutant, NOT_PLANTED } from "../../dist/planted/faults.js";
import { run } from "../../dist/planted/planted.js";
import { document, type Ended, firstLine } from "../../dist/planted/report.js";
import { defined } from "../../dist/support/defined.js";
import { PLANTED } from "../../dist/torture/planted-faults.js";

/** Asserts that a filter of the test runner chooses files, and that one of them has a title of the pattern. */
function assertTests(args: string[]): void {
  const [filter = "", option = ""] = args;
  const packages = join(ROOT, "packages");
  const files = readdirSync(packages).flatMap((name) => {
    const tests = join(packages, name, "test");
    if (!existsSync(tests)) return [];
    const paths = readdirSync(tests, { recursive: true, encoding: "utf8" }).filter((path) =>
      /\.test\.[jt]s$/.test(path),
    );
    return paths.filter((path) => `${name}/${path}`.includes(filter)).map((path) => join(tests, path));
  });
  assert.notEqual(files.length, 0, `no test file matches ${filter}`);
  const pattern = new RegExp(option.replace("--test-name-pattern=", ""));
  // The conformance suite has its cases in files of the same names.
  const texts = files.flatMap((file) => [file, join(dirname(file), "cases", basename(file).replace(".test.", "."))]);
  assert.ok(
    texts.some((file) => existsSync(file) && pattern.test(readFileSync(file, "utf8"))),
    `no test in ${filter} matches ${pattern}`,
  );
}

/** How many bugs the algorithm has had that are numbered. */
const KNOWN = 25;

test("every edit of the list fits the source exactly once, and makes another core or package", () => {
  const sources = coreSources();
  const names = new Set();
  for (const { name, edits } of MUTANTS) {
    const all = new Map([...sources, ...packageSources(edits)]);
    const edited = applyEdits(all, edits);
    const files = [...new Set(edits.map(({ file }) => file))].sort();
    for (const file of files) assert.notEqual(edited.get(file), all.get(file), name);
    names.add(files.map((file) => `${file}\0${edited.get(file)}`).join("\0"));
  }
  assert.ok(MUTANTS.length >= 40);
  assert.equal(names.size, MUTANTS.length, "no two faults are the same");
  assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  assert.throws(() => applyEdits(sources, [{ file: "mem/lock/lock.ts", from: "lock", to: "" }]), /once/);
  assert.throws(() => applyEdits(sources, [{ file: "mem/none.ts", from: "lock", to: "" }]), /once/);
});

test("every numbered bug is planted, or the list says why it is not", () => {
  for (let n = 1; n <= KNOWN; n++) {
    const planted = MUTANTS.some(({ known }) => known === n);
    assert.notEqual(planted, n in NOT_PLANTED, `bug ${n}`);
  }
});

test("every fault has checks, and their programs and tests exist", () => {
  for (const { name, caughtBy } of MUTANTS) {
    assert.ok(caughtBy.length > 0, name);
    for (const { args } of caughtBy) {
      const program = defined(args[0], "program");
      assert.ok(existsSync(join(ROOT, program)), program);
      if (program.endsWith("run-tests.js")) assertTests(args.slice(1));
    }
  }
  assert.equal(Object.keys(PLANTED).length, 8, "the torture run has faults of its own to find");
});

test("a fault of the list is caught", async () => {
  const { ok, explored, failures, results } = await run({ seed: 1, short: true });
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.equal(explored.caught, 1);
  for (const { name, caught } of results) {
    const { said, seconds } = defined(caught, `check that catches ${name}`);
    assert.ok(said.length > 10 && seconds > 0, said);
  }
});

test("a change that is no fault is caught neither by a check that holds nor by one that fails on the sound core too", async () => {
  const step = (program: string): Step => ({ check: "made up", args: ["-e", program] });
  const none: Mutant = {
    name: "none",
    edits: [{ file: "mem/lock/lock.ts", from: "Not fair.", to: "Not fair!" }],
    caughtBy: [step("console.log('ok')"), step("throw new Error('always')"), step("throw new Error('names: none')")],
  };
  const { ok, failures, results } = await run({ seed: 1, mutants: [none] });
  assert.equal(ok, false);
  assert.match(defined(failures[0], "failure").message, /not caught: none/);
  const said = defined(results[0], "result").tried.map((tried) => tried.said);
  assert.equal(said.length, 3);
  assert.equal(said[0], "holds");
  assert.match(said[1] ?? "", /^fails on the sound core too: .*always/);
  assert.match(said[2] ?? "", /names: none/);
  const table = document(results, { command: "make", all: ["none", "another"], notPlanted: { 7: "there is none" } });
  assert.match(table, /## Not caught\n\n.*\n.*\n\| none \|/);
  assert.match(table, /## Not run\n\n.*1 of the 2 faults.*\n\n- another\n/);
  assert.match(table, /- 7: there is none/);
});

test("an edit of a package's source is compiled in the copy, and taken out before the next one", async () => {
  const file = "packages/threadfs/src/bridge/options.ts";
  const program =
    'import("./packages/threadfs/dist/src/bridge/options.js").then(({ flagOption }) => { if (flagOption(false, "x")) throw new Error("false is true"); })';
  const caughtBy: Step[] = [{ check: "made up", args: ["-e", program] }];
  const edit = (from: string, to: string) => [{ file, from, to }];
  const mutants: Mutant[] = [
    { name: "fault", edits: edit("return value === true;", "return value !== true;"), caughtBy },
    { name: "none", edits: edit("An option that is true, false", "An option that is false, true"), caughtBy },
    { name: "wrong", edits: edit("return value === true;", "return value;"), caughtBy },
  ];
  const { ok, results } = await run({ seed: 1, mutants });
  const resultOf = (name: string) => results.find((result) => result.name === name);
  assert.match(resultOf("fault")?.caught?.said ?? "", /false is true/);
  assert.equal(resultOf("none")?.caught, null);
  assert.equal(ok, false);
  const said = defined(resultOf("wrong")?.tried[0], "try").said;
  assert.match(said, /packages\/threadfs does not compile: .*TS2322/, "and the run goes on");
});

test("the report has one line of what a check printed", () => {
  const said = (output: string, more: Partial<Ended> = {}) => firstLine({ output, code: 1, late: false, ...more });
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
