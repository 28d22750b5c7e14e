/** Faults in waiting and in leaving a call that has waited for too long, which only a thread that may not sleep meets at will. */
import { tests, timeouts } from "./detectors.js";
import type { Mutant } from "./faults.js";

export const WAITS: Mutant[] = [
  {
    name: "a thread that may not sleep panics after a number of looks at a taken lock",
    edits: [
      {
        file: "mem/lock/lock.ts",
        from: "      for (let i = 0; i < SPINS && atomic.load<u32>(p) == v; i++) {}\n",
        to: "      for (let i = 0; i < SPINS * 100; i++) {\n        if (atomic.load<u32>(p) == 0) break;\n        if (i == SPINS * 100 - 1) panic(PANIC_UNLOCK, p);\n      }\n",
      },
    ],
    caughtBy: [timeouts("small@sysMkdir(path=/d/x || sysUnlink(path=/d/f")],
  },
  {
    name: "a thread that may not sleep spins for ever for a mutex",
    edits: [
      {
        file: "mem/lock/lock.ts",
        from: "for (let late = false; ; late = isPast(deadline)) {\n    const v",
        to: "for (let late = false; ; late = isPast(deadline) && canWait) {\n    const v",
      },
    ],
    caughtBy: [timeouts("small@sysMkdir(path=/d/x || sysUnlink(path=/d/f")],
  },
  {
    name: "a call that is left keeps the descriptor that it had taken",
    edits: [{ file: "sys/recovery.ts", from: "  fdAbandon();\n", to: "" }],
    caughtBy: [timeouts("small@sysUnlink(path=/d/f) || sysOpen(path=/d/x flags=65")],
  },
  {
    name: "the references of a call that is left are never counted anew",
    edits: [
      {
        file: "sys/recovery.ts",
        from: "    atomic.add<u32>(V.G_LEAKS, 1);\n    forgetContext();",
        to: "    forgetContext();",
      },
    ],
    caughtBy: [timeouts("small@sysMkdir(path=/d/x || sysUnlink(path=/d/f")],
  },
  {
    name: "the change that a call has begun is not taken back when its thread leaves it",
    edits: [
      {
        file: "sys/recovery.ts",
        from: "  rollBack(s, T.tid);\n  forgetTransaction();",
        to: "  store<u32>(s + L.SLOT_UNDO_LOG, 0);\n  rollBack(s, T.tid);\n  forgetTransaction();",
      },
    ],
    caughtBy: [
      timeouts("names@rename: sysRename(path=/d/n path2=/o/n*203 || unlink"),
      timeouts("places@sysRename(path=/d path2=/o/d"),
    ],
  },
  {
    name: "a call that has happened throws when what is left of it waits for too long",
    edits: [{ file: "vfs/recovery/outcome.ts", from: "  if (!Number.isNaN(result)) outcome = result;\n", to: "" }],
    caughtBy: [tests("unit/mem/waiting")],
  },
  {
    name: "a driver's change stays hidden when the rest of its call is left",
    edits: [{ file: "sys/recovery.ts", from: "  completeDriverChange();\n", to: "" }],
    caughtBy: [
      tests("unit/fs/driver-changes-left"),
      timeouts("cached@sysUnlink(path=/m/s/g) || again: sysUnlink(path=/m/f)"),
    ],
  },
  {
    name: "a name that a driver has made is shown without its event, when its call is left",
    edits: [
      {
        file: "vfs/recovery/driver-change.ts",
        from: "  else notifyCreated(inode, d, createdIno, createdDir);\n",
        to: "",
      },
    ],
    caughtBy: [tests("unit/fs/driver-changes-left")],
  },
  {
    name: "a file system that a recount ends is not told to be unmounted",
    edits: [{ file: "vfs/recovery/recount.ts", from: "    notifyUnmount(changetype<SuperBlock>(p));\n", to: "" }],
    caughtBy: [tests("unit/fs/driver-changes-left")],
  },
  {
    name: "the explorer is not told that a call has happened",
    edits: [{ file: "vfs/ops/rename.ts", from: "  txEnd();\n  happened(0);\n", to: "  txEnd();\n" }],
    // The reference on the replaced file is put after the change; a writer of that file has its lock.
    caughtBy: [timeouts("small@write: sysWrite(fd=4 || sysRename(path=/d/f path2=/f")],
  },
  {
    name: "a write counts as written before it has room",
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "  const room = reserveRoom(i, pos, fits);",
        to: "  happened(done + fits);\n  const room = reserveRoom(i, pos, fits);",
      },
    ],
    caughtBy: [tests("unit/mem/waiting")],
  },
  {
    name: "the position of a listing moves although its call throws",
    edits: [
      { file: "vfs/file/readdir.ts", from: "      happened(r);\n      fileAccessed(f);", to: "      fileAccessed(f);" },
    ],
    caughtBy: [tests("unit/mem/waiting")],
  },
  {
    name: "a context that a thread leaves unfinished stays in the table",
    edits: [{ file: "sys/recovery.ts", from: "  contextAbandon();\n", to: "" }],
    caughtBy: [tests("unit/mem/waiting")],
  },
  {
    name: "a descriptor that the library cannot close stays open",
    edits: [
      {
        file: "packages/threadfs/src/bridge/waiting.ts",
        from: "    this.#calls.push(call);\n    this.start();\n",
        to: "",
      },
    ],
    caughtBy: [tests("unit/mem/waiting")],
  },
];
