/** Values that must be there: a missing one is an error of the check itself, not a finding. */

export { defined } from "../../../cli/dist/support/defined.js";

/** An element of a list. @throws RangeError when the list has none there */
export function elementAt<T>(list: readonly T[], index: number): T {
  if (index < 0 || index >= list.length) throw new RangeError(`There is no element ${index} of ${list.length}`);
  return list[index] as T;
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The stack of whatever was thrown, or what there is of it. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The code of a system error ("ENOSPC"), if it has one. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
