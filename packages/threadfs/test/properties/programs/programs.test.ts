/**
 * Long random programs of calls by several users, on the kernel through Node 26 and on threadfs: synchronous calls, callbacks and
 * promises, streams and handles. Every result is the same, every field of every error, and the tree at the end. A failure is
 * shortened, and its message has the seed: PROPERTY_SEED=n runs it again; PROPERTY_RUNS=n and PROGRAM_LENGTH=n make more and longer
 * programs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SELF } from "../../conformance/support/targets.js";
import { check, useSides } from "../support.js";
import { isKnown } from "./known.js";
import { play } from "./play.js";
import { programs } from "./program.js";

/** Calls of a program, at most. */
const LENGTH = Number(process.env.PROGRAM_LENGTH ?? 60);
const RUNS = 100;

const sides = useSides(import.meta.url, { play });

test("random programs have the results of Node 26 on the kernel, call by call", async (t) => {
  if (SELF.uid !== 0) return t.skip("needs root to take other credentials");
  const property = fc.asyncProperty(programs(LENGTH), async (program) => {
    const { kernel, ours } = await sides.both("play", program);
    for (const [n, step] of program.steps.entries()) {
      const [right, got] = [kernel.outcomes[n], ours.outcomes[n]];
      assert.ok(right && got);
      assert.equal(right.thrown, undefined, "the kernel's error has a code");
      if (!isKnown(step, right, got)) assert.deepEqual(got, right, `call ${n}, ${JSON.stringify(step)}`);
    }
    assert.deepEqual(ours.tree, kernel.tree, "the tree at the end");
  });
  await check(t, property, RUNS);
});
