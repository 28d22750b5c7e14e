/** The short form of the search for data races, the clocks by themselves, and a planted race. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { makePlain } from "../../dist/binary/binary-faults.js";
import type { Site } from "../../dist/binary/instrument.js";
import { explore } from "../../dist/explore/explore.js";
import { coreProgram } from "../../dist/machine/program.js";
import { VectorClocks } from "../../dist/machine/vector-clocks.js";
import { ALLOWED } from "../../dist/races/allowed-races.js";
import { run } from "../../dist/races/races.js";
import { defined } from "../../dist/support/defined.js";
import { calls, machineOf } from "../machine/small-programs.js";

/** Publishes the word at 128 by a flag at 64, in three ways; `take` reads it when the flag is set, `locked` adds to it under a lock. */
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

/** Explores two calls; returns the addresses that race. */
function racesOf(...names: string[]): number[] {
  const machine = machineOf(PUBLISH);
  const clocks = new VectorClocks(machine);
  machine.races = clocks;
  const { complete } = explore(
    machine,
    names.map((name) => calls([name])),
    { bound: 3, judge: () => null },
  );
  assert.ok(complete);
  return [...clocks.races.values()].map(({ address }) => address).sort();
}

test("a write before an atomic flag is ordered; a write after it or before a plain flag races", () => {
  assert.deepEqual(racesOf("publish", "take"), []);
  assert.deepEqual([...new Set(racesOf("publishFirst", "take"))], [128]);
  assert.deepEqual([...new Set(racesOf("publishPlain", "take"))].sort(), [128, 64]);
});

test("a lock orders the accesses under it", () => {
  assert.deepEqual(racesOf("locked", "locked"), []);
});

test("adjacent bytes do not race, a byte and a word around it do, atomic accesses do not", () => {
  assert.deepEqual(racesOf("low", "high"), []);
  assert.deepEqual([...new Set(racesOf("low", "wide"))], [128]);
  assert.deepEqual([...new Set(racesOf("low", "both"))], [128]);
  assert.deepEqual(racesOf("both", "both"), []);
});

// Of a float made from an integer that was loaded atomically the compiler makes a plain load.
test("no access that is atomic in the source is a plain float access in the binary", () => {
  let floats: Site[] = [];
  coreProgram((_bytes: Uint8Array, sites: Site[]) => {
    floats = sites.filter(({ line, op }) => line.startsWith("core/") && /^f(?:32|64)\./.test(op));
  });
  const textOf = (line: string) => {
    const [file, number] = line.split(":");
    const text = readFileSync(new URL(`../../../threadfs/${file}`, import.meta.url), "utf8");
    return defined(text.split("\n")[Number(number) - 1], line);
  };
  assert.ok(floats.length > 10, `${floats.length} accesses`);
  assert.deepEqual(
    floats.map(({ line }) => line).filter((line) => textOf(line).includes("atomic.")),
    [],
  );
});

test("in the shipping core only the listed accesses race, and each of them does", async () => {
  const { ok, explored, failures } = await run({ seed: 1, short: true });
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.equal(explored["named in the list"], `${ALLOWED.length} of ${ALLOWED.length} entries met`);
});

test("an atomic store of a sequence that is made plain is a race, and an entry of the list that nothing meets is an error", async () => {
  const program = coreProgram((bytes: Uint8Array, sites: Site[]) => {
    const stores = sites.filter(
      (s) =>
        s.func === "writeSeqBegin" && s.line.startsWith("core/mem/lock/seqlock.ts") && s.kind === "store" && s.atomic,
    );
    for (const site of stores) makePlain(bytes, site);
  });
  const unmet = {
    func: "core/mem/hash.ts hashName",
    field: "G_EPOCH",
    why: "",
    witness: defined(ALLOWED[0], "entry").witness,
  };
  // Those whose operations change names.
  const walks = ALLOWED.filter(({ func }) => func.startsWith("core/vfs/walk/")).slice(0, 3);
  const { ok, failures } = await run({ seed: 1, short: true }, program, [...walks, unmet]);
  assert.equal(ok, false);
  assert.ok(
    failures.some(({ message }) => /dentry \.seq: .*plain write in core\/mem\/lock\/seqlock\.ts/.test(message)),
  );
  assert.ok(failures.some(({ message }) => message === "named, but never met: core/mem/hash.ts hashName, G_EPOCH"));
});
