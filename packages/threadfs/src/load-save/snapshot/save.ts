/**
 * Writes the files of a tree as a snapshot: a walk over descriptors of directories, so that no path is too long, which keeps of each
 * directory above it one window of names. The tree belongs to this thread alone (../arena-copy.ts).
 */
import * as ERRNO from "../../../abi/errno.js";
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  MNT_DETACH,
  O_DIRECTORY,
  O_NOATIME,
  O_NOFOLLOW,
  O_RDONLY,
  UTIME_OMIT,
} from "../../../abi/flags.js";
import { IO_SIZE } from "../../../abi/limits.js";
import { DIRENT_ALIGN, DIRENT_NAME, DIRENT_NAME_LENGTH } from "../../../abi/memory.js";
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../../abi/mode.js";
import * as STAT from "../../../abi/stat.js";
import { codedError, systemCallError } from "../../errors/errors.js";
import type { SystemCalls } from "../../node-fs/system-calls.js";
import { BLOCK, dataRanges, PAGE } from "../holes.js";
import { joinPath, textOf } from "../paths.js";
import type { Mounts } from "../types.js";
import { BlockWriter, headerBytes } from "./block-writer.js";
import { type Clock, msOfTime } from "./clock.js";
import { type Attributes, type FileTime, RECORD } from "./format.js";

/** Mounts on one place that are taken away. */
const COVERS_MAX = 1000;
const ROOT = /* @__PURE__ */ Uint8Array.of(47);
const EMPTY = /* @__PURE__ */ new Uint8Array();

/** What stat says of a file. */
interface Found extends Attributes {
  dev: number;
  ino: number;
  nlink: number;
  size: number;
  blocks: number;
  rdev: number;
}

/** A directory that is being read. */
interface Level {
  readonly fd: number;
  readonly path: Uint8Array;
  /** The window of entries that was read last, and the place of the next one in it. */
  window: Uint8Array;
  next: number;
}

/** What a directory says of an entry. */
interface Entry {
  readonly ino: number;
  readonly name: Uint8Array;
}

/** A file of which names are still to come. */
interface Numbered {
  readonly number: number;
  left: number;
}

class Saver {
  readonly #calls: SystemCalls;
  readonly #clock: Clock;
  readonly #mounts: Mounts;
  readonly #out = new BlockWriter();
  readonly #levels: Level[] = [];
  /** Files with several names, by their inode numbers. */
  readonly #numbered = new Map<number, Numbered>();
  #numbers = 0;
  #entries = 0;
  #dev = 0;

  constructor(calls: SystemCalls, clock: Clock, mounts: Mounts) {
    this.#calls = calls;
    this.#clock = clock;
    this.#mounts = mounts;
  }

  /** The snapshot in pieces. */
  *chunks(): Generator<Uint8Array, void, undefined> {
    yield headerBytes();
    try {
      const root = this.#stat(AT_FDCWD, ROOT, ROOT);
      this.#dev = root.dev;
      this.#enter(AT_FDCWD, ROOT, ROOT, EMPTY, root);
      for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
        const entry = this.#nextEntry(level);
        if (entry === undefined) this.#leave();
        else yield* this.#entry(level, entry);
        if (this.#out.isFull) yield this.#out.take();
      }
      this.#out.begin(RECORD.END).u32(this.#entries).end();
      yield this.#out.take();
    } finally {
      for (const { fd } of this.#levels) this.#calls.closeQuietly(fd);
    }
  }

  #check(result: number, syscall: string, path: Uint8Array): number {
    if (result < 0) throw systemCallError(result, syscall, path);
    return result;
  }

  /** @param path the whole one, for errors */
  #stat(dirfd: number, name: Uint8Array, path: Uint8Array): Found {
    const { core, ctx, attachment } = this.#calls;
    const length = this.#calls.putPath(name, "lstat");
    this.#check(core.sysStat(ctx, dirfd, length, AT_SYMLINK_NOFOLLOW), "lstat", path);
    const { stat } = attachment;
    const time = (sec: number, nsec: number): FileTime => ({ sec: stat[sec] ?? 0, nsec: stat[nsec] ?? 0 });
    return {
      dev: stat[STAT.dev],
      ino: stat[STAT.ino],
      mode: stat[STAT.mode],
      nlink: stat[STAT.nlink],
      uid: stat[STAT.uid],
      gid: stat[STAT.gid],
      size: stat[STAT.size],
      blocks: stat[STAT.blocks],
      rdev: stat[STAT.rdev],
      atime: time(STAT.atimeSec, STAT.atimeNsec),
      mtime: time(STAT.mtimeSec, STAT.mtimeNsec),
      ctime: time(STAT.ctimeSec, STAT.ctimeNsec),
      birthtime: time(STAT.birthtimeSec, STAT.birthtimeNsec),
    };
  }

  /** The next entry of a directory, of which reading returns no "." and "..". */
  #nextEntry(level: Level): Entry | undefined {
    if (level.next >= level.window.length) {
      const { core, ctx, attachment } = this.#calls;
      const got = this.#check(core.sysGetdents(ctx, level.fd, 0, -1), "scandir", level.path);
      if (got === 0) return undefined;
      level.window = attachment.io.slice(0, got);
      level.next = 0;
    }
    const { window, next } = level;
    const from = next + DIRENT_NAME;
    const end = from + (window[next + DIRENT_NAME_LENGTH] ?? 0);
    level.next = (end + DIRENT_ALIGN - 1) & ~(DIRENT_ALIGN - 1);
    const ino = new DataView(window.buffer, window.byteOffset).getFloat64(next, true);
    return { ino, name: window.subarray(from, end) };
  }

  *#entry(level: Level, { ino, name }: Entry): Generator<Uint8Array, void, undefined> {
    const path = joinPath(level.path, name);
    let found = this.#stat(level.fd, name, path);
    // A directory lists its own files; a look at a path finds what is mounted on them.
    for (let covers = 0; found.dev !== this.#dev || found.ino !== ino; covers++) {
      this.#uncover(path, covers);
      found = this.#stat(level.fd, name, path);
    }
    this.#entries++;
    const type = found.mode & S_IFMT;
    if (type === S_IFDIR) {
      this.#enter(level.fd, name, path, name, found);
      return;
    }
    const number = this.#linked(found, name);
    if (number < 0) return;
    if (type === S_IFREG) yield* this.#file(level.fd, name, path, number, found);
    else if (type === S_IFLNK) this.#symlink(level.fd, name, path, number, found);
    else if (type === S_IFIFO || type === S_IFSOCK) {
      this.#out.begin(RECORD.SPECIAL).attributes(found).u32(number).bytes(name).end();
      this.#xattrs(level.fd, name, path);
    } else {
      this.#out.begin(RECORD.DEVICE).attributes(found).u32(found.rdev).u32(number).bytes(name).end();
      this.#xattrs(level.fd, name, path);
    }
  }

  /** Another file system, or another part of this one, is mounted there. @throws Error ERR_THREADFS_SNAPSHOT_MOUNT */
  #uncover(path: Uint8Array, covers: number): void {
    if (this.#mounts === "refuse" || covers === COVERS_MAX) {
      const message = `A snapshot has one file system, and another mount is at ${textOf(path)}. Unmount it, or leave it out with { mounts: "skip" }`;
      throw Object.assign(codedError(Error, "ERR_THREADFS_SNAPSHOT_MOUNT", message), { path: textOf(path) });
    }
    const { core, ctx } = this.#calls;
    // In this copy of the tree. What is below it appears.
    this.#check(core.sysUmount(ctx, this.#calls.putPath(path, "umount"), MNT_DETACH), "umount", path);
  }

  #enter(dirfd: number, at: Uint8Array, path: Uint8Array, name: Uint8Array, found: Found): void {
    const fd = this.#open(dirfd, at, path, O_DIRECTORY);
    this.#levels.push({ fd, path, window: EMPTY, next: 0 });
    this.#out.begin(RECORD.DIRECTORY).attributes(found).bytes(name).end();
    this.#xattrs(dirfd, at, path);
  }

  /** Opens for reading, without a new time of access where the context may do that. */
  #open(dirfd: number, name: Uint8Array, path: Uint8Array, flags: number): number {
    const { core, ctx } = this.#calls;
    const open = (more: number) =>
      core.sysOpen(ctx, dirfd, this.#calls.putPath(name, "open"), O_RDONLY | O_NOFOLLOW | flags | more, 0);
    const fd = open(O_NOATIME);
    return this.#check(fd === -ERRNO.EPERM ? open(0) : fd, "open", path);
  }

  #leave(): void {
    const level = this.#levels.pop();
    if (level === undefined) return;
    this.#calls.closeQuietly(level.fd);
    this.#out.begin(RECORD.LEAVE).end();
  }

  /** The number of a file with several names, 0: it has one name; -1: it was written, and another name of it now. */
  #linked({ nlink, ino }: Found, name: Uint8Array): number {
    if (nlink < 2) return 0;
    const known = this.#numbered.get(ino);
    if (known === undefined) {
      this.#numbered.set(ino, { number: ++this.#numbers, left: nlink - 1 });
      return this.#numbers;
    }
    this.#out.begin(RECORD.LINK).u32(known.number).bytes(name).end();
    if (--known.left === 0) this.#numbered.delete(ino);
    return -1;
  }

  #xattrs(dirfd: number, at: Uint8Array, path: Uint8Array): void {
    const { core, ctx, attachment } = this.#calls;
    const length = this.#calls.putPath(at, "listxattr");
    const got = this.#check(core.sysListxattr(ctx, dirfd, length, AT_SYMLINK_NOFOLLOW), "listxattr", path);
    const names = attachment.io.slice(0, got);
    for (let from = 0; from < got; ) {
      const end = names.indexOf(0, from);
      const name = names.subarray(from, end);
      const [length, length2] = this.#calls.putPaths(at, name, "getxattr");
      const size = core.sysGetxattr(ctx, dirfd, length, length2, AT_SYMLINK_NOFOLLOW);
      const value = attachment.io.subarray(0, this.#check(size, "getxattr", path));
      this.#out.begin(RECORD.XATTR).u8(name.length).bytes(name).bytes(value).end();
      from = end + 1;
    }
  }

  #symlink(dirfd: number, name: Uint8Array, path: Uint8Array, number: number, found: Found): void {
    const { core, ctx, attachment } = this.#calls;
    const length = this.#calls.putPath(name, "readlink");
    const got = this.#check(core.sysReadlink(ctx, dirfd, length), "readlink", path);
    this.#out.begin(RECORD.SYMLINK).attributes(found).u32(number).u8(name.length).bytes(name);
    this.#out.bytes(attachment.io.subarray(0, got)).end();
    this.#xattrs(dirfd, name, path);
    // Another reading of the snapshot is to find the time of access that reading the link has changed. Others may fail.
    const { atime, ctime } = found;
    this.#clock.ms = msOfTime(ctime);
    const again = this.#calls.putPath(name, "lutime");
    core.sysUtimens(ctx, dirfd, again, atime.sec, atime.nsec, 0, UTIME_OMIT, AT_SYMLINK_NOFOLLOW);
  }

  *#file(dirfd: number, name: Uint8Array, path: Uint8Array, number: number, found: Found) {
    this.#out.begin(RECORD.FILE).attributes(found).f64(found.size).u32(number).bytes(name).end();
    this.#xattrs(dirfd, name, path);
    if (found.size === 0) return;
    const fd = this.#open(dirfd, name, path, 0);
    try {
      yield* this.#contents(fd, path, found);
    } finally {
      this.#calls.closeQuietly(fd);
    }
  }

  *#contents(fd: number, path: Uint8Array, { size, blocks }: Found): Generator<Uint8Array, void, undefined> {
    const { core, ctx, attachment } = this.#calls;
    const isSparse = blocks * BLOCK < size;
    // Pages that take memory and are not found yet: when there are none, the rest is a hole.
    let pages = isSparse ? Math.ceil((blocks * BLOCK) / PAGE) : Number.POSITIVE_INFINITY;
    for (let at = 0; at < size && pages > 0; ) {
      const got = this.#check(core.sysRead(ctx, fd, at, Math.min(IO_SIZE, size - at)), "read", path);
      if (got === 0) break;
      const data = attachment.io.subarray(0, got);
      if (!isSparse) this.#out.begin(RECORD.DATA).f64(at).bytes(data).end();
      else
        for (const [from, to] of dataRanges(data)) {
          this.#out
            .begin(RECORD.DATA)
            .f64(at + from)
            .bytes(data.subarray(from, to))
            .end();
          pages -= Math.ceil((to - from) / PAGE);
        }
      at += got;
      if (this.#out.isFull) yield this.#out.take();
    }
  }
}

/**
 * The snapshot of the tree that the context sees from its root, in pieces of about 256 KiB. `clock` is that of the calls. @throws see `Vfs.snapshot` @internal
 */
export function saveTree(calls: SystemCalls, clock: Clock, mounts: Mounts): Generator<Uint8Array, void, undefined> {
  return new Saver(calls, clock, mounts).chunks();
}
