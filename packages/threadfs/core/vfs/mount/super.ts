/**
 * Super blocks, and the table of drivers.
 *
 * Type 0 is the in-memory file system. Any other type is a driver's number: its slot in the table plus DRIVER_SLOTS times how
 * many drivers the slot has had. Such a number has 53 bits, so a double holds it exactly, and it never comes round: the number of
 * an unregistered driver is never another's. A super block names its driver by the slot, which no other driver gets while a file
 * system of the driver exists.
 *
 * SuperBlock (512 bytes, typed cache): 0 dev u64  8 driver i32 (slot plus one, 0: in memory)  12 hooks u32  16 fsFlags u32
 *   20 dflags u32 (initial flags of its dentries)  24 root ptr  28 active u32 (mounts)  32 readonly u32
 *   36 renameMutex u32 (s_vfs_rename_mutex)  40 rcu link  44 rcu tag  48 recount u32 (recount.ts)  52 unmountTold u32
 *   56 generation u64 (with FS_GENERATION: counts up from 1 with every sysInvalidate())
 *   64 the limits of a file system in memory, on a line of their own, which only a remount changes: maxBlocks u64  72 maxSpace u64
 *   128 what it uses, where it is limited (fs/tmpfs/quota.ts): quotaLock u32  136 usedBlocks u64  144 usedSpace u64
 *   192 bytes of the source u32  196 the source, which never changes
 *
 * Driver (128 bytes, in a table): 0 state u32 (0 free, 1 used)  4 hooks u32  8 generation u64 (how many drivers the slot has had)
 *   16 fsFlags u32  20 mounted u32 (how many of its file systems exist)  24 bytes of the name u32  28 the name
 */

import { EBUSY, EEXIST, EINVAL, ENODEV, ENOSPC, EPERM } from "../../../abi/errno";
import { FS_GENERATION, FS_REVAL_DOT } from "../../../abi/flags";
import * as HOOK from "../../../abi/hooks";
import { DRIVER_NAME_MAX, MOUNT_SOURCE_MAX } from "../../../abi/limits";
import * as shared from "../../../abi/memory";
import { slabAlloc } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { synchronizeRcu } from "../../mem/smr/smr";
import { put32, put64, set32 } from "../../mem/undo/log";
import {
  D_GENERATION,
  D_NO_CACHE,
  D_OP_COMPARE,
  D_OP_DELETE,
  D_OP_HASH,
  D_OP_REVALIDATE,
  D_REVAL_DOT,
  Dentry,
} from "../dcache/dentry";
import { CACHE_SUPER, DRIVER_SIZE, DRIVERS, G_DRIVER_LOCK, G_NEXT_DEV, MAX_DRIVERS } from "../layout";

export const SUPER_SIZE: u32 = 512;
/** In a super block: the source that its mount was given, for the list of mounts. */
export const SUPER_SOURCE_LEN: u32 = 192;
export const SUPER_SOURCE: u32 = 196;
export const SUPER_LINK: u32 = offsetof<SuperBlock>("rcuNext");
/** Words that are kept when the memory is freed: active, renameMutex. */
export const SUPER_KEEP: u32 =
  (1 << (offsetof<SuperBlock>("active_") >> 2)) | (1 << (offsetof<SuperBlock>("renameMutex_") >> 2));

export const DRIVER_STATE: u32 = 0;
export const DRIVER_HOOKS: u32 = 4;
export const DRIVER_GENERATION: u32 = 8;
export const DRIVER_FS_FLAGS: u32 = 16;
export const DRIVER_MOUNTED: u32 = 20;
export const DRIVER_NAME_LEN: u32 = shared.DRIVER_NAME_LEN;
export const DRIVER_NAME: u32 = shared.DRIVER_NAME;
/** A driver's number is a slot plus one plus this times the slot's generation, which has 45 bits. */
export const DRIVER_SLOTS: u32 = 256;
const DRIVER_GENERATIONS: u64 = ((<u64>1) << 53) / DRIVER_SLOTS - 1;

@unmanaged
export class SuperBlock {
  /** The number that stat shows: how many file systems there have been before. */
  dev: u64;
  driver: i32;
  hooks: u32;
  fsFlags: u32;
  dflags: u32;
  root_: u32;
  active_: u32;
  readonly_: u32;
  renameMutex_: u32;
  rcuNext: u32;
  rcuTag: u32;
  recount: u32;
  /** 1: its end is in the log of changes. */
  unmountTold_: u32;
  generation_: u64;
  maxBlocks_: u64;
  maxSpace_: u64;
  unused80: u64;
  unused88: u64;
  unused96: u64;
  unused104: u64;
  unused112: u64;
  unused120: u64;
  quotaLock_: u32;
  unused132: u32;
  usedBlocks_: u64;
  usedSpace_: u64;

  get at(): usize {
    return changetype<usize>(this);
  }
  get root(): Dentry {
    return changetype<Dentry>(<usize>this.root_);
  }
  /** 1: nothing in it is changed. Changes under the mount lock, while the other threads are quiescent (remount.ts). */
  get readonly(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<SuperBlock>("readonly_"));
  }
  set readonly(v: u32) {
    put32(changetype<usize>(this) + offsetof<SuperBlock>("readonly_"), v);
  }
  get active(): usize {
    return changetype<usize>(this) + offsetof<SuperBlock>("active_");
  }
  get unmountTold(): bool {
    return this.unmountTold_ != 0;
  }
  set unmountTold(told: bool) {
    set32(changetype<usize>(this) + offsetof<SuperBlock>("unmountTold_"), told ? 1 : 0);
  }
  get renameMutex(): usize {
    return changetype<usize>(this) + offsetof<SuperBlock>("renameMutex_");
  }
  /** Address of the generation number, of which every change is one atomic addition. */
  get generationAt(): usize {
    return changetype<usize>(this) + offsetof<SuperBlock>("generation_");
  }
  get generation(): u64 {
    return atomic.load<u64>(changetype<usize>(this), offsetof<SuperBlock>("generation_"));
  }
  /** Most pages of contents; 0: no limit. Also read without quotaLock. */
  get maxBlocks(): u64 {
    return atomic.load<u64>(changetype<usize>(this) + offsetof<SuperBlock>("maxBlocks_"));
  }
  set maxBlocks(v: u64) {
    put64(changetype<usize>(this) + offsetof<SuperBlock>("maxBlocks_"), v);
  }
  /** Most bytes that inodes and extended attributes count for; 0: no limit. */
  get maxSpace(): u64 {
    return atomic.load<u64>(changetype<usize>(this) + offsetof<SuperBlock>("maxSpace_"));
  }
  set maxSpace(v: u64) {
    put64(changetype<usize>(this) + offsetof<SuperBlock>("maxSpace_"), v);
  }
  get quotaLock(): usize {
    return changetype<usize>(this) + offsetof<SuperBlock>("quotaLock_");
  }
  /** Under quotaLock, as usedSpace. */
  get usedBlocks(): u64 {
    return load<u64>(changetype<usize>(this) + offsetof<SuperBlock>("usedBlocks_"));
  }
  set usedBlocks(v: u64) {
    put64(changetype<usize>(this) + offsetof<SuperBlock>("usedBlocks_"), v);
  }
  get usedSpace(): u64 {
    return load<u64>(changetype<usize>(this) + offsetof<SuperBlock>("usedSpace_"));
  }
  set usedSpace(v: u64) {
    put64(changetype<usize>(this) + offsetof<SuperBlock>("usedSpace_"), v);
  }
}

/** A super block without a root; null: the arena is full. `driver`: the slot of its driver plus one, 0: in memory. */
export function newSuper(driver: i32, readonly: bool): SuperBlock {
  const sb = changetype<SuperBlock>(slabAlloc(CACHE_SUPER, false));
  if (!sb) return sb;
  sb.dev = atomic.add<u64>(G_NEXT_DEV, 1) + 1;
  sb.driver = driver;
  sb.hooks = 0;
  sb.fsFlags = 0;
  sb.dflags = D_NO_CACHE;
  if (driver != 0) {
    const e = slotOf(driver);
    sb.hooks = load<u32>(e + DRIVER_HOOKS);
    sb.fsFlags = load<u32>(e + DRIVER_FS_FLAGS);
    sb.dflags = dentryFlags(sb.hooks, sb.fsFlags);
  }
  sb.root_ = 0;
  atomic.store<u32>(sb.active, 0);
  sb.readonly = readonly ? 1 : 0;
  sb.unmountTold_ = 0;
  atomic.store<u64>(sb.generationAt, 1);
  sb.maxBlocks = 0;
  sb.maxSpace = 0;
  atomic.store<u32>(sb.quotaLock, 0);
  sb.usedBlocks = 0;
  sb.usedSpace = 0;
  store<u32>(sb.at, 0, SUPER_SOURCE_LEN);
  return sb;
}

function dentryFlags(hooks: u32, fsFlags: u32): u32 {
  let f: u32 = 0;
  if (hooks & HOOK.HASH) f |= D_OP_HASH;
  if (hooks & HOOK.COMPARE) f |= D_OP_COMPARE;
  if (hooks & HOOK.REVALIDATE) f |= D_OP_REVALIDATE;
  if (hooks & HOOK.DELETE) f |= D_OP_DELETE;
  if (fsFlags & FS_REVAL_DOT) f |= D_REVAL_DOT;
  if (fsFlags & FS_GENERATION) f |= D_GENERATION;
  return f;
}

/** The table entry of the driver in a slot, plus one as in a super block. */
export function slotOf(driver: i32): usize {
  if (<u32>(driver - 1) >= MAX_DRIVERS) corrupt(DRIVERS);
  return DRIVERS + <u32>(driver - 1) * DRIVER_SIZE;
}

/** The table entry of a driver by its number; 0: no such driver (any more). */
function driverEntry(number: f64): usize {
  const slot = <i32>(<i64>number & (DRIVER_SLOTS - 1));
  if (slot == 0 || <u32>slot > MAX_DRIVERS) return 0;
  const e = slotOf(slot);
  return load<u32>(e + DRIVER_STATE) != 0 && driverNumber(slot) == number ? e : 0;
}

/** The number of the driver that is in a slot. */
export function driverNumber(driver: i32): f64 {
  return <f64>(load<u64>(slotOf(driver) + DRIVER_GENERATION) * DRIVER_SLOTS + driver);
}

function sameName(e: usize, name: usize, len: u32): bool {
  return load<u32>(e + DRIVER_NAME_LEN) == len && memory.compare(e + DRIVER_NAME, name, len) == 0;
}

/**
 * register_filesystem(): the driver's number, the same in every thread, or -errno. `mayAdd`: false refuses a new name. -ENOSPC: no
 * slot is free, or those that are have had as many drivers as there are numbers.
 */
export function registerFilesystem(name: usize, len: u32, hooks: u32, fsFlags: u32, mayAdd: bool): f64 {
  if (len == 0 || len > <u32>DRIVER_NAME_MAX) return -EINVAL;
  lock(G_DRIVER_LOCK);
  let free: i32 = 0;
  let answer: f64 = 0;
  for (let slot: i32 = 1; slot <= <i32>MAX_DRIVERS; slot++) {
    const e = slotOf(slot);
    if (load<u32>(e + DRIVER_STATE) == 0) {
      if (free == 0 && load<u64>(e + DRIVER_GENERATION) < DRIVER_GENERATIONS) free = slot;
    } else if (sameName(e, name, len)) {
      const same = load<u32>(e + DRIVER_HOOKS) == hooks && load<u32>(e + DRIVER_FS_FLAGS) == fsFlags;
      answer = same ? driverNumber(slot) : -EEXIST;
      break;
    }
  }
  if (answer == 0) {
    if (!mayAdd) answer = -EPERM;
    else if (free == 0) answer = -ENOSPC;
    else {
      const e = slotOf(free);
      put64(e + DRIVER_GENERATION, load<u64>(e + DRIVER_GENERATION) + 1);
      set32(e + DRIVER_HOOKS, hooks);
      set32(e + DRIVER_FS_FLAGS, fsFlags);
      set32(e + DRIVER_MOUNTED, 0);
      set32(e + DRIVER_NAME_LEN, len);
      memory.copy(e + DRIVER_NAME, name, len);
      put32(e + DRIVER_STATE, 1);
      answer = driverNumber(free);
    }
  }
  unlock(G_DRIVER_LOCK);
  return answer;
}

/**
 * unregister_filesystem(): frees the entry and waits for a grace period, so that walks that have seen the driver's
 * hooks end before the caller removes the hooks. -EBUSY: the driver has a file system.
 */
export function unregisterFilesystem(number: f64): i32 {
  lock(G_DRIVER_LOCK);
  const e = driverEntry(number);
  const err = e == 0 ? -ENODEV : load<u32>(e + DRIVER_MOUNTED) != 0 ? -EBUSY : 0;
  if (err == 0) put32(e + DRIVER_STATE, 0);
  unlock(G_DRIVER_LOCK);
  if (err == 0) synchronizeRcu();
  return err;
}

/** The slot, plus one, of the driver with this number, with one file system more; -ENODEV: no such driver. */
export function addDriverMount(number: f64): i32 {
  lock(G_DRIVER_LOCK);
  const e = driverEntry(number);
  if (e != 0) set32(e + DRIVER_MOUNTED, load<u32>(e + DRIVER_MOUNTED) + 1);
  unlock(G_DRIVER_LOCK);
  return e == 0 ? -ENODEV : <i32>((e - DRIVERS) / DRIVER_SIZE) + 1;
}

/** A file system of the driver in a slot has ended; 0: one in memory. */
export function dropDriverMount(driver: i32): void {
  if (driver == 0) return;
  lock(G_DRIVER_LOCK);
  const mounted = slotOf(driver) + DRIVER_MOUNTED;
  set32(mounted, load<u32>(mounted) - 1);
  unlock(G_DRIVER_LOCK);
}

/** Keeps the source of a new file system: `len` bytes at `from`, at most MOUNT_SOURCE_MAX. */
export function setSource(sb: SuperBlock, from: usize, len: u32): void {
  const n = min<u32>(len, MOUNT_SOURCE_MAX);
  memory.copy(sb.at + SUPER_SOURCE, from, n);
  store<u32>(sb.at, n, SUPER_SOURCE_LEN);
}
