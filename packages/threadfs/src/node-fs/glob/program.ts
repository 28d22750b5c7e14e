/**
 * Compiles the pattern of one name to a state machine. A regular expression would go back and try again, and for some patterns never
 * end; here every state is at a position of the name or it is not (match.ts).
 */
import type { CharacterTest } from "./brackets.js";
import { Branch, type Kind, parseGroups } from "./groups.js";
import { beyondLimit, STATES_MAX } from "./limits.js";
import { type Atom, joinHalves, parseText } from "./text.js";

/** The states of a machine by number; `next` and `other` are numbers of states. */
export type State =
  | { readonly kind: "accept" }
  /** Takes a character that passes a test. */
  | { readonly kind: "take"; readonly test: CharacterTest; readonly next: number }
  /** Goes on with both. */
  | { readonly kind: "split"; readonly next: number; readonly other: number }
  /** Goes on if no dot comes next, if the name is not "." or "..", at the end of the name. */
  | { readonly kind: "no dot" | "no dots" | "end"; readonly next: number }
  /** Goes on if the machine that starts at `other` does not accept from here. */
  | { readonly kind: "unless"; readonly other: number; readonly next: number };

export interface Program {
  readonly states: readonly State[];
  readonly start: number;
  /** Whether a character is a code point; else a UTF-16 unit. */
  readonly unicode: boolean;
}

const ACCEPT = 0;
const anyCharacter: CharacterTest = () => true;

function isDots(text: string): boolean {
  return text === "." || text === "..";
}

/** What a part of a sequence is: atoms of text, or a group. */
type Item = Atom | Branch;

/** Whether Node's regular expression for it begins with a bracket: then, at the start, it does not match a dot. */
function beginsWithBracket(item: Item | undefined): boolean {
  if (item === undefined) return false;
  if (item instanceof Branch) return item.kind === "!" && item.endsEmpty;
  return item.kind === "any" || item.kind === "star" || (item.kind === "set" && !item.bracket.combined);
}

/** Whether a group is the empty one, of which Node makes a plain text: `@()`. After `!(a)` it is a mark of repetition or "@". */
function isEmptyGroup(group: Branch): boolean {
  return (
    group.kind !== undefined &&
    group.kind !== "!" &&
    group.isStart() &&
    group.isEnd() &&
    group.parts.every((part) => part instanceof Branch && part.parts.every((text) => text === ""))
  );
}

class Compiler {
  readonly states: State[] = [{ kind: "accept" }];
  readonly unicode: boolean;

  constructor(unicode: boolean) {
    this.unicode = unicode;
  }

  add(state: State): number {
    if (this.states.length >= STATES_MAX) beyondLimit("states", STATES_MAX);
    return this.states.push(state) - 1;
  }

  /** A state that is filled in later, since it is part of a loop. */
  #loop(make: (loop: number) => State): number {
    const loop = this.add({ kind: "accept" });
    this.states[loop] = make(loop);
    return loop;
  }

  #star(next: number): number {
    return this.#loop((loop) => {
      const take = this.add({ kind: "take", test: anyCharacter, next: loop });
      return { kind: "split", next, other: take };
    });
  }

  #atom(atom: Atom, next: number): number {
    if (atom.kind === "star") {
      const star = this.#star(next);
      return atom.some ? this.add({ kind: "take", test: anyCharacter, next: star }) : star;
    }
    if (atom.kind === "any") return this.add({ kind: "take", test: anyCharacter, next });
    if (atom.kind === "set") return this.add({ kind: "take", test: atom.bracket.test(this.unicode), next });
    const { char } = atom;
    return this.add({ kind: "take", test: (given) => given === char, next });
  }

  /** A sequence. @param dot whether it may begin with a dot */
  sequence(branch: Branch, dot: boolean, end: number): number {
    const items = itemsOf(branch, this.unicode);
    let next = branch.parent?.kind === "!" && branch.isEnd() ? this.add({ kind: "end", next: end }) : end;
    for (let i = items.length - 1; i >= 0; i--) {
      const item = items[i] as Item;
      if (!(item instanceof Branch)) next = this.#atom(item, next);
      else if (!isEmptyGroup(item)) next = this.#group(item, dot, next);
      else if (item.kind === "@") next = this.#atom({ kind: "character", char: "@" }, next);
      else if (i > 0) next = this.#repeat(items[--i] as Item, item.kind, dot, next);
    }
    return this.#start(branch, items, dot, next);
  }

  /** What Node demands at the start of a name before its first part. */
  #start(branch: Branch, items: readonly Item[], dot: boolean, next: number): number {
    const [first] = branch.parts;
    // A group that did not end.
    if (first instanceof Branch && first.kind === undefined) return this.#start(first, items, dot, next);
    if (typeof first !== "string" || !branch.isStart() || (branch.parts.length === 1 && isDots(first))) return next;
    const isDot = (item: Item | undefined) =>
      !(item instanceof Branch) && item?.kind === "character" && item.char === ".";
    const dots = !isDot(items[0]) ? 0 : !isDot(items[1]) ? 1 : 2;
    if (dots > 0 || dot) return beginsWithBracket(items[dots]) ? this.add({ kind: "no dots", next }) : next;
    return beginsWithBracket(items[0]) ? this.add({ kind: "no dot", next }) : next;
  }

  /** An item that is followed by a mark of repetition. */
  #repeat(item: Item, kind: Kind | undefined, dot: boolean, next: number): number {
    const one = (then: number) => (item instanceof Branch ? this.#group(item, dot, then) : this.#atom(item, then));
    if (kind === "?") return this.add({ kind: "split", next, other: one(next) });
    let body = next;
    const loop = this.#loop((again) => {
      body = one(again);
      return { kind: "split", next, other: body };
    });
    return kind === "+" ? body : loop;
  }

  #alternatives(group: Branch, dot: boolean, next: number): number {
    let all: number | undefined;
    const isWhole = group.isStart() && group.isEnd();
    for (const part of group.parts) {
      const sequence = part as Branch;
      // Node's expression of a group that is the whole name has no empty alternatives.
      if (isWhole && group.kind !== "!" && sequence.parts.every((text) => text === "")) continue;
      const start = this.sequence(sequence, dot, next);
      all = all === undefined ? start : this.add({ kind: "split", next: all, other: start });
    }
    return all ?? next;
  }

  #group(group: Branch, dot: boolean, next: number): number {
    const noDot = (then: number) => (group.isStart() && !dot ? this.add({ kind: "no dot", next: then }) : then);
    switch (group.kind) {
      case "!": {
        const rest = this.#star(next);
        if (group.endsEmpty) return noDot(this.add({ kind: "take", test: anyCharacter, next: rest }));
        return this.add({ kind: "unless", other: this.#alternatives(group, dot, ACCEPT), next: noDot(rest) });
      }
      case "?":
        return this.add({ kind: "split", next, other: this.#alternatives(group, dot, next) });
      case "*":
      case "+": {
        let again = next;
        // Only the first time may be at the start of the name.
        const loop = this.#loop((state) => {
          again = this.#alternatives(group, true, state);
          return { kind: "split", next, other: again };
        });
        if (dot) return group.kind === "+" ? again : loop;
        const first = this.#alternatives(group, false, loop);
        return group.kind === "+" ? first : this.add({ kind: "split", next, other: first });
      }
      default:
        return this.#alternatives(group, dot, next);
    }
  }
}

/** The items of a sequence; those of a group that did not end are its own. */
function itemsOf(branch: Branch, unicode: boolean): Item[] {
  const isWhole = branch.isStart() && branch.isEnd() && branch.parts.every((part) => typeof part === "string");
  const items: Item[] = [];
  for (const part of branch.parts) {
    if (typeof part === "string") {
      const atoms = parseText(part, isWhole);
      items.push(...(unicode ? joinHalves(atoms) : atoms));
    } else if (part.kind === undefined) {
      items.push(...itemsOf(part, unicode));
    } else {
      items.push(part);
    }
  }
  return items;
}

/** Whether a class of Unicode is somewhere in it. */
function hasUnicode(branch: Branch): boolean {
  return branch.parts.some((part) =>
    typeof part === "string"
      ? parseText(part, false).some((atom) => atom.kind === "set" && atom.bracket.unicode)
      : hasUnicode(part),
  );
}

/** The text that a pattern without magic stands for. */
function literalOf(items: readonly Item[]): string | undefined {
  let text = "";
  for (const item of items) {
    if (item instanceof Branch) {
      if (items.length > 1 || !isEmptyGroup(item)) return undefined;
      text += item.text();
    } else if (item.kind === "character") {
      text += item.char;
    } else {
      return undefined;
    }
  }
  return text;
}

/** Compiles the pattern of one name. A pattern without magic is its text. @throws RangeError ERR_THREADFS_GLOB_LIMIT */
export function compileName(glob: string): string | Program {
  const root = parseGroups(glob);
  const literal = literalOf(itemsOf(root, false));
  if (literal !== undefined) return literal;
  const unicode = hasUnicode(root);
  const compiler = new Compiler(unicode);
  const end = compiler.add({ kind: "end", next: ACCEPT });
  const start = compiler.sequence(root, false, end);
  return { states: compiler.states, start, unicode };
}
