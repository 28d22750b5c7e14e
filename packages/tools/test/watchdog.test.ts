/** The watchdog of the test files. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const WATCHDOG = new URL("../dist/test-run/watchdog.js", import.meta.url).href;

/** Runs a script with the watchdog as a test file's process. */
function run(
  script: string,
  limits: { cpuMs?: number; ms?: number },
): { signal: string | null; status: number | null; stderr: string } {
  const env = {
    ...process.env,
    NODE_TEST_CONTEXT: "child-v8",
    TEST_CPU_LIMIT_MS: String(limits.cpuMs ?? 600_000),
    TEST_TIMEOUT_MS: String(limits.ms ?? 600_000),
  };
  const args = [`--import=${WATCHDOG}`, "--input-type=module", "--eval", script];
  return spawnSync(process.execPath, args, { env, encoding: "utf8" });
}

test("a process that spins is killed at its limit of processor time, and the limit is printed", () => {
  const { signal, stderr } = run("for (;;);", { cpuMs: 500 });
  assert.equal(signal, "SIGKILL");
  assert.match(stderr, /stopped after 500 ms of processor time/);
});

test("a process that waits for ever is killed at its time limit, and the limit is printed", () => {
  const { signal, stderr } = run("setInterval(() => {}, 1000);", { ms: 500 });
  assert.equal(signal, "SIGKILL");
  assert.match(stderr, /stopped after 500 ms:/);
});

// Fails when the time by the clock counts as processor time.
test("a process that waits for longer than its limit of processor time is left alone", () => {
  const { signal, status, stderr } = run("setTimeout(() => {}, 4000);", { cpuMs: 3000 });
  assert.deepEqual({ signal, status, stderr }, { signal: null, status: 0, stderr: "" });
});

test("a process that ends in time is left alone", () => {
  const { signal, status, stderr } = run("", {});
  assert.deepEqual({ signal, status, stderr }, { signal: null, status: 0, stderr: "" });
});
