/** The tree as a whole: making and attaching, handles across threads, contexts, mounts, hooks, closing. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { ABI_VERSION, ACL_TAG, attachVfs, createVfs, loadCore } from "../../../dist/src/index.js";
import { DEBUG_CORE } from "../../support/debug-core.js";

const open = [];
after(() => {
  for (const vfs of open) vfs.close();
});

/** A tree that is closed when the tests are done. */
async function tree(options = {}) {
  const vfs = await createVfs({ maxBytes: 1 << 28, ...options });
  open.push(vfs);
  return vfs;
}

/** A thread attached to a handle: `ask(call, ...args)` answers what its fs answered. */
async function thread(handle) {
  const worker = new Worker(new URL("../../threads/calls.worker.js", import.meta.url), { workerData: { handle } });
  const waiting = new Map();
  let next = 1;
  const ready = new Promise((resolve, reject) => {
    waiting.set(0, { resolve, reject });
    worker.once("error", reject);
  });
  worker.on("message", ({ id, value, error }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(Object.assign(new Error(error.message), error));
    else resolve(value);
  });
  await ready;
  const send = (on, call, args) =>
    new Promise((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, on, call, args });
    });
  return {
    ask: (call, ...args) => send("fs", call, args),
    tell: (call, ...args) => send("vfs", call, args),
    stop: () => worker.terminate(),
  };
}

describe("making a tree", () => {
  for (const bad of [0, -1, 1.5, Number.NaN, 65536, 2 ** 32, Number.POSITIVE_INFINITY]) {
    test(`maxBytes ${bad} is out of range`, async () => {
      await assert.rejects(createVfs({ maxBytes: bad }), { name: "RangeError", code: "ERR_OUT_OF_RANGE" });
    });
  }
  for (const bad of [undefined, null, "1000000", 1n]) {
    test(`maxBytes ${typeof bad} is no number`, async () => {
      await assert.rejects(createVfs({ maxBytes: bad }), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    });
  }
  test("no options at all", async () => {
    await assert.rejects(createVfs(), { code: "ERR_INVALID_ARG_TYPE" });
  });
  test("other options that are wrong", async () => {
    for (const bad of [{ now: 5 }, { point: "x" }, { security: {} }, { audit: 1 }, { core: {} }]) {
      await assert.rejects(createVfs({ maxBytes: 1 << 24, ...bad }), { code: "ERR_INVALID_ARG_TYPE" });
    }
    const { handle } = await tree();
    await assert.rejects(attachVfs(handle, { security: 5 }), { code: "ERR_INVALID_ARG_TYPE" });
  });
  test("2 GiB and nearly 4 GiB can be asked for", async () => {
    for (const maxBytes of [2 ** 31, 2 ** 32 - 65536]) {
      const vfs = await createVfs({ maxBytes });
      vfs.fs.writeFileSync("/file", "x");
      assert.equal(vfs.fs.readFileSync("/file", "utf8"), "x");
      vfs.close();
    }
  });
  test("a fresh tree is one empty directory", async () => {
    const { fs } = await tree();
    assert.deepEqual(fs.readdirSync("/"), []);
    assert.ok(fs.statSync("/").isDirectory());
  });
  test("two trees in one thread know nothing of each other", async () => {
    const [one, two] = [await tree(), await tree()];
    one.fs.writeFileSync("/file", "one");
    assert.equal(two.fs.existsSync("/file"), false);
    two.fs.writeFileSync("/file", "two");
    assert.equal(one.fs.readFileSync("/file", "utf8"), "one");
  });
  test("the core is compiled once", async () => {
    assert.equal(loadCore(), loadCore());
    assert.notEqual(await loadCore(), await loadCore({ url: DEBUG_CORE }));
  });
  test("the debug build reports its places, the shipping one has none", async () => {
    const seen = [];
    const vfs = await tree({ core: await loadCore({ url: DEBUG_CORE }), point: (id) => seen.push(id) });
    vfs.fs.existsSync("/a/b");
    assert.ok(seen.length > 0);
    assert.deepEqual(
      WebAssembly.Module.imports(await loadCore()).filter(({ name }) => name === "point"),
      [],
    );
  });
});

describe("handles", () => {
  test("hold what they say and survive cloning", async () => {
    const vfs = await tree();
    const { module, memory, version, ctx } = vfs.handle;
    assert.ok(module instanceof WebAssembly.Module && memory instanceof WebAssembly.Memory);
    assert.deepEqual([version, ctx], [ABI_VERSION, 0]);
    const clone = structuredClone(vfs.handle);
    const same = await attachVfs(clone);
    vfs.fs.writeFileSync("/file", "x");
    assert.equal(same.fs.readFileSync("/file", "utf8"), "x");
    same.close();
    assert.equal(vfs.fs.existsSync("/file"), true);
  });
  test("others are refused", async () => {
    const { handle } = await tree();
    const bad = [
      undefined,
      null,
      5,
      "handle",
      {},
      { ...handle, version: ABI_VERSION + 1 },
      { ...handle, version: undefined },
      { ...handle, module: undefined },
      { ...handle, memory: {} },
      { ...handle, memory: new WebAssembly.Memory({ initial: 1 }) },
      { ...handle, module: new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)) },
      { ...handle, memory: new WebAssembly.Memory({ initial: 1, maximum: 64, shared: true }) },
      { ...handle, memory: new WebAssembly.Memory({ initial: 4, maximum: 64, shared: true }) },
      { ...handle, ctx: -1 },
      { ...handle, ctx: 1.5 },
      { ...handle, ctx: "0" },
      { ...handle, ctx: 12345 },
    ];
    for (const given of bad) await assert.rejects(attachVfs(given), { code: "ERR_THREADFS_HANDLE" });
  });
  test("attaching and closing again and again uses nothing up", async () => {
    const vfs = await tree();
    for (let i = 0; i < 300; i++) {
      const same = await attachVfs(vfs.handle);
      assert.equal(same.fs.existsSync("/"), true);
      same.close();
    }
  });
});

describe("threads", () => {
  test("read and write one tree", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    fs.mkdirSync("/dir");
    fs.writeFileSync("/dir/from-main", "main");
    const worker = await thread(vfs.handle);
    try {
      assert.equal(await worker.ask("readFileSync", "/dir/from-main", "utf8"), "main");
      await worker.ask("writeFileSync", "/dir/from-worker", "x".repeat(200_000));
      assert.equal(fs.readFileSync("/dir/from-worker", "utf8"), "x".repeat(200_000));
      fs.renameSync("/dir", "/moved");
      assert.equal(await worker.ask("existsSync", "/dir/from-main"), false);
      assert.deepEqual(await worker.ask("readdirSync", "/moved"), ["from-main", "from-worker"]);
      await worker.ask("rmSync", "/moved", { recursive: true });
      assert.deepEqual(fs.readdirSync("/"), []);
      await assert.rejects(worker.ask("statSync", "/moved"), {
        code: "ENOENT",
        errno: -2,
        syscall: "stat",
        path: "/moved",
        message: "ENOENT: no such file or directory, stat '/moved'",
      });
    } finally {
      await worker.stop();
    }
  });

  test("fill one directory at once", async () => {
    const vfs = await tree();
    const workers = await Promise.all([1, 2, 3].map(() => thread(vfs.handle)));
    try {
      vfs.fs.mkdirSync("/shared");
      const made = workers.map(async (worker, w) => {
        for (let i = 0; i < 200; i++) await worker.ask("writeFileSync", `/shared/${w}-${i}`, `${w} ${i}`);
      });
      await Promise.all(made);
      const names = vfs.fs.readdirSync("/shared");
      assert.equal(names.length, 600);
      for (const name of names) assert.equal(vfs.fs.readFileSync(`/shared/${name}`, "utf8"), name.replace("-", " "));
    } finally {
      await Promise.all(workers.map((worker) => worker.stop()));
    }
  });

  test("a descriptor belongs to the context: another thread of it may use it", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    const fd = fs.openSync("/file", "w+");
    const worker = await thread(vfs.handle);
    try {
      assert.equal(await worker.ask("writeSync", fd, "from there"), 10);
      assert.equal(fs.readFileSync("/file", "utf8"), "from there");
      await worker.ask("closeSync", fd);
      assert.throws(() => fs.fstatSync(fd), { code: "EBADF" });
    } finally {
      await worker.stop();
    }
  });

  test("a terminated one is given back by its slot", async () => {
    const vfs = await tree();
    for (let i = 0; i < 3; i++) {
      const worker = await thread(vfs.handle);
      await worker.ask("writeFileSync", "/file", String(i));
      const slot = await worker.tell("threadSlot");
      assert.notEqual(slot, vfs.threadSlot);
      await worker.stop();
      vfs.threadDied(slot);
      vfs.synchronizeRcu();
      assert.equal(vfs.fs.readFileSync("/file", "utf8"), String(i));
    }
    assert.throws(() => vfs.threadDied(-1), { code: "ERR_OUT_OF_RANGE" });
  });

  test("a context's handle is that context in another thread", async () => {
    const vfs = await tree();
    vfs.fs.mkdirSync("/home", 0o755);
    vfs.fs.chownSync("/home", 1000, 1000);
    const agent = vfs.context({ uid: 1000, gid: 1000, umask: 0o077, cwd: "/home" });
    const worker = await thread(agent.handle);
    try {
      await worker.ask("writeFileSync", "mine", "x");
      const { uid, gid, mode } = vfs.fs.statSync("/home/mine");
      assert.deepEqual([uid, gid, mode & 0o777], [1000, 1000, 0o600]);
      await assert.rejects(worker.ask("writeFileSync", "/theirs", "x"), { code: "EACCES", syscall: "open" });
    } finally {
      await worker.stop();
    }
    const { handle } = agent;
    agent.close();
    await assert.rejects(attachVfs(handle), { code: "ERR_THREADFS_HANDLE" });
  });
});

describe("contexts", () => {
  test("have credentials of their own", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    fs.mkdirSync("/private", 0o700);
    fs.mkdirSync("/group", 0o750);
    fs.chownSync("/group", 0, 50);
    fs.writeFileSync("/private/file", "x");
    fs.writeFileSync("/group/file", "y", { mode: 0o644 });
    const stranger = vfs.context({ uid: 1000, gid: 1000 }).fs;
    assert.throws(() => stranger.readFileSync("/private/file"), { code: "EACCES" });
    assert.throws(() => stranger.readFileSync("/group/file"), { code: "EACCES" });
    assert.equal(stranger.existsSync("/private/file"), false);
    assert.throws(() => stranger.accessSync("/private", 1), { code: "EACCES", syscall: "access" });
    assert.throws(() => stranger.chmodSync("/private", 0o777), { code: "EPERM", syscall: "chmod" });
    assert.throws(() => stranger.mkdirSync("/new"), { code: "EACCES" });
    const member = vfs.context({ uid: 1000, gid: 1000, groups: [7, 50] }).fs;
    assert.equal(member.readFileSync("/group/file", "utf8"), "y");
    const override = vfs.context({ uid: 1000, gid: 1000, caps: 1 << 1 }).fs;
    assert.equal(override.readFileSync("/private/file", "utf8"), "x");
    const powerless = vfs.context({ uid: 0, gid: 0, caps: 0 }).fs;
    fs.chmodSync("/private", 0);
    assert.throws(() => powerless.readdirSync("/private"), { code: "EACCES" });
  });

  test("have a working directory of their own", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    fs.mkdirSync("/a/b", { recursive: true });
    fs.writeFileSync("/a/file", "a");
    const one = vfs.context({ cwd: "/a" });
    const two = vfs.context();
    assert.deepEqual([one.getcwd(), two.getcwd()], ["/a", "/"]);
    assert.equal(one.fs.readFileSync("file", "utf8"), "a");
    assert.equal(two.fs.existsSync("file"), false);
    one.chdir("b");
    assert.equal(one.getcwd(), "/a/b");
    assert.equal(one.fs.realpathSync("../file"), "/a/file");
    assert.equal(one.fs.realpathSync(""), "/a/b");
    fs.renameSync("/a", "/moved");
    assert.equal(one.getcwd(), "/moved/b");
    assert.equal(one.fs.readFileSync("../file", "utf8"), "a");
    assert.throws(() => one.chdir("/missing"), { code: "ENOENT", syscall: "chdir", path: "/missing" });
    assert.throws(() => one.chdir("../file"), { code: "ENOTDIR" });
    fs.rmSync("/moved", { recursive: true });
    assert.throws(() => one.getcwd(), { code: "ENOENT" });
    assert.throws(() => one.fs.writeFileSync("new", "x"), { code: "ENOENT" });
    assert.throws(() => vfs.context({ cwd: "/missing" }), { code: "ENOENT" });
  });

  test("have a root of their own", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    fs.mkdirSync("/jail/etc", { recursive: true });
    fs.writeFileSync("/secret", "outside");
    fs.writeFileSync("/jail/secret", "inside");
    fs.symlinkSync("/secret", "/jail/etc/link");
    fs.symlinkSync("../../../secret", "/jail/etc/climbing");
    const jailed = vfs.context({ uid: 1000, gid: 1000, root: "/jail", cwd: "/etc" });
    assert.equal(jailed.getcwd(), "/etc");
    for (const path of ["/secret", "../secret", "../../../secret", "link", "climbing", "/../secret"]) {
      assert.equal(jailed.fs.readFileSync(path, "utf8"), "inside", path);
    }
    assert.equal(jailed.fs.realpathSync("link"), "/secret");
    assert.throws(() => jailed.chroot("/etc"), { code: "EPERM", syscall: "chroot" });
    const root = vfs.context({});
    root.chroot("/jail");
    assert.equal(root.fs.readFileSync("/secret", "utf8"), "inside");
  });

  test("have a umask of their own", async () => {
    const vfs = await tree();
    const one = vfs.context({ umask: 0o027 });
    const two = vfs.context({ umask: 0 });
    one.fs.writeFileSync("/one", "");
    two.fs.writeFileSync("/two", "", { mode: 0o666 });
    one.fs.mkdirSync("/dir");
    const mode = (path) => vfs.fs.statSync(path).mode & 0o777;
    assert.deepEqual([mode("/one"), mode("/two"), mode("/dir")], [0o640, 0o666, 0o750]);
    assert.equal(one.umask(), 0o027);
    assert.equal(one.umask("077"), 0o027);
    assert.equal(one.umask(), 0o077);
    assert.throws(() => one.umask("9"), { code: "ERR_INVALID_ARG_VALUE" });
  });

  test("have descriptors of their own", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/file", "0123");
    const [one, two] = [vfs.context(), vfs.context()];
    const fd = one.fs.openSync("/file");
    assert.throws(() => two.fs.fstatSync(fd), { code: "EBADF" });
    const other = two.fs.openSync("/file");
    assert.equal(other, fd);
    one.fs.closeSync(fd);
    assert.equal(two.fs.readFileSync(other, "utf8"), "0123");
    const { openFiles } = vfs.counters();
    two.close();
    assert.equal(vfs.counters().openFiles, openFiles - 1);
  });

  test("check what they are given", async () => {
    const vfs = await tree();
    for (const bad of [{ uid: -1 }, { gid: 2 ** 32 }, { groups: [1.5] }, { umask: -1 }, { caps: -2 }]) {
      assert.throws(() => vfs.context(bad), { code: "ERR_OUT_OF_RANGE" });
    }
    for (const bad of [{ uid: "0" }, { groups: 5 }, { groups: ["x"] }, { cwd: 5 }, { root: {} }]) {
      assert.throws(() => vfs.context(bad), { code: "ERR_INVALID_ARG_TYPE" });
    }
  });
});

describe("access control lists", () => {
  const entries = [
    { tag: ACL_TAG.USER_OBJ, perm: 6 },
    { tag: ACL_TAG.USER, id: 1000, perm: 4 },
    { tag: ACL_TAG.GROUP_OBJ, perm: 0 },
    { tag: ACL_TAG.MASK, perm: 4 },
    { tag: ACL_TAG.OTHER, perm: 0 },
  ];
  test("let in whom they name", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/file", "x", { mode: 0o600 });
    const named = vfs.context({ uid: 1000, gid: 1 });
    const other = vfs.context({ uid: 1001, gid: 1 });
    assert.throws(() => named.fs.readFileSync("/file"), { code: "EACCES" });
    vfs.setfacl("/file", entries);
    assert.equal(named.fs.readFileSync("/file", "utf8"), "x");
    assert.throws(() => other.fs.readFileSync("/file"), { code: "EACCES" });
    const read = vfs.getfacl("/file");
    assert.deepEqual(
      read.map(({ tag, perm }) => [tag, perm]),
      entries.map(({ tag, perm }) => [tag, perm]),
    );
    assert.equal(read[1].id, 1000);
    assert.throws(() => named.setfacl("/file", []), { code: "EPERM", syscall: "setfacl" });
    vfs.setfacl("/file", []);
    assert.deepEqual(vfs.getfacl("/file"), []);
    assert.throws(() => named.fs.readFileSync("/file"), { code: "EACCES" });
  });
  test("bad ones are refused", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/file", "x");
    assert.throws(() => vfs.setfacl("/file", 5), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => vfs.setfacl("/file", [{ tag: 0, perm: 0 }]), { code: "ERR_OUT_OF_RANGE" });
    assert.throws(() => vfs.setfacl("/file", [{ tag: 1, perm: 8 }]), { code: "ERR_OUT_OF_RANGE" });
    assert.throws(() => vfs.setfacl("/file", [{ tag: ACL_TAG.USER, id: 5, perm: 7 }]), { code: "EINVAL" });
    assert.throws(() => vfs.setfacl("/missing", entries), { code: "ENOENT", path: "/missing" });
  });
});

describe("mounts", () => {
  test("a fresh file system, bound, moved, read-only and gone again", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    for (const dir of ["/mnt", "/bound", "/moved", "/ro"]) fs.mkdirSync(dir);
    fs.writeFileSync("/mnt/below", "hidden");
    vfs.mount(null, "/mnt", "tmpfs");
    assert.deepEqual(fs.readdirSync("/mnt"), []);
    assert.notEqual(fs.statSync("/mnt").dev, fs.statSync("/").dev);
    fs.writeFileSync("/mnt/file", "x");
    vfs.mount("/mnt", "/bound", "bind");
    assert.equal(fs.readFileSync("/bound/file", "utf8"), "x");
    assert.throws(() => fs.renameSync("/mnt/file", "/file"), { code: "EXDEV", syscall: "rename" });
    vfs.mount("/bound", "/moved", "bind", { move: true });
    assert.equal(fs.existsSync("/bound/file"), false);
    assert.equal(fs.readFileSync("/moved/file", "utf8"), "x");
    vfs.mount("/mnt", "/ro", "bind", { readonly: true });
    assert.throws(() => fs.writeFileSync("/ro/new", "x"), { code: "EROFS", syscall: "open" });
    for (const dir of ["/ro", "/moved"]) vfs.umount(dir);
    const fd = fs.openSync("/mnt/file");
    assert.throws(() => vfs.umount("/mnt"), { code: "EBUSY", syscall: "umount", path: "/mnt" });
    vfs.umount("/mnt", { detach: true });
    assert.equal(fs.readFileSync("/mnt/below", "utf8"), "hidden");
    assert.equal(fs.readFileSync(fd, "utf8"), "x");
    fs.closeSync(fd);
    assert.throws(() => vfs.umount("/mnt"), { code: "EINVAL" });
  });
  test("errors", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/file", "");
    vfs.fs.mkdirSync("/dir");
    assert.throws(() => vfs.mount(null, "/missing", "tmpfs"), { code: "ENOENT", syscall: "mount", path: "/missing" });
    assert.throws(() => vfs.mount(null, "/file", "tmpfs"), { code: "ENOTDIR" });
    assert.throws(() => vfs.mount(null, "/dir", "nosuchfs"), { code: "ENODEV" });
    assert.throws(() => vfs.mount("/missing", "/dir", "bind"), { code: "ENOENT" });
    assert.throws(() => vfs.mount(null, "/dir", "bind"), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => vfs.mount(null, "/dir", 5), { code: "ERR_INVALID_ARG_TYPE" });
  });
});

describe("hooks and counters", () => {
  test("security may refuse, audit is told", async () => {
    const audited = [];
    let refused = 0;
    const vfs = await tree({
      security: (ino) => (ino === refused ? -13 : 0),
      audit: (dentry, inode) => audited.push([dentry, inode]),
    });
    const { fs } = vfs;
    fs.mkdirSync("/dir");
    fs.writeFileSync("/dir/file", "x");
    refused = fs.statSync("/dir").ino;
    assert.throws(() => fs.readFileSync("/dir/file"), { code: "EACCES" });
    refused = 0;
    audited.length = 0;
    assert.equal(fs.readFileSync("/dir/file", "utf8"), "x");
    assert.ok(audited.length > 0 && audited.every(([dentry, inode]) => dentry > 0 && inode > 0));
  });
  test("a hook may not call the tree that called it", async () => {
    let caught;
    const vfs = await tree({
      security: () => {
        try {
          vfs?.fs.existsSync("/");
        } catch (error) {
          caught = error;
        }
        return 0;
      },
    });
    vfs.fs.mkdirSync("/dir");
    vfs.fs.existsSync("/dir/file");
    assert.equal(caught?.code, "ERR_THREADFS_REENTERED");
    assert.equal(vfs.fs.existsSync("/dir"), true);
  });
  test("the clock may be another", async () => {
    const vfs = await tree({ now: () => 1234567890123.25 });
    vfs.fs.writeFileSync("/file", "x");
    assert.equal(vfs.fs.statSync("/file", { bigint: true }).mtimeNs, 1234567890123250000n);
  });
  test("walks are counted by the mode they ended in", async () => {
    const vfs = await tree();
    vfs.fs.mkdirSync("/a/b/c", { recursive: true });
    const start = vfs.counters();
    for (let i = 0; i < 100; i++) vfs.fs.existsSync("/a/b/c");
    const rcu = vfs.counters();
    assert.deepEqual([rcu.walks - start.walks, rcu.endedRcu - start.endedRcu], [100, 100]);
    assert.deepEqual(vfs.walkMode({ ref: true }), { ref: false });
    for (let i = 0; i < 100; i++) vfs.fs.existsSync("/a/b/c");
    assert.deepEqual(vfs.walkMode({ ref: false }), { ref: true });
    const ref = vfs.counters();
    assert.deepEqual([ref.walks - rcu.walks, ref.endedRef - rcu.endedRef], [100, 100]);
  });
  test("every walk is counted as ended in one mode, also the one of an open that fails", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/file", "");
    vfs.fs.mkdirSync("/dir");
    const opens = [
      ["/file", "wx", "EEXIST"],
      ["/dir", "w", "EISDIR"],
      ["/missing/file", "w", "ENOENT"],
      ["/file/below", "w", "ENOTDIR"],
      ["/new", "w", undefined],
      ["/missing", "r", "ENOENT"],
    ];
    for (const [path, flags, code] of opens) {
      const before = vfs.counters();
      if (code === undefined) vfs.fs.closeSync(vfs.fs.openSync(path, flags));
      else assert.throws(() => vfs.fs.openSync(path, flags), { code });
      const after = vfs.counters();
      const ended = after.endedRcu + after.endedRef - before.endedRcu - before.endedRef;
      assert.deepEqual([after.walks - before.walks, ended], [1, 1], `${path} ${flags}`);
    }
  });
  test("shrinking counts what it frees and takes nothing that is there", async () => {
    const vfs = await tree();
    vfs.fs.mkdirSync("/dir");
    for (let i = 0; i < 100; i++) vfs.fs.writeFileSync(`/dir/file-${i}`, String(i));
    const before = vfs.counters().shrunkDentries;
    const freed = vfs.shrink(1000);
    assert.equal(vfs.counters().shrunkDentries - before, freed);
    for (let i = 0; i < 100; i++) assert.equal(vfs.fs.readFileSync(`/dir/file-${i}`, "utf8"), String(i));
    assert.throws(() => vfs.shrink(-1), { code: "ERR_OUT_OF_RANGE" });
  });
});

describe("where the host is poorer than Node", () => {
  /** Runs with a property of an object replaced. */
  async function without(object, name, value, work) {
    const own = Object.getOwnPropertyDescriptor(object, name);
    Object.defineProperty(object, name, { value, configurable: true, writable: true });
    try {
      return await work();
    } finally {
      Object.defineProperty(object, name, own);
    }
  }

  const PATHS = ["/plain", "/ümlaut", "/\u{1f600}", "/lone\ud800", `/${"n".repeat(255)}`, `/${"ü".repeat(127)}`];

  test("encodeInto that refuses shared memory", async () => {
    const refuse = () => {
      throw new TypeError("shared");
    };
    const vfs = await without(TextEncoder.prototype, "encodeInto", refuse, () => tree());
    const usual = await attachVfs(vfs.handle);
    open.push(usual);
    for (const path of PATHS) {
      vfs.fs.writeFileSync(path, path);
      assert.equal(usual.fs.readFileSync(path, "utf8"), vfs.fs.readFileSync(path, "utf8"));
    }
    assert.deepEqual(vfs.fs.readdirSync("/"), usual.fs.readdirSync("/"));
    for (const length of [4095, 4096, 5000, 20_000]) {
      const path = `${"/".repeat(length - 5)}plain`;
      assert.equal(vfs.fs.existsSync(path), length === 4095, `${length} bytes`);
      assert.equal(usual.fs.existsSync(path), length === 4095, `${length} bytes`);
    }
    assert.throws(() => vfs.fs.statSync(`/${"ü".repeat(2048)}`), { code: "ENAMETOOLONG" });
  });

  test("paths go through encodeInto or through a Buffer, whichever is faster in this Node", async () => {
    const vfs = await tree();
    for (const path of PATHS) vfs.fs.writeFileSync(path, path);
    for (const node of ["20.0.0", "24.0.0"]) {
      const versions = { ...process.versions, node };
      const { fs } = await without(process, "versions", versions, async () => {
        const same = await attachVfs(vfs.handle);
        open.push(same);
        return same;
      });
      for (const path of PATHS) {
        assert.ok(fs.existsSync(path), `${node}: ${JSON.stringify(path)}`);
        assert.equal(fs.statSync(path).ino, vfs.fs.statSync(Buffer.from(path)).ino);
        assert.ok(!fs.existsSync(`${path}x`) && !fs.existsSync(`${path}\u00fc`));
      }
      assert.ok(fs.existsSync("/lone\ufffd") && fs.existsSync("/lone\udfff") && !fs.existsSync("/lone"));
      assert.ok(!fs.existsSync("/plain\0") && !fs.existsSync("/plain\0x"));
      for (const length of [4095, 4096, 5000, 8191, 8192, 20_000]) {
        const path = `${"/".repeat(length - 5)}plain`;
        assert.equal(fs.existsSync(path), length === 4095, `${node}: ${length} bytes`);
        assert.throws(() => fs.statSync(`/${"ü".repeat(length)}`), { code: "ENAMETOOLONG" });
      }
    }
  });

  test("no Buffer", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    await without(globalThis, "Buffer", undefined, () => {
      for (const path of PATHS) fs.writeFileSync(path, path);
      const bytes = fs.readFileSync("/ümlaut");
      assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
      assert.equal(new TextDecoder().decode(bytes), "/ümlaut");
      assert.equal(fs.readFileSync("/ümlaut", "utf8"), "/ümlaut");
      assert.equal(fs.readFileSync("/ümlaut", "latin1"), "/\u00c3\u00bcmlaut");
      assert.throws(() => fs.readFileSync("/plain", "hex"), { code: "ERR_UNKNOWN_ENCODING" });
      fs.writeFileSync("/latin1", "\u00fc", "latin1");
      assert.deepEqual([...fs.readFileSync("/latin1")], [0xfc]);
      assert.equal(fs.readdirSync("/").length, PATHS.length + 1);
      assert.ok(fs.readdirSync("/", "buffer")[0] instanceof Uint8Array);
      assert.throws(() => fs.statSync("/missing"), { code: "ENOENT" });
    });
  });

  test("a thread that may not wait", async () => {
    const refuse = () => {
      throw new TypeError("Atomics.wait cannot be called in this context");
    };
    const vfs = await without(Atomics, "wait", refuse, () => tree());
    const worker = await thread(vfs.handle);
    try {
      vfs.fs.mkdirSync("/shared");
      const theirs = (async () => {
        for (let i = 0; i < 200; i++) await worker.ask("writeFileSync", `/shared/theirs-${i}`, "x");
      })();
      for (let i = 0; i < 200; i++) {
        vfs.fs.writeFileSync(`/shared/ours-${i}`, "x");
        if (i % 10 === 0) await new Promise(setImmediate);
      }
      await theirs;
      assert.equal(vfs.fs.readdirSync("/shared").length, 400);
      vfs.synchronizeRcu();
    } finally {
      await worker.stop();
    }
  });
});

describe("closing", () => {
  test("is idempotent, and every later call says so", async () => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    const agent = vfs.context({ uid: 5 });
    const { fs } = vfs;
    fs.writeFileSync("/file", "x");
    const fd = fs.openSync("/file");
    const dir = fs.opendirSync("/");
    vfs.close();
    vfs.close();
    const closed = { code: "ERR_THREADFS_CLOSED" };
    const calls = {
      accessSync: ["/"],
      appendFileSync: ["/file", "x"],
      chmodSync: ["/file", 0o600],
      chownSync: ["/file", 1, 1],
      closeSync: [fd],
      copyFileSync: ["/file", "/copy"],
      cpSync: ["/file", "/copy"],
      existsSync: ["/"],
      fchmodSync: [fd, 0o600],
      fchownSync: [fd, 1, 1],
      fdatasyncSync: [fd],
      fstatSync: [fd],
      fsyncSync: [fd],
      ftruncateSync: [fd],
      futimesSync: [fd, 1, 1],
      lchownSync: ["/file", 1, 1],
      linkSync: ["/file", "/link"],
      lstatSync: ["/"],
      lutimesSync: ["/file", 1, 1],
      mkdirSync: ["/dir"],
      mkdtempSync: ["/dir"],
      openSync: ["/file"],
      opendirSync: ["/"],
      readSync: [fd, Buffer.alloc(1)],
      readdirSync: ["/"],
      readFileSync: ["/file"],
      readlinkSync: ["/file"],
      realpathSync: ["/file"],
      renameSync: ["/file", "/x"],
      rmSync: ["/file"],
      rmdirSync: ["/dir"],
      statSync: ["/"],
      symlinkSync: ["/file", "/link"],
      truncateSync: ["/file"],
      unlinkSync: ["/file"],
      utimesSync: ["/file", 1, 1],
      writeSync: [fd, "x"],
      writeFileSync: ["/file", "x"],
    };
    for (const [name, value] of Object.entries(fs)) {
      if (!name.endsWith("Sync")) continue;
      assert.ok(calls[name], `${name} is tried`);
      assert.throws(() => value(...calls[name]), closed, name);
      assert.throws(() => agent.fs[name](...calls[name]), closed, name);
    }
    assert.throws(() => fs.realpathSync.native("/"), closed);
    assert.throws(() => dir.readSync(), closed);
    const whole = {
      context: [],
      mount: [null, "/", "tmpfs"],
      umount: ["/"],
      counters: [],
      shrink: [1],
      synchronizeRcu: [],
      threadDied: [1],
      walkMode: [{ ref: true }],
      getfacl: ["/"],
      setfacl: ["/", []],
      registerDriver: [{ name: "late" }],
      unregisterDriver: ["late"],
    };
    for (const [name, args] of Object.entries(whole)) assert.throws(() => vfs[name](...args), closed, name);
    assert.throws(() => agent.chdir("/"), closed);
    assert.throws(() => agent.getcwd(), closed);
    assert.throws(() => agent.umask(), closed);
    agent.close();
  });
  test("a context closes alone", async () => {
    const vfs = await tree();
    const agent = vfs.context({ uid: 5 });
    agent.close();
    agent.close();
    assert.throws(() => agent.fs.existsSync("/"), { code: "ERR_THREADFS_CLOSED" });
    assert.equal(vfs.fs.existsSync("/"), true);
  });
  test("the tree stays while another thread has it", async () => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    vfs.fs.writeFileSync("/file", "x");
    const worker = await thread(vfs.handle);
    vfs.close();
    try {
      assert.equal(await worker.ask("readFileSync", "/file", "utf8"), "x");
    } finally {
      await worker.stop();
    }
  });
});
