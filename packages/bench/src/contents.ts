// How fast are contents and listings? Reading and writing through a descriptor, whole files, and directories, of several sizes:
// threadfs, memfs, node:fs over the kernel's memory file system.

import { defined } from "../../cli/dist/support/defined.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { enterRounds, rivalRounds, type ServedRival } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { type BenchFs, type Kind, openRival } from "./lib/rivals.js";
import { type Loop, repetitions, timed } from "./lib/rounds.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const DESCRIPTOR_SIZES = [100, 4 * KIB, 64 * KIB, MIB, 16 * MIB];
const FILE_SIZES = [100, 4 * KIB, 64 * KIB, MIB];
const ENTRIES = [10, 1000, 20_000, 100_000];
/** A directory of so many entries is made in the quick form too. */
const QUICK_ENTRIES = 20_000;

/** How many times faster than node:fs on tmpfs: transfers of 64 KiB and more, whole files and strings up to 64 KiB, listings. */
const TRANSFER_TARGET = 1.5;
const FILE_TARGET = 4;
const TEXT_TARGET = 3;
const LIST_TARGET = 3;

const sizeName = (n: number): string =>
  n >= MIB ? `${n / MIB} MiB` : n >= KIB ? `${n / KIB} KiB` : `${n.toLocaleString("en-US")} bytes`;

/** The target of a row; undefined: none. */
function targetOf(name: string): number | undefined {
  const small = !name.includes("MiB");
  if (/^(read|write), /.test(name))
    return /KiB|MiB/.test(name) && !name.includes(" 4 KiB") ? TRANSFER_TARGET : undefined;
  if (/^(readFile|writeFile), /.test(name)) return small ? FILE_TARGET : undefined;
  if (name.startsWith("readFile of utf8")) return small ? TEXT_TARGET : undefined;
  return name.startsWith("readdir") ? LIST_TARGET : undefined;
}

// ---- in the rival's process ----

/** The loops that are measured, by their names; set by prepare(). */
const loops = new Map<string, Loop>();
const loopOf = (name: string): Loop => defined(loops.get(name), `the loop "${name}"`);

/** Makes a loop of one call, whose result is checked. */
function repeated(call: () => number, expected: number): Loop {
  return (times) => {
    for (let i = 0; i < times; i++) if (call() !== expected) throw new Error("not what is there");
  };
}

function descriptorLoops(fs: BenchFs, at: (name: string) => string): void {
  for (const size of DESCRIPTOR_SIZES) {
    const bytes = Buffer.alloc(size, "x");
    const fd = fs.openSync(at(`descriptor-${size}`), "w+");
    fs.writeSync(fd, bytes, 0, size, 0);
    loops.set(
      `read, ${sizeName(size)}`,
      repeated(() => fs.readSync(fd, bytes, 0, size, 0), size),
    );
    loops.set(
      `write, ${sizeName(size)}`,
      repeated(() => fs.writeSync(fd, bytes, 0, size, 0), size),
    );
    if (size < 64 * KIB) continue;
    loops.set(
      `ftruncate, write, ${sizeName(size)}`,
      repeated(() => {
        fs.ftruncateSync(fd, 0);
        return fs.writeSync(fd, bytes, 0, size, 0);
      }, size),
    );
  }
}

function fileLoops(fs: BenchFs, at: (name: string) => string): void {
  for (const size of FILE_SIZES) {
    const bytes = Buffer.alloc(size, "x");
    const path = at(`file-${size}`);
    fs.writeFileSync(path, bytes);
    loops.set(
      `readFile, ${sizeName(size)}`,
      repeated(() => fs.readFileSync(path).length, size),
    );
    loops.set(
      `readFile of utf8, ${sizeName(size)}`,
      repeated(() => fs.readFileSync(path, "utf8").length, size),
    );
    const target = at(`written-${size}`);
    loops.set(
      `writeFile, ${sizeName(size)}`,
      repeated(() => {
        fs.writeFileSync(target, bytes);
        return 0;
      }, 0),
    );
  }
}

function directoryLoops(fs: BenchFs, at: (name: string) => string, largest: number): void {
  for (const entries of ENTRIES.filter((n) => n <= largest)) {
    const path = at(`directory-${entries}`);
    fs.mkdirSync(path);
    for (let i = 0; i < entries; i++) fs.closeSync(fs.openSync(`${path}/file-${i}.js`, "w"));
    const name = `${entries.toLocaleString("en-US")} entries`;
    loops.set(
      `readdir, ${name}`,
      repeated(() => fs.readdirSync(path).length, entries),
    );
    loops.set(
      `opendir, first of ${name}`,
      repeated(() => {
        const dir = fs.opendirSync(path);
        const first = dir.readSync();
        dir.closeSync();
        return first === null ? 0 : 1;
      }, 1),
    );
  }
}

/** Makes everything that the loops touch; returns their names. */
async function prepare({ kind, quick }: { kind: Kind; quick: boolean }): Promise<string[]> {
  const { fs, prefix } = await openRival(kind);
  fs.mkdirSync(`${prefix}contents`);
  const at = (name: string) => `${prefix}contents/${name}`;
  descriptorLoops(fs, at);
  fileLoops(fs, at);
  directoryLoops(fs, at, quick ? QUICK_ENTRIES : Number.POSITIVE_INFINITY);
  return [...loops.keys()];
}

function calibrate({ name, ms }: { name: string; ms: number }): number {
  return repetitions(loopOf(name), ms, 1);
}

function measure({ name, times }: { name: string; times: number }): number {
  return timed(loopOf(name), times);
}

export const served: ServedRival = { prepare, calibrate, measure };

// ---- in the bench's process ----

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("contents", "How fast are contents and listings?");
  enterRounds(result, await rivalRounds(result, import.meta.url, options, options.quick ? 20 : 100), targetOf);
  return result;
}

export default { name: "contents", run } satisfies Question;
