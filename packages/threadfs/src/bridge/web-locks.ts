/**
 * Detects the death of threads by Web Locks, where the host does not report it. A thread holds a lock named after its
 * id from before it takes a slot until after it has freed it. The host releases the lock when the thread ends, however
 * it ends. A watching thread requests the locks of all threads from time to time, without waiting: if it gets one, that
 * thread is dead.
 *
 * It polls instead of queueing for the locks, because Node (24 and 26) does not wake a request that waits for a dead
 * worker's lock.
 */
import { H_SALT, HOLDS_LOCK, MAX_THREADS, SLOT_HOST_ID, SLOT_SIZE, SLOT_STATE, SLOTS } from "../../abi/memory.js";
import type { SharedMemory } from "./wasm.js";

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

/** Takes the lock of an id. Resolves with a function that releases it. */
export function holdLock(locks: LockManager, memory: SharedMemory, hostId: number): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const held = locks.request(lockOf(memory, hostId), () => new Promise<void>((release) => resolve(release)));
    held.catch(reject);
  });
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

/** Requests the locks of all threads once. Calls `dead` with the id of each dead thread while holding its lock. */
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
