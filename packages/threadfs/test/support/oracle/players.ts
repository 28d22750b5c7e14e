/** Parts of tests by name: each runs on threadfs in the test's process, and on the kernel in the oracle's. */
import type { Target } from "../../conformance/support/targets.js";
import { openKernel } from "../../conformance/support/targets.js";
import type { OracleRequest } from "./oracle.js";

/** Does the same on either side. Arguments and result are plain data. */
export type Player = (target: Target, ...args: never[]) => unknown;

/** The players of the imported test file. */
export const players = new Map<string, Player>();

let kernel: Target | undefined;

/** In the oracle's process: what a player returns on the kernel. */
export async function play({
  module,
  name,
  args,
  root,
}: OracleRequest & { kind: "play"; root: string }): Promise<unknown> {
  await import(module);
  kernel ??= openKernel(root);
  const player = players.get(name);
  if (!player) throw new Error(`${module} has no player ${name}`);
  return player(kernel, ...(args as never[]));
}
