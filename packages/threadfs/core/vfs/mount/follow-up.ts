/** follow_up(): from a mount to where it stands. */

import { lock, unlock } from "../../mem/lock/lock";
import { lockrefGetNotDead } from "../../mem/lock/lockref";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { rcuReadLock, rcuReadUnlock } from "../../mem/smr/smr";
import { sleepUs } from "../../mem/wait";
import { dget, dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { G_MOUNT_LOCK, G_MOUNT_SEQ } from "../layout";
import { Mount, mntget, mntgetNotZero, mntputNoExpire, SEQ_TRIES } from "./namespace";

/** Second return value of followUp(): the mount point, with a reference. */
export let followUpMountpoint: Dentry = changetype<Dentry>(0);

/** follow_up(): the parent of mount `m`, with references on it and on `followUpMountpoint`; null: it has none. */
export function followUp(m: Mount): Mount {
  for (let n = 0; n < SEQ_TRIES; n++) {
    rcuReadLock();
    const seq = readSeqBegin(G_MOUNT_SEQ);
    const parent = m.parent;
    const d = m.mountpoint;
    if (parent == m) {
      // Mounted on nothing, or being moved.
      const alone = !readSeqRetry(G_MOUNT_SEQ, seq);
      if (rcuReadUnlock() && alone) return changetype<Mount>(0);
      sleepUs(10);
      continue;
    }
    const gotMnt = mntgetNotZero(parent);
    const got = gotMnt && lockrefGetNotDead(d.lockref, false);
    const ok = got && !readSeqRetry(G_MOUNT_SEQ, seq);
    const valid = rcuReadUnlock();
    if (ok && valid) {
      followUpMountpoint = d;
      return parent;
    }
    if (got) dput(d);
    if (gotMnt) mntputNoExpire(parent);
    sleepUs(10);
  }
  lock(G_MOUNT_LOCK);
  const parent = m.parent;
  if (parent != m) {
    mntget(parent);
    followUpMountpoint = dget(m.mountpoint);
  }
  unlock(G_MOUNT_LOCK);
  return parent != m ? parent : changetype<Mount>(0);
}
