/** Faults that a torture run is to find, each an edit of the core: what the tests of the tool plant. */

export const PLANTED = {
  "a skipped grace period": [
    {
      file: "mem/smr.ts",
      from: "if (p == 0 || <i32>(load<u32>(linkOf(p) + 4) - safe) >= 0) {",
      to: "if (p == 0) {",
    },
  ],
  "a rename without the dentries' sequences": [
    { file: "fs/dmove.ts", from: "  writeSeqBegin(d.seq);\n  writeSeqBegin(target.seq);\n", to: "" },
    { file: "fs/dmove.ts", from: "  writeSeqEnd(target.seq);\n  writeSeqEnd(d.seq);\n", to: "" },
    // The barrier of the old place would vouch for the new one.
    { file: "fs/dcache.ts", from: "  hashRemove(d);\n  rcuwalkBarrier(d);\n", to: "  hashRemove(d);\n" },
  ],
  "a miss that is not looked at again": [
    {
      file: "fs/dlookup.ts",
      from: "      ((hashSeq | dirSeq) & 1) == 0 &&\n      atomic.load<u32>(G_HASH_SEQ) == hashSeq &&\n      atomic.load<u32>(parent.dirSeq) == dirSeq\n",
      to: "      true\n",
    },
  ],
  "no check of the parent's sequence": [
    {
      file: "fs/rcuwalk.ts",
      from: "if (atomic.load<u32>(<usize>d) != <u32>state) {\n        r = -ECHILD;",
      to: "if (false) {\n        r = -ECHILD;",
    },
  ],
  "attributes not looked at again": [
    { file: "fs/attr.ts", from: "whole = !readSeqRetry(i.seq, seq);", to: "whole = true;" },
  ],
  "a link's body freed with its last name": [
    {
      file: "fs/icache.ts",
      from: "if (i.isReg) dataFree(i);",
      to: "if (i.isReg) dataFree(i);\n    else if (i.isLink && i.data != 0) {\n      slabFree(i.data);\n      i.data = 0;\n    }",
    },
  ],
  "contents read without the file's lock": [
    {
      file: "fs/rw.ts",
      from: "  lock(i.mutex);\n  let r = 0;\n  if (i.mode & I_DRIVER) {\n    r = i.sb.hooks & HOOK_READ",
      to: "  let r = 0;\n  if (i.mode & I_DRIVER) {\n    r = i.sb.hooks & HOOK_READ",
    },
    { file: "fs/rw.ts", from: "      r = n;\n    }\n  }\n  unlock(i.mutex);", to: "      r = n;\n    }\n  }" },
  ],
  "a descriptor not looked at again": [
    { file: "fs/file.ts", from: "if (got && same && valid) return f;", to: "if (got && valid) return f;" },
  ],
  "a mount's sequence not looked at": [
    { file: "fs/step.ts", from: "return readSeqRetry(G_MOUNT_SEQ, nd.mSeq) ? -ECHILD : 0;", to: "return 0;" },
  ],
};
