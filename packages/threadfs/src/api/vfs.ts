/** A tree in one thread: creates it, attaches to it, and does what concerns the tree as a whole. */

import { COUNTERS } from "../../abi/abi.js";
import type { Attachment } from "../bridge/attachment.js";
import type { VfsHandle } from "../bridge/handle.js";
import type { HostOptions } from "../bridge/host-imports.js";
import { cloneRefusal, flagOption, readOptions, refuseCloning } from "../bridge/options.js";
import { exitIsProof, isWorker, type WorkerLike } from "../bridge/threads.js";
import { unref } from "../bridge/waiting.js";
import type { CoreModule, Url } from "../bridge/wasm.js";
import { hostLocks, pollLocks } from "../bridge/web-locks.js";
import { codedError, invalidArgType, systemCallError } from "../errors/errors.js";
import { exportDirectory, importDirectory } from "../load-save/directory.js";
import type { DirectoryJSON, JsonOf, JsonPaths, NestedDirectoryJSON } from "../load-save/json.js";
import type { Snapshot, SnapshotOptions } from "../load-save/snapshot/snapshot.js";
import { takeSnapshot } from "../load-save/snapshot/take.js";
import type { CopyOptions, CopyResult, DirectoryPath, SnapshotSource } from "../load-save/types.js";
import { toInteger, toPath } from "../node-fs/args.js";
import type { LinuxCalls, OpenHow } from "../node-fs/linux/types.js";
import type { AsyncLockOptions, FlockType, HeldLock, LockOptions, RangeLock } from "../node-fs/locks/types.js";
import type { SystemCalls } from "../node-fs/system-calls.js";
import type { Bytes, Fs, PathLike } from "../node-fs/types.js";
import { type ChangeEvent, type ChangesOptions, followChanges } from "../node-fs/watch/changes.js";
import type { AclEntry, AclOptions } from "./acl.js";
import type { CacheOptions } from "./caches.js";
import { Context, type ContextInfo, type ContextOptions, createContext, listContexts } from "./context.js";
import type { Driver } from "./driver.js";
import type { Explanation } from "./explain/explanation.js";
import type { ExplainOptions } from "./explain/options.js";
import { type LimitOptions, type MountOptions, mount, type UmountOptions, umount } from "./mount.js";
import type { MountInfo } from "./mount-list.js";
import type { ProtectOptions } from "./protect.js";

/** Options of `createVfs`. Limits are those of the file system at "/". */
export interface CreateOptions extends HostOptions, LimitOptions, ProtectOptions, CacheOptions {
  /**
   * Most bytes that the tree may use, 2 MiB to 4 GiB - 64 KiB. Address space is reserved at once, memory is used as
   * needed.
   */
  maxBytes: number;
  /**
   * Whether the tree is for the thread that creates it alone. Such a tree can be created on a page that is not cross-origin isolated,
   * whose threads share no memory; its handle can be passed to {@link attachVfs} in this thread, and not be posted. Default: no.
   */
  singleThreaded?: boolean | undefined;
  /** Another build of the core from `loadCore`: the debug build, for tests and tracing. */
  core?: CoreModule | undefined;
  /**
   * The files of the tree: the bytes of a snapshot ({@link Vfs.snapshot}), or their pieces in order, such as a stream of a file.
   * Default: the tree is empty.
   */
  snapshot?: SnapshotSource | undefined;
}

/** Counters of all threads together, by the names in `COUNTERS` (abi.ts). */
export type Counters = Record<(typeof COUNTERS)[number], number>;

const VFS_REFUSAL = /* @__PURE__ */ cloneRefusal(
  "A Vfs cannot be cloned: post `vfs.handle` and pass that to attachVfs() in the other thread",
);

/** One thread's attachment to a tree. */
export class Vfs {
  readonly #attachment: Attachment;
  readonly #context: Context;
  readonly #leave: () => void;
  /** The contexts made here, which are closed in this thread with this object. */
  readonly #made = new Set<Context>();
  #stopWatching: (() => void)[] = [];

  /** @internal `leave`: leaves the thread's attachment, which others may share */
  constructor(attachment: Attachment, ctx: number, leave: () => void = () => attachment.close()) {
    this.#attachment = attachment;
    this.#leave = leave;
    this.#context = new Context(attachment, ctx, false);
    refuseCloning(this, VFS_REFUSAL);
  }

  /** The calls of `node:fs` on this tree, made by the handle's context. In a new tree that is root. */
  get fs(): Fs {
    return this.#context.fs;
  }

  /** The system calls of the handle's context. @internal */
  get calls(): SystemCalls {
    return this.#context.calls;
  }

  /** {@link Context.linux} of the handle's context. */
  get linux(): LinuxCalls {
    return this.#context.linux;
  }

  /** {@link Context.at} of the handle's context. */
  at(fd: number): Fs {
    return this.#context.at(fd);
  }

  /** {@link Context.openat2Sync} of the handle's context. */
  openat2Sync(dir: number | null, path: PathLike, how?: OpenHow): number {
    return this.#context.openat2Sync(dir, path, how);
  }

  /** {@link Context.openat2} of the handle's context. */
  openat2(dir: number | null, path: PathLike, how?: OpenHow): Promise<number> {
    return this.#context.openat2(dir, path, how);
  }

  /**
   * Explains a lookup: each step of the walk, its mode, the sequence numbers that it reads and compares, who decides on each
   * permission, and why it leaves rcu mode or starts again. The walk is made for that, by this thread in the handle's context, in the debug build of the
   * core, which is loaded at the first call; a promise, because that may take a request. So what it says is true of this walk: another
   * thread may have changed the tree since a call that failed. It counts as a lookup in {@link counters}; the security hook and
   * drivers are asked as ever, the audit hook is not called. An error of the walk is in {@link Explanation.error}, and rejects nothing.
   * `String()` of the explanation is a text.
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE for bad options; Error ERR_THREADFS_CORE: the debug
   * build is not found, or is another one; ERR_THREADFS_REENTERED in a hook; ERR_THREADFS_TIMEOUT
   */
  explain(path: PathLike, options?: ExplainOptions): Promise<Explanation> {
    return this.#context.explain(path, options);
  }

  /** Can be cloned: post it to a worker and pass it to {@link attachVfs}. */
  get handle(): VfsHandle {
    return this.#context.handle;
  }

  /**
   * Creates a context: credentials, root, working directory, umask and descriptors of its own. It ends when it is closed, and
   * with this thread if its handle was never read.
   * @throws system call errors with syscall "context": EPERM for more than this context has, ENOSPC; those of "chroot" and
   * "chdir"; Error ERR_THREADFS_CONTEXTS if there are 1,024
   */
  context(options?: ContextOptions): Context {
    this.#context.calls.checkOpen();
    for (const context of this.#made) if (context.calls.closed) this.#made.delete(context);
    const context = createContext(this.#attachment, this.#context.calls.ctx, options);
    this.#made.add(context);
    return context;
  }

  /** Lists all contexts of the tree, and closes those that no thread needs any more. @throws EPERM without CAP_SYS_ADMIN */
  contexts(): ContextInfo[] {
    return listContexts(this.#attachment, this.#context.calls);
  }

  /**
   * Every change that any thread makes to the tree from now on, or from `since` on, in order, each after it can be seen. If changes
   * come faster than they are asked for, the oldest are lost, which is an event too (`overflow`).
   * @throws SystemCallError EPERM without CAP_SYS_ADMIN, ENOSPC; Error AbortError, also later when the signal is aborted
   */
  changes(options?: ChangesOptions): AsyncIterableIterator<ChangeEvent> {
    return followChanges(this.#context.calls, options);
  }

  /**
   * Makes files and directories: a key is a path, a string or bytes are the contents of a file, null is a directory. Directories
   * above them are made too; files that exist are overwritten. As memfs's `Volume.fromJSON`; docs/from-memfs.md has the differences.
   * @param cwd the directory that keys are seen from; default: the working directory
   * @throws what `mkdirSync` and `writeFileSync` throw; TypeError ERR_INVALID_ARG_TYPE for another value. Entries before the one
   * that fails exist then
   */
  fromJSON(json: DirectoryJSON, cwd?: string | Url): void {
    this.#context.fromJSON(json, cwd);
  }

  /** The same for objects in objects, where an empty one is an empty directory. @throws as {@link fromJSON} */
  fromNestedJSON(json: NestedDirectoryJSON, cwd?: string | Url): void {
    this.#context.fromNestedJSON(json, cwd);
  }

  /**
   * The files as an object: a path and its contents each, and null for each empty directory, in the order of the names. Links, FIFOs
   * and sockets are left out. Other threads may change the tree meanwhile.
   * @param paths files and directories; those that do not exist are left out. Default: "/"
   * @param json an object to add to; it is returned
   * @param isRelative keys are seen from the directory in `paths`
   * @param asBuffer contents are bytes; default: text
   */
  toJSON(paths?: JsonPaths, json?: object, isRelative?: boolean, asBuffer?: false): JsonOf<string>;
  toJSON(paths: JsonPaths, json: object | undefined, isRelative: boolean | undefined, asBuffer: true): JsonOf<Bytes>;
  toJSON(paths?: JsonPaths, json?: object, isRelative?: boolean, asBuffer?: boolean): JsonOf<string | Bytes>;
  toJSON(paths?: JsonPaths, json?: object, isRelative?: boolean, asBuffer?: boolean): JsonOf<string | Bytes> {
    return this.#context.toJSON(paths, json, isRelative, asBuffer);
  }

  /** Removes everything below "/", as memfs's `Volume.reset`; open files stay open. @throws as `rmSync`: EBUSY for a mount point */
  reset(): void {
    this.#context.reset();
  }

  /**
   * The tree at one moment, as bytes that {@link createVfs} makes the same tree of, in this process or another one, now or later: files,
   * directories, links, hard links, FIFOs, holes, modes, owners, ACLs and all four times, as this context sees them from its root.
   * Inode numbers, open files, contexts and mounts are not in it. docs/loading-and-saving.md has more.
   *
   * The moment is within the call: other threads finish the calls that they are in and then wait until the memory that the tree uses
   * is copied. This thread does not block meanwhile.
   * @throws EPERM without CAP_SYS_ADMIN; Error ERR_THREADFS_TIMEOUT; RangeError ERR_THREADFS_MEMORY: no room for the copy
   */
  snapshot(options?: SnapshotOptions): Promise<Snapshot> {
    return takeSnapshot(this.#context.calls, options);
  }

  /**
   * Copies what is in a directory of the host into a directory of the tree: files, directories,
   * links, hard links, holes, modes, times of access and of change of contents, to the nanosecond; owners with `owners`; extended attributes and ACLs where `linux` is given, since `node:fs` has none. A name that is
   * there already is EEXIST, but for `to` itself, whose attributes then stay. The calls are synchronous ones; the event loop runs between them.
   * @param from a path of the host, or of `options.fs`
   * @param to default: "/"
   * @returns how much was copied, and whose attributes were not kept
   * @throws what the calls throw, and then what was copied before stays; Error ERR_THREADFS_FILE_TYPE: neither a file nor a directory nor a
   * link; AbortError
   */
  importDirectory(from: DirectoryPath, to: PathLike = "/", options?: CopyOptions): Promise<CopyResult> {
    return importDirectory(this.#context.calls, this, from, to, options);
  }

  /**
   * The same from the tree to the host, where times are set to a microsecond, as `node:fs` does. Other threads may
   * change the tree meanwhile: for one moment of it, export the tree of a {@link snapshot}.
   * @throws as {@link importDirectory}
   */
  exportDirectory(from: PathLike, to: DirectoryPath, options?: CopyOptions): Promise<CopyResult> {
    return exportDirectory(this.#context.calls, this, from, to, options);
  }

  /** chdir(2) of the handle's context, which other threads may share. */
  chdir(path: PathLike): void {
    this.#context.chdir(path);
  }

  /** chroot(2) of the handle's context. */
  chroot(path: PathLike): void {
    this.#context.chroot(path);
  }

  /** {@link Context.pivotRoot} of the handle's context. */
  pivotRoot(newRoot: PathLike, putOld: PathLike): void {
    this.#context.pivotRoot(newRoot, putOld);
  }

  /** umask(2) of the handle's context: sets it if a mask is given. Returns the previous one. */
  umask(mask?: number | string): number {
    return this.#context.umask(mask);
  }

  /** getcwd(3) of the handle's context. */
  getcwd(): string {
    return this.#context.getcwd();
  }

  /**
   * Mounts a file system at a directory (mount(2)).
   * @param source a path for "bind" and `move`; otherwise only a name, which a driver's root() gets
   * @param type "tmpfs", "bind" or the name of a registered driver
   * @throws system call errors with syscall "mount": ENODEV for an unknown type, EBUSY, EINVAL for limits that a remount cannot set, ENOTDIR ...;
   * TypeError ERR_INVALID_ARG_VALUE for options that exclude each other
   */
  mount(source: PathLike | null, target: PathLike, type: string, options?: MountOptions): void {
    mount(this.#context.calls, source, target, type, options);
  }

  /**
   * Unmounts the mount at a path (umount2(2)).
   * @throws system call errors with syscall "umount": EBUSY while it is in use, EINVAL if nothing is mounted there, EAGAIN with `expire` where it was
   * not marked yet, EPERM without CAP_SYS_ADMIN
   */
  umount(target: PathLike, options?: UmountOptions): void {
    umount(this.#context.calls, target, options);
  }

  /**
   * The mounts that a path leads to, in the order of their numbers, at one moment: what /proc/self/mountinfo shows (proc(5)).
   * @throws Error ERR_THREADFS_TIMEOUT: there are thousands, and other threads have mounted and unmounted all the time
   */
  mounts(): MountInfo[] {
    return this.#context.mounts();
  }

  /** The same as text in the form of that file, with a line for each mount: for a program that reads it. @throws as {@link mounts} */
  mountinfo(): string {
    return this.#context.mountinfo();
  }

  /**
   * Tells the tree that entries of the driver's file system that is mounted at a path may be outdated: each is revalidated when a walk comes to
   * it the next time ({@link Driver.generation}). In shared memory a number counts up; a walk that begins afterwards, in any thread, sees it.
   * It holds for all mounts of the file system. Not from inside a hook.
   * @throws system call errors with syscall "invalidate": EINVAL if nothing is mounted there, ENOTSUP for a file system without generations,
   * EPERM without CAP_SYS_ADMIN
   */
  invalidate(target: PathLike): void {
    const path = toPath(target, "target");
    const { calls } = this.#context;
    const length = calls.putPath(path, "invalidate");
    calls.check(calls.core.sysInvalidate(calls.ctx, length), "invalidate", path);
  }

  /**
   * Registers a driver. Every thread that walks its mounts must register it. @throws EPERM for a name that is not registered
   * yet, without CAP_SYS_MODULE
   */
  registerDriver(driver: Driver): void {
    this.#context.calls.checkOpen();
    this.#attachment.drivers.register(driver, this.#context.calls.ctx);
  }

  /** Unregisters a driver after a grace period. @throws EBUSY while a file system of it exists; EPERM without CAP_SYS_MODULE */
  unregisterDriver(name: string): void {
    this.#context.calls.checkOpen();
    this.#attachment.drivers.unregister(name, this.#context.calls.ctx);
  }

  /** The counters of all threads since the tree was created; `own`: of this thread alone, since it attached. */
  counters(options?: { own?: boolean | undefined }): Counters {
    this.#context.calls.checkOpen();
    const own = flagOption(readOptions<{ own?: boolean }>(options, { own: true }).own, "options.own");
    const count = this.#attachment.core.sumCounters(own ? 1 : 0);
    const values = this.#attachment.ioNumbers;
    return Object.fromEntries(COUNTERS.map((name, i) => [name, i < count ? (values[i] ?? 0) : 0])) as Counters;
  }

  /** {@link Context.flockSync} of the handle's context. */
  flockSync(fd: number, type: FlockType, options?: LockOptions): void {
    this.#context.flockSync(fd, type, options);
  }

  /** {@link Context.flock} of the handle's context. */
  flock(fd: number, type: FlockType, options?: AsyncLockOptions): Promise<void> {
    return this.#context.flock(fd, type, options);
  }

  /** {@link Context.fcntlLockSync} of the handle's context. */
  fcntlLockSync(fd: number, lock: RangeLock, options?: LockOptions): void {
    this.#context.fcntlLockSync(fd, lock, options);
  }

  /** {@link Context.fcntlLock} of the handle's context. */
  fcntlLock(fd: number, lock: RangeLock, options?: AsyncLockOptions): Promise<void> {
    return this.#context.fcntlLock(fd, lock, options);
  }

  /** {@link Context.getLockSync} of the handle's context. */
  getLockSync(fd: number, lock: RangeLock): HeldLock | undefined {
    return this.#context.getLockSync(fd, lock);
  }

  /** {@link Context.getLock} of the handle's context. */
  getLock(fd: number, lock: RangeLock): Promise<HeldLock | undefined> {
    return this.#context.getLock(fd, lock);
  }

  /**
   * Sets the access ACL of a file, or with `default` the default ACL of a directory (acl(5)); no entries remove it. The mode follows an access ACL, and
   * an access ACL a chmod.
   * @throws system call errors with syscall "setfacl": EINVAL for a list that acl(5) does not allow, EPERM for who is not the owner, EACCES for a
   * default ACL of a file, ENOTSUP for a driver's file, EROFS, ENOSPC
   */
  setfacl(path: PathLike, entries: readonly AclEntry[], options?: AclOptions): void {
    this.#context.setfacl(path, entries, options);
  }

  /** The access ACL of a file, or with `default` the default ACL of a directory; empty when there is none. */
  getfacl(path: PathLike, options?: AclOptions): AclEntry[] {
    return this.#context.getfacl(path, options);
  }

  /** Sets how this thread walks from now on: `ref` starts every walk in ref mode. Returns the previous setting. */
  walkMode(mode: { ref: boolean }): { ref: boolean } {
    this.#context.calls.checkOpen();
    if (mode === undefined) throw invalidArgType("mode", "of type object", mode);
    const { ref } = readOptions<{ ref: boolean }>(mode, { ref: true }, "mode");
    if (typeof ref !== "boolean") throw invalidArgType("mode.ref", "of type boolean", ref);
    return { ref: (this.#attachment.core.walkMode(ref ? 1 : 0) & 1) !== 0 };
  }

  /**
   * Frees up to `count` unused dentries, and retired objects. Returns how many dentries. @throws EPERM without
   * CAP_SYS_ADMIN: every thread of the tree pays for it
   */
  shrink(count: number): number {
    this.#context.calls.checkOpen();
    const freed = this.#attachment.core.shrink(this.#context.calls.ctx, toInteger(count, "count", 0, 2 ** 31 - 1));
    if (freed < 0) throw systemCallError(freed, "shrink");
    return freed;
  }

  /** Waits until every walk that is in rcu mode now has ended. */
  synchronizeRcu(): void {
    this.#context.calls.checkOpen();
    const waited = this.#attachment.core.synchronizeRcu();
    if (waited < 0) throw systemCallError(waited, "synchronizeRcu");
  }

  /**
   * Number of this thread in the tree, its slot and how many threads have had the slot before. Another thread needs it to call
   * {@link threadDied}. No other thread ever has the same number.
   */
  get threadSlot(): number {
    this.#context.calls.checkOpen();
    return this.#attachment.core.threadNumber();
  }

  /**
   * Recovers a dead thread: rolls its unfinished change back, unless it was complete, releases its locks and drops its
   * references. Only for a thread that has terminated: call it in the worker's "exit" event, or use {@link
   * attachWorker}, which needs no privilege, because there the host reports the end.
   * @throws EPERM without CAP_SYS_ADMIN: this call takes the caller's word, and would break into a thread that runs; EINVAL
   * there was no such thread, or it is this one; EBUSY another thread is recovering it
   */
  threadDied(slot: number): void {
    this.#context.calls.checkOpen();
    const { core } = this.#attachment;
    const done = core.threadDied(this.#context.calls.ctx, toInteger(slot, "slot", 0));
    if (done < 0) throw systemCallError(done, "threadDied");
  }

  /**
   * Recovers a worker of Node when it ends, however it ends, as {@link threadDied} does, if it attaches to this tree
   * now or later. Call it in the thread that created the worker. Needed only for a worker that was created before this
   * thread first attached to a tree, or that attaches with a `thread` of its own: all others are recovered without it.
   * While the thread does not return to its event loop, a thread that needs a lock of the dead worker waits, at most
   * {@link HostOptions.lockTimeoutMs}.
   *
   * In Deno, where "exit" comes before a thread has ended, the recovery waits until the thread's Web Lock is free; so the
   * worker has to attach with `{ locks: true }`.
   * @throws Error ERR_THREADFS_NO_LOCKS where "exit" is no proof and the host has no `navigator.locks`
   */
  attachWorker(worker: WorkerLike): void {
    this.#context.calls.checkOpen();
    if (!isWorker(worker)) throw invalidArgType("worker", "an instance of Worker of node:worker_threads", worker);
    if (!exitIsProof() && hostLocks() === undefined) throw noLocks();
    this.#attachment.expectEnd(worker);
  }

  /**
   * Recovers every thread that dies while it holds a Web Lock ({@link HostOptions.locks}), as {@link threadDied} does.
   * For hosts that do not report the end of a thread, such as browsers, and for a second thread that watches while the
   * first does not return to its event loop. Any number of threads may watch. Watch in a worker, because the timers of
   * a background page are slow.
   * @param options `everyMs`: interval of the checks, 10 to 10^6, default 500
   * @returns ends the watch, as close() does
   * @throws Error ERR_THREADFS_NO_LOCKS where the host has no `navigator.locks`
   */
  watchThreads(options?: { everyMs?: number | undefined }): () => void {
    this.#context.calls.checkOpen();
    const given = readOptions<{ everyMs?: number }>(options, { everyMs: true });
    const everyMs = toInteger(given.everyMs ?? 500, "options.everyMs", 10, 1e6);
    const locks = hostLocks();
    if (locks === undefined) throw noLocks();
    let asking = false;
    const timer = setInterval(async () => {
      if (asking) return;
      asking = true;
      try {
        await pollLocks(locks, this.#attachment.memory, (hostId) => this.#attachment.recover(hostId));
      } finally {
        asking = false;
      }
    }, everyMs);
    unref(timer);
    const stop = () => clearInterval(timer);
    this.#stopWatching.push(stop);
    return stop;
  }

  /**
   * Ends this object's use of the tree, with the contexts that it has made, unless their handles were read. The last one of a
   * thread detaches the thread. The tree exists as long as a thread is attached. Idempotent; later calls fail with
   * ERR_THREADFS_CLOSED.
   * @throws Error ERR_THREADFS_TIMEOUT, ERR_THREADFS_REENTERED (in a hook): it is still open
   */
  close(): void {
    if (this.#context.calls.closed) return;
    for (const context of this.#made) context.closeWithMaker();
    this.#leave();
    for (const stop of this.#stopWatching) stop();
    this.#context.calls.close();
  }
}

function noLocks(): Error {
  return codedError(Error, "ERR_THREADFS_NO_LOCKS", "This host has no navigator.locks");
}
