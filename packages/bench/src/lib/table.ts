// Results as tables.

import Table, { type HorizontalAlignment } from "cli-table3";
import type { Figure, Measure, Result } from "./result.js";

/** A number with three significant digits, thousands grouped. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

function withUnit(value: number, unit: string): string {
  if (unit === "x") return `${digits(value)} x`;
  if (unit === "%") return `${value.toFixed(value > 99 ? 3 : 1)} %`;
  return `${digits(value)} ${unit}`;
}

function spread({ low, high }: Measure | Figure): string {
  return low === high ? "" : `${digits(low)} .. ${digits(high)}`;
}

function verdict({ met }: Figure): string {
  if (met === undefined) return "";
  return met ? "yes" : "no";
}

function wanted({ target, atMost }: Figure): string {
  return target === undefined ? "" : `${atMost ? "<=" : ">="} ${digits(target)}`;
}

function grid(head: string[], rows: string[][], alignments: HorizontalAlignment[]): string {
  // No colours: the same text goes into files and documents.
  const table = new Table({ head, colAligns: alignments, style: { head: [], border: [], compact: true } });
  for (const row of rows) table.push(row);
  return table.toString();
}

function measuresGrid(measures: Measure[]): string {
  return grid(
    ["measured", "who", "median", "lowest .. highest"],
    measures.map((entry) => [entry.what, entry.who, withUnit(entry.value, entry.unit), spread(entry)]),
    ["left", "left", "right", "right"],
  );
}

function figuresGrid(figures: Figure[]): string {
  return grid(
    ["figure", "against", "reached", "lowest .. highest", "best rounds", "target", "met"],
    figures.map((entry) => [
      entry.what,
      entry.against,
      withUnit(entry.value, entry.unit),
      spread(entry),
      entry.best === undefined ? "" : withUnit(entry.best, entry.unit),
      wanted(entry),
      verdict(entry),
    ]),
    ["left", "left", "right", "right", "right", "right", "left"],
  );
}

/** All of a result as text. */
export function renderResult(result: Result): string {
  const parts = [`\n${result.name}: ${result.question}`];
  if (result.measures.length > 0) parts.push(measuresGrid(result.measures));
  for (const { title, head, rows } of result.curves) {
    const cells = rows.map((row) => row.map((cell) => (typeof cell === "number" ? digits(cell) : cell)));
    parts.push(
      title,
      grid(
        head,
        cells,
        head.map(() => "right"),
      ),
    );
  }
  if (result.figures.length > 0) parts.push(figuresGrid(result.figures));
  for (const note of result.notes) parts.push(`  note: ${note}`);
  return parts.join("\n");
}
