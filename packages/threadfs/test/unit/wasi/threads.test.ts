/** threadfs/wasi: threads of a program. packages/programs has a program in C that shares descriptors between its threads. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { boxed, DIR, FDFLAG, TestProgram } from "./program.js";

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, items: readonly number[][]): number[] => {
  const body = [items.length, ...items.flat()];
  // The length in two bytes.
  return [id, 0x80 | (body.length & 0x7f), body.length >> 7, ...body];
};
const I32 = 0x7f;
/** Pages of its memory. */
const [INITIAL, MAXIMUM] = [4, 64];

/** What a thread does, by its argument: nothing; it exits with 5; it traps; it closes the descriptor of that number. */
const NOTHING = 0;
const EXITS = 1;
const TRAPS = 2;

/** Adds one to the word at 0, and wakes who waits for it. */
const SAYS_SO = [...[0x41, 0, 0x41, 1, 0xfe, 0x1e, 2, 0, 0x1a], ...[0x41, 0, 0x41, 1, 0xfe, 0x00, 2, 0, 0x1a]];

/** The body of `wasi_thread_start`, without locals. */
const BODY = [
  0,
  // if (!argument) return
  ...[0x20, 1, 0x45, 0x04, 0x40, 0x0f, 0x0b],
  // if (argument == EXITS) proc_exit(5)
  ...[0x20, 1, 0x41, EXITS, 0x46, 0x04, 0x40, 0x41, 5, 0x10, 0, 0x0b],
  // if (argument == TRAPS) unreachable
  ...[0x20, 1, 0x41, TRAPS, 0x46, 0x04, 0x40, 0x00, 0x0b],
  // fd_close(argument)
  ...[0x20, 1, 0x10, 1, 0x1a],
  ...SAYS_SO,
  0x0b,
];

/** Addresses of what the thread below is told and what it tells: the flags to set, those that it has seen, the vector of what it writes. */
const AT = { FLAGS: 32, SEEN: 48, VECTOR: 16 };
/** Looks at the flags of the descriptor that is its argument, writes, and sets other flags. */
const FLAGS_BODY = [
  0,
  // fd_fdstat_get(argument, SEEN)
  ...[0x20, 1, 0x41, AT.SEEN, 0x10, 2, 0x1a],
  // fd_write(argument, VECTOR, 1, 8)
  ...[0x20, 1, 0x41, AT.VECTOR, 0x41, 1, 0x41, 8, 0x10, 3, 0x1a],
  // fd_fdstat_set_flags(argument, *FLAGS)
  ...[0x20, 1, 0x41, AT.FLAGS, 0x28, 2, 0, 0x10, 4, 0x1a],
  ...SAYS_SO,
  0x0b,
];

/** A program whose threads have this body. @param name of the export with which they start */
const moduleOf = (body: readonly number[], name = "wasi_thread_start"): WebAssembly.Module =>
  new WebAssembly.Module(
    new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, [
        [0x60, 1, I32, 0],
        [0x60, 1, I32, 1, I32],
        [0x60, 2, I32, I32, 0],
        [0x60, 2, I32, I32, 1, I32],
        [0x60, 4, I32, I32, I32, I32, 1, I32],
      ]),
      ...section(2, [
        [...text("env"), ...text("memory"), 2, 3, INITIAL, MAXIMUM],
        ...[
          ["proc_exit", 0] as const,
          ["fd_close", 1] as const,
          ["fd_fdstat_get", 3] as const,
          ["fd_write", 4] as const,
          ["fd_fdstat_set_flags", 3] as const,
        ].map(([name, type]) => [...text("wasi_snapshot_preview1"), ...text(name), 0, type]),
      ]),
      ...section(3, [[2]]),
      ...section(7, [[...text(name), 0, 2 + 3]]),
      ...section(10, [[body.length, ...body]]),
    ]),
  );

/** A program of which so many workers run threads. Each has said that it is about to wait. */
async function threaded(t: TestContext, count: number, body = BODY, name?: string) {
  const { vfs, program: first } = await boxed(t);
  const memory = new WebAssembly.Memory({ initial: INITIAL, maximum: MAXIMUM, shared: true });
  const program = new TestProgram(first.wasi, memory);
  const workerData = { handle: program.wasi.handle, module: moduleOf(body, name), memory };
  const url = new URL("./thread.worker.js", import.meta.url);
  const workers = Array.from({ length: count }, () => new Worker(url, { workerData }));
  const errors: Error[] = [];
  for (const worker of workers) worker.on("error", (error) => errors.push(error as Error));
  const ends = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
  t.after(() => Promise.all(workers.map((worker) => worker.terminate())));
  await Promise.all(workers.map((worker) => once(worker, "message")));
  const spawn = program.wasi.getImportObject().wasi?.["thread-spawn"] as unknown as (argument: number) => number;
  /** Starts a thread as soon as a worker waits. */
  const start = (argument: number): number => {
    for (;;) {
      const id = spawn(argument);
      if (id > 0) return id;
    }
  };
  /** What the program does in this thread, until it is ended. */
  const run = (main: () => void) =>
    program.wasi.start({
      exports: {
        memory,
        _start() {
          main();
          for (;;) program.call("sched_yield");
        },
      },
    });
  return { vfs, program, memory, spawn, start, run, errors, ends, workers };
}

test("without a worker that waits a thread is refused: EAGAIN", async (t) => {
  const { spawn } = await threaded(t, 0);
  assert.equal(spawn(NOTHING), -6);
});

// Taken out: the wait. The workers have begun to attach, and no thread can be started.
test("when the workers are ready, each is given a thread at once", async (t) => {
  const { program, spawn, run, ends } = await threaded(t, 3);
  await program.wasi.workersReady(3);
  assert.deepEqual(
    [1, 2, 3].map(() => spawn(NOTHING) > 0),
    [true, true, true],
  );
  for (const count of [-1, 1.5, 256, Number.NaN]) {
    await assert.rejects(program.wasi.workersReady(count), { code: "ERR_OUT_OF_RANGE" });
  }
  await assert.rejects(program.wasi.workersReady("3" as never), { code: "ERR_INVALID_ARG_TYPE" });
  const never = program.wasi.workersReady(4);
  run(() => program.calls.proc_exit?.(0));
  await never;
  await Promise.all(ends);
  const { vfs, program: closed } = await boxed(t);
  const left = closed.wasi.workersReady(1);
  vfs.close();
  await assert.rejects(left, { code: "ERR_THREADFS_CLOSED" });
});

// Fails when makeSpawn() does not ask whether the worker that waits has ended.
test("a worker that was terminated while it waited is given no thread", async (t) => {
  const { spawn, start, ends, workers } = await threaded(t, 2);
  assert.ok(start(NOTHING) > 0);
  // Both wait again, or are about to.
  await Promise.all(workers.map((worker) => worker.terminate()));
  await Promise.all(ends);
  assert.equal(spawn(NOTHING), -6);
});

test("numbers are given out without exchanges until another thread may have the table", async (t) => {
  const { program } = await boxed(t);
  const exchange = t.mock.method(Atomics, "compareExchange");
  const turn = () => program.call("fd_close", program.opened(DIR, "f"));
  assert.equal(turn(), "SUCCESS");
  assert.equal(exchange.mock.callCount(), 0);
  assert.ok(program.wasi.handle);
  assert.equal(turn(), "SUCCESS");
  assert.ok(exchange.mock.callCount() >= 2);
});

test("a worker runs one thread after the other, each with an id of its own, and their descriptors are the program's", async (t) => {
  const { vfs, program, memory, start, run, ends, errors } = await threaded(t, 2);
  const ids = new Set<number>();
  const closed = new Int32Array(memory.buffer, 0, 1);
  const code = run(() => {
    const open = vfs.counters().openFiles;
    const fds = Array.from({ length: 20 }, () => program.opened(DIR, "f"));
    for (const fd of fds) ids.add(start(fd));
    // The results of opens are elsewhere in the memory.
    for (let seen = 0; seen < fds.length; seen = Atomics.load(closed, 0)) Atomics.wait(closed, 0, seen, 1000);
    for (const fd of fds) assert.equal(program.read(fd, 1), "EBADF");
    assert.equal(vfs.counters().openFiles, open);
    assert.equal(ids.size, 20);
    program.calls.proc_exit?.(3);
  });
  assert.equal(code, 3);
  await Promise.all(ends);
  assert.deepEqual(errors, []);
});

// Fails when fd_fdstat_set_flags keeps the flags with the number in the thread's own memory, and fd_fdstat_get returns those.
test("a flag that one thread sets is seen by the others, in what they are told and in where they write", async (t) => {
  const { vfs, program, memory, start, run, ends, errors } = await threaded(t, 1, FLAGS_BODY);
  const done = new Int32Array(memory.buffer, 0, 1);
  let rounds = 0;
  /** What the thread sees of the flags before it writes "ab" and sets others. */
  const inThread = (fd: number, flags: number): number => {
    program.view.setUint32(AT.FLAGS, flags, true);
    const [at, length] = program.text("ab");
    program.view.setUint32(AT.VECTOR, at, true);
    program.view.setUint32(AT.VECTOR + 4, length, true);
    start(fd);
    while (Atomics.load(done, 0) === rounds) Atomics.wait(done, 0, rounds, 1000);
    rounds++;
    return program.view.getUint16(AT.SEEN + 2, true);
  };
  const flagsOf = (fd: number): number => {
    assert.equal(program.call("fd_fdstat_get", fd, TestProgram.RESULT), "SUCCESS");
    return program.view.getUint16(TestProgram.RESULT + 2, true);
  };
  const seek = (fd: number, at: bigint) =>
    assert.equal(program.call("fd_seek", fd, at, 0, TestProgram.RESULT), "SUCCESS");
  const code = run(() => {
    const fd = program.opened(DIR, "f");
    assert.equal(inThread(fd, FDFLAG.APPEND), 0);
    assert.equal(flagsOf(fd), FDFLAG.APPEND);
    assert.equal(program.write(fd, "cd"), 2);
    assert.equal(vfs.fs.readFileSync("/box/f", "utf8"), "ab23456789cd");
    seek(fd, 0n);
    assert.equal(inThread(fd, 0), FDFLAG.APPEND);
    assert.equal(flagsOf(fd), 0);
    seek(fd, 4n);
    assert.equal(program.write(fd, "ef"), 2);
    assert.equal(vfs.fs.readFileSync("/box/f", "utf8"), "ab23ef6789cdab");
    program.calls.proc_exit?.(3);
  });
  assert.equal(code, 3);
  await Promise.all(ends);
  assert.deepEqual(errors, []);
});

describe("the end of one thread is that of the program", () => {
  test("its exit: the code is the program's, and workers that wait return", async (t) => {
    const { vfs, program, start, run, ends, errors } = await threaded(t, 2);
    assert.equal(
      run(() => start(EXITS)),
      5,
    );
    assert.equal(await program.wasi.ended(), 5);
    await Promise.all(ends);
    assert.deepEqual(errors, []);
    assert.equal(vfs.counters().openFiles, 0);
  });

  // Before, the program went on, and waited for a thread that there was not.
  test("what cannot start: the worker's error says so", async (t) => {
    const { program, start, run, errors, ends } = await threaded(t, 1, BODY, "wasi_other_start");
    assert.equal(
      run(() => start(NOTHING)),
      134,
    );
    assert.equal(await program.wasi.ended(), 134);
    await Promise.all(ends);
    assert.match(String(errors[0]), /wasi_thread_start/);
  });

  test("its trap: the worker's error says so", async (t) => {
    const { program, start, run, ends, errors } = await threaded(t, 2);
    assert.equal(
      run(() => start(TRAPS)),
      134,
    );
    assert.equal(await program.wasi.ended(), 134);
    await Promise.all(ends);
    assert.equal(errors.length, 1);
    assert.match(String(errors[0]), /unreachable/);
  });
});
