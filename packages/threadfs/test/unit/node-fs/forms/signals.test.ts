/**
 * AbortSignal: every call that takes one, aborted before the call, in its turn, in a microtask, in the next tick, and never, as Node 26
 * does it. Each of these moments comes before any result in Node too, which gets its results in a later turn of the event loop. What a
 * call has done until then is its own (docs/node-fs.md); handles.test.ts has signals that are aborted between chunks.
 */
import type { EventEmitter } from "node:events";
import { describe } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { suite } from "../both.js";

const { sameEach } = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "one\ntwo\n");
  fs.mkdirSync(`${dir}/d`);
});

type Call = (...given: readonly unknown[]) => unknown;
type Calls = { readonly [name: string]: Call } & { readonly promises: { readonly [name: string]: Call } };

/** When a signal is aborted, after `call` has been made. */
const MOMENTS: Readonly<Record<string, (abort: () => void) => void>> = {
  "in the turn": (abort) => abort(),
  "in a microtask": (abort) => queueMicrotask(abort),
  "in the next tick": (abort) => process.nextTick(abort),
  never: () => {},
};

/** The fields of an error, and whether it tells the reason of the signal. */
function failure(error: unknown, reason: unknown): unknown {
  const { name, code, message, syscall, cause } = error as NodeJS.ErrnoException;
  return [name, code, message, syscall, cause === undefined ? "no cause" : cause === reason];
}

type Made = (calls: Calls, path: string, options: { signal: AbortSignal }) => Promise<unknown>;

const withCallback =
  (name: string, ...more: readonly unknown[]): Made =>
  (calls, path, options) =>
    new Promise((resolve, reject) => {
      calls[name]?.(path, ...more, options, (error: unknown, value: unknown) => {
        if (error) reject(error);
        else resolve(value);
      });
    });

const withPromise =
  (name: string, ...more: readonly unknown[]): Made =>
  async (calls, path, options) =>
    calls.promises[name]?.(path, ...more, options);

/** A method of a handle, which is closed afterwards. */
const ofHandle =
  (name: string, ...more: readonly unknown[]): Made =>
  (calls, path, options) => {
    const handle = opened(calls, path);
    return handle.then(async (open) => {
      try {
        return await (open[name] as Call).call(open, ...more, options);
      } finally {
        await (open.close as Call).call(open);
      }
    });
  };

/** Opened before the signal is aborted: these calls are given the turn of the method. */
async function opened(calls: Calls, path: string): Promise<{ readonly [name: string]: unknown }> {
  return (await calls.promises.open?.(path, "r+")) as { readonly [name: string]: unknown };
}

/** The events of a stream until it is closed. */
function eventsOf(
  stream: EventEmitter & { resume?(): void; end?: unknown },
  reason: () => unknown,
): Promise<unknown[]> {
  return new Promise((resolve) => {
    const events: unknown[] = [];
    for (const name of ["open", "ready", "end", "finish"]) stream.on(name, () => events.push(name));
    stream.on("error", (error) => events.push(failure(error, reason())));
    stream.on("close", () => resolve(events));
    if (typeof stream.end === "function") stream.end();
    else stream.resume?.();
  });
}

const stream =
  (name: string): Made =>
  async (calls, path, options) =>
    eventsOf(calls[name]?.(path, options) as EventEmitter, () => options.signal.reason);

/** A value without the times of a file. */
function shown(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value ?? "nothing";
  return "isFile" in value ? "Stats" : value;
}

const MADE: Readonly<Record<string, Made>> = {
  "readFile with a callback": withCallback("readFile"),
  "writeFile with a callback": withCallback("writeFile", "data"),
  "appendFile with a callback": withCallback("appendFile", "data"),
  "stat with a callback": withCallback("stat"),
  "lstat with a callback": withCallback("lstat"),
  readFile: withPromise("readFile"),
  writeFile: withPromise("writeFile", "data"),
  appendFile: withPromise("appendFile", "data"),
  "writeFile of chunks": withPromise("writeFile", ["da", "ta"]),
  stat: withPromise("stat"),
  lstat: withPromise("lstat"),
  createReadStream: stream("createReadStream"),
  createWriteStream: stream("createWriteStream"),
};

describe("a signal", () => {
  for (const [title, make] of Object.entries(MADE)) {
    sameEach(`of ${title}`, async (fs, dir) => {
      const outcomes: Record<string, unknown> = {};
      for (const name of ["f", "none/x", "d"]) {
        for (const [moment, abortAt] of Object.entries(MOMENTS)) {
          outcomes[`${name} ${moment}`] = await ended(fs, `${dir}/${name}`, make, abortAt);
        }
        outcomes[`${name} before`] = await ended(fs, `${dir}/${name}`, make, undefined);
      }
      return outcomes;
    });
  }
});

/** What a call ends with whose signal is aborted then; undefined: before the call. */
async function ended(
  fs: FsCalls,
  path: string,
  make: Made,
  abortAt: ((abort: () => void) => void) | undefined,
): Promise<unknown> {
  const controller = new AbortController();
  const reason = new Error("the reason");
  const abort = () => controller.abort(reason);
  if (abortAt === undefined) abort();
  const made = make(fs as unknown as Calls, path, { signal: controller.signal });
  abortAt?.(abort);
  try {
    return shown(await made);
  } catch (error) {
    return failure(error, reason);
  }
}

const OF_HANDLES: Readonly<Record<string, Made>> = {
  readFile: ofHandle("readFile"),
  writeFile: ofHandle("writeFile", "data"),
  appendFile: ofHandle("appendFile", "data"),
  "writeFile of chunks": ofHandle("writeFile", ["da", "ta"]),
  stat: ofHandle("stat"),
};

describe("a signal that is never aborted", () => {
  // The signal of many calls would gather their listeners.
  sameEach("is listened to by no call that Node's only lets look at it", async (fs, dir) => {
    const listened: Record<string, boolean> = {};
    for (const [kind, table] of Object.entries({ path: MADE, handle: OF_HANDLES })) {
      for (const [title, make] of Object.entries(table)) {
        // It takes more than one turn, in which it may have to wait.
        if (title.endsWith("of chunks")) continue;
        const { signal } = new AbortController();
        const key = `${kind}: ${title}`;
        listened[key] = false;
        const listen = signal.addEventListener.bind(signal);
        signal.addEventListener = (...given: Parameters<typeof listen>) => {
          listened[key] = true;
          listen(...given);
        };
        await make(fs as unknown as Calls, `${dir}/f`, { signal });
      }
    }
    return listened;
  });
});

describe("a signal of a handle's", () => {
  for (const [title, make] of Object.entries(OF_HANDLES)) {
    sameEach(title, async (fs, dir) => ({
      before: await ended(fs, `${dir}/f`, make, undefined),
      never: await ended(fs, `${dir}/f`, make, MOMENTS.never),
    }));
  }

  sameEach("stream", async (fs, dir) => {
    const outcomes: Record<string, unknown> = {};
    for (const name of ["createReadStream", "createWriteStream"]) {
      for (const [moment, abortAt] of [...Object.entries(MOMENTS), ["before", undefined] as const]) {
        const controller = new AbortController();
        const handle = await opened(fs as unknown as Calls, `${dir}/f`);
        if (abortAt === undefined) controller.abort();
        const made = (handle[name] as Call).call(handle, { signal: controller.signal });
        const events = eventsOf(made as EventEmitter, () => controller.signal.reason);
        abortAt?.(() => controller.abort());
        outcomes[`${name} ${moment}`] = await events;
      }
    }
    return outcomes;
  });
});

describe("a signal of a watch", () => {
  sameEach("with events", async (fs, dir) => {
    const outcomes: Record<string, unknown> = {};
    for (const [moment, abortAt] of [...Object.entries(MOMENTS), ["before", undefined] as const]) {
      const controller = new AbortController();
      if (abortAt === undefined) controller.abort();
      const events: string[] = [];
      const watcher = (fs as unknown as Calls).watch?.(dir, { signal: controller.signal }) as EventEmitter & {
        close(): void;
      };
      const closed = new Promise<void>((resolve) => {
        watcher.on("close", () => {
          events.push("close");
          resolve();
        });
      });
      watcher.on("error", (error) => events.push(String(error)));
      abortAt?.(() => controller.abort());
      if (moment === "never") watcher.close();
      await closed;
      outcomes[moment] = events;
    }
    return outcomes;
  });

  sameEach("by a promise", async (fs, dir) => {
    const outcomes: Record<string, unknown> = {};
    for (const [moment, abortAt] of [...Object.entries(MOMENTS), ["before", undefined] as const]) {
      if (moment === "never") continue;
      const controller = new AbortController();
      const abort = () => controller.abort("the reason");
      if (abortAt === undefined) abort();
      const iterate = async () => {
        const changes = (fs as unknown as Calls).promises.watch?.(dir, { signal: controller.signal });
        for await (const _ of changes as AsyncIterable<unknown>) return "a change";
        return "the end";
      };
      const outcome = iterate().catch((error: unknown) => failure(error, "the reason"));
      abortAt?.(abort);
      outcomes[moment] = await outcome;
    }
    return outcomes;
  });
});
