/** The system calls of the model that list directories: generators of steps, as in calls.ts. */
import { DT_SHIFT, O_DIRECTORY } from "../../../../threadfs/dist/abi/abi.js";
import { type CallArguments, type DirectoryEntry, isError, type Listed, type Opened } from "../call.js";
import { inode } from "../calls.js";
import { accessed } from "../permission.js";
import { get, isDir, patch, type State, typeOf } from "../state.js";
import { change, type Me, type Steps } from "../steps.js";
import { isOpened, wholeFile } from "./calls-files.js";
import { fget, mutex } from "./descriptors.js";

type A = CallArguments;

/** All entries that a driver shows, in the first reading. */
function entriesOf(s: State, names: Record<string, number>, file: number): { entries: DirectoryEntry[] } {
  patch(s.files, file, { pos: 1 });
  const entries = Object.entries(names).map(([name, ino]) => ({ name, type: typeOf(inode(s, ino)) >> DT_SHIFT, ino }));
  return { entries: entries.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

/**
 * getdents(2), one call. While a directory changes, Linux promises only that an entry that is always there is shown once. The
 * in-memory file system fills the entries of one call under the directory's lock, so here they are those of one moment. A later
 * call of the same reading continues after the last entry, and shows no entry that was made after the first call.
 */
function* sysGetdents(me: Me, { fd, from }: A["sysGetdents"]): Steps<{ entries: DirectoryEntry[] } | number | string> {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  const run = (s: State) => {
    const i = inode(s, f.ino);
    if (!isDir(i)) return "ENOTDIR";
    if (i.dead) return "ENOENT";
    const { kids, next } = get(s.dentries, f.d);
    const { pos: own, limit } = get(s.files, f.id);
    const pos = from ?? own;
    const names = get(s.filesystems, i.fs).names?.[f.ino];
    if (names !== undefined) return entriesOf(s, pos === 0 ? names : {}, f.id);
    const end = pos === 0 || limit === 0 ? next : limit;
    const shown = Object.values(kids)
      .map((d) => ({ d, ...get(s.dentries, d) }))
      .filter(({ cookie }) => cookie > pos && cookie <= end);
    const last = Math.max(pos, ...shown.map(({ cookie }) => cookie));
    patch(s.files, f.id, { pos: last, limit: end });
    accessed(s, f.mnt, f.ino);
    const entries = shown.map(({ name, ino }) => ({ name, type: typeOf(inode(s, ino)) >> DT_SHIFT, ino }));
    return { entries: entries.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  };
  return yield* change(me, [{ locks: () => [mutex(f.ino)], run }]);
}

function* sysScandir(me: Me, args: A["sysScandir"]): Steps<Listed | Opened | number | string> {
  const f = yield* wholeFile(me, args, O_DIRECTORY, 0);
  if (isOpened(f)) return f;
  const run = (s: State) => {
    if (inode(s, f.ino).dead) return { listed: [] };
    accessed(s, f.mnt, f.ino);
    const kids = Object.values(get(s.dentries, f.d).kids).map((d) => get(s.dentries, d));
    return { listed: kids.map(({ name, ino }) => `${name} ${typeOf(inode(s, ino)) >> DT_SHIFT}`).sort() };
  };
  return yield* change<Listed>(me, [{ locks: () => [mutex(f.ino)], run }]);
}

export const DIRECTORY_CALLS = { sysGetdents, sysScandir };
