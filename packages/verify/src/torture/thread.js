/**
 * One thread of a torture run: the core's calls on paths made beforehand, each noted in the thread's ring, and the ways to
 * say that something was seen that cannot be.
 *
 * The calls go to the core's exports and not through `vfs.fs`, so that a call costs what the core costs; `fs` is there beside
 * them, on an attachment of its own.
 */
import { AT_FDCWD, ERRNO, MNT_DETACH, MS_BIND, MS_MOVE, RENAME_EXCHANGE } from "../../../threadfs/dist/abi/abi.js";
import { SLOT_COUNTERS, SLOT_SIZE, SLOTS } from "../arena/layout.js";
import { COUNT, countersOf, makePath, nameWords, OP, Ring } from "./shared-state.js";

export const { ENOENT, EBADF, EACCES, EBUSY, EEXIST, ENOTEMPTY, ENODEV, EISDIR, ENOTDIR, EPERM } = ERRNO;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0x40;
export const O_EXCL = 0x80;
export const O_DIRECTORY = 0x10000;
const AT_REMOVEDIR = 0x200;

/** Places of the stat answer. */
export const INO = 7;
export const UID = 3;
export const GID = 4;
export const SIZE = 8;
export const NLINK = 2;
export const MTIME = 12;
export const MTIME_NSEC = 13;
export const ATIME = 10;

/** Index of a slot's counter of walks that ended in ref mode (core/mem/layout.ts). */

/** The word that poison is made of, as the attributes would show it. */
const POISON = 0xdeadbee8;

/** Something was seen that cannot be. */
export class InvariantViolation extends Error {}

const names = Object.fromEntries(Object.entries(ERRNO).map(([name, number]) => [-number, name]));
/** An answer in words. */
export const said = (answer) => (answer < 0 ? (names[answer] ?? `${answer}`) : `${answer}`);

export class Thread {
  /** @param {{ arena: any, vfs: any, clock: { ms: number }, board: any, index: number, next: (n: number) => number }} parts */
  constructor({ arena, vfs, clock, sharedState, index, next }) {
    this.arena = arena;
    this.core = arena.core;
    this.vfs = vfs;
    this.fs = vfs.fs;
    this.clock = clock;
    this.index = index;
    this.next = next;
    this.stats = arena.stat;
    this.counts = countersOf(sharedState, index);
    this.ring = new Ring(sharedState, index);
    this.words = nameWords(sharedState);
    this.ctx = 0;
    this.slotWords = new Uint32Array(arena.memory.buffer, SLOTS + arena.core.threadSlot() * SLOT_SIZE, SLOT_SIZE / 4);
    this.io = new Int32Array(arena.io.buffer, arena.io.byteOffset, arena.io.byteLength / 4);
  }

  /** Walks of this thread that ended in ref mode, as its slot counts them. */
  refWalks() {
    return this.slotWords[(SLOT_COUNTERS + COUNTER.endedRef * 8) >>> 2];
  }

  /** @throws Impossible */
  fail(message) {
    throw new InvariantViolation(message);
  }

  /** The call must answer one of these, or a number >= 0. */
  must(answer, what, ...allowed) {
    if (answer < 0 && !allowed.includes(-answer)) this.fail(`${what} answers ${said(answer)}`);
    return answer;
  }

  /** Attributes of a path: 0, then they are in `stats`. */
  stat(path, flags = 0, ctx = this.ctx) {
    this.ring.begin(flags & AT_SYMLINK_NOFOLLOW ? OP.lstat : OP.stat, ctx, 0, path);
    this.arena.path.set(path.bytes);
    const answer = this.ring.end(this.core.sysStat(ctx, AT_FDCWD, path.length, flags));
    this.counts[COUNT.lookups]++;
    if (answer === 0) {
      this.counts[COUNT.found]++;
      if (this.stats[UID] === POISON || this.stats[GID] === POISON) this.fail(`${path.text} shows freed memory`);
    }
    return answer;
  }

  access(path, mode, ctx = this.ctx) {
    this.ring.begin(OP.access, mode, ctx, path);
    this.arena.path.set(path.bytes);
    this.counts[COUNT.lookups]++;
    return this.ring.end(this.core.sysAccess(ctx, AT_FDCWD, path.length, mode, 0));
  }

  #one(op, path, a, b, call) {
    this.ring.begin(op, a, b, path);
    this.arena.path.set(path.bytes);
    return this.ring.end(call(path.length));
  }

  #two(op, path, path2, a, call) {
    this.ring.begin(op, a, 0, path, path2);
    this.arena.path.set(path.bytes);
    this.arena.path2.set(path2.bytes);
    return this.ring.end(call(path.length, path2.length));
  }

  open(path, flags, mode = 0o644, ctx = this.ctx) {
    return this.#one(OP.open, path, flags, ctx, (n) => this.core.sysOpen(ctx, AT_FDCWD, n, flags, mode));
  }

  close(fd, ctx = this.ctx) {
    this.ring.begin(OP.close, fd, ctx);
    return this.ring.end(this.core.sysClose(ctx, fd));
  }

  /** Reads into the scratch area's words (`io`). */
  read(fd, offset, bytes, ctx = this.ctx) {
    this.ring.begin(OP.read, fd, offset);
    this.counts[COUNT.reads]++;
    return this.ring.end(this.core.sysRead(ctx, fd, offset, bytes));
  }

  write(fd, offset, bytes, ctx = this.ctx) {
    this.ring.begin(OP.write, fd, bytes);
    return this.ring.end(this.core.sysWrite(ctx, fd, offset, bytes));
  }

  fstat(fd, ctx = this.ctx) {
    this.ring.begin(OP.fstat, fd, ctx);
    return this.ring.end(this.core.sysFstat(ctx, fd));
  }

  getdents(fd, ctx = this.ctx) {
    this.ring.begin(OP.getdents, fd, ctx);
    return this.ring.end(this.core.sysGetdents(ctx, fd));
  }

  ftruncate(fd, size, ctx = this.ctx) {
    this.ring.begin(OP.ftruncate, fd, size);
    return this.ring.end(this.core.sysFtruncate(ctx, fd, size));
  }

  readlink(path) {
    return this.#one(OP.readlink, path, 0, 0, (n) => this.core.sysReadlink(this.ctx, AT_FDCWD, n));
  }

  mkdir(path, mode = 0o755) {
    return this.#one(OP.mkdir, path, mode, 0, (n) => this.core.sysMkdir(this.ctx, AT_FDCWD, n, mode));
  }

  rmdir(path) {
    return this.#one(OP.rmdir, path, 0, 0, (n) => this.core.sysUnlink(this.ctx, AT_FDCWD, n, AT_REMOVEDIR));
  }

  unlink(path) {
    return this.#one(OP.unlink, path, 0, 0, (n) => this.core.sysUnlink(this.ctx, AT_FDCWD, n, 0));
  }

  rename(from, to, flags = 0) {
    const op = flags & RENAME_EXCHANGE ? OP.exchange : OP.rename;
    const answer = this.#two(op, from, to, flags, (n, m) =>
      this.core.sysRename(this.ctx, AT_FDCWD, n, AT_FDCWD, m, flags),
    );
    if (answer === 0) this.counts[COUNT.renames]++;
    return answer;
  }

  exchange(a, b) {
    return this.rename(a, b, RENAME_EXCHANGE);
  }

  link(from, to) {
    return this.#two(OP.link, from, to, 0, (n, m) => this.core.sysLink(this.ctx, AT_FDCWD, n, AT_FDCWD, m, 0));
  }

  symlink(body, at) {
    return this.#two(OP.symlink, body, at, 0, (n, m) => this.core.sysSymlink(this.ctx, n, AT_FDCWD, m));
  }

  chmod(path, mode) {
    return this.#one(OP.chmod, path, mode, 0, (n) => this.core.sysChmod(this.ctx, AT_FDCWD, n, mode, 0));
  }

  chown(path, uid, gid) {
    return this.#one(OP.chown, path, uid, gid, (n) => this.core.sysChown(this.ctx, AT_FDCWD, n, uid, gid, 0));
  }

  truncate(path, size) {
    return this.#one(OP.truncate, path, size, 0, (n) => this.core.sysTruncate(this.ctx, AT_FDCWD, n, size));
  }

  utimes(path, atime, mtime) {
    return this.#one(OP.utimes, path, atime, mtime, (n) =>
      this.core.sysUtimens(this.ctx, AT_FDCWD, n, atime, 0, mtime, 0, 0),
    );
  }

  /** A fresh in-memory file system, or a driver's (its number). */
  mount(path, type = 0) {
    this.counts[COUNT.mounts]++;
    return this.#one(OP.mount, path, type, 0, (n) => this.core.sysMountNew(this.ctx, n, type, 0));
  }

  bind(from, to) {
    this.counts[COUNT.mounts]++;
    return this.#two(OP.bind, from, to, 0, (n, m) => this.core.sysMount(this.ctx, n, m, MS_BIND));
  }

  moveMount(from, to) {
    return this.#two(OP.move, from, to, 0, (n, m) => this.core.sysMount(this.ctx, n, m, MS_MOVE));
  }

  umount(path, detach) {
    return this.#one(OP.umount, path, detach ? 1 : 0, 0, (n) =>
      this.core.sysUmount(this.ctx, n, detach ? MNT_DETACH : 0),
    );
  }

  chdir(path, ctx) {
    return this.#one(OP.chdir, path, ctx, 0, (n) => this.core.sysChdir(ctx, AT_FDCWD, n));
  }

  chroot(path, ctx, dirfd) {
    return this.#one(OP.chroot, path, ctx, dirfd, (n) => this.core.sysChroot(ctx, dirfd, n));
  }

  /** The working directory's path, or -errno. */
  getcwd(ctx) {
    this.ring.begin(OP.getcwd, ctx, 0);
    const n = this.ring.end(this.core.sysGetcwd(ctx));
    return n < 0 ? n : this.text(n);
  }

  contextCreate(uid) {
    this.ring.begin(OP.contextCreate, uid, 0);
    return this.ring.end(this.core.contextCreate(this.ctx, uid, uid, 0o022, 0, -1));
  }

  contextDestroy(ctx) {
    this.ring.begin(OP.contextDestroy, ctx, 0);
    return this.ring.end(this.core.contextDestroy(ctx));
  }

  shrink(n) {
    this.ring.begin(OP.shrink, n, 0);
    return this.ring.end(this.core.shrink(n));
  }

  synchronizeRcu() {
    this.ring.begin(OP.synchronizeRcu, 0, 0);
    return this.ring.end(this.core.synchronizeRcu());
  }

  /** Entries { tag, perm, id } go to the scratch area, n of them. */
  setacl(path, entries) {
    const bytes = new DataView(this.arena.io.buffer, this.arena.io.byteOffset, entries.length * 8);
    entries.forEach(({ tag, perm, id }, i) => {
      bytes.setUint16(i * 8, tag, true);
      bytes.setUint16(i * 8 + 2, perm, true);
      bytes.setUint32(i * 8 + 4, id, true);
    });
    return this.#one(OP.setacl, path, entries.length, 0, (n) =>
      this.core.sysSetacl(this.ctx, AT_FDCWD, n, entries.length),
    );
  }

  /** A call of `vfs.fs`: its answer, or undefined where it throws one of the codes that may come. */
  viaFs(path, run, ...codes) {
    this.ring.begin(OP.fs, 0, 0, path);
    try {
      const answer = run(this.fs, path.text);
      this.ring.end(0);
      return answer;
    } catch (error) {
      if (!codes.includes(error.code)) throw error;
      this.ring.end(-ERRNO[error.code]);
      return undefined;
    } finally {
      this.counts[COUNT.lookups]++;
    }
  }

  /** `n` bytes of the scratch area as text. */
  text(n) {
    return new TextDecoder().decode(this.arena.io.slice(0, n));
  }

  /** Entries of a getdents answer of `n` bytes: names with their inode numbers. */
  entries(n) {
    const found = [];
    const bytes = this.arena.io.slice(0, n);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < n; ) {
      const length = bytes[at + 9];
      const name = new TextDecoder().decode(bytes.subarray(at + 10, at + 10 + length));
      found.push({ name, ino: view.getFloat64(at, true) });
      at += (10 + length + 7) & ~7;
    }
    return found;
  }
}

/** A thread's own file under a name nobody else uses, made to be renamed into its place. */
export const tempPath = (t, n = 0) => makePath(`/t/tmp/w${t.index}-${n}${"-long".repeat(n * 12)}`);
