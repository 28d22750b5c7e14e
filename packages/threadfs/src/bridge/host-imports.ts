/** The functions that the core imports, and what a user may put in their place. */

import * as ERRNO from "../../abi/errno.js";
import { WAIT_NOT_EQUAL, WAIT_OK, WAIT_TIMED_OUT } from "../../abi/host.js";
import { codedError, invalidArgType, outOfRange } from "../errors/errors.js";
import type { DriverTable } from "./driver-table.js";
import type { StreamModule } from "./node.js";
import type { KeysOf } from "./options.js";
import type { Transfer } from "./transfer/transfer.js";
import type { CoreModule, SharedMemory } from "./wasm.js";

/** Called at a tracepoint of the debug build (`POINT` in abi.ts) with its two numbers. */
export type PointHook = (id: number, a: number, b: number) => void;
/**
 * Called after the mode bits have allowed an access, with the inode number, a mask of MAY_* bits, and whether the walk
 * is in rcu mode. Returns 0 or -errno; after -10 (ECHILD) in rcu mode the walk calls the hook again in ref mode.
 */
export type SecurityHook = (ino: number, mask: number, rcu: boolean) => number;
/** Called with the dentry and the inode (addresses in the arena) of a successful walk. */
export type AuditHook = (dentry: number, inode: number) => void;

/** The host's side of an attachment, besides the memory. All of it belongs to the attaching thread. */
export interface HostOptions {
  /** Called at tracepoints of the debug build; the shipping build has none. */
  point?: PointHook | undefined;
  security?: SecurityHook | undefined;
  audit?: AuditHook | undefined;
  /**
   * The host's id of this thread, by which its death can be reported ({@link Vfs.attachWorker}): 1 to 2^31 - 1, or 0
   * for none. Default: in Node `threadId` of `node:worker_threads` plus one, elsewhere a random one.
   */
  thread?: number | undefined;
  /**
   * Whether this thread holds a Web Lock while it is attached, so that other threads can tell that it has ended, however
   * it ended. Default: yes where `navigator.locks` exists (browsers, Node from 24.5 on), except in Deno, where a lock
   * that is held keeps the process running. Without `navigator.locks` no lock is held.
   */
  locks?: boolean | undefined;
  /**
   * Whether the descriptors that this thread opens are closed when it ends or detaches. Default: no; a descriptor
   * belongs to its context, and any thread of the context may go on with it.
   */
  closeOnExit?: boolean | undefined;
  /**
   * How long a call waits for another thread, for a lock, a grace period or a recovery, in milliseconds: 1 to 2^31 - 1,
   * default 10,000. Then the call throws ERR_THREADFS_TIMEOUT, and may be made again. A thread that may not block, such
   * as a browser's main thread, spins meanwhile, within the same limit.
   */
  lockTimeoutMs?: number | undefined;
  /**
   * Current time in milliseconds since the epoch, with a fraction, for file times. Default: performance.timeOrigin +
   * performance.now().
   */
  now?: (() => number) | undefined;
  /**
   * The module whose `Readable` and `Writable` the tree's streams extend. Default: `node:stream` where the host has it. In a browser
   * `fs.createReadStream()` and `fs.createWriteStream()` need one, such as the package readable-stream, 4 or newer.
   */
  stream?: StreamModule | undefined;
}

/** The names of the options in {@link HostOptions}. */
export const HOST_OPTIONS: KeysOf<HostOptions> = {
  // Of use with the debug build alone.
  point: false,
  security: true,
  audit: true,
  thread: true,
  locks: true,
  closeOnExit: true,
  lockTimeoutMs: true,
  now: true,
  stream: true,
};

/** The core's numbers for results of Atomics.wait. */
const WAIT_RESULT = { ok: WAIT_OK, "not-equal": WAIT_NOT_EQUAL, "timed-out": WAIT_TIMED_OUT } as const;

/** Default of {@link HostOptions.lockTimeoutMs}. */
const WAIT_LIMIT_MS = 10_000;

/** How long calls wait for other threads, in milliseconds. @internal */
export function waitLimitOf(host: HostOptions): number {
  return host.lockTimeoutMs ?? WAIT_LIMIT_MS;
}

/**
 * @throws TypeError ERR_INVALID_ARG_TYPE for a hook that is not a function; RangeError ERR_OUT_OF_RANGE for a bad
 * thread id or limit
 * @internal
 */
export function checkHost(host: HostOptions): void {
  const thread: unknown = host.thread ?? 0;
  if (typeof thread !== "number") throw invalidArgType("options.thread", "of type number", thread);
  if (!Number.isInteger(thread) || thread < 0 || thread > 0xffffffff) {
    const message = `The value of "options.thread" is out of range. It must be an integer >= 0 && <= 4294967295. Received ${thread}`;
    throw codedError(RangeError, "ERR_OUT_OF_RANGE", message);
  }
  const limit: unknown = waitLimitOf(host);
  if (typeof limit !== "number") throw invalidArgType("options.lockTimeoutMs", "of type number", limit);
  if (!(Number.isInteger(limit) && limit >= 1 && limit < 2 ** 31)) {
    throw outOfRange("options.lockTimeoutMs", `an integer >= 1 && < ${2 ** 31}`, limit);
  }
  for (const name of ["now", "point", "security", "audit"] as const) {
    const hook: unknown = host[name];
    if (hook !== undefined && typeof hook !== "function") {
      throw invalidArgType(`options.${name}`, "of type function", hook);
    }
  }
  checkStreamModule(host.stream);
}

function checkStreamModule(stream: Partial<StreamModule> | undefined): void {
  if (stream === undefined) return;
  const names = ["Readable", "Writable", "finished", "addAbortSignal"] as const;
  // A module of CommonJS may be a function that has its exports.
  if (typeof stream === "object" || typeof stream === "function") {
    if (stream !== null && names.every((name) => typeof stream[name] === "function")) return;
  }
  throw invalidArgType("options.stream", "a module like node:stream, such as readable-stream 4", stream);
}

/** The attachment whose core calls the functions. @internal */
export interface HookOwner {
  readonly module: CoreModule;
  readonly memory: SharedMemory;
  readonly drivers: Pick<DriverTable, "call">;
  readonly transfer: Transfer;
  /** Runs a hook inside a call of the core. Meanwhile it refuses other calls. */
  runHook<T>(hook: () => T): T;
  /** @param a the address of a lock, whose word names its owner, or of a structure */
  panic(code: number, a: number): never;
  /** @param word the address of a lock or of a word of that kind, whose owner has kept this thread waiting too long */
  timedOut(word: number): never;
}

/**
 * Runs a hook that may throw. An exception must not unwind the core in the middle of a walk: the access fails with
 * EIO, and the exception is thrown again as an uncaught one.
 */
function guardHook(owner: HookOwner, hook: () => number): number {
  try {
    return owner.runHook(hook);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
    return -ERRNO.EIO;
  }
}

/** The word at an address, in a new view, because the memory may have grown. */
function wordAt(memory: SharedMemory, address: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(memory.buffer as SharedArrayBuffer, address >>> 0, 1);
}

/** The imports of an instance of the core: `WebAssembly.Imports`, which the published types do not name (wasm.ts). @internal */
export function hostImports(owner: HookOwner, host: HostOptions): Record<string, Record<string, unknown>> {
  const { security, audit, point } = host;
  // Read once, because the global and its origin are getters in Node, and the core asks for the time at every change.
  const clock = performance;
  const origin = clock.timeOrigin;
  const time = () => origin + clock.now();
  const { now } = host;
  const functions: Record<string, WebAssembly.ImportValue> = {
    now: now ? () => owner.runHook(now) : time,
    clock: time,
    wait: (p: number, expected: number, ms: number) =>
      WAIT_RESULT[Atomics.wait(wordAt(owner.memory, p), 0, expected, ms)],
    panic: (code: number, a: number) => owner.panic(code, a >>> 0),
    timedOut: (word: number) => owner.timedOut(word >>> 0),
    driverCall: (op: number, driver: number, a: number, b: number, c: number, d: number) =>
      owner.runHook(() => owner.drivers.call(op, driver, a, b, c, d)),
    copyFromUser: (to: number, _done: number, bytes: number) => owner.transfer.copyFromUser(to >>> 0, bytes),
    copyToUser: (from: number, done: number, bytes: number) => owner.transfer.copyToUser(from >>> 0, bytes, done >>> 0),
    security: security
      ? (ino: number, mask: number, rcu: number) => guardHook(owner, () => security(ino, mask, rcu !== 0))
      : () => 0,
    audit: audit
      ? (dentry: number, inode: number) => {
          guardHook(owner, () => {
            audit(dentry >>> 0, inode >>> 0);
            return 0;
          });
        }
      : () => undefined,
    point: point
      ? (id: number, a: number, b: number) => owner.runHook(() => point(id, a >>> 0, b >>> 0))
      : () => undefined,
  };
  // Only what this build of the core imports: the shipping build has no `point`.
  const needed: Record<string, WebAssembly.ImportValue> = {};
  for (const { module, name } of WebAssembly.Module.imports(owner.module as WebAssembly.Module)) {
    const imported = functions[name];
    if (module === "host" && imported !== undefined) needed[name] = imported;
  }
  return { env: { memory: owner.memory as WebAssembly.Memory }, host: needed };
}
