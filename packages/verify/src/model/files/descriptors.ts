/** What the calls on descriptors share: the file of a descriptor, and what a change of contents does, to its mode and to all that is behind its new end. */
import { CAP_FSETID, O_ACCMODE, O_WRONLY, S_IFREG, S_ISGID, S_ISUID } from "../../../../threadfs/dist/abi/abi.js";
import { isError } from "../call.js";
import { callerOf, inode, isDriver, touch } from "../calls.js";
import { isLimited, storedIn } from "../linux/quota.js";
import { capable, inGroup } from "../permission.js";
import { isFifo } from "../pipes/calls-pipes.js";
import { dropReserved, get, type Inode, type Path, patch, type State, typeOf } from "../state.js";
import { change, type Done, hold, type Me, type Phase, pin, type Steps, step, unpin } from "../steps.js";

/** An open file as an operation knows it. */
export interface FileReference extends Path {
  id: number;
  ino: number;
  flags: number;
  /** It is a FIFO, or of pipe(2). */
  fifo?: true;
}

/** fget(): the file of a descriptor; an operation on it has a reference. */
export function* fget(me: Me, fd: number): Steps<FileReference | string> {
  for (;;) {
    const f = yield* step((s): (FileReference & { ends: boolean }) | string => {
      const id = callerOf(s, me).fds[fd] ?? 0;
      const file = s.files.get(id);
      if (file === undefined || file.opening !== undefined) return "EBADF";
      hold(s, me, 0, file.mnt);
      pin(s, `${me.id}`, id);
      const { ino } = get(s.dentries, file.d);
      const ends = s.pipes.has(ino) || s.fileLocks.has(ino);
      return { id, ino, d: file.d, mnt: file.mnt, flags: file.flags, ...(isFifo(s, ino) && { fifo: true }), ends };
    });
    if (isError(f)) return f;
    const { ends, ...reference } = f;
    // A call that finds the descriptor closed has had the file for a moment, and what ends with the file ended later. As in Linux.
    const same = !ends || (yield* step((s) => callerOf(s, me).fds[fd] === f.id));
    if (same) return reference;
    yield* step((s) => unpin(s, `${me.id}`));
  }
}

export const mutex = (ino: number): string => `inode ${ino}`;
export const mayRead = ({ flags }: FileReference): boolean => (flags & O_ACCMODE) !== O_WRONLY;
export const mayWrite = ({ flags }: FileReference): boolean => (flags & O_ACCMODE) !== 0;

/** The mode after the contents were changed by a caller without CAP_FSETID. */
function withoutSuid(s: State, me: Me, i: Inode): number {
  if (!(i.mode & (S_ISUID | S_ISGID)) || capable(callerOf(s, me), CAP_FSETID)) return i.mode;
  return i.mode & ~(i.mode & S_ISUID) & ~(dropsSgid(s, me, i) ? S_ISGID : 0);
}

/** setattr_should_drop_sgid() */
export function dropsSgid(s: State, me: Me, i: Inode): boolean {
  if (!(i.mode & S_ISGID)) return false;
  return (i.mode & 0o010) !== 0 || (!inGroup(callerOf(s, me), i.gid) && !capable(callerOf(s, me), CAP_FSETID));
}

/** removeSuid() */
export const strip = (s: State, me: Me, ino: number): undefined =>
  void patch(s.inodes, ino, { mode: withoutSuid(s, me, inode(s, ino)) });

/** do_truncate(); `inoOf(s)` is the file. */
export function* truncate(me: Me, inoOf: (s: State) => number, size: number): Steps<number | string> {
  return yield* change(me, truncatePhases(me, inoOf, size));
}

export function truncatePhases(me: Me, inoOf: (s: State) => number, size: number): Phase<never>[] {
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
