/** Compares random programs of Linux's calls on a tree with the kernel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kernelProtection } from "../../support/oracle/kernel-protection.js";
import { runOnKernel, whyNoKernel } from "./kernel.js";
import { type Form, runOnTree, type Step } from "./steps.js";

/** With this in the environment all random programs run, without it one part of so many. */
const ALL = "ALL_LINUX_PROGRAMS";
const PART = 3;

/** @param program makes the program of a seed */
export function compare(subject: string, most: number, program: (seed: number) => Step[]): void {
  compareAll(subject, process.env[ALL] === undefined ? Math.ceil(most / PART) : most, program);
}

/** The same for programs that are no random ones: each of them runs. */
export function compareAll(subject: string, count: number, program: (seed: number) => Step[]): void {
  const forms: Form[] = ["sync", "promises"];
  test(`${subject}: ${count} programs return what the kernel returns`, async (t) => {
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
