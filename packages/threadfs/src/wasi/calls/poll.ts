/**
 * poll_oneoff: waits for clocks, and for pipes of the tree. Files and streams of the host are always ready. A thread that waits for one pipe sleeps on its word in the
 * shared memory, for several it looks at all of them from time to time, since a thread sleeps on one word; for clocks alone on the word that says that the program has ended.
 */
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../../abi/flags.js";
import { POLL_BYTES } from "../../../abi/memory.js";
import * as STAT from "../../../abi/stat.js";
import { wasiErrno } from "../errno.js";
import {
  ERRNO,
  EVENT,
  EVENT_HANGUP,
  EVENT_SIZE,
  FILETYPE,
  RIGHT,
  SUBSCRIPTION_ABSTIME,
  SUBSCRIPTION_SIZE,
} from "../preview1.js";
import type { Program } from "../program.js";
import { WORD } from "../table.js";
import { type Awaited, awaitedOf, sleepOn } from "../waiting.js";

/** Subscriptions of one call. */
const SUBSCRIPTIONS_MAX = 4096;
/** How often a thread that waits for several pipes looks at them, in milliseconds. */
const LOOK_MS = 1;
/** How long a thread sleeps at most: another one may have ended the program, or died. */
const SLEEP_MS = 100;

/** A clock of a subscription, and when it is due by the same clock, in nanoseconds. */
interface Due {
  readonly at: number;
  readonly clock: number;
  readonly time: bigint;
}

class Poll {
  readonly #program: Program;
  readonly #clock: (id: number) => bigint | undefined;
  /**
   * The subscriptions, copied: each is what it was when the call began, also where the events are written over them, or another thread writes there. So there are no more events than
   * subscriptions, for which there is room.
   */
  #given = new DataView(new ArrayBuffer(0));
  #out = 0;
  #events = 0;

  constructor(program: Program, clock: (id: number) => bigint | undefined) {
    this.#program = program;
    this.#clock = clock;
  }

  /** Writes an event of the subscription at a place of the copy. */
  #add(from: number, error: number, type: number, bytes = 0, flags = 0): void {
    const { memory } = this.#program;
    const at = this.#out + this.#events++ * EVENT_SIZE;
    // A clock of the host may have let it grow.
    memory.refresh();
    memory.view.setBigUint64(at, this.#given.getBigUint64(from, true), true);
    memory.setU64(at + 8, error | (type << 16));
    memory.setU64(at + 16, bytes);
    memory.setU64(at + 24, flags);
  }

  /** Looks at one descriptor: adds its event, or returns what to wait for. */
  #look(from: number, type: number): Awaited | undefined {
    const { descriptors, calls } = this.#program;
    const fd = this.#given.getUint32(from + 16, true);
    const failed = descriptors.find(fd, RIGHT.POLL_FD_READWRITE);
    const reads = type === EVENT.FD_READ;
    if (failed !== 0) {
      this.#add(from, failed, type);
      return undefined;
    }
    if (descriptors.fd < 0) {
      const hangup = reads && this.#program.streams[descriptors.stream]?.isEmpty ? EVENT_HANGUP : 0;
      this.#add(from, 0, type, reads ? 0 : 1, hangup);
      return undefined;
    }
    const { core, ctx, attachment } = calls;
    const found = core.sysPoll(ctx, descriptors.fd, reads ? POLLIN : POLLOUT);
    if (found < 0) {
      this.#add(from, wasiErrno(found), type);
      return undefined;
    }
    if (found === 0) return awaitedOf(attachment);
    const request = new DataView(attachment.io.buffer, attachment.io.byteOffset, POLL_BYTES + 8);
    const isFile = descriptors.filetype === FILETYPE.REGULAR_FILE;
    const bytes = !reads ? 1 : isFile ? this.#left(descriptors.fd) : request.getFloat64(POLL_BYTES, true);
    this.#add(from, 0, type, bytes, found & (POLLHUP | POLLERR) ? EVENT_HANGUP : 0);
    return undefined;
  }

  /** The bytes of a file from its position on. */
  #left(fd: number): number {
    const { core, ctx, attachment } = this.#program.calls;
    const position = core.sysLseek(ctx, fd, 0, 1);
    if (position < 0 || core.sysFstat(ctx, fd) < 0) return 0;
    return Math.max(attachment.stat[STAT.size] - position, 0);
  }

  /** The clock of the subscription at a place of the copy. An event is added where there is none. */
  #due(at: number): Due | undefined {
    const view = this.#given;
    const clock = view.getUint32(at + 16, true);
    const timeout = view.getBigUint64(at + 24, true);
    const absolute = (view.getUint16(at + 40, true) & SUBSCRIPTION_ABSTIME) !== 0;
    const now = this.#clock(clock);
    if (now === undefined) {
      this.#add(at, ERRNO.EINVAL, EVENT.CLOCK);
      return undefined;
    }
    return { at, clock, time: absolute ? timeout : now + timeout };
  }

  /** Adds the events of clocks that are due. Returns how long it is to the next one, in milliseconds. */
  #tick(dues: readonly Due[]): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { at, clock, time } of dues) {
      const left = Number(time - (this.#clock(clock) ?? 0n)) / 1e6;
      if (left <= 0) this.#add(at, 0, EVENT.CLOCK);
      else next = Math.min(next, left);
    }
    return next;
  }

  #sleep(awaited: readonly Awaited[], ms: number): void {
    const { calls, descriptors } = this.#program;
    const [first, second] = awaited;
    const limit = Math.min(ms, second === undefined ? SLEEP_MS : LOOK_MS);
    if (first !== undefined) {
      sleepOn(calls.attachment, first, limit);
      return;
    }
    try {
      Atomics.wait(descriptors.words, WORD.EXIT, 0, limit);
    } catch {
      // A thread that may not block, such as that of a page, looks again at once.
    }
  }

  /** All descriptors of subscriptions. Returns what to wait for. */
  #lookAll(): Awaited[] {
    const awaited: Awaited[] = [];
    for (let at = 0; at < this.#given.byteLength; at += SUBSCRIPTION_SIZE) {
      const type = this.#given.getUint8(at + 8);
      if (type !== EVENT.FD_READ && type !== EVENT.FD_WRITE) continue;
      const one = this.#look(at, type);
      if (one !== undefined) awaited.push(one);
    }
    return awaited;
  }

  /** Waits until there is an event. Returns how many there are. */
  run(from: number, out: number, count: number): number {
    this.#given = new DataView(this.#program.memory.bytes.slice(from, from + count * SUBSCRIPTION_SIZE).buffer);
    this.#out = out;
    this.#events = 0;
    const dues: Due[] = [];
    for (let at = 0; at < this.#given.byteLength; at += SUBSCRIPTION_SIZE) {
      const type = this.#given.getUint8(at + 8);
      const due = type === EVENT.CLOCK ? this.#due(at) : undefined;
      if (due !== undefined) dues.push(due);
      if (type > EVENT.FD_WRITE) this.#add(at, ERRNO.EINVAL, type);
    }
    for (;;) {
      const awaited = this.#lookAll();
      const left = this.#tick(dues);
      if (this.#events > 0) return this.#events;
      this.#sleep(awaited, left);
      this.#program.enter();
    }
  }
}

export function makePollCalls(program: Program, clock: (id: number) => bigint | undefined) {
  const { memory } = program;
  const poll = new Poll(program, clock);
  return {
    poll_oneoff(subscriptions: number, events: number, count: number, result: number): number {
      program.enter();
      const [from, out, n] = [subscriptions >>> 0, events >>> 0, count >>> 0];
      if (n === 0 || n > SUBSCRIPTIONS_MAX) return ERRNO.EINVAL;
      const known = memory.has(from, n * SUBSCRIPTION_SIZE) && memory.has(out, n * EVENT_SIZE);
      if (!known || !memory.has(result >>> 0, 4)) return ERRNO.EFAULT;
      const made = poll.run(from, out, n);
      memory.setU32(result >>> 0, made);
      return 0;
    },
  };
}
