/** Sets of operations on a tree: their harnesses, their names in a replay, and the filter of the command line. */

import type { Program } from "../machine/machine.js";
import { coreProgram } from "../machine/program.js";
import { type OperationSet, operations, type Pair, type TreeOperation } from "../scenario/operations.js";
import { UsageError } from "../support/usage-error.js";
import { Harness, type HarnessOptions } from "./harness.js";

/** In what the harnesses of one tree differ. */
export type Setting = Pick<HarnessOptions, "threads" | "polls" | "spins">;

/** Harnesses by tree and number of threads: to prepare one costs as much as some hundred runs. */
export class Harnesses {
  readonly #program: Program;
  readonly #options: Pick<HarnessOptions, "clocks" | "nearEnd">;
  readonly #harnesses = new Map<string, Harness>();

  constructor(program: Program, options: Pick<HarnessOptions, "clocks" | "nearEnd"> = {}) {
    this.#program = program;
    this.#options = options;
  }

  of(tree: string, { threads = 2, polls = false, spins = false }: Setting = {}): Harness {
    const key = `${tree} ${threads} ${polls} ${spins}`;
    const setting = { threads, polls, spins };
    const harness = this.#harnesses.get(key) ?? new Harness(this.#program, tree, { ...this.#options, ...setting });
    this.#harnesses.set(key, harness);
    return harness;
  }
}

/** The name of a set of operations in a replay. */
export function caseId(
  tree: string,
  ops: readonly TreeOperation[],
  { polls = false, nearEnd = false, spins = false }: Setting & Pick<HarnessOptions, "nearEnd"> = {},
): string {
  const place = `${tree}${polls ? "+polls" : ""}${nearEnd ? "+near-end" : ""}${spins ? "+spins" : ""}`;
  return [place, ...ops.map((op) => operations.indexOf(op))].join("|");
}

/** The operations of two threads. */
export const pairSet = ({ tree, a, b }: Pair): OperationSet => ({ tree, ops: [a, b] });

/** A pair as `--only` takes it. */
export const pairName = ({ tree, a, b }: Pair): string => `${tree}@${a.name} || ${b.name}`;

/** Whether a pair matches "KIND or NAME" or "ONE || OTHER"; "TREE@" may stand in front. */
export function matchesPair(only: string | undefined): (pair: Pair) => boolean {
  if (only === undefined) return () => true;
  const [, place, text = ""] = /^(?:(\w+)@)?(.*)$/s.exec(only) ?? [];
  const [one = "", other] = text.split("||").map((part) => part.trim());
  const fits = (op: TreeOperation, part: string) => op.kind === part || op.name.includes(part);
  return ({ tree, a, b }) => {
    if (place !== undefined && tree !== place) return false;
    if (other === undefined) return fits(a, one) || fits(b, one);
    return (fits(a, one) && fits(b, other)) || (fits(a, other) && fits(b, one));
  };
}

/** Whether two operations of a set match, see matchesPair(). */
export function matchesSet(only: string | undefined): (set: OperationSet) => boolean {
  const matches = matchesPair(only);
  return ({ tree, ops }) => ops.some((a, n) => ops.slice(n + 1).some((b) => matches({ tree, a, b })));
}

/** Repeats one schedule: "tree|n|n:schedule" with the numbers of the operations in the catalogue. @returns null, or what is wrong */
export function replayCase(text: string, log: (line: string) => void = console.log): string | null {
  const [set = "", schedule = ""] = text.split(":");
  const [place = "", ...numbers] = set.split("|");
  const [tree = "", ...more] = place.split("+");
  const ops = numbers.flatMap((n) => operations[Number(n)] ?? []);
  if (ops.length < 2 || ops.length < numbers.length)
    throw new UsageError("ERR_VERIFY_NO_MATCH", `No operations: ${set}`);
  const harness = new Harness(coreProgram(), tree, {
    threads: ops.length,
    polls: more.includes("polls"),
    nearEnd: more.includes("near-end"),
    spins: more.includes("spins"),
  });
  const { verdict, text: trace } = harness.trace(ops, schedule);
  log(trace);
  log(verdict ?? "allowed");
  return verdict;
}
