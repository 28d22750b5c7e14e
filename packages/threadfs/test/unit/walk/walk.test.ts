/** The steps of a walk in rcu mode from name to name, and what each decision is checked against. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { DROP, POINT, RENAME_EXCHANGE, S_IFREG } from "../../../dist/abi/abi.js";
import type { Driver, Vfs } from "../../../dist/src/index.js";
import { type ParkedResult, treeFor } from "../../support/debug-tree.js";
import { type FlatNode, flatDriver, mountDriver, walkCode } from "../../support/drivers/memory-driver.js";
import { firstPass, of, type PointPass, type TestScope } from "../../support/hooked-vfs.js";
import { rawCore } from "../../support/raw-core.js";

/** A name that a dentry keeps outside of itself: the general walk takes it, not the fast form for plain names. */
const LONG = "a-name-that-is-longer-than-a-dentry-has-room-for";

/** Text up to "/" or NUL. */
function nameAt(vfs: Vfs, address: number): string {
  const bytes = new Uint8Array(vfs.handle.memory.buffer, address, 4096);
  const end = bytes.findIndex((b) => b === 0 || b === 0x2f);
  return new TextDecoder().decode(bytes.slice(0, end));
}

/** The components [directory, name] of a walk; one that the fast form leaves to the general one is passed twice. */
function componentsOf(vfs: Vfs, points: readonly PointPass[]): [dir: number, name: string][] {
  const all = of(points, POINT.COMPONENT);
  return all
    .filter(([, dir, name], n) => {
      const before = all[n - 1];
      return before === undefined || dir !== before[1] || name !== before[2];
    })
    .map(([, dir, name]) => [dir, nameAt(vfs, name)]);
}

/** Exchanges what two names stand for, in one step (no call of node:fs does). */
function exchanger(t: TestScope, vfs: Vfs): (a: string, b: string) => void {
  const raw = rawCore(t, vfs.handle);
  return (a, b) => assert.equal(raw.rename(a, b, RENAME_EXCHANGE), 0);
}

/** Paths, and the code with which a walk to them fails. */
const PATHS: readonly (readonly [path: string, code: string | undefined])[] = [
  ["/", undefined],
  ["//", undefined],
  ["/.", undefined],
  ["/..", undefined],
  ["/a/b/c", undefined],
  ["/a//b/./c/../c", undefined],
  ["/a/b/", undefined],
  ["/a/f", undefined],
  ["/a/f/", "ENOTDIR"],
  ["/a/f/x", "ENOTDIR"],
  ["/a/f/..", "ENOTDIR"],
  ["/a/f/.", "ENOTDIR"],
  ["/a/none", "ENOENT"],
  ["/a/none/x", "ENOENT"],
  ["/a/none/..", "ENOENT"],
  [`/a/${LONG}/g`, undefined],
  [`/a/${LONG}/none`, "ENOENT"],
  [`/a/${LONG}/g/x`, "ENOTDIR"],
  ["/a/l/c", undefined],
  ["/a/l/none", "ENOENT"],
  ["/a/dead/x", "ENOENT"],
  ["/a/loop", "ELOOP"],
  ["/mnt/x/../../a/b", undefined],
  [`/a/${"n".repeat(255)}`, "ENOENT"],
  [`/a/${"n".repeat(256)}`, "ENAMETOOLONG"],
  [`/a/f/${"n".repeat(256)}`, "ENOTDIR"],
];

// Taken out: ref mode does not check that it goes through directories only.
test("row 45: both modes go through the same components to the same result", async (t) => {
  const { vfs } = await treeFor(t);
  const { fs } = vfs;
  for (const dir of ["/a/b/c", `/a/${LONG}`, "/mnt"]) fs.mkdirSync(dir, { recursive: true });
  vfs.mount(null, "/mnt", "tmpfs");
  fs.mkdirSync("/mnt/x");
  fs.writeFileSync("/a/f", "");
  fs.writeFileSync(`/a/${LONG}/g`, "");
  fs.symlinkSync("b", "/a/l");
  fs.symlinkSync("none", "/a/dead");
  fs.symlinkSync("loop", "/a/loop");
  const walked = (path: string, ref: boolean) => {
    vfs.walkMode({ ref });
    let code: string | undefined;
    const points = vfs.points(() => {
      code = walkCode(vfs, path);
    });
    return { code, components: componentsOf(vfs, points) };
  };
  for (const [path, expected] of PATHS) {
    const [inRcu, inRef] = [walked(path, false), walked(path, true)];
    assert.deepEqual(inRef, inRcu, path);
    assert.equal(inRcu.code, expected, path);
  }
});

// Taken out: the file system's hash is not called.
test("row 46: the walk calls a file system's own hash for each name, in rcu mode, before it compares names", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const calls: unknown[][] = [];
  const driver = flatDriver(
    "folding",
    { file: [2, S_IFREG] },
    {
      hash: (dir, name) => {
        calls.push(["hash", dir, name]);
        return name.toLowerCase().length;
      },
      compare: (dir, node, cached, wanted) => {
        calls.push(["compare", dir, node, cached, wanted]);
        return cached.toLowerCase() === wanted.toLowerCase();
      },
    },
  );
  mountDriver(vfs, driver);
  vfs.fs.statSync("/m/file");
  calls.length = 0;
  const c = counted(() => assert.equal(walkCode(vfs, "/m/FILE"), undefined));
  assert.deepEqual(calls, [
    ["hash", 1, "FILE"],
    ["compare", 1, 2, "file", "FILE"],
  ]);
  assert.deepEqual([c.endedRcu, c.walks], [1, 1]);
});

// Taken out, for each of the two names: the parent's sequence is not checked once the child is known.
test("row 47: a walk starts again when a directory moved before its child was found", async (t) => {
  for (const name of ["f", LONG]) {
    const { vfs, attach, counted } = await treeFor(t);
    const other = await attach();
    vfs.fs.mkdirSync("/a/b", { recursive: true });
    // The file is made in the moved directory: it never existed under the path of the walk.
    vfs.at(
      POINT.COMPONENT,
      () => {
        other.fs.renameSync("/a/b", "/z");
        other.fs.writeFileSync(`/z/${name}`, "");
      },
      3,
    );
    const c = counted(() => assert.equal(walkCode(vfs, `/a/b/${name}`), "ENOENT"));
    assert.equal(c.echildRestarts, 1);
  }
});

// Taken out, for each of the two names: the parent's sequence is read before the child's is opened, not after.
test("row 48: the parent is checked by one load, after the child's sequence was opened", async (t) => {
  for (const name of ["f", LONG]) {
    const { vfs, attach, counted } = await treeFor(t);
    const other = await attach();
    vfs.fs.mkdirSync("/a/b", { recursive: true });
    vfs.fs.writeFileSync(`/a/b/${name}`, "");
    const points = of(
      vfs.points(() => walkCode(vfs, `/a/b/${name}`)),
      POINT.SEQ_OPENED,
      POINT.COMPARED,
      POINT.FOUND,
      POINT.PARENT_CHECK,
    );
    for (let n = 0; n < points.length; n += 4) {
      const step = points.slice(n, n + 4);
      assert.deepEqual(
        step.map(([id]) => id),
        [POINT.SEQ_OPENED, POINT.COMPARED, POINT.FOUND, POINT.PARENT_CHECK],
      );
      const [[, ...opened], [, ...compared]] = step as [PointPass, PointPass];
      assert.deepEqual(compared, opened);
    }
    assert.equal(points.length, 12);
    vfs.at(POINT.SEQ_OPENED, () => other.fs.renameSync("/a/b", "/z"), 3);
    const c = counted(() => assert.equal(walkCode(vfs, `/a/b/${name}`), "ENOENT"));
    assert.equal(c.echildRestarts, 1);
  }
});

// Taken out, for each of the two names: the walk goes on with the child's sequence of a later moment.
test("row 49: the walk goes on with the sequence under which the child was found", async (t) => {
  for (const dir of ["c", LONG]) {
    const { vfs, attach, counted } = await treeFor(t);
    const other = await attach();
    vfs.fs.mkdirSync(`/a/${dir}`, { recursive: true });
    vfs.at(
      POINT.COMPARED,
      () => {
        other.fs.renameSync(`/a/${dir}`, "/z");
        other.fs.writeFileSync("/z/f", "");
      },
      2,
    );
    const c = counted(() => assert.equal(walkCode(vfs, `/a/${dir}/f`), "ENOENT"));
    assert.equal(c.echildRestarts, 1);
  }
});

// Taken out: a miss starts the walk again instead of leaving rcu mode at the directory.
test("row 50: for a name that is not cached the walk leaves rcu mode at its directory and asks the file system under its lock", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const asked: [dir: number, name: string][] = [];
  const driver = flatDriver("plain", { f: [2, S_IFREG] });
  const lookup = defined(driver.lookup, "lookup hook");
  driver.lookup = (dir, name) => {
    asked.push([dir, name]);
    return lookup(dir, name);
  };
  mountDriver(vfs, driver);
  for (const [name, expected] of [
    ["f", undefined],
    ["none", "ENOENT"],
  ] as const) {
    asked.length = 0;
    let points: PointPass[] = [];
    const c = counted(() => {
      points = vfs.points(() => assert.equal(walkCode(vfs, `/m/${name}`), expected));
    });
    assert.deepEqual(asked, [[1, name]]);
    assert.deepEqual([c.dropUncached, c.endedRef, c.echildRestarts], [1, 1, 0]);
    const steps = of(points, POINT.MISS, POINT.DROP, POINT.DROPPED, POINT.LOCKED_LOOKUP);
    const [, , dir] = firstPass(steps, POINT.DROP);
    assert.deepEqual(
      steps.slice(0, 4).map(([id, a]) => [id, a]),
      [
        [POINT.MISS, dir],
        [POINT.DROP, DROP.UNCACHED],
        [POINT.DROPPED, 1],
        [POINT.LOCKED_LOOKUP, dir],
      ],
    );
    const again = counted(() => assert.equal(walkCode(vfs, `/m/${name}`), expected));
    assert.deepEqual([again.dropUncached, again.endedRcu, asked.length], [0, 1, 1]);
  }
});

// Taken out, for each of the two names: a miss in a directory that is all in memory takes the walk out of rcu mode.
test("row 50: in a directory that is all in memory a miss is ENOENT in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/d");
  for (const name of ["none", LONG]) {
    const c = counted(() => assert.equal(walkCode(vfs, `/d/${name}`), "ENOENT"));
    assert.deepEqual([c.dropUncached, c.endedRcu, c.missesValidated, c.echildRestarts], [0, 1, 1, 0], name);
  }
});

// Taken out, for each of the two names: the directory's sequence is not checked after the miss.
test("row 50: a miss in a directory that has moved meanwhile starts the walk again", async (t) => {
  for (const name of ["f", LONG]) {
    const { vfs, attach, counted } = await treeFor(t);
    const other = await attach();
    vfs.fs.mkdirSync("/a/b", { recursive: true });
    vfs.fs.mkdirSync("/new");
    vfs.fs.writeFileSync(`/new/${name}`, "");
    // The path exists before and after; the name is missing only in the directory that moved away.
    vfs.fs.writeFileSync(`/a/b/${name}`, "");
    vfs.at(
      POINT.COMPONENT,
      () => {
        other.fs.renameSync("/a/b", "/old");
        other.fs.renameSync("/new", "/a/b");
        other.fs.unlinkSync(`/old/${name}`);
      },
      3,
    );
    const c = counted(() => assert.equal(walkCode(vfs, `/a/b/${name}`), undefined));
    assert.equal(c.echildRestarts, 1);
  }
});

// Taken out: the walk stays in rcu mode while the hook runs.
test("row 51: for revalidation the walk leaves rcu mode with references on parent and child, then calls the hook", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const asked: unknown[][] = [];
  let good = true;
  let dropped = 0;
  const revalidate: Driver["revalidate"] = (...args) => {
    asked.push([...args, dropped]);
    return good;
  };
  mountDriver(vfs, flatDriver("fresh", { f: [2, S_IFREG] }, { revalidate }));
  vfs.fs.statSync("/m/f");
  asked.length = 0;
  vfs.at(POINT.DROPPED, (ok) => {
    dropped = ok;
  });
  const c = counted(() => assert.equal(walkCode(vfs, "/m/f"), undefined));
  assert.deepEqual(asked, [[1, 2, "f", false, 1]]);
  assert.deepEqual([c.dropRevalidate, c.endedRef, c.echildRestarts], [1, 1, 0]);
  good = false;
  const d = counted(() => assert.equal(walkCode(vfs, "/m/f"), undefined));
  assert.deepEqual([d.dropRevalidate, d.echildRestarts], [1, 0]);
});

// Taken out: the child's sequence is not checked when the walk takes its reference.
test("row 51: a name that changes before the walk leaves rcu mode is not revalidated at its old place", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  const asked: [node: number | null, name: string][] = [];
  const nodes: Record<string, FlatNode> = { f: [2, S_IFREG] };
  const driver = flatDriver("fresh", nodes, {
    revalidate: (_dir, node, name) => asked.push([node, name]) > 0,
    unlink: (_dir, _node, name) => {
      delete nodes[name];
    },
  });
  other.registerDriver(driver);
  mountDriver(vfs, driver);
  vfs.fs.statSync("/m/f");
  vfs.at(POINT.UNLAZY_HALF, () => {
    other.fs.unlinkSync("/m/f");
    asked.length = 0;
  });
  const c = counted(() => assert.equal(walkCode(vfs, "/m/f"), "ENOENT"));
  assert.deepEqual([c.dropFailed, c.echildRestarts], [1, 1]);
  assert.ok(
    asked.every(([node]) => node === null),
    JSON.stringify(asked),
  );
});

// Taken out: a negative entry takes the walk out of rcu mode before ENOENT.
test("row 55: a negative entry is ENOENT in rcu mode", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  const nodes: Record<string, FlatNode> = {};
  const driver = flatDriver("made", nodes, {
    create: (_dir, name, mode) => {
      nodes[name] = [7, S_IFREG];
      return { ino: 7, mode };
    },
  });
  other.registerDriver(driver);
  mountDriver(vfs, driver);
  assert.equal(walkCode(vfs, "/m/none"), "ENOENT");
  let points: PointPass[] = [];
  const c = counted(() => {
    points = vfs.points(() => assert.equal(walkCode(vfs, "/m/none"), "ENOENT"));
  });
  assert.deepEqual([c.endedRcu, c.echildRestarts, of(points, POINT.DROP).length], [1, 0, 0]);
  assert.equal(of(points, POINT.FOUND).length, 2);
  // The file is created once its negative entry was found: the call returns ENOENT or the whole file.
  vfs.at(POINT.PARENT_CHECK, () => other.fs.writeFileSync("/m/none", ""), 2);
  assert.ok(vfs.fs.statSync("/m/none").isFile());
});

/** The driver of the next test. The worker makes it from its text, so that the function uses nothing from outside. */
function makingDriver(): Driver {
  return {
    name: "making",
    root: () => ({ ino: 1, mode: 0o040755 }),
    lookup: () => null,
    readlink: () => "/target",
    create: (_dir, _name, mode) => ({ ino: 5, mode }),
  };
}

// Taken out: ref mode reads the inode before the flags with its type, or does not check by the flags that there is one.
test("row 55: a name that another thread is creating is absent or whole, in ref mode too", async (t) => {
  const tree = await treeFor(t);
  const { vfs } = tree;
  vfs.fs.writeFileSync("/target", "12345");
  mountDriver(vfs, makingDriver());
  assert.equal(walkCode(vfs, "/m/l"), "ENOENT");
  const walk = `
    vfs.registerDriver((${makingDriver})());
    vfs.walkMode({ ref: true });
    return vfs.fs.statSync("/m/l").size;`;
  // The walk has found the negative entry, and goes on when the entry has its inode and not yet its type.
  const walker = await tree.parked(walk, POINT.FOUND, 2);
  let result: Promise<ParkedResult> | undefined;
  vfs.at(POINT.INSTANTIATE, () => {
    result = walker.release();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  });
  vfs.fs.symlinkSync("/target", "/m/l");
  const { value, code } = defined(await result, "result of the worker");
  assert.ok(code === "ENOENT" || value === 5, `${code}, ${value}`);
  assert.equal(vfs.fs.statSync("/m/l").size, 5);
});

// Taken out, one at a time: ENOTDIR leaves rcu mode first; the entry's sequence is checked neither at the step nor at the end.
test("row 56: a file on the way is ENOTDIR in rcu mode, if its entry has not changed meanwhile", async (t) => {
  for (const name of ["f", LONG]) {
    const { vfs, counted } = await treeFor(t);
    const exchange = exchanger(t, vfs);
    vfs.fs.mkdirSync("/a");
    vfs.fs.writeFileSync(`/a/${name}`, "");
    vfs.fs.mkdirSync("/dir");
    vfs.fs.writeFileSync("/dir/x", "");
    const c = counted(() => assert.equal(walkCode(vfs, `/a/${name}/x`), "ENOTDIR"));
    assert.deepEqual([c.endedRcu, c.echildRestarts, c.endedRef], [1, 0, 0]);
    vfs.at(POINT.FOUND, () => exchange("/dir", `/a/${name}`), 2);
    const d = counted(() => assert.equal(walkCode(vfs, `/a/${name}/x`), undefined));
    assert.equal(d.echildRestarts, 1);
  }
});
