/**
 * Contexts: credentials, root, working directory, umask and descriptors of their own, over the one tree. A context
 * lives in the shared memory until it is closed; its handle passes it to another thread.
 */

import * as ERRNO from "../../abi/errno.js";
import { AT_FDCWD, CLONE_NEWNS, ID_UNCHANGED, UMASK_UNCHANGED } from "../../abi/flags.js";
import { IO_SIZE, MAX_CONTEXTS } from "../../abi/limits.js";
import { ABI_VERSION } from "../../abi/memory.js";
import { CAPS_OF_MAKER, CAPS_OF_UID, OF_MAKER } from "../../abi/permissions.js";
import { type Attachment, STATE_PANIC } from "../bridge/attachment.js";
import type { VfsHandle } from "../bridge/handle.js";
import { cloneRefusal, type KeysOf, readOptions, refuseCloning } from "../bridge/options.js";
import type { Url } from "../bridge/wasm.js";
import { codedError, invalidArgType, invalidArgValue, systemCallError } from "../errors/errors.js";
import {
  type DirectoryJSON,
  fromJson,
  fromNestedJson,
  type JsonOf,
  type JsonPaths,
  type NestedDirectoryJSON,
  removeAll,
  toJson,
} from "../load-save/json.js";
import { toFd, toInteger, toMode, toPath } from "../node-fs/args.js";
import { makeLinux } from "../node-fs/linux/linux.js";
import { toResolve } from "../node-fs/linux/resolve.js";
import type { LinuxCalls, OpenHow, ResolveFlag } from "../node-fs/linux/types.js";
import { FileLocks } from "../node-fs/locks/locks.js";
import type { AsyncLockOptions, FlockType, HeldLock, LockOptions, RangeLock } from "../node-fs/locks/types.js";
import { makeFs } from "../node-fs/surface/fs.js";
import { SystemCalls } from "../node-fs/system-calls.js";
import type { Bytes, Fs, PathLike } from "../node-fs/types.js";
import { type AclEntry, type AclOptions, getfacl, setfacl } from "./acl.js";
import { explain } from "./explain/explain.js";
import type { Explanation } from "./explain/explanation.js";
import type { ExplainOptions } from "./explain/options.js";
import { type MountOptions, mount, pivotRoot, type UmountOptions, umount } from "./mount.js";
import { listMounts, type MountInfo, mountinfo } from "./mount-list.js";

/**
 * The properties of a new context. Default: those of the context that creates it, its maker; in a new tree that is uid 0,
 * umask 0o022, "/". A context never has more than its maker.
 */
export interface ContextOptions {
  /** User. Another one than the maker's needs CAP_SETUID. */
  uid?: number | undefined;
  /** Group. Another one than the maker's needs CAP_SETGID. */
  gid?: number | undefined;
  /** Supplementary groups. Other ones than the maker's need CAP_SETGID. */
  groups?: readonly number[] | undefined;
  umask?: number | undefined;
  /** Working directory, as seen from `root`. The maker must be allowed to enter it. Default with `root`: that root. */
  cwd?: PathLike | undefined;
  /** Root directory, as seen from the maker. Needs CAP_SYS_CHROOT. */
  root?: PathLike | undefined;
  /**
   * Bit mask of Linux's capabilities, `1 << 7` for CAP_SETUID ..., all of which the maker must have. Default, as after
   * execve(2): all that the maker has for uid 0, none for others.
   */
  caps?: number | undefined;
  /**
   * What the walks of all calls of the context may pass, beside what {@link LinuxCalls.openat2} asks for; contexts that it creates have it too.
   *
   * Without it a directory that was moved out of the context's root, by a supervisor or another context, leads up to the tree's root if the context has
   * it as its working directory or open, as in Linux. "beneath": whatever leads out of the root is EXDEV: ".." at the root, a relative path
   * that starts in such a directory, the absolute body of a link; a walk under which a directory is moved away does not go along.
   * A path that begins with a slash starts at the root, and is beneath it. "in-root": ".." stays where it is at the root and in such a directory, which
   * stays usable; the absolute body of a link starts at the root. "no-symlinks": links are ELOOP. "no-xdev": what is on
   * another mount than the start of a path is EXDEV. "no-magiclinks" refuses nothing yet: there are no magic links.
   *
   * docs/containment.md has a guide. "cached" is for single calls.
   */
  resolve?: Exclude<ResolveFlag, "cached"> | readonly Exclude<ResolveFlag, "cached">[] | undefined;
  /**
   * "own": the context, and those that it creates, have a namespace of mounts of their own (unshare(2), CLONE_NEWNS): a copy of the maker's, in which the context's
   * root and working directory are. What is mounted and unmounted in one namespace is not seen in the other, but for what shared mounts propagate: the copy of a
   * shared mount is its peer, and that of a slave is a slave of the same group (mount_namespaces(7)). The namespace ends, with its mounts, when the last of its contexts is
   * closed. Default: the maker's namespace. Needs CAP_SYS_ADMIN. ENOSPC if a shared mount would have too many peers and
   * slaves.
   */
  mounts?: "own" | undefined;
}

const CONTEXT_OPTIONS: KeysOf<ContextOptions> = {
  uid: true,
  gid: true,
  groups: true,
  umask: true,
  cwd: true,
  root: true,
  caps: true,
  resolve: true,
  mounts: true,
};

const MAX_GROUPS = IO_SIZE / 4;

/** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE */
function toUmask(mask: unknown, name: string): number {
  // toMode() calls it undefined, as Node does.
  if (mask === null) throw invalidArgType(name, "of type number", mask);
  return toMode(mask, name) & 0o777;
}

const HANDLE_REFUSAL = /* @__PURE__ */ cloneRefusal(
  "This tree was created with { singleThreaded: true }, so no other thread can attach to it. Leave the option out, on a page that is " +
    "cross-origin isolated",
);
const CONTEXT_REFUSAL = /* @__PURE__ */ cloneRefusal(
  "A Context cannot be cloned: post its `handle` and pass that to attachVfs() in the other thread",
);

/** A context in this thread. */
export class Context {
  readonly #attachment: Attachment;
  readonly #calls: SystemCalls;
  readonly #locks: FileLocks;
  readonly #owned: boolean;
  /** Made at its first use: many contexts only lend their handle. */
  #fs: Fs | undefined;
  #linux: LinuxCalls | undefined;
  /** Whether the context ends with this thread, because no other one can have its handle. */
  #endsWithThread: boolean;

  /** @internal */
  constructor(attachment: Attachment, ctx: number, owned: boolean) {
    this.#attachment = attachment;
    this.#calls = new SystemCalls(attachment, ctx);
    this.#locks = new FileLocks(this.#calls);
    this.#owned = owned;
    this.#endsWithThread = owned;
    refuseCloning(this, CONTEXT_REFUSAL);
  }

  /** The calls of `node:fs`, made by this context. */
  get fs(): Fs {
    this.#fs ??= makeFs(this.#calls);
    return this.#fs;
  }

  /** The calls that Linux has and `node:fs` has not, made by this context. */
  get linux(): LinuxCalls {
    this.#linux ??= makeLinux(this.#calls, () => this.fs);
    return this.#linux;
  }

  /**
   * The calls of `node:fs` with relative paths that start at an open directory, as openat(2) has it, whatever that directory is called by
   * now. An absolute path still starts at the root, and ".." leads out: nothing is confined.
   * @param fd stays the caller's: calls with relative paths fail with EBADF when it is closed
   * @throws system call errors with syscall "openat": EBADF, ENOTDIR
   */
  at(fd: number): Fs {
    return makeFs(this.#calls.at(toFd(fd)));
  }

  /** {@link LinuxCalls.openat2Sync} of this context. */
  openat2Sync(dir: number | null, path: PathLike, how?: OpenHow): number {
    return this.linux.openat2Sync(dir, path, how);
  }

  /** {@link LinuxCalls.openat2} of this context. */
  openat2(dir: number | null, path: PathLike, how?: OpenHow): Promise<number> {
    return this.linux.openat2(dir, path, how);
  }

  /**
   * Post this to a worker and pass it to `attachVfs`: the `fs` there is then this context's. A context whose handle was read
   * no longer ends with the thread that created it: only {@link close} and {@link Vfs.contexts} end it.
   * @throws Error ERR_THREADFS_REENTERED in a hook, unless it was read before
   */
  get handle(): VfsHandle {
    const { module, memory } = this.#attachment;
    if (this.#endsWithThread && this.#canEnd) {
      this.#attachment.check();
      this.#attachment.core.contextKeep(this.#calls.ctx);
      this.#endsWithThread = false;
    }
    const handle = { module, memory, version: ABI_VERSION, ctx: this.#calls.ctx };
    // The refusal comes first: Firefox clones the properties in their order, and refuses the memory by an error of its own.
    return this.#attachment.alone ? Object.assign(refuseCloning({}, HANDLE_REFUSAL), handle) : handle;
  }

  /** @internal */
  get calls(): SystemCalls {
    return this.#calls;
  }

  /** {@link Vfs.explain} of a walk of this context. */
  explain(path: PathLike, options?: ExplainOptions): Promise<Explanation> {
    return explain(this.#calls, path, options);
  }

  /** Changes the working directory (chdir(2)). @throws system call errors with syscall "chdir" */
  chdir(path: PathLike): void {
    const checked = toPath(path);
    const length = this.#calls.putPath(checked, "chdir");
    this.#calls.check(this.#calls.core.sysChdir(this.#calls.ctx, AT_FDCWD, length), "chdir", checked);
  }

  /**
   * Changes the root directory (chroot(2)); the working directory stays. @throws system call errors with syscall
   * "chroot"
   */
  chroot(path: PathLike): void {
    const checked = toPath(path);
    const length = this.#calls.putPath(checked, "chroot");
    this.#calls.check(this.#calls.core.sysChroot(this.#calls.ctx, AT_FDCWD, length), "chroot", checked);
  }

  /**
   * Moves the mount that is this context's root to another place, and makes a mount below it the root (pivot_root(2)). A working directory that
   * was the old root becomes the new one. Other contexts keep their roots, where in Linux all processes follow that had the old one.
   * @param newRoot the place of a mount
   * @param putOld a directory at `newRoot` or below it
   * @throws system call errors with syscall "pivot_root": EBUSY if one of the two is in the mount that is the root, EINVAL where the root is not
   * the place of a mount, or that of the whole tree, which stands on nothing; where `newRoot` is no mount, or `putOld` is not below it; ENOTDIR; EPERM without
   * CAP_SYS_ADMIN
   */
  pivotRoot(newRoot: PathLike, putOld: PathLike): void {
    pivotRoot(this.#calls, newRoot, putOld);
  }

  /** Sets the umask if one is given. Returns the previous one, as Node's process.umask. */
  umask(mask?: number | string): number {
    this.#calls.checkOpen();
    const set = mask === undefined ? UMASK_UNCHANGED : toUmask(mask, "mask");
    return this.#calls.check(this.#calls.core.sysUmask(this.#calls.ctx, set), "umask");
  }

  /** The working directory's path (getcwd(2)). @throws ENOENT when it was removed */
  getcwd(): string {
    return this.#calls.cwd();
  }

  /**
   * Locks a whole file for the open file description of a descriptor, or unlocks it (flock(2)). "sh" and "ex" wait until the lock is to be
   * had. A lock of the other type is exchanged, which is not atomic: while the call waits, and if it fails, there is none. The lock ends when the description's last descriptor is
   * closed.
   * @throws system call errors with syscall "flock": EAGAIN with `nonblocking`, ENOLCK; Error ERR_THREADFS_TIMEOUT
   */
  flockSync(fd: number, type: FlockType, options?: LockOptions): void {
    this.#locks.flockSync(fd, type, options);
  }

  /** The same, without blocking the thread. @throws as {@link flockSync}; Error AbortError */
  flock(fd: number, type: FlockType, options?: AsyncLockOptions): Promise<void> {
    return this.#locks.flock(fd, type, options);
  }

  /**
   * Locks or unlocks a range of a file (fcntl(2), F_SETLKW; with `nonblocking` F_SETLK; with `lock.ofd` their OFD forms). A "rd" lock needs a
   * descriptor that is open for reading, a "wr" lock one that is open for writing.
   * @throws system call errors with syscall "fcntl": EAGAIN with `nonblocking`, EDEADLK if the owner of a lock waits, itself or by others, for a lock of
   * this context, EBADF, EINVAL, ENOLCK; Error ERR_THREADFS_TIMEOUT
   */
  fcntlLockSync(fd: number, lock: RangeLock, options?: LockOptions): void {
    this.#locks.setSync(fd, lock, options);
  }

  /** The same, without blocking the thread. @throws as {@link fcntlLockSync}; Error AbortError */
  fcntlLock(fd: number, lock: RangeLock, options?: AsyncLockOptions): Promise<void> {
    return this.#locks.set(fd, lock, options);
  }

  /**
   * The first lock of another owner that keeps a lock on a range from being granted (fcntl(2), F_GETLK); undefined: there is none.
   * @throws system call errors with syscall "fcntl": EBADF, EINVAL
   */
  getLockSync(fd: number, lock: RangeLock): HeldLock | undefined {
    return this.#locks.getSync(fd, lock);
  }

  /** The same, without blocking the thread. @throws as {@link getLockSync} */
  getLock(fd: number, lock: RangeLock): Promise<HeldLock | undefined> {
    return this.#locks.get(fd, lock);
  }

  /** {@link Vfs.mount} by this context, in its namespace. */
  mount(source: PathLike | null, target: PathLike, type: string, options?: MountOptions): void {
    mount(this.#calls, source, target, type, options);
  }

  /** {@link Vfs.umount} by this context, in its namespace. */
  umount(target: PathLike, options?: UmountOptions): void {
    umount(this.#calls, target, options);
  }

  /** {@link Vfs.mounts}: those below this context's root, as seen from it. */
  mounts(): MountInfo[] {
    return listMounts(this.#calls);
  }

  /** {@link Vfs.mountinfo}: of the mounts below this context's root. */
  mountinfo(): string {
    return mountinfo(this.#calls);
  }

  /** {@link Vfs.setfacl} */
  setfacl(path: PathLike, entries: readonly AclEntry[], options?: AclOptions): void {
    setfacl(this.#calls, path, entries, options);
  }

  /** {@link Vfs.getfacl} */
  getfacl(path: PathLike, options?: AclOptions): AclEntry[] {
    return getfacl(this.#calls, path, options);
  }

  /** {@link Vfs.fromJSON} */
  fromJSON(json: DirectoryJSON, cwd?: string | Url): void {
    fromJson(this.fs, json, cwd);
  }

  /** {@link Vfs.fromNestedJSON} */
  fromNestedJSON(json: NestedDirectoryJSON, cwd?: string | Url): void {
    fromNestedJson(this.fs, json, cwd);
  }

  /** {@link Vfs.toJSON} */
  toJSON(paths?: JsonPaths, json?: object, isRelative?: boolean, asBuffer?: false): JsonOf<string>;
  toJSON(paths: JsonPaths, json: object | undefined, isRelative: boolean | undefined, asBuffer: true): JsonOf<Bytes>;
  toJSON(paths?: JsonPaths, json?: object, isRelative?: boolean, asBuffer?: boolean): JsonOf<string | Bytes>;
  toJSON(paths?: JsonPaths, json?: object, isRelative?: boolean, asBuffer?: boolean): JsonOf<string | Bytes> {
    return toJson(this.fs, paths, json, isRelative, asBuffer) as JsonOf<string | Bytes>;
  }

  /** {@link Vfs.reset}: what is below this context's root. */
  reset(): void {
    removeAll(this.fs);
  }

  /**
   * Closes the context in this thread. The thread that created it also removes it and its descriptors from the tree. A context
   * whose handle was never read ends with that thread at the latest.
   * Idempotent; later calls of its `fs` fail with ERR_THREADFS_CLOSED.
   * @throws Error ERR_THREADFS_REENTERED in a hook, ERR_THREADFS_TIMEOUT: it is still open
   */
  close(): void {
    if (this.#calls.closed) return;
    if (this.#owned) this.#destroy();
    this.#calls.close();
  }

  /** The {@link Vfs} that made it is closed: no part of the program can use the context in this thread any more. @internal */
  closeWithMaker(): void {
    if (this.#calls.closed) return;
    // With the handle another thread may go on.
    if (this.#endsWithThread) this.#destroy();
    this.#calls.close();
  }

  #destroy(): void {
    if (!this.#canEnd) return;
    this.#attachment.check();
    this.#attachment.core.contextDestroy(this.#calls.ctx);
  }

  /** Whether this thread can end the context, or keep it: its detaching does so itself, after a panic the recovery. */
  get #canEnd(): boolean {
    return !this.#attachment.closed && this.#attachment.state !== STATE_PANIC;
  }
}

interface Credentials {
  uid: number;
  gid: number;
  /** undefined: the maker's. */
  groups?: Uint32Array | undefined;
  umask: number;
  caps: number;
  resolve: number;
  /** CLONE_* bits: what the context has for itself. */
  unshare: number;
}

/** All of the maker's. */
const SAME: Credentials = {
  ...{ uid: ID_UNCHANGED, gid: ID_UNCHANGED, umask: OF_MAKER, caps: CAPS_OF_MAKER },
  ...{ resolve: 0, unshare: 0 },
};
const MAX_ID = 2 ** 32 - 2;

/** A copy: an array's length and elements may be getters of the caller's. */
function groupsOf(groups: unknown): Uint32Array {
  if (!Array.isArray(groups)) throw invalidArgType("options.groups", "an instance of Array", groups);
  const checked = new Uint32Array(toInteger(groups.length, "options.groups.length", 0, MAX_GROUPS));
  for (let i = 0; i < checked.length; i++) checked[i] = toInteger(groups[i], "options.groups", 0, MAX_ID);
  return checked;
}

function credentialsOf(options: Partial<ContextOptions>): Credentials {
  const { uid, gid, groups, umask, caps, resolve, mounts } = options;
  if (mounts !== undefined && mounts !== "own") throw invalidArgValue("options.mounts", mounts, 'must be "own"');
  return {
    uid: uid === undefined ? ID_UNCHANGED : toInteger(uid, "options.uid", 0, MAX_ID),
    gid: gid === undefined ? ID_UNCHANGED : toInteger(gid, "options.gid", 0, MAX_ID),
    groups: groups === undefined ? undefined : groupsOf(groups),
    umask: umask === undefined ? OF_MAKER : toUmask(umask, "options.umask"),
    caps: caps === undefined ? CAPS_OF_UID : toInteger(caps, "options.caps", 0, 2 ** 31 - 1),
    resolve: toResolve(resolve, "options.resolve", "cached"),
    unshare: mounts === "own" ? CLONE_NEWNS : 0,
  };
}

function create(attachment: Attachment, from: number, credentials: Credentials): number {
  const { uid, gid, groups, umask, caps, resolve, unshare } = credentials;
  if (groups !== undefined) {
    new Uint32Array(attachment.io.buffer, attachment.io.byteOffset, groups.length).set(groups);
  }
  const count = groups === undefined ? OF_MAKER : groups.length;
  const made = attachment.core.contextCreate(from, uid, gid, umask, count, caps, resolve, unshare);
  if (made >= 0) return made;
  const cause = systemCallError(made, "context");
  if (made !== -ERRNO.EAGAIN) throw cause;
  const message =
    `The tree has ${MAX_CONTEXTS} contexts, and no room for more. Call close() of those that are done; ` +
    "vfs.contexts() lists all of them, with the number of their threads";
  throw codedError(Error, "ERR_THREADFS_CONTEXTS", message, { cause });
}

/**
 * Creates a context. A copy of the maker changes root and working directory with the maker's credentials; then the context
 * is created from that copy. So it may start in a directory that it could not enter itself.
 * @throws system call errors: EPERM for what the maker may not give, and those of chroot(2) and chdir(2); Error
 * ERR_THREADFS_CONTEXTS if there are too many
 * @internal
 */
export function createContext(attachment: Attachment, from: number, given: unknown): Context {
  attachment.check();
  const options = readOptions<ContextOptions>(given, CONTEXT_OPTIONS);
  const credentials = credentialsOf(options);
  if (options.root === undefined && options.cwd === undefined) {
    return new Context(attachment, create(attachment, from, credentials), true);
  }
  const copy = create(attachment, from, SAME);
  const prepared = new Context(attachment, copy, true);
  try {
    if (options.root !== undefined) prepared.chroot(options.root);
    prepared.chdir(options.cwd ?? "/");
    return new Context(attachment, create(attachment, copy, credentials), true);
  } finally {
    prepared.close();
  }
}

/** What {@link Vfs.contexts} says of a context. */
export interface ContextInfo {
  /** The number in its handle (`handle.ctx`). */
  readonly ctx: number;
  readonly uid: number;
  readonly gid: number;
  /** How many threads have attached with its handle and have not ended. */
  readonly threads: number;
  /** Closes the context, whichever thread created it. @throws EPERM, EINVAL for the tree's own; EBADF: it does not exist */
  close(): void;
}

/** All contexts of the tree. @throws EPERM without CAP_SYS_ADMIN. @internal */
export function listContexts(attachment: Attachment, calls: SystemCalls): ContextInfo[] {
  calls.checkOpen();
  const list: ContextInfo[] = [];
  for (let place = 0; place < MAX_CONTEXTS; place++) {
    place = calls.core.contextList(calls.ctx, place);
    if (place === -ERRNO.ENOENT) break;
    calls.check(place, "contexts");
    const [ctx = 0, uid = 0, gid = 0, threads = 0] = attachment.ioNumbers;
    const close = () => {
      calls.checkOpen();
      calls.check(calls.core.contextClose(calls.ctx, ctx), "close");
    };
    list.push({ ctx, uid, gid, threads, close });
  }
  return list;
}
