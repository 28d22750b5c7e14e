/** POSIX access ACLs of the model: entries in the order in which they are checked, which is the order of their tags. */
import {
  ACL_GROUP,
  ACL_GROUP_OBJ,
  ACL_MASK,
  ACL_OTHER,
  ACL_USER,
  ACL_USER_OBJ,
  S_ISGID,
} from "../../../threadfs/dist/abi/abi.js";

/** An entry: `id` is a user or a group; entries without one have 0 there, or nothing. */
export interface AclEntry {
  tag: number;
  perm: number;
  id?: number;
}

const TAGS = [ACL_USER_OBJ, ACL_USER, ACL_GROUP_OBJ, ACL_GROUP, ACL_MASK, ACL_OTHER];
/** An ACL of owner, group and others has no more than the mode bits: it is not kept. */
const BASE_ENTRIES = 3;

const permOf = (acl: AclEntry[], tag: number): number | undefined => acl.find((entry) => entry.tag === tag)?.perm;
const isNamed = ({ tag }: AclEntry): boolean => tag === ACL_USER || tag === ACL_GROUP;

/** One of each base entry, in order, and a mask if a user or a group is named. */
export function isValid(acl: AclEntry[]): boolean {
  const count = (tag: number) => acl.filter((entry) => entry.tag === tag).length;
  return (
    acl.every(({ tag, perm }, n) => TAGS.includes(tag) && perm <= 7 && (acl[n - 1]?.tag ?? 0) <= tag) &&
    [ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_OTHER].every((tag) => count(tag) === 1) &&
    count(ACL_MASK) === (acl.some(isNamed) ? 1 : Math.min(1, count(ACL_MASK)))
  );
}

/**
 * Whether a caller that does not own the file has the access.
 * @param inGroup whether the caller is in a group
 */
export function grants(
  acl: AclEntry[],
  uid: number,
  inGroup: (gid: number) => boolean,
  fileGroup: number,
  mask: number,
): boolean {
  const most = permOf(acl, ACL_MASK) ?? 7;
  const user = acl.find(({ tag, id }) => tag === ACL_USER && id === uid);
  if (user) return (mask & ~(user.perm & most)) === 0;
  const groups = acl.filter(
    ({ tag, id }) => (tag === ACL_GROUP_OBJ && inGroup(fileGroup)) || (tag === ACL_GROUP && inGroup(id ?? 0)),
  );
  if (groups.length > 0) return groups.some(({ perm }) => (mask & ~(perm & most)) === 0);
  return (mask & ~(permOf(acl, ACL_OTHER) ?? 0)) === 0;
}

/** The mode and the ACL of an inode after an ACL was set; an empty ACL removes it. */
export function withAcl(
  inode: { mode: number },
  acl: AclEntry[],
  mayKeepSgid: boolean,
): { mode: number; acl: AclEntry[] | undefined } {
  const sgid = mayKeepSgid ? 0 : S_ISGID;
  if (acl.length === 0) return { mode: inode.mode & ~sgid, acl: undefined };
  const perm = (tag: number) => permOf(acl, tag) ?? 0;
  const group = permOf(acl, ACL_MASK) ?? perm(ACL_GROUP_OBJ);
  const bits = (perm(ACL_USER_OBJ) << 6) | (group << 3) | perm(ACL_OTHER);
  return { mode: ((inode.mode & ~0o777) | bits) & ~sgid, acl: acl.length > BASE_ENTRIES ? acl : undefined };
}

/** What a file of this mode gets of the default ACL of its directory: its mode, and its access ACL if that says more than the mode. */
export function inherited(acl: AclEntry[], asked: number): { mode: number; acl?: AclEntry[] } {
  const hasMask = acl.some(({ tag }) => tag === ACL_MASK);
  const shifts = new Map([
    [ACL_USER_OBJ, 6],
    [hasMask ? ACL_MASK : ACL_GROUP_OBJ, 3],
    [ACL_OTHER, 0],
  ]);
  let mode = asked;
  const entries = acl.map((entry) => {
    const shift = shifts.get(entry.tag);
    if (shift === undefined) return entry;
    const perm = entry.perm & (asked >> shift);
    mode = (mode & ~(7 << shift)) | (perm << shift);
    return { ...entry, perm };
  });
  return { mode, ...(acl.length > BASE_ENTRIES && { acl: entries }) };
}

/** The ACL after a chmod: owner, mask (or group) and others have the new bits. */
export function chmodAcl(acl: AclEntry[], mode: number): AclEntry[] {
  const hasMask = acl.some(({ tag }) => tag === ACL_MASK);
  const bitsOf = new Map([
    [ACL_USER_OBJ, (mode >> 6) & 7],
    [hasMask ? ACL_MASK : ACL_GROUP_OBJ, (mode >> 3) & 7],
    [ACL_OTHER, mode & 7],
  ]);
  return acl.map((entry) => ({ ...entry, perm: bitsOf.get(entry.tag) ?? entry.perm }));
}
