/** The watchdog of the test files. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const WATCHDOG = new URL("../dist/watchdog.js", import.meta.url).href;

/** Runs a script with the watchdog as a test file's process. */
function run(script: string, limitMs: number): { signal: string | null; status: number | null; stderr: string } {
  const env = { ...process.env, NODE_TEST_CONTEXT: "child-v8", TEST_TIMEOUT_MS: String(limitMs) };
  const args = [`--import=${WATCHDOG}`, "--input-type=module", "--eval", script];
  return spawnSync(process.execPath, args, { env, encoding: "utf8", timeout: 60_000 });
}

test("a process that spins is killed at its time limit, and the limit is printed", () => {
  const { signal, stderr } = run("for (;;);", 500);
  assert.equal(signal, "SIGKILL");
  assert.match(stderr, /stopped after 500 ms/);
});

test("a process that ends in time is left alone", () => {
  const { signal, status, stderr } = run("", 20_000);
  assert.deepEqual({ signal, status, stderr }, { signal: null, status: 0, stderr: "" });
});
