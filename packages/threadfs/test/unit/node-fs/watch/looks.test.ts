/** Looks at a file that is watched: other threads, held locks, closing, long intervals, listeners that throw. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { StatWatcher } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { until } from "../../../../../verify/dist/support/hang.js";
import { attachVfs, createVfs, type Driver, type Vfs } from "../../../../dist/src/index.js";
import { adoptEmitter, type Emitter } from "../../../../dist/src/node-fs/promises/emitter.js";
import { driver, OWNER, type Scene, scene } from "../../../support/held-locks.js";
import { startLoop } from "../../../support/threads.js";
import { changesOf, putFile } from "./changes.js";

const NO_LIMIT_MS = 2 ** 31 - 1;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

async function withVfs(work: (vfs: Vfs) => Promise<void>): Promise<void> {
  const vfs = await createVfs({ maxBytes: 8 << 20 });
  try {
    await work(vfs);
  } finally {
    vfs.close();
  }
}

/** The sizes that a change says: now, and before. */
function sizes(change: unknown): unknown {
  const [current, previous] = change as [[string, string, string], [string, string, string]];
  return [current[2].split(" ")[0], previous[2].split(" ")[0]];
}

describe("a file that another thread changes", () => {
  test("is told to each thread that watches it", (t) =>
    withVfs(async (vfs) => {
      const changes = changesOf(vfs.fs, "/f");
      assert.deepEqual(sizes(await changes.next()), ["0", "0"]);
      const loop = await startLoop(t, vfs, "vfs.fs.writeFileSync('/n', 'text'); vfs.fs.renameSync('/n', '/f');", 1);
      await loop.done();
      assert.deepEqual(sizes(await changes.next()), ["4", "0"]);
      const removing = await startLoop(t, vfs, "vfs.fs.unlinkSync('/f');", 1);
      await removing.done();
      assert.deepEqual(sizes(await changes.next()), ["0", "4"]);
      vfs.fs.unwatchFile("/f");
    }));

  test("is looked at after a listener has thrown, in a worker that ends when it watches no more", () =>
    withVfs(async ({ fs, handle }) => {
      const source = `
        import { parentPort, workerData } from "node:worker_threads";
        import { attachVfs } from ${JSON.stringify(new URL("../../../../dist/src/index.js", import.meta.url).href)};
        const { fs } = await attachVfs(workerData);
        process.on("uncaughtException", ({ message }) => parentPort.postMessage(message));
        fs.watchFile("/f", { interval: 1 }, ({ size }) => {
          if (size === 4) fs.unwatchFile("/f");
          throw new Error("size " + size);
        });`;
      const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
      const worker = new Worker(url, { workerData: handle });
      const exit = new Promise((resolve) => worker.once("exit", resolve));
      const message = () => new Promise((resolve) => worker.once("message", resolve));
      assert.equal(await message(), "size 0");
      for (const text of ["x", "four"]) {
        const next = message();
        putFile(fs, "/f", text);
        assert.equal(await next, `size ${text.length}`);
      }
      assert.equal(await exit, 0);
    }));
});

/** Holds every lock of the tree. Returns what releases them. */
function holdAll({ words, locks }: Scene): () => void {
  for (const address of Object.values(locks)) Atomics.store(words, address >>> 2, OWNER + 1);
  return () => {
    for (const address of Object.values(locks)) {
      Atomics.store(words, address >>> 2, 0);
      Atomics.notify(words, address >>> 2);
    }
  };
}

describe("a look beside a thread that holds a lock", () => {
  for (const mayWait of [true, false]) {
    test(`waits in the event loop, in a thread that ${mayWait ? "may" : "may not"} block`, async (t) => {
      const here = await scene(t, mayWait, NO_LIMIT_MS);
      const { vfs } = here;
      const release = holdAll(here);
      const changes = changesOf(vfs.fs, "/m/none");
      for (let i = 0; i < 5; i++) await turn();
      assert.deepEqual(changes.left, []);
      release();
      assert.deepEqual(sizes(await changes.next()), ["0", "0"]);
      vfs.close();
    });
  }

  test("is given up with its watcher", async (t) => {
    const here = await scene(t, true, NO_LIMIT_MS);
    const { fs } = here.vfs;
    const release = holdAll(here);
    const before = timers();
    const changes = changesOf(fs, "/m/none");
    assert.ok(timers() > before);
    changes.watcher.unref();
    fs.unwatchFile("/m/none");
    await until(() => timers() <= before, "the end of the look's timer", 1000);
    release();
    const other = changesOf(fs, "/m/none");
    await other.next();
    assert.deepEqual(changes.left, []);
    here.vfs.close();
  });

  test("is made again when it has waited too long", async (t) => {
    const here = await scene(t, true, 20);
    const { fs } = here.vfs;
    const release = holdAll(here);
    const changes = changesOf(fs, "/m/none");
    await assert.rejects(fs.promises.stat("/m/none"), { code: "ERR_THREADFS_TIMEOUT" });
    assert.deepEqual(changes.left, []);
    release();
    await changes.next();
    here.vfs.close();
  });
});

describe("closing", () => {
  const closes: Record<string, (vfs: Vfs) => [Pick<Vfs, "fs">, () => void]> = {
    "the tree": (vfs) => [vfs, () => vfs.close()],
    "a context": (vfs) => {
      const context = vfs.context();
      return [context, () => context.close()];
    },
    "the tree of a context": (vfs) => [vfs.context(), () => vfs.close()],
  };
  for (const [what, open] of Object.entries(closes)) {
    test(`${what} stops its watchers, and their timers`, async () => {
      const vfs = await createVfs({ maxBytes: 8 << 20 });
      const [{ fs }, close] = open(vfs);
      const before = timers();
      const events: string[] = [];
      const stopped = ["/a", "/b"].map((path) => {
        const watcher = fs.watchFile(path, () => events.push("change"));
        return new Promise((resolve) => watcher.once("stop", resolve));
      });
      assert.equal(timers(), before + 2);
      close();
      assert.equal(timers(), before);
      await Promise.all(stopped);
      await turn();
      assert.deepEqual(events, []);
      const closed = { code: "ERR_THREADFS_CLOSED" };
      for (const path of ["/a", "a", "/c"]) {
        assert.throws(() => fs.watchFile(path, () => {}), closed);
        assert.throws(() => fs.unwatchFile(path), closed);
      }
      vfs.close();
    });
  }

  test("a context leaves the watchers of others", () =>
    withVfs(async (vfs) => {
      const context = vfs.context();
      const changes = changesOf(vfs.fs, "/f");
      context.fs.watchFile("/f", () => {});
      await changes.next();
      context.close();
      putFile(vfs.fs, "/f", "x");
      assert.deepEqual(sizes(await changes.next()), ["1", "0"]);
    }));
});

test("a relative name stays that of the working directory of the call", () =>
  withVfs(async (vfs) => {
    const context = vfs.context();
    vfs.fs.mkdirSync("/d");
    const changes = changesOf(context.fs, "f");
    await changes.next();
    context.chdir("/d");
    putFile(context.fs, "f", "other");
    putFile(vfs.fs, "/f", "x");
    assert.deepEqual(sizes(await changes.next()), ["1", "0"]);
    assert.notEqual(context.fs.watchFile("f", changes.listener), changes.watcher);
  }));

test("a file system whose driver this thread has not is the error of the call", async () => {
  const vfs = await createVfs({ maxBytes: 8 << 20 });
  vfs.fs.mkdirSync("/m");
  vfs.registerDriver(driver);
  vfs.mount(null, "/m", driver.name);
  const other = await attachVfs(vfs.handle, { share: false });
  const before = timers();
  assert.throws(() => other.fs.watchFile("/m/f", () => {}), { code: "ERR_THREADFS_NO_DRIVER" });
  assert.equal(timers(), before);
  other.registerDriver(driver);
  await changesOf(other.fs, "/m/none").next();
  other.close();
  vfs.close();
});

test("EPERM is told as every other error", () =>
  withVfs(async (vfs) => {
    let code: string | undefined;
    const refusing: Driver = {
      ...driver,
      lookup() {
        if (code === undefined) return { ino: 2, mode: 0o100644 };
        throw Object.assign(new Error("refused"), { code });
      },
      revalidate: () => false,
    };
    vfs.fs.mkdirSync("/m");
    vfs.registerDriver(refusing);
    vfs.mount(null, "/m", driver.name);
    const changes = changesOf(vfs.fs, "/m/f");
    const told: unknown[] = [];
    for (code of ["EPERM", "EACCES", undefined]) told.push(await changes.next());
    const file = ["Stats", "number", "0 100644 1", true, false, false, true];
    const nothing = ["Stats", "number", "0 0 0", false, false, false, false];
    assert.deepEqual(told, [
      [nothing, file],
      [nothing, file],
      [file, file],
    ]);
  }));

/** Takes the host's timers away. @returns ends the timer that runs, and returns its time */
function ownTimers(t: TestContext): () => number {
  const running: [ms: number, call: () => void][] = [];
  t.mock.method(globalThis, "setTimeout", (call: () => void, ms: number) => running.push([ms, call]));
  return () => {
    const [timer, ...others] = running.splice(0);
    assert.ok(timer !== undefined && others.length === 0, "one timer runs");
    timer[1]();
    return timer[0];
  };
}

test("a hook may stop the watcher that calls it", () =>
  withVfs(async (vfs) => {
    let stop = () => {};
    const stopping: Driver = {
      ...driver,
      lookup() {
        stop();
        return null;
      },
      revalidate: () => false,
    };
    vfs.fs.mkdirSync("/m");
    vfs.registerDriver(stopping);
    vfs.mount(null, "/m", driver.name);
    const before = timers();
    const changes = changesOf(vfs.fs, "/m/f");
    await changes.next();
    const stopped = new Promise((resolve) => changes.watcher.once("stop", resolve));
    stop = () => (changes.watcher as StatWatcher & { stop(): void }).stop();
    await stopped;
    await turn();
    assert.equal(timers(), before);
  }));

test("a watcher that is not persistent does not keep the process alive after a look either", () =>
  withVfs(async ({ fs }) => {
    // The test itself waits for events.
    const alive = setInterval(() => {}, 1000);
    const before = timers();
    const changes = changesOf(fs, "/f", { interval: 1, persistent: false });
    await changes.next();
    putFile(fs, "/f", "x");
    await changes.next();
    assert.equal(timers(), before);
    changes.watcher.ref();
    assert.equal(timers(), before + 1);
    clearInterval(alive);
  }));

test("a file of a driver is not changed because it comes into the cache again", (t) =>
  withVfs(async (vfs) => {
    vfs.fs.mkdirSync("/m");
    vfs.registerDriver({ ...driver, revalidate: () => false });
    vfs.mount(null, "/m", driver.name);
    const births = Array.from({ length: 100 }, () => vfs.fs.statSync("/m/f", { bigint: true }).birthtimeNs);
    assert.ok(new Set(births).size > 1, "each lookup makes the file anew");
    const elapse = ownTimers(t);
    const changes = changesOf(vfs.fs, "/m/f");
    for (let i = 0; i < 3; i++) {
      elapse();
      await turn();
    }
    assert.deepEqual(changes.left, []);
  }));

for (const [interval, times] of [
  [2 ** 32 - 1, [2 ** 31 - 1, 2 ** 31 - 1, 1]],
  [2 ** 31 - 1, [2 ** 31 - 1]],
  [undefined, [5007]],
  [0, [1]],
] as const) {
  test(`the interval ${interval} is made of timers that hosts have`, (t) =>
    withVfs(async ({ fs }) => {
      const elapse = ownTimers(t);
      const changes = changesOf(fs, "/f", interval === undefined ? {} : { interval });
      await changes.next();
      putFile(fs, "/f", "x");
      for (const [i, ms] of times.entries()) {
        assert.equal(elapse(), ms);
        await turn();
        assert.equal(changes.left.length, i < times.length - 1 ? 0 : 1);
      }
      fs.unwatchFile("/f");
    }));
}

test("a host without node:events has an emitter that does as Node's what a watcher needs", () => {
  class Small {}
  const own = Object.getOwnPropertyDescriptor(globalThis, "process") ?? {};
  Object.defineProperty(globalThis, "process", { value: undefined, configurable: true });
  try {
    adoptEmitter(Small);
  } finally {
    Object.defineProperty(globalThis, "process", own);
  }
  const play = (emitter: Emitter): unknown => {
    const told: unknown[] = [];
    const [a, b, c] = ["a", "b", "c"].map((name) => (value: unknown) => told.push(`${name}${String(value)}`));
    if (a === undefined || b === undefined || c === undefined) return undefined;
    told.push(emitter.addListener("x", a) === emitter, emitter.emit("none"), emitter.emit("x", 1));
    emitter.once("x", b).on("x", a).on("x", c);
    told.push(emitter.listenerCount("x"), emitter.emit("x", 2), emitter.listenerCount("x"));
    emitter.once("x", b).removeListener("x", b).off("x", a);
    told.push(emitter.listenerCount("x"), emitter.emit("x", 3), emitter.listenerCount("none"));
    emitter.on("x", () => emitter.removeAllListeners("x"));
    told.push(emitter.emit("x", 4), emitter.listenerCount("x"), emitter.emit("x", 5));
    return told;
  };
  assert.notEqual(Object.getPrototypeOf(Small), EventEmitter);
  assert.deepEqual(play(new Small() as Emitter), play(new EventEmitter() as unknown as Emitter));
});
