/**
 * What the main thread of the job orders its workers to do.
 */
import type { VfsHandle } from "threadfs";
import type { Loaded, LoaderOptions } from "../load/load.js";
import type { MovingEntry } from "./moving.js";
import type { PackedQueries } from "./queries.js";
import type { Request } from "./worker-pool.js";

/** What every worker is started with. */
export interface WorkerStart {
  handle: VfsHandle;
}

/** Loads everything but contents; answers the names of files that have several. "fill" loads contents and answers the report. */
export interface LoadRequest extends Request, Omit<LoaderOptions, "fs"> {
  task: "load";
  list: SharedArrayBuffer;
}

/** Takes over the questions; from then on it can look up. */
export interface LearnRequest extends Request {
  task: "learn";
  questions: PackedQueries;
  things: SharedArrayBuffer;
}

export interface LookUpRequest extends Request {
  task: "look";
  stop: Int32Array;
  seconds: number;
  all: boolean;
  seed: number;
  /** Force ref-walk. */
  ref: boolean;
}

export interface MutateRequest extends Request {
  task: "churn";
  stop: Int32Array;
  seconds: number;
  list: MovingEntry[];
  things: SharedArrayBuffer;
}

/** Loads memfs with these names; answers whether it is installed. */
export interface MemfsRequest extends Request {
  task: "memfs";
  loaded: Loaded[];
}

export type RivalName = "node" | "memfs";

export interface RivalRequest extends Request {
  task: "rival";
  rival: RivalName;
  seconds: number;
  seed: number;
}

/** Everything that the tree's owner may do, and modes as they are asked for. */
export const PRIVILEGED = { uid: 0, gid: 0, groups: [], umask: 0, cwd: "/", root: "/" };
