/**
 * The FSWatcher of a whole tree, as Node has it on Linux: a watch of each directory, and what an event means is found by a look at the
 * entry. Links are watched where they lead, and not followed.
 */

import * as ERRNO from "../../../abi/errno.js";
import { pathText } from "../../errors/errors.js";
import { decodeText } from "../bytes.js";
import { type Attributes, attributes, isDirectory, isLink } from "../copy/check.js";
import { listDirectory } from "../directory/entries.js";
import { abortError } from "../forms/abort.js";
import { appendName, resolvePath } from "../paths/join.js";
import { adoptEmitter, type Emitter } from "../promises/emitter.js";
import type { SystemCalls } from "../system-calls.js";
import { type WatchRequest, watchError } from "./fs-watcher.js";
import { type InodeWatch, type OnEvent, watchInode } from "./inode-watch.js";

export class RecursiveWatcher {
  readonly #calls: SystemCalls;
  readonly #request: WatchRequest;
  readonly #signal: AbortSignal | undefined;
  readonly #root: string;
  /** Every path below the root that has been told of, or was there at the start. */
  readonly #known = new Set<string>();
  readonly #links = new Set<string>();
  readonly #watches = new Map<string, InodeWatch>();
  #keeps: boolean;
  #closed = false;

  /** @throws SystemCallError of a path that cannot be watched, with `filename` */
  constructor(calls: SystemCalls, request: WatchRequest, signal?: AbortSignal) {
    adoptEmitter(RecursiveWatcher);
    this.#calls = calls;
    this.#request = request;
    this.#signal = signal;
    this.#keeps = request.persistent;
    this.#root = resolvePath(calls.cwd(), pathText(request.path));
    const found = attributes(calls, this.#root, true);
    if (typeof found === "number") {
      if (found === -ERRNO.ENOENT && !request.throwIfNoEntry) return;
      throw watchError(found, this.#root);
    }
    try {
      if (isDirectory(found)) this.#scan(this.#root, true);
      else this.#watchFile();
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #emit(type: string, path: string): void {
    const name = path === this.#root ? "" : path.slice(this.#root === "/" ? 1 : this.#root.length + 1);
    (this as unknown as Emitter).emit("change", type, name);
  }

  #ignores(path: string): boolean {
    return this.#request.ignore?.(path.slice(this.#root.length + 1)) === true;
  }

  /** Watches a path. Returns whether it is there. @throws SystemCallError ENOSPC, EACCES */
  #watch(path: string, onEvent: OnEvent): boolean {
    if (this.#closed) return false;
    if (this.#watches.has(path)) return true;
    const watch = watchInode(this.#calls, path, onEvent);
    if (typeof watch === "number") {
      if (watch === -ERRNO.ENOENT && path !== this.#root) return false;
      throw watchError(watch, path);
    }
    this.#watches.set(path, watch);
    if (this.#keeps) watch.persist(true);
    return true;
  }

  #forget(path: string): void {
    for (const known of [path, ...this.#known]) {
      if (known !== path && !known.startsWith(`${path}/`)) continue;
      this.#watches.get(known)?.close();
      this.#watches.delete(known);
      this.#known.delete(known);
      this.#links.delete(known);
    }
  }

  /** Watches a directory, and everything in it that is not known. */
  #scan(directory: string, isStart: boolean): void {
    if (!this.#watch(directory, (_type, name) => this.#onDirectoryEvent(directory, name))) {
      this.#forget(directory);
      return;
    }
    for (const name of this.#namesIn(directory, isStart)) {
      const path = appendName(directory, name) as string;
      if (this.#closed) return;
      if (!this.#known.has(path) && !this.#ignores(path))
        this.#add(path, attributes(this.#calls, path, false), isStart);
    }
  }

  #namesIn(directory: string, isStart: boolean): string[] {
    try {
      return listDirectory(this.#calls, directory).map(({ name }) => nameText(name));
    } catch (error) {
      const { errno } = error as { errno: number };
      if (errno !== -ERRNO.ENOENT && errno !== -ERRNO.ENOTDIR) {
        (this as unknown as Emitter).emit("error", error);
        return [];
      }
      if (directory === this.#root && isStart) throw error;
      if (!isStart) this.#emit("rename", directory);
      this.#forget(directory);
      return [];
    }
  }

  #add(path: string, found: Attributes | number, isStart: boolean): void {
    this.#known.add(path);
    if (!isStart) this.#emit("rename", path);
    if (isLink(found)) {
      this.#links.add(path);
      if (!this.#watch(path, () => this.#emit("rename", path))) this.#forget(path);
    } else if (isDirectory(found)) {
      this.#scan(path, isStart);
    }
  }

  #onDirectoryEvent(directory: string, name: Uint8Array | null): void {
    if (this.#closed) return;
    if (name === null) {
      this.#rescan(directory);
      return;
    }
    const path = appendName(directory, nameText(name)) as string;
    if (this.#known.has(path)) {
      this.#onKnown(path);
      return;
    }
    if (this.#ignores(path)) return;
    const found = attributes(this.#calls, path, false);
    if (typeof found === "object") this.#add(path, found, false);
    else if (directory === this.#root && typeof attributes(this.#calls, directory, true) === "number") {
      this.#emit("rename", directory);
      this.#forget(directory);
    }
  }

  /** Changes were lost: tells what is gone and what is new. */
  #rescan(directory: string): void {
    for (const path of [...this.#known]) {
      if (path.startsWith(`${directory}/`) && typeof attributes(this.#calls, path, false) === "number")
        this.#onKnown(path);
    }
    this.#scan(directory, false);
  }

  #onKnown(path: string): void {
    const found = attributes(this.#calls, path, true);
    if (typeof found === "number") {
      this.#emit("rename", path);
      this.#forget(path);
    } else if (this.#links.has(path)) {
      this.#emit("rename", path);
    } else if (isDirectory(found)) {
      this.#scan(path, false);
    } else {
      this.#emit("change", path);
    }
  }

  #watchFile(): void {
    this.#known.add(this.#root);
    this.#watch(this.#root, () => {
      if (this.#closed) return;
      if (typeof attributes(this.#calls, this.#root, true) === "number") {
        this.#emit("rename", this.#root);
        this.#forget(this.#root);
      } else {
        (this as unknown as Emitter).emit("change", "change", this.#root.slice(this.#root.lastIndexOf("/") + 1));
      }
    });
  }

  #end(): void {
    this.#closed = true;
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
    this.#known.clear();
    this.#links.clear();
  }

  close(): void {
    if (this.#closed) return;
    this.#end();
    (this as unknown as Emitter).emit("close");
  }

  ref(): this {
    this.#keeps = true;
    for (const watch of this.#watches.values()) watch.persist(true);
    return this;
  }

  unref(): this {
    this.#keeps = false;
    for (const watch of this.#watches.values()) watch.persist(false);
    return this;
  }

  [Symbol.asyncIterator](): AsyncIterator<{ eventType: string; filename: string }> {
    return {
      next: async () => (this.#closed ? { value: undefined, done: true } : { value: await this.#next(), done: false }),
      return: async () => {
        this.close();
        return { value: undefined, done: true };
      },
    };
  }

  #next(): Promise<{ eventType: string; filename: string }> {
    const emitter = this as unknown as Emitter;
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.close();
        reject(abortError(signal as AbortSignal));
      };
      if (signal?.aborted) {
        onAbort();
        return;
      }
      signal?.addEventListener("abort", onAbort, { once: true });
      emitter.once("change", (eventType, filename) => {
        signal?.removeEventListener("abort", onAbort);
        resolve({ eventType: eventType as string, filename: filename as string });
      });
    });
  }
}

function nameText(name: string | Uint8Array): string {
  return typeof name === "string" ? name : decodeText(name, "utf8");
}
