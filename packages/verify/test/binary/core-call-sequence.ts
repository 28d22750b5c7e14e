/**
 * A long sequence of calls that reaches most of the core, over threads of packages/verify/src/binary/core.ts. Each call's result is
 * kept with what it left in the scratch area, so that two runs can be compared.
 */
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  CLONE_NEWNS,
  F_GETLK,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_RDLCK,
  F_SETLK,
  F_UNLCK,
  F_WRLCK,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  MNT_DETACH,
  MNT_EXPIRE,
  MS_BIND,
  MS_MOVE,
  MS_RDONLY,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  O_DIRECTORY,
  O_NONBLOCK,
  OPENING,
  RENAME_EXCHANGE,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFCHR,
  S_IFIFO,
  SEEK_DATA,
  SEEK_HOLE,
} from "../../../threadfs/dist/abi/abi.js";
import type { CallName, Thread } from "../../dist/binary/core.js";

const O_RDWR_CREAT = 2 | 64;
const LONG = `long-${"n".repeat(100)}`;

/** Calls an export of the core. */
export type Call = (name: CallName, ...args: number[]) => number;

/** What a step left: its label, its result, the attributes and the text in the scratch area. */
export type Left = [label: string, value: number, stat: string, text: string];

/** The steps in order: a label, and a function that makes the call. */
function* steps(thread: Thread, call: Call): Generator<[label: string, step: () => number], void, void> {
  const one = (name: CallName, path: string, ...args: number[]) => call(name, 0, AT_FDCWD, thread.path(path), ...args);
  const two = (name: CallName, from: string, to: string, ...args: number[]) => {
    const [length, length2] = [thread.path(from), thread.path2(to)];
    return call(name, 0, AT_FDCWD, length, AT_FDCWD, length2, ...args);
  };
  const create = (path: string) => {
    const fd = one("sysOpen", path, O_RDWR_CREAT, 0o644);
    return fd < 0 ? fd : call("sysClose", 0, fd);
  };
  yield ["follow", () => call("changesFollow", 0, 0)];
  yield ["mkdir", () => one("sysMkdir", "/d", 0o755)];
  yield ["mkdir below", () => one("sysMkdir", "/d/e", 0o755)];
  yield ["mkdir again", () => one("sysMkdir", "/d/e", 0o755)];
  for (let i = 0; i < 40; i++) yield [`create ${i}`, () => create(`/d/file-${i}`)];
  yield ["create long", () => create(`/d/${LONG}`)];
  yield ["symlink", () => call("sysSymlink", 0, thread.path("/d/file-1"), AT_FDCWD, thread.path2("/d/link"))];
  yield ["symlink to directory", () => call("sysSymlink", 0, thread.path("e/.."), AT_FDCWD, thread.path2("/d/up"))];
  yield ["access", () => one("sysAccess", "/d/file-3", 4, 0)];
  yield ["access of none", () => one("sysAccess", "/d/none", 4, 0)];
  yield ["access below a file", () => one("sysAccess", "/d/file-3/x", 4, 0)];
  yield ["stat", () => one("sysStat", "/d/link", 0)];
  yield ["lstat", () => one("sysStat", "/d/link", AT_SYMLINK_NOFOLLOW)];
  yield ["stat long", () => one("sysStat", `/d/up/../d/./${LONG}`, 0)];
  yield ["statx", () => one("sysStatx", "/d/link", 0)];
  yield* replays(one, call);
  yield ["realpath", () => one("sysRealpath", "/d/up/link")];
  yield ["readlink", () => one("sysReadlink", "/d/up")];
  yield ["link", () => two("sysLink", "/d/file-2", "/d/e/two", 0)];
  yield ["rename", () => two("sysRename", "/d/file-4", "/d/e/four", 0)];
  yield ["rename over", () => two("sysRename", "/d/file-5", "/d/file-6", 0)];
  yield ["exchange", () => two("sysRename", "/d/file-7", "/d/e/four", RENAME_EXCHANGE)];
  yield ["rename into itself", () => two("sysRename", "/d", "/d/e/d", 0)];
  yield ["chmod", () => one("sysChmod", "/d/file-8", 0o600, 0)];
  yield ["chown", () => one("sysChown", "/d/file-8", 5, 6, 0)];
  yield ["utimens", () => one("sysUtimens", "/d/file-8", 1, 2, 3, 4, 0)];
  const fd = one("sysOpen", "/d/file-9", O_RDWR_CREAT, 0);
  yield ["open", () => fd];
  yield ["write", () => call("sysWrite", 0, fd, -1, thread.put("a word or two"))];
  yield ["write pages", () => call("sysWrite", 0, fd, 5000, thread.put(new Uint8Array(20000).fill(7)))];
  yield ["lseek", () => call("sysLseek", 0, fd, 4990, 0)];
  yield ["read", () => call("sysRead", 0, fd, -1, 100)];
  yield ["fstat", () => call("sysFstat", 0, fd)];
  yield ["ftruncate", () => call("sysFtruncate", 0, fd, 100)];
  yield ["truncate", () => one("sysTruncate", "/d/file-9", 9000)];
  yield ["fchmod", () => call("sysFchmod", 0, fd, 0o640)];
  yield* fileLocks(call, fd);
  yield* ranges(call, fd);
  yield ["close", () => call("sysClose", 0, fd)];
  yield ["close again", () => call("sysClose", 0, fd)];
  const dir = one("sysOpen", "/d", O_DIRECTORY, 0);
  yield ["flags of a file", () => call("sysFileFlags", 0, fd, -1)];
  yield ["poll of a file", () => call("sysPoll", 0, fd, 5)];
  yield ["getdents", () => call("sysGetdents", 0, dir, 0, -1)];
  yield ["getdents at the end", () => call("sysGetdents", 0, dir, 0, -1)];
  yield ["openat", () => call("sysStat", 0, dir, thread.path("e/two"), 0)];
  yield* openat2(thread, call, dir);
  yield ["close directory", () => call("sysClose", 0, dir)];
  yield* wholeFiles(thread, one);
  yield* xattrs(thread, call);
  yield* pipes(thread, call, one);
  yield ["copy of the arena", () => call("arenaCopy", 0, 0)];
  yield ["setacl", () => one("sysSetacl", "/d/file-10", acl(thread))];
  yield ["getacl", () => one("sysGetacl", "/d/file-10")];
  const user = call("contextCreate", 0, 1000, 1000, 0o22, 0, 0, 0);
  yield ["contextCreate", () => user];
  yield ["access as a user", () => call("sysAccess", user, AT_FDCWD, thread.path("/d/file-8"), 4, 0)];
  yield ["access by an ACL", () => call("sysAccess", user, AT_FDCWD, thread.path("/d/file-10"), 4, 0)];
  yield ["mkdir as a user", () => call("sysMkdir", user, AT_FDCWD, thread.path("/d/u"), 0o755)];
  yield ["chdir", () => call("sysChdir", user, AT_FDCWD, thread.path("/d/e"))];
  yield ["getcwd", () => call("sysGetcwd", user)];
  yield* contexts(thread, call, user);
  yield ["relative", () => call("sysStat", user, AT_FDCWD, thread.path("../file-11"), 0)];
  yield* mounts(thread, call, one, create);
  yield ["ref mode", () => call("walkMode", 1)];
  yield ["stat in ref mode", () => one("sysStat", "/d/up/e/../link", 0)];
  yield ["rcu mode", () => call("walkMode", 0)];
  for (let i = 0; i < 40; i++) yield [`unlink ${i}`, () => one("sysUnlink", `/d/file-${i}`, 0)];
  yield ["rmdir of a full one", () => one("sysUnlink", "/d", AT_REMOVEDIR)];
  yield ["contextDestroy", () => call("contextDestroy", user)];
  yield ["shrink", () => call("shrink", 0, 1000)];
  yield ["synchronize", () => call("synchronizeRcu")];
  yield ["counters", () => call("sumCounters", 0)];
}

/** What a replay calls. */
function* replays(
  one: (name: CallName, path: string, ...args: number[]) => number,
  call: Call,
): Generator<[label: string, step: () => number], void, void> {
  yield ["walk as stat", () => one("sysWalk", "/d/up/link", 0, -1, 0)];
  yield ["walk as access, beneath", () => one("sysWalk", "/d/up/link", 0, 4, RESOLVE_BENEATH)];
  yield ["walk with a bad mode", () => one("sysWalk", "/d", 0, 8, 0)];
  yield ["resume", () => call("threadResume")];
  yield ["share twice", () => call("threadShare", 0, 1)];
}

/** Opens that stay below a directory, and one that would leave it. */
function* openat2(thread: Thread, call: Call, dir: number): Generator<[label: string, step: () => number], void, void> {
  const open = (path: string, flags: number, resolve: number) => () => {
    const fd = call("sysOpenat2", 0, dir, thread.path(path), flags, 0, resolve);
    return fd < 0 ? fd : call("sysClose", 0, fd);
  };
  yield ["openat2 beneath", open("e/../e/two", 0, RESOLVE_BENEATH)];
  yield ["openat2 out", open("e/../..", 0, RESOLVE_BENEATH)];
  yield ["openat2 in root", open("/../link", 0, RESOLVE_IN_ROOT)];
  yield ["openat2 without links", open("up", 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV)];
  yield ["openat2 of the cache", open("e", 0, RESOLVE_CACHED)];
  yield ["openat2 with a wrong flag", open("e", 4, 0)];
}

/** Mounts: made, bound, moved, ended. */
function* mounts(
  thread: Thread,
  call: Call,
  one: (name: CallName, path: string, ...args: number[]) => number,
  create: (path: string) => number,
): Generator<[label: string, step: () => number], void, void> {
  yield ["mount", () => call("sysMountNew", 0, thread.path("/d/e"), 0, 0)];
  yield ["create in mount", () => create("/d/e/in")];
  yield ["stat over mount", () => one("sysStat", "/d/e/in", 0)];
  yield ["out of mount", () => one("sysStat", "/d/e/../file-12", 0)];
  yield ["mkdir for bind", () => one("sysMkdir", "/b", 0o755)];
  yield ["mkdir for move", () => one("sysMkdir", "/m", 0o755)];
  yield ["bind", () => call("sysMount", 0, thread.path("/d"), thread.path2("/b"), MS_BIND)];
  yield ["move", () => call("sysMount", 0, thread.path("/d/e"), thread.path2("/m"), MS_MOVE)];
  yield ["stat through bind", () => one("sysStat", "/b/file-13", 0)];
  yield ["list", () => call("sysMounts", 0, 0)];
  yield ["remount", () => call("sysRemount", 0, thread.path("/b"), -1, -1, MS_BIND | MS_RDONLY, MS_RDONLY)];
  yield ["recursive bind", () => call("sysMount", 0, thread.path("/"), thread.path2("/d/e"), MS_BIND | MS_REC)];
  yield ["umount tree", () => call("sysUmount", 0, thread.path("/d/e"), MNT_DETACH)];
  yield ["pivot_root", () => call("sysPivotRoot", 0, thread.path("/b"), thread.path2("/b"))];
  yield ["expire", () => call("sysUmount", 0, thread.path("/b"), MNT_EXPIRE)];
  yield ["share", () => call("sysMount", 0, thread.path("/"), thread.path2("/m"), MS_SHARED)];
  yield ["bind shared", () => call("sysMount", 0, thread.path("/m"), thread.path2("/d/e"), MS_BIND)];
  yield ["enslave", () => call("sysMount", 0, thread.path("/"), thread.path2("/d/e"), MS_SLAVE)];
  yield ["place in shared", () => one("sysMkdir", "/m/shared", 0o755)];
  yield ["mount in shared", () => call("sysMountNew", 0, thread.path("/m/shared"), 0, 0)];
  yield ["umount in shared", () => call("sysUmount", 0, thread.path("/m/shared"), 0)];
  yield ["umount slave", () => call("sysUmount", 0, thread.path("/d/e"), 0)];
  yield ["no generation number", () => call("sysInvalidate", 0, thread.path("/m"))];
  yield ["umount bind", () => call("sysUmount", 0, thread.path("/b"), 0)];
  yield ["umount moved", () => call("sysUmount", 0, thread.path("/m"), MNT_DETACH)];
}

/** What a context may do, and what ends it. */
function* contexts(
  thread: Thread,
  call: Call,
  user: number,
): Generator<[label: string, step: () => number], void, void> {
  yield ["umask", () => call("sysUmask", user, -1)];
  yield ["a context of a context", () => call("contextCreate", user, 0, 0, 0, 0, -1, 1)];
  yield ["chroot refused", () => call("sysChroot", user, AT_FDCWD, thread.path("/d"))];
  const own = call("contextCreate", 0, 0, 0, 0o22, -1, -1, 0, CLONE_NEWNS);
  yield ["a mount in its own namespace", () => call("sysMountNew", own, thread.path("/d/e"), 0, 0)];
  yield ["its end", () => call("contextDestroy", own)];
  const confined = call("contextCreate", 0, 1000, 1000, 0o22, -1, 0, 1);
  yield ["a confined context", () => call("sysChdir", confined, AT_FDCWD, thread.path("/d/e"))];
  yield ["out of it", () => call("sysStat", confined, AT_FDCWD, thread.path("../../.."), 0)];
  yield ["kept", () => call("contextKeep", confined)];
  yield ["attached", () => call("contextAttach", confined)];
  yield ["listed", () => call("contextList", 0, 1)];
  yield ["closed by another", () => call("contextClose", 0, confined)];
  yield ["no such thread", () => call("threadDied", 0, 200)];
  yield ["threadNumber", () => call("threadNumber")];
}

/** Files and directories, each in one call. */
function* wholeFiles(
  thread: Thread,
  one: (name: CallName, path: string, ...args: number[]) => number,
): Generator<[label: string, step: () => number], void, void> {
  yield ["read whole", () => one("sysReadFile", "/d/file-9", 4096)];
  yield ["write whole", () => one("sysWriteFile", "/d/whole", 0, 0o644, thread.put("contents of a file"))];
  yield ["append whole", () => one("sysWriteFile", "/d/whole", 1, 0o644, thread.put(", and more"))];
  yield ["scandir", () => one("sysScandir", "/d")];
}

/** Advisory locks: granted, split, joined, in the way of each other. */
function* fileLocks(call: Call, fd: number): Generator<[label: string, step: () => number], void, void> {
  const range = (cmd: number, type: number, start: number, length: number) =>
    call("sysFcntlLock", 0, fd, cmd, type, 0, start, length);
  yield ["flock", () => call("sysFlock", 0, fd, LOCK_SH)];
  yield ["flock exclusively", () => call("sysFlock", 0, fd, LOCK_EX | LOCK_NB)];
  yield ["request for flock", () => call("lockRequest", 0, fd, LOCK_SH)];
  yield ["flock away", () => call("sysFlock", 0, fd, LOCK_UN)];
  yield ["lock a range", () => range(F_SETLK, F_WRLCK, 0, 100)];
  yield ["split the range", () => range(F_SETLK, F_UNLCK, 40, 10)];
  yield ["another type in it", () => range(F_SETLK, F_RDLCK, 10, 10)];
  yield ["of the description", () => range(F_OFD_SETLK, F_WRLCK, 60, 10)];
  yield ["who has it", () => range(F_GETLK, F_WRLCK, 0, 100)];
  yield ["who has it, of the description", () => range(F_OFD_GETLK, F_WRLCK, 0, 100)];
  const request = call("lockRequestRange", 0, fd, F_OFD_SETLKW, F_WRLCK, 0, 0, 5);
  yield ["wait for a range", () => Math.sign(request)];
  yield ["ask again", () => Math.sign(call("lockRetry", 0, request))];
  yield ["give up", () => call("lockCancel", request)];
  yield ["unlock the range", () => range(F_SETLK, F_UNLCK, 0, 0)];
  yield ["unlock that of the description", () => range(F_OFD_SETLK, F_UNLCK, 0, 0)];
}

/** Room and holes, and copies between files. */
function* ranges(call: Call, fd: number): Generator<[label: string, step: () => number], void, void> {
  yield ["allocate", () => call("sysFallocate", 0, fd, 0, 9000, 30_000)];
  yield ["punch a hole", () => call("sysFallocate", 0, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10_000, 20_000)];
  yield ["the hole", () => call("sysLseek", 0, fd, 0, SEEK_HOLE)];
  yield ["the data behind it", () => call("sysLseek", 0, fd, 12_288, SEEK_DATA)];
  yield ["copy a range", () => call("sysCopyFileRange", 0, fd, 0, fd, 40_000, 5000)];
}

/** Extended attributes. */
function* xattrs(thread: Thread, call: Call): Generator<[label: string, step: () => number], void, void> {
  const named = (name: CallName, attribute: string, ...args: number[]) =>
    call(name, 0, AT_FDCWD, thread.path("/d/whole"), thread.path2(attribute), ...args);
  yield ["setxattr", () => named("sysSetxattr", "user.one", thread.put("a value"), 0, 0)];
  yield ["setxattr of another", () => named("sysSetxattr", "user.other", thread.put("v".repeat(300)), 0, 0)];
  yield ["setxattr again", () => named("sysSetxattr", "user.one", thread.put("a longer value"), 0, 0)];
  yield ["getxattr", () => named("sysGetxattr", "user.one", 0)];
  yield ["getxattr of none", () => named("sysGetxattr", "user.none", 0)];
  yield ["listxattr", () => call("sysListxattr", 0, AT_FDCWD, thread.path("/d/whole"), 0)];
  yield ["removexattr", () => named("sysRemovexattr", "user.other", 0)];
}

/** A pipe and a FIFO: ends opened, counted, filled, emptied, resized, closed. */
function* pipes(
  thread: Thread,
  call: Call,
  one: (name: CallName, path: string, ...args: number[]) => number,
): Generator<[label: string, step: () => number], void, void> {
  const both = call("sysPipe", 0, O_NONBLOCK);
  const [from, to] = [both & 0xffff, both >>> 16];
  const write = (fd: number, bytes: number) => call("sysWrite", 0, fd, -1, thread.put(new Uint8Array(bytes).fill(7)));
  const read = (fd: number, bytes: number) => call("sysRead", 0, fd, -1, bytes);
  yield ["pipe", () => both];
  yield ["write to a pipe", () => write(to, 5000)];
  yield ["write to its last page", () => write(to, 100)];
  yield ["read a part", () => read(from, 3000)];
  yield ["the size", () => call("sysPipeSize", 0, from, -1)];
  yield ["a smaller size", () => call("sysPipeSize", 0, to, 8192)];
  yield ["write what there is room for", () => write(to, 10_000)];
  yield ["write to a full pipe", () => write(to, 10)];
  yield ["what was left", () => Math.sign(call("pipeLeft"))];
  for (let i = 0; i < 4; i++) yield [`read ${i}`, () => read(from, 4000)];
  yield ["close an end", () => call("sysClose", 0, from)];
  yield ["write without a reader", () => write(to, 10)];
  yield ["close the other", () => call("sysClose", 0, to)];
  yield ["mkfifo", () => one("sysMknod", "/d/fifo", S_IFIFO | 0o644, 0)];
  yield ["mknod of a device", () => one("sysMknod", "/d/device", S_IFCHR | 0o600, 0x103)];
  yield ["open of a device", () => one("sysOpen", "/d/device", 0, 0)];
  const opening = OPENING - one("sysOpen", "/d/fifo", 0, 0);
  yield ["an open that waits", () => opening];
  const writer = one("sysOpen", "/d/fifo", 1 | O_NONBLOCK, 0);
  yield ["the other end", () => writer];
  yield ["goes on", () => call("sysFifoWait", 0, opening)];
  yield ["write to it", () => write(writer, 30)];
  yield ["read from it", () => call("sysReadDirect", 0, opening, -1, 0)];
  for (const fd of [opening, writer]) yield [`close ${fd}`, () => call("sysClose", 0, fd)];
  const given = OPENING - one("sysOpen", "/d/fifo", 0, 0);
  yield ["given up", () => call("sysFifoCancel", 0, given)];
  yield ["unlink it", () => one("sysUnlink", "/d/fifo", 0)];
}

/** Puts an ACL of five entries into the scratch area; returns their number. */
function acl(thread: Thread): number {
  const entries: [tag: number, perm: number, id: number][] = [
    [1, 6, -1],
    [2, 4, 7],
    [4, 4, -1],
    [16, 6, -1],
    [32, 4, -1],
  ];
  const view = new DataView(thread.memory.buffer, thread.io.byteOffset, 8 * entries.length);
  for (const [i, [tag, perm, id]] of entries.entries()) {
    view.setUint16(8 * i, tag, true);
    view.setUint16(8 * i + 2, perm, true);
    view.setInt32(8 * i + 4, id, true);
  }
  return entries.length;
}

/**
 * Makes all the calls.
 * @param call how to call an export
 * @param after called at the end of each step
 */
export function runScript(
  thread: Thread,
  call: Call = (name, ...args) => thread.call(name, ...args),
  after: (label: string) => void = () => undefined,
): Left[] {
  const out: Left[] = [];
  for (const [label, step] of steps(thread, call)) {
    const value = step();
    out.push([label, value, Buffer.from(thread.stat.slice().buffer).toString("base64"), thread.text(512)]);
    after(label);
  }
  return out;
}
