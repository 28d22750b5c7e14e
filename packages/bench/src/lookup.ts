// How long does a lookup take? existsSync of paths that exist and of paths that do not, and statSync, over a tree of
// 10,000 and of 1,000,000 files in random order: threadfs, C over the kernel, node:fs over the kernel, memfs.
//
// What is comparable: the kernel's rivals work from the tree's root as their working directory, so every path has the
// same 8 components for every rival; C passes a pointer to the kernel, threadfs, node:fs and memfs take a JavaScript string.
// What is not: the kernel's answer covers credentials, mounts and a file system of its own; threadfs does as much, memfs
// does not check permissions. C's and node:fs's missing paths on tmpfs cost a new dentry each time, because tmpfs keeps
// no negative ones; a second kernel file system, which keeps them, is measured beside it.

import { defined } from "../../cli/dist/support/defined.js";
import { availableMemory } from "./lib/machine.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { benchOrder } from "./lib/random.js";
import { Remote, type RemoteOptions } from "./lib/remote.js";
import { type Measure, Result } from "./lib/result.js";
import { type BenchFs, type Kind, LABEL, openRival } from "./lib/rivals.js";
import { timed } from "./lib/rounds.js";
import { compileSyscall, type LoopResult, Syscall, type Which } from "./lib/syscall.js";
import { fastestDirectory, fileSystemType, freeInodes, makeTempDirectory, removeTempDirectory } from "./lib/tempdir.js";
import { allPaths, directoryCount, inOrder, makeFiles, meanLength, sideOf } from "./lib/tree.js";

type CallName = "exists" | "stat" | "empty";

interface Call {
  name: string;
  call: CallName;
  which: Which;
  /** How many times the time of threadfs the rival's time should be, at least. */
  targets: Partial<Record<Kind | "C", number>>;
}

/** The calls that are measured. */
const CALLS: Call[] = [
  { name: "existsSync, existing", call: "exists", which: "e", targets: { C: 6, node: 10, memfs: 20 } },
  { name: "existsSync, missing", call: "exists", which: "m", targets: { C: 6, node: 10, memfs: 20 } },
  { name: "statSync", call: "stat", which: "e", targets: { node: 10, memfs: 15 } },
];

/** Heap and resident bytes that memfs needs for one file, generously; it is left out where there is less. */
const MEMFS_BYTES_A_FILE = 4500;

const ROUND_MS = 25;
/** Rounds of this bench for one of the others': short ones, many of them, so that some meet the machine undisturbed. */
const ROUNDS = 6;

// ---- in the rival's process ----

interface State {
  fs: BenchFs;
  lists: Record<Which, string[]>;
  next: Record<Which, number>;
}

/** Set by prepare() in the rival's process. */
let state: State | undefined;

/** Opens the rival and makes the tree; `makes` is false where another process has made it (the kernel's). */
async function prepare({ kind, count, makes }: { kind: Kind; count: number; makes: boolean }): Promise<void> {
  const { fs, prefix } = await openRival(kind, Math.max(2 ** 28, count * 700));
  if (makes) makeFiles(fs, 0, count, prefix, sideOf(count));
  const order = benchOrder(count);
  const lists = {
    e: inOrder(allPaths(count, prefix), order),
    m: inOrder(allPaths(count, prefix, ".ts"), order),
  };
  state = { fs, lists, next: { e: 0, m: 0 } };
}

// One loop a call, each with one call site, and each process has one rival: as monomorphic as a program's own code. Both cast
// the path, as `at` is below the length.
function existsLoop(fs: BenchFs, paths: string[], start: number, count: number): number {
  let found = 0;
  for (let i = 0, at = start; i < count; i++) {
    if (fs.existsSync(paths[at] as string)) found++;
    if (++at === paths.length) at = 0;
  }
  return found;
}

function statLoop(fs: BenchFs, paths: string[], start: number, count: number): number {
  let found = 0;
  for (let i = 0, at = start; i < count; i++) {
    if (fs.statSync(paths[at] as string).mode !== 0) found++;
    if (++at === paths.length) at = 0;
  }
  return found;
}

/** One loop of `count` calls, which starts where the last one stopped. */
function loop({ call, which, count }: { call: CallName; which: Which; count: number }): LoopResult {
  const { fs, lists, next } = defined(state, "the prepared tree");
  const paths = lists[which];
  const start = next[which];
  next[which] = (start + count) % paths.length;
  const run = call === "exists" ? existsLoop : statLoop;
  let at = start;
  let found = 0;
  const ns = timed((times) => {
    found += run(fs, paths, at, times);
    at = (at + times) % paths.length;
  }, count);
  return { ns, found };
}

export const served = { prepare, loop };

// ---- in the bench's process ----

interface Contestant {
  kind: Kind | "C";
  label: string;
  loop(call: CallName, which: Which, count: number): Promise<LoopResult>;
  stop(): void;
}

/** What startRemote() needs beside the rival's options. */
interface RemoteSettings extends RemoteOptions {
  label?: string;
}

async function startRemote(kind: Kind, count: number, settings: RemoteSettings = {}): Promise<Contestant> {
  const remote = new Remote<typeof served>(import.meta.url, settings);
  await remote.call("prepare", { kind, count, makes: true });
  return {
    kind,
    label: settings.label ?? LABEL[kind],
    loop: (call, which, times) => remote.call("loop", { call, which, count: times }),
    stop: () => remote.stop(),
  };
}

function startSyscall(label: string, program: string, count: number, scratch: string, cwd: string): Contestant {
  const lists = { existing: allPaths(count, ""), missing: allPaths(count, "", ".ts"), order: benchOrder(count) };
  const syscall = new Syscall(program, lists, scratch, cwd);
  return {
    kind: "C",
    label,
    loop: (call, which, times) => syscall.loop(call === "exists" ? "access" : call, which, times),
    stop: () => syscall.stop(),
  };
}

/** The contestants for a tree of `count` files, and the directories to remove afterwards. */
class Field {
  readonly contestants: Contestant[] = [];
  readonly #directories: string[] = [];
  readonly #count: number;
  readonly #options: BenchOptions;
  readonly #result: Result;

  constructor(count: number, options: BenchOptions, result: Result) {
    this.#count = count;
    this.#options = options;
    this.#result = result;
  }

  #wants(kind: Kind | "C"): boolean {
    return !this.#options.skip.includes(kind);
  }

  async gather(): Promise<void> {
    const { log, scratch, tempdir } = this.#options;
    if (this.#wants("threadfs")) {
      log(`threadfs: ${this.#count} files`);
      this.contestants.push(await startRemote("threadfs", this.#count));
    }
    const program = this.#wants("C") ? compileSyscall(scratch) : undefined;
    if (this.#wants("C") && !program) {
      this.#result.note("no C compiler (or not Linux): access(2) and stat(2) from C were left out");
    }
    const places = [fastestDirectory()];
    if (fileSystemType(tempdir) !== fileSystemType(fastestDirectory())) places.push(tempdir);
    if (this.#wants("node") || program) for (const place of places) await this.#gatherKernel(place, program);
    if (this.#wants("memfs")) await this.#gatherMemfs();
  }

  /** The kernel's rivals on the file system of a directory: node:fs makes the tree for both. */
  async #gatherKernel(place: string, program: string | undefined): Promise<void> {
    const count = this.#count;
    const type = fileSystemType(place);
    const room = freeInodes(place);
    if (room < (count + directoryCount(count)) * 1.05) {
      this.#result.note(`${type}: room for ${room} files only; the kernel's rivals were left out for ${count}`);
      return;
    }
    this.#options.log(`kernel, ${type}: ${count} files`);
    const cwd = makeTempDirectory(place);
    this.#directories.push(cwd);
    const node = await startRemote("node", count, { cwd, label: `node:fs on ${type}` });
    if (this.#wants("node")) this.contestants.push(node);
    else node.stop();
    if (program) this.contestants.push(startSyscall(`C on ${type}`, program, count, this.#options.scratch, cwd));
  }

  async #gatherMemfs(): Promise<void> {
    const count = this.#count;
    const bytes = count * MEMFS_BYTES_A_FILE;
    if (bytes > availableMemory() * 0.6) {
      const gibibytes = (bytes / 2 ** 30).toFixed(1);
      this.#result.note(`memfs was left out for ${count} files: it wants about ${gibibytes} GiB of heap`);
      return;
    }
    this.#options.log(`memfs: ${count} files`);
    const heap = Math.max(1024, Math.ceil(bytes / 2 ** 20) + 1024);
    this.contestants.push(await startRemote("memfs", count, { nodeOptions: [`--max-old-space-size=${heap}`] }));
  }

  end(): void {
    for (const contestant of this.contestants) contestant.stop();
    for (const directory of this.#directories) removeTempDirectory(directory);
  }
}

/** Returns how many calls fill a round, found by growing loops that warm up at the same time. */
async function calibrate(contestant: Contestant, call: Call, count: number): Promise<number> {
  let times = 2000;
  let ns = 0;
  for (let turn = 0; turn < 12; turn++) {
    const answer = await contestant.loop(call.call, call.which, times);
    check(contestant, call, answer.found, times);
    ns = answer.ns;
    if (ns * times > (ROUND_MS / 2) * 1e6) break;
    times *= 2;
  }
  // A small tree is visited in whole passes, so that every round does the same work.
  const wanted = Math.round((ROUND_MS * 1e6) / ns);
  return count <= wanted ? Math.round(wanted / count) * count : Math.max(2000, wanted);
}

/** A fast wrong answer is worth nothing. */
function check(contestant: Contestant, { name, which }: Call, found: number, times: number): void {
  const expected = which === "e" ? times : 0;
  if (found !== expected) throw new Error(`${contestant.label}, ${name}: ${found} of ${times} found, not ${expected}`);
}

/** The rounds of one call by one contestant. */
interface Series {
  contestant: Contestant;
  call: Call;
  times: number;
  rounds: number[];
}

async function warmUp(contestants: Contestant[], count: number): Promise<Series[]> {
  const series: Series[] = [];
  for (const contestant of contestants) {
    // A whole pass first: caches, ropes, negative entries and compiled code are as they will stay.
    for (const which of ["e", "m"] as const) await contestant.loop("exists", which, count);
    for (const call of CALLS) {
      series.push({ contestant, call, times: await calibrate(contestant, call, count), rounds: [] });
    }
  }
  return series;
}

async function measureTree(count: number, options: BenchOptions, result: Result): Promise<void> {
  const field = new Field(count, options, result);
  try {
    await field.gather();
    const size = count.toLocaleString("en-US");
    const series = await warmUp(field.contestants, count);
    const wanted = options.rounds * ROUNDS;
    for (let round = 0; round < wanted; round++) {
      for (const call of CALLS) {
        for (const entry of series.filter((candidate) => candidate.call === call)) {
          const { ns, found } = await entry.contestant.loop(call.call, call.which, entry.times);
          check(entry.contestant, call, found, entry.times);
          entry.rounds.push(ns);
        }
      }
      if ((round + 1) % ROUNDS === 0) options.log(`${size} files: round ${round + 1} of ${wanted}`);
    }
    for (const { label, kind, loop } of field.contestants) {
      if (kind !== "C") continue;
      const { ns } = await loop("empty", "e", 200000);
      result.measure(`an empty system call, ${size} files`, label, "ns", [ns]);
    }
    enter(result, series, size);
  } finally {
    field.end();
  }
}

function enter(result: Result, series: Series[], size: string): void {
  for (const call of CALLS) {
    let ours: Measure | undefined;
    for (const { contestant, rounds } of series.filter((candidate) => candidate.call === call)) {
      const measure = result.measure(`${call.name}, ${size} files`, contestant.label, "ns", rounds);
      if (contestant.kind === "threadfs") ours = measure;
      else result.ratio(measure.what, measure, ours, call.targets[contestant.kind]);
    }
  }
}

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("lookup", "How long does a lookup take, beside C, node:fs and memfs?");
  for (const count of options.quick ? [10000, 100000] : [10000, 1000000]) {
    result.note(`${count.toLocaleString("en-US")} files: ${meanLength(count).toFixed(1)} characters a path on average`);
    await measureTree(count, options, result);
  }
  return result;
}

export default { name: "lookup", run } satisfies Question;
