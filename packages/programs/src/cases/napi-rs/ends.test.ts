/** Bindings of napi-rs that end badly: their workers are terminated in the middle, their tree is closed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVfs } from "threadfs";
import { onTree } from "../support/sides.js";
import { startOnTree } from "./bindings.js";
import { fill, MODULES } from "./scenario.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;
const LIMIT_MS = 20_000;

interface Free {
  bfree: number;
  ffree: number;
}

/** Waits until all that was removed is free again: another thread gives back what dead threads had in use. */
async function awaitFree(look: () => Free, { bfree, ffree }: Free): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  const isFree = (): boolean => look().bfree === bfree && look().ffree === ffree;
  while (!isFree() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual([look().bfree, look().ffree], [bfree, ffree]);
}

test("workers that are terminated in the middle of a call leave the tree whole", async () => {
  await onTree(SCENARIO, async (run, dir, _end, vfs) => {
    await run(1, "fill", dir);
    const wanted = await run(2, "bundle", dir, "main.ts", "one");
    const mount = `${dir}/killed`;
    const out = `${mount}/many`;
    vfs.fs.mkdirSync(mount);
    // A file system with limits counts exactly.
    vfs.mount(null, mount, "tmpfs", { size: 1 << 24, nrInodes: 10 * MODULES });
    const before = vfs.fs.statfsSync(mount);
    vfs.fs.mkdirSync(out);
    // The open of a pipe that nobody reads waits for ever.
    vfs.linux.mkfifoSync(`${out}/m${MODULES - 1}.js`);
    assert.equal(await run(1, "killMidway", dir, "killed"), false);
    for (const name of vfs.fs.readdirSync(out).filter((name) => !name.includes(`m${MODULES - 1}`))) {
      vfs.fs.readFileSync(`${out}/${name}`);
    }
    for (const name of vfs.fs.readdirSync(mount)) vfs.fs.rmSync(`${mount}/${name}`, { recursive: true });
    await awaitFree(() => vfs.fs.statfsSync(mount), before);
    assert.deepEqual(await run(2, "bundle", dir, "main.ts", "one"), wanted);
  });
});

test("a binding on a tree that is closed fails with the tree's error", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  fill(vfs.fs, "/");
  const binding = await startOnTree("resolver", vfs);
  const { ResolverFactory } = binding.exports as {
    ResolverFactory: new () => { sync(dir: string, request: string): { path?: string } };
  };
  const resolver = new ResolverFactory();
  assert.equal(resolver.sync("/", "words").path, undefined);
  vfs.close();
  const closed = { code: "ERR_THREADFS_CLOSED" };
  assert.throws(() => resolver.sync("/many", "./m1.ts"), closed);
  await assert.rejects(startOnTree("resolver", vfs), closed);
  binding.close();
  binding.close();
});
