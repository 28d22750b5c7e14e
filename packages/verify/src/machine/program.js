/**
 * A program for machine.js: an instrumented, asyncified module whose mutable globals are exported, and what each of
 * its accesses does. Globals belong to the instance and outlive a call, so a run that starts from a snapshot of the memory has
 * to find them as they were, too.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { instrument } from "../binary/instrument.js";
import { symbolsOf } from "../binary/symbols.js";
import { Reader, SECTION, sections, u32, utf8, Writer } from "../binary/wasm.js";
import { ATOMIC, NOTIFY, READ, WRITE } from "./constants.js";

/** The core that ships. */
export const CORE = new URL("../../../threadfs/dist/core.wasm", import.meta.url);

const EXPORT_GLOBAL = 3;
/** Instructions that end a constant expression and the constants in it: the values of globals. */
const END = 0x0b;
const CONST_BYTES = { 67: 4, 68: 8 };

/** What an access does, by the rewriter's word for it. */
const KINDS = {
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

/**
 * @param {Uint8Array} bytes a module as it was built
 * @param {import("../binary/symbols.js").Symbols} [names]
 * @returns {import("./machine.js").Program & { sites: (import("../binary/instrument.js").Site & { kindName: string })[] }}
 */
export function programOf(bytes, names) {
  const made = cached(bytes, names?.version ?? "", () => instrument(bytes, { accesses: true, asyncify: true, names }));
  const sites = made.sites.map((site) => ({
    ...site,
    kindName: site.kind,
    kind: KINDS[site.kind] | (site.atomic ? ATOMIC : 0),
    size: site.kind === "notify" ? 4 : site.size,
  }));
  const out = exportGlobals(made.bytes);
  return { module: new WebAssembly.Module(/** @type {BufferSource} */ (out)), sites };
}

/** Kept rewritten modules: binaryen takes seconds for each. */
const KEPT = new URL("../../build/kept/", import.meta.url);
/** What the result depends on beside the module itself. */
const TOOLS = ["instrument.js", "asyncify.js", "wasm.js"]
  .map((name) => new URL(`../binary/${name}`, import.meta.url))
  .concat(new URL("../../../../package-lock.json", import.meta.url));

/** A rewritten module from an earlier time, if the module and the tools are the same; else it is made and kept. */
function cached(bytes, version, make) {
  const hash = createHash("sha256").update(bytes).update(version);
  for (const tool of TOOLS) hash.update(readFileSync(tool));
  const name = hash.digest("hex").slice(0, 32);
  const [code, list] = [new URL(`program-${name}.wasm`, KEPT), new URL(`program-${name}.json`, KEPT)];
  if (existsSync(list))
    return { bytes: new Uint8Array(readFileSync(code)), sites: JSON.parse(readFileSync(list, "utf8")) };
  const made = make();
  mkdirSync(KEPT, { recursive: true });
  // Made aside and moved, the list last: several processes may want it at once.
  const aside = new URL(`program-${name}.${process.pid}`, KEPT);
  for (const [to, data] of [
    [code, made.bytes],
    [list, JSON.stringify(made.sites)],
  ]) {
    writeFileSync(aside, data);
    renameSync(aside, to);
  }
  return made;
}

/** The shipping core with its names, and as a program: read and compiled once. */
let shipping;
let shippingProgram;

/** The shipping core as a program. `patch` plants a fault: it gets a copy of the bytes, and the sites and functions in it. */
export function coreProgram(patch) {
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
function exportGlobals(bytes) {
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
function mutableGlobals(bytes, section) {
  if (section === undefined) return [];
  const reader = new Reader(bytes, section.start, section.end);
  const count = reader.u32();
  const out = [];
  for (let n = 0; n < count; n++) {
    reader.byte();
    if (reader.byte() === 1) out.push(n);
    for (let op = reader.byte(); op !== END; op = reader.byte()) {
      if (op in CONST_BYTES) reader.skip(CONST_BYTES[op]);
      else if (op === 0x41 || op === 0x42) reader.skipSigned(op === 0x41 ? 35 : 70);
      else throw new Error(`program: a global that begins with ${op}`);
    }
  }
  return out;
}
