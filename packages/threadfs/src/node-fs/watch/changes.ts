/** `vfs.changes()`: every change of a tree, in order, as an async iterator: for a replica, a cache, a page that shows the tree. */
import {
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_ISDIR,
  IN_MODIFY,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_UNMOUNT,
} from "../../../abi/flags.js";
import { flagOption, readOptions } from "../../bridge/options.js";
import { toInteger, toSignal } from "../args.js";
import { decodeText } from "../bytes.js";
import { abortError, checkAborted } from "../forms/abort.js";
import type { Signal } from "../forms/types.js";
import type { SystemCalls } from "../system-calls.js";
import { type Change, changeLog, type Follower } from "./change-log.js";

/** Options of `vfs.changes()`. */
export interface ChangesOptions {
  /** The position behind the last change that is known already: what `next` of an event said. By default the iterator begins with the next change. */
  since?: number | undefined;
  /** Ends the iterator. */
  signal?: Signal | undefined;
  /** Whether the iterator keeps the process alive, default true. */
  persistent?: boolean | undefined;
}

/** What happened: inotify(7)'s names, in lower case without IN_; `overflow`: changes were lost. */
export type ChangeType =
  | "modify"
  | "attrib"
  | "moved_from"
  | "moved_to"
  | "create"
  | "delete"
  | "delete_self"
  | "move_self"
  | "unmount"
  | "overflow";

/** One change. Numbers that do not belong to it are 0, and its name is "". */
export interface ChangeEvent {
  type: ChangeType;
  /** Whether what changed is a directory. */
  isDirectory: boolean;
  /** The file's device and inode numbers, as `stat` has them. */
  dev: number;
  ino: number;
  /** Inode number of the directory in which it has the name; 0: the change concerns the file alone. */
  parent: number;
  name: string;
  /** The same number in both parts of a rename. */
  cookie: number;
  /** To go on behind this change: `changes({ since: next })`. */
  next: number;
}

const OPTIONS = { since: true, signal: true, persistent: true } as const;

const TYPES: readonly (readonly [mask: number, type: ChangeType])[] = [
  [IN_MODIFY, "modify"],
  [IN_ATTRIB, "attrib"],
  [IN_MOVED_FROM, "moved_from"],
  [IN_MOVED_TO, "moved_to"],
  [IN_CREATE, "create"],
  [IN_DELETE, "delete"],
  [IN_DELETE_SELF, "delete_self"],
  [IN_MOVE_SELF, "move_self"],
  [IN_UNMOUNT, "unmount"],
];

function eventOf({ mask, dev, ino, dir, name, cookie, next }: Change): ChangeEvent {
  const [, type] = TYPES.find(([bit]) => mask & bit) ?? TYPES[0] ?? [];
  const isDirectory = (mask & IN_ISDIR) !== 0;
  return { type: type as ChangeType, isDirectory, dev, ino, parent: dir, name: decodeText(name, "utf8"), cookie, next };
}

/** Events that an iterator keeps for who asks for them later: beyond, the oldest are lost, which is an event. */
const QUEUE_MAX = 65_536;

class ChangeQueue implements Follower {
  #events: ChangeEvent[] = [];
  #lost = false;
  #ended = false;
  #next = 0;
  /** Wakes who waits for the next event. */
  wake: () => void = () => {};

  changed(change: Change): void {
    this.#next = change.next;
    if (this.#events.length === QUEUE_MAX) this.lost();
    else this.#events.push(eventOf(change));
    this.wake();
  }

  lost(): void {
    this.#events = [];
    this.#lost = true;
    this.wake();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The context is closed. */
  end(): void {
    this.#ended = true;
    this.wake();
  }

  /** What comes next, undefined: nothing yet. */
  take(): ChangeEvent | undefined {
    if (this.#lost && this.#events.length === 0) {
      this.#lost = false;
      return { type: "overflow", isDirectory: false, dev: 0, ino: 0, parent: 0, name: "", cookie: 0, next: this.#next };
    }
    return this.#events.shift();
  }
}

/**
 * Follows the log. The first change that is told is the first one after this call, or after `since`.
 * @throws SystemCallError EPERM: the context has not CAP_SYS_ADMIN; RangeError for a position that the tree cannot have
 * @internal
 */
export function followChanges(calls: SystemCalls, options: ChangesOptions | undefined): AsyncGenerator<ChangeEvent> {
  const { since, signal, persistent = true } = readOptions<ChangesOptions>(options, OPTIONS);
  const from = since === undefined ? undefined : toInteger(since, "options.since", 0);
  const checked = toSignal(signal);
  const keeps = flagOption(persistent, "options.persistent");
  checkAborted(checked);
  calls.checkOpen();
  const log = changeLog(calls.attachment);
  const queue = new ChangeQueue();
  log.follow(calls.ctx, queue, { all: true, since: from ?? -1 });
  if (keeps) log.persist(queue, true);
  const forget = calls.whenClosed(() => queue.end());
  const leave = () => {
    forget();
    log.leave(queue);
  };
  return events(queue, leave, checked);
}

async function* events(
  queue: ChangeQueue,
  leave: () => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<ChangeEvent> {
  const onAbort = () => queue.wake();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    while (!signal?.aborted) {
      const event = queue.take();
      if (event !== undefined) yield event;
      else if (queue.ended) return;
      else
        await new Promise<void>((resolve) => {
          queue.wake = resolve;
        });
    }
    throw abortError(signal as AbortSignal);
  } finally {
    leave();
    signal?.removeEventListener("abort", onAbort);
  }
}
