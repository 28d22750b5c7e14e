/** Drivers: when each hook is called and with what, what it costs the walk, and what a hook may do wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { POINT } from "../../dist/abi.js";
import { codeOf, debugTree } from "./lib/tree.js";

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const ROOT = 1;

async function treeFor(t, options) {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  return tree;
}

/** One walk, also where it fails. */
const look = (who, path) => codeOf(() => who.fs.accessSync(path, 0));
const error = (code) => Object.assign(new Error(code), { code });

/**
 * A small file system in a Map: ino -> { mode, names (of a directory), text, target }. Answers the driver with the hooks
 * named, and `calls`, what was called with which arguments.
 */
function toyDriver(name, hookNames) {
  const nodes = new Map([[ROOT, { mode: S_IFDIR | 0o755, names: {} }]]);
  const calls = [];
  let last = ROOT;
  const attributes = (ino) => {
    const { mode, text = "", uid = 0, gid = 0, mtimeMs = 0 } = nodes.get(ino);
    return { ino, mode, uid, gid, mtimeMs, size: text.length };
  };
  const make = (dir, entry, mode, more = {}) => {
    const ino = ++last;
    nodes.set(ino, { mode, ...((mode & S_IFMT) === S_IFDIR ? { names: {} } : {}), ...more });
    nodes.get(dir).names[entry] = ino;
    return ino;
  };
  const hooks = {
    lookup: (dir, entry) => (entry in nodes.get(dir).names ? attributes(nodes.get(dir).names[entry]) : null),
    hash: (_dir, entry) => entry.length,
    compare: (_dir, _node, cached, wanted) => cached.toLowerCase() === wanted.toLowerCase(),
    revalidate: () => true,
    permission: () => {},
    checkAcl: () => undefined,
    readlink: (node) => nodes.get(node).target,
    putLink: () => {},
    iput: () => {},
    deleteUnused: () => false,
    readdir: (node) =>
      Object.entries(nodes.get(node).names).map(([entry, ino]) => ({ name: entry, ino, mode: nodes.get(ino).mode })),
    read: (node, offset, into) => {
      const bytes = new TextEncoder().encode(nodes.get(node).text ?? "").subarray(offset, offset + into.length);
      into.set(bytes);
      return bytes.length;
    },
    write: (node, offset, data) => {
      const file = nodes.get(node);
      const text = file.text ?? "";
      file.text = text.slice(0, offset) + new TextDecoder().decode(data) + text.slice(offset + data.length);
      return data.length;
    },
    create: (dir, entry, mode, target) => attributes(make(dir, entry, mode, { target })),
    unlink: (dir, _node, entry) => {
      delete nodes.get(dir).names[entry];
    },
    setattr: (node, { mode, uid, gid, size, mtimeMs }) => {
      const file = nodes.get(node);
      if (mode !== undefined) file.mode = (file.mode & S_IFMT) | mode;
      if (uid !== undefined) Object.assign(file, { uid, gid });
      if (size !== undefined) file.text = (file.text ?? "").slice(0, size).padEnd(size, "\0");
      if (mtimeMs !== undefined) file.mtimeMs = mtimeMs;
      return attributes(node);
    },
  };
  const driver = { name, root: () => attributes(ROOT) };
  for (const hook of hookNames) {
    driver[hook] = (...args) => {
      calls.push([hook, ...args.map((arg) => (arg instanceof Uint8Array ? arg.length : arg))]);
      return (driver.on?.[hook] ?? hooks[hook])(...args);
    };
  }
  /** Replaces what hooks do; the calls stay noted. */
  driver.on = {};
  return { driver, nodes, calls, make };
}

function mount(vfs, driver, at = "/m") {
  vfs.registerDriver(driver);
  vfs.fs.mkdirSync(at, { recursive: true });
  vfs.mount(null, at, driver.name);
}

const called = (calls, hook) => calls.filter(([name]) => name === hook).map(([, ...args]) => args);

// Fails when the flags that hooks put on dentries and inodes are set although the driver has none.
test("a driver of root and lookup alone costs nothing once its entries are cached", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { driver, calls, make } = toyDriver("plain", ["lookup"]);
  const dir = make(ROOT, "d", S_IFDIR | 0o755);
  make(dir, "f", S_IFREG | 0o644, { text: "abc" });
  mount(vfs, driver);
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

test("lookup: null and undefined are ENOENT, the absence is cached, attributes come through", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls } = toyDriver("plain", ["lookup"]);
  mount(vfs, driver);
  driver.on.lookup = (_dir, name) => ({ x: undefined, y: null })[name];
  for (const name of ["x", "y"]) {
    for (let n = 0; n < 3; n++) assert.equal(look(vfs, `/m/${name}`), "ENOENT");
  }
  assert.deepEqual(called(calls, "lookup"), [
    [ROOT, "x"],
    [ROOT, "y"],
  ]);
  const given = { ino: 2 ** 53 - 1, mode: S_IFREG | 0o4750, uid: 7, gid: 8, nlink: 3, size: 2 ** 40, mtimeMs: 1234.5 };
  driver.on.lookup = () => given;
  const { ino, mode, uid, gid, nlink, size, mtimeMs } = vfs.fs.statSync("/m/all");
  assert.deepEqual({ ino, mode, uid, gid, nlink, size, mtimeMs }, given);
});

test("lookup: attributes that make no sense are EIO and nothing is cached", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver } = toyDriver("plain", ["lookup"]);
  mount(vfs, driver);
  const good = { ino: 2, mode: S_IFREG | 0o644 };
  for (const wrong of [
    { ino: -1 },
    { ino: 1.5 },
    { ino: 2 ** 53 },
    { mode: 0o644 },
    { size: -1 },
    { size: Number.NaN },
    { mtimeMs: Infinity },
  ]) {
    driver.on.lookup = () => ({ ...good, ...wrong });
    assert.equal(look(vfs, "/m/f"), "EIO", JSON.stringify(wrong));
  }
  driver.on.lookup = () => good;
  assert.equal(look(vfs, "/m/f"), undefined);
});

test("mount: what root answers decides", async (t) => {
  const { vfs } = await treeFor(t);
  vfs.fs.mkdirSync("/m");
  let root;
  vfs.registerDriver({ name: "rooted", root: () => root() });
  const tried = () => codeOf(() => vfs.mount(null, "/m", "rooted"));
  root = () => ({ ino: 1, mode: S_IFREG | 0o644 });
  assert.equal(tried(), "ENOTDIR");
  root = () => {
    throw error("EROFS");
  };
  assert.equal(tried(), "EROFS");
  root = () => ({ ino: 1, mode: S_IFDIR });
  assert.equal(tried(), undefined);
  vfs.umount("/m");
  vfs.unregisterDriver("rooted");
});

// Fails when a negative entry is taken for a match without an inode, or when the hook is called for it in rcu mode.
test("compare: a negative entry is judged in ref mode only, with null for its node", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { driver, calls, make } = toyDriver("folding", ["lookup", "hash", "compare"]);
  make(ROOT, "file", S_IFREG | 0o644);
  mount(vfs, driver);
  assert.equal(look(vfs, "/m/none"), "ENOENT");
  calls.length = 0;
  const c = counted(() => assert.equal(look(vfs, "/m/NONE"), "ENOENT"));
  assert.equal(c.dropUncached, 1);
  assert.ok(called(calls, "compare").some(([, node]) => node === null));
  assert.deepEqual(called(calls, "lookup"), []);
  vfs.fs.statSync("/m/file");
  const hit = counted(() => assert.equal(vfs.fs.statSync("/m/FiLe").isFile(), true));
  assert.equal(hit.endedRcu, 1);
});

// Fails when only names of one length are held against each other.
test("hash and compare: names of different lengths can be one", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { driver, calls, make } = toyDriver("dotted", ["lookup", "hash", "compare"]);
  const bare = (name) => name.replace(/\.+$/, "");
  driver.on = { hash: (_dir, name) => bare(name).length, compare: (_dir, _node, a, b) => bare(a) === bare(b) };
  const file = make(ROOT, "file", S_IFREG | 0o644);
  mount(vfs, driver);
  assert.equal(look(vfs, "/m/file"), undefined);
  calls.length = 0;
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    const c = counted(() => assert.equal(vfs.fs.statSync("/m/file...").ino, file));
    assert.deepEqual([c.endedRcu, called(calls, "lookup").length], [ref ? 0 : 1, 0]);
  }
});

test("hash and compare: a name that is no UTF-8 matches nothing and breaks nothing", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, make } = toyDriver("folding", ["lookup", "hash", "compare"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mount(vfs, driver);
  assert.equal(look(vfs, "/m/f"), undefined);
  const path = Buffer.concat([Buffer.from("/m/"), Buffer.from([0xff, 0xfe])]);
  assert.equal(
    codeOf(() => vfs.fs.statSync(path)),
    "ENOENT",
  );
  assert.equal(look(vfs, "/m/F"), undefined);
});

test("revalidate: a driver that calls every other answer stale never makes a file vanish", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = toyDriver("moody", ["lookup", "revalidate"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mount(vfs, driver);
  let n = 0;
  driver.on.revalidate = () => ++n % 2 === 0;
  for (let k = 0; k < 20; k++) assert.equal(look(vfs, "/m/f"), undefined);
  assert.ok(called(calls, "lookup").length >= 8);
  assert.deepEqual(
    new Set(called(calls, "revalidate").map((args) => JSON.stringify(args))),
    new Set(['[1,2,"f",false]']),
  );
});

// The entry of another thread, found under the lock, is stale as well: that is not "it does not exist".
test("revalidate: what is found stale again under the lock is asked of the file system", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const { driver, calls, make } = toyDriver("moody", ["lookup", "revalidate"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mount(vfs, driver);
  other.registerDriver(driver);
  vfs.fs.statSync("/m/f");
  driver.on.revalidate = () => false;
  calls.length = 0;
  vfs.at(POINT.LOCKED_LOOKUP, () => other.fs.statSync("/m/f"));
  assert.equal(look(vfs, "/m/f"), undefined);
  assert.deepEqual([called(calls, "lookup").length, called(calls, "revalidate").length], [2, 2]);
});

test("revalidate: a negative entry found stale is looked up again", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = toyDriver("moody", ["lookup", "revalidate"]);
  mount(vfs, driver);
  assert.equal(look(vfs, "/m/late"), "ENOENT");
  make(ROOT, "late", S_IFREG | 0o644);
  assert.equal(look(vfs, "/m/late"), "ENOENT");
  assert.deepEqual(called(calls, "revalidate").at(-1), [ROOT, null, "late", false]);
  driver.on.revalidate = () => false;
  assert.equal(look(vfs, "/m/late"), undefined);
});

test("revalidate: ESTALE is answered by one more walk that says so", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { driver, calls, make } = toyDriver("moody", ["lookup", "revalidate"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mount(vfs, driver);
  vfs.fs.statSync("/m/f");
  calls.length = 0;
  driver.on.revalidate = (_dir, _node, _name, reval) => {
    if (!reval) throw error("ESTALE");
    return true;
  };
  const c = counted(() => assert.equal(look(vfs, "/m/f"), undefined));
  assert.equal(c.estaleRestarts, 1);
  assert.deepEqual(
    called(calls, "revalidate").map(([, , , reval]) => reval),
    [false, true],
  );
});

test("permission: asked with the mask of what is wanted, for directories on the way and for the file", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = toyDriver("guarded", ["lookup", "permission", "create", "unlink", "readdir"]);
  const dir = make(ROOT, "d", S_IFDIR | 0o755);
  const file = make(dir, "f", S_IFREG | 0o000);
  mount(vfs, driver);
  const { constants } = vfs.fs;
  const asked = (run) => {
    calls.length = 0;
    run();
    return called(calls, "permission");
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
    if (node === dir) throw error("EPERM");
  };
  assert.equal(look(vfs, "/m/d/f"), "EPERM");
});

// Fails when the hook is called in rcu mode, or asked about the owner.
test("checkAcl: asked in ref mode, with node and mask, of everybody but the owner", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { driver, calls, make } = toyDriver("listed", ["lookup", "checkAcl"]);
  const dir = make(ROOT, "d", S_IFDIR | 0o755, { uid: 7 });
  make(dir, "f", S_IFREG | 0o644);
  mount(vfs, driver);
  vfs.fs.statSync("/m/d/f");
  const inside = (uid) => {
    const who = vfs.context({ uid, gid: uid, cwd: "/m/d" });
    calls.length = 0;
    return counted(() => assert.equal(look(who, "f"), undefined));
  };
  const owner = inside(7);
  assert.deepEqual([owner.dropPermission, owner.endedRcu, calls], [0, 1, []]);
  const other = inside(8);
  assert.deepEqual([other.dropPermission, other.endedRef, calls], [1, 1, [["checkAcl", dir, 1]]]);
  driver.on.checkAcl = () => false;
  assert.equal(look(vfs.context({ uid: 8, gid: 8, cwd: "/m/d" }), "f"), "EACCES");
});

// Fails when the driver told is that of where the link leads, or when it is told never or twice.
test("readlink and putLink: each body is given back once, to the file system of the link", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const here = toyDriver("here", ["lookup", "readlink", "putLink"]);
  const there = toyDriver("there", ["lookup", "readlink", "putLink"]);
  const link = here.make(ROOT, "l", S_IFLNK | 0o777, { target: "/there/d" });
  const again = here.make(ROOT, "ll", S_IFLNK | 0o777, { target: "l/../d/f" });
  here.make(ROOT, "dead", S_IFLNK | 0o777, { target: "/there/none" });
  const dir = there.make(ROOT, "d", S_IFDIR | 0o755);
  there.make(dir, "f", S_IFREG | 0o644, { text: "text" });
  mount(vfs, here.driver, "/here");
  mount(vfs, there.driver, "/there");
  const linkCalls = ({ calls }) => calls.splice(0).filter(([hook]) => hook !== "lookup");
  const expected = [
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
      const c = counted(() => assert.equal(look(vfs, path), code, path));
      if (n === 1) assert.deepEqual([c.dropLink, c.dropUncached, c.echildRestarts], [1, 0, 0], path);
      assert.deepEqual(linkCalls(here), hooks, path);
      assert.deepEqual(linkCalls(there), [], path);
    }
  }
  assert.equal(look(vfs, "/here/dead"), "ENOENT");
  assert.equal(linkCalls(here).length, 2);
  assert.equal(vfs.fs.readlinkSync("/here/l"), "/there/d");
  assert.deepEqual(linkCalls(here), [
    ["readlink", link],
    ["putLink", link],
  ]);
  const lstat = counted(() => assert.ok(vfs.fs.lstatSync("/here/l").isSymbolicLink()));
  assert.deepEqual([linkCalls(here), lstat.endedRcu], [[], 1]);
});

test("readlink: errors, an empty body, one that is too long, a loop: no putLink without a body", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = toyDriver("linked", ["lookup", "readlink", "putLink"]);
  make(ROOT, "l", S_IFLNK | 0o777, { target: "" });
  mount(vfs, driver);
  const balanced = () => called(calls, "readlink").length - called(calls, "putLink").length;
  driver.on.readlink = () => {
    throw error("EIO");
  };
  assert.equal(look(vfs, "/m/l"), "EIO");
  assert.equal(balanced(), 1);
  driver.on.readlink = () => "x".repeat(4096);
  assert.equal(look(vfs, "/m/l"), "ENAMETOOLONG");
  assert.equal(balanced(), 2);
  calls.length = 0;
  driver.on.readlink = () => "";
  assert.equal(look(vfs, "/m/l"), "ENOENT");
  driver.on.readlink = () => "l";
  assert.equal(look(vfs, "/m/l"), "ELOOP");
  assert.equal(called(calls, "readlink").length, 41);
  assert.equal(balanced(), 0);
  const { driver: bare, make: makeBare } = toyDriver("bare", ["lookup"]);
  makeBare(ROOT, "l", S_IFLNK | 0o777);
  mount(vfs, bare, "/bare");
  assert.equal(look(vfs, "/bare/l"), "EINVAL");
});

// Fails when the last reference on an inode does not tell its driver.
test("iput: told once for each node, when the tree has forgotten it", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = toyDriver("kept", ["lookup", "iput", "unlink"]);
  const nodes = ["a", "b", "c"].map((name) => make(ROOT, name, S_IFREG | 0o644));
  mount(vfs, driver);
  for (const name of ["a", "b", "c"]) vfs.fs.statSync(`/m/${name}`);
  assert.deepEqual(called(calls, "iput"), []);
  vfs.fs.unlinkSync("/m/a");
  assert.deepEqual(called(calls, "iput"), [[nodes[0], 1]]);
  const fd = vfs.fs.openSync("/m/b", "r");
  vfs.shrink(1000);
  vfs.shrink(1000);
  assert.deepEqual(
    called(calls, "iput").map(([node]) => node),
    [nodes[0], nodes[2]],
  );
  vfs.fs.closeSync(fd);
  vfs.umount("/m");
  assert.deepEqual(
    called(calls, "iput")
      .map(([node]) => node)
      .sort(),
    [ROOT, ...nodes].sort(),
  );
});

test("deleteUnused: what it gives up is looked up again, what it keeps is not", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls, make } = toyDriver("fleeting", ["lookup", "deleteUnused"]);
  const file = make(ROOT, "f", S_IFREG | 0o644);
  mount(vfs, driver);
  const lookups = (path) => {
    calls.length = 0;
    for (let n = 0; n < 3; n++) look(vfs, path);
    return called(calls, "lookup").length;
  };
  assert.equal(lookups("/m/f"), 1);
  assert.deepEqual(called(calls, "deleteUnused")[0], [file, "f"]);
  driver.on.deleteUnused = () => true;
  // In rcu mode nobody uses an entry: it is given up when somebody has.
  vfs.fs.closeSync(vfs.fs.openSync("/m/f", "r"));
  vfs.walkMode({ ref: true });
  assert.equal(lookups("/m/f"), 3);
  assert.equal(lookups("/m/none"), 3);
  assert.deepEqual(called(calls, "deleteUnused")[0], [null, "none"]);
});

test("readdir: entries of any number, each once, with their types", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls } = toyDriver("listed", ["lookup", "readdir"]);
  mount(vfs, driver);
  const entries = Array.from({ length: 3000 }, (_, n) => ({
    name: `${n}-${"x".repeat(n % 200)}`,
    ino: n + 10,
    mode: [S_IFREG, S_IFDIR, S_IFLNK][n % 3],
  }));
  driver.on.readdir = () => entries;
  assert.deepEqual(vfs.fs.readdirSync("/m").sort(), entries.map(({ name }) => name).sort());
  assert.deepEqual(called(calls, "readdir")[0], [ROOT]);
  for (const entry of vfs.fs.readdirSync("/m", { withFileTypes: true })) {
    const n = Number.parseInt(entry.name, 10) % 3;
    assert.deepEqual([entry.isFile(), entry.isDirectory(), entry.isSymbolicLink()], [n === 0, n === 1, n === 2]);
  }
  for (const name of ["", "n".repeat(256)]) {
    driver.on.readdir = () => [{ name, ino: 5, mode: S_IFREG }];
    assert.equal(
      codeOf(() => vfs.fs.readdirSync("/m")),
      "EIO",
    );
  }
});

test("read and write: positions and lengths come through, a wrong count is EIO", async (t) => {
  const { vfs } = await treeFor(t);
  const { fs } = vfs;
  const { driver, nodes, calls, make } = toyDriver("files", ["lookup", "read", "write", "setattr"]);
  const file = make(ROOT, "f", S_IFREG | 0o644, { text: "hello world" });
  mount(vfs, driver);
  assert.equal(fs.readFileSync("/m/f", "utf8"), "hello world");
  const fd = fs.openSync("/m/f", "r+");
  const into = Buffer.alloc(4);
  calls.length = 0;
  assert.equal(fs.readSync(fd, into, 0, 4, 6), 4);
  assert.equal(into.toString(), "worl");
  assert.equal(fs.writeSync(fd, "W", 6), 1);
  assert.deepEqual(calls, [
    ["read", file, 6, 4],
    ["write", file, 6, 1],
  ]);
  assert.equal(nodes.get(file).text, "hello World");
  for (const wrong of [-1, 5, 1.5, Number.NaN, "2"]) {
    driver.on.read = () => wrong;
    assert.equal(
      codeOf(() => fs.readSync(fd, into, 0, 4, 0)),
      "EIO",
      `${wrong}`,
    );
    driver.on.write = () => wrong;
    assert.equal(
      codeOf(() => fs.writeSync(fd, into, 0, 4, 0)),
      "EIO",
      `${wrong}`,
    );
  }
  fs.closeSync(fd);
});

test("create, unlink, setattr: arguments, and the answers that the tree shows", async (t) => {
  const { vfs } = await treeFor(t);
  const { fs } = vfs;
  const { driver, calls } = toyDriver("full", ["lookup", "create", "unlink", "setattr", "read", "write", "readlink"]);
  mount(vfs, driver);
  const done = (run) => {
    calls.length = 0;
    run();
    return calls.filter(([hook]) => hook !== "lookup");
  };
  assert.deepEqual(
    done(() => fs.mkdirSync("/m/d", 0o777)),
    [["create", ROOT, "d", S_IFDIR | 0o755, undefined]],
  );
  assert.deepEqual(
    done(() => fs.symlinkSync("to/there", "/m/d/l")),
    [["create", 2, "l", S_IFLNK | 0o777, "to/there"]],
  );
  assert.deepEqual(
    done(() => fs.closeSync(fs.openSync("/m/d/f", "wx", 0o666))),
    [["create", 2, "f", S_IFREG | 0o644, undefined]],
  );
  assert.deepEqual(
    done(() => fs.chmodSync("/m/d/f", 0o600)),
    [["setattr", 4, { mode: 0o600 }]],
  );
  assert.deepEqual(
    done(() => fs.chownSync("/m/d/f", 5, 6)),
    [["setattr", 4, { uid: 5, gid: 6 }]],
  );
  assert.deepEqual(
    done(() => fs.truncateSync("/m/d/f", 9)),
    [["setattr", 4, { size: 9 }]],
  );
  assert.deepEqual(
    done(() => fs.utimesSync("/m/d/f", 1, 2.5)),
    [["setattr", 4, { atimeMs: 1000, mtimeMs: 2500 }]],
  );
  const { mode, uid, gid, size, mtimeMs } = fs.statSync("/m/d/f");
  assert.deepEqual([mode, uid, gid, size, mtimeMs], [S_IFREG | 0o600, 5, 6, 9, 2500]);
  assert.deepEqual(
    done(() => fs.unlinkSync("/m/d/f")),
    [["unlink", 2, 4, "f"]],
  );
  assert.equal(look(vfs, "/m/d/f"), "ENOENT");
  driver.on.unlink = () => {
    throw error("ENOTEMPTY");
  };
  assert.equal(
    codeOf(() => fs.rmdirSync("/m/d")),
    "ENOTEMPTY",
  );
  assert.equal(look(vfs, "/m/d/l"), "ENOENT");
  driver.on.create = () => {
    throw error("ENOSPC");
  };
  assert.equal(
    codeOf(() => fs.mkdirSync("/m/e")),
    "ENOSPC",
  );
  assert.equal(look(vfs, "/m/e"), "ENOENT");
});

// Fails when a chmod of a driver's directory leaves the flag on its dentry by which everybody may search it.
test("setattr: a directory that is closed to others is closed in rcu mode at once", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, make } = toyDriver("closing", ["lookup", "setattr"]);
  const dir = make(ROOT, "d", S_IFDIR | 0o755);
  make(dir, "f", S_IFREG | 0o644);
  mount(vfs, driver);
  const agent = vfs.context({ uid: 5, gid: 5 });
  assert.equal(look(agent, "/m/d/f"), undefined);
  vfs.fs.chmodSync("/m/d", 0o700);
  assert.equal(look(agent, "/m/d/f"), "EACCES");
  vfs.fs.chmodSync("/m/d", 0o711);
  assert.equal(look(agent, "/m/d/f"), undefined);
});

test("hooks that are not there: nothing is called, and what needs one is refused", async (t) => {
  const { vfs } = await treeFor(t);
  const { fs } = vfs;
  const { driver, calls, make } = toyDriver("bare", ["lookup"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mount(vfs, driver);
  const fd = fs.openSync("/m/f", "r+");
  const refused = [
    [() => fs.readdirSync("/m"), "ENOTSUP"],
    [() => fs.readSync(fd, Buffer.alloc(1)), "ENOTSUP"],
    [() => fs.writeSync(fd, "x"), "ENOTSUP"],
    [() => fs.chmodSync("/m/f", 0o600), "ENOTSUP"],
    [() => fs.mkdirSync("/m/d"), "EPERM"],
    [() => fs.unlinkSync("/m/f"), "EPERM"],
    [() => fs.renameSync("/m/f", "/m/g"), "EPERM"],
    [() => fs.linkSync("/m/f", "/m/g"), "EPERM"],
  ];
  for (const [run, code] of refused) assert.equal(codeOf(run), code, `${run}`);
  fs.closeSync(fd);
  assert.ok(calls.every(([hook]) => hook === "lookup"));
  assert.equal(look(vfs, "/m/f"), undefined);
});

/** The next exception that nobody catches. (A listener for "uncaughtException" would share it with the test runner.) */
function uncaught() {
  return new Promise((resolve) => {
    process.setUncaughtExceptionCaptureCallback((thrown) => {
      process.setUncaughtExceptionCaptureCallback(null);
      resolve(thrown);
    });
  });
}

test("errors of hooks: a known code is the call's error, anything else is EIO and comes up outside", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver } = toyDriver("failing", ["lookup"]);
  mount(vfs, driver);
  for (const code of ["EACCES", "EIO", "ENOENT", "ESTALE", "ELOOP", "ENXIO"]) {
    driver.on.lookup = () => {
      throw error(code);
    };
    assert.equal(look(vfs, `/m/${code}`), code);
  }
  for (const thrown of [new TypeError("a mistake"), error("ERR_OTHER"), error("toString"), "text", null, undefined]) {
    driver.on.lookup = () => {
      throw thrown;
    };
    const outside = uncaught();
    assert.equal(look(vfs, "/m/f"), "EIO");
    assert.equal(await outside, thrown);
  }
  driver.on.lookup = () => null;
  assert.equal(look(vfs, "/m/f"), "ENOENT");
});

test("errors of hooks: where no answer can be an error nothing breaks, and each comes up outside", async (t) => {
  const { vfs } = await treeFor(t);
  const names = ["lookup", "hash", "compare", "readlink", "putLink", "iput", "deleteUnused"];
  const { driver, make } = toyDriver("throwing", names);
  make(ROOT, "f", S_IFREG | 0o644);
  make(ROOT, "l", S_IFLNK | 0o777, { target: "/" });
  mount(vfs, driver);
  vfs.walkMode({ ref: true });
  const thrown = [];
  process.setUncaughtExceptionCaptureCallback((one) => thrown.push(one.message));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  for (const name of names.filter((hook) => hook !== "lookup" && hook !== "readlink")) {
    driver.on = {
      [name]: () => {
        throw new Error(name);
      },
    };
    assert.equal(look(vfs, "/m/f"), undefined, name);
    assert.equal(look(vfs, "/m/l"), undefined, name);
    vfs.shrink(100);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(thrown.includes(name), name);
  }
  driver.on = {};
  assert.equal(look(vfs, "/m/f"), undefined);
});

// Fails when a call of the tree from inside a hook gets through to the core.
test("a hook that calls its own tree is refused, and the walk that called it goes on", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, make } = toyDriver("curious", ["lookup", "revalidate"]);
  make(ROOT, "f", S_IFREG | 0o644, { text: "abc" });
  vfs.fs.writeFileSync("/other", "x");
  mount(vfs, driver);
  const context = vfs.context();
  const tries = [
    () => vfs.fs.statSync("/other"),
    () => vfs.fs.writeFileSync("/other", "y"),
    () => context.fs.readFileSync("/other"),
    () => vfs.mount(null, "/m", "tmpfs"),
    () => vfs.counters(),
    () => vfs.shrink(1),
    () => vfs.synchronizeRcu(),
    () => vfs.unregisterDriver("curious"),
    () => vfs.context(),
    () => vfs.close(),
  ];
  let codes = [];
  driver.on.revalidate = () => {
    codes = tries.map(codeOf);
    return true;
  };
  vfs.fs.statSync("/m/f");
  assert.equal(vfs.fs.statSync("/m/f").size, 3);
  assert.deepEqual(codes, Array(tries.length).fill("ERR_THREADFS_REENTERED"));
  assert.equal(vfs.fs.readFileSync("/other", "utf8"), "x");
});

test("register: the same name with the same hooks is the same driver, with other hooks EEXIST", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const one = toyDriver("same", ["lookup"]);
  const two = toyDriver("same", ["lookup"]);
  const three = toyDriver("same", ["lookup", "iput"]);
  vfs.registerDriver(one.driver);
  other.registerDriver(two.driver);
  assert.equal(
    codeOf(() => other.registerDriver(three.driver)),
    "EEXIST",
  );
  assert.equal(
    codeOf(() => other.registerDriver({ ...two.driver, revalidateDots: true })),
    "EEXIST",
  );
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "same");
  two.make(ROOT, "f", S_IFREG | 0o644);
  // Each thread asks its own object.
  assert.equal(look(other, "/m/f"), undefined);
  assert.deepEqual([one.calls.length, two.calls.length], [0, 1]);
  for (const wrong of [null, 5, {}, { name: "x" }, { name: 5, root() {} }, { name: "x", root() {}, lookup: 1 }]) {
    assert.equal(
      codeOf(() => vfs.registerDriver(wrong)),
      "ERR_INVALID_ARG_TYPE",
    );
  }
  for (const name of ["", "n".repeat(101)]) {
    assert.equal(
      codeOf(() => vfs.registerDriver({ name, root() {} })),
      "EINVAL",
    );
  }
});

test("unregister: EBUSY while a file system of it exists, then its type is unknown", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const { driver, make } = toyDriver("gone", ["lookup", "iput"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mount(vfs, driver);
  const leave = (who) => codeOf(() => who.unregisterDriver("gone"));
  assert.equal(leave(vfs), "EBUSY");
  const fd = vfs.fs.openSync("/m/f", "r");
  vfs.umount("/m", { detach: true });
  assert.equal(leave(vfs), "EBUSY");
  assert.equal(vfs.fs.fstatSync(fd).isFile(), true);
  vfs.fs.closeSync(fd);
  other.registerDriver(driver);
  assert.equal(leave(vfs), undefined);
  assert.equal(leave(vfs), "ENODEV");
  // Another thread may still give up its own part; then it is gone there too.
  assert.equal(
    codeOf(() => other.mount(null, "/m", "gone")),
    "ENODEV",
  );
  assert.equal(leave(other), undefined);
  assert.equal(leave(other), "ENODEV");
  mount(vfs, driver);
  assert.equal(look(vfs, "/m/f"), undefined);
});

// Fails when a thread without the driver calls nothing, or another driver, instead of ENXIO.
test("a thread that has not registered the driver gets ENXIO, and the mount is as it was", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const { driver, make } = toyDriver("mine", ["lookup", "readdir"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mount(vfs, driver);
  assert.equal(look(other, "/m/f"), "ENXIO");
  assert.equal(
    codeOf(() => other.fs.readdirSync("/m")),
    "ENXIO",
  );
  assert.equal(look(vfs, "/m/f"), undefined);
  // What is cached needs no driver.
  assert.equal(look(other, "/m/f"), undefined);
  other.registerDriver(driver);
  assert.deepEqual(other.fs.readdirSync("/m"), ["f"]);
});

/** Runs in a worker: the same driver with a node of its own for every name, and 300 lookups of 30 names. */
const WORK = `
  const asked = [];
  vfs.registerDriver({
    name: "both",
    root: () => ({ ino: 1, mode: 0o040755 }),
    lookup: (_dir, name) => (asked.push(name), { ino: 100 + Number(name), mode: 0o100644 }),
    revalidate: () => true,
  });
  const inos = [];
  for (let n = 0; n < 300; n++) inos.push(vfs.fs.statSync("/m/" + (n % 30)).ino);
  return { inos, asked };
`;

test("two threads on one mount: each asks its own object, and both see the same nodes", async (t) => {
  const tree = await treeFor(t);
  const { vfs } = tree;
  const asked = [];
  mount(vfs, {
    name: "both",
    root: () => ({ ino: 1, mode: S_IFDIR | 0o755 }),
    lookup: (_dir, name) => {
      asked.push(name);
      return { ino: 100 + Number(name), mode: S_IFREG | 0o644 };
    },
    revalidate: () => true,
  });
  // The worker stops where it is about to look its eleventh name up under the directory's lock.
  const parked = await tree.parked(WORK, POINT.LOCKED_LOOKUP, 11);
  for (const n of [20, 21, 22, 0, 1, 10]) assert.equal(vfs.fs.statSync(`/m/${n}`).ino, 100 + n);
  const { value, message } = await parked.release();
  assert.equal(message, undefined);
  assert.deepEqual(
    value.inos,
    Array.from({ length: 300 }, (_, n) => 100 + (n % 30)),
  );
  // Whoever came first has asked; what the other found is not asked for again, also not under the lock.
  assert.deepEqual(asked, ["20", "21", "22", "10"]);
  const rest = Array.from({ length: 30 }, (_, n) => `${n}`).filter((name) => !asked.includes(name));
  assert.deepEqual(value.asked, rest);
});
