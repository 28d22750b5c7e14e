/** Named places in the core (abi/points.ts), reported to the host by the debug build and gone from the shipping one. */
import { point } from "./host";

/**
 * POINTS is a constant of the build (asconfig.json): 1 in the debug build, 0 in the shipping one, where no instruction
 * remains.
 */
export function tracepoint(id: i32, a: usize, b: usize): void {
  if (POINTS) point(id, <u32>a, <u32>b);
}
