/** The checks with all counters close to their end (packages/verify/src/fsck/near-end.ts), in their short forms. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVfs } from "../../../threadfs/dist/src/index.js";
import * as L from "../../dist/arena/layout.js";
import { run as death } from "../../dist/deaths/death.js";
import { run as interleave } from "../../dist/explore/interleave.js";
import { inspect } from "../../dist/fsck/check-arena.js";
import { run as fsck } from "../../dist/fsck/fsck.js";
import { isNearEnd, setCountersNearEnd } from "../../dist/fsck/near-end.js";
import { run as torture } from "../../dist/torture/torture.js";

const counters = "near-end";

test("every sequence, the epoch and the numbers of an arena come to their end with the next changes", async () => {
  const vfs = await createVfs({ maxBytes: 8 << 20 });
  try {
    vfs.fs.mkdirSync("/d");
    vfs.fs.writeFileSync("/d/gone", "");
    vfs.fs.unlinkSync("/d/gone");
    setCountersNearEnd(vfs.handle.memory);
    const before = inspect(vfs.handle.memory);
    assert.deepEqual(before.problems(), []);
    const heads = Object.values(L.SEQUENCES);
    for (const address of [...heads, L.G_EPOCH]) assert.equal(before.u32(address), 2 ** 32 - 2);
    for (const { cache, seqs } of L.WORDS_AT_REST) {
      for (const object of before.everUsed(cache))
        for (const offset of Object.values(seqs)) assert.ok(before.u32(object + offset) >= 2 ** 32 - 4);
    }
    for (let n = 0; n < 3; n++) {
      vfs.fs.writeFileSync("/d/f", "");
      vfs.fs.renameSync("/d/f", "/d/g");
      vfs.fs.mkdirSync("/d/e");
      vfs.fs.renameSync("/d/e", "/e");
      vfs.fs.rmdirSync("/e");
      vfs.mount(null, "/d", "tmpfs");
      vfs.umount("/d");
      vfs.synchronizeRcu();
    }
    const after = inspect(vfs.handle.memory);
    assert.deepEqual(after.problems(), []);
    for (const address of [L.G_RENAME_SEQ, L.G_MOUNT_SEQ, L.G_EPOCH, L.G_SEQ_WRAPS])
      assert.ok(after.u32(address) < 1000, `${address}`);
    assert.ok(after.u64(L.G_NEXT_DEV) > 2n ** 32n);
  } finally {
    vfs.close();
  }
});

test("--counters takes near-end and nothing else", () => {
  assert.equal(isNearEnd(undefined), false);
  assert.equal(isNearEnd(counters), true);
  assert.throws(() => isNearEnd("near"), { code: "ERR_VERIFY_OPTION" });
});

// Each lets another kind of sequence come round beside a reader: an inode's, the mounts', a directory's and the table's.
for (const only of [
  "small@sysChown(path=/d/f || sysOpen(path=/d/f flags=2",
  "mounts@sysStat(path=/m/f) || sysUmount(path=/m flags=0)",
  "split@sysMkdir(path=/o/z || sysOpen(path=/d/f flags=192",
  "names@sysStat(path=/d/n*203) || sysRename(path=/d/y*35 path2=/d/n*203",
]) {
  test(`counters near their end: every schedule of ${only} is one that the model allows`, async () => {
    const { ok, explored, failures } = await interleave({ seed: 1, bound: 1, only, counters });
    assert.deepEqual(failures, []);
    assert.ok(ok);
    assert.match(String(explored["pairs, 1 preemption"]), /^(\d+) sets, \1 completely/);
  });
}

test("counters near their end: a thread may die at any access", async () => {
  const options = { seed: 3, short: true, only: "small", counters };
  const { ok, explored, failures } = await death(options);
  assert.deepEqual(failures, []);
  assert.ok(ok && explored.complete === explored.operations);
});

test("counters near their end: the arena is whole after random work", async () => {
  const { ok, failures } = await fsck({ seed: 1, short: true, counters });
  assert.deepEqual(failures, []);
  assert.ok(ok);
});

test("counters near their end: the readers of real threads report nothing", async () => {
  const { ok, explored, failures } = await torture({ seed: 1, short: true, counters });
  assert.deepEqual(
    failures.map(({ message, trace }) => `${message}\n${trace}`),
    [],
  );
  assert.ok(ok && Number(explored.lookups) > 0);
});
