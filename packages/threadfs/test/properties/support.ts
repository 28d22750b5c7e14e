/**
 * What the property tests share: both targets, a fresh directory for each run, and the bounds of a run. The message of a
 * failure has the seed: PROPERTY_SEED=n runs it again, PROPERTY_RUNS=n makes more runs.
 */
import { after } from "node:test";
import fc from "fast-check";
import { openTargets, type Target } from "../conformance/support/targets.js";

const SEED = Number(process.env.PROPERTY_SEED ?? Date.now() & 0x7fffffff);

/** A property stops looking for a smaller counterexample, or for one at all, after this long. */
const LIMIT_MS = 60_000;

/** Checks the property and reports the seed. */
export function check<T>(
  t: { diagnostic(message: string): void },
  property: fc.IPropertyWithHooks<T>,
  numRuns: number,
): void {
  t.diagnostic(`seed ${SEED}`);
  fc.assert(property, {
    seed: SEED,
    numRuns: Number(process.env.PROPERTY_RUNS ?? numRuns),
    interruptAfterTimeLimit: LIMIT_MS,
    markInterruptAsFailure: true,
  });
}

/** One of each side: the kernel's and threadfs's. */
export type Both<T> = readonly [kernel: T, ours: T];

export interface PropertyTargets {
  readonly kernel: Target;
  readonly ours: Target;
  both(): Both<Target>;
  /** Makes a directory of the same name on both sides. */
  fresh(): Both<string>;
  remove(dirs: Both<string>): void;
}

/** Opens both targets until the tests of the file have ended. */
export async function useTargets(): Promise<PropertyTargets> {
  const { kernel, ours, close } = await openTargets();
  after(close);
  let count = 0;
  return {
    kernel,
    ours,
    both: () => [kernel, ours],
    fresh() {
      count += 1;
      const make = ({ fs, root }: Target) => {
        fs.mkdirSync(`${root}/run${count}`);
        return `${root}/run${count}`;
      };
      return [make(kernel), make(ours)];
    },
    remove([kernelDir, oursDir]) {
      kernel.fs.rmSync(kernelDir, { recursive: true, force: true });
      ours.fs.rmSync(oursDir, { recursive: true, force: true });
    },
  };
}

/** The value that `fn` returns, or the code of the error that it throws. @throws errors without a code */
export function codeOr<T>(fn: () => T): { value: T; code?: undefined } | { code: unknown } {
  try {
    return { value: fn() };
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    return { code: error.code };
  }
}
