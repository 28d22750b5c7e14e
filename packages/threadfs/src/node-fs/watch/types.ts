/** The types of `watch` and `watchFile`: with @types/node the watchers are Node's, which are EventEmitters. */
import type { NodeFs } from "../streams/types.js";
import type { BigIntStats, Bytes, Encoding, PathLike, Stats } from "../types.js";

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

type Signal = typeof globalThis extends { AbortSignal: { prototype: infer S } } ? S : { readonly aborted: boolean };
/** A glob, what a name matches, or a function that is given the name. */
type Ignored = string | RegExp | ((filename: string) => boolean);

export interface WatchOptions {
  /** Keeps the process alive. Default: true. */
  persistent?: boolean | undefined;
  /** The whole tree below a directory. Default: false. */
  recursive?: boolean | undefined;
  /** Ends the watch. */
  signal?: Signal | undefined;
  /** Names that are not told. */
  ignore?: Ignored | readonly Ignored[] | undefined;
}
/** Without it a path that is missing is watched by a watcher that says nothing. */
type Missing = { throwIfNoEntry?: boolean | undefined };
type Text = WatchOptions & { encoding?: Encoding | null | undefined };
/** As Node's types have it, also for a listener that is given text. */
type AnyName = WatchOptions & Missing & { encoding?: Encoding | "buffer" | null | undefined };
type Binary = WatchOptions & { encoding: "buffer" };

/** `filename` null: any; changes were lost. */
export type WatchListener<Name> = (eventType: "rename" | "change", filename: Name | null) => void;

/** The watcher of one file or directory (https://nodejs.org/api/fs.html#class-fsfswatcher). */
type FSWatcher = [NodeFs] extends [never]
  ? Watcher & { close(): void }
  : NodeFs extends { watch: (...args: never[]) => infer W }
    ? W
    : Watcher & { close(): void };

/** What `promises.watch` tells. */
export interface WatchEvent<Name> {
  eventType: "rename" | "change";
  filename: Name | null;
}

interface Queued {
  /** Events that are kept until they are asked for. Default: 2048. */
  maxQueue?: number | undefined;
  /** What happens to more: they are not told, or the iterator fails with ERR_FS_WATCH_QUEUE_OVERFLOW. Default: "ignore". */
  overflow?: "ignore" | "error" | undefined;
}

export interface WatchPromises {
  watch(filename: PathLike, options: Binary & Queued): AsyncIterableIterator<WatchEvent<Bytes>>;
  watch(filename: PathLike, options?: Text & Queued): AsyncIterableIterator<WatchEvent<string>>;
}

export interface Watchers {
  watch(filename: PathLike, options: (Binary & Missing) | "buffer", listener?: WatchListener<Bytes>): FSWatcher;
  watch(filename: PathLike, options?: AnyName | Encoding | null, listener?: WatchListener<string>): FSWatcher;
  watch(filename: PathLike, options: AnyName | string, listener?: WatchListener<string | Bytes>): FSWatcher;
  watch(filename: PathLike, listener?: WatchListener<string>): FSWatcher;
  watchFile(filename: PathLike, options: NumberOptions | undefined, listener: StatsListener): StatWatcher;
  watchFile(filename: PathLike, options: BigIntOptions | undefined, listener: BigIntStatsListener): StatWatcher;
  watchFile(filename: PathLike, listener: StatsListener): StatWatcher;
  unwatchFile(filename: PathLike, listener?: StatsListener): void;
  unwatchFile(filename: PathLike, listener?: BigIntStatsListener): void;
}
