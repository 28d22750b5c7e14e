/**
 * Copies a directory with all that is below it from one file system to another, of which one is the tree and the other the host's, or
 * anything with the synchronous calls of node:fs. Both sides are paths and calls, and nothing on the target's side exists before it is
 * made here: so no link that is there already leads elsewhere.
 */
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../abi/flags.js";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../abi/mode.js";
import { nodeModule } from "../bridge/node.js";
import { flagOption, type KeysOf, readOptions } from "../bridge/options.js";
import { codedError, invalidArgType, invalidArgValue, systemCallError } from "../errors/errors.js";
import { toPath, toSignal } from "../node-fs/args.js";
import { asBuffer } from "../node-fs/bytes.js";
import { checkAborted } from "../node-fs/forms/abort.js";
import type { Signal } from "../node-fs/forms/types.js";
import type { LinuxCalls } from "../node-fs/linux/types.js";
import type { SystemCalls } from "../node-fs/system-calls.js";
import type { Bytes, Fs } from "../node-fs/types.js";
import { BLOCK, dataRanges, PAGE } from "./holes.js";
import { asBytes, joinPath, textOf } from "./paths.js";
import { laterTurn } from "./turns.js";
import type {
  CopyOptions,
  CopyProgress,
  CopyResult,
  DirectoryFs,
  FileStats,
  LostAttributes,
  XattrCalls,
} from "./types.js";

const KNOWN: KeysOf<CopyOptions> = {
  onProgress: true,
  owners: true,
  special: true,
  signal: true,
  fs: true,
  linux: true,
};

/** The bytes of one read or write. */
const PIECE = 1 << 20;
/** How long a copy goes on before the event loop runs, in milliseconds. */
const TURN_MS = 10;

/** One side of a copy. */
interface Side {
  readonly fs: DirectoryFs;
  /** Whether blocks of a file are pages with contents, and no more. */
  readonly countsPages?: boolean;
  readonly xattrs?: XattrCalls | undefined;
  /** Sets times to the nanosecond; without it `lutimesSync` does, which has a microsecond. */
  setTimes?(path: Uint8Array, atimeNs: bigint, mtimeNs: bigint): void;
}

interface Settings {
  readonly onProgress: ((progress: CopyProgress) => void) | undefined;
  readonly owners: boolean;
  readonly special: "refuse" | "skip";
  readonly signal: Signal | undefined;
  readonly host: DirectoryFs;
  readonly linux: XattrCalls | undefined;
}

/** A directory whose entries are being copied. */
interface Level {
  readonly source: Bytes;
  readonly target: Bytes;
  readonly stats: FileStats;
  readonly names: Uint8Array[];
  next: number;
}

/** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; Error ERR_THREADFS_HOST: there is no node:fs, and no `fs` */
function readSettings(options: unknown): Settings {
  const given = readOptions<CopyOptions>(options, KNOWN);
  const { onProgress, owners = false, special = "refuse", signal } = given;
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw invalidArgType("options.onProgress", "of type function", onProgress);
  }
  if (special !== "refuse" && special !== "skip") {
    throw invalidArgValue("options.special", special, 'must be "refuse" or "skip"');
  }
  if (given.fs !== undefined && (typeof given.fs !== "object" || given.fs === null)) {
    throw invalidArgType("options.fs", "of type object", given.fs);
  }
  const { linux } = given;
  if (linux !== undefined && (typeof linux !== "object" || linux === null)) {
    throw invalidArgType("options.linux", "of type object", linux);
  }
  const host = given.fs ?? (nodeModule("node:fs") as DirectoryFs | undefined);
  if (host === undefined) {
    throw codedError(Error, "ERR_THREADFS_HOST", "This host has no node:fs: give a module like it as options.fs");
  }
  return { onProgress, owners: flagOption(owners, "options.owners"), special, signal: toSignal(signal), host, linux };
}

/** A path of the caller's: bytes, also where it is text. */
function pathBytes(path: unknown, name: string): Uint8Array {
  return asBytes(toPath(path, name));
}

/** Some modules take paths in bytes only as Buffers. */
const asPath = (path: Uint8Array): Bytes => asBuffer(path) as Bytes;

/** Of a link its own attributes. */
const NOFOLLOW = /* @__PURE__ */ Object.freeze({ nofollow: true });
/** Errors of an attribute that the caller may not have, or that this side does not keep. */
const REFUSED = /* @__PURE__ */ new Set<unknown>(["ENOTSUP", "EPERM", "EACCES"]);

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** The extended attributes of a file; none where its file system has none. */
function namesOf(xattrs: XattrCalls | undefined, path: Bytes): string[] {
  try {
    return xattrs?.listxattrSync(path, NOFOLLOW) ?? [];
  } catch (error) {
    if (codeOf(error) !== "ENOTSUP") throw error;
    return [];
  }
}

class Copy {
  readonly #source: Side;
  readonly #target: Side;
  readonly #settings: Settings;
  readonly #levels: Level[] = [];
  readonly #piece = new Uint8Array(PIECE);
  /** Where a file with several names was copied to, by its device and number. */
  readonly #linked = new Map<string, Bytes>();
  #top = 0;
  /** The directory that is copied to was there: its attributes stay. */
  #keepsTop = false;
  readonly #lost: LostAttributes[] = [];
  #files = 0;
  #bytes = 0;
  #turnEnds = 0;

  constructor(source: Side, target: Side, settings: Settings) {
    this.#source = source;
    this.#target = target;
    this.#settings = settings;
  }

  /** Copies what is in the directory `from` into `to`, which is made if it does not exist. */
  async run(from: Uint8Array, to: Uint8Array): Promise<CopyResult> {
    checkAborted(this.#settings.signal);
    const [source, target] = [asPath(from), asPath(to)];
    // With a slash, so that a link to a directory is followed.
    const stats = this.#stat(asPath(joinPath(source, new Uint8Array())));
    this.#top = joinPath(source, new Uint8Array()).length;
    try {
      this.#target.fs.mkdirSync(target, 0o700);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      this.#keepsTop = true;
    }
    this.#enter(source, target, stats);
    this.#turnEnds = performance.now() + TURN_MS;
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      const name = level.names[level.next++];
      if (name === undefined) this.#leave(level);
      else
        await this.#entry(asPath(joinPath(level.source, asBytes(name))), asPath(joinPath(level.target, asBytes(name))));
      if (performance.now() >= this.#turnEnds) await this.#pause();
    }
    return { files: this.#files, bytes: this.#bytes, lost: this.#lost };
  }

  async #pause(): Promise<void> {
    await laterTurn();
    checkAborted(this.#settings.signal);
    this.#turnEnds = performance.now() + TURN_MS;
  }

  #stat(path: Bytes): FileStats {
    return this.#source.fs.lstatSync(path, { bigint: true });
  }

  /** A directory of the source, and the one in the target that exists. */
  #enter(source: Bytes, target: Bytes, stats: FileStats): void {
    const names = this.#source.fs.readdirSync(source, { encoding: "buffer" }) as Uint8Array[];
    this.#levels.push({ source, target, stats, names, next: 0 });
  }

  /** The directory is complete: nothing changes its times any more. */
  #leave(level: Level): void {
    this.#levels.pop();
    if (this.#levels.length > 0 || !this.#keepsTop) this.#setAttributes(level.source, level.target, level.stats);
    this.#done(level.source);
  }

  async #entry(source: Bytes, target: Bytes): Promise<void> {
    const stats = this.#stat(source);
    const type = Number(stats.mode) & S_IFMT;
    if (type === S_IFDIR) {
      this.#target.fs.mkdirSync(target, 0o700);
      this.#enter(source, target, stats);
      return;
    }
    if (type !== S_IFREG && type !== S_IFLNK) {
      if (this.#settings.special === "skip") return;
      const message = `Only files, directories and links can be copied: ${textOf(source)}`;
      throw Object.assign(codedError(Error, "ERR_THREADFS_FILE_TYPE", message), { path: textOf(source) });
    }
    if (!this.#link(stats, target)) {
      if (type === S_IFREG) await this.#file(source, target, stats);
      else this.#target.fs.symlinkSync(this.#source.fs.readlinkSync(source, { encoding: "buffer" }) as Bytes, target);
      this.#setAttributes(source, target, stats);
    }
    this.#done(source);
  }

  /** Makes another name of a file that has been copied. False: it has not been. */
  #link({ nlink, dev, ino }: FileStats, target: Bytes): boolean {
    if (nlink < 2n) return false;
    const key = `${dev}:${ino}`;
    const first = this.#linked.get(key);
    if (first === undefined) {
      this.#linked.set(key, target);
      return false;
    }
    this.#target.fs.linkSync(first, target);
    return true;
  }

  async #file(source: Bytes, target: Bytes, stats: FileStats): Promise<void> {
    const { fs: from } = this.#source;
    const { fs: to } = this.#target;
    const { O_WRONLY = 1, O_CREAT = 0, O_EXCL = 0 } = to.constants;
    const input = this.#open(source);
    try {
      const output = to.openSync(target, O_WRONLY | O_CREAT | O_EXCL, 0o600);
      try {
        await this.#contents(from, input, to, output, stats);
      } finally {
        to.closeSync(output);
      }
    } finally {
      from.closeSync(input);
    }
  }

  /** Opens for reading, without a new time of access where that is possible. */
  #open(path: Bytes): number {
    const { fs } = this.#source;
    const { O_RDONLY = 0, O_NOFOLLOW = 0, O_NOATIME = 0 } = fs.constants;
    try {
      return fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NOATIME);
    } catch (error) {
      if (O_NOATIME === 0 || codeOf(error) !== "EPERM") throw error;
      return fs.openSync(path, O_RDONLY | O_NOFOLLOW);
    }
  }

  async #contents(from: DirectoryFs, input: number, to: DirectoryFs, output: number, stats: FileStats): Promise<void> {
    const piece = this.#piece;
    const [size, used] = [Number(stats.size), Number(stats.blocks) * BLOCK];
    const isSparse = used < size;
    // Pages that are not found yet: when there are none, the rest is a hole. A disk that compresses has fewer blocks than that.
    let pages = isSparse && this.#source.countsPages ? Math.ceil(used / PAGE) : Number.POSITIVE_INFINITY;
    let at = 0;
    let end = 0;
    while (pages > 0) {
      const got = from.readSync(input, piece, 0, PIECE, at);
      if (got === 0) break;
      const ranges: [number, number][] = isSparse ? dataRanges(piece.subarray(0, got)) : [[0, got]];
      for (const [first, last] of ranges) {
        for (let done = first; done < last; ) done += to.writeSync(output, piece, done, last - done, at + done);
        end = at + last;
        pages -= Math.ceil((last - first) / PAGE);
      }
      at += got;
      if (performance.now() >= this.#turnEnds) await this.#pause();
    }
    if (pages <= 0) at = Math.max(at, size);
    if (end < at) to.ftruncateSync(output, at);
    this.#bytes += at;
  }

  /** Sets what is kept of a file that is complete, the times last. */
  #setAttributes(source: Bytes, path: Bytes, { mode, uid, gid, atimeNs, mtimeNs }: FileStats): void {
    const { fs, setTimes } = this.#target;
    if (this.#settings.owners) fs.lchownSync(path, Number(uid), Number(gid));
    this.#copyXattrs(source, path);
    if ((Number(mode) & S_IFMT) !== S_IFLNK) fs.chmodSync(path, Number(mode) & 0o7777);
    if (setTimes !== undefined) setTimes(path, atimeNs, mtimeNs);
    else fs.lutimesSync(path, secondsOf(atimeNs), secondsOf(mtimeNs));
  }

  /** Extended attributes, ACLs among them. The mode is set after them, which then says what an ACL says. */
  #copyXattrs(source: Bytes, target: Bytes): void {
    const { xattrs: from } = this.#source;
    const { xattrs: to } = this.#target;
    const names = namesOf(from, source);
    // What the target has inherited, the source has not.
    if (from && to)
      for (const name of namesOf(to, target)) if (!names.includes(name)) to.removexattrSync(target, name, NOFOLLOW);
    const lost = names.filter((name) => {
      if (from === undefined || to === undefined) return true;
      try {
        to.setxattrSync(target, name, from.getxattrSync(source, name, NOFOLLOW), NOFOLLOW);
        return false;
      } catch (error) {
        if (!REFUSED.has(codeOf(error))) throw error;
        return true;
      }
    });
    if (lost.length > 0) this.#lost.push({ path: this.#seen(source), names: lost });
  }

  /** A path as seen from the directory that is copied. */
  #seen(source: Bytes): string {
    return textOf(source.subarray(Math.min(this.#top, source.length)));
  }

  #done(source: Bytes): void {
    this.#files++;
    const path = this.#seen(source);
    this.#settings.onProgress?.({ path, files: this.#files, bytes: this.#bytes });
  }
}

const BILLION = 1_000_000_000n;
/** Whole seconds, rounded down, and the nanoseconds above them. */
function splitNs(ns: bigint): [sec: number, nsec: number] {
  const nsec = ((ns % BILLION) + BILLION) % BILLION;
  return [Number((ns - nsec) / BILLION), Number(nsec)];
}

function secondsOf(ns: bigint): number {
  const [sec, nsec] = splitNs(ns);
  return sec + nsec / 1e9;
}

/** What a context has of its tree. */
interface Tree {
  readonly fs: Fs;
  readonly linux: LinuxCalls;
}

/** The tree's own side of a copy. */
function treeSide(calls: SystemCalls, { fs, linux }: Tree): Side {
  const setTimes = (path: Uint8Array, atimeNs: bigint, mtimeNs: bigint): void => {
    const { core, ctx } = calls;
    const [atime, mtime] = [splitNs(atimeNs), splitNs(mtimeNs)];
    const length = calls.putPath(path, "lutime");
    const done = core.sysUtimens(ctx, AT_FDCWD, length, ...atime, ...mtime, AT_SYMLINK_NOFOLLOW);
    if (done < 0) throw systemCallError(done, "lutime", path);
  };
  return { fs: fs as unknown as DirectoryFs, xattrs: linux as unknown as XattrCalls, countsPages: true, setTimes };
}

/** Copies a directory of the host into the tree. @throws see `Vfs.importDirectory` */
export async function importDirectory(calls: SystemCalls, tree: Tree, from: unknown, to: unknown, options: unknown) {
  const settings = readSettings(options);
  const [source, target] = [pathBytes(from, "from"), pathBytes(to, "to")];
  return new Copy({ fs: settings.host, xattrs: settings.linux }, treeSide(calls, tree), settings).run(source, target);
}

/** Copies a directory of the tree to the host. @throws see `Vfs.exportDirectory` */
export async function exportDirectory(calls: SystemCalls, tree: Tree, from: unknown, to: unknown, options: unknown) {
  const settings = readSettings(options);
  const [source, target] = [pathBytes(from, "from"), pathBytes(to, "to")];
  return new Copy(treeSide(calls, tree), { fs: settings.host, xattrs: settings.linux }, settings).run(source, target);
}
