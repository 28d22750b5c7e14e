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
 * Only words that are known to conflict (machine.js) are looked at: on others there can be no race.
 */
import { ATOMIC, READ, WRITE } from "./constants.js";

/** One memory access in a race. @typedef {{ thread: number, site: number, write: boolean, atomic: boolean }} Side */
/** @typedef {{ address: number, field: string, earlier: Side, later: Side, count: number, trail: import("./machine.js").Segment[] }} Race */

/** Four kinds of last accesses a thread and word: bit 0 write, bit 1 atomic. */
const KINDS = 4;

export class VectorClocks {
  /** @param {import("./machine.js").Machine} machine @param {(address: number) => string} [fieldOf] names an address */
  constructor(machine, fieldOf = String) {
    this.machine = machine;
    this.fieldOf = fieldOf;
    this.threads = machine.threads.length;
    this.now = Array.from({ length: this.threads }, () => new Int32Array(this.threads));
    /** Races found since the start, by their two sites. @type {Map<string, Race>} */
    this.races = new Map();
    /** Those of the present run. @type {Map<string, Race>} */
    this.here = new Map();
    this.#size(1024);
    this.reset();
  }

  #size(words) {
    this.words = words;
    /** What a reader of each word learns. */
    this.carried = new Int32Array(words * this.threads);
    this.last = new Int32Array(words * this.threads * KINDS);
    this.sites = new Int32Array(words * this.threads * KINDS);
    this.masks = new Uint8Array(words * this.threads * KINDS);
  }

  /** For a new run. */
  reset() {
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
   * A run has ended. One that met conflicting words which were not known as such counts for nothing: a lock among them
   * ordered accesses, and was not looked at.
   */
  settle(counts) {
    if (counts) for (const [key, race] of this.here) this.races.set(key, race);
    this.here.clear();
  }

  /** @param {number} thread @param {number} site @param {number} kind @param {number} size @param {number} address */
  access(thread, site, kind, size, address) {
    if ((kind & (READ | WRITE)) === 0) return;
    const last = (address + size - 1) >>> 2;
    for (let word = address >>> 2; word <= last; word++) {
      const i = this.machine.index[word];
      if (i === 0) continue;
      const from = Math.max(address, word * 4) & 3;
      const to = Math.min(address + size - 1, word * 4 + 3) & 3;
      this.#word(thread, site, kind, i, word, mask(from, to));
    }
    if ((kind & (ATOMIC | WRITE)) === (ATOMIC | WRITE)) this.now[thread][thread]++;
  }

  range(thread, site, to, from, length) {
    if (from >= 0) this.access(thread, site, READ, length, from);
    this.access(thread, site, WRITE, length, to);
  }

  /** The thread `woken` learns what `by` knew. */
  wake(by, woken) {
    const [a, b] = [this.now[by], this.now[woken]];
    for (let i = 0; i < this.threads; i++) if (a[i] > b[i]) b[i] = a[i];
    a[by]++;
  }

  #word(thread, site, kind, i, word, bytes) {
    const clock = this.now[thread];
    const { threads, carried, last, masks } = this;
    const atomic = (kind & ATOMIC) !== 0;
    const write = (kind & WRITE) !== 0;
    if (atomic && kind & READ) {
      for (let n = 0; n < threads; n++) if (carried[i * threads + n] > clock[n]) clock[n] = carried[i * threads + n];
    }
    for (let other = 0; other < threads; other++) {
      if (other === thread) continue;
      const base = (i * threads + other) * KINDS;
      for (let k = 0; k < KINDS; k++) {
        if (last[base + k] <= clock[other] || (masks[base + k] & bytes) === 0) continue;
        if (!(write || k & 1) || (atomic && k & 2)) continue;
        this.#found(
          word,
          { thread: other, site: this.sites[base + k], write: (k & 1) !== 0, atomic: (k & 2) !== 0 },
          {
            thread,
            site,
            write,
            atomic,
          },
        );
      }
    }
    const mine = (i * threads + thread) * KINDS + (write ? 1 : 0) + (atomic ? 2 : 0);
    masks[mine] = last[mine] === clock[thread] ? masks[mine] | bytes : bytes;
    last[mine] = clock[thread];
    this.sites[mine] = site;
    if (atomic && write) carried.set(clock, i * threads);
  }

  #found(word, earlier, later) {
    const field = this.fieldOf(word * 4);
    const key = `${Math.min(earlier.site, later.site)}-${Math.max(earlier.site, later.site)} ${field}`;
    const known = this.here.get(key) ?? this.races.get(key);
    if (known) {
      known.count++;
      return;
    }
    const { schedule, current, threads } = this.machine;
    // The schedule up to here; behind it the one who raced runs to his end.
    const here = [
      ...schedule,
      .../** @type {import("./machine.js").Segment[]} */ ([[current, threads[current].steps + 1, false]]),
    ];
    this.here.set(key, { address: word * 4, field, earlier, later, count: 1, schedule: here });
  }
}

/** Bits of the bytes `from` to `to` of a word. */
function mask(from, to) {
  return ((1 << (to - from + 1)) - 1) << from;
}
