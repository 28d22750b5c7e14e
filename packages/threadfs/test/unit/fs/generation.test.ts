/** Drivers with a generation number: an entry is good, without a call, until the number moves. Row 103. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRNO, POINT, S_IFDIR, S_IFLNK, S_IFREG } from "../../../dist/abi/abi.js";
import { CLASSES } from "../../../dist/generated/core-layout.js";
import { createVfs, type Driver, type FsSync, type Vfs } from "../../../dist/src/index.js";
import { counterGrowth } from "../../support/counters.js";
import { argumentsOf, type HookName, memoryDriver, mountDriver, ROOT } from "../../support/drivers/memory-driver.js";
import { codeOf, errorWithCode, refused } from "../../support/errors.js";
import type { TestScope } from "../../support/hooked-vfs.js";
import { atEveryPoint, setUp } from "../../support/interleavings.js";
import { dentryOf, memoryOf } from "../../support/memory.js";
import { cachedWalker, WITHOUT_PREFIX_CACHE } from "../../support/prefix-cache.js";

const HOOKS: readonly HookName[] = ["lookup", "revalidate", "create", "unlink"];

/** A driver with a generation number at /m, registered by every attachment, with /m/d/f. */
async function mounted(t: TestScope, hooks: readonly HookName[] = HOOKS) {
  const { tree, vfs, peer, walker } = await setUp(t);
  const system = memoryDriver("numbered", hooks);
  system.driver.generation = true;
  const dir = system.make(ROOT, "d", S_IFDIR | 0o755);
  const file = system.make(dir, "f", S_IFREG | 0o644);
  for (const each of [peer, walker]) each.registerDriver(system.driver);
  mountDriver(vfs, system.driver);
  vfs.fs.statSync("/m/d/f");
  system.calls.length = 0;
  return { tree, vfs, peer, walker, dir, file, ...system };
}

const growthOf = (vfs: Vfs, run: () => unknown) => counterGrowth(() => vfs.counters(), run);

/** The names that were revalidated since the last time. */
function asked(calls: Parameters<typeof argumentsOf>[0] & { length: number }): unknown[] {
  const names = argumentsOf(calls, "revalidate").map(([, , name]) => name);
  calls.length = 0;
  return names;
}

// Taken out: isCurrent() in mustRevalidate(): every walk asks about every name, and leaves rcu mode.
test("row 103: a walk over entries of the present generation calls no hook and ends in rcu mode", async (t) => {
  const { vfs, walker, calls } = await mounted(t);
  refused("ENOENT", () => walker.fs.statSync("/m/d/none"));
  calls.length = 0;
  const growth = growthOf(vfs, () => {
    for (const each of [vfs, walker]) {
      each.fs.statSync("/m/d/f");
      each.fs.accessSync("/m/d");
      refused("ENOENT", () => each.fs.accessSync("/m/d/none", 0));
      refused("ENOTDIR", () => each.fs.accessSync("/m/d/f/x", 0));
    }
  });
  assert.deepEqual([growth.walks, growth.endedRcu, growth.dropRevalidate, growth.dropUncached], [8, 8, 0, 0]);
  assert.deepEqual(calls, []);
});

// Taken out: setGeneration() in dRevalidate(): from the first invalidate() on every walk asks. The shipping build is the one whose plain walk
// passes such entries by itself; taken out there: mayPass() in rcuWalk().
test("row 103: after invalidate() each entry is asked about once, and a stale one is looked up", async (t) => {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  const { driver, calls, make } = memoryDriver("numbered", HOOKS);
  driver.generation = true;
  const dir = make(ROOT, "d", S_IFDIR | 0o755);
  make(dir, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  refused("ENOENT", () => vfs.fs.statSync("/m/d/g"));
  vfs.fs.statSync("/m/d/f");
  calls.length = 0;
  vfs.invalidate("/m");
  for (const names of [["d", "f", "g"], [], []]) {
    vfs.fs.statSync("/m/d/f");
    assert.equal(vfs.fs.existsSync("/m/d/g"), false);
    assert.deepEqual(asked(calls), names);
  }
  // What the driver changes is seen by the first walk after invalidate(), and not before.
  const other = make(dir, "f", S_IFREG | 0o600);
  make(dir, "g", S_IFREG | 0o600);
  driver.on.revalidate = (_dir, node, name) => (name === "d" ? true : node === other);
  assert.notEqual(vfs.fs.statSync("/m/d/f").ino, other);
  assert.equal(vfs.fs.existsSync("/m/d/g"), false);
  vfs.invalidate("/m");
  assert.equal(vfs.fs.statSync("/m/d/f").ino, other);
  assert.equal(vfs.fs.existsSync("/m/d/g"), true);
  assert.deepEqual(asked(calls), ["d", "f", "g"]);
  const growth = growthOf(vfs, () => vfs.fs.statSync("/m/d/f"));
  assert.deepEqual([growth.endedRcu, asked(calls)], [1, []]);
});

// Taken out: the number is read before the hook (dRevalidate(), lookupDriver()): once after it, instead.
test("row 103: what the driver takes back while its hook runs is asked about again", async (t) => {
  const { vfs, peer, walker, driver, calls, make, dir } = await mounted(t);
  vfs.invalidate("/m");
  driver.on.revalidate = (_dir, _node, name) => {
    if (name === "f") peer.invalidate("/m");
    return true;
  };
  walker.fs.statSync("/m/d/f");
  assert.deepEqual(asked(calls), ["d", "f"]);
  driver.on.revalidate = () => true;
  walker.fs.statSync("/m/d/f");
  assert.deepEqual(asked(calls), ["d", "f"]);
  const [g, node] = ["g", make(dir, "g", S_IFREG | 0o644)];
  driver.on.lookup = () => {
    peer.invalidate("/m");
    return { ino: node, mode: S_IFREG | 0o644 };
  };
  walker.fs.statSync(`/m/d/${g}`);
  calls.length = 0;
  walker.fs.statSync(`/m/d/${g}`);
  assert.deepEqual(asked(calls), ["d", g]);
});

// Taken out: the comparison of the sequence in setGeneration().
test("row 103: a verdict is not taken over by a directory that has another name meanwhile", async (t) => {
  const { vfs, peer, walker, driver, calls, nodes } = await mounted(t, ["lookup", "revalidate"]);
  const [p, q] = ["p", "q"].map((name) => {
    const ino = 50 + name.charCodeAt(0);
    nodes.set(ino, { mode: S_IFDIR | 0o755, names: { x: 99 } });
    nodes.namesOf(ROOT)[name] = ino;
    return ino;
  });
  assert.notEqual(p, q);
  nodes.set(99, { mode: S_IFDIR | 0o755, names: {} });
  vfs.fs.statSync("/m/p/x");
  vfs.fs.statSync("/m/q");
  vfs.invalidate("/m");
  let moved = false;
  driver.on.revalidate = (dir, _node, name) => {
    if (name === "x" && dir === p && !moved) {
      moved = true;
      peer.fs.statSync("/m/q/x");
    }
    return true;
  };
  walker.fs.statSync("/m/p/x");
  assert.ok(moved);
  driver.on.revalidate = () => true;
  calls.length = 0;
  vfs.fs.statSync("/m/q/x/..");
  assert.ok(asked(calls).includes("x"), "under its new name the driver was not asked about it yet");
});

// Taken out: the check of the dentry's sequence behind the two numbers (readSeqRetry() in stepInto(), checkRcu()).
test("row 103: ENOENT and success under a generation number were true at one moment of the call", async (t) => {
  const { vfs, peer, walker, driver, nodes, make, dir } = await mounted(t);
  // /m/d/f exists until the driver takes it back; /m/d/g does not exist until then.
  for (const [name, codes] of [
    ["f", [undefined, "ENOENT"]],
    ["g", [undefined, "ENOENT"]],
  ] as const) {
    atEveryPoint(walker, {
      prepare() {
        delete nodes.namesOf(dir).g;
        nodes.namesOf(dir).f ??= make(dir, "f", S_IFREG | 0o644);
        driver.on.revalidate = (of, node, child) => (nodes.namesOf(of)[child] ?? null) === node;
        vfs.invalidate("/m");
        for (const child of ["f", "g"]) codeOf(() => vfs.fs.statSync(`/m/d/${child}`));
      },
      call: (fs: FsSync) => fs.statSync(`/m/d/${name}`),
      change() {
        delete nodes.namesOf(dir).f;
        make(dir, "g", S_IFREG | 0o644);
        peer.invalidate("/m");
        assert.equal(
          codeOf(() => peer.fs.statSync("/m/d/f")),
          "ENOENT",
        );
        peer.fs.statSync("/m/d/g");
      },
      check: (code, where) => assert.ok((codes as readonly unknown[]).includes(code), `${where}: ${code}`),
    });
    assert.equal(
      codeOf(() => walker.fs.statSync(`/m/d/${name}`)),
      name === "f" ? "ENOENT" : undefined,
      "a walk that begins afterwards sees it",
    );
  }
});

const LONG = "/directory-of-the-driver/second-directory";

/** The same driver with directories whose path is long enough for the prefix cache, and threads with one and without. */
async function cached(t: TestScope) {
  const { vfs } = await setUp(t);
  const system = memoryDriver("numbered", [...HOOKS, "readlink"]);
  const { driver, make, nodes } = system;
  Object.assign(driver, { generation: true, cacheLinks: true } satisfies Partial<Driver>);
  /** Gives the root of the driver a new directory of the name that it has, with others below it. */
  const replace = (): void => {
    const second = make(make(ROOT, "directory-of-the-driver", S_IFDIR | 0o755), "second-directory", S_IFDIR | 0o755);
    make(second, "f", S_IFREG | 0o644);
    driver.on.revalidate = (of, node, name) => (nodes.namesOf(of)[name] ?? null) === node;
  };
  replace();
  make(ROOT, "link-of-the-driver", S_IFLNK | 0o777, { target: "directory-of-the-driver" });
  mountDriver(vfs, driver);
  const walker = cachedWalker(t, vfs.handle);
  const plain = cachedWalker(t, vfs.handle, WITHOUT_PREFIX_CACHE);
  for (const { attachment } of [walker, plain]) attachment.drivers.register(driver, 0);
  return { vfs, walker, plain, replace, ...system };
}

// Taken out, one at a time, in prefix-links.ts: addGeneration() in isGood(); each half of the number in addGeneration().
test("row 103: the prefix cache holds directories of a driver until the number moves", async (t) => {
  const { vfs, walker, plain, replace, calls } = await cached(t);
  for (const top of ["/m/directory-of-the-driver", "/m/link-of-the-driver"]) {
    const file = `${top}/second-directory/f`;
    const ino = plain.ino(file);
    walker.learn(file);
    calls.length = 0;
    assert.equal(walker.ino(file), ino);
    replace();
    assert.ok(walker.knows(file), "they are good until the number moves");
    assert.deepEqual(calls, []);
    vfs.invalidate("/m");
    const now = walker.ino(file);
    assert.notEqual(now, ino);
    for (let i = 0; i < 4; i++) assert.equal(walker.ino(file), now);
    assert.equal(plain.ino(file), now);
  }
  const file = `/m${LONG}/f`;
  const words = new Uint32Array(vfs.handle.memory.buffer);
  const generation =
    memoryOf(vfs).word(memoryOf(vfs).inode(dentryOf(vfs, file)) + CLASSES.Inode.sb) + CLASSES.SuperBlock.generation;
  for (const half of [0, 1]) {
    walker.learn(file);
    // As after so many calls of invalidate() that the other half is what it was.
    Atomics.add(words, (generation >>> 2) + half, 1);
    walker.ino(file);
    assert.ok(!walker.passed.includes(POINT.PREFIX_FOUND), `half ${half}`);
    plain.ino(file);
  }
});

// Taken out: isCurrent() in isGood(): the walk that asks the driver in vain has entered the directories before.
test("row 103: the prefix cache takes in no directory that the driver was not asked about", async (t) => {
  const { vfs, walker, driver, calls } = await cached(t);
  const file = `/m${LONG}/f`;
  walker.learn(file);
  vfs.invalidate("/m");
  driver.on.revalidate = () => {
    throw errorWithCode("EIO");
  };
  assert.equal(walker.ino(file), -ERRNO.EIO);
  driver.on.revalidate = () => true;
  calls.length = 0;
  assert.ok(walker.ino(file) > 0);
  assert.deepEqual(asked(calls), [...LONG.slice(1).split("/"), "f"]);
});

// Taken out: the result of prefixCacheFill() in walkOnce(): only paths over a mount or a link have entries.
test("row 103: the prefix cache holds paths that begin in the driver", async (t) => {
  const { vfs, walker, plain, replace } = await cached(t);
  const fd = vfs.fs.openSync("/m", "r");
  const path = `${LONG.slice(1)}/f`;
  const ino = plain.ino(path, fd);
  walker.learn(path, fd);
  assert.equal(walker.ino(path, fd), ino);
  replace();
  vfs.invalidate("/m");
  assert.notEqual(plain.ino(path, fd), ino);
  assert.equal(walker.ino(path, fd), plain.ino(path, fd));
});

// Taken out: addGeneration() in isGood(), and the loads of the chain's second part in prefixLinksValid().
test("row 103: a cached walk under a generation number ends where it would before or after a change at any point", async (t) => {
  const { vfs, walker, plain, replace } = await cached(t);
  const file = `/m${LONG}/f`;
  const { passed } = walker.learn(file);
  for (const [n, point] of passed.entries()) {
    const before = walker.learn(file).ino(file);
    let after = 0;
    const change = () => {
      replace();
      vfs.invalidate("/m");
      after = plain.ino(file);
    };
    walker.at(point, change, passed.slice(0, n + 1).filter((id) => id === point).length);
    const ino = walker.ino(file);
    assert.notEqual(after, 0, `point ${n} was passed`);
    assert.ok(ino === before || ino === after, `point ${n}: ${ino}, not ${before} or ${after}`);
    assert.equal(walker.ino(file), after, `point ${n}`);
  }
});

// Taken out: LOOKUP_REVAL in mustRevalidate().
test("row 103: a walk that begins again after ESTALE asks whatever the number is", async (t) => {
  const { walker, driver, calls } = await mounted(t);
  let stale = 1;
  driver.on.lookup = () => {
    if (stale-- > 0) throw errorWithCode("ESTALE");
    return null;
  };
  refused("ENOENT", () => walker.fs.statSync("/m/d/none"));
  assert.deepEqual(
    argumentsOf(calls, "revalidate").map(([, , name, reval]) => [name, reval]),
    [["d", true]],
  );
});

// Taken out: the generation number in mustRevalidateJump().
test("row 103: a path that ends in a jump is revalidated once a generation", async (t) => {
  const { vfs, peer, walker } = await setUp(t);
  const { driver, calls, make } = memoryDriver("dotted", ["lookup", "revalidate"]);
  Object.assign(driver, { generation: true, revalidateDots: true } satisfies Partial<Driver>);
  make(make(ROOT, "d", S_IFDIR | 0o755), "f", S_IFREG | 0o644);
  for (const each of [peer, walker]) each.registerDriver(driver);
  mountDriver(vfs, driver);
  for (let round = 0; round < 2; round++) {
    walker.fs.statSync("/m/d/.");
    walker.fs.statSync("/m/d/..");
    calls.length = 0;
    const growth = growthOf(vfs, () => {
      walker.fs.statSync("/m/d/.");
      walker.fs.statSync("/m/d/..");
    });
    assert.deepEqual([growth.endedRcu, growth.dropRevalDot, asked(calls)], [2, 0, []]);
    vfs.invalidate("/m");
  }
});

// Taken out, one at a time: mayMount(), the check of the mount's root, the check of the flag in doInvalidate().
test("invalidate() is for the mount of a driver with a generation number, and for who may mount", async (t) => {
  const { vfs, driver, calls } = await mounted(t);
  const { driver: without } = memoryDriver("without", ["lookup", "revalidate"]);
  mountDriver(vfs, without, "/w");
  vfs.fs.mkdirSync("/b");
  vfs.mount("/m/d", "/b", "bind");
  for (const [path, code] of [
    ["/m/d", "EINVAL"],
    ["/w", "ENOTSUP"],
    ["/", "ENOTSUP"],
    ["/none", "ENOENT"],
  ] as const) {
    assert.throws(() => vfs.invalidate(path), { code, syscall: "invalidate" }, path);
  }
  assert.throws(() => vfs.invalidate(undefined as never), { code: "ERR_INVALID_ARG_TYPE" });
  calls.length = 0;
  vfs.invalidate("/b");
  vfs.fs.statSync("/m/d/f");
  assert.deepEqual(asked(calls), ["d", "f"], "the number is of the file system, whichever of its mounts is named");
  let code: string | undefined;
  driver.on.lookup = () => {
    code = codeOf(() => vfs.invalidate("/m"));
    return null;
  };
  vfs.fs.existsSync("/m/new");
  assert.equal(code, "ERR_THREADFS_REENTERED");
});
