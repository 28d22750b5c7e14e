/**
 * The system calls of the model on open files and their contents: generators of steps, as in calls.ts.
 */
import {
  IO_SIZE,
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
  O_ACCMODE,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDWR,
  O_TMPFILE_BIT,
  O_TRUNC,
  O_WRONLY,
  S_IFDIR,
  S_IFIFO,
  S_IFREG,
} from "../../../../threadfs/dist/abi/abi.js";
import {
  FD_BLOCK,
  FD_ORDERED_BLOCKS,
  MAX_FILE_SIZE,
  MAXSYMLINKS,
} from "../../../../threadfs/dist/generated/core-layout.js";
import { type Attributes, type CallArguments, isError, type Opened } from "../call.js";
import {
  accounts,
  badPath,
  callerOf,
  inode,
  isDriver,
  isTooLong,
  lookup,
  makeInode,
  maskedMode,
  mayCreate,
  newName,
  prepareMode,
  touch,
} from "../calls.js";
import { attributes } from "../calls-lookup.js";
import { isLimited, mayBeFreed, refuseInode, reservePages, storedIn } from "../linux/quota.js";
import { accessed, permission, wantWrite } from "../permission.js";
import { isFifo, openFifo, openingResult, readPipe, writePipe } from "../pipes/calls-pipes.js";
import {
  child,
  dropReserved,
  FIRST_FD,
  get,
  inodeOf,
  isDir,
  isLink,
  type Path,
  patch,
  type State,
  typeOf,
} from "../state.js";
import {
  change,
  choice,
  closeFile,
  type Done,
  hold,
  inParts,
  type Me,
  mutexOf,
  type Phase,
  pin,
  reservedBy,
  type Steps,
  step,
} from "../steps.js";
import { cross, type Nameidata, type Place, walk } from "../walk.js";
import { type FileReference, fget, mayRead, mayWrite, mutex, strip } from "./descriptors.js";

type A = CallArguments;

// ------------------------------------------------------------------------------------------------- open and close

/** Sets a descriptor to the number of an open file; undefined: closes it. */
function setFd(s: State, me: Me, fd: number, value: number | undefined): void {
  const { [fd]: _old, ...fds } = callerOf(s, me).fds;
  if (value !== undefined) fds[fd] = value;
  patch(s.contexts, me.ctx, { fds });
}

/** open(2): a descriptor first, then the walk. */
function* sysOpen(me: Me, { dirfd, path, flags, mode = 0, any = false }: A["sysOpen"]): Steps<number | string> {
  if ((flags & (O_CREAT | O_DIRECTORY)) === (O_CREAT | O_DIRECTORY)) return "EINVAL";
  if (flags & O_TMPFILE_BIT && (!(flags & O_DIRECTORY) || !(flags & O_ACCMODE))) return "EINVAL";
  const bad = badPath(path);
  if (bad) return bad;
  return yield* intoDescriptor(me, flags, openAt(me, dirfd, path, flags, mode & 0o7777), { any });
}

/** openat2(2) without O_CREAT and O_TMPFILE. */
function* sysOpenat2(me: Me, { dirfd, path, flags, resolve, tag }: A["sysOpenat2"]): Steps<number | string> {
  const bad = badPath(path);
  if (bad) return bad;
  return yield* intoDescriptor(me, flags, openAt(me, dirfd, path, flags, 0, resolve), { any: tag !== undefined, tag });
}

/** The first descriptor that a thread takes: of all, or, where any will do, of the block of its slot. */
function firstFd(me: Me, any: boolean): number {
  // Operations of threads count from 1 on; what is done one after the other, by the first thread, is 0.
  return any ? (FD_ORDERED_BLOCKS + Math.max(me.id - 1, 0)) * FD_BLOCK : FIRST_FD;
}

/** Takes a descriptor, opens a file, and makes it the descriptor's. `any`: it need not be the lowest. */
function* intoDescriptor(
  me: Me,
  flags: number,
  opens: Steps<Path | string>,
  { any, tag }: { any: boolean; tag?: number | undefined },
): Steps<number | string> {
  const fd = yield* step((s) => {
    let n = firstFd(me, any);
    while (callerOf(s, me).fds[n] !== undefined) n++;
    setFd(s, me, n, reservedBy(me.id));
    return n;
  });
  const file = yield* opens;
  // The context may be closed before the descriptor is there: the file that the call has made stays.
  const end = yield* choice((s): (number | string)[] => {
    const ino = isError(file) ? 0 : get(s.dentries, file.d).ino;
    const fifo = !isError(file) && !(flags & O_PATH) && isFifo(s, ino) ? openFifo(s, ino, flags) : { seen: undefined };
    if (isError(file) || isError(fifo)) {
      setFd(s, me, fd, undefined);
      return [isError(file) ? file : `${fifo}`];
    }
    setFd(s, me, fd, ++s.last);
    const opening = fifo.seen === undefined ? {} : { opening: { by: me.id, seen: fifo.seen } };
    const owner = s.owners.includes(me.id) && { owner: me.id };
    s.files.set(s.last, { ...file, flags, pos: 0, limit: 0, ...opening, ...owner, ...(tag !== undefined && { tag }) });
    const result = fifo.seen === undefined ? fd : openingResult(fd);
    return callerOf(s, me).closed ? [result, "EBADF"] : [result];
  });
  return end;
}

/** A place to be opened; `created`: by this very call. */
type OpenPlace = Place & { created?: boolean };

function* openAt(
  me: Me,
  dirfd: number | undefined,
  path: string,
  flags: number,
  mode: number,
  resolve = 0,
): Steps<Path | string> {
  const at = yield* walkToOpen(me, dirfd, path, flags, mode, resolve);
  return isError(at) ? at : yield* openPlace(me, at, flags);
}

/** The walk of an open, and its checks of what it has ended at. */
function* walkToOpen(
  me: Me,
  dirfd: number | undefined,
  path: string,
  flags: number,
  mode: number,
  resolve = 0,
): Steps<OpenPlace | string> {
  const follow = !(flags & O_NOFOLLOW);
  const want = { follow, resolve, directory: (flags & O_DIRECTORY) !== 0 };
  const open = flags & O_TMPFILE_BIT ? openTmpfile : openCreate;
  const at: OpenPlace | string =
    flags & (O_CREAT | O_TMPFILE_BIT) ? yield* open(me, dirfd, path, flags, mode) : yield* walk(me, dirfd, path, want);
  if (isError(at)) return at;
  return (yield* step((s) => mayOpen(s, me, at, flags))) || at;
}

/** What is left of the open then. */
function* openPlace(me: Me, at: OpenPlace, flags: number): Steps<Path | string> {
  if (flags & O_TRUNC && !at.created && (yield* step((s) => typeOf(inodeOf(s, at.d)) === S_IFREG))) {
    const cut = yield* truncate(me, (s) => get(s.dentries, at.d).ino, 0);
    if (isError(cut)) return cut;
  }
  return { mnt: at.mnt, d: at.d };
}

/** do_tmpfile(): a file without a name. */
function* openTmpfile(
  me: Me,
  dirfd: number | undefined,
  path: string,
  flags: number,
  mode: number,
): Steps<OpenPlace | string> {
  const at = yield* walk(me, dirfd, path, { follow: !(flags & O_NOFOLLOW), directory: true });
  if (isError(at)) return at;
  const prepared = yield* prepareMode(me, at, mode);
  const freed = yield* mayBeFreed((s) => inodeOf(s, at.d).fs);
  return yield* step((s): OpenPlace | string => {
    const dir = inodeOf(s, at.d);
    const refused = wantWrite(s, at.mnt) || permission(s, me, dir, MAY_WRITE | MAY_EXEC);
    if (refused) return refused;
    if (isDriver(s, dir)) return "EOPNOTSUPP";
    const full = refuseInode(s, me, dir.fs, freed);
    if (full) return full;
    const linkable = !(flags & O_EXCL);
    const ino = makeInode(s, me, at.d, S_IFREG | maskedMode(s, at, prepared), {
      nlink: 0,
      ...(linkable && { linkable }),
    });
    const d = ++s.last;
    s.dentries.set(d, { parent: at.d, name: "#", ino, hashed: false, isRoot: false, kids: {}, cookie: 0, next: 0 });
    return { ...at, d, created: true };
  });
}

/** do_last() for O_CREAT: a link at the end leads to another last component. */
function* openCreate(
  me: Me,
  dirfd: number | undefined,
  path: string,
  flags: number,
  mode: number,
): Steps<OpenPlace | string> {
  let from: Nameidata | undefined;
  for (let text = path; ; ) {
    const at = yield* walk(me, dirfd, text, { parent: true, from });
    if (isError(at)) return at;
    const { last } = at;
    if (last === undefined || last === ".") return { ...at, created: false };
    if (last === "..") return yield* walk(me, dirfd, "..", { from: at.nd });
    if (at.slash) return "EISDIR";
    const prepared = yield* prepareMode(me, at, mode);
    const freed = yield* mayBeFreed((s) => inodeOf(s, at.d).fs);
    type Made = { made: number } | { d: number };
    const make = (s: State): Made | Done<Made> | string => {
      const d = child(s, at.d, last);
      if (d !== undefined) return { done: true, result: { d } };
      if (inodeOf(s, at.d).dead) return "ENOENT";
      if (isTooLong(last)) return "ENAMETOOLONG";
      const refused = wantWrite(s, at.mnt) || mayCreate(s, me, at.d) || refuseInode(s, me, inodeOf(s, at.d).fs, freed);
      if (refused) return refused;
      return { made: newName(s, { ...at, last }, makeInode(s, me, at.d, S_IFREG | maskedMode(s, at, prepared), {})) };
    };
    const r = yield* change<Made>(me, [{ locks: (s) => [mutexOf(s, at.d)], run: make }, ...accounts(at, false)]);
    if (isError(r)) return r;
    if (typeof r === "number") throw new Error("The model's open neither made nor found its name");
    const created = "made" in r;
    const on = yield* cross(me, { mnt: at.mnt, d: created ? r.made : r.d }, 0);
    if (on.body === undefined || flags & (O_NOFOLLOW | O_EXCL)) return { ...on, created };
    if (at.nd.links === MAXSYMLINKS) return "ELOOP";
    yield* step((s) => void accessed(s, on.mnt, get(s.dentries, on.d).ino));
    from = { ...at.nd, links: at.nd.links + 1 };
    text = on.body;
  }
}

/** may_open() */
function mayOpen(s: State, me: Me, at: OpenPlace, flags: number): 0 | string {
  const i = inodeOf(s, at.d);
  const type = typeOf(i);
  if (flags & O_CREAT) {
    if (flags & O_EXCL && !at.created) return "EEXIST";
    if (type === S_IFDIR) return "EISDIR";
  }
  if (flags & O_DIRECTORY && !(flags & O_TMPFILE_BIT) && type !== S_IFDIR) return "ENOTDIR";
  const access = flags & O_ACCMODE;
  if (!at.created) {
    const readonly = flags & O_TRUNC && type === S_IFREG ? wantWrite(s, at.mnt) : 0;
    if (readonly) return readonly;
    if (isLink(i)) return "ELOOP";
    let mask = access === 0 ? MAY_READ : access === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
    if (flags & O_TRUNC) mask |= MAY_WRITE;
    if (type === S_IFDIR && mask & MAY_WRITE) return "EISDIR";
    const denied = permission(s, me, i, mask);
    if (denied) return denied;
  }
  if (type === S_IFIFO) return 0;
  if (type !== S_IFREG && type !== S_IFDIR) return "ENXIO";
  return access === O_WRONLY || access === O_RDWR ? wantWrite(s, at.mnt) : 0;
}

/** Closes a descriptor, as one step. */
function closeFd(s: State, me: Me, fd: number): number | string {
  const id = callerOf(s, me).fds[fd] ?? 0;
  const file = s.files.get(id);
  if (file === undefined || file.opening !== undefined) return "EBADF";
  setFd(s, me, fd, undefined);
  hold(s, me, 0, file.mnt);
  // Until the call ends it has the descriptor's reference.
  pin(s, `${me.id}`, id);
  closeFile(s, me.ctx, id);
  return 0;
}

function* sysClose(me: Me, { fd }: A["sysClose"]): Steps<number | string> {
  return yield* step((s) => closeFd(s, me, fd));
}

function* sysCloseTagged(me: Me, { tag }: A["sysCloseTagged"]): Steps<number | string> {
  return yield* step((s) => {
    const found = Object.entries(callerOf(s, me).fds).find(([, id]) => s.files.get(id)?.tag === tag);
    return found === undefined ? "EBADF" : closeFd(s, me, Number(found[0]));
  });
}

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

/** do_truncate(); `inoOf(s)` is the file. */
function* truncate(me: Me, inoOf: (s: State) => number, size: number): Steps<number | string> {
  return yield* change(me, truncatePhases(me, inoOf, size));
}

function truncatePhases(me: Me, inoOf: (s: State) => number, size: number): Phase<never>[] {
  const begin = (s: State): number | string | Done<number> => {
    const i = inode(s, inoOf(s));
    if (typeOf(i) !== S_IFREG) return { done: true, result: 0 };
    if (isDriver(s, i)) return "EOPNOTSUPP";
    strip(s, me, inoOf(s));
    return 0;
  };
  const run = (s: State) => {
    const ino = inoOf(s);
    const i = inode(s, ino);
    const data = i.data.slice(0, size).padEnd(size, "\0");
    // The pages behind the new end are freed after that.
    touch(s, ino, { contents: true, data, size, ...(isLimited(s, i.fs) && { stored: storedIn(i) }) });
    return 0;
  };
  return [{ locks: (s) => [mutex(inoOf(s))], run: begin }, { run }, { run: (s) => dropReserved(s, inoOf(s)) }];
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
  sysOpen,
  sysOpenat2,
  sysClose,
  sysCloseTagged,
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
