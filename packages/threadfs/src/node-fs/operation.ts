/**
 * An operation of the fs surface has two parts: it checks its arguments, then does its work. Node's callback and
 * promise forms throw (or reject) argument errors at once and deliver the rest later. With separate parts every form of
 * a call is made from the same table entry.
 */
import type { SystemCalls } from "./system-calls.js";

/** An operation. `A`: arguments as the caller passes them, `P`: checked arguments, `R`: result. */
export interface Operation<A extends unknown[], P, R> {
  /** Checks and normalizes the arguments. @throws Node's ERR_ errors */
  readonly parse: (...args: A) => P;
  /** Does the work. @throws errors of system calls */
  readonly run: (calls: SystemCalls, parsed: P) => R;
}

/** A table entry; only infers the types. */
export function operation<A extends unknown[], P, R>(
  parse: (...args: A) => P,
  run: (calls: SystemCalls, parsed: P) => R,
): Operation<A, P, R> {
  return { parse, run };
}

/** The synchronous form of an operation for one context. */
export function syncForm<A extends unknown[], P, R>(calls: SystemCalls, op: Operation<A, P, R>): (...args: A) => R {
  const { parse, run } = op;
  return (...args) => run(calls, parse(...args));
}
