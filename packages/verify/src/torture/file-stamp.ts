/**
 * Stamps: the identity of a file and its generation among the files that were ever at its name. Owner = identity, group =
 * generation; size, mtime and every word of the contents follow from them, so that a torn stat, or the contents of another
 * file, show.
 *
 * Reads of typed arrays are cast to numbers: their indices are computed from the arrays' sizes.
 */
import { O_CREAT, O_EXCL, O_WRONLY } from "../../../threadfs/dist/abi/abi.js";
import { elementAt } from "../support/defined.js";
import { makePath, type Path } from "./shared-state.js";
import { type Thread, tempPath } from "./thread.js";

/** Bytes in a file of this generation: most in one block of any size, some in a tree of pages. */
export function sizeOf(gen: number): number {
  return 4 * (1 + ((gen * 7) % 61)) + (gen % 31 === 0 ? 5000 : 0);
}

/** The word that such a file's contents are made of. */
export function wordOf(uid: number, gen: number): number {
  return Math.imul(uid + 1, 0x9e3779b1) ^ Math.imul(gen + 1, 0x85ebca6b);
}

/**
 * Milliseconds of the clock while such a file is made: its mtime. All clocks of a run stay within one second, in eighths of a
 * millisecond, which are exact: the core also measures with them how long a reader stands still.
 */
export function clockOf(gen: number): number {
  return 1000 + (gen % 7919) / 8;
}

/** The nanoseconds that stat then shows. */
export function nsecOf(gen: number): number {
  return (gen % 7919) * 125000;
}

const tempPaths = new WeakMap<Thread, readonly Path[]>();

/** One of the thread's temporary names: short, in the dentry, or long, outside of it. */
function tempOf(t: Thread, gen: number): Path {
  let paths = tempPaths.get(t);
  if (paths === undefined) {
    paths = [0, 1, 2, 3].map((n) => tempPath(t, n));
    tempPaths.set(t, paths);
  }
  return elementAt(paths, gen & 3);
}

/** Makes a stamped file under a temporary name, which it returns. */
export function makeStamped(t: Thread, uid: number, gen: number): Path {
  const temp = tempOf(t, gen);
  const bytes = sizeOf(gen);
  t.clock.ms = clockOf(gen);
  const fd = t.must(t.open(temp, O_CREAT | O_EXCL | O_WRONLY), `making ${temp.text}`);
  t.io.fill(wordOf(uid, gen), 0, bytes / 4);
  if (t.write(fd, 0, bytes) !== bytes) t.fail(`a write of ${bytes} bytes to ${temp.text} is short`);
  t.must(t.close(fd), "close");
  t.must(t.chown(temp, uid, gen), "chown");
  return temp;
}

/** Makes a stamped directory under a temporary name: owner and group only. */
export function makeStampedDir(t: Thread, uid: number, gen: number): Path {
  const temp = tempOf(t, gen);
  t.must(t.mkdir(temp), `making ${temp.text}`);
  t.must(t.chown(temp, uid, gen), "chown");
  return temp;
}

/** Makes a stamped file at its place, for building the tree. */
export function putStamped(t: Thread, path: Path, uid: number, gen: number): void {
  t.must(t.rename(makeStamped(t, uid, gen), path), `placing ${path.text}`);
}

const INOS = 1 << 14;
/** For each thread, by inode number: the number, owner and group that it saw last. */
const seenInodes = new WeakMap<Thread, Float64Array>();

/** An inode number means one file for ever: the thread must see the same file under it as before. */
function checkInode(t: Thread, path: Path): void {
  const { ino, uid, gid } = t;
  let seen = seenInodes.get(t);
  if (seen === undefined) {
    seen = new Float64Array(INOS * 3);
    seenInodes.set(t, seen);
  }
  const at = (ino % INOS) * 3;
  if (seen[at] === ino && (seen[at + 1] !== uid || seen[at + 2] !== gid)) {
    const before = `${seen[at + 1]}.${seen[at + 2]}`;
    t.fail(`${path.text}: inode ${ino} was file ${before} and is file ${uid}.${gid}`);
  }
  seen[at] = ino;
  seen[at + 1] = uid;
  seen[at + 2] = gid;
}

/** The attributes just read must be those of file `uid` in a generation from `low` to `high`, whole. */
export function checkStat(t: Thread, path: Path, uid: number, low: number, high: number, links = 1): void {
  const gen = t.gid;
  if (
    t.uid === uid &&
    gen >= low &&
    gen <= high &&
    t.size === sizeOf(gen) &&
    t.mtimeNsec === nsecOf(gen) &&
    t.links >= 0 &&
    t.links <= links
  ) {
    checkInode(t, path);
    return;
  }
  const seen = `${path.text} is file ${t.uid}.${gen} of ${t.size} bytes, mtime ${t.mtimeNsec}, ${t.links} links`;
  if (t.uid !== uid) t.fail(`${seen}: not file ${uid}`);
  if (!(gen >= low && gen <= high)) t.fail(`${seen}: generations ${low} to ${high} could be there`);
  if (t.size !== sizeOf(gen) || t.mtimeNsec !== nsecOf(gen)) t.fail(`${seen}: that is two files at once`);
  t.fail(`${seen}: it has at most ${links}`);
}

/** The same for a stamped directory. */
export function checkDirStat(t: Thread, path: Path, uid: number, low: number, high: number): void {
  if (t.uid !== uid || !(t.gid >= low && t.gid <= high)) {
    const seen = `${path.text} is directory ${t.uid}.${t.gid} with ${t.links} links`;
    if (t.uid !== uid) t.fail(`${seen}: not ${uid}`);
    t.fail(`${seen}: generations ${low} to ${high} could be there`);
  }
  checkInode(t, path);
}

/** `n` bytes in the scratch area must be the whole contents of file `uid` in generation `gen`. */
export function checkContents(t: Thread, path: Path, n: number, uid: number, gen: number): void {
  const word = wordOf(uid, gen);
  if (n !== sizeOf(gen)) t.fail(`${path.text}, file ${uid}.${gen}, has ${n} bytes instead of ${sizeOf(gen)}`);
  for (let i = 0; i < n / 4; i++) {
    const seen = t.io[i] as number;
    if (seen !== word) t.fail(`${path.text}, file ${uid}.${gen}: word ${i} is ${seen >>> 0}, not ${word >>> 0}`);
  }
}

const BORN = 0;
const THERE = 1;
const DYING = 2;
const GONE = 3;
/** Words of one Tracked name. */
export const TRACKED_WORDS = 4;

/**
 * The generations that one name may show, in four shared words, which one thread writes: the last generation whose making
 * began and ended, and the last whose removal began and ended. A reader reads them before and after its call.
 */
export class Tracked {
  readonly #words: Int32Array;
  readonly #at: number;
  #gone = 0;
  #there = 0;

  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  set(word: number, gen: number): void {
    Atomics.store(this.#words, this.#at + word, gen);
  }

  get(word: number): number {
    return Atomics.load(this.#words, this.#at + word);
  }

  get newest(): number {
    return this.get(BORN);
  }

  /** For the writer: `make` puts generation `gen` where there is no file. */
  made(gen: number, make: () => void): void {
    this.set(BORN, gen);
    make();
    this.set(THERE, gen);
  }

  /** For the writer: `remove` takes the present generation away. */
  removed(remove: () => void): void {
    const gen = this.get(BORN);
    this.set(DYING, gen);
    remove();
    this.set(GONE, gen);
  }

  /** For the writer: the same where `remove` may be refused, and returns whether it was done. */
  mayRemove(remove: () => boolean): boolean {
    const before = this.get(DYING);
    const gen = this.get(BORN);
    this.set(DYING, gen);
    const done = remove();
    if (done) this.set(GONE, gen);
    else this.set(DYING, before);
    return done;
  }

  /** For the writer: `replace` puts `gen` over the one before; the name is never missing. */
  replaced(gen: number, replace: () => void): void {
    this.set(BORN, gen);
    replace();
    this.set(GONE, gen - 1);
    this.set(THERE, gen);
  }

  /** For a reader, before its call. */
  before(): void {
    this.#gone = this.get(GONE);
    this.#there = this.get(THERE);
  }

  /** Lowest generation that a call since before() may have found. */
  get low(): number {
    return this.#gone + 1;
  }

  get high(): number {
    return this.get(BORN);
  }

  /** Whether a call since before() may have missed the name. */
  get mayMiss(): boolean {
    return this.#there <= this.get(DYING);
  }

  /** The generations that a call since before() may have found, in words. */
  get possible(): string {
    return `generations ${this.low} to ${this.high} could be there`;
  }
}

const NAME_WIDTHS = [0, 0, 8, 31, 32, 33, 70, 200] as const;

/** Names of several lengths: in the dentry, at its edge, outside. */
export function nameOf(base: string, i: number): string {
  return `${base}${i}`.padEnd(elementAt(NAME_WIDTHS, i % 8), "-");
}

/** makePath() of a name in a directory. */
export function pathIn(dir: string, name: string): Path {
  return makePath(`${dir}/${name}`);
}
