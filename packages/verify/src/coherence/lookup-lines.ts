/**
 * How many cache lines does one lookup read, and how many of them are in no cache of its processor? Both are counts, which no neighbour on
 * the machine changes, unlike times.
 *
 * The tree, the paths and their order are those of `npm run bench -- --only lookup`. Each lookup of the instrumented shipping core is recorded
 * access by access and played through a model of one processor's second-level cache. What JavaScript does around a call is added as it
 * happens in V8: it reads the path's string and a place of the list of paths, and writes the object that statSync() returns.
 */

import { shuffledOrder } from "../../../cli/dist/support/random.js";
import { AT_FDCWD, ERRNO, O_CREAT, O_EXCL, O_WRONLY } from "../../../threadfs/dist/abi/abi.js";
import {
  CACHES,
  CHUNK,
  CHUNK_ENTRY,
  CHUNK_SHIFT,
  D_DIRECTORY,
  D_TYPE,
  DENTRY,
  DENTRY_SIZE,
  ENTRY_CACHE,
  H_BUCKETS,
  H_CHUNK_TABLE,
  H_FIRST_CHUNK,
  SLOT_SIZE,
} from "../arena/layout.js";
import { attach, type CallName, type Core, createMemory, shippingCore, type Thread } from "../binary/core.js";
import { accessHooks } from "./access-hooks.js";
import { LINE } from "./cache-model.js";

/** Files in each directory, as in the bench. */
const FILES_PER_DIRECTORY = 25;
/** Bytes of the arena for a file, generously, and for an empty tree. */
const BYTES_A_FILE = 600;
const BYTES = 8 << 20;

/** The second-level cache of the processor that docs/performance.md has figures of. */
const L2_BYTES = 512 << 10;
const L2_WAYS = 8;

/** In V8 the characters of a string follow a header, and a list has a pointer for each of its places. */
const STRING_HEADER = 16;
const POINTER = 8;
/** What `process.memoryUsage().heapUsed` grows by for each result of `statSync()` that a program keeps, in Node 20. */
const STATS_BYTES = 232;
/** V8's young generation, in which new objects lie one behind the other, and begin again at its end. */
const NEW_SPACE = 16 << 20;
/** Where JavaScript's memory lies in the model: behind any arena. */
const STRINGS = 2 ** 36;
const LIST = 2 ** 37;
const OBJECTS = 2 ** 38;

export const PARTS = [
  "the path's string",
  "list of paths",
  "thread's own",
  "prefix cache",
  "directories",
  "hash table",
  "dentry",
  "inode",
  "words of the tree",
  "the new Stats",
] as const;
type Part = (typeof PARTS)[number];

/** A cache of one processor: sets of a few lines each, of which the one goes that was used longest ago. */
export class SetAssociative {
  readonly #ways: number;
  readonly #sets: number;
  /** The lines of each set, the one that was used last first. */
  readonly #lines: Float64Array;

  constructor(bytes: number, ways: number) {
    this.#ways = ways;
    this.#sets = bytes / LINE / ways;
    this.#lines = new Float64Array(this.#sets * ways).fill(-1);
  }

  /** @returns whether the line was there, which it is from now on */
  access(line: number): boolean {
    const from = (line % this.#sets) * this.#ways;
    const last = from + this.#ways - 1;
    let at = from;
    while (at < last && this.#lines[at] !== line) at++;
    const hit = this.#lines[at] === line;
    this.#lines.copyWithin(from + 1, from, at);
    this.#lines[from] = line;
    return hit;
  }
}

/** Lines a lookup, by what lies on them. */
type Lines = Record<Part, number>;

/** The figures of one kind of lookup. */
export interface LookupLines {
  call: string;
  files: number;
  /** Lines that it reads or writes, and those of them that the cache has not. */
  used: Lines;
  missed: Lines;
}

export function sumOf(lines: Lines): number {
  return PARTS.reduce((sum, part) => sum + lines[part], 0);
}

function noLines(): Lines {
  return Object.fromEntries(PARTS.map((part) => [part, 0])) as Lines;
}

/** The path of file `n` of `files`, as in the bench. */
function pathOf(n: number, files: number, extension: string): string {
  const side = Math.max(1, Math.ceil(Math.sqrt(files / FILES_PER_DIRECTORY)));
  const directory = Math.floor(n / FILES_PER_DIRECTORY);
  const [pack, dep] = [Math.floor(directory / side), directory % side];
  const name = `file-${n % FILES_PER_DIRECTORY}${extension}`;
  return `/workspace/project/packages/package-${pack}/node_modules/dep-${dep}/lib/${name}`;
}

/** One thread, its tree, and the lines of the arena that its last lookup has used. */
class RecordedTree {
  readonly files: number;
  readonly #thread: Thread;
  readonly #lines = new Set<number>();

  constructor(core: Core, files: number) {
    this.files = files;
    const memory = createMemory({ maxBytes: BYTES + files * BYTES_A_FILE, threads: 0 });
    const hooks = accessHooks(core, (address, size) => {
      for (let at = address - (address % LINE); at < address + size; at += LINE) this.#lines.add(at / LINE);
    });
    this.#thread = attach(memory, core, hooks, { init: { seed: 1 } });
    this.#thread.watching = false;
    const made = new Set<string>();
    for (let n = 0; n < files; n++) this.#make(pathOf(n, files, ".js"), made);
    this.#thread.refresh();
  }

  #make(path: string, made: Set<string>): void {
    for (let end = path.indexOf("/", 1); end > 0; end = path.indexOf("/", end + 1)) {
      const directory = path.slice(0, end);
      if (made.has(directory)) continue;
      made.add(directory);
      this.#call("sysMkdir", AT_FDCWD, this.#thread.path(directory), 0o755);
    }
    const fd = this.#call("sysOpen", AT_FDCWD, this.#thread.path(path), O_CREAT | O_EXCL | O_WRONLY, 0o644);
    this.#call("sysClose", fd);
  }

  #call(name: CallName, ...args: number[]): number {
    const result = this.#thread.call(name, 0, ...args);
    if (result < 0) throw new Error(`coherence: ${name} returned ${result}`);
    return result;
  }

  /** @returns the lines that a lookup of a path uses, until the next one */
  lookup({ name, args, result }: LookupKind, path: string): ReadonlySet<number> {
    const thread = this.#thread;
    const length = thread.path(path);
    this.#lines.clear();
    thread.watching = true;
    const value = thread.call(name, 0, AT_FDCWD, length, ...args);
    thread.watching = false;
    if (value !== result) throw new Error(`coherence: ${name} of ${path} returned ${value}`);
    return this.#lines;
  }

  /** What lies on a line of the arena. */
  partOf(line: number): Part {
    const { slotAddress, scratch, prefixCache, prefixCacheSize } = this.#thread;
    const at = line * LINE;
    const isIn = (from: number, bytes: number) => at >= from && at < from + bytes;
    if (isIn(slotAddress, SLOT_SIZE) || isIn(scratch, 2 * CHUNK)) return "thread's own";
    if (isIn(prefixCache, prefixCacheSize)) return "prefix cache";
    const first = this.#word(H_FIRST_CHUNK) * CHUNK;
    if (at < first) return at >= this.#word(H_BUCKETS) ? "hash table" : "words of the tree";
    const entry = this.#word(H_CHUNK_TABLE) + (at >>> CHUNK_SHIFT) * CHUNK_ENTRY;
    const { name } = CACHES[this.#word(entry + ENTRY_CACHE)] ?? {};
    if (name === "inode") return "inode";
    if (name !== "dentry") return "words of the tree";
    const flags = this.#word(at - (at % DENTRY_SIZE) + DENTRY.flags);
    return (flags & D_TYPE) === D_DIRECTORY ? "directories" : "dentry";
  }

  #word(address: number): number {
    return this.#thread.words[address >>> 2] ?? 0;
  }
}

interface LookupKind {
  call: string;
  name: CallName;
  args: number[];
  extension: string;
  result: number;
  makesStats: boolean;
}
const access = { name: "sysAccess" as const, args: [0, 0], makesStats: false };
const KINDS: LookupKind[] = [
  { call: "existsSync, existing", ...access, extension: ".js", result: 0 },
  { call: "existsSync, missing", ...access, extension: ".ts", result: -ERRNO.ENOENT },
  { call: "statSync", name: "sysStat", args: [0], extension: ".js", result: 0, makesStats: true },
];

/** The most lines that a lookup may use, by its call: with whatever JavaScript uses. */
export const MOST_USED: Readonly<Record<string, number>> = {
  "existsSync, existing": 28,
  "existsSync, missing": 28,
  statSync: 38.5,
};

/** Plays lookups of one kind in random order: a round of all files to warm the caches, and one that is counted. */
function linesOf(tree: RecordedTree, kind: LookupKind, seed: number): LookupLines {
  const { files } = tree;
  const paths = Array.from({ length: files }, (_, n) => pathOf(n, files, kind.extension));
  const strings: number[] = [];
  let end = STRINGS;
  for (const { length } of paths) {
    strings.push(end);
    end += Math.ceil((STRING_HEADER + length) / POINTER) * POINTER;
  }
  const order = shuffledOrder(files, seed);
  const cache = new SetAssociative(L2_BYTES, L2_WAYS);
  let used = noLines();
  let missed = noLines();
  const use = (part: Part, line: number) => {
    used[part]++;
    if (!cache.access(line)) missed[part]++;
  };
  const useRange = (part: Part, from: number, bytes: number) => {
    for (let line = Math.floor(from / LINE); line * LINE < from + bytes; line++) use(part, line);
  };
  let objects = 0;
  for (const counted of [false, true]) {
    if (counted) [used, missed] = [noLines(), noLines()];
    for (const [place, n] of order.entries()) {
      const path = paths[n] as string; // the order is one of all paths
      useRange("list of paths", LIST + place * POINTER, POINTER);
      useRange("the path's string", strings[n] as number, STRING_HEADER + path.length);
      for (const line of tree.lookup(kind, path)) use(tree.partOf(line), line);
      if (!kind.makesStats) continue;
      useRange("the new Stats", OBJECTS + (objects % NEW_SPACE), STATS_BYTES);
      objects += STATS_BYTES;
    }
  }
  for (const part of PARTS) {
    used[part] /= files;
    missed[part] /= files;
  }
  return { call: kind.call, files, used, missed };
}

/** The figures of each kind of lookup in trees of so many files. */
export function lookupLines(core: Core, { seed, files }: { seed: number; files: number[] }): LookupLines[] {
  return files.flatMap((count) => {
    const tree = new RecordedTree(core, count);
    return KINDS.map((kind) => linesOf(tree, kind, seed));
  });
}

/** The same for the core that ships: what `npm run bench` prints. */
export function shippingLookupLines(options: { seed: number; files: number[] }): LookupLines[] {
  return lookupLines(shippingCore({ accesses: true }), options);
}

/** The figures as a table: a column a kind of lookup, a row for what lies on the lines, with the sum below. */
export function lookupLinesTable(rows: LookupLines[]): { head: string[]; rows: string[][] } {
  const cell = (used: number, missed: number) => `${used.toFixed(1)} (${missed.toFixed(1)})`;
  return {
    head: [
      "lines a lookup uses (of them not in 512 KiB)",
      ...rows.map(({ call, files }) => `${call}, ${files.toLocaleString("en")} files`),
    ],
    rows: [
      ...PARTS.map((part) => [part, ...rows.map(({ used, missed }) => cell(used[part], missed[part]))]),
      ["all", ...rows.map(({ used, missed }) => cell(sumOf(used), sumOf(missed)))],
    ],
  };
}

/** The same in markdown. */
export function lookupLinesMarkdown(figures: LookupLines[]): string {
  const { head, rows } = lookupLinesTable(figures);
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `| --- |${" ---: |".repeat(figures.length)}`, ...rows.map(line)].join("\n");
}
