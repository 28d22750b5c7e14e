/**
 * Rewrites the core that ships, so that the host is told of every access to linear memory before it happens. Nothing else changes: all
 * instructions remain, in their order, with calls of imports between them.
 *
 *   verify.access(site, address)                  loads, read-modify-writes, notify, wait; memory.size (0), memory.grow (pages)
 *   verify.store(site, address, low, high)        stores; the value's bits, cut to the width of the store
 *   verify.range(site, to, from, length)          memory.copy; memory.fill, where `from` is the byte
 *   verify.enter(function) -> i32                 entry of an intercepted function; not 0: it returns 0 at once
 *
 * Of the functions that allocate, these are left as functions by the optimiser and can be intercepted: slabAlloc (an object of a
 * typed or sized cache), kmalloc (a sized block), kalloc and makeSpace (the same with a reclaim before giving up). chunkAlloc and the
 * growing of the memory are inlined into them.
 *
 * Addresses hold the static offset and are signed as all i32 are in JavaScript. An address that passes 4 GiB by its offset is reported
 * modulo 2^32; the access itself then traps.
 *
 * A typical use: `instrument(bytes, { accesses: true, asyncify: true, names: symbolsOf(bytes) })`, then attach() of core.ts.
 */
import { defined } from "../support/defined.js";
import { asyncify } from "./asyncify.js";
import type { Symbols } from "./symbols.js";
import {
  type AccessKind,
  F32,
  F64,
  I32,
  I64,
  type Instruction,
  instruction,
  Reader,
  SECTION,
  s32,
  sections,
  u32,
  utf8,
  Writer,
} from "./wasm.js";

/** An instruction of the shipping core that accesses linear memory. */
export interface Site {
  /** The number that is passed to the imports; index in `sites`. */
  id: number;
  /** Name of its function, without the file. */
  func: string;
  /** Index of its function in the shipping file. */
  index: number;
  /** Byte offset of the instruction in the shipping file. */
  offset: number;
  /** "core/mem/lock/lock.ts:30", "~lib/..." in the compiler's library, "" without names. */
  line: string;
  /** Mnemonic. */
  op: string;
  kind: AccessKind;
  atomic: boolean;
  /** Bytes accessed; 0 for fill, copy, grow, size. */
  size: number;
}

/** A function by its index; `path`: with its file, "core/mem/lock/lock/lock". */
export interface FunctionName {
  index: number;
  name: string;
  path: string;
}

export interface InstrumentOptions {
  /** Report every access. */
  accesses?: boolean;
  /** Run binaryen's pass afterwards, so that an import can suspend the core. */
  asyncify?: boolean;
  /** Functions, by name or path, that ask `verify.enter` first. */
  intercept?: string[];
  /** Names and lines of the shipping core. */
  names?: Symbols;
}

interface FunctionType {
  params: number[];
  results: number[];
}

type ImportName = "access" | "store" | "range" | "enter";
/** The imports that are added to those of the core. */
const IMPORTS: Record<ImportName, FunctionType> = {
  access: { params: [I32, I32], results: [] },
  store: { params: [I32, I32, I32, I32], results: [] },
  range: { params: [I32, I32, I32, I32], results: [] },
  enter: { params: [I32], results: [I32] },
};

const OP = { if: 0x04, end: 0x0b, return: 0x0f, call: 0x10, get: 0x20, set: 0x21, tee: 0x22, const: 0x41, add: 0x6a };
const DROP = 0x1a;
const LOAD = 0x28;
const STORE = 0x36;
const ATOMIC_ADD = [0xfe, 0x1e];
const AND = 0x71;
const WRAP = 0xa7;
const SHR_U_64 = 0x88;
const CONST_64 = 0x42;
const BITS_OF_F32 = 0xbc;
const BITS_OF_F64 = 0xbd;
const VOID = 0x40;

/**
 * @param bytes the shipping core
 * @throws Error for an instruction or a section that is not known, a name that is no function or has another result than i32 or none
 */
export function instrument(
  bytes: Uint8Array,
  options: InstrumentOptions = {},
): { bytes: Uint8Array<ArrayBuffer>; sites: Site[]; functions: FunctionName[] } {
  const module = parse(bytes);
  const functions = functionNames(module, options.names);
  const wanted = new Set<number>();
  for (const name of options.intercept ?? []) {
    const found = functions.filter((f) => f.index >= module.imported && (f.name === name || f.path === name));
    if (found.length === 0) throw new Error(`instrument: no function ${name} in the core`);
    for (const { index } of found) wanted.add(index);
  }
  const added: ImportName[] = [];
  if (options.accesses) added.push("access", "store", "range");
  if (wanted.size > 0) added.push("enter");
  const rewriter = new Rewriter(module, added, functions, options.names);
  const plain = rewriter.write(wanted, options.accesses === true ? rewriter.report : undefined);
  return { bytes: options.asyncify ? asyncify(plain) : plain, sites: rewriter.sites, functions };
}

/** Where a store is planted. */
export interface PlantedStore {
  /** Name or path of the function. */
  func: string;
  /** Mnemonic of the access. */
  op: string;
  /** Which of those accesses, from 0. */
  nth?: number;
  /** Byte offset of the word that is stored to from the access's address without its static offset. */
  at: number;
  /** An atomic addition in place of the store. */
  add?: boolean;
}

/**
 * Plants a fault, to see that a check finds it: before one access of the shipping core a store of what is there already to a word
 * near the one accessed, or an atomic addition of 0. Nothing that the core computes changes.
 * @returns names and lines of the new binary
 * @throws Error when there is no such access
 */
export function plantStore(
  bytes: Uint8Array,
  { func, op, nth = 0, at, add = false }: PlantedStore,
  names: Symbols,
): { bytes: Uint8Array<ArrayBuffer>; names: Symbols } {
  const module = parse(bytes);
  const functions = functionNames(module, names);
  const rewriter = new Rewriter(module, [], functions, names);
  let left = nth;
  let planted = -1;
  let count = 0;
  const out = rewriter.write(new Set(), (access, index, locals) => {
    count++;
    const { name, path } = defined(functions[index], "function");
    if ((func !== name && func !== path) || op !== access.access?.op || left-- !== 0) return [];
    planted = count - 1;
    const address = u32(locals.temporary(I32, 0));
    const word = [...u32(2), ...u32(at)];
    const twice = [OP.tee, ...address, OP.get, ...address];
    if (add) return [...twice, OP.const, 0, ...ATOMIC_ADD, ...word, DROP];
    return [...twice, OP.get, ...address, LOAD, ...word, STORE, ...word];
  });
  if (planted < 0) throw new Error(`instrument: no ${op} number ${nth} in ${func}`);
  const before = accessOffsets(bytes);
  const lines = new Map<number, string>();
  for (const [i, offset] of accessOffsets(out).entries()) {
    // The planted instructions stand before the access and get its line.
    const origin = before[i < planted ? i : Math.max(planted, i - (add ? 1 : 2))];
    lines.set(offset, names.line(defined(origin, "access")));
  }
  return { bytes: out, names: { ...names, line: (offset: number) => lines.get(offset) ?? "" } };
}

/** Offsets of all accesses, in order. */
function accessOffsets(bytes: Uint8Array): number[] {
  const out: number[] = [];
  const module = parse(bytes);
  new Rewriter(module, [], functionNames(module), undefined).write(new Set(), ({ start }) => {
    out.push(start);
    return [];
  });
  return out;
}

type Section = ReturnType<typeof sections>[number];

/** A module without its code. */
interface Module {
  bytes: Uint8Array;
  list: Section[];
  types: FunctionType[];
  importTypes: number[];
  imported: number;
  /** Type of each function that is not imported. */
  functionTypes: number[];
}

/** Reads everything but the code. */
function parse(bytes: Uint8Array): Module {
  const list = sections(bytes);
  const known = new Set(Object.values(SECTION));
  for (const { id } of list) if (!known.has(id)) throw new Error(`instrument: section ${id} is not handled`);
  const of = (id: number) => list.find((section) => section.id === id);
  const module: Module = { bytes, list, types: [], importTypes: [], imported: 0, functionTypes: [] };
  each(bytes, of(SECTION.TYPE), (reader) => {
    if (reader.byte() !== 0x60) throw new Error("instrument: a type that is no function's");
    const values = () => Array.from({ length: reader.u32() }, () => reader.byte());
    const params = values();
    module.types.push({ params, results: values() });
  });
  each(bytes, of(SECTION.IMPORT), (reader) => {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === 0) {
      module.importTypes.push(reader.u32());
    } else if (kind === 2) {
      const limits = reader.byte();
      reader.u32();
      if (limits & 1) reader.u32();
    } else if (kind === 3) {
      reader.skip(2);
    } else {
      throw new Error(`instrument: an import of kind ${kind}`);
    }
  });
  module.imported = module.importTypes.length;
  each(bytes, of(SECTION.FUNCTION), (reader) => module.functionTypes.push(reader.u32()));
  each(bytes, of(SECTION.GLOBAL), (reader) => {
    reader.skip(2);
    // instruction() refuses ref.func, so no constant expression holds the index of a function.
    while (instruction(reader).code !== OP.end);
  });
  return module;
}

/** Calls `read` for each entry of a section that is a vector. */
function each(bytes: Uint8Array, section: Section | undefined, read: (reader: Reader) => void): void {
  if (section === undefined) return;
  const reader = new Reader(bytes, section.start, section.end);
  for (let n = reader.u32(); n > 0; n--) read(reader);
  if (!reader.done) throw new Error(`instrument: section ${section.id} is longer than its entries`);
}

function functionNames(module: Module, names?: Symbols): FunctionName[] {
  const count = module.imported + module.functionTypes.length;
  return Array.from({ length: count }, (_, index) => {
    const path = names?.functions.get(index) ?? `f${index}`;
    return { index, name: path.slice(path.lastIndexOf("/") + 1), path };
  });
}

/** The bytes that go before an access of the function `index`. */
type Before = (at: Instruction, index: number, locals: Locals) => number[];

class Rewriter {
  sites: Site[] = [];
  readonly #module: Module;
  readonly #added: ImportName[];
  readonly #functions: FunctionName[];
  readonly #names: Symbols | undefined;
  #before: Before | undefined;

  constructor(module: Module, added: ImportName[], functions: FunctionName[], names: Symbols | undefined) {
    this.#module = module;
    this.#added = added;
    this.#functions = functions;
    this.#names = names;
  }

  /** Index in the rewritten module of a function of the old one: the new imports follow the old ones. */
  #moved(index: number) {
    return index < this.#module.imported ? index : index + this.#added.length;
  }

  /**
   * @param wanted functions that call `enter` first
   * @returns the new module
   */
  write(wanted: Set<number>, before?: Before): Uint8Array<ArrayBuffer> {
    this.#before = before;
    const { bytes, list } = this.#module;
    const out = new Writer();
    out.push(bytes.subarray(0, 8));
    for (const section of list) {
      // The indices in the name section would be wrong, and no custom section is read.
      if (section.id === SECTION.CUSTOM) continue;
      const payload = this.#section(section, wanted);
      out.push([section.id, ...u32(payload.length)]);
      out.push(payload);
    }
    return out.bytes.slice();
  }

  #section(section: Section, wanted: Set<number>): ArrayLike<number> {
    const { bytes } = this.#module;
    const same = bytes.subarray(section.start, section.end);
    if (section.id === SECTION.TYPE) return this.#types(same);
    if (section.id === SECTION.IMPORT) return this.#imports(same);
    if (section.id === SECTION.EXPORT) return this.#exports(section);
    if (section.id === SECTION.START) return u32(this.#moved(new Reader(bytes, section.start).u32()));
    if (section.id === SECTION.CODE) return this.#code(section, wanted);
    return same;
  }

  /** The vector of `same` with more entries at its end. */
  #append(same: Uint8Array, entries: number[][]): Uint8Array {
    const reader = new Reader(same);
    const count = reader.u32();
    const out = new Writer();
    out.push(u32(count + entries.length));
    out.push(same.subarray(reader.pos));
    for (const entry of entries) out.push(entry);
    return out.bytes;
  }

  #types(same: Uint8Array): Uint8Array {
    const list = (types: number[]) => [...u32(types.length), ...types];
    return this.#append(
      same,
      this.#added.map((name) => [0x60, ...list(IMPORTS[name].params), ...list(IMPORTS[name].results)]),
    );
  }

  #imports(same: Uint8Array): Uint8Array {
    const first = this.#module.types.length;
    const entries = this.#added.map((name, i) => [...utf8("verify"), ...utf8(name), 0, ...u32(first + i)]);
    return this.#append(same, entries);
  }

  #exports(section: Section): Uint8Array {
    const { bytes } = this.#module;
    const out = new Writer();
    const reader = new Reader(bytes, section.start, section.end);
    const count = reader.u32();
    out.push(u32(count));
    for (let i = 0; i < count; i++) {
      const start = reader.pos;
      reader.name();
      const kind = reader.byte();
      out.push(bytes.subarray(start, reader.pos));
      const index = reader.u32();
      out.push(u32(kind === 0 ? this.#moved(index) : index));
    }
    return out.bytes;
  }

  #code(section: Section, wanted: Set<number>): Uint8Array {
    const { bytes, imported, functionTypes } = this.#module;
    const out = new Writer();
    const reader = new Reader(bytes, section.start, section.end);
    const count = reader.u32();
    if (count !== functionTypes.length) throw new Error("instrument: as many bodies as functions are needed");
    out.push(u32(count));
    for (let i = 0; i < count; i++) {
      const size = reader.u32();
      const body = this.#body(new Reader(bytes, reader.pos, reader.pos + size), imported + i, wanted);
      out.push(u32(body.length));
      out.push(body);
      reader.skip(size);
    }
    return out.bytes;
  }

  #body(reader: Reader, index: number, wanted: Set<number>): Uint8Array {
    const typeIndex = this.#module.functionTypes[index - this.#module.imported];
    const type = defined(this.#module.types[typeIndex ?? -1], "function type");
    const locals = new Locals(type.params.length, reader);
    const code = new Writer();
    if (wanted.has(index)) code.push(this.#entry(index, type));
    let depth = 1;
    while (depth > 0) {
      const at = instruction(reader);
      if (at.code >= 0x02 && at.code <= OP.if) depth++;
      else if (at.code === OP.end) depth--;
      if (at.access !== undefined && this.#before !== undefined) code.push(this.#before(at, index, locals));
      if (at.code === OP.call) code.push([OP.call, ...u32(this.#moved(at.index))]);
      else code.push(reader.bytes.subarray(at.start, reader.pos));
    }
    if (!reader.done) throw new Error(`instrument: function ${index} goes on behind its end`);
    const out = new Writer();
    out.push(locals.bytes());
    out.push(code.bytes);
    return out.bytes;
  }

  #call(name: ImportName): number[] {
    return [OP.call, ...u32(this.#module.imported + this.#added.indexOf(name))];
  }

  #entry(index: number, { results }: FunctionType): number[] {
    if (results.length > 1 || (results.length === 1 && results[0] !== I32)) {
      throw new Error(`instrument: ${this.#functions[index]?.path} returns no i32, it cannot be intercepted`);
    }
    const answer = results.length === 1 ? [OP.const, 0] : [];
    return [OP.const, ...s32(index), ...this.#call("enter"), OP.if, VOID, ...answer, OP.return, OP.end];
  }

  /** The call before an access. The operands are on the stack, and are there again afterwards. */
  report: Before = (at, index, locals) => {
    const { kind, type, size, op, atomic } = defined(at.access, "access");
    const id = this.sites.length;
    const line = this.#names?.line(at.start) ?? "";
    const func = this.#functions[index]?.name ?? "";
    this.sites.push({ id, func, index, offset: at.start, line, op, kind, atomic, size });
    const site = [OP.const, ...s32(id)];
    const get = (local: number) => [OP.get, ...u32(local)];
    if (kind === "size") return [...site, OP.const, 0, ...this.#call("access")];
    if (kind === "fill" || kind === "copy") {
      const [to, from, length] = [locals.temporary(I32, 0), locals.temporary(I32, 1), locals.temporary(I32, 2)];
      const take = [length, from, to].flatMap((local) => [OP.set, ...u32(local)]);
      const all = [to, from, length].flatMap(get);
      return [...take, ...site, ...all, ...this.#call("range"), ...all];
    }
    // The operands above the address on the stack, from the bottom up.
    const operands: Partial<Record<AccessKind, number[]>> = {
      store: [type],
      rmw: [type],
      cmpxchg: [type, type],
      notify: [I32],
      wait: [type, I64],
    };
    const above = operands[kind] ?? [];
    const address = locals.temporary(I32, 0);
    const values = above.map((t, i) => locals.temporary(t, i + 1));
    const take = values.toReversed().flatMap((local) => [OP.set, ...u32(local)]);
    const effective = at.offset === 0 ? get(address) : [...get(address), OP.const, ...s32(at.offset), OP.add];
    const value = kind === "store" ? bitsOf(type, size, get(defined(values[0], "value"))) : [];
    const call = this.#call(kind === "store" ? "store" : "access");
    return [...take, OP.tee, ...u32(address), ...site, ...effective, ...value, ...call, ...values.flatMap(get)];
  };
}

/** Instructions that leave the low and the high word of a value's bits on the stack. */
function bitsOf(type: number, size: number, get: number[]): number[] {
  if (size < 4) {
    const mask = [OP.const, ...s32(size === 1 ? 0xff : 0xffff), AND];
    return [...get, ...(type === I64 ? [WRAP] : []), ...mask, OP.const, 0];
  }
  if (size === 4) {
    const convert = type === I64 ? [WRAP] : type === F32 ? [BITS_OF_F32] : [];
    return [...get, ...convert, OP.const, 0];
  }
  const bits = [...get, ...(type === F64 ? [BITS_OF_F64] : [])];
  return [...bits, WRAP, ...bits, CONST_64, 32, SHR_U_64, WRAP];
}

type Group = [count: number, type: number];

/** The locals of a function, with those that are added. */
class Locals {
  #groups: Group[] = [];
  #count;
  #own = new Map<number, number>();
  #added: Group[] = [];

  /** @param reader at the declarations, afterwards behind them */
  constructor(params: number, reader: Reader) {
    this.#count = params;
    for (let n = reader.u32(); n > 0; n--) {
      const count = reader.u32();
      this.#groups.push([count, reader.byte()]);
      this.#count += count;
    }
  }

  /** A local of this type; the same for the same `role`, as no two reports overlap. */
  temporary(type: number, role: number): number {
    const key = type * 8 + role;
    let local = this.#own.get(key);
    if (local === undefined) {
      local = this.#count++;
      this.#own.set(key, local);
      this.#added.push([1, type]);
    }
    return local;
  }

  bytes(): number[] {
    const all = [...this.#groups, ...this.#added];
    return [...u32(all.length), ...all.flatMap(([count, type]) => [...u32(count), type])];
  }
}
