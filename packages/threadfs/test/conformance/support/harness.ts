/** Runs a table of cases (case.ts) on threadfs, and in the oracle's process on the kernel, and compares. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { asReply, openOracle } from "../../support/oracle/oracle.js";
import type { Case } from "./case.js";
import { listing } from "./outcome.js";
import { runCase } from "./run-case.js";
import { skipReason, type TableResults } from "./run-table.js";
import { openOurs, type Target } from "./targets.js";

/** Registers the table as a suite. `module`: the address of the table, from which the oracle imports it. */
export function conform(title: string, cases: readonly Case[], module: URL): void {
  describe(title, () => {
    let ours: Target;
    let expected: TableResults;
    before(async () => {
      const oracle = openOracle();
      try {
        expected = await oracle.ask<TableResults>({ kind: "cases", module: module.href });
      } finally {
        await oracle.close();
      }
      ours = await openOurs(oracle.root);
    });
    after(() => ours?.close());

    const names = new Set<string>();
    for (const [id, testCase] of cases.entries()) {
      assert.ok(!names.has(testCase.name), `two cases are called ${testCase.name}`);
      names.add(testCase.name);
      it(testCase.name, { skip: skipReason(testCase) }, () => {
        const right = defined(expected.results[id], `result of case ${id}`);
        assert.equal(right.outcome.thrown, undefined, "the case itself fails on the kernel");
        assert.deepEqual(asReply(runCase(ours, testCase, id)), right);
      });
    }

    if (cases.some((testCase) => testCase.shared)) {
      it("the cases that share a tree leave it unchanged", () => {
        assert.equal(expected.shared.length, ours.shared.size);
        for (const [id, tree] of expected.shared) {
          const setup = defined(cases[id]?.shared, `setup of case ${id}`);
          const dir = defined(ours.shared.get(setup), "shared directory of threadfs");
          assert.deepEqual(listing(ours.fs, dir), tree);
        }
      });
    }
  });
}
