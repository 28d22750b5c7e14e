/**
 * The system calls of the model that put file systems into the tree and take them off: generators of steps, as in calls.js.
 */
import { MNT_DETACH } from "../../../threadfs/dist/abi/abi.js";
import { S_IFDIR, S_IFREG } from "../support/linux.js";
import { badPath, CAP_SYS_ADMIN, lookup, who } from "./calls.js";
import {
  addName,
  BLOCKED,
  capable,
  change,
  inodeOf,
  isDir,
  isError,
  mountedOn,
  mutexOf,
  newFilesystem,
  newInode,
  newMount,
  patch,
} from "./model.js";

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
    return isDetached(s, mnt) ? "EINVAL" : make(s, mnt, d);
  };
  return yield* change(me, [{ locks: (s) => ["namespace", mutexOf(s, top(s).d)], run }]);
}

/** What was unmounted lazily takes no mount, and is bound nowhere. */
const isDetached = (s, m) => s.mounts.get(m).parent === 0 && m !== s.rootMount;

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
    if (isDetached(s, from.mnt)) return "EINVAL";
    const old = s.mounts.get(from.mnt);
    return newMount(s, old.fs, from.d, { readonly: readonly || old.readonly, noexec: noexec || old.noexec });
  };
  if (isError(m)) return m;
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

export const MOUNT_CALLS = { sysMount, sysMountNew, sysUmount, shrink };
