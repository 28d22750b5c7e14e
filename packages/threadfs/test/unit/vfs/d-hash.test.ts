/**
 * The hash table of dentries: it grows one bucket at a time under lookups that take no lock. A lookup never misses a name that
 * exists and never finds one that does not, and chains do not get longer.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  G_HASH_COUNT,
  G_HASH_N,
  G_HASH_SEQ,
  G_RENAME_LOCK,
  G_SPLIT_LOCK,
  H_BUCKETS,
  SLOT_HASH_COUNT,
} from "../../../../verify/dist/arena/layout.js";
import { CHUNK, MAX_THREADS, POINT, SLOT_SIZE, SLOTS } from "../../../dist/abi/abi.js";
import { G_PAGE_USED, H_MAX_BUCKETS } from "../../../dist/generated/core-layout.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import { grown } from "../../support/counters.js";
import { treeFor } from "../../support/debug-tree.js";
import { type TestScope, when } from "../../support/hooked-vfs.js";
import { chainOf, dentryOf, memoryOf } from "../../support/memory.js";
import { checkHash, twinNames } from "../../support/name-hash.js";
import { during, startLoop } from "../../support/threads.js";

/** Splits with which a test disturbs one lookup: more than it tries before it locks them out. */
const SPLITS_MAX = 10;
/** The bit of a lock on which a thread sleeps. */
const WAITERS = 0x80000000;

/** Number of the bucket that a hash belongs to among n. */
function bucketOf(hash: number, n: number): number {
  const low = 2 ** (31 - Math.clz32(n));
  const bucket = hash % (2 * low);
  return bucket < n ? bucket : bucket % low;
}

/** A name, and before it in its chain the entry of another directory; `moved`: a split has led the chain of that entry elsewhere. */
async function splitUnder(t: TestScope) {
  const tree = await treeFor(t);
  const { vfs: walker } = tree;
  const writer = await tree.attach();
  const memory = memoryOf(walker);
  for (const dir of ["/a", "/b", "/w"]) walker.fs.mkdirSync(dir);
  const n = memory.word(G_HASH_N);
  const stays = (hash: number) => bucketOf(hash, n) === bucketOf(hash, 2 * n);
  const [inA, inB] = twinNames(walker, dentryOf(walker, "/a"), dentryOf(walker, "/b"), stays);
  const [behind, front] = [`/a/${inA}`, `/b/${inB}`];
  for (const path of [behind, front]) walker.fs.writeFileSync(path, "");
  const carrier = dentryOf(walker, front);
  const before = memory.next(carrier);
  return { walker, writer, memory, behind, carrier, moved: () => memory.next(carrier) !== before };
}

describe("the hash table while it splits", () => {
  // Fails when splitChain() assigns an entry by another bit, or marks a chain's end with another chain's number.
  test("after many splits every entry is in its own bucket, every chain ends as its own, and chains are short", async (t) => {
    const vfs = await createVfs({ maxBytes: 64 << 20 });
    t.after(() => vfs.close());
    for (let i = 0; i < 20_000; i++) vfs.fs.mkdirSync(`/dir-${i}`);
    const memory = memoryOf(vfs);
    const [n, buckets] = [memory.word(G_HASH_N), memory.word(H_BUCKETS)];
    let [entries, longest] = [0, 0];
    for (let b = 0; b < n; b++) {
      const { dentries, end } = chainOf(memory, memory.word(buckets + 4 * b));
      for (const dentry of dentries) assert.equal(bucketOf(memory.hash(dentry), n), b);
      const { length } = dentries;
      if (length > 0) assert.equal(end >>> 1, b, "the mark at the chain's end");
      entries += length;
      longest = Math.max(longest, length);
    }
    const part = memory.word(SLOTS + (vfs.threadSlot % MAX_THREADS) * SLOT_SIZE + SLOT_HASH_COUNT) | 0;
    assert.equal(entries, memory.word(G_HASH_COUNT) + part);
    assert.ok(entries >= 20_000 && entries <= n, `${entries} entries in ${n} buckets`);
    assert.ok(longest <= 16, `a chain of ${longest}`);
    // Of the chunks that are reserved for buckets, those that the table has grown into count as used.
    const chunks = (count: number) => Math.floor((count * 4) / CHUNK);
    const used = memory.word(G_PAGE_USED) - chunks(memory.word(H_MAX_BUCKETS)) + chunks(n);
    assert.ok(chunks(n) > 1);
    assert.equal(vfs.counters().chunksUsed, used);
  });

  // Fails when dLookupRcu() does not check the table's sequence: a split reversed the chain, and the walk fails with ENOENT.
  test("a reader that a split leaves at the end of a chain searches again", async (t) => {
    for (const mode of [0o755, 0o700]) {
      const tree = await treeFor(t);
      const { vfs: walker } = tree;
      const writer = await tree.attach();
      const memory = memoryOf(walker);
      for (const dir of ["/a", "/b", "/w"]) walker.fs.mkdirSync(dir, { mode });
      const n = memory.word(G_HASH_N);
      // A hash that stays in its bucket when that is split, so that the mark at the end does not tell the reader.
      const stays = (hash: number) => bucketOf(hash, n) === bucketOf(hash, 2 * n);
      const [inA, inB] = twinNames(walker, dentryOf(walker, "/a"), dentryOf(walker, "/b"), stays);
      const [behind, front] = [`/a/${inA}`, `/b/${inB}`];
      walker.fs.writeFileSync(behind, "behind");
      walker.fs.writeFileSync(front, "");
      checkHash(walker, "/a", inA);
      const carrier = dentryOf(walker, front);
      const next = () => memory.next(carrier);
      const before = next();
      assert.equal(before % 2, 0);
      let rounds = 0;
      const counts = grown(tree, () => {
        when(walker, POINT.SEQ_OPENED, carrier, () => {
          while (next() === before && rounds < 2000) writer.fs.mkdirSync(`/w/${rounds++}`);
        });
        assert.equal(walker.fs.existsSync(behind), true);
      });
      // From the carrier on there is now the end of the right chain, and no way to the other entry.
      const missed = dentryOf(walker, behind);
      const { dentries, end } = chainOf(memory, next());
      assert.equal(dentries.includes(missed), false, `after ${rounds} rounds`);
      assert.equal(end >>> 1, bucketOf(memory.hash(missed), n));
      assert.equal(counts.dropUncached, undefined);
    }
  });
});

describe("lookups with references while the hash table splits", () => {
  // Fails when dLookup() does not look at the table's sequence again: the name is made a second time.
  test("a creation that a split in another directory leaves at the end of a chain finds the name that exists", async (t) => {
    const { walker, writer, behind, carrier, moved } = await splitUnder(t);
    when(walker, POINT.CHAIN_NEXT, carrier, () => {
      for (let n = 0; !moved() && n < 2000; n++) writer.fs.mkdirSync(`/w/${n}`);
    });
    assert.throws(() => walker.fs.openSync(behind, "wx"), { code: "EEXIST" });
    assert.ok(moved(), "the split came between");
    assert.deepEqual(
      walker.fs.readdirSync("/a").map((name) => `/a/${name}`),
      [behind],
    );
  });

  // Fails when dLookup() locks out renames alone after its last try: splits could then disturb every further one.
  test("a creation that splits disturb again and again locks out renames and splits", async (t) => {
    const { walker, writer, behind, carrier, memory } = await splitUnder(t);
    walker.fs.unlinkSync(behind);
    const buckets = () => memory.word(G_HASH_N);
    let disturbed = 0;
    let made = 0;
    let grown: number | undefined;
    walker.each(POINT.CHAIN_NEXT, (dentry) => {
      // A lookup that never locks splits out would look again for as long as they come.
      if (dentry !== carrier || disturbed === SPLITS_MAX) return;
      const before = buckets();
      const locked = memory.word(G_SPLIT_LOCK) !== 0;
      for (let n = 0; n < 300 && buckets() === before; n++) writer.fs.mkdirSync(`/w/${made++}`);
      if (!locked) disturbed++;
      else {
        grown = buckets() - before;
        assert.notEqual(memory.word(G_RENAME_LOCK), 0);
      }
    });
    walker.fs.closeSync(walker.fs.openSync(behind, "wx"));
    walker.never();
    assert.ok(disturbed > 1, `${disturbed} splits`);
    assert.equal(grown, 0, "buckets that were split while the lookup had locked splits out");
  });
});

describe("lookups with references while other threads split and rename", () => {
  // Fails when dLookup() does not look at which chain it has ended in. One such miss shows nothing, because the walk looks again under i_mutex.
  test("a walk that renames elsewhere lead into other chains finds the name that exists", async (t) => {
    const tree = await treeFor(t);
    const { vfs: walker } = tree;
    const writer = await tree.attach();
    const memory = memoryOf(walker);
    for (const dir of ["/a", "/b", "/w"]) walker.fs.mkdirSync(dir);
    walker.fs.writeFileSync("/a/name", "");
    const chain = (path: string) => bucketOf(memory.hash(dentryOf(writer, path)), memory.word(G_HASH_N));
    const own = chain("/a/name");
    // Two names in front of it.
    const carriers = new Map<number, string>();
    for (let n = 0; carriers.size < 2; n++) {
      writer.fs.writeFileSync(`/b/${n}`, "");
      if (chain(`/b/${n}`) === own) carriers.set(dentryOf(writer, `/b/${n}`), `/b/${n}`);
      else writer.fs.unlinkSync(`/b/${n}`);
    }
    walker.walkMode({ ref: true });
    let moved = 0;
    walker.each(POINT.CHAIN_NEXT, (dentry) => {
      let path = carriers.get(dentry);
      if (path === undefined || !carriers.delete(dentry)) return;
      do {
        const next = `/w/${moved++}`;
        writer.fs.renameSync(path, next);
        path = next;
      } while (chain(path) === own);
    });
    assert.equal(walker.fs.existsSync("/a/name"), true);
    walker.never();
    assert.equal(carriers.size, 0, "both have been moved under the walk");
  });

  // Fails when dLookup() looks at the sequence of all renames: a rename elsewhere would make every miss look again.
  test("a creation is not disturbed by renames elsewhere", async (t) => {
    const { walker, writer, behind, carrier } = await splitUnder(t);
    walker.fs.unlinkSync(behind);
    writer.fs.writeFileSync("/w/from", "");
    let searches = 0;
    walker.each(POINT.CHAIN_NEXT, (dentry) => {
      if (dentry !== carrier) return;
      searches++;
      writer.fs.renameSync(searches % 2 === 1 ? "/w/from" : "/w/to", searches % 2 === 1 ? "/w/to" : "/w/from");
    });
    walker.fs.closeSync(walker.fs.openSync(behind, "wx"));
    walker.never();
    const undisturbed = searches;
    searches = 0;
    walker.fs.unlinkSync(behind);
    walker.each(POINT.CHAIN_NEXT, (dentry) => {
      if (dentry === carrier) searches++;
    });
    walker.fs.closeSync(walker.fs.openSync(behind, "wx"));
    walker.never();
    assert.equal(undisturbed, searches, "as many searches of the chain as without renames");
  });
  // Fails when split() does not make the table's sequence odd, and when dLookup() does not wait for the split at last: the walk reports
  // a miss in the middle of it, from a chain that is only half distributed.
  test("in the middle of a split a walk finds names that exist, and is sure of a miss only when the split has ended", async (t) => {
    const tree = await treeFor(t);
    const { vfs: walker } = tree;
    const memory = memoryOf(walker);
    for (const dir of ["/r", "/w"]) walker.fs.mkdirSync(dir);
    for (let i = 0; i < 100; i++) walker.fs.writeFileSync(`/r/${i}`, "");
    const makeDirectories = ({ fs }: Vfs) => {
      for (let i = 0; i < 600; i++) fs.mkdirSync(`/w/${i}`);
    };
    const looker = await tree.parked(({ fs }) => fs.existsSync("/r/none"), POINT.WALK_START);
    const maker = await tree.parked(makeDirectories, POINT.SPLIT);
    const odd = memory.word(G_HASH_SEQ);
    assert.equal(odd % 2, 1, "the sequence of the table");
    const hits = grown(tree, () => {
      for (let i = 0; i < 100; i += 7) assert.equal(walker.fs.existsSync(`/r/${i}`), true);
    });
    assert.equal(hits.endedRcu, 15);
    const missed = looker.release();
    let isSure = false;
    missed.finally(() => {
      isSure = true;
    });
    while ((memory.word(G_SPLIT_LOCK) & WAITERS) === 0) {
      assert.ok(!isSure, "the walk waits for the split");
      assert.equal(memory.word(G_HASH_SEQ), odd, "the split goes on");
      await setTimeout(1);
    }
    await maker.release();
    assert.deepEqual(await missed, { value: false });
  });
});

describe("the chains of the hash table", () => {
  // Fails when hashInsert() publishes a dentry before its `next` leads on: all names behind it are gone for that long.
  test("while an entry enters its chain the names behind it are found, in both modes", async (t) => {
    for (const ref of [false, true]) {
      const tree = await treeFor(t);
      const { vfs: walker } = tree;
      const writer = await tree.attach();
      for (const dir of ["/a", "/b"]) walker.fs.mkdirSync(dir);
      const [inA, inB] = twinNames(walker, dentryOf(walker, "/a"), dentryOf(walker, "/b"));
      walker.fs.writeFileSync(`/a/${inA}`, "");
      walker.walkMode({ ref });
      let found: boolean | undefined;
      writer.at(POINT.HASHED, () => {
        found = walker.fs.existsSync(`/a/${inA}`);
      });
      writer.fs.writeFileSync(`/b/${inB}`, "");
      assert.equal(found, true);
    }
  });

  // Fails when a dentry that leaves its chain loses its next: the walk takes that for the chain's end and fails with ENOENT.
  test("a walk at an entry that is removed goes on along the entry's chain", async (t) => {
    for (const mode of [0o755, 0o700]) {
      const tree = await treeFor(t);
      const { vfs: walker } = tree;
      const writer = await tree.attach();
      for (const dir of ["/a", "/b"]) walker.fs.mkdirSync(dir, { mode });
      const [inA, inB] = twinNames(walker, dentryOf(walker, "/a"), dentryOf(walker, "/b"));
      const [behind, front] = [`/a/${inA}`, `/b/${inB}`];
      // The later entry is the first of the chain.
      for (const path of [behind, front]) walker.fs.writeFileSync(path, "");
      let removed = 0;
      when(walker, POINT.SEQ_OPENED, dentryOf(walker, front), () => {
        writer.fs.unlinkSync(front);
        removed++;
      });
      assert.equal(walker.fs.existsSync(behind), true);
      assert.equal(removed, 1);
    }
  });
});

describe("the hash table beside writers, and in other trees", () => {
  // By chance what the two tests above force. Fails when splitChain() puts an entry into another bucket than its own.
  test("lookups beside a thread that makes thousands of names never miss a name and never find one that does not exist", async (t) => {
    const vfs = await createVfs({ maxBytes: 128 << 20 });
    t.after(() => vfs.close());
    for (const dir of ["/r", "/w", "/p"]) vfs.fs.mkdirSync(dir);
    vfs.fs.chmodSync("/p", 0o700);
    for (const dir of ["/r", "/p"]) for (let i = 0; i < 300; i++) vfs.fs.writeFileSync(`${dir}/${i}`, "");
    const before = vfs.counters();
    const makeDirectories = ({ fs }: Vfs, round: number) => {
      for (let i = 0; i < 100; i++) fs.mkdirSync(`/w/${round}-${i}`);
    };
    const maker = await startLoop(t, vfs, makeDirectories, 1000);
    const rounds = during(1200, maker, (i) => {
      const dir = i & 1 ? "/r" : "/p";
      assert.equal(vfs.fs.existsSync(`${dir}/${i % 300}`), true);
      assert.equal(vfs.fs.existsSync(`${dir}/none-${i % 300}`), false);
    });
    await maker.stop();
    const { hashSplits, endedRcu } = vfs.counters();
    assert.ok(hashSplits - before.hashSplits >= 100, `${hashSplits} splits`);
    assert.ok(endedRcu - before.endedRcu > rounds, "most of them stayed in rcu mode");
  });

  // Fails when the keys of the hash are the same in every tree, and when the directory is left out of the hash (hashInParent()).
  test("row 116: the same name has another hash in every tree, and in every directory", async (t) => {
    const hashes = new Set<number>();
    for (let i = 0; i < 4; i++) {
      const { vfs } = await treeFor(t);
      vfs.fs.writeFileSync("/name", "");
      hashes.add(memoryOf(vfs).hash(dentryOf(vfs, "/name")));
    }
    assert.ok(hashes.size > 1);
    const { vfs } = await treeFor(t);
    hashes.clear();
    for (const dir of ["/a", "/b", "/c", "/d"]) {
      vfs.fs.mkdirSync(dir);
      vfs.fs.writeFileSync(`${dir}/name`, "");
      hashes.add(memoryOf(vfs).hash(dentryOf(vfs, `${dir}/name`)));
      checkHash(vfs, dir, "name");
    }
    assert.equal(hashes.size, 4);
  });
});
