/** The options of `readFile`, `writeFile` and `appendFile`. The asynchronous forms may be aborted. */
import { invalidArgType } from "../../errors/errors.js";
import { toBoolean, toMode, toOptions, toSignal } from "../args.js";
import { encodeText } from "../bytes.js";
import type { ReadFileOptions, WriteFileOptions } from "../ops-file.js";
import { checkText } from "./transfer.js";
import { bytesOf, isArrayBufferView, VIEW_TYPES } from "./views.js";

interface WithSignal {
  signal?: AbortSignal | undefined;
}

/** @throws TypeError ERR_INVALID_ARG_TYPE for a `buffer` that is neither memory nor a function */
export function checkBufferOption(buffer: unknown): asserts buffer is ReadFileOptions["buffer"] {
  if (buffer === undefined || typeof buffer === "function" || isArrayBufferView(buffer)) return;
  throw invalidArgType("options.buffer", `of type function or ${VIEW_TYPES}`, buffer);
}

const READ_DEFAULTS: ReadFileOptions & WithSignal = { flag: "r" };
const READ_UTF8: ReadFileOptions = { flag: "r", encoding: "utf8" };

/** The options of `readFile`, as they were given. The encoding that is asked for most makes no object. */
export function givenReadOptions(options: unknown): ReadFileOptions {
  return options === "utf8" ? READ_UTF8 : toOptions<ReadFileOptions>(options, READ_DEFAULTS);
}

export function readFileOptions(options: unknown) {
  const given = toOptions(options, READ_DEFAULTS);
  const { buffer, encoding, flag } = given;
  checkBufferOption(buffer);
  // One that Object.prototype has is none of this call's.
  const signal = given === READ_DEFAULTS ? undefined : toSignal(given.signal);
  return { buffer, encoding, flag, signal };
}

export type WriteOptions = WriteFileOptions & WithSignal;

const WRITE_DEFAULTS = { encoding: "utf8", mode: 0o666, flag: "w", flush: false, signal: undefined } as const;
const APPEND_DEFAULTS = { encoding: "utf8", mode: 0o666, flag: "a" } as const;

/** The options of `writeFile`, as they were given. */
export function givenWriteOptions(options: unknown): WriteOptions {
  return toOptions<WriteOptions>(options, WRITE_DEFAULTS);
}

/**
 * The options of `appendFile`, with a flag that appends.
 * @param always whether it counts whatever the options say, as for a descriptor
 */
export function givenAppendOptions(options: unknown, always: () => boolean): WriteOptions {
  const given = toOptions<WriteOptions>(options, APPEND_DEFAULTS);
  toMode(given.mode, "mode", 0o666);
  const copy: WriteOptions & Record<string, unknown> = {};
  // As in Node with what the options inherit.
  for (const key in given) copy[key] = (given as Record<string, unknown>)[key];
  if (!copy.flag || always()) copy.flag = "a";
  return toOptions<WriteOptions>(copy, copy);
}

/** The options of a write, checked as the asynchronous forms do. */
export function writeFileOptions(given: WriteOptions) {
  const flush = toBoolean(given.flush ?? false, "options.flush");
  const mode = toMode(given.mode, "mode", 0o666);
  return { flush, mode, flag: given.flag || "w", encoding: given.encoding || "utf8", signal: toSignal(given.signal) };
}

/** @throws TypeError ERR_INVALID_ARG_TYPE */
export function toBytes(data: unknown, encoding: BufferEncoding): Uint8Array {
  return isArrayBufferView(data) ? bytesOf(data) : encodeText(checkText(data, "data"), encoding);
}
