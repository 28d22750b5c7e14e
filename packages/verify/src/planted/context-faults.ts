/** Faults in contexts: who they are, what they may do, their numbers, their roots, and their ends. */
import { death, meanwhile, pair, tests } from "./detectors.js";
import type { Mutant } from "./faults.js";

export const CONTEXTS: Mutant[] = [
  {
    name: "a call by descriptor looks its context up a second time",
    edits: [
      {
        file: "sys/attr.ts",
        from: "  const r = attrOperation(c, f.mnt, f.dentry, f.inode, operation, a, b);\n  fput(f);",
        to: "  const again = acquireContext(ctx);\n  const r = attrOperation(again != null ? again : changetype<Context>(0), f.mnt, f.dentry, f.inode, operation, a, b);\n  fput(f);",
      },
      {
        file: "sys/attr.ts",
        from: 'import { Context } from "../vfs/task/cred";',
        to: 'import { acquireContext } from "../vfs/task/context-ref";\nimport { Context } from "../vfs/task/cred";',
      },
    ],
    caughtBy: [tests("vfs/context-close", "a context closed inside the call")],
  },
  {
    name: "the end of a context takes its groups away while calls still check them",
    edits: [
      {
        file: "vfs/task/context.ts",
        from: "  if (!removeContext(c)) return -EBADF;\n",
        to: "  if (!removeContext(c)) return -EBADF;\n  c.ngroups = 0;\n",
      },
    ],
    caughtBy: [tests("vfs/context-close", "a member of a group that is denied")],
  },
  {
    name: "the umask is 0 while it is read",
    edits: [
      {
        file: "sys/context.ts",
        from: "  const old = mask == UMASK_UNCHANGED ? c.umask : atomic.xchg<u32>(c.umaskAt, <u32>mask & 0x1ff);\n",
        to: "  const old = atomic.xchg<u32>(c.umaskAt, 0);\n  atomic.store<u32>(c.umaskAt, mask == UMASK_UNCHANGED ? old : <u32>mask & 0x1ff);\n",
      },
    ],
    caughtBy: [pair("small@sysMknod(path=/o/x mode=4534) || sysUmask(mask=-1)")],
  },
  {
    name: "a context takes another user without CAP_SETUID",
    edits: [
      {
        file: "vfs/task/context.ts",
        from: "  if (uid != from.uid && !capable(from, CAP_SETUID)) return false;\n",
        to: "",
      },
    ],
    caughtBy: [tests("api/privilege")],
  },
  {
    name: "a context takes other groups without CAP_SETGID",
    edits: [
      {
        file: "vfs/task/context.ts",
        from: "  if ((gid != from.gid || otherGroups) && !capable(from, CAP_SETGID)) return false;\n",
        to: "",
      },
    ],
    caughtBy: [tests("api/privilege")],
  },
  {
    name: "a context has capabilities that its maker lacks",
    edits: [{ file: "vfs/task/context.ts", from: "  return (caps & ~from.caps) == 0;\n", to: "  return true;\n" }],
    caughtBy: [tests("api/privilege")],
  },
  {
    name: "uid 0 has all capabilities, whatever its maker has",
    edits: [
      {
        file: "vfs/task/context.ts",
        from: "if (caps == CAPS_OF_MAKER || (caps == CAPS_OF_UID && uid == 0)) return from.caps;",
        to: "if (caps == CAPS_OF_UID && uid == 0) return 0xffffffff;\n  if (caps == CAPS_OF_MAKER) return from.caps;",
      },
      {
        file: "vfs/task/context.ts",
        from: "  return (caps & ~from.caps) == 0;\n",
        to: "  return uid == 0 || (caps & ~from.caps) == 0;\n",
      },
    ],
    caughtBy: [tests("api/privilege")],
  },
  {
    name: "every context may declare a thread dead",
    edits: [
      {
        file: "sys/recovery.ts",
        from: "  if (may <= 0) return may == 0 ? -EPERM : may;\n",
        to: "  if (may < 0) return may;\n",
      },
    ],
    caughtBy: [tests("api/privilege")],
  },
  {
    name: "the number of a thread is that of its slot",
    edits: [
      {
        file: "sys/slot.ts",
        from: "return <f64>(atomic.load<u64>(slotAt(n) + L.SLOT_GENERATION) * L.MAX_THREADS + n);",
        to: "return <f64>n;",
      },
    ],
    caughtBy: [tests("api/privilege", "a thread's number is never another's")],
  },
  {
    name: "numbers of contexts come round",
    edits: [
      {
        file: "vfs/task/cred.ts",
        from: "c.number = <f64>(made * MAX_CONTEXTS + i);",
        to: "c.number = <f64>((made & 0xfffff) * MAX_CONTEXTS + i);",
      },
    ],
    caughtBy: [tests("api/context-lives", "a handle of a closed context")],
  },
  {
    name: "a number with a fraction means the context before it",
    edits: [
      {
        file: "vfs/task/context-ref.ts",
        from: "  return c.number == n ? c : null;\n",
        to: "  return <i64>c.number == <i64>n ? c : null;\n",
      },
    ],
    caughtBy: [tests("vfs/context-close", "a number of no context is refused")],
  },
  {
    name: "'..' in a directory outside of the context's root leads up, though the context asks for it to stay",
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "  if (inRoot(nd) && isUnderRoot(nd, nd.mnt, parent, true) != 1) {\n",
        to: "  if (false) {\n",
      },
    ],
    caughtBy: [tests("resolve/in-root")],
  },
  {
    name: "in rcu mode '..' does not ask whether the context's root is above",
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "  if (inRoot(nd) && isUnderRoot(nd, nd.mnt, parent, false) != 1) return errDentry(nd, -ECHILD);\n",
        to: "",
      },
    ],
    caughtBy: [pair("confined@sysStat(path=../f || sysRename(path=/s/b path2=/o/b"), tests("resolve/in-root")],
  },
  {
    name: "'..' asks whether the directory is below the context's root, in place of where it leads",
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "  if (inRoot(nd) && isUnderRoot(nd, nd.mnt, parent, true) != 1) {\n",
        to: "  if (inRoot(nd) && isUnderRoot(nd, nd.mnt, from, true) != 1) {\n",
      },
      {
        file: "vfs/walk/step.ts",
        from: "  const parent = dgetParent(nd.dentry);\n  tracepoint(POINT.DOTDOT, nd.dentry_, parent.at);\n",
        to: "",
      },
      {
        file: "vfs/walk/step.ts",
        from: "  if (pathConnected(nd.mnt, parent, true) == 1) return parent;\n",
        to: "  const parent = dgetParent(nd.dentry);\n  if (pathConnected(nd.mnt, parent, true) == 1) return parent;\n",
      },
      {
        file: "vfs/walk/step.ts",
        from: "    dput(parent);\n    // Behind a mount point",
        to: "    // Behind a mount point",
      },
    ],
    caughtBy: [pair("confined@sysStat(path=up || move"), tests("resolve/in-root")],
  },
  {
    name: "'..' leaves a mount that was moved out of the context's root",
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "    if (inRoot(nd) && isUnderRoot(nd, nd.mnt, from, true) != 1) return stayOutside(nd);\n",
        to: "",
      },
    ],
    caughtBy: [tests("resolve/in-root", "mounts: .* stays in the root")],
  },
  {
    name: "the close of a context is undone with its thread, and others have seen it",
    edits: [
      {
        file: "vfs/task/cred.ts",
        from: "if (was) atomic.store<u32>(place, 0);",
        to: "if (was) put32(place, 0);",
      },
    ],
    caughtBy: [meanwhile("namespaces destroy: contextDestroy(ctx=2)", "create: contextCreate(uid=0 gid=0 ctx=2)")],
  },
  {
    name: "getcwd names what is outside of the context's root",
    edits: [
      {
        file: "vfs/dcache/d-path.ts",
        from: "      if (up == m) return -ENOENT;\n",
        to: "      if (up == m) return finish(base, end, room);\n",
      },
    ],
    caughtBy: [tests("resolve/in-root")],
  },
  {
    name: "a context that a confined one creates is not confined",
    edits: [
      {
        file: "vfs/task/context.ts",
        from: "  c.resolve = from.resolve | resolve;\n",
        to: "  c.resolve = resolve;\n",
      },
    ],
    caughtBy: [tests("resolve/in-root", "have the option too")],
  },
  {
    name: "what the umask leaves of a mode decides about set-group-id",
    edits: [{ file: "vfs/ops/may.ts", from: "  let mode = asked;\n", to: "  let mode = asked & ~c.umask;\n" }],
    caughtBy: [tests("conformance/set-id")],
  },
  {
    name: "a read-only mount refuses before the permission does",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "    if (flags & O_TRUNC && type == S_IFREG) err = mntWantWrite(nd.mnt);\n",
        to: "    if (accessMask(flags) & MAY_WRITE && type == S_IFREG) err = mntWantWrite(nd.mnt);\n",
      },
    ],
    caughtBy: [tests("vfs/open")],
  },
  {
    name: "the contexts of a thread stay when it detaches",
    edits: [{ file: "sys/thread.ts", from: "  closeOwned(T.slot);\n", to: "" }],
    // The library closes the contexts that it has made itself.
    caughtBy: [death("small end: contextCreate")],
  },
  {
    name: "the contexts of a dead thread stay",
    edits: [{ file: "sys/recovery.ts", from: "  if (trapped == 0) closeOwned(s);\n", to: "" }],
    caughtBy: [tests("api/context-lives", "terminated")],
  },
  {
    name: "a thread that takes a slot over keeps the id of the thread before it",
    edits: [
      {
        file: "sys/thread.ts",
        from: "state, ((<u64>hostId) << 32) | SLOT_USED) != state",
        to: "state, ((state >> 32) << 32) | SLOT_USED) != state",
      },
    ],
    caughtBy: [tests("unit/api/threads", "takes a slot over")],
  },
  {
    name: "a thread finds itself among those that have ended",
    edits: [
      {
        file: "sys/thread.ts",
        from: "    if (<u32>state == 0 || n == T.tid - 1) continue;\n",
        to: "    if (<u32>state == 0) continue;\n",
      },
    ],
    caughtBy: [tests("unit/api/threads", "except by itself")],
  },
  {
    name: "a context is listed before it has its user",
    edits: [
      {
        file: "sys/context.ts",
        from: '    if (next == null || atomic.load<u32>(next.at + offsetof<Context>("root_")) == 0) continue;\n',
        to: "    if (next == null) continue;\n",
      },
    ],
    caughtBy: [tests("api/context-lives", "first moment")],
  },
  {
    name: "a thread that dies leaves the contexts that it made",
    edits: [
      {
        file: "sys/recovery.ts",
        from: "  closeContextsOf(owner);\n",
        to: "  if (s == T.slot) closeContextsOf(owner);\n",
      },
    ],
    caughtBy: [death("small contextCreate")],
  },
  {
    name: "a thread that dies in its own end leaves the descriptors that it had not closed",
    edits: [
      {
        file: "sys/recovery.ts",
        from: "  if (closes || atomic.load<u32>(s + V.SLOT_OPENS) != 0) fdCloseOwned(owner, !closes);\n",
        to: "  if (s == T.slot && closes) fdCloseOwned(owner, false);\n",
      },
    ],
    caughtBy: [death("small end: threadCloses")],
  },
  {
    name: "a thread that dies in a long write leaves the position before the parts that it has written",
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "writePart(c, d, i, posAddress, pos, done, part, direct);",
        to: "writePart(c, d, i, done + part == n ? posAddress : 0, pos, done, part, direct);",
      },
    ],
    caughtBy: [death("pages long: sysWrite(fd=4")],
  },
  {
    name: "a thread that dies while it gives memory of names back loses it",
    edits: [
      {
        file: "mem/alloc/slab.ts",
        from: "    removePartial(c, chunk);\n    chunkFree(chunk);\n  }\n  unlock(c);\n  return empty;",
        to: "    removePartial(c, chunk);\n  }\n  unlock(c);\n  if (empty) chunkFree(chunk);\n  return empty;",
      },
    ],
    caughtBy: [death("full givenBack")],
  },
  {
    name: "a thread that dies in the recovery of one that excluded all others leaves its own recovery waiting for that one",
    edits: [
      {
        file: "sys/recovery.ts",
        from: "    if (atomic.cmpxchg<u32>(state, theirs, SLOT_DEAD | (T.tid << 2)) == theirs) rollBackChain(n);\n",
        to: "    if (atomic.load<u32>(state) == theirs) continue;\n",
      },
    ],
    caughtBy: [death("full givenBack"), death("small end: threadCloses")],
  },
  {
    name: "of two dead threads the recoverer's is recovered first, though the other holds a lock that this needs",
    edits: [
      {
        file: "sys/recovery.ts",
        from: "== theirs) rollBackChain(n);",
        to: "== theirs && n + 1 == atomic.load<u32>(V.G_RECOUNT_OWNER)) rollBackChain(n);",
      },
    ],
    caughtBy: [death("small end: threadCloses")],
  },
];
