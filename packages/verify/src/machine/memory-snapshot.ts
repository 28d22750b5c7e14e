/** A state of a memory that can be restored: a copy, and the list of grains that were written since. */

/** Bytes restored as one. */
const GRAIN_SHIFT = 10;
const GRAIN = 1 << GRAIN_SHIFT;

export class MemorySnapshot {
  readonly memory: Uint8Array;
  readonly bytes: number;
  image: Uint8Array = new Uint8Array(0);
  /** By grain: whether it was written. */
  readonly dirty: Uint8Array;
  /** The dirty grains. */
  readonly list: number[] = [];

  /** @param bytes how much of it is kept */
  constructor(memory: Uint8Array, bytes: number) {
    this.memory = memory;
    this.bytes = bytes;
    this.dirty = new Uint8Array((memory.length >>> GRAIN_SHIFT) + 2);
  }

  /** The present state is the one that restore() restores. */
  take(): void {
    this.image = this.memory.slice(0, this.bytes);
    this.dirty.fill(0);
    this.list.length = 0;
  }

  restore(): void {
    const { memory, image, dirty, list } = this;
    for (const n of list) {
      const from = n << GRAIN_SHIFT;
      if (from < this.bytes) memory.set(image.subarray(from, from + GRAIN), from);
      dirty[n] = 0;
    }
    list.length = 0;
  }

  /** Must be called before a store to `address`. */
  willWrite(address: number, length: number): void {
    for (let n = address >>> GRAIN_SHIFT; n <= (address + length - 1) >>> GRAIN_SHIFT; n++) {
      if (this.dirty[n] !== 0) continue;
      this.dirty[n] = 1;
      this.list.push(n);
    }
  }
}
