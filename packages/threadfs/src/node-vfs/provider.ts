/** A tree as a provider of `node:vfs`. */
import * as ERRNO from "../../abi/errno.js";
import { invalidArgType, systemCallError } from "../errors/errors.js";
import type { Dirent, Fs, Mode, TimeLike } from "../node-fs/types.js";
import { ThreadFileHandle } from "./file-handle.js";
import { HostProvider } from "./host-provider.js";
import type { AnyStats, Contents, Options, ProviderTree } from "./types.js";

type Data = string | Uint8Array;
type Flags = string | number;

/** The path in the tree: that of a file system which is not mounted may be relative, and begins at the root. */
const toTree = (path: string): string => (path.startsWith("/") ? path : `/${path}`);

/** Whether attributes are bigints. `throwIfNoEntry` is Node's to answer: it takes what a provider returns as undefined for a path of the disk. */
const statOptions = (options: Options) => ({
  bigint: (options as { bigint?: unknown } | null | undefined)?.bigint === true,
});

/**
 * Entries as `node:vfs` takes them from a provider: below the directory that is listed, names are paths that start there, of which it makes
 * names and parents.
 */
function asListed<T>(entries: T, path: string, options: Options): T {
  const { withFileTypes, recursive } = (typeof options === "object" ? (options ?? {}) : {}) as Record<string, unknown>;
  if (withFileTypes !== true || recursive !== true) return entries;
  const base = path.endsWith("/") ? path : `${path}/`;
  for (const entry of entries as Dirent[]) {
    if (typeof entry.name !== "string" || !entry.parentPath.startsWith(base)) continue;
    if (entry.parentPath !== base) entry.name = `${entry.parentPath.slice(base.length)}/${entry.name}`;
    entry.parentPath = path;
  }
  return entries;
}

/**
 * A tree, or what a context sees of it, for Node's virtual file systems: `vfs.create(new ThreadProvider(tree)).mount()` returns a path under which `node:fs`, `require()`
 * and `import` find the tree's files, in each thread that does so. docs/node-vfs.md has a guide.
 *
 * It is an instance of the host's `VirtualProvider`. The calls are those of `tree.fs`, with its errors; the asynchronous ones wait for other threads without blocking
 * their own.
 */
export class ThreadProvider extends HostProvider {
  /** Whether `node:vfs` refuses to write. The tree decides for each file, with EROFS or EACCES. */
  declare readonly readonly: boolean;
  declare readonly supportsSymlinks: boolean;
  declare readonly supportsWatch: boolean;
  readonly #tree: ProviderTree;
  readonly #fs: Fs;

  /**
   * @param tree a `Vfs` or a `Context`, which stays the caller's to close
   * @throws TypeError ERR_INVALID_ARG_TYPE; Error ERR_THREADFS_HOST where there is no `node:vfs`
   */
  constructor(tree: ProviderTree) {
    super();
    const { fs, linux } = (tree ?? {}) as Partial<ProviderTree>;
    if (typeof fs?.openSync !== "function" || typeof linux?.lseekSync !== "function") {
      throw invalidArgType("tree", "a Vfs or a Context", tree);
    }
    this.#tree = tree;
    this.#fs = fs;
    // The host's class has accessors of these names.
    for (const [name, value] of Object.entries({ readonly: false, supportsSymlinks: true, supportsWatch: true })) {
      Object.defineProperty(this, name, { value, enumerable: true });
    }
  }

  openSync(path: string, flags: Flags = "r", mode?: Mode): ThreadFileHandle {
    const fd = this.#fs.openSync(toTree(path), flags, mode);
    return this.#handle(fd, path, flags, mode);
  }

  open(path: string, flags: Flags = "r", mode?: Mode): Promise<ThreadFileHandle> {
    return new Promise((resolve, reject) => {
      this.#fs.open(toTree(path), flags, mode, (error, fd) => {
        if (error) reject(error);
        else resolve(this.#handle(fd as number, path, flags, mode));
      });
    });
  }

  #handle(fd: number, path: string, flags: Flags, mode: Mode | undefined): ThreadFileHandle {
    return new ThreadFileHandle(this.#tree, fd, path, flags, typeof mode === "number" ? mode : 0o666);
  }

  statSync(path: string, options?: Options): AnyStats {
    return this.#fs.statSync(toTree(path), statOptions(options));
  }
  stat(path: string, options?: Options): Promise<AnyStats> {
    return this.#fs.promises.stat(toTree(path), statOptions(options));
  }
  lstatSync(path: string, options?: Options): AnyStats {
    return this.#fs.lstatSync(toTree(path), statOptions(options));
  }
  lstat(path: string, options?: Options): Promise<AnyStats> {
    return this.#fs.promises.lstat(toTree(path), statOptions(options));
  }

  readdirSync(path: string, options?: Options): unknown[] {
    return asListed(this.#fs.readdirSync(toTree(path), options as object), toTree(path), options);
  }
  async readdir(path: string, options?: Options): Promise<unknown[]> {
    return asListed(await this.#fs.promises.readdir(toTree(path), options as object), toTree(path), options);
  }

  mkdirSync(path: string, options?: Options): string | undefined {
    return this.#fs.mkdirSync(toTree(path), options as { recursive: true });
  }
  mkdir(path: string, options?: Options): Promise<string | undefined> {
    return this.#fs.promises.mkdir(toTree(path), options as { recursive: true });
  }
  rmdirSync(path: string): void {
    this.#fs.rmdirSync(toTree(path));
  }
  rmdir(path: string): Promise<void> {
    return this.#fs.promises.rmdir(toTree(path));
  }
  unlinkSync(path: string): void {
    this.#fs.unlinkSync(toTree(path));
  }
  unlink(path: string): Promise<void> {
    return this.#fs.promises.unlink(toTree(path));
  }
  renameSync(from: string, to: string): void {
    this.#fs.renameSync(toTree(from), toTree(to));
  }
  rename(from: string, to: string): Promise<void> {
    return this.#fs.promises.rename(toTree(from), toTree(to));
  }

  readFileSync(path: string, options?: Options): Contents {
    return this.#fs.readFileSync(toTree(path), options as object) as Contents;
  }
  readFile(path: string, options?: Options): Promise<Contents> {
    return this.#fs.promises.readFile(toTree(path), options as object) as Promise<Contents>;
  }
  writeFileSync(path: string, data: Data, options?: Options): void {
    this.#fs.writeFileSync(toTree(path), data, options as object);
  }
  writeFile(path: string, data: Data, options?: Options): Promise<void> {
    return this.#fs.promises.writeFile(toTree(path), data, options as object);
  }
  appendFileSync(path: string, data: Data, options?: Options): void {
    this.#fs.appendFileSync(toTree(path), data, options as object);
  }
  appendFile(path: string, data: Data, options?: Options): Promise<void> {
    return this.#fs.promises.appendFile(toTree(path), data, options as object);
  }
  copyFileSync(from: string, to: string, mode?: number): void {
    this.#fs.copyFileSync(toTree(from), toTree(to), mode);
  }
  copyFile(from: string, to: string, mode?: number): Promise<void> {
    return this.#fs.promises.copyFile(toTree(from), toTree(to), mode);
  }

  existsSync(path: string): boolean {
    return this.#fs.existsSync(toTree(path));
  }
  exists(path: string): Promise<boolean> {
    return this.access(path).then(
      () => true,
      () => false,
    );
  }
  accessSync(path: string, mode?: number): void {
    this.#fs.accessSync(toTree(path), mode);
  }
  access(path: string, mode?: number): Promise<void> {
    return this.#fs.promises.access(toTree(path), mode);
  }

  /** A string whatever `encoding` says: `node:vfs` puts the mount point before it. */
  realpathSync(path: string): string {
    return this.#fs.realpathSync(toTree(path));
  }
  /** As {@link realpathSync}. */
  realpath(path: string): Promise<string> {
    return this.#fs.promises.realpath(toTree(path));
  }
  readlinkSync(path: string, options?: Options): Contents {
    return this.#fs.readlinkSync(toTree(path), options as object) as Contents;
  }
  readlink(path: string, options?: Options): Promise<Contents> {
    return this.#fs.promises.readlink(toTree(path), options as object) as Promise<Contents>;
  }
  symlinkSync(target: string, path: string): void {
    this.#fs.symlinkSync(target, toTree(path));
  }
  symlink(target: string, path: string): Promise<void> {
    return this.#fs.promises.symlink(target, toTree(path));
  }
  linkSync(existing: string, path: string): void {
    this.#fs.linkSync(toTree(existing), toTree(path));
  }
  link(existing: string, path: string): Promise<void> {
    return this.#fs.promises.link(toTree(existing), toTree(path));
  }

  // node:vfs calls these of all of its forms.
  chmodSync(path: string, mode: Mode): void {
    this.#fs.chmodSync(toTree(path), mode);
  }
  /** @throws SystemCallError ENOTSUP, as Linux: a link has no permissions */
  lchmodSync(path: string, _mode: Mode): void {
    throw systemCallError(-ERRNO.EOPNOTSUPP, "lchmod", path);
  }
  chownSync(path: string, uid: number, gid: number): void {
    this.#fs.chownSync(toTree(path), uid, gid);
  }
  lchownSync(path: string, uid: number, gid: number): void {
    this.#fs.lchownSync(toTree(path), uid, gid);
  }
  utimesSync(path: string, atime: TimeLike, mtime: TimeLike): void {
    this.#fs.utimesSync(toTree(path), atime, mtime);
  }
  lutimesSync(path: string, atime: TimeLike, mtime: TimeLike): void {
    this.#fs.lutimesSync(toTree(path), atime, mtime);
  }

  /** Changes by any thread, as the tree's log has them: nothing is polled. */
  watch(path: string, options?: Options): object {
    return this.#fs.watch(toTree(path), (options ?? {}) as object);
  }
  /** As {@link watch}. */
  watchAsync(path: string, options?: Options): AsyncIterableIterator<unknown> {
    return this.#fs.promises.watch(toTree(path), (options ?? {}) as object);
  }
  watchFile(path: string, options: Options, listener: (current: AnyStats, previous: AnyStats) => void): object {
    return this.#fs.watchFile(toTree(path), (options ?? {}) as object, listener);
  }
  unwatchFile(path: string, listener?: (current: AnyStats, previous: AnyStats) => void): void {
    this.#fs.unwatchFile(toTree(path), listener);
  }
}
