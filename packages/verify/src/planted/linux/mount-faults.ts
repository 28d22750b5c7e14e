/** Faults of mounts: flags, remounts, expiry, recursive binds, the list (core/vfs/mount/). */
import { death, pair, type Step, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const flags = (pattern: string): Step => tests("vfs/mount/mount-flags", pattern);
const namespaces = (pattern: string): Step => tests("vfs/mount/mnt-ns", pattern);
const names = (pattern: string): Step => tests("vfs/mount/mountpoint", pattern);
const shares = (pattern: string): Step => tests("vfs/mount/propagation", pattern);

export const MOUNTS: Mutant[] = [
  {
    name: "a mount becomes read-only while a call writes to it",
    edits: [
      {
        file: "vfs/mount/remount.ts",
        from: "  if (!excludeOthers(WRITERS_MS)) return -EBUSY;\n",
        to: "  excludeOthers(0);\n",
      },
    ],
    caughtBy: [pair("flagged@freeze: sysRemount(path=/m readonly=true bind=true) || write: sysMkdir(path=/m/x")],
  },
  {
    name: "a mount becomes read-only while a file is open for writing",
    edits: [
      {
        file: "vfs/mount/remount.ts",
        from: "    if (mnt && (mnt == m || (all && mnt.sb == m.sb))) return true;",
        to: "    if (mnt && mnt == m && all) return true;",
      },
    ],
    caughtBy: [flags("open for writing")],
  },
  {
    name: "a result behind a mount is not checked against the mount sequence",
    edits: [
      {
        file: "vfs/walk/namei.ts",
        from: "  if (nd.state & ND_MOUNTS && readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) err = -ECHILD;\n  nd.endDentry",
        to: "  nd.endDentry",
      },
    ],
    caughtBy: [tests("unit/walk/prefix/links", "row 27:")],
  },
  {
    name: "a link in a mount with nosymfollow is followed",
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "  if (nd.pMnt.flags & MS_NOSYMFOLLOW) {",
        to: "  if (nd.rcu && nd.pMnt.flags & MS_NOSYMFOLLOW) {",
      },
    ],
    caughtBy: [flags("nosymfollow")],
  },
  {
    name: "a flag of a mount refuses a link although the mount has changed",
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "    if (nd.rcu) nd.state |= ND_MOUNTS;\n    else putStep(nd);",
        to: "    if (!nd.rcu) putStep(nd);",
      },
    ],
    caughtBy: [flags("row 106: ELOOP")],
  },
  {
    name: "a mount that was used expires",
    edits: [{ file: "vfs/walk/step.ts", from: "    if (m.expire != 0) return -ECHILD;\n", to: "" }],
    caughtBy: [flags("expire")],
  },
  {
    name: "a walk that moving mounts have led back to its own mount keeps a reference",
    edits: [{ file: "vfs/walk/step.ts", from: "  if (crossed && nd.pMnt == nd.mnt) mntput(nd.pMnt);\n", to: "" }],
    caughtBy: [flags("leave it no reference")],
  },
  {
    name: "a reference that is put leaves the mark of an umount with MNT_EXPIRE",
    edits: [
      {
        file: "vfs/mount/namespace.ts",
        from: '  if (m.expire != 0) atomic.store<u32>(changetype<usize>(m), 0, offsetof<Mount>("expire_"));\n',
        to: "",
      },
    ],
    caughtBy: [flags("expire")],
  },
  {
    name: "the copies of an unfinished recursive bind stay",
    edits: [
      {
        file: "vfs/recovery/recount-mounts.ts",
        from: "    if (!namespaceOf(m) && m.nrChildren == 0) return m;\n",
        to: "",
      },
    ],
    caughtBy: [death("flagged rbind: sysMount(path=/m path2=/n")],
  },
  {
    name: "pivot_root takes no reference for the root of the context",
    edits: [
      {
        file: "vfs/mount/pivot.ts",
        from: "      mntget(newMnt);\n      dget(newRoot);\n      if (oldPwd) {",
        to: "      if (oldPwd) {",
      },
    ],
    caughtBy: [pair("pivots@pivot: sysPivotRoot(path=/d path2=/d/p ctx=1) || getcwd")],
  },
  {
    name: "a recursive bind of a directory copies the mounts beside it",
    edits: [
      {
        file: "vfs/mount/pnode.ts",
        from: "      if (p == top && below && !isBelow(m.mountpoint, below)) continue;\n",
        to: "",
      },
    ],
    caughtBy: [flags("recursive")],
  },
  {
    name: "the copies of an attach in a shared mount come one after the other",
    edits: [
      {
        file: "vfs/mount/attach.ts",
        from: "    for (let t = tops; t; t = changetype<Mount>(<usize>t.topNext)) attachCopy(t, d);\n",
        to: "",
      },
      {
        file: "vfs/mount/attach.ts",
        from: "  unlock(G_MOUNT_LOCK);\n  logInScratch(false);\n  return err;\n}\n\n/** topmost_overmount()",
        to: "  unlock(G_MOUNT_LOCK);\n  logInScratch(false);\n  for (let t = tops; t && err == 0; t = changetype<Mount>(<usize>t.topNext)) {\n    lock(G_MOUNT_LOCK);\n    writeSeqBegin(G_MOUNT_SEQ);\n    attachCopy(t, d);\n    writeSeqEnd(G_MOUNT_SEQ);\n    unlock(G_MOUNT_LOCK);\n  }\n  return err;\n}\n\n/** topmost_overmount()",
      },
    ],
    caughtBy: [shares("attaches many copies"), death("shared mount: sysMountNew(path=/m/e)")],
  },
  {
    name: "a mount that a dead thread has detached stays in its group",
    edits: [
      {
        file: "vfs/recovery/recount-mounts.ts",
        from: "    if (m.nrMounts != 0) continue;\n",
        to: "    if (m.nrMounts != 0 || m.parent == m) continue;\n",
      },
    ],
    caughtBy: [shares("attaches many copies"), death("shared umount: sysUmount(path=/m/d flags=0)")],
  },
  {
    name: "what the undo log has in the scratch area is not written back",
    edits: [
      {
        file: "mem/undo/recover.ts",
        from: "  for (let n = countOf(j, 0, LONG_ENTRIES_MAX); n > 0; n--) {",
        to: "  for (let n = countOf(j, 0, 76); n > 0; n--) {",
      },
    ],
    caughtBy: [shares("attaches many copies")],
  },
  {
    name: "a mount goes while one that goes with it is in use",
    edits: [
      {
        file: "vfs/mount/do-umount.ts",
        from: "      } else if (isBusyElsewhere(m)) err = -EBUSY;\n      else ",
        to: "      } else ",
      },
    ],
    caughtBy: [shares("is busy while one")],
  },
  {
    name: "the slaves of a mount that leaves its group receive no more",
    edits: [{ file: "vfs/mount/pnode.ts", from: "    if (heir) addSlave(s, heir);\n    else {\n", to: "    {\n" }],
    caughtBy: [shares("hands its slaves on")],
  },
  {
    name: "the working directory of a context with its own mounts stays in its maker's",
    edits: [
      { file: "vfs/task/context.ts", from: "      pwdMnt = copiedPwdMnt;\n", to: "      pwdMnt = mntget(pwdMnt);\n" },
    ],
    caughtBy: [namespaces("not seen in the other")],
  },
  {
    name: "a namespace ends while another context has it",
    edits: [
      {
        file: "vfs/mount/copy-mnt-ns.ts",
        from: "  const ends = ns.nrMounts != 0 && !isUsed(ns);\n",
        to: "  const ends = ns.nrMounts != 0;\n",
      },
    ],
    caughtBy: [namespaces("share its namespace"), pair("namespaces@destroy: contextDestroy(ctx=2) || statOwn")],
  },
  {
    name: "a context that is made from one that closes joins its namespace too late",
    edits: [
      {
        file: "vfs/task/context.ts",
        from: "  const shares = !ownMounts && from.mntNs != 0 && joinMntNs(c, ns);\n  unlock(from.lock);\n",
        to: "  const inherits = !ownMounts && from.mntNs != 0;\n  unlock(from.lock);\n  const shares = inherits && joinMntNs(c, ns);\n",
      },
    ],
    caughtBy: [pair("namespaces@create: contextCreate(uid=0 gid=0 ctx=2) || destroy: contextDestroy(ctx=1)")],
  },
  {
    name: "what is mounted in a namespace that has ended stays",
    edits: [
      {
        file: "vfs/mount/mnt-ns.ts",
        from: "  const ns = namespaceOf(m);\n  return ns ? ns == contextNamespace(c) : false;\n",
        to: "  return topOf(m) != rootMount() || c.mntNs == 0;\n",
      },
    ],
    caughtBy: [namespaces("comes too late")],
  },
  {
    name: "the namespace of a context whose thread died while it closed it stays",
    edits: [{ file: "vfs/recovery/recount-mounts.ts", from: "  endNamespaces();\n", to: "" }],
    caughtBy: [namespaces("leaves none"), death("namespaces destroy")],
  },
  {
    name: "copies that one namespace gets are counted one by one against its limit",
    edits: [{ file: "vfs/mount/mnt-ns.ts", from: "  top.mark += n;\n", to: "  top.mark = n;\n" }],
    caughtBy: [namespaces("find no room in another")],
  },
  {
    name: "a mount that is detached still counts against the limit of its namespace",
    edits: [{ file: "vfs/mount/umount.ts", from: "  countDetached(m);\n", to: "" }],
    caughtBy: [namespaces("not seen in the other"), death("mounts umount: sysUmount(path=/m")],
  },
  {
    name: "a mount that covers one that goes is left on it",
    edits: [
      {
        file: "vfs/mount/do-umount.ts",
        from: "      if (!cover || cover.mark != STAYS) continue;\n",
        to: "      if (!cover || cover.mark != GOES) continue;\n",
      },
    ],
    caughtBy: [shares("comes back when the copy goes")],
  },
  {
    name: "a name is removed on which the caller's namespace has a mount",
    edits: [
      {
        file: "vfs/mount/mountpoint.ts",
        from: "  else if (isLocalMountpoint(c, d) || isLocalMountpoint(c, other)) err = -EBUSY;\n",
        to: "",
      },
    ],
    caughtBy: [names("keeps its name"), pair("namespaces@removeOwn || stat")],
  },
  {
    name: "a mount of another namespace keeps its name",
    edits: [{ file: "vfs/mount/mountpoint.ts", from: "m.mountpoint == d && checkMnt(c, m)", to: "m.mountpoint == d" }],
    caughtBy: [names("keeps its name")],
  },
  {
    name: "a call of a closed context removes a name on which its namespace has a mount",
    edits: [
      {
        file: "vfs/mount/mountpoint.ts",
        from: "  if (!isAlive(c)) err = -EBADF;\n  else if (isLocal",
        to: "  if (isLocal",
      },
      { file: "vfs/mount/mountpoint.ts", from: "import { Context, isAlive }", to: "import { Context }" },
    ],
    caughtBy: [names("closed meanwhile")],
  },
  {
    name: "the mounts of other namespaces stay on a directory that is removed",
    edits: [{ file: "vfs/ops/unlink.ts", from: "    detached = detachMounts(d, locked);\n", to: "" }],
    caughtBy: [
      names("of all other namespaces"),
      pair("namespaces@remove: sysUnlink(path=/p/n removedir=true) || stat"),
    ],
  },
  {
    name: "the mounts of other namespaces stay on a directory that a rename replaces",
    edits: [{ file: "vfs/ops/rename.ts", from: "  if (replaced) detached = detachMounts(t, locked);\n", to: "" }],
    caughtBy: [names("of all other namespaces")],
  },
  {
    name: "the mounts of other namespaces leave a directory that is renamed",
    edits: [
      {
        file: "vfs/ops/rename.ts",
        from: "  if (replaced) detached = detachMounts(t, locked);\n",
        to: "  detached = detachMounts(replaced ? t : d, locked);\n",
      },
    ],
    caughtBy: [names("moves with the name")],
  },
  {
    name: "a removal that has found no mount does not look again",
    edits: [
      {
        file: "vfs/mount/mountpoint.ts",
        from: "  if (!isMounted(d)) return list;\n",
        to: "  if (locked == 0 || !isMounted(d)) return list;\n",
      },
    ],
    caughtBy: [names("between the question and the removal")],
  },
  {
    name: "the references of mounts that go with a name are not put",
    edits: [{ file: "vfs/ops/unlink.ts", from: "  putDetached(detached);\n", to: "" }],
    caughtBy: [names("of all other namespaces")],
  },
  {
    name: "the mounts on a name stay that a dead thread has removed",
    edits: [
      {
        file: "vfs/recovery/recount-mounts.ts",
        from: "const NAMELESS: u32 = D_UNHASHED | D_DRIVER_PENDING;\n",
        to: "const NAMELESS: u32 = D_DRIVER_PENDING;\n",
      },
      {
        file: "vfs/recovery/recount-mounts.ts",
        from: "import { D_DRIVER_PENDING, D_UNHASHED }",
        to: "import { D_DRIVER_PENDING }",
      },
    ],
    caughtBy: [names("behind the removal"), death("namespaces remove: sysUnlink(path=/p/n")],
  },
  {
    name: "the mount of another namespace on a driver's file stays when the file is removed",
    edits: [
      {
        file: "vfs/ops/unlink.ts",
        from: "(d.inode.isDir || isMounted(d)) && hasMountBelow(d);",
        to: "d.inode.isDir && hasMountBelow(d);",
      },
      { file: "vfs/ops/unlink.ts", from: "import { isMounted, Mount, noMount }", to: "import { Mount, noMount }" },
    ],
    caughtBy: [names("driver's directories and files")],
  },
  {
    name: "a removed file or directory is mounted elsewhere",
    edits: [
      {
        file: "vfs/mount/attach.ts",
        from: "  if (cannotMount(topmost(top).root)) err = -ENOENT;\n",
        to: "",
      },
    ],
    caughtBy: [tests("conformance/linux/mountpoints")],
  },
];
