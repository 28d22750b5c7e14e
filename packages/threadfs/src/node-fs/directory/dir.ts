/** `fs.Dir` (https://nodejs.org/api/fs.html#class-fsdir): an open directory, read entry by entry. */

import { codedError, invalidArgType, systemCallError } from "../../errors/errors.js";
import { type Path, toInteger, toNameEncoding, toOptions } from "../args.js";
import type { NameEncoding } from "../bytes.js";
import { appendName, joinPaths } from "../paths/join.js";
import { ASYNC_DISPOSE, DISPOSE } from "../surface/dispose.js";
import type { SystemCalls } from "../system-calls.js";
import type { Dirent } from "./dirent.js";
import { direntOf, type Entry, encodeName, OPEN_DIRECTORY, readEntries } from "./entries.js";

/** Options of `opendir`. */
export interface DirOptions {
  encoding?: BufferEncoding | "buffer" | null | undefined;
  /** Entries that are read at a time. */
  bufferSize?: number | undefined;
  recursive?: boolean | undefined;
}

/** Node's default of `bufferSize`. */
const BUFFER_SIZE = 32;
const BUFFER_SIZE_MAX = 2 ** 32 - 1;

/** An open directory of a context: a system-call client and a descriptor. */
export class DirHandle {
  readonly calls: SystemCalls;
  #fd: number;
  #ended = false;

  constructor(calls: SystemCalls, fd: number) {
    this.calls = calls;
    this.#fd = fd;
  }

  /** Appends at most `count` entries to `into`; false at the end. @throws errors of getdents, with `path` */
  read(into: Entry[], path: Path, count: number): boolean {
    if (this.#ended) return false;
    const got = readEntries(this.calls, this.#fd, into, count);
    if (got < 0) throw systemCallError(got, "scandir", path);
    this.#ended = got === 0;
    return got > 0;
  }

  close(): void {
    this.calls.checkOpen();
    this.calls.check(this.calls.core.sysClose(this.calls.ctx, this.#fd), "closedir");
  }

  closeQuietly(): void {
    this.calls.closeQuietly(this.#fd);
  }
}

type Callback<T> = (error: Error | null, value: T) => void;

/** The directory that was opened, or one below it, for a recursive reading. */
interface Level {
  path: Path;
  /** Relative to the directory that was opened. */
  relative: Path;
  /** undefined: it is opened when its first entries are read. */
  handle: DirHandle | undefined;
}

function checkCallback(callback: unknown): void {
  if (typeof callback !== "function") throw invalidArgType("callback", "of type function", callback);
}

function closedError(): Error {
  return codedError(Error, "ERR_DIR_CLOSED", "Directory handle was closed");
}

/** Calls back in a later turn; an exception of the callback is an uncaught exception. */
function later(work: () => void): void {
  queueMicrotask(work);
}

/**
 * An open directory, read in the file system's own order. A recursive reading does not follow links. It gives the entries in Node's order:
 * before each of them it reads once more, `bufferSize` entries of the directory that has waited longest, which then waits again.
 */
export class Dir {
  readonly #handle: DirHandle;
  readonly #path: Path;
  readonly #encoding: NameEncoding;
  readonly #bufferSize: number;
  readonly #recursive: boolean;
  readonly #top: Level;
  /** Directories below that are not read to their end. */
  readonly #below: Level[] = [];
  #entries: { entry: Entry; of: Level }[] = [];
  #next = 0;
  #closed = false;
  /** Calls that wait for an asynchronous read; undefined if none is under way. */
  #waiting: (() => void)[] | undefined;

  constructor(handle: DirHandle, path: Path, options?: DirOptions) {
    if (handle === undefined || handle === null) {
      throw codedError(TypeError, "ERR_MISSING_ARGS", 'The "handle" argument must be specified');
    }
    const given = { bufferSize: BUFFER_SIZE, ...toOptions<DirOptions>(options, { encoding: "utf8" }) };
    this.#handle = handle;
    this.#path = path;
    this.#top = { path, relative: "", handle };
    this.#encoding = toNameEncoding(given);
    this.#recursive = Boolean(given.recursive);
    try {
      this.#bufferSize = toInteger(given.bufferSize, "options.bufferSize", 1, BUFFER_SIZE_MAX);
    } catch (error) {
      handle.close();
      throw error;
    }
  }

  /** The path that was opened, as it was given. @throws TypeError ERR_INVALID_THIS */
  get path(): string {
    if (!(#path in this)) {
      throw codedError(TypeError, "ERR_INVALID_THIS", 'Value of "this" must be of type Dir');
    }
    // Node's types have a string here, and Node returns what it was given.
    return this.#path as string;
  }

  #checkIdle(): void {
    if (this.#waiting === undefined) return;
    const message = "Cannot do synchronous work on directory handle with concurrent asynchronous operations";
    throw codedError(Error, "ERR_DIR_CONCURRENT_OPERATION", message);
  }

  #take(): Dirent | null {
    this.#readBelow();
    if (this.#next === this.#entries.length && !this.#readLevel(this.#top)) return null;
    const { entry, of } = this.#entries[this.#next++] as { entry: Entry; of: Level };
    if (this.#next === this.#entries.length) {
      this.#entries = [];
      this.#next = 0;
    }
    const { path, relative } = of;
    const parentPath = relative.length === 0 ? this.#path : joinPaths(this.#path, encodeName(relative, this.#encoding));
    const dirent = direntOf(this.#handle.calls, path, entry, this.#encoding, parentPath);
    if (this.#recursive && dirent.isDirectory()) {
      const below = { path: joinPaths(path, entry.name), relative: appendName(relative, entry.name) };
      this.#below.push({ ...below, handle: undefined });
    }
    // With the encoding "buffer" names are Buffers, which Node's types do not express either.
    return dirent as Dirent;
  }

  /** Reads entries of the directories below: of the first one, or if there is nothing to give of more of them. */
  #readBelow(): void {
    for (let level = this.#below.shift(); level !== undefined; level = this.#below.shift()) {
      if (this.#readLevel(level)) this.#below.push(level);
      if (this.#next < this.#entries.length) return;
    }
  }

  /** Adds entries of a directory; false at its end, where one below is closed. */
  #readLevel(level: Level): boolean {
    const { calls } = this.#handle;
    level.handle ??= new DirHandle(calls, calls.open(level.path, OPEN_DIRECTORY, 0, "opendir"));
    const read: Entry[] = [];
    try {
      if (level.handle.read(read, level.path, this.#bufferSize)) {
        for (const entry of read) this.#entries.push({ entry, of: level });
        return true;
      }
    } catch (error) {
      if (level !== this.#top) level.handle.closeQuietly();
      throw error;
    }
    if (level !== this.#top) level.handle.closeQuietly();
    return false;
  }

  #close(): void {
    this.#closed = true;
    for (const { handle } of this.#below) handle?.closeQuietly();
    this.#handle.close();
  }

  read(): Promise<Dirent | null>;
  read(callback: Callback<Dirent | null>): void;
  read(callback?: Callback<Dirent | null>): Promise<Dirent | null> | undefined {
    // biome-ignore lint/complexity/noArguments: Node tells read() from read(undefined), and the function's length is 1
    if (arguments.length > 0 && this.#closed) throw closedError();
    if (callback === undefined) return this.#promise((done) => this.#read(done));
    checkCallback(callback);
    this.#read(callback);
    return undefined;
  }

  /** The next entry, null at the end. @throws Error ERR_DIR_CLOSED, ERR_DIR_CONCURRENT_OPERATION, a system error */
  readSync(): Dirent | null {
    if (this.#closed) throw closedError();
    this.#checkIdle();
    return this.#take();
  }

  #promise<T>(start: (done: Callback<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      start((error, value) => (error ? reject(error) : resolve(value as T)));
    });
  }

  /** Reads an entry in a later turn. Calls that come meanwhile wait for it. */
  #read(callback: Callback<Dirent | null>): void {
    if (this.#closed) {
      later(() => callback(closedError(), null));
      return;
    }
    if (this.#waiting !== undefined) {
      this.#waiting.push(() => this.#read(callback));
      return;
    }
    // What has been read already is not waited for.
    if (this.#next < this.#entries.length) {
      this.#deliver(callback, later);
      return;
    }
    this.#waiting = [];
    later(() => {
      this.#deliver(callback, (call) => {
        this.#release();
        call();
      });
    });
  }

  #deliver(callback: Callback<Dirent | null>, how: (call: () => void) => void): void {
    let entry: Dirent | null;
    try {
      entry = this.#take();
    } catch (error) {
      how(() => callback(error as Error, null));
      return;
    }
    how(() => callback(null, entry));
  }

  #release(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const call of waiting) call();
  }

  close(): Promise<void>;
  close(callback: (error?: Error | null) => void): void;
  close(callback?: (error?: Error | null) => void): Promise<void> | undefined {
    if (callback === undefined) {
      if (this.#closed) return Promise.reject(closedError());
      return this.#promise<void>((done) => this.#closeLater((error) => done(error ?? null)));
    }
    checkCallback(callback);
    this.#closeLater(callback);
    return undefined;
  }

  /** @throws Error ERR_DIR_CLOSED, ERR_DIR_CONCURRENT_OPERATION */
  closeSync(): void {
    if (this.#closed) throw closedError();
    this.#checkIdle();
    this.#close();
  }

  #closeLater(callback: (error?: Error | null) => void): void {
    if (this.#closed) {
      later(() => callback(closedError()));
      return;
    }
    if (this.#waiting !== undefined) {
      this.#waiting.push(() => this.#closeLater(callback));
      return;
    }
    let failed: unknown = null;
    try {
      this.#close();
    } catch (error) {
      failed = error;
    }
    later(() => callback(failed as Error | null));
  }

  /** All entries. The directory is closed at the end, or when the loop is left. */
  async *entries(): AsyncIterableIterator<Dirent> {
    try {
      for (;;) {
        const entry = await this.#promise<Dirent | null>((done) => this.#read(done));
        if (entry === null) return undefined;
        yield entry;
      }
    } finally {
      await this.close();
    }
  }

  /** Closes the directory if it is open. */
  [DISPOSE](): void {
    if (!this.#closed) this.closeSync();
  }

  /** Closes the directory if it is open, after the calls that are under way. */
  async [ASYNC_DISPOSE](): Promise<void> {
    if (!this.#closed) await this.close();
  }

  declare [Symbol.asyncIterator]: () => AsyncIterableIterator<Dirent>;

  static {
    const value = Dir.prototype.entries;
    Object.defineProperty(Dir.prototype, Symbol.asyncIterator, { value, writable: true, configurable: true });
  }
}
