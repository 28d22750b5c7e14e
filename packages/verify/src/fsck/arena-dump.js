/**
 * The whole tree as plain values, read straight from the memory of an arena at rest: every entry of every in-memory file system
 * with its attributes and contents, mounts, contexts, descriptors. Nothing is called, so nothing changes. Entries of
 * drivers are a cache and not shown.
 */
import * as L from "../arena/layout.js";

const { DENTRY: D, INODE: I, MOUNT: M, SUPER: S, FILE: F, CONTEXT: C } = L;

/**
 * @param {import("./arena-view.js").ArenaView} v from inspect()
 * @param {{ identity?: boolean }} [options] `identity`: with the addresses of inodes, for two looks at one memory
 * @returns {string[]} one line a thing
 */
export function arenaDump(v, { identity = true } = {}) {
  const lines = [];
  const systems = fileSystems(v);
  for (const sb of systems) if (v.u32(sb + S.driver) === 0) lines.push(...entries(v, sb, systems, identity));
  for (const m of v.live(L.CACHE_MOUNT)) lines.push(mount(v, m, systems));
  for (const c of contexts(v)) lines.push(...context(v, c, systems));
  return lines.sort();
}

/** File systems in the order of their device numbers: what they are called by. */
function fileSystems(v) {
  return v.live(L.CACHE_SUPER).sort((a, b) => v.u32(a + S.dev) - v.u32(b + S.dev));
}

const decoder = new TextDecoder();

/** The paths of one look, as they are asked for. @type {WeakMap<object, Map<number, string>>} */
const known = new WeakMap();

function path(v, d, systems) {
  if (!known.has(v)) known.set(v, new Map());
  const paths = known.get(v);
  const before = paths.get(d);
  if (before !== undefined) return before;
  const up = v.u32(d + D.parent);
  const name = `${v.name(d)}${v.u32(d + D.flags) & L.D_UNHASHED ? " (gone)" : ""}`;
  const whole = up === d ? `fs ${systems.indexOf(v.u32(d + D.sb))} ` : `${path(v, up, systems)}/${name}`;
  paths.set(d, whole);
  return whole;
}

function entries(v, sb, systems, identity) {
  const lines = [];
  const firsts = new Map();
  const todo = [v.u32(sb + S.root)];
  for (let d = todo.pop(); d !== undefined; d = todo.pop()) {
    let names = "";
    for (let child = v.u32(d + D.firstChild); child !== 0; child = v.u32(child + D.sibNext)) {
      todo.push(child);
      if ((v.u32(child + D.flags) & L.D_UNHASHED) === 0) names += ` ${v.name(child)}`;
    }
    const i = v.u32(d + D.inode);
    if (i === 0) continue;
    const same = sharing(v, i, systems, firsts);
    const who = identity ? ` at ${i} generation ${v.u32(i + I.generation)}` : "";
    lines.push(`${path(v, d, systems)}: ${attributes(v, i)}${contents(v, i)}${who} entries:${names} same: ${same}`);
  }
  return lines;
}

/** Names of one file show how many they are and the first of them, which is looked for once. */
function sharing(v, i, systems, firsts) {
  const names = v.dentriesOf.get(i);
  if (names.length === 1) return "";
  if (!firsts.has(i)) firsts.set(i, names.map((d) => path(v, d, systems)).sort()[0]);
  return `${names.length} with ${firsts.get(i)}`;
}

function attributes(v, i) {
  const mode = v.u32(i + I.mode).toString(8);
  const times = v.bytes.subarray(i + I.mtime, i + I.btime + 8).join();
  const acl = v.u32(i + I.acl);
  const entriesOfAcl = acl === 0 ? "none" : v.bytes.subarray(acl, acl + 8 + v.u32(acl) * 8).join();
  const [nlink, uid, gid, pages] = [v.u32(i + I.nlink), v.u32(i + I.uid), v.u32(i + I.gid), v.u32(i + I.pages)];
  const size = v.i64(i + I.size);
  return `mode ${mode} nlink ${nlink} ${uid}:${gid} size ${size} pages ${pages} times ${times} ACL ${entriesOfAcl}`;
}

function contents(v, i) {
  const data = v.u32(i + I.data);
  const type = v.u32(i + I.mode) & L.S_IFMT;
  if (data === 0) return "";
  if (type === L.S_IFLNK) return ` body ${decoder.decode(v.bytes.slice(data, data + v.i64(i + I.size)))}`;
  const room = v.u32(i + I.shape);
  // Holes and zeros read alike.
  let parts = "";
  const part = (at, bytes, base) => {
    let n = bytes;
    while (n > 0 && v.bytes[at + n - 1] === 0) n--;
    if (n > 0) parts += ` ${base}+${n}:${digest(v.bytes, at, n)}`;
  };
  const node = (at, level, count, base) => {
    if (level === 0) return part(at, L.PAGE, base * L.PAGE);
    for (let k = 0; k < count; k++) {
      const child = v.u32(at + k * 4);
      if (child !== 0) node(child, level - 1, 2 ** L.NODE_BITS, base + k * 2 ** (L.NODE_BITS * (level - 1)));
    }
    return undefined;
  };
  if (room < L.RADIX) part(data, room, 0);
  else {
    const { levels, bits } = L.shapeOf(room);
    node(data, levels, 2 ** bits, 0);
  }
  return parts === "" ? "" : ` contents${parts}`;
}

/** FNV-1a over bytes. */
function digest(bytes, at, n) {
  let h = 0x811c9dc5;
  for (let k = 0; k < n; k++) h = Math.imul(h ^ bytes[at + k], 0x01000193);
  return (h >>> 0).toString(16);
}

function mount(v, m, systems) {
  const [root, parent, place, flags] = [M.root, M.parent, M.mountpoint, M.flags].map((at) => v.u32(m + at));
  const on = parent === m ? "nowhere" : path(v, place, systems);
  return `mount of ${path(v, root, systems)} on ${on} flags ${flags}`;
}

function contexts(v) {
  return v.live(L.CACHE_CONTEXT).filter((c) => v.u32(c + C.alive) !== 0);
}

function context(v, c, systems) {
  const name = `context ${v.u32(c + C.number) & (L.MAX_CONTEXTS - 1)}`;
  const [umask, uid, gid, caps, n, groups] = [C.umask, C.uid, C.gid, C.caps, C.ngroups, C.groups].map((at) =>
    v.u32(c + at),
  );
  const ids = Array.from({ length: n }, (_, k) => v.u32(groups + k * 4));
  const [root, cwd] = [C.root, C.pwd].map((at) => path(v, v.u32(c + at), systems));
  const lines = [`${name}: ${JSON.stringify({ umask, uid, gid, caps, ids, root, cwd })}`];
  for (let fd = 0; fd < L.FD_BLOCKS * L.FD_BLOCK; fd++) {
    const block = v.u32(c + L.CONTEXT_BLOCKS + Math.floor(fd / L.FD_BLOCK) * 4);
    if (block === 0) {
      fd += L.FD_BLOCK - 1;
      continue;
    }
    const f = v.u32(block + (fd % L.FD_BLOCK) * 4);
    if (f === 0) continue;
    const on = path(v, v.u32(f + F.dentry), systems);
    lines.push(`${name} descriptor ${fd}: ${on} flags ${v.u32(f + F.flags)} position ${v.i64(f + F.pos)}`);
  }
  return lines;
}
