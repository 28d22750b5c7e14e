/**
 * The asynchronous forms beside a thread that holds a lock: none blocks its thread, each goes on when the lock is free, and happens once.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { CACHES, G_CACHES } from "../../../../verify/dist/arena/layout.js";
import { check as checkArena } from "../../../../verify/dist/fsck/check-arena.js";
import { attachVfs, type Vfs } from "../../../dist/src/index.js";
import { LOCK_LINE, OWNER, type Scene, scene } from "../../support/held-locks.js";

/** Longer than a test may take: a thread that waits by itself in place of its event loop hangs. */
const NO_LIMIT_MS = 2 ** 31 - 1;

type Call = (vfs: Vfs) => Promise<unknown>;

/** Calls that take between them every lock of the tree, in a tree of their own. */
const CALLS: Readonly<Record<string, Call>> = {
  mkdir: ({ fs }) => fs.promises.mkdir("/d/new"),
  "mkdir -p": ({ fs }) => fs.promises.mkdir("/d/a/b/c", { recursive: true }),
  mkdtemp: async ({ fs }) => String(await fs.promises.mkdtemp("/d/tmp")).length,
  symlink: ({ fs }) => fs.promises.symlink("x".repeat(60), "/d/new"),
  link: ({ fs }) => fs.promises.link("/d/f", "/d/new"),
  unlink: ({ fs }) => fs.promises.unlink("/d/f"),
  rmdir: ({ fs }) => fs.promises.rmdir("/d/e"),
  rename: ({ fs }) => fs.promises.rename("/d/e", "/n/e"),
  chmod: ({ fs }) => fs.promises.chmod("/d", 0o700),
  chown: ({ fs }) => fs.promises.chown("/d/f", 5, 6),
  utimes: ({ fs }) => fs.promises.utimes("/d/f", 5, 6),
  truncate: ({ fs }) => fs.promises.truncate("/d/f", 3),
  writeFile: ({ fs }) => fs.promises.writeFile("/d/f", "y".repeat(70_000), { flush: true }),
  "writeFile of chunks": ({ fs }) => fs.promises.writeFile("/d/f", ["a", "b", Buffer.from("c")]),
  appendFile: ({ fs }) => fs.promises.appendFile("/d/f", "and more"),
  copyFile: ({ fs }) => fs.promises.copyFile("/d/f", "/d/new", fs.constants.COPYFILE_EXCL),
  cp: ({ fs }) =>
    fs.promises.cp("/d", "/n/copy", { recursive: true, preserveTimestamps: true, filter: async () => true }),
  "cp without a filter": ({ fs }) => fs.promises.cp("/d", "/n/copy", { recursive: true }),
  rm: ({ fs }) => fs.promises.rm("/d", { recursive: true }),
  readFile: ({ fs }) => fs.promises.readFile("/d/f", "utf8"),
  readdir: ({ fs }) => fs.promises.readdir("/d", { recursive: true }),
  "look up by a driver": async ({ fs }) => (await fs.promises.stat("/m/other"))?.mode,
  "a handle": async ({ fs }) => {
    const handle = await fs.promises.open("/d/f", "a+");
    await handle.write("1");
    await handle.appendFile("2");
    await handle.chmod(0o600);
    const text = await handle.readFile("utf8");
    await handle.truncate(4);
    await handle.close();
    return text;
  },
};

/** What a program can see of the tree: names, attributes but for times, contents. */
function seen({ fs }: Vfs): unknown {
  const below = (dir: string) => fs.readdirSync(dir, { recursive: true }).map((name) => `${dir}/${String(name)}`);
  return ["/", "/n", ...below("/n"), ...(fs.existsSync("/d") ? ["/d", ...below("/d")] : [])].map((path) => {
    const stats = fs.lstatSync(path);
    const { mode, uid, gid, nlink, size } = stats;
    return [
      path.replace(/tmp.{6}$/, "tmp"),
      mode,
      uid,
      gid,
      nlink,
      size,
      stats.isFile() && fs.readFileSync(path, "utf8"),
    ];
  });
}

/** Lets the event loop turn: a thread that blocks does not come here. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Makes a call while the words are held, and frees them after some turns of the event loop. Returns the result and whether it had to wait. */
async function callHeld(here: Scene, addresses: readonly number[], call: Call): Promise<[unknown, boolean]> {
  const { vfs, words } = here;
  for (const address of addresses) Atomics.store(words, address >>> 2, OWNER + 1);
  let settled = false;
  const result = call(vfs).finally(() => {
    settled = true;
  });
  // Long enough for several attempts, each of which is left.
  for (let i = 0; i < 3; i++) await turn();
  const waited = !settled;
  for (const address of addresses) {
    Atomics.store(words, address >>> 2, 0);
    Atomics.notify(words, address >>> 2);
  }
  return [await result, waited];
}

async function freshScene(t: TestContext, mayWait: boolean): Promise<Scene> {
  return scene(t, mayWait, NO_LIMIT_MS);
}

for (const mayWait of [true, false]) {
  describe(mayWait ? "promises of a thread that may block" : "promises of a thread that may not block", () => {
    for (const [what, call] of Object.entries(CALLS)) {
      test(`${what} waits for a lock of any kind in the event loop, and happens once`, async (t) => {
        const free = await freshScene(t, mayWait);
        const right = await call(free.vfs);
        const after = seen(free.vfs);
        let waits = 0;
        for (const name of Object.keys(free.locks)) {
          const here = await freshScene(t, mayWait);
          const { vfs, locks } = here;
          const [result, waited] = await callHeld(here, [locks[name] ?? 0], call);
          if (waited) waits++;
          assert.deepEqual(result, right, name);
          assert.deepEqual(seen(vfs), after, name);
          assert.deepEqual(checkArena(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, [], name);
          vfs.close();
        }
        assert.ok(waits > 0 || ["readFile", "readdir"].includes(what), "no lock keeps it waiting");
        free.vfs.close();
      });
    }
  });
}

test("callbacks wait in the event loop too, and come in a later turn", async (t) => {
  const here = await freshScene(t, true);
  const { fs } = here.vfs;
  const events: string[] = [];
  const [, waited] = await callHeld(here, [here.locks["i_mutex of a directory"] ?? 0], () => {
    const made = new Promise((resolve, reject) => {
      fs.mkdir("/d/new", (error: unknown) => {
        events.push("called back");
        if (error) reject(error);
        else resolve(undefined);
      });
    });
    events.push("returned");
    return made;
  });
  assert.ok(waited);
  assert.deepEqual(events, ["returned", "called back"]);
  here.vfs.close();
});

test("a promise that waits for longer than the limit rejects, and has changed nothing", async (t) => {
  const { vfs, words, locks } = await scene(t, true, 20);
  const before = seen(vfs);
  const mutex = (locks["i_mutex of a directory"] ?? 0) >>> 2;
  Atomics.store(words, mutex, OWNER + 1);
  await assert.rejects(vfs.fs.promises.mkdir("/d/new"), { code: "ERR_THREADFS_TIMEOUT", slot: OWNER });
  await assert.rejects(vfs.fs.promises.writeFile("/d/new", "x"), { code: "ERR_THREADFS_TIMEOUT" });
  await assert.rejects(vfs.fs.promises.rm("/d", { recursive: true }), { code: "ERR_THREADFS_TIMEOUT" });
  Atomics.store(words, mutex, 0);
  assert.deepEqual(seen(vfs), before);
  vfs.close();
});

test("a call that waits is given up when its signal is aborted", async (t) => {
  const { vfs, words, locks } = await freshScene(t, true);
  const { fs } = vfs;
  const caches = Array.from(CACHES, (_, i) => (G_CACHES + i * LOCK_LINE) >>> 2);
  // Allocations wait that the thread's sheaves could serve, too.
  caches.push((locks["the lock of the thread's lists"] ?? 0) >>> 2);
  const abort = new AbortController();
  for (const word of caches) Atomics.store(words, word, OWNER + 1);
  const writing = fs.promises.writeFile("/d/new", "x", { signal: abort.signal });
  await turn();
  abort.abort();
  await assert.rejects(writing, { name: "AbortError" });
  for (const word of caches) Atomics.store(words, word, 0);
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(fs.existsSync("/d/new"), false);
  vfs.close();
});

/** Calls of several steps and of one, which wait for the mutex of a directory. */
const WAITING: Readonly<Record<string, (fs: Vfs["fs"]) => Promise<unknown>>> = {
  mkdir: (fs) => fs.promises.mkdir("/d/new"),
  writeFile: (fs) => fs.promises.writeFile("/d/new", "x"),
  copyFile: (fs) => fs.promises.copyFile("/n/f", "/d/new"),
  cp: (fs) => fs.promises.cp("/n", "/d/new", { recursive: true }),
  rm: (fs) => fs.promises.rm("/d", { recursive: true }),
  "a callback": (fs) =>
    new Promise<void>((resolve, reject) => {
      fs.mkdir("/d/new", (error: unknown) => (error ? reject(error) : resolve()));
    }),
};

for (const [what, call] of Object.entries(WAITING)) {
  for (const closes of ["context", "tree"] as const) {
    test(`a call that waits (${what}) fails when its ${closes} is closed meanwhile, and changes nothing`, async (t) => {
      const { vfs, words, locks } = await freshScene(t, true);
      vfs.fs.writeFileSync("/n/f", "x");
      const other = await attachVfs(vfs.handle);
      const context = vfs.context();
      const before = seen(vfs);
      const mutex = (locks["i_mutex of a directory"] ?? 0) >>> 2;
      Atomics.store(words, mutex, OWNER + 1);
      const waiting = assert.rejects(call(context.fs), {
        code: "ERR_THREADFS_CLOSED",
      });
      await turn();
      if (closes === "context") context.close();
      else vfs.close();
      Atomics.store(words, mutex, 0);
      Atomics.notify(words, mutex);
      await waiting;
      assert.deepEqual(seen(other), before);
      const live = [other.threadSlot];
      assert.deepEqual(checkArena(other.handle.memory, { live }).problems, []);
      other.close();
      if (closes === "context") vfs.close();
    });
  }
}

test("what a program does to a path and to data while a call waits is not seen, or seen as far as the data goes", async (t) => {
  const { vfs, words, locks } = await freshScene(t, true);
  const { fs } = vfs;
  const mutex = (locks["i_mutex of a directory"] ?? 0) >>> 2;
  Atomics.store(words, mutex, OWNER + 1);
  const path = Buffer.from(new TextEncoder().encode("/d/new").buffer);
  const data = new Uint8Array(8).fill(0x61);
  const url = new URL("file:///d/url");
  const options = { mode: 0o600 };
  const waiting = [fs.promises.writeFile(path, data), fs.promises.writeFile(url, "x", options)];
  await turn();
  path.fill("/");
  url.pathname = "/d/other";
  options.mode = 0o777;
  structuredClone(data.buffer, { transfer: [data.buffer] });
  Atomics.store(words, mutex, 0);
  Atomics.notify(words, mutex);
  await Promise.all(waiting);
  assert.deepEqual(fs.readdirSync("/d").sort(), ["e", "f", "new", "url"]);
  assert.equal(fs.readFileSync("/d/new", "utf8"), "");
  assert.equal(fs.statSync("/d/url").mode & 0o777, 0o600);
  vfs.close();
});

test("a loop of promises lets the event loop turn", async (t) => {
  const { vfs } = await freshScene(t, true);
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  for (let i = 0; !turned; i++) {
    await vfs.fs.promises.access("/d");
    assert.ok(i < 10_000, "the loop ran alone");
  }
  vfs.close();
});
