/** How an operation becomes a form with a callback, as those of `node:fs`. callback-table.ts has all of them. */
import { invalidArgType } from "../../errors/errors.js";
import type { AnyOperation } from "../operation.js";
import type { SystemCalls } from "../system-calls.js";
import { abortError } from "./abort.js";
import { type Ends, inLaterTurn, runAbortable, runLater } from "./later.js";

export type Callback = (...results: unknown[]) => void;
export type Given = readonly unknown[];

/** Which of the arguments is the callback, and which come before it. */
type Find = (given: Given) => { callback: unknown; before: Given };

/** The callback is the argument at an index. */
export const at =
  (index: number): Find =>
  (given) => ({ callback: given[index], before: given.slice(0, index) });

/** The argument at an index may be left out: then the callback stands there. */
export const optional = (index: number): Find => {
  const there = at(index);
  const behind = at(index + 1);
  return (given) => (typeof given[index] === "function" ? there : behind)(given);
};

/** Node takes the argument at an index for the callback if there is no other. */
export const otherwise =
  (index: number): Find =>
  (given) => ({ callback: given[index + 1] || given[index], before: given.slice(0, index + 1) });

/** A form of an operation. `P`: checked arguments. */
export interface Form<P> {
  readonly find: Find;
  /**
   * Checks all arguments, the callback by `check` in its place among them.
   * @throws argument errors, in the caller's turn
   */
  readonly parse: (before: Given, check: (name?: string) => void) => P;
  /** The callback gets a value that is undefined too. */
  readonly mayMiss?: boolean;
  readonly signal?: (parsed: P) => AbortSignal | undefined;
  /** It listens to the signal; otherwise it looks at it. */
  readonly listens?: boolean;
}

/** @throws TypeError ERR_INVALID_ARG_TYPE */
export function checkCallback(callback: unknown, name = "cb"): asserts callback is Callback {
  if (typeof callback !== "function") throw invalidArgType(name, "of type function", callback);
}

/** The arguments of an operation's own function, with the callback checked before all others. */
export function checkedFirst<A extends unknown[], P>(op: { readonly parse: (...args: A) => P }): Form<P>["parse"] {
  return (before, check) => {
    check();
    return op.parse(...(before as A));
  };
}

/** The same with the callback checked after all others. */
export function checkedLast<A extends unknown[], P>(op: { readonly parse: (...args: A) => P }): Form<P>["parse"] {
  return (before, check) => {
    const parsed = op.parse(...(before as A));
    check();
    return parsed;
  };
}

/** The same with the callback checked before the descriptor, which Node's C++ looks at, and after the other arguments. */
export function fdLast<A extends [number, ...unknown[]], P>(op: {
  readonly parse: (...args: A) => P;
}): Form<P>["parse"] {
  return (before, check) => {
    op.parse(...([0, ...before.slice(1)] as A));
    check();
    return op.parse(...(before as A));
  };
}

/** The signal of a form whose checked arguments have one. */
export const signalOf = ({ signal }: { signal: AbortSignal | undefined }): AbortSignal | undefined => signal;

/** The form of an operation, for one context. */
export function callbackForm<A extends unknown[], Q, P extends Q, R>(
  calls: SystemCalls,
  op: AnyOperation<A, Q, R>,
  form: Form<P>,
): (...given: unknown[]) => void {
  const { find, parse, signal, mayMiss = false, listens = false } = form;
  return (...given) => {
    const { callback, before } = find(given);
    const parsed = parse(before, (name) => checkCallback(callback, name));
    const done = callback as Callback;
    const ends: Ends<R> = {
      // A call without a result passes nothing but the null.
      succeeded: (value) => inLaterTurn(() => (value === undefined && !mayMiss ? done(null) : done(null, value))),
      failed: (error) => inLaterTurn(() => done(error)),
    };
    const aborts = signal?.(parsed);
    if (aborts === undefined) runLater(calls, op, parsed, ends);
    // As in Node: in the caller's turn.
    else if (aborts.aborted) done(abortError(aborts));
    else runAbortable(calls, op, parsed, { signal: aborts, listens }, ends, listens ? done : ends.failed);
  };
}
