/** What a pattern may cost. Node has the first limit only, and may take minutes or all memory for a pattern beyond the others. */
import { codedError } from "../../errors/errors.js";

/** UTF-16 units of a pattern. */
export const PATTERN_LENGTH_MAX = 65536;
/** Patterns that braces and `**` before `..` expand one pattern to. Node drops those beyond 100,000 without a word. */
export const EXPANSIONS_MAX = 10_000;
/** UTF-16 units of all expansions of a pattern. Node drops what is beyond 4,000,000 without a word. */
export const EXPANSIONS_LENGTH_MAX = 1 << 20;
/** Braces, or extended globs, within each other. */
export const NESTING_MAX = 100;
/** Nodes and states that the pattern of one name compiles to: `!(a)!(b)...` doubles with each group. */
export const STATES_MAX = 20_000;

/** @throws Error ERR_THREADFS_GLOB_LIMIT */
export function beyondLimit(what: string, max: number): never {
  throw codedError(RangeError, "ERR_THREADFS_GLOB_LIMIT", `The glob pattern has too many ${what}: at most ${max}`);
}
