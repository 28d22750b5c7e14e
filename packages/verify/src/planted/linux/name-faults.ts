/** Faults of what Linux has beside the calls of `node:fs`, on names. */
import { tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

export const NAMELESS: Mutant[] = [
  {
    name: "a file that was made without a name gets another after its last one",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "    i.mode = i.mode & ~I_LINKABLE;\n", to: "" }],
    caughtBy: [tests("node-fs/linux", "gets one by its descriptor")],
  },
  {
    name: "a file of O_TMPFILE and O_EXCL may get a name",
    edits: [{ file: "vfs/file/open.ts", from: "flags & O_EXCL ? 0 : I_LINKABLE", to: "I_LINKABLE" }],
    caughtBy: [tests("node-fs/linux", "gets one by its descriptor")],
  },
  {
    name: "a new device has no number",
    edits: [{ file: "fs/tmpfs/tmpfs.ts", from: "  if (isDeviceType(mode & S_IFMT)) i.rdev = bodyLen;\n", to: "" }],
    caughtBy: [tests("node-fs/linux", "are names with a number")],
  },
  {
    name: "the contents sequence of a file is shown as the number of a device",
    edits: [
      {
        file: "vfs/inode/attr.ts",
        from: "isDeviceType(mode & (S_IFMT | I_DRIVER)) ? <f64>i.rdev : 0",
        to: "<f64>i.rdev",
      },
    ],
    caughtBy: [tests("node-fs/linux", "are names with a number")],
  },
  {
    name: "every context may make a device",
    edits: [
      { file: "vfs/ops/create.ts", from: "    if (!whiteout && !capable(c, CAP_MKNOD)) return -EPERM;\n", to: "" },
    ],
    caughtBy: [tests("node-fs/linux", "need CAP_MKNOD")],
  },
  {
    name: "a device on a mount with nodev is tried",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "    if (isDeviceType(type) && nd.mnt.flags & MS_NODEV) return -EACCES;\n",
        to: "",
      },
    ],
    caughtBy: [tests("node-fs/linux", "are names with a number")],
  },
];
