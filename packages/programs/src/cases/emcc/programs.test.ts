/** C programs that Emscripten has compiled do on a tree what they do on Linux: what they print, their exit code, the files that they leave. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, type TestContext, test } from "node:test";
import { setEnvironmentData } from "node:worker_threads";
import { createVfs, type Vfs } from "threadfs";
import { compileNative } from "../wasi/compiler.js";
import { INPUT, NODE, onLinux, PROGRAMS } from "../wasi/native.js";
import { treeOf } from "../wasi/tree.js";
import { type Built, LEFT_OUT } from "./build.js";
import { start } from "./program.js";

const work = mkdtempSync(join(tmpdir(), "threadfs-emcc-"));
/** Where the programs run on Linux. */
const linux = join(work, "linux");

beforeEach(() => {
  rmSync(linux, { recursive: true, force: true });
  mkdirSync(linux);
});
after(() => rmSync(work, { recursive: true }));

async function treeFor(t: TestContext): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 1 << 27 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/w");
  return vfs;
}

for (const kind of ["fs", "wasmfs"] as const) {
  test(`files, a find, and random access to records, with ${kind}`, async (t) => {
    const vfs = await treeFor(t);
    for (const [name, args] of PROGRAMS) {
      const native = compileNative(name, work, LEFT_OUT[kind]);
      const program = await start(vfs, { name, kind });
      assert.deepEqual(program.run(args, INPUT), onLinux(linux, native, args), name);
      assert.deepEqual(treeOf(vfs.fs, "/w"), treeOf(NODE, linux), `the files after ${name}`);
      program.end();
    }
  });

  test(`threads share descriptors, with ${kind}`, async (t) => {
    const vfs = await treeFor(t);
    const native = compileNative("threads", work, ["-pthread"]);
    const context = vfs.context();
    setEnvironmentData("tree", context.handle);
    const built: Built = { name: "threads", kind, threaded: true };
    const program = await start(vfs, built);
    assert.deepEqual(program.run([]), onLinux(linux, native, []));
    assert.deepEqual(treeOf(vfs.fs, "/w", true), treeOf(NODE, linux, true));
    program.end();
  });
}
