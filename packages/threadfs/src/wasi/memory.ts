/**
 * The memory of the program: reading and writing it. An address that is not in it is an error of the call, never an exception.
 *
 * The views are made anew when an address is behind them: a memory that is not shared and has grown has detached its old views, whose length then is 0; one that is shared has
 * grown for other threads' views too, which show its old part.
 */
import { codedError } from "../errors/errors.js";
import type { ProgramMemory } from "./types.js";

/** The most bytes that one call transfers. */
const TRANSFER_MAX = 0x7ffff000;
/** The most buffers that one call has, as Linux's IOV_MAX. */
export const IOV_MAX = 1024;
/** Copies of no more bytes are made word by word: a view costs more. */
export const SHORT = 128;
const TWO_32 = 2 ** 32;

export class Memory {
  #memory: ProgramMemory | undefined;
  bytes = new Uint8Array(0);
  view = new DataView(new ArrayBuffer(0));
  /** After {@link readVectors}: address and length of each of `count` buffers, and the bytes of all. */
  readonly starts = new Float64Array(IOV_MAX);
  readonly lengths = new Float64Array(IOV_MAX);
  count = 0;
  total = 0;

  bind(memory: ProgramMemory): void {
    this.#memory = memory;
    this.#renew();
  }

  get isBound(): boolean {
    return this.#memory !== undefined;
  }

  #renew(): void {
    if (this.#memory === undefined) throw codedError(Error, "ERR_WASI_NOT_STARTED", "The program has no memory yet");
    const { buffer } = this.#memory;
    this.bytes = new Uint8Array(buffer as ArrayBuffer);
    this.view = new DataView(buffer as ArrayBuffer);
  }

  /** Whether `length` bytes at an address are in the memory. */
  has(address: number, length: number): boolean {
    if (address + length <= this.bytes.length) return true;
    this.#renew();
    return address + length <= this.bytes.length;
  }

  u32(address: number): number {
    return this.view.getUint32(address, true);
  }

  /** A hook of a driver, during a call, may have grown the memory. */
  refresh(): void {
    if (this.bytes.length === 0) this.#renew();
  }

  setU32(address: number, value: number): void {
    this.refresh();
    this.view.setUint32(address, value, true);
  }

  /** Writes an integer of 0 to 2^53. */
  setU64(address: number, value: number): void {
    this.refresh();
    // It takes the low 32 bits of an integer, and what is before the point of a fraction.
    this.view.setUint32(address, value, true);
    this.view.setUint32(address + 4, value / TWO_32, true);
  }

  /** Writes a time in nanoseconds, which a double does not hold exactly. */
  setTime(address: number, seconds: number, nanoseconds: number): void {
    if (seconds < 0) {
      this.view.setBigInt64(address, BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds), true);
      return;
    }
    const upper = Math.floor(seconds / 65_536) * 1e9;
    const lower = (upper & 0xffff) * 65_536 + (seconds & 0xffff) * 1e9 + nanoseconds;
    this.view.setUint32(address, lower, true);
    this.view.setUint32(address + 4, Math.floor(upper / 65_536) + Math.floor(lower / TWO_32), true);
  }

  /** Copies bytes of the program to the start of an area, of which these are the words. The caller has checked the address. */
  copyTo(into: Uint8Array, words: Int32Array, address: number, length: number): void {
    if (length > SHORT) {
      into.set(this.bytes.subarray(address, address + length));
      return;
    }
    this.copyShort(into, words, 0, address, length);
  }

  /** The same to a place in the area, word by word as far as that goes: for short copies. */
  copyShort(into: Uint8Array, words: Int32Array, to: number, address: number, length: number): void {
    const { bytes, view } = this;
    const whole = (to & 3) === 0 ? length & ~3 : 0;
    for (let i = 0; i < whole; i += 4) words[(to + i) >> 2] = view.getInt32(address + i, true);
    for (let i = whole; i < length; i++) into[to + i] = bytes[address + i] as number;
  }

  /** Copies from a place in an area to the program, word by word as far as that goes: for short copies. */
  copyShortOut(from: Uint8Array, words: Int32Array, at: number, address: number, length: number): void {
    const { bytes, view } = this;
    const whole = (at & 3) === 0 ? length & ~3 : 0;
    const first = at >> 2;
    let i = 0;
    for (const fours = whole & ~15; i < fours; i += 16) {
      const word = first + (i >> 2);
      view.setInt32(address + i, words[word] as number, true);
      view.setInt32(address + i + 4, words[word + 1] as number, true);
      view.setInt32(address + i + 8, words[word + 2] as number, true);
      view.setInt32(address + i + 12, words[word + 3] as number, true);
    }
    for (; i < whole; i += 4) view.setInt32(address + i, words[first + (i >> 2)] as number, true);
    for (; i < length; i++) bytes[address + i] = from[at + i] as number;
  }

  /**
   * Reads the vector of buffers of a call: false if it, or one of the buffers, is not in the memory. No more than TRANSFER_MAX bytes of them
   * count.
   */
  readVectors(address: number, count: number): boolean {
    let total = 0;
    let n = 0;
    if (!this.has(address, count * 8)) return false;
    for (let i = 0; i < count; i++) {
      const start = this.u32(address + i * 8);
      const length = this.u32(address + i * 8 + 4);
      if (!this.has(start, length)) return false;
      const taken = Math.min(length, TRANSFER_MAX - total);
      if (taken === 0) continue;
      this.starts[n] = start;
      this.lengths[n++] = taken;
      total += taken;
    }
    this.count = n;
    this.total = total;
    return true;
  }

  /** The buffers of {@link readVectors} as views. */
  buffers(): Uint8Array[] {
    return Array.from({ length: this.count }, (_, i) => {
      const start = this.starts[i] as number;
      return this.bytes.subarray(start, start + (this.lengths[i] as number));
    });
  }
}
