/** The stations of a torture run, in one order for all threads, and who changes which of their items. */
import { bodies, guarded, linked, rewritten, torn } from "./content-workloads.js";
import { churned, strayed } from "./fast-workloads.js";
import { bound, mounted, ruled, shared } from "./mount-workloads.js";
import { coming, exchanged, fixed, moved, permuted, replaced, swung } from "./name-workloads.js";

const ALL = {
  fixed,
  replaced,
  coming,
  exchanged,
  moved,
  swung,
  permuted,
  torn,
  rewritten,
  linked,
  bodies,
  guarded,
  mounted,
  bound,
  shared,
  ruled,
  strayed,
  churned,
};

/** What the renamers change, as fast as they can; the rest is the mixers'. */
export const QUICK = ["moved", "strayed", "churned", "torn"];

/** The stations as one thread sees them, by name. */
export function makeWorkloads(thread) {
  let used = 0;
  const take = (words) => {
    used += words;
    return used - words;
  };
  return Object.fromEntries(Object.entries(ALL).map(([name, make]) => [name, make(thread, take)]));
}

/** [station, item] of everything that member `index` of `among` threads changes. */
export function itemsOf(workloads, index, among, only = Object.keys(workloads)) {
  const owned = [];
  for (const name of only) {
    const workload = workloads[name];
    for (let i = index; i < workload.items; i += among) owned.push([workload, i]);
  }
  return owned;
}
