// What does the walk alone cost? One path again and again, everything in cache, over paths of 1 to 16 components: the
// slope is the cost of a component, the intercept the cost of every call. The prefix cache is off for this, and measured
// with a slope of its own, over the depths that it holds, and on the path of 8 components. The path lies in the thread's
// scratch area before the clock starts, so the slope contains no string. Beside it the parts of a call with a path of 8
// components and 72 characters: copying the path, the call into Wasm, and existsSync with everything; and the cost where
// something on the path is special; and where the packages of a tree of pnpm are looked up in turn.

import type { Vfs } from "threadfs";
import { defined } from "../../cli/dist/support/defined.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { Remote } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { type BenchFs, type Core, openCore, openThreadfs } from "./lib/rivals.js";
import { interleave, type Loop, type Rounds } from "./lib/rounds.js";
import { line, summary } from "./lib/stats.js";
import { LINKED_PATHS, makeLinks, makePackages } from "./links/linked-paths.js";
import { makeSpecial, REST } from "./links/special-paths.js";

const DEPTH = 16;

/** Mode of the core's walkMode(): no prefix cache. */
const NO_PREFIX_CACHE = 2;

/** Nanoseconds a component may take. */
const TARGET = 10;

/** Lengths of names: of one word, as in the tree of the lookup bench, and long ones (all lie in the dentry's line). */
const LENGTHS = [6, 8, 24];
/** The length that the target is meant for. */
const TARGET_LENGTH = 8;
/** Components of the paths with names of that length whose directory fits the prefix cache: 24 to 96 bytes, 9 directories. */
const CACHED = { from: 4, to: 10 };

/** Names of `length` characters, no two alike. */
function names(length: number): string[] {
  return Array.from({ length: DEPTH }, (_, i) => `${"component".repeat(4).slice(0, length - 2)}${10 + i}`);
}

/** A chain of directories with a file at each level; returns the paths of the files, with 1 .. DEPTH components. */
function makeChain(fs: BenchFs, length: number): string[] {
  let directory = "";
  return names(length).map((name) => {
    const path = `${directory}/${name.slice(0, -2)}.f`;
    fs.closeSync(fs.openSync(path, "w"));
    directory += `/${name}`;
    fs.mkdirSync(directory);
    return path;
  });
}

/** Writes a path into scratch once and looks it up `times` times. */
function accessLoop({ put, access }: Core, path: string): Loop {
  return (times) => {
    const length = put(path);
    let sum = 0;
    for (let i = 0; i < times; i++) sum += access(length);
    if (sum !== 0) throw new Error(`sysAccess returned ${sum / times}, not 0`);
  };
}

/** Packages of a tree of pnpm that are looked up in turn. */
const PACKAGES = [60, 300, 1500];

/** Looks paths up in turn, each of which is written into scratch before. */
function inTurnLoop({ put, access }: Core, paths: readonly string[]): Loop {
  let next = 0;
  return (times) => {
    let sum = 0;
    for (let i = 0; i < times; i++) {
      sum += access(put(paths[next] as string));
      if (++next === paths.length) next = 0;
    }
    checkSum(sum, times, 0);
  };
}

/** Paths that differ in their number of components. */
interface Chain {
  what: string;
  /** Components of the first path; each further one has one more. */
  from: number;
  paths: string[];
  /** Whether the target is meant for it. */
  target: boolean;
}

/** The rounds of each path, in ns. */
interface Slope extends Omit<Chain, "paths"> {
  series: number[][];
}

function measureSlope(core: Core, { paths, ...chain }: Chain, rounds: Rounds): Slope {
  const series = interleave(new Map(paths.map((path) => [path, accessLoop(core, path)])), rounds);
  return { ...chain, series: [...series.values()] };
}

interface Measured {
  slopes: Slope[];
  parts: Parts;
  special: Map<string, number[]>;
  inTurn: Map<string, number[]>;
}

/** The child's part: a process of its own, so that no other bench has shaped its compiled code. */
async function measure({ rounds, ms }: Rounds): Promise<Measured> {
  const { vfs, fs } = await openThreadfs();
  const core = await openCore(vfs.handle);
  core.core.walkMode(NO_PREFIX_CACHE);
  const chains = LENGTHS.map((length): Chain => {
    const paths = makeChain(fs, length);
    return { what: `names of ${length} characters`, from: 1, paths, target: length === TARGET_LENGTH };
  });
  const whole = defined(
    chains.find(({ target }) => target),
    "the chain of the target",
  );
  const { from, to } = CACHED;
  const cached = { ...whole, what: `${whole.what}, by the prefix cache`, from, paths: whole.paths.slice(from - 1, to) };
  const slopes = chains.map((chain) => measureSlope(core, chain, { rounds, ms }));
  core.core.walkMode(0);
  slopes.push(measureSlope(core, cached, { rounds, ms }));
  const longer = { rounds, ms: ms * 4 };
  const parts = measureParts(fs, core, longer);
  return { slopes, parts, special: measureSpecial(vfs, core, longer), inTurn: measureInTurn(vfs, core, longer) };
}

export const served = { measure };

/** The results of `times` calls must add up to `times * each`. */
function checkSum(sum: number, times: number, each: number): void {
  if (sum !== times * each) throw new Error(`the results add up to ${sum}, not ${times} x ${each}`);
}

interface Parts {
  /** Characters of the path. */
  length: number;
  series: Map<string, number[]>;
}

/** The parts of one existsSync of 8 components and 72 characters. A loop each: one call site sees one function. */
function measureParts(fs: BenchFs, access: Core, rounds: Rounds): Parts {
  const { core, path: view, put } = access;
  const directory = "/workspace/project/packages/package-17/node_modules/dep-112/lib";
  fs.mkdirSync(directory, { recursive: true });
  const path = `${directory}/file-2.js`;
  fs.closeSync(fs.openSync(path, "w"));
  const length = put(path);
  const base = core.scratchBase();
  const loops = new Map<string, Loop>();
  loops.set("a call into Wasm that does nothing", (times) => {
    let sum = 0;
    for (let i = 0; i < times; i++) sum += core.scratchBase();
    checkSum(sum, times, base);
  });
  for (const [name, loop] of stringLoops(path, view)) loops.set(name, loop);
  loops.set("sysAccess, path in scratch", accessLoop(access, path));
  const walkAll = accessLoop(access, path);
  loops.set("sysAccess without the prefix cache", (times) => {
    core.walkMode(NO_PREFIX_CACHE);
    walkAll(times);
    core.walkMode(0);
  });
  loops.set("sysStat, path in scratch", (times) => {
    put(path);
    let sum = 0;
    for (let i = 0; i < times; i++) sum += access.stat(length);
    checkSum(sum, times, 0);
  });
  loops.set("existsSync", (times) => {
    let sum = 0;
    for (let i = 0; i < times; i++) sum += fs.existsSync(path) ? 1 : 0;
    checkSum(sum, times, 1);
  });
  loops.set("statSync", (times) => {
    let sum = 0;
    for (let i = 0; i < times; i++) sum += fs.statSync(path).nlink;
    checkSum(sum, times, 1);
  });
  return { length, series: interleave(loops, rounds) };
}

/** Two ways of copying a path into scratch. */
function stringLoops(path: string, view: Uint8Array): [string, Loop][] {
  const encoder = new TextEncoder();
  const buffer = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return [
    [
      "encodeInto of the path",
      (times) => {
        let sum = 0;
        for (let i = 0; i < times; i++) sum += encoder.encodeInto(path, view).written;
        checkSum(sum, times, path.length);
      },
    ],
    [
      "Buffer.write of the path",
      (times) => {
        let sum = 0;
        for (let i = 0; i < times; i++) sum += buffer.write(path);
        checkSum(sum, times, path.length);
      },
    ],
  ];
}

function measureSpecial(vfs: Vfs, core: Core, rounds: Rounds): Map<string, number[]> {
  const { fs } = vfs;
  // The driver is registered in this attachment only: the one that is measured finds the names in the cache.
  const paths = makeSpecial(vfs);
  fs.symlinkSync("/plain", "/link");
  makeLinks(fs);
  const loops = new Map<string, Loop>();
  for (const [what, path] of Object.entries(paths)) loops.set(what, accessLoop(core, path));
  for (const [what, path] of Object.entries({ ...LINKED_PATHS, "a symbolic link": `/link/${REST}` })) {
    const walkAll = accessLoop(core, path);
    loops.set(what, walkAll);
    loops.set(`${what}, without the prefix cache`, (times) => {
      core.core.walkMode(NO_PREFIX_CACHE);
      walkAll(times);
      core.core.walkMode(0);
    });
  }
  return interleave(loops, rounds);
}

/** Packages in turn: the prefix cache has to hold the directories of all of them. */
function measureInTurn({ fs }: Vfs, core: Core, rounds: Rounds): Map<string, number[]> {
  const loops = new Map<string, Loop>();
  for (const count of PACKAGES) {
    const { linked, stored } = makePackages(fs, count);
    const what = `sysAccess and the copy of the path: ${count.toLocaleString("en")} packages of a pnpm tree in turn`;
    loops.set(`${what}, in the store`, inTurnLoop(core, stored));
    loops.set(`${what}, over two links each`, inTurnLoop(core, linked));
  }
  return interleave(loops, rounds);
}

/** Enters slope and intercept: one line a round, so that its slope is that round's figure. */
function enterSlope(result: Result, { what, from, target, series }: Slope, rounds: number): void {
  const depths = series.map((_, i) => from + i);
  const lines = Array.from({ length: rounds }, (_, round) =>
    line(
      depths,
      series.map((values) => defined(values[round], `round ${round}`)),
    ),
  );
  const wanted = target ? { target: TARGET, atMost: true } : {};
  const slope = summary(lines.map((each) => each.slope));
  // The line through each depth's best round.
  const best = line(
    depths,
    series.map((values) => Math.min(...values)),
  );
  const range = `slope over ${from} .. ${depths.at(-1)} components`;
  result.figure(`a component, ${what}`, range, "ns", slope, { ...wanted, best: best.slope });
  const intercept = summary(lines.map((each) => each.intercept));
  result.figure(`a call, ${what}`, "intercept", "ns", intercept, { best: best.intercept });
  result.curve(
    `sysAccess, ${what}`,
    ["components", "median ns", "best round ns"],
    series.map((values, i) => {
      const { value, low } = summary(values);
      return [String(from + i), value, low];
    }),
  );
  const fit = Math.min(...lines.map((each) => each.r2));
  result.note(`${what}: each round's line explains ${(fit * 100).toFixed(1)} % of the variance or more`);
}

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("walk", "What does the walk alone cost, in cache?");
  if (options.skip.includes("threadfs")) return result;
  const remote = new Remote<typeof served>(import.meta.url);
  try {
    const { slopes, parts, special, inTurn } = await remote.call("measure", {
      rounds: options.rounds,
      ms: options.quick ? 10 : 30,
    });
    for (const slope of slopes) enterSlope(result, slope, options.rounds);
    for (const [name, rounds] of parts.series) result.measure(name, `${parts.length} characters`, "ns", rounds);
    for (const [name, rounds] of special) {
      const components = name.startsWith("eight") ? 10 : 8;
      result.measure(`sysAccess, ${components} components: ${name}`, "threadfs", "ns", rounds);
    }
    for (const [name, rounds] of inTurn) result.measure(name, "threadfs", "ns", rounds);
  } finally {
    remote.stop();
  }
  return result;
}

export default { name: "walk", run } satisfies Question;
