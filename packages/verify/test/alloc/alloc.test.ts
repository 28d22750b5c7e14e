/**
 * Failed allocations and full memory: the short form of packages/verify/src/alloc/alloc.ts, and what the check itself is worth: operations and
 * fills that do wrong on purpose are reported.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { O_CREAT, O_RDWR } from "../../../threadfs/dist/abi/abi.js";
import { run } from "../../dist/alloc/alloc.js";
import { refuseEach } from "../../dist/alloc/failing-allocations.js";
import { FILLS, type Fill } from "../../dist/alloc/fills.js";
import { AllocFixture, type AllocSession } from "../../dist/alloc/fixture.js";
import { fillUp } from "../../dist/alloc/full-memory.js";
import { LIMITS, type Limit, reach } from "../../dist/alloc/limits.js";
import { OPERATIONS, type Operation } from "../../dist/alloc/operations.js";
import { DENTRY } from "../../dist/arena/layout.js";
import type { Failure } from "../../dist/support/check.js";
import { defined } from "../../dist/support/defined.js";

/** What was reported, as text. */
const messagesOf = ({ failures }: { failures: Failure[] }) =>
  failures.map(({ message, trace }) => `${message}\n${trace ?? ""}`).join("\n\n");

test("the core survives each allocation that is refused, and full memory: the short form", async () => {
  const outcome = await run({ seed: 1, short: true });
  assert.ok(outcome.ok, messagesOf(outcome));
  assert.ok(Number(outcome.explored["allocations refused"]) > 200);
  assert.ok(Number(outcome.explored["of which the call returned ENOSPC"]) > 200);
});

test("every call of the core that may allocate is in the table of operations", () => {
  const calls = Object.values(OPERATIONS).filter(({ allocations }) => allocations > 0);
  const source = calls.map(({ run: call }) => `${call}`).join();
  for (const name of "mkdir mknod open symlink link rename write mount bind context setacl stat".split(" ")) {
    assert.match(source, new RegExp(`session\\.${name}\\(`), name);
  }
});

/** What an operation does beyond mkdir when there is no room; its result replaces mkdir's if it is a number. */
type Then = (session: AllocSession, state: number) => number | undefined;
const misdo = (session: AllocSession, state: number, then: Then) => {
  const result = session.mkdir("/w/new");
  return result < 0 ? (then(session, state) ?? result) : result;
};
const wrong = (then: Then, more: Partial<Operation> = {}): Operation => ({
  allocations: 2,
  run: (session, state) => misdo(session, state, then),
  ...more,
});
/** The same where only the tree changes. */
const wrongChange = (change: (session: AllocSession, state: number) => unknown, more?: Partial<Operation>) =>
  wrong((session, state) => {
    change(session, state);
    return undefined;
  }, more);
/** The sessions in which the operation was refused once: afterwards it does something else. */
const refusedOnce = new WeakSet<AllocSession>();
const mark: Then = (session) => {
  refusedOnce.add(session);
  return undefined;
};
const subOf = (session: AllocSession): number => {
  const v = session.inspect();
  return defined(
    [...v.tree].find((d) => v.name(d) === "sub"),
    "directory sub",
  );
};
/** Changes a field of that directory. */
const changeSub = (session: AllocSession, field: number, change: (word: number) => number) => {
  const { words } = session.thread;
  const at = (subOf(session) + field) >>> 2;
  words[at] = change(defined(words[at], "field"));
};
const mkdir = defined(OPERATIONS.mkdir, "mkdir");
/** Operations that do wrong, and what must be reported of each. */
const WRONG_OPERATIONS: Record<string, [operation: Operation, expected: RegExp]> = {
  "another errno": [wrong(() => -5), /it returned -5/],
  "an attribute changed": [wrongChange((session) => session.chmod("/w/sub", 0o700)), /\+ fs 0 \/w\/sub: mode 40700/],
  "a time changed": [wrongChange((session) => session.chmod("/w/sub", 0o755)), /\+ fs 0 \/w\/sub: mode 40755.* times/],
  "contents changed": [
    wrongChange((session, fd) => session.write(fd, 0, "9"), {
      prepare: (session) => session.open("/w/file", O_RDWR),
    }),
    /contents/,
  ],
  "a name removed": [wrongChange((session) => session.unlink("/w/link")), /- fs 0 \/w\/link/],
  "a descriptor left open": [
    wrongChange((session) => session.refusing(1e9, false, () => session.open("/w/file"))),
    /\+ context 0 descriptor 3/,
  ],
  "a reference lost": [
    wrongChange((session) => changeSub(session, DENTRY.count, (count) => count + 1)),
    /dentry-count: .*\/w\/sub/,
  ],
  "a lock kept": [wrongChange((session) => changeSub(session, DENTRY.childLock, () => 1)), /lock: childLock/],
  "it never works again": [
    {
      allocations: 2,
      run: (session) => (refusedOnce.has(session) ? -28 : misdo(session, 0, mark)),
    },
    /the same call returned -28 afterwards/,
  ],
  "it does something else afterwards": [
    {
      allocations: 2,
      run: (session) => (refusedOnce.has(session) ? session.mkdir("/w/another") : misdo(session, 0, mark)),
    },
    /\+ fs 0 \/w\/another/,
  ],
  "more allocations than the table says": [{ ...mkdir, allocations: 1 }, /2 allocations, and the table says 1/],
  "the write of fewer bytes than it says": [
    {
      ...defined(OPERATIONS["write five pages"], "write of five pages"),
      run: (session, fd) => Math.min(session.write(fd, 0, "5".repeat(5 * 4096)) + 4096, 5 * 4096),
    },
    /write five pages wrongly/,
  ],
};

describe("an operation that does wrong when it is refused is reported", () => {
  const place = new AllocFixture();
  for (const [name, [operation, expected]] of Object.entries(WRONG_OPERATIONS)) {
    test(`reported: ${name}`, () => {
      const title = name.startsWith("the write") ? "write five pages wrongly" : name;
      assert.match(messagesOf(refuseEach(place, title, operation)), expected);
    });
  }

  test("an operation that does right is not reported", () => {
    assert.equal(messagesOf(refuseEach(place, "mkdir", mkdir)), "");
    assert.equal(messagesOf(refuseEach(place, "mkdir", mkdir, { retired: 7 })), "");
  });
});

describe("a way of filling that does wrong is reported", () => {
  const big: Fill = FILLS["files of 100,000 bytes"];
  const CASES: Record<string, [fill: Fill, expected: RegExp]> = {
    "what is removed stays": [
      { ...big, remove: () => 0 },
      /emptied, round 0\ninodes: \d+, not|emptied, round 0\ndentries/,
    ],
    "less fits in each time": [
      {
        ...big,
        remove(session, i, made) {
          const result = big.remove(session, i, made);
          if (i === 0) session.file(`/w/kept-${session.time++}`, "k".repeat(100_000));
          return result;
        },
      },
      /round 1\n\d+ fit in, and \d+ the first time/,
    ],
    "another errno": [
      { ...big, make: (session, i, made) => (big.make(session, i, made) < 0 ? -5 : 0) },
      /number \d+\nit returned -5/,
    ],
    "what had no room is half there": [
      { ...big, make: (session, i) => session.file(`/f/${i}`, "x".repeat(100_000)) },
      /emptied, round 0\ndentries: \d+, not/,
    ],
    "it never is full": [{ ...big, most: 3 }, /3 fitted in, and there was still room/],
  };
  for (const [name, [fill, expected]] of Object.entries(CASES)) {
    test(`reported: ${name}`, () => assert.match(messagesOf(fillUp(name, fill, { operations: false })), expected));
  }
});

test("a limit with another number or another errno than documented is reported", () => {
  const limit: Limit = LIMITS["contexts: EAGAIN"];
  assert.match(messagesOf(reach("fewer", { ...limit, most: 1000 })), /1001 were possible/);
  assert.match(messagesOf(reach("more", { ...limit, most: 2000 })), /1023 were possible, then it returned -11/);
  assert.match(messagesOf(reach("errno", { ...limit, errno: -24 })), /it returned -11, not -24/);
  assert.match(
    messagesOf(
      reach("changes", {
        ...LIMITS["drivers: ENOSPC"],
        start: (session) => ({
          make: (i) => Math.min(session.file("/x", "x".repeat(i)), -28),
          remove: () => 0,
        }),
      }),
    ),
    /0 were possible|changed something/,
  );
});

test("a file that a session makes is in the dump of its arena", () => {
  const session = new AllocFixture().open();
  assert.ok(session.open("/w/shown", O_RDWR | O_CREAT) >= 0);
  assert.ok(session.arenaDump(session.inspect()).some((line) => line.startsWith("fs 0 /w/shown:")));
});
