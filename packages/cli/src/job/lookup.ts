/**
 * Looks up in scattered order, and now and then where something is being moved, and checks every answer against what the
 * tree has to say at that moment: the one answer where nothing moves or a thing stood still, one of the answers of the
 * states passed where it moved.
 */

import type { FsSync } from "threadfs";
import { ERRNO } from "../../../threadfs/dist/abi/abi.js";
import { permissions, typeName } from "../load/load.js";
import type { CounterValues } from "../support/counters.js";
import { CliError, codeOf } from "../support/errors.js";
import { shuffledOrder } from "../support/random.js";
import { MovingState } from "./moving.js";
import { CALL, CALL_NAMES, type PackedQueries, ROW, unpackPaths } from "./queries.js";
import { DEVICE } from "./reference-model.js";

/** An answer that could not have been true. */
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
  /** What the core counted in this thread meanwhile. */
  counters: CounterValues;
}

/** Lookups between two looks at the clock. */
const BATCH = 256;
/** After each batch, lookups on the path of what is being moved just then, where answers are most likely to go wrong. */
const CHASE = 32;
const EXAMPLES = 10;
/** Depends on at most this many things: each has at least two states, and 64 combinations are the most there are. */
const MAX_THINGS = 6;

/** `statSync` found nothing and did not say whether it is ENOENT or ENOTDIR. */
const ABSENT = -1_000_000;
/** `existsSync` said no, which any error may be. */
const REFUSED = -1_000_001;

interface Attributes {
  mode: number;
  size: number;
  ino: number;
  dev: number;
}

export class LookupChecker {
  readonly #fs: FsSync;
  readonly #paths: string[];
  readonly #packed: PackedQueries;
  readonly #calls: Uint8Array;
  readonly #answers: Int32Array;
  readonly #moving: Int32Array;
  readonly #cases: Int32Array;
  readonly #rows: Float64Array;
  readonly #states: number[];
  readonly #movingState: MovingState;
  readonly #device: number;
  /** For each thing the questions whose answer depends on it. */
  readonly #about: number[][];
  #chased = 0;
  readonly #before = new Int32Array(MAX_THINGS);
  readonly #after = new Int32Array(MAX_THINGS);
  readonly #inos = new Float64Array(MAX_THINGS);
  /** The last answer: 0 (with `#found` when attributes were asked for), -errno, ABSENT or REFUSED. */
  #status = 0;
  #found: Attributes | undefined;

  constructor(fs: FsSync, packed: PackedQueries, things: SharedArrayBuffer) {
    this.#fs = fs;
    this.#packed = packed;
    this.#paths = unpackPaths(packed, packed.count);
    this.#calls = new Uint8Array(packed.calls);
    this.#answers = new Int32Array(packed.answers);
    this.#moving = new Int32Array(packed.moving);
    this.#cases = new Int32Array(packed.cases);
    this.#rows = new Float64Array(packed.rows);
    this.#states = packed.states;
    this.#movingState = new MovingState(things);
    this.#device = fs.statSync("/").dev;
    this.#about = packed.states.map(() => []);
    for (let i = 0; i < packed.count; i++) {
      const where = this.#moving[i];
      for (let n = 0; where >= 0 && n < this.#cases[where]; n++) this.#about[this.#cases[where + 1 + n]].push(i);
    }
  }

  /**
   * Looks up until the first word of `stop` is not 0 or the time is over.
   * @param seconds the time there is
   * @param all whether names that only we made are asked for too, or those of the real directory alone
   */
  run(stop: Int32Array, seconds: number, all: boolean, seed: number): LookupReport {
    const order = shuffledOrder(all ? this.#packed.count : this.#packed.base, seed);
    if (order.length === 0) throw new CliError("EINVAL", "there is nothing to look up");
    const report: LookupReport = { lookups: 0, seconds: 0, loose: 0, still: 0, wrong: 0, examples: [], counters: {} };
    const begin = performance.now();
    const end = begin + seconds * 1000;
    let at = 0;
    while (Atomics.load(stop, 0) === 0 && performance.now() < end) {
      for (let n = 0; n < BATCH; n++) {
        const i = order[at];
        at = at + 1 === order.length ? 0 : at + 1;
        const where = this.#moving[i];
        if (where >= 0) this.#askMoving(i, where, report);
        else {
          this.#ask(i);
          if (!this.#fits(this.#answers[i], STATIC)) this.#wrong(i, [this.#answers[i]], STATIC, report);
        }
      }
      report.lookups += BATCH;
      if (all) this.#chase(report);
    }
    report.seconds = (performance.now() - begin) / 1000;
    return report;
  }

  /** Asks about the thing that the mutator is at. */
  #chase(report: LookupReport): void {
    const about = this.#about[this.#movingState.current()];
    if (!about) return;
    for (let n = 0; n < CHASE; n++) {
      const i = about[this.#chased++ % about.length];
      this.#askMoving(i, this.#moving[i], report);
    }
    report.lookups += CHASE;
  }

  #ask(i: number): void {
    const path = this.#paths[i];
    this.#found = undefined;
    this.#status = 0;
    try {
      switch (this.#calls[i]) {
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
      const errno = ERRNO[codeOf(error) as keyof typeof ERRNO];
      if (errno === undefined) throw error;
      this.#status = -errno;
    }
  }

  #askMoving(i: number, where: number, report: LookupReport): void {
    const count = this.#cases[where];
    for (let n = 0; n < count; n++) this.#before[n] = this.#movingState.version(this.#cases[where + 1 + n]);
    this.#ask(i);
    // Read before the versions are read again, as they belong to the state in which those are equal.
    for (let n = 0; n < count; n++) this.#inos[n] = this.#movingState.ino(this.#cases[where + 1 + n]);
    let still = true;
    for (let n = 0; n < count; n++) {
      this.#after[n] = this.#movingState.version(this.#cases[where + 1 + n]);
      if (this.#after[n] !== this.#before[n] || (this.#before[n] & 1) !== 0) still = false;
    }
    if (still) report.still++;
    else report.loose++;
    const allowed = this.#allowed(where, count);
    for (const answer of allowed) if (this.#fits(answer, still ? where : LOOSE)) return;
    this.#wrong(i, allowed, where, report);
  }

  /** The answers of all states that the things were in between the versions before and after; the order is kept. */
  #allowed(where: number, count: number): number[] {
    let combinations = [0];
    let stride = 1;
    for (let n = 0; n < count; n++) {
      const states = this.#states[this.#cases[where + 1 + n]];
      const first = this.#before[n] >> 1;
      // An odd version is on its way to the next state, which counts as passed.
      const last = Math.min((this.#after[n] + 1) >> 1, first + states - 1);
      const longer: number[] = [];
      for (let step = first; step <= last; step++) {
        for (const combination of combinations) longer.push(combination + (step % states) * stride);
      }
      combinations = longer;
      stride *= states;
    }
    return combinations.map((combination) => this.#cases[where + 1 + count + combination]);
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
    const at = answer * ROW;
    const mode = this.#rows[at];
    if (mode >= 0 ? found.mode !== mode : (found.mode & S_IFMT) !== -mode) return false;
    const size = this.#rows[at + 1];
    if (size >= 0 && found.size !== size) return false;
    const device = this.#rows[at + 3];
    if (device !== DEVICE.ANY && (found.dev === this.#device) !== (device === DEVICE.TREE)) return false;
    const ino = this.#rows[at + 2];
    if (ino >= 0) return found.ino === ino;
    return ino === -1 || where === LOOSE || found.ino === this.#published(where, -ino - 2);
  }

  /** The inode number that a thing of this case had published; see Node.ino. */
  #published(where: number, thing: number): number {
    for (let n = 0; n < this.#cases[where]; n++) if (this.#cases[where + 1 + n] === thing) return this.#inos[n];
    return -1;
  }

  #wrong(i: number, allowed: number[], where: number, report: LookupReport): void {
    report.wrong++;
    if (report.examples.length >= EXAMPLES || report.examples.some(({ path }) => path === this.#paths[i])) return;
    const count = where === STATIC ? 0 : this.#cases[where];
    const things = Array.from({ length: count }, (_, n) => ({
      thing: this.#cases[where + 1 + n],
      before: this.#before[n],
      after: this.#after[n],
    }));
    report.examples.push({
      path: this.#paths[i],
      call: CALL_NAMES[this.#calls[i]],
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
    const [mode, size, ino, device] = this.#rows.subarray(answer * ROW, (answer + 1) * ROW);
    const dev = [undefined, this.#device, `not ${this.#device}`][device];
    return describe(mode, size, ino, dev);
  }
}

const S_IFMT = 0o170000;

/** Instead of a case: nothing moves on the path; something moved during the lookup. */
const STATIC = -1;
const LOOSE = -2;

/** The errors of which `throwIfNoEntry: false` makes undefined. */
const ABSENCE = new Set<number>([ERRNO.ENOENT, ERRNO.ENOTDIR]);

function errnoName(errno: number): string {
  return Object.entries(ERRNO).find(([, number]) => number === errno)?.[0] ?? `error ${errno}`;
}

/** Attributes for people; what is not known (negative) is left out. */
function describe(mode: number, size: number, ino: number, dev: number | string | undefined): string {
  const parts = [typeName(Math.abs(mode))];
  if (mode >= 0) parts.push(`mode ${permissions(mode)}`);
  if (size >= 0) parts.push(`size ${size}`);
  if (ino >= 0) parts.push(`ino ${ino}`);
  if (dev !== undefined) parts.push(`dev ${dev}`);
  return parts.join(" ");
}
