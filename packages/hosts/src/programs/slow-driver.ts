/** A driver with a name that takes as long as another thread says. */
import type { Driver } from "threadfs";

/** The words of the memory that the threads share: the slow lookup has begun, it may end. */
export const BEGUN = 0;
export const MAY_END = 1;

export function slowDriver(words: Int32Array): Driver {
  return {
    name: "slow",
    root: () => ({ ino: 1, mode: 0o40755 }),
    lookup(_dir, name) {
      if (name === "slow") {
        Atomics.store(words, BEGUN, 1);
        // Only a worker looks it up.
        Atomics.wait(words, MAY_END, 0);
      }
      return { ino: name.length + 1, mode: 0o100644 };
    },
  };
}
