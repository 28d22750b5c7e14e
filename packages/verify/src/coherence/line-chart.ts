/** A line chart as SVG: a few lines over powers of two, each with its name at its end. */

const [WIDTH, HEIGHT] = [980, 460];
const PLOT = { left: 70, right: 590, top: 50, bottom: 400 };
const LABEL_GAP = 17;
const BLACK = "#000000";
const COLOURS = ["#c0392b", "#d98c1f", "#1f6fb2", "#2e8b57", "#7d4fa8", "#555555"];

/** The next number above `value` whose fifths are short numbers. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10].map((n) => n * power).find((n) => n >= value) ?? value;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

interface Label {
  name: string;
  y: number;
  colour: string;
}

/** Moves overlapping labels apart, downward from the top, then up from the bottom. */
function spread(labels: Label[]): void {
  const sorted = labels.toSorted((a, b) => a.y - b.y);
  let least = Number.NEGATIVE_INFINITY;
  for (const label of sorted) {
    label.y = Math.max(label.y, least);
    least = label.y + LABEL_GAP;
  }
  let limit = PLOT.bottom + 8;
  for (const label of sorted.toReversed()) {
    label.y = Math.min(label.y, limit);
    limit = label.y - LABEL_GAP;
  }
}

export interface Series {
  name: string;
  points: [x: number, y: number][];
  dashed?: boolean;
}

export interface Chart {
  title: string;
  /** The label of the horizontal axis, which has powers of two. */
  x: string;
  /** The label of the vertical axis, which begins at 0. */
  y: string;
  series: Series[];
}

/** @returns the file's text */
export function lineChart({ title, x, y, series }: Chart): string {
  const all = series.flatMap(({ points }) => points);
  const top = roundUp(Math.max(...all.map(([, value]) => value)));
  const powers = [...new Set(all.map(([n]) => n))].sort((a, b) => a - b);
  const [first, last] = [Math.log2(powers[0] ?? 1), Math.log2(powers.at(-1) ?? 1)];
  const toX = (n: number) => PLOT.left + ((Math.log2(n) - first) / (last - first)) * (PLOT.right - PLOT.left);
  const toY = (value: number) => PLOT.bottom - (value / top) * (PLOT.bottom - PLOT.top);
  const at = (n: number) => n.toFixed(1);
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${PLOT.left}" y="26" font-size="15" fill="#222222">${escapeXml(title)}</text>`,
  ];
  for (let i = 0; i <= 5; i++) {
    const value = (top * i) / 5;
    const line = at(toY(value));
    out.push(`<line x1="${PLOT.left}" y1="${line}" x2="${PLOT.right}" y2="${line}" stroke="#dddddd"/>`);
    out.push(
      `<text x="${PLOT.left - 8}" y="${at(toY(value) + 4)}" text-anchor="end" fill="#444444">${+value.toFixed(2)}</text>`,
    );
  }
  for (const n of powers) {
    out.push(`<text x="${at(toX(n))}" y="${PLOT.bottom + 20}" text-anchor="middle" fill="#444444">${n}</text>`);
  }
  const middle = (PLOT.top + PLOT.bottom) / 2;
  out.push(
    `<text x="${(PLOT.left + PLOT.right) / 2}" y="${HEIGHT - 14}" text-anchor="middle" fill="#444444">${escapeXml(x)}</text>`,
  );
  out.push(
    `<text transform="translate(20 ${middle}) rotate(-90)" text-anchor="middle" fill="#444444">${escapeXml(y)}</text>`,
  );
  const labels = series.map(({ name, points }, i) => ({
    name,
    y: toY(points.at(-1)?.[1] ?? 0) + 4,
    colour: COLOURS[i % COLOURS.length] ?? BLACK,
  }));
  for (const [i, { points, dashed }] of series.entries()) {
    const path = points.map(([n, value]) => `${at(toX(n))},${at(toY(value))}`).join(" ");
    const dash = dashed ? ` stroke-dasharray="6 4"` : "";
    const { colour } = labels[i] ?? { colour: BLACK };
    out.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`);
    for (const [n, value] of points) {
      out.push(`<circle cx="${at(toX(n))}" cy="${at(toY(value))}" r="3" fill="${colour}"/>`);
    }
  }
  spread(labels);
  for (const { name, y: line, colour } of labels) {
    out.push(`<text x="${PLOT.right + 12}" y="${at(line)}" fill="${colour}">${escapeXml(name)}</text>`);
  }
  return `${[...out, "</svg>"].join("\n")}\n`;
}
