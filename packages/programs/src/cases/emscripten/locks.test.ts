/** fcntl() and flock() of programs: what is asked of the tree, and what is not. Two programs of one thread have a mount, and so a context, each. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createVfs } from "threadfs";
import { type FileLocks, fileLocks, lockImports } from "threadfs/emscripten";
import { mountTree, type ProgramFs, start } from "./program.js";

const FCNTL = "__syscall_fcntl64";
const GETLK = 12;
const SETLK = 13;
const SETLKW = 14;
const OFD_GETLK = 36;
const OFD_SETLK = 37;
const [RDLCK, WRLCK, UNLCK] = [0, 1, 2];
const [SH, EX, NB, UN] = [1, 2, 4, 8];
const EAGAIN = -6;
const EBADF = -8;
const EFAULT = -21;
const EINVAL = -28;
const ETIMEDOUT = -73;
/** Where a struct flock is, and the address of it. */
const FLOCK = 64;
const VARARGS = 32;

/** A program's FS with its locks, and memory in which it describes them. */
class Locker {
  readonly FS: ProgramFs;
  readonly locks: FileLocks;
  readonly #memory = new DataView(new ArrayBuffer(128));

  constructor(FS: ProgramFs) {
    this.FS = FS;
    this.locks = fileLocks({ FS, memory: () => this.#memory.buffer });
  }

  fcntl(fd: number, cmd: number, type: number, start = 0, length = 0, whence = 0): number | undefined {
    this.#memory.setUint32(VARARGS, FLOCK, true);
    this.#memory.setInt16(FLOCK, type, true);
    this.#memory.setInt16(FLOCK + 2, whence, true);
    this.#memory.setBigInt64(FLOCK + 8, BigInt(start), true);
    this.#memory.setBigInt64(FLOCK + 16, BigInt(length), true);
    return this.locks.fcntl64(fd, cmd, VARARGS);
  }

  /** What F_GETLK has left there. */
  get found(): { type: number; whence: number; start: number; length: number; hasOwner: boolean } {
    const memory = this.#memory;
    return {
      type: memory.getInt16(FLOCK, true),
      whence: memory.getInt16(FLOCK + 2, true),
      start: Number(memory.getBigInt64(FLOCK + 8, true)),
      length: Number(memory.getBigInt64(FLOCK + 16, true)),
      hasOwner: memory.getInt32(FLOCK + 24, true) !== 0,
    };
  }
}

// Before, the lock stayed until the last duplicate was closed.
test("a lock of fcntl() ends when a duplicate of its descriptor is closed, as in Linux; one of flock() with the last", async (t) => {
  const [one, two] = await lockers(t);
  const [a, b] = [one.FS.open("/mnt/file", "r+"), two.FS.open("/mnt/file", "r+")];
  const copy = Object.assign(Object.create(Object.getPrototypeOf(a)), a) as typeof a;
  copy.fd = one.FS.streams.length;
  one.FS.streams[copy.fd] = copy;
  assert.equal(one.fcntl(a.fd, SETLK, WRLCK), 0);
  assert.equal(one.locks.flock(a.fd, EX), 0);
  one.FS.close(copy);
  assert.equal(two.fcntl(b.fd, SETLK, WRLCK), 0);
  assert.equal(two.locks.flock(b.fd, EX | NB), EAGAIN);
  one.FS.close(a);
  assert.equal(two.locks.flock(b.fd, EX | NB), 0);
});

// Before, such an address was EFAULT: for JavaScript it is negative.
test("a program with more than 2 GiB of memory may describe a lock in its upper half", async (t) => {
  const [one, two] = await lockers(t);
  const [a, b] = [one.FS.open("/mnt/file", "r+"), two.FS.open("/mnt/file", "r+")];
  const at = 2 ** 31 + 64;
  const buffer = new ArrayBuffer(at + 64);
  const memory = new DataView(buffer);
  memory.setUint32(at, at + 16, true);
  memory.setInt16(at + 16, WRLCK, true);
  const { fcntl64 } = fileLocks({ FS: one.FS, memory: () => buffer });
  assert.equal(fcntl64(a.fd, SETLK, at | 0), 0);
  assert.equal(two.fcntl(b.fd, SETLK, RDLCK), EAGAIN);
  assert.equal(fcntl64(a.fd, SETLK, (at + 64) | 0), EFAULT);
});

async function lockers(t: TestContext): Promise<[Locker, Locker]> {
  const vfs = await createVfs({ maxBytes: 1 << 24, lockTimeoutMs: 20 });
  t.after(() => vfs.close());
  vfs.fs.writeFileSync("/file", "0123456789");
  const programs = [await start("sql-wasm-debug"), await start("sql-wasm")] as const;
  return [new Locker(mountTree(programs[0], vfs)), new Locker(mountTree(programs[1], vfs))];
}

test("locks of ranges are the tree's: of the mount's context, or of the open file", async (t) => {
  const [one, two] = await lockers(t);
  const [a, b] = [one.FS.open("/mnt/file", "r+"), two.FS.open("/mnt/file", "r+")];
  assert.equal(one.fcntl(a.fd, SETLK, WRLCK, 2, 3), 0);
  assert.equal(two.fcntl(b.fd, SETLK, RDLCK, 4, 1), EAGAIN);
  assert.equal(two.fcntl(b.fd, SETLK, RDLCK, 5, 1), 0);
  assert.equal(two.fcntl(b.fd, GETLK, WRLCK, 0, 0), 0);
  assert.deepEqual(two.found, { type: WRLCK, whence: 0, start: 2, length: 3, hasOwner: true });
  assert.equal(two.fcntl(b.fd, GETLK, WRLCK, 7, 1), 0);
  assert.equal(two.found.type, UNLCK);
  // SEEK_CUR is from the program's position, SEEK_END from the end of the file.
  two.FS.llseek(b, 3, 0);
  assert.equal(two.fcntl(b.fd, SETLK, WRLCK, 1, 1, 1), EAGAIN);
  assert.equal(two.fcntl(b.fd, SETLK, WRLCK, -6, 1, 2), EAGAIN);
  assert.equal(two.fcntl(b.fd, SETLK, WRLCK, -1, 1, 2), 0);
  assert.equal(one.fcntl(a.fd, SETLK, RDLCK, 9, 1), EAGAIN);
  // What is waited for and does not come; and what never would.
  assert.equal(two.fcntl(b.fd, SETLKW, WRLCK, 2, 3), ETIMEDOUT);
  assert.equal(two.fcntl(b.fd, SETLKW, 9), EINVAL);
  // With one of its descriptors a context gives up all its locks on a file.
  one.FS.close(one.FS.open("/mnt/file", "r"));
  assert.equal(two.fcntl(b.fd, SETLKW, WRLCK, 2, 3), 0);
  // An open file has its own, in one context too.
  const c = one.FS.open("/mnt/file", "r+");
  assert.equal(one.fcntl(a.fd, OFD_SETLK, WRLCK, 100, 1), 0);
  assert.equal(one.fcntl(c.fd, OFD_SETLK, WRLCK, 100, 1), EAGAIN);
  assert.equal(one.fcntl(c.fd, OFD_GETLK, WRLCK, 100, 1), 0);
  assert.equal(one.found.type, WRLCK);
});

test("flock() is the open file's, and ends with it", async (t) => {
  const [one, two] = await lockers(t);
  const [a, b] = [one.FS.open("/mnt/file", "r"), two.FS.open("/mnt/file", "r")];
  assert.equal(one.locks.flock(a.fd, SH), 0);
  assert.equal(two.locks.flock(b.fd, SH | NB), 0);
  assert.equal(two.locks.flock(b.fd, EX | NB), EAGAIN);
  assert.equal(one.locks.flock(a.fd, UN), 0);
  assert.equal(two.locks.flock(b.fd, EX | NB), 0);
  assert.equal(one.locks.flock(a.fd, SH), ETIMEDOUT);
  two.FS.close(b);
  assert.equal(one.locks.flock(a.fd, EX), 0);
  assert.equal(one.locks.flock(a.fd, 3), EINVAL);
});

test("what is not the tree's is left to the build; bad addresses and descriptors are errors", async (t) => {
  const [one] = await lockers(t);
  const file = one.FS.open("/mnt/file", "r+");
  const memory = one.FS.open("/in memory", "w+");
  assert.equal(one.fcntl(memory.fd, SETLK, WRLCK), undefined);
  assert.equal(one.locks.flock(memory.fd, EX), undefined);
  assert.equal(one.fcntl(file.fd, 3, 0), undefined); // F_GETFL
  assert.equal(one.fcntl(99, SETLK, WRLCK), undefined);
  assert.equal(one.fcntl(-1, SETLK, WRLCK), undefined);
  for (const address of [-4, 127, 2 ** 31]) assert.equal(one.locks.fcntl64(file.fd, SETLK, address), EFAULT);
  // The address of the struct flock is 0xffffffff.
  const wild = new Uint8Array(64).fill(0xff).buffer;
  assert.equal(fileLocks({ FS: one.FS, memory: () => wild }).fcntl64(file.fd, SETLK, 0), EFAULT);
  const read = one.FS.open("/mnt/file", "r");
  assert.equal(one.fcntl(read.fd, SETLK, WRLCK), EBADF);
  one.FS.close(file);
  assert.equal(one.fcntl(file.fd, SETLK, WRLCK), undefined);
});

test("imports are replaced under each name that they have had; a program without them is refused", async (t) => {
  const [{ FS }] = await lockers(t);
  const file = FS.open("/mnt/file", "r+");
  for (const name of [FCNTL, "__sys_fcntl64", "__syscall221"]) {
    const env = { [name]: (...args: number[]) => args.length, memory: { buffer: new ArrayBuffer(64) } } as Record<
      string,
      unknown
    >;
    assert.equal(lockImports({ env, same: env }, { FS: () => FS }).env, env);
    const replaced = env[name] as (...args: number[]) => unknown;
    // An unlock of the whole file: type 2 in the struct flock at address 0, whose address is in the word at 32.
    new DataView((env.memory as { buffer: ArrayBuffer }).buffer).setInt16(0, UNLCK, true);
    assert.deepEqual([replaced(file.fd, SETLK, 32), replaced(file.fd, 3, 0), replaced(0, SETLK, 32)], [0, 3, 3]);
  }
  const env = { __syscall_flock: () => "its own" } as Record<string, unknown>;
  lockImports({ env }, { FS: () => FS, memory: () => new ArrayBuffer(0) });
  const replaced = env.__syscall_flock as (...args: number[]) => unknown;
  assert.deepEqual([replaced(file.fd, EX), replaced(0, EX)], [0, "its own"]);
  // A program with dynamic libraries has modules that make what they are asked for.
  const made = new Proxy({}, { get: (_target, name) => assert.fail(`asked for ${String(name)}`) });
  lockImports({ env: { [FCNTL]: () => 0 }, "GOT.mem": made }, { FS: () => FS, memory: () => new ArrayBuffer(0) });
  assert.throws(() => lockImports({ a: { b: () => 0 } }, { FS: () => FS }), { code: "ERR_THREADFS_LOCKS" });
  assert.throws(() => lockImports({}, { FS } as never), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => fileLocks({ FS, memory: new ArrayBuffer(8) } as never), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => fileLocks({ FS: {}, memory: () => new ArrayBuffer(8) }), { code: "ERR_INVALID_ARG_VALUE" });
});
