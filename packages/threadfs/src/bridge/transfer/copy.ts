/**
 * Copies between the shared memory and a caller's buffer.
 *
 * `TypedArray.prototype.set` copies to and from shared memory in atomic words, or in bytes where the two addresses differ in
 * their last three bits: measured at 64 KiB in Node 20, 2.3 us and 17.8 us. `Buffer.prototype.fill` with bytes of the same
 * length copies as between private buffers, in 1.3 us at any address, and in Node 26 so does `Buffer.prototype.copy`
 * (the bench "contents" measures what comes of it). Whoever calls these holds what keeps others from the bytes.
 */
import { bufferClass, nodeMajor } from "../node.js";
import type { SharedMemory } from "../wasm.js";

/** The shared memory as bytes, for copies. */
export interface SharedBytes {
  /** Copies `length` bytes at an address to `into`, from its byte `at` on. @throws where either has fewer */
  copyOut(from: number, length: number, into: Uint8Array, at: number): void;
  /** Copies `length` bytes of `from`, from its byte `at` on, to an address. @throws where either has fewer */
  copyIn(to: number, length: number, from: Uint8Array, at: number): void;
}

/** From this many bytes on `fill` is faster than `set`. */
const FILL_FROM = 2048;
/** From this version on `Buffer.prototype.copy` does not copy by `set`. */
const FAST_COPY = 26;

type Bytes = Uint8Array<SharedArrayBuffer>;

/** `length` bytes of a view as a view, which runs no code of a subclass. @throws RangeError */
function part(view: Uint8Array, at: number, length: number): Uint8Array {
  if (at === 0 && length === view.length) return view;
  if (at + length > view.length) throw new RangeError("a buffer is shorter than it was");
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}

class BySet implements SharedBytes {
  readonly #memory: SharedMemory;
  protected bytes: Bytes;

  constructor(memory: SharedMemory) {
    this.#memory = memory;
    this.bytes = this.view();
  }

  /** Of the memory as far as it has grown. */
  protected view(): Bytes {
    return new Uint8Array(this.#memory.buffer as SharedArrayBuffer);
  }

  /** A view of part of the memory, which may have grown. @throws RangeError outside of the memory */
  protected shared(at: number, length: number): Bytes {
    if (at + length > this.bytes.length) this.bytes = this.view();
    return new Uint8Array(this.bytes.buffer, at, length);
  }

  copyOut(from: number, length: number, into: Uint8Array, at: number): void {
    into.set(this.shared(from, length), at);
  }

  copyIn(to: number, length: number, from: Uint8Array, at: number): void {
    this.shared(to, length).set(part(from, at, length));
  }
}

class ByFill extends BySet {
  readonly #fill: (value: Uint8Array, offset: number, end: number) => unknown;

  constructor(memory: SharedMemory, buffers: typeof Buffer) {
    super(memory);
    this.#fill = buffers.prototype.fill;
  }

  override copyOut(from: number, length: number, into: Uint8Array, at: number): void {
    if (length < FILL_FROM) super.copyOut(from, length, into, at);
    else this.#fill.call(into, this.shared(from, length), at, at + length);
  }

  override copyIn(to: number, length: number, from: Uint8Array, at: number): void {
    if (length < FILL_FROM) super.copyIn(to, length, from, at);
    else this.#fill.call(this.shared(to, length), part(from, at, length), 0, length);
  }
}

class ByCopy extends BySet {
  readonly #copy: (into: Uint8Array, to: number, from: number, end: number) => number;

  constructor(memory: SharedMemory, buffers: typeof Buffer) {
    super(memory);
    this.#copy = buffers.prototype.copy;
  }

  override copyOut(from: number, length: number, into: Uint8Array, at: number): void {
    // Buffer.copy() copies what there is room for.
    if (at + length > into.length) throw new RangeError("a buffer is shorter than it was");
    this.#copy.call(this.shared(from, length), into, at, 0, length);
  }

  override copyIn(to: number, length: number, from: Uint8Array, at: number): void {
    if (at + length > from.length) throw new RangeError("a buffer is shorter than it was");
    this.#copy.call(from, this.shared(to, length), 0, at, at + length);
  }
}

/** The fastest copies that this host has. */
export function sharedBytes(memory: SharedMemory): SharedBytes {
  const buffers = bufferClass();
  const major = nodeMajor();
  if (major === undefined || buffers === undefined) return new BySet(memory);
  return major >= FAST_COPY ? new ByCopy(memory, buffers) : new ByFill(memory, buffers);
}
