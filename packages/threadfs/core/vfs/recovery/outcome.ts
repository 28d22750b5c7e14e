/**
 * The result of a call that has happened, before the call returns. What is left of such a call releases what it holds; if that
 * takes too long (mem/wait.ts), the host leaves the call, takes back the rest (sys/recovery.ts), and returns this result. So
 * a call that throws ERR_THREADFS_TIMEOUT has not happened, and a program may make it again.
 *
 * Guarantees: the thread does not wait between the store that makes the change certain (a commit, a redo record, the
 * return of a driver's hook) and happened(). An open that creates or truncates is the exception: its result is a
 * descriptor, which exists last.
 */

/** NaN: the present call has not happened. */
export let outcome: f64 = NaN;

/** The present call has happened, with this result, whatever follows. NaN: a part of it has, which decides nothing. */
export function happened(result: f64): void {
  if (!Number.isNaN(result)) outcome = result;
}

/** The call has ended. */
export function forgetOutcome(): void {
  outcome = NaN;
}
