/** Takes a snapshot of a tree. */
import { readOptions } from "../../bridge/options.js";
import { invalidArgValue } from "../../errors/errors.js";
import type { SystemCalls } from "../../node-fs/system-calls.js";
import { copyArena } from "../arena-copy.js";
import { Snapshot, type SnapshotOptions } from "./snapshot.js";

/** Takes a snapshot. @throws see `Vfs.snapshot` */
export async function takeSnapshot(calls: SystemCalls, options: unknown): Promise<Snapshot> {
  const { mounts = "refuse" } = readOptions<SnapshotOptions>(options, { mounts: true });
  if (mounts !== "refuse" && mounts !== "skip") {
    throw invalidArgValue("options.mounts", mounts, 'must be "refuse" or "skip"');
  }
  const clock = { ms: 0 };
  return new Snapshot(await copyArena(calls, () => clock.ms), calls.ctx, mounts, clock);
}
