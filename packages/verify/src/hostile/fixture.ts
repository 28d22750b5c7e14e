/**
 * The tree that is damaged: it has objects of every kind, in use, retired and free, and every list has members. And the
 * operations that are then called on it, each of them once.
 */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  CLONE_NEWNS,
  DRIVER_OP,
  ERRNO,
  HOOK,
  MNT_DETACH,
  MS_BIND,
  MS_MOVE,
  MS_RDONLY,
  MS_REC,
  O_CREAT,
  O_DIRECTORY,
  O_NONBLOCK,
  O_RDWR,
  RENAME_EXCHANGE,
  S_IFDIR,
  S_IFIFO,
  S_IFREG,
  SCRATCH,
} from "../../../threadfs/dist/abi/abi.js";
import type { CallName, DriverCall, Thread } from "../binary/core.js";

const LONG = `a-name-that-lies-outside-${"of-the-dentry-".repeat(4)}`;

/** The hooks of a driver that has a file under every name that begins with "f", and a directory under "d". */
export function driverCall(thread: () => Thread): DriverCall {
  return (op, _driver, a, b) => {
    const view = new DataView(thread().memory.buffer, thread().scratch + SCRATCH.DRIVER, 1024);
    const answer = (ino: number, mode: number) => {
      view.setFloat64(0, ino, true);
      view.setFloat64(8, 10, true);
      view.setFloat64(16, 1000, true);
      view.setUint32(24, mode, true);
      view.setUint32(28, 0, true);
      view.setUint32(32, 0, true);
      view.setUint32(36, 1, true);
      return 0;
    };
    if (op === DRIVER_OP.ROOT) return answer(1, S_IFDIR | 0o755);
    if (op !== DRIVER_OP.LOOKUP) return op === DRIVER_OP.REVALIDATE ? 1 : -ERRNO.ENXIO;
    const name = Array.from({ length: Math.min(b, 16) }, (_, i) => view.getUint8(256 + i));
    if (name[0] === 102) return answer(a * 1000 + (name[1] ?? 0) + 2, S_IFREG | 0o644);
    if (name[0] === 100) return answer(a * 1000 + (name[1] ?? 0) + 500, S_IFDIR | 0o755);
    return -ERRNO.ENOENT;
  };
}

/** Calls with one path, and with two. */
const one = (t: Thread, name: CallName, path: string, ...args: number[]) =>
  t.call(name, 0, AT_FDCWD, t.path(path), ...args);
const two = (t: Thread, name: CallName, a: string, b: string, ...args: number[]) =>
  t.call(name, 0, AT_FDCWD, t.path(a), AT_FDCWD, t.path2(b), ...args);

function must(value: number, what: string): number {
  if (value < 0) throw new Error(`fixture: ${what} returned ${value}`);
  return value;
}

/** Makes a file; returns its descriptor. */
function file(t: Thread, path: string, bytes = 0, offset = 0): number {
  const fd = must(one(t, "sysOpen", path, O_RDWR | O_CREAT, 0o644), path);
  if (bytes > 0) must(t.call("sysWrite", 0, fd, offset, t.put(new Uint8Array(bytes).fill(7))), path);
  return fd;
}

/** Numbers that the operations need: a context, descriptors of a directory and of files, a driver. */
export interface State {
  ctx: number;
  dir: number;
  pages: number;
  /** A file that is unlinked. */
  gone: number;
  driver: number;
  /** A FIFO with three pages. */
  fifo: number;
}

/** Builds the tree. The thread is detached then. */
export function build(t: Thread): State {
  for (const dir of ["/d", "/d/e", "/d/e/deep", "/m", "/b", "/v", "/acl", "/empty"])
    must(one(t, "sysMkdir", dir, 0o755), dir);
  for (let i = 0; i < 24; i++) t.call("sysClose", 0, file(t, `/d/f${i}`, i * 40));
  for (const dir of ["/d", "/d/e"]) t.call("sysClose", 0, file(t, `${dir}/${LONG}`, 10));
  const pages = file(t, "/pages", 20000);
  t.call("sysClose", 0, file(t, "/sparse", 100, 5 * 2 ** 30));
  for (const [body, at] of [
    ["d/f1", "/l"],
    ["/d/e/..", "/up"],
    ["l", "/ll"],
  ] as const) {
    must(t.call("sysSymlink", 0, t.path(body), AT_FDCWD, t.path2(at)), at);
  }
  must(two(t, "sysLink", "/d/f2", "/d/e/two", 0), "link");
  must(t.call("sysMountNew", 0, t.path("/m"), 0, 0), "mount");
  must(one(t, "sysMkdir", "/m/n", 0o755), "mkdir");
  must(t.call("sysMountNew", 0, t.path("/m/n"), 0, 0), "mount");
  t.call("sysClose", 0, file(t, "/m/n/in", 10));
  must(t.call("sysMount", 0, t.path("/d"), t.path2("/b"), MS_BIND), "bind");
  const driver = must(t.call("driverRegister", 0, t.path("made-up"), HOOK.LOOKUP, 0), "driver");
  must(t.call("sysMountNew", 0, t.path("/v"), driver, 0), "mount of a driver");
  for (let i = 0; i < 20; i++) {
    one(t, "sysStat", `/v/f${String.fromCharCode(97 + i)}`, 0);
    one(t, "sysStat", `/v/n${i}`, 0);
    one(t, "sysStat", `/v/d${String.fromCharCode(97 + (i % 4))}/f${i}`, 0);
  }
  const acl: [tag: number, perm: number, id: number][] = [
    [1, 7, 0],
    [2, 5, 1000],
    [4, 5, 0],
    [16, 7, 0],
    [32, 5, 0],
  ];
  const entries = new DataView(t.io.buffer, t.io.byteOffset, acl.length * 8);
  acl.forEach(([tag, perm, id], i) => {
    entries.setUint16(i * 8, tag, true);
    entries.setUint16(i * 8 + 2, perm, true);
    entries.setUint32(i * 8 + 4, id, true);
  });
  must(one(t, "sysSetacl", "/acl", acl.length), "setacl");
  new Uint32Array(t.io.buffer, t.io.byteOffset, 3).set([5, 6, 7]);
  const ctx = must(t.call("contextCreate", 0, 1000, 1000, 0, 3, -1, 0, 0), "context");
  must(t.call("contextKeep", ctx), "context");
  must(t.call("sysChdir", ctx, AT_FDCWD, t.path("/d")), "chdir");
  const dir = must(one(t, "sysOpen", "/d", O_DIRECTORY, 0), "open");
  must(t.call("sysGetdents", 0, dir, 0, -1), "getdents");
  const gone = file(t, "/gone", 100);
  must(one(t, "sysUnlink", "/gone", 0), "unlink");
  for (let i = 0; i < 10; i++) t.call("sysClose", 0, file(t, `/d/gone${i}`, 50));
  for (let i = 0; i < 10; i++) must(one(t, "sysUnlink", `/d/gone${i}`, 0), "unlink");
  must(one(t, "sysMknod", "/fifo", S_IFIFO | 0o644, 0), "mkfifo");
  const fifo = must(one(t, "sysOpen", "/fifo", O_RDWR | O_NONBLOCK, 0), "fifo");
  must(t.call("sysWrite", 0, fifo, -1, t.put(new Uint8Array(9000))), "fifo");
  must(t.call("threadDetach"), "detach");
  return { ctx, dir, pages, gone, driver, fifo };
}

export type Operation = (t: Thread, s: State) => number;

/** Every call of the system-call table, by name. */
export const OPERATIONS: Record<string, Operation> = {
  stat: (t) => one(t, "sysStat", "/d/e/../f3", 0),
  "stat of a long name": (t) => one(t, "sysStat", `/b/e/${LONG}`, 0),
  "stat of nothing": (t) => one(t, "sysStat", "/d/e/deep/none", 0),
  "stat of a link": (t) => one(t, "sysStat", "/ll", 0),
  "stat over mounts": (t) => one(t, "sysStat", "/m/n/../n/../../b/e/../../up/f1", 0),
  "stat of a descriptor": (t, s) => t.call("sysStat", 0, s.dir, 0 * t.path(""), AT_EMPTY_PATH),
  "stat in ref mode": (t) => {
    t.call("walkMode", 1);
    const answer = one(t, "sysStat", "/b/e/../f3", 0);
    t.call("walkMode", 0);
    return answer;
  },
  "stat of a driver's file": (t) => one(t, "sysStat", "/v/da/fz", 0),
  "stat of a driver's nothing": (t) => one(t, "sysStat", "/v/nothing", 0),
  access: (t, s) => t.call("sysAccess", s.ctx, AT_FDCWD, t.path("/acl"), 5, 0),
  "access in a context": (t, s) => t.call("sysAccess", s.ctx, AT_FDCWD, t.path("e/deep"), 4, 0),
  fstat: (t, s) => t.call("sysFstat", 0, s.pages),
  realpath: (t) => one(t, "sysRealpath", "/m/n/in"),
  readlink: (t) => one(t, "sysReadlink", "/l"),
  getcwd: (t, s) => t.call("sysGetcwd", s.ctx),
  open: (t) => one(t, "sysOpen", "/d/f5", O_RDWR, 0),
  "open to make": (t) => one(t, "sysOpen", "/d/fresh", O_RDWR | O_CREAT, 0o644),
  close: (t, s) => t.call("sysClose", 0, s.gone),
  read: (t, s) => t.call("sysRead", 0, s.pages, 0, 65536),
  write: (t, s) => t.call("sysWrite", 0, s.pages, 1000, t.put(new Uint8Array(30000))),
  lseek: (t, s) => t.call("sysLseek", 0, s.pages, 10, 1),
  ftruncate: (t, s) => t.call("sysFtruncate", 0, s.pages, 5000),
  truncate: (t) => one(t, "sysTruncate", "/sparse", 100),
  getdents: (t, s) => t.call("sysGetdents", 0, s.dir, 0, -1),
  "getdents from the start": (t) => {
    const fd = one(t, "sysOpen", "/d", O_DIRECTORY, 0);
    return fd < 0 ? fd : t.call("sysGetdents", 0, fd, 0, -1);
  },
  "open of a FIFO": (t) => one(t, "sysOpen", "/fifo", O_RDWR, 0),
  "close of a FIFO": (t, s) => t.call("sysClose", 0, s.fifo),
  "read of a FIFO": (t, s) => t.call("sysRead", 0, s.fifo, -1, 8000),
  "write to a FIFO": (t, s) => t.call("sysWrite", 0, s.fifo, -1, t.put(new Uint8Array(30000))),
  pipe: (t) => t.call("sysPipe", 0, O_NONBLOCK),
  "size of a pipe": (t, s) => t.call("sysPipeSize", 0, s.fifo, 200_000),
  fsync: (t, s) => t.call("sysFsync", 0, s.pages),
  "flags of a file": (t, s) => t.call("sysFileFlags", 0, s.pages, 0o2000),
  poll: (t, s) => t.call("sysPoll", 0, s.fifo, 5),
  mkdir: (t) => one(t, "sysMkdir", "/d/new", 0o755),
  "mkdir of a long name": (t) => one(t, "sysMkdir", `/d/${LONG}2`, 0o755),
  mknod: (t) => one(t, "sysMknod", "/d/pipe", 0x1000 | 0o644, 0),
  "mknod of a device": (t) => one(t, "sysMknod", "/d/device", 0x2000 | 0o644, 0x103),
  rmdir: (t) => one(t, "sysUnlink", "/empty", AT_REMOVEDIR),
  unlink: (t) => one(t, "sysUnlink", "/d/f6", 0),
  "unlink of pages": (t) => one(t, "sysUnlink", "/pages", 0),
  "unlink of a driver's file": (t) => one(t, "sysUnlink", "/v/fa", 0),
  rename: (t) => two(t, "sysRename", "/d/f7", "/d/e/seven", 0),
  "rename over": (t) => two(t, "sysRename", "/d/f8", "/d/f9", 0),
  "rename of a directory": (t) => two(t, "sysRename", "/d/e", "/moved", 0),
  exchange: (t) => two(t, "sysRename", "/d/f10", "/acl", RENAME_EXCHANGE),
  link: (t) => two(t, "sysLink", "/d/f11", "/eleven", 0),
  symlink: (t) => t.call("sysSymlink", 0, t.path("body"), AT_FDCWD, t.path2("/d/sym")),
  chmod: (t) => one(t, "sysChmod", "/acl", 0o711, 0),
  fchmod: (t, s) => t.call("sysFchmod", 0, s.dir, 0o755),
  chown: (t) => one(t, "sysChown", "/d/f12", 1, 2, AT_SYMLINK_NOFOLLOW),
  fchown: (t, s) => t.call("sysFchown", 0, s.pages, 3, 4),
  utimens: (t) => one(t, "sysUtimens", "/d/f13", 1, 0, 2, 0, 0),
  futimens: (t, s) => t.call("sysFutimens", 0, s.pages, 1, 0, 2, 0),
  setacl: (t) => one(t, "sysSetacl", "/d", 0),
  getacl: (t) => one(t, "sysGetacl", "/acl"),
  umask: (t, s) => t.call("sysUmask", s.ctx, 0o77),
  chdir: (t, s) => t.call("sysChdir", s.ctx, AT_FDCWD, t.path("/d/e")),
  chroot: (t, s) => t.call("sysChroot", s.ctx, AT_FDCWD, t.path("/d")),
  contextCreate: (t, s) => t.call("contextCreate", s.ctx, 1000, 1000, 0, -1, -1, 0, 0),
  "context with its own mounts": (t) => {
    const own = t.call("contextCreate", 0, 0, 0, 0, -1, -1, 0, CLONE_NEWNS);
    t.call("sysMountNew", own, t.path("/d/e"), 0, 0);
    return t.call("contextDestroy", own);
  },
  contextAttach: (t, s) => t.call("contextAttach", s.ctx),
  contextKeep: (t, s) => t.call("contextKeep", s.ctx),
  contextList: (t) => t.call("contextList", 0, 0),
  contextClose: (t, s) => t.call("contextClose", 0, s.ctx),
  contextDestroy: (t, s) => t.call("contextDestroy", s.ctx),
  mount: (t) => t.call("sysMountNew", 0, t.path("/empty"), 0, 0),
  bind: (t) => t.call("sysMount", 0, t.path("/b/e"), t.path2("/m/n"), MS_BIND),
  "bind with all mounts below": (t) => t.call("sysMount", 0, t.path("/m"), t.path2("/empty"), MS_BIND | MS_REC),
  remount: (t) => t.call("sysRemount", 0, t.path("/m"), -1, -1, MS_RDONLY, MS_RDONLY),
  "list mounts": (t) => t.call("sysMounts", 0, 0),
  "move a mount": (t) => t.call("sysMount", 0, t.path("/m/n"), t.path2("/d/e"), MS_MOVE),
  umount: (t) => t.call("sysUmount", 0, t.path("/b"), 0),
  "umount lazily": (t) => t.call("sysUmount", 0, t.path("/m"), MNT_DETACH),
  "umount of a driver": (t) => t.call("sysUmount", 0, t.path("/v"), MNT_DETACH),
  driverRegister: (t) => t.call("driverRegister", 0, t.path("another"), HOOK.LOOKUP, 0),
  driverUnregister: (t, s) => t.call("driverUnregister", 0, s.driver),
  sumCounters: (t) => t.call("sumCounters", 0),
  synchronizeRcu: (t) => t.call("synchronizeRcu"),
  shrink: (t) => t.call("shrink", 0, 1000),
  arenaCopy: (t) => t.call("arenaCopy", 0, 1),
  threadRecover: (t) => t.call("threadRecover", 5),
  arenaCheck: (t) => t.call("arenaCheck"),
  threadDetach: (t) => t.call("threadDetach"),
};
