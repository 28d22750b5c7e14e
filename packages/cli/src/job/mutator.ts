/**
 * The mutator: changes each moving thing from state to state while other threads look up, and counts its version before and after.
 */

import type { FsSync, Vfs } from "threadfs";
import type { CounterValues } from "../support/counters.js";
import { defined } from "../support/defined.js";
import { codeOf } from "../support/errors.js";
import { type MovingEntry, type MovingKind, MovingState } from "./moving.js";

/** The mutator's movements by kind, and its unmounts that found the mount in use and were tried again. */
export interface MutatorReport {
  moves: Record<MovingKind, number>;
  busy: number;
  seconds: number;
  /** The events that the core counted in the mutator's thread. */
  counters: CounterValues;
}

/** After this many refusals the mutator detaches the mount instead. */
const BUSY_TRIES = 50;

export class Mutator {
  readonly #vfs: Vfs;
  readonly #fs: FsSync;
  readonly #things: MovingEntry[];
  readonly #state: MovingState;
  readonly #moves = { rename: 0, file: 0, replace: 0, link: 0, tmpfs: 0, bind: 0 };
  #busy = 0;

  /** @param fs of a context that may do everything and has umask 0 */
  constructor(vfs: Vfs, fs: FsSync, things: MovingEntry[], state: SharedArrayBuffer) {
    this.#vfs = vfs;
    this.#fs = fs;
    this.#things = things;
    this.#state = new MovingState(state);
  }

  /** Brings the things into their first state, before other threads look up. */
  prepare(): void {
    for (const thing of this.#things) if (thing.kind === "replace" || thing.kind === "link") this.#renew(thing, 0);
  }

  /** Moves the things, once at least, until `stop` is not 0 or `deadline` (ms of performance.now) is over; then moves all back to state 0. */
  run(stop: Int32Array, deadline: number): MutatorReport {
    const begin = performance.now();
    do {
      for (const thing of this.#things) this.#move(thing);
    } while (Atomics.load(stop, 0) === 0 && performance.now() < deadline);
    const seconds = (performance.now() - begin) / 1000;
    const moves = { ...this.#moves };
    for (const thing of this.#things) {
      for (let i = 0; i < thing.states && this.#stateOf(thing) !== 0; i++) this.#move(thing);
    }
    return { moves, busy: this.#busy, seconds, counters: {} };
  }

  #stateOf(thing: MovingEntry): number {
    return (this.#state.version(thing.number) >> 1) % thing.states;
  }

  #move(thing: MovingEntry): void {
    const next = (this.#stateOf(thing) + 1) % thing.states;
    this.#state.step(thing.number);
    this.#change(thing, next);
    this.#state.step(thing.number);
    this.#moves[thing.kind]++;
  }

  #change(thing: MovingEntry, next: number): void {
    switch (thing.kind) {
      case "rename":
        if (next === 1) this.#fs.renameSync(thing.path, thing.other);
        else this.#fs.renameSync(thing.other, thing.path);
        return;
      case "file":
        this.#changeFile(thing, next);
        return;
      case "replace":
      case "link":
        this.#renew(thing, next);
        return;
      case "tmpfs":
        if (next === 1) this.#vfs.mount("none", thing.path, "tmpfs", {});
        else this.#unmount(thing);
        return;
      case "bind":
        if (next === 1) this.#vfs.mount(thing.other, thing.path, "", { bind: true });
        else this.#unmount(thing);
        return;
    }
  }

  #changeFile(thing: MovingEntry, next: number): void {
    if (next === 0) this.#fs.unlinkSync(thing.path);
    else if (next === 2) this.#fs.truncateSync(thing.path, thing.values[1] as number);
    else {
      this.#fs.closeSync(this.#fs.openSync(thing.path, "wx", 0o644));
      this.#state.publish(thing.number, this.#fs.lstatSync(thing.path).ino);
    }
  }

  /** Makes a new file or link beside the old one and renames it over that: there is always one at the path. */
  #renew(thing: MovingEntry, next: number): void {
    const value = defined(thing.values[next], `the value of thing ${thing.number} in state ${next}`);
    if (typeof value === "string") this.#fs.symlinkSync(value, thing.other);
    else this.#fs.writeFileSync(thing.other, new Uint8Array(value), { mode: 0o644, flag: "wx" });
    const { ino } = this.#fs.lstatSync(thing.other);
    this.#fs.renameSync(thing.other, thing.path);
    this.#state.publish(thing.number, ino);
  }

  /** A walk in ref mode may hold the mount for a moment. Every second time the mount is detached at once. */
  #unmount(thing: MovingEntry): void {
    const lazy = (this.#state.version(thing.number) >> 2) % 2 === 1;
    for (let tries = 0; !lazy && tries < BUSY_TRIES; tries++) {
      try {
        this.#vfs.umount(thing.path);
        return;
      } catch (error) {
        if (codeOf(error) !== "EBUSY") throw error;
        this.#busy++;
      }
    }
    this.#vfs.umount(thing.path, { detach: true });
  }
}
