/** The tree as a whole: making and attaching, handles, mounts, hooks, counters. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ABI_VERSION,
  attachVfs,
  type CreateOptions,
  createVfs,
  loadCore,
  type SecurityHook,
  type Vfs,
  type VfsHandle,
} from "../../../dist/src/index.js";
import { DEBUG_CORE } from "../../support/debug-core.js";
import { codeOf } from "../../support/errors.js";
import { tree } from "./trees.js";

describe("making a tree", () => {
  for (const bad of [0, -1, 1.5, Number.NaN, 65536, 2 ** 32, Number.POSITIVE_INFINITY]) {
    test(`maxBytes ${bad} is out of range`, async () => {
      await assert.rejects(createVfs({ maxBytes: bad }), { name: "RangeError", code: "ERR_OUT_OF_RANGE" });
    });
  }
  for (const bad of [undefined, null, "1000000", 1n]) {
    test(`maxBytes ${typeof bad} is no number`, async () => {
      await assert.rejects(createVfs({ maxBytes: bad as unknown as number }), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_TYPE",
      });
    });
  }
  test("createVfs() needs options", async () => {
    const make = createVfs as (options?: CreateOptions) => Promise<Vfs>;
    await assert.rejects(make(), { code: "ERR_INVALID_ARG_TYPE" });
  });
  test("other wrong options are refused", async () => {
    for (const bad of [{ now: 5 }, { point: "x" }, { security: {} }, { audit: 1 }, { core: {} }]) {
      await assert.rejects(createVfs({ maxBytes: 1 << 24, ...bad } as unknown as CreateOptions), {
        code: "ERR_INVALID_ARG_TYPE",
      });
    }
    const { handle } = await tree();
    await assert.rejects(attachVfs(handle, { security: 5 as unknown as SecurityHook }), {
      code: "ERR_INVALID_ARG_TYPE",
    });
  });
  test("maxBytes can be 2 GiB and nearly 4 GiB", async () => {
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
  test("two trees in one thread are separate", async () => {
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
  test("the debug build of the core reports points, the shipping one has none", async () => {
    const seen: number[] = [];
    const vfs = await tree({ core: await loadCore({ url: DEBUG_CORE }), point: (id) => void seen.push(id) });
    vfs.fs.existsSync("/a/b");
    assert.ok(seen.length > 0);
    assert.deepEqual(
      WebAssembly.Module.imports(await loadCore()).filter(({ name }) => name === "point"),
      [],
    );
  });
});

describe("handles", () => {
  test("handles hold module, memory, version and context, and survive cloning", async () => {
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
  test("wrong handles are refused", async () => {
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
    for (const given of bad) await assert.rejects(attachVfs(given as VfsHandle), { code: "ERR_THREADFS_HANDLE" });
  });
  test("attaching and closing 300 times leaves room for more", async () => {
    const vfs = await tree();
    for (let i = 0; i < 300; i++) {
      const same = await attachVfs(vfs.handle);
      assert.equal(same.fs.existsSync("/"), true);
      same.close();
    }
  });
});

describe("mounts", () => {
  test("a file system can be mounted, bound, moved, made read-only and unmounted", async () => {
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
    const fd = fs.openSync("/mnt/file", "r");
    assert.throws(() => vfs.umount("/mnt"), { code: "EBUSY", syscall: "umount", path: "/mnt" });
    vfs.umount("/mnt", { detach: true });
    assert.equal(fs.readFileSync("/mnt/below", "utf8"), "hidden");
    assert.equal(fs.readFileSync(fd, "utf8"), "x");
    fs.closeSync(fd);
    assert.throws(() => vfs.umount("/mnt"), { code: "EINVAL" });
  });
  test("mount fails with the errors of mount(2)", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/file", "");
    vfs.fs.mkdirSync("/dir");
    assert.throws(() => vfs.mount(null, "/missing", "tmpfs"), { code: "ENOENT", syscall: "mount", path: "/missing" });
    assert.throws(() => vfs.mount(null, "/file", "tmpfs"), { code: "ENOTDIR" });
    assert.throws(() => vfs.mount(null, "/dir", "nosuchfs"), { code: "ENODEV" });
    assert.throws(() => vfs.mount("/missing", "/dir", "bind"), { code: "ENOENT" });
    assert.throws(() => vfs.mount(null, "/dir", "bind"), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => vfs.mount(null, "/dir", 5 as unknown as string), { code: "ERR_INVALID_ARG_TYPE" });
  });
});

describe("hooks and counters", () => {
  test("the security hook can refuse a walk, the audit hook is called", async () => {
    const audited: [dentry: number, inode: number][] = [];
    let refused = 0;
    const vfs = await tree({
      security: (ino) => (ino === refused ? -13 : 0),
      audit: (dentry, inode) => void audited.push([dentry, inode]),
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
    let code: string | undefined;
    let hooked: Vfs | undefined;
    const vfs = await tree({
      security: () => {
        code = codeOf(() => hooked?.fs.existsSync("/"));
        return 0;
      },
    });
    hooked = vfs;
    vfs.fs.mkdirSync("/dir");
    vfs.fs.existsSync("/dir/file");
    assert.equal(code, "ERR_THREADFS_REENTERED");
    assert.equal(vfs.fs.existsSync("/dir"), true);
  });
  test("the host can give another clock", async () => {
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
  test("every walk is counted as ended in one mode, also that of an open that fails", async () => {
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
    ] as const;
    for (const [path, flags, code] of opens) {
      const before = vfs.counters();
      if (code === undefined) vfs.fs.closeSync(vfs.fs.openSync(path, flags));
      else assert.throws(() => vfs.fs.openSync(path, flags), { code });
      const after = vfs.counters();
      const ended = after.endedRcu + after.endedRef - before.endedRcu - before.endedRef;
      assert.deepEqual([after.walks - before.walks, ended], [1, 1], `${path} ${flags}`);
    }
  });
  test("shrink() counts the dentries that it frees and keeps all files", async () => {
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

// Fails when the clock is not called as a hook: it is read while a change is under way.
test("a clock that calls its tree is refused, and the call that reads it goes on", async () => {
  const codes = new Set<string | undefined>();
  let reading = false;
  const vfs = await tree({
    now: () => {
      if (reading)
        for (const call of [() => vfs.fs.statSync("/"), () => vfs.fs.writeFileSync("/made", "x")])
          codes.add(codeOf(call));
      return 1000;
    },
  });
  reading = true;
  for (let n = 0; n < 20; n++) {
    vfs.fs.writeFileSync(`/f${n}`, `text ${n}`);
    vfs.fs.renameSync(`/f${n}`, `/g${n}`);
    assert.equal(vfs.fs.readFileSync(`/g${n}`, "utf8"), `text ${n}`);
  }
  assert.deepEqual([...codes], ["ERR_THREADFS_REENTERED"]);
  assert.equal(vfs.fs.existsSync("/made"), false);
});
