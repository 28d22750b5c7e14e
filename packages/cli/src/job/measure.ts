/**
 * Makes a row of the table out of the workers' measurements.
 */
import { type CounterValues, counterSum, rcuShare } from "../support/counters.js";
import { defined } from "../support/defined.js";
import type { Row } from "./report.js";

/** What one thread measured. */
export interface Measured {
  lookups: number;
  seconds: number;
  /** Of another file system: answers that differ from those of threadfs. */
  differing?: number;
  counters?: CounterValues;
}

/** Adds up rounds: for each thread its lookups and the time they took. */
export function joinRounds(rounds: Measured[][]): Measured[] {
  const [first = []] = rounds;
  return first.map((_, thread) => {
    const parts = rounds.map((round) => defined(round[thread], `thread ${thread} of a round`));
    const joined: Measured = { lookups: total(parts, "lookups"), seconds: total(parts, "seconds") };
    if (parts.some(({ differing }) => differing !== undefined)) joined.differing = total(parts, "differing");
    const counters = countersOf(parts);
    if (counters.length > 0) joined.counters = counterSum(counters);
    return joined;
  });
}

export function rowOf(name: string, threads: Measured[]): Row {
  const perThread = threads.map(({ lookups, seconds }) => lookups / seconds);
  const lookups = total(threads, "lookups");
  const row: Row = { name, lookups, perThread, all: perThread.reduce((sum, rate) => sum + rate, 0) };
  const counters = countersOf(threads);
  if (counters.length > 0) row.rcuShare = rcuShare(counterSum(counters));
  const differing = total(threads, "differing");
  if (differing > 0) row.differing = differing / Math.max(1, lookups);
  return row;
}

function total(parts: Measured[], field: "lookups" | "seconds" | "differing"): number {
  return parts.reduce((sum, part) => sum + (part[field] ?? 0), 0);
}

function countersOf(parts: Measured[]): CounterValues[] {
  return parts.map(({ counters }) => counters).filter((counters) => counters !== undefined);
}
