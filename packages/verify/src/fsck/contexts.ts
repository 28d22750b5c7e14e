/** Contexts, descriptors, open files: their references, and the references to them. */
import * as L from "../arena/layout.js";
import { type ArenaView, hex } from "./arena-view.js";
import { openingOf } from "./pipes/pipes.js";

const { CONTEXT: C, FILE: F, DENTRY: D } = L;

const context = (v: ArenaView, c: number) => `context ${hex(c)} (number ${v.f64(c + C.number)})`;
const file = (f: number) => `file ${hex(f)}`;

/** Runs before the trees are walked: notes the references, does not check dentries. */
export function checkContexts(v: ArenaView) {
  const listed = checkTable(v);
  for (let n = 0; n < L.MAX_THREADS; n++) {
    const held = v.u32(L.SLOTS + n * L.SLOT_SIZE + L.SLOT_CONTEXT);
    if (held === 0) continue;
    if (!v.isLive(L.CACHE_CONTEXT, held)) v.problem("context-held", `slot ${n} holds ${hex(held)}: no live context`);
    else v.ref(held, `slot ${n}`);
  }
  const live = v.live(L.CACHE_CONTEXT);
  v.counts.contexts = live.length;
  for (const c of live) {
    v.equal(
      v.i32(c + C.users),
      v.refsOf(c).length,
      "context-users",
      () => `the users of ${context(v, c)} (${v.refsOf(c)})`,
    );
    if (v.refsOf(c).length === 0) v.problem("leak", `${context(v, c)} is in no table and held by no thread`);
    checkPlaces(v, c, listed.has(c));
    checkNamespace(v, c, listed.has(c));
  }
  for (const c of v.allocated(L.CACHE_CONTEXT)) checkGroups(v, c);
  // Blocks of descriptors stay with the memory of a context for ever.
  let descriptors = 0;
  for (const c of v.everUsed(L.CACHE_CONTEXT))
    descriptors += checkDescriptors(v, c, v.isLive(L.CACHE_CONTEXT, c) && listed.has(c));
  v.counts.descriptors = descriptors;
}

function checkTable(v: ArenaView) {
  const listed = new Set<number>();
  for (let n = 0; n < L.MAX_CONTEXTS; n++) {
    const c = v.u32(L.CTX_TABLE + n * 4);
    if (c === 0) continue;
    if (!v.isLive(L.CACHE_CONTEXT, c) || listed.has(c)) {
      v.problem("context-table", `place ${n} has ${hex(c)}: ${listed.has(c) ? "there twice" : "no live context"}`);
      continue;
    }
    listed.add(c);
    v.ref(c, "table");
    const number = v.f64(c + C.number);
    const made = Math.floor(number / L.MAX_CONTEXTS);
    const right = number % L.MAX_CONTEXTS === n && (n === 0) === (made === 0) && made < v.i64(L.G_CTX_MADE);
    if (!right) v.problem("context-table", `${context(v, c)} stands at place ${n}`);
  }
  if (v.u32(L.CTX_TABLE) === 0) v.problem("context-table", "there is no context 0");
  return listed;
}

/** Root and working directory, of a context that was closed none. */
function checkPlaces(v: ArenaView, c: number, alive: boolean) {
  for (const [what, mountAt, dentryAt] of [
    ["root", C.rootMnt, C.root],
    ["working directory", C.pwdMnt, C.pwd],
  ] as const) {
    const [m, d] = [v.u32(c + mountAt), v.u32(c + dentryAt)];
    if (!alive) {
      if (m !== 0 || d !== 0) v.problem("context-place", `${context(v, c)} was closed and has a ${what}`);
      continue;
    }
    if (!v.isLive(L.CACHE_MOUNT, m))
      v.problem("context-place", `the ${what} of ${context(v, c)} is in ${hex(m)}: no live mount`);
    else v.ref(m, `${what} of context ${v.f64(c + C.number)}`);
    if (!v.isLive(L.CACHE_DENTRY, d))
      v.problem("context-place", `the ${what} of ${context(v, c)} is ${hex(d)}: no live dentry`);
    else {
      v.ref(d, `${what} of context ${v.f64(c + C.number)}`);
      v.equal(
        v.u32(d + D.sb),
        v.u32(m + L.MOUNT.sb),
        "context-place",
        () => `the file system of the ${what} of ${context(v, c)}`,
      );
      v.equal(
        v.u32(d + D.flags) & L.D_TYPE,
        L.D_DIRECTORY,
        "context-place",
        () => `the type of the ${what} of ${context(v, c)}`,
      );
    }
  }
}

/** The namespace of mounts, where it is not the tree's; of a context that was closed none. */
function checkNamespace(v: ArenaView, c: number, alive: boolean) {
  const ns = v.u32(c + C.mntNs);
  if (ns === 0) return;
  if (!alive) v.problem("context-namespace", `${context(v, c)} was closed and has a namespace`);
  else if (!v.isLive(L.CACHE_MOUNT, ns) || v.u32(ns + L.MOUNT.nrMounts) === 0)
    v.problem("context-namespace", `the namespace of ${context(v, c)} is ${hex(ns)}: no root of one`);
  else v.ref(ns, `namespace of context ${v.f64(c + C.number)}`);
}

/** Groups live as long as the context's memory is not free. */
function checkGroups(v: ArenaView, c: number) {
  const [n, groups] = [v.u32(c + C.ngroups), v.u32(c + C.groups)];
  if (n > L.NGROUPS_MAX || (n > 0 && groups === 0))
    v.problem("groups", `${context(v, c)} has ${n} groups at ${hex(groups)}`);
  if (groups === 0) return;
  // A context that was closed no longer says how many there were.
  const size = L.CACHES[v.cacheOf(groups)]?.size ?? 0;
  const fits = n === 0 || size === L.SIZES.find((least) => least >= n * 4);
  v.expect(fits, "groups", () => `${n} groups of ${context(v, c)} lie in ${size} bytes`);
  v.own(groups, n === 0 ? size : n * 4, () => `the groups of ${context(v, c)}`);
}

/** The address of a context's block of descriptors with this number, 0: there is none. */
export function descriptorBlock(v: ArenaView, c: number, b: number): number {
  return v.u32(c + L.CONTEXT_FD_BLOCKS + b * 4) & ~L.FD_BLOCK_HIDDEN;
}

function checkDescriptors(v: ArenaView, c: number, alive: boolean): number {
  let open = 0;
  for (let b = 0; b < L.FD_BLOCKS; b++) {
    const pointer = v.u32(c + L.CONTEXT_FD_BLOCKS + b * 4);
    const block = descriptorBlock(v, c, b);
    if (alive && pointer !== block) v.problem("fd", `block ${b} of ${context(v, c)} is made and not shown`);
    // The blocks of the second half have hints of their own.
    const ordered = b < L.FD_ORDERED_BLOCKS;
    if (block === 0) {
      const hint = v.u32(c + C.fdHint);
      if (alive && ordered && hint > Math.max(b * L.FD_BLOCK, L.FD_FIRST))
        v.problem("fd-hint", `${context(v, c)} has no block ${b}; descriptors below ${hint} are taken`);
      continue;
    }
    const bytes = ordered ? L.FD_BLOCK * 4 : L.FD_BLOCK_END;
    if (!v.own(block, bytes, () => `descriptors of ${context(v, c)}`)) continue;
    const hint = v.u32(ordered ? c + C.fdHint : block + L.FD_BLOCK_HINT);
    for (let k = 0; k < L.FD_BLOCK; k++)
      open += checkDescriptor(v, c, alive, b * L.FD_BLOCK + k, v.u32(block + k * 4), hint);
  }
  return open;
}

/** @returns 1 for an open descriptor, otherwise 0 */
function checkDescriptor(v: ArenaView, c: number, alive: boolean, fd: number, f: number, hint: number): number {
  if (f === 0) {
    if (alive && fd >= L.FD_FIRST && fd < hint)
      v.problem("fd-hint", `descriptor ${fd} of ${context(v, c)} is free; those below ${hint} are taken`);
    return 0;
  }
  if (!alive) v.problem("fd", `descriptor ${fd} of ${context(v, c)}, which is closed, is ${hex(f)}`);
  else if (f === L.FD_RESERVED) v.problem("fd", `descriptor ${fd} of ${context(v, c)} is taken and not open`);
  else if (f & L.FD_OPENING) return checkOpening(v, c, fd, openingOf(v, f));
  else if (fd < L.FD_FIRST) v.problem("fd", `descriptor ${fd} of ${context(v, c)} is open`);
  else if (!v.isLive(L.CACHE_FILE, f))
    v.problem("fd", `descriptor ${fd} of ${context(v, c)} is ${hex(f)}: no live file`);
  else {
    v.ref(f, "descriptor");
    return 1;
  }
  return 0;
}

/** @returns 0: the descriptor is not open yet */
function checkOpening(v: ArenaView, c: number, fd: number, f: number): number {
  if (v.isLive(L.CACHE_FILE, f)) v.ref(f, "descriptor");
  else v.problem("fd", `descriptor ${fd} of ${context(v, c)} waits for ${hex(f)}: no live file`);
  return 0;
}

/** The files that slots keep for their threads' next open(2). */
function spares(v: ArenaView): Set<number> {
  const kept = Array.from({ length: L.MAX_THREADS }, (_, n) => v.u32(L.SLOTS + n * L.SLOT_SIZE + L.SLOT_SPARE_FILE));
  return new Set(kept.filter((f) => f !== 0));
}

/** They have a reference and no path. */
function checkSpares(v: ArenaView) {
  for (let n = 0; n < L.MAX_THREADS; n++) {
    const f = v.u32(L.SLOTS + n * L.SLOT_SIZE + L.SLOT_SPARE_FILE);
    if (f === 0) continue;
    if (!v.isLive(L.CACHE_FILE, f)) {
      v.problem("spare", `slot ${n} keeps ${hex(f)}: no live file`);
      continue;
    }
    v.ref(f, `slot ${n}`);
    for (const field of ["mnt", "dentry", "inode", "hint", "mode"] as const)
      v.equal(v.u32(f + F[field]), 0, "spare", () => `${field} of ${file(f)}, which slot ${n} keeps`);
    v.equal(v.i32(f + F.count), v.refsOf(f).length, "file-count", () => `the count of ${file(f)}`);
  }
}

/** Runs before the trees are walked: the references of open files. */
export function noteFiles(v: ArenaView) {
  const kept = spares(v);
  for (const f of v.live(L.CACHE_FILE)) {
    if (kept.has(f)) continue;
    v.ref(v.u32(f + F.dentry), "open file");
    v.ref(v.u32(f + F.mnt), "open file");
    const hint = v.u32(f + F.hint);
    if (hint !== 0) v.ref(hint, "last entry shown");
  }
}

export function checkFiles(v: ArenaView) {
  const all = v.live(L.CACHE_FILE);
  const kept = spares(v);
  checkSpares(v);
  const live = all.filter((f) => !kept.has(f));
  v.counts.files = live.length;
  v.equal(v.sum(L.G_NR_FILES, L.SLOT_NR_FILES), all.length, "gauge", () => "the gauge of open files");
  for (const f of live) {
    const [m, d] = [v.u32(f + F.mnt), v.u32(f + F.dentry)];
    const [i, hint] = [v.u32(f + F.inode), v.u32(f + F.hint)];
    const owner = v.u32(f + F.owner);
    if (owner > L.MAX_THREADS || (owner !== 0 && v.u32(L.SLOTS + (owner - 1) * L.SLOT_SIZE + L.SLOT_STATE) === 0))
      v.problem("owner", `${file(f)} ends with the thread in slot ${owner - 1}, which there is not`);
    if (v.refsOf(f).length === 0) v.problem("leak", `${file(f)} (on ${v.dentry(d)}) has no descriptor`);
    v.equal(v.i32(f + F.count), v.refsOf(f).length, "file-count", () => `the count of ${file(f)}`);
    if (!v.isLive(L.CACHE_MOUNT, m)) v.problem("file", `${file(f)} is in ${hex(m)}: no live mount`);
    else v.equal(v.u32(m + L.MOUNT.sb), v.u32(d + D.sb), "file", () => `the file system of ${file(f)}`);
    if (!v.tree.has(d)) v.problem("file", `${file(f)} is open on ${hex(d)}: no live dentry`);
    else v.equal(i, v.u32(d + D.inode), "file", () => `the inode of ${file(f)}`);
    if (hint !== 0 && !v.tree.has(hint)) v.problem("file", `${file(f)} showed ${hex(hint)} last: no live dentry`);
    const isPipe = (v.u32(i + L.INODE.mode) & L.S_IFMT) === L.S_IFIFO && v.u32(f + F.mode) !== L.FMODE_PATH;
    const mode = (v.u32(f + F.mode) ^ (isPipe ? L.FMODE_PIPE : 0)) >>> 0;
    v.expect(
      mode <= (L.FMODE_READ | L.FMODE_WRITE) || mode === L.FMODE_PATH,
      "file",
      () => `the mode of ${file(f)} is ${mode}`,
    );
    v.expect(v.i64(f + F.pos) >= 0, "file", () => `the position of ${file(f)} is ${v.i64(f + F.pos)}`);
  }
}
