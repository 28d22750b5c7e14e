/** Programs in C on threadfs/wasi do what the same programs do on Linux: what they print, their exit code, the files that they leave. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { createVfs, type Vfs } from "threadfs";
import { createWasi, type Wasi, type WasiOptions } from "threadfs/wasi";
import type { WorkerSetup } from "./c-worker.js";
import { compileC, installCompiler, THREADS_MAXIMUM } from "./compiler.js";
import { ENV, type Ended, INPUT, NODE, onLinux, PROGRAMS } from "./native.js";
import { treeOf } from "./tree.js";

const work = mkdtempSync(join(tmpdir(), "threadfs-c-"));
/** Where the programs run on Linux. */
const linux = join(work, "linux");

before(() => {
  installCompiler();
  mkdirSync(linux);
});
after(() => rmSync(work, { recursive: true }));

/** A program on the tree, with its files in /w. */
function onTree(vfs: Vfs, args: readonly string[]) {
  const ended: Ended = { code: null, stdout: "", stderr: "" };
  const input = [INPUT];
  const options: WasiOptions = {
    ...{ args, env: ENV, preopens: { ".": "/w" } },
    stdin: () => input.shift(),
    stdout: (bytes) => {
      ended.stdout += Buffer.from(bytes);
    },
    stderr: (bytes) => {
      ended.stderr += Buffer.from(bytes);
    },
  };
  return { wasi: createWasi(vfs, options), ended };
}

const instantiate = (module: WebAssembly.Module, wasi: Wasi, memory?: WebAssembly.Memory) =>
  new WebAssembly.Instance(module, {
    ...wasi.getImportObject(),
    env: { ...(memory && { memory }) },
  } as WebAssembly.Imports);

test("files, a find, and random access to records", async (t) => {
  const vfs = await createVfs({ maxBytes: 1 << 27 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/w");
  for (const [name, args] of PROGRAMS) {
    const { wasm, native } = compileC(name, work);
    const { wasi, ended } = onTree(vfs, [name, ...args]);
    ended.code = wasi.start(instantiate(new WebAssembly.Module(readFileSync(wasm)), wasi));
    assert.deepEqual(ended, onLinux(linux, native, args), name);
    assert.deepEqual(treeOf(vfs.fs, "/w"), treeOf(NODE, linux), `the files after ${name}`);
  }
  assert.equal(vfs.counters().openFiles, 0);
});

const WORKER = new URL("./c-worker.js", import.meta.url);

/** Starts a worker, and waits until it says that it runs. */
async function started(workerData: WorkerSetup): Promise<Worker> {
  const worker = new Worker(WORKER, { workerData });
  await once(worker, "message");
  return worker;
}

test("threads share descriptors, their positions and their flags", async (t) => {
  const vfs = await createVfs({ maxBytes: 1 << 27 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/w");
  rmSync(linux, { recursive: true });
  mkdirSync(linux);
  const { wasm, native } = compileC("threads", work, true);
  const module = new WebAssembly.Module(readFileSync(wasm));
  const memory = new WebAssembly.Memory({ initial: 17, maximum: THREADS_MAXIMUM, shared: true });
  const { wasi, ended } = onTree(vfs, ["threads"]);
  wasi.bindMemory(memory);
  const threads = { handle: wasi.handle, module, memory };
  const workers = await Promise.all([1, 2, 3].map(() => started({ threads })));
  const exits = workers.map((worker) => once(worker, "exit"));
  ended.code = wasi.start(instantiate(module, wasi, memory));
  assert.deepEqual(ended, onLinux(linux, native, []));
  assert.deepEqual(treeOf(vfs.fs, "/w", true), treeOf(NODE, linux, true));
  assert.equal(await wasi.ended(), 7);
  await Promise.all(exits);
  assert.equal(vfs.counters().openFiles, 0);
});

test("a program that is killed in the middle leaves no descriptor and no lock, and the next one goes on with its files", async (t) => {
  const vfs = await createVfs({ maxBytes: 1 << 27 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/w");
  const module = new WebAssembly.Module(readFileSync(compileC("records", work).wasm));
  for (let n = 0; n < 5; n++) {
    const worker = await started({ handle: vfs.handle, module });
    await sleep(20 + 7 * n);
    await worker.terminate();
  }
  assert.equal(vfs.counters().openFiles, 0);
  assert.deepEqual(
    vfs.fs.readdirSync("/w"),
    ["copy", "journal", "records"].filter((name) => vfs.fs.existsSync(`/w/${name}`)),
  );
  for (const name of vfs.fs.readdirSync("/w")) vfs.fs.unlinkSync(`/w/${name}`);
  const { wasi, ended } = onTree(vfs, ["records"]);
  assert.equal(wasi.start(instantiate(module, wasi)), 0, ended.stdout);
});
