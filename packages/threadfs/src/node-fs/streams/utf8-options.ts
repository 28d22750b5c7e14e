/** Options of `fs.Utf8Stream` (https://nodejs.org/api/fs.html#class-fsutf8stream), checked in Node's order. */
import { bare } from "../../errors/bare.js";
import { codedError, invalidArgType, invalidArgValue } from "../../errors/errors.js";
import { toObject, toUint32 } from "../args.js";
import { checkFunction } from "./file-stream.js";
import type { Utf8Calls } from "./utf8-content.js";

/** Characters or bytes from which `write()` returns false. */
const HIGH_WATER_MARK = 16387;
const MAX_WRITE = 16 * 1024;

type Retry = (error: Error, writing: number, waiting: number) => unknown;

export interface Utf8Options {
  readonly calls: Utf8Calls;
  readonly highWaterMark: number;
  readonly minLength: number;
  readonly maxLength: number;
  readonly maxWrite: number;
  readonly periodicFlush: number;
  readonly sync: boolean;
  readonly fsync: boolean;
  readonly append: boolean;
  readonly mkdir: boolean;
  readonly retry: Retry;
  readonly bytes: boolean;
  readonly mode: unknown;
  /** A descriptor, or the path of the file. */
  readonly target: unknown;
}

const CHECKED = ["write", "writeSync", "fsync", "fsyncSync", "close", "open", "mkdir", "mkdirSync"] as const;

/** The calls of the tree, with those in their places that the program gives. @throws TypeError ERR_INVALID_ARG_TYPE */
function callsOf(tree: object, given: unknown): Utf8Calls {
  const own = given === undefined ? {} : toObject(given, "options.fs");
  const calls: Record<string, unknown> = {};
  for (const name of [...CHECKED, "openSync"]) {
    calls[name] = Object.hasOwn(own, name) ? own[name] : (tree as Record<string, unknown>)[name];
  }
  for (const name of CHECKED) checkFunction(calls[name], `options.fs.${name}`);
  return calls as unknown as Utf8Calls;
}

function toFlag(value: unknown, name: string): boolean {
  const flag = value || false;
  if (typeof flag !== "boolean") throw invalidArgType(`options.${name}`, "of type boolean", flag);
  return flag;
}

function toLength(value: unknown, name: string, instead = 0): number {
  return toUint32(value || instead, `options.${name}`);
}

/** @throws TypeError, RangeError */
export function readUtf8Options(given: unknown = bare({}), tree: object): Utf8Options {
  const options = toObject(given, "options");
  const calls = callsOf(tree, options.fs);
  const { contentMode = "utf8", append = true, minLength, retryEAGAIN, mode } = options;
  // In Node an error without a code.
  if (typeof minLength === "bigint") throw invalidArgType("options.minLength", "of type number", minLength);
  const checked = {
    calls,
    highWaterMark: toUint32(Math.max((minLength || 0) as number, HIGH_WATER_MARK), "options.hwm"),
    minLength: toLength(minLength, "minLength"),
    maxLength: toLength(options.maxLength, "maxLength"),
    maxWrite: toLength(options.maxWrite, "maxWrite", MAX_WRITE),
    periodicFlush: toLength(options.periodicFlush, "periodicFlush"),
    sync: toFlag(options.sync, "sync"),
    fsync: toFlag(options.fsync, "fsync"),
    append: toFlag(append, "append"),
    mkdir: toFlag(options.mkdir, "mkdir"),
    retry: (retryEAGAIN || (() => true)) as Retry,
    bytes: contentMode === "buffer",
    mode,
    target: options.fd ?? options.dest,
  };
  checkFunction(checked.retry, "options.retryEAGAIN");
  if (contentMode !== "utf8" && contentMode !== "buffer") {
    throw invalidArgValue("options.contentMode", contentMode, "must be one of: 'buffer', 'utf8'");
  }
  return checked;
}

/** Checked when the stream has begun, as in Node. @throws RangeError ERR_INVALID_ARG_VALUE */
export function checkMinLength({ minLength, maxWrite }: Utf8Options): void {
  if (minLength < maxWrite) return;
  const message = `The argument 'minLength' should be smaller than maxWrite (${maxWrite}). Received ${minLength}`;
  throw codedError(RangeError, "ERR_INVALID_ARG_VALUE", message);
}
