/** The calls of `vfs.linux` on contents. What they return is held to the kernel in test/conformance/linux/. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { createVfs, type Vfs } from "../../../../dist/src/index.js";
import { codeOf, refused } from "../../../support/errors.js";

const PAGE = 4096;

/** A tree with a file of `pages` pages, open; its arena is whole in the end. */
async function tree(t: TestContext, pages = 4, maxBytes = 8 << 20): Promise<{ vfs: Vfs; fd: number }> {
  const vfs = await createVfs({ maxBytes });
  t.after(() => {
    assert.deepEqual(check(vfs.handle.memory).problems, []);
    vfs.close();
  });
  vfs.fs.writeFileSync("/f", "x".repeat(pages * PAGE));
  return { vfs, fd: vfs.fs.openSync("/f", "r+") };
}

describe("fallocate", () => {
  test("makes room, with which the file grows", async (t) => {
    const { vfs, fd } = await tree(t);
    vfs.linux.fallocateSync(fd, 5 * PAGE, 100);
    assert.deepEqual([vfs.fs.fstatSync(fd).size, vfs.fs.fstatSync(fd).blocks], [5 * PAGE + 100, 5 * 8]);
    await vfs.linux.fallocate(fd, 0, 10 * PAGE);
    assert.equal(vfs.fs.fstatSync(fd).blocks, 10 * 8);
    assert.equal(vfs.fs.readFileSync("/f", "latin1"), "x".repeat(4 * PAGE) + "\0".repeat(6 * PAGE));
    vfs.linux.fallocateSync(fd, 0, 10 * PAGE, { keepSize: true });
    refused("ENOTSUP", () => vfs.linux.fallocateSync(fd, 0, 10 * PAGE + 1, { keepSize: true }));
  });

  test("makes all of the room, or none", async (t) => {
    const { vfs, fd } = await tree(t, 4, 4 << 20);
    vfs.fs.ftruncateSync(fd, 100 * PAGE);
    const before = vfs.fs.fstatSync(fd);
    refused("ENOSPC", () => vfs.linux.fallocateSync(fd, PAGE, 4 << 20));
    const after = vfs.fs.fstatSync(fd);
    assert.deepEqual([after.size, after.blocks, after.mtimeMs], [before.size, before.blocks, before.mtimeMs]);
    refused("ENOSPC", () => vfs.linux.fallocateSync(fd, 0, 2 ** 41));
    vfs.fs.writeFileSync("/g", "y".repeat(1 << 20));
  });

  test("writes to the room that it made do not fail where the memory is full", async (t) => {
    const { vfs, fd } = await tree(t, 1, 3 << 20);
    vfs.linux.fallocateSync(fd, 0, 50 * PAGE);
    const full = vfs.fs.openSync("/full", "w");
    while (codeOf(() => vfs.fs.writeSync(full, "z".repeat(60_000))) === undefined);
    while (codeOf(() => vfs.fs.writeSync(full, "z")) === undefined);
    assert.equal(vfs.fs.writeSync(fd, "w".repeat(50 * PAGE), 0), 50 * PAGE);
    vfs.linux.fallocateSync(fd, 0, 50 * PAGE, { punchHole: true });
    assert.equal(vfs.fs.writeSync(full, "z".repeat(10_000)), 10_000);
  });

  test("punches holes", async (t) => {
    const { vfs, fd } = await tree(t);
    vfs.linux.fallocateSync(fd, 100, 2 * PAGE, { punchHole: true });
    assert.deepEqual([vfs.fs.fstatSync(fd).size, vfs.fs.fstatSync(fd).blocks], [4 * PAGE, 3 * 8]);
    const expected = "x".repeat(100) + "\0".repeat(2 * PAGE) + "x".repeat(2 * PAGE - 100);
    assert.equal(vfs.fs.readFileSync("/f", "latin1"), expected);
    assert.equal(vfs.linux.lseekSync(fd, 0, "hole"), PAGE);
    assert.equal(await vfs.linux.lseek(fd, PAGE, "data"), 2 * PAGE);
    assert.equal(vfs.linux.lseekSync(fd, 2 * PAGE, "hole"), 4 * PAGE);
    vfs.linux.fallocateSync(fd, 0, 2 ** 41, { punchHole: true });
    assert.equal(vfs.fs.fstatSync(fd).blocks, 0);
    refused("ENXIO", () => vfs.linux.lseekSync(fd, 0, "data"));
  });
});

describe("lseek", () => {
  test("moves the position that read() takes", async (t) => {
    const { vfs, fd } = await tree(t);
    const position = vfs.linux.lseekSync(fd, -10, "end");
    assert.equal(position, 4 * PAGE - 10);
    assert.equal(vfs.fs.readSync(fd, Buffer.alloc(100), 0, 100, null), 10);
    assert.equal(vfs.linux.lseekSync(fd, 0, "cur"), 4 * PAGE);
    assert.equal(vfs.linux.lseekSync(fd, 7), 7);
    refused("ENXIO", () => vfs.linux.lseekSync(fd, 4 * PAGE, "hole"));
  });
});

describe("copyFileRange", () => {
  test("copies more than one part, between positions that advance", async (t) => {
    const { vfs, fd } = await tree(t, 0);
    const source = "0123456789".repeat(20_000);
    vfs.fs.writeFileSync("/from", source);
    const from = vfs.fs.openSync("/from", "r");
    assert.equal(vfs.linux.copyFileRangeSync(from, null, fd, null, 150_000), 150_000);
    assert.equal(await vfs.linux.copyFileRange(from, null, fd, null, 10 ** 9), 50_000);
    assert.equal(vfs.linux.copyFileRangeSync(from, null, fd, null, 1), 0);
    assert.equal(vfs.fs.readFileSync("/f", "latin1"), source);
    assert.equal(vfs.linux.copyFileRangeSync(fd, 0, fd, 200_000, 10), 10);
    refused("EINVAL", () => vfs.linux.copyFileRangeSync(fd, 0, fd, 5, 10));
    refused("EBADF", () => vfs.linux.copyFileRangeSync(from, 0, from, 0, 10));
    refused("EISDIR", () => vfs.linux.copyFileRangeSync(vfs.fs.openSync("/", "r"), 0, fd, 0, 10));
  });
});

test("arguments are checked", async (t) => {
  const { vfs, fd } = await tree(t);
  const { linux } = vfs;
  const bad: [code: string, run: () => unknown][] = [
    ["ERR_INVALID_ARG_TYPE", () => linux.fallocateSync("x" as never, 0, 1)],
    ["ERR_OUT_OF_RANGE", () => linux.fallocateSync(fd, 0.5, 1)],
    ["EINVAL", () => linux.fallocateSync(fd, -1, 1)],
    ["EINVAL", () => linux.fallocateSync(fd, 0, 0)],
    ["EFBIG", () => linux.fallocateSync(fd, 2 ** 42, 1)],
    ["ERR_INVALID_ARG_VALUE", () => linux.fallocateSync(fd, 0, 1, { zeroRange: true } as never)],
    ["ERR_INVALID_ARG_TYPE", () => linux.fallocateSync(fd, 0, 1, { punchHole: 1 } as never)],
    ["ERR_INVALID_ARG_VALUE", () => linux.lseekSync(fd, 0, "start" as never)],
    ["ERR_INVALID_ARG_TYPE", () => linux.lseekSync(fd, 0, 1 as never)],
    ["EINVAL", () => linux.lseekSync(fd, -1)],
    ["ERR_OUT_OF_RANGE", () => linux.copyFileRangeSync(fd, -1, fd, 0, 1)],
    ["ERR_OUT_OF_RANGE", () => linux.copyFileRangeSync(fd, 0, fd, 0, -1)],
    ["EBADF", () => linux.copyFileRangeSync(99, 0, fd, 0, 1)],
  ];
  for (const [n, [code, run]] of bad.entries()) refused(code, run, `${n}`);
  await assert.rejects(linux.fallocate(fd, 0, 0), { code: "EINVAL", syscall: "fallocate" });
  await assert.rejects(linux.lseek(fd, 0, "x" as never), { code: "ERR_INVALID_ARG_VALUE" });
});
