/**
 * Limits that are not the arena's size, each reached for real: the errno is the documented one, the call changes nothing, the
 * checker finds the arena whole there, and giving one back makes room for one.
 */
import {
  BLOCKED_LOCKS_MAX,
  F_UNLCK,
  F_WRLCK,
  FILE_LOCKS_MAX,
  LOCK_EX,
  O_RDWR,
} from "../../../threadfs/dist/abi/abi.js";
import { attach, createMemory, type Thread } from "../binary/core.js";
import { arenaDump } from "../fsck/arena-dump.js";
import { check, inspect } from "../fsck/check-arena.js";
import type { Failure } from "../support/check.js";
import { defined, messageOf } from "../support/defined.js";
import { AllocSession, allocCore, must } from "./fixture.js";

const MIB = 1 << 20;

export interface Limit {
  /** How many there may be; the next one fails with `errno`. */
  most: number;
  errno: number;
  /** Size of the arena. */
  bytes: number;
  /** Prepares the tree; returns what makes and removes one. */
  start(session: AllocSession): Counted;
}

interface Counted {
  /** Makes the i-th: >= 0, or -errno. */
  make(i: number): number;
  /** Removes the i-th, for which make() returned `result`. */
  remove(i: number, result: number): number;
}

export const LIMITS = {
  "descriptors of a context: EMFILE": {
    most: 16_384 - 3,
    errno: -24,
    bytes: 8 * MIB,
    start(session) {
      must(session.file("/f"));
      return { make: () => session.open("/f"), remove: (_i, fd) => session.close(fd) };
    },
  },
  "descriptors of a context, any of them: EMFILE": {
    most: 16_384 - 3,
    errno: -24,
    bytes: 8 * MIB,
    start(session) {
      must(session.file("/f"));
      return { make: () => session.openAny("/f"), remove: (_i, fd) => session.close(fd) };
    },
  },
  "open files: ENFILE": {
    most: 262_144,
    errno: -23,
    bytes: 64 * MIB,
    start(session) {
      must(session.file("/f"));
      const contexts = Array.from({ length: 17 }, () => must(session.core.contextCreate(0, 0, 0, 0, 0, -1, 0, 0)));
      const contextOf = (i: number) => defined(contexts[Math.floor(i / 16_000)], "context");
      return {
        make: (i) => session.open("/f", 0, contextOf(i)),
        remove: (i, fd) => session.close(fd, contextOf(i)),
      };
    },
  },
  "contexts: EAGAIN": {
    most: 1023,
    errno: -11,
    bytes: 8 * MIB,
    start: (session) => ({
      make: () => session.context(),
      remove: (_i, number) => session.core.contextDestroy(number),
    }),
  },
  // The session has registered three.
  "drivers: ENOSPC": {
    most: 29,
    errno: -28,
    bytes: 4 * MIB,
    start: (session) => ({
      make: (i) => session.core.driverRegister(0, session.path(`driver-${i}`), 1, 0),
      remove: (_i, number) => session.core.driverUnregister(0, number),
    }),
  },
  // The session is one.
  "threads: EUSERS": {
    most: 255,
    errno: -87,
    bytes: 64 * MIB,
    start(session) {
      const threads = new Map<number, Thread>();
      return {
        make(i) {
          try {
            threads.set(i, attach(session.memory, allocCore()));
            return 0;
          } catch (error) {
            return Number(/returned (-\d+)/.exec(messageOf(error))?.[1]);
          }
        },
        remove: (i) => defined(threads.get(i), `thread ${i}`).exports.threadDetach(),
      };
    },
  },
  "locks on a file: ENOLCK": {
    most: FILE_LOCKS_MAX,
    errno: -37,
    bytes: 4 * MIB,
    start(session) {
      must(session.file("/f"));
      const fd = must(session.open("/f", O_RDWR));
      return {
        make: (i) => session.lock(fd, F_WRLCK, 2 * i, 1),
        remove: (i) => session.lock(fd, F_UNLCK, 2 * i, 1),
      };
    },
  },
  "requests that wait for a lock: ENOLCK": {
    most: BLOCKED_LOCKS_MAX,
    errno: -37,
    bytes: 4 * MIB,
    start(session) {
      must(session.file("/f"));
      must(session.core.sysFlock(0, must(session.open("/f")), LOCK_EX));
      const fd = must(session.open("/f"));
      return {
        make: () => session.core.lockRequest(0, fd, LOCK_EX),
        remove: (_i, request) => session.core.lockCancel(request),
      };
    },
  },
  "links in one walk: ELOOP": {
    most: 40,
    errno: -40,
    bytes: 4 * MIB,
    start(session) {
      must(session.file("/end"));
      return {
        // One link more each time, and the walk over all of them.
        make(i) {
          must(session.symlink(i === 0 ? "/end" : `/link-${i - 1}`, `/link-${i}`));
          const result = session.stat(`/link-${i}`);
          if (result < 0) must(session.unlink(`/link-${i}`));
          return result;
        },
        remove: (i) => session.unlink(`/link-${i}`),
      };
    },
  },
} satisfies Record<string, Limit>;

/** Reaches a limit; `count`: how many there were. */
export function reach(name: string, { most, errno, bytes, start }: Limit): { count: number; failures: Failure[] } {
  const wrong: string[] = [];
  const session = new AllocSession(createMemory({ maxBytes: bytes, threads: 0 }), { init: { seed: 1 } });
  const { make, remove } = start(session);
  const results: number[] = [];
  const resultOf = (i: number) => defined(results[i], `result of number ${i}`);
  let count = 0;
  for (; count <= most; count++) {
    const made = make(count);
    results.push(made);
    if (made < 0) break;
  }
  if (count !== most) wrong.push(`${count} were possible, then it returned ${results[count]}`);
  const v = inspect(session.memory);
  const before = arenaDump(v);
  const result = make(count);
  if (result !== errno) wrong.push(`beyond the limit it returned ${result}, not ${errno}`);
  const after = inspect(session.memory);
  wrong.push(...v.problems(), ...after.problems());
  if (before.join("\n") !== arenaDump(after).join("\n")) wrong.push("the refused call changed something");
  // One goes, one can come.
  const free = count >> 1;
  wrong.push(...expectGood(remove(free, resultOf(free)), "removing one"));
  const again = make(free);
  results[free] = again;
  wrong.push(...expectGood(again, "one more after one was removed"));
  for (let i = count - 1; i >= 0; i--) wrong.push(...expectGood(remove(i, resultOf(i)), `removing number ${i}`));
  wrong.push(...check(session.memory).problems);
  return { count, failures: wrong.length === 0 ? [] : [{ message: name, trace: wrong.slice(0, 20).join("\n") }] };
}

function expectGood(result: number, what: string): string[] {
  return result < 0 ? [`${what} returned ${result}`] : [];
}
