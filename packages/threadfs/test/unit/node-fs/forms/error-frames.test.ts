/** The stacks of errors: those of callbacks have no frames, as in Node; all others say where the call was made. */
import assert from "node:assert/strict";
import nodeFs from "node:fs";
import { after, test } from "node:test";
import { createVfs, type Fs } from "threadfs";

const vfs = await createVfs({ maxBytes: 1 << 24 });
after(() => vfs.close());
const { fs } = vfs;

type Done = (error: Error | null) => void;

/** Calls that fail, each with another kind of work behind it. */
const CALLS: Record<string, (fs: Fs, done: Done) => void> = {
  stat: (fs, done) => fs.stat("/none", done),
  "a path too long": (fs, done) => fs.lstat(`/${"n".repeat(5000)}`, done),
  readFile: (fs, done) => fs.readFile("/none", done),
  "readFile with a signal": (fs, done) => fs.readFile("/none", { signal: new AbortController().signal }, done),
  read: (fs, done) => fs.read(0x7ffffff0, Buffer.alloc(1), done),
  writev: (fs, done) => fs.writev(0x7ffffff0, [Buffer.alloc(1)], done),
  readdir: (fs, done) => fs.readdir("/none", done),
  rm: (fs, done) => fs.rm("/none", done),
  realpath: (fs, done) => fs.realpath("/none/below", done),
  opendir: (fs, done) => fs.opendir("/none", done),
  "a stream": (fs, done) => void fs.createReadStream("/none").on("error", done),
};

const errorOf = (fs: Fs, call: (fs: Fs, done: Done) => void): Promise<Error> =>
  new Promise((resolve, reject) =>
    call(fs, (error) => (error === null ? reject(new Error("no error")) : resolve(error))),
  );

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name}: the error of a callback has no frames, as in Node`, async () => {
    const limit = Error.stackTraceLimit;
    for (const each of [fs, nodeFs as unknown as Fs]) {
      const error = await errorOf(each, call);
      assert.equal(error.stack, `Error: ${error.message}`);
    }
    assert.equal(Error.stackTraceLimit, limit);
  });
}

test("thrown errors, and those of promises, say where the call was made", async () => {
  await errorOf(fs, (fs, done) => fs.stat("/none", done));
  assert.throws(() => fs.statSync("/none"), { stack: /error-frames\.test/ });
  await assert.rejects(fs.promises.stat("/none"), { stack: /error-frames\.test/ });
});

/** Calls that fail, by a promise. */
const PROMISES: Record<string, (fs: Pick<Fs, "promises">) => Promise<unknown>> = {
  stat: (fs) => fs.promises.stat("/none"),
  mkdir: (fs) => fs.promises.mkdir("/"),
  open: (fs) => fs.promises.open("/none"),
};

for (const [name, call] of Object.entries(PROMISES)) {
  test(`${name}: the error of a promise has the frames of the functions that await it, as in Node`, async () => {
    async function user(of: Pick<Fs, "promises">): Promise<void> {
      await call(of);
    }
    async function outer(of: Pick<Fs, "promises">): Promise<string[]> {
      try {
        await user(of);
        return [];
      } catch (error) {
        const frames = [...((error as Error).stack ?? "").matchAll(/at async (\w+)/g)].map(([, at = ""]) => at);
        // The call itself may be one of them.
        return frames.filter((at) => at !== "Object" && at !== name).slice(0, 2);
      }
    }
    for (const each of [fs, nodeFs as unknown as Fs]) assert.deepEqual(await outer(each), ["user", "outer"]);
  });
}

test("each of many errors of promises has frames", async () => {
  const ends = await Promise.allSettled(
    Array.from({ length: 300 }, async (_, n) => {
      await fs.promises.stat(`/none-${n}`);
    }),
  );
  for (const [n, end] of ends.entries()) {
    assert.ok(end.status === "rejected" && end.reason.message.endsWith(`'/none-${n}'`));
    assert.match(end.reason.stack, /error-frames\.test/);
  }
});

test("errors that a callback makes have frames, and so have errors of arguments", async () => {
  const error = await new Promise<Error>((resolve) =>
    fs.stat("/none", () => {
      try {
        fs.statSync("/none");
      } catch (thrown) {
        resolve(thrown as Error);
      }
    }),
  );
  assert.match(error.stack ?? "", /error-frames\.test/);
  assert.throws(() => fs.stat(1 as never, () => {}), { stack: /error-frames\.test/ });
});

test("where the limit of frames cannot be set, errors have frames", async (t) => {
  const limit = Error.stackTraceLimit;
  t.after(() => Object.defineProperty(Error, "stackTraceLimit", { value: limit, writable: true }));
  Object.defineProperty(Error, "stackTraceLimit", { value: limit, writable: false });
  const error = await errorOf(fs, (fs, done) => fs.stat("/none", done));
  assert.match(error.stack ?? "", /\n +at /);
});
