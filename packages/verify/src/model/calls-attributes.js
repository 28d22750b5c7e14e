/**
 * The system calls of the model that change attributes, by path and by descriptor: generators of steps, as in calls.js.
 */
import { UTIME_NOW, UTIME_OMIT } from "../../../threadfs/dist/abi/abi.js";
import { S_IFMT, S_ISGID, S_ISUID } from "../support/linux.js";
import { chmodAcl, isValid, withAcl } from "./acl.js";
import { CAP_CHOWN, CAP_FOWNER, CAP_FSETID, inode, isDriver, lookup, ownerOr, touch, who } from "./calls.js";
import { dropsSgid, fget, mutex } from "./calls-files.js";
import { capable, change, inGroup, isDir, isError, isLink, MAY_WRITE, patch, permission, wantWrite } from "./model.js";

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

export const ATTRIBUTE_CALLS = {
  sysChmod: byPath(setMode, ["mode"]),
  sysFchmod: byFd(setMode, ["mode"]),
  sysChown: byPath(setOwner, ["uid", "gid"]),
  sysFchown: byFd(setOwner, ["uid", "gid"]),
  sysSetacl: byPath(setAcl, ["acl"]),
  sysGetacl: byPath(getAcl, []),
  sysUtimens: byPath(setTimes, ["atime", "mtime"]),
  sysFutimens: byFd(setTimes, ["atime", "mtime"]),
};
