/**
 * The oracle of other credentials: a child that gives up root for good, runs the cases it is told on node:fs and sends
 * their outcomes. Everything is imported before, while it may still read the checkout.
 */
import { perform } from "./run-case.js";
import { openKernel } from "./targets.js";

process.once("message", async ({ module, root, as, ids }) => {
  const { default: cases } = await import(module);
  process.setgroups(as.groups);
  process.setgid(as.gid);
  process.setuid(as.uid);
  const kernel = openKernel(root);
  const outcomes = {};
  for (const id of ids) outcomes[id] = perform(kernel, cases[id], `${root}/c${id}`);
  process.send(outcomes, () => process.disconnect());
});
