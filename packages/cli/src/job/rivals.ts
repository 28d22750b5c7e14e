/**
 * The same lookups through other file systems: `node:fs` on the real directory, and memfs with the same names. Of their
 * answers only whether the path exists is compared. Differences are counted, not failures: links that lead out of the
 * directory do differ.
 */
import * as host from "node:fs";
import type { Loaded } from "../load/load.js";
import { CliError } from "../support/errors.js";
import { shuffledOrder } from "../support/random.js";
import { CALL, type PackedQueries, QueryReader } from "./packed-queries.js";

/** The calls of node:fs that a lookup makes. */
export interface RivalFs {
  statSync(path: string, options: { throwIfNoEntry: false }): unknown;
  lstatSync(path: string, options: { throwIfNoEntry: false }): unknown;
  existsSync(path: string): boolean;
}

export interface RivalReport {
  lookups: number;
  seconds: number;
  /** Lookups that found a path that threadfs does not have, or the other way round. */
  differing: number;
}

const BATCH = 64;

export class Rival {
  readonly #fs: RivalFs;
  /** Of the packed queries those about names of the real directory. */
  readonly #queries: QueryReader;

  constructor(fs: RivalFs, packed: PackedQueries) {
    this.#fs = fs;
    this.#queries = new QueryReader(packed, packed.base);
  }

  /** Looks up the names of the real directory until the time, in seconds, is over: some in any time, none in 0. */
  run(seconds: number, seed: number): RivalReport {
    const order = shuffledOrder(this.#queries.count, seed);
    const begin = performance.now();
    const end = begin + seconds * 1000;
    let lookups = 0;
    let differing = 0;
    let at = 0;
    while (performance.now() < end || (lookups === 0 && seconds > 0)) {
      for (let n = 0; n < BATCH; n++) {
        const i = order[at] as number; // `at` is below the length
        at = at + 1 === order.length ? 0 : at + 1;
        if (this.#exists(i) !== this.#queries.answer(i) >= 0) differing++;
      }
      lookups += BATCH;
    }
    return { lookups, seconds: (performance.now() - begin) / 1000, differing };
  }

  #exists(i: number): boolean {
    const path = this.#queries.path(i);
    try {
      const call = this.#queries.call(i);
      if (call === CALL.STAT) return this.#fs.statSync(path, QUIET) !== undefined;
      if (call === CALL.LSTAT) return this.#fs.lstatSync(path, QUIET) !== undefined;
      return this.#fs.existsSync(path);
    } catch {
      return false;
    }
  }
}

const QUIET = { throwIfNoEntry: false } as const;

export const nodeFs: RivalFs = host;

/** A memfs volume with the names that were loaded; files are empty. undefined: memfs is not installed. */
export async function memfsWith(loaded: Loaded[]): Promise<RivalFs | undefined> {
  const memfs = await import("memfs").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw new CliError(error.code ?? error.name, `memfs: ${error.message}`);
  });
  if (!memfs) return undefined;
  const volume = new memfs.Volume();
  for (const { path, mode, target } of loaded) {
    if (target !== undefined) volume.symlinkSync(target, path);
    else if ((mode & host.constants.S_IFMT) === host.constants.S_IFDIR) volume.mkdirSync(path, { recursive: true });
    else volume.writeFileSync(path, "");
  }
  return volume as unknown as RivalFs;
}
