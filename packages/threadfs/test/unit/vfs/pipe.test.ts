/** Pipes, by forced interleavings: another thread acts, or this one dies, between the copy of the bytes and the commit, and before a wait. */
import assert from "node:assert/strict";
import { constants } from "node:fs";
import { test } from "node:test";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { POINT } from "../../../dist/abi/abi.js";
import { treeFor } from "../../support/debug-tree.js";

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

// Fails when the reader looks for writers before it says that it waits: then it sleeps, and is not woken.
test("a reader whose last writer closes between its look at the pipe and its wait gets the end of the file", async (t) => {
  const { vfs, attach } = await treeFor(t, { lockTimeoutMs: 60_000 });
  const other = await attach();
  vfs.linux.mkfifoSync("/f");
  const writer = vfs.fs.openSync("/f", O_RDWR);
  const reader = vfs.fs.openSync("/f", "r");
  vfs.at(POINT.PIPE_EMPTY, () => other.fs.closeSync(writer));
  assert.equal(vfs.fs.readSync(reader, Buffer.alloc(1)), 0);
});

test("a reader to which a descriptor is closed before its wait fails with EBADF", async (t) => {
  const { vfs, attach } = await treeFor(t, { lockTimeoutMs: 60_000 });
  const other = await attach();
  const [from, to] = vfs.linux.pipeSync();
  vfs.at(POINT.PIPE_EMPTY, () => other.fs.closeSync(from));
  assert.throws(() => vfs.fs.readSync(from, Buffer.alloc(1)), { code: "EBADF" });
  assert.throws(() => vfs.fs.writeSync(to, "x"), { code: "EPIPE" });
});

test("what a thread has copied to a pipe and not committed when it dies was never written", async (t) => {
  const { vfs, parked } = await treeFor(t);
  const [from, to] = vfs.linux.pipeSync({ nonblocking: true });
  vfs.fs.writeSync(to, "before");
  for (const length of [10, 5000, 60_000]) {
    const work = `vfs.fs.writeSync(${to}, "x".repeat(${length}));`;
    const worker = await parked(work, POINT.PIPE_COPIED);
    await worker.kill();
    vfs.threadDied(worker.slot);
  }
  const into = Buffer.alloc(100);
  assert.equal(into.toString("latin1", 0, vfs.fs.readSync(from, into)), "before");
  assert.throws(() => vfs.fs.readSync(from, into), { code: "EAGAIN" });
  assert.equal(vfs.fs.writeSync(to, Buffer.alloc(70_000)), 65_536);
  for (const fd of [from, to]) vfs.fs.closeSync(fd);
  assert.deepEqual(check(vfs.handle.memory).problems, []);
});

// Fails when the tail moves before the last byte is copied.
test("what a thread was reading from a pipe when it dies the next reader gets", async (t) => {
  const { vfs, parked } = await treeFor(t);
  const [from, to] = vfs.linux.pipeSync({ nonblocking: true });
  const bytes = Buffer.alloc(20_000, "0123456789");
  vfs.fs.writeSync(to, bytes);
  for (const length of [3, 5000, 20_000]) {
    const work = `vfs.fs.readSync(${from}, Buffer.alloc(${length}));`;
    const worker = await parked(work, POINT.PIPE_COPIED);
    await worker.kill();
    vfs.threadDied(worker.slot);
  }
  const into = Buffer.alloc(30_000);
  assert.equal(vfs.fs.readSync(from, into), bytes.length);
  assert.ok(into.subarray(0, bytes.length).equals(bytes));
});

test("a FIFO that is opened again after its last close is empty", async (t) => {
  const { vfs } = await treeFor(t);
  const { fs, linux } = vfs;
  linux.mkfifoSync("/f");
  const first = fs.openSync("/f", O_RDWR);
  fs.writeSync(first, "lost");
  fs.closeSync(first);
  const reader = fs.openSync("/f", O_RDONLY | O_NONBLOCK);
  const writer = fs.openSync("/f", O_WRONLY);
  assert.throws(() => fs.readSync(reader, Buffer.alloc(9)), { code: "EAGAIN" });
  assert.equal(linux.getPipeSizeSync(writer), 65_536);
});

// Fails when the pipe is freed although another thread has opened it meanwhile, or keeps its bytes for that one.
test("a FIFO that is opened while its last close frees its pages is a new pipe", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const { fs } = vfs;
  vfs.linux.mkfifoSync("/f");
  const first = fs.openSync("/f", O_RDWR);
  fs.writeSync(first, Buffer.alloc(30_000, "x"));
  let second = 0;
  // Between the steps in which the pages are freed.
  vfs.at(POINT.PIPE_FREED, () => {
    second = other.fs.openSync("/f", O_RDWR | O_NONBLOCK);
  });
  fs.closeSync(first);
  assert.notEqual(second, 0);
  assert.throws(() => other.fs.readSync(second, Buffer.alloc(9)), { code: "EAGAIN" });
  assert.equal(other.fs.writeSync(second, Buffer.alloc(65_536, "y")), 65_536);
  const into = Buffer.alloc(65_536);
  assert.equal(fs.readSync(second, into), into.length);
  assert.ok(into.equals(Buffer.alloc(65_536, "y")));
  fs.closeSync(second);
  assert.deepEqual(check(vfs.handle.memory).problems, []);
});
