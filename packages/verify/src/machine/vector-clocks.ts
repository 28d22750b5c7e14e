/**
 * Data races by vector clocks: two accesses to the same byte by two threads, at least one a write and at least one not
 * atomic, neither of which happens before the other.
 *
 * What orders: an atomic load after the atomic store it reads from (a compare-and-swap is both), a wake-up after its
 * notify, the start of all threads after the preparation. A store replaces what the word carried, as a load synchronizes with the
 * one store that it reads from and no other. A compare-and-swap that fails counts as one that stores: it carries on what it has
 * read, so it orders at most itself before a later reader. Words are 4 bytes; an 8-byte access is one to each of its two
 * words, and orders with 4-byte accesses to either: the core relies on that for its locks with counts, and V8's engines
 * compile both to sequentially consistent instructions.
 *
 * Only words that are known to conflict (machine.ts) are looked at: on others there can be no race.
 */

import { ATOMIC, READ, WRITE } from "./constants.js";
import type { Machine, Segment } from "./machine.js";

/** One memory access in a race. */
export interface Side {
  thread: number;
  site: number;
  write: boolean;
  atomic: boolean;
}

/** Two accesses in a race, how often they raced, and the schedule in which they did first. */
export interface Race {
  address: number;
  field: string;
  earlier: Side;
  later: Side;
  count: number;
  schedule: Segment[];
}

/** Four kinds of last accesses a thread and word: bit 0 write, bit 1 atomic. */
const KINDS = 4;

export class VectorClocks {
  readonly machine: Machine;
  readonly fieldOf: (address: number) => string;
  readonly threads: number;
  /** The clock of each thread. */
  readonly now: Int32Array[];
  /** Races found since the start, by their two sites. */
  readonly races = new Map<string, Race>();
  /** The races of the present run. */
  readonly here = new Map<string, Race>();
  words = 0;
  /** By word: the clock that a reader of the word learns. */
  carried = new Int32Array(0);
  /** By word, thread and kind: the thread's clock at its last access, the site, the bytes. */
  last = new Int32Array(0);
  sites = new Int32Array(0);
  masks = new Uint8Array(0);

  /** @param fieldOf names an address */
  constructor(machine: Machine, fieldOf: (address: number) => string = String) {
    this.machine = machine;
    this.fieldOf = fieldOf;
    this.threads = machine.threads.length;
    this.now = Array.from({ length: this.threads }, () => new Int32Array(this.threads));
    this.#size(1024);
    this.reset();
  }

  #size(words: number): void {
    this.words = words;
    this.carried = new Int32Array(words * this.threads);
    this.last = new Int32Array(words * this.threads * KINDS);
    this.sites = new Int32Array(words * this.threads * KINDS);
    this.masks = new Uint8Array(words * this.threads * KINDS);
  }

  /** Before a new run. */
  reset(): void {
    if (this.machine.conflicts.count > this.words) this.#size(this.machine.conflicts.count * 2);
    const used = this.machine.conflicts.count * this.threads;
    this.carried.fill(0, 0, used);
    this.last.fill(0, 0, used * KINDS);
    this.masks.fill(0, 0, used * KINDS);
    for (const [id, clock] of this.now.entries()) {
      clock.fill(0);
      clock[id] = 1;
    }
  }

  /**
   * A run has ended. Its races do not count if it found new conflicting words: one of them may be a lock, which ordered accesses
   * and was not observed.
   */
  settle(counts: boolean): void {
    if (counts) for (const [key, race] of this.here) this.races.set(key, race);
    this.here.clear();
  }

  access(thread: number, site: number, kind: number, size: number, address: number): void {
    if ((kind & (READ | WRITE)) === 0) return;
    const last = (address + size - 1) >>> 2;
    for (let word = address >>> 2; word <= last; word++) {
      const i = this.machine.index[word] as number;
      if (i === 0) continue;
      const from = Math.max(address, word * 4) & 3;
      const to = Math.min(address + size - 1, word * 4 + 3) & 3;
      this.#word(thread, site, kind, i, word, mask(from, to));
    }
    if ((kind & (ATOMIC | WRITE)) === (ATOMIC | WRITE)) tick(this.now[thread] as Int32Array, thread);
  }

  range(thread: number, site: number, to: number, from: number, length: number): void {
    if (from >= 0) this.access(thread, site, READ, length, from);
    this.access(thread, site, WRITE, length, to);
  }

  /** The thread `woken` learns what `by` knew. */
  wake(by: number, woken: number): void {
    const a = this.now[by] as Int32Array;
    const b = this.now[woken] as Int32Array;
    for (let i = 0; i < this.threads; i++) if ((a[i] as number) > (b[i] as number)) b[i] = a[i] as number;
    tick(a, by);
  }

  #word(thread: number, site: number, kind: number, i: number, word: number, bytes: number): void {
    const clock = this.now[thread] as Int32Array;
    const { threads, carried, last, masks } = this;
    const atomic = (kind & ATOMIC) !== 0;
    const write = (kind & WRITE) !== 0;
    if (atomic && kind & READ) {
      for (let n = 0; n < threads; n++) {
        const learnt = carried[i * threads + n] as number;
        if (learnt > (clock[n] as number)) clock[n] = learnt;
      }
    }
    for (let other = 0; other < threads; other++) {
      if (other === thread) continue;
      const base = (i * threads + other) * KINDS;
      for (let k = 0; k < KINDS; k++) {
        if ((last[base + k] as number) <= (clock[other] as number)) continue;
        if (((masks[base + k] as number) & bytes) === 0) continue;
        if (!(write || k & 1) || (atomic && k & 2)) continue;
        this.#found(
          word,
          { thread: other, site: this.sites[base + k] as number, write: (k & 1) !== 0, atomic: (k & 2) !== 0 },
          { thread, site, write, atomic },
        );
      }
    }
    const mine = (i * threads + thread) * KINDS + (write ? 1 : 0) + (atomic ? 2 : 0);
    const time = clock[thread] as number;
    masks[mine] = last[mine] === time ? (masks[mine] as number) | bytes : bytes;
    last[mine] = time;
    this.sites[mine] = site;
    // A call of set() would cost more than these few words.
    if (atomic && write) for (let n = 0; n < threads; n++) carried[i * threads + n] = clock[n] as number;
  }

  #found(word: number, earlier: Side, later: Side): void {
    const field = this.fieldOf(word * 4);
    const key = `${Math.min(earlier.site, later.site)}-${Math.max(earlier.site, later.site)} ${field}`;
    const known = this.here.get(key) ?? this.races.get(key);
    if (known) {
      known.count++;
      return;
    }
    const { schedule, current, threads } = this.machine;
    // The schedule up to here; after it the racing thread runs to its end.
    const steps = threads[current]?.steps ?? 0;
    const here: Segment[] = [...schedule, [current, steps + 1, ""]];
    this.here.set(key, { address: word * 4, field, earlier, later, count: 1, schedule: here });
  }
}

function tick(clock: Int32Array, thread: number): void {
  clock[thread] = (clock[thread] as number) + 1;
}

/** Bits of the bytes `from` to `to` of a word. */
function mask(from: number, to: number): number {
  return ((1 << (to - from + 1)) - 1) << from;
}
