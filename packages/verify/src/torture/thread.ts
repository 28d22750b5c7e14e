/**
 * One thread of a torture run: the core's calls on prepared paths, each recorded in the thread's ring, and the ways to
 * report an invariant that does not hold.
 *
 * The calls go to the core's exports and not through `vfs.fs`, so that a call costs what the core costs; `fs` is there beside
 * them, on an attachment of its own.
 *
 * Reads of typed arrays are cast to numbers: their indices are fields of the stat result and offsets of a slot.
 */
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  COUNTER,
  type CoreExports,
  ERRNO,
  MNT_DETACH,
  MS_BIND,
  MS_MOVE,
  RENAME_EXCHANGE,
  STAT,
} from "../../../threadfs/dist/abi/abi.js";
import type { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import type { FsSync, Vfs } from "../../../threadfs/dist/src/index.js";
import { POISON, SLOT_COUNTERS, SLOT_SIZE, SLOTS } from "../arena/layout.js";
import { codeOf } from "../support/defined.js";
import { type Dirent, readDirents } from "../support/dirents.js";
import { COUNT, Counts, makePath, nameWords, OP, type Path, Ring, type SharedState } from "./shared-state.js";

/** Indices of the stat result, as constants of this module: the hot reader reads them at every lookup. */
const { uid: UID, gid: GID, ino: INO, size: SIZE, nlink: NLINK } = STAT;
const { atimeSec: ATIME, mtimeSec: MTIME, mtimeNsec: MTIME_NSEC } = STAT;

/** Address of a slot's counter of walks that ended in ref mode, from the slot's start. */
const ENDED_REF = SLOT_COUNTERS + COUNTER.endedRef * 8;

/** A thread saw a result that no correct tree gives. */
export class InvariantViolation extends Error {}

const ERRNO_NAMES = new Map<number, string>(Object.entries(ERRNO).map(([name, number]) => [-number, name]));

/** A result in words. */
function described(result: number): string {
  return (result < 0 ? ERRNO_NAMES.get(result) : undefined) ?? `${result}`;
}

/** An entry of an ACL in the form of the core's call. */
export interface RawAclEntry {
  readonly tag: number;
  readonly perm: number;
  readonly id: number;
}

/** The clock of an attachment: the thread sets it before each call. */
export interface Clock {
  ms: number;
}

export interface ThreadParts {
  readonly arena: Attachment;
  readonly vfs: Vfs;
  readonly clock: Clock;
  readonly sharedState: SharedState;
  readonly index: number;
  /** Draws a number below its argument. */
  readonly next: (n: number) => number;
}

export class Thread {
  readonly arena: Attachment;
  readonly core: CoreExports;
  readonly vfs: Vfs;
  readonly fs: FsSync;
  readonly clock: Clock;
  readonly index: number;
  readonly next: (n: number) => number;
  readonly counts: Counts;
  readonly ring: Ring;
  /** Words of the names, which all threads share. */
  readonly words: Int32Array;
  /** Words of the scratch area, for contents. */
  readonly io: Int32Array;
  readonly ctx = 0;
  readonly #stats: Float64Array;
  readonly #slotWords: Uint32Array;

  constructor({ arena, vfs, clock, sharedState, index, next }: ThreadParts) {
    this.arena = arena;
    this.core = arena.core;
    this.vfs = vfs;
    this.fs = vfs.fs;
    this.clock = clock;
    this.index = index;
    this.next = next;
    this.#stats = arena.stat;
    this.counts = new Counts(sharedState, index);
    this.ring = new Ring(sharedState, index);
    this.words = nameWords(sharedState);
    this.#slotWords = new Uint32Array(arena.memory.buffer, SLOTS + arena.core.threadSlot() * SLOT_SIZE, SLOT_SIZE / 4);
    this.io = new Int32Array(arena.io.buffer, arena.io.byteOffset, arena.io.byteLength / 4);
  }

  /** The owner that the last stat showed; the getters below show its other fields. */
  get uid(): number {
    return this.#stats[UID] as number;
  }

  get gid(): number {
    return this.#stats[GID] as number;
  }

  get ino(): number {
    return this.#stats[INO] as number;
  }

  get size(): number {
    return this.#stats[SIZE] as number;
  }

  get links(): number {
    return this.#stats[NLINK] as number;
  }

  get atime(): number {
    return this.#stats[ATIME] as number;
  }

  get mtime(): number {
    return this.#stats[MTIME] as number;
  }

  get mtimeNsec(): number {
    return this.#stats[MTIME_NSEC] as number;
  }

  /** Walks of this thread that ended in ref mode, as its slot counts them. */
  refWalks(): number {
    return this.#slotWords[ENDED_REF >>> 2] as number;
  }

  /** @throws InvariantViolation */
  fail(message: string): never {
    throw new InvariantViolation(message);
  }

  /** The call must return one of these errors, or a number >= 0, which is returned. */
  must(result: number, call: string, ...allowed: readonly number[]): number {
    if (result < 0 && !allowed.includes(-result)) this.fail(`${call} returns ${described(result)}`);
    return result;
  }

  /** Attributes of a path; when it returns 0, the getters show them. */
  stat(path: Path, flags = 0, ctx = this.ctx): number {
    this.ring.begin(flags & AT_SYMLINK_NOFOLLOW ? OP.lstat : OP.stat, ctx, 0, path);
    this.arena.path.set(path.bytes);
    const result = this.ring.end(this.core.sysStat(ctx, AT_FDCWD, path.length, flags));
    this.counts.add(COUNT.lookups);
    if (result === 0) {
      this.counts.add(COUNT.found);
      if (this.uid === POISON || this.gid === POISON) this.fail(`${path.text} shows freed memory`);
    }
    return result;
  }

  access(path: Path, mode: number, ctx = this.ctx): number {
    this.ring.begin(OP.access, mode, ctx, path);
    this.arena.path.set(path.bytes);
    this.counts.add(COUNT.lookups);
    return this.ring.end(this.core.sysAccess(ctx, AT_FDCWD, path.length, mode, 0));
  }

  /** A call with one path, whose length `call` gets. */
  #one(op: number, path: Path, a: number, b: number, call: (length: number) => number): number {
    this.ring.begin(op, a, b, path);
    this.arena.path.set(path.bytes);
    return this.ring.end(call(path.length));
  }

  #two(op: number, path: Path, path2: Path, a: number, call: (length: number, length2: number) => number): number {
    this.ring.begin(op, a, 0, path, path2);
    this.arena.path.set(path.bytes);
    this.arena.path2.set(path2.bytes);
    return this.ring.end(call(path.length, path2.length));
  }

  open(path: Path, flags: number, mode = 0o644, ctx = this.ctx): number {
    return this.#one(OP.open, path, flags, ctx, (n) => this.core.sysOpen(ctx, AT_FDCWD, n, flags, mode));
  }

  close(fd: number, ctx = this.ctx): number {
    this.ring.begin(OP.close, fd, ctx);
    return this.ring.end(this.core.sysClose(ctx, fd));
  }

  /** Reads into the scratch area's words (`io`). */
  read(fd: number, offset: number, bytes: number, ctx = this.ctx): number {
    this.ring.begin(OP.read, fd, offset);
    this.counts.add(COUNT.reads);
    return this.ring.end(this.core.sysRead(ctx, fd, offset, bytes));
  }

  write(fd: number, offset: number, bytes: number, ctx = this.ctx): number {
    this.ring.begin(OP.write, fd, bytes);
    return this.ring.end(this.core.sysWrite(ctx, fd, offset, bytes));
  }

  fstat(fd: number, ctx = this.ctx): number {
    this.ring.begin(OP.fstat, fd, ctx);
    return this.ring.end(this.core.sysFstat(ctx, fd));
  }

  getdents(fd: number, ctx = this.ctx): number {
    this.ring.begin(OP.getdents, fd, ctx);
    return this.ring.end(this.core.sysGetdents(ctx, fd, 0, -1));
  }

  ftruncate(fd: number, size: number, ctx = this.ctx): number {
    this.ring.begin(OP.ftruncate, fd, size);
    return this.ring.end(this.core.sysFtruncate(ctx, fd, size));
  }

  readlink(path: Path): number {
    return this.#one(OP.readlink, path, 0, 0, (n) => this.core.sysReadlink(this.ctx, AT_FDCWD, n));
  }

  mkdir(path: Path, mode = 0o755): number {
    return this.#one(OP.mkdir, path, mode, 0, (n) => this.core.sysMkdir(this.ctx, AT_FDCWD, n, mode));
  }

  rmdir(path: Path): number {
    return this.#one(OP.rmdir, path, 0, 0, (n) => this.core.sysUnlink(this.ctx, AT_FDCWD, n, AT_REMOVEDIR));
  }

  unlink(path: Path): number {
    return this.#one(OP.unlink, path, 0, 0, (n) => this.core.sysUnlink(this.ctx, AT_FDCWD, n, 0));
  }

  rename(from: Path, to: Path, flags = 0): number {
    const op = flags & RENAME_EXCHANGE ? OP.exchange : OP.rename;
    const result = this.#two(op, from, to, flags, (n, m) =>
      this.core.sysRename(this.ctx, AT_FDCWD, n, AT_FDCWD, m, flags),
    );
    if (result === 0) this.counts.add(COUNT.renames);
    return result;
  }

  exchange(a: Path, b: Path): number {
    return this.rename(a, b, RENAME_EXCHANGE);
  }

  link(from: Path, to: Path): number {
    return this.#two(OP.link, from, to, 0, (n, m) => this.core.sysLink(this.ctx, AT_FDCWD, n, AT_FDCWD, m, 0));
  }

  symlink(body: Path, path: Path): number {
    return this.#two(OP.symlink, body, path, 0, (n, m) => this.core.sysSymlink(this.ctx, n, AT_FDCWD, m));
  }

  chmod(path: Path, mode: number): number {
    return this.#one(OP.chmod, path, mode, 0, (n) => this.core.sysChmod(this.ctx, AT_FDCWD, n, mode, 0));
  }

  chown(path: Path, uid: number, gid: number, ctx = this.ctx): number {
    return this.#one(OP.chown, path, uid, gid, (n) => this.core.sysChown(ctx, AT_FDCWD, n, uid, gid, 0));
  }

  truncate(path: Path, size: number): number {
    return this.#one(OP.truncate, path, size, 0, (n) => this.core.sysTruncate(this.ctx, AT_FDCWD, n, size));
  }

  utimes(path: Path, atime: number, mtime: number): number {
    return this.#one(OP.utimes, path, atime, mtime, (n) =>
      this.core.sysUtimens(this.ctx, AT_FDCWD, n, atime, 0, mtime, 0, 0),
    );
  }

  /** Mounts a fresh in-memory file system, or a driver's (its number). */
  mount(path: Path, type = 0, ctx = this.ctx): number {
    this.counts.add(COUNT.mounts);
    return this.#one(OP.mount, path, type, ctx, (n) => this.core.sysMountNew(ctx, n, type, 0, 0, 0, 0));
  }

  bind(from: Path, to: Path): number {
    this.counts.add(COUNT.mounts);
    return this.#two(OP.bind, from, to, 0, (n, m) => this.core.sysMount(this.ctx, n, m, MS_BIND));
  }

  moveMount(from: Path, to: Path): number {
    return this.#two(OP.move, from, to, 0, (n, m) => this.core.sysMount(this.ctx, n, m, MS_MOVE));
  }

  umount(path: Path, detach: boolean, ctx = this.ctx): number {
    return this.#one(OP.umount, path, detach ? 1 : 0, ctx, (n) => this.core.sysUmount(ctx, n, detach ? MNT_DETACH : 0));
  }

  chdir(path: Path, ctx: number, dirfd = AT_FDCWD): number {
    return this.#one(OP.chdir, path, ctx, dirfd, (n) => this.core.sysChdir(ctx, dirfd, n));
  }

  chroot(path: Path, ctx: number, dirfd = AT_FDCWD): number {
    return this.#one(OP.chroot, path, ctx, dirfd, (n) => this.core.sysChroot(ctx, dirfd, n));
  }

  /** The working directory's path, or -errno. */
  getcwd(ctx: number): string | number {
    this.ring.begin(OP.getcwd, ctx, 0);
    const n = this.ring.end(this.core.sysGetcwd(ctx));
    return n < 0 ? n : this.text(n);
  }

  /** @param unshare CLONE_NEWNS: with mounts of its own */
  contextCreate(uid: number, unshare = 0): number {
    this.ring.begin(OP.contextCreate, uid, unshare);
    const ctx = this.core.contextCreate(this.ctx, uid, uid, 0o022, 0, -1, 0, unshare);
    // Other threads use it when this one has ended.
    if (ctx >= 0) this.core.contextKeep(ctx);
    return this.ring.end(ctx);
  }

  contextDestroy(ctx: number): number {
    this.ring.begin(OP.contextDestroy, ctx, 0);
    return this.ring.end(this.core.contextDestroy(ctx));
  }

  shrink(n: number): number {
    this.ring.begin(OP.shrink, n, 0);
    return this.ring.end(this.core.shrink(0, n));
  }

  synchronizeRcu(): number {
    this.ring.begin(OP.synchronizeRcu, 0, 0);
    return this.ring.end(this.core.synchronizeRcu());
  }

  /** Sets an ACL, whose entries go through the scratch area. */
  setacl(path: Path, entries: readonly RawAclEntry[]): number {
    const bytes = new DataView(this.arena.io.buffer, this.arena.io.byteOffset, entries.length * 8);
    entries.forEach(({ tag, perm, id }, i) => {
      bytes.setUint16(i * 8, tag, true);
      bytes.setUint16(i * 8 + 2, perm, true);
      bytes.setUint32(i * 8 + 4, id, true);
    });
    return this.#one(OP.setacl, path, entries.length, 0, (n) =>
      this.core.sysSetacl(this.ctx, AT_FDCWD, n, entries.length, 0),
    );
  }

  /** A call of `vfs.fs`: its result, or undefined where it throws one of the codes that are allowed. */
  viaFs<T>(path: Path, run: (fs: FsSync, path: string) => T, ...codes: readonly (keyof typeof ERRNO)[]): T | undefined {
    this.ring.begin(OP.fs, 0, 0, path);
    try {
      const result = run(this.fs, path.text);
      this.ring.end(0);
      return result;
    } catch (error) {
      const code = codes.find((allowed) => allowed === codeOf(error));
      if (code === undefined) throw error;
      this.ring.end(-ERRNO[code]);
      return undefined;
    } finally {
      this.counts.add(COUNT.lookups);
    }
  }

  /** `n` bytes of the scratch area as text. */
  text(n: number): string {
    return new TextDecoder().decode(this.arena.io.slice(0, n));
  }

  /** The entries of a getdents result of `n` bytes. */
  entries(n: number): Dirent[] {
    return readDirents(this.arena.io, n);
  }
}

/** A thread's own temporary name: the thread makes a file there and renames it into its place. */
export function tempPath(t: Thread, n: number): Path {
  return makePath(`/t/tmp/w${t.index}-${n}${"-long".repeat(n * 12)}`);
}
