/**
 * `npm run test:hosts -- [--short] [FILTER ...]`: packs the built library, installs the tarball into a fresh project and uses it from two threads
 * in every host, with every bundler and every TypeScript version. Prints one line for each; a filter is a part of such a line. The short form
 * leaves out the TypeScript versions between the oldest and the last two, those entries of a bundler that others bundle in the same way, and PHP in
 * Firefox.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestBrowser } from "./browser.js";
import { bundlerCases } from "./bundlers.js";
import type { Case } from "./cases.js";
import { exampleCase } from "./example.js";
import { installBrowsers, installPackages } from "./install.js";
import { bindingCases } from "./napi-rs.js";
import { pageCases } from "./pages.js";
import { phpCases } from "./php.js";
import { Project } from "./project.js";
import { runtimeCases } from "./runtimes.js";
import { typeCases } from "./typescript.js";

/**
 * What the short form leaves out. Of the inlined and the compiled core a bundler sees only a module, which esbuild and Vite stand for; PHP takes long,
 * and Chromium stands for both browsers.
 */
const LEFT_OUT = [
  /^TypeScript 5\.[1-9]/,
  /^(?:webpack|Rollup|Rolldown|bun build) .*threadfs\/(?:inline|module)$/,
  /^Firefox .* PHP/,
];

const seconds = (begin: number): string => `${((performance.now() - begin) / 1000).toFixed(1)} s`;

/** Runs a case and prints its line. Returns whether it holds. */
async function runCase({ name, run }: Case): Promise<boolean> {
  const begin = performance.now();
  try {
    await run();
    console.log(`ok    ${name} (${seconds(begin)})`);
    return true;
  } catch (error) {
    console.log(`FAIL  ${name} (${seconds(begin)})\n${error instanceof Error ? error.stack : error}`);
    return false;
  }
}

/** Runs the cases, two at a time. Returns how many failed. */
async function runAll(cases: readonly Case[]): Promise<number> {
  const left = [...cases];
  let failed = 0;
  const work = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) if (!(await runCase(next))) failed++;
  };
  await Promise.all([work(), work()]);
  return failed;
}

async function main(args: readonly string[]): Promise<void> {
  const filters = args.filter((arg) => !arg.startsWith("--"));
  const unknown = args.find((arg) => arg.startsWith("--") && arg !== "--short");
  if (unknown !== undefined) throw new Error(`unknown option ${unknown}: there is --short`);
  const leftOut = args.includes("--short") ? LEFT_OUT : [];
  const begin = performance.now();
  installPackages();
  const paths = installBrowsers();
  const chromium = await TestBrowser.chromium(paths.chromium);
  const firefox = await TestBrowser.firefox(paths.firefox);
  console.log(`ok    the hosts are installed (${seconds(begin)})`);
  const directory = mkdtempSync(join(tmpdir(), "threadfs-hosts-"));
  try {
    const project = await Project.make(join(directory, "project"));
    const cases = [
      ...runtimeCases(project),
      ...pageCases(project, chromium),
      ...pageCases(project, firefox),
      exampleCase(project, chromium),
      exampleCase(project, firefox),
      ...bundlerCases(project, chromium),
      ...bindingCases(project, chromium),
      ...phpCases(project, chromium),
      ...phpCases(project, firefox),
      ...typeCases(project),
    ]
      .filter(({ name }) => filters.length === 0 || filters.some((filter) => name.includes(filter)))
      .filter(({ name }) => !leftOut.some((pattern) => pattern.test(name)));
    if (cases.length === 0) throw new Error(`no host matches ${filters.join(" ")}`);
    const failed = await runAll(cases);
    console.log(`${cases.length - failed} passed, ${failed} failed (${seconds(begin)})`);
    if (failed > 0) process.exitCode = 1;
  } finally {
    await Promise.all([chromium.close(), firefox.close()]);
    rmSync(directory, { recursive: true });
  }
}

await main(process.argv.slice(2));
