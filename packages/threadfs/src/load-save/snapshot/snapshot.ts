/** A snapshot: the files of a tree at one moment, as bytes that make the same tree again. */
import type { Attachment } from "../../bridge/attachment.js";
import { cloneRefusal, refuseCloning } from "../../bridge/options.js";
import { codedError } from "../../errors/errors.js";
import { SystemCalls } from "../../node-fs/system-calls.js";
import { laterTurn } from "../turns.js";
import type { Mounts } from "../types.js";
import type { Clock } from "./clock.js";
import { saveTree } from "./save.js";

/** Options of {@link Vfs.snapshot}. */
export interface SnapshotOptions {
  /**
   * What is done where another file system, or another part of this one, is mounted. "refuse", the default: the snapshot fails with
   * ERR_THREADFS_SNAPSHOT_MOUNT. "skip": it has what is below the mount.
   */
  mounts?: Mounts | undefined;
}

const REFUSAL = /* @__PURE__ */ cloneRefusal("A Snapshot cannot be cloned: post the bytes that its bytes() returns");

/**
 * The files of a tree at the moment when `Vfs.snapshot` made this. It is an iterable of pieces of about 256 KiB, which can be read any
 * number of times. It holds a copy of the memory that the tree used, until it is closed or not used any more.
 */
export class Snapshot implements AsyncIterable<Uint8Array> {
  readonly #attachment: Attachment;
  readonly #ctx: number;
  readonly #mounts: Mounts;
  readonly #clock: Clock;

  /** @internal */
  constructor(attachment: Attachment, ctx: number, mounts: Mounts, clock: Clock) {
    this.#clock = clock;
    this.#attachment = attachment;
    this.#ctx = ctx;
    this.#mounts = mounts;
    refuseCloning(this, REFUSAL);
  }

  /**
   * The pieces, in order. Each is made when it is asked for; between two of them the event loop runs.
   * @throws Error ERR_THREADFS_SNAPSHOT_MOUNT, ERR_THREADFS_CLOSED; EACCES for what the context
   * may not read
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#attachment.closed) throw codedError(Error, "ERR_THREADFS_CLOSED", "The snapshot is closed");
    // Calls of its own, because another reading may be closed before this one ends.
    for (const piece of saveTree(new SystemCalls(this.#attachment, this.#ctx), this.#clock, this.#mounts)) {
      yield piece;
      await laterTurn();
    }
  }

  /** All of it. @throws as reading the pieces; RangeError when it is longer than an array can be */
  async bytes(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of this) {
      pieces.push(piece);
      length += piece.length;
    }
    const all = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  /** Gives the memory back. Idempotent. */
  close(): void {
    this.#attachment.close();
  }
}
