/** The types of `watchFile`: with @types/node its StatWatcher is Node's, an EventEmitter. */
import type { NodeFs } from "../streams/types.js";
import type { BigIntStats, PathLike, Stats } from "../types.js";

interface WatchFileOptions {
  /** Keeps the process alive. Default: true. */
  persistent?: boolean | undefined;
  /** Time between two looks at the file, in milliseconds. Default: 5007. */
  interval?: number | undefined;
}
type NumberOptions = WatchFileOptions & { bigint?: false | undefined };
type BigIntOptions = WatchFileOptions & { bigint: true };

type StatsListener = (current: Stats, previous: Stats) => void;
type BigIntStatsListener = (current: BigIntStats, previous: BigIntStats) => void;
type Listener = (...args: never[]) => void;

/** A watcher for a program without @types/node. */
interface Watcher {
  on(event: string | symbol, listener: Listener): this;
  once(event: string | symbol, listener: Listener): this;
  off(event: string | symbol, listener: Listener): this;
  ref(): this;
  unref(): this;
}

/** The listeners of one file (https://nodejs.org/api/fs.html#class-fsstatwatcher). */
type StatWatcher = [NodeFs] extends [never]
  ? Watcher
  : NodeFs extends { watchFile: (...args: never[]) => infer W }
    ? W
    : Watcher;

export interface WatchFile {
  watchFile(filename: PathLike, options: NumberOptions | undefined, listener: StatsListener): StatWatcher;
  watchFile(filename: PathLike, options: BigIntOptions | undefined, listener: BigIntStatsListener): StatWatcher;
  watchFile(filename: PathLike, listener: StatsListener): StatWatcher;
  unwatchFile(filename: PathLike, listener?: StatsListener): void;
  unwatchFile(filename: PathLike, listener?: BigIntStatsListener): void;
}
