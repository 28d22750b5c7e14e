/** just-bash's `IFileSystem` over any `fs`. */
import { posix } from "node:path";
import type { FsStat, IFileSystem } from "just-bash";
import type { Fs, Stats } from "threadfs";

const BYTES = new Set(["binary", "latin1"]);

function statOf(stats: Stats): FsStat {
  return {
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    isSymbolicLink: stats.isSymbolicLink(),
    mode: stats.mode,
    size: stats.size,
    mtime: stats.mtime,
    dev: stats.dev,
    ino: stats.ino,
  };
}

/** Makes the file system that a `Bash` takes. Its text in "binary" has a byte in each character. */
export function bashFileSystem({ promises, readdirSync }: Fs): IFileSystem {
  const encodingOf = (options: Parameters<IFileSystem["readFile"]>[1]) =>
    (typeof options === "string" ? options : options?.encoding) ?? "utf8";
  const bytesOf = (content: string | Uint8Array, options: Parameters<IFileSystem["readFile"]>[1]) =>
    typeof content === "string" ? Buffer.from(content, encodingOf(options)) : content;
  return {
    readFile: (path, options) =>
      promises.readFile(path, BYTES.has(encodingOf(options)) ? "latin1" : encodingOf(options)),
    readFileBuffer: (path) => promises.readFile(path),
    writeFile: (path, content, options) => promises.writeFile(path, bytesOf(content, options)),
    appendFile: (path, content, options) => promises.appendFile(path, bytesOf(content, options)),
    exists: (path) =>
      promises.access(path).then(
        () => true,
        () => false,
      ),
    stat: async (path) => statOf(await promises.stat(path)),
    lstat: async (path) => statOf(await promises.lstat(path)),
    mkdir: async (path, options) => void (await promises.mkdir(path, options)),
    readdir: async (path) => (await promises.readdir(path)).sort(),
    async readdirWithFileTypes(path) {
      const entries = await promises.readdir(path, { withFileTypes: true });
      const found = entries.map((entry) => ({
        name: entry.name,
        isFile: entry.isFile(),
        isDirectory: entry.isDirectory(),
        isSymbolicLink: entry.isSymbolicLink(),
      }));
      return found.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    rm: (path, options) => promises.rm(path, options),
    cp: (source, target, options) => promises.cp(source, target, options),
    mv: (source, target) => promises.rename(source, target),
    resolvePath: (base, path) => posix.resolve(base, path),
    getAllPaths: () => readdirSync("/", { recursive: true, encoding: "utf8" }).map((name) => `/${name}`),
    chmod: (path, mode) => promises.chmod(path, mode),
    symlink: (target, path) => promises.symlink(target, path),
    link: (existing, path) => promises.link(existing, path),
    readlink: (path) => promises.readlink(path),
    realpath: (path) => promises.realpath(path),
    utimes: (path, atime, mtime) => promises.utimes(path, atime, mtime),
  };
}
