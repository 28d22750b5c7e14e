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

/** The threads that run programs, by side. They do not keep the process alive. */
const workers = new Map<Side, Worker>();

function workerOf(side: Side): Worker {
  const known = workers.get(side);
  if (known !== undefined) return known;
  const worker = new Worker(WORKER, { execArgv: ["--no-warnings"] });
  worker.unref();
  workers.set(side, worker);
  return worker;
}

/** Runs a program in the thread of its side. */
async function run(program: SuiteProgram): Promise<SuiteResult> {
  const { side } = program;
  const worker = workerOf(side);
  let timer: NodeJS.Timeout | undefined;
  const result = await new Promise<SuiteResult>((resolve) => {
    timer = setTimeout(() => resolve({ error: "it does not end" }), HANG_MS);
    worker.once("message", resolve);
    worker.once("error", (error) => resolve({ error: String(error) }));
    worker.postMessage(program);
  });
  clearTimeout(timer);
  for (const event of ["message", "error"]) worker.removeAllListeners(event);
  // What a program of node:wasi leaves open is closed with its thread.
  if ("error" in result || side === "node:wasi") {
    workers.delete(side);
    await worker.terminate();
  }
  return result;
}

/** The others, with their versions. */
const OTHERS: readonly (readonly [Side, string])[] = [
  ["node:wasi", process.version],
  ["browser_wasi_shim", (JSON.parse(readFileSync(SHIM, "utf8")) as { version: string }).version],
];

/** Says of each of the others how many of the programs pass with it. They run side by side. */
export function countOthers(programs: readonly Specified[]): Promise<string[]> {
  return Promise.all(
    OTHERS.map(async ([side, version]) => {
      const failed: string[] = [];
      for (const program of programs)
        if ((await wrongOn(side, program)) !== undefined) failed.push(basename(program.file, ".wasm"));
      const passed = `${programs.length - failed.length} of ${programs.length}`;
      return `${side} ${version}: ${passed}${failed.length === 0 ? "" : `; not ${failed.join(", ")}`}`;
    }),
  );
}
