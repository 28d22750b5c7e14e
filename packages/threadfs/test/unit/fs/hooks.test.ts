/** Drivers: the hooks for contents and changes, hooks that are left out, and mistakes of hooks. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { AT_FDCWD, ERRNO, POINT, S_IFDIR, S_IFLNK, S_IFREG, SLOT_SIZE, SLOTS } from "../../../dist/abi/abi.js";
import { SLOT_ACTIVE } from "../../../dist/generated/core-layout.js";
import type { Driver } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import {
  argumentsOf,
  type HookName,
  memoryDriver,
  mountDriver,
  ROOT,
  walkCode,
} from "../../support/drivers/memory-driver.js";
import { codeOf, errorWithCode } from "../../support/errors.js";
import { memoryOf } from "../../support/memory.js";
import { rawCore } from "../../support/raw-core.js";
import { uncaught } from "../../support/uncaught.js";

// Fails when the next call continues one entry too late.
test("readdir: any number of entries appears, each once, with its type", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, calls } = memoryDriver("listed", ["lookup", "readdir"]);
  mountDriver(vfs, driver);
  const entries = Array.from({ length: 3000 }, (_, n) => ({
    name: `${n}-${"x".repeat(n % 200)}`,
    ino: n + 10,
    mode: defined([S_IFREG, S_IFDIR, S_IFLNK][n % 3], "type"),
  }));
  driver.on.readdir = () => entries;
  assert.deepEqual(vfs.fs.readdirSync("/m").sort(), entries.map(({ name }) => name).sort());
  assert.deepEqual(argumentsOf(calls, "readdir")[0], [ROOT]);
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

// Fails when a name with a slash reaches rm, which then removes what it leads to.
test("readdir: a name that would lead out of the directory is refused, and dots are left out", async (t) => {
  const { vfs } = await treeFor(t);
  const { fs } = vfs;
  const { driver, make } = memoryDriver("archive", ["lookup", "readdir", "unlink"]);
  make(ROOT, "d", S_IFDIR | 0o755);
  mountDriver(vfs, driver);
  fs.mkdirSync("/precious");
  fs.writeFileSync("/precious/f", "x");
  driver.on.unlink = () => {
    throw errorWithCode("ENOTEMPTY");
  };
  for (const name of ["/precious", "../../precious", "a/b", "/", "a\0b", 5 as unknown as string]) {
    driver.on.readdir = () => [{ name, ino: 5, mode: S_IFDIR }];
    for (const call of [
      () => fs.readdirSync("/m/d"),
      () => fs.readdirSync("/m/d", { recursive: true }),
      () => fs.opendirSync("/m/d").readSync(),
      () => fs.rmSync("/m/d", { recursive: true, force: true }),
      () => fs.cpSync("/m/d", "/copy", { recursive: true }),
    ]) {
      assert.equal(codeOf(call), "EIO", `${JSON.stringify(name)} ${call}`);
    }
  }
  driver.on.readdir = () => [".", "..", "f"].map((name) => ({ name, ino: 5, mode: S_IFDIR }));
  assert.deepEqual(fs.readdirSync("/m/d"), ["f"]);
  driver.on.readdir = () => [".", ".."].map((name) => ({ name, ino: 5, mode: S_IFDIR }));
  assert.equal(
    codeOf(() => fs.rmSync("/m/d", { recursive: true })),
    "ENOTEMPTY",
  );
  assert.deepEqual(fs.readdirSync("/precious"), ["f"]);
});

// Fails when the core takes the count that the hook returns unchecked.
test("read and write: positions and lengths reach the hooks, a wrong count means EIO", async (t) => {
  const { vfs } = await treeFor(t);
  const { fs } = vfs;
  const { driver, nodes, calls, make } = memoryDriver("files", ["lookup", "read", "write", "setattr"]);
  const file = make(ROOT, "f", S_IFREG | 0o644, { text: "hello world" });
  mountDriver(vfs, driver);
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
    driver.on.read = () => wrong as number;
    assert.equal(
      codeOf(() => fs.readSync(fd, into, 0, 4, 0)),
      "EIO",
      `${wrong}`,
    );
    driver.on.write = () => wrong as number;
    assert.equal(
      codeOf(() => fs.writeSync(fd, into, 0, 4, 0)),
      "EIO",
      `${wrong}`,
    );
  }
  fs.closeSync(fd);
});

// Fails when the attributes that setattr returns are not taken; and separately: when a removed name stays in the cache.
test("create, unlink, setattr: the arguments reach the hooks, and the tree shows the results", async (t) => {
  const { vfs } = await treeFor(t);
  const { fs } = vfs;
  const { driver, calls } = memoryDriver("full", [
    "lookup",
    "create",
    "unlink",
    "setattr",
    "read",
    "write",
    "readlink",
  ]);
  mountDriver(vfs, driver);
  const done = (run: () => unknown) => {
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
  assert.equal(walkCode(vfs, "/m/d/f"), "ENOENT");
  driver.on.unlink = () => {
    throw errorWithCode("ENOTEMPTY");
  };
  assert.equal(
    codeOf(() => fs.rmdirSync("/m/d")),
    "ENOTEMPTY",
  );
  assert.equal(walkCode(vfs, "/m/d/l"), "ENOENT");
  driver.on.create = () => {
    throw errorWithCode("ENOSPC");
  };
  assert.equal(
    codeOf(() => fs.mkdirSync("/m/e")),
    "ENOSPC",
  );
  assert.equal(walkCode(vfs, "/m/e"), "ENOENT");
});

// Fails when a chmod of a driver's directory leaves the flag on its dentry by which every user may search it.
test("setattr: a directory that is closed to others is closed in rcu mode at once", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, make } = memoryDriver("closing", ["lookup", "setattr"]);
  const dir = make(ROOT, "d", S_IFDIR | 0o755);
  make(dir, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  const agent = vfs.context({ uid: 5, gid: 5 });
  assert.equal(walkCode(agent, "/m/d/f"), undefined);
  vfs.fs.chmodSync("/m/d", 0o700);
  assert.equal(walkCode(agent, "/m/d/f"), "EACCES");
  vfs.fs.chmodSync("/m/d", 0o711);
  assert.equal(walkCode(agent, "/m/d/f"), undefined);
});

// Fails when a write or a creation goes ahead without the hook.
test("an operation whose hook is left out is refused, and no other hook is called", async (t) => {
  const { vfs } = await treeFor(t);
  const { fs } = vfs;
  const { driver, calls, make } = memoryDriver("bare", ["lookup"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  const fd = fs.openSync("/m/f", "r+");
  const refused: [run: () => unknown, code: string][] = [
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
  assert.equal(walkCode(vfs, "/m/f"), undefined);
});

// Fails when any property of the table of errors is taken for a code; and separately: when other exceptions vanish.
test("an error of a hook with a known code is the call's error; any other is the cause of an EIO that names the hook", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver } = memoryDriver("failing", ["lookup"]);
  mountDriver(vfs, driver);
  for (const code of ["EACCES", "EIO", "ENOENT", "ESTALE", "ELOOP", "ENXIO"]) {
    driver.on.lookup = () => {
      throw errorWithCode(code);
    };
    assert.equal(walkCode(vfs, `/m/${code}`), code);
  }
  for (const thrown of [
    new TypeError("a mistake"),
    errorWithCode("ERR_OTHER"),
    errorWithCode("toString"),
    "text",
    null,
    undefined,
  ]) {
    driver.on.lookup = () => {
      throw thrown;
    };
    assert.throws(
      () => vfs.fs.statSync("/m/f"),
      (error: NodeJS.ErrnoException) => {
        assert.deepEqual([error.code, error.syscall, error.path, error.cause], ["EIO", "stat", "/m/f", thrown]);
        assert.match(error.message, /^EIO: i\/o error, stat '\/m\/f': lookup\(\) of the driver "failing" threw /);
        return true;
      },
    );
    // existsSync() returns false for every error: the exception is not lost.
    const outside = uncaught();
    assert.equal(vfs.fs.existsSync("/m/f"), false);
    assert.equal(await outside, thrown);
  }
  driver.on.lookup = () => null;
  assert.equal(walkCode(vfs, "/m/f"), "ENOENT");
});

// Fails when an exception unwinds the core.
test("an error of a hook that cannot fail its call leaves the call as it is and is thrown outside it", async (t) => {
  const { vfs } = await treeFor(t);
  const names: HookName[] = ["lookup", "hash", "compare", "readlink", "putLink", "iput", "deleteUnused"];
  const { driver, make } = memoryDriver("throwing", names);
  make(ROOT, "f", S_IFREG | 0o644);
  make(ROOT, "l", S_IFLNK | 0o777, { target: "/" });
  mountDriver(vfs, driver);
  vfs.walkMode({ ref: true });
  const thrown: string[] = [];
  process.setUncaughtExceptionCaptureCallback((one) => thrown.push(one.message));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  for (const name of names.filter((hook) => hook !== "lookup" && hook !== "readlink")) {
    driver.on = {
      [name]: () => {
        throw new Error(name);
      },
    };
    assert.equal(walkCode(vfs, "/m/f"), undefined, name);
    assert.equal(walkCode(vfs, "/m/l"), undefined, name);
    vfs.shrink(100);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(thrown.includes(name), name);
  }
  driver.on = {};
  assert.equal(walkCode(vfs, "/m/f"), undefined);
});

// Fails when a call of the tree from inside a hook gets through to the core.
test("a hook that calls its own tree is refused, and the walk that called it goes on", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, make } = memoryDriver("curious", ["lookup", "revalidate"]);
  make(ROOT, "f", S_IFREG | 0o644, { text: "abc" });
  vfs.fs.writeFileSync("/other", "x");
  mountDriver(vfs, driver);
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
  let codes: (string | undefined)[] = [];
  driver.on.revalidate = () => {
    codes = tries.map(codeOf);
    return true;
  };
  vfs.fs.statSync("/m/f");
  assert.equal(vfs.fs.statSync("/m/f").size, 3);
  assert.deepEqual(codes, Array(tries.length).fill("ERR_THREADFS_REENTERED"));
  assert.equal(vfs.fs.readFileSync("/other", "utf8"), "x");
});

// Fails when a refused call gets through, or when its end ends the call around it: a recount would then drop that one's references.
test("the core refuses calls from inside a hook itself, and the call that called the hook stays active", async (t) => {
  const { vfs } = await treeFor(t);
  const { driver, make } = memoryDriver("curious", ["lookup", "revalidate"]);
  make(ROOT, "f", S_IFREG | 0o644, { text: "abc" });
  mountDriver(vfs, driver);
  const { arena, core, ctx, stat } = rawCore(t, vfs.handle);
  arena.drivers.register(driver, ctx);
  const memory = memoryOf(vfs);
  const active = SLOTS + core.threadSlot() * SLOT_SIZE + SLOT_ACTIVE;
  const calls = [
    () => core.sysStat(ctx, AT_FDCWD, 4, 0),
    () => core.sysOpen(ctx, AT_FDCWD, 4, 0, 0),
    () => core.sysUmask(ctx, 0),
    () => core.sysClose(ctx, 3),
    () => core.contextCreate(ctx, 0, 0, 0, 0, 0, 0, 0),
    () => core.threadDetach(),
    () => core.threadRecover(0, 0),
  ];
  let seen: unknown[] = [];
  driver.on.revalidate = () => {
    seen = calls.map((call) => [call(), memory.word(active)]);
    return true;
  };
  assert.equal(stat(AT_FDCWD, "/m/f"), 0);
  assert.equal(stat(AT_FDCWD, "/m/f"), 0);
  assert.deepEqual(seen, Array(calls.length).fill([-ERRNO.EDEADLK, 1]));
  assert.equal(memory.word(active), 0, "after the call");
});

// Fails when the free of a block takes another one off the thread's list of pending blocks: the body of the link stays allocated.
test("a thread that dies on a driver's link leaves no block behind, whatever its walk has freed meanwhile", async (t) => {
  const tree = await treeFor(t);
  const { vfs } = tree;
  // Each name is a block of its own, and is freed with its entry, which the walk leaves unused.
  const names = Array.from({ length: 60 }, (_, n) => `${n + 3}-${"n".repeat(40)}`);
  const driver: Driver = {
    name: "forgetful",
    root: () => ({ ino: ROOT, mode: S_IFDIR | 0o755 }),
    lookup: (_directory, name) =>
      name === "link" ? { ino: 2, mode: S_IFLNK | 0o777 } : { ino: Number.parseInt(name, 10), mode: S_IFDIR | 0o755 },
    readlink: () => names.join("/../"),
    deleteUnused: () => true,
  };
  mountDriver(vfs, driver);
  vfs.fs.mkdirSync("/other");
  const dying = await tree.attach();
  dying.registerDriver(driver);
  for (let n = 0; n < 3; n++) assert.equal(dying.fs.statSync("/m/link").isDirectory(), true);
  const before = vfs.counters().deferredFrees;
  dying.at(
    POINT.COMPONENT,
    () => {
      throw new Error("ends here");
    },
    2 * names.length - 1,
  );
  assert.equal(walkCode(dying, "/m/link"), "ERR_THREADFS_PANIC");
  assert.ok(vfs.counters().deferredFrees - before > 2 * 32, "its walk has freed what was retired");
  await new Promise((resolve) => setImmediate(resolve));
  vfs.shrink(0);
  assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, []);
});
