/**
 * Deaths in WASI: a thread of a program is stopped for ever before each access that an import makes, to the memory of the tree in the core, and in TypeScript to the table of the program, which its threads
 * share. Another thread of the program, which was attached before, recovers it and goes on. What that one sees of the numbers, their rights, positions, files, locks, of the tree and of the program's end is what
 * it sees when the call has been made as a whole, or not at all, or what the case names besides. The arena is whole, and when the program has ended no file of it is open.
 *
 * After one death in SETTLER_ODDS another thread of the program starts, settles what the dead one has left, and dies in that.
 *
 * What a call that has been made leaves is not judged here: the tests of `threadfs/wasi` do that.
 *
 *   npm run verify -- wasi [--seconds N] [--seed N] [--short] [--only TEXT]
 */
import { FD_MAX } from "../../../../threadfs/dist/src/wasi/table.js";
import { defineCheck, nothingChecked, type Outcome, type RunInput } from "../../support/check.js";
import { notEmpty } from "../../support/usage-error.js";
import { DeathRun, neitherNorNot, WAITING_ACCESSES } from "./death-run.js";
import { CASES, type Case } from "./wasi-calls.js";
import { type Run, type Seen, WasiProgram } from "./wasi-program.js";

export const title = "a thread of a program of WASI may die at any access of any call: the call has happened or not";

/** In one death out of this many the thread dies that settles what the dead one has left. */
const SETTLER_ODDS = 6;

/** What is counted. */
const IN_TYPESCRIPT = "of these, in TypeScript";
const OF_SETTLERS = "deaths of a thread that settles";

export interface WasiOptions extends RunInput {
  /** Calls whose name and arguments contain it. */
  only?: string | undefined;
}

const nameOf = ({ call, arguments: args }: Case): string =>
  `${call}(${args.map((arg) => (typeof arg === "string" ? JSON.stringify(arg) : `${arg}`)).join(", ")})`;

/** What is wrong with what a death has left, or null. */
function wrongWith(seen: Seen, allowed: readonly Seen[]): string | null {
  if (seen.problems.length > 0) return `the arena is not whole:\n    ${seen.problems.join("\n    ")}`;
  const own = allowed.find(({ state }) => state === seen.state);
  if (own === undefined) return neitherNorNot(seen.state, allowed);
  if (seen.openFiles === own.openFiles) return null;
  return `after the end of the program ${seen.openFiles} files are open, not ${own.openFiles}`;
}

/** A run, and what it has found. */
class WasiRun extends DeathRun {
  readonly counts = { calls: 0, imports: 0, deaths: 0, [IN_TYPESCRIPT]: 0, [OF_SETTLERS]: 0, complete: 0 };
  readonly #imports = new Set<string>();

  constructor(
    options: WasiOptions,
    readonly program: WasiProgram,
  ) {
    super(options);
  }

  /** The states that a death in a call may leave, and the accesses of the call. */
  async #allowed(one: Case): Promise<{ states: Seen[]; accesses: number }> {
    const whole = (more: Partial<Run>) => this.program.run({ one, stopAt: Number.POSITIVE_INFINITY, ...more });
    const states: Seen[] = [await whole({ instead: () => undefined })];
    if (one.waits) return { states, accesses: WAITING_ACCESSES };
    const made = await whole({});
    states.push(made);
    for (const instead of one.between ?? []) states.push(await whole({ instead }));
    return { states, accesses: made.progress.accesses };
  }

  /** Stops a call at its accesses. */
  async call(one: Case): Promise<number> {
    this.#imports.add(one.call);
    this.counts.imports = this.#imports.size;
    this.counts.calls++;
    const { states, accesses } = await this.#allowed(one);
    const stops = this.stops(accesses);
    let stop = stops.next();
    for (; !stop.done; stop = stops.next()) {
      const n = stop.value;
      await this.#death(one, n, accesses, states);
      if (this.random(SETTLER_ODDS) === 0)
        await this.#death(one, n, accesses, states, await this.#settlerStops(one, n));
    }
    if (stop.value) this.counts.complete++;
    return accesses;
  }

  /** An access of the thread that settles what a death has left: most of its accesses look at numbers that are free. */
  async #settlerStops(one: Case, n: number): Promise<number> {
    const { settling } = await this.program.run({ one, stopAt: n, settlerStopsAt: Number.POSITIVE_INFINITY });
    this.counts[OF_SETTLERS]++;
    return this.random(2) === 0 ? this.random(settling) : FD_MAX + this.random(Math.max(settling - FD_MAX, 1));
  }

  async #death(one: Case, n: number, all: number, states: readonly Seen[], settlerStopsAt?: number): Promise<void> {
    const { place, wrong } = await this.judged(async () => {
      const seen = await this.program.run({ one, stopAt: n, settlerStopsAt });
      if (!seen.died) throw new Error(`wasi: ${nameOf(one)} is not the same every time`);
      if (seen.progress.site < 0) this.counts[IN_TYPESCRIPT]++;
      return { place: this.program.place(seen.progress), wrong: wrongWith(seen, states) };
    });
    this.counts.deaths++;
    const settler = settlerStopsAt === undefined ? "" : `, then at ${settlerStopsAt}`;
    if (wrong !== null)
      this.report(nameOf(one), "", `dead before access ${n} of ${all}, ${place}${settler}\n  ${wrong}`);
  }
}

export async function run(options: WasiOptions): Promise<Outcome> {
  const { only = "", log = () => undefined } = options;
  const named = CASES.filter((one) => nameOf(one).includes(only));
  const chosen = notEmpty(named, `--only ${only}`, CASES.map(nameOf));
  const run = new WasiRun(options, await WasiProgram.build());
  for (const one of run.shuffled(chosen)) {
    if (run.ended) break;
    log(`${nameOf(one)}: ${await run.call(one)} accesses`);
  }
  const { counts, failures } = run;
  if (counts.deaths === 0) failures.push(nothingChecked(options.seconds));
  return { ok: failures.length === 0, explored: counts, failures };
}

export const check = defineCheck({ title, options: { only: { type: "string" } }, run });
