// What do changes cost? Renaming a directory to and fro with 0 to 100,000 files below it, and making and removing a
// file: threadfs, memfs, node:fs over the kernel's memory file system.

import { Remote } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { KINDS, LABEL, openRival } from "./lib/rivals.js";
import { repetitions, timed } from "./lib/rounds.js";
import { fastestDirectory, fileSystemType, makeTempDirectory, removeTempDirectory } from "./lib/tempdir.js";

const SIZES = [0, 100, 10000, 100000];

/** How many times faster than memfs a file is to be made and removed. */
const CREATE_TARGET = 3;

/** Largest growth of a rename from the empty to the fullest directory that still counts as "the same time". */
const FLAT_TARGET = 1.25;

/** Files in a directory of their own, 100 in each but for the smallest size, under `top`. */
function fill(fs, top, size) {
  fs.mkdirSync(top, { recursive: true });
  for (let i = 0; i < size; i++) {
    const directory = `${top}/group-${Math.floor(i / 100)}`;
    if (i % 100 === 0) fs.mkdirSync(directory);
    fs.closeSync(fs.openSync(`${directory}/file-${i}.js`, "w"));
  }
}

/** The child's part: makes everything that the loops touch. */
export async function prepare(state, { kind }) {
  const { fs, prefix } = await openRival(kind);
  const at = (name) => `${prefix}bench/${name}`;
  fs.mkdirSync(at("work"), { recursive: true });
  state.loops = {};
  for (const size of SIZES) {
    const from = at(`tree-${size}`);
    const to = at(`moved-${size}`);
    fill(fs, from, size);
    state.loops[`rename ${size}`] = (times) => {
      // An even number of renames: the next round finds the directory under its first name.
      for (let i = 0; i < times; i += 2) {
        fs.renameSync(from, to);
        fs.renameSync(to, from);
      }
    };
  }
  const name = at("work/file-new.js");
  state.loops["open, close, unlink"] = (times) => {
    for (let i = 0; i < times; i++) {
      fs.closeSync(fs.openSync(name, "w"));
      fs.unlinkSync(name);
    }
  };
  state.loops["writeFile of 16 bytes, unlink"] = (times) => {
    for (let i = 0; i < times; i++) {
      fs.writeFileSync(name, "sixteen bytes ..");
      fs.unlinkSync(name);
    }
  };
  const directory = at("work/directory-new");
  state.loops["mkdir, rmdir"] = (times) => {
    for (let i = 0; i < times; i++) {
      fs.mkdirSync(directory);
      fs.rmdirSync(directory);
    }
  };
  return Object.keys(state.loops);
}

export function calibrate(state, { name, ms }) {
  return Math.max(2, 2 * Math.round(repetitions(state.loops[name], ms, 2) / 2));
}

export function measure(state, { name, times }) {
  // Renames come in pairs, to and fro.
  return timed(state.loops[name], times, { multiple: 2 });
}

async function run(options) {
  const result = new Result("rename", "What does a change cost, whatever is below it?");
  const kinds = KINDS.filter((kind) => !options.skip.includes(kind));
  const cwd = makeTempDirectory();
  const remotes = new Map();
  const series = new Map();
  let names = [];
  try {
    for (const kind of kinds) {
      options.log(`${kind}: making the directories`);
      const remote = new Remote(import.meta.url, { cwd, nodeOptions: ["--max-old-space-size=2048"] });
      remotes.set(kind, remote);
      names = await remote.call("prepare", { kind });
    }
    const ms = options.quick ? 50 : 150;
    for (const name of names) {
      for (const [kind, remote] of remotes) {
        series.set(`${name} ${kind}`, { times: await remote.call("calibrate", { name, ms }), rounds: [] });
      }
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const name of names) {
        for (const [kind, remote] of remotes) {
          const entry = series.get(`${name} ${kind}`);
          entry.rounds.push(await remote.call("measure", { name, times: entry.times }));
        }
      }
      options.log(`round ${round + 1} of ${options.rounds}`);
    }
  } finally {
    for (const remote of remotes.values()) remote.stop();
    removeTempDirectory(cwd);
  }
  enter(result, names, kinds, series);
  result.note(`node:fs works on ${fileSystemType(fastestDirectory())}`);
  return result;
}

/** Files the rounds under the names that people read. */
function enter(result, names, kinds, series) {
  const measured = new Map();
  for (const name of names) {
    const size = /^rename (\d+)$/.exec(name)?.[1];
    const what = size === undefined ? name : `rename, ${Number(size).toLocaleString("en-US")} files below`;
    for (const kind of kinds) {
      const entry = result.measure(what, LABEL[kind], "ns", series.get(`${name} ${kind}`).rounds);
      measured.set(`${name} ${kind}`, entry);
      const target = kind === "memfs" && size === undefined && name !== "mkdir, rmdir" ? CREATE_TARGET : undefined;
      if (kind !== "threadfs") result.ratio(what, entry, measured.get(`${name} threadfs`), target);
    }
  }
  for (const kind of kinds) {
    const full = measured.get(`rename ${SIZES[SIZES.length - 1]} ${kind}`);
    const empty = measured.get(`rename ${SIZES[0]} ${kind}`);
    const ratios = full.rounds.map((ns, round) => ns / empty.rounds[round]).sort((a, b) => a - b);
    const spread = { value: ratios[ratios.length >> 1], low: ratios[0], high: ratios[ratios.length - 1] };
    const wanted = kind === "threadfs" ? { target: FLAT_TARGET, atMost: true } : {};
    result.figure("rename, 100,000 files below / none", LABEL[kind], "x", spread, wanted);
  }
}

export default { name: "rename", run };
