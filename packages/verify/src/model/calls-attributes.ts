/**
 * The system calls of the model that change attributes, by path and by descriptor: generators of steps, as in calls.ts.
 */
import {
  CAP_CHOWN,
  CAP_FOWNER,
  CAP_FSETID,
  MAY_WRITE,
  S_IFMT,
  S_ISGID,
  S_ISUID,
  UTIME_NOW,
  UTIME_OMIT,
} from "../../../threadfs/dist/abi/abi.js";
import { type AclEntry, chmodAcl, isValid, withAcl } from "./acl.js";
import { type CallArguments, isError, type Lookup, type Time } from "./call.js";
import { callerOf, inode, isDriver, lookup, ownerOr, touch } from "./calls.js";
import { dropsSgid, fget, mutex } from "./files/descriptors.js";
import { capable, inGroup, permission, wantWrite } from "./permission.js";
import { get, isDir, isLink, patch, type State } from "./state.js";
import { change, type Me, type Steps, step } from "./steps.js";

/** A change of attributes, once the file is known. */
type Set<V extends unknown[], R> = (me: Me, mnt: number, ino: number, ...values: V) => Steps<R>;

function* setMode(me: Me, mnt: number, ino: number, mode: number): Steps<number | string> {
  const refused = yield* step((s) => wantWrite(s, mnt) || (isLink(inode(s, ino)) ? "EOPNOTSUPP" : 0));
  if (refused) return refused;
  const run = (s: State) => {
    const i = inode(s, ino);
    if (!ownerOr(s, me, i, CAP_FOWNER)) return "EPERM";
    let bits = mode & 0o7777;
    if (bits & S_ISGID && !inGroup(callerOf(s, me), i.gid) && !capable(callerOf(s, me), CAP_FSETID)) bits &= ~S_ISGID;
    if (isDriver(s, i)) return "EOPNOTSUPP";
    touch(s, ino, { mode: (i.mode & S_IFMT) | bits });
    return 0;
  };
  // The bits change first, then the ACL follows them.
  const follow = (s: State) => {
    const { acl, mode: bits } = inode(s, ino);
    if (acl) patch(s.inodes, ino, { acl: chmodAcl(acl, bits) });
    return 0;
  };
  return yield* change(me, [{ locks: () => [mutex(ino)], run }, { run: follow }]);
}

/** Sets an access ACL, or a directory's default ACL; an empty one removes it. */
function* setAcl(me: Me, mnt: number, ino: number, acl: AclEntry[], isDefault: boolean): Steps<number | string> {
  const refused = yield* step((s): 0 | string | { nothing: true } => {
    const i = inode(s, ino);
    const readonly = wantWrite(s, mnt);
    if (readonly) return readonly;
    if (isDriver(s, i) || isLink(i)) return "EOPNOTSUPP";
    if (isDefault && !isDir(i)) return acl.length > 0 ? "EACCES" : { nothing: true };
    if (!ownerOr(s, me, i, CAP_FOWNER)) return "EPERM";
    return acl.length > 0 && !isValid(acl) ? "EINVAL" : 0;
  });
  if (refused) return isError(refused) ? refused : 0;
  const run = (s: State) => {
    const i = inode(s, ino);
    if (isDefault) return touch(s, ino, { defaultAcl: acl.length > 0 ? acl : undefined });
    const keeps = inGroup(callerOf(s, me), i.gid) || capable(callerOf(s, me), CAP_FSETID);
    touch(s, ino, withAcl(i, acl, keeps));
    return 0;
  };
  return yield* change(me, [{ locks: () => [mutex(ino)], run }]);
}

function* getAcl(_me: Me, _mnt: number, ino: number, isDefault: boolean): Steps<{ acl: AclEntry[] }> {
  return yield* step((s) => ({ acl: (isDefault ? inode(s, ino).defaultAcl : inode(s, ino).acl) ?? [] }));
}

function* setOwner(me: Me, mnt: number, ino: number, uid: number, gid: number): Steps<number | string> {
  const refused = yield* step((s) => wantWrite(s, mnt));
  if (refused) return refused;
  const run = (s: State) => {
    const i = inode(s, ino);
    const c = callerOf(s, me);
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
function* setTimes(me: Me, mnt: number, ino: number, atime: Time, mtime: Time): Steps<number | string> {
  const refused = yield* step((s): 0 | string | { nothing: true } => {
    if (atime.nsec === UTIME_OMIT && mtime.nsec === UTIME_OMIT) return { nothing: true };
    const readonly = wantWrite(s, mnt);
    if (readonly) return readonly;
    const i = inode(s, ino);
    if (ownerOr(s, me, i, CAP_FOWNER)) return 0;
    if (atime.nsec !== UTIME_NOW || mtime.nsec !== UTIME_NOW) return "EPERM";
    return permission(s, me, i, MAY_WRITE) ? "EACCES" : 0;
  });
  if (refused) return isError(refused) ? refused : 0;
  const run = (s: State) => {
    if (isDriver(s, inode(s, ino))) return "EOPNOTSUPP";
    const value = ({ sec, nsec }: Time) => (nsec === UTIME_NOW ? s.now : sec * 1000 + nsec / 1e6);
    touch(s, ino, {
      ...(atime.nsec === UTIME_OMIT ? {} : { atime: value(atime) }),
      ...(mtime.nsec === UTIME_OMIT ? {} : { mtime: value(mtime) }),
    });
    return 0;
  };
  return yield* change(me, [{ locks: () => [mutex(ino)], run }]);
}

/** A change by path, with the values that it takes from the arguments. */
function byPath<P extends Lookup, V extends unknown[], R>(set: Set<V, R>, values: (args: P) => Readonly<V>) {
  return function* byPathCall(me: Me, args: P): Steps<R | string> {
    const at = yield* lookup(me, args);
    if (isError(at)) return at;
    const ino = yield* step((s) => get(s.dentries, at.d).ino);
    return yield* set(me, at.mnt, ino, ...values(args));
  };
}

/** The same by descriptor. */
function byFd<P extends { fd: number }, V extends unknown[], R>(set: Set<V, R>, values: (args: P) => Readonly<V>) {
  return function* byFdCall(me: Me, args: P): Steps<R | string> {
    const f = yield* fget(me, args.fd);
    return isError(f) ? f : yield* set(me, f.mnt, f.ino, ...values(args));
  };
}

type A = CallArguments;

export const ATTRIBUTE_CALLS = {
  sysChmod: byPath(setMode, ({ mode }: A["sysChmod"]) => [mode] as const),
  sysFchmod: byFd(setMode, ({ mode }: A["sysFchmod"]) => [mode] as const),
  sysChown: byPath(setOwner, ({ uid, gid }: A["sysChown"]) => [uid, gid] as const),
  sysFchown: byFd(setOwner, ({ uid, gid }: A["sysFchown"]) => [uid, gid] as const),
  sysSetacl: byPath(setAcl, ({ acl, isDefault = false }: A["sysSetacl"]) => [acl, isDefault] as const),
  sysGetacl: byPath(getAcl, ({ isDefault = false }: A["sysGetacl"]) => [isDefault] as const),
  sysUtimens: byPath(setTimes, ({ atime, mtime }: A["sysUtimens"]) => [atime, mtime] as const),
  sysFutimens: byFd(setTimes, ({ atime, mtime }: A["sysFutimens"]) => [atime, mtime] as const),
};
