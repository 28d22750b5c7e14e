/**
 * Random work on a tree through the public calls: a fixed seed gives the same sequence. The results are not judged here. Afterwards
 * the tree has some of everything: long names, holes, open files without a name, mounts on mounts, contexts in removed directories,
 * entries of drivers.
 */
import { type Random, randomBelow } from "../../../cli/dist/support/random.js";
import type { Context, FsSync, Vfs } from "../../../threadfs/dist/src/index.js";
import { codeOf } from "../support/defined.js";
import { TWIN_PATHS } from "./twin-driver.js";

const NAMES = ["a", "b", "c", "deep", "eight888", `long-${"n".repeat(40)}`, `longer-${"m".repeat(200)}`];
const SIZES = [0, 1, 15, 16, 17, 100, 4095, 4096, 4097, 5000, 30_000];
const FAR = 5 * 2 ** 30;
const OPEN_MOST = 40;
const MOUNTS_MOST = 100;
const CONTEXTS_MOST = 6;
/** Directories remembered as prefixes of paths, and the longest prefix. */
const MADE_MOST = 10;
const MADE_LONGEST = 400;
const ACL = [
  { tag: 1, perm: 6 },
  { tag: 2, id: 5, perm: 6 },
  { tag: 4, perm: 4 },
  { tag: 16, perm: 6 },
  { tag: 32, perm: 4 },
];

/** Errors that an operation on a wrong path may have; any other error ends the run. */
const EXPECTED = /^E[A-Z0-9]+$|^ERR_THREADFS_CLOSED$|^ERR_FS_|^ERR_DIR_CLOSED$/;

type Dir = ReturnType<FsSync["opendirSync"]>;
type OpenFile = [fs: FsSync, fd: number];
/** Notes a path for the trace, and returns it. */
type Say = (path: string) => string;

/** Does random operations on the tree of `vfs`; `drivers` are the names of registered drivers. */
export class RandomCalls {
  readonly #random: Random;
  readonly #vfs: Vfs;
  readonly #drivers: readonly string[];
  #files: OpenFile[] = [];
  #dirs: Dir[] = [];
  #contexts: Context[] = [];
  /** Directories that were made: most paths begin with one. */
  #made = ["", "", ""];
  /** The operations done, with their errors: the trace of a failure. */
  readonly trace: string[] = [];

  constructor(vfs: Vfs, seed: number, { drivers = [] }: { drivers?: readonly string[] } = {}) {
    this.#vfs = vfs;
    this.#random = randomBelow(seed);
    this.#drivers = drivers;
  }

  run(operations: number): void {
    for (let n = 0; n < operations; n++) this.step();
  }

  step(): void {
    const [name, act] = this.#one(OPERATIONS);
    const said: string[] = [];
    try {
      act(this, (path) => {
        said.push(path);
        return path;
      });
      this.trace.push(`${name} ${said.join(" ")}`);
    } catch (error) {
      const code = codeOf(error) ?? "";
      if (!EXPECTED.test(code)) throw error;
      this.trace.push(`${name} ${said.join(" ")}: ${code}`);
    }
  }

  /** Closes its files and directories. */
  close(): void {
    for (const [fs, fd] of this.#files.splice(0)) ignore(() => fs.closeSync(fd));
    for (const dir of this.#dirs.splice(0)) ignore(() => dir.closeSync());
    for (const context of this.#contexts.splice(0)) context.close();
  }

  below(n: number): number {
    return this.#random(n);
  }
  /** A random member of a list that is not empty. */
  #one<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
  /** Removes a random member of a list that is not empty. */
  take<T>(list: T[]): T {
    return list.splice(this.below(list.length), 1)[0] as T;
  }
  path(): string {
    if (this.below(3) !== 0) return `${this.#one(this.#made)}/${this.#one(NAMES)}`;
    const depth = 1 + Math.min(this.below(3), this.below(3));
    return `/${Array.from({ length: depth }, () => this.#one(NAMES)).join("/")}`;
  }
  /** Notes a directory that was made. The first three entries stay the root. */
  noteMade(path: string): void {
    if (path.length > MADE_LONGEST) return;
    if (this.#made.length < MADE_MOST) this.#made.push(path);
    else this.#made[3 + this.below(MADE_MOST - 3)] = path;
  }
  /** Most paths lead to the directories of the drivers at /a and /b that have several names. */
  noteTwins(): void {
    for (const path of TWIN_PATHS) this.noteMade(path);
  }
  size(): number {
    return this.#one(SIZES);
  }
  get vfs(): Vfs {
    return this.#vfs;
  }
  /** The name of a driver. With one driver no number is drawn. */
  driver(): string {
    if (this.#drivers.length === 0) missing();
    return this.#drivers.length === 1 ? (this.#drivers[0] as string) : this.#one(this.#drivers);
  }
  /** The caller: mostly the tree's own context, else another one. */
  get fs(): FsSync {
    return this.#contexts.length > 0 && this.below(4) === 0 ? this.#one(this.#contexts).fs : this.#vfs.fs;
  }
  get file(): OpenFile {
    return this.#files.length > 0 ? this.#one(this.#files) : missing();
  }
  get context(): Context {
    return this.#contexts.length > 0 ? this.#one(this.#contexts) : missing();
  }
  keepFile(fs: FsSync, fd: number): void {
    this.#files.push([fs, fd]);
    if (this.#files.length > OPEN_MOST) this.closeFile();
  }
  closeFile(): void {
    if (this.#files.length === 0) missing();
    const [fs, fd] = this.take(this.#files);
    fs.closeSync(fd);
  }
  get dirs(): Dir[] {
    return this.#dirs;
  }
  get contexts(): Context[] {
    return this.#contexts;
  }
}

function missing(): never {
  throw Object.assign(new Error("none is open"), { code: "ENOENT" });
}

function ignore(run: () => void): void {
  try {
    run();
  } catch {
    // The close of its context has closed it.
  }
}

function makeDirectory(t: RandomCalls, say: Say): void {
  const path = say(t.path());
  t.fs.mkdirSync(path);
  t.noteMade(path);
}

const OPERATIONS = Object.entries<(t: RandomCalls, say: Say) => void>({
  mkdir(t, say) {
    makeDirectory(t, say);
  },
  mkdir2(t, say) {
    makeDirectory(t, say);
  },
  mkdir3(t, say) {
    makeDirectory(t, say);
  },
  rmdir(t, say) {
    t.fs.rmdirSync(say(t.path()));
  },
  write(t, say) {
    t.fs.writeFileSync(say(t.path()), Buffer.alloc(t.size(), "w"));
  },
  write2(t, say) {
    t.fs.writeFileSync(say(t.path()), Buffer.alloc(t.size(), "x"));
  },
  append(t, say) {
    t.fs.appendFileSync(say(t.path()), Buffer.alloc(t.size(), "y"));
  },
  truncate(t, say) {
    t.fs.truncateSync(say(t.path()), t.below(4) === 0 ? FAR : t.size());
  },
  unlink(t, say) {
    t.fs.unlinkSync(say(t.path()));
  },
  rename(t, say) {
    t.fs.renameSync(say(t.path()), say(t.path()));
  },
  rename2(t, say) {
    t.fs.renameSync(say(t.path()), say(t.path()));
  },
  link(t, say) {
    t.fs.linkSync(say(t.path()), say(t.path()));
  },
  symlink(t, say) {
    t.fs.symlinkSync(say(t.below(2) === 0 ? t.path() : "t".repeat(1 + t.below(4000))), say(t.path()));
  },
  open(t, say) {
    const { fs } = t;
    t.keepFile(fs, fs.openSync(say(t.path()), t.below(2) === 0 ? "r+" : "w+"));
  },
  openDirectory(t, say) {
    const { fs } = t;
    t.keepFile(fs, fs.openSync(say(t.path()), "r"));
  },
  close(t) {
    t.closeFile();
  },
  writeAt(t) {
    const [fs, fd] = t.file;
    fs.writeSync(fd, Buffer.alloc(t.size(), "z"), 0, undefined, t.below(5) === 0 ? FAR : t.below(50_000));
  },
  readAt(t) {
    const [fs, fd] = t.file;
    const bytes = Buffer.alloc(t.size());
    fs.readSync(fd, bytes, 0, bytes.length, t.below(50_000));
  },
  ftruncate(t) {
    const [fs, fd] = t.file;
    fs.ftruncateSync(fd, t.size());
  },
  pipe(t) {
    const { fs, linux } = t.vfs;
    for (const fd of linux.pipeSync({ nonblocking: true })) t.keepFile(fs, fd);
  },
  send(t) {
    const [fs, fd] = t.file;
    fs.writeSync(fd, Buffer.alloc(t.size(), "p"));
  },
  receive(t) {
    const [fs, fd] = t.file;
    fs.readSync(fd, Buffer.alloc(t.size()));
  },
  pipeSize(t) {
    const [, fd] = t.file;
    t.vfs.linux.setPipeSizeSync(fd, 4096 << t.below(7));
  },
  list(t, say) {
    // Leaves a directory open after its first entry: the core keeps the position.
    const dir = t.fs.opendirSync(say(t.path()));
    try {
      dir.readSync();
    } finally {
      t.dirs.push(dir);
      if (t.dirs.length > 5) t.take(t.dirs).closeSync();
    }
  },
  stat(t, say) {
    t.fs.statSync(say(t.path()));
  },
  realpath(t, say) {
    t.fs.realpathSync(say(`${t.path()}/..`));
  },
  chmod(t, say) {
    t.fs.chmodSync(say(t.path()), t.below(2) === 0 ? 0o755 : 0o700);
  },
  chown(t, say) {
    t.fs.chownSync(say(t.path()), t.below(3), t.below(3));
  },
  utimes(t, say) {
    t.fs.utimesSync(say(t.path()), 1, 2);
  },
  setfacl(t, say) {
    t.vfs.setfacl(say(t.path()), t.below(3) === 0 ? [] : ACL);
  },
  mount(t, say) {
    t.vfs.mount("none", say(t.path()), "tmpfs");
  },
  mountDriver(t, say) {
    const driver = t.driver();
    t.vfs.mount("none", say(t.path()), driver);
  },
  bind(t, say) {
    t.vfs.mount(say(t.path()), say(t.path()), "bind");
  },
  bindTree(t, say) {
    // A bind of all mounts makes twice as many.
    const [from, to] = [say(t.path()), say(t.path())];
    if (t.vfs.mounts().length > MOUNTS_MOST) missing();
    t.vfs.mount(from, to, "bind", { recursive: true });
  },
  remount(t, say) {
    const options = { nosymfollow: t.below(4) === 0, noatime: t.below(2) === 0, noexec: t.below(2) === 0 };
    t.vfs.mount(null, say(t.path()), "none", { remount: true, bind: t.below(2) === 0, ...options });
  },
  remountReadonly(t, say) {
    // Most often the other way, because a tree that is read-only changes no more.
    const readonly = t.below(4) === 0;
    t.vfs.mount(null, say(t.path()), "none", { remount: true, bind: t.below(2) === 0, readonly });
  },
  expire(t, say) {
    t.vfs.umount(say(t.path()), { expire: true });
  },
  mounts(t) {
    t.vfs.mounts();
  },
  moveMount(t, say) {
    t.vfs.mount(say(t.path()), say(t.path()), "bind", { move: true });
  },
  umount(t, say) {
    t.vfs.umount(say(t.path()));
  },
  umountLazily(t, say) {
    t.vfs.umount(say(t.path()), { detach: true });
  },
  umountLazily2(t, say) {
    t.vfs.umount(say(t.path()), { detach: true });
  },
  newContext(t) {
    const groups = Array.from({ length: t.below(40) }, (_, i) => i + 1);
    t.contexts.push(t.vfs.context({ uid: t.below(2) * 1000, gid: 0, groups }));
    if (t.contexts.length > CONTEXTS_MOST) t.take(t.contexts).close();
  },
  newNamespace(t) {
    if (t.vfs.mounts().length > MOUNTS_MOST) missing();
    t.contexts.push(t.vfs.context({ mounts: "own" }));
    if (t.contexts.length > CONTEXTS_MOST) t.take(t.contexts).close();
  },
  mountInContext(t, say) {
    t.context.mount("none", say(t.path()), "tmpfs");
  },
  umountInContext(t, say) {
    t.context.umount(say(t.path()), { detach: t.below(2) === 0 });
  },
  share(t, say) {
    const propagation = (["shared", "slave", "private", "unbindable"] as const)[t.below(4)];
    t.vfs.mount(null, say(t.path()), "none", { propagation });
  },
  closeContext(t) {
    if (t.contexts.length === 0) missing();
    t.take(t.contexts).close();
  },
  chdir(t, say) {
    t.context.chdir(say(t.path()));
  },
  chroot(t, say) {
    t.context.chroot(say(t.path()));
  },
  getcwd(t) {
    t.context.getcwd();
  },
  shrink(t) {
    t.vfs.shrink(1 + t.below(20));
  },
  synchronize(t) {
    t.vfs.synchronizeRcu();
  },
});
