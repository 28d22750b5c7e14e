/**
 * A long write over whole pages puts others in their place (core/fs/tmpfs/replace.ts): what it leaves around them, what it does where
 * it cannot, and that every page is given back.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ERRNO, IO_SIZE, POINT } from "../../../dist/abi/abi.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import { SystemCalls } from "../../../dist/src/node-fs/system-calls.js";
import { treeFor } from "../../support/debug-tree.js";
import { rawCore } from "../../support/raw-core.js";

const PAGE = 4096;
const PARTS = 3;
const LONG = PARTS * IO_SIZE;

/** Bytes of which no two pages are alike. */
function pattern(length: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + (i >> 16) + seed) & 0xff));
}

const freeOf = ({ fs }: Pick<Vfs, "fs">) => fs.statfsSync("/").bfree;

describe("a long write over contents", () => {
  for (const [title, holes] of [
    ["a file of pages", []],
    ["a file with holes", [3, 17, 40]],
  ] as const) {
    test(`has its bytes and keeps those around them, in ${title}`, async (t) => {
      const vfs = await createVfs({ maxBytes: 1 << 24 });
      t.after(() => vfs.close());
      const { fs } = vfs;
      for (const size of [LONG, LONG + PAGE, LONG + 100, IO_SIZE, IO_SIZE + 1]) {
        for (const position of [0, PAGE, 5 * PAGE, 1, PAGE - 1]) {
          for (const length of [IO_SIZE + 1, IO_SIZE + PAGE, LONG - PAGE, LONG]) {
            const expected = pattern(size, 1);
            const fd = fs.openSync("/f", "w+");
            fs.writeSync(fd, expected);
            for (const page of holes) {
              const end = Math.min(size, (page + 1) * PAGE);
              if (end <= page * PAGE) continue;
              vfs.linux.fallocateSync(fd, page * PAGE, PAGE, { punchHole: true, keepSize: true });
              expected.fill(0, page * PAGE, end);
            }
            const bytes = pattern(length, 2);
            assert.equal(fs.writeSync(fd, bytes, 0, length, position), length);
            const all = Buffer.alloc(Math.max(size, position + length));
            expected.copy(all);
            bytes.copy(all, position);
            const name = `${length} bytes at ${position} of ${size}`;
            assert.equal(fs.fstatSync(fd).size, all.length, name);
            assert.ok(fs.readFileSync("/f").equals(all), name);
            fs.closeSync(fd);
          }
        }
      }
    });
  }
});

describe("a long write over whole pages", () => {
  test("gives the pages back that it has replaced", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    t.after(() => vfs.close());
    const { fs } = vfs;
    fs.writeFileSync("/f", pattern(LONG, 1));
    const fd = fs.openSync("/f", "r+");
    fs.writeSync(fd, pattern(LONG, 2), 0, LONG, 0);
    const free = freeOf(vfs);
    const { blocks } = fs.statSync("/f");
    for (let n = 3; n < 100; n++) fs.writeSync(fd, pattern(LONG, n), 0, LONG, 0);
    assert.equal(freeOf(vfs), free);
    assert.equal(fs.statSync("/f").blocks, blocks);
    assert.ok(fs.readFileSync("/f").equals(pattern(LONG, 99)));
  });

  test("goes into the pages that are there when no memory is left", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 22 });
    t.after(() => vfs.close());
    const { fs } = vfs;
    fs.writeFileSync("/f", pattern(LONG, 1));
    const fd = fs.openSync("/f", "r+");
    const filler = fs.openSync("/filler", "a");
    assert.throws(
      () => {
        for (;;) fs.writeSync(filler, Buffer.alloc(PAGE, "f"));
      },
      { code: "ENOSPC" },
    );
    assert.equal(fs.writeSync(fd, pattern(LONG, 2), 0, LONG, 0), LONG);
    assert.ok(fs.readFileSync("/f").equals(pattern(LONG, 2)));
  });

  test("whose caller's bytes end in the middle has written the parts before, and gives the pages back", async (t) => {
    const { vfs } = await treeFor(t);
    vfs.fs.writeFileSync("/f", pattern(LONG, 1));
    const { arena, ctx } = rawCore(t, vfs.handle);
    const calls = new SystemCalls(arena, ctx);
    const fd = calls.open("/f", 0o2, 0);
    assert.equal(calls.write(fd, pattern(LONG, 2), 0), LONG);
    const free = freeOf(vfs);
    const { transfer } = arena;
    const copy = transfer.copyFromUser.bind(transfer);
    let copied = 0;
    transfer.copyFromUser = (to, bytes) => {
      copied += bytes;
      return copied > IO_SIZE + PAGE ? -ERRNO.EFAULT : copy(to, bytes);
    };
    assert.equal(calls.write(fd, pattern(LONG, 3), 0), IO_SIZE);
    const half = Buffer.concat([pattern(LONG, 3).subarray(0, IO_SIZE), pattern(LONG, 2).subarray(IO_SIZE)]);
    assert.ok(vfs.fs.readFileSync("/f").equals(half));
    assert.equal(freeOf(vfs), free);
  });

  test("whose thread dies between two parts has written the first ones, and its pages are given back", async (t) => {
    const { vfs, parked } = await treeFor(t);
    vfs.fs.writeFileSync("/f", pattern(LONG, 1));
    const fd = vfs.fs.openSync("/f", "r+");
    vfs.fs.writeSync(fd, pattern(LONG, 2), 0, LONG, 0);
    const free: number[] = [];
    // The first worker's own memory stays for the second one.
    for (const letter of ["y", "z"]) {
      const work = `vfs.fs.writeSync(${fd}, Buffer.alloc(${LONG}, "${letter}"), 0, ${LONG}, 0)`;
      const worker = await parked(work, POINT.WRITE_PART, 2);
      await worker.kill();
      vfs.threadDied(worker.slot);
      const left = Buffer.concat([Buffer.alloc(2 * IO_SIZE, letter), pattern(LONG, 2).subarray(2 * IO_SIZE)]);
      assert.ok(vfs.fs.readFileSync("/f").equals(left));
      free.push(freeOf(vfs));
    }
    assert.equal(free[0], free[1]);
  });
});
