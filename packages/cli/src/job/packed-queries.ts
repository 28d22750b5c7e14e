/**
 * The queries with their right answers, packed into shared memory once for all workers.
 *
 *   text, offsets   the paths as UTF-8; path i is text[offsets[i] .. offsets[i + 1]]
 *   calls           how path i is looked up: CALL
 *   answers         the right answer to i: a row's number, or -errno
 *   moving          -1, or where in `cases` stands what the answer depends on; then `answers` holds that of state 0
 *   cases           number of things n; n thing numbers; an answer for each combination of their states, the first
 *                   thing's state changing fastest
 *   rows            4 numbers each: mode, size, ino, device (see reference-model.ts)
 */

/** The calls that a lookup makes. */
export const CALL = { STAT: 0, LSTAT: 1, EXISTS: 2, ACCESS: 3 } as const;
export const CALL_NAMES = ["statSync", "lstatSync", "existsSync", "accessSync"];

/** The packed queries, as they go to a worker. The first `base` of them are about names of the real directory. */
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

/** Numbers in a row. */
export const ROW = 4;

type NumberArray = Uint8Array | Uint32Array | Int32Array | Float64Array;

/** Copies numbers to shared memory. */
export function shared(
  Type: { new (memory: SharedArrayBuffer): NumberArray; BYTES_PER_ELEMENT: number },
  values: number[],
): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(values.length * Type.BYTES_PER_ELEMENT);
  new Type(memory).set(values);
  return memory;
}

/** Packs paths; returns them as `text` and `offsets`. */
export function packPaths(paths: string[]): Pick<PackedQueries, "text" | "offsets"> {
  const encoder = new TextEncoder();
  const encoded = paths.map((path) => encoder.encode(path));
  const offsets = [0];
  let end = 0;
  for (const bytes of encoded) {
    end += bytes.length;
    offsets.push(end);
  }
  const text = new SharedArrayBuffer(end);
  const view = new Uint8Array(text);
  end = 0;
  for (const bytes of encoded) {
    view.set(bytes, end);
    end += bytes.length;
  }
  return { text, offsets: shared(Uint32Array, offsets) };
}

/**
 * A worker's view of the first `count` packed queries, with the paths as strings of this thread's own. Its methods are in the
 * loops that are measured: they cast what they read instead of checking it, as QueryTable packs only numbers that are in range.
 */
export class QueryReader {
  readonly count: number;
  readonly #paths: string[];
  readonly #calls: Uint8Array;
  readonly #answers: Int32Array;
  readonly #moving: Int32Array;
  readonly #cases: Int32Array;
  readonly #rows: Float64Array;
  readonly #states: number[];

  constructor(packed: PackedQueries, count: number) {
    this.count = count;
    this.#calls = new Uint8Array(packed.calls);
    this.#answers = new Int32Array(packed.answers);
    this.#moving = new Int32Array(packed.moving);
    this.#cases = new Int32Array(packed.cases);
    this.#rows = new Float64Array(packed.rows);
    this.#states = packed.states;
    // Not every host's decoder takes shared memory, so it gets a copy.
    const text = new Uint8Array(packed.text).slice();
    const offsets = new Uint32Array(packed.offsets);
    const decoder = new TextDecoder();
    this.#paths = Array.from({ length: count }, (_, i) => decoder.decode(text.subarray(offsets[i], offsets[i + 1])));
  }

  path(i: number): string {
    return this.#paths[i] as string;
  }

  call(i: number): number {
    return this.#calls[i] as number;
  }

  answer(i: number): number {
    return this.#answers[i] as number;
  }

  /** The case of query i; -1: its answer depends on no thing. */
  caseOf(i: number): number {
    return this.#moving[i] as number;
  }

  /** The number of things that a case depends on. */
  things(where: number): number {
    return this.#cases[where] as number;
  }

  /** The number of a case's n-th thing. */
  thing(where: number, n: number): number {
    return this.#cases[where + 1 + n] as number;
  }

  /** The number of states of a case's n-th thing. */
  states(where: number, n: number): number {
    return this.#states[this.thing(where, n)] as number;
  }

  /** A case's answer in one combination of states. */
  answerIn(where: number, combination: number): number {
    return this.#cases[where + 1 + this.things(where) + combination] as number;
  }

  mode(row: number): number {
    return this.#rows[row * ROW] as number;
  }

  size(row: number): number {
    return this.#rows[row * ROW + 1] as number;
  }

  ino(row: number): number {
    return this.#rows[row * ROW + 2] as number;
  }

  device(row: number): number {
    return this.#rows[row * ROW + 3] as number;
  }
}
