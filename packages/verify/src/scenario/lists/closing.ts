/** The operations on the tree whose contexts other threads close: every call that a context takes, most of them once by path and once by descriptor. */
import {
  ACL_GROUP_OBJ,
  ACL_OTHER,
  ACL_USER_OBJ,
  O_CREAT,
  O_EXCL,
  O_RDWR,
  O_TRUNC,
  UTIME_OMIT,
} from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall } from "../../model/call.js";

/** Descriptors of the user's context: of root's file, of its own, of its directory. */
const ROOTS = 3;
const MINE = 4;
const DIR = 5;
const MODE = 0o604;
const TIMES = { atime: { sec: 0, nsec: UTIME_OMIT }, mtime: { sec: 5, nsec: 0 } };
const ACL = [
  { tag: ACL_USER_OBJ, perm: 6, id: 0 },
  { tag: ACL_GROUP_OBJ, perm: 4, id: 0 },
  { tag: ACL_OTHER, perm: 0, id: 0 },
];

/** Calls of the user. Those on root's file must be refused, also while the context is closed. */
const USERS: Record<string, ProgramCall[]> = {
  stat: [
    { call: "sysStat", path: "/d/l" },
    { call: "sysStat", path: "mine" },
    { call: "sysStat", path: "e", dirfd: DIR },
    { call: "sysFstat", fd: MINE },
    { call: "sysAccess", path: "/root", mode: 2 },
    { call: "sysReadlink", path: "l" },
    { call: "sysRealpath", path: "l" },
    { call: "sysGetcwd" },
  ],
  place: [
    { call: "sysChdir", path: "e" },
    { call: "sysUmask", mask: 0o77 },
  ],
  open: [
    { call: "sysOpen", path: "/d/mine", flags: O_RDWR },
    { call: "sysOpen", path: "/d/mine", flags: O_RDWR, any: true },
    { call: "sysOpen", path: "/root", flags: O_RDWR },
    { call: "sysOpen", path: "/root", flags: O_RDWR | O_TRUNC },
    { call: "sysOpen", path: "x", flags: O_CREAT | O_EXCL, mode: 0o644 },
    // It takes its descriptors without a walk, which would find the context closed.
    { call: "sysPipe", flags: 0 },
  ],
  create: [
    { call: "sysMkdir", path: "/d/x", mode: 0o755 },
    { call: "sysMkdir", path: "/n/x", mode: 0o755 },
    { call: "sysSymlink", target: "t", path2: "x" },
    { call: "sysLink", path: "mine", path2: "x" },
  ],
  remove: [
    { call: "sysUnlink", path: "mine" },
    { call: "sysUnlink", path: "/root" },
    { call: "sysUnlink", path: "e", removedir: true },
  ],
  rename: [
    { call: "sysRename", path: "mine", path2: "e/m" },
    { call: "sysRename", path: "mine", path2: "/root" },
  ],
  change: [
    { call: "sysFchmod", fd: ROOTS, mode: MODE },
    { call: "sysFchmod", fd: MINE, mode: MODE },
    { call: "sysChmod", path: "/root", mode: MODE },
    { call: "sysChmod", path: "mine", mode: MODE },
    { call: "sysFchown", fd: ROOTS, uid: 1000, gid: 1000 },
    { call: "sysChown", path: "/root", uid: 1000, gid: 1000 },
    { call: "sysFutimens", fd: ROOTS, ...TIMES },
    { call: "sysFutimens", fd: MINE, ...TIMES },
    { call: "sysUtimens", path: "/root", ...TIMES },
    { call: "sysSetacl", path: "/root", acl: ACL },
    { call: "sysSetacl", path: "mine", acl: ACL },
    { call: "sysTruncate", path: "/root", size: 1 },
    { call: "sysFtruncate", fd: MINE, size: 1 },
  ],
  contents: [
    { call: "sysRead", fd: MINE, offset: 0, n: 10 },
    { call: "sysRead", fd: ROOTS, n: 3 },
    { call: "sysWrite", fd: MINE, data: "more" },
    { call: "sysLseek", fd: MINE, offset: 1, whence: 0 },
    { call: "sysGetdents", fd: DIR },
    { call: "sysFsync", fd: MINE },
    { call: "sysClose", fd: MINE },
  ],
  destroy: [{ call: "contextDestroy" }],
};

/** Calls of the superuser. */
const SUPERUSERS: Record<string, ProgramCall[]> = {
  mount: [
    { call: "sysMountNew", path: "/n" },
    { call: "sysMount", path: "/d", path2: "/n", bind: true },
  ],
  chroot: [{ call: "sysChroot", path: "/d" }],
  chmod: [{ call: "sysFchmod", fd: 3, mode: MODE }],
  destroy: [{ call: "contextDestroy" }],
};

/** The same calls, made by a context. */
export const inContext = (ctx: number, kinds: Record<string, ProgramCall[]>): Record<string, ProgramCall[]> =>
  Object.fromEntries(Object.entries(kinds).map(([kind, calls]) => [kind, calls.map((call) => ({ ...call, ctx }))]));

const [users, superusers] = [inContext(1, USERS), inContext(2, SUPERUSERS)];

export const CLOSING: Record<string, ProgramCall[]> = {
  ...users,
  ...superusers,
  destroy: [...(users.destroy ?? []), ...(superusers.destroy ?? [])],
};
