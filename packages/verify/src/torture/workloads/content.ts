/**
 * Workloads of the torture on the contents of files: attributes that change in one step, contents that are written over and cut,
 * several names for one file, bodies of links, ACLs.
 *
 * Reads of typed arrays are cast to numbers: their indices are below the length that the call returned.
 */
import { AT_SYMLINK_NOFOLLOW, ERRNO, MAY_READ, O_CREAT, O_RDONLY, O_RDWR } from "../../../../threadfs/dist/abi/abi.js";
import { ACL_TAG } from "../../../../threadfs/dist/src/index.js";
import { elementAt } from "../../support/defined.js";
import { clockOf, nameOf, nsecOf, pathIn, putStamped, TRACKED_WORDS, Tracked, wordOf } from "../file-stamp.js";
import { makePath, type Path } from "../shared-state.js";
import type { RawAclEntry, Thread } from "../thread.js";
import { listOf, type TakeWords, type Workload } from "./workload.js";

const MASK = 0x5a5a5a5a;

/** Makes an empty file. */
function makeEmpty(t: Thread, path: Path): void {
  t.must(t.close(t.must(t.open(path, O_CREAT | O_RDWR), "open")), "close");
}

/** Two attributes that one call changes together. */
type Pair = "owner and group" | "size and mtime" | "atime and mtime";

/** Attributes of which two always belong together: a torn stat shows one of the old and one of the new. */
export class Torn implements Workload {
  readonly items = 8;
  readonly paths = listOf(this.items, (i) => pathIn("/t/torn", nameOf("f", i)));
  /** The number that each file's attributes are made of; only the writer knows. */
  readonly #now = this.paths.map(() => 0);

  build(t: Thread): void {
    t.fs.mkdirSync("/t/torn");
    for (const [i, path] of this.paths.entries()) {
      makeEmpty(t, path);
      this.#change(t, path, "owner and group", 1);
      this.#change(t, path, i % 2 ? "atime and mtime" : "size and mtime", 1);
      this.#change(t, path, i % 2 ? "size and mtime" : "atime and mtime", 1);
    }
  }

  #change(t: Thread, path: Path, pair: Pair, n: number): void {
    t.clock.ms = clockOf(n);
    if (pair === "owner and group") t.must(t.chown(path, n, (n ^ MASK) >>> 0), "chown");
    else if (pair === "size and mtime") t.must(t.truncate(path, n), "truncate");
    else t.must(t.utimes(path, n + 7, n), "utimes");
  }

  write(t: Thread, i: number): void {
    const n = (elementAt(this.#now, i) + 1 + t.next(100)) % 60000;
    this.#now[i] = n;
    // One file's mtime follows its size, another's the atime: never both in one.
    const times = i % 2 ? "size and mtime" : "atime and mtime";
    this.#change(t, elementAt(this.paths, i), t.next(2) === 0 ? "owner and group" : times, n);
  }

  read(t: Thread, i: number): void {
    const path = elementAt(this.paths, i);
    if (t.stat(path) !== 0) t.fail(`${path.text} is always there and was not found`);
    this.check(t, i, path);
  }

  check(t: Thread, i: number, { text }: Path): void {
    if ((t.uid ^ MASK) >>> 0 !== t.gid) t.fail(`${text}: owner ${t.uid} and group ${t.gid} are of two moments`);
    if (i % 2 === 1 && nsecOf(t.size) !== t.mtimeNsec) {
      t.fail(`${text}: size ${t.size}, mtime ${t.mtimeNsec} are of two moments`);
    }
    if (i % 2 === 0 && t.atime !== t.mtime + 7) {
      t.fail(`${text}: atime ${t.atime}, mtime ${t.mtime} are of two moments`);
    }
  }
}

const CHUNK = 65536;

/** Bytes of a chunk and number of chunks of each file. */
const REWRITTEN = [
  { length: 512, chunks: 1 },
  { length: 4096, chunks: 1 },
  { length: 4100, chunks: 1 },
  { length: CHUNK, chunks: 2 },
  { length: CHUNK, chunks: 80 },
  { length: 300, chunks: 1 },
] as const;

/**
 * Files that are written over and cut. A thread writes every chunk of at most 64 KiB in one call: the bytes that one call reads
 * of it are of one generation up to its end, and zeros from there.
 */
export class Rewritten implements Workload {
  readonly items = REWRITTEN.length;
  readonly #items = REWRITTEN.map((shape, i) => ({ ...shape, path: pathIn("/t/co", nameOf("f", i)), now: 0 }));

  build(t: Thread): void {
    t.fs.mkdirSync("/t/co");
    for (const { path } of this.#items) makeEmpty(t, path);
  }

  write(t: Thread, i: number): void {
    const item = elementAt(this.#items, i);
    const { path, length, chunks } = item;
    const fd = t.must(t.open(path, O_RDWR), "open");
    const action = t.next(4);
    if (action === 0) t.must(t.ftruncate(fd, t.next(2) === 0 ? 0 : t.next(length)), "ftruncate");
    else if (action === 1) t.must(t.ftruncate(fd, length * chunks), "ftruncate");
    else {
      t.io.fill(wordOf(i, ++item.now & 0xffff), 0, length / 4);
      const n = t.must(t.write(fd, t.next(chunks) * length, length), "write");
      if (n !== length) t.fail(`a write of ${length} bytes to ${path.text} is short: ${n}`);
    }
    t.must(t.close(fd), "close");
  }

  read(t: Thread, i: number): void {
    const { path, length, chunks } = elementAt(this.#items, i);
    const fd = t.must(t.open(path, O_RDONLY), `opening ${path.text}`);
    const chunk = t.next(chunks);
    const n = t.must(t.read(fd, chunk * length, length), "read");
    t.must(t.close(fd), "close");
    const bytes = new Uint8Array(t.io.buffer, t.io.byteOffset, n);
    const word = t.io[0] as number;
    let k = 0;
    while (k < n >> 2 && t.io[k] === word) k++;
    // The word that the file was cut in, and zeros behind it.
    for (let b = k * 4; b < n; b++) {
      const whole = (word >>> ((b & 3) * 8)) & 0xff;
      if (bytes[b] !== 0 && !(b < k * 4 + 4 && bytes[b] === whole)) {
        t.fail(`${path.text}, chunk ${chunk}: byte ${b} of ${n} is ${bytes[b]} behind ${k} words of ${word >>> 0}`);
      }
    }
  }
}

interface LinkedItem {
  /** The name that is always there. */
  readonly first: Path;
  readonly others: readonly { readonly path: Path; readonly name: Tracked }[];
  /** For the writer: the last generation of any name, and the names that exist. */
  gen: number;
  readonly there: Set<number>;
}

/** One file under several names, of which one is always there: the number of links keeps to its bounds. */
export class Linked implements Workload {
  readonly items = 8;
  readonly #items: readonly LinkedItem[];
  readonly #others = 6;

  constructor({ words }: Thread, take: TakeWords) {
    this.#items = listOf(this.items, (i) => ({
      first: pathIn("/t/hl", nameOf("f", i)),
      others: listOf(this.#others, (k) => ({
        path: pathIn(`/t/hl/${i % 2}`, `${i}-${nameOf("n", k)}`),
        name: new Tracked(words, take(TRACKED_WORDS)),
      })),
      gen: 0,
      there: new Set(),
    }));
  }

  #uid(i: number): number {
    return 7000 + i;
  }

  build(t: Thread): void {
    for (const n of [0, 1]) t.fs.mkdirSync(`/t/hl/${n}`, { recursive: true });
    for (const [i, { first }] of this.#items.entries()) putStamped(t, first, this.#uid(i), 1);
  }

  write(t: Thread, i: number): void {
    const item = elementAt(this.#items, i);
    const k = t.next(this.#others);
    const { path, name } = elementAt(item.others, k);
    if (item.there.delete(k)) name.removed(() => t.must(t.unlink(path), `unlink ${path.text}`));
    else {
      name.made(++item.gen, () => t.must(t.link(item.first, path), `link ${path.text}`));
      item.there.add(k);
    }
  }

  read(t: Thread, i: number): void {
    const { first, others } = elementAt(this.#items, i);
    if (t.stat(first) !== 0) t.fail(`${first.text} is always there and was not found`);
    this.#check(t, first, i);
    const { ino } = t;
    const { path, name } = elementAt(others, t.next(this.#others));
    name.before();
    const result = t.stat(path);
    if (result === -ERRNO.ENOENT) {
      if (!name.mayMiss) t.fail(`${path.text} was there all the time and was not found`);
      return;
    }
    t.must(result, "stat");
    this.#check(t, path, i);
    if (t.ino !== ino) t.fail(`${path.text} has inode ${t.ino}, not ${ino}`);
  }

  #check(t: Thread, { text }: Path, i: number): void {
    const most = this.#others + 1;
    if (t.uid !== this.#uid(i)) t.fail(`${text} is file ${t.uid}, not ${this.#uid(i)}`);
    if (!(t.links >= 1 && t.links <= most)) t.fail(`${text} has ${t.links} links, it has 1 to ${most}`);
  }
}

/** The body of a link of this generation: of many lengths, and its end shows that it is whole. */
function bodyOf(gen: number): string {
  return `b${gen}.${"x".repeat((gen * 13) % 300)}!`;
}

interface BodyItem {
  readonly path: Path;
  readonly temp: Path;
  readonly name: Tracked;
  /** Whether the body leads to a file. */
  readonly followed: boolean;
}

/** The two bodies of a followed link, and the files that they lead to. */
const TARGETS = ["/t/ln/one", "../ln/./two"].map(makePath);
const TARGET_FILES = ["/t/ln/one", "/t/ln/two"].map(makePath);
const TARGET_UID = 8000;

/** Links that are replaced: a reader reads a body whole, and a link that it follows leads to one of two files. */
export class Bodies implements Workload {
  readonly items = 8;
  readonly #items: readonly BodyItem[];

  constructor({ words }: Thread, take: TakeWords) {
    this.#items = listOf(this.items, (i) => ({
      path: pathIn("/t/ln", nameOf("l", i)),
      temp: makePath(`/t/tmp/link${i}`),
      name: new Tracked(words, take(TRACKED_WORDS)),
      followed: i % 2 === 1,
    }));
  }

  #put(t: Thread, { path, temp, name, followed }: BodyItem, gen: number): void {
    const body = followed ? elementAt(TARGETS, gen & 1) : makePath(bodyOf(gen));
    t.must(t.symlink(body, temp), "symlink");
    name.replaced(gen, () => t.must(t.rename(temp, path), "rename"));
  }

  build(t: Thread): void {
    t.fs.mkdirSync("/t/ln");
    for (const [k, file] of TARGET_FILES.entries()) putStamped(t, file, TARGET_UID + k, 1);
    for (const item of this.#items) this.#put(t, item, 1);
  }

  write(t: Thread, i: number): void {
    const item = elementAt(this.#items, i);
    this.#put(t, item, item.name.newest + 1);
  }

  read(t: Thread, i: number): void {
    const { path, name, followed } = elementAt(this.#items, i);
    name.before();
    if (followed) {
      if (t.stat(path) !== 0) t.fail(`${path.text} leads to a file that is always there, and it was not found`);
      if (t.uid !== TARGET_UID && t.uid !== TARGET_UID + 1) t.fail(`${path.text} leads to file ${t.uid}`);
      return;
    }
    const body = t.text(t.must(t.readlink(path), `readlink of ${path.text}`));
    const gen = Number(/^b(\d+)\./.exec(body)?.[1]);
    if (body !== bodyOf(gen)) t.fail(`${path.text}: the body is ${JSON.stringify(body)}`);
    if (!(gen >= name.low && gen <= name.high)) t.fail(`${path.text}: body ${gen}, ${name.possible}`);
    if (t.stat(path, AT_SYMLINK_NOFOLLOW) !== 0) t.fail(`${path.text} is always there and was not found`);
  }
}

const GUARD_UID = 1000;
/** An ACL that gives one user the right to read and search. */
const GUARD_ACL: readonly RawAclEntry[] = [
  { tag: ACL_TAG.USER_OBJ, perm: 7, id: 0 },
  { tag: ACL_TAG.USER, perm: 5, id: GUARD_UID },
  { tag: ACL_TAG.GROUP_OBJ, perm: 0, id: 0 },
  { tag: ACL_TAG.MASK, perm: 5, id: 0 },
  { tag: ACL_TAG.OTHER, perm: 0, id: 0 },
];
const GUARD_MODES = [0o700, 0o750, 0o711, 0o755] as const;

/** ACLs set and removed, and modes changed, while a user without other rights asks for access: granted or EACCES, nothing else. */
export class Guarded implements Workload {
  readonly items = 4;
  readonly #dirs = listOf(this.items, (i) => makePath(`/t/acl/${i}`));
  readonly #files = this.#dirs.map(({ text }) => makePath(`${text}/f`));
  /** The user's context, in the thread that this object belongs to. */
  #ctx: number | undefined;

  build(t: Thread): void {
    for (const { text } of this.#dirs) t.fs.mkdirSync(text, { recursive: true });
    for (const [i, file] of this.#files.entries()) putStamped(t, file, 8100 + i, 1);
  }

  write(t: Thread, i: number): void {
    const dir = elementAt(this.#dirs, i);
    const action = t.next(4);
    if (action < 2) t.must(t.setacl(dir, action === 0 ? [] : GUARD_ACL), "setacl");
    else t.must(t.chmod(dir, elementAt(GUARD_MODES, t.next(4))), "chmod");
  }

  read(t: Thread, i: number): void {
    const file = elementAt(this.#files, i);
    this.#ctx ??= t.must(t.contextCreate(GUARD_UID), "contextCreate");
    const result = t.access(file, MAY_READ, this.#ctx);
    if (result !== 0 && result !== -ERRNO.EACCES) t.must(result, `access to ${file.text}`);
  }

  end(t: Thread): void {
    if (this.#ctx !== undefined) t.must(t.contextDestroy(this.#ctx), "contextDestroy");
    this.#ctx = undefined;
  }
}
