/**
 * The system-call client of one context: passes paths to the core, makes calls, and turns a negative errno into an
 * exception. The core's side of this class uses only numbers, the other side Node's arguments and results.
 */

import * as ERRNO from "../../abi/errno.js";
import { AT_FDCWD } from "../../abi/flags.js";
import { IO_SIZE, PATH_MAX } from "../../abi/limits.js";
import type { CoreExports } from "../../generated/core-exports.js";
import type { Attachment } from "../bridge/attachment.js";
import { systemCallError } from "../errors/errors.js";
import type { Path } from "./args.js";
import { type BigIntStats, bigIntStatsOf, type Stats, statsOf } from "./stats.js";

/** The system calls of one context in one thread. */
export class SystemCalls {
  readonly attachment: Attachment;
  readonly core: CoreExports;
  /** The context's number in the core. */
  readonly ctx: number;
  #closed = false;

  constructor(attachment: Attachment, ctx: number) {
    this.attachment = attachment;
    this.core = attachment.core;
    this.ctx = ctx;
  }

  /** Refuses calls from now on. */
  close(): void {
    this.#closed = true;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Throws if the tree or the context is closed. Every call begins with this. */
  checkOpen(): void {
    if (this.attachment.state !== 0 || this.#closed) this.#refuse();
  }

  #refuse(): void {
    this.attachment.check();
    if (this.#closed) this.attachment.refuseClosed();
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

  /** Passes the two paths of a call to the core. Returns their lengths. @throws ENAMETOOLONG */
  putPaths(path: Path, dest: Path, syscall: string): [number, number] {
    this.checkOpen();
    const length = this.#write(path, this.attachment.path);
    const length2 = this.#write(dest, this.attachment.path2);
    if (length < 0 || length2 < 0) throw systemCallError(-ERRNO.ENAMETOOLONG, syscall, path, dest);
    return [length, length2];
  }

  /** The result of a call, or its exception. */
  check(result: number, syscall: string, path?: Path, dest?: Path): number {
    if (result < 0) throw systemCallError(result, syscall, path, dest);
    return result;
  }

  /** Opens a path. `syscall` is the name in errors, because other calls open files too. */
  open(path: Path, flags: number, mode: number, syscall = "open"): number {
    const length = this.putPath(path, syscall);
    return this.check(this.core.sysOpen(this.ctx, AT_FDCWD, length, flags, mode), syscall, path);
  }

  /** Closes a descriptor of the library's own and ignores errors: a result or an error is already known. */
  closeQuietly(fd: number): void {
    if (this.attachment.state === 0) this.core.sysClose(this.ctx, fd);
  }

  /** Reads attributes into `attachment.stat`. Returns 0 or a negative errno. */
  statRaw(path: Path, flags: number): number {
    const length = this.tryPutPath(path);
    return length < 0 ? length : this.core.sysStat(this.ctx, AT_FDCWD, length, flags);
  }

  /** The attributes read last, as an object. */
  stats(bigint: boolean | undefined): Stats | BigIntStats {
    return bigint ? bigIntStatsOf(this.attachment.stat) : statsOf(this.attachment.stat);
  }

  /**
   * Reads into a buffer until it is full, the file ends or an error occurs. Returns the bytes read. As in POSIX, an
   * error counts only if nothing was read before it.
   * @param position offset in the file, -1: the descriptor's position, which advances
   */
  read(fd: number, into: Uint8Array, position: number): number {
    this.checkOpen();
    let done = 0;
    while (done < into.length) {
      const want = Math.min(IO_SIZE, into.length - done);
      const got = this.core.sysRead(this.ctx, fd, position < 0 ? -1 : position + done, want);
      if (got < 0) {
        if (done === 0) throw systemCallError(got, "read");
        break;
      }
      // A driver's hook may have transferred the buffer away.
      if (into.length < done + got) throw systemCallError(-ERRNO.EFAULT, "read");
      into.set(this.attachment.io.subarray(0, got), done);
      done += got;
      if (got < want) break;
    }
    return done;
  }

  /**
   * Writes a buffer. Returns the bytes written, fewer only after an error behind the first ones. Positions as in {@link
   * read}.
   */
  write(fd: number, from: Uint8Array, position: number): number {
    this.checkOpen();
    let done = 0;
    do {
      const length = Math.min(IO_SIZE, from.length - done);
      // Most writes are one piece, and a view of the whole costs more than the copy.
      this.attachment.io.set(length === from.length ? from : from.subarray(done, done + length));
      const put = this.core.sysWrite(this.ctx, fd, position < 0 ? -1 : position + done, length);
      if (put < 0) {
        if (done === 0) throw systemCallError(put, "write");
        break;
      }
      done += put;
      if (put < length) break;
    } while (done < from.length);
    return done;
  }

  /** The working directory. @throws ENOENT if it was removed */
  cwd(): string {
    this.checkOpen();
    const length = this.check(this.core.sysGetcwd(this.ctx), "getcwd");
    return new TextDecoder().decode(this.attachment.io.slice(0, length));
  }
}
