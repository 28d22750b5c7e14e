/** threadfs/wasi: calls by descriptor. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { boxed, DIR, FDFLAG, FILETYPE, FSTFLAG, OFLAG, RIGHT, TestProgram } from "./program.js";

const { RESULT } = TestProgram;

test("there are all 46 imports of WASI preview 1, and thread-spawn", async (t) => {
  const { program } = await boxed(t);
  const { wasi_snapshot_preview1: preview1, wasi } = program.wasi.getImportObject();
  assert.equal(Object.keys(preview1 ?? {}).length, 46);
  assert.deepEqual(Object.keys(wasi ?? {}), ["thread-spawn"]);
});

describe("contents", () => {
  test("reads and writes at the position of the descriptor and at others, in several buffers", async (t) => {
    const { vfs, program } = await boxed(t);
    const fd = program.opened(DIR, "f");
    assert.equal(fd, 4);
    assert.equal(program.read(fd, 3), "012");
    assert.equal(program.write(fd, "ab", "", "c"), 3);
    assert.equal(vfs.fs.readFileSync("/box/f", "utf8"), "012abc6789");
    assert.equal(program.call("fd_tell", fd, RESULT), "SUCCESS");
    assert.equal(program.result64, 6n);
    const two = program.vectors([
      [2000, 2],
      [3000, 100],
    ]);
    assert.equal(program.call("fd_pread", fd, ...two, 1n, RESULT), "SUCCESS");
    assert.deepEqual([program.result, program.bytes(2000, 2), program.bytes(3000, 7)], [9, "12", "abc6789"]);
    program.view.setUint8(4000, 0x5a);
    assert.equal(program.call("fd_pwrite", fd, ...program.vectors([[4000, 1]]), 9n, RESULT), "SUCCESS");
    assert.equal(vfs.fs.readFileSync("/box/f", "utf8"), "012abc678Z");
    assert.equal(program.call("fd_seek", fd, -2n, 2, RESULT), "SUCCESS");
    assert.equal(program.result64, 8n);
    assert.equal(program.read(fd, 100), "8Z");
    assert.equal(program.read(fd, 100), "");
    assert.equal(program.call("fd_seek", fd, -1n, 0, RESULT), "EINVAL");
    assert.equal(program.call("fd_seek", fd, 0n, 7, RESULT), "EINVAL");
    assert.equal(program.call("fd_pread", fd, ...two, -1n, RESULT), "EINVAL");
  });

  for (const shared of [false, true]) {
    test(`long transfers go to the ${shared ? "shared " : ""}memory directly, also after it has grown`, async (t) => {
      const { vfs, program: first } = await boxed(t);
      const memory = new WebAssembly.Memory({ initial: 4, maximum: 64, shared });
      const program = new TestProgram(first.wasi, memory);
      const fd = program.opened(DIR, "long", { oflags: OFLAG.CREAT });
      memory.grow(10);
      const at = 5 * 65_536 + 3;
      const bytes = new Uint8Array(memory.buffer, at, 200_000);
      for (let i = 0; i < bytes.length; i++) bytes[i] = i % 251;
      const parts = [
        [at, 100_001],
        [at + 100_001, 99_999],
      ] as const;
      assert.equal(program.call("fd_write", fd, ...program.vectors(parts), RESULT), "SUCCESS");
      assert.equal(program.result, 200_000);
      assert.deepEqual(vfs.fs.readFileSync("/box/long"), Buffer.from(bytes));
      bytes.fill(0);
      assert.equal(program.call("fd_pread", fd, ...program.vectors(parts), 0n, RESULT), "SUCCESS");
      assert.equal(program.result, 200_000);
      assert.ok(bytes.every((byte, i) => byte === i % 251));
    });
  }
});

describe("state and attributes", () => {
  test("O_APPEND by an open and by fd_fdstat_set_flags, which every user of the open file sees", async (t) => {
    const { vfs, program } = await boxed(t);
    const fd = program.opened(DIR, "f", { fdflags: FDFLAG.APPEND });
    assert.equal(program.write(fd, "x"), 1);
    assert.equal(program.call("fd_fdstat_get", fd, RESULT), "SUCCESS");
    assert.equal(program.view.getUint16(RESULT + 2, true), FDFLAG.APPEND);
    assert.equal(program.call("fd_fdstat_set_flags", fd, 0), "SUCCESS");
    assert.equal(program.call("fd_seek", fd, 0n, 0, RESULT), "SUCCESS");
    assert.equal(program.write(fd, "y"), 1);
    assert.equal(program.call("fd_fdstat_set_flags", fd, FDFLAG.APPEND | FDFLAG.NONBLOCK), "SUCCESS");
    assert.equal(program.write(fd, "z"), 1);
    assert.equal(vfs.fs.readFileSync("/box/f", "utf8"), "y123456789xz");
  });

  test("size, room, times and attributes", async (t) => {
    const { vfs, program } = await boxed(t);
    const fd = program.opened(DIR, "f");
    assert.equal(program.call("fd_filestat_set_size", fd, 4n), "SUCCESS");
    assert.equal(program.call("fd_allocate", fd, 0n, 6n), "SUCCESS");
    assert.equal(program.call("fd_advise", fd, 0n, 0n, 3), "SUCCESS");
    assert.equal(program.call("fd_advise", fd, 0n, 0n, 6), "EINVAL");
    assert.equal(program.call("fd_sync", fd), "SUCCESS");
    assert.equal(program.call("fd_datasync", fd), "SUCCESS");
    const second = 1_000_000_000n;
    const times = [1_700_000_000n * second + 123_456_789n, 5n * second + 1n];
    assert.equal(program.call("fd_filestat_set_times", fd, ...times, FSTFLAG.ATIM | FSTFLAG.MTIM), "SUCCESS");
    assert.equal(program.call("fd_filestat_get", fd, RESULT), "SUCCESS");
    const { view } = program;
    const { ino, dev, size } = vfs.fs.statSync("/box/f");
    assert.equal(size, 6);
    assert.deepEqual(
      [0, 8, 24, 32, 40, 48].map((at) => view.getBigUint64(RESULT + at, true)),
      [BigInt(dev), BigInt(ino), 1n, 6n, ...times],
    );
    assert.equal(view.getUint8(RESULT + 16), FILETYPE.REGULAR_FILE);
    for (const flags of [FSTFLAG.ATIM | FSTFLAG.ATIM_NOW, FSTFLAG.MTIM | FSTFLAG.MTIM_NOW, 16]) {
      assert.equal(program.call("fd_filestat_set_times", fd, 0n, 0n, flags), "EINVAL");
    }
    assert.equal(program.call("fd_filestat_set_times", fd, 0n, 0n, FSTFLAG.MTIM_NOW), "SUCCESS");
    assert.deepEqual(vfs.fs.statSync("/box/f", { bigint: true }).atimeNs, times[0]);
    assert.ok(vfs.fs.statSync("/box/f").mtimeMs > 1.7e12);
    assert.equal(program.call("fd_filestat_set_size", fd, 1n << 60n), "EFBIG");
  });
});

describe("descriptors", () => {
  test("are the lowest free numbers; what is closed is EBADF, and closes the tree's descriptor", async (t) => {
    const { vfs, program } = await boxed(t);
    const open = vfs.counters().openFiles;
    const fds = [1, 2, 3].map(() => program.opened(DIR, "f"));
    assert.deepEqual(fds, [4, 5, 6]);
    assert.equal(program.call("fd_close", 5), "SUCCESS");
    assert.equal(program.call("fd_close", 5), "EBADF");
    assert.equal(program.read(5, 1), "EBADF");
    assert.equal(program.opened(DIR, "f"), 5);
    for (const fd of [4, 5, 6]) assert.equal(program.call("fd_close", fd), "SUCCESS");
    assert.equal(vfs.counters().openFiles, open);
    for (const fd of [-1, 7, 16_384, 2 ** 31, 1e9]) assert.equal(program.call("fd_close", fd | 0), "EBADF");
  });

  test("of the context that the program has not opened are none of its", async (t) => {
    const { vfs, program } = await boxed(t);
    const foreign = vfs.fs.openSync("/out/secret", "r");
    assert.equal(program.opened(DIR, "f"), 4);
    for (let fd = 5; fd < foreign + 20; fd++) assert.equal(program.read(fd, 1), "EBADF");
    assert.equal(vfs.fs.readFileSync(foreign, "utf8"), "secret");
  });

  test("fd_renumber moves one to the number of another, which it closes", async (t) => {
    const { vfs, program } = await boxed(t);
    vfs.fs.writeFileSync("/box/g", "gg");
    const [f, g] = [program.opened(DIR, "f", { rights: BigInt(RIGHT.FD_READ) }), program.opened(DIR, "g")];
    const open = vfs.counters().openFiles;
    assert.equal(program.call("fd_renumber", g, f), "SUCCESS");
    assert.equal(vfs.counters().openFiles, open - 1);
    assert.equal(program.read(f, 9), "gg");
    assert.equal(program.write(f, "!"), 1, "with its rights");
    assert.equal(program.read(g, 9), "EBADF");
    assert.equal(program.call("fd_renumber", f, f), "SUCCESS");
    for (const [from, to] of [
      [f, 99],
      [99, f],
      [f, 1 << 20],
    ]) {
      assert.equal(program.call("fd_renumber", from, to), "EBADF");
    }
    assert.equal(program.call("fd_renumber", DIR, f), "SUCCESS");
    assert.equal(program.call("fd_prestat_get", f, RESULT), "SUCCESS", "a preopen keeps its name");
  });
});

describe("what a descriptor is for", () => {
  test("rights: what a descriptor lacks is ENOTCAPABLE, they can be reduced, and are not added", async (t) => {
    const { program } = await boxed(t);
    const fd = program.opened(DIR, "f", { rights: BigInt(RIGHT.FD_READ | RIGHT.FD_TELL) });
    assert.equal(program.write(fd, "x"), "ENOTCAPABLE");
    assert.equal(program.call("fd_seek", fd, 1n, 0, RESULT), "ENOTCAPABLE");
    assert.equal(program.call("fd_seek", fd, 0n, 1, RESULT), "SUCCESS", "the position is told");
    assert.equal(program.call("fd_fdstat_get", fd, RESULT), "SUCCESS");
    assert.equal(program.view.getBigUint64(RESULT + 8, true), BigInt(RIGHT.FD_READ | RIGHT.FD_TELL));
    assert.equal(program.call("fd_fdstat_set_rights", fd, BigInt(RIGHT.FD_WRITE), 0n), "ENOTCAPABLE");
    assert.equal(program.call("fd_fdstat_set_rights", fd, 1n << 40n, 0n), "ENOTCAPABLE");
    assert.equal(program.call("fd_fdstat_set_rights", fd, BigInt(RIGHT.FD_TELL), 0n), "SUCCESS");
    assert.equal(program.read(fd, 1), "ENOTCAPABLE");
    const dir = program.opened(DIR, "d", { oflags: OFLAG.DIRECTORY, inheriting: BigInt(RIGHT.FD_READ) });
    assert.equal(program.open(dir, "new", { oflags: OFLAG.CREAT }), "ENOTCAPABLE", "not inherited");
    const some = { rights: BigInt(RIGHT.FD_READ) };
    assert.equal(typeof program.open(dir, "new", { oflags: OFLAG.CREAT, ...some }), "number");
    assert.equal(program.call("fd_fdstat_set_rights", dir, BigInt(RIGHT.PATH_OPEN), BigInt(RIGHT.FD_READ)), "SUCCESS");
    assert.equal(program.open(dir, "more", { oflags: OFLAG.CREAT, ...some }), "ENOTCAPABLE");
    assert.equal(program.open(dir, "new", { oflags: OFLAG.TRUNC, ...some }), "ENOTCAPABLE");
    assert.equal(program.call("path_create_directory", dir, "x"), "ENOTCAPABLE");
    assert.equal(program.call("path_unlink_file", dir, "new"), "ENOTCAPABLE");
    assert.equal(program.call("fd_readdir", dir, 2000, 100, 0n, RESULT), "ENOTCAPABLE");
    assert.equal(typeof program.open(dir, "new", some), "number");
  });

  // Before, both were asked for, and a descriptor with the right to seek alone could do neither.
  test("the right to seek implies the one to tell", async (t) => {
    const { program } = await boxed(t);
    const fd = program.opened(DIR, "f", { rights: BigInt(RIGHT.FD_SEEK) });
    assert.equal(program.call("fd_seek", fd, 4n, 0, RESULT), "SUCCESS");
    assert.equal(program.call("fd_seek", fd, 0n, 1, RESULT), "SUCCESS");
    assert.equal(program.result64, 4n);
    assert.equal(program.call("fd_tell", fd, RESULT), "SUCCESS");
    const neither = program.opened(DIR, "f", { rights: BigInt(RIGHT.FD_READ) });
    assert.equal(program.call("fd_tell", neither, RESULT), "ENOTCAPABLE");
    assert.equal(program.call("fd_seek", neither, 0n, 1, RESULT), "ENOTCAPABLE");
  });

  test("preopens have the numbers from 3 on, and their names", async (t) => {
    const { program } = await boxed(t, { preopens: { "/": "/box", "/über": "/out" } });
    const names = [3, 4].map((fd) => {
      assert.equal(program.call("fd_prestat_get", fd, RESULT), "SUCCESS");
      assert.equal(program.view.getUint8(RESULT), 0);
      const length = program.view.getUint32(RESULT + 4, true);
      assert.equal(program.call("fd_prestat_dir_name", fd, 2000, length - 1), "ENAMETOOLONG");
      assert.equal(program.call("fd_prestat_dir_name", fd, 2000, length + 5), "SUCCESS");
      return program.bytes(2000, length);
    });
    assert.deepEqual(names, ["/", "/über"]);
    for (const fd of [0, 1, 2, 5]) assert.equal(program.call("fd_prestat_get", fd, RESULT), "EBADF");
    assert.equal(program.call("fd_filestat_get", program.opened(4, "secret"), RESULT), "SUCCESS");
  });

  test("no descriptor is a socket, and a directory has no contents", async (t) => {
    const { program } = await boxed(t);
    const fd = program.opened(DIR, "f");
    for (const call of ["sock_accept", "sock_recv", "sock_send", "sock_shutdown"]) {
      assert.equal(program.call(call, fd, 0, 0), "ENOTSOCK");
      assert.equal(program.call(call, 50, 0, 0), "EBADF");
    }
    assert.equal(program.read(DIR, 1), "ENOTCAPABLE");
    assert.equal(program.call("fd_seek", DIR, 0n, 0, RESULT), "ENOTCAPABLE");
    assert.equal(program.call("fd_readdir", fd, 2000, 100, 0n, RESULT), "ENOTCAPABLE");
  });
});
