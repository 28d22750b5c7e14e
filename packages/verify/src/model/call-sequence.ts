/** A program: the calls of one thread, in order. An argument `{ of: n }` stands for the result of the program's n-th call. */
import { F_UNLCK, LOCK_UN } from "../../../threadfs/dist/abi/abi.js";
import { type Call, LEFT, type ProgramCall, type ResultReference } from "./call.js";

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

/** How often a program makes a call that it leaves each time, because it waits for too long. */
const ATTEMPTS = 2;

/** Whether a call gives up locks of files. */
const givesUpLocks = (call: ProgramCall): boolean =>
  call.call === "sysClose" ||
  call.call === "sysCloseTagged" ||
  call.call === "contextDestroy" ||
  (call.call === "sysFlock" && call.op === LOCK_UN) ||
  (call.call === "setLock" && call.type === F_UNLCK);

/**
 * Whether the program makes its last call again. A call that gives up locks is repeated until it has happened: the other thread could wait
 * for them without end. @param attempts how often it has made it
 */
export const isRepeated = (call: ProgramCall, result: unknown, attempts: number): boolean =>
  result === LEFT && (attempts < ATTEMPTS || givesUpLocks(call));

/** The calls that a program has made: those that it has left stand there again. @param results of all of them */
export function callsMade(calls: readonly ProgramCall[], results: readonly unknown[]): ProgramCall[] {
  if (!results.includes(LEFT)) return [...calls];
  const made: ProgramCall[] = [];
  /** The last attempt at each call. */
  const places: number[] = [];
  const moved = (value: unknown) => (isReference(value) ? { of: places[value.of] ?? value.of } : value);
  for (const call of calls) {
    const entries = Object.entries(call).map(([key, value]: [string, unknown]) => [key, moved(value)]);
    // The same call with other references.
    const same = Object.fromEntries(entries) as ProgramCall;
    let attempts = 1;
    for (made.push(same); isRepeated(call, results[made.length - 1], attempts); attempts++) made.push(same);
    places.push(made.length - 1);
  }
  return made;
}
