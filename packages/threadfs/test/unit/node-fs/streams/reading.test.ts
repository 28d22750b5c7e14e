/** `fs.createReadStream` and `fs.ReadStream`: the same events, data, fields and errors as Node's. */
import { describe } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { suite } from "../both.js";
import {
  type AnyStream,
  anyStreams,
  closed,
  event,
  fields,
  staysOpen,
  turns,
  until,
  watch,
  watchData,
} from "./support.js";

const { same } = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "0123456789");
  fs.writeFileSync(`${dir}/empty`, "");
  fs.writeFileSync(`${dir}/utf8`, "äöü€😀".repeat(3));
  fs.writeFileSync(`${dir}/big`, Buffer.alloc(200_000, "abcdefghij"));
});

/** Reads a stream to its end: its events and its fields at the beginning and at the end. */
async function readAll(stream: AnyStream): Promise<unknown> {
  const before = fields(stream);
  const log = watchData(stream);
  await closed(stream);
  return { before, log, after: fields(stream) };
}

describe("a ReadStream", () => {
  const cases: Record<string, (fs: FsCalls, dir: string) => AnyStream> = {
    plain: (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`),
    "of an empty file": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/empty`),
    "of a large file": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/big`),
    "in small pieces": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, { highWaterMark: 3 }),
    "from start": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, { start: 4 }),
    "to end": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, { end: 4, highWaterMark: 2 }),
    "from start to end": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, { start: 2, end: 7 }),
    "of one byte": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, { start: 3, end: 3 }),
    "to the end of 0": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, { end: 0 }),
    "beyond the end": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, { start: 100 }),
    "as text": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/utf8`, { encoding: "utf8", highWaterMark: 5 }),
    "with an encoding for its options": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, "hex"),
    "of a missing file": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/none`),
    "of a directory": (fs, dir) => anyStreams(fs).createReadStream(dir),
    "by a wrong flag": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, { flags: "wrong" }),
    "by a wrong mode": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, { mode: "wrong" }),
    "of bytes for a path": (fs, dir) => anyStreams(fs).createReadStream(Buffer.from(`${dir}/f`)),
    "of a URL": (fs, dir) => anyStreams(fs).createReadStream(new URL(`file://${dir}/f`)),
    "on a descriptor": (fs, dir) => anyStreams(fs).createReadStream(null, { fd: fs.openSync(`${dir}/f`, "r") }),
    "on a descriptor, from start": (fs, dir) =>
      anyStreams(fs).createReadStream("ignored", { fd: fs.openSync(`${dir}/f`, "r"), start: 5 }),
    "on a descriptor for writing": (fs, dir) =>
      anyStreams(fs).createReadStream("", { fd: fs.openSync(`${dir}/f`, "a") }),
    "on a bad descriptor": (fs) => anyStreams(fs).createReadStream("", { fd: 9999 }),
    "made by the class without new": (fs, dir) => anyStreams(fs).ReadStream(`${dir}/f`, { start: 8 }),
    "made by the class": (fs, dir) => new (anyStreams(fs).ReadStream)(`${dir}/f`, { start: 8 }),
    "of inherited options": (fs, dir) => anyStreams(fs).createReadStream(`${dir}/f`, Object.create({ start: 7 })),
  };
  for (const [name, make] of Object.entries(cases)) same(name, (fs, dir) => readAll(make(fs, dir)));
});

type Work = (fs: FsCalls, dir: string, log: unknown[]) => Promise<AnyStream>;

function compare(cases: Record<string, Work>): void {
  for (const [name, work] of Object.entries(cases)) {
    same(name, async (fs, dir) => {
      const log: unknown[] = [];
      const stream = await work(fs, dir, log);
      return { log, after: fields(stream) };
    });
  }
}

const small = { highWaterMark: 4 };

describe("a ReadStream that does not end by itself", () => {
  compare({
    "is paused and resumed": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`, small);
      watchData(stream, log);
      await event(stream, "data");
      stream.pause();
      // What it reads ahead.
      await until(() => stream.bytesRead === 8);
      stream.resume();
      await closed(stream);
      return stream;
    },
    "is not closed without autoClose": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`, { autoClose: false });
      watchData(stream, log);
      return staysOpen(stream, "end", log, () => stream.fd !== null && fs.fstatSync(stream.fd as number).size);
    },
    "fails without autoClose": async (fs, dir, log) => {
      const fd = fs.openSync(`${dir}/f`, "a");
      const stream = anyStreams(fs).createReadStream("", { fd, autoClose: false });
      watchData(stream, log);
      return staysOpen(stream, "error", log, () => fs.fstatSync(fd).size);
    },
    "cannot open its file, without autoClose": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/none`, { autoClose: false });
      watchData(stream, log);
      await event(stream, "error");
      await turns();
      return stream;
    },
    "emits no close without emitClose": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`, { emitClose: false });
      watchData(stream, log);
      await until(() => stream.closed);
      return stream;
    },
  });
});

describe("a ReadStream that is destroyed", () => {
  compare({
    "at once": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`);
      watch(stream, log);
      stream.destroy();
      log.push(fields(stream));
      await closed(stream);
      return stream;
    },
    "at once with an error": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`);
      watch(stream, log);
      stream.destroy(new Error("why"));
      await closed(stream);
      return stream;
    },
    "when it is open": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`);
      watch(stream, log);
      await event(stream, "open");
      stream.destroy();
      await closed(stream);
      return stream;
    },
    "while it reads": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`);
      watchData(stream, log);
      stream.on("ready", () => setImmediate(() => stream.destroy(new Error("while it reads"))));
      await closed(stream);
      return stream;
    },
    "by a listener of data": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`, small);
      watchData(stream, log);
      stream.once("data", () => stream.destroy());
      await closed(stream);
      return stream;
    },
    "twice, and closed": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`);
      watch(stream, log);
      stream.destroy(new Error("first"));
      stream.destroy(new Error("second"));
      stream.close((...args) => log.push(["closed", ...args]));
      await closed(stream);
      await turns();
      stream.close((...args) => log.push(["closed again", ...args]));
      await turns();
      return stream;
    },
  });
});

describe("a ReadStream", () => {
  compare({
    "is closed with a callback": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`);
      watch(stream, log);
      stream.close((...args) => log.push(["closed", ...args]));
      await closed(stream);
      await turns();
      return stream;
    },
    "is left by for await": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`, small);
      watch(stream, log);
      for await (const chunk of stream as unknown as AsyncIterable<unknown>) {
        log.push(String(chunk));
        break;
      }
      await closed(stream);
      return stream;
    },
    "is read by for await": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`, { ...small, encoding: "latin1" });
      watch(stream, log);
      for await (const chunk of stream as unknown as AsyncIterable<unknown>) log.push(chunk);
      await closed(stream);
      return stream;
    },
    "has its file closed under it": async (fs, dir, log) => {
      const fd = fs.openSync(`${dir}/f`, "r");
      const stream = anyStreams(fs).createReadStream("", { fd });
      fs.closeSync(fd);
      watchData(stream, log);
      await closed(stream);
      return stream;
    },
    "is made readable by set autoClose": async (fs, dir, log) => {
      const stream = anyStreams(fs).createReadStream(`${dir}/f`, { autoClose: false });
      Object.assign(stream, { autoClose: true });
      watchData(stream, log);
      await closed(stream);
      return stream;
    },
    "is aborted": async (fs, dir, log) => {
      const controller = new AbortController();
      const stream = anyStreams(fs).createReadStream(`${dir}/f`, { signal: controller.signal });
      watch(stream, log);
      stream.on("error", (error) => log.push((error as Error).name));
      controller.abort();
      await closed(stream);
      return stream;
    },
  });
});
