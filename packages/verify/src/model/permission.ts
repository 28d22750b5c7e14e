/** Permissions of the model, in the order of Linux's checks, and times of access. */
import {
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
} from "../../../threadfs/dist/abi/abi.js";
import { grants } from "./acl.js";
import { type Context, get, type Inode, isDir, patch, type State, typeOf } from "./state.js";
import type { Me } from "./steps.js";

export function capable(caller: Context, cap: number): boolean {
  return (caller.caps & cap) !== 0;
}

export const inGroup = (caller: Context, gid: number): boolean => caller.gid === gid || caller.groups.includes(gid);

/** inode_permission(): 0, "EACCES" or "EROFS" for a mask of MAY_*. */
export function permission(s: State, me: Me, inode: Inode, mask: number): 0 | "EACCES" | "EROFS" {
  const caller = get(s.contexts, me.ctx);
  const type = typeOf(inode);
  if (mask & MAY_WRITE && get(s.filesystems, inode.fs).readonly && [S_IFREG, S_IFDIR, S_IFLNK].includes(type)) {
    return "EROFS";
  }
  return isGranted(caller, inode, mask) || overridden(caller, inode, mask) ? 0 : "EACCES";
}

/** acl_permission_check(): the owner's bits, an ACL unless its group class is empty, the group's bits or the others'. */
function isGranted(caller: Context, inode: Inode, mask: number): boolean {
  const isOwner = caller.uid === inode.uid;
  if (!isOwner && inode.acl && inode.mode & 0o070) {
    return grants(inode.acl, caller.uid, (gid) => inGroup(caller, gid), inode.gid, mask);
  }
  const shift = isOwner ? 6 : inGroup(caller, inode.gid) ? 3 : 0;
  return (mask & ~(inode.mode >> shift) & 7) === 0;
}

/** Capabilities lift a refusal; a file without any x bit cannot be executed. */
function overridden(caller: Context, inode: Inode, mask: number): boolean {
  if (isDir(inode)) {
    return (!(mask & MAY_WRITE) && capable(caller, CAP_DAC_READ_SEARCH)) || capable(caller, CAP_DAC_OVERRIDE);
  }
  if (mask === MAY_READ && capable(caller, CAP_DAC_READ_SEARCH)) return true;
  return (!(mask & MAY_EXEC) || (inode.mode & 0o111) !== 0) && capable(caller, CAP_DAC_OVERRIDE);
}

/** mnt_want_write() */
export function wantWrite(s: State, mnt: number): 0 | "EROFS" {
  const m = get(s.mounts, mnt);
  return m.flags.readonly || get(s.filesystems, m.fs).readonly ? "EROFS" : 0;
}

const DAY_SECONDS = 86400;

const seconds = (ms: number) => Math.floor(ms / 1000);

/** touch_atime(): a read, a listing or a followed link has used this inode through a mount. */
export function accessed(s: State, mnt: number, ino: number): void {
  const i = get(s.inodes, ino);
  const { noatime, nodiratime, strictatime } = get(s.mounts, mnt).flags;
  if (get(s.filesystems, i.fs).driver !== 0 || wantWrite(s, mnt)) return;
  if (noatime || (nodiratime && isDir(i))) return;
  const fresh = i.atime > i.mtime && i.atime > i.ctime && seconds(s.now) - seconds(i.atime) < DAY_SECONDS;
  if (!fresh || strictatime) patch(s.inodes, ino, { atime: s.now });
}
