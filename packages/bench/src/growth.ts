// How does the cost of a lookup and of a creation grow with the tree, from 10,000 to 4,000,000 entries? And how much of
// that is the memory itself: the same machine's cost of one load at an unpredictable place in as much memory as the tree
// takes, where each load's address comes from the load before (so that nothing can be fetched ahead).

import type { Vfs } from "threadfs";
import { defined } from "../../cli/dist/support/defined.js";
import { randomBelow } from "../../cli/dist/support/random.js";
import { CHUNK } from "../../threadfs/dist/abi/limits.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { randomCycle } from "./lib/random.js";
import { Remote } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { openThreadfs } from "./lib/rivals.js";
import { timed } from "./lib/rounds.js";
import { line, median } from "./lib/stats.js";
import { FILES_PER_DIRECTORY, fileName, flat, makeFiles } from "./lib/tree.js";

/** Dependencies in each package, at every size: the tree grows by packages, its fan-out stays. */
const SIDE = 400;

const SIZES = [10000, 30000, 100000, 300000, 1000000, 2000000, 4000000];

/** Paths that are looked up at each size: more than any cache holds the entries of. */
const SAMPLE = 400000;

/** Files of a tree of `entries` entries: two directories come with each full lib directory. */
function filesOf(entries: number): number {
  return Math.floor((entries * FILES_PER_DIRECTORY) / (FILES_PER_DIRECTORY + 2));
}

// ---- in the child process ----

interface State {
  vfs: Vfs;
  /** Number of the files made. */
  files: number;
  /** The sample that is looked up. */
  paths: string[];
}

/** Set by prepare() in the child process. */
let prepared: State | undefined;
const state = (): State => defined(prepared, "the prepared tree");

async function prepare(): Promise<void> {
  const { vfs } = await openThreadfs(2 ** 31);
  prepared = { vfs, files: 0, paths: [] };
}

/** Makes files until the tree has `entries` entries; returns nanoseconds a file and the bytes of the arena. */
function grow({ entries }: { entries: number }): { create: number; bytes: number } {
  const { vfs } = state();
  let at = state().files;
  // Whole directories in each part, so that all parts do the same work.
  const create = timed(
    (times) => {
      makeFiles(vfs.fs, at, at + times, "/", SIDE);
      at += times;
    },
    filesOf(entries) - at,
    { multiple: FILES_PER_DIRECTORY },
  );
  prepared = { vfs, files: at, paths: sample(at) };
  return { create, bytes: vfs.counters().chunksUsed * CHUNK };
}

/** Random files of the whole tree, in a random order; the strings lie in that order, so only the tree is scattered. */
function sample(files: number): string[] {
  const random = randomBelow(files);
  return Array.from({ length: Math.min(files, SAMPLE) }, () => flat(`/${fileName(random(files), SIDE)}`));
}

// The loops cast what they read: their places are below the length.
function lookup(): number {
  const { vfs, paths } = state();
  const { fs } = vfs;
  let at = 0;
  let found = 0;
  const ns = timed((times) => {
    for (const end = at + times; at < end; at++) if (fs.existsSync(paths[at] as string)) found++;
  }, paths.length);
  if (found !== paths.length) throw new Error(`${found} of ${paths.length} found`);
  return ns;
}

/** Copies the same strings into a buffer: the part of a lookup that is the string and not the tree. */
function handOver(): number {
  const { paths } = state();
  const encoder = new TextEncoder();
  const view = new Uint8Array(new SharedArrayBuffer(4097));
  let at = 0;
  let sum = 0;
  const ns = timed((times) => {
    for (const end = at + times; at < end; at++) sum += encoder.encodeInto(paths[at] as string, view).written;
  }, paths.length);
  if (sum === 0) throw new Error("nothing was written");
  return ns;
}

/** Dependent loads over `bytes` bytes, one in each cache line of 64; returns nanoseconds a load. */
function control({ bytes, loads }: { bytes: number; loads: number }): number {
  const WORDS = 16;
  const lines = Math.floor(bytes / 64);
  const memory = new Uint32Array(lines * WORDS);
  for (const [i, next] of randomCycle(lines).entries()) memory[i * WORDS] = next * WORDS;
  let at = 0;
  for (let i = 0; i < Math.min(lines, loads); i++) at = memory[at] as number; // Warm, as far as that goes.
  const ns = timed((times) => {
    let place = at;
    for (let i = 0; i < times; i++) place = memory[place] as number;
    at = place;
  }, loads);
  if (at % WORDS !== 0) throw new Error("left the cycle");
  return ns;
}

export const served = { prepare, grow, lookup, handOver, control };

// ---- in the bench's process ----

type Child = Remote<typeof served>;

/** The costs at one size, in ns. */
interface Point {
  entries: number;
  create: number;
  bytes: number;
  lookup: number;
  handOver: number;
  load: number;
}

async function measureSize(remote: Child, controls: Child, entries: number, options: BenchOptions): Promise<Point> {
  const { create, bytes } = await remote.call("grow", { entries });
  const lookups: number[] = [];
  const handOvers: number[] = [];
  const loads: number[] = [];
  await remote.call("lookup");
  for (let round = 0; round < options.rounds; round++) {
    lookups.push(await remote.call("lookup"));
    handOvers.push(await remote.call("handOver"));
  }
  for (let round = 0; round < Math.min(3, options.rounds); round++) {
    loads.push(await controls.call("control", { bytes, loads: 4000000 }));
  }
  return { entries, create, bytes, lookup: median(lookups), handOver: median(handOvers), load: median(loads) };
}

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("growth", "What does a lookup cost as the tree grows, and why?");
  if (options.skip.includes("threadfs")) return result;
  const sizes = SIZES.filter((entries) => entries <= (options.quick ? 100000 : 4000000));
  const remote: Child = new Remote(import.meta.url, { nodeOptions: ["--max-old-space-size=2048"] });
  const controls: Child = new Remote(import.meta.url, { nodeOptions: ["--max-old-space-size=2048"] });
  const points: Point[] = [];
  try {
    await remote.call("prepare");
    for (const entries of sizes) {
      options.log(`${entries.toLocaleString("en-US")} entries`);
      points.push(await measureSize(remote, controls, entries, options));
    }
  } finally {
    remote.stop();
    controls.stop();
  }
  reportCurve(result, points);
  reportGrowth(result, points);
  return result;
}

function reportCurve(result: Result, points: Point[]): void {
  result.curve(
    "existsSync of random existing files, and the making of a file",
    [
      "entries",
      "arena MiB",
      "lookup ns",
      "hand-over ns",
      "tree's part ns",
      "one load ns",
      "loads' worth",
      "creation ns",
    ],
    points.map((point) => [
      point.entries,
      point.bytes / 2 ** 20,
      point.lookup,
      point.handOver,
      point.lookup - point.handOver,
      point.load,
      (point.lookup - point.handOver) / point.load,
      point.create,
    ]),
  );
  for (const point of points) {
    const what = `${point.entries.toLocaleString("en-US")} entries`;
    result.measure(what, "existsSync", "ns", [point.lookup]);
    result.measure(what, "one dependent load", "ns", [point.load]);
    result.measure(what, "open, close", "ns", [point.create]);
  }
}

function reportGrowth(result: Result, points: Point[]): void {
  const first = defined(points[0], "the smallest tree");
  const last = defined(points.at(-1), "the largest tree");
  const span = `${first.entries.toLocaleString("en-US")} to ${last.entries.toLocaleString("en-US")} entries`;
  result.figure(`lookup, ${span}`, "growth", "x", last.lookup / first.lookup);
  result.figure(`one load, ${span}`, "growth", "x", last.load / first.load);
  result.figure(`creation, ${span}`, "growth", "x", last.create / first.create);
  const fit = line(
    points.map((point) => point.load),
    points.map((point) => point.lookup - point.handOver),
  );
  result.figure("loads that miss in one lookup", "slope of the tree's part over one load", "loads", fit.slope);
  result.figure("the tree's part without misses", "intercept of the same line", "ns", fit.intercept);
  result.note(`the line explains ${(fit.r2 * 100).toFixed(1)} % of the curve's variance`);
}

export default { name: "growth", run } satisfies Question;
