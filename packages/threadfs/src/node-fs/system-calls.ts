/**
 * The system-call client of one context: passes paths to the core, makes calls, and turns a negative errno into an
 * exception. The core's side of this class uses only numbers, the other side Node's arguments and results.
 */

import * as ERRNO from "../../abi/errno.js";
import { AT_EMPTY_PATH, AT_FDCWD } from "../../abi/flags.js";
import { IO_SIZE, OPENED, OPENING, PATH_MAX, PIPE_WAITS, WRITE_FAILED } from "../../abi/limits.js";
import { REQUEST_SEEN, REQUEST_WORD } from "../../abi/memory.js";
import { S_IFDIR, S_IFMT } from "../../abi/mode.js";
import * as STAT from "../../abi/stat.js";
import type { CoreExports } from "../../generated/core-exports.js";
import type { Attachment } from "../bridge/attachment.js";
import type { FileSink } from "../bridge/transfer/transfer.js";
import { cwdError, systemCallError } from "../errors/errors.js";
import type { Path } from "./args.js";
import { decodeText } from "./bytes.js";
import { appendName, isAbsolute, resolveBytes } from "./paths/join.js";
import { type BigIntStats, bigIntStatsOf, type Stats, statsOf } from "./stats.js";

/** The longest read that goes through the scratch area: the copy costs less than to be called back by the core. */
export const WINDOW_READ_SIZE = 4096;

/** Takes a file in memory: as a buffer, or as a string if it is UTF-8 and its bytes lie next to each other. */
class WholeFile implements FileSink {
  readonly #attachment: Attachment;
  readonly #asText: boolean;
  /** The string of the file that was taken last. */
  text: string | undefined;

  constructor(attachment: Attachment, asText: boolean) {
    this.#attachment = attachment;
    this.#asText = asText;
  }

  take(from: number, bytes: number): boolean {
    const { stat, window } = this.#attachment;
    if (this.#asText && from !== 0 && bytes === stat[STAT.size]) this.text = window.textAt(from, bytes);
    return this.text !== undefined;
  }

  make(): Uint8Array {
    const { transfer, stat } = this.#attachment;
    return transfer.pool.allocate(stat[STAT.size]);
  }
}

/** What all calls of a context in a thread share. */
interface Life {
  closed: boolean;
  /** What ends with the context in this thread. */
  readonly atClose: Set<() => void>;
}

const DOT = 0x2e;

/** What follows the first `count` bytes of buffers. */
function skipBytes(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skipped = count;
  for (const buffer of buffers) {
    if (skipped < buffer.length) left.push(skipped === 0 ? buffer : buffer.subarray(skipped));
    skipped = Math.max(skipped - buffer.length, 0);
  }
  return left;
}

/** The system calls of one context in one thread. */
export class SystemCalls {
  readonly attachment: Attachment;
  readonly core: CoreExports;
  /** The context's number in the core. */
  readonly ctx: number;
  readonly #byteSink: WholeFile;
  readonly #textSink: WholeFile;
  /** Where relative paths start: the descriptor of a directory, or AT_FDCWD. */
  readonly dirfd: number;
  readonly #life: Life;

  /** @param maker calls of the same context, which end together with these */
  constructor(attachment: Attachment, ctx: number, maker?: SystemCalls, dirfd = AT_FDCWD) {
    this.attachment = attachment;
    this.core = attachment.core;
    this.ctx = ctx;
    this.#byteSink = new WholeFile(attachment, false);
    this.#textSink = new WholeFile(attachment, true);
    this.dirfd = dirfd;
    this.#life = maker === undefined ? { closed: false, atClose: new Set() } : maker.#life;
  }

  /** The same context's calls, with relative paths that start at a directory. @throws EBADF, ENOTDIR */
  at(dirfd: number): SystemCalls {
    this.checkOpen();
    this.check(this.core.sysStat(this.ctx, dirfd, 0, AT_EMPTY_PATH), "openat");
    if ((this.attachment.stat[STAT.mode] & S_IFMT) !== S_IFDIR) throw systemCallError(-ERRNO.ENOTDIR, "openat");
    return new SystemCalls(this.attachment, this.ctx, this, dirfd);
  }

  /** Refuses calls from now on. */
  close(): void {
    this.#life.closed = true;
    for (const end of this.#life.atClose) end();
  }

  /** Has a function called when the context is closed in this thread. Returns one that takes this back. */
  whenClosed(end: () => void): () => void {
    this.#life.atClose.add(end);
    return () => this.#life.atClose.delete(end);
  }

  get closed(): boolean {
    return this.#life.closed;
  }

  /** Throws if the tree or the context is closed. Every call begins with this. */
  checkOpen(): void {
    if (this.attachment.state !== 0 || this.#life.closed) this.#refuse();
  }

  #refuse(): void {
    this.attachment.check();
    if (this.#life.closed) this.attachment.refuseClosed();
  }

  /** Writes a path and its NUL to a part of the scratch area. Returns its length or -ENAMETOOLONG. */
  #write(path: Path, into: Uint8Array): number {
    let length: number;
    if (typeof path === "string") {
      length = this.attachment.writeString(path, into);
    } else {
      length = path.length <= PATH_MAX ? path.length : -1;
      if (length >= 0) into.set(path);
    }
    if (length < 0 || length > PATH_MAX) return -ERRNO.ENAMETOOLONG;
    into[length] = 0;
    return length;
  }

  /** Passes a path to the core. Returns its length in bytes or -ENAMETOOLONG. */
  tryPutPath(path: Path): number {
    this.checkOpen();
    return this.#write(path, this.attachment.path);
  }

  /** Passes a path to the core. Returns its length in bytes. @throws ENAMETOOLONG */
  putPath(path: Path, syscall: string): number {
    const length = this.tryPutPath(path);
    if (length < 0) throw systemCallError(length, syscall, path);
    return length;
  }

  /** Passes the two paths of a call to the core. Returns their lengths. @throws ENAMETOOLONG for the first */
  putPaths(path: Path, dest: Path, syscall: string): [number, number] {
    this.checkOpen();
    const length = this.#write(path, this.attachment.path);
    const length2 = this.#write(dest, this.attachment.path2);
    if (length < 0) throw systemCallError(length, syscall, path, dest);
    // The core refuses the second path if it is too long, but only after it has walked the first one, as Linux does.
    return [length, length2 < 0 ? PATH_MAX + 1 : length2];
  }

  /** The result of a call, or its exception. */
  check(result: number, syscall: string, path?: Path, dest?: Path): number {
    if (result >= 0) return result;
    if (result === PIPE_WAITS) throw this.#left();
    throw systemCallError(result, syscall, path, dest);
  }

  /** The exception of the last call, which waits for a pipe. @param goOn what then follows, if not the call itself once more */
  #left(goOn?: () => unknown, giveUp?: () => void): Error {
    const { io, limit } = this.attachment;
    const [word = 0, seen = 0] = new Int32Array(io.buffer, io.byteOffset + REQUEST_WORD, REQUEST_SEEN / 4 + 1);
    return limit.leave({ pipe: { word, seen }, goOn, giveUp });
  }

  /** Opens a path. `syscall` is the name in errors, because other calls open files too. */
  open(path: Path, flags: number, mode: number, syscall = "open"): number {
    return this.check(this.openRaw(this.#putOpened(path), flags, mode, syscall, path), syscall, path);
  }

  /** Passes the path of an open to the core. One that is too long the core refuses itself, but only after it has checked the flags, as Linux does. */
  #putOpened(path: Path): number {
    const length = this.tryPutPath(path);
    return length < 0 ? PATH_MAX + 1 : length;
  }

  /** Opens the path that has been passed to the core. Returns a descriptor or a negative errno. The name and the path are for errors of waits. */
  openRaw(length: number, flags: number, mode: number, syscall: string, path: Path): number {
    const fd = this.core.sysOpen(this.ctx, this.dirfd, length, flags, mode);
    return fd <= OPENING ? this.#openFifo(OPENING - fd, syscall, path) : fd;
  }

  /** The same for a caller that has numbers of its own for its files: it gets any free descriptor, side by side with others. */
  openAny(path: Path, flags: number, mode: number): number {
    const fd = this.core.sysOpenAny(this.ctx, this.dirfd, this.#putOpened(path), flags, mode);
    return this.#opened(fd, "open", path);
  }

  /** openat2(2): `dirfd` is where a relative path starts, `resolve` RESOLVE_* bits. Returns a descriptor. */
  openat2(dirfd: number, path: Path, flags: number, mode: number, resolve: number): number {
    const fd = this.core.sysOpenat2(this.ctx, dirfd, this.#putOpened(path), flags, mode, resolve);
    return this.#opened(fd, "openat2", path);
  }

  /** The descriptor of an open, which may have to wait for the other end of a FIFO first. */
  #opened(result: number, syscall: string, path: Path): number {
    return this.check(result <= OPENING ? this.#openFifo(OPENING - result, syscall, path) : result, syscall, path);
  }

  /** Waits for the other end of a FIFO. Returns the descriptor, which is open then. */
  #openFifo(fd: number, syscall: string, path: Path): number {
    const { limit } = this.attachment;
    const giveUp = (): void => this.attachment.nowOrLater(() => this.core.sysFifoCancel(this.ctx, fd));
    const goOn = (): number => {
      this.checkOpen();
      return this.#openFifo(fd, syscall, path);
    };
    let result: number;
    try {
      result = this.core.sysFifoWait(this.ctx, fd);
    } catch (error) {
      // Another thread holds the lock of the descriptors: an asynchronous form goes on with this open when it is released.
      if (limit.isGentle && limit.isPassed(error)) limit.setLeft(error, { pipe: undefined, goOn, giveUp });
      else giveUp();
      throw error;
    }
    if (result !== PIPE_WAITS) return this.check(result, syscall, path);
    throw this.#left(goOn, giveUp);
  }

  /**
   * Closes a descriptor of the library's own and ignores errors: a result or an error is already known. If that has to wait for
   * too long, it is done later.
   */
  closeQuietly(fd: number): void {
    this.attachment.nowOrLater(() => this.core.sysClose(this.ctx, fd));
  }

  /** Reads attributes into `attachment.stat`. Returns 0 or a negative errno. */
  statRaw(path: Path, flags: number): number {
    const length = this.tryPutPath(path);
    return length < 0 ? length : this.core.sysStat(this.ctx, this.dirfd, length, flags);
  }

  /** The attributes read last, as an object. */
  stats(bigint: boolean | undefined): Stats | BigIntStats {
    return bigint ? bigIntStatsOf(this.attachment.stat) : statsOf(this.attachment.stat);
  }

  /**
   * Reads into a buffer, as one read(2). Returns the bytes read, fewer at the end of the file.
   * @param position offset in the file, -1: the descriptor's position, which advances
   */
  read(fd: number, into: Uint8Array, position: number): number {
    if (into.length > WINDOW_READ_SIZE) return this.readv(fd, [into], position);
    this.checkOpen();
    const got = this.check(this.core.sysRead(this.ctx, fd, position, into.length), "read");
    // A driver's hook may have transferred the buffer away.
    if (into.length < got) throw systemCallError(-ERRNO.EFAULT, "read");
    this.attachment.window.copyOut(got, into);
    return got;
  }

  /** The same into several buffers, as one readv(2) or preadv(2). */
  readv(fd: number, into: readonly Uint8Array[], position: number): number {
    this.checkOpen();
    const { core, ctx, attachment } = this;
    const call = (length: number) => core.sysReadDirect(ctx, fd, position, length);
    const got = attachment.transfer.run(into, call);
    // readv(2) does not ask a directory for no bytes, where read(2) does.
    if (got === -ERRNO.EISDIR && into.length > 1 && into.every((bytes) => bytes.length === 0)) return 0;
    return this.check(got, "read");
  }

  /**
   * Writes a buffer, as one write(2): no other write comes between its bytes. Returns the bytes written, fewer if the
   * memory got full. Positions as in {@link read}.
   */
  write(fd: number, from: Uint8Array, position: number): number {
    if (from.length > IO_SIZE) return this.writev(fd, [from], position);
    this.checkOpen();
    this.attachment.window.copyIn(from);
    const wrote = this.core.sysWrite(this.ctx, fd, position, from.length);
    return wrote === from.length ? wrote : this.#writeRest(fd, [from], 0, wrote);
  }

  /**
   * The result of a write that has written `before` bytes and then, with a call that returned `wrote`, not all of the rest. A write to a pipe that may wait goes on: in a form that
   * waits in the host, the core has left it.
   */
  #writeRest(fd: number, from: readonly Uint8Array[], before: number, wrote: number): number {
    if (wrote < 0 && wrote !== PIPE_WAITS && before > 0) return before;
    const done = before + (wrote === PIPE_WAITS ? 0 : this.check(wrote, "write"));
    let total = 0;
    for (const { length } of from) total += length;
    if (done >= total || !this.attachment.limit.isGentle) return done;
    if (wrote !== PIPE_WAITS && this.core.pipeLeft() === 0) return done;
    throw this.#left(() => {
      this.checkOpen();
      return this.#writeRest(fd, from, done, this.#tryWritev(fd, skipBytes(from, done), -1));
    });
  }

  /** The same from several buffers, as one writev(2) or pwritev(2). */
  writev(fd: number, from: readonly Uint8Array[], position: number): number {
    this.checkOpen();
    return this.#writeRest(fd, from, 0, this.#tryWritev(fd, from, position));
  }

  /** Returns the bytes written, or a negative errno. */
  #tryWritev(fd: number, from: readonly Uint8Array[], position: number): number {
    const { core, ctx, attachment } = this;
    const write = (length: number) => {
      if (length <= IO_SIZE) {
        let done = 0;
        for (const buffer of from) {
          attachment.io.set(buffer, done);
          done += buffer.length;
        }
      }
      return core.sysWrite(ctx, fd, position, length);
    };
    return attachment.transfer.run(from, write);
  }

  /**
   * Opens a file, reads all of it and closes it, in one call. Of anything but a file in memory it is an open alone.
   * @param asText UTF-8, as a string
   * @returns the contents, or a descriptor
   */
  readFile(path: Path, asText: boolean): Buffer<ArrayBuffer> | string | number {
    const length = this.putPath(path, "open");
    const { transfer, window } = this.attachment;
    const sink = asText ? this.#textSink : this.#byteSink;
    sink.text = undefined;
    let got: number;
    let bytes: Buffer<ArrayBuffer> | undefined;
    transfer.beginFile(sink);
    try {
      got = this.core.sysReadFile(this.ctx, this.dirfd, length, asText ? IO_SIZE : WINDOW_READ_SIZE);
    } finally {
      bytes = transfer.endFile() as Buffer<ArrayBuffer> | undefined;
    }
    if (got <= OPENING) return this.#openFifo(OPENING - got, "open", path);
    if (got < 0) return got <= OPENED ? OPENED - got : this.check(got, "open", path);
    if (bytes === undefined) {
      const text = asText ? (sink.text ?? window.text(got)) : undefined;
      if (text !== undefined) return text;
      bytes = transfer.pool.allocate(got);
      window.copyOut(got, bytes);
    }
    return asText ? decodeText(bytes, "utf8") : bytes;
  }

  /**
   * Opens a file for writing, as the flag "w" or "a" says, writes at most IO_SIZE bytes, and closes it, in one call. Of anything but a file
   * in memory it is an open alone. If it had to wait for too long it has written nothing, though it may have made or emptied the file.
   * @returns -1: all is written; or a descriptor
   */
  writeFile(path: Path, append: boolean, mode: number, from: Uint8Array): number {
    const length = this.putPath(path, "open");
    this.attachment.window.copyIn(from);
    const wrote = this.core.sysWriteFile(this.ctx, this.dirfd, length, append ? 1 : 0, mode, from.length);
    if (wrote === from.length) return -1;
    if (wrote <= OPENING) return this.#openFifo(OPENING - wrote, "open", path);
    if (wrote <= OPENED) return OPENED - wrote;
    if (wrote < WRITE_FAILED) throw systemCallError(wrote - WRITE_FAILED, "write");
    if (wrote < 0) throw systemCallError(wrote, "open", path);
    // The memory got full, and the call ended late. The next write would fail.
    throw systemCallError(-ERRNO.ENOSPC, "write");
  }

  /** Reads the path of the directory where relative paths start. Returns its length or a negative errno. */
  cwdRaw(): number {
    if (this.dirfd === AT_FDCWD) return this.core.sysGetcwd(this.ctx);
    this.attachment.path[0] = DOT;
    this.attachment.path[1] = 0;
    return this.core.sysRealpath(this.ctx, this.dirfd, 1);
  }

  /** The directory where relative paths start: the working directory, or the descriptor's. @throws ENOENT if it was removed */
  cwd(): string {
    return new TextDecoder().decode(this.cwdBytes());
  }

  /** The same as bytes. @throws ENOENT if it was removed */
  cwdBytes(): Uint8Array {
    this.checkOpen();
    const length = this.cwdRaw();
    if (length < 0) throw cwdError(length);
    return this.attachment.io.slice(0, length);
  }

  /** An absolute path of the same file, with the names that the path has. @throws ENOENT if the working directory was removed */
  whole(path: Path): Path {
    return isAbsolute(path) ? path : appendName(this.cwdBytes(), path);
  }

  /**
   * As `path.resolve(path)`: an absolute path without dots, by the text alone. Only a relative path needs the working directory.
   * @throws ENOENT if that was removed
   */
  resolve(path: Path): Path {
    return resolveBytes(isAbsolute(path) ? "/" : this.cwdBytes(), path);
  }
}
