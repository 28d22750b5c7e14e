/**
 * Attaches a thread twice, and two threads with one id, in a host with Web Locks. Prints what comes of it. Threads that a test of
 * Node 20 starts have no such locks, so locks.test.ts runs this in Node 26.
 */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { attachVfs, createVfs, type Vfs, type VfsHandle } from "../../dist/src/index.js";

async function twice(handle: VfsHandle): Promise<boolean> {
  const [one, other] = await Promise.all([1, 2].map(() => attachVfs(handle, { share: false })));
  one?.close();
  const found = other?.fs.existsSync("/");
  other?.close();
  return found === true;
}

/** The code of the error, or whether the thread got in. */
async function start(handle: VfsHandle): Promise<{ worker: Worker; outcome: unknown }> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { handle, thread: 77 } });
  const [outcome] = await once(worker, "message");
  return { worker, outcome };
}

async function main(vfs: Vfs): Promise<void> {
  console.log("main", await twice(vfs.handle));
  const worker = new Worker(new URL(import.meta.url), { workerData: { handle: vfs.handle } });
  console.log("worker", ...(await once(worker, "message")));
  const first = await start(vfs.handle);
  const second = await start(vfs.handle);
  console.log("another thread:", second.outcome);
  await first.worker.terminate();
  console.log("after its end:", (await start(vfs.handle)).outcome);
  process.exit();
}

async function thread({ handle, thread }: { handle: VfsHandle; thread?: number }): Promise<void> {
  if (thread === undefined) {
    await attachVfs(handle);
    parentPort?.postMessage(await twice(handle));
    return;
  }
  const outcome = await attachVfs(handle, { thread, locks: true }).then(
    () => true,
    ({ code }) => code,
  );
  parentPort?.postMessage(outcome);
  setInterval(() => {}, 1000);
}

if (isMainThread) await main(await createVfs({ maxBytes: 8 << 20 }));
else await thread(workerData);
