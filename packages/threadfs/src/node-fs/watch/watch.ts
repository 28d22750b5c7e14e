/** `fs.watch` and `fs.promises.watch` (https://nodejs.org/api/fs.html#fswatchfilename-options-listener). */
import { nextTick } from "../../bridge/node.js";
import { bare } from "../../errors/bare.js";
import { codedError, invalidArgValue } from "../../errors/errors.js";
import { NO_OPTIONS, toBoolean, toInteger, toNameEncoding, toObject, toOptions, toPath, toSignal } from "../args.js";
import { isEncoding, type NameEncoding } from "../bytes.js";
import { abortError, checkAborted } from "../forms/abort.js";
import type { Emitter } from "../promises/emitter.js";
import type { SystemCalls } from "../system-calls.js";
import { warn } from "../warnings.js";
import { FSWatcher, shownName, type WatchRequest, watchError } from "./fs-watcher.js";
import { toIgnore } from "./ignore.js";
import { watchInode } from "./inode-watch.js";
import { RecursiveWatcher } from "./recursive-watcher.js";

interface Options {
  readonly persistent?: unknown;
  readonly recursive?: unknown;
  readonly encoding?: unknown;
  readonly signal?: unknown;
  readonly ignore?: unknown;
  readonly throwIfNoEntry?: unknown;
}

type Listener = (eventType: "rename" | "change", filename: string | Buffer | null) => void;

/** Events that `promises.watch` keeps for who asks for them later. */
const MAX_QUEUE = 2048;

/** Checks what the watcher of a tree checks. */
function checkRecursive({ persistent, recursive, signal, encoding, throwIfNoEntry }: Options): void {
  if (recursive !== undefined && recursive !== null) toBoolean(recursive, "options.recursive");
  if (persistent !== undefined && persistent !== null) toBoolean(persistent, "options.persistent");
  if (signal !== undefined && signal !== null) toSignal(signal);
  if (throwIfNoEntry !== undefined && throwIfNoEntry !== null) toBoolean(throwIfNoEntry, "options.throwIfNoEntry");
  if (encoding !== undefined && encoding !== null && typeof encoding !== "string") {
    throw invalidArgValue("options.encoding", encoding);
  }
}

/** Makes `fs.watch`. */
export function makeWatch(calls: SystemCalls) {
  return (filename: unknown, options?: unknown, listener?: unknown): FSWatcher | RecursiveWatcher => {
    const onChange = typeof options === "function" ? options : listener;
    const given: Options = { ...toOptions<Options & { encoding?: unknown }>(options, NO_OPTIONS) };
    const { persistent = true, recursive = false, throwIfNoEntry = true } = given;
    const path = toPath(filename);
    if (recursive) checkRecursive({ ...given, persistent, throwIfNoEntry });
    const request: WatchRequest = {
      path,
      persistent: Boolean(persistent),
      encoding: toNameEncoding(given),
      ignore: toIgnore(given.ignore),
      throwIfNoEntry: throwIfNoEntry !== false,
    };
    const signal = given.signal as AbortSignal | undefined;
    const watcher = recursive ? new RecursiveWatcher(calls, request, signal) : new FSWatcher(calls, request);
    const emitter = watcher as unknown as Emitter;
    if (onChange) emitter.on("change", onChange as Listener as (...args: unknown[]) => void);
    if (signal) closeWith(watcher, emitter, signal);
    return watcher;
  };
}

function closeWith(watcher: FSWatcher | RecursiveWatcher, emitter: Emitter, signal: AbortSignal): void {
  const close = () => watcher.close();
  if (signal.aborted) {
    nextTick(close);
    return;
  }
  signal.addEventListener("abort", close);
  emitter.once("close", () => signal.removeEventListener("abort", close));
}

export interface Event {
  eventType: string;
  filename: string | Buffer | null;
}

interface Queue {
  readonly max: number;
  readonly failsBeyond: boolean;
  readonly events: (Event | Error)[];
  /** Wakes who waits for the next event. */
  wake: () => void;
}

function add(queue: Queue, event: Event): void {
  const { events, max, failsBeyond } = queue;
  if (events.length < max) {
    events.push(event);
  } else if (failsBeyond) {
    const message = `fs.watch() queued more than ${max} events`;
    events.splice(0, events.length, codedError(Error, "ERR_FS_WATCH_QUEUE_OVERFLOW", message));
  } else {
    warn("fs.watch maxQueue exceeded", "Warning");
    return;
  }
  queue.wake();
}

interface AsyncRequest extends WatchRequest {
  readonly maxQueue: number;
  readonly failsBeyond: boolean;
  readonly signal: AbortSignal | undefined;
}

function parse(filename: unknown, options: Options & { maxQueue?: unknown; overflow?: unknown }): AsyncRequest {
  const path = toPath(filename);
  const { persistent = true, recursive = false, encoding = "utf8", maxQueue = MAX_QUEUE } = options;
  const { overflow = "ignore", signal, ignore } = options;
  toBoolean(persistent, "options.persistent");
  toBoolean(recursive, "options.recursive");
  const max = toInteger(maxQueue, "options.maxQueue");
  if (overflow !== "ignore" && overflow !== "error") {
    throw invalidArgValue("options.overflow", overflow, "must be one of: 'ignore', 'error'");
  }
  const checked = toSignal(signal);
  const ignores = toIgnore(ignore);
  if (encoding && !isEncoding(encoding)) throw invalidArgValue("encoding", encoding, "is invalid encoding");
  checkAborted(checked);
  return {
    path,
    persistent: persistent as boolean,
    encoding: (encoding || "utf8") as NameEncoding,
    ignore: ignores,
    throwIfNoEntry: true,
    maxQueue: max,
    failsBeyond: overflow === "error",
    signal: checked,
  };
}

async function* events(calls: SystemCalls, request: AsyncRequest): AsyncGenerator<Event> {
  const { path, persistent, encoding, ignore, maxQueue, failsBeyond, signal } = request;
  const queue: Queue = { max: maxQueue, failsBeyond, events: [], wake: () => {} };
  const watch = watchInode(calls, path, (eventType, name) => {
    const filename = shownName(name, encoding);
    if (filename === null || !ignore?.(filename as string)) add(queue, bare({ eventType, filename }));
  });
  if (typeof watch === "number") throw watchError(watch, path);
  if (persistent) watch.persist(true);
  const onAbort = () => queue.wake();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    while (!signal?.aborted) {
      const event = queue.events.shift();
      if (event instanceof Error) throw event;
      if (event !== undefined) yield event;
      else
        await new Promise<void>((resolve) => {
          queue.wake = resolve;
        });
    }
    throw abortError(signal as AbortSignal);
  } finally {
    watch.close();
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Makes `fs.promises.watch`. As in Node everything begins when the first event is asked for. */
export function makeWatchIterator(calls: SystemCalls) {
  return async function* (filename: unknown, options: unknown = NO_OPTIONS): AsyncGenerator<Event> {
    const given = toObject(options, "options") as Options;
    const { recursive } = given;
    if (recursive !== undefined && recursive !== null && toBoolean(recursive, "options.recursive")) {
      checkRecursive(given);
      const { persistent = true, ignore, throwIfNoEntry = true } = given;
      const request: WatchRequest = {
        path: toPath(filename),
        persistent: persistent !== false,
        encoding: toNameEncoding(given),
        ignore: toIgnore(ignore),
        throwIfNoEntry: throwIfNoEntry !== false,
      };
      yield* new RecursiveWatcher(calls, request, given.signal as AbortSignal | undefined);
      return;
    }
    yield* events(calls, parse(filename, given));
  };
}
