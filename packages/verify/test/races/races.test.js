/** The short form of the search for data races, the clocks by themselves, and a planted race. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { makePlain } from "../../dist/binary/binary-faults.js";
import { explore } from "../../dist/explore/explore.js";
import { coreProgram } from "../../dist/machine/program.js";
import { VectorClocks } from "../../dist/machine/vector-clocks.js";
import { ALLOWED } from "../../dist/races/allowed-races.js";
import { run } from "../../dist/races/races.js";
import { calls, machineOf } from "../machine/small-programs.js";

/** Publishes the word at 128 by a flag at 64, in four ways; `take` reads it when the flag is set, `lend` under a lock. */
const PUBLISH = `
  (func (export "publish") (result i32)
    (i32.store (i32.const 128) (i32.const 7))
    (i32.atomic.store (i32.const 64) (i32.const 1))
    (i32.const 0))
  (func (export "publishPlain") (result i32)
    (i32.store (i32.const 128) (i32.const 7))
    (i32.store (i32.const 64) (i32.const 1))
    (i32.const 0))
  (func (export "publishFirst") (result i32)
    (i32.atomic.store (i32.const 64) (i32.const 1))
    (i32.store (i32.const 128) (i32.const 7))
    (i32.const 0))
  (func (export "take") (result i32)
    (if (result i32) (i32.atomic.load (i32.const 64)) (then (i32.load (i32.const 128))) (else (i32.const -1))))
  (func (export "low") (result i32) (i32.store8 (i32.const 128) (i32.const 1)) (i32.const 0))
  (func (export "high") (result i32) (i32.store8 (i32.const 129) (i32.const 1)) (i32.const 0))
  (func (export "wide") (result i32) (i32.store16 (i32.const 128) (i32.const 1)) (i32.const 0))
  (func (export "both") (result i32) (i32.atomic.store (i32.const 128) (i32.const 1)) (i32.const 0))
  (func (export "locked") (result i32)
    (if (result i32) (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 64) (i32.const 0) (i32.const 1)))
      (then
        (i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 1)))
        (drop (i32.atomic.rmw.xchg (i32.const 64) (i32.const 0)))
        (i32.const 1))
      (else (i32.const 0))))`;

function racesOf(...names) {
  const machine = machineOf(PUBLISH);
  machine.races = new VectorClocks(machine);
  const { complete } = explore(
    machine,
    names.map((name) => calls([name])),
    { bound: 3, judge: () => null },
  );
  assert.ok(complete);
  return [...machine.races.races.values()].map(({ address }) => address).sort();
}

test("what an atomic flag publishes is ordered, what comes behind it or without it is not", () => {
  assert.deepEqual(racesOf("publish", "take"), []);
  assert.deepEqual([...new Set(racesOf("publishFirst", "take"))], [128]);
  assert.deepEqual([...new Set(racesOf("publishPlain", "take"))].sort(), [128, 64]);
});

test("a lock orders what is done under it", () => {
  assert.deepEqual(racesOf("locked", "locked"), []);
});

test("bytes side by side do not race, a byte and a word around it do, atomics do not", () => {
  assert.deepEqual(racesOf("low", "high"), []);
  assert.deepEqual([...new Set(racesOf("low", "wide"))], [128]);
  assert.deepEqual([...new Set(racesOf("low", "both"))], [128]);
  assert.deepEqual(racesOf("both", "both"), []);
});

// Of a float made from an integer that was loaded atomically the compiler makes a plain load.
test("nothing that the source loads or stores atomically is a float in the binary", () => {
  let floats = [];
  coreProgram((_bytes, sites) => {
    floats = sites.filter(({ line, op }) => line.startsWith("core/") && /^f(?:32|64)\./.test(op));
  });
  const textOf = ([file, number]) =>
    readFileSync(new URL(`../../../threadfs/${file}`, import.meta.url), "utf8").split("\n")[number - 1];
  assert.ok(floats.length > 10, `${floats.length} accesses`);
  assert.deepEqual(
    floats.map(({ line }) => line).filter((line) => textOf(line.split(":")).includes("atomic.")),
    [],
  );
});

test("in the shipping core only the named accesses race, and each of them does", async () => {
  const { ok, explored, failures } = await run({ seconds: 60, seed: 1, short: true, log: () => {} });
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.equal(explored["named in the list"], `${ALLOWED.length} of ${ALLOWED.length} entries met`);
});

test("planted: a sequence's atomic store made plain is a race, and an entry that nothing meets is an error", async () => {
  const program = coreProgram((bytes, sites) => {
    const stores = sites.filter(
      (s) =>
        s.func === "writeSeqBegin" && s.line.startsWith("core/mem/lock/seqlock.ts") && s.kind === "store" && s.atomic,
    );
    for (const site of stores) makePlain(bytes, site);
  });
  const unmet = { func: "core/mem/hash.ts hashName", field: "G_EPOCH", why: "", witness: ALLOWED[0].witness };
  const { ok, failures } = await run({ seconds: 60, seed: 1, short: true, log: () => {} }, program, [
    ...ALLOWED.slice(0, 3),
    unmet,
  ]);
  assert.equal(ok, false);
  assert.ok(
    failures.some(({ message }) => /dentry \.seq: .*plain write in core\/mem\/lock\/seqlock\.ts/.test(message)),
  );
  assert.ok(failures.some(({ message }) => message === "named, but never met: core/mem/hash.ts hashName, G_EPOCH"));
});
