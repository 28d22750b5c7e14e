/** Faults in what calls change: entries, accounts, contents, descriptors, and in the sweep that finds what the dead held. */
import { alloc, death, fsck, pair, terminate, tests, torture } from "./detectors.js";
import type { Mutant } from "./faults.js";

export const FILES: Mutant[] = [
  {
    name: "a directory does not count its children",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "  parent.nrChildren += 1;\n  dAdd", to: "  dAdd" }],
    caughtBy: [fsck()],
  },
  {
    name: "a rename does not take its entry off the old directory's count",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "  from.nrChildren -= 1;\n", to: "" }],
    caughtBy: [fsck()],
  },
  {
    name: "a second name is not counted",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "  addLinks(i, 1, t);\n  txEnd();", to: "  txEnd();" }],
    caughtBy: [fsck()],
  },
  {
    name: "names and accounts of a rename in two sections",
    edits: [
      {
        file: "vfs/ops/modify.ts",
        from: "  const left = dMove(d, t, exchange);\n",
        to: "  const left = dMove(d, t, exchange);\n  txEnd();\n  txBegin();\n",
      },
    ],
    caughtBy: [death("small rename: sysRename(path=/d/f path2=/f")],
  },
  {
    name: "a lock not released on one error path: the directory's, where the name exists",
    edits: [
      {
        file: "vfs/ops/modify.ts",
        from: "  if (err == 0) return d;\n  donePathCreate(nd, d);",
        to: "  if (err == 0) return d;\n  dput(d);\n  pathPut(nd);",
      },
    ],
    caughtBy: [fsck(), pair("small@sysMkdir(path=/d/x || mkdir")],
  },
  {
    name: "a check before instead of after: rmdir looks for children before it has the lock",
    edits: [
      {
        file: "vfs/ops/modify.ts",
        from: "  if (err == 0) {\n    mutexLock(i.mutex);\n    if (isMounted(d)) err = -EBUSY;",
        to: "  if (err == 0) {\n    const full = d.nrChildren != 0;\n    mutexLock(i.mutex);\n    if (isMounted(d)) err = -EBUSY;",
      },
      {
        file: "vfs/ops/modify.ts",
        from: "    else if (dirs && d.nrChildren != 0) err = -ENOTEMPTY;",
        to: "    else if (dirs && full) err = -ENOTEMPTY;",
      },
    ],
    caughtBy: [pair("small@sysUnlink(path=/o removedir || mkdir"), pair("small@rmdir || mkdir", { bound: 2 })],
  },
  {
    name: "rmdir does not look for children",
    edits: [{ file: "vfs/ops/modify.ts", from: "    else if (dirs && d.nrChildren != 0) err = -ENOTEMPTY;\n", to: "" }],
    caughtBy: [fsck(), pair("small@rmdir || mkdir")],
  },
  {
    name: "contents read without the file's lock",
    torture: true,
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "  mutexLock(i.mutex);\n  let r = 0;\n  if (i.mode & I_DRIVER) {\n    r = i.sb.hooks & HOOK_READ",
        to: "  let r = 0;\n  if (i.mode & I_DRIVER) {\n    r = i.sb.hooks & HOOK_READ",
      },
      {
        file: "vfs/file/read-write.ts",
        from: "      r = n;\n    }\n  }\n  mutexUnlock(i.mutex);",
        to: "      r = n;\n    }\n  }",
      },
    ],
    caughtBy: [pair("small@truncate || read"), pair("small@write || read"), torture()],
  },
  {
    name: "what is cut off a file's last block is not cleared",
    edits: [
      {
        file: "fs/tmpfs/data.ts",
        from: "    if (size < <i64>i.shape) memory.fill(i.data + <u32>size, 0, i.shape - <u32>size);\n",
        to: "",
      },
    ],
    caughtBy: [death("pages truncate: sysTruncate(path=/g"), fsck(), torture()],
  },
  {
    name: "a block freed before the new one hangs in its place",
    edits: [
      {
        file: "fs/tmpfs/data.ts",
        from: "  txBegin();\n  if (i.shape != 0) slabFree(i.data);\n  else i.pages = 1;",
        to: "  if (i.shape != 0) slabFree(i.data);\n  txBegin();\n  if (i.shape == 0) i.pages = 1;",
      },
    ],
    caughtBy: [death("small write: sysWrite(fd=4")],
  },
  {
    name: "a larger node does not take over what the smaller one held",
    edits: [{ file: "fs/tmpfs/data.ts", from: "  memory.copy(node, old, 4 << topBits(i));\n", to: "" }],
    caughtBy: [pair("pages@write || truncate"), fsck()],
  },
  {
    name: "a node freed before the larger one hangs in its place",
    edits: [
      {
        file: "fs/tmpfs/data.ts",
        from: "  txBegin();\n  i.data = <u32>node;\n  i.shape = RADIX | (bits << 8) | 1;\n  removePendingBlock(node);\n  slabFree(old);",
        to: "  slabFree(old);\n  txBegin();\n  i.data = <u32>node;\n  i.shape = RADIX | (bits << 8) | 1;\n  removePendingBlock(node);",
      },
    ],
    caughtBy: [death("pages write")],
  },
  {
    name: "a cut takes a small node for a full one",
    edits: [
      {
        file: "fs/tmpfs/data.ts",
        from: "  truncateNode(i, <usize>i.data, levelsOf(i), (<u32>1) << topBits(i), 0, (size",
        to: "  truncateNode(i, <usize>i.data, levelsOf(i), 1024, 0, (size",
      },
    ],
    caughtBy: [pair("pages@write || truncate"), fsck()],
  },
  {
    name: "the error path of open keeps its dentry",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "    if (err == 0) nd.state |= ND_CREATED;\n    else dput(d);",
        to: "    if (err == 0) nd.state |= ND_CREATED;",
      },
    ],
    caughtBy: [alloc("create"), alloc("open"), fsck()],
  },
  {
    name: "a link's text is kept when there is no room for its inode",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "    if (text != 0) slabFree(text);\n", to: "" }],
    caughtBy: [alloc("symlink"), fsck()],
  },
  {
    name: "a descriptor is not given back on error",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "    putUnusedFd(c, fd);\n    fput(f);\n    return err;",
        to: "    fput(f);\n    return err;",
      },
    ],
    caughtBy: [fsck()],
  },
  {
    name: "a file is not put on error",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "    putUnusedFd(c, fd);\n    fput(f);\n    return err;",
        to: "    putUnusedFd(c, fd);\n    return err;",
      },
    ],
    caughtBy: [fsck()],
  },
  {
    name: "a file is emptied before anybody has asked whether that is allowed",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "    err = mayOpen(nd, flags);\n    if (err == 0) err = openFile(nd, f, flags);",
        to: "    err = openFile(nd, f, flags);\n    if (err == 0) err = mayOpen(nd, flags);",
      },
    ],
    caughtBy: [tests("conformance/")],
  },
  {
    name: "the entry shown last is remembered without a reference",
    edits: [
      {
        file: "vfs/file/readdir.ts",
        from: "if (last && last.cookie == <u32>f.pos && lockrefGetNotDead(last.lockref, false)) fillDirentsHint = last;",
        to: "if (last && last.cookie == <u32>f.pos) fillDirentsHint = last;",
      },
    ],
    caughtBy: [fsck(), death("small readdir")],
  },
  {
    name: "a reading goes on behind an entry that has moved to another directory",
    known: 24,
    edits: [
      {
        file: "vfs/file/readdir.ts",
        from: "if (hint && hint.parent == parent && <i64>hint.cookie == f.pos)",
        to: "if (hint)",
      },
    ],
    caughtBy: [tests("known-bugs-memory", "bug 24:")],
  },
  {
    name: "two children get one place in their directory",
    edits: [
      {
        file: "vfs/dcache/dcache.ts",
        from: "  d.cookie = ++parent.nextCookie;",
        to: "  d.cookie = parent.nextCookie;",
      },
    ],
    caughtBy: [fsck()],
  },
  {
    name: "the sweep does not count what holds an entry in memory",
    edits: [
      {
        file: "vfs/recovery/recount.ts",
        from: "    if (d.sb.driver == 0 && d.sb.recount != 0 && d.parent != d && !(d.flags & D_UNHASHED)) d.recount += 1;\n",
        to: "",
      },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "the sweep does not count a child's reference on its parent",
    edits: [
      { file: "vfs/recovery/recount.ts", from: "    if (d.parent != d) countDentryReference(d.parent_);\n", to: "" },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "the sweep does not count what open files hold",
    edits: [{ file: "vfs/recovery/recount.ts", from: "    countDentryReference(f.dentry_);\n", to: "" }],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "the sweep leaves inodes that nothing leads to",
    edits: [
      {
        file: "vfs/recovery/recount.ts",
        from: "    if (i.recount == 0 && load<u32>(i.count) == 0) collectInode(i);\n",
        to: "",
      },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x"), death("small unlink: sysUnlink(path=/d/e/g)")],
  },
  {
    name: "the sweep does not wait until all are out of their calls",
    edits: [
      {
        file: "vfs/recovery/recount.ts",
        from: "  const until = host.clock() + waitMs;\n",
        to: "  if (waitMs >= 0) return true;\n  const until = host.clock() + waitMs;\n",
      },
    ],
    caughtBy: [terminate(), tests("threads/death")],
  },
];
