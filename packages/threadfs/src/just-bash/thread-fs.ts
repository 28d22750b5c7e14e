/** A tree as a file system of just-bash. */
import { nodeModule } from "../bridge/node.js";
import { invalidArgType } from "../errors/errors.js";
import type { Dirent, Fs, Stats } from "../node-fs/types.js";
import { copy, withParents } from "./copy.js";
import { bashError, codeOf, intoItself, joined, resolved, toBashPath } from "./paths.js";
import { bytesOf, textReader } from "./text.js";
import type { BashDirent, BashStat, EncodingOption, Tree } from "./types.js";

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);

function statOf(stats: Stats): BashStat {
  const { mode, size, mtime, dev, ino } = stats;
  return {
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    isSymbolicLink: stats.isSymbolicLink(),
    mode: mode & 0o7777,
    ...{ size, mtime, dev, ino },
  };
}

/**
 * A tree, or what a context sees of it, as just-bash's `IFileSystem`: `new Bash({ fs: new ThreadFs(vfs) })`. Each thread may have a shell of its own, and all of them have
 * the same files. docs/just-bash.md has a guide.
 *
 * Every call but {@link getAllPaths} and {@link resolvePath} returns a promise, and waits for other threads without blocking its own. Errors are those of the calls of `vfs.fs`,
 * with `code`; their messages name the operation and the path as those of just-bash's own file systems do, which its commands read.
 */
export class ThreadFs {
  readonly #fs: Fs;
  /**
   * Calls a function as if the maker of this object called it. A shell refuses timers, Atomics and more to what runs while it runs a script, which it tells by
   * Node's AsyncLocalStorage; the calls of a tree need them where another thread keeps them waiting.
   */
  readonly #outside: <R>(call: () => R) => R;

  /**
   * @param tree a `Vfs` or a `Context`, which stays the caller's to close
   * @throws TypeError ERR_INVALID_ARG_TYPE
   */
  constructor(tree: Tree) {
    const fs = (tree as Partial<Tree> | undefined | null)?.fs;
    if (typeof fs?.promises?.readFile !== "function") throw invalidArgType("tree", "a Vfs or a Context", tree);
    this.#fs = fs;
    this.#outside = nodeModule("node:async_hooks")?.AsyncLocalStorage.snapshot?.() ?? ((call) => call());
  }

  /** Makes a call; an error of it names the operation, and the path as the shell has written it. */
  async #call<T>(operation: string, path: string, call: (path: string) => Promise<T>, dest?: string): Promise<T> {
    const absolute = toBashPath(path, operation);
    try {
      return await this.#outside(() => call(absolute));
    } catch (error) {
      throw bashError(error, operation, path, dest);
    }
  }

  /** Makes a call that creates a name, and the directories of its path that are missing. */
  #create(operation: string, path: string, call: (path: string) => Promise<unknown>): Promise<void> {
    return this.#call(operation, path, (absolute) => withParents(this.#fs.promises, absolute, () => call(absolute)));
  }

  /** The text of a file. @param options its encoding. Default: "utf8" */
  async readFile(path: string, options?: EncodingOption): Promise<string> {
    const textOf = textReader(options);
    return textOf(await this.#read(path));
  }

  /** The bytes of a file as a string with a byte in each character. `T` is just-bash's `ByteString`, whose type only that package can name. */
  async readFileBytes<T = string>(path: string): Promise<T> {
    return (await this.readFile(path, "latin1")) as T;
  }

  /** The bytes of a file, in memory of their own. */
  async readFileBuffer(path: string): Promise<Uint8Array> {
    // A small file's Buffer is a part of memory that others share.
    return new Uint8Array(await this.#read(path));
  }

  #read(path: string): Promise<Uint8Array> {
    return this.#call("open", path, (absolute) => this.#fs.promises.readFile(absolute));
  }

  /** Writes a file, and makes the directories of its path that are missing. @param options encoding of a string. Default: "utf8" */
  async writeFile(path: string, content: string | Uint8Array, options?: EncodingOption): Promise<void> {
    const bytes = bytesOf(content, options);
    await this.#create("open", path, (absolute) => this.#fs.promises.writeFile(absolute, bytes));
  }

  /** Writes to the end of a file, whatever other threads write there meanwhile. Else as {@link writeFile}. */
  async appendFile(path: string, content: string | Uint8Array, options?: EncodingOption): Promise<void> {
    const bytes = bytesOf(content, options);
    await this.#create("open", path, (absolute) => this.#fs.promises.appendFile(absolute, bytes));
  }

  /** Whether a path leads to something. False too if the context may not look. */
  async exists(path: string): Promise<boolean> {
    try {
      await this.#call("access", path, (absolute) => this.#fs.promises.access(absolute));
      return true;
    } catch (error) {
      if (codeOf(error) === undefined && (error as { code?: unknown }).code !== "ENOENT") throw error;
      return false;
    }
  }

  /** What a path leads to. */
  async stat(path: string): Promise<BashStat> {
    return statOf(await this.#call("stat", path, (absolute) => this.#fs.promises.stat(absolute)));
  }

  /** What a path names: of a link the link itself. */
  async lstat(path: string): Promise<BashStat> {
    return statOf(await this.#call("lstat", path, (absolute) => this.#fs.promises.lstat(absolute)));
  }

  /** Makes a directory. @param options `recursive`: those above it too, and none of them is an error if it exists */
  async mkdir(path: string, options?: { recursive?: boolean }): Promise<void> {
    const recursive = options?.recursive === true;
    await this.#call("mkdir", path, (absolute) => this.#fs.promises.mkdir(absolute, { recursive }));
  }

  /** The names in a directory, in the order of their code units. */
  async readdir(path: string): Promise<string[]> {
    return (await this.#call("scandir", path, (absolute) => this.#fs.promises.readdir(absolute))).sort();
  }

  /** The entries of a directory, in the order of their names. */
  async readdirWithFileTypes(path: string): Promise<BashDirent[]> {
    const entries = await this.#call("scandir", path, (absolute) =>
      this.#fs.promises.readdir(absolute, { withFileTypes: true }),
    );
    const found = entries.map((entry) => ({
      name: entry.name,
      isFile: entry.isFile(),
      isDirectory: entry.isDirectory(),
      isSymbolicLink: entry.isSymbolicLink(),
    }));
    return found.sort(byName);
  }

  /** Removes a file, a link, or an empty directory. @param options `recursive`: a directory with what is in it; `force`: no error if there is nothing */
  async rm(path: string, options?: { recursive?: boolean; force?: boolean }): Promise<void> {
    const { promises } = this.#fs;
    try {
      await this.#call("rm", path, async (absolute) => {
        if (options?.recursive === true) {
          // Another thread may remove entries meanwhile.
          return promises.rm(absolute, { recursive: true, force: options.force === true });
        }
        const stats = await promises.lstat(absolute);
        return stats.isDirectory() ? promises.rmdir(absolute) : promises.unlink(absolute);
      });
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (options?.force !== true || (code !== "ENOENT" && code !== "ENOTDIR")) throw error;
    }
  }

  /**
   * Copies a file with its permissions, a link as a link, and with `recursive` a directory into a new one or over one that exists. Directories that are missing on the way to `dest` are
   * made.
   */
  async cp(src: string, dest: string, options?: { recursive?: boolean }): Promise<void> {
    const target = toBashPath(dest, "cp");
    const recursive = options?.recursive === true;
    await this.#call("cp", src, (source) => copy(this.#fs.promises, source, target, recursive), dest);
  }

  /** Renames, as rename(2), and makes the directories of the new path that are missing. What cannot be renamed because `dest` is on another mount is copied and removed. */
  async mv(src: string, dest: string): Promise<void> {
    const target = toBashPath(dest, "mv");
    await this.#call("mv", src, (source) => this.#move(source, target), dest);
  }

  async #move(source: string, target: string): Promise<void> {
    const { promises } = this.#fs;
    await promises.lstat(source);
    try {
      await withParents(promises, target, () => promises.rename(source, target));
    } catch (error) {
      if (codeOf(error) === "EINVAL" && target.startsWith(joined(source, ""))) throw intoItself("mv", source, target);
      if (codeOf(error) !== "EXDEV") throw error;
      await copy(promises, source, target, true);
      await promises.rm(source, { recursive: true });
    }
  }

  /** An absolute path without "." and "..", by its text: of `path`, which may start at `base`. */
  resolvePath(base: string, path: string): string {
    return resolved(base, path);
  }

  /** All paths that the context can list, "/" too. This call blocks its thread while it lists them. */
  getAllPaths(): string[] {
    const paths = ["/"];
    const directories = ["/"];
    // It grows while it is walked.
    for (const directory of directories) {
      for (const entry of this.#list(directory)) {
        const path = joined(directory, entry.name);
        paths.push(path);
        if (entry.isDirectory()) directories.push(path);
      }
    }
    return paths;
  }

  /** The entries of a directory; none if another thread has removed it, or the context may not read it. */
  #list(directory: string): Dirent[] {
    try {
      return this.#outside(() => this.#fs.readdirSync(directory, { withFileTypes: true }));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return [];
    }
  }

  /** Changes the permissions of what a path leads to. */
  async chmod(path: string, mode: number): Promise<void> {
    await this.#call("chmod", path, (absolute) => this.#fs.promises.chmod(absolute, mode));
  }

  /** Makes a link at `linkPath` whose body is `target`, and the directories of that path that are missing. */
  async symlink(target: string, linkPath: string): Promise<void> {
    await this.#create("symlink", linkPath, (absolute) => this.#fs.promises.symlink(target, absolute));
  }

  /** Gives a file another name; a link is not followed, as in link(2). Makes the directories of `newPath` that are missing. */
  async link(existingPath: string, newPath: string): Promise<void> {
    const { promises } = this.#fs;
    const existing = toBashPath(existingPath, "link");
    const created = toBashPath(newPath, "link");
    try {
      await this.#outside(async () => {
        await promises.lstat(existing);
        await withParents(promises, created, () => promises.link(existing, created));
      });
    } catch (error) {
      throw bashError(error, "link", codeOf(error) === "EEXIST" ? newPath : existingPath);
    }
  }

  /** The body of a link. */
  readlink(path: string): Promise<string> {
    return this.#call("readlink", path, (absolute) => this.#fs.promises.readlink(absolute));
  }

  /** The absolute path without links of what a path leads to. */
  realpath(path: string): Promise<string> {
    return this.#call("realpath", path, (absolute) => this.#fs.promises.realpath(absolute));
  }

  /** Sets both times of what a path leads to. */
  async utimes(path: string, atime: Date, mtime: Date): Promise<void> {
    await this.#call("utimes", path, (absolute) => this.#fs.promises.utimes(absolute, atime, mtime));
  }
}
