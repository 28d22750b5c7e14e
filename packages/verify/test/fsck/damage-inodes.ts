/** Damage to inodes, their attributes, ACLs and contents. */
import * as L from "../../dist/arena/layout.js";
import type { Damage, MemoryEditor } from "./damaged-tree.js";

const { DENTRY, INODE, SUPER } = L;

/** The driver's link, whose text is kept, and its super block. */
const keptLink = (w: MemoryEditor) => w.get(w.child(w.driverRoot, "b") + DENTRY.inode);
const superOf = (w: MemoryEditor) => w.get(keptLink(w) + INODE.sb);

export const INODE_DAMAGE: readonly Damage[] = [
  // Inodes.
  ["an inode's i_mutex held", "lock", (w) => w.set(w.i("/dir/file") + INODE.mutex, 1)],
  [
    "an inode's i_mutex held by a thread that waits for those that have it shared",
    "lock",
    (w) => w.set(w.i("/dir") + INODE.mutex, L.SHARED | 1),
  ],
  ["an inode's i_lock held", "lock", (w) => w.set(w.i("/dir/file") + INODE.lock, 1)],
  ["an inode's sequence odd", "sequence", (w) => w.add(w.i("/dir/file") + INODE.seq, 1)],
  ["an inode's count", "inode-count", (w) => w.add(w.i("/dir/file") + INODE.count, 1)],
  ["an inode's super block", "inode-sb", (w) => w.add(w.i("/dir/file") + INODE.sb, 256)],
  ["the links of a file", "nlink", (w) => w.add(w.i("/dir/file") + INODE.nlink, 1)],
  ["the links of a directory", "nlink", (w) => w.add(w.i("/dir") + INODE.nlink, -1)],
  ["the size of a directory", "dir-size", (w) => w.add(w.i("/dir") + INODE.size, 20)],
  ["I_DEAD", "inode-mode", (w) => w.flip(w.i("/dir") + INODE.mode, L.I_DEAD)],
  ["I_LINKABLE", "inode-mode", (w) => w.flip(w.i("/dir/file") + INODE.mode, L.I_LINKABLE)],
  ["I_DRIVER", "inode-mode", (w) => w.flip(w.i("/dir") + INODE.mode, L.I_DRIVER)],
  ["an inode without a type", "inode-mode", (w) => w.flip(w.i("/dir") + INODE.mode, L.S_IFDIR)],
  ["a directory that does not know its dentry", "alias", (w) => w.set(w.i("/dir") + INODE.alias, 0)],
  ["a file that knows its dentry", "alias", (w) => w.set(w.i("/dir/file") + INODE.alias, w.d("/dir/file"))],
  ["an inode without its dentry", "leak", (w) => w.set(w.d("/dir/plain") + DENTRY.inode, w.i("/dir/big"))],
  ["I_XATTR without an attribute", "xattr", (w) => w.flip(w.i("/dir/plain") + INODE.mode, L.I_XATTR)],
  ["an attribute without I_XATTR", "leak", (w) => w.flip(w.i("/dir/file") + INODE.mode, L.I_XATTR)],
  ["the length of an attribute's name", "xattr", (w) => w.set(w.get(w.i("/dir") + INODE.shape) + 8, 256)],
  ["attributes in another order", "xattr", (w) => w.set(w.get(w.i("/dir/file") + INODE.ino64) + 20, 0x7a)],
  [
    "an attribute with a block too many",
    "xattr",
    (w) => {
      const [a, b] = [w.get(w.i("/dir/file") + INODE.ino64), w.get(w.i("/dir") + INODE.shape)];
      w.set(a, b);
    },
  ],
  ["an ACL without its flag", "acl", (w) => w.flip(w.i("/dir/plain") + INODE.mode, L.I_ACL)],
  ["an ACL's number of entries", "acl", (w) => w.set(w.get(w.i("/dir/plain") + INODE.acl), 3)],
  ["an ACL's permissions", "acl", (w) => w.set(w.get(w.i("/dir/plain") + INODE.acl) + 8, 0x90001)],
  ["an ACL of another size", "owner", (w) => w.set(w.get(w.i("/dir/plain") + INODE.acl), 100)],
  ["a default ACL's number of entries", "acl", (w) => w.set(w.get(w.i("/dir/other") + INODE.data), 2)],
  ["a default ACL lost", "leak", (w) => w.set(w.i("/dir/other") + INODE.data, 0)],
  [
    "a default ACL that another directory has too",
    "owner",
    (w) => w.set(w.i("/dir") + INODE.data, w.get(w.i("/dir/other") + INODE.data)),
  ],
  [
    "a driver's inode lost from the table",
    "inode-table",
    (w) => {
      for (let b = 0; b < L.INODE_HASH; b++) w.set(L.INODE_HEADS + b * 4, 0);
    },
  ],
  [
    "a driver's inode in the wrong chain",
    "inode-table",
    (w) => w.flip(w.get(w.driverRoot + DENTRY.inode) + INODE.ino64 + 4, 1 << 20),
  ],
  // Contents.
  ["the number of pages", "pages", (w) => w.add(w.i("/dir/big") + INODE.pages, 1)],
  ["I_SPARSE", "sparse", (w) => w.flip(w.i("/dir/big") + INODE.mode, L.I_SPARSE)],
  ["a byte behind a small file", "behind-end", (w) => w.byte(w.get(w.i("/dir/file") + INODE.data) + 12, 1)],
  ["a byte behind a big file", "behind-end", (w) => w.byte(w.get(w.get(w.i("/dir/big") + INODE.data) + 8) + 4000, 1)],
  ["a page behind the end", "behind-end", (w) => w.set(w.i("/dir/big") + INODE.size, 8000)],
  [
    "one page twice",
    "owner",
    (w) => {
      const node = w.get(w.i("/dir/big") + INODE.data);
      w.set(node + 4, w.get(node));
    },
  ],
  ["a page lost", "leak", (w) => w.set(w.get(w.i("/dir/big") + INODE.data) + 4, 0)],
  ["the shape of contents", "inode-data", (w) => w.set(w.i("/dir/big") + INODE.shape, (L.RADIX | 9) >>> 0)],
  ["the size of a block", "inode-data", (w) => w.set(w.i("/dir/file") + INODE.shape, 24)],
  ["the room of a block", "owner", (w) => w.set(w.i("/dir/file") + INODE.shape, 32)],
  ["a size below zero", "file-size", (w) => w.set(w.i("/dir/file") + INODE.size + 4, 0xffffffff)],
  ["a link's body lost", "owner", (w) => w.set(w.i("/dir/link") + INODE.data, 0)],
  ["a link's body without an end", "link-body", (w) => w.byte(w.get(w.i("/dir/link") + INODE.data) + 4, 0x61)],
  ["a link's size", "link-body", (w) => w.set(w.i("/dir/link") + INODE.size, 0)],
  ["a driver's link with a body without an end", "link-body", (w) => w.add(keptLink(w) + INODE.shape, -1)],
  ["a driver's link with the length of no body", "link-body", (w) => w.set(keptLink(w) + INODE.data, 0)],
  [
    "a driver's kept text that no driver keeps",
    "link-body",
    (w) => w.flip(superOf(w) + SUPER.fsFlags, L.FS_CACHE_LINKS),
  ],
];
