/** What both walks of `cp` do: ask the filter, and give a copy the times and the mode of its source. */
import { codedError, describeValue } from "../../errors/errors.js";
import type { Path } from "../args.js";
import { type Step, type Steps, step } from "../operation.js";
import { chmod, utimes } from "../ops-path.js";
import type { Stats } from "../stats.js";
import type { SystemCalls } from "../system-calls.js";
import type { Attributes } from "./check.js";

export interface CopyArguments {
  src: Path;
  dest: Path;
  dereference: boolean;
  errorOnExist: boolean;
  force: boolean;
  preserveTimestamps: boolean;
  recursive: boolean;
  verbatimSymlinks: boolean;
  mode: number;
  filter: ((source: string, destination: string) => unknown) | undefined;
}

const PERMISSIONS = 0o7777;

/**
 * Asks the filter.
 * @param awaits whether it may return promises, as in the asynchronous forms
 * @throws TypeError ERR_INVALID_RETURN_VALUE
 */
export function* wanted({ filter }: CopyArguments, src: Path, dest: Path, awaits: boolean): Steps<boolean> {
  // Bytes where a path is bytes, which Node's types do not express.
  const answer = filter === undefined || filter(src as string, dest as string);
  if (awaits && isThenable(answer)) return Boolean(yield Promise.resolve(answer));
  if (answer instanceof Promise) {
    const message = `Expected boolean to be returned from the "filter" function but got ${describeValue(answer)}.`;
    throw codedError(TypeError, "ERR_INVALID_RETURN_VALUE", message);
  }
  return Boolean(answer);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

export function copyMode(calls: SystemCalls, dest: Path, { mode }: Attributes): Step<void> {
  return step(calls, () => chmod.run(calls, { path: dest, mode: mode & PERMISSIONS }));
}

/** The times with their nanoseconds. */
export function copyTimes(calls: SystemCalls, src: Path, dest: Path): Step<void> {
  return step(calls, () => {
    calls.check(calls.statRaw(src, 0), "stat", src);
    const { atimeMs, mtimeMs } = calls.stats(false) as Stats;
    utimes.run(calls, utimes.parse(dest as string, atimeMs / 1000, mtimeMs / 1000));
  });
}
