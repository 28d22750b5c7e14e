/**
 * Contexts: credentials, fs_struct and files_struct of a Linux task in one. Several threads may use one context at the
 * same time. The context that is created with the arena has number 0.
 *
 * Context (512 bytes, typed cache)
 *   0   seq u32                  root and working directory change under it and the lock (fs->seq, fs->lock)
 *   4   resolve u32              LOOKUP_* bits of all its walks (RESOLVE_*), never change
 *   8   rootMnt 12 root 16 pwdMnt 20 pwd
 *   24  number f64   32 uid u32   36 gid u32   40 caps u32   44 ngroups u32   48 groups ptr
 *   52  rcuNext 56 rcuTag   60 unused
 *   64  fdLock u32   68 fdHint u32   72 users u32 (the table, threads)   76 lock u32   80 recount u32 (recount.ts)
 *   84  umask u32   88 maker u32 (the thread that the context ends with, as in lock words; 0: none)
 *   92  mntNs ptr (root of its namespace of mounts, with a reference; 0: the tree's: mount/copy-mnt-ns.ts)
 *       written by calls, on a cache line that no walk in rcu mode reads
 *   128 descriptor blocks: 64 x ptr to 256 x file ptr (file/fdtable.ts). They stay with the memory when the context ends, so that a call
 *       that is still in progress then writes into a descriptor block and nothing else
 *
 * fdLock and fdHint are of the first FD_ORDERED_BLOCKS blocks; each block after these has its own, behind its descriptors.
 *
 * A number is the index in the table plus MAX_CONTEXTS times how many contexts had been created: 53 bits, so a double
 * holds it exactly. It never comes round. Credentials never change: a closed context keeps them until its memory is freed,
 * because calls that began before the end still check them.
 *
 * context-ref.ts alone finds contexts by their numbers. Every function here takes a context that the caller holds.
 */

import { EAGAIN, ENOSPC } from "../../../abi/errno";
import { KMALLOC_MAX, kmalloc, slabAlloc, slabFree } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { lock, txBegin, txEnd, unlock } from "../../mem/lock/lock";
import { put32, put64, removePendingBlock, set32 } from "../../mem/undo/log";
import { CACHE_CONTEXT, CTX_TABLE, G_CTX_LOCK, G_CTX_MADE, MAX_CONTEXTS } from "../layout";

export const CONTEXT_SIZE: u32 = 512;
export const CONTEXT_LINK: u32 = offsetof<Context>("rcuNext");
/**
 * Words that are kept when the memory is freed: seq, fdLock, users, lock; also groups, which the recount reads from an
 * unfinished context.
 */
export const CONTEXT_KEEP: u32 =
  (1 << (offsetof<Context>("seq_") >> 2)) |
  (1 << (offsetof<Context>("groups_") >> 2)) |
  (1 << (offsetof<Context>("fdLock_") >> 2)) |
  (1 << (offsetof<Context>("users_") >> 2)) |
  (1 << (offsetof<Context>("lock_") >> 2));
/** Where the pointers to blocks of descriptors are in a context, how many there are, and the descriptors in a block. */
export const CONTEXT_FD_BLOCKS: u32 = 128;
export const FD_BLOCKS: u32 = 64;
export const FD_BLOCK: u32 = 256;
/** The blocks whose descriptors are given out lowest first. Those after them are for threads that take any free one. */
export const FD_ORDERED_BLOCKS: u32 = 32;
/** In a block of those: its lock; its hint, below which no descriptor of it is free; its bytes. */
export const FD_BLOCK_LOCK: u32 = FD_BLOCK << 2;
export const FD_BLOCK_HINT: u32 = FD_BLOCK_LOCK + 4;
export const FD_BLOCK_END: u32 = FD_BLOCK_HINT + 4;
/** Bit of the pointer to a block whose allocation may be undone. */
export const FD_BLOCK_HIDDEN: u32 = 1;
/** Descriptors that a context may have open. */
export const NR_OPEN: u32 = FD_BLOCKS * FD_BLOCK;
/** The lowest descriptor, as in a process whose standard streams are open. */
export const FD_FIRST: u32 = 3;
export const NGROUPS_MAX: u32 = KMALLOC_MAX / 4;

@unmanaged
export class Context {
  seq_: u32;
  resolve: u32;
  rootMnt_: u32;
  root_: u32;
  pwdMnt_: u32;
  pwd_: u32;
  number: f64;
  uid: u32;
  gid: u32;
  caps: u32;
  ngroups_: u32;
  groups_: u32;
  rcuNext: u32;
  rcuTag: u32;
  unused_: u32;
  fdLock_: u32;
  fdHint_: u32;
  users_: u32;
  lock_: u32;
  recount: u32;
  umask_: u32;
  maker_: u32;
  mntNs_: u32;

  get at(): usize {
    return changetype<usize>(this);
  }
  get seq(): usize {
    return changetype<usize>(this);
  }
  get lock(): usize {
    return changetype<usize>(this) + offsetof<Context>("lock_");
  }
  get groupsAt(): usize {
    return changetype<usize>(this) + offsetof<Context>("groups_");
  }
  get users(): usize {
    return changetype<usize>(this) + offsetof<Context>("users_");
  }
  get fdLock(): usize {
    return changetype<usize>(this) + offsetof<Context>("fdLock_");
  }
  /** Address of the pointer to a descriptor block, which is odd until the block is shown (file/fdtable.ts). */
  fdBlockAt(n: u32): usize {
    return changetype<usize>(this) + CONTEXT_FD_BLOCKS + (n << 2);
  }
  /** A descriptor block, 0: there is none. */
  fdBlock(n: u32): u32 {
    const block = atomic.load<u32>(this.fdBlockAt(n));
    return block & FD_BLOCK_HIDDEN ? 0 : block;
  }
  get fdHintAt(): usize {
    return changetype<usize>(this) + offsetof<Context>("fdHint_");
  }
  /** Descriptors may be free from the first one of each hint on. Only while no other thread takes or frees one. */
  resetFdHints(): void {
    store<u32>(this.fdHintAt, 0);
    for (let b = FD_ORDERED_BLOCKS; b < FD_BLOCKS; b++) {
      const block = this.fdBlock(b);
      if (block != 0) store<u32>(<usize>(block + FD_BLOCK_HINT), 0);
    }
  }
  get groups(): u32 {
    return this.groups_;
  }
  set groups(v: u32) {
    set32(changetype<usize>(this) + offsetof<Context>("groups_"), v);
  }
  get ngroups(): u32 {
    return this.ngroups_;
  }
  set ngroups(v: u32) {
    set32(changetype<usize>(this) + offsetof<Context>("ngroups_"), v);
  }
  /** Address of the umask, which other threads of the context read and exchange. */
  get umaskAt(): usize {
    return changetype<usize>(this) + offsetof<Context>("umask_");
  }
  get umask(): u32 {
    return atomic.load<u32>(this.umaskAt);
  }
  get maker(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Context>("maker_"));
  }
  set maker(v: u32) {
    atomic.store<u32>(changetype<usize>(this), v, offsetof<Context>("maker_"));
  }
  get mntNs(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Context>("mntNs_"));
  }
  set mntNs(v: u32) {
    put32(changetype<usize>(this) + offsetof<Context>("mntNs_"), v);
  }
}

/** Contexts that a tree can have created: their numbers have 53 bits. */
const CONTEXTS_MAX: u64 = ((<u64>1) << 53) / MAX_CONTEXTS - 1;

/** Second return value of newContext() when it returns null: -errno. */
export let newContextErr: i32 = 0;

/** The number that was looked up last, and its place: most calls of a thread are of one context. */
let lastNumber: f64 = 0;
let lastPlace: usize = CTX_TABLE;

/** The place of a number in the context table. To make an integer of a number takes as long as the rest of a look-up. */
export function contextPlace(n: f64): usize {
  if (n != lastNumber) {
    lastNumber = n;
    lastPlace = CTX_TABLE + ((<usize>(<u32>(<i64>n) & (MAX_CONTEXTS - 1))) << 2);
  }
  return lastPlace;
}

/**
 * Allocates a context and gives it a number, with its other fields zero. `maker`: the thread that it ends with, 0: none.
 * null: `newContextErr`, -ENOSPC or -EAGAIN.
 */
export function newContext(maker: u32): Context | null {
  const p = slabAlloc(CACHE_CONTEXT, false);
  newContextErr = -ENOSPC;
  if (p == 0) return null;
  const c = changetype<Context>(p);
  // The sequence continues, and the descriptor blocks, all free, stay with the memory, and with their hints.
  c.resolve = 0;
  memory.fill(p + 8, 0, 120);
  // Before any thread can find it: if this thread dies now, its recovery closes the unfinished context.
  c.maker = maker;
  lock(G_CTX_LOCK);
  const made = load<u64>(G_CTX_MADE);
  for (let i: u32 = 0; i < MAX_CONTEXTS && made < CONTEXTS_MAX; i++) {
    if (load<u32>(CTX_TABLE + (i << 2)) != 0) continue;
    put64(G_CTX_MADE, made + 1);
    c.number = <f64>(made * MAX_CONTEXTS + i);
    put32(c.users, 1);
    put32(CTX_TABLE + (i << 2), <u32>c.at);
    unlock(G_CTX_LOCK);
    return c;
  }
  unlock(G_CTX_LOCK);
  slabFree(p);
  newContextErr = -EAGAIN;
  return null;
}

/** Whether a context has not been closed. */
export function isAlive(c: Context): bool {
  const place = contextPlace(c.number);
  return atomic.load<u32>(place) == <u32>c.at;
}

/**
 * Removes a context from the table; false: another thread has done it. One store that is not undone: calls look at the table without a
 * lock, and what they have found closed stays closed, also if this thread dies here. The recount then ends what the context has.
 */
export function removeContext(c: Context): bool {
  lock(G_CTX_LOCK);
  const was = isAlive(c);
  const place = contextPlace(c.number);
  // Pairs with the loads in contextRcu() and isAlive().
  if (was) atomic.store<u32>(place, 0);
  unlock(G_CTX_LOCK);
  return was;
}

export function inGroup(c: Context, gid: u32): bool {
  if (c.gid == gid) return true;
  const n = c.ngroups;
  if (n > NGROUPS_MAX) corrupt(c.at);
  for (let i: u32 = 0; i < n; i++) {
    if (load<u32>(c.groups + (i << 2)) == gid) return true;
  }
  return false;
}

export function capable(c: Context, cap: u32): bool {
  return (c.caps & cap) != 0;
}

/** Copies group ids into a context; false: the arena is full. */
export function setGroups(c: Context, from: usize, n: u32): bool {
  if (n == 0) return true;
  const p = kmalloc(n << 2, false);
  if (p == 0) return false;
  memory.copy(p, from, n << 2);
  txBegin();
  c.groups = <u32>p;
  c.ngroups = n;
  removePendingBlock(p);
  txEnd();
  return true;
}
