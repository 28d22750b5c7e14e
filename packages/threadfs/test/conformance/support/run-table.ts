/** In the oracle's process: runs all cases of a table on the kernel. */

import { fork } from "node:child_process";
import { isDeepStrictEqual } from "node:util";
import { defined } from "../../../../cli/dist/support/defined.js";
import { endIfHung } from "../../support/oracle/hung.js";
import type { PlacedRequest } from "../../support/oracle/oracle.js";
import type { Case, Credentials } from "./case.js";
import type { Outcomes, Request } from "./other-user.js";
import { type Listing, listing } from "./outcome.js";
import { prepare, type Result, runCase } from "./run-case.js";
import { openKernel, SELF, type Target } from "./targets.js";

/** What the cases of a table came to. */
export interface TableResults {
  /** By the numbers of the cases; null: skipped. */
  readonly results: readonly (Result | null)[];
  /** The trees that cases share, after all cases, by the number of the first case that uses one. */
  readonly shared: readonly (readonly [id: number, tree: Listing])[];
}

/** Why a case cannot run in this process, or false. */
export function skipReason(testCase: Case): string | false {
  if ((testCase.as || testCase.root) && SELF.uid !== 0) return "needs root to take other credentials";
  return false;
}

/** Runs the cases of a request, which are prepared already, in a child process; returns their outcomes. */
function runInChild(request: Request): Promise<Outcomes> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL("./other-user.js", import.meta.url), {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    endIfHung(child);
    let outcomes: Outcomes | undefined;
    child.once("message", (message) => {
      outcomes = message as unknown as Outcomes;
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (outcomes) resolve(outcomes);
      else reject(new Error(`the child of uid ${request.as.uid} ended without outcomes: ${signal ?? code}`));
    });
    child.send(request);
  });
}

/** Prepares and runs all cases of other credentials on the kernel; returns their results by number. */
async function runAsOthers(kernel: Target, cases: readonly Case[], module: string): Promise<Map<number, Result>> {
  const groups = new Map<string, { as: Credentials; ids: number[] }>();
  for (const [id, testCase] of cases.entries()) {
    const { as } = testCase;
    if (!as || skipReason(testCase)) continue;
    prepare(kernel, testCase, id);
    const key = JSON.stringify(as);
    const group = groups.get(key) ?? { as, ids: [] };
    group.ids.push(id);
    groups.set(key, group);
  }
  const results = new Map<number, Result>();
  for (const { as, ids } of groups.values()) {
    const outcomes = await runInChild({ module, root: kernel.root, as, ids });
    for (const id of ids) {
      const outcome = defined(outcomes[id], `outcome of case ${id}`);
      results.set(id, { outcome, tree: listing(kernel.fs, `${kernel.root}/c${id}`) });
    }
  }
  return results;
}

/** How often the kernel is asked at most until it says ELOOP in the same places twice running. */
const LOOP_TRIES = 5;

/**
 * Prepares and runs one case on the kernel. A walk that the kernel begins anew, because something on the machine was renamed meanwhile, goes
 * on counting links, so a path of 40 may get ELOOP (Linux 6.18). So a case with an ELOOP counts when it comes out the same again.
 */
function runOnKernel(kernel: Target, testCase: Case, id: number): Result {
  let result = runCase(kernel, testCase, id);
  for (let tries = 1; tries < LOOP_TRIES && JSON.stringify(result.outcome).includes("ELOOP"); tries++) {
    if (!testCase.shared) kernel.fs.rmSync(`${kernel.root}/c${id}`, { recursive: true });
    const again = runCase(kernel, testCase, id);
    if (isDeepStrictEqual(again.outcome, result.outcome)) return again;
    result = again;
  }
  return result;
}

/** The results of all cases of a table. */
export async function runTable({ module, root }: PlacedRequest): Promise<TableResults> {
  const { default: cases }: { default: readonly Case[] } = await import(module);
  const kernel = openKernel(root);
  const others = await runAsOthers(kernel, cases, module);
  const results = cases.map((testCase, id) =>
    skipReason(testCase) ? null : (others.get(id) ?? runOnKernel(kernel, testCase, id)),
  );
  const shared = [...kernel.shared].map(
    ([setup, dir]) => [cases.findIndex((testCase) => testCase.shared === setup), listing(kernel.fs, dir)] as const,
  );
  return { results, shared };
}
