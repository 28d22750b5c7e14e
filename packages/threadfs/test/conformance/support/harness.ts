/** Runs a table of cases (case.ts) on both targets and compares. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import type { Case, Credentials } from "./case.js";
import type { Outcomes, Request } from "./other-user.js";
import { listing } from "./outcome.js";
import { prepare, type Result, runCase } from "./run-case.js";
import { openTargets, SELF, type Target, type Targets } from "./targets.js";

/** Longest time that a child process may take. */
const CHILD_MS = 60_000;

/** Runs the cases of a request, which are prepared already, in a child process; returns their outcomes. */
function runInChild(request: Request): Promise<Outcomes> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL("./other-user.js", import.meta.url), {
      timeout: CHILD_MS,
      // Its standard output would be the test runner's own channel.
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    });
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
async function runAsOthers(kernel: Target, cases: readonly Case[], module: URL): Promise<Map<number, Result>> {
  const groups = new Map<string, { as: Credentials; ids: number[] }>();
  for (const [id, testCase] of cases.entries()) {
    const { as } = testCase;
    if (!as) continue;
    prepare(kernel, testCase, id);
    const key = JSON.stringify(as);
    const group = groups.get(key) ?? { as, ids: [] };
    group.ids.push(id);
    groups.set(key, group);
  }
  const results = new Map<number, Result>();
  for (const { as, ids } of groups.values()) {
    const outcomes = await runInChild({ module: module.href, root: kernel.root, as, ids });
    for (const id of ids) {
      const outcome = defined(outcomes[id], `outcome of case ${id}`);
      results.set(id, { outcome, tree: listing(kernel.fs, `${kernel.root}/c${id}`) });
    }
  }
  return results;
}

function skipReason(testCase: Case): string | false {
  if ((testCase.as || testCase.root) && SELF.uid !== 0) return "needs root to take other credentials";
  return false;
}

/** Registers the table as a suite. `module` is the address of the table where cases have credentials of their own. */
export function conform(title: string, cases: readonly Case[], module?: URL): void {
  describe(title, () => {
    let targets: Targets;
    const done = new Map<Target, Map<number, Result>>();
    const result = (target: Target, testCase: Case, id: number) =>
      done.get(target)?.get(id) ?? runCase(target, testCase, id);
    before(async () => {
      targets = await openTargets();
      if (SELF.uid !== 0 || !cases.some(({ as }) => as)) return;
      const table = defined(module, "address of the table, whose cases have credentials of their own");
      for (const target of [targets.kernel, targets.ours]) {
        // A context takes credentials at once; a process of the kernel has to be another one.
        if (target.label === "kernel") done.set(target, await runAsOthers(target, cases, table));
      }
    });
    after(() => targets?.close());

    const names = new Set<string>();
    for (const [id, testCase] of cases.entries()) {
      assert.ok(!names.has(testCase.name), `two cases are called ${testCase.name}`);
      names.add(testCase.name);
      it(testCase.name, { skip: skipReason(testCase) }, () => {
        const expected = result(targets.kernel, testCase, id);
        assert.equal(expected.outcome.thrown, undefined, "the case itself fails on the kernel");
        assert.deepEqual(result(targets.ours, testCase, id), expected);
      });
    }

    if (cases.some((testCase) => testCase.shared)) {
      it("the cases that share a tree leave it unchanged", () => {
        const { kernel, ours } = targets;
        for (const [setup, dir] of kernel.shared) {
          const oursDir = defined(ours.shared.get(setup), "shared directory of threadfs");
          assert.deepEqual(listing(ours.fs, oursDir), listing(kernel.fs, dir));
        }
      });
    }
  });
}
