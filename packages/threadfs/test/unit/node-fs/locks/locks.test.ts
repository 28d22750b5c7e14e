/**
 * flock(2) and fcntl(2) locks as a program has them: who waits is woken, nothing is left when an owner ends, and a wait ends. What is
 * granted and refused is held to the kernel in packages/verify/test/locks/.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { G_BLOCKED_COUNT, G_BLOCKED_HEAD, LOCK_WAITS, NR_LOCK_WAITS } from "../../../../../verify/dist/arena/layout.js";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { settled, until } from "../../../../../verify/dist/support/hang.js";
import { BLOCKED_LOCKS_MAX, FILE_LOCKS_MAX, O_PATH } from "../../../../dist/abi/abi.js";
import {
  attachVfs,
  type Context,
  createVfs,
  type HostOptions,
  type RangeLock,
  type Vfs,
} from "../../../../dist/src/index.js";
import { codeOf, refused } from "../../../support/errors.js";

const WORKER = new URL("./locks.worker.js", import.meta.url);

/** A tree with a file; its arena is whole in the end. */
async function tree(t: TestContext, options: HostOptions & { maxBytes?: number } = {}): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 8 << 20, ...options });
  t.after(() => {
    assert.deepEqual(check(vfs.handle.memory).problems, []);
    vfs.close();
  });
  vfs.fs.writeFileSync("/f", "0".padEnd(16));
  return vfs;
}

const open = ({ fs }: Vfs | Context, path = "/f"): number => fs.openSync(path, "r+");
const range = (type: RangeLock["type"], start = 0, length = 0, ofd = false): RangeLock => ({
  type,
  start,
  length,
  ofd,
});
/** How often requests of the tree were woken. */
function wakes(vfs: Vfs): number {
  return new Int32Array(vfs.handle.memory.buffer, LOCK_WAITS, NR_LOCK_WAITS).reduce((all, word) => all + word, 0);
}
/** How many requests wait in the tree. */
const waiting = (vfs: Vfs): number => new Uint32Array(vfs.handle.memory.buffer)[G_BLOCKED_COUNT >>> 2] ?? 0;
const rejects = (code: string, promise: Promise<unknown>) => assert.rejects(settled(promise, code), { code });
const NOW = { nonblocking: true } as const;

describe("flock", () => {
  test("belongs to the open file: two descriptors of one context exclude each other", async (t) => {
    const vfs = await tree(t);
    const [a, b] = [open(vfs), open(vfs)];
    vfs.flockSync(a, "sh");
    vfs.flockSync(b, "sh");
    refused("EAGAIN", () => vfs.flockSync(a, "ex", NOW));
    // As in Linux the lock that was to be exchanged is lost.
    vfs.flockSync(b, "ex", NOW);
    refused("EAGAIN", () => vfs.flockSync(a, "sh", NOW));
    vfs.flockSync(b, "un");
    vfs.flockSync(a, "ex", NOW);
    refused("EBADF", () => vfs.flockSync(99, "ex"));
  });

  test("ends with the last descriptor, and wakes a promise that waits for it", async (t) => {
    const vfs = await tree(t);
    const [a, b] = [open(vfs), open(vfs)];
    vfs.flockSync(a, "ex");
    const granted = vfs.flock(b, "sh");
    assert.equal(waiting(vfs), 1);
    vfs.fs.closeSync(a);
    await settled(granted, "the lock");
    assert.equal(waiting(vfs), 0);
    refused("EAGAIN", () => vfs.flockSync(open(vfs), "ex", NOW));
  });

  test("a lock that becomes a shared one lets others in", async (t) => {
    const vfs = await tree(t);
    const [a, b] = [open(vfs), open(vfs)];
    vfs.flockSync(a, "ex");
    const granted = vfs.flock(b, "sh");
    const before = wakes(vfs);
    vfs.flockSync(a, "sh");
    assert.equal(wakes(vfs), before + 1);
    await settled(granted, "the lock");
  });

  test("a directory can be locked, and a file that was opened for reading", async (t) => {
    const vfs = await tree(t);
    for (const path of ["/", "/f"]) vfs.flockSync(vfs.fs.openSync(path, "r"), "ex", NOW);
    const path = vfs.fs.openSync("/f", O_PATH);
    refused("EBADF", () => vfs.flockSync(path, "sh"));
    vfs.fs.closeSync(path);
  });
});

describe("locks on ranges", () => {
  test("belong to the context: the close of any descriptor of the file ends them, and wakes", async (t) => {
    const vfs = await tree(t);
    const other = vfs.context();
    const [a, theirs] = [open(vfs), open(other)];
    vfs.fcntlLockSync(a, range("wr", 0, 10));
    vfs.fcntlLockSync(open(vfs), range("rd", 5, 10));
    assert.deepEqual(other.getLockSync(theirs, range("wr")), { type: "wr", start: 0, length: 5, owner: 0 });
    assert.deepEqual(await other.getLock(theirs, range("rd")), { type: "wr", start: 0, length: 5, owner: 0 });
    assert.equal(await other.getLock(theirs, range("rd", 5)), undefined);
    const granted = other.fcntlLock(theirs, range("wr", 0, 5));
    vfs.fs.closeSync(vfs.fs.openSync("/f", "r"));
    await settled(granted, "the lock");
    assert.equal(vfs.getLockSync(a, range("wr"))?.owner, other.handle.ctx);
    other.close();
    assert.equal(vfs.getLockSync(a, range("wr")), undefined);
  });

  test("of an open file stay until that is closed", async (t) => {
    const vfs = await tree(t);
    const [a, b] = [open(vfs), open(vfs)];
    vfs.fcntlLockSync(a, range("wr", 3, 4, true));
    refused("EAGAIN", () => vfs.fcntlLockSync(b, range("rd", 0, 0, true), NOW));
    refused("EAGAIN", () => vfs.fcntlLockSync(a, range("rd"), NOW));
    assert.deepEqual(vfs.getLockSync(b, range("rd")), { type: "wr", start: 3, length: 4, owner: -1 });
    vfs.fs.closeSync(open(vfs));
    refused("EAGAIN", () => vfs.fcntlLockSync(b, range("rd"), NOW));
    vfs.fs.closeSync(a);
    vfs.fcntlLockSync(b, range("rd"), NOW);
  });

  test("need a descriptor that may read or write, a range that begins in the file, and fewer than 2^53 bytes", async (t) => {
    const vfs = await tree(t);
    const [read, write] = [vfs.fs.openSync("/f", "r"), vfs.fs.openSync("/f", "a")];
    refused("EBADF", () => vfs.fcntlLockSync(read, range("wr")));
    refused("EBADF", () => vfs.fcntlLockSync(write, range("rd")));
    refused("EINVAL", () => vfs.fcntlLockSync(read, range("rd", -1, 1)));
    refused("EINVAL", () => vfs.fcntlLockSync(read, range("rd", 2, -3)));
    refused("EINVAL", () => vfs.getLockSync(read, range("un")));
    vfs.fcntlLockSync(read, range("rd", Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));
    refused("ERR_OUT_OF_RANGE", () => vfs.fcntlLockSync(read, range("rd", 2 ** 53, 1)));
  });

  test("two contexts that wait for each other: the second is refused (EDEADLK), and the first goes on when it unlocks", async (t) => {
    const vfs = await tree(t);
    const other = vfs.context();
    const [a, b] = [open(vfs), open(other)];
    vfs.fcntlLockSync(a, range("wr", 0, 1));
    other.fcntlLockSync(b, range("wr", 1, 1));
    const granted = vfs.fcntlLock(a, range("wr", 1, 1));
    refused("EDEADLK", () => other.fcntlLockSync(b, range("wr", 0, 1)));
    await rejects("EDEADLK", other.fcntlLock(b, range("rd", 0, 1)));
    other.fcntlLockSync(b, range("un"));
    await settled(granted, "the lock");
  });

  test("a circle of three is found; one of open files is not, and ends by its time", async (t) => {
    const vfs = await tree(t);
    const contexts = [vfs, vfs.context(), vfs.context()];
    const all = contexts.map((context, n) => {
      const fd = open(context);
      context.fcntlLockSync(fd, range("wr", n, 1));
      return { context, fd };
    });
    const [first, second, third] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
    const waits = [
      first.context.fcntlLock(first.fd, range("wr", 1, 1)),
      second.context.fcntlLock(second.fd, range("wr", 2, 1)),
    ];
    refused("EDEADLK", () => third.context.fcntlLockSync(third.fd, range("wr", 0, 1)));
    third.context.fs.closeSync(third.fd);
    second.context.fcntlLockSync(second.fd, range("un", 1, 1));
    await settled(Promise.all(waits), "the locks");
    const [a, b] = [open(vfs), open(vfs)];
    vfs.fcntlLockSync(a, range("wr", 10, 1, true));
    vfs.fcntlLockSync(b, range("wr", 11, 1, true));
    const never = rejects("ERR_THREADFS_TIMEOUT", vfs.fcntlLock(a, range("wr", 11, 1, true), { timeoutMs: 30 }));
    refused("ERR_THREADFS_TIMEOUT", () => vfs.fcntlLockSync(b, range("wr", 10, 1, true), { timeoutMs: 10 }));
    await never;
  });
});

describe("a wait", () => {
  test("ends with an AbortSignal, its time, the close of the tree in this thread, or of the context", async (t) => {
    const vfs = await tree(t, { lockTimeoutMs: 20 });
    const other = vfs.context();
    const third = await attachVfs(other.handle, { share: false, lockTimeoutMs: 60_000 });
    const fd = open(vfs);
    vfs.flockSync(fd, "ex");
    const controller = new AbortController();
    const aborted = rejects("ABORT_ERR", vfs.flock(open(vfs), "ex", { signal: controller.signal, timeoutMs: 60_000 }));
    assert.equal(waiting(vfs), 1);
    controller.abort();
    await aborted;
    assert.equal(waiting(vfs), 0);
    await rejects("ABORT_ERR", vfs.flock(open(vfs), "ex", { signal: AbortSignal.abort() }));
    await rejects("ERR_THREADFS_TIMEOUT", vfs.flock(open(vfs), "sh"));
    refused("ERR_THREADFS_TIMEOUT", () => vfs.flockSync(open(vfs), "sh"));
    const closed = rejects("ERR_THREADFS_CLOSED", other.flock(open(other), "ex", { timeoutMs: 60_000 }));
    const ended = assert.rejects(settled(third.flock(open(third), "ex"), "the end"), { code: "EBADF" });
    assert.equal(waiting(vfs), 2);
    other.close();
    await Promise.all([closed, ended]);
    assert.equal(waiting(vfs), 0);
    third.close();
  });

  test("of a thread that may not sleep ends too, and leaves nothing", async (t) => {
    t.mock.method(Atomics, "wait", () => {
      throw new TypeError("Atomics.wait cannot be called in this context");
    });
    const vfs = await tree(t, { lockTimeoutMs: 20 });
    const [a, b] = [open(vfs), open(vfs)];
    vfs.flockSync(a, "ex");
    refused("ERR_THREADFS_TIMEOUT", () => vfs.flockSync(b, "ex"));
    assert.equal(waiting(vfs), 0);
    vfs.flockSync(a, "un");
    vfs.flockSync(b, "ex");
  });

  /** Without the change of the word a sleeper would look again only after a second, and without the notification not before its time is over. */
  test("is woken by the release: the word that it waits on has changed", async (t) => {
    const vfs = await tree(t);
    const [a, b] = [open(vfs), open(vfs)];
    vfs.flockSync(a, "ex");
    const before = wakes(vfs);
    vfs.flockSync(a, "un");
    assert.equal(wakes(vfs), before, "nobody waits");
    vfs.flockSync(a, "ex");
    const granted = vfs.flock(b, "ex");
    vfs.flockSync(a, "un");
    assert.equal(wakes(vfs), before + 1);
    await settled(granted, "the lock");
  });

  test("a request belongs to its thread", async (t) => {
    const vfs = await tree(t);
    const second = await attachVfs(vfs.handle, { share: false });
    vfs.flockSync(open(vfs), "ex");
    const rejected = rejects("ABORT_ERR", vfs.flock(open(vfs), "ex", { signal: AbortSignal.timeout(50) }));
    const request = new Uint32Array(vfs.handle.memory.buffer)[G_BLOCKED_HEAD >>> 2] ?? 0;
    const { core } = (second as unknown as { context(): Context }).context().calls;
    assert.equal(core.lockCancel(request), -22);
    assert.equal(core.lockRetry(0, request), -22);
    assert.equal(core.lockRetry(0, Number.NaN), -22);
    await rejected;
    second.close();
  });
});

describe("limits", () => {
  test(`a file has ${FILE_LOCKS_MAX} locks (ENOLCK); to unlock all of it is possible then`, async (t) => {
    const vfs = await tree(t);
    const fd = open(vfs);
    for (let n = 0; n < FILE_LOCKS_MAX; n++) vfs.fcntlLockSync(fd, range("rd", n * 2, 1));
    refused("ENOLCK", () => vfs.fcntlLockSync(fd, range("rd", FILE_LOCKS_MAX * 2, 1)));
    refused("ENOLCK", () => vfs.flockSync(open(vfs), "sh"));
    vfs.fcntlLockSync(fd, range("un"));
    vfs.flockSync(fd, "sh");
  });

  test(`${BLOCKED_LOCKS_MAX} requests wait at a time (ENOLCK)`, async (t) => {
    const vfs = await tree(t);
    const [a, b] = [open(vfs), open(vfs)];
    vfs.flockSync(a, "ex");
    const controllers = Array.from({ length: BLOCKED_LOCKS_MAX }, () => new AbortController());
    const all = controllers.map(({ signal }) => rejects("ABORT_ERR", vfs.flock(b, "ex", { signal })));
    await rejects("ENOLCK", vfs.flock(b, "ex"));
    refused("ENOLCK", () => vfs.flockSync(b, "ex"));
    for (const controller of controllers) controller.abort();
    await settled(Promise.all(all), "the requests");
    assert.equal(waiting(vfs), 0);
  });

  test("where the memory is full a lock is refused (ENOLCK), an unlock is not", async (t) => {
    const vfs = await tree(t, { maxBytes: 2 << 20 });
    const fd = open(vfs);
    vfs.fcntlLockSync(fd, range("wr", 0, 100));
    const fill = open(vfs, "/f");
    const write = () => vfs.fs.writeSync(fill, "x".repeat(60_000));
    while (codeOf(write) === undefined);
    let locks = 0;
    let code: string | undefined;
    while (code === undefined) code = codeOf(() => vfs.fcntlLockSync(fd, range("rd", 200 + 2 * locks++, 1)));
    assert.equal(code, "ENOLCK");
    refused("ENOLCK", () => vfs.fcntlLockSync(fd, range("un", 50, 1)));
    vfs.fcntlLockSync(fd, range("un"));
    assert.equal(vfs.getLockSync(fd, range("wr", 0, 0, true)), undefined);
  });
});

describe("arguments", () => {
  test("are checked", async (t) => {
    const vfs = await tree(t);
    const fd = open(vfs);
    const bad: [code: string, run: () => unknown][] = [
      ["ERR_INVALID_ARG_TYPE", () => vfs.flockSync("x" as never, "ex")],
      ["ERR_OUT_OF_RANGE", () => vfs.flockSync(-1, "ex")],
      ["ERR_INVALID_ARG_VALUE", () => vfs.flockSync(fd, "exclusive" as never)],
      ["ERR_INVALID_ARG_TYPE", () => vfs.flockSync(fd, 2 as never)],
      ["ERR_INVALID_ARG_VALUE", () => vfs.flockSync(fd, "ex", { nonBlocking: true } as never)],
      ["ERR_INVALID_ARG_VALUE", () => vfs.flockSync(fd, "ex", { signal: AbortSignal.abort() } as never)],
      ["ERR_OUT_OF_RANGE", () => vfs.flockSync(fd, "ex", { timeoutMs: 0 })],
      ["ERR_INVALID_ARG_TYPE", () => vfs.fcntlLockSync(fd, undefined as never)],
      ["ERR_INVALID_ARG_TYPE", () => vfs.fcntlLockSync(fd, {} as never)],
      ["ERR_INVALID_ARG_VALUE", () => vfs.fcntlLockSync(fd, { type: "ex" } as never)],
      ["ERR_INVALID_ARG_VALUE", () => vfs.fcntlLockSync(fd, { type: "rd", len: 3 } as never)],
      ["ERR_OUT_OF_RANGE", () => vfs.fcntlLockSync(fd, { type: "rd", start: 0.5 })],
      ["ERR_INVALID_ARG_VALUE", () => vfs.fcntlLockSync(fd, { type: "rd", whence: "start" } as never)],
      ["ERR_INVALID_ARG_TYPE", () => vfs.fcntlLockSync(fd, { type: "rd", ofd: 1 } as never)],
    ];
    for (const [n, [code, run]] of bad.entries()) refused(code, run, `${n}`);
    await rejects("ERR_INVALID_ARG_TYPE", vfs.flock(fd, "ex", { signal: {} as never }));
    await rejects("ERR_INVALID_ARG_VALUE", vfs.fcntlLock(fd, { type: "x" } as never));
    await rejects("ERR_INVALID_ARG_VALUE", vfs.getLock(fd, { type: "x" } as never));
    await rejects("EBADF", vfs.getLock(99, { type: "rd" }));
  });
});

/** Runs a worker until it has said so, or has ended. */
function inWorker(vfs: Vfs, work: string): { worker: Worker; said: Promise<unknown>; ended: Promise<unknown> } {
  const worker = new Worker(WORKER, { workerData: { handle: vfs.handle, work } });
  const said = new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  return { worker, said, ended };
}

describe("threads", () => {
  for (const [work, handles] of [
    ["flock", (vfs: Vfs) => [vfs, vfs, vfs]],
    ["ofd", (vfs: Vfs) => [vfs, vfs, vfs]],
    // Threads of one context share its locks on ranges.
    ["range", (vfs: Vfs) => [vfs, vfs.context(), vfs.context()]],
  ] as const) {
    test(`count under a lock without losing a turn: ${work}`, async (t) => {
      const vfs = await tree(t, { lockTimeoutMs: 600_000 });
      const workers = handles(vfs).map(({ handle }) => new Worker(WORKER, { workerData: { handle, work } }));
      const codes = workers.map(
        (worker) => new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject)),
      );
      assert.deepEqual(await settled(Promise.all(codes), "the threads"), [0, 0, 0]);
      assert.equal(vfs.fs.readFileSync("/f", "utf8").trim(), "600");
    });
  }

  test("a thread that dies leaves no lock, and those who wait have it", async (t) => {
    const vfs = await tree(t, { lockTimeoutMs: 600_000 });
    const other = vfs.context();
    const { worker, said } = inWorker(vfs, "stay");
    await settled(said, "the worker");
    const [a, b] = [open(vfs), open(other)];
    refused("EAGAIN", () => vfs.flockSync(a, "ex", NOW));
    const granted = [
      vfs.flock(a, "ex"),
      vfs.fcntlLock(a, range("wr", 0, 10, true)),
      other.fcntlLock(b, range("wr", 20, 10)),
    ];
    assert.equal(waiting(vfs), 3);
    await worker.terminate();
    await settled(Promise.all(granted), "the locks");
  });

  test("a thread that dies while it waits leaves no request", async (t) => {
    const vfs = await tree(t);
    vfs.flockSync(open(vfs), "ex");
    const { worker, said } = inWorker(vfs, "wait");
    await settled(said, "the worker");
    await until(() => waiting(vfs) === 1, "the request");
    await worker.terminate();
    await until(() => waiting(vfs) === 0, "the end of the request");
  });

  test("a thread that sleeps is woken", async (t) => {
    const vfs = await tree(t);
    const fd = open(vfs);
    vfs.flockSync(fd, "ex");
    const { worker, said } = inWorker(vfs, "wait");
    await settled(said, "the worker");
    await until(() => waiting(vfs) === 1, "the request");
    const hasIt = new Promise((resolve) => worker.once("message", resolve));
    vfs.flockSync(fd, "un");
    assert.equal(await settled(hasIt, "the lock"), "has it");
    await worker.terminate();
  });
});
