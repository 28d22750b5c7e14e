/** Programs in C as components on threadfs/wasi-preview2 do what the same programs do on Linux: what they print, and the files that they leave. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Worker } from "node:worker_threads";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";
import { createVfs } from "threadfs";
import { createPreview2 } from "threadfs/wasi-preview2";
import { cli, hasFailed } from "./cli.js";
import { compileC, installCompiler } from "./compiler.js";
import { load, transpile } from "./component.js";
import type { ComponentSetup } from "./component-worker.js";
import { besideOnLinux, ENV, INPUT, NODE, onLinux, PROGRAMS } from "./native.js";
import { treeOf } from "./tree.js";

const work = mkdtempSync(join(tmpdir(), "threadfs-components-"));
/** Where the programs run on Linux. */
const linux = join(work, "linux");

before(() => {
  installCompiler();
  mkdirSync(linux);
});
after(() => rmSync(work, { recursive: true }));

test("files, a find, and random access to records", async (t) => {
  const vfs = await createVfs({ maxBytes: 1 << 27 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/w");
  for (const [name, args] of PROGRAMS) {
    const { wasm, native } = compileC(name, work);
    const folder = join(work, `${name}-component`);
    await transpile(wasm, folder, name);
    const component = await load(folder, name);
    const { filesystem, io, close } = createPreview2(vfs, { preopens: { ".": "/w" } });
    const { given, shim } = cli([name, ...args], ENV, INPUT);
    const imports = new WASIShim({ filesystem, io, cli: shim }).getImportObject();
    const failed = hasFailed(() => component(imports));
    close();
    const { code, ...printed } = onLinux(linux, native, args);
    assert.deepEqual(given, printed, name);
    assert.equal(failed, code !== 0, name);
    assert.deepEqual(treeOf(vfs.fs, "/w"), treeOf(NODE, linux), `the files after ${name}`);
  }
  assert.equal(vfs.counters().openFiles, 0);
});

const WORKER = new URL("./component-worker.js", import.meta.url);

test("a component in each of two workers, at once", async (t) => {
  const vfs = await createVfs({ maxBytes: 1 << 27 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/w");
  rmSync(linux, { recursive: true });
  mkdirSync(linux);
  const name = "claims";
  const { wasm, native } = compileC(name, work);
  const folder = join(work, `${name}-component`);
  await transpile(wasm, folder, name);
  const runs = [
    ["a", "b"],
    ["b", "a"],
  ];
  const workers = runs.map((args) => {
    const workerData: ComponentSetup = { handle: vfs.handle, folder, name, args };
    return new Worker(WORKER, { workerData });
  });
  const printed = await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0] as unknown));
  await Promise.all(workers.map((worker) => worker.terminate()));
  assert.deepEqual(printed, await Promise.all(runs.map((args) => besideOnLinux(linux, native, args))));
  assert.deepEqual(treeOf(vfs.fs, "/w", true), treeOf(NODE, linux, true));
});
