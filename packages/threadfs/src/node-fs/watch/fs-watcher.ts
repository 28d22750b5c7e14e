/** `fs.FSWatcher` (https://nodejs.org/api/fs.html#class-fsfswatcher) for one file or directory. */

import * as ERRNO from "../../../abi/errno.js";
import { nextTick } from "../../bridge/node.js";
import { systemCallError } from "../../errors/errors.js";
import type { Path } from "../args.js";
import type { NameEncoding } from "../bytes.js";
import { encodeName } from "../directory/entries.js";
import { adoptEmitter, type Emitter } from "../promises/emitter.js";
import type { SystemCalls } from "../system-calls.js";
import type { Ignores } from "./ignore.js";
import { type InodeWatch, watchInode } from "./inode-watch.js";

/** Checked options of a watch. */
export interface WatchRequest {
  readonly path: Path;
  readonly persistent: boolean;
  readonly encoding: NameEncoding;
  readonly ignore: Ignores | undefined;
  readonly throwIfNoEntry: boolean;
}

/** Node's error of a watch that cannot begin. */
export function watchError(errno: number, path: Path): Error {
  return Object.assign(systemCallError(errno, "watch", path), { filename: path });
}

/** The name of an event, as the caller wants it. */
export function shownName(name: Uint8Array | null, encoding: NameEncoding): string | Buffer | null {
  return name === null ? null : encodeName(name, encoding);
}

export class FSWatcher {
  #watch: InodeWatch | undefined;

  /** @throws SystemCallError of a path that cannot be watched, with `filename` */
  constructor(calls: SystemCalls, { path, persistent, encoding, ignore, throwIfNoEntry }: WatchRequest) {
    adoptEmitter(FSWatcher);
    const watch = watchInode(calls, path, (type, name) => {
      const shown = shownName(name, encoding);
      if (shown !== null && ignore?.(shown as string)) return;
      (this as unknown as Emitter).emit("change", type, shown);
    });
    if (typeof watch === "number") {
      if (watch === -ERRNO.ENOENT && !throwIfNoEntry) return;
      throw watchError(watch, path);
    }
    this.#watch = watch;
    if (persistent) watch.persist(true);
  }

  /** Kept by Node for old programs; does nothing. */
  start(): void {}

  /** Ends the watch. `close` follows in a later turn. */
  close(): void {
    if (this.#watch === undefined) return;
    this.#watch.close();
    this.#watch = undefined;
    nextTick(() => (this as unknown as Emitter).emit("close"));
  }

  ref(): this {
    this.#watch?.persist(true);
    return this;
  }

  unref(): this {
    this.#watch?.persist(false);
    return this;
  }
}
