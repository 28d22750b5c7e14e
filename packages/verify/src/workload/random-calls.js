/**
 * Random work on a tree through the public calls: a fixed seed gives the same sequence. What the tree answers is not judged
 * here; afterwards it holds something of everything: long names, holes, open files without a name, mounts on mounts, contexts
 * in removed directories, entries of drivers.
 */
import { randomBelow } from "../../../cli/dist/support/random.js";

const NAMES = ["a", "b", "c", "deep", "eight888", `long-${"n".repeat(40)}`, `longer-${"m".repeat(200)}`];
const SIZES = [0, 1, 15, 16, 17, 100, 4095, 4096, 4097, 5000, 30_000];
const FAR = 5 * 2 ** 30;
const OPEN_MOST = 40;
const CONTEXTS_MOST = 6;
/** Directories remembered as begins of paths, and how long such a begin may be. */
const MADE_MOST = 10;
const MADE_LONGEST = 400;
const ACL = [
  { tag: 1, perm: 6 },
  { tag: 2, id: 5, perm: 6 },
  { tag: 4, perm: 4 },
  { tag: 16, perm: 6 },
  { tag: 32, perm: 4 },
];

/** Errors that an operation on a wrong path may well have; any other one is thrown on. */
const EXPECTED = /^E[A-Z0-9]+$|^ERR_THREADFS_CLOSED$|^ERR_FS_|^ERR_DIR_CLOSED$/;

/** Does random operations on the tree of `vfs`; `driver` is the name of a registered driver, if any. */
export class RandomCalls {
  #random;
  #vfs;
  #driver;
  #files = [];
  #dirs = [];
  #contexts = [];
  /** Directories that were made: most paths begin with one. */
  #made = ["", "", ""];
  /** What was done, with its error: the trace of a failure. */
  trace = [];

  constructor(vfs, seed, { driver } = {}) {
    this.#vfs = vfs;
    this.#random = randomBelow(seed);
    this.#driver = driver;
  }

  run(operations) {
    for (let n = 0; n < operations; n++) this.step();
  }

  step() {
    const [name, act] = this.#one(OPERATIONS);
    const said = [];
    try {
      act.call(this, (path) => {
        said.push(path);
        return path;
      });
      this.trace.push(`${name} ${said.join(" ")}`);
    } catch (error) {
      if (!EXPECTED.test(error.code)) throw error;
      this.trace.push(`${name} ${said.join(" ")}: ${error.code}`);
    }
  }

  /** Closes what it holds open. */
  close() {
    for (const [fs, fd] of this.#files.splice(0)) ignore(() => fs.closeSync(fd));
    for (const dir of this.#dirs.splice(0)) ignore(() => dir.closeSync());
    for (const context of this.#contexts.splice(0)) context.close();
  }

  below(n) {
    return this.#random(n);
  }
  #one(list) {
    return list[this.below(list.length)];
  }
  take(list) {
    return list.splice(this.below(list.length), 1)[0];
  }
  path() {
    if (this.below(3) !== 0) return `${this.#one(this.#made)}/${this.#one(NAMES)}`;
    const depth = 1 + Math.min(this.below(3), this.below(3));
    return `/${Array.from({ length: depth }, () => this.#one(NAMES)).join("/")}`;
  }
  /** Notes a directory that was made. Some places stand for the root for good. */
  noteMade(path) {
    if (path.length > MADE_LONGEST) return;
    if (this.#made.length < MADE_MOST) this.#made.push(path);
    else this.#made[3 + this.below(MADE_MOST - 3)] = path;
  }
  size() {
    return this.#one(SIZES);
  }
  get vfs() {
    return this.#vfs;
  }
  get driver() {
    return this.#driver;
  }
  /** Whose call it is: mostly the tree's own, else a context's. */
  get fs() {
    return this.#contexts.length > 0 && this.below(4) === 0 ? this.#one(this.#contexts).fs : this.#vfs.fs;
  }
  get file() {
    return this.#files.length > 0 ? this.#one(this.#files) : missing();
  }
  get context() {
    return this.#contexts.length > 0 ? this.#one(this.#contexts) : missing();
  }
  keepFile(fs, fd) {
    this.#files.push([fs, fd]);
    if (this.#files.length > OPEN_MOST) this.closeFile();
  }
  closeFile() {
    if (this.#files.length === 0) missing();
    const [fs, fd] = this.take(this.#files);
    fs.closeSync(fd);
  }
  get dirs() {
    return this.#dirs;
  }
  get contexts() {
    return this.#contexts;
  }
}

function missing() {
  throw Object.assign(new Error("none is open"), { code: "ENOENT" });
}

function ignore(run) {
  try {
    run();
  } catch {
    // It went with its context.
  }
}

function makeDirectory(churn, say) {
  const path = say(churn.path());
  churn.fs.mkdirSync(path);
  churn.noteMade(path);
}

const OPERATIONS = Object.entries({
  mkdir(say) {
    makeDirectory(this, say);
  },
  mkdir2(say) {
    makeDirectory(this, say);
  },
  mkdir3(say) {
    makeDirectory(this, say);
  },
  rmdir(say) {
    this.fs.rmdirSync(say(this.path()));
  },
  write(say) {
    this.fs.writeFileSync(say(this.path()), Buffer.alloc(this.size(), "w"));
  },
  write2(say) {
    this.fs.writeFileSync(say(this.path()), Buffer.alloc(this.size(), "x"));
  },
  append(say) {
    this.fs.appendFileSync(say(this.path()), Buffer.alloc(this.size(), "y"));
  },
  truncate(say) {
    this.fs.truncateSync(say(this.path()), this.below(4) === 0 ? FAR : this.size());
  },
  unlink(say) {
    this.fs.unlinkSync(say(this.path()));
  },
  rename(say) {
    this.fs.renameSync(say(this.path()), say(this.path()));
  },
  rename2(say) {
    this.fs.renameSync(say(this.path()), say(this.path()));
  },
  link(say) {
    this.fs.linkSync(say(this.path()), say(this.path()));
  },
  symlink(say) {
    this.fs.symlinkSync(say(this.below(2) === 0 ? this.path() : "t".repeat(1 + this.below(4000))), say(this.path()));
  },
  open(say) {
    const fs = this.fs;
    this.keepFile(fs, fs.openSync(say(this.path()), this.below(2) === 0 ? "r+" : "w+"));
  },
  openDirectory(say) {
    const fs = this.fs;
    this.keepFile(fs, fs.openSync(say(this.path()), "r"));
  },
  close() {
    this.closeFile();
  },
  writeAt() {
    const [fs, fd] = this.file;
    fs.writeSync(fd, Buffer.alloc(this.size(), "z"), 0, undefined, this.below(5) === 0 ? FAR : this.below(50_000));
  },
  readAt() {
    const [fs, fd] = this.file;
    fs.readSync(fd, Buffer.alloc(this.size()), 0, undefined, this.below(50_000));
  },
  ftruncate() {
    const [fs, fd] = this.file;
    fs.ftruncateSync(fd, this.size());
  },
  list(say) {
    // The core's readdir remembers where it was: a directory that is left open in the middle.
    const dir = this.fs.opendirSync(say(this.path()));
    dir.readSync();
    this.dirs.push(dir);
    if (this.dirs.length > 5) this.take(this.dirs).closeSync();
  },
  stat(say) {
    this.fs.statSync(say(this.path()));
  },
  realpath(say) {
    this.fs.realpathSync(say(`${this.path()}/..`));
  },
  chmod(say) {
    this.fs.chmodSync(say(this.path()), this.below(2) === 0 ? 0o755 : 0o700);
  },
  chown(say) {
    this.fs.chownSync(say(this.path()), this.below(3), this.below(3));
  },
  utimes(say) {
    this.fs.utimesSync(say(this.path()), 1, 2);
  },
  setfacl(say) {
    this.vfs.setfacl(say(this.path()), this.below(3) === 0 ? [] : ACL);
  },
  mount(say) {
    this.vfs.mount("none", say(this.path()), "tmpfs");
  },
  mountDriver(say) {
    if (this.driver === undefined) missing();
    this.vfs.mount("none", say(this.path()), this.driver);
  },
  bind(say) {
    this.vfs.mount(say(this.path()), say(this.path()), "bind");
  },
  moveMount(say) {
    this.vfs.mount(say(this.path()), say(this.path()), "bind", { move: true });
  },
  umount(say) {
    this.vfs.umount(say(this.path()));
  },
  umountLazily(say) {
    this.vfs.umount(say(this.path()), { detach: true });
  },
  umountLazily2(say) {
    this.vfs.umount(say(this.path()), { detach: true });
  },
  newContext() {
    const groups = Array.from({ length: this.below(40) }, (_, i) => i + 1);
    this.contexts.push(this.vfs.context({ uid: this.below(2) * 1000, gid: 0, groups }));
    if (this.contexts.length > CONTEXTS_MOST) this.take(this.contexts).close();
  },
  closeContext() {
    if (this.contexts.length === 0) missing();
    this.take(this.contexts).close();
  },
  chdir(say) {
    this.context.chdir(say(this.path()));
  },
  chroot(say) {
    this.context.chroot(say(this.path()));
  },
  getcwd() {
    this.context.getcwd();
  },
  shrink() {
    this.vfs.shrink(1 + this.below(20));
  },
  synchronize() {
    this.vfs.synchronizeRcu();
  },
});
