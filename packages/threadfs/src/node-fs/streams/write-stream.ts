/** `fs.WriteStream` (https://nodejs.org/api/fs.html#class-fswritestream). */
import { nextTick, type StreamModule } from "../../bridge/node.js";
import { bare } from "../../errors/bare.js";
import { codedError, invalidArgType } from "../../errors/errors.js";
import {
  _destroy,
  checkFunction,
  derive,
  INNER,
  idle,
  ownOptions,
  prepare,
  type StreamOptions,
  toPosition,
  type Writing,
} from "./file-stream.js";
import type { StreamClass } from "./read-stream.js";
import type { Done, StreamCalls } from "./stream-calls.js";

type Written = (error: (Error & { code?: unknown }) | null, bytesWritten: number) => void;

/** How often in a row a call may write nothing. */
const FRUITLESS_MAX = 5;

function destroyedError(call: string): Error {
  return codedError(Error, "ERR_STREAM_DESTROYED", `Cannot call ${call} after a stream was destroyed`);
}

function fruitlessError(call: string): Error {
  const message = `A system error occurred: ${call} wrote nothing ${FRUITLESS_MAX + 1} times in a row`;
  const error = codedError(Error, "ERR_SYSTEM_ERROR", message);
  return Object.defineProperty(error, "name", bare({ value: "SystemError", writable: true, configurable: true }));
}

/** What is left of chunks after the first `count` bytes. */
function skip(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let skipped = count;
  let first = 0;
  for (; first < chunks.length && skipped >= (chunks[first] as Uint8Array).length; first++) {
    skipped -= (chunks[first] as Uint8Array).length;
  }
  const [head, ...rest] = chunks.slice(first);
  return head === undefined ? [] : [head.subarray(skipped), ...rest];
}

/** One round of writing: one call of the file system, which may write less. */
interface Round {
  readonly call: "write" | "writev";
  readonly chunks: readonly Uint8Array[];
  readonly size: number;
  readonly pos: number | undefined;
  /** How many rounds before have written nothing. */
  readonly fruitless: number;
}

function start(stream: Writing, { call, chunks, size, pos }: Round, done: Written): void {
  const { calls } = stream[INNER];
  const fd = stream.fd as number;
  if (call === "write") calls.write(fd, chunks[0] as Uint8Array, 0, size, pos, done);
  else calls.writev(fd, chunks, pos, done);
}

/** Writes until all is written. */
function writeAll(stream: Writing, round: Round, done: Done): void {
  start(stream, round, (error, bytesWritten) => {
    // A descriptor that takes nothing at the moment is asked again.
    const count = error?.code === "EAGAIN" ? 0 : bytesWritten;
    const failed = error?.code === "EAGAIN" ? null : error;
    if (failed || stream.destroyed) {
      done(failed || destroyedError(round.call));
      return;
    }
    stream.bytesWritten += count;
    const size = round.size - count;
    const fruitless = count ? 0 : round.fruitless + 1;
    if (fruitless > FRUITLESS_MAX) done(fruitlessError(round.call));
    else if (size === 0) done();
    else {
      const pos = round.pos === undefined ? undefined : round.pos + count;
      writeAll(stream, { ...round, chunks: skip(round.chunks, count), size, pos, fruitless }, done);
    }
  });
}

function startWriting(stream: Writing, call: Round["call"], chunks: readonly Uint8Array[], done: Done): void {
  const inner = stream[INNER];
  let size = 0;
  for (const { length } of chunks) size += length;
  inner.busy = true;
  const { pos } = stream;
  writeAll(stream, { call, chunks, size, pos, fruitless: 0 }, (error) => {
    inner.busy = false;
    const { destroyed } = stream;
    done(error);
    if (destroyed) idle(stream, error);
  });
  if (pos !== undefined) stream.pos = pos + size;
}

function _write(this: Writing, data: Uint8Array, _encoding: unknown, done: Done): void {
  startWriting(this, "write", [data], done);
}

function _writev(this: Writing, data: readonly { chunk: Uint8Array }[], done: Done): void {
  const chunks = data.map(({ chunk }) => chunk);
  startWriting(this, "writev", chunks, done);
}

function closeStream(this: Writing, callback?: () => void): void {
  if (callback) {
    if (this.closed) {
      nextTick(callback);
      return;
    }
    this.on("close", callback);
  }
  if (!this.autoClose) this.on("finish", this.destroy);
  // Not destroy(): what has been written is to reach the file.
  this.end();
}

/** Checks the calls of `options.fs`. One of write and writev is enough: then only that one is used. */
function checkCalls(stream: Writing, options: StreamOptions): void {
  const { calls } = stream[INNER];
  const { write, writev }: { write?: unknown; writev?: unknown } = calls;
  if (!write && !writev) throw invalidArgType("options.fs.write", "of type function", write);
  if (write) checkFunction(write, "options.fs.write");
  if (writev) checkFunction(writev, "options.fs.writev");
  if (options.autoDestroy) checkFunction(calls.close, "options.fs.close");
  const { flush } = options;
  stream.flush = flush ?? false;
  if (flush !== undefined && flush !== null) {
    if (typeof flush !== "boolean") throw invalidArgType("options.flush", "of type boolean", flush);
    checkFunction(calls.fsync, "options.fs.fsync");
  }
  if (!write) stream._write = null;
  if (!writev) stream._writev = null;
}

/** Makes the class of a tree. `calls`: the tree's own. */
export function makeWriteStream({ Writable }: StreamModule, calls: StreamCalls): StreamClass {
  function WriteStream(this: unknown, path: unknown, given: unknown): object | undefined {
    if (!(this instanceof WriteStream)) return new (WriteStream as unknown as StreamClass)(path, given);
    const stream = this as unknown as Writing;
    const options = ownOptions(given);
    // Text is made bytes by the base class.
    options.decodeStrings = true;
    prepare(stream, options, path, "w", calls);
    checkCalls(stream, options);
    stream.start = options.start;
    stream.pos = undefined;
    stream.bytesWritten = 0;
    stream.pos = toPosition(stream.start, "start");
    Function.prototype.call.call(Writable, stream, options);
    if (options.encoding) stream.setDefaultEncoding(options.encoding as BufferEncoding);
    return undefined;
  }
  derive(WriteStream, Writable, "_writableState", {
    _write,
    _writev,
    _destroy,
    close: closeStream,
    destroySoon: (Writable.prototype as { end?: unknown }).end,
  });
  return WriteStream as unknown as StreamClass;
}
