/** A component on a small tree, whose thread dies: the tree is built once, restored before each death. */
import { unwatchThreads } from "../../../../threadfs/dist/src/bridge/threads.js";
import {
  type AttachOptions,
  attachVfs,
  type Context,
  createVfs,
  type Vfs,
  type VfsHandle,
} from "../../../../threadfs/dist/src/index.js";
import { shippingCore } from "../../binary/core.js";
import { check as checkArena } from "../../fsck/check-arena.js";
import { defined } from "../../support/defined.js";
import { type Case, Component, methods } from "./component-calls.js";
import { type Progress, Stopped, Watch } from "./interposed.js";
import { attachmentOf, treeSeen } from "./states.js";

const ARENA = 3 << 20;
const CLOCK = 1_600_000_000_000;
/** A thread that waits for a pipe sleeps so long at a time, in milliseconds. */
const WAIT_MS = 1;
const PROBLEMS_SHOWN = 6;
const PIPE_MAX = 100;
/** More than any case writes. */
const GROWN = 1 << 18;

/** Whose the files of a component are: the thread's, which closes them with its end, or those of a context that it has made. */
export const OWNERS = ["closeOnExit", "context"] as const;
export type Owner = (typeof OWNERS)[number];

/** What a death has left, as another thread sees it. */
export interface Seen {
  /** What differs between a call that has happened and one that has not. */
  readonly state: string;
  /** Open files and locks of the component that are left; what the checker of the arena finds. */
  readonly problems: readonly string[];
}

export interface Ended extends Seen {
  readonly died: boolean;
  readonly progress: Progress;
}

/** What a thread does, and when it stops. */
export interface Run {
  readonly owner: Owner;
  /** undefined: it makes no call. In each case it dies in the end. */
  readonly make: Case["make"] | undefined;
  /** The access before which the thread dies; Infinity: it dies behind its call. */
  readonly stopAt: number;
}

export class ComponentProgram {
  readonly #core = shippingCore({ accesses: true });
  readonly #handle: VfsHandle;
  readonly #bytes: Uint8Array;
  readonly #image: Uint8Array;

  private constructor(handle: VfsHandle) {
    this.#handle = handle;
    this.#bytes = new Uint8Array((handle.memory as WebAssembly.Memory).buffer);
    this.#image = this.#bytes.slice();
  }

  static async build(): Promise<ComponentProgram> {
    const { shipping } = shippingCore({ accesses: true });
    const core = new WebAssembly.Module(shipping);
    const vfs = await createVfs({ maxBytes: ARENA, core, now: () => CLOCK } as Parameters<typeof createVfs>[0]);
    const { fs, handle } = vfs;
    for (const dir of ["/box", "/other", "/box/d", "/box/empty"]) fs.mkdirSync(dir);
    for (const file of ["box/f", "box/g", "box/h", "box/flock", "box/locked", "box/d/i", "other/g"])
      fs.writeFileSync(`/${file}`, "0123456789");
    fs.symlinkSync("f", "/box/link");
    for (const fifo of ["pipe", "lonely"]) vfs.linux.mkfifoSync(`/box/${fifo}`, 0o666);
    // The memory grows now: with the image it would not become smaller again, and a call that finds it larger makes fewer accesses.
    fs.writeFileSync("/grown", new Uint8Array(GROWN));
    fs.unlinkSync("/grown");
    vfs.close();
    return new ComponentProgram(handle);
  }

  /** Methods without a case. */
  async uncovered(cases: readonly Case[]): Promise<string[]> {
    this.#bytes.set(this.#image);
    const vfs = await this.#attach(this.#handle);
    const all = methods(new Component(vfs.context({})).preview2);
    vfs.close();
    return all.filter((method) => !cases.some(({ call }) => call === method));
  }

  #attach(tree: VfsHandle, options: AttachOptions = {}): Promise<Vfs> {
    return attachVfs(tree, { ...{ share: false, locks: false, now: () => CLOCK }, ...options });
  }

  /** Runs a component until its thread dies, in its call or behind it; then another thread looks. */
  async run({ owner, make, stopAt }: Run): Promise<Ended> {
    this.#bytes.set(this.#image);
    const survivor = await this.#attach(this.#handle);
    const pipe = survivor.fs.openSync("/box/pipe", "r+");
    survivor.fs.writeSync(pipe, "pipe");
    const openFiles = survivor.counters().openFiles;
    const module = defined(this.#core.module, "module of the instrumented core");
    // A component has no table in shared memory.
    const watch = new Watch(module, new SharedArrayBuffer(0), stopAt);
    const options = { lockTimeoutMs: WAIT_MS, closeOnExit: owner === "closeOnExit" };
    const victim = await watch.during(() => this.#attach({ ...this.#handle, module }, options));
    const number = victim.threadSlot;
    const component = new Component(owner === "context" ? victim.context({}) : (victim as unknown as Context));
    this.#call(watch, victim, component, make);
    unwatchThreads(attachmentOf(victim));
    // An attachment whose core has thrown recovers itself in a task of its own. A dead one does not: now it can make no instance.
    await new Promise(setImmediate);
    survivor.threadDied(number);
    const state = stateOf(survivor, pipe);
    const left = leftOf(survivor, openFiles);
    const live = [attachmentOf(survivor).core.threadSlot()];
    const { problems } = checkArena(this.#handle.memory as WebAssembly.Memory, { live });
    survivor.close();
    return {
      state,
      problems: [...left, ...problems].slice(0, PROBLEMS_SHOWN),
      died: watch.stopped,
      progress: watch.progress,
    };
  }

  #call(watch: Watch, victim: Vfs, component: Component, make: Run["make"]): void {
    watch.arm(attachmentOf(victim).core.scratchBase() >>> 0);
    try {
      make?.(component);
    } catch (error) {
      // What a call returns as an error, jco's code takes.
      if (!(error instanceof Stopped || watch.stopped) && error instanceof Error) throw error;
    } finally {
      watch.disarm();
    }
  }

  /** Where a thread stopped. */
  place({ site, address }: Progress): string {
    const { func, op } = defined(this.#core.sites[site], `site ${site}`);
    return `${func} ${op} at 0x${address.toString(16)}`;
  }
}

/** The tree, and what is in the pipe. */
function stateOf(vfs: Vfs, pipe: number): string {
  const bytes = new Uint8Array(PIPE_MAX);
  // Its end, so that the read does not wait.
  vfs.fs.writeSync(pipe, ".");
  const got = vfs.fs.readSync(pipe, bytes, 0, PIPE_MAX, null);
  const lines = [
    ...treeSeen(vfs, "/box"),
    ...treeSeen(vfs, "/other"),
    ["pipe", Buffer.from(bytes.subarray(0, got)).toString()],
  ];
  return lines.map((line) => JSON.stringify(line)).join("\n");
}

/** What a dead component has left open or locked. */
function leftOf(vfs: Vfs, openFiles: number): string[] {
  const left: string[] = [];
  const open = vfs.counters().openFiles;
  if (open !== openFiles) left.push(`${open - openFiles} files of the component are open`);
  const other = vfs.context({});
  const lock = other.getLockSync(other.fs.openSync("/box/locked", "r+"), { type: "wr" });
  if (lock !== undefined) left.push(`a lock of fcntl() is held: ${lock.type}`);
  try {
    other.flockSync(other.fs.openSync("/box/flock", "r+"), "ex", { nonblocking: true });
  } catch (error) {
    left.push(`a lock of flock() is held: ${error}`);
  }
  other.close();
  return left;
}
