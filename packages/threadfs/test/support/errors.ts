/** Errors by their codes. */
import assert from "node:assert/strict";

/** The `code` of the error that a call throws; its text when it has no code; undefined when the call throws none. */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as { code?: string } | null)?.code ?? `${error}`;
  }
}

/** The run fails, with this code. */
export function refused(code: string, run: () => unknown, message?: string): void {
  assert.equal(codeOf(run), code, message);
}

/** What a driver's hook throws. */
export function errorWithCode(code: string): Error & { code: string } {
  return Object.assign(new Error(code), { code });
}
