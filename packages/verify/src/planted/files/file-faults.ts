/** Faults in what calls change: entries, accounts, contents, descriptors, and in the recount of a dead thread's references. */
import { alloc, death, fsck, pair, terminate, tests, torture } from "../detectors.js";
import type { Mutant } from "../faults.js";

export const FILES: Mutant[] = [
  {
    name: "the end of the file is read before the lock of an append",
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "  mutexLock(i.mutex);\n  contentsChangeBegin(i);\n  // The end of the file is read under the lock: whatever another thread appends comes before or after the whole write.\n  const pos = f.flags & O_APPEND ? i.size : at < 0 ? f.pos : at;",
        to: "  const pos = f.flags & O_APPEND ? i.size : at < 0 ? f.pos : at;\n  mutexLock(i.mutex);\n  contentsChangeBegin(i);",
      },
    ],
    caughtBy: [
      tests("unit/vfs/write", "an append"),
      pair("small@sysOpen(path=/h flags=1025 || sysOpen(path=/h flags=1025"),
    ],
  },
  {
    name: "a directory is opened with O_DIRECT",
    edits: [{ file: "vfs/file/open.ts", from: "  if (flags & O_DIRECT && i.isDir) return -EINVAL;\n", to: "" }],
    caughtBy: [tests("conformance/open", "O_DIRECT")],
  },
  {
    name: "the recount does not count the entry at which a reading of a directory continues",
    edits: [{ file: "vfs/recovery/recount.ts", from: "    countDentryReference(f.hint);\n", to: "" }],
    caughtBy: [death("small readdir", { more: ["--short"] })],
  },
  {
    name: "a new entry does not raise its directory's number of children",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "  parent.nrChildren += 1;\n  dAdd", to: "  dAdd" }],
    caughtBy: [fsck()],
  },
  {
    name: "a rename does not lower the old directory's number of children",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "  from.nrChildren -= 1;\n", to: "" }],
    caughtBy: [fsck()],
  },
  {
    name: "a second link does not raise nlink",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "  addLinks(i, 1, t);\n  notifyLink(", to: "  notifyLink(" }],
    caughtBy: [fsck()],
  },
  {
    name: "a rename changes names and link counts in two transactions",
    edits: [
      {
        file: "vfs/ops/rename.ts",
        from: "  const left = dMove(d, t, exchange);\n",
        to: "  const left = dMove(d, t, exchange);\n  txEnd();\n  txBegin();\n",
      },
    ],
    caughtBy: [death("small rename: sysRename(path=/d/f path2=/f")],
  },
  {
    name: "the directory's lock is not released when the name exists",
    edits: [
      {
        file: "vfs/ops/create.ts",
        from: "  if (err == 0) return d;\n  donePathCreate(nd, d);",
        to: "  if (err == 0) return d;\n  dput(d);\n  pathPut(nd);",
      },
    ],
    caughtBy: [fsck(), pair("small@sysMkdir(path=/d/x || mkdir")],
  },
  {
    name: "rmdir checks for children before it has the lock",
    edits: [
      {
        file: "vfs/ops/unlink.ts",
        from: "    mutexLock(i.mutex);\n    err = unlinkLocked(nd, d, dirs);\n",
        to: "    full = d.nrChildren != 0;\n    mutexLock(i.mutex);\n    err = unlinkLocked(nd, d, dirs);\n",
      },
      {
        file: "vfs/ops/unlink.ts",
        from: "let detached: Mount = changetype<Mount>(0);\n",
        to: "let detached: Mount = changetype<Mount>(0);\nlet full = false;\n",
      },
      {
        file: "vfs/ops/unlink.ts",
        from: "  const err = dirs && d.nrChildren != 0 ? -ENOTEMPTY : 0;\n",
        to: "  const err = dirs && full ? -ENOTEMPTY : 0;\n",
      },
    ],
    caughtBy: [pair("small@sysUnlink(path=/o removedir || mkdir"), pair("small@rmdir || mkdir", { bound: 2 })],
  },
  {
    name: "rmdir does not check for children",
    edits: [
      {
        file: "vfs/ops/unlink.ts",
        from: "  const err = dirs && d.nrChildren != 0 ? -ENOTEMPTY : 0;\n",
        to: "  const err = 0;\n",
      },
    ],
    caughtBy: [fsck(), pair("small@rmdir || mkdir")],
  },
  {
    name: "contents are read without the file's lock",
    torture: true,
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "  mutexLock(i.mutex);\n  const r = i.mode & I_DRIVER ? readDriver",
        to: "  const r = i.mode & I_DRIVER ? readDriver",
      },
      {
        file: "vfs/file/read-write.ts",
        from: "  fileAccessed(f);\n  mutexUnlock(i.mutex);",
        to: "  fileAccessed(f);",
      },
    ],
    caughtBy: [pair("small@truncate || read"), pair("small@write || read"), torture()],
  },
  {
    name: "the end of a file's last block is not cleared by truncate",
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
    name: "the redo record of a write is cleared although its transaction may be rolled back",
    edits: [{ file: "fs/tmpfs/data.ts", from: "    set32(w, 0);\n  }\n", to: "    store<u32>(w, 0);\n  }\n" }],
    caughtBy: [death("small write: sysWrite(fd=4")],
  },
  {
    name: "a block is freed before the new one is linked",
    edits: [
      {
        file: "fs/tmpfs/data.ts",
        from: "  txBegin();\n  if (i.shape == 0 && !chargeBlocks(i.sb, 1)) return refusePage(p) != 0;\n  if (i.shape != 0) slabFree(i.data);\n  else i.pages = 1;",
        to: "  if (i.shape != 0) slabFree(i.data);\n  txBegin();\n  if (i.shape == 0 && !chargeBlocks(i.sb, 1)) return refusePage(p) != 0;\n  if (i.shape == 0) i.pages = 1;",
      },
    ],
    caughtBy: [death("small write: sysWrite(fd=4")],
  },
  {
    name: "a larger node does not copy the smaller one's pointers",
    edits: [{ file: "fs/tmpfs/data.ts", from: "  memory.copy(node, old, 4 << topBits(i));\n", to: "" }],
    caughtBy: [pair("pages@write || truncate"), fsck()],
  },
  {
    name: "a node is freed before the larger one is linked",
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
    name: "truncate takes a small node for a full one",
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
    name: "open leaks its dentry on an error path",
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
    name: "a link's body leaks when its inode cannot be allocated",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "    if (text != 0) slabFree(text);\n", to: "" }],
    caughtBy: [alloc("symlink"), fsck()],
  },
  {
    name: "open leaks its descriptor on an error path",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "    putUnusedFd(reservedIn, fd);\n    fputSpare(reservedFile);\n    return err;",
        to: "    fputSpare(reservedFile);\n    return err;",
      },
    ],
    caughtBy: [fsck()],
  },
  {
    name: "open leaks its file on an error path",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "    putUnusedFd(reservedIn, fd);\n    fputSpare(reservedFile);\n    return err;",
        to: "    putUnusedFd(reservedIn, fd);\n    return err;",
      },
    ],
    caughtBy: [fsck()],
  },
  {
    name: "a file is truncated before the permission check",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "    if (!(flags & O_PATH)) err = mayOpen(nd, flags);\n    if (err == 0) err = openFile(nd, reservedFile, flags);",
        to: "    err = openFile(nd, reservedFile, flags);\n    if (err == 0 && !(flags & O_PATH)) err = mayOpen(nd, flags);",
      },
    ],
    caughtBy: [tests("conformance/")],
  },
  {
    name: "readdir remembers its last entry without a reference",
    edits: [
      {
        file: "vfs/file/readdir.ts",
        from: "if (last && lockrefGetNotDead(last.lockref, false)) fillDirentsHint = last;",
        to: "if (last && last.cookie == <u64>f.pos) fillDirentsHint = last;",
      },
    ],
    caughtBy: [fsck(), death("small readdir")],
  },
  {
    name: "readdir goes on behind an entry that has moved to another directory",
    known: 24,
    edits: [
      {
        file: "vfs/file/readdir.ts",
        from: "if (hint && hint.parent == parent && hint.cookie == <u64>f.pos)",
        to: "if (hint)",
      },
    ],
    caughtBy: [tests("known-bugs-trees", "bug 24:")],
  },
  {
    name: "two children get the same cookie",
    edits: [
      {
        file: "vfs/dcache/dentry.ts",
        from: "  const cookie = dir.lastCookie + 1;",
        to: "  const cookie = dir.lastCookie;",
      },
    ],
    caughtBy: [fsck()],
  },
  {
    name: "a cookie of 32 bits comes round",
    edits: [
      {
        file: "vfs/dcache/dentry.ts",
        from: "  const cookie = dir.lastCookie + 1;",
        to: "  const cookie = <u64>(<u32>dir.lastCookie + 1);",
      },
    ],
    caughtBy: [tests("unit/vfs/readdir", "cookies")],
  },
  {
    name: "a long write releases the file between two parts",
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "    if (done < n) tracepoint(POINT.WRITE_PART, i.at, done);",
        to: "    if (done < n) {\n      mutexUnlock(i.mutex);\n      tracepoint(POINT.WRITE_PART, i.at, done);\n      mutexLock(i.mutex);\n    }",
      },
    ],
    caughtBy: [tests("unit/vfs/write", "no append comes between")],
  },
  {
    name: "a death leaves some of the pages that one part of a write replaces",
    edits: [
      {
        file: "fs/tmpfs/replace.ts",
        from: "    put32(slot, <u32>spare(k));\n    set32(pendingBlockAt(first + k), <u32>old);\n",
        to: "    put32(slot, <u32>spare(k));\n    set32(pendingBlockAt(first + k), <u32>old);\n    if (k == 0) {\n      txEnd();\n      txBegin();\n    }\n",
      },
    ],
    caughtBy: [death("pages replaced")],
  },
  {
    name: "a page that a write has replaced is not freed",
    edits: [
      {
        file: "fs/tmpfs/replace.ts",
        from: "  while (spares > 0) slabFree(load<u32>(pendingBlockAt(first + --spares)));",
        to: "  while (spares > 1) slabFree(load<u32>(pendingBlockAt(first + --spares)));",
      },
    ],
    caughtBy: [tests("unit/vfs/replaced-pages", "gives the pages back"), death("pages replaced")],
  },
  {
    name: "a write replaces a page and frees the new one",
    edits: [{ file: "fs/tmpfs/replace.ts", from: "    set32(pendingBlockAt(first + k), <u32>old);\n", to: "" }],
    caughtBy: [tests("unit/vfs/replaced-pages"), death("pages replaced")],
  },
  {
    name: "without memory for new pages a write over old ones fails",
    edits: [
      {
        file: "fs/tmpfs/replace.ts",
        from: "  if (kmalloc(PAGE, false) == 0) return false;\n  spares++;",
        to: "  kmalloc(PAGE, false);\n  spares++;",
      },
    ],
    caughtBy: [tests("unit/vfs/replaced-pages", "no memory is left"), alloc("write over whole pages")],
  },
  {
    name: "a long read releases the file between two parts",
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "    if (done < n) tracepoint(POINT.READ_PART, i.at, done);",
        to: "    if (done < n) {\n      mutexUnlock(i.mutex);\n      tracepoint(POINT.READ_PART, i.at, done);\n      mutexLock(i.mutex);\n    }",
      },
    ],
    caughtBy: [tests("unit/vfs/write", "a read sees no write")],
  },
  {
    name: "any user opens with O_NOATIME",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "  if (flags & O_NOATIME && !ownerOrCapable(nd.ctx, i, CAP_FOWNER)) return -EPERM;\n",
        to: "",
      },
    ],
    caughtBy: [tests("conformance/permissions", "O_NOATIME")],
  },
  {
    name: "a read with O_NOATIME changes the time of access",
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "  if (!(f.flags & O_NOATIME)) touchAtimeOfRead(f.mnt, f.inode);",
        to: "  touchAtimeOfRead(f.mnt, f.inode);",
      },
    ],
    caughtBy: [tests("conformance/times", "O_NOATIME")],
  },
  {
    name: "a read through a read-only mount changes the time of access",
    edits: [
      {
        file: "vfs/inode/atime.ts",
        from: "  return (m.flags & (MS_RDONLY | MS_NOATIME)) != 0 || m.sb.readonly != 0;",
        to: "  return (m.flags & MS_NOATIME) != 0;",
      },
    ],
    caughtBy: [tests("unit/vfs/readonly", "times of access")],
  },
  {
    name: "a walk starts at the path that the file of its descriptor had when it was another's",
    edits: [
      {
        file: "vfs/file/file.ts",
        from: "  return fdFile(c, fd) == f && f.opened == opened;",
        to: "  return fdFile(c, fd) == f;",
      },
    ],
    caughtBy: [tests("unit/walk/path-init", "reused")],
  },
  {
    name: "a file that another thread has a reference on is kept for the next open",
    edits: [
      {
        file: "vfs/file/file.ts",
        from: "  if (hasSpare() || atomic.load<u32>(f.count) != 1) {",
        to: "  if (hasSpare()) {",
      },
    ],
    caughtBy: [pair("small@close: sysClose(fd=4) || read")],
  },
  {
    name: "the recount leaves the files that slots keep",
    edits: [{ file: "vfs/recovery/recount.ts", from: "  forgetSpares();\n", to: "" }],
    caughtBy: [death("small close: sysClose(fd=3)")],
  },
  {
    name: "the files that slots keep stay where memory is full",
    edits: [{ file: "vfs/recovery/reclaim.ts", from: "    freeSpares();\n", to: "" }],
    caughtBy: [tests("unit/mem/sheaf", "slots keep")],
  },
  {
    name: "the time of access of a file that is read by descriptor is never a day old",
    edits: [
      { file: "vfs/inode/atime.ts", from: "    if (readsLeft != 0) {\n      readsLeft--;\n", to: "    if (true) {\n" },
    ],
    caughtBy: [tests("unit/vfs/readonly", "day later by one")],
  },
  {
    name: "a descriptor of O_PATH can be used like another",
    edits: [
      { file: "vfs/file/file.ts", from: "  if (!f || !(f.mode & FMODE_PATH)) return f;", to: "  if (f) return f;" },
    ],
    caughtBy: [tests("conformance/open", "O_PATH")],
  },
  {
    name: "unlink looks the name up before it asks whether the mount is read-only",
    edits: [
      {
        file: "vfs/ops/unlink.ts",
        from: "  if (err != 0) {\n    pathPut(nd);\n    return err;\n  }\n  const dir = nd.inode;",
        to: "  const dir = nd.inode;",
      },
      {
        file: "vfs/ops/unlink.ts",
        from: "  else err = mayDelete(nd.ctx, dir, d, dirs);",
        to: "  else if (err == 0) err = mayDelete(nd.ctx, dir, d, dirs);",
      },
    ],
    caughtBy: [tests("unit/vfs/readonly", "read-only mount")],
  },
  {
    name: "the memory of names serves contents while a thread may look into it",
    edits: [
      { file: "vfs/recovery/reclaim.ts", from: "  if (allReadersLeft(EXCLUSION_MS)) {", to: "  if (chunk != 0) {" },
    ],
    caughtBy: [tests("unit/mem/memory-of-names", "in a walk")],
  },
  {
    name: "prefix caches outlive the memory of their directories",
    edits: [{ file: "vfs/recovery/reclaim.ts", from: "  forgetCounts();\n", to: "" }],
    caughtBy: [tests("unit/mem/memory-of-names", "that knows the directories")],
  },
  {
    name: "inodes in memory that comes back begin with generation 0",
    edits: [{ file: "vfs/recovery/reclaim.ts", from: "      keepGenerations(chunk);\n", to: "" }],
    caughtBy: [tests("unit/mem/memory-of-names", "inode number")],
  },
  {
    name: "the recount misses the pin of an entry",
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
    name: "the recount misses a child's reference on its parent",
    edits: [
      { file: "vfs/recovery/recount.ts", from: "    if (d.parent != d) countDentryReference(d.parent_);\n", to: "" },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "the recount misses the references of open files",
    edits: [{ file: "vfs/recovery/recount.ts", from: "    countDentryReference(f.dentry_);\n", to: "" }],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "the recount does not free unreferenced inodes",
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
    name: "the recount does not wait until no other thread is active",
    edits: [
      {
        file: "vfs/recovery/exclusion.ts",
        from: "  const until = host.clock() + waitMs;\n",
        to: "  if (waitMs >= 0) return true;\n  const until = host.clock() + waitMs;\n",
      },
    ],
    caughtBy: [terminate(), tests("threads/death")],
  },
  {
    name: "relatime compares the seconds of the last change alone, beside a time far in the past",
    edits: [
      {
        file: "vfs/inode/atime.ts",
        from: "  if (notLater(accessed, atime, i.ctime >> 30, i.ctime)) return true;\n",
        to: "  if (accessed < i.ctime >> 30) return true;\n",
      },
    ],
    caughtBy: [tests("unit/vfs/readonly", "parts of a second")],
  },
];
