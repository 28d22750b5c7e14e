/** threadfs/napi-rs: the start and the end of a binding and of its workers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import {
  type BindingOptions,
  instantiateBinding,
  type NapiRuntime,
  runBindingThreads,
} from "../../../dist/src/napi-rs.js";
import type { Wasi } from "../../../dist/src/wasi.js";
import { callsOf, FakeHandler, open } from "./runtime.js";

async function tree(t: TestContext): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/box");
  vfs.fs.writeFileSync("/box/file", "text");
  return vfs;
}

const newMemory = () => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
const newWorker = () => new Worker(new URL("./thread.worker.js", import.meta.url));

/** What emnapi gets. */
interface Given {
  wasi: Wasi;
  context: unknown;
  asyncWorkPoolSize: number;
  reuseWorker: boolean | object;
  plugins?: unknown;
  onCreateWorker(): Worker;
  overwriteImports(imports: object): { env: object };
  beforeInit(source: { instance: { exports: object } }): void;
}

/** Starts a binding with a runtime that does this. */
async function start(vfs: Vfs, use: (given: Given) => unknown, more: Partial<BindingOptions> = {}, module = {}) {
  const runtime = {
    getDefaultContext: () => "context",
    async instantiateNapiModule(wasm: unknown, given: Given) {
      assert.equal(wasm, "module");
      await use(given);
      return { napiModule: { exports: { answer: 42 }, ...module } };
    },
  };
  const wasm = Promise.resolve("module");
  return instantiateBinding({ vfs, wasm, runtime: runtime as NapiRuntime, createWorker: newWorker, ...more });
}

test("emnapi gets a WASI of the tree, the memory, and what napi-rs registers", async (t) => {
  const vfs = await tree(t);
  const memory = newMemory();
  const called: string[] = [];
  const call = (name: string) => () => called.push(name);
  const use = (given: Given): void => {
    const { context, asyncWorkPoolSize, reuseWorker, plugins } = given;
    assert.deepEqual({ context, asyncWorkPoolSize, reuseWorker, plugins }, WANTED);
    const { env } = given.overwriteImports({ env: { a: 1 }, napi: { b: 2 }, emnapi: { c: 3 } });
    assert.deepEqual(env, { a: 1, b: 2, c: 3, memory });
    const exports = { __napi_register__one: call("one"), other: call("other"), __napi_register__two: call("two") };
    given.beforeInit({ instance: { exports } });
    assert.ok(open(given.wasi, memory, "box/file") > 3);
  };
  const WANTED = { context: "context", asyncWorkPoolSize: 4, reuseWorker: true, plugins: ["p"] };
  const PThread = { terminateAllThreads: call("terminate") };
  const binding = await start(vfs, use, { memory, emnapi: { plugins: ["p"], reuseWorker: false } }, { PThread });
  assert.deepEqual(called, ["one", "two"]);
  assert.deepEqual([binding.exports, binding.workerCount], [{ answer: 42 }, 0]);
  assert.equal(vfs.counters().openFiles, 2);
  binding.close();
  assert.deepEqual(called.slice(2), ["terminate"]);
  assert.equal(vfs.counters().openFiles, 0);
});

test("emnapi has workers ready as the option says", async (t) => {
  const vfs = await tree(t);
  const use = ({ reuseWorker }: Given): void => assert.deepEqual(reuseWorker, { size: 3 });
  (await start(vfs, use, { readyWorkers: 3 })).close();
});

test("a worker attaches before its thread loads, and has the descriptors of the others", async (t) => {
  const vfs = await tree(t);
  const memory = newMemory();
  let wasi: Wasi | undefined;
  const use = async (given: Given): Promise<void> => {
    ({ wasi } = given);
    const worker = given.onCreateWorker();
    worker.postMessage({ load: { wasmModule: "module", wasmMemory: memory } });
    const [{ fd, ...rest }] = (await once(worker, "message")) as [{ fd: number }];
    assert.deepEqual(rest, { module: "module", childThread: true, napi: 1, hasGlobal: true });
    wasi.bindMemory(memory);
    assert.equal(callsOf(wasi).fd_close?.(fd), 0);
    assert.equal(callsOf(wasi).fd_close?.(fd), 8);
  };
  const worker = newWorker();
  const binding = await start(vfs, use, { createWorker: () => worker, wasi: { preopens: { ".": "/box" } } });
  assert.equal(binding.workerCount, 1);
  const ended = once(worker, "exit");
  Object.assign(worker, { onmessage: () => assert.fail("a message of a worker that is terminated") });
  binding.close();
  binding.close();
  assert.equal((worker as { onmessage?: unknown }).onmessage, null);
  await ended;
});

test("a binding of a context is its user, in its workers too", async (t) => {
  const vfs = await tree(t);
  const context = vfs.context({ uid: 1000, gid: 1000 });
  t.after(() => context.close());
  const denied = -2;
  const use = async (given: Given): Promise<void> => {
    assert.ok(open(given.wasi, newMemory(), "file") > 3);
    vfs.fs.chmodSync("/box/file", 0o600);
    assert.equal(open(given.wasi, newMemory(), "file"), denied);
    const worker = given.onCreateWorker();
    // What is no message of the binding is not its business.
    worker.postMessage(null);
    worker.postMessage({ load: { wasmModule: "module", wasmMemory: newMemory() } });
    const [{ fd }] = (await once(worker, "message")) as [{ fd: number }];
    assert.equal(fd, denied);
  };
  (await start(vfs, use, { vfs: context, wasi: { preopens: { ".": "/box" } } })).close();
});

// Before, the start waited for ever.
test("a worker that ends before the binding has started is an error of the start", async (t) => {
  const vfs = await tree(t);
  const createWorker = () => new Worker("", { eval: true });
  const use = (given: Given) => {
    given.onCreateWorker();
    return new Promise(() => {});
  };
  await assert.rejects(start(vfs, use, { createWorker }), { code: "ERR_THREADFS_WORKER_ENDED" });
  assert.equal(vfs.counters().openFiles, 0);
});

// Before, the error was that such a value cannot be terminated, and the descriptors stayed open.
test("what createWorker returns has to be a worker", async (t) => {
  const vfs = await tree(t);
  for (const worker of [undefined, null, 5, {}, { postMessage() {} }]) {
    const use = (given: Given) => given.onCreateWorker();
    const started = start(vfs, use, { createWorker: () => worker as never });
    await assert.rejects(started, { code: "ERR_INVALID_ARG_TYPE", message: /createWorker/ });
    assert.equal(vfs.counters().openFiles, 0);
  }
});

test("what emnapi throws ends the workers and closes the descriptors", async (t) => {
  const vfs = await tree(t);
  const worker = newWorker();
  const ended = once(worker, "exit");
  const use = (given: Given): void => {
    given.onCreateWorker();
    throw new Error("no such import");
  };
  await assert.rejects(start(vfs, use, { createWorker: () => worker }), /no such import/);
  await ended;
  assert.equal(vfs.counters().openFiles, 0);
});

test("a worker that cannot attach fails with the error", async () => {
  const worker = newWorker();
  worker.postMessage({
    threadfs: { tree: {}, descriptors: new SharedArrayBuffer(4), args: [], env: [], preopens: [] },
  });
  const [error] = (await once(worker, "error")) as [{ code: string }];
  assert.match(error.code, /^ERR_(?:THREADFS_HANDLE|INVALID_ARG_TYPE)$/);
});

test("bad options are refused", async (t) => {
  const vfs = await tree(t);
  const good = {
    vfs,
    wasm: {},
    runtime: { instantiateNapiModule: async () => {} },
    createWorker: newWorker,
    context: {},
  };
  const refused = (change: object, code = "ERR_INVALID_ARG_TYPE") =>
    assert.rejects(instantiateBinding({ ...good, ...change } as unknown as BindingOptions), { code });
  for (const name of ["vfs", "wasm", "runtime", "createWorker"]) await refused({ [name]: undefined });
  for (const name of ["vfs", "memory", "emnapi", "context", "wasi"]) await refused({ [name]: 5 });
  await refused({ context: undefined });
  await refused({ readyWorkers: "2" });
  for (const readyWorkers of [-1, 0.5, 257]) await refused({ readyWorkers }, "ERR_OUT_OF_RANGE");
  await refused({ vfs: {} });
  await refused({ worker: newWorker }, "ERR_INVALID_ARG_VALUE");
  await refused({ wasi: { preopens: { "/": "/none" } } }, "ENOENT");
  const runtime = { MessageHandler: FakeHandler, instantiateNapiModuleSync: () => {} };
  assert.throws(() => runBindingThreads(runtime), { code: "ERR_THREADFS_NOT_A_WORKER" });
  assert.throws(() => runBindingThreads({} as never), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => runBindingThreads(runtime, { port: 1 } as never), { code: "ERR_INVALID_ARG_VALUE" });
});
