// Does a second thread add a second thread's speed? One and two threads look up the same file, then files of their
// own; in rcu mode and in forced ref mode; and paths over links, mounts, ACLs and a driver; and list one directory. A loop of pure computation on one and on two threads shows the most that this
// machine gives: hyperthreads and neighbours on a shared host limit everything.

import type { Vfs } from "threadfs";
import type { BenchOptions, Question } from "./lib/question.js";
import { Result } from "./lib/result.js";
import { openThreadfs } from "./lib/rivals.js";
import { ratioSummary } from "./lib/stats.js";
import { rate, type Task, type TimedRun, TimedWorkers, undisturbedRate } from "./lib/timed-workers.js";
import { fileName, makeFiles } from "./lib/tree.js";
import { LINKED_PATHS, makeLinks } from "./links/linked-paths.js";
import { makeSpecial } from "./links/special-paths.js";

const TARGET = 1.9;
const SIDE = 20;
const FILES = 10000;
/** Names of the directories that are listed. */
const LISTED = [10, 1000];

interface Case {
  name: string;
  target?: number;
  first: Task;
  second: Task;
}

/** Which of the special paths two threads walk. */
const SPECIAL = [
  "four mount points",
  "seven directories with an ACL",
  "all of a driver with a generation number, at a mount point",
];

function cases(special: Record<string, string>): Case[] {
  // Two files in two packages: the walks share only the first three directories.
  const first = `/${fileName(0, SIDE)}`;
  const second = `/${fileName(FILES - 1, SIDE)}`;
  const all: Case[] = [{ name: "computation only", first: { kind: "compute" }, second: { kind: "compute" } }];
  for (const ref of [false, true]) {
    const mode = ref ? "ref mode" : "rcu mode";
    const target = ref ? {} : { target: TARGET };
    for (const { where, other } of [
      { where: "same file", other: first },
      { where: "separate files", other: second },
    ]) {
      all.push({
        name: `existsSync, ${where}, ${mode}`,
        ...target,
        first: { kind: "exists", paths: [first], ref },
        second: { kind: "exists", paths: [other], ref },
      });
      all.push({
        name: `walk only, ${where}, ${mode}`,
        ...target,
        first: { kind: "access", path: first, ref },
        second: { kind: "access", path: other, ref },
      });
    }
  }
  for (const [what, path] of Object.entries({ ...LINKED_PATHS, ...special })) {
    const task = { kind: "access", path, ref: false } as const;
    all.push({ name: `walk only, ${what}, rcu mode`, target: TARGET, first: task, second: task });
  }
  for (const names of LISTED) {
    const task = { kind: "list", path: `/listed-${names}` } as const;
    all.push({ name: `list one directory of ${names} names`, first: task, second: task });
  }
  return all;
}

function makeListed({ fs }: Vfs): void {
  for (const names of LISTED) {
    fs.mkdirSync(`/listed-${names}`);
    for (let n = 0; n < names; n++) fs.writeFileSync(`/listed-${names}/name${n}`, "");
  }
}

/** Millions of turns a second, and the same by the median batch. */
interface Rates {
  all: number;
  undisturbed: number;
}

/** The rates of one case, round by round. */
interface Series extends Case {
  one: Rates[];
  two: Rates[];
}

async function measure(
  workers: TimedWorkers,
  special: Record<string, string>,
  options: BenchOptions,
): Promise<Series[]> {
  const ms = options.quick ? 150 : 300;
  const series = cases(special).map((one): Series => ({ ...one, one: [], two: [] }));
  for (const { name, first, second } of series) {
    await workers.prepare(0, name, first);
    await workers.prepare(1, name, second);
    await workers.run([name, name], ms); // Warm.
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, first, one, two } of series) {
      one.push(checked(await workers.run([name, undefined], ms), first));
      two.push(checked(await workers.run([name, name], ms), first));
    }
    options.log(`round ${round + 1} of ${options.rounds}`);
  }
  return series;
}

/** Every lookup must have found its file. */
function checked(runs: TimedRun[], task: Task): Rates {
  for (const { count, hits } of runs) {
    if (task.kind !== "compute" && hits !== count) throw new Error(`${hits} of ${count} lookups found the file`);
  }
  return { all: rate(runs) / 1e6, undisturbed: undisturbedRate(runs) / 1e6 };
}

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("threads", "Does a second thread bring a second thread's worth?");
  if (options.skip.includes("threadfs")) return result;
  const { vfs } = await openThreadfs(2 ** 28);
  makeFiles(vfs.fs, 0, FILES, "/", SIDE);
  makeLinks(vfs.fs);
  makeListed(vfs);
  const special = Object.fromEntries(Object.entries(makeSpecial(vfs)).filter(([what]) => SPECIAL.includes(what)));
  const workers = await TimedWorkers.start(2, vfs.handle);
  try {
    for (const { name, target, one, two } of await measure(workers, special, options)) {
      const pick = (rounds: Rates[], field: keyof Rates) => rounds.map((round) => round[field]);
      const alone = result.measure(name, "1 thread", "M/s", pick(one, "all"));
      const both = result.measure(name, "2 threads", "M/s", pick(two, "all"));
      result.ratio(name, both, alone, target);
      const undisturbed = ratioSummary(pick(two, "undisturbed"), pick(one, "undisturbed"));
      result.figure(name, "the same while on a core (median batch)", "x", undisturbed);
    }
  } finally {
    await workers.stop();
    vfs.close();
  }
  return result;
}

export default { name: "threads", run } satisfies Question;
