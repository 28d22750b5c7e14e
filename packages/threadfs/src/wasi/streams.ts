/** Standard input, output and error that are not files of the tree: functions, and those of the host. */
import { nodeModule, nodeProcess } from "../bridge/node.js";

/** Gives the next bytes of an input: at most `size`; none at its end. @throws whatever is to end the program */
export type InputFunction = (size: number) => Uint8Array | string | null | undefined;
/** Takes bytes of an output, a copy that it may keep. */
export type OutputFunction = (bytes: Uint8Array) => void;

/** A stream of the host. */
export interface Stream {
  /** It has nothing to read, and never will. */
  readonly isEmpty?: boolean;
  /** Fills the buffers. Returns the bytes read, 0: the end. */
  read(into: readonly Uint8Array[]): number;
  write(bytes: Uint8Array): void;
}

export const NO_STREAM: Stream = { isEmpty: true, read: () => 0, write: () => {} };

/** An input of a function. What it gives and the program has no room for is kept for the next read. */
export class FunctionInput implements Stream {
  readonly #next: InputFunction;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(next: InputFunction) {
    this.#next = next;
  }

  read(into: readonly Uint8Array[]): number {
    let room = 0;
    for (const { length } of into) room += length;
    if (room === 0) return 0;
    if (this.#rest.length === 0) {
      const given = this.#next(room);
      if (given === null || given === undefined) return 0;
      this.#rest = typeof given === "string" ? new TextEncoder().encode(given) : given;
    }
    let done = 0;
    for (const buffer of into) {
      const part = this.#rest.subarray(0, buffer.length);
      buffer.set(part);
      this.#rest = this.#rest.subarray(part.length);
      done += part.length;
    }
    return done;
  }

  write(): void {}
}

export class FunctionOutput implements Stream {
  readonly #take: OutputFunction;

  constructor(take: OutputFunction) {
    this.#take = take;
  }

  read(): number {
    return 0;
  }

  write(bytes: Uint8Array): void {
    this.#take(bytes);
  }
}

/** The calls of `node:fs` that standard streams need. */
interface HostFs {
  readSync(fd: number, into: Uint8Array): number;
  writeSync(fd: number, from: Uint8Array, offset: number): number;
}

const AGAIN_MS = 5;

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

  read(into: readonly Uint8Array[]): number {
    const first = into.find(({ length }) => length > 0);
    if (first === undefined) return 0;
    // Bytes of their own: the host's calls do not take all kinds of shared memory.
    const bytes = new Uint8Array(first.length);
    try {
      const got = this.#again(() => this.#fs.readSync(this.#fd, bytes));
      first.set(bytes.subarray(0, got));
      return got;
    } catch (error) {
      if ((error as { code?: unknown }).code === "EOF") return 0;
      throw error;
    }
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += this.#again(() => this.#fs.writeSync(this.#fd, bytes, done));
  }
}

/** What is printed where there is a console alone: a line for each line. */
class ConsoleStream implements Stream {
  readonly #print: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #line = "";

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  read(): number {
    return 0;
  }

  write(bytes: Uint8Array): void {
    const lines = (this.#line + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) this.#print(line);
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
