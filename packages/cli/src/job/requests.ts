/**
 * The requests of the job's main thread to its workers.
 */
import type { VfsHandle } from "threadfs";
import type { Loaded, LoaderOptions } from "../load/load.js";
import type { MovingEntry } from "./moving.js";
import type { PackedQueries } from "./packed-queries.js";

/** What every worker is started with. */
export interface WorkerStart {
  handle: VfsHandle;
}

export type JobRequest =
  | PlainRequest
  | LoadRequest
  | LearnRequest
  | LookUpRequest
  | MutateRequest
  | MemfsRequest
  | RivalRequest;

/** "hello": returns when the worker has opened the tree. "fill": loads the contents; returns the report of the load. */
export interface PlainRequest {
  task: "hello" | "fill";
}

/** Loads everything but contents; returns the names of files that have several. */
export interface LoadRequest extends Omit<LoaderOptions, "fs" | "omitted"> {
  task: "load";
  list: SharedArrayBuffer;
}

/** Hands over the queries, which the worker must have before it can look up. */
export interface LearnRequest {
  task: "learn";
  questions: PackedQueries;
  things: SharedArrayBuffer;
}

export interface LookUpRequest {
  task: "look";
  stop: Int32Array;
  seconds: number;
  all: boolean;
  seed: number;
  /** Force ref-walk. */
  ref: boolean;
}

export interface MutateRequest {
  task: "churn";
  stop: Int32Array;
  seconds: number;
  list: MovingEntry[];
  things: SharedArrayBuffer;
}

/** Loads memfs with these names; returns whether it is installed. */
export interface MemfsRequest {
  task: "memfs";
  loaded: Loaded[];
}

export type RivalName = "node" | "memfs";

export interface RivalRequest {
  task: "rival";
  rival: RivalName;
  seconds: number;
  seed: number;
}
