/** `StatWatcher` (https://nodejs.org/api/fs.html#class-fsstatwatcher): the listeners of one file that `watchFile` looks at. */
import { nextTick } from "../../bridge/node.js";
import { toUint32 } from "../args.js";
import { adoptEmitter, type Emitter } from "../promises/emitter.js";
import { bigIntStatsOf, statsOf } from "../stats.js";
import type { SystemCalls } from "../system-calls.js";
import { StatPoll } from "./stat-poll.js";

/** What `watchFile` and `unwatchFile` alone call. */
export const BEGIN = /* @__PURE__ */ Symbol("begin");
export const ADDED = /* @__PURE__ */ Symbol("added");
export const REMOVED = /* @__PURE__ */ Symbol("removed");
export const REMOVED_ALL = /* @__PURE__ */ Symbol("removedAll");

export class StatWatcher {
  readonly #bigint: boolean;
  /** null: it does not look (any more). */
  #poll: StatPoll | null = null;
  /** The process is kept alive while this is not 0. As in Node it counts up to the number of listeners. */
  #refs = 1;
  #maxRefs = 1;

  constructor(bigint: unknown) {
    adoptEmitter(StatWatcher);
    this.#bigint = bigint === true;
  }

  /** Begins to look. @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE; errors of the tree */
  [BEGIN](calls: SystemCalls, path: string, persistent: unknown, interval: unknown): void {
    const statsFrom = this.#bigint ? bigIntStatsOf : statsOf;
    this.#poll = new StatPoll(calls, path, toUint32(interval, "interval"), {
      changed: (current, previous) => this.#emit("change", statsFrom(current), statsFrom(previous)),
      closed: () => this.stop(),
    });
    if (!persistent) this.unref();
  }

  /** A listener was added to the first one. */
  [ADDED](): void {
    this.#refs++;
    this.#maxRefs++;
  }

  /** A listener was removed. */
  [REMOVED](): void {
    this.#maxRefs--;
    this.unref();
  }

  /** All listeners were removed. */
  [REMOVED_ALL](): void {
    this.#maxRefs = 0;
    this.#refs = 0;
    this.#poll?.unref();
  }

  /** Does nothing, as Node's. */
  start(): void {}

  /** Looks no more. */
  stop(): void {
    if (this.#poll === null) return;
    nextTick(() => this.#emit("stop"));
    this.#poll.end();
    this.#poll = null;
  }

  ref(): this {
    if (this.#refs === this.#maxRefs) return this;
    if (this.#poll !== null && this.#refs++ === 0) this.#poll.ref();
    return this;
  }

  unref(): this {
    if (this.#refs === 0) return this;
    if (this.#poll !== null && --this.#refs === 0) this.#poll.unref();
    return this;
  }

  #emit(event: string, ...values: unknown[]): void {
    (this as unknown as Emitter).emit(event, ...values);
  }
}
