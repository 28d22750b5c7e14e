/** Collects the records of a snapshot in blocks. */

import { crc32 } from "./crc32.js";
import {
  type Attributes,
  BLOCK_BYTES,
  BLOCK_HEADER_BYTES,
  BLOCK_MAX,
  FORMAT_VERSION,
  HEADER_BYTES,
  MAGIC,
  RECORD_HEADER_BYTES,
} from "./format.js";

export function headerBytes(): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header.set(MAGIC);
  new DataView(header.buffer).setUint32(MAGIC.length, FORMAT_VERSION, true);
  return header;
}

/** Puts numbers and bytes into the present block. A record is begun, filled and ended. */
export class BlockWriter {
  readonly #bytes = new Uint8Array(BLOCK_HEADER_BYTES + BLOCK_MAX);
  readonly #view = new DataView(this.#bytes.buffer);
  #at = BLOCK_HEADER_BYTES;
  #record = 0;

  /** Whether the block is to be taken before the next record. */
  get isFull(): boolean {
    return this.#at >= BLOCK_HEADER_BYTES + BLOCK_BYTES;
  }

  begin(type: number): this {
    this.#record = this.#at;
    this.#bytes[this.#at] = type;
    this.#at += RECORD_HEADER_BYTES;
    return this;
  }

  end(): void {
    this.#view.setUint32(this.#record + 1, this.#at - this.#record - RECORD_HEADER_BYTES, true);
  }

  u8(value: number): this {
    this.#bytes[this.#at++] = value;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }

  f64(value: number): this {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  attributes({ mode, uid, gid, atime, mtime, ctime, birthtime }: Attributes): this {
    this.u32(mode).u32(uid).u32(gid);
    for (const { sec, nsec } of [atime, mtime, ctime, birthtime]) this.f64(sec).u32(nsec);
    return this;
  }

  /** The block, as bytes of its own, with its header. The next one begins. */
  take(): Uint8Array {
    const block = this.#bytes.slice(0, this.#at);
    const view = new DataView(block.buffer);
    view.setUint32(0, block.length - BLOCK_HEADER_BYTES, true);
    view.setUint32(4, crc32(block.subarray(BLOCK_HEADER_BYTES)), true);
    this.#at = BLOCK_HEADER_BYTES;
    return block;
  }
}
