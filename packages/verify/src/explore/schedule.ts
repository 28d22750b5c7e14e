/** A schedule as text, and its repetition. */
import {
  ABANDON,
  AT_CALL,
  AT_NO_THREAD,
  AT_WAIT,
  BLOCKED,
  LIMIT_PASSES,
  READY,
  SPINNING,
} from "../machine/constants.js";
import type { LogicalThread } from "../machine/logical-thread.js";
import type { Controller, Machine, Mark, Operation, Outcome, Segment } from "../machine/machine.js";
import { Choices } from "./choices.js";
import { runCallByCall } from "./run.js";

/**
 * A schedule as text: a letter for the thread, and the number of the access before which it gives way; with "w": of the wait in which
 * it sleeps; with "t": of the look at the clock at which its time limit passes, so that it goes on; without a number it ends.
 * "a120-b35w-a-b": a runs to before its 120th access, b to its 35th, where it waits, a to its end, b to its end.
 */
export function formatSchedule(schedule: readonly Segment[]): string {
  return schedule.map(([id, steps, mark]) => `${String.fromCharCode(97 + id)}${steps || ""}${mark}`).join("-");
}

/** @throws Error for a text that is no schedule */
export function parseSchedule(text: string): Segment[] {
  return text.split("-").map((part) => {
    const [, letter, steps, mark] = /^([a-h])(\d*)([wt]?)$/.exec(part) ?? [];
    if (letter === undefined) throw new Error(`No schedule: ${text}`);
    // The expression takes no other marks.
    return [letter.charCodeAt(0) - 97, Number(steps), mark as Mark];
  });
}

/** Repeats one schedule. After its end each thread runs to its own end. */
export class Replay implements Controller {
  readonly #schedule: readonly Segment[];
  #at = 0;
  readonly #choices = new Choices();

  constructor(schedule: readonly Segment[]) {
    this.#schedule = schedule;
  }

  choose(machine: Machine, t: LogicalThread | null, reason: number): number {
    const now = this.#schedule[this.#at];
    if (t !== null && now !== undefined) {
      const before = reason === AT_CALL ? t.steps + 1 : t.steps;
      const here = now[1] === before && (now[2] === "w") === (reason === AT_WAIT);
      if (here && now[2] === "t") {
        this.#at++;
        return LIMIT_PASSES;
      }
      // A thread that waits or has ended cannot go on, whatever the schedule says.
      if (here || reason === AT_WAIT || reason === AT_NO_THREAD) this.#at++;
      else return t.id;
    }
    const next = this.#schedule[this.#at];
    if (next !== undefined && canRun(machine.thread(next[0]))) return next[0];
    this.#choices.fill(machine, t, reason, 0);
    return this.#choices.count === 0 ? ABANDON : (this.#choices.ids[0] as number);
  }
}

const canRun = ({ state }: LogicalThread): boolean => state === READY || state === SPINNING || state === BLOCKED;

/** Repeats one schedule; every access is a scheduling point. */
export function replay(machine: Machine, operations: Operation[], schedule: string): Outcome {
  const before = machine.everyAccess;
  machine.everyAccess = true;
  try {
    return runCallByCall(machine, operations, new Replay(parseSchedule(schedule)));
  } finally {
    machine.everyAccess = before;
  }
}
