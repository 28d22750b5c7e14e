/** Every system call that allocates memory, in each of its forms, and the important ones that must not allocate. */
import {
  ERRNO,
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  MNT_DETACH,
  MS_BIND,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDWR,
  O_TMPFILE_BIT,
  O_TRUNC,
} from "../../../threadfs/dist/abi/abi.js";
import { type AllocSession, LONG, must } from "./fixture.js";

const { ENOLCK } = ERRNO;
const FAR = 3 * 2 ** 30;
const PAGE = 4096;
const FIVE_PAGES = "5".repeat(5 * PAGE);

export interface Operation {
  /** The call: >= 0 or -errno. `state` is what prepare() returned, 0 without it. */
  run(session: AllocSession, state: number): number;
  /** Runs before the call: opens a descriptor, say. */
  prepare?(session: AllocSession): number;
  /** How many allocations there are when none fails. */
  allocations: number;
  /** A write: it may take fewer bytes than it was given, and says how many. */
  short?: boolean;
  /** Each call returns another number. */
  fresh?: boolean;
  /** What a failed call returns, default -ENOSPC. */
  errno?: number;
  /** The reason of a known failure; such an operation must fail, so that a mark that is no longer needed is noticed. */
  known?: string;
  /**
   * Caches whose objects a failed call may keep, since what they belong to owns them: a context its block of descriptors, a
   * file the nodes of its contents.
   */
  keeps?: string[];
  /**
   * A failed call may have done this much; it is done here by other calls, without prepare(): a name that has gone stale
   * takes the mounts below it with it.
   */
  leaves?(session: AllocSession): number;
  /** What the call does where it goes on without the memory, when that is not the same: done here by another call. */
  without?(session: AllocSession): number;
}

/** Runs the preparation of an operation. */
export function prepared(operation: Operation, session: AllocSession): number {
  return operation.prepare?.(session) ?? 0;
}

/** Opens a file before the allocations are counted. */
const opened = (path: string, flags = O_RDWR) => ({
  prepare: (session: AllocSession) => must(session.open(path, flags)),
});
/** The same with a lock on bytes 0 to 99. */
const locked = () => ({
  prepare(session: AllocSession) {
    const fd = must(session.open("/w/file", O_RDWR));
    must(session.lock(fd, F_WRLCK, 0, 100));
    return fd;
  },
});
/** The directory goes stale, with what is mounted below it. */
const stale = (): Pick<Operation, "prepare" | "leaves"> => ({
  prepare: (session) => Atomics.add(session.eras, 0, 1),
  leaves: (session) => session.umount("/w/twin/a/c/deep", MNT_DETACH),
});
const NODES = ["size-64", "size-128", "size-4096"];

export const OPERATIONS: Record<string, Operation> = {
  mkdir: { allocations: 2, run: (session) => session.mkdir("/w/new") },
  "mkdir, long name": { allocations: 3, run: (session) => session.mkdir(`/w/${LONG}`) },
  "mkdir in a mount": { allocations: 2, run: (session) => session.mkdir("/w/mnt/new") },
  mkfifo: { allocations: 2, run: (session) => session.mknod("/w/new", 0o010644) },
  "mknod, a device": { allocations: 2, run: (session) => session.mknod("/w/new", 0o020644, 0x103) },
  "open a FIFO": {
    allocations: 3,
    prepare: (session) => must(session.mknod("/w/new", 0o010644)),
    run: (session) => session.open("/w/new", O_RDWR),
  },
  pipe: { allocations: 6, run: (session) => session.pipe() },
  "write to a pipe": {
    allocations: 5,
    short: true,
    keeps: ["size-4096"],
    prepare: (session) => must(session.pipe()),
    run(session, both) {
      const wrote = session.write(both >>> 16, -1, FIVE_PAGES);
      // The pages stay with the pipe.
      if (wrote > 0) must(session.core.sysRead(0, both & 0xffff, -1, wrote));
      return wrote;
    },
  },
  "a larger pipe": {
    allocations: 1,
    prepare: (session) => must(session.pipe()) >>> 16,
    run: (session, fd) => session.core.sysPipeSize(0, fd, 200_000),
  },
  "mknod, a file": { allocations: 2, run: (session) => session.mknod("/w/new", 0o100644) },
  create: { allocations: 3, run: (session) => session.open("/w/new", O_RDWR | O_CREAT | O_EXCL) },
  "create, long name": { allocations: 4, run: (session) => session.open(`/w/${LONG}`, O_RDWR | O_CREAT) },
  "create, first file of a context": {
    allocations: 4,
    keeps: ["size-1024"],
    prepare: (session) => must(session.chmod("/w/sub", 0o777)),
    run: (session) => session.open("/w/sub/new", O_RDWR | O_CREAT, session.other),
  },
  open: { allocations: 1, run: (session) => session.open("/w/file") },
  "open with O_CREAT what is there": { allocations: 1, run: (session) => session.open("/w/file", O_RDWR | O_CREAT) },
  "open with O_TRUNC": { allocations: 1, run: (session) => session.open("/w/many", O_RDWR | O_TRUNC) },
  "open beneath": { allocations: 1, run: (session) => session.openBeneath("w/../w/file") },
  "open a directory": { allocations: 1, run: (session) => session.open("/w") },
  "open with any descriptor": {
    allocations: 2,
    run: (session) => session.openAny("/w/file"),
    without: (session) => session.open("/w/file"),
  },
  "open with any descriptor, first file of a context": {
    allocations: 2,
    run: (session) => session.openAny("/w/file", session.other),
    without: (session) => session.open("/w/file", 0, session.other),
  },
  "open, first file of a context": { allocations: 2, run: (session) => session.open("/w/file", 0, session.other) },
  "open, 254th descriptor": {
    allocations: 2,
    prepare(session) {
      for (let n = 0; n < 253; n++) must(session.open("/w/file"));
      return 0;
    },
    run: (session) => session.open("/w/file"),
  },
  "open with O_TMPFILE": { allocations: 3, run: (session) => session.open("/w", O_RDWR | O_DIRECTORY | O_TMPFILE_BIT) },
  "symlink, short body": { allocations: 3, run: (session) => session.symlink("t", "/w/new") },
  "symlink, long body": { allocations: 3, run: (session) => session.symlink("t".repeat(4095), "/w/new") },
  "symlink, both long": { allocations: 4, run: (session) => session.symlink("t".repeat(900), `/w/${LONG}`) },
  link: { allocations: 1, run: (session) => session.link("/w/file", "/w/new") },
  "link, long name": { allocations: 2, run: (session) => session.link("/w/file", `/w/${LONG}`) },
  "rename to a new name": { allocations: 1, run: (session) => session.rename("/w/file", "/w/new") },
  "rename to another directory": { allocations: 1, run: (session) => session.rename("/w/file", "/w/sub/new") },
  "rename to a long name": { allocations: 2, run: (session) => session.rename("/w/file", `/w/${LONG}`) },
  "rename from a long name": { allocations: 1, run: (session) => session.rename(`/w/${LONG}-there`, "/w/sub/new") },
  "rename a directory": { allocations: 1, run: (session) => session.rename("/w/empty-dir", "/w/place/new") },
  "rename onto another": { allocations: 0, run: (session) => session.rename("/w/file", "/w/other") },
  exchange: { allocations: 0, run: (session) => session.rename("/w/file", "/w/empty-dir", 2) },
  "write a byte": { allocations: 1, ...opened("/w/empty"), run: (session, fd) => session.write(fd, 0, "x") },
  "write over what is there": {
    allocations: 0,
    ...opened("/w/file"),
    run: (session, fd) => session.write(fd, 0, "new"),
  },
  "write more than there is room": {
    allocations: 1,
    ...opened("/w/file"),
    run: (session, fd) => session.write(fd, 0, "x".repeat(100)),
  },
  append: {
    allocations: 1,
    ...opened("/w/file", O_RDWR | O_APPEND),
    run: (session, fd) => session.write(fd, -1, "x".repeat(20)),
  },
  "append, in one call with the open": {
    allocations: 1,
    run: (session) => session.writeFile("/w/file", "x".repeat(100)),
  },
  "create, in one call with the write": { allocations: 2, run: (session) => session.writeFile("/w/new", "") },
  "write behind the first page": {
    allocations: 2,
    short: true,
    keeps: NODES,
    ...opened("/w/page"),
    run: (session, fd) => session.write(fd, 4096, "x"),
  },
  "write across the first page": {
    allocations: 3,
    short: true,
    keeps: ["size-16", ...NODES],
    ...opened("/w/file"),
    run: (session, fd) => session.write(fd, 4000, "y".repeat(200)),
  },
  /** Where there is no memory for pages in their place, the bytes go into the pages that are there. */
  "write over whole pages": {
    allocations: 16,
    prepare(session) {
      const fd = must(session.open("/w/new", O_RDWR | O_CREAT));
      for (const page of [0, 4, 8, 12, 16]) must(session.write(fd, page * PAGE, "o".repeat(4 * PAGE)));
      return fd;
    },
    run: (session, fd) => session.core.sysWrite(0, fd, 0, 17 * PAGE),
  },
  "make room for five pages": {
    allocations: 6,
    keeps: NODES,
    ...opened("/w/empty"),
    run: (session, fd) => session.core.sysFallocate(0, fd, 0, 0, 5 * 4096),
  },
  "punch a hole": {
    allocations: 0,
    ...opened("/w/many"),
    run: (session, fd) => session.core.sysFallocate(0, fd, 3, 100, 5000),
  },
  "copy a range": {
    allocations: 1,
    prepare(session) {
      const from = must(session.open("/w/file", O_RDWR));
      return from * 100 + must(session.open("/w/empty", O_RDWR));
    },
    run: (session, fds) => session.core.sysCopyFileRange(0, Math.floor(fds / 100), 0, fds % 100, 0, 10),
  },
  "set an extended attribute": {
    allocations: 2,
    run: (session) => session.setxattr("/w/file", "user.a", 5000),
  },
  "replace an extended attribute": {
    allocations: 1,
    prepare: (session) => must(session.setxattr("/w/file", "user.a", 5000)),
    run: (session) => session.setxattr("/w/file", "user.a", 10),
  },
  "remove an extended attribute": {
    allocations: 0,
    prepare: (session) => must(session.setxattr("/w/file", "user.a", 5000)),
    run: (session) => session.removexattr("/w/file", "user.a"),
  },
  "write in a file system with a limit": {
    allocations: 1,
    ...opened("/w/limit/file"),
    run: (session, fd) => session.write(fd, 0, "limited"),
  },
  "write more than a limit allows": {
    // The last one is for a page that the limit refuses.
    allocations: 6,
    short: true,
    keeps: NODES,
    ...opened("/w/limit/file"),
    run: (session, fd) => session.write(fd, 0, FIVE_PAGES),
  },
  "create in a file system with a limit": {
    allocations: 3,
    run: (session) => session.open("/w/limit/new", O_RDWR | O_CREAT),
  },
  "a long link in a file system with a limit": {
    allocations: 3,
    run: (session) => session.symlink("t".repeat(200), "/w/limit/new"),
  },
  "link in a file system with a limit": {
    allocations: 1,
    run: (session) => session.link("/w/limit/file", "/w/limit/new"),
  },
  "set an extended attribute in a file system with a limit": {
    allocations: 1,
    run: (session) => session.setxattr("/w/limit/file", "user.a", 100),
  },
  "write five pages": {
    allocations: 6,
    short: true,
    keeps: NODES,
    ...opened("/w/empty"),
    run: (session, fd) => session.write(fd, 0, FIVE_PAGES),
  },
  "write five pages, not from their start": {
    allocations: 7,
    short: true,
    keeps: NODES,
    ...opened("/w/empty"),
    run: (session, fd) => session.write(fd, 1000, FIVE_PAGES),
  },
  "write far behind the end": {
    allocations: 4,
    keeps: NODES,
    ...opened("/w/page"),
    run: (session, fd) => session.write(fd, FAR, "z"),
  },
  "write very far behind the end of nothing": {
    allocations: 6,
    keeps: NODES,
    ...opened("/w/empty"),
    run: (session, fd) => session.write(fd, 4_000_000_000_000, "z"),
  },
  "write into a hole": {
    allocations: 2,
    keeps: NODES,
    prepare(session) {
      must(session.truncate("/w/many", 100_000));
      return must(session.open("/w/many", O_RDWR));
    },
    run: (session, fd) => session.write(fd, 70_000, "h"),
  },
  "truncate up": { allocations: 0, run: (session) => session.truncate("/w/file", 100_000) },
  "truncate down": { allocations: 0, run: (session) => session.truncate("/w/cut", 5000) },
  "mount tmpfs": { allocations: 4, run: (session) => session.mount("/w/place") },
  "mount a driver": { allocations: 4, run: (session) => session.mount("/w/place", session.box) },
  bind: { allocations: 1, run: (session) => session.bind("/w/sub", "/w/place") },
  "bind a file": { allocations: 1, run: (session) => session.bind("/w/file", "/w/other") },
  "bind with all mounts below": {
    allocations: 4,
    prepare(session) {
      for (const path of ["/w/mnt/a", "/w/mnt/a/b", "/w/mnt/c"]) {
        must(session.mkdir(path));
        must(session.mount(path));
      }
      return 0;
    },
    run: (session) => session.bind("/w/mnt", "/w/place", MS_BIND | MS_REC),
  },
  "mount where four receive it": {
    allocations: 7,
    prepare(session) {
      must(session.bind("/", "/w/mnt", MS_SHARED));
      for (const path of ["/w/place", "/w/sub"]) must(session.bind("/w/mnt", path));
      must(session.bind("/", "/w/sub", MS_SLAVE));
      must(session.bind("/w/sub", "/w/bound"));
      return must(session.mkdir("/w/mnt/shared"));
    },
    run: (session) => session.mount("/w/mnt/shared"),
  },
  "list mounts": { allocations: 0, run: (session) => session.core.sysMounts(0, 0) },
  "move a mount": { allocations: 0, run: (session) => session.bind("/w/bound", "/w/place", 8192) },
  umount: { allocations: 0, run: (session) => session.umount("/w/bound") },
  "umount lazily": { allocations: 0, run: (session) => session.umount("/w/mnt", 2) },
  context: { allocations: 1, fresh: true, run: (session) => session.context() },
  /** With as many mounts as the tree has. */
  "context with its own mounts": {
    allocations: 11,
    fresh: true,
    run: (session) => session.ownContext(),
  },
  "context with groups": { allocations: 2, fresh: true, run: (session) => session.context(16) },
  "set an ACL": { allocations: 1, run: (session) => session.setacl("/w/file", 1) },
  "set another ACL": { allocations: 1, run: (session) => session.setacl("/w/listed", 300) },
  "take an ACL away": { allocations: 0, run: (session) => session.setacl("/w/listed") },
  "set a default ACL": { allocations: 1, run: (session) => session.setacl("/w/sub", 1, 1) },
  "take a default ACL away": { allocations: 0, run: (session) => session.setacl("/w/heir", undefined, 1) },
  "create in a directory with a default ACL": {
    allocations: 4,
    run: (session) => session.open("/w/heir/new", O_RDWR | O_CREAT),
  },
  "mkdir in a directory with a default ACL": { allocations: 4, run: (session) => session.mkdir("/w/heir/new") },
  "open with O_TMPFILE in a directory with a default ACL": {
    allocations: 4,
    run: (session) => session.open("/w/heir", O_RDWR | O_DIRECTORY | O_TMPFILE_BIT),
  },
  "look up a driver's directory": { allocations: 2, run: (session) => session.stat("/w/drv/d") },
  "look up a driver's file": { allocations: 4, run: (session) => session.stat("/w/drv/d/f") },
  "look up a driver's long name": { allocations: 3, run: (session) => session.stat(`/w/drv/${"n".repeat(100)}`) },
  "look up what a driver has not": { allocations: 1, run: (session) => (session.stat("/w/drv/no") === -2 ? 0 : -28) },
  "follow a driver's link": { allocations: 3, run: (session) => session.stat("/w/drv/l") },
  "open a driver's file": { allocations: 5, run: (session) => session.open("/w/drv/d/f", O_RDWR) },
  "create in a driver": { allocations: 3, run: (session) => session.open("/w/drv/new", O_RDWR | O_CREAT) },
  "mkdir in a driver": { allocations: 2, run: (session) => session.mkdir("/w/drv/new") },
  "symlink in a driver": { allocations: 2, run: (session) => session.symlink("t", "/w/drv/new") },
  "unlink in a driver": {
    allocations: 2,
    run: (session) => session.unlink(`/w/drv/${"n".repeat(31)}`),
    prepare(session) {
      must(session.mknod(`/w/drv/${"n".repeat(31)}`, 0o100644));
      session.settle();
      return 0;
    },
  },
  "look up a driver's directory under another name of its parent": {
    allocations: 1,
    run: (session) => session.stat("/w/alias/a/x0"),
  },
  "look up a driver's directory in another parent": { allocations: 3, run: (session) => session.stat("/w/alias/b/c") },
  "open what is mounted below another name of a driver's directory": {
    allocations: 4,
    run: (session) => session.open("/w/alias/b/x0/deep/inside"),
  },
  "look up a driver's directory below itself": {
    allocations: 3,
    run: (session) => (session.stat("/w/alias/a/b/a") === -40 ? 0 : -28),
  },
  "look up a driver's directory that has gone stale": {
    ...stale(),
    allocations: 2,
    run: (session) => session.stat("/w/twin/a/c"),
  },
  "look up a file in a driver's directory that has gone stale": {
    ...stale(),
    allocations: 6,
    run: (session) => session.stat("/w/twin/a/c/deep/a"),
  },
  "mount on a driver's directory that has gone stale": {
    ...stale(),
    allocations: 8,
    run: (session) => session.mount("/w/twin/a/c/deep"),
  },
  "look up another name of a driver's directory that has gone stale": {
    allocations: 4,
    prepare: (session) => Atomics.add(session.eras, 0, 1),
    run: (session) => session.stat("/w/twin/b/x0"),
  },
  flock: {
    allocations: 1,
    errno: -ENOLCK,
    ...opened("/w/file"),
    run: (session, fd) => session.core.sysFlock(0, fd, LOCK_EX),
  },
  "lock a range": {
    allocations: 2,
    errno: -ENOLCK,
    ...opened("/w/file"),
    run: (session, fd) => session.lock(fd, F_WRLCK, 0, 100),
  },
  "unlock a part of a range": {
    allocations: 2,
    errno: -ENOLCK,
    ...locked(),
    run: (session, fd) => session.lock(fd, F_UNLCK, 50, 1),
  },
  "unlock all": { allocations: 0, ...locked(), run: (session, fd) => session.lock(fd, F_UNLCK, 0, 0) },
  "a request that waits for a lock": {
    allocations: 3,
    errno: -ENOLCK,
    fresh: true,
    prepare(session) {
      must(session.core.sysFlock(0, must(session.open("/w/file", O_RDWR)), LOCK_EX));
      return must(session.open("/w/file", O_RDWR));
    },
    run: (session, fd) => session.core.lockRequest(0, fd, LOCK_EX),
  },
  readdir: { allocations: 0, ...opened("/w", 0), run: (session, fd) => session.core.sysGetdents(0, fd, 0, -1) },
  "readdir of a driver's": {
    allocations: 0,
    ...opened("/w/drv", 0),
    run: (session, fd) => session.core.sysGetdents(0, fd, 0, -1),
  },
  stat: { allocations: 0, run: (session) => session.stat("/w/sub/../link") },
  realpath: { allocations: 0, run: (session) => session.core.sysRealpath(0, -100, session.path("/w/mnt/../link")) },
  chmod: { allocations: 0, run: (session) => session.chmod("/w/sub", 0o700) },
  unlink: { allocations: 0, run: (session) => session.unlink("/w/many") },
  "unlink a long name": { allocations: 0, run: (session) => session.unlink(`/w/${LONG}-there`) },
  rmdir: { allocations: 0, run: (session) => session.rmdir("/w/empty-dir") },
  /** With the mount, whose references it puts. */
  "rmdir of what another namespace has a mount on": {
    allocations: 0,
    run: (session) => session.rmdir("/w/empty-dir"),
    prepare(session) {
      must(session.mount("/w/empty-dir", 0, must(session.ownContext())));
      return 0;
    },
  },
  chdir: { allocations: 0, run: (session) => session.core.sysChdir(0, -100, session.path("/w/sub")) },
  "close a context": { allocations: 0, run: (session) => session.core.contextDestroy(session.other) },
};
