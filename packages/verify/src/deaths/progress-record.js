/**
 * What a worker that will die notes for those who come after it: a shared array of its own.
 *
 *   0 step begun   1 step ended   2 state   3 word it waits on   byte 64: a message in UTF-16, its length first
 */

/** Nothing yet; at work; standing still inside the core; has seen what cannot be; its attachment has given up. */
export const STATES = { NEW: 0, READY: 1, PAUSED: 2, WRONG: 3, POISONED: 4 };

const BEGUN = 0;
const ENDED = 1;
const STATE = 2;
const PARK = 3;
const TEXT = 64;
const BYTES = 4096;
/** Longest time that a worker stands still for; the parent ends it long before. */
const PAUSE_MS = 30_000;

export class ProgressRecord {
  #words;
  #text;

  /** @param {SharedArrayBuffer} [buffer] another thread's; without it a new one is made */
  constructor(buffer = new SharedArrayBuffer(BYTES)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, TEXT / 4);
    this.#text = new Uint16Array(buffer, TEXT);
  }

  /** Step `n` is about to be made. */
  begin(n) {
    Atomics.store(this.#words, BEGUN, n);
  }

  end(n) {
    Atomics.store(this.#words, ENDED, n);
  }

  get begun() {
    return Atomics.load(this.#words, BEGUN);
  }

  get ended() {
    return Atomics.load(this.#words, ENDED);
  }

  get state() {
    return Atomics.load(this.#words, STATE);
  }

  set state(value) {
    Atomics.store(this.#words, STATE, value);
  }

  /** Stands still in Atomics.wait, until the thread is ended. */
  pauseHere() {
    this.state = STATES.PAUSED;
    Atomics.wait(this.#words, PARK, 0, PAUSE_MS);
  }

  /** What was seen that cannot be. */
  wrong(message) {
    const text = message.slice(0, this.#text.length - 1);
    for (let i = 0; i < text.length; i++) this.#text[i + 1] = text.charCodeAt(i);
    this.#text[0] = text.length;
    this.state = STATES.WRONG;
  }

  get message() {
    return String.fromCharCode(...this.#text.subarray(1, 1 + this.#text[0]));
  }
}
