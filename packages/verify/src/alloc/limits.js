/**
 * Limits that are not the arena's size, each reached for real: the errno is the documented one, the call changes nothing, the
 * checker finds the arena whole there, and giving one back makes room for one.
 */
import { attach, createMemory } from "../binary/core.js";
import { arenaDump } from "../fsck/arena-dump.js";
import { check, inspect } from "../fsck/check-arena.js";
import { AllocSession, allocCore, must } from "./fixture.js";

const MIB = 1 << 20;

/**
 * @typedef {object} Limit
 * @property {number} most how many there may be; the next one answers `errno`
 * @property {number} errno
 * @property {number} bytes size of the arena
 * @property {(desk: AllocSession, i: number) => number} make
 * @property {(desk: AllocSession, i: number, answer: number) => number} remove
 * @property {(desk: AllocSession) => void} [prepare]
 */

/** @type {Record<string, Limit>} */
export const LIMITS = {
  "descriptors of a context: EMFILE": {
    most: 16_384 - 3,
    errno: -24,
    bytes: 8 * MIB,
    prepare: (session) => must(session.file("/f")),
    make: (session) => session.open("/f"),
    remove: (session, _i, fd) => session.close(fd),
  },
  "open files: ENFILE": {
    most: 262_144,
    errno: -23,
    bytes: 64 * MIB,
    prepare(session) {
      must(session.file("/f"));
      session.contexts = Array.from({ length: 17 }, () => must(session.core.contextCreate(0, 0, 0, 0, 0, -1)));
    },
    make: (session, i) => session.open("/f", 0, session.contexts[Math.floor(i / 16_000)]),
    remove: (session, i, fd) => session.close(fd, session.contexts[Math.floor(i / 16_000)]),
  },
  "contexts: ENOSPC": {
    most: 1023,
    errno: -28,
    bytes: 8 * MIB,
    make: (session) => session.context(),
    remove: (session, _i, number) => session.core.contextDestroy(number),
  },
  // The desk has registered one.
  "drivers: ENOSPC": {
    most: 31,
    errno: -28,
    bytes: 4 * MIB,
    make: (session, i) => session.core.driverRegister(session.path(`driver-${i}`), 1, 0),
    remove: (session, _i, number) => session.core.driverUnregister(number),
  },
  // The desk is one.
  "threads: EUSERS": {
    most: 255,
    errno: -87,
    bytes: 64 * MIB,
    prepare: (session) => {
      session.threads = [];
    },
    make(session, i) {
      try {
        session.threads[i] = attach(session.memory, allocCore());
        return 0;
      } catch (error) {
        return Number(/answered (-\d+)/.exec(error.message)?.[1]);
      }
    },
    remove: (session, i) => session.threads[i].exports.threadDetach(),
  },
  "links in one walk: ELOOP": {
    most: 40,
    errno: -40,
    bytes: 4 * MIB,
    prepare: (session) => must(session.file("/end")),
    // One link more each time, and the walk over all of them.
    make(session, i) {
      must(session.symlink(i === 0 ? "/end" : `/link-${i - 1}`, `/link-${i}`));
      const answer = session.stat(`/link-${i}`);
      if (answer < 0) must(session.unlink(`/link-${i}`));
      return answer;
    },
    remove: (session, i) => session.unlink(`/link-${i}`),
  },
};

/** @returns {{ count: number, failures: { message: string, trace?: string }[] }} */
export function reach(name, { most, errno, bytes, prepare, make, remove }) {
  const wrong = [];
  const session = new AllocSession(createMemory({ maxBytes: bytes, threads: 0 }), { init: { seed: 1 } });
  prepare?.(session);
  const answers = [];
  let count = 0;
  for (; count <= most; count++) {
    answers[count] = make(session, count);
    if (answers[count] < 0) break;
  }
  if (count !== most) wrong.push(`${count} were possible, then it answered ${answers[count]}`);
  const v = inspect(session.memory);
  const before = arenaDump(v);
  const answer = make(session, count);
  if (answer !== errno) wrong.push(`beyond the limit it answered ${answer}, not ${errno}`);
  const after = inspect(session.memory);
  wrong.push(...v.problems(), ...after.problems());
  if (before.join("\n") !== arenaDump(after).join("\n")) wrong.push("the refused call changed something");
  // One goes, one can come.
  const free = count >> 1;
  wrong.push(...expectGood(remove(session, free, answers[free]), "giving one back"));
  answers[free] = make(session, free);
  wrong.push(...expectGood(answers[free], "one more after one was given back"));
  for (let i = count - 1; i >= 0; i--)
    wrong.push(...expectGood(remove(session, i, answers[i]), `giving number ${i} back`));
  wrong.push(...check(session.memory).problems);
  return { count, failures: wrong.length === 0 ? [] : [{ message: name, trace: wrong.slice(0, 20).join("\n") }] };
}

function expectGood(answer, what) {
  return answer < 0 ? [`${what} answered ${answer}`] : [];
}
