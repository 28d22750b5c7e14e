/** Runs the programs of a suite, and counts who passes how many. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { Worker } from "node:worker_threads";
import { REPOSITORY } from "../support/project.js";
import type { Side, SuiteProgram, SuiteResult } from "./program.worker.js";

/** A program, what it is given, and how it is to end. */
export interface Specified extends Omit<SuiteProgram, "side"> {
  readonly code: number;
  /** undefined: whatever it prints. */
  readonly stdout: string | undefined;
}

/** A program that has not ended after so long is terminated. */
const HANG_MS = 120_000;
const WORKER = new URL("./program.worker.js", import.meta.url);
const SHIM = new URL("packages/programs/node_modules/@bjorn3/browser_wasi_shim/package.json", `file://${REPOSITORY}`);

/** What is wrong with the end of a program; undefined: nothing. */
export async function wrongOn(side: Side, { code, stdout, ...program }: Specified): Promise<string | undefined> {
  const result = await run({ side, ...program });
  if ("error" in result) return result.error;
  if (result.code !== code) return `exit code ${result.code}`;
  return stdout === undefined || stdout === result.stdout ? undefined : `it printed ${JSON.stringify(result.stdout)}`;
}

async function run(workerData: SuiteProgram): Promise<SuiteResult> {
  const worker = new Worker(WORKER, { workerData, execArgv: ["--no-warnings"] });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<SuiteResult>((resolve) => {
      timer = setTimeout(() => resolve({ error: "it does not end" }), HANG_MS);
      worker.once("message", resolve);
      worker.once("error", (error) => resolve({ error: String(error) }));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

/** The others, with their versions. */
const OTHERS: readonly (readonly [Side, string])[] = [
  ["node:wasi", process.version],
  ["browser_wasi_shim", (JSON.parse(readFileSync(SHIM, "utf8")) as { version: string }).version],
];

/** Prints how many of the programs pass with the others. The reporter prints no diagnostics of tests that pass. */
export async function printOthers(programs: readonly Specified[]): Promise<void> {
  for (const [side, version] of OTHERS) {
    const failed: string[] = [];
    for (const program of programs)
      if ((await wrongOn(side, program)) !== undefined) failed.push(basename(program.file, ".wasm"));
    const passed = `${programs.length - failed.length} of ${programs.length}`;
    console.log(`${side} ${version}: ${passed}${failed.length === 0 ? "" : `; not ${failed.join(", ")}`}`);
  }
}
