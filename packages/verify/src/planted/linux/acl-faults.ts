/** Faults of default ACLs: core/vfs/acl. */
import { alloc, death, races, type Step, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const SET = "vfs/acl/posix-acl.ts";
const ENTRIES = "vfs/acl/entries.ts";
const acls = (pattern: string): Step => tests("unit/vfs/acl", pattern);

export const ACLS: Mutant[] = [
  {
    name: "the umask applies below a default ACL",
    edits: [
      {
        file: "vfs/ops/may.ts",
        from: "  return hasDefaultAcl(dir) ? mode : mode & ~c.umask;\n",
        to: "  return mode & ~c.umask;\n",
      },
    ],
    caughtBy: [acls("default ACLs decide")],
  },
  {
    name: "a directory does not pass its default ACL on",
    edits: [{ file: ENTRIES, from: "    linkBlock(i.dataAt, copy);\n", to: "    slabFree(copy);\n" }],
    caughtBy: [acls("default ACLs decide")],
  },
  {
    name: "an inherited ACL permits what the creator did not ask for",
    edits: [{ file: ENTRIES, from: "permAt(e) & (mode >> shift)", to: "permAt(e)" }],
    caughtBy: [acls("default ACLs decide")],
  },
  {
    name: "a directory's default ACL stays when the directory ends",
    edits: [
      {
        file: "vfs/recovery/reclaim.ts",
        from: "  if (i.isLink || i.isDir) kfreeAt(i.dataAt);\n",
        to: "  if (i.isLink) kfreeAt(i.dataAt);\n",
      },
    ],
    caughtBy: [acls("end with their directory")],
  },
  {
    name: "a file that found no memory leaves the ACL that it had got already",
    edits: [
      {
        file: "vfs/inode/icache.ts",
        from: "  freeInodeBlocks(i);\n",
        to: "  if (i.isLink) freeInodeBlocks(i);\n",
      },
    ],
    caughtBy: [alloc("mkdir in a directory with a default ACL")],
  },
  {
    name: "a default ACL is freed before it is sure that it is replaced",
    edits: [
      {
        file: SET,
        from: "  const followed = changeBegin(named);\n  const d = modeChangeBegin(i);\n  beginAttr(i);\n  const old = load<u32>(at);\n",
        to: "  const old = load<u32>(at);\n  if (old != 0) slabFree(old);\n  const followed = changeBegin(named);\n  const d = modeChangeBegin(i);\n  beginAttr(i);\n",
      },
      { file: SET, from: "  if (old != 0) slabFree(old);\n  modeChangeEnd(i, d);\n", to: "  modeChangeEnd(i, d);\n" },
    ],
    caughtBy: [death("defaults acl: sysSetacl(path=/d acl=[] ")],
  },
  {
    name: "a file without a name inherits while its directory's default ACL changes",
    edits: [
      { file: "vfs/file/open.ts", from: "    mutexLock(dir.mutex);\n", to: "" },
      {
        file: "vfs/file/open.ts",
        from: "    mutexUnlock(dir.mutex);\n  }\n  if (err != 0) pathPut(nd);",
        to: "  }\n  if (err != 0) pathPut(nd);",
      },
    ],
    caughtBy: [races("defaults@tmpfile || acl: sysSetacl(path=/d acl=[] ")],
  },
  {
    name: "an attribute with an ACL of another version is taken",
    edits: [{ file: SET, from: "  if (load<u32>(value) != XATTR_VERSION) return -EOPNOTSUPP;\n", to: "" }],
    caughtBy: [acls("as attributes")],
  },
];
