/**
 * Simpler patterns with the same matches, as Node makes them before it walks: the order of results, and what is found twice, depend
 * on them. A pattern is here the list of its parts between slashes.
 */
import { beyondLimit, EXPANSIONS_MAX } from "./limits.js";

type Parts = string[];

/** A part that `..` takes back: a name or a pattern of names. */
function isName(part: string | undefined): boolean {
  return Boolean(part) && part !== "." && part !== ".." && part !== "**";
}

/** `**` several times in a row is `**`. Splits `**` before `..` and two more parts: into the pattern without it, and one without `..`. */
function splitGlobstars(parts: Parts, all: Parts[]): boolean {
  let changed = false;
  for (let at = parts.indexOf("**"); at !== -1; at = parts.indexOf("**", at + 1)) {
    let end = at;
    while (parts[end + 1] === "**") end++;
    parts.splice(at + 1, end - at);
    const [next, second, third] = parts.slice(at + 1, at + 4);
    const isPart = (part: string | undefined) => Boolean(part) && part !== "." && part !== "..";
    if (next !== ".." || !isPart(second) || !isPart(third)) continue;
    changed = true;
    parts.splice(at, 1);
    const other = parts.slice();
    other[at] = "**";
    if (all.length >= EXPANSIONS_MAX) beyondLimit("expansions", EXPANSIONS_MAX);
    all.push(other);
    at--;
  }
  return changed;
}

/** Takes out "." and "" between other parts. */
function dropDots(parts: Parts): boolean {
  const kept = parts.filter((part, i) => i === 0 || i === parts.length - 1 || (part !== "." && part !== ""));
  const changed = kept.length < parts.length;
  if (changed) parts.splice(0, parts.length, ...kept);
  if (parts.length !== 2 || parts[0] !== "." || (parts[1] !== "." && parts[1] !== "")) return changed;
  parts.pop();
  return true;
}

/** Takes out a name and the ".." behind it. */
function foldParents(parts: Parts): boolean {
  let changed = false;
  for (let at = parts.indexOf("..", 1); at !== -1; at = parts.indexOf("..", at + 1)) {
    if (!isName(parts[at - 1])) continue;
    changed = true;
    // `a/../**` is `./**`, which finds the directory itself too.
    const start = at === 1 && parts[2] === "**" ? ["."] : [];
    parts.splice(at - 1, 2, ...start);
    if (parts.length === 0) parts.push("");
    at -= 2;
  }
  return changed;
}

/** Simplifies each pattern for itself. */
function simplifyEach(all: Parts[]): void {
  let changed: boolean;
  do {
    changed = false;
    // Patterns that are split off are appended, and the loop comes to them.
    for (const parts of all) {
      const split = splitGlobstars(parts, all);
      const dropped = dropDots(parts);
      const folded = foldParents(parts);
      changed ||= split || dropped || folded;
    }
  } while (changed);
}

/** `*` matches all that a part without a dot at its start does. */
function isInStar(part: string | undefined): boolean {
  return Boolean(part) && !part?.startsWith(".") && part !== "**";
}

function isWide(part: string | undefined): boolean {
  return part === "*" || part === "**";
}

/** The one of two patterns that Node takes to match all that the other does; undefined if it sees none. */
function merged(a: Parts, b: Parts): Parts | undefined {
  if (a.length !== b.length) return undefined;
  // Most pairs differ at once.
  if (a[0] !== b[0] && !isWide(a[0]) && !isWide(b[0])) return undefined;
  const result: Parts = [];
  let wider: Parts | undefined;
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    const [left, right] = [a[i] as string, b[j] as string];
    if (left === right) {
      result.push(left);
      i++;
      j++;
    } else if (left === "**" && right === a[i + 1]) {
      result.push(left);
      i++;
    } else if (right === "**" && left === b[j + 1]) {
      result.push(right);
      j++;
    } else {
      const star = left === "*" && isInStar(right) ? a : right === "*" && isInStar(left) ? b : undefined;
      if (star === undefined || (wider ?? star) !== star) return undefined;
      wider = star;
      result.push("*");
      i++;
      j++;
    }
  }
  return result;
}

/** Merges patterns of which one matches all that another does. */
function mergePairs(all: Parts[]): Parts[] {
  if (!all.some((parts) => parts.some(isWide))) return lastOfEach(all);
  const kept: (Parts | undefined)[] = all.slice();
  for (let i = 0; i < kept.length - 1; i++) {
    for (let j = i + 1; j < kept.length; j++) {
      const both = merged(kept[i] as Parts, kept[j] as Parts);
      if (both === undefined) continue;
      kept[i] = undefined;
      kept[j] = both;
      break;
    }
  }
  return kept.filter((parts) => parts !== undefined);
}

/** Without wide parts only equal patterns merge, into the last of them. */
function lastOfEach(all: readonly Parts[]): Parts[] {
  const last = new Map<string, Parts>();
  for (const parts of all) {
    const key = parts.join("/");
    last.delete(key);
    last.set(key, parts);
  }
  return [...last.values()];
}

/** The patterns that Node walks for those that braces expand to. @throws RangeError ERR_THREADFS_GLOB_LIMIT */
export function simplify(patterns: readonly string[]): string[][] {
  const all = patterns.map((pattern) => pattern.split(/\/+/));
  simplifyEach(all);
  return mergePairs(all);
}
