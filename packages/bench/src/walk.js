// What does the walk alone cost? One path again and again, everything in cache, over paths of 1 to 16 components: the
// slope is the cost of a component, the intercept what every call pays. The memo of directories is off for this, and measured in a
// slope of its own, over the depths that it remembers, and on the path of 8 components. The path lies in the thread's scratch area
// before the clock starts, so the slope holds no string. Beside it what stands around the walk for a path of 8
// components and 72 characters: the hand-over, the call into Wasm, and existsSync with everything; and what it costs where
// something on the way is special, so that the general walk has to take that step.

import { Remote } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { openCore, openRival } from "./lib/rivals.js";
import { interleave } from "./lib/rounds.js";
import { line, summary } from "./lib/stats.js";

const DEPTH = 16;

/** Mode of the core's walkMode(): no memo of directories. */
const NO_MEMO = 2;

/** Nanoseconds a component may take. */
const TARGET = 10;

/** Lengths of names: of one word, as in the tree of the lookup bench, and long ones (all lie in the dentry's line). */
const LENGTHS = [6, 8, 24];
/** The length that the target is meant for. */
const TARGET_LENGTH = 8;
/** Components of the paths with names of that length whose directory has room in the memo: 24 to 96 bytes, 9 directories. */
const REMEMBERED = { from: 4, to: 10 };

/** Names of `length` characters, no two alike. */
function names(length) {
  return Array.from({ length: DEPTH }, (_, i) => `${"component".repeat(4).slice(0, length - 2)}${10 + i}`);
}

/** A chain of directories with a file at each level; answers the paths of files with 1 .. DEPTH components. */
function makeChain(fs, length) {
  const paths = [];
  let directory = "";
  for (const name of names(length)) {
    paths.push(`${directory}/${name.slice(0, -2)}.f`);
    fs.closeSync(fs.openSync(paths[paths.length - 1], "w"));
    directory += `/${name}`;
    fs.mkdirSync(directory);
  }
  return paths;
}

/** Puts a path down once and looks it up `times` times. */
function accessLoop({ put, access }, path) {
  return (times) => {
    const length = put(path);
    let sum = 0;
    for (let i = 0; i < times; i++) sum += access(length);
    if (sum !== 0) throw new Error(`sysAccess answered ${sum / times}, not 0`);
  };
}

/** The child's part: a process of its own, so that no other bench has shaped its compiled code. */
export async function measure(_state, { rounds, ms }) {
  const { vfs, fs } = await openRival("threadfs");
  const core = await openCore(vfs.handle);
  core.core.walkMode(NO_MEMO);
  const slopes = LENGTHS.map((length) => {
    const paths = makeChain(fs, length);
    return { what: `names of ${length} characters`, from: 1, paths, target: length === TARGET_LENGTH };
  });
  const { from, to } = REMEMBERED;
  const whole = slopes.find(({ target }) => target);
  const remembered = { ...whole, what: `${whole.what}, by the memo`, from, paths: whole.paths.slice(from - 1, to) };
  const measureSlope = ({ paths, ...slope }) => {
    const series = interleave(new Map(paths.map((path) => [path, accessLoop(core, path)])), { rounds, ms });
    return { ...slope, series: paths.map((path) => series.get(path)) };
  };
  const measured = slopes.map(measureSlope);
  core.core.walkMode(0);
  measured.push(measureSlope(remembered));
  const options = { rounds, ms: ms * 4 };
  return { slopes: measured, parts: measureParts(fs, core, options), special: measureSpecial(vfs, core, options) };
}

/** The answers of `times` calls must add up to `times * each`. */
function checkSum(sum, times, each) {
  if (sum !== times * each) throw new Error(`the answers add up to ${sum}, not ${times} x ${each}`);
}

/** What one existsSync of 8 components and 72 characters is made of. A loop each: one call site sees one function. */
function measureParts(fs, door, options) {
  const { core, path: view, put } = door;
  const directory = "/workspace/project/packages/package-17/node_modules/dep-112/lib";
  fs.mkdirSync(directory, { recursive: true });
  const path = `${directory}/file-2.js`;
  fs.closeSync(fs.openSync(path, "w"));
  const encoder = new TextEncoder();
  const length = put(path);
  const base = core.scratchBase();
  const loops = new Map();
  loops.set("a call into Wasm that does nothing", (times) => {
    let sum = 0;
    for (let i = 0; i < times; i++) sum += core.scratchBase();
    checkSum(sum, times, base);
  });
  loops.set("encodeInto of the path", (times) => {
    let sum = 0;
    for (let i = 0; i < times; i++) sum += encoder.encodeInto(path, view).written;
    checkSum(sum, times, length);
  });
  const buffer = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  loops.set("Buffer.write of the path", (times) => {
    let sum = 0;
    for (let i = 0; i < times; i++) sum += buffer.write(path);
    checkSum(sum, times, length);
  });
  loops.set("sysAccess, path in scratch", accessLoop(door, path));
  const walkAll = accessLoop(door, path);
  loops.set("sysAccess without the memo of directories", (times) => {
    core.walkMode(NO_MEMO);
    walkAll(times);
    core.walkMode(0);
  });
  loops.set("sysStat, path in scratch", (times) => {
    put(path);
    let sum = 0;
    for (let i = 0; i < times; i++) sum += door.stat(length);
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
  return { length, series: interleave(loops, options) };
}

/** sysAccess on 8 components, the first of which is nothing special, or is. */
function measureSpecial(vfs, door, options) {
  const { fs } = vfs;
  const rest = "project/packages/package-17/node_modules/dep-112/lib/file-2.js";
  const kinds = {
    "nothing special": "/plain",
    "a mount point": "/mount",
    "a directory of the owner alone": "/owner",
    '"." in front': "/./plain",
    '".." on the way': "/plain/../plain",
    "a symbolic link (in ref mode)": "/link",
  };
  for (const top of ["/plain", "/mount", "/owner"]) fs.mkdirSync(top);
  vfs.mount(null, "/mount", "tmpfs");
  fs.symlinkSync("/plain", "/link");
  for (const top of ["/plain", "/mount", "/owner"]) {
    fs.mkdirSync(`${top}/${rest.slice(0, rest.lastIndexOf("/"))}`, { recursive: true });
    fs.closeSync(fs.openSync(`${top}/${rest}`, "w"));
  }
  fs.chmodSync("/owner", 0o700);
  const loops = Object.entries(kinds).map(([what, top]) => [what, accessLoop(door, `${top}/${rest}`)]);
  return interleave(new Map(loops), options);
}

/** Enters slope and intercept: one line a round, so that its slope is that round's figure. */
function enterSlope(result, { what, from, target, series }, rounds) {
  const depths = series.map((_, i) => from + i);
  const lines = Array.from({ length: rounds }, (_, round) =>
    line(
      depths,
      series.map((values) => values[round]),
    ),
  );
  const wanted = target ? { target: TARGET, atMost: true } : {};
  const slope = summary(lines.map((each) => each.slope));
  // The line through each depth's best round.
  const best = line(
    depths,
    series.map((values) => Math.min(...values)),
  );
  const range = `slope over ${depths[0]} .. ${depths.at(-1)} components`;
  result.figure(`a component, ${what}`, range, "ns", slope, { ...wanted, best: best.slope });
  const intercept = summary(lines.map((each) => each.intercept));
  result.figure(`a call, ${what}`, "intercept", "ns", intercept, { best: best.intercept });
  result.curve(
    `sysAccess, ${what}`,
    ["components", "median ns", "best round ns"],
    depths.map((depth, i) => {
      const { value, low } = summary(series[i]);
      return [String(depth), value, low];
    }),
  );
  const fit = Math.min(...lines.map((each) => each.r2));
  result.note(`${what}: each round's line explains ${(fit * 100).toFixed(1)} % of the variance or more`);
}

async function run(options) {
  const result = new Result("walk", "What does the walk alone cost, in cache?");
  if (options.skip.includes("threadfs")) return result;
  const remote = new Remote(import.meta.url);
  try {
    const { slopes, parts, special } = await remote.call("measure", {
      rounds: options.rounds,
      ms: options.quick ? 10 : 30,
    });
    for (const slope of slopes) enterSlope(result, slope, options.rounds);
    for (const [name, rounds] of parts.series) result.measure(name, `${parts.length} characters`, "ns", rounds);
    for (const [name, rounds] of special) result.measure(`sysAccess, 8 components: ${name}`, "threadfs", "ns", rounds);
  } finally {
    remote.stop();
  }
  return result;
}

export default { name: "walk", run };
