/** Allocations outside of the slabs: making the arena, the scratch area of a thread that attaches, growing the memory. */
import type { CoreExports } from "../../../threadfs/dist/abi/abi.js";
import { ERRNO } from "../../../threadfs/dist/abi/abi.js";
import { attach, createMemory, logicalClock, type Thread } from "../binary/core.js";
import { check } from "../fsck/check-arena.js";
import type { Failure } from "../support/check.js";
import { defined, messageOf } from "../support/defined.js";
import { FILLS, type Fill } from "./fills.js";
import { AllocFixture, AllocSession, allocCore, must } from "./fixture.js";

const ENOSPC = -ERRNO.ENOSPC;
const EINVAL = -ERRNO.EINVAL;
const THREADS_MAX = 256;

/** Making an arena with each allocation refused fails with ENOSPC, and no thread can attach to what is left. */
export function refuseInit(): { cases: number; failures: Failure[] } {
  const failures: Failure[] = [];
  let n = 1;
  for (; n < 100; n++) {
    const memory = createMemory({ maxBytes: 2 << 20, threads: 0 });
    let asked = 0;
    const core = instance(memory, () => (++asked === n ? 1 : 0));
    const result = core.arenaInit(2 << 20, 1, 0, 0, 0, 0, -1, -1);
    if (asked < n) break;
    const state = core.arenaCheck();
    if (result !== ENOSPC || state !== EINVAL || core.threadAttach(1, 0) !== EINVAL) {
      failures.push({ message: `arenaInit, allocation ${n} refused: ${result}, then arenaCheck returns ${state}` });
    }
  }
  return { cases: n - 1, failures };
}

/** The core without a Thread around it, which would attach. */
function instance(memory: WebAssembly.Memory, enter: () => number): CoreExports {
  const imports: WebAssembly.Imports = {
    env: { memory },
    verify: { enter },
    host: {
      now: () => 0,
      clock: () => logicalClock(),
      wait: (_word: number, _expected: number, ms: number) => {
        logicalClock(ms);
        return 2;
      },
      panic: (code: number) => {
        throw new Error(`panic ${code}`);
      },
      timedOut: (word: number) => {
        throw new Error(`the call waited too long (${word})`);
      },
      driverCall: () => -5,
      copyFromUser: () => 0,
      copyToUser: () => 0,
      security: () => 0,
      audit: () => undefined,
    },
  };
  const module = defined(allocCore().module, "compiled core");
  // The type of an instance's exports cannot be known: this is what the core exports.
  return new WebAssembly.Instance(module, imports).exports as unknown as CoreExports;
}

/** How many more threads the arena takes, and the message of the refusal; each of them is detached again. */
function attachAll(memory: WebAssembly.Memory): { count: number; refused: string | undefined } {
  const threads: Thread[] = [];
  let refused: string | undefined;
  for (let n = 0; n < THREADS_MAX && refused === undefined; n++) {
    try {
      threads.push(attach(memory, allocCore()));
    } catch (error) {
      refused = messageOf(error);
    }
  }
  for (const thread of threads) thread.check("threadDetach");
  return { count: threads.length, refused };
}

/**
 * Attaching to a full arena fails with ENOSPC and changes nothing; names can still be removed. `later`: whether a new
 * thread finds room once the arena has been emptied.
 */
export function attachWhenFull(): { failures: Failure[]; later: boolean } {
  const place = new AllocFixture({ maxBytes: 2 << 20 });
  const session = place.open();
  const fill: Fill = FILLS["files of 100,000 bytes"];
  must(session.mkdir("/f"));
  let count = 0;
  while (count < 1000 && fill.make(session, count, []) >= 0) count++;
  const wrong: string[] = [];
  const first = attachAll(session.memory);
  if (!first.refused?.includes(`returned ${ENOSPC}`)) wrong.push(`after ${first.count} more threads: ${first.refused}`);
  const before = session.arenaDump(session.inspect());
  const again = attachAll(session.memory);
  // Slots that had a scratch area keep it.
  if (again.count !== first.count)
    wrong.push(`${again.count} threads attached the second time, ${first.count} the first`);
  if (session.arenaDump(session.inspect()).join() !== before.join())
    wrong.push("a refused attachment changed something");
  wrong.push(...check(session.memory).problems);
  for (let i = 0; i < count; i++) if (fill.remove(session, i, []) < 0) wrong.push(`number ${i} could not be removed`);
  session.settle();
  const last = attachAll(session.memory);
  wrong.push(...check(session.memory).problems);
  const failures =
    wrong.length === 0 ? [] : [{ message: "threads that attach to a full arena", trace: wrong.join("\n") }];
  return { failures, later: last.count > first.count };
}

/**
 * A memory that cannot grow to the arena's maximum, because the system has none left: ENOSPC there, nothing lost,
 * and what is removed makes room for as much again.
 */
export function growthRefused(): { count: number; failures: Failure[] } {
  const memory = createMemory({ maxBytes: 4 << 20, threads: 0 });
  const made = instance(memory, () => 0).arenaInit(64 << 20, 1, 0, 0, 0, 0, -1, -1);
  const wrong = made === 0 ? [] : [`arenaInit returned ${made}`];
  const session = new AllocSession(memory);
  const fill: Fill = FILLS["files of 100 bytes"];
  must(session.mkdir("/f"));
  const counts: number[] = [];
  for (let round = 0; round < 3; round++) {
    let n = 0;
    let result = 0;
    for (; n < 100_000 && result >= 0; n++) result = fill.make(session, n, []);
    counts.push(--n);
    if (result !== ENOSPC) wrong.push(`round ${round}: number ${n} returned ${result}`);
    wrong.push(...check(memory).problems);
    for (let i = 0; i < n; i++)
      if (session.unlink(`/f/${i}`) < 0) wrong.push(`round ${round}: ${i} could not be removed`);
    session.settle();
    const { problems, counts: left } = check(memory);
    wrong.push(...problems);
    if (left.dentries !== 2) wrong.push(`round ${round}: ${left.dentries} dentries are left`);
  }
  const [count = 0] = counts;
  if (new Set(counts).size !== 1 || count < 100) wrong.push(`there was room for ${counts}`);
  const failures = wrong.length === 0 ? [] : [{ message: "a memory that cannot grow", trace: wrong.join("\n") }];
  return { count, failures };
}
