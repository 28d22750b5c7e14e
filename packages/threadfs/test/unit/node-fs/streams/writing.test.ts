/** `fs.createWriteStream` and `fs.WriteStream`: the same events, contents, fields and errors as Node's. */
import { describe } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { suite } from "../both.js";
import { type AnyStream, anyStreams, closed, event, fields, staysOpen, turns, until, watch } from "./support.js";

const { same } = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "0123456789");
  fs.chmodSync(`${dir}/f`, 0o644);
});

/** Writes "abc" and "def", ends, and waits for the end. */
async function writeAll(stream: AnyStream, log: unknown[]): Promise<AnyStream> {
  watch(stream, log);
  log.push(fields(stream), stream.write("abc"), stream.write(Buffer.from("def")));
  stream.end();
  await closed(stream);
  return stream;
}

type Write = (fs: FsCalls, dir: string, log: unknown[]) => Promise<AnyStream>;

function compare(cases: Record<string, Write>): void {
  for (const [name, work] of Object.entries(cases)) {
    same(name, async (fs, dir) => {
      const log: unknown[] = [];
      const stream = await work(fs, dir, log);
      const files = fs.readdirSync(dir).map((file) => [file, fs.readFileSync(`${dir}/${file}`, "latin1")]);
      return { log, after: fields(stream), files };
    });
  }
}

describe("a WriteStream", () => {
  const options: Record<string, (fs: FsCalls, dir: string) => unknown> = {
    "of a file": () => undefined,
    "that appends": () => ({ flags: "a" }),
    "over a file": () => ({ flags: "r+" }),
    "over a part of a file": () => ({ flags: "r+", start: 3 }),
    "from start in an emptied file": () => ({ start: 3 }),
    "of a file that must not exist": () => ({ flags: "wx" }),
    "by flags for reading": () => ({ flags: "r" }),
    "by wrong flags": () => ({ flags: "wrong" }),
    "by a wrong mode": () => ({ mode: "wrong" }),
    "that flushes": () => ({ flush: true }),
    "that does not flush": () => ({ flush: null }),
    "with an encoding": () => ({ encoding: "hex" }),
    "with an encoding for its options": () => "latin1",
    "with no emitClose but a listener": () => ({ emitClose: true }),
    "on a descriptor": (fs, dir) => ({ fd: fs.openSync(`${dir}/fd`, "w") }),
    "on a descriptor, from start": (fs, dir) => ({ fd: fs.openSync(`${dir}/fd`, "w"), start: 2 }),
    "on a descriptor for reading": (fs, dir) => ({ fd: fs.openSync(`${dir}/f`, "r") }),
    "on a bad descriptor": () => ({ fd: 9999 }),
  };
  const cases: Record<string, Write> = {};
  for (const [name, make] of Object.entries(options)) {
    cases[name] = (fs, dir, log) => writeAll(anyStreams(fs).createWriteStream(`${dir}/f`, make(fs, dir)), log);
  }
  cases["of a new file with a mode"] = async (fs, dir, log) => {
    const stream = await writeAll(anyStreams(fs).createWriteStream(`${dir}/new`, { mode: 0o600 }), log);
    log.push(fs.statSync(`${dir}/new`).mode);
    return stream;
  };
  cases["in a missing directory"] = (fs, dir, log) => writeAll(anyStreams(fs).createWriteStream(`${dir}/none/f`), log);
  cases["of a directory"] = (fs, dir, log) => writeAll(anyStreams(fs).createWriteStream(dir), log);
  cases["made by the class"] = (fs, dir, log) => writeAll(new (anyStreams(fs).WriteStream)(`${dir}/new`), log);
  cases["made by the class without new"] = (fs, dir, log) => writeAll(anyStreams(fs).WriteStream(`${dir}/new`), log);
  compare(cases);
});

describe("writing", () => {
  compare({
    "corked chunks is one call": async (fs, dir, log) => {
      const calls = {
        ...fs,
        writev(...args: unknown[]) {
          log.push(["writev", (args[1] as unknown[]).length, args[2]]);
          (fs as unknown as typeof calls).writev(...args);
        },
      };
      const stream = anyStreams(fs).createWriteStream(`${dir}/f`, { start: 1, fs: calls });
      await event(watched(stream, log), "ready");
      stream.cork();
      for (let i = 0; i < 20; i++) stream.write(`${i},`);
      stream.uncork();
      stream.end("last");
      await closed(stream);
      return stream;
    },
    "many chunks waits for drain": async (fs, dir, log) => {
      const stream = watched(anyStreams(fs).createWriteStream(`${dir}/f`, { highWaterMark: 10 }), log);
      for (let i = 0; i < 10; i++) if (!stream.write(`chunk ${i};`)) await event(stream, "drain");
      stream.end();
      await closed(stream);
      return stream;
    },
    "calls back": async (fs, dir, log) => {
      const stream = watched(anyStreams(fs).createWriteStream(`${dir}/f`), log);
      stream.write("a", (...args: unknown[]) => log.push(["written", ...args, stream.bytesWritten]));
      stream.write("b", "latin1", (...args: unknown[]) => log.push(["written", ...args, stream.bytesWritten]));
      stream.end("c", (...args: unknown[]) => log.push(["ended", ...args, stream.bytesWritten]));
      await closed(stream);
      return stream;
    },
    "after the end fails": async (fs, dir, log) => {
      const stream = watched(anyStreams(fs).createWriteStream(`${dir}/f`), log);
      stream.end("x");
      stream.write("y", (error: unknown) => log.push(error));
      await closed(stream);
      return stream;
    },
    "nothing but the end empties the file": async (fs, dir, log) => {
      const stream = watched(anyStreams(fs).createWriteStream(`${dir}/f`), log);
      stream.end();
      await closed(stream);
      return stream;
    },
    "wrong chunks throws": async (fs, dir, log) => {
      const stream = watched(anyStreams(fs).createWriteStream(`${dir}/f`), log);
      for (const chunk of [undefined, null, 5, {}, [1]]) {
        try {
          log.push(stream.write(chunk));
        } catch (error) {
          log.push(error);
        }
      }
      stream.end();
      await closed(stream);
      return stream;
    },
    "views of other types": async (fs, dir, log) => {
      const stream = watched(anyStreams(fs).createWriteStream(`${dir}/f`), log);
      stream.write(new Uint8Array([65, 66]));
      stream.end(new Uint8Array([67]));
      await closed(stream);
      return stream;
    },
  });
});

/** Watches a stream, and returns it. */
function watched(stream: AnyStream, log: unknown[]): AnyStream {
  watch(stream, log);
  return stream;
}

const make = (fs: FsCalls, dir: string, log: unknown[], options?: unknown) =>
  watched(anyStreams(fs).createWriteStream(`${dir}/f`, options), log);

describe("a WriteStream that does not end by itself", () => {
  compare({
    "is not closed without autoClose": async (fs, dir, log) => {
      const stream = make(fs, dir, log, { autoClose: false });
      stream.end("x");
      return staysOpen(stream, "finish", log, () => fs.fstatSync(stream.fd as number).size);
    },
    "is closed with a callback, without autoClose": async (fs, dir, log) => {
      const stream = make(fs, dir, log, { autoClose: false });
      stream.write("x");
      stream.close((...args) => log.push(["closed", ...args]));
      await closed(stream);
      return stream;
    },
    "is closed with a callback, and again": async (fs, dir, log) => {
      const stream = make(fs, dir, log);
      stream.write("x");
      stream.close((...args) => log.push(["closed", ...args]));
      stream.close((...args) => log.push(["closed too", ...args]));
      await closed(stream);
      stream.close((...args) => log.push(["closed later", ...args]));
      await turns();
      return stream;
    },
    "is ended by destroySoon": async (fs, dir, log) => {
      const stream = make(fs, dir, log);
      stream.write("x");
      stream.destroySoon();
      await closed(stream);
      return stream;
    },
    "fails without autoClose": async (fs, dir, log) => {
      const fd = fs.openSync(`${dir}/f`, "r");
      const stream = make(fs, dir, log, { fd, autoClose: false });
      stream.write("x", (error: unknown) => log.push(error));
      return staysOpen(stream, "error", log, () => fs.fstatSync(fd).size);
    },
    "emits no close without emitClose": async (fs, dir, log) => {
      const stream = make(fs, dir, log, { emitClose: false });
      stream.end("x");
      await until(() => stream.closed);
      return stream;
    },
  });
});

describe("a WriteStream that is destroyed", () => {
  compare({
    "at once": async (fs, dir, log) => {
      const stream = make(fs, dir, log);
      stream.destroy();
      log.push(fields(stream));
      await closed(stream);
      return stream;
    },
    "with what it has not written": async (fs, dir, log) => {
      const stream = make(fs, dir, log);
      stream.write("x", (error: unknown) => log.push(error));
      stream.write("y", (error: unknown) => log.push(error));
      stream.destroy(new Error("why"));
      await closed(stream);
      return stream;
    },
    "while it writes": async (fs, dir, log) => {
      const stream = make(fs, dir, log);
      await event(stream, "ready");
      stream.write("x", (error: unknown) => log.push(error));
      stream.write("y", (error: unknown) => log.push(error));
      stream.destroy();
      log.push(fields(stream));
      await closed(stream);
      return stream;
    },
    "with an error while it writes corked chunks": async (fs, dir, log) => {
      const stream = make(fs, dir, log);
      await event(stream, "ready");
      stream.cork();
      stream.write("x", (error: unknown) => log.push(error));
      stream.write("y", (error: unknown) => log.push(error));
      stream.uncork();
      stream.destroy(new Error("why"));
      await closed(stream);
      return stream;
    },
    "has its file closed under it": async (fs, dir, log) => {
      const fd = fs.openSync(`${dir}/f`, "w");
      const stream = make(fs, dir, log, { fd });
      fs.closeSync(fd);
      stream.end("x");
      await closed(stream);
      return stream;
    },
    "is aborted": async (fs, dir, log) => {
      const controller = new AbortController();
      const stream = make(fs, dir, log, { signal: controller.signal });
      stream.write("x", (error: unknown) => log.push((error as Error).name));
      controller.abort();
      await closed(stream);
      return stream;
    },
  });
});
