/** POSIX access ACLs of the model: a list of { tag, perm, id } in the order in which they are judged, which is that of the tags. */
import { S_ISGID } from "../support/linux.js";

export const ACL_USER_OBJ = 1;
export const ACL_USER = 2;
export const ACL_GROUP_OBJ = 4;
export const ACL_GROUP = 8;
export const ACL_MASK = 16;
export const ACL_OTHER = 32;

const TAGS = [ACL_USER_OBJ, ACL_USER, ACL_GROUP_OBJ, ACL_GROUP, ACL_MASK, ACL_OTHER];
/** Owner, group and others say no more than mode bits do: then there is no ACL to keep. */
const BASE_ENTRIES = 3;

const permOf = (acl, tag) => acl.find((entry) => entry.tag === tag)?.perm;
const isNamed = ({ tag }) => tag === ACL_USER || tag === ACL_GROUP;

/** One of each base entry, in order, and a mask where somebody is named. */
export function isValid(acl) {
  const count = (tag) => acl.filter((entry) => entry.tag === tag).length;
  return (
    acl.every(({ tag, perm }, n) => TAGS.includes(tag) && perm <= 7 && (n === 0 || acl[n - 1].tag <= tag)) &&
    [ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_OTHER].every((tag) => count(tag) === 1) &&
    count(ACL_MASK) === (acl.some(isNamed) ? 1 : Math.min(1, count(ACL_MASK)))
  );
}

/**
 * Whether somebody who does not own the file has the access.
 * @param inGroup (gid) => whether the caller is in it
 */
export function grants(acl, uid, inGroup, fileGroup, mask) {
  const most = permOf(acl, ACL_MASK) ?? 7;
  const user = acl.find(({ tag, id }) => tag === ACL_USER && id === uid);
  if (user) return (mask & ~(user.perm & most)) === 0;
  const groups = acl.filter(
    ({ tag, id }) => (tag === ACL_GROUP_OBJ && inGroup(fileGroup)) || (tag === ACL_GROUP && inGroup(id)),
  );
  if (groups.length > 0) return groups.some(({ perm }) => (mask & ~(perm & most)) === 0);
  return (mask & ~permOf(acl, ACL_OTHER)) === 0;
}

/** What setting an ACL (an empty one: removing it) makes of an inode: its mode and the ACL it keeps, if any. */
export function withAcl(inode, acl, mayKeepSgid) {
  if (acl.length === 0) return { mode: inode.mode, acl: undefined };
  const group = permOf(acl, ACL_MASK) ?? permOf(acl, ACL_GROUP_OBJ);
  const bits = (permOf(acl, ACL_USER_OBJ) << 6) | (group << 3) | permOf(acl, ACL_OTHER);
  const mode = (inode.mode & ~0o777) | bits;
  return { mode: mayKeepSgid ? mode : mode & ~S_ISGID, acl: acl.length > BASE_ENTRIES ? acl : undefined };
}

/** chmod shows in the ACL: owner, mask (or group) and others take the new bits. */
export function chmodAcl(acl, mode) {
  const hasMask = acl.some(({ tag }) => tag === ACL_MASK);
  const bitsOf = new Map([
    [ACL_USER_OBJ, (mode >> 6) & 7],
    [hasMask ? ACL_MASK : ACL_GROUP_OBJ, (mode >> 3) & 7],
    [ACL_OTHER, mode & 7],
  ]);
  return acl.map((entry) => ({ ...entry, perm: bitsOf.get(entry.tag) ?? entry.perm }));
}
