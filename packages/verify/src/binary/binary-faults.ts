/**
 * Faults planted in a copy of the shipping core's bytes, at sites that instrument.ts found. Every change keeps the length, so that
 * all other offsets hold. Each function throws where the bytes are not the expected ones: no check can catch a fault that is not
 * planted.
 */

import { defined } from "../support/defined.js";
import type { Site } from "./instrument.js";
import { instruction, Reader, SECTION, sections } from "./wasm.js";

const NOP = 0x01;
const DROP = 0x1a;
const CALL = 0x10;
const ADD = 0x6a;
const ATOMIC_PREFIX = 0xfe;
/** Second byte of an atomic load or store, and the plain instruction. */
const PLAIN: Record<number, number> = { 16: 0x28, 17: 0x29, 23: 0x36, 24: 0x37 };

/** An atomic load or store of 4 or 8 bytes becomes a plain one. */
export function makePlain(bytes: Uint8Array, site: Site): void {
  const plain = PLAIN[bytes[site.offset + 1] ?? -1];
  if (bytes[site.offset] !== ATOMIC_PREFIX || plain === undefined)
    throw new Error(`plant: ${site.op} is no atomic access`);
  bytes[site.offset] = NOP;
  bytes[site.offset + 1] = plain;
}

/** A notify becomes an addition of its two operands, and wakes no thread. */
export function dropNotify(bytes: Uint8Array, site: Site): void {
  if (bytes[site.offset] !== ATOMIC_PREFIX || bytes[site.offset + 1] !== 0)
    throw new Error(`plant: ${site.op} is no notify`);
  bytes.set([ADD, NOP, NOP, NOP], site.offset);
}

/**
 * Removes the calls of `callee`, a function of one argument and no result, from function `within` (indices in the file).
 * @param imported the number of imported functions, which come first
 * @returns how many calls
 */
export function dropCalls(bytes: Uint8Array, within: number, callee: number, imported: number): number {
  const code = sections(bytes).find(({ id }) => id === SECTION.CODE);
  const { start, end } = defined(code, "code section");
  const reader = new Reader(bytes, start, end);
  let dropped = 0;
  for (let index = imported, n = reader.u32(); n > 0; n--, index++) {
    const size = reader.u32();
    const body = new Reader(bytes, reader.pos, reader.pos + size);
    reader.skip(size);
    if (index !== within) continue;
    for (let groups = body.u32(); groups > 0; groups--) {
      body.u32();
      body.byte();
    }
    while (!body.done) {
      const at = instruction(body);
      if (at.code !== CALL || at.index !== callee) continue;
      bytes.fill(NOP, at.start, body.pos);
      bytes[at.start] = DROP;
      dropped++;
    }
  }
  if (dropped === 0) throw new Error(`plant: function ${within} does not call ${callee}`);
  return dropped;
}
