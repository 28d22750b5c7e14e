/**
 * The log of changes: the threads that follow it, its records, and that they agree with the tree. What the last record says of a name is
 * so, and no record contradicts the one before it.
 */
import { IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVED_FROM, IN_MOVED_TO } from "../../../threadfs/dist/abi/flags.js";
import {
  CHANGE_ALIGN,
  CHANGE_BYTES,
  CHANGE_DEV,
  CHANGE_DIR,
  CHANGE_INO,
  CHANGE_MASK,
  CHANGE_NAME,
  CHANGE_NAME_LENGTH,
} from "../../../threadfs/dist/abi/memory.js";
import * as L from "../arena/layout.js";
import type { ArenaView } from "./arena-view.js";

const { DENTRY: D, INODE: I, SUPER: S } = L;

const GONE = IN_DELETE | IN_MOVED_FROM;
const THERE = IN_CREATE | IN_MOVED_TO;

interface Entry {
  readonly position: number;
  readonly mask: number;
  readonly dev: number;
  readonly dir: number;
  readonly ino: number;
  readonly name: string;
}

/** How many threads follow the log. */
export function checkFollowers(v: ArenaView): void {
  let followers = 0;
  for (let n = 0; n < L.MAX_THREADS; n++) {
    const s = L.SLOTS + n * L.SLOT_SIZE;
    const follows = v.u32(s + L.SLOT_CHANGES);
    v.expect(follows <= v.u32(s + L.SLOT_STATE), "changes", () => `free slot ${n} follows the log of changes`);
    followers += follows;
  }
  v.equal(v.u32(L.G_CHANGES_READERS), followers, "changes", () => "the number of threads that follow the log");
  if (followers > 0) v.expect(v.u32(L.G_CHANGES_CHUNKS) > 0, "changes", () => "the log is followed and has no ring");
}

/** The records that are sure to be kept: those of the ring but for its oldest chunk. */
function* entries(v: ArenaView): Generator<Entry> {
  const chunks = v.u32(L.G_CHANGES_CHUNKS);
  const tail = Number(v.u64(L.G_CHANGES_TAIL));
  const first = Math.max(0, Math.floor(tail / L.CHUNK) - Math.max(chunks - 2, 0)) * L.CHUNK;
  for (let at = first; at < tail; ) {
    const p = v.u32(L.CHANGES_RING + (Math.floor(at / L.CHUNK) % chunks) * 4) + (at % L.CHUNK);
    const left = L.CHUNK - (at % L.CHUNK);
    const bytes = left < CHANGE_DEV ? left : v.u32(p + CHANGE_BYTES);
    const length = left < CHANGE_NAME ? 0 : v.u32(p + CHANGE_NAME_LENGTH);
    const mask = left < CHANGE_DEV ? 0 : v.u32(p + CHANGE_MASK);
    const fits = bytes > 0 && bytes <= left && bytes % CHANGE_ALIGN === 0 && at + bytes <= tail;
    if (v.f64(p) !== at || !fits || (mask !== 0 && CHANGE_NAME + length > bytes)) {
      v.problem("changes", `the record at ${at} says ${v.f64(p)}, and has ${bytes} bytes; the log ends at ${tail}`);
      return;
    }
    if (mask !== 0) {
      const name = new TextDecoder().decode(v.bytes.slice(p + CHANGE_NAME, p + CHANGE_NAME + length));
      const number = (field: number) => v.f64(p + field);
      yield { position: at, mask, dev: number(CHANGE_DEV), dir: number(CHANGE_DIR), ino: number(CHANGE_INO), name };
    }
    at += bytes;
  }
}

/** The number that stat shows (inodeNumber() in the core). */
function inodeNumber(v: ArenaView, inode: number): number {
  if (v.u32(inode + I.mode) & L.I_DRIVER) return v.f64(inode + I.ino64);
  return (v.u32(inode + I.generation) & 0x0fffffff) * 2 ** 25 + (inode >>> 7);
}

/** The names of the tree, "dev dir/name" -> inode number, and the inodes that have one. */
export function namesOf(v: ArenaView): { names: Map<string, number>; inodes: Set<string> } {
  const names = new Map<string, number>();
  const inodes = new Set<string>();
  for (const d of v.tree) {
    const inode = v.u32(d + D.inode);
    const parent = v.u32(d + D.parent);
    if (inode === 0) continue;
    const dev = Number(v.u64(v.u32(d + D.sb) + S.dev));
    if (parent === d || (v.u32(d + D.flags) & L.D_UNHASHED) !== 0) continue;
    inodes.add(`${dev} ${inodeNumber(v, inode)}`);
    const directory = v.u32(parent + D.inode);
    if (directory !== 0) names.set(`${dev} ${inodeNumber(v, directory)}/${v.name(d)}`, inodeNumber(v, inode));
  }
  return { names, inodes };
}

/** The device numbers of the file systems in memory: names of drivers come and go without a change that anybody makes. */
function devicesInMemory(v: ArenaView): Set<number> {
  const inMemory = [...v.live(L.CACHE_SUPER)].filter((sb) => v.u32(sb + S.driver) === 0);
  return new Set(inMemory.map((sb) => Number(v.u64(sb + S.dev))));
}

/** What the log says of names and inodes: the last record of each. */
function readLog(v: ArenaView): { told: Map<string, Entry>; ended: Map<string, Entry> } {
  const devices = devicesInMemory(v);
  const told = new Map<string, Entry>();
  const ended = new Map<string, Entry>();
  for (const entry of entries(v)) {
    const { mask, dev, dir, ino, name, position } = entry;
    if (!devices.has(dev)) continue;
    if (mask & IN_DELETE_SELF) ended.set(`${dev} ${ino}`, entry);
    if ((mask & (GONE | THERE)) === 0) continue;
    const key = `${dev} ${dir}/${name}`;
    const before = told.get(key);
    const isThere = before !== undefined && (before.mask & THERE) !== 0;
    // An exchange: the name has got another inode already.
    if (mask & GONE && isThere && before.ino !== ino) continue;
    // A name that is there already is replaced by a rename, never created.
    if (mask & IN_CREATE && isThere) {
      v.problem("changes", `the record at ${position} creates ${key}, which is there since ${before.position}`);
    }
    if (mask & GONE && before !== undefined && !isThere) {
      v.problem("changes", `the record at ${position} takes ${key} away, which has been gone since ${before.position}`);
    }
    told.set(key, entry);
  }
  return { told, ended };
}

/** Compares the log with the tree, whose dentries have been read. @param before the names when the log was empty */
export function checkChanges(v: ArenaView, before?: ReadonlyMap<string, number>): void {
  const { told, ended } = readLog(v);
  if (told.size + ended.size === 0 && before === undefined) return;
  const { names, inodes } = namesOf(v);
  for (const [key, { mask, ino }] of told) {
    const now = names.get(key);
    if (mask & THERE && now !== ino) v.problem("changes", `the log says that ${key} is ${ino}; it is ${now}`);
    if (mask & GONE && now !== undefined) v.problem("changes", `the log says that ${key} is gone; it is ${now}`);
  }
  for (const key of ended.keys()) {
    if (inodes.has(key)) v.problem("changes", `the log says that inode ${key} is no more, and it has a name`);
  }
  if (before === undefined) return;
  for (const key of new Set([...before.keys(), ...names.keys()])) {
    const [then, now] = [before.get(key), names.get(key)];
    if (then !== now && !told.has(key))
      v.problem("changes", `${key} was ${then} and is ${now}; the log does not say so`);
  }
}
