/**
 * `FileHandle` (https://nodejs.org/api/fs.html#class-filehandle): a descriptor with the promise forms as its methods. The
 * descriptor is the context's, in shared memory: every thread of the context may use its number.
 *
 * A handle that is closed closes its descriptor after the calls that use it.
 */
import type * as NodeFs from "node:fs";
import { cloneRefusal, refuseCloning } from "../../bridge/options.js";
import { bare } from "../../errors/bare.js";
import { codedError } from "../../errors/errors.js";
import { handleReadArguments, type Read, type Transfer } from "../arguments/transfer.js";
import { promised, runAbortable, runLater } from "../forms/later.js";
import type { AnyOperation } from "../operation.js";
import type { BigIntStats, Stats } from "../stats.js";
import { ASYNC_DISPOSE } from "../surface/dispose.js";
import type { SystemCalls } from "../system-calls.js";
import { operations as ops } from "../table.js";
import { toVector, type Vector } from "../vectors/ops-vector.js";
import { statOptions } from "./arguments.js";
import { adoptEmitter, type Emitter } from "./emitter.js";
import { HANDLES, REF, readFile, UNREF, type WrittenData, writeFile } from "./files.js";
import { linesOf, streamOn } from "./handle-streams.js";
import { webStreamOf } from "./web-stream.js";

type View = NodeJS.ArrayBufferView;

/** The result of a read. Without a prototype, as Node's. */
export interface ReadResult<V> {
  bytesRead: number;
  buffer: V;
}

function invalidState(what: string): Error {
  return codedError(Error, "ERR_INVALID_STATE", `Invalid state: The FileHandle is ${what}`);
}

/** The error of a call on a closed handle. */
function closedError(syscall: string): Error {
  return Object.assign(codedError(Error, "EBADF", "file closed"), { syscall });
}

/** The error of a method whose `this` is no handle. Node's adds that this is a bug of Node or of its user. */
function notHandle(): Error {
  return codedError(Error, "ERR_INTERNAL_ASSERTION", "handle must be an instance of FileHandle");
}

const REFUSAL = /* @__PURE__ */ cloneRefusal(
  "A FileHandle cannot be cloned: its descriptor is the context's. Post `vfs.handle` and the number `handle.fd`; " +
    "in the other thread linux.fdopen() of what attachVfs() returns makes a FileHandle of it",
);

export class FileHandle {
  readonly #calls: SystemCalls;
  #fd: number;
  /** The handle itself and the calls under way. */
  #users = 1;
  #closing: Promise<void> | undefined;
  /** Ends a close that waits for other users. */
  #lastLeft: (() => void) | undefined;
  #locked = false;

  constructor(calls: SystemCalls, fd: number) {
    adoptEmitter(FileHandle);
    HANDLES.set(this, calls);
    refuseCloning(this, REFUSAL);
    this.#calls = calls;
    this.#fd = fd;
    // Node's is an own property too, so that it can be passed as a function. It has its name from the constant.
    const close = () => this.#close();
    this.close = close;
  }

  /** Node's own handles have an id for async_hooks; here there is nothing to follow. */
  getAsyncId(): number {
    return -1;
  }

  /** The descriptor; -1 when the handle is closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Makes a call that uses the descriptor. Static, so that a method of something else fails in its promise, as Node's does. */
  static async #use<R>(handle: FileHandle, syscall: string, call: () => Promise<R>): Promise<R> {
    if (!(#fd in handle)) throw notHandle();
    if (handle.#fd === -1) throw closedError(syscall);
    handle[REF]();
    try {
      return await call();
    } finally {
      handle[UNREF]();
    }
  }

  /** Makes the call of an operation whose arguments `parse` checks. */
  static #call<A extends unknown[], P, R>(
    handle: FileHandle,
    syscall: string,
    op: AnyOperation<A, P, R>,
    parse: () => P,
  ): Promise<R> {
    return FileHandle.#use(handle, syscall, () => promised((ends) => runLater(handle.#calls, op, parse(), ends)));
  }

  appendFile(data: WrittenData, options?: unknown): Promise<void> {
    // What is written goes on where the descriptor stands, as in writeFile().
    return FileHandle.#use(this, "writeFile", () => writeFile(this.#calls, this, data, options));
  }

  chmod(mode: NodeFs.Mode): Promise<void> {
    return FileHandle.#call(this, "fchmod", ops.fchmod, () => ops.fchmod.parse(this.#fd, mode));
  }

  chown(uid: number, gid: number): Promise<void> {
    return FileHandle.#call(this, "fchown", ops.fchown, () => ops.fchown.parse(this.#fd, uid, gid));
  }

  datasync(): Promise<void> {
    return FileHandle.#call(this, "fdatasync", ops.fdatasync, () => ops.fdatasync.parse(this.#fd));
  }

  sync(): Promise<void> {
    return FileHandle.#call(this, "fsync", ops.fsync, () => ops.fsync.parse(this.#fd));
  }

  read<V extends View>(buffer?: V | object | null, offset?: unknown, length?: unknown, position?: unknown) {
    return FileHandle.#use(this, "read", async (): Promise<ReadResult<V>> => {
      const parsed: Read = handleReadArguments(this.#fd, buffer, offset, length, position);
      const bytesRead = await promised<number>((ends) => runLater(this.#calls, ops.read, parsed, ends));
      return bare({ bytesRead, buffer: parsed.view as V });
    });
  }

  readv<V extends readonly View[]>(buffers: V, position?: unknown): Promise<{ bytesRead: number; buffers: V }> {
    return FileHandle.#use(this, "readv", async () => {
      const parsed = toVector(this.#fd, buffers, position);
      const bytesRead = await promised<number>((ends) => runLater(this.#calls, ops.readv, parsed, ends));
      return bare({ bytesRead, buffers });
    });
  }

  readFile(options?: unknown): Promise<string | Buffer> {
    return FileHandle.#use(this, "readFile", () => readFile(this.#calls, this, options));
  }

  stat(options?: unknown): Promise<Stats | BigIntStats> {
    return FileHandle.#use(this, "fstat", () =>
      promised((ends) => {
        const { parsed, signal } = statOptions(options);
        const args = { fd: this.#fd, bigint: parsed.bigint };
        runAbortable(this.#calls, ops.fstat, args, { signal, listens: true }, ends);
      }),
    );
  }

  truncate(len?: number): Promise<void> {
    return FileHandle.#call(this, "ftruncate", ops.ftruncate, () => ops.ftruncate.parse(this.#fd, len));
  }

  utimes(atime: NodeFs.TimeLike, mtime: NodeFs.TimeLike): Promise<void> {
    return FileHandle.#call(this, "futimes", ops.futimes, () => ops.futimes.parse(this.#fd, atime, mtime));
  }

  write<D extends View | string>(buffer: D, offset?: unknown, length?: unknown, position?: unknown) {
    return FileHandle.#use(this, "write", async (): Promise<{ bytesWritten: number; buffer: D }> => {
      // As in Node, what has no bytes is not looked at any further.
      if ((buffer as { byteLength?: unknown } | null | undefined)?.byteLength === 0)
        return bare({ bytesWritten: 0, buffer });
      const parsed: Transfer = ops.write.parse(this.#fd, buffer, offset, length, position);
      const bytesWritten = await promised<number>((ends) => runLater(this.#calls, ops.write, parsed, ends));
      return bare({ bytesWritten, buffer });
    });
  }

  writev<V extends readonly View[]>(buffers: V, position?: unknown): Promise<{ bytesWritten: number; buffers: V }> {
    return FileHandle.#use(this, "writev", async () => {
      const parsed: Vector | undefined = ops.writev.parse(this.#fd, buffers, position as number);
      const bytesWritten = await promised<number>((ends) => runLater(this.#calls, ops.writev, parsed, ends));
      return bare({ bytesWritten, buffers });
    });
  }

  writeFile(data: WrittenData, options?: unknown): Promise<void> {
    return FileHandle.#use(this, "writeFile", () => writeFile(this.#calls, this, data, options));
  }

  /** A stream that reads from the handle, and closes it at the end. */
  createReadStream(options?: unknown): object | undefined {
    return streamOn(this.#calls, "read", this, options);
  }

  /** A stream that writes to the handle, and closes it at the end. */
  createWriteStream(options?: unknown): object | undefined {
    return streamOn(this.#calls, "write", this, options);
  }

  /** The lines of the file, as an interface of `node:readline`. */
  readLines(options?: unknown): object {
    return linesOf(this.createReadStream(options));
  }

  /** A web stream of the file's bytes. @throws Error ERR_INVALID_STATE for a handle that is closed, or has one already */
  readableWebStream(options?: unknown): ReadableStream {
    this.#lock();
    return webStreamOf(this, options);
  }

  /** Closes the handle, and its descriptor when no call uses it any more. */
  declare readonly close: () => Promise<void>;

  #close(): Promise<void> {
    if (this.#fd === -1) return Promise.resolve();
    if (this.#closing !== undefined) return this.#closing;
    const closed = new Promise<void>((resolve, reject) => {
      this.#lastLeft = () => {
        const fd = this.#fd;
        this.#fd = -1;
        runLater(this.#calls, ops.close, fd, { succeeded: resolve, failed: reject });
      };
    });
    this.#closing = closed.finally(() => {
      this.#closing = undefined;
    });
    this[UNREF]();
    (this as unknown as Emitter).emit("close");
    return this.#closing;
  }

  async [ASYNC_DISPOSE](): Promise<void> {
    await this.close();
  }

  /** A call, or a stream, uses the descriptor. @internal */
  [REF](): void {
    this.#users++;
  }

  /** A call, or a stream, does not use it any longer. @internal */
  [UNREF](): void {
    this.#users--;
    if (this.#users === 0) this.#lastLeft?.();
  }

  /** @throws Error ERR_INVALID_STATE for a handle that is closed, or in use as a whole. */
  #lock(): void {
    if (this.#fd === -1) throw invalidState("closed");
    if (this.#closing !== undefined) throw invalidState("closing");
    if (this.#locked) throw invalidState("locked");
    this.#locked = true;
  }
}
