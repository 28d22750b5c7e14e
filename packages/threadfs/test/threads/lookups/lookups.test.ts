/** Several threads that look names up in one directory of a driver, whose hooks wait. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { HANG_MS } from "../../../../verify/dist/support/hang.js";
import { POINT, S_IFDIR, S_IFREG } from "../../../dist/abi/abi.js";
import type { Driver, Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { mountDriver } from "../../support/drivers/memory-driver.js";
import type { TestScope } from "../../support/hooked-vfs.js";
import { threads } from "../../support/threads.js";
import type { LookupsWorkerData } from "./lookups.worker.js";

/** As many as a race has at least. */
const ROUNDS = 30;
const WORKER = new URL("./lookups.worker.js", import.meta.url);

function driverWith(lookup: Driver["lookup"]): Driver {
  return { name: "slow", root: () => ({ ino: 1, mode: S_IFDIR | 0o755 }), lookup };
}

/** The arena is intact, and no lookup is under way. */
function checkWhole(vfs: Vfs): void {
  vfs.shrink(0);
  assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems.map(String), []);
}

// Fails when askDriver() runs under the directory's i_mutex: no hook sees the other one come, and the lookups end with EIO.
test("row 115: lookups of two names of one directory are in the driver at the same time", async (t) => {
  const tree = await treeFor(t, { lockTimeoutMs: HANG_MS });
  mountDriver(
    tree.vfs,
    driverWith(() => null),
  );
  /** Words: how many hooks each thread has begun. */
  const words = new Int32Array(new SharedArrayBuffer(8));
  const body = (me: number) => `
    const words = data.words;
    const [mine, other] = [${me}, ${1 - me}];
    vfs.registerDriver({
      name: "slow",
      root: () => ({ ino: 1, mode: ${S_IFDIR | 0o755} }),
      lookup: (_dir, name) => {
        const turn = Atomics.add(words, mine, 1) + 1;
        Atomics.notify(words, mine);
        for (let seen = Atomics.load(words, other); seen < turn; seen = Atomics.load(words, other)) {
          if (Atomics.wait(words, other, seen, data.hangMs) === "timed-out") throw new Error("the other one does not come");
        }
        return { ino: 100 + turn, mode: ${S_IFREG | 0o644} };
      },
    });
    const inos = [];
    for (let n = 0; n < data.rounds; n++) {
      running();
      inos.push(vfs.fs.statSync("/m/" + mine + "-" + n).ino);
    }
    return inos;`;
  const data = { words, rounds: ROUNDS, hangMs: HANG_MS / 2 };
  const results = await threads(tree.vfs.handle, 0, [body(0), body(1)], data);
  const right = Array.from({ length: ROUNDS }, (_, n) => 101 + n);
  assert.deepEqual(results, [right, right]);
  checkWhole(tree.vfs);
});

/** What each name of the next test comes to in the thread that asks first: a file, no file, an error. */
const KINDS = 3;

// Fails when findInChain() does not see names in lookup: the second thread asks too, and never comes to where it waits.
test("row 115: a name that two threads want is asked for once; one that fails is asked for by the other one too", async (t) => {
  const tree = await treeFor(t, { lockTimeoutMs: HANG_MS });
  mountDriver(
    tree.vfs,
    driverWith(() => null),
  );
  /** Words: 0 names whose lookup is in the hook, 1 names for which the second thread waits. */
  const words = new Int32Array(new SharedArrayBuffer(8));
  const until = `
    const until = (word, value) => {
      for (let seen = Atomics.load(data.words, word); seen < value; seen = Atomics.load(data.words, word)) {
        if (Atomics.wait(data.words, word, seen, data.hangMs) === "timed-out") throw new Error("nothing happens");
      }
    };
    const say = (word, value) => Atomics.store(data.words, word, value) && Atomics.notify(data.words, word);
    const look = (tree, n) => {
      try { return tree.fs.statSync("/m/" + n).ino; } catch (error) { return error.code; }
    };
    let asked = [];
    const driver = (lookup) => ({ name: "slow", root: () => ({ ino: 1, mode: ${S_IFDIR | 0o755} }), lookup });`;
  const first = `${until}
    vfs.registerDriver(driver((_dir, name) => {
      const n = Number(name);
      asked.push(n);
      say(0, n + 1);
      until(1, n + 1);
      if (n % ${KINDS} === 1) return null;
      if (n % ${KINDS} === 2) throw Object.assign(new Error("no"), { code: "EACCES" });
      return { ino: 100 + n, mode: ${S_IFREG | 0o644} };
    }));
    const seen = [];
    for (let n = 0; n < data.rounds; n++) {
      running();
      seen.push(look(vfs, n));
    }
    return { seen, asked };`;
  const second = `${until}
    return (async () => {
      const tree = await tools.walkerOf({ after() {} }, vfs.handle);
      tree.registerDriver(driver((_dir, name) => {
        asked.push(Number(name));
        return { ino: 200 + Number(name), mode: ${S_IFREG | 0o644} };
      }));
      const seen = [];
      for (let n = 0; n < data.rounds; n++) {
        running();
        until(0, n + 1);
        tree.at(data.point, () => say(1, n + 1));
        seen.push(look(tree, n));
      }
      tree.close();
      return { seen, asked };
    })();`;
  const data = { words, rounds: ROUNDS, hangMs: HANG_MS / 2, point: POINT.WAIT_LOOKUP };
  type Seen = { seen: (number | string)[]; asked: number[] };
  const [one, two] = await threads<[Seen, Seen]>(tree.vfs.handle, 0, [first, second], data);
  const all = Array.from({ length: ROUNDS }, (_, n) => n);
  assert.deepEqual(one.asked, all);
  assert.deepEqual(
    one.seen,
    all.map((n) => [100 + n, "ENOENT", "EACCES"][n % KINDS]),
  );
  assert.deepEqual(
    two.asked,
    all.filter((n) => n % KINDS === 2),
  );
  assert.deepEqual(
    two.seen,
    all.map((n) => [100 + n, "ENOENT", 200 + n][n % KINDS]),
  );
  checkWhole(tree.vfs);
});

/** A thread that is in the hook of a lookup. */
async function stoppedInLookup(t: TestScope, path: string) {
  const asked: string[] = [];
  const tree = await treeFor(t);
  const { vfs } = tree;
  mountDriver(
    vfs,
    driverWith((_dir, name) => {
      asked.push(name);
      return { ino: 9, mode: S_IFREG | 0o644 };
    }),
  );
  const words = new Int32Array(new SharedArrayBuffer(8));
  const workerData: LookupsWorkerData = { handle: vfs.handle, path, words };
  const worker = new Worker(WORKER, { workerData });
  vfs.attachWorker(worker);
  const there = Atomics.waitAsync(words, 0, 0, HANG_MS);
  assert.notEqual(there.async ? await there.value : there.value, "timed-out");
  return { vfs, tree, worker, words, asked };
}

// Fails when waitForLookup() blocks a thread whose host awaits, or a lookup holds more than its name.
test("row 115: a promise waits in the event loop for the lookup of another thread, and takes its answer", async (t) => {
  const { vfs, worker, words, asked } = await stoppedInLookup(t, "/m/x");
  let settled = false;
  const wanted = vfs.fs.promises.stat("/m/x").finally(() => {
    settled = true;
  });
  for (let n = 0; n < 5; n++) await turn();
  assert.equal(settled, false);
  assert.equal((await vfs.fs.promises.stat("/m/y")).ino, 9);
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  assert.equal((await wanted).ino, 7);
  assert.deepEqual(asked, ["y"]);
  await new Promise((resolve) => worker.once("exit", resolve));
  checkWhole(vfs);
});

/** Looks the name up that another thread is asking for, with a driver of its own. */
const ASKER = `
  vfs.registerDriver({
    name: "slow",
    root: () => ({ ino: 1, mode: ${S_IFDIR | 0o755} }),
    lookup: () => ({ ino: 8, mode: ${S_IFREG | 0o644} }),
  });
  return vfs.fs.statSync("/m/x").ino;`;

// Fails when dLookupDone() leaves a name in its chain that is in lookup: ERR_THREADFS_TIMEOUT.
test("row 115: a thread dies in the hook of a lookup: the one that waits for the name asks", async (t) => {
  const { vfs, tree, worker, asked } = await stoppedInLookup(t, "/m/x");
  // Its reference keeps the recount from freeing the dentry.
  const waiter = await tree.parked(ASKER, POINT.WAIT_LOOKUP);
  await worker.terminate();
  assert.deepEqual(await waiter.release(), { value: 8 });
  assert.equal(vfs.fs.statSync("/m/x").ino, 8);
  assert.deepEqual(asked, []);
  checkWhole(vfs);
});

// Fails when a death leaves the mutex of a name in lookup: ERR_THREADFS_TIMEOUT.
test("row 115: a thread dies in the hook of a lookup: a promise asks, and nothing is left", async (t) => {
  const { vfs, worker, asked } = await stoppedInLookup(t, "/m/x");
  const wanted = vfs.fs.promises.stat("/m/x");
  for (let n = 0; n < 5; n++) await turn();
  assert.deepEqual(asked, []);
  await worker.terminate();
  assert.equal((await wanted).ino, 9);
  assert.deepEqual(asked, ["x"]);
  checkWhole(vfs);
  const { worker: second, vfs: other } = await stoppedInLookup(t, "/m/x");
  await second.terminate();
  // Nobody has waited: the recount frees the dentry.
  checkWhole(other);
  other.umount("/m");
  other.unregisterDriver("slow");
});
