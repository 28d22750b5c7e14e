/**
 * The work of `fs.Utf8Stream`: gathers what is written, and writes it in pieces of at most `maxWrite`, one call at a time.
 */
import { sleep } from "../../bridge/abilities.js";
import { nextTick } from "../../bridge/node.js";
import { codedError, invalidArgType } from "../../errors/errors.js";
import type { Emitter } from "../promises/emitter.js";
import { checkFunction } from "./file-stream.js";
import type { Content } from "./utf8-content.js";
import type { Utf8Options } from "./utf8-options.js";

type Failure = Error & { code?: unknown };
type Callback = (error?: Error | null) => void;

/** How long a descriptor that takes nothing at the moment is left alone, by a thread that may block. */
const BUSY_MS = 100;

function isBusy({ code }: Failure): boolean {
  return code === "EAGAIN" || code === "EBUSY";
}

function invalidState(what: string): Error {
  return codedError(Error, "ERR_INVALID_STATE", `Invalid state: ${what}`);
}

function directoryOf(path: string): string {
  const slash = path.replace(/\/+$/, "").lastIndexOf("/");
  if (slash < 0) return path.startsWith("/") ? "/" : ".";
  return path.slice(0, slash).replace(/\/+$/, "") || "/";
}

/** Parts that are written together. */
interface Batch<T> {
  readonly parts: T[];
  size: number;
}

export class Utf8Writer<T extends { readonly length: number }> {
  readonly options: Utf8Options;
  readonly content: Content<T>;
  readonly #stream: Emitter;
  readonly #queue: Batch<T>[] = [];
  /** What the present call writes, or what an error has left of it. */
  #current: T;
  /** Of everything that is not written yet. */
  #length = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  fd = -1;
  file: string | null = null;
  writing = false;
  #opening = false;
  #reopening = false;
  #ending = false;
  #destroyed = false;
  #flushing = false;
  /** In sync mode "drain" comes in a later turn, once. */
  #drains = false;

  constructor(stream: Emitter, options: Utf8Options, content: Content<T>) {
    this.#stream = stream;
    this.options = options;
    this.content = content;
    this.#current = content.empty;
  }

  /** Opens the file, or takes the descriptor. @throws TypeError ERR_INVALID_ARG_TYPE; in sync mode errors of mkdir and open */
  begin(): void {
    const { target } = this.options;
    if (typeof target === "number") {
      this.fd = target;
      nextTick(() => this.#stream.emit("ready"));
    } else if (typeof target === "string") {
      this.#open(target);
    } else {
      throw invalidArgType("fd", "one of type number or string", target);
    }
  }

  /** Flushes from now on every `periodicFlush` milliseconds. */
  beginFlushing(): void {
    this.#stream.on("newListener", (name) => {
      if (name === "drain") this.#drains = false;
    });
    const { periodicFlush } = this.options;
    if (periodicFlush === 0) return;
    this.#timer = setInterval(() => this.flush(() => {}), periodicFlush);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #checkOpen(): void {
    if (this.#destroyed) throw invalidState("Utf8Stream is destroyed");
  }

  write(data: unknown): boolean {
    this.#checkOpen();
    this.content.check(data);
    const { maxLength, maxWrite, minLength, highWaterMark } = this.options;
    const length = this.#length + data.length;
    if (maxLength && length > maxLength) {
      this.#stream.emit("drop", data);
      return this.#length < highWaterMark;
    }
    const last = this.#queue.at(-1);
    if (last === undefined || last.size + data.length > maxWrite) {
      this.#queue.push({ parts: [data], size: data.length });
    } else {
      last.parts.push(data);
      last.size += data.length;
    }
    this.#length = length;
    if (!this.writing && length >= minLength) this.#writeNext();
    return this.#length < highWaterMark;
  }

  #writeNext(): void {
    const { content } = this;
    this.writing = true;
    if (this.#current.length === 0) this.#current = content.merge(this.#queue.shift()?.parts ?? []);
    if (!this.options.sync) {
      this.#current = content.own(this.#current);
      this.#writeCurrent();
      return;
    }
    try {
      this.#wrote(content.writeSync(this.options.calls, this.fd, this.#current));
    } catch (error) {
      this.#failed(error as Failure);
    }
  }

  #writeCurrent(): void {
    this.content.write(this.options.calls, this.fd, this.#current, (error, count) => {
      if (error) this.#failed(error);
      else this.#wrote(count);
    });
  }

  #failed(error: Failure): void {
    const { sync, retry } = this.options;
    const { length } = this.#current;
    if (!isBusy(error) || !retry(error, length, this.#length - length)) {
      this.writing = false;
      this.#stream.emit("error", error);
      return;
    }
    if (!sync) {
      setTimeout(() => this.#writeCurrent(), BUSY_MS);
      return;
    }
    sleep(BUSY_MS);
    try {
      this.#wrote(0);
    } catch (again) {
      this.#failed(again as Failure);
    }
  }

  #take(count: number): void {
    const rest = this.content.rest(this.#current, count);
    this.#length = Math.max(this.#length - (this.#current.length - rest.length), 0);
    this.#current = rest;
  }

  #wrote(count: number): void {
    const { sync, fsync, calls } = this.options;
    this.#stream.emit("write", count);
    this.#take(count);
    if (this.#current.length > 0 && !sync) {
      this.#writeCurrent();
      return;
    }
    try {
      while (this.#current.length > 0) this.#take(this.content.writeSync(calls, this.fd, this.#current));
    } catch (error) {
      this.#failed(error as Failure);
      return;
    }
    if (fsync) calls.fsyncSync(this.fd);
    this.#goOn();
  }

  /** After a call that has written everything it was given. */
  #goOn(): void {
    const { minLength, sync } = this.options;
    if (this.#reopening) {
      this.writing = false;
      this.#reopening = false;
      this.reopen();
    } else if (this.#length > minLength || (this.#ending && this.#length > 0)) {
      this.#writeNext();
    } else if (this.#ending) {
      this.writing = false;
      this.#close();
    } else {
      this.writing = false;
      if (!sync) {
        this.#stream.emit("drain");
      } else if (!this.#drains) {
        this.#drains = true;
        nextTick(() => this.#drain());
      }
    }
  }

  #drain(): void {
    // As long as no listener waits for it, it is still to come.
    if ((this.#stream as Emitter & { listenerCount(name: string): number }).listenerCount("drain") === 0) return;
    this.#drains = false;
    this.#stream.emit("drain");
  }

  #open(file: string): void {
    const { append, mode, mkdir, sync, calls } = this.options;
    this.#opening = true;
    this.writing = true;
    this.#drains = false;
    const flags = append ? "a" : "w";
    const opened = (error: Error | null, fd: number): void => {
      if (error) this.#notOpened(error);
      else this.#opened(file, fd);
    };
    if (sync) {
      try {
        if (mkdir) calls.mkdirSync(directoryOf(file), { recursive: true });
        this.#opened(file, calls.openSync(file, flags, mode));
      } catch (error) {
        this.#notOpened(error as Error);
        throw error;
      }
    } else if (mkdir) {
      calls.mkdir(directoryOf(file), { recursive: true }, (error) => {
        if (error) this.#notOpened(error);
        else calls.open(file, flags, mode, opened);
      });
    } else {
      calls.open(file, flags, mode, opened);
    }
  }

  #notOpened(error: Error): void {
    this.#reopening = false;
    this.writing = false;
    this.#opening = false;
    const stream = this.#stream as Emitter & { listenerCount(name: string): number };
    if (!this.options.sync) stream.emit("error", error);
    else nextTick(() => stream.listenerCount("error") > 0 && stream.emit("error", error));
  }

  #opened(file: string, fd: number): void {
    const { sync, minLength } = this.options;
    const reopening = this.#reopening;
    this.fd = fd;
    this.file = file;
    this.#reopening = false;
    this.#opening = false;
    this.writing = false;
    if (sync) nextTick(() => this.#stream.emit("ready"));
    else this.#stream.emit("ready");
    if (this.#destroyed) return;
    if ((!this.writing && this.#length > minLength) || this.#flushing) this.#writeNext();
    else if (reopening && !this.writing) nextTick(() => this.#stream.emit("drain"));
  }

  /** Makes a call when the file is open, unless the stream is destroyed then: in Node the error would end the process. */
  #whenOpen(call: () => void): void {
    this.#stream.once("ready", () => {
      if (!this.#destroyed) call();
    });
  }

  reopen(file?: string): void {
    this.#checkOpen();
    if (this.#opening) {
      this.#whenOpen(() => this.reopen(file));
      return;
    }
    if (this.#ending) return;
    if (!this.file) {
      const message = "Operation failed: Unable to reopen a descriptor: the stream was not made on a file";
      throw codedError(Error, "ERR_OPERATION_FAILED", message);
    }
    if (file) this.file = file;
    this.#reopening = true;
    if (this.writing) return;
    const { fd } = this;
    this.#stream.once("ready", () => {
      if (fd === this.fd) return;
      this.options.calls.close(fd, (error) => {
        if (error) this.#stream.emit("error", error);
      });
    });
    this.#open(this.file);
  }

  end(): void {
    this.#checkOpen();
    if (this.#opening) {
      this.#whenOpen(() => this.end());
      return;
    }
    if (this.#ending) return;
    this.#ending = true;
    if (this.writing) return;
    if (this.#length > 0 && this.fd >= 0) this.#writeNext();
    else this.#close();
  }

  destroy(): void {
    if (!this.#destroyed) this.#close();
  }

  #close(): void {
    if (this.fd === -1) {
      this.#stream.once("ready", () => this.#close());
      return;
    }
    clearInterval(this.#timer);
    this.#destroyed = true;
    this.#queue.length = 0;
    const { calls } = this.options;
    const done: Callback = (error) => {
      if (error) {
        this.#stream.emit("error", error);
        return;
      }
      if (this.#ending && !this.writing) this.#stream.emit("finish");
      this.#stream.emit("close");
    };
    try {
      // Its error does not count: not every descriptor can be synchronized.
      calls.fsync(this.fd, () => {
        // As in Node, standard output and standard error stay open.
        if (this.fd === 1 || this.fd === 2) done();
        else calls.close(this.fd, done);
      });
    } catch {
      // As in Node.
    }
  }

  flush(callback: unknown): void {
    checkFunction(callback, "cb");
    const done = callback as Callback;
    if (this.#destroyed) {
      done(invalidState("Utf8Stream is destroyed"));
      return;
    }
    if (this.options.minLength <= 0) {
      done();
      return;
    }
    this.#callOnDrain(done);
    if (this.writing) return;
    if (this.#queue.length === 0) this.#queue.push({ parts: [], size: 0 });
    this.#writeNext();
  }

  #callOnDrain(done: Callback): void {
    const { fsync, calls } = this.options;
    this.#flushing = true;
    const synced = (error?: Failure | null): void => {
      this.#flushing = false;
      // The stream has been closed meanwhile.
      if (error?.code === "EBADF") done();
      else done(error);
    };
    const onDrain = (): void => {
      this.#stream.off("error", onError);
      if (!fsync && !this.#destroyed) {
        calls.fsync(this.fd, synced);
        return;
      }
      this.#flushing = false;
      done();
    };
    const onError = (error: unknown): void => {
      this.#flushing = false;
      done(error as Error);
      this.#stream.off("drain", onDrain);
    };
    this.#stream.once("drain", onDrain);
    this.#stream.once("error", onError);
  }

  flushSync(): void {
    this.#checkOpen();
    if (this.fd < 0) throw invalidState("Invalid file descriptor");
    const { content } = this;
    if (!this.writing && this.#current.length > 0) {
      this.#queue.unshift({ parts: [this.#current], size: this.#current.length });
      this.#current = content.empty;
    }
    for (let batch = this.#queue[0]; batch !== undefined; batch = this.#queue[0]) {
      let rest = content.merge(batch.parts);
      do rest = this.#flushPart(rest);
      while (rest.length > 0);
      this.#queue.shift();
    }
    if (!content.syncs) return;
    try {
      this.options.calls.fsyncSync(this.fd);
    } catch {
      // Not every descriptor can be synchronized.
    }
  }

  /** Writes a part, and returns what is left of it. @throws errors of write */
  #flushPart(part: T): T {
    try {
      const rest = this.content.rest(part, this.content.writeSync(this.options.calls, this.fd, part));
      this.#length = Math.max(this.#length - (part.length - rest.length), 0);
      return rest;
    } catch (error) {
      const failure = error as Failure;
      // Node tries again after any error, without end.
      if (!isBusy(failure) || !this.options.retry(failure, part.length, this.#length - part.length)) throw error;
      sleep(BUSY_MS);
      return part;
    }
  }
}
