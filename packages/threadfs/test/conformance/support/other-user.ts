/**
 * The oracle for other credentials: a child process that gives up root for good, runs the cases of a request on
 * node:fs and sends their outcomes. It imports everything before, while it may still read the checkout.
 */
import { defined } from "../../../../cli/dist/support/defined.js";
import type { Case, Credentials } from "./case.js";
import type { Outcome } from "./outcome.js";
import { perform } from "./run-case.js";
import { openKernel } from "./targets.js";

/** Which cases of a table the child runs, and with which credentials. */
export interface Request {
  readonly module: string;
  readonly root: string;
  readonly as: Credentials;
  readonly ids: readonly number[];
}

/** Outcomes by the numbers of their cases. */
export type Outcomes = Record<number, Outcome>;

process.once("message", async ({ module, root, as, ids }: Request) => {
  const { default: cases }: { default: readonly Case[] } = await import(module);
  process.setgroups?.(as.groups);
  process.setgid?.(as.gid);
  process.setuid?.(as.uid);
  const kernel = openKernel(root);
  const outcomes: Outcomes = {};
  for (const id of ids) outcomes[id] = perform(kernel, defined(cases[id], `case ${id}`), `${root}/c${id}`);
  process.send?.(outcomes, undefined, undefined, () => process.disconnect());
});
