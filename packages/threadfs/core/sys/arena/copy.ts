/**
 * Copies an arena out, at one moment: what a snapshot of a tree is read from (src/load-save/arena-copy.ts).
 *
 * While the other threads are quiescent (vfs/recovery/exclusion.ts), none of them changes the tree. Those that are quiescent may still
 * take and leave slots and follow the log of changes, under the slot lock, which this thread holds, and advance the epoch. Nothing is
 * retired meanwhile, so the epoch that is copied is that of all retired objects or a later one. Not copied is what belongs to one
 * thread: the other slots but for their lines of lists, and chunks that no slab cache owns, which are scratch areas, prefix caches, the
 * log of changes and free chunks. In the copy no other thread is attached; the calling thread's
 * slot is there, with the locks that it holds, and can be taken over as a dead thread's.
 */

import { EAGAIN, EFAULT, EPERM } from "../../../abi/errno";
import { CAP_SYS_ADMIN } from "../../../abi/permissions";
import * as host from "../../host";
import { chunkAddress, chunkEntry, ENTRY_CACHE } from "../../mem/alloc/pages";
import * as L from "../../mem/layout";
import { trySpinLock, unlock } from "../../mem/lock/lock";
import * as T from "../../mem/thread";
import { G_HASH_N, H_BUCKETS } from "../../vfs/layout";
import { admitOthers, excludeOthers } from "../../vfs/recovery/exclusion";
import { capable } from "../../vfs/task/cred";
import { slotAt } from "../slot";
import { syscallEnterActive, syscallEnterErr, syscallExit } from "../syscall";

/** The longest that one attempt waits, whatever the caller asks for. */
const WAIT_MAX_MS: f64 = 1000;

/**
 * Passes the arena to the host's copyToUser(), where `done` is the address of the first byte. Waits up to
 * `waitMs` for the other threads to become quiescent, and they wait until the copy is complete. Returns the number of chunks from
 * address 0 on; -EPERM: without CAP_SYS_ADMIN; -EAGAIN: another thread stays in its call, recounts references, or holds the slot lock; -EFAULT: the host
 * has no room.
 */
export function arenaCopy(ctx: f64, waitMs: f64): i32 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
  const may = capable(c, CAP_SYS_ADMIN);
  syscallExit(0);
  if (!may) return -EPERM;
  // Not more for a number that is none.
  if (!excludeOthers(waitMs >= 0 ? min<f64>(waitMs, WAIT_MAX_MS) : 0)) return -EAGAIN;
  // Not waited for: a dead thread may hold it, and no thread could recover that one before this call lets the others go on.
  if (!trySpinLock(L.G_SLOT_LOCK)) {
    admitOthers();
    return -EAGAIN;
  }
  const chunks = load<u32>(L.G_PAGE_BUMP);
  const copied = copyFixed(chunks) && copyChunks(chunks);
  unlock(L.G_SLOT_LOCK);
  admitOthers();
  return copied ? <i32>chunks : -EFAULT;
}

/**
 * The words and tables in front of the slots, this thread's slot, the lists of the others, the used parts of the chunk table and of the
 * hash table.
 */
function copyFixed(chunks: u32): bool {
  if (!copyRange(0, L.SLOTS) || !copyRange(T.slot, T.slot + L.SLOT_SIZE)) return false;
  for (let n: u32 = 0; n < min<u32>(load<u32>(L.G_SLOTS_USED), L.MAX_THREADS); n++) {
    const s = slotAt(n);
    if (s != T.slot && !copyRange(s + L.SLOT_LISTS_LOCK, s + L.SLOT_SIZE)) return false;
  }
  const table = <usize>load<u32>(L.H_CHUNK_TABLE);
  const buckets = <usize>load<u32>(H_BUCKETS);
  return (
    copyRange(table, table + chunks * L.CHUNK_ENTRY) && copyRange(buckets, buckets + (atomic.load<u32>(G_HASH_N) << 2))
  );
}

function copyChunks(end: u32): bool {
  for (let chunk = load<u32>(L.H_FIRST_CHUNK); chunk < end; chunk++) {
    if (load<u32>(chunkEntry(chunk) + ENTRY_CACHE) == 0) continue;
    if (!copyRange(chunkAddress(chunk), chunkAddress(chunk) + L.CHUNK)) return false;
  }
  return true;
}

function copyRange(from: usize, to: usize): bool {
  return from >= to || host.copyToUser(from, <u32>from, <u32>(to - from)) == 0;
}
