// Do readers notice a thread that renames? Readers look up a tree of 10,000 files in scattered order while another
// thread renames a directory of the same tree to and fro as fast as it can. In the quiet run that other thread computes
// in registers: both runs load the machine alike, so what differs is the renaming alone.
//
// Two places: a directory that no reader passes, and one that every twentieth path goes through (those lookups may find
// nothing, rightly, while it bears its other name).

import os from "node:os";
import { benchOrder } from "./lib/random.js";
import { Result } from "./lib/result.js";
import { loadThreadfs } from "./lib/rivals.js";
import { summary } from "./lib/stats.js";
import { rate, TimedWorkers, undisturbedRate } from "./lib/timed-workers.js";
import { fileName, makeFiles } from "./lib/tree.js";

const FILES = 10000;
const SIDE = 20;

const SPEED_TARGET = 90;
const RCU_TARGET = 99.9;

const PLACES = [
  {
    name: "a directory beside the readers' paths",
    from: "/workspace/project/packages/elsewhere",
    to: "/workspace/project/packages/elsewhere-2",
    everywhere: true,
  },
  {
    name: "a directory on every 20th path",
    from: "/workspace/project/packages/package-7",
    to: "/workspace/project/packages/package-7-2",
    everywhere: false,
  },
];

/** One round next to the renamer: what the readers did and how their walks ended, by their own counters. */
async function besideRenamer(workers, readers, place, ms) {
  const answers = await workers.run([...new Array(readers).fill("read"), place.name], ms);
  const lookups = answers.slice(0, readers);
  const sum = (pick) => lookups.reduce((total, answer) => total + pick(answer), 0);
  const read = sum((answer) => answer.count);
  const found = sum((answer) => answer.hits);
  if (place.everywhere ? found !== read : found === 0) throw new Error(`${place.name}: ${found} of ${read} found`);
  const ended = sum(({ counters }) => counters.endedRcu + counters.endedRef);
  return {
    rate: rate(lookups) / 1e6,
    undisturbed: undisturbedRate(lookups) / 1e6,
    renames: rate([answers[readers]]) / 1e6,
    share: (100 * sum(({ counters }) => counters.endedRcu)) / ended,
    restarts: (sum(({ counters }) => counters.echildRestarts) * 1e6) / read,
    retries: (sum(({ counters }) => counters.seqRetries) * 1e6) / read,
  };
}

async function measurePlace(workers, readers, place, ms, options, result) {
  await workers.prepare(readers, place.name, { kind: "rename", from: place.from, to: place.to });
  const alone = await workers.run([...new Array(readers).fill(undefined), place.name], ms);
  const quiet = [];
  const quietUndisturbed = [];
  const beside = [];
  for (let round = 0; round < options.rounds; round++) {
    const answers = await workers.run([...new Array(readers).fill("read"), "compute"], ms);
    quiet.push(rate(answers.slice(0, readers)) / 1e6);
    quietUndisturbed.push(undisturbedRate(answers.slice(0, readers)) / 1e6);
    beside.push(await besideRenamer(workers, readers, place, ms));
    options.log(`${place.name}: round ${round + 1} of ${options.rounds}`);
  }
  result.measure(place.name, "readers, quiet", "M/s", quiet);
  const loud = beside.map((round) => round.rate);
  result.measure(place.name, "readers beside the renamer", "M/s", loud);
  const renames = beside.map((round) => round.renames);
  result.measure(place.name, "the renamer beside readers", "M/s", renames);
  result.measure(place.name, "the renamer alone", "M/s", [rate(alone) / 1e6]);
  result.measure(
    place.name,
    "ECHILD restarts",
    "in 1 M lookups",
    beside.map((round) => round.restarts),
  );
  result.measure(
    place.name,
    "sequence retries",
    "in 1 M lookups",
    beside.map((round) => round.retries),
  );
  const speed = loud.map((value, round) => (100 * value) / quiet[round]);
  result.figure(`${place.name}: readers' speed`, "quiet, same load", "%", summary(speed), {
    target: SPEED_TARGET,
    best: (100 * Math.max(...loud)) / Math.max(...quiet),
  });
  const undisturbed = beside.map((round, i) => (100 * round.undisturbed) / quietUndisturbed[i]);
  result.figure(`${place.name}: readers' speed`, "the same while on a core (median batch)", "%", summary(undisturbed));
  const shares = summary(beside.map((round) => round.share));
  result.figure(`${place.name}: ended in rcu mode`, "all lookups", "%", shares, { target: RCU_TARGET });
}

async function run(options) {
  const result = new Result("renamer", "Do readers notice a thread that renames in the same tree at full speed?");
  if (options.skip.includes("threadfs")) return result;
  const { createVfs } = await loadThreadfs();
  const vfs = await createVfs({ maxBytes: 2 ** 28 });
  makeFiles(vfs.fs, 0, FILES, "/", SIDE);
  vfs.fs.mkdirSync(PLACES[0].from);
  // One thread a core, the renamer among them: with more, the scheduler would be what is measured.
  const readers = Math.max(1, Math.min(os.availableParallelism() - 1, 15));
  const workers = await TimedWorkers.start(readers + 1, vfs.handle);
  try {
    const ms = options.quick ? 300 : 1000;
    for (let i = 0; i < readers; i++) {
      await workers.prepare(i, "read", { kind: "exists", order: benchOrder(FILES, i + 1), side: SIDE });
    }
    await workers.prepare(readers, "compute", { kind: "compute" });
    await workers.run([...new Array(readers).fill("read"), "compute"], ms); // Warm.
    for (const place of PLACES) await measurePlace(workers, readers, place, ms, options, result);
    result.note(`${readers} reader(s) and one renamer; first path ${`/${fileName(0, SIDE)}`}`);
  } finally {
    await workers.stop();
    vfs.close();
  }
  return result;
}

export default { name: "renamer", run };
