/** Mutations by chance: the operators on a small source, the order of a seed, and the table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { applyEdits, coreSources } from "../../dist/binary/mutant.js";
import { allMutations, mutantOf } from "../../dist/mutate/mutate.js";
import { editOf, inTurn, type Mutation, mutationsOf } from "../../dist/mutate/operators.js";
import { mutationTable } from "../../dist/mutate/report.js";

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

test("every mutation of the core fits its source, makes another one, and has a name of its own", () => {
  const sources = coreSources();
  const all = allMutations(sources);
  assert.ok(all.length > 1000, `${all.length} mutations`);
  const mutants = all.map((mutation) => mutantOf(mutation, sources));
  assert.equal(new Set(mutants.map(({ name }) => name)).size, all.length);
  for (const { name, edits } of mutants) {
    const edited = applyEdits(sources, edits);
    assert.ok(
      [...edited].some(([file, text]) => sources.get(file) !== text),
      name,
    );
  }
});

test("the order takes one mutation of each operator in turn, and all of them once", () => {
  const all = mutationsOf("f.ts", SOURCE);
  const order = inTurn(all, (list) => list);
  assert.equal(new Set(order).size, all.length);
  const operators = new Set(all.map(({ operator }) => operator));
  assert.equal(new Set(order.slice(0, operators.size).map(({ operator }) => operator)).size, operators.size);
});

test("the table has survivors and what told the others; a file that is nowhere is an error", () => {
  const name = "drop a put, core/vfs/x.ts:12:3: dput(d) -> {}";
  const caught = { check: "tests", seconds: 1, said: "a | b", command: "node" };
  const { text, document, survivors } = mutationTable(
    [
      { name, caught, tried: [] },
      { name: name.replace("12", "13"), caught: null, tried: [] },
    ],
    { seed: 3, asked: 4 },
  );
  assert.equal(survivors, 1);
  assert.match(text, /2 of 4 mutations of seed 3 were run: 1 were told, 1 survive/);
  assert.match(text, /survives: drop a put, core\/vfs\/x\.ts:13:3/);
  assert.match(document, /\| drop a put \| core\/vfs\/x\.ts:12:3 \| `dput\(d\) -> \{\}` \| tests: a \\\| b \|/);
  assert.throws(() => allMutations(coreSources(), "none-such"), { code: "ERR_VERIFY_NO_MATCH" });
});
