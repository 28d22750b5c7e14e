/** The same for trees, handles, threads and contexts, and for the core behind its door. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ERRNO, IO_SIZE, POINT, SCRATCH } from "../../../dist/abi/abi.js";
import { ABI_VERSION, attachVfs, createVfs } from "../../../dist/src/index.js";
import { gauges } from "../../support/counters.js";
import { debugTree } from "../../support/debug-tree.js";
import { codeOf, refused } from "../../support/errors.js";
import { walkerOf } from "../../support/hooked-vfs.js";
import { open, PATH_CALLS, TREE_CALLS, tree, treeWithFile, untouched } from "../../support/path-calls.js";
import { rawCore } from "../../support/raw-core.js";

const PATH_MAX = 4095;
const MAX_FILE_SIZE = 4 * 2 ** 40;
const MAX_THREADS = 256;
const MAX_CONTEXTS = 1024;

describe("trees, handles and contexts", () => {
  test("maxBytes", async () => {
    for (const maxBytes of [0, -1, 2 * 1024 * 1024 - 1, 2 ** 32, 2 ** 53, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(createVfs({ maxBytes }), { code: "ERR_OUT_OF_RANGE" });
    }
    for (const maxBytes of [undefined, null, "4194304", 4194304n, {}]) {
      await assert.rejects(createVfs({ maxBytes }), { code: "ERR_INVALID_ARG_TYPE" });
    }
    const least = await tree({ maxBytes: 2 * 1024 * 1024 });
    least.fs.writeFileSync("/f", "x");
  });

  test("handles that are none", async () => {
    const { handle } = await tree();
    const { module, memory } = handle;
    const blank = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
    const noise = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
    new Uint32Array(noise.buffer).fill(0xdeadbeef);
    const older = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
    new Uint8Array(older.buffer).set(new Uint8Array(memory.buffer).subarray(0, 4 * 65536));
    new Uint32Array(older.buffer)[1028 >> 2] += 1;
    for (const bad of [
      undefined,
      null,
      7,
      "handle",
      {},
      [],
      { ...handle, version: ABI_VERSION + 1 },
      { ...handle, version: `${ABI_VERSION}` },
      { ...handle, module: {} },
      { ...handle, memory: memory.buffer },
      { ...handle, memory: new WebAssembly.Memory({ initial: 4, maximum: 64 }) },
      { ...handle, memory: blank },
      { ...handle, memory: noise },
      { ...handle, memory: older },
      { ...handle, ctx: -1 },
      { ...handle, ctx: 1.5 },
      { ...handle, ctx: 5 },
      { ...handle, ctx: 2 ** 31 },
      { ...handle, ctx: undefined },
    ]) {
      await assert.rejects(attachVfs(bad), { code: "ERR_THREADFS_HANDLE" });
    }
    const good = await attachVfs({ module, memory, version: ABI_VERSION, ctx: 0 });
    good.close();
  });

  test("a closed tree refuses everything and can be closed again", async () => {
    const vfs = await treeWithFile();
    const { fs } = vfs;
    const context = vfs.context();
    const dir = fs.opendirSync("/");
    vfs.close();
    vfs.close();
    for (const call of Object.values(PATH_CALLS)) {
      refused("ERR_THREADFS_CLOSED", () => call(fs, "/f"));
    }
    for (const call of Object.values(TREE_CALLS)) {
      refused("ERR_THREADFS_CLOSED", () => call(vfs, "/d"));
    }
    for (const call of [
      () => fs.closeSync(3),
      () => fs.existsSync("/f"),
      () => dir.readSync(),
      () => context.fs.statSync("/"),
      () => context.chdir("/"),
      () => context.umask(),
      () => vfs.counters(),
      () => vfs.shrink(1),
      () => vfs.synchronizeRcu(),
      () => vfs.threadSlot,
      () => vfs.walkMode({ ref: true }),
      () => vfs.context(),
      () => vfs.registerDriver({ name: "d", root: () => null }),
    ]) {
      assert.equal(codeOf(call), "ERR_THREADFS_CLOSED", `${call}`);
    }
    context.close();
  });

  test("a closed context refuses everything, here and in other threads, for ever", async () => {
    const vfs = await treeWithFile();
    const context = vfs.context({ uid: 1000 });
    const { handle } = context;
    const elsewhere = await attachVfs(handle);
    open.push(elsewhere);
    const fd = elsewhere.fs.openSync("/f");
    context.close();
    context.close();
    refused("ERR_THREADFS_CLOSED", () => context.fs.statSync("/f"));
    for (const call of [
      (fs) => fs.statSync("/f"),
      (fs) => fs.fstatSync(fd),
      (fs) => fs.openSync("/f"),
      (fs) => fs.mkdirSync("/x"),
    ]) {
      refused("EBADF", () => call(elsewhere.fs));
    }
    await assert.rejects(attachVfs(handle), { code: "ERR_THREADFS_HANDLE" });
    // The next ones get its place in the table, and not its number.
    const next = Array.from({ length: 10 }, () => vfs.context());
    refused("EBADF", () => elsewhere.fs.statSync("/f"));
    for (const one of next) one.close();
    untouched(vfs);
  });

  test("a context that is closed in the middle of a call: the call ends as who it was, or as nobody", async (t) => {
    const tree = await debugTree();
    t.after(() => tree.close());
    const { vfs } = tree;
    for (const dir of ["/a", "/secret"]) vfs.fs.mkdirSync(dir, { mode: 0o755 });
    vfs.fs.writeFileSync("/secret/f", "x");
    vfs.fs.writeFileSync("/a/mine", "x", { mode: 0o666 });
    vfs.fs.chmodSync("/secret", 0o700);
    for (const [path, right] of [
      ["/a/../secret/f", ["EACCES", "EBADF"]],
      ["/a/mine", [undefined, "EBADF"]],
    ]) {
      for (const ref of [true, false]) {
        const level = gauges(vfs);
        const context = vfs.context({ uid: 1000, gid: 1000 });
        const walker = await walkerOf(t, context.handle);
        walker.walkMode({ ref });
        let others = [];
        walker.at(ref ? POINT.COMPONENT : POINT.DROPPED, () => {
          context.close();
          gauges(vfs);
          // Its memory, were it free, would be one of these.
          others = [1, 2, 3, 4].map(() => vfs.context());
        });
        const code = codeOf(() => walker.fs.openSync(path));
        assert.ok(right.includes(code), `${path} ${ref}: ${code}`);
        for (const { fs } of others) assert.equal(fs.openSync("/a/mine"), 3, "nobody else's descriptor is in there");
        for (const other of others) other.close();
        assert.deepEqual(gauges(vfs), level);
      }
    }
  });

  test("256 attachments and not one more", async () => {
    const vfs = await tree();
    const attached = [];
    for (let i = 1; i < MAX_THREADS; i++) attached.push(await attachVfs(vfs.handle));
    await assert.rejects(attachVfs(vfs.handle), { code: "EUSERS", errno: -ERRNO.EUSERS });
    attached.at(-1).fs.writeFileSync("/f", "last");
    attached.pop().close();
    const again = await attachVfs(vfs.handle);
    assert.equal(again.fs.readFileSync("/f", "utf8"), "last");
    for (const one of [again, ...attached]) one.close();
  });

  test("1024 contexts and not one more", async () => {
    const vfs = await tree();
    const contexts = [];
    for (let i = 1; i < MAX_CONTEXTS; i++) contexts.push(vfs.context({ uid: i }));
    refused("ENOSPC", () => vfs.context());
    contexts.pop().close();
    contexts.push(vfs.context());
    for (const context of contexts) assert.deepEqual(context.fs.readdirSync("/"), []);
    for (const context of contexts) context.close();
  });

  test("mounts, drivers, slots and the rest", async () => {
    const vfs = await treeWithFile();
    for (const type of [undefined, null, 5, {}]) {
      refused("ERR_INVALID_ARG_TYPE", () => vfs.mount("none", "/d", type));
    }
    refused("ENODEV", () => vfs.mount("none", "/d", "nosuchfs"));
    refused("ENOTDIR", () => vfs.mount("none", "/f", "tmpfs"));
    refused("EINVAL", () => vfs.umount("/d"));
    refused("EBUSY", () => vfs.umount("/"));
    for (const driver of [
      undefined,
      null,
      5,
      {},
      { name: 5, root() {} },
      { name: "d" },
      { name: "d", root() {}, lookup: 5 },
    ]) {
      refused("ERR_INVALID_ARG_TYPE", () => vfs.registerDriver(driver));
    }
    for (const name of ["", "x".repeat(101)]) {
      refused("EINVAL", () => vfs.registerDriver({ name, root() {} }));
    }
    refused("ENODEV", () => vfs.unregisterDriver("nosuchfs"));
    for (const n of [-1, 1.5, Number.NaN, 2 ** 31]) {
      refused("ERR_OUT_OF_RANGE", () => vfs.shrink(n));
      refused("ERR_OUT_OF_RANGE", () => vfs.threadDied(n));
    }
    refused("EINVAL", () => vfs.threadDied(vfs.threadSlot));
    untouched(vfs);
  });
});

describe("the core itself", () => {
  /** mulberry32 */
  function generator(seed) {
    let a = seed;
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let z = Math.imul(a ^ (a >>> 15), 1 | a);
      z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
      return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
    };
  }
  const ODD = [
    0,
    1,
    -1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    100,
    -100,
    255,
    256,
    4095,
    4096,
    65536,
    65537,
    2 ** 31 - 1,
    -(2 ** 31),
    2 ** 32 - 1,
  ];
  const FLOATS = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    0.5,
    -0.5,
    1e18,
    1e300,
    -1e300,
    2 ** 53,
    2 ** 63,
    -(2 ** 63),
  ];
  /** Not for a fuzzer: they take this thread, or another one, off the arena, or the test with it. */
  const APART = new Set(["arenaInit", "threadAttach", "threadDetach", "threadRecover", "contextDestroy", "memory"]);
  const PATHS = [
    "/",
    "/f",
    "/d",
    "/d/x",
    ".",
    "..",
    "/d/..",
    "/none",
    "/l",
    "/loop",
    "//f/",
    "/f/x",
    "n".repeat(255),
    "n".repeat(300),
    "",
  ];

  test("any numbers for any call: an answer, never a trap, and a tree that is whole", async (t) => {
    const vfs = await tree({ maxBytes: 16 << 20 });
    const { fs } = vfs;
    fs.writeFileSync("/keep", "kept");
    fs.mkdirSync("/stay");
    // Whatever the calls do to the contexts whose numbers they guess, this one they do not.
    const sane = vfs.context();
    const spare = vfs.context();
    const raw = rawCore(t, spare.handle);
    const { core, arena } = raw;
    const names = Object.keys(core).filter((name) => typeof core[name] === "function" && !APART.has(name));
    const random = generator(20);
    const pick = (list) => list[Math.floor(random() * list.length)];
    const answers = new Set();
    for (let i = 0; i < 20_000; i++) {
      const name = pick(names);
      const [path, path2] = [pick(PATHS), pick(PATHS)];
      const length = raw.path(path);
      raw.path2(path2);
      if (random() < 0.1) arena.io.fill(Math.floor(random() * 256), 0, 256);
      const args = Array.from({ length: core[name].length }, () => (random() < 0.5 ? pick(ODD) : pick(FLOATS)));
      // Half of them come with a context and a length that let them through to where it gets interesting.
      if (random() < 0.7) args[0] = spare.handle.ctx;
      if (random() < 0.5 && name.startsWith("sys"))
        args[name === "sysMountNew" || name === "sysUmount" ? 1 : 2] = length;
      const answer = core[name](...args);
      assert.equal(typeof answer, "number", name);
      assert.ok(answer >= -200 || name === "scratchBase", `${name}(${args}) = ${answer}`);
      answers.add(Math.sign(answer));
      if (core.walkMode(0) < 0) assert.fail("the walk's mode");
    }
    assert.deepEqual([...answers].sort(), [-1, 0, 1]);
    assert.equal(sane.fs.readFileSync("/keep", "utf8"), "kept");
    assert.ok(sane.fs.statSync("/stay").isDirectory());
    for (const name of sane.fs.readdirSync("/")) sane.fs.lstatSync(`/${name}`);
    sane.fs.writeFileSync("/after", "x".repeat(10_000));
    assert.equal(sane.fs.readFileSync("/after", "utf8").length, 10_000);
    sane.close();
  });

  test("offsets and sizes that are no numbers one could mean", async (t) => {
    const vfs = await treeWithFile();
    const { core, ctx, path, openat } = rawCore(t, vfs.handle);
    const fd = openat(-100, "/f", 2);
    assert.ok(fd >= 0);
    for (const offset of FLOATS) {
      const read = core.sysRead(ctx, fd, offset, 1);
      assert.ok(read >= 0 && read <= 1, `read at ${offset}: ${read}`);
      const seek = core.sysLseek(ctx, fd, offset, 0);
      assert.ok(seek >= 0 || seek === -ERRNO.EINVAL, `seek to ${offset}: ${seek}`);
      assert.equal(core.sysLseek(ctx, fd, 0, 0), 0);
      if (offset >= MAX_FILE_SIZE) assert.equal(core.sysWrite(ctx, fd, offset, 1), -ERRNO.EFBIG, `write at ${offset}`);
      const expected = offset > MAX_FILE_SIZE ? -ERRNO.EFBIG : offset >= 0 ? 0 : -ERRNO.EINVAL;
      if (offset !== 0.5) {
        assert.equal(core.sysFtruncate(ctx, fd, offset), expected, `ftruncate to ${offset}`);
        assert.equal(core.sysTruncate(ctx, -100, path("/f"), offset), expected, `truncate to ${offset}`);
      }
    }
    assert.equal(core.sysWrite(ctx, fd, 0, IO_SIZE + 1), -ERRNO.EINVAL);
    assert.equal(core.sysLseek(ctx, fd, 0, 3), -ERRNO.EINVAL);
    assert.equal(core.sysLseek(ctx, fd, 0, -1), -ERRNO.EINVAL);
    assert.equal(core.sysClose(ctx, fd), 0);
    untouched(vfs);
  });

  test("flags nobody knows, and lengths that lie", async (t) => {
    const vfs = await treeWithFile();
    const { core, ctx, path, path2 } = rawCore(t, vfs.handle);
    const [f, d] = [path("/f"), path2("/d")];
    assert.equal(core.sysAccess(ctx, -100, f, 8, 0), -ERRNO.EINVAL);
    assert.equal(core.sysRename(ctx, -100, f, -100, d, 3), -ERRNO.EINVAL);
    assert.equal(core.sysRename(ctx, -100, f, -100, d, 8), -ERRNO.EINVAL);
    assert.equal(core.sysUmount(ctx, f, 64), -ERRNO.EINVAL);
    assert.equal(core.sysMount(ctx, f, d, 0), -ERRNO.EINVAL);
    assert.equal(core.sysMountNew(ctx, path("/d"), 99, 0), -ERRNO.ENODEV);
    assert.equal(core.sysMknod(ctx, -100, path("/p"), 0o060644), -ERRNO.EPERM);
    assert.equal(core.sysOpen(ctx, -100, path("/f"), 0o20000000, 0), -ERRNO.EOPNOTSUPP);
    assert.equal(core.contextCreate(ctx, 0, 0, 0, 100_000, -1), -ERRNO.EINVAL);
    assert.equal(core.sysSetacl(ctx, -100, path("/f"), 100_000), -ERRNO.ERANGE);
    assert.equal(core.sysSetacl(ctx, -100, path("/f"), 1), -ERRNO.EINVAL);
    for (const length of [-1, -(2 ** 31)]) assert.equal(core.sysStat(ctx, -100, length, 0), -ERRNO.ENOENT);
    for (const length of [PATH_MAX + 1, 2 ** 31 - 1])
      assert.equal(core.sysStat(ctx, -100, length, 0), -ERRNO.ENAMETOOLONG);
    for (const bad of [-1, 1, 1023, 1024, 2 ** 31 - 1]) assert.equal(core.sysStat(bad, -100, f, 0), -ERRNO.EBADF);
    assert.equal(core.threadAttach(1), -ERRNO.EINVAL, "one slot a thread");
    assert.equal(core.arenaInit(1 << 24, 1, 2), -ERRNO.EINVAL, "an arena is made once");
    for (const slot of [-1, 256, 2 ** 31 - 1, 200]) assert.equal(core.threadRecover(slot, 0), -ERRNO.EINVAL);
    assert.ok(SCRATCH.SIZE > 0);
    untouched(vfs);
  });
});
