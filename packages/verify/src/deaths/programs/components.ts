/**
 * Deaths in components of WASI preview 2: a thread is stopped for ever before each access to the memory of the tree that a method of `threadfs/wasi-preview2` makes. It has descriptors, a stream
 * of a directory of which it has read a part, streams of files whose descriptors it has dropped, both ends of a pipe, and locks; all of them are its own, by `closeOnExit` or by a context that it
 * has made. Another thread, which was attached before, recovers it: no file and no lock of the component is left, the tree is what it is when the call has been made as a whole, or not at all, or
 * what the case names besides, and the arena is whole.
 *
 *   npm run verify -- components [--seconds N] [--seed N] [--short] [--only TEXT]
 */
import { defineCheck, nothingChecked, type Outcome, type RunInput } from "../../support/check.js";
import { notEmpty } from "../../support/usage-error.js";
import { CASES, type Case } from "./component-calls.js";
import { ComponentProgram, OWNERS, type Owner, type Seen } from "./component-program.js";
import { DeathRun, neitherNorNot, WAITING_ACCESSES } from "./death-run.js";

export const title = "a thread with a component may die at any access of any method: nothing of the component is left";

export interface ComponentsOptions extends RunInput {
  /** Calls whose name contains it. */
  only?: string | undefined;
}

const nameOf = ({ call, how }: Case): string => (how === undefined ? call : `${call} (${how})`);

/** What is wrong with what a death has left, or null. */
function wrongWith({ state, problems }: Seen, allowed: readonly Seen[]): string | null {
  if (problems.length > 0) return problems.join("\n    ");
  return allowed.some((one) => one.state === state) ? null : neitherNorNot(state, allowed);
}

/** A run, and what it has found. */
class ComponentsRun extends DeathRun {
  readonly counts = { calls: 0, deaths: 0, complete: 0 };

  constructor(
    options: ComponentsOptions,
    readonly program: ComponentProgram,
  ) {
    super(options);
  }

  /** The states that a death in a call may leave, and the accesses of the call. */
  async #allowed({ make, between, waits }: Case, owner: Owner): Promise<{ states: Seen[]; accesses: number }> {
    const whole = (made: Case["make"] | undefined) =>
      this.program.run({ owner, make: made, stopAt: Number.POSITIVE_INFINITY });
    const states: Seen[] = [await whole(undefined)];
    if (waits) return { states, accesses: WAITING_ACCESSES };
    const made = await whole(make);
    states.push(made);
    if (between !== undefined) states.push(await whole(between));
    return { states, accesses: made.progress.accesses };
  }

  /** Stops a call at its accesses. */
  async call(one: Case, owner: Owner): Promise<number> {
    this.counts.calls++;
    const { states, accesses } = await this.#allowed(one, owner);
    for (const state of states.filter(({ problems }) => problems.length > 0))
      this.#report(one, owner, `dead behind the call\n  ${wrongWith(state, states)}`);
    const stops = this.stops(accesses);
    let stop = stops.next();
    for (; !stop.done; stop = stops.next()) await this.#death(one, owner, stop.value, accesses, states);
    if (stop.value) this.counts.complete++;
    return accesses;
  }

  async #death(one: Case, owner: Owner, n: number, all: number, states: readonly Seen[]): Promise<void> {
    const { place, wrong } = await this.judged(async () => {
      const seen = await this.program.run({ owner, make: one.make, stopAt: n });
      if (!seen.died) throw new Error(`components: ${nameOf(one)} is not the same every time`);
      return { place: this.program.place(seen.progress), wrong: wrongWith(seen, states) };
    });
    this.counts.deaths++;
    if (wrong !== null) this.#report(one, owner, `dead before access ${n} of ${all}, ${place}\n  ${wrong}`);
  }

  #report(one: Case, owner: Owner, what: string): void {
    this.report(nameOf(one), `, files of the ${owner}`, what);
  }
}

export async function run(options: ComponentsOptions): Promise<Outcome> {
  const { only = "", log = () => undefined } = options;
  const named = CASES.filter((one) => nameOf(one).includes(only));
  const chosen = notEmpty(named, `--only ${only}`, CASES.map(nameOf));
  const program = await ComponentProgram.build();
  const run = new ComponentsRun(options, program);
  const uncovered = await program.uncovered(CASES);
  for (const one of run.shuffled(chosen)) {
    for (const owner of OWNERS) {
      if (run.ended) break;
      log(`${nameOf(one)}, files of the ${owner}: ${await run.call(one, owner)} accesses`);
    }
  }
  const { counts, failures } = run;
  for (const method of uncovered) failures.push({ message: `${method} has no case` });
  if (counts.deaths === 0) failures.push(nothingChecked(options.seconds));
  return { ok: failures.length === 0, explored: counts, failures };
}

export const check = defineCheck({ title, options: { only: { type: "string" } }, run });
