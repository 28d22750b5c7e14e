/** oxc-resolver in a page: in the page's thread, and in the binding's own threads, while the page's thread does not return to its event loop. */

import { instantiateNapiModule } from "@emnapi/core";
import { getDefaultContext } from "@emnapi/runtime";
import { createVfs } from "threadfs";
import { instantiateBinding } from "threadfs/napi-rs";
import { reportOf } from "../report.js";
import { expect, PATIENCE_MS } from "../scenario.js";
import { fill, MODULES } from "./project.js";

/** How many lookups of the binding are seen from the page's thread. */
const SEEN = 5;

interface Resolver {
  sync(directory: string, request: string): { path?: string };
  async(directory: string, request: string): Promise<{ path?: string }>;
  clearCache(): void;
}

reportOf(async () => {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  const { fs } = vfs;
  fill(fs);
  fs.mkdirSync("/store/words/lib", { recursive: true });
  fs.mkdirSync("/node_modules");
  fs.symlinkSync("../store/words", "/node_modules/words");
  fs.writeFileSync("/store/words/package.json", JSON.stringify({ exports: { import: "./lib/index.js" } }));
  fs.writeFileSync("/store/words/lib/index.js", "export {};\n");
  const binding = await instantiateBinding({
    vfs,
    wasm: fetch("./binding.wasm").then((response) => response.arrayBuffer()),
    runtime: { instantiateNapiModule, getDefaultContext },
    createWorker: () => new Worker(new URL("./page-worker.js", import.meta.url), { type: "module" }),
  });
  const { ResolverFactory } = binding.exports as { ResolverFactory: new (options: object) => Resolver };
  const resolver = new ResolverFactory({ extensions: [".ts"], conditionNames: ["import"] });
  const last = MODULES - 1;
  const requests = ["./main", `./many/m${last}`, `./many/m${MODULES}`, "words", "none"];
  const wanted = ["/main.ts", `/many/m${last}.ts`, undefined, "/store/words/lib/index.js", undefined];
  const found = (results: { path?: string }[]) => JSON.stringify(results.map(({ path }) => path));
  expect("in this thread", found(requests.map((request) => resolver.sync("/", request))), JSON.stringify(wanted));
  resolver.clearCache();
  const inThreads = () => Promise.all(requests.map((request) => resolver.async("/", request)));
  expect("in the binding's threads", found(await inThreads()), JSON.stringify(wanted));
  expect("more than one worker", binding.workerCount > 1, true);
  // A worker that was made last may still be loading.
  while (vfs.contexts()[0]?.threads !== binding.workerCount + 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  fs.renameSync("/node_modules", "/other_modules");
  resolver.clearCache();
  expect("a package that was moved", (await resolver.async("/", "words")).path, undefined);
  fs.renameSync("/other_modules", "/node_modules");
  resolver.clearCache();
  const before = vfs.counters().walks;
  const end = Date.now() + PATIENCE_MS;
  const again = resolver.async("/", "words");
  while (vfs.counters().walks < before + SEEN && Date.now() < end);
  expect("lookups while this thread is busy", vfs.counters().walks >= before + SEEN, true);
  expect("the package again", (await again).path, wanted[3]);
  binding.close();
  vfs.close();
});
