/** Faults of extended attributes: core/vfs/xattr. */
import { alloc, death, type Step, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const xattrs = (pattern: string): Step => tests("node-fs/linux", pattern);

export const XATTRS: Mutant[] = [
  {
    name: "an inode's extended attributes stay when it ends",
    edits: [{ file: "vfs/inode/iput.ts", from: "    if (i.mode & I_XATTR) xattrsFree(i);\n", to: "" }],
    caughtBy: [xattrs("end with their file")],
  },
  {
    name: "the recount leaves a dead inode's extended attributes",
    edits: [{ file: "vfs/recovery/recount.ts", from: "  if (i.mode & I_XATTR) xattrsFree(i);\n", to: "" }],
    caughtBy: [death("small removexattr: sysSetxattr(path=/f name=user.a value=5); sysUnlink")],
  },
  {
    name: "an extended attribute that is replaced is not freed",
    edits: [{ file: "vfs/xattr/store.ts", from: "  if (old != 0) freeLater(old);\n", to: "" }],
    caughtBy: [xattrs("are set, replaced"), alloc("replace an extended attribute")],
  },
  {
    name: "the last extended attribute leaves its flag",
    edits: [
      {
        file: "vfs/xattr/free.ts",
        from: "  if (next == 0 && at == i.xattrsAt) i.mode = i.mode & ~I_XATTR;\n",
        to: "",
      },
    ],
    caughtBy: [xattrs("are set, replaced")],
  },
  {
    name: "any user changes trusted attributes",
    edits: [
      {
        file: "vfs/xattr/xattr.ts",
        from: "  if (space == TRUSTED) return capable(c, CAP_SYS_ADMIN) ? 0 : writes ? -EPERM : -ENODATA;\n",
        to: "  if (space == TRUSTED) return 0;\n",
      },
    ],
    caughtBy: [xattrs("of other namespaces")],
  },
];
