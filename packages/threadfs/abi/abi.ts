/**
 * The numbers that the core and its callers share, as TypeScript sees them: every file of this folder under one name each. The
 * compiler of the core reads the other files and not this one.
 *
 * A call takes numbers and returns a number >= 0 or a negative errno. Strings, structures and file contents travel through the
 * calling thread's scratch area.
 */
import * as COUNTER from "./counters.js";

export type { CoreExports } from "../generated/core-exports.js";
export * as COUNTER from "./counters.js";
export * as DRIVER_OP from "./driver-ops.js";
export * as DROP from "./drop.js";
export * as ERRNO from "./errno.js";
export * from "./flags.js";
export * as HOOK from "./hooks.js";
export * from "./host.js";
export * from "./limits.js";
export * from "./memory.js";
export * from "./mode.js";
export * from "./permissions.js";
export * as POINT from "./points.js";
export * as SCRATCH from "./scratch.js";
export * as STAT from "./stat.js";

/** The name of a counter, as `vfs.counters()` has it. */
export type CounterName = keyof typeof COUNTER;

/** Names of the counters in the order of their indices. */
export const COUNTERS: readonly CounterName[] = /* @__PURE__ */ Object.entries(COUNTER)
  .sort(([, a], [, b]) => a - b)
  .map(([name]) => name as CounterName);
