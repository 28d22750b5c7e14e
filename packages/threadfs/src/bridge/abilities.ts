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

/** @throws Error ERR_THREADFS_ISOLATION on a page that is not cross-origin isolated, ERR_THREADFS_WASM. @internal */
export function checkHostAbilities(): void {
  checkWasm();
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  const onPage = nodeProcess() === undefined;
  if (typeof SharedArrayBuffer === "function" && !(onPage && crossOriginIsolated === false)) return;
  const message =
    "This page may not share memory with its workers, because it is not cross-origin isolated. Serve it over https or as " +
    "localhost, with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp";
  throw codedError(Error, "ERR_THREADFS_ISOLATION", message);
}

/** Whether this thread may block in Atomics.wait; a browser's main thread may not. @internal */
export function canWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
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
