/** Faults in walks over links in rcu mode, and in the entries of the prefix cache for paths over links. */
import { pair, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

export const LINKS: Mutant[] = [
  {
    name: "a link is followed in rcu mode though its dentry has changed",
    edits: [
      {
        file: "vfs/walk/step.ts",
        from: "    if (readSeqRetry(to.seq, nd.nextSeq)) return -ECHILD;\n    if (!inode) return -ENOENT;",
        to: "    if ((flags & D_TYPE) != D_SYMLINK && readSeqRetry(to.seq, nd.nextSeq)) return -ECHILD;\n    if (!inode) return -ENOENT;",
      },
      { file: "vfs/walk/link-body.ts", from: "from == 0 || readSeqRetry(seqAt, seq) || ", to: "from == 0 || " },
    ],
    caughtBy: [tests("regressions/known-bugs-trees", "some of them nested")],
  },
  {
    name: "the time of access of a link is not updated in rcu mode",
    edits: [{ file: "vfs/walk/step.ts", from: "if (atimeNeedsUpdateRcu(nd.pMnt, inode) || ", to: "if (" }],
    caughtBy: [tests("walk/links"), pair("linked@accessed || looks")],
  },
  {
    name: "the room of a finished link's body is not free for the next one",
    edits: [{ file: "vfs/walk/drop.ts", from: "    nd.bodies = load<u32>(e + 8);\n", to: "" }],
    caughtBy: [tests("walk/links")],
  },
  {
    name: "a body has more room than there is",
    edits: [
      {
        file: "vfs/walk/link-body.ts",
        from: "  if (end > scratch + S_LINK_BODIES + LINK_BODIES_SIZE) return false;\n",
        to: "",
      },
    ],
    caughtBy: [tests("walk/links", "do not fit together")],
  },
  {
    name: "an entry of the prefix cache does not notice that a link has changed",
    edits: [
      {
        file: "vfs/walk/prefix-links.ts",
        from: "    if (atomic.load<u32>(<usize>(<u32>link)) != <u32>(link >> 32)) return false;\n",
        to: "",
      },
    ],
    caughtBy: [pair("linked@again || stat"), tests("walk/prefix/links")],
  },
  {
    name: "a change of the dentry of a link is not counted",
    edits: [
      { file: "vfs/dcache/dentry.ts", from: "type == D_DIRECTORY || type == D_SYMLINK", to: "type == D_DIRECTORY" },
    ],
    caughtBy: [tests("walk/driver-links", "dentry was freed")],
  },
  {
    name: "a change of a link's times is not counted",
    edits: [{ file: "vfs/inode/inode.ts", from: "  if ((i.mode & S_IFMT) == S_IFLNK) countDirChange();\n", to: "" }],
    caughtBy: [tests("walk/prefix/links", "time of access")],
  },
  {
    name: "an entry of the prefix cache does not notice that a directory behind a link has changed",
    edits: [
      {
        file: "vfs/walk/prefix-links.ts",
        from: "    if (((atomic.load<u64>(<usize>(<u32>link)) & STATE_MASK) ^ (link >> 32)) != STATE) return false;\n",
        to: "",
      },
    ],
    caughtBy: [pair("linked@rename || stat"), tests("walk/prefix/links")],
  },
  {
    name: "an entry of the prefix cache does not notice that '..' leads elsewhere",
    edits: [
      {
        file: "vfs/walk/prefix-links.ts",
        from: "  return parent != d && isWhole(hereMnt) && addDir(nd, here) && goTo(nd, parent);",
        to: "  return parent != d && isWhole(hereMnt) && goTo(nd, parent);",
      },
    ],
    caughtBy: [tests("walk/prefix/links")],
  },
  {
    name: "an entry of the prefix cache for one root is used with another",
    edits: [
      {
        file: "vfs/walk/prefix-links.ts",
        from: "  if (load<u64>(at, ROOT) != rootKey(nd)) return false;\n",
        to: "",
      },
    ],
    caughtBy: [tests("walk/prefix/links", "one root only")],
  },
  {
    name: "an entry of the prefix cache over mounts is used after the mounts have changed",
    edits: [
      {
        file: "vfs/walk/prefix-links.ts",
        from: "  if (load<u32>(at, MOUNT_SEQ) != nd.mSeq || load<u32>(at, START_MOUNT)",
        to: "  if (load<u32>(at, START_MOUNT)",
      },
    ],
    caughtBy: [tests("walk/prefix/links", "over mounts")],
  },
  {
    name: "the links of an entry of the prefix cache do not count",
    edits: [{ file: "vfs/walk/prefix-links.ts", from: "  nd.links += links;\n", to: "" }],
    caughtBy: [tests("walk/prefix/links", "cached links count")],
  },
  {
    name: "an entry of the prefix cache uses the chain of another",
    edits: [
      {
        file: "vfs/walk/prefix-links.ts",
        from: "load<u64>(scratch + S_PREFIX_WRITTEN) - load<u64>(at, POSITION) <= prefixRingSize",
        to: "true",
      },
    ],
    caughtBy: [tests("walk/prefix/links", "overwritten by those of others")],
  },
  {
    name: "the kept body of a driver's link is there before its length",
    edits: [
      {
        file: "vfs/inode/link.ts",
        from: "    inode.shape = n;\n    linkBlock(inode.dataAt, body);\n",
        to: "    linkBlock(inode.dataAt, body);\n    inode.shape = n;\n",
      },
    ],
    caughtBy: [pair("kept@create || stat: sysStat(path=/m/l/g)")],
  },
  {
    name: "a second text of a driver's link replaces the kept one",
    edits: [{ file: "vfs/inode/link.ts", from: "const first = inode.data == 0;", to: "const first = true;" }],
    caughtBy: [tests("walk/driver-links", "the first text counts")],
  },
  {
    name: "the size of a driver's link is taken for the length of its kept body",
    edits: [
      {
        file: "vfs/inode/link.ts",
        from: "return inode.mode & I_DRIVER ? <i64>inode.shapeNow : inode.size;",
        to: "return inode.size;",
      },
    ],
    caughtBy: [tests("walk/driver-links", "the length of a kept text")],
  },
  {
    name: "the kept body of a driver's link does not go with its inode",
    edits: [
      {
        file: "vfs/recovery/reclaim.ts",
        from: "if (i.isLink || i.isDir) kfreeAt",
        to: "if ((i.isLink && i.sb.driver == 0) || i.isDir) kfreeAt",
      },
    ],
    caughtBy: [pair("kept@looks || shrink"), tests("walk/driver-links", "goes with its node")],
  },
  {
    name: "an error of readlink() in rcu mode only takes the walk out of it",
    edits: [
      { file: "vfs/walk/link-body.ts", from: "return n < 0 && rcuValid() ? n : -ECHILD;", to: "return -ECHILD;" },
    ],
    caughtBy: [tests("walk/driver-links", "an error that readlink")],
  },
];
