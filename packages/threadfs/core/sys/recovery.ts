/** Recovers a thread that has terminated in the middle of a call. */

import { EBUSY, EDEADLK, EINVAL } from "../../abi/errno";
import { dataRepair, LOG_REDO, redoWrite } from "../fs/tmpfs/data";
import { chunkEntry, ENTRY_CACHE } from "../mem/alloc/pages";
import * as L from "../mem/layout";
import { rcuClear, rcuDepth } from "../mem/smr/smr";
import { tid } from "../mem/thread";
import { MUTEXES_MAX } from "../mem/undo/log";
import { heldMutex, releaseThread, rollBackThread } from "../mem/undo/recover";
import { I_DRIVER, Inode } from "../vfs/inode/inode";
import * as V from "../vfs/layout";
import { CACHE_INODE } from "../vfs/layout";
import { enterActive, leaveActive } from "../vfs/recovery/quiescence";
import { recountReferences } from "../vfs/recovery/recount";
import { releaseContextOf } from "../vfs/task/context-ref";
import { hookDepth } from "../vfs/task/thread";
import { freeSlot, isLiveThread, SLOT_DEAD, slotAt } from "./slot";

/** Calls are shorter than this, unless a driver's hook blocks. */
const RECOUNT_WAIT_MS: f64 = 1000;

/**
 * Recovers the thread of a slot; the first caller does it. Precondition: the thread has terminated. Rolls its open
 * transaction back, releases its locks and drops its references. `trapped` not 0: the thread trapped, so the memory
 * that it references may be corrupt. Its references are kept then, because the recount could trap too.
 *
 * Returns 0; 1: all but the references, which are dropped when the other threads are quiescent; -EBUSY: another thread
 * is recovering it; -EINVAL: there is no such thread, or it is the caller; -EDEADLK: the caller is inside a hook or a
 * read-side section.
 */
export function threadRecover(slot: i32, trapped: i32): i32 {
  if (tid == 0 || <u32>slot >= L.MAX_THREADS || <u32>slot == tid - 1) return -EINVAL;
  if (hookDepth != 0 || rcuDepth() != 0) return -EDEADLK;
  const s = slotAt(slot);
  const state = atomic.load<u32>(s + L.SLOT_STATE);
  if (state == 0) return -EINVAL;
  if ((state & 3) == SLOT_DEAD && isLiveThread((state >> 2) - 1)) return -EBUSY;
  if (atomic.cmpxchg<u32>(s + L.SLOT_STATE, state, SLOT_DEAD | (tid << 2)) != state) return -EBUSY;
  const dead = <u32>slot + 1;
  const j = s + L.SLOT_UNDO_LOG;
  rollBackThread(j, dead);
  for (let k: u32 = 0; k < MUTEXES_MAX; k++) repairContents(heldMutex(j, k, dead), s);
  store<u32>(j + LOG_REDO, 0);
  releaseThread(j, dead);
  rcuClear(s);
  // If the dead thread was recounting, another thread must be able to.
  atomic.cmpxchg<u32>(V.G_RECOUNT_OWNER, dead, 0);
  if (atomic.load<u32>(s + V.SLOT_ACTIVE) != 0) {
    if (trapped == 0) atomic.add<u32>(V.G_LEAKS, 1);
    store<u32>(s + V.SLOT_CONTEXT, 0);
    atomic.store<u32>(s + V.SLOT_ACTIVE, 0);
  } else if (trapped == 0) {
    enterActive();
    releaseContextOf(s);
    leaveActive();
  }
  freeSlot(s);
  return atomic.load<u32>(V.G_LEAKS) == 0 || recountReferences(RECOUNT_WAIT_MS) ? 0 : 1;
}

/** Repairs the data under a mutex that the dead thread of this slot owns: the contents of a file. */
function repairContents(mutex: usize, s: usize): void {
  if (mutex == 0 || load<u32>(chunkEntry(<u32>mutex >> L.CHUNK_SHIFT) + ENTRY_CACHE) != CACHE_INODE) return;
  const i = changetype<Inode>(mutex - offsetof<Inode>("mutex_"));
  if (!i.isReg || i.mode & I_DRIVER) return;
  redoWrite(i, s + L.SLOT_UNDO_LOG, load<u32>(s + L.SLOT_SCRATCH));
  dataRepair(i);
}
