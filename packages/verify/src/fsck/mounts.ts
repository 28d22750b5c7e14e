/** Super blocks, drivers, mounts: the tree of mounts, the table, the list, and their references. */
import * as L from "../arena/layout.js";
import { type ArenaView, hex } from "./arena-view.js";
import { xattrsAt } from "./inodes.js";

const { MOUNT: M, SUPER: S, DENTRY: D, INODE: I } = L;

/** A super block for a message. */
const superBlock = (sb: number) => `super block ${hex(sb)}`;
/** A mount for a message. */
const mount = (m: number) => `mount ${hex(m)}`;

export function checkDrivers(v: ArenaView) {
  const mounted = new Map<number, number>();
  for (const sb of v.live(L.CACHE_SUPER)) {
    const driver = v.u32(sb + S.driver);
    if (driver !== 0) mounted.set(driver, (mounted.get(driver) ?? 0) + 1);
  }
  const names = new Set<string>();
  for (let n = 0; n < L.MAX_DRIVERS; n++) {
    const e = L.DRIVERS + n * L.DRIVER_SIZE;
    const state = v.u32(e + L.DRIVER_STATE);
    v.expect(state <= 1, "driver", () => `the state of driver ${n} is ${state}`);
    if (state === 0) continue;
    const slot = n + 1;
    const count = mounted.get(slot) ?? 0;
    mounted.delete(slot);
    v.equal(v.u32(e + L.DRIVER_MOUNTED), count, "driver", () => `the number of file systems of driver ${n}`);
    const length = v.u32(e + L.DRIVER_NAME_LEN);
    if (length === 0 || length > L.DRIVER_NAME_MAX) v.problem("driver", `the name of driver ${n} has ${length} bytes`);
    const name = v.bytes.slice(e + L.DRIVER_NAME, e + L.DRIVER_NAME + Math.min(length, L.DRIVER_NAME_MAX)).join();
    if (names.has(name)) v.problem("driver", `driver ${n} has the name of another`);
    names.add(name);
  }
  for (const number of mounted.keys())
    v.problem("driver", `a file system belongs to driver ${hex(number)}, which is not there`);
}

export function checkSupers(v: ArenaView) {
  const live = v.live(L.CACHE_SUPER);
  v.counts.supers = live.length;
  const devices = new Set<bigint>();
  for (const sb of live) {
    const dev = v.u64(sb + S.dev);
    if (dev === 0n || dev > v.u64(L.G_NEXT_DEV) || devices.has(dev)) {
      v.problem("super", `${superBlock(sb)} has the device number ${dev}`);
    }
    devices.add(dev);
    const active = v.live(L.CACHE_MOUNT).filter((m) => v.u32(m + M.sb) === sb).length;
    v.equal(v.u32(sb + S.active), active, "super-active", () => `the number of mounts of ${superBlock(sb)}`);
    if (active === 0) v.problem("leak", `${superBlock(sb)} has no mount`);
    v.expect(v.u32(sb + S.readonly) <= 1, "super", () => `readonly of ${superBlock(sb)} is ${v.u32(sb + S.readonly)}`);
    const source = v.u32(sb + L.SUPER_SOURCE_LEN);
    v.expect(source <= L.MOUNT_SOURCE_MAX, "super", () => `the source of ${superBlock(sb)} has ${source} bytes`);
    checkHooks(v, sb);
  }
}

/** The hooks that a super block copied from its driver. */
function checkHooks(v: ArenaView, sb: number) {
  const driver = v.u32(sb + S.driver);
  let hooks = 0;
  let fsFlags = 0;
  let flags = L.D_NO_CACHE;
  if (driver !== 0) {
    const e = L.DRIVERS + (driver - 1) * L.DRIVER_SIZE;
    hooks = v.u32(e + L.DRIVER_HOOKS);
    fsFlags = v.u32(e + L.DRIVER_FS_FLAGS);
    const bits = [
      [L.HOOK.HASH, L.D_OP_HASH],
      [L.HOOK.COMPARE, L.D_OP_COMPARE],
      [L.HOOK.REVALIDATE, L.D_OP_REVALIDATE],
      [L.HOOK.DELETE, L.D_OP_DELETE],
    ] as const;
    flags = 0;
    for (const [hook, flag] of bits) if (hooks & hook) flags |= flag;
    if (fsFlags & L.FS_REVAL_DOT) flags |= L.D_REVAL_DOT;
    if (fsFlags & L.FS_GENERATION) flags |= L.D_GENERATION;
  }
  v.equal(v.u32(sb + S.hooks), hooks, "super", () => `hooks of ${superBlock(sb)}`);
  v.equal(v.u32(sb + S.fsFlags), fsFlags, "super", () => `fsFlags of ${superBlock(sb)}`);
  v.equal(v.u32(sb + S.dflags), flags, "super", () => `dflags of ${superBlock(sb)}`);
}

/** Runs before the trees are walked: the references that mounts hold, and each mount by itself; does not check dentries. */
export function checkMounts(v: ArenaView) {
  const live = v.live(L.CACHE_MOUNT);
  const root = v.u32(L.G_ROOT_MNT);
  v.counts.mounts = live.length;
  v.equal(v.u32(L.G_NR_MOUNTS), live.length, "gauge", () => "the gauge of mounts");
  const ids = new Set<bigint>();
  if (!v.isLive(L.CACHE_MOUNT, root)) v.problem("mount", `the root mount is ${hex(root)}: no live mount`);
  for (const m of live) {
    const flags = v.u32(m + M.flags);
    const times = L.MS_NOATIME | L.MS_STRICTATIME;
    if (flags & ~(L.MOUNT_FLAGS | L.MS_UNBINDABLE) || (flags & times) === times)
      v.problem("mount", `${mount(m)} has flags ${flags}`);
    v.expect(v.u32(m + M.expire) <= 1, "mount", () => `the mark of ${mount(m)} is ${v.u32(m + M.expire)}`);
    const id = v.u64(m + M.id);
    if (id === 0n || id > v.u64(L.G_NEXT_MNT_ID) || ids.has(id)) v.problem("mount", `${mount(m)} has the number ${id}`);
    ids.add(id);
    v.ref(v.u32(m + M.root), "root of a mount");
    const parent = v.u32(m + M.parent);
    if (parent === m) {
      if (isNamespace(v, m) && m !== root) v.ref(m, "tree of mounts");
      continue;
    }
    if (!v.isLive(L.CACHE_MOUNT, parent)) {
      v.problem("mount-parent", `${mount(m)} stands on ${hex(parent)}: no live mount`);
      continue;
    }
    v.ref(v.u32(m + M.mountpoint), "mount point");
    v.ref(parent, "mount on it");
    v.ref(m, "tree of mounts");
  }
  v.ref(root, "root of everything");
}

/** Whether a mount is the root of a namespace. */
const isNamespace = (v: ArenaView, m: number) => v.u32(m + M.nrMounts) !== 0;

/** Whether a mount is in a tree: it stands on another, or is the root of a namespace. */
const isPlaced = (v: ArenaView, m: number) => v.u32(m + M.parent) !== m || isNamespace(v, m);

/** Namespaces: each has as many mounts as the way up leads to it from, and is the tree's or a context's. */
function checkNamespaces(v: ArenaView, live: number[]) {
  const sizes = new Map<number, number>();
  for (const m of live) {
    const top = followMounts(v, m, M.parent).at(-1) ?? m;
    sizes.set(top, (sizes.get(top) ?? 0) + 1);
  }
  for (const m of live) {
    const n = v.u32(m + M.nrMounts);
    if (n === 0) continue;
    v.equal(n, sizes.get(m) ?? 0, "mount-namespace", () => `the number of mounts in the namespace of ${mount(m)}`);
    if (n > L.MOUNTS_MAX) v.problem("mount-namespace", `the namespace of ${mount(m)} has ${n} mounts`);
    const used = v.refsOf(m).some((why) => why.startsWith("namespace of "));
    if (m !== v.u32(L.G_ROOT_MNT) && !used) v.problem("mount-namespace", `no context has the namespace of ${mount(m)}`);
  }
  const root = v.u32(L.G_ROOT_MNT);
  if (v.isLive(L.CACHE_MOUNT, root) && !isNamespace(v, root))
    v.problem("mount-namespace", "the root mount is no namespace");
}

/** Runs when the trees of dentries are known: mount points, counts, table and list. */
export function checkPlaces(v: ArenaView) {
  const live = v.live(L.CACHE_MOUNT);
  const on = new Map<number, number>();
  const kids = new Map<number, number>();
  for (const m of live) {
    const [root, sb] = [v.u32(m + M.root), v.u32(m + M.sb)];
    const [parent, place] = [v.u32(m + M.parent), v.u32(m + M.mountpoint)];
    if (!v.isLive(L.CACHE_SUPER, sb)) v.problem("mount", `${mount(m)} is of ${hex(sb)}: no live super block`);
    if (!v.tree.has(root)) v.problem("mount", `the root of ${mount(m)} is ${hex(root)}: no live dentry`);
    else v.equal(v.u32(root + D.sb), sb, "mount", () => `the super block of the root of ${mount(m)}`);
    if (parent === m) {
      v.equal(place, root, "mount-parent", () => `the place of ${mount(m)}, which stands nowhere,`);
      continue;
    }
    kids.set(parent, (kids.get(parent) ?? 0) + 1);
    on.set(place, (on.get(place) ?? 0) + 1);
    checkPlace(v, m, place, parent);
  }
  for (const m of live) {
    v.equal(v.u32(m + M.nrChildren), kids.get(m) ?? 0, "mount-children", () => `the number of mounts on ${mount(m)}`);
    const count = m === v.u32(L.G_ROOT_MNT) ? v.sum(m + M.count, L.SLOT_ROOT_COUNT) : v.i32(m + M.count);
    v.equal(count, v.refsOf(m).length, "mount-count", () => `the count of ${mount(m)} (${v.refsOf(m)})`);
  }
  for (const d of v.tree)
    v.equal(v.u32(d + D.mounts), on.get(d) ?? 0, "dentry-mounts", () => `the number of mounts on ${v.dentry(d)}`);
  checkMountTable(v, live);
  checkMountList(v, live);
  checkMountReach(v, live);
  checkNamespaces(v, live);
  checkGroups(v, live);
}

/** The mounts that a list leads to from `first`, until it ends, comes back or leaves the live mounts. */
function followMounts(v: ArenaView, first: number, next: number): number[] {
  const found: number[] = [];
  for (let m = first; v.isLive(L.CACHE_MOUNT, m) && !found.includes(m); m = v.u32(m + next)) found.push(m);
  return found;
}

/** Peer groups and slaves: rings of one number and one master each, lists of slaves of the shared, and no circle of masters. */
function checkGroups(v: ArenaView, live: number[]) {
  const numbers = new Map<bigint, number>();
  for (const m of live) {
    const group = v.u64(m + M.group);
    const [peers, slaves] = [followMounts(v, m, M.peerNext), followMounts(v, v.u32(m + M.slaves), M.slaveNext)];
    const master = v.u32(m + M.master);
    const last = peers.at(-1) ?? m;
    v.equal(v.u32(last + M.peerNext), m, "mount-group", () => `where the ring of peers of ${mount(m)} ends`);
    if (group > v.u64(L.G_NEXT_MNT_ID)) v.problem("mount-group", `${mount(m)} is in group ${group}`);
    for (const peer of peers) {
      if (v.u64(peer + M.group) !== group)
        v.problem("mount-group", `${mount(m)} and its peer ${mount(peer)} are in two groups`);
      v.equal(
        v.u32(peer + M.master),
        master,
        "mount-master",
        () => `the master of ${mount(peer)}, a peer of ${mount(m)},`,
      );
    }
    if (group === 0n && (peers.length > 1 || slaves.length > 0)) v.problem("mount-group", `${mount(m)} is not shared`);
    const first = numbers.get(group) ?? m;
    if (group !== 0n && !followMounts(v, first, M.peerNext).includes(m))
      v.problem("mount-group", `${mount(m)} is in the group of ${mount(first)}, and not in its ring`);
    if (group !== 0n) numbers.set(group, first);
    for (const slave of slaves)
      v.equal(v.u32(slave + M.master), m, "mount-master", () => `the master of ${mount(slave)}`);
    if (v.u32(m + M.flags) & L.MS_UNBINDABLE && (group !== 0n || master !== 0))
      v.problem("mount-group", `${mount(m)} is unbindable, and shared or a slave`);
    if (master === 0)
      v.equal(v.u32(m + M.slaveNext), 0, "mount-master", () => `the next slave behind ${mount(m)}, which is none,`);
    else if (!followMounts(v, v.u32(master + M.slaves), M.slaveNext).includes(m))
      v.problem("mount-master", `${mount(m)} is not among the slaves of ${mount(master)}`);
    const above = followMounts(v, m, M.master);
    if (v.u32((above.at(-1) ?? m) + M.master) !== 0) v.problem("mount-master", `the masters of ${mount(m)} go round`);
    if (!isPlaced(v, m) && (group !== 0n || master !== 0))
      v.problem("mount-group", `${mount(m)} stands nowhere, and in a group`);
  }
}

function checkPlace(v: ArenaView, m: number, place: number, parent: number) {
  if (!v.tree.has(place)) {
    v.problem("mount-place", `${mount(m)} stands on ${hex(place)}: no live dentry`);
    return;
  }
  const isDir = (d: number) => (v.u32(d + D.flags) & L.D_TYPE) === L.D_DIRECTORY;
  v.equal(
    isDir(place),
    isDir(v.u32(m + M.root)),
    "mount-place",
    () => `whether the place of ${mount(m)} is a directory`,
  );
  v.equal(v.u32(place + D.sb), v.u32(parent + M.sb), "mount-place", () => `the file system that ${mount(m)} stands in`);
  checkPathTo(v, m, place);
}

/** A mount below a removed directory could not be unmounted: no path leads there. */
function checkPathTo(v: ArenaView, m: number, place: number) {
  let d = place;
  for (let left = v.tree.size; left > 0 && v.tree.has(d) && v.u32(d + D.parent) !== d; left--) {
    if (v.u32(d + D.flags) & L.D_UNHASHED) {
      v.problem("mount-place", `${mount(m)} stands on ${v.dentry(place)}, and ${v.dentry(d)} is not hashed`);
      return;
    }
    d = v.u32(d + D.parent);
  }
}

function checkMountTable(v: ArenaView, live: number[]) {
  const seen = new Set<number>();
  const places = new Set<string>();
  for (let b = 0; b < L.MOUNT_HASH; b++) {
    for (let m = v.u32(L.MOUNT_HEADS + b * 4); m !== 0; m = v.u32(m + M.hashNext)) {
      if (!v.isLive(L.CACHE_MOUNT, m) || seen.has(m)) {
        v.problem("mount-table", `${hex(m)} in chain ${b} is ${seen.has(m) ? "in a chain already" : "no live mount"}`);
        break;
      }
      seen.add(m);
      const [parent, place] = [v.u32(m + M.parent), v.u32(m + M.mountpoint)];
      const hash = (Math.imul(parent >>> 7, 0x9e3779b1) + Math.imul(place >>> 7, 0x85ebca6b)) >>> 16;
      const at = m;
      v.equal(b, hash & (L.MOUNT_HASH - 1), "mount-table", () => `the chain of ${mount(at)}`);
      const key = `${parent} ${place}`;
      if (places.has(key)) v.problem("mount-table", `${mount(m)} stands where another does`);
      places.add(key);
    }
  }
  for (const m of live) {
    v.equal(seen.has(m), v.u32(m + M.parent) !== m, "mount-table", () => `whether ${mount(m)} is in the table`);
  }
}

function checkMountList(v: ArenaView, live: number[]) {
  const seen = new Set<number>();
  let prev = 0;
  for (let m = v.u32(L.G_MOUNTS); m !== 0; m = v.u32(m + M.allNext)) {
    if (!v.isLive(L.CACHE_MOUNT, m) || seen.has(m)) {
      v.problem("mount-list", `${hex(m)} in the list of mounts is ${seen.has(m) ? "there twice" : "no live mount"}`);
      break;
    }
    seen.add(m);
    const at = m;
    v.equal(v.u32(m + M.allPrev), prev, "mount-list", () => `what is before ${mount(at)}`);
    prev = m;
  }
  for (const m of live) {
    v.equal(seen.has(m), isPlaced(v, m), "mount-list", () => `whether ${mount(m)} is in the list`);
  }
}

/** A mount that only others of its own kind hold would stay for ever: the way up leads to the root, or to one that is in use. */
function checkMountReach(v: ArenaView, live: number[]) {
  const root = v.u32(L.G_ROOT_MNT);
  const used = (m: number) => v.refsOf(m).some((why) => why !== "mount on it" && why !== "tree of mounts");
  const kids = new Map();
  for (const m of live) {
    const parent = v.u32(m + M.parent);
    if (parent !== m) kids.set(parent, [...(kids.get(parent) ?? []), m]);
  }
  const reached = new Set<number>();
  const todo = live.filter((m) => m === root || used(m));
  for (let m = todo.pop(); m !== undefined; m = todo.pop()) {
    if (reached.has(m)) continue;
    reached.add(m);
    todo.push(...(kids.get(m) ?? []));
    // A walk in a mount can leave it upward.
    if (v.isLive(L.CACHE_MOUNT, v.u32(m + M.parent))) todo.push(v.u32(m + M.parent));
  }
  for (const m of live) if (!reached.has(m)) v.problem("leak", `${mount(m)} is not reachable`);
}

/** What an extended attribute counts for beside its name and value. */
const XATTR_SPACE = 40;

/** Longest list of attributes that is followed. */
const XATTRS_MAX = 100_000;

function spaceOf(v: ArenaView, i: number): number {
  const mode = v.u32(i + I.mode);
  const names = (mode & L.S_IFMT) === L.S_IFDIR ? 1 : Math.max(v.u32(i + I.nlink), 1);
  let space = names * L.INODE_SPACE;
  if ((mode & L.I_XATTR) === 0) return space;
  let p = v.u32(xattrsAt(v, i));
  for (let n = 0; p !== 0 && n < XATTRS_MAX; n++, p = v.u32(p + 4)) space += XATTR_SPACE + v.u32(p + 8) + v.u32(p + 12);
  return space;
}

/** What a file system with limits uses: the sums that it keeps are those of its files. */
export function checkQuotas(v: ArenaView): void {
  for (const sb of v.live(L.CACHE_SUPER)) {
    const [blocks, space] = [Number(v.u64(sb + S.maxBlocks)), Number(v.u64(sb + S.maxSpace))];
    if (v.u32(sb + S.driver) !== 0) v.equal(blocks + space, 0, "quota", () => "the limits of a driver's file system");
    const files = v.live(L.CACHE_INODE).filter((i) => v.u32(i + I.sb) === sb);
    checkSum(
      v,
      "pages",
      blocks,
      v.u64(sb + S.usedBlocks),
      files.reduce((sum, i) => sum + v.u32(i + I.pages), 0),
    );
    checkSum(
      v,
      "space of inodes",
      space,
      v.u64(sb + S.usedSpace),
      files.reduce((sum, i) => sum + spaceOf(v, i), 0),
    );
  }
}

function checkSum(v: ArenaView, what: string, limit: number, counted: bigint, used: number): void {
  if (limit === 0) return;
  v.equal(Number(counted), used, "quota", () => `the ${what} that a file system has counted`);
  v.expect(used <= limit, "quota", () => `a file system uses ${used} ${what} and may use ${limit}`);
}
