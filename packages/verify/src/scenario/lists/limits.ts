/** A file system in memory that is nearly full: three pages of which two are taken, five inodes of which four are. */
import { MNT_DETACH, O_CREAT, O_DIRECTORY, O_EXCL, O_RDWR, O_TMPFILE_BIT } from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall } from "../../model/call.js";
import { close, rename, rmdir, umount, unlink, write } from "../calls.js";
import { link, mkdir, open, symlink } from "../setup-calls.js";

const PAGE = 4096;
const setxattr = (name: string, n: number): ProgramCall => ({
  ...{ call: "sysSetxattr", path: "/m/a", name, value: "x".repeat(n) },
});

/** Descriptor 3 is of "/m/a", which is "/m/h" too, 4 of "/m/b", each with a page. */
export const LIMITED: Record<string, (ProgramCall | ProgramCall[])[]> = {
  write: [
    write(3, "three", PAGE),
    write(4, "four", PAGE),
    write(4, "w".repeat(2 * PAGE), PAGE),
    [write(3, "again", PAGE), write(4, "or here", PAGE)],
  ],
  create: [open("/m/x", O_CREAT | O_EXCL), [mkdir("/m/x"), mkdir("/m/y")], symlink("s".repeat(130), "/m/x")],
  link: [link("/m/b", "/m/x")],
  tmpfile: [open("/m", O_TMPFILE_BIT | O_DIRECTORY | O_RDWR)],
  unlink: [unlink("/m/h"), [unlink("/m/b"), close(4)], [mkdir("/m/x"), rmdir("/m/x")]],
  rename: [rename("/m/b", "/m/h")],
  truncate: [[{ call: "sysFtruncate", fd: 3, size: 0 }, write(4, "in its place", PAGE)]],
  allocate: [{ call: "sysFallocate", fd: 3, mode: 0, offset: PAGE, len: PAGE }],
  setxattr: [
    setxattr("user.a", 900),
    [setxattr("user.b", 10), { call: "sysRemovexattr", path: "/m/a", name: "user.b" }],
  ],
  remount: [
    { call: "sysRemount", path: "/m", size: 2 * PAGE },
    { call: "sysRemount", path: "/m", size: 4 * PAGE, inodes: 4 },
  ],
  umount: [umount("/m", MNT_DETACH)],
};
