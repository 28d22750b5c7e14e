/** Whether whole paths match patterns: for the patterns of the option `exclude`, which are absolute paths. */
import { GLOBSTAR, matchesPart, type Part, type Pattern } from "./pattern.js";

type Parts = readonly Part[];

/** `**` in one pattern before Node gives up. */
const GLOBSTARS_MAX = 200;

/** Whether the names from `at` are those of all parts. */
function matchesAt(names: readonly string[], at: number, parts: Parts): boolean {
  return parts.every((part, i) => {
    const name = names[at + i];
    return name !== undefined && part !== GLOBSTAR && matchesPart(part, name);
  });
}

/** `**` does not match names with a dot at the start. */
function isHidden(name: string | undefined): boolean {
  return name?.startsWith(".") === true;
}

/** A pattern with `**`: the parts before the first one and behind the last one have one place each. */
class GlobstarPattern {
  readonly #head: Parts;
  readonly #sections: Parts[] = [];
  readonly #tail: Parts;
  /** For each section how many of the pattern's parts Node keeps free behind it. */
  readonly #kept: number[] = [];

  constructor(parts: Parts) {
    const first = parts.indexOf(GLOBSTAR);
    const last = parts.lastIndexOf(GLOBSTAR);
    this.#head = parts.slice(0, first);
    this.#tail = parts.slice(last + 1);
    let before = 0;
    for (let start = first + 1; start <= last; ) {
      const end = parts.indexOf(GLOBSTAR, start);
      this.#sections.push(parts.slice(start, end));
      this.#kept.unshift(before);
      before += end - start;
      start = end + 1;
    }
  }

  matches(names: readonly string[]): boolean {
    if (!matchesAt(names, 0, this.#head)) return false;
    const start = this.#head.length;
    const end = this.#tailStart(names, start);
    if (end === undefined) return false;
    const sawTail = end < names.length;
    if (this.#sections.length === 0) return (sawTail || start < end) && !names.slice(start, end).some(isHidden);
    const memo = new Map<number, boolean | undefined>();
    /** Whether the sections from one on match from a name on; undefined: no, and none will match further on either. */
    const from = (at: number, section: number): boolean | undefined => {
      const key = section * (names.length + 1) + at;
      if (!memo.has(key)) memo.set(key, search(at, section));
      return memo.get(key);
    };
    const search = (start: number, section: number): boolean | undefined => {
      const parts = this.#sections[section];
      if (parts === undefined) return (sawTail || start < names.length) && !names.slice(start).some(isHidden);
      const limit = end - (this.#kept[section] as number) - parts.length;
      for (let at = start; at <= limit; at++) {
        if (section < GLOBSTARS_MAX && matchesAt(names, at, parts)) {
          const rest = from(at + parts.length, section + 1);
          if (rest !== false) return rest;
        }
        if (isHidden(names[at])) return false;
      }
      return undefined;
    };
    return from(start, 0) === true;
  }

  /** Where the tail begins, also before a slash at the end. Undefined: the names have no such tail. */
  #tailStart(names: readonly string[], start: number): number | undefined {
    const at = names.length - this.#tail.length;
    if (this.#tail.length === 0) return at;
    if (at < start) return undefined;
    if (matchesAt(names, at, this.#tail)) return at;
    if (names.at(-1) !== "" || at === start) return undefined;
    return matchesAt(names, at - 1, this.#tail) ? at - 1 : undefined;
  }
}

function matchesPlain(names: readonly string[], parts: Parts): boolean {
  const more = names.length - parts.length;
  return (more === 0 || (more === 1 && names.at(-1) === "")) && matchesAt(names, 0, parts);
}

/** The test of absolute paths without dots by patterns. */
export function excluder(patterns: readonly Pattern[]): (path: string) => boolean {
  const tests = patterns.map(({ parts }) => {
    if (!parts.includes(GLOBSTAR)) return (names: readonly string[]) => matchesPlain(names, parts);
    const pattern = new GlobstarPattern(parts);
    return (names: readonly string[]) => pattern.matches(names);
  });
  return (path) => {
    // The walk asks for relative paths too, which none of the absolute patterns matches.
    if (!path.startsWith("/")) return false;
    const names = path.split(/\/+/);
    return tests.some((test) => test(names));
  };
}
