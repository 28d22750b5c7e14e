/** A check: its options, its run, and its outcome. */
import { COMMON, type Options, UNLIMITED, type Values } from "./command-line.js";

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
  /** The time of the long form. */
  seconds: number;
  seed: number;
  /** The short form, which `npm test` runs: it ends with its work, on every machine with the same. */
  short: boolean;
  log: (line: string) => void;
}

/** The same for tests: with all but the seed left out where it does not matter. Without a time the run ends with its work. */
export type RunInput = Pick<RunOptions, "seed"> & Partial<RunOptions>;

/** When a run ends, by performance.now(): never by time if it is the short form. */
export function endOfRun({ seconds = UNLIMITED, short = false }: Partial<RunOptions>): number {
  return short ? UNLIMITED : performance.now() + seconds * 1000;
}

/** When a part of a run ends that begins now and may take so long, in milliseconds, if the run ends by time. */
export const endOfPart = (end: number, ms: number): number =>
  end === UNLIMITED ? end : Math.min(end, performance.now() + ms);

/** The failure of a run whose time was over before anything was checked. It says nothing about the subject. */
export const nothingChecked = (seconds = UNLIMITED): Failure => ({
  message: `ERR_VERIFY_BUDGET: nothing was checked in ${seconds} s; give more --seconds`,
});

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
