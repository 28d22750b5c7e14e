/**
 * Advisory locks as flock(2) and fcntl(2) describe them, in the plainest form: of each owner the type of its flock, and the ranges that it has
 * locked, in their order. Owners stand in the order in which they came to have a range. Plain data, never edited.
 */

/** A range: its type (F_RDLCK, F_WRLCK), its first and its last byte. */
export type Range = readonly [type: number, start: number, end: number];
/** The locks on one file, by owner. */
export interface FileLocks {
  flock: Readonly<Record<string, number>>;
  ranges: Readonly<Record<string, readonly Range[]>>;
}

export const READ = 0;
export const WRITE = 1;
export const UNLOCK = 2;
/** The last byte of a range without an end. */
export const LAST = Number.MAX_SAFE_INTEGER;
export const NO_LOCKS: FileLocks = { flock: {}, ranges: {} };

/** Whether a request was granted, the locks after it, and the owner that was in the way. */
export interface Answer {
  locks: FileLocks;
  blocker?: string;
}

const excludes = (a: number, b: number): boolean => a === WRITE || b === WRITE;

function without<T>(table: Readonly<Record<string, T>>, owner: string): Record<string, T> {
  const { [owner]: _gone, ...others } = table;
  return others;
}

/** flock(2): exchanging a lock for one of the other type gives it up first. */
export function flock(locks: FileLocks, owner: string, type: number): Answer {
  if (locks.flock[owner] === type) return { locks };
  const others = without(locks.flock, owner);
  const given = locks.flock[owner] === undefined ? locks : { ...locks, flock: others };
  if (type === UNLOCK) return { locks: given };
  const blocker = Object.keys(others).find((other) => excludes(type, others[other] ?? READ));
  if (blocker !== undefined) return { locks: given, blocker };
  return { locks: { ...locks, flock: { ...others, [owner]: type } } };
}

/** F_GETLK: the first lock that is in the way of a request. */
export function inTheWay(
  { ranges }: FileLocks,
  owner: string,
  [type, start, end]: Range,
): { owner: string; range: Range } | undefined {
  for (const [other, list] of Object.entries(ranges)) {
    if (other === owner) continue;
    const range = list.find(([t, s, e]) => excludes(type, t) && s <= end && start <= e);
    if (range !== undefined) return { owner: other, range };
  }
  return undefined;
}

/** F_SETLK: every byte of the range gets the type, and neighbours of one type become one range. */
export function setRange(locks: FileLocks, owner: string, [type, start, end]: Range): Answer {
  const blocker = type === UNLOCK ? undefined : inTheWay(locks, owner, [type, start, end])?.owner;
  if (blocker !== undefined) return { locks, blocker };
  const kept = (locks.ranges[owner] ?? []).flatMap(([t, s, e]): Range[] => [
    ...(s < start ? ([[t, s, Math.min(e, start - 1)]] as Range[]) : []),
    ...(e > end ? ([[t, Math.max(s, end + 1), e]] as Range[]) : []),
  ]);
  const all = [...kept, ...(type === UNLOCK ? [] : ([[type, start, end]] as Range[]))].sort((a, b) => a[1] - b[1]);
  const merged: Range[] = [];
  for (const range of all) {
    const before = merged.at(-1);
    if (before !== undefined && before[0] === range[0] && before[2] + 1 === range[1]) {
      merged[merged.length - 1] = [before[0], before[1], range[2]];
    } else merged.push(range);
  }
  if (merged.length === 0) return { locks: { ...locks, ranges: without(locks.ranges, owner) } };
  return { locks: { ...locks, ranges: { ...locks.ranges, [owner]: merged } } };
}

/** The locks without those of an owner. */
export function withoutOwner(locks: FileLocks, owner: string): FileLocks {
  if (locks.flock[owner] === undefined && locks.ranges[owner] === undefined) return locks;
  return { flock: without(locks.flock, owner), ranges: without(locks.ranges, owner) };
}

/** The range of struct flock, counted from `base`; a string: the error. */
export function rangeOf(type: number, base: number, len: number): Range | string {
  if (base < 0 || base + Math.min(len, 0) < 0) return "EINVAL";
  if (len < 0) return [type, base + len, base - 1];
  return [type, base, len === 0 ? LAST : base + len - 1];
}
