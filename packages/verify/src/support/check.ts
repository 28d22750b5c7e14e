/** A check: its options, its run, and its outcome. */
import { COMMON, type Options, type Values } from "./command-line.js";

export interface Failure {
  message: string;
  /** The arguments that repeat it. */
  replay?: string;
  trace?: string;
}

export interface Outcome {
  ok: boolean;
  /** What was covered, by name. */
  explored: Record<string, number | string>;
  failures: Failure[];
}

/** What every check is run with. */
export interface RunOptions {
  seconds: number;
  seed: number;
  /** The short form, which `npm test` runs. */
  short: boolean;
  log: (line: string) => void;
}

/** The same for tests: with the short form and the log left out where they do not matter. */
export type RunInput = Pick<RunOptions, "seconds" | "seed"> & Partial<Pick<RunOptions, "short" | "log">>;

export interface Check {
  /** What the check shows, as one sentence. */
  title: string;
  /** All its options, the common ones first. */
  options: Options;
  run(given: RunOptions & Record<string, unknown>): Promise<Outcome>;
  /** Repeats one schedule. @returns whether the check holds in it */
  replay?(schedule: string): boolean;
}

interface Definition<O extends Options> {
  title: string;
  /** Options beside the common ones, or in place of them. */
  options: O;
  run(given: Omit<RunOptions, keyof O> & Values<O>): Promise<Outcome>;
  replay?(schedule: string): boolean;
}

/** A check from its definition; its options determine the type of what `run` gets. */
export function defineCheck<O extends Options>(definition: Definition<O>): Check {
  const { title, options, run, replay } = definition;
  return {
    title,
    options: { ...COMMON, ...options, ...(replay ? { replay: { type: "string" } as const } : {}) },
    // The command line has parsed the values by these very options.
    run: (given) => run(given as unknown as Omit<RunOptions, keyof O> & Values<O>),
    ...(replay ? { replay } : {}),
  };
}

/** Prints what a check came to. */
export function printOutcome({ explored, failures }: Outcome): void {
  for (const [name, value] of Object.entries(explored)) console.log(`  ${name}: ${value}`);
  for (const { message, replay, trace } of failures) {
    console.log(`\n${message}${replay ? `\n  again: ${replay}` : ""}${trace ? `\n${trace}` : ""}`);
  }
}
