/**
 * Looks up in random order, and now and then where the mutator is at work, and checks every answer. Where nothing moves, or
 * the things stood still during the lookup, one answer is right; where a thing moved, the answer of each state that it
 * passed is right.
 */

import { constants } from "node:os";
import type { FsSync } from "threadfs";
import { permissions, typeName } from "../load/load.js";
import type { CounterValues } from "../support/counters.js";
import { defined } from "../support/defined.js";
import { CliError, codeOf } from "../support/errors.js";
import { shuffledOrder } from "../support/random.js";
import { MovingState } from "./moving.js";
import { CALL, CALL_NAMES, type PackedQueries, QueryReader } from "./packed-queries.js";
import { DEVICE } from "./reference-model.js";

/** An answer that was not right in any state that the tree was in during the lookup. */
export interface WrongAnswer {
  path: string;
  call: string;
  answered: string;
  allowed: string[];
  /** What the answer depends on, with the versions seen before and after the lookup. */
  things: { thing: number; before: number; after: number }[];
}

export interface LookupReport {
  lookups: number;
  seconds: number;
  /** Answers of paths on which something moved during the lookup, so that there was more than one right answer. */
  loose: number;
  /** Answers of paths on which something may move but stood still during the lookup. */
  still: number;
  wrong: number;
  /** The first wrong answers, one a path. */
  examples: WrongAnswer[];
  /** The events that the core counted in this thread meanwhile. */
  counters: CounterValues;
}

/** Lookups between two readings of the clock. */
const BATCH = 256;
/** Lookups after each batch on paths that depend on the thing being moved, where wrong answers are most likely. */
const CHASE = 32;
const EXAMPLES = 10;
/** A query depends on at most this many things: each has at least two states, and there are at most 64 combinations. */
const MAX_THINGS = 6;

/** `statSync` returned undefined, which does not distinguish ENOENT and ENOTDIR. */
const ABSENT = -1_000_000;
/** `existsSync` returned false, which any error may cause. */
const REFUSED = -1_000_001;

interface Attributes {
  mode: number;
  size: number;
  ino: number;
  dev: number;
}

/** Of one thing that the answer depends on: its versions before and after the lookup, its inode number in between. */
interface Observed {
  before: number;
  after: number;
  ino: number;
}

export class LookupChecker {
  readonly #fs: FsSync;
  readonly #queries: QueryReader;
  /** Number of the queries about names of the real directory. */
  readonly #base: number;
  readonly #movingState: MovingState;
  readonly #device: number;
  /** For each thing the queries whose answer depends on it. */
  readonly #about: number[][];
  #chased = 0;
  /** The things of the last lookup, as many as its case has. */
  readonly #observed: Observed[] = Array.from({ length: MAX_THINGS }, () => ({ before: 0, after: 0, ino: 0 }));
  /** The last answer: 0 (with `#found` when the call returned attributes), -errno, ABSENT or REFUSED. */
  #status = 0;
  #found: Attributes | undefined;

  constructor(fs: FsSync, packed: PackedQueries, things: SharedArrayBuffer) {
    this.#fs = fs;
    this.#base = packed.base;
    this.#queries = new QueryReader(packed, packed.count);
    this.#movingState = new MovingState(things);
    this.#device = fs.statSync("/").dev;
    this.#about = packed.states.map(() => []);
    for (let i = 0; i < packed.count; i++) {
      const where = this.#queries.caseOf(i);
      for (let n = 0; where >= 0 && n < this.#queries.things(where); n++) {
        this.#about[this.#queries.thing(where, n)]?.push(i);
      }
    }
  }

  /**
   * Looks up until the first word of `stop` is not 0, or until the time is over and, with `all`, every name was looked up once.
   * @param seconds the time there is; 0: none are looked up
   * @param all whether names that only the job has made are looked up too, or those of the real directory alone
   */
  run(stop: Int32Array, seconds: number, all: boolean, seed: number): LookupReport {
    const order = shuffledOrder(all ? this.#queries.count : this.#base, seed);
    if (order.length === 0) throw new CliError("EINVAL", "there is nothing to look up");
    const report: LookupReport = { lookups: 0, seconds: 0, loose: 0, still: 0, wrong: 0, examples: [], counters: {} };
    const begin = performance.now();
    const end = begin + seconds * 1000;
    const least = seconds === 0 ? 0 : all ? order.length : 1;
    let at = 0;
    while (Atomics.load(stop, 0) === 0 && (report.lookups < least || performance.now() < end)) {
      for (let n = 0; n < BATCH; n++) {
        const i = order[at] as number; // `at` is below the length
        at = at + 1 === order.length ? 0 : at + 1;
        const where = this.#queries.caseOf(i);
        if (where >= 0) this.#checkMoving(i, where, report);
        else {
          this.#lookUp(i);
          const answer = this.#queries.answer(i);
          if (!this.#fits(answer, STATIC)) this.#wrong(i, [answer], STATIC, report);
        }
      }
      report.lookups += BATCH;
      if (all) this.#chase(report);
    }
    report.seconds = (performance.now() - begin) / 1000;
    return report;
  }

  /** Looks up paths that depend on the thing that the mutator is at. */
  #chase(report: LookupReport): void {
    const about = this.#about[this.#movingState.current()];
    if (!about) return;
    for (let n = 0; n < CHASE; n++) {
      const i = about[this.#chased++ % about.length];
      if (i !== undefined) this.#checkMoving(i, this.#queries.caseOf(i), report);
    }
    report.lookups += CHASE;
  }

  #lookUp(i: number): void {
    const path = this.#queries.path(i);
    this.#found = undefined;
    this.#status = 0;
    try {
      switch (this.#queries.call(i)) {
        case CALL.STAT:
          this.#found = this.#fs.statSync(path, { throwIfNoEntry: false });
          if (!this.#found) this.#status = ABSENT;
          return;
        case CALL.LSTAT:
          this.#found = this.#fs.lstatSync(path, { throwIfNoEntry: false });
          if (!this.#found) this.#status = ABSENT;
          return;
        case CALL.EXISTS:
          if (!this.#fs.existsSync(path)) this.#status = REFUSED;
          return;
        default:
          this.#fs.accessSync(path);
      }
    } catch (error) {
      const errno = ERRNO.get(codeOf(error));
      if (errno === undefined) throw error;
      this.#status = -errno;
    }
  }

  #checkMoving(i: number, where: number, report: LookupReport): void {
    const state = this.#movingState;
    const count = this.#queries.things(where);
    for (let n = 0; n < count; n++) this.#seen(n).before = state.version(this.#queries.thing(where, n));
    this.#lookUp(i);
    // Read before the versions are read again, as the numbers belong to the state in which those are equal.
    for (let n = 0; n < count; n++) this.#seen(n).ino = state.ino(this.#queries.thing(where, n));
    let still = true;
    for (let n = 0; n < count; n++) {
      const seen = this.#seen(n);
      seen.after = state.version(this.#queries.thing(where, n));
      if (seen.after !== seen.before || (seen.before & 1) !== 0) still = false;
    }
    if (still) report.still++;
    else report.loose++;
    const allowed = this.#allowed(where);
    for (const answer of allowed) if (this.#fits(answer, still ? where : LOOSE)) return;
    this.#wrong(i, allowed, where, report);
  }

  /** What was observed of the case's n-th thing; a case has at most MAX_THINGS. */
  #seen(n: number): Observed {
    return this.#observed[n] as Observed;
  }

  /** The answers of all states that the things were in between the versions before and after; the order is kept. */
  #allowed(where: number): number[] {
    let combinations = [0];
    let stride = 1;
    const count = this.#queries.things(where);
    for (let n = 0; n < count; n++) {
      const { before, after } = this.#seen(n);
      const states = this.#queries.states(where, n);
      const first = before >> 1;
      // An odd version is on its way to the next state, which counts as passed.
      const last = Math.min((after + 1) >> 1, first + states - 1);
      const longer: number[] = [];
      for (let step = first; step <= last; step++) {
        for (const combination of combinations) longer.push(combination + (step % states) * stride);
      }
      combinations = longer;
      stride *= states;
    }
    return combinations.map((combination) => this.#queries.answerIn(where, combination));
  }

  /** Whether the last answer is this one. `where`: the case whose published numbers hold, STATIC or LOOSE. */
  #fits(answer: number, where: number): boolean {
    if (answer < 0) {
      const status = this.#status;
      return status === answer || status === REFUSED || (status === ABSENT && ABSENCE.has(-answer));
    }
    if (this.#status !== 0) return false;
    const found = this.#found;
    if (!found) return true;
    const queries = this.#queries;
    const mode = queries.mode(answer);
    if (mode >= 0 ? found.mode !== mode : (found.mode & S_IFMT) !== -mode) return false;
    const size = queries.size(answer);
    if (size >= 0 && found.size !== size) return false;
    const device = queries.device(answer);
    if (device !== DEVICE.ANY && (found.dev === this.#device) !== (device === DEVICE.TREE)) return false;
    const ino = queries.ino(answer);
    if (ino >= 0) return found.ino === ino;
    return ino === -1 || where === LOOSE || found.ino === this.#published(where, -ino - 2);
  }

  /** The inode number that a thing of this case had published; see Node.ino. */
  #published(where: number, thing: number): number {
    const count = where === STATIC ? 0 : this.#queries.things(where);
    for (let n = 0; n < count; n++) if (this.#queries.thing(where, n) === thing) return this.#seen(n).ino;
    return -1;
  }

  #wrong(i: number, allowed: number[], where: number, report: LookupReport): void {
    report.wrong++;
    const path = this.#queries.path(i);
    if (report.examples.length >= EXAMPLES || report.examples.some((example) => example.path === path)) return;
    const things = Array.from({ length: where === STATIC ? 0 : this.#queries.things(where) }, (_, n) => {
      const { before, after } = this.#seen(n);
      return { thing: this.#queries.thing(where, n), before, after };
    });
    report.examples.push({
      path,
      call: defined(CALL_NAMES[this.#queries.call(i)], "the name of a call"),
      answered: this.#describeAnswer(),
      allowed: [...new Set(allowed.map((answer) => this.#describeRow(answer)))],
      things,
    });
  }

  #describeAnswer(): string {
    if (this.#status === ABSENT || this.#status === REFUSED) return "nothing is there";
    if (this.#status !== 0) return errnoName(-this.#status);
    const found = this.#found;
    return found ? describe(found.mode, found.size, found.ino, found.dev) : "it is there";
  }

  #describeRow(answer: number): string {
    if (answer < 0) return errnoName(-answer);
    const queries = this.#queries;
    const device = [undefined, this.#device, `not ${this.#device}`][queries.device(answer)];
    return describe(queries.mode(answer), queries.size(answer), queries.ino(answer), device);
  }
}

const S_IFMT = 0o170000;

/** Instead of a case: nothing moves on the path; something moved during the lookup. */
const STATIC = -1;
const LOOSE = -2;

/** The host's numbers of errors by their names. */
const ERRNO = new Map(Object.entries(constants.errno));

/** The errors of which `throwIfNoEntry: false` makes undefined. */
const ABSENCE = new Set<number>([constants.errno.ENOENT, constants.errno.ENOTDIR]);

function errnoName(errno: number): string {
  for (const [name, number] of ERRNO) if (number === errno) return name;
  return `error ${errno}`;
}

/** Attributes as text; those that are not known (negative) are left out. */
function describe(mode: number, size: number, ino: number, dev: number | string | undefined): string {
  const parts = [typeName(Math.abs(mode))];
  if (mode >= 0) parts.push(`mode ${permissions(mode)}`);
  if (size >= 0) parts.push(`size ${size}`);
  if (ino >= 0) parts.push(`ino ${ino}`);
  if (dev !== undefined) parts.push(`dev ${dev}`);
  return parts.join(" ");
}
