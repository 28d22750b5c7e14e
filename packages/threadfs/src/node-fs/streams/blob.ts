/**
 * `fs.openAsBlob` (https://nodejs.org/api/fs.html#fsopenasblobpath-options). Node's Blob reads its file when it is read, and fails if the
 * file has changed since. Only the host can make such a Blob, and it reads a Blob without calling its methods: in `structuredClone()`,
 * `new Blob([blob])`, `URL.createObjectURL()`. So this one is a Blob of the host with the contents that the file had, for the host;
 * its methods read the file, as Node's.
 */
import { bare } from "../../errors/bare.js";
import { codedError, ignoreError, invalidArgType } from "../../errors/errors.js";
import { toObject, toPath } from "../args.js";
import { copyOf } from "../arguments/views.js";
import type { FsSync, PathLike } from "../types.js";

type Calls = Pick<FsSync, "statSync" | "openSync" | "readSync" | "closeSync">;

/** Bytes of a chunk of a Blob's stream. */
const CHUNK = 64 * 1024;

function notReadable(): DOMException {
  return new DOMException("The blob could not be read", "NotReadableError");
}

/** A file as it was when the Blob was made. */
class File {
  readonly #calls: Calls;
  readonly #path: PathLike;
  readonly #mtime: bigint;
  readonly size: number;

  /** @throws system call errors of stat */
  constructor(calls: Calls, path: PathLike) {
    const { size, mtimeNs } = calls.statSync(path, { bigint: true });
    this.#calls = calls;
    this.#path = path;
    this.#mtime = mtimeNs;
    this.size = Number(size);
  }

  #isChanged(): boolean {
    const { size, mtimeNs } = this.#calls.statSync(this.#path, { bigint: true });
    return Number(size) !== this.size || mtimeNs !== this.#mtime;
  }

  /** The bytes from `start` to `end`. @throws DOMException NotReadableError: the file has changed, or cannot be read */
  read(start: number, end: number): Uint8Array<ArrayBuffer> {
    try {
      if (!this.#isChanged()) return this.#readNow(start, end);
    } catch (error) {
      // The reason is not told: a Blob's errors are those of the web.
      ignoreError(error);
    }
    throw notReadable();
  }

  #readNow(start: number, end: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(end - start);
    const fd = this.#calls.openSync(this.#path);
    try {
      const length = this.#calls.readSync(fd, bytes, 0, bytes.length, start);
      if (length === bytes.length) return bytes;
    } finally {
      this.#calls.closeSync(fd);
    }
    throw notReadable();
  }
}

/**
 * An index of `slice()`: the nearest integer, of two the even one, from the end if it is negative.
 * @throws TypeError for a value that is no number and does not become one
 */
function toIndex(value: unknown, name: string, size: number): number {
  if (typeof value === "bigint" || typeof value === "symbol") {
    const kind = typeof value === "bigint" ? "BigInt" : "Symbol";
    throw codedError(TypeError, "ERR_INVALID_ARG_TYPE", `${name} is a ${kind} and cannot be converted to a number.`);
  }
  // Unlike Number() this refuses an object whose value is a BigInt.
  const number = +(value as number);
  const below = Math.floor(number);
  const index = (number - below === 0.5 ? below + Math.abs(below % 2) : Math.round(number)) || 0;
  return index < 0 ? Math.max(size + index, 0) : Math.min(index, size);
}

/** A type given to `slice()`, as the web has it. */
function toType(value: unknown): string {
  const type = String(value);
  return /[^\x20-\x7e]/.test(type) ? "" : type.toLowerCase();
}

function streamOf(file: File, start: number, end: number): ReadableStream {
  let at = start;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      if (at < end) {
        const chunk = file.read(at, Math.min(at + CHUNK, end));
        at += chunk.length;
        controller.enqueue(chunk);
        return;
      }
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });
}

/** Made at its first use, because a host may have no Blob. */
function makeClass() {
  class FileBlob extends Blob {
    readonly #file: File;
    readonly #start: number;
    readonly #end: number;
    readonly #type: string;

    constructor(file: File, start: number, end: number, type: string, contents: BlobPart) {
      super([contents], bare({ type }));
      this.#file = file;
      this.#start = start;
      this.#end = end;
      this.#type = type;
    }

    override get size(): number {
      return this.#end - this.#start;
    }

    /** As it was given, while the web's is in lower case. */
    override get type(): string {
      return this.#type;
    }

    override slice(start: unknown = 0, end: unknown = this.size, type: unknown = ""): Blob {
      const from = toIndex(start, "start", this.size);
      const to = Math.max(from, toIndex(end, "end", this.size));
      const own = this.#start;
      return new FileBlob(this.#file, own + from, own + to, toType(type), super.slice(from, to));
    }

    override async arrayBuffer(): Promise<ArrayBuffer> {
      return this.#file.read(this.#start, this.#end).buffer;
    }

    override async bytes(): Promise<Uint8Array<ArrayBuffer>> {
      return this.#file.read(this.#start, this.#end);
    }

    override async text(): Promise<string> {
      return new TextDecoder().decode(this.#file.read(this.#start, this.#end));
    }

    override stream() {
      return streamOf(this.#file, this.#start, this.#end);
    }

    textStream() {
      return this.stream().pipeThrough(new TextDecoderStream());
    }
  }
  Object.defineProperty(FileBlob.prototype, "constructor", bare({ value: Blob, writable: true, configurable: true }));
  return FileBlob;
}

let made: ReturnType<typeof makeClass> | undefined;

function checkType(options: unknown): string {
  const type = toObject(options, "options").type || "";
  if (typeof type !== "string") throw invalidArgType("options.type", "of type string", type);
  return type;
}

/** @throws argument errors, system call errors of stat */
function open(calls: Calls, path: PathLike, type: string): Blob {
  if (typeof Blob !== "function") throw codedError(Error, "ERR_THREADFS_HOST", "This host has no Blob");
  made ??= makeClass();
  const checked = toPath(path);
  // A later change of the caller's bytes does not change the path.
  const file = new File(calls, typeof checked === "string" ? checked : copyOf(checked));
  return new made(file, 0, file.size, type, contentsOf(file));
}

/** What the host gets: of a directory, and of a file that cannot be read, nothing. As in Node, only reading such a Blob fails. */
function contentsOf(file: File): BlobPart {
  try {
    return file.read(0, file.size);
  } catch (error) {
    ignoreError(error);
    return "";
  }
}

/** The two calls of a surface. `calls`: its synchronous ones. */
export function makeBlobs(calls: Calls) {
  return {
    /** Throws in the caller's turn, as Node's. */
    openAsBlob: (path: PathLike, options: unknown = bare({})): Promise<Blob> =>
      Promise.resolve(open(calls, path, checkType(options))),
    openAsBlobSync: (path: PathLike, options: unknown = bare({})): Blob => open(calls, path, checkType(options)),
  };
}
