/** Hosts that lack what a tree needs are told so, with what to do. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { createVfs } from "../../../dist/src/index.js";

const INDEX = new URL("../../../dist/src/index.js", import.meta.url).href;

for (const call of ["createVfs({ maxBytes: 1 << 24 })", "attachVfs({})", "loadCore()"]) {
  test(`a host without WebAssembly is told to start without --jitless: ${call}`, () => {
    const program = `import("${INDEX}").then(({ createVfs, attachVfs, loadCore }) => ${call}).catch((e) => console.log(e.code, e.message))`;
    const said = execFileSync(process.execPath, ["--jitless", "-e", program], { encoding: "utf8" });
    assert.match(said, /^ERR_THREADFS_WASM .*--jitless/);
  });
}

test("a page that is not cross-origin isolated is told which headers to send", async (t) => {
  const names = ["process", "crossOriginIsolated"] as const;
  const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
  t.after(() => {
    for (const [i, name] of names.entries()) {
      const descriptor = before[i];
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else Reflect.deleteProperty(globalThis, name);
    }
  });
  Object.defineProperty(globalThis, "process", { value: undefined, configurable: true });
  Object.defineProperty(globalThis, "crossOriginIsolated", { value: false, configurable: true });
  await assert.rejects(createVfs({ maxBytes: 1 << 24 }), {
    code: "ERR_THREADFS_ISOLATION",
    message: /Cross-Origin-Opener-Policy: same-origin.*Cross-Origin-Embedder-Policy: require-corp/,
  });
});
