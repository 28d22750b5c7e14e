/** Arguments and options of streams, wrong ones in every place, and what a program may put in the place of the tree's calls. */
import assert from "node:assert/strict";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, test } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { outcome } from "../../../support/oracle/works.js";
import { suite } from "../both.js";
import { type AnyStream, anyStreams, closed, fields, turns, until, watch, watchData } from "./support.js";

const tree = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "0123456789");
});
const { same, sameEach, sameCode } = tree;

const WRONG: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  true: true,
  zero: 0,
  "minus zero": -0,
  minus: -1,
  half: 0.5,
  large: 2 ** 31,
  unsafe: 2 ** 53,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  bigint: 1n,
  text: "text",
  empty: "",
  object: {},
  array: [],
  symbol: Symbol("symbol"),
  function: () => {},
};
const OPTIONS = [
  ..."start end highWaterMark autoClose emitClose encoding flags mode fd signal flush fs objectMode".split(" "),
  ..."windowsHandle defaultEncoding autoDestroy".split(" "),
];

const nothing = (): void => {};
/** Calls that do nothing: Node ends its process at some wrong flags. */
const NO_CALLS = { open: nothing, read: nothing, write: nothing, writev: nothing, close: nothing, fsync: nothing };

/** Makes a stream that does nothing, ends it, and returns what it was. */
function made(make: (path: unknown, options?: unknown) => AnyStream, path: unknown, options: object): unknown {
  return outcome(() => {
    const stream = make(path, { fs: NO_CALLS, ...options });
    stream.on("error", nothing);
    const shown = fields(stream);
    stream.destroy();
    return shown;
  });
}

describe("arguments of streams", () => {
  for (const name of ["createReadStream", "createWriteStream"] as const) {
    sameEach(`${name}: wrong paths`, (fs) => {
      const paths = { ...WRONG, nul: "a\0b", url: new URL("http://x/"), view: new Uint16Array(2) };
      return Object.fromEntries(
        Object.entries(paths).map(([key, path]) => [key, made(anyStreams(fs)[name], path, {})]),
      );
    });
    sameEach(`${name}: wrong options`, (fs, dir) =>
      Object.fromEntries(
        Object.entries(WRONG).map(([key, options]) => [
          key,
          outcome(() => {
            const stream = anyStreams(fs)[name](`${dir}/f`, options);
            stream.on("error", nothing);
            stream.destroy();
            return fields(stream);
          }),
        ]),
      ),
    );
    for (const option of OPTIONS) {
      sameEach(`${name}: wrong values of ${option}`, (fs, dir) => {
        const results: Record<string, unknown> = {};
        for (const [key, value] of Object.entries(WRONG)) {
          // Descriptors 0 to 2 are the process's own.
          if (option === "fd" && (value === 0 || Object.is(value, -0))) continue;
          results[key] = made(anyStreams(fs)[name], `${dir}/f`, { [option]: value });
        }
        return results;
      });
    }
    sameEach(`${name}: two wrong options, of which one counts`, (fs, dir) => {
      const results: Record<string, unknown> = {};
      for (const one of OPTIONS) {
        for (const other of OPTIONS) {
          const options = { [one]: "text", [other]: {} };
          results[`${one} ${other}`] = made(anyStreams(fs)[name], `${dir}/f`, options);
        }
      }
      return results;
    });
    sameEach(`${name}: start and end together`, (fs, dir) => {
      const results: Record<string, unknown> = {};
      for (const start of [undefined, 0, 1, 5, -1]) {
        for (const end of [undefined, 0, 1, 5, -1, Number.POSITIVE_INFINITY]) {
          results[`${start} ${end}`] = made(anyStreams(fs)[name], `${dir}/f`, { start, end });
        }
      }
      return results;
    });
    sameEach(`${name}: calls that options.fs lacks`, (fs, dir) => {
      const results: Record<string, unknown> = {};
      const calls = ["open", "read", "write", "writev", "close", "fsync"];
      for (const missing of calls) {
        for (const value of [undefined, null, 5, "text"]) {
          for (const more of [{}, { autoClose: false }, { flush: true }, { fd: 999, autoClose: false }]) {
            const own = { ...NO_CALLS, [missing]: value };
            const key = `${missing} ${value} ${JSON.stringify(more)}`;
            results[key] = made(anyStreams(fs)[name], `${dir}/f`, { ...more, fs: own });
          }
        }
      }
      results.none = made(anyStreams(fs)[name], `${dir}/f`, { fs: { open() {}, close() {} } });
      return results;
    });
  }
});

describe("options.fs", () => {
  same("is called in place of the tree", async (fs, dir) => {
    const log: unknown[] = [];
    const own: Record<string, unknown> = {};
    for (const call of ["open", "read", "write", "writev", "close", "fsync"]) {
      own[call] = (...args: unknown[]) => {
        const shown = args.map((arg) => (ArrayBuffer.isView(arg) ? arg.byteLength : typeof arg));
        log.push([call, ...shown]);
        (fs as unknown as Record<string, (...args: unknown[]) => void>)[call]?.(...args);
      };
    }
    const from = anyStreams(fs).createReadStream(`${dir}/f`, { fs: own, start: 2, highWaterMark: 5 });
    const to = anyStreams(fs).createWriteStream(`${dir}/g`, { fs: own, flush: true });
    await pipeline(from as unknown as Readable, to as unknown as Writable);
    return [log, fs.readFileSync(`${dir}/g`, "latin1")];
  });
  for (const call of ["write", "writev"]) {
    const fail = (fs: FsCalls, dir: string, answer: (size: number) => [unknown, number]): AnyStream => {
      const own = {
        ...fs,
        write: undefined,
        writev: undefined,
        [call]: (_fd: number, data: Uint8Array | Uint8Array[], ...rest: unknown[]) => {
          const done = rest.at(-1) as (...args: unknown[]) => void;
          const size = ([data].flat() as Uint8Array[]).reduce((sum, { length }) => sum + length, 0);
          setImmediate(done, ...answer(size), data);
        },
      };
      const stream = anyStreams(fs).createWriteStream(`${dir}/g`, { fs: own });
      stream.cork();
      stream.write("abcdef");
      stream.write("ghij");
      stream.uncork();
      stream.end();
      return stream;
    };
    same(`is asked again when ${call} writes less`, async (fs, dir) => {
      const stream = fail(fs, dir, (size) => [null, Math.min(size, 3)]);
      const log = watch(stream);
      await closed(stream);
      return [log, fields(stream)];
    });
    same(`is asked again after EAGAIN of ${call}`, async (fs, dir) => {
      let calls = 0;
      const again = Object.assign(new Error("again"), { code: "EAGAIN" });
      const stream = fail(fs, dir, (size) => (calls++ % 5 === 4 ? [null, size] : [again, 7]));
      const log = watch(stream);
      await closed(stream);
      return [log, fields(stream), calls];
    });
    same(`fails with the error of ${call}`, async (fs, dir) => {
      const stream = fail(fs, dir, () => [Object.assign(new Error("full"), { code: "ENOSPC" }), 0]);
      const log = watch(stream);
      await closed(stream);
      return [log, fields(stream)];
    });
    sameCode(`fails when ${call} writes nothing again and again`, async (fs, dir) => {
      let calls = 0;
      const stream = fail(fs, dir, () => [null, calls++ < 6 ? 0 : 1]);
      await new Promise((_, reject) => stream.on("error", reject));
    });
  }
});

/** Calls that write at most three bytes, and note where. */
function partial(fs: FsCalls, log: unknown[]): object {
  const any = fs as unknown as Record<"write" | "writev", (...args: unknown[]) => void>;
  return {
    ...fs,
    write(fd: number, data: Uint8Array, offset: number, length: number, position: unknown, done: () => void) {
      log.push(["write", length, position]);
      any.write(fd, data, offset, Math.min(length, 3), position, done);
    },
    writev(fd: number, [first]: Uint8Array[], position: unknown, done: () => void) {
      any.writev(fd, [first?.subarray(0, 3)], position, done);
    },
  };
}

describe("a stream whose calls take their time", () => {
  same("writes what is left where it belongs", async (fs, dir) => {
    const log: unknown[] = [];
    const stream = anyStreams(fs).createWriteStream(`${dir}/f`, { flags: "r+", start: 2, fs: partial(fs, log) });
    await new Promise((resolve) => stream.write("abcdefg", resolve));
    stream.end("h");
    await closed(stream);
    return [log, fs.readFileSync(`${dir}/f`, "latin1")];
  });
  test("writes what is left of corked chunks where it belongs, which Node does not", async () => {
    const { fs } = tree.vfs;
    fs.writeFileSync("/corked", "0123456789");
    const stream = anyStreams(fs as unknown as FsCalls).createWriteStream("/corked", {
      flags: "r+",
      start: 2,
      fs: partial(fs as unknown as FsCalls, []),
    });
    stream.cork();
    for (const chunk of ["ab", "cdef"]) stream.write(chunk);
    stream.uncork();
    stream.end();
    await closed(stream);
    assert.equal(fs.readFileSync("/corked", "utf8"), "01abcdef89");
  });
  for (const [name, call] of [
    ["createReadStream", "read"],
    ["createWriteStream", "write"],
  ] as const) {
    same(`that is destroyed in a ${call} closes its descriptor after it`, async (fs, dir) => {
      const log: unknown[] = [];
      const any = fs as unknown as Record<string, (...args: unknown[]) => void>;
      let release = (): void => {};
      const own = {
        ...fs,
        [call]: (...args: unknown[]) => {
          log.push([call]);
          release = () => any[call]?.(...args);
        },
        close: (...args: unknown[]) => {
          log.push(["close"]);
          any.close?.(...args);
        },
      };
      const stream = anyStreams(fs)[name](`${dir}/f`, { fs: own });
      watch(stream, log);
      if (call === "read") stream.resume();
      else stream.write("x", (error: unknown) => log.push(error));
      await until(() => log.some((entry) => Array.isArray(entry) && entry[0] === call));
      stream.destroy();
      await turns();
      log.push(["released"]);
      release();
      await closed(stream);
      return log;
    });
  }
});

describe("streams together", () => {
  same("pipeline copies a MiB", async (fs, dir) => {
    const bytes = Buffer.alloc(1 << 20, "0123456789abcdefghijklmnopqrstuvwxyz");
    fs.writeFileSync(`${dir}/from`, bytes);
    const from = anyStreams(fs).createReadStream(`${dir}/from`);
    const to = anyStreams(fs).createWriteStream(`${dir}/to`);
    await pipeline(from as unknown as Readable, to as unknown as Writable);
    return [fields(from), fields(to), bytes.equals(fs.readFileSync(`${dir}/to`))];
  });
  same("a pipeline from a missing file destroys both", async (fs, dir) => {
    const from = anyStreams(fs).createReadStream(`${dir}/none`);
    const to = anyStreams(fs).createWriteStream(`${dir}/to`);
    const failed = await pipeline(from as unknown as Readable, to as unknown as Writable).catch((error) => error);
    await closed(to);
    return [failed, fields(from), fields(to)];
  });
  same("a pipeline into a missing directory destroys both", async (fs, dir) => {
    const from = anyStreams(fs).createReadStream(`${dir}/f`);
    const to = anyStreams(fs).createWriteStream(`${dir}/none/to`);
    const failed = await pipeline(from as unknown as Readable, to as unknown as Writable).catch((error) => error);
    await closed(from);
    return [failed, fields(from), fields(to)];
  });
});

describe("the classes", () => {
  same("extend those of node:stream, with Node's members", (fs) => {
    const { ReadStream, WriteStream } = anyStreams(fs);
    const any = fs as unknown as Record<string, unknown>;
    const members = (type: { prototype: object }) =>
      Object.entries(Object.getOwnPropertyDescriptors(type.prototype)).map(
        ([name, { enumerable, configurable, writable }]) => [name, enumerable, configurable, writable],
      );
    return [
      ReadStream.name,
      WriteStream.name,
      ReadStream.length,
      WriteStream.length,
      Object.getPrototypeOf(ReadStream) === Readable,
      Object.getPrototypeOf(WriteStream) === Writable,
      members(ReadStream),
      members(WriteStream),
      any.FileReadStream === ReadStream,
      any.FileWriteStream === WriteStream,
      ["createReadStream", "createWriteStream"].map((name) => [
        (any[name] as () => void).name,
        (any[name] as () => void).length,
      ]),
      ["ReadStream", "WriteStream", "FileReadStream", "FileWriteStream"].map((name) => {
        const { get, set, enumerable, configurable } = Object.getOwnPropertyDescriptor(fs, name) ?? {};
        return [typeof get, typeof set, enumerable, configurable];
      }),
    ];
  });
  same("make streams with Node's fields in Node's order", (fs, dir) => {
    const reader = anyStreams(fs).createReadStream(`${dir}/f`);
    const writer = anyStreams(fs).createWriteStream(`${dir}/f`);
    const own = (stream: AnyStream) => Object.keys(stream).filter((name) => !name.startsWith("_"));
    const keys = [own(reader), own(writer)];
    reader.destroy();
    writer.destroy();
    return keys;
  });
  sameEach("refuse other objects for this", (fs) => {
    const results: Record<string, unknown> = {};
    for (const name of ["ReadStream", "WriteStream"] as const) {
      const { prototype } = anyStreams(fs)[name];
      results[`${name} get`] = outcome(() => prototype.autoClose);
      results[`${name} set`] = outcome(() => Object.assign(prototype, { autoClose: true }) && 1);
      results[`${name} pending`] = outcome(() => prototype.pending);
    }
    return results;
  });
  same("can be extended, and their open replaced", async (fs, dir) => {
    const log: unknown[] = [];
    class Logged extends anyStreams(fs).ReadStream {
      open(): void {
        log.push(["open", this.path, this.flags, this.mode]);
        const any = fs as unknown as { open(...args: unknown[]): void };
        any.open(this.path, this.flags, this.mode, (error: Error | null, fd: number) => {
          const emitter = this as unknown as NodeJS.EventEmitter;
          if (error) {
            emitter.emit("error", error);
            return;
          }
          Object.assign(this, { fd });
          emitter.emit("open", fd);
          emitter.emit("ready");
        });
      }
    }
    for (const name of ["f", "none"]) {
      const stream = new Logged(`${dir}/${name}`);
      watchData(stream, log);
      await closed(stream);
      log.push(fields(stream), stream instanceof anyStreams(fs).ReadStream);
    }
    return log;
  });
  same("are what createReadStream makes, when a program replaces them", async (fs, dir) => {
    const any = fs as unknown as Record<string, unknown>;
    const { ReadStream } = anyStreams(fs);
    class Mine extends ReadStream {}
    any.ReadStream = Mine;
    try {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`);
      const shown = [stream instanceof Mine, any.FileReadStream === ReadStream, any.ReadStream === Mine];
      stream.destroy();
      await closed(stream);
      return shown;
    } finally {
      any.ReadStream = ReadStream;
    }
  });
});
