/**
 * Stamps: what a file is and which one of those that were ever at its name. Owner = identity, group = generation; size,
 * mtime and every word of the contents follow from them, so that a torn stat, or the contents of another file, show.
 */
import { makePath } from "./shared-state.js";
import { GID, INO, MTIME_NSEC, NLINK, O_CREAT, O_EXCL, O_WRONLY, SIZE, tempPath, UID } from "./thread.js";

/** Bytes in a file of this generation: most in one block of any size, some in a tree of pages. */
export const sizeOf = (gen) => 4 * (1 + ((gen * 7) % 61)) + (gen % 31 === 0 ? 5000 : 0);

/** The word that such a file's contents are made of. */
export const wordOf = (uid, gen) => Math.imul(uid + 1, 0x9e3779b1) ^ Math.imul(gen + 1, 0x85ebca6b);

/**
 * Milliseconds of the clock while such a file is made: its mtime. All clocks of a run stay within one second, in eighths of a
 * millisecond, which are exact: the core also measures with them how long a reader stands still.
 */
export const clockOf = (gen) => 1000 + (gen % 7919) / 8;

/** The nanoseconds that stat then shows. */
export const nsecOf = (gen) => (gen % 7919) * 125000;

const temps = new WeakMap();

/** The thread's temporary names: short, in the dentry, and long, outside of it. */
function tempOf(t, gen) {
  if (!temps.has(t))
    temps.set(
      t,
      [0, 1, 2, 3].map((n) => tempPath(t, n)),
    );
  return temps.get(t)[gen & 3];
}

/** Makes a stamped file under a temporary name, which it answers. */
export function makeStamped(t, uid, gen) {
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
export function makeStampedDir(t, uid, gen) {
  const temp = tempOf(t, gen);
  t.must(t.mkdir(temp), `making ${temp.text}`);
  t.must(t.chown(temp, uid, gen), "chown");
  return temp;
}

/** Makes a stamped file at its place, for building the tree. */
export function putStamped(t, path, uid, gen) {
  t.must(t.rename(makeStamped(t, uid, gen), path), `placing ${path.text}`);
}

const INOS = 1 << 14;
const inodes = new WeakMap();

/** An inode number means one file for ever: what was last seen under it must be what is seen now. */
function checkInode(t, path, ino, uid, gid) {
  if (!inodes.has(t)) inodes.set(t, new Float64Array(INOS * 3));
  const seen = inodes.get(t);
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
export function checkStat(t, path, uid, low, high, links = 1) {
  const s = t.stats;
  const gen = s[GID];
  const what = `${path.text} is file ${s[UID]}.${gen} of ${s[SIZE]} bytes, mtime ${s[MTIME_NSEC]}, ${s[NLINK]} links`;
  if (s[UID] !== uid) t.fail(`${what}: not file ${uid}`);
  if (!(gen >= low && gen <= high)) t.fail(`${what}: generations ${low} to ${high} could be there`);
  if (s[SIZE] !== sizeOf(gen) || s[MTIME_NSEC] !== nsecOf(gen)) t.fail(`${what}: that is two files at once`);
  if (!(s[NLINK] >= 0 && s[NLINK] <= links)) t.fail(`${what}: it has at most ${links}`);
  checkInode(t, path, s[INO], uid, gen);
}

/** The same for a stamped directory. */
export function checkDirStat(t, path, uid, low, high) {
  const s = t.stats;
  const what = `${path.text} is directory ${s[UID]}.${s[GID]} with ${s[NLINK]} links`;
  if (s[UID] !== uid) t.fail(`${what}: not ${uid}`);
  if (!(s[GID] >= low && s[GID] <= high)) t.fail(`${what}: generations ${low} to ${high} could be there`);
  checkInode(t, path, s[INO], uid, s[GID]);
}

/** `n` bytes in the scratch area must be the whole contents of a file with the attributes in `stats`. */
export function checkContents(t, path, n) {
  const uid = t.stats[UID];
  const gen = t.stats[GID];
  const word = wordOf(uid, gen);
  if (n !== sizeOf(gen)) t.fail(`${path.text}, file ${uid}.${gen}, has ${n} bytes instead of ${sizeOf(gen)}`);
  for (let i = 0; i < n / 4; i++) {
    if (t.io[i] !== word) t.fail(`${path.text}, file ${uid}.${gen}: word ${i} is ${t.io[i] >>> 0}, not ${word >>> 0}`);
  }
}

const BORN = 0;
const THERE = 1;
const DYING = 2;
const GONE = 3;

/**
 * What one name may show, told in four shared words by the one thread that changes it: the last generation whose making
 * began and ended, and the last whose removal began and ended. A reader looks before and after its call.
 */
export class Tracked {
  #words;
  #at;
  #gone = 0;
  #there = 0;

  constructor(words, at) {
    this.#words = words;
    this.#at = at;
  }

  set(word, gen) {
    Atomics.store(this.#words, this.#at + word, gen);
  }

  get(word) {
    return Atomics.load(this.#words, this.#at + word);
  }

  get newest() {
    return this.get(BORN);
  }

  /** The writer's: `make` puts generation `gen` where nothing is. */
  made(gen, make) {
    this.set(BORN, gen);
    make();
    this.set(THERE, gen);
  }

  /** The writer's: `remove` takes the present one away. */
  removed(remove) {
    const gen = this.get(BORN);
    this.set(DYING, gen);
    remove();
    this.set(GONE, gen);
  }

  /** The writer's: `replace` puts `gen` over the one before; the name is never missing. */
  replaced(gen, replace) {
    this.set(BORN, gen);
    replace();
    this.set(GONE, gen - 1);
    this.set(THERE, gen);
  }

  before() {
    this.#gone = this.get(GONE);
    this.#there = this.get(THERE);
  }

  /** Lowest generation that a call since before() may have found. */
  get low() {
    return this.#gone + 1;
  }

  get high() {
    return this.get(BORN);
  }

  /** Whether a call since before() may have found nothing. */
  get mayMiss() {
    return this.#there <= this.get(DYING);
  }
}

/** Names of several lengths: in the dentry, at its edge, outside. */
export const nameOf = (base, i) => {
  const width = [0, 0, 8, 31, 32, 33, 70, 200][i % 8];
  return `${base}${i}`.padEnd(width, "-");
};

/** makePath() of a name below a directory. */
export const at = (dir, name) => makePath(`${dir}/${name}`);
