/** Hosts that lack what a tree needs are told so, with what to do. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { attachVfs, createVfs, loadCore } from "../../../dist/src/index.js";

const INDEX = new URL("../../../dist/src/index.js", import.meta.url).href;

for (const call of ["createVfs({ maxBytes: 1 << 24 })", "attachVfs({})", "loadCore()"]) {
  test(`a host without WebAssembly is told to start without --jitless: ${call}`, () => {
    const program = `import("${INDEX}").then(({ createVfs, attachVfs, loadCore }) => ${call}).catch((e) => console.log(e.code, e.message))`;
    const said = execFileSync(process.execPath, ["--jitless", "-e", program], { encoding: "utf8" });
    assert.match(said, /^ERR_THREADFS_WASM .*--jitless/);
  });
}

/**
 * Makes this thread look like one of a page that is not cross-origin isolated, until the test ends.
 * @param shared SharedArrayBuffer: most hosts hide it from such a page; others let it be made, and not be posted
 */
function hideIsolation(t: TestContext, shared?: typeof SharedArrayBuffer): void {
  const hidden = { process: undefined, SharedArrayBuffer: shared, crossOriginIsolated: false };
  for (const [name, value] of Object.entries(hidden)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    t.after(() => {
      if (before) Object.defineProperty(globalThis, name, before);
      else Reflect.deleteProperty(globalThis, name);
    });
  }
}

for (const shared of [undefined, SharedArrayBuffer]) {
  const hides = shared === undefined ? "without" : "with";
  test(`a page that is not cross-origin isolated, ${hides} SharedArrayBuffer, is told which headers to send, and of trees of one thread`, async (t) => {
    hideIsolation(t, shared);
    await assert.rejects(createVfs({ maxBytes: 1 << 24 }), {
      code: "ERR_THREADFS_ISOLATION",
      message:
        /Cross-Origin-Opener-Policy: same-origin.*Cross-Origin-Embedder-Policy: require-corp.*singleThreaded: true/,
    });
  });
}

test("a tree of one thread needs no isolation, and says so when its handle is posted", async (t) => {
  const core = await loadCore();
  hideIsolation(t);
  const vfs = await createVfs({ maxBytes: 1 << 24, singleThreaded: true, core });
  vfs.fs.writeFileSync("/file", "text");
  const again = await attachVfs(vfs.handle);
  assert.equal(again.fs.readFileSync("/file", "utf8"), "text");
  assert.equal(await again.fs.promises.readFile("/file", "utf8"), "text");
  const other = await attachVfs(vfs.context({ uid: 5 }).handle, { share: false });
  assert.equal(other.fs.existsSync("/file"), true);
  for (const handle of [vfs.handle, again.handle, vfs.context({ uid: 1 }).handle]) {
    assert.throws(() => structuredClone(handle), {
      code: "ERR_THREADFS_NOT_CLONEABLE",
      message: /singleThreaded: true/,
    });
  }
  for (const one of [other, again, vfs]) one.close();
});

test("a tree of several threads is made only where they can share it: singleThreaded is true or false", async () => {
  const options = (singleThreaded: unknown) => ({ maxBytes: 1 << 24, singleThreaded }) as { maxBytes: number };
  await assert.rejects(createVfs(options(1)), { code: "ERR_INVALID_ARG_TYPE" });
  for (const no of [false, undefined]) {
    const vfs = await createVfs(options(no));
    assert.equal(structuredClone(vfs.handle).ctx, 0);
    vfs.close();
  }
});
