/** Faults in what a tree keeps of drivers: limits, idle names, the shrinker (docs/memory.md, "Unused dentries"). */
import { pair, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

export const CACHES: Mutant[] = [
  {
    name: "a walk over an idle name does not say that it is used",
    edits: [
      {
        file: "vfs/walk/lookup.ts",
        from: "const keep = !(d.flags & D_IDLE) || ",
        to: "const keep = !(d.flags & 0) || ",
      },
    ],
    caughtBy: [tests("vfs/caches/limits", "asked for between")],
  },
  {
    name: "the hot path passes over an idle file",
    edits: [{ file: "vfs/walk/rcu-walk.ts", from: " | D_LONG_NAME | D_IDLE;", to: " | D_LONG_NAME;" }],
    caughtBy: [tests("vfs/caches/limits", "asked for between")],
  },
  {
    name: "names that do not exist count among the files",
    edits: [
      {
        file: "vfs/dcache/d-lru.ts",
        from: "(flags & D_TYPE) == D_NEGATIVE ? LRU_NEGATIVE : 0)",
        to: "(flags & D_TYPE) == D_NEGATIVE ? 0 : 0)",
      },
    ],
    caughtBy: [tests("vfs/caches/limits", "cost no file")],
  },
  {
    name: "a name that is removed stays among the files",
    edits: [
      { file: "vfs/dcache/dcache.ts", from: "  lruRemove(d);\n  const i = d.inode;\n", to: "  const i = d.inode;\n" },
    ],
    caughtBy: [tests("vfs/caches/limits", "or removed"), pair("idle@unlink: sysUnlink(path=/m/c) || stat")],
  },
  {
    name: "no name is forgotten when memory is short",
    edits: [
      {
        file: "vfs/recovery/space.ts",
        from: "  if (rcuDepth() != 0 || (round != FIRST && !shrink(round))) return false;\n",
        to: "  if (rcuDepth() != 0 || round != FIRST) return false;\n",
      },
    ],
    caughtBy: [tests("vfs/caches/shrinker", "contents")],
  },
  {
    name: "the shrinker waits for a dentry's lock under the lock of the lists",
    edits: [
      {
        file: "vfs/dcache/d-shrink.ts",
        from: "    if (!d || !tryLock(d.lockref)) {\n      unlock(G_LRU_LOCK);\n      return;\n    }\n",
        to: "    if (!d) {\n      unlock(G_LRU_LOCK);\n      return;\n    }\n    lock(d.lockref);\n",
      },
      {
        file: "vfs/dcache/d-shrink.ts",
        from: "  if (!d || !tryLock(d.lockref)) {\n    unlock(G_LRU_LOCK);\n    return false;\n  }\n",
        to: "  if (!d) {\n    unlock(G_LRU_LOCK);\n    return false;\n  }\n  lock(d.lockref);\n",
      },
    ],
    caughtBy: [pair("idle@stat: sysStat(path=/m/c) || create")],
  },
  {
    name: "the shrinker kills a name that is in use",
    edits: [
      {
        file: "vfs/dcache/d-shrink.ts",
        from: "  const unused = lockrefCount(d.lockref) == 0;\n  const again",
        to: "  const unused = true;\n  const again",
      },
    ],
    caughtBy: [tests("vfs/dcache", "keeps dentries in use"), pair("idle@stat: sysStat(path=/m/c) || create")],
  },
];
