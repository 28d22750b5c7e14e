/** An open file of a tree, as `node:vfs` keeps it: the descriptor is the tree's, which has the position. */
import * as ERRNO from "../../abi/errno.js";
import { codedError, systemCallError } from "../errors/errors.js";
import { allocate, decodeText, type NameEncoding } from "../node-fs/bytes.js";
import { ASYNC_DISPOSE, DISPOSE } from "../node-fs/surface/dispose.js";
import type { AnyStats, BytesRead, BytesWritten, Contents, Options, ProviderHandle, ProviderTree } from "./types.js";

/** Bytes that are read at a time of a file whose size is not known. */
const CHUNK = 65_536;

type Callback<T> = (error: unknown, value: T) => void;

/** A call with a callback as a promise. */
function promised<T>(begin: (callback: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    begin((error, value) => (error == null ? resolve(value) : reject(error)));
  });
}

function isIterable(data: unknown): data is AsyncIterable<string | Uint8Array> {
  if (typeof data !== "object" || data === null || ArrayBuffer.isView(data)) return false;
  return Symbol.asyncIterator in data || Symbol.iterator in data;
}

function notImplemented(method: string): Error {
  return codedError(Error, "ERR_METHOD_NOT_IMPLEMENTED", `A file of node:vfs has no ${method}(): use that of node:fs`);
}

/** The parts of a file that have been read, in the form that was asked for. */
function joined(parts: readonly Uint8Array[], options: Options): Contents {
  const bytes = allocate(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  const encoding =
    typeof options === "string" ? options : (options as { encoding?: string } | null | undefined)?.encoding;
  if (!encoding || encoding === "buffer") return bytes as Contents;
  return decodeText(bytes, encoding as NameEncoding);
}

export class ThreadFileHandle implements ProviderHandle {
  readonly path: string;
  readonly flags: string | number;
  readonly mode: number;
  readonly #tree: ProviderTree;
  readonly #fd: number;
  #closed = false;

  constructor(tree: ProviderTree, fd: number, path: string, flags: string | number, mode: number) {
    this.#tree = tree;
    this.#fd = fd;
    this.path = path;
    this.flags = flags;
    this.mode = mode;
    // Not members of the class: TypeScript before 5.2 has no such symbols.
    Object.defineProperty(this, DISPOSE, { value: () => this.closeSync() });
    Object.defineProperty(this, ASYNC_DISPOSE, { value: () => this.close() });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The descriptor, while the file is open: its number may be another file's later. @throws SystemCallError EBADF */
  #open(syscall: string): number {
    if (this.#closed) throw systemCallError(-ERRNO.EBADF, syscall);
    return this.#fd;
  }

  get position(): number {
    return this.#tree.linux.lseekSync(this.#open("lseek"), 0, "cur");
  }

  set position(position: number) {
    this.#tree.linux.lseekSync(this.#open("lseek"), position);
  }

  readSync(buffer: Uint8Array, offset: number, length: number, position?: number | bigint | null): number {
    return this.#tree.fs.readSync(this.#open("read"), buffer, offset, length, position ?? null);
  }

  async read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position?: number | bigint | null,
  ): Promise<BytesRead> {
    const fd = this.#open("read");
    const bytesRead = await promised<number>((done) =>
      this.#tree.fs.read(fd, buffer, offset, length, position ?? null, done as never),
    );
    return { bytesRead, buffer };
  }

  writeSync(buffer: Uint8Array, offset: number, length: number, position?: number | null): number {
    return this.#tree.fs.writeSync(this.#open("write"), buffer, offset, length, position ?? null);
  }

  async write(buffer: Uint8Array, offset: number, length: number, position?: number | null): Promise<BytesWritten> {
    const fd = this.#open("write");
    const bytesWritten = await promised<number>((done) =>
      this.#tree.fs.write(fd, buffer, offset, length, position ?? null, done as never),
    );
    return { bytesWritten, buffer };
  }

  async readv(buffers: readonly Uint8Array[], position?: number | null): Promise<object> {
    const fd = this.#open("readv");
    const bytesRead = await promised<number>((done) =>
      this.#tree.fs.readv(fd, buffers, position ?? null, done as never),
    );
    return { bytesRead, buffers };
  }

  async writev(buffers: readonly Uint8Array[], position?: number | null): Promise<object> {
    const fd = this.#open("writev");
    const bytesWritten = await promised<number>((done) =>
      this.#tree.fs.writev(fd, buffers, position ?? null, done as never),
    );
    return { bytesWritten, buffers };
  }

  /** The whole file, whatever the position, which stays: `node:vfs` takes the parts of a stream from it. */
  readFileSync(options?: Options): Contents {
    const parts: Uint8Array[] = [];
    for (let at = 0; ; ) {
      const part = allocate(CHUNK);
      const read = this.readSync(part, 0, CHUNK, at);
      if (read === 0) return joined(parts, options);
      parts.push(part.subarray(0, read));
      at += read;
    }
  }

  /** As {@link readFileSync}. */
  async readFile(options?: Options): Promise<Contents> {
    const parts: Uint8Array[] = [];
    for (let at = 0; ; ) {
      const part = allocate(CHUNK);
      const { bytesRead } = await this.read(part, 0, CHUNK, at);
      if (bytesRead === 0) return joined(parts, options);
      parts.push(part.subarray(0, bytesRead));
      at += bytesRead;
    }
  }

  /** Writes at the position, or to the end of a file that was opened to append. */
  writeFileSync(data: string | Uint8Array, options?: Options): void {
    this.#tree.fs.writeFileSync(this.#open("write"), data, options as never);
  }

  /** As {@link writeFileSync}; also the parts that an iterable gives. */
  async writeFile(data: unknown, options?: Options): Promise<void> {
    if (isIterable(data)) {
      for await (const part of data) await this.writeFile(part, options);
      return;
    }
    const fd = this.#open("write");
    await promised<void>((done) => this.#tree.fs.writeFile(fd, data as string, options as never, done as never));
  }

  appendFile(data: unknown, options?: Options): Promise<void> {
    return this.writeFile(data, options);
  }

  statSync(options?: Options): AnyStats {
    return this.#tree.fs.fstatSync(this.#open("fstat"), options as never);
  }

  async stat(options?: Options): Promise<AnyStats> {
    const fd = this.#open("fstat");
    return promised((done) => this.#tree.fs.fstat(fd, (options ?? {}) as never, done as never));
  }

  truncateSync(length = 0): void {
    this.#tree.fs.ftruncateSync(this.#open("ftruncate"), length);
  }

  async truncate(length = 0): Promise<void> {
    const fd = this.#open("ftruncate");
    await promised((done) => this.#tree.fs.ftruncate(fd, length, done as never));
  }

  chmodSync(mode: number | string): void {
    this.#tree.fs.fchmodSync(this.#open("fchmod"), mode);
  }

  async chmod(mode: number | string): Promise<void> {
    const fd = this.#open("fchmod");
    await promised((done) => this.#tree.fs.fchmod(fd, mode, done as never));
  }

  async chown(uid: number, gid: number): Promise<void> {
    const fd = this.#open("fchown");
    await promised((done) => this.#tree.fs.fchown(fd, uid, gid, done as never));
  }

  utimesSync(atime: number | string | Date, mtime: number | string | Date): void {
    this.#tree.fs.futimesSync(this.#open("futimes"), atime, mtime);
  }

  async utimes(atime: number | string | Date, mtime: number | string | Date): Promise<void> {
    const fd = this.#open("futimes");
    await promised((done) => this.#tree.fs.futimes(fd, atime, mtime, done as never));
  }

  async datasync(): Promise<void> {
    this.#tree.fs.fdatasyncSync(this.#open("fdatasync"));
  }

  async sync(): Promise<void> {
    this.#tree.fs.fsyncSync(this.#open("fsync"));
  }

  // Node's own FileHandle makes these of the others.
  readableWebStream(): never {
    throw notImplemented("readableWebStream");
  }
  readLines(): never {
    throw notImplemented("readLines");
  }
  createReadStream(): never {
    throw notImplemented("createReadStream");
  }
  createWriteStream(): never {
    throw notImplemented("createWriteStream");
  }

  /** A second close does nothing. */
  closeSync(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tree.fs.closeSync(this.#fd);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await promised((done) => this.#tree.fs.close(this.#fd, done as never));
  }
}
