/**
 * The system calls of the model on the contents of open files: generators of steps, as in calls.ts.
 */
import {
  IO_SIZE,
  MAY_WRITE,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_TRUNC,
  O_WRONLY,
  S_IFDIR,
  S_IFREG,
} from "../../../../threadfs/dist/abi/abi.js";
import { MAX_FILE_SIZE } from "../../../../threadfs/dist/generated/core-layout.js";
import { type Attributes, type CallArguments, isError, type Opened } from "../call.js";
import { badPath, inode, isDriver, lookup, touch } from "../calls.js";
import { attributes } from "../calls-lookup.js";
import { reservePages } from "../linux/quota.js";
import { accessed, permission, wantWrite } from "../permission.js";
import { openingResult, readPipe, writePipe } from "../pipes/calls-pipes.js";
import { get, inodeOf, isDir, patch, type State, typeOf } from "../state.js";
import { change, inParts, type Me, type Phase, type Steps, step } from "../steps.js";
import { intoDescriptor, OPEN_CALLS, openPlace, walkToOpen } from "./calls-open.js";
import { type FileReference, fget, mayRead, mayWrite, mutex, strip, truncate, truncatePhases } from "./descriptors.js";

type A = CallArguments;

// ------------------------------------------------------------------------------------------------- contents

function* sysRead(me: Me, { fd, ...args }: A["sysRead"]): Steps<{ data: string } | number | string> {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  if (f.fifo) return yield* readPipe(me, f, { fd, ...args });
  return mayRead(f) ? yield* readFrom(me, f, args) : "EBADF";
}

function* readFrom(
  me: Me,
  f: FileReference,
  { offset = -1, n, direct }: Omit<A["sysRead"], "fd">,
): Steps<{ data: string } | number | string> {
  const run = (s: State) => {
    const i = inode(s, f.ino);
    if (isDir(i)) return "EISDIR";
    if (isDriver(s, i)) return "EOPNOTSUPP";
    const at = offset >= 0 ? offset : get(s.files, f.id).pos;
    const data = i.data.slice(at, at + (direct ? n : Math.min(n, IO_SIZE)));
    accessed(s, f.mnt, f.ino);
    if (offset < 0) patch(s.files, f.id, { pos: at + data.length });
    return { data };
  };
  return yield* change(me, [{ locks: () => [mutex(f.ino)], run }]);
}

function* sysWrite(me: Me, { fd, ...args }: A["sysWrite"]): Steps<number | string> {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  if (f.fifo) return yield* writePipe(me, f, { fd, ...args });
  return mayWrite(f) ? yield* writeTo(me, f, args) : "EBADF";
}

/** Whether a write appends: by the flags that its file has now, or for one without a descriptor those of its open. */
const appends = (s: State, f: FileReference): boolean => ((s.files.get(f.id)?.flags ?? f.flags) & O_APPEND) !== 0;

function* writeTo(me: Me, f: FileReference, args: Omit<A["sysWrite"], "fd">): Steps<number | string> {
  const { offset = -1, data } = args;
  const fits = yield* reservePages(me, f.ino, (s) => {
    const at = appends(s, f) ? inode(s, f.ino).size : offset >= 0 ? offset : get(s.files, f.id).pos;
    return { at, n: data.length };
  });
  if (isError(fits)) return fits;
  return yield* change(me, writePhases(me, f, { ...args, data: data.slice(0, fits) }));
}

/** The parts of a write, and what follows it. */
function writePhases(me: Me, f: FileReference, { offset = -1, data }: Omit<A["sysWrite"], "fd">): Phase<never>[] {
  const n = data.length;
  const parts = Array.from({ length: Math.max(1, Math.ceil(n / IO_SIZE)) }, (_, k) => k * IO_SIZE);
  const runPart = (done: number) => (s: State) => {
    const i = inode(s, f.ino);
    const at = appends(s, f) ? i.size : offset >= 0 ? offset + done : get(s.files, f.id).pos;
    if (isDriver(s, i)) return "EOPNOTSUPP";
    if (n === 0) return 0;
    if (at >= MAX_FILE_SIZE) return "EFBIG";
    const part = data.slice(done, done + IO_SIZE);
    const text = i.data.padEnd(at, "\0").slice(0, at) + part + i.data.slice(at + part.length);
    touch(s, f.ino, { contents: true, data: text, size: text.length });
    if (offset < 0) patch(s.files, f.id, { pos: at + part.length });
    // The first part's result is the call's.
    return n;
  };
  // A death in a long write keeps the parts that are written.
  const locks = () => [mutex(f.ino), ...(parts.length > 1 ? [inParts(me.id)] : [])];
  return [
    ...parts.map((done) => ({ locks, run: runPart(done) })),
    { run: (s: State) => (n === 0 ? 0 : strip(s, me, f.ino)) },
  ];
}

/** The walk of a call that reads or writes a whole file: what it has ended at, or the result of a call that does no more than open it. */
export function* wholeFile(
  me: Me,
  { dirfd, path }: A["sysReadFile"],
  flags: number,
  mode: number,
): Steps<(FileReference & { created: boolean }) | Opened | number | string> {
  const bad = badPath(path);
  if (bad) return bad;
  const at = yield* walkToOpen(me, dirfd, path, flags, mode & 0o7777);
  if (isError(at)) return at;
  const { ino, foreign } = yield* step((s) => {
    const i = inodeOf(s, at.d);
    const foreign = isDriver(s, i) || typeOf(i) !== (flags & O_DIRECTORY ? S_IFDIR : S_IFREG);
    return { ino: get(s.dentries, at.d).ino, foreign };
  });
  // Without an open file: nothing is asked of its position.
  if (!foreign) return { id: 0, ino, d: at.d, mnt: at.mnt, flags, created: at.created === true };
  const fd = yield* intoDescriptor(me, flags, openPlace(me, at, flags), { any: false });
  // An open of a FIFO that waits is the call's result.
  return isError(fd) || fd >= openingResult(0) ? fd : { opened: fd };
}

/** Whether such a call has done no more than open. */
export function isOpened(f: FileReference | Opened | number | string): f is Opened | number | string {
  return typeof f !== "object" || "opened" in f;
}

function* sysReadFile(me: Me, args: A["sysReadFile"]): Steps<{ data: string } | Opened | number | string> {
  const f = yield* wholeFile(me, args, 0, 0);
  return isOpened(f) ? f : yield* readFrom(me, f, { offset: 0, n: MAX_FILE_SIZE, direct: true });
}

function* sysWriteFile(
  me: Me,
  { append, mode = 0o644, data, ...args }: A["sysWriteFile"],
): Steps<number | string | Opened> {
  const f = yield* wholeFile(me, args, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), mode);
  if (isOpened(f)) return f;
  const cut = f.flags & O_TRUNC && !f.created ? truncatePhases(me, () => f.ino, 0) : [];
  // The file is not released in between; a death keeps what has been done.
  const begin: Phase<never> = { locks: () => [mutex(f.ino), inParts(me.id)], run: () => 0 };
  const r = yield* change(me, [begin, ...cut, ...writePhases(me, f, { offset: 0, data })]);
  return isError(r) ? r : data.length;
}

function* sysLseek(me: Me, { fd, offset, whence }: A["sysLseek"]): Steps<number | string> {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  return yield* step((s) => {
    const base = whence === 1 ? get(s.files, f.id).pos : whence === 2 ? inode(s, f.ino).size : 0;
    const to = base + offset;
    if (whence === 2 && isDir(inode(s, f.ino))) return "EINVAL";
    if (whence < 0 || whence > 2 || !(to >= 0) || to > MAX_FILE_SIZE) return "EINVAL";
    patch(s.files, f.id, { pos: to });
    return to;
  });
}

function* sysTruncate(me: Me, { size, ...args }: A["sysTruncate"]): Steps<number | string> {
  if (!(size >= 0)) return "EINVAL";
  const at = yield* lookup(me, args);
  if (isError(at)) return at;
  const refused = yield* step((s) => {
    const i = inodeOf(s, at.d);
    if (isDir(i)) return "EISDIR";
    if (typeOf(i) !== S_IFREG) return "EINVAL";
    return permission(s, me, i, MAY_WRITE) || wantWrite(s, at.mnt);
  });
  if (refused) return refused;
  if (size > MAX_FILE_SIZE) return "EFBIG";
  return yield* truncate(me, (s) => get(s.dentries, at.d).ino, size);
}

function* sysFtruncate(me: Me, { fd, size }: A["sysFtruncate"]): Steps<number | string> {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  const regular = yield* step((s) => typeOf(inode(s, f.ino)) === S_IFREG);
  if (!mayWrite(f) || !regular || !(size >= 0)) return "EINVAL";
  if (size > MAX_FILE_SIZE) return "EFBIG";
  return yield* truncate(me, () => f.ino, size);
}

function* sysFsync(me: Me, { fd }: A["sysFsync"]): Steps<number | string> {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  return f.fifo ? "EINVAL" : 0;
}

function* sysFstat(me: Me, { fd }: A["sysFstat"]): Steps<Attributes | string> {
  const f = yield* fget(me, fd);
  return isError(f) ? f : yield* step((s) => attributes(s, f.ino));
}

export const FILE_CALLS = {
  ...OPEN_CALLS,
  sysRead,
  sysReadFile,
  sysWrite,
  sysWriteFile,
  sysLseek,
  sysTruncate,
  sysFtruncate,
  sysFsync,
  sysFstat,
};
