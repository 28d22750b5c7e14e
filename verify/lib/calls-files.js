/**
 * The system calls of the model that work on what a name leads to: open files and their contents, attributes, mounts.
 * Generators of steps, as in calls.js.
 */
import { MNT_DETACH, UTIME_NOW, UTIME_OMIT } from "../../dist/abi.js";
import { chmodAcl, isValid, withAcl } from "./acl.js";
import {
  accounts,
  attributes,
  badPath,
  CAP_CHOWN,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_SYS_ADMIN,
  inode,
  isDriver,
  lookup,
  makeInode,
  masked,
  mayCreate,
  newName,
  ownerOr,
  touch,
  who,
} from "./calls.js";
import {
  addName,
  BLOCKED,
  capable,
  change,
  child,
  FIRST_FD,
  hold,
  inGroup,
  inodeOf,
  isDir,
  isError,
  isLink,
  MAY_READ,
  MAY_WRITE,
  mountedOn,
  mutexOf,
  newFilesystem,
  newInode,
  newMount,
  patch,
  permission,
  placeOf,
  reservedBy,
  typeOf,
  walk,
  wantWrite,
} from "./model.js";
import {
  O_ACCMODE,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_TRUNC,
  O_WRONLY,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  S_ISGID,
  S_ISUID,
} from "./numbers.js";

const MAX_FILE_SIZE = 2 ** 42;
const IO_SIZE = 65536;
const DT_SHIFT = 12;

// ------------------------------------------------------------------------------------------------- open and close

function setFd(s, me, fd, value) {
  const { [fd]: _old, ...fds } = who(s, me).fds;
  if (value !== undefined) fds[fd] = value;
  patch(s.contexts, me.ctx, { fds });
}

/** open(2): a descriptor first, then the walk. */
function* sysOpen(me, { dirfd, path, flags, mode = 0 }) {
  const bad = badPath(path);
  if (bad) return bad;
  const wanted = yield* masked(me, mode, 0o7777);
  if ((flags & (O_CREAT | O_DIRECTORY)) === (O_CREAT | O_DIRECTORY)) return "EINVAL";
  const fd = yield (s) => {
    let n = FIRST_FD;
    while (who(s, me).fds[n] !== undefined) n++;
    setFd(s, me, n, reservedBy(me.id));
    return n;
  };
  const file = yield* openAt(me, dirfd, path, flags, wanted);
  yield (s) => {
    setFd(s, me, fd, isError(file) ? undefined : ++s.last);
    if (!isError(file)) s.files.set(s.last, { ...file, flags, pos: 0, limit: 0 });
    return 0;
  };
  return isError(file) ? file : fd;
}

function* openAt(me, dirfd, path, flags, mode) {
  const follow = !(flags & O_NOFOLLOW);
  const want = { follow, directory: (flags & O_DIRECTORY) !== 0 };
  const at = flags & O_CREAT ? yield* openCreate(me, dirfd, path, flags, mode) : yield* walk(me, dirfd, path, want);
  if (isError(at)) return at;
  const refused = yield (s) => mayOpen(s, me, at, flags);
  if (refused) return refused;
  if (flags & O_TRUNC && !at.created) {
    const cut = yield* truncate(me, (s) => s.dentries.get(at.d).ino, 0);
    if (isError(cut)) return cut;
  }
  return { mnt: at.mnt, d: at.d };
}

/** do_last() for O_CREAT: links at the end lead on to another last component. */
function* openCreate(me, dirfd, path, flags, mode) {
  let from;
  for (let text = path; ; ) {
    const at = yield* walk(me, dirfd, text, { parent: true, from });
    if (isError(at)) return at;
    const { last } = at;
    if (last === undefined || last === ".") return { ...at, created: false };
    if (last === "..") return yield* walk(me, dirfd, "..", { from: at.nd });
    if (at.slash) return "EISDIR";
    let created = false;
    const make = (s) => {
      created = false;
      const d = child(s, at.d, last);
      if (d !== undefined) return { done: true, answer: { d } };
      if (inodeOf(s, at.d).dead) return "ENOENT";
      const refused = wantWrite(s, at.mnt) || mayCreate(s, me, at.d);
      if (refused) return refused;
      return { made: newName(s, at, makeInode(s, me, at.d, S_IFREG | mode, {})) };
    };
    const r = yield* change(me, [{ locks: (s) => [mutexOf(s, at.d)], run: make }, ...accounts(at, false)]);
    if (isError(r)) return r;
    created = r.made !== undefined;
    const on = yield* crossAt(me, { mnt: at.mnt, d: r.made ?? r.d });
    if (on.body === undefined || flags & (O_NOFOLLOW | O_EXCL)) return { ...on, created };
    if (at.nd.links === 40) return "ELOOP";
    from = { ...at.nd, links: at.nd.links + 1 };
    text = on.body;
  }
}

function* crossAt(me, to) {
  return yield (s) => {
    let { mnt, d } = to;
    for (;;) {
      const above = mountedOn(s, mnt, d);
      if (above === undefined) break;
      mnt = above;
      d = s.mounts.get(above).root;
    }
    hold(s, me, 0, mnt);
    return placeOf(s, mnt, d);
  };
}

/** may_open() */
function mayOpen(s, me, at, flags) {
  const i = inodeOf(s, at.d);
  const type = typeOf(i);
  if (flags & O_CREAT) {
    if (flags & O_EXCL && !at.created) return "EEXIST";
    if (type === S_IFDIR) return "EISDIR";
  }
  if (isLink(i)) return "ELOOP";
  if (flags & O_DIRECTORY && type !== S_IFDIR) return "ENOTDIR";
  const access = flags & O_ACCMODE;
  let mask = access === 0 ? MAY_READ : access === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
  if (flags & O_TRUNC) mask |= MAY_WRITE;
  if (type === S_IFDIR && mask & MAY_WRITE) return "EISDIR";
  if (mask & MAY_WRITE && type === S_IFREG) {
    const readonly = wantWrite(s, at.mnt);
    if (readonly) return readonly;
  }
  const denied = at.created ? 0 : permission(s, me, i, mask);
  if (denied) return denied;
  return type === S_IFREG || type === S_IFDIR ? 0 : "ENXIO";
}

function* sysClose(me, { fd }) {
  return yield (s) => {
    const id = who(s, me).fds[fd];
    const file = s.files.get(id);
    if (file === undefined) return "EBADF";
    setFd(s, me, fd, undefined);
    hold(s, me, 0, file.mnt);
    // Nobody else can have it, and whoever is in the middle of a call on it has its record.
    patch(s.files, id, { closed: true });
    return 0;
  };
}

/** fget(): the number of the file of a descriptor; an operation on it has a reference. */
function* fget(me, fd) {
  return yield (s) => {
    const id = who(s, me).fds[fd];
    const file = s.files.get(id);
    if (file === undefined) return "EBADF";
    hold(s, me, 0, file.mnt);
    return { id, ino: s.dentries.get(file.d).ino, d: file.d, mnt: file.mnt, flags: file.flags };
  };
}

const mutex = (ino) => `inode ${ino}`;
const mayRead = ({ flags }) => (flags & O_ACCMODE) !== O_WRONLY;
const mayWrite = ({ flags }) => (flags & O_ACCMODE) !== 0;

// ------------------------------------------------------------------------------------------------- contents

function* sysRead(me, { fd, offset = -1, n }) {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  if (!mayRead(f)) return "EBADF";
  const run = (s) => {
    const i = inode(s, f.ino);
    if (isDir(i)) return "EISDIR";
    if (isDriver(s, i)) return "EOPNOTSUPP";
    const at = offset >= 0 ? offset : s.files.get(f.id).pos;
    const data = i.data.slice(at, at + Math.min(n, IO_SIZE));
    // relatime: only a time of access that lies before the last change follows.
    if (data !== "" && !(i.atime > i.mtime && i.atime > i.ctime)) patch(s.inodes, f.ino, { atime: s.now });
    if (offset < 0) patch(s.files, f.id, { pos: at + data.length });
    return { data };
  };
  return yield* change(me, [{ locks: () => [mutex(f.ino)], run }]);
}

/** What a change of the contents by somebody without CAP_FSETID leaves of the mode. */
function withoutSuid(s, me, i) {
  if (!(i.mode & (S_ISUID | S_ISGID)) || capable(who(s, me), CAP_FSETID)) return i.mode;
  return i.mode & ~(i.mode & S_ISUID) & ~(dropsSgid(s, me, i) ? S_ISGID : 0);
}

/** setattr_should_drop_sgid() */
function dropsSgid(s, me, i) {
  if (!(i.mode & S_ISGID)) return false;
  return (i.mode & 0o010) !== 0 || (!inGroup(who(s, me), i.gid) && !capable(who(s, me), CAP_FSETID));
}

const strip = (s, me, ino) => void patch(s.inodes, ino, { mode: withoutSuid(s, me, inode(s, ino)) });

function* sysWrite(me, { fd, offset = -1, data }) {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  if (!mayWrite(f)) return "EBADF";
  const n = data.length;
  const run = (s) => {
    const i = inode(s, f.ino);
    const file = s.files.get(f.id);
    const at = f.flags & O_APPEND ? i.size : offset >= 0 ? offset : file.pos;
    if (isDriver(s, i)) return "EOPNOTSUPP";
    if (n === 0) return 0;
    if (at > MAX_FILE_SIZE - n) return "EFBIG";
    const text = i.data.padEnd(at, "\0").slice(0, at) + data + i.data.slice(at + n);
    touch(s, f.ino, { contents: true, data: text, size: text.length });
    if (offset < 0) patch(s.files, f.id, { pos: at + n });
    return n;
  };
  return yield* change(me, [{ locks: () => [mutex(f.ino)], run }, { run: (s) => (n === 0 ? 0 : strip(s, me, f.ino)) }]);
}

function* sysLseek(me, { fd, offset, whence }) {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  return yield (s) => {
    const base = whence === 1 ? s.files.get(f.id).pos : whence === 2 ? inode(s, f.ino).size : 0;
    const to = base + offset;
    if (whence < 0 || whence > 2 || !(to >= 0) || to > MAX_FILE_SIZE) return "EINVAL";
    patch(s.files, f.id, { pos: to });
    return to;
  };
}

/** do_truncate(); `inoOf(s)` is the file. */
function* truncate(me, inoOf, size) {
  const run = (s) => {
    const ino = inoOf(s);
    const i = inode(s, ino);
    if (typeOf(i) !== S_IFREG) return { done: true, answer: 0 };
    if (isDriver(s, i)) return "EOPNOTSUPP";
    touch(s, ino, { contents: true, data: i.data.slice(0, size).padEnd(size, "\0"), size });
    return 0;
  };
  return yield* change(me, [{ locks: (s) => [mutex(inoOf(s))], run }, { run: (s) => strip(s, me, inoOf(s)) }]);
}

function* sysTruncate(me, { size, ...args }) {
  const at = yield* lookup(me, args);
  if (isError(at)) return at;
  const refused = yield (s) => {
    const i = inodeOf(s, at.d);
    if (isDir(i)) return "EISDIR";
    if (typeOf(i) !== S_IFREG || !(size >= 0)) return "EINVAL";
    return wantWrite(s, at.mnt) || permission(s, me, i, MAY_WRITE);
  };
  if (refused) return refused;
  if (size > MAX_FILE_SIZE) return "EFBIG";
  return yield* truncate(me, (s) => s.dentries.get(at.d).ino, size);
}

function* sysFtruncate(me, { fd, size }) {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  const regular = yield (s) => typeOf(inode(s, f.ino)) === S_IFREG;
  if (!mayWrite(f) || !regular || !(size >= 0)) return "EINVAL";
  if (size > MAX_FILE_SIZE) return "EFBIG";
  return yield* truncate(me, () => f.ino, size);
}

/**
 * getdents(2), one call. Linux promises of a directory that changes no more than that an entry which is there all the time is
 * shown once. The in-memory file system fills one call's entries under the directory's lock, so here they are those of
 * one moment; a later call of the same reading goes on behind the last, and shows nothing newer than the first.
 */
function* sysGetdents(me, { fd }) {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  const run = (s) => {
    const i = inode(s, f.ino);
    if (!isDir(i)) return "ENOTDIR";
    if (i.dead) return "ENOENT";
    const { kids, next } = s.dentries.get(f.d);
    const { pos, limit } = s.files.get(f.id);
    const end = pos === 0 ? next : limit;
    const shown = Object.values(kids)
      .map((d) => ({ d, ...s.dentries.get(d) }))
      .filter(({ cookie }) => cookie > pos && cookie <= end);
    const last = Math.max(pos, ...shown.map(({ cookie }) => cookie));
    patch(s.files, f.id, { pos: last, limit: end });
    const entries = shown.map(({ name, ino }) => ({ name, type: typeOf(inode(s, ino)) >> DT_SHIFT, ino }));
    return { entries: entries.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  };
  return yield* change(me, [{ locks: () => [mutex(f.ino)], run }]);
}

function* sysFsync(me, { fd }) {
  const f = yield* fget(me, fd);
  return isError(f) ? f : 0;
}

function* sysFstat(me, { fd }) {
  const f = yield* fget(me, fd);
  return isError(f) ? f : yield (s) => attributes(s, f.ino);
}

// ------------------------------------------------------------------------------------------------- attributes

function* setMode(me, mnt, ino, mode) {
  const refused = yield (s) => wantWrite(s, mnt) || (isLink(inode(s, ino)) ? "EOPNOTSUPP" : 0);
  if (refused) return refused;
  const run = (s) => {
    const i = inode(s, ino);
    if (!ownerOr(s, me, i, CAP_FOWNER)) return "EPERM";
    let bits = mode & 0o7777;
    if (bits & S_ISGID && !inGroup(who(s, me), i.gid) && !capable(who(s, me), CAP_FSETID)) bits &= ~S_ISGID;
    if (isDriver(s, i)) return "EOPNOTSUPP";
    touch(s, ino, { mode: (i.mode & S_IFMT) | bits });
    return 0;
  };
  // The bits first, then what the ACL has of them.
  const follow = (s) => {
    const { acl, mode: bits } = inode(s, ino);
    if (acl) patch(s.inodes, ino, { acl: chmodAcl(acl, bits) });
    return 0;
  };
  return yield* change(me, [{ locks: () => [mutex(ino)], run }, { run: follow }]);
}

/** An access ACL of { tag, perm, id }; an empty one removes it. */
function* setAcl(me, mnt, ino, acl) {
  const refused = yield (s) => {
    const i = inode(s, ino);
    const readonly = wantWrite(s, mnt);
    if (readonly) return readonly;
    if (isDriver(s, i) || isLink(i)) return "EOPNOTSUPP";
    if (acl.length > 0 && !isValid(acl)) return "EINVAL";
    return ownerOr(s, me, i, CAP_FOWNER) ? 0 : "EPERM";
  };
  if (refused) return refused;
  const run = (s) => {
    const i = inode(s, ino);
    const keeps = inGroup(who(s, me), i.gid) || capable(who(s, me), CAP_FSETID);
    touch(s, ino, withAcl(i, acl, keeps));
    return 0;
  };
  return yield* change(me, [{ locks: () => [mutex(ino)], run }]);
}

function* getAcl(_me, _mnt, ino) {
  return yield (s) => ({ acl: inode(s, ino).acl ?? [] });
}

function* setOwner(me, mnt, ino, uid, gid) {
  const refused = yield (s) => wantWrite(s, mnt);
  if (refused) return refused;
  const run = (s) => {
    const i = inode(s, ino);
    const c = who(s, me);
    const owner = c.uid === i.uid;
    if (uid !== -1 && !(owner && uid === i.uid) && !capable(c, CAP_CHOWN)) return "EPERM";
    if (gid !== -1 && !(owner && (inGroup(c, gid) || gid === i.gid)) && !capable(c, CAP_CHOWN)) return "EPERM";
    if (isDriver(s, i)) return "EOPNOTSUPP";
    let { mode } = i;
    if (!isDir(i)) {
      mode &= ~S_ISUID;
      if (dropsSgid(s, me, i)) mode &= ~S_ISGID;
      // Taking the bits away is a change of mode, even with no owner to change.
      if (mode !== i.mode && !ownerOr(s, me, i, CAP_FOWNER)) return "EPERM";
    }
    touch(s, ino, { mode, ...(uid === -1 ? {} : { uid }), ...(gid === -1 ? {} : { gid }) });
    return 0;
  };
  return yield* change(me, [{ locks: () => [mutex(ino)], run }]);
}

/** Times are { sec, nsec }; the clock of the model is in milliseconds. */
function* setTimes(me, mnt, ino, atime, mtime) {
  const refused = yield (s) => {
    const readonly = wantWrite(s, mnt);
    if (readonly) return readonly;
    if (atime.nsec === UTIME_OMIT && mtime.nsec === UTIME_OMIT) return { nothing: true };
    const i = inode(s, ino);
    if (ownerOr(s, me, i, CAP_FOWNER)) return 0;
    if (atime.nsec !== UTIME_NOW || mtime.nsec !== UTIME_NOW) return "EPERM";
    return permission(s, me, i, MAY_WRITE) ? "EACCES" : 0;
  };
  if (refused) return refused.nothing ? 0 : refused;
  const run = (s) => {
    if (isDriver(s, inode(s, ino))) return "EOPNOTSUPP";
    const value = ({ sec, nsec }) => (nsec === UTIME_NOW ? s.now : sec * 1000 + nsec / 1e6);
    touch(s, ino, {
      ...(atime.nsec === UTIME_OMIT ? {} : { atime: value(atime) }),
      ...(mtime.nsec === UTIME_OMIT ? {} : { mtime: value(mtime) }),
    });
    return 0;
  };
  return yield* change(me, [{ locks: () => [mutex(ino)], run }]);
}

/** The same change by path and by descriptor. */
function byPath(set, names) {
  return function* byPathCall(me, args) {
    const at = yield* lookup(me, args);
    if (isError(at)) return at;
    const ino = yield (s) => s.dentries.get(at.d).ino;
    return yield* set(me, at.mnt, ino, ...names.map((name) => args[name]));
  };
}

function byFd(set, names) {
  return function* byFdCall(me, args) {
    const f = yield* fget(me, args.fd);
    return isError(f) ? f : yield* set(me, f.mnt, f.ino, ...names.map((name) => args[name]));
  };
}

// ------------------------------------------------------------------------------------------------- mounts

/** Puts a mount (made by `make`, or one that is to move) on top of whatever stands on the place now. */
function* place(me, at, make, rootOf) {
  const fits = yield (s) => isDir(inodeOf(s, rootOf(s))) === at.dir;
  if (!fits) return "ENOTDIR";
  const top = (s) => {
    let { mnt, d } = at;
    for (let on = mountedOn(s, mnt, d); on !== undefined; on = mountedOn(s, mnt, d)) {
      mnt = on;
      d = s.mounts.get(on).root;
    }
    return { mnt, d };
  };
  const run = (s) => {
    const { mnt, d } = top(s);
    return make(s, mnt, d);
  };
  return yield* change(me, [{ locks: (s) => ["namespace", mutexOf(s, top(s).d)], run }]);
}

/** A name that is gone takes no mount. */
const isGone = (s, d) => !s.dentries.get(d).hashed;

function attach(s, id, parent, point) {
  if (isGone(s, point)) return "ENOENT";
  patch(s.mounts, id, { parent, point });
  return 0;
}

const mayMount = (me) => (s) => (capable(who(s, me), CAP_SYS_ADMIN) ? 0 : "EPERM");

/** A new file system: `type` 0 in memory, else the model's driver, whose root is searchable by all. */
function* sysMountNew(me, { path, type = 0, readonly = false, noexec = false }) {
  const bad = badPath(path) ?? (yield mayMount(me));
  if (bad) return bad;
  const at = yield* lookup(me, { path });
  if (isError(at)) return at;
  const m = yield (s) => {
    const fs = newFilesystem(s, { mode: type === 0 ? 0o1777 : 0o755, readonly, driver: type });
    if (type !== 0) fillDriver(s, fs);
    return newMount(s, fs, s.filesystems.get(fs).root, { readonly, noexec });
  };
  return yield* place(
    me,
    at,
    (s, mnt, d) => attach(s, m, mnt, d),
    (s) => s.mounts.get(m).root,
  );
}

/** What the driver of driver.js has in it from the start. */
function fillDriver(s, fs) {
  const add = (parent, name, mode, nlink) => addName(s, parent, name, newInode(s, fs, mode, 0, 0, { nlink }));
  const { root } = s.filesystems.get(fs);
  add(root, "f", S_IFREG | 0o644, 1);
  add(add(root, "s", S_IFDIR | 0o755, 2), "g", S_IFREG | 0o644, 1);
}

/** mount(2) with MS_BIND (`bind`) or MS_MOVE (`move`). */
function* sysMount(me, { path, path2, move = false, bind = false, readonly = false, noexec = false }) {
  const bad = badPath(path) ?? badPath(path2);
  if (bad) return bad;
  if (!move && !bind) return "EINVAL";
  const denied = yield mayMount(me);
  if (denied) return denied;
  const from = yield* lookup(me, { path });
  if (isError(from)) return from;
  const isRoot = yield (s) => s.mounts.get(from.mnt).root === from.d;
  if (move && !isRoot) return "EINVAL";
  const at = yield* lookup(me, { path: path2 }, { slot: 1 });
  if (isError(at)) return at;
  if (move)
    return yield* place(
      me,
      at,
      (s, mnt, d) => moveMount(s, from.mnt, mnt, d),
      () => from.d,
    );
  const m = yield (s) => {
    const old = s.mounts.get(from.mnt);
    return newMount(s, old.fs, from.d, { readonly: readonly || old.readonly, noexec: noexec || old.noexec });
  };
  return yield* place(
    me,
    at,
    (s, mnt, d) => attach(s, m, mnt, d),
    () => from.d,
  );
}

function moveMount(s, m, parent, point) {
  if (s.mounts.get(m).parent === 0) return "EINVAL";
  for (let p = parent; p !== 0; p = s.mounts.get(p).parent) if (p === m) return "EINVAL";
  return attach(s, m, parent, point);
}

/** Whether somebody has a place or an open file in a mount, or something stands on it. */
function isUsed(s, m) {
  for (const { root, cwd, fds } of s.contexts.values()) {
    if (root.mnt === m || cwd.mnt === m) return true;
    if (Object.values(fds).some((id) => s.files.get(id)?.mnt === m)) return true;
  }
  for (const { parent } of s.mounts.values()) if (parent === m) return true;
  return false;
}

/** Whether another operation that is under way has a reference on it. */
function isHeld(s, me, m) {
  for (const [key, mnt] of s.held) if (mnt === m && !key.startsWith(`${me.id} `)) return true;
  return false;
}

/**
 * umount2(2). A walk of another thread may have a reference on the mount at that moment, or none when it is in rcu mode: so
 * EBUSY is one of two right answers where another operation is in the mount. No other error is owed to a race.
 */
function* sysUmount(me, { path, flags = 0 }) {
  const bad = badPath(path);
  if (bad) return bad;
  if (flags & ~MNT_DETACH) return "EINVAL";
  const denied = yield mayMount(me);
  if (denied) return denied;
  const at = yield* lookup(me, { path });
  if (isError(at)) return at;
  const detach = (flags & MNT_DETACH) !== 0;
  const refused = yield (s) => {
    if (s.mounts.get(at.mnt).root !== at.d) return "EINVAL";
    return at.mnt === s.rootMount ? (detach ? "EINVAL" : "EBUSY") : 0;
  };
  if (refused) return refused;
  if (!detach) {
    const busy = yield (s) => ({ choose: isHeld(s, me, at.mnt) ? [true, false] : [false] });
    const off = (s) => {
      const m = s.mounts.get(at.mnt);
      if (m.parent === 0) return "EINVAL";
      if (isUsed(s, at.mnt)) return "EBUSY";
      patch(s.mounts, at.mnt, { parent: 0, point: 0 });
      return 0;
    };
    return busy ? "EBUSY" : yield* change(me, [{ locks: () => ["namespace"], run: off }]);
  }
  return yield* detachTree(me, at.mnt);
}

/** What stands on it first, one mount a step, under the namespace lock. */
function* detachTree(me, mnt) {
  const childOf = (s, m) => [...s.mounts].find(([, { parent }]) => parent === m)?.[0];
  for (let first = true; ; first = false) {
    const check = first;
    const r = yield (s) => {
      if ((s.locks.get("namespace") ?? me.id) !== me.id) return BLOCKED;
      if (check && s.mounts.get(mnt).parent === 0) return "EINVAL";
      let top = mnt;
      for (let on = childOf(s, top); on !== undefined; on = childOf(s, top)) top = on;
      patch(s.mounts, top, { parent: 0, point: 0 });
      if (top !== mnt) s.locks.set("namespace", me.id);
      else s.locks.delete("namespace");
      return { last: top === mnt };
    };
    if (isError(r) || r.last) return isError(r) ? r : 0;
  }
}

/** Frees what can be freed: changes nothing that anybody can see. How much it frees is nobody's promise. */
function* shrink() {
  return yield () => ({ any: true });
}

export const FILE_CALLS = {
  sysOpen,
  sysClose,
  sysRead,
  sysWrite,
  sysLseek,
  sysTruncate,
  sysFtruncate,
  sysGetdents,
  sysFsync,
  sysFstat,
  sysChmod: byPath(setMode, ["mode"]),
  sysFchmod: byFd(setMode, ["mode"]),
  sysChown: byPath(setOwner, ["uid", "gid"]),
  sysFchown: byFd(setOwner, ["uid", "gid"]),
  sysSetacl: byPath(setAcl, ["acl"]),
  sysGetacl: byPath(getAcl, []),
  sysUtimens: byPath(setTimes, ["atime", "mtime"]),
  sysFutimens: byFd(setTimes, ["atime", "mtime"]),
  sysMount,
  sysMountNew,
  sysUmount,
  shrink,
};
