/**
 * Failed allocations and full memory, on the shipping core. At the n-th allocation of every operation there is no room: the right
 * errno, nothing leaked, nothing lost, and the same call works afterwards. Arenas are filled in every way and worked in while
 * they are full, emptied, and filled again to the same count. Every limit is reached.
 */

import { randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { defineCheck, endOfRun, type Outcome, type RunInput } from "../support/check.js";
import { notEmpty } from "../support/usage-error.js";
import { attachWhenFull, growthRefused, refuseInit } from "./attach.js";
import { refuseEach, type Way } from "./failing-allocations.js";
import { FILLS, type Fill, mixed } from "./fills.js";
import { AllocFixture } from "./fixture.js";
import { fillUp } from "./full-memory.js";
import { LIMITS, reach } from "./limits.js";
import { OPERATIONS } from "./operations.js";

export const title = "failed allocations and full memory lose nothing";

/** The fills of the short form; the others take a few seconds each. */
const SHORT_FILLS = ["files of 100,000 bytes", "pages of one file"];
/** Too long for the short form. */
const LONG_LIMITS = ["open files: ENFILE"];
/** No run fills more arenas than that at random. */
const MIXTURES_MAX = 10_000;

interface AllocOptions extends RunInput {
  /** Nothing but the refused allocations of the operations whose name contains it. */
  only?: string | undefined;
}

export async function run(options: AllocOptions): Promise<Outcome> {
  const { seed, short = false, only, log = () => undefined } = options;
  const until = endOfRun(options);
  const outcome: Outcome = { ok: true, explored: {}, failures: [] };
  refused(outcome, short ? [{}] : [{}, { retired: 5 }, { ref: true }], only);
  log(`each allocation refused: ${outcome.explored["allocations refused"]}`);
  if (only !== undefined) return { ...outcome, ok: outcome.failures.length === 0 };
  limits(outcome, short);
  threads(outcome);
  filled(outcome, { seed, short, until, log });
  outcome.ok = outcome.failures.length === 0;
  return outcome;
}

/** `ways`: how each operation is tried. */
function refused(outcome: Outcome, ways: Way[], only = ""): void {
  const names = Object.keys(OPERATIONS);
  notEmpty(
    names.filter((name) => name.includes(only)),
    `--only ${only}`,
    names,
  );
  const place = new AllocFixture();
  const init = refuseInit();
  outcome.failures.push(...init.failures);
  let cases = init.cases;
  let errors = init.cases;
  const known: string[] = [];
  for (const way of ways) {
    for (const [name, operation] of Object.entries(OPERATIONS)) {
      if (!name.includes(only)) continue;
      const found = refuseEach(place, name, operation, way);
      cases += found.cases;
      errors += found.refused;
      if (operation.known === undefined) outcome.failures.push(...found.failures);
      else if (found.failures.length > 0) known.push(name);
      else outcome.failures.push({ message: `${name}: it works; take its mark away (${operation.known})` });
    }
  }
  outcome.explored.operations = Object.keys(OPERATIONS).length;
  outcome.explored["allocations refused"] = cases;
  outcome.explored["of which the call returned ENOSPC"] = errors;
  if (known.length > 0) outcome.explored["known to fail"] = [...new Set(known)].join(", ");
}

function limits(outcome: Outcome, short: boolean): void {
  const reached: string[] = [];
  for (const [name, limit] of Object.entries(LIMITS)) {
    if (short && LONG_LIMITS.includes(name)) continue;
    const { count, failures } = reach(name, limit);
    outcome.failures.push(...failures);
    reached.push(`${name} (${count})`);
  }
  outcome.explored["limits reached"] = reached.join(", ");
}

function threads(outcome: Outcome): void {
  const { failures, later } = attachWhenFull();
  outcome.failures.push(...failures);
  const growth = growthRefused();
  outcome.failures.push(...growth.failures);
  outcome.explored["files in a memory that cannot grow"] = growth.count;
  outcome.explored["a thread attaches after the arena was full and emptied"] = later ? "yes" : "no (known)";
}

interface FilledOptions {
  seed: number;
  short: boolean;
  until: number;
  log: (line: string) => void;
}

function filled(outcome: Outcome, { seed, short, until, log }: FilledOptions): void {
  const next = randomBelow(seed);
  const shuffle = (list: number[]) => shuffled(list, next);
  let fills = 0;
  let operations = 0;
  const one = (name: string, fill: Fill) => {
    const found = fillUp(name, fill, { shuffle });
    outcome.failures.push(...found.failures.map((failure) => ({ ...failure, replay: `--seed ${seed}` })));
    fills++;
    operations += found.operations;
    log(`full of ${name}: ${found.count}`);
  };
  // Each fill takes seconds: a small budget ends between them, a large one continues with mixtures.
  for (const [name, fill] of Object.entries(FILLS)) {
    if (short ? SHORT_FILLS.includes(name) : fills === 0 || performance.now() < until) one(name, fill);
  }
  for (let n = 0; n < (short ? 0 : MIXTURES_MAX) && performance.now() < until; n++) {
    one(`a mixture (seed ${seed}, number ${n})`, mixed(seed * 1000 + n));
  }
  outcome.explored["arenas filled, each three times"] = fills;
  outcome.explored["operations in a full arena"] = operations;
}

export const check = defineCheck({ title, options: { only: { type: "string" } }, run });
