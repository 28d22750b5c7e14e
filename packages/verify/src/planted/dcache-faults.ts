/** Faults in the cache of dentries: its table, births, deaths, moves and lookups. */
import { death, fsck, meanwhile, pair, tests, torture } from "./detectors.js";
import type { Mutant } from "./faults.js";

export const CACHE: Mutant[] = [
  {
    name: "a miss is not validated",
    torture: true,
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "      ((hashSeq | dirSeq) & 1) == 0 &&\n      atomic.load<u32>(G_HASH_SEQ) == hashSeq &&\n      atomic.load<u32>(parent.dirSeq) == dirSeq\n",
        to: "      true\n",
      },
    ],
    caughtBy: [pair("small@rename || looks"), torture()],
  },
  {
    name: "a lookup with references takes a miss during a split for an answer",
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "readSeqRetry(parent.dirSeq, rename) || readSeqRetry(G_HASH_SEQ, split);",
        to: "readSeqRetry(parent.dirSeq, rename);",
      },
    ],
    caughtBy: [tests("vfs/d-hash", "splits disturb again")],
  },
  {
    name: "a lookup with references takes the end of another chain for that of its own",
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "    if (!dLookupLockedMoved && !disturbed) return d;",
        to: "    if (!disturbed) return d;",
      },
    ],
    caughtBy: [tests("vfs/d-hash", "into other chains")],
  },
  {
    name: "a lookup that renames have disturbed does not lock splits out",
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "    lock(G_SPLIT_LOCK);\n    const rename",
        to: "    const rename",
      },
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "    unlock(G_SPLIT_LOCK);\n    unlock(G_RENAME_LOCK);\n    if (!disturbed) return d;\n",
        to: "    unlock(G_RENAME_LOCK);\n    if (!disturbed) return d;\n",
      },
    ],
    caughtBy: [tests("vfs/d-hash", "locks out renames|sure of a miss")],
  },
  {
    name: "a lookup that locks renames out keeps the dentries that it has compared while it waits for one that has begun",
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "  while (true) {\n    lock(G_RENAME_LOCK);\n    lock(G_SPLIT_LOCK);\n",
        to: "  lock(G_RENAME_LOCK);\n  lock(G_SPLIT_LOCK);\n  while (true) {\n",
      },
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "    unlock(G_SPLIT_LOCK);\n    unlock(G_RENAME_LOCK);\n    if (!disturbed) return d;\n",
        to: "    if (!disturbed) {\n      unlock(G_SPLIT_LOCK);\n      unlock(G_RENAME_LOCK);\n      return d;\n    }\n",
      },
    ],
    caughtBy: [tests("walk/lookup", "row 22"), tests("walk/lookup", "row 22"), tests("walk/lookup", "row 22")],
  },
  {
    name: "a miss in rcu mode does not look at the directory's sequence again",
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "      atomic.load<u32>(G_HASH_SEQ) == hashSeq &&\n      atomic.load<u32>(parent.dirSeq) == dirSeq\n",
        to: "      atomic.load<u32>(G_HASH_SEQ) == hashSeq\n",
      },
    ],
    caughtBy: [pair("names@sysStat(path=/d/n*203) || sysRename(path=/d/y*35 path2=/d/n*203")],
  },
  {
    name: "a bucket is split without the table's sequence",
    edits: [
      { file: "vfs/dcache/d-hash.ts", from: "      writeSeqBegin(G_HASH_SEQ);\n", to: "" },
      { file: "vfs/dcache/d-hash.ts", from: "      writeSeqEnd(G_HASH_SEQ);\n", to: "" },
    ],
    caughtBy: [pair("split@stat || create"), tests("vfs/d-hash", "split")],
  },
  {
    name: "a dentry enters its chain before its own next is set",
    edits: [
      {
        file: "vfs/dcache/d-hash.ts",
        from: "  d.next = first == 0 ? nullsMarker(b) : first;\n  setFlags(d, set, clear);\n  // Publishes the dentry: pairs with the load of the head in a lookup.\n  put32(head, <u32>d.at);\n  tracepoint(POINT.HASHED, d.at, 0);\n",
        to: "  put32(head, <u32>d.at);\n  tracepoint(POINT.HASHED, d.at, 0);\n  setFlags(d, set, clear);\n  d.next = first == 0 ? nullsMarker(b) : first;\n",
      },
    ],
    caughtBy: [tests("vfs/d-hash", "enters its chain")],
  },
  {
    name: "a dentry that leaves its chain loses its next",
    edits: [
      {
        file: "vfs/dcache/d-hash.ts",
        from: "  setFlags(d, D_UNHASHED, D_CHAINED | D_PAR_LOOKUP);\n  unlock(l);",
        to: "  setFlags(d, D_UNHASHED, D_CHAINED | D_PAR_LOOKUP);\n  d.next = 0;\n  unlock(l);",
      },
    ],
    caughtBy: [tests("vfs/d-hash"), torture()],
  },
  {
    name: "a name leaves its chain before its removal has been committed",
    edits: [
      {
        file: "vfs/dcache/dcache.ts",
        from: "    dWriteBegin(d);\n    setFlags(d, D_UNHASHED, 0);\n  }\n  unlock(d.lockref);\n  return inodeToPut;",
        to: "    dDropLocked(d);\n  }\n  unlock(d.lockref);\n  return inodeToPut;",
      },
    ],
    caughtBy: [meanwhile("small unlink: sysUnlink(path=/d/f)", "stat: sysStat(path=/d/e/../f)")],
  },
  {
    name: "a killed dentry stays in the LRU list",
    edits: [
      {
        file: "vfs/dcache/dcache.ts",
        from: "  lockrefMarkDead(d.lockref);\n  lruRemove(d);\n",
        to: "  lockrefMarkDead(d.lockref);\n",
      },
    ],
    caughtBy: [fsck(), torture()],
  },
  {
    name: "a dentry is invalidated without a barrier",
    edits: [
      {
        file: "vfs/dcache/dcache.ts",
        from: "D_UNHASHED) return;\n  rcuwalkBarrier(d);\n",
        to: "D_UNHASHED) return;\n",
      },
    ],
    caughtBy: [
      pair("driver@unlink || stat"),
      pair("small@sysUnlink(path=/d/f) || stat"),
      tests("threadfs/unit/", "invalidat|barrier|stale"),
      torture(),
    ],
  },
  {
    name: "the pin of an entry is never put",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "  unpin(d);\n  const inodeToPut", to: "  const inodeToPut" }],
    caughtBy: [fsck()],
  },
  {
    name: "the pin of an entry is put twice",
    edits: [
      {
        file: "fs/tmpfs/tmpfs.ts",
        from: "  unpin(d);\n  const inodeToPut",
        to: "  unpin(d);\n  unpin(d);\n  const inodeToPut",
      },
    ],
    caughtBy: [fsck()],
  },
  {
    name: "a rename does not change the dentries' sequences",
    torture: true,
    edits: [
      { file: "vfs/dcache/d-move.ts", from: "  dWriteBegin(d);\n  dWriteBegin(target);\n", to: "" },
      { file: "vfs/dcache/d-move.ts", from: "  writeSeqEnd(target.seq);\n  writeSeqEnd(d.seq);\n", to: "" },
      // The barrier of the old place would vouch for the new one.
      {
        file: "vfs/dcache/dcache.ts",
        from: "D_UNHASHED) return;\n  rcuwalkBarrier(d);\n",
        to: "D_UNHASHED) return;\n",
      },
    ],
    caughtBy: [pair("small@exchange || stat"), pair("names@exchange || stat"), torture()],
  },
  {
    name: "a rename does not change the directories' dirSeq",
    torture: true,
    edits: [
      {
        file: "vfs/dcache/d-move.ts",
        from: "  writeSeqBegin(from.dirSeq);\n  if (to != from) writeSeqBegin(to.dirSeq);\n",
        to: "",
      },
      {
        file: "vfs/dcache/d-move.ts",
        from: "  if (to != from) writeSeqEnd(to.dirSeq);\n  writeSeqEnd(from.dirSeq);\n",
        to: "",
      },
    ],
    caughtBy: [pair("small@rename || looks"), torture()],
  },
  {
    name: "a rename does not change the rename sequence",
    known: 21,
    edits: [
      { file: "vfs/dcache/d-move.ts", from: "  if (!local) writeSeqBegin(G_RENAME_SEQ);\n", to: "" },
      { file: "vfs/dcache/d-move.ts", from: "  if (!local) writeSeqEnd(G_RENAME_SEQ);\n", to: "" },
    ],
    caughtBy: [
      pair("places@getcwd || rename"),
      pair("places@realpath || rename"),
      tests("known-bugs-memory", "bug 21:"),
    ],
  },
  {
    name: "getcwd does not check the rename sequence",
    known: 21,
    edits: [
      {
        file: "vfs/dcache/d-path.ts",
        from: "const moved = readSeqRetry(G_RENAME_SEQ, rename) || readSeqRetry(G_MOUNT_SEQ, mounts) || readSeqRetry(c.seq, fs);",
        to: "const moved = readSeqRetry(G_MOUNT_SEQ, mounts) || readSeqRetry(c.seq, fs);",
      },
    ],
    caughtBy: [pair("places@getcwd || rename"), tests("known-bugs-memory", "bug 21:")],
  },
  {
    name: "a replaced dentry gets the old directory as its parent without a place in its list",
    edits: [
      {
        file: "vfs/dcache/d-move.ts",
        from: "    if (!targetStays) target.parent = from != d ? from : target;",
        to: "    target.parent = from != d ? from : target;",
      },
    ],
    caughtBy: [fsck(), death("small rename: sysRename(path=/d/e path2=/o flags=0")],
  },
  {
    name: "a long name is followed before its length is checked",
    known: 22,
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "      from = <usize>atomic.load<u32>(d.name);\n      if (readSeqRetry(d.seq, seq)) continue;",
        to: "      from = <usize>atomic.load<u32>(d.name);",
      },
    ],
    caughtBy: [pair("names@exchange || stat"), pair("names@rename || stat"), tests("known-bugs-memory", "bug 22:")],
  },
  {
    name: "a compare hook that is given no inode reports a match",
    known: 1,
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "      if (!inode) return -1;\n",
        to: "      if (!inode) {\n        dLookupRcuSeq = seq;\n        return 1;\n      }\n",
      },
    ],
    caughtBy: [tests("known-bugs.test", "bug 1:")],
  },
  {
    name: "a stale entry that is found again is ENOENT",
    known: 4,
    edits: [
      {
        file: "vfs/walk/lookup.ts",
        from: "    if (r < 0) return errDentry(nd, r);\n    // Stale, and dropped",
        to: "    return errDentry(nd, r < 0 ? r : -ENOENT);\n    // Stale, and dropped",
      },
    ],
    caughtBy: [tests("known-bugs.test", "bug 4:")],
  },
  {
    name: "a dentry that was unhashed before is killed without its sequence",
    known: 5,
    edits: [
      {
        file: "vfs/dcache/dcache.ts",
        from: "  dWriteBegin(d);\n  setFlags(d, 0, D_TYPE | D_EXEC_ANY | D_COMPLETE);",
        to: "  setFlags(d, 0, D_TYPE | D_EXEC_ANY | D_COMPLETE);",
      },
      {
        file: "vfs/dcache/dcache.ts",
        from: "  d.inode = changetype<Inode>(NULL_INODE);\n  writeSeqEnd(d.seq);\n  if (i) notifyInodeRemoved(i);",
        to: "  d.inode = changetype<Inode>(NULL_INODE);\n  if (i) notifyInodeRemoved(i);",
      },
    ],
    caughtBy: [tests("known-bugs.test", "bug 5:"), pair("places@rmdir || stat"), torture()],
  },
  {
    name: "a negative entry is a result before it is revalidated",
    known: 7,
    edits: [
      {
        file: "vfs/walk/lookup.ts",
        from: "      if (!mustRevalidate(nd, d, nd.mnt.sb)) return d;\n      if (isValidRcu",
        to: "    if (!d.inode) return errDentry(nd, -ENOENT);\n    if (!mustRevalidate(nd, d, nd.mnt.sb)) return d;\n    if (isValidRcu",
      },
    ],
    caughtBy: [tests("known-bugs-entries", "bug 7:"), pair("driver@create || stat")],
  },
  {
    name: "a negative entry turns positive without its sequence, type before inode",
    known: 8,
    edits: [
      {
        file: "vfs/dcache/dcache.ts",
        from: "  dWriteBegin(d);\n  d.inode = i;\n  tracepoint(POINT.INSTANTIATE, d.at, i.at);\n  setFlags(d, inodeFlags(i), D_TYPE | D_EXEC_ANY);\n  writeSeqEnd(d.seq);",
        to: "  setFlags(d, inodeFlags(i), D_TYPE | D_EXEC_ANY);\n  tracepoint(POINT.INSTANTIATE, d.at, i.at);\n  d.inode = i;",
      },
    ],
    caughtBy: [pair("cached@sysOpen(path=/m/x flags=65 || looks"), tests("known-bugs-entries", "bug 8:")],
  },
  {
    name: "the chunks of the hash table that are in use are not counted",
    edits: [
      {
        file: "sys/counters.ts",
        from: "load<u32>(L.G_PAGE_USED) - kept + grown",
        to: "load<u32>(L.G_PAGE_USED) - kept",
      },
    ],
    caughtBy: [tests("unit/vfs/d-hash", "after many splits")],
  },
  {
    name: "a directory is exchanged with one above it",
    edits: [
      {
        file: "vfs/ops/rename.ts",
        from: "  if (t == trap) return exchange ? -EINVAL : -ENOTEMPTY;\n",
        to: "  if (t == trap && !exchange) return -ENOTEMPTY;\n",
      },
    ],
    caughtBy: [tests("unit/vfs/rename")],
  },
];
