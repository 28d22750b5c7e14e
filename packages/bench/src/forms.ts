// How fast are the forms with promises and with callbacks? The same calls, one after the other and many at once; and the errors that
// synchronous calls throw: threadfs, memfs, node:fs over the kernel's memory file system.

import { defined } from "../../cli/dist/support/defined.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { enterRounds, rivalRounds, type ServedRival } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { type Kind, openRival } from "./lib/rivals.js";
import { type AsyncLoop, asyncRepetitions, asyncTimed } from "./lib/rounds.js";

/** How many times faster than node:fs on tmpfs. */
const TARGET = 5;
/** The same for errors that are thrown. */
const THROWN_TARGET = 2.3;
/** The ending of the names of their loops. */
const THROWN = ", thrown";
/** As many calls are on their way at once in the second row of each call. */
const AT_ONCE = 64;
const PAGE = 4096;
const ENTRIES = 10;

type Done = (error: unknown) => void;

/** The calls that are measured, with a promise and with a callback. `n` tells calls that are on their way at once apart. */
interface FormsFs {
  mkdirSync(path: string, options?: { recursive: boolean }): unknown;
  statSync(path: string): unknown;
  accessSync(path: string): void;
  openSync(path: string, flags: string): number;
  readFileSync(path: string): unknown;
  writeFileSync(path: string, data: Uint8Array): void;
  stat(path: string, done: Done): void;
  access(path: string, done: Done): void;
  readFile(path: string, done: Done): void;
  writeFile(path: string, data: Uint8Array, done: Done): void;
  readdir(path: string, done: Done): void;
  mkdir(path: string, done: Done): void;
  readonly promises: {
    stat(path: string): Promise<unknown>;
    access(path: string): Promise<unknown>;
    readFile(path: string): Promise<unknown>;
    writeFile(path: string, data: Uint8Array): Promise<unknown>;
    readdir(path: string): Promise<unknown>;
    mkdir(path: string): Promise<unknown>;
  };
}

interface Call {
  promise(n: number): Promise<unknown>;
  callback(n: number, done: Done): void;
  /** Whether the call must fail. */
  fails?: boolean;
}

function callsOf(fs: FormsFs, at: (name: string) => string): Record<string, Call> {
  const page = Buffer.alloc(PAGE, "x");
  const { promises } = fs;
  const file = at("file");
  const missing = at("missing");
  const list = at("list");
  fs.writeFileSync(file, page);
  fs.mkdirSync(list);
  for (let i = 0; i < ENTRIES; i++) fs.writeFileSync(`${list}/file-${i}.js`, page);
  const written = Array.from({ length: AT_ONCE }, (_, n) => at(`written-${n}`));
  return {
    stat: { promise: () => promises.stat(file), callback: (_n, done) => fs.stat(file, done) },
    "stat of a missing file": {
      promise: () => promises.stat(missing),
      callback: (_n, done) => fs.stat(missing, done),
      fails: true,
    },
    access: { promise: () => promises.access(file), callback: (_n, done) => fs.access(file, done) },
    "readFile, 4 KiB": { promise: () => promises.readFile(file), callback: (_n, done) => fs.readFile(file, done) },
    "writeFile, 4 KiB": {
      promise: (n) => promises.writeFile(defined(written[n], "a path"), page),
      callback: (n, done) => fs.writeFile(defined(written[n], "a path"), page, done),
    },
    "readdir, 10 entries": { promise: () => promises.readdir(list), callback: (_n, done) => fs.readdir(list, done) },
    "mkdir of what is there": {
      promise: () => promises.mkdir(list),
      callback: (_n, done) => fs.mkdir(list, done),
      fails: true,
    },
  };
}

/** Synchronous calls that throw. The last path has eight components from the working directory on. */
function throwingOf(fs: FormsFs, at: (name: string) => string): Record<string, () => unknown> {
  const missing = at("missing");
  const there = at("there");
  const deep = at("packages/package-1/node_modules/dep-1/lib");
  fs.mkdirSync(there);
  fs.mkdirSync(deep, { recursive: true });
  return {
    "stat of a missing file": () => fs.statSync(missing),
    "access of a missing file": () => fs.accessSync(missing),
    "open of a missing file": () => fs.openSync(missing, "r"),
    "readFile of a missing file": () => fs.readFileSync(missing),
    "mkdir of what is there": () => fs.mkdirSync(there),
    "stat of a missing file, 8 components": () => fs.statSync(`${deep}/file-1.ts`),
  };
}

// ---- in the rival's process ----

/** The loops that are measured, by their names; set by prepare(). */
const loops = new Map<string, AsyncLoop>();
const loopOf = (name: string): AsyncLoop => defined(loops.get(name), `the loop "${name}"`);

/** A loop of calls that throw. @param frames how many the engine records for an error, at most */
function thrown(call: () => unknown, frames = 10): AsyncLoop {
  return async (times) => {
    Error.stackTraceLimit = frames;
    for (let i = 0; i < times; i++) {
      let failed = false;
      try {
        call();
      } catch {
        failed = true;
      }
      if (!failed) throw new Error("not what is there");
    }
  };
}

/** A loop of promises, `atOnce` of which are on their way. */
function promised({ promise, fails = false }: Call, atOnce: number): AsyncLoop {
  const one = async (n: number) => {
    let failed = false;
    try {
      await promise(n);
    } catch {
      failed = true;
    }
    if (failed !== fails) throw new Error("not what is there");
  };
  return async (times) => {
    if (atOnce === 1) for (let i = 0; i < times; i++) await one(0);
    else for (let i = 0; i < times; i += atOnce) await Promise.all(Array.from({ length: atOnce }, (_, n) => one(n)));
  };
}

/** A loop of callbacks, each of which makes the next call; `atOnce` such chains. */
function calledBack({ callback, fails = false }: Call, atOnce: number): AsyncLoop {
  return (times) =>
    new Promise((resolve, reject) => {
      let toCall = times - atOnce;
      let left = times;
      const begin = (n: number) =>
        callback(n, (error) => {
          if ((error !== null && error !== undefined) !== fails) reject(new Error("not what is there"));
          if (toCall-- > 0) begin(n);
          if (--left === 0) resolve();
        });
      for (let n = 0; n < atOnce; n++) begin(n);
    });
}

/** Makes everything that the loops touch; returns their names. */
async function prepare({ kind }: { kind: Kind }): Promise<string[]> {
  const { fs, prefix } = await openRival(kind);
  fs.mkdirSync(`${prefix}forms`);
  // Every rival has these calls; BenchFs names few of them.
  const forms = fs as unknown as FormsFs;
  const at = (path: string) => `${prefix}forms/${path}`;
  for (const [name, call] of Object.entries(callsOf(forms, at))) {
    for (const [form, loop] of Object.entries({ promise: promised, callback: calledBack })) {
      loops.set(`${name}, ${form}`, loop(call, 1));
      loops.set(`${name}, ${form}, ${AT_ONCE} at once`, loop(call, AT_ONCE));
    }
  }
  for (const [name, call] of Object.entries(throwingOf(forms, at))) {
    loops.set(`${name}${THROWN}`, thrown(call));
    loops.set(`${name}, without frames${THROWN}`, thrown(call, 0));
  }
  return [...loops.keys()];
}

function calibrate({ name, ms }: { name: string; ms: number }): Promise<number> {
  return asyncRepetitions(loopOf(name), ms, AT_ONCE);
}

function measure({ name, times }: { name: string; times: number }): Promise<number> {
  return asyncTimed(loopOf(name), times, AT_ONCE);
}

export const served: ServedRival = { prepare, calibrate, measure };

// ---- in the bench's process ----

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("forms", "How fast are promises, callbacks and thrown errors?");
  const series = await rivalRounds(result, import.meta.url, options, options.quick ? 10 : 50);
  enterRounds(result, series, (name) => (name.endsWith(THROWN) ? THROWN_TARGET : TARGET));
  return result;
}

export default { name: "forms", run } satisfies Question;
