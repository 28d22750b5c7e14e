// How does the cost of a lookup and of a creation grow with the tree, from 10,000 to 4,000,000 entries? And how much of
// that is the memory itself: the same machine's cost of one load at an unpredictable place in as much memory as the tree
// takes, where each load's address comes from the load before (so nothing can be fetched ahead).

import { randomBelow } from "../../cli/dist/support/random.js";
import { randomCycle } from "./lib/random.js";
import { Remote } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { openRival } from "./lib/rivals.js";
import { timed } from "./lib/rounds.js";
import { line, median } from "./lib/stats.js";
import { FILES_PER_DIRECTORY, fileName, flat, makeFiles } from "./lib/tree.js";

/** Dependencies in each package, at every size: the tree grows by packages, its fan-out stays. */
const SIDE = 400;

const SIZES = [10000, 30000, 100000, 300000, 1000000, 2000000, 4000000];

/** Paths that are looked up at each size: more than any cache holds the entries of. */
const SAMPLE = 400000;

/** Unit of the counter chunksUsed. */
const CHUNK = 65536;

/** Files of a tree of `entries` entries: two directories come with each full lib directory. */
function filesOf(entries) {
  return Math.floor((entries * FILES_PER_DIRECTORY) / (FILES_PER_DIRECTORY + 2));
}

// ---- the child's part ----

export async function prepare(state) {
  const { fs, vfs } = await openRival("threadfs", { maxBytes: 2 ** 31 });
  Object.assign(state, { fs, vfs, files: 0 });
}

/** Makes files until the tree has `entries` entries; answers nanoseconds a file and the bytes taken. */
export function grow(state, { entries }) {
  const files = filesOf(entries);
  let at = state.files;
  // Whole directories in each part, so that all parts do the same work.
  const ns = timed(
    (times) => {
      makeFiles(state.fs, at, at + times, "/", SIDE);
      at += times;
    },
    files - at,
    { multiple: FILES_PER_DIRECTORY },
  );
  state.files = at;
  state.paths = sample(at);
  return { create: ns, bytes: state.vfs.counters().chunksUsed * CHUNK };
}

/** Random files of the whole tree, in a random order; the strings lie in that order, so the tree is what is scattered. */
function sample(files) {
  const random = randomBelow(files);
  return Array.from({ length: Math.min(files, SAMPLE) }, () => flat(`/${fileName(random(files), SIDE)}`));
}

export function lookup({ fs, paths }) {
  let at = 0;
  let found = 0;
  const ns = timed((times) => {
    for (const end = at + times; at < end; at++) if (fs.existsSync(paths[at])) found++;
  }, paths.length);
  if (found !== paths.length) throw new Error(`${found} of ${paths.length} found`);
  return ns;
}

/** The hand-over of the same strings to nobody: what of a lookup is the string and not the tree. */
export function handOver({ paths }) {
  const encoder = new TextEncoder();
  const view = new Uint8Array(new SharedArrayBuffer(4097));
  let at = 0;
  let sum = 0;
  const ns = timed((times) => {
    for (const end = at + times; at < end; at++) sum += encoder.encodeInto(paths[at], view).written;
  }, paths.length);
  if (sum === 0) throw new Error("nothing was written");
  return ns;
}

/** Dependent loads over `bytes` bytes, one in each cache line of 64; nanoseconds each. */
export function control(_state, { bytes, loads }) {
  const WORDS = 16;
  const lines = Math.floor(bytes / 64);
  const cycle = randomCycle(lines);
  const memory = new Uint32Array(lines * WORDS);
  for (let i = 0; i < lines; i++) memory[i * WORDS] = cycle[i] * WORDS;
  let at = 0;
  for (let i = 0; i < Math.min(lines, loads); i++) at = memory[at]; // Warm, as far as that goes.
  const ns = timed((times) => {
    let place = at;
    for (let i = 0; i < times; i++) place = memory[place];
    at = place;
  }, loads);
  if (at % WORDS !== 0) throw new Error("left the cycle");
  return ns;
}

// ---- the bench's part ----

async function measureSize(remote, controls, entries, options) {
  const { create, bytes } = await remote.call("grow", { entries });
  const lookups = [];
  const handOvers = [];
  const loads = [];
  await remote.call("lookup");
  for (let round = 0; round < options.rounds; round++) {
    lookups.push(await remote.call("lookup"));
    handOvers.push(await remote.call("handOver"));
  }
  for (let round = 0; round < Math.min(3, options.rounds); round++) {
    loads.push(await controls.call("control", { bytes, loads: 4000000 }));
  }
  return {
    entries,
    create,
    bytes,
    lookup: median(lookups),
    handOver: median(handOvers),
    load: median(loads),
  };
}

async function run(options) {
  const result = new Result("growth", "What does a lookup cost as the tree grows, and why?");
  if (options.skip.includes("threadfs")) return result;
  const sizes = SIZES.filter((entries) => entries <= (options.quick ? 100000 : 4000000));
  const remote = new Remote(import.meta.url, { nodeOptions: ["--max-old-space-size=2048"] });
  const controls = new Remote(import.meta.url, { nodeOptions: ["--max-old-space-size=2048"] });
  const points = [];
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
  report(result, points);
  return result;
}

function report(result, points) {
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
  const first = points[0];
  const last = points[points.length - 1];
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

export default { name: "growth", run };
