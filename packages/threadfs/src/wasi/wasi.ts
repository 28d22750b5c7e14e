/** A program of WASI preview 1 on the tree. */
import { O_DIRECTORY, O_RDONLY } from "../../abi/flags.js";
import { MAX_THREADS } from "../../abi/memory.js";
import * as STAT from "../../abi/stat.js";
import { type AttachOptions, attachVfs } from "../api/attach.js";
import type { Context } from "../api/context.js";
import type { Vfs } from "../api/vfs.js";
import { codedError, invalidArgType } from "../errors/errors.js";
import { toInteger, toPath } from "../node-fs/args.js";
import { utf8Bytes } from "../node-fs/bytes.js";
import type { SystemCalls } from "../node-fs/system-calls.js";
import { filetypeOf } from "./attributes.js";
import { makeClock, makeClockCalls } from "./calls/clocks.js";
import { makeFileCalls } from "./calls/files.js";
import { makePathCalls } from "./calls/paths.js";
import { makePollCalls } from "./calls/poll.js";
import { endProgram, makeProcessCalls } from "./calls/process.js";
import { makeReaddir } from "./calls/readdir.js";
import { makeTransferCalls } from "./calls/transfers.js";
import { Descriptors } from "./descriptors.js";
import {
  type CheckedOptions,
  type Standard,
  toOptions,
  toThreadOptions,
  type WasiOptions,
  type WasiThreadOptions,
} from "./options.js";
import { DIRECTORY_RIGHTS, FILE_RIGHTS, FILETYPE, RIGHT, STREAM_RIGHTS } from "./preview1.js";
import { Program } from "./program.js";
import { NO_STREAM, type Stream } from "./streams.js";
import { WORD } from "./table.js";
import { makeSpawn, runStarts, waitingWorkers } from "./threads.js";
import { callsOf } from "./tree.js";
import {
  type ProgramInstance,
  type ProgramMemory,
  WasiExit,
  type WasiHandle,
  type WasiImports,
  type WasiThreads,
} from "./types.js";

type Exports = Record<string, unknown>;

/** A program in one thread: its imports, and its start. */
export class Wasi {
  readonly #program: Program;
  readonly #tree: Vfs | Context;
  readonly #imports: WasiImports;
  readonly #returnOnExit: boolean;
  #started = false;

  /** @internal */
  constructor(tree: Vfs | Context, program: Program, returnOnExit: boolean) {
    this.#tree = tree;
    this.#program = program;
    this.#returnOnExit = returnOnExit;
    const clock = makeClock(program.calls.attachment.host);
    const preview1 = {
      ...makeFileCalls(program),
      ...makeTransferCalls(program),
      ...makePathCalls(program),
      ...makeReaddir(program),
      ...makeClockCalls(program, clock),
      ...makePollCalls(program, clock),
      ...makeProcessCalls(program),
    };
    this.#imports = { wasi_snapshot_preview1: preview1, wasi: { "thread-spawn": makeSpawn(program.descriptors) } };
  }

  /**
   * The imports that the program is instantiated with: `wasi_snapshot_preview1`, all 46 of WASI preview 1, and `wasi` with `thread-spawn`. A program with a memory of the caller's
   * needs that as an import too, and {@link bindMemory}.
   */
  getImportObject(): WasiImports {
    return this.#imports;
  }

  /** Tells which memory the program has, where it does not export it as `memory`. Threads of a program have a shared one. */
  bindMemory(memory: ProgramMemory): void {
    if (typeof memory !== "object" || memory === null || !("buffer" in memory)) {
      throw invalidArgType("memory", "an instance of WebAssembly.Memory", memory);
    }
    this.#program.memory.bind(memory);
  }

  /** Post this to workers that run threads of the program, with its module and its memory, and pass it to {@link runWasiThreads}. */
  get handle(): WasiHandle {
    const { descriptors, args, env, preopens } = this.#program;
    return { tree: this.#tree.handle, descriptors: descriptors.share(), args, env, preopens };
  }

  /** Prepares the exports of an instance: its memory. @throws Error ERR_WASI_ALREADY_STARTED; TypeError ERR_INVALID_ARG_TYPE */
  #begin(instance: ProgramInstance): Exports {
    const exports = (instance as ProgramInstance | null | undefined)?.exports as Exports | undefined;
    if (typeof exports !== "object" || exports === null) {
      throw invalidArgType("instance", "an instance of WebAssembly.Instance", instance);
    }
    const { memory } = exports as { memory?: ProgramMemory };
    if (memory !== undefined) this.bindMemory(memory);
    if (!this.#program.memory.isBound)
      throw invalidArgType("instance.exports.memory", "an instance of WebAssembly.Memory", memory);
    return exports;
  }

  #beginOnce(instance: ProgramInstance): Exports {
    const exports = this.#begin(instance);
    if (this.#started) throw codedError(Error, "ERR_WASI_ALREADY_STARTED", "The program has been started already");
    this.#started = true;
    return exports;
  }

  /**
   * Runs a command: calls its export `_start`. When that has returned, exited or thrown, the program has ended: all of its descriptors are closed, and its threads end.
   * @returns the exit code
   * @throws what the program throws, such as a WebAssembly.RuntimeError of a trap; {@link WasiExit} with `returnOnExit: false`; TypeError ERR_INVALID_ARG_TYPE for an
   * instance without `_start`, or without a memory; Error ERR_WASI_ALREADY_STARTED
   */
  start(instance: ProgramInstance): number {
    const { _start, _initialize } = this.#beginOnce(instance);
    if (typeof _start !== "function") throw invalidArgType("instance.exports._start", "a function", _start);
    if (_initialize !== undefined) throw invalidArgType("instance.exports._initialize", "undefined", _initialize);
    const exit = this.#run(_start as () => void);
    this.close();
    if (exit !== undefined && !this.#returnOnExit) throw exit;
    // That of another thread, if it has ended the program before.
    return this.#program.descriptors.exitCode;
  }

  /**
   * Prepares a reactor, whose exports the caller then calls: calls its export `_initialize`, if there is one. {@link close} ends the program.
   * @throws as {@link start}; {@link WasiExit} if `_initialize` exits. An export that exits throws that too, and the program has ended then
   */
  initialize(instance: ProgramInstance): void {
    const { _start, _initialize } = this.#beginOnce(instance);
    if (_start !== undefined) throw invalidArgType("instance.exports._start", "undefined", _start);
    if (_initialize === undefined) return;
    if (typeof _initialize !== "function")
      throw invalidArgType("instance.exports._initialize", "a function", _initialize);
    const exit = this.#run(_initialize as () => void);
    if (exit !== undefined) throw exit;
  }

  /** Calls the program. What it throws ends it, and closes its descriptors. Returns its exit; undefined: it has returned. */
  #run(call: () => void): WasiExit | undefined {
    try {
      call();
      return undefined;
    } catch (error) {
      const isExit = this.#isExit(error);
      this.close(TRAPPED);
      if (isExit) return error as WasiExit;
      throw error;
    }
  }

  /** Whether the program has thrown its exit: a function of its standard streams may have thrown that of another program. */
  #isExit(error: unknown): boolean {
    return error instanceof WasiExit && this.#program.descriptors.exited;
  }

  /** Runs threads of the program in this thread, as {@link runWasiThreads} says. @internal */
  runThreads(instantiate: (imports: WasiImports) => ProgramInstance): void {
    runStarts(this.#program.descriptors, (id, argument) => {
      try {
        const { wasi_thread_start: start } = this.#begin(instantiate(this.#imports));
        if (typeof start !== "function")
          throw invalidArgType("instance.exports.wasi_thread_start", "a function", start);
        (start as (id: number, argument: number) => void)(id, argument);
      } catch (error) {
        if (this.#isExit(error)) return;
        this.close(TRAPPED);
        throw error;
      }
    });
    // A call of this thread may have opened something since another one has closed the others.
    this.close();
  }

  /**
   * Waits until so many workers wait to run threads of the program ({@link runWasiThreads}), or the program has ended: before {@link start}, for a program that needs its threads at once.
   * @throws TypeError ERR_INVALID_ARG_TYPE; RangeError ERR_OUT_OF_RANGE
   */
  async workersReady(count: number): Promise<void> {
    const wanted = toInteger(count, "count", 0, MAX_THREADS - 1);
    const { descriptors, calls } = this.#program;
    while (!descriptors.exited && waitingWorkers(descriptors) < wanted) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      calls.checkOpen();
    }
  }

  /**
   * When the program has ended, in any of its threads: its exit code. Threads that compute, or wait for each other, do not end by themselves: terminate their workers
   * then.
   */
  async ended(): Promise<number> {
    const { words } = this.#program.descriptors;
    while (Atomics.load(words, WORD.EXIT) === 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    return this.#program.descriptors.exitCode;
  }

  /** Ends the program: closes its descriptors, and ends threads that call WASI. Idempotent. @param code the exit code that {@link ended} tells */
  close(code = 0): void {
    const { descriptors, calls, streams } = this.#program;
    endProgram(descriptors, code);
    for (const stream of streams) stream.end?.();
    if (calls.closed || calls.attachment.closed) return;
    for (const number of descriptors.open()) {
      const fd = descriptors.take(number);
      if (fd < -1) continue;
      if (fd >= 0) calls.closeQuietly(fd);
      descriptors.release(number);
    }
    descriptors.settle(true);
  }
}

/** The exit code of a program that trapped: that of a process which abort(3) ends. */
const TRAPPED = 134;
/** How often this thread looks whether what it waits for has happened, in milliseconds. */
const LOOK_MS = 20;

/** The streams of the host among the three standard ones. */
const hostStreams = (standard: readonly Standard[]): Stream[] =>
  standard.map((one) => (typeof one === "number" ? NO_STREAM : one));

/** Gives the program its standard streams, as 0 to 2. */
function openStandard(calls: SystemCalls, descriptors: Descriptors, standard: readonly Standard[]): void {
  for (const [number, one] of standard.entries()) {
    descriptors.reserve();
    const direction = number === 0 ? RIGHT.FD_READ : RIGHT.FD_WRITE;
    const others = STREAM_RIGHTS & ~(RIGHT.FD_READ | RIGHT.FD_WRITE);
    if (typeof one !== "number") {
      descriptors.setStream(number, number, FILETYPE.CHARACTER_DEVICE, others | direction);
      continue;
    }
    calls.check(calls.core.sysFstat(calls.ctx, one), "fstat");
    const type = filetypeOf(calls.attachment.stat[STAT.mode]);
    const isFile = type === FILETYPE.REGULAR_FILE;
    descriptors.lend(
      number,
      one,
      type,
      (isFile ? FILE_RIGHTS & ~(RIGHT.FD_READ | RIGHT.FD_WRITE) : others) | direction,
    );
  }
}

/** Opens the directories of the program, from 3 on. */
function openPreopens(calls: SystemCalls, descriptors: Descriptors, preopens: CheckedOptions["preopens"]): void {
  for (const [n, [name, path]] of preopens.entries()) {
    const of = toPath(path, `options.preopens[${JSON.stringify(name)}]`);
    const number = descriptors.reserve();
    const length = calls.putPath(of, "open");
    const tag = descriptors.tag(number);
    const { ctx, dirfd, core } = calls;
    const opened = core.sysOpenTagged(ctx, dirfd, length, O_RDONLY | O_DIRECTORY, 0, 0, descriptors.thread.name, tag);
    const fd = calls.check(opened, "open", of);
    descriptors.set(number, fd, FILETYPE.DIRECTORY, DIRECTORY_RIGHTS, DIRECTORY_RIGHTS | FILE_RIGHTS, n);
  }
}

/**
 * Makes a program of WASI preview 1, whose calls this thread makes directly on the tree. Its descriptors are descriptors of the context; so files that the
 * context may not touch, the program may not.
 * @param tree whose user the program is; `vfs.context({ uid })` for another one
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE for bad options; system call errors of the preopens' open(2)
 */
export function createWasi(tree: Vfs | Context, options?: WasiOptions): Wasi {
  const calls = callsOf(tree);
  const { args, env, preopens, standard, returnOnExit } = toOptions(options);
  const descriptors = new Descriptors(calls);
  const streams = hostStreams(standard);
  const names = preopens.map(([name]) => utf8Bytes(name));
  const program = new Program(calls, descriptors, { streams, args, env, preopens: names });
  const wasi = new Wasi(tree, program, returnOnExit);
  openStandard(calls, descriptors, standard);
  try {
    openPreopens(calls, descriptors, preopens);
  } catch (error) {
    wasi.close();
    throw error;
  }
  return wasi;
}

/**
 * A program of another thread in this one, whose threads the caller starts. This thread stays attached to the tree until it ends.
 * @internal
 */
export async function attachWasi(handle: WasiHandle, options: WasiThreadOptions, host?: AttachOptions): Promise<Wasi> {
  const streams = hostStreams(toThreadOptions(options));
  const vfs = await attachVfs(handle.tree, host);
  return programOf(vfs, handle, streams);
}

/** A program of another thread in one that is attached to its tree already. @internal */
export function programOf(vfs: Vfs, handle: WasiHandle, streams: Stream[]): Wasi {
  const { args, env, preopens } = handle;
  const calls = callsOf(vfs);
  const descriptors = new Descriptors(calls, handle.descriptors);
  // What threads have left that ended before this one came.
  descriptors.settle();
  return new Wasi(vfs, new Program(calls, descriptors, { streams, args, env, preopens }), true);
}

/**
 * Runs threads of a program, one after the other, until the program has ended: a worker calls this, and then ends or is posted the next program. Each call of `thread-spawn`
 * takes a worker that waits here; it returns -EAGAIN if there is none. So a program has as many threads at a time as workers run this.
 * @throws what a thread throws, after which the program has ended
 */
export async function runWasiThreads(
  { handle, module, memory }: WasiThreads,
  options?: WasiThreadOptions,
): Promise<void> {
  const streams = hostStreams(toThreadOptions(options));
  const vfs = await attachVfs(handle.tree);
  try {
    const wasi = programOf(vfs, handle, streams);
    wasi.bindMemory(memory);
    wasi.runThreads((imports) => {
      const given = { ...imports, env: { memory } } as unknown as WebAssembly.Imports;
      return new WebAssembly.Instance(module as WebAssembly.Module, given);
    });
  } finally {
    vfs.close();
  }
}
