/** The system calls of the model for pipes: generators of steps, as in calls.ts. */
import {
  IO_SIZE,
  O_ACCMODE,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  OPENING,
  PIPE_MAX_SIZE,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  S_IFIFO,
} from "../../../../threadfs/dist/abi/abi.js";
import { type CallArguments, isError } from "../call.js";
import { callerOf, inode, makeInode } from "../calls.js";
import { accessed } from "../permission.js";
import { get, inoOf, type OpenFile, type State, typeOf } from "../state.js";
import { BLOCKED, change, type Me, pin, type Steps, step, unpin } from "../steps.js";
import { NEW_PIPE, type Pipe, put, slotsOf, take } from "./pipes.js";

type A = CallArguments;
/** An open file as the calls on pipes know it. */
interface End {
  id: number;
  ino: number;
  mnt: number;
  flags: number;
}

export const isFifo = (s: State, ino: number): boolean => typeOf(inode(s, ino)) === S_IFIFO;
const reads = ({ flags }: { flags: number }): boolean => (flags & O_ACCMODE) !== O_WRONLY;
const writes = ({ flags }: { flags: number }): boolean => (flags & O_ACCMODE) !== O_RDONLY;

/** The open files of a FIFO that are ends of its pipe, those that operations reference among them. */
function endsOf(s: State, ino: number): OpenFile[] {
  const pinned = new Set(s.pins.values());
  return [...s.files].flatMap(([id, file]) => {
    const isEnd = inoOf(s, id) === ino && !(file.flags & O_PATH) && (!file.closed || pinned.has(id));
    return isEnd ? [file] : [];
  });
}

const pipeOf = (s: State, ino: number): Pipe => s.pipes.get(ino) ?? NEW_PIPE;

function setPipe(s: State, ino: number, pipe: Pipe): void {
  s.pipes.set(ino, pipe);
}

/** The result of an open of a FIFO that waits. */
export const openingResult = (fd: number): number => fd - OPENING;

/**
 * fifo_open(): what is left of an open of a FIFO, in the step in which its file comes to be.
 * @returns the error; else the openings of the other end that it waits for more of, or undefined: it does not wait
 */
export function openFifo(s: State, ino: number, flags: number): string | { seen: number | undefined } {
  const access = flags & O_ACCMODE;
  if (access === O_ACCMODE) return "EINVAL";
  const ends = endsOf(s, ino);
  if (access === O_WRONLY && flags & O_NONBLOCK && !ends.some(reads)) return "ENXIO";
  const before = pipeOf(s, ino);
  const pipe = {
    ...before,
    reads: before.reads + (access === O_WRONLY ? 0 : 1),
    writes: before.writes + (access === O_RDONLY ? 0 : 1),
  };
  setPipe(s, ino, pipe);
  if (access === O_RDWR || flags & O_NONBLOCK || ends.some(access === O_RDONLY ? writes : reads)) {
    return { seen: undefined };
  }
  return { seen: access === O_RDONLY ? pipe.writes : pipe.reads };
}

/** Waits, without a reference on the file, until it is ready. @returns an error: the descriptor is not the file's any more */
function* wait(me: Me, fd: number, f: End, isReady: (s: State) => boolean): Steps<0 | string> {
  yield* step((s): 0 => {
    unpin(s, `${me.id}`);
    return 0;
  });
  return yield* step((s): 0 | string | typeof BLOCKED => {
    if (callerOf(s, me).fds[fd] !== f.id) return "EBADF";
    if (!isReady(s)) return BLOCKED;
    pin(s, `${me.id}`, f.id);
    return 0;
  });
}

const locks = (ino: number) => () => [`inode ${ino}`];

export function* readPipe(
  me: Me,
  f: End,
  { fd, offset = -1, n, direct }: A["sysRead"],
): Steps<{ data: string } | number | string> {
  if (offset >= 0) return "ESPIPE";
  if (!reads(f)) return "EBADF";
  const most = direct ? n : Math.min(n, IO_SIZE);
  type Read = { data: string } | { waits: true };
  for (;;) {
    const run = (s: State): Read | string => {
      const { data, pipe } = take(pipeOf(s, f.ino), most);
      if (data !== "") {
        setPipe(s, f.ino, pipe);
        accessed(s, f.mnt, f.ino);
      } else if (n !== 0 && endsOf(s, f.ino).some(writes)) return f.flags & O_NONBLOCK ? "EAGAIN" : { waits: true };
      return { data };
    };
    const r = yield* change<Read>(me, [{ locks: locks(f.ino), run }]);
    if (isError(r) || typeof r === "number" || "data" in r) return r;
    const ended = yield* wait(me, fd, f, (s) => pipeOf(s, f.ino).pages.length > 0 || !endsOf(s, f.ino).some(writes));
    if (isError(ended)) return ended;
  }
}

export function* writePipe(me: Me, f: End, { fd, offset = -1, data }: A["sysWrite"]): Steps<number | string> {
  if (offset >= 0) return "ESPIPE";
  if (!writes(f)) return "EBADF";
  if (data === "") return 0;
  const isClosed = (s: State) => !endsOf(s, f.ino).some(reads);
  type Written = { more: number; error?: string };
  for (let done = 0; ; ) {
    const from = done;
    const run = (s: State): Written => {
      if (isClosed(s)) return { more: 0, error: "EPIPE" };
      const { done: more, pipe } = put(pipeOf(s, f.ino), data.slice(from), data.length);
      if (more > 0) {
        setPipe(s, f.ino, pipe);
        s.inodes.set(f.ino, { ...inode(s, f.ino), mtime: s.now, ctime: s.now });
      }
      if (from + more === data.length) return { more };
      return f.flags & O_NONBLOCK ? { more, error: "EAGAIN" } : { more };
    };
    const r = yield* change<Written>(me, [{ locks: locks(f.ino), run }]);
    if (isError(r) || typeof r === "number") return r;
    done += r.more;
    if (done === data.length) return done;
    const error =
      r.error ??
      (yield* wait(me, fd, f, (s) => isClosed(s) || put(pipeOf(s, f.ino), data.slice(done), data.length).done > 0));
    if (isError(error)) return done > 0 ? done : error;
  }
}

/** Goes on with an open that waits. @param fd the result of that open */
function* sysFifoWait(me: Me, { fd: result }: A["sysFifoWait"]): Steps<number | string> {
  const fd = result + OPENING;
  return yield* step((s): number | string | typeof BLOCKED => {
    const id = callerOf(s, me).fds[fd] ?? 0;
    const file = s.files.get(id);
    if (file?.opening?.by !== me.id) return "EBADF";
    const pipe = pipeOf(s, inoOf(s, id));
    if ((reads(file) ? pipe.writes : pipe.reads) === file.opening.seen) return BLOCKED;
    const { opening: _come, ...open } = file;
    s.files.set(id, open);
    return fd;
  });
}

function* sysFifoCancel(me: Me, { fd: result }: A["sysFifoCancel"]): Steps<number | string> {
  const fd = result + OPENING;
  return yield* step((s) => {
    const { [fd]: id = 0, ...fds } = callerOf(s, me).fds;
    const file = s.files.get(id);
    if (file?.opening?.by !== me.id) return "EBADF";
    s.contexts.set(me.ctx, { ...callerOf(s, me), fds });
    // Until the call ends it has the descriptor's reference.
    pin(s, `${me.id}`, id);
    s.files.set(id, { ...file, closed: true });
    return 0;
  });
}

/** Takes the lowest free descriptor. */
function* reserve(me: Me): Steps<number> {
  return yield* step((s) => {
    const { fds } = callerOf(s, me);
    let n = 3;
    while (fds[n] !== undefined) n++;
    s.contexts.set(me.ctx, { ...callerOf(s, me), fds: { ...fds, [n]: -me.id } });
    return n;
  });
}

function* sysPipe(me: Me, { flags }: A["sysPipe"]): Steps<number | string> {
  const fd = yield* reserve(me);
  const fd2 = yield* reserve(me);
  return yield* step((s) => {
    const { d } = get(s.contexts, 0).root;
    const mnt = s.rootMount;
    const ino = makeInode(s, me, d, S_IFIFO | 0o600, { nlink: 1 });
    const named = ++s.last;
    s.dentries.set(named, { parent: d, name: "|", ino, hashed: false, isRoot: false, kids: {}, cookie: 0, next: 0 });
    const fds = { ...callerOf(s, me).fds };
    for (const [n, access] of [
      [fd, O_RDONLY],
      [fd2, O_WRONLY],
    ] as const) {
      fds[n] = ++s.last;
      const owner = s.owners.includes(me.id) ? { owner: me.id } : {};
      s.files.set(s.last, { mnt, d: named, flags: access | flags, pos: 0, limit: 0, ...owner });
    }
    s.contexts.set(me.ctx, { ...callerOf(s, me), fds });
    setPipe(s, ino, { ...NEW_PIPE, reads: 1, writes: 1 });
    return fd | (fd2 << 16);
  });
}

function* sysPipeSize(me: Me, { fd, size }: A["sysPipeSize"]): Steps<number | string> {
  const f = yield* step((s) => {
    const id = callerOf(s, me).fds[fd] ?? 0;
    const file = s.files.get(id);
    if (file === undefined || file.opening !== undefined) return "EBADF";
    pin(s, `${me.id}`, id);
    return { ino: inoOf(s, id), flags: file.flags };
  });
  if (isError(f)) return f;
  const run = (s: State): { slots: number } | string => {
    if (!isFifo(s, f.ino) || f.flags & O_PATH) return "EBADF";
    const pipe = pipeOf(s, f.ino);
    if (size < 0) return { slots: pipe.slots };
    if (size > PIPE_MAX_SIZE) return "EPERM";
    const slots = slotsOf(size);
    if (slots < pipe.pages.length) return "EBUSY";
    setPipe(s, f.ino, { ...pipe, slots });
    return { slots };
  };
  const r = yield* change<{ slots: number }>(me, [{ locks: locks(f.ino), run }]);
  return typeof r === "object" ? r.slots * 4096 : r;
}

function* sysPoll(me: Me, { fd, events }: A["sysPoll"]): Steps<number | string> {
  const f = yield* step((s) => {
    const id = callerOf(s, me).fds[fd] ?? 0;
    const file = s.files.get(id);
    if (file === undefined || file.opening !== undefined || file.flags & O_PATH) return "EBADF";
    pin(s, `${me.id}`, id);
    return { ino: inoOf(s, id), flags: file.flags };
  });
  if (isError(f)) return f;
  const run = (s: State): { bits: number } => {
    if (!isFifo(s, f.ino)) return { bits: events & (POLLIN | POLLOUT) };
    const { pages, slots } = pipeOf(s, f.ino);
    const ends = endsOf(s, f.ino);
    let bits = 0;
    if (reads(f) && events & POLLIN) bits |= (pages.length > 0 ? POLLIN : 0) | (ends.some(writes) ? 0 : POLLHUP);
    if (writes(f)) {
      bits |= (events & POLLOUT && pages.length < slots ? POLLOUT : 0) | (ends.some(reads) ? 0 : POLLERR);
    }
    return { bits };
  };
  const r = yield* change<{ bits: number }>(me, [{ locks: locks(f.ino), run }]);
  return typeof r === "object" ? r.bits : r;
}

export const PIPE_CALLS = { sysFifoWait, sysFifoCancel, sysPipe, sysPipeSize, sysPoll };
