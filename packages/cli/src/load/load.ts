/**
 * Loads a real directory into a tree: names, modes, owners, links, sizes, and contents up to a limit. Several loaders
 * may work on one directory; each takes subdirectories from the shared stack and makes their entries. Contents come
 * second (`fill`), so that the memory of the names alone can be measured.
 *
 * The loader of a parent makes the directory, so it exists before a loader takes it. `linkTogether` makes files with
 * several names, because different loaders may find these names.
 */
import * as host from "node:fs";
import type { FsSync } from "threadfs";
import { CliError, codeOf } from "../support/errors.js";
import type { WorkStack } from "./work-stack.js";

/** A loaded entry. `mode` and `size` are those of the real file, `ino` is its number in the tree. */
export interface Loaded {
  path: string;
  mode: number;
  size: number;
  ino: number;
  /** Body of a symbolic link. */
  target?: string;
}

/** A name of a file that has several: `file` identifies the real file. */
export interface SharedName {
  source: string;
  path: string;
  file: string;
}

/** What a loader has loaded, skipped and failed to load. */
export interface LoadReport {
  loaded: Loaded[];
  shared: SharedName[];
  directories: number;
  files: number;
  links: number;
  /** FIFOs, sockets and devices: skipped. */
  special: number;
  /** Entries that could not be read: their contents are missing, those of a directory with all that is in it. */
  unreadable: number;
  unreadableExamples: string[];
  /** Names that were removed while they were being loaded. */
  vanished: number;
  /** Entries left out because the limit of entries was reached. */
  left: number;
  /** Files whose contents are over a limit: they have their size, but zeros for contents. */
  sparse: number;
  contentBytes: number;
}

export function emptyReport(): LoadReport {
  return {
    loaded: [],
    shared: [],
    directories: 0,
    files: 0,
    links: 0,
    special: 0,
    unreadable: 0,
    unreadableExamples: [],
    vanished: 0,
    left: 0,
    sparse: 0,
    contentBytes: 0,
  };
}

const EXAMPLES = 5;

/** Adds up the reports of several loaders. */
export function joinReports(reports: LoadReport[]): LoadReport {
  const sum = emptyReport();
  for (const report of reports) {
    for (const one of report.loaded) sum.loaded.push(one);
    for (const one of report.shared) sum.shared.push(one);
    sum.unreadableExamples = [...sum.unreadableExamples, ...report.unreadableExamples].slice(0, EXAMPLES);
    for (const key of COUNTS) sum[key] += report[key];
  }
  return sum;
}

const COUNTS = [
  "directories",
  "files",
  "links",
  "special",
  "unreadable",
  "vanished",
  "left",
  "sparse",
  "contentBytes",
] as const;

/** Limits that all loaders share; sizes in bytes. */
export interface LoadLimits {
  /** Contents of a larger file are not loaded. */
  contentLimit: number;
  /** Contents in all. */
  contentTotal: number;
  maxEntries: number;
}

/** Words of the counts that loaders share. */
export const TALLY = { ENTRIES: 0, BLOCKS: 1, DIRECTORIES: 2 } as const;
export const TALLY_BYTES = 16;
/** The sum of contents is counted in blocks: in bytes it may not fit into a word. */
const BLOCK = 256;

const { S_IFMT, S_IFDIR, S_IFREG, S_IFLNK } = host.constants;

/** The name of a mode's type. */
export function typeName(mode: number): string {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "directory";
    case S_IFREG:
      return "file";
    case S_IFLNK:
      return "link";
    default:
      return `type ${(mode & S_IFMT).toString(8)}`;
  }
}

/** Permissions as four octal digits. */
export function permissions(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

export interface LoaderOptions extends LoadLimits {
  fs: FsSync;
  /** Absolute real path of the directory. */
  source: string;
  /** Where it goes in the tree: an absolute path, or "" for the tree's root. */
  target: string;
  tally: Int32Array;
  /**
   * Called for what is not in the tree although it is, or may be, in the directory: an entry's path, or that of a directory and
   * {@link ANY_NAME} when its other entries are not known.
   */
  omitted?: (path: string, why: string) => void;
}

/** Stands for every name of a directory. */
export const ANY_NAME = "/*";

export class Loader {
  readonly report = emptyReport();
  readonly #options: LoaderOptions;
  /** Files whose contents are still to be loaded. */
  readonly #wanted: { source: string; loaded: Loaded }[] = [];

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Makes the directory that receives all entries, and the directories above it. */
  root(): void {
    const { fs, source, target } = this.#options;
    const stats = host.lstatSync(source);
    const path = target === "" ? "/" : target;
    if (target !== "") fs.mkdirSync(target, { recursive: true });
    fs.chmodSync(path, stats.mode & 0o7777);
    if (stats.uid !== 0 || stats.gid !== 0) fs.lchownSync(path, stats.uid, stats.gid);
    this.#enter(path, stats, 0);
    this.report.directories++;
  }

  /** Takes directories until none is left. Their names are relative to the source and begin with "/". */
  run(list: WorkStack): void {
    for (let below = list.take(); below !== undefined; below = list.take()) {
      this.#directory(below, list);
      Atomics.add(this.#options.tally, TALLY.DIRECTORIES, 1);
      list.finish();
    }
  }

  #directory(below: string, list: WorkStack): void {
    const source = this.#options.source + below;
    const path = this.#options.target + below;
    const unknown = (path === "/" ? "" : path) + ANY_NAME;
    const names = this.#reading(source, () => host.readdirSync(source, { encoding: "buffer" }), unknown);
    for (const bytes of names ?? []) {
      const name = bytes.toString("utf8");
      if (!Buffer.from(name, "utf8").equals(bytes)) {
        this.#unreadable(`${source}/${name}`, "the name is not UTF-8");
      } else if (Atomics.add(this.#options.tally, TALLY.ENTRIES, 1) >= this.#options.maxEntries) {
        this.report.left++;
        this.#options.omitted?.(unknown, `only ${this.#options.maxEntries} entries are loaded`);
      } else {
        this.#entry(`${below === "/" ? "" : below}/${name}`, list);
      }
    }
  }

  #entry(below: string, list: WorkStack): void {
    const source = this.#options.source + below;
    const path = this.#options.target + below;
    const stats = this.#reading(source, () => host.lstatSync(source), path);
    if (!stats) return;
    const type = stats.mode & S_IFMT;
    if (type === S_IFDIR) {
      this.#makeDirectory(path, stats);
      list.push(below);
    } else if (type === S_IFLNK) {
      this.#makeLink(source, path, stats);
    } else if (type !== S_IFREG) {
      this.report.special++;
      this.#options.omitted?.(path, "a FIFO, a socket or a device is not loaded");
    } else if (stats.nlink > 1) {
      this.report.shared.push({ source, path, file: `${stats.dev}:${stats.ino}` });
    } else {
      this.#makeFile(source, path, stats);
    }
  }

  /** Makes the files with several names; `shared` are the names that all loaders found. */
  linkTogether(shared: SharedName[]): void {
    const first = new Map<string, Loaded>();
    for (const { source, path, file } of shared) {
      const known = first.get(file);
      if (known) {
        this.#options.fs.linkSync(known.path, path);
        this.report.loaded.push({ ...known, path });
        this.report.files++;
        continue;
      }
      const stats = this.#reading(source, () => host.lstatSync(source), path);
      if (stats) first.set(file, this.#makeFile(source, path, stats));
    }
  }

  #makeDirectory(path: string, stats: host.Stats): void {
    this.#options.fs.mkdirSync(path, stats.mode & 0o777);
    this.#own(path, stats);
    this.#enter(path, stats, 0);
    this.report.directories++;
  }

  #makeLink(source: string, path: string, stats: host.Stats): void {
    const target = this.#reading(source, () => host.readlinkSync(source), path);
    if (target === undefined) return;
    this.#options.fs.symlinkSync(target, path);
    if (stats.uid !== 0 || stats.gid !== 0) this.#options.fs.lchownSync(path, stats.uid, stats.gid);
    this.#enter(path, stats, Buffer.byteLength(target), target);
    this.report.links++;
  }

  #makeFile(source: string, path: string, stats: host.Stats): Loaded {
    const { fs } = this.#options;
    fs.closeSync(fs.openSync(path, "wx", stats.mode & 0o777));
    const wanted = stats.size > 0 && this.#mayHold(stats.size);
    if (!wanted && stats.size > 0) this.#setSize(path, stats.size);
    this.#own(path, stats);
    this.report.files++;
    const loaded = this.#enter(path, stats, stats.size);
    if (wanted) this.#wanted.push({ source, loaded });
    return loaded;
  }

  /** Loads the contents of the files that this loader made. */
  fill(): void {
    for (const { source, loaded } of this.#wanted) {
      const contents = this.#reading(source, () => host.readFileSync(source));
      if (contents) {
        this.#options.fs.writeFileSync(loaded.path, contents, { flag: "r+" });
        this.report.contentBytes += contents.length;
        // The file may have changed since lstat.
        loaded.size = contents.length;
      } else this.#setSize(loaded.path, loaded.size);
    }
  }

  #setSize(path: string, size: number): void {
    this.#options.fs.truncateSync(path, size);
    this.report.sparse++;
  }

  /** Whether contents of this size are within both limits; counts them when they are. */
  #mayHold(size: number): boolean {
    const { contentLimit, contentTotal, tally } = this.#options;
    if (size > contentLimit) return false;
    const blocks = Math.ceil(size / BLOCK);
    const before = Atomics.add(tally, TALLY.BLOCKS, blocks);
    if ((before + blocks) * BLOCK <= contentTotal) return true;
    Atomics.sub(tally, TALLY.BLOCKS, blocks);
    return false;
  }

  /** Sets the owner, and the mode bits that creation does not set or that a change of owner clears. */
  #own(path: string, stats: host.Stats): void {
    const { fs } = this.#options;
    if (stats.uid !== 0 || stats.gid !== 0) fs.lchownSync(path, stats.uid, stats.gid);
    if ((stats.mode & 0o7000) !== 0) fs.chmodSync(path, stats.mode & 0o7777);
  }

  #enter(path: string, stats: host.Stats, size: number, target?: string): Loaded {
    const ino = this.#options.fs.lstatSync(path).ino;
    const loaded: Loaded = { path, mode: stats.mode, size, ino };
    if (target !== undefined) loaded.target = target;
    this.report.loaded.push(loaded);
    return loaded;
  }

  /**
   * Reads from the real file system. Counts files that are gone or must not be read, and returns undefined for them.
   * @param path what is then not in the tree
   */
  #reading<T>(source: string, read: () => T, path?: string): T | undefined {
    try {
      return read();
    } catch (error) {
      const code = codeOf(error);
      if (code === "ENOENT") this.report.vanished++;
      else {
        this.#unreadable(source, code);
        if (path !== undefined) this.#options.omitted?.(path, `${source} could not be read: ${code}`);
      }
      return undefined;
    }
  }

  #unreadable(source: string, why: string): void {
    this.report.unreadable++;
    if (this.report.unreadableExamples.length < EXAMPLES) this.report.unreadableExamples.push(`${source}: ${why}`);
  }
}

/** The real path of a directory that is to be loaded. @throws CliError ENOENT, ENOTDIR, EACCES ... */
export function realDirectory(directory: string, exitStatus: number): string {
  let path: string;
  try {
    path = host.realpathSync(directory);
  } catch (error) {
    throw new CliError(codeOf(error), `cannot load ${directory}: ${(error as Error).message}`, exitStatus);
  }
  if (!host.statSync(path).isDirectory()) {
    throw new CliError("ENOTDIR", `cannot load ${directory}: it is not a directory`, exitStatus);
  }
  try {
    host.accessSync(path, host.constants.R_OK | host.constants.X_OK);
  } catch (error) {
    throw new CliError(codeOf(error), `cannot load ${directory}: ${(error as Error).message}`, exitStatus);
  }
  return path;
}
