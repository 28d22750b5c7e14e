/** The error of calls whose AbortSignal is aborted. */

/** Node's AbortError. */
class AbortError extends Error {
  code = "ABORT_ERR";
  override name = "AbortError";
}

/** The error of a call whose signal is aborted. */
export function abortError(signal: AbortSignal): Error {
  return new AbortError("The operation was aborted", { cause: signal.reason });
}

/** @throws Error AbortError */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}
