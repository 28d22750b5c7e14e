/** Bugs that this algorithm has had, 24 and 25: operations on whole trees, and links. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDirents } from "../../../verify/dist/support/dirents.js";
import { POINT } from "../../dist/abi/abi.js";
import type { FsSync } from "../../dist/src/index.js";
import { counted } from "../support/counters.js";
import { objectDriver } from "../support/drivers/object-driver.js";
import { codeOf } from "../support/errors.js";
import { freshLink, makeOld, mountDriverAt, RACE_MS, setUp, shippedTree } from "../support/interleavings.js";
import { rawCore } from "../support/raw-core.js";
import { type ThreadBody, threads } from "../support/threads.js";

const build = (fs: FsSync): void => {
  for (const top of ["/left", "/right"])
    for (let i = 0; i < 5; i++) fs.mkdirSync(`${top}/d${i}/e`, { recursive: true });
  for (let i = 0; i < 5; i++) fs.writeFileSync(`/left/d${i}/e/f`, "x");
  fs.mkdirSync("/keep/d0", { recursive: true });
  fs.writeFileSync("/keep/d0/f", "x");
};

describe("bug 24: readdir while other threads move entries", () => {
  // Taken out: the comparison of the hint's parent in firstAfter(). Names of the other directory are returned.
  test("bug 24: readdir continues where it was when the entry that it returned last has moved to another directory", async (t) => {
    const { vfs, fs } = await setUp(t);
    const { core, ctx, arena, path } = rawCore(t, vfs.handle);
    const long = (name: number) => `${name}-${"n".repeat(200)}`;
    for (const dir of ["/d", "/e"]) fs.mkdirSync(dir);
    for (let i = 0; i < 600; i++) fs.writeFileSync(`/d/${long(i)}`, "");
    const fd = core.sysOpen(ctx, -100, path("/d"), 0, 0);
    assert.ok(fd >= 0);
    const next = () => {
      const end = core.sysGetdents(ctx, fd, 0, -1);
      return readDirents(arena.io, end).map(({ name }) => name);
    };
    const first = next();
    assert.ok(first.length > 10 && first.length < 600);
    // The entry with which the next call continues has the same position in its new directory as it had in the old one.
    for (let i = 1; i < first.length - 1; i++) fs.writeFileSync(`/e/before-${i}`, "");
    fs.renameSync(`/d/${first.at(-1)}`, "/e/moved");
    for (let i = 0; i < 1000; i++) fs.writeFileSync(`/e/wrong-${i}`, "");
    const seen = [...first];
    for (let more = next(); more.length > 0; more = next()) seen.push(...more);
    assert.deepEqual(
      seen,
      Array.from({ length: 600 }, (_, i) => long(i)),
    );
    assert.equal(core.sysClose(ctx, fd), 0);
  });

  test("bug 24: readdir returns each lasting name once, whatever moves meanwhile", async (t) => {
    const vfs = await shippedTree(t);
    build(vfs.fs);
    for (let i = 0; i < 300; i++) vfs.fs.writeFileSync(`/left/s${i}`, "");
    const mover: ThreadBody<unknown> = ({ fs }, _raw, running): number => {
      let n = 0;
      for (; running(); n++) {
        for (let i = 0; i < 5; i++) {
          fs.renameSync(`/left/d${i}`, `/right/x${i}`);
          fs.renameSync(`/right/x${i}`, `/left/d${i}`);
        }
        fs.writeFileSync("/left/come", "");
        fs.unlinkSync("/left/come");
      }
      return n;
    };
    const reader: ThreadBody<unknown> = ({ fs }, _raw, running): number => {
      let n = 0;
      const known = /^([sdx][0-9]+(\/e(\/f)?)?|come)$/;
      for (; running(); n++) {
        const names = fs.readdirSync("/left");
        if (new Set(names).size !== names.length) throw new Error(`twice: ${names}`);
        if (names.filter((name) => name.startsWith("s")).length !== 300) throw new Error(`missing: ${names.length}`);
        let deep: string[] = [];
        try {
          deep = fs.readdirSync("/left", { recursive: true }) as string[];
        } catch (error) {
          if ((error as { code: string }).code !== "ENOENT") throw error;
        }
        for (const name of deep) if (!known.test(name)) throw new Error(`strange: ${name}`);
      }
      return n;
    };
    const [moved, read] = await threads<[number, number]>(vfs.handle, RACE_MS, [mover, reader]);
    assert.ok(moved > 20 && read > 20, `${moved} ${read}`);
  });
});

test("bug 24: a recursive rm leaves the directory into which another thread moves parts of its tree", async (t) => {
  const vfs = await shippedTree(t);
  vfs.fs.mkdirSync("/keep");
  vfs.fs.mkdirSync("/work");
  const remover: ThreadBody<unknown> = ({ fs }, _raw, running): number => {
    let n = 0;
    while (running()) {
      try {
        fs.rmSync("/work/tree", { recursive: true, force: true });
        n++;
      } catch (error) {
        if (!["ENOENT", "ENOTEMPTY", "ENOTDIR"].includes((error as { code: string }).code)) throw error;
      }
    }
    return n;
  };
  interface Built {
    readonly n: number;
    /** Names that rm removed after the move: it had their directory open already, as every rm may. */
    readonly lost: string[];
  }
  const builder: ThreadBody<unknown> = ({ fs }, _raw, running): Built => {
    const succeeds = (run: () => unknown) => {
      try {
        run();
        return true;
      } catch (error) {
        if ((error as { code?: string }).code === undefined) throw error;
        return false;
      }
    };
    let n = 0;
    const lost: string[] = [];
    while (running()) {
      succeeds(() => fs.mkdirSync("/work/tree/sub", { recursive: true }));
      succeeds(() => fs.writeFileSync("/work/tree/sub/f", "x"));
      if (!succeeds(() => fs.renameSync("/work/tree/sub", "/keep/saved"))) continue;
      for (const name of fs.readdirSync("/keep/saved")) if (!fs.existsSync(`/keep/saved/${name}`)) lost.push(name);
      succeeds(() => fs.writeFileSync("/keep/saved/late", "x"));
      for (let i = 0; i < 20; i++) if (!fs.existsSync("/keep/saved/late")) lost.push("late");
      fs.rmSync("/keep/saved", { recursive: true });
      n++;
    }
    return { n, lost };
  };
  const [removed, { n, lost }] = await threads<[number, Built]>(vfs.handle, RACE_MS, [remover, builder]);
  assert.ok(removed > 10 && n > 10, `${removed} ${n}`);
  t.diagnostic(`${removed} removals, ${n} moves, ${lost.length} names lost: ${lost.slice(0, 5)}`);
  assert.ok(vfs.fs.existsSync("/keep"));
});

describe("bug 25: the count of links", () => {
  /** Makes n links, each of which leads to the next; the last one leads to `end`. */
  function chain(fs: FsSync, n: number, end: string): void {
    for (let i = 0; i < n; i++) freshLink(fs, i === n - 1 ? end : `/l${i + 1}`, `/l${i}`);
  }

  // Taken out: the reset of the count in pathInit() (for the attempts in ref mode).
  test("bug 25: a path of 40 links succeeds with a restart at each point of the first link", async (t) => {
    const { fs, walker, peer } = await setUp(t);
    fs.mkdirSync("/d");
    fs.writeFileSync("/d/f", "x");
    chain(fs, 40, "/d/f");
    for (const point of ["SEQ_OPENED", "PARENT_CHECK", "DROP", "UNLAZY_HALF"] as const) {
      // Only a link whose time of access must be updated takes the walk out of rcu mode.
      if (point === "DROP" || point === "UNLAZY_HALF") makeOld(fs, "/l0");
      walker.at(POINT[point], () => {
        peer.fs.renameSync("/l0", "/away");
        peer.fs.renameSync("/away", "/l0");
      });
      const run = counted(walker, () => assert.equal(walker.fs.statSync("/l0").size, 1));
      assert.equal(walker.waits(POINT[point]), false);
      assert.ok(run.echildRestarts <= 1, point);
      if (point.startsWith("UNLAZY") || point === "DROP") assert.equal(run.echildRestarts, 1, point);
    }
    fs.symlinkSync("/l0", "/l-first");
    makeOld(fs, "/l-first");
    walker.at(POINT.UNLAZY_HALF, () => {
      peer.fs.renameSync("/l-first", "/away");
      peer.fs.renameSync("/away", "/l-first");
    });
    assert.equal(
      codeOf(() => walker.fs.statSync("/l-first")),
      "ELOOP",
      "41 links are one too many in either mode",
    );
  });

  // Taken out: the reset of the count in pathInit(), or the check of the link's dentry before pickLink() (no restart).
  test("bug 25: a walk over 40 links, some of them nested, restarts at each of them in rcu mode and counts from zero", async (t) => {
    const { fs, walker, peer } = await setUp(t);
    fs.mkdirSync("/d");
    fs.writeFileSync("/d/f", "x");
    // /l0 to /l19 are the end of the body of the link before, /l20 to /l38 its middle.
    for (let i = 0; i < 39; i++) freshLink(fs, i === 38 ? "d" : i < 19 ? `/l${i + 1}` : `/l${i + 1}/.`, `/l${i}`);
    freshLink(fs, "f", "/d/end");
    for (let nth = 1; nth <= 40; nth++) {
      const link = nth === 40 ? "/d/end" : `/l${nth - 1}`;
      let found = 0;
      walker.each(POINT.FOUND, () => {
        // The 40th name that is found is the directory.
        if (++found !== (nth === 40 ? 41 : nth)) return;
        peer.fs.renameSync(link, "/away");
        peer.fs.renameSync("/away", link);
        peer.fs.lutimesSync(link, 4_000_000_000, 0);
      });
      const run = counted(walker, () => assert.equal(walker.fs.statSync("/l0/end").size, 1));
      walker.never();
      assert.deepEqual([run.echildRestarts, run.endedRef], [1, 1], link);
    }
    freshLink(fs, "end", "/d/more");
    const run = counted(walker, () =>
      assert.equal(
        codeOf(() => walker.fs.statSync("/l0/more")),
        "ELOOP",
      ),
    );
    assert.deepEqual([run.endedRcu, run.echildRestarts], [1, 0]);
  });

  test("bug 25: after ESTALE the third attempt counts links from zero", async (t) => {
    const { vfs, fs, walker } = await setUp(t);
    const driver = objectDriver("stale", { d: { f: "x" } });
    const { lookup } = driver;
    let stale = 0;
    driver.lookup = (dir, name) => {
      if (name === "f" && stale-- > 0) throw Object.assign(new Error("stale"), { code: "ESTALE" });
      return lookup(dir, name);
    };
    mountDriverAt(driver, "/drv", vfs, walker);
    chain(fs, 40, "/drv/d/f");
    for (const ref of [false, true]) {
      walker.walkMode({ ref });
      vfs.shrink(1000);
      stale = 1;
      const run = counted(walker, () => assert.equal(walker.fs.statSync("/l0").size, 1));
      assert.equal(run.estaleRestarts, 1);
    }
  });
});
