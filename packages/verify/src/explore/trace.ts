/**
 * A schedule as readable text: the thread, the function and line, the access, the field and its object, the value. Addresses get the
 * names of core/mem/layout.ts, objects of the typed caches their fields, dentries their path.
 *
 * The trace shows the accesses to words that the threads share (conflicting in this run), and the first and last access of each
 * stretch of a thread.
 */

import { SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { addressOf, type Field, fieldsOf, LAYOUT, numberOf } from "../arena/core-source.js";
import { CACHE_SLOTS, DENTRY, INLINE_NAME } from "../arena/layout.js";
import { ATOMIC, NOTIFY, READ, WAIT_SITE, WRITE } from "../machine/constants.js";
import type { Machine, Outcome, ProgramSite } from "../machine/machine.js";
import type { LogEntry } from "../machine/scheduling-points.js";
import { defined } from "../support/defined.js";

/** Typed caches by their number in core/mem/alloc/slab.ts. */
const TYPES: Record<number, { name: string; fields: Field[] }> = {
  1: { name: "dentry", fields: fieldsOf("vfs/dcache/dentry.ts", "Dentry") },
  2: { name: "inode", fields: fieldsOf("vfs/inode/inode.ts", "Inode") },
  3: { name: "mount", fields: fieldsOf("vfs/mount/namespace.ts", "Mount") },
  4: { name: "super", fields: fieldsOf("vfs/mount/super.ts", "SuperBlock") },
  5: { name: "file", fields: fieldsOf("vfs/file/file.ts", "File") },
  6: { name: "context", fields: fieldsOf("vfs/task/cred.ts", "Context") },
};
const FIXED = new Map(LAYOUT.map(({ name, address }) => [address, name]));
const CACHES = addressOf("G_CACHES");
const CACHES_END = CACHES + CACHE_SLOTS * 64;
const BUCKET_LOCKS = addressOf("BUCKET_LOCKS");
const BUCKET_LOCKS_END = BUCKET_LOCKS + 256 * 64;
const SLOTS = addressOf("SLOTS");
const SLOT_SIZE = numberOf("SLOT_SIZE");
const SLOTS_END = SLOTS + SLOT_SIZE * numberOf("MAX_THREADS");
const SLOTS_USED = addressOf("G_SLOTS_USED");
const SLOT_SCRATCH = numberOf("SLOT_SCRATCH");
const CHUNK_ENTRY = numberOf("CHUNK_ENTRY");
const CACHE_DENTRY = 1;

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
    if (address >= CACHES && address < CACHES_END) return `cache ${(address - CACHES) >> 6} +${address & 63}`;
    if (address >= BUCKET_LOCKS && address < BUCKET_LOCKS_END) return `bucket lock ${(address - BUCKET_LOCKS) >> 6}`;
    if (address >= SLOTS && address < SLOTS_END) {
      const at = (address - SLOTS) % SLOT_SIZE;
      return `slot ${Math.floor((address - SLOTS) / SLOT_SIZE)} ${at === 0 ? "epoch" : `+${at}`}`;
    }
    if (address < SLOTS) {
      const below = LAYOUT.findLast((entry) => entry.address <= address);
      return below === undefined ? hex(address) : `${below.name} +${address - below.address}`;
    }
    const own = this.#scratch(address);
    if (own !== undefined) return own;
    const table = this.#word(addressOf("H_CHUNK_TABLE"));
    const buckets = this.#word(addressOf("H_BUCKETS"));
    const first = this.#word(addressOf("H_FIRST_CHUNK"));
    if (address >= table && address < buckets)
      return `chunk ${Math.floor((address - table) / CHUNK_ENTRY)} entry +${(address - table) % CHUNK_ENTRY}`;
    if (address >= buckets && address < first << 16) return `bucket ${(address - buckets) >> 2}`;
    const chunk = address >>> 16;
    const cache = this.#word(table + chunk * CHUNK_ENTRY);
    const type = TYPES[cache];
    if (type === undefined) return `${cache > 6 ? `${8 << (cache - 6)}-byte block` : "memory"} ${hex(address)}`;
    const size = this.#word(CACHES + cache * 64 + 4);
    const offset = (address & 0xffff) % size;
    const object = address - offset;
    return `${type.name} ${this.#object(cache, object)} .${fieldAt(type.fields, offset)}`;
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
    for (let n = 0; n < this.#word(SLOTS_USED); n++) {
      const at = this.#word(SLOTS + n * SLOT_SIZE + SLOT_SCRATCH);
      if (address >= at && address < at + SCRATCH.SIZE) return `scratch ${n} +${address - at}`;
    }
    return undefined;
  }

  #object(cache: number, object: number): string {
    if (cache !== CACHE_DENTRY) return hex(object);
    const known = this.#paths.get(object) ?? this.#path(object);
    if (!known.startsWith("(")) this.#paths.set(object, known);
    return `${hex(object)} ${known}`;
  }

  #path(dentry: number): string {
    const names: string[] = [];
    let d = dentry;
    for (let n = 0; n < 64; n++) {
      const up = this.#word(d + DENTRY.parent);
      if (up === 0) return "(new)";
      if (up === d)
        return `${names.length === 0 ? "/" : ""}${names
          .reverse()
          .map((name) => `/${name}`)
          .join("")}`;
      const length = this.#word(d + DENTRY.len);
      const at = length > INLINE_NAME ? this.#word(d + DENTRY.name) : d + DENTRY.name;
      names.push(
        length > INLINE_NAME ? `(${length} bytes)` : Buffer.from(this.#bytes.slice(at, at + length)).toString("latin1"),
      );
      d = up;
    }
    return "(no path)";
  }
}

const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`;
const odd = (address: number): string => (address & 3 ? ` +${address & 3}` : "");

function fieldAt(fields: Field[], offset: number): string {
  const best = defined(fields.findLast(([at]) => at <= offset) ?? fields[0], "field");
  return offset === best[0] ? best[1] : `${best[1]}+${offset - best[0]}`;
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
  const place = site === WAIT_SITE ? "host.wait" : `${where?.func} ${where?.line ?? ""}`;
  const what = site === WAIT_SITE ? `waits for a change of ${hex(lo)}` : verb(kind, where?.op);
  return `${indent}${letter(thread)}${step} ${place}  ${what} ${name}  ${kind & WRITE && !(kind & READ) ? ":=" : "="} ${hex(value)}${times ? `  (${times} times)` : ""}`;
}

function verb(kind: number, op: string | undefined): string {
  if (kind & NOTIFY) return "notify";
  return `${op}${kind & ATOMIC ? "" : " (plain)"}`;
}
