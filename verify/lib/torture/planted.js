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
  "contents read without the file's lock": [
    {
      file: "fs/rw.ts",
      from: "  lock(i.mutex);\n  let r = 0;\n  if (i.mode & I_DRIVER) {\n    r = i.sb.hooks & HOOK_READ",
      to: "  let r = 0;\n  if (i.mode & I_DRIVER) {\n    r = i.sb.hooks & HOOK_READ",
    },
    { file: "fs/rw.ts", from: "      r = n;\n    }\n  }\n  unlock(i.mutex);", to: "      r = n;\n    }\n  }" },
  ],
  "a rename that does not tell its directories": [
    {
      file: "fs/dmove.ts",
      from: "  writeSeqBegin(from.dirSeq);\n  if (to != from) writeSeqBegin(to.dirSeq);\n",
      to: "",
    },
    {
      file: "fs/dmove.ts",
      from: "  if (to != from) writeSeqEnd(to.dirSeq);\n  writeSeqEnd(from.dirSeq);\n",
      to: "",
    },
  ],
  "a dead dentry brought back": [
    { file: "mem/lockref.ts", from: "    if (<i64>v < 0) return false;\n", to: "" },
    {
      file: "mem/lockref.ts",
      from: "  if (n >= 0) atomic.store<u32>(p + 4, <u32>(n + 1));\n  unlock(p);\n  return n >= 0;",
      to: "  atomic.store<u32>(p + 4, <u32>(n + 1));\n  unlock(p);\n  return true;",
    },
  ],
};
