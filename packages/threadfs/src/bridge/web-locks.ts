/**
 * Detects the death of threads by Web Locks, where the host does not report it. A thread holds a lock named after its
 * id from before it takes a slot until after it has freed it. The host releases the lock when the thread ends, however
 * it ends. A watching thread requests the locks of all threads from time to time, without waiting: if it gets one, that
 * thread is dead.
 *
 * A thread may have several attachments to a tree, also by several copies of this library. So each of them holds the lock
 * in the mode "shared", and a watching thread requests it in the mode "exclusive".
 *
 * Requests do not queue for the lock of another thread, because Node (24 and 26) does not wake a request that waits for a
 * dead worker's lock.
 */
import { H_SALT, HOLDS_LOCK, MAX_THREADS, SLOT_HOST_ID, SLOT_SIZE, SLOT_STATE, SLOTS } from "../../abi/memory.js";
import { codedError } from "../errors/errors.js";
import { timeoutError } from "./waiting.js";
import type { SharedMemory } from "./wasm.js";

/** The interval in which a lock is requested again that a watching thread holds for a moment. */
const AGAIN_MS = 5;
/** How often a lock is found with another thread before it is refused: the host may be about to release it. */
const LOOKS = 3;

/** The host's lock manager, if it has one. */
export function hostLocks(): LockManager | undefined {
  return typeof navigator === "object" ? navigator?.locks : undefined;
}

/** An id for a thread that has none from its host: 31 random bits, not 0. */
export function randomHostId(): number {
  const [bits = 0] = crypto.getRandomValues(new Uint32Array(1));
  return bits & ~HOLDS_LOCK || 1;
}

/** The lock's name for a thread's id. Trees are distinguished by their salt, of which the name discloses only half. */
function lockOf(memory: SharedMemory, hostId: number): string {
  const [low = 0, high = 0] = new Uint32Array(memory.buffer, H_SALT, 2);
  return `threadfs:${(low ^ high) >>> 0}:${hostId}`;
}

/** A request without waiting. Resolves when it is granted, with a function that releases the lock; else with undefined. */
function tryLock(locks: LockManager, name: string, mode: LockMode): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const held = locks.request(name, { mode, ifAvailable: true }, (lock) => {
      if (lock === null) return resolve(undefined);
      return new Promise<void>((release) => resolve(release));
    });
    held.catch(reject);
  });
}

/**
 * Turns an exclusive lock of this thread into a shared one, which no other thread gets in between: the request is the first in
 * the queue when the exclusive lock is released.
 */
function shareLock(locks: LockManager, name: string, exclusive: () => void): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const held = locks.request(name, { mode: "shared" }, () => new Promise<void>((release) => resolve(release)));
    held.catch(reject);
    exclusive();
  });
}

/** How many times this thread holds a lock. The snapshot of a browser has the locks of all threads; Node's has this thread's. */
async function timesHeld(locks: LockManager, name: string): Promise<number> {
  const own = `threadfs:${randomHostId()}:${randomHostId()}`;
  const { held = [] } = await locks.request(own, () => locks.query());
  const thread = held.find((lock) => lock.name === own)?.clientId;
  return held.filter((lock) => lock.name === name && lock.clientId === thread).length;
}

/**
 * Takes the lock of an id for an attachment. Resolves with a function that releases it.
 * @throws Error ERR_THREADFS_THREAD: another thread has the id; ERR_THREADFS_TIMEOUT: after `limitMs`
 */
export async function holdLock(
  locks: LockManager,
  memory: SharedMemory,
  hostId: number,
  limitMs: number,
): Promise<() => void> {
  const name = lockOf(memory, hostId);
  const end = performance.now() + limitMs;
  for (let looks = 0; ; ) {
    const exclusive = await tryLock(locks, name, "exclusive");
    if (exclusive !== undefined) return shareLock(locks, name, exclusive);
    // Another attachment holds it: of this thread, which keeps it for both, or of another thread.
    const shared = await tryLock(locks, name, "shared");
    if (shared !== undefined) {
      if ((await timesHeld(locks, name)) > 1) return shared;
      shared();
      if (++looks === LOOKS) throw idTaken(hostId);
    }
    if (performance.now() > end) throw timeoutError(limitMs, -1);
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function idTaken(hostId: number): Error {
  const message = `Another thread is attached to this tree with the id ${hostId % HOLDS_LOCK}. Give each thread its own "options.thread", or leave the option out`;
  return codedError(Error, "ERR_THREADFS_THREAD", message);
}

/** Ids of the threads in a memory's slots that hold locks. */
function lockedHostIds(memory: SharedMemory): Set<number> {
  const words = new Uint32Array(memory.buffer, SLOTS, (SLOT_SIZE * MAX_THREADS) / 4);
  const hostIds = new Set<number>();
  for (let at = 0; at < words.length; at += SLOT_SIZE / 4) {
    const hostId = words[at + SLOT_HOST_ID / 4] ?? 0;
    if (words[at + SLOT_STATE / 4] !== 0 && hostId >= HOLDS_LOCK) hostIds.add(hostId);
  }
  return hostIds;
}

/** Requests the locks of all threads once, exclusively. Calls `dead` with the id of each dead thread while holding its lock. */
export async function pollLocks(
  locks: LockManager,
  memory: SharedMemory,
  dead: (hostId: number) => void,
): Promise<void> {
  for (const hostId of lockedHostIds(memory)) {
    await locks.request(lockOf(memory, hostId), { ifAvailable: true }, (lock) => {
      if (lock !== null) dead(hostId);
    });
  }
}
