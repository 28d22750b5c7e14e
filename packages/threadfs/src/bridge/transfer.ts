/**
 * The caller's data of a read or write of more than IO_SIZE bytes. The core copies them in pieces, in order, through the
 * host's `copyFromUser` and `copyToUser`, within one call: so the call is one read or one write, with its locks held from
 * the first byte to the last.
 */

import * as ERRNO from "../../abi/errno.js";

export class Transfer {
  readonly #io: Uint8Array<SharedArrayBuffer>;
  #buffers: readonly Uint8Array[] = [];
  /** Where the next piece begins: a buffer, and an offset in it. */
  #next = 0;
  #offset = 0;

  /** @param io the part of the scratch area through which all pieces go */
  constructor(io: Uint8Array<SharedArrayBuffer>) {
    this.#io = io;
  }

  /** Makes a call of the core that transfers the bytes of these buffers. */
  run(buffers: readonly Uint8Array[], call: () => number): number {
    this.#buffers = buffers;
    this.#next = 0;
    this.#offset = 0;
    try {
      return call();
    } finally {
      this.#buffers = [];
    }
  }

  /** The host's `copyFromUser`. Returns 0 or -EFAULT. */
  copyFromUser(bytes: number): number {
    return this.#copy(bytes, (part, at) => this.#io.set(part, at));
  }

  /** The host's `copyToUser`. Returns 0 or -EFAULT. */
  copyToUser(bytes: number): number {
    return this.#copy(bytes, (part, at) => part.set(this.#io.subarray(at, at + part.length)));
  }

  /** Never throws, because an exception must not unwind the core in the middle of a write. */
  #copy(bytes: number, copyPart: (part: Uint8Array, at: number) => void): number {
    try {
      for (let at = 0; at < bytes; ) {
        const buffer = this.#next < this.#buffers.length ? this.#buffers[this.#next] : undefined;
        if (buffer === undefined) return -ERRNO.EFAULT;
        const part = buffer.subarray(this.#offset, this.#offset + bytes - at);
        copyPart(part, at);
        at += part.length;
        this.#offset += part.length;
        if (this.#offset < buffer.length) continue;
        this.#next++;
        this.#offset = 0;
      }
      return 0;
    } catch {
      return -ERRNO.EFAULT;
    }
  }
}
