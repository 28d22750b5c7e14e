/**
 * Awaiting an advisory lock: the core keeps the request, so that a circle of requests is found (EDEADLK) while their threads do other things. This
 * thread makes it again whenever a lock of the file may have been released, and gives it up at the end.
 */
import { LOCK_WAITS, NR_LOCK_WAITS, REQUEST_SEEN, REQUEST_WORD } from "../../../abi/memory.js";
import { lockTimeoutError } from "../../bridge/waiting.js";
import { systemCallError } from "../../errors/errors.js";
import { abortError, checkAborted } from "../forms/abort.js";
import type { SystemCalls } from "../system-calls.js";

/** How long a request waits before it is made again in any case: a thread may have died that another one can only recover then. */
const LOOK_AGAIN_MS = 1000;
/** The same where the host has no Atomics.waitAsync. */
const POLL_MS = 10;

interface Wait {
  timeoutMs: number;
  signal: AbortSignal | undefined;
}

/**
 * Makes a request until it is granted.
 * @param first the call of the core that makes it: 0, a negative errno, or the number of the request that waits
 * @throws system call errors; Error AbortError, ERR_THREADFS_TIMEOUT, ERR_THREADFS_CLOSED
 */
export async function awaitLock(
  calls: SystemCalls,
  first: () => number,
  syscall: string,
  { timeoutMs, signal }: Wait,
): Promise<void> {
  checkAborted(signal);
  const { attachment, core, ctx } = calls;
  const { limit } = attachment;
  const until = performance.now() + timeoutMs;
  let request = 0;
  let make = first;
  try {
    for (;;) {
      calls.checkOpen();
      const left = until - performance.now();
      try {
        const result = limit.gently(make);
        request = Math.max(result, 0);
        if (result < 0) throw systemCallError(result, syscall);
        if (result === 0) return;
        make = () => core.lockRetry(ctx, request);
      } catch (error) {
        // A thread has a lock of the core for longer than a moment: the call has not happened.
        if (!limit.isPassed(error)) throw error;
        if (left <= 0) throw error;
        await limit.released();
        checkAborted(signal);
        continue;
      }
      if (left <= 0) throw lockTimeoutError(timeoutMs);
      await moved(calls, left, signal);
      if (signal?.aborted) throw abortError(signal);
    }
  } finally {
    if (request > 0) attachment.nowOrLater(() => core.lockCancel(request));
  }
}

/** Settles when the request that the last call has left should be made again: its word has moved, its signal is aborted, its context closed. */
function moved(calls: SystemCalls, leftMs: number, signal: AbortSignal | undefined): Promise<void> {
  const { attachment } = calls;
  const [word = 0, seen = 0] = new Int32Array(
    attachment.io.buffer,
    attachment.io.byteOffset + REQUEST_WORD,
    (REQUEST_SEEN - REQUEST_WORD) / 4 + 1,
  );
  const words = new Int32Array(attachment.memory.buffer as SharedArrayBuffer, LOCK_WAITS, NR_LOCK_WAITS);
  const { waitAsync } = Atomics as { waitAsync?: typeof Atomics.waitAsync };
  const ms = Math.min(leftMs, waitAsync === undefined ? POLL_MS : LOOK_AGAIN_MS);
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      forget();
      resolve();
    };
    // A timer also keeps the process alive, which a wait of Atomics does not.
    const timer = setTimeout(end, ms);
    const forget = calls.whenClosed(end);
    signal?.addEventListener("abort", end, { once: true });
    const waited = waitAsync?.(words, (word - LOCK_WAITS) / 4, seen, ms);
    if (waited === undefined) return;
    if (waited.async) waited.value.then(end);
    else end();
  });
}
