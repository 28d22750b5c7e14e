/**
 * Full memory. An arena is filled in one way until there is no room; then
 *  - the checker finds it whole, and the call that found no room has changed nothing;
 *  - every operation of the table works, or fails with ENOSPC and changes nothing; those that need no memory work;
 *  - what was made is removed: as many objects live as at first; it is filled again, to the same count;
 *  - the tree is emptied wholly while the arena is full.
 */
import { ERRNO, MNT_DETACH, O_DIRECTORY } from "../../../threadfs/dist/abi/abi.js";
import type { Failure } from "../support/check.js";
import { readDirents } from "../support/dirents.js";
import {
  type Counts,
  countDifference,
  excused,
  leftBehind,
  lineDifference,
  liveObjects,
} from "./failing-allocations.js";
import type { Fill } from "./fills.js";
import { AllocFixture, type AllocSession, must } from "./fixture.js";
import { OPERATIONS, type Operation, prepared } from "./operations.js";

const ENOSPC = -ERRNO.ENOSPC;
const ROUNDS = 3;
const BYTES = 2304 << 10;
/** More objects than any arena of that size can hold. */
const MANY = 100_000;

/** The outcome of filling an arena. */
export interface Filled {
  /** How many objects there was room for. */
  count: number;
  /** Operations tried in the full arena, and those of them that failed. */
  operations: number;
  refused: number;
  failures: Failure[];
}

/** Notes the problems found at some place, if there are any. */
type Fail = (what: string, wrong: string[]) => void;

/** The dump of an arena, and the number of objects in use. */
interface State {
  arenaDump: string[];
  liveObjects: Counts;
}

export interface FillOptions {
  /** The order of removing. */
  shuffle?: (list: number[]) => number[];
  /** Whether the operations are tried. */
  operations?: boolean;
}

export function fillUp(
  name: string,
  fill: Fill,
  { shuffle = (list) => list, operations = true }: FillOptions = {},
): Filled {
  const found: Filled = { count: 0, operations: 0, refused: 0, failures: [] };
  const fail: Fail = (what, wrong) => {
    if (wrong.length > 0) found.failures.push({ message: `full of ${name}: ${what}`, trace: wrong.join("\n") });
  };
  const place = new AllocFixture({ maxBytes: fill.bytes ?? BYTES });
  let session = place.open();
  must(session.mkdir("/f"));
  fill.prepare?.(session);
  // The first open file takes its memory, whatever the fill makes.
  must(session.close(must(session.open("/w/file"))));
  session.letGo();
  session.settle();
  const quiet = liveObjects(session.inspect());
  for (let round = 0; round < ROUNDS; round++) {
    const made: number[] = [];
    const count = fillRound(session, fill, made, fail);
    if (round === 0) found.count = count;
    fail(`round ${round}`, count === found.count ? [] : [`${count} fit in, and ${found.count} the first time`]);
    if (round === 0 && operations) {
      place.keep(session);
      workWhenFull(place, { fill, made, count, found, fail });
      session = place.open();
    }
    const all = Array.from({ length: count }, (_, i) => i);
    for (const i of fill.backwards ? all.reverse() : shuffle(all)) {
      const result = fill.remove(session, i, made);
      if (result < 0) fail(`removing number ${i}`, [`it returned ${result}`]);
    }
    session.letGo();
    session.settle();
    const v = session.inspect();
    const now = excused(liveObjects(v), quiet, fill.keeps);
    fail(`emptied, round ${round}`, [...v.problems(), ...countDifference(now, quiet)]);
  }
  return found;
}

/** A full arena: how it was filled, and where to note the outcomes of the operations in it. */
interface Full {
  fill: Fill;
  found: Filled;
  fail: Fail;
}

/** Every operation by itself in the full arena, then everything is removed there. */
function workWhenFull(
  place: AllocFixture,
  { fill, made, count, found, fail }: Full & { made: number[]; count: number },
): void {
  const full = stateOf(place.open());
  for (const [title, operation] of Object.entries(OPERATIONS)) {
    tryWhenFull(place, title, operation, { fill, full, found, fail });
  }
  fail("emptied while it is full", emptyAll(place.open(), made, fill, count));
}

/** Fills once; returns how many fitted in. */
function fillRound(session: AllocSession, fill: Fill, made: number[], fail: Fail): number {
  let count = 0;
  for (; count < (fill.most ?? MANY); count++) {
    const result = fill.make(session, count, made);
    if (result >= 0) continue;
    if (result !== ENOSPC) fail(`number ${count}`, [`it returned ${result}`]);
    break;
  }
  if (count === (fill.most ?? MANY)) fail("filling", [`${count} fitted in, and there was still room`]);
  // Once more, with a look before and after.
  session.settle();
  const v = session.inspect();
  const before = session.arenaDump(v);
  const result = fill.make(session, count, made);
  if (result >= 0) {
    // Objects whose grace period ended meanwhile made room for a few more.
    return count + 1 + fillRest(session, fill, made, count + 1);
  }
  const after = session.inspect();
  fail("no room", [...v.problems(), ...after.problems(), ...lineDifference(session.arenaDump(after), before)]);
  return count;
}

function fillRest(session: AllocSession, fill: Fill, made: number[], from: number): number {
  let n = 0;
  while (n < MANY && fill.make(session, from + n, made) >= 0) n++;
  return n;
}

function stateOf(session: AllocSession): State {
  const v = session.inspect();
  return { arenaDump: session.arenaDump(v), liveObjects: liveObjects(v) };
}

/** One operation in the full arena; `full` is its state before any preparation. */
function tryWhenFull(
  place: AllocFixture,
  title: string,
  operation: Operation,
  { fill, full, found, fail }: Full & { full: State },
): void {
  let session: AllocSession;
  let state: number;
  let before = full;
  try {
    if (operation.leaves) {
      const { left = [], quiet } = leftBehind(place.open(), operation);
      before = { arenaDump: left, liveObjects: quiet };
    }
    session = place.open();
    state = prepared(operation, session);
  } catch {
    // The preparation of the operation found no room either.
    return;
  }
  if (operation.prepare && !operation.leaves) before = stateOf(session);
  const value = operation.run(session, state);
  found.operations++;
  const after = session.inspect();
  const wrong = after.problems();
  if (value < 0) {
    found.refused++;
    if (value !== (operation.errno ?? ENOSPC)) wrong.push(`it returned ${value}`);
    if (operation.allocations === 0) wrong.push("it needs no memory");
    if (operation.allocations === 1 && title.startsWith("open") && !fill.reserve)
      wrong.push("there is a reserve for it");
    if (operation.known === undefined) {
      wrong.push(...lineDifference(session.arenaDump(after), before.arenaDump));
      session.settle();
      const now = excused(liveObjects(session.inspect()), before.liveObjects, operation.keeps);
      wrong.push(...countDifference(now, before.liveObjects));
    }
  }
  fail(title, wrong);
}

/** Notes an errno. */
type Good = (result: number, what: string) => void;

/** Removes everything through calls while there is no room: contexts, descriptors, mounts, names. Returns what is wrong afterwards. */
function emptyAll(session: AllocSession, made: number[], fill: Fill, count: number): string[] {
  const wrong: string[] = [];
  const good: Good = (result, what) => {
    if (result < 0) wrong.push(`${what} returned ${result}`);
  };
  if (fill.reserve || made.length > 0)
    for (let i = 0; i < count; i++) good(fill.remove(session, i, made), `removing ${i}`);
  good(session.core.contextDestroy(session.other), "closing the context");
  removeBelow(session, "/", good);
  session.settle();
  const v = session.inspect();
  // The root, the mount of it, the context with its two places; of the driver no object.
  const left = session.arenaDump(v).filter((line) => !line.startsWith("box "));
  if (left.length !== 3) wrong.push(...left.map((line) => `left: ${line}`));
  wrong.push(...v.problems(), ...countDifference(v.counts, { dentries: 1, inodes: 1, mounts: 1, supers: 1, files: 0 }));
  return wrong;
}

function removeBelow(session: AllocSession, dir: string, good: Good): void {
  // A few entries at a time, from the start each time: the entries read before are removed by then.
  for (let rounds = 0; rounds < MANY; rounds++) {
    const names = list(session, dir, good);
    if (names.length === 0) return;
    let removed = 0;
    for (const [name, type] of names) {
      const path = `${dir === "/" ? "" : dir}/${name}`;
      while (session.umount(path, MNT_DETACH) >= 0);
      if (type === 4) removeBelow(session, path, good);
      const result = type === 4 ? session.rmdir(path) : session.unlink(path);
      good(result, `removing ${path}`);
      if (result >= 0) removed++;
    }
    if (removed === 0) return;
  }
}

/** The entries of a directory: names and types. */
function list(session: AllocSession, dir: string, good: Good): [name: string, type: number][] {
  const fd = session.open(dir, O_DIRECTORY);
  good(fd, `opening ${dir}`);
  if (fd < 0) return [];
  const bytes = session.core.sysGetdents(0, fd, 0, -1);
  good(bytes, `reading ${dir}`);
  const names = readDirents(session.thread.io, bytes).map(({ name, type }): [string, number] => [name, type]);
  session.close(fd);
  return names;
}
