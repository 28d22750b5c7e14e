/** The text between the groups of a pattern of one name, as what matches one character, or any number of them, each. */
import { type Bracket, parseBracket } from "./brackets.js";

export type Atom =
  | { readonly kind: "character"; readonly char: string }
  | { readonly kind: "any" }
  /** Any characters; `some`: at least one. */
  | { readonly kind: "star"; readonly some: boolean }
  | { readonly kind: "set"; readonly bracket: Bracket };

/** @param whole whether the text is all of the pattern: then stars alone do not match nothing */
export function parseText(text: string, whole: boolean): Atom[] {
  const atoms: Atom[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    const bracket = char === "[" ? parseBracket(text, at) : undefined;
    if (bracket !== undefined) {
      at += bracket.length - 1;
      const { literal } = bracket;
      atoms.push(literal === undefined ? { kind: "set", bracket } : { kind: "character", char: literal });
    } else if (char === "?") {
      atoms.push({ kind: "any" });
    } else if (char !== "*") {
      atoms.push({ kind: "character", char });
    } else if (atoms.at(-1)?.kind !== "star") {
      atoms.push({ kind: "star", some: whole && /^\*+$/.test(text) });
    }
  }
  return atoms;
}

const HALVES = /^[\ud800-\udbff][\udc00-\udfff]$/;

/** The same atoms with a character for each code point. */
export function joinHalves(atoms: readonly Atom[]): Atom[] {
  const joined: Atom[] = [];
  for (const atom of atoms) {
    const last = joined.at(-1);
    if (last?.kind === "character" && atom.kind === "character" && HALVES.test(last.char + atom.char)) {
      joined[joined.length - 1] = { kind: "character", char: last.char + atom.char };
    } else {
      joined.push(atom);
    }
  }
  return joined;
}
