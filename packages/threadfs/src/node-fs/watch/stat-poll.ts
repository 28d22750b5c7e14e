/**
 * Looks at a file again and again, and tells when its attributes have changed: the rules of libuv's uv_fs_poll, on which Node's
 * `watchFile` stands. A look is one stat in the calling thread. Where another thread keeps it waiting, it is awaited.
 */
import * as STAT from "../../../abi/stat.js";
import type { StatNumbers } from "../../bridge/attachment.js";
import { ref, unref } from "../../bridge/waiting.js";
import { type Begun, inLaterTurn, runLater } from "../forms/later.js";
import { operation } from "../operation.js";
import type { SystemCalls } from "../system-calls.js";

/** What a look has found: attributes, or a negative errno. */
type Found = StatNumbers | number;

const look = operation(
  (path: string) => path,
  (calls, path): Found => {
    const failed = calls.statRaw(path, 0);
    // A copy: the next call of the thread writes its own numbers there.
    return failed < 0 ? failed : (calls.attachment.stat.slice() as unknown as StatNumbers);
  },
);

/**
 * The attributes whose change is told. As in Node, links and the time of the last access are not among them. libuv compares the time of
 * birth too; here it would tell nothing that the others do not, and a driver's file has another one each time that it comes into the cache.
 */
const COMPARED: readonly (keyof StatNumbers & number)[] = [
  ...[STAT.ctimeSec, STAT.ctimeNsec, STAT.mtimeSec, STAT.mtimeNsec],
  ...[STAT.size, STAT.mode, STAT.uid, STAT.gid, STAT.ino, STAT.dev],
];

/** Longest time of a timer: hosts take a longer one for none at all. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** What a poll tells. */
export interface PollEnds {
  /** The file has changed. All attributes of a file that cannot be looked at are 0. Called in a turn of its own. */
  changed(current: StatNumbers, previous: StatNumbers): void;
  /** The context or the tree is closed: there is nothing to look at any more. */
  closed(): void;
}

/** The looks at one file. */
export class StatPoll {
  readonly #calls: SystemCalls;
  readonly #path: string;
  readonly #intervalMs: number;
  readonly #ends: PollEnds;
  /** The errno of the last look, 0 after one that has found the file, undefined before the first. */
  #failed: number | undefined;
  /** What the last look found that did not fail. */
  #last: StatNumbers;
  readonly #nothing: StatNumbers;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #look: Begun | undefined;
  /** Whether the timer keeps the process alive. */
  #keepsAlive = true;
  #over = false;
  readonly #forget: () => void;

  /**
   * Looks for the first time. @param path absolute
   * @throws Error ERR_THREADFS_CLOSED and other errors of the tree: it looks no more
   */
  constructor(calls: SystemCalls, path: string, intervalMs: number, ends: PollEnds) {
    this.#calls = calls;
    this.#path = path;
    // As in Node: 0 is the shortest interval.
    this.#intervalMs = Math.max(intervalMs, 1);
    this.#ends = ends;
    this.#nothing = new Float64Array(calls.attachment.stat.length) as unknown as StatNumbers;
    this.#last = this.#nothing;
    this.#forget = calls.whenClosed(() => ends.closed());
    let returned = false;
    this.#lookAt((error) => {
      if (returned) return this.#missed();
      this.end();
      throw error;
    });
    returned = true;
  }

  /** Looks no more, and tells nothing any more. */
  end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#look?.giveUp();
    this.#forget();
  }

  ref(): void {
    this.#keepsAlive = true;
    if (this.#timer !== undefined) ref(this.#timer);
  }

  unref(): void {
    this.#keepsAlive = false;
    if (this.#timer !== undefined) unref(this.#timer);
  }

  #lookAt(failed: (error: unknown) => void): void {
    this.#look = runLater(this.#calls, look, this.#path, {
      succeeded: (found) => {
        if (this.#over) return;
        this.#lookAfter(this.#intervalMs);
        this.#compare(found);
      },
      failed,
    });
  }

  #lookAfter(ms: number): void {
    const part = Math.min(ms, TIMER_MAX_MS);
    this.#timer = setTimeout(() => {
      if (part < ms) this.#lookAfter(ms - part);
      else this.#lookAt(() => this.#missed());
    }, part);
    if (!this.#keepsAlive) unref(this.#timer);
  }

  /** The tree could not be asked. */
  #missed(): void {
    if (this.#over) return;
    // A lock was held for too long, or a hook of this thread waits for something: the next look may be made.
    if (this.#calls.attachment.sharable) this.#lookAfter(this.#intervalMs);
    else this.#ends.closed();
  }

  #compare(found: Found): void {
    const failedBefore = this.#failed;
    if (typeof found === "number") {
      this.#failed = found;
      if (found !== failedBefore) this.#tell(this.#nothing, this.#last);
      return;
    }
    this.#failed = 0;
    const last = this.#last;
    this.#last = found;
    // The first look finds what the next one is compared with.
    if (failedBefore === undefined) return;
    if (failedBefore < 0 || COMPARED.some((at) => last[at] !== found[at])) this.#tell(found, last);
  }

  /** In a turn of its own: an exception of a listener is the program's, and no error of the look. */
  #tell(current: StatNumbers, previous: StatNumbers): void {
    inLaterTurn(() => {
      if (!this.#over) this.#ends.changed(current, previous);
    });
  }
}
