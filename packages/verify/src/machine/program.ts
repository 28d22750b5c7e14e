/**
 * A program for a machine: an instrumented, asyncified module whose mutable globals are exported, with its accesses. Globals belong to
 * the instance and outlive a call, so a run that starts from a snapshot of the memory must restore them too.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { type FunctionName, instrument, type Site } from "../binary/instrument.js";
import { type Symbols, symbolsOf } from "../binary/symbols.js";
import { type AccessKind, Reader, SECTION, sections, u32, utf8, Writer } from "../binary/wasm.js";

import { ATOMIC, NOTIFY, READ, WRITE } from "./constants.js";
import type { Program, ProgramSite } from "./machine.js";

/** The core that ships. */
export const CORE = new URL("../../../threadfs/dist/core.wasm", import.meta.url);

const EXPORT_GLOBAL = 3;
/** Instructions that end a constant expression and the constants in it: the values of globals. */
const END = 0x0b;
const CONST_BYTES: Record<number, number> = { 67: 4, 68: 8 };

/** The effects of each kind of access. */
const KINDS: Record<AccessKind, number> = {
  load: READ,
  store: WRITE,
  rmw: READ | WRITE,
  cmpxchg: READ | WRITE,
  notify: NOTIFY | ATOMIC,
  wait: READ,
  fill: WRITE,
  copy: READ | WRITE,
  grow: 0,
  size: 0,
};

/** A program of a module, with all that is known of its accesses. */
export interface InstrumentedProgram extends Program {
  sites: (ProgramSite & Omit<Site, "kind"> & { kindName: AccessKind })[];
}

/** @param bytes a module as it was built */
export function programOf(bytes: Uint8Array, names?: Symbols): InstrumentedProgram {
  const made = cached(bytes, names?.version ?? "", () =>
    instrument(bytes, { accesses: true, asyncify: true, ...(names ? { names } : {}) }),
  );
  const sites = made.sites.map((site) => ({
    ...site,
    kindName: site.kind,
    kind: KINDS[site.kind] | (site.atomic ? ATOMIC : 0),
    size: site.kind === "notify" ? 4 : site.size,
  }));
  const out = exportGlobals(made.bytes);
  return { module: new WebAssembly.Module(out), sites };
}

/** Kept rewritten modules: binaryen takes seconds for each. */
const KEPT = new URL("../../build/kept/", import.meta.url);
/** What the result depends on beside the module itself. */
const TOOLS = [
  "../binary/instrument.js",
  "../binary/asyncify.js",
  "../binary/wasm.js",
  "../../../../package-lock.json",
].map((name) => new URL(name, import.meta.url));

type Rewritten = Pick<ReturnType<typeof instrument>, "bytes" | "sites">;

/** A rewritten module that was kept, if the module and the tools are the same; otherwise it is made and kept. */
function cached(bytes: Uint8Array, version: string, make: () => Rewritten): Rewritten {
  const hash = createHash("sha256").update(bytes).update(version);
  for (const tool of TOOLS) hash.update(readFileSync(tool));
  const name = hash.digest("hex").slice(0, 32);
  const [code, list] = [new URL(`program-${name}.wasm`, KEPT), new URL(`program-${name}.json`, KEPT)];
  if (existsSync(list))
    return { bytes: new Uint8Array(readFileSync(code)), sites: JSON.parse(readFileSync(list, "utf8")) };
  const made = make();
  mkdirSync(KEPT, { recursive: true });
  // Written under another name and renamed, the list last: several processes may make it at the same time.
  const aside = new URL(`program-${name}.${process.pid}`, KEPT);
  const keep = (to: URL, data: string | Uint8Array) => {
    writeFileSync(aside, data);
    renameSync(aside, to);
  };
  keep(code, made.bytes);
  keep(list, JSON.stringify(made.sites));
  return made;
}

/** The shipping core with its names, and as a program: read and compiled once. */
let shipping: { bytes: Uint8Array<ArrayBuffer>; names: Symbols } | undefined;
let shippingProgram: InstrumentedProgram | undefined;

/** Plants a fault in a copy of the shipping core. */
export type Patch = (bytes: Uint8Array, sites: Site[], functions: FunctionName[]) => void;

/** The shipping core as a program, with a fault if there is a patch. */
export function coreProgram(patch?: Patch): InstrumentedProgram {
  if (shipping === undefined) {
    const bytes = new Uint8Array(readFileSync(CORE));
    shipping = { bytes, names: symbolsOf(bytes) };
  }
  const { bytes, names } = shipping;
  if (patch === undefined) {
    shippingProgram ??= programOf(bytes, names);
    return shippingProgram;
  }
  const { sites, functions } = instrument(bytes, { accesses: true, names });
  const copy = bytes.slice();
  patch(copy, sites, functions);
  return programOf(copy, names);
}

/** Adds an export `verify.global.N` for every mutable global. */
function exportGlobals(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const list = sections(bytes);
  const globals = mutableGlobals(
    bytes,
    list.find(({ id }) => id === SECTION.GLOBAL),
  );
  const out = new Writer();
  out.push(bytes.subarray(0, 8));
  for (const { id, start, end } of list) {
    let payload = bytes.subarray(start, end);
    if (id === SECTION.EXPORT) {
      const reader = new Reader(bytes, start, end);
      const count = reader.u32();
      const more = new Writer();
      more.push(u32(count + globals.length));
      more.push(bytes.subarray(reader.pos, end));
      for (const n of globals) more.push([...utf8(`verify.global.${n}`), EXPORT_GLOBAL, ...u32(n)]);
      payload = more.bytes;
    }
    if (id === SECTION.CUSTOM) continue;
    out.push([id, ...u32(payload.length)]);
    out.push(payload);
  }
  return out.bytes.slice();
}

/** Numbers of the mutable globals. The core imports none, so they are numbered as they stand. */
function mutableGlobals(bytes: Uint8Array, section: { start: number; end: number } | undefined): number[] {
  if (section === undefined) return [];
  const reader = new Reader(bytes, section.start, section.end);
  const count = reader.u32();
  const out: number[] = [];
  for (let n = 0; n < count; n++) {
    reader.byte();
    if (reader.byte() === 1) out.push(n);
    for (let op = reader.byte(); op !== END; op = reader.byte()) {
      const size = CONST_BYTES[op];
      if (size !== undefined) reader.skip(size);
      else if (op === 0x41 || op === 0x42) reader.skipSigned(op === 0x41 ? 35 : 70);
      else throw new Error(`program: a global that begins with ${op}`);
    }
  }
  return out;
}
