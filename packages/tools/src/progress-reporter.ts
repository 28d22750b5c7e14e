/**
 * A reporter for Node's test runner: one line for each file when it ends, each failed test with its error, and the runner's closing lines.
 * All tests by name: `npm test -- --test-reporter=spec`.
 */
import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";

/** How many files there will be: run-tests.ts knows it. */
export const FILE_COUNT = "TEST_FILE_COUNT";

const PACKAGES = fileURLToPath(new URL("../../", import.meta.url));

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
  line?: number;
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
 * Counts the tests of the files. The runner reports them file by file, in the order of the files, and keeps back those of a file that
 * runs beside an earlier one; only the end of a file is reported at once. So a file is complete when it ends, or when another reports.
 */
class Files {
  readonly #of = process.env[FILE_COUNT] ?? "?";
  readonly #durations = new Map<string, number>();
  #file = "";
  #totals: FileTotals = { passed: 0, failed: 0, skipped: 0 };
  #done = 0;

  /** Counts a test; returns the line of the file that is complete by that. */
  count(file: string, outcome: keyof FileTotals): string {
    const line = file === this.#file ? "" : this.complete();
    this.#file = file;
    this.#totals[outcome]++;
    return line;
  }

  /** A file has ended; returns its line if its tests have been counted. */
  end(file: string, ms: number): string {
    this.#durations.set(file, ms);
    return file === this.#file ? this.complete() : "";
  }

  /** The line of the file whose tests were counted last. */
  complete(): string {
    if (this.#file === "") return "";
    const ms = this.#durations.get(this.#file) ?? 0;
    const line = fileLine(++this.#done, this.#of, shortName(this.#file), this.#totals, ms);
    this.#file = "";
    this.#totals = { passed: 0, failed: 0, skipped: 0 };
    return line;
  }
}

/** The reporter. */
export default async function* progress(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files = new Files();
  const path: string[] = [];
  const failed: string[] = [];
  for await (const event of events) {
    const type: string = event.type;
    const data = event.data as EventData;
    const { file = "", nesting = 0, name = "", details } = data;
    if (type === "test:complete" && nesting === 0 && name === file) {
      yield files.end(file, details?.duration_ms ?? 0);
    } else if (type === "test:start") {
      path.length = nesting;
      path.push(name);
    } else if (type === "test:pass" && details?.type !== "suite") {
      yield files.count(file, data.skip === undefined ? "passed" : "skipped");
    } else if (type === "test:fail" && details?.error?.failureType !== "subtestsFailed") {
      const title = titleLine(data, [...path.slice(0, nesting), name]);
      failed.push(title);
      yield files.count(file, "failed") + title + errorText(data);
    } else if (type === "test:stdout" || type === "test:stderr") {
      yield data.message ?? "";
    } else if (type === "test:diagnostic" && nesting === 0 && file === "") {
      yield `${files.complete()}ℹ ${data.message}\n`;
    }
  }
  if (failed.length > 0) yield `\nFailed:\n${failed.join("")}`;
}
