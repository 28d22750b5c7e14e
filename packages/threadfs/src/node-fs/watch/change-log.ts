/**
 * The log of changes in this thread (core/vfs/notify/changes.ts): reads what threads have written to it, in the event loop, and tells
 * those who follow it here. Nothing runs while nobody does.
 */
import * as ERRNO from "../../../abi/errno.js";
import { CHUNK } from "../../../abi/limits.js";
import {
  CHANGE_BYTES,
  CHANGE_COOKIE,
  CHANGE_DEV,
  CHANGE_DIR,
  CHANGE_INO,
  CHANGE_MASK,
  CHANGE_NAME,
  CHANGE_NAME_LENGTH,
  G_CHANGES_SEQ,
} from "../../../abi/memory.js";
import type { Attachment } from "../../bridge/attachment.js";
import { unref } from "../../bridge/waiting.js";
import { outOfRange, systemCallError } from "../../errors/errors.js";
import { inLaterTurn } from "../forms/later.js";

/** One change, of a name, of attributes or of contents. */
export interface Change {
  /** Grows with each change. */
  readonly position: number;
  /** The position of what follows. */
  readonly next: number;
  /** IN_* bits. */
  readonly mask: number;
  readonly dev: number;
  /** Inode number of the directory; 0: the change concerns the file itself alone. */
  readonly dir: number;
  readonly ino: number;
  /** The same for both parts of a rename; 0 for others. */
  readonly cookie: number;
  readonly name: Uint8Array;
}

export interface Follower {
  /** A change that was committed after the follower began. */
  changed(change: Change): void;
  /** Changes have been overwritten before this thread read them. */
  lost(): void;
}

/** Where the host has no Atomics.waitAsync: the interval in which the log is looked at, in milliseconds. */
const POLL_MS = 10;
/** After a call that had to wait for too long. */
const RETRY_MS = 100;
/** Looks whether the attachment is still open, and keeps the process alive meanwhile. */
const KEEP_MS = 1000;
/** Reads in a turn of the event loop, of a chunk each. */
const READS_IN_TURN = 16;

export class ChangeLog {
  readonly #attachment: Attachment;
  readonly #sequence: Int32Array;
  readonly #followers = new Map<Follower, number>();
  /** The followers that keep the process alive. */
  readonly #persistent = new Set<Follower>();
  #position = 0;
  #follows = false;
  #runs = false;
  /** Ends the wait for the next change. */
  #wake: () => void = () => {};
  #keeper: ReturnType<typeof setInterval> | undefined;

  constructor(attachment: Attachment) {
    this.#attachment = attachment;
    this.#sequence = new Int32Array(attachment.memory.buffer as SharedArrayBuffer, G_CHANGES_SEQ, 1);
  }

  /**
   * Begins to tell a follower of changes. Each change that is made after this call is told.
   * @param ctx the context that follows; `all`: it asks for every change, which needs CAP_SYS_ADMIN
   * @param since the position of the first change, by default of the next one
   * @throws SystemCallError EPERM, ENOSPC; RangeError ERR_OUT_OF_RANGE for a position that no change has; Error ERR_THREADFS_TIMEOUT
   */
  follow(ctx: number, follower: Follower, { all = false, since = -1 } = {}): void {
    const { core } = this.#attachment;
    this.#attachment.check();
    const tail = this.#begin(ctx, all);
    if (!this.#follows) this.#position = tail;
    this.#follows = true;
    if (since >= 0 && core.changesRead(since) === -ERRNO.EINVAL) {
      if (this.#followers.size === 0) this.#stop();
      throw outOfRange("options.since", "the position of a change of this tree", since);
    }
    if (since >= 0 && since < this.#position) {
      // The others have been told of the changes up to here.
      for (const [other, from] of this.#followers) this.#followers.set(other, Math.max(from, this.#position));
      this.#position = since;
    }
    this.#followers.set(follower, since >= 0 ? since : tail);
    if (this.#runs) this.#wake();
    else void this.#run();
  }

  /** Returns the position of the next change. */
  #begin(ctx: number, all: boolean): number {
    const { core } = this.#attachment;
    try {
      const tail = core.changesFollow(ctx, all ? 1 : 0);
      if (tail < 0) throw systemCallError(tail, "changes");
      return tail;
    } catch (error) {
      // A thread that has waited too long for the calls of others follows already.
      if (!this.#follows) this.#attachment.nowOrLater(() => core.changesLeave());
      throw error;
    }
  }

  leave(follower: Follower): void {
    this.#followers.delete(follower);
    this.persist(follower, false);
    if (this.#followers.size === 0) this.#stop();
  }

  /** Whether a follower keeps the process alive. */
  persist(follower: Follower, keeps: boolean): void {
    if (keeps && this.#followers.has(follower)) this.#persistent.add(follower);
    else this.#persistent.delete(follower);
    if (this.#persistent.size > 0) this.#keeper ??= setInterval(() => this.#checkOpen(), KEEP_MS);
    else this.#endKeeper();
  }

  #endKeeper(): void {
    clearInterval(this.#keeper);
    this.#keeper = undefined;
  }

  #stop(): void {
    this.#endKeeper();
    const { sharable, core } = this.#attachment;
    if (this.#follows && sharable) this.#attachment.nowOrLater(() => core.changesLeave());
    this.#follows = false;
  }

  /** Forgets all followers when the attachment is closed: nothing will be told any more. */
  #checkOpen(): boolean {
    if (this.#attachment.sharable) return true;
    this.#followers.clear();
    this.#persistent.clear();
    this.#stop();
    return false;
  }

  async #run(): Promise<void> {
    this.#runs = true;
    while (this.#followers.size > 0 && this.#checkOpen()) {
      // Before the log is read: a change after that moves it.
      const seen = Atomics.load(this.#sequence, 0);
      let more: boolean;
      try {
        more = this.#readAll();
      } catch (error) {
        if (!this.#attachment.limit.isPassed(error)) throw error;
        await later(RETRY_MS);
        continue;
      }
      if (more) await new Promise<void>((resolve) => inLaterTurn(resolve));
      else await this.#moved(seen);
    }
    this.#runs = false;
  }

  /** Settles when the log has grown, or may have. */
  async #moved(seen: number): Promise<void> {
    const { waitAsync } = Atomics as { waitAsync?: typeof Atomics.waitAsync };
    // Odd: a change is being made.
    const waited = (seen & 1) === 0 ? waitAsync?.(this.#sequence, 0, seen) : undefined;
    const woken = new Promise<void>((resolve) => {
      // Events come in a turn of their own.
      this.#wake = () => inLaterTurn(resolve);
    });
    if (waited === undefined) await Promise.race([later(POLL_MS), woken]);
    else if (waited.async) await Promise.race([waited.value, woken]);
    else await new Promise<void>((resolve) => inLaterTurn(resolve));
  }

  /** Reads what there is and tells it. Returns whether there is more. Only the reads are gentle: a listener's calls wait as others do. */
  #readAll(): boolean {
    const { core, limit } = this.#attachment;
    for (let reads = 0; reads < READS_IN_TURN; reads++) {
      const bytes = limit.gently(() => core.changesRead(this.#position));
      if (bytes === 0) return false;
      if (bytes === -ERRNO.EOVERFLOW) {
        this.#skip();
        return true;
      }
      if (bytes < 0) throw systemCallError(bytes, "changes");
      this.#tell(this.#attachment.io.slice(0, bytes));
    }
    return true;
  }

  /** What comes next has been overwritten: goes on with the next change, or with what followers that are further on want. */
  #skip(): void {
    const { core, limit } = this.#attachment;
    const tail = limit.gently(() => core.changesPosition());
    const behind = [...this.#followers].filter(([, from]) => from <= this.#position).map(([follower]) => follower);
    const others = [...this.#followers.values()].filter((from) => from > this.#position);
    this.#position = Math.min(tail, ...others);
    for (const follower of behind) {
      this.#followers.set(follower, tail);
      outside(() => follower.lost());
    }
  }

  /** Tells of the records in these bytes. */
  #tell(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const start = this.#position;
    for (let at = 0; at < bytes.length; at = this.#position - start) {
      const left = CHUNK - ((start + at) % CHUNK);
      // Too little room for a record: only the end of a chunk.
      const isEnd = left < CHANGE_DEV;
      this.#position += isEnd ? left : view.getUint32(at + CHANGE_BYTES, true);
      const mask = isEnd ? 0 : view.getUint32(at + CHANGE_MASK, true);
      if (mask !== 0) this.#dispatch(changeAt(view, bytes, at, mask, this.#position));
    }
  }

  #dispatch(change: Change): void {
    for (const [follower, from] of [...this.#followers]) {
      if (change.position >= from && this.#followers.has(follower)) outside(() => follower.changed(change));
    }
  }
}

function changeAt(view: DataView, bytes: Uint8Array, at: number, mask: number, next: number): Change {
  const name = at + CHANGE_NAME;
  const length = view.getUint32(at + CHANGE_NAME_LENGTH, true);
  return {
    position: view.getFloat64(at, true),
    next,
    mask,
    dev: view.getFloat64(at + CHANGE_DEV, true),
    dir: view.getFloat64(at + CHANGE_DIR, true),
    ino: view.getFloat64(at + CHANGE_INO, true),
    cookie: view.getUint32(at + CHANGE_COOKIE, true),
    name: bytes.slice(name, name + length),
  };
}

/** What a program's listener throws is thrown outside of all calls, as by an event of the host: the others are told nevertheless. */
function outside(tell: () => void): void {
  try {
    tell();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => {
    unref(setTimeout(resolve, ms));
  });
}

const logs = /* @__PURE__ */ new WeakMap<Attachment, ChangeLog>();

/** The log of a thread's attachment. */
export function changeLog(attachment: Attachment): ChangeLog {
  let log = logs.get(attachment);
  if (log === undefined) {
    log = new ChangeLog(attachment);
    logs.set(attachment, log);
  }
  return log;
}
