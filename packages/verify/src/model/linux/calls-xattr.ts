/** The system calls of the model on extended attributes. */
import {
  CAP_FOWNER,
  CAP_SYS_ADMIN,
  MAY_READ,
  MAY_WRITE,
  S_IFDIR,
  S_IFREG,
  S_ISVTX,
  XATTR_CREATE,
  XATTR_NAME_MAX,
  XATTR_REPLACE,
} from "../../../../threadfs/dist/abi/abi.js";
import { type CallArguments, isError } from "../call.js";
import { callerOf, inode, isDriver, lookup, touch } from "../calls.js";
import { fget } from "../files/descriptors.js";
import { capable, permission, wantWrite } from "../permission.js";
import { get, type Inode, type State, typeOf } from "../state.js";
import { change, type Me, type Steps, step } from "../steps.js";
import { mayBeFreed, refuseMore, xattrSpace } from "./quota.js";

type A = CallArguments;

const SPACES = ["user.", "trusted.", "security.", "system."];
const spaceOf = (name: string): string => SPACES.find((space) => name.startsWith(space)) ?? "";

/** The error of a name, for a caller who wants to read or change an attribute; 0: there is none. */
function refuseName(s: State, me: Me, i: Inode, name: string, writes: boolean): 0 | string {
  const space = spaceOf(name);
  const c = callerOf(s, me);
  if (space === "trusted." && !capable(c, CAP_SYS_ADMIN)) return writes ? "EPERM" : "ENODATA";
  if (space === "user.") {
    const type = typeOf(i);
    if (type !== S_IFREG && type !== S_IFDIR) return writes ? "EPERM" : "ENODATA";
    const sticky = type === S_IFDIR && (i.mode & S_ISVTX) !== 0;
    if (sticky && writes && c.uid !== i.uid && !capable(c, CAP_FOWNER)) return "EPERM";
  }
  if (space === "user." || space === "") {
    const denied = permission(s, me, i, writes ? MAY_WRITE : MAY_READ);
    if (denied) return denied;
  }
  if (writes && space === "security." && !capable(c, CAP_SYS_ADMIN)) return "EPERM";
  if (isDriver(s, i) || space === "" || space === "system.") return "EOPNOTSUPP";
  return name === space ? "EINVAL" : 0;
}

const badName = (name: string): boolean => name === "" || name.length > XATTR_NAME_MAX;

/** The file of a call. With `empty` it is that of a descriptor. */
function* fileOf(me: Me, args: A["sysListxattr"]): Steps<{ mnt: number; ino: number } | string> {
  const at = yield* lookup(me, args);
  if (isError(at)) return at;
  if (args.empty && args.path === "" && args.dirfd !== undefined) {
    const f = yield* fget(me, args.dirfd);
    if (isError(f)) return f;
  }
  return yield* step((s) => ({ mnt: at.mnt, ino: get(s.dentries, at.d).ino }));
}

function* set(me: Me, args: A["sysListxattr"], name: string, value: string | undefined, how: number) {
  const at = yield* fileOf(me, args);
  if (isError(at)) return at;
  const { mnt, ino } = at;
  const refused = yield* step((s) => wantWrite(s, mnt) || refuseName(s, me, inode(s, ino), name, true));
  if (refused) return refused;
  const freed = yield* mayBeFreed((s) => inode(s, ino).fs);
  const run = (s: State): 0 | string => {
    const { [name]: old, ...others } = inode(s, ino).xattrs ?? {};
    if (old !== undefined && how & XATTR_CREATE) return "EEXIST";
    if (old === undefined && (how & XATTR_REPLACE || value === undefined)) return "ENODATA";
    const space = value === undefined ? 0 : xattrSpace(name, value);
    const full = refuseMore(s, me, inode(s, ino).fs, freed, { space }, 1);
    if (full) return full;
    return touch(s, ino, { xattrs: value === undefined ? others : { ...others, [name]: value } });
  };
  return yield* change(me, [{ locks: () => [`inode ${ino}`], run }]);
}

function* sysSetxattr(me: Me, { name, value, how = 0, ...args }: A["sysSetxattr"]): Steps<number | string> {
  if (how & ~(XATTR_CREATE | XATTR_REPLACE)) return "EINVAL";
  if (badName(name)) return "ERANGE";
  return yield* set(me, args, name, value, how);
}

function* sysRemovexattr(me: Me, { name, ...args }: A["sysRemovexattr"]): Steps<number | string> {
  if (badName(name)) return "ERANGE";
  return yield* set(me, args, name, undefined, 0);
}

function* sysGetxattr(me: Me, { name, ...args }: A["sysGetxattr"]): Steps<{ data: string } | number | string> {
  if (badName(name)) return "ERANGE";
  const at = yield* fileOf(me, args);
  if (isError(at)) return at;
  const refused = yield* step((s) => refuseName(s, me, inode(s, at.ino), name, false));
  if (refused) return refused;
  const run = (s: State): { data: string } | string => {
    const data = inode(s, at.ino).xattrs?.[name];
    return data === undefined ? "ENODATA" : { data };
  };
  return yield* change(me, [{ locks: () => [`inode ${at.ino}`], run }]);
}

function* sysListxattr(me: Me, args: A["sysListxattr"]): Steps<{ names: string[] } | number | string> {
  const at = yield* fileOf(me, args);
  if (isError(at)) return at;
  const run = (s: State): { names: string[] } | string => {
    const i = inode(s, at.ino);
    if (isDriver(s, i)) return "EOPNOTSUPP";
    const acls = [
      ...(i.acl === undefined ? [] : ["system.posix_acl_access"]),
      ...(i.defaultAcl === undefined ? [] : ["system.posix_acl_default"]),
    ];
    const all = [...acls, ...Object.keys(i.xattrs ?? {})].sort();
    const admin = capable(callerOf(s, me), CAP_SYS_ADMIN);
    return { names: admin ? all : all.filter((name) => !name.startsWith("trusted.")) };
  };
  return yield* change(me, [{ locks: () => [`inode ${at.ino}`], run }]);
}

export const XATTR_CALLS = { sysSetxattr, sysGetxattr, sysListxattr, sysRemovexattr };
