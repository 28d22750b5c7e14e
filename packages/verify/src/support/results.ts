/**
 * The results of a run of all checks as a part of a document: a table, and what each check counted.
 *
 *   npm run verify -- --doc docs/results.md                                       with the run that makes them
 *   node packages/verify/dist/support/results.js verify.json docs/results.md      from what `npm run verify -- --json FILE` wrote
 */
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Outcome } from "./check.js";

/** The outcome of one check of a run. */
export interface Result extends Outcome {
  name: string;
  title: string;
  seconds: number;
  seed: number;
}

const BEGIN = "<!-- last run -->";
const END = "<!-- end of last run -->";
/** Counts shown of one check; coherence has one for each shape of workload, which its own document shows. */
const COUNTS_MAX = 20;

const cell = (text: string | number) => `${text}`.replaceAll("|", "\\|").replaceAll("\n", " ");
const counted = (value: string | number) => (typeof value === "number" ? value.toLocaleString("en-US") : value);

/** The results as markdown. @param machine where the run was made, and when */
export function resultsText(results: readonly Result[], machine: string): string {
  const lines = [machine, "", "| check | subject | result | seconds | seed |", "| --- | --- | --- | ---: | ---: |"];
  for (const { name, title, ok, seconds, seed } of results)
    lines.push(`| ${name} | ${cell(title)} | ${ok ? "holds" : "FAILS"} | ${counted(seconds)} | ${seed} |`);
  for (const { name, explored, failures } of results) {
    const counts = Object.entries(explored);
    if (counts.length === 0 && failures.length === 0) continue;
    lines.push("", `### ${name}`, "");
    for (const [what, value] of counts.slice(0, COUNTS_MAX)) lines.push(`- ${cell(what)}: ${cell(counted(value))}`);
    if (counts.length > COUNTS_MAX) lines.push(`- and ${counts.length - COUNTS_MAX} more counts`);
    for (const { message, replay } of failures)
      lines.push(`- FAILED: ${cell(message)}${replay === undefined ? "" : `; replay with \`${cell(replay)}\``}`);
  }
  return lines.join("\n");
}

/** Puts a text between the two marks of a document. @throws Error when the document has no such marks */
export function replaceResults(document: string, text: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the document has no ${BEGIN} followed by ${END}`);
  return `${document.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${document.slice(end)}`;
}

/** Writes the results of a run into a document that has the two marks. */
export function writeResults(file: string, results: readonly Result[]): void {
  const day = new Date().toISOString().slice(0, 10);
  const machine = `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${day}.`;
  writeFileSync(file, replaceResults(readFileSync(file, "utf8"), resultsText(results, machine)));
}

/** The results in a file that `npm run verify -- --json` wrote. @throws Error when it is another file */
export function readResults(file: string): Result[] {
  const results: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (!Array.isArray(results) || !results.every(isResult)) throw new Error(`${file} holds no results of checks`);
  return results;
}

function isResult(value: unknown): value is Result {
  const { name, title, ok, seconds, seed, explored, failures } = (value ?? {}) as Record<string, unknown>;
  return (
    typeof name === "string" &&
    typeof title === "string" &&
    typeof ok === "boolean" &&
    typeof seconds === "number" &&
    typeof seed === "number" &&
    typeof explored === "object" &&
    explored !== null &&
    Array.isArray(failures)
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [, , json, document] = process.argv;
  if (json === undefined || document === undefined) {
    console.error("usage: results.js VERIFY.json DOCUMENT.md");
    process.exitCode = 2;
  } else {
    writeResults(document, readResults(json));
  }
}
