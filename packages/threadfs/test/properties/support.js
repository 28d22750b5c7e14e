/**
 * What the property tests share: both targets, a fresh directory a run, and how a run is bounded and told. A failure's
 * message has the seed; PROPERTY_SEED=n runs it again, PROPERTY_RUNS=n runs more.
 */
import { after } from "node:test";
import fc from "fast-check";
import { openTargets } from "../conformance/targets.js";

const SEED = Number(process.env.PROPERTY_SEED ?? Date.now() & 0x7fffffff);

/** A property stops looking for a smaller counterexample, or for one at all, after this long. */
const LIMIT_MS = 60_000;

/** Checks the property, tells the seed. */
export function check(t, property, numRuns) {
  t.diagnostic(`seed ${SEED}`);
  fc.assert(property, {
    seed: SEED,
    numRuns: Number(process.env.PROPERTY_RUNS ?? numRuns),
    interruptAfterTimeLimit: LIMIT_MS,
    markInterruptAsFailure: true,
  });
}

/**
 * Opens both targets until the file's tests have ended. `fresh()` makes a directory of the same name on both, `both()`
 * is the kernel and ours in this order.
 */
export async function useTargets() {
  const { kernel, ours, close } = await openTargets();
  after(close);
  const both = () => [kernel, ours];
  let count = 0;
  return {
    kernel,
    ours,
    both,
    fresh() {
      count += 1;
      return both().map(({ fs, root }) => {
        fs.mkdirSync(`${root}/run${count}`);
        return `${root}/run${count}`;
      });
    },
    remove(dirs) {
      for (const [n, { fs }] of both().entries()) fs.rmSync(dirs[n], { recursive: true, force: true });
    },
  };
}

/** Code of the error that `fn` throws, or its value. */
export function codeOr(fn) {
  try {
    return { value: fn() };
  } catch (error) {
    if (error?.code === undefined) throw error;
    return { code: error.code };
  }
}
