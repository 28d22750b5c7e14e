#!/usr/bin/env node
// Runs the benches: `node packages/bench/dist/run.js [--quick] [--only NAME[,NAME]] [--skip RIVAL[,RIVAL]] [--rounds N] [--json FILE]`.
// One file a question; its result is printed as tables and written as JSON.

import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { type Machine, machine } from "./lib/machine.js";
import type { BenchOptions, Question } from "./lib/question.js";
import type { Result } from "./lib/result.js";
import { renderResult } from "./lib/table.js";
import { makeTempDirectory, removeTempDirectory } from "./lib/tempdir.js";

/** The questions, in the order of docs/performance.md. */
const QUESTIONS = [
  "lookup",
  "lines",
  "walk",
  "threads",
  "writers",
  "renamer",
  "rename",
  "contents",
  "forms",
  "memory",
  "caches",
  "growth",
  "wasi",
  "programs",
  "emscripten",
  "napi-rs",
  "napi-rs-page",
];

/** Those of wasm programs, in a folder of their own. */
const WASM = ["wasi", "emscripten", "napi-rs", "napi-rs-page"];

const DEFAULT_JSON = fileURLToPath(new URL("../results/latest.json", import.meta.url));

interface Flags {
  quick: boolean;
  only: string[];
  skip: BenchOptions["skip"];
  rounds?: number;
  json: string;
}

interface Report {
  machine: Machine;
  quick: boolean;
  rounds: number;
  results: Result[];
}

function list(allowed: string[]): (text: string) => string[] {
  return (text) => {
    const names = text.split(",");
    for (const name of names) {
      if (!allowed.includes(name)) throw new InvalidArgumentError(`must be among ${allowed.join(", ")}`);
    }
    return names;
  };
}

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 1000) throw new InvalidArgumentError("must be 1 to 1000");
  return number;
}

function flags(): Flags {
  return new Command("bench")
    .description("measures threadfs against C, node:fs and memfs, and against itself")
    .option("--quick", "smaller trees and fewer rounds", false)
    .option("--only <names>", `only these questions: ${QUESTIONS.join(", ")}`, list(QUESTIONS), QUESTIONS)
    .option("--skip <rivals>", "leave out C, node or memfs", list(["threadfs", "C", "node", "memfs"]), [])
    .option("--rounds <n>", "rounds of each measurement", positive)
    .option("--json <file>", "where the figures go", DEFAULT_JSON)
    .parse()
    .opts<Flags>();
}

async function measure(name: string, options: BenchOptions): Promise<Result> {
  process.stderr.write(`${name}\n`);
  const folder = WASM.includes(name) ? "./wasm" : ".";
  const { default: question } = (await import(`${folder}/${name}.js`)) as { default: Question };
  const [load = 0] = os.loadavg();
  const result = await question.run(options);
  // Each rival runs alone, so the load from before the measurement is other work.
  result.load = load;
  if (load > os.availableParallelism() / 2) {
    result.note(`the machine was busy before this began (load average ${load.toFixed(1)}): read the best rounds`);
  }
  return result;
}

const { quick, only, skip, rounds = quick ? 3 : 9, json } = flags();
const scratch = makeTempDirectory(os.tmpdir());
const log = (text: string) => process.stderr.write(`  ${text}\n`);
const options: BenchOptions = { quick, rounds, skip, scratch, tempdir: os.tmpdir(), log };
const report: Report = { machine: machine(), quick, rounds, results: [] };
try {
  for (const name of QUESTIONS.filter((question) => only.includes(question))) {
    const result = await measure(name, options);
    console.log(renderResult(result));
    report.results.push(result);
  }
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  removeTempDirectory(scratch);
}
// The questions measured before a failure are still of use.
if (report.results.length > 0) {
  mkdirSync(path.dirname(path.resolve(json)), { recursive: true });
  writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\nfigures: ${json}`);
}
// Children that were killed may keep the event loop alive for a moment more.
process.exit();
