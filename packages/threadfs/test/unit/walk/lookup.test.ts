/**
 * The lookup of a name (rows 13 to 22), in the three forms that the core has: the quick walk over plain directories, the general
 * one in rcu mode (here: over directories of mode 0700), and the locked one of ref mode.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { POINT } from "../../../dist/abi/abi.js";
import { createVfs, type Driver, type Vfs } from "../../../dist/src/index.js";
import { grown } from "../../support/counters.js";
import { debugTree } from "../../support/debug-tree.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { refused } from "../../support/errors.js";
import { type TestScope, when } from "../../support/hooked-vfs.js";
import { type Scene, scene } from "../../support/interleavings.js";
import { dentryOf, memoryOf } from "../../support/memory.js";
import { checkHash, hashOf, twinHashes, twinNames } from "../../support/name-hash.js";
import { during, startRenaming } from "../../support/threads.js";

const LONG = "l".repeat(200);
const FORMS = ["quick", "general", "locked"] as const;
type Form = (typeof FORMS)[number];

/** Calls `run` once for each form of lookup, with the directories set up for it. */
function inForms(walker: Vfs, directories: readonly string[], run: (form: Form) => void): void {
  for (const form of FORMS) {
    for (const path of directories) walker.fs.chmodSync(path, form === "general" ? 0o700 : 0o755);
    walker.walkMode({ ref: form === "locked" });
    run(form);
  }
  walker.walkMode({ ref: false });
}

/**
 * Two entries of different directories in one chain: `front`, which a lookup of `behind` meets first, has the same hash and
 * length. A chain grows at its head, so the entry made last stands in front.
 */
async function chainScene(t: TestScope): Promise<Scene & { behind: string; front: string; carrier: number }> {
  const s = await scene(t);
  const { walker } = s;
  for (const dir of ["/a", "/b"]) walker.fs.mkdirSync(dir);
  const [inA, inB] = twinNames(walker, dentryOf(walker, "/a"), dentryOf(walker, "/b"));
  const [behind, front] = [`/a/${inA}`, `/b/${inB}`];
  walker.fs.writeFileSync(behind, "behind");
  walker.fs.writeFileSync(front, "in front");
  checkHash(walker, "/a", inA);
  const carrier = dentryOf(walker, front);
  assert.equal(s.memory.hash(carrier), s.memory.hash(dentryOf(walker, behind)));
  return { ...s, behind, front, carrier };
}

/** A driver with two directories, 2 and 3, whose hash hook gives the name "x" one hash in both; "x" is node 12 or 13. */
async function sameNameScene(t: TestScope): Promise<Scene> {
  const s = await scene(t);
  const { walker } = s;
  /** The hash that every name has, by the number of its directory. */
  const hashes = new Map([[1, 1]]);
  const lookup: Driver["lookup"] = (dir, name) => {
    if (name === "x") return { ino: 10 + dir, mode: 0o100644 };
    return { ino: name === "a" ? 2 : 3, mode: 0o40755 };
  };
  walker.registerDriver({
    name: "one-hash",
    root: () => ({ ino: 1, mode: 0o40755 }),
    hash: (dir) => hashes.get(dir) ?? 0,
    lookup,
  });
  walker.fs.mkdirSync("/m");
  walker.mount(null, "/m", "one-hash");
  const [hashInA, hashInB] = twinHashes(walker, dentryOf(walker, "/m/a"), dentryOf(walker, "/m/b"));
  hashes.set(2, hashInA).set(3, hashInB);
  for (const path of ["/m/a/x", "/m/b/x"]) walker.fs.statSync(path);
  const [a, b] = [dentryOf(walker, "/m/a/x"), dentryOf(walker, "/m/b/x")];
  assert.notEqual(a, b);
  assert.equal(s.memory.hash(a), s.memory.hash(b), "one hash for both");
  return s;
}

describe("a lookup stores nothing, and opens few sequences (rows 13 and 14)", () => {
  // Fails when a lookup takes a reference, sets a flag of what it found or counts outside the thread's own slot.
  test("row 13: a walk in rcu mode stores nothing outside its own slot and scratch area", async (t) => {
    for (const build of ["debug", "shipping"]) {
      const tree = build === "debug" ? await debugTree() : undefined;
      const vfs = tree?.vfs ?? (await createVfs({ maxBytes: 64 << 20 }));
      t.after(() => (tree ?? vfs).close());
      const { fs } = vfs;
      for (const dir of ["/a", "/a/b", "/m", "/a/private"]) fs.mkdirSync(dir);
      vfs.mount(null, "/m", "tmpfs");
      fs.mkdirSync("/m/below");
      for (const file of ["/a/b/f", `/a/b/${LONG}`, "/m/below/f", "/a/private/f"]) fs.writeFileSync(file, "x");
      fs.chmodSync("/a/private", 0o700);
      const inB = vfs.context({ cwd: "/a/b" });
      const user = vfs.context({ uid: 1000, gid: 1000 });
      const walks = {
        root: [
          () => assert.equal(fs.statSync("/a/b/f").size, 1),
          () => assert.equal(fs.statSync(`/a/b/${LONG}`).size, 1),
          () => assert.equal(fs.existsSync("/a/b/none"), false),
          () => assert.equal(fs.existsSync(`/a/b/${LONG}none`), false),
          () => assert.equal(fs.statSync("/a/private/f").size, 1),
          () => assert.equal(fs.statSync("/a//b/./../b/f").size, 1),
          () => assert.equal(fs.statSync("/m/below/f").size, 1),
          () => assert.equal(fs.statSync("/m/below/../../a/b/f").size, 1),
          () => refused("ENOTDIR", () => fs.statSync("/a/b/f/x")),
        ],
        inB: [() => assert.equal(inB.fs.statSync("../b/f").size, 1), () => assert.equal(inB.fs.existsSync("g"), false)],
        user: [() => refused("EACCES", () => user.fs.accessSync("/a/private/f"))],
      };
      for (const [context, theirs] of Object.entries(walks)) {
        const before = vfs.counters();
        const memory = memoryOf(vfs).bytesWithout(vfs);
        for (const walk of theirs) walk();
        assert.equal(
          Buffer.compare(memory, memoryOf(vfs).bytesWithout(vfs)),
          0,
          `${build}, ${context}: a walk stored into shared memory`,
        );
        const { walks: made, endedRcu } = vfs.counters();
        assert.ok(made - before.walks >= theirs.length);
        assert.equal(endedRcu - before.endedRcu, made - before.walks, `${build}, ${context}: not all were in rcu mode`);
      }
    }
  });

  // Fails when the comparison of the hash before SEQ_OPENED is taken out of rcuWalk() or of dLookupRcu().
  test("row 14: a lookup opens the sequence of a dentry only if it has the hash of the name", async (t) => {
    const { walker } = await scene(t);
    walker.fs.mkdirSync("/d");
    const names = Array.from({ length: 180 }, (_, i) => `name-${i}`);
    for (const name of names) walker.fs.writeFileSync(`/d/${name}`, "");
    inForms(walker, ["/d"], (form) => {
      if (form === "locked") return;
      const directory = dentryOf(walker, "/d");
      const seen = walker.points(() => {
        for (const name of names) walker.fs.statSync(`/d/${name}`);
        for (const name of names) walker.fs.existsSync(`/d/not-${name}`);
      });
      const opened = seen.filter(([id, dentry]) => id === POINT.SEQ_OPENED && dentry !== directory);
      // 180 names in 256 chains do share chains.
      assert.equal(opened.length, names.length, form);
    });
  });
});

describe("entries that a lookup skips (row 15)", () => {
  // Fails when matchRcu() does not compare the parent: one of the two is found in the other's place.
  test("row 15: a lookup skips an entry of another directory with the same name and hash", async (t) => {
    const { tree, walker } = await sameNameScene(t);
    const counts = grown(tree, () => {
      assert.equal(walker.fs.statSync("/m/a/x").ino, 12);
      assert.equal(walker.fs.statSync("/m/b/x").ino, 13);
    });
    assert.deepEqual(counts, { walks: 2, endedRcu: 2 });
  });

  // Fails when rcuWalk() does not compare the parent (in the general walk the hash differs): a restart.
  test("row 15: a lookup skips an entry that went to another directory after its sequence was opened", async (t) => {
    const { tree, walker, writer } = await scene(t);
    for (const dir of ["/d", "/e"]) walker.fs.mkdirSync(dir);
    walker.fs.writeFileSync("/d/x", "");
    inForms(walker, ["/d"], (form) => {
      if (form === "locked") return;
      const dentry = dentryOf(walker, "/d/x");
      const counts = grown(tree, () => {
        when(walker, POINT.SEQ_OPENED, dentry, () => writer.fs.renameSync("/d/x", "/e/x"));
        assert.equal(walker.fs.existsSync("/d/x"), false);
      });
      assert.equal(counts.missesValidated, 1, form);
      assert.equal(counts.echildRestarts, undefined, form);
      walker.fs.renameSync("/e/x", "/d/x");
    });
  });

  // Fails when matchRcu() does not check D_UNHASHED: it finds the entry, and the walk has to start again.
  test("row 15: a lookup skips an entry that was unhashed after its sequence was opened", async (t) => {
    const { tree, walker, writer } = await scene(t);
    // A name that the hot path leaves to the general walk.
    const path = `/d/${LONG}`;
    walker.fs.mkdirSync("/d");
    walker.fs.writeFileSync(path, "");
    const dentry = dentryOf(walker, path);
    const fd = walker.fs.openSync(path, "r");
    const counts = grown(tree, () => {
      when(walker, POINT.SEQ_OPENED, dentry, () => writer.fs.unlinkSync(path));
      assert.equal(walker.fs.existsSync(path), false);
    });
    assert.equal(counts.missesValidated, 1);
    assert.equal(counts.echildRestarts, undefined);
    walker.fs.closeSync(fd);
  });
});

describe("names that change during a lookup (row 16)", () => {
  // Fails when matchRcu() follows the address of a long name before it checks the sequence: it takes a short name's bytes for
  // an address, far behind the end of the memory.
  test("row 16: a lookup reads length, name and inode of one state, or reads them again", async (t) => {
    const { tree, walker, writer } = await scene(t);
    walker.fs.mkdirSync("/d");
    walker.fs.writeFileSync(`/d/${LONG}`, "");
    const dentry = dentryOf(walker, `/d/${LONG}`);
    const counts = grown(tree, () => {
      when(walker, POINT.NAME_READ, dentry, () => writer.fs.renameSync(`/d/${LONG}`, "/d/zzzz"));
      assert.equal(walker.fs.existsSync(`/d/${LONG}`), false);
    });
    assert.equal(walker.waits(POINT.NAME_READ), false);
    assert.equal(counts.missesValidated, 1);
    assert.equal(counts.echildRestarts, undefined);
  });

  // The same by chance, in all forms. A fault shows, if at all, as an access out of bounds.
  test("row 16: lookups of a long and a short name that one file has in turn never read beyond the memory", async (t) => {
    const vfs = await createVfs({ maxBytes: 64 << 20 });
    t.after(() => vfs.close());
    vfs.fs.mkdirSync("/d");
    vfs.fs.writeFileSync("/d/zzzz", "");
    const { ino } = vfs.fs.statSync("/d/zzzz");
    const writer = await startRenaming(t, vfs, "/d/zzzz", `/d/${LONG}`);
    for (const ref of [false, true]) {
      vfs.walkMode({ ref });
      during(500, writer, (i) => {
        const found = vfs.fs.statSync(i & 1 ? `/d/${LONG}` : "/d/zzzz", { throwIfNoEntry: false });
        if (found !== undefined) assert.equal(found.ino, ino);
      });
    }
    assert.ok((await writer.stop()) > 10);
  });
});

describe("the comparison of names (row 17)", () => {
  // Fails when rcuWalk(), matchRcu() or dLookupLocked() takes equal hashes and lengths for equal names.
  test("row 17: a lookup distinguishes names of one hash and one length by their bytes", async (t) => {
    const { walker } = await scene(t);
    walker.fs.mkdirSync("/d");
    const parent = dentryOf(walker, "/d");
    const [one, two] = twinNames(walker, parent);
    assert.equal(hashOf(walker, parent, one), hashOf(walker, parent, two));
    walker.fs.writeFileSync(`/d/${one}`, "1");
    walker.fs.writeFileSync(`/d/${two}`, "22");
    checkHash(walker, "/d", one);
    inForms(walker, ["/d"], (form) => {
      assert.equal(walker.fs.statSync(`/d/${one}`).size, 1, form);
      assert.equal(walker.fs.statSync(`/d/${two}`).size, 2, form);
    });
  });

  // Fails when hashMask() and matchRcu() leave the length out: one name is found as another that begins with it.
  test("row 17: a lookup distinguishes names of one hash and different lengths", async (t) => {
    const { walker } = await scene(t);
    const names = ["ab", "abc", "abcd", "abd"];
    walker.registerDriver(objectDriver("one-hash", Object.fromEntries(names.map((n) => [n, n])), { hash: () => 7 }));
    walker.fs.mkdirSync("/m");
    walker.mount(null, "/m", "one-hash");
    for (const ref of [true, false]) {
      walker.walkMode({ ref });
      const inodes = names.map((name) => walker.fs.statSync(`/m/${name}`).ino);
      assert.equal(new Set(inodes).size, names.length);
      for (const none of ["a", "abcde", "ac"]) assert.equal(walker.fs.existsSync(`/m/${none}`), false);
    }
  });

  // Fails when matchRcu() calls the hook for a dentry without an inode, or does not call it at all.
  test("row 17: the compare hook gets both inodes and both names; for an entry without inode it is called in ref mode only", async (t) => {
    const { tree, walker, memory } = await scene(t);
    const slot = walker.threadSlot;
    const calls: [dir: number, node: number | null, cached: string, wanted: string, rcu: boolean][] = [];
    const asked: string[] = [];
    const driver = objectDriver(
      "no-case",
      { File: "text" },
      {
        hash: (_, name) => name.length,
        compare(dir, node, cached, wanted) {
          calls.push([dir, node, cached, wanted, memory.epoch(slot) !== 0]);
          return cached.toLowerCase() === wanted.toLowerCase();
        },
        lookup(_, name) {
          asked.push(name);
          return name.toLowerCase() === "file" ? { ino: 2, mode: 0o100644 } : null;
        },
      },
    );
    walker.registerDriver(driver);
    walker.fs.mkdirSync("/m");
    walker.mount(null, "/m", "no-case");
    walker.fs.statSync("/m/File");
    calls.length = 0;
    assert.equal(walker.fs.statSync("/m/FILE").ino, 2);
    assert.deepEqual(calls, [[1, 2, "File", "FILE", true]], "in rcu mode, with the inode it has");
    assert.deepEqual(asked, ["File"]);

    assert.equal(walker.fs.existsSync("/m/none"), false);
    calls.length = 0;
    const counts = grown(tree, () => assert.equal(walker.fs.existsSync("/m/NONE"), false));
    assert.equal(counts.dropUncached, 1);
    assert.deepEqual(
      calls.filter(([, node]) => node === null),
      [[1, null, "none", "NONE", false]],
    );
    assert.deepEqual(asked, ["File", "none"], "the negative entry is a match, and the driver's lookup is not called");
  });
});

describe("lookups beside a rename (rows 18 and 19)", () => {
  // Fails when finishRcu() does not check the last dentry, or, in the general walk, neither stepInto() nor checkRcu() does: the
  // walk finds a name that is gone.
  test("row 18: after the comparison of the names only the caller checks the sequence", async (t) => {
    const { walker, writer } = await scene(t);
    walker.fs.mkdirSync("/d");
    walker.fs.writeFileSync("/d/x", "");
    inForms(walker, ["/d"], (form) => {
      if (form === "locked") return;
      const dentry = dentryOf(walker, "/d/x");
      let seq = 0;
      const seen = walker.points(() => {
        when(walker, POINT.COMPARED, dentry, (_, s) => {
          seq = s;
          writer.fs.renameSync("/d/x", "/d/y");
        });
        assert.equal(walker.fs.existsSync("/d/x"), false);
      });
      const found = seen.findIndex(([id, d]) => id === POINT.FOUND && d === dentry);
      assert.equal(seen[found]?.[2], seq, "the caller gets it with the sequence of the comparison");
      assert.ok(seen.findIndex(([id]) => id === POINT.RESTART) > found, form);
      walker.fs.renameSync("/d/y", "/d/x");
    });
  });

  // Fails without the check of the chain's end mark in dLookupRcu(): the walk fails with ENOENT.
  test("row 19: a reader that a rename carries into another chain does not report a miss at that chain's end", async (t) => {
    const { tree, walker, writer, behind, front, carrier, memory } = await chainScene(t);
    walker.fs.mkdirSync("/c");
    const next = () => memory.next(carrier);
    inForms(walker, ["/a"], (form) => {
      if (form === "locked") return;
      const chain = next();
      let elsewhere = "";
      const counts = grown(tree, () => {
        when(walker, POINT.SEQ_OPENED, carrier, () => {
          // From one directory to another, neither of which the walk goes through.
          for (let from = front, name = "/c/elsewhere"; ; from = name, name += "2") {
            writer.fs.renameSync(from, name);
            elsewhere = name;
            // The key of the hash is random: the first name may be in the same chain.
            if (next() !== chain) break;
          }
        });
        assert.equal(walker.fs.existsSync(behind), true);
      });
      assert.equal(counts.dropUncached ?? counts.echildRestarts, undefined, `${form}: looked again, in rcu mode`);
      // Back to the front of its chain.
      walker.fs.renameSync(elsewhere, front);
    });
  });

  // Fails when dLookup() reports a miss without checking the rename sequence.
  test("row 19: the locked lookup does not miss a name that a rename hides for a moment", async (t) => {
    const { walker, behind, front } = await chainScene(t);
    walker.fs.mkdirSync("/c");
    const writer = await startRenaming(t, walker, front, "/c/away");
    walker.walkMode({ ref: true });
    let missed = 0;
    during(800, writer, () => {
      walker.at(POINT.LOCKED_LOOKUP, () => missed++);
      assert.equal(walker.fs.statSync(behind).size, "behind".length);
    });
    assert.ok((await writer.stop()) > 10);
    assert.equal(missed, 0, "the name was there all the time");
  });
});

describe("when the result of a lookup counts (rows 20 and 21)", () => {
  // Fails when rcuWalk() or lookupFast() does not check the parent's sequence after it found a child: the walk goes down from a
  // directory that had moved.
  test("row 20: the result of a lookup in a directory counts only if the directory's own sequence has not changed", async (t) => {
    for (const mode of [0o755, 0o700]) {
      for (const place of ["COMPARED", "COMPONENT"] as const) {
        const { tree, walker, writer } = await scene(t);
        for (const dir of ["/a", "/a/b"]) walker.fs.mkdirSync(dir, { mode });
        walker.fs.writeFileSync("/a/b/c", "was there");
        const b = dentryOf(walker, "/a/b");
        const counts = grown(tree, () => {
          when(walker, POINT[place], b, () => {
            writer.fs.renameSync("/a/b", "/moved");
            // This file never was /a/b/c.
            writer.fs.unlinkSync("/moved/c");
            writer.fs.writeFileSync("/moved/c", "never");
            writer.fs.mkdirSync("/a/b");
            writer.fs.writeFileSync("/a/b/c", "new");
          });
          assert.equal(walker.fs.statSync("/a/b/c").size, "new".length, `${place}, mode ${mode.toString(8)}`);
        });
        assert.equal(counts.echildRestarts, 1);
      }
    }
  });

  // Fails when legitimizeDentry() does not check the sequence once it has the reference: the removed file is opened.
  test("row 20: a reference on the result counts only if its sequence has not changed", async (t) => {
    const { tree, walker, writer, memory } = await scene(t);
    walker.fs.writeFileSync("/x", "old");
    const dentry = dentryOf(walker, "/x");
    let references = 0;
    when(walker, POINT.UNLAZY_HALF, dentry, () => {
      references = memory.count(dentry);
      writer.fs.unlinkSync("/x");
      writer.fs.writeFileSync("/x", "newer");
    });
    const counts = grown(tree, () => assert.equal(walker.fs.readFileSync("/x", "utf8"), "newer"));
    assert.equal(references, 2, "the tree's and the walk's");
    assert.equal(counts.dropFailed, 1);
    assert.equal(counts.echildRestarts, 1);
  });

  // Fails when one form is changed alone: another key for a word of the hash in rcuWalk(), a length at which bytesEqual() says no.
  test("row 21: the three forms of a lookup have the same results", async (t) => {
    const { tree, walker } = await scene(t);
    const names: string[] = [];
    for (let i = 1; i <= 255; i += i < 70 ? 1 : 37) names.push("n".repeat(i), `${"n".repeat(i - 1)}m`);
    walker.fs.mkdirSync("/d");
    walker.fs.mkdirSync("/d/sub");
    const present = [...new Set(names)].filter((_, i) => i % 3 !== 0);
    for (const name of present) walker.fs.writeFileSync(`/d/sub/${name}`, "");
    const results: { inodes: number[]; ended: number | undefined }[] = [];
    inForms(walker, ["/d", "/d/sub"], () => {
      const inodes: number[] = [];
      const counts = grown(tree, () => {
        for (const name of names) {
          inodes.push(walker.fs.statSync(`/d/sub/${name}`, { throwIfNoEntry: false })?.ino ?? 0);
        }
      });
      results.push({ inodes, ended: counts.endedRcu ?? counts.endedRef });
    });
    const [quick, general, locked] = results;
    assert.equal(new Set(quick?.inodes).size, present.length + 1);
    assert.deepEqual(general, quick);
    assert.deepEqual(locked, quick);
  });
});

describe("the locked lookup (row 22)", () => {
  // Fails when dLookupLocked() does not compare the parent, before the lock and under it.
  test("row 22: the locked lookup compares the parent under d_lock", async (t) => {
    const { tree, walker } = await sameNameScene(t);
    walker.walkMode({ ref: true });
    const counts = grown(tree, () => {
      assert.equal(walker.fs.statSync("/m/a/x").ino, 12);
      assert.equal(walker.fs.statSync("/m/b/x").ino, 13);
    });
    assert.deepEqual(counts, { walks: 2, endedRef: 2 });
  });

  // Fails when dLookupLocked() compares the hash alone, or takes no lock before it reads the name.
  test("row 22: the locked lookup compares the name under d_lock", async (t) => {
    const { walker, memory } = await scene(t);
    walker.fs.mkdirSync("/d");
    const [one, two] = twinNames(walker, dentryOf(walker, "/d"));
    walker.fs.writeFileSync(`/d/${one}`, "");
    checkHash(walker, "/d", one);
    const dentry = dentryOf(walker, `/d/${one}`);
    const { ino } = walker.fs.statSync(`/d/${one}`);
    walker.walkMode({ ref: true });
    assert.equal(walker.fs.existsSync(`/d/${two}`), false);
    let owner = 0;
    when(walker, POINT.NAME_READ, dentry, () => {
      owner = memory.lock(dentry);
    });
    walker.fs.statSync(`/d/${one}`);
    assert.equal(owner, walker.threadSlot + 1);
    // A thread renames the file from the one name to the other, both of one hash: at any moment one of the two exists, never both.
    const mover = await startRenaming(t, walker, `/d/${one}`, `/d/${two}`);
    during(300, mover, (i) => {
      const found = walker.fs.statSync(`/d/${i & 1 ? one : two}`, { throwIfNoEntry: false });
      if (found !== undefined) assert.equal(found.ino, ino);
    });
    assert.ok((await mover.stop()) > 10);
    assert.equal(memory.lock(dentryOf(walker, `/d/${one}`)), 0);
  });
});
