// Results as tables for people.

import Table from "cli-table3";

/** A number with as many digits as say something: three significant ones, thousands grouped. */
export function digits(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

function withUnit(value, unit) {
  if (unit === "x") return `${digits(value)} x`;
  if (unit === "%") return `${value.toFixed(value > 99 ? 3 : 1)} %`;
  return `${digits(value)} ${unit}`;
}

function spread(entry) {
  if (entry.low === entry.high) return "";
  return `${digits(entry.low)} .. ${digits(entry.high)}`;
}

function verdict(entry) {
  if (entry.target === undefined) return "";
  return entry.met ? "yes" : "no";
}

function wanted(entry) {
  if (entry.target === undefined) return "";
  return `${entry.atMost ? "<=" : ">="} ${digits(entry.target)}`;
}

function grid(head, rows, alignments) {
  // No colours: the same text goes into files and documents.
  const table = new Table({ head, colAligns: alignments, style: { head: [], border: [], compact: true } });
  for (const row of rows) table.push(row);
  return table.toString();
}

/** All of a result as text. */
export function renderResult(result) {
  const parts = [`\n${result.name}: ${result.question}`];
  if (result.measures.length > 0) {
    parts.push(
      grid(
        ["measured", "who", "median", "lowest .. highest"],
        result.measures.map((entry) => [entry.what, entry.who, withUnit(entry.value, entry.unit), spread(entry)]),
        ["left", "left", "right", "right"],
      ),
    );
  }
  for (const curve of result.curves) {
    parts.push(curve.title);
    parts.push(
      grid(
        curve.head,
        curve.rows.map((row) => row.map((cell) => (typeof cell === "number" ? digits(cell) : cell))),
        curve.head.map(() => "right"),
      ),
    );
  }
  if (result.figures.length > 0) {
    parts.push(
      grid(
        ["figure", "against", "reached", "lowest .. highest", "best rounds", "target", "met"],
        result.figures.map((entry) => [
          entry.what,
          entry.against,
          withUnit(entry.value, entry.unit),
          spread(entry),
          entry.best === undefined ? "" : withUnit(entry.best, entry.unit),
          wanted(entry),
          verdict(entry),
        ]),
        ["left", "left", "right", "right", "right", "right", "left"],
      ),
    );
  }
  for (const note of result.notes) parts.push(`  note: ${note}`);
  return parts.join("\n");
}
