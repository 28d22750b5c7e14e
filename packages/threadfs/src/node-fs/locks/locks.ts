/**
 * Advisory locks: flock(2), and the locks on ranges of fcntl(2), of one context. `node:fs` has neither. The core decides and waits
 * (core/vfs/locks/); here arguments are checked and errors made.
 */
import {
  F_GETLK,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_RDLCK,
  F_SETLK,
  F_SETLKW,
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
} from "../../../abi/flags.js";
import { FLOCK_LEN, FLOCK_PID, FLOCK_START, FLOCK_TYPE } from "../../../abi/memory.js";
import { flagOption, type KeysOf, readOptions } from "../../bridge/options.js";
import { invalidArgType, invalidArgValue } from "../../errors/errors.js";
import { toFd, toInteger, toSignal } from "../args.js";
import { promised, runLater } from "../forms/later.js";
import { operation } from "../operation.js";
import type { SystemCalls } from "../system-calls.js";
import { awaitLock } from "./await-lock.js";
import type { AsyncLockOptions, HeldLock, LockOptions, RangeLock } from "./types.js";

const FLOCK_TYPES = { sh: LOCK_SH, ex: LOCK_EX, un: LOCK_UN } as const;
const RANGE_TYPES = { rd: F_RDLCK, wr: F_WRLCK, un: F_UNLCK } as const;
const WHENCES = { set: SEEK_SET, cur: SEEK_CUR, end: SEEK_END } as const;
const RANGE: KeysOf<RangeLock> = { type: true, start: true, length: true, whence: true, ofd: true };
const OPTIONS: KeysOf<LockOptions> = { nonblocking: true, timeoutMs: true };
const ASYNC_OPTIONS: KeysOf<AsyncLockOptions> = { ...OPTIONS, signal: true };
const TIMEOUT_MAX = 2 ** 31 - 1;

/** One of the named values. @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
function numberOf(names: Readonly<Record<string, number>>, value: unknown, name: string): number {
  if (typeof value !== "string") throw invalidArgType(name, "of type string", value);
  const number = Object.hasOwn(names, value) ? names[value] : undefined;
  if (number !== undefined) return number;
  const known = Object.keys(names).map((one) => `'${one}'`);
  throw invalidArgValue(name, value, `must be one of: ${known.join(", ")}`);
}

/** A checked lock on a range. */
interface Range {
  type: number;
  whence: number;
  start: number;
  length: number;
  ofd: boolean;
}

function toRange(value: unknown): Range {
  if (value === undefined) throw invalidArgType("lock", "of type object", value);
  const { type, start = 0, length = 0, whence = "set", ofd } = readOptions<RangeLock>(value, RANGE, "lock");
  return {
    type: numberOf(RANGE_TYPES, type, "lock.type"),
    whence: numberOf(WHENCES, whence, "lock.whence"),
    start: toInteger(start, "lock.start"),
    length: toInteger(length, "lock.length"),
    ofd: flagOption(ofd, "lock.ofd"),
  };
}

/** Checked options; `timeoutMs` undefined: the tree's limit. */
interface Options {
  nonblocking: boolean;
  timeoutMs: number | undefined;
  signal: AbortSignal | undefined;
}

function toLockOptions(value: unknown, known: KeysOf<LockOptions>): Options {
  const given: Partial<AsyncLockOptions> = readOptions<LockOptions>(value, known);
  const { nonblocking, timeoutMs, signal } = given;
  return {
    nonblocking: flagOption(nonblocking, "options.nonblocking"),
    timeoutMs: timeoutMs === undefined ? undefined : toInteger(timeoutMs, "options.timeoutMs", 1, TIMEOUT_MAX),
    signal: toSignal(signal),
  };
}

function setCommand({ ofd }: Range, nonblocking: boolean): number {
  if (nonblocking) return ofd ? F_OFD_SETLK : F_SETLK;
  return ofd ? F_OFD_SETLKW : F_SETLKW;
}

/** F_GETLK. */
const getLock = operation(
  (fd: unknown, lock: unknown) => ({ fd: toFd(fd), ...toRange(lock) }),
  (calls, { fd, type, whence, start, length, ofd }): HeldLock | undefined => {
    calls.checkOpen();
    const command = ofd ? F_OFD_GETLK : F_GETLK;
    calls.check(calls.core.sysFcntlLock(calls.ctx, fd, command, type, whence, start, length), "fcntl");
    const numbers = calls.attachment.ioNumbers;
    const field = (at: number): number => numbers[at / 8] ?? 0;
    if (field(FLOCK_TYPE) === F_UNLCK) return undefined;
    return {
      type: field(FLOCK_TYPE) === F_RDLCK ? "rd" : "wr",
      start: field(FLOCK_START),
      length: field(FLOCK_LEN),
      owner: field(FLOCK_PID),
    };
  },
);

/** The locks of one context in this thread. @internal */
export class FileLocks {
  readonly #calls: SystemCalls;

  constructor(calls: SystemCalls) {
    this.#calls = calls;
  }

  flockSync(fd: unknown, type: unknown, options: unknown): void {
    const checked = toFd(fd);
    const op = numberOf(FLOCK_TYPES, type, "type");
    const given = toLockOptions(options, OPTIONS);
    const { core, ctx } = this.#calls;
    this.#wait(given, "flock", () => core.sysFlock(ctx, checked, op | (given.nonblocking ? LOCK_NB : 0)));
  }

  async flock(fd: unknown, type: unknown, options: unknown): Promise<void> {
    const checked = toFd(fd);
    const op = numberOf(FLOCK_TYPES, type, "type");
    const given = toLockOptions(options, ASYNC_OPTIONS);
    const { core, ctx } = this.#calls;
    const first = () => core.lockRequest(ctx, checked, op | (given.nonblocking ? LOCK_NB : 0));
    await this.#await(given, "flock", first);
  }

  setSync(fd: unknown, lock: unknown, options: unknown): void {
    const checked = toFd(fd);
    const range = toRange(lock);
    const given = toLockOptions(options, OPTIONS);
    const { core, ctx } = this.#calls;
    const { type, whence, start, length } = range;
    const command = setCommand(range, given.nonblocking);
    this.#wait(given, "fcntl", () => core.sysFcntlLock(ctx, checked, command, type, whence, start, length));
  }

  async set(fd: unknown, lock: unknown, options: unknown): Promise<void> {
    const checked = toFd(fd);
    const range = toRange(lock);
    const given = toLockOptions(options, ASYNC_OPTIONS);
    const { core, ctx } = this.#calls;
    const { type, whence, start, length } = range;
    const command = setCommand(range, given.nonblocking);
    const first = () => core.lockRequestRange(ctx, checked, command, type, whence, start, length);
    await this.#await(given, "fcntl", first);
  }

  getSync(fd: unknown, lock: unknown): HeldLock | undefined {
    return getLock.run(this.#calls, getLock.parse(fd, lock));
  }

  async get(fd: unknown, lock: unknown): Promise<HeldLock | undefined> {
    const parsed = getLock.parse(fd, lock);
    return promised((ends) => runLater(this.#calls, getLock, parsed, ends));
  }

  /** A call that waits in the core. */
  #wait({ timeoutMs }: Options, syscall: string, call: () => number): void {
    this.#calls.checkOpen();
    const { limit } = this.#calls.attachment;
    const result = timeoutMs === undefined ? call() : limit.within(timeoutMs, call);
    this.#calls.check(result, syscall);
  }

  async #await({ timeoutMs, signal }: Options, syscall: string, first: () => number): Promise<void> {
    this.#calls.checkOpen();
    const wait = { timeoutMs: timeoutMs ?? this.#calls.attachment.limit.ms, signal };
    await awaitLock(this.#calls, first, syscall, wait);
  }
}
