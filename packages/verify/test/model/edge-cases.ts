/**
 * Edge cases of the model that random calls hardly meet: calls, one after the other. Contexts as in model.test.ts: 0 the
 * superuser, 1 and 2 ordinary users (2 is in 1's group), 3 another superuser with a root and a working directory of its own.
 */
import {
  MNT_DETACH,
  OPENING,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  S_IFIFO,
  S_IFSOCK,
} from "../../../threadfs/dist/abi/abi.js";
import type { Call, CallOf, Result } from "../../dist/model/call.js";
import { bind, chmod, chown, link, mkdir, mount, open, symlink } from "../../dist/scenario/setup-calls.js";

const CREAT = 0x40;
const DIRECTORY = 0x10000;
const at = (ctx: number, call: Call): Call => ({ ...call, ctx });
const stat = (path: string, more: { nofollow?: boolean } = {}): Call => ({ call: "sysStat", path, ...more });
const rename = (path: string, path2: string, flags = 0): Call => ({ call: "sysRename", path, path2, flags });
const unlink = (path: string): CallOf<"sysUnlink"> => ({ call: "sysUnlink", path });
const rmdir = (path: string): Call => ({ ...unlink(path), removedir: true });
const chdir = (path: string): Call => ({ call: "sysChdir", path });
const access = (path: string, mode: number): Call => ({ call: "sysAccess", path, mode });
const umount = (path: string, flags = 0): Call => ({ call: "sysUmount", path, flags });
const getcwd: Call = { call: "sysGetcwd" };
const realpath = (path: string): Call => ({ call: "sysRealpath", path });
const touch = (path: string, mode = 0o644): Call => ({ ...open(path, CREAT), mode });

export interface EdgeCase {
  calls: Call[];
  /** Results that show that the case is reached: index of the call, its result. */
  met: [call: number, result: Result][];
}

export const EDGE_CASES: Record<string, EdgeCase> = {
  // Fails when positions in a directory are compared: in the core the name that the rename looks up takes one, too.
  "a directory that was read can be read again, whatever the number of its position is": {
    calls: [
      mkdir("/a"),
      mkdir("/b"),
      rename("/b", "/a/b", RENAME_NOREPLACE),
      open("/a", DIRECTORY),
      { call: "sysGetdents", fd: 3 },
      { call: "sysLseek", fd: 3, offset: 3, whence: 1 },
      { call: "sysGetdents", fd: 3 },
    ],
    met: [
      [2, 0],
      [3, 3],
    ],
  },
  // Fails when the model takes a FIFO for a file with contents: the call only opens it, and waits.
  "a FIFO is opened by a call that reads or writes a whole file, and a socket is refused": {
    calls: [
      { call: "sysMknod", path: "/p", mode: S_IFIFO | 0o644 },
      { call: "sysMknod", path: "/s", mode: S_IFSOCK | 0o644 },
      { call: "sysReadFile", path: "/s" },
      { call: "sysWriteFile", path: "/s", append: false, data: "x" },
      { call: "sysReadFile", path: "/p" },
      { call: "sysWriteFile", path: "/p", append: true, data: "x" },
    ],
    met: [
      [2, "ENXIO"],
      [3, "ENXIO"],
      [4, 3 - OPENING],
      [5, { opened: 4 }],
    ],
  },
  "nothing can be made in a directory that is removed": {
    calls: [
      mkdir("/a"),
      mkdir("/a/gone"),
      touch("/f"),
      at(3, chdir("/a/gone")),
      at(3, open(".", DIRECTORY)),
      rmdir("/a/gone"),
      at(3, rename("/f", "x")),
      at(3, link("/f", "x")),
      at(3, mkdir("x")),
      at(3, touch("x")),
      at(3, symlink("b", "x")),
      at(3, stat(".")),
      at(3, stat("x")),
      at(3, getcwd),
      at(3, { call: "sysGetdents", fd: 3 }),
      at(3, rmdir("../gone")),
      at(3, rename("../a", "x")),
    ],
    met: [
      [6, "ENOENT"],
      [7, "ENOENT"],
      [8, "ENOENT"],
      [9, "ENOENT"],
      [13, "ENOENT"],
      [14, "ENOENT"],
    ],
  },
  "a directory without write permission does not move to another": {
    calls: [
      chmod("/", 0o777),
      at(1, mkdir("/a")),
      at(1, mkdir("/b")),
      at(1, mkdir("/a/q", 0o555)),
      at(1, mkdir("/b/r")),
      at(1, rename("/a/q", "/b/q")),
      at(1, rename("/b/r", "/a/q", RENAME_EXCHANGE)),
      at(1, rename("/a/q", "/a/p")),
      rename("/a/p", "/b/q"),
    ],
    met: [
      [5, "EACCES"],
      [6, "EACCES"],
      [7, 0],
      [8, 0],
    ],
  },
  "no path leads up out of the part of a bind mount that was moved away": {
    calls: [
      ...["/a", "/a/b", "/a/b/x", "/a/b/x/y", "/n"].map((path) => mkdir(path)),
      bind("/a/b", "/n"),
      at(3, chdir("/n/x/y")),
      at(3, stat("../..")),
      rename("/a/b/x", "/a/x"),
      at(3, stat("..")),
      at(3, stat("../..")),
      at(3, realpath(".")),
      at(3, getcwd),
      umount("/n"),
      umount("/n", MNT_DETACH),
      at(3, stat(".")),
      at(3, getcwd),
    ],
    met: [
      [9, "ENOENT"],
      [13, "EBUSY"],
      [14, 0],
    ],
  },
  "a slash at the end of a link's body demands a directory": {
    calls: [
      touch("/f"),
      mkdir("/d"),
      symlink("f/", "/l"),
      symlink("d/", "/m"),
      symlink("x/", "/n"),
      stat("/l"),
      stat("/l", { nofollow: true }),
      stat("/m"),
      touch("/n"),
      touch("/l"),
      { ...link("/l", "/k"), follow: true },
      unlink("/l/"),
      rmdir("/m/"),
      rename("/m/", "/k"),
    ],
    met: [
      [5, "ENOTDIR"],
      [8, "EISDIR"],
    ],
  },
  "a bind mount takes noexec from its source, and is read-only by itself": {
    calls: [
      mkdir("/m"),
      mkdir("/n"),
      mkdir("/r"),
      { ...mount("/m"), noexec: true },
      touch("/m/f", 0o777),
      bind("/m", "/n"),
      { ...bind("/m", "/r"), readonly: true },
      access("/n/f", 1),
      access("/r/f", 1),
      access("/r/f", 2),
      access("/m/f", 2),
      touch("/r/g"),
      chmod("/r/f", 0),
      unlink("/r/f"),
      rename("/m/f", "/n/f"),
      link("/m/f", "/n/g"),
    ],
    met: [
      [7, "EACCES"],
      [9, "EROFS"],
      [11, "EROFS"],
      [14, "EXDEV"],
    ],
  },
  "in a sticky directory a user removes only files of his own, and the owner of the directory removes any": {
    calls: [
      mkdir("/t"),
      chmod("/t", 0o1777),
      at(1, touch("/t/mine")),
      at(1, touch("/t/other")),
      at(2, unlink("/t/mine")),
      at(2, rename("/t/mine", "/t/x")),
      at(1, unlink("/t/mine")),
      chown("/t", 2000),
      at(2, unlink("/t/other")),
    ],
    met: [
      [4, "EPERM"],
      [5, "EPERM"],
      [6, 0],
      [8, 0],
    ],
  },
  "a mount point is neither removed nor replaced, in any mount that shows it": {
    calls: [
      ...["/a", "/a/b", "/n", "/z"].map((path) => mkdir(path)),
      bind("/a", "/n"),
      mount("/a/b"),
      rmdir("/n/b"),
      rename("/n/b", "/n/c"),
      rename("/z", "/a/b"),
      rename("/a/b", "/z", RENAME_EXCHANGE),
      umount("/n/b"),
      umount("/a"),
      umount("/a/b"),
      rmdir("/n/b"),
    ],
    met: [
      [6, "EBUSY"],
      [7, "EBUSY"],
      [12, 0],
      [13, 0],
    ],
  },
};

/** The same for the kernel, with paths that do not leave the directory of the run. */
export const KERNEL_EDGE_CASES: Record<string, EdgeCase> = {
  "'..' of a directory that a rename replaced still leads to its old parent": {
    calls: [
      mkdir("p"),
      mkdir("q"),
      mkdir("p/a"),
      mkdir("q/b"),
      chdir("q/b"),
      rename("../../p/a", "../../q/b"),
      stat(".."),
      stat("../../q"),
      stat("."),
      getcwd,
    ],
    met: [[9, "ENOENT"]],
  },
  "nothing can be made in a directory that is removed": {
    calls: [
      mkdir("a"),
      touch("f"),
      mkdir("a/gone"),
      chdir("a/gone"),
      rmdir("../gone"),
      mkdir("x"),
      touch("x"),
      symlink("b", "x"),
      rename("../../f", "x"),
      link("../../f", "x"),
      stat("x"),
      stat(".."),
      getcwd,
    ],
    met: [
      [5, "ENOENT"],
      [8, "ENOENT"],
    ],
  },
  "a slash at the end of a link's body demands a directory": {
    calls: [
      touch("f"),
      mkdir("d"),
      symlink("f/", "l"),
      symlink("d/", "m"),
      symlink("x/", "n"),
      stat("l"),
      stat("m"),
      touch("n"),
      touch("l"),
      unlink("l/"),
      rmdir("m/"),
      rename("m/", "k"),
    ],
    met: [
      [5, "ENOTDIR"],
      [7, "EISDIR"],
    ],
  },
};
