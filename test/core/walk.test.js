/** The steps of a walk in rcu mode: names, dots, mounts, links, errors, and what each decision is checked against. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_FDCWD, DROP, POINT, RENAME_EXCHANGE } from "../../dist/abi.js";
import { Arena } from "../../dist/arena.js";
import { codeOf, debugTree } from "./lib/tree.js";

/** A name that a dentry keeps outside of itself: the general walk takes it, not the fast form for plain names. */
const LONG = "a-name-that-is-longer-than-a-dentry-has-room-for";
const DENTRY_COUNT = 68;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

async function treeFor(t, options) {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  return tree;
}

/** The action runs the `n`th time the walk of `vfs` passes the point. */
function nth(vfs, id, n, action) {
  vfs.at(id, n === 1 ? action : () => nth(vfs, id, n - 1, action));
}

/** One walk, also where it fails (the calls without a mode walk again for their error): undefined or the code. */
const look = (vfs, path) => codeOf(() => vfs.fs.accessSync(path, 0));

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
  const arena = Arena.attach(handle, { point: () => {} });
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

const of = (points, ...ids) => points.filter(([id]) => ids.includes(id));

/** A driver whose nodes are given as { name: [ino, mode] } for its root; `hooks` are added. */
function flatDriver(name, nodes, hooks = {}) {
  return {
    name,
    root: () => ({ ino: 1, mode: S_IFDIR | 0o755 }),
    lookup(_dir, wanted) {
      const node = nodes[wanted];
      return node === undefined ? null : { ino: node[0], mode: node[1] | 0o777 };
    },
    ...hooks,
  };
}

function mountDriver(vfs, driver) {
  vfs.registerDriver(driver);
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", driver.name);
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
        code = look(vfs, path);
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
  const c = counted(() => assert.equal(look(vfs, "/m/FILE"), undefined));
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
    const c = counted(() => assert.equal(look(vfs, `/a/b/${name}`), "ENOENT"));
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
      vfs.points(() => look(vfs, `/a/b/${name}`)),
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
    const c = counted(() => assert.equal(look(vfs, `/a/b/${name}`), "ENOENT"));
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
    const c = counted(() => assert.equal(look(vfs, `/a/${dir}/f`), "ENOENT"));
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
      points = vfs.points(() => assert.equal(look(vfs, `/m/${name}`), expected));
    });
    assert.deepEqual(asked, [[1, name]]);
    assert.deepEqual([c.dropUncached, c.endedRef, c.echildRestarts], [1, 1, 0]);
    const [miss, drop, dropped, locked] = of(points, POINT.MISS, POINT.DROP, POINT.DROPPED, POINT.LOCKED_LOOKUP);
    assert.deepEqual(miss.slice(0, 2), [POINT.MISS, drop[2]]);
    assert.deepEqual(drop.slice(0, 2), [POINT.DROP, DROP.UNCACHED]);
    assert.deepEqual(dropped.slice(0, 2), [POINT.DROPPED, 1]);
    assert.deepEqual(locked.slice(0, 2), [POINT.LOCKED_LOOKUP, drop[2]]);
    const again = counted(() => assert.equal(look(vfs, `/m/${name}`), expected));
    assert.deepEqual([again.dropUncached, again.endedRcu, asked.length], [0, 1, 1]);
  }
});

// Taken out, for each of the two names: a miss in a directory that is all in memory is no answer, and drops.
test("row 50: in a directory that is all in memory a miss is an answer of rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/d");
  for (const name of ["none", LONG]) {
    const c = counted(() => assert.equal(look(vfs, `/d/${name}`), "ENOENT"));
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
    const c = counted(() => assert.equal(look(vfs, `/a/b/${name}`), undefined));
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
  const c = counted(() => assert.equal(look(vfs, "/m/f"), undefined));
  assert.deepEqual(asked, [[1, 2, "f", false, 1]]);
  assert.deepEqual([c.dropRevalidate, c.endedRef, c.echildRestarts], [1, 1, 0]);
  good = false;
  const d = counted(() => assert.equal(look(vfs, "/m/f"), undefined));
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
  const c = counted(() => assert.equal(look(vfs, "/m/f"), "ENOENT"));
  assert.deepEqual([c.dropFailed, c.echildRestarts], [1, 1]);
  assert.ok(
    asked.every(([node]) => node === null),
    JSON.stringify(asked),
  );
});

// Taken out, one at a time: "." is a name like others; ".." leaves rcu mode.
test("row 52: '.' and '..' are walked in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  vfs.fs.writeFileSync("/a/f", "");
  const ino = vfs.fs.statSync("/a/f").ino;
  for (const path of ["/a/./f", "/a/b/../f", "/./a/b/.././b/../f", "/a/b/../b/../../a/f"]) {
    const c = counted(() => assert.equal(vfs.fs.statSync(path).ino, ino));
    assert.deepEqual([c.walks, c.endedRcu], [1, 1], path);
  }
});

// Taken out: ".." does not look at the sequence of the directory it leaves.
test("row 53: '..' from a directory that has just moved starts the walk again", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  vfs.at(POINT.DOTDOT, () => {
    other.fs.renameSync("/a/b", "/b");
    other.fs.writeFileSync("/a/f", "");
  });
  // While b was in a there was no f in it.
  const c = counted(() => assert.equal(look(vfs, "/a/b/../f"), "ENOENT"));
  assert.equal(c.echildRestarts, 1);
});

// Taken out: the parent's sequence is opened after the child's was checked, not before.
test("row 53: '..' goes on with the parent's sequence of before the check", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  vfs.at(POINT.DOTDOT, () => {
    other.fs.renameSync("/a", "/z");
    other.fs.writeFileSync("/z/f", "");
  });
  const c = counted(() => assert.equal(look(vfs, "/a/b/../f"), "ENOENT"));
  assert.equal(c.echildRestarts, 1);
});

// Taken out: the walk does not compare where it is with its root.
test("row 53: '..' at the root stays there, in both modes", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/a/b/c", { recursive: true });
  const agent = vfs.context({ root: "/a/b" });
  const inside = vfs.fs.statSync("/a/b").ino;
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    for (const path of ["/..", "/../..", "../..", "/c/../..", "/c/../../../c/.."]) {
      const c = counted(() => assert.equal(agent.fs.statSync(path).ino, inside, path));
      assert.equal(c.endedRcu, ref ? 0 : 1);
    }
    assert.equal(look(agent, "/../a"), "ENOENT");
  }
});

// Taken out, one at a time: only one mount is climbed; the mount point's sequence is not taken over.
test("row 54: '..' at the root of mounts on top of each other leads below them all, in both modes", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/a/first", { recursive: true });
  // Its sequence should not be that of a fresh root by chance.
  vfs.fs.renameSync("/a/first", "/a/second");
  vfs.fs.renameSync("/a/second", "/a/m");
  for (let n = 0; n < 3; n++) vfs.mount(null, "/a/m", "tmpfs");
  const below = vfs.fs.statSync("/a");
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    const c = counted(() => {
      const { ino, dev } = vfs.fs.statSync("/a/m/..");
      assert.deepEqual([ino, dev], [below.ino, below.dev]);
    });
    assert.deepEqual([c.endedRcu, c.echildRestarts], [ref ? 0 : 1, 0]);
  }
});

// Taken out: after ".." nothing is followed down (in each mode separately).
test("row 54: '..' onto a directory that is mounted over goes into the mount, in both modes", async (t) => {
  const { vfs } = await treeFor(t);
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  const agent = vfs.context({ cwd: "/a/b" });
  vfs.mount(null, "/a", "tmpfs");
  const over = vfs.fs.statSync("/a");
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    const { ino, dev } = agent.fs.statSync("..");
    assert.deepEqual([ino, dev], [over.ino, over.dev], `ref ${ref}`);
  }
});

// Taken out: the mount sequence is looked at neither when climbing nor at the end.
test("row 54: a mount that is moved away under '..' starts the walk again", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  vfs.fs.mkdirSync("/a/m", { recursive: true });
  vfs.fs.mkdirSync("/b/m", { recursive: true });
  vfs.mount(null, "/a/m", "tmpfs");
  vfs.at(POINT.MOUNT_UP, () => {
    other.mount("/a/m", "/b/m", "bind", { move: true });
    other.fs.writeFileSync("/a/f", "");
  });
  // While the mount was in a there was no f in it.
  const agent = vfs.context({ cwd: "/a/m" });
  vfs.fs.writeFileSync("/b/f", "in b");
  const c = counted(() => assert.equal(agent.fs.statSync("../f").size, 4));
  assert.equal(c.echildRestarts, 1);
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
  assert.equal(look(vfs, "/m/none"), "ENOENT");
  let points;
  const c = counted(() => {
    points = vfs.points(() => assert.equal(look(vfs, "/m/none"), "ENOENT"));
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
  assert.equal(look(vfs, "/m/l"), "ENOENT");
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
    const c = counted(() => assert.equal(look(vfs, `/a/${name}/x`), "ENOTDIR"));
    assert.deepEqual([c.endedRcu, c.echildRestarts, c.endedRef], [1, 0, 0]);
    nth(vfs, POINT.FOUND, 2, () => exchange("/dir", `/a/${name}`));
    const d = counted(() => assert.equal(look(vfs, `/a/${name}/x`), undefined));
    assert.equal(d.echildRestarts, 1);
  }
});

/** Reference counts of the dentries that some paths lead to. */
function counts(vfs, paths) {
  const view = new DataView(vfs.handle.memory.buffer);
  return paths.map((path) => {
    const points = vfs.points(() => look(vfs, path));
    return view.getInt32(of(points, POINT.ANSWER)[0][2] + DENTRY_COUNT, true);
  });
}

// Taken out: the link is followed without leaving rcu mode.
test("row 57: a link on the way: out of rcu mode with references on link and directory, then its body", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  vfs.fs.writeFileSync("/a/b/f", "");
  vfs.fs.symlinkSync("b", "/a/l");
  vfs.fs.symlinkSync("/a/l", "/top");
  const held = () => counts(vfs, ["/", "/a", "/a/b", "/a/b/f"]);
  const before = held();
  for (const [path, links] of [
    ["/a/l/f", 1],
    ["/top/f", 2],
    ["/a/l/../l/f", 2],
  ]) {
    let points;
    const c = counted(() => {
      points = vfs.points(() => assert.equal(look(vfs, path), undefined));
    });
    assert.deepEqual([c.dropLink, c.endedRef, c.echildRestarts], [1, 1, 0], path);
    const steps = of(points, POINT.DROP, POINT.DROPPED, POINT.LINK).map(([id]) => id);
    assert.deepEqual(steps, [POINT.DROP, POINT.DROPPED, ...Array(links).fill(POINT.LINK)], path);
  }
  assert.deepEqual(held(), before);
});

// Taken out: a link at the end is followed whatever was asked.
test("row 58: a link at the end is followed as the call says, and only then drops", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { fs } = vfs;
  fs.mkdirSync("/d");
  fs.writeFileSync("/f", "12");
  fs.symlinkSync("f", "/l");
  fs.symlinkSync("d", "/ld");
  const stay = counted(() => assert.ok(fs.lstatSync("/l").isSymbolicLink()));
  assert.deepEqual([stay.dropLink, stay.endedRcu], [0, 1]);
  const go = counted(() => assert.equal(fs.statSync("/l").size, 2));
  assert.deepEqual([go.dropLink, go.endedRef], [1, 1]);
  // A slash behind it asks for what it leads to.
  const slash = counted(() => assert.ok(fs.lstatSync("/ld/").isDirectory()));
  assert.equal(slash.dropLink, 1);
  assert.equal(
    codeOf(() => fs.openSync("/l", fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)),
    "ELOOP",
  );
});

// Taken out: nobody asks at the end whether it is a directory; and separately: a slash at the end does not ask for one.
test("row 59: where a directory is asked for, anything else is ENOTDIR, in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { fs } = vfs;
  fs.mkdirSync("/d");
  fs.writeFileSync("/f", "");
  fs.symlinkSync("f", "/l");
  fs.symlinkSync("d", "/ld");
  const c = counted(() => {
    assert.equal(look(vfs, "/f/"), "ENOTDIR");
    assert.equal(look(vfs, "/f//"), "ENOTDIR");
    assert.equal(look(vfs, "/d/"), undefined);
    assert.equal(
      codeOf(() => fs.openSync("/f", fs.constants.O_DIRECTORY)),
      "ENOTDIR",
    );
  });
  assert.deepEqual([c.endedRcu, c.echildRestarts], [4, 0]);
  assert.equal(look(vfs, "/l/"), "ENOTDIR");
  assert.equal(look(vfs, "/ld/"), undefined);
  const context = vfs.context();
  for (const call of ["chdir", "chroot"]) {
    assert.equal(
      codeOf(() => context[call]("/f")),
      "ENOTDIR",
    );
  }
});

// Taken out: a walk that ends in a jump is never asked about; and separately: a stale answer is not ESTALE.
test("row 60: a walk that ends in '.', '..' or '/' on a file system that wants it is revalidated in ref mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const asked = [];
  let good = true;
  const hooks = {
    revalidateDots: true,
    revalidate: (dir, node, name, reval) => {
      asked.push([dir, node, name, reval]);
      return good;
    },
  };
  mountDriver(vfs, flatDriver("dots", { d: [2, S_IFDIR] }, hooks));
  vfs.fs.statSync("/m/d");
  const agent = vfs.context({ cwd: "/m/d" });
  const chrooted = vfs.context({ root: "/m" });
  const ends = [
    [agent, ".", 2],
    [agent, "..", 1],
    [vfs, "/m/.", 1],
    [chrooted, "/", 1],
  ];
  for (const [who, path, node] of ends) {
    asked.length = 0;
    const c = counted(() => assert.equal(look(who, path), undefined));
    assert.deepEqual([c.dropRevalDot, c.endedRef, c.echildRestarts], [1, 1, 0], path);
    assert.deepEqual(
      asked.map(([, asking, , reval]) => [asking, reval]),
      [[node, false]],
      path,
    );
  }
  good = false;
  asked.length = 0;
  const stale = counted(() => assert.equal(look(agent, "."), "ESTALE"));
  assert.equal(stale.estaleRestarts, 1);
  assert.deepEqual(
    asked.map(([, , , reval]) => reval),
    [false, true],
  );
  // A name at the end is not a jump; and a file system that does not want it is not asked.
  good = true;
  const named = counted(() => look(vfs, "/m/d"));
  assert.deepEqual([named.dropRevalDot, named.dropRevalidate], [0, 1]);
});

// Taken out: a walk that fails in rcu mode drops references that it never took.
test("row 61: a walk that fails in rcu mode puts nothing", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { fs } = vfs;
  fs.mkdirSync("/a/b/secret", { recursive: true });
  fs.mkdirSync("/mnt");
  fs.chmodSync("/a/b/secret", 0o700);
  fs.writeFileSync("/a/f", "");
  vfs.mount(null, "/mnt", "tmpfs");
  fs.mkdirSync("/mnt/x");
  fs.writeFileSync("/mnt/x/f", "");
  const agent = vfs.context({ uid: 3, gid: 3 });
  const held = () => counts(vfs, ["/", "/a", "/a/b", "/a/b/secret", "/a/f", "/mnt", "/mnt/x", "/mnt/x/f"]);
  const before = held();
  const failing = [
    ["/a/none", "ENOENT"],
    ["/a/none/x", "ENOENT"],
    ["/a/f/x", "ENOTDIR"],
    ["/a/f/", "ENOTDIR"],
    ["/mnt/x/f/y", "ENOTDIR"],
    ["/mnt/x/none", "ENOENT"],
    ["/a/b/secret/x", "EACCES"],
    [`/mnt/x/${"n".repeat(256)}`, "ENAMETOOLONG"],
  ];
  for (let n = 0; n < 5; n++) {
    for (const [path, code] of failing) {
      const c = counted(() => assert.equal(look(agent, path), code));
      assert.equal(c.endedRcu, 1, path);
    }
  }
  assert.deepEqual(held(), before);
  vfs.umount("/mnt");
});

// Taken out: the count of links goes on from the attempt before.
test("row 62: every attempt counts its links from none: 40 are followed after a restart, 41 are not", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/f", "");
  for (let n = 0; n < 20; n++) {
    vfs.fs.symlinkSync(n === 19 ? "d" : `dir${n + 1}`, `/dir${n}`);
    vfs.fs.symlinkSync(n === 19 ? "f" : `end${n + 1}`, `/d/end${n}`);
  }
  vfs.fs.symlinkSync("end0", "/d/more");
  const restarted = (path) => {
    vfs.at(POINT.UNLAZY_HALF, () => {
      other.fs.renameSync("/dir0", "/aside");
      other.fs.renameSync("/aside", "/dir0");
    });
    let code;
    const c = counted(() => {
      code = look(vfs, path);
    });
    assert.deepEqual([c.dropLink, c.dropFailed, c.echildRestarts], [1, 1, 1]);
    return code;
  };
  assert.equal(restarted("/dir0/end0"), undefined);
  assert.equal(restarted("/dir0/more"), "ELOOP");
  assert.equal(look(vfs, "/dir0/end0"), undefined);
});

// Taken out: a walk that was given up with links on its stack leaves its count to the next.
test("row 62: a walk after one that ended in ELOOP has all its links again", async (t) => {
  const { vfs } = await treeFor(t);
  vfs.fs.writeFileSync("/f", "");
  vfs.fs.symlinkSync("loop", "/loop");
  for (let n = 0; n < 40; n++) vfs.fs.symlinkSync(n === 39 ? "f" : `l${n + 1}`, `/l${n}`);
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    for (let n = 0; n < 3; n++) {
      assert.equal(look(vfs, "/loop"), "ELOOP");
      assert.equal(look(vfs, "/l0"), undefined);
    }
  }
});
