/**
 * Limits that are not the arena's size, each reached for real: the errno is the documented one, the call changes nothing, the
 * checker finds the arena whole there, and giving one back makes room for one.
 */
import { attach, createMemory } from "../binary/core.js";
import { picture } from "../fsck/arena-dump.js";
import { check, inspect } from "../fsck/check-arena.js";
import { allocCore, Desk, must } from "./fixture.js";

const MIB = 1 << 20;

/**
 * @typedef {object} Limit
 * @property {number} most how many there may be; the next one answers `errno`
 * @property {number} errno
 * @property {number} bytes size of the arena
 * @property {(desk: Desk, i: number) => number} make
 * @property {(desk: Desk, i: number, answer: number) => number} remove
 * @property {(desk: Desk) => void} [prepare]
 */

/** @type {Record<string, Limit>} */
export const LIMITS = {
  "descriptors of a context: EMFILE": {
    most: 16_384 - 3,
    errno: -24,
    bytes: 8 * MIB,
    prepare: (desk) => must(desk.file("/f")),
    make: (desk) => desk.open("/f"),
    remove: (desk, _i, fd) => desk.close(fd),
  },
  "open files: ENFILE": {
    most: 262_144,
    errno: -23,
    bytes: 64 * MIB,
    prepare(desk) {
      must(desk.file("/f"));
      desk.contexts = Array.from({ length: 17 }, () => must(desk.core.contextCreate(0, 0, 0, 0, 0, -1)));
    },
    make: (desk, i) => desk.open("/f", 0, desk.contexts[Math.floor(i / 16_000)]),
    remove: (desk, i, fd) => desk.close(fd, desk.contexts[Math.floor(i / 16_000)]),
  },
  "contexts: ENOSPC": {
    most: 1023,
    errno: -28,
    bytes: 8 * MIB,
    make: (desk) => desk.context(),
    remove: (desk, _i, number) => desk.core.contextDestroy(number),
  },
  // The desk has registered one.
  "drivers: ENOSPC": {
    most: 31,
    errno: -28,
    bytes: 4 * MIB,
    make: (desk, i) => desk.core.driverRegister(desk.path(`driver-${i}`), 1, 0),
    remove: (desk, _i, number) => desk.core.driverUnregister(number),
  },
  // The desk is one.
  "threads: EUSERS": {
    most: 255,
    errno: -87,
    bytes: 64 * MIB,
    prepare: (desk) => {
      desk.threads = [];
    },
    make(desk, i) {
      try {
        desk.threads[i] = attach(desk.memory, allocCore());
        return 0;
      } catch (error) {
        return Number(/answered (-\d+)/.exec(error.message)?.[1]);
      }
    },
    remove: (desk, i) => desk.threads[i].exports.threadDetach(),
  },
  "links in one walk: ELOOP": {
    most: 40,
    errno: -40,
    bytes: 4 * MIB,
    prepare: (desk) => must(desk.file("/end")),
    // One link more each time, and the walk over all of them.
    make(desk, i) {
      must(desk.symlink(i === 0 ? "/end" : `/link-${i - 1}`, `/link-${i}`));
      const answer = desk.stat(`/link-${i}`);
      if (answer < 0) must(desk.unlink(`/link-${i}`));
      return answer;
    },
    remove: (desk, i) => desk.unlink(`/link-${i}`),
  },
};

/** @returns {{ count: number, failures: { message: string, trace?: string }[] }} */
export function reach(name, { most, errno, bytes, prepare, make, remove }) {
  const wrong = [];
  const desk = new Desk(createMemory({ maxBytes: bytes, threads: 0 }), { init: { seed: 1 } });
  prepare?.(desk);
  const answers = [];
  let count = 0;
  for (; count <= most; count++) {
    answers[count] = make(desk, count);
    if (answers[count] < 0) break;
  }
  if (count !== most) wrong.push(`${count} were possible, then it answered ${answers[count]}`);
  const v = inspect(desk.memory);
  const before = picture(v);
  const answer = make(desk, count);
  if (answer !== errno) wrong.push(`beyond the limit it answered ${answer}, not ${errno}`);
  const after = inspect(desk.memory);
  wrong.push(...v.problems(), ...after.problems());
  if (before.join("\n") !== picture(after).join("\n")) wrong.push("the refused call changed something");
  // One goes, one can come.
  const free = count >> 1;
  wrong.push(...expectGood(remove(desk, free, answers[free]), "giving one back"));
  answers[free] = make(desk, free);
  wrong.push(...expectGood(answers[free], "one more after one was given back"));
  for (let i = count - 1; i >= 0; i--)
    wrong.push(...expectGood(remove(desk, i, answers[i]), `giving number ${i} back`));
  wrong.push(...check(desk.memory).problems);
  return { count, failures: wrong.length === 0 ? [] : [{ message: name, trace: wrong.slice(0, 20).join("\n") }] };
}

function expectGood(answer, what) {
  return answer < 0 ? [`${what} answered ${answer}`] : [];
}
