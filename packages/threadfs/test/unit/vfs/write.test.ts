/**
 * One call is one read or one write, however long: the locks of the file and of the descriptor's position are held from
 * its first byte to its last, although the bytes are copied in parts: those of a read run by run of pages, those of a write in
 * IO_SIZE bytes each, to the pages themselves, or, where it replaces less than whole pages, through the scratch area.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ERRNO, IO_SIZE, POINT } from "../../../dist/abi/abi.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import { SystemCalls } from "../../../dist/src/node-fs/system-calls.js";
import { treeFor } from "../../support/debug-tree.js";
import { dentryOf, memoryOf } from "../../support/memory.js";
import { rawCore } from "../../support/raw-core.js";
import { threads } from "../../support/threads.js";

/** Is copied in three parts. */
const LONG = 2 * IO_SIZE + 1000;
/** How long a call waits in these tests for a lock that the test itself holds. */
const LIMIT_MS = 20;
/** Set in a lock on which another thread sleeps. */
const WAITERS = 0x80000000;
const TIMEOUT = { code: "ERR_THREADFS_TIMEOUT" };

/** The letters of a text with their counts, in order: "aab" is "a2 b1". */
function runsOf(text: string): string {
  return [...text.matchAll(/(.)\1*/gs)].map(([run, letter]) => `${letter}${run.length}`).join(" ");
}

/** Leaves free pages that are full of a letter. */
function soilPages({ fs }: Pick<Vfs, "fs">): void {
  fs.writeFileSync("/soil", Buffer.alloc(64 * 4096, "s"));
  // One page keeps each chunk.
  fs.writeFileSync("/between", "");
  fs.unlinkSync("/soil");
}

describe("a read", () => {
  test("goes through pages that are not neighbours, and through holes", async () => {
    const vfs = await createVfs({ maxBytes: 16 << 20 });
    const { fs } = vfs;
    const PAGES = 40;
    const fds = ["/a", "/b"].map((path) => fs.openSync(path, "w+"));
    const [a = -1, b = -1] = fds;
    const expected = Buffer.alloc(PAGES * 4096);
    for (let page = 0; page < PAGES; page++) {
      const bytes = Buffer.alloc(4096, String.fromCharCode(65 + page));
      // Two files take turns, so that each has every other page; in the second half /a has holes too.
      fs.writeSync(b, bytes, 0, 4096, page * 4096);
      if (page > PAGES / 2 && page % 3 !== 0) continue;
      fs.writeSync(a, bytes, 0, 4096, page * 4096);
      expected.set(bytes, page * 4096);
    }
    fs.ftruncateSync(a, expected.length);
    for (const [from, length] of [
      [0, expected.length],
      [4095, 20_002],
      [70_000, 90_000],
      [3 * 4096, 8192],
    ] as const) {
      // Memory that was not zeros, and an odd place in it.
      const into = Buffer.alloc(length + 7, "x").subarray(3, 3 + length);
      const end = Math.min(expected.length, from + length);
      assert.equal(fs.readSync(a, into, 0, length, from), end - from);
      assert.ok(into.subarray(0, end - from).equals(expected.subarray(from, end)), `${length} bytes from ${from} on`);
    }
    vfs.close();
  });

  test("of any length, at any place of the file and of the buffer, has the bytes", async () => {
    const vfs = await createVfs({ maxBytes: 16 << 20 });
    const { fs } = vfs;
    const bytes = Buffer.from(Uint8Array.from({ length: LONG + 5 }, (_, i) => (i * 37 + (i >> 8)) & 0xff));
    for (const size of [1, 100, 2047, 2048, 2049, 4095, 4096, 4097, 8192, IO_SIZE, IO_SIZE + 1, LONG]) {
      for (const odd of [0, 1, 5]) {
        const path = `/${size}-${odd}`;
        const fd = fs.openSync(path, "w+");
        assert.equal(fs.writeSync(fd, bytes, odd, size, odd), size);
        const into = Buffer.alloc(size + 16, "x");
        assert.equal(fs.readSync(fd, into, 3, size, odd), size);
        assert.ok(into.subarray(3, 3 + size).equals(bytes.subarray(odd, odd + size)), path);
        assert.equal(into.subarray(0, 3).toString() + into.subarray(3 + size).toString(), "x".repeat(16));
        fs.closeSync(fd);
      }
    }
    vfs.close();
  });
});

describe("while the host copies", () => {
  // Fails if the pages are not protected in one of the copies.
  test("no other thread reads, writes or truncates the file", async (t) => {
    const tree = await treeFor(t);
    const other = await tree.attach({ lockTimeoutMs: LIMIT_MS });
    tree.vfs.fs.writeFileSync("/f", "a".repeat(LONG));
    const { arena, ctx } = rawCore(t, tree.vfs.handle);
    const calls = new SystemCalls(arena, ctx);
    const fd = calls.open("/f", 0o2, 0);
    const { transfer } = arena;
    const copies: string[] = [];
    const disturbed = (name: "copyToUser" | "copyFromUser") => {
      const copy = transfer[name].bind(transfer);
      transfer[name] = (address, bytes) => {
        copies.push(name);
        assert.throws(() => other.fs.truncateSync("/f", 0), TIMEOUT);
        assert.throws(() => other.fs.readFileSync("/f"), TIMEOUT);
        assert.throws(() => other.fs.appendFileSync("/f", "b"), TIMEOUT);
        return copy(address, bytes);
      };
    };
    disturbed("copyToUser");
    disturbed("copyFromUser");
    const bytes = Buffer.alloc(LONG);
    assert.equal(calls.read(fd, bytes, 0), LONG);
    assert.equal(runsOf(bytes.toString()), `a${LONG}`);
    assert.equal(calls.write(fd, bytes.fill("c"), 1000), LONG);
    assert.ok(copies.filter((name) => name === "copyToUser").length >= 3);
    assert.ok(copies.filter((name) => name === "copyFromUser").length >= 3);
    assert.equal(runsOf(tree.vfs.fs.readFileSync("/f", "utf8")), `a1000 c${LONG}`);
  });
});

describe("a write of several parts", () => {
  // Fails if the file's lock is released between two parts.
  test("no append comes between the parts of another", async (t) => {
    const tree = await treeFor(t);
    const other = await tree.attach({ lockTimeoutMs: LIMIT_MS });
    const { vfs } = tree;
    vfs.fs.writeFileSync("/log", "");
    for (const part of [1, 2]) {
      vfs.at(POINT.WRITE_PART, () => assert.throws(() => other.fs.appendFileSync("/log", "b"), TIMEOUT), part);
      vfs.fs.appendFileSync("/log", "a".repeat(LONG));
      assert.ok(!vfs.waits(POINT.WRITE_PART));
    }
    other.fs.appendFileSync("/log", "b");
    assert.equal(runsOf(vfs.fs.readFileSync("/log", "utf8")), `a${2 * LONG} b1`);
  });

  // Fails if the lock of the position is released between two parts.
  test("no write and no read by the same descriptor comes between its parts", async (t) => {
    const tree = await treeFor(t);
    const other = await tree.attach({ lockTimeoutMs: LIMIT_MS });
    const { vfs } = tree;
    const fd = vfs.fs.openSync("/f", "w+");
    vfs.at(POINT.WRITE_PART, () => {
      assert.throws(() => other.fs.writeSync(fd, "b"), TIMEOUT);
      assert.throws(() => other.fs.readSync(fd, Buffer.alloc(1)), TIMEOUT);
    });
    assert.equal(vfs.fs.writeSync(fd, "a".repeat(LONG)), LONG);
    assert.ok(!vfs.waits(POINT.WRITE_PART));
    assert.equal(other.fs.writeSync(fd, "b"), 1);
    assert.equal(runsOf(vfs.fs.readFileSync("/f", "utf8")), `a${LONG} b1`);
  });

  test("a read sees no write between its parts, and moves the position once", async (t) => {
    const tree = await treeFor(t);
    const other = await tree.attach({ lockTimeoutMs: LIMIT_MS });
    const { vfs } = tree;
    // A page of another file lies between its pages: they are not one run.
    vfs.fs.writeFileSync("/f", "a".repeat(IO_SIZE));
    vfs.fs.writeFileSync("/other", Buffer.alloc(4096));
    vfs.fs.appendFileSync("/f", "a".repeat(LONG - IO_SIZE));
    const fd = vfs.fs.openSync("/f");
    const writer = other.fs.openSync("/f", "r+");
    vfs.at(POINT.READ_PART, () => {
      assert.throws(() => other.fs.writeSync(writer, "b", LONG - 1), TIMEOUT);
      assert.throws(() => other.fs.readSync(fd, Buffer.alloc(1)), TIMEOUT);
    });
    const bytes = Buffer.alloc(LONG + 5);
    assert.equal(vfs.fs.readSync(fd, bytes), LONG);
    assert.ok(!vfs.waits(POINT.READ_PART));
    assert.equal(runsOf(bytes.toString("utf8", 0, LONG)), `a${LONG}`);
    assert.equal(vfs.fs.readSync(fd, bytes), 0, "the position is at the end of the file");
  });
});

describe("what a write of several parts leaves", () => {
  test("its bytes arrive in order, at a position and at the end", async (t) => {
    const { vfs } = await treeFor(t);
    const bytes = Uint8Array.from({ length: LONG }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
    vfs.fs.writeFileSync("/f", bytes);
    assert.deepEqual(new Uint8Array(vfs.fs.readFileSync("/f")), bytes);
    const fd = vfs.fs.openSync("/f", "r+");
    assert.equal(vfs.fs.writeSync(fd, bytes, 0, LONG, 70_000), LONG);
    const read = Buffer.alloc(LONG);
    assert.equal(vfs.fs.readSync(fd, read, 0, LONG, 70_000), LONG);
    assert.deepEqual(new Uint8Array(read), bytes);
    assert.deepEqual(new Uint8Array(vfs.fs.readFileSync("/f").subarray(0, 70_000)), bytes.subarray(0, 70_000));
  });

  test("a thread that dies between two parts leaves the first ones, and a file that can be written", async (t) => {
    const { vfs, parked } = await treeFor(t);
    vfs.fs.writeFileSync("/log", "begin");
    const worker = await parked((tree) => tree.fs.appendFileSync("/log", "a".repeat(200_000)), POINT.WRITE_PART, 2);
    await worker.kill();
    vfs.threadDied(worker.slot);
    assert.equal(runsOf(vfs.fs.readFileSync("/log", "utf8")), `b1 e1 g1 i1 n1 a${2 * IO_SIZE}`);
    vfs.fs.appendFileSync("/log", "b");
    assert.equal(vfs.fs.statSync("/log").size, 5 + 2 * IO_SIZE + 1);
  });

  test("when the memory gets full, it returns what it has written; the next write fails with ENOSPC", async () => {
    const vfs = await createVfs({ maxBytes: 4 << 20 });
    const fd = vfs.fs.openSync("/f", "a");
    const wrote = vfs.fs.writeSync(fd, Buffer.alloc(16 << 20, "a"));
    assert.ok(wrote > 1 << 20 && wrote < 4 << 20, `wrote ${wrote}`);
    assert.equal(vfs.fs.statSync("/f").size, wrote);
    assert.throws(() => vfs.fs.writeSync(fd, "a".repeat(LONG)), { code: "ENOSPC" });
    assert.equal(vfs.fs.statSync("/f").size, wrote);
    vfs.close();
  });

  test("buffers of a vector are one write and one read, short ones too", async (t) => {
    const { vfs } = await treeFor(t);
    const { arena, ctx } = rawCore(t, vfs.handle);
    const calls = new SystemCalls(arena, ctx);
    for (const sizes of [[3, 0, 5], [0, LONG, 1, 70_000], [40_000, 40_000], []]) {
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const fd = calls.open("/v", 0o1102, 0o644);
      let written = 0;
      vfs.never();
      const buffers = sizes.map((size, n) => new Uint8Array(size).fill(n + 97));
      written = calls.writev(fd, buffers, -1);
      assert.equal(written, total);
      const back = sizes.map((size) => new Uint8Array(size));
      assert.equal(calls.readv(fd, back, 0), total);
      assert.deepEqual(back, buffers);
      assert.equal(calls.readv(fd, [new Uint8Array(3)], -1), 0, "the position is behind the last byte");
      calls.closeQuietly(fd);
    }
  });

  test("a call of the core without a caller's data fails with EFAULT, and writes nothing", async (t) => {
    const { vfs } = await treeFor(t);
    const { core, ctx, openat } = rawCore(t, vfs.handle);
    vfs.fs.writeFileSync("/f", "text");
    const fd = openat(-100, "/f", 2);
    soilPages(vfs);
    for (const offset of [0, 4, 70_000]) {
      assert.equal(core.sysWrite(ctx, fd, offset, IO_SIZE + 1), -ERRNO.EFAULT);
      assert.equal(vfs.fs.readFileSync("/f", "utf8"), "text");
    }
    // Fails if what the call had begun stays behind the end of the file.
    vfs.fs.truncateSync("/f", 2 * IO_SIZE);
    const bytes = vfs.fs.readFileSync("/f");
    assert.equal(runsOf(bytes.toString("latin1").replaceAll("\0", "0")), `t1 e1 x1 t1 0${2 * IO_SIZE - 4}`);
    assert.equal(core.sysReadDirect(ctx, fd, 0, IO_SIZE), -ERRNO.EFAULT);
  });

  test("there are zeros behind its last byte and in the gap before its first, whatever was in the memory", async () => {
    const vfs = await createVfs({ maxBytes: 16 << 20 });
    soilPages(vfs);
    for (const [n, start] of [5, 4096, 70_001].entries()) {
      const fd = vfs.fs.openSync(`/${n}`, "w+");
      assert.equal(vfs.fs.writeSync(fd, Buffer.alloc(LONG, "a"), 0, LONG, start), LONG);
      vfs.fs.ftruncateSync(fd, start + LONG + 10_000);
      const text = vfs.fs.readFileSync(`/${n}`, "latin1").replaceAll("\0", "0");
      assert.equal(runsOf(text), `0${start} a${LONG} 010000`);
    }
    vfs.close();
  });
});

describe("an append", () => {
  // Fails if the end of the file is read before the file's lock is taken.
  test("goes to the end of the file as it is when its turn comes", async (t) => {
    const { vfs, parked } = await treeFor(t);
    vfs.fs.writeFileSync("/log", "");
    const memory = memoryOf(vfs);
    const inode = memory.inode(dentryOf(vfs, "/log"));
    const first = await parked((tree) => tree.fs.appendFileSync("/log", "a".repeat(150_000)), POINT.WRITE_PART);
    const second = await parked((tree) => tree.fs.appendFileSync("/log", "b"), POINT.ANSWER);
    const ended = second.release();
    // The second one has opened the file and waits for its lock.
    while ((memory.mutex(inode) & WAITERS) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await first.release();
    await ended;
    assert.equal(runsOf(vfs.fs.readFileSync("/log", "utf8")), "a150000 b1");
  });

  test("records of real threads stay whole, whatever their size", async () => {
    const vfs = await createVfs({ maxBytes: 512 << 20 });
    vfs.fs.writeFileSync("/log", "");
    const shared = vfs.fs.openSync("/shared", "w");
    const body = `
      let n = 0;
      for (; n < data.rounds && running(); n++) {
        const record = LETTER.repeat(1000 * (1 + ((n * 37) % 150))) + "\\n";
        vfs.fs.appendFileSync("/log", record);
        vfs.fs.writeSync(data.shared, record);
      }
      return n;
    `;
    const letters = ["a", "b", "c"];
    const bodies = letters.map((letter) => body.replace("LETTER", `"${letter}"`));
    const rounds = await threads<number[]>(vfs.handle, 200, bodies, { shared, rounds: 60 });
    for (const path of ["/log", "/shared"]) {
      const lines = vfs.fs.readFileSync(path, "utf8").split("\n");
      assert.equal(lines.pop(), "");
      for (const line of lines) assert.match(runsOf(line), /^[abc]\d+000$/);
      const counts = letters.map((letter) => lines.filter((line) => line.startsWith(letter)).length);
      assert.deepEqual(counts, rounds);
    }
    vfs.close();
  });
});
