/** `fs.ReadStream` (https://nodejs.org/api/fs.html#class-fsreadstream). */
import type { StreamModule } from "../../bridge/node.js";
import { outOfRange } from "../../errors/errors.js";
import { allocate } from "../bytes.js";
import {
  _destroy,
  checkFunction,
  derive,
  INNER,
  idle,
  ownOptions,
  prepare,
  type Reading,
  toPosition,
} from "./file-stream.js";
import type { StreamCalls } from "./stream-calls.js";

/** A class of streams, which can also be called without `new`. */
export interface StreamClass {
  new (path: unknown, options?: unknown): object;
  (path: unknown, options?: unknown): object;
  prototype: object;
}

const HIGH_WATER_MARK = 64 * 1024;

/** Reports an error as the base class does: streams that do not close themselves stay open, and emit it once. */
function fail(stream: Reading, error: Error): void {
  const state = (
    stream as unknown as { _readableState: { autoDestroy: boolean; errored: unknown; errorEmitted: boolean } }
  )._readableState;
  if (state.autoDestroy) {
    stream.destroy(error);
    return;
  }
  state.errored ??= error;
  if (state.errorEmitted) return;
  state.errorEmitted = true;
  stream.emit("error", error);
}

function pushBytes(stream: Reading, buffer: Uint8Array, count: number): void {
  if (stream.pos !== undefined) stream.pos += count;
  stream.bytesRead += count;
  if (count === buffer.length) {
    stream.push(buffer);
    return;
  }
  // A copy, so that few bytes do not keep a large buffer alive.
  const exact = allocate(count);
  exact.set(buffer.subarray(0, count));
  stream.push(exact);
}

function _read(this: Reading, size: number): void {
  const left = this.end - (this.pos ?? this.bytesRead) + 1;
  const length = Math.min(left, size);
  if (length <= 0) {
    this.push(null);
    return;
  }
  const inner = this[INNER];
  inner.busy = true;
  inner.calls.read(this.fd as number, allocate(length), 0, length, this.pos, (error, bytesRead, buffer) => {
    inner.busy = false;
    if (this.destroyed) idle(this, error);
    else if (error) fail(this, error);
    else if (bytesRead > 0) pushBytes(this, buffer, bytesRead);
    else this.push(null);
  });
}

/** Makes the class of a tree. `calls`: the tree's own. */
export function makeReadStream({ Readable, finished }: StreamModule, calls: StreamCalls): StreamClass {
  function ReadStream(this: unknown, path: unknown, given: unknown): object | undefined {
    if (!(this instanceof ReadStream)) return new (ReadStream as unknown as StreamClass)(path, given);
    const stream = this as unknown as Reading;
    const options = ownOptions(given);
    if (options.highWaterMark === undefined) options.highWaterMark = HIGH_WATER_MARK;
    prepare(stream, options, path, "r", calls);
    const its = stream[INNER].calls;
    checkFunction(its.read, "options.fs.read");
    if (options.autoDestroy) checkFunction(its.close, "options.fs.close");
    stream.start = options.start;
    stream.end = options.end as number;
    stream.pos = undefined;
    stream.bytesRead = 0;
    stream.pos = toPosition(stream.start, "start");
    if (stream.end === undefined) stream.end = Number.POSITIVE_INFINITY;
    else if (stream.end !== Number.POSITIVE_INFINITY) toPosition(stream.end, "end");
    if (stream.pos !== undefined && stream.pos > stream.end) {
      throw outOfRange("start", `<= "end" (here: ${stream.end})`, stream.start);
    }
    Function.prototype.call.call(Readable, stream, options);
    return undefined;
  }
  derive(ReadStream, Readable, "_readableState", {
    _read,
    _destroy,
    close(this: Reading, callback: unknown): void {
      if (typeof callback === "function") Function.prototype.call.call(finished, undefined, this, callback);
      this.destroy();
    },
  });
  return ReadStream as unknown as StreamClass;
}
