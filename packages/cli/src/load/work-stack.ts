/**
 * The directories that are still to be loaded: a stack of strings in shared memory. Every loader takes from it and adds
 * to it. It is a stack, because going depth first keeps it small.
 *
 *   words 0..3: lock | bytes used | directories not finished | wake count, which grows when a sleeping loader should look again
 *   then, one after another: UTF-8 bytes, padding to 4, their length as a word
 *
 * Locking: one lock, held for a few copies of bytes. A loader waits a bounded time for the lock and for work.
 */
import { CliError } from "../support/errors.js";

const LOCK = 0;
const USED = 1;
const UNFINISHED = 2;
const WAKE_COUNT = 3;
const HEADER_BYTES = 16;

/** A loader that finds neither work nor an end for this long, in ms, gives up: another thread must have died. */
const LOCK_TIMEOUT_MS = 120_000;
const SLEEP_MS = 20;

export class WorkStack {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  /** Directories for which the shared memory had no room: this thread takes them itself. */
  readonly #own: string[] = [];

  /** Shared memory for a stack, all zeros: empty and unlocked. */
  static memory(bytes: number): SharedArrayBuffer {
    return new SharedArrayBuffer(HEADER_BYTES + (bytes & ~3));
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory, HEADER_BYTES);
  }

  /** Directories that were added and are not finished. */
  get unfinished(): number {
    return Atomics.load(this.#words, UNFINISHED);
  }

  push(text: string): void {
    const encoded = this.#encoder.encode(text);
    const room = (encoded.length + 3) & ~3;
    this.#acquire();
    const used = Atomics.load(this.#words, USED);
    Atomics.add(this.#words, UNFINISHED, 1);
    const fits = used + room + 4 <= this.#bytes.length;
    if (fits) {
      this.#bytes.set(encoded, used);
      Atomics.store(this.#words, (HEADER_BYTES + used + room) >> 2, encoded.length);
      Atomics.store(this.#words, USED, used + room + 4);
    } else {
      this.#own.push(text);
    }
    this.#release();
    if (fits) this.#wakeAll();
  }

  /** The next directory, or undefined when all are finished. Waits while others may still add some. */
  take(): string | undefined {
    const end = Date.now() + LOCK_TIMEOUT_MS;
    for (;;) {
      const own = this.#own.pop();
      if (own !== undefined) return own;
      const wakeCount = Atomics.load(this.#words, WAKE_COUNT);
      const found = this.#pop();
      if (found !== undefined) return found;
      if (this.unfinished === 0) return undefined;
      if (Date.now() > end)
        throw new CliError(
          "ETIMEDOUT",
          `no directory became available within ${LOCK_TIMEOUT_MS / 1000} s, although loading is not finished`,
        );
      Atomics.wait(this.#words, WAKE_COUNT, wakeCount, SLEEP_MS);
    }
  }

  /** Call this when all entries of the directory last taken are loaded or added. */
  finish(): void {
    if (Atomics.sub(this.#words, UNFINISHED, 1) === 1) this.#wakeAll();
  }

  #pop(): string | undefined {
    this.#acquire();
    const used = Atomics.load(this.#words, USED);
    let encoded: Uint8Array | undefined;
    if (used > 0) {
      const length = Atomics.load(this.#words, (HEADER_BYTES + used - 4) >> 2);
      const start = used - 4 - ((length + 3) & ~3);
      encoded = this.#bytes.slice(start, start + length);
      Atomics.store(this.#words, USED, start);
    }
    this.#release();
    return encoded && this.#decoder.decode(encoded);
  }

  #wakeAll(): void {
    Atomics.add(this.#words, WAKE_COUNT, 1);
    Atomics.notify(this.#words, WAKE_COUNT);
  }

  #acquire(): void {
    const end = Date.now() + LOCK_TIMEOUT_MS;
    while (Atomics.compareExchange(this.#words, LOCK, 0, 1) !== 0) {
      if (Date.now() > end)
        throw new CliError("EDEADLK", "the stack of directories is locked by a thread that does not release it");
      Atomics.wait(this.#words, LOCK, 1, SLEEP_MS);
    }
  }

  #release(): void {
    Atomics.store(this.#words, LOCK, 0);
    Atomics.notify(this.#words, LOCK, 1);
  }
}
