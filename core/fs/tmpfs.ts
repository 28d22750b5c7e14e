/**
 * The in-memory file system: its inodes and directories exist as dentries only, each held in the cache by a reference of its
 * own (the pin) from the moment it is made until it is unlinked. A directory of it is complete: what is not in the
 * cache does not exist.
 *
 * All functions run under the i_mutex of the directories they change.
 */
import { kmalloc, slabFree } from "../mem/slab";
import { lock, unlock } from "../mem/spin";
import { CAP_FSETID, Context, capable, inGroup } from "./cred";
import { dataCut, setSize } from "./data";
import { dAdd, dAllocRoot, dDelete, dget, dInstantiate, dput, dSetComplete } from "./dcache";
import { D_CANT_MOUNT, Dentry, setFlags } from "./dentry";
import { ENOSPC } from "./errno";
import { discardInode, newInode } from "./icache";
import {
  addLinks,
  beginAttr,
  currentTime,
  endAttr,
  I_DEAD,
  Inode,
  ihold,
  S_IFDIR,
  S_IFMT,
  S_ISGID,
  touch,
} from "./inode";
import { newSuper, SuperBlock } from "./super";

/** What a directory's size grows by with each entry, as in Linux's tmpfs. */
const DIRENT_SIZE: i64 = 20;

/** A fresh file system with an empty root; null: the arena is full. */
export function tmpfsSuper(mode: u32, uid: u32, gid: u32, readonly: bool): SuperBlock {
  const none = changetype<SuperBlock>(0);
  const sb = newSuper(0, readonly);
  if (!sb) return none;
  const i = newInode(sb, S_IFDIR | mode, uid, gid);
  const d = i ? dAllocRoot(sb) : changetype<Dentry>(0);
  if (!d) {
    if (i) discardInode(i);
    slabFree(sb.at);
    return none;
  }
  i.nlink = 2;
  dInstantiate(d, i);
  dSetComplete(d);
  sb.root_ = <u32>d.at;
  return sb;
}

/** inode_init_owner(): owner and mode of what is made in `dir`. */
function ownedInode(c: Context, dir: Inode, mode: u32): Inode {
  let m = mode;
  let gid = c.gid;
  const dirMode = dir.mode;
  if (dirMode & S_ISGID) {
    gid = dir.gid;
    if ((m & S_IFMT) == S_IFDIR) m |= S_ISGID;
    else if ((m & (S_ISGID | 8)) == (S_ISGID | 8) && !inGroup(c, gid) && !capable(c, CAP_FSETID)) m &= ~S_ISGID;
  }
  return newInode(dir.sb, m, c.uid, gid);
}

/**
 * Makes a file, directory, special file or link (with `body`) under a negative, unhashed dentry. Takes what memory it
 * needs before it changes anything: -ENOSPC leaves all as it was.
 */
export function tmpfsCreate(c: Context, parent: Dentry, d: Dentry, mode: u32, body: usize, bodyLen: u32): i32 {
  const dir = parent.inode;
  let text: usize = 0;
  if (body != 0) {
    text = kmalloc(min<u32>(bodyLen + 9, 4096), false);
    if (text == 0) return -ENOSPC;
    memory.copy(text, body, bodyLen);
    store<u8>(text + bodyLen, 0);
  }
  const i = ownedInode(c, dir, mode);
  if (!i) {
    if (text != 0) slabFree(text);
    return -ENOSPC;
  }
  const isDir = i.isDir;
  i.nlink = isDir ? 2 : 1;
  if (text != 0) {
    i.data = <u32>text;
    i.size = bodyLen;
  }
  // Complete before anybody can look a name up in it.
  if (isDir) dSetComplete(d);
  addEntry(parent, d, i);
  if (isDir) addLinks(dir, 1);
  return 0;
}

/** Binds, pins and counts a new entry. Takes over the caller's reference on the inode. */
function addEntry(parent: Dentry, d: Dentry, i: Inode): void {
  const dir = parent.inode;
  dget(d);
  parent.kids += 1;
  dAdd(d, i);
  entryTimes(dir, DIRENT_SIZE);
}

function entryTimes(dir: Inode, grow: i64): void {
  const t = currentTime();
  beginAttr(dir);
  dir.size = dir.size + grow;
  dir.mtime = t;
  dir.ctime = t;
  endAttr(dir);
}

/** Another name for an inode. */
export function tmpfsLink(parent: Dentry, d: Dentry, i: Inode): void {
  ihold(i);
  addLinks(i, 1);
  addEntry(parent, d, i);
}

/** Takes a name away; the caller holds a reference on `d` and has its inode's i_mutex and a reference on it. Needs no memory. */
export function tmpfsUnlink(parent: Dentry, d: Dentry): void {
  const dir = parent.inode;
  const i = d.inode;
  if (i.isDir) {
    killDir(d, i);
    addLinks(dir, -1);
  } else {
    addLinks(i, -1);
  }
  parent.kids -= 1;
  entryTimes(dir, -DIRENT_SIZE);
  // The pin first: then a caller that is alone with the dentry turns it negative in place.
  dput(d);
  dDelete(d);
}

/** A directory that is going: nothing can be made or mounted in it any more. */
function killDir(d: Dentry, i: Inode): void {
  beginAttr(i);
  i.mode = i.mode | I_DEAD;
  i.nlink = 0;
  i.ctime = currentTime();
  endAttr(i);
  lock(d.lockref);
  setFlags(d, D_CANT_MOUNT, 0);
  unlock(d.lockref);
}

/**
 * The accounts of a rename before the names change: `d` goes from `from` to `to`, where `target`, when it is positive, goes.
 * Both parents' i_mutex and the target's are held.
 */
export function tmpfsRename(from: Dentry, d: Dentry, to: Dentry, target: Dentry): void {
  const gone = target.inode;
  const isDir = d.inode.isDir;
  if (gone) {
    if (gone.isDir) {
      killDir(target, gone);
      addLinks(to.inode, -1);
    } else {
      addLinks(gone, -1);
    }
  } else {
    to.kids += 1;
    entryTimes(to.inode, DIRENT_SIZE);
  }
  from.kids -= 1;
  entryTimes(from.inode, -DIRENT_SIZE);
  if (gone) touch(to.inode, true);
  if (isDir && from != to) {
    addLinks(from.inode, -1);
    addLinks(to.inode, 1);
  }
  touch(d.inode, false);
}

/** The accounts of an exchange. */
export function tmpfsExchange(from: Dentry, d: Dentry, to: Dentry, other: Dentry): void {
  const a = d.inode;
  const b = other.inode;
  if (from != to && a.isDir != b.isDir) {
    addLinks(from.inode, a.isDir ? -1 : 1);
    addLinks(to.inode, a.isDir ? 1 : -1);
  }
  touch(from.inode, true);
  if (to != from) touch(to.inode, true);
  touch(a, false);
  touch(b, false);
}

/** Sets the size; what is cut off is freed, what is added reads as zeros. Under i_mutex. */
export function tmpfsTruncate(i: Inode, size: i64): void {
  if (size < i.size) dataCut(i, size);
  setSize(i, size, currentTime());
}
