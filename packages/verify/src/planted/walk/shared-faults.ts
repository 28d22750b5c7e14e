/** Faults in locks that threads hold shared, and in the listings that hold them so. */
import { death, pair, races, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const RWSEM = "mem/lock/rwsem.ts";
const CHILDREN = "vfs/dcache/d-children.ts";
const LOOKUP = "vfs/walk/lookup.ts";
const CREATE_BESIDE_LISTING = "small@sysMkdir(path=/d/x || sysScandir(path=/d)";

export const SHARED_LOCKS: Mutant[] = [
  {
    name: "a thread that takes a mutex shared does not look whether it has an owner",
    edits: [{ file: RWSEM, from: "if ((v & LOCK_OWNER) == 0 && (v & SHARED", to: "if ((v & SHARED" }],
    caughtBy: [tests("mem/rwsem", "waits for a thread"), pair(CREATE_BESIDE_LISTING)],
  },
  {
    name: "a thread looks whether a mutex has an owner before it says that it has it shared",
    edits: [
      {
        file: RWSEM,
        from: "  atomic.store<u32>(slot + SLOT_SHARED, <u32>p);\n  const v = atomic.load<u32>(p);\n",
        to: "  const v = atomic.load<u32>(p);\n  atomic.store<u32>(slot + SLOT_SHARED, <u32>p);\n",
      },
    ],
    caughtBy: [pair("small@unlink || sysScandir(path=/d)"), pair("small@unlink || sysScandir(path=/d)", { bound: 2 })],
  },
  {
    name: "whoever takes a mutex for itself does not wait for those that have it shared",
    edits: [
      { file: "mem/lock/lock.ts", from: "    if (atomic.load<u32>(p) & SHARED) awaitHolders(p);\n", to: "" },
      { file: "mem/lock/lock.ts", from: "  else if (old != (tid | free)) panic(PANIC_UNLOCK, p);\n", to: "" },
    ],
    caughtBy: [tests("mem/rwsem", "waits for the threads"), pair("small@unlink || sysScandir(path=/d)")],
  },
  {
    name: "a thread that has had a mutex shared does not wake the one that waits for it",
    edits: [{ file: RWSEM, from: "  if ((atomic.load<u32>(p) & LOCK_OWNER) != 0) atomic.notify(mine, 1);\n", to: "" }],
    caughtBy: [pair(CREATE_BESIDE_LISTING, { bound: 2 })],
  },
  {
    name: "a plain store says that a thread has a mutex shared no more",
    edits: [{ file: RWSEM, from: "  atomic.store<u32>(mine, 0);\n", to: "  store<u32>(mine, 0);\n" }],
    caughtBy: [races(CREATE_BESIDE_LISTING)],
  },
  {
    name: "a dead thread keeps the mutex that it had shared",
    edits: [{ file: "mem/undo/recover.ts", from: "  dropShared(j - SLOT_UNDO_LOG);\n", to: "" }],
    caughtBy: [tests("mem/rwsem", "has ended"), death("small readdir: sysScandir(path=/d)")],
  },
  {
    name: "the recovery of a thread that waited for those that have a mutex shared takes it from them",
    edits: [{ file: "mem/undo/recover.ts", from: "atomic.store<u32>(p, v & SHARED);", to: "atomic.store<u32>(p, 0);" }],
    caughtBy: [tests("mem/rwsem", "ends while it waits")],
  },
  {
    name: "a mutex that was shared in another life of its memory counts as taken",
    edits: [
      {
        file: "mem/lock/lock.ts",
        from: "  const v = atomic.load<u32>(p);\n  if ((v & LOCK_OWNER) != 0) return false;\n  store",
        to: "  const v = atomic.load<u32>(p);\n  if (v != 0) return false;\n  store",
      },
    ],
    caughtBy: [tests("mem/rwsem", "that of a listed directory")],
  },
  {
    name: "a listing keeps other listings of its directory waiting",
    edits: [
      { file: "vfs/file/scandir.ts", from: "  mutexLockShared(dir.mutex);\n", to: "  mutexLock(dir.mutex);\n" },
      { file: "vfs/file/scandir.ts", from: "  mutexUnlockShared(dir.mutex);\n", to: "  mutexUnlock(dir.mutex);\n" },
      {
        file: "vfs/file/scandir.ts",
        from: 'import { mutexLockShared, mutexUnlockShared } from "../../mem/lock/rwsem";',
        to: 'import { mutexLock, mutexUnlock } from "../../mem/lock/lock";',
      },
    ],
    caughtBy: [tests("mem/rwsem", "row 115")],
  },
  {
    name: "a lookup that misses in memory keeps others of its directory waiting",
    edits: [
      {
        file: LOOKUP,
        from: "  mutexLockShared(mutex);\n  const d = lookupLocked(nd, false);\n  mutexUnlockShared(mutex);\n",
        to: "  mutexLock(mutex);\n  const d = lookupLocked(nd, false);\n  mutexUnlock(mutex);\n",
      },
      {
        file: LOOKUP,
        from: 'import { mutexLockShared, mutexUnlockShared } from "../../mem/lock/rwsem";\n',
        to: "",
      },
    ],
    caughtBy: [tests("mem/rwsem", "row 115")],
  },
  {
    name: "a listing goes on from a child without a name",
    edits: [
      {
        file: CHILDREN,
        from: "  return !next || isEntry(parent, next) ? next : entryBehind(parent, d);",
        to: "  let n = next;\n  while (n && !isEntry(parent, n)) n = changetype<Dentry>(<usize>n.sibNext);\n  return n;",
      },
    ],
    caughtBy: [pair("small@leave || sysScandir(path=/d)", { bound: 2 })],
  },
];
