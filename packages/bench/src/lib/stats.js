// What is made of the numbers of several rounds.

/** The value below which `share` (0 .. 1) of the sorted numbers lies, interpolated between neighbours. */
export function quantile(numbers, share) {
  if (numbers.length === 0) throw new RangeError("quantile of no numbers");
  const sorted = [...numbers].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.ceil(place);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}

export function median(numbers) {
  return quantile(numbers, 0.5);
}

/** Median with the lowest and the highest round beside it. */
export function summary(numbers) {
  return { value: median(numbers), low: Math.min(...numbers), high: Math.max(...numbers) };
}

/**
 * Ratios round by round, then their summary. A machine's speed drifts between rounds; within one round both sides saw
 * the same machine.
 */
export function ratioSummary(above, below) {
  if (above.length !== below.length) throw new RangeError("rounds do not pair");
  return summary(above.map((value, round) => value / below[round]));
}

/** Straight line through the points by least squares: y = intercept + slope * x; r2 is the share of variance explained. */
export function line(xs, ys) {
  const count = xs.length;
  const meanX = xs.reduce((sum, x) => sum + x, 0) / count;
  const meanY = ys.reduce((sum, y) => sum + y, 0) / count;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < count; i++) {
    xy += (xs[i] - meanX) * (ys[i] - meanY);
    xx += (xs[i] - meanX) ** 2;
    yy += (ys[i] - meanY) ** 2;
  }
  const slope = xy / xx;
  return { slope, intercept: meanY - slope * meanX, r2: yy === 0 ? 1 : (xy * xy) / (xx * yy) };
}
