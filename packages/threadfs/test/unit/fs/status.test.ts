/** What an open file is like at present: fcntl(2) with F_GETFL and F_SETFL, and poll(2). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  AT_FDCWD,
  ERRNO,
  O_APPEND,
  O_CREAT,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  POLL_BYTES,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  REQUEST_SEEN,
  REQUEST_WORD,
} from "../../../dist/abi/abi.js";
import { treeFor } from "../../support/debug-tree.js";
import type { TestScope } from "../../support/hooked-vfs.js";
import { rawCore } from "../../support/raw-core.js";

async function raw(t: TestScope) {
  const { vfs } = await treeFor(t);
  vfs.fs.writeFileSync("/f", "0123456789");
  const { core, ctx, arena, ...others } = rawCore(t, vfs.handle);
  const open = (flags: number) => others.openat(AT_FDCWD, "/f", flags);
  const write = (fd: number, text: string) => {
    arena.io.set(Buffer.from(text));
    return core.sysWrite(ctx, fd, -1, text.length);
  };
  return { vfs, core, ctx, arena, open, write };
}

describe("the status flags of an open file", () => {
  // Fails when more than the two flags are set, or they are not.
  test("are those of open(2); O_APPEND and O_NONBLOCK can be set and removed, the others stay", async (t) => {
    const { vfs, core, ctx, open, write } = await raw(t);
    const fd = open(O_RDWR);
    assert.equal(core.sysFileFlags(ctx, fd, -1), O_RDWR);
    assert.equal(core.sysFileFlags(ctx, open(O_RDWR | O_CREAT), -1), O_RDWR, "what only the open looks at is not told");
    assert.equal(core.sysFileFlags(ctx, open(O_RDWR | 0x80000000), -1), O_RDWR, "nor is a flag that there is not");
    assert.equal(write(fd, "ab"), 2);
    assert.equal(core.sysFileFlags(ctx, fd, O_APPEND | O_WRONLY | O_PATH), O_APPEND | O_RDWR);
    assert.equal(write(fd, "xy"), 2);
    assert.equal(vfs.fs.readFileSync("/f", "utf8"), "ab23456789xy");
    assert.equal(core.sysFileFlags(ctx, fd, O_NONBLOCK), O_NONBLOCK | O_RDWR);
    assert.equal(core.sysLseek(ctx, fd, 0, 0), 0);
    assert.equal(write(fd, "c"), 1);
    assert.equal(vfs.fs.readFileSync("/f", "utf8"), "cb23456789xy");
    assert.equal(core.sysFileFlags(ctx, fd, -1), O_NONBLOCK | O_RDWR);
  });

  test("of a descriptor with O_PATH can be read, and not be set", async (t) => {
    const { core, ctx, open } = await raw(t);
    const fd = open(O_PATH);
    assert.equal(core.sysFileFlags(ctx, fd, -1) & O_PATH, O_PATH);
    assert.equal(core.sysFileFlags(ctx, fd, O_APPEND), -ERRNO.EBADF);
    assert.equal(core.sysFileFlags(ctx, 99, -1), -ERRNO.EBADF);
  });
});

describe("poll", () => {
  test("a file is always ready, for what it is asked for", async (t) => {
    const { core, ctx, open } = await raw(t);
    const fd = open(O_RDONLY);
    for (const events of [0, POLLIN, POLLOUT, POLLIN | POLLOUT]) assert.equal(core.sysPoll(ctx, fd, events), events);
    assert.equal(core.sysPoll(ctx, 99, POLLIN), -ERRNO.EBADF);
    assert.equal(core.sysPoll(ctx, open(O_PATH), POLLIN), -ERRNO.EBADF);
  });

  // Fails without POLLHUP, and when pipePoll() does not say that the caller is about to wait (expectChange()).
  test("a pipe: its bytes, and the word that changes when there are some", async (t) => {
    const { core, ctx, arena, write } = await raw(t);
    const fds = core.sysPipe(ctx, O_NONBLOCK);
    const [from, to] = [fds & 0xffff, fds >>> 16];
    const view = new DataView(arena.io.buffer, arena.io.byteOffset);
    assert.equal(core.sysPoll(ctx, from, POLLIN), 0);
    const word = new Int32Array(arena.memory.buffer, view.getUint32(REQUEST_WORD, true), 1);
    assert.equal(Atomics.load(word, 0), view.getInt32(REQUEST_SEEN, true));
    assert.equal(core.sysPoll(ctx, to, POLLIN | POLLOUT), POLLOUT);
    const seen = Atomics.load(word, 0);
    assert.equal(write(to, "abc"), 3);
    assert.notEqual(Atomics.load(word, 0), seen, "a thread that slept on it has been woken");
    assert.equal(core.sysPoll(ctx, from, POLLIN), POLLIN);
    assert.equal(view.getFloat64(POLL_BYTES, true), 3);
    assert.equal(core.sysClose(ctx, to), 0);
    assert.equal(core.sysPoll(ctx, from, POLLIN), POLLIN | POLLHUP);
    assert.equal(core.sysRead(ctx, from, -1, 10), 3);
    assert.equal(core.sysPoll(ctx, from, POLLIN), POLLHUP);
  });

  test("a pipe that is full has no room until it is read, and one without a reader is an error", async (t) => {
    const { core, ctx, arena, write } = await raw(t);
    const fds = core.sysPipe(ctx, O_NONBLOCK);
    const [from, to] = [fds & 0xffff, fds >>> 16];
    assert.equal(core.sysPipeSize(ctx, to, 4096), 4096);
    assert.equal(write(to, "x".repeat(4096)), 4096);
    assert.equal(core.sysPoll(ctx, to, POLLOUT), 0);
    const view = new DataView(arena.io.buffer, arena.io.byteOffset);
    const word = new Int32Array(arena.memory.buffer, view.getUint32(REQUEST_WORD, true), 1);
    const seen = Atomics.load(word, 0);
    assert.equal(core.sysRead(ctx, from, -1, 4096), 4096);
    assert.notEqual(Atomics.load(word, 0), seen);
    assert.equal(core.sysPoll(ctx, to, POLLOUT), POLLOUT);
    assert.equal(core.sysClose(ctx, from), 0);
    assert.equal(core.sysPoll(ctx, to, POLLOUT) & POLLERR, POLLERR);
  });
});
