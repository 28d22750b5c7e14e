/** Memory for the contents of small files. */
import { bufferClass, nodeMajor, nodeModule } from "../node.js";

/** Bytes of memory that small buffers share: `Buffer.poolSize` of Node 26. Before it was 8 KiB. */
const POOL_SIZE = 65536;

/**
 * Makes buffers, uninitialized where possible, of which those of less than 32 KiB share memory, as those of Node 26's readFile: memory of its
 * own costs a small buffer more time than its contents. The host's modules are looked up when it is made: during a call a program may
 * forbid that.
 */
export class BufferPool {
  /** Whether the host's own pool will not do. */
  readonly #isOwn: boolean;
  readonly #keep: ((buffer: object) => void) | undefined;
  #memory: ArrayBuffer | undefined;
  #used = 0;

  constructor() {
    this.#isOwn = nodeMajor() !== undefined && (bufferClass()?.poolSize ?? POOL_SIZE) < POOL_SIZE;
    this.#keep = this.#isOwn ? nodeModule("node:worker_threads")?.markAsUntransferable : undefined;
  }

  /** A new buffer; a plain Uint8Array where the host has no Buffers. */
  allocate(size: number): Buffer<ArrayBuffer> {
    const buffers = bufferClass();
    if (buffers === undefined) return new Uint8Array(size) as Buffer<ArrayBuffer>;
    if (!this.#isOwn || size === 0 || size >= POOL_SIZE / 2) return buffers.allocUnsafe(size);
    if (this.#memory === undefined || this.#used + size > POOL_SIZE) {
      this.#memory = buffers.allocUnsafeSlow(POOL_SIZE).buffer;
      // Whoever transfers one buffer's memory to a worker would take it from all the others.
      this.#keep?.(this.#memory);
      this.#used = 0;
    }
    const bytes = buffers.from(this.#memory, this.#used, size);
    // The next one begins at 8 bytes, as elements of any type want it.
    this.#used = (this.#used + size + 7) & ~7;
    return bytes;
  }
}
