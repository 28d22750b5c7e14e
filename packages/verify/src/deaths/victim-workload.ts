/**
 * The work of a worker until it dies: steps that follow from a seed and from the results of the steps before. The worker makes
 * them; the thread that examines the tree afterwards goes through the same steps and knows which files must exist.
 */
import { type Random, randomBelow } from "../../../cli/dist/support/random.js";
import type { FsSync, Stats, Vfs } from "../../../threadfs/dist/src/index.js";
import { defined } from "../support/defined.js";

const NAMES = ["x", "y", "z", "a-name-of-more-than-thirty-two-bytes.txt", `${"long".repeat(30)}`];
const SIZES = [0, 10, 700, 5000, 20_000];
const MODES = [0o600, 0o640, 0o644, 0o755];
const DEPTH_MAX = 4;

export interface FileInode {
  type: "file";
  mode: number;
  data: Buffer;
  /** After a death in a write: each byte is of `data` or of this. */
  mixed?: Buffer;
}
export interface DirectoryInode {
  type: "dir";
  mode: number;
}
export interface LinkInode {
  type: "link";
  target: string;
}
export type Inode = FileInode | DirectoryInode | LinkInode;
type InodeOf<Type extends Inode["type"]> = Extract<Inode, { type: Type }>;

/** What a worker makes its calls on. */
export interface VictimApi {
  fs: FsSync;
  vfs: Pick<Vfs, "mount" | "umount" | "shrink" | "chdir">;
  /** renameat2(2) with RENAME_EXCHANGE. */
  exchange(a: string, b: string): void;
}

export interface Step {
  text: string;
  /** Makes the calls. @throws WrongResult */
  run(worker: VictimApi): void;
  /** Does the same to the model. */
  apply(): void;
  /** The other states that a death in the step may leave: each brings the model there. */
  between?: (() => void)[];
}

export interface VictimOptions {
  seed: number;
  /** Number of the worker, for its own places. */
  life: number;
  /** Whether it mounts the driver's file system. */
  driver: boolean;
}

/** Contents that follow from a number. */
export function contents(seed: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = Math.imul(seed + i + 1, 0x9e3779b1) >>> 24;
  return bytes;
}

const file = (mode: number, data: Buffer): FileInode => ({ type: "file", mode, data });
const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/"));

export class VictimWorkload {
  /** Inodes by their paths below the worker's own places; hard links are the same object. "C/" stands for the directory of all workers. */
  readonly entries = new Map<string, Inode>();
  cwd = "a";
  mounted = false;
  bound = false;
  driven = false;
  held = 0;
  readonly #next: Random;
  readonly #life: number;
  readonly #driver: boolean;

  constructor({ seed, life, driver }: VictimOptions) {
    this.#next = randomBelow(seed);
    this.#life = life;
    this.#driver = driver;
    for (const dir of ["a", "b"]) this.entries.set(dir, { type: "dir", mode: 0o755 });
  }

  get home(): string {
    return `/m/${this.#life}`;
  }

  /** The path in the tree. */
  full(path: string): string {
    return path.startsWith("C/") ? `/common/${this.#life}-${path.slice(2)}` : `${this.home}/${path}`;
  }

  /** Makes the next step; the model stays as it is until its apply(). */
  next(): Step {
    for (;;) {
      const step = this[this.#one(STEPS)]();
      if (step) return step;
    }
  }

  /** How many names an inode has. */
  links(inode: Inode): number {
    return [...this.entries.values()].filter((other) => other === inode).length;
  }

  /** A random member of a list; nothing is drawn of an empty one. */
  #pick<T>(list: readonly T[]): T | undefined {
    return list.length > 0 ? list[this.#next(list.length)] : undefined;
  }

  /** A random member of a list that is not empty. */
  #one<T>(list: readonly T[]): T {
    return defined(this.#pick(list), "member of an empty list");
  }

  #dirs(): string[] {
    const own = [...this.entries].filter(([, { type }]) => type === "dir").map(([path]) => path);
    return this.mounted ? [...own, "C", "mnt"] : [...own, "C"];
  }

  #path(): string {
    return `${this.#one(this.#dirs())}/${this.#one(NAMES)}`;
  }

  #absent(): string | undefined {
    const path = this.#path();
    return this.entries.has(path) ? undefined : path;
  }

  /** An entry of one of these types. */
  #present<Type extends Inode["type"]>(...types: Type[]): [path: string, inode: InodeOf<Type>] | undefined {
    const isOf = (inode: Inode): inode is InodeOf<Type> => types.some((type) => type === inode.type);
    const entries: [string, InodeOf<Type>][] = [];
    for (const [path, inode] of this.entries) if (isOf(inode) && !isFixed(path)) entries.push([path, inode]);
    return this.#pick(entries);
  }

  below(dir: string): string[] {
    return [...this.entries.keys()].filter((path) => path.startsWith(`${dir}/`));
  }

  write(): Step | undefined {
    const path = this.#path();
    const old = this.entries.get(path);
    if (old && old.type !== "file") return undefined;
    const data = contents(this.#next(1000), this.#one(SIZES));
    const put = (bytes: Buffer) => () => {
      if (old) old.data = bytes;
      else this.entries.set(path, file(0o644, bytes));
    };
    return {
      text: `write ${path} ${data.length}`,
      run: ({ fs }) => fs.writeFileSync(this.full(path), data),
      apply: put(data),
      between: [put(Buffer.alloc(0))],
    };
  }

  /** Over what is there: a death in it may leave bytes of both. */
  overwrite(): Step | undefined {
    const found = this.#present("file");
    if (!found) return undefined;
    const [path, inode] = found;
    const before = inode.data;
    const data = contents(this.#next(1000), this.#one(SIZES));
    const after = Buffer.concat([data, before.subarray(data.length)]);
    return {
      text: `overwrite ${path} ${data.length} of ${before.length}`,
      run: ({ fs }) => {
        const fd = fs.openSync(this.full(path), "r+");
        fs.writeSync(fd, data, 0, data.length, 0);
        fs.closeSync(fd);
      },
      apply: () => {
        inode.data = after;
      },
      between: [
        () => {
          inode.data = before;
          inode.mixed = after.subarray(0, before.length);
        },
      ],
    };
  }

  truncate(): Step | undefined {
    const found = this.#present("file");
    if (!found) return undefined;
    const [path, inode] = found;
    const size = this.#one(SIZES);
    return {
      text: `truncate ${path} ${size}`,
      run: ({ fs }) => fs.truncateSync(this.full(path), size),
      apply: () => {
        inode.data = Buffer.concat([inode.data.subarray(0, size), Buffer.alloc(Math.max(0, size - inode.data.length))]);
      },
    };
  }

  rename(): Step | undefined {
    const found = this.#present("file", "dir", "link");
    const to = this.#path();
    if (!found) return undefined;
    const [from, inode] = found;
    if (fsOf(from) !== fsOf(to) || from === to || to.startsWith(`${from}/`)) return undefined;
    const over = this.entries.get(to);
    if (over && (over.type === "dir" || inode.type === "dir")) return undefined;
    if (depth(to) + this.below(from).length > DEPTH_MAX && inode.type === "dir") return undefined;
    return {
      text: `rename ${from} ${to}`,
      run: ({ fs }) => fs.renameSync(this.full(from), this.full(to)),
      apply: () => {
        if (inode !== over) this.#move([[from, to]]);
      },
    };
  }

  exchange(): Step | undefined {
    const one = this.#present("file", "dir", "link");
    const other = this.#present("file", "dir", "link");
    if (!one || !other) return undefined;
    const [[a], [b]] = [one, other];
    if (a === b || fsOf(a) !== fsOf(b) || a.startsWith(`${b}/`) || b.startsWith(`${a}/`)) return undefined;
    return {
      text: `exchange ${a} ${b}`,
      run: ({ exchange }) => exchange(this.full(a), this.full(b)),
      apply: () => {
        this.#move([
          [a, b],
          [b, a],
        ]);
      },
    };
  }

  /** Moves subtrees to other paths, all at once. */
  #move(pairs: [from: string, to: string][]): void {
    const moved = pairs.flatMap(([from, to]) =>
      [from, ...this.below(from)].map((path) => ({
        path,
        to: to + path.slice(from.length),
        inode: defined(this.entries.get(path), path),
      })),
    );
    for (const { path } of moved) this.entries.delete(path);
    for (const { to, inode } of moved) this.entries.set(to, inode);
  }

  link(): Step | undefined {
    const found = this.#present("file");
    const to = this.#absent();
    if (!found || !to) return undefined;
    const [from, inode] = found;
    if (fsOf(from) !== fsOf(to)) return undefined;
    return {
      text: `link ${from} ${to}`,
      run: ({ fs }) => fs.linkSync(this.full(from), this.full(to)),
      apply: () => this.entries.set(to, inode),
    };
  }

  symlink(): Step | undefined {
    const to = this.#absent();
    if (!to) return undefined;
    const target = `../${this.#one(NAMES)}`;
    return {
      text: `symlink ${to}`,
      run: ({ fs }) => fs.symlinkSync(target, this.full(to)),
      apply: () => this.entries.set(to, { type: "link", target }),
    };
  }

  unlink(): Step | undefined {
    const found = this.#present("file", "link");
    if (!found) return undefined;
    const [path] = found;
    return {
      text: `unlink ${path}`,
      run: ({ fs }) => fs.unlinkSync(this.full(path)),
      apply: () => this.entries.delete(path),
    };
  }

  mkdir(): Step | undefined {
    const path = this.#absent();
    if (!path || depth(path) >= DEPTH_MAX) return undefined;
    return {
      text: `mkdir ${path}`,
      run: ({ fs }) => fs.mkdirSync(this.full(path)),
      apply: () => this.entries.set(path, { type: "dir", mode: 0o755 }),
    };
  }

  rmdir(): Step | undefined {
    const found = this.#present("dir");
    if (!found) return undefined;
    const [path] = found;
    if (this.below(path).length > 0) return undefined;
    return {
      text: `rmdir ${path}`,
      run: ({ fs }) => fs.rmdirSync(this.full(path)),
      apply: () => this.entries.delete(path),
    };
  }

  chmod(): Step | undefined {
    const found = this.#present("file", "dir");
    if (!found) return undefined;
    const [path, inode] = found;
    const mode = this.#one(MODES);
    return {
      text: `chmod ${path} ${mode.toString(8)}`,
      run: ({ fs }) => fs.chmodSync(this.full(path), mode),
      apply: () => {
        inode.mode = mode;
      },
    };
  }

  mount(): Step {
    if (this.mounted) return this.#umount("mnt", () => this.#unmounted());
    return {
      text: "mount mnt",
      run: ({ vfs }) => vfs.mount("some", this.full("mnt"), "tmpfs"),
      apply: () => {
        this.mounted = true;
      },
    };
  }

  #unmounted(): void {
    this.mounted = false;
    for (const path of this.below("mnt")) this.entries.delete(path);
  }

  #umount(place: string, apply: () => void): Step {
    const detach = this.#next(2) === 0;
    return {
      text: `umount ${place}${detach ? " detach" : ""}`,
      run: ({ vfs }) => vfs.umount(this.full(place), { detach }),
      apply,
    };
  }

  bind(): Step {
    const set = (bound: boolean) => () => {
      this.bound = bound;
    };
    if (this.bound) return this.#umount("bnd", set(false));
    return {
      text: "bind a bnd",
      run: ({ vfs }) => vfs.mount(this.full("a"), this.full("bnd"), "bind"),
      apply: set(true),
    };
  }

  drive(): Step | undefined {
    if (!this.#driver) return undefined;
    const set = (driven: boolean) => () => {
      this.driven = driven;
    };
    if (!this.driven)
      return { text: "mount drv", run: ({ vfs }) => vfs.mount("d", this.full("drv"), "stateless"), apply: set(true) };
    if (this.#next(20) === 0) return this.#umount("drv", set(false));
    const path = this.full(`drv/d${this.#next(3)}/f${this.#next(5)}`);
    const calls: Step["run"][] = [
      ({ fs }) => expect(fs.statSync(path).isFile(), true, path),
      ({ fs }) => expect(fs.readFileSync(path, "utf8"), "driven", path),
      ({ fs }) => expect(fs.readdirSync(parentOf(path)).length, 3, path),
      ({ fs }) => expect(fs.readlinkSync(`${parentOf(path)}/l`), "f0", path),
      ({ fs }) => expect(fs.statSync(`${parentOf(path)}/l`).isFile(), true, path),
      ({ fs }) => expect(fs.existsSync(`${parentOf(path)}/no`), false, path),
      ({ fs }) => fs.writeFileSync(path, "thrown away"),
      ({ fs }) => fs.closeSync(fs.openSync(`${parentOf(path)}/made${this.#life}`, "a")),
      ({ fs }) => fs.chmodSync(path, 0o644),
    ];
    return { text: `driver ${path}`, run: this.#one(calls), apply: () => {} };
  }

  chdir(): Step {
    const dir = this.#one(["a", "b"]);
    return {
      text: `chdir ${dir}`,
      run: ({ vfs }) => vfs.chdir(this.full(dir)),
      apply: () => {
        this.cwd = dir;
      },
    };
  }

  /** A descriptor that stays open until the end. */
  hold(): Step | undefined {
    const found = this.#present("file");
    if (!found || this.held >= 4) return undefined;
    const [path] = found;
    if (fsOf(path) === "mnt") return undefined;
    return {
      text: `open ${path}`,
      run: ({ fs }) => fs.openSync(this.full(path), "r"),
      apply: () => {
        this.held++;
      },
    };
  }

  readdir(): Step | undefined {
    const dir = this.#one(this.#dirs());
    if (dir === "C") return undefined;
    const names = this.below(dir)
      .map((path) => path.slice(dir.length + 1))
      .filter((name) => !name.includes("/"));
    return look(`readdir ${dir}`, ({ fs }) =>
      expect(fs.readdirSync(this.full(dir)).sort().join(), names.sort().join(), dir),
    );
  }

  relative(): Step | undefined {
    const found = this.#present("file");
    if (!found) return undefined;
    const [path, inode] = found;
    if (parentOf(path) !== this.cwd) return undefined;
    const size = inode.data.length;
    return look(`stat ./${path}`, ({ fs }) => expect(fs.statSync(path.slice(this.cwd.length + 1)).size, size, path));
  }

  stat(): Step {
    const path = this.#path();
    const inode = this.entries.get(path);
    if (!inode) return look(`miss ${path}`, ({ fs }) => expect(fs.existsSync(this.full(path)), false, path));
    return look(`stat ${path}`, ({ fs }) => {
      const stats = fs.lstatSync(this.full(path));
      expect(typeOf(stats), inode.type, path);
      if (inode.type === "file")
        expect(`${stats.size} ${stats.nlink}`, `${inode.data.length} ${this.links(inode)}`, path);
    });
  }

  read(): Step | undefined {
    const found = this.#present("file");
    if (!found) return undefined;
    const [path, { data }] = found;
    return look(`read ${path}`, ({ fs }) => expect(fs.readFileSync(this.full(path)).equals(data), true, path));
  }

  shrink(): Step {
    const count = this.#next(40);
    return look(`shrink ${count}`, ({ vfs }) => vfs.shrink(count));
  }
}

/** The steps, each as often as it is drawn. */
const STEPS = [
  ...(["write", "write", "write", "overwrite", "truncate", "rename", "rename", "rename", "exchange"] as const),
  ...(["link", "symlink", "unlink", "mkdir", "rmdir", "chmod", "mount", "bind", "chdir", "hold", "readdir"] as const),
  ...(["relative", "stat", "stat", "read", "shrink", "drive", "drive", "drive"] as const),
];

const isFixed = (path: string) => path === "a" || path === "b";
const fsOf = (path: string) => (path.startsWith("mnt/") ? "mnt" : "root");
const depth = (path: string) => path.split("/").length;

export function typeOf(stats: Pick<Stats, "isSymbolicLink" | "isDirectory">): Inode["type"] {
  return stats.isSymbolicLink() ? "link" : stats.isDirectory() ? "dir" : "file";
}

/** A step that changes nothing. */
function look(text: string, run: Step["run"]): Step {
  return { text, run, apply: () => {} };
}

/** A call of a worker returned something else than it must. */
export class WrongResult extends Error {}

function expect<T>(seen: T, right: T, path: string): void {
  if (seen !== right) throw new WrongResult(`${path}: ${seen} where ${right} should be`);
}
