/**
 * A page's main thread, which may not block, meets a lock that a worker holds: a synchronous call gives up when its limit has passed, and a
 * promise waits while the page lives on.
 */
import { attachVfs, createVfs } from "threadfs";
import { codeOf, reportOf } from "./report.js";
import { expect, PATIENCE_MS } from "./scenario.js";
import { BEGUN, MAY_END, slowDriver } from "./slow-driver.js";

const turn = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

reportOf(async () => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const vfs = await createVfs({ maxBytes: 1 << 26, lockTimeoutMs: 20 });
  vfs.registerDriver(slowDriver(words));
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "slow");
  const patient = await attachVfs(vfs.handle, { share: false, lockTimeoutMs: PATIENCE_MS });
  patient.registerDriver(slowDriver(words));
  const worker = new Worker(new URL("./page-waits-worker.js", import.meta.url), { type: "module" });
  const ended = new Promise<unknown>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => resolve(message);
  });
  worker.postMessage({ handle: vfs.handle, words });
  // The worker looks a name up, and has the lock of that name meanwhile; other names of the directory are found beside it.
  while (Atomics.load(words, BEGUN) === 0) await turn(5);
  expect("another name", vfs.fs.statSync("/m/other").isFile(), true);
  expect("a synchronous call", await codeOf(() => vfs.fs.statSync("/m/slow")), "ERR_THREADFS_TIMEOUT");
  expect("a promise with that limit", await codeOf(() => vfs.fs.promises.stat("/m/slow")), "ERR_THREADFS_TIMEOUT");
  vfs.fs.writeFileSync("/elsewhere", "the rest of the tree is not touched by it");
  let settled = false;
  const waiting = patient.fs.promises.stat("/m/slow").finally(() => {
    settled = true;
  });
  await turn(50);
  expect("the promise has settled", settled, false);
  Atomics.store(words, MAY_END, 1);
  Atomics.notify(words, MAY_END);
  expect("then it is a file", (await waiting).isFile(), true);
  expect("the worker", await ended, "found");
  expect("the call that was left, again", vfs.fs.statSync("/m/slow").isFile(), true);
  worker.terminate();
  patient.close();
  vfs.close();
});
