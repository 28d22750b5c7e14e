/**
 * What a worker does until it is ended: steps that follow from a seed and from what the steps before have made. The worker
 * makes them; whoever looks at what it has left goes through the same script and knows what must be there.
 *
 * A step is `{ text, run(worker), apply(), between? }`: `run` makes its calls, `apply` does the same to the model; `between` answers
 * the other states that a death in it may leave, as functions that bring the model there.
 */
import { randomBelow } from "../../../cli/dist/support/random.js";

const NAMES = ["x", "y", "z", "a-name-of-more-than-thirty-two-bytes.txt", `${"long".repeat(30)}`];
const SIZES = [0, 10, 700, 5000, 20_000];
const MODES = [0o600, 0o640, 0o644, 0o755];
const DEPTH_MAX = 4;

/** Contents that follow from a number. */
export function contents(seed, size) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = Math.imul(seed + i + 1, 0x9e3779b1) >>> 24;
  return bytes;
}

const file = (mode, data) => ({ type: "file", mode, data });
const parentOf = (path) => path.slice(0, path.lastIndexOf("/"));

export class VictimWorkload {
  /** Path below the worker's own places -> inode; hard links are the same object. "C/" stands for the directory of all workers. */
  entries = new Map();
  cwd = "a";
  mounted = false;
  bound = false;
  driven = false;
  held = 0;
  #next;
  #life;
  #driver;

  /** @param {{ seed: number, life: number, driver: boolean }} options `life`: number of the worker, for its own places */
  constructor({ seed, life, driver }) {
    this.#next = randomBelow(seed);
    this.#life = life;
    this.#driver = driver;
    for (const dir of ["a", "b"]) this.entries.set(dir, { type: "dir", mode: 0o755 });
  }

  get home() {
    return `/m/${this.#life}`;
  }

  full(path) {
    return path.startsWith("C/") ? `/common/${this.#life}-${path.slice(2)}` : `${this.home}/${path}`;
  }

  /** Makes the next step; the model stays as it is until its apply(). */
  next() {
    for (;;) {
      const step = this[STEPS[this.#next(STEPS.length)]]();
      if (step) return step;
    }
  }

  links(inode) {
    return [...this.entries.values()].filter((other) => other === inode).length;
  }

  #pick(list) {
    return list.length > 0 ? list[this.#next(list.length)] : undefined;
  }

  #dirs() {
    const own = [...this.entries].filter(([, { type }]) => type === "dir").map(([path]) => path);
    return this.mounted ? [...own, "C", "mnt"] : [...own, "C"];
  }

  #path() {
    return `${this.#pick(this.#dirs())}/${this.#pick(NAMES)}`;
  }

  #absent() {
    const path = this.#path();
    return this.entries.has(path) ? undefined : path;
  }

  #present(...types) {
    return this.#pick(
      [...this.entries].filter(([path, { type }]) => types.includes(type) && !isFixed(path)).map(([p]) => p),
    );
  }

  below(dir) {
    return [...this.entries.keys()].filter((path) => path.startsWith(`${dir}/`));
  }

  write() {
    const path = this.#path();
    const old = this.entries.get(path);
    if (old && old.type !== "file") return undefined;
    const data = contents(this.#next(1000), this.#pick(SIZES));
    const put = (bytes) => () => {
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
  overwrite() {
    const path = this.#present("file");
    if (!path) return undefined;
    const inode = this.entries.get(path);
    const before = inode.data;
    const data = contents(this.#next(1000), this.#pick(SIZES));
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

  truncate() {
    const path = this.#present("file");
    if (!path) return undefined;
    const inode = this.entries.get(path);
    const size = this.#pick(SIZES);
    return {
      text: `truncate ${path} ${size}`,
      run: ({ fs }) => fs.truncateSync(this.full(path), size),
      apply: () => {
        inode.data = Buffer.concat([inode.data.subarray(0, size), Buffer.alloc(Math.max(0, size - inode.data.length))]);
      },
    };
  }

  rename() {
    const [from, to] = [this.#present("file", "dir", "link"), this.#path()];
    if (!from || fsOf(from) !== fsOf(to) || from === to || to.startsWith(`${from}/`)) return undefined;
    const [inode, over] = [this.entries.get(from), this.entries.get(to)];
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

  exchange() {
    const [a, b] = [this.#present("file", "dir", "link"), this.#present("file", "dir", "link")];
    if (!a || a === b || fsOf(a) !== fsOf(b) || a.startsWith(`${b}/`) || b.startsWith(`${a}/`)) return undefined;
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

  /** Takes subtrees to other paths, all at once. */
  #move(pairs) {
    const moved = pairs.flatMap(([from, to]) =>
      [from, ...this.below(from)].map((path) => [to + path.slice(from.length), this.entries.get(path), path]),
    );
    for (const [, , path] of moved) this.entries.delete(path);
    for (const [path, inode] of moved) this.entries.set(path, inode);
  }

  link() {
    const [from, to] = [this.#present("file"), this.#absent()];
    if (!from || !to || fsOf(from) !== fsOf(to)) return undefined;
    return {
      text: `link ${from} ${to}`,
      run: ({ fs }) => fs.linkSync(this.full(from), this.full(to)),
      apply: () => this.entries.set(to, this.entries.get(from)),
    };
  }

  symlink() {
    const to = this.#absent();
    if (!to) return undefined;
    const target = `../${this.#pick(NAMES)}`;
    return {
      text: `symlink ${to}`,
      run: ({ fs }) => fs.symlinkSync(target, this.full(to)),
      apply: () => this.entries.set(to, { type: "link", target }),
    };
  }

  unlink() {
    const path = this.#present("file", "link");
    if (!path) return undefined;
    return {
      text: `unlink ${path}`,
      run: ({ fs }) => fs.unlinkSync(this.full(path)),
      apply: () => this.entries.delete(path),
    };
  }

  mkdir() {
    const path = this.#absent();
    if (!path || depth(path) >= DEPTH_MAX) return undefined;
    return {
      text: `mkdir ${path}`,
      run: ({ fs }) => fs.mkdirSync(this.full(path)),
      apply: () => this.entries.set(path, { type: "dir", mode: 0o755 }),
    };
  }

  rmdir() {
    const path = this.#present("dir");
    if (!path || this.below(path).length > 0) return undefined;
    return {
      text: `rmdir ${path}`,
      run: ({ fs }) => fs.rmdirSync(this.full(path)),
      apply: () => this.entries.delete(path),
    };
  }

  chmod() {
    const path = this.#present("file", "dir");
    if (!path) return undefined;
    const mode = this.#pick(MODES);
    return {
      text: `chmod ${path} ${mode.toString(8)}`,
      run: ({ fs }) => fs.chmodSync(this.full(path), mode),
      apply: () => {
        this.entries.get(path).mode = mode;
      },
    };
  }

  mount() {
    if (this.mounted) return this.#umount("mnt", () => this.#unmounted());
    return {
      text: "mount mnt",
      run: ({ vfs }) => vfs.mount("some", this.full("mnt"), "tmpfs"),
      apply: () => {
        this.mounted = true;
      },
    };
  }

  #unmounted() {
    this.mounted = false;
    for (const path of this.below("mnt")) this.entries.delete(path);
  }

  #umount(place, apply) {
    const detach = this.#next(2) === 0;
    return {
      text: `umount ${place}${detach ? " detach" : ""}`,
      run: ({ vfs }) => vfs.umount(this.full(place), { detach }),
      apply,
    };
  }

  bind() {
    const set = (bound) => () => {
      this.bound = bound;
    };
    if (this.bound) return this.#umount("bnd", set(false));
    return {
      text: "bind a bnd",
      run: ({ vfs }) => vfs.mount(this.full("a"), this.full("bnd"), "bind"),
      apply: set(true),
    };
  }

  drive() {
    if (!this.#driver) return undefined;
    const set = (driven) => () => {
      this.driven = driven;
    };
    if (!this.driven)
      return { text: "mount drv", run: ({ vfs }) => vfs.mount("d", this.full("drv"), "stateless"), apply: set(true) };
    if (this.#next(20) === 0) return this.#umount("drv", set(false));
    const path = this.full(`drv/d${this.#next(3)}/f${this.#next(5)}`);
    const calls = [
      ({ fs }) => expect(fs.statSync(path).isFile(), true, path),
      ({ fs }) => expect(fs.readFileSync(path, "utf8"), "driven", path),
      ({ fs }) => expect(fs.readdirSync(parentOf(path)).length, 3, path),
      ({ fs }) => expect(fs.readlinkSync(`${parentOf(path)}/l`), "f0", path),
      ({ fs }) => expect(fs.existsSync(`${parentOf(path)}/no`), false, path),
      ({ fs }) => fs.writeFileSync(path, "thrown away"),
      ({ fs }) => fs.closeSync(fs.openSync(`${parentOf(path)}/made${this.#life}`, "a")),
      ({ fs }) => fs.chmodSync(path, 0o644),
    ];
    return { text: `driver ${path}`, run: this.#pick(calls), apply: () => {} };
  }

  chdir() {
    const dir = this.#pick(["a", "b"]);
    return {
      text: `chdir ${dir}`,
      run: ({ vfs }) => vfs.chdir(this.full(dir)),
      apply: () => {
        this.cwd = dir;
      },
    };
  }

  /** A descriptor that stays open until the end. */
  hold() {
    const path = this.#present("file");
    if (!path || this.held >= 4 || fsOf(path) === "mnt") return undefined;
    return {
      text: `open ${path}`,
      run: ({ fs }) => void fs.openSync(this.full(path), "r"),
      apply: () => {
        this.held++;
      },
    };
  }

  readdir() {
    const dir = this.#pick(this.#dirs());
    if (dir === "C") return undefined;
    const names = this.below(dir)
      .map((path) => path.slice(dir.length + 1))
      .filter((name) => !name.includes("/"));
    return look(`readdir ${dir}`, ({ fs }) =>
      expect(fs.readdirSync(this.full(dir)).sort().join(), names.sort().join(), dir),
    );
  }

  relative() {
    const path = this.#present("file");
    if (!path || parentOf(path) !== this.cwd) return undefined;
    const { size } = { size: this.entries.get(path).data.length };
    return look(`stat ./${path}`, ({ fs }) => expect(fs.statSync(path.slice(this.cwd.length + 1)).size, size, path));
  }

  stat() {
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

  read() {
    const path = this.#present("file");
    if (!path) return undefined;
    const { data } = this.entries.get(path);
    return look(`read ${path}`, ({ fs }) => expect(fs.readFileSync(this.full(path)).equals(data), true, path));
  }

  shrink() {
    const count = this.#next(40);
    return look(`shrink ${count}`, ({ vfs }) => vfs.shrink(count));
  }
}

const STEPS = [
  ..."write write write overwrite truncate rename rename rename exchange link symlink unlink mkdir rmdir chmod mount bind".split(
    " ",
  ),
  ..."chdir hold readdir relative stat stat read shrink drive drive drive".split(" "),
];

const isFixed = (path) => path === "a" || path === "b";
const fsOf = (path) => (path.startsWith("mnt/") ? "mnt" : "root");
const depth = (path) => path.split("/").length;

export function typeOf(stats) {
  return stats.isSymbolicLink() ? "link" : stats.isDirectory() ? "dir" : "file";
}

/** A step that changes nothing. */
function look(text, run) {
  return { text, run, apply: () => {} };
}

/** What the worker saw is not what it must see. */
export class WrongResult extends Error {}

function expect(seen, right, path) {
  if (seen !== right) throw new WrongResult(`${path}: ${seen} where ${right} should be`);
}
