/**
 * Workloads of the torture on drivers' directories that have several names, and on such that go stale too, with file systems mounted in
 * them all the time. Whoever looks a directory up under one name moves it there, with its mounts, while others walk below it.
 */
import { ERRNO, O_CREAT, O_RDWR } from "../../../../threadfs/dist/abi/abi.js";
import { elementAt } from "../../support/defined.js";
import { deepUid, twinUid } from "../../workload/twin-driver.js";
import { TRACKED_WORDS, Tracked } from "../file-stamp.js";
import { erasOf, makePath, type Path } from "../shared-state.js";
import type { Thread } from "../thread.js";
import { listOf, type TakeWords, type Workload } from "./workload.js";

const PARENTS = ["a", "b", "c", "deep"] as const;
/** Owner of the files in the mounts of an item: the group is the generation of the mount. */
const mountedUid = (i: number): number => 22_000 + i;

/** One directory under one of its names. */
interface Twin {
  readonly file: Path;
  /** The directory in which file systems are mounted, its file, and a way back out of it. */
  readonly deep: Path;
  readonly deepFile: Path;
  readonly temp: Path;
  readonly back: Path;
  /** A directory of the mount, with another mount on it. */
  readonly inner: Path;
}

function twinAt(path: string): Twin {
  return {
    file: makePath(`${path}/a`),
    deep: makePath(`${path}/deep`),
    deepFile: makePath(`${path}/deep/a`),
    temp: makePath(`${path}/deep/temp`),
    back: makePath(`${path}/deep/../a`),
    inner: makePath(`${path}/deep/inner`),
  };
}

/** What both workloads do. An item is a directory with all its names; the mounts in it have generations. */
abstract class Twins implements Workload {
  readonly items = 16;
  readonly #root: string;
  readonly #driver: string;
  readonly #twins: readonly (readonly Twin[])[];
  protected readonly mounts: readonly Tracked[];
  /** Whether a mount is there; only the writer knows. */
  readonly #mounted = new Set<number>();

  constructor({ words }: Thread, take: TakeWords, root: string, driver: string) {
    this.#root = root;
    this.#driver = driver;
    this.#twins = listOf(this.items, (i) => {
      const names = i === 0 ? ["x0", "c"] : i === 1 ? ["x1", "deep"] : [`x${i}`];
      return PARENTS.flatMap((parent) => names.map((name) => twinAt(`${root}/${parent}/${name}`)));
    });
    this.mounts = listOf(this.items, () => new Tracked(words, take(TRACKED_WORDS)));
  }

  build(t: Thread): void {
    t.fs.mkdirSync(this.#root);
    t.vfs.mount(null, this.#root, this.#driver);
  }

  /** One of an item's names. */
  protected anyOf(t: Thread, i: number): Twin {
    const twins = elementAt(this.#twins, i);
    return elementAt(twins, t.next(twins.length));
  }

  write(t: Thread, i: number): void {
    const name = elementAt(this.mounts, i);
    if (!this.#mounted.has(i)) {
      const gen = name.newest + 1;
      name.made(gen, () => this.#mount(t, i, gen));
      this.#mounted.add(i);
    } else if (this.unmount(t, i, name)) this.#mounted.delete(i);
  }

  /** Takes the mounts of an item away. False: they are in use, and stay. */
  protected abstract unmount(t: Thread, i: number, name: Tracked): boolean;

  /** Each path has another of the directory's names. */
  #mount(t: Thread, i: number, gen: number): void {
    t.must(t.mount(this.anyOf(t, i).deep), "mount");
    // The file is whole before it has its name.
    const { temp, deepFile } = this.anyOf(t, i);
    t.must(t.close(t.must(t.open(temp, O_CREAT | O_RDWR), "open")), "close");
    t.must(t.chown(temp, mountedUid(i), gen), "chown");
    t.must(t.rename(temp, deepFile), "rename");
    if (i % 4 !== 3) return;
    t.must(t.mkdir(this.anyOf(t, i).inner), "mkdir");
    t.must(t.mount(this.anyOf(t, i).inner), "mount");
  }

  read(t: Thread, i: number): void {
    this.readFile(t, i, this.anyOf(t, i).file);
    const { deepFile } = this.anyOf(t, i);
    const name = elementAt(this.mounts, i);
    name.before();
    this.beginRead(i);
    // A fresh file system is empty for a moment.
    const found = t.must(t.stat(deepFile), `stat of ${deepFile.text}`, ...(name.mayMiss ? [ERRNO.ENOENT] : [])) === 0;
    if (found) this.#checkDeep(t, i, deepFile);
    const { back } = this.anyOf(t, i);
    // From a mount that is detached meanwhile no path leads out.
    this.readFile(t, i, back, ERRNO.ENOENT);
  }

  /** The file that is in the mount, or where the mount is not. */
  #checkDeep(t: Thread, i: number, deepFile: Path): void {
    const { uid, gid } = t;
    const name = elementAt(this.mounts, i);
    if (uid === mountedUid(i)) {
      if (gid < name.low || gid > name.high) t.fail(`${deepFile.text} is in mount ${gid}; ${name.possible}`);
    } else if (uid !== deepUid(i)) t.fail(`${deepFile.text} is file ${uid}.${gid}`);
    else if (!name.mayMiss) t.fail(`a file system is mounted on ${deepFile.text} all the time and was not found`);
    else this.checkEra(t, i, deepFile);
  }

  /** The file of the directory itself. */
  protected readFile(t: Thread, i: number, path: Path, ...allowed: readonly number[]): void {
    this.beginRead(i);
    if (t.must(t.stat(path), `stat of ${path.text}`, ...allowed) < 0) return;
    // ".." of a mount that has been detached is the mount itself, with the file in it.
    const { uid } = t;
    if (allowed.length > 0 && uid === mountedUid(i)) return;
    if (uid !== twinUid(i)) t.fail(`${path.text} is file ${uid}.${t.gid}`);
    this.checkEra(t, i, path);
  }

  /** Before a read of the driver's files of an item, and after it. */
  protected abstract beginRead(i: number): void;
  protected abstract checkEra(t: Thread, i: number, path: Path): void;

  end(t: Thread): void {
    for (const i of this.#mounted) t.must(t.umount(this.anyOf(t, i).deep, true), "umount");
    this.#mounted.clear();
  }

  last(t: Thread): void {
    t.vfs.umount(this.#root, { detach: true });
  }
}

/** Each directory has a name in four others, two of which are in each other: it is always there, and so is what is mounted in it. */
export class Aliased extends Twins {
  readonly #loops = ["a/b", "b/a", "a", "b", "a/b/x0", "b/a/x1"].map((path) => makePath(`/t/alias/${path}`));
  readonly #dirs = listOf(4, (i) => PARENTS.map((parent) => makePath(`/t/alias/${parent}/x${i}`)));

  constructor(t: Thread, take: TakeWords) {
    super(t, take, "/t/alias", "alias");
  }

  protected unmount(t: Thread, i: number, name: Tracked): boolean {
    // Where mounts are nested only a lazy umount takes them.
    const lazy = i % 2 === 1;
    const umount = () => t.must(t.umount(this.anyOf(t, i).deep, lazy), "umount", ...(lazy ? [] : [ERRNO.EBUSY])) === 0;
    return name.mayRemove(umount);
  }

  override read(t: Thread, i: number): void {
    super.read(t, i);
    this.#look(t, elementAt(this.#loops, t.next(this.#loops.length)), ERRNO.ELOOP);
  }

  /** Many lookups, nearly each of which moves a directory that other threads move at the same time. */
  burst(t: Thread): void {
    const dirs = elementAt(this.#dirs, t.next(this.#dirs.length));
    for (let n = 0; n < 32; n++) this.#look(t, elementAt(dirs, t.next(dirs.length)));
    // Of two directories that would be below each other one cannot be looked up.
    for (let n = 0; n < 32; n++) this.#look(t, elementAt(this.#loops, t.next(4)), ERRNO.ELOOP);
  }

  #look(t: Thread, path: Path, ...allowed: readonly number[]): void {
    if (t.must(t.stat(path), `stat of ${path.text}`, ...allowed) === 0 && t.gid !== 0)
      t.fail(`${path.text} is directory ${t.uid}.${t.gid}`);
  }

  protected beginRead(): void {}
  protected checkEra(t: Thread, _i: number, path: Path): void {
    if (t.gid !== 0) t.fail(`${path.text} is of era ${t.gid}`);
  }
}

/** The same, and the directory becomes another one: from then on no walk finds the old one, or what was mounted in it. */
export class Remade extends Twins {
  readonly #eras: Int32Array;
  #era = 0;

  constructor(t: Thread, take: TakeWords) {
    super(t, take, "/t/twin", "twin");
    this.#eras = erasOf(t.words);
  }

  protected unmount(t: Thread, i: number, name: Tracked): boolean {
    name.removed(() => {
      if (t.next(3) === 0) t.must(t.umount(this.anyOf(t, i).deep, true), "umount");
      else Atomics.add(this.#eras, i, 1);
    });
    return true;
  }

  protected beginRead(i: number): void {
    this.#era = Atomics.load(this.#eras, i);
  }

  protected checkEra(t: Thread, i: number, path: Path): void {
    const now = Atomics.load(this.#eras, i);
    if (t.gid < this.#era || t.gid > now)
      t.fail(`${path.text} is of era ${t.gid}; ${this.#era} to ${now} could be there`);
  }
}
