/** Faults in what drivers need: directories with several names, names that go stale, mounts on both. */
import { alloc, death, fsck, pair, tests, torture } from "./detectors.js";
import type { Mutant } from "./faults.js";

const ALIAS = "vfs/dcache/d-alias.ts";
const MOUNTPOINT = "vfs/mount/mountpoint.ts";

export const DRIVERS: Mutant[] = [
  {
    name: "a directory's old parent is read before the mutexes that keep it there",
    edits: [
      {
        file: ALIAS,
        from: "  if (alias.parent == d.parent) return moveAlias(d, alias);\n",
        to: "  return moveAlias(d, alias, alias.parent);\n",
      },
      { file: ALIAS, from: "    err = moveAlias(d, alias);\n", to: "    err = moveAlias(d, alias, alias.parent);\n" },
      {
        file: ALIAS,
        from: "function moveAlias(d: Dentry, alias: Dentry): i32 {",
        to: "function moveAlias(d: Dentry, alias: Dentry, from: Dentry): i32 {",
      },
      { file: ALIAS, from: "  const from = alias.parent;\n  let err = 0;", to: "  let err = 0;" },
    ],
    caughtBy: [torture(), tests("fs/driver-aliases"), pair("aliases@sysStat(path=/m/p/x) || sysStat(path=/m/q/x)")],
  },
  {
    name: "whether two directories would be below each other is asked before the rename lock is held",
    edits: [{ file: ALIAS, from: "  if (isSubdir(d, alias)) err = -ELOOP;\n  else if", to: "  if" }],
    caughtBy: [
      tests("fs/driver-aliases", "below each other"),
      pair("aliases@sysStat(path=/m/a/toB) || sysStat(path=/m/b/toA)"),
    ],
  },
  {
    name: "a directory is bound to a second dentry",
    edits: [
      { file: "vfs/dcache/dcache.ts", from: "  const isFirst = i.alias == 0;\n", to: "  const isFirst = true;\n" },
    ],
    caughtBy: [pair("aliases@sysStat(path=/m/p/x) || sysStat(path=/m/q/x)"), tests("fs/driver-aliases")],
  },
  {
    name: "a lookup that must wait for a directory's old parent keeps its own mutex",
    edits: [
      {
        file: "vfs/walk/lookup.ts",
        from: "  const found = dSpliceAlias(d, i);\n  mutexUnlock(mutex);\n",
        to: "  const found = dSpliceAlias(d, i);\n  for (let t: f64 = 0; !found && spliceError == -ERESTARTNOINTR && atomic.load<u32>(spliceBusy) != 0; ) t = waitFor(t, spliceBusy);\n  mutexUnlock(mutex);\n",
      },
    ],
    caughtBy: [pair("aliases@sysStat(path=/m/q/x) || sysStat(path=/m/p/y)")],
  },
  {
    name: "a lookup that finds a directory below itself keeps its reference",
    edits: [{ file: ALIAS, from: "    dput(alias);\n    spliceError = err;\n", to: "    spliceError = err;\n" }],
    caughtBy: [alloc("below itself"), fsck()],
  },
  {
    name: "a stale directory goes with the mounts that stand on it, and not with those below",
    edits: [{ file: MOUNTPOINT, from: "isSubdir(m.mountpoint, d)) return m;", to: "m.mountpoint == d) return m;" }],
    caughtBy: [alloc("gone stale"), fsck(), torture()],
  },
  {
    name: "a stale directory is unhashed with the mounts below it",
    edits: [
      {
        file: MOUNTPOINT,
        from: "    foundBelow = mountBelow(d);\n    if (!foundBelow) dDropLocked(d);\n",
        to: "    dDropLocked(d);\n",
      },
    ],
    caughtBy: [fsck(), tests("fs/driver-mounts"), pair("remade@stale || umount")],
  },
  {
    name: "a stale directory is unhashed before the mounts below it are detached",
    edits: [
      {
        file: MOUNTPOINT,
        from: "    if (!foundBelow) dDropLocked(d);\n",
        to: "    dDropLocked(d);\n",
      },
      {
        file: MOUNTPOINT,
        from: "  for (let left = objectsMax(); !dropUnmounted(d, parent, hashLen, inode); left--) {\n    if (left == 0) corrupt(d.at);\n    list = detachTree(foundBelow, list);\n  }\n",
        to: "  while (foundBelow) {\n    list = detachTree(foundBelow, list);\n    lock(G_MOUNT_LOCK);\n    lock(G_RENAME_LOCK);\n    foundBelow = mountBelow(d);\n    unlock(G_RENAME_LOCK);\n    unlock(G_MOUNT_LOCK);\n  }\n",
      },
    ],
    caughtBy: [death("remade stale: sysStat(path=/m/s)")],
  },
  {
    name: "a mount is attached below a directory that was removed",
    edits: [{ file: "vfs/mount/namespace.ts", from: " || isBelowRemoved(d);", to: ";" }],
    caughtBy: [tests("fs/driver-mounts", "after the walk"), pair("remade@stale || mount")],
  },
  {
    name: "a driver's verdict is used for the name that a dentry has got since",
    edits: [
      {
        file: MOUNTPOINT,
        from: "  if ((seq & 1) != 0 || atomic.load<u32>(d.seq) != seq) return;\n",
        to: "  if ((seq & 1) != 0) return;\n",
      },
    ],
    caughtBy: [tests("fs/driver-aliases", "verdict")],
  },
  {
    name: "a driver's directory that is not empty takes mounts with it when it is removed",
    edits: [
      {
        file: "vfs/ops/unlink.ts",
        from: "  const below = (d.inode.isDir || isMounted(d)) && hasMountBelow(d);\n",
        to: "  const below = false;\n",
      },
    ],
    caughtBy: [tests("fs/driver-mounts", "rmdir")],
  },
  {
    name: "a number that comes back with another type is the old node",
    edits: [
      {
        file: "vfs/inode/icache.ts",
        from: "i.sb == sb && i.type == type)",
        to: "i.sb == sb)",
      },
    ],
    caughtBy: [tests("fs/driver-mounts", "another type")],
  },
  {
    name: "a call from inside a hook gets through to the core",
    edits: [{ file: "sys/syscall.ts", from: "  return hookDepth == 0 && T.tid != 0;\n", to: "  return T.tid != 0;\n" }],
    caughtBy: [tests("fs/hooks", "the core refuses")],
  },
  {
    name: "the end of a call that was refused inside a hook ends the call around it",
    edits: [
      {
        file: "sys/syscall.ts",
        from: "export function syscallExit(r: i32): i32 {\n  if (hookDepth == 0) leaveActive();\n",
        to: "export function syscallExit(r: i32): i32 {\n  leaveActive();\n",
      },
    ],
    caughtBy: [tests("fs/hooks", "the core refuses")],
  },
  {
    name: "a directory moves without the mutex of its old parent",
    edits: [{ file: ALIAS, from: "  const tookFrom = !isOwner(mutex);\n", to: "  const tookFrom = false;\n" }],
    caughtBy: [tests("fs/driver-aliases", "only when it has")],
  },
];
