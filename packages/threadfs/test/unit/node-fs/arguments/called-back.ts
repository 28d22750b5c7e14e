/** Calls with a callback, and with promises, as tests of their arguments see them: what they throw, and how and with what they end. */
import { errorShape, outcome, outcomeOf, plain } from "../../../support/oracle/works.js";
import { compared } from "./places.js";

type Call = (...given: readonly unknown[]) => unknown;
type Shown = (value: unknown) => unknown;

/** What a callback got. Errors without a code are the engine's own. */
function results(given: readonly unknown[], shown: Shown): readonly unknown[] {
  return given.map((value, i) => {
    if (i === 0 && value instanceof Error) return "code" in value ? errorShape(value) : value.name;
    return i === 1 && given[0] === null ? plain(shown(value)) : plain(value);
  });
}

/**
 * Makes a call with a callback, and waits until one of the functions that it was given is called, and for the turn after that. The
 * functions are those of `given`, each of which tells its place.
 */
export async function calledBack(call: Call, given: readonly unknown[], shown: Shown): Promise<unknown> {
  const calls: unknown[] = [];
  let turn = "the caller's turn";
  let ended = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const recorded = given.map((value, place) => {
    if (typeof value !== "function") return value;
    const callback = (...all: unknown[]) => {
      calls.push([turn, place, results(all, shown)]);
      ended();
    };
    return Object.defineProperty(callback, "name", { value: value.name });
  });
  const done = outcome(() => call(...recorded));
  if (calls.length === 0 && (done.thrown !== undefined || done.error !== undefined)) return compared(done);
  turn = "a later turn";
  if (recorded.some((value) => typeof value === "function")) await end;
  await new Promise((resolve) => setImmediate(resolve));
  return [compared(done), calls];
}

/** Makes a call with a promise. */
export async function settled(call: Call, given: readonly unknown[], shown: Shown): Promise<unknown> {
  let promise: unknown;
  const thrown = outcome(() => {
    promise = call(...given);
  });
  if (!("value" in thrown)) return ["thrown at once", compared(thrown)];
  if (!(promise instanceof Promise)) return ["no promise", typeof promise];
  return compared(await outcomeOf(async () => shown(await promise)));
}
