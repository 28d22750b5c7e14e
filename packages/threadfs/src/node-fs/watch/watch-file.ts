/** `watchFile` and `unwatchFile` (https://nodejs.org/api/fs.html#fswatchfilefilename-options-listener). */
import { invalidArgType } from "../../errors/errors.js";
import { toPath } from "../args.js";
import { checkCallback } from "../forms/callbacks.js";
import { resolvePath } from "../paths/join.js";
import type { Emitter } from "../promises/emitter.js";
import type { SystemCalls } from "../system-calls.js";
import { ADDED, BEGIN, REMOVED, REMOVED_ALL, StatWatcher } from "./stat-watcher.js";

interface Options {
  readonly interval: unknown;
  readonly persistent: unknown;
  readonly bigint?: unknown;
}

/** Node's defaults. What is not there is looked up as in Node, also on `Object.prototype`. */
function withDefaults(options: object | null): Options {
  return { interval: 5007, persistent: true, ...options };
}

/** The name of a file as `path.resolve` makes it. @throws TypeError ERR_INVALID_ARG_TYPE for bytes, as that does */
function nameOf(calls: SystemCalls, filename: unknown): string {
  const path = toPath(filename);
  if (typeof path !== "string") throw invalidArgType("paths[0]", "of type string", filename);
  return path.startsWith("/") ? resolvePath("/", path) : resolvePath(calls.cwd(), path);
}

type Watcher = StatWatcher & Emitter;

/** Makes the two calls of a context. They share a watcher for each name of a file. */
export function makeWatchFile(calls: SystemCalls) {
  const watchers = new Map<string, Watcher>();

  function begin(name: string, { bigint, persistent, interval }: Options): Watcher {
    const watcher = new StatWatcher(bigint) as Watcher;
    watcher[BEGIN](calls, name, persistent, interval);
    watchers.set(name, watcher);
    return watcher;
  }

  function watchFile(filename: unknown, options: unknown, listener: unknown): StatWatcher {
    const name = nameOf(calls, filename);
    const given = typeof options === "object" && options !== null;
    const called = given ? listener : options;
    const checked = withDefaults(given ? options : null);
    checkCallback(called, "listener");
    let watcher = watchers.get(name);
    if (watcher === undefined) {
      watcher = begin(name, checked);
    } else {
      calls.checkOpen();
      watcher[ADDED]();
    }
    return watcher.addListener("change", called);
  }

  function unwatchFile(filename: unknown, listener: unknown): void {
    const name = nameOf(calls, filename);
    calls.checkOpen();
    const watcher = watchers.get(name);
    if (watcher === undefined) return;
    if (typeof listener === "function") {
      const before = watcher.listenerCount("change");
      watcher.removeListener("change", listener as () => void);
      if (watcher.listenerCount("change") < before) watcher[REMOVED]();
    } else {
      watcher.removeAllListeners("change");
      watcher[REMOVED_ALL]();
    }
    if (watcher.listenerCount("change") > 0) return;
    watcher.stop();
    watchers.delete(name);
  }

  return { watchFile, unwatchFile };
}
