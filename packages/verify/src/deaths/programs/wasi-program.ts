/** A program of WASI on a small tree, whose threads die: built once, restored before each death. */
import type { Attachment } from "../../../../threadfs/dist/src/bridge/attachment.js";
import { unwatchThreads } from "../../../../threadfs/dist/src/bridge/threads.js";
import {
  type AttachOptions,
  attachVfs,
  createVfs,
  type Vfs,
  type VfsHandle,
} from "../../../../threadfs/dist/src/index.js";
import { ERRNO, OFLAG, RIGHT, WRITE_RIGHTS } from "../../../../threadfs/dist/src/wasi/preview1.js";
import { TableThread, wide, workerAt } from "../../../../threadfs/dist/src/wasi/table.js";
import { WasiExit } from "../../../../threadfs/dist/src/wasi/types.js";
import { createWasi, programOf, type Wasi } from "../../../../threadfs/dist/src/wasi/wasi.js";
import type { WasiHandle } from "../../../../threadfs/dist/src/wasi.js";
import { shippingCore } from "../../binary/core.js";
import { check as checkArena } from "../../fsck/check-arena.js";
import { defined } from "../../support/defined.js";
import { type Progress, Stopped, Watch } from "./interposed.js";
import { attachmentOf, treeSeen } from "./states.js";
import { type Case, DIR, F, OPEN, OTHER_DIR } from "./wasi-calls.js";

const ARENA = 3 << 20;
const CLOCK = 1_600_000_000_000;
const PROGRAM_PAGES = 4;
const RESULT = 64;
const ARGUMENTS = 1024;
const BUFFER = 32_768;
/** A thread that waits for a pipe looks so often whether its program has ended, in milliseconds. */
const WAIT_MS = 1;
const NUMBERS = 16;
const PROBLEMS_SHOWN = 6;
const encoder = new TextEncoder();
const NAMES = new Map<number, string>(Object.entries(ERRNO).map(([name, number]) => [number, name]));

type Imports = Record<string, (...args: unknown[]) => number>;

/** One thread of the program, whose code is that of the check. */
export class TestProgram {
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly #imports: Imports;
  #next = ARGUMENTS;

  constructor(wasi: Wasi, memory: WebAssembly.Memory) {
    this.memory = memory;
    this.view = new DataView(memory.buffer);
    wasi.bindMemory(memory);
    const { wasi_snapshot_preview1: calls, wasi: threads } = wasi.getImportObject();
    this.#imports = { ...calls, ...threads } as unknown as Imports;
  }

  get names(): string[] {
    return Object.keys(this.#imports);
  }

  #text(text: string): [number, number] {
    const bytes = encoder.encode(text);
    const at = this.#next;
    this.#next += bytes.length;
    new Uint8Array(this.memory.buffer).set(bytes, at);
    return [at, bytes.length];
  }

  /** Calls an import; a text becomes its address and its length. Returns the name of its error, or its number if it has none. */
  call(name: string, ...args: readonly unknown[]): string {
    this.#next = ARGUMENTS;
    const numbers = args.flatMap((arg) => (typeof arg === "string" ? this.#text(arg) : [arg]));
    const result = defined(this.#imports[name], `import ${name}`)(...numbers);
    return NAMES.get(result) ?? `${result}`;
  }

  /** The result of the last call, a u32. */
  get result(): number {
    return this.view.getUint32(RESULT, true);
  }

  /** Bytes of results, as numbers. */
  bytes(length: number): string {
    return Buffer.from(new Uint8Array(this.memory.buffer, BUFFER, length)).toString("hex");
  }
}

/** A thread of the program that is attached. */
interface ProgramThread {
  readonly vfs: Vfs;
  readonly wasi: Wasi;
  readonly program: TestProgram;
  readonly attachment: Attachment;
}

/** What a death has left, as another thread of the program sees it; and its end. */
export interface Seen {
  /** What differs between a call that has happened and one that has not. */
  readonly state: string;
  /** The open files of the tree after the end of the program. */
  readonly openFiles: number;
  /** What the checker of the arena finds. */
  readonly problems: readonly string[];
}

/** A run: what is left, whether the thread died, and how far it came; and the accesses of the one that settled. */
export interface Ended extends Seen {
  readonly died: boolean;
  readonly progress: Progress;
  readonly settling: number;
}

/** What a thread does, and when it stops. */
export interface Run {
  readonly one: Case;
  /** The access before which the thread dies; Infinity: it makes its call and ends. */
  readonly stopAt: number;
  /** What it does instead of the call. */
  readonly instead?: ((program: TestProgram) => void) | undefined;
  /** The access before which a thread dies that starts after the death, and settles what the dead one has left; Infinity: it ends. Without it there is none. */
  readonly settlerStopsAt?: number | undefined;
}

export class WasiProgram {
  readonly #core = shippingCore({ accesses: true });
  readonly #module: WebAssembly.Module;
  readonly #handle: WasiHandle;
  readonly #memory: WebAssembly.Memory;
  readonly #images: { bytes: Uint8Array; image: Uint8Array }[];
  readonly #arena: WebAssembly.Memory;

  private constructor(handle: WasiHandle, memory: WebAssembly.Memory) {
    this.#module = defined(this.#core.module, "module of the instrumented core");
    this.#handle = handle;
    this.#memory = memory;
    this.#arena = handle.tree.memory as WebAssembly.Memory;
    this.#images = [this.#arena.buffer, handle.descriptors, memory.buffer].map((buffer) => {
      const bytes = new Uint8Array(buffer as ArrayBuffer);
      return { bytes, image: bytes.slice() };
    });
  }

  static async build(): Promise<WasiProgram> {
    const { shipping } = shippingCore({ accesses: true });
    const core = new WebAssembly.Module(shipping);
    const vfs = await createVfs({ maxBytes: ARENA, core, now: () => CLOCK } as Parameters<typeof createVfs>[0]);
    const { fs } = vfs;
    for (const dir of ["/box", "/other", "/box/d", "/box/empty"]) fs.mkdirSync(dir);
    for (const file of ["f", "g", "locked", "d/h"]) fs.writeFileSync(`/box/${file}`, "0123456789");
    fs.writeFileSync("/in", "input");
    fs.symlinkSync("f", "/box/link");
    for (const fifo of ["pipe", "lonely"]) vfs.linux.mkfifoSync(`/box/${fifo}`, 0o666);
    const context = vfs.context({});
    const wasi = createWasi(context, {
      ...{ args: ["prog"], env: { A: "b" }, preopens: { "/": "/box", "/other": "/other" } },
      ...{ stdin: context.fs.openSync("/in"), stdout: "ignore", stderr: "ignore" },
    });
    const memory = new WebAssembly.Memory({ initial: PROGRAM_PAGES, maximum: PROGRAM_PAGES, shared: true });
    const program = new TestProgram(wasi, memory);
    // The lock is the context's, and ends with any of its descriptors of the file.
    context.fcntlLockSync(context.fs.openSync("/box/locked", "r+"), { type: "wr" });
    for (const path of OPEN) {
      const isDirectory = path === "d";
      const rights = BigInt((isDirectory ? ~WRITE_RIGHTS : -1) & (RIGHT.SOCK_SHUTDOWN - 1));
      program.call("path_open", DIR, 1, path, isDirectory ? OFLAG.DIRECTORY : 0, rights, rights, 0, RESULT);
    }
    program.call("fd_seek", F, 2n, 0, RESULT);
    fs.writeFileSync("/box/pipe", "pipe");
    const { handle } = wasi;
    vfs.close();
    return new WasiProgram(handle, memory);
  }

  #restore(): void {
    for (const { bytes, image } of this.#images) bytes.set(image);
  }

  /** A thread of the program. @param tree its core */
  async #attach(tree: VfsHandle, options: AttachOptions = {}, attached?: (vfs: Vfs) => void): Promise<ProgramThread> {
    const vfs = await attachVfs(tree, { ...{ share: false, locks: false, now: () => CLOCK }, ...options });
    attached?.(vfs);
    const wasi = programOf(vfs, { ...this.#handle, tree }, []);
    return { vfs, wasi, program: new TestProgram(wasi, this.#memory), attachment: attachmentOf(vfs) };
  }

  /** Runs a thread of the program until it dies, or to the end of its call; then another one looks. */
  async run({ one, stopAt, instead, settlerStopsAt }: Run): Promise<Ended> {
    this.#restore();
    const { tree, descriptors } = this.#handle;
    const survivor = await this.#attach(tree);
    const waiting = one.call === "thread-spawn" ? await this.#attach(tree) : undefined;
    if (waiting !== undefined) this.#waitForWork(waiting);
    const watch = new Watch(this.#module, descriptors, stopAt);
    const victim = await watch.during(() =>
      this.#attach({ ...tree, module: this.#module }, { lockTimeoutMs: WAIT_MS }),
    );
    const number = victim.vfs.threadSlot;
    one.prepare?.(victim.program);
    const died = this.#call(watch, victim, one, instead);
    if (died) {
      unwatchThreads(victim.attachment);
      // An attachment whose core has thrown recovers itself in a task of its own. A dead one does not: now it can make no instance.
      await new Promise(setImmediate);
      survivor.vfs.threadDied(number);
    } else victim.vfs.close();
    const settling = settlerStopsAt === undefined ? 0 : await this.#settle(survivor, settlerStopsAt);
    const live = [survivor, ...(waiting ? [waiting] : [])];
    const { problems } = checkArena(this.#arena, { live: live.map(({ attachment }) => attachment.core.threadSlot()) });
    const state = this.#look(survivor, waiting);
    const openFiles = this.#end(survivor);
    const after = checkArena(this.#arena, { live: live.map(({ attachment }) => attachment.core.threadSlot()) });
    for (const { vfs } of live) vfs.close();
    const all = [...problems, ...after.problems].slice(0, PROBLEMS_SHOWN);
    return { state, openFiles, problems: all, died, progress: watch.progress, settling };
  }

  /** A thread of the program starts, which settles what others have left, and dies before one of its accesses, or ends. Returns how many it has made. */
  async #settle(survivor: ProgramThread, stopAt: number): Promise<number> {
    const { tree, descriptors } = this.#handle;
    const watch = new Watch(this.#module, descriptors, stopAt);
    let attached: Vfs | undefined;
    let number = -1;
    const start = (vfs: Vfs) => {
      attached = vfs;
      number = vfs.threadSlot;
      watch.arm(attachmentOf(vfs).core.scratchBase() >>> 0);
    };
    try {
      await watch.during(() => this.#attach({ ...tree, module: this.#module }, {}, start));
    } catch (error) {
      if (!watch.stopped) throw error;
    }
    watch.disarm();
    const vfs = defined(attached, "thread that settles");
    if (!watch.stopped) {
      vfs.close();
      return watch.progress.accesses;
    }
    unwatchThreads(attachmentOf(vfs));
    survivor.vfs.threadDied(number);
    return watch.progress.accesses;
  }

  /** Makes the call. Returns whether its thread died. */
  #call(watch: Watch, { program, attachment }: ProgramThread, one: Case, instead: Run["instead"]): boolean {
    watch.arm(attachment.core.scratchBase() >>> 0);
    try {
      if (instead === undefined) program.call(one.call, ...one.arguments);
      else instead(program);
    } catch (error) {
      if (error instanceof Stopped || watch.stopped) return true;
      if (exitCodeOf(error) === undefined) throw error;
    } finally {
      watch.disarm();
    }
    return false;
  }

  /** A worker that waits for a thread to run. */
  #waitForWork({ attachment }: ProgramThread): void {
    const words = new BigInt64Array(this.#handle.descriptors);
    const { name, slot } = new TableThread(attachment);
    words[workerAt(slot) / 2] = wide(name, 0);
  }

  /** All that another thread of the program can see. */
  #look({ vfs, program }: ProgramThread, waiting: ProgramThread | undefined): string {
    const seen: unknown[] = [];
    try {
      for (let n = 0; n < NUMBERS; n++) seen.push([n, ...numberSeen(program, n)]);
      const opened = program.call("path_open", OTHER_DIR, 1, ".", 0, 0n, 0n, 0, RESULT);
      seen.push(["the next number", opened, program.result, program.call("fd_close", program.result)]);
    } catch (error) {
      const code = exitCodeOf(error);
      if (code === undefined) throw error;
      seen.push(["exit", code]);
    }
    seen.push(["lock", lockSeen(vfs)]);
    if (waiting !== undefined) {
      const given = new BigInt64Array(this.#handle.descriptors)[workerAt(waiting.attachment.core.threadSlot()) / 2];
      seen.push(["start", `${given}`]);
    }
    for (const path of ["/box", "/other"]) seen.push(...treeSeen(vfs, path));
    seen.push(["open files", vfs.counters().openFiles]);
    return seen.map((line) => JSON.stringify(line)).join("\n");
  }

  /** Ends the program. Returns the open files that are left. */
  #end({ vfs, wasi }: ProgramThread): number {
    wasi.close();
    return vfs.counters().openFiles;
  }

  /** Where a thread stopped. */
  place({ site, address }: Progress): string {
    if (site < 0) return `TypeScript's access at byte ${address} of the table`;
    const { func, op } = defined(this.#core.sites[site], `site ${site}`);
    return `${func} ${op} at 0x${address.toString(16)}`;
  }
}

/** The code of a program that has ended, if that was thrown. */
function exitCodeOf(error: unknown): number | undefined {
  return error instanceof WasiExit ? error.exitCode : undefined;
}

/** What a number of the program is. */
function numberSeen(program: TestProgram, n: number): string[] {
  const seen = [program.call("fd_fdstat_get", n, BUFFER)];
  if (seen[0] !== "SUCCESS") return seen;
  seen.push(program.bytes(24), program.call("fd_filestat_get", n, BUFFER), program.bytes(64));
  seen.push(program.call("fd_tell", n, BUFFER), program.bytes(8), program.call("fd_prestat_get", n, BUFFER));
  program.view.setUint32(128, BUFFER, true);
  program.view.setUint32(132, 4, true);
  return [...seen, program.call("fd_pread", n, 128, 1, 0n, RESULT), program.bytes(4)];
}

/** The lock that keeps another context from locking the file. */
function lockSeen(vfs: Vfs): unknown {
  const other = vfs.context({});
  const lock = other.getLockSync(other.fs.openSync("/box/locked", "r+"), { type: "wr" });
  other.close();
  return lock?.type ?? null;
}
