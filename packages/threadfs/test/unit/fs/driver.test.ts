/** Drivers: when the walk calls each hook, with which arguments, and at what cost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { POINT, S_IFDIR, S_IFLNK, S_IFREG } from "../../../dist/abi/abi.js";
import type { Driver } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import {
  argumentsOf,
  type HookCall,
  type MemoryFileSystem,
  memoryDriver,
  mountDriver,
  ROOT,
  walkCode,
} from "../../support/drivers/memory-driver.js";
import { codeOf, errorWithCode } from "../../support/errors.js";

// Fails when the flags that hooks put on dentries and inodes are set although the driver has none.
test("a driver of root and lookup alone costs nothing once its entries are cached", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("plain", ["lookup"]);
  const dir = make(ROOT, "d", S_IFDIR | 0o755);
  make(dir, "f", S_IFREG | 0o644, { text: "abc" });
  mountDriver(vfs, driver);
  const first = counted(() => assert.equal(vfs.fs.statSync("/m/d/f").size, 3));
  assert.deepEqual([first.dropUncached, first.endedRef], [1, 1]);
  assert.deepEqual(calls, [
    ["lookup", ROOT, "d"],
    ["lookup", dir, "f"],
  ]);
  calls.length = 0;
  const agent = vfs.context({ uid: 5, gid: 5 });
  const c = counted(() => {
    for (let n = 0; n < 10; n++) assert.equal(agent.fs.statSync("/m/d/../d/f").size, 3);
  });
  assert.deepEqual([c.walks, c.endedRcu, c.dropUncached, c.echildRestarts], [10, 10, 0, 0]);
  assert.deepEqual(calls, []);
});

// Fails when a name that does not exist is not kept in the cache.
test("lookup: null and undefined mean ENOENT, the absence is cached, attributes reach the caller", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls } = memoryDriver("plain", ["lookup"]);
  mountDriver(vfs, driver);
  // A JavaScript driver may return undefined, which the type does not allow.
  driver.on.lookup = (_dir, name) => (name === "x" ? (undefined as unknown as null) : null);
  for (const name of ["x", "y"]) {
    for (let n = 0; n < 3; n++) assert.equal(walkCode(vfs, `/m/${name}`), "ENOENT");
  }
  assert.deepEqual(argumentsOf(calls, "lookup"), [
    [ROOT, "x"],
    [ROOT, "y"],
  ]);
  const given = { ino: 2 ** 53 - 1, mode: S_IFREG | 0o4750, uid: 7, gid: 8, nlink: 3, size: 2 ** 40, mtimeMs: 1234.5 };
  driver.on.lookup = () => given;
  const { ino, mode, uid, gid, nlink, size, mtimeMs } = vfs.fs.statSync("/m/all");
  assert.deepEqual({ ino, mode, uid, gid, nlink, size, mtimeMs }, given);
});

// Fails when the core takes the numbers of a node unchecked.
test("lookup: attributes out of range mean EIO, and nothing is cached", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver } = memoryDriver("plain", ["lookup"]);
  mountDriver(vfs, driver);
  const good = { ino: 2, mode: S_IFREG | 0o644 };
  for (const wrong of [
    { ino: -1 },
    { ino: 1.5 },
    { ino: 2 ** 53 },
    { mode: 0o644 },
    { mode: S_IFREG + 2 ** 32 },
    { mode: -1 },
    { mode: 0o170644 },
    { uid: -1 },
    { uid: 2 ** 32 },
    { uid: Number.NaN },
    { gid: 1.5 },
    { gid: 2 ** 32 - 1 },
    { nlink: -1 },
    { nlink: 2 ** 31 },
    { size: -1 },
    { size: Number.NaN },
    { mtimeMs: Infinity },
  ]) {
    driver.on.lookup = () => ({ ...good, ...wrong });
    assert.equal(walkCode(vfs, "/m/f"), "EIO", JSON.stringify(wrong));
  }
  driver.on.lookup = () => good;
  assert.equal(walkCode(vfs, "/m/f"), undefined);
});

// Fails when mount() does not check that the root is a directory.
test("mount: the result of root() decides whether the mount succeeds", async (t) => {
  const { vfs } = await treeFor(t);
  vfs.fs.mkdirSync("/m");
  let root = (): ReturnType<Driver["root"]> => ({ ino: 1, mode: S_IFREG | 0o644 });
  vfs.registerDriver({ name: "rooted", root: () => root() });
  const tried = () => codeOf(() => vfs.mount(null, "/m", "rooted"));
  assert.equal(tried(), "ENOTDIR");
  root = () => {
    throw errorWithCode("EROFS");
  };
  assert.equal(tried(), "EROFS");
  root = () => ({ ino: 1, mode: S_IFDIR });
  assert.equal(tried(), undefined);
  vfs.umount("/m");
  vfs.unregisterDriver("rooted");
});

// Fails when a negative entry is taken for a match without an inode, or when the hook is called for it in rcu mode.
test("compare: it is called for a negative entry in ref mode only, with null for its node", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("folding", ["lookup", "hash", "compare"]);
  make(ROOT, "file", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  assert.equal(walkCode(vfs, "/m/none"), "ENOENT");
  calls.length = 0;
  const c = counted(() => assert.equal(walkCode(vfs, "/m/NONE"), "ENOENT"));
  assert.equal(c.dropUncached, 1);
  assert.ok(argumentsOf(calls, "compare").some(([, node]) => node === null));
  assert.deepEqual(argumentsOf(calls, "lookup"), []);
  vfs.fs.statSync("/m/file");
  const hit = counted(() => assert.equal(vfs.fs.statSync("/m/FiLe").isFile(), true));
  assert.equal(hit.endedRcu, 1);
});

// Fails when only names of one length are compared.
test("hash and compare: names of different lengths can be equal", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("dotted", ["lookup", "hash", "compare"]);
  const bare = (name: string) => name.replace(/\.+$/, "");
  driver.on = { hash: (_dir, name) => bare(name).length, compare: (_dir, _node, a, b) => bare(a) === bare(b) };
  const file = make(ROOT, "file", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  assert.equal(walkCode(vfs, "/m/file"), undefined);
  calls.length = 0;
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    const c = counted(() => assert.equal(vfs.fs.statSync("/m/file...").ino, file));
    assert.deepEqual([c.endedRcu, argumentsOf(calls, "lookup").length], [ref ? 0 : 1, 0]);
  }
});

// Fails when a name that cannot be decoded throws through the hook.
test("hash and compare: a name that is not UTF-8 matches no entry and causes no exception", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, make } = memoryDriver("folding", ["lookup", "hash", "compare"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  assert.equal(walkCode(vfs, "/m/f"), undefined);
  const path = Buffer.concat([Buffer.from("/m/"), Buffer.from([0xff, 0xfe])]);
  assert.equal(
    codeOf(() => vfs.fs.statSync(path)),
    "ENOENT",
  );
  assert.equal(walkCode(vfs, "/m/F"), undefined);
});

// Fails when a stale entry leads to ENOENT instead of a lookup.
test("revalidate: a driver that calls every other entry stale never makes a file vanish", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("moody", ["lookup", "revalidate"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  let n = 0;
  driver.on.revalidate = () => ++n % 2 === 0;
  for (let k = 0; k < 20; k++) assert.equal(walkCode(vfs, "/m/f"), undefined);
  assert.ok(argumentsOf(calls, "lookup").length >= 8);
  assert.deepEqual(
    new Set(argumentsOf(calls, "revalidate").map((args) => JSON.stringify(args))),
    new Set(['[1,2,"f",false]']),
  );
});

// An entry that another thread has added, found under the lock, may be stale as well: that does not mean ENOENT.
test("revalidate: an entry found stale again under the lock is looked up in the file system", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const { driver, calls, make } = memoryDriver("moody", ["lookup", "revalidate"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  other.registerDriver(driver);
  vfs.fs.statSync("/m/f");
  driver.on.revalidate = () => false;
  calls.length = 0;
  vfs.at(POINT.LOCKED_LOOKUP, () => other.fs.statSync("/m/f"));
  assert.equal(walkCode(vfs, "/m/f"), undefined);
  assert.deepEqual([argumentsOf(calls, "lookup").length, argumentsOf(calls, "revalidate").length], [2, 2]);
});

// Fails when rcu mode returns ENOENT for an entry without an inode before it is revalidated.
test("revalidate: a negative entry found stale is looked up again", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("moody", ["lookup", "revalidate"]);
  mountDriver(vfs, driver);
  assert.equal(walkCode(vfs, "/m/late"), "ENOENT");
  make(ROOT, "late", S_IFREG | 0o644);
  assert.equal(walkCode(vfs, "/m/late"), "ENOENT");
  assert.deepEqual(argumentsOf(calls, "revalidate").at(-1), [ROOT, null, "late", false]);
  driver.on.revalidate = () => false;
  assert.equal(walkCode(vfs, "/m/late"), undefined);
});

// Fails when the hook's last argument does not say that this is the second walk.
test("revalidate: ESTALE leads to one more walk, whose calls say so", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("moody", ["lookup", "revalidate"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  vfs.fs.statSync("/m/f");
  calls.length = 0;
  driver.on.revalidate = (_dir, _node, _name, reval) => {
    if (!reval) throw errorWithCode("ESTALE");
    return true;
  };
  const c = counted(() => assert.equal(walkCode(vfs, "/m/f"), undefined));
  assert.equal(c.estaleRestarts, 1);
  assert.deepEqual(
    argumentsOf(calls, "revalidate").map(([, , , reval]) => reval),
    [false, true],
  );
});

// Fails when the attributes that revalidate() returns are not taken, or when those of another node are.
test("revalidate: attributes that it returns are the node's; those of another node or type drop the entry", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("sized", ["lookup", "revalidate"]);
  const file = make(ROOT, "f", S_IFREG | 0o644, { text: "abc" });
  const dir = make(ROOT, "d", S_IFDIR | 0o755);
  make(dir, "g", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  const agent = vfs.context({ uid: 5, gid: 5 });
  assert.deepEqual([vfs.fs.statSync("/m/f").size, walkCode(agent, "/m/d/g")], [3, undefined]);
  let node = { ino: file, mode: S_IFREG | 0o600, uid: 7, gid: 8, nlink: 2, size: 99, mtimeMs: 1500 };
  driver.on.revalidate = (_dir, ino) => (ino === file ? node : true);
  calls.length = 0;
  const { ino, mode, uid, gid, nlink, size, mtimeMs } = vfs.fs.statSync("/m/f");
  assert.deepEqual({ ino, mode, uid, gid, nlink, size, mtimeMs }, node);
  assert.deepEqual(argumentsOf(calls, "lookup"), []);
  for (const other of [{ ino: file + 1000 }, { mode: S_IFDIR | 0o755 }]) {
    node = { ...node, ...other };
    calls.length = 0;
    vfs.fs.statSync("/m/f");
    assert.ok(argumentsOf(calls, "lookup").length > 0, JSON.stringify(other));
  }
  // A mode that closes a directory holds for the walk that learns of it.
  driver.on.revalidate = (_dir, ino) => (ino === dir ? { ino: dir, mode: S_IFDIR | 0o700 } : true);
  assert.equal(walkCode(agent, "/m/d/g"), "EACCES");
  // A name that did not exist, and does now.
  assert.equal(walkCode(vfs, "/m/late"), "ENOENT");
  const late = make(ROOT, "late", S_IFREG | 0o644);
  driver.on.revalidate = () => ({ ino: late, mode: S_IFREG | 0o644 });
  assert.equal(vfs.fs.statSync("/m/late").ino, late);
});

test("root: it gets the source of the mount", async (t) => {
  const { vfs } = await treeFor(t);
  const sources: unknown[] = [];
  vfs.registerDriver({
    name: "sourced",
    root(source) {
      sources.push(source);
      return { ino: 1 + sources.length, mode: S_IFDIR | 0o755 };
    },
  });
  const bytes = Buffer.from("bytes");
  for (const [n, source] of ["one", null, bytes].entries()) {
    vfs.fs.mkdirSync(`/m${n}`);
    vfs.mount(source, `/m${n}`, "sourced");
  }
  assert.deepEqual(sources, ["one", null, bytes]);
});

// Fails when the mask is always the same access instead of the one wanted.
test("permission: it is called with the mask wanted, for directories on the path and for the file", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("guarded", ["lookup", "permission", "create", "unlink", "readdir"]);
  const dir = make(ROOT, "d", S_IFDIR | 0o755);
  const file = make(dir, "f", S_IFREG | 0o000);
  mountDriver(vfs, driver);
  const { constants } = vfs.fs;
  const asked = (run: () => unknown) => {
    calls.length = 0;
    run();
    return argumentsOf(calls, "permission");
  };
  const way = [
    [ROOT, 1],
    [dir, 1],
  ];
  assert.deepEqual(
    asked(() => vfs.fs.statSync("/m/d/f")),
    way,
  );
  for (const mask of [1, 2, 4, 6]) {
    assert.deepEqual(
      asked(() => vfs.fs.accessSync("/m/d/f", mask)),
      [...way, [file, mask]],
    );
  }
  assert.deepEqual(asked(() => vfs.fs.closeSync(vfs.fs.openSync("/m/d/f", constants.O_RDONLY))).at(-1), [file, 4]);
  assert.deepEqual(asked(() => vfs.fs.mkdirSync("/m/d/new")).at(-1), [dir, 3]);
  driver.on.permission = (node) => {
    if (node === dir) throw errorWithCode("EPERM");
  };
  assert.equal(walkCode(vfs, "/m/d/f"), "EPERM");
});

// Fails when the hook is called in rcu mode, or for the owner.
test("checkAcl: it is called in ref mode, with node and mask, for every user but the owner", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("listed", ["lookup", "checkAcl"]);
  const dir = make(ROOT, "d", S_IFDIR | 0o755, { uid: 7 });
  make(dir, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  vfs.fs.statSync("/m/d/f");
  const inside = (uid: number) => {
    const who = vfs.context({ uid, gid: uid, cwd: "/m/d" });
    calls.length = 0;
    return counted(() => assert.equal(walkCode(who, "f"), undefined));
  };
  const owner = inside(7);
  assert.deepEqual([owner.dropPermission, owner.endedRcu, calls], [0, 1, []]);
  const other = inside(8);
  assert.deepEqual([other.dropPermission, other.endedRef, calls], [1, 1, [["checkAcl", dir, 1]]]);
  driver.on.checkAcl = () => false;
  assert.equal(walkCode(vfs.context({ uid: 8, gid: 8, cwd: "/m/d" }), "f"), "EACCES");
});

// Fails when putLink goes to the driver that the link leads to, or is called never or twice.
test("readlink and putLink: each body is released once, to the file system of the link", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const here = memoryDriver("here", ["lookup", "readlink", "putLink"]);
  const there = memoryDriver("there", ["lookup", "readlink", "putLink"]);
  const link = here.make(ROOT, "l", S_IFLNK | 0o777, { target: "/there/d" });
  const again = here.make(ROOT, "ll", S_IFLNK | 0o777, { target: "l/../d/f" });
  here.make(ROOT, "dead", S_IFLNK | 0o777, { target: "/there/none" });
  const dir = there.make(ROOT, "d", S_IFDIR | 0o755);
  there.make(dir, "f", S_IFREG | 0o644, { text: "text" });
  mountDriver(vfs, here.driver, "/here");
  mountDriver(vfs, there.driver, "/there");
  const linkCalls = ({ calls }: MemoryFileSystem) => calls.splice(0).filter(([hook]) => hook !== "lookup");
  const expected: [path: string, code: string | undefined, hooks: HookCall[]][] = [
    [
      "/here/l",
      undefined,
      [
        ["readlink", link],
        ["putLink", link],
      ],
    ],
    [
      "/here/l/f",
      undefined,
      [
        ["readlink", link],
        ["putLink", link],
      ],
    ],
    [
      "/here/ll",
      undefined,
      [
        ["readlink", again],
        ["readlink", link],
        ["putLink", link],
        ["putLink", again],
      ],
    ],
    [
      "/here/l/none",
      "ENOENT",
      [
        ["readlink", link],
        ["putLink", link],
      ],
    ],
    [
      "/here/l/f/x",
      "ENOTDIR",
      [
        ["readlink", link],
        ["putLink", link],
      ],
    ],
  ];
  for (const [path, code, hooks] of expected) {
    for (let n = 0; n < 2; n++) {
      const c = counted(() => assert.equal(walkCode(vfs, path), code, path));
      if (n === 1) assert.deepEqual([c.dropLink, c.dropUncached, c.echildRestarts], [1, 0, 0], path);
      assert.deepEqual(linkCalls(here), hooks, path);
      assert.deepEqual(linkCalls(there), [], path);
    }
  }
  assert.equal(walkCode(vfs, "/here/dead"), "ENOENT");
  assert.equal(linkCalls(here).length, 2);
  assert.equal(vfs.fs.readlinkSync("/here/l"), "/there/d");
  assert.deepEqual(linkCalls(here), [
    ["readlink", link],
    ["putLink", link],
  ]);
  const lstat = counted(() => assert.ok(vfs.fs.lstatSync("/here/l").isSymbolicLink()));
  assert.deepEqual([linkCalls(here), lstat.endedRcu], [[], 1]);
});

// Fails when an empty body is followed, or a body of 4096 bytes is.
test("readlink: after an error, an empty body, one too long, and in a loop, putLink is called only for a body", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("linked", ["lookup", "readlink", "putLink"]);
  make(ROOT, "l", S_IFLNK | 0o777, { target: "" });
  mountDriver(vfs, driver);
  const balanced = () => argumentsOf(calls, "readlink").length - argumentsOf(calls, "putLink").length;
  driver.on.readlink = () => {
    throw errorWithCode("EIO");
  };
  assert.equal(walkCode(vfs, "/m/l"), "EIO");
  assert.equal(balanced(), 1);
  driver.on.readlink = () => "x".repeat(4096);
  assert.equal(walkCode(vfs, "/m/l"), "ENAMETOOLONG");
  assert.equal(balanced(), 2);
  calls.length = 0;
  driver.on.readlink = () => "";
  assert.equal(walkCode(vfs, "/m/l"), "ENOENT");
  driver.on.readlink = () => "l";
  assert.equal(walkCode(vfs, "/m/l"), "ELOOP");
  assert.equal(argumentsOf(calls, "readlink").length, 41);
  assert.equal(balanced(), 0);
  const { driver: bare, make: makeBare } = memoryDriver("bare", ["lookup"]);
  makeBare(ROOT, "l", S_IFLNK | 0o777);
  mountDriver(vfs, bare, "/bare");
  assert.equal(walkCode(vfs, "/bare/l"), "EINVAL");
});

// Fails when dropping the last reference on an inode does not call its driver.
test("iput: it is called once for each node, when the tree has dropped it", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("kept", ["lookup", "iput", "unlink"]);
  const nodes = ["a", "b", "c"].map((name) => make(ROOT, name, S_IFREG | 0o644));
  mountDriver(vfs, driver);
  for (const name of ["a", "b", "c"]) vfs.fs.statSync(`/m/${name}`);
  assert.deepEqual(argumentsOf(calls, "iput"), []);
  vfs.fs.unlinkSync("/m/a");
  assert.deepEqual(argumentsOf(calls, "iput"), [[nodes[0], 1]]);
  const fd = vfs.fs.openSync("/m/b", "r");
  vfs.shrink(1000);
  vfs.shrink(1000);
  assert.deepEqual(
    argumentsOf(calls, "iput").map(([node]) => node),
    [nodes[0], nodes[2]],
  );
  vfs.fs.closeSync(fd);
  vfs.umount("/m");
  assert.deepEqual(
    argumentsOf(calls, "iput")
      .map(([node]) => node)
      .sort(),
    [ROOT, ...nodes].sort(),
  );
});

// Fails when the hook is not called for the last reference.
test("deleteUnused: an entry that it gives up is looked up again, one that it keeps is not", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = memoryDriver("fleeting", ["lookup", "deleteUnused"]);
  const file = make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  const lookups = (path: string) => {
    calls.length = 0;
    for (let n = 0; n < 3; n++) walkCode(vfs, path);
    return argumentsOf(calls, "lookup").length;
  };
  assert.equal(lookups("/m/f"), 1);
  assert.deepEqual(argumentsOf(calls, "deleteUnused")[0], [file, "f"]);
  driver.on.deleteUnused = () => true;
  // A walk in rcu mode takes no reference: the entry is dropped once a walk in ref mode has.
  vfs.fs.closeSync(vfs.fs.openSync("/m/f", "r"));
  vfs.walkMode({ ref: true });
  assert.equal(lookups("/m/f"), 3);
  assert.equal(lookups("/m/none"), 3);
  assert.deepEqual(argumentsOf(calls, "deleteUnused")[0], [null, "none"]);
});
