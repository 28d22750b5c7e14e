/**
 * Runs the tests of all packages: `npm test -- [filter ...] [--node-option ...]`. A filter is a part of a file's path from its package's
 * name on, without the folder test/ ("threadfs/conformance", "walk/drop"); arguments that begin with "--" go to node. The
 * files are listed here and not by a glob because Node 20 has none for `--test`.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
/** The folder of the packages; each has its tests in test/, and compiled in build/. */
const PACKAGES = join(here, "..", "..");

/** Longest time that one test may take; watchdog.js holds a whole file to the same limit. */
const TIMEOUT_MS = Number(process.env.TEST_TIMEOUT_MS ?? 120_000);

/** Longest time from the stop signal to the one that cannot be refused. */
const GRACE_MS = 5_000;

/** The runner's closing lines: "ℹ pass 3" or "# pass 3". */
const SUMMARY = /^(?:ℹ|#) (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+/;

/** The compiled test files. They are found by their sources, so that what is left in build/ of a file that is gone does not run. */
function testFiles(filters) {
  const wanted = (path) => filters.length === 0 || filters.some((part) => path.includes(part));
  return readdirSync(PACKAGES)
    .filter((name) => existsSync(join(PACKAGES, name, "test")))
    .flatMap((name) =>
      readdirSync(join(PACKAGES, name, "test"), { recursive: true })
        .filter((file) => /\.test\.[jt]s$/.test(file) && wanted([name, ...file.split(sep)].join("/")))
        .map((file) => relative(process.cwd(), join(PACKAGES, name, "build", file.replace(/\.ts$/, ".js")))),
    )
    .sort();
}

/** Forwards `stream` line by line and keeps the runner's closing lines. */
function forward(stream, out) {
  const summary = [];
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text) => {
    out.write(text);
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (SUMMARY.test(stripVTControlCharacters(line))) summary.push(line);
  });
  return summary;
}

/** Sends the signal on to the runner and, if it does not go, ends it. */
function passSignals(child) {
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      child.kill(signal);
      setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
    });
  }
}

const args = process.argv.slice(2);
// A path as the shell completes it ("packages/threadfs/test/conformance/open.test.js") is a filter too.
const filters = args
  .filter((arg) => !arg.startsWith("--"))
  .map((arg) => arg.replace(/^(?:\.\/)?packages\/(\w+)\/test\//, "$1/"));
const files = testFiles(filters);

if (files.length === 0) {
  console.error(`no test file matches ${filters.join(" ") || "packages/*/test/**/*.test.ts"}`);
  process.exit(1);
}

const child = spawn(
  process.execPath,
  [
    `--import=${pathToFileURL(join(here, "watchdog.js")).href}`,
    "--test",
    "--test-concurrency=2",
    "--test-reporter=spec",
    `--test-timeout=${TIMEOUT_MS}`,
    ...args.filter((arg) => arg.startsWith("--")),
    ...files,
  ],
  {
    stdio: ["inherit", "pipe", "inherit"],
    env: { ...process.env, ...(process.stdout.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: "1" } : {}) },
  },
);
const summary = forward(child.stdout, process.stdout);
passSignals(child);
child.on("close", (code, signal) => {
  // After a failure the reporter closes with the failed tests: the totals are said once more, so that they come last.
  if (code !== 0) process.stdout.write(`\n${summary.slice(-8).join("\n")}\n`);
  process.exitCode = code ?? (signal ? 1 : 0);
});
