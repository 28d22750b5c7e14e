/** `wasi:io/poll`: waits of components. Files are always ready; a pipe is, when its other end has done something. */
import type { POLLIN, POLLOUT } from "../../../abi/flags.js";
import { nodeProcess } from "../../bridge/node.js";
import { hasMethods } from "./errors.js";
import type { OpenFile } from "./open-file.js";

/** How often a thread that waits for several things looks at them, in milliseconds. */
const LOOK_MS = 1;

/** The resource `pollable`: one of a stream of this library. */
export class Pollable {
  readonly #file: OpenFile | undefined;
  readonly #events: typeof POLLIN | typeof POLLOUT;

  /** @param file undefined: that of a stream that has ended, which is always ready @internal */
  constructor(file: OpenFile | undefined, events: typeof POLLIN | typeof POLLOUT) {
    this.#file = file;
    this.#events = events;
  }

  /** Those of other shims are pollables too: clocks, sockets, standard streams. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return hasMethods(value, ["ready", "block"]);
  }

  ready(): boolean {
    return this.#file === undefined || this.#file.isReady(this.#events);
  }

  block(): void {
    while (!this.ready()) this.#file?.sleep();
  }
}

/** What is used of the pollables of other shims. In a page their block() returns a promise, for components whose calls may be suspended. */
export interface AnyPollable {
  ready(): boolean;
  block(): unknown;
}

const indicesOf = (list: readonly AnyPollable[]): number[] =>
  list.flatMap((pollable, n) => (pollable.ready() ? [n] : []));

function sleep(): void {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
  } catch {
    // A thread that may not block looks again at once.
  }
}

const isOurs = (pollable: AnyPollable): boolean => Object.getPrototypeOf(pollable) === Pollable.prototype;

/** Waits for pollables of other shims, where that takes promises: undefined: they have blocked. */
function promised(list: readonly AnyPollable[]): Promise<unknown> | undefined {
  const waits = list
    .filter((pollable) => !isOurs(pollable))
    .map((pollable) => pollable.block())
    .filter((wait) => wait instanceof Promise);
  if (waits.length === 0) return undefined;
  // No promise tells of a pipe.
  if (list.some(isOurs)) waits.push(new Promise((resolve) => setTimeout(resolve, LOOK_MS)));
  return Promise.race(waits);
}

/**
 * Waits until at least one is ready. Returns the places of those that are; in a page, where other shims wait by promises, a promise of them.
 * @throws Error for an empty list, which makes the component trap
 */
export function poll(list: readonly AnyPollable[]): Uint32Array | Promise<Uint32Array> {
  const [first] = list;
  if (first === undefined) throw new Error("A list of pollables may not be empty");
  for (;;) {
    const ready = indicesOf(list);
    if (ready.length > 0) return new Uint32Array(ready);
    if (list.length === 1 && isOurs(first)) first.block();
    else if (list.length > 1 && (nodeProcess() !== undefined || list.every(isOurs))) sleep();
    else {
      const wait = promised(list);
      if (wait !== undefined) return wait.then(() => poll(list));
    }
  }
}
