/**
 * How many cache lines move between processors for one lookup? Real lookups of the instrumented shipping core are recorded access by access,
 * each thread with its own slot and scratch area, and played against the model of lib/coherence.js, for 2 to 128 threads, in rcu mode and
 * with ref mode forced.
 *
 *   npm run verify -- coherence [--seed N] [--plot docs/coherence.svg] [--doc docs/coherence.md]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { AT_FDCWD, COUNTERS } from "../../../threadfs/dist/abi/abi.js";
import { attach, createMemory, shippingCore } from "../binary/core.js";
import { defineCheck } from "../support/check.js";
import { LineTable, simulate } from "./cache-model.js";
import { lineChart } from "./line-chart.js";

export const title = "cache lines that move for a lookup";

const THREADS = [2, 4, 8, 16, 32, 64, 128];
/** Lookups counted for each figure. */
const LOOKUPS = 8000;
/** 128 scratch areas are 16 MiB. */
const MAX_BYTES = 64 << 20;
const O_CREAT = 64;

/** What all threads ask for over and over: the file of each. `writer`: what the last thread does instead; `apart`: on lines that no walk reads. */
const SHAPES = {
  "same file": { file: () => pathOf(0) },
  "separate files": { file: (thread) => pathOf(thread) },
  "same file, one thread changes its mode": { file: () => pathOf(0), writer: (work, n) => work.changes(n, pathOf(0)) },
  "same file, one thread opens its own": {
    file: () => pathOf(0),
    writer: (work, n) => work.opens(n, pathOf(n)),
    apart: true,
  },
};

/** A path of 8 components, of which the upper three are the same for all. */
function pathOf(n) {
  return `/workspace/project/packages/package-${n}/node_modules/dep-${n}/lib/file-${n}.js`;
}

function makeFile(thread, path) {
  const call = (name, length, ...args) => thread.call(name, 0, AT_FDCWD, length, ...args);
  const parts = path.split("/").slice(1);
  for (let i = 1; i < parts.length; i++) {
    const made = call("sysMkdir", thread.path(`/${parts.slice(0, i).join("/")}`), 0o755);
    if (made < 0 && made !== -17) throw new Error(`coherence: mkdir answered ${made}`);
  }
  const fd = call("sysOpen", thread.path(path), O_CREAT | 2, 0o644);
  if (fd < 0 || thread.call("sysClose", 0, fd) < 0) throw new Error(`coherence: open answered ${fd}`);
}

/** A tree with a file for each thread, and as many threads. */
export class Workload {
  lines = new LineTable();
  #core;
  #threads = [];
  #recording = undefined;

  /** @param {import("../binary/core.js").Core} core @param {number} threads */
  constructor(core, threads) {
    this.#core = core;
    const memory = createMemory({ maxBytes: MAX_BYTES, threads: 0 });
    for (let n = 0; n < threads; n++) {
      const thread = attach(memory, core, this.#hooks(), n === 0 ? { init: { seed: 1 } } : {});
      this.#threads.push(thread);
    }
    for (let n = 0; n < threads; n++) makeFile(this.#threads[0], pathOf(n));
    // The memory has grown since the first ones attached.
    for (const thread of this.#threads) thread.refresh();
  }

  #hooks() {
    const see = (address, size, write) => {
      if (this.#recording !== undefined) this.lines.push(this.#recording, address, size, write);
    };
    return {
      access: (site, address) => {
        const { kind, size } = this.#core.sites[site];
        if (kind !== "size" && kind !== "grow") see(address, size, kind !== "load");
      },
      store: (site, address) => see(address, this.#core.sites[site].size, true),
      range: (site, to, from, length) => {
        if (length === 0) return;
        if (this.#core.sites[site].kind === "copy") see(from, length, false);
        see(to, length, true);
      },
    };
  }

  /** One call of a thread, recorded. @returns {{ trace: Uint32Array, value: number, grown: Record<string, number> }} */
  #record(n, name, path, ...args) {
    const thread = this.#threads[n];
    return this.#recordCall(thread, name, 0, AT_FDCWD, thread.path(path), ...args);
  }

  #recordCall(thread, name, ...args) {
    const before = this.#counters(thread);
    this.#recording = [];
    const value = thread.call(name, ...args);
    const trace = Uint32Array.from(this.#recording);
    this.#recording = undefined;
    const grown = Object.fromEntries(COUNTERS.map((counter, i) => [counter, this.#counters(thread)[i] - before[i]]));
    return { trace, value, grown };
  }

  #counters(thread) {
    const at = thread.slotAddress / 4 + 32;
    return COUNTERS.map((_, i) => thread.words[at + 2 * i]);
  }

  /**
   * Records one stat of each thread.
   * @param {(thread: number) => string} pathFor
   * @param {boolean} ref ref mode forced
   * @returns {Uint32Array[]} a trace for each thread
   * @throws Error when a lookup did not end in the mode that was asked for
   */
  lookups(pathFor, ref) {
    return this.#threads.map((thread, n) => {
      thread.call("walkMode", ref ? 1 : 0);
      // Once before, so that what the first lookup of a thread does alone is not taken for what every one does.
      this.#record(n, "sysStat", pathFor(n), 0);
      const { trace, value, grown } = this.#record(n, "sysStat", pathFor(n), 0);
      thread.call("walkMode", 0);
      const ended = ref ? grown.endedRef === 1 && grown.endedRcu === 0 : grown.endedRcu === 1 && grown.endedRef === 0;
      if (value !== 0 || !ended) throw new Error(`coherence: the lookup answered ${value}: ${JSON.stringify(grown)}`);
      return trace;
    });
  }

  /** Two changes of mode of a path by one thread, which leave it as it was. */
  changes(n, path) {
    return [0o600, 0o644].map((mode) => {
      const { trace, value } = this.#record(n, "sysChmod", path, mode, 0);
      if (value !== 0) throw new Error(`coherence: chmod answered ${value}`);
      return trace;
    });
  }

  /** An open and a close of a path by one thread. */
  opens(n, path) {
    const open = () => this.#record(n, "sysOpen", path, 0, 0);
    const close = (fd) => this.#recordCall(this.#threads[n], "sysClose", 0, fd);
    close(open().value);
    const opened = open();
    const closed = close(opened.value);
    if (opened.value < 0 || closed.value !== 0) throw new Error(`coherence: open answered ${opened.value}`);
    return [opened.trace, closed.trace];
  }
}

/**
 * All figures.
 * @param {import("../binary/core.js").Core} core
 * @param {{ seed: number, threads?: number[], lookups?: number }} options
 * @returns {{ shape: string, mode: "rcu" | "ref", threads: number, accesses: number, writes: number, transfers: number, error: number, hottest: number, busiest: number }[]}
 *   `error`: standard error of `transfers`; `busiest`: address of the line that moves most
 */
export function figures(core, { seed, threads = THREADS, lookups = LOOKUPS }) {
  const workload = new Workload(core, Math.max(...threads));
  const out = [];
  for (const [shape, { file, writer }] of Object.entries(SHAPES)) {
    for (const mode of ["rcu", "ref"]) {
      const traces = workload.lookups(file, mode === "ref").map((trace) => [trace]);
      for (const n of threads) {
        const playing = traces.slice(0, n);
        // The last of them is the writer.
        if (writer) playing[n - 1] = writer(workload, n - 1);
        const counted = writer ? n - 1 : n;
        const options = { seed, operations: lookups, counted };
        const { transfers, error, hottest, busiest } = simulate(playing, workload.lines.addresses.length, options);
        const [lookup] = playing[0];
        const writes = lookup.filter((access) => access & 1).length;
        const address = workload.lines.addresses[busiest];
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

const round = (n) => (n === 0 ? "0" : n.toFixed(1));

/** The figures as a table of markdown. */
function table(rows) {
  const columns = [...new Set(rows.map(({ threads }) => threads))];
  const cell = (shape, mode, field) =>
    columns.map((n) => round(rows.find((r) => r.shape === shape && r.mode === mode && r.threads === n)[field]));
  const lines = [
    `| cache lines moved per lookup | ${columns.join(" | ")} threads |`,
    `| --- |${" ---: |".repeat(columns.length)}`,
  ];
  for (const shape of Object.keys(SHAPES)) {
    for (const mode of ["rcu", "ref"])
      lines.push(`| ${shape}, ${mode} mode | ${cell(shape, mode, "transfers").join(" | ")} |`);
    lines.push(`| of them the busiest line | ${cell(shape, "ref", "hottest").join(" | ")} |`);
  }
  return lines.join("\n");
}

/** Puts the table between the two marks of a document. */
function putTable(file, text) {
  const before = readFileSync(file, "utf8");
  const after = before.replace(/(<!-- figures -->)[\s\S]*?(<!-- end of figures -->)/, `$1\n\n${text}\n\n$2`);
  if (!before.includes("<!-- figures -->")) throw new Error(`coherence: ${file} has no place for the figures`);
  writeFileSync(file, after);
}

function plot(rows) {
  const series = [];
  for (const mode of ["ref", "rcu"]) {
    for (const shape of Object.keys(SHAPES)) {
      // In ref mode the readers disturb each other far more than the writer does: its lines would lie on the others.
      if (mode === "ref" && SHAPES[shape].writer) continue;
      const points = rows.filter((r) => r.mode === mode && r.shape === shape).map((r) => [r.threads, r.transfers]);
      series.push({
        name: `${mode} mode, ${shape}: ${round(points.at(-1)[1])}`,
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

/** Options of the command line beside those of every check. */
const options = { plot: { type: "string" }, doc: { type: "string" } };

/**
 * @param {{ seed: number, short?: boolean, log?: (line: string) => void, plot?: string, doc?: string }} options `plot`, `doc`: files to
 *   write the plot to and the table into
 * @returns {Promise<import("../support/check.js").Outcome>}
 */
export async function run({ seed, short = false, log = () => undefined, plot: plotFile, doc }) {
  const rows = figures(shippingCore({ accesses: true }), {
    seed,
    ...(short ? { threads: [2, 8, 32], lookups: 1000 } : {}),
  });
  const failures = [];
  const explored = {};
  for (const { shape, mode, threads, accesses, writes, transfers, error, busiest } of rows) {
    explored[`${shape}, ${mode} mode, ${threads} threads`] =
      `${round(transfers)} ± ${round(error)} lines moved (${accesses} accesses, ${writes} of them writes)`;
    const disturbed = SHAPES[shape].writer !== undefined && !SHAPES[shape].apart;
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
  if (doc !== undefined) putTable(doc, table(rows));
  log(table(rows));
  return { ok: failures.length === 0, explored, failures };
}

export const check = defineCheck({ title, options, run });
