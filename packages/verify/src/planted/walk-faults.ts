/** Faults in the walk: rcu mode, its end, drops out of it, permissions, mounts, the prefix cache. */
import { death, fsck, meanwhile, pair, storefree, tests, torture } from "./detectors.js";
import type { Mutant } from "./faults.js";

export const WALK: Mutant[] = [
  {
    name: "the parent's sequence is not checked",
    torture: true,
    edits: [
      {
        file: "vfs/walk/rcu-walk.ts",
        from: "if (atomic.load<u32>(<usize>d) != <u32>state) {\n        r = -ECHILD;",
        to: "if (false) {\n        r = -ECHILD;",
      },
    ],
    caughtBy: [pair("small@rename || stat"), pair("small@exchange || stat"), torture()],
  },
  {
    name: "a child's sequence is loaded after its name",
    edits: [
      {
        file: "vfs/walk/rcu-walk.ts",
        from: "          childState = atomic.load<u64>(<usize>p);\n          tracepoint(POINT.SEQ_OPENED, <usize>p, <usize>childState);\n          place =",
        to: "          place =",
      },
      {
        file: "vfs/walk/rcu-walk.ts",
        from: "          if ((differs | <u64>(<u32>place ^ d)) == 0) break;",
        to: "          childState = atomic.load<u64>(<usize>p);\n          if ((differs | <u64>(<u32>place ^ d)) == 0) break;",
      },
    ],
    caughtBy: [pair("cached@again || sysStat(path=/m/f)"), tests("walk/lookup")],
  },
  {
    name: "a walk treats a mount point like any directory",
    edits: [
      {
        file: "vfs/walk/rcu-walk.ts",
        from: "const SPECIAL: u32 = D_MOUNTED | D_UNHASHED",
        to: "const SPECIAL: u32 = D_UNHASHED",
      },
    ],
    caughtBy: [pair("mounts@sysUmount(path=/m || sysStat(path=/m/f)")],
  },
  {
    name: "a result is returned without the last check of its dentry",
    edits: [
      { file: "vfs/walk/namei.ts", from: "    if (readSeqRetry(nd.dentry.seq, nd.seq)) err = -ECHILD;\n", to: "" },
    ],
    caughtBy: [pair("small@unlink || stat"), pair("small@rename || stat"), pair("small@unlink || looks")],
  },
  {
    name: "attributes are not validated",
    torture: true,
    edits: [{ file: "vfs/inode/attr.ts", from: "consistent = !readSeqRetry(i.seq, seq);", to: "consistent = true;" }],
    caughtBy: [pair("small@chown || stat"), pair("small@chown || sysFstat")],
  },
  {
    name: "search permission is not checked",
    edits: [
      {
        file: "vfs/walk/namei.ts",
        from: "if (nd.dentry.flags & D_EXEC_ANY && !hasSecurity) {",
        to: "if (!hasSecurity) {",
      },
    ],
    caughtBy: [pair("users@sysChmod(path=/p mode=0 || stat")],
  },
  {
    name: "mode, owner, group and ACL are read at different moments",
    edits: [{ file: "vfs/walk/permission.ts", from: "    if (readSeqRetry(i.seq, seq)) continue;\n", to: "" }],
    caughtBy: [pair("acls@given: sysChown(path=/d/e/f || sysAccess(path=/d/e/f")],
  },
  {
    name: "a hard error of rcu mode is not validated",
    known: 10,
    edits: [
      {
        file: "vfs/walk/namei.ts",
        from: "  else if (nd.rcu && err != -ECHILD && !checkRcu(nd)) err = -ECHILD;\n",
        to: "",
      },
    ],
    caughtBy: [tests("walk/retry", "row 72:")],
  },
  {
    name: "ENOTDIR of rcu mode is not validated",
    known: 9,
    edits: [
      {
        file: "vfs/walk/namei.ts",
        from: "  else if (nd.rcu && err != -ECHILD && !checkRcu(nd))",
        to: "  else if (nd.rcu && err != -ECHILD && err != -ENOTDIR && !checkRcu(nd))",
      },
    ],
    caughtBy: [pair("users@sysStat(path=/closed/./x) || rmdir")],
  },
  {
    name: "a negative entry is a result before its sequence is checked",
    known: 6,
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "    if (readSeqRetry(to.seq, nd.nextSeq)) return -ECHILD;\n    if (!inode) return -ENOENT;",
        to: "    if (!inode) return -ENOENT;\n    if (readSeqRetry(to.seq, nd.nextSeq)) return -ECHILD;",
      },
    ],
    caughtBy: [tests("known-bugs-entries", "bug 6:"), pair("driver@create || stat"), torture()],
  },
  {
    name: "a mount that is not found does not exist, whatever has moved",
    known: 11,
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "  return readSeqRetry(G_MOUNT_SEQ, nd.mSeq) ? -ECHILD : 0;",
        to: "  return 0;",
      },
      {
        file: "vfs/walk/namei.ts",
        from: "  if (nd.state & ND_MOUNTS && readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) return false;\n",
        to: "",
      },
      {
        file: "vfs/walk/namei.ts",
        from: "  if (nd.state & ND_MOUNTS && readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) err = -ECHILD;\n  nd.endDentry",
        to: "  nd.endDentry",
      },
    ],
    caughtBy: [pair("mounts@umount || stat"), pair("mounts@move || stat"), tests("known-bugs-mounts", "bug 11:")],
  },
  {
    name: "the way up over a mount is not validated",
    known: 12,
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "        if (readSeqRetry(G_MOUNT_SEQ, nd.mSeq) || readSeqRetry(place.seq, seq)) return errDentry(nd, -ECHILD);",
        to: "        if (readSeqRetry(place.seq, seq)) return errDentry(nd, -ECHILD);",
      },
      {
        file: "vfs/walk/step.ts",
        from: "      if (parent == m || n == MOUNTS_MAX) return stayRcu(nd);",
        to: "      if (parent == m || n == MOUNTS_MAX) return errDentry(nd, -ENOENT);",
      },
      {
        file: "vfs/walk/namei.ts",
        from: "  if (nd.state & ND_MOUNTS && readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) return false;\n",
        to: "",
      },
    ],
    caughtBy: [pair("mounts@move || stat"), pair("mounts@umount || stat"), tests("known-bugs-mounts", "bug 12:")],
  },
  {
    name: "the mount of a link is put twice",
    known: 13,
    edits: [
      { file: "vfs/walk/step.ts", from: "  } else if (nd.pMnt == nd.mnt) {\n    mntget(nd.pMnt);\n  }", to: "  }" },
    ],
    caughtBy: [tests("known-bugs-mounts", "bug 13:"), fsck(), torture()],
  },
  {
    name: "references are put inside the read-side section",
    known: 14,
    edits: [
      {
        file: "vfs/walk/drop.ts",
        from: "  rcuReadUnlock();\n  if (ok) {\n    nd.pending = 0;",
        to: "  if (!ok) putPending(nd);\n  rcuReadUnlock();\n  if (ok) {\n    nd.pending = 0;",
      },
    ],
    caughtBy: [tests("known-bugs-mounts", "bug 14:"), pair("mounts@umount || open"), torture()],
  },
  {
    name: "a failed drop leaves its path in the walk's state",
    known: 15,
    edits: [
      {
        file: "vfs/walk/drop.ts",
        from: "    putPending(nd);\n    nd.mnt_ = 0;\n    nd.dentry_ = 0;\n    nd.inode_ = 0;",
        to: "    putPending(nd);",
      },
    ],
    caughtBy: [tests("walk/drop"), pair("small@rename || open"), pair("mounts@umount || open"), torture()],
  },
  {
    name: "'..' leaves a bind mount through a directory that was moved out of it",
    known: 16,
    edits: [{ file: "vfs/walk/step.ts", from: "    if (ok) return below ? 1 : 0;", to: "    if (ok) return 1;" }],
    caughtBy: [tests("known-bugs-mounts", "bug 16:"), torture()],
  },
  {
    name: "CAP_DAC_OVERRIDE overrides a driver's refusal",
    known: 3,
    edits: [
      {
        file: "vfs/walk/permission.ts",
        from: "    err = driverPermission(i, mask, rcu);\n",
        to: "    err = driverPermission(i, mask, rcu);\n    loadAttr(i, rcu);\n    if (err != 0 && capableOverride(c, mask)) err = 0;\n",
      },
    ],
    caughtBy: [tests("known-bugs.test", "bug 3:")],
  },
  {
    name: "putLink is called for the wrong inode",
    known: 2,
    edits: [
      {
        file: "vfs/walk/drop.ts",
        from: "    const i = d.inode;\n    if (i && i.mode & I_DRIVER && i.sb.hooks & HOOK.PUT_LINK)",
        to: "    const i = nd.inode;\n    if (i && i.mode & I_DRIVER && i.sb.hooks & HOOK.PUT_LINK)",
      },
    ],
    caughtBy: [tests("known-bugs.test", "bug 2:")],
  },
  {
    name: "a file system is freed without a grace period",
    known: 19,
    edits: [
      {
        file: "vfs/mount/namespace.ts",
        from: "  synchronizeRcu();\n  const root = sb.root;",
        to: "  const root = sb.root;",
      },
      // Unregistering waits, too.
      { file: "vfs/mount/super.ts", from: "  if (err == 0) synchronizeRcu();\n", to: "" },
    ],
    caughtBy: [tests("known-bugs-memory", "bug 19:"), pair("mounts@umount || stat"), torture()],
  },
  {
    name: "revalidate is called without a reference on the entry",
    known: 20,
    edits: [
      {
        file: "vfs/walk/lookup.ts",
        from: "    if (!dropRcuNext(nd, d, keep ? DROP.REVALIDATE : DROP_NONE)) return errDentry(nd, -ECHILD);\n",
        to: "    if (!dropRcu(nd, DROP.REVALIDATE)) return errDentry(nd, -ECHILD);\n    lockrefGet(d.lockref);\n",
      },
      {
        file: "vfs/walk/lookup.ts",
        from: 'import { readSeqRetry } from "../../mem/lock/seqlock";',
        to: 'import { lockrefGet } from "../../mem/lock/lockref";\nimport { readSeqRetry } from "../../mem/lock/seqlock";',
      },
    ],
    caughtBy: [tests("known-bugs-memory", "bug 20:"), pair("driver@unlink || stat"), pair("driver@shrink || stat")],
  },
  {
    name: "the count of links is not reset between attempts",
    known: 25,
    edits: [{ file: "vfs/walk/path-init.ts", from: "  nd.links = 0;\n", to: "" }],
    caughtBy: [tests("known-bugs-trees", "bug 25:"), fsck()],
  },
  {
    name: "no reference is taken on the directory of a child that is revalidated",
    edits: [
      {
        file: "vfs/walk/drop.ts",
        from: "    ok = lockrefGetNotDead(nd.dentry.lockref, false);\n    if (ok) nd.addPending(nd.dentry_);",
        to: "    ok = true;",
      },
    ],
    caughtBy: [death("driver stat: sysStat(path=/m/f)"), pair("driver@unlink || stat"), tests("fs/driver")],
  },
  {
    name: "a reference on a mount is taken without a check of the mount sequence",
    edits: [{ file: "vfs/walk/drop.ts", from: "  return !readSeqRetry(G_MOUNT_SEQ, nd.mSeq);", to: "  return true;" }],
    caughtBy: [pair("mounts@umount || open"), pair("mounts@move || open"), tests("walk/drop"), torture()],
  },
  {
    name: "the flag of a mount point is cleared before the umount has been committed",
    edits: [
      {
        file: "vfs/mount/namespace.ts",
        from: "    lock(d.lockref);\n    dWriteBegin(d);\n    setFlags(d, 0, D_MOUNTED);",
        to: "    lock(d.lockref);\n    setFlags(d, 0, D_MOUNTED);",
      },
    ],
    caughtBy: [
      pair("mounts@sysMount(path=/m path2=/n move=true) || looks"),
      meanwhile("mounts umount: sysUmount(path=/m flags=0)", "sysStat(path=/m/f)"),
    ],
  },
  {
    name: "a name is added after a miss though another thread's removal of it is not committed",
    edits: [
      {
        file: "vfs/dcache/d-parallel.ts",
        from: "    if (hook || mayHaveName(d, name, hashLen)) found = Name.hashed;\n",
        to: "",
      },
    ],
    caughtBy: [meanwhile("driver stat: sysStat(path=/m/f)", "rename: sysRename(path=/m/f path2=/m/s/f")],
  },
  {
    name: "an uncommitted owner decides",
    edits: [
      {
        file: "vfs/walk/permission.ts",
        from: "  loadAttr(i, false);\n  return c.uid == loadAttrUid",
        to: "  return c.uid == i.uid",
      },
    ],
    caughtBy: [meanwhile("acls chown: sysChown(path=/d/e/f uid=2000", "acl: sysSetacl(path=/d/e/f acl=[] ctx=1")],
  },
  {
    name: "a dentry with an uncommitted end is skipped",
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "      rcuReadUnlock();\n      deadline = waitFor(deadline, d.lockref);\n      rcuReadLock();\n      b = bucketNow(hashLen);\n      p = atomic.load<u32>(bucketHead(b));\n      n = 0;\n      continue;",
        to: "      p = d.next;\n      continue;",
      },
    ],
    caughtBy: [meanwhile("small chmod: sysChmod(path=/d mode", "rename: sysRename(path=/d path2=/o/d")],
  },
  {
    name: "the recount keeps an entry that a driver may have changed",
    edits: [
      {
        file: "vfs/recovery/recount.ts",
        from: "    if (d.flags & D_DRIVER_PENDING) {\n      dDropLocked(d);\n",
        to: "    if (d.flags & D_DRIVER_PENDING) {\n",
      },
    ],
    caughtBy: [meanwhile("driver create: sysMkdir(path=/m/s/x", "stat: sysStat(path=/m/f)")],
  },
  {
    name: "a lookup starts again at a removed name that is still in its chain",
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "    if (!matches) {\n      p = d.next;",
        to: "    if (!matches) {\n      p = chainHead(hashLen);",
      },
    ],
    // A driver's name: a miss in memory is told in rcu mode, which does not come here.
    caughtBy: [pair("driver@sysUnlink(path=/m/f) || sysStat(path=/m/f)")],
  },
  {
    name: "a reference is taken on a mount that has none left",
    edits: [
      {
        file: "vfs/mount/namespace.ts",
        from: "    const n = atomic.load<u32>(m.count);\n    if (n == 0) return false;\n",
        to: "    const n = atomic.load<u32>(m.count);\n",
      },
    ],
    caughtBy: [pair("mounts@sysOpen(path=/m/f || sysUmount(path=/m flags=0)"), pair("mounts@umount || open")],
  },
  {
    name: "umount does not check whether the mount is in use",
    edits: [
      {
        file: "vfs/mount/do-umount.ts",
        from: "if (m.nrChildren != 0 || atomic.load<u32>(m.count) > 2) err = -EBUSY;",
        to: "if (m.nrChildren != 0) err = -EBUSY;",
      },
    ],
    caughtBy: [pair("mounts@umount || open"), fsck()],
  },
  {
    name: "a directory that is being removed can be mounted on",
    edits: [
      {
        file: "vfs/mount/namespace.ts",
        from: "  if (removed) {\n",
        to: "  if (false) {\n",
      },
    ],
    caughtBy: [tests("fs/driver-mounts", "after it was asked for")],
  },
  {
    name: "umount puts a mount's reference twice",
    edits: [
      {
        file: "vfs/mount/umount.ts",
        from: "    mntput(changetype<Mount>(<usize>m.oldParent));\n",
        to: "    mntput(changetype<Mount>(<usize>m.oldParent));\n    mntput(changetype<Mount>(<usize>m.oldParent));\n",
      },
    ],
    caughtBy: [fsck()],
  },
  {
    name: "a prefix-cache entry is not validated",
    edits: [
      {
        file: "vfs/walk/prefix-cache.ts",
        from: "      if (((atomic.load<u64>(<usize>(<u32>link)) & STATE_MASK) ^ (link >> 32)) != STATE) break;\n",
        to: "",
      },
    ],
    caughtBy: [pair("prefixes@stat || rename"), torture()],
  },
  {
    name: "a prefix-cache entry is used for walks from any start",
    edits: [
      { file: "vfs/walk/prefix-cache.ts", from: "    (load<u64>(e, START) ^ start) |\n", to: "" },
      { file: "vfs/walk/prefix-cache.ts", from: "  h += start * K1;\n", to: "" },
    ],
    caughtBy: [tests("walk/prefix/cache")],
  },
  {
    name: "a prefix-cache entry survives a wrapped sequence",
    edits: [
      {
        file: "vfs/walk/prefix-cache.ts",
        from: "  const wraps = atomic.load<u32>(G_SEQ_WRAPS);\n  const shape",
        to: "  const wraps = load<u32>(e, WRAPS);\n  const shape",
      },
    ],
    caughtBy: [tests("walk/prefix/entries")],
  },
  {
    name: "behind a special component the security hook is not called",
    edits: [
      {
        file: "vfs/walk/namei.ts",
        from: "return nd.rcu && !hasSecurity && canResume",
        to: "return nd.rcu && canResume",
      },
    ],
    caughtBy: [tests("walk/permission")],
  },
  {
    name: "a walk in rcu mode counts on a line that other threads read",
    edits: [
      {
        file: "vfs/walk/rcu-walk.ts",
        from: "  let r: i32 = 0;\n  while (load<u8>(name) == SLASH) name++;",
        to: "  let r: i32 = 0;\n  atomic.add<u32>(G_HASH_N, 0);\n  while (load<u8>(name) == SLASH) name++;",
      },
    ],
    caughtBy: [storefree()],
  },
  {
    name: "the part of a path that the hot path leaves is not checked for a NUL",
    edits: [{ file: "vfs/walk/namei.ts", from: "  if (hasNul(rest, ", to: "  if (rest == 0 && hasNul(rest, " }],
    caughtBy: [tests("walk/prefix/cache", "a NUL")],
  },
  {
    name: "no prefix is cached in which a name of two bytes begins with a dot",
    edits: [
      {
        file: "vfs/walk/prefix-cache.ts",
        from: "      if (len == 2 && load<u8>(name, 1) == DOT) return true;\n",
        to: "      if (len == 2) return true;\n",
      },
    ],
    caughtBy: [tests("walk/prefix/entries", "begin with dots")],
  },
  {
    name: "a mount leaves the middle of its chain in the table without an entry in the undo log",
    edits: [
      {
        file: "vfs/mount/namespace.ts",
        from: "        e.hashNext = m.hashNext;\n",
        to: '        atomic.store<u32>(e.at + offsetof<Mount>("hashNext_"), m.hashNext);\n',
      },
    ],
    caughtBy: [tests("unit/vfs/namespace", "dies while it detaches")],
  },
  {
    name: "'..' keeps a reference on a parent that is not the parent any more",
    edits: [
      {
        file: "vfs/dcache/d-lookup.ts",
        from: "      dput(parent);\n    }\n    sleepUs(10);",
        to: "    }\n    sleepUs(10);",
      },
    ],
    caughtBy: [tests("walk/dots", "leaves no reference behind")],
  },
  {
    name: "a walk jumps to the root of a context that has been closed meanwhile",
    edits: [
      {
        file: "vfs/walk/path-init.ts",
        from: "    const err = setRoot(nd);\n    if (err != 0) return err;\n  }\n  if (!nd.rcu) {",
        to: "    setRoot(nd);\n  }\n  if (!nd.rcu) {",
      },
    ],
    caughtBy: [tests("walk/path-init", "closed at any moment")],
  },
];
