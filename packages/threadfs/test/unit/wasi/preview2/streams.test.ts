/** threadfs/wasi-preview2: streams of wasi:io, and waits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BOTH, boxed, CREATE, drop, FOLLOW, outcome, READ, text } from "./component.js";

test("an input stream reads from its position to the end, and is closed then", async (t) => {
  const { open } = await boxed(t);
  const stream = open("f").readViaStream(3n);
  assert.equal(text(stream.read(2n)), "34");
  assert.equal(stream.skip(1n), 1n);
  assert.equal(text(stream.blockingRead(1n)), "6");
  assert.equal(stream.blockingSkip(1n), 1n);
  assert.equal(stream.read(0n).length, 0);
  assert.equal(text(stream.read(2n ** 64n - 1n)), "89");
  assert.equal(stream.subscribe().ready(), true);
  assert.equal(
    outcome(() => stream.read(1n)),
    "closed",
  );
  assert.equal(
    outcome(() => stream.blockingRead(1n)),
    "closed",
  );
  stream.subscribe().block();
});

test("an output stream writes from its position on, an appending one at the end of the file", async (t) => {
  const { vfs, open } = await boxed(t);
  const f = open("f");
  const stream = f.writeViaStream(8n);
  assert.equal(stream.checkWrite() >= 4096n, true);
  stream.write(Buffer.from("ab"));
  stream.write(Buffer.from("cd"));
  stream.flush();
  stream.writeZeroes(1n);
  stream.blockingWriteAndFlush(Buffer.from("e"));
  stream.blockingWriteZeroesAndFlush(1n);
  stream.blockingFlush();
  assert.equal(vfs.fs.readFileSync("/box/f", "latin1"), "01234567abcd\0e\0");
  const end = f.appendViaStream();
  end.blockingWriteAndFlush(Buffer.from("x"));
  vfs.fs.appendFileSync("/box/f", "y");
  end.blockingWriteAndFlush(Buffer.from("z"));
  // Without O_APPEND again: pwrite(2) would append.
  assert.equal(f.write(Buffer.from("A"), 0n), 1n);
  stream.blockingWriteAndFlush(Buffer.from("B"));
  assert.equal(vfs.fs.readFileSync("/box/f", "latin1"), "A1234567abcd\0e\0Byz");
});

test("splice moves bytes between streams, also from one of another shim", async (t) => {
  const { vfs, box, open } = await boxed(t);
  const to = box.openAt(FOLLOW, "to", CREATE, BOTH).writeViaStream(0n);
  const from = open("f").readViaStream(0n);
  assert.equal(to.splice(from, 4n), 4n);
  assert.equal(to.blockingSplice(from, 2n ** 64n - 1n), 6n);
  assert.equal(
    outcome(() => to.splice(from, 1n)),
    "closed",
  );
  assert.equal(to.splice({ read: () => Buffer.from("!") }, 5n), 1n);
  assert.equal(vfs.fs.readFileSync("/box/to", "utf8"), "0123456789!");
});

test("an error of a write closes the stream, and filesystem-error-code tells which it was", async (t) => {
  const { vfs, preview2 } = await boxed(t);
  vfs.fs.mkdirSync("/small");
  vfs.mount("tmpfs", "/small", "tmpfs", { size: 65_536 });
  const { createPreview2 } = await import("../../../../dist/src/wasi-preview2.js");
  const small = createPreview2(vfs, { preopens: { "/": "/small" } });
  const [entry] = small.filesystem.preopens.getDirectories();
  const stream = entry?.[0].openAt(FOLLOW, "f", CREATE, BOTH).writeViaStream(0n);
  stream?.checkWrite();
  try {
    stream?.write(new Uint8Array(200_000));
    assert.fail("the write should fail");
  } catch (error) {
    const { tag, val } = error as { tag: string; val: InstanceType<typeof preview2.io.error.Error> };
    assert.equal(tag, "last-operation-failed");
    assert.ok(val instanceof preview2.io.error.Error);
    assert.equal(preview2.filesystem.types.filesystemErrorCode(val), "insufficient-space");
  }
  assert.equal(
    outcome(() => stream?.checkWrite()),
    "closed",
  );
  assert.equal(
    outcome(() => stream?.flush()),
    "closed",
  );
  assert.equal(vfs.fs.statSync("/small/f").size, 65_536);
  const foreign = { toDebugString: () => "of another shim" };
  assert.ok(foreign instanceof preview2.io.error.Error);
  assert.equal(preview2.filesystem.types.filesystemErrorCode(foreign as never), undefined);
  small.close();
});

// Before, the stream asked the driver for ever.
test("a driver that writes nothing is an error of the stream", async (t) => {
  const { vfs, box } = await boxed(t);
  let asked = 0;
  vfs.registerDriver({
    name: "full",
    root: () => ({ ino: 1, mode: 0o040755 }),
    lookup: () => ({ ino: 2, mode: 0o100644, size: 0 }),
    write: (_node, _position, bytes) => (asked++ === 0 ? 4 : asked > 9 ? bytes.length : 0),
  });
  vfs.fs.mkdirSync("/box/full");
  vfs.mount(null, "/box/full", "full");
  const stream = box.openAt(FOLLOW, "full/f", {}, BOTH).writeViaStream(0n);
  stream.checkWrite();
  assert.throws(() => stream.write(new Uint8Array(10)), { tag: "last-operation-failed" });
  assert.equal(asked, 2);
});

test("a component that writes more than it may traps, and nothing is written", async (t) => {
  const { vfs, open } = await boxed(t);
  const stream = open("f").writeViaStream(0n);
  assert.throws(() => stream.write(new Uint8Array(1)), /more bytes than check-write permitted/);
  const permitted = Number(stream.checkWrite());
  assert.throws(() => stream.write(new Uint8Array(permitted + 1)), /more bytes/);
  assert.throws(() => stream.writeZeroes(2n ** 64n - 1n), /more bytes/);
  assert.throws(() => stream.blockingWriteAndFlush(new Uint8Array(4097)), /more than 4096/);
  assert.throws(() => stream.blockingWriteZeroesAndFlush(2n ** 40n), /more than 4096/);
  assert.equal(vfs.fs.readFileSync("/box/f", "utf8"), "0123456789");
});

test("a FIFO: reads and writes that would wait do nothing, pollables tell when they would not", async (t) => {
  const { vfs, preview2, box } = await boxed(t);
  vfs.linux.mkfifoSync("/box/pipe");
  const both = vfs.fs.openSync("/box/pipe", "r+");
  const end = box.openAt(FOLLOW, "pipe", {}, READ);
  const reader = end.readViaStream(0n);
  const writer = box.openAt(FOLLOW, "pipe", {}, { write: true }).writeViaStream(0n);
  const [canRead, canWrite] = [reader.subscribe(), writer.subscribe()];
  assert.deepEqual([canRead.ready(), canWrite.ready(), reader.read(5n).length], [false, true, 0]);
  assert.deepEqual(preview2.io.poll.poll([canRead, canWrite]), new Uint32Array([1]));
  writer.checkWrite();
  writer.write(Buffer.from("abc"));
  assert.deepEqual(preview2.io.poll.poll([canRead, canWrite]), new Uint32Array([0, 1]));
  canRead.block();
  assert.equal(text(reader.read(2n)), "ab");
  assert.equal(text(reader.blockingRead(2n)), "c");
  while (writer.checkWrite() > 0n) writer.write(new Uint8Array(4096));
  assert.equal(canWrite.ready(), false);
  vfs.fs.closeSync(both);
  drop(end);
  drop(reader);
  assert.equal(canWrite.ready(), true);
  assert.equal(
    outcome(() => writer.blockingWriteAndFlush(new Uint8Array(1))),
    "last-operation-failed: pipe",
  );
});

test("poll waits for pollables of other shims too", async (t) => {
  const { preview2, open } = await boxed(t);
  const { poll, Pollable } = preview2.io.poll;
  let looks = 0;
  const late = { ready: () => ++looks > 3, block: () => assert.fail("it is one of several") };
  const never = { ready: () => false, block: () => assert.fail("it is one of several") };
  assert.ok(late instanceof Pollable);
  assert.deepEqual(poll([never, late]), new Uint32Array([1]));
  let blocked = false;
  const single = { ready: () => blocked, block: () => (blocked = true) };
  assert.deepEqual(poll([single]), new Uint32Array([0]));
  let settled = false;
  const promised = {
    ready: () => settled,
    block: async () => {
      settled = true;
    },
  };
  assert.deepEqual(await poll([promised]), new Uint32Array([0]));
  assert.deepEqual(poll([never, open("f").readViaStream(0n).subscribe()]), new Uint32Array([1]));
  assert.throws(() => poll([]), /may not be empty/);
  assert.ok(!({} instanceof Pollable) && !((null as unknown as object) instanceof Pollable));
});
