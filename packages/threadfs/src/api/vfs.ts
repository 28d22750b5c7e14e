/** A tree in one thread: making it, attaching to it, and what is done to it as a whole. */
import { COUNTERS, ERRNO, MNT_DETACH, MS_BIND, MS_MOVE, MS_NOEXEC, MS_RDONLY } from "../../abi/abi.js";
import { Attachment, checkHandle, type HostOptions, type VfsHandle } from "../bridge/attachment.js";
import type { Driver } from "../bridge/driver.js";
import { hostThreadId, loadCore } from "../bridge/load.js";
import type { CoreModule } from "../bridge/wasm.js";
import { holdLock, hostLocks, LOCK_BIT, pollLocks, randomHostId } from "../bridge/web-locks.js";
import { codedError, invalidArgType, systemCallError } from "../errors/errors.js";
import { toInteger, toPath } from "../node-fs/args.js";
import type { FsSync } from "../node-fs/sync.js";
import { type AclEntry, Context, type ContextOptions, createContext, type PathLike } from "./context.js";

/** Options of {@link createVfs}. */
export interface CreateOptions extends HostOptions {
  /** Most bytes the tree may take, 2 MiB to 4 GiB - 64 KiB. Address space is taken at once, memory as it is used. */
  maxBytes: number;
  /** Another build of the core, as `loadCore` gives it: the debug build, for tests and tracing. */
  core?: CoreModule;
}

/** Options of {@link Vfs.mount}. */
export interface MountOptions {
  readonly?: boolean;
  noexec?: boolean;
  /** The source directory appears at the target too. */
  bind?: boolean;
  /** The mount at the source goes to the target. */
  move?: boolean;
}

/** What {@link Vfs.attachWorker} needs of a `Worker` of `node:worker_threads`. */
export interface WorkerLike {
  readonly threadId: number;
  once(event: "exit", listener: () => void): unknown;
}

/** Counters of all threads together, by the names in `COUNTERS` (abi.ts). */
export type Counters = Record<(typeof COUNTERS)[number], number>;

/**
 * Makes a fresh tree with a tmpfs at "/" and attaches the calling thread to it.
 * @throws RangeError ERR_OUT_OF_RANGE, TypeError ERR_INVALID_ARG_TYPE for bad options; RangeError ERR_THREADFS_MEMORY
 * when there is no address space
 */
export async function createVfs(options: CreateOptions): Promise<Vfs> {
  if (typeof options !== "object" || options === null) throw invalidArgType("options", "of type object", options);
  const { maxBytes, core, ...host } = options;
  const { thread, locks } = await chooseHostId(host);
  const attachment = Attachment.create(core ?? (await loadCore()), maxBytes, { ...host, thread });
  // Nobody else has the memory yet, so that it is early enough.
  return new Vfs(attachment, 0, locks && (await holdLock(locks, attachment.memory, thread)));
}

/**
 * Attaches the calling thread to the tree of a handle: the same tree, read and write.
 * @throws TypeError ERR_THREADFS_HANDLE: no handle, another version's, or of a context that is gone
 */
export async function attachVfs(handle: VfsHandle, options: HostOptions = {}): Promise<Vfs> {
  checkHandle(handle);
  const { thread, locks } = await chooseHostId(options);
  const release = locks && (await holdLock(locks, handle.memory, thread));
  try {
    const attachment = Attachment.attach(handle, { ...options, thread });
    if (attachment.core.contextCheck(handle.ctx) >= 0) return new Vfs(attachment, handle.ctx, release);
    attachment.close();
    throw codedError(TypeError, "ERR_THREADFS_HANDLE", `The context ${handle.ctx} of this handle is gone`);
  } catch (error) {
    release?.();
    throw error;
  }
}

/** The name that a thread attaches under, and the lock manager if it is to hold a lock of that name. */
async function chooseHostId(host: HostOptions): Promise<{ thread: number; locks?: LockManager }> {
  // The upper half marks names that stand for a lock (web-locks.ts).
  if (typeof host.thread === "number" && host.thread >= LOCK_BIT) {
    const message = `The value of "options.thread" is out of range. It must be < ${LOCK_BIT}. Received ${host.thread}`;
    throw codedError(RangeError, "ERR_OUT_OF_RANGE", message);
  }
  const own = host.thread === undefined ? await hostThreadId() : undefined;
  const thread = host.thread ?? (own || randomHostId());
  const locks = (host.locks ?? own === 0) ? hostLocks() : undefined;
  return locks !== undefined && thread > 0 && thread < LOCK_BIT ? { thread: thread + LOCK_BIT, locks } : { thread };
}

/** One thread's attachment to a tree. */
export class Vfs {
  readonly #attachment: Attachment;
  readonly #context: Context;
  readonly #releaseLock: (() => void) | undefined;
  #stopWatching: (() => void)[] = [];

  /** @internal `releaseLock`: gives back the lock that tells of this thread's life */
  constructor(attachment: Attachment, ctx: number, release?: () => void) {
    this.#attachment = attachment;
    this.#releaseLock = release;
    this.#context = new Context(attachment, ctx, false);
  }

  /** The calls of `node:fs` on this tree, asked by the handle's context: by root in a fresh tree. */
  get fs(): FsSync {
    return this.#context.fs;
  }

  /** Structured-cloneable: post it to a worker and give it to {@link attachVfs}. */
  get handle(): VfsHandle {
    return this.#context.handle;
  }

  /** Makes a context: credentials, root, working directory, umask and descriptors of its own. */
  context(options: ContextOptions = {}): Context {
    return createContext(this.#attachment, this.#context.calls.ctx, options);
  }

  /** chdir(2) of the handle's context, which other threads may share. */
  chdir(path: PathLike): void {
    this.#context.chdir(path);
  }

  /** chroot(2) of the handle's context. */
  chroot(path: PathLike): void {
    this.#context.chroot(path);
  }

  /** umask(2) of the handle's context: sets it when a mask is given; answers the former one. */
  umask(mask?: number): number {
    return this.#context.umask(mask);
  }

  /** getcwd(3) of the handle's context. */
  getcwd(): string {
    return this.#context.getcwd();
  }

  /**
   * Mounts at a directory (mount(2)).
   * @param source for "bind" and `move` a path; otherwise only a name
   * @param type "tmpfs", "bind" or the name of a registered driver
   * @throws system call errors with syscall "mount": ENODEV for an unknown type, EBUSY, ENOTDIR ...
   */
  mount(source: PathLike | null, target: PathLike, type: string, options: MountOptions = {}): void {
    const dest = toPath(target, "target");
    const flags = (options.readonly ? MS_RDONLY : 0) | (options.noexec ? MS_NOEXEC : 0);
    const { calls } = this.#context;
    if (type === "bind" || options.bind || options.move) {
      const path = toPath(source, "source");
      const [length, length2] = calls.putPaths(path, dest, "mount");
      const how = options.move ? MS_MOVE : MS_BIND;
      calls.check(calls.core.sysMount(calls.ctx, length, length2, flags | how), "mount", path, dest);
      return;
    }
    if (typeof type !== "string") throw invalidArgType("type", "of type string", type);
    calls.checkOpen();
    const driver = type === "tmpfs" ? 0 : this.#attachment.drivers.find(type);
    if (driver === undefined) throw systemCallError(-ERRNO.ENODEV, "mount", type, dest);
    const length = calls.putPath(dest, "mount");
    calls.check(calls.core.sysMountNew(calls.ctx, length, driver, flags), "mount", dest);
  }

  /**
   * Takes the mount at a path away (umount2(2)).
   * @param options `detach`: at once out of the tree, for good when its last user is gone
   * @throws system call errors with syscall "umount": EBUSY while it is used, EINVAL when nothing is mounted there
   */
  umount(target: PathLike, options: { detach?: boolean } = {}): void {
    const path = toPath(target, "target");
    const { calls } = this.#context;
    const length = calls.putPath(path, "umount");
    calls.check(calls.core.sysUmount(calls.ctx, length, options.detach ? MNT_DETACH : 0), "umount", path);
  }

  /** Enters a driver's name; every thread that is to walk its mounts registers it. */
  registerDriver(driver: Driver): void {
    this.#attachment.check();
    this.#attachment.drivers.register(driver);
  }

  /** Takes a driver out after a grace period. @throws EBUSY while a file system of it exists */
  unregisterDriver(name: string): void {
    this.#attachment.check();
    this.#attachment.drivers.unregister(name);
  }

  /** What all threads have counted together since the tree was made; `own`: this thread alone, since it attached. */
  counters(options: { own?: boolean } = {}): Counters {
    this.#attachment.check();
    const count = this.#attachment.core.sumCounters(options.own ? 1 : 0);
    const values = this.#attachment.ioNumbers;
    return Object.fromEntries(COUNTERS.map((name, i) => [name, i < count ? values[i] : 0])) as Counters;
  }

  /** Sets the access ACL of a file (acl(5)); no entries remove it. */
  setfacl(path: PathLike, entries: readonly AclEntry[]): void {
    this.#context.setfacl(path, entries);
  }

  /** The access ACL of a file; empty when it has none. */
  getfacl(path: PathLike): AclEntry[] {
    return this.#context.getfacl(path);
  }

  /** How this thread walks from now on: `ref` forces ref-walk from the start. Answers how it did before. */
  walkMode(mode: { ref: boolean }): { ref: boolean } {
    this.#attachment.check();
    return { ref: (this.#attachment.core.walkMode(mode.ref ? 1 : 0) & 1) !== 0 };
  }

  /** Frees unused dentries, at most `count`, and what is deferred. Answers the dentries freed. */
  shrink(count: number): number {
    this.#attachment.check();
    const freed = this.#attachment.core.shrink(toInteger(count, "count", 0, 2 ** 31 - 1));
    if (freed < 0) throw systemCallError(freed, "shrink");
    return freed;
  }

  /** Returns when every walk that was under way in rcu mode has ended. */
  synchronizeRcu(): void {
    this.#attachment.check();
    const waited = this.#attachment.core.synchronizeRcu();
    if (waited < 0) throw systemCallError(waited, "synchronizeRcu");
  }

  /** Number of this thread's slot: tell it to the thread that watches over this one. */
  get threadSlot(): number {
    this.#attachment.check();
    return this.#attachment.core.threadSlot();
  }

  /**
   * Takes over what a dead thread held: its half-done change is undone or was complete, its locks are released, its references
   * given back. Only for a thread that runs no more: call it in the worker's "exit" event, or use {@link attachWorker}.
   * @throws EINVAL no such thread, or this one; EBUSY another thread is at it
   */
  threadDied(slot: number): void {
    this.#attachment.check();
    const done = this.#attachment.core.threadRecover(toInteger(slot, "slot", 0, 2 ** 31 - 1), 0);
    if (done < 0) throw systemCallError(done, "threadDied");
  }

  /**
   * Watches over a worker of Node that attaches to this tree, now or later: when it has ended, however it ended, what it still
   * held is taken over as by {@link threadDied}. The thread that made the worker calls this; while that thread is kept from its
   * event loop nobody notices, and who needs a dead worker's lock waits, at most 10 s.
   */
  attachWorker(worker: WorkerLike): void {
    this.#attachment.check();
    if (typeof worker?.threadId !== "number" || typeof worker.once !== "function") {
      throw invalidArgType("worker", "an instance of Worker", worker);
    }
    const name = worker.threadId + 1;
    worker.once("exit", () => {
      this.#attachment.recover(name);
      this.#attachment.recover(name + LOCK_BIT);
    });
  }

  /**
   * Watches over all threads that hold a Web Lock while they are attached ({@link HostOptions.locks}): what a dead one still held is
   * taken over as by {@link threadDied}. For hosts that tell nobody of a thread's end, as browsers; and for a second thread that
   * watches while the first is kept from its event loop. Any thread may watch, several may. A background page's timers are slow: watch
   * in a worker.
   * @param options `everyMs`: how often to ask, 10 to 10^6, default 500
   * @returns ends the watch, as close() does
   * @throws Error ERR_THREADFS_NO_LOCKS where the host has no `navigator.locks`
   */
  watchThreads(options: { everyMs?: number } = {}): () => void {
    this.#attachment.check();
    const everyMs = toInteger(options.everyMs ?? 500, "options.everyMs", 10, 1e6);
    const locks = hostLocks();
    if (locks === undefined) throw codedError(Error, "ERR_THREADFS_NO_LOCKS", "This host has no navigator.locks");
    let asking = false;
    const timer = setInterval(async () => {
      if (asking) return;
      asking = true;
      try {
        await pollLocks(locks, this.#attachment.memory, (name) => this.#attachment.recover(name));
      } finally {
        asking = false;
      }
    }, everyMs);
    // In Node a watch alone does not keep the process.
    if (typeof timer === "object") (timer as { unref?: () => void }).unref?.();
    const stop = () => clearInterval(timer);
    this.#stopWatching.push(stop);
    return stop;
  }

  /** Detaches this thread; the tree lives on while another has it. Idempotent; later calls fail with ERR_THREADFS_CLOSED. */
  close(): void {
    this.#attachment.close();
    for (const stop of this.#stopWatching) stop();
    this.#releaseLock?.();
  }
}
