/** FileHandle: its life, its web stream, calls after it was closed, and the signals of writes to it and to paths. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { promises as Promises } from "node:fs";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import type { FsCalls } from "../../support/fs-calls.js";
import { suite } from "./both.js";

const { same, sameEach } = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "x".repeat(40_000));
});

type Handle = Promises.FileHandle;

function open(fs: FsCalls, dir: string, flags = "r"): Promise<Handle> {
  return (fs as unknown as { promises: typeof Promises }).promises.open(`${dir}/f`, flags);
}

/** What a call throws or rejects with. */
async function failure(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    const { name, code, message, syscall } = error as NodeJS.ErrnoException;
    return [name, code, message, syscall];
  }
}

const ASYNC_DISPOSE = Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose");

describe("a handle", () => {
  same("has the methods of Node's, and no others", async (fs, dir) => {
    const handle = await open(fs, dir);
    const { close } = handle;
    await close();
    const own = Object.getOwnPropertyDescriptor(handle, "close");
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(handle)).sort();
    return [close.name, close.length, own?.writable, own?.enumerable, own?.configurable, methods];
  });

  same("closes once, and tells it once", async (fs, dir) => {
    const handle = await open(fs, dir);
    const events: string[] = [];
    (handle as unknown as NodeJS.EventEmitter).on("close", () => events.push("close"));
    const { close } = handle;
    const [first, second] = [close(), close()];
    events.push(first === second ? "the same promise" : "two promises", `${handle.fd}`);
    await first;
    await handle.close();
    return events;
  });

  same("keeps its descriptor until the calls under way have ended", async (fs, dir) => {
    const handle = await open(fs, dir, "r+");
    const read = handle.read(Buffer.alloc(4), 0, 4, 0);
    const written = handle.write("yy", 0);
    const closed = handle.close();
    const { bytesRead } = await read;
    const { bytesWritten } = await written;
    await closed;
    return [bytesRead, bytesWritten, handle.fd, fs.readFileSync(`${dir}/f`, "utf8").slice(0, 4)];
  });

  same("refuses every call when it is closed", async (fs, dir) => {
    const handle = await open(fs, dir);
    await handle.close();
    const calls: Record<string, () => unknown> = {
      appendFile: () => handle.appendFile("x"),
      chmod: () => handle.chmod(0o600),
      chown: () => handle.chown(0, 0),
      datasync: () => handle.datasync(),
      read: () => handle.read(Buffer.alloc(1)),
      readFile: () => handle.readFile(),
      readv: () => handle.readv([Buffer.alloc(1)]),
      stat: () => handle.stat(),
      sync: () => handle.sync(),
      truncate: () => handle.truncate(1),
      utimes: () => handle.utimes(1, 1),
      write: () => handle.write("x"),
      writeFile: () => handle.writeFile("x"),
      writev: () => handle.writev([Buffer.alloc(1)]),
      readableWebStream: () => handle.readableWebStream(),
    };
    const failures: Record<string, unknown> = {};
    for (const [name, call] of Object.entries(calls)) failures[name] = await failure(call);
    return failures;
  });

  same("closes at the end of its block", async (fs, dir) => {
    const handle = await open(fs, dir);
    await (handle as unknown as { [dispose: symbol]: () => Promise<void> })[ASYNC_DISPOSE]?.();
    return handle.fd;
  });

  same("takes forms of arguments as Node's", async (fs, dir) => {
    const handle = await open(fs, dir, "r+");
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(8), length: 3, offset: 2, position: 5 });
    const whole = await handle.read();
    const write = handle.write.bind(handle) as unknown as (
      data: unknown,
      options: object,
    ) => Promise<{ bytesWritten: number }>;
    const written = await write(new Uint16Array([65, 66]), { offset: 2 });
    const vector = await handle.readv([Buffer.alloc(2), Buffer.alloc(3)], 0);
    const { size } = await handle.stat({ bigint: true });
    await handle.truncate();
    await handle.writeFile(["a", Buffer.from("b")] as unknown as string);
    const text = await handle.readFile("utf8");
    await handle.close();
    const shapes = [Object.getPrototypeOf(whole), Object.keys(whole), Object.keys(written), Object.keys(vector)];
    return [bytesRead, buffer, whole.bytesRead, whole.buffer.length, written.bytesWritten, shapes, `${size}`, text];
  });
});

// Fails when a call takes the number of the descriptor for one of the context that is asked.
describe("a method of a handle on another object", () => {
  // Fails when #use() is a method of the handle: the call throws a TypeError at once.
  const METHODS = ["appendFile", "chmod", "chown", "datasync", "sync", "read", "readv", "readFile", "stat", "truncate"];
  for (const method of [...METHODS, "utimes", "write", "writev", "writeFile"]) {
    same(`${method} fails in its promise`, async (fs, dir) => {
      const handle = await open(fs, dir);
      await handle.close();
      const made = (handle as unknown as Record<string, () => Promise<unknown>>)[method]?.call({});
      const [name, code, message] = (await failure(() => made)) as string[];
      return [made instanceof Promise, name, code, message?.split("\n")[0]];
    });
  }
});

describe("a handle of another context, or of another tree", () => {
  test("is read and written by the promises of any, with its own descriptor", async (t) => {
    const [vfs, elsewhere] = [await createVfs({ maxBytes: 1 << 24 }), await createVfs({ maxBytes: 1 << 24 })];
    t.after(() => vfs.close());
    t.after(() => elsewhere.close());
    const other = vfs.context({ cwd: "/" });
    const files: readonly (readonly [Vfs["fs"], string])[] = [
      [vfs.fs, "/one"],
      [other.fs, "/two"],
      [elsewhere.fs, "/three"],
    ];
    const handles = await Promise.all(
      files.map(([fs, path]) => {
        fs.writeFileSync(path, path);
        return fs.promises.open(path, "r+");
      }),
    );
    assert.equal(new Set(handles.map(({ fd }) => fd)).size, 1);
    for (const [fs] of files) {
      for (const handle of handles) {
        await fs.promises.appendFile(handle, "+");
      }
    }
    for (const [k, handle] of handles.entries()) {
      const [own, path = ""] = files[k] ?? [];
      assert.equal(own?.readFileSync(path, "utf8"), `+++${path.slice(3)}`);
      assert.equal(await vfs.fs.promises.readFile(handle, "utf8"), path.slice(3));
      await handle.close();
    }
  });
});

describe("a handle of a descriptor", () => {
  test("is made in another thread of what this one has opened, and goes on where that has stopped", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    t.after(() => vfs.close());
    vfs.fs.writeFileSync("/f", "one\ntwo\nthree\n");
    const opened = await vfs.fs.promises.open("/f", "r+");
    await opened.read(Buffer.alloc(4));
    const body = `
      import { parentPort, workerData } from "node:worker_threads";
      const { attachVfs } = await import(workerData.library);
      const vfs = await attachVfs(workerData.handle);
      const handle = vfs.linux.fdopen(workerData.fd);
      const lines = [];
      for await (const line of handle.readLines({ autoClose: false })) lines.push(line);
      await handle.write("four");
      await handle.close();
      parentPort.postMessage([lines, handle.fd]);
      vfs.close();`;
    const library = new URL("../../../dist/src/index.js", import.meta.url).href;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(body)}`), {
      workerData: { library, handle: vfs.handle, fd: opened.fd },
    });
    const [told] = (await once(worker, "message")) as unknown[];
    assert.deepEqual(told, [["two", "three"], -1]);
    assert.equal(vfs.fs.readFileSync("/f", "utf8"), "one\ntwo\nthree\nfour");
    await assert.rejects(opened.stat(), { code: "EBADF" });
    await once(worker, "exit");
  });

  test("needs one that is open", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    t.after(() => vfs.close());
    const { linux } = vfs;
    assert.throws(() => linux.fdopen(3), { code: "EBADF", syscall: "fdopen" });
    assert.throws(() => linux.fdopen("3" as never), { code: "ERR_INVALID_ARG_TYPE" });
    const fd = vfs.fs.openSync("/", "r");
    assert.equal((await linux.at(fd).fdopen(fd).stat()).isDirectory(), true);
  });
});

describe("the web stream of a handle", () => {
  same("has all bytes, and leaves the handle open", async (fs, dir) => {
    const handle = await open(fs, dir);
    const sizes: number[] = [];
    for await (const chunk of handle.readableWebStream() as AsyncIterable<Uint8Array>) sizes.push(chunk.byteLength);
    const isOpen = handle.fd >= 0;
    await handle.close();
    return [sizes, isOpen];
  });

  same("closes the handle at its end, if asked to", async (fs, dir) => {
    const handle = await open(fs, dir);
    const stream = (handle.readableWebStream as (options: object) => ReadableStream)({ autoClose: true });
    const twice = await failure(() => handle.readableWebStream());
    const reader = stream.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return [twice, (value as Uint8Array).byteLength, handle.fd];
  });

  same("ends when the handle is closed", async (fs, dir) => {
    const handle = await open(fs, dir);
    const reader = (handle.readableWebStream() as unknown as ReadableStream).getReader();
    await reader.read();
    await handle.close();
    return [handle.fd, (await reader.read()).done];
  });

  same("reads into the memory of a reader that brings its own", async (fs, dir) => {
    const handle = await open(fs, dir);
    const reader = (handle.readableWebStream() as unknown as ReadableStream).getReader({ mode: "byob" });
    const { value } = await reader.read(new Uint8Array(10));
    await reader.cancel();
    await handle.close();
    return value?.byteLength;
  });

  // In Node the handle is never closed after that.
  test("fails with the error of a read, and no longer keeps the handle from being closed", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    t.after(() => vfs.close());
    const handle = await vfs.fs.promises.open("/", "r");
    const reader = (handle.readableWebStream() as unknown as ReadableStream).getReader();
    await assert.rejects(reader.read(), { code: "EISDIR" });
    await handle.close();
    assert.equal(handle.fd, -1);
  });

  same("checks its options when the handle is locked already", async (fs, dir) => {
    const failures: unknown[] = [];
    for (const options of [5, null, "x", { autoClose: 1 }]) {
      const handle = await open(fs, dir);
      const make = handle.readableWebStream.bind(handle) as (options: unknown) => unknown;
      failures.push(await failure(() => make(options)), await failure(() => make({})));
      await handle.close();
    }
    return failures;
  });
});

type Write = (to: unknown, data: unknown, options: object) => Promise<void>;

const LONG = 600 * 1024;

/** What is written, by a function that gets the signal's controller. */
const WRITTEN: Readonly<Record<string, (controller: AbortController) => unknown>> = {
  text: () => "data",
  nothing: () => "",
  "more than one step": () => "y".repeat(LONG),
  chunks: () => ["a", "bc"],
  "no chunks": () => [],
  "chunks, aborted between them": function* (controller) {
    yield "a";
    controller.abort();
    yield "bc";
  },
  "chunks, aborted at their end": function* (controller) {
    yield "a";
    controller.abort();
  },
  "chunks that come later, aborted at their end": async function* (controller) {
    yield "a";
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
  },
};

describe("a signal of a write", () => {
  for (const [title, make] of Object.entries(WRITTEN)) {
    sameEach(title, async (fs, dir) => {
      const { promises } = fs as unknown as { promises: typeof Promises };
      const forms: Record<string, Write> = {
        "handle.writeFile": (to, data, options) => (to as Handle).writeFile(data as string, options),
        "handle.appendFile": (to, data, options) => (to as Handle).appendFile(data as string, options),
        "writeFile of a handle": promises.writeFile as Write,
        "appendFile of a handle": promises.appendFile as Write,
        "writeFile of a path": promises.writeFile as Write,
        "appendFile of a path": promises.appendFile as Write,
      };
      const outcomes: Record<string, unknown> = {};
      for (const [form, write] of Object.entries(forms)) {
        for (const when of ["before", "after", "later"]) {
          const path = `${dir}/${form} ${when}`;
          const handle = form.endsWith("path") ? undefined : await open(fs, dir, "w");
          const controller = new AbortController();
          if (when === "before") controller.abort();
          const outcome = failure(() => write(handle ?? path, make(controller), { signal: controller.signal }));
          if (when === "after") controller.abort();
          const ended = await outcome;
          await handle?.close();
          const name = handle === undefined ? path : `${dir}/f`;
          const length = fs.existsSync(name) ? fs.statSync(name).size : "none";
          // How far a long write had come is a matter of time.
          outcomes[`${form}, ${when}`] = [ended, make === WRITTEN["more than one step"] ? "" : length];
        }
      }
      return outcomes;
    });
  }
});

sameEach("a closed handle in the place of a path", async (fs, dir) => {
  const { promises } = fs as unknown as { promises: { [name: string]: Write } };
  const handle = await open(fs, dir, "r+");
  await handle.close();
  const outcomes: Record<string, unknown> = {};
  const data = { text: "x", nothing: "", chunks: ["x"], "no chunks": [], "an empty chunk": [""] };
  for (const [title, written] of Object.entries(data)) {
    for (const name of ["writeFile", "appendFile"]) {
      for (const options of [{}, { flush: true }, { signal: AbortSignal.abort() }]) {
        const call = () => promises[name]?.(handle, written, options);
        outcomes[`${name} of ${title} ${Object.keys(options)}`] = await failure(call);
      }
    }
  }
  for (const options of [{}, { encoding: "utf8" }, { signal: AbortSignal.abort() }]) {
    outcomes[`readFile ${Object.keys(options)}`] = await failure(() => promises.readFile?.(handle, options, {}));
  }
  return outcomes;
});
