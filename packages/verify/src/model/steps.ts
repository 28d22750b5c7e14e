/**
 * The steps of the model's operations, and the way in which an operation changes the state.
 *
 * An operation is a generator that yields *steps*. A step is a function of the state that happens at one moment. It may change the
 * state, and its result (plain JSON) is sent back into the generator. Between two steps of one operation the other operations may
 * do anything: Linux promises no more about a walk. A generator knows only the results that it was sent, so they say how far the
 * operation has come, and sending them to a new generator brings it there again.
 *
 * A result that is a string is an error: "ENOENT".
 */
import { isError } from "./call.js";
import { detachNameless } from "./linux/mountpoints.js";
import { leaveNamespace } from "./linux/namespaces.js";
import { withoutOwner } from "./locks/locks.js";
import { dropReserved, get, inoOf, type OpenFile, ofContext, ofFile, patch, type State } from "./state.js";

/** The result of a step that cannot be taken yet, because another operation holds a lock that it needs. */
export const BLOCKED = Symbol("blocked");

/** A result that may be one of several: each is tried. */
export interface Choice<T> {
  choose: T[];
}

export type Step = (s: State) => unknown;
/** An operation, or a part of one, with its result. */
export type Steps<T> = Generator<Step, T, unknown>;

/** An operation: its number and its context. */
export interface Me {
  id: number;
  ctx: number;
  /** Whether it may search every directory, so that the walk need not ask. */
  searches: boolean;
  /** It has begun a change: it ends as if its context were still open. */
  changes?: boolean;
  /** It looks a mount up to end it, which is no use of the mount. */
  unmounts?: boolean;
}

/** Takes one step. @returns its result: the runner sends what `run` returned */
export function* step<T>(run: (s: State) => T): Steps<Exclude<T, typeof BLOCKED>> {
  return (yield run) as Exclude<T, typeof BLOCKED>;
}

/** Takes a step that may have any of several results. @returns one of them */
export function* choice<T>(run: (s: State) => T[]): Steps<T> {
  return (yield (s: State): Choice<T> => ({ choose: run(s) })) as T;
}

/**
 * An operation whose context another thread may close. A call on a closed context is EBADF; one that had begun either goes on with what
 * it had found, as the same user, or is EBADF, but not once it has begun to change something.
 */
export function* ofClosable<T>(me: Me, operation: Steps<T>): Steps<T | string> {
  let begun = false;
  for (let next = operation.next(); ; ) {
    if (next.done) return next.value;
    const ended =
      me.changes === true
        ? false
        : yield* choice((s) => (get(s.contexts, me.ctx).closed ? (begun ? [true, false] : [true]) : [false]));
    if (ended) return "EBADF";
    begun = true;
    next = operation.next(yield next.value);
  }
}

/** The end of a change before its last phase, with its result. */
export interface Done<T> {
  done: true;
  result: T;
}

/** A phase goes on in one step more, with this number. */
export interface Again {
  again: number;
}

/** One step of a change: it waits until no other operation holds its locks, takes them, and runs. */
export interface Phase<T> {
  /** Names of locks; undefined ones are left out. */
  locks?(s: State): (string | undefined)[];
  /** `again`: what its last step has returned. */
  run(s: State, again?: number): T | Done<T | number> | Again | number | string | undefined;
}

/**
 * A change under locks, in phases. All locks are released at the end, or when a phase returns an error.
 * @returns what the first phase returned, 0 if nothing; or the error
 */
export function change(me: Me, phases: Phase<never>[]): Steps<number | string>;
export function change<T extends object>(me: Me, phases: Phase<T>[]): Steps<T | number | string>;
export function* change<T extends object>(me: Me, phases: Phase<T>[]): Steps<T | number | string> {
  let result: T | number | undefined;
  me.changes = true;
  for (const [n, { locks = () => [], run }] of phases.entries()) {
    for (let again: number | undefined, ended = false; !ended; ) {
      const sent = again;
      const r = yield* step((s) => {
        const wanted = locks(s).filter((name) => name !== undefined);
        if (wanted.some((name) => (s.locks.get(name) ?? me.id) !== me.id)) return BLOCKED;
        const returned = run(s, sent) ?? 0;
        for (const name of wanted) s.locks.set(name, me.id);
        const isLast = n === phases.length - 1 && !isAgain(returned);
        if (isError(returned) || isDone<T | number>(returned) || isLast) unlockAll(s, me);
        return returned;
      });
      if (isError(r)) return r;
      if (isDone<T | number>(r)) return r.result;
      ended = !isAgain(r);
      if (isAgain(r)) again = r.again;
      else result ??= r;
    }
  }
  return result ?? 0;
}

function isAgain(returned: unknown): returned is Again {
  return typeof returned === "object" && returned !== null && "again" in returned;
}

function isDone<T>(returned: unknown): returned is Done<T> {
  return typeof returned === "object" && returned !== null && "done" in returned;
}

function unlockAll(s: State, me: Pick<Me, "id">): void {
  for (const [name, owner] of s.locks) if (owner === me.id) s.locks.delete(name);
}

export const mutexOf = (s: State, d: number | undefined): string | undefined =>
  d === undefined ? undefined : `inode ${get(s.dentries, d).ino}`;

/** Notes that the operation references a mount: through its first walk (slot 0), its second (1), or besides (2). */
export function hold(s: State, me: Me, slot: number, mnt: number): void {
  s.held.set(`${me.id} ${slot}`, mnt);
}

/** The mounts that an operation references, by what it references them through. */
export const heldBy = (s: State, id: number): [held: string, mount: number][] =>
  [...s.held].filter(([held]) => held.startsWith(`${id} `));

/** The value of a descriptor that an operation has reserved and not opened yet. */
export const reservedBy = (id: number): number => -id;

/** Releases the locks and references of a dead operation, and a descriptor that it had reserved. */
export function recoverFrom(s: State, id: number): void {
  const me = { id };
  unlockAll(s, me);
  release(s, me);
  dropReserved(s);
  for (const [ctx, { fds }] of s.contexts) {
    const kept = Object.entries(fds).filter(([, file]) => file !== reservedBy(id));
    patch(s.contexts, ctx, { fds: Object.fromEntries(kept) });
  }
  for (const key of [...s.pins.keys()]) if (key === `request ${id}`) unpin(s, key);
  detachNameless(s);
  // What was closing a context goes on.
  for (const [ctx, { closed }] of s.contexts) {
    if (!closed) continue;
    for (const file of s.files.keys()) dropLocks(s, file, ofContext(ctx));
    leaveNamespace(s, ctx);
  }
  for (const file of s.files.keys()) dropIfUnused(s, file);
}

/** Takes an owner's locks off an open file's inode. */
function dropLocks(s: State, file: number, owner: string): void {
  const ino = inoOf(s, file);
  const locks = s.fileLocks.get(ino);
  if (locks !== undefined && locks !== withoutOwner(locks, owner)) s.fileLocks.set(ino, withoutOwner(locks, owner));
}

/** Whether a file is open, or an operation has a reference on it. */
const isReferenced = (s: State, id: number, { closed }: OpenFile): boolean =>
  !closed || [...s.pins.values()].includes(id);

/** A closed file that nothing references has no locks, and is no end of a pipe, which ends with its last end. */
function dropIfUnused(s: State, file: number): void {
  if (!get(s.files, file).closed || [...s.pins.values()].includes(file)) return;
  dropLocks(s, file, ofFile(file));
  const ino = inoOf(s, file);
  const isOpen = [...s.files].some(([id, other]) => inoOf(s, id) === ino && isReferenced(s, id, other));
  if (s.pipes.has(ino) && !isOpen) s.pipes.delete(ino);
}

/** An operation, or a request that it has left behind, references an open file until unpin(). */
export const pin = (s: State, key: string, file: number): void => {
  s.pins.set(key, file);
};

export function unpin(s: State, key: string): void {
  const file = s.pins.get(key);
  s.pins.delete(key);
  if (file !== undefined) dropIfUnused(s, file);
}

/**
 * A descriptor of a context is closed: the context has no locks on ranges of the file any more, and the open file none when nothing
 * references it. No other descriptor has it; a call that is under way on it still reads its record.
 */
export function closeFile(s: State, ctx: number, file: number): void {
  dropLocks(s, file, ofContext(ctx));
  patch(s.files, file, { closed: true });
  dropIfUnused(s, file);
}

/**
 * Closes one of the things that end with a thread: the contexts that it has made, the descriptors that it has opened as their owner, its opens that wait.
 * @returns whether there was one
 */
export function closeOwned(s: State, id: number): boolean {
  for (const [ctx, { maker, closed, fds }] of s.contexts) {
    if (maker === id && !closed) {
      patch(s.contexts, ctx, { closed: true, fds: {} });
      leaveNamespace(s, ctx);
      for (const file of Object.values(fds)) if (s.files.has(file)) closeFile(s, ctx, file);
      return true;
    }
    for (const [fd, file] of Object.entries(fds)) {
      const { owner, opening } = s.files.get(file) ?? {};
      if (owner !== id && opening?.by !== id) continue;
      const { [Number(fd)]: _closed, ...others } = fds;
      patch(s.contexts, ctx, { fds: others });
      closeFile(s, ctx, file);
      return true;
    }
  }
  return false;
}

/** The end of a thread, by itself or by its recovery. */
export function endThread(s: State, id: number): void {
  while (closeOwned(s, id));
}

/** The name of a lock beside the others of an operation that commits each step of its change by itself. */
export const inParts = (id: number): string => `parts ${id}`;

/** Drops the references of a call at its end. */
export function release(s: State, me: Pick<Me, "id">): 0 {
  for (const key of s.held.keys()) if (key.startsWith(`${me.id} `)) s.held.delete(key);
  s.waiting.delete(`${me.id}`);
  unpin(s, `${me.id}`);
  return 0;
}
