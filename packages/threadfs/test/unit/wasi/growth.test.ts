/** threadfs/wasi: one thread of a program adds to its memory while another one makes calls with addresses in it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { createVfs } from "../../../dist/src/index.js";
import { createWasi } from "../../../dist/src/wasi.js";
import type { GrowthWorkerData } from "./growth.worker.js";
import { DIR, OFLAG, TestProgram } from "./program.js";

const { RESULT } = TestProgram;
const PAGES = 60;
/** Longer than a part that is copied by the scratch area. */
const [AT, SIZE] = [131_072, 100_000];

test("calls write and read what they should while another thread adds to the memory, up to its new end", async (t) => {
  const vfs = await createVfs({ maxBytes: 32 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/box");
  vfs.fs.writeFileSync("/box/f", "0123456789");
  const memory = new WebAssembly.Memory({ initial: 8, maximum: 8 + PAGES, shared: true });
  const wasi = createWasi(vfs, { preopens: { "/": "/box" }, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const program = new TestProgram(wasi, memory);
  const small = program.opened(DIR, "f");
  const large = program.opened(DIR, "large", { oflags: OFLAG.CREAT });
  const added = new Int32Array(new SharedArrayBuffer(8));
  const workerData: GrowthWorkerData = { memory, added, pages: PAGES };
  const worker = new Worker(new URL("./growth.worker.js", import.meta.url), { workerData });
  const ended = once(worker, "exit");
  let seen = 0;
  for (let round = 0; Atomics.load(added, 0) < PAGES || seen < PAGES; round++) {
    seen = Atomics.load(added, 0);
    const byte = round & 255;
    new Uint8Array(memory.buffer, AT, SIZE).fill(byte);
    assert.equal(program.call("fd_pwrite", large, ...program.vectors([[AT, SIZE]]), 0n, RESULT), "SUCCESS");
    assert.equal(program.result, SIZE);
    new Uint8Array(memory.buffer, AT, SIZE).fill(byte ^ 255);
    assert.equal(program.call("fd_pread", large, ...program.vectors([[AT, SIZE]]), 0n, RESULT), "SUCCESS");
    assert.ok(new Uint8Array(memory.buffer, AT, SIZE).every((value) => value === byte));
    const end = memory.buffer.byteLength;
    assert.equal(program.call("fd_pread", small, ...program.vectors([[end - 10, 10]]), 0n, RESULT), "SUCCESS");
    assert.equal(program.bytes(end - 10, 10), "0123456789");
    assert.equal(program.call("path_filestat_get", DIR, 1, "f", end - 64), "SUCCESS");
    Atomics.store(added, 1, seen);
    Atomics.notify(added, 1);
    // The worker starts in the event loop.
    if (seen === 0) await new Promise(setImmediate);
  }
  await ended;
  assert.equal(memory.buffer.byteLength, (8 + PAGES) * 65_536);
});
