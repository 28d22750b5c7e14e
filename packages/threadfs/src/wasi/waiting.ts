/** Waits of programs: for the other end of a pipe, which has no limit in WASI, and for a change of a pipe that is polled. */
import { OPENING } from "../../abi/limits.js";
import { REQUEST_SEEN, REQUEST_WORD } from "../../abi/memory.js";
import type { Attachment } from "../bridge/attachment.js";
import type { SystemCalls } from "../node-fs/system-calls.js";

/**
 * Makes a call of the core again as long as it has waited in vain for the other end of a pipe.
 * @param again is called before each further attempt, and may throw
 */
export function waiting(calls: SystemCalls, again: () => void, call: () => number): number {
  for (;;) {
    try {
      return call();
    } catch (error) {
      // That of a lock names the thread that has it.
      if (!(error instanceof Error) || !calls.attachment.limit.isPassed(error) || "slot" in error) throw error;
      again();
    }
  }
}

/**
 * Waits for the other end of a FIFO, whose open has begun; where it has waited for too long, it begins anew.
 * @param begun what the core returned
 * @param open begins anew
 * @returns a descriptor or a negative errno
 */
export function openFifo(calls: SystemCalls, again: () => void, begun: number, open: () => number): number {
  const { core, ctx, attachment } = calls;
  let opened: number | undefined = begun;
  return waiting(calls, again, () => {
    const waits = opened ?? open();
    opened = undefined;
    if (waits > OPENING) return waits;
    try {
      return core.sysFifoWait(ctx, OPENING - waits);
    } catch (error) {
      attachment.nowOrLater(() => core.sysFifoCancel(ctx, OPENING - waits));
      throw error;
    }
  });
}

/** A word of shared memory that changes before a descriptor is ready. */
export interface Awaited {
  readonly word: number;
  readonly seen: number;
}

/** What to wait for after a sysPoll() that has found nothing. */
export function awaitedOf({ io }: Attachment): Awaited {
  const request = new DataView(io.buffer, io.byteOffset, Math.max(REQUEST_WORD, REQUEST_SEEN) + 4);
  return { word: request.getUint32(REQUEST_WORD, true), seen: request.getInt32(REQUEST_SEEN, true) };
}

/** Sleeps until a word may have changed, for so long at most. A thread that may not block, such as that of a page, returns at once. */
export function sleepOn({ memory }: Attachment, { word, seen }: Awaited, ms: number): void {
  try {
    Atomics.wait(new Int32Array(memory.buffer as SharedArrayBuffer, word, 1), 0, seen, ms);
  } catch {
    // It looks again.
  }
}
