/** Bracket expressions: `[a-z]`, `[!x]`, `[[:alpha:]_]`. */

/** One character of a name that matches. */
export type CharacterTest = (char: string) => boolean;

export interface Bracket {
  /** Units of the pattern that belong to it. */
  readonly length: number;
  /** The only character that it matches; then it is that character, and no magic. */
  readonly literal?: string;
  /** Makes its test, of code points or of UTF-16 units. */
  readonly test: (unicode: boolean) => CharacterTest;
  /** Whether it has a class of Unicode: then the characters of names are code points for the whole pattern, elsewhere UTF-16 units. */
  readonly unicode: boolean;
  /** Whether it is more than one set; Node protects names with a dot only from single sets at the start. */
  readonly combined: boolean;
}

/** The members of a class, as they stand in a set of a regular expression; `not`: the class is all that is not in the set. */
interface NamedClass {
  readonly set: string;
  readonly unicode: boolean;
  readonly not?: true;
}

const CLASSES: readonly (readonly [name: string, NamedClass])[] = [
  ["[:alnum:]", { set: "\\p{L}\\p{Nl}\\p{Nd}", unicode: true }],
  ["[:alpha:]", { set: "\\p{L}\\p{Nl}", unicode: true }],
  ["[:ascii:]", { set: "\\x00-\\x7f", unicode: false }],
  ["[:blank:]", { set: "\\p{Zs}\\t", unicode: true }],
  ["[:cntrl:]", { set: "\\p{Cc}", unicode: true }],
  ["[:digit:]", { set: "\\p{Nd}", unicode: true }],
  ["[:graph:]", { set: "\\p{Z}\\p{C}", unicode: true, not: true }],
  ["[:lower:]", { set: "\\p{Ll}", unicode: true }],
  ["[:print:]", { set: "\\p{C}", unicode: true }],
  ["[:punct:]", { set: "\\p{P}", unicode: true }],
  ["[:space:]", { set: "\\p{Z}\\t\\r\\n\\v\\f", unicode: true }],
  ["[:upper:]", { set: "\\p{Lu}", unicode: true }],
  ["[:word:]", { set: "\\p{L}\\p{Nl}\\p{Nd}\\p{Pc}", unicode: true }],
  ["[:xdigit:]", { set: "A-Fa-f0-9", unicode: false }],
];

/** A character as a member of a set. */
function member(char: string): string {
  return /[[\]\\-]/.test(char) ? `\\${char}` : char;
}

/** What a bracket expression has in it. */
class Members {
  readonly sets: string[] = [];
  readonly complements: string[] = [];
  unicode = false;
  /** The only character, as long as there is one. */
  only: string | undefined;

  add(set: string, char?: string): void {
    this.only = this.sets.length === 0 ? char : undefined;
    this.sets.push(set);
  }

  addClass({ set, unicode, not }: NamedClass): void {
    this.only = undefined;
    (not ? this.complements : this.sets).push(set);
    this.unicode ||= unicode;
  }

  addRange(first: string, last: string): void {
    if (last > first) this.add(`${member(first)}-${member(last)}`);
    else if (last === first) this.add(member(last), last);
  }

  source(negated: boolean): string {
    const [not, yes] = negated ? ["^", ""] : ["", "^"];
    const groups: string[] = [];
    if (this.sets.length > 0) groups.push(`[${not}${this.sets.join("")}]`);
    if (this.complements.length > 0) groups.push(`[${yes}${this.complements.join("")}]`);
    return groups.join("|");
  }
}

/** Tests single characters only: nothing that could go back and try again. */
function characterTest(source: string, unicode: boolean): CharacterTest {
  let one: RegExp;
  try {
    one = new RegExp(`^(?:${source})$`, unicode ? "u" : "");
  } catch {
    // Halves of characters that make a range which ends before it begins.
    return NEVER;
  }
  return (char) => one.test(char);
}

const NEVER: CharacterTest = () => false;

/** A bracket expression without a member takes all that follows it, and matches nothing. */
function impossible(length: number): Bracket {
  return { length, test: () => NEVER, unicode: false, combined: true };
}

/** The bracket expression at `start`; undefined: it does not end, and the bracket is a character. */
export function parseBracket(glob: string, start: number): Bracket | undefined {
  const members = new Members();
  const negated = glob[start + 1] === "!" || glob[start + 1] === "^";
  const begin = start + (negated ? 2 : 1);
  let rangeFrom = "";
  let at = begin;
  for (; at < glob.length; at++) {
    const char = glob[at] as string;
    if (char === "]" && at > begin) break;
    const named = char === "[" ? CLASSES.find(([name]) => glob.startsWith(name, at)) : undefined;
    if (named !== undefined) {
      if (rangeFrom !== "") return impossible(glob.length - start);
      members.addClass(named[1]);
      at += named[0].length - 1;
    } else if (rangeFrom !== "") {
      members.addRange(rangeFrom, char);
      rangeFrom = "";
    } else if (glob.startsWith("-]", at + 1)) {
      members.add(`${member(char)}\\-`);
      at += 1;
    } else if (glob[at + 1] === "-") {
      rangeFrom = char;
      at += 1;
    } else {
      members.add(member(char), char);
    }
  }
  if (at >= glob.length) return undefined;
  const { sets, complements, only, unicode } = members;
  if (sets.length === 0 && complements.length === 0) return impossible(glob.length - start);
  const length = at + 1 - start;
  // A line's end is no single character in Node's test for one.
  const isSingle = only !== undefined && !negated && complements.length === 0 && !/[\n\r\u2028\u2029]/.test(only);
  if (isSingle) return { length, literal: only, test: () => (char) => char === only, unicode: false, combined: false };
  const source = members.source(negated);
  const combined = sets.length > 0 && complements.length > 0;
  return { length, test: (asPoints) => characterTest(source, asPoints), unicode, combined };
}
