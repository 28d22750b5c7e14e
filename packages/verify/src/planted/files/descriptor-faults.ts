/** Faults in the table of descriptors of a context. */
import { death, meanwhile, pair, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const TABLE = "vfs/file/fdtable.ts";

export const DESCRIPTORS: Mutant[] = [
  {
    name: "a descriptor with an uncommitted close counts as closed",
    edits: [
      {
        file: "vfs/file/file.ts",
        from: "      const guard = fdLockOf(c, fd);\n      if (guard == 0) return f;\n      lock(guard);\n      const open = fdFile(c, fd);\n      unlock(guard);\n      if (!open) return f;\n      continue;",
        to: "      return f;",
      },
    ],
    caughtBy: [meanwhile("pages unlink: sysUnlink(path=/g)", "sysWrite(fd=4 offset=5000")],
  },
  {
    name: "a thread for which any descriptor will do takes the lowest",
    edits: [{ file: TABLE, from: "  let fd = any ? takeAny(", to: "  let fd = any && tid == 0 ? takeAny(" }],
    caughtBy: [tests("unit/vfs/file/fdtable", "the block of its slot")],
  },
  {
    name: "all threads for which any descriptor will do begin in one block",
    edits: [{ file: TABLE, from: "(tid - 1) % (FD_BLOCKS - FD_ORDERED_BLOCKS)", to: "0" }],
    caughtBy: [tests("unit/vfs/file/fdtable", "the block of its slot")],
  },
  {
    name: "a free descriptor stays below the hint of its block",
    edits: [{ file: TABLE, from: "  if (fd < load<u32>(hint)) set32(hint, fd);\n", to: "" }],
    caughtBy: [pair("small@tagged || stat: sysStat(path=/d)"), tests("unit/vfs/file/fdtable")],
  },
  {
    name: "an open fails where there is no memory for the thread's block",
    edits: [{ file: TABLE, from: "(fd == -EMFILE || fd == -ENOSPC)", to: "fd == -EMFILE" }],
    caughtBy: [tests("unit/vfs/file/fdtable", "where there is no memory")],
  },
  {
    name: "the descriptors of a full half end an open, though there are others",
    edits: [{ file: TABLE, from: "  else if (fd == -EMFILE) fd = takeAny(c, 0);\n", to: "" }],
    caughtBy: [tests("unit/vfs/file/fdtable", "as many as ever")],
  },
  {
    name: "a context that is closed gives out a descriptor",
    edits: [{ file: TABLE, from: "  if (!isAlive(c)) {\n", to: "  if (!c) {\n" }],
    caughtBy: [pair("closing@sysPipe(flags=0 ctx=1) || destroy: contextDestroy(ctx=1)")],
  },
  {
    name: "the close of a context frees a descriptor that is being opened, and its file stays",
    edits: [
      {
        file: TABLE,
        from: "  const v = atomic.cmpxchg<u32>(fdSlot(c, fd), FD_RESERVED, 0);\n",
        to: "  const v: u32 = 0;\n  atomic.store<u32>(fdSlot(c, fd), 0);\n",
      },
    ],
    caughtBy: [pair("closing@sysOpen(path=/d/mine flags=2 ctx=1) || destroy: contextDestroy(ctx=1)", { bound: 2 })],
  },
  {
    name: "a close misses a lock that another descriptor of the file has got meanwhile",
    edits: [
      {
        file: "vfs/file/close.ts",
        from: "      if (!i || !hasLocks(i)) {\n        unlock(guard);\n        return f;\n      }\n      put32(fdSlot(c, fd), <u32>f.at);\n",
        to: "      unlock(guard);\n      return f;\n",
      },
    ],
    caughtBy: [pair("locks@any=true); setLock || close: sysClose(fd=4); getLock", { bound: 2 })],
  },
  {
    name: "a block whose maker has died before it was shown is never used",
    edits: [{ file: "vfs/recovery/recount.ts", from: "    atomic.store<u32>(c.fdBlockAt(b), block);\n", to: "" }],
    caughtBy: [death("small tagged: sysOpenat2(path=/d/f flags=2 resolve=0 tag=7)")],
  },
  {
    name: "a file is not found by its tag in the blocks of threads",
    edits: [{ file: "vfs/file/close.ts", from: "b < FD_BLOCKS; b++", to: "b < FD_BLOCKS / 2; b++" }],
    caughtBy: [death("small tagged: sysOpenat2(path=/d/f flags=2 resolve=0 tag=7)"), tests("unit/vfs/context-close")],
  },
];
