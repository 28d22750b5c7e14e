/** The resource `descriptor` of `wasi:filesystem/types`: an open file or directory. Every path is walked below its directory (RESOLVE_BENEATH). */
import { EXDEV } from "../../../abi/errno.js";
import {
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  RESOLVE_BENEATH,
} from "../../../abi/flags.js";
import { OPENING } from "../../../abi/limits.js";
import * as STAT from "../../../abi/stat.js";
import { invalidArgType } from "../../errors/errors.js";
import { openFlagsOf } from "../attributes.js";
import { beneath, leadOut } from "../beneath.js";
import { FDFLAG } from "../preview1.js";
import { openFifo } from "../waiting.js";
import { hashOf, statOf, timeOf, typeOf } from "./attributes.js";
import { DirectoryEntryStream, decode } from "./directory.js";
import { DISPOSE, done, walked } from "./errors.js";
import { OpenFile, type Tree } from "./open-file.js";
import { CHUNK, InputStream, OutputStream } from "./streams.js";
import type {
  Advice,
  DescriptorFlags,
  DescriptorStat,
  DescriptorType,
  ErrorCode,
  MetadataHashValue,
  NewTimestamp,
  OpenFlags,
  PathFlags,
} from "./types.js";

const CREATE_MODE = 0o666;
const DIRECTORY_MODE = 0o777;
const SLASH = 0x2f;
/** Larger positions are larger than every file. */
const POSITION_MAX = BigInt(Number.MAX_SAFE_INTEGER);
const TWO_63 = 1n << 63n;

/** A position of a read or a write. @throws ErrorCode "invalid" for one that is negative as a signed number, which no file has */
function positionOf(offset: bigint): number {
  if (offset < 0n || offset >= TWO_63) throw "invalid" satisfies ErrorCode;
  return Number(offset < POSITION_MAX ? offset : POSITION_MAX);
}

const nofollow = ({ symlinkFollow }: PathFlags): number => (symlinkFollow ? 0 : AT_SYMLINK_NOFOLLOW);

/** The flags of open(2) for an open-at. */
function openFlags({ symlinkFollow }: PathFlags, how: OpenFlags, flags: DescriptorFlags): number {
  let linux = flags.write ? (flags.read ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (!symlinkFollow) linux |= O_NOFOLLOW;
  if (how.create) linux |= O_CREAT;
  if (how.exclusive) linux |= O_EXCL;
  if (how.truncate) linux |= O_TRUNC;
  if (how.directory) linux |= O_DIRECTORY;
  return (
    linux | openFlagsOf((flags.fileIntegritySync ? FDFLAG.SYNC : 0) | (flags.dataIntegritySync ? FDFLAG.DSYNC : 0))
  );
}

export class Descriptor {
  readonly #tree: Tree;
  readonly #flags: DescriptorFlags;
  /** undefined: the component has dropped it. */
  #file: OpenFile | undefined;

  /** @internal */
  constructor(file: OpenFile, flags: DescriptorFlags) {
    this.#tree = file.tree;
    this.#file = file;
    this.#flags = flags;
  }

  /** The file. @throws ErrorCode */
  #open(): OpenFile {
    if (this.#file === undefined) throw "bad-descriptor" satisfies ErrorCode;
    return this.#file;
  }

  /** The file as one with contents, opened for this. @throws ErrorCode */
  #contents(right: "read" | "write"): OpenFile {
    const file = this.#open();
    if (file.isDirectory) throw "is-directory" satisfies ErrorCode;
    if (!this.#flags[right]) throw "bad-descriptor" satisfies ErrorCode;
    return file;
  }

  /** The descriptor of the context where walks start. @throws ErrorCode */
  #directory(): number {
    const file = this.#open();
    if (!file.isDirectory) throw "not-directory" satisfies ErrorCode;
    return file.fd;
  }

  /** Reads the attributes of the file. @throws ErrorCode */
  #stat() {
    const { core, ctx, attachment } = this.#tree.calls;
    done(core.sysFstat(ctx, this.#open().fd));
    return attachment.stat;
  }

  /** Reads the attributes of a path. @throws ErrorCode */
  #statAt(flags: PathFlags, path: string) {
    const { core, ctx, attachment } = this.#tree.calls;
    const dirfd = this.#directory();
    walked(core.sysWalk(ctx, dirfd, this.#tree.put(path), nofollow(flags), -1, RESOLVE_BENEATH));
    return attachment.stat;
  }

  /** Makes a call of the core with a path. @throws ErrorCode */
  #at(path: string, call: (dirfd: number, length: number) => number): number {
    const dirfd = this.#directory();
    const length = this.#tree.put(path);
    return walked(beneath(this.#tree.calls, () => call(dirfd, length)));
  }

  /** Makes a call with two paths; the second one is of another descriptor. @throws ErrorCode */
  #withTwo(
    path: string,
    other: Descriptor,
    path2: string,
    flags: number,
    call: (dirfd: number, length: number, dirfd2: number, length2: number) => number,
  ): void {
    if (!(other instanceof Descriptor)) throw invalidArgType("newDescriptor", "an instance of Descriptor", other);
    const dirfd = this.#directory();
    const dirfd2 = other.#directory();
    // The descriptors of another context have other numbers.
    if (other.#tree !== this.#tree) throw "cross-device" satisfies ErrorCode;
    const length = this.#tree.put(path);
    const length2 = this.#tree.put(path2, true);
    const result = beneath(this.#tree.calls, () => call(dirfd, length, dirfd2, length2));
    const isOut = result === -EXDEV && leadOut(this.#tree.calls, { dirfd, length, flags, dirfd2, length2 });
    if (isOut) throw "not-permitted" satisfies ErrorCode;
    done(result);
  }

  readViaStream(offset: bigint): InputStream {
    return new InputStream(this.#contents("read"), positionOf(offset));
  }

  writeViaStream(offset: bigint): OutputStream {
    return new OutputStream(this.#contents("write"), positionOf(offset));
  }

  /** Each write of it goes to the end of the file, wherever that is by then. */
  appendViaStream(): OutputStream {
    return new OutputStream(this.#contents("write"), -1);
  }

  /** What is in memory needs no advice. */
  advise(_offset: bigint, _length: bigint, _advice: Advice): void {
    if (this.#open().isDirectory) throw "bad-descriptor" satisfies ErrorCode;
  }

  syncData(): void {
    this.sync();
  }

  /** Contents are in memory. */
  sync(): void {
    const { core, ctx } = this.#tree.calls;
    done(core.sysFsync(ctx, this.#open().fd));
  }

  /** Those that it was opened with. A directory can be changed as its user may. */
  getFlags(): DescriptorFlags {
    return { ...this.#flags, mutateDirectory: this.#open().isDirectory };
  }

  getType(): DescriptorType {
    return typeOf(this.#open().format);
  }

  setSize(size: bigint): void {
    const { fd } = this.#contents("write");
    if (size < 0n || size > POSITION_MAX) throw "file-too-large" satisfies ErrorCode;
    const { core, ctx } = this.#tree.calls;
    done(core.sysFtruncate(ctx, fd, Number(size)));
  }

  setTimes(access: NewTimestamp, modification: NewTimestamp): void {
    const { core, ctx } = this.#tree.calls;
    done(core.sysFutimens(ctx, this.#open().fd, ...timeOf(access), ...timeOf(modification)));
  }

  /**
   * Reads at a position: at most 1 MiB, of which a component gets the rest with the next call.
   * @returns the bytes, and whether the end of the file was reached
   */
  read(length: bigint, offset: bigint): [Uint8Array, boolean] {
    const most = Number(length < BigInt(CHUNK) ? length : BigInt(CHUNK));
    const got = this.#contents("read").read(most, positionOf(offset));
    if (typeof got === "number") throw done(got);
    return [got, got.length < most];
  }

  /** Writes at a position, as one write. Returns the bytes written, fewer if the memory got full. */
  write(buffer: Uint8Array, offset: bigint): bigint {
    return BigInt(done(this.#contents("write").write(buffer, positionOf(offset))));
  }

  readDirectory(): DirectoryEntryStream {
    this.#directory();
    return new DirectoryEntryStream(this.#open());
  }

  createDirectoryAt(path: string): void {
    const { core, ctx } = this.#tree.calls;
    this.#at(path, (dirfd, length) => core.sysMkdir(ctx, dirfd, length, DIRECTORY_MODE));
  }

  stat(): DescriptorStat {
    return statOf(this.#stat());
  }

  statAt(pathFlags: PathFlags, path: string): DescriptorStat {
    return statOf(this.#statAt(pathFlags, path));
  }

  setTimesAt(pathFlags: PathFlags, path: string, access: NewTimestamp, modification: NewTimestamp): void {
    const { core, ctx } = this.#tree.calls;
    const times = [...timeOf(access), ...timeOf(modification)] as const;
    this.#at(path, (dirfd, length) => core.sysUtimens(ctx, dirfd, length, ...times, nofollow(pathFlags)));
  }

  linkAt(oldPathFlags: PathFlags, oldPath: string, newDescriptor: Descriptor, newPath: string): void {
    const { core, ctx } = this.#tree.calls;
    const follow = oldPathFlags.symlinkFollow ? AT_SYMLINK_FOLLOW : 0;
    this.#withTwo(oldPath, newDescriptor, newPath, nofollow(oldPathFlags), (dirfd, length, dirfd2, length2) =>
      core.sysLink(ctx, dirfd, length, dirfd2, length2, follow),
    );
  }

  /** Opens a path below the directory. With neither `read` nor `write` the descriptor is good for attributes alone. */
  openAt(pathFlags: PathFlags, path: string, how: OpenFlags, flags: DescriptorFlags): Descriptor {
    const tree = this.#tree;
    const { core, ctx, attachment } = tree.calls;
    const dirfd = this.#directory();
    const linux = openFlags(pathFlags, how, flags);
    const mode = how.create ? CREATE_MODE : 0;
    const open = (): number => core.sysOpenTagged(ctx, dirfd, tree.put(path), linux, mode, RESOLVE_BENEATH, 0, 0);
    const begun = open();
    const fd = walked(begun > OPENING ? begun : openFifo(tree.calls, () => tree.calls.checkOpen(), begun, open));
    const got = core.sysFstat(ctx, fd);
    const file = new OpenFile(tree, fd, got < 0 ? 0 : attachment.stat[STAT.mode]);
    return new Descriptor(file, { ...flags });
  }

  /** The body of a link. @throws ErrorCode "not-permitted" for an absolute one, "illegal-byte-sequence" for one that is no UTF-8 */
  readlinkAt(path: string): string {
    const { core, ctx, attachment } = this.#tree.calls;
    const length = this.#at(path, (dirfd, bytes) => core.sysReadlink(ctx, dirfd, bytes));
    const body = attachment.io.slice(0, length);
    if (body[0] === SLASH) throw "not-permitted" satisfies ErrorCode;
    return decode(body);
  }

  removeDirectoryAt(path: string): void {
    const { core, ctx } = this.#tree.calls;
    this.#at(path, (dirfd, length) => core.sysUnlink(ctx, dirfd, length, AT_REMOVEDIR));
  }

  renameAt(oldPath: string, newDescriptor: Descriptor, newPath: string): void {
    const { core, ctx } = this.#tree.calls;
    this.#withTwo(oldPath, newDescriptor, newPath, AT_SYMLINK_NOFOLLOW, (dirfd, length, dirfd2, length2) =>
      core.sysRename(ctx, dirfd, length, dirfd2, length2, 0),
    );
  }

  /** Makes a link. @throws ErrorCode "not-permitted" for an absolute body, which no walk of a component could follow */
  symlinkAt(oldPath: string, newPath: string): void {
    const { core, ctx, attachment } = this.#tree.calls;
    const dirfd = this.#directory();
    const bytes = this.#tree.put(oldPath);
    const bytes2 = this.#tree.put(newPath, true);
    if (attachment.path[0] === SLASH) throw "not-permitted" satisfies ErrorCode;
    walked(beneath(this.#tree.calls, () => core.sysSymlink(ctx, bytes, dirfd, bytes2)));
  }

  unlinkFileAt(path: string): void {
    const { core, ctx } = this.#tree.calls;
    this.#at(path, (dirfd, length) => core.sysUnlink(ctx, dirfd, length, 0));
  }

  isSameObject(other: Descriptor): boolean {
    if (!(other instanceof Descriptor)) throw invalidArgType("other", "an instance of Descriptor", other);
    if (other.#tree.calls.attachment !== this.#tree.calls.attachment) return false;
    const { [STAT.dev]: dev, [STAT.ino]: ino } = this.#stat();
    const theirs = other.#stat();
    return dev === theirs[STAT.dev] && ino === theirs[STAT.ino];
  }

  metadataHash(): MetadataHashValue {
    return hashOf(this.#stat());
  }

  metadataHashAt(pathFlags: PathFlags, path: string): MetadataHashValue {
    return hashOf(this.#statAt(pathFlags, path));
  }

  /** What a component does that drops it. */
  [DISPOSE](): void {
    const file = this.#file;
    this.#file = undefined;
    file?.drop();
  }
}
