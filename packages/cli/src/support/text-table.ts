/** A table of text that fits a width: columns are aligned, and cells of several words are broken where there is no room. */

export interface TextTable {
  head: readonly string[];
  align: readonly ("left" | "right")[];
  rows: readonly (readonly string[])[];
}

const GAP = 2;
/** The width of a line where the output is no terminal, unless the variable COLUMNS says otherwise. */
const PLAIN_WIDTH = 80;

/** The width that lines may have. */
export function outputWidth(stream: { columns?: number | undefined }, columns = process.env.COLUMNS): number {
  const wanted = Number(columns);
  return stream.columns || (Number.isInteger(wanted) && wanted > 0 ? wanted : PLAIN_WIDTH);
}

const longest = (parts: readonly string[]): number => Math.max(0, ...parts.map((part) => part.length));
const words = (text: string): string[] => text.split(/ +/).filter((word) => word !== "");

/** Breaks a text between words into lines of at most `width` characters; a longer word has a line of its own. */
export function breakText(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const lines: string[] = [];
  for (const word of words(text)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/**
 * Widths of the columns: as wide as their texts. If a line does not fit, the heads are broken first, then the cells, each time in the
 * widest column, until the line fits or every cell is one word wide.
 */
function columnWidths({ head, rows }: TextTable, width: number): number[] {
  const texts = head.map((_, i) => rows.map((row) => row[i] ?? ""));
  const widths = head.map((text, i) => longest([text, ...(texts[i] ?? [])]));
  const headsBroken = head.map((text, i) => longest([...words(text), ...(texts[i] ?? [])]));
  const allBroken = head.map((text, i) => longest([text, ...(texts[i] ?? [])].flatMap(words)));
  let surplus = widths.reduce((sum, each) => sum + each, GAP * (head.length - 1)) - width;
  for (const least of [headsBroken, allBroken]) {
    for (; surplus > 0; surplus--) {
      const spare = widths.map((each, i) => (each > (least[i] ?? 0) ? each : 0));
      const widest = Math.max(...spare);
      if (widest === 0) break;
      widths[spare.indexOf(widest)] = widest - 1;
    }
  }
  return widths;
}

/** The lines of a table. */
export function tableText(table: TextTable, width: number): string {
  const { head, align, rows } = table;
  const widths = columnWidths(table, width);
  const line = (row: readonly string[]): string[] => {
    const broken = widths.map((each, i) => breakText(row[i] ?? "", each));
    const height = Math.max(...broken.map((lines) => lines.length));
    return Array.from({ length: height }, (_, y) =>
      widths
        .map((each, i) =>
          align[i] === "right" ? (broken[i]?.[y] ?? "").padStart(each) : (broken[i]?.[y] ?? "").padEnd(each),
        )
        .join(" ".repeat(GAP))
        .trimEnd(),
    );
  };
  return [...line(head), widths.map((each) => "-".repeat(each)).join(" ".repeat(GAP)), ...rows.flatMap(line)].join(
    "\n",
  );
}
