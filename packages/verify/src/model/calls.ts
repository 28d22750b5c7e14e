/**
 * The system calls of the model that change names, under the names of the core's exports: generators of steps (steps.ts). The
 * other calls are in calls-lookup.ts, calls-files.ts, calls-attributes.ts and calls-mounts.ts. Each takes `me`, the operation, and
 * its arguments by name; it returns a number, an object, or the name of an error.
 *
 * The checks stand in Linux's order. A change of several words that readers can see one by one (a count, a name) has several
 * phases, as in Linux. The locks keep other changes out meanwhile; readers see each phase.
 */
import {
  CAP_FOWNER,
  CAP_FSETID,
  CAP_MKNOD,
  MAY_EXEC,
  MAY_WRITE,
  NAME_MAX,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISGID,
  S_ISVTX,
} from "../../../threadfs/dist/abi/abi.js";
import { DIRENT_SIZE } from "../../../threadfs/dist/generated/core-layout.js";
import { defined } from "../support/defined.js";
import { inherited } from "./acl.js";
import { type CallArguments, isError, type Lookup } from "./call.js";
import { detachNext, moreOn, mountpointLock, refuseMountpoints } from "./linux/mountpoints.js";
import { mayBeFreed, refuseInode } from "./linux/quota.js";
import { capable, inGroup, permission, wantWrite } from "./permission.js";
import {
  addName,
  type Context,
  child,
  dropName,
  get,
  hasName,
  type Inode,
  inodeOf,
  isBelow,
  isDir,
  newInode,
  type Path,
  patch,
  type State,
} from "./state.js";
import { change, type Done, type Me, mutexOf, type Phase, type Steps, step } from "./steps.js";
import { type Parent, type Place, walk } from "./walk.js";

type A = CallArguments;

export const callerOf = (s: State, me: Me): Context => get(s.contexts, me.ctx);
export const inode = (s: State, ino: number): Inode => get(s.inodes, ino);
export const isPlainName = (name: string | undefined): name is string =>
  name !== undefined && name !== "." && name !== "..";
export const ownerOr = (s: State, me: Me, i: Inode, cap: number): boolean =>
  callerOf(s, me).uid === i.uid || capable(callerOf(s, me), cap);
export const isDriver = (s: State, i: Inode): boolean => get(s.filesystems, i.fs).driver !== 0;

/** The error of a path that no walk takes; undefined: there is none. */
export function badPath(path: string, emptyAllowed = false): string | undefined {
  if (path === "") return emptyAllowed ? undefined : "ENOENT";
  if (path.length > 4095) return "ENAMETOOLONG";
  return path.includes("\0") ? "EINVAL" : undefined;
}

/** One walk to the end of a call's path. `empty`: the empty path stands for the descriptor. */
export function* lookup(
  me: Me,
  { dirfd, path, empty = false, nofollow = false }: Lookup,
  want: { directory?: boolean; slot?: number } = {},
): Steps<Place | string> {
  const bad = badPath(path, empty);
  if (bad) return bad;
  return yield* walk(me, dirfd, path, { follow: !nofollow, ...want });
}

/** Sets fields of an inode, and its ctime; with `contents` its mtime too. */
export function touch(
  s: State,
  ino: number,
  { contents = false, ...fields }: Partial<Inode> & { contents?: boolean } = {},
): 0 {
  const times = contents ? { mtime: s.now, ctime: s.now } : { ctime: s.now };
  patch(s.inodes, ino, { ...times, ...fields });
  return 0;
}

export const addLinks = (s: State, ino: number, n: number): 0 => touch(s, ino, { nlink: inode(s, ino).nlink + n });

/** Changes the size of a directory by `n` entries. */
function resize(s: State, d: number, n: number): 0 {
  const { ino } = get(s.dentries, d);
  return touch(s, ino, { contents: true, size: inode(s, ino).size + n * DIRENT_SIZE });
}

// ------------------------------------------------------------------------------------------------- making

/** inode_init_owner() */
export function makeInode(s: State, me: Me, parent: number, mode: number, more: Partial<Inode>): number {
  const dir = inodeOf(s, parent);
  const c = callerOf(s, me);
  let m = mode;
  let gid = c.gid;
  if (dir.mode & S_ISGID) {
    gid = dir.gid;
    if ((m & S_IFMT) === S_IFDIR) m |= S_ISGID;
  }
  if (isDriver(s, dir)) return newInode(s, dir.fs, mode, 0, 0, { ...more, size: 0 });
  const { defaultAcl } = dir;
  if (defaultAcl === undefined || (m & S_IFMT) === S_IFLNK) return newInode(s, dir.fs, m, c.uid, gid, more);
  const { mode: got, ...acl } = inherited(defaultAcl, m);
  return newInode(s, dir.fs, got, c.uid, gid, { ...more, ...acl, ...((m & S_IFMT) === S_IFDIR && { defaultAcl }) });
}

const isDead = (s: State, d: number): boolean => inodeOf(s, d).dead === true;

export function mayCreate(s: State, me: Me, parent: number): 0 | string {
  return isDead(s, parent) ? "ENOENT" : permission(s, me, inodeOf(s, parent), MAY_WRITE | MAY_EXEC);
}

/** A last component is looked up only when its directory is locked. */
export const isTooLong = (name: string): boolean => name.length > NAME_MAX;

/** The error of making a name in a directory, but for permission; 0: there is none. `directory`: a slash may follow the name. */
function refuseName(s: State, at: NewName, directory: boolean): 0 | string {
  if (isDead(s, at.d)) return "ENOENT";
  if (isTooLong(at.last)) return "ENAMETOOLONG";
  if (hasName(s, at.d, at.last)) return "EEXIST";
  if (at.slash && !directory) return "ENOENT";
  return wantWrite(s, at.mnt);
}

/** The place of a name that is to be made. */
export type NewName = Parent & { last: string };

export function newName(s: State, at: NewName, ino: number): number {
  const dir = inodeOf(s, at.d);
  const { names, remade } = get(s.filesystems, dir.fs);
  if (names !== undefined) {
    const { ino: parent } = get(s.dentries, at.d);
    const changes = remade?.by === at.last;
    const more = changes && !remade.told ? remade.entries : {};
    patch(s.filesystems, dir.fs, {
      names: { ...names, [parent]: { ...names[parent], [at.last]: ino, ...more } },
      ...(changes && remade.told && { changed: true }),
    });
  }
  return addName(s, at.d, at.last, ino);
}

/** The phases that follow the one that makes a name: size and links of the directory. */
export function accounts(at: Path, directory: boolean): Phase<never>[] {
  const grow: Phase<never> = { run: (s) => (isDriver(s, inodeOf(s, at.d)) ? 0 : resize(s, at.d, 1)) };
  const link: Phase<never> = {
    run: (s) => (isDriver(s, inodeOf(s, at.d)) ? 0 : addLinks(s, get(s.dentries, at.d).ino, 1)),
  };
  return directory ? [grow, link] : [grow];
}

function* create(
  me: Me,
  { dirfd, path, slot }: Lookup & { slot?: number },
  asked: number,
  more: Partial<Inode> = {},
): Steps<number | string> {
  const bad = badPath(path);
  if (bad) return bad;
  const at = yield* walk(me, dirfd, path, { parent: true, slot: slot ?? 0 });
  if (isError(at)) return at;
  const { last } = at;
  if (!isPlainName(last)) return "EEXIST";
  const type = asked & S_IFMT;
  const directory = type === S_IFDIR;
  const prepared = yield* prepareMode(me, at, asked & 0o7777);
  const freed = yield* mayBeFreed((s) => inodeOf(s, at.d).fs);
  const make = (s: State): 0 | string => {
    const refused =
      refuseName(s, { ...at, last }, directory) ||
      mayCreate(s, me, at.d) ||
      refuseDevice(s, me, at.d, type, more.rdev ?? 0) ||
      refuseInode(s, me, inodeOf(s, at.d).fs, freed, more.body);
    if (refused) return refused;
    const mode = type === S_IFLNK ? asked : type | maskedMode(s, at, prepared);
    newName(s, { ...at, last }, makeInode(s, me, at.d, mode, { nlink: directory ? 2 : 1, ...more }));
    return 0;
  };
  return yield* change(me, [{ locks: (s) => [mutexOf(s, at.d)], run: make }, ...accounts(at, directory)]);
}

/** The mode that a file is made with, and the umask that its directory may not want. */
interface PreparedMode {
  asked: number;
  umask: number;
}

/** vfs_prepare_mode(): the mode asked for decides whether set-group-id stays; the umask is read when the walk has ended. */
export function* prepareMode(me: Me, at: Path, asked: number): Steps<PreparedMode> {
  return yield* step((s) => {
    const dir = inodeOf(s, at.d);
    const c = callerOf(s, me);
    const strip = (asked & 0o2010) === 0o2010 && (dir.mode & S_ISGID) !== 0;
    const mode = strip && !inGroup(c, dir.gid) && !capable(c, CAP_FSETID) ? asked & ~S_ISGID : asked;
    return { asked: mode, umask: c.umask };
  });
}

/** A mode without the bits of the umask, where the directory has no default ACL. */
export const maskedMode = (s: State, at: Path, { asked, umask }: PreparedMode): number =>
  inodeOf(s, at.d).defaultAcl === undefined ? asked & ~umask : asked;

function* sysMkdir(me: Me, { mode, ...args }: A["sysMkdir"]): Steps<number | string> {
  return yield* create(me, args, S_IFDIR | (mode & 0o1777));
}

function* sysMknod(me: Me, { mode, dev = 0, ...args }: A["sysMknod"]): Steps<number | string> {
  const type = mode & S_IFMT || S_IFREG;
  if (type === S_IFDIR) return "EPERM";
  const device = type === S_IFCHR || type === S_IFBLK;
  if (!device && ![S_IFREG, S_IFIFO, S_IFSOCK].includes(type)) return "EINVAL";
  return yield* create(me, args, type | (mode & 0o7777), device ? { rdev: dev } : {});
}

/** Whether the caller may make that device there. A whiteout is the character device 0. */
function refuseDevice(s: State, me: Me, dir: number, type: number, rdev: number): string | undefined {
  if (type !== S_IFCHR && type !== S_IFBLK) return undefined;
  const whiteout = type === S_IFCHR && rdev === 0;
  return (!whiteout && !capable(callerOf(s, me), CAP_MKNOD)) || isDriver(s, inodeOf(s, dir)) ? "EPERM" : undefined;
}

function* sysSymlink(me: Me, { target, dirfd2, path2 }: A["sysSymlink"]): Steps<number | string> {
  const badTarget = badPath(target);
  if (badTarget) return badTarget;
  const more = { body: target, size: target.length };
  return yield* create(me, { dirfd: dirfd2, path: path2, slot: 1 }, S_IFLNK | 0o777, more);
}

function* sysLink(me: Me, { dirfd2, path2, follow = false, ...args }: A["sysLink"]): Steps<number | string> {
  const bad = badPath(args.path, args.empty);
  if (bad) return bad;
  const from = yield* lookup(me, { ...args, nofollow: !follow });
  if (isError(from)) return from;
  const bad2 = badPath(path2);
  if (bad2) return bad2;
  const at = yield* walk(me, dirfd2, path2, { parent: true, slot: 1 });
  if (isError(at)) return at;
  const { last } = at;
  if (!isPlainName(last)) return "EEXIST";
  const check = (s: State): 0 | string => {
    const refused = refuseName(s, { ...at, last }, false);
    if (refused) return refused;
    if (from.mnt !== at.mnt) return "EXDEV";
    const denied = mayCreate(s, me, at.d);
    if (denied) return denied;
    const i = inodeOf(s, from.d);
    return isDir(i) || isDriver(s, i) ? "EPERM" : 0;
  };
  const inoOf = (s: State) => get(s.dentries, from.d).ino;
  const freed = yield* mayBeFreed((s) => inodeOf(s, from.d).fs);
  const count = (s: State) => {
    const { fs, nlink, linkable = false } = inode(s, inoOf(s));
    if (nlink === 0 && !linkable) return "ENOENT";
    // The first name counts with the file.
    const refused = nlink === 0 ? 0 : refuseInode(s, me, fs, freed);
    if (refused) return refused;
    return touch(s, inoOf(s), { nlink: nlink + 1, ...(linkable && { linkable: false }) });
  };
  return yield* change(me, [
    { locks: (s) => [mutexOf(s, at.d)], run: check },
    { locks: (s) => [mutexOf(s, from.d)], run: count },
    { run: (s) => void newName(s, { ...at, last }, inoOf(s)) },
    ...accounts(at, false),
  ]);
}

// ------------------------------------------------------------------------------------------------- removing

/** may_delete() */
function mayDelete(s: State, me: Me, parent: number, d: number, asDir: boolean): 0 | string {
  const dir = inodeOf(s, parent);
  const i = inodeOf(s, d);
  const denied = permission(s, me, dir, MAY_WRITE | MAY_EXEC);
  if (denied) return denied;
  const c = callerOf(s, me);
  if (dir.mode & S_ISVTX && c.uid !== i.uid && c.uid !== dir.uid && !capable(c, CAP_FOWNER)) return "EPERM";
  if (asDir && !isDir(i)) return "ENOTDIR";
  if (!asDir && isDir(i)) return "EISDIR";
  return dir.dead ? "ENOENT" : 0;
}

/** Marks a directory dead, or takes a link from a file, before its name is removed. */
function loseName(s: State, d: number): void {
  const { ino } = get(s.dentries, d);
  if (isDir(inode(s, ino))) touch(s, ino, { dead: true, nlink: 0 });
  else addLinks(s, ino, -1);
}

const isEmpty = (s: State, d: number): boolean => Object.keys(get(s.dentries, d).kids).length === 0;

/** unlink(2), rmdir(2) */
function* remove(me: Me, { dirfd, path }: Lookup, asDir: boolean): Steps<number | string> {
  const bad = badPath(path);
  if (bad) return bad;
  const at = yield* walk(me, dirfd, path, { parent: true });
  if (isError(at)) return at;
  const { last } = at;
  if (!isPlainName(last)) {
    if (!asDir) return "EISDIR";
    return last === ".." ? "ENOTEMPTY" : last === "." ? "EINVAL" : "EBUSY";
  }
  const victim = (s: State) => child(s, at.d, last);
  /** The victim in the phases that follow the check, whose locks keep it there. */
  const locked = (s: State) => defined(victim(s), "name to remove");
  const readonly = yield* step((s) => wantWrite(s, at.mnt));
  if (readonly) return readonly;
  const check = (s: State): 0 | string => {
    if (isTooLong(last)) return isDead(s, at.d) ? "ENOENT" : "ENAMETOOLONG";
    const d = victim(s);
    if (d === undefined) return "ENOENT";
    if (!asDir && at.slash) return isDir(inodeOf(s, d)) ? "EISDIR" : "ENOTDIR";
    return mayDelete(s, me, at.d, d, asDir);
  };
  const driver = (s: State) => isDriver(s, inodeOf(s, at.d));
  const begin = (s: State): 0 | string => {
    const d = locked(s);
    const refused = refuseMountpoints(s, me, [d]);
    if (refused) return refused;
    if (asDir && !isEmpty(s, d)) return "ENOTEMPTY";
    if (!driver(s)) loseName(s, d);
    return 0;
  };
  const upper = (s: State) => (driver(s) || !asDir ? 0 : addLinks(s, get(s.dentries, at.d).ino, -1));
  return yield* change(me, [
    { locks: (s) => [mutexOf(s, at.d)], run: check },
    { locks: (s) => [mutexOf(s, victim(s)), mountpointLock(s, [victim(s)])], run: begin },
    ...(asDir ? [{ run: upper }] : []),
    { run: (s) => (driver(s) ? 0 : resize(s, at.d, -1)) },
    {
      run: (s, again) => {
        if (again !== undefined) return detachNext(s, again);
        const d = locked(s);
        dropName(s, d);
        return moreOn(s, d);
      },
    },
  ]);
}

const sysUnlink = (me: Me, { removedir = false, ...args }: A["sysUnlink"]) => remove(me, args, removedir);

// ------------------------------------------------------------------------------------------------- rename

function mayRename(
  s: State,
  me: Me,
  from: number,
  d: number,
  to: number,
  t: number | undefined,
  exchange: boolean,
): 0 | string {
  const directory = isDir(inodeOf(s, d));
  const denied = mayDelete(s, me, from, d, directory);
  if (denied) return denied;
  const other = t !== undefined && isDir(inodeOf(s, t));
  const refused = t === undefined ? mayCreate(s, me, to) : mayDelete(s, me, to, t, exchange ? other : directory);
  if (refused || from === to) return refused;
  // A directory that moves gets another "..", which is a write to it.
  const held = directory ? permission(s, me, inodeOf(s, d), MAY_WRITE) : 0;
  return held || !exchange || t === undefined || !other ? held : permission(s, me, inodeOf(s, t), MAY_WRITE);
}

/** The error of a rename, under the locks of the directories; 0: there is none; `done`: it has nothing to do. */
function refuseRename(s: State, me: Me, a: NewName, b: NewName, flags: number): 0 | string | Done<0> {
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  if (isTooLong(a.last)) return isDead(s, a.d) ? "ENOENT" : "ENAMETOOLONG";
  const d = child(s, a.d, a.last);
  if (d === undefined) return "ENOENT";
  if (isDead(s, b.d)) return "ENOENT";
  if (isTooLong(b.last)) return "ENAMETOOLONG";
  const t = child(s, b.d, b.last);
  if (flags & RENAME_NOREPLACE && t !== undefined) return "EEXIST";
  if (exchange && t === undefined) return "ENOENT";
  const source = inodeOf(s, d);
  if (exchange && t !== undefined && !isDir(inodeOf(s, t)) && b.slash) return "ENOTDIR";
  if (!isDir(source) && (a.slash || (!exchange && b.slash))) return "ENOTDIR";
  // Neither directory may come to lie in itself.
  if (a.d !== b.d && isBelow(s, b.d, d)) return "EINVAL";
  if (a.d !== b.d && t !== undefined && isBelow(s, a.d, t)) return exchange ? "EINVAL" : "ENOTEMPTY";
  if (isDriver(s, source)) return "EPERM";
  if (t !== undefined && get(s.dentries, d).ino === get(s.dentries, t).ino) return { done: true, result: 0 };
  return mayRename(s, me, a.d, d, b.d, t, exchange);
}

function moveName(s: State, a: NewName, d: number, b: NewName, t: number | undefined, exchange: boolean): void {
  const source = get(s.dentries, d);
  const target = t === undefined ? undefined : get(s.dentries, t);
  if (a.d === b.d) {
    // Inside one directory a name keeps its place.
    const { [a.last]: _d, [b.last]: _t, ...kids } = get(s.dentries, a.d).kids;
    patch(s.dentries, a.d, {
      kids: { ...kids, [b.last]: d, ...(exchange && t !== undefined ? { [a.last]: t } : {}) },
    });
    patch(s.dentries, d, { name: b.last });
    if (t !== undefined) patch(s.dentries, t, exchange ? { name: a.last } : { hashed: false });
    return;
  }
  dropName(s, d);
  if (t !== undefined) dropName(s, t);
  addName(s, b.d, b.last, source.ino, d);
  if (exchange && target) addName(s, a.d, a.last, target.ino, t);
}

function* sysRename(me: Me, { dirfd, path, dirfd2, path2, flags = 0 }: A["sysRename"]): Steps<number | string> {
  if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags === (RENAME_NOREPLACE | RENAME_EXCHANGE)) return "EINVAL";
  const bad = badPath(path);
  if (bad) return bad;
  const from = yield* walk(me, dirfd, path, { parent: true });
  if (isError(from)) return from;
  const bad2 = badPath(path2);
  if (bad2) return bad2;
  const to = yield* walk(me, dirfd2, path2, { parent: true, slot: 1 });
  if (isError(to)) return to;
  if (from.mnt !== to.mnt) return "EXDEV";
  if (!isPlainName(from.last)) return "EBUSY";
  if (!isPlainName(to.last)) return flags & RENAME_NOREPLACE ? "EEXIST" : "EBUSY";
  const a = { ...from, last: from.last };
  const b = { ...to, last: to.last };
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  // The locks of the first phase keep the source there, and the target if there is one.
  const d = (s: State) => defined(child(s, a.d, a.last), "source of a rename");
  const t = (s: State) => child(s, b.d, b.last);
  const dirIno = (s: State, at: Path) => get(s.dentries, at.d).ino;
  const begin = (s: State): 0 | string => {
    const target = t(s);
    const refused = refuseMountpoints(s, me, [d(s), target]);
    if (refused) return refused;
    if (exchange || target === undefined) return 0;
    if (isDir(inodeOf(s, target)) && !isEmpty(s, target)) return "ENOTEMPTY";
    loseName(s, target);
    return 0;
  };
  const sourceIsDir = (s: State) => isDir(inodeOf(s, d(s)));
  const targetIsDir = (s: State) => {
    const target = t(s);
    return target !== undefined && isDir(inodeOf(s, target));
  };
  const links = (s: State, at: Path, n: number) => (n === 0 ? 0 : addLinks(s, dirIno(s, at), n));
  const replacing: Phase<never>[] = [
    { run: (s) => (targetIsDir(s) ? links(s, b, -1) : 0) },
    { run: (s) => (t(s) !== undefined ? touch(s, dirIno(s, b), { contents: true }) : resize(s, b.d, 1)) },
    { run: (s) => resize(s, a.d, -1) },
    { run: (s) => (sourceIsDir(s) && a.d !== b.d ? links(s, a, -1) : 0) },
    { run: (s) => (sourceIsDir(s) && a.d !== b.d ? links(s, b, 1) : 0) },
  ];
  const shift = (s: State) => (a.d === b.d ? 0 : Number(targetIsDir(s)) - Number(sourceIsDir(s)));
  const exchanging: Phase<never>[] = [
    { run: (s) => links(s, a, shift(s)) },
    { run: (s) => links(s, b, -shift(s)) },
    { run: (s) => touch(s, dirIno(s, a), { contents: true }) },
    { run: (s) => touch(s, dirIno(s, b), { contents: true }) },
    { run: (s) => touch(s, get(s.dentries, defined(t(s), "target of an exchange")).ino) },
  ];
  const readonly = yield* step((s) => wantWrite(s, a.mnt));
  if (readonly) return readonly;
  const upper = (s: State) => (a.d === b.d ? undefined : `rename ${inodeOf(s, a.d).fs}`);
  return yield* change(me, [
    {
      locks: (s) => [upper(s), mutexOf(s, a.d), mutexOf(s, b.d)],
      run: (s) => refuseRename(s, me, a, b, flags),
    },
    { locks: (s) => [mutexOf(s, t(s)), mountpointLock(s, [d(s), t(s)])], run: begin },
    ...(exchange ? exchanging : replacing),
    { run: (s) => touch(s, get(s.dentries, d(s)).ino) },
    {
      run: (s, again) => {
        if (again !== undefined) return detachNext(s, again);
        const target = t(s);
        moveName(s, a, d(s), b, target, exchange);
        return exchange || target === undefined ? 0 : moreOn(s, target);
      },
    },
  ]);
}

export const NAME_CALLS = {
  sysMkdir,
  sysMknod,
  sysSymlink,
  sysLink,
  sysUnlink,
  sysRename,
};
