/**
 * A change that a driver has made in the present call, from the return of its hook until the tree shows it. If that takes too long
 * (mem/wait.ts), the host leaves the call, which has happened (outcome.ts); threadAbandon() completes the change here before it
 * releases the mutexes of the call, so that no thread finds the tree as it was.
 *
 * Guarantees: one change at a time, in variables of this instance. The references and mutexes of the call are still held when
 * completeDriverChange() runs, which may wait for too long itself, and is then called again. A thread that dies completes nothing: the
 * recount drops a name that has D_DRIVER_PENDING.
 */
import { IN_MODIFY } from "../../../abi/flags";
import { NODE_INO, NODE_MODE } from "../../../abi/memory";
import { S_IFDIR, S_IFMT } from "../../../abi/mode";
import { driverAttrF64, driverAttrU32 } from "../../fs/driver/hooks";
import { lock, unlock } from "../../mem/lock/lock";
import { modeChangeBegin, modeChangeEnd } from "../dcache/dcache";
import { D_DRIVER_PENDING, Dentry, setFlags } from "../dcache/dentry";
import { setDriverAttr } from "../inode/icache";
import { beginAttr, currentTime, endAttr, Inode, setMtime } from "../inode/inode";
import { dInvalidate } from "../mount/mountpoint";
import { changeBegin, changeEnd, notifyCreated, notifyDelete } from "../notify/fsnotify";

enum Change {
  none,
  created,
  removed,
  attributes,
  written,
}

let change: Change = Change.none;
/** The name that was created or removed, or by which the file was reached. */
let dentry: Dentry = changetype<Dentry>(0);
/** The directory of a name that was created or removed; else the file. */
let inode: Inode = changetype<Inode>(0);
/** The number and the kind of what was created. */
let createdIno: f64 = 0;
let createdDir: bool = false;
/** The event of a change of attributes. */
let mask: u32 = 0;
/** Where the bytes that were written end. */
let end: i64 = 0;

/** The driver has created a name, and its attributes are in scratch. */
export function driverCreated(d: Dentry, dir: Inode): void {
  dentry = d;
  inode = dir;
  createdIno = driverAttrF64(NODE_INO);
  createdDir = (driverAttrU32(NODE_MODE) & S_IFMT) == S_IFDIR;
  change = Change.created;
}

/** The driver has removed a name. */
export function driverRemoved(d: Dentry, dir: Inode): void {
  dentry = d;
  inode = dir;
  change = Change.removed;
}

/** The driver has changed attributes, all of which are in scratch. */
export function driverChanged(named: Dentry, i: Inode, event: u32): void {
  dentry = named;
  inode = i;
  mask = event;
  change = Change.attributes;
}

/** The driver has written bytes that end at `to`. */
export function driverWritten(named: Dentry, i: Inode, to: i64): void {
  dentry = named;
  inode = i;
  end = to;
  change = Change.written;
}

/** The tree shows the change. */
export function driverChangeShown(): void {
  change = Change.none;
}

/** Shows a change of attributes or contents. */
export function showDriverChange(): void {
  if (change == Change.attributes) showAttributes();
  else showWritten();
  change = Change.none;
}

function showAttributes(): void {
  const followed = changeBegin(dentry);
  const d = modeChangeBegin(inode);
  setDriverAttr(inode);
  modeChangeEnd(inode, d);
  changeEnd(followed, dentry, inode, mask);
}

function showWritten(): void {
  const t = currentTime();
  const followed = changeBegin(dentry);
  beginAttr(inode);
  if (end > inode.size) inode.size = end;
  setMtime(inode, t, 0);
  inode.ctime = t;
  endAttr(inode);
  changeEnd(followed, dentry, inode, IN_MODIFY);
}

/** Completes what the call that was left has begun to show. */
export function completeDriverChange(): void {
  if (change == Change.created || change == Change.removed) dropName();
  else if (change != Change.none) showDriverChange();
}

/** The name leaves the cache, so that the next lookup asks the driver; mounts below a directory that was removed are detached. */
function dropName(): void {
  const d = dentry;
  dInvalidate(d, atomic.load<u32>(d.seq));
  lock(d.lockref);
  setFlags(d, 0, D_DRIVER_PENDING);
  if (change == Change.removed) notifyDelete(inode, d, d.inode);
  else notifyCreated(inode, d, createdIno, createdDir);
  unlock(d.lockref);
  change = Change.none;
}
