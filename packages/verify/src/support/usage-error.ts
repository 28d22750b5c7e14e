/** Arguments of a check that are wrong: the command prints their code and message, without a stack, and exits with 1. */

/** ERR_VERIFY_OPTION: an unknown option or a wrong value. ERR_VERIFY_NO_MATCH: nothing is left to check. */
export type UsageCode = "ERR_VERIFY_OPTION" | "ERR_VERIFY_NO_MATCH";

export class UsageError extends RangeError {
  readonly code: UsageCode;

  constructor(code: UsageCode, message: string) {
    super(message);
    this.code = code;
  }

  override toString(): string {
    return `${this.code}: ${this.message}`;
  }
}

/**
 * The list itself, if it has an element: a check of nothing must not report that all is well.
 * @param sought the arguments that have chosen the list
 * @param examples what could have been chosen; a few are printed
 * @throws UsageError ERR_VERIFY_NO_MATCH for an empty list
 */
export function notEmpty<T>(list: readonly T[], sought: string, examples: readonly string[] = []): readonly T[] {
  if (list.length > 0) return list;
  const shown = examples.slice(0, 5).map((example) => `\n  ${example}`);
  const more = shown.length === 0 ? "" : `; there are ${examples.length}, among them:${shown.join("")}`;
  throw new UsageError("ERR_VERIFY_NO_MATCH", `${sought} chooses nothing to check${more}`);
}
