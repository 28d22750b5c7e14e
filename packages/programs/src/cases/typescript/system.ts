/** TypeScript's `System`, and the `FileSystem` of TypeScript 7, over any `fs`. */
import { createHash } from "node:crypto";
import { posix } from "node:path";
import type { Fs } from "threadfs";
import ts from "typescript";

/** TypeScript's own matching of `include` and `exclude`, which its types do not tell. */
interface Internals {
  matchFiles(
    path: string,
    extensions: readonly string[] | undefined,
    exclude: readonly string[] | undefined,
    include: readonly string[] | undefined,
    useCaseSensitiveFileNames: boolean,
    currentDirectory: string,
    depth: number | undefined,
    entries: (path: string) => { files: string[]; directories: string[] },
    realpath: (path: string) => string,
  ): string[];
}

/** What a directory has, links followed; nothing where there is none. */
function entriesOf(fs: Fs, directory: string): { files: string[]; directories: string[] } {
  const files: string[] = [];
  const directories: string[] = [];
  if (fs.existsSync(directory)) {
    for (const name of fs.readdirSync(directory).sort()) {
      const stats = fs.statSync(`${directory}/${name}`, { throwIfNoEntry: false });
      if (stats?.isFile()) files.push(name);
      if (stats?.isDirectory()) directories.push(name);
    }
  }
  return { files, directories };
}

function realpath(fs: Fs, path: string): string {
  return fs.existsSync(path) ? fs.realpathSync.native(path) : path;
}

/** The `System` over a `fs`; `library`: the folder with the files of TypeScript, which must be in the `fs`. */
export function systemOf(fs: Fs, library: string, currentDirectory: string): ts.System {
  const { matchFiles } = ts as unknown as Internals;
  const stat = (path: string) => fs.statSync(path, { throwIfNoEntry: false });
  const entries = (path: string) => entriesOf(fs, path);
  const resolved = (path: string) => realpath(fs, path);
  return {
    args: [],
    newLine: "\n",
    useCaseSensitiveFileNames: true,
    write: () => {},
    exit: (code) => {
      throw new Error(`the compiler ends with ${code}`);
    },
    getCurrentDirectory: () => currentDirectory,
    getExecutingFilePath: () => `${library}/typescript.js`,
    resolvePath: (path) => posix.resolve(currentDirectory, path),
    fileExists: (path) => stat(path)?.isFile() ?? false,
    directoryExists: (path) => stat(path)?.isDirectory() ?? false,
    getFileSize: (path) => stat(path)?.size ?? 0,
    getModifiedTime: (path) => stat(path)?.mtime,
    setModifiedTime: (path, time) => fs.utimesSync(path, time, time),
    readFile: (path) => (fs.existsSync(path) ? fs.readFileSync(path, "utf8") : undefined),
    writeFile: (path, text) => fs.writeFileSync(path, text),
    deleteFile: (path) => fs.unlinkSync(path),
    createDirectory: (path) => fs.mkdirSync(path),
    getDirectories: (path) => entries(path).directories,
    readDirectory: (path, extensions, exclude, include, depth) =>
      matchFiles(path, extensions, exclude, include, true, currentDirectory, depth, entries, resolved),
    realpath: resolved,
    createHash: (text) => createHash("sha256").update(text).digest("hex"),
    watchFile(path, changed, interval = 250) {
      const { Changed, Created, Deleted } = ts.FileWatcherEventKind;
      if (fs.existsSync(path)) {
        const watcher = fs.watch(path, () => changed(path, fs.existsSync(path) ? Changed : Deleted));
        return { close: () => watcher.close() };
      }
      // The compiler also asks for files that would change what it has found.
      const listener = ({ nlink }: { nlink: number }) => {
        if (nlink > 0) changed(path, Created);
      };
      fs.watchFile(path, { interval }, listener);
      return { close: () => fs.unwatchFile(path, listener) };
    },
    watchDirectory(path, changed, recursive = false) {
      // The compiler also asks for directories in which it has looked for a package in vain.
      if (!fs.existsSync(path)) return { close: () => {} };
      const watcher = fs.watch(path, { recursive }, (_type, name) => changed(`${path}/${name}`));
      return { close: () => watcher.close() };
    },
    setTimeout: (callback, ms, ...args) => setTimeout(callback, ms, ...args),
    clearTimeout: (timer) => clearTimeout(timer),
  };
}

/** The `FileSystem` of TypeScript 7. Its own library stays on the disk. */
export function fileSystemOf(fs: Fs, library: string) {
  const ours = (path: string) => !path.startsWith(library);
  const stat = (path: string) => fs.statSync(path, { throwIfNoEntry: false });
  return {
    readFile: (path: string) =>
      ours(path) ? (stat(path)?.isFile() ? fs.readFileSync(path, "utf8") : null) : undefined,
    fileExists: (path: string) => (ours(path) ? (stat(path)?.isFile() ?? false) : undefined),
    directoryExists: (path: string) => (ours(path) ? (stat(path)?.isDirectory() ?? false) : undefined),
    getAccessibleEntries: (path: string) => (ours(path) ? entriesOf(fs, path) : undefined),
    realpath: (path: string) => (ours(path) ? realpath(fs, path) : undefined),
  };
}
