/** Misses make no garbage that grows with the depth of the path. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TIMEOUT_MS } from "../../../../tools/dist/limits.js";

const PROGRAM = fileURLToPath(new URL("./garbage.js", import.meta.url));
/** Megabytes: no collection begins while garbage is counted. */
const FLAGS = ["--expose-gc", "--max-semi-space-size=256"];
/** Bytes by which a later measurement of one call is the larger one at most: the engine makes some of the objects of either. 198 names have 890. */
const NOISE = 300;
/** Bytes that a miss without an error leaves at most. */
const LEFT = 100;

// Fails when a call makes a string or an object for each name of its path, or a copy of the path.
test("a miss leaves no more bytes with 200 names than with 2", () => {
  const text = execFileSync(process.execPath, [...FLAGS, PROGRAM], { encoding: "utf8", timeout: TIMEOUT_MS });
  const found: Record<string, [number, number]> = JSON.parse(text);
  assert.equal(Object.keys(found).length, 10);
  for (const [call, [short, long]] of Object.entries(found)) {
    assert.ok(long - short < NOISE, `${call}: ${short} bytes, then ${long}`);
    if (/^(exists|l?stat)Sync,/.test(call)) assert.ok(long < LEFT, `${call}: ${long} bytes`);
  }
});
