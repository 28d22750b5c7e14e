/**
 * The job's result: its shape as JSON, and the text that the command prints.
 */
import type { LoadReport } from "../load/load.js";
import type { CounterValues } from "../support/counters.js";
import { outputWidth, tableText } from "../support/text-table.js";
import type { WrongAnswer } from "./lookup.js";
import type { MutatorReport } from "./mutator.js";

/** One way of looking up, measured. Rates are lookups a second. */
export interface Row {
  name: string;
  /** Why there are no figures. */
  absent?: string;
  lookups?: number;
  perThread?: number[];
  all?: number;
  /** Lookups a second, as a multiple of those through node:fs. */
  timesNode?: number;
  /** Share of walks that ended in rcu mode. */
  rcuShare?: number;
  /** Share of lookups for which another file system had a different answer. */
  differing?: number;
}

export interface JobResult {
  directory: string;
  settings: {
    seconds: number;
    threads: number;
    seed: number;
    contentLimit: number;
    contentTotal: number;
    maxEntries: number;
    node: string;
  };
  load: Omit<LoadReport, "loaded" | "shared"> & { entries: number; seconds: number; threads: number };
  /** Bytes of shared memory, counted in chunks of 64 KiB. */
  memory: {
    bytes: number;
    /** Before anything was loaded. */
    emptyBytes: number;
    /** With all names, before contents. */
    namedBytes: number;
    contentBytes: number;
    nameBytes: number;
    /** All memory less the bytes of contents, by entries. */
    perEntry: number;
    /** The memory that the names added, by entries. */
    perName: number;
  };
  questions: { existing: number; all: number; tangled: number };
  churn: MutatorReport & { things: number };
  rows: Row[];
  /** The events counted in the threads that looked up beside the mutator. Those of the mutator are in `churn`. */
  counters: CounterValues;
  check: {
    checked: number;
    /** Lookups on whose path things may move, but stood still: one right answer. */
    still: number;
    /** Lookups during which a thing on their path moved: the answer of each state passed was right. */
    loose: number;
    wrong: number;
    planted?: string;
    examples: (Omit<WrongAnswer, "things"> & { things: { what: string; before: number; after: number }[] })[];
  };
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const number = (value: number): string => whole.format(value);
const binaryBytes = (bytes: number): string =>
  bytes < 1048576 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
const percent = (share: number): string => `${(share * 100).toFixed(share > 0.999 && share < 1 ? 4 : 2)}%`;

export function printJob(result: JobResult): void {
  const text = [loadText(result), rowsText(result), mutatorText(result), countersText(result), checkText(result)];
  process.stdout.write(`${text.join("\n\n")}\n`);
}

function loadText({ directory, load, memory, settings }: JobResult): string {
  const lines = [
    `${directory}`,
    `  loaded by ${load.threads} threads in ${load.seconds.toFixed(2)} s: ${number(load.entries)} entries ` +
      `(${number(load.directories)} directories, ${number(load.files)} files, ${number(load.links)} links), ` +
      `contents ${binaryBytes(load.contentBytes)}`,
  ];
  const { contentLimit, contentTotal, maxEntries } = settings;
  const limits = `${binaryBytes(contentLimit)} a file, ${binaryBytes(contentTotal)} in all`;
  if (load.sparse > 0) lines.push(`  ${number(load.sparse)} files by their size only (contents: ${limits})`);
  if (load.special > 0) lines.push(`  ${number(load.special)} FIFOs, sockets and devices skipped`);
  if (load.vanished > 0) lines.push(`  ${number(load.vanished)} names were removed while they were loaded`);
  if (load.left > 0) lines.push(`  ${number(load.left)} entries left out: the limit is ${number(maxEntries)}`);
  if (load.unreadable > 0) lines.push(`  ${number(load.unreadable)} could not be read:`);
  for (const example of load.unreadableExamples) lines.push(`    ${example}`);
  lines.push(
    `  memory ${binaryBytes(memory.bytes)}, once for all threads (an empty tree: ${binaryBytes(memory.emptyBytes)})`,
    `  an entry takes ${number(memory.perName)} bytes, its name of ${number(memory.nameBytes / Math.max(1, load.entries))} among ` +
      `them; with its share of the empty tree and the ends of pages that contents leave free, ${number(memory.perEntry)}`,
  );
  return lines.join("\n");
}

function rowsText({ rows, questions, settings }: JobResult): string {
  const cells = rows.map(({ name, absent = "", all, perThread, timesNode, rcuShare }) => {
    if (all === undefined || perThread === undefined) return [name, absent];
    const each = perThread.map(number).join(" ");
    return [name, number(all), each, timesNode?.toFixed(1) ?? "", rcuShare === undefined ? "" : percent(rcuShare)];
  });
  const table = tableText(
    {
      head: ["looked up by", "a second, all", "a second, each thread", "times node:fs", "ended in rcu mode"],
      align: ["left", "right", "right", "right", "right"],
      rows: cells,
    },
    outputWidth(process.stdout),
  );
  const differing = rows
    .filter((row) => row.differing)
    .map(
      (row) =>
        `\n${row.name}: ${percent(row.differing as number)} of the answers differ from those of threadfs (links that lead out, special files)`,
    );
  return (
    `${number(questions.existing)} paths that exist and as many that do not, ${settings.threads} threads, ` +
    `Node ${settings.node}; statSync, existsSync\n\n${table}${differing.join("")}`
  );
}

function mutatorText({ churn }: JobResult): string {
  const { moves } = churn;
  return (
    `The mutator moved ${number(churn.things)} things in ${churn.seconds.toFixed(1)} s: ` +
    `${number(moves.rename)} renames of directories, ${number(moves.file)} makings, growings and removals and ` +
    `${number(moves.replace)} replacements of files, ${number(moves.link)} of links, ` +
    `${number(moves.tmpfs)} mounts and unmounts of a tmpfs and ${number(moves.bind)} of a directory` +
    (churn.busy > 0 ? ` (${number(churn.busy)} found busy and tried again)` : "")
  );
}

const DROPS: [counter: string, what: string][] = [
  ["dropUncached", "left rcu mode: not cached"],
  ["dropPermission", "left rcu mode: permission"],
  ["dropRevalidate", "left rcu mode: revalidate"],
  ["dropLink", "left rcu mode: link"],
  ["dropRevalDot", "left rcu mode: revalidate at the end"],
  ["dropCreate", "left rcu mode: create"],
  ["dropFailed", "  of these, had to start again"],
];

const EVENTS: [counter: string, what: string][] = [
  ["echildRestarts", "walks started again in ref mode (ECHILD)"],
  ["estaleRestarts", "walks started again with revalidation (ESTALE)"],
  ["seqRetries", "sequences read again"],
  ["gracePeriods", "grace periods"],
  ["expelledReaders", "readers expelled"],
  ["lockWaits", "waits for a lock"],
];

function countersText({ counters, churn }: JobResult): string {
  const rows: string[][] = [];
  const walks = Math.max(1, counters.walks ?? 0);
  const line = (what: string, name: string): void => {
    const times = counters[name] ?? 0;
    rows.push([what, number(times), percent(times / walks), number(churn.counters[name] ?? 0)]);
  };
  line("walks", "walks");
  line("ended in rcu mode", "endedRcu");
  line("ended in ref mode", "endedRef");
  for (const [name, what] of DROPS) line(what, name);
  for (const [name, what] of EVENTS) line(what, name);
  const head = ["beside the mutator", "lookups", "of their walks", "the mutator itself"];
  return tableText({ head, align: ["left", "right", "right", "right"], rows }, outputWidth(process.stdout));
}

function checkText({ check }: JobResult): string {
  const lines = [
    `${number(check.checked)} answers checked: ${number(check.wrong)} wrong. On the path of ${number(check.still)} ` +
      `things move but stood still, on the path of ${number(check.loose)} a thing moved during the lookup.`,
  ];
  if (check.planted !== undefined) lines.push(`self-test: a wrong answer was planted at ${check.planted}`);
  if (check.planted !== undefined && check.wrong === 0) lines.push("self-test FAILED: the check did not find it");
  for (const wrong of check.examples) {
    lines.push(`WRONG: ${wrong.call}("${wrong.path}")`, `  answered: ${wrong.answered}`);
    lines.push(`  allowed:  ${wrong.allowed.join(" | ")}`);
    for (const { what, before, after } of wrong.things)
      lines.push(`  ${what}: version ${before} before, ${after} after`);
  }
  return lines.join("\n");
}
