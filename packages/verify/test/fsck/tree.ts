/** Trees to check, and the assertion that a tree is clean. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { objectDriver } from "../../../threadfs/build/support/drivers/object-driver.js";
import { createVfs, type Vfs } from "../../../threadfs/dist/src/index.js";
import { check } from "../../dist/fsck/check-arena.js";

/** A name too long for its directory entry. */
export const LONG = "l".repeat(100);

/** An empty tree with a registered driver; it is closed when the test ends. */
export async function emptyTree(t: TestContext, maxBytes = 16 << 20): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes });
  t.after(() => vfs.close());
  const hooks = { generation: true, cacheLinks: true, revalidate: () => true };
  vfs.registerDriver(objectDriver("drv", { a: { b: "x", c: {} }, b: { link: "/a/b" }, deep: "hello" }, hooks));
  return vfs;
}

export function assertClean(vfs: Vfs, message?: string, options: { live?: number[] } = {}): void {
  assert.deepEqual(check(vfs.handle.memory, options).problems, [], message);
}
