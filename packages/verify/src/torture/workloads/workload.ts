/** The interface of the workloads of a torture run. */
import type { Thread } from "../thread.js";

/** One kind of files or directories, which the threads of a run change and check. */
export interface Workload {
  /** How many items it has; each is changed by one thread alone. */
  readonly items: number;
  /** Makes the files, once, before the threads start. */
  build(t: Thread): void;
  /** Changes an item; only the thread that owns the item calls this. */
  write(t: Thread, i: number): void;
  /** Reads an item and checks it; any thread may call this. */
  read(t: Thread, i: number): void;
  /** Undoes the changes of a thread that ends, once all have made their last turn. */
  end?(t: Thread): void;
  /** Undoes what build() made outside of the workload's files, once all threads have ended. */
  last?(t: Thread): void;
}

/** Takes this many of the words that all threads share, in the same order in every thread. Returns the index of the first. */
export type TakeWords = (count: number) => number;

/** One item for each number below `count`. */
export function listOf<T>(count: number, make: (i: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}
