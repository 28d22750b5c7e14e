/**
 * graceful-fs, the library that most programs patch `fs` with, on a copy of `fs`: it puts classes of its own over those of the streams, calls
 * these as functions, and opens files by a method `open`. Its import patches the process's own `node:fs`: this file's alone.
 */
import { createRequire } from "node:module";
import { describe } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { suite } from "../both.js";
import { type AnyStreams, anyStreams, closed, event, watch, watchData } from "./support.js";

const { gracefulify } = createRequire(import.meta.url)("graceful-fs") as { gracefulify<T>(fs: T): T };

const { same } = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "0123456789");
});

function patched(fs: FsCalls): AnyStreams {
  return anyStreams(gracefulify({ ...fs }));
}

describe("streams of a copy that graceful-fs has patched", () => {
  for (const name of ["createReadStream", "ReadStream", "FileReadStream"] as const) {
    same(`read: ${name}`, async (fs, dir) => {
      const copy = patched(fs);
      const make = (copy as unknown as Record<string, AnyStreams["ReadStream"]>)[name] as AnyStreams["ReadStream"];
      const stream = name === "createReadStream" ? make(`${dir}/f`) : new make(`${dir}/f`, { start: 3 });
      const log = watchData(stream);
      const kinds = [stream instanceof copy.ReadStream, stream instanceof anyStreams(fs).ReadStream];
      await closed(stream);
      return [kinds, log, typeof stream.open, stream.bytesRead, stream.fd];
    });
  }
  same("write", async (fs, dir) => {
    const copy = patched(fs);
    const stream = copy.createWriteStream(`${dir}/g`);
    const log = watch(stream);
    stream.write("written ");
    stream.end("by it");
    const kinds = [stream instanceof copy.WriteStream, stream instanceof anyStreams(fs).WriteStream];
    await closed(stream);
    return [kinds, log, typeof stream.open, fs.readFileSync(`${dir}/g`, "latin1")];
  });
  same("report a missing file", async (fs, dir) => {
    const stream = patched(fs).createReadStream(`${dir}/none`);
    const log = watch(stream);
    await event(stream, "error");
    await closed(stream);
    return log;
  });
  same("leave the classes of the original as they were", (fs) => {
    const { ReadStream, WriteStream } = anyStreams(fs);
    const copy = patched(fs);
    const now = anyStreams(fs);
    return [copy.ReadStream === ReadStream, now.ReadStream === ReadStream, now.WriteStream === WriteStream];
  });
});
