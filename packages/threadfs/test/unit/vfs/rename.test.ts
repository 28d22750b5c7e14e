/** renameat2(2) with its flags, which no call of node:fs has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { ERRNO, RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../dist/abi/abi.js";
import { createVfs } from "../../../dist/src/index.js";
import { rawCore } from "../../support/raw-core.js";

// Fails when an exchange does not ask whether one of the two is above the other: the tree would get a ring.
test("no directory moves below itself, and none is replaced by or exchanged with one below it", async (t) => {
  const vfs = await createVfs({ maxBytes: 32 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/a/b/c", { recursive: true });
  const { arena, rename } = rawCore(t, vfs.handle);
  for (const [above, below] of [
    ["/a", "/a/b"],
    ["/a", "/a/b/c"],
    ["/a/b", "/a/b/c"],
  ] as const) {
    const results = [
      rename(above, below, 0),
      rename(above, `${below}/new`, 0),
      rename(above, below, RENAME_EXCHANGE),
      rename(below, above, RENAME_EXCHANGE),
      rename(below, above, 0),
      rename(below, above, RENAME_NOREPLACE),
    ];
    const { EINVAL, ENOTEMPTY, EEXIST } = ERRNO;
    assert.deepEqual(results, [-EINVAL, -EINVAL, -EINVAL, -EINVAL, -ENOTEMPTY, -EEXIST], `${above}, ${below}`);
  }
  assert.deepEqual(vfs.fs.readdirSync("/", { recursive: true }).sort(), ["a", "a/b", "a/b/c"]);
  assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot, arena.core.threadSlot()] }).problems, []);
});
