/**
 * The events of `watch`: which come, of which type, with which names and in which order is what inotify(7) and Node 26 make of the same
 * changes on the kernel. A change to a file of its own, whose event comes last, ends each wait.
 */
import { describe } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { suite, type Work } from "../both.js";

const { sameEach } = suite(import.meta.url, () => {});

interface Watcher {
  on(event: string, listener: (...args: unknown[]) => void): this;
  close(): void;
}
interface Watching {
  watch(path: unknown, options: object, listener?: (...args: unknown[]) => void): Watcher;
  promises: { watch(path: unknown, options?: object): AsyncIterableIterator<{ eventType: string; filename: unknown }> };
}
const watching = (fs: FsCalls) => fs as unknown as Watching;

type Step = (fs: FsCalls, dir: string) => unknown;

/** Changes, one after the other, in a tree of which `d`, `d/f` and `d/sub` are watched. */
const STEPS: Readonly<Record<string, Step>> = {
  "write a file": (fs, dir) => fs.writeFileSync(`${dir}/d/f`, "yy"),
  append: (fs, dir) => fs.appendFileSync(`${dir}/d/f`, "more"),
  "append nothing": (fs, dir) => fs.appendFileSync(`${dir}/d/f`, ""),
  create: (fs, dir) => fs.writeFileSync(`${dir}/d/new`, ""),
  "create with contents": (fs, dir) => fs.writeFileSync(`${dir}/d/new2`, "x".repeat(200_000)),
  mkdir: (fs, dir) => fs.mkdirSync(`${dir}/d/dir`),
  chmod: (fs, dir) => fs.chmodSync(`${dir}/d/f`, 0o600),
  "chmod to the same": (fs, dir) => fs.chmodSync(`${dir}/d/f`, 0o600),
  chown: (fs, dir) => fs.chownSync(`${dir}/d/f`, 1, 1),
  utimes: (fs, dir) => fs.utimesSync(`${dir}/d/f`, 1, 1),
  truncate: (fs, dir) => fs.truncateSync(`${dir}/d/f`, 1),
  "truncate to the same": (fs, dir) => fs.truncateSync(`${dir}/d/f`, 1),
  read: (fs, dir) => fs.readFileSync(`${dir}/d/f`),
  rename: (fs, dir) => fs.renameSync(`${dir}/d/new`, `${dir}/d/newer`),
  "rename out": (fs, dir) => fs.renameSync(`${dir}/d/newer`, `${dir}/out`),
  "rename into": (fs, dir) => fs.renameSync(`${dir}/out`, `${dir}/d/in`),
  "rename over": (fs, dir) => fs.renameSync(`${dir}/d/new2`, `${dir}/d/in`),
  "rename to another name of it": (fs, dir) => {
    fs.linkSync(`${dir}/d/in`, `${dir}/d/in2`);
    fs.renameSync(`${dir}/d/in`, `${dir}/d/in2`);
  },
  "rename a directory": (fs, dir) => fs.renameSync(`${dir}/d/dir`, `${dir}/d/sub/dir`),
  link: (fs, dir) => fs.linkSync(`${dir}/d/f`, `${dir}/d/link`),
  "write by another name": (fs, dir) => fs.writeFileSync(`${dir}/d/link`, "z"),
  symlink: (fs, dir) => fs.symlinkSync("f", `${dir}/d/sym`),
  "write through a link": (fs, dir) => fs.appendFileSync(`${dir}/d/sym`, "z"),
  "chmod the directory": (fs, dir) => fs.chmodSync(`${dir}/d`, 0o700),
  "chmod a directory in it": (fs, dir) => fs.chmodSync(`${dir}/d/sub`, 0o700),
  "change below": (fs, dir) => fs.writeFileSync(`${dir}/d/sub/x`, ""),
  rmdir: (fs, dir) => fs.rmdirSync(`${dir}/d/sub/dir`),
  "unlink one name": (fs, dir) => fs.unlinkSync(`${dir}/d/link`),
  "unlink while it is open": (fs, dir) => {
    const fd = fs.openSync(`${dir}/d/f`, "r+");
    fs.unlinkSync(`${dir}/d/f`);
    fs.writeSync(fd, "x");
    fs.closeSync(fd);
  },
  "the same name again": (fs, dir) => fs.writeFileSync(`${dir}/d/f`, "new"),
  "a failing call": (fs, dir) => {
    try {
      fs.mkdirSync(`${dir}/d/f`);
    } catch {
      // It changes nothing.
    }
  },
  "rename the directory": (fs, dir) => fs.renameSync(`${dir}/d`, `${dir}/e`),
  "change in the renamed directory": (fs, dir) => fs.writeFileSync(`${dir}/e/late`, ""),
  "remove a directory that is watched": (fs, dir) => {
    fs.unlinkSync(`${dir}/e/sub/x`);
    fs.rmdirSync(`${dir}/e/sub`);
  },
};

/** Changes a file that is watched for this alone, and waits for its event: all others have come then. */
function marker(fs: FsCalls, dir: string): { settled: () => Promise<void>; close: () => void } {
  fs.mkdirSync(`${dir}/marker`);
  let seen = 0;
  let wake = () => {};
  const watcher = watching(fs).watch(`${dir}/marker`, {}, () => {
    seen++;
    wake();
  });
  let made = 0;
  return {
    close: () => watcher.close(),
    async settled() {
      fs.mkdirSync(`${dir}/marker/${made++}`);
      while (seen < made) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** Makes all steps on what `paths` watch. Returns the events of each. */
function stepsOn(paths: readonly string[], options: object): Work {
  return async (fs, dir) => {
    fs.mkdirSync(`${dir}/d/sub`, { recursive: true });
    fs.writeFileSync(`${dir}/d/f`, "x");
    const events: unknown[] = [];
    const watchers = paths.map((path) =>
      watching(fs).watch(`${dir}/${path}`, options, (type, name) =>
        events.push(`${path}: ${String(type)} ${String(name)}`),
      ),
    );
    const { settled, close } = marker(fs, dir);
    const outcomes: Record<string, unknown> = {};
    for (const [title, step] of Object.entries(STEPS)) {
      events.length = 0;
      step(fs, dir);
      await settled();
      outcomes[title] = [...events];
    }
    for (const watcher of watchers) watcher.close();
    close();
    return outcomes;
  };
}

describe("the events of a watcher", () => {
  sameEach("of a directory", stepsOn(["d"], {}));
  sameEach("of a file", stepsOn(["d/f"], {}));
  sameEach("of a directory in it", stepsOn(["d/sub"], {}));
  sameEach("of all three", stepsOn(["d", "d/f", "d/sub"], {}));
  sameEach("with names as bytes", stepsOn(["d"], { encoding: "buffer" }));
  sameEach("with names in hex", stepsOn(["d"], { encoding: "hex" }));
  sameEach(
    "but for names that are ignored",
    stepsOn(["d"], { ignore: ["n*", /^f$/, (name: string) => name === "sub"] }),
  );
});

describe("a watcher", () => {
  sameEach("ends with its signal, with close(), and with what it watches", async (fs, dir) => {
    fs.writeFileSync(`${dir}/f`, "");
    const log: unknown[] = [];
    const { settled, close } = marker(fs, dir);
    const abort = new AbortController();
    const options = { signal: abort.signal };
    const first = watching(fs).watch(dir, options, (type, name) => log.push(["first", type, name]));
    first.on("close", () => log.push("first closed"));
    const second = watching(fs).watch(`${dir}/f`, {}, (type, name) => log.push(["second", type, name]));
    second.on("close", () => log.push("second closed"));
    abort.abort();
    fs.unlinkSync(`${dir}/f`);
    await settled();
    log.push("nothing more");
    fs.writeFileSync(`${dir}/f`, "again");
    await settled();
    second.close();
    second.close();
    log.push("closed by the caller");
    await settled();
    close();
    return { log };
  });

  sameEach("is not told what happened before it began, though others are", async (fs, dir) => {
    fs.mkdirSync(`${dir}/d`);
    const { settled, close } = marker(fs, dir);
    const events: unknown[] = [];
    const first = watching(fs).watch(`${dir}/d`, {}, (type, name) => events.push(["first", type, name]));
    fs.mkdirSync(`${dir}/e/a`, { recursive: true });
    const second = watching(fs).watch(`${dir}/e`, {}, (type, name) => events.push(["second", type, name]));
    fs.mkdirSync(`${dir}/e/b`);
    fs.mkdirSync(`${dir}/d/c`);
    await settled();
    first.close();
    second.close();
    close();
    return { events: events.sort() };
  });

  sameEach("that is told by an iterator", async (fs, dir) => {
    fs.mkdirSync(`${dir}/d`);
    const abort = new AbortController();
    const events: unknown[] = [];
    const reading = (async () => {
      for await (const event of watching(fs).promises.watch(`${dir}/d`, { signal: abort.signal })) {
        events.push(event);
        if (events.length === 3) abort.abort();
      }
    })();
    // The iterator has begun.
    await new Promise((resolve) => setImmediate(resolve));
    fs.writeFileSync(`${dir}/d/a`, "");
    fs.mkdirSync(`${dir}/d/b`);
    fs.renameSync(`${dir}/d/a`, `${dir}/d/c`);
    const end = await reading.catch((error: Error) => [error.name, (error as { code?: unknown }).code]);
    return { events, end };
  });
});
