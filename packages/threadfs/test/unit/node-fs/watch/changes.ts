/** What the tests of `watchFile` have in common: they wait for events, and never for a time. */
import type { BigIntStats, Stats, StatWatcher } from "node:fs";
import type { FsCalls } from "../../../support/fs-calls.js";

/** The shortest interval. */
export const OFTEN = { interval: 1 };

type AnyStats = Stats | BigIntStats;

/** What stats say that does not differ from run to run. */
export function shownStats(stats: AnyStats): unknown {
  const { size, mode, nlink } = stats;
  const numbers = [stats.ino, stats.mtimeMs, stats.ctimeMs, stats.birthtimeMs];
  return [stats.constructor.name, typeof size, `${size} ${mode.toString(8)} ${nlink}`, ...numbers.map((n) => n > 0)];
}

/** The changes of a file in their order. */
export interface Changes {
  readonly watcher: StatWatcher;
  readonly listener: (current: AnyStats, previous: AnyStats) => void;
  /** The changes that nobody has waited for. */
  readonly left: readonly unknown[];
  /** The next change: its two stats. */
  next(): Promise<unknown>;
}

/** Calls `watchFile` with a listener that keeps what it is told. */
export function changesOf(fs: FsCalls, path: string, options: object = OFTEN): Changes {
  const left: unknown[] = [];
  let wake = () => {};
  const listener = (current: AnyStats, previous: AnyStats): void => {
    left.push([shownStats(current), shownStats(previous)]);
    wake();
  };
  return {
    watcher: fs.watchFile(path, options, listener),
    listener,
    left,
    async next() {
      while (left.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return left.shift();
    },
  };
}

/** Makes a file with its contents in one step: a look finds all of it or nothing. */
export function putFile(fs: FsCalls, path: string, text: string): void {
  fs.writeFileSync(`${path}.new`, text);
  fs.renameSync(`${path}.new`, path);
}
