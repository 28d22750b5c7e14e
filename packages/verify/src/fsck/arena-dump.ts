/**
 * The whole tree as plain values, read straight from the memory of an arena at rest: every entry of every in-memory file system
 * with its attributes and contents, mounts, contexts, descriptors. Nothing is called, so nothing changes. Entries of
 * drivers are a cache and not shown.
 */
import * as L from "../arena/layout.js";
import type { ArenaView } from "./arena-view.js";
import { descriptorBlock } from "./contexts.js";
import { xattrsAt } from "./inodes.js";

const { DENTRY: D, INODE: I, MOUNT: M, SUPER: S, FILE: F, CONTEXT: C } = L;

/**
 * @param v from inspect()
 * @param options `identity`: with the addresses of inodes, for two looks at one memory
 * @returns one line a thing
 */
export function arenaDump(v: ArenaView, { identity = true }: { identity?: boolean } = {}): string[] {
  const lines: string[] = [];
  const systems = fileSystems(v);
  for (const sb of systems) if (v.u32(sb + S.driver) === 0) lines.push(...entries(v, sb, systems, identity));
  for (const m of v.live(L.CACHE_MOUNT)) lines.push(mount(v, m, systems));
  for (const c of contexts(v)) lines.push(...context(v, c, systems));
  return lines.sort();
}

type Systems = number[];

/** Super blocks in the order of their device numbers: a line names a file system by its place among them. */
function fileSystems(v: ArenaView): Systems {
  return v.live(L.CACHE_SUPER).sort((a, b) => v.u32(a + S.dev) - v.u32(b + S.dev));
}

const decoder = new TextDecoder();

/** The paths of one view, computed when they are needed. */
const known = new WeakMap<ArenaView, Map<number, string>>();

function path(v: ArenaView, d: number, systems: Systems): string {
  const paths = known.get(v) ?? new Map<number, string>();
  known.set(v, paths);
  const before = paths.get(d);
  if (before !== undefined) return before;
  const up = v.u32(d + D.parent);
  const name = `${v.name(d)}${v.u32(d + D.flags) & L.D_UNHASHED ? " (gone)" : ""}`;
  const whole = up === d ? `fs ${systems.indexOf(v.u32(d + D.sb))} ` : `${path(v, up, systems)}/${name}`;
  paths.set(d, whole);
  return whole;
}

function entries(v: ArenaView, sb: number, systems: Systems, identity: boolean): string[] {
  const lines: string[] = [];
  const firsts = new Map<number, string>();
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

/** A file with several names is shown with their number and the first of them, which is searched for once. */
function sharing(v: ArenaView, i: number, systems: Systems, firsts: Map<number, string>): string {
  const names = v.dentriesOf.get(i) ?? [];
  if (names.length === 1) return "";
  const first = firsts.get(i) ?? names.map((d) => path(v, d, systems)).sort()[0] ?? "";
  firsts.set(i, first);
  return `${names.length} with ${first}`;
}

function attributes(v: ArenaView, i: number): string {
  const mode = v.u32(i + I.mode).toString(8);
  const times = v.bytes.subarray(i + I.mtime, i + I.btime + 8).join();
  const entriesOf = (acl: number) => (acl === 0 ? "none" : v.bytes.subarray(acl, acl + 8 + v.u32(acl) * 8).join());
  const isDir = (v.u32(i + I.mode) & L.S_IFMT) === L.S_IFDIR;
  const acls = `ACL ${entriesOf(v.u32(i + I.acl))}${isDir ? ` default ${entriesOf(v.u32(i + I.data))}` : ""}`;
  const [nlink, uid, gid, pages] = [v.u32(i + I.nlink), v.u32(i + I.uid), v.u32(i + I.gid), v.u32(i + I.pages)];
  const size = v.i64(i + I.size);
  const xattrs = v.u32(i + I.mode) & L.I_XATTR ? ` xattrs${xattrsOf(v, i)}` : "";
  const type = v.u32(i + I.mode) & (L.S_IFMT | L.I_DRIVER);
  const device = type === L.S_IFCHR || type === L.S_IFBLK ? ` device ${v.u32(i + L.RDEV)}` : "";
  return `mode ${mode}${device} nlink ${nlink} ${uid}:${gid} size ${size} pages ${pages} times ${times} ${acls}${xattrs}`;
}

/** Extended attributes: of each the name, the length of the value and its beginning. */
function xattrsOf(v: ArenaView, i: number): string {
  let parts = "";
  for (let p = v.u32(xattrsAt(v, i)); p !== 0; p = v.u32(p + 4)) {
    const [n, length] = [v.u32(p + 8), v.u32(p + 12)];
    const value = digest(v.bytes, p + 16 + n, Math.min(length, L.KMALLOC_MAX - 16 - n));
    parts += ` ${decoder.decode(v.bytes.slice(p + 16, p + 16 + n))}=${length}:${value}`;
  }
  return parts;
}

function contents(v: ArenaView, i: number): string {
  const data = v.u32(i + I.data);
  const type = v.u32(i + I.mode) & L.S_IFMT;
  if (data === 0 || type === L.S_IFDIR) return "";
  if (type === L.S_IFLNK) return ` body ${decoder.decode(v.bytes.slice(data, data + v.i64(i + I.size)))}`;
  const room = v.u32(i + I.shape);
  // Holes and zeros read alike.
  let parts = "";
  const part = (at: number, bytes: number, base: number) => {
    let n = bytes;
    while (n > 0 && v.bytes[at + n - 1] === 0) n--;
    if (n > 0) parts += ` ${base}+${n}:${digest(v.bytes, at, n)}`;
  };
  const node = (at: number, level: number, count: number, base: number) => {
    if (level === 0) {
      part(at, L.PAGE, base * L.PAGE);
      return;
    }
    for (let k = 0; k < count; k++) {
      const child = v.u32(at + k * 4);
      if (child !== 0) node(child, level - 1, 2 ** L.NODE_BITS, base + k * 2 ** (L.NODE_BITS * (level - 1)));
    }
  };
  if (room < L.RADIX) part(data, room, 0);
  else {
    const { levels, bits } = L.shapeOf(room);
    node(data, levels, 2 ** bits, 0);
  }
  return parts === "" ? "" : ` contents${parts}`;
}

/** FNV-1a over bytes. */
function digest(bytes: Uint8Array, at: number, n: number): string {
  let h = 0x811c9dc5;
  for (const byte of bytes.subarray(at, at + n)) h = Math.imul(h ^ byte, 0x01000193);
  return (h >>> 0).toString(16);
}

function mount(v: ArenaView, m: number, systems: Systems): string {
  const [parent, flags] = [v.u32(m + M.parent), v.u32(m + M.flags)];
  const on = parent === m ? "nowhere" : path(v, v.u32(m + M.mountpoint), systems);
  return `mount of ${path(v, v.u32(m + M.root), systems)} on ${on} flags ${flags}`;
}

function contexts(v: ArenaView): number[] {
  const place = (c: number) => L.CTX_TABLE + (v.f64(c + C.number) % L.MAX_CONTEXTS) * 4;
  return v.live(L.CACHE_CONTEXT).filter((c) => v.u32(place(c)) === c);
}

function context(v: ArenaView, c: number, systems: Systems): string[] {
  const name = `context ${v.f64(c + C.number) % L.MAX_CONTEXTS}`;
  const word = (at: number) => v.u32(c + at);
  const [umask, uid, gid, caps] = [word(C.umask), word(C.uid), word(C.gid), word(C.caps)];
  const ids = Array.from({ length: word(C.ngroups) }, (_, k) => v.u32(word(C.groups) + k * 4));
  const [root, cwd] = [C.root, C.pwd].map((at) => path(v, v.u32(c + at), systems));
  const lines = [`${name}: ${JSON.stringify({ umask, uid, gid, caps, ids, root, cwd })}`];
  for (let fd = 0; fd < L.FD_BLOCKS * L.FD_BLOCK; fd++) {
    const block = descriptorBlock(v, c, Math.floor(fd / L.FD_BLOCK));
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
