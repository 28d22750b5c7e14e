/** The promise forms of `readFile`, `writeFile` and `appendFile`, which take a path or a FileHandle, and more kinds of data. */
import { type Path, toFd, toMode, toOpenFlags, toPath } from "../args.js";
import {
  givenAppendOptions,
  givenWriteOptions,
  readFileOptions,
  toBytes,
  type WriteOptions,
  writeFileOptions,
} from "../arguments/files.js";
import { bytesOf, isArrayBufferView } from "../arguments/views.js";
import { encodeText } from "../bytes.js";
import { checkAborted } from "../forms/abort.js";
import { inLaterTurn, promised, runAbortable } from "../forms/later.js";
import { type Steps, stepwise } from "../operation.js";
import { readFileArguments, type Target, writeAll, writeTarget } from "../ops-file.js";
import type { SystemCalls } from "../system-calls.js";
import { operations as ops } from "../table.js";

type View = NodeJS.ArrayBufferView;
type Chunk = string | View;

/** Bytes that Node's promise form writes in one step, for which it names the flag in errors as the option that it is. */
const ONE_STEP_MAX = 512 * 1024;

/** What can be written. */
export type WrittenData = Chunk | Iterable<Chunk> | AsyncIterable<Chunk>;

/** An open descriptor: a FileHandle. */
export interface Opened {
  readonly fd: number;
}

/** @param from a path that is not checked yet, or a handle */
export function readFile(calls: SystemCalls, from: unknown, options: unknown): Promise<string | Buffer> {
  return promised((ends) => {
    const { buffer, encoding, flag, signal } = readFileOptions(options);
    const { own, opened } = callsOf(calls, from);
    const target = opened ? toOpened(opened, signal) : toTarget(from, flag || "r", 0o666, "flags", signal);
    const parsed = { ...readFileArguments(target, encoding, buffer), named: buffer === undefined };
    runAbortable(own, ops.readFile, parsed, { signal, listens: false }, ends);
  });
}

/** All handles, and the calls of the context that has their descriptors: what Node tells by their class, without an import in a circle. */
export const HANDLES = /* @__PURE__ */ new WeakMap<object, SystemCalls>();

/**
 * Names of the methods of a handle by which streams count as users of its descriptor. A program that called them could keep the
 * handle from being closed, so they are symbols, as Node's are.
 */
export const REF: unique symbol = /* @__PURE__ */ Symbol("ref");
export const UNREF: unique symbol = /* @__PURE__ */ Symbol("unref");

/** The calls that a file takes: those of a handle are its own context's, whichever context is asked. */
function callsOf(calls: SystemCalls, file: unknown): { own: SystemCalls; opened: Opened | undefined } {
  const own = typeof file === "object" && file !== null ? HANDLES.get(file) : undefined;
  return own === undefined ? { own: calls, opened: undefined } : { own, opened: file as Opened };
}

/** @throws RangeError for a handle that is closed; its methods look at that first, and have another error */
function toOpened({ fd }: Opened, signal: AbortSignal | undefined): Target {
  return { fd: signal?.aborted ? -1 : toFd(fd) };
}

function toTarget(
  path: unknown,
  flag: unknown,
  mode: unknown,
  flagName: string,
  signal: AbortSignal | undefined,
): Target {
  if (signal?.aborted) return { fd: -1 };
  const checked: Path = toPath(path);
  return { path: checked, flags: toOpenFlags(flag, flagName), mode: toMode(mode, "mode", 0o666) };
}

/** Checked arguments. */
interface Writing {
  target: Target;
  data: Uint8Array | Iterable<Chunk> | AsyncIterable<Chunk>;
  encoding: BufferEncoding;
  flush: boolean;
  signal: AbortSignal | undefined;
}

const writing = stepwise(
  (parsed: Writing) => parsed,
  (calls, { target, data, encoding, flush, signal }): Steps<void> =>
    writeTarget(calls, target, flush, function* (fd) {
      if (data instanceof Uint8Array) {
        yield* writeBytes(calls, fd, data);
        return;
      }
      // Node has opened the file in a later turn, and looks at the signal then.
      if (target.path !== undefined) yield signal === undefined ? Promise.resolve() : laterTurn();
      yield* writeChunks(calls, fd, data, encoding, signal);
    }),
);

/** @throws RangeError for a handle that is closed, if there is anything to write */
function* writeBytes(calls: SystemCalls, fd: number, bytes: Uint8Array): Steps<void> {
  if (bytes.length > 0) yield* writeAll(calls, toFd(fd), bytes);
}

/** Writes what an iterable returns, chunk by chunk. @throws Error AbortError */
function* writeChunks(
  calls: SystemCalls,
  fd: number,
  data: Iterable<Chunk> | AsyncIterable<Chunk>,
  encoding: BufferEncoding,
  signal: AbortSignal | undefined,
): Steps<void> {
  const chunks = Symbol.asyncIterator in data ? data[Symbol.asyncIterator]() : data[Symbol.iterator]();
  let ended = false;
  try {
    for (;;) {
      checkAborted(signal);
      const next = (yield Promise.resolve(chunks.next())) as IteratorResult<Chunk>;
      ended = next.done === true;
      if (ended) return;
      const chunk: Chunk = yield* value(next.value);
      checkAborted(signal);
      yield* writeBytes(calls, fd, isArrayBufferView(chunk) ? bytesOf(chunk) : encodeText(chunk, encoding));
      // As in Node, what aborts the signal may run before the next chunk.
      if (signal !== undefined) yield laterTurn();
    }
  } finally {
    if (!ended) yield Promise.resolve(chunks.return?.());
  }
}

function laterTurn(): Promise<void> {
  return new Promise(inLaterTurn);
}

/** A value of an iterable, which may be a promise. */
function* value(chunk: Chunk | Promise<Chunk>): Steps<Chunk> {
  return chunk instanceof Promise ? ((yield chunk) as Chunk) : chunk;
}

function isIterable(data: unknown): data is Iterable<Chunk> | AsyncIterable<Chunk> {
  if (typeof data !== "object" || data === null || isArrayBufferView(data)) return false;
  const given = data as { [Symbol.iterator]?: unknown; [Symbol.asyncIterator]?: unknown };
  return typeof given[Symbol.asyncIterator] === "function" || typeof given[Symbol.iterator] === "function";
}

/** @param to a path that is not checked yet, or a handle */
export function writeFile(calls: SystemCalls, to: unknown, data: WrittenData, options: unknown): Promise<void> {
  return write(calls, to, data, () => givenWriteOptions(options));
}

export function appendFile(calls: SystemCalls, to: unknown, data: WrittenData, options: unknown): Promise<void> {
  return write(calls, to, data, () => givenAppendOptions(options, () => false));
}

function write(calls: SystemCalls, to: unknown, data: WrittenData, given: () => WriteOptions): Promise<void> {
  return promised((ends) => {
    const { flush, mode, flag, encoding, signal } = writeFileOptions(given());
    const bytes = isIterable(data) ? data : toBytes(data, encoding);
    const isShort = bytes instanceof Uint8Array && bytes.length <= ONE_STEP_MAX;
    const flagName = isShort && !flush ? "options.flag" : "flags";
    const { own, opened } = callsOf(calls, to);
    const target = opened ? { fd: opened.fd } : toTarget(to, flag, mode, flagName, signal);
    const parsed = { target, data: bytes, encoding, flush: flush && opened === undefined, signal };
    // Node does not look at the signal after the last chunk, of which bytes for a path have one that comes in a later turn.
    const looksItself = !(bytes instanceof Uint8Array) || (isShort && opened !== undefined);
    runAbortable(own, writing, parsed, { signal, listens: false, looksItself }, ends);
  });
}
