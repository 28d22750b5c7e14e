/**
 * The descriptors of a program, in memory that its threads share (table.ts): which number means which descriptor of the context, and what may be done with it. Position, flags
 * and file are in the tree, where the context's table of descriptors has them.
 *
 * Guarantees: a number is claimed by compare-and-exchange, so that two threads never get the same. Rights are written before the number can be used. A thread that uses a number
 * while another one closes it gets EBADF, or the file that the number means next, as in POSIX. So rights do not contain a program whose threads race: what does is the tree, which
 * every walk of a descriptor stays below.
 *
 * A thread may end at any access. What it has claimed has its name, and each change of an entry is seen with one store; so a call has happened or not:
 *  - path_open claims a number, gives it a tag, opens a file of the tree with that tag, and writes what the number is. Before that last store it is taken back.
 *  - fd_close claims the number, which ends it, closes the file, and frees the number.
 *  - fd_renumber claims both. With the store of the partner it has happened.
 * Another thread settles what one has left that has ended: at the next use of such a number, when it starts, when numbers run out, and when the program ends. It closes a file by its
 * tag, which no other file has: so it is closed once, though the descriptor may be another file's by then. One thread at a time does this, and if it ends the next one goes on: each step
 * can be made again.
 */
import { codedError } from "../errors/errors.js";
import type { SystemCalls } from "../node-fs/system-calls.js";
import { ERRNO } from "./preview1.js";
import {
  CONTEXT_FD,
  ENTRY_WORD,
  entryOf,
  FD_MAX,
  FREE,
  HOST_FD,
  MOVING,
  numberOf,
  TABLE_BYTES,
  TableThread,
  WORD,
  wide,
} from "./table.js";

/** The hint is moved when it is so far behind, if other threads have the table too: to move it costs more than to look at a few numbers. */
const HINT_LAG = 16;
/** How often, and how long at most each time, in milliseconds, a thread waits for one that moves a number. */
const MOVE_WAITS = 50;
const MOVE_WAIT_MS = 1;

const { INFO, RIGHTS, INHERITING, TAG_HIGH, TAG_LOW, OPEN_AS, PARTNER, OLD_TAG_HIGH, OLD_TAG_LOW } = ENTRY_WORD;
/** A partner whose words have all been copied. */
const COPIED = -1;

const PREOPEN_SHIFT = 16;
const TYPE_MASK = 0xff;
/** The descriptor is the caller's: its end is not the program's. */
const LENT = 0x100;

/** The files that this thread has opened: with its name, which is the other half, that makes a tag no other file has. */
let opened = 0;

/** What {@link Descriptors.find} leaves: the descriptor of the context, or of a stream of the host. */
export class Descriptors {
  readonly words: Int32Array;
  /** The same memory, for two words at a time. */
  readonly pairs: BigInt64Array;
  readonly thread: TableThread;
  readonly #calls: SystemCalls;
  /** Rights and type of the last number that was found. */
  rights = 0;
  inheriting = 0;
  info = 0;
  /** The descriptor of the context, -1: it is a stream of the host. */
  fd = -1;
  /** 0 to 2 for a stream of the host, else -1. */
  stream = -1;
  /** No other thread has the table: then it is read and written without atomic accesses, which cost more than all the rest. */
  #alone: boolean;

  /** @param memory undefined: a new table */
  constructor(calls: SystemCalls, memory?: ArrayBufferLike) {
    const made =
      typeof SharedArrayBuffer === "function" ? new SharedArrayBuffer(TABLE_BYTES) : new ArrayBuffer(TABLE_BYTES);
    const buffer = memory ?? made;
    if (buffer.byteLength !== TABLE_BYTES)
      throw codedError(TypeError, "ERR_THREADFS_HANDLE", "Not a handle of a WASI program");
    this.words = new Int32Array(buffer);
    this.pairs = new BigInt64Array(buffer);
    this.thread = new TableThread(calls.attachment);
    this.#calls = calls;
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
    const at = entryOf(number);
    let what = this.#load(at);
    if (what <= FREE) {
      what = this.#moved(at);
      if (what <= FREE) return ERRNO.EBADF;
    }
    // What it is was stored after these.
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

  /** Opens a number again that {@link take} has claimed, because its file could not be closed. */
  giveBack(number: number): void {
    const at = entryOf(number);
    this.#store(at, this.words[at + OPEN_AS] as number);
  }

  /** What an entry is, which was not open, when no thread moves it any more. */
  #moved(at: number): number {
    const { words } = this;
    for (let n = 0; ; n++) {
      const what = Atomics.load(words, at);
      if (what >= FREE || !(what & MOVING) || n === MOVE_WAITS) return what;
      if (this.thread.hasEnded(what)) this.settle();
      if (Atomics.load(words, at) === what) this.#sleep(at, what);
    }
  }

  #sleep(at: number, seen: number): void {
    try {
      Atomics.wait(this.words, at, seen, MOVE_WAIT_MS);
    } catch {
      // A thread that may not block looks again at once.
    }
  }

  /** Claims the lowest free number. -1: there is none. */
  reserve(): number {
    const number = this.#claimFree();
    if (number >= 0) return number;
    this.settle();
    return this.#claimFree();
  }

  #claimFree(): number {
    const { words, thread } = this;
    const from = this.#load(WORD.HINT);
    for (let number = from; number < FD_MAX; number++) {
      const at = entryOf(number);
      const what = words[at] as number;
      if (what < FREE && thread.hasEnded(what & ~MOVING)) {
        this.settle();
        if (words[at] === FREE) return this.#claimFree();
      }
      if (words[at] !== FREE || this.#exchange(at, FREE, thread.name) !== FREE) continue;
      if (this.#alone) {
        words[WORD.HINT] = number + 1;
        return number;
      }
      if (number - from < HINT_LAG) return number;
      const moved = this.#exchange(WORD.HINT, from, number + 1) === from;
      // A number may have become free behind this thread before the hint passed it.
      for (let n = from; moved && n < number; n++) {
        if (Atomics.load(words, entryOf(n)) === FREE) this.#lower(n);
      }
      return number;
    }
    return -1;
  }

  /** Gives the file that is about to be opened for a claimed number a tag: its lower half. The upper one is the thread's name. */
  tag(number: number): number {
    const at = entryOf(number);
    opened = (opened + 1) | 0;
    this.#store(at + TAG_LOW, opened);
    this.#store(at + TAG_HIGH, this.thread.name);
    return opened;
  }

  /** Frees a number that this thread has claimed. */
  release(number: number): void {
    const at = entryOf(number);
    this.#store(at + TAG_HIGH, 0);
    // Before, in case this thread ends in between, and after: another thread may have moved the hint.
    this.#lower(number);
    this.#store(at, FREE);
    this.#lower(number);
  }

  /** Atomics.load(), if another thread may store to it. */
  #load(at: number): number {
    return this.#alone ? (this.words[at] as number) : Atomics.load(this.words, at);
  }

  /** Whether a thread has ended the program. */
  get exited(): boolean {
    return this.#load(WORD.EXIT) !== 0;
  }

  /** The code of a program that has ended. */
  get exitCode(): number {
    return this.#load(WORD.CODE) >>> 0;
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

  /** Says what a claimed number means. */
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
    const at = entryOf(number);
    words[at + RIGHTS] = rights;
    words[at + INHERITING] = inheriting;
    words[at + INFO] = info;
    words[at + OPEN_AS] = what;
    // Pairs with the load in find(): a thread that sees this sees these too.
    this.#store(at, what);
  }

  /** Reduces the rights of a number. ENOTCAPABLE: that would add some. */
  reduce(number: number, rights: number, inheriting: number): number {
    const failed = this.find(number, 0);
    if (failed !== 0) return failed;
    if ((rights & ~this.rights) !== 0 || (inheriting & ~this.inheriting) !== 0) return ERRNO.ENOTCAPABLE;
    // Both at once. Another thread may reduce them too: each takes away what it takes away.
    Atomics.and(this.pairs, (entryOf(number) + RIGHTS) / 2, wide(rights, inheriting));
    return ERRNO.SUCCESS;
  }

  /**
   * Claims a number that is open, which ends it; {@link release} frees it. Returns the descriptor of the context to be closed before, -1: none is, -2: the number is not
   * open (EBADF).
   */
  take(number: number): number {
    if (number >>> 0 >= FD_MAX) return -2;
    const { words } = this;
    const at = entryOf(number);
    let what = this.#load(at);
    if (what <= FREE) what = this.#moved(at);
    if (what <= FREE || this.#exchange(at, what, this.thread.name) !== what) return -2;
    const lent = (words[at + INFO] as number) & LENT;
    return what >= CONTEXT_FD && lent === 0 ? what - CONTEXT_FD : -1;
  }

  /**
   * Makes `to`, which is open, mean what `from` means, another number, which stays claimed until {@link release}. Returns the descriptor of the context to be closed before, -1: none is, -2:
   * EBADF.
   */
  move(from: number, to: number): number {
    if (from >>> 0 >= FD_MAX || to >>> 0 >= FD_MAX) return -2;
    const { words } = this;
    // In the order of the numbers, so that two threads do not wait for each other.
    const first = this.#claimMoving(entryOf(Math.min(from, to)));
    if (!first) return -2;
    if (!this.#claimMoving(entryOf(Math.max(from, to)))) {
      this.#moveBack(entryOf(Math.min(from, to)));
      return -2;
    }
    const [source, target] = [entryOf(from), entryOf(to)];
    const lent = (words[target + INFO] as number) & LENT;
    const replaced = words[target + OPEN_AS] as number;
    Atomics.store(words, source + OLD_TAG_LOW, words[target + TAG_LOW] as number);
    Atomics.store(words, source + OLD_TAG_HIGH, words[target + TAG_HIGH] as number);
    Atomics.store(words, target + PARTNER, from + 1);
    this.#finishMove(target, source, this.thread.name);
    return replaced >= CONTEXT_FD && lent === 0 ? replaced - CONTEXT_FD : -1;
  }

  /** Claims an entry that is open, for a move. False: it is not open. */
  #claimMoving(at: number): boolean {
    const { words, thread } = this;
    for (let n = 0; n < MOVE_WAITS; n++) {
      const what = this.#moved(at);
      if (what <= FREE) return false;
      if (Atomics.compareExchange(words, at, what, thread.name | MOVING) === what) return true;
    }
    return false;
  }

  #moveBack(at: number): void {
    const { words } = this;
    Atomics.store(words, at, words[at + OPEN_AS] as number);
    Atomics.notify(words, at);
  }

  /** The rest of a move that has happened, by the thread with this name, or after its end. The source becomes a number that this thread closes: with the file that was replaced. */
  #finishMove(target: number, source: number | undefined, name: number): void {
    const { words } = this;
    if (source !== undefined) {
      if (words[target + PARTNER] !== COPIED) {
        for (const word of [INFO, RIGHTS, INHERITING, TAG_LOW, TAG_HIGH, OPEN_AS])
          Atomics.store(words, target + word, words[source + word] as number);
        Atomics.store(words, target + PARTNER, COPIED);
      }
      Atomics.store(words, source + TAG_LOW, words[source + OLD_TAG_LOW] as number);
      Atomics.store(words, source + TAG_HIGH, words[source + OLD_TAG_HIGH] as number);
      Atomics.store(words, source, name);
      Atomics.notify(words, source);
    }
    Atomics.store(words, target + PARTNER, 0);
    this.#moveBack(target);
  }

  /** Settles what threads have left in the table that have ended; with `own` this one too, which is in no call. */
  settle(own = false): void {
    const { words, thread } = this;
    // After a panic this thread can close nothing: another one settles what it leaves too.
    if (!this.#calls.attachment.sharable) return;
    const before = Atomics.load(words, WORD.SETTLING);
    // A thread that settles goes on.
    if (before !== 0 && before !== thread.name && !thread.hasEnded(before)) return;
    if (Atomics.compareExchange(words, WORD.SETTLING, before, thread.name) !== before) return;
    try {
      for (const [name, entries] of this.#left(own)) this.#settleThread(name, entries);
      Atomics.store(words, WORD.HINT, 0);
    } finally {
      Atomics.store(words, WORD.SETTLING, 0);
    }
  }

  /** The entries that threads have claimed that have ended, with `own` also those of this one: by the names of the threads. */
  #left(own: boolean): Map<number, number[]> {
    const { words, thread } = this;
    const left = new Map<number, number[]>();
    for (let number = 0; number < FD_MAX; number++) {
      const at = entryOf(number);
      const what = Atomics.load(words, at);
      if (what >= FREE) continue;
      const name = what & ~MOVING;
      if (name === thread.name ? own : thread.hasEnded(name)) left.set(name, [...(left.get(name) ?? []), at]);
    }
    return left;
  }

  /** Moves back or finishes what a thread was moving, then closes what it was opening or closing. */
  #settleThread(name: number, entries: readonly number[]): void {
    const { words } = this;
    const moving = entries.filter((at) => ((words[at] as number) & MOVING) !== 0);
    const target = moving.find((at) => words[at + PARTNER] !== 0);
    if (target === undefined) for (const at of moving) this.#moveBack(at);
    else
      this.#finishMove(
        target,
        moving.find((at) => at !== target),
        name,
      );
    const { core, ctx, attachment } = this.#calls;
    for (const at of entries) {
      if (words[at] !== name) continue;
      const [high, low] = [words[at + TAG_HIGH] as number, words[at + TAG_LOW] as number];
      // EBADF: it was closed, or was not opened. Where that has to wait for too long it is done later: the tag stays good.
      if (high !== 0) attachment.nowOrLater(() => core.sysCloseTagged(ctx, high, low));
      this.release(numberOf(at));
    }
  }

  /** All numbers that mean something. */
  *open(): Generator<number> {
    for (let number = 0; number < FD_MAX; number++) {
      if (Atomics.load(this.words, entryOf(number)) > FREE) yield number;
    }
  }

  #lower(number: number): void {
    for (;;) {
      const hint = this.#load(WORD.HINT);
      if (hint <= number || this.#exchange(WORD.HINT, hint, number) === hint) return;
    }
  }
}
