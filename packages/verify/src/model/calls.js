/**
 * The system calls of the model that look names up and change them, by their names in abi/abi.ts: generators of steps
 * (model.js); calls-files.js, calls-attributes.js and calls-mounts.js have the rest. Each takes `me` (the operation: its
 * number `id`, its context `ctx`) and an object of arguments; it answers a number, an object, or an error's name.
 *
 * The checks stand in Linux's order. Where a change touches several things that others can see one by one (a count here, a
 * name there) it has several phases, as it has in Linux; the locks keep other changes out meanwhile, and readers see
 * each phase.
 */
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../threadfs/dist/abi/abi.js";
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, S_ISGID, S_ISVTX } from "../support/linux.js";
import {
  addName,
  capable,
  change,
  child,
  DIRENT_SIZE,
  dropName,
  hold,
  inGroup,
  inodeOf,
  isBelow,
  isDir,
  isError,
  isMountpoint,
  MAY_EXEC,
  MAY_WRITE,
  mutexOf,
  newInode,
  patch,
  permission,
  typeOf,
  walk,
  wantWrite,
} from "./model.js";

export const CAP_CHOWN = 1 << 0;
export const CAP_FOWNER = 1 << 3;
export const CAP_FSETID = 1 << 4;
const CAP_SYS_CHROOT = 1 << 18;
export const CAP_SYS_ADMIN = 1 << 21;

export const who = (s, me) => s.contexts.get(me.ctx);
export const inode = (s, ino) => s.inodes.get(ino);
export const isPlainName = (name) => name !== undefined && name !== "." && name !== "..";
export const ownerOr = (s, me, i, cap) => who(s, me).uid === i.uid || capable(who(s, me), cap);
export const isDriver = (s, i) => s.filesystems.get(i.fs).driver !== 0;

/** A path that is no path at all; undefined: it is one. */
export function badPath(path, emptyAllowed = false) {
  if (path === "") return emptyAllowed ? undefined : "ENOENT";
  if (path.length > 4095) return "ENAMETOOLONG";
  return path.includes("\0") ? "EINVAL" : undefined;
}

/** One walk to the end of a call's path. `empty`: the empty path stands for the descriptor. */
export function* lookup(me, { dirfd, path, empty = false, nofollow = false }, want = {}) {
  const bad = badPath(path, empty);
  if (bad) return bad;
  return yield* walk(me, dirfd, path, { follow: !nofollow, ...want });
}

export function touch(s, ino, { contents = false, ...fields } = {}) {
  const times = contents ? { mtime: s.now, ctime: s.now } : { ctime: s.now };
  patch(s.inodes, ino, { ...times, ...fields });
}

export const addLinks = (s, ino, n) => touch(s, ino, { nlink: inode(s, ino).nlink + n });

function resize(s, d, n) {
  const { ino } = s.dentries.get(d);
  touch(s, ino, { contents: true, size: inode(s, ino).size + n * DIRENT_SIZE });
}

// ------------------------------------------------------------------------------------------------- looking

export function attributes(s, ino) {
  const { mode, nlink, uid, gid, size, atime, mtime, ctime } = inode(s, ino);
  return { ino, mode, nlink, uid, gid, size, atime, mtime, ctime };
}

function* sysStat(me, args) {
  const at = yield* lookup(me, args);
  if (isError(at)) return at;
  return yield (s) => attributes(s, s.dentries.get(at.d).ino);
}

function* sysAccess(me, { mode, ...args }) {
  const at = yield* lookup(me, args);
  if (isError(at) || mode === 0) return isError(at) ? at : 0;
  return yield (s) => {
    const i = inodeOf(s, at.d);
    const m = s.mounts.get(at.mnt);
    if (mode & MAY_EXEC && typeOf(i) === S_IFREG && m.noexec) return "EACCES";
    const denied = permission(s, me, i, mode);
    if (denied) return denied;
    return mode & MAY_WRITE && m.readonly && [S_IFREG, S_IFDIR, S_IFLNK].includes(typeOf(i)) ? "EROFS" : 0;
  };
}

function* sysReadlink(me, args) {
  const at = yield* lookup(me, { ...args, nofollow: true });
  if (isError(at)) return at;
  return at.body === undefined ? "EINVAL" : { path: at.body };
}

/** d_path() of (mnt, d) from the context's root. */
function pathOf(s, me, mnt, d) {
  const { root } = who(s, me);
  const names = [];
  for (let at = { mnt, d }; ; ) {
    if (at.mnt === root.mnt && at.d === root.d) break;
    const m = s.mounts.get(at.mnt);
    if (at.d === m.root) {
      if (m.parent === 0) {
        if (at.mnt !== s.rootMount) return "ENOENT";
        break;
      }
      at = { mnt: m.parent, d: m.point };
      continue;
    }
    const { name, parent, hashed } = s.dentries.get(at.d);
    if (!hashed || parent === at.d) return "ENOENT";
    names.unshift(name);
    at = { mnt: at.mnt, d: parent };
  }
  return { path: `/${names.join("/")}` };
}

function* sysRealpath(me, args) {
  const at = yield* lookup(me, args);
  if (isError(at)) return at;
  return yield (s) => pathOf(s, me, at.mnt, at.d);
}

function* sysGetcwd(me) {
  const cwd = yield (s) => ({ ...who(s, me).cwd });
  return yield (s) => pathOf(s, me, cwd.mnt, cwd.d);
}

function* changePlace(me, args, place) {
  const at = yield* lookup(me, args, { directory: true });
  if (isError(at)) return at;
  const denied = yield (s) => permission(s, me, inodeOf(s, at.d), MAY_EXEC);
  if (denied) return denied;
  return yield (s) => {
    if (place === "root" && !capable(who(s, me), CAP_SYS_CHROOT)) return "EPERM";
    // What was the place is let go at the end of the call.
    hold(s, me, 2, who(s, me)[place].mnt);
    patch(s.contexts, me.ctx, { [place]: { mnt: at.mnt, d: at.d } });
    return 0;
  };
}

const sysChdir = (me, args) => changePlace(me, args, "cwd");
const sysChroot = (me, args) => changePlace(me, args, "root");

function* sysUmask(me, { mask }) {
  return yield (s) => {
    const { umask } = who(s, me);
    patch(s.contexts, me.ctx, { umask: mask & 0o777 });
    return umask;
  };
}

// ------------------------------------------------------------------------------------------------- making

/** inode_init_owner() */
export function makeInode(s, me, parent, mode, more) {
  const dir = inodeOf(s, parent);
  const c = who(s, me);
  let m = mode;
  let gid = c.gid;
  if (dir.mode & S_ISGID) {
    gid = dir.gid;
    if ((m & S_IFMT) === S_IFDIR) m |= S_ISGID;
    else if ((m & 0o2010) === 0o2010 && !inGroup(c, gid) && !capable(c, CAP_FSETID)) m &= ~S_ISGID;
  }
  if (isDriver(s, dir)) return newInode(s, dir.fs, mode, 0, 0, { ...more, size: 0 });
  return newInode(s, dir.fs, m, c.uid, gid, more);
}

const isDead = (s, d) => inodeOf(s, d).dead === true;

export function mayCreate(s, me, parent) {
  return isDead(s, parent) ? "ENOENT" : permission(s, me, inodeOf(s, parent), MAY_WRITE | MAY_EXEC);
}

/** What stands against a new name in a directory; 0: nothing. `made` is a directory, which may have a slash behind its name. */
function refuseName(s, me, at, made) {
  if (isDead(s, at.d)) return "ENOENT";
  if (child(s, at.d, at.last) !== undefined) return "EEXIST";
  if (at.slash && !made) return "ENOENT";
  return wantWrite(s, at.mnt) || mayCreate(s, me, at.d);
}

export function newName(s, at, ino) {
  return addName(s, at.d, at.last, ino);
}

/** The phases behind the one that makes a name: the directory's accounts. */
export function accounts(at, directory) {
  const grow = { run: (s) => (isDriver(s, inodeOf(s, at.d)) ? 0 : resize(s, at.d, 1)) };
  const link = { run: (s) => (isDriver(s, inodeOf(s, at.d)) ? 0 : addLinks(s, s.dentries.get(at.d).ino, 1)) };
  return directory ? [grow, link] : [grow];
}

function* create(me, { dirfd, path, slot }, mode, more = {}) {
  const bad = badPath(path);
  if (bad) return bad;
  const at = yield* walk(me, dirfd, path, { parent: true, slot });
  if (isError(at)) return at;
  if (!isPlainName(at.last)) return "EEXIST";
  const directory = (mode & S_IFMT) === S_IFDIR;
  const make = (s) => {
    const refused = refuseName(s, me, at, directory);
    if (refused) return refused;
    newName(s, at, makeInode(s, me, at.d, mode, { nlink: directory ? 2 : 1, ...more }));
    return 0;
  };
  return yield* change(me, [{ locks: (s) => [mutexOf(s, at.d)], run: make }, ...accounts(at, directory)]);
}

/** The umask is read when the call begins. */
export function* masked(me, mode, bits) {
  return yield (s) => mode & ~who(s, me).umask & bits;
}

function* sysMkdir(me, { mode, ...args }) {
  return yield* create(me, args, S_IFDIR | (yield* masked(me, mode, 0o1777)));
}

function* sysMknod(me, { mode, ...args }) {
  const bad = badPath(args.path);
  if (bad) return bad;
  const type = mode & S_IFMT || S_IFREG;
  if (![S_IFREG, S_IFIFO, S_IFSOCK].includes(type)) return "EPERM";
  return yield* create(me, args, type | (yield* masked(me, mode, 0o7777)));
}

function* sysSymlink(me, { target, dirfd2, path2 }) {
  const badTarget = badPath(target);
  if (badTarget) return badTarget;
  const more = { body: target, size: target.length };
  return yield* create(me, { dirfd: dirfd2, path: path2, slot: 1 }, S_IFLNK | 0o777, more);
}

function* sysLink(me, { dirfd2, path2, follow = false, ...args }) {
  const bad = badPath(args.path, args.empty) ?? badPath(path2);
  if (bad) return bad;
  const from = yield* lookup(me, { ...args, nofollow: !follow });
  if (isError(from)) return from;
  const at = yield* walk(me, dirfd2, path2, { parent: true, slot: 1 });
  if (isError(at)) return at;
  if (!isPlainName(at.last)) return "EEXIST";
  const check = (s) => {
    const refused = refuseName(s, me, at, false);
    if (refused) return refused;
    if (from.mnt !== at.mnt) return "EXDEV";
    const i = inodeOf(s, from.d);
    return isDir(i) || isDriver(s, i) ? "EPERM" : 0;
  };
  const inoOf = (s) => s.dentries.get(from.d).ino;
  const count = (s) => (inode(s, inoOf(s)).nlink === 0 ? "ENOENT" : addLinks(s, inoOf(s), 1));
  return yield* change(me, [
    { locks: (s) => [mutexOf(s, at.d)], run: check },
    { locks: (s) => [mutexOf(s, from.d)], run: count },
    { run: (s) => void newName(s, at, inoOf(s)) },
    ...accounts(at, false),
  ]);
}

// ------------------------------------------------------------------------------------------------- removing

/** may_delete() */
function mayDelete(s, me, parent, d, asDir) {
  const dir = inodeOf(s, parent);
  const i = inodeOf(s, d);
  const denied = permission(s, me, dir, MAY_WRITE | MAY_EXEC);
  if (denied) return denied;
  const c = who(s, me);
  if (dir.mode & S_ISVTX && c.uid !== i.uid && c.uid !== dir.uid && !capable(c, CAP_FOWNER)) return "EPERM";
  if (asDir && !isDir(i)) return "ENOTDIR";
  if (!asDir && isDir(i)) return "EISDIR";
  return dir.dead ? "ENOENT" : 0;
}

/** The inode's last step but one: a directory dies, a file loses a name. */
function loseName(s, d) {
  const { ino } = s.dentries.get(d);
  if (isDir(inode(s, ino))) touch(s, ino, { dead: true, nlink: 0 });
  else addLinks(s, ino, -1);
}

const isEmpty = (s, d) => Object.keys(s.dentries.get(d).kids).length === 0;

/** unlink(2), rmdir(2) */
function* remove(me, { dirfd, path }, asDir) {
  const bad = badPath(path);
  if (bad) return bad;
  const at = yield* walk(me, dirfd, path, { parent: true });
  if (isError(at)) return at;
  if (!isPlainName(at.last)) {
    if (!asDir) return "EISDIR";
    return at.last === ".." ? "ENOTEMPTY" : at.last === "." ? "EINVAL" : "EBUSY";
  }
  const victim = (s) => child(s, at.d, at.last);
  const check = (s) => {
    const d = victim(s);
    if (d === undefined) return "ENOENT";
    if (!asDir && at.slash) return isDir(inodeOf(s, d)) ? "EISDIR" : "ENOTDIR";
    return wantWrite(s, at.mnt) || mayDelete(s, me, at.d, d, asDir);
  };
  const driver = (s) => isDriver(s, inodeOf(s, at.d));
  const begin = (s) => {
    const d = victim(s);
    if (isMountpoint(s, d)) return "EBUSY";
    if (asDir && !isEmpty(s, d)) return "ENOTEMPTY";
    if (!driver(s)) loseName(s, d);
    return 0;
  };
  const upper = (s) => (driver(s) || !asDir ? 0 : addLinks(s, s.dentries.get(at.d).ino, -1));
  return yield* change(me, [
    { locks: (s) => [mutexOf(s, at.d)], run: check },
    { locks: (s) => [mutexOf(s, victim(s))], run: begin },
    ...(asDir ? [{ run: upper }] : []),
    { run: (s) => (driver(s) ? 0 : resize(s, at.d, -1)) },
    { run: (s) => dropName(s, victim(s)) },
  ]);
}

const sysUnlink = (me, { removedir = false, ...args }) => remove(me, args, removedir);

// ------------------------------------------------------------------------------------------------- rename

function mayRename(s, me, from, d, to, t, exchange) {
  const directory = isDir(inodeOf(s, d));
  const denied = mayDelete(s, me, from, d, directory);
  if (denied) return denied;
  const other = t === undefined ? undefined : isDir(inodeOf(s, t));
  const refused = other === undefined ? mayCreate(s, me, to) : mayDelete(s, me, to, t, exchange ? other : directory);
  if (refused || from === to) return refused;
  // A directory that moves gets another "..", which is a write to it.
  const held = directory ? permission(s, me, inodeOf(s, d), MAY_WRITE) : 0;
  return held || !exchange || !other ? held : permission(s, me, inodeOf(s, t), MAY_WRITE);
}

/** Everything that stands against a rename, under the directories' locks; 0: nothing; `done`: it has nothing to do. */
function refuseRename(s, me, a, b, flags) {
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  const d = child(s, a.d, a.last);
  if (d === undefined) return "ENOENT";
  if (isDead(s, b.d)) return "ENOENT";
  const t = child(s, b.d, b.last);
  if (flags & RENAME_NOREPLACE && t !== undefined) return "EEXIST";
  if (exchange && t === undefined) return "ENOENT";
  const source = inodeOf(s, d);
  if (exchange && !isDir(inodeOf(s, t)) && b.slash) return "ENOTDIR";
  if (!isDir(source) && (a.slash || (!exchange && b.slash))) return "ENOTDIR";
  // Neither directory may come to lie in itself.
  if (a.d !== b.d && isBelow(s, b.d, d)) return "EINVAL";
  if (a.d !== b.d && t !== undefined && isBelow(s, a.d, t)) return exchange ? "EINVAL" : "ENOTEMPTY";
  if (isDriver(s, source)) return "EPERM";
  if (t !== undefined && s.dentries.get(d).ino === s.dentries.get(t).ino) return { done: true, answer: 0 };
  return mayRename(s, me, a.d, d, b.d, t, exchange);
}

function moveName(s, a, d, b, t, exchange) {
  const source = s.dentries.get(d);
  const target = t === undefined ? undefined : s.dentries.get(t);
  if (a.d === b.d) {
    // Inside one directory a name keeps its place.
    const { [a.last]: _d, [b.last]: _t, ...kids } = s.dentries.get(a.d).kids;
    patch(s.dentries, a.d, { kids: { ...kids, [b.last]: d, ...(exchange ? { [a.last]: t } : {}) } });
    patch(s.dentries, d, { name: b.last });
    if (exchange) patch(s.dentries, t, { name: a.last });
    else if (target) patch(s.dentries, t, { hashed: false });
    return;
  }
  dropName(s, d);
  if (target) dropName(s, t);
  addName(s, b.d, b.last, source.ino, d);
  if (exchange) addName(s, a.d, a.last, target.ino, t);
}

function* sysRename(me, { dirfd, path, dirfd2, path2, flags = 0 }) {
  const bad = badPath(path) ?? badPath(path2);
  if (bad) return bad;
  if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags === (RENAME_NOREPLACE | RENAME_EXCHANGE)) return "EINVAL";
  const a = yield* walk(me, dirfd, path, { parent: true });
  if (isError(a)) return a;
  const b = yield* walk(me, dirfd2, path2, { parent: true, slot: 1 });
  if (isError(b)) return b;
  if (a.mnt !== b.mnt) return "EXDEV";
  if (!isPlainName(a.last)) return "EBUSY";
  if (!isPlainName(b.last)) return flags & RENAME_NOREPLACE ? "EEXIST" : "EBUSY";
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  const d = (s) => child(s, a.d, a.last);
  const t = (s) => child(s, b.d, b.last);
  const other = (s) => t(s) !== undefined;
  const dirIno = (s, at) => s.dentries.get(at.d).ino;
  const begin = (s) => {
    if (isMountpoint(s, d(s)) || (other(s) && isMountpoint(s, t(s)))) return "EBUSY";
    if (!exchange && other(s) && isDir(inodeOf(s, t(s))) && !isEmpty(s, t(s))) return "ENOTEMPTY";
    if (!exchange && other(s)) loseName(s, t(s));
    return 0;
  };
  const sourceIsDir = (s) => isDir(inodeOf(s, d(s)));
  const targetIsDir = (s) => other(s) && isDir(inodeOf(s, t(s)));
  const links = (s, at, n) => (n === 0 ? 0 : addLinks(s, dirIno(s, at), n));
  const replacing = [
    { run: (s) => (targetIsDir(s) ? links(s, b, -1) : 0) },
    { run: (s) => (other(s) ? touch(s, dirIno(s, b), { contents: true }) : resize(s, b.d, 1)) },
    { run: (s) => resize(s, a.d, -1) },
    { run: (s) => (sourceIsDir(s) && a.d !== b.d ? links(s, a, -1) : 0) },
    { run: (s) => (sourceIsDir(s) && a.d !== b.d ? links(s, b, 1) : 0) },
  ];
  const shift = (s) => (a.d === b.d ? 0 : Number(targetIsDir(s)) - Number(sourceIsDir(s)));
  const exchanging = [
    { run: (s) => links(s, a, shift(s)) },
    { run: (s) => links(s, b, -shift(s)) },
    { run: (s) => touch(s, dirIno(s, a), { contents: true }) },
    { run: (s) => touch(s, dirIno(s, b), { contents: true }) },
    { run: (s) => touch(s, s.dentries.get(t(s)).ino) },
  ];
  const readonly = yield (s) => wantWrite(s, a.mnt);
  if (readonly) return readonly;
  const upper = (s) => (a.d === b.d ? undefined : `rename ${inodeOf(s, a.d).fs}`);
  return yield* change(me, [
    {
      locks: (s) => [upper(s), mutexOf(s, a.d), mutexOf(s, b.d)],
      run: (s) => refuseRename(s, me, a, b, flags),
    },
    { locks: (s) => [mutexOf(s, t(s))], run: begin },
    ...(exchange ? exchanging : replacing),
    { run: (s) => touch(s, s.dentries.get(d(s)).ino) },
    { run: (s) => moveName(s, a, d(s), b, t(s), exchange) },
  ]);
}

export const NAME_CALLS = {
  sysStat,
  sysAccess,
  sysReadlink,
  sysRealpath,
  sysGetcwd,
  sysChdir,
  sysChroot,
  sysUmask,
  sysMkdir,
  sysMknod,
  sysSymlink,
  sysLink,
  sysUnlink,
  sysRename,
};
