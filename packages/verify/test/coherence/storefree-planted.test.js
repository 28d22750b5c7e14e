import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { shippingCore } from "../../dist/binary/core.js";
import { instrument, plantStore } from "../../dist/binary/instrument.js";
import { symbolsOf } from "../../dist/binary/symbols.js";
import { measure } from "../../dist/coherence/storefree.js";

const SHIPPING = readFileSync(new URL("../../../threadfs/dist/core.wasm", import.meta.url));

/** A table of cases on a core with one more store in it. */
function planted(where) {
  const { bytes, names } = plantStore(SHIPPING, where, symbolsOf(SHIPPING));
  return measure(instrument(bytes, { accesses: true, names }), { tables: ["directories.js"] });
}

/** Accesses of dentries, inodes and contexts on the way of a walk in rcu mode; `at`: a word of the same object. */
const PLANTS = {
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
  "permission, to the inode": { func: "loadAttr", op: "i32.atomic.load", at: 72 },
  "attributes, to the inode": { func: "vfsGetattr", op: "i32.atomic.load", at: 0, add: true },
  "the start, to the context": { func: "pathInit", op: "i64.atomic.load", at: 0 },
};

for (const [name, where] of Object.entries(PLANTS)) {
  test(`a store planted in ${name} is caught`, async () => {
    const { tally, differing } = await planted(where);
    assert.deepEqual(differing, [], "the planted store changes no answer");
    assert.ok(tally.failed > 0);
    assert.match(tally.failures[0].message, new RegExp(`(store|rmw\\.add) at \\d+ in ${where.func} \\(core/`));
  });
}

test("a store planted where references are taken is none of the rcu-walk's", async () => {
  const { tally } = await planted({ func: "legitimizeDentry", op: "i32.load", at: 0 });
  assert.equal(tally.failed, 0);
  assert.ok(tally.parts.left > 0);
});

test("a planted store leaves the rest of the binary as it was", () => {
  const names = symbolsOf(SHIPPING);
  const plain = shippingCore({ accesses: true });
  const planted = plantStore(SHIPPING, PLANTS["the start, to the context"], names);
  const { sites } = instrument(planted.bytes, { accesses: true, names: planted.names });
  const others = sites.filter(({ func }) => func !== "pathInit");
  const want = plain.sites.filter(({ func }) => func !== "pathInit");
  const what = ({ func, op, line }) => [func, op, line];
  assert.deepEqual(others.map(what), want.map(what));
  assert.equal(sites.length, plain.sites.length + 2);
  assert.throws(() => plantStore(SHIPPING, { func: "rcuWalk", op: "f32.load", at: 0 }, names), /no f32\.load/);
});
