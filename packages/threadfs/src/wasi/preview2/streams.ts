/** `wasi:io/streams`: streams of files. Each has a position of its own, and keeps its file open. */
import { EIO } from "../../../abi/errno.js";
import { POLLIN, POLLOUT } from "../../../abi/flags.js";
import { S_IFREG } from "../../../abi/mode.js";
import { closed, DISPOSE, failed, hasMethods } from "./errors.js";
import type { OpenFile } from "./open-file.js";
import { Pollable } from "./poll.js";

/** The most bytes of one read, and of the writes that one check-write permits. */
export const CHUNK = 1 << 20;
/** The same of a pipe: so many bytes are written as a whole. */
const PIPE_CHUNK = 4096;
/** The most bytes of a call that writes and flushes, as the interface has it. */
const FLUSH_MAX = 4096n;

const NOTHING = /* @__PURE__ */ new Uint8Array(0);

/** A length of a component as the bytes of one call. */
const within = (length: bigint, limit: number): number => Number(length < BigInt(limit) ? length : limit);

/** What both kinds of streams are: they keep their file open until they end, or are dropped. */
abstract class FileStream {
  #file: OpenFile | undefined;

  /** @internal */
  constructor(file: OpenFile) {
    this.#file = file.use();
  }

  /** The file. @throws StreamError "closed" @internal */
  protected opened(): OpenFile {
    if (this.#file === undefined) throw closed();
    return this.#file;
  }

  /** @internal */
  protected pollable(events: typeof POLLIN | typeof POLLOUT): Pollable {
    return new Pollable(this.#file, events);
  }

  /** Ends the stream. @internal */
  protected end(): void {
    const file = this.#file;
    this.#file = undefined;
    file?.drop();
  }

  /** What a component does that drops it. */
  [DISPOSE](): void {
    this.end();
  }
}

/** The resource `input-stream`: reads a file from a position on. */
export class InputStream extends FileStream {
  #position: number;

  /** @internal */
  constructor(file: OpenFile, position: number) {
    super(file);
    this.#position = position;
  }

  /** Streams of other shims are streams too: standard input, sockets. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return hasMethods(value, ["read", "blockingRead", "subscribe"]);
  }

  /** The next bytes, at most so many; none if that would wait. @throws StreamError "closed" at the end */
  read(length: bigint): Uint8Array {
    const file = this.opened();
    return file.format !== S_IFREG && !file.isReady(POLLIN) ? NOTHING : this.blockingRead(length);
  }

  /** The same, but waits for at least one byte. */
  blockingRead(length: bigint): Uint8Array {
    const file = this.opened();
    const most = within(length, CHUNK);
    if (most === 0) return NOTHING;
    const got = file.read(most, this.#position);
    if (typeof got !== "number" && got.length > 0) {
      this.#position += got.length;
      return got;
    }
    this.end();
    throw typeof got === "number" ? failed(got) : closed();
  }

  skip(length: bigint): bigint {
    return BigInt(this.read(length).length);
  }

  blockingSkip(length: bigint): bigint {
    return BigInt(this.blockingRead(length).length);
  }

  subscribe(): Pollable {
    return this.pollable(POLLIN);
  }
}

/** The resource `output-stream`: writes a file from a position on, or at its end. */
export class OutputStream extends FileStream {
  /** -1: it appends. */
  #position: number;
  #permitted = 0;

  /** @internal */
  constructor(file: OpenFile, position: number) {
    super(file);
    this.#position = position;
  }

  /** Streams of other shims are streams too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return hasMethods(value, ["checkWrite", "write", "subscribe"]);
  }

  /** How many bytes the next write may have. @throws StreamError "closed" after an error */
  checkWrite(): bigint {
    const file = this.opened();
    if (file.format === S_IFREG) this.#permitted = CHUNK;
    else this.#permitted = file.isReady(POLLOUT) ? PIPE_CHUNK : 0;
    return BigInt(this.#permitted);
  }

  /** @throws StreamError; Error, which makes the component trap, for more bytes than check-write permitted */
  write(contents: Uint8Array): void {
    this.opened();
    if (contents.length > this.#permitted) throw new Error("A write has more bytes than check-write permitted");
    this.#permitted -= contents.length;
    this.#write(contents);
  }

  blockingWriteAndFlush(contents: Uint8Array): void {
    if (contents.length > FLUSH_MAX) throw new Error(`A write that flushes has more than ${FLUSH_MAX} bytes`);
    this.#write(contents);
  }

  /** Every write has reached the file when it returns. */
  flush(): void {
    this.opened();
  }

  blockingFlush(): void {
    this.opened();
  }

  writeZeroes(length: bigint): void {
    this.opened();
    if (length > this.#permitted) throw new Error("A write has more bytes than check-write permitted");
    this.write(new Uint8Array(Number(length)));
  }

  blockingWriteZeroesAndFlush(length: bigint): void {
    if (length > FLUSH_MAX) throw new Error(`A write that flushes has more than ${FLUSH_MAX} bytes`);
    this.#write(new Uint8Array(Number(length)));
  }

  splice(source: Pick<InputStream, "read">, length: bigint): bigint {
    const bytes = source.read(BigInt(within(length, Number(this.checkWrite()))));
    this.write(bytes);
    return BigInt(bytes.length);
  }

  blockingSplice(source: Pick<InputStream, "blockingRead">, length: bigint): bigint {
    this.subscribe().block();
    const bytes = source.blockingRead(BigInt(within(length, Number(this.checkWrite()))));
    this.write(bytes);
    return BigInt(bytes.length);
  }

  subscribe(): Pollable {
    return this.pollable(POLLOUT);
  }

  #write(contents: Uint8Array): void {
    const file = this.opened();
    for (let rest = contents; rest.length > 0; ) {
      // A driver that writes nothing would be asked for ever.
      const wrote = file.write(rest, this.#position) || -EIO;
      if (wrote < 0) {
        this.end();
        throw failed(wrote);
      }
      if (this.#position >= 0) this.#position += wrote;
      rest = rest.subarray(wrote);
    }
  }
}
