/**
 * The hash table of dentries: it grows one bucket at a time under lookups that take no lock. No name that is there is ever
 * missed, none that is not is ever found, and chains do not get longer.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { POINT } from "../../../dist/abi/abi.js";
import { createVfs } from "../../../dist/src/index.js";
import { grown } from "../../support/counters.js";
import { debugTree } from "../../support/debug-tree.js";
import { when } from "../../support/hooked-vfs.js";
import { dentryOf, memoryOf } from "../../support/memory.js";
import { checkHash, twinNames } from "../../support/name-hash.js";
import { during, startLoop } from "../../support/threads.js";

const H_BUCKETS = 1040;
const G_HASH_N = 4096;
const G_HASH_COUNT = 4160;

/** Number of the bucket that a hash belongs to among n. */
function bucketOf(hash, n) {
  const low = 2 ** (31 - Math.clz32(n));
  const bucket = hash % (2 * low);
  return bucket < n ? bucket : bucket % low;
}

describe("hash table", () => {
  // Fails when splitChain() deals an entry out by another bit, or marks a chain's end with another chain's number.
  test("after many splits every entry is in its own bucket, every chain ends as its own, and chains are short", async (t) => {
    const vfs = await createVfs({ maxBytes: 64 << 20 });
    t.after(() => vfs.close());
    for (let i = 0; i < 20_000; i++) vfs.fs.mkdirSync(`/dir-${i}`);
    const mem = memoryOf(vfs);
    const [n, buckets] = [mem.word(G_HASH_N), mem.word(H_BUCKETS)];
    const words = new Uint32Array(vfs.handle.memory.buffer);
    let [entries, longest] = [0, 0];
    for (let b = 0; b < n; b++) {
      let length = 0;
      let p = words[(buckets >>> 2) + b];
      for (; p !== 0 && p % 2 === 0; p = words[(p + 24) >>> 2]) {
        assert.equal(bucketOf(words[(p + 8) >>> 2], n), b);
        length++;
      }
      if (length > 0) assert.equal(p >>> 1, b, "the mark at the chain's end");
      entries += length;
      longest = Math.max(longest, length);
    }
    assert.equal(entries, mem.word(G_HASH_COUNT));
    assert.ok(entries >= 20_000 && entries <= n, `${entries} entries in ${n} buckets`);
    assert.ok(longest <= 16, `a chain of ${longest}`);
  });

  // Fails when the table's sequence is not looked at by dLookupRcu(): a split turned the chain round, and the walk says ENOENT.
  test("a reader that a split leaves at the end of a chain looks again", async (t) => {
    for (const mode of [0o755, 0o700]) {
      const tree = await debugTree();
      t.after(() => tree.close());
      const { vfs: walker } = tree;
      const writer = await tree.attach();
      const mem = memoryOf(walker);
      for (const dir of ["/a", "/b", "/w"]) walker.fs.mkdirSync(dir, { mode });
      const n = mem.word(G_HASH_N);
      // Of a hash that stays in its bucket when that is split, so that the mark at the end does not tell.
      const stays = (hash) => bucketOf(hash, n) === bucketOf(hash, 2 * n);
      const [inA, inB] = twinNames(walker, dentryOf(walker, "/a"), dentryOf(walker, "/b"), stays);
      const [behind, front] = [`/a/${inA}`, `/b/${inB}`];
      walker.fs.writeFileSync(behind, "behind");
      walker.fs.writeFileSync(front, "");
      checkHash(walker, "/a", inA);
      const carrier = dentryOf(walker, front);
      const next = () => mem.word(carrier + 24);
      const before = next();
      assert.equal(before % 2, 0);
      let rounds = 0;
      const counts = grown(tree, () => {
        when(
          walker,
          POINT.SEQ_OPENED,
          (d) => d === carrier,
          () => {
            while (next() === before && rounds < 2000) writer.fs.mkdirSync(`/w/${rounds++}`);
          },
        );
        assert.equal(walker.fs.existsSync(behind), true);
      });
      // From the carrier on there is now the end of the right chain, and no way to the other.
      const missed = dentryOf(walker, behind);
      let p = next();
      for (; p % 2 === 0; p = mem.word(p + 24)) assert.notEqual(p, missed, `after ${rounds} rounds`);
      assert.equal(p >>> 1, bucketOf(mem.hash(missed), n));
      assert.equal(counts.dropUncached, undefined);
    }
  });

  // Fails when split() does not make the table's sequence odd: the miss is taken for an answer in the middle of it.
  test("in the middle of a split what is there is found, and what is not is looked for under the lock", async (t) => {
    const tree = await debugTree();
    t.after(() => tree.close());
    const { vfs: walker } = tree;
    const writer = await tree.attach();
    for (const dir of ["/r", "/w"]) walker.fs.mkdirSync(dir);
    for (let i = 0; i < 100; i++) walker.fs.writeFileSync(`/r/${i}`, "");
    let splits = 0;
    const look = () => {
      const counts = grown(tree, () => {
        for (let i = 0; i < 100; i += 7) assert.equal(walker.fs.existsSync(`/r/${i}`), true);
        assert.equal(walker.fs.existsSync(`/r/none-${splits}`), false);
      });
      assert.equal(counts.endedRcu, 15);
      assert.equal(counts.dropUncached, 1);
      splits++;
    };
    for (let i = 0; i < 600; i++) {
      if (i % 20 === 0) writer.at(POINT.SPLIT, look);
      writer.fs.mkdirSync(`/w/${i}`);
    }
    assert.ok(splits >= 10, `${splits} splits seen`);
  });

  // By chance what the two tests above force. Fails when splitChain() deals an entry out to a bucket that is not its own.
  test("lookups beside a thread that makes names by the thousand miss nothing and invent nothing", async (t) => {
    const vfs = await createVfs({ maxBytes: 128 << 20 });
    t.after(() => vfs.close());
    for (const dir of ["/r", "/w", "/p"]) vfs.fs.mkdirSync(dir);
    vfs.fs.chmodSync("/p", 0o700);
    for (const dir of ["/r", "/p"]) for (let i = 0; i < 300; i++) vfs.fs.writeFileSync(`${dir}/${i}`, "");
    const before = vfs.counters();
    const maker = await startLoop(
      t,
      vfs,
      "for (let i = 0; i < 100; i++) vfs.fs.mkdirSync('/w/' + round + '-' + i);",
      1000,
    );
    const rounds = during(1200, (i) => {
      const dir = i & 1 ? "/r" : "/p";
      assert.equal(vfs.fs.existsSync(`${dir}/${i % 300}`), true);
      assert.equal(vfs.fs.existsSync(`${dir}/none-${i % 300}`), false);
    });
    await maker.stop();
    const { hashSplits, endedRcu } = vfs.counters();
    assert.ok(hashSplits - before.hashSplits >= 100, `${hashSplits} splits`);
    assert.ok(endedRcu - before.endedRcu > rounds, "and most of them stayed in rcu mode");
  });

  // Fails when the keys of the hash are the same in every tree.
  test("the same name has another hash in every tree", async (t) => {
    const hashes = new Set();
    for (let i = 0; i < 4; i++) {
      const tree = await debugTree();
      t.after(() => tree.close());
      tree.vfs.fs.writeFileSync("/name", "");
      hashes.add(memoryOf(tree.vfs).hash(dentryOf(tree.vfs, "/name")));
    }
    assert.ok(hashes.size > 1);
  });
});
