/** `fs.Utf8Stream`: the same events, contents, checks and errors as Node's. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, test } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { outcome } from "../../../support/oracle/works.js";
import { suite } from "../both.js";
import { turns, until } from "./support.js";

const tree = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "before;");
});
const { same, sameEach, sameCode } = tree;

interface AnyUtf8 extends EventEmitter {
  readonly [key: string]: unknown;
  write(data: unknown): boolean;
  flush(...args: unknown[]): void;
  flushSync(): void;
  reopen(file?: string): void;
  end(): void;
  destroy(): void;
}
type Class = (new (options?: unknown) => AnyUtf8) & { prototype: object };

function classOf(fs: FsCalls): Class {
  return (fs as unknown as { Utf8Stream: Class }).Utf8Stream;
}

const GETTERS = [
  ..."mode file fd minLength maxLength writing sync fsync append periodicFlush contentMode mkdir".split(" "),
];
const fields = (stream: AnyUtf8) =>
  GETTERS.map((name) => (name === "fd" ? (stream.fd as number) >= 0 : (stream[name] ?? null)));

/** Makes a stream and notes what it emits. */
function make(fs: FsCalls, log: unknown[], options: object): AnyUtf8 {
  const stream = new (classOf(fs))(options);
  for (const event of ["ready", "write", "drain", "drop", "error", "finish", "close"]) {
    stream.on(event, (...args) => log.push([event, ...args]));
  }
  return stream;
}

async function event(stream: AnyUtf8, name: string): Promise<void> {
  await new Promise((resolve) => stream.once(name, resolve));
  await turns();
}

type Use = (stream: AnyUtf8, log: unknown[], dir: string) => Promise<void>;

/** What a stream can be made to do. Each ends it. */
const USES: Record<string, Use> = {
  "writes and ends": async (stream, log) => {
    for (const part of ["a", "bä", "€"]) log.push(stream.write(part));
    stream.end();
    await event(stream, "close");
  },
  "writes when it is ready, and waits for drain": async (stream, log) => {
    await event(stream, "ready");
    log.push(stream.write("one;"));
    await event(stream, "drain");
    log.push(stream.write("two;"));
    stream.end();
    await event(stream, "close");
  },
  "ends with nothing": async (stream) => {
    stream.end();
    await event(stream, "close");
  },
  "is destroyed when it is ready": async (stream, log) => {
    await event(stream, "ready");
    stream.destroy();
    stream.destroy();
    log.push(
      outcome(() => stream.write("x")),
      outcome(() => stream.end()),
      outcome(() => stream.flushSync()),
    );
    log.push(outcome(() => stream.reopen()));
    stream.flush((error: unknown) => log.push(["flushed", error]));
    await event(stream, "close");
  },
  "flushes synchronously": async (stream, log) => {
    await event(stream, "ready");
    stream.write("x");
    // A call that is under way would write before or after it.
    await until(() => !stream.writing);
    log.push(outcome(() => stream.flushSync()));
    stream.end();
    await event(stream, "close");
  },
  "flushes with a callback": async (stream, log) => {
    await event(stream, "ready");
    stream.write("x");
    await new Promise<void>((resolve) => {
      stream.flush((...args: unknown[]) => {
        log.push(["flushed", ...args]);
        resolve();
      });
    });
    stream.end();
    await event(stream, "close");
  },
  "is reopened": async (stream, log, dir) => {
    await event(stream, "ready");
    stream.write("first;");
    stream.flushSync();
    await until(() => !stream.writing);
    stream.reopen(`${dir}/other`);
    await event(stream, "ready");
    stream.write("second;");
    log.push(stream.file);
    stream.end();
    await event(stream, "close");
  },
  "writes much": async (stream, log) => {
    await event(stream, "ready");
    const answers = [];
    for (let i = 0; i < 50; i++) answers.push(stream.write(`${i}`.repeat(500)));
    log.push(answers.indexOf(false));
    stream.end();
    await event(stream, "close");
  },
};

const KINDS: Record<string, object> = {
  plain: {},
  sync: { sync: true },
  "with minLength": { minLength: 100 },
  "with minLength, sync": { minLength: 100, sync: true },
  "with a small maxWrite": { maxWrite: 7 },
  "with fsync": { fsync: true },
  "that empties": { append: false },
  "of bytes": { contentMode: "buffer" },
  "of bytes, sync": { contentMode: "buffer", sync: true },
  "of bytes, with minLength": { contentMode: "buffer", minLength: 100 },
};

/** Where a stream of bytes gets its bytes: its test writes text. */
function asKind(stream: AnyUtf8): AnyUtf8 {
  if (stream.contentMode !== "buffer") return stream;
  const { write } = stream;
  return Object.assign(stream, { write: (text: string) => write.call(stream, Buffer.from(text)) });
}

describe("a Utf8Stream", () => {
  for (const [kind, options] of Object.entries(KINDS)) {
    for (const [use, work] of Object.entries(USES)) {
      // Fewer characters than minLength are not written before the end.
      if ("minLength" in options && use.includes("drain")) continue;
      same(`${kind}: ${use}`, async (fs, dir) => {
        const log: unknown[] = [];
        const stream = asKind(make(fs, log, { dest: `${dir}/f`, ...options }));
        log.push(fields(stream));
        await work(stream, log, dir);
        const files = fs.readdirSync(dir).map((name) => [name, fs.readFileSync(`${dir}/${name}`, "latin1")]);
        return [log, fields(stream), files];
      });
    }
  }
  same("on a descriptor", async (fs, dir) => {
    const log: unknown[] = [];
    const stream = make(fs, log, { fd: fs.openSync(`${dir}/f`, "r+") });
    log.push(fields(stream), stream.write("over"));
    stream.end();
    await event(stream, "close");
    return [log, fs.readFileSync(`${dir}/f`, "latin1")];
  });
  sameCode("on a descriptor has nothing to reopen", async (fs, dir) => {
    const stream = make(fs, [], { fd: fs.openSync(`${dir}/f`, "r+") });
    await event(stream, "ready");
    try {
      stream.reopen();
    } finally {
      stream.destroy();
    }
  });
  same("makes its directory", async (fs, dir) => {
    const log: unknown[] = [];
    for (const sync of [true, false]) {
      const stream = make(fs, log, { dest: `${dir}/a/${sync}/f`, mkdir: true, mode: 0o600, sync });
      stream.write("x");
      stream.end();
      await event(stream, "close");
      log.push(fs.readFileSync(`${dir}/a/${sync}/f`, "latin1"), fs.statSync(`${dir}/a/${sync}/f`).mode);
    }
    return log;
  });
  same("in a missing directory fails", async (fs, dir) => {
    const log: unknown[] = [];
    const stream = make(fs, log, { dest: `${dir}/none/f` });
    await event(stream, "error");
    return [log, fields(stream), outcome(() => make(fs, log, { dest: `${dir}/none/f`, sync: true }))];
  });
});

describe("a Utf8Stream whose calls write less, or not at once,", () => {
  same("drops what is more than maxLength", async (fs, dir) => {
    const log: unknown[] = [];
    const stream = make(fs, log, { dest: `${dir}/f`, minLength: 100, maxLength: 10 });
    for (const part of ["12345678", "123", "12", "1"]) log.push(stream.write(part));
    stream.end();
    await event(stream, "close");
    return [log, fs.readFileSync(`${dir}/f`, "latin1")];
  });
  same("writes the rest of a character that was written in part", async (fs, dir) => {
    const results: unknown[] = [];
    for (const sync of [true, false]) {
      const log: unknown[] = [];
      const part = (text: unknown) => Math.min(Buffer.byteLength(String(text)), 4);
      const own = {
        writeSync: (fd: number, text: string) => fs.writeSync(fd, Buffer.from(text).subarray(0, part(text))),
        write(fd: number, text: string, _encoding: string, done: (...args: unknown[]) => void) {
          setImmediate(done, null, own.writeSync(fd, text));
        },
      };
      const stream = make(fs, log, { dest: `${dir}/${sync}`, sync, fs: own });
      stream.write("äöü€😀x");
      stream.end();
      await event(stream, "close");
      results.push(log, fs.readFileSync(`${dir}/${sync}`, "hex"));
    }
    return results;
  });
  same("tries again after EAGAIN as long as it is told to", async (fs, dir) => {
    const log: unknown[] = [];
    let left = 2;
    const own = {
      write(fd: number, text: string, _encoding: string, done: (...args: unknown[]) => void) {
        if (left-- > 0) setImmediate(done, Object.assign(new Error("again"), { code: "EAGAIN" }));
        else setImmediate(done, null, fs.writeSync(fd, text));
      },
    };
    const retryEAGAIN = (...args: unknown[]) => log.push(["retry", ...args]) > 0;
    const stream = make(fs, log, { dest: `${dir}/f`, fs: own, retryEAGAIN });
    stream.write("text");
    stream.end();
    await event(stream, "close");
    left = 1;
    const other = make(fs, log, { dest: `${dir}/f`, fs: own, retryEAGAIN: () => false });
    other.write("text");
    await event(other, "error");
    return [log, fs.readFileSync(`${dir}/f`, "latin1")];
  });
  test("is ended twice before it is open, where Node ends its process", async () => {
    const { fs } = tree.vfs;
    const stream = new fs.Utf8Stream({ dest: "/twice" });
    stream.end();
    stream.end();
    stream.reopen();
    await new Promise((resolve) => stream.once("close", resolve as () => void));
  });
  test("flushes by itself, and gives an error of flushSync back, where Node ends its process and does not return", async () => {
    const { fs } = tree.vfs;
    const stream = new fs.Utf8Stream({ dest: "/flushed", minLength: 100, periodicFlush: 1 });
    stream.write("text");
    // The stream's own timer does not keep the process running.
    const alive = setInterval(() => {}, 1000);
    await new Promise((resolve) => stream.once("drain", resolve as () => void));
    clearInterval(alive);
    assert.equal(fs.readFileSync("/flushed", "utf8"), "text");
    stream.destroy();
    await new Promise((resolve) => stream.once("close", resolve as () => void));
    fs.writeFileSync("/read", "");
    const wrong = new fs.Utf8Stream({ fd: fs.openSync("/read", "r"), minLength: 100 });
    wrong.write("text");
    assert.throws(() => wrong.flushSync(), { code: "EBADF" });
    wrong.destroy();
    await new Promise((resolve) => wrong.once("close", resolve as () => void));
  });
});

describe("the class Utf8Stream", () => {
  same("has Node's members", (fs) => {
    const Utf8 = classOf(fs);
    const { get, set, enumerable, configurable } = Object.getOwnPropertyDescriptor(fs, "Utf8Stream") ?? {};
    return [
      [typeof get, typeof set, enumerable, configurable],
      [Utf8.name, Utf8.length, Object.getPrototypeOf(Utf8) === EventEmitter],
      Object.getOwnPropertyNames(Utf8.prototype),
      outcome(() => (Utf8 as unknown as () => void).name),
    ];
  });
  const wrong: Record<string, unknown> = {
    undefined: undefined,
    null: null,
    zero: 0,
    minus: -1,
    half: 0.5,
    large: 2 ** 32,
    text: "text",
    bigint: 1n,
    true: true,
    object: {},
    array: [],
    function: () => {},
  };
  const calls = { write() {}, writeSync() {}, fsync() {}, fsyncSync() {}, close() {}, open() {}, openSync: () => 9 };
  const names = "fd dest minLength maxLength maxWrite sync fsync append mkdir contentMode mode retryEAGAIN fs".split(
    " ",
  );
  for (const name of names) {
    sameEach(`checks ${name}`, (fs) => {
      const results: Record<string, unknown> = {};
      for (const [key, value] of Object.entries(wrong)) {
        const options = { dest: "f", fs: { ...calls, mkdir() {}, mkdirSync() {} }, [name]: value };
        // Node throws an error without a code.
        if (name === "minLength" && typeof value === "bigint") continue;
        if (name === "fs" && (value === undefined || typeof value === "object")) continue;
        results[key] = outcome(() => fields(new (classOf(fs))(options)));
      }
      return results;
    });
  }
  sameEach("checks its options and calls", (fs, dir) => {
    const results: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(wrong))
      results[`options ${key}`] = outcome(() => new (classOf(fs))(value) && 1);
    for (const call of Object.keys({ ...calls, mkdir: 1, mkdirSync: 1 })) {
      if (call === "openSync") continue;
      results[call] = outcome(() => new (classOf(fs))({ dest: `${dir}/f`, fs: { [call]: 5 } }) && 1);
    }
    for (const [minLength, maxWrite] of [
      [10, 10],
      [11, 10],
      [20_000, undefined],
    ]) {
      const options = { dest: "f", fs: calls, minLength, maxWrite };
      results[`${minLength} ${maxWrite}`] = outcome(() => new (classOf(fs))(options) && 1);
    }
    return results;
  });
  sameEach("checks what it writes, and its callback", (fs) => {
    const results: Record<string, unknown> = {};
    for (const contentMode of ["utf8", "buffer"]) {
      const stream = new (classOf(fs))({ dest: "f", fs: { ...calls, write() {} }, contentMode });
      for (const [key, value] of Object.entries({ ...wrong, bytes: new Uint8Array(2), buffer: Buffer.from("x") })) {
        results[`${contentMode} ${key}`] = outcome(() => stream.write(value));
        if (value !== undefined) results[`${contentMode} flush ${key}`] = outcome(() => stream.flush(value));
      }
      results[`${contentMode} flushSync`] = outcome(() => stream.flushSync());
    }
    return results;
  });
});
