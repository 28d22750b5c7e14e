/** What all calls of a program in one thread use: the context's system calls, the descriptors, the memory, and copies between them. */
import { ENXIO } from "../../abi/errno.js";
import { IO_SIZE } from "../../abi/limits.js";
import { STATE_PANIC } from "../bridge/attachment.js";
import { type SharedBytes, sharedBytes } from "../bridge/transfer/copy.js";
import { type SystemCalls, WINDOW_READ_SIZE } from "../node-fs/system-calls.js";
import type { Descriptors } from "./descriptors.js";
import { wasiErrno } from "./errno.js";
import { Memory, SHORT } from "./memory.js";
import type { Stream } from "./streams.js";
import { WasiExit } from "./types.js";
import { waiting } from "./waiting.js";

export class Program {
  readonly calls: SystemCalls;
  readonly descriptors: Descriptors;
  readonly memory = new Memory();
  readonly streams: readonly Stream[];
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
  /** The names of the preopens, in the order of their numbers. */
  readonly preopens: readonly Uint8Array[];
  /** The calls that programs make most, as fast as they can be. */
  readonly #sysRead: SystemCalls["core"]["sysRead"];
  readonly #sysClose: SystemCalls["core"]["sysClose"];
  readonly #shared: SharedBytes;
  /** The buffers of the last vector after a driver's hook has let the memory grow, in the middle of a transfer. */
  readonly #buffersAgain = (): Uint8Array[] => {
    this.memory.refresh();
    return this.memory.buffers();
  };
  /** The address of the scratch area's part for contents. */
  readonly #io: number;

  constructor(
    calls: SystemCalls,
    descriptors: Descriptors,
    given: Pick<Program, "streams" | "args" | "env" | "preopens">,
  ) {
    this.calls = calls;
    this.descriptors = descriptors;
    this.streams = given.streams;
    this.args = given.args;
    this.env = given.env;
    this.preopens = given.preopens;
    this.#sysRead = calls.attachment.unguarded.sysRead;
    this.#sysClose = calls.attachment.unguarded.sysClose;
    this.#shared = sharedBytes(calls.attachment.memory);
    this.#io = calls.attachment.io.byteOffset;
  }

  /** Every call begins with this. @throws WasiExit if the program has ended, in this thread or in another one */
  enter(): void {
    if (this.descriptors.exited) this.exit();
    this.calls.checkOpen();
  }

  /** Leaves the program, which has ended: with the code of the thread that has ended it. */
  exit(): never {
    throw new WasiExit(this.descriptors.exitCode);
  }

  /** The same for a call by descriptor. Returns 0, EBADF or ENOTCAPABLE. */
  enterFd(fd: number, rights: number): number {
    this.enter();
    return this.descriptors.find(fd, rights);
  }

  /** Makes a call of the core again as long as it has waited in vain for the other end of a pipe: a program has no limit for that. */
  waiting(call: () => number): number {
    return waiting(this.calls, () => this.enter(), call);
  }

  /** Reads at most SHORT bytes at the descriptor's position into one buffer, which is in the memory. Returns the bytes read or a negative errno. */
  readShort(fd: number, start: number, length: number): number {
    const got = this.#readShort(fd, -1, length);
    const { memory } = this;
    memory.refresh();
    const { io, window } = this.calls.attachment;
    if (got > 0) memory.copyShortOut(io, window.words, 0, start, got);
    return got;
  }

  /** Reads into the buffers of the last vector, as one read(2). `position` -1: the descriptor's. Returns the bytes read or a negative errno. */
  read(fd: number, position: number): number {
    const { memory } = this;
    if (memory.total > WINDOW_READ_SIZE) return this.#readLong(fd, position);
    const got = this.#readShort(fd, position, memory.total);
    memory.refresh();
    let from = 0;
    for (let i = 0; from < got; i++) {
      const length = Math.min(got - from, memory.lengths[i] as number);
      this.#copyOut(from, length, memory.starts[i] as number);
      from += length;
    }
    return got;
  }

  /** Functions that keep something are made in functions of their own: those before them would pay for it in each call. */
  #readLong(fd: number, position: number): number {
    const { core, ctx, attachment } = this.calls;
    const call = (n: number): number => core.sysReadDirect(ctx, fd, position, n);
    return this.waiting(() => attachment.transfer.run(this.memory.buffers(), call, this.#buffersAgain));
  }

  #writeLong(fd: number, position: number): number {
    const { core, ctx, attachment } = this.calls;
    const call = (n: number): number => core.sysWrite(ctx, fd, position, n);
    return this.waiting(() => attachment.transfer.run(this.memory.buffers(), call, this.#buffersAgain));
  }

  /** A short read or write again, after it has waited in vain for the other end of a pipe. @throws what is no such wait */
  #again(error: unknown, call: () => number): number {
    if (!(error instanceof Error) || !this.calls.attachment.limit.isPassed(error) || "slot" in error) throw error;
    return this.waiting(call);
  }

  #readAgain(thrown: unknown, fd: number, position: number, length: number): number {
    let error: unknown;
    try {
      return this.calls.attachment.leave(thrown);
    } catch (e) {
      error = e;
    }
    return this.#again(error, () => this.calls.core.sysRead(this.calls.ctx, fd, position, length));
  }

  #writeAgain(error: unknown, fd: number, position: number, length: number): number {
    return this.#again(error, () => {
      this.#gather();
      return this.calls.core.sysWrite(this.calls.ctx, fd, position, length);
    });
  }

  /** Copies bytes of the scratch area to the program. */
  #copyOut(from: number, length: number, to: number): void {
    const { memory } = this;
    const { io, window } = this.calls.attachment;
    if (length > SHORT) this.#shared.copyOut(this.#io + from, length, memory.bytes, to);
    else memory.copyShortOut(io, window.words, from, to, length);
  }

  #readShort(fd: number, position: number, length: number): number {
    let got: number;
    try {
      got = this.#sysRead(this.calls.ctx, fd, position, length);
    } catch (error) {
      this.calls.attachment.state = STATE_PANIC;
      return this.#readAgain(error, fd, position, length);
    }
    if (got === -ENXIO) this.calls.attachment.drivers.checkRegistered();
    return got;
  }

  /** Writes the buffers of the last vector, as one write(2). Returns the bytes written or a negative errno. */
  write(fd: number, position: number): number {
    const { total } = this.memory;
    if (total > IO_SIZE) return this.#writeLong(fd, position);
    this.#gather();
    try {
      return this.calls.core.sysWrite(this.calls.ctx, fd, position, total);
    } catch (error) {
      return this.#writeAgain(error, fd, position, total);
    }
  }

  /** Copies the buffers of the last vector to the scratch area. */
  #gather(): void {
    const { memory } = this;
    const { io, window } = this.calls.attachment;
    let to = 0;
    for (let i = 0; i < memory.count; i++) {
      const length = memory.lengths[i] as number;
      const start = memory.starts[i] as number;
      if (length > SHORT) this.#shared.copyIn(this.#io + to, length, memory.bytes, start);
      else memory.copyShort(io, window.words, to, start, length);
      to += length;
    }
  }

  /** Closes a number that {@link Descriptors.take} or `move` has left claimed, and its descriptor of the context, -1: none. Returns WASI's error. */
  close(number: number, fd: number): number {
    const failed = fd < 0 ? 0 : this.#closeFd(fd);
    this.descriptors.release(number);
    return failed;
  }

  #closeFd(fd: number): number {
    const { attachment } = this.calls;
    let closed: number;
    try {
      closed = this.#sysClose(this.calls.ctx, fd);
    } catch (error) {
      attachment.state = STATE_PANIC;
      closed = attachment.leave(error);
    }
    return closed === 0 ? 0 : wasiErrno(closed);
  }
}
