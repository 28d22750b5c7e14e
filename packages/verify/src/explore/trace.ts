/**
 * A schedule as readable text: the thread, the function and line, the access, the field and its object, the value. Addresses get the
 * names of the core's layout, objects of the typed caches their fields, dentries their path.
 *
 * The trace shows the accesses to words that the threads share (conflicting in this run), and the first and last access of each
 * stretch of a thread.
 */

import * as L from "../arena/layout.js";
import { ATOMIC, LOOK_SITE, NOTIFY, READ, WAIT_SITE, WRITE } from "../machine/constants.js";
import type { Machine, Outcome, ProgramSite } from "../machine/machine.js";
import type { LogEntry } from "../machine/scheduling-points.js";
import { defined } from "../support/defined.js";

const FIXED = new Map(L.ADDRESSES.map(({ name, address }) => [address, name]));
const CACHES_END = L.G_CACHES + L.CACHE_SLOTS * L.KMEM_CACHE_SIZE;
const BUCKET_LOCKS_END = L.BUCKET_LOCKS + L.MIN_BUCKETS * 64;
const SLOTS_END = L.SLOTS + L.SLOT_SIZE * L.MAX_THREADS;

/** Names for addresses of one memory. */
export class Namer {
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  /** Paths as they were at first: names change, addresses do not. */
  readonly #paths = new Map<number, string>();

  constructor(memory: { buffer: ArrayBufferLike }) {
    this.#words = new Uint32Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
  }

  #word(address: number): number {
    return this.#words[address >>> 2] ?? 0;
  }

  of(address: number): string {
    const fixed = FIXED.get(address & ~3);
    if (fixed !== undefined) return fixed + odd(address);
    if (address >= L.G_CACHES && address < CACHES_END)
      return `cache ${Math.floor((address - L.G_CACHES) / L.KMEM_CACHE_SIZE)} +${(address - L.G_CACHES) % L.KMEM_CACHE_SIZE}`;
    if (address >= L.BUCKET_LOCKS && address < BUCKET_LOCKS_END)
      return `bucket lock ${(address - L.BUCKET_LOCKS) >> 6}`;
    if (address >= L.SLOTS && address < SLOTS_END) {
      const at = (address - L.SLOTS) % L.SLOT_SIZE;
      return `slot ${Math.floor((address - L.SLOTS) / L.SLOT_SIZE)} ${at === 0 ? "epoch" : `+${at}`}`;
    }
    if (address < L.SLOTS) {
      const below = L.ADDRESSES.findLast((entry) => entry.address <= address);
      return below === undefined ? hex(address) : `${below.name} +${address - below.address}`;
    }
    return this.#scratch(address) ?? this.#dynamic(address);
  }

  /** An address behind the fixed part: in the chunk table, in the hash buckets, or in a chunk. */
  #dynamic(address: number): string {
    const table = this.#word(L.H_CHUNK_TABLE);
    const buckets = this.#word(L.H_BUCKETS);
    const first = this.#word(L.H_FIRST_CHUNK);
    if (address >= table && address < buckets)
      return `chunk ${Math.floor((address - table) / L.CHUNK_ENTRY)} entry +${(address - table) % L.CHUNK_ENTRY}`;
    if (address >= buckets && address < first << L.CHUNK_SHIFT) return `bucket ${(address - buckets) >> 2}`;
    const chunk = address >>> L.CHUNK_SHIFT;
    const id = this.#word(table + chunk * L.CHUNK_ENTRY + L.ENTRY_CACHE);
    if (id === 0 || id >= L.CACHE_SLOTS) return `memory ${hex(address)}`;
    const { name, size, fields } = L.cache(id);
    if (fields === undefined) return `${size}-byte block ${hex(address)}`;
    const offset = (address & (L.CHUNK - 1)) % size;
    return `${name} ${this.#object(id, address - offset)} .${fieldAt(fields, offset)}`;
  }

  /** The field without its object: "dentry .next", "bucket", "cache .used". */
  field(address: number): string {
    return this.of(address)
      .replace(/^(\w+) 0x.* \./, "$1 .")
      .replace(/^(bucket lock|bucket|slot|chunk|scratch) \d+/, "$1")
      .replace(/^cache \d+/, "cache")
      .replace(/^(memory|\d+-byte block) 0x\w+/, "$1")
      .replace(/(dentry \.)name[0-3](\+\d+)?$/, "$1name");
  }

  /** A thread's scratch area. */
  #scratch(address: number): string | undefined {
    for (let n = 0; n < this.#word(L.G_SLOTS_USED); n++) {
      const at = this.#word(L.SLOTS + n * L.SLOT_SIZE + L.SLOT_SCRATCH);
      if (address >= at && address < at + L.SCRATCH.SIZE) return `scratch ${n} +${address - at}`;
    }
    return undefined;
  }

  #object(cache: number, object: number): string {
    if (cache !== L.CACHE_DENTRY) return hex(object);
    const known = this.#paths.get(object) ?? this.#path(object);
    if (!known.startsWith("(")) this.#paths.set(object, known);
    return `${hex(object)} ${known}`;
  }

  #path(dentry: number): string {
    const names: string[] = [];
    let d = dentry;
    for (let n = 0; n < 64; n++) {
      const up = this.#word(d + L.DENTRY.parent);
      if (up === 0) return "(new)";
      if (up === d)
        return `${names.length === 0 ? "/" : ""}${names
          .reverse()
          .map((name) => `/${name}`)
          .join("")}`;
      const length = this.#word(d + L.DENTRY.len);
      const at = length > L.INLINE_NAME ? this.#word(d + L.DENTRY.name) : d + L.DENTRY.name;
      names.push(
        length > L.INLINE_NAME
          ? `(${length} bytes)`
          : Buffer.from(this.#bytes.slice(at, at + length)).toString("latin1"),
      );
      d = up;
    }
    return "(no path)";
  }
}

const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`;
const odd = (address: number): string => (address & 3 ? ` +${address & 3}` : "");

function fieldAt(fields: Readonly<Record<string, number>>, offset: number): string {
  const [name, at] = defined(
    Object.entries(fields).findLast(([, at]) => at <= offset),
    "field",
  );
  return offset === at ? name : `${name}+${offset - at}`;
}

/** An access with the name of its address, and the value of the word. */
type Line = LogEntry & { name: string; value: number; times?: number };

/** Collects the accesses of a run. */
export interface Tracer {
  add(entry: LogEntry): void;
  text(operations: readonly { name: string }[], outcome: Outcome): string;
}

export function traceOf(machine: Machine): Tracer {
  const namer = new Namer(machine.memory);
  const words = new Int32Array(machine.memory.buffer);
  const { sites } = machine.program;
  const lines: Line[] = [];
  /** Word -> the threads that have read it (bits from 0) and written it (bits from 8). */
  const touched = new Map<number, number>();
  return {
    add(entry) {
      const { thread, kind, address, size, lo } = entry;
      const bit = (kind & WRITE ? 256 : 1) << thread;
      for (let w = address >>> 2; w <= (address + Math.min(size, 64) - 1) >>> 2; w++)
        touched.set(w, (touched.get(w) ?? 0) | bit);
      const now = (words[address >>> 2] ?? 0) >>> 0;
      lines.push({ ...entry, name: namer.of(address), value: kind & WRITE && !(kind & READ) ? lo >>> 0 : now });
    },
    text(operations, outcome) {
      const shared = ({ address, size }: Line) => {
        const bits = [touched.get(address >>> 2) ?? 0, touched.get((address + size - 1) >>> 2) ?? 0];
        return bits.some((b) => b >> 8 !== 0 && several((b | (b >> 8)) & 255));
      };
      const shown = lines.filter(
        (line, n) => shared(line) || lines[n - 1]?.thread !== line.thread || lines[n + 1]?.thread !== line.thread,
      );
      const out = operations.map(
        ({ name }, n) => `  ${letter(n)}: ${name} -> ${JSON.stringify(outcome.results[n]) ?? "not ended"}`,
      );
      for (const line of fold(shown)) out.push(format(line, sites[line.site]));
      return out.join("\n");
    },
  };
}

const letter = (n: number): string => String.fromCharCode(97 + n);
const several = (bits: number): boolean => (bits & (bits - 1)) !== 0;

/** Repetitions of one access as one line. */
function fold(lines: Line[]): Line[] {
  const out: Line[] = [];
  for (const line of lines) {
    const last = out.at(-1);
    const same =
      last?.thread === line.thread &&
      last.site === line.site &&
      last.address === line.address &&
      last.value === line.value;
    if (same) last.times = (last.times ?? 1) + 1;
    else out.push({ ...line });
  }
  return out;
}

function format({ thread, step, site, kind, name, value, times, lo }: Line, where: ProgramSite | undefined): string {
  const indent = "                                        ".slice(0, 2 + thread * 4);
  if (site === LOOK_SITE)
    return `${indent}${letter(thread)}${step} host.clock  looks at the clock${times ? `  (${times} times)` : ""}`;
  const place = site === WAIT_SITE ? "host.wait" : `${where?.func} ${where?.line ?? ""}`;
  const what = site === WAIT_SITE ? `waits for a change of ${hex(lo)}` : verb(kind, where?.op);
  return `${indent}${letter(thread)}${step} ${place}  ${what} ${name}  ${kind & WRITE && !(kind & READ) ? ":=" : "="} ${hex(value)}${times ? `  (${times} times)` : ""}`;
}

function verb(kind: number, op: string | undefined): string {
  if (kind & NOTIFY) return "notify";
  return `${op}${kind & ATOMIC ? "" : " (plain)"}`;
}
