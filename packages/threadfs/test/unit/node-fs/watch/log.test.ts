/** The log of changes: changes of any thread reach watchers and `vfs.changes()` in order, after they can be seen; what is lost is told. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { defined } from "../../../../../cli/dist/support/defined.js";
import { G_SLOTS_USED, SLOT_ACTIVE, SLOT_CHANGES, SLOT_SIZE, SLOTS } from "../../../../../verify/dist/arena/layout.js";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { until } from "../../../../../verify/dist/support/hang.js";
import { attachVfs, type ChangeEvent, createVfs, type Vfs } from "../../../../dist/src/index.js";
import { OWNER, scene } from "../../../support/held-locks.js";

/** How long the calls of a tree wait that is to meet a lock. */
const LIMIT_MS = 40;

const WORKER = new URL("./log.worker.js", import.meta.url);

/** A tree that is closed with the test, which ends everything that follows it. */
async function tree(t: TestContext, maxBytes: number, lockTimeoutMs?: number): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes, lockTimeoutMs });
  t.after(() => vfs.close());
  return vfs;
}

/** Takes so many events. */
async function take(events: AsyncIterableIterator<ChangeEvent>, count: number): Promise<ChangeEvent[]> {
  const taken: ChangeEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

const shown = ({ type, name }: ChangeEvent) => `${type} ${name}`.trim();
const follows = ({ handle, threadSlot }: Vfs) =>
  new Uint32Array(handle.memory.buffer)[(SLOTS + threadSlot * SLOT_SIZE + SLOT_CHANGES) >>> 2];

/** Runs work on a tree in another thread, which is terminated when it says so. */
function inWorker(vfs: Vfs, work: string): Promise<unknown> {
  const worker = new Worker(WORKER, { workerData: { handle: vfs.handle, work } });
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", () => worker.terminate());
    worker.once("exit", resolve);
  });
}

describe("vfs.changes()", () => {
  test("tells every change with the numbers of the file, of its directory, and of the rename", async (t) => {
    const vfs = await tree(t, 1 << 24);
    const { fs } = vfs;
    const events = vfs.changes();
    fs.mkdirSync("/d");
    fs.writeFileSync("/d/f", "x");
    const { ino, dev } = fs.statSync("/d/f");
    const parent = fs.statSync("/d").ino;
    fs.chmodSync("/d/f", 0o600);
    fs.renameSync("/d/f", "/g");
    fs.unlinkSync("/g");
    fs.rmdirSync("/d");
    const all = await take(events, 12);
    assert.deepEqual(all.map(shown), [
      "create d",
      "create f",
      "modify f",
      "attrib f",
      "moved_from f",
      "moved_to g",
      "move_self",
      "attrib",
      "delete_self",
      "delete g",
      "delete_self",
      "delete d",
    ]);
    const root = fs.statSync("/").ino;
    assert.deepEqual(
      all.map((event) => event.parent),
      [root, parent, parent, parent, parent, root, 0, 0, 0, root, 0, root],
    );
    assert.deepEqual(new Set(all.slice(1, 10).map((event) => event.ino)), new Set([ino]));
    assert.deepEqual(new Set(all.map((event) => event.dev)), new Set([dev]));
    assert.deepEqual(
      all.map(({ cookie }) => cookie),
      [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0],
    );
    assert.deepEqual(
      all.map(({ isDirectory }) => isDirectory),
      [true, false, false, false, false, false, false, false, false, false, true, true],
    );
    await events.return?.();
  });

  test("goes on behind the position that it is given", async (t) => {
    const vfs = await tree(t, 1 << 24);
    const events = vfs.changes();
    for (const name of ["a", "b", "c"]) vfs.fs.mkdirSync(`/${name}`);
    const [first] = await take(events, 1);
    await events.return?.();
    const later = vfs.changes({ since: first?.next });
    assert.deepEqual((await take(later, 2)).map(shown), ["create b", "create c"]);
    await later.return?.();
  });

  test("refuses positions that no change has, and options that it does not know", async (t) => {
    const vfs = await tree(t, 1 << 24);
    for (const since of [1, 8, 2 ** 40]) assert.throws(() => vfs.changes({ since }), { code: "ERR_OUT_OF_RANGE" });
    for (const since of [-1, 0.5, "0"]) {
      assert.throws(() => vfs.changes({ since } as object), { code: /^ERR_(?:OUT_OF_RANGE|INVALID_ARG_TYPE)$/ });
    }
    assert.throws(() => vfs.changes({ from: 1 } as object), { code: "ERR_INVALID_ARG_VALUE" });
    assert.throws(() => vfs.changes({ signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.equal(follows(vfs), 0);
  });
});

describe("who follows the log", () => {
  test("needs CAP_SYS_ADMIN; a watch needs to be allowed to read", async (t) => {
    const vfs = await tree(t, 1 << 24);
    vfs.fs.mkdirSync("/open");
    vfs.fs.mkdirSync("/shut", { mode: 0o711 });
    const user = await attachVfs(vfs.context({ uid: 1000, gid: 1000 }).handle);
    t.after(() => user.close());
    assert.throws(() => user.changes(), { code: "EPERM" });
    assert.throws(() => user.fs.watch("/shut"), { code: "EACCES", syscall: "watch", path: "/shut" });
    user.fs.watch("/open").close();
    user.close();
    assert.equal(follows(vfs), 0);
  });

  test("waits for the calls that others make, and follows nothing when that takes too long", async (t) => {
    const vfs = await tree(t, 1 << 24, 20);
    const words = new Int32Array(vfs.handle.memory.buffer);
    const [used, other] = [G_SLOTS_USED >>> 2, (SLOTS + OWNER * SLOT_SIZE + SLOT_ACTIVE) >>> 2];
    const before = Atomics.exchange(words, used, OWNER + 1);
    Atomics.store(words, other, 1);
    assert.throws(() => vfs.changes(), { code: "ERR_THREADFS_TIMEOUT" });
    assert.throws(() => vfs.fs.watch("/"), { code: "ERR_THREADFS_TIMEOUT" });
    Atomics.store(words, other, 0);
    Atomics.store(words, used, before);
    vfs.fs.mkdirSync("/d");
    assert.equal(follows(vfs), 0);
    const events = vfs.changes();
    vfs.fs.mkdirSync("/e");
    assert.deepEqual((await take(events, 1)).map(shown), ["create e"]);
  });

  // Fails when listeners run within the limit of the read that tells them: their calls then give up as soon as they meet a lock.
  test("a listener's calls wait for other threads as long as any call", async (t) => {
    const { vfs, words, locks } = await scene(t, true, LIMIT_MS);
    t.after(() => vfs.close());
    const { fs } = vfs;
    const mutex = defined(locks["i_mutex of a directory"], "i_mutex of /d") >>> 2;
    const waited: number[] = [];
    const watcher = fs.watch("/", () => {
      Atomics.store(words, mutex, OWNER + 1);
      const begun = performance.now();
      assert.throws(() => fs.mkdirSync("/d/x"), { code: "ERR_THREADFS_TIMEOUT" });
      waited.push(performance.now() - begun);
      Atomics.store(words, mutex, 0);
    });
    fs.writeFileSync("/f", "");
    await until(() => waited.length > 0);
    watcher.close();
    assert.ok(Math.min(...waited) >= LIMIT_MS / 2, `${waited}`);
  });

  test("tells what it has lost, and goes on", async (t) => {
    const vfs = await tree(t, 1 << 23);
    const { fs } = vfs;
    const events = vfs.changes();
    const names: unknown[] = [];
    const watcher = fs.watch("/", (type, name) => names.push([type, name]));
    // More than the ring holds, in one turn of the event loop.
    fs.writeFileSync("/f", "");
    for (let n = 0; n < 5000; n++) fs.chmodSync("/f", n & 1 ? 0o600 : 0o644);
    assert.deepEqual((await take(events, 1)).map(shown), ["overflow"]);
    assert.deepEqual(names, [["rename", null]]);
    fs.mkdirSync("/after");
    assert.deepEqual((await take(events, 1)).map(shown), ["create after"]);
    assert.deepEqual(names.at(-1), ["rename", "after"]);
    watcher.close();
    await events.return?.();
  });

  test("does so until the signal, or the end of the tree", async (t) => {
    const vfs = await tree(t, 1 << 24);
    const abort = new AbortController();
    const aborted = vfs.changes({ signal: abort.signal });
    const next = aborted.next();
    assert.equal(follows(vfs), 1);
    abort.abort();
    await assert.rejects(next, { name: "AbortError" });
    assert.equal(follows(vfs), 0);
    const other = await attachVfs(vfs.handle);
    const events = other.changes();
    const last = events.next();
    const watcher = other.fs.watch("/");
    other.close();
    assert.deepEqual(await last, { value: undefined, done: true });
    watcher.close();
  });
});

describe("changes of other threads", () => {
  test("reach watchers and iterators in order, when they can be seen", async (t) => {
    const vfs = await tree(t, 1 << 26);
    const { fs } = vfs;
    fs.mkdirSync("/d");
    const events = vfs.changes();
    const seen: string[] = [];
    const watcher = fs.watch("/d", (_type, name) => {
      // Bug 23: the name is there, or gone, when the event comes.
      seen.push(`${name} ${fs.existsSync(`/d/${name}`)}`);
    });
    const ended = inWorker(vfs, "names");
    const all: string[] = [];
    while (all.at(-1) !== "create last") {
      const { value } = await events.next();
      all.push(shown(value as ChangeEvent));
    }
    await ended;
    await until(() => seen.at(-1) === "last true");
    const created = all.filter((text) => /^create n/.test(text)).map((text) => Number(text.slice(8)));
    assert.deepEqual(
      created,
      Array.from({ length: 200 }, (_, n) => n),
    );
    assert.ok(seen.length > 0);
    watcher.close();
    await events.return?.();
  });

  test("a thread that ends, or dies, leaves the log", async (t) => {
    const vfs = await tree(t, 1 << 24);
    for (const work of ["follow and return", "follow and exit", "follow and spin"]) {
      await inWorker(vfs, work);
      await until(() => check(vfs.handle.memory).counts.threads === 1);
      assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, []);
    }
  });

  test("changes of several threads are in the log, and it agrees with the tree", async (t) => {
    const vfs = await tree(t, 1 << 26);
    const events = vfs.changes();
    await Promise.all([0, 1, 2].map((n) => inWorker(vfs, `storm ${n}`)));
    await until(() => check(vfs.handle.memory).counts.threads === 1);
    assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, []);
    await events.return?.();
  });
});
