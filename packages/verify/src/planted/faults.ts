/**
 * Faults to be planted in the core and in the packages around it, as edits of their sources, and the checks that are to catch each, the fastest first. One list for
 * packages/verify/src/planted/planted.ts and for the torture run's own tests.
 */
import type { Edit } from "../binary/mutant.js";
import { API, TOOLS } from "./api-faults.js";
import { CONTEXTS } from "./context-faults.js";
import { CACHE } from "./dcache-faults.js";
import type { Step } from "./detectors.js";
import { DRIVERS } from "./driver-faults.js";
import { CONTENTS } from "./files/content-faults.js";
import { DESCRIPTORS } from "./files/descriptor-faults.js";
import { FILES } from "./files/file-faults.js";
import { ACLS } from "./linux/acl-faults.js";
import { ADVISORY } from "./linux/advisory-faults.js";
import { LINKS } from "./linux/link-faults.js";
import { MOUNTS } from "./linux/mount-faults.js";
import { NAMELESS } from "./linux/name-faults.js";
import { PIPES } from "./linux/pipe-faults.js";
import { QUOTAS } from "./linux/quota-faults.js";
import { RANGES } from "./linux/range-faults.js";
import { PROTECTION, RESOLVE } from "./linux/resolve-faults.js";
import { PROGRAMS } from "./linux/wasi-faults.js";
import { XATTRS } from "./linux/xattr-faults.js";
import { LOCKS } from "./lock-faults.js";
import { CACHES } from "./memory/cache-faults.js";
import { LISTS, PARTED } from "./memory/list-faults.js";
import { NODE_FS_CALLS } from "./node-fs-faults.js";
import { WAITS } from "./wait-faults.js";
import { PARALLEL_LOOKUPS } from "./walk/parallel-faults.js";
import { IN_RCU } from "./walk/rcu-faults.js";
import { REPLAYS } from "./walk/replay-faults.js";
import { SHARED_LOCKS } from "./walk/shared-faults.js";
import { WALK } from "./walk-faults.js";
import { SNAPSHOTS, WATCHING } from "./watch-faults.js";

/** A core, or a package, with a fault. */
export interface Mutant {
  name: string;
  /** Its number in the list of bugs that this algorithm has had (docs/planted.md). */
  known?: number;
  /** One of those that measure the torture run: it finds them in seconds. */
  torture?: boolean;
  edits: Edit[];
  /** The checks, in this order, until one catches it. */
  caughtBy: Step[];
}

export const MUTANTS: Mutant[] = [
  ...LOCKS,
  ...WAITS,
  ...SHARED_LOCKS,
  ...CACHE,
  ...WALK,
  ...LINKS,
  ...IN_RCU,
  ...REPLAYS,
  ...FILES,
  ...CONTENTS,
  ...DESCRIPTORS,
  ...LISTS,
  ...PARTED,
  ...CACHES,
  ...CONTEXTS,
  ...DRIVERS,
  ...PARALLEL_LOOKUPS,
  ...NODE_FS_CALLS,
  ...API,
  ...TOOLS,
  ...WATCHING,
  ...SNAPSHOTS,
  ...ADVISORY,
  ...NAMELESS,
  ...RANGES,
  ...XATTRS,
  ...QUOTAS,
  ...MOUNTS,
  ...PIPES,
  ...ACLS,
  ...RESOLVE,
  ...PROTECTION,
  ...PROGRAMS,
];

/** The numbered bugs that cannot be planted, and why. */
export const NOT_PLANTED: Record<number, string> = {};
