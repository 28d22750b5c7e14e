/**
 * A simple model of the cost of shared memory between processors: the cache lines that are transferred when threads, each on a
 * processor of its own, make recorded accesses.
 *
 * Every processor has one private cache of unlimited size, so no line is ever evicted, and only sharing is counted. A line is, as in
 * MESI, in no cache, in one (exclusive or modified, which cost the same here), or shared by several.
 *
 *   load,  the line is in the own cache              nothing
 *          it is not                                 a transfer; a cache that had it alone shares it from now on
 *   write, the line is in the own cache alone        nothing
 *          other caches have it                      a transfer: their copies are invalidated, and the line is fetched if need be
 *          no cache has it                           a transfer
 *
 * A read-modify-write is a write, a compare-and-swap too, whether it succeeds or not. The order is sequential: one access at a time.
 *
 * Reads of typed arrays are cast `as number`: their indices are in bounds by construction, and the model runs millions of accesses.
 */
import { type Random, randomBelow } from "../../../cli/dist/support/random.js";

export const LINE = 64;

/** One access to a line: `line * 2`, plus 1 for a write. Lines are numbered from 0 by LineTable. */
export type Trace = Uint32Array;

/** Gives the lines of the arena small numbers, so that the model's tables are small. */
export class LineTable {
  readonly #numbers = new Map<number, number>();
  /** Addresses of the lines by their numbers. */
  readonly addresses: number[] = [];

  number(address: number): number {
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
  push(trace: number[], address: number, size: number, write: boolean): void {
    const last = address + Math.max(size, 1) - 1;
    for (let at = address - (address % LINE); at <= last; at += LINE) trace.push(this.number(at) * 2 + (write ? 1 : 0));
  }
}

const NO_CACHE = -1;

/** The caches of `threads` processors over `lines` lines, all empty at first. */
export class Caches {
  readonly #threads: number;
  /** Whether a thread's cache has a line. */
  readonly #holds: Uint8Array;
  /** In how many caches a line is. */
  readonly #holders: Uint16Array;
  /** The only cache that has a line, or NO_CACHE. */
  readonly #alone: Int16Array;

  constructor(threads: number, lines: number) {
    this.#threads = threads;
    this.#holds = new Uint8Array(threads * lines);
    this.#holders = new Uint16Array(lines);
    this.#alone = new Int16Array(lines).fill(NO_CACHE);
  }

  /** @returns whether the line had to be moved */
  load(thread: number, line: number): boolean {
    const at = line * this.#threads + thread;
    if (this.#holds[at] === 1) return false;
    this.#holds[at] = 1;
    const holders = this.#holders[line] as number;
    this.#holders[line] = holders + 1;
    this.#alone[line] = holders === 0 ? thread : NO_CACHE;
    return true;
  }

  /** @returns whether the line had to be moved, or invalidated elsewhere */
  write(thread: number, line: number): boolean {
    if (this.#alone[line] === thread) return false;
    const from = line * this.#threads;
    this.#holds.fill(0, from, from + this.#threads);
    this.#holds[from + thread] = 1;
    this.#holders[line] = 1;
    this.#alone[line] = thread;
    return true;
  }

  /** One access of a trace. */
  access(thread: number, access: number): boolean {
    return access & 1 ? this.write(thread, access >>> 1) : this.load(thread, access >>> 1);
  }
}

export interface SimulateOptions {
  seed: number;
  /** Operations that are counted in all, at least. */
  operations: number;
  runs?: number;
  /** The first so many threads are counted, the others only disturb; default all. */
  counted?: number;
}

export interface Transfers {
  operations: number;
  /** Transfers per operation, and the standard error of that mean. */
  transfers: number;
  error: number;
  /** The number of the line that is moved most, and its transfers per operation. */
  busiest: number;
  hottest: number;
  /** The transfers of each line per operation. */
  moved: Float64Array;
}

/**
 * Interleaves the threads' traces access by access in a random order, and counts the transfers once the caches are warm.
 *
 * Threads that are at the same place once stay near each other for hundreds of operations, so one long run would show one
 * constellation: there are many short ones, each with every thread at a random place of its trace.
 * @param traces the operations of each thread, which it repeats in order
 * @param lines number of lines
 */
export function simulate(
  traces: Trace[][],
  lines: number,
  { seed, operations, runs = 32, counted = traces.length }: SimulateOptions,
): Transfers {
  const random = randomBelow(seed);
  const moved = new Float64Array(lines);
  const goal = Math.ceil(operations / runs);
  const means: number[] = [];
  let all = 0;
  for (let run = 0; run < runs; run++) {
    const play = new Play(traces, lines, random);
    play.until(counted, counted, undefined);
    const before = moved.reduce((sum, n) => sum + n, 0);
    const done = play.until(goal, counted, moved);
    means.push((moved.reduce((sum, n) => sum + n, 0) - before) / done);
    all += done;
  }
  const busiest = moved.reduce((best, n, line) => (n > (moved[best] as number) ? line : best), 0);
  const transfers = moved.reduce((sum, n) => sum + n, 0) / all;
  const mean = means.reduce((sum, n) => sum + n, 0) / runs;
  const variance = means.reduce((sum, n) => sum + (n - mean) ** 2, 0) / (runs - 1);
  return {
    operations: all,
    transfers,
    error: Math.sqrt(variance / runs),
    hottest: (moved[busiest] ?? 0) / all,
    busiest,
    moved: moved.map((n) => n / all),
  };
}

/** Threads in the middle of their traces. */
class Play {
  readonly #traces: Trace[][];
  readonly #random: Random;
  readonly #caches: Caches;
  /** The operation that each thread is in, and the access in it. */
  readonly #which: Int32Array;
  readonly #at: Int32Array;

  constructor(traces: Trace[][], lines: number, random: Random) {
    this.#traces = traces;
    this.#random = random;
    this.#caches = new Caches(traces.length, lines);
    // Each thread runs alone once, so that no line is accessed for the first time later on, in whatever order.
    for (const [thread, own] of traces.entries()) {
      for (const trace of own) for (const access of trace) this.#caches.access(thread, access);
    }
    this.#which = Int32Array.from(traces, (own) => random(own.length));
    this.#at = Int32Array.from(traces, (own, thread) => random((own[this.#which[thread] as number] as Trace).length));
  }

  /** Runs until the first `counted` threads have ended `goal` operations; adds their transfers to `moved`. @returns how many ended */
  until(goal: number, counted: number, moved: Float64Array | undefined): number {
    const [traces, which, at, caches] = [this.#traces, this.#which, this.#at, this.#caches];
    let ended = 0;
    while (ended < goal) {
      const thread = this.#random(traces.length);
      const own = traces[thread] as Trace[];
      const trace = own[which[thread] as number] as Trace;
      const place = at[thread] as number;
      const access = trace[place] as number;
      if (caches.access(thread, access) && thread < counted && moved !== undefined) {
        moved[access >>> 1] = (moved[access >>> 1] as number) + 1;
      }
      at[thread] = place + 1;
      if (place + 1 < trace.length) continue;
      at[thread] = 0;
      which[thread] = ((which[thread] as number) + 1) % own.length;
      if (thread < counted) ended++;
    }
    return ended;
  }
}
