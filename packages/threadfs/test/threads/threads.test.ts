/** Calls of many steps, while other threads change the files that they work on. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defined } from "../../../cli/dist/support/defined.js";
import { WorkerPool } from "../../../cli/dist/support/worker-pool.js";
import { HANG_MS } from "../../../verify/dist/support/hang.js";
import { createVfs, type FsSync, type Vfs } from "../../dist/src/index.js";
import type { TestScope } from "../support/hooked-vfs.js";
import type { BusyKind, BusyRequest, BusyWorkerData } from "./busy.worker.js";

interface BusyThreads {
  /** Waits until the threads have done their rounds. */
  ended(): Promise<unknown>;
  /** Works while the threads do, then stops them. An error of a thread comes first: it may be the cause of this thread's. */
  during(work: () => void): Promise<void>;
}

/** Starts threads of busy.worker.ts; they end by themselves after their rounds. */
async function busy(t: TestScope, vfs: Vfs, kinds: readonly BusyKind[], rounds: number): Promise<BusyThreads> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const workerData: BusyWorkerData = { handle: vfs.handle, stop };
  const script = new URL("./busy.worker.js", import.meta.url);
  const pool = new WorkerPool<BusyRequest>(script, kinds.length, "busy thread", workerData);
  t.after(() => {
    Atomics.store(stop, 0, 1);
    return pool.stop();
  });
  await pool.askAll(() => ({ task: "hello" }), HANG_MS);
  const ended = pool.askAll(
    (id) => ({ task: "work", kind: defined(kinds[id], `kind of thread ${id}`), id, rounds }),
    HANG_MS,
  );
  ended.catch(() => undefined);
  return {
    ended: () => ended,
    async during(work) {
      let failed: unknown;
      try {
        work();
      } catch (error) {
        failed = error;
      }
      Atomics.store(stop, 0, 1);
      await ended;
      if (failed) throw failed;
    },
  };
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function count(fs: FsSync, path: string): number {
  return fs.existsSync(path) ? fs.readdirSync(path).length : 0;
}

describe("while other threads change the tree", () => {
  test("rm removes what is below a directory and nothing else", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 28 });
    const { fs } = vfs;
    try {
      fs.mkdirSync("/outside/kept", { recursive: true });
      fs.writeFileSync("/outside/kept/file", "kept");
      fs.mkdirSync("/busy");
      const others = await busy(t, vfs, ["fill", "fill", "swap"], 1_000_000);
      const removeAll = () => {
        // So many that the last are swapped after rm has read their names and before it opens them.
        for (let wait = 0; wait < 200 && count(fs, "/busy/0") < 150; wait++) pause(1);
        try {
          fs.rmSync("/busy", { recursive: true, force: true });
        } catch (error) {
          // rm gives up, as Node's does, when the directory is filled faster than rm empties it.
          assert.equal((error as NodeJS.ErrnoException).code, "ENOTEMPTY");
        }
      };
      await others.during(() => {
        for (let i = 0; i < 40; i++) removeAll();
      });
      assert.equal(fs.readFileSync("/outside/kept/file", "utf8"), "kept");
      fs.rmSync("/busy", { recursive: true, force: true });
      assert.deepEqual(fs.readdirSync("/"), ["outside"]);
      assert.equal(vfs.counters().openFiles, 0, "no descriptor is left open");
    } finally {
      vfs.close();
    }
  });

  test("a recursive mkdir succeeds when other threads make the same directories", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 28 });
    const { fs } = vfs;
    try {
      const rounds = 2000;
      const others = await busy(t, vfs, ["path", "path"], rounds);
      for (let i = 0; i < rounds; i++) fs.mkdirSync(`/made/${i}/a/b/c/d`, { recursive: true });
      await others.ended();
      assert.equal(fs.readdirSync("/made").length, rounds);
      for (let i = 0; i < rounds; i++) assert.ok(fs.statSync(`/made/${i}/a/b/c/d`).isDirectory());
    } finally {
      vfs.close();
    }
  });

  test("readdir and cp return every lasting entry of a directory that other threads fill", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 28 });
    const { fs } = vfs;
    try {
      fs.mkdirSync("/busy/0/0", { recursive: true });
      const always = Array.from({ length: 60 }, (_, i) => `always-${i}`);
      for (const name of always) fs.writeFileSync(`/busy/0/${name}`, name);
      const others = await busy(t, vfs, ["fill", "fill"], 200_000);
      await others.during(() => {
        for (let i = 0; i < 100; i++) {
          const names = fs.readdirSync("/busy/0");
          assert.equal(new Set(names).size, names.length, "no name comes twice");
          for (const name of always) assert.ok(names.includes(name), name);
        }
        fs.cpSync("/busy/0", "/copy", { recursive: true });
      });
      for (const name of always) assert.equal(fs.readFileSync(`/copy/${name}`, "utf8"), name);
    } finally {
      vfs.close();
    }
  });
});
