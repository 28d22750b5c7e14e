/** Addresses above 2 GiB, which are negative numbers in JavaScript and in signed arithmetic. */
import assert from "node:assert/strict";
import { freemem } from "node:os";
import { test } from "node:test";
import { CHUNK } from "../../../dist/abi/limits.js";
import { attachVfs, createVfs } from "../../../dist/src/index.js";

const GIB = 1 << 30;
const NEEDED = 3 * GIB;

test("a tree works above 2 GiB", {
  skip: freemem() < NEEDED + GIB ? "less than 4 GiB of memory is free" : false,
}, async (t) => {
  const vfs = await createVfs({ maxBytes: NEEDED });
  t.after(() => vfs.close());
  const { fs } = vfs;
  // Contents up to the 2 GiB mark; later allocations lie above it.
  const block = Buffer.alloc(1 << 20, 7);
  const fd = fs.openSync("/low", "w");
  for (let i = 0; i < 2 * 1024; i++) assert.equal(fs.writeSync(fd, block), block.length);
  assert.ok(vfs.counters().chunksUsed * CHUNK > 2 * GIB);

  const names = Array.from(
    { length: 3000 },
    (_, i) => `/high/dir-${i % 30}/file-with-a-name-longer-than-a-dentry-holds-${i}`,
  );
  for (let i = 0; i < 30; i++) fs.mkdirSync(`/high/dir-${i}`, { recursive: true });
  for (const [i, name] of names.entries()) fs.writeFileSync(name, `content ${i}`);
  fs.symlinkSync("dir-3", "/high/link");
  fs.renameSync("/high/dir-4", "/high/moved");
  fs.mkdirSync("/high/mnt");
  vfs.mount(null, "/high/mnt", "tmpfs");
  fs.writeFileSync("/high/mnt/f", "mounted");
  const agent = vfs.context({ uid: 1000, cwd: "/high/dir-5" });
  t.after(() => agent.close());

  const same = await attachVfs(vfs.handle);
  t.after(() => same.close());
  for (const [i, name] of names.entries()) {
    const where = name.replace("/dir-4/", "/moved/");
    assert.equal(same.fs.readFileSync(where, "utf8"), `content ${i}`);
    assert.equal(same.fs.statSync(where).size, `content ${i}`.length);
    assert.equal(same.fs.existsSync(`${where}-not`), false);
  }
  assert.equal(same.fs.realpathSync("/high/link/.."), "/high");
  assert.equal(same.fs.readFileSync("/high/mnt/f", "utf8"), "mounted");
  assert.equal(same.fs.existsSync("/high/mnt/../dir-1"), true);
  assert.equal(agent.getcwd(), "/high/dir-5");
  assert.equal(new Set(names.map((n) => same.fs.statSync(n.replace("/dir-4/", "/moved/")).ino)).size, names.length);

  vfs.umount("/high/mnt");
  fs.rmSync("/high", { recursive: true });
  fs.ftruncateSync(fd, 10);
  fs.closeSync(fd);
  assert.deepEqual(fs.readdirSync("/"), ["low"]);
  assert.ok(vfs.counters().chunksUsed * CHUNK < GIB, "the contents' memory is free again");
});
