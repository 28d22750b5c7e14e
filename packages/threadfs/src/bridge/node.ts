/**
 * The modules of Node that the library uses, without an import: bundlers for browsers would have to resolve it. Node (20.16 and newer),
 * Bun and Deno have `process.getBuiltinModule`; browsers, and the stand-ins for `process` in bundles, do not.
 */
import { codedError } from "../errors/errors.js";
import type { Url } from "./wasm.js";

/** `node:stream`, or a module like it: readable-stream 4 or newer. */
export interface StreamModule {
  readonly Readable: abstract new (...args: never[]) => object;
  readonly Writable: abstract new (...args: never[]) => object;
  readonly finished: (...args: never[]) => unknown;
  /** Streams that open something before they read or write came with it, in Node 15. */
  readonly addAbortSignal: (...args: never[]) => unknown;
}

/** `node:vfs`, which Node 26 has when it is started with --experimental-vfs. */
export interface NodeVfs {
  readonly VirtualProvider: new () => object;
}

interface Modules {
  "node:vfs": NodeVfs;
  "node:async_hooks": { readonly AsyncLocalStorage: { snapshot?(): <R>(call: () => R) => R } };
  "node:buffer": { isAscii?(bytes: Uint8Array): boolean };
  "node:events": { readonly EventEmitter: { readonly prototype: object } };
  "node:stream": StreamModule;
  "node:readline": { createInterface(options: object): object };
  /** From Node 20.15 and 22.2 on. */
  "node:zlib": { crc32?(data: Uint8Array, value?: number): number };
  "node:fs": { readFileSync(url: Url): Uint8Array };
  "node:worker_threads": {
    readonly threadId: number;
    readonly isMainThread: boolean;
    readonly parentPort?: {
      postMessage(message: unknown): void;
      on(event: "message", listener: (data: unknown) => void): unknown;
    } | null;
    markAsUntransferable?(buffer: object): void;
    readonly Worker: abstract new (...args: never[]) => object;
    getEnvironmentData?(key: string): unknown;
    setEnvironmentData?(key: string, value: string): void;
  };
}

interface NodeProcess {
  readonly versions?: { readonly node?: string; readonly deno?: string; readonly bun?: string };
  on?(event: "worker" | "exit", listener: (value: unknown) => void): unknown;
  emitWarning?(message: string): void;
  nextTick?(work: () => void): void;
  getBuiltinModule?<Name extends keyof Modules>(name: Name): Modules[Name] | undefined;
}

/** Node's `process`, which Bun and Deno have too; undefined in other hosts. @internal */
export function nodeProcess(): NodeProcess | undefined {
  const { process } = globalThis as { process?: NodeProcess };
  return typeof process?.versions?.node === "string" ? process : undefined;
}

/**
 * Node's class Buffer, which Bun and Deno have too; undefined in browsers. Looked up at each use: importing does no work, and a program may
 * take the class away later. @internal
 */
export function bufferClass(): typeof Buffer | undefined {
  return (globalThis as { Buffer?: typeof Buffer }).Buffer;
}

/** The major version of Node itself; undefined in Bun and Deno, whose Buffers are their own, and in browsers. @internal */
export function nodeMajor(): number | undefined {
  const versions = nodeProcess()?.versions;
  if (versions?.node === undefined || versions.deno !== undefined || versions.bun !== undefined) return undefined;
  return Number.parseInt(versions.node, 10);
}

/**
 * A module of Node; undefined in a host that has none.
 * @throws Error ERR_THREADFS_HOST in Node before 20.16
 */
export function nodeModule<Name extends keyof Modules>(name: Name): Modules[Name] | undefined {
  const process = nodeProcess();
  const module = process?.getBuiltinModule?.(name);
  if (process !== undefined && module === undefined) {
    const message = `threadfs needs process.getBuiltinModule("${name}"): Node 20.16 or newer. This is ${process.versions?.node}`;
    throw codedError(Error, "ERR_THREADFS_HOST", message);
  }
  return module;
}

/** Calls back after the present call, as `process.nextTick` where the host has it. @internal */
export function nextTick(work: () => void): void {
  const process = nodeProcess();
  if (process?.nextTick === undefined) queueMicrotask(work);
  else process.nextTick(work);
}
