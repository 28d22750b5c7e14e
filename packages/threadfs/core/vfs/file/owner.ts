/**
 * Descriptors that end with a thread. A descriptor belongs to its context; it may also have an owner, the thread that has
 * opened it. When that thread detaches, or is recovered after its death, its descriptors are closed, in every context.
 *
 * The owner is a word of the file, written before the descriptor is installed and never after: so a thread that dies in
 * open(2) or close(2) leaves a descriptor with the right owner or none. The slot of a thread is free only after its
 * descriptors are closed, so an owner is always the thread that it says.
 *
 * Precondition of fdCloseOwned(): the owner is the caller or has terminated. If the caller dies, another thread goes on.
 */

import { rcuReadLock, rcuReadUnlock } from "../../mem/smr/smr";
import { CTX_TABLE, MAX_CONTEXTS } from "../layout";
import { contextGetNotZero, putContext } from "../task/context-ref";
import { Context, FD_BLOCK, FD_BLOCKS } from "../task/cred";
import { closed, fdClose } from "./close";
import { FD_OPENING, FD_RESERVED } from "./fdtable";
import { File, fdCloseOpening, fput } from "./file";

/** Closes the descriptors of an owner in all contexts, or only (`opens`) takes back its opens that wait. The caller is active. */
export function fdCloseOwned(owner: u32, opens: bool): void {
  for (let i: u32 = 0; i < MAX_CONTEXTS; i++) {
    const c = contextAt(i);
    if (c == null) continue;
    for (let b: u32 = 0; b < FD_BLOCKS; b++) {
      const block = c.fdBlock(b);
      if (block == 0) continue;
      for (let k: u32 = 0; k < FD_BLOCK; k++) {
        takeBackOpen(c, b * FD_BLOCK + k, <usize>(block + (k << 2)), owner);
        if (!opens) closeIfOwned(c, b * FD_BLOCK + k, <usize>(block + (k << 2)), owner);
      }
    }
    putContext(c);
  }
}

/** The context of an entry of the table, with a reference; null: none. */
function contextAt(i: u32): Context | null {
  rcuReadLock();
  const p = <usize>atomic.load<u32>(CTX_TABLE + (i << 2));
  const got = p != 0 && contextGetNotZero(changetype<Context>(p));
  rcuReadUnlock();
  return got ? changetype<Context>(p) : null;
}

function isOwned(at: usize, owner: u32): File {
  const f = atomic.load<u32>(at);
  if (f == 0 || f & FD_OPENING) return changetype<File>(0);
  return changetype<File>(<usize>f).owner == owner ? changetype<File>(<usize>f) : changetype<File>(0);
}

/** Closes the descriptor in the slot at `at`, which the other threads of the context may close at the same time. */
function closeIfOwned(c: Context, fd: u32, at: usize, owner: u32): void {
  if (!isOwned(at, owner)) return;
  const f = fdClose(c, fd, owner);
  if (f) closed(f);
}

/** The open of a FIFO that waits in the slot at `at`, if it is the owner's: only the opener could go on with it. */
function takeBackOpen(c: Context, fd: u32, at: usize, opener: u32): void {
  const v = atomic.load<u32>(at);
  if (!(v & FD_OPENING) || v == FD_RESERVED) return;
  const f = fdCloseOpening(c, fd, opener);
  if (f) fput(f);
}
