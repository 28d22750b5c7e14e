/** Numbers and lives of contexts: a number is never another context's, and contexts that no thread needs can be closed. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { CONTEXT, CTX_TABLE, SLOT_ACTIVE } from "../../../../verify/dist/arena/layout.js";
import { attach, createMemory, shippingCore, type Thread } from "../../../../verify/dist/binary/core.js";
import { MAX_CONTEXTS, OF_MAKER, SLOT_SIZE, SLOTS } from "../../../dist/abi/abi.js";
import { G_CTX_MADE } from "../../../dist/generated/core-layout.js";
import { attachVfs, type Vfs, type VfsHandle } from "../../../dist/src/index.js";
import { codeOf, refused } from "../../support/errors.js";
import { callingThread, open, tree } from "./trees.js";

/** Sets how many contexts the tree has created. */
function setMade(vfs: Vfs, made: bigint): void {
  new BigUint64Array(vfs.handle.memory.buffer, G_CTX_MADE, 1)[0] = made;
}

describe("numbers of contexts", () => {
  for (const bits of [20, 21, 22, 31, 32, 42]) {
    test(`a handle of a closed context is refused after 2^${bits} more contexts`, async () => {
      const vfs = await tree();
      const stranger = vfs.context({ uid: 1000, gid: 1000 });
      const stale = stranger.handle;
      const made = BigInt(Math.floor(stale.ctx / MAX_CONTEXTS));
      stranger.close();
      for (let n = 0; n < 3; n++) {
        setMade(vfs, made + (1n << BigInt(bits)) - 2n + BigInt(n));
        const next = vfs.context({ uid: 0 });
        assert.notEqual(next.handle.ctx, stale.ctx);
        assert.ok(Number.isSafeInteger(next.handle.ctx));
        next.fs.writeFileSync("/f", "");
        await assert.rejects(attachVfs(stale), { code: "ERR_THREADFS_HANDLE" });
        next.close();
      }
    });
  }

  test("when all numbers are used up there is an error, and no number comes again", async () => {
    const vfs = await tree();
    setMade(vfs, 2n ** 43n - 2n);
    const last = vfs.context();
    assert.equal(Math.floor(last.handle.ctx / MAX_CONTEXTS), 2 ** 43 - 2);
    last.close();
    refused("ERR_THREADFS_CONTEXTS", () => vfs.context());
  });

  test("a handle with a number of no context is refused", async () => {
    const vfs = await tree();
    const ended = [1, 1024, 2 ** 20, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 53 - 1];
    const never = [2 ** 53, 2 ** 60, -1, 0.5, Number.NaN, "0", null, undefined];
    for (const ctx of [...ended, ...never]) {
      const handle = { ...vfs.handle, ctx } as unknown as VfsHandle;
      const { code, message } = await attachVfs(handle).then(
        () => assert.fail(`context ${ctx}`),
        (error: NodeJS.ErrnoException) => error,
      );
      assert.equal(code, "ERR_THREADFS_HANDLE", `${ctx}`);
      // What no context ever has for a number is not taken for one that has been closed.
      assert.equal(message.includes("no context number"), never.includes(ctx), `${ctx}: ${message}`);
    }
  });

  test("an object of a context that another thread has closed never becomes another context", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/secret", "x", { mode: 0o600 });
    const agent = vfs.context({ uid: 1000, gid: 1000 });
    const other = await attachVfs(agent.handle, { share: false });
    open.push(other);
    agent.close();
    for (let n = 0; n < 5; n++) {
      const next = vfs.context({ uid: 0 });
      refused("EBADF", () => other.fs.readFileSync("/secret"));
      refused("EBADF", () => other.getcwd());
      next.close();
    }
  });
});

// Fails when a handle is read once to be checked and once to be used.
test("a handle is what it was when it was checked", async () => {
  const vfs = await tree();
  const stranger = vfs.context({ uid: 1000 });
  vfs.fs.writeFileSync("/f", "", { mode: 0o600 });
  const { handle } = stranger;
  for (const share of [true, false]) {
    let reads = 0;
    const changing = {
      ...handle,
      get ctx() {
        return reads++ === 0 ? handle.ctx : 0;
      },
    };
    const attached = await attachVfs(changing, { share });
    refused("EACCES", () => attached.fs.readFileSync("/f"));
    attached.close();
  }
  const zero = await attachVfs({ ...vfs.handle, ctx: -0 }, { share: false });
  assert.equal(vfs.contexts()[0]?.threads, 2);
  zero.close();
});

describe("the end of contexts", () => {
  test("contexts whose handle was never read end with the thread that created them", async () => {
    const vfs = await tree();
    for (let round = 0; round < 3; round++) {
      const maker = await attachVfs(vfs.handle, { share: false });
      for (let n = 0; n < 1000; n++) maker.context({ uid: n });
      maker.close();
    }
    assert.equal(vfs.contexts().length, 1);
  });

  test("they end with a worker that is terminated", async () => {
    const vfs = await tree();
    const source = `
      import { workerData, parentPort } from "node:worker_threads";
      const { attachVfs } = await import(workerData.library);
      const vfs = await attachVfs(workerData.handle);
      for (let n = 0; n < 600; n++) vfs.context({ uid: n }).fs.openSync("/f", "r");
      parentPort.postMessage("made");
      setInterval(() => {}, 1000);
    `;
    vfs.fs.writeFileSync("/f", "");
    const library = new URL("../../../dist/src/index.js", import.meta.url).href;
    for (let round = 0; round < 2; round++) {
      const workerData = { handle: vfs.handle, library };
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData });
      vfs.attachWorker(worker);
      await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
      assert.equal(vfs.contexts().length, 601);
      await worker.terminate();
      assert.equal(vfs.contexts().length, 1);
      assert.equal(vfs.counters().openFiles, 0);
    }
  });

  test("a context whose handle was read stays until it is closed, with the number of its threads shown", async () => {
    const vfs = await tree();
    const maker = await attachVfs(vfs.handle, { share: false });
    const { handle } = maker.context({ uid: 1000, gid: 7 });
    maker.context({ uid: 1001 });
    maker.close();
    const listed = vfs.contexts();
    assert.deepEqual(
      listed.map(({ ctx, uid, gid, threads }) => [ctx, uid, gid, threads]),
      [
        [0, 0, 0, 1],
        [handle.ctx, 1000, 7, 0],
      ],
    );
    const thread = await callingThread(handle);
    assert.equal(vfs.contexts()[1]?.threads, 1);
    await thread.stop();
    vfs.contexts()[1]?.close();
    assert.equal(vfs.contexts().length, 1);
    refused("EBADF", () => listed[1]?.close());
    refused("EINVAL", () => listed[0]?.close());
    await assert.rejects(attachVfs(handle), { code: "ERR_THREADFS_HANDLE" });
  });

  test("one context too many gives an error that says what to do", async () => {
    const vfs = await tree();
    for (let n = 1; n < MAX_CONTEXTS; n++) vfs.context();
    assert.throws(() => vfs.context(), { code: "ERR_THREADFS_CONTEXTS", message: /close\(\).*vfs\.contexts\(\)/ });
    for (const context of vfs.contexts().slice(1)) context.close();
    vfs.context().close();
  });
});

describe("contexts and the Vfs that made them", () => {
  // Fails when close() of a tree ends its contexts in the thread alone: a thread that attaches for each task runs out of them.
  test("contexts end with the Vfs that made them, also where the thread stays attached", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/f", "");
    for (let task = 0; task < MAX_CONTEXTS + 10; task++) {
      const attached = await attachVfs(vfs.handle);
      attached.context({ uid: task }).fs.openSync("/f", "r");
      attached.close();
    }
    assert.equal(vfs.contexts().length, 1);
    assert.equal(vfs.counters().openFiles, 0);
  });

  test("one whose handle was read stays when the Vfs that made it is closed", async () => {
    const vfs = await tree();
    const attached = await attachVfs(vfs.handle);
    const { handle } = attached.context({ uid: 7 });
    attached.close();
    assert.deepEqual(
      vfs.contexts().map(({ uid }) => uid),
      [0, 7],
    );
    const user = await attachVfs(handle);
    assert.equal(user.fs.existsSync("/"), true);
    user.close();
  });

  // Fails when a context counts as closed although the core could not be called.
  test("a hook cannot close a context or hand it on: it stays as it is", async () => {
    const vfs = await tree();
    const context = vfs.context({ uid: 7 });
    let inHook = (): unknown => undefined;
    vfs.registerDriver({
      name: "calling",
      root: () => ({ ino: 1, mode: 0o040755 }),
      lookup: () => {
        inHook();
        return null;
      },
    });
    vfs.fs.mkdirSync("/m");
    vfs.mount(null, "/m", "calling");
    const codes: unknown[] = [];
    for (const call of [() => context.close(), () => context.handle, () => vfs.close()]) {
      inHook = () => codes.push(codeOf(call));
      assert.equal(vfs.fs.existsSync(`/m/${codes.length}`), false);
    }
    assert.deepEqual(codes, Array(3).fill("ERR_THREADFS_REENTERED"));
    assert.equal(context.fs.existsSync("/"), true);
    assert.equal(vfs.contexts().length, 2);
    context.close();
    assert.equal(vfs.contexts().length, 1);
  });
});

describe("trees, contexts and what is theirs are not cloned", () => {
  test("structuredClone() and postMessage() of a tree or a context say what to post", async () => {
    const vfs = await tree();
    const { port1, port2 } = new MessageChannel();
    for (const object of [vfs, vfs.context()]) {
      assert.throws(() => structuredClone(object), { code: "ERR_THREADFS_NOT_CLONEABLE", message: /handle/ });
      assert.throws(() => port1.postMessage({ object }), { code: "ERR_THREADFS_NOT_CLONEABLE" });
      assert.equal(structuredClone(object.handle).ctx, object.handle.ctx);
    }
    port1.close();
    port2.close();
  });

  test("structuredClone() of a FileHandle says what to post", async () => {
    const { fs } = await tree();
    const handle = await fs.promises.open("/", "r");
    assert.throws(() => structuredClone(handle), { code: "ERR_THREADFS_NOT_CLONEABLE", message: /vfs\.handle/ });
    await handle.close();
  });

  // Its error is the host's, because a getter that throws would make `{ ...fs }` fail.
  test("structuredClone() of fs or of fs.promises says what to post, and a copy of fs works", async () => {
    const { fs } = await tree();
    const message = /post vfs\.handle instead/;
    for (const object of [fs, fs.promises]) {
      assert.throws(() => structuredClone(object), { name: "DataCloneError", message });
      assert.throws(() => new Worker("", { eval: true, workerData: { fs: object } }), {
        name: "DataCloneError",
        message,
      });
    }
    assert.equal({ ...fs }.existsSync("/"), true);
    await { ...fs.promises }.access("/");
  });

  test("attachVfs() of a tree or a context asks for its handle", async () => {
    const vfs = await tree();
    for (const object of [vfs, vfs.context(), vfs.handle.memory] as unknown as VfsHandle[]) {
      await assert.rejects(attachVfs(object), { code: "ERR_THREADFS_HANDLE", message: /Pass `vfs\.handle`/ });
    }
  });
});

// Fails when a context is listed from the moment on that it has a number: with the user 0, whoever it is for.
test("a context is listed with its user and group from the first moment on", () => {
  const core = shippingCore({ accesses: true });
  const memory = createMemory();
  const seen = new Map<number, Set<string>>();
  let listing: Thread | undefined;
  const list = () => {
    if (listing === undefined) return;
    const { exports, numbers } = listing;
    for (let at = exports.contextList(0, 0); at >= 0; at = exports.contextList(0, at + 1)) {
      const [number = 0, uid, gid] = numbers;
      seen.set(number, (seen.get(number) ?? new Set()).add(`${uid} ${gid}`));
    }
  };
  const making = attach(memory, core, { access: () => void list() }, { init: { seed: 1 } });
  listing = attach(memory, core);
  const number = making.exports.contextCreate(0, 1000, 2000, OF_MAKER, OF_MAKER, 0, 0, 0);
  assert.ok(number > 0, `${number}`);
  list();
  assert.deepEqual(
    [...seen],
    [
      [0, new Set(["0 0"])],
      [number, new Set(["1000 2000"])],
    ],
  );
});

// Fails when a recount counts a context without a root for one that is in use.
test("a context whose maker has trapped before it had a root goes with the next recount", () => {
  const core = shippingCore({ accesses: true });
  const memory = createMemory();
  const words = new Uint32Array(memory.buffer);
  const contexts = () => [...words.subarray(CTX_TABLE / 4, CTX_TABLE / 4 + MAX_CONTEXTS)].filter((at) => at !== 0);
  const trap = new Error("a trap");
  let making = false;
  const atAccess = (): undefined => {
    // The context has its place in the table and its user, and the next thing that it gets is its root.
    if (making && words[((contexts()[1] ?? 0) + CONTEXT.gid) / 4] === 2000) throw trap;
  };
  const maker = attach(memory, core, { access: atAccess }, { init: { seed: 1 } });
  const survivor = attach(memory, core);
  const other = attach(memory, core);
  making = true;
  assert.throws(() => maker.exports.contextCreate(0, 1000, 2000, OF_MAKER, OF_MAKER, 0, 0, 0), trap);
  making = false;
  survivor.exports.threadRecover(maker.slot, 1);
  const left = contexts().map((at) => words[(at + CONTEXT.root) / 4]);
  assert.equal(left.length, 2);
  assert.equal(left[1], 0);
  // A thread that was active when it died: its references are counted anew.
  Atomics.store(words, (SLOTS + other.slot * SLOT_SIZE + SLOT_ACTIVE) / 4, 1);
  assert.equal(survivor.exports.threadRecover(other.slot, 0), 0);
  assert.equal(contexts().length, 1);
});
