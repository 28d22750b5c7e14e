/** A worker that ends gives everything back without a word from the program; a thread has one attachment to a tree. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { check } from "../../../verify/dist/fsck/check-arena.js";
import { until } from "../../../verify/dist/support/hang.js";
import { MAX_THREADS } from "../../dist/abi/abi.js";
import { attachVfs, createVfs, type Vfs } from "../../dist/src/index.js";
import { codeOf } from "../support/errors.js";
import type { Ending, EndingWorkerData } from "./ending.worker.js";
import { FakeLocks } from "./fake-locks.js";

const WORKER = new URL("./ending.worker.js", import.meta.url);
const slots = ({ handle }: Vfs) => check(handle.memory).counts.threads;

/** The tree notices the end of a worker in the event loop: within this many turns, or never. */
const LOOKS_MAX = 3000;

/** Waits until no thread but this one has a slot. */
function alone(vfs: Vfs): Promise<void> {
  return until(() => slots(vfs) === 1, "the slot of a worker that has ended", LOOKS_MAX);
}

function start(vfs: Vfs, ending: Ending, attached: Int32Array): Worker {
  const workerData: EndingWorkerData = { handle: vfs.handle, ending, attached };
  const worker = new Worker(WORKER, { workerData, resourceLimits: { maxOldGenerationSizeMb: 32 } });
  worker.on("error", () => {});
  return worker;
}

/** Lets a worker run until it has attached, and then end. */
async function runToEnd(vfs: Vfs, ending: Ending): Promise<void> {
  const attached = new Int32Array(new SharedArrayBuffer(4));
  const worker = start(vfs, ending, attached);
  const exit = new Promise((resolve) => worker.once("exit", resolve));
  // A worker that ends at once may do so before its message arrives.
  await Promise.race([new Promise((resolve) => worker.once("message", resolve)), exit]);
  assert.equal(Atomics.load(attached, 0), 1);
  if (ending === "spin" || ending === "every slot" || ending === "child") await worker.terminate();
  await exit;
}

describe("a worker that ends", () => {
  const ENDINGS: Ending[] = [
    "return",
    "exit",
    "throw",
    "spin",
    "child",
    "out of memory",
    "exit in a hook",
    "exit in the clock",
  ];
  for (const ending of ENDINGS) {
    // Fails when the process is not watched for workers, or a slot does not name the threads above its own.
    test(`gives back its slot and its descriptors, and those of the workers it has made: ${ending}`, async () => {
      const vfs = await createVfs({ maxBytes: 32 << 20 });
      await runToEnd(vfs, "return");
      const { openFiles, chunksUsed } = vfs.counters();
      for (let n = 0; n < 3; n++) await runToEnd(vfs, ending);
      await alone(vfs);
      vfs.synchronizeRcu();
      vfs.shrink(1000);
      const after = vfs.counters();
      assert.equal(after.openFiles, openFiles);
      assert.ok(after.chunksUsed <= chunksUsed + 8, `${chunksUsed} chunks, then ${after.chunksUsed}`);
      assert.deepEqual(check(vfs.handle.memory, { live: [0] }).problems, []);
      vfs.close();
    });
  }

  // Fails when descriptors outlive their threads: their unlinked files keep their pages.
  test("more workers than there are slots, one after the other, leave no chunk behind", async () => {
    const vfs = await createVfs({ maxBytes: 128 << 20 });
    const warnings: string[] = [];
    const warn = ({ message }: Error) => warnings.push(message);
    process.on("warning", warn);
    // Each slot has its scratch area; but for a few all are taken by this thread.
    const free = 30;
    const others = Array.from({ length: MAX_THREADS - 1 }, () => attachVfs(vfs.handle, { share: false }));
    const taken = await Promise.all(others);
    for (const one of taken.splice(-free)) one.close();
    const { chunksUsed } = vfs.counters();
    for (let n = 0; n < free + 10; n += 6) {
      await Promise.all(Array.from({ length: 6 }, (_, k) => runToEnd(vfs, k % 2 === 0 ? "exit" : "spin")));
    }
    for (const one of taken) one.close();
    await alone(vfs);
    vfs.synchronizeRcu();
    assert.equal(vfs.counters().openFiles, 0);
    // Their files were of 2 chunks each.
    assert.ok(
      vfs.counters().chunksUsed < chunksUsed + free,
      `${vfs.counters().chunksUsed} chunks, ${chunksUsed} before`,
    );
    await sleep(1);
    process.off("warning", warn);
    assert.deepEqual(warnings, []);
    vfs.close();
  });

  test("keeps its descriptors in their context when it has not asked for their end", async () => {
    const vfs = await createVfs({ maxBytes: 16 << 20 });
    vfs.fs.writeFileSync("/f", "text");
    const own = await attachVfs(vfs.handle, { share: false });
    const closing = await attachVfs(vfs.handle, { share: false, closeOnExit: true });
    const [kept, closed] = [own.fs.openSync("/f"), closing.fs.openSync("/f")];
    own.close();
    closing.close();
    assert.equal(vfs.fs.readFileSync(kept, "utf8"), "text");
    assert.equal(
      codeOf(() => vfs.fs.fstatSync(closed)),
      "EBADF",
    );
    vfs.close();
  });
});

describe("the slot of a thread that has ended", () => {
  // Fails when an attach that finds no free slot gives up, although ended threads are known: no other thread recovers these.
  test("is taken over where all slots are those of threads that have ended", async () => {
    const vfs = await createVfs({ maxBytes: 64 << 20 });
    vfs.fs.mkdirSync("/d");
    vfs.close();
    await runToEnd(vfs, "every slot");
    const next = await attachVfs(vfs.handle);
    assert.equal(next.fs.existsSync("/d"), true);
    await alone(next);
    next.close();
  });

  test("is free for a thread that attaches while all others are taken", async () => {
    const vfs = await createVfs({ maxBytes: 64 << 20 });
    const others: Vfs[] = [];
    for (let n = 1; n < MAX_THREADS; n++) others.push(await attachVfs(vfs.handle, { share: false }));
    await assert.rejects(attachVfs(vfs.handle, { share: false }), (error: NodeJS.ErrnoException) => {
      assert.equal(error.code, "EUSERS");
      assert.match(error.message, /close\(\).*attachWorker\(\)/s);
      return true;
    });
    others.pop()?.close();
    (await attachVfs(vfs.handle, { share: false })).close();
    for (const other of others) other.close();
    vfs.close();
  });

  // Deno's workers: "exit" comes while the thread runs.
  test("is not recovered at the exit event where that is no proof, but when the Web Lock is free", async (t) => {
    const locks = new FakeLocks();
    locks.install(t);
    Object.defineProperty(process.versions, "deno", { value: "2.9.6", configurable: true });
    t.after(() => Reflect.deleteProperty(process.versions, "deno"));
    const vfs = await createVfs({ maxBytes: 16 << 20, locks: false });
    const worker: Worker = Object.create(Worker.prototype, { threadId: { value: 76 } });
    vfs.attachWorker(worker);
    const living = await attachVfs(vfs.handle, { share: false, thread: 77, locks: true });
    const silent = await attachVfs(vfs.handle, { share: false, thread: 77, locks: false });
    worker.emit("exit", 0);
    await sleep(300);
    assert.equal(slots(vfs), 3, "both may live");
    assert.equal(living.fs.existsSync("/"), true);
    for (const name of locks.names) locks.free(name);
    await until(() => slots(vfs) === 2);
    silent.close();
    vfs.close();
  });
});

describe("attaching twice in a thread", () => {
  test("is one attachment: one slot, and each user closes for itself", async () => {
    const vfs = await createVfs({ maxBytes: 16 << 20 });
    const context = vfs.context({ uid: 1000, gid: 1000 });
    const users = await Promise.all(Array.from({ length: 300 }, () => attachVfs(structuredClone(vfs.handle))));
    const agent = await attachVfs(context.handle);
    assert.equal(slots(vfs), 1);
    vfs.fs.mkdirSync("/d", 0o700);
    assert.equal(
      codeOf(() => agent.fs.readdirSync("/d")),
      "EACCES",
      "a context of its own",
    );
    vfs.close();
    vfs.close();
    assert.equal(
      codeOf(() => vfs.fs.existsSync("/d")),
      "ERR_THREADFS_CLOSED",
    );
    assert.equal(
      codeOf(() => vfs.counters()),
      "ERR_THREADFS_CLOSED",
    );
    assert.equal(
      codeOf(() => context.fs.existsSync("/d")),
      "ERR_THREADFS_CLOSED",
      "made by the one that is closed",
    );
    const [last, ...rest] = users;
    for (const one of rest) one.close();
    agent.close();
    assert.ok(last);
    assert.equal(last.fs.existsSync("/d"), true);
    assert.equal(slots(last), 1);
    const { handle } = last;
    last.close();
    assert.equal(check(handle.memory).counts.threads, 0);
  });

  test("with other options is refused, or makes another attachment if that is asked for", async () => {
    const vfs = await createVfs({ maxBytes: 16 << 20, lockTimeoutMs: 500 });
    (await attachVfs(vfs.handle, { lockTimeoutMs: 500 })).close();
    await assert.rejects(attachVfs(vfs.handle, { audit: () => {} }), { code: "ERR_THREADFS_ATTACHED" });
    const other = await attachVfs(vfs.handle, { audit: () => {}, share: false });
    assert.equal(slots(vfs), 2);
    other.close();
    vfs.close();
  });
});
