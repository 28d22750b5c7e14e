/**
 * The limits of a file system of the model (core/fs/tmpfs/quota.ts): sums over its files. A file that has no name and no descriptor any
 * more counts until the last operation that knows it has let it go: while another operation is under way, both are right.
 */
import { S_IFLNK, S_IFREG } from "../../../../threadfs/dist/abi/abi.js";
import { INODE_SPACE, LONG_LINK, PAGE } from "../../../../threadfs/dist/generated/core-layout.js";
import { get, type Inode, inoOf, isDir, type State, typeOf } from "../state.js";
import { BLOCKED, choice, inParts, type Me, type Steps, step } from "../steps.js";

const XATTR_SPACE = 40;

/** What counts. */
interface Used {
  pages: number;
  space: number;
}

const pagesOf = (i: Inode): number => {
  if (typeOf(i) === S_IFLNK) return i.size < LONG_LINK ? 0 : 1;
  if (typeOf(i) !== S_IFREG) return 0;
  return storedIn(i).length;
};

/** The pages of a file that count. */
export const storedIn = (i: Inode): readonly number[] =>
  i.stored ?? Array.from({ length: Math.ceil(i.data.length / PAGE) }, (_, page) => page);

export const xattrSpace = (name: string, value: string): number => XATTR_SPACE + name.length + value.length;

function spaceOf(i: Inode): number {
  const attributes = Object.entries(i.xattrs ?? {}).reduce((sum, [name, value]) => sum + xattrSpace(name, value), 0);
  return INODE_SPACE * (isDir(i) ? 1 : Math.max(i.nlink, 1)) + attributes;
}

/** The sums. `freed`: without the files that the operations under way may have let go. */
function usedOf(s: State, me: Me, fs: number, freed: boolean): Used {
  const open = new Set([...s.files].filter(([, { closed }]) => !closed).map(([file]) => inoOf(s, file)));
  const others = [...s.held.keys()].some((key) => !key.startsWith(`${me.id} `));
  const used = { pages: 0, space: 0 };
  for (const [ino, i] of s.inodes) {
    if (i.fs !== fs) continue;
    if (i.nlink === 0 && !open.has(ino) && (freed || !others)) continue;
    used.pages += pagesOf(i);
    used.space += spaceOf(i);
  }
  return used;
}

export const isLimited = (s: State, fs: number): boolean => get(s.filesystems, fs).limits !== undefined;

/** Whether files that other operations may have let go are taken for freed: a choice where there is a limit. */
export function* mayBeFreed(fsOf: (s: State) => number): Steps<boolean> {
  return yield* choice((s) => (isLimited(s, fsOf(s)) ? [true, false] : [true]));
}

/** The error of `more` beyond what a file system uses; 0: there is none. An attribute must leave a byte free. */
export function refuseMore(s: State, me: Me, fs: number, freed: boolean, more: Partial<Used>, leave = 0): 0 | "ENOSPC" {
  const { limits } = get(s.filesystems, fs);
  if (limits === undefined) return 0;
  const used = usedOf(s, me, fs, freed);
  if (limits.pages !== 0 && more.pages && used.pages + more.pages > limits.pages) return "ENOSPC";
  if (limits.space !== 0 && more.space && used.space + more.space + leave > limits.space) return "ENOSPC";
  return 0;
}

/** Whether a file system uses no more than these limits; 0: none. */
export function usesLess(s: State, me: Me, fs: number, freed: boolean, limits: Used): boolean {
  const { pages, space } = usedOf(s, me, fs, freed);
  return (limits.pages === 0 || pages <= limits.pages) && (limits.space === 0 || space <= limits.space);
}

/** The error of a new file, or of a further name. */
export const refuseInode = (s: State, me: Me, fs: number, freed: boolean, body = ""): 0 | "ENOSPC" =>
  refuseMore(s, me, fs, freed, { space: INODE_SPACE, pages: body.length < LONG_LINK ? 0 : 1 });

/**
 * Reserves the pages of a write under the lock of its file, which stays locked. They count from now on. A thread that dies gives back what it has not
 * written.
 * @returns how many of the `n` bytes have room, or ENOSPC for none; undefined: there is no limit
 */
export function* reservePages(
  me: Me,
  ino: number,
  range: (s: State) => { at: number; n: number },
  { all = false }: { all?: boolean } = {},
): Steps<number | string | undefined> {
  const fsOf = (s: State) => get(s.inodes, ino).fs;
  const limited = yield* step((s) => isLimited(s, fsOf(s)));
  if (!limited) return undefined;
  const freed = yield* mayBeFreed(fsOf);
  return yield* step((s) => {
    const lock = `inode ${ino}`;
    if ((s.locks.get(lock) ?? me.id) !== me.id) return BLOCKED;
    const { at, n } = range(s);
    const i = get(s.inodes, ino);
    const have = storedIn(i);
    const stored = [...have];
    let end = at;
    for (let page = Math.floor(at / PAGE); end < at + n; page++) {
      if (!have.includes(page)) {
        if (refuseMore(s, me, i.fs, freed, { pages: stored.length + 1 - have.length })) break;
        stored.push(page);
      }
      end = Math.min(at + n, (page + 1) * PAGE);
    }
    const allowed = end - at;
    if (allowed === 0 || (all && allowed < n)) return "ENOSPC";
    s.locks.set(lock, me.id);
    // Other threads may see what was reserved and then given back.
    s.locks.set(inParts(me.id), me.id);
    s.inodes.set(ino, { ...i, stored });
    return allowed;
  });
}
