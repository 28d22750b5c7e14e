/**
 * A sequential model of the file system, small enough to be seen to be right: its state, its path walk and the way in which
 * a change is made. `calls.js` and its neighbours have the system calls.
 *
 * An operation is a generator that yields *steps*. A step is a function of the state that happens at one moment; it may
 * change the state, and what it answers (plain JSON) is sent back into the generator. Between two steps of one operation
 * anything may happen: that is all that Linux promises about a walk. Since a generator knows nothing but the answers
 * it was sent, where an operation stands is told by these answers, and it can be brought there again by sending them.
 *
 * State: file systems, inodes, dentries (a name in a directory), mounts, contexts, open files; `locks` (held by whom) and
 * `held` (mounts that an operation under way has references on). All in Maps of frozen records that are replaced and never
 * edited, so that a copy of the state is a copy of the Maps.
 *
 * An answer that is a string is an error: "ENOENT". Times are the numbers of the clock `state.now`.
 */

import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../support/linux.js";
import { grants } from "./acl.js";

/** What a step answers that cannot be taken yet, because somebody holds a lock that it needs. */
export const BLOCKED = Symbol("blocked");

export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

const CAP_DAC_OVERRIDE = 1 << 1;
const CAP_DAC_READ_SEARCH = 1 << 2;
export const ALL_CAPS = -1;

const NAME_MAX = 255;
const MAXSYMLINKS = 40;
/** What a directory of the in-memory file system grows by with an entry. */
export const DIRENT_SIZE = 20;
export const FIRST_FD = 3;

export const isError = (answer) => typeof answer === "string";
export const typeOf = (inode) => inode.mode & S_IFMT;
export const isDir = (inode) => typeOf(inode) === S_IFDIR;
export const isLink = (inode) => typeOf(inode) === S_IFLNK;

// ------------------------------------------------------------------------------------------------- the state

export const TABLES = ["filesystems", "inodes", "dentries", "mounts", "contexts", "files", "locks", "held"];

/** A fresh tree: an empty in-memory file system at "/" and context 0, the superuser's. */
export function newState({ now = 0 } = {}) {
  const s = { now, last: 0 };
  for (const table of TABLES) s[table] = new Map();
  const fs = newFilesystem(s, { mode: 0o755 });
  const root = s.filesystems.get(fs).root;
  const mnt = newMount(s, fs, root, {});
  s.contexts.set(0, {
    uid: 0,
    gid: 0,
    groups: [],
    umask: 0o022,
    caps: ALL_CAPS,
    root: { mnt, d: root },
    cwd: { mnt, d: root },
    fds: {},
  });
  s.rootMount = mnt;
  return s;
}

export function cloneState(s) {
  const copy = { ...s };
  for (const table of TABLES) copy[table] = new Map(s[table]);
  return copy;
}

/** Numbers for the texts of records, so that the key of a state is short; a record's number is kept with it. */
const numberOf = new Map();
const recordNumbers = new WeakMap();

function recordNumber(record) {
  if (typeof record !== "object") return record;
  let n = recordNumbers.get(record);
  if (n === undefined) {
    const text = JSON.stringify(record);
    n = numberOf.get(text) ?? numberOf.size;
    numberOf.set(text, n);
    recordNumbers.set(record, n);
  }
  return n;
}

/** Equal keys: equal states, as they are reached from one first state. */
export function stateKey(s) {
  let key = `${s.last}`;
  for (const table of TABLES) {
    key += "|";
    for (const id of [...s[table].keys()].sort()) key += `${id}:${recordNumber(s[table].get(id))} `;
  }
  return key;
}

/** Replaces fields of one record. */
export function patch(table, id, fields) {
  table.set(id, { ...table.get(id), ...fields });
}

const newId = (s) => ++s.last;

export function newInode(s, fs, mode, uid, gid, more = {}) {
  const id = newId(s);
  const { now } = s;
  const size = 0;
  s.inodes.set(id, { fs, mode, uid, gid, nlink: 1, size, data: "", atime: now, mtime: now, ctime: now, ...more });
  return id;
}

/** A file system with its root: `{ mode, uid, gid, readonly, driver }`. */
export function newFilesystem(s, { mode, readonly = false, driver = 0, more = {} }) {
  const fs = newId(s);
  const ino = newInode(s, fs, S_IFDIR | mode, 0, 0, { nlink: 2, ...more });
  const root = newId(s);
  s.dentries.set(root, { parent: root, name: "", ino, hashed: true, isRoot: true, kids: {}, cookie: 0, next: 0 });
  s.filesystems.set(fs, { root, readonly, driver });
  return fs;
}

export function newMount(s, fs, root, { readonly = false, noexec = false }) {
  const id = newId(s);
  s.mounts.set(id, { fs, root, readonly, noexec, parent: 0, point: 0 });
  return id;
}

export const inodeOf = (s, d) => s.inodes.get(s.dentries.get(d).ino);

/** The dentry of a name in a directory, undefined: there is none. */
export function child(s, d, name) {
  const { kids } = s.dentries.get(d);
  return Object.hasOwn(kids, name) ? kids[name] : undefined;
}

/** Puts a dentry (new: `d` undefined) for an inode into a directory; it comes last. */
export function addName(s, parent, name, ino, d = newId(s)) {
  const dir = s.dentries.get(parent);
  const cookie = dir.next + 1;
  const isNew = !s.dentries.has(d);
  patch(s.dentries, parent, { kids: { ...dir.kids, [name]: d }, next: cookie });
  if (isNew) s.dentries.set(d, { isRoot: false, kids: {}, next: 0 });
  patch(s.dentries, d, { parent, name, ino, hashed: true, cookie });
  return d;
}

/** Takes a name out; the dentry stays for those who are at it, and still knows its parent. */
export function dropName(s, d) {
  const { parent, name } = s.dentries.get(d);
  const { [name]: _gone, ...kids } = s.dentries.get(parent).kids;
  patch(s.dentries, parent, { kids });
  patch(s.dentries, d, { hashed: false });
}

/** Whether dentry `d` is `above` or lies below it. */
export function isBelow(s, d, above) {
  for (let at = d; ; at = s.dentries.get(at).parent) {
    if (at === above) return true;
    if (s.dentries.get(at).parent === at) return false;
  }
}

/** What is mounted on a dentry as seen in one mount; undefined: nothing. */
export function mountedOn(s, mnt, d) {
  for (const [id, m] of s.mounts) if (m.parent === mnt && m.point === d) return id;
  return undefined;
}

/** Whether anything is mounted on the dentry anywhere. */
export function isMountpoint(s, d) {
  for (const m of s.mounts.values()) if (m.parent !== 0 && m.point === d) return true;
  return false;
}

// ------------------------------------------------------------------------------------------------- permission

export function capable(who, cap) {
  return (who.caps & cap) !== 0;
}

export const inGroup = (who, gid) => who.gid === gid || who.groups.includes(gid);

/** inode_permission(): 0, "EACCES" or "EROFS" for a mask of MAY_*. */
export function permission(s, me, inode, mask) {
  const who = s.contexts.get(me.ctx);
  const type = typeOf(inode);
  if (mask & MAY_WRITE && s.filesystems.get(inode.fs).readonly && [S_IFREG, S_IFDIR, S_IFLNK].includes(type)) {
    return "EROFS";
  }
  return isGranted(who, inode, mask) || overridden(who, inode, mask) ? 0 : "EACCES";
}

/** acl_permission_check(): the owner's bits, an ACL unless its group class is empty, the group's bits or the others'. */
function isGranted(who, inode, mask) {
  const isOwner = who.uid === inode.uid;
  if (!isOwner && inode.acl && inode.mode & 0o070) {
    return grants(inode.acl, who.uid, (gid) => inGroup(who, gid), inode.gid, mask);
  }
  const shift = isOwner ? 6 : inGroup(who, inode.gid) ? 3 : 0;
  return (mask & ~(inode.mode >> shift) & 7) === 0;
}

/** Capabilities lift a refusal; a file that nobody may execute stays so. */
function overridden(who, inode, mask) {
  if (isDir(inode)) {
    return (!(mask & MAY_WRITE) && capable(who, CAP_DAC_READ_SEARCH)) || capable(who, CAP_DAC_OVERRIDE);
  }
  if (mask === MAY_READ && capable(who, CAP_DAC_READ_SEARCH)) return true;
  return (!(mask & MAY_EXEC) || (inode.mode & 0o111) !== 0) && capable(who, CAP_DAC_OVERRIDE);
}

/** mnt_want_write() */
export function wantWrite(s, mnt) {
  const m = s.mounts.get(mnt);
  return m.readonly || s.filesystems.get(m.fs).readonly ? "EROFS" : 0;
}

// ------------------------------------------------------------------------------------------------- changes

/**
 * A change under locks, in phases; each is one step: `{ locks(s), run(s) }`. A phase waits until nobody else holds its locks
 * (names, undefined ones are left out), takes them, and runs. All are let go at the end, or when a phase answers an
 * error. The answer is that of the first phase that answers one.
 */
export function* change(me, phases) {
  let answer;
  for (const [n, { locks = () => [], run }] of phases.entries()) {
    const r = yield (s) => {
      const wanted = locks(s).filter((name) => name !== undefined);
      if (wanted.some((name) => (s.locks.get(name) ?? me.id) !== me.id)) return BLOCKED;
      const done = run(s) ?? 0;
      for (const name of wanted) s.locks.set(name, me.id);
      if (isError(done) || done?.done || n === phases.length - 1) unlockAll(s, me);
      return done;
    };
    if (isError(r)) return r;
    if (r?.done) return r.answer;
    answer ??= r;
  }
  return answer;
}

function unlockAll(s, me) {
  for (const [name, owner] of s.locks) if (owner === me.id) s.locks.delete(name);
}

export const mutexOf = (s, d) => (d === undefined ? undefined : `inode ${s.dentries.get(d).ino}`);

/** Notes that the operation has a reference on a mount, through its first or second walk, or beside them. */
export function hold(s, me, slot, mnt) {
  s.held.set(`${me.id} ${slot}`, mnt);
}

/** A descriptor that an operation has taken and not opened yet. */
export const reservedBy = (id) => -id;

/** Clears up behind a dead operation: its locks, its references, a descriptor that it had taken. */
export function recoverFrom(s, id) {
  const me = { id };
  unlockAll(s, me);
  release(s, me);
  for (const [ctx, { fds }] of s.contexts) {
    const kept = Object.entries(fds).filter(([, file]) => file !== reservedBy(id));
    patch(s.contexts, ctx, { fds: Object.fromEntries(kept) });
  }
}

/** The end of a call: its references go. */
export function release(s, me) {
  for (const key of s.held.keys()) if (key.startsWith(`${me.id} `)) s.held.delete(key);
  return 0;
}

// ------------------------------------------------------------------------------------------------- the walk

/** A path in its components; `slash`: one stands behind the last. */
function parse(path) {
  const names = path.split("/").filter((name) => name !== "");
  return { absolute: path.startsWith("/"), names, slash: names.length > 0 && path.endsWith("/") };
}

const isPlain = (name) => name !== "." && name !== "..";

/**
 * Walks a path, one component at a time.
 * @param want `follow` a link at the end, `directory` wanted, `parent`: only to the directory of the last component,
 *   `slot`: 0 first, 1 second path of a call; `from`: go on from there (a link's body in an open with O_CREAT)
 * @returns { mnt, d }, for `parent` also `last` (undefined: the path has no component) and `slash`; or an error
 */
export function* walk(me, dirfd, path, want) {
  const { slot = 0, parent = false } = want;
  const parsed = parse(path);
  const nd = want.from ?? { links: 0, root: undefined };
  let { names: todo, slash } = parsed;
  let { follow = false, directory = false } = want;
  let at = want.from && !parsed.absolute ? nd.at : yield* start(me, nd, dirfd, path, slot);
  if (isError(at)) return at;
  while (todo.length > 0) {
    if (!me.searches) {
      const here = at;
      const denied = yield (s) => permission(s, me, inodeOf(s, here.d), MAY_EXEC);
      if (denied) return denied;
    }
    const [name, ...rest] = todo;
    const isLast = rest.length === 0;
    if (name.length > NAME_MAX) return "ENAMETOOLONG";
    if (parent && isLast) return { ...at, last: name, slash, nd: { ...nd, at } };
    if (isLast && slash && isPlain(name)) {
      follow = true;
      directory = true;
    }
    todo = rest;
    if (name === ".") continue;
    const to = name === ".." ? yield* dotdot(me, nd, at, slot) : yield* look(at, name);
    if (isError(to)) return to;
    const on = yield* cross(me, to, slot);
    if (on.body !== undefined && (!isLast || follow)) {
      if (nd.links === MAXSYMLINKS) return "ELOOP";
      nd.links += 1;
      const inner = parse(on.body);
      if (inner.absolute) at = yield* rootOf(me, nd);
      if (isLast) slash = inner.slash;
      todo = [...inner.names, ...rest];
    } else if (isLast || on.dir) {
      at = on;
    } else {
      return "ENOTDIR";
    }
  }
  if (directory && !at.dir) return "ENOTDIR";
  return parent ? { ...at, last: undefined, slash, nd } : at;
}

/** A place in the tree with what never changes about it: whether it is a directory, a link's body. */
export function placeOf(s, mnt, d) {
  const inode = inodeOf(s, d);
  return { mnt, d, dir: isDir(inode), body: inode.body };
}

/** Root, working directory or descriptor. */
function* start(me, nd, dirfd, path, slot) {
  if (path.startsWith("/")) return yield* rootOf(me, nd);
  return yield (s) => {
    const { cwd, fds } = s.contexts.get(me.ctx);
    const file = s.files.get(fds[dirfd]);
    if (dirfd !== undefined && file === undefined) return "EBADF";
    const { mnt, d } = file ?? cwd;
    const at = placeOf(s, mnt, d);
    if (path !== "" && !at.dir) return "ENOTDIR";
    hold(s, me, slot, mnt);
    return at;
  };
}

/** The context's root, which a walk asks for once. */
function* rootOf(me, nd) {
  nd.root ??= yield (s) => {
    const { mnt, d } = s.contexts.get(me.ctx).root;
    return placeOf(s, mnt, d);
  };
  return nd.root;
}

function* look({ mnt, d }, name) {
  return yield (s) => {
    const found = child(s, d, name);
    return found === undefined ? "ENOENT" : { mnt, d: found };
  };
}

/** "..": never above the root, up over mounts, and not out of a bind mount whose directory was moved away. */
function* dotdot(me, nd, at, slot) {
  const root = yield* rootOf(me, nd);
  const isRoot = ({ mnt, d }) => mnt === root.mnt && d === root.d;
  if (isRoot(at)) return at;
  const from = yield (s) => {
    let { mnt, d } = at;
    while (d === s.mounts.get(mnt).root) {
      const m = s.mounts.get(mnt);
      if (m.parent === 0) return { stay: true };
      mnt = m.parent;
      d = m.point;
      if (isRoot({ mnt, d })) return { stay: true };
    }
    hold(s, me, slot, mnt);
    return { mnt, d };
  };
  if (from.stay) return at;
  const up = yield (s) => s.dentries.get(from.d).parent;
  const connected = yield (s) => isBelow(s, up, s.mounts.get(from.mnt).root);
  return connected ? { mnt: from.mnt, d: up } : "ENOENT";
}

/** Down onto whatever is mounted here, one mount a step. */
export function* cross(me, to, slot) {
  let at = to;
  for (;;) {
    const here = at;
    const next = yield (s) => {
      const mnt = mountedOn(s, here.mnt, here.d);
      if (mnt === undefined) return { end: placeOf(s, here.mnt, here.d) };
      hold(s, me, slot, mnt);
      return { mnt, d: s.mounts.get(mnt).root };
    };
    if (next.end) return next.end;
    at = next;
  }
}
