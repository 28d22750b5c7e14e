/**
 * What the main thread of the job orders its workers to do.
 */
import type { VfsHandle } from "threadfs";
import type { Loaded, LoaderOptions } from "../load/load.js";
import type { Thing } from "./moving.js";
import type { PackedQuestions } from "./queries.js";
import type { Order } from "./worker-pool.js";

/** What every worker is started with. */
export interface WorkerStart {
  handle: VfsHandle;
}

/** Loads everything but contents; answers the names of files that have several. "fill" loads contents and answers the report. */
export interface LoadOrder extends Order, Omit<LoaderOptions, "fs"> {
  task: "load";
  list: SharedArrayBuffer;
}

/** Takes over the questions; from then on it can look up. */
export interface LearnOrder extends Order {
  task: "learn";
  questions: PackedQuestions;
  things: SharedArrayBuffer;
}

export interface LookOrder extends Order {
  task: "look";
  stop: Int32Array;
  seconds: number;
  all: boolean;
  seed: number;
  /** Force ref-walk. */
  ref: boolean;
}

export interface ChurnOrder extends Order {
  task: "churn";
  stop: Int32Array;
  seconds: number;
  list: Thing[];
  things: SharedArrayBuffer;
}

/** Loads memfs with these names; answers whether it is installed. */
export interface MemfsOrder extends Order {
  task: "memfs";
  loaded: Loaded[];
}

export type RivalName = "node" | "memfs";

export interface RivalOrder extends Order {
  task: "rival";
  rival: RivalName;
  seconds: number;
  seed: number;
}

/** Everything that the tree's owner may do, and modes as they are asked for. */
export const PRIVILEGED = { uid: 0, gid: 0, groups: [], umask: 0, cwd: "/", root: "/" };
