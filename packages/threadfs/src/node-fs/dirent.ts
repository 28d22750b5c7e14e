/** `fs.Dirent` and `fs.Dir` (https://nodejs.org/api/fs.html#class-fsdirent), and reading the entries of a directory. */

import * as ERRNO from "../../abi/errno.js";
import { DIRENT_ALIGN, DIRENT_NAME, DIRENT_NAME_LENGTH, DIRENT_TYPE } from "../../abi/memory.js";
import { DT_BLK, DT_CHR, DT_DIR, DT_FIFO, DT_LNK, DT_REG, DT_SOCK } from "../../abi/mode.js";
import { codedError, systemCallError } from "../errors/errors.js";
import { type NameEncoding, nameOf } from "./bytes.js";
import { constants } from "./constants.js";
import type { SystemCalls } from "./system-calls.js";

/** One entry of a directory. */
export class Dirent<Name extends string | Buffer = string> {
  name: Name;
  /** Path of the directory, as it was given. */
  parentPath: string;
  /** The older name of `parentPath`. */
  path: string;
  readonly #type: number;

  /** @param type DT_* */
  constructor(name: Name, type: number, parentPath: string) {
    this.name = name;
    this.parentPath = parentPath;
    this.path = parentPath;
    this.#type = type;
  }

  isFile(): boolean {
    return this.#type === DT_REG;
  }
  isDirectory(): boolean {
    return this.#type === DT_DIR;
  }
  isSymbolicLink(): boolean {
    return this.#type === DT_LNK;
  }
  isBlockDevice(): boolean {
    return this.#type === DT_BLK;
  }
  isCharacterDevice(): boolean {
    return this.#type === DT_CHR;
  }
  isFIFO(): boolean {
    return this.#type === DT_FIFO;
  }
  isSocket(): boolean {
    return this.#type === DT_SOCK;
  }
}

/** An entry from the core. */
export interface Entry<Name extends string | Buffer = string | Buffer> {
  name: Name;
  /** DT_*; 0 if the file system does not provide it. */
  type: number;
}

/**
 * Appends the next entries of a descriptor to `into`. Returns 1: there may be more; 0: the end; or a negative errno.
 */
export function readEntries(calls: SystemCalls, fd: number, encoding: NameEncoding, into: Entry[]): number {
  calls.checkOpen();
  const filled = calls.core.sysGetdents(calls.ctx, fd);
  // A directory that was removed while it is open has no entries: readdir(3) hides Linux's ENOENT.
  if (filled === -ERRNO.ENOENT) return 0;
  if (filled <= 0) return filled;
  const { io } = calls.attachment;
  for (let at = 0; at < filled; ) {
    // The core writes whole entries.
    const [type, length] = [io[at + DIRENT_TYPE] as number, io[at + DIRENT_NAME_LENGTH] as number];
    const start = at + DIRENT_NAME;
    into.push({ name: nameOf(io.subarray(start, start + length), encoding), type });
    at = (start + length + DIRENT_ALIGN - 1) & ~(DIRENT_ALIGN - 1);
  }
  return 1;
}

/** `parent/name`, with one slash after a root. */
export function joinPath(parent: string, name: string): string {
  return parent.endsWith("/") ? parent + name : `${parent}/${name}`;
}

export const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** Opens a directory for reading. */
export function openDirectory(calls: SystemCalls, path: string | Uint8Array, syscall: string): number {
  return calls.open(path, OPEN_DIRECTORY, 0, syscall);
}

type Callback<T> = (error: Error | null, value: T) => void;

/** An open directory, read entry by entry in the file system's own order. */
export class Dir {
  readonly path: string;
  readonly #calls: SystemCalls;
  readonly #encoding: NameEncoding;
  readonly #recursive: boolean;
  /** Directories still to be read, for a recursive reading. */
  readonly #pending: string[] = [];
  #fd: number;
  #current: string;
  #entries: Entry[] = [];
  #next = 0;
  #ended = false;
  #closed = false;

  constructor(calls: SystemCalls, path: string, fd: number, encoding: NameEncoding, recursive: boolean) {
    this.#calls = calls;
    this.path = path;
    this.#fd = fd;
    this.#current = path;
    this.#encoding = encoding;
    this.#recursive = recursive;
  }

  /** The next entry, null at the end. @throws Error ERR_DIR_CLOSED */
  readSync(): Dirent | null {
    this.#checkOpen();
    let entry = this.#entries[this.#next];
    while (entry === undefined) {
      if (!this.#fill()) return null;
      entry = this.#entries[this.#next];
    }
    this.#next++;
    const { name, type } = entry;
    if (this.#recursive && type === DT_DIR) this.#pending.push(joinPath(this.#current, String(name)));
    // With the encoding "buffer" names are Buffers, which Node's types do not express either.
    return new Dirent(name as string, type, this.#current);
  }

  /** Reads more entries; false at the end. */
  #fill(): boolean {
    this.#entries = [];
    this.#next = 0;
    if (this.#ended) {
      const path = this.#pending.shift();
      if (path === undefined) return false;
      const fd = openDirectory(this.#calls, path, "opendir");
      this.#calls.closeQuietly(this.#fd);
      this.#fd = fd;
      this.#current = path;
      this.#ended = false;
    }
    const got = readEntries(this.#calls, this.#fd, this.#encoding, this.#entries);
    if (got < 0) throw systemCallError(got, "scandir", this.#current);
    this.#ended = got === 0;
    return true;
  }

  #checkOpen(): void {
    if (this.#closed) throw codedError(Error, "ERR_DIR_CLOSED", "Directory handle was closed");
  }

  /** @throws Error ERR_DIR_CLOSED */
  closeSync(): void {
    this.#checkOpen();
    this.#closed = true;
    this.#calls.checkOpen();
    this.#calls.check(this.#calls.core.sysClose(this.#calls.ctx, this.#fd), "closedir");
  }

  read(): Promise<Dirent | null>;
  read(callback: Callback<Dirent | null>): void;
  read(callback?: Callback<Dirent | null>): Promise<Dirent | null> | undefined {
    return later(() => this.readSync(), callback);
  }

  close(): Promise<void>;
  close(callback: (error?: Error | null) => void): void;
  close(callback?: (error?: Error | null) => void): Promise<void> | undefined {
    return later(() => this.closeSync(), callback as Callback<void> | undefined);
  }

  /** All entries. The directory is closed at the end, or when the loop is left. */
  async *[Symbol.asyncIterator](): NodeJS.AsyncIterator<Dirent, undefined> {
    try {
      for (;;) {
        const entry = this.readSync();
        if (entry === null) return undefined;
        yield entry;
      }
    } finally {
      this.closeSync();
    }
  }

  /** Closes the directory if it is open. */
  [Symbol.dispose](): void {
    if (!this.#closed) this.closeSync();
  }
}

/** Returns the result in a promise, or passes it to a callback in a later turn of the event loop. */
function later<T>(work: () => T, callback: Callback<T> | undefined): Promise<T> | undefined {
  const done = Promise.resolve().then(work);
  if (callback === undefined) return done;
  // Exceptions of the callback are not swallowed.
  done.then(
    (value) => queueMicrotask(() => callback(null, value)),
    (error) => queueMicrotask(() => callback(error, undefined as T)),
  );
  return undefined;
}
