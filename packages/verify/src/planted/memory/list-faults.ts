/** Faults in what each slot keeps: sheaves, retired objects, parts of counters (docs/memory.md, "The line of lists"). */
import { death, fsck, pair, races, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

export const LISTS: Mutant[] = [
  {
    name: "a thread that finds no memory leaves the sheaves of other threads as they are",
    edits: [
      {
        file: "mem/alloc/slab.ts",
        from: "  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) {\n    for (let id",
        to: "  for (let s = slot; s == slot; s += used * SLOT_SIZE) {\n    for (let id",
      },
    ],
    caughtBy: [tests("mem/sheaf", "gets")],
  },
  {
    name: "a thread that finds no memory reclaims what it has retired itself",
    edits: [
      {
        file: "vfs/recovery/reclaim.ts",
        from: "s += SLOT_SIZE) done += reclaim(s, objectsMax());",
        to: "s += SLOT_SIZE) if (s == slot) done += reclaim(s, objectsMax());",
      },
    ],
    caughtBy: [tests("mem/sheaf", "gets")],
  },
  {
    name: "a sheaf grows without end",
    edits: [
      {
        file: "mem/alloc/slab.ts",
        from: "  if (load<u32>(sheaf + SHEAF_SIZE) >= SHEAF_MAX) flushSheaf(id, sheaf);\n",
        to: "",
      },
    ],
    caughtBy: [tests("mem/sheaf", "keeps no more")],
  },
  {
    name: "a sheaf is flushed without its lock",
    edits: [
      {
        file: "mem/alloc/slab.ts",
        from: "        lock(s + SLOT_LISTS_LOCK);\n        const n = load<u32>(s + offset + SHEAF_SIZE);\n        if (n != 0) flushSheaf(id, s + offset);\n        unlock(s + SLOT_LISTS_LOCK);\n",
        to: "        const n = load<u32>(s + offset + SHEAF_SIZE);\n        if (n != 0) flushSheaf(id, s + offset);\n",
      },
    ],
    caughtBy: [pair("small@sysMkdir(path=/d/x || shrink"), races("small@sysMkdir(path=/d/x || shrink")],
  },
  {
    name: "the recount takes what lies on a sheaf for an object that nothing refers to",
    edits: [
      { file: "vfs/recovery/recount.ts", from: "  flushSheaves();\n  markFreeObjects();", to: "  markFreeObjects();" },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "the recount looks for retired objects in its own slot alone",
    edits: [
      {
        file: "vfs/recovery/objects.ts",
        from: "s += SLOT_SIZE) markRetired(s);",
        to: "s += SLOT_SIZE) if (s == slot) markRetired(s);",
      },
      {
        file: "vfs/recovery/objects.ts",
        from: 'import { Dentry } from "../dcache/dentry";',
        to: 'import { slot } from "../../mem/thread";\nimport { Dentry } from "../dcache/dentry";',
      },
    ],
    caughtBy: [death("small unlink"), death("small")],
  },
  {
    name: "the recount leaves the parts of counters",
    edits: [
      {
        file: "mem/percpu-counter.ts",
        from: "s += SLOT_SIZE) atomic.store<u32>(s + part, 0);",
        to: "s += SLOT_SIZE) atomic.store<u32>(s + part, load<u32>(s + part));",
      },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "a part of a counter stays when it has been added to the total",
    edits: [
      {
        file: "mem/percpu-counter.ts",
        from: "    atomic.store<u32>(slot + part, 0);\n  } else",
        to: "    atomic.store<u32>(slot + part, <u32>own);\n  } else",
      },
    ],
    caughtBy: [fsck()],
  },
  {
    name: "a reference on the root mount is put without being counted",
    edits: [{ file: "vfs/mount/namespace.ts", from: "    countRootMount(-1);\n", to: "" }],
    caughtBy: [fsck()],
  },
  {
    name: "a copy of the arena is without what the other threads keep",
    edits: [
      {
        file: "sys/arena/copy.ts",
        from: "    if (s != T.slot && !copyRange(s + L.SLOT_LISTS_LOCK, s + L.SLOT_SIZE)) return false;\n",
        to: "",
      },
    ],
    caughtBy: [tests("mem/sheaf", "copy")],
  },
];

/** Faults in what parts writers and readers of files: reads without i_mutex, renames without the rename lock (docs/locking.md). */
export const PARTED: Mutant[] = [
  {
    name: "a write does not make the contents sequence odd",
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "  contentsChangeBegin(i);\n  // The end of the file is read",
        to: "  // The end of the file is read",
      },
    ],
    caughtBy: [pair("small@write || read")],
  },
  {
    name: "a read without i_mutex does not look at the sequence again when it has the bytes",
    edits: [{ file: "fs/tmpfs/unlocked.ts", from: "  return hasChanged(i, s) ? -1 : bytes;", to: "  return bytes;" }],
    caughtBy: [pair("small@write || read"), pair("pages@readFile || writeFile")],
  },
  {
    name: "a file that is emptied and written in one call can be read in between",
    edits: [
      {
        file: "vfs/file/whole-file.ts",
        from: "  contentsChangeBegin(i);\n  if (flags & O_TRUNC && !(nd.state & ND_CREATED)) truncateLocked(nd.ctx, nd.dentry, i, 0, NaN);\n",
        to: "  contentsChangeBegin(i);\n  if (flags & O_TRUNC && !(nd.state & ND_CREATED)) truncateLocked(nd.ctx, nd.dentry, i, 0, NaN);\n  contentsChangeEnd(i);\n  contentsChangeBegin(i);\n",
      },
    ],
    caughtBy: [pair("pages@readFile || writeFile"), pair("small@readFile || writeFile")],
  },
  {
    name: "recovery leaves the contents sequence of a file odd",
    edits: [{ file: "sys/recovery.ts", from: "  dataRepair(i);\n  contentsChangeEnd(i);\n", to: "  dataRepair(i);\n" }],
    caughtBy: [death("small write")],
  },
  {
    name: "the path of a file has the name that a rename has just taken from it",
    edits: [
      {
        file: "vfs/dcache/d-path.ts",
        from: "  if (readSeqRetry(d.seq, seq)) return AGAIN;\n  store<u8>(at - 1, 47);",
        to: "  store<u8>(at - 1, 47);",
      },
      {
        file: "vfs/dcache/d-path.ts",
        from: "    if (end == AGAIN || readSeqRetry(d.seq, seq)) return -EAGAIN;",
        to: "    if (end == AGAIN) return -EAGAIN;",
      },
    ],
    caughtBy: [pair("names@realpath || rename"), pair("small@realpath || rename")],
  },
];
