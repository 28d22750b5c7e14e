/** Adds a name to a file. */

import { EMLINK, ENOENT, EPERM, EXDEV } from "../../../abi/errno";
import { tmpfsLink } from "../../fs/tmpfs/tmpfs";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { I_LINKABLE } from "../inode/inode";
import { mayLinkat } from "../walk/hardening";
import { FOR_PATH, filenameLookup, pathPut } from "../walk/namei";
import { Nameidata } from "../walk/nameidata";
import { donePathCreate, filenameCreate } from "./create";
import { mayCreate } from "./may";

/** Links that a file may have. */
const LINK_MAX: u32 = 0x7fffffff;

/** linkat(2). `follow` LOOKUP_FOLLOW: links the target of a symbolic link; else 0. */
export function doLink(from: Nameidata, nd: Nameidata, follow: u32): i32 {
  let err = filenameLookup(from, follow, FOR_PATH, 0);
  if (err != 0) return err;
  const d = filenameCreate(nd, false);
  if (!d) {
    pathPut(from);
    return nd.err;
  }
  const i = from.dentry.inode;
  if (from.mnt != nd.mnt) err = -EXDEV;
  else if (!i) err = -ENOENT;
  else err = mayLinkat(nd.ctx, i);
  if (err == 0) err = mayCreate(nd.ctx, nd.inode);
  if (err != 0) {
    donePathCreate(nd, d);
    pathPut(from);
    return err;
  }
  if (i.isDir || i.sb.driver != 0) err = -EPERM;
  else {
    mutexLock(i.mutex);
    if (i.nlink == 0 && !(i.mode & I_LINKABLE)) err = -ENOENT;
    else if (i.nlink >= LINK_MAX) err = -EMLINK;
    else err = tmpfsLink(nd.dentry, d, i);
    mutexUnlock(i.mutex);
  }
  donePathCreate(nd, d);
  pathPut(from);
  return err;
}
