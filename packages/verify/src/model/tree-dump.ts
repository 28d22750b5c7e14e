/**
 * The whole tree, read through the file system's own calls, as one plain object: of the core as of the model. A generator yields
 * calls and is sent their results.
 *
 *   contexts   how many there are
 *   places     of each context: its working directory, its mounts, the files of its descriptors, the positions in regular files
 *   locks      of each context and descriptor of a regular file: the locks on ranges, and whether a flock, are in its way
 *   layers     the tree as it is seen; then, as long as there are mounts, once more without the uppermost ones
 *
 * Reading unmounts everything for good: it is the last use of a tree.
 */
import {
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  LOCK_NB,
  MNT_DETACH,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../../../threadfs/dist/abi/abi.js";
import { type Attributes, type Call, type CallName, type CallOf, isError, type Result, type ResultOf } from "./call.js";

const LAYERS_MAX = 8;
const PIECE = 65536;
const FDS = [3, 4, 5, 6, 7, 8];

/** Makes calls, and is sent their results. */
export type Calls<T> = Generator<Call, T, Result>;

/** One file of a layer; `error` where it cannot be read. */
export interface DumpedFile extends Partial<Attributes> {
  error?: string;
  /** The body of a link, or an error. */
  body?: { path: string } | string;
  /** The contents of a file, or an error. */
  data?: { data: string } | string;
  /** Names and types of a directory, or an error. */
  entries?: string[] | string;
}
/** Files by path. */
export type Layer = Record<string, DumpedFile>;
export interface TreeDump {
  contexts: number;
  places: {
    cwd: { path: string } | string;
    /** The mounts that another context than 0 sees. */
    mounts: string[] | string;
    fds: Record<number, number | string>;
    positions: Record<number, number | string>;
  }[];
  locks: Record<string, LockProbe>;
  layers: Layer[];
}

/** What a descriptor finds when it asks for locks of the whole file: those on ranges, and whether a flock is in its way. */
interface LockProbe {
  ranges: (number[] | string)[];
  flock: number | string;
}
/** Most locks on ranges that a probe finds. */
const RANGES_MAX = 8;

/** Makes one call. @returns its result, or an error */
export function* ask<K extends CallName>(call: CallOf<K>): Calls<ResultOf<K> | string> {
  // The runner sends the result of this very call.
  return (yield call as unknown as Call) as ResultOf<K> | string;
}

/** @param contexts how many there are */
export function* dumpCalls(contexts: number): Calls<TreeDump> {
  const living = yield* countContexts();
  const places: TreeDump["places"] = [];
  for (let ctx = 0; ctx < contexts; ctx++) {
    const fds: Record<number, number | string> = {};
    const positions: Record<number, number | string> = {};
    for (const fd of FDS) {
      const open = yield* ask({ call: "sysFstat", ctx, fd });
      if (!isError(open)) fds[fd] = open.ino;
      else if (open !== "EBADF") fds[fd] = open;
      if (!isError(open) && (open.mode & S_IFMT) === S_IFREG) {
        positions[fd] = yield* ask({ call: "sysLseek", ctx, fd, offset: 0, whence: 1 });
      }
    }
    const listed = ctx === 0 ? { mounts: [] } : yield* ask({ call: "sysMounts", ctx });
    places.push({
      cwd: yield* ask({ call: "sysGetcwd", ctx }),
      mounts: isError(listed) ? listed : listed.mounts,
      ...{ fds, positions },
    });
  }
  const locks: TreeDump["locks"] = {};
  for (const [ctx, { positions }] of places.entries()) {
    for (const fd of Object.keys(positions).map(Number)) locks[`${ctx} ${fd}`] = yield* probeLocks(ctx, fd);
  }
  const layers: Layer[] = [];
  for (let n = 0; n < LAYERS_MAX; n++) {
    const layer: Layer = {};
    yield* readInto(layer, "/");
    layers.push(layer);
    if (!(yield* unmountAll(Object.keys(layer)))) break;
  }
  return { contexts: living, places, locks, layers };
}

/** The probe of a flock changes it, in the same way on every tree. */
function* probeLocks(ctx: number, fd: number): Calls<LockProbe> {
  const ranges: LockProbe["ranges"] = [];
  yield* probeRange(ctx, fd, [0, 0], ranges);
  const flock = yield* ask({ call: "sysFlock", ctx, fd, op: LOCK_EX | LOCK_NB });
  return { ranges, flock };
}

/** Collects the locks in the way of a range. A call tells one of them; the others are in front of it or behind it. */
function* probeRange(
  ctx: number,
  fd: number,
  [start, len]: readonly [start: number, len: number],
  found: LockProbe["ranges"],
): Calls<void> {
  if (found.length === RANGES_MAX) return;
  const answer = yield* ask({ call: "getLock", ctx, fd, type: F_WRLCK, start, len, ofd: true });
  if (isError(answer)) {
    found.push(answer);
    return;
  }
  const [type, from = 0, length = 0] = answer.lock;
  if (type === F_UNLCK) return;
  found.push(answer.lock);
  if (from > start) yield* probeRange(ctx, fd, [start, from - start], found);
  const end = from + length;
  if (length === 0 || (len !== 0 && end >= start + len)) return;
  yield* probeRange(ctx, fd, [end, len === 0 ? 0 : start + len - end], found);
}

function* countContexts(): Calls<number> {
  for (let n = 0, from = 0; ; n++) {
    const at = yield* ask({ call: "contextList", from });
    if (isError(at)) return n;
    from = at + 1;
  }
}

/** Enters the file at a path, and all files below it, by path. */
function* readInto(layer: Layer, path: string): Calls<void> {
  const stat = yield* ask({ call: "sysStat", path, nofollow: true });
  const entry: DumpedFile = isError(stat) ? { error: stat } : { ...stat };
  layer[path] = entry;
  const type = (entry.mode ?? 0) & S_IFMT;
  if (type === S_IFLNK) entry.body = yield* ask({ call: "sysReadlink", path });
  if (type === S_IFREG) {
    const { size = 0 } = entry;
    entry.data = yield* throughFd(path, 0, (fd) => contentsOf(fd, size));
  }
  // What is in a pipe, which this reads; of one whose ends are all closed there is nothing left.
  if (type === S_IFIFO) entry.data = yield* throughFd(path, O_NONBLOCK, (fd) => ask({ call: "sysRead", fd, n: PIECE }));
  if (type !== S_IFDIR) return;
  const found = yield* throughFd(path, O_DIRECTORY, (fd) => ask({ call: "sysGetdents", fd }));
  if (isError(found)) {
    entry.entries = found;
    return;
  }
  // Each entry once, whatever its name; its own attributes have the rest.
  entry.entries = found.entries.map(({ name, type: dt }) => `${name} ${dt}`);
  for (const name of new Set(found.entries.map((e) => e.name))) {
    yield* readInto(layer, path === "/" ? `/${name}` : `${path}/${name}`);
  }
}

/** The contents of a file of this size, piece by piece. */
function* contentsOf(fd: number, size: number): Calls<{ data: string } | string> {
  let all = "";
  for (let offset = 0; offset === 0 || offset < size; offset += PIECE) {
    const piece = yield* ask({ call: "sysRead", fd, offset, n: PIECE });
    if (isError(piece)) return piece;
    all += piece.data;
  }
  return { data: all };
}

function* throughFd<T>(path: string, flags: number, callOn: (fd: number) => Calls<T>): Calls<T | string> {
  const fd = yield* ask({ call: "sysOpen", path, flags: flags | O_NOFOLLOW });
  if (isError(fd)) return fd;
  const result = yield* callOn(fd);
  yield* ask({ call: "sysClose", fd });
  return result;
}

/** Unmounts the mounts on these paths, with the mounts on them. @returns whether there was one */
function* unmountAll(paths: string[]): Calls<boolean> {
  let any = false;
  for (const path of paths) {
    if (path !== "/" && (yield* ask({ call: "sysUmount", path, flags: MNT_DETACH })) === 0) any = true;
  }
  return any;
}

/** Runs such a generator with a function that makes calls. */
export function readWith<T>(run: (call: Call) => Result, calls: Calls<T>): T {
  for (let next = calls.next(); ; next = calls.next(run(next.value))) if (next.done) return next.value;
}

/** The results of each thread's calls, and the tree in the end. */
export interface TreeOutcome {
  results: unknown[][];
  final: TreeDump;
}

/** JSON.stringify() of an outcome, from the texts of its parts. */
export const textOf = (results: string, final: string): string => `{"results":${results},"final":${final}}`;

/** What stands for the number of an inode. */
export type NameOf = (ino: number) => string;

/** Names for the inodes of a tree that was read: the label of an inode of the first tree, the path of a new one, "gone" for one without a name. */
export function namesOf({ layers }: TreeDump, labels: Map<number, string>): NameOf {
  const fresh = new Map<number, string>();
  for (const layer of layers) {
    for (const [path, { ino }] of Object.entries(layer).sort(byName)) {
      if (ino !== undefined && !labels.has(ino) && !fresh.has(ino)) fresh.set(ino, `new ${path}`);
    }
  }
  return (ino) => labels.get(ino) ?? fresh.get(ino) ?? "gone";
}

/**
 * The results and the final tree with names in the place of inode numbers, so that those of the core and of the model are equal
 * when they mean the same.
 */
export function canonical({ results, final }: TreeOutcome, labels: Map<number, string>): TreeOutcome {
  const name = namesOf(final, labels);
  return { results: withNames(results, name), final: withNames(final, name) };
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);

/** A copy with its keys in order and `name` applied to every `ino` and to the files of descriptors. */
export function withNames<T>(value: T, name: NameOf): T {
  // A copy has the shape of the value but for the numbers of inodes, which no reader of a copy uses as numbers.
  return namedCopy(value, name) as T;
}

function namedCopy(value: unknown, name: NameOf): unknown {
  if (Array.isArray(value)) return value.map((item) => namedCopy(item, name));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(byName)
      .map(([key, item]: [string, unknown]) => {
        if (key === "ino") return [key, name(item as number)];
        if (key === "fds" && typeof item === "object" && item !== null)
          return [key, Object.fromEntries(Object.entries(item).map(([fd, ino]) => [fd, name(ino as number)]))];
        return [key, namedCopy(item, name)];
      }),
  );
}
