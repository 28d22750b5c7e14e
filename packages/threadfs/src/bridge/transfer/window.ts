/** The part of the scratch area for contents, as a window through which short reads and writes go; and strings of shared memory. */
import { bufferClass, nodeModule } from "../node.js";
import type { SharedMemory } from "../wasm.js";
import type { SharedBytes } from "./copy.js";

/** From this many bytes on it pays to ask whether they are ASCII: such a string is made in two thirds of the time. */
const ASCII_FROM = 2048;

export class Window {
  readonly #shared: SharedBytes;
  readonly #memory: SharedMemory;
  readonly #address: number;
  readonly #length: number;
  /** The memory, as far as it has grown, as a Buffer, whose strings are made without a copy; undefined where there are none. */
  #buffer: Buffer | undefined;
  /** The bytes as words. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #isAscii: ((bytes: Uint8Array) => boolean) | undefined;

  /** @param address of its `length` bytes */
  constructor(shared: SharedBytes, memory: SharedMemory, address: number, length: number) {
    this.#shared = shared;
    this.#memory = memory;
    this.#address = address;
    this.#length = length;
    this.#buffer = this.#wholeMemory();
    this.words = new Int32Array(memory.buffer as SharedArrayBuffer, address, length >> 2);
    this.#isAscii = nodeModule("node:buffer")?.isAscii;
  }

  #wholeMemory(): Buffer | undefined {
    return bufferClass()?.from(this.#memory.buffer as SharedArrayBuffer);
  }

  /** Copies the first `length` bytes to the beginning of a buffer. @throws RangeError if it has fewer */
  copyOut(length: number, into: Uint8Array): void {
    if (length > 0) this.#shared.copyOut(this.#address, length, into, 0);
  }

  /** Copies a buffer to the beginning. @throws RangeError if it has more bytes */
  copyIn(from: Uint8Array): void {
    if (from.length > this.#length) throw new RangeError("more bytes than the window has");
    if (from.length > 0) this.#shared.copyIn(this.#address, from.length, from, 0);
  }

  /** The string of which the first `length` bytes are the UTF-8; undefined where the host cannot make one of shared memory. */
  text(length: number): string | undefined {
    return this.textAt(this.#address, length);
  }

  /** The same of bytes anywhere in the memory. The caller keeps other threads from them. */
  textAt(address: number, length: number): string | undefined {
    const end = address + length;
    if (this.#buffer !== undefined && end > this.#buffer.length) this.#buffer = this.#wholeMemory();
    const buffer = this.#buffer;
    if (buffer === undefined) return undefined;
    const ascii = length >= ASCII_FROM && this.#isAscii?.(buffer.subarray(address, end)) === true;
    return buffer.toString(ascii ? "latin1" : "utf8", address, end);
  }
}
