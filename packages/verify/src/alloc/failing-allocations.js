/**
 * Each allocation of each operation refused, the n-th alone and the n-th with all that follow, until the operation succeeds
 * without getting that far. Each time: the errno is ENOSPC; the checker of the arena finds it whole; the tree is what it was, to the
 * times; as many objects live as before; the same call succeeds afterwards and does the same as if nothing had failed.
 */
import { CACHES } from "../arena/layout.js";
import { must } from "./fixture.js";

const ENOSPC = -28;
/** No operation of the table has so many allocations. */
const ALLOCATIONS_MAX = 100;
/** The time at which an operation runs that is compared with another. */
const LATER = 1_700_000_100_000;
/** What must be as before, beside the sized caches. */
const LIVE = ["dentries", "inodes", "mounts", "supers", "files", "contexts", "descriptors"];
const SIZED = CACHES.filter((cache) => cache.size > 0 && !cache.typed).map((cache) => cache.name);

/** Live objects by type, and sized ones by size, of a settled tree. */
export function liveObjects({ counts }) {
  return Object.fromEntries([...LIVE, ...SIZED].map((name) => [name, counts[name]]));
}

/** What differs between two lists of lines or two objects of numbers, in words. */
export function difference(is, should) {
  if (!Array.isArray(is)) {
    const names = Object.keys(should).filter((name) => is[name] !== should[name]);
    return names.map((name) => `${name}: ${is[name]}, not ${should[name]}`);
  }
  const [a, b] = [new Set(is), new Set(should)];
  return [...is.filter((x) => !b.has(x)).map((x) => `+ ${x}`), ...should.filter((x) => !a.has(x)).map((x) => `- ${x}`)];
}

/**
 * One operation.
 * @param {import("./fixture.js").AllocFixture} place
 * @param {string} name
 * @param {import("./operations.js").Operation} operation
 * @param {{ retired?: number, ref?: boolean }} options `retired`: objects that wait for their grace period when the operation
 *   begins; `ref`: walks take references from their start
 * @returns {{ cases: number, refused: number, failures: { message: string, trace?: string }[] }}
 */
export function refuseEach(place, name, operation, { retired = 0, ref = false } = {}) {
  const open = () => {
    const session = place.open(retired);
    session.core.walkMode(ref ? 1 : 0);
    return session;
  };
  const found = { cases: 0, refused: 0, failures: [] };
  const { quiet, after } = undisturbed(open, operation);
  if (after.allocations !== operation.allocations) {
    const message = `${name}: ${after.allocations} allocations, and the table says ${operation.allocations}`;
    found.failures.push({ message });
  }
  for (const all of [false, true]) {
    for (let n = 1; n <= ALLOCATIONS_MAX; n++) {
      const session = open();
      const wrong = [];
      const reached = attempt(session, operation, { n, all, quiet, after }, wrong, found);
      if (!reached) break;
      found.cases++;
      if (wrong.length === 0) continue;
      const message = `${name}: allocation ${n}${all ? " and all later ones" : ""} refused, ${retired} objects retired before${ref ? ", ref-walk" : ""}`;
      found.failures.push({ message, trace: wrong.join("\n") });
    }
  }
  return found;
}

/** The operation when nothing fails, and the tree before it, both settled. */
function undisturbed(open, operation) {
  const before = open();
  operation.prepare?.(before);
  before.settle();
  const quiet = liveObjects(before.inspect());
  const session = open();
  const state = operation.prepare?.(session);
  session.time = LATER;
  const { value, allocations } = session.refusing(Number.POSITIVE_INFINITY, false, () => operation.run(session, state));
  must(value);
  session.settle();
  const v = session.inspect();
  return {
    quiet,
    after: { allocations, value, arenaDump: session.arenaDump(v, { identity: false }), liveObjects: liveObjects(v) },
  };
}

/** One attempt. Answers whether the n-th allocation was asked for; what is wrong is added to `wrong`. */
function attempt(session, operation, { n, all, quiet, after }, wrong, found) {
  const state = operation.prepare?.(session);
  const before = session.arenaDump(session.inspect());
  session.time = LATER;
  const { value, reached } = session.refusing(n, all, () => operation.run(session, state));
  if (!reached) return false;
  const v = session.inspect();
  wrong.push(...v.problems());
  if (value < 0) {
    found.refused++;
    if (value !== ENOSPC) wrong.push(`it answered ${value}`);
    wrong.push(...difference(session.arenaDump(v), before));
    // Half of the time the call comes again at once, with whatever the first left in caches.
    if (!all) {
      session.settle();
      const now = liveObjects(session.inspect());
      for (const cache of operation.keeps ?? []) now[cache] = quiet[cache];
      wrong.push(...difference(now, quiet));
    }
    const again = operation.run(session, state);
    if (again < 0) wrong.push(`the same call answered ${again} afterwards`);
    else if (again !== after.value && !operation.fresh)
      wrong.push(`the same call answered ${again} afterwards, not ${after.value}`);
  } else if (operation.short && value < after.value) {
    // What it says it wrote is there; the rest of it can be written now.
    wrong.push(...finishShort(session, operation, state, value));
  }
  session.settle();
  const last = session.inspect();
  wrong.push(...last.problems());
  wrong.push(...difference(session.arenaDump(last, { identity: false }), after.arenaDump));
  wrong.push(...difference(liveObjects(last), after.liveObjects));
  return true;
}

/** A write that took fewer bytes: it is asked for the rest by doing all of it once more. */
function finishShort(session, operation, state, value) {
  if (value === 0) return ["it wrote nothing and answered 0"];
  const again = operation.run(session, state);
  return again < 0 ? [`the same call answered ${again} after ${value} bytes`] : [];
}
