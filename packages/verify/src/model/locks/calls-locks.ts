/** The system calls of the model for advisory locks: generators of steps, as in calls.ts. */
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  O_ACCMODE,
  O_RDONLY,
  O_WRONLY,
  SEEK_CUR,
  SEEK_END,
} from "../../../../threadfs/dist/abi/abi.js";
import { type CallArguments, isError } from "../call.js";
import { callerOf, inode } from "../calls.js";
import { type FileReference, fget } from "../files/descriptors.js";
import { get, ofContext, ofFile, type State } from "../state.js";
import { BLOCKED, type Me, pin, type Steps, step } from "../steps.js";
import { type FileLocks, flock, inTheWay, LAST, NO_LOCKS, type Range, rangeOf, setRange } from "./locks.js";

type A = CallArguments;
const FLOCK_TYPES = new Map([
  [LOCK_SH, F_RDLCK],
  [LOCK_EX, F_WRLCK],
  [LOCK_UN, F_UNLCK],
]);

/** What a request comes to on the present locks: it changes them. @returns the owner in the way */
type Attempt = (s: State) => string | undefined | { error: string };

/**
 * Makes a request until it is granted; `waits` false: once. One that waits is noted, with the owner that it waits for, so that a circle is
 * found (`owner` undefined: it is no part of one).
 */
function* request(me: Me, attempt: Attempt, waits: boolean, owner: string | undefined): Steps<number | string> {
  const key = `${me.id}`;
  for (;;) {
    const r = yield* step((s): number | string | typeof BLOCKED => {
      const found = attempt(s);
      if (typeof found === "object") {
        s.waiting.delete(key);
        return found.error;
      }
      if (found === undefined) {
        s.waiting.delete(key);
        return 0;
      }
      if (!waits) return "EAGAIN";
      if (s.waiting.get(key)?.blocker === found) return BLOCKED;
      s.waiting.delete(key);
      if (owner !== undefined && isCircle(s, owner, found)) return "EDEADLK";
      s.waiting.set(key, { owner: owner ?? "", blocker: found });
      return 1;
    });
    if (r !== 1) return r;
  }
}

/** Whether `blocker` waits for `owner`, itself or by others. */
function isCircle(s: State, owner: string, blocker: string): boolean {
  const seen = new Set<string>();
  for (let at: string | undefined = blocker; at !== undefined && !seen.has(at); ) {
    if (at === owner) return true;
    seen.add(at);
    const from: string = at;
    at = [...s.waiting.values()].find((one) => one.owner === from)?.blocker;
  }
  return false;
}

const locksOn = (s: State, { ino }: FileReference): FileLocks => s.fileLocks.get(ino) ?? NO_LOCKS;

function setLocks(s: State, f: FileReference, locks: FileLocks): void {
  if (locks !== locksOn(s, f)) s.fileLocks.set(f.ino, locks);
}

function flockAttempt(f: FileReference, type: number): Attempt {
  return (s) => {
    const { locks, blocker } = flock(locksOn(s, f), ofFile(f.id), type);
    setLocks(s, f, locks);
    return blocker;
  };
}

function* sysFlock(me: Me, { fd, op }: A["sysFlock"]): Steps<number | string> {
  const type = FLOCK_TYPES.get(op & ~LOCK_NB);
  if (type === undefined) return "EINVAL";
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  return yield* request(me, flockAttempt(f, type), !(op & LOCK_NB), undefined);
}

/** A request that waits is left behind: it ends with its thread. */
function* lockRequest(me: Me, { fd, op }: A["lockRequest"]): Steps<number | string | { any: true }> {
  const type = FLOCK_TYPES.get(op & ~LOCK_NB);
  if (type === undefined) return "EINVAL";
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  return yield* step((s) => {
    if (flockAttempt(f, type)(s) === undefined) return 0;
    if (op & LOCK_NB) return "EAGAIN";
    pin(s, `request ${me.id}`, f.id);
    return { any: true as const };
  });
}

/** The range of a call in its file. */
function rangeIn(s: State, f: FileReference, { type, whence = 0, start, len }: A["getLock"]): Range | string {
  if (whence === SEEK_CUR) return rangeOf(type, get(s.files, f.id).pos + start, len);
  return rangeOf(type, whence === SEEK_END ? inode(s, f.ino).size + start : start, len);
}

function mayLock({ flags }: FileReference, type: number): boolean {
  const access = flags & O_ACCMODE;
  if (type === F_RDLCK) return access !== O_WRONLY;
  return type === F_UNLCK || access !== O_RDONLY;
}

function* setLock(me: Me, args: A["setLock"]): Steps<number | string> {
  const { fd, type, ofd = false, wait = false } = args;
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  const range = yield* step((s) => rangeIn(s, f, args));
  if (isError(range)) return range;
  if (!mayLock(f, type)) return "EBADF";
  const owner = ofd ? ofFile(f.id) : ofContext(me.ctx);
  const attempt: Attempt = (s) => {
    if (!ofd && callerOf(s, me).fds[fd] !== f.id) return { error: "EBADF" };
    const { locks, blocker } = setRange(locksOn(s, f), owner, range);
    setLocks(s, f, locks);
    return blocker;
  };
  return yield* request(me, attempt, wait, ofd ? undefined : owner);
}

function* getLock(me: Me, args: A["getLock"]): Steps<{ lock: number[] } | string> {
  const { fd, type, ofd = false } = args;
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  if (type === F_UNLCK) return "EINVAL";
  return yield* step((s) => {
    const range = rangeIn(s, f, args);
    if (isError(range)) return range;
    const owner = ofd ? ofFile(f.id) : ofContext(me.ctx);
    const found = inTheWay(locksOn(s, f), owner, range);
    if (found === undefined) return { lock: [F_UNLCK] };
    const [t, start, end] = found.range;
    return { lock: [t, start, end === LAST ? 0 : end - start + 1] };
  });
}

export const LOCK_CALLS = { sysFlock, lockRequest, setLock, getLock };
