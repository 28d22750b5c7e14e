/**
 * What the property tests share: both sides, a fresh directory for each run, and the bounds of a run. Random calls run on the kernel
 * in the oracle's process only, which has a root directory of its own. The message of a failure has the seed: PROPERTY_SEED=n
 * runs it again, PROPERTY_RUNS=n makes more runs.
 */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import fc from "fast-check";
import { defined } from "../../../cli/dist/support/defined.js";
import { HANG_MS } from "../../../verify/dist/support/hang.js";
import type { Vfs } from "../../dist/src/index.js";
import { type Listing, listing, type Outcome } from "../conformance/support/outcome.js";
import { openOurs, type Target } from "../conformance/support/targets.js";
import { asReply, type Oracle, openOracle } from "../support/oracle/oracle.js";
import { type Player, players } from "../support/oracle/players.js";

const SEED = Number(process.env.PROPERTY_SEED ?? Date.now() & 0x7fffffff);

/** Checks the property and reports the seed. */
export async function check<T>(
  t: { diagnostic(message: string): void },
  property: fc.IProperty<T> | fc.IAsyncProperty<T>,
  numRuns: number,
): Promise<void> {
  t.diagnostic(`seed ${SEED}`);
  await fc.assert(property as fc.IAsyncProperty<T>, {
    seed: SEED,
    numRuns: Number(process.env.PROPERTY_RUNS ?? numRuns),
    interruptAfterTimeLimit: HANG_MS,
    markInterruptAsFailure: true,
  });
}

/** One of each side: the kernel's and threadfs's. */
export interface Both<T> {
  readonly kernel: T;
  readonly ours: T;
}

/** What a player came to in a directory of its own, and the tree that it left there. */
interface FreshResult<R> {
  readonly result: R;
  readonly tree: Listing;
}

/** The arguments of a player behind the target. */
type ArgumentsOf<P extends Player> = P extends (target: Target, ...args: infer A) => unknown ? A : never;
/** The same behind the directory. */
type Behind<P extends Player> = P extends (target: Target, dir: string, ...args: infer A) => unknown ? A : never;

export interface Sides<P extends { readonly [name: string]: Player }> {
  readonly vfs: Vfs;
  /** Runs a player on both sides. Returns what it returned there, or what its promise came to. */
  both<K extends keyof P & string>(name: K, ...args: ArgumentsOf<P[K]>): Promise<Both<Awaited<ReturnType<P[K]>>>>;
  /** Runs a player on threadfs only. */
  ours<K extends keyof P & string>(name: K, ...args: ArgumentsOf<P[K]>): ReturnType<P[K]>;
  /** Runs a player in a fresh directory of each side, its second argument, and asserts that it leaves the same tree there. */
  inFresh<K extends keyof P & string>(name: K, ...args: Behind<P[K]>): Promise<Both<ReturnType<P[K]>>>;
}

/** The outcomes of many calls, and the right ones: each call returned, or failed with an error of the file system. */
export function assertSame({ kernel, ours }: Both<readonly Outcome[]>, describe: (n: number) => string): void {
  for (const [n, outcome] of kernel.entries()) {
    assert.equal(outcome.thrown, undefined);
    assert.deepEqual(ours[n], outcome, describe(n));
  }
  assert.equal(ours.length, kernel.length);
}

let fresh = 0;

/** Runs a player in a fresh directory, which it removes afterwards. */
function inFresh(target: Target, player: Player, args: readonly unknown[]): FreshResult<unknown> {
  const { fs, root } = target;
  fresh += 1;
  const dir = `${root}/run${fresh}`;
  fs.mkdirSync(dir);
  try {
    return { result: (player as (...all: unknown[]) => unknown)(target, dir, ...args), tree: listing(fs, dir) };
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Registers players and opens both sides for the tests of the file. `file`: the address of the test file, from which the oracle
 * imports the players too.
 */
export function useSides<P extends { readonly [name: string]: Player }>(file: string, own: P): Sides<P> {
  for (const [name, player] of Object.entries(own)) {
    players.set(name, player);
    players.set(`${name} in a fresh directory`, ((target, ...args: unknown[]) =>
      inFresh(target, player, args)) as Player);
  }
  let oracle: Oracle | undefined;
  let ours: Target | undefined;
  before(async () => {
    oracle = openOracle();
    ours = await openOurs(oracle.root);
  });
  after(async () => {
    ours?.close();
    await oracle?.close();
  });
  const onOurs = (name: string, args: readonly unknown[]): unknown => {
    const player = defined(players.get(name), `player ${name}`) as (...all: unknown[]) => unknown;
    return player(defined(ours, "threadfs's side"), ...args);
  };
  const onBoth = async (name: string, args: readonly unknown[]) => ({
    kernel: await defined(oracle, "the oracle").ask<unknown>({ kind: "play", module: file, name, args }),
    ours: asReply(await onOurs(name, args)),
  });
  return {
    get vfs() {
      return defined(ours?.vfs, "tree of threadfs");
    },
    // What a player returns has its type on both sides: it is plain data.
    both: (name, ...args) => onBoth(name, args) as Promise<Both<never>>,
    ours: (name, ...args) => asReply(onOurs(name, args)) as never,
    async inFresh(name, ...args) {
      const { kernel, ours } = (await onBoth(`${name} in a fresh directory`, args)) as Both<FreshResult<never>>;
      assert.deepEqual(ours.tree, kernel.tree, "the tree at the end");
      return { kernel: kernel.result, ours: ours.result };
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
