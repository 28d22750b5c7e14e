/**
 * How many cache lines move between processors for one lookup? Real lookups of the instrumented shipping core are recorded access by
 * access, each thread with its own slot and scratch area, and simulated by cache-model.ts, for 2 to 128 threads, in rcu mode and with
 * ref mode forced.
 *
 *   npm run verify -- coherence [--seed N] [--plot docs/coherence.svg] [--doc docs/coherence.md]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { AT_FDCWD, COUNTERS, O_CREAT } from "../../../threadfs/dist/abi/abi.js";
import { attach, type CallName, type Core, createMemory, shippingCore, type Thread } from "../binary/core.js";
import { defineCheck, type Failure, type Outcome } from "../support/check.js";
import { defined } from "../support/defined.js";
import { accessHooks } from "./access-hooks.js";
import { LineTable, simulate, type Trace } from "./cache-model.js";
import { lineChart, type Series } from "./line-chart.js";
import { lookupLines, lookupLinesMarkdown, MOST_USED, sumOf } from "./lookup-lines.js";
import { WRITER_SHAPES, type WriterFigure, writerFigures } from "./writers.js";

const title = "cache lines that move for a lookup";

const THREADS = [2, 4, 8, 16, 32, 64, 128];
/** Lookups counted for each figure. */
const LOOKUPS = 8000;
/** 128 scratch areas are 16 MiB. */
const MAX_BYTES = 64 << 20;

/** A load: all threads look up a file again and again. */
interface Shape {
  /** The file of each thread. */
  file(thread: number): string;
  /** The last thread does this instead of lookups. */
  writer?(work: Workload, n: number): Trace[];
  /** The writer writes to lines that no walk reads. */
  apart?: boolean;
}
const SHAPES: Record<string, Shape> = {
  "same file": { file: () => pathOf(0) },
  "separate files": { file: pathOf },
  "same file, one thread changes its mode": {
    file: () => pathOf(0),
    writer: (work, n) => work.changes(n, pathOf(0)),
  },
  "same file, one thread opens its own": {
    file: () => pathOf(0),
    writer: (work, n) => work.opens(n, pathOf(n)),
    apart: true,
  },
};

/** A path of 8 components, of which the upper three are the same for all. */
function pathOf(n: number): string {
  return `/workspace/project/packages/package-${n}/node_modules/dep-${n}/lib/file-${n}.js`;
}

function makeFile(thread: Thread, path: string): void {
  const call = (name: CallName, length: number, ...args: number[]) => thread.call(name, 0, AT_FDCWD, length, ...args);
  const parts = path.split("/").slice(1);
  for (let i = 1; i < parts.length; i++) {
    const made = call("sysMkdir", thread.path(`/${parts.slice(0, i).join("/")}`), 0o755);
    if (made < 0 && made !== -17) throw new Error(`coherence: mkdir returned ${made}`);
  }
  const fd = call("sysOpen", thread.path(path), O_CREAT | 2, 0o644);
  if (fd < 0 || thread.call("sysClose", 0, fd) < 0) throw new Error(`coherence: open returned ${fd}`);
}

/** A recorded call: its accesses, its result, and by how much each counter has grown. */
interface Recorded {
  trace: Trace;
  value: number;
  grown: Record<string, number>;
}

/** A tree with a file for each thread, and as many threads. */
export class Workload {
  readonly lines = new LineTable();
  readonly #threads: Thread[] = [];
  /** The accesses of the call that is recorded. */
  #recording: number[] | undefined;

  constructor(core: Core, threads: number) {
    const memory = createMemory({ maxBytes: MAX_BYTES, threads: 0 });
    const hooks = accessHooks(core, (address, size, write) => {
      if (this.#recording !== undefined) this.lines.push(this.#recording, address, size, write);
    });
    for (let n = 0; n < threads; n++) {
      const thread = attach(memory, core, hooks, n === 0 ? { init: { seed: 1 } } : {});
      this.#threads.push(thread);
    }
    for (let n = 0; n < threads; n++) makeFile(this.#thread(0), pathOf(n));
    // The memory has grown since the first ones attached.
    for (const thread of this.#threads) thread.refresh();
  }

  #thread(n: number): Thread {
    return defined(this.#threads[n], `thread ${n}`);
  }

  /** Makes one call of a thread and records it. */
  #record(n: number, name: CallName, path: string, ...args: number[]): Recorded {
    const thread = this.#thread(n);
    return this.#recordCall(thread, name, 0, AT_FDCWD, thread.path(path), ...args);
  }

  #recordCall(thread: Thread, name: CallName, ...args: number[]): Recorded {
    const before = this.#counters(thread);
    const recording: number[] = [];
    this.#recording = recording;
    const value = thread.call(name, ...args);
    const trace = Uint32Array.from(recording);
    this.#recording = undefined;
    const after = this.#counters(thread);
    const grown = Object.fromEntries(COUNTERS.map((counter, i) => [counter, (after[i] ?? 0) - (before[i] ?? 0)]));
    return { trace, value, grown };
  }

  #counters(thread: Thread): number[] {
    const at = thread.slotAddress / 4 + 32;
    return COUNTERS.map((_, i) => thread.words[at + 2 * i] ?? 0);
  }

  /**
   * Records one stat of each thread.
   * @param ref ref mode forced
   * @returns a trace for each thread
   * @throws Error when a lookup did not end in this mode
   */
  lookups(pathFor: (thread: number) => string, ref: boolean): Uint32Array[] {
    return this.#threads.map((thread, n) => {
      thread.call("walkMode", ref ? 1 : 0);
      // Once before, as the first lookup of a thread does more than the later ones.
      this.#record(n, "sysStat", pathFor(n), 0);
      const { trace, value, grown } = this.#record(n, "sysStat", pathFor(n), 0);
      thread.call("walkMode", 0);
      const ended = ref ? grown.endedRef === 1 && grown.endedRcu === 0 : grown.endedRcu === 1 && grown.endedRef === 0;
      if (value !== 0 || !ended) throw new Error(`coherence: the lookup returned ${value}: ${JSON.stringify(grown)}`);
      return trace;
    });
  }

  /** Two changes of mode of a path by one thread, which leave it as it was. */
  changes(n: number, path: string): Trace[] {
    return [0o600, 0o644].map((mode) => {
      const { trace, value } = this.#record(n, "sysChmod", path, mode, 0);
      if (value !== 0) throw new Error(`coherence: chmod returned ${value}`);
      return trace;
    });
  }

  /** An open and a close of a path by one thread. */
  opens(n: number, path: string): Trace[] {
    const open = () => this.#record(n, "sysOpen", path, 0, 0);
    const close = (fd: number) => this.#recordCall(this.#thread(n), "sysClose", 0, fd);
    close(open().value);
    const opened = open();
    const closed = close(opened.value);
    if (opened.value < 0 || closed.value !== 0) throw new Error(`coherence: open returned ${opened.value}`);
    return [opened.trace, closed.trace];
  }
}

type Mode = "rcu" | "ref";
const MODES: Mode[] = ["rcu", "ref"];

/** One figure. */
export interface Figure {
  shape: string;
  mode: Mode;
  threads: number;
  accesses: number;
  writes: number;
  /** Per lookup, and the standard error of that mean. */
  transfers: number;
  error: number;
  /** Address of the line that moves most, and its transfers. */
  busiest: number;
  hottest: number;
}

/** All figures. */
export function figures(
  core: Core,
  { seed, threads = THREADS, lookups = LOOKUPS }: { seed: number; threads?: number[]; lookups?: number },
): Figure[] {
  const workload = new Workload(core, Math.max(...threads));
  const out: Figure[] = [];
  for (const [shape, { file, writer }] of Object.entries(SHAPES)) {
    for (const mode of MODES) {
      const traces = workload.lookups(file, mode === "ref").map((trace) => [trace]);
      for (const n of threads) {
        const playing = traces.slice(0, n);
        // The last of them is the writer.
        if (writer) playing[n - 1] = writer(workload, n - 1);
        const counted = writer ? n - 1 : n;
        const options = { seed, operations: lookups, counted };
        const { transfers, error, hottest, busiest } = simulate(playing, workload.lines.addresses.length, options);
        const lookup = defined(playing[0]?.[0], "trace of a lookup");
        const writes = lookup.filter((access) => access & 1).length;
        const address = workload.lines.addresses[busiest] ?? 0;
        out.push({
          shape,
          mode,
          threads: n,
          accesses: lookup.length,
          writes,
          transfers,
          error,
          hottest,
          busiest: address,
        });
      }
    }
  }
  return out;
}

const round = (n: number): string => (n === 0 ? "0" : n.toFixed(1));

/** The figures as a table of markdown. */
function table(rows: Figure[]): string {
  const columns = [...new Set(rows.map(({ threads }) => threads))];
  const figure = (shape: string, mode: Mode, threads: number): Figure =>
    defined(
      rows.find((r) => r.shape === shape && r.mode === mode && r.threads === threads),
      "figure",
    );
  const cell = (shape: string, mode: Mode, field: "transfers" | "hottest") =>
    columns.map((n) => round(figure(shape, mode, n)[field]));
  const lines = [
    `| cache lines moved per lookup | ${columns.join(" | ")} threads |`,
    `| --- |${" ---: |".repeat(columns.length)}`,
  ];
  for (const shape of Object.keys(SHAPES)) {
    for (const mode of MODES) lines.push(`| ${shape}, ${mode} mode | ${cell(shape, mode, "transfers").join(" | ")} |`);
    lines.push(`| of them the busiest line | ${cell(shape, "ref", "hottest").join(" | ")} |`);
  }
  return lines.join("\n");
}

/** Puts a table between the two marks of a document that have its name. */
function putTable(file: string, name: string, text: string): void {
  const before = readFileSync(file, "utf8");
  const place = new RegExp(`(<!-- ${name} -->)[\\s\\S]*?(<!-- end of ${name} -->)`);
  if (!place.test(before)) throw new Error(`coherence: ${file} has no place for the ${name}`);
  writeFileSync(file, before.replace(place, `$1\n\n${text}\n\n$2`));
}

function plot(rows: Figure[]): string {
  const series: Series[] = [];
  for (const mode of MODES.toReversed()) {
    for (const [shape, { writer }] of Object.entries(SHAPES)) {
      // In ref mode the readers disturb each other far more than the writer does: its lines would lie on the others.
      if (mode === "ref" && writer) continue;
      const points = rows
        .filter((r) => r.mode === mode && r.shape === shape)
        .map((r): [number, number] => [r.threads, r.transfers]);
      series.push({
        name: `${mode} mode, ${shape}: ${round(points.at(-1)?.[1] ?? 0)}`,
        points,
        dashed: shape !== "same file",
      });
    }
  }
  return lineChart({
    title: "Cache lines moved between processors per stat() of a path of 8 components",
    x: "threads, each on a processor of its own",
    y: "lines moved per lookup",
    series,
  });
}

function writerPlot(rows: WriterFigure[]): string {
  const series = Object.keys(WRITER_SHAPES).map((shape): Series => {
    const of = rows.filter((row) => row.shape === shape);
    const points = of.map(({ threads, transfers }): [number, number] => [threads, transfers]);
    return { name: `${shape}: ${round(points.at(-1)?.[1] ?? 0)}`, points };
  });
  return lineChart({
    title: "Cache lines moved between processors per change",
    x: "threads, each on a processor of its own",
    y: "lines moved per change",
    series,
  });
}

/** Files of the trees whose lookups are counted. In the short form no directory's line leaves the cache. */
const SHORT_FILES = [1000];
const LONG_FILES = [10_000, 100_000];
/** In a tree of so many files the directories have room in the prefix cache, and the bounds of lines hold. */
const PREFIXES_FIT = 10_000;

const SHORT_WRITERS = { threads: [2, 8], operations: 500 };
const LONG_WRITERS = { threads: [2, 4, 8, 16, 32, 64], operations: 4000 };

/** How many of the lines that move most are named in the table. */
const NAMED = 4;

/** The figures of writers as a table of markdown, with the lines that move most between two threads. */
function writerTable(rows: WriterFigure[]): string {
  const columns = [...new Set(rows.map(({ threads }) => threads))];
  const lines = [
    `| cache lines moved per change | ${columns.join(" | ")} threads | most of them, of 2 threads |`,
    `| --- |${" ---: |".repeat(columns.length)} --- |`,
  ];
  for (const shape of Object.keys(WRITER_SHAPES)) {
    const of = rows.filter((row) => row.shape === shape);
    const most = (of[0]?.lines ?? []).slice(0, NAMED).map(({ name, moved }) => `${name} ${moved.toFixed(1)}`);
    lines.push(
      `| ${shape} | ${of.map(({ transfers }) => round(transfers)).join(" | ")} | ${most.join("; ") || "none"} |`,
    );
  }
  return lines.join("\n");
}

export interface CoherenceOptions {
  seed: number;
  short?: boolean;
  log?: (line: string) => void;
  /** The file to write the plot to, and the document to write the table into. */
  plot?: string | undefined;
  doc?: string | undefined;
}

export async function run({
  seed,
  short = false,
  log = () => undefined,
  plot: plotFile,
  doc,
}: CoherenceOptions): Promise<Outcome> {
  const core = shippingCore({ accesses: true });
  const rows = figures(core, {
    seed,
    ...(short ? { threads: [2, 8, 32], lookups: 1000 } : {}),
  });
  const failures: Failure[] = [];
  const explored: Record<string, string> = {};
  for (const { shape, mode, threads, accesses, writes, transfers, error, busiest } of rows) {
    explored[`${shape}, ${mode} mode, ${threads} threads`] =
      `${round(transfers)} ± ${round(error)} lines moved (${accesses} accesses, ${writes} of them writes)`;
    const { writer, apart = false } = defined(SHAPES[shape], shape);
    const disturbed = writer !== undefined && !apart;
    if (mode === "rcu" && transfers !== 0 && !disturbed) {
      failures.push({
        message: `${shape}, ${threads} threads: rcu mode moves lines, most that at ${busiest}`,
        replay: `--seed ${seed}`,
      });
    }
    if ((mode === "ref" || disturbed) && transfers === 0)
      failures.push({ message: `${shape}, ${mode} mode: no line moves, the check is broken` });
  }
  if (plotFile !== undefined) writeFileSync(plotFile, plot(rows));
  if (doc !== undefined) putTable(doc, "figures", table(rows));
  log(table(rows));
  const writers = writerFigures(core, { seed, ...(short ? SHORT_WRITERS : LONG_WRITERS) });
  for (const { shape, threads, transfers, error, lines } of writers) {
    explored[`${shape}, ${threads} threads`] = `${round(transfers)} ± ${round(error)} lines moved for a change`;
    const { most: bound } = defined(WRITER_SHAPES[shape], shape);
    const most = lines[0] === undefined ? "" : `, most that of ${lines[0].name}`;
    const may = bound === 0 ? 0 : (bound[threads] ?? Number.POSITIVE_INFINITY);
    if (transfers > may) {
      failures.push({
        message: `${shape}, ${threads} threads: ${round(transfers)} lines move, and ${may} may${most}`,
        replay: `--seed ${seed}`,
      });
    }
    if (may !== 0 && transfers === 0) failures.push({ message: `${shape}: no line moves, the check is broken` });
  }
  if (plotFile !== undefined) writeFileSync(plotFile.replace(/(?=\.svg$)/, "-writers"), writerPlot(writers));
  if (doc !== undefined) putTable(doc, "writers", writerTable(writers));
  log(writerTable(writers));
  const lookups = lookupLines(core, { seed, files: short ? SHORT_FILES : LONG_FILES });
  for (const row of lookups) {
    const [used, most] = [sumOf(row.used), MOST_USED[row.call] ?? 0];
    explored[`${row.call} of ${row.files} files`] =
      `${used.toFixed(1)} lines, ${sumOf(row.missed).toFixed(1)} of them not in the cache`;
    if (row.files <= PREFIXES_FIT && used > most) {
      failures.push({ message: `${row.call} of ${row.files} files uses ${used.toFixed(1)} lines, and ${most} may` });
    }
  }
  if (doc !== undefined) putTable(doc, "lookups", lookupLinesMarkdown(lookups));
  log(lookupLinesMarkdown(lookups));
  return { ok: failures.length === 0, explored, failures };
}

export const check = defineCheck({ title, options: { plot: { type: "string" }, doc: { type: "string" } }, run });
