/**
 * Workloads of the torture on names: names that always exist, never exist, are replaced, are made and removed, or are exchanged.
 */
import { ERRNO, O_DIRECTORY, O_RDONLY, RENAME_NOREPLACE } from "../../../../threadfs/dist/abi/abi.js";
import { elementAt } from "../../support/defined.js";
import type { Dirent } from "../../support/dirents.js";
import {
  checkContents,
  checkDirStat,
  checkStat,
  makeStamped,
  makeStampedDir,
  nameOf,
  pathIn,
  putStamped,
  TRACKED_WORDS,
  Tracked,
} from "../file-stamp.js";
import { makePath, type Path } from "../shared-state.js";
import type { Thread } from "../thread.js";
import { listOf, type TakeWords, type Workload } from "./workload.js";

/** Generation of files that are never replaced. */
export const GEN = 1;

/** The entries of a directory that one call reads. Returns the bytes that a second call would read, too. */
export function readDirectory(t: Thread, dir: Path): { entries: Dirent[]; rest: number } {
  const fd = t.must(t.open(dir, O_RDONLY | O_DIRECTORY), "open");
  const entries = t.entries(t.must(t.getdents(fd), "getdents"));
  const rest = t.must(t.getdents(fd), "getdents");
  t.must(t.close(fd), "close");
  return { entries, rest };
}

const DEEP = "/t/fix/alpha/beta-with-a-name/gamma/delta";
const FIXED_DIRS = [
  "/t/fix",
  "/t/fix/alpha",
  "/t/fix/alpha/beta-with-a-name",
  "/t/fix/alpha/beta-with-a-name/gamma",
].map(makePath);
const FIXED_MODES = [0o755, 0o711, 0o700] as const;

/** Names that are always there and names that never are, while their directories change mode and their neighbours change. */
export class Fixed implements Workload {
  readonly items = 64;
  readonly there = listOf(this.items, (i) => pathIn(DEEP, nameOf("f", i)));
  readonly never = listOf(this.items, (i) => pathIn(DEEP, nameOf("no", i)));
  readonly #neighbours = listOf(this.items, (i) => pathIn(DEEP, nameOf("x", i)));

  build(t: Thread): void {
    t.fs.mkdirSync(DEEP, { recursive: true });
    for (const [i, path] of this.there.entries()) putStamped(t, path, i, GEN);
  }

  write(t: Thread, i: number): void {
    if (t.next(4) === 0) {
      t.must(t.chmod(elementAt(FIXED_DIRS, i % FIXED_DIRS.length), elementAt(FIXED_MODES, t.next(3))), "chmod");
      return;
    }
    const neighbour = elementAt(this.#neighbours, i);
    if (t.must(t.mkdir(neighbour), "mkdir", ERRNO.EEXIST) === 0) t.must(t.rmdir(neighbour), "rmdir");
  }

  read(t: Thread, i: number): void {
    const [there, never] = [elementAt(this.there, i), elementAt(this.never, i)];
    if (t.stat(there) !== 0) t.fail(`${there.text} is always there and was not found`);
    checkStat(t, there, i, GEN, GEN);
    if (t.stat(never) !== -ERRNO.ENOENT) t.fail(`${never.text} never was and was found`);
  }
}

/** Opens a stamped file and reads it: an open file keeps its contents. */
function readWhole(t: Thread, path: Path, uid: number, name: Tracked, links = 1): void {
  name.before();
  const fd = t.open(path, O_RDONLY);
  if (fd === -ERRNO.ENOENT && name.mayMiss) return;
  t.must(fd, `opening ${path.text}`);
  t.must(t.fstat(fd), "fstat");
  checkStat(t, path, uid, name.low, name.high, links);
  const gen = t.gid;
  checkContents(t, path, t.must(t.read(fd, 0, 65536), "read"), uid, gen);
  t.must(t.close(fd), "close");
}

/** Files that are replaced by a rename over them: always there, in a generation that only grows. */
export class Replaced implements Workload {
  readonly items = 32;
  readonly paths = listOf(this.items, (i) => pathIn("/t/rep", nameOf("r", i)));
  readonly names: readonly Tracked[];

  constructor({ words }: Thread, take: TakeWords) {
    this.names = listOf(this.items, () => new Tracked(words, take(TRACKED_WORDS)));
  }

  /** Identity of an item's file. */
  uid(i: number): number {
    return 1000 + i;
  }

  #put(t: Thread, i: number, gen: number): void {
    elementAt(this.names, i).replaced(gen, () => putStamped(t, elementAt(this.paths, i), this.uid(i), gen));
  }

  build(t: Thread): void {
    t.fs.mkdirSync("/t/rep");
    for (let i = 0; i < this.items; i++) this.#put(t, i, 1);
  }

  write(t: Thread, i: number): void {
    this.#put(t, i, elementAt(this.names, i).newest + 1);
  }

  read(t: Thread, i: number): void {
    const [path, name] = [elementAt(this.paths, i), elementAt(this.names, i)];
    name.before();
    if (t.stat(path) !== 0) t.fail(`${path.text} is always there and was not found`);
    checkStat(t, path, this.uid(i), name.low, name.high);
    if (t.next(4) === 0) readWhole(t, path, this.uid(i), name);
  }
}

interface ComingItem {
  readonly path: Path;
  readonly name: Tracked;
  readonly uid: number;
  readonly isDir: boolean;
  /** Whether the name exists; only the writer's copy is valid. */
  there: boolean;
}

/** Names that are made and removed: a file by rename or by link, or a directory. */
export class Coming implements Workload {
  readonly items = 48;
  readonly #items: readonly ComingItem[];

  constructor({ words }: Thread, take: TakeWords) {
    this.#items = listOf(this.items, (i) => ({
      path: pathIn(`/t/cg/${i % 3}`, nameOf("c", i)),
      name: new Tracked(words, take(TRACKED_WORDS)),
      uid: 2000 + i,
      isDir: i % 4 === 3,
      there: false,
    }));
  }

  build(t: Thread): void {
    for (const n of [0, 1, 2]) t.fs.mkdirSync(`/t/cg/${n}`, { recursive: true });
  }

  write(t: Thread, i: number): void {
    const item = elementAt(this.#items, i);
    if (item.there) this.#remove(t, item);
    else this.#make(t, item);
    item.there = !item.there;
  }

  #make(t: Thread, { path, name, uid, isDir }: ComingItem): void {
    const gen = name.newest + 1;
    const temp = isDir ? makeStampedDir(t, uid, gen) : makeStamped(t, uid, gen);
    name.made(gen, () => {
      if (isDir || t.next(2) === 0) t.must(t.rename(temp, path, RENAME_NOREPLACE), "rename");
      else {
        t.must(t.link(temp, path), "link");
        t.must(t.unlink(temp), "unlink");
      }
    });
  }

  #remove(t: Thread, { path, name, isDir }: ComingItem): void {
    name.removed(() => t.must(isDir ? t.rmdir(path) : t.unlink(path), `removing ${path.text}`));
  }

  read(t: Thread, i: number): void {
    const { path, name, uid, isDir } = elementAt(this.#items, i);
    name.before();
    const result = t.stat(path);
    if (result === -ERRNO.ENOENT) {
      if (!name.mayMiss) t.fail(`${path.text} was there all the time and was not found`);
      return;
    }
    t.must(result, `stat of ${path.text}`);
    if (isDir) {
      checkDirStat(t, path, uid, name.low, name.high);
      return;
    }
    // The file has two links while the writer links it into its place.
    checkStat(t, path, uid, name.low, name.high, 2);
    if (t.next(4) === 0) readWhole(t, path, uid, name, 2);
  }
}

interface ExchangedItem {
  readonly dir: Path;
  readonly a: Path;
  readonly b: Path;
  /** Identity of the first file; the next number is the second's. */
  readonly uid: number;
  /** Whether the second is a directory. */
  readonly isDir: boolean;
  /** Whether the two are in different directories. */
  readonly apart: boolean;
}

function exchangedItem(i: number): ExchangedItem {
  const apart = i % 4 === 2;
  const dir = makePath(`/t/ex/${i}`);
  return {
    dir,
    a: pathIn(dir.text, nameOf("a", i)),
    b: pathIn(apart ? `${dir.text}/low` : dir.text, nameOf("b", i)),
    uid: 3000 + i * 2,
    isDir: i % 4 === 1,
    apart,
  };
}

/** Pairs that are exchanged: both names are always there, and one read of the directory shows the two files. */
export class Exchanged implements Workload {
  readonly items = 16;
  readonly #items = listOf(this.items, exchangedItem);
  readonly a = this.#items.map(({ a }) => a);

  /** Identity of the first file of an item; the next number is the second's. */
  uid(i: number): number {
    return elementAt(this.#items, i).uid;
  }

  build(t: Thread): void {
    for (const { dir, a, b, uid, isDir } of this.#items) {
      t.fs.mkdirSync(`${dir.text}/low`, { recursive: true });
      putStamped(t, a, uid, GEN);
      if (isDir) t.must(t.rename(makeStampedDir(t, uid + 1, GEN), b), "rename");
      else putStamped(t, b, uid + 1, GEN);
    }
  }

  write(t: Thread, i: number): void {
    const { a, b } = elementAt(this.#items, i);
    t.must(t.exchange(a, b), `exchanging ${a.text}`);
  }

  read(t: Thread, i: number): void {
    const { dir, a, b, uid, isDir, apart } = elementAt(this.#items, i);
    for (const path of [a, b]) {
      if (t.stat(path) !== 0) t.fail(`${path.text} is always there and was not found`);
      const seen = t.uid;
      if (seen !== uid && seen !== uid + 1) t.fail(`${path.text} is file ${seen}, not one of ${uid}, ${uid + 1}`);
      if (isDir && seen === uid + 1) checkDirStat(t, path, seen, GEN, GEN);
      else checkStat(t, path, seen, GEN, GEN);
    }
    if (!apart && t.next(4) === 0) this.#readPair(t, dir);
  }

  #readPair(t: Thread, dir: Path): void {
    const { entries } = readDirectory(t, dir);
    const inos = entries.filter(({ name }) => name !== "low").map(({ ino }) => ino);
    if (inos.length !== 2 || new Set(inos).size !== 2) {
      t.fail(`${dir.text} holds ${entries.map(({ name, ino }) => `${name} (${ino})`).join(", ")}: not the pair`);
    }
  }
}
