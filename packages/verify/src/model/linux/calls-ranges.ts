/** The system calls of the model on ranges of contents: fallocate(2), copy_file_range(2). The model has no holes: they are zeros. */
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  O_APPEND,
  S_IFDIR,
  S_IFREG,
} from "../../../../threadfs/dist/abi/abi.js";
import { MAX_FILE_SIZE } from "../../../../threadfs/dist/generated/core-layout.js";
import { type CallArguments, isError } from "../call.js";
import { inode, isDriver, touch } from "../calls.js";
import { fget, mayRead, mayWrite, mutex, strip } from "../files/descriptors.js";
import { accessed } from "../permission.js";
import { get, patch, type State, typeOf } from "../state.js";
import { change, type Done, type Me, type Steps, step } from "../steps.js";
import { reservePages } from "./quota.js";

type A = CallArguments;

/** Contents with this text at a place. */
const withText = (data: string, at: number, text: string): string =>
  data.padEnd(at, "\0").slice(0, at) + text + data.slice(at + text.length);

function* sysFallocate(me: Me, { fd, mode, offset, len }: A["sysFallocate"]): Steps<number | string> {
  const f = yield* fget(me, fd);
  if (isError(f)) return f;
  if (!(offset >= 0) || !(len > 0)) return "EINVAL";
  const punches = mode === (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
  if (mode !== 0 && mode !== FALLOC_FL_KEEP_SIZE && !punches) return "EOPNOTSUPP";
  if (!mayWrite(f)) return "EBADF";
  const end = offset + len;
  const refused = yield* step((s) => {
    const i = inode(s, f.ino);
    if (typeOf(i) !== S_IFREG) return typeOf(i) === S_IFDIR ? "EISDIR" : "ENODEV";
    if (end > MAX_FILE_SIZE) return "EFBIG";
    return isDriver(s, i) ? "EOPNOTSUPP" : 0;
  });
  if (refused) return refused;
  const room = punches ? 0 : yield* reservePages(me, f.ino, () => ({ at: offset, n: len }), { all: true });
  if (isError(room)) return room;
  const begin = (s: State): 0 | string => {
    if (mode === FALLOC_FL_KEEP_SIZE && end > inode(s, f.ino).size) return "EOPNOTSUPP";
    strip(s, me, f.ino);
    return 0;
  };
  const run = (s: State): 0 => {
    const { data } = inode(s, f.ino);
    const zeros = "\0".repeat(Math.max(0, Math.min(end, data.length) - offset));
    const changed = punches ? withText(data, Math.min(offset, data.length), zeros) : data.padEnd(end, "\0");
    return touch(s, f.ino, { contents: true, data: changed, size: changed.length });
  };
  return yield* change(me, [{ locks: () => [mutex(f.ino)], run: begin }, { run }]);
}

function* sysCopyFileRange(me: Me, args: A["sysCopyFileRange"]): Steps<number | string> {
  const { fd, offset, fd2, offset2, len } = args;
  const from = yield* fget(me, fd);
  if (isError(from)) return from;
  const to = yield* fget(me, fd2);
  if (isError(to)) return to;
  const refused = yield* step((s) => {
    const [a, b] = [inode(s, from.ino), inode(s, to.ino)];
    if ([a, b].some((i) => typeOf(i) === S_IFDIR)) return "EISDIR";
    if ([a, b].some((i) => typeOf(i) !== S_IFREG)) return "EINVAL";
    if (!mayRead(from) || !mayWrite(to) || to.flags & O_APPEND) return "EBADF";
    return isDriver(s, a) || isDriver(s, b) ? "EOPNOTSUPP" : 0;
  });
  if (refused) return refused;
  const copy = (s: State): number | string | Done<number> => {
    const [a, b] = [inode(s, from.ino), inode(s, to.ino)];
    const start = offset ?? get(s.files, from.id).pos;
    const target = offset2 ?? get(s.files, to.id).pos;
    const text = a.data.slice(start, start + len);
    const n = text.length;
    if (n === 0) return { done: true, result: 0 };
    if (target >= MAX_FILE_SIZE) return "EFBIG";
    if (from.ino === to.ino && target + n > start && target < start + n) return "EINVAL";
    const data = withText(b.data, target, text);
    touch(s, to.ino, { contents: true, data, size: data.length });
    if (offset === undefined) patch(s.files, from.id, { pos: start + n });
    if (offset2 === undefined) patch(s.files, to.id, { pos: target + n });
    return n;
  };
  return yield* change(me, [
    { locks: () => [mutex(from.ino), mutex(to.ino)], run: copy },
    { run: (s: State) => strip(s, me, to.ino) },
    { run: (s: State) => void accessed(s, from.mnt, from.ino) },
  ]);
}

export const RANGE_CALLS = { sysFallocate, sysCopyFileRange };
