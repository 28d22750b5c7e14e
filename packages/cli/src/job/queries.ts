/**
 * The table of queries: what the job looks up, and the right answer in each state of the things that the answer depends on.
 */
import { defined } from "../support/defined.js";
import type { MovingEntry } from "./moving.js";
import { CALL, type PackedQueries, packPaths, ROW, shared } from "./packed-queries.js";
import { type Model, type Node, nodeOf } from "./reference-model.js";

export interface Query {
  path: string;
  call: number;
}

/** A query whose answer depends on more combinations of states than this is left out. */
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
  /** Queries that were left out, as their answers depend on too many things. */
  tangled = 0;

  constructor(model: Model, things: MovingEntry[]) {
    this.#model = model;
    this.#things = things;
  }

  get count(): number {
    return this.#paths.length;
  }

  /** Whether a path on which nothing moves exists; used to choose paths that do not. */
  exists(path: string): boolean {
    return typeof this.#model.resolve(path, true, () => 0) !== "number";
  }

  /** All queries up to here are about names of the real directory. */
  endBase(): void {
    this.#base = this.count;
  }

  add({ path, call }: Query): void {
    const { things, answers } = this.#answersTo(path, call !== CALL.LSTAT);
    const [first] = answers;
    if (first === undefined) {
      this.tangled++;
      return;
    }
    this.#paths.push(path);
    this.#calls.push(call);
    this.#answers.push(first);
    if (things.length === 0) {
      this.#moving.push(-1);
    } else {
      this.#moving.push(this.#cases.length);
      this.#cases.push(things.length, ...things, ...answers);
    }
  }

  /**
   * Makes one answer wrong: a file on whose path nothing moves gets a size that it does not have. Returns its path, or
   * undefined when there is no such file.
   */
  plantWrongAnswer(): string | undefined {
    for (const [i, row] of this.#answers.slice(0, this.#base).entries()) {
      if (this.#moving[i] !== -1 || this.#calls[i] !== CALL.STAT || row < 0) continue;
      const [mode = 0, size = -1, ino = 0, device = 0] = this.#rows.slice(row * ROW, (row + 1) * ROW);
      if (size < 0) continue;
      this.#answers[i] = this.#row({ ...nodeOf({ mode, size: size + 1, ino }), device });
      return this.#paths[i];
    }
    return undefined;
  }

  /**
   * The answers in every combination of states of the things that the path depends on. Which things those are may itself
   * depend on states, so the path is resolved again until no more turn up. No answers: too many combinations.
   */
  #answersTo(path: string, follow: boolean): { things: number[]; answers: number[] } {
    const things: number[] = [];
    for (;;) {
      const cases = things.reduce((product, thing) => product * this.#statesOf(thing), 1);
      if (cases > MAX_CASES) return { things, answers: [] };
      const known = things.length;
      const answers: number[] = [];
      for (let n = 0; n < cases; n++) {
        const states = this.#combination(n, things);
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

  #statesOf(thing: number): number {
    return defined(this.#things[thing], `thing ${thing}`).states;
  }

  /** The states of the things in the combination of that number. */
  #combination(number: number, things: number[]): number[] {
    let rest = number;
    return things.map((thing) => {
      const states = this.#statesOf(thing);
      const state = rest % states;
      rest = Math.floor(rest / states);
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
    return {
      count: this.count,
      base: this.#base,
      ...packPaths(this.#paths),
      calls: shared(Uint8Array, this.#calls),
      answers: shared(Int32Array, this.#answers),
      moving: shared(Int32Array, this.#moving),
      cases: shared(Int32Array, this.#cases),
      rows: shared(Float64Array, this.#rows),
      states: this.#things.map((thing) => thing.states),
    };
  }
}

/**
 * Returns a path that does not exist and that module resolution would look up beside an existing one: a package in a
 * directory, a name with another ending, the files by which a directory is loaded. undefined: all of these exist.
 * @param turn which of the patterns to try first
 */
export function missingNear(table: QueryTable, path: string, isDirectory: boolean, turn: number): string | undefined {
  const patterns = isDirectory ? DIRECTORY_MISSES : FILE_MISSES;
  const first = turn % patterns.length;
  for (const pattern of [...patterns.slice(first), ...patterns.slice(0, first)]) {
    const missing = pattern(path);
    if (!table.exists(missing)) return missing;
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
