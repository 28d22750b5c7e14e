/** A program: the calls of one thread, in order. An argument `{ of: n }` stands for the result of the program's n-th call. */
import type { Call, ProgramCall, ResultReference } from "./call.js";

const isReference = (value: unknown): value is ResultReference =>
  typeof value === "object" && value !== null && "of" in value;

/** The call with such arguments filled in; the result of a failed call is a descriptor that is not open. */
export function resolveCall(call: ProgramCall, results: readonly unknown[]): Call {
  const entries = Object.entries(call).map(([key, value]: [string, unknown]) => {
    if (!isReference(value)) return [key, value];
    const result = results[value.of];
    return [key, typeof result === "number" ? result : -1];
  });
  // References stand only where a call takes a number.
  return Object.fromEntries(entries) as Call;
}
