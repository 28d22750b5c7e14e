/** AbortSignals, as Node's calls take them. */
import { invalidArgType } from "../../errors/errors.js";

/** An AbortSignal, as Node's `validateAbortSignal`: whatever has `aborted`. @throws TypeError ERR_INVALID_ARG_TYPE */
export function toSignal(value: unknown, name = "options.signal"): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (value === null || typeof value !== "object" || !("aborted" in value)) {
    throw invalidArgType(name, "an instance of AbortSignal", value);
  }
  return value as AbortSignal;
}

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
