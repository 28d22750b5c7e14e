/**
 * The progress record of a worker that will die: a shared array, which another thread reads after the death.
 *
 *   0 step begun   1 step ended   2 state   3 word it waits on   byte 64: a message in UTF-16, its length first
 */

/** Not started; at work; paused inside the core; got a wrong result; its attachment is poisoned. */
export const STATES = { NEW: 0, READY: 1, PAUSED: 2, WRONG: 3, POISONED: 4 };

const BEGUN = 0;
const ENDED = 1;
const STATE = 2;
const PARK = 3;
const TEXT = 64;
const BYTES = 4096;

export class ProgressRecord {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #text: Uint16Array;

  /** @param buffer another thread's; without it a new one is made */
  constructor(buffer = new SharedArrayBuffer(BYTES)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, TEXT / 4);
    this.#text = new Uint16Array(buffer, TEXT);
  }

  /** Notes that step `n` begins. */
  begin(n: number): void {
    Atomics.store(this.#words, BEGUN, n);
  }

  end(n: number): void {
    Atomics.store(this.#words, ENDED, n);
  }

  get begun(): number {
    return Atomics.load(this.#words, BEGUN);
  }

  get ended(): number {
    return Atomics.load(this.#words, ENDED);
  }

  get state(): number {
    return Atomics.load(this.#words, STATE);
  }

  set state(value: number) {
    Atomics.store(this.#words, STATE, value);
  }

  /** Blocks in Atomics.wait until the thread is terminated. */
  pauseHere(): void {
    this.state = STATES.PAUSED;
    Atomics.wait(this.#words, PARK, 0);
  }

  /** Notes a wrong result. */
  wrong(message: string): void {
    const text = message.slice(0, this.#text.length - 1);
    for (let i = 0; i < text.length; i++) this.#text[i + 1] = text.charCodeAt(i);
    this.#text[0] = text.length;
    this.state = STATES.WRONG;
  }

  get message(): string {
    const [length = 0, ...text] = this.#text;
    return String.fromCharCode(...text.slice(0, length));
  }
}
