/** Pipes between real threads, by synchronous calls that wait. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { HANG_MS, until } from "../../../../verify/dist/support/hang.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import type { TestScope } from "../../support/hooked-vfs.js";
import type { PipesWorkerData } from "./pipes.worker.js";

const SCRIPT = new URL("./pipes.worker.js", import.meta.url);

async function tree(t: TestScope): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 32 << 20, lockTimeoutMs: HANG_MS });
  t.after(() => {
    assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, []);
    vfs.close();
  });
  for (const name of ["/a", "/b"]) vfs.linux.mkfifoSync(name);
  return vfs;
}

type Given = Pick<PipesWorkerData, "role"> & Partial<PipesWorkerData>;

function start(t: TestScope, { handle }: Vfs, given: Given): { worker: Worker; result: Promise<number> } {
  const workerData: PipesWorkerData = { handle, from: "/a", to: "/b", id: 0, rounds: 1, ...given };
  const worker = new Worker(SCRIPT, { workerData });
  t.after(() => worker.terminate());
  const ended = once(worker, "exit");
  const result = once(worker, "message").then(async ([value]) => {
    if (given.role !== "hold") await ended;
    return value as number;
  });
  return { worker, result };
}

test("two threads send a number to and fro", async (t) => {
  const vfs = await tree(t);
  const rounds = 3000;
  const ping = start(t, vfs, { role: "ping", from: "/b", to: "/a", rounds });
  const pong = start(t, vfs, { role: "pong", from: "/a", to: "/b" });
  assert.deepEqual(await Promise.all([ping.result, pong.result]), [rounds, rounds]);
});

test("records of up to 4096 bytes of several writers are never torn, and each writer's are in order", async (t) => {
  const vfs = await tree(t);
  const [writers, rounds] = [3, 400];
  // Also a writer, so that the file does not end when one thread has written all before another has begun.
  const handle = await vfs.fs.promises.open("/b", "r+");
  const sums = Array.from({ length: writers }, (_, id) => start(t, vfs, { role: "records", id, rounds }).result);
  const next = Array<number>(writers).fill(0);
  let left = Buffer.alloc(0);
  let sum = 0;
  while (next.some((count) => count < rounds)) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(10_000), 0, 10_000, null);
    sum += bytesRead;
    left = Buffer.concat([left, buffer.subarray(0, bytesRead)]);
    while (left.length >= 12 && left.length >= left.readUInt32LE(0)) {
      const record = left.subarray(0, left.readUInt32LE(0));
      const id = record.readUInt32LE(4);
      assert.equal(record.readUInt32LE(8), next[id]);
      next[id] = record.readUInt32LE(8) + 1;
      assert.ok(record.subarray(12).every((byte) => byte === id + 1));
      left = left.subarray(record.length);
    }
  }
  assert.deepEqual(next, Array(writers).fill(rounds));
  assert.equal(left.length, 0);
  assert.equal(
    (await Promise.all(sums)).reduce((a, b) => a + b),
    sum,
  );
  await handle.close();
});

test("megabytes go from thread to thread whole, in both directions at a time", async (t) => {
  const vfs = await tree(t);
  const rounds = 8;
  const all = [
    { role: "send", to: "/a", rounds },
    { role: "receive", from: "/a" },
    { role: "send", to: "/b", rounds },
    { role: "receive", from: "/b" },
  ] as const;
  const results = await Promise.all(all.map((given) => start(t, vfs, given).result));
  assert.deepEqual(results, Array(4).fill(rounds << 20));
});

// Fails when the recovery does not close the descriptors of a dead thread, or does not wake those who wait for the pipe.
test("when a writer is terminated, the reader gets what it has written, and then the end of the file", async (t) => {
  const vfs = await tree(t);
  const read = vfs.fs.promises.readFile("/b", "utf8");
  const { worker, result } = start(t, vfs, { role: "hold" });
  await result;
  await worker.terminate();
  assert.equal(await read, "before the end");
});

test("when a reader is terminated in the middle of a read that waits, the writer gets EPIPE", async (t) => {
  const vfs = await tree(t);
  const { worker } = start(t, vfs, { role: "receive", from: "/a" });
  const handle = await vfs.fs.promises.open("/a", "w");
  // The reader sleeps in the core, or is about to.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await worker.terminate();
  const writes = (async () => {
    for (;;) await handle.write(Buffer.alloc(4096));
  })();
  await assert.rejects(writes, { code: "EPIPE" });
  await handle.close();
});

test("an open that waits ends with its thread, with or without closeOnExit", async (t) => {
  const vfs = await tree(t);
  const { fs } = vfs;
  const { worker } = start(t, vfs, { role: "receive", from: "/a" });
  await until(() => {
    try {
      fs.closeSync(fs.openSync("/a", fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
      return true;
    } catch {
      return false;
    }
  });
  await worker.terminate();
  await until(() => check(vfs.handle.memory).counts.threads === 1);
  assert.throws(() => fs.openSync("/a", fs.constants.O_WRONLY | fs.constants.O_NONBLOCK), { code: "ENXIO" });
});
