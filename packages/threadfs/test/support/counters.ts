/** The counters of a tree, and its gauges, which must be level again when all is undone. */
import type { Counters, Vfs } from "../../dist/src/index.js";

/** Gauges among the counters: present numbers, not sums that only grow. */
const GAUGES = ["dentries", "inodes", "mounts", "chunksUsed", "chunksMax", "openFiles"] as const;

/** What counters grew by during a run. */
export function counterGrowth(read: () => Counters, run: () => unknown): Counters {
  const growth = read();
  run();
  const after = read();
  for (const name of Object.keys(growth) as (keyof Counters)[]) growth[name] = after[name] - growth[name];
  return growth;
}

/** What the counters of this attachment alone grew by during a run. */
export function counted(vfs: Vfs, run: () => unknown): Counters {
  return counterGrowth(() => vfs.counters({ own: true }), run);
}

/** Only the changes that a run made to the counters, without the gauges. */
export function grown(
  tree: { counted(run: () => unknown, of?: Vfs): Counters },
  run: () => unknown,
  of?: Vfs,
): Partial<Counters> {
  const gauges = new Set<string>(GAUGES);
  const all = Object.entries(tree.counted(run, of));
  return Object.fromEntries(all.filter(([name, n]) => n !== 0 && !gauges.has(name)));
}

/** Live objects of a tree. */
export type Gauges = Pick<Counters, "dentries" | "inodes" | "mounts" | "openFiles">;

/** Live objects once everything that can go has gone. */
export function gauges(vfs: Vfs): Gauges {
  for (let i = 0; i < 3; i++) {
    vfs.synchronizeRcu();
    vfs.shrink(1 << 20);
  }
  const { dentries, inodes, mounts, openFiles } = vfs.counters();
  return { dentries, inodes, mounts, openFiles };
}
