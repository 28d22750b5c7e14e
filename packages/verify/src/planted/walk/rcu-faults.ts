/** Faults in what a walk decides in rcu mode: ACLs, hooks of drivers, generation numbers. */
import { fsck, pair, type Step, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const PERMISSION = "vfs/walk/permission.ts";
const DROP = "vfs/walk/drop.ts";
const DENTRY = "vfs/dcache/dentry.ts";
const PREFIX = "vfs/walk/prefix-cache.ts";
const PREFIX_LINKS = "vfs/walk/prefix-links.ts";
/** One thread looks a file up before and after it finds the new place of a directory above, which another thread moves. */
const MOVED_WHILE_SEEN =
  "prefixes@rename: sysRename(path=/aaaaaaaa path2=/moved flags=0) || looks: sysStat(path=/aaa*36); sysStat(path=/moved)";
const generation = (pattern: string): Step => tests("fs/generation", pattern);

export const IN_RCU: Mutant[] = [
  {
    name: "a change of a directory is not counted",
    edits: [{ file: DENTRY, from: "if (type == D_DIRECTORY || type == D_SYMLINK)", to: "if (type == D_SYMLINK)" }],
    caughtBy: [pair("prefixes@stat || rename"), tests("walk/prefix/entries", "is counted")],
  },
  {
    name: "a change of a directory is counted before its sequence is odd",
    edits: [
      {
        file: DENTRY,
        from: "  writeSeqBegin(d.seq);\n  const type = d.flags & D_TYPE;\n  if (type == D_DIRECTORY || type == D_SYMLINK) countDirChange();\n",
        to: "  if ((d.flags & D_TYPE) == D_DIRECTORY) countDirChange();\n  writeSeqBegin(d.seq);\n",
      },
    ],
    caughtBy: [pair(MOVED_WHILE_SEEN, { bound: 2 })],
  },
  {
    name: "a walk counts the directories that it has seen as seen later",
    edits: [
      {
        file: PREFIX,
        from: "        store<u32>(e, changes, CHANGES);\n        return e;",
        to: "        store<u32>(e, atomic.load<u32>(G_DIR_CHANGES), CHANGES);\n        return e;",
      },
    ],
    caughtBy: [pair("prefixes@counted || looks: sysStat(path=/aaa*36); sysStat(path=/moved)", { bound: 2 })],
  },
  {
    name: "a new entry counts the directories that it has seen as seen later",
    edits: [
      {
        file: PREFIX,
        from: "  store<u32>(e, changes, CHANGES);\n  store<u32>(e, inode, INODE);",
        to: "  store<u32>(e, atomic.load<u32>(G_DIR_CHANGES), CHANGES);\n  store<u32>(e, inode, INODE);",
      },
    ],
    caughtBy: [pair("prefixes@rename: sysRename(path=/aaaaaaaa path2=/moved flags=0) || looks: sysStat(path=//")],
  },
  {
    name: "a mount on a directory is not counted",
    edits: [{ file: "vfs/mount/namespace.ts", from: "  countDirChange();\n", to: "" }],
    caughtBy: [tests("walk/prefix/cache", "mounted over")],
  },
  {
    name: "an ACL is read after the sequence was checked under which the owner was read",
    edits: [
      {
        file: PERMISSION,
        from: "mode & I_DRIVER ? -EAGAIN : posixAclPermission(c, i.acl, mask);",
        to: "-EAGAIN;",
      },
      {
        file: PERMISSION,
        from: "  if (rcu && !(i.sb.hooks & HOOK.RCU_CHECK_ACL)) return -ECHILD;\n",
        to: "  if (!(loadAttrMode & I_DRIVER)) return posixAclPermission(c, i.acl, mask);\n  if (rcu && !(i.sb.hooks & HOOK.RCU_CHECK_ACL)) return -ECHILD;\n",
      },
    ],
    caughtBy: [pair("acls@given: sysChown(path=/d/e/f || sysAccess(path=/d/e/f")],
  },
  {
    name: "a directory with an ACL is open to all whom its mode lets in",
    edits: [
      {
        file: "vfs/dcache/dcache.ts",
        from: "!(mode & (I_ACL | I_OP_PERMISSION))",
        to: "!(mode & I_OP_PERMISSION)",
      },
    ],
    caughtBy: [tests("walk/acl-rcu", "excludes one user"), fsck()],
  },
  {
    name: "a directory has another owner, and its dentry the same sequence",
    edits: [
      { file: "vfs/inode/attr.ts", from: "  const alias = modeChangeBegin(i);\n", to: "" },
      { file: "vfs/inode/attr.ts", from: "  modeChangeEnd(i, alias);\n", to: "" },
    ],
    caughtBy: [tests("walk/acl-rcu", "moves its dentry's sequence")],
  },
  {
    name: "what one context may search, every context of the thread may",
    edits: [
      {
        file: "vfs/walk/rcu-walk.ts",
        from: "            if (load<f64>(known, 8) == nd.ctxNumber) isKnown =",
        to: "            isKnown =",
      },
    ],
    caughtBy: [tests("walk/acl-rcu", "not kept for others")],
  },
  {
    name: "what a context might search once, it may for ever",
    edits: [
      {
        file: "vfs/walk/rcu-walk.ts",
        from: "if (load<u64>(known) == (((<u64>p) << 32) | (childState & 0xffffffff))) {",
        to: "if (load<u64>(known) >> 32 == <u64>p) {",
      },
    ],
    caughtBy: [tests("walk/acl-rcu", "searched before")],
  },
  {
    name: "a hook is called in rcu mode that is not for that",
    edits: [
      { file: PERMISSION, from: "    if (rcu && !(i.sb.hooks & HOOK.RCU_PERMISSION)) return -ECHILD;\n", to: "" },
    ],
    caughtBy: [tests("walk/permission", "row 33:")],
  },
  {
    name: "a driver is asked in rcu mode about the node of another moment",
    edits: [
      {
        file: "fs/driver/hooks.ts",
        from: "  if (readSeqRetry(d.seq, seq)) return -ECHILD;\n",
        to: "",
      },
    ],
    caughtBy: [tests("fs/rcu-hooks", "bug 20:")],
  },
  {
    name: "a dentry is good under the number that its driver has come to while its hook ran",
    edits: [
      {
        file: DROP,
        from: "  const generation = d.sb.generation;\n  const r = driverRevalidate(d, parent, flags);\n",
        to: "  const r = driverRevalidate(d, parent, flags);\n  const generation = d.sb.generation;\n",
      },
    ],
    caughtBy: [generation("takes back")],
  },
  {
    name: "a verdict on one name makes another one good",
    edits: [
      {
        file: DROP,
        from: "  if (!(seq & 1) && atomic.load<u32>(d.seq) == seq && d.generation < generation)",
        to: "  if (d.generation < generation)",
      },
    ],
    caughtBy: [generation("another name meanwhile")],
  },
  {
    name: "an entry is good whatever generation it is of",
    edits: [
      {
        file: "vfs/dcache/dentry.ts",
        from: "  return d.generation == sb.generation;\n",
        to: "  return d.generation <= sb.generation;\n",
      },
    ],
    caughtBy: [generation("asked about once")],
  },
  {
    name: "an entry of the prefix cache for one context is used by another",
    edits: [
      {
        file: PREFIX_LINKS,
        from: "  if (flags & PRIVATE && load<f64>(at, CONTEXT) != nd.ctxNumber) {",
        to: "  if (false) {",
      },
    ],
    caughtBy: [pair("private@looks || looks"), tests("walk/prefix/private", "one context")],
  },
  {
    name: "an entry of the prefix cache is good by a count that was loaded before its root was the context's",
    edits: [{ file: PREFIX_LINKS, from: "      now = atomic.load<u32>(G_DIR_CHANGES);\n", to: "" }],
    caughtBy: [pair("roots@stat || chroot")],
  },
  {
    name: "an entry of the prefix cache does not ask who may search its directories",
    edits: [
      {
        file: PREFIX_LINKS,
        from: " || !maySearch(nd, <u32>d.at, <u32>(link >> 32), <u32>inode.at)) return false;",
        to: ") return false;",
      },
    ],
    caughtBy: [tests("walk/prefix/private", "no entry")],
  },
  {
    name: "an entry of the prefix cache has a directory whose driver decides who may search it",
    edits: [{ file: PREFIX_LINKS, from: "!inode || inode.mode & I_DRIVER || ", to: "!inode || " }],
    caughtBy: [tests("walk/prefix/cache", "a driver decides")],
  },
  {
    name: "an entry of the prefix cache with a generation number lives by the count of changes",
    edits: [{ file: PREFIX_LINKS, from: "  gatheredFlags |= GENERATION;\n", to: "" }],
    caughtBy: [pair("numbered@invalidate || looks"), generation("until the number moves")],
  },
  {
    name: "a walk counts the links that it has seen as seen later",
    edits: [
      {
        file: PREFIX,
        from: "    if (changes != NEVER) store<u32>(e, foundChanges, CHANGES);\n",
        to: "    if (changes != NEVER) store<u32>(e, atomic.load<u32>(G_DIR_CHANGES), CHANGES);\n",
      },
    ],
    caughtBy: [pair("linked@counted || looks", { bound: 2 })],
  },
  {
    name: "a new entry with links counts them as seen later",
    edits: [
      {
        file: PREFIX,
        from: "prefixLinksCounted ? changes : NEVER",
        to: "prefixLinksCounted ? atomic.load<u32>(G_DIR_CHANGES) : NEVER",
      },
    ],
    caughtBy: [pair("linked@rename || looks")],
  },
  {
    name: "an entry of the prefix cache has no generation number",
    edits: [
      {
        file: PREFIX_LINKS,
        from: "  return !prefixLinksLater && addGeneration(sb, d.generation);\n",
        to: "  return !prefixLinksLater;\n",
      },
    ],
    caughtBy: [pair("numbered@invalidate || looks"), generation("until the number moves")],
  },
  {
    name: "an entry of the prefix cache has half of a generation number",
    edits: [
      {
        file: PREFIX_LINKS,
        from: "  return addOther(at, <u32>generation) && addOther(at + 4, <u32>(generation >> 32));\n",
        to: "  return addOther(at, <u32>generation);\n",
      },
    ],
    caughtBy: [generation("until the number moves")],
  },
  {
    name: "the prefix cache takes in a name about which its driver was not asked",
    edits: [
      {
        file: PREFIX_LINKS,
        from: "  prefixLinksLater = !isCurrent(d, sb);\n",
        to: "",
      },
      {
        file: PREFIX_LINKS,
        from: "  return !prefixLinksLater && addGeneration(sb, d.generation);\n",
        to: "  return addGeneration(sb, sb.generation);\n",
      },
    ],
    caughtBy: [generation("was not asked about")],
  },
  {
    name: "a path that begins in a driver has no entry of the prefix cache",
    edits: [
      {
        file: PREFIX,
        from: "    if (walked ? !prefixCacheFill(start, path) : ",
        to: "    if (walked ? prefixCacheFill(start, path) && false : ",
      },
    ],
    caughtBy: [generation("begin in the driver")],
  },
  {
    name: "parts of a path whose directory has an entry of the prefix cache take entries too",
    edits: [{ file: PREFIX, from: "  if (nd.state & ND_PREFIX) return;\n", to: "" }],
    caughtBy: [tests("walk/prefix/entries", "no part takes another one")],
  },
  {
    name: "a prefix is only taken in if it misses twice in a row in its set",
    edits: [{ file: PREFIX, from: "      else if (!takeWay(first, tag, tags)) return;\n", to: "      else return;\n" }],
    caughtBy: [tests("walk/prefix/entries", "walks in turn, also")],
  },
  {
    name: "a stale entry of the prefix cache keeps its way",
    edits: [{ file: PREFIX, from: "      if (e != 0) store<u16>(e, 0, LEN);\n", to: "      if (e != 0) return;\n" }],
    caughtBy: [tests("walk/prefix/entries", "walks in turn, also")],
  },
  {
    name: "entries of the prefix cache that nobody asks for stay",
    edits: [{ file: PREFIX, from: "      if (--evictIn != 0) return false;\n", to: "      return false;\n" }],
    caughtBy: [tests("walk/prefix/entries", "take the place of others")],
  },
];
