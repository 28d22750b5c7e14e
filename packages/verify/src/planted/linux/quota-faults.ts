/** Faults of the limits of a file system in memory: core/fs/tmpfs/quota.ts. */
import { death, pair, type Step, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const limits = (pattern: string): Step => tests("unit/fs/limits", pattern);

export const QUOTAS: Mutant[] = [
  {
    name: "pages that are cut off stay counted",
    edits: [{ file: "fs/tmpfs/data.ts", from: "    releaseBlocks(i.sb, 1);\n", to: "" }],
    caughtBy: [limits("pages count")],
  },
  {
    name: "the limit is read outside of the lock of the counts",
    edits: [
      {
        file: "fs/tmpfs/quota.ts",
        from: "  if (sb.maxBlocks == 0) return true;\n  lock(sb.quotaLock);\n  const used = sb.usedBlocks + n;\n",
        to: "  if (sb.maxBlocks == 0) return true;\n  const used = sb.usedBlocks + n;\n  lock(sb.quotaLock);\n",
      },
    ],
    caughtBy: [pair("limited@sysWrite(fd=3 offset=4096 data=three) || sysWrite(fd=4 offset=4096 data=four)")],
  },
  {
    name: "an inode that ends stays counted",
    edits: [{ file: "vfs/inode/iput.ts", from: "    releaseInode(i);\n", to: "" }],
    caughtBy: [limits("inodes count")],
  },
  {
    name: "the recount leaves the counts of a dead thread's files",
    edits: [{ file: "vfs/recovery/recount.ts", from: "  recountQuotas();\n", to: "" }],
    caughtBy: [death("limited unlink: sysUnlink(path=/m/b)")],
  },
  {
    name: "a further name does not count",
    edits: [
      {
        file: "fs/tmpfs/tmpfs.ts",
        from: "  const err = i.nlink == 0 ? 0 : reserveInode(i.sb, 0);\n",
        to: "  const err = 0;\n",
      },
    ],
    caughtBy: [limits("inodes count")],
  },
  {
    name: "a name that a rename replaces stays counted",
    edits: [
      {
        file: "fs/tmpfs/tmpfs.ts",
        from: "    if (i.nlink > 1) releaseSpace(i.sb, INODE_SPACE);\n",
        to: "",
      },
    ],
    caughtBy: [limits("inodes count")],
  },
  {
    name: "an extended attribute that is replaced stays counted",
    edits: [{ file: "vfs/xattr/store.ts", from: "  if (old != 0) releaseSpace(i.sb, spaceOf(old));\n", to: "" }],
    caughtBy: [limits("attributes count")],
  },
  {
    name: "room that a limit refuses is looked for in the arena's grace periods, and what was there is given back",
    edits: [
      {
        file: "vfs/file/ranges.ts",
        from: "  if (isLimited(i.sb) && !hasBlocks(i.sb, dataHoles(i, start, end))) return -ENOSPC;\n",
        to: "",
      },
    ],
    caughtBy: [limits("all or nothing")],
  },
  {
    name: "a remount lowers a limit below what is used",
    edits: [
      { file: "fs/tmpfs/quota.ts", from: "sb.maxBlocks == 0 || sb.usedBlocks > blocks", to: "sb.maxBlocks == 0" },
    ],
    caughtBy: [limits("remount")],
  },
];
