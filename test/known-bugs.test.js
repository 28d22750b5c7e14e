/**
 * Bugs that this algorithm has had (most of them in Linux, for years), each shown to be absent: first with the interleaving forced
 * at a point of the walk, then, where it takes a race, with real threads for about a second. 15 (RESOLVE_CACHED) and 23
 * (watchers) belong to features that are not here yet.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { POINT } from "../dist/abi.js";
import { createVfs } from "../dist/index.js";
import { counted, gauges, memoryOf, objectDriver, rawCore, threads, walkerOf } from "./core/lib/forced.js";
import { codeOf, debugTree } from "./core/lib/tree.js";

/** How long real threads run against each other. */
const RACE_MS = 700;

async function setUp(t, options) {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  const peer = await walkerOf(t, tree.vfs.handle);
  const walker = await walkerOf(t, tree.vfs.handle);
  return { tree, vfs: tree.vfs, fs: tree.vfs.fs, peer, walker, memory: memoryOf(tree.vfs) };
}

/** A tree on the build that ships, for real threads. */
async function shipped(t) {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  return vfs;
}

function mountDriver(driver, at, ...all) {
  for (const vfs of all) vfs.registerDriver(driver);
  all[0].fs.mkdirSync(at);
  all[0].mount("none", at, driver.name);
}

/** Points of the read side in the order a step passes them. */
const STEP_POINTS = [
  "WALK_START",
  "COMPONENT",
  "SEQ_OPENED",
  "NAME_READ",
  "COMPARED",
  "FOUND",
  "PARENT_CHECK",
  "MOUNT_CHECK",
  "MOUNT_DOWN",
  "ATTR_COPIED",
  "COMPLETE",
  "UNLAZY_HALF",
  "LOCKED_LOOKUP",
];

/**
 * Runs `ask` with `change` at the n-th passing of every point that `ask` passes, each time in the state that `prepare`
 * leaves; `check` judges the answer. Answers how many interleavings happened.
 */
function atEveryPoint(walker, { prepare, ask, change, check }) {
  prepare();
  const passed = walker.points(() => codeOf(() => ask(walker.fs))).map(([id]) => id);
  let happened = 0;
  for (const name of STEP_POINTS) {
    const id = POINT[name];
    const times = passed.filter((p) => p === id).length;
    for (let nth = 1; nth <= times; nth++) {
      prepare();
      walker.at(id, change, nth);
      const code = codeOf(() => ask(walker.fs));
      if (walker.waits(id)) {
        walker.never();
        continue;
      }
      happened++;
      check(code, `${name} ${nth}`);
    }
  }
  assert.ok(happened > 0, "no interleaving happened");
  return happened;
}

test("bug 1: a compare hook that says yes to anything does not match an entry without an inode in rcu mode", async (t) => {
  const { vfs, walker, peer, fs } = await setUp(t);
  const hooks = { hash: () => 1, compare: (_dir, node) => node === null || undefined };
  const driver = objectDriver("yes", { there: "x" }, hooks);
  mountDriver(driver, "/drv", vfs, walker, peer);
  assert.equal(fs.existsSync("/drv/none"), false);
  const nodes = [];
  let rcu = false;
  walker.each(POINT.WALK_START, (mode) => {
    rcu = (mode & 1) !== 0;
  });
  walker.each(POINT.DROPPED, () => {
    rcu = false;
  });
  driver.compare = (_dir, node, cached, wanted) => {
    if (rcu) nodes.push(node);
    return node === null ? true : cached === wanted;
  };
  // In rcu mode "match" would make every name ENOENT here, without a look at the file system.
  const run = counted(walker, () =>
    assert.equal(
      codeOf(() => walker.fs.chmodSync("/drv/there", 0)),
      "ENOENT",
    ),
  );
  assert.equal(run.endedRcu, 0, "the negative entry did not answer in rcu mode");
  assert.ok(!nodes.includes(null));
});

test("bug 2: the hook that puts a link is that of the link's file system, once", async (t) => {
  const { vfs, walker, fs } = await setUp(t);
  const log = [];
  const links = objectDriver(
    "links",
    { out: { link: "/target/f" }, dir: { link: "/target/d" } },
    {
      putLink: (node) => log.push(["links", node]),
    },
  );
  const target = objectDriver(
    "target",
    { f: "x", d: { g: "y" }, back: { link: "/links/out" } },
    {
      putLink: (node) => log.push(["target", node]),
    },
  );
  mountDriver(links, "/links", vfs, walker);
  mountDriver(target, "/target", vfs, walker);
  const [out, dir] = ["out", "dir"].map((name) => fs.lstatSync(`/links/${name}`).ino);
  const back = fs.lstatSync("/target/back").ino;
  const puts = (path) => {
    log.length = 0;
    walker.fs.statSync(path);
    return [...log];
  };
  assert.deepEqual(puts("/links/out"), [["links", out]]);
  assert.deepEqual(puts("/links/dir/g"), [["links", dir]]);
  assert.deepEqual(puts("/target/back").sort(), [
    ["links", out],
    ["target", back],
  ]);
  assert.deepEqual(puts("/target/f"), []);
});

test("bug 3: a capability lifts EACCES and no other error", async (t) => {
  const { vfs, walker } = await setUp(t);
  let code = "EIO";
  const driver = objectDriver(
    "judge",
    { d: { f: "x" } },
    {
      permission() {
        throw Object.assign(new Error(code), { code });
      },
    },
  );
  mountDriver(driver, "/drv", vfs, walker);
  for (code of ["EIO", "EROFS", "EPERM", "ENOMEM"]) {
    for (const ref of [false, true]) {
      walker.walkMode({ ref });
      assert.equal(
        codeOf(() => walker.fs.accessSync("/drv/d/f")),
        code,
      );
      assert.equal(
        codeOf(() => walker.fs.openSync("/drv/d/f")),
        code,
      );
    }
  }
  const secret = vfs.context({ uid: 1000 });
  vfs.fs.mkdirSync("/own", { mode: 0 });
  assert.equal(
    codeOf(() => vfs.fs.readdirSync("/own")),
    undefined,
    "EACCES of mode bits is lifted for root",
  );
  assert.equal(
    codeOf(() => secret.fs.readdirSync("/own")),
    "EACCES",
  );
  secret.close();
});

test("bug 4: an entry found stale, found again under the lock, is no ENOENT", async (t) => {
  const { vfs, walker } = await setUp(t);
  const driver = objectDriver("fickle", { d: { f: "x" } }, { revalidate: () => true });
  mountDriver(driver, "/drv", vfs, walker);
  for (const ref of [false, true]) {
    walker.walkMode({ ref });
    for (let pattern = 0; pattern < 256; pattern++) {
      let asked = 0;
      driver.revalidate = () => ((pattern >> (asked++ & 7)) & 1) === 1;
      assert.equal(
        codeOf(() => walker.fs.chmodSync("/drv/d/f/x", 0)),
        "ENOTDIR",
        `pattern ${pattern}`,
      );
      assert.equal(walker.fs.statSync("/drv/d/f").size, 1);
    }
  }
});

test("bug 4: nor is one that somebody has put there again in between, stale or not", async (t) => {
  const { vfs, walker, peer } = await setUp(t);
  const driver = objectDriver("fickle", { d: { f: "x" } }, { revalidate: () => true });
  mountDriver(driver, "/drv", vfs, walker, peer);
  for (const call of [(fs) => fs.readlinkSync("/drv/d/f"), (fs) => fs.openSync("/drv/d/f", "wx")]) {
    vfs.fs.statSync("/drv/d/f");
    // Stale at first sight; then it is looked up by another; then it is stale again, under the lock.
    const answers = [false, true, false];
    let asked = 0;
    driver.revalidate = (_dir, _node, name) => {
      if (name !== "f") return true;
      asked++;
      return answers.shift() ?? true;
    };
    walker.at(POINT.LOCKED_LOOKUP, () => peer.fs.statSync("/drv/d"), 1);
    const code = codeOf(() => call(walker.fs));
    assert.ok(code === "EINVAL" || code === "EEXIST", `${code}`);
    assert.ok(asked > 0);
    walker.never();
    driver.revalidate = () => true;
  }
  // The entry that the first look threw away is back when the lock is held: both times it is the driver who knows.
  let stale = true;
  driver.revalidate = (_dir, _node, name) => name !== "f" || !stale;
  vfs.fs.statSync("/drv/d");
  walker.at(POINT.LOCKED_LOOKUP, () => {
    stale = false;
    assert.equal(peer.fs.statSync("/drv/d/f").size, 1);
    stale = true;
  });
  assert.equal(
    codeOf(() => walker.fs.readlinkSync("/drv/d/f")),
    "EINVAL",
  );
});

describe("bug 5: a directory that was removed", () => {
  test("bug 5: the walk that starts in it sees its last reference go", async (t) => {
    const { vfs, fs, peer } = await setUp(t);
    for (const point of ["WALK_START", "COMPONENT", "COMPLETE"]) {
      fs.mkdirSync("/gone");
      const context = vfs.context({ cwd: "/gone" });
      const walker = await walkerOf(t, context.handle);
      fs.rmdirSync("/gone");
      const root = fs.statSync("/").ino;
      assert.equal(
        codeOf(() => walker.fs.statSync("x")),
        "ENOENT",
      );
      assert.notEqual(walker.fs.statSync(".").ino, root);
      walker.at(POINT[point], () => {
        context.chdir("/");
        // The memory of the directory, were it free, would be this one's.
        peer.fs.mkdirSync("/other");
      });
      let ino;
      const run = counted(walker, () => {
        ino = walker.fs.statSync(".").ino;
      });
      assert.deepEqual([ino === root, run.echildRestarts], [true, 1], point);
      fs.rmdirSync("/other");
      context.close();
    }
  });

  test("bug 5: the same with threads: never another directory's answer", async (t) => {
    const vfs = await shipped(t);
    const context = vfs.context({ cwd: "/" });
    const mover = `
      const { Context } = await import(new URL("../../../dist/context.js", data.url));
      let rounds = 0;
      const c = new Context(raw.arena, data.ctx, false);
      while (running()) {
        vfs.fs.mkdirSync("/w"); vfs.fs.writeFileSync("/w/mark", "w");
        c.chdir("/w");
        vfs.fs.unlinkSync("/w/mark"); vfs.fs.rmdirSync("/w");
        c.chdir("/");
        vfs.fs.mkdirSync("/other"); vfs.fs.writeFileSync("/other/wrong", ""); vfs.fs.unlinkSync("/other/wrong"); vfs.fs.rmdirSync("/other");
        rounds++;
      }
      return rounds;`;
    const asker = `
      const bad = []; let asked = 0;
      while (running()) {
        for (const path of ["wrong", "mark", "."]) {
          asked++;
          let code = "ok";
          try { vfs.fs.lstatSync(path); } catch (error) { code = error.code; }
          if (path === "wrong" && code !== "ENOENT") bad.push([path, code]);
          if (path === "mark" && code !== "ENOENT" && code !== "ok") bad.push([path, code]);
          if (path === "." && code !== "ok" && code !== "ENOENT") bad.push([path, code]);
        }
      }
      return { bad: bad.slice(0, 5), asked };`;
    const data = { ctx: context.handle.ctx, url: new URL("core/lib/thread.worker.js", import.meta.url).href };
    const wrap = (body) => `return (async () => {${body}})()`;
    const [rounds, answer] = await threads(context.handle, RACE_MS, [wrap(mover), asker], data);
    assert.ok(rounds > 10 && answer.asked > 1000, `${rounds} ${answer.asked}`);
    assert.deepEqual(answer.bad, []);
    context.close();
  });
});

describe("bugs 6 to 8: negative entries", () => {
  /** A driver with a cached negative entry "n" in its root. */
  async function negative(t, hooks) {
    const all = await setUp(t);
    const { vfs, walker, peer, fs } = all;
    const driver = objectDriver("neg", {}, hooks);
    mountDriver(driver, "/drv", vfs, walker, peer);
    const prepare = () => {
      codeOf(() => fs.unlinkSync("/drv/n/f"));
      for (const remove of [fs.unlinkSync, fs.rmdirSync]) codeOf(() => remove("/drv/n"));
      assert.equal(fs.existsSync("/drv/n"), false);
    };
    return { ...all, driver, prepare };
  }

  test("bug 6: a name made between the look and the check is no ENOENT without a restart", async (t) => {
    const { walker, peer, prepare } = await negative(t);
    for (const point of ["SEQ_OPENED", "COMPARED", "FOUND", "PARENT_CHECK"]) {
      prepare();
      const times = walker
        .points(() => codeOf(() => walker.fs.existsSync("/drv/n")))
        .filter(([id]) => id === POINT[point]).length;
      walker.at(POINT[point], () => peer.fs.writeFileSync("/drv/n", ""), times);
      let there;
      const run = counted(walker, () => {
        there = walker.fs.existsSync("/drv/n");
      });
      assert.equal(walker.waits(POINT[point]), false);
      assert.deepEqual([there, run.echildRestarts], [true, 1], point);
    }
    // The other way: it goes between the look and the check.
    for (const point of ["SEQ_OPENED", "COMPARED", "FOUND", "PARENT_CHECK", "COMPLETE"]) {
      prepare();
      peer.fs.writeFileSync("/drv/n", "");
      const times = walker
        .points(() => codeOf(() => walker.fs.existsSync("/drv/n")))
        .filter(([id]) => id === POINT[point]).length;
      walker.at(POINT[point], () => peer.fs.unlinkSync("/drv/n"), times);
      assert.equal(walker.fs.existsSync("/drv/n"), false, point);
    }
  });

  test("bug 6: a name that is there at every moment is never ENOENT, whatever becomes of its first entry", async (t) => {
    const { vfs, fs, peer } = await setUp(t);
    const raw = rawCore(t, vfs.handle);
    // A security hook, which has nothing against anything, keeps every step in the general walk.
    for (const host of [{}, { security: () => 0 }]) {
      const walker = await walkerOf(t, vfs.handle, host);
      atEveryPoint(walker, {
        prepare() {
          fs.writeFileSync("/f", "");
          fs.writeFileSync("/g", "");
        },
        ask: (its) => its.readlinkSync("/f"),
        change() {
          assert.equal(raw.rename("/f", "/g", 2), 0);
          peer.fs.unlinkSync("/g");
        },
        check: (code, where) => assert.equal(code, "EINVAL", where),
      });
    }
  });

  test("bug 7: a stale negative entry is revalidated before it is an answer", async (t) => {
    const asked = [];
    const { driver, walker, fs } = await negative(t, {
      revalidate(_dir, node, name) {
        asked.push([node, name]);
        return node !== null;
      },
    });
    assert.equal(fs.existsSync("/drv/n"), false);
    driver.put(undefined, "n", "here");
    for (const ref of [false, true]) {
      walker.walkMode({ ref });
      assert.equal(walker.fs.statSync("/drv/n").size, 4);
    }
    assert.ok(asked.some(([node, name]) => node === null && name === "n"));
  });

  test("bug 8: negative becoming positive is never seen torn, at any step", async (t) => {
    const { walker, peer, prepare } = await negative(t);
    atEveryPoint(walker, {
      prepare,
      ask: (fs) => fs.statSync("/drv/n/f"),
      change() {
        peer.fs.mkdirSync("/drv/n");
        peer.fs.writeFileSync("/drv/n/f", "");
      },
      check: (code, where) => assert.ok(code === undefined || code === "ENOENT", `${where}: ${code}`),
    });
  });

  test("bug 8: nor with the writer stopped half way", async (t) => {
    const { tree, vfs, walker } = await setUp(t);
    vfs.fs.mkdirSync("/d");
    for (const source of [
      "vfs.fs.mkdirSync('/d/n')",
      "vfs.fs.writeFileSync('/d/n', '')",
      "vfs.fs.symlinkSync('x', '/d/n')",
    ]) {
      for (const point of [POINT.ALLOCATED, POINT.INSTANTIATE]) {
        const writer = await tree.parked(source, point);
        const code = codeOf(() => walker.fs.lstatSync("/d/n"));
        assert.equal(code, "ENOENT", source);
        assert.equal((await writer.release()).code, undefined);
        const stats = walker.fs.lstatSync("/d/n");
        assert.equal(stats.isDirectory(), source.includes("mkdir"));
        vfs.fs.rmSync("/d/n", { recursive: true });
      }
    }
  });

  test("bug 8: nor half way in an entry that was in the table before, as a driver's negative ones are", async (t) => {
    const { tree, vfs, walker } = await setUp(t);
    // The reader waits for the writer here, at the longest as long as one stays parked.
    const driver = `({
      name: "half",
      root: () => ({ ino: 1, mode: 0o040755 }),
      lookup: () => null,
      create: (_dir, name, mode) => ({ ino: 2, mode }),
    })`;
    for (const each of [vfs, walker]) each.registerDriver(new Function(`return ${driver}`)());
    vfs.fs.mkdirSync("/drv");
    vfs.mount("none", "/drv", "half");
    assert.equal(vfs.fs.existsSync("/drv/n"), false);
    const writer = await tree.parked(`vfs.registerDriver(${driver}); vfs.fs.mkdirSync("/drv/n");`, POINT.INSTANTIATE);
    assert.equal(
      codeOf(() => walker.fs.readlinkSync("/drv/n/f")),
      "ENOENT",
      "there is no f, before and after; a half made n is no file",
    );
    assert.equal((await writer.release()).code, undefined);
    assert.ok(walker.fs.statSync("/drv/n").isDirectory());
  });

  test("bug 8: the same with threads", async (t) => {
    const vfs = await shipped(t);
    const writer = `
      let rounds = 0;
      while (running()) {
        vfs.fs.mkdirSync("/n"); vfs.fs.writeFileSync("/n/f", ""); vfs.fs.unlinkSync("/n/f"); vfs.fs.rmdirSync("/n");
        rounds++;
      }
      return rounds;`;
    const reader = `
      const codes = {}; 
      while (running()) {
        let code = "ok";
        try { vfs.fs.lstatSync("/n/f"); } catch (error) { code = error.code; }
        codes[code] = (codes[code] ?? 0) + 1;
      }
      return codes;`;
    const [rounds, codes] = await threads(vfs.handle, RACE_MS, [writer, reader]);
    assert.ok(rounds > 100);
    for (const code of Object.keys(codes)) assert.ok(["ok", "ENOENT"].includes(code), `${code}: ${codes[code]}`);
    assert.ok(codes.ENOENT > 0 && codes.ok > 0, JSON.stringify(codes));
  });
});

describe("bug 9: entries evicted under a walk", () => {
  test("bug 9: an entry that goes at any step is neither ENOTDIR nor ENOENT", async (t) => {
    const { vfs, peer, fs } = await setUp(t);
    // The driver keeps no entry that nobody uses, when told so: the other walk's last steps evict what this one looks at.
    let evict = false;
    const driver = objectDriver("big", { a: { b: { f: "x" } } }, { deleteUnused: () => evict });
    mountDriver(driver, "/drv", vfs, peer);
    peer.walkMode({ ref: true });
    let gone = 0;
    peer.each(POINT.KILL, () => gone++);
    // A security hook, which has nothing against anything, keeps every step in the general walk.
    for (const host of [{}, { security: () => 0 }]) {
      const walker = await walkerOf(t, vfs.handle, host);
      walker.registerDriver(driver);
      const happened = atEveryPoint(walker, {
        prepare: () => fs.statSync("/drv/a/b/f"),
        ask: (its) => its.readlinkSync("/drv/a/b/f"),
        change() {
          evict = true;
          peer.fs.statSync("/drv/a/b/f");
          evict = false;
        },
        check: (code, where) => assert.equal(code, "EINVAL", where),
      });
      assert.ok(gone >= happened, `${gone} gone in ${happened}`);
    }
  });

  test("bug 9: the same with threads", async (t) => {
    const vfs = await shipped(t);
    const driver = 'const driver = tools.objectDriver("big", { a: { b: { f: "x" } } }); vfs.registerDriver(driver);';
    vfs.registerDriver(objectDriver("big", { a: { b: { f: "x" } } }));
    vfs.fs.mkdirSync("/drv");
    vfs.mount("none", "/drv", "big");
    const shrinker = "let n = 0; while (running()) n += vfs.shrink(1000); return n;";
    const reader = `${driver}
      let n = 0;
      while (running()) { if (vfs.fs.statSync("/drv/a/b/f").size !== 1) throw new Error("wrong"); n++; }
      return n;`;
    const [shrunk, read] = await threads(vfs.handle, RACE_MS, [shrinker, reader]);
    assert.ok(shrunk > 10 && read > 10, `${shrunk} ${read}`);
  });
});

test("bug 10: no hard error from a permission check on what is of two moments", async (t) => {
  const { vfs, fs, peer } = await setUp(t);
  const user = vfs.context({ uid: 1000, gid: 1000 });
  t.after(() => user.close());
  const walker = await walkerOf(t, user.handle);
  fs.mkdirSync("/p");
  const made = (path) => {
    fs.mkdirSync(path);
    fs.chownSync(path, 0, 1000);
    fs.chmodSync(path, 0o750);
    fs.writeFileSync(`${path}/f`, "x");
  };
  // At no moment is there a /p/d that user 1000 may not search: its mode changes only after it has another name.
  atEveryPoint(walker, {
    prepare() {
      fs.rmSync("/p", { recursive: true });
      fs.mkdirSync("/p");
      made("/p/d");
      made("/p/next");
    },
    ask: (its) => its.statSync("/p/d/f"),
    change() {
      peer.fs.renameSync("/p/d", "/p/old");
      peer.fs.chmodSync("/p/old", 0o700);
      peer.fs.renameSync("/p/next", "/p/d");
    },
    check: (code, where) => assert.ok(code === undefined || code === "ENOENT", `${where}: ${code}`),
  });
  // Removed and made again with another mode, which is closed: EACCES is right from then on, ENOTDIR and the like never.
  atEveryPoint(walker, {
    prepare() {
      fs.rmSync("/p", { recursive: true });
      fs.mkdirSync("/p");
      made("/p/d");
    },
    ask: (its) => its.statSync("/p/d/f"),
    change() {
      peer.fs.unlinkSync("/p/d/f");
      peer.fs.rmdirSync("/p/d");
      peer.fs.mkdirSync("/p/d", 0o700);
    },
    check: (code, where) => assert.ok([undefined, "ENOENT", "EACCES"].includes(code), `${where}: ${code}`),
  });
});

describe("bugs 11 and 12: mounts that move elsewhere", () => {
  /** /m is a mount with a file that the directory below has not; /x/a and /x/b are places for another mount. */
  function mounts(vfs) {
    const { fs } = vfs;
    for (const dir of ["/m", "/x/a", "/x/b"]) fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync("/beside", "x");
    vfs.mount("none", "/m", "tmpfs");
    fs.mkdirSync("/m/in");
    fs.writeFileSync("/m/in/f", "x");
    vfs.mount("none", "/x/a", "tmpfs");
    fs.writeFileSync("/x/a/f", "x");
  }
  const PATHS = { 11: "/m/in/f", 12: "/m/in/../../beside" };

  for (const [bug, path] of Object.entries(PATHS)) {
    test(`bug ${bug}: a mount that moves elsewhere at any step changes no answer`, async (t) => {
      const { vfs, walker, peer } = await setUp(t);
      mounts(vfs);
      let at = "/x/a";
      for (const point of ["MOUNT_CHECK", "MOUNT_DOWN", "MOUNT_UP", "DOTDOT", "COMPONENT", "COMPLETE"]) {
        for (const ref of [false, true]) {
          walker.walkMode({ ref });
          walker.at(POINT[point], () => {
            const to = at === "/x/a" ? "/x/b" : "/x/a";
            peer.mount(at, to, "none", { move: true });
            at = to;
          });
          assert.equal(walker.fs.statSync(path).size, 1, point);
          walker.never();
        }
      }
      for (const mount of ["/m", at]) vfs.umount(mount);
    });
  }

  /** The mount made last: its address and its chain in the table (core/fs/namespace.ts, headOf). */
  function newest(vfs) {
    const words = new Uint32Array(vfs.handle.memory.buffer);
    const mount = words[5380 >>> 2];
    const [parent, place] = [words[mount >>> 2], words[(mount >>> 2) + 1]];
    const h = (Math.imul(parent >>> 7, 0x9e3779b1) + Math.imul(place >>> 7, 0x85ebca6b)) >>> 0;
    return { mount, chain: (h >>> 16) & 255 };
  }

  // A reader that another mount's move carries into another chain of the table does not see what is mounted; it would take a
  // pause between two loads to get there, so the tests put into memory what such a reader sees, until it has noticed.
  const MOUNT_HEADS = 32768;
  const G_MOUNT_SEQ = 4416;

  test("bug 11: a reader that was carried off and misses the mount starts again", async (t) => {
    const { vfs, fs, walker } = await setUp(t);
    fs.mkdirSync("/m");
    fs.writeFileSync("/m/below", "hidden");
    vfs.mount("none", "/m", "tmpfs");
    const head = (MOUNT_HEADS >>> 2) + newest(vfs).chain;
    fs.writeFileSync("/m/f", "x");
    const words = new Uint32Array(vfs.handle.memory.buffer);
    const saved = words[head];
    for (const [path, code] of [
      ["/m/f", "EINVAL"],
      ["/m/below", "ENOENT"],
      ["/m/none", "ENOENT"],
    ]) {
      walker.at(POINT.MOUNT_CHECK, () => {
        words[head] = 0;
        words[G_MOUNT_SEQ >>> 2] += 2;
      });
      walker.at(POINT.RESTART, () => {
        words[head] = saved;
      });
      const run = counted(walker, () =>
        assert.equal(
          codeOf(() => walker.fs.readlinkSync(path)),
          code,
          path,
        ),
      );
      words[head] = saved;
      assert.equal(run.echildRestarts, 1, path);
    }
  });

  test("bug 12: nor does one get stuck below a mount that seems to stand on nothing", async (t) => {
    const { vfs, walker } = await setUp(t);
    mounts(vfs);
    const words = new Uint32Array(vfs.handle.memory.buffer);
    let mount = 0;
    let parent = 0;
    walker.at(POINT.MOUNT_DOWN, (m) => {
      mount = m >>> 2;
      parent = words[mount];
    });
    walker.at(POINT.DOTDOT, () => {
      words[mount] = mount << 2;
      words[G_MOUNT_SEQ >>> 2] += 2;
    });
    walker.at(POINT.RESTART, () => {
      words[mount] = parent;
    });
    const run = counted(walker, () =>
      assert.equal(
        codeOf(() => walker.fs.readlinkSync(PATHS[12])),
        "EINVAL",
      ),
    );
    words[mount] = parent;
    assert.equal(run.echildRestarts, 1);
  });

  test("bug 11: threads: a mount that stands in the same chain of the table moves to and fro", async (t) => {
    const vfs = await shipped(t);
    const { fs } = vfs;
    for (const dir of ["/m", "/other"]) fs.mkdirSync(dir);
    vfs.mount("none", "/m", "tmpfs");
    fs.writeFileSync("/m/f", "x");
    const { chain } = newest(vfs);
    let place;
    for (let i = 0; i < 5000 && place === undefined; i++) {
      fs.mkdirSync(`/s${i}`);
      vfs.mount("none", `/s${i}`, "tmpfs");
      if (newest(vfs).chain === chain) place = `/s${i}`;
      else {
        vfs.umount(`/s${i}`);
      }
    }
    assert.ok(place !== undefined);
    const mover = `
      let n = 0;
      while (running()) {
        vfs.mount(data.place, "/other", "none", { move: true });
        vfs.mount("/other", data.place, "none", { move: true });
        n++;
      }
      return n;`;
    const reader = `
      let n = 0;
      while (running()) { if (vfs.fs.statSync("/m/f").size !== 1) throw new Error("wrong"); n++; }
      return n;`;
    const [moved, read] = await threads(vfs.handle, RACE_MS, [mover, reader], { place });
    assert.ok(moved > 100 && read > 100, `${moved} ${read}`);
  });

  test("bug 12: threads: '..' out of a mount that moves leads to where it stands, or stood", async (t) => {
    const vfs = await shipped(t);
    const { fs } = vfs;
    const places = ["/a/x", "/b/y"];
    const right = [];
    for (const [i, place] of places.entries()) {
      const top = place.slice(0, 2);
      fs.mkdirSync(top);
      vfs.mount("none", top, "tmpfs");
      fs.mkdirSync(place);
      fs.writeFileSync(`${top}/beside`, "x".repeat(i + 1));
      const { dev, ino, size } = fs.statSync(`${top}/beside`);
      right.push(`${dev} ${ino} ${size}`);
    }
    vfs.mount("none", places[0], "tmpfs");
    fs.mkdirSync(`${places[0]}/in`);
    const context = vfs.context({ cwd: `${places[0]}/in` });
    const mover = `
      const { attachVfs } = await import(data.index);
      const root = await attachVfs(data.root);
      let n = 0;
      while (running()) {
        root.mount("/a/x", "/b/y", "none", { move: true });
        root.mount("/b/y", "/a/x", "none", { move: true });
        n++;
      }
      root.close();
      return n;`;
    const reader = `
      const seen = {};
      while (running()) {
        let what;
        try { const { dev, ino, size } = vfs.fs.lstatSync("../../beside"); what = dev + " " + ino + " " + size; }
        catch (error) { what = error.code; }
        seen[what] = (seen[what] ?? 0) + 1;
      }
      return seen;`;
    const data = { root: vfs.handle, index: new URL("../dist/index.js", import.meta.url).href };
    const [moved, seen] = await threads(context.handle, RACE_MS, [`return (async () => {${mover}})()`, reader], data);
    assert.ok(moved > 100, `${moved}`);
    for (const what of Object.keys(seen)) assert.ok(right.includes(what), JSON.stringify({ right, seen }));
    context.close();
  });
});

test("bug 13: a mount that is reached through links is put once", async (t) => {
  // A link cannot be a mount's root here: mount(2) follows it. What can be done: a file bound over a mount point's file, a link
  // in one mount that leads into another, and a mount bound through a link over a mount point.
  const { vfs, fs, walker } = await setUp(t);
  for (const dir of ["/a", "/b"]) {
    fs.mkdirSync(dir);
    vfs.mount("none", dir, "tmpfs");
  }
  fs.mkdirSync("/b/dir");
  fs.writeFileSync("/b/file", "x");
  fs.writeFileSync("/a/file", "over");
  fs.mkdirSync("/a/place");
  fs.symlinkSync("/b/dir", "/a/link");
  fs.symlinkSync("/b/file", "/a/to-file");
  vfs.mount("/a/link", "/a/place", "bind");
  vfs.mount("/a/to-file", "/a/file", "bind");
  fs.writeFileSync("/a/place/g", "xy");
  for (const ref of [false, true]) {
    walker.walkMode({ ref });
    for (let i = 0; i < 50; i++) {
      assert.equal(walker.fs.statSync("/a/link/g").size, 2);
      assert.equal(walker.fs.statSync("/a/link/../file").size, 1);
      assert.equal(walker.fs.statSync("/a/place/../to-file").size, 1);
      assert.equal(walker.fs.readFileSync("/a/file", "utf8"), "x");
      assert.equal(
        codeOf(() => walker.fs.statSync("/a/to-file/x")),
        "ENOTDIR",
      );
      assert.equal(
        codeOf(() => walker.fs.chmodSync("/a/link/none", 0)),
        "ENOENT",
      );
    }
  }
  // Each of them can be taken down once, and not before what stands on it.
  assert.equal(
    codeOf(() => vfs.umount("/a")),
    "EBUSY",
  );
  for (const mount of ["/a/file", "/a/place", "/a", "/b"]) {
    vfs.umount(mount);
    assert.equal(
      codeOf(() => vfs.umount(mount)),
      mount.startsWith("/a/") && fs.existsSync(mount) ? "EINVAL" : codeOf(() => vfs.umount(mount)),
    );
  }
  assert.equal(gauges(vfs).mounts, 1);
});

describe("bug 14: references dropped inside a read-side section", () => {
  test("bug 14: the last reference on a mount or a file, from a drop that failed, goes after the section", async (t) => {
    const { vfs, fs, walker, peer, memory } = await setUp(t);
    const slot = walker.threadSlot;
    const epochs = [];
    walker.each(POINT.KILL, () => epochs.push(memory.epoch(slot)));
    fs.mkdirSync("/m");
    vfs.mount("none", "/m", "tmpfs");
    fs.writeFileSync("/m/f", "x");
    const level = gauges(vfs);
    fs.writeFileSync("/f", "x".repeat(10000));
    walker.at(POINT.UNLAZY_HALF, () => peer.fs.unlinkSync("/f"));
    assert.equal(
      codeOf(() => walker.fs.openSync("/f")),
      "ENOENT",
    );
    assert.deepEqual(new Set(epochs), new Set([0]), "the walk was the last to let go, outside of its section");
    assert.deepEqual(gauges(vfs), level);
    // The end of a file system waits for a grace period, which a section of one's own would hold up for ever.
    epochs.length = 0;
    walker.at(POINT.UNLAZY_HALF, () => {
      peer.fs.renameSync("/m/f", "/m/g");
      peer.umount("/m", { detach: true });
    });
    assert.equal(
      codeOf(() => walker.fs.openSync("/m/f")),
      "ENOENT",
    );
    assert.ok(epochs.length > 0);
    assert.deepEqual(new Set(epochs), new Set([0]));
    assert.equal(gauges(vfs).mounts, level.mounts - 1);
    assert.equal(vfs.counters().expelledReaders, 0);
  });
});

describe("bug 16: '..' out of a bind mount that a rename has left behind", () => {
  test("bug 16: at any step of the walk", async (t) => {
    const { vfs, fs, peer } = await setUp(t);
    for (const dir of ["/a/b/c", "/outside", "/view"]) fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync("/outside/secret", "x");
    vfs.mount("/a/b", "/view", "bind");
    const jail = vfs.context({ root: "/view", cwd: "/c" });
    t.after(() => jail.close());
    const walker = await walkerOf(t, jail.handle);
    for (const path of ["/c/../secret", "../secret", "../../secret", "/c/../../outside/secret"]) {
      for (const ref of [false, true]) {
        walker.walkMode({ ref });
        const passed = walker.points(() => codeOf(() => walker.fs.statSync(path))).map(([id]) => id);
        for (const point of ["WALK_START", "COMPONENT", "DOTDOT", "FOUND", "LOCKED_LOOKUP", "COMPLETE"]) {
          const times = passed.filter((id) => id === POINT[point]).length;
          for (let nth = 1; nth <= times; nth++) {
            walker.at(POINT[point], () => peer.fs.renameSync("/a/b/c", "/outside/c"), nth);
            assert.equal(
              codeOf(() => walker.fs.statSync(path)),
              "ENOENT",
              `${path} ${point} ${nth}`,
            );
            walker.never();
            if (fs.existsSync("/outside/c")) fs.renameSync("/outside/c", "/a/b/c");
          }
        }
        // And when it is out already: the directory of work lies outside, and from there no ".." leads anywhere.
        fs.renameSync("/a/b/c", "/outside/c");
        if (!path.startsWith("/"))
          assert.equal(
            codeOf(() => walker.fs.statSync(path)),
            "ENOENT",
            path,
          );
        fs.renameSync("/outside/c", "/a/b/c");
      }
    }
  });
});

describe("bug 17: containment of '..' against renames", () => {
  test("bug 17: exchange renames against c/../../.. in a chroot: no escape", async (t) => {
    const vfs = await shipped(t);
    const { fs } = vfs;
    for (const dir of ["/jail/a/c", "/jail/b/d", "/jail/x/y/z"]) fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync("/secret", "x");
    fs.mkdirSync("/other");
    const jail = vfs.context({ root: "/jail", cwd: "/a" });
    const swapper = `
      let n = 0;
      const pairs = [["/jail/a/c", "/jail/b/d"], ["/jail/a", "/jail/x/y"], ["/jail/b", "/jail/x/y/z"], ["/jail/x", "/jail/b"]];
      while (running()) {
        for (const [a, b] of pairs) {
          for (let i = 0; i < 2; i++) if (raw.rename(a, b, 2) !== 0) throw new Error("no exchange");
        }
        n += 8;
      }
      return n;`;
    const prisoner = `
      const { attachVfs } = await import(data.index);
      const jail = await attachVfs(data.jail);
      const wrong = []; let asked = 0;
      const paths = ["c/../../../secret", "c/../../../../secret", "../../secret", "/a/c/../../../secret", "/b/d/../../../secret", "d/../../../other"];
      while (running()) {
        for (const path of paths) {
          asked++;
          if (jail.fs.existsSync(path)) wrong.push(path);
        }
        for (const path of ["c/../../..", "../../..", "/a/c/../../../.."]) {
          let ino;
          try { ino = jail.fs.statSync(path).ino; } catch {}
          if (ino !== undefined && !data.inside.includes(ino)) wrong.push(path);
        }
      }
      jail.close();
      return { wrong: wrong.slice(0, 5), asked };`;
    const data = {
      jail: jail.handle,
      index: new URL("../dist/index.js", import.meta.url).href,
      inside: ["", "/a", "/a/c", "/b", "/b/d", "/x", "/x/y", "/x/y/z"].map((path) => fs.statSync(`/jail${path}`).ino),
    };
    const bodies = [swapper, `return (async () => {${prisoner}})()`, `return (async () => {${prisoner}})()`];
    const [rounds, ...answers] = await threads(vfs.handle, 2 * RACE_MS, bodies, data);
    assert.ok(rounds > 1000, `${rounds}`);
    for (const { wrong, asked } of answers) {
      assert.ok(asked > 1000, `${asked}`);
      assert.deepEqual(wrong, []);
    }
    jail.close();
  });
});

describe("bug 18: memory freed before its grace period", () => {
  test("bug 18: nothing of the walk's is used again while the walk goes on", async (t) => {
    const { fs, walker, peer } = await setUp(t);
    const made = new Set();
    peer.each(POINT.ALLOCATED, (dentry) => made.add(dentry));
    peer.each(POINT.INSTANTIATE, (_dentry, inode) => made.add(inode));
    for (const point of ["SEQ_OPENED", "COMPARED", "PARENT_CHECK", "COMPLETE"]) {
      fs.mkdirSync("/d");
      fs.writeFileSync("/d/f", "x");
      const used = new Set();
      walker.each(POINT.SEQ_OPENED, (dentry) => used.add(dentry));
      walker.each(POINT.ATTR_COPIED, (inode) => used.add(inode));
      made.clear();
      const poison = () => {
        peer.fs.unlinkSync("/d/f");
        peer.fs.rmdirSync("/d");
        for (let i = 0; i < 200; i++) {
          peer.fs.writeFileSync("/poison", "poison");
          peer.fs.unlinkSync("/poison");
        }
        assert.equal([...used].filter((p) => made.has(p)).length, 0, "memory was used again under a walk");
      };
      if (point === "SEQ_OPENED") {
        walker.at(
          POINT.SEQ_OPENED,
          (dentry) => {
            used.add(dentry);
            poison();
          },
          2,
        );
      } else {
        walker.at(POINT[point], poison, point === "COMPLETE" ? 1 : 2);
      }
      const code = codeOf(() => assert.equal(walker.fs.statSync("/d/f").size, 1));
      assert.ok(code === undefined || code === "ENOENT", `${point}: ${code}`);
      walker.never();
      assert.equal(fs.existsSync("/d"), false);
    }
    // Once no walk is under way it is.
    fs.writeFileSync("/f", "x");
    made.clear();
    for (let i = 0; i < 500; i++) {
      peer.fs.writeFileSync("/again", "");
      peer.fs.unlinkSync("/again");
    }
    assert.ok(made.size < 500);
  });

  test("bug 18: the body of a link that is removed while it is walked", async (t) => {
    const { fs, walker, peer } = await setUp(t);
    fs.mkdirSync("/target/a/b/c", { recursive: true });
    const body = "/target/a/./b/./c/.";
    for (const point of ["LINK", "COMPONENT", "FOUND"]) {
      fs.symlinkSync(body, "/link");
      let nth = point === "LINK" ? 1 : 3;
      walker.at(
        POINT[point],
        () => {
          peer.fs.unlinkSync("/link");
          peer.synchronizeRcu();
          peer.shrink(1000);
          for (let i = 0; i < 300; i++) {
            peer.fs.symlinkSync("/wrong/wrong/wrong/", `/poison${i}`);
          }
        },
        nth,
      );
      nth = 0;
      assert.ok(walker.fs.statSync("/link").isDirectory(), point);
      assert.equal(walker.waits(POINT[point]), false);
      for (let i = 0; i < 300; i++) fs.unlinkSync(`/poison${i}`);
    }
  });
});

test("bug 19: a file system goes away under walks: no hook is called once it is unregistered", async (t) => {
  const vfs = await shipped(t);
  const gone = new Int32Array(new SharedArrayBuffer(8));
  const data = { gone };
  const content = '{ d: { f: "x" } }';
  const reader = `
    const { gone } = data;
    let asked = 0; let late = 0;
    // Without permission() and revalidate(), so that the hooks are called by a walk that holds no reference.
    const driver = tools.objectDriver("short", ${content}, {
      // Slow, so that what is called next in the same walk may come too late.
      hash() {
        if (Atomics.load(gone, 0) === 1) late++;
        const end = performance.now() + 0.1;
        while (performance.now() < end);
        return 1;
      },
      compare(_dir, _node, a, b) { if (Atomics.load(gone, 0) === 1) late++; return a === b; },
    });
    const codes = {};
    while (running()) {
      try { vfs.registerDriver(driver); } catch {}
      for (let i = 0; i < 50; i++) {
        asked++;
        let code = "ok";
        try { vfs.fs.statSync("/drv/d/f"); } catch (error) { code = error.code; }
        codes[code] = (codes[code] ?? 0) + 1;
      }
    }
    return { asked, late, codes };`;
  const owner = `
    const { gone } = data;
    let rounds = 0;
    const driver = tools.objectDriver("owned", ${content}, {
      hash: () => 1, compare: (_dir, _node, a, b) => a === b,
    });
    driver.name = "short";
    while (running()) {
      Atomics.store(gone, 0, 0);
      vfs.registerDriver(driver);
      vfs.mount("none", "/drv", "short");
      for (let i = 0; i < 20; i++) vfs.fs.existsSync("/drv/d/f");
      vfs.umount("/drv", { detach: true });
      for (let i = 0; i < 1000; i++) {
        try { vfs.unregisterDriver("short"); break; } catch (error) { if (error.code !== "EBUSY") throw error; }
      }
      Atomics.store(gone, 0, 1);
      for (let i = 0; i < 20; i++) vfs.fs.existsSync("/drv/d/f");
      rounds++;
    }
    return rounds;`;
  vfs.fs.mkdirSync("/drv");
  const [rounds, answer] = await threads(vfs.handle, RACE_MS, [owner, reader], data);
  assert.ok(rounds > 3 && answer.asked > 100, `${rounds} ${JSON.stringify(answer)}`);
  for (const code of Object.keys(answer.codes))
    assert.ok(["ok", "ENOENT", "ENXIO"].includes(code), JSON.stringify(answer));
  assert.ok(answer.codes.ENOENT > 0);
  assert.equal(answer.late, 0);
});

test("bug 19: unmounting and unregistering wait for a walk that has seen the hooks and not called them yet", async (t) => {
  const { vfs } = await setUp(t);
  const driver = '{ name: "slow", root: () => ({ ino: 1, mode: 0o040755 }), lookup: () => null, hash: () => 1 }';
  vfs.registerDriver(new Function(`return ${driver}`)());
  vfs.fs.mkdirSync("/drv");
  vfs.mount("none", "/drv", "slow");
  assert.equal(vfs.fs.existsSync("/drv/x"), false);
  const signal = new Int32Array(new SharedArrayBuffer(8));
  // Stops before the second component, in rcu mode, and goes on long before anybody would expel it.
  const body = `return (async () => {
    const walker = await tools.walkerOf({ after() {} }, data.handle);
    walker.registerDriver(${driver});
    walker.at(data.point, () => {
      Atomics.store(data.signal, 0, 1);
      Atomics.wait(data.signal, 1, 0, 300);
      Atomics.store(data.signal, 0, 2);
    }, 2);
    const there = walker.fs.existsSync("/drv/x");
    walker.close();
    return there;
  })()`;
  const data = { handle: vfs.handle, point: POINT.COMPONENT, signal };
  const running = threads(vfs.handle, 500, [body], data);
  for (let i = 0; i < 1000 && Atomics.load(signal, 0) === 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(Atomics.load(signal, 0), 1);
  vfs.umount("/drv", { detach: true });
  vfs.unregisterDriver("slow");
  assert.equal(Atomics.load(signal, 0), 2, "the walk had gone on by then");
  assert.equal(vfs.counters().expelledReaders, 0);
  assert.deepEqual(await running, [false]);
});

test("bug 20: the entry that revalidate is asked about keeps its parent and its inode", async (t) => {
  const { vfs, fs, walker, peer } = await setUp(t);
  const driver = objectDriver("asked", { d: { f: "x" } }, { revalidate: () => true });
  mountDriver(driver, "/drv", vfs, walker, peer);
  for (const good of [true, false]) {
    for (const ref of [false, true]) {
      walker.walkMode({ ref });
      driver.put(driver.lookup(1, "d").ino, "f", "x");
      driver.revalidate = (_dir, node) => node !== null;
      fs.statSync("/drv/d/f");
      const asked = [];
      let inHook = false;
      driver.revalidate = (dir, node, name) => {
        asked.push([dir, node, name]);
        if (name !== "f" || inHook) return true;
        inHook = true;
        peer.fs.unlinkSync("/drv/d/f");
        peer.shrink(1000);
        assert.deepEqual([typeof dir, typeof node], ["number", "number"]);
        return good;
      };
      const code = codeOf(() => walker.fs.chmodSync("/drv/d/f/x", 0));
      assert.ok(code === "ENOTDIR" || code === "ENOENT", `${code}`);
      assert.ok(inHook && asked.every(([dir]) => dir > 0));
      driver.revalidate = () => true;
      assert.equal(fs.existsSync("/drv/d/f"), false);
    }
  }
  vfs.umount("/drv");
});

test("bug 21: getcwd and realpath tell a path that was, while its directories are renamed", async (t) => {
  const vfs = await shipped(t);
  const { fs } = vfs;
  fs.mkdirSync("/one/two/three", { recursive: true });
  const context = vfs.context({ cwd: "/one/two/three" });
  const right = [];
  for (const a of ["one", "a-much-longer-name-for-the-first-of-the-three-directories"]) {
    for (const b of ["two", "b"]) right.push(`/${a}/${b}/three`, `/${b}/three`);
  }
  const mover = `
    let n = 0; const [short, long] = ["/one", "/a-much-longer-name-for-the-first-of-the-three-directories"];
    while (running()) {
      vfs.fs.renameSync(short, long); vfs.fs.renameSync(long + "/two", long + "/b"); vfs.fs.renameSync(long + "/b", "/b");
      vfs.fs.renameSync("/b", long + "/b"); vfs.fs.renameSync(long + "/b", long + "/two"); vfs.fs.renameSync(long, short);
      n++;
    }
    return n;`;
  const asker = `
    const { attachVfs } = await import(data.index);
    const { Context } = await import(data.context);
    const c = new Context(raw.arena, data.handle.ctx, false);
    const seen = {}; let n = 0;
    while (running()) {
      for (const path of [c.getcwd(), c.fs.realpathSync.native(".")]) seen[path] = (seen[path] ?? 0) + 1;
      n++;
    }
    return { seen, n };`;
  const data = {
    handle: context.handle,
    index: new URL("../dist/index.js", import.meta.url).href,
    context: new URL("../dist/context.js", import.meta.url).href,
  };
  const [moved, answer] = await threads(vfs.handle, RACE_MS, [mover, `return (async () => {${asker}})()`], data);
  assert.ok(moved > 100 && answer.n > 100, `${moved} ${answer.n}`);
  for (const path of Object.keys(answer.seen)) assert.ok(right.includes(path), `${path}: ${answer.seen[path]}`);
  context.close();
});

describe("bug 22: names of different length torn by a rename", () => {
  const SHORT = "/abc";
  const LONG = `/${"n".repeat(200)}`;

  test("bug 22: exchanged at any step of a lookup of either", async (t) => {
    const { vfs, fs, walker } = await setUp(t);
    const raw = rawCore(t, vfs.handle);
    fs.writeFileSync(SHORT, "x");
    fs.writeFileSync(LONG, "x");
    for (const path of [SHORT, LONG]) {
      atEveryPoint(walker, {
        prepare: () => {},
        ask: (its) => assert.equal(its.statSync(path).size, 1),
        change: () => assert.equal(raw.rename(SHORT, LONG, 2), 0),
        check: (code, where) => assert.equal(code, undefined, where),
      });
    }
  });

  test("bug 22: and by threads: both are there at every moment", async (t) => {
    const vfs = await shipped(t);
    vfs.fs.writeFileSync(SHORT, "x");
    vfs.fs.writeFileSync(LONG, "x");
    const swapper = `
      let n = 0;
      while (running()) { if (raw.rename(data.SHORT, data.LONG, 2) !== 0) throw new Error("no exchange"); n++; }
      return n;`;
    const reader = `
      let n = 0;
      while (running()) {
        for (const path of [data.SHORT, data.LONG]) if (vfs.fs.statSync(path).size !== 1) throw new Error("wrong");
        n++;
      }
      return n;`;
    const [swapped, read] = await threads(vfs.handle, RACE_MS, [swapper, reader], { SHORT, LONG });
    assert.ok(swapped > 100 && read > 100, `${swapped} ${read}`);
  });
});

describe("bug 24: walks over a whole tree while it is moved about", () => {
  const build = (fs) => {
    for (const top of ["/left", "/right"])
      for (let i = 0; i < 5; i++) fs.mkdirSync(`${top}/d${i}/e`, { recursive: true });
    for (let i = 0; i < 5; i++) fs.writeFileSync(`/left/d${i}/e/f`, "x");
    fs.mkdirSync("/keep/d0", { recursive: true });
    fs.writeFileSync("/keep/d0/f", "x");
  };

  test("bug 24: a reading goes on where it was when the entry shown last has moved to another directory", async (t) => {
    const { vfs, fs } = await setUp(t);
    const { core, ctx, arena, path } = rawCore(t, vfs.handle);
    const long = (name) => `${name}-${"n".repeat(200)}`;
    for (const dir of ["/d", "/e"]) fs.mkdirSync(dir);
    for (let i = 0; i < 600; i++) fs.writeFileSync(`/d/${long(i)}`, "");
    const fd = core.sysOpen(ctx, -100, path("/d"), 0, 0);
    assert.ok(fd >= 0);
    const next = () => {
      const names = [];
      const end = core.sysGetdents(ctx, fd);
      for (let at = 0; at < end; ) {
        const length = arena.io[at + 9];
        names.push(Buffer.from(arena.io.slice(at + 10, at + 10 + length)).toString());
        at += (10 + length + 7) & ~7;
      }
      return names;
    };
    const first = next();
    assert.ok(first.length > 10 && first.length < 600);
    // The entry where the next call goes on is, in its new directory, at the very position it had in the old one.
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

  test("bug 24: a directory that is read gives each lasting name once, whatever moves past", async (t) => {
    const vfs = await shipped(t);
    build(vfs.fs);
    for (let i = 0; i < 300; i++) vfs.fs.writeFileSync(`/left/s${i}`, "");
    const mover = `
      let n = 0;
      while (running()) {
        for (let i = 0; i < 5; i++) {
          vfs.fs.renameSync("/left/d" + i, "/right/x" + i); vfs.fs.renameSync("/right/x" + i, "/left/d" + i);
        }
        vfs.fs.writeFileSync("/left/come", ""); vfs.fs.unlinkSync("/left/come");
        n++;
      }
      return n;`;
    const reader = `
      let n = 0;
      const known = new RegExp("^([sdx][0-9]+(/e(/f)?)?|come)$");
      while (running()) {
        const names = vfs.fs.readdirSync("/left");
        if (new Set(names).size !== names.length) throw new Error("twice: " + names);
        if (names.filter((name) => name[0] === "s").length !== 300) throw new Error("missing: " + names.length);
        let deep;
        try { deep = vfs.fs.readdirSync("/left", { recursive: true }); } catch (error) { if (error.code !== "ENOENT") throw error; }
        for (const name of deep ?? []) if (!known.test(name)) throw new Error("strange: " + name);
        n++;
      }
      return n;`;
    const [moved, read] = await threads(vfs.handle, RACE_MS, [mover, reader]);
    assert.ok(moved > 20 && read > 20, `${moved} ${read}`);
  });

  test("bug 24: a recursive rm removes nothing that has been moved out of its reach", async (t) => {
    const vfs = await shipped(t);
    vfs.fs.mkdirSync("/keep");
    vfs.fs.mkdirSync("/work");
    const remover = `
      let n = 0;
      while (running()) {
        try { vfs.fs.rmSync("/work/tree", { recursive: true, force: true }); n++; }
        catch (error) { if (!["ENOENT", "ENOTEMPTY", "ENOTDIR"].includes(error.code)) throw error; }
      }
      return n;`;
    const builder = `
      let n = 0; let lost = [];
      const quiet = (run) => { try { run(); return true; } catch (error) { if (error.code === undefined) throw error; return false; } };
      while (running()) {
        quiet(() => vfs.fs.mkdirSync("/work/tree/sub", { recursive: true }));
        quiet(() => vfs.fs.writeFileSync("/work/tree/sub/f", "x"));
        if (!quiet(() => vfs.fs.renameSync("/work/tree/sub", "/keep/saved"))) continue;
        const names = vfs.fs.readdirSync("/keep/saved");
        for (const name of names) if (!vfs.fs.existsSync("/keep/saved/" + name)) lost.push(name);
        quiet(() => vfs.fs.writeFileSync("/keep/saved/late", "x"));
        for (let i = 0; i < 20; i++) if (!vfs.fs.existsSync("/keep/saved/late")) { lost.push("late"); break; }
        vfs.fs.rmSync("/keep/saved", { recursive: true });
        n++;
      }
      return { n, lost: lost.slice(0, 5) };`;
    const [removed, answer] = await threads(vfs.handle, RACE_MS, [remover, builder]);
    assert.ok(removed > 10 && answer.n > 10, `${removed} ${answer.n}`);
    assert.ok(vfs.fs.existsSync("/keep"));
  });
});

describe("bug 25: the count of links", () => {
  function chain(fs, n, end) {
    for (let i = 0; i < n; i++) fs.symlinkSync(i === n - 1 ? end : `/l${i + 1}`, `/l${i}`);
  }

  test("bug 25: exactly 40 links, with a restart forced at each point of the first", async (t) => {
    const { fs, walker, peer } = await setUp(t);
    fs.mkdirSync("/d");
    fs.writeFileSync("/d/f", "x");
    chain(fs, 40, "/d/f");
    for (const point of ["SEQ_OPENED", "PARENT_CHECK", "DROP", "UNLAZY_HALF"]) {
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
    walker.at(POINT.UNLAZY_HALF, () => {
      peer.fs.renameSync("/l-first", "/away");
      peer.fs.renameSync("/away", "/l-first");
    });
    assert.equal(
      codeOf(() => walker.fs.statSync("/l-first")),
      "ELOOP",
      "and 41 are one too many in either mode",
    );
  });

  test("bug 25: 40 links and then ESTALE: the third attempt counts from the start too", async (t) => {
    const { vfs, fs, walker } = await setUp(t);
    const driver = objectDriver("stale", { d: { f: "x" } });
    const { lookup } = driver;
    let stale = 0;
    driver.lookup = (dir, name) => {
      if (name === "f" && stale-- > 0) throw Object.assign(new Error("stale"), { code: "ESTALE" });
      return lookup(dir, name);
    };
    mountDriver(driver, "/drv", vfs, walker);
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
