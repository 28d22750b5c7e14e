#!/usr/bin/env node
// Runs the benches: `node packages/bench/dist/run.js [--quick] [--only NAME[,NAME]] [--skip RIVAL[,RIVAL]] [--rounds N] [--json FILE]`.
// One file a question; each answers with a Result, which is printed as tables and written as JSON.

import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { machine } from "./lib/machine.js";
import { renderResult } from "./lib/table.js";
import { makeTempDirectory, removeTempDirectory } from "./lib/tempdir.js";

/** The questions, in the order of the document that asks them. */
const QUESTIONS = ["lookup", "walk", "threads", "renamer", "rename", "memory", "growth"];

const DEFAULT_JSON = fileURLToPath(new URL("../results/latest.json", import.meta.url));

function list(allowed) {
  return (text) => {
    const names = text.split(",");
    for (const name of names) {
      if (!allowed.includes(name)) throw new InvalidArgumentError(`must be among ${allowed.join(", ")}`);
    }
    return names;
  };
}

function positive(text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 1000) throw new InvalidArgumentError("must be 1 to 1000");
  return number;
}

const program = new Command("bench")
  .description("measures threadfs against C, node:fs and memfs, and against itself")
  .option("--quick", "smaller trees and fewer rounds")
  .option("--only <names>", `only these questions: ${QUESTIONS.join(", ")}`, list(QUESTIONS), QUESTIONS)
  .option("--skip <rivals>", "leave out C, node or memfs", list(["threadfs", "C", "node", "memfs"]), [])
  .option("--rounds <n>", "rounds of each measurement", positive)
  .option("--json <file>", "where the figures go", DEFAULT_JSON)
  .parse();

const given = program.opts();
const scratch = makeTempDirectory(os.tmpdir());
const options = {
  quick: given.quick === true,
  rounds: given.rounds ?? (given.quick ? 3 : 9),
  skip: given.skip,
  /** For compiled programs and lists. */
  scratch,
  /** The disk's file system, the second place for the kernel's rivals. */
  tempdir: os.tmpdir(),
  log: (text) => process.stderr.write(`  ${text}\n`),
};
const report = { machine: machine(), quick: options.quick, rounds: options.rounds, results: [] };
try {
  for (const name of QUESTIONS) {
    if (!given.only.includes(name)) continue;
    process.stderr.write(`${name}\n`);
    const { default: question } = await import(`./${name}.js`);
    const load = os.loadavg()[0];
    const result = await question.run(options);
    // Each rival runs alone, so whatever was in the queue before is somebody else's.
    result.load = load;
    if (load > os.availableParallelism() / 2) {
      result.note(`the machine was busy before this began (load average ${load.toFixed(1)}): read the best rounds`);
    }
    console.log(renderResult(result));
    report.results.push(result);
  }
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
} finally {
  removeTempDirectory(scratch);
}
// What was measured before a failure is still worth having.
if (report.results.length > 0) {
  mkdirSync(path.dirname(path.resolve(given.json)), { recursive: true });
  writeFileSync(given.json, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\nfigures: ${given.json}`);
}
// Children that were told to die may hold the loop for a moment more.
process.exit();
