/** Calls of the model that open and close files. */
import {
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
  O_ACCMODE,
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
import { FD_BLOCK, FD_ORDERED_BLOCKS, MAXSYMLINKS } from "../../../../threadfs/dist/generated/core-layout.js";
import { type CallArguments, isError } from "../call.js";
import {
  accounts,
  badPath,
  callerOf,
  isDriver,
  isTooLong,
  makeInode,
  maskedMode,
  mayCreate,
  newName,
  prepareMode,
} from "../calls.js";
import { mayBeFreed, refuseInode } from "../linux/quota.js";
import { accessed, permission, wantWrite } from "../permission.js";
import { isFifo, openFifo, openingResult } from "../pipes/calls-pipes.js";
import { child, FIRST_FD, get, inodeOf, isLink, type Path, patch, type State, typeOf } from "../state.js";
import {
  change,
  choice,
  closeFile,
  type Done,
  hold,
  type Me,
  mutexOf,
  pin,
  reservedBy,
  type Steps,
  step,
} from "../steps.js";
import { cross, type Nameidata, type Place, walk } from "../walk.js";
import { truncate } from "./descriptors.js";

type A = CallArguments;

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
export function* intoDescriptor(
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
export type OpenPlace = Place & { created?: boolean };

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
export function* walkToOpen(
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
export function* openPlace(me: Me, at: OpenPlace, flags: number): Steps<Path | string> {
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

export const OPEN_CALLS = { sysOpen, sysOpenat2, sysClose, sysCloseTagged };
