/**
 * Each allocation of each operation refused, the n-th alone and the n-th with all that follow, until the operation succeeds
 * without getting that far. Each time: the errno is ENOSPC; the checker of the arena finds it whole; the tree is what it was, to the
 * times; as many objects live as before; the same call succeeds afterwards and does the same as if nothing had failed.
 */
import { ERRNO } from "../../../threadfs/dist/abi/abi.js";
import { CACHES } from "../arena/layout.js";
import type { Failure } from "../support/check.js";
import { defined } from "../support/defined.js";
import { type AllocFixture, type AllocSession, must } from "./fixture.js";
import { type Operation, prepared } from "./operations.js";

const ENOSPC = -ERRNO.ENOSPC;
/** More allocations than any operation of the table makes. */
const ALLOCATIONS_MAX = 100;
/** The time at which an operation runs that is compared with another. */
const LATER = 1_700_000_100_000;
/** Counts that must be as before, beside the sized caches. */
const LIVE = ["dentries", "inodes", "mounts", "supers", "files", "contexts", "descriptors"];
const SIZED = CACHES.filter((cache) => cache.size > 0 && !cache.typed).map((cache) => cache.name);

/** Numbers of objects, by the name of their type or cache. */
export type Counts = Record<string, number>;

/** Live objects by type, and sized ones by size, of a settled tree. */
export function liveObjects({ counts }: { counts: Counts }): Counts {
  return Object.fromEntries([...LIVE, ...SIZED].map((name) => [name, defined(counts[name], `count of ${name}`)]));
}

/** The differences between two sets of numbers, as text. */
export function countDifference(is: Counts, should: Counts): string[] {
  const names = Object.keys(should).filter((name) => is[name] !== should[name]);
  return names.map((name) => `${name}: ${is[name]}, not ${should[name]}`);
}

/** The lines that are in one list alone. */
export function lineDifference(is: string[], should: string[]): string[] {
  const [a, b] = [new Set(is), new Set(should)];
  return [...is.filter((x) => !b.has(x)).map((x) => `+ ${x}`), ...should.filter((x) => !a.has(x)).map((x) => `- ${x}`)];
}

/** The counts as they are, but of some caches as they were: what a failed call may keep is no difference. */
export function excused(now: Counts, before: Counts, keeps: string[] = []): Counts {
  const kept = keeps.map((cache) => [cache, defined(before[cache], `count of ${cache}`)] as const);
  return { ...now, ...Object.fromEntries(kept) };
}

/** In which state an operation is tried. */
export interface Way {
  /** Objects that wait for their grace period when the operation begins. */
  retired?: number;
  /** Walks take references from their start. */
  ref?: boolean;
}

/** The outcome of the refused allocations of one operation. */
export interface RefusedAllocations {
  cases: number;
  /** Cases in which the call failed. */
  refused: number;
  failures: Failure[];
}

/** One operation. */
export function refuseEach(
  place: AllocFixture,
  name: string,
  operation: Operation,
  { retired = 0, ref = false }: Way = {},
): RefusedAllocations {
  const open = () => {
    const session = place.open(retired);
    session.core.walkMode(ref ? 1 : 0);
    return session;
  };
  const found: RefusedAllocations = { cases: 0, refused: 0, failures: [] };
  const { left, quiet, after } = undisturbed(open, operation);
  const { without } = operation;
  const less = without && undisturbed(open, { ...operation, run: without }).after;
  if (after.allocations !== operation.allocations) {
    const message = `${name}: ${after.allocations} allocations, and the table says ${operation.allocations}`;
    found.failures.push({ message });
  }
  for (const all of [false, true]) {
    for (let n = 1; n <= ALLOCATIONS_MAX; n++) {
      const session = open();
      const wrong: string[] = [];
      const reached = attempt(session, operation, { n, all, left, quiet, after, less }, wrong, found);
      if (!reached) break;
      found.cases++;
      if (wrong.length === 0) continue;
      const message = `${name}: allocation ${n}${all ? " and all later ones" : ""} refused, ${retired} objects retired before${ref ? ", ref-walk" : ""}`;
      found.failures.push({ message, trace: wrong.join("\n") });
    }
  }
  return found;
}

/** The outcome of an operation when no allocation fails. */
interface Success {
  allocations: number;
  value: number;
  arenaDump: string[];
  liveObjects: Counts;
}

/** What a failed call may leave: the lines of the dump where they are not those before it, and the objects in use. */
interface Left {
  left: string[] | undefined;
  quiet: Counts;
}

/** The state that a failed call of the operation may leave behind, after unused memory was freed. */
export function leftBehind(session: AllocSession, operation: Operation): Left {
  if (operation.leaves) must(operation.leaves(session));
  else prepared(operation, session);
  session.settle();
  const v = session.inspect();
  return { left: operation.leaves && session.arenaDump(v), quiet: liveObjects(v) };
}

/** The operation when no allocation fails, and what it may leave when one does, both after unused memory was freed. */
function undisturbed(open: () => AllocSession, operation: Operation): Left & { after: Success } {
  const { left, quiet } = leftBehind(open(), operation);
  const session = open();
  const state = prepared(operation, session);
  session.time = LATER;
  const { value, allocations } = session.refusing(Number.POSITIVE_INFINITY, false, () => operation.run(session, state));
  must(value);
  session.settle();
  const v = session.inspect();
  return {
    left,
    quiet,
    after: { allocations, value, arenaDump: session.arenaDump(v, { identity: false }), liveObjects: liveObjects(v) },
  };
}

/** The allocation that is refused (`all`: with all later ones), and the operation when no allocation fails. */
interface Attempt extends Left {
  n: number;
  all: boolean;
  after: Success;
  /** The same where the call goes on without memory, if that is not the same: it then returns another number. */
  less: Success | undefined;
}

/** One attempt. Returns whether the n-th allocation was requested; what is wrong is added to `wrong`. */
function attempt(
  session: AllocSession,
  operation: Operation,
  { n, all, left, quiet, after, less }: Attempt,
  wrong: string[],
  found: RefusedAllocations,
): boolean {
  const state = prepared(operation, session);
  const before = left ?? session.arenaDump(session.inspect());
  session.time = LATER;
  const { value, reached } = session.refusing(n, all, () => operation.run(session, state));
  if (!reached) return false;
  const v = session.inspect();
  wrong.push(...v.problems());
  if (value < 0) {
    found.refused++;
    if (value !== (operation.errno ?? ENOSPC)) wrong.push(`it returned ${value}`);
    wrong.push(...lineDifference(session.arenaDump(v), before));
    // In half of the attempts the call is repeated at once, with the caches as the first call left them.
    if (!all) {
      session.settle();
      const now = excused(liveObjects(session.inspect()), quiet, operation.keeps);
      wrong.push(...countDifference(now, quiet));
    }
    const again = operation.run(session, state);
    if (again < 0) wrong.push(`the same call returned ${again} afterwards`);
    else if (again !== after.value && !operation.fresh)
      wrong.push(`the same call returned ${again} afterwards, not ${after.value}`);
  } else if (operation.short && value < after.value) {
    // The bytes that it reported as written are there; the rest can be written now.
    wrong.push(...finishShort(session, operation, state, value));
  }
  session.settle();
  const last = session.inspect();
  wrong.push(...last.problems());
  const { arenaDump, liveObjects: live } = less?.value === value ? less : after;
  wrong.push(...lineDifference(session.arenaDump(last, { identity: false }), arenaDump));
  wrong.push(...countDifference(liveObjects(last), live));
  return true;
}

/** A write that took fewer bytes: it is asked for the rest by doing all of it once more. */
function finishShort(session: AllocSession, operation: Operation, state: number, value: number): string[] {
  if (value === 0) return ["it wrote nothing and returned 0"];
  const again = operation.run(session, state);
  return again < 0 ? [`the same call returned ${again} after ${value} bytes`] : [];
}
