/** The files that components have open: descriptors of the context, each with as many users as there are descriptors and streams of it. */
import { O_APPEND, type POLLIN, type POLLOUT } from "../../../abi/flags.js";
import { IO_SIZE, PATH_MAX } from "../../../abi/limits.js";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../../abi/mode.js";
import { invalidArgType } from "../../errors/errors.js";
import { type SystemCalls, WINDOW_READ_SIZE } from "../../node-fs/system-calls.js";
import { awaitedOf, sleepOn, waiting } from "../waiting.js";

/** How long a thread sleeps at most: another one may have closed the tree. */
const SLEEP_MS = 100;

/** The context, and what is open in it. */
export class Tree {
  readonly calls: SystemCalls;
  readonly files = new Set<OpenFile>();

  constructor(calls: SystemCalls) {
    this.calls = calls;
  }

  /**
   * Passes a path to the core, as its first or its second one. Returns its length; one that is too long is so for the core too, which refuses it
   * after it has checked the rest.
   */
  put(path: string, second = false): number {
    const { calls } = this;
    calls.checkOpen();
    if (typeof path !== "string") throw invalidArgType("path", "of type string", path);
    const into = second ? calls.attachment.path2 : calls.attachment.path;
    const length = calls.attachment.writeString(path, into);
    if (length < 0 || length > PATH_MAX) return PATH_MAX + 1;
    into[length] = 0;
    return length;
  }

  /** Makes a call again as long as it has waited in vain for the other end of a pipe. */
  waiting(call: () => number): number {
    return waiting(this.calls, () => this.calls.checkOpen(), call);
  }

  /** Closes everything. */
  close(): void {
    for (const file of this.files) file.close();
  }
}

export class OpenFile {
  readonly tree: Tree;
  /** The format bits of its mode. */
  readonly format: number;
  #fd: number;
  #users = 1;
  /** Whether it has O_APPEND now. */
  #appends = false;

  constructor(tree: Tree, fd: number, mode: number) {
    this.tree = tree;
    this.#fd = fd;
    this.format = mode & S_IFMT;
    tree.files.add(this);
  }

  get isDirectory(): boolean {
    return this.format === S_IFDIR;
  }

  /** The descriptor of the context, -1: it is closed, so that the core returns EBADF. */
  get fd(): number {
    this.tree.calls.checkOpen();
    return this.#fd;
  }

  /** One more user. */
  use(): this {
    this.#users++;
    return this;
  }

  /** One user less. The last one closes the file. */
  drop(): void {
    if (--this.#users === 0) this.close();
  }

  close(): void {
    const { calls, files } = this.tree;
    const fd = this.#fd;
    this.#fd = -1;
    files.delete(this);
    if (fd >= 0 && !calls.closed && !calls.attachment.closed) calls.closeQuietly(fd);
  }

  /** A pipe has no positions. */
  #at(position: number): number {
    return this.format === S_IFREG || this.isDirectory ? position : -1;
  }

  /** Reads at most `length` bytes at a position. Returns them, fewer at the end, or a negative errno. */
  read(length: number, position: number): Uint8Array | number {
    const { core, ctx, attachment } = this.tree.calls;
    const at = this.#at(position);
    if (length <= WINDOW_READ_SIZE) {
      const got = this.tree.waiting(() => core.sysRead(ctx, this.fd, at, length));
      if (got < 0) return got;
      const bytes = new Uint8Array(got);
      attachment.window.copyOut(got, bytes);
      return bytes;
    }
    const bytes = new Uint8Array(length);
    const call = (n: number): number => core.sysReadDirect(ctx, this.fd, at, n);
    const got = this.tree.waiting(() => attachment.transfer.run([bytes], call));
    return got < 0 ? got : bytes.subarray(0, got);
  }

  /** Writes at a position, -1: at the end of the file, wherever that is by then. Returns the bytes written or a negative errno. */
  write(bytes: Uint8Array, position: number): number {
    const failed = this.#setAppends(position < 0);
    if (failed < 0) return failed;
    const { core, ctx, attachment } = this.tree.calls;
    const at = this.#at(position);
    const write = (n: number): number => core.sysWrite(ctx, this.fd, at, n);
    return this.tree.waiting(() => {
      if (bytes.length > IO_SIZE) return attachment.transfer.run([bytes], write);
      attachment.window.copyIn(bytes);
      return write(bytes.length);
    });
  }

  /** Gives the open file O_APPEND, or takes it away: a write with a position would append too. Returns 0 or a negative errno. */
  #setAppends(appends: boolean): number {
    if (this.#appends === appends) return 0;
    const { core, ctx } = this.tree.calls;
    const flags = core.sysFileFlags(ctx, this.fd, -1);
    if (flags < 0) return flags;
    const set = core.sysFileFlags(ctx, this.fd, appends ? flags | O_APPEND : flags & ~O_APPEND);
    if (set >= 0) this.#appends = appends;
    return Math.min(set, 0);
  }

  /** Whether a read or a write would not wait, or would fail. */
  isReady(events: typeof POLLIN | typeof POLLOUT): boolean {
    const { core, ctx } = this.tree.calls;
    return core.sysPoll(ctx, this.fd, events) !== 0;
  }

  /** After {@link isReady} has returned false: sleeps until that may have changed, for so long at most. */
  sleep(ms = SLEEP_MS): void {
    const { attachment } = this.tree.calls;
    sleepOn(attachment, awaitedOf(attachment), ms);
  }
}
