/** The trees of dentries from their roots: lists of children, names, flags, and the references that they account for. */
import * as L from "../arena/layout.js";
import { type ArenaView, hex, type Text } from "./arena-view.js";
import { hashLow } from "./hash.js";

const { DENTRY: D } = L;
const KNOWN_FLAGS = (L.D_CHAINED * 2 - 1) | L.D_IDLE | L.D_GENERATION;
const OF_FILE_SYSTEM =
  L.D_OP_HASH | L.D_OP_COMPARE | L.D_OP_REVALIDATE | L.D_OP_DELETE | L.D_NO_CACHE | L.D_REVAL_DOT | L.D_GENERATION;

/** Reports what is wrong with one object. */
type Report = (text: string) => void;

/** Walks every file system from its root. Fills `v.tree` and `v.dentriesOf`. */
export function checkTrees(v: ArenaView) {
  for (const sb of v.live(L.CACHE_SUPER)) {
    const root = v.u32(sb + L.SUPER.root);
    if (!enter(v, root, () => `the root of super block ${hex(sb)}`)) continue;
    v.equal(v.u32(root + D.parent), root, "dentry-parent", () => `the parent of the root ${hex(root)}`);
    v.equal(v.u32(root + D.sb), sb, "dentry-sb", () => `the super block of root ${hex(root)}`);
    v.expect((v.u32(root + D.flags) & L.D_UNHASHED) !== 0, "dentry-flags", () => `root ${hex(root)} is hashed`);
    // The file system's own.
    v.ref(root, "root of its file system");
    walk(v, root, sb);
  }
  for (const d of v.live(L.CACHE_DENTRY)) {
    if (!v.tree.has(d)) v.problem("leak", `${v.dentry(d)} is in no list of children`);
  }
  v.counts.dentries = v.tree.size;
  let negative = 0;
  for (const d of v.tree) {
    if (v.u32(d + D.inode) === 0) negative++;
    checkDentry(v, d);
  }
  v.counts.negative = negative;
}

/** Notes a dentry as part of a tree. False: it is no live dentry, or is in the tree already. */
function enter(v: ArenaView, d: number, what: Text) {
  if (!v.isLive(L.CACHE_DENTRY, d)) {
    v.problem("dentry-list", `${what()} is ${hex(d)}: no live dentry`);
    return false;
  }
  if (v.tree.has(d)) {
    v.problem("dentry-list", `${what()} is ${v.dentry(d)}, which stands elsewhere already`);
    return false;
  }
  v.tree.add(d);
  return true;
}

function walk(v: ArenaView, root: number, sb: number) {
  const todo = [root];
  for (let parent = todo.pop(); parent !== undefined; parent = todo.pop()) {
    let prev = 0;
    let cookie = 0n;
    const inMemory = v.u32(sb + L.SUPER.driver) === 0;
    for (let d = v.u32(parent + D.firstChild); d !== 0; d = v.u32(d + D.sibNext)) {
      const after = prev;
      if (!enter(v, d, () => `the child after ${hex(after)} of ${v.dentry(parent)}`)) break;
      v.equal(v.u32(d + D.parent), parent, "dentry-parent", () => `the parent of ${v.dentry(d)}`);
      v.equal(v.u32(d + D.sibPrev), prev, "dentry-list", () => `sibPrev of ${v.dentry(d)}`);
      v.equal(v.u32(d + D.sb), sb, "dentry-sb", () => `the super block of ${v.dentry(d)}`);
      const mine = v.u64(d + D.cookie);
      const before = cookie;
      if (inMemory)
        v.expect(mine > before, "dentry-cookie", () => `${v.dentry(d)} has cookie ${mine} behind ${before}`);
      cookie = mine;
      prev = d;
      v.ref(parent, "child");
      todo.push(d);
    }
    const last = prev;
    v.equal(v.u32(parent + D.lastChild), last, "dentry-list", () => `lastChild of ${v.dentry(parent)}`);
    if (!inMemory || prev === 0) continue;
    const given = v.u64(v.u32(parent + D.inode) + L.INODE.ino64);
    v.expect(
      cookie <= given,
      "dentry-cookie",
      () => `${v.dentry(parent)} gave ${given} cookies; a child has ${cookie}`,
    );
  }
}

/** One dentry by itself and with its inode. */
function checkDentry(v: ArenaView, d: number) {
  const flags = v.u32(d + D.flags);
  const inode = v.u32(d + D.inode);
  const sb = v.u32(d + D.sb);
  const isRoot = v.u32(d + D.parent) === d;
  const inMemory = v.u32(sb + L.SUPER.driver) === 0;
  const hashed = (flags & L.D_UNHASHED) === 0;
  const wrong = (text: string) => v.problem("dentry-flags", `${v.dentry(d)} (flags ${hex(flags)}) ${text}`);
  if ((flags & ~KNOWN_FLAGS) !== 0) wrong("has a flag that there is not");
  if (hashed !== ((flags & L.D_CHAINED) !== 0))
    wrong(`is ${hashed ? "hashed and in no" : "not hashed and in a"} chain`);
  if ((flags & OF_FILE_SYSTEM) !== v.u32(sb + L.SUPER.dflags)) wrong("has not the flags of its file system");
  if (flags & L.D_GENERATION && v.u64(d + D.cookie) > v.u64(sb + L.SUPER.generation))
    wrong(`is of generation ${v.u64(d + D.cookie)}, which there has not been`);
  if (((flags & L.D_ROOT) !== 0) !== isRoot) wrong(isRoot ? "is its own parent without D_ROOT" : "has D_ROOT");
  if (((flags & L.D_MOUNTED) !== 0) !== (v.u32(d + D.mounts) !== 0)) wrong("and its count of mounts disagree");
  // A dentry is hashed and D_CANT_MOUNT only while a call removes it.
  if (flags & L.D_CANT_MOUNT && hashed) wrong("is hashed, and nothing may be mounted there");
  if (inode === 0) checkNegative(flags, hashed, inMemory, wrong);
  else checkPositive(v, d, inode, flags, inMemory, wrong);
  if (inMemory && hashed && inode !== 0) v.ref(d, "pin");
  checkName(v, d, flags, isRoot, wrong);
}

function checkNegative(flags: number, hashed: boolean, inMemory: boolean, wrong: Report) {
  if ((flags & (L.D_TYPE | L.D_EXEC_ANY | L.D_COMPLETE)) !== 0) wrong("has no inode, but flags of one");
  if (inMemory && hashed) wrong("has no inode, and its file system keeps no such entries");
}

function checkPositive(v: ArenaView, d: number, inode: number, flags: number, inMemory: boolean, wrong: Report) {
  if (!v.isLive(L.CACHE_INODE, inode)) {
    v.problem("dentry-inode", `${v.dentry(d)} is bound to ${hex(inode)}: no live inode`);
    return;
  }
  const mode = v.u32(inode + L.INODE.mode);
  const isDir = (mode & L.S_IFMT) === L.S_IFDIR;
  v.ref(inode, "dentry");
  const all = v.dentriesOf.get(inode);
  if (all === undefined) v.dentriesOf.set(inode, [d]);
  else all.push(d);
  v.equal(
    v.u32(inode + L.INODE.sb),
    v.u32(d + D.sb),
    "inode-sb",
    () => `the super block of the inode of ${v.dentry(d)}`,
  );
  v.equal(flags & L.D_TYPE, typeOf(mode), "dentry-type", () => `the type in ${v.dentry(d)}`);
  const all3 = (mode & 0x49) === 0x49 && (mode & (L.I_ACL | L.I_OP_PERMISSION)) === 0;
  if (((flags & L.D_EXEC_ANY) !== 0) !== (isDir && all3))
    wrong(`has an inode of mode ${hex(mode)}: search for every user?`);
  if (((flags & L.D_COMPLETE) !== 0) !== (isDir && inMemory)) wrong("is complete only if it is a directory in memory");
}

/** Type bits of the dentry of an inode with this mode. */
function typeOf(mode: number) {
  const of: Record<number, number> = { [L.S_IFDIR]: L.D_DIRECTORY, [L.S_IFREG]: L.D_REGULAR, [L.S_IFLNK]: L.D_SYMLINK };
  return of[mode & L.S_IFMT] ?? L.D_SPECIAL;
}

function checkName(v: ArenaView, d: number, flags: number, isRoot: boolean, wrong: Report) {
  const len = v.u32(d + D.len);
  const long = len > L.INLINE_NAME;
  if (((flags & L.D_LONG_NAME) !== 0) !== long) wrong(`has a name of ${len} bytes`);
  const bad = (text: string) => v.problem("name", `${v.dentry(d)}: ${text}`);
  if (isRoot ? len !== 0 : len === 0 || len > L.NAME_MAX) {
    bad(`a name of ${len} bytes`);
    return;
  }
  let at = d + D.name;
  if (long) {
    at = v.u32(d + D.name);
    if (!v.own(at, len + 8, () => `the name of ${v.dentry(d)}`)) return;
    for (let p = d + D.name + 4; p < d + D.name + L.INLINE_NAME; p += 4) {
      if (v.u32(p) !== 0) bad("bytes beside the address of the name");
    }
  }
  const bytes = v.bytes.subarray(at, at + len);
  if (bytes.includes(0) || bytes.includes(0x2f)) bad("a NUL or / in the name");
  if (v.name(d) === "." || v.name(d) === "..") bad("this name is never entered");
  // Names are compared in words, so that whatever follows in the last one must be zero.
  const end = long ? at + Math.ceil(len / 8) * 8 : at + L.INLINE_NAME;
  for (let p = at + len; p < end; p++) {
    if (v.bytes[p] !== 0) {
      bad(`a byte at ${hex(p)} behind the name is ${v.bytes[p]}`);
      return;
    }
  }
  // A dentry that a rename replaced while it was open keeps the name and hash of the one that replaced it: no lookup finds it.
  if (!isRoot && !(flags & (L.D_OP_HASH | L.D_UNHASHED))) {
    const should = hashLow(v, at, len, v.u32(d + D.parent));
    v.equal(v.u32(d + D.hash), should, "name-hash", () => `the hash of ${v.dentry(d)}`);
  }
}

/** The lists of unused dentries: name, number. */
const LRU_LISTS = {
  "unused dentries": 0,
  "unused dentries without an inode": L.LRU_NEGATIVE,
  "idle dentries": L.LRU_IDLE,
  "idle dentries without an inode": L.LRU_NEGATIVE | L.LRU_IDLE,
};

/** Checks one list of unused dentries, and that those in it belong there. Adds them to `seen`. */
function checkLruList(v: ArenaView, name: string, n: number, seen: Set<number>) {
  const list = L.G_LRU_LISTS + n * L.LRU_LIST_SIZE;
  let newer = 0;
  let count = 0;
  for (let d = v.u32(list + L.LRU_HEAD); d !== 0; d = v.u32(d + D.lruNext)) {
    if (!v.tree.has(d) || seen.has(d)) {
      v.problem("lru", `${hex(d)} in the list of ${name} is ${seen.has(d) ? "in a list already" : "no live dentry"}`);
      break;
    }
    seen.add(d);
    count++;
    v.equal(v.u32(d + D.lruPrev), newer, "lru", () => `lruPrev of ${v.dentry(d)}`);
    newer = d;
    const flags = v.u32(d + D.flags);
    const should = ((flags & L.D_TYPE) === 0 ? L.LRU_NEGATIVE : 0) | (flags & L.D_IDLE ? L.LRU_IDLE : 0);
    v.equal(should, n, "lru", () => `the list for ${v.dentry(d)}, which is among the ${name}`);
    if (flags & L.D_IDLE && flags & L.D_REFERENCED) v.problem("lru", `${v.dentry(d)} is idle and has D_REFERENCED`);
  }
  const oldest = newer;
  v.equal(v.u32(list + L.LRU_TAIL), oldest, "lru", () => `the last of the ${name}`);
  v.equal(v.u32(list + L.LRU_COUNT), count, "lru", () => `the number of ${name}`);
}

/** Runs when all references are known: the lists of unused dentries have all unused dentries, and no other. */
export function checkLru(v: ArenaView) {
  const seen = new Set<number>();
  for (const [name, n] of Object.entries(LRU_LISTS)) checkLruList(v, name, n, seen);
  v.counts.lru = seen.size;
  for (const d of v.tree) {
    const flags = v.u32(d + D.flags);
    const listed = seen.has(d);
    v.equal((flags & L.D_ON_LRU) !== 0, listed, "lru", () => `D_ON_LRU of ${v.dentry(d)}`);
    if (!listed && flags & (L.D_REFERENCED | L.D_IDLE))
      v.problem("lru", `${v.dentry(d)} has D_REFERENCED or D_IDLE and is not in the list`);
    if (listed && flags & L.D_NO_CACHE)
      v.problem("lru", `${v.dentry(d)} is of a file system that keeps no unused ones`);
    if (v.i32(d + D.count) !== 0) continue;
    if (!listed) v.problem("lru", `${v.dentry(d)} has no references and is not in the list of unused dentries`);
    if (flags & L.D_UNHASHED) v.problem("lru", `${v.dentry(d)} has no references, cannot be found, and was not killed`);
  }
}
