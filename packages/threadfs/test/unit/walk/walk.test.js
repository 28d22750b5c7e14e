/** The steps of a walk in rcu mode from name to name, and what each decision is checked against. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_FDCWD, DROP, POINT, RENAME_EXCHANGE } from "../../../dist/abi/abi.js";
import { Attachment } from "../../../dist/src/bridge/attachment.js";
import { treeFor } from "../../support/debug-tree.js";
import { flatDriver, mountDriver, walkCode } from "../../support/drivers/memory-driver.js";
import { of } from "../../support/hooked-vfs.js";

/** A name that a dentry keeps outside of itself: the general walk takes it, not the fast form for plain names. */
const LONG = "a-name-that-is-longer-than-a-dentry-has-room-for";
const S_IFREG = 0o100000;

/** The action runs the `n`th time the walk of `vfs` passes the point. */
function nth(vfs, id, n, action) {
  vfs.at(id, n === 1 ? action : () => nth(vfs, id, n - 1, action));
}

/** Text up to "/" or NUL. */
function nameAt(vfs, address) {
  const bytes = new Uint8Array(vfs.handle.memory.buffer, address, 4096);
  const end = bytes.findIndex((b) => b === 0 || b === 0x2f);
  return new TextDecoder().decode(bytes.slice(0, end));
}

/** The components [directory, name] of a walk; one that the fast form leaves to the general one is passed twice. */
function componentsOf(vfs, points) {
  const all = of(points, POINT.COMPONENT).map(([, dir, name]) => [dir, name]);
  return all
    .filter(([dir, name], n) => n === 0 || dir !== all[n - 1][0] || name !== all[n - 1][1])
    .map(([dir, name]) => [dir, nameAt(vfs, name)]);
}

/** Exchanges what two names stand for, in one step (no call of node:fs does). */
function exchanger(t, vfs) {
  const { handle } = vfs;
  const arena = Attachment.attach(handle, { point: () => {} });
  t.after(() => arena.close());
  const put = (path, into) => {
    const length = arena.writeString(path, into);
    into[length] = 0;
    return length;
  };
  return (a, b) => {
    const [length, length2] = [put(a, arena.path), put(b, arena.path2)];
    assert.equal(arena.core.sysRename(handle.ctx, AT_FDCWD, length, AT_FDCWD, length2, RENAME_EXCHANGE), 0);
  };
}

const PATHS = [
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

// Taken out: ref mode does not ask whether what it goes through is a directory.
test("row 45: both modes go through the same components to the same answer", async (t) => {
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
  for (const [path, expected] of PATHS) {
    const [inRcu, inRef] = [false, true].map((ref) => {
      vfs.walkMode({ ref });
      let code;
      const points = vfs.points(() => {
        code = walkCode(vfs, path);
      });
      return [code, componentsOf(vfs, points)];
    });
    assert.deepEqual(inRef, inRcu, path);
    assert.equal(inRcu[0], expected, path);
  }
});

// Taken out: the file system's hash is not asked for.
test("row 46: a file system's own hash is asked for each name, in rcu mode, before anything is compared", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const calls = [];
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

// Taken out, for each of the two names: the parent's sequence is not looked at once the child is known.
test("row 47: a directory that moved before its child was found is noticed", async (t) => {
  for (const name of ["f", LONG]) {
    const { vfs, attach, counted } = await treeFor(t);
    const other = await attach();
    vfs.fs.mkdirSync("/a/b", { recursive: true });
    // The file is made where the directory has gone to: under the path that is asked for it never was.
    nth(vfs, POINT.COMPONENT, 3, () => {
      other.fs.renameSync("/a/b", "/z");
      other.fs.writeFileSync(`/z/${name}`, "");
    });
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
      const [opened, compared, found, check] = points.slice(n, n + 4);
      assert.deepEqual(
        [opened[0], compared[0], found[0], check[0]],
        [POINT.SEQ_OPENED, POINT.COMPARED, POINT.FOUND, POINT.PARENT_CHECK],
      );
      assert.deepEqual([compared[1], compared[2]], [opened[1], opened[2]]);
    }
    assert.equal(points.length, 12);
    nth(vfs, POINT.SEQ_OPENED, 3, () => other.fs.renameSync("/a/b", "/z"));
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
    nth(vfs, POINT.COMPARED, 2, () => {
      other.fs.renameSync(`/a/${dir}`, "/z");
      other.fs.writeFileSync("/z/f", "");
    });
    const c = counted(() => assert.equal(walkCode(vfs, `/a/${dir}/f`), "ENOENT"));
    assert.equal(c.echildRestarts, 1);
  }
});

// Taken out: a miss starts the walk again instead of dropping at the directory.
test("row 50: a name that is not cached: the walk drops at its directory and asks the file system under its lock", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const asked = [];
  const nodes = { f: [2, S_IFREG] };
  const driver = flatDriver("plain", nodes);
  const { lookup } = driver;
  driver.lookup = (dir, name) => {
    asked.push([dir, name]);
    return lookup(dir, name);
  };
  mountDriver(vfs, driver);
  for (const [name, expected] of [
    ["f", undefined],
    ["none", "ENOENT"],
  ]) {
    asked.length = 0;
    let points;
    const c = counted(() => {
      points = vfs.points(() => assert.equal(walkCode(vfs, `/m/${name}`), expected));
    });
    assert.deepEqual(asked, [[1, name]]);
    assert.deepEqual([c.dropUncached, c.endedRef, c.echildRestarts], [1, 1, 0]);
    const [miss, drop, dropped, locked] = of(points, POINT.MISS, POINT.DROP, POINT.DROPPED, POINT.LOCKED_LOOKUP);
    assert.deepEqual(miss.slice(0, 2), [POINT.MISS, drop[2]]);
    assert.deepEqual(drop.slice(0, 2), [POINT.DROP, DROP.UNCACHED]);
    assert.deepEqual(dropped.slice(0, 2), [POINT.DROPPED, 1]);
    assert.deepEqual(locked.slice(0, 2), [POINT.LOCKED_LOOKUP, drop[2]]);
    const again = counted(() => assert.equal(walkCode(vfs, `/m/${name}`), expected));
    assert.deepEqual([again.dropUncached, again.endedRcu, asked.length], [0, 1, 1]);
  }
});

// Taken out, for each of the two names: a miss in a directory that is all in memory is no answer, and drops.
test("row 50: in a directory that is all in memory a miss is an answer of rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/d");
  for (const name of ["none", LONG]) {
    const c = counted(() => assert.equal(walkCode(vfs, `/d/${name}`), "ENOENT"));
    assert.deepEqual([c.dropUncached, c.endedRcu, c.missesValidated, c.echildRestarts], [0, 1, 1, 0], name);
  }
});

// Taken out, for each of the two names: the directory's sequence is not looked at after the miss.
test("row 50: a miss in a directory that has moved meanwhile is no answer", async (t) => {
  for (const name of ["f", LONG]) {
    const { vfs, attach, counted } = await treeFor(t);
    const other = await attach();
    vfs.fs.mkdirSync("/a/b", { recursive: true });
    vfs.fs.mkdirSync("/new");
    vfs.fs.writeFileSync(`/new/${name}`, "");
    // The path that is asked for exists before and after; what is missing is missed in the directory that left.
    vfs.fs.writeFileSync(`/a/b/${name}`, "");
    nth(vfs, POINT.COMPONENT, 3, () => {
      other.fs.renameSync("/a/b", "/old");
      other.fs.renameSync("/new", "/a/b");
      other.fs.unlinkSync(`/old/${name}`);
    });
    const c = counted(() => assert.equal(walkCode(vfs, `/a/b/${name}`), undefined));
    assert.equal(c.echildRestarts, 1);
  }
});

// Taken out: the walk stays in rcu mode while the hook is asked.
test("row 51: revalidation drops out of rcu mode with parent and child, then asks", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const asked = [];
  let good = true;
  let seen = () => [];
  const revalidate = (...args) => {
    asked.push([...args, seen()]);
    return good;
  };
  mountDriver(vfs, flatDriver("fresh", { f: [2, S_IFREG] }, { revalidate }));
  vfs.fs.statSync("/m/f");
  asked.length = 0;
  let dropped = 0;
  seen = () => dropped;
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

// Taken out: the child's sequence is not looked at when the drop takes its reference.
test("row 51: a name that changes before the drop is not revalidated under its old place", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  const asked = [];
  const nodes = { f: [2, S_IFREG] };
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

// Taken out: a negative entry drops the walk before ENOENT.
test("row 55: a cached name that stands for nothing is ENOENT in rcu mode", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  const nodes = {};
  const driver = flatDriver("made", nodes, {
    create: (_dir, name, mode) => {
      nodes[name] = [7, S_IFREG];
      return { ino: 7, mode };
    },
  });
  other.registerDriver(driver);
  mountDriver(vfs, driver);
  assert.equal(walkCode(vfs, "/m/none"), "ENOENT");
  let points;
  const c = counted(() => {
    points = vfs.points(() => assert.equal(walkCode(vfs, "/m/none"), "ENOENT"));
  });
  assert.deepEqual([c.endedRcu, c.echildRestarts, of(points, POINT.DROP).length], [1, 0, 0]);
  assert.equal(of(points, POINT.FOUND).length, 2);
  // It comes into being once it was found: whatever is answered then must be one or the other, whole.
  nth(vfs, POINT.PARENT_CHECK, 2, () => other.fs.writeFileSync("/m/none", ""));
  assert.ok(vfs.fs.statSync("/m/none").isFile());
});

/** The driver of the next test, as text: the worker registers it too. */
const MADE = `({
  name: "making",
  root: () => ({ ino: 1, mode: 0o040755 }),
  lookup: () => null,
  readlink: () => "/target",
  create: (_dir, _name, mode) => ({ ino: 5, mode }),
})`;

// Taken out: ref mode reads the inode before the flags that say what it is, or does not ask the flags whether there is one.
test("row 55: a name that is just coming into being is absent or whole, in ref mode too", async (t) => {
  const tree = await treeFor(t);
  const { vfs } = tree;
  vfs.fs.writeFileSync("/target", "12345");
  mountDriver(vfs, new Function(`return ${MADE}`)());
  assert.equal(walkCode(vfs, "/m/l"), "ENOENT");
  const walk = `vfs.registerDriver(${MADE}); vfs.walkMode({ ref: true }); return vfs.fs.statSync("/m/l").size;`;
  // The walk has found the entry that stands for nothing, and goes on while its inode is there and its type is not.
  const walker = await tree.parked(walk, POINT.FOUND, 2);
  let answer;
  vfs.at(POINT.INSTANTIATE, () => {
    answer = walker.release();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  });
  vfs.fs.symlinkSync("/target", "/m/l");
  const { value, code } = await answer;
  assert.ok(code === "ENOENT" || value === 5, `${code}, ${value}`);
  assert.equal(vfs.fs.statSync("/m/l").size, 5);
});

// Taken out, one at a time: ENOTDIR drops first; the entry's sequence is looked at neither at the step nor before the answer.
test("row 56: what is no directory is ENOTDIR in rcu mode, if it still is what it was", async (t) => {
  for (const name of ["f", LONG]) {
    const { vfs, counted } = await treeFor(t);
    const exchange = exchanger(t, vfs);
    vfs.fs.mkdirSync("/a");
    vfs.fs.writeFileSync(`/a/${name}`, "");
    vfs.fs.mkdirSync("/dir");
    vfs.fs.writeFileSync("/dir/x", "");
    const c = counted(() => assert.equal(walkCode(vfs, `/a/${name}/x`), "ENOTDIR"));
    assert.deepEqual([c.endedRcu, c.echildRestarts, c.endedRef], [1, 0, 0]);
    nth(vfs, POINT.FOUND, 2, () => exchange("/dir", `/a/${name}`));
    const d = counted(() => assert.equal(walkCode(vfs, `/a/${name}/x`), undefined));
    assert.equal(d.echildRestarts, 1);
  }
});
