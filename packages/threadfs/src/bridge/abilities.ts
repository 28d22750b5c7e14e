/**
 * What a host must have, checked before anything else so that the error says what is missing; and what the present thread can do.
 */
import { codedError } from "../errors/errors.js";
import { nodeProcess } from "./node.js";

/** @throws Error ERR_THREADFS_WASM where there is no WebAssembly. @internal */
export function checkWasm(): void {
  if (typeof WebAssembly === "object") return;
  const message =
    "This host has no WebAssembly. Node has none with --jitless: start it without that option (and without it in NODE_OPTIONS)";
  throw codedError(Error, "ERR_THREADFS_WASM", message);
}

/** @throws Error ERR_THREADFS_ISOLATION on a page whose threads may share no memory. @internal */
export function checkIsolation(): void {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  const onPage = nodeProcess() === undefined;
  if (typeof SharedArrayBuffer === "function" && !(onPage && crossOriginIsolated === false)) return;
  const message =
    "This page may not share memory with its workers, because it is not cross-origin isolated. Serve it over https or as " +
    "localhost, with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or create " +
    "the tree with { singleThreaded: true } for the thread that creates it alone";
  throw codedError(Error, "ERR_THREADFS_ISOLATION", message);
}

/** Blocks the thread for so many milliseconds. False: it may not block, as a browser's main thread. @internal */
export function sleep(ms: number): boolean {
  try {
    Atomics.wait(new Int32Array(sharedWord()), 0, 0, ms);
    return true;
  } catch {
    return false;
  }
}

/** Shared memory. A page that is not isolated has no other than that of WebAssembly. */
function sharedWord(): SharedArrayBuffer {
  if (typeof SharedArrayBuffer === "function") return new SharedArrayBuffer(4);
  return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer as unknown as SharedArrayBuffer;
}

/** Whether this thread may block in Atomics.wait; a browser's main thread may not. @internal */
export function canWait(): boolean {
  return sleep(0);
}

/** Depth of recursion that needs several times the stack that recovering a thread needs. */
const STACK_PROBE_DEPTH = 1000;

/** Whether the stack has room for `levels` more calls; by default for the recovery of a thread. @internal */
export function hasStackRoom(levels = STACK_PROBE_DEPTH): boolean {
  try {
    return levels === 0 || hasStackRoom(levels - 1);
  } catch {
    return false;
  }
}
