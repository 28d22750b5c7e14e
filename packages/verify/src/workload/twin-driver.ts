/**
 * Drivers whose directories have several names, and of one of them also go stale and come back as other ones. Their nodes follow from
 * numbers and from eras alone, so that every thread may register drivers of its own, as long as all share the eras.
 *
 * Below the root are the parents "a", "b", "c" and "deep"; "a" and "b" are also in each other. Every parent shows the same
 * directories "x0" to "x63", of which the first two have a second name in each parent, "c" and "deep". In each of these are a file "a"
 * and a directory "deep" with a file "a" in it.
 */
import { S_IFDIR, S_IFREG } from "../../../threadfs/dist/abi/abi.js";
import type { Driver, DriverAttributes, DriverEntry } from "../../../threadfs/dist/src/index.js";

/** How many directories every parent shows. */
export const TWINS = 64;

const ROOT = 1;
const PARENTS: Readonly<Record<string, number>> = { a: 10, b: 11, c: 12, deep: 13 };
const SECOND_NAMES: Readonly<Record<string, number>> = { c: 0, deep: 1 };
/** The first number of the directories, and what each of them takes. */
const FIRST = 64;
const NODES = 4;
const [DIR, FILE, DEEP, DEEP_FILE] = [0, 1, 2, 3];

/** The owner of a directory's file, by its number, and of the file further below; the group is the era. */
export const twinUid = (i: number): number => 20_000 + i;
export const deepUid = (i: number): number => 21_000 + i;

/** Words for the eras of all directories, which threads share. */
export const makeEras = (): Int32Array => new Int32Array(new SharedArrayBuffer(TWINS * 4));

/** Directories that random paths begin with, where the first of the drivers is mounted at /a and the other at /b. */
export const TWIN_PATHS = ["/a/a", "/a/b/c", "/a/c/deep", "/b/a", "/b/b/c", "/b/c/deep"];

function attributes(ino: number): DriverAttributes {
  if (ino < FIRST) return { ino, mode: S_IFDIR | 0o755 };
  const part = (ino - FIRST) % NODES;
  const twin = Math.floor((ino - FIRST) / NODES);
  const i = twin % TWINS;
  const mode = part === DIR || part === DEEP ? S_IFDIR | 0o755 : S_IFREG | 0o644;
  return { ino, mode, uid: part === DIR || part === FILE ? twinUid(i) : deepUid(i), gid: Math.floor(twin / TWINS) };
}

/** The directory of that name in a parent; -1: there is none. */
function indexOf(name: string): number {
  if (Object.hasOwn(SECOND_NAMES, name)) return SECOND_NAMES[name] as number;
  const n = /^x\d\d?$/.test(name) ? Number(name.slice(1)) : TWINS;
  return n < TWINS ? n : -1;
}

/** @param eraOf the era of a directory @returns the number of a name's node; 0: there is none */
function find(dir: number, name: string, eraOf: (i: number) => number): number {
  if (dir === ROOT) return Object.hasOwn(PARENTS, name) ? (PARENTS[name] as number) : 0;
  if (dir < FIRST) {
    if (dir === PARENTS.a && name === "b") return PARENTS.b as number;
    if (dir === PARENTS.b && name === "a") return PARENTS.a as number;
    const i = indexOf(name);
    return i < 0 ? 0 : FIRST + (eraOf(i) * TWINS + i) * NODES;
  }
  const part = (dir - FIRST) % NODES;
  if (name === "a" && part === DIR) return dir + FILE;
  if (name === "deep" && part === DIR) return dir + DEEP;
  return name === "a" && part === DEEP ? dir - DEEP + DEEP_FILE : 0;
}

/** The names that a directory shows: all but those of the parents that are in each other. */
function namesIn(dir: number): string[] {
  if (dir === ROOT) return Object.keys(PARENTS);
  if (dir < FIRST) return [...Object.keys(SECOND_NAMES), ...Array.from({ length: TWINS }, (_, i) => `x${i}`)];
  return (dir - FIRST) % NODES === DIR ? ["a", "deep"] : ["a"];
}

function entries(dir: number, eraOf: (i: number) => number): DriverEntry[] {
  return namesIn(dir).map((name) => {
    const { ino, mode } = attributes(find(dir, name, eraOf));
    return { name, ino, mode };
  });
}

/** "alias": directories with several names. It has no hook that takes walks out of rcu mode. */
export function aliasDriver(): Driver {
  return {
    name: "alias",
    root: () => attributes(ROOT),
    lookup(dir, name) {
      const ino = find(dir, name, () => 0);
      return ino === 0 ? null : attributes(ino);
    },
    readdir: (dir) => entries(dir, () => 0),
  };
}

/**
 * "twin": the same, and each directory is another one in each era, so that its names are stale when its era has changed.
 * @param every after how many names that were revalidated the next directory gets another era by itself; 0: never
 */
export function twinDriver(eras: Int32Array, { every = 0 }: { every?: number } = {}): Driver {
  let asked = 0;
  const eraOf = (i: number) => Atomics.load(eras, i);
  return {
    name: "twin",
    root: () => attributes(ROOT),
    lookup(dir, name) {
      const ino = find(dir, name, eraOf);
      return ino === 0 ? null : attributes(ino);
    },
    readdir: (dir) => entries(dir, eraOf),
    revalidate(dir, node, name) {
      if (every > 0 && ++asked % every === 0) Atomics.add(eras, (asked / every) % 2, 1);
      return find(dir, name, eraOf) === (node ?? 0);
    },
  };
}

/** Both, as random work has them: every so often a directory goes stale. */
export const twinDrivers = (eras: Int32Array): Driver[] => [aliasDriver(), twinDriver(eras, { every: 40 })];
