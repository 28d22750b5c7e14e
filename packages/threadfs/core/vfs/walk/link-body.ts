/**
 * Bodies of links in rcu mode. A walk copies the body of each link that it follows into its own scratch area, behind those
 * that it has not walked to their end, and so needs neither the link nor its memory afterwards. Linux walks the body in its
 * place and takes a reference on every link of the stack when the walk leaves rcu mode (legitimize_links()); here there is
 * nothing to take, and a walk that leaves rcu mode in the middle of a link goes on with its copy.
 *
 * Guarantees
 *  - The copy is the body of the inode that the dentry had under the walk's sequence: address and length are read, then the
 *    sequence is checked, and the body of an inode never changes. Its memory is freed after a grace period
 *    (freeInodeBlocks()).
 *  - A thread that was expelled from its section while it copied notices: its copy is not used.
 *  - A copy ends with at least 8 bytes of zeros, so a walk may load whole words of it.
 */

import * as DRIVER_OP from "../../../abi/driver-ops";
import { ECHILD } from "../../../abi/errno";
import * as HOOK from "../../../abi/hooks";
import { PATH_MAX } from "../../../abi/limits";
import { driverPutLink, driverReadlinkRcu, S_BODY } from "../../fs/driver/hooks";
import { readSeqRetry } from "../../mem/lock/seqlock";
import { rcuValid } from "../../mem/smr/smr";
import { scratch } from "../../mem/thread";
import { Inode } from "../inode/inode";
import { keepsLinkBody, linkBody, linkBodySize } from "../inode/link";
import { LINK_BODIES_SIZE, S_LINK_BODIES } from "../layout";

/** Where the first copy of a walk goes. */
export function linkBodies(): usize {
  return scratch + S_LINK_BODIES;
}

/** Second return values of copyLinkBody() and askLinkBodyRcu(): where the next copy goes, and the end of the body. */
export let copyLinkBodyEnd: usize = 0;
export let copyLinkBodyNul: usize = 0;

/** Copies the `size` bytes at `from`, by whole words, to `to`, a multiple of 8, and zeros behind them. False: there is no room. */
function putBody(from: usize, size: u64, to: usize): bool {
  if (size >= <u64>PATH_MAX) return false;
  const n = <usize>size;
  const end = to + ((n + 15) & ~7);
  if (end > scratch + S_LINK_BODIES + LINK_BODIES_SIZE) return false;
  for (let i: usize = 0; i < n; i += 8) store<u64>(to + i, load<u64>(from + i));
  store<u64>(to + n, 0);
  copyLinkBodyEnd = end;
  copyLinkBodyNul = to + n;
  return true;
}

/**
 * Copies the body of a driver's link, which the driver is asked for in rcu mode, to `to`. 0, -errno, or -ECHILD: the driver wants to be asked in ref
 * mode or may be asked there alone, the link is a magic one, there is no room, or the section was expelled during the hook.
 */
export function askLinkBodyRcu(inode: Inode, to: usize): i32 {
  if (!(inode.sb.hooks & HOOK.RCU_READLINK) || keepsLinkBody(inode)) return -ECHILD;
  const n = driverReadlinkRcu(inode);
  if (n < 0 || n >= DRIVER_OP.MAGIC_LINK) return n < 0 && rcuValid() ? n : -ECHILD;
  const fits = putBody(scratch + S_BODY, n, to);
  if (inode.sb.hooks & HOOK.PUT_LINK) driverPutLink(inode);
  return fits && rcuValid() ? 0 : -ECHILD;
}

/**
 * Copies the body of a link that is in memory to `to`, a multiple of 8. `seqAt`, `seq`: the dentry's sequence, under which the inode
 * was read. Inside a read-side section. False: there is no room, the dentry has changed, or the section was expelled.
 */
export function copyLinkBody(inode: Inode, seqAt: usize, seq: u32, to: usize): bool {
  const from = linkBody(inode);
  const size = linkBodySize(inode);
  // The inode is still the dentry's, so address and length belong together.
  if (from == 0 || readSeqRetry(seqAt, seq) || !rcuValid()) return false;
  return putBody(from, <u64>size, to) && rcuValid();
}
