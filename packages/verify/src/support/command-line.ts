/** The command line of the checks: options that are declared as data, parsed and held to their limits. */
import { parseArgs } from "node:util";
import { messageOf } from "./defined.js";
import { UsageError } from "./usage-error.js";

/** An option. `least` is the smallest number that it takes; `parts` allows numbers that are not whole. */
export type Option =
  | { type: "string" }
  | { type: "boolean" }
  | { type: "number"; least: number; parts?: boolean; default?: number };
export type Options = Record<string, Option>;

type ValueOf<O extends Option> = O extends { type: "number"; default: number }
  ? number
  : O extends { type: "number" }
    ? number | undefined
    : O extends { type: "boolean" }
      ? boolean
      : string | undefined;
/** The values of options: undefined where one is not given and has no default, false for a flag that is not given. */
export type Values<O extends Options> = { [K in keyof O]: ValueOf<O[K]> };

/** A number of seconds for runs that end with their work: nothing but a watchdog stops them. */
export const UNLIMITED = Number.POSITIVE_INFINITY;

/** Options that all checks have. */
export const COMMON = {
  seconds: { type: "number", least: 0.001, parts: true, default: 60 },
  seed: { type: "number", least: 0, default: 1 },
  short: { type: "boolean" },
} as const satisfies Options;

function numberOf(name: string, text: string, { least, parts = false }: Extract<Option, { type: "number" }>): number {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  if (number >= least && (parts || Number.isInteger(number))) return number;
  throw new UsageError("ERR_VERIFY_OPTION", `--${name} takes a number of ${least} or more, not ${text}`);
}

function parsedValue(name: string, option: Option, given: string | boolean | undefined): unknown {
  if (option.type === "boolean") return given === true;
  if (option.type === "string") return given;
  return typeof given === "string" ? numberOf(name, given, option) : option.default;
}

/** Runs a command: exit code 1 if it returns false, or if its arguments are wrong, which it says in one line. */
export async function runCommand(main: (args: string[]) => Promise<boolean>): Promise<void> {
  try {
    process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error}`);
    process.exitCode = 1;
  }
}

/**
 * Parses the arguments. With --help the process ends after a line that lists the options.
 * @throws UsageError ERR_VERIFY_OPTION for an unknown option or a wrong value, after the same line
 */
export function commandLine<O extends Options>(options: O, args: string[]): Values<O> {
  const help = { type: "boolean" } as const;
  let wrong: string | undefined;
  try {
    const config = Object.entries(options).map(
      ([name, { type }]) => [name, { type: type === "boolean" ? "boolean" : "string" }] as const,
    );
    const { values } = parseArgs({ args, options: { ...Object.fromEntries(config), help } });
    const given: Record<string, string | boolean | undefined> = values;
    if (given.help !== true) {
      const parsed = Object.entries(options).map(([name, option]) => [name, parsedValue(name, option, given[name])]);
      return Object.fromEntries(parsed) as Values<O>;
    }
  } catch (error) {
    wrong = messageOf(error);
  }
  const all = Object.entries(options).map(([name, { type }]) => `--${name}${type === "boolean" ? "" : " ..."}`);
  console.log(`options: ${all.join(" ")}`);
  if (wrong !== undefined) throw new UsageError("ERR_VERIFY_OPTION", wrong);
  process.exit(0);
}
