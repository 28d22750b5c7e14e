/**
 * Mutations of the core: small changes of its source, each by one operator, at every place where the operator applies. The source is
 * parsed by the compiler's own parser, so that a place is a node of the tree and not a pattern in the text.
 */
import { createHash } from "node:crypto";
import * as assemblyscript from "assemblyscript";
import { elementAt } from "../support/defined.js";

export type Operator =
  | "drop a check"
  | "drop a put"
  | "swap two stores"
  | "weaken a compare"
  | "skip an undo-log entry"
  | "skip a wake-up"
  | "off by one";

/** A change of one file: the text from `start` to `end` is replaced. */
export interface Mutation {
  operator: Operator;
  /** Below core/. */
  file: string;
  /** The function or method that it changes; empty outside of all. */
  within: string;
  line: number;
  column: number;
  start: number;
  end: number;
  to: string;
  /** The change as a reader sees it; with the operator, the file and the function it is the only one. */
  change: string;
}

/** A node of the parser's tree as far as operators need it. The parser's own types are internal to AssemblyScript. */
interface Node {
  kind: number;
  range: { start: number; end: number };
  [field: string]: unknown;
}

/** Kinds of nodes: the numbers of the parser's NodeKind, a const enum that has no object in JavaScript. */
const KIND = {
  BINARY: 9,
  LITERAL: 17,
  BREAK: 32,
  CONTINUE: 33,
  EXPRESSION: 39,
  IF: 42,
  IMPORT: 43,
  RETURN: 44,
  BLOCK: 31,
};

/** Calls that give back what the thread holds, or end what it has begun. */
const PUTS =
  /^(?:(?:d|i|f|mnt|path)put\w*|pathPut|put(?:Context|Pending|Unused\w+|Detached)|release\w*|unlock\w*|mutexUnlock|rcuReadUnlock|leaveActive|writeSeqEnd|terminateWalk|retire\w*|kfree\w*|slabFree|unpin|deactivateSuper|doneP\w+)\(/;
const WAKES = /^(?:atomic\.notify|wake\w*)\(/;
const STORES = /^(?:put32|put64|set32|setFlags|store<\w+>|atomic\.store<\w+>)\(|^[\w.]+ = (?!.*\bnew\b)/;
/** The calls that log an old value, and those that store without it. */
const LOGGED: [RegExp, string][] = [
  [/^put32\(/, "atomic.store<u32>("],
  [/^put64\(/, "atomic.store<u64>("],
  [/^set32\(/, "store<u32>("],
];
const COMPARES: Record<string, string> = { "<": "<=", "<=": "<", ">": ">=", ">=": ">" };

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "kind" in value && "range" in value;

/** The nodes right below a node. */
function below(node: Node): Node[] {
  return Object.entries(node).flatMap(([field, value]) => {
    if (field === "range" || field === "parent") return [];
    return Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [];
  });
}

/** The statements of a file. @throws Error for a text that the parser refuses */
function parsed(file: string, text: string): Node[] {
  const program = assemblyscript.newProgram(assemblyscript.newOptions());
  assemblyscript.parse(program, text, `core/${file}`, true);
  const source = program.sources.find(({ normalizedPath }) => normalizedPath === `core/${file}`);
  if (source === undefined) throw new Error(`core/${file} was not parsed`);
  return source.statements as unknown as Node[];
}

/** Text up to this length is shown with the whole line around it: alone it does not tell one place from another. */
const SHORT_TEXT = 40;

export const oneLine = (text: string) => text.replaceAll(/\s+/g, " ").trim();

/** `[before -> after]`, in its line if it is short. */
function changeOf({ start, end, to }: Pick<Mutation, "start" | "end" | "to">, text: string): string {
  const change = `[${oneLine(text.slice(start, end))} -> ${oneLine(to)}]`;
  if (end - start > SHORT_TEXT) return change;
  const next = text.indexOf("\n", end);
  const before = text.slice(text.lastIndexOf("\n", start) + 1, start);
  const after = text.slice(end, next < 0 ? text.length : next);
  return oneLine(`${before}${change}${after}`);
}

/** Collects the mutations of one file. */
class Finder {
  readonly found: Mutation[] = [];
  readonly #file: string;
  readonly #text: string;
  #within = "";

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }

  #textOf({ range: { start, end } }: Node): string {
    return this.#text.slice(start, end);
  }

  #add(operator: Operator, start: number, end: number, to: string): void {
    const before = this.#text.slice(0, start).split("\n");
    const column = (before.at(-1) ?? "").length + 1;
    const [file, within] = [this.#file, this.#within];
    const change = changeOf({ start, end, to }, this.#text);
    this.found.push({ operator, file, within, line: before.length, column, start, end, to, change });
  }

  #replace(operator: Operator, node: Node, to: string): void {
    this.#add(operator, node.range.start, node.range.end, to);
  }

  visit(node: Node): void {
    if (node.kind === KIND.IMPORT) return;
    const around = this.#within;
    if (isNode(node.name) && isNode(node.signature)) this.#within = this.#textOf(node.name);
    this.#inside(node);
    this.#within = around;
  }

  #inside(node: Node): void {
    const text = this.#textOf(node);
    if (text.startsWith("tracepoint(")) return;
    if (node.kind === KIND.IF) this.#guard(node);
    if (node.kind === KIND.EXPRESSION) this.#call(node, text);
    if (node.kind === KIND.BINARY) this.#compare(node, text);
    if (node.kind === KIND.LITERAL && /^[1-9]\d{0,8}$/.test(text))
      this.#replace("off by one", node, `${Number(text) + 1}`);
    const children = below(node);
    for (const [n, child] of children.entries()) {
      this.visit(child);
      const next = children[n + 1];
      if (next !== undefined) this.#stores(child, next);
    }
  }

  /** An `if` without `else` that leaves the function, the loop or the turn. */
  #guard(node: Node): void {
    if (isNode(node.ifFalse) || !isNode(node.ifTrue)) return;
    const last = node.ifTrue.kind === KIND.BLOCK ? below(node.ifTrue).at(-1) : node.ifTrue;
    if (last === undefined || ![KIND.RETURN, KIND.BREAK, KIND.CONTINUE].includes(last.kind)) return;
    this.#replace("drop a check", node, "{}");
  }

  #call(node: Node, text: string): void {
    if (PUTS.test(text)) this.#replace("drop a put", node, "0");
    if (WAKES.test(text)) this.#replace("skip a wake-up", node, "0");
    for (const [logged, plain] of LOGGED) {
      if (logged.test(text)) this.#replace("skip an undo-log entry", node, text.replace(logged, plain));
    }
  }

  #compare(node: Node, text: string): void {
    const { left, right } = node;
    if (!isNode(left) || !isNode(right)) return;
    const between = this.#text.slice(left.range.end, right.range.start);
    const operator = between.trim();
    const weaker = COMPARES[operator];
    if (weaker !== undefined)
      this.#add("weaken a compare", left.range.end, right.range.start, between.replace(operator, weaker));
    else if (operator === "==") this.#replace("weaken a compare", node, "true");
    else if (operator === "!=" && !text.endsWith("null")) this.#replace("weaken a compare", node, "true");
  }

  /** Two stores, one after the other, change places. */
  #stores(one: Node, two: Node): void {
    if (one.kind !== KIND.EXPRESSION || two.kind !== KIND.EXPRESSION) return;
    const [first, second] = [this.#textOf(one), this.#textOf(two)];
    if (!STORES.test(first) || !STORES.test(second)) return;
    const between = this.#text.slice(one.range.end, two.range.start);
    this.#add("swap two stores", one.range.start, two.range.end, second + between + first);
  }
}

/** Numbers the changes of a file that read the same, so that each has a name of its own. */
function numbered(found: Mutation[]): Mutation[] {
  const same = new Map<string, Mutation[]>();
  for (const mutation of found) {
    const key = [mutation.operator, mutation.within, mutation.change].join("\0");
    same.set(key, [...(same.get(key) ?? []), mutation]);
  }
  for (const alike of same.values()) {
    if (alike.length === 1) continue;
    for (const [n, mutation] of alike.entries()) mutation.change += ` (${n + 1} of ${alike.length})`;
  }
  return found;
}

/** Every mutation of a file. @throws Error for a text that the parser refuses */
export function mutationsOf(file: string, text: string): Mutation[] {
  const finder = new Finder(file, text);
  for (const statement of parsed(file, text)) finder.visit(statement);
  return numbered(finder.found);
}

/** A mutation as an edit: with as many lines around it as make its text the only one in the file. */
export function editOf({ file, start, end, to }: Mutation, text: string): { file: string; from: string; to: string } {
  let [from, till] = [start, end];
  while (text.split(text.slice(from, till)).length !== 2) {
    from = text.lastIndexOf("\n", from - 2) + 1;
    const next = text.indexOf("\n", till + 1);
    till = next < 0 ? text.length : next;
    if (from <= 0 && till === text.length) break;
  }
  return { file, from: text.slice(from, till), to: text.slice(from, start) + to + text.slice(end, till) };
}

const placeOf = ({ operator, file, within, change }: Mutation, seed: number): string =>
  createHash("sha256").update([seed, operator, file, within, change].join("\0")).digest("hex");

function sortedBy<T>(list: readonly T[], key: (item: T) => string): T[] {
  const keyed = list.map((item) => ({ item, key: key(item) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ item }) => item);
}

/**
 * One of each operator in turn, until none is left. The place of a mutation in its operator's list depends on the seed and on the mutation
 * alone, so that a change of other lines of the core hardly changes which ones a seed chooses.
 */
export function inTurn(all: readonly Mutation[], seed: number): Mutation[] {
  const kinds = new Map<Operator, Mutation[]>();
  for (const mutation of all) kinds.set(mutation.operator, [...(kinds.get(mutation.operator) ?? []), mutation]);
  const lists = [...kinds.entries()].sort().map(([, list]) => sortedBy(list, (mutation) => placeOf(mutation, seed)));
  const out: Mutation[] = [];
  for (let n = 0; out.length < all.length; n++) {
    for (const list of lists) if (n < list.length) out.push(elementAt(list, n));
  }
  return out;
}
