/**
 * Runs the tests of all packages: `npm test -- [--node=26] [filter ...] [--node-option ...]`. A filter is a part of a file's path from its
 * package's name on, without the folder test/ ("threadfs/conformance", "walk/drop"); one with "!" before it leaves files out. With `--node=26`
 * the tests run in the Node.js of packages/oracle, with `--node=path` in the one of that path, else in this one; other arguments that begin
 * with "--" go to node. The files are listed here and not by a glob because Node 20 has none for `--test`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { TIMEOUT_MS } from "./limits.js";
import { installOracle } from "./oracle.js";
import { FILE_COUNT } from "./test-run/progress-reporter.js";

/** The folder of the packages; each has its tests in test/, and compiled in build/. */
const PACKAGES = fileURLToPath(new URL("../../", import.meta.url));

/** The option for another Node.js. */
const NODE = "--node=";

/** Longest time from the stop signal to SIGKILL. */
const GRACE_MS = 5_000;

/** The runner's closing lines: "ℹ pass 3" or "# pass 3". */
const SUMMARY = /^(?:ℹ|#) (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+/;
const SUMMARY_LINES = 8;

/**
 * The compiled test files. They are found by their sources: a compiled file without a source, left over in build/, does not run.
 */
function testFiles(filters: string[]): string[] {
  const without = filters.filter((part) => part.startsWith("!")).map((part) => part.slice(1));
  const parts = filters.filter((part) => !part.startsWith("!"));
  const wanted = (path: string) =>
    (parts.length === 0 || parts.some((part) => path.includes(part))) && !without.some((part) => path.includes(part));
  return readdirSync(PACKAGES)
    .filter((name) => existsSync(join(PACKAGES, name, "test")))
    .flatMap((name) =>
      readdirSync(join(PACKAGES, name, "test"), { recursive: true, encoding: "utf8" })
        .filter((file) => /\.test\.[jt]s$/.test(file) && wanted([name, ...file.split(sep)].join("/")))
        .map((file) => relative(process.cwd(), join(PACKAGES, name, "build", file.replace(/\.ts$/, ".js")))),
    )
    .sort();
}

/** Forwards `stream` line by line; returns the list in which it collects the runner's closing lines. */
function forward(stream: Readable, out: Writable): string[] {
  const summary: string[] = [];
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    out.write(text);
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (SUMMARY.test(stripVTControlCharacters(line))) summary.push(line);
  });
  return summary;
}

/** Prints a line a file, unless the caller asks for another reporter. */
function reporter(nodeOptions: string[]): string[] {
  const own = nodeOptions.some((option) => option.startsWith("--test-reporter"));
  return own ? [] : [`--test-reporter=${new URL("./test-run/progress-reporter.js", import.meta.url).href}`];
}

/** Forwards signals to the runner, and kills it when it does not end. */
function forwardSignals(child: ChildProcess): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      child.kill(signal);
      setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
    });
  }
}

/** The binary that an option names. @throws Error if there is none */
function binaryOf(option: string | undefined): string {
  const oracle = installOracle();
  const named = option?.slice(NODE.length);
  if (named === undefined) return process.execPath;
  if (named === "26") return oracle;
  if (existsSync(named)) return named;
  throw new Error(`${NODE} takes 26 or the path of a binary, not ${named}`);
}

function run(binary: string, files: string[], nodeOptions: string[]): void {
  const child = spawn(
    binary,
    [
      `--import=${new URL("./test-run/watchdog.js", import.meta.url).href}`,
      "--test",
      "--test-concurrency=2",
      ...reporter(nodeOptions),
      `--test-timeout=${TIMEOUT_MS}`,
      ...nodeOptions,
      ...files,
    ],
    {
      stdio: ["inherit", "pipe", "inherit"],
      env: {
        ...process.env,
        [FILE_COUNT]: String(files.length),
        ...(process.stdout.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: "1" } : {}),
      },
    },
  );
  const summary = forward(child.stdout, process.stdout);
  forwardSignals(child);
  child.on("close", (code, signal) => {
    // After a failure the reporter closes with the failed tests: the totals are printed once more, so that they come last.
    if (code !== 0) process.stdout.write(`\n${summary.slice(-SUMMARY_LINES).join("\n")}\n`);
    process.exitCode = code ?? (signal ? 1 : 0);
  });
}

const args = process.argv.slice(2);
// A path as the shell completes it ("packages/threadfs/test/conformance/open.test.ts") is a filter too.
const filters = args
  .filter((arg) => !arg.startsWith("--"))
  .map((arg) => arg.replace(/^(!?)(?:\.\/)?packages\/(\w+)\/test\//, "$1$2/"));
const files = testFiles(filters);
if (files.length === 0) {
  console.error(`no test file matches ${filters.join(" ") || "packages/*/test/**/*.test.ts"}`);
  process.exitCode = 1;
} else {
  const isNode = (arg: string) => arg.startsWith(NODE);
  run(
    binaryOf(args.find(isNode)),
    files,
    args.filter((arg) => arg.startsWith("--") && !isNode(arg)),
  );
}
