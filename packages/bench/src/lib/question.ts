// The shape of a question: each file beside run.ts that measures something exports one.

import type { Result } from "./result.js";
import type { Kind } from "./rivals.js";

export interface BenchOptions {
  quick: boolean;
  rounds: number;
  /** Rivals that are left out. */
  skip: (Kind | "C")[];
  /** Directory for compiled programs and lists. */
  scratch: string;
  /** The disk's file system, the second place for the kernel's rivals. */
  tempdir: string;
  log(text: string): void;
}

export interface Question {
  name: string;
  run(options: BenchOptions): Promise<Result>;
}
