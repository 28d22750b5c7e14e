/**
 * Tests the checks: faults are planted in the source of the core and of the packages around it, one at a time (faults.ts), the core is
 * built, the package is compiled, and the checks run in turn until one catches it. A check that fails on the sound core too, with the same seed, has
 * caught nothing.
 *
 *   npm run verify -- planted --seconds 3600 --jobs 2 --doc docs/planted.md     all of them, and the table
 *   npm run verify -- planted --only "sequence"                                 those whose name contains it
 *   npm run verify -- planted --results FILE ...                                continues the run whose results FILE has;
 *                                                                            with --jobs 0 only the table is made
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { type Edit, isCoreEdit, keptMutant } from "../binary/mutant.js";
import { defineCheck, endOfRun, type Outcome, type RunInput } from "../support/check.js";
import { notEmpty } from "../support/usage-error.js";
import { commandOf, type Step } from "./detectors.js";
import { MUTANTS, type Mutant, NOT_PLANTED } from "./faults.js";
import { ProjectCopy, toolsName } from "./project-copy.js";
import { document, firstLine, type Result, type Tried, toolBroken } from "./report.js";

export const title = "every planted fault is caught";

/** Cores that are built ahead, while checks run. */
const BUILD_AHEAD = 6;
/** The short form plants so many faults, of those that a check of seconds catches. */
const SHORT = 1;
const QUICK = "alloc";

/** Where results on the sound core are kept. */
const KEPT = join(tmpdir(), "threadfs-mutants");

/** What the checks report on the core without a fault; each runs once, also over several runs as long as nothing has changed. */
class SoundCore {
  #place: Promise<ProjectCopy> | undefined;
  readonly #asked = new Map<string, Promise<string | null>>();
  readonly #file = join(KEPT, `sound-${toolsName()}.json`);
  /** By command: null, or what is wrong. */
  readonly #known: Record<string, string | null>;

  constructor() {
    this.#known = existsSync(this.#file) ? JSON.parse(readFileSync(this.#file, "utf8")) : {};
  }

  /** What a check reports on the sound core: null, or what is wrong. */
  ask(step: Step): Promise<string | null> {
    const command = commandOf(step);
    const asked = this.#asked.get(command) ?? this.#find(step, command);
    this.#asked.set(command, asked);
    return asked;
  }

  async #find(step: Step, command: string): Promise<string | null> {
    const known = this.#known[command];
    if (known !== undefined) return known;
    this.#place ??= ProjectCopy.make().then(async (place) => {
      await place.useSound();
      return place;
    });
    const place = await this.#place;
    const result = await place.run(step);
    const said = result.code === 0 ? null : firstLine(result);
    this.#known[command] = said;
    mkdirSync(KEPT, { recursive: true });
    writeFileSync(this.#file, JSON.stringify(this.#known, null, 1));
    return said;
  }

  async end(): Promise<void> {
    await (await this.#place)?.remove();
  }
}

/** Builds the core ahead that the edits make; an error is reported when it is needed. */
function buildAhead(edits: Edit[]): void {
  if (edits.some(isCoreEdit)) keptMutant(edits.filter(isCoreEdit)).catch(() => undefined);
}

/** Makes a project with a fault, and runs its checks there. */
async function plant({ name, known, edits, caughtBy }: Mutant, place: ProjectCopy, sound: SoundCore): Promise<Result> {
  const tried: Tried[] = [];
  const core = edits.filter(isCoreEdit);
  await place.edit(edits.filter((edit) => !isCoreEdit(edit)));
  if (core.length === 0) await place.useSound();
  let kept = "";
  for (const step of caughtBy) {
    const { debug = false } = step;
    if (core.length > 0 && (kept === "" || debug)) {
      kept = await keptMutant(core, { debug });
      await place.use(kept, { debug });
    }
    const command = commandOf(step);
    const result = await place.run(step);
    const said = result.code === 0 ? "holds" : firstLine(result);
    if (result.code !== 0 && !toolBroken(result.output)) {
      const wrong = await sound.ask(step);
      if (wrong === null) {
        return { name, known, caught: { check: step.check, seconds: result.seconds, said, command }, tried };
      }
      tried.push({ command, seconds: result.seconds, said: `fails on the sound core too: ${wrong}` });
    } else {
      tried.push({ command, seconds: result.seconds, said });
    }
  }
  return { name, known, caught: null, tried };
}

/** The result of a fault that cannot be planted: the sources have changed under its edits. */
function notBuilt({ name, known }: Mutant, error: unknown): Result {
  const said = error instanceof Error ? error.message : String(error);
  return { name, known, caught: null, tried: [{ command: "the build with this fault", seconds: 0, said }] };
}

export interface PlantedOptions extends RunInput {
  /** Faults whose name contains it. */
  only?: string | undefined;
  /** So many at a time. */
  jobs?: number;
  /** Others than the list's. */
  mutants?: Mutant[];
  /** Results that need not be found again. */
  before?: Result[];
  /** Called with each new one. */
  onResult?: (result: Result) => void;
}

export async function run(options: PlantedOptions): Promise<Outcome & { results: Result[] }> {
  const { seed, short = false, log = () => undefined, only = "" } = options;
  const { jobs = 1, mutants = MUTANTS, before = [], onResult } = options;
  const until = endOfRun(options);
  const known = new Map(before.map((result) => [result.name, result]));
  const names = mutants.map(({ name }) => name);
  const all = notEmpty(
    mutants.filter(({ name }) => name.includes(only)),
    `--only ${only}`,
    names,
  );
  const order = shuffled(all, randomBelow(seed));
  const chosen = short ? order.filter(({ caughtBy }) => caughtBy[0]?.check === QUICK).slice(0, SHORT) : order;
  const left = chosen.filter(({ name }) => !known.has(name));
  const results = new Map(
    before.filter(({ name }) => chosen.some((mutant) => mutant.name === name)).map((result) => [result.name, result]),
  );
  const sound = new SoundCore();
  const work = async () => {
    const place = await ProjectCopy.make();
    try {
      for (let n = 0; n === 0 || performance.now() < until; n++) {
        const mutant = left.shift();
        if (mutant === undefined) break;
        for (const { edits } of left.slice(0, BUILD_AHEAD)) buildAhead(edits);
        const result = await plant(mutant, place, sound).catch((error) => notBuilt(mutant, error));
        results.set(result.name, result);
        onResult?.(result);
        const { name, caught } = result;
        log(
          caught ? `${name}: ${caught.check}, ${caught.seconds.toFixed(1)} s: ${caught.said}` : `NOT CAUGHT: ${name}`,
        );
      }
    } finally {
      await place.remove();
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, left.length) }, work));
  await sound.end();
  const list = all.flatMap(({ name }) => results.get(name) ?? []);
  return { ...outcomeOf(list, all.length, seed), results: list };
}

/** `all`: how many faults there are. */
function outcomeOf(list: Result[], all: number, seed: number): Outcome {
  const missed = list.filter(({ caught }) => caught === null);
  const failures = missed.map(({ name, tried }) => ({
    message: `not caught: ${name}`,
    replay: `npm run verify -- planted --only ${JSON.stringify(name)} --seed ${seed}`,
    trace: tried.map(({ command, said }) => `  ${command}: ${said}`).join("\n"),
  }));
  const explored = {
    "faults planted": `${list.length} of ${all}`,
    caught: list.length - missed.length,
    "by which check": tally(list.flatMap(({ caught }) => (caught ? [caught.check] : []))),
  };
  return { ok: failures.length === 0 && list.length > 0, explored, failures };
}

function tally(names: string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, n]) => `${name} ${n}`).join(", ");
}

export const check = defineCheck({
  title,
  options: {
    only: { type: "string" },
    jobs: { type: "number", least: 0, default: 1 },
    doc: { type: "string" },
    results: { type: "string" },
  },
  run: async ({ doc, results: file, ...options }) => {
    const before: Result[] = file !== undefined && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
    const onResult = (result: Result) => {
      before.push(result);
      if (file !== undefined) writeFileSync(file, JSON.stringify(before, null, 1));
    };
    const outcome = await run({ ...options, before: [...before], onResult });
    const command = `npm run verify -- planted --seconds ${options.seconds} --seed ${options.seed} --doc docs/planted.md`;
    if (doc !== undefined)
      writeFileSync(
        doc,
        document(outcome.results, { command, all: MUTANTS.map(({ name }) => name), notPlanted: NOT_PLANTED }),
      );
    return outcome;
  },
});
