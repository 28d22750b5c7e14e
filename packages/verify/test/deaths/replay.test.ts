/**
 * A replay, as `vfs.explain()` makes it: a call of a second instance over the slot of a thread. The thread dies at each access of it, leaves it
 * at each, and another thread changes the tree at each. The arena is whole to the last count, and the first instance goes on.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AT_FDCWD, ERRNO } from "../../../threadfs/dist/abi/abi.js";
import { attach, createMemory, type Hooks, shippingCore, type Thread } from "../../dist/binary/core.js";
import { check } from "../../dist/fsck/check-arena.js";

class Stopped extends Error {}

const watched = shippingCore({ accesses: true });
const plain = new WebAssembly.Module(watched.shipping);
const memory = createMemory({ maxBytes: 3 << 20, threads: 1 });

const stat = (thread: Thread, ctx: number, path: string) => thread.call("sysStat", ctx, AT_FDCWD, thread.path(path), 0);
const rename = (thread: Thread, from: string, to: string) =>
  thread.call("sysRename", 0, AT_FDCWD, thread.path(from), AT_FDCWD, thread.path2(to), 0);

/** The other thread, which has made the tree and two contexts. */
const builder = attach(memory, plain, {}, { init: { seed: 1 } });
const PATH = "/d/l/f";
const [one, two] = (() => {
  for (const path of ["/d", "/d/e", "/m"]) builder.check("sysMkdir", 0, AT_FDCWD, builder.path(path), 0o700 | 0o055);
  builder.check("sysWriteFile", 0, AT_FDCWD, builder.path("/d/e/f"), 0, 0o644, builder.put("x"));
  builder.check("sysSymlink", 0, builder.path("e"), AT_FDCWD, builder.path2("/d/l"));
  return [7, 8].map((uid) => builder.check("contextCreate", 0, uid, uid, 0o22, 0, 0, 0)) as [number, number];
})();
const image = new Uint8Array(memory.buffer).slice();

const problems = (...live: Thread[]) => check(memory, { live: live.map(({ slot }) => slot) }).problems;

/** A thread that has acquired the first context. */
function first(): Thread {
  new Uint8Array(memory.buffer).set(image);
  const thread = attach(memory, plain);
  thread.call("walkMode", 1);
  assert.equal(stat(thread, one, PATH), 0);
  return thread;
}

/** Replays a lookup of the second context. `at`: called before its n-th access. Returns the result; undefined: it was stopped. */
function replay(thread: Thread, ref: boolean, n: number, at: () => void): number | undefined {
  let accesses = 0;
  const hit = (): undefined => {
    if (accesses++ === n) at();
  };
  const hooks: Hooks = { access: hit, store: hit, range: hit };
  const second = attach(memory, watched, hooks, { sharing: thread.slot });
  second.call("walkMode", ref ? 1 : 0);
  const length = thread.path(PATH);
  accesses = 0;
  try {
    const result = second.call("sysWalk", two, AT_FDCWD, length, 0, -1, 0);
    thread.call("threadResume");
    return result;
  } catch (error) {
    if (error instanceof Stopped) return undefined;
    throw error;
  }
}

/** One access of four keeps it short; THREADFS_REPLAY=all: every one. */
const STEP = process.env.THREADFS_REPLAY === "all" ? 1 : 4;

const stop = () => {
  throw new Stopped();
};

describe("a replay", () => {
  for (const ref of [false, true]) {
    // Fails when threadShare() does not take over the context: the one before it has a user too many.
    test(`its thread dies at each access, in ${ref ? "ref" : "rcu"} mode`, () => {
      let n = 0;
      for (; ; n += STEP) {
        const thread = first();
        if (replay(thread, ref, n, stop) !== undefined) break;
        assert.equal(builder.call("threadRecover", thread.slot, 0), 0);
        assert.equal(rename(builder, "/d/e", "/d/away"), 0, `access ${n}`);
        assert.deepEqual(problems(builder), [], `access ${n}`);
      }
      assert.ok(n > (ref ? 100 : 30), `${n} accesses`);
    });

    // Fails when threadResume() does not take over the context.
    test(`it is left at each access, in ${ref ? "ref" : "rcu"} mode, and the first instance takes it back`, () => {
      for (let n = 1; ; n += STEP) {
        const thread = first();
        const ended = replay(thread, ref, n, stop) !== undefined;
        if (!ended) assert.equal(thread.call("threadAbandon", 0), 0);
        assert.equal(stat(thread, one, PATH), 0);
        assert.equal(stat(thread, two, PATH), 0);
        assert.equal(rename(thread, "/d/e", "/d/away"), 0);
        assert.equal(stat(thread, one, PATH), -ERRNO.ENOENT, `access ${n}`);
        assert.deepEqual(problems(builder, thread), [], `access ${n}`);
        if (ended) break;
      }
    });
  }

  // Fails when threadResume() does not take over the context: the first instance goes on with one that is freed.
  for (const [what, change, answer] of [
    ["renames its directory", () => rename(builder, "/d/e", "/m/e"), 0],
    ["closes the context that the thread has acquired", () => builder.call("contextClose", 0, one), -ERRNO.EBADF],
  ] as const) {
    test(`another thread ${what} at each access in rcu mode`, () => {
      let n = 0;
      for (let changed = true; changed; n += STEP) {
        const thread = first();
        changed = false;
        const result = replay(thread, false, n, () => {
          changed = true;
          assert.equal(change(), 0);
        });
        assert.ok(result === 0 || result === -ERRNO.ENOENT, `access ${n}: ${result}`);
        if (changed) assert.equal(stat(thread, one, answer === 0 ? "/m/e/f" : PATH), answer, `access ${n}`);
        assert.equal(stat(thread, two, "/d"), 0);
        for (let i = 0; i < 3; i++) builder.call("synchronizeRcu");
        assert.deepEqual(problems(builder, thread), [], `access ${n}`);
      }
      assert.ok(n > 20, `${n} accesses`);
    });
  }
});
