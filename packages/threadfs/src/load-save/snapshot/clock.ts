/** The clock of a tree that is being loaded: each file gets the times of creation and of change that it had. */
import type { FileTime } from "./format.js";

/** The time of an attachment that loads or saves, in milliseconds since 1970. */
export interface Clock {
  ms: number;
}

/** Steps between neighbouring float64 numbers that are tried. */
const STEPS = 8;

/** What the core makes of a number of its clock: `timeOfMs()` in core/vfs/inode/inode.ts. */
function nsecOf(ms: number, sec: number): number {
  return Math.trunc(Math.min((ms - sec * 1000) * 1e6, 999_999_999));
}

/**
 * The number of a clock, in milliseconds, that the core makes this time of. The core took each time of change from a clock, so there
 * is one close to its value; of another time the closest.
 */
export function msOfTime({ sec, nsec }: FileTime): number {
  const near = sec * 1000 + nsec / 1e6;
  const bits = new BigInt64Array(1);
  const number = new Float64Array(bits.buffer);
  for (let step = 0; step <= STEPS; step++) {
    for (const sign of step === 0 ? [1] : [1, -1]) {
      number[0] = near;
      bits[0] = (bits[0] ?? 0n) + BigInt(step * sign);
      const ms = number[0] ?? 0;
      if (Math.floor(ms / 1000) === sec && nsecOf(ms, sec) === nsec) return ms;
    }
  }
  return near;
}
