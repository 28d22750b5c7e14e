/** Compares random programs of Linux's calls on a tree with the kernel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kernelProtection } from "../../support/oracle/kernel-protection.js";
import { runOnKernel, whyNoKernel } from "./kernel.js";
import { type Form, runOnTree, type Step } from "./steps.js";

/** @param program makes the program of a seed */
export function compare(subject: string, count: number, program: (seed: number) => Step[]): void {
  const forms: Form[] = ["sync", "promises"];
  test(`${subject}: ${count} random programs return what the kernel returns`, async (t) => {
    const reason = whyNoKernel();
    if (reason !== undefined) {
      t.skip(reason);
      return;
    }
    const first = Number(process.env.PROPERTY_SEED ?? 1);
    const programs = Array.from({ length: count }, (_, n) => program(first + n));
    const expected = runOnKernel(programs);
    for (const [n, steps] of programs.entries()) {
      for (const form of forms) {
        const got = await runOnTree(steps, form, kernelProtection());
        for (const [k, step] of steps.entries()) {
          const where = `seed ${first + n}, ${form}, step ${k}: ${JSON.stringify(step)}`;
          assert.deepEqual(got[k], expected[n]?.[k], where);
        }
      }
    }
  });
}
