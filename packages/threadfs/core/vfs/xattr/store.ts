/**
 * Extended attributes of files in memory (Linux: simple_xattrs): a list on the inode, in the order of the bytes of their names. Everything here
 * runs under the inode's i_mutex.
 *
 *   an attribute's first block, up to 4 KiB: 0 more ptr, its next block (0: none)  4 next ptr, the next attribute  8 length of its name u32
 *     12 length of its value u32  16 name, then value
 *   each further block: 0 more ptr  4 value
 *
 * I_XATTR says that the list is not empty; only then its pointer means anything. Guarantees: an attribute is set, replaced or removed in one
 * transaction, which puts the blocks of the old one on the thread's list of blocks to be freed (freeLocks()).
 */
import { E2BIG, EEXIST, ENODATA, ENOSPC } from "../../../abi/errno";
import { IN_ATTRIB, XATTR_CREATE, XATTR_REPLACE } from "../../../abi/flags";
import { XATTR_LIST_MAX, XATTR_NAME_MAX, XATTR_SIZE_MAX } from "../../../abi/limits";
import { chargeXattr, releaseSpace } from "../../fs/tmpfs/quota";
import { KMALLOC_MAX, slabFree } from "../../mem/alloc/slab";
import { corrupt, objectsMax } from "../../mem/bounds";
import { txBegin, txEnd } from "../../mem/lock/lock";
import { slot } from "../../mem/thread";
import { put32, removePendingBlock } from "../../mem/undo/log";
import { ACL_ACCESS, ACL_DEFAULT, hasAcl } from "../acl/entries";
import { Dentry } from "../dcache/dentry";
import { beginAttr, currentTime, endAttr, I_XATTR, Inode } from "../inode/inode";
import { freeLocks } from "../locks/file-lock";
import { changeBegin, changeEnd } from "../notify/fsnotify";
import { happened } from "../recovery/outcome";
import { kmallocSpace } from "../recovery/space";
import { freeLater, MORE_HEAD, NAME_LENGTH, NEXT, spaceOf, unlinkAttribute, VALUE_LENGTH } from "./free";

const FIRST_HEAD: u32 = 16;

/** The first attribute of a file; 0: none. */
function firstOf(i: Inode): usize {
  return i.mode & I_XATTR ? <usize>load<u32>(i.xattrsAt) : 0;
}

/** Compares a name with that of the attribute at `p`, by their bytes. */
function compareNames(name: usize, n: u32, p: usize): i32 {
  const m = load<u32>(p + NAME_LENGTH);
  if (m > <u32>XATTR_NAME_MAX) corrupt(p);
  const c = memory.compare(name, p + FIRST_HEAD, min<u32>(n, m));
  return c != 0 ? c : n < m ? -1 : n > m ? 1 : 0;
}

/** Second and third return value of find(): the pointer to the attribute, or to where it would be (0: the list is empty), and what it points to. */
let foundAt: usize = 0;
let foundNext: usize = 0;

/** The attribute with a name; 0: there is none. */
function find(i: Inode, name: usize, n: u32): usize {
  foundAt = 0;
  let p = firstOf(i);
  for (let left = objectsMax(); p != 0; left--) {
    if (left == 0) corrupt(i.at);
    const c = compareNames(name, n, p);
    if (c <= 0) {
      foundNext = p;
      return c == 0 ? p : 0;
    }
    foundAt = p + NEXT;
    p = <usize>load<u32>(foundAt);
  }
  foundNext = 0;
  return 0;
}

/** Copies the part of a value that its block at `p` holds, from its `done`-th byte on. Returns its bytes. `fill`: into the block. */
function copyPart(p: usize, head: u32, value: usize, length: u32, done: u32, fill: bool): u32 {
  const part = min<u32>(length - done, KMALLOC_MAX - head);
  if (fill) memory.copy(p + head, value + done, part);
  else memory.copy(value + done, p + head, part);
  return part;
}

/** An attribute that no list has yet; 0: the arena is full. */
function newAttribute(name: usize, n: u32, value: usize, length: u32): usize {
  const first = kmallocSpace(min<u32>(FIRST_HEAD + n + length, KMALLOC_MAX));
  if (first == 0) return 0;
  store<u32>(first, 0);
  store<u32>(first + NAME_LENGTH, n);
  store<u32>(first + VALUE_LENGTH, length);
  memory.copy(first + FIRST_HEAD, name, n);
  let last = first;
  for (let done = copyPart(first, FIRST_HEAD + n, value, length, 0, true); done < length; ) {
    const p = kmallocSpace(min<u32>(MORE_HEAD + length - done, KMALLOC_MAX));
    if (p == 0) {
      freeAttribute(first);
      return 0;
    }
    store<u32>(p, 0);
    store<u32>(last, <u32>p);
    last = p;
    done += copyPart(p, MORE_HEAD, value, length, done, true);
  }
  return first;
}

/** Frees an attribute that no list has. */
function freeAttribute(first: usize): void {
  for (let p = first; p != 0; ) {
    const more = <usize>load<u32>(p);
    slabFree(p);
    p = more;
  }
}

/** What the attributes of an inode count for. */
export function xattrsSpace(i: Inode): u64 {
  let sum: u64 = 0;
  let left = objectsMax();
  for (let p = firstOf(i); p != 0; p = <usize>load<u32>(p + NEXT)) {
    if (left-- == 0) corrupt(i.at);
    sum += spaceOf(p);
  }
  return sum;
}

/** simple_xattr_set(): sets an attribute of a file that was reached by a dentry. 0, -EEXIST, -ENODATA or -ENOSPC. */
export function xattrSet(d: Dentry, i: Inode, name: usize, n: u32, value: usize, length: u32, how: u32): i32 {
  const old = find(i, name, n);
  if (old != 0 && how & XATTR_CREATE) return -EEXIST;
  if (old == 0 && how & XATTR_REPLACE) return -ENODATA;
  const made = newAttribute(name, n, value, length);
  if (made == 0) return -ENOSPC;
  // Making space may have freed what is not used, but not the list, which i_mutex keeps.
  const next = old != 0 ? load<u32>(old + NEXT) : <u32>foundNext;
  store<u32>(made + NEXT, next);
  const at = foundAt != 0 ? foundAt : i.xattrsAt;
  txBegin();
  // As in Linux there must be room for the new one beside the old one.
  if (!chargeXattr(i.sb, spaceOf(made))) {
    txEnd();
    freeAttribute(made);
    return -ENOSPC;
  }
  if (old != 0) releaseSpace(i.sb, spaceOf(old));
  const followed = changeBegin(d);
  beginAttr(i);
  put32(at, <u32>made);
  for (let p = made; p != 0; p = <usize>load<u32>(p)) removePendingBlock(p);
  if (old != 0) freeLater(old);
  i.mode = i.mode | I_XATTR;
  i.ctime = currentTime();
  endAttr(i);
  changeEnd(followed, d, i, IN_ATTRIB);
  txEnd();
  happened(0);
  freeLocks(slot);
  return 0;
}

/** Removes an attribute. 0 or -ENODATA. */
export function xattrRemove(d: Dentry, i: Inode, name: usize, n: u32): i32 {
  const old = find(i, name, n);
  if (old == 0) return -ENODATA;
  txBegin();
  releaseSpace(i.sb, spaceOf(old));
  const followed = changeBegin(d);
  beginAttr(i);
  unlinkAttribute(i, foundAt != 0 ? foundAt : i.xattrsAt, old);
  i.ctime = currentTime();
  endAttr(i);
  changeEnd(followed, d, i, IN_ATTRIB);
  txEnd();
  happened(0);
  freeLocks(slot);
  return 0;
}

/** Copies the value of an attribute to `to`. Returns its length or -ENODATA. */
export function xattrGet(i: Inode, name: usize, n: u32, to: usize): i32 {
  const found = find(i, name, n);
  if (found == 0) return -ENODATA;
  const length = load<u32>(found + VALUE_LENGTH);
  if (length > <u32>XATTR_SIZE_MAX) corrupt(found);
  let done = copyPart(found, FIRST_HEAD + n, to, length, 0, false);
  for (let p = found; done < length; ) {
    p = <usize>load<u32>(p);
    if (p == 0) corrupt(found);
    done += copyPart(p, MORE_HEAD, to, length, done, false);
  }
  return <i32>length;
}

/** Whether a name begins with "trusted.". */
export function isTrusted(name: usize, n: u32): bool {
  return n >= 8 && load<u64>(name) == 0x2e64657473757274;
}

/** Copies the names, each with a NUL behind it, to `to`; those of "trusted." only if `all`. Returns their length or -E2BIG. */
export function xattrList(i: Inode, all: bool, to: usize): i32 {
  let done: u32 = 0;
  let left = objectsMax();
  let acls = false;
  for (let p = firstOf(i); p != 0; p = <usize>load<u32>(p + NEXT)) {
    if (left-- == 0) corrupt(i.at);
    const length = load<u32>(p + NAME_LENGTH);
    if (length > <u32>XATTR_NAME_MAX) corrupt(p);
    // Of the other namespaces "security." alone comes before "system.".
    if (!acls && load<u8>(p + FIRST_HEAD) > LETTER_S) {
      done = listAcls(i, to, done);
      if (done == NO_ROOM) return -E2BIG;
      acls = true;
    }
    if (!all && isTrusted(p + FIRST_HEAD, length)) continue;
    if (done + length + 1 > <u32>XATTR_LIST_MAX) return -E2BIG;
    memory.copy(to + done, p + FIRST_HEAD, length);
    store<u8>(to + done + length, 0);
    done += length + 1;
  }
  if (!acls) done = listAcls(i, to, done);
  return done == NO_ROOM ? -E2BIG : <i32>done;
}

/** "s" */
const LETTER_S: u8 = 0x73;
/** The bytes of the names of ACLs, with their NULs. */
const ACCESS_NAME: u32 = 24;
const DEFAULT_NAME: u32 = 25;
const NO_ROOM: u32 = 0xffffffff;

/** posix_acl_listxattr(): adds the names of the ACLs that a file has, behind the `done` bytes at `to`. Returns the bytes then, or NO_ROOM. */
function listAcls(i: Inode, to: usize, done: u32): u32 {
  let end = done;
  const bytes = (hasAcl(i, ACL_ACCESS) ? ACCESS_NAME : 0) + (hasAcl(i, ACL_DEFAULT) ? DEFAULT_NAME : 0);
  if (done + bytes > <u32>XATTR_LIST_MAX) return NO_ROOM;
  // "system.p", "osix_acl", then "_access" and its NUL, or "_default".
  if (hasAcl(i, ACL_ACCESS)) {
    store<u64>(to + end, 0x702e6d6574737973);
    store<u64>(to + end, 0x6c63615f7869736f, 8);
    store<u64>(to + end, 0x007373656363615f, 16);
    end += ACCESS_NAME;
  }
  if (hasAcl(i, ACL_DEFAULT)) {
    store<u64>(to + end, 0x702e6d6574737973);
    store<u64>(to + end, 0x6c63615f7869736f, 8);
    store<u64>(to + end, 0x746c75616665645f, 16);
    store<u8>(to + end, 0, 24);
    end += DEFAULT_NAME;
  }
  return end;
}
