/** Faults in the log of changes and in watching, in the copy of an arena, and in the reading of snapshots. */
import { death, meanwhile, pair, type Step, tests } from "./detectors.js";
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
        from: "  txBegin();\n  const counted = lockQuota(i.sb);\n  // The pin first",
        to: "  notifyDelete(dir, d, i);\n  txBegin();\n  const counted = lockQuota(i.sb);\n  // The pin first",
      },
      { file: "fs/tmpfs/tmpfs.ts", from: "  notifyDelete(dir, d, i);\n  if (counted)", to: "  if (counted)" },
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

const SNAPSHOT = "packages/threadfs/src/load-save/snapshot";

/** Faults in the copy of an arena, and in the reading of snapshots. */
export const SNAPSHOTS: Mutant[] = [
  {
    name: "an arena is copied while other threads are in their calls",
    edits: [
      {
        file: "sys/arena/copy.ts",
        from: "  if (!excludeOthers(waitMs >= 0 ? min<f64>(waitMs, WAIT_MAX_MS) : 0)) return -EAGAIN;\n",
        to: "  excludeOthers(waitMs >= 0 ? min<f64>(waitMs, WAIT_MAX_MS) : 0);\n",
      },
    ],
    caughtBy: [tests("load-save/snapshot.test", "middle of a rename")],
  },
  {
    name: "the gate stays closed after the copy of an arena",
    edits: [{ file: "sys/arena/copy.ts", from: "  admitOthers();\n  return copied", to: "  return copied" }],
    caughtBy: [pair("small@mkdir: sysMkdir(path=/d/x mode=493) || shrink: arenaCopy()")],
  },
  {
    name: "a copy of the arena waits for the slot lock while it keeps the others out",
    edits: [
      { file: "sys/arena/copy.ts", from: "import { trySpinLock, unlock }", to: "import { lock, unlock }" },
      {
        file: "sys/arena/copy.ts",
        from: "  if (!trySpinLock(L.G_SLOT_LOCK)) {\n    admitOthers();\n    return -EAGAIN;\n  }\n",
        to: "  lock(L.G_SLOT_LOCK);\n",
      },
    ],
    caughtBy: [meanwhile("small end: contextCreate", "shrink: arenaCopy()")],
  },
  {
    name: "a context without privilege copies the arena",
    edits: [{ file: "sys/arena/copy.ts", from: "  if (!may) return -EPERM;\n", to: "" }],
    caughtBy: [tests("load-save/snapshot.test", "CAP_SYS_ADMIN")],
  },
  {
    name: "the report of an end waits at the gate that the dead thread keeps closed",
    edits: [
      {
        file: "sys/recovery.ts",
        from: "  const may = contextCapable(ctx, CAP_SYS_ADMIN);\n",
        to: "  enterActive();\n  const may = contextCapable(ctx, CAP_SYS_ADMIN);\n  leaveActive();\n",
      },
    ],
    caughtBy: [tests("mem/waiting", "opens the gate")],
  },
  {
    name: "the sum of a snapshot's block is not compared",
    edits: [
      {
        file: `${SNAPSHOT}/block-reader.ts`,
        from: '      if (crc32(block) !== sum) throw damaged("the sum of a block is wrong");\n',
        to: "",
      },
    ],
    caughtBy: [tests("load-save/damaged-snapshots", "a bit that is another")],
  },
  {
    name: "a snapshot forgets the extended attributes of a link",
    edits: [
      {
        file: `${SNAPSHOT}/save.ts`,
        from: "    this.#xattrs(dirfd, name, path);\n    // Another reading",
        to: "    // Another reading",
      },
    ],
    caughtBy: [tests("load-save/snapshot.test", "every kind of file")],
  },
  {
    name: "a name in a snapshot may lead out of its directory",
    edits: [
      {
        file: `${SNAPSHOT}/load.ts`,
        from: '    if (!isName(name)) throw damaged("a name that no file can have");\n',
        to: "",
      },
    ],
    caughtBy: [tests("load-save/damaged-snapshots", "hostile")],
  },
  {
    name: "an export writes into files that are there",
    edits: [
      {
        file: "packages/threadfs/src/load-save/directory.ts",
        from: "O_WRONLY | O_CREAT | O_EXCL",
        to: "O_WRONLY | O_CREAT",
      },
    ],
    caughtBy: [tests("load-save/directory", "through no link")],
  },
  {
    name: "an import writes holes as zeros",
    edits: [
      {
        file: "packages/threadfs/src/load-save/directory.ts",
        from: "    const isSparse = used < size;\n",
        to: "    const isSparse = used < 0;\n",
      },
    ],
    caughtBy: [tests("load-save/directory", "hole|comes in")],
  },
];
