/**
 * Errors of the commands: what a user did wrong or what went wrong under way, each with a code and an exit status.
 */

/** Exit status when an answer was wrong, a worker died or the job could not be finished. */
export const EXIT_FAILED = 1;
/** Exit status when an argument cannot be used. */
export const EXIT_USAGE = 2;
/** Exit status when `--self-test` planted a wrong answer and nobody noticed. */
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

/** What one thread tells another about an error; class instances lose their fields on the way. */
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
