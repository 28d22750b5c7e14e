/** A state of a memory to go back to: a copy, and which grains of it have been written since. */

/** Bytes restored as one. */
const GRAIN_SHIFT = 10;
const GRAIN = 1 << GRAIN_SHIFT;

export class MemorySnapshot {
  /** @param {Uint8Array} memory @param {number} bytes how much of it is kept */
  constructor(memory, bytes) {
    this.memory = memory;
    this.bytes = bytes;
    this.image = new Uint8Array(0);
    this.dirty = new Uint8Array((memory.length >>> GRAIN_SHIFT) + 2);
    /** @type {number[]} */
    this.list = [];
  }

  /** The present state is the one to go back to. */
  take() {
    this.image = this.memory.slice(0, this.bytes);
    this.dirty.fill(0);
    this.list.length = 0;
  }

  restore() {
    const { memory, image, dirty, list } = this;
    for (const n of list) {
      const from = n << GRAIN_SHIFT;
      if (from < this.bytes) memory.set(image.subarray(from, from + GRAIN), from);
      dirty[n] = 0;
    }
    list.length = 0;
  }

  /** To be told before a store to `address`. */
  willWrite(address, length) {
    for (let n = address >>> GRAIN_SHIFT; n <= (address + length - 1) >>> GRAIN_SHIFT; n++) {
      if (this.dirty[n] !== 0) continue;
      this.dirty[n] = 1;
      this.list.push(n);
    }
  }
}
