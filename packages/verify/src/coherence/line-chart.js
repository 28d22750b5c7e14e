/** A line chart as SVG: a few lines over powers of two, each with its name at its end. */

const [WIDTH, HEIGHT] = [980, 460];
const PLOT = { left: 70, right: 590, top: 50, bottom: 400 };
const LABEL_GAP = 17;
const COLOURS = ["#c0392b", "#d98c1f", "#1f6fb2", "#2e8b57", "#7d4fa8", "#555555"];

/** The next number above `value` whose fifths are short numbers. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10].map((n) => n * power).find((n) => n >= value);
}

function escapeXml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Moves labels apart that would lie on each other, downward from the top, then up from the bottom. */
function spread(labels) {
  const sorted = labels.toSorted((a, b) => a.y - b.y);
  for (let i = 1; i < sorted.length; i++) sorted[i].y = Math.max(sorted[i].y, sorted[i - 1].y + LABEL_GAP);
  let limit = PLOT.bottom + 8;
  for (const label of sorted.toReversed()) {
    label.y = Math.min(label.y, limit);
    limit = label.y - LABEL_GAP;
  }
}

/**
 * @param {object} chart
 * @param {string} chart.title
 * @param {string} chart.x what the horizontal axis counts, in powers of two
 * @param {string} chart.y what the vertical one does, from 0
 * @param {{ name: string, points: [number, number][], dashed?: boolean }[]} chart.series
 * @returns {string} the file's text
 */
export function lineChart({ title, x, y, series }) {
  const all = series.flatMap(({ points }) => points);
  const top = roundUp(Math.max(...all.map(([, value]) => value)));
  const powers = [...new Set(all.map(([n]) => n))].sort((a, b) => a - b);
  const [first, last] = [Math.log2(powers[0]), Math.log2(powers.at(-1))];
  const toX = (n) => PLOT.left + ((Math.log2(n) - first) / (last - first)) * (PLOT.right - PLOT.left);
  const toY = (value) => PLOT.bottom - (value / top) * (PLOT.bottom - PLOT.top);
  const at = (n) => n.toFixed(1);
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
    y: toY(points.at(-1)[1]) + 4,
    colour: COLOURS[i % COLOURS.length],
  }));
  for (const [i, { points, dashed }] of series.entries()) {
    const path = points.map(([n, value]) => `${at(toX(n))},${at(toY(value))}`).join(" ");
    const dash = dashed ? ` stroke-dasharray="6 4"` : "";
    out.push(`<polyline points="${path}" fill="none" stroke="${labels[i].colour}" stroke-width="2"${dash}/>`);
    for (const [n, value] of points) {
      out.push(`<circle cx="${at(toX(n))}" cy="${at(toY(value))}" r="3" fill="${labels[i].colour}"/>`);
    }
  }
  spread(labels);
  for (const { name, y: line, colour } of labels) {
    out.push(`<text x="${PLOT.right + 12}" y="${at(line)}" fill="${colour}">${escapeXml(name)}</text>`);
  }
  return `${[...out, "</svg>"].join("\n")}\n`;
}
