/**
 * A reporter for Node's test runner: one line for each file when it ends, each failed test with its error, and the runner's closing lines.
 * All tests by name: `npm test -- --test-reporter=spec`.
 */
import { relative, resolve } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";

/** How many files there will be: run-tests.ts knows it. */
export const FILE_COUNT = "TEST_FILE_COUNT";

const PACKAGES = fileURLToPath(new URL("../../../", import.meta.url));

/** "threadfs/walk/drop" for the compiled file of packages/threadfs/test/walk/drop.test.ts. */
export function shortName(file: string): string {
  return relative(PACKAGES, file)
    .replace(/^(\w+)\/(?:build|test)\//, "$1/")
    .replace(/\.test\.[cm]?[jt]s$/, "");
}

/** What became of a file's tests. */
interface FileTotals {
  passed: number;
  failed: number;
  skipped: number;
}

/** The parts of an event that this reporter reads; Node's types differ from version to version. */
interface EventData {
  name?: string;
  nesting?: number;
  file?: string;
  /** The file that the runner started; newer versions of Node.js say it. */
  entryFile?: string;
  line?: number;
  testNumber?: number;
  skip?: string | boolean;
  message?: string;
  details?: { duration_ms?: number; type?: string; error?: { cause?: unknown; failureType?: string } };
}

const count = (n: number, what: string): string => (n === 0 ? "" : `, ${n} ${what}`);

/** The line of a file that has ended. */
function fileLine(done: number, of: string, name: string, totals: FileTotals, ms: number): string {
  const { passed, failed, skipped } = totals;
  const mark = failed === 0 ? "✔" : "✖";
  const seconds = (ms / 1000).toFixed(1);
  return `${mark} ${String(done).padStart(of.length)}/${of} ${name}: ${passed} passed${count(failed, "failed")}${count(skipped, "skipped")}, ${seconds} s\n`;
}

/** Where a test stands. The line is that of the compiled file. */
function titleLine(data: EventData, names: readonly string[]): string {
  const place = data.file === undefined ? "" : ` (${shortName(data.file)}:${data.line ?? "?"})`;
  return `✖ ${names.join(" › ")}${place}\n`;
}

/** The error of a failed test. The cause of a file's failure is a mere text, and the error then has its signal or exit code. */
function errorText(data: EventData): string {
  const error = data.details?.error;
  const shown = typeof error?.cause === "object" && error.cause !== null ? error.cause : error;
  return `${inspect(shown, { depth: 5 }).replace(/^/gm, "    ")}\n`;
}

/**
 * Counts the tests of the files. An event's `file` is where the test is written, which may be a helper. A runner that does not name the
 * file it started reports the tests file by file, in the order of the files, and keeps back those of a file that runs beside an earlier
 * one. Then the files are told apart by the numbers of their outermost tests, which begin at 1 in each.
 */
class Files {
  readonly #of = process.env[FILE_COUNT] ?? "?";
  /** The files that have no line yet. */
  readonly #files: string[] = [];
  readonly #durations = new Map<string, number>();
  readonly #totals = new Map<string, FileTotals>();
  /** Tests within a suite whose file is known when the suite itself ends. */
  #inSuite: (keyof FileTotals)[] = [];
  /** The number of the last outermost test; 0: none of the first file yet. */
  #last = 0;
  #done = 0;

  start(file: string): void {
    this.#files.push(file);
    this.#totals.set(file, { passed: 0, failed: 0, skipped: 0 });
  }

  /** Counts a test, or a suite without an outcome; returns the line of the file that is complete by that. */
  count({ entryFile, nesting = 0, testNumber = 0 }: EventData, outcome?: keyof FileTotals): string {
    if (outcome !== undefined) this.#inSuite.push(outcome);
    if (entryFile === undefined && nesting > 0) return "";
    const line = entryFile === undefined && testNumber <= this.#last ? this.#complete(this.#files[0]) : "";
    if (entryFile === undefined) this.#last = testNumber;
    const totals = this.#totals.get(entryFile ?? this.#files[0] ?? "");
    for (const each of this.#inSuite) if (totals !== undefined) totals[each]++;
    this.#inSuite = [];
    return line;
  }

  /** A file has ended; returns its line if its tests have been counted. `failed`: by itself, and not by a test. */
  end(file: string, ms: number, failed: boolean): string {
    this.#durations.set(file, ms);
    const totals = this.#totals.get(file);
    if (totals === undefined) return "";
    if (failed) totals.failed++;
    const counted = this.#last > 0 ? file === this.#files[0] : totals.passed + totals.failed + totals.skipped > 0;
    return counted ? this.#complete(file) : "";
  }

  /** The lines of the files before this one, and its own: the runner reports it next to its tests. */
  reported(file: string | undefined): string {
    if (file !== undefined && !this.#files.includes(file)) return "";
    let text = "";
    while (this.#files.length > 0 && this.#files[0] !== file) text += this.#complete(this.#files[0]);
    return text + this.#complete(file);
  }

  #complete(file: string | undefined): string {
    const totals = this.#totals.get(file ?? "");
    if (file === undefined || totals === undefined || !this.#files.includes(file)) return "";
    this.#files.splice(this.#files.indexOf(file), 1);
    this.#last = 0;
    return fileLine(++this.#done, this.#of, shortName(file), totals, this.#durations.get(file) ?? 0);
  }
}

/** What became of a test that has ended; nothing for a suite. */
function outcomeOf({ details, skip }: EventData): keyof FileTotals | undefined {
  if (details?.type === "suite") return undefined;
  if (details?.error !== undefined) return details.error.failureType === "subtestsFailed" ? undefined : "failed";
  return skip === undefined ? "passed" : "skipped";
}

/** The reporter. */
export default async function* progress(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files = new Files();
  /** The files by the names by which the runner reports them. */
  const names = new Map<string, string>();
  const path: string[] = [];
  const failed: string[] = [];
  for await (const event of events) {
    const type: string = event.type;
    const data = event.data as EventData;
    const { file = "", nesting = 0, name = "", details } = data;
    const entry = nesting === 0 ? names.get(name) : undefined;
    if (type === "test:enqueue" && nesting === 0 && file === resolve(name)) {
      names.set(name, file);
      files.start(file);
    } else if (type === "test:complete") {
      yield entry === undefined
        ? files.count(data, outcomeOf(data))
        : files.end(entry, details?.duration_ms ?? 0, outcomeOf(data) === "failed");
    } else if (type === "test:start") {
      path.length = nesting;
      path.push(name);
    } else if (type === "test:pass" || type === "test:fail") {
      if (entry !== undefined) yield files.reported(entry);
      // A suite fails because of a test in it, which has been shown.
      if (type === "test:pass" || details?.error?.failureType === "subtestsFailed") continue;
      const title = titleLine(data, [...path.slice(0, nesting), name]);
      failed.push(title);
      yield title + errorText(data);
    } else if (type === "test:stdout" || type === "test:stderr") {
      yield data.message ?? "";
    } else if (type === "test:diagnostic" && nesting === 0 && file === "") {
      yield `${files.reported(undefined)}ℹ ${data.message}\n`;
    }
  }
  if (failed.length > 0) yield `\nFailed:\n${failed.join("")}`;
}
