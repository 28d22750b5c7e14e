/**
 * POSIX ACLs in memory (Linux: fs/posix_acl.c): their entries, reading them, and what a new file gets of its directory's default ACL.
 * posix-acl.ts sets them, walk/permission.ts has what they permit.
 *
 * An ACL is a block: how many entries u32, 0 u32, and the entries (ACL_ENTRY_*, abi/memory.ts). The access ACL is the inode's word `acl`, with the
 * flag I_ACL; the default ACL of a directory is its word `data`, since it has no contents. Both change under i_mutex and i_lock and inside a
 * write section of the inode's sequence, in the transaction that frees the old one. A reader holds one of the two locks, or uses what it has
 * read only if the sequence has not moved (walk/permission.ts).
 */
import { ENODATA, EOPNOTSUPP } from "../../../abi/errno";
import { ACL_ENTRY_ID, ACL_ENTRY_PERM, ACL_ENTRY_SIZE } from "../../../abi/memory";
import { ACL_GROUP, ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER, ACL_USER, ACL_USER_OBJ } from "../../../abi/permissions";
import { linkBlock, slabFree } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { I_ACL, I_DRIVER, Inode } from "../inode/inode";
import { kmallocSpace } from "../recovery/space";
import { ACL_HEAD, ACL_MAX } from "../walk/permission";

/** What an ACL is for: ACL_TYPE_ACCESS and ACL_TYPE_DEFAULT. */
export const ACL_ACCESS: u32 = 0;
export const ACL_DEFAULT: u32 = 1;

/** posix_acl_xattr_header, and its version. */
export const XATTR_HEAD: u32 = 4;
export const XATTR_VERSION: u32 = 2;
/** The id of an entry that names no user and no group. */
const UNDEFINED_ID: u32 = 0xffffffff;

export function tagOf(e: usize): u32 {
  return load<u16>(e);
}

export function permAt(e: usize): u32 {
  return load<u16>(e + ACL_ENTRY_PERM);
}

export function isNamed(tag: u32): bool {
  return tag == ACL_USER || tag == ACL_GROUP;
}

/** posix_acl_valid(): one of each base entry, a mask if there are named entries, permissions of 3 bits. */
export function validAcl(p: usize, n: u32): bool {
  let users: u32 = 0;
  let groups: u32 = 0;
  let others: u32 = 0;
  let masks: u32 = 0;
  let named = false;
  let before: u32 = 0;
  for (let k: u32 = 0; k < n; k++) {
    const e = p + k * ACL_ENTRY_SIZE;
    const tag = tagOf(e);
    // Entries must be in the order of their tag numbers, in which they are checked.
    if (tag < before) return false;
    before = tag;
    if (permAt(e) > 7) return false;
    if (!isEntry(e)) return false;
    if (tag == ACL_USER_OBJ) users++;
    else if (tag == ACL_GROUP_OBJ) groups++;
    else if (tag == ACL_OTHER) others++;
    else if (tag == ACL_MASK) masks++;
    else named = true;
  }
  return users == 1 && groups == 1 && others == 1 && masks <= 1 && (!named || masks == 1);
}

/** The entry with a tag; 0: there is none. */
export function entryOf(p: usize, n: u32, tag: u32): usize {
  for (let k: u32 = 0; k < n; k++) if (tagOf(p + k * ACL_ENTRY_SIZE) == tag) return p + k * ACL_ENTRY_SIZE;
  return 0;
}

/** The permissions of a tag; 0: there is no such entry. */
export function permOf(p: usize, n: u32, tag: u32): u32 {
  const e = entryOf(p, n, tag);
  return e == 0 ? 0 : permAt(e);
}

/** The entry that the group bits of the mode show: the mask, or the group's where there is no mask. */
export function groupClass(p: usize, n: u32): usize {
  const mask = entryOf(p, n, ACL_MASK);
  return mask != 0 ? mask : entryOf(p, n, ACL_GROUP_OBJ);
}

/** How many entries an ACL in memory has. */
export function entriesOf(acl: usize): u32 {
  const n = load<u32>(acl);
  if (n > ACL_MAX) corrupt(acl);
  return n;
}

/** A block with these entries, that is not linked yet; 0: the arena is full. A reader may still be in the ACL that this memory was. */
export function newAcl(from: usize, n: u32): usize {
  const acl = kmallocSpace(ACL_HEAD + n * ACL_ENTRY_SIZE);
  if (acl == 0) return 0;
  store<u32>(acl, n);
  memory.copy(acl + ACL_HEAD, from, n * ACL_ENTRY_SIZE);
  return acl;
}

/** The word that points to an ACL of this type. */
export function aclAt(i: Inode, type: u32): usize {
  return type == ACL_DEFAULT ? i.dataAt : i.aclAt;
}

/** Whether what is created in a directory gets ACLs. Under its i_mutex, or as a hint. */
export function hasDefaultAcl(dir: Inode): bool {
  return dir.isDir && !(dir.mode & I_DRIVER) && dir.data != 0;
}

/** Whether an entry has a known tag, and names whom it must name. */
export function isEntry(e: usize): bool {
  const tag = tagOf(e);
  if (isNamed(tag)) return load<u32>(e + ACL_ENTRY_ID) != UNDEFINED_ID;
  return tag == ACL_USER_OBJ || tag == ACL_GROUP_OBJ || tag == ACL_MASK || tag == ACL_OTHER;
}

/** Copies the entries of an ACL to `to`. Returns how many; 0: there is none. */
export function doGetacl(i: Inode, type: u32, to: usize): i32 {
  if (type == ACL_DEFAULT && (!i.isDir || i.mode & I_DRIVER)) return 0;
  lock(i.lock);
  const acl = <usize>load<u32>(aclAt(i, type));
  const n: u32 = acl == 0 ? 0 : entriesOf(acl);
  if (n != 0) memory.copy(to, acl + ACL_HEAD, n * ACL_ENTRY_SIZE);
  unlock(i.lock);
  return <i32>n;
}

/** do_get_acl(): writes an ACL as the value of an attribute. Returns its length or -ENODATA. */
export function getAclXattr(i: Inode, type: u32, to: usize): i32 {
  if (i.mode & I_DRIVER || i.isLink) return -EOPNOTSUPP;
  const n = <u32>doGetacl(i, type, to + XATTR_HEAD);
  if (n == 0) return -ENODATA;
  store<u32>(to, XATTR_VERSION);
  for (let k: u32 = 0; k < n; k++) {
    const e = to + XATTR_HEAD + k * ACL_ENTRY_SIZE;
    if (!isNamed(tagOf(e))) store<u32>(e, UNDEFINED_ID, ACL_ENTRY_ID);
  }
  return <i32>(XATTR_HEAD + n * ACL_ENTRY_SIZE);
}

/** Whether a file has an ACL of this type. Under its i_mutex. */
export function hasAcl(i: Inode, type: u32): bool {
  return type == ACL_DEFAULT ? hasDefaultAcl(i) : !(i.mode & I_DRIVER) && i.acl != 0;
}

// ------------------------------------------------------------------------------------------------- what is inherited

/**
 * posix_acl_create(): gives an inode that no other thread knows what the default ACL of its directory says, instead of what the umask would take away.
 * Under the directory's i_mutex. False: the arena is full.
 */
export function inheritAcl(dir: Inode, i: Inode): bool {
  if (i.isLink || !hasDefaultAcl(dir)) return true;
  const from = <usize>dir.data + ACL_HEAD;
  const n = entriesOf(dir.data);
  if (i.isDir) {
    const copy = newAcl(from, n);
    if (copy == 0) return false;
    linkBlock(i.dataAt, copy);
  }
  const acl = newAcl(from, n);
  if (acl == 0) return false;
  const mode = createMasq(acl + ACL_HEAD, n, i.mode);
  // Three entries have no more than the mode bits.
  if (n > 3) {
    linkBlock(i.aclAt, acl);
    i.mode = mode | I_ACL;
  } else {
    slabFree(acl);
    i.mode = mode;
  }
  return true;
}

/** posix_acl_create_masq(): takes from the entries what the mode does not ask for, and from the mode what they do not permit. Returns the mode. */
function createMasq(p: usize, n: u32, asked: u32): u32 {
  let mode = masq(entryOf(p, n, ACL_USER_OBJ), asked, 6);
  mode = masq(groupClass(p, n), mode, 3);
  return masq(entryOf(p, n, ACL_OTHER), mode, 0);
}

/** Of an entry and the three bits of the mode at `shift` what both permit stays in both. Returns the mode. */
function masq(e: usize, mode: u32, shift: u32): u32 {
  if (e == 0) return mode;
  const perm = permAt(e) & (mode >> shift);
  // Atomic, as the stores to an ACL that others see: this memory may be that of an ACL which a reader has not left yet.
  atomic.store<u16>(e, <u16>perm, ACL_ENTRY_PERM);
  return (mode & ~(7 << shift)) | (perm << shift);
}
