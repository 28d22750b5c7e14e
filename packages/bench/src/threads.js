// Does a second thread bring a second thread's worth? One and two threads look up the same file, then files of their
// own; in rcu mode and in forced ref mode. A loop of pure computation on one and on two threads says what this machine
// gives at best: hyperthreads and neighbours on a shared host cap everything.

import { Result } from "./lib/result.js";
import { loadThreadfs } from "./lib/rivals.js";
import { ratioSummary } from "./lib/stats.js";
import { rate, TimedWorkers, undisturbedRate } from "./lib/timed-workers.js";
import { fileName, makeFiles } from "./lib/tree.js";

const TARGET = 1.9;
const SIDE = 20;
const FILES = 10000;

/** The cases: task of the first and of the second thread. */
function cases() {
  // Two files in two packages: the walks share only the first three directories.
  const first = `/${fileName(0, SIDE)}`;
  const second = `/${fileName(FILES - 1, SIDE)}`;
  const pairs = [{ name: "computation only", tasks: [{ kind: "compute" }, { kind: "compute" }] }];
  for (const ref of [false, true]) {
    const mode = ref ? "ref mode" : "rcu mode";
    for (const [where, other] of [
      ["same file", first],
      ["separate files", second],
    ]) {
      pairs.push({
        name: `existsSync, ${where}, ${mode}`,
        target: ref ? undefined : TARGET,
        tasks: [
          { kind: "exists", paths: [first], ref },
          { kind: "exists", paths: [other], ref },
        ],
      });
      pairs.push({
        name: `walk only, ${where}, ${mode}`,
        target: ref ? undefined : TARGET,
        tasks: [
          { kind: "access", path: first, ref },
          { kind: "access", path: other, ref },
        ],
      });
    }
  }
  return pairs;
}

async function run(options) {
  const result = new Result("threads", "Does a second thread bring a second thread's worth?");
  if (options.skip.includes("threadfs")) return result;
  const { createVfs } = await loadThreadfs();
  const vfs = await createVfs({ maxBytes: 2 ** 28 });
  makeFiles(vfs.fs, 0, FILES, "/", SIDE);
  const workers = await TimedWorkers.start(2, vfs.handle);
  try {
    const ms = options.quick ? 150 : 300;
    const all = cases();
    for (const { name, tasks } of all) {
      await workers.prepare(0, name, tasks[0]);
      await workers.prepare(1, name, tasks[1]);
      await workers.run([name, name], ms); // Warm.
    }
    const series = new Map(all.map(({ name }) => [name, { one: [], two: [] }]));
    for (let round = 0; round < options.rounds; round++) {
      for (const { name, tasks } of all) {
        const { one, two } = series.get(name);
        one.push(checked(await workers.run([name, undefined], ms), tasks[0]));
        two.push(checked(await workers.run([name, name], ms), tasks[0]));
      }
      options.log(`round ${round + 1} of ${options.rounds}`);
    }
    for (const { name, target } of all) {
      const { one, two } = series.get(name);
      const pick = (rounds, key) => rounds.map((round) => round[key]);
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

/** Millions of turns a second; every lookup must have found its file. */
function checked(answers, task) {
  for (const { count, hits } of answers) {
    if (task.kind !== "compute" && hits !== count) throw new Error(`${hits} of ${count} lookups found the file`);
  }
  return { all: rate(answers) / 1e6, undisturbed: undisturbedRate(answers) / 1e6 };
}

export default { name: "threads", run };
