/** Waiting for other threads and processes, without a verdict on how fast they are. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * The longest time that a test waits for another thread or process, in milliseconds. It ends a test that hangs; on a busy machine a
 * thread may take long for little, so that no shorter limit says anything about the thread.
 */
export const HANG_MS = 600_000;

/** Waits until it is so. */
export async function until(done: () => boolean): Promise<void> {
  const end = performance.now() + HANG_MS;
  while (!done() && performance.now() < end) await sleep(5);
  assert.ok(done());
}
