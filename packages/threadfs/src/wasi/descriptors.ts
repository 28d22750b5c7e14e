/**
 * The descriptors of a program, in memory that its threads share: which number means which descriptor of the context, and what may be done with it. Position, flags
 * and file are in the tree, where the context's table of descriptors has them.
 *
 * Table (u32 each): 0 exit: 0 while the program runs, then 1   1 hint: no number below it is free   2 jobs, 3 waiting, 4 next id of a thread:
 *   starts of threads (threads.ts)   5 ending: a thread is about to write 0 and 6   6 the exit code
 *   then JOBS pairs of (id of the thread, its argument), then an entry for each number: 0 what it is, 1 rights, 2 inheriting rights, 3 info
 *
 * What it is: FREE, RESERVED (being opened), a descriptor of the context + CONTEXT_FD, or HOST_FD + 0 to 2: a stream of the host.
 * Info: the type of the file (FILETYPE), LENT, and in the upper 16 bits the number of the preopen + 1, 0: it is none.
 *
 * Guarantees: a word is read and written as a whole. A number is given out by compare-and-exchange, so that two threads never get the same. Rights are written before the
 * number can be used, and are 0 before it is free. A thread that uses a number while another one closes it gets EBADF, or the file that the number means next, as in
 * POSIX. So rights do not contain a program whose threads race: what does is the tree, which every walk of a descriptor stays below.
 */
import { codedError } from "../errors/errors.js";
import { ERRNO } from "./preview1.js";

/** As many as a context has. */
export const FD_MAX = 16_384;
/** The hint is moved when it is so far behind. */
const HINT_LAG = 16;
/** Starts of threads that no worker has taken yet. */
export const JOBS = 64;

export const WORD = { EXIT: 0, HINT: 1, JOBS: 2, WAITING: 3, NEXT_ID: 4, ENDING: 5, CODE: 6 } as const;
export const FIRST_JOB = 8;
const FIRST_ENTRY = FIRST_JOB + 2 * JOBS;
const ENTRY = 4;
const RIGHTS = 1;
const INHERITING = 2;
const INFO = 3;

const FREE = 0;
const RESERVED = 1;
/** Streams of the host: standard input, output, error. */
const HOST_FD = 2;
/** Descriptors of the context, from 0 on. */
const CONTEXT_FD = 8;

const PREOPEN_SHIFT = 16;
const TYPE_MASK = 0xff;
/** The descriptor is the caller's: its end is not the program's. */
const LENT = 0x100;

/** What {@link Descriptors.find} leaves: the descriptor of the context, or of a stream of the host. */
export class Descriptors {
  readonly words: Int32Array;
  /** Rights and type of the last number that was found. */
  rights = 0;
  inheriting = 0;
  info = 0;
  /** The descriptor of the context, -1: it is a stream of the host. */
  fd = -1;
  /** 0 to 2 for a stream of the host, else -1. */
  stream = -1;
  /** No other thread has the table: then numbers are given out and taken back without exchanges, which cost more than all the rest. */
  #alone: boolean;

  /** @param memory undefined: a new table */
  constructor(memory?: ArrayBufferLike) {
    const bytes = (FIRST_ENTRY + FD_MAX * ENTRY) * 4;
    const made = typeof SharedArrayBuffer === "function" ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    const buffer = memory ?? made;
    if (buffer.byteLength !== bytes)
      throw codedError(TypeError, "ERR_THREADFS_HANDLE", "Not a handle of a WASI program");
    this.words = new Int32Array(buffer);
    this.#alone = memory === undefined;
  }

  /** The table for another thread. */
  share(): ArrayBufferLike {
    this.#alone = false;
    return this.words.buffer;
  }

  /** Finds the descriptor of a number. Returns 0, EBADF, or ENOTCAPABLE: it has not all of these rights. */
  find(number: number, rights: number): number {
    const { words } = this;
    if (number >>> 0 >= FD_MAX) return ERRNO.EBADF;
    const at = FIRST_ENTRY + number * ENTRY;
    const what = Atomics.load(words, at);
    if (what <= RESERVED) return ERRNO.EBADF;
    // What it is was stored after these, and they are 0 before it is free.
    this.rights = words[at + RIGHTS] as number;
    this.inheriting = words[at + INHERITING] as number;
    this.info = words[at + INFO] as number;
    this.fd = what >= CONTEXT_FD ? what - CONTEXT_FD : -1;
    this.stream = what >= CONTEXT_FD ? -1 : what - HOST_FD;
    return (this.rights & rights) === rights ? ERRNO.SUCCESS : ERRNO.ENOTCAPABLE;
  }

  /** The type of the file that was found last. */
  get filetype(): number {
    return this.info & TYPE_MASK;
  }

  /** The number of the preopen that was found last, -1: it is none. */
  get preopen(): number {
    return (this.info >>> PREOPEN_SHIFT) - 1;
  }

  /** Takes the lowest free number. -1: there is none. */
  reserve(): number {
    const { words } = this;
    const from = Atomics.load(words, WORD.HINT);
    for (let number = from; number < FD_MAX; number++) {
      const at = FIRST_ENTRY + number * ENTRY;
      if (words[at] !== FREE || this.#exchange(at, FREE, RESERVED) !== FREE) continue;
      // A hint that is moved costs more than to look at a few numbers.
      if (number - from < HINT_LAG) return number;
      const moved = this.#exchange(WORD.HINT, from, number + 1) === from;
      // A number may have become free behind this thread before the hint passed it.
      for (let n = from; moved && n < number; n++) {
        if (Atomics.load(words, FIRST_ENTRY + n * ENTRY) === FREE) this.#lower(n);
      }
      return number;
    }
    return -1;
  }

  /** Gives a number back that was reserved. */
  release(number: number): void {
    this.#store(FIRST_ENTRY + number * ENTRY, FREE);
    this.#lower(number);
  }

  /** Atomics.compareExchange(), if another thread may see it. */
  #exchange(at: number, expected: number, value: number): number {
    const { words } = this;
    if (!this.#alone) return Atomics.compareExchange(words, at, expected, value);
    const old = words[at] as number;
    if (old === expected) words[at] = value;
    return old;
  }

  /** Atomics.store(), if another thread may see it. */
  #store(at: number, value: number): void {
    if (this.#alone) this.words[at] = value;
    else Atomics.store(this.words, at, value);
  }

  /** Says what a reserved number means. */
  set(number: number, fd: number, type: number, rights: number, inheriting: number, preopen = -1): void {
    this.#write(number, fd + CONTEXT_FD, type | ((preopen + 1) << PREOPEN_SHIFT), rights, inheriting);
  }

  /** The same for a descriptor that is not the program's to close. */
  lend(number: number, fd: number, type: number, rights: number): void {
    this.#write(number, fd + CONTEXT_FD, type | LENT, rights, 0);
  }

  /** The same for a stream of the host. */
  setStream(number: number, stream: number, type: number, rights: number): void {
    this.#write(number, stream + HOST_FD, type, rights, 0);
  }

  #write(number: number, what: number, info: number, rights: number, inheriting: number): void {
    const { words } = this;
    const at = FIRST_ENTRY + number * ENTRY;
    words[at + RIGHTS] = rights;
    words[at + INHERITING] = inheriting;
    words[at + INFO] = info;
    // Pairs with the load in find(): a thread that sees this sees these too.
    this.#store(at, what);
  }

  /** Reduces the rights of a number. ENOTCAPABLE: that would add some. */
  reduce(number: number, rights: number, inheriting: number): number {
    const failed = this.find(number, 0);
    if (failed !== 0) return failed;
    if ((rights & ~this.rights) !== 0 || (inheriting & ~this.inheriting) !== 0) return ERRNO.ENOTCAPABLE;
    const at = FIRST_ENTRY + number * ENTRY;
    // Another thread may reduce them too: each takes away what it takes away.
    Atomics.and(this.words, at + RIGHTS, rights);
    Atomics.and(this.words, at + INHERITING, inheriting);
    return ERRNO.SUCCESS;
  }

  /** Frees a number. Returns the descriptor of the context to be closed, -1: none is, -2: the number was free (EBADF). */
  take(number: number): number {
    if (number >>> 0 >= FD_MAX) return -2;
    const { words } = this;
    const at = FIRST_ENTRY + number * ENTRY;
    const what = Atomics.load(words, at);
    if (what <= RESERVED || this.#exchange(at, what, RESERVED) !== what) return -2;
    const lent = (words[at + INFO] as number) & LENT;
    words[at + RIGHTS] = 0;
    words[at + INHERITING] = 0;
    this.release(number);
    return what >= CONTEXT_FD && lent === 0 ? what - CONTEXT_FD : -1;
  }

  /**
   * Makes `to`, which is open, mean what `from` means, which becomes free. Returns the descriptor of the context to be closed, -1: none is, -2: EBADF.
   */
  move(from: number, to: number): number {
    if (from >>> 0 >= FD_MAX || to >>> 0 >= FD_MAX) return -2;
    const { words } = this;
    const [source, target] = [FIRST_ENTRY + from * ENTRY, FIRST_ENTRY + to * ENTRY];
    const what = Atomics.load(words, source);
    const old = Atomics.load(words, target);
    if (what <= RESERVED || old <= RESERVED) return -2;
    if (from === to) return -1;
    const [rights, inheriting, info] = [RIGHTS, INHERITING, INFO].map((n) => Atomics.load(words, source + n));
    if (Atomics.compareExchange(words, source, what, RESERVED) !== what) return -2;
    // Of both files `to` has no more rights than each meanwhile.
    Atomics.and(words, target + RIGHTS, rights as number);
    Atomics.and(words, target + INHERITING, inheriting as number);
    const lent = Atomics.load(words, target + INFO) & LENT;
    const replaced = Atomics.exchange(words, target, what);
    Atomics.store(words, target + INFO, info as number);
    Atomics.store(words, target + INHERITING, inheriting as number);
    Atomics.store(words, target + RIGHTS, rights as number);
    this.release(from);
    return replaced >= CONTEXT_FD && lent === 0 ? replaced - CONTEXT_FD : -1;
  }

  /** All numbers that mean something. */
  *open(): Generator<number> {
    for (let number = 0; number < FD_MAX; number++) {
      if (Atomics.load(this.words, FIRST_ENTRY + number * ENTRY) > RESERVED) yield number;
    }
  }

  #lower(number: number): void {
    for (;;) {
      const hint = Atomics.load(this.words, WORD.HINT);
      if (hint <= number || Atomics.compareExchange(this.words, WORD.HINT, hint, number) === hint) return;
    }
  }
}
