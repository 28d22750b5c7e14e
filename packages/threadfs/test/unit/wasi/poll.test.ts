/** threadfs/wasi: clocks, and waiting for them and for pipes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { threads } from "../../support/threads.js";
import { boxed, DIR, EVENT, errorName, FDFLAG, RIGHT, TestProgram } from "./program.js";

const { RESULT } = TestProgram;
const IN = 2000;
const OUT = 3000;

interface Subscription {
  type: number;
  fd?: number;
  clock?: number;
  ns?: bigint;
  absolute?: boolean;
}

/** The events of a call: number of the subscription, type, error, bytes, flags. */
function poll(program: TestProgram, subscriptions: readonly Subscription[]): string[] {
  const { view } = program;
  for (const [n, { type, fd, clock = 1, ns = 0n, absolute = false }] of subscriptions.entries()) {
    const at = IN + n * 48;
    view.setBigUint64(at, BigInt(n) + 0x1234_5678_9abc_0000n, true);
    view.setUint8(at + 8, type);
    view.setUint32(at + 16, fd ?? clock, true);
    view.setBigUint64(at + 24, ns, true);
    view.setUint16(at + 40, absolute ? 1 : 0, true);
  }
  const error = program.call("poll_oneoff", IN, OUT, subscriptions.length, RESULT);
  if (error !== "SUCCESS") return [error];
  return Array.from({ length: program.result }, (_, n) => {
    const at = OUT + n * 32;
    const user = view.getBigUint64(at, true) - 0x1234_5678_9abc_0000n;
    const [failed, type] = [errorName(view.getUint16(at + 8, true)), view.getUint8(at + 10)];
    const rest = type === EVENT.CLOCK ? "" : ` ${view.getBigUint64(at + 16, true)} ${view.getUint16(at + 24, true)}`;
    return `${user}: ${["clock", "read", "write"][type]} ${failed}${rest}`;
  });
}

function time(program: TestProgram, clock: number): bigint {
  assert.equal(program.call("clock_time_get", clock, 0n, RESULT), "SUCCESS");
  return program.result64;
}

describe("clocks", () => {
  test("the real one is the tree's, the monotonic one does not go back", async (t) => {
    const { vfs, program } = await boxed(t);
    const before = time(program, 0);
    vfs.fs.writeFileSync("/box/new", "");
    const made = vfs.fs.statSync("/box/new", { bigint: true }).mtimeNs;
    const after = time(program, 0);
    // To a microsecond.
    assert.ok(before <= made + 1000n && made <= after + 1000n, `${before} ${made} ${after}`);
    const [one, two] = [time(program, 1), time(program, 1)];
    assert.ok(one <= two);
    assert.ok(time(program, 2) > 0n);
    assert.equal(program.call("clock_res_get", 0, RESULT), "SUCCESS");
    assert.ok(program.result64 > 0n);
    for (const call of ["clock_time_get", "clock_res_get"]) {
      const args = call === "clock_res_get" ? [4, RESULT] : [4, 0n, RESULT];
      assert.equal(program.call(call, ...args), "EINVAL");
    }
  });

  test("the one that is due first ends the wait: relative and absolute, of both clocks", async (t) => {
    const { program } = await boxed(t);
    const ms = 1_000_000n;
    for (const clock of [0, 1]) {
      const start = time(program, clock);
      assert.deepEqual(
        poll(program, [
          { type: EVENT.CLOCK, clock, ns: 3_600_000n * ms },
          { type: EVENT.CLOCK, clock, ns: 5n * ms },
        ]),
        ["1: clock SUCCESS"],
      );
      assert.ok(time(program, clock) >= start + 5n * ms);
      const at = time(program, clock) + 3n * ms;
      assert.deepEqual(poll(program, [{ type: EVENT.CLOCK, clock, ns: at, absolute: true }]), ["0: clock SUCCESS"]);
      assert.ok(time(program, clock) >= at);
    }
    assert.deepEqual(poll(program, [{ type: EVENT.CLOCK, clock: 9 }]), ["0: clock EINVAL"]);
    assert.deepEqual(poll(program, []), ["EINVAL"]);
  });
});

describe("descriptors", () => {
  test("files and streams of the host are ready, and errors are events", async (t) => {
    const { program } = await boxed(t);
    const fd = program.opened(DIR, "f");
    assert.equal(program.read(fd, 3), "012");
    const no = program.opened(DIR, "f", { rights: BigInt(RIGHT.FD_READ) });
    const day: Subscription = { type: EVENT.CLOCK, ns: 86_400_000_000_000n };
    assert.deepEqual(
      poll(program, [
        { type: EVENT.FD_READ, fd },
        { type: EVENT.FD_WRITE, fd },
        day,
        { type: EVENT.FD_READ, fd: 99 },
        { type: EVENT.FD_WRITE, fd: 1 },
        { type: EVENT.FD_READ, fd: no },
        { type: EVENT.FD_READ, fd: 0 },
      ]),
      [
        "0: read SUCCESS 7 0",
        "1: write SUCCESS 1 0",
        "3: read EBADF 0 0",
        "4: write SUCCESS 1 0",
        "5: read ENOTCAPABLE 0 0",
        "6: read SUCCESS 0 1",
      ],
    );
  });

  // Before, an event could make another subscription of one that had been read, which then had two events: more than there was room for.
  test("events may be written over the subscriptions, which are what they were when the call began", async (t) => {
    const { program } = await boxed(t);
    const { view } = program;
    const [count, size, eventSize] = [4, 48, 32];
    const end = program.memory.buffer.byteLength;
    const events = end - count * eventSize;
    // The first event's number for the caller lies over the type of the third subscription, which would become a read of descriptor 0.
    const subscriptions = events - 2 * size - 8;
    for (let n = 0; n < count; n++) view.setUint32(subscriptions + n * size + 16, n === 3 ? 99 : 1, true);
    view.setBigUint64(subscriptions + 3 * size, 1n, true);
    assert.equal(program.call("poll_oneoff", subscriptions, events, count, TestProgram.RESULT), "SUCCESS");
    assert.equal(program.result, count);
    const types = Array.from({ length: count }, (_, n) => view.getUint8(events + n * eventSize + 10));
    assert.deepEqual(types, [EVENT.CLOCK, EVENT.CLOCK, EVENT.CLOCK, EVENT.CLOCK]);
  });

  test("a pipe is ready when it has bytes or room, or its other end is gone", async (t) => {
    const { vfs, program } = await boxed(t);
    vfs.linux.mkfifoSync("/box/p");
    const nonblocking = { fdflags: FDFLAG.NONBLOCK };
    const from = program.opened(DIR, "p", { ...nonblocking, rights: BigInt(RIGHT.FD_READ | RIGHT.POLL_FD_READWRITE) });
    const to = program.opened(DIR, "p", { ...nonblocking, rights: BigInt(RIGHT.FD_WRITE | RIGHT.POLL_FD_READWRITE) });
    const reads: Subscription = { type: EVENT.FD_READ, fd: from };
    assert.equal(program.read(from, 1), "EAGAIN");
    assert.deepEqual(poll(program, [reads, { type: EVENT.CLOCK, ns: 2_000_000n }]), ["1: clock SUCCESS"]);
    assert.deepEqual(poll(program, [reads, { type: EVENT.FD_WRITE, fd: to }]), ["1: write SUCCESS 1 0"]);
    assert.equal(program.write(to, "abc"), 3);
    assert.deepEqual(poll(program, [reads]), ["0: read SUCCESS 3 0"]);
    assert.equal(program.call("fd_close", to), "SUCCESS");
    assert.deepEqual(poll(program, [reads]), ["0: read SUCCESS 3 1"]);
    assert.equal(program.read(from, 9), "abc");
    assert.deepEqual(poll(program, [reads]), ["0: read SUCCESS 0 1"]);
  });

  // Fails when Poll does not sleep on the pipe's word, by the limit of the wait: 100 s.
  test("a thread that waits for a pipe, and one whose read does, are woken by another thread's write", async (t) => {
    const { vfs, program } = await boxed(t);
    vfs.linux.mkfifoSync("/box/p");
    const rights = BigInt(RIGHT.FD_READ | RIGHT.FD_WRITE | RIGHT.POLL_FD_READWRITE);
    const fd = program.opened(DIR, "p", { rights });
    const writing = threads(vfs.handle, 1, [
      ({ fs }, _raw, running) => {
        const pipe = fs.openSync("/box/p", "r+");
        let rounds = 0;
        for (; running() || rounds < 20; rounds++) fs.writeSync(pipe, "x");
        fs.writeSync(pipe, "!");
        return rounds;
      },
    ]);
    const reads: Subscription = { type: EVENT.FD_READ, fd };
    // The other thread does not start while this one waits.
    while (poll(program, [reads, { type: EVENT.CLOCK }])[0] === "1: clock SUCCESS") await sleep(5);
    let got = "";
    for (let n = 0; !got.includes("!"); n++) {
      if (n % 2 === 0) {
        const [event] = poll(program, [reads, { type: EVENT.CLOCK, ns: 100_000_000_000n }]);
        assert.match(event as string, /^0: read SUCCESS [1-9]/);
      }
      got += program.read(fd, 7);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [rounds] = await writing;
    assert.equal(got.length, (rounds as number) + 1);
  });
});
