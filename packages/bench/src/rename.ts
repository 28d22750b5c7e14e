// What do changes cost? Renaming a directory there and back with 0 to 100,000 files below it, and making and removing a
// file: threadfs, memfs, node:fs over the kernel's memory file system.

import { defined } from "../../cli/dist/support/defined.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { type LoopRounds, rivalRounds, type ServedRival } from "./lib/remote.js";
import { type Measure, Result } from "./lib/result.js";
import { type BenchFs, KINDS, type Kind, LABEL, openRival } from "./lib/rivals.js";
import { type Loop, repetitions, timed } from "./lib/rounds.js";
import { pairwise } from "./lib/stats.js";

const EMPTIEST = 0;
const FULLEST = 100000;
const SIZES = [EMPTIEST, 100, 10000, FULLEST];

/** How many times faster than memfs a file is to be made and removed. */
const CREATE_TARGET = 3;

/** Largest growth of a rename from the empty to the fullest directory that still counts as "the same time". */
const FLAT_TARGET = 1.25;

// ---- in the rival's process ----

/** The loops that are measured, by their names; set by prepare(). */
const loops = new Map<string, Loop>();

const loopOf = (name: string): Loop => defined(loops.get(name), `the loop "${name}"`);

/** Files in directories of 100 under `top`. */
function fill(fs: BenchFs, top: string, size: number): void {
  fs.mkdirSync(top, { recursive: true });
  for (let i = 0; i < size; i++) {
    const directory = `${top}/group-${Math.floor(i / 100)}`;
    if (i % 100 === 0) fs.mkdirSync(directory);
    fs.closeSync(fs.openSync(`${directory}/file-${i}.js`, "w"));
  }
}

function renameLoop(fs: BenchFs, from: string, to: string): Loop {
  return (times) => {
    // An even number of renames: the next round finds the directory under its first name.
    for (let i = 0; i < times; i += 2) {
      fs.renameSync(from, to);
      fs.renameSync(to, from);
    }
  };
}

/** Loops that make and remove an entry in the directory `work`. */
function makeLoops(fs: BenchFs, work: string): [string, Loop][] {
  const file = `${work}/file-new.js`;
  const directory = `${work}/directory-new`;
  return [
    [
      "open, close, unlink",
      (times) => {
        for (let i = 0; i < times; i++) {
          fs.closeSync(fs.openSync(file, "w"));
          fs.unlinkSync(file);
        }
      },
    ],
    [
      "writeFile of 16 bytes, unlink",
      (times) => {
        for (let i = 0; i < times; i++) {
          fs.writeFileSync(file, "sixteen bytes ..");
          fs.unlinkSync(file);
        }
      },
    ],
    [
      "mkdir, rmdir",
      (times) => {
        for (let i = 0; i < times; i++) {
          fs.mkdirSync(directory);
          fs.rmdirSync(directory);
        }
      },
    ],
  ];
}

/** Makes everything that the loops touch; returns their names. */
async function prepare({ kind }: { kind: Kind }): Promise<string[]> {
  const { fs, prefix } = await openRival(kind);
  const at = (name: string) => `${prefix}bench/${name}`;
  fs.mkdirSync(at("work"), { recursive: true });
  for (const size of SIZES) {
    const from = at(`tree-${size}`);
    fill(fs, from, size);
    loops.set(renameName(size), renameLoop(fs, from, at(`moved-${size}`)));
  }
  for (const [name, loop] of makeLoops(fs, at("work"))) loops.set(name, loop);
  return [...loops.keys()];
}

function calibrate({ name, ms }: { name: string; ms: number }): number {
  return Math.max(2, 2 * Math.round(repetitions(loopOf(name), ms, 2) / 2));
}

function measure({ name, times }: { name: string; times: number }): number {
  // Renames come in pairs, there and back.
  return timed(loopOf(name), times, { multiple: 2 });
}

export const served: ServedRival = { prepare, calibrate, measure };

// ---- in the bench's process ----

const renameName = (size: number): string => `rename ${size}`;

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("rename", "What does a change cost, whatever is below it?");
  enter(result, await rivalRounds(result, import.meta.url, options, options.quick ? 50 : 150));
  return result;
}

/** Enters the rounds under the names that the tables print. */
function enter(result: Result, series: LoopRounds<Kind>[]): void {
  const measured = new Map<string, Measure>();
  const keyOf = (kind: Kind, name: string) => `${name} ${kind}`;
  for (const { kind, name, rounds } of series) {
    const size = /^rename (\d+)$/.exec(name)?.[1];
    const what = size === undefined ? name : `rename, ${Number(size).toLocaleString("en-US")} files below`;
    const entry = result.measure(what, LABEL[kind], "ns", rounds);
    measured.set(keyOf(kind, name), entry);
    const target = kind === "memfs" && size === undefined && name !== "mkdir, rmdir" ? CREATE_TARGET : undefined;
    if (kind !== "threadfs") result.ratio(what, entry, measured.get(keyOf("threadfs", name)), target);
  }
  for (const kind of KINDS) {
    const full = measured.get(keyOf(kind, renameName(FULLEST)));
    const empty = measured.get(keyOf(kind, renameName(EMPTIEST)));
    if (!full || !empty) continue;
    const ratios = pairwise(full.rounds, empty.rounds, (a, b) => a / b).sort((a, b) => a - b);
    const value = defined(ratios[ratios.length >> 1], "the median ratio");
    const spread = { value, low: Math.min(...ratios), high: Math.max(...ratios) };
    const wanted = kind === "threadfs" ? { target: FLAT_TARGET, atMost: true } : {};
    result.figure("rename, 100,000 files below / none", LABEL[kind], "x", spread, wanted);
  }
}

export default { name: "rename", run } satisfies Question;
