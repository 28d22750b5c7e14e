/**
 * Who notices a death where the host tells nobody: Web Locks. A thread holds a lock of its own name from before it takes a slot until
 * after it has given it back; the host releases the lock when the thread ends, however it ends. Who watches asks for the
 * locks of all threads from time to time, without waiting: who gets one knows that its thread is gone.
 *
 * Asking again, and not waiting in the lock's queue: Node (24 and 26) does not wake a request that waits behind a dead worker's lock.
 */
import { THREAD_SLOTS } from "../../abi/abi.js";
import type { SharedMemory } from "./wasm.js";

/** Bit of a thread's name: its lock is held as long as it has a slot, so that it is dead when the lock is free. */
export const LOCK_BIT = 0x80000000;

/** The host's lock manager, if it has one. */
export function hostLocks(): LockManager | undefined {
  return typeof navigator === "object" ? navigator?.locks : undefined;
}

/** A name for a thread that has none from its host: 31 random bits, not 0. */
export function randomHostId(): number {
  const [bits] = crypto.getRandomValues(new Uint32Array(1));
  return bits & ~LOCK_BIT || 1;
}

/** The lock of a thread's name: trees are told apart by their salt, of which it gives only half away. */
function lockOf(memory: SharedMemory, name: number): string {
  const [low, high] = new Uint32Array(memory.buffer, THREAD_SLOTS.SALT, 2);
  return `threadfs:${(low ^ high) >>> 0}:${name}`;
}

/** Takes the lock of a name. Resolves when it is held; the answer releases it. */
export function holdLock(locks: LockManager, memory: SharedMemory, name: number): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const held = locks.request(lockOf(memory, name), () => new Promise<void>((release) => resolve(release)));
    held.catch(reject);
  });
}

/** Names of the threads in a memory's slots whose locks tell whether they live. */
function lockedHostIds(memory: SharedMemory): Set<number> {
  const { FIRST, SIZE, COUNT, STATE, HOST_ID } = THREAD_SLOTS;
  const words = new Uint32Array(memory.buffer, FIRST, (SIZE * COUNT) / 4);
  const names = new Set<number>();
  for (let at = 0; at < words.length; at += SIZE / 4) {
    const name = words[at + HOST_ID / 4];
    if (words[at + STATE / 4] !== 0 && name >= LOCK_BIT) names.add(name);
  }
  return names;
}

/** Asks once for the locks of all threads. `dead` is called with each name whose thread is gone, while its lock is held here. */
export async function pollLocks(locks: LockManager, memory: SharedMemory, dead: (name: number) => void): Promise<void> {
  for (const name of lockedHostIds(memory)) {
    await locks.request(lockOf(memory, name), { ifAvailable: true }, (lock) => {
      if (lock !== null) dead(name);
    });
  }
}
