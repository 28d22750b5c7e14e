/**
 * Brace expansion (`{a,b}`, `{1..9..2}`, `{a..e}`) with the results of Node's: what is no list and no range stays text, `${` expands
 * nothing, and unbalanced braces are text.
 */
import { beyondLimit, EXPANSIONS_LENGTH_MAX, EXPANSIONS_MAX, NESTING_MAX } from "./limits.js";

/** The text before, in and behind the first pair of braces. */
interface Pair {
  readonly before: string;
  readonly body: string;
  readonly behind: string;
}

/**
 * The first outermost pair. If an opening brace is never closed, there is none; then the pair that begins first within it counts.
 */
function firstPair(text: string): Pair | undefined {
  const open: number[] = [];
  let [start, end] = [-1, -1];
  for (let i = text.indexOf("{"); i >= 0 && i < text.length; i++) {
    const char = text[i];
    if (char === "{") open.push(i);
    if (char !== "}") continue;
    const begin = open.pop();
    if (begin === undefined) continue;
    if (open.length === 0) {
      [start, end] = [begin, i];
      break;
    }
    if (start === -1 || begin < start) [start, end] = [begin, i];
  }
  if (start === -1) return undefined;
  return { before: text.slice(0, start), body: text.slice(start + 1, end), behind: text.slice(end + 1) };
}

/** Splits at the commas that are not within braces. */
function splitList(body: string): string[] {
  const parts = [""];
  let rest = body;
  for (let pair = firstPair(rest); pair !== undefined; pair = firstPair(rest)) {
    append(parts, pair.before);
    parts[parts.length - 1] += `{${pair.body}}`;
    rest = pair.behind;
  }
  append(parts, rest);
  return parts;
}

/** Appends text with commas to the last part. */
function append(parts: string[], text: string): void {
  const [first, ...others] = text.split(",");
  parts[parts.length - 1] += first ?? "";
  for (const part of others) parts.push(part);
}

const NUMBERS = /^-?\d+\.\.-?\d+(?:\.\.-?\d+)?$/;
const LETTERS = /^[a-zA-Z]\.\.[a-zA-Z](?:\.\.-?\d+)?$/;

/** A growing list of expansions. */
class Expansions {
  readonly list: string[] = [];
  #length = 0;

  add(text: string): void {
    this.#length += text.length;
    if (this.list.length >= EXPANSIONS_MAX) beyondLimit("expansions", EXPANSIONS_MAX);
    if (this.#length > EXPANSIONS_LENGTH_MAX) beyondLimit("characters in its expansions", EXPANSIONS_LENGTH_MAX);
    this.list.push(text);
  }
}

/** The values of a range. */
function rangeValues(body: string, letters: boolean): string[] {
  const bounds = body.split("..");
  const [from = "", to = "", by] = bounds;
  const number = (text: string) => (letters ? text.charCodeAt(0) : Number.parseInt(text, 10));
  const [first, last] = [number(from), number(to)];
  const step = by === undefined ? 1 : Math.max(Math.abs(Number.parseInt(by, 10)), 1);
  const width = bounds.some((bound) => /^-?0\d/.test(bound)) ? Math.max(from.length, to.length) : 0;
  const values = new Expansions();
  const down = last < first;
  for (let i = first; down ? i >= last : i <= last; i += down ? -step : step) {
    values.add(letters ? letter(i) : padded(i, width));
  }
  return values.list;
}

/** Between Z and a there is a backslash, which is left out. */
function letter(code: number): string {
  const char = String.fromCharCode(code);
  return char === "\\" ? "" : char;
}

function padded(value: number, width: number): string {
  const text = String(value);
  return value < 0 ? `-${text.slice(1).padStart(width - 1, "0")}` : text.padStart(width, "0");
}

/** Whether a comma with no comma behind it is followed by a closing brace in the same line. */
function closesList(text: string): boolean {
  let closed = false;
  for (let i = text.length - 1; i >= 0; i--) {
    const char = text[i] as string;
    if (char === "}") closed = true;
    else if (/[\n\r\u2028\u2029]/.test(char)) closed = false;
    else if (char === "," && closed && text[i + 1] !== ",") return true;
  }
  return false;
}

class Expander {
  /** Stands for a closing brace that closes nothing. */
  readonly #loose: string;

  constructor(loose: string) {
    this.#loose = loose;
  }

  /** @param top whether empty expansions of a list are left out */
  expand(given: string, top: boolean, depth: number, start = ""): string[] {
    if (depth > NESTING_MAX) beyondLimit("nested braces", NESTING_MAX);
    let [done, text, dropTop, dropEmpty, isFirst] = [[start], given, top, false, true];
    for (;;) {
      const pair = firstPair(text);
      if (pair === undefined) return combine(done, text, [""], dropEmpty);
      const { before, body, behind } = pair;
      const isRange = NUMBERS.test(body) || LETTERS.test(body);
      const isVariable = before.endsWith("$");
      if (!isVariable && !isRange && !body.includes(",")) {
        if (!closesList(behind)) return combine(done, `${before}{${body}}${behind}`, [""], dropEmpty);
        text = `${before}{${body}${this.#loose}${behind}`;
        dropTop = true;
        continue;
      }
      const isLast = behind === "";
      if (isVariable) {
        done = combine(done, `${before}{${body}}`, [""], dropEmpty && isLast);
      } else {
        if (isFirst) dropEmpty = dropTop && !isRange;
        const dropHere = dropEmpty && isLast;
        const values = isRange
          ? rangeValues(body, LETTERS.test(body))
          : this.#listValues(body, dropHere && before === "" && done.every((text) => text === ""), depth);
        done = combine(done, before, values, dropHere);
      }
      isFirst = false;
      if (isLast) return done;
      text = behind;
    }
  }

  #listValues(body: string, dropEmpty: boolean, depth: number): string[] {
    let parts = splitList(body);
    if (parts.length === 1) {
      // As in shells: braces around one thing stay, `{{a,b}}` is `{a} {b}`.
      parts = this.expand(parts[0] as string, false, depth + 1).map((part) => `{${part}}`);
      if (parts.length === 1) return parts;
    }
    const values = new Expansions();
    for (const part of parts) {
      for (const value of this.expand(part, false, depth + 1)) if (!dropEmpty || value !== "") values.add(value);
    }
    return values.list;
  }
}

function combine(starts: readonly string[], middle: string, ends: readonly string[], dropEmpty: boolean): string[] {
  const all = new Expansions();
  for (const start of starts) {
    for (const end of ends) {
      const text = start + middle + end;
      if (!dropEmpty || text !== "") all.add(text);
    }
  }
  return all.list;
}

/** A character that a text does not contain. */
function unusedCharacter(text: string): string {
  let code = 0xe000;
  while (code < 0xffff && text.includes(String.fromCharCode(code))) code++;
  return String.fromCharCode(code);
}

/** A pair of braces without another opening brace or a line's end in it. */
const ANY_PAIR = /\{[^{\n\r\u2028\u2029]*\}/;

/** The patterns that a pattern with braces stands for. @throws RangeError ERR_THREADFS_GLOB_LIMIT */
export function expandBraces(pattern: string): string[] {
  if (!ANY_PAIR.test(pattern)) return [pattern];
  const loose = unusedCharacter(pattern);
  const expander = new Expander(loose);
  const expanded = pattern.startsWith("{}")
    ? expander.expand(pattern.slice(2), true, 0, "{}")
    : expander.expand(pattern, true, 0);
  return expanded.map((text) => text.replaceAll(loose, "}"));
}
