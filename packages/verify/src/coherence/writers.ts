/**
 * How many cache lines move between processors for one change? As coherence.ts for lookups: real changes of the instrumented shipping core are
 * recorded access by access, a round of calls for each thread, and simulated by cache-model.ts for 2 to 64 threads. What moves when the
 * threads change nothing in common is what the tree makes them share.
 */
import { AT_FDCWD, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "../../../threadfs/dist/abi/abi.js";
import { ADDRESSES, CACHES, CHUNK, FIXED_END, G_CACHES } from "../arena/layout.js";
import { attach, type CallName, type Core, createMemory, type Thread } from "../binary/core.js";
import { defined } from "../support/defined.js";
import { accessHooks } from "./access-hooks.js";
import { LINE, LineTable, simulate, type Trace } from "./cache-model.js";

/** 64 scratch areas are 8 MiB. */
const MAX_BYTES = 64 << 20;
/** Rounds of a thread that are recorded, after as many that are not: enough for a grace period to be among them. */
const ROUNDS = 32;
const WRITE = 4096;
const SMALL = 16;
const MODE = 0o644;

/** The chunk table of the arena: 32 bytes a chunk. */
const CHUNK_TABLE = (MAX_BYTES / CHUNK) * 32;

/** One thread's calls, made by number: each round leaves the tree as it was. */
type Round = (load: WriterLoad, thread: number, round: number) => void;

/** A load: what every thread does, and how many operations a round of it is. */
export interface WriterShape {
  prepare(load: WriterLoad, thread: number): void;
  round: Round;
  operations: number;
  /** The most lines that may move for an operation, by the number of threads. 0: no line may move, however many they are. */
  most: 0 | Readonly<Record<number, number>>;
}

const own = (thread: number): string => `/d${thread}`;

function createAndRemove(load: WriterLoad, thread: number, path: string): void {
  load.call(thread, "sysOpen", AT_FDCWD, load.path(thread, path), O_CREAT | O_EXCL | O_RDWR, MODE);
  load.call(thread, "sysClose", load.last);
  load.call(thread, "sysUnlink", AT_FDCWD, load.path(thread, path), 0);
}

/** Makes a file of the thread's, for turn(). */
function prepareTurns(load: WriterLoad, thread: number): void {
  load.open(thread, `${own(thread)}/r`);
  load.call(thread, "sysWrite", load.fd(thread), 0, SMALL);
  load.call(thread, "sysClose", load.fd(thread));
}

/** Opens, reads and closes that. */
function turn(load: WriterLoad, thread: number, open: "sysOpen" | "sysOpenAny"): void {
  load.call(thread, open, AT_FDCWD, load.path(thread, `${own(thread)}/r`), O_RDONLY, 0);
  const fd = load.last;
  load.call(thread, "sysRead", fd, -1, SMALL);
  load.call(thread, "sysClose", fd);
}

export const WRITER_SHAPES: Record<string, WriterShape> = {
  "creating and removing, in different directories": {
    prepare: () => undefined,
    round: (load, thread, n) => createAndRemove(load, thread, `${own(thread)}/new-${n}`),
    operations: 3,
    most: { 2: 2.6, 8: 5.5 },
  },
  "creating and removing, in one directory": {
    prepare: () => undefined,
    round: (load, thread, n) => createAndRemove(load, thread, `/d0/new-${thread}-${n}`),
    operations: 3,
    most: { 2: 12.5, 8: 27 },
  },
  "writing and removing small files, in different directories": {
    prepare: () => undefined,
    round: (load, thread, n) => {
      const path = `${own(thread)}/w-${n}`;
      load.call(
        thread,
        "sysWriteFile",
        AT_FDCWD,
        load.path(thread, path),
        O_CREAT | O_TRUNC | O_WRONLY,
        MODE,
        0,
        SMALL,
      );
      load.call(thread, "sysUnlink", AT_FDCWD, load.path(thread, path), 0);
    },
    operations: 2,
    most: { 2: 1.3, 8: 3.5 },
  },
  "renaming, in different directories": {
    prepare: (load, thread) => void load.open(thread, `${own(thread)}/a`),
    round: (load, thread, n) => {
      const [from, to] = n % 2 === 0 ? ["a", "b"] : ["b", "a"];
      const length = load.path(thread, `${own(thread)}/${from}`);
      load.call(thread, "sysRename", AT_FDCWD, length, AT_FDCWD, load.path2(thread, `${own(thread)}/${to}`), 0);
    },
    operations: 1,
    most: { 2: 0.4, 8: 5.5 },
  },
  "writing 4 KiB to different files": {
    prepare: (load, thread) => load.open(thread, `${own(thread)}/w`),
    round: (load, thread) => load.call(thread, "sysWrite", load.fd(thread), 0, WRITE),
    operations: 1,
    most: 0,
  },
  "opening, reading and closing different files, in contexts of their own": {
    prepare: (load, thread) => {
      load.useOwnContext(thread);
      prepareTurns(load, thread);
    },
    round: (load, thread) => turn(load, thread, "sysOpen"),
    operations: 3,
    most: 0,
  },
  // As programs of WASI do. The half of the table that has no order is 32 blocks: the 33rd thread begins where the first one does.
  "the same in one context, with any descriptor": {
    prepare: prepareTurns,
    round: (load, thread) => turn(load, thread, "sysOpenAny"),
    operations: 3,
    most: { 2: 0, 4: 0, 8: 0, 16: 0, 32: 0 },
  },
  "reading 4 KiB of one file": {
    prepare: (load, thread) => {
      load.open(thread, "/shared");
      if (thread === 0) load.call(thread, "sysWrite", load.fd(thread), 0, WRITE);
    },
    round: (load, thread) => load.call(thread, "sysRead", load.fd(thread), 0, WRITE),
    operations: 1,
    most: 0,
  },
};

/** A tree with a directory for each thread, and as many threads. */
export class WriterLoad {
  readonly lines = new LineTable();
  readonly #threads: Thread[] = [];
  readonly #fds = new Map<number, number>();
  readonly #contexts = new Map<number, number>();
  /** The accesses that are recorded. */
  #recording: number[] | undefined;
  /** The result of the last call. */
  last = 0;

  constructor(core: Core, threads: number) {
    const memory = createMemory({ maxBytes: MAX_BYTES, threads: 0 });
    const hooks = accessHooks(core, (address, size, write) => {
      if (this.#recording !== undefined) this.lines.push(this.#recording, address, size, write);
    });
    for (let n = 0; n < threads; n++) {
      this.#threads.push(attach(memory, core, hooks, n === 0 ? { init: { seed: 1 } } : {}));
    }
    for (let n = 0; n < threads; n++) this.call(0, "sysMkdir", AT_FDCWD, this.path(0, own(n)), 0o755);
    for (const thread of this.#threads) thread.refresh();
  }

  #thread(n: number): Thread {
    return defined(this.#threads[n], `thread ${n}`);
  }

  path(thread: number, text: string): number {
    return this.#thread(thread).path(text);
  }

  path2(thread: number, text: string): number {
    return this.#thread(thread).path2(text);
  }

  /** Makes a context for the later calls of a thread. */
  useOwnContext(thread: number): void {
    this.call(thread, "contextCreate", 0, 0, 0o022, 0, -1, 0, 0);
    this.#contexts.set(thread, this.last);
  }

  /** Makes a call in the thread's context, or else the tree's. @throws Error if it fails */
  call(thread: number, name: CallName, ...args: number[]): void {
    this.last = this.#thread(thread).call(name, this.#contexts.get(thread) ?? 0, ...args);
    if (this.last < 0) throw new Error(`coherence: ${name} returned ${this.last}`);
  }

  /** Opens a file of the thread's, which is made. */
  open(thread: number, path: string): void {
    this.call(thread, "sysOpen", AT_FDCWD, this.path(thread, path), O_CREAT | O_RDWR, MODE);
    this.#fds.set(thread, this.last);
  }

  fd(thread: number): number {
    return defined(this.#fds.get(thread), "a descriptor");
  }

  /** The traces of a thread's rounds, when it has made as many before. */
  #rounds(thread: number, { round }: WriterShape): Trace[] {
    for (let n = 0; n < ROUNDS; n++) round(this, thread, n);
    const traces: Trace[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      const recording: number[] = [];
      this.#recording = recording;
      try {
        round(this, thread, n);
      } finally {
        this.#recording = undefined;
      }
      traces.push(Uint32Array.from(recording));
    }
    return traces;
  }

  /** The traces of all threads. */
  traces(shape: WriterShape): Trace[][] {
    for (const thread of this.#threads.keys()) shape.prepare(this, thread);
    // All of them once before, as the first rounds take memory that the later ones reuse.
    for (const thread of this.#threads.keys()) for (let n = 0; n < ROUNDS; n++) shape.round(this, thread, n);
    return Array.from(this.#threads.keys(), (thread) => this.#rounds(thread, shape));
  }
}

/** What is moved for one operation of a shape by so many threads. */
export interface WriterFigure {
  shape: string;
  threads: number;
  /** Lines moved for an operation, and the standard error of that mean. */
  transfers: number;
  error: number;
  /** The lines that move most, with how often they do. */
  lines: { name: string; moved: number }[];
}

/** What lies on a line: the words of the fixed part, or to which table or object it belongs. */
function nameOf(address: number): string {
  const cache = (address - G_CACHES) / LINE;
  if (cache >= 0 && cache < CACHES.length) return `cache ${CACHES[cache]?.name ?? cache}`;
  if (address >= FIXED_END) return address < FIXED_END + CHUNK_TABLE ? "chunk table" : "an object";
  const on = ADDRESSES.filter((word) => word.address - (word.address % LINE) === address).map(({ name }) => name);
  const before = ADDRESSES.findLast((word) => word.address <= address);
  return on.join(", ") || `${before?.name ?? ""} + ${address - (before?.address ?? 0)}`;
}

/** All figures. */
export function writerFigures(
  core: Core,
  { seed, threads, operations }: { seed: number; threads: number[]; operations: number },
): WriterFigure[] {
  const out: WriterFigure[] = [];
  for (const [shape, of] of Object.entries(WRITER_SHAPES)) {
    const load = new WriterLoad(core, Math.max(...threads));
    const traces = load.traces(of);
    for (const n of threads) {
      const simulated = simulate(traces.slice(0, n), load.lines.addresses.length, { seed, operations });
      const { transfers, error, moved } = simulated;
      const lines = Array.from(moved, (count, line) => ({ line, count }))
        .filter(({ count }) => count > 0)
        .sort((a, b) => b.count - a.count)
        .map(({ line, count }) => ({ name: nameOf(load.lines.addresses[line] ?? 0), moved: count / of.operations }));
      out.push({ shape, threads: n, transfers: transfers / of.operations, error: error / of.operations, lines });
    }
  }
  return out;
}
