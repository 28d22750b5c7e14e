/** Faults of openat2(2), of contexts that may not leave their root, and of the protection of files in directories that others may write. */
import { escapes, pair, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

export const RESOLVE: Mutant[] = [
  {
    name: "a walk with RESOLVE_BENEATH leaves its directory by '..', when another thread has moved that out",
    known: 17,
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "  return (nd.flags & (LOOKUP_IS_FENCED | LOOKUP_CONTEXT_IN_ROOT)) != 0;\n",
        to: "  return (nd.flags & LOOKUP_CONTEXT_IN_ROOT) != 0;\n",
      },
    ],
    caughtBy: [escapes()],
  },
  {
    name: "a fenced walk is not checked where it ends",
    edits: [{ file: "vfs/walk/fence.ts", from: "  if (nd.root_ == 0) return 0;\n", to: "  if (true) return 0;\n" }],
    caughtBy: [tests("resolve/openat2", "does not find what is made there afterwards")],
  },
  {
    name: "an error that a rename has caused is told for one that the path has",
    edits: [
      {
        file: "vfs/walk/fence.ts",
        from: "  if (!readSeqRetry(G_RENAME_SEQ, nd.rSeq) && !readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) return -EXDEV;\n",
        to: "  if (nd.rSeq != 1) return -EXDEV;\n",
      },
    ],
    caughtBy: [tests("resolve/openat2", "an exchange at any point")],
  },
  {
    name: "a walk that is led out each time begins again ten thousand times",
    edits: [{ file: "vfs/walk/fence.ts", from: "attempts < RACE_TRIES;", to: "attempts < 100 * RACE_TRIES;" }],
    caughtBy: [tests("resolve/openat2", "ends with EAGAIN")],
  },
  {
    name: "a relative path of a context that may not leave its root starts outside",
    edits: [
      {
        file: "vfs/walk/path-init.ts",
        from: "    if (under != 1) return under == 0 ? -EXDEV : -ECHILD;\n",
        to: "    if (under < 0) return -ECHILD;\n",
      },
      {
        file: "vfs/walk/fence.ts",
        from: "  if (nd.root_ == 0) return 0;\n",
        to: "  if (nd.root_ == 0 || nd.dirfd >= 0) return 0;\n",
      },
    ],
    caughtBy: [
      pair("confined@sysStat(path=f ctx=2) || sysRename(path=/s/b/in"),
      tests("resolve/beneath", "every call with a path"),
    ],
  },
  {
    name: "an absolute link leads a walk with RESOLVE_BENEATH to the root",
    edits: [{ file: "vfs/walk/path-init.ts", from: "  if (nd.flags & LOOKUP_IS_BENEATH) return -EXDEV;\n", to: "" }],
    caughtBy: [tests("linux/openat2", "from the top"), tests("resolve/beneath")],
  },
  {
    name: "RESOLVE_CACHED leaves rcu mode in the middle of a walk",
    edits: [{ file: "vfs/walk/drop.ts", from: "  return !(nd.flags & LOOKUP_CACHED) && ", to: "  return " }],
    caughtBy: [tests("resolve/openat2", "a driver's name")],
  },
  {
    name: "RESOLVE_NO_XDEV goes up out of a mount",
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "      if (nd.flags & LOOKUP_NO_XDEV) {\n        dput(place);\n        err = -EXDEV;\n        break;\n      }\n",
        to: "",
      },
      {
        file: "vfs/walk/step.ts",
        from: "        if (nd.flags & LOOKUP_NO_XDEV) return errDentry(nd, readSeqRetry(G_MOUNT_SEQ, nd.mSeq) ? -ECHILD : -EXDEV);\n",
        to: "",
      },
    ],
    caughtBy: [tests("linux/openat2", "from a mounted file system")],
  },
  {
    name: "a walk with RESOLVE_NO_MAGICLINKS follows the magic link of a driver",
    edits: [{ file: "vfs/walk/step.ts", from: "  if (nd.flags & LOOKUP_NO_MAGICLINKS) return -ELOOP;\n", to: "" }],
    caughtBy: [tests("fs/magic-links", "row 114")],
  },
  {
    name: "openat2 takes a mode where nothing is made",
    edits: [{ file: "vfs/file/open.ts", from: "  if (mode & ~(creates ? 0xfff : 0)) return -EINVAL;\n", to: "" }],
    caughtBy: [tests("linux/openat2", "flags and modes")],
  },
];

export const PROTECTION: Mutant[] = [
  {
    name: "a link of another user in a sticky directory is followed",
    edits: [
      {
        file: "vfs/walk/hardening.ts",
        from: "owner != nd.ctx.uid && owner != dir.uid",
        to: "owner == nd.ctx.uid && owner != dir.uid",
      },
    ],
    caughtBy: [tests("linux/protect")],
  },
  {
    name: "links in the middle of a path are protected too",
    edits: [{ file: "vfs/walk/namei.ts", from: "  nd.state &= ~ND_TRAILING;\n", to: "  nd.state |= ND_TRAILING;\n" }],
    caughtBy: [tests("linux/protect")],
  },
  {
    name: "an open that may create follows any link",
    edits: [{ file: "vfs/file/open.ts", from: "  nd.state |= ND_TRAILING;\n", to: "" }],
    caughtBy: [tests("linux/protect")],
  },
  {
    name: "a set-user-id program of another user gets a further name",
    edits: [
      { file: "vfs/walk/hardening.ts", from: " != S_IFREG || mode & S_ISUID) return", to: " != S_IFREG) return" },
    ],
    caughtBy: [tests("linux/protect")],
  },
  {
    name: "pipes are as protected as regular files",
    edits: [
      {
        file: "vfs/walk/hardening.ts",
        from: "(set & PROTECTED_FIFOS) >> PROTECTED_FIFOS_SHIFT",
        to: "(set & PROTECTED_REGULAR) >> PROTECTED_REGULAR_SHIFT",
      },
    ],
    caughtBy: [tests("linux/protect")],
  },
];
