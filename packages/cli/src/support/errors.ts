/**
 * Errors of the commands, the user's mistakes and failures at run time, each with a code and an exit status.
 */

/** Exit status when an answer was wrong, a worker died or the job could not be finished. */
export const EXIT_FAILED = 1;
/** Exit status when an argument cannot be used. */
export const EXIT_USAGE = 2;
/** Exit status when `--self-test` planted a wrong answer and the check did not find it. */
export const EXIT_UNNOTICED = 3;

/** An error that the command prints as one line, `code: message`, before it ends with `exitStatus`. */
export class CliError extends Error {
  readonly code: string;
  readonly exitStatus: number;

  constructor(code: string, message: string, exitStatus: number = EXIT_FAILED) {
    super(message);
    this.name = "CliError";
    this.code = code;
    this.exitStatus = exitStatus;
  }
}

/** The `code` of an error that node:fs or our fs threw, or its name when it has none. */
export function codeOf(error: unknown): string {
  if (error instanceof Error) {
    const code = (error as NodeJS.ErrnoException).code;
    return typeof code === "string" ? code : error.name;
  }
  return String(error);
}

/** An error as it goes from one thread to another; class instances would lose their fields on the way. */
export interface ErrorNote {
  code: string;
  message: string;
  stack: string;
}

export function noteOf(error: unknown): ErrorNote {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error && error.stack ? error.stack : message;
  return { code: codeOf(error), message, stack };
}
