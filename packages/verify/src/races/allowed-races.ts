/**
 * A plain access to shared memory that may race, with the reason. No other one may. An entry names the function of the source in which
 * the plain access is written, wherever it was inlined, the field, and a pair of operations in whose schedules it races: an entry that
 * is never met is an error.
 */
export interface Allowed {
  /** "core/vfs/walk/rcu-walk.ts rcuWalk" */
  func: string;
  /** As Namer.field() of trace.ts returns it. */
  field: string;
  why: string;
  /** The tree, with "+polls" where the next poll of the slots is near, and the names of two operations. */
  witness: [tree: string, one: string, other: string];
}

const CANDIDATE =
  "only leads to a candidate, whose sequence, parent and name are loaded atomically and checked; after a miss dLookupRcu() looks the name up again";
const UNLOCKED =
  "the bytes are thrown away when the contents sequence has moved since before the pointer to them was loaded";
const REUSED =
  "a permission check in rcu mode may still read the list that was in this memory before: it throws away what it finds, because the inode's sequence has moved";

const CLOSED =
  "a walk that has found the file open before throws the path away, because the descriptor does not mean the file, or the file has been opened again";

export const ALLOWED: Allowed[] = [
  ...["mnt", "dentry"].flatMap((field): Allowed[] => [
    {
      func: "core/vfs/file/file.ts fputSpare",
      field: `file .${field}`,
      why: CLOSED,
      witness: ["small", "openat: sysOpen(path=e/g flags=1 mode=420 dirfd=3)", "close: sysClose(fd=3)"],
    },
    {
      func: "core/vfs/file/file.ts fileSetPath",
      field: `file .${field}`,
      why: CLOSED,
      witness: [
        "small",
        "openat: sysOpen(path=e/g flags=1 mode=420 dirfd=3)",
        "reopen: sysClose(fd=3); sysOpen(path=/o flags=65536 mode=420)",
      ],
    },
  ]),
  {
    func: "core/vfs/walk/rcu-walk.ts rcuWalk",
    field: "bucket",
    why: CANDIDATE,
    witness: ["small", "stat: sysStat(path=/d)", "rename: sysRename(path=/d path2=/o/d flags=0)"],
  },
  {
    func: "core/vfs/walk/rcu-walk.ts rcuWalk",
    field: "dentry .hashLen",
    why: CANDIDATE,
    witness: ["small", "stat: sysStat(path=/d)", "rename: sysRename(path=/d path2=/o/d flags=0)"],
  },
  {
    func: "core/vfs/walk/rcu-walk.ts rcuWalk",
    field: "dentry .next",
    why: CANDIDATE,
    witness: ["small", "stat: sysStat(path=/d)", "rename: sysRename(path=/d path2=/o/d flags=0)"],
  },
  ...["G_HASH_MASK", "G_HASH_N"].map(
    (field): Allowed => ({
      func: "core/vfs/walk/rcu-walk.ts rcuWalk",
      field,
      why: CANDIDATE,
      witness: ["split", "stat: sysStat(path=/d/e)", "create: sysOpen(path=/d/x flags=65 mode=420)"],
    }),
  ),
  {
    func: "core/vfs/dcache/d-path.ts prependName",
    field: "dentry .name",
    why: "the path is thrown away when the sequence of the dentry, or the rename sequence, has moved since before the name was read",
    witness: ["small", "rename: sysRename(path=/d/e path2=/o/e flags=0)", "realpath: sysRealpath(path=/l/e/g)"],
  },
  {
    func: "core/vfs/acl/entries.ts newAcl",
    field: "48-byte block",
    why: REUSED,
    witness: [
      "acls",
      "access: sysAccess(path=/d/e mode=3 ctx=1)",
      'acl: sysSetacl(path=/d/e acl=[]); sysSetacl(path=/d/e acl=[{"t*136)',
    ],
  },
  {
    func: "core/fs/tmpfs/unlocked.ts dataReadUnlocked",
    field: "16-byte block",
    why: UNLOCKED,
    witness: ["small", "truncate: sysTruncate(path=/d/f size=1)", "read: sysRead(fd=4 offset=0 n=100)"],
  },
  {
    func: "core/fs/tmpfs/unlocked.ts dataReadUnlocked",
    field: "4096-byte block",
    why: UNLOCKED,
    witness: ["pages", "readFile: sysReadFile(path=/g)", "truncate: sysTruncate(path=/g size=10)"],
  },
];
