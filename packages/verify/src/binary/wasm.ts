/**
 * The WebAssembly binary format, as much of it as rewriting the core needs: sections, LEB128 numbers, and the immediates of
 * every instruction of the MVP, sign extension, saturating conversions, bulk memory and threads. All else is an error: a rewriter that
 * skips instructions that it does not know would not report their accesses.
 */

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;

export const SECTION = { CUSTOM: 0, TYPE: 1, IMPORT: 2, FUNCTION: 3, GLOBAL: 6, EXPORT: 7, START: 8, CODE: 10 };

const text = new TextDecoder();

/** Reads numbers one after the other. `pos` is the offset in `bytes`. */
export class Reader {
  readonly bytes: Uint8Array;
  pos: number;
  readonly end: number;

  constructor(bytes: Uint8Array, pos = 0, end = bytes.length) {
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
  }

  get done() {
    return this.pos >= this.end;
  }

  byte() {
    if (this.pos >= this.end) throw new Error(`wasm: the bytes end at ${this.end} in the middle of an entry`);
    return this.bytes[this.pos++] as number;
  }

  u32() {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const b = this.byte();
      value |= (b & 0x7f) << shift;
      if (b < 0x80) return value >>> 0;
    }
    throw new Error(`wasm: a number at ${this.pos} has more than 32 bits`);
  }

  /** Skips a signed number of up to `bits` bits. */
  skipSigned(bits: number) {
    for (let shift = 0; shift < bits; shift += 7) if (this.byte() < 0x80) return;
    throw new Error(`wasm: a number at ${this.pos} has more than ${bits} bits`);
  }

  skip(n: number) {
    this.pos += n;
    if (this.pos > this.end) throw new Error(`wasm: the bytes end at ${this.end} in the middle of an entry`);
  }

  name() {
    const length = this.u32();
    const start = this.pos;
    this.skip(length);
    return text.decode(this.bytes.subarray(start, this.pos));
  }
}

/** Bytes of an unsigned LEB128 number. */
export function u32(value: number) {
  const out = [];
  let rest = value >>> 0;
  while (rest > 0x7f) {
    out.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  out.push(rest);
  return out;
}

/** Bytes of a signed LEB128 number of 32 bits. */
export function s32(value: number) {
  const out = [];
  let rest = value | 0;
  for (;;) {
    const b = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (b & 0x40) === 0) || (rest === -1 && (b & 0x40) !== 0)) return [...out, b];
    out.push(b | 0x80);
  }
}

/** Bytes of a string, its length first. */
export function utf8(string: string): number[] {
  const bytes = new TextEncoder().encode(string);
  return [...u32(bytes.length), ...bytes];
}

/** A growing list of bytes, without an array element for each. */
export class Writer {
  #bytes = new Uint8Array(1024);
  length = 0;

  push(bytes: ArrayLike<number>) {
    if (this.length + bytes.length > this.#bytes.length) {
      const more = new Uint8Array(2 * (this.length + bytes.length));
      more.set(this.#bytes);
      this.#bytes = more;
    }
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  get bytes() {
    return this.#bytes.subarray(0, this.length);
  }
}

/**
 * Splits a module into its sections.
 * @returns the payloads' ranges; a custom section's starts behind its name
 */
export function sections(bytes: Uint8Array): { id: number; name: string; start: number; end: number }[] {
  const reader = new Reader(bytes);
  for (const want of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) {
    if (reader.byte() !== want) throw new Error("wasm: not a module of version 1");
  }
  const out = [];
  while (!reader.done) {
    const id = reader.byte();
    const size = reader.u32();
    const inside = new Reader(bytes, reader.pos, reader.pos + size);
    const name = id === SECTION.CUSTOM ? inside.name() : "";
    out.push({ id, name, start: inside.pos, end: reader.pos + size });
    reader.skip(size);
  }
  return out;
}

export type AccessKind = "load" | "store" | "rmw" | "cmpxchg" | "notify" | "wait" | "fill" | "copy" | "grow" | "size";

/** The access of an instruction to linear memory. */
export interface Access {
  /** Mnemonic. */
  op: string;
  kind: AccessKind;
  /** Type of its value. */
  type: number;
  /** Bytes accessed; 0 for fill, copy, grow, size. */
  size: number;
  atomic: boolean;
}

function describe(op: string, kind: AccessKind, type: number, size: number, atomic: boolean): Access {
  return { op, kind, type, size, atomic };
}

const PLAIN = new Map<number, Access>();
const loads: [op: string, type: number, size: number][] = [
  ["i32.load", I32, 4],
  ["i64.load", I64, 8],
  ["f32.load", F32, 4],
  ["f64.load", F64, 8],
  ["i32.load8_s", I32, 1],
  ["i32.load8_u", I32, 1],
  ["i32.load16_s", I32, 2],
  ["i32.load16_u", I32, 2],
  ["i64.load8_s", I64, 1],
  ["i64.load8_u", I64, 1],
  ["i64.load16_s", I64, 2],
  ["i64.load16_u", I64, 2],
  ["i64.load32_s", I64, 4],
  ["i64.load32_u", I64, 4],
];
for (const [i, [op, type, size]] of loads.entries()) PLAIN.set(0x28 + i, describe(op, "load", type, size, false));
const stores: [op: string, type: number, size: number][] = [
  ["i32.store", I32, 4],
  ["i64.store", I64, 8],
  ["f32.store", F32, 4],
  ["f64.store", F64, 8],
  ["i32.store8", I32, 1],
  ["i32.store16", I32, 2],
  ["i64.store8", I64, 1],
  ["i64.store16", I64, 2],
  ["i64.store32", I64, 4],
];
for (const [i, [op, type, size]] of stores.entries()) PLAIN.set(0x36 + i, describe(op, "store", type, size, false));
PLAIN.set(0x3f, describe("memory.size", "size", I32, 0, true));
PLAIN.set(0x40, describe("memory.grow", "grow", I32, 0, true));

/** Behind 0xfc. */
const BULK = new Map([
  [0x0a, describe("memory.copy", "copy", I32, 0, false)],
  [0x0b, describe("memory.fill", "fill", I32, 0, false)],
]);

/** Behind 0xfe. */
const ATOMIC = new Map([
  [0x00, describe("memory.atomic.notify", "notify", I32, 4, true)],
  [0x01, describe("memory.atomic.wait32", "wait", I32, 4, true)],
  [0x02, describe("memory.atomic.wait64", "wait", I64, 8, true)],
]);
/** Every atomic operation comes in these widths, in this order. */
const WIDTHS: [type: number, size: number, prefix: string, narrow: string][] = [
  [I32, 4, "i32", ""],
  [I64, 8, "i64", ""],
  [I32, 1, "i32", "8"],
  [I32, 2, "i32", "16"],
  [I64, 1, "i64", "8"],
  [I64, 2, "i64", "16"],
  [I64, 4, "i64", "32"],
];
for (const [i, [type, size, prefix, narrow]] of WIDTHS.entries()) {
  const suffix = narrow === "" ? "" : "_u";
  ATOMIC.set(0x10 + i, describe(`${prefix}.atomic.load${narrow}${suffix}`, "load", type, size, true));
  ATOMIC.set(0x17 + i, describe(`${prefix}.atomic.store${narrow}`, "store", type, size, true));
  for (const [j, name] of ["add", "sub", "and", "or", "xor", "xchg", "cmpxchg"].entries()) {
    const op = `${prefix}.atomic.rmw${narrow}.${name}${suffix}`;
    ATOMIC.set(0x1e + 7 * j + i, describe(op, name === "cmpxchg" ? "cmpxchg" : "rmw", type, size, true));
  }
}

/** Reads a memarg. @returns the static offset */
function memarg(reader: Reader): number {
  if (reader.u32() & 0x40) throw new Error(`wasm: an access at ${reader.pos} names a memory, only one is known here`);
  return reader.u32();
}

function blockType(reader: Reader): void {
  // A value type or 0x40 is one byte; a type index is a signed number of 33 bits.
  reader.skipSigned(35);
}

export interface Instruction {
  /** The opcode; a prefixed one: prefix * 256 + number. */
  code: number;
  start: number;
  /** Its access to linear memory, if it has one. */
  access: Access | undefined;
  /** Static offset of an access. */
  offset: number;
  /** The function of a `call`, otherwise 0. */
  index: number;
}
type Plain = (extra?: Partial<Instruction>) => Instruction;

/** Reads one instruction with all its immediates. */
export function instruction(reader: Reader): Instruction {
  const start = reader.pos;
  const code = reader.byte();
  const plain: Plain = (extra = {}) => ({ code, start, access: undefined, offset: 0, index: 0, ...extra });
  if (code >= 0x28 && code <= 0x3e) {
    return plain({ access: PLAIN.get(code), offset: memarg(reader) });
  }
  if (code >= 0x45 && code <= 0xc4) return plain();
  switch (code) {
    case 0x00: // unreachable
    case 0x01: // nop
    case 0x05: // else
    case 0x0b: // end
    case 0x0f: // return
    case 0x1a: // drop
    case 0x1b: // select
      return plain();
    case 0x02: // block
    case 0x03: // loop
    case 0x04: // if
      blockType(reader);
      return plain();
    case 0x0c: // br
    case 0x0d: // br_if
    case 0x20: // local.get
    case 0x21: // local.set
    case 0x22: // local.tee
    case 0x23: // global.get
    case 0x24: // global.set
      reader.u32();
      return plain();
    case 0x0e: {
      // br_table: the labels and the default
      const count = reader.u32();
      for (let i = 0; i <= count; i++) reader.u32();
      return plain();
    }
    case 0x10:
      return plain({ index: reader.u32() });
    case 0x1c: {
      const count = reader.u32();
      reader.skip(count);
      return plain();
    }
    case 0x3f:
    case 0x40:
      if (reader.byte() !== 0) throw new Error(`wasm: another memory at ${start}`);
      return plain({ access: PLAIN.get(code) });
    case 0x41:
      reader.skipSigned(35);
      return plain();
    case 0x42:
      reader.skipSigned(70);
      return plain();
    case 0x43:
      reader.skip(4);
      return plain();
    case 0x44:
      reader.skip(8);
      return plain();
    case 0xfc:
      return bulk(reader, start, plain);
    case 0xfe:
      return threads(reader, start, plain);
    default:
      throw new Error(`wasm: unknown opcode 0x${code.toString(16)} at ${start}`);
  }
}

function bulk(reader: Reader, start: number, plain: Plain): Instruction {
  const number = reader.u32();
  const code = 0xfc00 + number;
  if (number <= 7) return plain({ code });
  const access = BULK.get(number);
  if (access === undefined) throw new Error(`wasm: unknown opcode 0xfc ${number} at ${start}`);
  for (let i = access.kind === "copy" ? 2 : 1; i > 0; i--) {
    if (reader.byte() !== 0) throw new Error(`wasm: another memory at ${start}`);
  }
  return plain({ code, access });
}

function threads(reader: Reader, start: number, plain: Plain): Instruction {
  const number = reader.u32();
  const code = 0xfe00 + number;
  if (number === 3) {
    // atomic.fence
    reader.skip(1);
    return plain({ code });
  }
  const access = ATOMIC.get(number);
  if (access === undefined) throw new Error(`wasm: unknown opcode 0xfe ${number} at ${start}`);
  return plain({ code, access, offset: memarg(reader) });
}
