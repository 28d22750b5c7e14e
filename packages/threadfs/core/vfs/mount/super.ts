/**
 * Super blocks, and the table of drivers.
 *
 * Type 0 is the in-memory file system. Any other type is a driver's number: its slot in the table (low 8 bits) and the
 * slot's generation, so that the number of an unregistered driver is never reused.
 *
 * SuperBlock (256 bytes, typed cache): 0 dev u32 4 driver i32 8 hooks u32 12 fsFlags u32
 *   16 dflags u32 (initial flags of its dentries)  20 root ptr  24 active u32 (mounts)  28 readonly u32
 *   32 renameMutex u32 (s_vfs_rename_mutex)  36 rcu link  40 rcu tag  44 recount u32 (recount.ts)
 */

import { EBUSY, EEXIST, EINVAL, ENODEV, ENOSPC, EPERM } from "../../../abi/errno";
import { FS_REVAL_DOT } from "../../../abi/flags";
import * as HOOK from "../../../abi/hooks";
import { DRIVER_NAME_MAX } from "../../../abi/limits";
import * as shared from "../../../abi/memory";
import { slabAlloc } from "../../mem/alloc/slab";
import { lock, unlock } from "../../mem/lock/lock";
import { synchronizeRcu } from "../../mem/smr/smr";
import { put32, set32 } from "../../mem/undo/log";
import {
  D_NO_CACHE,
  D_OP_COMPARE,
  D_OP_DELETE,
  D_OP_HASH,
  D_OP_REVALIDATE,
  D_REVAL_DOT,
  Dentry,
} from "../dcache/dentry";
import { CACHE_SUPER, DRIVER_SIZE, DRIVERS, G_DRIVER_LOCK, G_NEXT_DEV, MAX_DRIVERS } from "../layout";

export const SUPER_SIZE: u32 = 256;
export const SUPER_LINK: u32 = offsetof<SuperBlock>("rcuNext");
/** Words that are kept when the memory is freed: active, renameMutex. */
export const SUPER_KEEP: u32 =
  (1 << (offsetof<SuperBlock>("active_") >> 2)) | (1 << (offsetof<SuperBlock>("renameMutex_") >> 2));

/** Entry of a driver in the table: state (0 free, 1 used), generation, hooks, flags, how many of its file systems are mounted. */
export const DRIVER_STATE: u32 = 0;
export const DRIVER_GENERATION: u32 = 4;
export const DRIVER_HOOKS: u32 = 8;
export const DRIVER_FS_FLAGS: u32 = 12;
export const DRIVER_MOUNTED: u32 = 16;
/** Bytes of the name, and the name itself. */
export const DRIVER_NAME_LEN: u32 = shared.DRIVER_NAME_LEN;
export const DRIVER_NAME: u32 = shared.DRIVER_NAME;

@unmanaged
export class SuperBlock {
  dev: u32;
  driver: i32;
  hooks: u32;
  fsFlags: u32;
  dflags: u32;
  root_: u32;
  active_: u32;
  readonly: u32;
  renameMutex_: u32;
  rcuNext: u32;
  rcuTag: u32;
  recount: u32;

  get at(): usize {
    return changetype<usize>(this);
  }
  get root(): Dentry {
    return changetype<Dentry>(<usize>this.root_);
  }
  get active(): usize {
    return changetype<usize>(this) + offsetof<SuperBlock>("active_");
  }
  get renameMutex(): usize {
    return changetype<usize>(this) + offsetof<SuperBlock>("renameMutex_");
  }
}

/** A super block without a root; null: the arena is full. `driver` 0: in memory. */
export function newSuper(driver: i32, readonly: bool): SuperBlock {
  const sb = changetype<SuperBlock>(slabAlloc(CACHE_SUPER, false));
  if (!sb) return sb;
  sb.dev = atomic.add<u32>(G_NEXT_DEV, 1) + 1;
  sb.driver = driver;
  sb.hooks = 0;
  sb.fsFlags = 0;
  sb.dflags = D_NO_CACHE;
  if (driver != 0) {
    const e = driverEntry(driver);
    sb.hooks = load<u32>(e + DRIVER_HOOKS);
    sb.fsFlags = load<u32>(e + DRIVER_FS_FLAGS);
    sb.dflags = dentryFlags(sb.hooks, sb.fsFlags);
  }
  sb.root_ = 0;
  atomic.store<u32>(sb.active, 0);
  sb.readonly = readonly ? 1 : 0;
  return sb;
}

function dentryFlags(hooks: u32, fsFlags: u32): u32 {
  let f: u32 = 0;
  if (hooks & HOOK.HASH) f |= D_OP_HASH;
  if (hooks & HOOK.COMPARE) f |= D_OP_COMPARE;
  if (hooks & HOOK.REVALIDATE) f |= D_OP_REVALIDATE;
  if (hooks & HOOK.DELETE) f |= D_OP_DELETE;
  if (fsFlags & FS_REVAL_DOT) f |= D_REVAL_DOT;
  return f;
}

/** The table entry of a driver; 0: no such driver (any more). */
export function driverEntry(driver: i32): usize {
  const i = <u32>(driver & 0xff) - 1;
  if (i >= MAX_DRIVERS) return 0;
  const e = DRIVERS + i * DRIVER_SIZE;
  if (load<u32>(e + DRIVER_STATE) == 0 || load<u32>(e + DRIVER_GENERATION) != <u32>driver >> 8) return 0;
  return e;
}

function sameName(e: usize, name: usize, len: u32): bool {
  return load<u32>(e + DRIVER_NAME_LEN) == len && memory.compare(e + DRIVER_NAME, name, len) == 0;
}

/** register_filesystem(): the driver's number, the same in every thread, or -errno. `mayAdd`: false refuses a new name. */
export function registerFilesystem(name: usize, len: u32, hooks: u32, fsFlags: u32, mayAdd: bool): i32 {
  if (len == 0 || len > <u32>DRIVER_NAME_MAX) return -EINVAL;
  lock(G_DRIVER_LOCK);
  let free: usize = 0;
  let answer: i32 = 0;
  for (let i: u32 = 0; i < MAX_DRIVERS; i++) {
    const e = DRIVERS + i * DRIVER_SIZE;
    if (load<u32>(e + DRIVER_STATE) == 0) {
      if (free == 0) free = e;
    } else if (sameName(e, name, len)) {
      const same = load<u32>(e + DRIVER_HOOKS) == hooks && load<u32>(e + DRIVER_FS_FLAGS) == fsFlags;
      answer = same ? driverNumber(e) : -EEXIST;
      break;
    }
  }
  if (answer == 0) {
    if (!mayAdd) answer = -EPERM;
    else if (free == 0) answer = -ENOSPC;
    else {
      set32(free + DRIVER_GENERATION, (load<u32>(free + DRIVER_GENERATION) + 1) & 0x3fffff);
      set32(free + DRIVER_HOOKS, hooks);
      set32(free + DRIVER_FS_FLAGS, fsFlags);
      set32(free + DRIVER_MOUNTED, 0);
      set32(free + DRIVER_NAME_LEN, len);
      memory.copy(free + DRIVER_NAME, name, len);
      put32(free + DRIVER_STATE, 1);
      answer = driverNumber(free);
    }
  }
  unlock(G_DRIVER_LOCK);
  return answer;
}

function driverNumber(e: usize): i32 {
  return <i32>(load<u32>(e + DRIVER_GENERATION) << 8) | (<i32>((e - DRIVERS) / DRIVER_SIZE) + 1);
}

/**
 * unregister_filesystem(): frees the entry and waits for a grace period, so that walks that have seen the driver's
 * hooks end before the caller removes the hooks. -EBUSY: the driver has a file system.
 */
export function unregisterFilesystem(driver: i32): i32 {
  lock(G_DRIVER_LOCK);
  const e = driverEntry(driver);
  const err = e == 0 ? -ENODEV : load<u32>(e + DRIVER_MOUNTED) != 0 ? -EBUSY : 0;
  if (err == 0) put32(e + DRIVER_STATE, 0);
  unlock(G_DRIVER_LOCK);
  if (err == 0) synchronizeRcu();
  return err;
}

/** Changes the number of a driver's file systems by `n`. -ENODEV: no such driver. */
export function addDriverMounts(driver: i32, n: i32): i32 {
  if (driver == 0) return 0;
  lock(G_DRIVER_LOCK);
  const e = driverEntry(driver);
  if (e != 0) set32(e + DRIVER_MOUNTED, load<u32>(e + DRIVER_MOUNTED) + n);
  unlock(G_DRIVER_LOCK);
  return e == 0 ? -ENODEV : 0;
}
