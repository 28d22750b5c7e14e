/** Operations that Linux has and `node:fs` has not. */
import {
  ACL_GROUP_OBJ,
  ACL_OTHER,
  ACL_USER_OBJ,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDWR,
  O_TMPFILE_BIT,
  O_WRONLY,
  S_IFIFO,
} from "../../../../threadfs/dist/abi/abi.js";
import type { AclEntry } from "../../model/acl.js";
import type { ProgramCall, ResultReference } from "../../model/call.js";
import { access, rename, rmdir, stat, unlink } from "../calls.js";
import { chmod, mkdir, open, setacl, symlink, WITHOUT_OTHER } from "../setup-calls.js";

const linkat = (dirfd: number | ResultReference, path2: string): ProgramCall => ({
  ...{ call: "sysLink", dirfd, path: "", empty: true, path2 },
});

/** On the small tree, where descriptor 4 is of "/d/f": a file gets a name by its descriptor, once it has none. */
export const NAMELESS: Record<string, ProgramCall[][]> = {
  linkat: [[linkat(4, "/o/x")]],
  tmpfile: [[open("/d", O_TMPFILE_BIT | O_DIRECTORY | O_RDWR), linkat({ of: 0 }, "/d/x")]],
};

const fallocate = (fd: number, mode: number, offset: number, len: number): ProgramCall => ({
  ...{ call: "sysFallocate", fd, mode, offset, len },
});
const PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

/** On the tree of contents at the edge of their shape, where descriptor 3 is of 15 pages, and 4 of a block. */
export const RANGES: Record<string, ProgramCall[]> = {
  punch: [fallocate(3, PUNCH, 5000, 10_000), fallocate(4, PUNCH, 0, 4096), fallocate(4, PUNCH, 10, 100)],
  allocate: [fallocate(3, 0, 61_000, 5000), fallocate(4, 0, 0, 10), fallocate(4, FALLOC_FL_KEEP_SIZE, 0, 5000)],
  copy: [
    { call: "sysCopyFileRange", fd: 4, offset: 3990, fd2: 3, offset2: 4090, len: 100 },
    { call: "sysCopyFileRange", fd: 3, fd2: 4, len: 5000 },
  ],
};

const setxattr = (path: string, name: string, value: string): ProgramCall => ({
  ...{ call: "sysSetxattr", path, name, value },
});

/** On the small tree. */
export const XATTRS: Record<string, (ProgramCall | ProgramCall[])[]> = {
  setxattr: [
    setxattr("/d/f", "user.a", "1"),
    setxattr("/d", "user.a", "2"),
    [setxattr("/d/f", "user.b", "3"), setxattr("/d/f", "user.b", "x".repeat(5000))],
  ],
  removexattr: [
    [setxattr("/d/f", "user.a", "4"), { call: "sysRemovexattr", path: "/d/f", name: "user.a" }],
    [setxattr("/f", "user.a", "5"), { call: "sysUnlink", path: "/f" }],
  ],
  getxattr: [
    { call: "sysGetxattr", path: "/d/f", name: "user.a" },
    { call: "sysListxattr", path: "/d/f" },
  ],
};

/** No more than mode bits: as a default ACL it is one nevertheless. */
const BASE: AclEntry[] = [
  { tag: ACL_USER_OBJ, perm: 7, id: 0 },
  { tag: ACL_GROUP_OBJ, perm: 5, id: 0 },
  { tag: ACL_OTHER, perm: 0, id: 0 },
];
const setDefault = (path: string, acl: AclEntry[]): ProgramCall => ({ ...setacl(path, acl), isDefault: true });
const getacl = (path: string, isDefault = false): ProgramCall => ({ call: "sysGetacl", path, isDefault });

/** On the tree of directories with default ACLs. */
export const DEFAULTS: Record<string, (ProgramCall | ProgramCall[])[]> = {
  create: [
    [open("/d/x", O_CREAT | O_EXCL | O_WRONLY), getacl("/d/x")],
    [mkdir("/d/e/x"), getacl("/d/e/x", true)],
    { call: "sysMknod", path: "/d/x", mode: S_IFIFO | 0o666 },
    symlink("f", "/d/x"),
  ],
  tmpfile: [
    [
      open("/d", O_TMPFILE_BIT | O_DIRECTORY | O_RDWR),
      { call: "sysLink", dirfd: { of: 0 }, path: "", empty: true, path2: "/d/x" },
    ],
  ],
  acl: [
    setDefault("/d", []),
    setDefault("/d", BASE),
    [setDefault("/d/e", WITHOUT_OTHER), getacl("/d/e", true)],
    setacl("/d/f", []),
    getacl("/d", true),
  ],
  chmod: [chmod("/d/f", 0o604), chmod("/d", 0o700)],
  access: [access("/d/f", 4, 1), stat("/d/e")],
  remove: [rmdir("/d/e"), unlink("/d/f")],
  rename: [rename("/f", "/d/f"), rename("/d/e", "/e")],
};
