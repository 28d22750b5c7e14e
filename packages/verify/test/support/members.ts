/** Members of lists that must be there. */
import assert from "node:assert/strict";

/** The only member of a list. */
export function only<T>(list: readonly T[], what = "member"): T {
  const [first, ...more] = list;
  assert.ok(first !== undefined && more.length === 0, `${list.length} of what there is one: ${what}`);
  return first;
}

/** The first two members of a list. */
export function firstTwo<T>(list: readonly T[]): [T, T] {
  const [first, second] = list;
  assert.ok(first !== undefined && second !== undefined, `${list.length} members`);
  return [first, second];
}
