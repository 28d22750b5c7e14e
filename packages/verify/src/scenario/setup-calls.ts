/** Calls that make trees and are made on them: names, users and access lists that several trees have. */
import {
  ACL_GROUP_OBJ,
  ACL_MASK,
  ACL_OTHER,
  ACL_USER,
  ACL_USER_OBJ,
  O_CREAT,
  O_RDWR,
  UTIME_OMIT,
} from "../../../threadfs/dist/abi/abi.js";
import type { AclEntry } from "../model/acl.js";
import type { Call, CallOf } from "../model/call.js";
import type { Propagation } from "../model/linux/propagation.js";
import type { ContextOptions } from "../model/sequential.js";

/** Names that are stored outside of a dentry, and the longest name inside of one. */
export const LONG = "n".repeat(200);
export const LONG2 = `${"n".repeat(199)}m`;
export const MIDDLE = "x".repeat(40);
export const INLINE = "y".repeat(32);

/** Links whose paths are long enough for the prefix cache, and another one. */
export const UPWARD = "/packages/link-to-the-store-of-all";
export const ROOTED = "/link-to-the-package-by-the-root";
export const OTHERWISE = "/packages/o";
/** A link to "/t/e" in the directory where a walk starts. */
export const JUMP = "link-to-a-target-in-the-root";
/** A directory behind a mount point. */
export const MOUNTED = "/m/directory-of-the-mount-here";

/** Directories in each other. */
export const FIRST = "/aaaaaaaa";
export const SECOND = `${FIRST}/bbbbbbbb`;
export const THIRD = `${SECOND}/cccccccc`;

export const mkdir = (path: string, mode = 0o755, ctx = 0): CallOf<"sysMkdir"> => ({
  call: "sysMkdir",
  path,
  mode,
  ctx,
});
export const symlink = (target: string, path2: string, ctx = 0): CallOf<"sysSymlink"> => ({
  call: "sysSymlink",
  target,
  path2,
  ctx,
});
export const link = (path: string, path2: string, ctx = 0): CallOf<"sysLink"> => ({
  call: "sysLink",
  path,
  path2,
  ctx,
});
/** Sets a link's time of access, in seconds. */
export const accessed = (path: string, sec: number): CallOf<"sysUtimens"> => ({
  call: "sysUtimens",
  path,
  nofollow: true,
  atime: { sec, nsec: 0 },
  mtime: { sec: 0, nsec: UTIME_OMIT },
});
export const chmod = (path: string, mode: number, ctx = 0): CallOf<"sysChmod"> => ({
  call: "sysChmod",
  path,
  mode,
  ctx,
});
export const chown = (path: string, uid: number, gid = uid, ctx = 0): CallOf<"sysChown"> => ({
  call: "sysChown",
  path,
  uid,
  gid,
  ctx,
});
export const open = (path: string, flags: number, ctx = 0): CallOf<"sysOpen"> => ({
  call: "sysOpen",
  path,
  flags,
  mode: 0o644,
  ctx,
});
export const setacl = (path: string, acl: AclEntry[], ctx = 0): CallOf<"sysSetacl"> => ({
  call: "sysSetacl",
  path,
  acl,
  ctx,
});
export const mount = (path: string): CallOf<"sysMountNew"> => ({ call: "sysMountNew", path });
export const bind = (path: string, path2: string): CallOf<"sysMount"> => ({
  call: "sysMount",
  path,
  path2,
  bind: true,
});
/** Changes how a mount shares what is mounted in it. */
export const propagate = (path2: string, propagation: Propagation, recursive = false): CallOf<"sysMount"> => ({
  ...{ call: "sysMount", path: "/", path2, propagation, recursive },
});
export const close = (fd: number): CallOf<"sysClose"> => ({ call: "sysClose", fd });
/** A file with contents; descriptor 3 must be free. */
export const file = (path: string, data = ""): Call[] => [
  open(path, O_CREAT | O_RDWR),
  ...(data === "" ? [] : [{ call: "sysWrite" as const, fd: 3, data }]),
  close(3),
];

export const USER: ContextOptions = { uid: 1000, gid: 1000 };
export const OTHER: ContextOptions = { uid: 2000, gid: 2000, groups: [1000] };

/** Every user but OTHER may search. */
export const WITHOUT_OTHER: AclEntry[] = [
  { tag: ACL_USER_OBJ, perm: 7, id: 0 },
  { tag: ACL_USER, perm: 0, id: 2000 },
  { tag: ACL_GROUP_OBJ, perm: 5, id: 0 },
  { tag: ACL_MASK, perm: 5, id: 0 },
  { tag: ACL_OTHER, perm: 5, id: 0 },
];

/** OTHER may search, and no user but the owner beside it. */
export const ONLY_OTHER: AclEntry[] = [
  { tag: ACL_USER_OBJ, perm: 7, id: 0 },
  { tag: ACL_USER, perm: 1, id: 2000 },
  { tag: ACL_GROUP_OBJ, perm: 0, id: 0 },
  { tag: ACL_MASK, perm: 5, id: 0 },
  { tag: ACL_OTHER, perm: 0, id: 0 },
];

/** Two files, open in two contexts; in context 0 one of them twice. */
export const LOCK_FILES: Call[] = [
  ...file("/f", "one"),
  ...file("/g"),
  open("/f", O_RDWR),
  open("/g", O_RDWR),
  open("/f", O_RDWR),
  open("/f", O_RDWR, 1),
  open("/g", O_RDWR, 1),
];
