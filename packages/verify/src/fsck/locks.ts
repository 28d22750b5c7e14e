/**
 * Advisory locks, and the requests that wait for them: owners that exist, ranges in order, no two locks that exclude each other, and
 * no request that sleeps although nothing is in its way.
 */
import { BLOCKED_LOCKS_MAX, F_UNLCK, F_WRLCK, FILE_LOCKS_MAX } from "../../../threadfs/dist/abi/abi.js";
import * as L from "../arena/layout.js";
import { type ArenaView, hex } from "./arena-view.js";
import { descriptorBlock } from "./contexts.js";

const { INODE: I, FILE: F, CONTEXT: C } = L;
const { FileLock, BlockedLock } = L.CLASSES;
const KIND = L.FL_FLOCK | L.FL_POSIX | L.FL_OFDLCK;
const OFFSET_MAX = 2n ** 63n - 1n;

/** A lock, or what a request asks for. */
interface Lock {
  at: number;
  type: number;
  kind: number;
  owner: bigint;
  start: bigint;
  end: bigint;
}

function lockAt(v: ArenaView, at: number): Lock {
  const flags = v.u32(at + FileLock.flags);
  return {
    at,
    type: flags & L.FL_TYPE,
    kind: flags & ~L.FL_TYPE,
    owner: v.u64(at + FileLock.owner),
    start: BigInt.asIntN(64, v.u64(at + FileLock.start)),
    end: BigInt.asIntN(64, v.u64(at + FileLock.end)),
  };
}

const isOfContext = ({ kind }: Lock): boolean => kind === L.FL_POSIX;
const space = ({ kind }: Lock): number => (kind & L.FL_FLOCK ? L.FL_FLOCK : L.FL_POSIX);

function exclude(a: Lock, b: Lock): boolean {
  if (space(a) !== space(b) || a.owner === b.owner) return false;
  return (a.type === F_WRLCK || b.type === F_WRLCK) && a.start <= b.end && b.start <= a.end;
}

/** The number of a context in the owner of its locks. */
function contextOf(owner: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, owner);
  return view.getFloat64(0);
}

/** The requests that wait, which are references on open files: before files are checked. */
export function checkRequests(v: ArenaView): void {
  let n = 0;
  for (let r = v.u32(L.G_BLOCKED_HEAD); r !== 0 && n <= BLOCKED_LOCKS_MAX; r = v.u32(r + BlockedLock.next)) {
    const what = () => `the request for a lock at ${hex(r)}`;
    if (!v.own(r, L.BLOCKED_SIZE, what)) break;
    n++;
    const thread = v.u32(r + BlockedLock.thread);
    const slot = L.SLOTS + (thread - 1) * L.SLOT_SIZE;
    const lives = thread >= 1 && thread <= L.MAX_THREADS && v.u32(slot + L.SLOT_STATE) === 1;
    v.expect(lives, "file-lock", () => `${what()} is of thread ${thread}, which there is not`);
    const file = v.u32(r + BlockedLock.file);
    if (!v.isLive(L.CACHE_FILE, file)) {
      v.problem("file-lock", `${what()} is on ${hex(file)}: no live file`);
      continue;
    }
    v.ref(file, "request for a lock");
    checkRequest(v, r, v.u32(file + F.inode), what);
  }
  v.equal(v.u32(L.G_BLOCKED_COUNT), n, "file-lock", () => "the number of requests that wait for a lock");
  for (let slot = 0; slot < L.MAX_THREADS; slot++) {
    const at = L.SLOTS + slot * L.SLOT_SIZE + L.SLOT_FREE_LOCKS;
    v.equal(v.u32(at), 0, "file-lock", () => `the first lock that the thread of slot ${slot} has not freed`);
  }
}

function checkRequest(v: ArenaView, r: number, inode: number, what: () => string): void {
  const word = v.u32(r + BlockedLock.word);
  const right = L.LOCK_WAITS + ((inode >>> 7) & (L.NR_LOCK_WAITS - 1)) * 4;
  v.equal(word, right, "file-lock", () => `the word that ${what()} waits on`);
  const lock = lockAt(v, r);
  v.expect(lock.type !== F_UNLCK, "file-lock", () => `${what()} is one to unlock`);
  // One whose word has moved is about to be made again.
  if (v.u32(word) !== v.u32(r + BlockedLock.seen)) return;
  const inTheWay = [...locksOf(v, inode)].some((other) => exclude(lock, other));
  v.expect(inTheWay, "file-lock", () => `${what()} waits, and no lock is in its way`);
}

/** The locks on an inode, as far as they can be locks, and the first one once more where the list goes round. */
function* locksOf(v: ArenaView, i: number): Generator<Lock> {
  const seen = new Set<number>();
  for (let p = v.u32(i + I.flctx); p !== 0 && seen.size <= FILE_LOCKS_MAX; p = v.u32(p)) {
    if (p + L.FILE_LOCK_SIZE > v.bytes.length) return;
    yield lockAt(v, p);
    if (seen.has(p)) return;
    seen.add(p);
  }
}

export function checkFileLocks(v: ArenaView): void {
  let all = 0;
  for (const i of v.live(L.CACHE_INODE)) {
    if (v.u32(i + I.flctx) === 0) continue;
    const locks: Lock[] = [];
    for (const lock of locksOf(v, i)) {
      if (!v.own(lock.at, L.FILE_LOCK_SIZE, () => `a lock on ${v.inode(i)}`)) break;
      locks.push(lock);
    }
    all += locks.length;
    v.expect(locks.length <= FILE_LOCKS_MAX, "file-lock", () => `${v.inode(i)} has more than ${FILE_LOCKS_MAX} locks`);
    checkList(v, i, locks);
  }
  v.counts.locks = all;
}

function checkList(v: ArenaView, i: number, locks: Lock[]): void {
  const bad = (lock: Lock, text: string) => v.problem("file-lock", `the lock ${hex(lock.at)} on ${v.inode(i)} ${text}`);
  const ended = new Set<string>();
  let before: Lock | undefined;
  for (const lock of locks) {
    const { type, kind, owner, start, end } = lock;
    const known = [L.FL_FLOCK, L.FL_POSIX, L.FL_POSIX | L.FL_OFDLCK].includes(kind) && (kind & ~KIND) === 0;
    if (!known || type > F_WRLCK) bad(lock, `has the flags ${hex(type | kind)}`);
    if (start < 0n || start > end || (kind === L.FL_FLOCK && (start !== 0n || end !== OFFSET_MAX))) {
      bad(lock, `has the range ${start} to ${end}`);
    }
    if (!hasOwner(v, i, lock))
      bad(lock, `belongs to ${isOfContext(lock) ? contextOf(owner) : `0x${owner.toString(16)}`}`);
    const key = `${space(lock)} ${owner}`;
    if (before !== undefined && key === `${space(before)} ${before.owner}`) {
      const touches = before.type === type ? before.end + 1n >= start : before.end >= start;
      if (kind === L.FL_FLOCK || touches) bad(lock, "is not behind the one before it, and apart from it");
    } else if (ended.has(key)) bad(lock, "is not beside the others of its owner");
    ended.add(key);
    before = lock;
  }
  for (const [n, a] of locks.entries()) {
    const other = locks.slice(n + 1).find((b) => exclude(a, b));
    if (other !== undefined) bad(a, `and ${hex(other.at)} exclude each other`);
  }
}

/** Whether the owner of a lock exists, and has the file open. */
function hasOwner(v: ArenaView, i: number, lock: Lock): boolean {
  if (!isOfContext(lock)) {
    const file = Number(lock.owner);
    return v.isLive(L.CACHE_FILE, file) && v.u32(file + F.inode) === i;
  }
  const number = contextOf(lock.owner);
  if (!Number.isInteger(number)) return false;
  const c = v.u32(L.CTX_TABLE + (number % L.MAX_CONTEXTS) * 4);
  return v.isLive(L.CACHE_CONTEXT, c) && v.f64(c + C.number) === number && hasOpen(v, c, i);
}

function hasOpen(v: ArenaView, c: number, i: number): boolean {
  for (let b = 0; b < L.FD_BLOCKS; b++) {
    const block = descriptorBlock(v, c, b);
    for (let k = 0; block !== 0 && k < L.FD_BLOCK; k++) {
      const file = v.u32(block + k * 4);
      if (file > L.FD_RESERVED && v.u32(file + F.inode) === i) return true;
    }
  }
  return false;
}
