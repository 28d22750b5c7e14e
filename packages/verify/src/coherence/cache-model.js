/**
 * A simple model of what shared memory costs between processors: which cache lines have to be moved or taken away when threads, each on a
 * processor of its own, make recorded accesses.
 *
 * Every processor has one private cache without end, so nothing is ever evicted: what is counted is sharing alone. A line is, as in MESI, in
 * no cache, in one (exclusive or modified, which cost the same here), or shared by several.
 *
 *   load,  the line is in the own cache              nothing
 *          it is not                                 a transfer; the one who had it alone shares it from now on
 *   write, the line is in the own cache alone        nothing
 *          others have it                            a transfer: theirs are invalidated, and if need be it is fetched
 *          nobody has it                             a transfer
 *
 * A read-modify-write is a write, a compare-and-swap too, whether it succeeds or not. The order is sequential: one access at a time.
 */
import { randomBelow } from "../../../cli/dist/support/random.js";

export const LINE = 64;

/** One access to a line: `line * 2`, plus 1 for a write. Lines are numbered from 0 by LineTable. @typedef {Uint32Array} Trace */

/** Gives the lines of the arena small numbers, so that the model's tables are small. */
export class LineTable {
  #numbers = new Map();
  /** Addresses of the lines by their numbers. @type {number[]} */
  addresses = [];

  number(address) {
    const at = address - (address % LINE);
    let number = this.#numbers.get(at);
    if (number === undefined) {
      number = this.addresses.length;
      this.#numbers.set(at, number);
      this.addresses.push(at);
    }
    return number;
  }

  /** Appends the accesses to all lines of a range. */
  push(trace, address, size, write) {
    const last = address + Math.max(size, 1) - 1;
    for (let at = address - (address % LINE); at <= last; at += LINE) trace.push(this.number(at) * 2 + (write ? 1 : 0));
  }
}

const NOBODY = -1;

/** The caches of `threads` processors over `lines` lines, all empty at first. */
export class Caches {
  #threads;
  /** Whether a thread's cache holds a line. */
  #holds;
  #holders;
  /** The one that holds a line alone, or NOBODY. */
  #alone;
  constructor(threads, lines) {
    this.#threads = threads;
    this.#holds = new Uint8Array(threads * lines);
    this.#holders = new Uint16Array(lines);
    this.#alone = new Int16Array(lines).fill(NOBODY);
  }

  /** @returns {boolean} whether the line had to be moved */
  load(thread, line) {
    const at = line * this.#threads + thread;
    if (this.#holds[at] === 1) return false;
    this.#holds[at] = 1;
    this.#alone[line] = this.#holders[line]++ === 0 ? thread : NOBODY;
    return true;
  }

  /** @returns {boolean} whether the line had to be moved, or taken from others */
  write(thread, line) {
    if (this.#alone[line] === thread) return false;
    const from = line * this.#threads;
    this.#holds.fill(0, from, from + this.#threads);
    this.#holds[from + thread] = 1;
    this.#holders[line] = 1;
    this.#alone[line] = thread;
    return true;
  }

  /** One access of a trace. */
  access(thread, access) {
    return access & 1 ? this.write(thread, access >>> 1) : this.load(thread, access >>> 1);
  }
}

/**
 * Interleaves the threads' traces access by access in a random order and counts the transfers once the caches are warm.
 *
 * Threads that once are at the same place stay near each other for hundreds of operations, so one long run would show one
 * constellation: there are many short ones, each with every thread at a random place of its trace.
 * @param {Trace[][]} traces for each thread the operations that it makes over and over, in order
 * @param {number} lines number of lines there are
 * @param {object} options
 * @param {number} options.seed
 * @param {number} options.operations that are counted in all, at least
 * @param {number} [options.runs]
 * @param {number} [options.counted] the first so many threads are counted, the others only disturb; default all
 * @returns {{ operations: number, transfers: number, error: number, hottest: number, busiest: number }} `transfers` per operation in
 *   all, with the standard error of that mean; `hottest` of the line that is moved most (its number: `busiest`)
 */
export function simulate(traces, lines, { seed, operations, runs = 32, counted = traces.length }) {
  const random = randomBelow(seed);
  const moved = new Float64Array(lines);
  const goal = Math.ceil(operations / runs);
  const means = [];
  let all = 0;
  for (let run = 0; run < runs; run++) {
    const play = new Play(traces, lines, random);
    play.until(counted, counted, undefined);
    const before = moved.reduce((sum, n) => sum + n, 0);
    const done = play.until(goal, counted, moved);
    means.push((moved.reduce((sum, n) => sum + n, 0) - before) / done);
    all += done;
  }
  const busiest = moved.reduce((best, n, line) => (n > moved[best] ? line : best), 0);
  const transfers = moved.reduce((sum, n) => sum + n, 0) / all;
  const mean = means.reduce((sum, n) => sum + n, 0) / runs;
  const variance = means.reduce((sum, n) => sum + (n - mean) ** 2, 0) / (runs - 1);
  return { operations: all, transfers, error: Math.sqrt(variance / runs), hottest: moved[busiest] / all, busiest };
}

/** Threads in the middle of their traces. */
class Play {
  #traces;
  #random;
  #caches;
  #which;
  #at;

  constructor(traces, lines, random) {
    this.#traces = traces;
    this.#random = random;
    this.#caches = new Caches(traces.length, lines);
    // Each alone once, so that no line is met for the first time later on, however unlucky the order.
    for (const [thread, own] of traces.entries()) {
      for (const trace of own) for (const access of trace) this.#caches.access(thread, access);
    }
    this.#which = Int32Array.from(traces, (own) => random(own.length));
    this.#at = Int32Array.from(traces, (own, thread) => random(own[this.#which[thread]].length));
  }

  /** Goes on until the first `counted` threads have ended `goal` operations; adds what they moved to `moved`. Answers how many ended. */
  until(goal, counted, moved) {
    const [traces, which, at, caches] = [this.#traces, this.#which, this.#at, this.#caches];
    let ended = 0;
    while (ended < goal) {
      const thread = this.#random(traces.length);
      const trace = traces[thread][which[thread]];
      const access = trace[at[thread]++];
      if (caches.access(thread, access) && thread < counted && moved !== undefined) moved[access >>> 1]++;
      if (at[thread] < trace.length) continue;
      at[thread] = 0;
      which[thread] = (which[thread] + 1) % traces[thread].length;
      if (thread < counted) ended++;
    }
    return ended;
  }
}
