/**
 * Plain accesses to shared memory that may race, each with its reason. Nothing else may. An entry names a function of the source
 * (where the plain access is written, not into what it was inlined), the field that it touches, and a pair of operations in whose
 * schedules it does: an entry that is never met is an error.
 *
 * @typedef {object} Allowed
 * @property {string} func "core/vfs/walk/rcu-walk.ts rcuWalk"
 * @property {string} field as Namer.field() of trace.js has it
 * @property {string} why
 * @property {[string, string, string]} witness tree, with "+polls" where the next look at the slots is near, and the names of two operations
 */

const CANDIDATE =
  "only leads to a candidate, whose sequence, parent and name are loaded atomically and checked; a miss is looked for again by dLookupRcu()";
const ESTIMATE = "an estimate of how many there are: it decides whether to tidy up now or later, and nothing else";

/** @type {Allowed[]} */
export const ALLOWED = [
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
  ...["G_HASH_MASK", "G_HASH_N"].map((field) => ({
    func: "core/vfs/walk/rcu-walk.ts rcuWalk",
    field,
    why: CANDIDATE,
    witness: /** @type {[string, string, string]} */ ([
      "split",
      "stat: sysStat(path=/d/e)",
      "create: sysOpen(path=/d/x flags=65 mode=420)",
    ]),
  })),
  {
    func: "core/mem/smr/smr.ts rcuPoll",
    field: "G_RCU_COUNT",
    why: ESTIMATE,
    witness: ["mounts+polls", "remove: sysUnlink(path=/m/s removedir=true)", "umount: sysUmount(path=/b flags=0)"],
  },
  {
    func: "core/vfs/dcache/dcache.ts dAllocCommon",
    field: "G_LRU_COUNT",
    why: ESTIMATE,
    witness: ["driver", "stat: sysStat(path=/m/f)", "create: sysOpen(path=/m/x flags=65 mode=420)"],
  },
  {
    func: "core/vfs/dcache/dcache.ts shrinkDcache",
    field: "G_LRU_COUNT",
    why: ESTIMATE,
    witness: ["driver", "stat: sysStat(path=/m/f)", "shrink: shrink(count=100)"],
  },
  {
    func: "core/vfs/dcache/d-path.ts prependPath",
    field: "dentry .name",
    why: "the path is thrown away when the rename sequence has moved since before its first name was read",
    witness: ["small", "rename: sysRename(path=/d/e path2=/o/e flags=0)", "realpath: sysRealpath(path=/l/e/g)"],
  },
];
