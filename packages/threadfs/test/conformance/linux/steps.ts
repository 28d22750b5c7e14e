/** Programs of Linux's calls as data, and how they run on a tree. kernel.ts runs the same on the kernel. */
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import {
  AT_SYMLINK_FOLLOW,
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_BIND,
  MS_MOVE,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_PRIVATE,
  MS_PROPAGATION,
  MS_RDONLY,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  UMOUNT_NOFOLLOW,
} from "../../../dist/abi/abi.js";
import {
  type Context,
  type CreateOptions,
  createVfs,
  type Fs,
  type LinuxCalls,
  type MountPropagation,
  type ResolveFlag,
  type Statx,
  type Vfs,
} from "../../../dist/src/index.js";
import type { Stats } from "../../../dist/src/node-fs/types.js";

const WHENCES = ["set", "cur", "end", "data", "hole"];

/** The options of setxattr by its flags. */
const HOWS = [{}, { create: true }, { replace: true }, { create: true, replace: true }];

type Arg = string | number | null;
/** A call and its arguments. A descriptor is the number of the open that made it; null: none, where it may be that of a directory. */
export type Step = readonly [call: string, ...args: Arg[]];
/** What a call returns, or the name of its error. */
export type Result = number | string | readonly unknown[];

/** Of mount(2): changes a mount. The library has an option in its place. */
export const MS_REMOUNT = 32;

/** The forms of the library's calls: the synchronous ones, or promises. */
export type Form = "sync" | "promises";

const RESOLVE: readonly (readonly [number, ResolveFlag])[] = [
  [RESOLVE_NO_XDEV, "no-xdev"],
  [RESOLVE_NO_MAGICLINKS, "no-magiclinks"],
  [RESOLVE_NO_SYMLINKS, "no-symlinks"],
  [RESOLVE_BENEATH, "beneath"],
  [RESOLVE_IN_ROOT, "in-root"],
  [RESOLVE_CACHED, "cached"],
];

const shown = ({ mode, nlink, size }: Stats) => [mode, nlink, (mode & 0o170000) === 0o040000 ? 0 : size];

const limits = (size: number | null, nrInodes: number | null) => ({
  ...(size !== null && { size }),
  ...(nrInodes !== null && { nrInodes }),
});

/** Bytes as runs of one byte. */
function runs(bytes: Buffer): [string, number][] {
  const found: [string, number][] = [];
  for (const byte of bytes) {
    const last = found.at(-1);
    if (last?.[0] === String.fromCharCode(byte)) last[1]++;
    else found.push([String.fromCharCode(byte), 1]);
  }
  return found;
}

const PROPAGATION: readonly (readonly [MountPropagation, number])[] = [
  ["shared", MS_SHARED],
  ["private", MS_PRIVATE],
  ["slave", MS_SLAVE],
  ["unbindable", MS_UNBINDABLE],
];

/** mount(2) by its flags. In Linux a bind mount has those of its source, and a remount sets all. */
function mountBy(vfs: Vfs | Context, source: string | null, path: string, flags: number): void {
  if (flags & MS_MOVE) {
    vfs.mount(source, path, "none", { move: true });
    return;
  }
  if ((flags & (MS_BIND | MS_REMOUNT)) === MS_BIND) {
    vfs.mount(source, path, "none", { bind: true, recursive: (flags & MS_REC) !== 0 });
    return;
  }
  if (flags & MS_PROPAGATION && !(flags & MS_REMOUNT)) {
    const [propagation] = PROPAGATION.find(([, bit]) => bit === (flags & MS_PROPAGATION)) ?? [];
    vfs.mount(null, path, "none", { propagation, recursive: (flags & MS_REC) !== 0 });
    return;
  }
  const strictatime = (flags & MS_STRICTATIME) !== 0;
  vfs.mount(source, path, "tmpfs", {
    ...{ remount: (flags & MS_REMOUNT) !== 0, bind: (flags & MS_BIND) !== 0 },
    ...{ readonly: (flags & MS_RDONLY) !== 0, noexec: (flags & MS_NOEXEC) !== 0, nosuid: (flags & MS_NOSUID) !== 0 },
    ...{ nodev: (flags & MS_NODEV) !== 0, nosymfollow: (flags & MS_NOSYMFOLLOW) !== 0, strictatime },
    ...{ noatime: (flags & MS_NOATIME) !== 0 && !strictatime, nodiratime: (flags & MS_NODIRATIME) !== 0 },
  });
}

/** The mounts in the working directory: where, on what, root, options, propagation, type, source, whether the file system is read-only. */
function mountsOf(mountinfo: string): string[][] {
  const lines = new Map(
    mountinfo
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" "))
      .map((fields) => [fields[0] ?? "", fields]),
  );
  const placeOf = ([, , , , place = ""]: string[]) => place.slice(2);
  // Where it is and where what it stands on is, up to the root: no two mounts have the same.
  const wayTo = (fields: string[]): string => {
    const on = lines.get(fields[1] ?? "");
    return on === undefined || on === fields ? placeOf(fields) : `${wayTo(on)} ${placeOf(fields)}`;
  };
  const numbers = new Map<string, number>();
  // Groups count from 1 in the order of the list.
  const renumbered = (field: string) =>
    field.replace(/\d+/, (number) => String(numbers.get(number) ?? numbers.set(number, numbers.size + 1).size));
  return [...lines.values()]
    .filter(([, , , , place = ""]) => place === "/w" || place.startsWith("/w/"))
    .map((fields) => ({ fields, way: wayTo(fields) }))
    .sort((one, other) => (one.way < other.way ? -1 : 1))
    .map(({ fields }) => {
      const [, parent = "", , root = "", , options = ""] = fields;
      const end = fields.indexOf("-");
      const [type = "", source = "", ofSuper = ""] = fields.slice(end + 1);
      const on = placeOf(fields) === "" ? "" : placeOf(lines.get(parent) ?? []);
      const propagation = fields.slice(6, end).map(renumbered).join(" ");
      return [placeOf(fields), on, root, options, propagation, type, source, ofSuper.split(",")[0] ?? ""];
    });
}

/** A tree on which a program runs. */
/** The directories whose events of names are followed, by their inode numbers. */
interface Followed {
  readonly events: ReturnType<Vfs["changes"]>;
  readonly dirs: readonly number[];
}

/** A name that only marks the end of the events. */
const LAST = ".last";

class Tree {
  readonly #fds: number[] = [];
  /** In which namespace each was opened. */
  readonly #openers: (Vfs | Context)[] = [];
  #followed: Followed | undefined;
  /** Who makes the calls of `linux`. */
  #user: Vfs | Context;
  /** One of each namespace of mounts, null if that has ended; and the present one, whose calls mount and unmount. */
  readonly #spaces: (Vfs | Context | null)[];
  #space: Vfs | Context;

  constructor(
    readonly vfs: Vfs,
    readonly form: Form,
  ) {
    this.#user = vfs;
    this.#space = vfs;
    this.#spaces = [vfs];
  }

  /** Calls of a closed descriptor take one that is not open. */
  fd = (n: Arg): number => this.#fds[n as number] ?? 9999;
  #dir = (n: Arg) => (n === null ? undefined : this.fd(n));

  #opener = (n: Arg): Vfs | Context => this.#openers[n as number] ?? this.vfs;

  #fs(dir: Arg): Fs {
    return dir === null ? this.#space.fs : this.#opener(dir).at(this.fd(dir));
  }

  /** A call of `vfs.linux`, in the form that is tested. */
  #linux(name: keyof LinuxCalls, ...args: unknown[]): unknown {
    return this.#call(this.#user.linux, name, args);
  }

  /** The same with paths that start at a directory. */
  #at(dir: Arg, name: keyof LinuxCalls, ...args: unknown[]): unknown {
    const { linux } = this.vfs;
    return this.#call(dir === null ? linux : linux.at(this.fd(dir)), name, args);
  }

  #call(linux: LinuxCalls, name: keyof LinuxCalls, args: unknown[]): unknown {
    const calls = linux as unknown as Record<string, (...args: unknown[]) => unknown>;
    return calls[this.form === "sync" ? `${name}Sync` : name]?.(...args);
  }

  /** The events of names in the directories that are followed, as inotify(7) merges them. */
  async #changes(): Promise<Result> {
    if (this.#followed === undefined) throw new Error("nothing is followed");
    const { events, dirs } = this.#followed;
    const found: [number, string, string, number, boolean][] = [];
    const cookies = new Map<number, number>();
    this.vfs.fs.mkdirSync(LAST);
    this.vfs.fs.rmdirSync(LAST);
    for (;;) {
      const { value, done } = await events.next();
      if (done === true) throw new Error("the events have an end");
      const { type, parent, name, cookie, isDirectory } = value;
      if (name === LAST && type === "delete") return found as Result;
      if (name === LAST || !dirs.includes(parent)) continue;
      if (cookie !== 0 && !cookies.has(cookie)) cookies.set(cookie, cookies.size);
      found.push([dirs.indexOf(parent), type, name, cookies.get(cookie) ?? -1, isDirectory]);
      if (isDeepStrictEqual(found.at(-1), found.at(-2))) found.pop();
    }
  }

  #tree(path = "."): Result[] {
    const { fs } = this.vfs;
    return fs
      .readdirSync(path)
      .sort()
      .flatMap((name) => {
        const below = path === "." ? name : `${path}/${name}`;
        const stat = fs.lstatSync(below);
        return [[below, ...shown(stat)], ...(stat.isDirectory() ? this.#tree(below) : [])];
      });
  }

  async run(name: string, args: readonly Arg[]): Promise<Result> {
    const call = this.#calls[name] as ((...args: readonly Arg[]) => unknown) | undefined;
    if (call === undefined) throw new Error(`no call ${name}`);
    try {
      return ((await call(...args)) ?? 0) as Result;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined || code.startsWith("ERR_")) throw error;
      return code;
    }
  }

  async #openat2(dir: Arg, path: string, flags: number, mode: number, bits: number): Promise<number> {
    const resolve = RESOLVE.filter(([bit]) => bits & bit).map(([, name]) => name);
    const made = await this.#linux("openat2", dir === null ? null : this.fd(dir), path, { flags, mode, resolve });
    return this.#fds.push(made as number) - 1;
  }

  /** What a descriptor is of: a directory has a file with its name. */
  #where(n: number): Result {
    const { mode, size } = this.#user.fs.fstatSync(this.fd(n));
    if ((mode & 0o170000) === 0o120000) return ["link"];
    if ((mode & 0o170000) !== 0o040000) return ["file", size];
    try {
      return ["directory", this.#user.at(this.fd(n)).readFileSync("here", "utf8")];
    } catch {
      return ["directory"];
    }
  }

  async #statx(path: string, follow: number, mask: number): Promise<Result> {
    const s = (await this.#linux("statx", path, { nofollow: follow === 0, mask })) as Statx;
    const isDirectory = (s.mode & 0o170000) === 0o040000;
    const made = s.btime !== undefined && s.btime.sec > 0n;
    const counted = isDirectory ? [] : [Number(s.size), Number(s.blocks)];
    const known = this.#user.mounts().some(({ id }) => BigInt(id) === s.mntId);
    return [
      s.mask & 0x5f3f,
      s.mask & 0x1000 ? known : null,
      s.attributes,
      s.nlink,
      s.uid,
      s.gid,
      s.mode,
      ...counted,
      made,
    ];
  }

  readonly #calls: Record<string, (...args: never[]) => unknown> = {
    open: (dir: Arg, path: string, flags: number, mode: number) => {
      const n = this.#fds.push(this.#fs(dir).openSync(path, flags, mode)) - 1;
      this.#openers[n] = dir === null ? this.#space : this.#opener(dir);
      return n;
    },
    statx: (path: string, follow: number, mask: number) => this.#statx(path, follow, mask),
    rename: (path: string, to: string) => this.#user.fs.renameSync(path, to),
    openat2: (dir: Arg, path: string, flags: number, mode: number, bits: number) =>
      this.#openat2(dir, path, flags, mode, bits),
    opened: async (dir: Arg, path: string, flags: number, mode: number, bits: number) => {
      const n = await this.#openat2(dir, path, flags, mode, bits);
      const where = this.#where(n);
      this.#user.fs.closeSync(this.fd(n));
      delete this.#fds[n];
      return where;
    },
    where: (n: number) => this.#where(n),
    chdir: (path: string) => this.vfs.chdir(path),
    put_file: (path: string, text: string) => this.#user.fs.writeFileSync(path, text),
    close: (n: number) => {
      this.#opener(n).fs.closeSync(this.fd(n));
      delete this.#fds[n];
    },
    mkdir: (dir: Arg, path: string) => void this.#fs(dir).mkdirSync(path, 0o755),
    symlink: (target: string, dir: Arg, path: string) => this.#fs(dir).symlinkSync(target, path),
    unlink: (dir: Arg, path: string) => this.#fs(dir).unlinkSync(path),
    rmdir: (dir: Arg, path: string) => this.#fs(dir).rmdirSync(path),
    stat: (dir: Arg, path: string) => shown(this.#fs(dir).lstatSync(path)),
    fstat: (n: number) => shown(this.#opener(n).fs.fstatSync(this.fd(n))),
    list: (dir: Arg, path: string) => this.#fs(dir).readdirSync(path).sort(),
    write: (n: number, text: string) => this.#opener(n).fs.writeSync(this.fd(n), text),
    renameat2: (a: Arg, old: string, b: Arg, to: string, flags: number) =>
      this.#linux("renameat2", old, to, {
        ...{ oldDirFd: this.#dir(a), newDirFd: this.#dir(b) },
        ...{ noreplace: (flags & RENAME_NOREPLACE) !== 0, exchange: (flags & RENAME_EXCHANGE) !== 0 },
      }),
    linkat: (a: Arg, old: string, b: Arg, to: string, flags: number) =>
      this.#linux("linkat", old, to, {
        ...{ oldDirFd: this.#dir(a), newDirFd: this.#dir(b) },
        follow: (flags & AT_SYMLINK_FOLLOW) !== 0,
      }),
    linkfd: (n: number, b: Arg, to: string) => this.#linux("linkat", this.fd(n), to, { newDirFd: this.#dir(b) }),
    tree: () => this.#tree(),
    mount: (path: string, size: number, nrInodes: number) => this.vfs.mount(null, path, "tmpfs", { size, nrInodes }),
    remount: (path: string, size: number | null, nrInodes: number | null) =>
      this.vfs.mount(null, path, "tmpfs", { remount: true, ...limits(size, nrInodes) }),
    fresh: () => {
      this.vfs.mount("none", ".", "tmpfs");
      this.vfs.chdir("/w");
      this.vfs.fs.chmodSync(".", 0o755);
    },
    mnt: (source: string | null, path: string, flags: number) => mountBy(this.#space, source, path, flags),
    pivot: (root: string, to: string, put: string) => {
      const context = this.vfs.context({ root });
      try {
        context.pivotRoot(to, put);
      } finally {
        context.close();
      }
    },
    unshare: () => {
      this.#user = this.#space = this.vfs.context({ mounts: "own" });
      this.#spaces.push(this.#space);
    },
    enter: (n: number) => {
      this.#user = this.#space = this.#spaces[n] ?? this.vfs;
    },
    endspace: (n: number) => {
      (this.#spaces[n] as Context).close();
      this.#spaces[n] = null;
    },
    allmounts: () => this.#spaces.flatMap((of) => (of === null ? [] : [mountsOf(of.mountinfo())])),
    umount2: (path: string, flags: number) =>
      this.#space.umount(path, {
        ...{ force: (flags & MNT_FORCE) !== 0, detach: (flags & MNT_DETACH) !== 0 },
        ...{ expire: (flags & MNT_EXPIRE) !== 0, nofollow: (flags & UMOUNT_NOFOLLOW) !== 0 },
      }),
    mounts: () => mountsOf(this.vfs.mountinfo()),
    touched: (path: string, atime: number) => {
      const { fs } = this.vfs;
      fs.lutimesSync(path, atime, 1000);
      const found = fs.lstatSync(path);
      if (found.isSymbolicLink()) fs.readlinkSync(path);
      else if (found.isDirectory()) fs.readdirSync(path);
      else {
        const fd = fs.openSync(path, "r");
        fs.readSync(fd, Buffer.alloc(1), 0, 1, null);
        fs.closeSync(fd);
      }
      return Math.floor(fs.lstatSync(path).atimeMs / 1000) === atime ? 0 : 1;
    },
    statfs: (path: string) => {
      const { blocks, bfree, bavail, files, ffree } = this.vfs.fs.statfsSync(path);
      return [blocks, bfree, bavail, files, ffree];
    },
    chown: (path: string, uid: number, gid: number) => this.#user.fs.chownSync(path, uid, gid),
    lchown: (path: string, uid: number, gid: number) => this.#user.fs.lchownSync(path, uid, gid),
    umask: (mask: number) => this.vfs.umask(mask),
    make: (path: string, mode: number) => void this.vfs.fs.mkdirSync(path, mode),
    access: (path: string, mode: number) => {
      try {
        this.#user.fs.accessSync(path, mode);
        return 0;
      } catch {
        return 1;
      }
    },
    setbytes: (file: string, name: string, value: string, how: number, follow: number) =>
      this.#linux("setxattr", file, name, Buffer.from(value, "hex"), { ...HOWS[how], nofollow: follow === 0 }),
    getbytes: async (file: string, name: string, follow: number) =>
      Buffer.from((await this.#linux("getxattr", file, name, { nofollow: follow === 0 })) as Uint8Array).toString(
        "hex",
      ),
    lblocks: (path: string) => this.vfs.fs.lstatSync(path).blocks,
    mknod: (dir: Arg, path: string, mode: number) => this.#at(dir, "mknod", path, mode),
    mkfifo: (dir: Arg, path: string, mode: number) => this.#at(dir, "mkfifo", path, mode),
    pipe: async (flags: number) => {
      const made = (await this.#linux("pipe", { nonblocking: flags !== 0 })) as [number, number];
      return this.#fds.push(...made) - 2;
    },
    put: (n: number, text: string, count: number) => this.vfs.fs.writeSync(this.fd(n), text.repeat(count)),
    putv: (n: number, text: string, ...counts: number[]) =>
      this.vfs.fs.writevSync(
        this.fd(n),
        counts.map((count) => Buffer.from(text.repeat(count))),
      ),
    take: (n: number, count: number) => {
      const bytes = Buffer.alloc(count);
      return runs(bytes.subarray(0, this.vfs.fs.readSync(this.fd(n), bytes, 0, count, null)));
    },
    pread: (n: number, count: number, offset: number) => {
      const bytes = Buffer.alloc(count);
      return runs(bytes.subarray(0, this.vfs.fs.readSync(this.fd(n), bytes, 0, count, offset)));
    },
    fsync: (n: number) => this.vfs.fs.fsyncSync(this.fd(n)),
    pipesize: (n: number) => this.#linux("getPipeSize", this.fd(n)),
    resize: (n: number, size: number) => this.#linux("setPipeSize", this.fd(n), size),
    truncate: (n: number, size: number) => this.vfs.fs.ftruncateSync(this.fd(n), size),
    pwrite: (n: number, text: string, offset: number) => this.vfs.fs.writeSync(this.fd(n), text, offset),
    blocks: (n: number) => this.vfs.fs.fstatSync(this.fd(n)).blocks,
    digest: (n: number) => {
      const bytes = Buffer.alloc(1 << 22);
      const read = this.vfs.fs.readSync(this.fd(n), bytes, 0, bytes.length, 0);
      return createHash("sha1").update(bytes.subarray(0, read)).digest("hex");
    },
    fallocate: (n: number, mode: number, offset: number, length: number) =>
      this.#linux("fallocate", this.fd(n), offset, length, { keepSize: mode === 1, punchHole: mode === 3 }),
    lseek: (n: number, offset: number, whence: number) => this.#linux("lseek", this.fd(n), offset, WHENCES[whence]),
    copy: (a: number, at: Arg, b: number, to: Arg, n: number) =>
      this.#linux("copyFileRange", this.fd(a), at, this.fd(b), to, n),
    follow: (...dirs: string[]) => {
      this.#followed = { events: this.vfs.changes(), dirs: dirs.map((dir) => this.vfs.fs.statSync(dir).ino) };
    },
    changes: () => this.#changes(),
    chmod: (path: string, mode: number) => this.#user.fs.chmodSync(path, mode),
    as: (user: number) => {
      this.#user = user === 0 ? this.vfs : this.vfs.context({ uid: user, gid: user, groups: [] });
    },
    setxattr: (file: string, name: string, value: string, how: number, follow: number) =>
      this.#linux("setxattr", file, name, value, { ...HOWS[how], nofollow: follow === 0 }),
    getxattr: async (file: string, name: string, follow: number) =>
      `${await this.#linux("getxattr", file, name, { nofollow: follow === 0 })}`,
    listxattr: (file: string, follow: number) => this.#linux("listxattr", file, { nofollow: follow === 0 }),
    removexattr: (file: string, name: string, follow: number) =>
      this.#linux("removexattr", file, name, { nofollow: follow === 0 }),
    fsetxattr: (n: number, name: string, value: string, how: number) =>
      this.#linux("setxattr", this.fd(n), name, value, HOWS[how]),
    fgetxattr: async (n: number, name: string) => `${await this.#linux("getxattr", this.fd(n), name)}`,
    flistxattr: (n: number) => this.#linux("listxattr", this.fd(n)),
    fremovexattr: (n: number, name: string) => this.#linux("removexattr", this.fd(n), name),
    times: async (n: number, what: string, ...args: Arg[]) => {
      const { fs } = this.vfs;
      fs.futimesSync(this.fd(n), 1000, 1000);
      const before = fs.fstatSync(this.fd(n), { bigint: true });
      await setTimeout(5);
      const result = await this.run(what, args);
      const after = fs.fstatSync(this.fd(n), { bigint: true });
      const names = ["atime", "mtime", "ctime"] as const;
      return [result, ...names.filter((name) => before[`${name}Ns`] !== after[`${name}Ns`])];
    },
  };
}

/** The results of a program on a fresh tree; `ref`: walks are made in ref mode; `apart`: not on the tree's root mount, as on the kernel. */
export async function runOnTree(
  program: readonly Step[],
  form: Form,
  { ref = false, apart = false, ...options }: { ref?: boolean; apart?: boolean } & Partial<CreateOptions> = {},
): Promise<Result[]> {
  const vfs = await createVfs({ maxBytes: 16 << 20, ...options });
  vfs.walkMode({ ref });
  // A ".." that leads out of the working directory leads somewhere.
  if (apart) {
    vfs.fs.mkdirSync("/mounted");
    vfs.mount(null, "/mounted", "tmpfs");
    vfs.chdir("/mounted");
  }
  vfs.fs.mkdirSync("w");
  vfs.chdir("w");
  const tree = new Tree(vfs, form);
  const results: Result[] = [];
  for (const [name, ...args] of program) results.push(await tree.run(name, args));
  vfs.close();
  return results;
}
