/**
 * The system calls of the model that look names up and change none, and those that change the place of a context: generators of
 * steps, as in calls.ts.
 */
import {
  CAP_SYS_ADMIN,
  CAP_SYS_CHROOT,
  MAY_EXEC,
  MAY_WRITE,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  STATX_ATTR_MOUNT_ROOT,
  UMASK_UNCHANGED,
} from "../../../threadfs/dist/abi/abi.js";
import { type Attributes, type CallArguments, isError, type Lookup } from "./call.js";
import { callerOf, inode, lookup } from "./calls.js";
import { inCopy, leaveNamespace } from "./linux/namespaces.js";
import { accessed, capable, permission } from "./permission.js";
import { ALL_CAPS, get, inodeOf, patch, type State, typeOf } from "./state.js";
import { change, closeFile, closeOwned, hold, type Me, type Steps, step } from "./steps.js";

type A = CallArguments;

export function attributes(s: State, ino: number): Attributes {
  const { mode, nlink, uid, gid, size, atime, mtime, ctime, rdev = 0 } = inode(s, ino);
  return { ino, mode, nlink, uid, gid, size, atime, mtime, ctime, rdev };
}

function* sysStat(me: Me, args: A["sysStat"]): Steps<Attributes | string> {
  const at = yield* lookup(me, args);
  if (isError(at)) return at;
  return yield* step((s) => attributes(s, get(s.dentries, at.d).ino));
}

/** Returns STATX_ATTR_* bits. */
function* sysStatx(me: Me, args: A["sysStatx"]): Steps<number | string> {
  const at = yield* lookup(me, args);
  if (isError(at)) return at;
  return yield* step((s) => (at.d === get(s.mounts, at.mnt).root ? STATX_ATTR_MOUNT_ROOT : 0));
}

function* sysAccess(me: Me, { mode, ...args }: A["sysAccess"]): Steps<number | string> {
  const at = yield* lookup(me, args);
  if (isError(at) || mode === 0) return isError(at) ? at : 0;
  return yield* step((s) => {
    const i = inodeOf(s, at.d);
    const { readonly, noexec } = get(s.mounts, at.mnt).flags;
    if (mode & MAY_EXEC && typeOf(i) === S_IFREG && noexec) return "EACCES";
    const denied = permission(s, me, i, mode);
    if (denied) return denied;
    return mode & MAY_WRITE && readonly && [S_IFREG, S_IFDIR, S_IFLNK].includes(typeOf(i)) ? "EROFS" : 0;
  });
}

function* sysReadlink(me: Me, args: A["sysReadlink"]): Steps<{ path: string } | string> {
  const at = yield* lookup(me, { ...args, nofollow: true });
  if (isError(at)) return at;
  if (at.body === undefined) return "EINVAL";
  yield* step((s) => void accessed(s, at.mnt, get(s.dentries, at.d).ino));
  return { path: at.body };
}

/** d_path() of (mnt, d) from the context's root. */
export function pathOf(s: State, me: Me, mnt: number, d: number): { path: string } | string {
  const { root } = callerOf(s, me);
  const names: string[] = [];
  for (let at = { mnt, d }; ; ) {
    if (at.mnt === root.mnt && at.d === root.d) break;
    const m = get(s.mounts, at.mnt);
    if (at.d === m.root) {
      // The top, or a detached mount: the place is not below the root, and has no path.
      if (m.parent === 0) return "ENOENT";
      at = { mnt: m.parent, d: m.point };
      continue;
    }
    const { name, parent, hashed } = get(s.dentries, at.d);
    if (!hashed || parent === at.d) return "ENOENT";
    names.unshift(name);
    at = { mnt: at.mnt, d: parent };
  }
  return { path: `/${names.join("/")}` };
}

function* sysRealpath(me: Me, args: A["sysRealpath"]): Steps<{ path: string } | string> {
  const at = yield* lookup(me, args);
  if (isError(at)) return at;
  return yield* step((s) => pathOf(s, me, at.mnt, at.d));
}

function* sysGetcwd(me: Me): Steps<{ path: string } | string> {
  const cwd = yield* step((s) => ({ ...callerOf(s, me).cwd }));
  return yield* step((s) => pathOf(s, me, cwd.mnt, cwd.d));
}

function* changePlace(me: Me, args: Lookup, place: "cwd" | "root"): Steps<number | string> {
  const at = yield* lookup(me, args, { directory: true });
  if (isError(at)) return at;
  const denied = yield* step((s) => permission(s, me, inodeOf(s, at.d), MAY_EXEC));
  if (denied) return denied;
  return yield* step((s) => {
    if (place === "root" && !capable(callerOf(s, me), CAP_SYS_CHROOT)) return "EPERM";
    // The former place is referenced until the end of the call.
    hold(s, me, 2, callerOf(s, me)[place].mnt);
    patch(s.contexts, me.ctx, { [place]: { mnt: at.mnt, d: at.d } });
    return 0;
  });
}

const sysChdir = (me: Me, args: A["sysChdir"]) => changePlace(me, args, "cwd");
const sysChroot = (me: Me, args: A["sysChroot"]) => changePlace(me, args, "root");

function* sysUmask(me: Me, { mask }: A["sysUmask"]): Steps<number> {
  return yield* step((s) => {
    const { umask } = callerOf(s, me);
    if (mask !== UMASK_UNCHANGED) patch(s.contexts, me.ctx, { umask: mask & 0o777 });
    return umask;
  });
}

function* contextDestroy(me: Me): Steps<number | string> {
  const closing = yield* step((s) => {
    if (me.ctx === 0) return "EINVAL";
    if (callerOf(s, me).closed) return "EBADF";
    return close(s, me.ctx);
  });
  return isError(closing) ? closing : yield* finishClosing(me, me.ctx, closing);
}

/** What is left of a context that was closed: its open files, if there are locks, and whether it has a namespace of its own. */
interface Closing {
  files: number[];
  own: boolean;
}

/** Closes a context, but for what is closed one after the other. */
function close(s: State, ctx: number): Closing {
  const { fds, ns } = get(s.contexts, ctx);
  const own = ns !== undefined;
  const files = Object.values(fds).filter((file) => s.files.has(file));
  patch(s.contexts, ctx, { closed: true, fds: {} });
  if (s.fileLocks.size > 0) return { files, own };
  for (const file of files) closeFile(s, ctx, file);
  return { files: [], own };
}

function* finishClosing(me: Me, ctx: number, { files, own }: Closing): Steps<number> {
  me.changes = true;
  for (const file of files) yield* step((s) => closeFile(s, ctx, file) ?? 0);
  if (own) yield* change(me, [{ locks: () => ["namespace"], run: (s) => leaveNamespace(s, ctx) }]);
  return 0;
}

/** With `mounts` "own" its mounts are copied after root and working directory have been read. */
function* contextCreate(me: Me, { uid, gid, mounts }: A["contextCreate"]): Steps<{ any: true }> {
  const from = yield* step((s) => {
    const { root, cwd, groups, umask, caps, ns } = callerOf(s, me);
    if (caps !== ALL_CAPS) throw new Error("the model has no contexts of a user's making");
    const made = { uid, gid, groups, umask, root, cwd, ns, fds: {}, maker: me.id, caps: uid === 0 ? ALL_CAPS : 0 };
    if (mounts !== "own") s.contexts.set(s.contexts.size, made);
    return { made };
  });
  if (mounts !== "own") return { any: true };
  const run = (s: State) => {
    s.contexts.set(s.contexts.size, { ...from.made, ...inCopy(s, from.made) });
    return 0;
  };
  yield* change(me, [{ locks: () => ["namespace"], run }]);
  return { any: true };
}

function* contextClose(me: Me, { other }: A["contextClose"]): Steps<number | string> {
  const closing = yield* step((s) => {
    if (!capable(callerOf(s, me), CAP_SYS_ADMIN)) return "EPERM";
    const victim = s.contexts.get(other);
    if (victim === undefined || victim.closed) return "EBADF";
    if (other === 0) return "EINVAL";
    return close(s, other);
  });
  return isError(closing) ? closing : yield* finishClosing(me, other, closing);
}

function* contextList(_me: Me, { from }: A["contextList"]): Steps<number | string> {
  return yield* step((s) => [...s.contexts].find(([ctx, { closed }]) => ctx >= from && !closed)?.[0] ?? "ENOENT");
}

function* threadCloses(me: Me): Steps<number> {
  return yield* step((s) => {
    s.owners = [...s.owners, me.id];
    return 0;
  });
}

/** One descriptor after the other. */
function* threadEnd(me: Me): Steps<number> {
  while (yield* step((s) => closeOwned(s, me.id)));
  return 0;
}

export const LOOKUP_CALLS = {
  contextDestroy,
  contextCreate,
  contextClose,
  contextList,
  threadCloses,
  threadEnd,
  sysStat,
  sysStatx,
  sysAccess,
  sysReadlink,
  sysRealpath,
  sysGetcwd,
  sysChdir,
  sysChroot,
  sysUmask,
};
