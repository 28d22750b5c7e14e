/**
 * The tree of a pattern of one name: sequences of text and of extended globs (`@(a|b)`, `!(a)`), whose alternatives are sequences
 * again. It has the shape that Node gives it, since what a pattern matches depends on it: see {@link parseGroups}.
 */
import { beyondLimit, NESTING_MAX, STATES_MAX } from "./limits.js";

export type Kind = "!" | "?" | "+" | "*" | "@";

/** Kinds of groups whose alternatives a group takes over, where one of them is only an alternative of it. */
const TAKES: Readonly<Record<Kind, string>> = { "!": "@", "?": "?@", "@": "@", "*": "*+?@", "+": "+@" };
/** The same with an empty alternative more. */
const TAKES_WITH_NOTHING: Readonly<Record<Kind, string>> = { "!": "?", "?": "", "@": "?", "*": "", "+": "?*" };
/** All of them: within these a group does not count as nested. */
const TAKES_ANY: Readonly<Record<Kind, string>> = { "!": "?@", "?": "?@", "@": "?@", "*": "*+?@", "+": "+@?*" };
/** The kind of a group whose only alternative is only a group. */
const BECOMES: Readonly<Record<Kind, Readonly<Partial<Record<Kind, Kind>>>>> = {
  "!": { "!": "@" },
  "?": { "*": "*", "+": "*" },
  "@": { "!": "!", "?": "?", "@": "@", "*": "*", "+": "+" },
  "*": {},
  "+": { "?": "*", "*": "*" },
};

function isKind(char: string | undefined): char is Kind {
  return char === "!" || char === "?" || char === "+" || char === "*" || char === "@";
}

/** Passes of {@link Branch.flatten} over one group, as in Node. */
const PASSES = 10;

/** Counts the nodes of a tree. */
class Counter {
  #count = 0;

  add(): void {
    if (++this.#count > STATES_MAX) beyondLimit("alternatives in extended globs", STATES_MAX);
  }
}

/** A sequence (without a kind) or a group. */
export class Branch {
  kind: Kind | undefined;
  parts: (string | Branch)[] = [];
  /** Whether the text before the closing parenthesis is empty: then Node takes `!(...)` for `!()`, which is anything but nothing. */
  endsEmpty = false;
  parent: Branch | undefined;
  /** Its place in the parts of its parent when it was made. */
  readonly index: number;
  readonly #counter: Counter;

  constructor(kind: Kind | undefined, parent?: Branch) {
    this.kind = kind;
    this.parent = parent;
    this.index = parent?.parts.length ?? 0;
    this.#counter = parent === undefined ? new Counter() : parent.#counter;
    this.#counter.add();
  }

  push(part: string | Branch): void {
    if (part !== "") this.parts.push(part);
  }

  /** Whether the start of the name is its start, as far as only `!(...)` is before it. */
  isStart(): boolean {
    const { parent } = this;
    if (parent === undefined) return true;
    if (!parent.isStart()) return false;
    for (let i = 0; i < this.index; i++) {
      const before = parent.parts[i];
      if (!(before instanceof Branch) || before.kind !== "!") return false;
    }
    return true;
  }

  /** Whether its end is the end of the name, or of what `!(...)` excludes. */
  isEnd(): boolean {
    const { parent } = this;
    if (parent === undefined || parent.kind === "!") return true;
    if (!parent.isEnd()) return false;
    return this.kind === undefined || this.index === parent.parts.length - 1;
  }

  /** The pattern again. */
  text(): string {
    const texts = this.parts.map((part) => (typeof part === "string" ? part : part.text()));
    return this.kind === undefined ? texts.join("") : `${this.kind}(${texts.join("|")})`;
  }

  /** The group that is all of this sequence. */
  #onlyGroup(): Branch | undefined {
    const [part] = this.parts;
    return this.kind === undefined && this.parts.length === 1 && part instanceof Branch && part.kind !== undefined
      ? part
      : undefined;
  }

  /** Takes over the alternatives of groups that are alternatives. */
  flatten(): void {
    const { kind } = this;
    if (kind === undefined) {
      for (const part of this.parts) if (part instanceof Branch) part.flatten();
      return;
    }
    let changed = true;
    for (let pass = 0; changed && pass < PASSES; pass++) {
      changed = false;
      for (let i = 0; i < this.parts.length; i++) {
        const part = this.parts[i];
        if (!(part instanceof Branch)) continue;
        part.flatten();
        if (this.#takeOver(part, i)) changed = true;
      }
    }
  }

  #takeOver(sequence: Branch, at: number): boolean {
    const { kind } = this;
    const group = sequence.#onlyGroup();
    if (kind === undefined || group?.kind === undefined) return false;
    const withNothing = !TAKES[kind].includes(group.kind) && TAKES_WITH_NOTHING[kind].includes(group.kind);
    if (TAKES[kind].includes(group.kind) || withNothing) {
      if (withNothing) {
        const nothing = new Branch(undefined, group);
        nothing.parts.push("");
        group.parts.push(nothing);
      }
      this.parts.splice(at, 1, ...group.parts);
    } else {
      const becomes = this.parts.length === 1 ? BECOMES[kind][group.kind] : undefined;
      if (becomes === undefined) return false;
      this.parts = group.parts;
      this.kind = becomes;
      this.endsEmpty = false;
    }
    for (const part of group.parts) if (part instanceof Branch) part.parent = this;
    return true;
  }

  /** Appends what follows this `!(...)` to its alternatives: the name must not match any of them as a whole. */
  appendRest(): void {
    if (this.kind !== "!") return;
    let from: Branch = this;
    for (let above = this.parent; above !== undefined; from = above, above = above.parent) {
      if (above.kind !== undefined) continue;
      for (let i = from.index + 1; i < above.parts.length; i++) {
        for (const alternative of this.parts) (alternative as Branch).#copyIn(above.parts[i] as string | Branch);
      }
    }
  }

  #copyIn(part: string | Branch): void {
    if (typeof part === "string") {
      this.push(part);
      return;
    }
    const copy = new Branch(part.kind, this);
    for (const below of part.parts) copy.#copyIn(below);
    this.push(copy);
  }
}

/** The end of the text that a bracket begins, for the search of parentheses. */
function bracketEnd(glob: string, start: number): number {
  const negated = glob[start + 1] === "!" || glob[start + 1] === "^";
  const end = glob.indexOf("]", start + (negated ? 3 : 2));
  return end === -1 ? glob.length : end + 1;
}

class Parser {
  readonly #glob: string;
  #at = 0;
  /** All `!(...)` in the order of their starts. */
  readonly negations: Branch[] = [];

  constructor(glob: string) {
    this.#glob = glob;
  }

  parse(): Branch {
    const root = new Branch(undefined);
    this.#sequence(root, undefined, 0, 0);
    return root;
  }

  /** Reads a sequence to its end, or in a group to the end of the alternative. Returns what ended it, and the last text. */
  #sequence(into: Branch, group: Branch | undefined, depth: number, nesting: number): { end: string; text: string } {
    const glob = this.#glob;
    let text = "";
    while (this.#at < glob.length) {
      const char = glob[this.#at] as string;
      const taken = group?.kind !== undefined && TAKES_ANY[group.kind].includes(char);
      if (char === "[") {
        const end = bracketEnd(glob, this.#at);
        text += glob.slice(this.#at, end);
        this.#at = end;
      } else if (isKind(char) && glob[this.#at + 1] === "(" && (depth <= 2 || taken)) {
        into.push(text);
        text = "";
        this.#at++;
        this.#group(into, char, group !== undefined && taken ? depth : depth + 1, nesting + 1);
      } else {
        this.#at++;
        if (group !== undefined && (char === "|" || char === ")")) {
          into.push(text);
          return { end: char, text };
        }
        text += char;
      }
    }
    into.push(text);
    return { end: "", text };
  }

  /** Reads a group from its opening parenthesis. One that does not end is text. */
  #group(parent: Branch, kind: Kind, depth: number, nesting: number): void {
    if (nesting > NESTING_MAX) beyondLimit("nested extended globs", NESTING_MAX);
    const start = this.#at++;
    const group = new Branch(kind, parent);
    parent.push(group);
    if (kind === "!") this.negations.push(group);
    const alternatives: Branch[] = [];
    for (;;) {
      const alternative = new Branch(undefined, group);
      alternatives.push(alternative);
      const { end, text } = this.#sequence(alternative, group, depth, nesting);
      if (end === "|") continue;
      if (end === ")") {
        group.endsEmpty = text === "";
        group.parts.push(...alternatives);
      } else {
        group.kind = undefined;
        group.parts = [this.#glob.slice(start - 1)];
      }
      return;
    }
  }
}

/**
 * The tree of a pattern of one name, as Node changes it: groups that are alternatives of groups are merged into them, and the
 * alternatives of `!(...)` have all that follows it appended.
 * @throws RangeError ERR_THREADFS_GLOB_LIMIT
 */
export function parseGroups(glob: string): Branch {
  const parser = new Parser(glob);
  const root = parser.parse();
  root.flatten();
  // The last first: what is copied is complete then.
  for (const negation of parser.negations.reverse()) negation.appendRest();
  return root;
}
