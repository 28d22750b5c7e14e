/** Faults in lookups of a driver that run side by side. */
import { pair, type Step, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const PARALLEL = "vfs/dcache/d-parallel.ts";
const LOOKUP = "vfs/walk/lookup.ts";
const forced = (pattern: string): Step => tests("fs/parallel-lookups", pattern);

export const PARALLEL_LOOKUPS: Mutant[] = [
  {
    name: "a driver is asked for a name under the mutex of its directory",
    edits: [
      {
        file: LOOKUP,
        from: "        d = askDriver(nd, d);\n",
        to: "        mutexLock(dir.mutex);\n        d = askDriver(nd, d);\n        mutexUnlock(dir.mutex);\n",
      },
    ],
    caughtBy: [forced("stays free"), tests("threads/lookups", "at the same time")],
  },
  {
    name: "a name in lookup is put in lookup by another thread too",
    edits: [
      {
        file: PARALLEL,
        from: "      if (!hook && !isNamed(d, name, hashLen)) continue;\n",
        to: "      if (hook || d.nameLen != 0) continue;\n",
      },
    ],
    caughtBy: [forced("the same name"), pair("cold@lookup: sysStat(path=/m/x) || create")],
  },
  {
    name: "of two spellings of one name each is put in lookup",
    edits: [
      {
        file: PARALLEL,
        from: "      if (!hook && !isNamed(d, name, hashLen)) continue;\n",
        to: "      if (!isNamed(d, name, hashLen)) continue;\n",
      },
    ],
    caughtBy: [forced("two spellings")],
  },
  {
    name: "the mutex of a name in lookup is released before the answer can be found",
    edits: [
      {
        file: LOOKUP,
        from: "  if (!dAdd(d, i)) return moveAlias(nd, d, i);\n  dLookupDone(d);\n  return d;\n",
        to: "  mutexUnlock(d.lookupMutex);\n  if (dAdd(d, i)) return d;\n  mutexLock(d.lookupMutex);\n  return moveAlias(nd, d, i);\n",
      },
    ],
    caughtBy: [pair("cold@lookup: sysStat(path=/m/f) || lookup: sysStat(path=/m/f)"), pair("cold@lookup || unlink")],
  },
  {
    name: "a name that a dead thread has left in lookup stays there",
    edits: [{ file: PARALLEL, from: "  if (d.flags & D_PAR_LOOKUP) dDrop(d);\n", to: "" }],
    caughtBy: [tests("threads/lookups", "waits for the name asks")],
  },
  {
    name: "a name is changed though it is that of another entry since it was looked up",
    edits: [{ file: LOOKUP, from: "    if (isStillThere(nd, d) && ", to: "    if (" }],
    caughtBy: [pair("cold@unlink: sysUnlink(path=/m/f) || again")],
  },
];
