/**
 * The system-call table: the one door of the core. Each call is described in abi/abi.ts. Numbers go in, a number >= 0 or
 * -errno comes out; paths, structures and contents travel through the calling thread's scratch area.
 */

import * as COUNTER from "../../abi/counters";
import { EBADF, EBUSY, EDEADLK, EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, EPERM, EUSERS } from "../../abi/errno";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  MS_BIND,
  MS_MOVE,
} from "../../abi/flags";
import * as HOOK from "../../abi/hooks";
import { HOST_AUDIT, HOST_SECURITY } from "../../abi/host";
import { MIN_CHUNKS, PATH_MAX } from "../../abi/limits";
import { ABI_VERSION } from "../../abi/memory";
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../abi/mode";
import { MAY_WRITE } from "../../abi/permissions";
import * as SCRATCH from "../../abi/scratch";
import { driverPutLink, driverReadlink, S_BODY } from "../fs/driver/hooks";
import { dataRepair, redoWrite } from "../fs/tmpfs/data";
import { tmpfsSuper } from "../fs/tmpfs/tmpfs";
import { chunkAddress, chunkAllocPair, chunkEntry, growMemory } from "../mem/alloc/pages";
import {
  CACHE_CONTEXT,
  CACHE_DENTRY,
  CACHE_FILE,
  CACHE_INODE,
  CACHE_MOUNT,
  CACHE_SUPER,
  cacheInit,
  sizedCachesInit,
} from "../mem/alloc/slab";
import { corrupt } from "../mem/bounds";
import { hasNul } from "../mem/hash";
import * as L from "../mem/layout";
import { lock, unlock } from "../mem/lock/lock";
import { rcuClear, rcuDepth, rcuInit, synchronizeRcu as waitForReaders } from "../mem/smr/smr";
import * as T from "../mem/thread";
import { LOG_REDO, MUTEXES_MAX, put32, put64, set32 } from "../mem/undo/log";
import { heldMutex, releaseThread, rollBackThread } from "../mem/undo/recover";
import { MIN_BUCKETS, maskOf } from "../vfs/dcache/d-hash";
import { dPath } from "../vfs/dcache/d-path";
import { dget, dput, shrinkDcache } from "../vfs/dcache/dcache";
import { DENTRY_KEEP, DENTRY_LINK, DENTRY_SIZE, Dentry } from "../vfs/dcache/dentry";
import { FILE_KEEP, FILE_LINK, FILE_SIZE, File, fdClose, fget, fput } from "../vfs/file/file";
import { doOpen } from "../vfs/file/open";
import { doFtruncate, doLseek, doRead, doWrite, truncateInode } from "../vfs/file/read-write";
import { doGetdents } from "../vfs/file/readdir";
import { doChmod, doChown, doGetacl, doSetacl, doUtimens, vfsGetattr } from "../vfs/inode/attr";
import { I_DRIVER, INODE_KEEP, INODE_LINK, INODE_SIZE, Inode } from "../vfs/inode/inode";
import {
  createRootContext,
  doBind,
  doChdir,
  doContextCreate,
  doContextDestroy,
  doMoveMount,
  doNewMount,
  doUmount,
} from "../vfs/mount/mount";
import {
  MOUNT_KEEP,
  MOUNT_LINK,
  MOUNT_SIZE,
  Mount,
  mntget,
  mntput,
  newMount,
  setRootMount,
} from "../vfs/mount/namespace";
import { registerFilesystem, SUPER_KEEP, SUPER_LINK, SUPER_SIZE, unregisterFilesystem } from "../vfs/mount/super";
import { doCreate, doLink, doRename, doUnlink, mntWantWrite } from "../vfs/ops/modify";
import { enterActive, leaveActive } from "../vfs/recovery/quiescence";
import { makeSpace } from "../vfs/recovery/reclaim";
import { recountReferences } from "../vfs/recovery/recount";
import { acquireContext, releaseContext, releaseContextOf } from "../vfs/task/context-ref";
import { CONTEXT_KEEP, CONTEXT_LINK, CONTEXT_SIZE, Context, getContext, NGROUPS_MAX } from "../vfs/task/cred";
import { FOR_ACCESS, FOR_PATH, FOR_STAT, filenameLookup, pathPut } from "../vfs/walk/namei";
import { LOOKUP_FOLLOW, Nameidata, nameidata } from "../vfs/walk/nameidata";
import { setNameidata } from "../vfs/walk/path-init";
import { inodePermission } from "../vfs/walk/permission";

// ------------------------------------------------------------------------------------------------- the arena

/** Next number of the generator that draws hash keys (splitmix64). */
let splitmixState: u64 = 0;
function splitmix64(): u64 {
  splitmixState += 0x9e3779b97f4a7c15;
  let z = splitmixState;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

export function arenaInit(maxBytes: f64, seedLo: u32, seedHi: u32): i32 {
  const chunks = <u32>(maxBytes / <f64>L.CHUNK);
  if (chunks < <u32>MIN_CHUNKS || chunks > 65536) return -EINVAL;
  if (load<u32>(L.H_MAGIC) != 0) return -EINVAL;
  const table = L.FIXED_END;
  const buckets = <usize>((table + chunks * L.CHUNK_ENTRY + 63) & ~63);
  const maxBuckets = max<u32>(MIN_BUCKETS, chunks << 9);
  const first = <u32>((buckets + (maxBuckets << 2) + L.CHUNK - 1) >> L.CHUNK_SHIFT);
  if (!growMemory(first, chunks)) return -ENOSPC;
  store<u32>(L.H_MAX_CHUNKS, chunks);
  store<u32>(L.H_CHUNK_TABLE, <u32>table);
  store<u32>(L.H_BUCKETS, <u32>buckets);
  store<u32>(L.H_MAX_BUCKETS, maxBuckets);
  store<u32>(L.H_FIRST_CHUNK, first);
  splitmixState = ((<u64>seedHi) << 32) | seedLo;
  for (let i: usize = 0; i < 256; i += 8) store<u64>(L.KEYS + i, splitmix64());
  store<u64>(L.H_SALT, splitmix64());
  store<u32>(L.G_HASH_N, MIN_BUCKETS);
  store<u32>(L.G_HASH_MASK, maskOf(MIN_BUCKETS));
  store<u32>(L.G_PAGE_BUMP, first);
  store<u32>(L.G_PAGE_USED, first);
  cacheInit(CACHE_DENTRY, DENTRY_SIZE, true, DENTRY_LINK, DENTRY_KEEP);
  cacheInit(CACHE_INODE, INODE_SIZE, true, INODE_LINK, INODE_KEEP);
  cacheInit(CACHE_MOUNT, MOUNT_SIZE, true, MOUNT_LINK, MOUNT_KEEP);
  cacheInit(CACHE_SUPER, SUPER_SIZE, true, SUPER_LINK, SUPER_KEEP);
  cacheInit(CACHE_FILE, FILE_SIZE, true, FILE_LINK, FILE_KEEP);
  cacheInit(CACHE_CONTEXT, CONTEXT_SIZE, true, CONTEXT_LINK, CONTEXT_KEEP);
  sizedCachesInit();
  rcuInit();
  // Locks need a name for their owner; the slot is given back at once.
  T.setThread(0, 0, false);
  const sb = tmpfsSuper(0x1ed, 0, 0, false);
  const m = sb ? newMount(sb, dget(sb.root), 0) : changetype<Mount>(0);
  const ok = m ? createRootContext(m, sb.root) : false;
  if (ok) setRootMount(m);
  T.clearThread();
  if (!ok) return -ENOSPC;
  store<u32>(L.H_VERSION, ABI_VERSION);
  atomic.store<u32>(L.H_MAGIC, L.MAGIC);
  return 0;
}

export function arenaCheck(): i32 {
  return atomic.load<u32>(L.H_MAGIC) == L.MAGIC && load<u32>(L.H_VERSION) == ABI_VERSION ? 0 : -EINVAL;
}

/**
 * Takes a slot. `name`: what the host calls the thread, 0: nothing; the slot is claimed with it in one step, so that a thread that
 * dies while it attaches can be found.
 */
export function threadAttach(mayWait: i32, hostId: u32): i32 {
  if (arenaCheck() != 0) return -EINVAL;
  if (T.tid != 0) return -EINVAL;
  let n: u32 = 0;
  while (n < L.MAX_THREADS && atomic.cmpxchg<u64>(slotAt(n) + L.SLOT_STATE, 0, ((<u64>hostId) << 32) | SLOT_USED) != 0)
    n++;
  if (n == L.MAX_THREADS) return -EUSERS;
  const s = slotAt(n);
  T.setThread(n, 0, mayWait != 0);
  lock(L.G_SLOT_LOCK);
  if (load<u32>(L.G_SLOTS_USED) <= n) put32(L.G_SLOTS_USED, n + 1);
  if (load<u32>(s + L.SLOT_SCRATCH) == 0) {
    const run = chunkAllocPair();
    if (run != 0) set32(s + L.SLOT_SCRATCH, <u32>chunkAddress(run));
  }
  if (load<u32>(s + L.SLOT_SCRATCH) != 0 && load<u32>(s + L.SLOT_PREFIX_CACHE) == 0)
    set32(s + L.SLOT_PREFIX_CACHE, allocPrefixCache());
  unlock(L.G_SLOT_LOCK);
  const scratch = load<u32>(s + L.SLOT_SCRATCH);
  if (scratch == 0) {
    atomic.store<u64>(s + L.SLOT_STATE, 0);
    T.clearThread();
    return -ENOSPC;
  }
  T.setThread(n, scratch, mayWait != 0);
  T.setPrefixCache(load<u32>(s + L.SLOT_PREFIX_CACHE));
  // Who had this slot before may have been killed in the middle of an entry.
  memory.fill(T.scratch + L.S_PREFIX_TAGS, 0, L.PREFIX_CACHE_SETS << 4);
  return 0;
}

/** Room for a memo, 0: the arena has none for it. Under the slot lock. */
function allocPrefixCache(): u32 {
  const n = load<u32>(L.G_PREFIX_CACHES) + 1;
  if (n * L.PREFIX_CACHE_CHUNKS * L.PREFIX_CACHE_SHARE > load<u32>(L.H_MAX_CHUNKS)) return 0;
  const run = chunkAllocPair();
  if (run == 0) return 0;
  set32(L.G_PREFIX_CACHES, n);
  return <u32>chunkAddress(run);
}

function slotAt(n: u32): usize {
  return L.SLOTS + n * L.SLOT_SIZE;
}

/** A slot's state: in use; its thread is dead, and the thread whose slot number stands above these bits recovers it. */
const SLOT_USED: u32 = 1;
const SLOT_DEAD: u32 = 2;

export function threadDetach(): i32 {
  if (T.tid == 0) return -EINVAL;
  if (T.hookDepth != 0) return -EDEADLK;
  enterActive();
  releaseContext();
  leaveActive();
  freeSlot(T.slot);
  T.clearThread();
  return 0;
}

/** The end of a slot: its counts go to the totals, and it is free. */
function freeSlot(s: usize): void {
  lock(L.G_SLOT_LOCK);
  for (let i: u32 = 0; i < L.NR_COUNTERS; i++) {
    const total = L.G_OLD_COUNTERS + (i << 3);
    const own = s + L.SLOT_COUNTERS + (i << 3);
    put64(total, load<u64>(total) + load<u64>(own));
    put64(own, 0);
  }
  unlock(L.G_SLOT_LOCK);
  atomic.store<u64>(s + L.SLOT_STATE, 0);
}

export function threadSlot(): i32 {
  return <i32>T.tid - 1;
}

/** The slot of the thread that the host calls `name`, -ENOENT: none. */
export function threadFind(hostId: u32): i32 {
  for (let n: u32 = 0; n < L.MAX_THREADS && hostId != 0; n++) {
    const state = atomic.load<u64>(slotAt(n) + L.SLOT_STATE);
    if (<u32>state != 0 && <u32>(state >> 32) == hostId) return <i32>n;
  }
  return -ENOENT;
}

/**
 * Takes over what a dead thread held. Whoever is the first to say so does it; -EBUSY: another thread is at it. 0: all is done;
 * 1: but for references that are to be looked for when no other thread is in a call. `trapped`: it died of memory that is
 * corrupt; its references are left, since whoever looked for them could trap as well.
 */
export function threadRecover(n: i32, trapped: i32): i32 {
  if (T.tid == 0 || <u32>n >= L.MAX_THREADS || <u32>n == T.tid - 1) return -EINVAL;
  if (T.hookDepth != 0 || rcuDepth() != 0) return -EDEADLK;
  const s = slotAt(n);
  const state = atomic.load<u32>(s + L.SLOT_STATE);
  if (state == 0) return -EINVAL;
  if ((state & 3) == SLOT_DEAD && isLiveThread((state >> 2) - 1)) return -EBUSY;
  if (atomic.cmpxchg<u32>(s + L.SLOT_STATE, state, SLOT_DEAD | (T.tid << 2)) != state) return -EBUSY;
  const dead = <u32>n + 1;
  const j = s + L.SLOT_UNDO_LOG;
  rollBackThread(j, dead);
  for (let k: u32 = 0; k < MUTEXES_MAX; k++) repairContents(heldMutex(j, k, dead), s);
  store<u32>(j + LOG_REDO, 0);
  releaseThread(j, dead);
  rcuClear(s);
  // Had it been sweeping, somebody else must.
  atomic.cmpxchg<u32>(L.G_RECOUNT_OWNER, dead, 0);
  if (atomic.load<u32>(s + L.SLOT_ACTIVE) != 0) {
    if (trapped == 0) atomic.add<u32>(L.G_LEAKS, 1);
    store<u32>(s + L.SLOT_CONTEXT, 0);
    atomic.store<u32>(s + L.SLOT_ACTIVE, 0);
  } else if (trapped == 0) {
    enterActive();
    releaseContextOf(s);
    leaveActive();
  }
  freeSlot(s);
  return atomic.load<u32>(L.G_LEAKS) == 0 || recountReferences(RECOUNT_WAIT_MS) ? 0 : 1;
}

/** A call takes less than this, unless a driver's hook stands still in it. */
const RECOUNT_WAIT_MS: f64 = 1000;

function isLiveThread(n: u32): bool {
  return n < L.MAX_THREADS && n != T.tid - 1 && (atomic.load<u32>(slotAt(n) + L.SLOT_STATE) & 3) == SLOT_USED;
}

/** Sets right what lies under a mutex that the dead thread of a slot holds: the contents of a file. */
function repairContents(mutex: usize, s: usize): void {
  if (mutex == 0 || load<u32>(chunkEntry(<u32>mutex >> L.CHUNK_SHIFT)) != CACHE_INODE) return;
  const i = changetype<Inode>(mutex - offsetof<Inode>("mutex_"));
  if (!i.isReg || i.mode & I_DRIVER) return;
  redoWrite(i, s + L.SLOT_UNDO_LOG, load<u32>(s + L.SLOT_SCRATCH));
  dataRepair(i);
}

export function scratchBase(): u32 {
  return <u32>T.scratch;
}

export function hostHooks(bits: u32): i32 {
  T.setHostHooks((bits & HOST_SECURITY) != 0, (bits & HOST_AUDIT) != 0);
  return 0;
}

export function sumCounters(own: i32): i32 {
  const out = T.scratch + SCRATCH.IO;
  const used = min<u32>(atomic.load<u32>(L.G_SLOTS_USED), L.MAX_THREADS);
  for (let i: u32 = 0; i < L.NR_COUNTERS; i++) {
    let sum = own != 0 ? load<u64>(T.slot + L.SLOT_COUNTERS + (i << 3)) : load<u64>(L.G_OLD_COUNTERS + (i << 3));
    for (let n: u32 = 0; n < used && own == 0; n++) sum += load<u64>(slotAt(n) + L.SLOT_COUNTERS + (i << 3));
    store<f64>(out + (i << 3), <f64>sum);
  }
  const g = out + (COUNTER.dentries << 3);
  store<f64>(g, <f64>load<u32>(L.G_NR_DENTRY));
  store<f64>(g + 8, <f64>load<u32>(L.G_NR_INODE));
  store<f64>(g + 16, <f64>load<u32>(L.G_NR_MOUNTS));
  // Of the room kept for hash buckets only what the table has grown to is in use.
  const kept = (load<u32>(L.H_MAX_BUCKETS) << 2) >> L.CHUNK_SHIFT;
  const grown = (load<u32>(L.G_HASH_N) << 2) >> L.CHUNK_SHIFT;
  store<f64>(g + 24, <f64>(load<u32>(L.G_PAGE_USED) - kept + grown));
  store<f64>(g + 32, <f64>load<u32>(L.H_MAX_CHUNKS));
  store<f64>(g + 40, <f64>load<u32>(L.G_NR_FILES));
  return <i32>L.NR_COUNTERS;
}

export function walkMode(modes: u32): i32 {
  const former = <i32>T.modes;
  T.setModes(modes);
  return former;
}

export function synchronizeRcu(): i32 {
  if (T.tid == 0) return -EINVAL;
  if (rcuDepth() != 0) return -EDEADLK;
  waitForReaders();
  return 0;
}

export function shrink(n: u32): i32 {
  if (T.tid == 0) return -EINVAL;
  enterActive();
  const freed = shrinkDcache(n);
  // Inside the gate too: what is taken from the retired list is nobody's until it is free.
  makeSpace();
  leaveActive();
  return <i32>freed;
}

// ------------------------------------------------------------------------------------------------- the door

/** Why syscallEnter() answered null. */
let syscallEnterErr: i32 = 0;

/** The context of a call; null: refused. Calls from inside a driver's hook would write over the walk that called it. */
function syscallEnter(n: i32): Context {
  const none = changetype<Context>(0);
  if (T.hookDepth != 0) {
    syscallEnterErr = -EDEADLK;
    return none;
  }
  syscallEnterErr = -EBADF;
  return T.tid != 0 ? getContext(n) : none;
}

function badPathLength(len: i32): bool {
  if (len > PATH_MAX) {
    syscallEnterErr = -ENAMETOOLONG;
    return true;
  }
  syscallEnterErr = -ENOENT;
  return len <= 0;
}

/** The same for a call that does not walk: it works with references from its start. */
function syscallEnterActive(n: i32): Context {
  const c = syscallEnter(n);
  if (!c) return c;
  enterActive();
  return acquireContext(n);
}

/** The end of a call, with its answer: it holds no reference any more. A call refused in a hook ends nothing. */
function syscallExit(r: i32): i32 {
  if (T.hookDepth == 0) leaveActive();
  return r;
}

function syscallExitF(r: f64): f64 {
  if (T.hookDepth == 0) leaveActive();
  return r;
}

/** The walk of a call's first or second path, which may have a NUL inside; null: refused. */
function pathArgumentUnchecked(n: i32, dirfd: i32, len: i32, second: bool): Nameidata {
  const c = syscallEnter(n);
  if (!c || badPathLength(len)) return changetype<Nameidata>(0);
  const nd = nameidata(second);
  setNameidata(nd, c, dirfd, T.scratch + (second ? SCRATCH.PATH2 : SCRATCH.PATH), len);
  return nd;
}

/** The walk of a call's first or second path; null: refused. */
function pathArgument(n: i32, dirfd: i32, len: i32, second: bool): Nameidata {
  const nd = pathArgumentUnchecked(n, dirfd, len, second);
  if (!nd || !hasNul(nd.name, len)) return nd;
  syscallEnterErr = -EINVAL;
  return changetype<Nameidata>(0);
}

/** The same for calls whose first walk looks for the NUL itself, where an empty path may stand for the descriptor. */
function pathOrFdArgument(n: i32, dirfd: i32, len: i32, flags: u32): Nameidata {
  if (len != 0 || !(flags & AT_EMPTY_PATH)) return pathArgumentUnchecked(n, dirfd, len, false);
  const c = syscallEnter(n);
  if (!c) return changetype<Nameidata>(0);
  store<u8>(T.scratch, 0);
  const nd = nameidata(false);
  setNameidata(nd, c, dirfd, T.scratch, 0);
  return nd;
}

function lookupFlags(flags: u32): u32 {
  return flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
}

export function contextCreate(from: i32, uid: u32, gid: u32, umask: u32, ngroups: u32, caps: i32): i32 {
  const c = syscallEnterActive(from);
  if (!c) return syscallExit(syscallEnterErr);
  if (ngroups > NGROUPS_MAX) return syscallExit(-EINVAL);
  return syscallExit(doContextCreate(c, uid, gid, umask, T.scratch + SCRATCH.IO, ngroups, caps));
}

export function contextDestroy(n: i32): i32 {
  const c = syscallEnterActive(n);
  return syscallExit(c ? doContextDestroy(c) : syscallEnterErr);
}

export function contextCheck(n: i32): i32 {
  return syscallEnter(n) ? 0 : syscallEnterErr;
}

export function sysUmask(n: i32, mask: u32): i32 {
  const c = syscallEnterActive(n);
  if (!c) return syscallExit(syscallEnterErr);
  const old = c.umask;
  c.umask = mask & 0x1ff;
  return syscallExit(<i32>old);
}

export function sysChdir(n: i32, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(n, dirfd, len, false);
  return syscallExit(nd ? doChdir(nd, false) : syscallEnterErr);
}

export function sysChroot(n: i32, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(n, dirfd, len, false);
  return syscallExit(nd ? doChdir(nd, true) : syscallEnterErr);
}

export function sysGetcwd(n: i32): i32 {
  const c = syscallEnterActive(n);
  if (!c) return syscallExit(syscallEnterErr);
  lock(c.lock);
  if (c.pwd_ == 0) {
    // Closed since this call began.
    unlock(c.lock);
    return syscallExit(-EBADF);
  }
  const m = mntget(changetype<Mount>(<usize>c.pwdMnt_));
  const d = dget(changetype<Dentry>(<usize>c.pwd_));
  unlock(c.lock);
  const r = dPath(c, m, d);
  dput(d);
  mntput(m);
  return syscallExit(r);
}

// ------------------------------------------------------------------------------------------------- looking

export function sysAccess(n: i32, dirfd: i32, len: i32, mode: u32, flags: u32): i32 {
  if (mode > 7) return syscallExit(-EINVAL);
  const nd = pathOrFdArgument(n, dirfd, len, flags);
  return syscallExit(nd ? filenameLookup(nd, lookupFlags(flags), FOR_ACCESS, mode) : syscallEnterErr);
}

export function sysStat(n: i32, dirfd: i32, len: i32, flags: u32): i32 {
  const nd = pathOrFdArgument(n, dirfd, len, flags);
  return syscallExit(nd ? filenameLookup(nd, lookupFlags(flags), FOR_STAT, 0) : syscallEnterErr);
}

export function sysFstat(n: i32, fd: i32): i32 {
  const f = fileOf(n, fd);
  if (!f) return syscallExit(syscallEnterErr);
  const r = vfsGetattr(f.mnt, f.inode, false);
  fput(f);
  return syscallExit(r);
}

function fileOf(n: i32, fd: i32): File {
  const c = syscallEnterActive(n);
  if (!c) return changetype<File>(0);
  const f = fget(c, fd);
  syscallEnterErr = -EBADF;
  return f;
}

export function sysRealpath(n: i32, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(n, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  const err = filenameLookup(nd, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err != 0) return syscallExit(err);
  const r = dPath(nd.ctx, nd.mnt, nd.dentry);
  pathPut(nd);
  return syscallExit(r);
}

export function sysReadlink(n: i32, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(n, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  const err = filenameLookup(nd, 0, FOR_PATH, 0);
  if (err != 0) return syscallExit(err);
  const r = readLink(nd.inode);
  pathPut(nd);
  return syscallExit(r);
}

function readLink(i: Inode): i32 {
  if (!i.isLink) return -EINVAL;
  const to = T.scratch + SCRATCH.IO;
  if (!(i.mode & I_DRIVER)) {
    if (<u64>i.size > <u64>PATH_MAX) corrupt(i.at);
    memory.copy(to, i.data, <usize>i.size);
    return <i32>i.size;
  }
  if (!(i.sb.hooks & HOOK.READLINK)) return -EINVAL;
  const r = driverReadlink(i);
  if (r < 0) return r;
  memory.copy(to, T.scratch + S_BODY, r);
  if (i.sb.hooks & HOOK.PUT_LINK) driverPutLink(i);
  return r;
}

// ------------------------------------------------------------------------------------------------- open files

export function sysOpen(n: i32, dirfd: i32, len: i32, flags: u32, mode: u32): i32 {
  const nd = pathArgument(n, dirfd, len, false);
  return syscallExit(nd ? doOpen(nd, flags, mode & ~nd.ctx.umask & 0xfff) : syscallEnterErr);
}

export function sysClose(n: i32, fd: i32): i32 {
  const c = syscallEnterActive(n);
  if (!c) return syscallExit(syscallEnterErr);
  const f = fdClose(c, fd);
  if (!f) return syscallExit(-EBADF);
  fput(f);
  return syscallExit(0);
}

export function sysRead(n: i32, fd: i32, offset: f64, bytes: u32): i32 {
  const c = syscallEnterActive(n);
  return syscallExit(c ? doRead(c, fd, offset, bytes) : syscallEnterErr);
}

export function sysWrite(n: i32, fd: i32, offset: f64, bytes: u32): i32 {
  const c = syscallEnterActive(n);
  return syscallExit(c ? doWrite(c, fd, offset, bytes) : syscallEnterErr);
}

export function sysLseek(n: i32, fd: i32, offset: f64, whence: i32): f64 {
  const c = syscallEnterActive(n);
  return syscallExitF(c ? doLseek(c, fd, offset, whence) : <f64>syscallEnterErr);
}

export function sysFtruncate(n: i32, fd: i32, size: f64): i32 {
  const c = syscallEnterActive(n);
  return syscallExit(c ? doFtruncate(c, fd, size) : syscallEnterErr);
}

export function sysTruncate(n: i32, dirfd: i32, len: i32, size: f64): i32 {
  const nd = pathArgument(n, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  let err = filenameLookup(nd, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err != 0) return syscallExit(err);
  const i = nd.inode;
  if (i.isDir) err = -EISDIR;
  else if (!i.isReg || !(size >= 0)) err = -EINVAL;
  else err = mntWantWrite(nd.mnt);
  if (err == 0) err = inodePermission(nd.ctx, i, MAY_WRITE, false);
  if (err == 0) err = truncateInode(nd.ctx, i, size);
  pathPut(nd);
  return syscallExit(err);
}

export function sysGetdents(n: i32, fd: i32): i32 {
  const c = syscallEnterActive(n);
  return syscallExit(c ? doGetdents(c, fd) : syscallEnterErr);
}

export function sysFsync(n: i32, fd: i32): i32 {
  const f = fileOf(n, fd);
  if (!f) return syscallExit(syscallEnterErr);
  fput(f);
  return syscallExit(0);
}

// ------------------------------------------------------------------------------------------------- changes

export function sysMkdir(n: i32, dirfd: i32, len: i32, mode: u32): i32 {
  const nd = pathArgument(n, dirfd, len, false);
  return syscallExit(nd ? doCreate(nd, S_IFDIR | (mode & ~nd.ctx.umask & 0x3ff), 0, 0) : syscallEnterErr);
}

export function sysMknod(n: i32, dirfd: i32, len: i32, mode: u32): i32 {
  const nd = pathArgument(n, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  const type = mode & S_IFMT;
  if (type == S_IFDIR) return syscallExit(-EPERM);
  if (type != 0 && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK) return syscallExit(-EPERM);
  return syscallExit(doCreate(nd, (type == 0 ? S_IFREG : type) | (mode & ~nd.ctx.umask & 0xfff), 0, 0));
}

export function sysSymlink(n: i32, len: i32, dirfd2: i32, len2: i32): i32 {
  if (badPathLength(len)) return syscallExit(syscallEnterErr);
  if (hasNul(T.scratch + SCRATCH.PATH, len)) return syscallExit(-EINVAL);
  const nd = pathArgument(n, dirfd2, len2, true);
  return syscallExit(nd ? doCreate(nd, S_IFLNK | 0x1ff, T.scratch + SCRATCH.PATH, len) : syscallEnterErr);
}

export function sysLink(n: i32, dirfd: i32, len: i32, dirfd2: i32, len2: i32, flags: u32): i32 {
  const from = pathOrFdArgument(n, dirfd, len, flags);
  if (!from) return syscallExit(syscallEnterErr);
  const nd = pathArgument(n, dirfd2, len2, true);
  return syscallExit(nd ? doLink(from, nd, (flags & AT_SYMLINK_FOLLOW) != 0) : syscallEnterErr);
}

export function sysUnlink(n: i32, dirfd: i32, len: i32, flags: u32): i32 {
  const nd = pathArgument(n, dirfd, len, false);
  return syscallExit(nd ? doUnlink(nd, (flags & AT_REMOVEDIR) != 0) : syscallEnterErr);
}

export function sysRename(n: i32, dirfd: i32, len: i32, dirfd2: i32, len2: i32, flags: u32): i32 {
  const nd = pathArgument(n, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  const nd2 = pathArgument(n, dirfd2, len2, true);
  return syscallExit(nd2 ? doRename(nd, nd2, flags) : syscallEnterErr);
}

/** A change of attributes by path: which, and its arguments. */
const SET_MODE: i32 = 0;
const SET_OWNER: i32 = 1;
const SET_ACL: i32 = 2;
const GET_ACL: i32 = 3;

function attrByPath(n: i32, dirfd: i32, len: i32, flags: u32, operation: i32, a: u32, b: u32): i32 {
  const nd = pathOrFdArgument(n, dirfd, len, flags);
  if (!nd) return syscallEnterErr;
  let r = filenameLookup(nd, lookupFlags(flags), FOR_PATH, 0);
  if (r != 0) return r;
  r = attrOperation(nd.ctx, nd.mnt, nd.inode, operation, a, b);
  pathPut(nd);
  return r;
}

function attrByFd(n: i32, fd: i32, operation: i32, a: u32, b: u32): i32 {
  const f = fileOf(n, fd);
  if (!f) return syscallEnterErr;
  const r = attrOperation(getContext(n), f.mnt, f.inode, operation, a, b);
  fput(f);
  return r;
}

function attrOperation(c: Context, m: Mount, i: Inode, operation: i32, a: u32, b: u32): i32 {
  if (operation == SET_MODE) return doChmod(c, m, i, a);
  if (operation == SET_OWNER) return doChown(c, m, i, a, b);
  if (operation == SET_ACL) return doSetacl(c, m, i, a);
  return doGetacl(i);
}

export function sysChmod(n: i32, dirfd: i32, len: i32, mode: u32, flags: u32): i32 {
  return syscallExit(attrByPath(n, dirfd, len, flags, SET_MODE, mode, 0));
}

export function sysFchmod(n: i32, fd: i32, mode: u32): i32 {
  return syscallExit(attrByFd(n, fd, SET_MODE, mode, 0));
}

export function sysChown(n: i32, dirfd: i32, len: i32, uid: u32, gid: u32, flags: u32): i32 {
  return syscallExit(attrByPath(n, dirfd, len, flags, SET_OWNER, uid, gid));
}

export function sysFchown(n: i32, fd: i32, uid: u32, gid: u32): i32 {
  return syscallExit(attrByFd(n, fd, SET_OWNER, uid, gid));
}

export function sysSetacl(n: i32, dirfd: i32, len: i32, count: u32): i32 {
  return syscallExit(attrByPath(n, dirfd, len, 0, SET_ACL, count, 0));
}

export function sysGetacl(n: i32, dirfd: i32, len: i32): i32 {
  return syscallExit(attrByPath(n, dirfd, len, 0, GET_ACL, 0, 0));
}

export function sysUtimens(
  n: i32,
  dirfd: i32,
  len: i32,
  asec: f64,
  ansec: f64,
  msec: f64,
  mnsec: f64,
  flags: u32,
): i32 {
  const nd = pathOrFdArgument(n, dirfd, len, flags);
  if (!nd) return syscallExit(syscallEnterErr);
  let r = filenameLookup(nd, lookupFlags(flags), FOR_PATH, 0);
  if (r != 0) return syscallExit(r);
  r = doUtimens(nd.ctx, nd.mnt, nd.inode, asec, ansec, msec, mnsec);
  pathPut(nd);
  return syscallExit(r);
}

export function sysFutimens(n: i32, fd: i32, asec: f64, ansec: f64, msec: f64, mnsec: f64): i32 {
  const f = fileOf(n, fd);
  if (!f) return syscallExit(syscallEnterErr);
  const r = doUtimens(getContext(n), f.mnt, f.inode, asec, ansec, msec, mnsec);
  fput(f);
  return syscallExit(r);
}

// ------------------------------------------------------------------------------------------------- mounts, drivers

export function sysMount(n: i32, len: i32, len2: i32, flags: u32): i32 {
  const from = pathArgument(n, AT_FDCWD, len, false);
  if (!from) return syscallExit(syscallEnterErr);
  const nd = pathArgument(n, AT_FDCWD, len2, true);
  if (!nd) return syscallExit(syscallEnterErr);
  if (flags & MS_MOVE) return syscallExit(doMoveMount(from, nd));
  return syscallExit(flags & MS_BIND ? doBind(from, nd, flags) : -EINVAL);
}

export function sysMountNew(n: i32, len: i32, type: i32, flags: u32): i32 {
  const nd = pathArgument(n, AT_FDCWD, len, false);
  return syscallExit(nd ? doNewMount(nd, type, flags) : syscallEnterErr);
}

export function sysUmount(n: i32, len: i32, flags: u32): i32 {
  const nd = pathArgument(n, AT_FDCWD, len, false);
  return syscallExit(nd ? doUmount(nd, flags) : syscallEnterErr);
}

export function driverRegister(len: i32, hooks: u32, fsFlags: u32): i32 {
  if (T.tid == 0) return -EBADF;
  return registerFilesystem(T.scratch + SCRATCH.PATH, len, hooks, fsFlags);
}

export function driverUnregister(driver: i32): i32 {
  if (T.tid == 0) return -EBADF;
  if (T.hookDepth != 0 || rcuDepth() != 0) return -EDEADLK;
  return unregisterFilesystem(driver);
}
