/**
 * Checks a whole arena, as fsck checks a disk: every chunk, object, reference, list, chain, name and page. The checker shares no code
 * with the core, only the addresses and offsets (arena/layout.ts). The arena must be at rest: no call is under way in any thread.
 * Threads may be attached, files, mounts and contexts may exist, and retired objects whose grace period is not over.
 *
 * No word is trusted: a pointer is followed only if it is the address of an object in use, and a list only up to its first repetition.
 * So the checker ends on damaged memory too, and names the damage.
 */

import * as L from "../arena/layout.js";
import { type ArenaMemory, ArenaView } from "./arena-view.js";
import { checkChanges, checkFollowers, namesOf } from "./changes.js";
import { checkContexts, checkFiles, noteFiles } from "./contexts.js";
import { checkLru, checkTrees } from "./dentries.js";
import { checkTable } from "./hash.js";
import { checkInodes } from "./inodes.js";
import { checkFileLocks, checkRequests } from "./locks.js";
import { checkDrivers, checkMounts, checkPlaces, checkQuotas, checkSupers } from "./mounts.js";
import { checkLocks, checkRetired, checkThreads } from "./quiescence.js";
import { checkCaches, checkChunks, checkHeader, checkOwners } from "./slabs.js";

export interface CheckOptions {
  /** Slots of the threads that are attached; every other slot must be free. Without it any slot may be in use. */
  live?: number[];
  /** The names when the log of changes was empty (namesIn()): every difference must be in the log. */
  before?: ReadonlyMap<string, number> | undefined;
}

/**
 * Checks the whole arena.
 * @returns `problems`: each begins with its kind ("nlink: ..."). `counts`: the objects in use of each cache by the cache's name,
 * retired ones among them, and the live ones of each type
 */
export function check(
  memory: ArenaMemory,
  options: CheckOptions = {},
): { problems: string[]; counts: Record<string, number> } {
  const v = inspect(memory, options);
  return { problems: v.problems(), counts: v.counts };
}

/** The names of the tree, and the inode numbers that they have. */
export function namesIn(memory: ArenaMemory): ReadonlyMap<string, number> {
  return namesOf(inspect(memory)).names;
}

/** Checks the whole arena, and returns the view for further reading. */
export function inspect(memory: ArenaMemory, options: CheckOptions = {}): ArenaView {
  const v = new ArenaView(memory);
  if (!checkHeader(v)) return v;
  checkCaches(v, checkChunks(v));
  checkLocks(v);
  checkThreads(v, options);
  checkFollowers(v);
  checkRetired(v);
  // All references are noted first, so that each count can be compared in the end.
  checkDrivers(v);
  checkSupers(v);
  checkMounts(v);
  checkContexts(v);
  noteFiles(v);
  checkRequests(v);
  checkTrees(v);
  checkChanges(v, options.before);
  checkTable(v);
  checkLru(v);
  checkInodes(v);
  checkQuotas(v);
  checkFileLocks(v);
  checkPlaces(v);
  checkFiles(v);
  checkOwners(v);
  checkReferences(v);
  return v;
}

/** Reference counts of dentries, and the gauges of what lasts until its memory is free. */
function checkReferences(v: ArenaView): void {
  for (const d of v.tree) {
    const refs = v.refsOf(d);
    v.equal(
      v.i32(d + L.DENTRY.count),
      refs.length,
      "dentry-count",
      () => `the count of ${v.dentry(d)} (held by: ${refs})`,
    );
  }
  v.equal(
    v.sum(L.G_NR_DENTRY, L.SLOT_NR_DENTRY),
    v.allocated(L.CACHE_DENTRY).size,
    "gauge",
    () => "the gauge of dentries",
  );
  v.equal(v.sum(L.G_NR_INODE, L.SLOT_NR_INODE), v.allocated(L.CACHE_INODE).size, "gauge", () => "the gauge of inodes");
}
