import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { shippingCore } from "../../dist/binary/core.js";
import { instrument, type PlantedStore, plantStore, type Site } from "../../dist/binary/instrument.js";
import { symbolsOf } from "../../dist/binary/symbols.js";
import { measure } from "../../dist/coherence/storefree.js";
import { defined } from "../../dist/support/defined.js";

const SHIPPING = readFileSync(new URL("../../../threadfs/dist/core.wasm", import.meta.url));

/** A table of cases on a core with one more store in it. */
function planted(where: PlantedStore) {
  const { bytes, names } = plantStore(SHIPPING, where, symbolsOf(SHIPPING));
  return measure(instrument(bytes, { accesses: true, names }), { tables: ["directories.js"] });
}

const START: PlantedStore = { func: "pathInit", op: "i64.atomic.load", at: 0 };
/** Accesses to dentries, inodes and contexts during a walk in rcu mode; `at`: a word of the same object. */
const PLANTS: Record<string, PlantedStore> = {
  "the hot path, to the dentry found": { func: "rcuWalk", op: "i64.atomic.load", at: 112 },
  "the hot path, to the dentry found, an atomic addition": {
    func: "rcuWalk",
    op: "i64.atomic.load",
    at: 64,
    add: true,
  },
  "the lookup of the general walk, to the dentry compared": {
    func: "matchRcu",
    op: "i32.atomic.load",
    at: 64,
    add: true,
  },
  "permission, to the inode": { func: "checkAttr", op: "i32.atomic.load", at: 72 },
  "attributes, to the inode": { func: "vfsGetattr", op: "i32.atomic.load", at: 0, add: true },
  "the start, to the context": START,
};

for (const [name, where] of Object.entries(PLANTS)) {
  test(`a store planted in ${name} is caught`, async () => {
    const { tally, differing } = await planted(where);
    assert.deepEqual(differing, [], "the planted store changes no result");
    assert.ok(tally.failed > 0);
    assert.match(
      defined(tally.failures[0], "failure").message,
      new RegExp(`(store|rmw\\.add) at \\d+ in ${where.func} \\(core/`),
    );
  });
}

test("a store planted where references are taken is no store of the rcu-walk", async () => {
  const { tally } = await planted({ func: "legitimizeDentry", op: "i32.load", at: 0 });
  assert.equal(tally.failed, 0);
  assert.ok(tally.parts.left > 0);
});

test("planting a store changes nothing else in the binary", () => {
  const names = symbolsOf(SHIPPING);
  const plain = shippingCore({ accesses: true });
  const planted = plantStore(SHIPPING, START, names);
  const { sites } = instrument(planted.bytes, { accesses: true, names: planted.names });
  const others = sites.filter(({ func }) => func !== "pathInit");
  const want = plain.sites.filter(({ func }) => func !== "pathInit");
  const what = ({ func, op, line }: Site) => [func, op, line];
  assert.deepEqual(others.map(what), want.map(what));
  assert.equal(sites.length, plain.sites.length + 2);
  assert.throws(() => plantStore(SHIPPING, { func: "rcuWalk", op: "f32.load", at: 0 }, names), /no f32\.load/);
});
