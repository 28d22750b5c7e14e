/** Threads of a binding call the tree themselves: while the thread that started it does not return to its event loop. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVfs } from "threadfs";
import { startOnTree } from "./bindings.js";
import { fill } from "./scenario.js";

const LIMIT_MS = 20_000;

interface Resolver {
  async(directory: string, request: string): Promise<{ path?: string }>;
  clearCache(): void;
}

test("a call in a thread of the binding does its lookups while the main thread is blocked", async (t) => {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/work");
  fill(vfs.fs, "/work");
  const binding = await startOnTree("resolver", vfs);
  t.after(() => binding.close());
  const { ResolverFactory } = binding.exports as { ResolverFactory: new (options: object) => Resolver };
  const resolver = new ResolverFactory({ extensions: [".ts"], conditionNames: ["import"] });
  // The workers have loaded then.
  await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => resolver.async("/work", `./many/m${n}`)));
  resolver.clearCache();
  const walks = (): number => vfs.counters().walks;
  const before = walks();
  const found = resolver.async("/work", "words");
  const deadline = performance.now() + LIMIT_MS;
  const word = new Int32Array(new SharedArrayBuffer(4));
  while (walks() < before + 5 && performance.now() < deadline) Atomics.wait(word, 0, 0, 1);
  assert.ok(walks() >= before + 5, `${walks() - before} walks`);
  assert.equal((await found).path, "/work/store/words/lib/index.js");
});
