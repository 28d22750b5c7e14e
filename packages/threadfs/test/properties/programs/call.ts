/** What a call of a random program is: how often it comes, its operands, and what it does in each form. */
import type fc from "fast-check";
import type { Actor } from "./actor.js";
import type { Form } from "./program.js";

export interface Call {
  readonly weight: number;
  /** Only the superuser makes it. */
  readonly rootOnly: boolean;
  readonly operands: fc.Arbitrary<unknown>;
  /** Does it. Returns its result, or a promise of it. */
  run(actor: Actor, operands: unknown, form: Form): unknown;
}

/** A call, with the type of its operands. */
export function call<O>(
  weight: number,
  operands: fc.Arbitrary<O>,
  run: (actor: Actor, operands: O, form: Form) => unknown,
  { rootOnly = false }: { rootOnly?: boolean } = {},
): Call {
  return { weight, rootOnly, operands, run: run as Call["run"] };
}

/** A table of calls with the names of its own. */
export function calls<const N extends string>(table: { readonly [name in N]: Call }): { readonly [name in N]: Call } {
  return table;
}
