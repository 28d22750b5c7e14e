/**
 * One context's way into the core: hands paths over, makes calls, turns a negative errno into an exception.
 * Below this class there are numbers only, above it Node's arguments and answers.
 */
import { AT_FDCWD, type CoreExports, ERRNO, IO_SIZE, PATH_MAX } from "../../abi/abi.js";
import type { Attachment } from "../bridge/attachment.js";
import { systemCallError } from "../errors/errors.js";
import type { Path } from "./args.js";
import { BigIntStats, Stats } from "./stats.js";

/** Calls of one context in one thread. */
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

  /** Throws when the tree or the context is closed. Every call begins with it. */
  checkOpen(): void {
    if (this.attachment.state !== 0 || this.#closed) this.#refuse();
  }

  #refuse(): never {
    this.attachment.check();
    return this.attachment.refuseClosed();
  }

  /** Writes a path and its NUL to a part of the scratch area: its length, or -ENAMETOOLONG. */
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

  /** Hands a path over without throwing for its length: bytes, or -ENAMETOOLONG. */
  tryPutPath(path: Path): number {
    this.checkOpen();
    return this.#write(path, this.attachment.path);
  }

  /** Hands a path over: its length in bytes. @throws ENAMETOOLONG */
  putPath(path: Path, syscall: string): number {
    const length = this.tryPutPath(path);
    if (length < 0) throw systemCallError(length, syscall, path);
    return length;
  }

  /** Hands the two paths of a call over: their lengths. @throws ENAMETOOLONG */
  putPaths(path: Path, dest: Path, syscall: string): [number, number] {
    this.checkOpen();
    const length = this.#write(path, this.attachment.path);
    const length2 = this.#write(dest, this.attachment.path2);
    if (length < 0 || length2 < 0) throw systemCallError(-ERRNO.ENAMETOOLONG, syscall, path, dest);
    return [length, length2];
  }

  /** The answer of a call, or its exception. */
  check(answer: number, syscall: string, path?: Path, dest?: Path): number {
    if (answer < 0) throw systemCallError(answer, syscall, path, dest);
    return answer;
  }

  /** Opens a path. `syscall` is the name errors carry: opening is part of other calls too. */
  open(path: Path, flags: number, mode: number, syscall = "open"): number {
    const length = this.putPath(path, syscall);
    return this.check(this.core.sysOpen(this.ctx, AT_FDCWD, length, flags, mode), syscall, path);
  }

  /** Closes a descriptor of ours, whatever it answers: used where an answer or an error is already known. */
  closeQuietly(fd: number): void {
    if (this.attachment.state === 0) this.core.sysClose(this.ctx, fd);
  }

  /** Attributes: 0 or a negative errno; the answer is in `arena.stat`. */
  statRaw(path: Path, flags: number): number {
    const length = this.tryPutPath(path);
    return length < 0 ? length : this.core.sysStat(this.ctx, AT_FDCWD, length, flags);
  }

  /** The last stat answer as an object. */
  stats(bigint: boolean | undefined): Stats | BigIntStats {
    return bigint ? new BigIntStats(this.attachment.stat) : new Stats(this.attachment.stat);
  }

  /**
   * Reads into a buffer until it is full, the file ends or an error comes: the bytes read. As in POSIX an error
   * counts only when nothing was read before it.
   * @param position offset in the file, -1: the descriptor's own position, which moves
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
      into.set(this.attachment.io.subarray(0, got), done);
      done += got;
      if (got < want) break;
    }
    return done;
  }

  /** Writes a buffer: the bytes written, fewer only when an error came after the first ones. Positions as in {@link read}. */
  write(fd: number, from: Uint8Array, position: number): number {
    this.checkOpen();
    let done = 0;
    do {
      const length = Math.min(IO_SIZE, from.length - done);
      // Most writes are whole at once, and a view of all costs more than the copy.
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

  /** The working directory. @throws ENOENT when it was removed */
  cwd(): string {
    this.checkOpen();
    const length = this.check(this.core.sysGetcwd(this.ctx), "getcwd");
    return new TextDecoder().decode(this.attachment.io.slice(0, length));
  }
}
