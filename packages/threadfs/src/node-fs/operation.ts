/**
 * An operation of the fs surface has two parts: it checks its arguments, then does its work. Node's callback and
 * promise forms throw (or reject) argument errors at once and deliver the rest later. With separate parts every form of
 * a call is made from the same table entry.
 *
 * Work is of two kinds. Most operations make one call of the core, or several that change nothing: `run`. If another thread
 * keeps such work waiting, it has not happened, and the asynchronous forms run it again. An operation that changes the tree by
 * several calls is a generator, `steps`: it yields where it has to wait, and goes on from there.
 */
import { sleep } from "../bridge/abilities.js";
import type { Left } from "../bridge/waiting.js";
import type { SystemCalls } from "./system-calls.js";

/** What the work of an operation checks, and its result. */
interface Parsed<A extends unknown[], P> {
  /** Checks and normalizes the arguments. @throws Node's ERR_ errors */
  readonly parse: (...args: A) => P;
}

/** An operation that runs as a whole. `A`: arguments as the caller passes them, `P`: checked arguments, `R`: result. */
export interface Operation<A extends unknown[], P, R> extends Parsed<A, P> {
  /** Does the work. @throws errors of system calls */
  readonly run: (calls: SystemCalls, parsed: P) => R;
  readonly steps?: undefined;
}

/** An operation of several steps. */
export interface Stepwise<A extends unknown[], P, R> extends Parsed<A, P> {
  /** Does the work. @throws errors of system calls */
  readonly steps: (calls: SystemCalls, parsed: P) => Steps<R>;
  readonly run?: undefined;
}

export type AnyOperation<A extends unknown[], P, R> = Operation<A, P, R> | Stepwise<A, P, R>;

/** Another thread keeps a step waiting. */
export class Busy {
  /** What the call threw that it had to leave. */
  readonly error: Error;
  /** Whether the step has waited before. */
  readonly again: boolean;

  constructor(error: Error, again: boolean) {
    this.error = error;
    this.again = again;
  }
}

/**
 * What a step waits for: another thread, a number of milliseconds, or a promise of the user's, whose value it is then given. Only
 * asynchronous forms have promises.
 */
export type Pause = Busy | number | Promise<unknown>;

/** Work that may have to wait. */
export type Steps<R> = Generator<Pause, R, unknown>;

/** A table entry; only infers the types. */
export function operation<A extends unknown[], P, R>(
  parse: (...args: A) => P,
  run: (calls: SystemCalls, parsed: P) => R,
): Operation<A, P, R> {
  return { parse, run };
}

/** A table entry of an operation of several steps; only infers the types. */
export function stepwise<A extends unknown[], P, R>(
  parse: (...args: A) => P,
  steps: (calls: SystemCalls, parsed: P) => Steps<R>,
): Stepwise<A, P, R> {
  return { parse, steps };
}

/** One step of such work, for `yield*`. */
export type Step<R> = Iterable<Pause, R, unknown>;

/** A step that did not have to wait, as nearly all: cheaper than a generator. */
class Done<R> implements IteratorReturnResult<R> {
  readonly done = true;
  readonly value: R;

  constructor(value: R) {
    this.value = value;
  }

  next(): IteratorReturnResult<R> {
    return this;
  }

  [Symbol.iterator](): this {
    return this;
  }
}

/**
 * A step: makes work at once; what is left is to wait, and to make it again, if another thread has kept it waiting, because then it has
 * not happened.
 * @throws Error ERR_THREADFS_TIMEOUT where waiting has to end
 */
export function step<R>(calls: SystemCalls, work: () => R): Step<R> {
  try {
    return new Done(work());
  } catch (error) {
    if (!calls.attachment.limit.isPassed(error)) throw error;
    return workAgain(calls, work, error);
  }
}

function* workAgain<R>(calls: SystemCalls, work: () => R, first: Error): Steps<R> {
  const { limit } = calls.attachment;
  let left: Left | undefined;
  let next = work;
  let error = first;
  try {
    for (let again = false; ; again = true) {
      const now = limit.leftOf(error);
      if (now !== undefined) {
        left = now;
        next = (now.goOn as (() => R) | undefined) ?? work;
      }
      yield new Busy(error, again);
      try {
        const result = next();
        left = undefined;
        return result;
      } catch (thrown) {
        if (!limit.isPassed(thrown)) throw thrown;
        error = thrown;
      }
    }
  } finally {
    left?.giveUp?.();
  }
}

/** Work of which the first part may be left before its end: then the rest goes on with it. */
export function andThen<A, R>(calls: SystemCalls, first: () => A, rest: (value: A) => R): R {
  let value: A;
  try {
    value = first();
  } catch (error) {
    const left = calls.attachment.limit.leftOf(error);
    const goOn = left?.goOn as (() => A) | undefined;
    if (left !== undefined && goOn !== undefined) left.goOn = () => andThen(calls, goOn, rest);
    throw error;
  }
  return rest(value);
}

/** Runs work to its end. */
export function runSteps<R>(steps: Steps<R>): R {
  let at = steps.next();
  while (!at.done) {
    if (typeof at.value === "number") {
      // A browser's main thread may not block: it goes on at once.
      sleep(at.value);
      at = steps.next();
    } else {
      // Calls have waited for as long as they may.
      at = steps.throw(at.value instanceof Busy ? at.value.error : new Error("A synchronous form has no promises"));
    }
  }
  return at.value;
}

/** The synchronous form of an operation for one context. */
export function syncForm<A extends unknown[], P, R>(calls: SystemCalls, op: AnyOperation<A, P, R>): (...args: A) => R {
  const { parse, run, steps } = op;
  if (run !== undefined) return (...args) => run(calls, parse(...args));
  return (...args) => runSteps(steps(calls, parse(...args)));
}
