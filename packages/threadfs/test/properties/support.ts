/**
 * What the property tests share: both targets, a fresh directory for each run, and the bounds of a run. The message of a
 * failure has the seed: PROPERTY_SEED=n runs it again, PROPERTY_RUNS=n makes more runs.
 */
import assert from "node:assert/strict";
import { after } from "node:test";
import fc from "fast-check";
import { listing, type Outcome } from "../conformance/support/outcome.js";
import { freshRoot, openKernel, openOurs, removeRoot, type Target } from "../conformance/support/targets.js";
import { HANG_MS } from "../support/hang.js";

const SEED = Number(process.env.PROPERTY_SEED ?? Date.now() & 0x7fffffff);

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
    interruptAfterTimeLimit: HANG_MS,
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
  /** Runs in a fresh directory of each side; afterwards both have the same tree in it. The directories are removed at the end. */
  inFresh(run: (dirs: Both<string>) => void): void;
}

/** Asserts that each of our outcomes is the kernel's, and that each call returned or failed with an error of the file system. */
export function assertSame(
  kernel: readonly Outcome[],
  ours: readonly Outcome[],
  describe: (n: number) => string,
): void {
  for (const [n, outcome] of kernel.entries()) {
    assert.equal(outcome.thrown, undefined);
    assert.deepEqual(ours[n], outcome, describe(n));
  }
}

/** Opens both targets until the tests of the file have ended. */
export async function useTargets(): Promise<PropertyTargets> {
  const root = freshRoot();
  // Calls whose answers are the kernel's in every version of Node, so that the process itself can make them.
  const kernel = openKernel(root);
  const ours = await openOurs(root);
  after(() => {
    ours.close();
    removeRoot(root);
  });
  let count = 0;
  const fresh = (): Both<string> => {
    count += 1;
    const make = ({ fs, root }: Target) => {
      fs.mkdirSync(`${root}/run${count}`);
      return `${root}/run${count}`;
    };
    return [make(kernel), make(ours)];
  };
  const remove = ([kernelDir, oursDir]: Both<string>) => {
    kernel.fs.rmSync(kernelDir, { recursive: true, force: true });
    ours.fs.rmSync(oursDir, { recursive: true, force: true });
  };
  return {
    kernel,
    ours,
    both: () => [kernel, ours],
    fresh,
    remove,
    inFresh(run) {
      const dirs = fresh();
      try {
        run(dirs);
        assert.deepEqual(listing(ours.fs, dirs[1]), listing(kernel.fs, dirs[0]), "the tree at the end");
      } finally {
        remove(dirs);
      }
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
