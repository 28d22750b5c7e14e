/** Inodes: references, names, numbers, attributes that follow from the tree; the memory they own. */
import { XATTR_NAME_MAX, XATTR_SIZE_MAX } from "../../../threadfs/dist/abi/abi.js";
import * as L from "../arena/layout.js";
import { type ArenaView, hex } from "./arena-view.js";
import { checkContents, checkDriverLink } from "./contents.js";
import { checkPipe } from "./pipes/pipes.js";

const { INODE: I, DENTRY: D } = L;
const TYPES = [L.S_IFSOCK, L.S_IFLNK, L.S_IFREG, L.S_IFDIR, L.S_IFIFO, L.S_IFCHR, L.S_IFBLK];
const KNOWN_BITS =
  0xffff |
  L.I_OP_PERMISSION |
  L.I_ACL |
  L.I_DRIVER |
  L.I_SPARSE |
  L.I_DEAD |
  L.I_WIDE_TIME |
  L.I_LINKABLE |
  L.I_XATTR |
  L.I_PIPE;

export function checkInodes(v: ArenaView) {
  const live = v.live(L.CACHE_INODE);
  v.counts.inodes = live.length;
  for (const i of live) {
    const names = v.dentriesOf.get(i) ?? [];
    if (names.length === 0) v.problem("leak", `${v.inode(i)} has no dentry`);
    v.equal(v.i32(i + I.count), v.refsOf(i).length, "inode-count", () => `the reference count of ${v.inode(i)}`);
    const sb = v.u32(i + I.sb);
    if (!v.isLive(L.CACHE_SUPER, sb)) {
      v.problem("inode-sb", `${v.inode(i)} is of ${hex(sb)}: no live super block`);
      continue;
    }
    checkMode(v, i, sb);
    checkAlias(v, i, names);
    if (v.u32(sb + L.SUPER.driver) === 0) checkInMemory(v, i, names);
    else checkDriver(v, i);
  }
  checkInodeTable(v);
}

function checkMode(v: ArenaView, i: number, sb: number) {
  const mode = v.u32(i + I.mode);
  const bad = (text: string) => v.problem("inode-mode", `${v.inode(i)} (mode ${hex(mode)}) ${text}`);
  if (!TYPES.includes(mode & L.S_IFMT) && v.u32(sb + L.SUPER.driver) === 0) bad("has no type");
  if ((mode & ~KNOWN_BITS) !== 0) bad("has a flag that there is not");
  const driver = v.u32(sb + L.SUPER.driver) !== 0;
  if (((mode & L.I_DRIVER) !== 0) !== driver) bad(driver ? "is a driver's" : "is no driver's");
  const hooks = v.u32(sb + L.SUPER.hooks);
  if (((mode & L.I_OP_PERMISSION) !== 0) !== ((hooks & L.HOOK.PERMISSION) !== 0)) bad("and the hook for permission");
  if (mode & L.I_LINKABLE && (driver || (mode & L.S_IFMT) !== L.S_IFREG || v.u32(i + I.nlink) !== 0))
    bad("may get a first name, and is no file without one");
  if (driver && mode & L.I_XATTR) bad("is a driver's and has extended attributes");
  if (driver && ((mode & L.I_ACL) !== 0) !== ((hooks & L.HOOK.CHECK_ACL) !== 0)) bad("and the hook for ACLs");
}

/** A directory has one dentry at most, which its inode knows, whatever names a driver shows it under; no other inode knows any. */
function checkAlias(v: ArenaView, i: number, names: number[]) {
  const isDir = (v.u32(i + I.mode) & L.S_IFMT) === L.S_IFDIR;
  if (isDir) v.expect(names.length <= 1, "alias", () => `${v.inode(i)}, a directory, has ${names.length} dentries`);
  v.equal(v.u32(i + I.alias), isDir ? (names[0] ?? 0) : 0, "alias", () => `the dentry that ${v.inode(i)} knows`);
}

function checkInMemory(v: ArenaView, i: number, names: number[]) {
  const mode = v.u32(i + I.mode);
  const type = mode & L.S_IFMT;
  const hashed = names.filter((d) => (v.u32(d + D.flags) & L.D_UNHASHED) === 0);
  if (type === L.S_IFDIR) checkDirectory(v, i, names, hashed);
  else {
    // That of pipe(2) has no name, and a link as in Linux.
    const unnamed = (mode & L.I_PIPE) !== 0;
    v.expect(!unnamed || (type === L.S_IFIFO && hashed.length === 0), "pipe", () => `${v.inode(i)} is of no pipe(2)`);
    v.equal(v.u32(i + I.nlink), unnamed ? 1 : hashed.length, "nlink", () => `the link count of ${v.inode(i)}`);
    if (mode & L.I_DEAD) v.problem("inode-mode", `${v.inode(i)} is no directory and has I_DEAD`);
    for (const d of names)
      v.equal(v.u32(d + D.nrChildren), 0, "children", () => `the number of entries of ${v.dentry(d)}`);
  }
  const wide = v.u32(i + I.mtimeHigh) !== 0 || v.u32(i + I.hashNext) !== 0;
  v.equal((mode & L.I_WIDE_TIME) !== 0, wide, "inode-mode", () => `whether a time of ${v.inode(i)} has more bits`);
  const acl = v.u32(i + I.acl);
  v.equal((mode & L.I_ACL) !== 0, acl !== 0, "acl", () => `whether ${v.inode(i)} has an ACL`);
  checkAcl(v, i, acl, 4);
  if (type === L.S_IFDIR) checkAcl(v, i, v.u32(i + I.data), 3);
  checkXattrs(v, i);
  checkContents(v, i);
}

function checkDirectory(v: ArenaView, i: number, names: number[], hashed: number[]) {
  const dead = (v.u32(i + I.mode) & L.I_DEAD) !== 0;
  v.equal(names.length, 1, "alias", () => `the number of dentries of the directory ${v.inode(i)}`);
  const [d] = names;
  if (d === undefined) return;
  let kids = 0;
  let subdirectories = 0;
  for (let child = v.u32(d + D.firstChild); v.tree.has(child); child = v.u32(child + D.sibNext)) {
    const flags = v.u32(child + D.flags);
    if (flags & L.D_UNHASHED || v.u32(child + D.inode) === 0) continue;
    kids++;
    if ((flags & L.D_TYPE) === L.D_DIRECTORY) subdirectories++;
    if (kids > v.tree.size) break;
  }
  const isRoot = v.u32(d + D.parent) === d;
  v.equal(dead, hashed.length === 0 && !isRoot, "inode-mode", () => `whether ${v.inode(i)} was removed`);
  v.equal(v.u32(i + I.nlink), dead ? 0 : 2 + subdirectories, "nlink", () => `the link count of ${v.inode(i)}`);
  v.equal(v.u32(d + D.nrChildren), kids, "children", () => `the number of entries of ${v.dentry(d)}`);
  v.equal(v.i64(i + I.size), (kids + 2) * L.DIRENT_SIZE, "dir-size", () => `the size of ${v.inode(i)}`);
  if (dead && kids > 0) v.problem("children", `${v.inode(i)} was removed and has entries`);
}

/** An access ACL, which has more than the mode bits, or a directory's default ACL. */
function checkAcl(v: ArenaView, i: number, acl: number, least: number) {
  if (acl === 0) return;
  const n = v.u32(acl);
  if (n < least || n > (L.KMALLOC_MAX - 8) / 8) {
    v.problem("acl", `the ACL of ${v.inode(i)} at ${hex(acl)} has ${n} entries`);
    return;
  }
  if (!v.own(acl, 8 + n * 8, () => `the ACL of ${v.inode(i)}`)) return;
  let before = 0;
  for (let k = 0; k < n; k++) {
    const [tag, perm] = [v.data.getUint16(acl + 8 + k * 8, true), v.data.getUint16(acl + 10 + k * 8, true)];
    const known = [L.ACL_USER_OBJ, L.ACL_USER, L.ACL_GROUP_OBJ, L.ACL_GROUP, L.ACL_MASK, L.ACL_OTHER].includes(tag);
    const once = tag !== L.ACL_USER && tag !== L.ACL_GROUP;
    if (!known || perm > 7 || tag < before || (once && tag === before)) {
      v.problem("acl", `entry ${k} of the ACL of ${v.inode(i)}: tag ${tag} after ${before}, permissions ${perm}`);
    }
    before = tag;
  }
}

/** The pointer to the first extended attribute. */
export const xattrsAt = (v: ArenaView, i: number): number =>
  i + ((v.u32(i + I.mode) & L.S_IFMT) === L.S_IFDIR ? I.shape : I.ino64);

/** Extended attributes: sorted, each in blocks of its own. */
function checkXattrs(v: ArenaView, i: number) {
  if ((v.u32(i + I.mode) & L.I_XATTR) === 0) return;
  const bad = (text: string) => v.problem("xattr", `an extended attribute of ${v.inode(i)} ${text}`);
  let p = v.u32(xattrsAt(v, i));
  if (p === 0) bad("is not there");
  for (let before = ""; p !== 0; p = v.u32(p + 4)) {
    const [n, length] = [v.u32(p + 8), v.u32(p + 12)];
    if (n < 1 || n > XATTR_NAME_MAX || length > XATTR_SIZE_MAX) {
      bad(`at ${hex(p)} has a name of ${n} bytes and a value of ${length}`);
      return;
    }
    const first = Math.min(16 + n + length, L.KMALLOC_MAX);
    if (!v.own(p, first, () => `an extended attribute of ${v.inode(i)}`)) return;
    const name = Buffer.from(v.bytes.subarray(p + 16, p + 16 + n)).toString("latin1");
    if (name <= before) bad(`"${name}" follows "${before}"`);
    before = name;
    let left = length - (first - 16 - n);
    let block = v.u32(p);
    for (; left > 0; block = v.u32(block)) {
      const size = Math.min(4 + left, L.KMALLOC_MAX);
      if (!v.own(block, size, () => `a block of the extended attribute ${name} of ${v.inode(i)}`)) return;
      left -= size - 4;
    }
    if (block !== 0) bad(`"${name}" has more blocks than its value`);
  }
}

function checkDriver(v: ArenaView, i: number) {
  const type = v.u32(i + I.mode) & L.S_IFMT;
  const isLink = type === L.S_IFLNK;
  if (type === L.S_IFIFO) checkPipe(v, i);
  if (isLink) checkDriverLink(v, i);
  const data = type === L.S_IFIFO || isLink ? {} : { data: I.data };
  const room = isLink ? {} : { room: I.shape };
  for (const [field, at] of Object.entries({ ...data, ...room, pages: I.pages, acl: I.acl })) {
    v.equal(v.u32(i + at), 0, "inode-data", () => `${field} of a driver's ${v.inode(i)}`);
  }
  for (const d of v.dentriesOf.get(i) ?? []) {
    v.equal(v.u32(d + D.nrChildren), 0, "children", () => `the number of entries of a driver's ${v.dentry(d)}`);
  }
}

/** The chain of a driver's number in the file system with this device number. */
function chainOf(number: number, dev: number): number {
  const low = Number.isFinite(number) ? Number(BigInt.asIntN(32, BigInt(Math.trunc(number)))) : 0;
  return ((Math.imul(low, 0x9e3779b1) + dev) >>> 8) & (L.INODE_HASH - 1);
}

/** The table of drivers' inodes by their numbers. */
function checkInodeTable(v: ArenaView) {
  const seen = new Set<number>();
  const numbers = new Map<string, number>();
  for (let b = 0; b < L.INODE_HASH; b++) {
    for (let i = v.u32(L.INODE_HEADS + b * 4); i !== 0; i = v.u32(i + I.hashNext)) {
      if (!v.isLive(L.CACHE_INODE, i) || seen.has(i)) {
        v.problem("inode-table", `${hex(i)} in chain ${b} is ${seen.has(i) ? "in a chain already" : "no live inode"}`);
        break;
      }
      seen.add(i);
      const number = v.data.getFloat64(i + I.ino64, true);
      const sb = v.u32(i + I.sb);
      const bucket = chainOf(number, v.u32(sb + L.SUPER.dev));
      const at = i;
      v.equal(b, bucket, "inode-table", () => `the chain of ${v.inode(at)}, number ${number},`);
      // A number with another type is another node (igetDriver()).
      const key = `${sb} ${number} ${v.u32(i + I.mode) & L.S_IFMT}`;
      const other = numbers.get(key);
      if (other !== undefined) v.problem("inode-table", `${v.inode(i)} and ${hex(other)} have one number and type`);
      numbers.set(key, i);
    }
  }
  for (const i of v.live(L.CACHE_INODE)) {
    const driver = (v.u32(i + I.mode) & L.I_DRIVER) !== 0;
    v.equal(seen.has(i), driver, "inode-table", () => `whether ${v.inode(i)} is in the table of drivers' inodes`);
  }
}
