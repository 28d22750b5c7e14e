/**
 * What an operation of the fs surface is: its arguments checked, then its work done. The two are apart because Node's
 * callback and promise forms throw (or reject) what is wrong with the arguments at once and deliver the rest later;
 * with them apart, every form of a call is made from the same entry of the table.
 */
import type { SystemCalls } from "./system-calls.js";

/** One operation: `A` its arguments as a caller gives them, `P` checked, `R` the answer. */
export interface Operation<A extends unknown[], P, R> {
  /** Checks the arguments and brings them to one form. @throws Node's ERR_ errors */
  readonly parse: (...args: A) => P;
  /** Does the work. @throws errors of system calls */
  readonly run: (calls: SystemCalls, parsed: P) => R;
}

/** An entry of the table; only there to infer the types. */
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
