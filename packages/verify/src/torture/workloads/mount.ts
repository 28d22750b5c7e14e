/** Workloads of the torture on mounts and contexts: mounts, contexts that several threads share, a driver's unused dentries. */
import { ERRNO, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR } from "../../../../threadfs/dist/abi/abi.js";
import { elementAt } from "../../support/defined.js";
import { checkContents, putStamped, sizeOf } from "../file-stamp.js";
import { makePath, type Path } from "../shared-state.js";
import type { Thread } from "../thread.js";
import { listOf, type TakeWords, type Workload } from "./workload.js";

/**
 * Which items are unmounted lazily. A walk that is in such a mount then is in no tree any more, as in Linux: "..", which led
 * out of it, ends at its root, where there is no mark.
 */
function lazily(i: number): boolean {
  return i % 2 === 1;
}

/** Looks up a mark that is always there, but for a walk in a mount that was unmounted lazily: then it returns false. */
function foundMark(t: Thread, path: Path, i: number): boolean {
  const result = t.stat(path);
  if (result === -ERRNO.ENOENT && lazily(i)) return false;
  if (result !== 0) t.fail(`${path.text} is always there and was not found`);
  return true;
}

interface MountedItem {
  /** Two mount points with the file that is in each when it is not mounted over. */
  readonly here: Path;
  readonly there: Path;
  readonly inHere: Path;
  readonly inThere: Path;
  readonly mark: Path;
  /** The mark by way of the first mount point. */
  readonly up: Path;
  /** Where the mount is; only the writer knows. */
  at: Path | undefined;
}

function mountedItem(i: number): MountedItem {
  const [here, there] = [makePath(`/t/mnt/${i}/here`), makePath(`/t/mnt/${i}/there`)];
  return {
    here,
    there,
    inHere: makePath(`${here.text}/in`),
    inThere: makePath(`${there.text}/in`),
    mark: makePath(`/t/mnt/${i}/mark`),
    up: makePath(`${here.text}/../mark`),
    at: undefined,
  };
}

/** In-memory file systems mounted, moved and unmounted over directories that have the same name inside. */
export class Mounted implements Workload {
  readonly items = 4;
  readonly #items = listOf(this.items, mountedItem);

  /** Owner of the files below the mount; the next numbers are the mark's and the mounted file's. */
  #uid(i: number): number {
    return 9000 + i * 4;
  }

  build(t: Thread): void {
    for (const [i, { here, there, inHere, inThere, mark }] of this.#items.entries()) {
      t.fs.mkdirSync(here.text, { recursive: true });
      t.fs.mkdirSync(there.text);
      putStamped(t, inHere, this.#uid(i), 1);
      putStamped(t, inThere, this.#uid(i), 1);
      putStamped(t, mark, this.#uid(i) + 1, 1);
    }
  }

  write(t: Thread, i: number): void {
    const item = elementAt(this.#items, i);
    const { here, there, at } = item;
    if (at === undefined) {
      t.must(t.mount(here), "mount");
      // The file is whole before it has its name.
      const temp = makePath(`${here.text}/temp`);
      t.must(t.close(t.must(t.open(temp, O_CREAT | O_RDWR), "open")), "close");
      t.must(t.chown(temp, this.#uid(i) + 2, 1), "chown");
      t.must(t.rename(temp, item.inHere), "rename");
      item.at = here;
    } else if (t.next(3) === 0) {
      const to = at === here ? there : here;
      t.must(t.moveMount(at, to), "moving a mount");
      item.at = to;
    } else if (t.must(t.umount(at, lazily(i)), "umount", ERRNO.EBUSY) === 0) item.at = undefined;
  }

  read(t: Thread, i: number): void {
    const { inHere, inThere, up } = elementAt(this.#items, i);
    const uid = this.#uid(i);
    for (const path of [inHere, inThere]) {
      const result = t.stat(path);
      // A fresh file system is empty for a moment.
      if (result === -ERRNO.ENOENT) continue;
      t.must(result, `stat of ${path.text}`);
      if (t.uid !== uid && t.uid !== uid + 2) t.fail(`${path.text} is file ${t.uid}`);
    }
    if (foundMark(t, up, i) && t.uid !== uid + 1) t.fail(`${up.text} is file ${t.uid}, not ${uid + 1}`);
  }

  end(t: Thread): void {
    for (const item of this.#items) {
      if (item.at !== undefined) t.must(t.umount(item.at, true), "umount");
      item.at = undefined;
    }
  }
}

const BOUND_SOURCE = makePath("/t/bd/source/of");
const BOUND_UID = 9499;

interface BoundItem {
  readonly target: Path;
  readonly inside: Path;
  /** A mark outside, by way of the target. */
  readonly back: Path;
  /** Whether the source is bound over the target; only the writer knows. */
  on: boolean;
}

function boundItem(i: number): BoundItem {
  const target = makePath(`/t/bd/${i}/target`);
  const below = `${target.text}/sub`;
  return { target, inside: makePath(`${below}/id`), back: makePath(`${below}/../../mark`), on: false };
}

/** A directory bound over one with the same names: its file is always there, from below or from above. */
export class Bound implements Workload {
  readonly items = 4;
  readonly #items = listOf(this.items, boundItem);

  #uid(i: number): number {
    return BOUND_UID + 1 + i;
  }

  build(t: Thread): void {
    t.fs.mkdirSync(`${BOUND_SOURCE.text}/sub`, { recursive: true });
    putStamped(t, makePath(`${BOUND_SOURCE.text}/sub/id`), BOUND_UID, 1);
    for (const [i, { target, inside }] of this.#items.entries()) {
      t.fs.mkdirSync(`${target.text}/sub`, { recursive: true });
      putStamped(t, inside, this.#uid(i), 1);
      putStamped(t, makePath(`/t/bd/${i}/mark`), this.#uid(i) + 100, 1);
    }
  }

  write(t: Thread, i: number): void {
    const item = elementAt(this.#items, i);
    if (!item.on) t.must(t.bind(BOUND_SOURCE, item.target), "bind");
    else if (t.must(t.umount(item.target, lazily(i)), "umount", ERRNO.EBUSY) !== 0) return;
    item.on = !item.on;
  }

  read(t: Thread, i: number): void {
    const { inside, back } = elementAt(this.#items, i);
    const uid = this.#uid(i);
    if (t.stat(inside) !== 0) t.fail(`${inside.text} is always there and was not found`);
    if (t.uid !== BOUND_UID && t.uid !== uid) t.fail(`${inside.text} is file ${t.uid}`);
    if (foundMark(t, back, i) && t.uid !== uid + 100) t.fail(`${back.text} is file ${t.uid}`);
  }

  end(t: Thread): void {
    for (const item of this.#items) {
      if (item.on) t.must(t.umount(item.target, true), "umount");
      item.on = false;
    }
  }
}

/** Words of a shared context: its number, which takes two of them, descriptors of the two directories, descriptors of files. */
const DIR_FDS = 2;
const FILE_FDS = 4;
const FILES = 6;
const CONTEXT_WORDS = FILE_FDS + FILES;

const CONTEXT_DIRS = ["/t/cw/a", "/t/cw/b"].map(makePath);
const WHO = makePath("who");
const WHO_FROM_ROOT = makePath("/who");
const DOT = makePath(".");
const WHO_UID = 9700;
/** Generation of the file in the first directory; the next one is that of the second's. */
const WHO_GEN = 3;

/**
 * Errors that a call in a shared context may return. The context may be gone, or going and without its rights; a descriptor's
 * number may belong to its successor, for which it is a directory or a file.
 */
const CONTEXT_ERRORS = [ERRNO.EBADF, ERRNO.ENODEV, ERRNO.EISDIR, ERRNO.ENOTDIR, ERRNO.EPERM, ERRNO.EACCES] as const;

/** Whether the call failed; it may, with the errors of a shared context only. */
function failed(t: Thread, result: number, call: string): boolean {
  return t.must(result, call, ...CONTEXT_ERRORS) < 0;
}

/**
 * Contexts that one thread makes and closes while all use them: any thread changes working directory and root between two
 * places, and opens, reads and closes descriptors.
 */
export class Shared implements Workload {
  readonly items = 4;
  readonly #words: Int32Array;
  /** The same memory, for the numbers. */
  readonly #numbers: BigInt64Array;
  readonly #base: number;

  constructor({ words }: Thread, take: TakeWords) {
    this.#words = words;
    this.#numbers = new BigInt64Array(words.buffer, words.byteOffset, words.length >>> 1);
    const first = take(this.items * CONTEXT_WORDS + 1);
    this.#base = first + (first % 2);
  }

  /** The number of a context, 0: there is none. */
  #context(i: number): number {
    return Number(Atomics.load(this.#numbers, (this.#base + i * CONTEXT_WORDS) / 2));
  }

  /** @returns the number before */
  #setContext(i: number, number: number): number {
    return Number(Atomics.exchange(this.#numbers, (this.#base + i * CONTEXT_WORDS) / 2, BigInt(number)));
  }

  #load(i: number, word: number): number {
    return Atomics.load(this.#words, this.#base + i * CONTEXT_WORDS + word);
  }

  #exchange(i: number, word: number, value: number): number {
    return Atomics.exchange(this.#words, this.#base + i * CONTEXT_WORDS + word, value);
  }

  build(t: Thread): void {
    for (const [k, { text }] of CONTEXT_DIRS.entries()) {
      t.fs.mkdirSync(text, { recursive: true });
      putStamped(t, makePath(`${text}/who`), WHO_UID + k, WHO_GEN + k);
    }
  }

  write(t: Thread, i: number): void {
    const ctx = this.#context(i);
    if (ctx === 0) this.#make(t, i);
    else if (t.next(8) !== 0) this.#use(t, i, ctx);
    else {
      this.#setContext(i, 0);
      t.must(t.contextDestroy(ctx), "contextDestroy");
      for (let k = 0; k < FILES; k++) this.#exchange(i, FILE_FDS + k, 0);
    }
  }

  #make(t: Thread, i: number): void {
    const ctx = t.must(t.contextCreate(0), "contextCreate");
    const [first, second] = [elementAt(CONTEXT_DIRS, 0), elementAt(CONTEXT_DIRS, 1)];
    for (const [k, dir] of [first, second].entries()) {
      this.#exchange(i, DIR_FDS + k, t.must(t.open(dir, O_RDONLY | O_DIRECTORY, 0, ctx), "open"));
    }
    t.must(t.chdir(first, ctx), "chdir");
    t.must(t.chroot(second, ctx), "chroot");
    this.#setContext(i, ctx);
  }

  #use(t: Thread, i: number, ctx: number): void {
    const action = t.next(6);
    const dir = this.#load(i, DIR_FDS + t.next(2));
    if (action === 0) failed(t, t.chroot(DOT, ctx, dir), "chroot");
    else if (action === 1) failed(t, t.chdir(DOT, ctx, dir), "fchdir");
    else if (action === 2) this.#open(t, i, ctx);
    else if (action === 3) this.#readOpen(t, i, ctx);
    else {
      const path = action === 4 ? WHO : WHO_FROM_ROOT;
      if (failed(t, t.stat(path, 0, ctx), `stat of ${path.text}`)) return;
      if (t.uid !== WHO_UID && t.uid !== WHO_UID + 1) t.fail(`${path.text} in a context is file ${t.uid}`);
    }
  }

  /** Opens with the root that the context has: its path may not lead there. */
  #open(t: Thread, i: number, ctx: number): void {
    const file = t.open(WHO_FROM_ROOT, O_RDONLY, 0, ctx);
    if (failed(t, file, "open")) return;
    const before = this.#exchange(i, FILE_FDS + t.next(FILES), file);
    if (before !== 0) failed(t, t.close(before, ctx), "close");
  }

  /** A descriptor that may be closed, or open on either of the two files: a read is whole. */
  #readOpen(t: Thread, i: number, ctx: number): void {
    const fd = this.#load(i, FILE_FDS + t.next(FILES));
    if (fd === 0) return;
    const n = t.read(fd, 0, 65536, ctx);
    if (failed(t, n, "read")) return;
    const k = CONTEXT_DIRS.findIndex((_, which) => n === sizeOf(WHO_GEN + which));
    if (k < 0) t.fail(`descriptor ${fd} of a shared context reads ${n} bytes`);
    checkContents(t, WHO, n, WHO_UID + k, WHO_GEN + k);
  }

  read(t: Thread, i: number): void {
    const ctx = this.#context(i);
    if (ctx === 0) return;
    this.#use(t, i, ctx);
    const cwd = t.getcwd(ctx);
    // A working directory outside of the context's root has no path.
    if (typeof cwd === "number") {
      if (cwd !== -ERRNO.ENOENT) failed(t, cwd, "getcwd");
      return;
    }
    if (cwd !== "/") t.fail(`the working directory of a context is ${cwd}`);
  }

  end(t: Thread): void {
    for (let i = 0; i < this.items; i++) {
      const ctx = this.#setContext(i, 0);
      if (ctx !== 0) failed(t, t.contextDestroy(ctx), "contextDestroy");
    }
  }
}

/** The rule driver's file system: its dentries fill the list of unused ones, from which other threads free them. */
export class Ruled implements Workload {
  readonly items = 4096;
  readonly #paths = listOf(this.items, (i) => makePath(`/t/drv/d${i % 8}/f${i}`));
  readonly #never = makePath("/t/drv/d1/none");

  build(t: Thread): void {
    t.fs.mkdirSync("/t/drv");
    t.vfs.mount(null, "/t/drv", "rule");
  }

  write(t: Thread, i: number): void {
    if (i % 4 === 0) t.must(t.shrink(64), "shrink");
    else if (i % 64 === 1) t.must(t.synchronizeRcu(), "synchronizeRcu");
    else this.read(t, t.next(this.items));
  }

  read(t: Thread, i: number): void {
    const path = elementAt(this.#paths, i);
    const never = this.#never;
    if (t.stat(path) !== 0) t.fail(`${path.text} is always there and was not found`);
    if (t.uid !== i || t.gid !== (i ^ 0xff)) t.fail(`${path.text} is file ${t.uid}.${t.gid}`);
    if (t.stat(never) !== -ERRNO.ENOENT) t.fail(`${never.text} never was and was found`);
  }

  last(t: Thread): void {
    t.vfs.umount("/t/drv", { detach: true });
  }
}
