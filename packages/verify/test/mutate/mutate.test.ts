/** Mutations by chance: the operators on a small source, the order of a seed, and the table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { applyEdits, coreSources, type Edit, isCoreEdit } from "../../dist/binary/mutant.js";
import { EQUIVALENT, nameWithoutLine } from "../../dist/mutate/equivalent.js";
import { allMutations, mutantOf, mutants } from "../../dist/mutate/mutate.js";
import { editOf, inTurn, type Mutation, mutationsOf } from "../../dist/mutate/operators.js";
import { mutationTable, partsOf } from "../../dist/mutate/report.js";
import { stagesFor } from "../../dist/mutate/stages.js";
import { MUTANTS } from "../../dist/planted/faults.js";
import { elementAt } from "../../dist/support/defined.js";

const SOURCE = `import { put32 } from "./log";
/** if (a < b) return; */
const TRIES: i32 = 7;
export function f(d: Dentry, a: i32): void {
  if (a < TRIES) return;
  if (a == 2) lock(d.lockref);
  else unlock(d.lockref);
  put32(d.at, 3);
  d.next = 0;
  dput(d);
  atomic.notify(d.at, 1);
  tracepoint(POINT.KILL, d.at, 5);
}
`;

const applied = (mutation: Mutation): string => {
  const { from, to } = editOf(mutation, SOURCE);
  assert.equal(SOURCE.split(from).length, 2, `once: ${from}`);
  return SOURCE.replace(from, () => to);
};

test("each operator changes what it names, and neither comments, imports nor tracepoints", () => {
  const changed = mutationsOf("f.ts", SOURCE).map((mutation) => {
    const lines = applied(mutation).split("\n");
    const at = SOURCE.split("\n").findIndex((line, n) => line !== lines[n]);
    return `${mutation.operator}: ${lines[at]?.trim()}`;
  });
  assert.deepEqual(changed.sort(), [
    "drop a check: {}",
    "drop a put: 0;",
    "drop a put: else 0;",
    "off by one: atomic.notify(d.at, 2);",
    "off by one: const TRIES: i32 = 8;",
    "off by one: if (a == 3) lock(d.lockref);",
    "off by one: put32(d.at, 4);",
    "skip a wake-up: 0;",
    "skip an undo-log entry: atomic.store<u32>(d.at, 3);",
    "swap two stores: d.next = 0;",
    "weaken a compare: if (a <= TRIES) return;",
    "weaken a compare: if (true) lock(d.lockref);",
  ]);
});

const SOURCES = coreSources();
const ALL = allMutations(SOURCES).map((mutation) => mutantOf(mutation, SOURCES));

test("every mutation of the core fits its source, makes another one, and has a name of its own, also when lines move", () => {
  assert.ok(ALL.length > 1000, `${ALL.length} mutations`);
  assert.equal(new Set(ALL.map(({ name }) => nameWithoutLine(name))).size, ALL.length);
  for (const { name, edits } of ALL) {
    const edited = applyEdits(SOURCES, edits);
    assert.ok(
      [...edited].some(([file, text]) => SOURCES.get(file) !== text),
      name,
    );
    const { operator, place, change } = partsOf(name);
    assert.equal(`${operator}, ${place}: ${change}`, name);
  }
});

test("every mutation that is called equivalent is one of the present core, and no planted fault", () => {
  const names = new Map(ALL.map((mutant) => [nameWithoutLine(mutant.name), mutant]));
  const sources = (edits: Edit[]) => JSON.stringify([...applyEdits(SOURCES, edits.filter(isCoreEdit))]);
  const planted = new Set(MUTANTS.map(({ edits }) => sources(edits)));
  for (const [name, why] of Object.entries(EQUIVALENT)) {
    const mutant = names.get(name);
    assert.ok(mutant, `the core has no such mutation any more, judge it again: ${name}`);
    assert.ok(!planted.has(sources(mutant.edits)), `planted as a fault: ${name}`);
    assert.match(why, /^\S.*[.]$/s, name);
  }
});

test("a short change is named with its line and its function, those that read the same with their number", () => {
  const text = "function f(a: i32): void {\n  if (a > 1) g(1);\n  g(1);\n  g(1);\n}\n";
  const named = mutationsOf("f.ts", text)
    .filter(({ operator }) => operator === "off by one")
    .map(({ within, change }) => `${within}: ${change}`);
  assert.deepEqual(named, [
    "f: if (a > [1 -> 2]) g(1);",
    "f: if (a > 1) g([1 -> 2]);",
    "f: g([1 -> 2]); (1 of 2)",
    "f: g([1 -> 2]); (2 of 2)",
  ]);
});

test("the order takes one mutation of each operator in turn, and all of them once", () => {
  const all = mutationsOf("f.ts", SOURCE);
  const order = inTurn(all, 1);
  assert.equal(new Set(order).size, all.length);
  const operators = new Set(all.map(({ operator }) => operator));
  assert.equal(new Set(order.slice(0, operators.size).map(({ operator }) => operator)).size, operators.size);
});

test("the order of a seed stays when other lines change, and another seed has another", () => {
  const order = (text: string, seed = 1) =>
    inTurn(mutationsOf("f.ts", text), seed)
      .filter(({ operator }) => operator === "off by one")
      .map(({ change }) => change);
  const longer = SOURCE.replace("import", "const OTHER: i32 = 5;\nimport");
  assert.deepEqual(
    order(longer).filter((change) => !change.includes("OTHER")),
    order(SOURCE),
  );
  assert.notDeepEqual(order(SOURCE, 2), order(SOURCE));
});

// Fails when a planted fault of a package, whose edits are none of the core, ends the run.
test("a round has the core's mutations in the order of its seed, without those that are planted", () => {
  const only = "sys/syscall.ts";
  const names = mutants({ seed: 1, only }).map(({ name }) => name);
  assert.ok(names.length > 10 && new Set(names).size === names.length, `${names.length} mutations`);
  assert.ok(names.every((name) => name.includes(only)));
  assert.deepEqual(
    mutants({ seed: 1, only }).map(({ name }) => name),
    names,
  );
  assert.notDeepEqual(
    mutants({ seed: 2, only }).map(({ name }) => name),
    names,
  );
});

test("each mutation meets all stages once, a likely one first", () => {
  const [vfs, undo] = ["vfs/file/file.ts", "mem/undo/log.ts"].map((file) =>
    stagesFor({ ...elementAt(mutationsOf(file, SOURCE), 0), operator: "off by one" }),
  );
  assert.ok(vfs && undo);
  assert.equal(vfs[0]?.check, "fsck, short");
  assert.equal(undo[0]?.check, "death, short");
  assert.deepEqual(new Set(undo), new Set(vfs));
  assert.equal(undo.length, vfs.length);
});

test("the table has what told a mutation, survivors, and what was not run; a file that is nowhere is an error", () => {
  const name = (n: number) => `drop a put, core/vfs/x.ts:${n}:3 f(): [dput(d) -> 0];`;
  const command = "node packages/verify/dist/main.js death --only x";
  const caught = { check: "death", seconds: 1, said: "a | b", command };
  const results = [
    { name: name(1), caught, tried: [] },
    { name: name(2), caught: null, tried: [] },
  ];
  const { text, document, ok } = mutationTable([1, 2, 3].map(name), results, { seed: 3, count: 4 });
  assert.equal(ok, false);
  assert.match(
    text,
    /Of 3 mutations of seed 3, 1 were told by a test or a check, 1 survive, 0 are equivalent, and 1 were not run/,
  );
  assert.match(text, /survives: drop a put, core\/vfs\/x\.ts:2:3/);
  assert.match(
    document,
    /\| drop a put \| core\/vfs\/x\.ts:1:3 f\(\) \| `\[dput\(d\) -> 0\];` \| `death --only x`: a \\\| b \|/,
  );
  assert.match(document, /:3:3 f\(\) .* \| not run \|/);
  assert.ok(mutationTable([name(1)], results, { seed: 3, count: 1 }).ok);
  assert.throws(() => allMutations(coreSources(), "none-such"), { code: "ERR_VERIFY_NO_MATCH" });
});
