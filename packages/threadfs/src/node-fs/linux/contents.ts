/** The operations on contents: fallocate(2), lseek(2), copy_file_range(2). */
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from "../../../abi/flags.js";
import { flagOption, type KeysOf, readOptions } from "../../bridge/options.js";
import { invalidArgType, invalidArgValue } from "../../errors/errors.js";
import { toFd, toInteger } from "../args.js";
import { operation } from "../operation.js";
import type { FallocateOptions, SeekWhence } from "./types.js";

const OPTIONS: KeysOf<FallocateOptions> = { punchHole: true, keepSize: true };

export const fallocate = operation(
  (fd: unknown, offset: unknown, length: unknown, options?: unknown) => {
    const checked = { fd: toFd(fd), offset: toInteger(offset, "offset"), length: toInteger(length, "length") };
    const given = readOptions<FallocateOptions>(options, OPTIONS);
    const keepSize = flagOption(given.keepSize, "options.keepSize");
    // Linux has no hole that changes the size.
    const punches = flagOption(given.punchHole, "options.punchHole");
    const mode = punches ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : keepSize ? FALLOC_FL_KEEP_SIZE : 0;
    return { ...checked, mode };
  },
  (calls, { fd, offset, length, mode }): void => {
    calls.checkOpen();
    calls.check(calls.core.sysFallocate(calls.ctx, fd, mode, offset, length), "fallocate");
  },
);

const WHENCES: Readonly<Record<SeekWhence, number>> = {
  set: SEEK_SET,
  cur: SEEK_CUR,
  end: SEEK_END,
  data: SEEK_DATA,
  hole: SEEK_HOLE,
};

function toWhence(value: unknown): number {
  if (typeof value !== "string") throw invalidArgType("whence", "of type string", value);
  const whence = Object.hasOwn(WHENCES, value) ? WHENCES[value as SeekWhence] : undefined;
  if (whence !== undefined) return whence;
  throw invalidArgValue("whence", value, 'must be one of: "set", "cur", "end", "data", "hole"');
}

export const lseek = operation(
  (fd: unknown, offset: unknown, whence: unknown = "set") => ({
    fd: toFd(fd),
    offset: toInteger(offset, "offset"),
    whence: toWhence(whence),
  }),
  (calls, { fd, offset, whence }): number => {
    calls.checkOpen();
    return calls.check(calls.core.sysLseek(calls.ctx, fd, offset, whence), "lseek");
  },
);

/** An offset, or -1 for the position of the descriptor. */
const toOffset = (value: unknown, name: string): number =>
  value === null || value === undefined ? -1 : toInteger(value, name, 0);

export const copyFileRange = operation(
  (fdIn: unknown, offsetIn: unknown, fdOut: unknown, offsetOut: unknown, length: unknown) => ({
    fdIn: toFd(fdIn),
    offsetIn: toOffset(offsetIn, "offsetIn"),
    fdOut: toFd(fdOut),
    offsetOut: toOffset(offsetOut, "offsetOut"),
    length: toInteger(length, "length", 0),
  }),
  (calls, { fdIn, offsetIn, fdOut, offsetOut, length }): number => {
    calls.checkOpen();
    const copied = calls.core.sysCopyFileRange(calls.ctx, fdIn, offsetIn, fdOut, offsetOut, length);
    return calls.check(copied, "copy_file_range");
  },
);
