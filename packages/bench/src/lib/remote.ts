// Every rival lives in a process of its own: its own heap, its own inline caches, one shape of fs at each call site.
// Rounds are interleaved by asking one process after the other; the others are idle meanwhile.

import { type ChildProcess, type ChildProcessByStdio, fork, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { BenchOptions } from "./question.js";
import type { Measure, Result } from "./result.js";
import { KINDS, type Kind, LABEL } from "./rivals.js";
import { fastestDirectory, fileSystemType, makeTempDirectory, removeTempDirectory } from "./tempdir.js";

/** No single request runs longer than this. */
const REQUEST_LIMIT_MS = 20 * 60 * 1000;

const CHILD = fileURLToPath(new URL("./remote-child.js", import.meta.url));

/** The functions of a module that run in a child process. */
export type Served = { [name: string]: (argument: never) => unknown };

/** A request to a child process, and its reply. */
export interface RemoteRequest {
  id: number;
  name: string;
  argument: unknown;
}
export interface RemoteReply {
  id: number;
  value?: unknown;
  error?: string;
}

interface Pending<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** Rejects when the promise takes too long, so that a rival that hangs ends the bench. */
function bounded<T>(promise: Promise<T>, what: string, limit = REQUEST_LIMIT_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${limit / 1000} s`)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export interface RemoteOptions {
  cwd?: string;
  nodeOptions?: string[];
}

/** A child process that runs the functions `F` of a module, which exports them as `served`. */
export class Remote<F extends Served> {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending<unknown>>();
  #next = 1;

  /** @param module URL of the module */
  constructor(module: string, { cwd, nodeOptions = [] }: RemoteOptions = {}) {
    this.#child = fork(CHILD, [module], {
      ...(cwd === undefined ? {} : { cwd }),
      execArgv: nodeOptions,
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", (message) => {
      const { id, value, error } = message as RemoteReply;
      const request = this.#pending.get(id);
      this.#pending.delete(id);
      if (error !== undefined) request?.reject(new Error(error));
      else request?.resolve(value);
    });
    this.#child.on("exit", (code, signal) => {
      for (const request of this.#pending.values()) request.reject(new Error(`rival ended (${signal ?? code})`));
      this.#pending.clear();
    });
  }

  /** Calls one of the functions in the child; returns what it returns. */
  call<K extends keyof F & string>(name: K, ...[argument]: Parameters<F[K]>): Promise<Awaited<ReturnType<F[K]>>> {
    if (!this.#child.connected) return Promise.reject(new Error("rival is not running"));
    const id = this.#next++;
    // The child runs the function of this name, so the reply has its type.
    const reply = new Promise<Awaited<ReturnType<F[K]>>>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
    });
    this.#child.send({ id, name, argument } satisfies RemoteRequest);
    return bounded(reply, name);
  }

  /** Ends the process. Nothing in it is worth an orderly end: its memory is free at once. */
  stop(): void {
    this.#child.kill("SIGKILL");
  }
}

/** A program that replies to each line on stdin with one line on stdout. */
export class LineProgram {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #pending: Pending<string>[] = [];
  #rest = "";

  constructor(program: string, parameters: string[], cwd: string) {
    this.#child = spawn(program, parameters, { cwd, stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout.setEncoding("latin1");
    this.#child.stdout.on("data", (text: string) => {
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#pending.shift()?.resolve(line);
    });
    const ended = (reason: string) => {
      for (const request of this.#pending.splice(0)) request.reject(new Error(`${program}: ${reason}`));
    };
    this.#child.on("error", (error) => ended(error.message));
    this.#child.on("exit", (code, signal) => ended(`ended (${signal ?? code})`));
    this.#child.stdin.on("error", () => {}); // The exit that causes it is reported above.
  }

  ask(line: string): Promise<string> {
    if (this.#child.exitCode !== null) return Promise.reject(new Error("program is not running"));
    const reply = new Promise<string>((resolve, reject) => this.#pending.push({ resolve, reject }));
    this.#child.stdin.write(`${line}\n`);
    return bounded(reply, line);
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}

/** The functions that a bench of loops serves in its rivals' processes. */
export type ServedLoops = {
  calibrate: (argument: { name: string; ms: number }) => number | Promise<number>;
  measure: (argument: { name: string; times: number }) => number | Promise<number>;
};

/** The rounds of one loop by one rival. */
export interface LoopRounds<Kind> {
  kind: Kind;
  name: string;
  rounds: number[];
}

/**
 * Measures every loop by every rival in rounds, one process after the other.
 * @param ms how long a loop is to run
 */
export async function loopRounds<Kind>(
  remotes: readonly (readonly [Kind, Remote<ServedLoops>])[],
  names: readonly string[],
  { ms, rounds: count, log }: { ms: number; rounds: number; log: (text: string) => void },
): Promise<LoopRounds<Kind>[]> {
  const series: (LoopRounds<Kind> & { remote: Remote<ServedLoops>; times: number })[] = [];
  for (const name of names) {
    for (const [kind, remote] of remotes) {
      series.push({ kind, name, remote, times: await remote.call("calibrate", { name, ms }), rounds: [] });
    }
  }
  for (let round = 0; round < count; round++) {
    for (const { name, remote, times, rounds } of series) rounds.push(await remote.call("measure", { name, times }));
    log(`round ${round + 1} of ${count}`);
  }
  return series;
}

/** The functions that a bench of rivals serves: `prepare` makes what the loops touch, and returns their names. */
export type ServedRival = ServedLoops & {
  prepare: (argument: { kind: Kind; quick: boolean }) => Promise<string[]>;
};

/**
 * Measures the loops of every rival that is not left out.
 * @param module URL of the module that serves them
 * @param ms how long a loop is to run
 */
export async function rivalRounds(
  result: Result,
  module: string,
  options: BenchOptions,
  ms: number,
): Promise<LoopRounds<Kind>[]> {
  noteFileSystem(result);
  const cwd = makeTempDirectory();
  const remotes: [Kind, Remote<ServedRival>][] = [];
  let names: string[] = [];
  try {
    for (const kind of KINDS.filter((kind) => !options.skip.includes(kind))) {
      options.log(`${kind}: making the files`);
      const remote = new Remote<ServedRival>(module, { cwd, nodeOptions: ["--max-old-space-size=2048"] });
      remotes.push([kind, remote]);
      names = await remote.call("prepare", { kind, quick: options.quick });
    }
    return await loopRounds(remotes, names, { ...options, ms });
  } finally {
    for (const [, remote] of remotes) remote.stop();
    removeTempDirectory(cwd);
  }
}

/** Says where the kernel's rival works. */
export function noteFileSystem(result: Result): void {
  result.note(`node:fs works on ${fileSystemType(fastestDirectory())}`);
}

/** Enters the rounds, and those of each rival as a ratio to ours; `targetOf`: of a loop against node:fs, undefined: none. */
export function enterRounds(
  result: Result,
  series: readonly LoopRounds<Kind>[],
  targetOf: (name: string) => number | undefined,
): void {
  const ours = new Map<string, Measure>();
  for (const { kind, name, rounds } of series) {
    const entry = result.measure(name, LABEL[kind], "ns", rounds);
    if (kind === "threadfs") ours.set(name, entry);
    else result.ratio(name, entry, ours.get(name), kind === "node" ? targetOf(name) : undefined);
  }
}
