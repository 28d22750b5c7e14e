/**
 * Contexts: credentials, fs_struct and files_struct of a Linux task in one. Several threads may use one context at the
 * same time. The context that is created with the arena has number 0.
 *
 * Context (512 bytes, typed cache)
 *   0   seq u32                  root and working directory change under it and the lock (fs->seq, fs->lock)
 *   8   rootMnt 12 root 16 pwdMnt 20 pwd
 *   24  number u32   28 umask u32   32 uid u32   36 gid u32   40 caps u32   44 ngroups u32   48 groups ptr
 *   52  rcuNext 56 rcuTag   60 alive u32
 *   64  fdLock u32   68 fdHint u32   72 users u32 (the table, threads)   76 lock u32   80 recount u32 (recount.ts):
 *       written by calls, on a cache line that no walk in rcu mode reads
 *   128 descriptor blocks: 64 x ptr to 256 x file ptr. They stay with the memory when the context ends, so that a call
 *       that is still in progress then writes into a descriptor block and nothing else
 */

import { KMALLOC_MAX, kmalloc, slabAlloc, slabFree } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { lock, txBegin, txEnd, unlock } from "../../mem/lock/lock";
import { put32, removePendingBlock, set32 } from "../../mem/undo/log";
import { CACHE_CONTEXT, CTX_TABLE, G_CTX_LOCK, G_CTX_MADE, MAX_CONTEXTS } from "../layout";

export const CONTEXT_SIZE: u32 = 512;
export const CONTEXT_LINK: u32 = offsetof<Context>("rcuNext");
/**
 * Words that are kept when the memory is freed: seq, fdLock, users, lock; also groups and alive, which the recount
 * reads from an unfinished context.
 */
export const CONTEXT_KEEP: u32 =
  (1 << (offsetof<Context>("seq_") >> 2)) |
  (1 << (offsetof<Context>("groups_") >> 2)) |
  (1 << (offsetof<Context>("alive_") >> 2)) |
  (1 << (offsetof<Context>("fdLock_") >> 2)) |
  (1 << (offsetof<Context>("users_") >> 2)) |
  (1 << (offsetof<Context>("lock_") >> 2));
/** Where the pointers to blocks of descriptors are in a context, how many there are, and the descriptors in a block. */
export const CONTEXT_FD_BLOCKS: u32 = 128;
export const FD_BLOCKS: u32 = 64;
export const FD_BLOCK: u32 = 256;
/** Descriptors that a context may have open. */
export const NR_OPEN: u32 = FD_BLOCKS * FD_BLOCK;
/** The lowest descriptor, as in a process whose standard streams are open. */
export const FD_FIRST: u32 = 3;
export const NGROUPS_MAX: u32 = KMALLOC_MAX / 4;

@unmanaged
export class Context {
  seq_: u32;
  spare: u32;
  rootMnt_: u32;
  root_: u32;
  pwdMnt_: u32;
  pwd_: u32;
  number_: u32;
  umask: u32;
  uid: u32;
  gid: u32;
  caps: u32;
  ngroups_: u32;
  groups_: u32;
  rcuNext: u32;
  rcuTag: u32;
  alive_: u32;
  fdLock_: u32;
  fdHint_: u32;
  users_: u32;
  lock_: u32;
  recount: u32;

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
  /** Address of the pointer to a descriptor block. */
  fdBlock(n: u32): usize {
    return changetype<usize>(this) + CONTEXT_FD_BLOCKS + (n << 2);
  }
  get fdHint(): u32 {
    return this.fdHint_;
  }
  set fdHint(v: u32) {
    set32(changetype<usize>(this) + offsetof<Context>("fdHint_"), v);
  }
  get alive(): u32 {
    return this.alive_;
  }
  set alive(v: u32) {
    set32(changetype<usize>(this) + offsetof<Context>("alive_"), v);
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
  get number(): u32 {
    return this.number_;
  }
  set number(v: u32) {
    set32(changetype<usize>(this) + offsetof<Context>("number_"), v);
  }
}

/** The context with this number; null: it does not exist (any more). */
export function getContext(n: i32): Context {
  const i = <u32>n & (MAX_CONTEXTS - 1);
  const c = changetype<Context>(<usize>atomic.load<u32>(CTX_TABLE + (i << 2)));
  if (c && c.number != <u32>n) return changetype<Context>(0);
  return c;
}

/** Allocates a context and gives it a number, with its other fields zero; null: no memory or no free number. */
export function newContext(): Context {
  const c = changetype<Context>(slabAlloc(CACHE_CONTEXT, false));
  if (!c) return c;
  // The sequence continues, and the descriptor blocks, all free, stay with the memory.
  memory.fill(c.at + 8, 0, 120);
  lock(G_CTX_LOCK);
  for (let i: u32 = 0; i < MAX_CONTEXTS; i++) {
    if (load<u32>(CTX_TABLE + (i << 2)) != 0) continue;
    const made = load<u32>(G_CTX_MADE) + 1;
    set32(G_CTX_MADE, made);
    c.number = i == 0 ? 0 : (((made % 0xfffff) + 1) << 10) | i;
    c.alive = 1;
    put32(c.users, 1);
    put32(CTX_TABLE + (i << 2), <u32>c.at);
    unlock(G_CTX_LOCK);
    return c;
  }
  unlock(G_CTX_LOCK);
  slabFree(c.at);
  return changetype<Context>(0);
}

/** Removes a context from the table; false: another thread has done it. */
export function removeContext(c: Context): bool {
  lock(G_CTX_LOCK);
  const was = c.alive != 0;
  c.alive = 0;
  if (was) put32(CTX_TABLE + ((c.number & (MAX_CONTEXTS - 1)) << 2), 0);
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
