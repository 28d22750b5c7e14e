/** The workloads of a torture run, in one order for all threads, and the division of their items among threads. */

import type { Thread } from "../thread.js";
import { Bodies, Guarded, Linked, Rewritten, Torn } from "./content.js";
import { Churned, Strayed } from "./fast.js";
import { Bound, Mounted, Ruled, Shared } from "./mount.js";
import { Moved, Permuted, Swung } from "./move.js";
import { Coming, Exchanged, Fixed, Replaced } from "./name.js";
import { Separate } from "./separate.js";
import { Aliased, Remade } from "./twins.js";
import type { TakeWords, Workload } from "./workload.js";

/** The workloads as one thread sees them. Each takes its part of the shared words, in this order in every thread. */
export function makeWorkloads(thread: Thread) {
  let used = 0;
  const take: TakeWords = (count) => {
    used += count;
    return used - count;
  };
  return {
    fixed: new Fixed(),
    replaced: new Replaced(thread, take),
    coming: new Coming(thread, take),
    exchanged: new Exchanged(),
    moved: new Moved(thread, take),
    swung: new Swung(),
    permuted: new Permuted(),
    torn: new Torn(),
    rewritten: new Rewritten(),
    linked: new Linked(thread, take),
    bodies: new Bodies(thread, take),
    guarded: new Guarded(),
    mounted: new Mounted(),
    bound: new Bound(),
    shared: new Shared(thread, take),
    separate: new Separate(thread, take),
    ruled: new Ruled(),
    aliased: new Aliased(thread, take),
    remade: new Remade(thread, take),
    strayed: new Strayed(),
    churned: new Churned(),
  } as const satisfies Record<string, Workload>;
}

export type Workloads = ReturnType<typeof makeWorkloads>;
export type WorkloadName = keyof Workloads;

export function workloadNames(workloads: Workloads): WorkloadName[] {
  return Object.keys(workloads) as WorkloadName[];
}

/** The workloads that the renamers change, as fast as they can; the mixers change the rest. */
export const QUICK: readonly WorkloadName[] = ["moved", "strayed", "churned", "torn"];

/** An item of a workload. */
export type OwnedItem = readonly [workload: Workload, i: number];

/** The items that member `index` of `among` threads changes. */
export function itemsOf(
  workloads: Workloads,
  index: number,
  among: number,
  only: readonly WorkloadName[] = workloadNames(workloads),
): OwnedItem[] {
  const owned: OwnedItem[] = [];
  for (const name of only) {
    const workload: Workload = workloads[name];
    for (let i = index; i < workload.items; i += among) owned.push([workload, i]);
  }
  return owned;
}
