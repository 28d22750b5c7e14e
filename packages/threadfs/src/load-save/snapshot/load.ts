/**
 * Makes the files of a snapshot in a new tree, which no other thread has yet. It uses ordinary system calls, relative to descriptors of
 * directories, so that no path is too long; the clock of this attachment gives each file its times of creation and of change.
 */
import * as ERRNO from "../../../abi/errno.js";
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDWR,
  XATTR_CREATE,
} from "../../../abi/flags.js";
import { NAME_MAX, PATH_MAX, XATTR_SIZE_MAX } from "../../../abi/limits.js";
import { ABI_VERSION, ACL_ENTRY_SIZE } from "../../../abi/memory.js";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../../abi/mode.js";
import { Attachment } from "../../bridge/attachment.js";
import type { VfsHandle } from "../../bridge/handle.js";
import type { ArenaRoom } from "../../bridge/memory.js";
import type { CoreModule } from "../../bridge/wasm.js";
import { bare } from "../../errors/bare.js";
import { systemCallError } from "../../errors/errors.js";
import { SystemCalls } from "../../node-fs/system-calls.js";
import { joinPath, textOf } from "../paths.js";
import { laterTurn } from "../turns.js";
import { damaged, type RecordReader, readRecords } from "./block-reader.js";
import { type Clock, msOfTime } from "./clock.js";
import { type Attributes, DATA_MAX, type FileTime, RECORD } from "./format.js";

const ROOT = /* @__PURE__ */ Uint8Array.of(47);
const DOT = /* @__PURE__ */ Uint8Array.of(46);
const SLASH = 47;
const MAX_ID = 0xfffffffe;

/** An extended attribute. */
interface Xattr {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** A directory or a file that is being made. */
interface Open {
  readonly fd: number;
  readonly path: Uint8Array;
  readonly attributes: Attributes;
  acl?: Uint8Array;
  xattrs?: Xattr[];
}
interface OpenFile extends Open {
  readonly size: number;
  written: number;
}

/** A file with a number: where one of its names is, and the times that a new name changes. */
interface Numbered {
  readonly path: Uint8Array;
  readonly attributes: Attributes;
}

const isName = (name: Uint8Array): boolean =>
  name.length > 0 &&
  name.length <= NAME_MAX &&
  !name.includes(SLASH) &&
  !name.includes(0) &&
  !(name[0] === DOT[0] && (name.length === 1 || (name.length === 2 && name[1] === DOT[0])));

class Loader {
  readonly #calls: SystemCalls;
  readonly #clock: Clock;
  readonly #levels: Open[] = [];
  readonly #numbered = new Map<number, Numbered>();
  #file: OpenFile | undefined;
  /** The link or special file that was made last, if nothing else has come since. */
  #made: { readonly dir: number; readonly name: Uint8Array; readonly path: Uint8Array } | undefined;
  #entries = 0;
  /** The last record has come. */
  complete = false;

  constructor(calls: SystemCalls, clock: Clock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  /** @throws Error ERR_THREADFS_SNAPSHOT; system call errors: ENOSPC ... */
  record(record: RecordReader): void {
    if (this.complete) throw damaged("records behind its end");
    if (record.type === RECORD.DATA) this.#data(record);
    else if (record.type === RECORD.ACL) this.#acl(record);
    else if (record.type === RECORD.XATTR) this.#xattr(record);
    else {
      this.#made = undefined;
      this.#endFile();
      this.#entry(record);
    }
  }

  #entry(record: RecordReader): void {
    switch (record.type) {
      case RECORD.DIRECTORY:
        this.#directory(record);
        break;
      case RECORD.FILE:
        this.#beginFile(record);
        break;
      case RECORD.SYMLINK:
        this.#symlink(record);
        break;
      case RECORD.SPECIAL:
        this.#special(record, this.#attributes(record, S_IFIFO, S_IFSOCK), 0);
        break;
      case RECORD.DEVICE:
        this.#special(record, this.#attributes(record, S_IFCHR, S_IFBLK), record.u32());
        break;
      case RECORD.LINK:
        this.#link(record);
        break;
      case RECORD.LEAVE:
        this.#leave();
        break;
      case RECORD.END:
        if (this.#levels.length > 0 || record.u32() !== this.#entries) throw damaged("files are missing");
        this.complete = true;
        break;
      default:
        throw damaged(`a record of the unknown type ${record.type}`);
    }
  }

  #check(result: number, syscall: string, path: Uint8Array): number {
    if (result >= 0) return result;
    // What its own records contradict.
    if (result === -ERRNO.EEXIST) throw damaged(`${textOf(path)} comes twice`);
    throw systemCallError(result, syscall, path);
  }

  #now(time: FileTime): void {
    this.#clock.ms = msOfTime(time);
  }

  /** The directory that the present record is in, the path and the name of its file. */
  #place(name: Uint8Array): { dir: number; path: Uint8Array } {
    const level = this.#levels.at(-1);
    if (level === undefined) throw damaged("a file outside of its root");
    if (!isName(name)) throw damaged("a name that no file can have");
    this.#entries++;
    return { dir: level.fd, path: joinPath(level.path, name) };
  }

  #directory(record: RecordReader): void {
    const attributes = this.#attributes(record, S_IFDIR);
    const name = record.bytes().slice();
    const { core, ctx } = this.#calls;
    const isRoot = this.#levels.length === 0 && name.length === 0 && this.#entries === 0;
    const { dir, path } = isRoot ? { dir: AT_FDCWD, path: ROOT } : this.#place(name);
    if (!isRoot) {
      this.#now(attributes.birthtime);
      this.#check(core.sysMkdir(ctx, dir, this.#calls.putPath(name, "mkdir"), 0o700), "mkdir", path);
    }
    const length = this.#calls.putPath(isRoot ? ROOT : name, "open");
    const fd = this.#check(core.sysOpen(ctx, dir, length, O_DIRECTORY | O_NOFOLLOW, 0), "open", path);
    this.#levels.push({ fd, path, attributes });
  }

  /** The directory is complete: nothing changes its times any more. */
  #leave(): void {
    const level = this.#levels.pop();
    if (level === undefined) throw damaged("the end of a directory that did not begin");
    this.#finish(level, level.fd, DOT);
  }

  #beginFile(record: RecordReader): void {
    const attributes = this.#attributes(record, S_IFREG);
    const size = record.f64();
    if (!Number.isSafeInteger(size) || size < 0) throw damaged("a file of impossible size");
    const number = record.u32();
    const name = record.bytes().slice();
    const { dir, path } = this.#place(name);
    const { core, ctx } = this.#calls;
    this.#now(attributes.birthtime);
    const flags = O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW;
    const length = this.#calls.putPath(name, "open");
    const fd = this.#check(core.sysOpen(ctx, dir, length, flags, 0o600), "open", path);
    this.#file = { fd, path, attributes, size, written: 0 };
    this.#number(number, path, attributes);
  }

  #number(number: number, path: Uint8Array, attributes: Attributes): void {
    if (number === 0) return;
    if (this.#numbered.has(number)) throw damaged("a number of two files");
    this.#numbered.set(number, { path, attributes });
  }

  #data(record: RecordReader): void {
    const file = this.#file;
    const at = record.f64();
    const data = record.bytes();
    if (file === undefined || !Number.isSafeInteger(at) || at < 0 || data.length > DATA_MAX)
      throw damaged("lost contents");
    if (at + data.length > file.size) throw damaged(`contents behind the end of ${textOf(file.path)}`);
    const { core, ctx, attachment } = this.#calls;
    attachment.io.set(data);
    const done = this.#check(core.sysWrite(ctx, file.fd, at, data.length), "write", file.path);
    if (done < data.length) throw systemCallError(-ERRNO.ENOSPC, "write", file.path);
    file.written = Math.max(file.written, at + done);
  }

  #acl(record: RecordReader): void {
    const owner = this.#file ?? this.#levels.at(-1);
    const entries = record.bytes().slice();
    if (owner === undefined || entries.length % ACL_ENTRY_SIZE !== 0) throw damaged("a lost access list");
    owner.acl = entries;
  }

  #xattr(record: RecordReader): void {
    const name = record.bytes(record.u8()).slice();
    const value = record.bytes().slice();
    if (name.length === 0 || name.includes(0) || value.length > XATTR_SIZE_MAX)
      throw damaged("an attribute that no file can have");
    const made = this.#made;
    // Its times are set already, and the clock stands at that of its last change.
    if (made !== undefined) {
      this.#setXattr(made.dir, made.name, made.path, { name, value });
      return;
    }
    const owner = this.#file ?? this.#levels.at(-1);
    if (owner === undefined) throw damaged("a lost attribute");
    owner.xattrs ??= [];
    owner.xattrs.push({ name, value });
  }

  #setXattr(dir: number, at: Uint8Array, path: Uint8Array, { name, value }: Xattr): void {
    const { core, ctx, attachment } = this.#calls;
    const [length, length2] = this.#calls.putPaths(at, name, "setxattr");
    attachment.io.set(value);
    const set = core.sysSetxattr(ctx, dir, length, length2, value.length, XATTR_CREATE, AT_SYMLINK_NOFOLLOW);
    this.#check(set, "setxattr", path);
  }

  #endFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    const { core, ctx } = this.#calls;
    if (file.written < file.size) this.#check(core.sysFtruncate(ctx, file.fd, file.size), "ftruncate", file.path);
    const level = this.#levels.at(-1);
    const name = file.path.subarray((level?.path.length ?? 0) + (level?.path.length === 1 ? 0 : 1));
    this.#finish(file, level?.fd ?? AT_FDCWD, name);
  }

  /** Sets the attributes of what is complete, the times last, and closes it. @param dir with `name` its place, for its ACL and extended attributes */
  #finish({ fd, path, attributes, acl, xattrs = [] }: Open, dir: number, name: Uint8Array): void {
    const { core, ctx, attachment } = this.#calls;
    const { mode, uid, gid, atime, mtime, ctime } = attributes;
    this.#check(core.sysFchown(ctx, fd, uid, gid), "fchown", path);
    if (acl !== undefined) {
      const length = this.#calls.putPath(name, "setfacl");
      attachment.io.set(acl);
      this.#check(core.sysSetacl(ctx, dir, length, acl.length / ACL_ENTRY_SIZE, 0), "setfacl", path);
    }
    for (const xattr of xattrs) this.#setXattr(dir, name, path, xattr);
    this.#check(core.sysFchmod(ctx, fd, mode & 0o7777), "fchmod", path);
    this.#now(ctime);
    this.#check(core.sysFutimens(ctx, fd, atime.sec, atime.nsec, mtime.sec, mtime.nsec), "futime", path);
    this.#check(core.sysClose(ctx, fd), "close", path);
  }

  /** The attributes of a file that is not open. A link has no mode of its own. */
  #finishAt(dir: number, name: Uint8Array, path: Uint8Array, { mode, uid, gid, ...times }: Attributes): void {
    const { core, ctx } = this.#calls;
    this.#check(
      core.sysChown(ctx, dir, this.#calls.putPath(name, "lchown"), uid, gid, AT_SYMLINK_NOFOLLOW),
      "lchown",
      path,
    );
    if ((mode & S_IFMT) !== S_IFLNK) {
      this.#check(core.sysChmod(ctx, dir, this.#calls.putPath(name, "chmod"), mode & 0o7777, 0), "chmod", path);
    }
    this.#setTimes(dir, name, path, times);
  }

  #setTimes(
    dir: number,
    name: Uint8Array,
    path: Uint8Array,
    times: Pick<Attributes, "atime" | "mtime" | "ctime">,
  ): void {
    const { core, ctx } = this.#calls;
    const { atime, mtime, ctime } = times;
    this.#now(ctime);
    const length = this.#calls.putPath(name, "lutime");
    const [a, an, m, mn] = [atime.sec, atime.nsec, mtime.sec, mtime.nsec];
    this.#check(core.sysUtimens(ctx, dir, length, a, an, m, mn, AT_SYMLINK_NOFOLLOW), "lutime", path);
  }

  #symlink(record: RecordReader): void {
    const attributes = this.#attributes(record, S_IFLNK);
    const number = record.u32();
    const name = record.bytes(record.u8()).slice();
    const target = record.bytes().slice();
    if (target.length === 0 || target.length > PATH_MAX || target.includes(0)) throw damaged("a link to nothing");
    const { dir, path } = this.#place(name);
    const { core, ctx } = this.#calls;
    this.#now(attributes.birthtime);
    const [length, length2] = this.#calls.putPaths(target, name, "symlink");
    this.#check(core.sysSymlink(ctx, length, dir, length2), "symlink", path);
    this.#number(number, path, attributes);
    this.#finishAt(dir, name, path, attributes);
    this.#made = { dir, name, path };
  }

  #special(record: RecordReader, attributes: Attributes, rdev: number): void {
    const number = record.u32();
    const name = record.bytes().slice();
    const { dir, path } = this.#place(name);
    const { core, ctx } = this.#calls;
    this.#now(attributes.birthtime);
    const mode = (attributes.mode & S_IFMT) | 0o600;
    const made = core.sysMknod(ctx, dir, this.#calls.putPath(name, "mknod"), mode, rdev);
    this.#check(made, "mknod", path);
    this.#number(number, path, attributes);
    this.#finishAt(dir, name, path, attributes);
    this.#made = { dir, name, path };
  }

  #link(record: RecordReader): void {
    const file = this.#numbered.get(record.u32());
    if (file === undefined) throw damaged("a name of a file that did not come");
    const name = record.bytes().slice();
    const { dir, path } = this.#place(name);
    const { core, ctx } = this.#calls;
    const [length, length2] = this.#calls.putPaths(file.path, name, "link");
    this.#check(core.sysLink(ctx, AT_FDCWD, length, dir, length2, 0), "link", path);
    this.#setTimes(dir, name, path, file.attributes);
  }

  #attributes(record: RecordReader, ...types: number[]): Attributes {
    const attributes = record.attributes();
    const { mode, uid, gid } = attributes;
    if (!types.includes(mode & S_IFMT) || mode > 0xffff) throw damaged("a mode of another type");
    if (uid > MAX_ID || gid > MAX_ID) throw damaged("an owner that no file can have");
    return attributes;
  }
}

/**
 * Creates a tree with the files of a snapshot. No thread is attached to it afterwards; the caller is the first.
 * @throws Error ERR_THREADFS_SNAPSHOT, ERR_THREADFS_SNAPSHOT_VERSION; TypeError ERR_INVALID_ARG_TYPE; ENOSPC: `maxBytes` is too
 * small; what the source throws
 */
export async function loadTree(module: CoreModule, room: ArenaRoom, source: unknown): Promise<VfsHandle> {
  const clock = { ms: 0 };
  const host = bare({ thread: 0, now: () => clock.ms });
  let attachment: Attachment | undefined;
  let loader: Loader | undefined;
  try {
    for await (const records of readRecords(source)) {
      for (const record of records) {
        if (attachment === undefined || loader === undefined) {
          // The root directory is as old as the first record says.
          clock.ms = msOfTime(birthtimeOf(record));
          attachment = Attachment.create(module, room, host);
          loader = new Loader(new SystemCalls(attachment, 0), clock);
        }
        loader.record(record);
      }
      await laterTurn();
    }
    if (attachment === undefined || !loader?.complete) throw damaged("it is cut off");
    return { module, memory: attachment.memory, version: ABI_VERSION, ctx: 0 };
  } finally {
    attachment?.close();
  }
}

/** Of a record that is read again. */
function birthtimeOf(record: RecordReader): FileTime {
  if (record.type !== RECORD.DIRECTORY) throw damaged("it does not begin with a directory");
  return record.again().attributes().birthtime;
}
