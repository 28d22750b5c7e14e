/**
 * The system calls of the model that mount and unmount file systems: generators of steps, as in calls.ts.
 */
import {
  CAP_SYS_ADMIN,
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  O_ACCMODE,
  O_PATH,
  S_IFIFO,
  S_IFMT,
  UMOUNT_NOFOLLOW,
} from "../../../threadfs/dist/abi/abi.js";
import { INODE_SPACE, PAGE } from "../../../threadfs/dist/generated/core-layout.js";
import { defined } from "../support/defined.js";
import { type CallArguments, isError, type MountFlags } from "./call.js";
import { badPath, callerOf, lookup } from "./calls.js";
import { pathOf } from "./calls-lookup.js";
import { isGone } from "./linux/mountpoints.js";
import {
  attachTree,
  changeType,
  detachMount,
  goesToo,
  hasUnbindable,
  likeSource,
  type Propagation,
  receives,
  topmost,
  treeOf,
} from "./linux/propagation.js";
import { mayBeFreed, usesLess } from "./linux/quota.js";
import { capable } from "./permission.js";
import {
  addName,
  type DriverContents,
  get,
  inodeOf,
  isBelow,
  isDir,
  type Mount,
  mountedOn,
  newFilesystem,
  newInode,
  newMount,
  type Path,
  patch,
  type State,
} from "./state.js";
import { BLOCKED, change, choice, hold, type Me, mutexOf, type Steps, step } from "./steps.js";
import type { Place } from "./walk.js";

type A = CallArguments;

/** The root of the uppermost mount on a place, or the place. */
function topOf(s: State, at: Path): Path {
  let { mnt, d } = at;
  for (let on = mountedOn(s, mnt, d); on !== undefined; on = mountedOn(s, mnt, d)) {
    mnt = on;
    d = get(s.mounts, on).root;
  }
  return { mnt, d };
}

/**
 * Puts a mount on top of the mounts that stand on the place now.
 * @param make attaches the mount to a dentry in a mount
 * @param rootOf the root of the mount
 * @param unfit the error where one of the two is a directory and the other is none
 */
function* place(
  me: Me,
  at: Place,
  make: (s: State, mnt: number, d: number) => 0 | string,
  rootOf: (s: State) => number,
  unfit = "ENOTDIR",
): Steps<number | string> {
  const run = (s: State) => {
    const { mnt, d } = topOf(s, at);
    if (isGone(s, d)) return "ENOENT";
    if (isDetached(s, mnt)) return "EINVAL";
    return isDir(inodeOf(s, rootOf(s))) === at.dir ? make(s, mnt, d) : unfit;
  };
  return yield* change(me, [{ locks: (s) => ["namespace", mutexOf(s, topOf(s, at).d)], run }]);
}

/** A mount that was unmounted lazily takes no mount, and is not bound. */
const isDetached = (s: State, m: number): boolean => !isNamespace(s, m) && get(s.mounts, m).parent === 0;

const isNamespace = (s: State, m: number): boolean => m === s.rootMount || get(s.mounts, m).isNamespace === true;

function attach(s: State, id: number, parent: number, point: number, fresh: readonly number[]): 0 | string {
  // What stands in another place of it may have to go onto its root.
  if (isGone(s, point) || isGone(s, get(s.mounts, topmost(s, id)).root)) return "ENOENT";
  attachTree(s, id, parent, point, fresh);
  return 0;
}

const mayMount = (me: Me): Steps<0 | "EPERM"> => step((s) => (capable(callerOf(s, me), CAP_SYS_ADMIN) ? 0 : "EPERM"));

/** A new file system: `type` 0 in memory, else the model's driver, whose root is searchable by all. */
function* sysMountNew(
  me: Me,
  { path, type = 0, contents, size = 0, inodes = 0, ...args }: A["sysMountNew"],
): Steps<number | string> {
  const bad = badPath(path);
  if (bad) return bad;
  const at = yield* lookup(me, { path });
  if (isError(at)) return at;
  const denied = yield* mayMount(me);
  if (denied) return denied;
  const m = yield* step((s) => {
    const limits = { pages: Math.ceil(size / PAGE), space: inodes * INODE_SPACE };
    const limited = size + inodes > 0;
    const mode = type === 0 ? 0o1777 : 0o755;
    const fs = newFilesystem(s, { mode, readonly: args.readonly === true, driver: type, ...(limited && { limits }) });
    if (contents !== undefined) fillDriver(s, fs, contents);
    return newMount(s, fs, get(s.filesystems, fs).root, withFlags({}, args));
  });
  return yield* place(
    me,
    at,
    (s, mnt, d) => attach(s, m, mnt, d, [m]),
    (s) => get(s.mounts, m).root,
  );
}

const FLAGS = ["readonly", "noexec", "nosymfollow", "nodiratime"] as const;

/** The flags of a mount that had `old`, where some are given. It has one rule for times of access. */
function withFlags(old: MountFlags, given: MountFlags): MountFlags {
  const flags = { ...old };
  for (const name of FLAGS) if (given[name] !== undefined) flags[name] = given[name];
  const { noatime, strictatime } = given;
  if (noatime === undefined && strictatime === undefined) return flags;
  return { ...flags, noatime: noatime === true && strictatime !== true, strictatime: strictatime === true };
}

/** Whether a file is open for writing in a mount, or with `all` in its file system. */
function hasWriters(s: State, mnt: number, all: boolean): boolean {
  const { fs } = get(s.mounts, mnt);
  for (const { closed, flags, mnt: of, d } of s.files.values()) {
    if (closed || !(flags & O_ACCMODE) || (flags & O_ACCMODE) === O_ACCMODE || flags & O_PATH) continue;
    if ((inodeOf(s, d).mode & S_IFMT) === S_IFIFO) continue;
    if (of === mnt || (all && get(s.mounts, of).fs === fs)) return true;
  }
  return false;
}

/**
 * mount(2) with MS_REMOUNT: flags, and limits, which are neither below what is used nor new. What becomes read-only waits for the calls of other
 * threads to end, or is EBUSY: also where a thread has died in a call. By itself a call never is.
 */
function* sysRemount(me: Me, { path, size, inodes, bind = false, ...args }: A["sysRemount"]): Steps<number | string> {
  const bad = badPath(path);
  if (bad) return bad;
  const at = yield* lookup(me, { path });
  if (isError(at)) return at;
  const denied = yield* mayMount(me);
  if (denied) return denied;
  const fsOf = (s: State) => get(s.mounts, at.mnt).fs;
  const freed = yield* mayBeFreed(fsOf);
  const busy = args.readonly === true && (yield* choice(() => [false, true]));
  return yield* step((s) => {
    if (get(s.mounts, at.mnt).root !== at.d) return "EINVAL";
    if (busy) return "EBUSY";
    if (args.readonly && hasWriters(s, at.mnt, !bind)) return "EBUSY";
    const limited = !bind && (size !== undefined || inodes !== undefined);
    if (isDetached(s, at.mnt) || (limited && get(s.filesystems, fsOf(s)).driver !== 0)) return "EINVAL";
    const wrong = limited && changeLimits(s, me, fsOf(s), freed, size, inodes);
    if (wrong) return wrong;
    if (!bind && args.readonly !== undefined) patch(s.filesystems, fsOf(s), { readonly: args.readonly });
    patch(s.mounts, at.mnt, { flags: withFlags(get(s.mounts, at.mnt).flags, args) });
    return 0;
  });
}

/**
 * The driver is asked again about every entry: what it shows is the same, unless it has changed since. Every driver of the model has a
 * generation number.
 */
function* sysInvalidate(me: Me, { path }: A["sysInvalidate"]): Steps<number | string> {
  const bad = badPath(path);
  if (bad) return bad;
  const at = yield* lookup(me, { path });
  if (isError(at)) return at;
  const denied = yield* mayMount(me);
  if (denied) return denied;
  return yield* step((s) => {
    const { root, fs } = get(s.mounts, at.mnt);
    if (root !== at.d) return "EINVAL";
    const { driver, changed, names, remade, root: top } = get(s.filesystems, fs);
    if (driver === 0) return "EOPNOTSUPP";
    if (changed && names !== undefined) {
      const { ino } = get(s.dentries, top);
      patch(s.filesystems, fs, { changed: false, names: { ...names, [ino]: { ...names[ino], ...remade?.entries } } });
    }
    return 0;
  });
}

function changeLimits(
  s: State,
  me: Me,
  fs: number,
  freed: Parameters<typeof usesLess>[3],
  size: number | undefined,
  inodes: number | undefined,
): 0 | "EINVAL" {
  const { pages = 0, space = 0 } = get(s.filesystems, fs).limits ?? {};
  const limits = {
    pages: size === undefined ? pages : Math.ceil(size / PAGE),
    space: inodes === undefined ? space : inodes * INODE_SPACE,
  };
  if ((size ?? 0) > 0 && (pages === 0 || !usesLess(s, me, fs, freed, { ...limits, space: 0 }))) return "EINVAL";
  if ((inodes ?? 0) > 0 && (space === 0 || !usesLess(s, me, fs, freed, { ...limits, pages: 0 }))) return "EINVAL";
  patch(s.filesystems, fs, { limits });
  return 0;
}

/** The mounts with their places, flags and propagation, at one moment. */
function* sysMounts(me: Me): Steps<{ mounts: string[] }> {
  return yield* step((s) => {
    const mounts: ListedMount[] = [];
    for (const [id, { root, flags, group, master, unbindable }] of s.mounts) {
      if (isDetached(s, id)) continue;
      const at = pathOf(s, me, id, root);
      if (!isError(at)) mounts.push({ path: at.path, flags, group, master, unbindable });
    }
    return { mounts: mountLines(mounts) };
  });
}

/** A mount of the list, as far as the model and the core are compared. */
export interface ListedMount extends Pick<Mount, "group" | "master" | "unbindable"> {
  path: string;
  flags: MountFlags;
}

/** The list as text, with groups by numbers from 1 on in its order: those of the model and of the core are others. */
export function mountLines(mounts: ListedMount[]): string[] {
  const numbers = new Map<number, number>();
  const number = (name: string, group: number | undefined) =>
    group ? [`${name}:${numbers.get(group) ?? numbers.set(group, numbers.size + 1).size}`] : [];
  return mounts
    .map(({ path, flags, unbindable, ...groups }) => {
      const names = [...FLAGS, "noatime" as const, "strictatime" as const].filter((name) => flags[name]);
      const shares = [groups.group ? "s" : "", groups.master ? "m" : "", unbindable ? "u" : ""].filter((x) => x !== "");
      return { text: [path, ...names, ...shares].join(" "), ...groups };
    })
    .sort((a, b) => (a.text < b.text ? -1 : 1))
    .map(({ text, group, master }) => [text, ...number("shared", group), ...number("master", master)].join(" "));
}

/** The initial nodes of a driver's file system. */
function fillDriver(s: State, fs: number, { nodes, byNumber = false, remade }: DriverContents): void {
  const { root } = get(s.filesystems, fs);
  const inodes = new Map([["1", get(s.dentries, root).ino]]);
  for (const [n, { mode, kids, body }] of Object.entries(nodes))
    if (n !== "1")
      inodes.set(n, newInode(s, fs, mode, 0, 0, { nlink: kids === undefined ? 1 : 2, ...(body && { body }) }));
  const inoOf = (n: number | string) => defined(inodes.get(String(n)), `node ${n}`);
  const entries = (kids: Record<string, number> = {}) =>
    Object.fromEntries(Object.entries(kids).map(([name, n]) => [name, inoOf(n)]));
  if (byNumber) {
    const names = Object.fromEntries(Object.entries(nodes).map(([n, { kids }]) => [inoOf(n), entries(kids)]));
    patch(s.filesystems, fs, { names, ...(remade && { remade: { ...remade, entries: entries(remade.entries) } }) });
    return;
  }
  const fill = (d: number, kids: Record<string, number> = {}) => {
    for (const [name, n] of Object.entries(kids)) fill(addName(s, d, name, inoOf(n)), nodes[n]?.kids);
  };
  fill(root, nodes[1]?.kids);
}

/** mount(2) with MS_BIND (`bind`) or MS_MOVE (`move`). */
function* sysMount(
  me: Me,
  { path, path2, move = false, bind = false, recursive = false, propagation, ...args }: A["sysMount"],
): Steps<number | string> {
  const bad = badPath(path) ?? badPath(path2);
  if (bad) return bad;
  if (!move && !bind && !propagation) return "EINVAL";
  const at = yield* lookup(me, { path: path2 }, { slot: 1 });
  if (isError(at)) return at;
  const denied = yield* mayMount(me);
  if (denied) return denied;
  if (propagation && !bind) return yield* changes(me, at, propagation, recursive);
  const from = yield* lookup(me, { path });
  if (isError(from)) return from;
  const isRoot = yield* step((s) => get(s.mounts, from.mnt).root === from.d);
  if (move && !isRoot) return "EINVAL";
  if (move)
    return yield* place(
      me,
      at,
      (s, mnt, d) => moveMount(s, from.mnt, mnt, d),
      () => from.d,
      "EINVAL",
    );
  // What is given as false is not given.
  const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value));
  return yield* place(
    me,
    at,
    (s, mnt, d) => {
      const source = get(s.mounts, from.mnt);
      if (isDetached(s, from.mnt) || source.unbindable) return "EINVAL";
      const m = newMount(s, source.fs, from.d, withFlags(source.flags, given));
      patch(s.mounts, m, likeSource(source));
      const fresh = [m];
      if (recursive) copyBelow(s, from.mnt, from.d, m, fresh);
      return attach(s, m, mnt, d, fresh);
    },
    () => from.d,
  );
}

/** A change of how mounts share what is mounted in them. */
function* changes(me: Me, at: Place, to: Propagation, recursive: boolean): Steps<number | string> {
  const run = (s: State): 0 | string => {
    if (get(s.mounts, at.mnt).root !== at.d || isDetached(s, at.mnt)) return "EINVAL";
    changeType(s, at.mnt, to, recursive);
    return 0;
  };
  return yield* change(me, [{ locks: () => ["namespace"], run }]);
}

/** Copies the mounts below a directory onto a mount of it, but for those that may not be bound. If that mount gets no place, no path leads to the copies. */
function copyBelow(s: State, source: number, d: number, top: number, fresh: number[]): void {
  const below = [...s.mounts].filter(([id, m]) => m.parent === source && !fresh.includes(id) && isBelow(s, m.point, d));
  for (const [id, m] of below) {
    if (m.unbindable) continue;
    const copy = newMount(s, m.fs, m.root, m.flags);
    fresh.push(copy);
    patch(s.mounts, copy, likeSource(m));
    copyBelow(s, id, m.root, copy, fresh);
    patch(s.mounts, copy, { parent: top, point: m.point });
  }
}

function moveMount(s: State, m: number, parent: number, point: number): 0 | string {
  const from = get(s.mounts, m).parent;
  if (from === 0 || get(s.mounts, from).group !== undefined) return "EINVAL";
  if (get(s.mounts, parent).group !== undefined && hasUnbindable(s, treeOf(s, m))) return "EINVAL";
  for (let p = parent; p !== 0; p = get(s.mounts, p).parent) if (p === m) return "ELOOP";
  return attach(s, m, parent, point, []);
}

/** Whether the way up from a place leads to another one, or below it. */
function isReachable(s: State, from: Path, to: Path): boolean {
  let at = from;
  for (let m = get(s.mounts, at.mnt); at.mnt !== to.mnt && m.parent !== 0; m = get(s.mounts, at.mnt))
    at = { mnt: m.parent, d: m.point };
  return at.mnt === to.mnt && isBelow(s, at.d, to.d);
}

/** pivot_root(2): both moves, and the root and perhaps the working directory of the context, at once. */
function* sysPivotRoot(me: Me, { path, path2 }: A["sysPivotRoot"]): Steps<number | string> {
  const denied = yield* mayMount(me);
  if (denied) return denied;
  const bad = badPath(path) ?? badPath(path2);
  if (bad) return bad;
  const to = yield* lookup(me, { path }, { directory: true });
  if (isError(to)) return to;
  const put = yield* lookup(me, { path: path2 }, { directory: true, slot: 1 });
  if (isError(put)) return put;
  const run = (s: State): 0 | string => {
    const { root, cwd } = get(s.contexts, me.ctx);
    const on = topOf(s, put);
    const [old, mount] = [get(s.mounts, root.mnt), get(s.mounts, to.mnt)];
    if (isGone(s, on.d)) return "ENOENT";
    if ([root.mnt, to.mnt, on.mnt].some((m) => isDetached(s, m))) return "EINVAL";
    if ([on.mnt, mount.parent, old.parent].some((m) => s.mounts.get(m)?.group !== undefined)) return "EINVAL";
    if (!get(s.dentries, to.d).hashed) return "ENOENT";
    if (to.mnt === root.mnt || on.mnt === root.mnt) return "EBUSY";
    if (old.root !== root.d || old.parent === 0 || mount.root !== to.d || mount.parent === 0) return "EINVAL";
    if (!isReachable(s, on, to) || !isReachable(s, to, root)) return "EINVAL";
    // The former root is referenced until the end of the call.
    hold(s, me, 2, root.mnt);
    patch(s.mounts, to.mnt, { parent: old.parent, point: old.point });
    patch(s.mounts, root.mnt, { parent: on.mnt, point: on.d });
    const now = { mnt: to.mnt, d: to.d };
    const moves = cwd.mnt === root.mnt && cwd.d === root.d;
    patch(s.contexts, me.ctx, { root: now, ...(moves && { cwd: now }) });
    return 0;
  };
  return yield* change(me, [{ locks: (s) => ["namespace", mutexOf(s, topOf(s, put).d)], run }]);
}

/** Whether a context has a place or an open file in a mount, or another mount stands on it. */
function isUsed(s: State, m: number, covered = false): boolean {
  for (const { root, cwd, fds, closed } of s.contexts.values()) {
    if (closed) continue;
    if (root.mnt === m || cwd.mnt === m) return true;
    if (Object.values(fds).some((id) => s.files.get(id)?.mnt === m)) return true;
  }
  if (covered) return false;
  for (const { parent } of s.mounts.values()) if (parent === m) return true;
  return false;
}

/** Whether another operation that is under way references the mount, or one from which a mount that it makes may come to stand in this one. */
function isHeld(s: State, me: Me, m: number): boolean {
  for (const [key, mnt] of s.held) if ((mnt === m || receives(s, mnt, m)) && !key.startsWith(`${me.id} `)) return true;
  return false;
}

/**
 * umount2(2). A walk of another thread references the mount at that moment, unless it is in rcu mode. So EBUSY is one of two right
 * results while another operation is in the mount. A race gives no other error.
 */
function* sysUmount(me: Me, { path, flags = 0 }: A["sysUmount"]): Steps<number | string> {
  const bad = badPath(path);
  if (bad) return bad;
  if (flags & ~(MNT_DETACH | MNT_EXPIRE | MNT_FORCE | UMOUNT_NOFOLLOW)) return "EINVAL";
  me.unmounts = true;
  const at = yield* lookup(me, { path, nofollow: (flags & UMOUNT_NOFOLLOW) !== 0 });
  me.unmounts = false;
  if (isError(at)) return at;
  const denied = yield* mayMount(me);
  if (denied) return denied;
  const detach = (flags & MNT_DETACH) !== 0;
  const expire = (flags & MNT_EXPIRE) !== 0;
  const refused = yield* step((s) => {
    if (get(s.mounts, at.mnt).root !== at.d) return "EINVAL";
    if (expire && (callerOf(s, me).root.mnt === at.mnt || flags & (MNT_DETACH | MNT_FORCE))) return "EINVAL";
    return isNamespace(s, at.mnt) ? (detach ? "EINVAL" : "EBUSY") : 0;
  });
  if (refused) return refused;
  if (!detach) {
    const busy = yield* choice((s) =>
      [at.mnt, ...goesToo(s, [at.mnt])].some((m) => isHeld(s, me, m)) ? [true, false] : [false],
    );
    const off = (s: State) => {
      const m = get(s.mounts, at.mnt);
      if (m.parent === 0) return "EINVAL";
      if (isUsed(s, at.mnt)) return "EBUSY";
      if (expire && !m.expire) {
        patch(s.mounts, at.mnt, { expire: true });
        return "EAGAIN";
      }
      const too = goesToo(s, [at.mnt]);
      for (const one of too) if (isUsed(s, one, true)) return "EBUSY";
      for (const one of [at.mnt, ...too]) detachMount(s, one);
      return 0;
    };
    return busy ? "EBUSY" : yield* change(me, [{ locks: () => ["namespace"], run: off }]);
  }
  return yield* detachTree(me, at.mnt);
}

/** Detaches a mount and the mounts on it, with what else goes, leaves first, one directory a step, under the namespace lock. */
function* detachTree(me: Me, mnt: number): Steps<number | string> {
  let left: number[] | undefined;
  me.changes = true;
  for (;;) {
    const r = yield* step((s): { left: number[] } | string | typeof BLOCKED => {
      if ((s.locks.get("namespace") ?? me.id) !== me.id) return BLOCKED;
      if (left === undefined && get(s.mounts, mnt).parent === 0) return "EINVAL";
      const tree = treeOf(s, mnt);
      const all = left ?? [...tree, ...goesToo(s, tree)];
      const isLeaf = (m: number) => ![...s.mounts.values()].some(({ parent }) => parent === m && all.includes(parent));
      const leaf = all.find((m) => isLeaf(m)) ?? mnt;
      const { point } = get(s.mounts, leaf);
      const now = all.filter((m) => get(s.mounts, m).point === point && (isLeaf(m) || m === leaf));
      for (const m of now) detachMount(s, m);
      const rest = all.filter((m) => !now.includes(m));
      if (rest.length > 0) s.locks.set("namespace", me.id);
      else s.locks.delete("namespace");
      return { left: rest };
    });
    if (isError(r)) return r;
    if (r.left.length === 0) return 0;
    left = r.left;
  }
}

/** Frees unused memory: no call sees a difference. The number of objects freed is not specified. */
function* shrink(): Steps<{ any: true }> {
  return yield* step((): { any: true } => ({ any: true }));
}

/** A copy of the arena: no call sees a difference. Whether it is possible at that moment is not specified. */
const arenaCopy = shrink;

export const MOUNT_CALLS = {
  sysMount,
  sysMountNew,
  sysMounts,
  sysPivotRoot,
  sysRemount,
  sysInvalidate,
  sysUmount,
  shrink,
  arenaCopy,
};
