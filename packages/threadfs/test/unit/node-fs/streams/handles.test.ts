/** Streams on a FileHandle: they use its calls, close it, and are closed with it, as Node's. */
import type { EventEmitter } from "node:events";
import type { FileHandle as Handle } from "node:fs/promises";
import { describe } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { suite } from "../both.js";
import { type AnyStream, anyStreams, closed, event, fields, turns, watch, watchData } from "./support.js";

const { same } = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "0123456789");
});

function open(fs: FsCalls, path: string, flags: string): Promise<FileHandle> {
  const { promises } = fs as unknown as { promises: { open(path: string, flags: string): Promise<FileHandle> } };
  return promises.open(path, flags);
}

type FileHandle = Handle & EventEmitter;

type Work = (fs: FsCalls, dir: string, log: unknown[]) => Promise<AnyStream>;

const CASES: Record<string, Work> = {
  "reads and closes it": async (fs, dir, log) => {
    const fd = await open(fs, `${dir}/f`, "r");
    fd.on("close", () => log.push(["handle closed"]));
    const stream = anyStreams(fs).createReadStream("ignored", { fd, start: 3, highWaterMark: 4 });
    watchData(stream, log);
    await closed(stream);
    log.push(fd.fd);
    return stream;
  },
  "writes, flushes and closes it": async (fs, dir, log) => {
    const fd = await open(fs, `${dir}/f`, "r+");
    fd.on("close", () => log.push(["handle closed"]));
    const stream = anyStreams(fs).createWriteStream("", { fd, start: 2, flush: true });
    watch(stream, log);
    stream.write("a");
    stream.write("b");
    stream.write("c");
    stream.end();
    await closed(stream);
    log.push(fd.fd, fs.readFileSync(`${dir}/f`, "latin1"));
    return stream;
  },
  "leaves it open without autoClose": async (fs, dir, log) => {
    const fd = await open(fs, `${dir}/f`, "r");
    const stream = anyStreams(fs).createReadStream("", { fd, autoClose: false });
    watchData(stream, log);
    await event(stream, "end");
    await turns();
    log.push(fields(stream), (await fd.stat()).size);
    stream.destroy();
    await closed(stream);
    log.push(fd.fd);
    return stream;
  },
  "is closed with it": async (fs, dir, log) => {
    const fd = await open(fs, `${dir}/f`, "r");
    const stream = anyStreams(fs).createReadStream("", { fd });
    watch(stream, log);
    await fd.close();
    await closed(stream);
    return stream;
  },
  "is ended with it": async (fs, dir, log) => {
    const fd = await open(fs, `${dir}/f`, "w");
    const stream = anyStreams(fs).createWriteStream("", { fd });
    watch(stream, log);
    stream.write("written");
    await fd.close();
    await closed(stream);
    log.push(fs.readFileSync(`${dir}/f`, "latin1"));
    return stream;
  },
  "fails as its call does": async (fs, dir, log) => {
    const fd = await open(fs, `${dir}/f`, "r");
    const stream = anyStreams(fs).createWriteStream("", { fd });
    watch(stream, log);
    stream.end("x");
    await closed(stream);
    return stream;
  },
};

describe("a stream on a FileHandle", () => {
  for (const [name, work] of Object.entries(CASES)) {
    same(name, async (fs, dir) => {
      const log: unknown[] = [];
      const stream = await work(fs, dir, log);
      return { log, after: fields(stream) };
    });
  }
  same("is made by the handle", async (fs, dir) => {
    const log: unknown[] = [];
    const writing = await open(fs, `${dir}/g`, "w");
    const writer = writing.createWriteStream({ flush: true }) as unknown as AnyStream;
    watch(writer, log);
    writer.write("one\ntwo\r\n");
    writer.end("three");
    await closed(writer);
    const reader = (await open(fs, `${dir}/g`, "r")).createReadStream({ start: 1, end: 5 }) as unknown as AnyStream;
    watchData(reader, log);
    await closed(reader);
    const lines: string[] = [];
    for await (const line of (await open(fs, `${dir}/g`, "r")).readLines({ start: 1 })) lines.push(line);
    const kinds = [reader instanceof anyStreams(fs).ReadStream, writer instanceof anyStreams(fs).WriteStream];
    return [log, lines, kinds, writing.fd];
  });
  same("is refused together with options.fs", async (fs, dir) => {
    const fd = await open(fs, `${dir}/f`, "r");
    try {
      anyStreams(fs).createReadStream("", { fd, fs });
    } finally {
      await fd.close();
    }
  });
  same("is refused on a closed handle", async (fs, dir) => {
    const fd = await open(fs, `${dir}/f`, "r");
    await fd.close();
    anyStreams(fs).createReadStream("", { fd });
  });
});
