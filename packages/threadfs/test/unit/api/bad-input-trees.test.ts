/** Wrong arguments for trees, handles, threads and contexts, and for the system calls of the core. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { randomBelow } from "../../../../cli/dist/support/random.js";
import { H_VERSION } from "../../../../verify/dist/arena/layout.js";
import { ERRNO, IO_SIZE, OPENED, OPENING, PIPE_WAITS, POINT, SCRATCH, SEEK_HOLE } from "../../../dist/abi/abi.js";
import {
  ABI_VERSION,
  attachVfs,
  type Context,
  createVfs,
  type Driver,
  type FsSync,
  type Vfs,
  type VfsHandle,
} from "../../../dist/src/index.js";
import { gauges } from "../../support/counters.js";
import { debugTree } from "../../support/debug-tree.js";
import { codeOf, refused } from "../../support/errors.js";
import { walkerOf } from "../../support/hooked-vfs.js";
import { rawCore } from "../../support/raw-core.js";
import { PATH_CALLS, TREE_CALLS, treeWithFile, untouched } from "./path-calls.js";
import { open, tree } from "./trees.js";

const PATH_MAX = 4095;
const MAX_FILE_SIZE = 4 * 2 ** 40;
const MAX_THREADS = 256;
const MAX_CONTEXTS = 1024;

describe("trees and handles", () => {
  test("maxBytes out of range is refused", async () => {
    for (const maxBytes of [0, -1, 2 * 1024 * 1024 - 1, 2 ** 32, 2 ** 53, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(createVfs({ maxBytes }), { code: "ERR_OUT_OF_RANGE" });
    }
    for (const maxBytes of [undefined, null, "4194304", 4194304n, {}]) {
      await assert.rejects(createVfs({ maxBytes: maxBytes as number }), { code: "ERR_INVALID_ARG_TYPE" });
    }
    const least = await tree({ maxBytes: 2 * 1024 * 1024 });
    least.fs.writeFileSync("/f", "x");
  });

  test("values that are no handle are refused", async () => {
    const { handle } = await tree();
    const { module, memory } = handle;
    const blank = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
    const noise = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
    new Uint32Array(noise.buffer).fill(0xdeadbeef);
    const older = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
    new Uint8Array(older.buffer).set(new Uint8Array(memory.buffer).subarray(0, 4 * 65536));
    const version = new DataView(older.buffer);
    version.setUint32(H_VERSION, version.getUint32(H_VERSION, true) + 1, true);
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
      await assert.rejects(attachVfs(bad as VfsHandle), { code: "ERR_THREADFS_HANDLE" });
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
      () => vfs.registerDriver({ name: "d", root: () => ({ ino: 1, mode: 0o040755 }) }),
    ]) {
      assert.equal(codeOf(call), "ERR_THREADFS_CLOSED", `${call}`);
    }
    context.close();
  });
});

describe("closed contexts", () => {
  test("a closed context refuses everything in every thread, and its number is not used again", async () => {
    const vfs = await treeWithFile();
    const context = vfs.context({ uid: 1000 });
    const { handle } = context;
    const elsewhere = await attachVfs(handle);
    open.push(elsewhere);
    const fd = elsewhere.fs.openSync("/f", "r");
    context.close();
    context.close();
    refused("ERR_THREADFS_CLOSED", () => context.fs.statSync("/f"));
    for (const call of [
      (fs: FsSync) => fs.statSync("/f"),
      (fs: FsSync) => fs.fstatSync(fd),
      (fs: FsSync) => fs.openSync("/f", "r"),
      (fs: FsSync) => fs.mkdirSync("/x"),
    ]) {
      refused("EBADF", () => call(elsewhere.fs));
    }
    await assert.rejects(attachVfs(handle), { code: "ERR_THREADFS_HANDLE" });
    // The next contexts get its place in the table, but not its number.
    const next = Array.from({ length: 10 }, () => vfs.context());
    refused("EBADF", () => elsewhere.fs.statSync("/f"));
    for (const one of next) one.close();
    untouched(vfs);
  });

  test("a context that is closed during a call: the call keeps its credentials or fails with EBADF", async (t) => {
    const tree = await debugTree();
    t.after(() => tree.close());
    const { vfs } = tree;
    for (const dir of ["/a", "/secret"]) vfs.fs.mkdirSync(dir, { mode: 0o755 });
    vfs.fs.writeFileSync("/secret/f", "x");
    vfs.fs.writeFileSync("/a/mine", "x", { mode: 0o666 });
    vfs.fs.chmodSync("/secret", 0o700);
    const expected: readonly (readonly [path: string, codes: readonly (string | undefined)[]])[] = [
      ["/a/../secret/f", ["EACCES", "EBADF"]],
      ["/a/mine", [undefined, "EBADF"]],
    ];
    for (const [path, codes] of expected) {
      for (const ref of [true, false]) {
        const level = gauges(vfs);
        const context = vfs.context({ uid: 1000, gid: 1000 });
        const walker = await walkerOf(t, context.handle);
        walker.walkMode({ ref });
        let others: Context[] = [];
        walker.at(ref ? POINT.COMPONENT : POINT.DROPPED, () => {
          context.close();
          gauges(vfs);
          // If its memory were free, one of these would get it.
          others = [1, 2, 3, 4].map(() => vfs.context());
        });
        const code = codeOf(() => walker.fs.openSync(path, "r"));
        assert.ok(codes.includes(code), `${path} ${ref}: ${code}`);
        for (const { fs } of others)
          assert.equal(fs.openSync("/a/mine", "r"), 3, "the other context has no descriptor yet");
        for (const other of others) other.close();
        assert.deepEqual(gauges(vfs), level);
      }
    }
  });
});

describe("attachments, contexts, mounts and drivers", () => {
  test("a tree has at most 256 attachments", async () => {
    const vfs = await tree();
    const attached: Vfs[] = [];
    for (let i = 1; i < MAX_THREADS; i++) attached.push(await attachVfs(vfs.handle, { share: false }));
    await assert.rejects(attachVfs(vfs.handle, { share: false }), { code: "EUSERS", errno: -ERRNO.EUSERS });
    const last = defined(attached.pop(), "attachment");
    last.fs.writeFileSync("/f", "last");
    last.close();
    const again = await attachVfs(vfs.handle, { share: false });
    assert.equal(again.fs.readFileSync("/f", "utf8"), "last");
    for (const one of [again, ...attached]) one.close();
  });

  test("a full tree has no room for another attachment, and its error says so", async () => {
    const vfs = await createVfs({ maxBytes: 1 << 21 });
    const attached: Vfs[] = [];
    await assert.rejects(
      async () => {
        while (attached.length < MAX_THREADS) attached.push(await attachVfs(vfs.handle, { share: false }));
      },
      { code: "ENOSPC", syscall: "attach", message: /maxBytes/ },
    );
    for (const one of [vfs, ...attached]) one.close();
  });

  test("a tree has at most 1024 contexts", async () => {
    const vfs = await tree();
    const contexts: Context[] = [];
    for (let i = 1; i < MAX_CONTEXTS; i++) contexts.push(vfs.context({ uid: i }));
    refused("ERR_THREADFS_CONTEXTS", () => vfs.context());
    defined(contexts.pop(), "context").close();
    contexts.push(vfs.context());
    for (const context of contexts) assert.deepEqual(context.fs.readdirSync("/"), []);
    for (const context of contexts) context.close();
  });

  test("wrong mounts, drivers, slots and counts are refused", async () => {
    const vfs = await treeWithFile();
    for (const type of [undefined, null, 5, {}]) {
      refused("ERR_INVALID_ARG_TYPE", () => vfs.mount("none", "/d", type as string));
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
      refused("ERR_INVALID_ARG_TYPE", () => vfs.registerDriver(driver as unknown as Driver));
    }
    for (const name of ["", "x".repeat(101)]) {
      refused("EINVAL", () => vfs.registerDriver({ name, root: () => ({ ino: 1, mode: 0o040755 }) }));
    }
    refused("ENODEV", () => vfs.unregisterDriver("nosuchfs"));
    for (const n of [-1, 1.5, Number.NaN, 2 ** 31]) {
      refused("ERR_OUT_OF_RANGE", () => vfs.shrink(n));
      if (n !== 2 ** 31) refused("ERR_OUT_OF_RANGE", () => vfs.threadDied(n));
    }
    refused("ERR_OUT_OF_RANGE", () => vfs.threadDied(2 ** 53));
    refused("EINVAL", () => vfs.threadDied(2 ** 31));
    refused("EINVAL", () => vfs.threadDied(vfs.threadSlot));
    untouched(vfs);
  });
});

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
/** Calls that open, whose result may say that a FIFO waits. */
const OPENS = new Set(["sysOpen", "sysOpenAny", "sysOpenat2", "sysOpenTagged"]);
/** Calls that wait for advisory locks. */
const WAITING = new Set(["sysFlock", "sysFcntlLock", "lockRetry"]);

/** Not called at random: they detach this thread or another one from the arena, or end the test; callOutcome() is NaN after every call. */
const APART = new Set([
  "arenaInit",
  "threadAttach",
  "threadDetach",
  "threadAbandon",
  "threadDied",
  "threadFamily",
  "threadTakeOver",
  "threadRecover",
  "contextClose",
  "contextDestroy",
  "callOutcome",
  "memory",
]);
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

describe("the core's calls: any numbers", () => {
  test("every system call returns for any numbers, without a trap, and the tree stays intact", async (t) => {
    const vfs = await tree({ maxBytes: 16 << 20 });
    const { fs } = vfs;
    fs.writeFileSync("/keep", "kept");
    fs.mkdirSync("/stay");
    // The calls may guess the numbers of other contexts, but not of this one.
    const sane = vfs.context();
    const spare = vfs.context();
    const raw = rawCore(t, spare.handle);
    const { core, arena } = raw;
    // The calls take numbers alone; here they are all of one type.
    const calls = Object.entries(core).filter(
      (entry): entry is [string, (...args: number[]) => number] =>
        typeof entry[1] === "function" && !APART.has(entry[0]),
    );
    const below = randomBelow(20);
    const pick = <T>(list: readonly T[]) => defined(list[below(list.length)], "element");
    const signs = new Set<number>();
    for (let i = 0; i < 20_000; i++) {
      const [name, call] = pick(calls);
      const [path, path2] = [pick(PATHS), pick(PATHS)];
      const length = raw.path(path);
      raw.path2(path2);
      if (below(10) === 0) arena.io.fill(below(256), 0, 256);
      const args = Array.from({ length: call.length }, () => (below(2) === 0 ? pick(ODD) : pick(FLOATS)));
      // Most have a context and a length with which the call goes past its first checks.
      if (below(10) < 7) args[0] = spare.handle.ctx;
      if (below(2) === 0 && name.startsWith("sys"))
        args[name === "sysMountNew" || name === "sysUmount" ? 1 : 2] = length;
      // What would wait for the other end of a pipe returns.
      core.waitLimit(0.5);
      let result: number;
      try {
        result = call(...args);
      } catch (error) {
        // A lock that an earlier call has taken for another owner.
        assert.ok(
          WAITING.has(name) && (error as { code?: unknown }).code === "ERR_THREADFS_TIMEOUT",
          `${name}(${args}): ${error}`,
        );
        continue;
      }
      assert.equal(typeof result, "number", name);
      const only = name === "sysReadFile" || name === "sysWriteFile" || name === "sysScandir";
      const opens = (only && result <= OPENED) || (OPENS.has(name) && result <= OPENING);
      const right = result >= -200 || name === "scratchBase" || opens || result === PIPE_WAITS;
      assert.ok(right, `${name}(${args}) = ${result}`);
      signs.add(Math.sign(result));
      if (core.walkMode(0) < 0) assert.fail("walkMode() failed");
    }
    assert.deepEqual([...signs].sort(), [-1, 0, 1]);
    assert.equal(sane.fs.readFileSync("/keep", "utf8"), "kept");
    assert.ok(sane.fs.statSync("/stay").isDirectory());
    for (const name of sane.fs.readdirSync("/")) sane.fs.lstatSync(`/${name}`);
    sane.fs.writeFileSync("/after", "x".repeat(10_000));
    assert.equal(sane.fs.readFileSync("/after", "utf8").length, 10_000);
    sane.close();
  });

  test("offsets and sizes that no file can have are refused", async (t) => {
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
    assert.equal(core.sysWrite(ctx, fd, 0, IO_SIZE + 1), -ERRNO.EFAULT);
    assert.equal(core.sysLseek(ctx, fd, 0, SEEK_HOLE + 1), -ERRNO.EINVAL);
    assert.equal(core.sysLseek(ctx, fd, 0, -1), -ERRNO.EINVAL);
    assert.equal(core.sysClose(ctx, fd), 0);
    untouched(vfs);
  });
});

describe("the core's calls: flags and lengths", () => {
  test("unknown flags and wrong lengths are refused", async (t) => {
    const vfs = await treeWithFile();
    const { core, ctx, path, path2 } = rawCore(t, vfs.handle);
    const [f, d] = [path("/f"), path2("/d")];
    assert.equal(core.sysAccess(ctx, -100, f, 8, 0), -ERRNO.EINVAL);
    assert.equal(core.sysRename(ctx, -100, f, -100, d, 3), -ERRNO.EINVAL);
    assert.equal(core.sysRename(ctx, -100, f, -100, d, 8), -ERRNO.EINVAL);
    assert.equal(core.sysUmount(ctx, f, 64), -ERRNO.EINVAL);
    assert.equal(core.sysMount(ctx, f, d, 0), -ERRNO.EINVAL);
    assert.equal(core.sysMountNew(ctx, path("/d"), 99, 0, 0, 0, 0), -ERRNO.ENODEV);
    assert.equal(core.sysMknod(ctx, -100, path("/p"), 0o040644, 0), -ERRNO.EPERM);
    for (const type of [0o120000, 0o030000]) assert.equal(core.sysMknod(ctx, -100, path("/p"), type, 0), -ERRNO.EINVAL);
    assert.equal(core.sysOpen(ctx, -100, path("/f"), 0o20000000, 0), -ERRNO.EINVAL);
    assert.equal(core.contextCreate(ctx, 0, 0, 0, 100_000, -1, 0, 0), -ERRNO.EINVAL);
    assert.equal(core.sysSetacl(ctx, -100, path("/f"), 100_000, 0), -ERRNO.ERANGE);
    assert.equal(core.sysSetacl(ctx, -100, path("/f"), 1, 0), -ERRNO.EINVAL);
    for (const length of [-1, -(2 ** 31)]) assert.equal(core.sysStat(ctx, -100, length, 0), -ERRNO.ENOENT);
    for (const length of [PATH_MAX + 1, 2 ** 31 - 1])
      assert.equal(core.sysStat(ctx, -100, length, 0), -ERRNO.ENAMETOOLONG);
    for (const bad of [-1, 1, 1023, 1024, 2 ** 31 - 1]) assert.equal(core.sysStat(bad, -100, f, 0), -ERRNO.EBADF);
    assert.equal(core.threadAttach(1, 0), -ERRNO.EINVAL, "a thread has one slot");
    assert.equal(core.arenaInit(1 << 24, 1, 2, 0, 0, 0, -1, -1), -ERRNO.EINVAL, "an arena is made once");
    for (const slot of [-1, 256, 2 ** 31 - 1, 200]) assert.equal(core.threadRecover(slot, 0), -ERRNO.EINVAL);
    assert.ok(SCRATCH.SIZE > 0);
    untouched(vfs);
  });
});
