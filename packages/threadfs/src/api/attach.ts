/**
 * Creates trees and attaches this thread to them. A thread has one attachment to a tree, which all its users share: a slot, an
 * instance of the core, the registered drivers. Each user gets a {@link Vfs} of its own, and the last one that is closed detaches the
 * thread.
 */

import { ERRNO } from "../../abi/abi.js";
import { H_SALT, HOLDS_LOCK } from "../../abi/memory.js";
import { checkIsolation, checkWasm } from "../bridge/abilities.js";
import { Attachment, type AttachmentOptions } from "../bridge/attachment.js";
import { checkHandle, checkModule, type VfsHandle } from "../bridge/handle.js";
import { checkHost, HOST_OPTIONS, type HostOptions, waitLimitOf } from "../bridge/host-imports.js";
import { flagOption, readOptions } from "../bridge/options.js";
import { exitIsProof, hasEnded, hostThread, slotsInUse } from "../bridge/threads.js";
import type { CoreModule, SharedMemory } from "../bridge/wasm.js";
import { holdLock, hostLocks, pollLocks } from "../bridge/web-locks.js";
import { bare } from "../errors/bare.js";
import { codedError, invalidArgType, outOfRange } from "../errors/errors.js";
import { loadTree } from "../load-save/snapshot/load.js";
import { toCacheLimits } from "./caches.js";
import { provideDebugCore } from "./explain/explain.js";
import { limitOption } from "./mount.js";
import { toProtect } from "./protect.js";
import { type CreateOptions, Vfs } from "./vfs.js";

/** Options of {@link attachVfs}. */
export interface AttachOptions extends HostOptions {
  /**
   * Whether to use the attachment that this thread has to the tree already. Default: yes. Then options that differ from those of that
   * attachment are refused. `false`: another attachment, with a slot and options of its own.
   */
  share?: boolean | undefined;
}

/** An attachment of this thread and its users. */
interface Shared {
  attachment: Attachment;
  options: HostOptions;
  users: number;
  /** Releases the thread's Web Lock. */
  release: (() => void) | undefined;
}

/** A way to an attachment of this thread. Of a tree that this thread has created nothing is left when the program drops it. */
type Known = () => Promise<Shared> | undefined;
const attachments = /* @__PURE__ */ new Map<string, Known>();
const sharedOf = /* @__PURE__ */ new WeakMap<Attachment, Shared>();

/** Loads a build of the core. */
type Load = () => Promise<CoreModule>;

/**
 * Creates a tree. `load`: loads the core, if the options have none; `loadDebug`: the build that explains walks. @throws as createVfs.
 * @internal
 */
export async function createWith(load: Load, options: CreateOptions, loadDebug?: Load): Promise<Vfs> {
  if (typeof options !== "object" || options === null) throw invalidArgType("options", "of type object", options);
  const known = {
    size: true,
    nrInodes: true,
    protectedSymlinks: true,
    protectedHardlinks: true,
    protectedRegular: true,
    protectedFifos: true,
    maxPositiveDentries: true,
    maxNegativeDentries: true,
    maxBytes: true,
    singleThreaded: true,
    core: true,
    snapshot: true,
  } as const;
  const read = readOptions<CreateOptions>(options, { ...known, ...HOST_OPTIONS });
  const { maxBytes, singleThreaded, core, snapshot, size, nrInodes, ...others } = read;
  const { protectedSymlinks, protectedHardlinks, protectedRegular, protectedFifos, ...further } = others;
  const { maxPositiveDentries, maxNegativeDentries, ...rest } = further;
  const given: HostOptions = bare(rest);
  const limits = { size: limitOption(size, "size", 0), nrInodes: limitOption(nrInodes, "nrInodes", 0) };
  const protect = toProtect({ protectedSymlinks, protectedHardlinks, protectedRegular, protectedFifos });
  const caches = toCacheLimits({ maxPositiveDentries, maxNegativeDentries });
  const room = { maxBytes: maxBytes as number, ...limits, protect, ...caches };
  const alone = flagOption(singleThreaded, "options.singleThreaded");
  checkWasm();
  if (!alone) checkIsolation();
  const { host, locks } = identify(given);
  const module = core ?? (await load());
  const own = bare({ ...host, alone });
  const attachment =
    snapshot === undefined
      ? Attachment.create(module, room, own)
      : Attachment.attach(await loadTree(module, room, snapshot), own, true);
  if (loadDebug !== undefined) provideDebugCore(attachment, loadDebug);
  // No other thread has the memory yet, so taking the lock now is early enough.
  const release = locks && (await holdLock(locks, attachment.memory, host.thread, waitLimitOf(host)));
  const shared = { attachment, options: given, users: 1, release };
  sharedOf.set(attachment, shared);
  const ref = new WeakRef(attachment);
  attachments.set(keyOf(attachment.memory), () => {
    const alive = ref.deref();
    const its = alive && sharedOf.get(alive);
    return its && Promise.resolve(its);
  });
  return userOf(shared, 0);
}

/**
 * Attaches the calling thread to the tree of a handle, to read and to write. A thread that is attached already gets another user of
 * the same attachment, in the handle's context.
 * @throws TypeError ERR_THREADFS_HANDLE: not a handle, one of another version, or its context does not exist any more; Error
 * ERR_THREADFS_ATTACHED: this thread is attached with other options; ERR_THREADFS_THREAD: another thread is attached with the same
 * `thread`, where threads hold Web Locks; EUSERS: no slot is free
 */
export function attachVfs(handle: VfsHandle, options?: AttachOptions): Promise<Vfs> {
  return attachWith(undefined, handle, options);
}

/** The same for an entry that has the build that explains walks. @internal */
export async function attachWith(
  loadDebug: Load | undefined,
  handle: VfsHandle,
  options: AttachOptions | undefined,
): Promise<Vfs> {
  checkWasm();
  const checked = checkHandle(handle);
  const { share = true, ...rest } = readOptions<AttachOptions>(options, { share: true, ...HOST_OPTIONS });
  const host: HostOptions = bare(rest);
  if (typeof share !== "boolean") throw invalidArgType("options.share", "of type boolean", share);
  checkHost(host);
  const shared = share ? await sharedAttachment(checked, host) : await newAttachment(checked, host);
  if (loadDebug !== undefined) provideDebugCore(shared.attachment, loadDebug);
  const { core } = shared.attachment;
  const { ctx } = checked;
  if (core.contextAttach(ctx, shared.users > 1 ? 1 : 0) >= 0) return userOf(shared, ctx);
  leave(shared);
  throw codedError(TypeError, "ERR_THREADFS_HANDLE", `The context ${ctx} of this handle does not exist any more`);
}

/** A user of an attachment, which counts it already. */
function userOf(shared: Shared, ctx: number): Vfs {
  return new Vfs(shared.attachment, ctx, () => leave(shared));
}

/** A user leaves an attachment. The last one detaches the thread; if that fails, it is still attached. */
function leave(shared: Shared): void {
  if (shared.users === 1) {
    shared.attachment.close();
    shared.release?.();
  }
  shared.users--;
}

/** A tree's name in this thread: its salt is random. A handle that was cloned has another memory object. */
function keyOf(memory: SharedMemory): string {
  return new Uint32Array(memory.buffer, H_SALT, 2).join();
}

/** The attachment of this thread to the tree, with one more user. */
async function sharedAttachment(handle: VfsHandle, given: HostOptions): Promise<Shared> {
  const key = keyOf(handle.memory);
  for (;;) {
    const get = attachments.get(key);
    const pending = get?.();
    if (pending === undefined) break;
    // The caller that made it gets its error.
    const shared = await pending.catch(() => undefined);
    if (shared !== undefined && shared.users > 0 && shared.attachment.sharable) {
      // A copy of the tree's memory has the same salt.
      if (!shared.attachment.isIn(handle.memory)) return newAttachment(handle, given);
      checkModule(handle);
      checkSameOptions(shared.options, given);
      shared.users++;
      return shared;
    }
    if (attachments.get(key) === get) attachments.delete(key);
  }
  const made = newAttachment(handle, given);
  const get = () => made;
  attachments.set(key, get);
  try {
    return await made;
  } catch (error) {
    if (attachments.get(key) === get) attachments.delete(key);
    throw error;
  }
}

/** @throws Error ERR_THREADFS_ATTACHED */
function checkSameOptions(existing: HostOptions, given: HostOptions): void {
  for (const name of Object.keys(given) as (keyof HostOptions)[]) {
    if (given[name] === undefined || given[name] === existing[name]) continue;
    throw codedError(
      Error,
      "ERR_THREADFS_ATTACHED",
      `This thread is attached to this tree with another value of "options.${name}". Leave the option out, ` +
        "close the first attachment before, or pass { share: false } for a second one",
    );
  }
}

async function newAttachment(handle: VfsHandle, given: HostOptions): Promise<Shared> {
  const { host, locks } = identify(given);
  const release = locks && (await holdLock(locks, handle.memory, host.thread, waitLimitOf(host)));
  try {
    return { attachment: await attachAnyway(handle, host), options: given, users: 1, release };
  } catch (error) {
    release?.();
    throw error;
  }
}

/** Attaches. If no slot is free, takes over one of a thread that is known to have ended. */
async function attachAnyway(handle: VfsHandle, host: AttachmentOptions): Promise<Attachment> {
  try {
    return Attachment.attach(handle, host);
  } catch (error) {
    if ((error as { errno?: unknown }).errno !== -ERRNO.EUSERS) throw error;
    const { slots, hostIds } = await endedThreads(handle.memory);
    for (const takeOver of slots) {
      const attachment = tryTakeOver(handle, bare({ ...host, takeOver }));
      if (attachment === undefined) continue;
      for (const hostId of hostIds) attachment.recover(hostId);
      return attachment;
    }
    throw error;
  }
}

function tryTakeOver(handle: VfsHandle, host: AttachmentOptions): Attachment | undefined {
  try {
    return Attachment.attach(handle, host);
  } catch (error) {
    // Another thread recovers it.
    if ((error as { errno?: unknown }).errno === -ERRNO.EBUSY) return undefined;
    throw error;
  }
}

/** The threads that have ended, as the host's events or Web Locks show, and are still in their slots. */
async function endedThreads(memory: SharedMemory): Promise<{ slots: number[]; hostIds: number[] }> {
  const unlocked = new Set<number>();
  const locks = hostLocks();
  if (locks !== undefined) await pollLocks(locks, memory, (hostId) => unlocked.add(hostId));
  const ended = slotsInUse(memory).filter(({ hostId, ofHost }) => unlocked.has(hostId) || (ofHost && hasEnded(hostId)));
  return { slots: ended.map(({ slot }) => slot), hostIds: ended.map(({ hostId }) => hostId) };
}

/** What identifies this thread in the tree, and the lock manager if the thread is to hold a Web Lock. */
function identify(given: HostOptions): {
  host: AttachmentOptions & { thread: number };
  locks: LockManager | undefined;
} {
  if (typeof given.thread === "number" && given.thread >= HOLDS_LOCK) {
    throw outOfRange("options.thread", `< ${HOLDS_LOCK}`, given.thread);
  }
  const { id, ofHost, ancestors } =
    given.thread === undefined ? hostThread() : { id: given.thread, ofHost: false, ancestors: [] };
  const host = bare({ ...given, thread: id, ofHost, ancestors });
  const locks = (given.locks ?? (given.thread === undefined && exitIsProof())) ? hostLocks() : undefined;
  if (locks === undefined || !(id > 0 && id < HOLDS_LOCK)) return { host, locks: undefined };
  return { host: bare({ ...host, thread: id + HOLDS_LOCK }), locks };
}
