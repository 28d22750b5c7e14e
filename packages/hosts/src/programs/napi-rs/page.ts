/** rolldown in a page bundles a project of the tree, and all of its threads open the tree themselves. A bundler replaces the loader of its binding. */
import { instantiateNapiModule } from "@emnapi/core";
import { getDefaultContext } from "@emnapi/runtime";
import { createVfs } from "threadfs";
import { instantiateBinding } from "threadfs/napi-rs";
import { reportOf } from "../report.js";
import { expect } from "../scenario.js";
import { fill, LONG, MODULES } from "./project.js";

reportOf(async () => {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  fill(vfs.fs);
  const binding = await instantiateBinding({
    vfs,
    wasm: fetch("./binding.wasm").then((response) => response.arrayBuffer()),
    runtime: { instantiateNapiModule, getDefaultContext },
    createWorker: () => new Worker(new URL("./page-worker.js", import.meta.url), { type: "module" }),
  });
  Object.assign(globalThis, { binding });
  const { rolldown } = await import("@rolldown/browser");
  const bundle = await rolldown({ input: "/main.ts", cwd: "/" });
  const { output } = await bundle.write({ dir: "/out" });
  const code = vfs.fs.readFileSync("/out/main.js", "utf8");
  expect("the file that it has written", code, output[0]?.code);
  const exports = (await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })))) as object;
  const values = Object.entries(exports).sort(([a], [b]) => (a < b ? -1 : 1));
  const wanted = Array.from({ length: MODULES }, (_, n) => [`m${n}`, n] as [string, unknown]);
  wanted.push(["long", "x".repeat(LONG)]);
  wanted.sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1));
  expect("what the bundle exports", JSON.stringify(values), JSON.stringify(wanted));
  expect("more than one worker", binding.workerCount > 1, true);
  // A worker that was made last may still be loading.
  while (vfs.contexts()[0]?.threads !== binding.workerCount + 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const missing = await rolldown({ input: "/none.ts", cwd: "/" });
  const told = await missing.write({ dir: "/out" }).then(String, String);
  expect("a file that is missing", /Cannot resolve entry module/.test(told), true);
  binding.close();
  vfs.close();
});
