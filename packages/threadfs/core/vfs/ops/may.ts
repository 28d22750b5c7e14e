/** Permission checks before a change to the tree. */

import { EBUSY, EISDIR, ENOENT, ENOTDIR, EPERM, EROFS } from "../../../abi/errno";
import { MS_RDONLY } from "../../../abi/flags";
import { S_ISGID, S_ISVTX, S_IXGRP } from "../../../abi/mode";
import { CAP_FOWNER, CAP_FSETID, MAY_EXEC, MAY_WRITE } from "../../../abi/permissions";
import { hasDefaultAcl } from "../acl/entries";
import { Dentry } from "../dcache/dentry";
import { I_DEAD, Inode } from "../inode/inode";
import { Mount } from "../mount/namespace";
import { Context, capable, inGroup } from "../task/cred";
import { Nameidata } from "../walk/nameidata";
import { inodePermission, ownerOrCapable } from "../walk/permission";

/** mnt_want_write() */
export function mntWantWrite(m: Mount): i32 {
  return m.flags & MS_RDONLY || m.sb.readonly != 0 ? -EROFS : 0;
}

/**
 * vfs_prepare_mode(): the permission bits of a file that `c` creates in `dir`. As in mode_strip_sgid(), the bits asked for
 * decide whether set-group-id stays; the umask applies afterwards, unless the directory has a default ACL, which then decides (inheritAcl()).
 */
export function vfsPrepareMode(c: Context, dir: Inode, asked: u32): u32 {
  let mode = asked;
  const strip = (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && (dir.mode & S_ISGID) != 0;
  if (strip && !inGroup(c, dir.gid) && !capable(c, CAP_FSETID)) mode &= ~S_ISGID;
  return hasDefaultAcl(dir) ? mode : mode & ~c.umask;
}

/** may_create(): under the directory's i_mutex. */
export function mayCreate(c: Context, dir: Inode): i32 {
  if (dir.mode & I_DEAD) return -ENOENT;
  return inodePermission(c, dir, MAY_WRITE | MAY_EXEC, false);
}

/** may_delete(): whether `d` may be removed from `dir`. `asDir`: by rmdir, or by a rename of a directory. */
export function mayDelete(c: Context, dir: Inode, d: Dentry, asDir: bool): i32 {
  const i = d.inode;
  if (!i) return -ENOENT;
  const err = inodePermission(c, dir, MAY_WRITE | MAY_EXEC, false);
  if (err != 0) return err;
  if (dir.mode & S_ISVTX && c.uid != dir.uid && !ownerOrCapable(c, i, CAP_FOWNER)) return -EPERM;
  if (asDir) {
    if (!i.isDir) return -ENOTDIR;
    if (d.isRoot) return -EBUSY;
  } else if (i.isDir) {
    return -EISDIR;
  }
  return dir.mode & I_DEAD ? -ENOENT : 0;
}

export function hasTrailingSlash(nd: Nameidata): bool {
  return load<u8>(nd.last + nd.lastLen) != 0;
}
