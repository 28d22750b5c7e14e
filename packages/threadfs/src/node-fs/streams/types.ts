/**
 * The types of streams and blobs. Where the program has @types/node they are Node's own, which `process.getBuiltinModule` leads to without
 * an import: so a stream of a tree can be passed wherever Node's types ask for a stream.
 */
import type { Bytes, Encoding, Mode, PathLike } from "../types.js";

/** The module `node:fs` by the types of the program's @types/node, 20.16 and newer; never where there are none. */
export type NodeFs = typeof globalThis extends {
  process: { getBuiltinModule: { (id: infer _Id): infer M; (id: string): object | undefined } };
}
  ? Extract<M, { createReadStream: unknown; ReadStream: unknown }>
  : never;

type Listener = (...args: never[]) => void;

/** What both streams have. A program without @types/node that needs more knows its own module of streams. */
interface FileStream {
  /** As it was given; undefined for a stream on a descriptor. */
  readonly path: PathLike;
  /** The descriptor; null before it is open, and after it is closed. */
  readonly fd: number | null;
  /** Whether the file is not open yet. */
  readonly pending: boolean;
  readonly destroyed: boolean;
  on(event: string | symbol, listener: Listener): this;
  once(event: string | symbol, listener: Listener): this;
  off(event: string | symbol, listener: Listener): this;
  emit(event: string | symbol, ...args: unknown[]): boolean;
  close(callback?: (error?: Error | null) => void): void;
  destroy(error?: Error): this;
}

/** A stream of `fs.createReadStream` for a program without @types/node. */
interface FileReader extends FileStream {
  readonly bytesRead: number;
  readonly readable: boolean;
  read(size?: number): string | Bytes | null;
  pause(): this;
  resume(): this;
  pipe<T extends object>(destination: T, options?: { end?: boolean | undefined }): T;
  setEncoding(encoding: Encoding): this;
  [Symbol.asyncIterator](): AsyncIterableIterator<string | Bytes>;
}

/** A stream of `fs.createWriteStream` for a program without @types/node. */
interface FileWriter extends FileStream {
  readonly bytesWritten: number;
  readonly writable: boolean;
  write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean;
  write(chunk: string | Uint8Array, encoding: Encoding, callback?: (error?: Error | null) => void): boolean;
  end(callback?: () => void): this;
  end(chunk: string | Uint8Array, callback?: () => void): this;
  cork(): void;
  uncork(): void;
}

interface StreamOptions {
  flags?: string | undefined;
  encoding?: Encoding | undefined;
  fd?: number | undefined;
  mode?: Mode | undefined;
  autoClose?: boolean | undefined;
  emitClose?: boolean | undefined;
  start?: number | undefined;
  highWaterMark?: number | undefined;
  /** Calls in place of the tree's. */
  fs?: object | null | undefined;
}
interface ReaderOptions extends StreamOptions {
  end?: number | undefined;
}
interface WriterOptions extends StreamOptions {
  flush?: boolean | undefined;
}

/** The exports that make streams, for a program without @types/node. */
interface Streams {
  createReadStream(path: PathLike, options?: Encoding | ReaderOptions | null): FileReader;
  createWriteStream(path: PathLike, options?: Encoding | WriterOptions | null): FileWriter;
  ReadStream: new (path: PathLike, options?: Encoding | ReaderOptions | null) => FileReader;
  WriteStream: new (path: PathLike, options?: Encoding | WriterOptions | null) => FileWriter;
}

/** A stream of text, or of bytes, for logs (https://nodejs.org/api/fs.html#class-fsutf8stream). Node's types do not have it yet. */
interface Utf8Stream {
  readonly append: boolean;
  readonly contentMode: "utf8" | "buffer";
  readonly fd: number;
  readonly file: string | null;
  readonly fsync: boolean;
  readonly maxLength: number;
  readonly minLength: number;
  readonly mkdir: boolean;
  readonly mode: Mode | undefined;
  readonly periodicFlush: number;
  readonly sync: boolean;
  readonly writing: boolean;
  on(event: string | symbol, listener: Listener): this;
  once(event: string | symbol, listener: Listener): this;
  off(event: string | symbol, listener: Listener): this;
  write(data: string | Bytes): boolean;
  flush(callback?: (error?: Error | null) => void): void;
  flushSync(): void;
  reopen(file?: string): void;
  end(): void;
  destroy(): void;
}
interface Utf8StreamOptions {
  append?: boolean | undefined;
  contentMode?: "utf8" | "buffer" | undefined;
  dest?: string | undefined;
  fd?: number | undefined;
  fs?: object | undefined;
  fsync?: boolean | undefined;
  maxLength?: number | undefined;
  maxWrite?: number | undefined;
  minLength?: number | undefined;
  mkdir?: boolean | undefined;
  mode?: Mode | undefined;
  periodicFlush?: number | undefined;
  retryEAGAIN?: ((error: Error, writing: number, waiting: number) => boolean) | undefined;
  sync?: boolean | undefined;
}

/** Node's types for the same exports, which take a path as bytes too. */
type HostStreams = [NodeFs] extends [never]
  ? Streams
  : NodeFs extends {
        createReadStream: (path: never, options?: infer ReaderOptions) => infer Reader;
        createWriteStream: (path: never, options?: infer WriterOptions) => infer Writer;
        ReadStream: infer ReadStream;
        WriteStream: infer WriteStream;
      }
    ? {
        createReadStream(path: PathLike, options?: ReaderOptions): Reader;
        createWriteStream(path: PathLike, options?: WriterOptions): Writer;
        ReadStream: ReadStream;
        WriteStream: WriteStream;
      }
    : Streams;

/** The Blob of the program's types. */
type HostBlob = typeof globalThis extends { Blob: { new (...args: never[]): infer B } } ? B : object;
interface BlobOptions {
  type?: string | undefined;
}

/** The exports of `node:fs` for streams and blobs. */
export type StreamExports = HostStreams & {
  readonly Utf8Stream: new (options: Utf8StreamOptions) => Utf8Stream;
  openAsBlob(path: PathLike, options?: BlobOptions): Promise<HostBlob>;
  openAsBlobSync(path: PathLike, options?: BlobOptions): HostBlob;
  FileReadStream: HostStreams["ReadStream"];
  FileWriteStream: HostStreams["WriteStream"];
};
