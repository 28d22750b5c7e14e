/** The size of an arena, and its address space. */

import { CHUNK, MIN_CHUNKS } from "../../abi/limits.js";
import { codedError } from "../errors/errors.js";
import type { SharedMemory } from "./wasm.js";

/**
 * The size that an arena may grow to in bytes, 2 MiB to 4 GiB - 64 KiB, the limits of the file system at its root, 0: none, and
 * PROTECTED_* bits; the most unused dentries of drivers of names that exist, and that do not, default: a share of the arena.
 */
export interface ArenaRoom {
  maxBytes: number;
  size?: number;
  nrInodes?: number;
  protect?: number;
  positive?: number;
  negative?: number;
}

/** Initial pages of the memory; the core grows it. */
const INITIAL_PAGES = 4;
const MIN_BYTES = MIN_CHUNKS * CHUNK;
const MAX_BYTES = 65535 * CHUNK;

/** The pages for `maxBytes`. @throws RangeError ERR_OUT_OF_RANGE, TypeError ERR_INVALID_ARG_TYPE */
export function pagesOf(maxBytes: unknown): number {
  if (typeof maxBytes !== "number") {
    throw codedError(TypeError, "ERR_INVALID_ARG_TYPE", `The "maxBytes" property must be of type number`);
  }
  if (!Number.isInteger(maxBytes) || maxBytes < MIN_BYTES || maxBytes > MAX_BYTES) {
    const range = `an integer >= ${MIN_BYTES} && <= ${MAX_BYTES}`;
    const message = `The value of "maxBytes" is out of range. It must be ${range}. Received ${maxBytes}`;
    throw codedError(RangeError, "ERR_OUT_OF_RANGE", message);
  }
  return Math.floor(maxBytes / CHUNK);
}

/** Reserves the address space. @throws RangeError ERR_THREADFS_MEMORY */
export function reserve(pages: number): SharedMemory {
  try {
    return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: pages, shared: true });
  } catch (cause) {
    const message = `No address space for a tree of ${pages * CHUNK} bytes`;
    throw codedError(RangeError, "ERR_THREADFS_MEMORY", message, { cause });
  }
}
