/** Pipes and FIFOs in one thread: opens that wait, transfers that wait, ends that close, streams; the kernel is asked in conformance/linux/pipes.test.ts. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { constants } from "node:fs";
import { type TestContext, test } from "node:test";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { until } from "../../../../../verify/dist/support/hang.js";
import { WaitLimit } from "../../../../dist/src/bridge/waiting.js";
import { attachVfs, createVfs, type Vfs } from "../../../../dist/src/index.js";
import { codeOf } from "../../../support/errors.js";
import { OWNER, scene } from "../../../support/held-locks.js";
import type { TestScope } from "../../../support/hooked-vfs.js";

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

async function tree(t: TestScope, lockTimeoutMs = 50): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 16 << 20, lockTimeoutMs });
  t.after(() => {
    assert.deepEqual(check(vfs.handle.memory).problems, []);
    vfs.close();
  });
  vfs.linux.mkfifoSync("/f");
  return vfs;
}

const refused = (code: string, call: () => unknown) => assert.equal(codeOf(call), code);
/** Lets calls that have been begun get as far as they can. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

/** What a promise is at the moment. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  const pending = {};
  await turn();
  return Promise.race([promise, Promise.resolve(pending)]).then(
    (value) => (value === pending ? "pending" : "done"),
    ({ code }) => code,
  );
}

test("a synchronous call waits as long as the tree's calls may, and has not happened then", async (t) => {
  const { fs, linux } = await tree(t);
  refused("ERR_THREADFS_TIMEOUT", () => fs.openSync("/f", "r"));
  refused("ERR_THREADFS_TIMEOUT", () => fs.openSync("/f", "w"));
  refused("ENXIO", () => fs.openSync("/f", O_WRONLY | O_NONBLOCK));
  const [from, to] = linux.pipeSync();
  refused("ERR_THREADFS_TIMEOUT", () => fs.readSync(from, Buffer.alloc(1)));
  assert.equal(fs.writeSync(to, Buffer.alloc(65_536)), 65_536);
  refused("ERR_THREADFS_TIMEOUT", () => fs.writeSync(to, "x"));
  assert.equal(fs.readSync(from, Buffer.alloc(4096)), 4096);
  assert.equal(fs.writeSync(to, Buffer.alloc(10_000)), 4096, "what there was room for");
  assert.equal(fs.fstatSync(from).size, 0);
  for (const fd of [from, to]) fs.closeSync(fd);
});

test("opens of the two ends wait for each other, in any order and form", async (t) => {
  const { fs } = await tree(t);
  const { promises } = fs;
  for (const flags of [
    ["r", "w"],
    ["w", "r"],
  ]) {
    const first = promises.open("/f", flags[0]);
    assert.equal(await stateOf(first), "pending");
    const second = await new Promise<number>((resolve, reject) =>
      fs.open("/f", flags[1] as string, (error, fd) => (error ? reject(error) : resolve(fd))),
    );
    const handle = await first;
    await handle.close();
    fs.closeSync(second);
  }
  const both = fs.openSync("/f", O_RDWR);
  const [reader, writer] = [fs.openSync("/f", "r"), fs.openSync("/f", "w")];
  assert.equal(fs.writeSync(writer, "abc"), 3);
  assert.equal(fs.readSync(reader, Buffer.alloc(9)), 3);
  for (const fd of [both, reader, writer]) fs.closeSync(fd);
});

test("a descriptor whose open waits is not open, and the number comes back when the open is given up", async (t) => {
  const { fs } = await tree(t);
  const control = new AbortController();
  const reading = fs.promises.readFile("/f", { signal: control.signal });
  assert.equal(await stateOf(reading), "pending");
  refused("EBADF", () => fs.fstatSync(3));
  refused("EBADF", () => fs.closeSync(3));
  control.abort();
  await assert.rejects(reading, { name: "AbortError" });
  refused("ENXIO", () => fs.openSync("/f", O_WRONLY | O_NONBLOCK));
  const fd = fs.openSync("/f", O_RDONLY | O_NONBLOCK);
  assert.equal(fd, 3);
  fs.closeSync(fd);
});

/** A reader's open that waits, then a writer that has come, and a lock of the descriptors that another thread holds from then on. */
async function heldOpen(t: TestContext, open: (fs: Vfs["fs"]) => Promise<unknown>) {
  const { vfs, words, locks } = await scene(t, true, 10_000);
  t.after(() => vfs.close());
  vfs.linux.mkfifoSync("/f");
  const reading = open(vfs.fs);
  assert.equal(await stateOf(reading), "pending");
  const writer = vfs.fs.openSync("/f", O_WRONLY | O_NONBLOCK);
  const fdLock = (locks["fdLock of a context"] ?? 0) >>> 2;
  Atomics.store(words, fdLock, OWNER + 1);
  return { fs: vfs.fs, reading, writer, release: () => Atomics.store(words, fdLock, 0) };
}

const HELD_OPENS: Readonly<Record<string, (fs: Vfs["fs"]) => Promise<unknown>>> = {
  open: async ({ promises }) => (await promises.open("/f", "r")).close().then(() => ""),
  readFile: ({ promises }) => promises.readFile("/f", "utf8"),
};

for (const [what, open] of Object.entries(HELD_OPENS)) {
  test(`an open (${what}) that meets a lock after the other end has come goes on with its descriptor`, async (t) => {
    const { fs, reading, writer, release } = await heldOpen(t, open);
    // Free as soon as the open has been left: taking it back would succeed.
    const { passed } = WaitLimit.prototype;
    const left = t.mock.method(WaitLimit.prototype, "passed", function (this: WaitLimit, word: number) {
      release();
      return passed.call(this, word);
    });
    await until(() => left.mock.callCount() > 0);
    fs.closeSync(writer);
    assert.equal(await reading, "");
    refused("ENXIO", () => fs.openSync("/f", O_WRONLY | O_NONBLOCK));
  });
}

test("an open that meets a lock after the other end has come can be given up", async (t) => {
  const control = new AbortController();
  const { signal } = control;
  const { fs, reading, writer, release } = await heldOpen(t, ({ promises }) => promises.readFile("/f", { signal }));
  for (let n = 0; n < 3; n++) assert.equal(await stateOf(reading), "pending");
  control.abort();
  release();
  await assert.rejects(reading, { name: "AbortError" });
  fs.closeSync(writer);
  const hasNoReader = () => codeOf(() => fs.closeSync(fs.openSync("/f", O_WRONLY | O_NONBLOCK))) === "ENXIO";
  await until(hasNoReader, "the descriptor of the reader", 1000);
});

test("a writer that opened and closed again has let the reader in", async (t) => {
  const { fs } = await tree(t);
  const reading = fs.promises.readFile("/f", "utf8");
  assert.equal(await stateOf(reading), "pending");
  const fd = fs.openSync("/f", O_WRONLY | O_NONBLOCK);
  fs.writeSync(fd, "short");
  fs.closeSync(fd);
  assert.equal(await reading, "short");
});

test("promises and callbacks wait without a limit, and a write that was begun goes on", async (t) => {
  const { fs, linux } = await tree(t);
  const [from, to] = await linux.pipe();
  const bytes = Buffer.alloc(300_000, "0123456789");
  const written = new Promise<number>((resolve, reject) =>
    fs.write(to, bytes, (error, count) => (error ? reject(error) : resolve(count))),
  );
  // Longer than calls wait for each other.
  await new Promise((resolve) => setTimeout(resolve, 120));
  assert.equal(await stateOf(written), "pending");
  const got: Buffer[] = [];
  for (let left = bytes.length; left > 0; left -= got.at(-1)?.length ?? 0) {
    const part = Buffer.alloc(50_000);
    const count = await new Promise<number>((resolve, reject) =>
      fs.read(from, part, 0, part.length, null, (error, read) => (error ? reject(error) : resolve(read))),
    );
    got.push(part.subarray(0, count));
  }
  assert.equal(await written, bytes.length);
  assert.ok(Buffer.concat(got).equals(bytes));
  const late = new Promise<number>((resolve) => fs.read(from, Buffer.alloc(5), (_error, count) => resolve(count)));
  assert.equal(await stateOf(late), "pending");
  fs.closeSync(to);
  assert.equal(await late, 0, "the end of the file");
  fs.closeSync(from);
});

test("vectors go through a pipe, on as they were begun", async (t) => {
  const { fs, linux } = await tree(t);
  const [from, to] = linux.pipeSync();
  const parts = ["a", "b", "c"].map((letter) => Buffer.alloc(50_000, letter));
  const written = new Promise<number>((resolve) => fs.writev(to, parts, (_error, count) => resolve(count)));
  const got: Buffer[] = [];
  for (let left = 150_000; left > 0; left -= got.at(-1)?.length ?? 0) {
    const into = [Buffer.alloc(100_000), Buffer.alloc(60_000)];
    const count = await new Promise<number>((resolve) => fs.readv(from, into, (_error, read) => resolve(read)));
    got.push(Buffer.concat(into).subarray(0, count));
  }
  assert.equal(await written, 150_000);
  assert.ok(Buffer.concat(got).equals(Buffer.concat(parts)));
  for (const fd of [from, to]) fs.closeSync(fd);
});

test("the last reader's close ends writes with EPIPE, also one that waits", async (t) => {
  const { fs, linux } = await tree(t);
  const [from, to] = linux.pipeSync();
  const written = new Promise<string>((resolve) =>
    fs.write(to, Buffer.alloc(65_536), () => fs.write(to, "more", (error) => resolve(`${error?.code}`))),
  );
  await turn();
  fs.closeSync(from);
  assert.equal(await written, "EPIPE");
  refused("EPIPE", () => fs.writeSync(to, "x"));
  fs.closeSync(to);
});

test("a write that has written a part when the last reader closes returns that part", async (t) => {
  const { fs, linux } = await tree(t);
  const [from, to] = linux.pipeSync();
  const written = new Promise<number>((resolve) => fs.write(to, Buffer.alloc(100_000), (_e, count) => resolve(count)));
  await turn();
  fs.closeSync(from);
  assert.equal(await written, 65_536);
  fs.closeSync(to);
});

test("the close of a descriptor by which a call waits ends the call with EBADF", async (t) => {
  const { fs, linux } = await tree(t);
  const [from, to] = linux.pipeSync();
  const read = new Promise<string>((resolve) => fs.read(from, Buffer.alloc(1), (error) => resolve(`${error?.code}`)));
  await turn();
  fs.closeSync(from);
  assert.equal(await read, "EBADF");
  fs.closeSync(to);
});

test("a context that ends closes its ends and ends its waits", async (t) => {
  const vfs = await tree(t);
  const context = vfs.context();
  const [from, to] = context.linux.pipeSync();
  assert.deepEqual([from, to], [3, 4]);
  const waits = new Promise<string>((resolve) =>
    context.fs.read(from, Buffer.alloc(1), (error) => resolve(`${error?.code}`)),
  );
  const opens = context.fs.promises.open("/f", "r");
  assert.equal(await stateOf(opens), "pending");
  context.close();
  assert.equal(await waits, "ERR_THREADFS_CLOSED");
  await assert.rejects(opens, { code: "ERR_THREADFS_CLOSED" });
  refused("ENXIO", () => vfs.fs.openSync("/f", O_WRONLY | O_NONBLOCK));
});

test("a context that another attachment closes ends its waits with EBADF", async (t) => {
  const vfs = await tree(t);
  const context = vfs.context();
  const [from] = context.linux.pipeSync();
  const other = await attachVfs(vfs.handle, { share: false });
  t.after(() => other.close());
  const waits = new Promise<string>((resolve) =>
    context.fs.read(from, Buffer.alloc(1), (error) => resolve(`${error?.code}`)),
  );
  await turn();
  other
    .contexts()
    .find(({ ctx }) => ctx === context.handle.ctx)
    ?.close();
  assert.equal(await waits, "EBADF");
});

test("the end of an attachment takes its opens that wait back", async (t) => {
  const vfs = await tree(t);
  const other = await attachVfs(vfs.handle, { share: false });
  const opens = other.fs.promises.open("/f", "r");
  assert.equal(await stateOf(opens), "pending");
  other.close();
  await assert.rejects(opens, { code: "ERR_THREADFS_CLOSED" });
  refused("ENXIO", () => vfs.fs.openSync("/f", O_WRONLY | O_NONBLOCK));
});

test("files are read and written whole through a FIFO", async (t) => {
  const { fs } = await tree(t);
  const text = "0123456789".repeat(30_000);
  for (const encoding of ["utf8", null] as const) {
    const read = fs.promises.readFile("/f", encoding);
    await fs.promises.writeFile("/f", text);
    assert.equal(`${await read}`, text);
  }
  const into = fs.promises.readFile("/f", { buffer: Buffer.alloc(10) } as never);
  await fs.promises.appendFile("/f", "0123456789");
  assert.equal(`${await into}`, "0123456789");
  const handle = fs.promises.readFile("/f", "latin1");
  fs.writeFile("/f", "by a callback", () => undefined);
  assert.equal(await handle, "by a callback");
});

test("streams work on a FIFO, and close both ends", async (t) => {
  const { fs } = await tree(t);
  const input = fs.createReadStream("/f");
  const output = fs.createWriteStream("/f");
  let count = 0;
  input.on("data", (part) => {
    count += part.length;
  });
  for (let i = 0; i < 50; i++) output.write(Buffer.alloc(10_000, i));
  output.end();
  await once(input, "close");
  assert.equal(count, 500_000);
  refused("ENXIO", () => fs.openSync("/f", O_WRONLY | O_NONBLOCK));
});

test("copyFile of a FIFO copies nothing, as libuv does, when a writer has come", async (t) => {
  const { fs } = await tree(t);
  const copied = fs.promises.copyFile("/f", "/copy");
  assert.equal(await stateOf(copied), "pending");
  fs.closeSync(fs.openSync("/f", O_WRONLY | O_NONBLOCK));
  await copied;
  assert.equal(fs.statSync("/copy").size, 0);
});

test("watchers of a FIFO hear of writes", async (t) => {
  const { fs } = await tree(t);
  const heard: string[] = [];
  const watcher = fs.watch("/f", (event) => heard.push(event));
  t.after(() => watcher.close());
  const fd = fs.openSync("/f", O_RDWR);
  fs.writeSync(fd, "x");
  await until(() => heard.length > 0);
  fs.readSync(fd, Buffer.alloc(1));
  fs.closeSync(fd);
  await turn();
  assert.deepEqual(heard, ["change"]);
});

test("short messages keep to one page, and a pipe's pages end with its last close", async (t) => {
  const { fs, linux, handle } = await tree(t);
  const pages = () => check(handle.memory).counts["size-4096"] ?? 0;
  const before = pages();
  const [from, to] = linux.pipeSync();
  for (let n = 0; n < 100; n++) {
    fs.writeSync(to, "ping");
    fs.readSync(from, Buffer.alloc(4));
  }
  assert.equal(pages() - before, 1);
  assert.equal(linux.setPipeSizeSync(from, 1 << 20), 1 << 20);
  fs.writeSync(to, Buffer.alloc(1 << 20, 1));
  assert.equal(pages() - before, 256);
  fs.readSync(from, Buffer.alloc(1 << 19));
  fs.writeSync(to, Buffer.alloc(1 << 19));
  assert.equal(pages() - before, 256);
  for (const fd of [from, to]) fs.closeSync(fd);
  assert.equal(pages(), before);
});

test("sizes, flags and descriptors that cannot be are refused", async (t) => {
  const { fs, linux } = await tree(t);
  const [from, to] = linux.pipeSync({ nonblocking: true });
  refused("EAGAIN", () => fs.readSync(from, Buffer.alloc(1)));
  refused("EPERM", () => linux.setPipeSizeSync(from, (1 << 20) + 1));
  refused("EINVAL", () => linux.setPipeSizeSync(from, 2 ** 32 - 1));
  refused("ERR_OUT_OF_RANGE", () => linux.setPipeSizeSync(from, -1));
  fs.writeSync(to, Buffer.alloc(20_000));
  refused("EBUSY", () => linux.setPipeSizeSync(from, 16_384));
  const file = fs.openSync("/x", "w");
  refused("EBADF", () => linux.getPipeSizeSync(file));
  refused("EBADF", () => linux.getPipeSizeSync(99));
  refused("ERR_INVALID_ARG_TYPE", () => linux.pipeSync(1 as never));
  refused("ERR_INVALID_ARG_VALUE", () => linux.pipeSync({ cloexec: true } as never));
  refused("ERR_INVALID_ARG_TYPE", () => linux.pipeSync({ nonblocking: 1 } as never));
  for (const fd of [from, to, file]) fs.closeSync(fd);
});
