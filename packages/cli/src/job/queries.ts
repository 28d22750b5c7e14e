/**
 * The questions that lookups ask and what has to be answered, packed into shared memory once for all workers.
 *
 *   text, offsets   the paths as UTF-8; path i is text[offsets[i] .. offsets[i + 1]]
 *   calls           how path i is asked: CALL
 *   answers         what must be answered to i: a row's number, or -errno
 *   moving          -1, or where in `cases` it stands what the answer depends on; then `answers` holds that of state 0
 *   cases           number of things n; n thing numbers; an answer for each combination of their states, the first
 *                   thing's state changing fastest
 *   rows            4 numbers each: mode, size, ino, device (see reference-model.ts)
 */

import type { MovingEntry } from "./moving.js";
import { type Model, type Node, nodeOf } from "./reference-model.js";

/** The calls that a lookup makes. */
export const CALL = { STAT: 0, LSTAT: 1, EXISTS: 2, ACCESS: 3 } as const;
export const CALL_NAMES = ["statSync", "lstatSync", "existsSync", "accessSync"];

export interface Query {
  path: string;
  call: number;
}

/** The packed questions, as they go to a worker. The first `base` of them are about names of the real directory. */
export interface PackedQueries {
  count: number;
  base: number;
  text: SharedArrayBuffer;
  offsets: SharedArrayBuffer;
  calls: SharedArrayBuffer;
  answers: SharedArrayBuffer;
  moving: SharedArrayBuffer;
  cases: SharedArrayBuffer;
  rows: SharedArrayBuffer;
  /** Number of states of each thing. */
  states: number[];
}

export const ROW = 4;
/** A question whose answer depends on more combinations of states than this is not asked. */
const MAX_CASES = 64;

export class QueryTable {
  readonly #model: Model;
  readonly #things: MovingEntry[];
  readonly #paths: string[] = [];
  readonly #calls: number[] = [];
  readonly #answers: number[] = [];
  readonly #moving: number[] = [];
  readonly #cases: number[] = [];
  readonly #rows: number[] = [];
  readonly #rowOf = new Map<Node, number>();
  #base = 0;
  /** Questions that were not asked as their answer depends on too many things. */
  tangled = 0;

  constructor(model: Model, things: MovingEntry[]) {
    this.#model = model;
    this.#things = things;
  }

  get count(): number {
    return this.#paths.length;
  }

  /** Whether a path that nothing moves on resolves to something; used to choose paths that do not exist. */
  exists(path: string): boolean {
    return typeof this.#model.resolve(path, true, () => 0) !== "number";
  }

  /** All questions up to here are about names of the real directory. */
  endBase(): void {
    this.#base = this.count;
  }

  add({ path, call }: Query): void {
    const { things, answers } = this.#answersTo(path, call !== CALL.LSTAT);
    if (answers.length === 0) {
      this.tangled++;
      return;
    }
    this.#paths.push(path);
    this.#calls.push(call);
    this.#answers.push(answers[0]);
    if (things.length === 0) {
      this.#moving.push(-1);
    } else {
      this.#moving.push(this.#cases.length);
      this.#cases.push(things.length, ...things, ...answers);
    }
  }

  /**
   * Makes one answer wrong: that of a file on whose path nothing moves gets a size that the file does not have.
   * Answers its path.
   */
  plantWrongAnswer(): string | undefined {
    for (let i = 0; i < this.#base; i++) {
      const row = this.#answers[i];
      if (this.#moving[i] !== -1 || this.#calls[i] !== CALL.STAT || row < 0) continue;
      const [mode, size, ino, device] = this.#rows.slice(row * ROW, (row + 1) * ROW);
      if (size < 0) continue;
      this.#answers[i] = this.#row({ ...nodeOf({ mode, size: size + 1, ino }), device });
      return this.#paths[i];
    }
    return undefined;
  }

  /**
   * The answers in every combination of states of the things that the path depends on. Which those are may itself
   * depend on states, so it is asked again until no more turn up. No answers: too many combinations.
   */
  #answersTo(path: string, follow: boolean): { things: number[]; answers: number[] } {
    const things: number[] = [];
    for (;;) {
      const cases = things.reduce((product, thing) => product * this.#things[thing].states, 1);
      if (cases > MAX_CASES) return { things, answers: [] };
      const known = things.length;
      const answers: number[] = [];
      for (let n = 0; n < cases; n++) {
        const states = this.#statesOf(n, things);
        const found = this.#model.resolve(path, follow, (thing) => {
          const at = things.indexOf(thing);
          if (at < 0) things.push(thing);
          return states[at] ?? 0;
        });
        answers.push(typeof found === "number" ? found : this.#row(found));
      }
      if (things.length === known) return { things, answers };
    }
  }

  #statesOf(combination: number, things: number[]): number[] {
    let rest = combination;
    return things.map((thing) => {
      const state = rest % this.#things[thing].states;
      rest = Math.floor(rest / this.#things[thing].states);
      return state;
    });
  }

  #row(node: Node): number {
    let row = this.#rowOf.get(node);
    if (row === undefined) {
      row = this.#rows.length / ROW;
      this.#rows.push(node.mode, node.size, node.ino, node.device);
      this.#rowOf.set(node, row);
    }
    return row;
  }

  pack(): PackedQueries {
    const encoder = new TextEncoder();
    const encoded = this.#paths.map((path) => encoder.encode(path));
    const offsets = [0];
    for (const bytes of encoded) offsets.push(offsets[offsets.length - 1] + bytes.length);
    const text = new SharedArrayBuffer(offsets[offsets.length - 1]);
    const view = new Uint8Array(text);
    for (const [i, bytes] of encoded.entries()) view.set(bytes, offsets[i]);
    return {
      count: this.count,
      base: this.#base,
      text,
      offsets: shared(Uint32Array, offsets),
      calls: shared(Uint8Array, this.#calls),
      answers: shared(Int32Array, this.#answers),
      moving: shared(Int32Array, this.#moving),
      cases: shared(Int32Array, this.#cases),
      rows: shared(Float64Array, this.#rows),
      states: this.#things.map((thing) => thing.states),
    };
  }
}

type NumberArray = Uint8Array | Uint32Array | Int32Array | Float64Array;

function shared(
  Type: { new (memory: SharedArrayBuffer): NumberArray; BYTES_PER_ELEMENT: number },
  values: number[],
): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(values.length * Type.BYTES_PER_ELEMENT);
  new Type(memory).set(values);
  return memory;
}

/** The first `count` paths again, as strings of this thread's own. */
export function unpackPaths(packed: PackedQueries, count: number): string[] {
  // The decoder takes no shared memory everywhere, so it gets a copy.
  const text = new Uint8Array(packed.text).slice();
  const offsets = new Uint32Array(packed.offsets);
  const decoder = new TextDecoder();
  return Array.from({ length: count }, (_, i) => decoder.decode(text.subarray(offsets[i], offsets[i + 1])));
}

/**
 * A path that does not exist and that module resolution would ask for beside an existing one: a package in a
 * directory, a name with another ending, the files by which a directory is loaded.
 * @param turn which of the patterns to try first
 */
export function missingNear(book: QueryTable, path: string, isDirectory: boolean, turn: number): string | undefined {
  const patterns = isDirectory ? DIRECTORY_MISSES : FILE_MISSES;
  for (let i = 0; i < patterns.length; i++) {
    const missing = patterns[(turn + i) % patterns.length](path);
    if (!book.exists(missing)) return missing;
  }
  return undefined;
}

const withoutEnding = (path: string): string => path.replace(/\.[^./]*$/, "");

const DIRECTORY_MISSES: ((path: string) => string)[] = [
  (path) => `${path}/node_modules/missing-package`,
  (path) => `${path}/package.json`,
  (path) => `${path}/index.js`,
  (path) => `${path}.js`,
  (path) => `${path}/index.ts`,
];

const FILE_MISSES: ((path: string) => string)[] = [
  (path) => `${path}.js`,
  (path) => `${withoutEnding(path)}.ts`,
  (path) => `${path}/index.js`,
  (path) => `${withoutEnding(path)}.json`,
  (path) => `${path}/package.json`,
  (path) => `${withoutEnding(path)}/index.js`,
  (path) => `${path}.json`,
];
