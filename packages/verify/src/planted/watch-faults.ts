/** Faults of the log of changes and of those who follow it. */
import { death, type Step, tests } from "./detectors.js";
import type { Mutant } from "./faults.js";

const WATCH = "packages/threadfs/src/node-fs/watch";
const events = (pattern?: string): Step => tests("node-fs/watch/events", pattern);
const log = (pattern: string): Step => tests("node-fs/watch/log", pattern);

export const WATCHING: Mutant[] = [
  {
    name: "a new name is logged after its creation has been committed",
    edits: [
      {
        file: "fs/tmpfs/tmpfs.ts",
        from: "  notifyCreate(dir, d, i);\n  txEnd();\n",
        to: "  txEnd();\n  notifyCreate(dir, d, i);\n",
      },
    ],
    caughtBy: [death("followed create: sysMkdir")],
  },
  {
    name: "the delete event is sent before the name is gone",
    known: 23,
    edits: [
      {
        file: "fs/tmpfs/tmpfs.ts",
        from: "  const t = currentTime();\n  txBegin();\n  // The pin first",
        to: "  const t = currentTime();\n  notifyDelete(dir, d, i);\n  txBegin();\n  // The pin first",
      },
      { file: "fs/tmpfs/tmpfs.ts", from: "  notifyDelete(dir, d, i);\n  txEnd();\n", to: "  txEnd();\n" },
    ],
    caughtBy: [death("followed unlink: sysUnlink(path=/d/g)")],
  },
  {
    name: "the end of the log moves without an entry in the undo log",
    edits: [
      {
        file: "vfs/notify/changes.ts",
        from: "  if (isFirst) put64(G_CHANGES_TAIL, at + bytes);\n  else atomic",
        to: "  atomic",
      },
    ],
    caughtBy: [death("followed unlink: sysUnlink(path=/d/g)"), death("followed rename")],
  },
  {
    name: "a move is told before the file has moved",
    edits: [
      {
        file: "vfs/ops/rename.ts",
        from: "  const left = dMove(d, t, exchange);\n",
        to: "  notifyInode(IN_MOVE_SELF, moved);\n  const left = dMove(d, t, exchange);\n",
      },
      {
        file: "vfs/ops/rename.ts",
        from: 'import { notifyMove } from "../notify/fsnotify";\n',
        to: 'import { IN_MOVE_SELF } from "../../../abi/flags";\nimport { notifyInode, notifyMove } from "../notify/fsnotify";\n',
      },
    ],
    caughtBy: [log("tells every change")],
  },
  {
    name: "a thread that ends still follows the log",
    edits: [{ file: "sys/thread.ts", from: "  leaveChanges(T.slot);\n", to: "" }],
    caughtBy: [log("leaves the log")],
  },
  {
    name: "a thread that dies still follows the log",
    edits: [{ file: "sys/recovery.ts", from: "  leaveChanges(s);\n", to: "" }],
    caughtBy: [log("leaves the log")],
  },
  {
    name: "every context may follow all changes",
    edits: [
      {
        file: "sys/changes.ts",
        from: "  const may = all == 0 || capable(c, CAP_SYS_ADMIN);\n",
        to: "  const may = all == 0 || all == 1 || capable(c, CAP_SYS_ADMIN);\n",
      },
    ],
    caughtBy: [log("needs CAP_SYS_ADMIN")],
  },
  {
    name: "a watch does not need permission to read",
    edits: [
      {
        file: `${WATCH}/inode-watch.ts`,
        from: "  return refused < 0 ? refused : found;",
        to: "  return refused < -9999 ? refused : found;",
      },
    ],
    caughtBy: [log("needs CAP_SYS_ADMIN")],
  },
  {
    name: "a watch is told what happened before it began",
    edits: [{ file: `${WATCH}/inode-watch.ts`, from: "      if (change.position < watch.from) continue;\n", to: "" }],
    caughtBy: [events("before it began")],
  },
  {
    name: "records that have been overwritten are read",
    edits: [
      {
        file: "vfs/notify/changes.ts",
        from: "  if (tail - from > kept()) return -EOVERFLOW;\n",
        to: "  if (tail - from > kept() + (<u64>1 << 40)) return -EOVERFLOW;\n",
      },
      {
        file: "vfs/notify/changes.ts",
        from: "  if (changesTail() - from > kept()) return -EOVERFLOW;\n",
        to: "",
      },
    ],
    caughtBy: [log("has lost")],
  },
];
