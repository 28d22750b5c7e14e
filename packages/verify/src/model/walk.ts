/** The path walk of the model: one component a step, in Linux's order. */
import {
  MAY_EXEC,
  NAME_MAX,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../../threadfs/dist/abi/abi.js";
import { MAXSYMLINKS } from "../../../threadfs/dist/generated/core-layout.js";

import { isError } from "./call.js";
import { uppermostBelow } from "./linux/mountpoints.js";
import { accessed, permission } from "./permission.js";
import {
  addName,
  child,
  dropName,
  get,
  inodeOf,
  isBelow,
  isDir,
  mountedOn,
  type Path,
  patch,
  type State,
  shown,
} from "./state.js";
import { BLOCKED, hold, type Me, type Steps, step } from "./steps.js";

/** A path in its components; `slash`: it ends in one. */
function parse(path: string): { absolute: boolean; names: string[]; slash: boolean } {
  const names = path.split("/").filter((name) => name !== "");
  return { absolute: path.startsWith("/"), names, slash: names.length > 0 && path.endsWith("/") };
}

const isPlain = (name: string) => name !== "." && name !== "..";

/** A place reached by a walk, with what never changes about it. */
export interface Place extends Path {
  dir: boolean;
  /** The body of a link. */
  body: string | undefined;
}
/** The directory of a path's last component. */
export interface Parent extends Place {
  /** The last component; undefined: the path has none. */
  last: string | undefined;
  /** Whether a slash follows it. */
  slash: boolean;
  nd: Nameidata;
}
/** The state of a walk that another walk may continue. */
export interface Nameidata {
  links: number;
  root: Place | undefined;
  at?: Place;
  rules: Rules;
}

/** What a walk may pass, by its call and by its context. */
interface Rules {
  /** RESOLVE_* */
  flags: number;
  /** The walk's root is where it starts, in place of the context's. */
  scoped: boolean;
}

/** A place outside of the walk's root, which it may have come to by a rename. */
const OUTSIDE = "outside";
/** How often a walk begins again that was led out: more often than other operations of a scenario move something. */
const TRIES = 3;
const ROOTS = RESOLVE_BENEATH | RESOLVE_IN_ROOT;

function rulesOf(s: State, me: Me, resolve: number): Rules {
  const { resolve: always = 0 } = get(s.contexts, me.ctx);
  const scoped = (resolve & ROOTS) !== 0;
  return { flags: scoped ? resolve | (always & ~ROOTS) : resolve | always, scoped };
}

const isBeneath = ({ flags }: Rules): boolean => (flags & RESOLVE_BENEATH) !== 0;
/** What is outside is an error; a context with RESOLVE_IN_ROOT alone keeps what it has there. */
const isFenced = (rules: Rules): boolean => rules.scoped || isBeneath(rules);

interface Want {
  /** Follow a link at the end. */
  follow?: boolean;
  /** The path must lead to a directory. */
  directory?: boolean;
  /** Walk only to the directory of the last component. */
  parent?: boolean;
  /** 0: the first path of a call, 1: the second. */
  slot?: number;
  /** Continue from there: the body of a link in an open with O_CREAT. */
  from?: Nameidata | undefined;
  /** RESOLVE_* of the call. */
  resolve?: number;
}

/** Walks a path, one component at a time; begins again if it was led out of its root. @returns the place, or an error */
export function walk(
  me: Me,
  dirfd: number | undefined,
  path: string,
  want: Want & { parent: true },
): Steps<Parent | string>;
export function walk(me: Me, dirfd: number | undefined, path: string, want: Want): Steps<Place | string>;
export function* walk(me: Me, dirfd: number | undefined, path: string, want: Want): Steps<Parent | Place | string> {
  for (let n = 1; ; n++) {
    const at = yield* walkOnce(me, dirfd, path, want);
    if (at !== OUTSIDE) return at;
    if (n === TRIES || want.from) return "EXDEV";
  }
}

function* walkOnce(me: Me, dirfd: number | undefined, path: string, want: Want): Steps<Parent | Place | string> {
  const at = yield* walkTo(me, dirfd, path, want);
  if (isError(at)) return at;
  const { nd, to } = at;
  if (path === "" || !isFenced(nd.rules)) return to;
  const root = yield* rootOf(me, nd);
  return (yield* step((s) => mayBeAt(s, nd.rules, to, root))) ? to : OUTSIDE;
}

function* walkTo(
  me: Me,
  dirfd: number | undefined,
  path: string,
  want: Want,
): Steps<{ nd: Nameidata; to: Parent | Place } | string> {
  const { slot = 0, parent = false, resolve = 0 } = want;
  const parsed = parse(path);
  const nd: Nameidata = want.from ?? {
    links: 0,
    root: undefined,
    rules: yield* step((s) => rulesOf(s, me, resolve)),
  };
  const { flags } = nd.rules;
  let { names: todo, slash } = parsed;
  let { follow = false, directory = false } = want;
  const begin = want.from && !parsed.absolute ? nd.at : yield* start(me, nd, dirfd, path, slot);
  if (begin === undefined || isError(begin)) return begin ?? "ENOENT";
  let at: Place = begin;
  for (let name = todo[0]; name !== undefined; name = todo[0]) {
    if (!me.searches) {
      const here = at;
      const denied = yield* step((s) => permission(s, me, inodeOf(s, here.d), MAY_EXEC));
      if (denied) return denied;
    }
    const rest = todo.slice(1);
    const isLast = rest.length === 0;
    if (name.length > NAME_MAX && !(parent && isLast)) {
      const here = at;
      return yield* step((s) => (inodeOf(s, here.d).dead ? "ENOENT" : "ENAMETOOLONG"));
    }
    if (parent && isLast) return { nd, to: { ...at, last: name, slash, nd: { ...nd, at } } };
    if (isLast && slash && isPlain(name)) {
      follow = true;
      directory = true;
    }
    todo = rest;
    if (name === ".") continue;
    const to: Path | string = name === ".." ? yield* dotdot(me, nd, at, slot) : yield* look(me, at, name);
    if (isError(to)) return to;
    const on = yield* cross(me, to, slot);
    if (flags & RESOLVE_NO_XDEV && on.mnt !== at.mnt) return "EXDEV";
    if (on.body !== undefined && (!isLast || follow)) {
      if (nd.links === MAXSYMLINKS || flags & RESOLVE_NO_SYMLINKS) return "ELOOP";
      nd.links += 1;
      const refused = yield* step((s) => get(s.mounts, on.mnt).flags.nosymfollow === true);
      if (refused) return "ELOOP";
      yield* step((s) => void accessed(s, on.mnt, get(s.dentries, on.d).ino));
      const inner = parse(on.body);
      if (inner.absolute) {
        if (isBeneath(nd.rules)) return "EXDEV";
        const root = yield* rootOf(me, nd);
        if (flags & RESOLVE_NO_XDEV && root.mnt !== at.mnt) return "EXDEV";
        at = root;
      }
      if (isLast) slash = inner.slash;
      todo = [...inner.names, ...rest];
    } else if (isLast || on.dir) {
      at = on;
    } else {
      return "ENOTDIR";
    }
  }
  if (directory && !at.dir) return "ENOTDIR";
  return { nd, to: parent ? { ...at, last: undefined, slash, nd } : at };
}

/** A dentry in a mount as a place. */
export function placeOf(s: State, mnt: number, d: number): Place {
  const inode = inodeOf(s, d);
  return { mnt, d, dir: isDir(inode), body: inode.body };
}

/** Root, working directory or descriptor. */
function* start(me: Me, nd: Nameidata, dirfd: number | undefined, path: string, slot: number): Steps<Place | string> {
  const { flags, scoped } = nd.rules;
  const absolute = path.startsWith("/");
  if (absolute && scoped && flags & RESOLVE_BENEATH) return "EXDEV";
  if (absolute && !scoped) return yield* rootOf(me, nd);
  const at = yield* startAt(me, dirfd, path, slot);
  if (isError(at) || path === "") return at;
  const always = yield* step((s) => get(s.contexts, me.ctx).resolve ?? 0);
  if (always & RESOLVE_BENEATH) {
    const root = yield* step((s) => get(s.contexts, me.ctx).root);
    const inside = yield* step((s) => mayBeAt(s, { flags: RESOLVE_BENEATH, scoped: false }, at, root));
    if (!inside) return "EXDEV";
  }
  if (scoped) nd.root = at;
  return at;
}

function* startAt(me: Me, dirfd: number | undefined, path: string, slot: number): Steps<Place | string> {
  return yield* step((s) => {
    const { cwd, fds } = get(s.contexts, me.ctx);
    const file = dirfd === undefined ? undefined : s.files.get(fds[dirfd] ?? 0);
    if (dirfd !== undefined && file === undefined) return "EBADF";
    const { mnt, d } = file ?? cwd;
    const at = placeOf(s, mnt, d);
    if (path !== "" && !at.dir) return "ENOTDIR";
    hold(s, me, slot, mnt);
    return at;
  });
}

/** The root of the context, which a walk reads once. */
function* rootOf(me: Me, nd: Nameidata): Steps<Place> {
  nd.root ??= yield* step((s) => {
    const { mnt, d } = get(s.contexts, me.ctx).root;
    return placeOf(s, mnt, d);
  });
  return nd.root;
}

function* look(me: Me, { mnt, d }: Path, name: string): Steps<Path | string> {
  for (;;) {
    const found = yield* step((s): Path | string | { stale: number } => {
      if (get(s.filesystems, inodeOf(s, d).fs).names !== undefined) return lookByNumber(s, mnt, d, name);
      const known = child(s, d, name);
      return known === undefined ? "ENOENT" : { mnt, d: known };
    });
    if (isError(found) || !("stale" in found)) return found;
    yield* invalidate(me, d, name, found.stale);
  }
}

/**
 * A lookup where a directory may have several names: its only dentry moves to this one, and not below itself. `stale`: the cache
 * has another node under the name.
 */
function lookByNumber(s: State, mnt: number, d: number, name: string): Path | string | { stale: number } {
  const ino = shown(s, d, name);
  const known = child(s, d, name);
  if (known !== undefined && get(s.dentries, known).ino !== ino) return { stale: known };
  if (ino === undefined) return "ENOENT";
  if (known !== undefined) return { mnt, d: known };
  const other = isDir(get(s.inodes, ino)) ? dentryOfDirectory(s, ino) : undefined;
  if (other === undefined) return { mnt, d: addName(s, d, name, ino) };
  if (isBelow(s, d, other)) return "ELOOP";
  if (get(s.dentries, other).hashed) dropName(s, other);
  addName(s, d, name, ino, other);
  return { mnt, d: other };
}

function dentryOfDirectory(s: State, ino: number): number | undefined {
  for (const [id, dentry] of s.dentries) if (dentry.ino === ino) return id;
  return undefined;
}

/** d_invalidate(): detaches the mounts on a stale dentry and below it, one a step, under the namespace lock; then it loses its name. */
function* invalidate(me: Me, d: number, name: string, stale: number): Steps<void> {
  for (let more = true; more; ) {
    more = yield* step((s): boolean | typeof BLOCKED => {
      const there = child(s, d, name) === stale;
      const top = there ? uppermostBelow(s, stale) : undefined;
      if (top !== undefined) {
        if ((s.locks.get("namespace") ?? me.id) !== me.id) return BLOCKED;
        s.locks.set("namespace", me.id);
        patch(s.mounts, top, { parent: 0, point: 0 });
        return true;
      }
      if (there) dropName(s, stale);
      if (s.locks.get("namespace") === me.id) s.locks.delete("namespace");
      return false;
    });
  }
}

/**
 * "..": never above the root, up over mounts, and not out of a bind mount whose directory was moved away. In a context that stays in
 * its root it leads nowhere else, whatever has been moved.
 */
function* dotdot(me: Me, nd: Nameidata, at: Place, slot: number): Steps<Path | string> {
  const root = yield* rootOf(me, nd);
  const isRoot = ({ mnt, d }: Path) => mnt === root.mnt && d === root.d;
  const { rules } = nd;
  const stay = isBeneath(rules) ? OUTSIDE : at;
  if (isRoot(at)) return stay;
  const from = yield* step((s): Path | { stay: true } => {
    let { mnt, d } = at;
    if (d === get(s.mounts, mnt).root && !mayBeAt(s, rules, at, root)) return { stay: true };
    while (d === get(s.mounts, mnt).root) {
      const m = get(s.mounts, mnt);
      if (m.parent === 0) return { stay: true };
      mnt = m.parent;
      d = m.point;
      if (isRoot({ mnt, d })) return { stay: true };
    }
    hold(s, me, slot, mnt);
    return { mnt, d };
  });
  if ("stay" in from) return stay;
  if (rules.flags & RESOLVE_NO_XDEV && from.mnt !== at.mnt) return "EXDEV";
  const up = yield* step((s) => get(s.dentries, from.d).parent);
  const allowed = yield* step((s) => mayBeAt(s, rules, { mnt: from.mnt, d: up }, root));
  if (!allowed && isFenced(rules)) return OUTSIDE;
  if (!allowed) return from.mnt === at.mnt ? at : "ENOENT";
  const connected = yield* step((s) => isBelow(s, up, get(s.mounts, from.mnt).root));
  return connected ? { mnt: from.mnt, d: up } : "ENOENT";
}

/** Whether ".." may lead there: anywhere, or, in a context that stays in its root, to the root and below it. */
function mayBeAt(s: State, { flags }: Rules, { mnt, d }: Path, root: Path): boolean {
  if ((flags & ROOTS) === 0) return true;
  for (let at = { mnt, d }; ; ) {
    if (at.mnt === root.mnt) return isBelow(s, at.d, root.d);
    const m = get(s.mounts, at.mnt);
    if (m.parent === 0) return false;
    at = { mnt: m.parent, d: m.point };
  }
}

/** Down onto the mounts that stand here, one mount a step. */
export function* cross(me: Me, to: Path, slot: number): Steps<Place> {
  let at = to;
  for (;;) {
    const here = at;
    const next = yield* step((s): Path | { end: Place } => {
      const mnt = mountedOn(s, here.mnt, here.d);
      if (mnt === undefined) return { end: placeOf(s, here.mnt, here.d) };
      hold(s, me, slot, mnt);
      // An umount does not use the mount that it ends at, but it uses those that it leaves.
      const used = me.unmounts ? here.mnt : mnt;
      if (get(s.mounts, used).expire) patch(s.mounts, used, { expire: false });
      return { mnt, d: get(s.mounts, mnt).root };
    });
    if ("end" in next) return next.end;
    at = next;
  }
}
