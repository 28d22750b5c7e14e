/**
 * Rewrites the core that ships, so that the host is told of every access to linear memory before it happens. Nothing else changes: all
 * instructions stay, in their order, with calls of imports between them.
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
 * A typical use: `instrument(bytes, { accesses: true, asyncify: true, names: symbolsOf(bytes) })`, then attach() of core.js.
 */
import { asyncify } from "./asyncify.js";
import { F32, F64, I32, I64, instruction, Reader, SECTION, s32, sections, u32, utf8, Writer } from "./wasm.js";

/**
 * @typedef {object} Site an instruction of the shipping core that touches linear memory
 * @property {number} id number that the imports are called with; index in `sites`
 * @property {string} func name of its function, without the file
 * @property {number} index index of its function in the shipping file
 * @property {number} offset byte offset of the instruction in the shipping file
 * @property {string} line "core/mem/lock/lock.ts:30", "~lib/..." in what the compiler's library does, "" without names
 * @property {string} op mnemonic
 * @property {"load"|"store"|"rmw"|"cmpxchg"|"notify"|"wait"|"fill"|"copy"|"grow"|"size"} kind
 * @property {boolean} atomic
 * @property {number} size bytes touched; 0 for fill, copy, grow, size
 */

/** @typedef {{ index: number, name: string, path: string }} FunctionName `path`: with its file, "core/mem/spin/lock" */

/** What the rewritten module imports beside the core's own imports. */
const IMPORTS = {
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
 * @param {Uint8Array} bytes the shipping core
 * @param {object} options
 * @param {boolean} [options.accesses] report every access
 * @param {boolean} [options.asyncify] afterwards binaryen's pass, so that an import can suspend the core
 * @param {string[]} [options.intercept] functions, by name or path, that ask `verify.enter` first
 * @param {import("./symbols.js").Symbols} [options.names] names and lines of the shipping core
 * @returns {{ bytes: Uint8Array, sites: Site[], functions: FunctionName[] }}
 * @throws Error for an instruction or a section that is not known, a name that is no function or has another result than i32 or none
 */
export function instrument(bytes, options = {}) {
  const module = parse(bytes);
  const functions = functionNames(module, options.names);
  const wanted = new Set();
  for (const name of options.intercept ?? []) {
    const found = functions.filter((f) => f.index >= module.imported && (f.name === name || f.path === name));
    if (found.length === 0) throw new Error(`instrument: no function ${name} in the core`);
    for (const { index } of found) wanted.add(index);
  }
  const added = [];
  if (options.accesses) added.push("access", "store", "range");
  if (wanted.size > 0) added.push("enter");
  const rewriter = new Rewriter(module, added, functions, options.names);
  const plain = rewriter.write(wanted, options.accesses === true ? rewriter.report : undefined);
  return { bytes: options.asyncify ? asyncify(plain) : plain, sites: rewriter.sites, functions };
}

/**
 * Plants a fault, to see that a check finds it: before one access of the shipping core a store of what is there already to a word
 * near the one accessed, or an atomic addition of 0. Nothing that the core computes changes.
 * @param {Uint8Array} bytes
 * @param {object} where
 * @param {string} where.func name or path of the function
 * @param {string} where.op mnemonic of the access
 * @param {number} [where.nth] which of those, from 0
 * @param {number} where.at byte offset of that word from the access's address without its static offset
 * @param {boolean} [where.add] the atomic addition
 * @param {import("./symbols.js").Symbols} names
 * @returns {{ bytes: Uint8Array, names: import("./symbols.js").Symbols }} names and lines of the new binary
 * @throws Error when there is no such access
 */
export function plantStore(bytes, { func, op, nth = 0, at, add = false }, names) {
  const module = parse(bytes);
  const functions = functionNames(module, names);
  const rewriter = new Rewriter(module, [], functions, names);
  let left = nth;
  let planted = -1;
  let count = 0;
  const out = rewriter.write(new Set(), (access, index, locals) => {
    count++;
    const { name, path } = functions[index];
    if ((func !== name && func !== path) || op !== access.access.op || left-- !== 0) return [];
    planted = count - 1;
    const address = u32(locals.temporary(I32, 0));
    const word = [...u32(2), ...u32(at)];
    const twice = [OP.tee, ...address, OP.get, ...address];
    if (add) return [...twice, OP.const, 0, ...ATOMIC_ADD, ...word, DROP];
    return [...twice, OP.get, ...address, LOAD, ...word, STORE, ...word];
  });
  if (planted < 0) throw new Error(`instrument: no ${op} number ${nth} in ${func}`);
  const before = accessOffsets(bytes);
  const lines = new Map();
  for (const [i, offset] of accessOffsets(out).entries()) {
    // The planted instructions come first and pass for a part of the access.
    lines.set(offset, names.line(before[i < planted ? i : Math.max(planted, i - (add ? 1 : 2))]));
  }
  return { bytes: out, names: { functions: names.functions, line: (offset) => lines.get(offset) ?? "" } };
}

/** Offsets of all accesses, in order. */
function accessOffsets(bytes) {
  const out = [];
  const module = parse(bytes);
  new Rewriter(module, [], functionNames(module), undefined).write(new Set(), ({ start }) => {
    out.push(start);
    return [];
  });
  return out;
}

/** Reads all but the code. */
function parse(bytes) {
  const list = sections(bytes);
  const known = new Set(Object.values(SECTION));
  for (const { id } of list) if (!known.has(id)) throw new Error(`instrument: section ${id} is not handled`);
  const of = (id) => list.find((section) => section.id === id);
  const module = { bytes, list, types: [], importTypes: [], imported: 0, functionTypes: [] };
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
    // instruction() refuses ref.func, so no function's index hides here.
    while (instruction(reader).code !== OP.end);
  });
  return module;
}

/** Calls `read` for each entry of a section that is a vector. */
function each(bytes, section, read) {
  if (section === undefined) return;
  const reader = new Reader(bytes, section.start, section.end);
  for (let n = reader.u32(); n > 0; n--) read(reader);
  if (!reader.done) throw new Error(`instrument: section ${section.id} is longer than its entries`);
}

/** @returns {FunctionName[]} */
function functionNames(module, names) {
  const count = module.imported + module.functionTypes.length;
  return Array.from({ length: count }, (_, index) => {
    const path = names?.functions.get(index) ?? `f${index}`;
    return { index, name: path.slice(path.lastIndexOf("/") + 1), path };
  });
}

class Rewriter {
  /** @type {Site[]} */
  sites = [];
  #module;
  #added;
  #functions;
  #names;
  #before;

  constructor(module, added, functions, names) {
    this.#module = module;
    this.#added = added;
    this.#functions = functions;
    this.#names = names;
  }

  /** Index in the rewritten module of a function of the old one: the new imports stand behind the old ones. */
  #moved(index) {
    return index < this.#module.imported ? index : index + this.#added.length;
  }

  /**
   * @param {Set<number>} wanted functions that ask first
   * @param {(at: ReturnType<typeof instruction>, index: number, locals: Locals) => number[]} [before] the bytes that go
   *   before an access of the function `index`
   * @returns {Uint8Array} the new module
   */
  write(wanted, before) {
    this.#before = before;
    const { bytes, list } = this.#module;
    const out = new Writer();
    out.push(bytes.subarray(0, 8));
    for (const section of list) {
      // The name section's indices would be wrong, and nothing reads another.
      if (section.id === SECTION.CUSTOM) continue;
      const payload = this.#section(section, wanted);
      out.push([section.id, ...u32(payload.length)]);
      out.push(payload);
    }
    return out.bytes.slice();
  }

  #section(section, wanted) {
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
  #append(same, entries) {
    const reader = new Reader(same);
    const count = reader.u32();
    const out = new Writer();
    out.push(u32(count + entries.length));
    out.push(same.subarray(reader.pos));
    for (const entry of entries) out.push(entry);
    return out.bytes;
  }

  #types(same) {
    const list = (types) => [...u32(types.length), ...types];
    return this.#append(
      same,
      this.#added.map((name) => [0x60, ...list(IMPORTS[name].params), ...list(IMPORTS[name].results)]),
    );
  }

  #imports(same) {
    const first = this.#module.types.length;
    const entries = this.#added.map((name, i) => [...utf8("verify"), ...utf8(name), 0, ...u32(first + i)]);
    return this.#append(same, entries);
  }

  #exports(section) {
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

  #code(section, wanted) {
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

  #body(reader, index, wanted) {
    const type = this.#module.types[this.#module.functionTypes[index - this.#module.imported]];
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

  #call(name) {
    return [OP.call, ...u32(this.#module.imported + this.#added.indexOf(name))];
  }

  #entry(index, { results }) {
    if (results.length > 1 || (results.length === 1 && results[0] !== I32)) {
      throw new Error(`instrument: ${this.#functions[index].path} answers no i32, it cannot be intercepted`);
    }
    const answer = results.length === 1 ? [OP.const, 0] : [];
    return [OP.const, ...s32(index), ...this.#call("enter"), OP.if, VOID, ...answer, OP.return, OP.end];
  }

  /** The call that goes before an access. The operands are on the stack and are there again afterwards. */
  report = (at, index, locals) => {
    const { kind, type, size, op, atomic } = at.access;
    const id = this.sites.length;
    const line = this.#names?.line(at.start) ?? "";
    const func = this.#functions[index].name;
    this.sites.push({ id, func, index, offset: at.start, line, op, kind, atomic, size });
    const site = [OP.const, ...s32(id)];
    const get = (local) => [OP.get, ...u32(local)];
    if (kind === "size") return [...site, OP.const, 0, ...this.#call("access")];
    if (kind === "fill" || kind === "copy") {
      const [to, from, length] = [0, 1, 2].map((n) => locals.temporary(I32, n));
      const take = [length, from, to].flatMap((local) => [OP.set, ...u32(local)]);
      const all = [to, from, length].flatMap(get);
      return [...take, ...site, ...all, ...this.#call("range"), ...all];
    }
    // What lies on the stack above the address, from the bottom up.
    const above = { store: [type], rmw: [type], cmpxchg: [type, type], notify: [I32], wait: [type, I64] }[kind] ?? [];
    const address = locals.temporary(I32, 0);
    const values = above.map((t, i) => locals.temporary(t, i + 1));
    const take = values.toReversed().flatMap((local) => [OP.set, ...u32(local)]);
    const effective = at.offset === 0 ? get(address) : [...get(address), OP.const, ...s32(at.offset), OP.add];
    const value = kind === "store" ? bitsOf(type, size, get(values[0])) : [];
    const call = this.#call(kind === "store" ? "store" : "access");
    return [...take, OP.tee, ...u32(address), ...site, ...effective, ...value, ...call, ...values.flatMap(get)];
  };
}

/** Instructions that leave the low and the high word of a value's bits on the stack. */
function bitsOf(type, size, get) {
  if (size < 4) {
    const mask = [OP.const, ...s32(size === 1 ? 0xff : 0xffff), AND];
    return [...get, ...(type === I64 ? [WRAP] : []), ...mask, OP.const, 0];
  }
  if (size === 4) {
    const convert = { [I32]: [], [I64]: [WRAP], [F32]: [BITS_OF_F32] }[type];
    return [...get, ...convert, OP.const, 0];
  }
  const bits = [...get, ...(type === F64 ? [BITS_OF_F64] : [])];
  return [...bits, WRAP, ...bits, CONST_64, 32, SHR_U_64, WRAP];
}

/** A function's locals and those that are added to them. */
class Locals {
  #groups = [];
  #count;
  #own = new Map();
  #added = [];

  /** @param {number} params @param {Reader} reader at the declarations, afterwards behind them */
  constructor(params, reader) {
    this.#count = params;
    for (let n = reader.u32(); n > 0; n--) {
      const count = reader.u32();
      this.#groups.push([count, reader.byte()]);
      this.#count += count;
    }
  }

  /** A local of this type; the same for the same `role`, as no two reports overlap. */
  temporary(type, role) {
    const key = type * 8 + role;
    let local = this.#own.get(key);
    if (local === undefined) {
      local = this.#count++;
      this.#own.set(key, local);
      this.#added.push([1, type]);
    }
    return local;
  }

  bytes() {
    const all = [...this.#groups, ...this.#added];
    return [...u32(all.length), ...all.flatMap(([count, type]) => [...u32(count), type])];
  }
}
