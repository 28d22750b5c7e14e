/** Contents of files where their layout changes: from a block to a tree of pages, to a larger node, to one more level, and back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { CHUNK } from "../../../dist/abi/limits.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import type { TestScope } from "../../support/hooked-vfs.js";

const PAGE = 4096;
const MIB = 1 << 20;

async function tree(t: TestScope, maxBytes = 64 * MIB): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes });
  t.after(() => vfs.close());
  return vfs;
}

/** The arena is consistent. */
function whole(vfs: Vfs, when: string): void {
  assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, [], when);
}

const chunks = (vfs: Vfs) => vfs.counters().chunksUsed;

/** Bytes that differ from their neighbours, on pages that differ too. */
function bytesOf(size: number): Buffer {
  const data = Buffer.alloc(size);
  for (let n = 0; n < size; n++) data[n] = n * 7 + (n >>> 12) * 13;
  return data;
}

test("a file keeps its contents while it grows page by page through every size of node and is cut back through all of them", async (t) => {
  const vfs = await tree(t);
  const { fs } = vfs;
  const data = bytesOf(1100 * PAGE);
  const fd = fs.openSync("/f", "w+");
  for (let page = 0; page < 1100; page++) {
    assert.equal(fs.writeSync(fd, data, page * PAGE, PAGE, page * PAGE), PAGE);
    if ((page & (page - 1)) === 0 || page % 200 === 0) {
      const size = (page + 1) * PAGE;
      assert.ok(fs.readFileSync("/f").equals(data.subarray(0, size)), `${page + 1} pages`);
      whole(vfs, `${page + 1} pages`);
    }
  }
  for (const pages of [1100, 1025, 1024, 1023, 513, 512, 511, 256, 65, 64, 33, 17, 16, 15, 2, 1]) {
    for (const size of [pages * PAGE, pages * PAGE - 1]) {
      fs.ftruncateSync(fd, size);
      assert.ok(fs.readFileSync("/f").equals(data.subarray(0, size)), `cut to ${size}`);
      whole(vfs, `cut to ${size}`);
    }
  }
  fs.closeSync(fd);
});

// Fails when a larger node does not take over the pages of the smaller one, or a hole does not read as zeros.
test("bytes written far apart, in any order, are there, with zeros between them", async (t) => {
  const vfs = await tree(t);
  const { fs } = vfs;
  const places = [
    0,
    15 * PAGE,
    16 * PAGE - 1,
    16 * PAGE,
    31 * PAGE,
    32 * PAGE,
    100 * PAGE + 5,
    1023 * PAGE,
    1024 * PAGE,
    5000 * PAGE,
  ];
  for (const [turn, order] of [
    places,
    [...places].reverse(),
    [...places].sort((a, b) => (a % 7) - (b % 7)),
  ].entries()) {
    const file = `/f${turn}`;
    const fd = fs.openSync(file, "w+");
    const model = Buffer.alloc(5000 * PAGE + 1);
    let size = 0;
    for (const [n, at] of order.entries()) {
      fs.writeSync(fd, Buffer.from([n + 1]), 0, 1, at);
      model[at] = n + 1;
      size = Math.max(size, at + 1);
      whole(vfs, `${file}, byte ${at}`);
    }
    assert.ok(fs.readFileSync(file).equals(model.subarray(0, size)));
    assert.ok(fs.statSync(file).blocks <= places.length * 8 + 8, "holes take no page");
    fs.closeSync(fd);
  }
});

// Fails when the node of a small file is a page: that is another 4 KiB a file.
test("files of a few pages take their pages and little more", async (t) => {
  const vfs = await tree(t);
  const { fs } = vfs;
  const FILES = 1000;
  const data = bytesOf(10_000);
  fs.mkdirSync("/d");
  const before = chunks(vfs);
  for (let n = 0; n < FILES; n++) fs.writeFileSync(`/d/${n}`, data);
  const each = ((chunks(vfs) - before) * CHUNK) / FILES;
  assert.ok(each < 3 * PAGE + 512, `${each} bytes a file`);
  for (let n = 0; n < FILES; n++) assert.ok(fs.readFileSync(`/d/${n}`).equals(data));
});

test("a write that finds no room for the larger node fails with ENOSPC, keeps the contents, and succeeds once there is room", async (t) => {
  const vfs = await tree(t, 2 * MIB);
  const { fs } = vfs;
  const data = bytesOf(16 * PAGE);
  fs.writeFileSync("/f", data);
  const filler = fs.openSync("/filler", "w");
  assert.throws(() => {
    for (;;) fs.writeSync(filler, Buffer.alloc(PAGE));
  }, /ENOSPC/);
  // Small blocks too, until there is no room for the node.
  assert.throws(() => {
    for (let n = 0; ; n++) fs.writeFileSync(`/small-${n}`, "x".repeat(100));
  }, /ENOSPC/);
  const fd = fs.openSync("/f", "r+");
  assert.throws(() => fs.writeSync(fd, "y", 16 * PAGE), /ENOSPC/);
  assert.ok(fs.readFileSync("/f").equals(data));
  whole(vfs, "full");
  fs.ftruncateSync(filler, 0);
  assert.equal(fs.writeSync(fd, "y", 16 * PAGE), 1);
  assert.ok(fs.readFileSync("/f").equals(Buffer.concat([data, Buffer.from("y")])));
  whole(vfs, "room again");
  fs.closeSync(fd);
  fs.closeSync(filler);
});
