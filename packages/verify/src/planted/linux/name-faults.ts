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
];
