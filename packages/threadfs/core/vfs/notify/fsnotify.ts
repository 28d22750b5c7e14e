/**
 * What each operation reports to the log of changes: as fsnotify does for inotify(7), in the transaction of the change.
 *
 * Where a name does not change, the record has the name by which the file was reached: d_lock is held from before the change, so
 * that the name stays.
 */
import {
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_ISDIR,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_UNMOUNT,
} from "../../../abi/flags";
import { lock, txBegin, txEnd, unlock } from "../../mem/lock/lock";
import { Dentry, dentryName } from "../dcache/dentry";
import { Inode, inodeNumber } from "../inode/inode";
import { G_CHANGES_LOCK } from "../layout";
import { SuperBlock } from "../mount/super";
import { appendChange, isFollowed, renameCookie } from "./changes";

function maskOf(mask: u32, i: Inode): u32 {
  return i.isDir ? mask | IN_ISDIR : mask;
}

/** A change that concerns a file and no name of it. */
export function notifyInode(mask: u32, i: Inode): void {
  if (!isFollowed()) return;
  appendChange(maskOf(mask, i), i.sb.dev, 0, inodeNumber(i), 0, 0, 0);
}

function notifyName(mask: u32, dir: Inode, i: Inode, cookie: u32, name: usize, length: u32): void {
  appendChange(maskOf(mask, i), dir.sb.dev, inodeNumber(dir), inodeNumber(i), cookie, name, length);
}

/** fsnotify_create(), fsnotify_mkdir() */
export function notifyCreate(dir: Inode, d: Dentry, i: Inode): void {
  notifyCreated(dir, d, inodeNumber(i), i.isDir);
}

/** The same for a file of which only the number and the kind are known. */
export function notifyCreated(dir: Inode, d: Dentry, ino: f64, isDir: bool): void {
  if (!isFollowed()) return;
  const mask = isDir ? IN_CREATE | IN_ISDIR : IN_CREATE;
  appendChange(mask, dir.sb.dev, inodeNumber(dir), ino, 0, dentryName(d), d.nameLen);
}

/** fsnotify_link() */
export function notifyLink(dir: Inode, d: Dentry, i: Inode): void {
  notifyInode(IN_ATTRIB, i);
  notifyCreate(dir, d, i);
}

/** fsnotify_inoderemove(): a dentry loses its inode, which ends if it has no other name. */
export function notifyInodeRemoved(i: Inode): void {
  if (i.nlink == 0) notifyInode(IN_DELETE_SELF, i);
}

/**
 * The link count of a file is an attribute. If the dentry was not used otherwise, it is negative already, and the file ends with its last
 * name; else when the dentry is killed. The name is gone last.
 */
export function notifyDelete(dir: Inode, d: Dentry, i: Inode): void {
  if (!isFollowed()) return;
  if (!i.isDir) notifyInode(IN_ATTRIB, i);
  if (!d.inode) notifyInodeRemoved(i);
  notifyName(IN_DELETE, dir, i, 0, dentryName(d), d.nameLen);
}

/** fsnotify_sb_delete(): a file system has ended, by its last mount or by the recount after a death. Once. */
export function notifyUnmount(sb: SuperBlock): void {
  if (!isFollowed() || sb.unmountTold) return;
  lock(G_CHANGES_LOCK);
  sb.unmountTold = true;
  appendChange(IN_UNMOUNT, sb.dev, 0, 0, 0, 0, 0);
  unlock(G_CHANGES_LOCK);
}

/** fsnotify_move(): `target` was replaced by it, or null. */
export function notifyMove(
  i: Inode,
  from: Inode,
  name: usize,
  length: u32,
  to: Inode,
  name2: usize,
  length2: u32,
  target: Inode,
): void {
  if (!isFollowed()) return;
  lock(G_CHANGES_LOCK);
  const cookie = renameCookie();
  notifyName(IN_MOVED_FROM, from, i, cookie, name, length);
  notifyName(IN_MOVED_TO, to, i, cookie, name2, length2);
  if (target) notifyInode(IN_ATTRIB, target);
  notifyInode(IN_MOVE_SELF, i);
  unlock(G_CHANGES_LOCK);
}

/**
 * Begins a change of a file that has been reached by a dentry (null: by none). Returns whether the log is followed, which changeEnd()
 * is told.
 */
export function changeBegin(d: Dentry): bool {
  if (!isFollowed()) return false;
  txBegin();
  if (d) lock(d.lockref);
  return true;
}

/** Ends it: its directory hears of it too. `mask` 0: nothing that is reported has changed. */
export function changeEnd(followed: bool, d: Dentry, i: Inode, mask: u32): void {
  if (!followed) return;
  if (mask != 0) {
    const parent = d ? d.parent : d;
    if (!d || parent == d || !parent.inode) notifyInode(mask, i);
    else notifyName(mask, parent.inode, i, 0, dentryName(d), d.nameLen);
  }
  if (d) unlock(d.lockref);
  txEnd();
}
