/** Glob patterns, compiled: each is a list of parts, of which each is for one name of a path. */
import { expandBraces } from "./braces.js";
import { beyondLimit, PATTERN_LENGTH_MAX } from "./limits.js";
import { matchesName } from "./match.js";
import { compileName, type Program } from "./program.js";
import { simplify } from "./simplify.js";

/** `**`: any number of directories. */
export const GLOBSTAR = /* @__PURE__ */ Symbol("**");

/** For one name: its text, or what it must match. */
export type Part = string | typeof GLOBSTAR | Program;

export interface Pattern {
  readonly parts: readonly Part[];
  /** For each part a number for the text from there to the end, the same in all patterns with that text; one more for the end. */
  readonly tails: readonly number[];
  readonly absolute: boolean;
}

/** Compiles the patterns of one call. */
export class PatternCompiler {
  readonly #names = new Map<string, Part>([["**", GLOBSTAR]]);
  readonly #tails = new Map<string, number>();

  /** The patterns that one pattern stands for, none for the empty one. @throws RangeError ERR_THREADFS_GLOB_LIMIT */
  compile(text: string): Pattern[] {
    if (text.length > PATTERN_LENGTH_MAX) beyondLimit("characters", PATTERN_LENGTH_MAX);
    if (text === "") return [];
    // Node's globs have no escapes: a backslash is a slash, on every system.
    const expanded = new Set(expandBraces(text.replaceAll("\\", "/")));
    return simplify([...expanded]).map((parts) => ({
      parts: parts.map((part) => this.#part(part)),
      tails: this.#tailsOf(parts),
      absolute: parts[0] === "" && parts.length > 1,
    }));
  }

  #part(text: string): Part {
    let part = this.#names.get(text);
    if (part === undefined) {
      part = compileName(text);
      this.#names.set(text, part);
    }
    return part;
  }

  #tailsOf(parts: readonly string[]): number[] {
    const tails = [0];
    let tail = 0;
    for (let i = parts.length - 1; i >= 0; i--) {
      // No part has a slash in it.
      const key = `${tail}/${parts[i]}`;
      tail = this.#tails.get(key) ?? this.#tails.size + 1;
      this.#tails.set(key, tail);
      // An empty last part alone is the same text as none.
      tails.push(key === "0/" ? 0 : tail);
    }
    return tails.reverse();
  }
}

/** Whether a name matches a part; none matches what is behind the last part. */
export function matchesPart(part: Part | undefined, name: string): boolean {
  if (part === undefined) return false;
  if (part === GLOBSTAR) return true;
  return typeof part === "string" ? part === name : matchesName(part, name);
}
