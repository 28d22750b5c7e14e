/**
 * Watches of inodes over the log of changes: which events a watch gets, in which order, and with which names, is as with inotify(7) and
 * the events that Node asks of it.
 */
import * as ERRNO from "../../../abi/errno.js";
import { IN_ATTRIB, IN_DELETE_SELF, IN_MODIFY, IN_MOVE_SELF, IN_UNMOUNT } from "../../../abi/flags.js";
import * as STAT from "../../../abi/stat.js";
import type { Attachment } from "../../bridge/attachment.js";
import type { Path } from "../args.js";
import { constants } from "../constants.js";
import { pathBytes } from "../paths/join.js";
import type { SystemCalls } from "../system-calls.js";
import { type Change, type ChangeLog, changeLog, type Follower } from "./change-log.js";

export type EventType = "rename" | "change";

/** Is told of an event. `name`: the entry of a directory that it concerns, else the last name of the path; null: any, changes were lost. */
export type OnEvent = (type: EventType, name: Uint8Array | null) => void;

/** Events of a file itself; the others concern the directory's names. */
const SELF = IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
/** What Node calls a change; all others are renames, with those of a directory itself, which have IN_ISDIR. */
const CHANGES = IN_MODIFY | IN_ATTRIB;

export class InodeWatch {
  readonly #watches: Watches;
  readonly #onEvent: OnEvent;
  readonly #basename: Uint8Array;
  readonly dev: number;
  readonly ino: number;
  /** The position of the first change that it is told. */
  readonly from: number;

  constructor(
    watches: Watches,
    { dev, ino, from, path, onEvent }: { dev: number; ino: number; from: number; path: Path; onEvent: OnEvent },
  ) {
    this.from = from;
    this.#watches = watches;
    this.#onEvent = onEvent;
    this.dev = dev;
    this.ino = ino;
    const bytes = pathBytes(path);
    this.#basename = bytes.slice(bytes.lastIndexOf(0x2f) + 1);
  }

  /** @internal An event of the inode, or of an entry of the directory. */
  tell(change: Change, isSelf: boolean): void {
    const type = (change.mask & ~CHANGES) === 0 ? "change" : "rename";
    this.#onEvent(type, isSelf ? this.#basename : change.name);
  }

  /** @internal */
  lost(): void {
    this.#onEvent("rename", null);
  }

  /** @internal The inode is no more: the watch ends, which is an event too. */
  end(): void {
    this.close();
    this.#onEvent("rename", this.#basename);
  }

  /** Whether the watch keeps the process alive. */
  persist(keeps: boolean): void {
    this.#watches.persist(this, keeps);
  }

  /** @internal Ends the wait for the end of the context. */
  forget: () => void = () => {};

  close(): void {
    this.forget();
    this.#watches.remove(this);
  }
}

function isEqual(a: Change, b: Change): boolean {
  if (a.mask !== b.mask || a.cookie !== b.cookie || a.dir !== b.dir || a.ino !== b.ino) return false;
  return a.name.length === b.name.length && a.name.every((byte, i) => byte === b.name[i]);
}

const keyOf = (dev: number, ino: number): string => `${dev}:${ino}`;

/** All watches of a thread's attachment. */
class Watches implements Follower {
  readonly #log: ChangeLog;
  readonly #byInode = new Map<string, Set<InodeWatch>>();
  readonly #persistent = new Set<InodeWatch>();
  /** What was told last in this turn, and of which inode. */
  #last: { readonly key: string; readonly change: Change } | undefined;

  constructor(log: ChangeLog) {
    this.#log = log;
  }

  /** Begins to watch what a path leads to. Returns the watch, or a negative errno. @throws SystemCallError ENOSPC */
  add(calls: SystemCalls, path: Path, onEvent: OnEvent): InodeWatch | number {
    // First: nothing that happens after the lookup is missed.
    if (this.#byInode.size === 0) this.#log.follow(calls.ctx, this);
    const from = calls.core.changesPosition();
    const found = inodeOf(calls, path);
    const watch = typeof found === "number" ? found : new InodeWatch(this, { ...found, from, path, onEvent });
    if (typeof watch === "number") {
      if (this.#byInode.size === 0) this.#log.leave(this);
      return watch;
    }
    const key = keyOf(watch.dev, watch.ino);
    const others = this.#byInode.get(key) ?? new Set();
    this.#byInode.set(key, others.add(watch));
    watch.forget = calls.whenClosed(() => watch.close());
    return watch;
  }

  remove(watch: InodeWatch): void {
    const key = keyOf(watch.dev, watch.ino);
    const others = this.#byInode.get(key);
    others?.delete(watch);
    if (others?.size === 0) this.#byInode.delete(key);
    this.persist(watch, false);
    if (this.#byInode.size === 0) this.#log.leave(this);
  }

  persist(watch: InodeWatch, keeps: boolean): void {
    if (keeps) this.#persistent.add(watch);
    else this.#persistent.delete(watch);
    this.#log.persist(this, this.#persistent.size > 0);
  }

  changed(change: Change): void {
    if (change.mask & IN_UNMOUNT) {
      for (const watch of this.#all()) {
        if (watch.dev !== change.dev) continue;
        watch.tell(change, true);
        watch.end();
      }
      return;
    }
    if (change.dir !== 0) this.#tell(change.dir, change, false);
    if (change.mask & SELF) this.#tell(change.ino, change, true);
  }

  #tell(ino: number, change: Change, isSelf: boolean): void {
    const key = keyOf(change.dev, ino);
    const watches = this.#byInode.get(key);
    if (watches === undefined || this.#isMerged(key, change)) return;
    for (const watch of [...watches]) {
      if (change.position < watch.from) continue;
      watch.tell(change, isSelf);
      if (isSelf && change.mask & IN_DELETE_SELF) watch.end();
    }
  }

  /** An event that equals the one before it is that one, while nobody has read it: here, in the same turn. */
  #isMerged(key: string, change: Change): boolean {
    const last = this.#last;
    if (last === undefined) {
      queueMicrotask(() => {
        this.#last = undefined;
      });
    }
    this.#last = { key, change };
    return last !== undefined && last.key === key && isEqual(last.change, change);
  }

  lost(): void {
    for (const watch of this.#all()) watch.lost();
  }

  #all(): InodeWatch[] {
    return [...this.#byInode.values()].flatMap((watches) => [...watches]);
  }
}

/** Where a path leads. Watching needs read permission there. */
function inodeOf(calls: SystemCalls, path: Path): { dev: number; ino: number } | number {
  const failed = calls.statRaw(path, 0);
  if (failed < 0) return failed;
  const { stat } = calls.attachment;
  const found = { dev: stat[STAT.dev] ?? 0, ino: stat[STAT.ino] ?? 0 };
  const length = calls.tryPutPath(path);
  const refused =
    length < 0 ? -ERRNO.ENAMETOOLONG : calls.core.sysAccess(calls.ctx, calls.dirfd, length, constants.R_OK, 0);
  return refused < 0 ? refused : found;
}

const all = /* @__PURE__ */ new WeakMap<Attachment, Watches>();

/** Watches what a path leads to. Returns the watch, or a negative errno. @throws SystemCallError ENOSPC; Error ERR_THREADFS_TIMEOUT */
export function watchInode(calls: SystemCalls, path: Path, onEvent: OnEvent): InodeWatch | number {
  const { attachment } = calls;
  let watches = all.get(attachment);
  if (watches === undefined) {
    watches = new Watches(changeLog(attachment));
    all.set(attachment, watches);
  }
  return watches.add(calls, path, onEvent);
}
