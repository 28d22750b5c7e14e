/** Bugs that this algorithm has had, 18 to 22: memory and names. 23 (watchers) belongs to a feature that threadfs does not have yet. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defined } from "../../../cli/dist/support/defined.js";
import { until } from "../../../verify/dist/support/hang.js";
import { POINT, RENAME_EXCHANGE } from "../../dist/abi/abi.js";
import { G_EPOCH } from "../../dist/generated/core-layout.js";
import type { VfsHandle } from "../../dist/src/index.js";
import { counted } from "../support/counters.js";
import { objectDriver } from "../support/drivers/object-driver.js";
import { codeOf } from "../support/errors.js";
import { atEveryPoint, freshLink, mountDriverAt, RACE_MS, setUp, shippedTree } from "../support/interleavings.js";
import { rawCore } from "../support/raw-core.js";
import { type ThreadBody, threads } from "../support/threads.js";

describe("bug 18: memory freed before its grace period", () => {
  // Taken out: the comparison with the oldest reader in rcuTake().
  test("bug 18: memory that a walk has read is not reused until the walk has ended", async (t) => {
    const { fs, walker, peer } = await setUp(t);
    const made = new Set<number>();
    peer.each(POINT.ALLOCATED, (dentry) => made.add(dentry));
    peer.each(POINT.INSTANTIATE, (_dentry, inode) => made.add(inode));
    for (const point of ["SEQ_OPENED", "COMPARED", "PARENT_CHECK", "COMPLETE"] as const) {
      fs.mkdirSync("/d");
      fs.writeFileSync("/d/f", "x");
      const used = new Set<number>();
      walker.each(POINT.SEQ_OPENED, (dentry) => used.add(dentry));
      walker.each(POINT.ATTR_COPIED, (inode) => used.add(inode));
      made.clear();
      const reuseMemory = () => {
        peer.fs.unlinkSync("/d/f");
        peer.fs.rmdirSync("/d");
        for (let i = 0; i < 200; i++) {
          peer.fs.writeFileSync("/poison", "poison");
          peer.fs.unlinkSync("/poison");
        }
        assert.equal([...used].filter((p) => made.has(p)).length, 0, "memory was reused under a walk");
      };
      if (point === "SEQ_OPENED") {
        walker.at(
          POINT.SEQ_OPENED,
          (dentry) => {
            used.add(dentry);
            reuseMemory();
          },
          2,
        );
      } else {
        walker.at(POINT[point], reuseMemory, point === "COMPLETE" ? 1 : 2);
      }
      const code = codeOf(() => assert.equal(walker.fs.statSync("/d/f").size, 1));
      assert.ok(code === undefined || code === "ENOENT", `${point}: ${code}`);
      walker.never();
      assert.equal(fs.existsSync("/d"), false);
    }
    // It is reused once no walk is under way.
    fs.writeFileSync("/f", "x");
    made.clear();
    for (let i = 0; i < 500; i++) {
      peer.fs.writeFileSync("/again", "");
      peer.fs.unlinkSync("/again");
    }
    assert.ok(made.size < 500);
  });
});

describe("bug 18: the body of a link", () => {
  test("bug 18: the body of a link stays while a walk follows it, though the link is removed", async (t) => {
    const { fs, walker, peer } = await setUp(t);
    fs.mkdirSync("/target/a/b/c", { recursive: true });
    const body = "/target/a/./b/./c/.";
    for (const ref of [false, true]) {
      walker.walkMode({ ref });
      for (const point of ["LINK", "COMPONENT", "FOUND"] as const) {
        freshLink(fs, body, "/link");
        const nth = point === "LINK" ? 1 : 3;
        walker.at(
          POINT[point],
          () => {
            peer.fs.unlinkSync("/link");
            // A walk in rcu mode would be expelled: its grace period does not end before it does.
            if (ref) {
              peer.synchronizeRcu();
              peer.shrink(1000);
            }
            for (let i = 0; i < 300; i++) {
              peer.fs.symlinkSync("/wrong/wrong/wrong/", `/poison${i}`);
            }
          },
          nth,
        );
        const run = counted(walker, () => assert.ok(walker.fs.statSync("/link").isDirectory(), `${point} ${ref}`));
        assert.equal(walker.waits(POINT[point]), false);
        assert.deepEqual([run.endedRcu, run.endedRef], ref ? [0, 1] : [1, 0], point);
        for (let i = 0; i < 300; i++) fs.unlinkSync(`/poison${i}`);
      }
    }
  });

  // Taken out: rcuValid() in copyLinkBody(), with a check of the sequence that always succeeds.
  test("bug 18: a walk that is expelled from its section while it follows a link does not use what it has read", async (t) => {
    const { fs, walker, peer } = await setUp(t);
    fs.mkdirSync("/d");
    freshLink(fs, "d", "/link");
    walker.at(POINT.FOUND, () => {
      peer.fs.unlinkSync("/link");
      // Waits until the walk stands still for too long, and expels it.
      peer.synchronizeRcu();
      for (let i = 0; i < 300; i++) peer.fs.symlinkSync("x", `/poison${i}`);
    });
    const run = counted(walker, () =>
      assert.equal(
        codeOf(() => walker.fs.statSync("/link")),
        "ENOENT",
      ),
    );
    assert.deepEqual([run.echildRestarts, run.endedRef], [1, 1]);
  });
});

test("bug 19: no walk calls a driver's hook once the driver is unregistered", async (t) => {
  const vfs = await shippedTree(t);
  interface Shared {
    /** Word 0: 1 while the driver is unregistered. */
    readonly gone: Int32Array;
  }
  interface Seen {
    readonly walks: number;
    /** Hooks called while the driver was unregistered. */
    readonly late: number;
    readonly codes: Record<string, number>;
  }
  const gone = new Int32Array(new SharedArrayBuffer(8));
  const reader: ThreadBody<Shared> = (vfs, _raw, running, { gone }, tools): Seen => {
    let walks = 0;
    let late = 0;
    // Without permission() and revalidate(), so that a walk calls the hooks while it holds no reference.
    const content = { d: { f: "x" } };
    const driver = tools.objectDriver("short", content, {
      // Slow, so that the next hook of the same walk may be called too late.
      hash() {
        if (Atomics.load(gone, 0) === 1) late++;
        const end = performance.now() + 0.1;
        while (performance.now() < end);
        return 1;
      },
      compare(_dir, _node, a, b) {
        if (Atomics.load(gone, 0) === 1) late++;
        return a === b;
      },
    });
    const codes: Record<string, number> = {};
    while (running()) {
      try {
        vfs.registerDriver(driver);
      } catch {
        // The owner has not registered it yet.
      }
      for (let i = 0; i < 50; i++) {
        walks++;
        let code = "ok";
        try {
          vfs.fs.statSync("/drv/d/f");
        } catch (error) {
          code = (error as { code: string }).code;
        }
        codes[code] = (codes[code] ?? 0) + 1;
      }
    }
    return { walks, late, codes };
  };
  const owner: ThreadBody<Shared> = (vfs, _raw, running, { gone }, tools): number => {
    let rounds = 0;
    const content = { d: { f: "x" } };
    const driver = tools.objectDriver("short", content, {
      hash: () => 1,
      compare: (_dir, _node, a, b) => a === b,
    });
    while (running()) {
      Atomics.store(gone, 0, 0);
      vfs.registerDriver(driver);
      vfs.mount("none", "/drv", "short");
      for (let i = 0; i < 20; i++) vfs.fs.existsSync("/drv/d/f");
      vfs.umount("/drv", { detach: true });
      // EBUSY for as long as a walk of the other thread has references, however slow that thread is.
      let isGone = false;
      while (!isGone && running()) {
        try {
          vfs.unregisterDriver("short");
          isGone = true;
        } catch (error) {
          if ((error as { code: string }).code !== "EBUSY") throw error;
        }
      }
      if (!isGone) break;
      Atomics.store(gone, 0, 1);
      for (let i = 0; i < 20; i++) vfs.fs.existsSync("/drv/d/f");
      rounds++;
    }
    return rounds;
  };
  vfs.fs.mkdirSync("/drv");
  const race = async (): Promise<Seen> => {
    const bodies = [owner, reader];
    const [rounds, seen] = await threads<[number, Seen], Shared>(vfs.handle, RACE_MS, bodies, { gone });
    assert.ok(rounds > 3 && seen.walks > 10, `${rounds} ${JSON.stringify(seen)}`);
    for (const code of Object.keys(seen.codes))
      assert.ok(["ok", "ENOENT", "ERR_THREADFS_NO_DRIVER"].includes(code), JSON.stringify(seen));
    assert.equal(seen.late, 0);
    return seen;
  };
  // On a busy machine the two may take turns: they race until the reader has met a missing file.
  let missing = false;
  for (let races = 0; races < 40 && !missing; races++) missing = (await race()).codes.ENOENT !== undefined;
  assert.ok(missing);
});

// Taken out: synchronizeRcu() in deactivateSuper() and unregisterFilesystem().
test("bug 19: umount and unregisterDriver wait for a walk that is about to call a hook", async (t) => {
  const { vfs } = await setUp(t);
  vfs.registerDriver(objectDriver("slow", {}, { hash: () => 1 }));
  vfs.fs.mkdirSync("/drv");
  vfs.mount("none", "/drv", "slow");
  assert.equal(vfs.fs.existsSync("/drv/x"), false);
  const signal = new Int32Array(new SharedArrayBuffer(8));
  interface Shared {
    readonly handle: VfsHandle;
    readonly point: number;
    /** Index of the word with the epoch. */
    readonly epoch: number;
    /** Word 0: 1 once the walk has stopped, 2 once it goes on. Word 1: 1 once nothing waits for it. */
    readonly signal: Int32Array;
  }
  // Stops before the second component, in rcu mode, and goes on when a grace period has begun, which waits for it.
  const body: ThreadBody<Shared> = async (_vfs, _raw, _running, { handle, point, epoch, signal }, tools) => {
    const walker = await tools.walkerOf({ after() {} }, handle);
    walker.registerDriver(tools.objectDriver("slow", {}, { hash: () => 1 }));
    const stop = () => {
      const words = new Int32Array(handle.memory.buffer);
      const before = Atomics.load(words, epoch);
      Atomics.store(signal, 0, 1);
      while (Atomics.load(words, epoch) === before && Atomics.load(signal, 1) === 0) Atomics.wait(signal, 1, 0, 1);
      Atomics.store(signal, 0, 2);
    };
    walker.at(point, stop, 2);
    const there = walker.fs.existsSync("/drv/x");
    walker.close();
    return there;
  };
  const data: Shared = { handle: vfs.handle, point: POINT.COMPONENT, epoch: G_EPOCH >>> 2, signal };
  const running = threads<[boolean], Shared>(vfs.handle, 0, [body], data);
  await until(() => Atomics.load(signal, 0) === 1);
  vfs.umount("/drv", { detach: true });
  vfs.unregisterDriver("slow");
  const state = Atomics.load(signal, 0);
  Atomics.store(signal, 1, 1);
  assert.equal(state, 2, "the walk had gone on by then");
  assert.deepEqual(await running, [false]);
});

// Taken out: the reference on the child in dropRcuNext().
test("bug 20: an entry keeps its parent and its inode while revalidate runs for it", async (t) => {
  const { vfs, fs, walker, peer } = await setUp(t);
  const driver = objectDriver("asked", { d: { f: "x" } }, { revalidate: () => true });
  mountDriverAt(driver, "/drv", vfs, walker, peer);
  for (const good of [true, false]) {
    for (const ref of [false, true]) {
      walker.walkMode({ ref });
      driver.put(defined(driver.lookup(1, "d"), "directory d").ino, "f", "x");
      driver.revalidate = (_dir, node) => node !== null;
      fs.statSync("/drv/d/f");
      const dirs: number[] = [];
      let inHook = false;
      driver.revalidate = (dir, node, name) => {
        dirs.push(dir);
        if (name !== "f" || inHook) return true;
        inHook = true;
        peer.fs.unlinkSync("/drv/d/f");
        peer.shrink(1000);
        assert.deepEqual([typeof dir, typeof node], ["number", "number"]);
        return good;
      };
      const code = codeOf(() => walker.fs.chmodSync("/drv/d/f/x", 0));
      assert.ok(code === "ENOTDIR" || code === "ENOENT", `${code}`);
      assert.ok(inHook && dirs.every((dir) => dir > 0));
      driver.revalidate = () => true;
      assert.equal(fs.existsSync("/drv/d/f"), false);
    }
  }
  vfs.umount("/drv");
});

// Taken out: the check of the sequences in dPath().
test("bug 21: getcwd and realpath return a path that existed, while the directories of the path are renamed", async (t) => {
  const vfs = await shippedTree(t);
  const { fs } = vfs;
  fs.mkdirSync("/one/two/three", { recursive: true });
  const context = vfs.context({ cwd: "/one/two/three" });
  const right: string[] = [];
  for (const a of ["one", "a-much-longer-name-for-the-first-of-the-three-directories"]) {
    for (const b of ["two", "b"]) right.push(`/${a}/${b}/three`, `/${b}/three`);
  }
  const mover: ThreadBody<VfsHandle> = ({ fs }, _raw, running): number => {
    const [short, long] = ["/one", "/a-much-longer-name-for-the-first-of-the-three-directories"] as const;
    let n = 0;
    while (running()) {
      fs.renameSync(short, long);
      fs.renameSync(`${long}/two`, `${long}/b`);
      fs.renameSync(`${long}/b`, "/b");
      fs.renameSync("/b", `${long}/b`);
      fs.renameSync(`${long}/b`, `${long}/two`);
      fs.renameSync(long, short);
      n++;
    }
    return n;
  };
  interface Seen {
    /** How often a path was returned. */
    readonly paths: Record<string, number>;
    readonly n: number;
  }
  const reader: ThreadBody<VfsHandle> = (_vfs, raw, running, handle, tools): Seen => {
    const context = new tools.Context(raw.arena, handle.ctx, false);
    const paths: Record<string, number> = {};
    let n = 0;
    while (running()) {
      for (const path of [context.getcwd(), context.fs.realpathSync.native(".")]) paths[path] = (paths[path] ?? 0) + 1;
      n++;
    }
    return { paths, n };
  };
  const bodies = [mover, reader];
  const [moved, seen] = await threads<[number, Seen], VfsHandle>(vfs.handle, RACE_MS, bodies, context.handle);
  assert.ok(moved > 10 && seen.n > 10, `${moved} ${seen.n}`);
  for (const [path, times] of Object.entries(seen.paths)) assert.ok(right.includes(path), `${path}: ${times}`);
  context.close();
});

describe("bug 22: names of different length that a rename exchanges", () => {
  const SHORT = "/abc";
  const LONG = `/${"n".repeat(200)}`;

  // Taken out: the write sections in dMove() and the barriers in them.
  test("bug 22: a name is found when it is exchanged with a name of another length at any step of its lookup", async (t) => {
    const { vfs, fs, walker } = await setUp(t);
    const raw = rawCore(t, vfs.handle);
    fs.writeFileSync(SHORT, "x");
    fs.writeFileSync(LONG, "x");
    for (const path of [SHORT, LONG]) {
      atEveryPoint(walker, {
        prepare: () => {},
        call: (its) => assert.equal(its.statSync(path).size, 1),
        change: () => assert.equal(raw.rename(SHORT, LONG, RENAME_EXCHANGE), 0),
        check: (code, where) => assert.equal(code, undefined, where),
      });
    }
  });

  test("bug 22: with threads, both of two names that are exchanged exist at every moment", async (t) => {
    const vfs = await shippedTree(t);
    vfs.fs.writeFileSync(SHORT, "x");
    vfs.fs.writeFileSync(LONG, "x");
    interface Names {
      readonly SHORT: string;
      readonly LONG: string;
      readonly exchange: number;
    }
    const swapper: ThreadBody<Names> = (_vfs, raw, running, { SHORT, LONG, exchange }): number => {
      let n = 0;
      for (; running(); n++) if (raw.rename(SHORT, LONG, exchange) !== 0) throw new Error("no exchange");
      return n;
    };
    const reader: ThreadBody<Names> = (vfs, _raw, running, { SHORT, LONG }): number => {
      let n = 0;
      for (; running(); n++) {
        for (const path of [SHORT, LONG]) if (vfs.fs.statSync(path).size !== 1) throw new Error("wrong");
      }
      return n;
    };
    const names: Names = { SHORT, LONG, exchange: RENAME_EXCHANGE };
    const bodies = [swapper, reader];
    const [swapped, read] = await threads<[number, number], Names>(vfs.handle, RACE_MS, bodies, names);
    assert.ok(swapped > 10 && read > 10, `${swapped} ${read}`);
  });
});
