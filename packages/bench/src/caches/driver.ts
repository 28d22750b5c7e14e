// The driver of the bench "caches": files f0, f1 ..., no other name.

import type { Driver } from "threadfs";

export const FILES = 1000;

/** @param onLookup is told of each name that the driver is asked for */
export function filesDriver(onLookup: () => void): Driver {
  return {
    name: "files",
    root: () => ({ ino: 1, mode: 0o40755 }),
    lookup(_dir, name) {
      onLookup();
      return name.startsWith("f") ? { ino: 2 + Number(name.slice(1)), mode: 0o100644 } : null;
    },
  };
}

/** What a thread does: looks existing files up, asks for new names that do not exist, computes. */
export type Role = "look" | "ask" | "compute";

export interface CachesRequest {
  task: "run";
  role: Role;
  /** How many threads begin together. */
  threads: number;
  /** Turns, where it does not go on until it is stopped. */
  turns?: number;
}

export interface CachesRun {
  count: number;
  /** Nanoseconds in all, and a turn in the median batch. */
  wall: number;
  ns: number;
  /** Names that the driver was asked for in this thread. */
  asked: number;
}

/** Words of the shared control array. */
export const CONTROL = { STOP: 0, READY: 1 } as const;
