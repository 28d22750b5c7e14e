/**
 * The list of mounts, as /proc/self/mountinfo shows it (proc(5)), in pages of SCRATCH.IO. A page is made under the lock of the context, the mount lock and
 * the rename lock, so it is of one moment; so are pages with the same mount sequence, but for directories that are renamed meanwhile.
 */

import { EBADF, ENAMETOOLONG, ENOENT } from "../../../abi/errno";
import { IO_SIZE, PROPAGATION_MAX } from "../../../abi/limits";
import * as shared from "../../../abi/memory";
import * as SCRATCH from "../../../abi/scratch";
import { INODE_SPACE } from "../../fs/tmpfs/quota";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { scratch } from "../../mem/thread";
import { dentryPathLocked, dPathLocked } from "../dcache/d-path";
import { Dentry } from "../dcache/dentry";
import { G_MOUNT_LOCK, G_MOUNT_SEQ, G_MOUNTS, G_RENAME_LOCK } from "../layout";
import { Context } from "../task/cred";
import { Mount } from "./namespace";
import { isPathReachable } from "./pivot";
import { DRIVER_NAME, DRIVER_NAME_LEN, SUPER_SOURCE, SUPER_SOURCE_LEN, SuperBlock, slotOf } from "./super";

/** What record() returns for a mount that no path leads to from the context's root. */
const UNREACHABLE: i32 = 0;
const LENGTHS: u32 = shared.MOUNTINFO_LENGTHS;
const TEXT: u32 = shared.MOUNTINFO_TEXT;
const ALIGN: u32 = shared.MOUNTINFO_ALIGN;
const FIRST: u32 = shared.MOUNTINFO_FIRST;

/** A page of the list after its first `skip` mounts. Returns its bytes; -EBADF: the context has been closed; -ENAMETOOLONG: a path fits no page. */
export function showMounts(c: Context, skip: u32): i32 {
  lock(c.lock);
  if (c.root_ == 0) {
    unlock(c.lock);
    return -EBADF;
  }
  lock(G_MOUNT_LOCK);
  lock(G_RENAME_LOCK);
  const err = page(c, skip);
  unlock(G_RENAME_LOCK);
  unlock(G_MOUNT_LOCK);
  unlock(c.lock);
  return err;
}

function page(c: Context, skip: u32): i32 {
  const base = scratch + SCRATCH.IO;
  const end = base + IO_SIZE;
  let to = base + FIRST;
  let passed: u32 = 0;
  let left = objectsMax();
  let p = load<u32>(G_MOUNTS);
  for (; p != 0; p = changetype<Mount>(<usize>p).allNext) {
    if (left-- == 0) corrupt(p);
    if (passed >= skip) {
      const n = record(c, changetype<Mount>(<usize>p), to, <u32>(end - to));
      if (n == -ENAMETOOLONG && to != base + FIRST) break;
      if (n < 0) return n;
      to += n;
    }
    passed++;
  }
  store<f64>(base, p == 0 ? -1 : <f64>passed);
  const seq = atomic.load<u32>(G_MOUNT_SEQ);
  store<f64>(base, <f64>seq, shared.MOUNTINFO_SEQ);
  return <i32>(to - base);
}

/** Writes the record of a mount to `room` bytes at `to`. Returns its bytes, UNREACHABLE or -ENAMETOOLONG. */
function record(c: Context, m: Mount, to: usize, room: u32): i32 {
  const sb = m.sb;
  // Behind the paths there is room for the other texts.
  const others = typeLength(sb) + load<u32>(sb.at, SUPER_SOURCE_LEN) + ALIGN;
  if (room < TEXT + others) return -ENAMETOOLONG;
  let at = to + TEXT;
  const end = to + room - others;
  const root = dentryPathLocked(m.root, at, <u32>(end - at));
  if (root < 0) return root;
  at += root;
  const point = dPathLocked(c, m, m.root, at, <u32>(end - at));
  if (point < 0) return point == -ENOENT ? UNREACHABLE : point;
  at += point;
  store<f64>(to, <f64>m.id);
  store<f64>(to, <f64>m.parent.id, shared.MOUNTINFO_PARENT);
  store<f64>(to, <f64>sb.dev, shared.MOUNTINFO_DEV);
  store<f64>(to, <f64>sb.maxBlocks, shared.MOUNTINFO_BLOCKS);
  store<f64>(to, <f64>(sb.maxSpace / INODE_SPACE), shared.MOUNTINFO_INODES);
  store<u32>(to, m.flags, shared.MOUNTINFO_FLAGS);
  store<u32>(to, sb.readonly, shared.MOUNTINFO_READONLY);
  store<u32>(to, root, LENGTHS);
  store<u32>(to, point, LENGTHS + 4);
  store<u32>(to, typeLength(sb), LENGTHS + 8);
  store<u32>(to, load<u32>(sb.at, SUPER_SOURCE_LEN), LENGTHS + 12);
  const master = m.master;
  store<f64>(to, <f64>m.group, shared.MOUNTINFO_SHARED);
  store<f64>(to, master ? <f64>master.group : 0, shared.MOUNTINFO_MASTER);
  store<f64>(to, <f64>dominatingId(c, m), shared.MOUNTINFO_FROM);
  at = copyType(sb, at);
  memory.copy(at, sb.at + SUPER_SOURCE, load<u32>(sb.at, SUPER_SOURCE_LEN));
  at += load<u32>(sb.at, SUPER_SOURCE_LEN);
  return <i32>((at - to + ALIGN - 1) & ~(ALIGN - 1));
}

/** get_dominating_id(): the number of the first group above a slave of which a mount can be reached from the context's root; 0: none. */
function dominatingId(c: Context, m: Mount): u64 {
  let left = PROPAGATION_MAX;
  for (let master = m.master; master; master = master.master) {
    for (let peer = master; ; peer = peer.peerNext) {
      if (left-- == 0) corrupt(m.at);
      const root = changetype<Dentry>(<usize>c.root_);
      if (isPathReachable(peer, peer.root, changetype<Mount>(<usize>c.rootMnt_), root)) return peer.group;
      if (peer.peerNext == master) break;
    }
  }
  return 0;
}

/** Bytes of "tmpfs". */
const TMPFS_LEN: u32 = 5;

function typeLength(sb: SuperBlock): u32 {
  return sb.driver == 0 ? TMPFS_LEN : load<u32>(slotOf(sb.driver) + DRIVER_NAME_LEN);
}

/** Writes "tmpfs" or the driver's name. Returns the end of it. */
function copyType(sb: SuperBlock, to: usize): usize {
  if (sb.driver == 0) {
    store<u32>(to, 0x66706d74);
    store<u8>(to + 4, 0x73);
  } else {
    memory.copy(to, slotOf(sb.driver) + DRIVER_NAME, typeLength(sb));
  }
  return to + typeLength(sb);
}
