/**
 * Calls to drivers. Names and attributes travel through the calling thread's SCRATCH.DRIVER area:
 * attributes (NODE_*), two names and the body of a link (DRIVER_*, abi/memory.ts).
 *
 * A hook runs without any lock that a walk needs; where the driver says so, inside the read-side section of one. Meanwhile calls of the same thread into the core are refused
 * (EDEADLK), because they would overwrite the state of the walk that called the hook.
 */

import * as DRIVER_OP from "../../../abi/driver-ops";
import { ECHILD } from "../../../abi/errno";
import { DRIVER_BODY, DRIVER_NAME1, DRIVER_NAME2 } from "../../../abi/memory";
import * as SCRATCH from "../../../abi/scratch";
import * as host from "../../host";
import { lock, unlock } from "../../mem/lock/lock";
import { readSeqRetry } from "../../mem/lock/seqlock";
import { scratch } from "../../mem/thread";
import { Dentry, dentryName, INLINE_NAME } from "../../vfs/dcache/dentry";
import { Inode, inodeNumber } from "../../vfs/inode/inode";
import { driverNumber, SuperBlock } from "../../vfs/mount/super";
import { hookDepth, setHookDepth } from "../../vfs/task/thread";

const NAME1: u32 = SCRATCH.DRIVER + DRIVER_NAME1;
const NAME2: u32 = SCRATCH.DRIVER + DRIVER_NAME2;
export const S_BODY: u32 = SCRATCH.DRIVER + DRIVER_BODY;
/** Means "no inode" as an argument of a hook. */
const NO_INODE: f64 = -1;

/** An attribute that a driver has left in scratch: NODE_INO, NODE_SIZE or NODE_MTIME; NODE_MODE and those behind it. */
export function driverAttrF64(offset: usize): f64 {
  return load<f64>(scratch + SCRATCH.DRIVER + offset);
}
export function driverAttrU32(offset: usize): u32 {
  return load<u32>(scratch + SCRATCH.DRIVER + offset);
}

/** Calls a hook. The caller has checked that the driver has it. */
export function callDriver(op: i32, sb: SuperBlock, a: f64, b: f64, c: f64, d: f64): f64 {
  setHookDepth(hookDepth + 1);
  const r = host.driverCall(op, driverNumber(sb.driver), a, b, c, d);
  setHookDepth(hookDepth - 1);
  return r;
}

function inodeNumberOrNone(i: Inode): f64 {
  return i ? inodeNumber(i) : NO_INODE;
}

function putName(at: u32, name: usize, len: u32): void {
  memory.copy(scratch + at, name, len);
}

/** Copies a dentry's name, under d_lock because another thread may change it. Returns the length. */
function putDentryName(at: u32, d: Dentry): u32 {
  lock(d.lockref);
  const len = d.nameLen;
  putName(at, dentryName(d), len);
  unlock(d.lockref);
  return len;
}

/** Looks a name up in the driver's directory. 0: the attributes are in scratch. */
export function driverLookup(sb: SuperBlock, dir: Inode, name: usize, len: u32): i32 {
  putName(NAME1, name, len);
  return <i32>callDriver(DRIVER_OP.LOOKUP, sb, inodeNumberOrNone(dir), <f64>len, 0, 0);
}

/** d_op->d_hash(): 32 bits for a name, which are mixed with the parent like any other hash. */
export function driverHash(sb: SuperBlock, dir: Inode, name: usize, len: u32): u64 {
  putName(NAME1, name, len);
  return <u64>(<u32>(<i64>callDriver(DRIVER_OP.HASH, sb, inodeNumberOrNone(dir), <f64>len, 0, 0))) * 0x9e3779b97f4a7c15;
}

/** Copies a dentry's name for driverCompare(), while it cannot change. */
export function putStoredName(mine: usize, len: u32): void {
  putName(NAME1, mine, len);
}

/**
 * d_op->d_compare(): whether the name from putStoredName() equals the one looked up. `inode` null: the dentry is
 * negative.
 */
export function driverCompare(sb: SuperBlock, dir: Inode, inode: Inode, mineLen: u32, name: usize, len: u32): bool {
  putName(NAME2, name, len);
  return (
    callDriver(DRIVER_OP.COMPARE, sb, inodeNumberOrNone(dir), inodeNumberOrNone(inode), <f64>mineLen, <f64>len) == 0
  );
}

/**
 * Second return value of driverRevalidate(): the sequence of the dentry with the name, parent and inode that the driver
 * was asked about. 1, which no dentry at rest has: it was not asked.
 */
export let revalidatedSeq: u32 = 1;

/**
 * d_op->d_revalidate(): > 0 valid, 0 stale, < 0 -errno. `flags` 1: LOOKUP_REVAL. Name, parent and inode are read in one
 * moment; a dentry that is not an entry of `parent` any more is not valid there, and the driver is not asked.
 */
export function driverRevalidate(d: Dentry, parent: Dentry, flags: u32): i32 {
  lock(d.lockref);
  const here = d.parent == parent;
  const inode = d.inode;
  const len = d.nameLen;
  if (here) putName(NAME1, dentryName(d), len);
  revalidatedSeq = here ? atomic.load<u32>(d.seq) : 1;
  unlock(d.lockref);
  if (!here) return 0;
  return <i32>(
    callDriver(DRIVER_OP.REVALIDATE, d.sb, inodeNumber(parent.inode), inodeNumberOrNone(inode), <f64>len, <f64>flags)
  );
}

/**
 * The same in rcu mode, for a dentry that was found under sequence `seq` in the directory `dir`. Name, parent and inode are validated before
 * the driver is asked: it gets numbers of one moment, whatever happens to the dentry meanwhile. -ECHILD: it has changed, or the driver wants
 * to be asked in ref mode.
 */
export function driverRevalidateRcu(d: Dentry, seq: u32, dir: Inode): i32 {
  const inode = d.inode;
  const len = d.nameLen;
  const at = d.at;
  const w0 = atomic.load<u64>(at, offsetof<Dentry>("name0"));
  const w1 = atomic.load<u64>(at, offsetof<Dentry>("name1"));
  const w2 = atomic.load<u64>(at, offsetof<Dentry>("name2"));
  const w3 = atomic.load<u64>(at, offsetof<Dentry>("name3"));
  const ino = inodeNumberOrNone(inode);
  const dirIno = inodeNumber(dir);
  // The directory's sequence was checked after this one had been read.
  if (readSeqRetry(d.seq, seq)) return -ECHILD;
  if (len > INLINE_NAME) {
    // Never edited, and freed after a grace period.
    putName(NAME1, <usize>(<u32>w0), len);
  } else {
    const to = scratch + NAME1;
    store<u64>(to, w0);
    store<u64>(to, w1, 8);
    store<u64>(to, w2, 16);
    store<u64>(to, w3, 24);
  }
  return <i32>callDriver(DRIVER_OP.REVALIDATE, d.sb, dirIno, ino, <f64>len, <f64>DRIVER_OP.IN_RCU);
}

/** i_op->permission(). `rcu`: the walk is in rcu mode; -ECHILD: the driver wants to be asked in ref mode. */
export function driverPermission(i: Inode, mask: u32, rcu: bool): i32 {
  return <i32>callDriver(DRIVER_OP.PERMISSION, i.sb, inodeNumber(i), <f64>mask, rcu ? 1 : 0, 0);
}

/** i_op->check_acl(), with the same. */
export function driverCheckAcl(i: Inode, mask: u32, rcu: bool): i32 {
  return <i32>callDriver(DRIVER_OP.CHECK_ACL, i.sb, inodeNumber(i), <f64>mask, rcu ? 1 : 0, 0);
}

/** i_op->get_link(): leaves the body at S_BODY of the scratch area. Returns its length, -errno, or from DRIVER_OP.MAGIC_LINK on a descriptor. */
export function driverReadlink(i: Inode): i32 {
  return <i32>callDriver(DRIVER_OP.READLINK, i.sb, inodeNumber(i), 0, 0, 0);
}

/** The same in rcu mode, as Linux's without a dentry; -ECHILD: the driver wants to be asked in ref mode. */
export function driverReadlinkRcu(i: Inode): i32 {
  return <i32>callDriver(DRIVER_OP.READLINK, i.sb, inodeNumber(i), <f64>DRIVER_OP.IN_RCU, 0, 0);
}

export function driverPutLink(i: Inode): void {
  callDriver(DRIVER_OP.PUT_LINK, i.sb, inodeNumber(i), 0, 0, 0);
}

export function driverIput(i: Inode): void {
  callDriver(DRIVER_OP.IPUT, i.sb, inodeNumber(i), <f64>i.nlink, 0, 0);
}

/** d_op->d_delete(): whether an unused dentry should be dropped at once. */
export function driverDelete(d: Dentry): bool {
  const len = putDentryName(NAME1, d);
  return callDriver(DRIVER_OP.DELETE, d.sb, inodeNumberOrNone(d.inode), <f64>len, 0, 0) > 0;
}

/** Creates a file, directory, link (body at `body`) or special file. 0: the attributes are in scratch. */
export function driverCreate(dir: Inode, name: usize, len: u32, mode: u32, body: usize, bodyLen: u32): i32 {
  putName(NAME1, name, len);
  if (bodyLen != 0) memory.copy(scratch + S_BODY, body, bodyLen);
  return <i32>callDriver(DRIVER_OP.CREATE, dir.sb, inodeNumber(dir), <f64>len, <f64>mode, <f64>bodyLen);
}

export function driverUnlink(dir: Inode, d: Dentry): i32 {
  const len = putDentryName(NAME1, d);
  return <i32>callDriver(DRIVER_OP.UNLINK, dir.sb, inodeNumber(dir), <f64>len, inodeNumber(d.inode), 0);
}
