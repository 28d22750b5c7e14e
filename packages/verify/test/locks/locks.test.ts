/**
 * Random programs of flock(2) and fcntl(2) calls, by several owners on one file: the core and the model return the same, and the kernel and the
 * model do, where there is a program that can ask it. So the core is held to the kernel everywhere.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Random, randomBelow } from "../../../cli/dist/support/random.js";
import {
  ERRNO,
  F_GETLK,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_RDLCK,
  F_SETLK,
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
} from "../../../threadfs/dist/abi/abi.js";
import { type Context, createVfs, type RangeLock, type Vfs } from "../../../threadfs/dist/src/index.js";
import { check } from "../../dist/fsck/check-arena.js";
import {
  flock,
  inTheWay,
  LAST,
  NO_LOCKS,
  type Range,
  rangeOf,
  setRange,
  withoutOwner,
} from "../../dist/model/locks/locks.js";
import { defined } from "../../dist/support/defined.js";
import { KernelProcess, whyNoKernel } from "./kernel.js";

/** Owners of ranges (processes, contexts), and the descriptors of each. */
const PROCESSES = 3;
const DESCRIPTORS = 2;
const FILE_SIZE = 10;
const OFFSETS = 24;

type Step =
  | { call: "flock"; op: number }
  | { call: "close" }
  | { call: "seek"; position: number }
  | { call: "lock"; type: number; whence: number; start: number; len: number; ofd: boolean; get: boolean };
/** A step of a process by one of its descriptors. */
type Call = Step & { process: number; fd: number };
/** 0, the name of an error, or the lock in the way: type, start, length, and the process, -1: of an open file. */
type Result = number | string | readonly number[];

function randomStep(below: Random): Step {
  const one = <T>(list: readonly T[]): T => defined(list[below(list.length)], "choice");
  switch (below(10)) {
    case 0:
    case 1:
    case 2:
      return { call: "flock", op: one([LOCK_SH, LOCK_EX, LOCK_UN]) | LOCK_NB };
    case 3:
      return below(3) === 0 ? { call: "close" } : { call: "seek", position: below(OFFSETS) };
    default: {
      const [ofd, get] = [below(4) === 0, below(4) === 0];
      return {
        ...{ call: "lock", ofd, get },
        // From Linux 6.5 on F_OFD_GETLK takes F_UNLCK too, and asks for the locks of the open file itself.
        type: one(get && ofd ? [F_RDLCK, F_WRLCK] : [F_RDLCK, F_RDLCK, F_WRLCK, F_WRLCK, F_UNLCK]),
        whence: one([SEEK_SET, SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END]),
        start: below(OFFSETS) - 3,
        len: one([0, 1, 2, 3, 5, 8, -1, -4]),
      };
    }
  }
}

function randomProgram(seed: number, steps: number): Call[] {
  const below = randomBelow(seed);
  return Array.from({ length: steps }, () => ({
    ...randomStep(below),
    process: below(PROCESSES),
    fd: below(DESCRIPTORS),
  }));
}

/** The model with its descriptors. */
function modelRunner(): (call: Call) => Result {
  let locks = NO_LOCKS;
  let files = 0;
  const open = Array.from({ length: PROCESSES }, () =>
    Array.from({ length: DESCRIPTORS }, () => ({ id: `file ${files++}`, position: 0 })),
  );
  return (call) => {
    const descriptors = defined(open[call.process], "process");
    const file = defined(descriptors[call.fd], "descriptor");
    const owner = `process ${call.process}`;
    if (call.call === "close") {
      locks = withoutOwner(withoutOwner(locks, owner), file.id);
      descriptors[call.fd] = { id: `file ${files++}`, position: 0 };
      return 0;
    }
    if (call.call === "seek") {
      file.position = call.position;
      return call.position;
    }
    if (call.call === "flock") {
      const type = { [LOCK_SH]: F_RDLCK, [LOCK_EX]: F_WRLCK, [LOCK_UN]: F_UNLCK }[call.op & ~LOCK_NB] ?? F_UNLCK;
      const answer = flock(locks, file.id, type);
      locks = answer.locks;
      return answer.blocker === undefined ? 0 : "EAGAIN";
    }
    const base = { [SEEK_SET]: 0, [SEEK_CUR]: file.position, [SEEK_END]: FILE_SIZE }[call.whence] ?? 0;
    const range = rangeOf(call.type, base + call.start, call.len);
    if (typeof range === "string") return range;
    return call.get ? look(range) : change(range);

    function look(wanted: Range): Result {
      if (wanted[0] === F_UNLCK) return "EINVAL";
      const found = inTheWay(locks, ownerOf(), wanted);
      if (found === undefined) return [F_UNLCK];
      const [type, start, end] = found.range;
      const process = /^process (\d)$/.exec(found.owner)?.[1] ?? -1;
      return [type, start, end === LAST ? 0 : end - start + 1, Number(process)];
    }
    function change(wanted: Range): Result {
      const answer = setRange(locks, ownerOf(), wanted);
      locks = answer.locks;
      return answer.blocker === undefined ? 0 : "EAGAIN";
    }
    function ownerOf(): string {
      return call.call === "lock" && call.ofd ? file.id : owner;
    }
  };
}

const command = ({ ofd, get }: { ofd: boolean; get: boolean }): number => {
  if (ofd) return get ? F_OFD_GETLK : F_OFD_SETLK;
  return get ? F_GETLK : F_SETLK;
};

const FLOCK_TYPES = { [LOCK_SH]: "sh", [LOCK_EX]: "ex", [LOCK_UN]: "un" } as const;
const RANGE_TYPES = ["rd", "wr", "un"] as const;
const WHENCES = ["set", "cur", "end"] as const;

/** The tree, with a context for each process. */
function coreRunner(vfs: Vfs): (call: Call) => Result {
  vfs.fs.writeFileSync("/f", "x".repeat(FILE_SIZE));
  const contexts = Array.from({ length: PROCESSES }, () => vfs.context());
  const open = contexts.map(({ fs }) => Array.from({ length: DESCRIPTORS }, () => fs.openSync("/f", "r+")));
  const numbers = contexts.map((context) => context.handle.ctx);
  const make = (context: Context, fds: number[], call: Call): Result => {
    const fd = defined(fds[call.fd], "descriptor");
    if (call.call === "close") {
      context.fs.closeSync(fd);
      fds[call.fd] = context.fs.openSync("/f", "r+");
      return 0;
    }
    // There is no lseek in node:fs: a read moves the position.
    if (call.call === "seek") {
      const { core, ctx } = context.calls;
      return core.sysLseek(ctx, fd, call.position, SEEK_SET);
    }
    if (call.call === "flock") {
      const type = FLOCK_TYPES[(call.op & ~LOCK_NB) as keyof typeof FLOCK_TYPES];
      context.flockSync(fd, type, { nonblocking: true });
      return 0;
    }
    const { start, len: length, ofd } = call;
    const type = defined(RANGE_TYPES[call.type], "type");
    const lock: RangeLock = { type, start, length, whence: WHENCES[call.whence], ofd };
    if (!call.get) {
      context.fcntlLockSync(fd, lock, { nonblocking: true });
      return 0;
    }
    const held = context.getLockSync(fd, lock);
    if (held === undefined) return [F_UNLCK];
    const owner = held.owner === -1 ? -1 : numbers.indexOf(held.owner);
    return [RANGE_TYPES.indexOf(held.type), held.start, held.length, owner];
  };
  return (call) => {
    try {
      return make(defined(contexts[call.process], "context"), defined(open[call.process], "descriptors"), call);
    } catch (error) {
      return (error as { code?: string }).code ?? `${error}`;
    }
  };
}

/** The same by processes of the kernel. */
async function kernelRunner(path: string) {
  const processes = Array.from({ length: PROCESSES }, () => new KernelProcess(path, DESCRIPTORS));
  const names = new Map<number, string>(Object.entries(ERRNO).map(([name, number]) => [number, name]));
  const run = async (call: Call): Promise<Result> => {
    const process = defined(processes[call.process], "process");
    const result = await process.call(call.call === "lock" ? { ...call, cmd: command(call) } : call);
    if (typeof result === "number") return result < 0 ? (names.get(-result) ?? `errno ${-result}`) : result;
    const [type, start, length, pid] = result;
    if (type === F_UNLCK) return [F_UNLCK];
    return [type, start, length, pid === -1 ? -1 : processes.findIndex((one) => one.pid === pid)];
  };
  return { run, end: () => Promise.all(processes.map((one) => one.end())) };
}

test("the core returns what the model returns, over random programs of locks", async (t) => {
  for (let seed = 1; seed <= 40; seed++) {
    const vfs = await createVfs({ maxBytes: 4 << 20 });
    t.after(() => vfs.close());
    const [model, core] = [modelRunner(), coreRunner(vfs)];
    const program = randomProgram(seed, 300);
    for (const [n, call] of program.entries()) {
      assert.deepEqual(core(call), model(call), `seed ${seed}, step ${n}: ${JSON.stringify(call)}`);
      if (n % 50 === 0) assert.deepEqual(check(vfs.handle.memory).problems, [], `seed ${seed}, step ${n}`);
    }
    assert.deepEqual(check(vfs.handle.memory).problems, [], `seed ${seed}`);
  }
});

test("the kernel returns what the model returns, over random programs of locks", async (t) => {
  const reason = whyNoKernel();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "locks-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (let seed = 1; seed <= 5; seed++) {
    const path = join(folder, `${seed}`);
    writeFileSync(path, "x".repeat(FILE_SIZE));
    const [model, kernel] = [modelRunner(), await kernelRunner(path)];
    try {
      for (const [n, call] of randomProgram(seed, 300).entries()) {
        assert.deepEqual(await kernel.run(call), model(call), `seed ${seed}, step ${n}: ${JSON.stringify(call)}`);
      }
    } finally {
      await kernel.end();
    }
  }
});
