// Statistics over the numbers of several rounds.

import { defined } from "../../../cli/dist/support/defined.js";

/** Median with the lowest and the highest round beside it. */
export interface Summary {
  value: number;
  low: number;
  high: number;
}

/** The value below which `share` (0 .. 1) of the sorted numbers lies, interpolated between neighbours. */
export function quantile(numbers: readonly number[], share: number): number {
  if (numbers.length === 0) throw new RangeError("quantile of no numbers");
  const sorted = [...numbers].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = defined(sorted[Math.floor(place)], "the number below the quantile");
  const above = defined(sorted[Math.ceil(place)], "the number above the quantile");
  return below + (above - below) * (place - Math.floor(place));
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

export function summary(numbers: readonly number[]): Summary {
  return { value: median(numbers), low: Math.min(...numbers), high: Math.max(...numbers) };
}

/** Combines the rounds of two series one by one. */
export function pairwise(
  above: readonly number[],
  below: readonly number[],
  combine: (above: number, below: number) => number,
): number[] {
  if (above.length !== below.length) throw new RangeError("rounds do not pair");
  return above.map((value, round) => combine(value, defined(below[round], `round ${round}`)));
}

/**
 * Ratios round by round, then their summary. A machine's speed drifts between rounds; within one round both sides saw
 * the same machine.
 */
export function ratioSummary(above: readonly number[], below: readonly number[]): Summary {
  return summary(pairwise(above, below, (a, b) => a / b));
}

export interface Line {
  slope: number;
  intercept: number;
  /** Share of the variance that the line explains. */
  r2: number;
}

/** Straight line through the points by least squares: y = intercept + slope * x. */
export function line(xs: readonly number[], ys: readonly number[]): Line {
  const count = xs.length;
  const meanX = xs.reduce((sum, x) => sum + x, 0) / count;
  const meanY = ys.reduce((sum, y) => sum + y, 0) / count;
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
  const xy = sum(pairwise(xs, ys, (x, y) => (x - meanX) * (y - meanY)));
  const xx = sum(xs.map((x) => (x - meanX) ** 2));
  const yy = sum(ys.map((y) => (y - meanY) ** 2));
  const slope = xy / xx;
  return { slope, intercept: meanY - slope * meanX, r2: yy === 0 ? 1 : (xy * xy) / (xx * yy) };
}
