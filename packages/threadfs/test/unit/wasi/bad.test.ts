/** threadfs/wasi: programs with bad arguments get an error, and damage nothing. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { createVfs } from "../../../dist/src/index.js";
import { createWasi } from "../../../dist/src/wasi.js";
import { codeOf } from "../../support/errors.js";
import { OWNER, ownDescriptorsLock, scene } from "../../support/held-locks.js";
import { boxed, DIR, EVENT, OFLAG, TestProgram } from "./program.js";

const { RESULT } = TestProgram;
/** The end of the memory of a test's program. */
const END = 4 * 65_536;
const OUTSIDE = [END, END - 1, -1, 0xffff_fff0 | 0, 0x7fff_ffff];

/** The calls that have an address, with it in each place. */
function callsWith(
  at: number,
  { fd, path, good }: { fd: number; path: [number, number]; good: [number, number] },
): Record<string, unknown[][]> {
  return {
    args_sizes_get: [
      [at, RESULT],
      [RESULT, at],
    ],
    environ_sizes_get: [[at, RESULT]],
    args_get: [[at, RESULT]],
    environ_get: [[RESULT, at]],
    clock_res_get: [[0, at]],
    clock_time_get: [[0, 0n, at]],
    fd_fdstat_get: [[fd, at]],
    fd_filestat_get: [[fd, at]],
    fd_read: [
      [fd, at, 1, RESULT],
      [fd, ...good, at],
    ],
    fd_write: [
      [fd, at, 1, RESULT],
      [fd, ...good, at],
    ],
    fd_pread: [
      [fd, at, 1, 0n, RESULT],
      [fd, ...good, 0n, at],
    ],
    fd_pwrite: [
      [fd, at, 1, 0n, RESULT],
      [fd, ...good, 0n, at],
    ],
    fd_prestat_get: [[DIR, at]],
    fd_prestat_dir_name: [[DIR, at, 4]],
    fd_readdir: [
      [DIR, at, 100, 0n, RESULT],
      [DIR, 2000, 100, 0n, at],
    ],
    fd_seek: [[fd, 0n, 0, at]],
    fd_tell: [[fd, at]],
    path_create_directory: [[DIR, at, 2]],
    path_filestat_get: [
      [DIR, 0, at, 2, RESULT],
      [DIR, 0, ...path, at],
    ],
    path_filestat_set_times: [[DIR, 0, at, 2, 0n, 0n, 0]],
    path_link: [
      [DIR, 0, at, 2, DIR, ...path],
      [DIR, 0, ...path, DIR, at, 2],
    ],
    path_open: [
      [DIR, 0, at, 2, 0, 0n, 0n, 0, RESULT],
      [DIR, 0, ...path, OFLAG.TRUNC, 0n, 0n, 0, at],
    ],
    path_readlink: [
      [DIR, at, 2, 2000, 10, RESULT],
      [DIR, ...path, at, 10, RESULT],
      [DIR, ...path, 2000, 10, at],
    ],
    path_remove_directory: [[DIR, at, 2]],
    path_rename: [
      [DIR, at, 2, DIR, ...path],
      [DIR, ...path, DIR, at, 2],
    ],
    path_symlink: [
      [at, 2, DIR, ...path],
      [...path, DIR, at, 2],
    ],
    path_unlink_file: [[DIR, at, 2]],
    poll_oneoff: [
      [at, 3000, 1, RESULT],
      [2000, at, 1, RESULT],
      [2000, 3000, 1, at],
    ],
    random_get: [[at, 2]],
  };
}

test("an address outside of the memory is EFAULT in every call that has one, and nothing has happened", async (t) => {
  const { vfs, program } = await boxed(t, { args: ["prog"], env: { A: "b" }, preopens: { "/dir": "/box" } });
  const fd = program.opened(DIR, "f");
  const before = vfs.toJSON();
  const path = program.text("f");
  for (const at of OUTSIDE) {
    const vectors = program.vectors([[at, 2]]);
    const good = program.vectors([[4000, 1]]);
    const calls = callsWith(at, { fd, path, good });
    for (const [name, lists] of Object.entries(calls)) {
      for (const args of lists) {
        assert.equal(program.call(name, ...args), "EFAULT", `${name}(${args.join(", ")})`);
      }
    }
    for (const name of ["fd_read", "fd_write"]) {
      program.vectors([[at, 2]]);
      assert.equal(program.call(name, fd, ...vectors, RESULT), "EFAULT");
    }
  }
  assert.deepEqual(vfs.toJSON(), before);
});

/** Imports without an address. Those of sockets look at none: no descriptor is one. */
const WITHOUT_ADDRESS = [
  ...["fd_advise", "fd_allocate", "fd_close", "fd_datasync", "fd_fdstat_set_flags", "fd_fdstat_set_rights"],
  ...["fd_filestat_set_size", "fd_filestat_set_times", "fd_renumber", "fd_sync", "proc_exit", "proc_raise"],
  ...["sched_yield", "sock_accept", "sock_recv", "sock_send", "sock_shutdown"],
];

// Fails when Memory.has() does not make its views anew: the addresses are behind them.
test("each of the 46 imports takes addresses in what the program has just added to its memory", async (t) => {
  const { program } = await boxed(t, { args: ["prog"], env: { A: "b" }, preopens: { "/dir": "/box" } });
  const fd = program.opened(DIR, "f");
  const names = Object.keys(callsWith(0, { fd, path: [0, 0], good: [0, 0] }));
  assert.deepEqual([...names, ...WITHOUT_ADDRESS].sort(), Object.keys(program.calls).sort());
  assert.equal(names.length + WITHOUT_ADDRESS.length, 46);
  for (const name of names) {
    const count = callsWith(0, { fd, path: [0, 0], good: [0, 0] })[name]?.length ?? 0;
    for (let n = 0; n < count; n++) {
      const path = program.text("f");
      const good = program.vectors([[4000, 1]]);
      const at = program.memory.grow(1) * 65_536;
      const args = callsWith(at, { fd, path, good })[name]?.[n] ?? [];
      assert.notEqual(program.call(name, ...args), "EFAULT", `${name}(${args.join(", ")})`);
    }
  }
});

test("huge vectors and lengths: too many buffers are EINVAL, too many bytes EFAULT", async (t) => {
  const { vfs, program } = await boxed(t);
  const fd = program.opened(DIR, "f");
  for (const count of [1025, -1, 0x7fff_ffff]) {
    assert.equal(program.call("fd_write", fd, 128, count, RESULT), "EINVAL");
    assert.equal(program.call("fd_read", fd, 128, count, RESULT), "EINVAL");
  }
  for (const length of [0x7fff_ffff, -1, END]) {
    assert.equal(program.call("fd_write", fd, ...program.vectors([[1, length]]), RESULT), "EFAULT");
    assert.equal(program.call("random_get", 1, length), "EFAULT");
    assert.equal(program.call("fd_readdir", DIR, 1, length, 0n, RESULT), "EFAULT");
    assert.equal(program.call("path_unlink_file", DIR, 1, length), "ENAMETOOLONG");
  }
  // The same bytes again and again are more than the memory has.
  const all = Array.from({ length: 1024 }, () => [0, END] as const);
  for (const [n, [at, length]] of all.entries()) {
    program.view.setUint32(65_536 + n * 8, at, true);
    program.view.setUint32(65_540 + n * 8, length, true);
  }
  assert.equal(program.call("fd_write", fd, 65_536, 1024, RESULT), "SUCCESS");
  assert.ok(program.result > 0 && program.result < 32 << 20, "as much as the tree has room for");
  assert.equal(vfs.fs.statSync("/box/f").size, program.result);
  assert.equal(program.call("fd_write", fd, 0, 0, RESULT), "SUCCESS");
  assert.equal(program.result, 0);
  assert.equal(program.call("poll_oneoff", 0, 0, 100_000, RESULT), "EINVAL");
});

test("a driver's hook may grow the memory in the middle of a call", async (t) => {
  const { vfs, program } = await boxed(t);
  const attributes = { ino: 2, mode: 0o100644, size: 5 };
  vfs.registerDriver({
    name: "growing",
    root: () => ({ ino: 1, mode: 0o040755 }),
    lookup: () => attributes,
    readdir: () => {
      program.memory.grow(1);
      return [{ name: "g", ...attributes }];
    },
    read: (_ino, position, into) => {
      program.memory.grow(1);
      const bytes = new TextEncoder().encode("hello").subarray(position);
      into.set(bytes);
      return bytes.length;
    },
  });
  vfs.mount(null, "/box/d", "growing");
  const fd = program.opened(DIR, "d/g", { rights: 2n });
  assert.equal(program.read(fd, 100), "hello");
  const dir = program.opened(DIR, "d", { oflags: OFLAG.DIRECTORY });
  assert.deepEqual(program.readdir(dir).names, [".", "..", "g"]);
  assert.ok(program.memory.buffer.byteLength > END);
});

// Before, a hook that let the memory grow took the buffers of a long transfer away: EFAULT, and a write that was cut.
test("a driver's hook may grow the memory in the middle of a long transfer", async (t) => {
  const { vfs, program } = await boxed(t);
  const attributes = { ino: 2, mode: 0o100644, size: 1 << 20 };
  const written: number[] = [];
  vfs.registerDriver({
    name: "growing",
    root: () => ({ ino: 1, mode: 0o040755 }),
    lookup: () => attributes,
    read: (_ino, position, into) => {
      program.memory.grow(1);
      for (let i = 0; i < into.length; i++) into[i] = (position + i) % 251;
      return into.length;
    },
    write: (_ino, position, bytes) => {
      program.memory.grow(1);
      for (let i = 0; i < bytes.length; i++) written[position + i] = bytes[i] as number;
      return bytes.length;
    },
  });
  vfs.mount(null, "/box/d", "growing");
  const fd = program.opened(DIR, "d/g");
  const length = 100_000;
  const parts = [[8192, 5] as const, [16_384, length - 5] as const];
  assert.equal(program.call("fd_read", fd, ...program.vectors(parts), RESULT), "SUCCESS");
  assert.equal(program.result, length);
  const bytes = parts.flatMap(([at, size]) => [...new Uint8Array(program.memory.buffer, at, size)]);
  assert.deepEqual(
    bytes,
    Array.from({ length }, (_, i) => i % 251),
  );
  assert.equal(program.call("fd_pwrite", fd, ...program.vectors(parts), 0n, RESULT), "SUCCESS");
  assert.equal(program.result, length);
  assert.deepEqual(written, bytes);
});

const { REG, DIRECTORY } = { REG: 0o100644, DIRECTORY: 0o040755 };

/** What each call with a result leaves, where the hooks of a driver and the clock of the tree are called meanwhile, and do something. */
async function leftByCalls(t: TestContext, meanwhile: (memory: WebAssembly.Memory) => void): Promise<string[]> {
  let hook = () => {};
  const now = () => {
    hook();
    return 1_600_000_000_000;
  };
  const vfs = await createVfs({ maxBytes: 32 << 20, now });
  t.after(() => vfs.close());
  for (const dir of ["/box", "/box/d"]) vfs.fs.mkdirSync(dir);
  vfs.fs.writeFileSync("/box/t", "0123456789");
  vfs.registerDriver({
    name: "calling",
    root: () => ({ ino: 1, mode: DIRECTORY }),
    permission: () => hook(),
    lookup: (_dir, name) => (name === "l" ? { ino: 3, mode: 0o120777 } : { ino: 2, mode: REG, size: 5 }),
    readlink: () => {
      hook();
      return "f";
    },
    readdir: () => {
      hook();
      return [{ name: "f", ino: 2, mode: REG }];
    },
    read: (_node, _position, into) => {
      hook();
      into.fill(0x78);
      return into.length;
    },
    write: (_node, _position, data) => {
      hook();
      return data.length;
    },
  });
  vfs.mount(null, "/box/d", "calling");
  const options = { stdin: "ignore", stdout: "ignore", stderr: "ignore", preopens: { "/": "/box" } } as const;
  const program = new TestProgram(createWasi(vfs, options), new WebAssembly.Memory({ initial: 4, maximum: 512 }));
  const fd = program.opened(DIR, "d/f");
  const file = program.opened(DIR, "t");
  const dir = program.opened(DIR, "d", { oflags: OFLAG.DIRECTORY });
  const vectors = program.vectors([[3000, 4]]);
  // A subscription to the real clock, which is due, and one to the file.
  program.view.setUint8(2008, EVENT.CLOCK);
  program.view.setUint8(2056, EVENT.FD_READ);
  program.view.setUint32(2064, fd, true);
  const calls: [name: string, ...args: unknown[]][] = [
    ["clock_res_get", 0, RESULT],
    ["clock_time_get", 0, 0n, RESULT],
    ["fd_read", fd, ...vectors, RESULT],
    ["fd_pread", fd, ...vectors, 0n, RESULT],
    ["fd_write", fd, ...vectors, RESULT],
    ["fd_pwrite", fd, ...vectors, 0n, RESULT],
    ["fd_write", file, ...vectors, RESULT],
    ["fd_readdir", dir, 3000, 200, 0n, RESULT],
    ["fd_filestat_get", fd, 3000],
    ["path_filestat_get", DIR, 1, "d/l", 3000],
    ["path_readlink", DIR, "d/l", 3000, 100, RESULT],
    ["path_open", DIR, 1, "d/l", 0, 2n, 0n, 0, RESULT],
    ["path_rename", DIR, "d/f", DIR, "t"],
    ["path_link", DIR, 0, "d/f", DIR, "new"],
    ["path_symlink", "t", DIR, "new"],
    ["poll_oneoff", 2000, 3000, 2, RESULT],
  ];
  return calls.map(([name, ...args]) => {
    hook = () => meanwhile(program.memory);
    const error = program.call(name, ...args);
    hook = () => {};
    return `${name}: ${error} ${program.bytes(0, 65_536).replaceAll("\0", "")}`;
  });
}

// Fails when Poll or the calls with results do not refresh their views.
test("whatever the host calls during a call may grow the memory: the results are the same", async (t) => {
  let grown = 0;
  const left = await leftByCalls(t, (memory) => {
    memory.grow(1);
    grown++;
  });
  assert.deepEqual(left, await leftByCalls(t, () => {}));
  assert.ok(grown > 10, `${grown} times`);
});

test("a program without a memory, and a closed tree, are errors of the library", async (t) => {
  const { vfs, program } = await boxed(t);
  vfs.close();
  assert.throws(() => program.read(3, 1), { code: "ERR_THREADFS_CLOSED" });
});

// Taken out: attachment.leave() in path_open, in fd_read or in fd_close: the attachment stays in its call, and the next one is refused; release()
// in path_open, giveBack() in fd_close: the number is lost.
test("a call that waits too long for a lock throws ERR_THREADFS_TIMEOUT, and the next one is made", async (t) => {
  const { vfs, words, locks } = await scene(t, true, 30);
  t.after(() => vfs.close());
  const wasi = createWasi(vfs, { preopens: { "/": "/d" }, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const program = new TestProgram(wasi);
  // The directory of the program has been opened: there are descriptors of this thread.
  const all: Record<string, number> = { ...locks, descriptors: ownDescriptorsLock(words, vfs.threadSlot) };
  const held = (name: string, call: () => unknown): string | undefined => {
    const word = defined(all[name], name) >>> 2;
    Atomics.store(words, word, OWNER + 1);
    const code = codeOf(call);
    Atomics.store(words, word, 0);
    return code;
  };
  const timeout = "ERR_THREADFS_TIMEOUT";
  assert.equal(
    held("descriptors", () => program.open(DIR, "f")),
    timeout,
  );
  const fd = program.opened(DIR, "f");
  assert.equal(fd, DIR + 1, "the number of the call that did not happen");
  assert.equal(
    held("the gate of a recount", () => program.read(fd, 4)),
    timeout,
  );
  assert.equal(program.read(fd, 4), "cont");
  assert.equal(
    held("the gate of a recount", () => program.call("fd_close", fd)),
    timeout,
  );
  assert.equal(vfs.counters().openFiles, 2, "the preopen, and the file, whose number is open as before");
  assert.equal(program.call("fd_close", fd), "SUCCESS");
  assert.equal(vfs.counters().openFiles, 1);
  assert.equal(program.opened(DIR, "f"), fd);
});
