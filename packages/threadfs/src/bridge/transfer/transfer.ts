/**
 * The caller's data of a read or write that does not go through the scratch area. The core copies them in pieces, in order,
 * through the host's `copyFromUser` and `copyToUser`, within one call: so the call is one read or one write, with its locks
 * held from the first byte to the last.
 */

import * as ERRNO from "../../../abi/errno.js";
import { MAX_RW_COUNT } from "../../../abi/limits.js";
import type { SharedBytes } from "./copy.js";
import { BufferPool } from "./pool.js";

const NO_BUFFERS: readonly Uint8Array[] = [];
const NO_LENGTHS: readonly number[] = [];

/** The most bytes that a call transfers (MAX_RW_COUNT), of the bytes that buffers have. */
function sumOf(lengths: readonly number[]): number {
  let sum = 0;
  for (const length of lengths) sum += length;
  return Math.min(sum, MAX_RW_COUNT);
}

/** Where the contents of a whole file go, which the core knows when it has its first bytes. */
export interface FileSink {
  /** Takes the first bytes, where they lie in the memory; true: they are all, and nothing is to be copied. */
  take(from: number, bytes: number): boolean;
  /** Makes the buffer that all of them go to. */
  make(): Uint8Array;
}

export class Transfer {
  /** Makes buffers for contents. */
  readonly pool = new BufferPool();
  readonly #shared: SharedBytes;
  #buffers = NO_BUFFERS;
  /** The bytes that they had when the call began. A driver's hook may transfer a buffer away or resize it in the middle. */
  #lengths = NO_LENGTHS;
  #again: (() => readonly Uint8Array[]) | undefined;
  /** Where the next piece begins: a buffer, and an offset in it. */
  #next = 0;
  #offset = 0;
  #sink: FileSink | undefined;
  /** What that threw. */
  #failure: unknown;
  /** Where pieces of an arena go, each to its own address. */
  #image: Uint8Array | undefined;

  constructor(shared: SharedBytes) {
    this.#shared = shared;
  }

  /**
   * Makes a call of the core that transfers the bytes of these buffers, of which there are `length`, at most MAX_RW_COUNT.
   * @param again makes the buffers again after a driver's hook has let their memory grow, which takes it from views. Default: then the call fails with EFAULT
   */
  run(buffers: readonly Uint8Array[], call: (length: number) => number, again?: () => readonly Uint8Array[]): number {
    this.#buffers = buffers;
    this.#again = again;
    this.#lengths = buffers.map((buffer) => buffer.length);
    this.#next = 0;
    this.#offset = 0;
    try {
      return call(sumOf(this.#lengths));
    } finally {
      this.#buffers = NO_BUFFERS;
      this.#lengths = NO_LENGTHS;
      this.#again = undefined;
    }
  }

  /** Makes a call of the core that copies an arena out, to these bytes of another memory. */
  runImage(image: Uint8Array, call: () => number): number {
    this.#image = image;
    try {
      return call();
    } finally {
      this.#image = undefined;
    }
  }

  /** From here to {@link endFile} a call of the core copies to a sink. */
  beginFile(sink: FileSink): void {
    this.#sink = sink;
    this.#failure = undefined;
    this.#next = 0;
    this.#offset = 0;
  }

  /** Returns the buffer that was made, if one was. @throws what the sink threw */
  endFile(): Uint8Array | undefined {
    const [made] = this.#buffers;
    this.#sink = undefined;
    this.#buffers = NO_BUFFERS;
    this.#lengths = NO_LENGTHS;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    return made;
  }

  /** The host's `copyFromUser`. Returns 0 or -EFAULT. Never throws: an exception must not unwind the core in the middle of a write. */
  copyFromUser(to: number, bytes: number): number {
    try {
      for (let done = 0; done < bytes; ) {
        const buffer = this.#buffer();
        const length = this.#piece(bytes - done);
        if (length > 0) this.#shared.copyIn(to + done, length, buffer, this.#offset);
        done += length;
        this.#advance(length);
      }
      return 0;
    } catch {
      return -ERRNO.EFAULT;
    }
  }

  /**
   * The host's `copyToUser`; from address 0: zeros. `at`: where the bytes go in an image. Returns 0 or -EFAULT. Never throws.
   */
  copyToUser(from: number, bytes: number, at = 0): number {
    try {
      if (this.#image !== undefined) {
        // Throws where the image is too short: the arena has grown since it was made.
        this.#shared.copyOut(from, bytes, this.#image, at);
        return 0;
      }
      if (this.#sink !== undefined && this.#buffers.length === 0 && this.#begin(this.#sink, from, bytes)) return 0;
      for (let done = 0; done < bytes; ) {
        const buffer = this.#buffer();
        const length = this.#piece(bytes - done);
        if (length > 0 && from !== 0) this.#shared.copyOut(from + done, length, buffer, this.#offset);
        else if (length > 0) buffer.fill(0, this.#offset, this.#offset + length);
        done += length;
        this.#advance(length);
      }
      return 0;
    } catch {
      return -ERRNO.EFAULT;
    }
  }

  /** The buffer of the next piece. @throws RangeError if there is none, or it has become shorter */
  #buffer(): Uint8Array {
    const buffer = this.#buffers[this.#next];
    if (buffer === undefined) throw new RangeError("no buffer is left");
    if (buffer.length >= this.#length()) return buffer;
    this.#buffers = this.#again?.() ?? NO_BUFFERS;
    const made = this.#buffers[this.#next];
    if (made === undefined || made.length < this.#length()) throw new RangeError("a buffer is shorter than it was");
    return made;
  }

  /** Offers a sink the first bytes; if it does not take them, has it make its buffer. */
  #begin(sink: FileSink, from: number, bytes: number): boolean {
    try {
      if (sink.take(from, bytes)) return true;
      const buffer = sink.make();
      this.#buffers = [buffer];
      this.#lengths = [buffer.length];
      return false;
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** The length that the buffer of the next piece had. */
  #length(): number {
    return this.#lengths[this.#next] ?? 0;
  }

  /** How many of `left` bytes the buffer of the next piece takes. */
  #piece(left: number): number {
    return Math.min(this.#length() - this.#offset, left);
  }

  #advance(length: number): void {
    this.#offset += length;
    if (this.#offset < this.#length()) return;
    this.#next++;
    this.#offset = 0;
  }
}
