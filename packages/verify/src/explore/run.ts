/** Runs of an exploration: their results, and the verdict on each. */
import type { Controller, Machine, Operation, Outcome } from "../machine/machine.js";

/** A deadline that is never reached. */
export const NO_DEADLINE = 1e15;

/** Judges a run that has ended. @returns null, or what is wrong with it */
export type Judge = (outcome: Outcome) => string | null;

export interface ScheduleFailure {
  message: string;
  /** The schedule, for parseSchedule(). */
  replay: string;
  trace?: string;
}

export interface Explored {
  /** Schedules run, among them those that were abandoned in a known state. */
  runs: number;
  /** Runs that reached their end. */
  schedules: number;
  /** Distinct states at decisions. */
  states: number;
  /** Words that are scheduling points. */
  conflicts: number;
  /** Every schedule within the bound was covered. */
  complete: boolean;
  failures: ScheduleFailure[];
}

export const nothingExplored = (): Explored => ({
  runs: 0,
  schedules: 0,
  states: 0,
  conflicts: 0,
  complete: false,
  failures: [],
});

/** A run in which the controller also decides before each call. */
export function runCallByCall(machine: Machine, operations: Operation[], controller: Controller): Outcome {
  machine.callByCall = true;
  try {
    return machine.run(operations, controller);
  } finally {
    machine.callByCall = false;
  }
}

/** @returns null, or what is wrong with a run */
export function verdict(outcome: Outcome, judge: Judge): string | null {
  if (outcome.status === "done") return judge(outcome);
  return outcome.status === "abandoned"
    ? "no thread can continue, and not all have ended"
    : `${outcome.status}: ${outcome.message}`;
}
