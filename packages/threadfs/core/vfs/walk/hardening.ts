/**
 * Linux's protection of directories that every user may write, /tmp and the like: what another user has put there is not followed and
 * not opened as if it were one's own, and a file of another user gets no further names. By the options of the tree, which are those of
 * Linux in /proc/sys/fs (proc(5)); a capability lifts none of them but that of links.
 */

import { EACCES, ECHILD, ELOOP, EPERM } from "../../../abi/errno";
import { S_IFIFO, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_ISVTX, S_IWGRP, S_IWOTH, S_IXGRP } from "../../../abi/mode";
import {
  CAP_FOWNER,
  MAY_READ,
  MAY_WRITE,
  PROTECTED_FIFOS,
  PROTECTED_FIFOS_SHIFT,
  PROTECTED_HARDLINKS,
  PROTECTED_REGULAR,
  PROTECTED_REGULAR_SHIFT,
  PROTECTED_SYMLINKS,
} from "../../../abi/permissions";
import { Inode } from "../inode/inode";
import { G_PROTECTED } from "../layout";
import { Context } from "../task/cred";
import { LOOKUP_NO_SYMLINKS, Nameidata, ND_TRAILING } from "./nameidata";
import { inodePermission, ownerOrCapable } from "./permission";

/**
 * may_follow_link(), and what the walk allows: whether the walk follows the link that its step has come to from nd.inode. Before
 * the link is pushed, in both modes. 0, -ELOOP, -EACCES, or -ECHILD: rcu mode does not refuse by attributes that may be changing.
 */
export function mayFollowLink(nd: Nameidata, link: Inode): i32 {
  if (nd.state & ND_TRAILING && load<u32>(G_PROTECTED) & PROTECTED_SYMLINKS) {
    const dir = nd.inode;
    const shared: u32 = S_ISVTX | S_IWOTH;
    if ((dir.mode & shared) == shared) {
      const owner = link.uid;
      if (owner != nd.ctx.uid && owner != dir.uid) return nd.rcu ? -ECHILD : -EACCES;
    }
  }
  return nd.flags & LOOKUP_NO_SYMLINKS ? -ELOOP : 0;
}

/** may_linkat(): whether a caller who does not own a file may give it another name. The caller holds a reference on it. */
export function mayLinkat(c: Context, i: Inode): i32 {
  if (!(load<u32>(G_PROTECTED) & PROTECTED_HARDLINKS)) return 0;
  if (isSafeSource(c, i) || ownerOrCapable(c, i, CAP_FOWNER)) return 0;
  return -EPERM;
}

/** safe_hardlink_source(): a regular file that is not executed with another's rights, and that the caller may read and write. */
function isSafeSource(c: Context, i: Inode): bool {
  const mode = i.mode;
  if ((mode & S_IFMT) != S_IFREG || mode & S_ISUID) return false;
  if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) return false;
  return inodePermission(c, i, MAY_READ | MAY_WRITE, false) == 0;
}

/**
 * may_create_in_sticky(): O_CREAT does not open what another user has put into a sticky directory of a third one that every user, or
 * at level 2 the group, may write. Regular files and pipes by the tree's options, other files always.
 * @param dirMode, dirUid of the directory; 0: the open's path has no last component
 */
export function mayCreateInSticky(c: Context, dirMode: u32, dirUid: u32, i: Inode): i32 {
  if (!(dirMode & S_ISVTX)) return 0;
  const type = i.mode & S_IFMT;
  const level = levelOf(type);
  if (level == 0) return 0;
  const uid = i.uid;
  if (uid == dirUid || uid == c.uid) return 0;
  if (dirMode & S_IWOTH) return -EACCES;
  return dirMode & S_IWGRP && level >= 2 && (type == S_IFREG || type == S_IFIFO) ? -EACCES : 0;
}

/** How far files of a type are protected: 0 to 2. */
function levelOf(type: u32): u32 {
  const set = load<u32>(G_PROTECTED);
  if (type == S_IFREG) return (set & PROTECTED_REGULAR) >> PROTECTED_REGULAR_SHIFT;
  if (type == S_IFIFO) return (set & PROTECTED_FIFOS) >> PROTECTED_FIFOS_SHIFT;
  return 1;
}
