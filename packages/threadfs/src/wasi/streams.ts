/** Standard input, output and error that are not files of the tree: functions, and those of the host. */
import { IO_SIZE } from "../../abi/limits.js";
import { nodeModule, nodeProcess } from "../bridge/node.js";
import { invalidArgType } from "../errors/errors.js";
import { WASI_ERRNO } from "../errors/wasi-errno.js";

/** Gives the next bytes of an input: at most `size`; none at its end. @throws whatever is to end the program */
export type InputFunction = (size: number) => Uint8Array | string | null | undefined;
/** Takes bytes of an output, a copy that it may keep. */
export type OutputFunction = (bytes: Uint8Array) => void;

/** A stream of the host. */
export interface Stream {
  /** It has nothing to read, and never will. */
  readonly isEmpty?: boolean;
  /** The next bytes, at most so many; none: the end. Or a negative error of WASI. */
  read(size: number): Uint8Array | number;
  /** Returns how many bytes it has written, or a negative error of WASI. */
  write(bytes: Uint8Array): number;
  /** The program has ended. */
  end?(): void;
}

const NOTHING = /* @__PURE__ */ new Uint8Array(0);

export const NO_STREAM: Stream = { isEmpty: true, read: () => NOTHING, write: ({ length }) => length };

/** An input of a function. What it gives and the program has no room for is kept for the next read. */
export class FunctionInput implements Stream {
  readonly #next: InputFunction;
  #rest: Uint8Array = NOTHING;

  constructor(next: InputFunction) {
    this.#next = next;
  }

  /** @throws TypeError ERR_INVALID_ARG_TYPE if the function gives something else than bytes or a string */
  read(size: number): Uint8Array {
    if (size === 0) return NOTHING;
    if (this.#rest.length === 0) this.#rest = this.#given(size);
    const part = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }

  #given(size: number): Uint8Array {
    const given: unknown = this.#next(size);
    if (given === null || given === undefined) return NOTHING;
    if (typeof given === "string") return new TextEncoder().encode(given);
    if (given instanceof Uint8Array) return given;
    throw invalidArgType("options.stdin()", "of type string or an instance of Uint8Array", given);
  }

  write({ length }: Uint8Array): number {
    return length;
  }
}

export class FunctionOutput implements Stream {
  readonly #take: OutputFunction;

  constructor(take: OutputFunction) {
    this.#take = take;
  }

  read(): Uint8Array {
    return NOTHING;
  }

  write(bytes: Uint8Array): number {
    const { length } = bytes;
    this.#take(bytes);
    return length;
  }
}

/** The calls of `node:fs` that standard streams need. */
interface HostFs {
  readSync(fd: number, into: Uint8Array): number;
  writeSync(fd: number, from: Uint8Array, offset: number): number;
}

const AGAIN_MS = 5;

/** What an error of a call of the host is in WASI, negative. @throws what is no such error */
function hostError(error: unknown): number {
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  if (typeof errno !== "number") throw error;
  return -((WASI_ERRNO as Record<string, number>)[String(code)] ?? WASI_ERRNO.EIO);
}

/** A standard stream of the process. */
class ProcessStream implements Stream {
  readonly #fs: HostFs;
  readonly #fd: number;

  constructor(fs: HostFs, fd: number) {
    this.#fs = fs;
    this.#fd = fd;
  }

  /** The host may have made the stream non-blocking: then it is waited for. */
  #again<R>(call: () => R): R {
    for (;;) {
      try {
        return call();
      } catch (error) {
        if ((error as { code?: unknown }).code !== "EAGAIN") throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
      }
    }
  }

  read(size: number): Uint8Array | number {
    if (size === 0) return NOTHING;
    // Bytes of their own: the host's calls do not take all kinds of shared memory.
    const bytes = new Uint8Array(Math.min(size, IO_SIZE));
    try {
      return bytes.subarray(
        0,
        this.#again(() => this.#fs.readSync(this.#fd, bytes)),
      );
    } catch (error) {
      return (error as { code?: unknown }).code === "EOF" ? NOTHING : hostError(error);
    }
  }

  write(bytes: Uint8Array): number {
    let done = 0;
    try {
      while (done < bytes.length) done += this.#again(() => this.#fs.writeSync(this.#fd, bytes, done));
    } catch (error) {
      // What has been written before has been written.
      if (done === 0) return hostError(error);
    }
    return done;
  }
}

/** What is printed where there is a console alone: a line for each line, and what is behind the last one when the program ends. */
export class ConsoleStream implements Stream {
  readonly #print: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #line = "";

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  read(): Uint8Array {
    return NOTHING;
  }

  write(bytes: Uint8Array): number {
    const lines = (this.#line + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) this.#print(line);
    return bytes.length;
  }

  end(): void {
    const rest = this.#line + this.#decoder.decode();
    this.#line = "";
    if (rest !== "") this.#print(rest);
  }
}

/** The host's stream of a number: that of the process, or in a browser the console. */
export function hostStream(fd: number): Stream {
  if (nodeProcess() !== undefined) return new ProcessStream(nodeModule("node:fs") as unknown as HostFs, fd);
  if (fd === 0) return NO_STREAM;
  const { console } = globalThis as { console?: { log(text: string): void; error(text: string): void } };
  if (console === undefined) return NO_STREAM;
  return new ConsoleStream((line) => (fd === 1 ? console.log(line) : console.error(line)));
}
