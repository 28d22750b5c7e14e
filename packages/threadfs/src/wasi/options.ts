/** The options of a program, checked. */
import { type KeysOf, readOptions } from "../bridge/options.js";
import { invalidArgType, invalidArgValue } from "../errors/errors.js";
import { toFd } from "../node-fs/args.js";
import { utf8Bytes } from "../node-fs/bytes.js";
import type { PathLike } from "../node-fs/types.js";
import {
  FunctionInput,
  FunctionOutput,
  hostStream,
  type InputFunction,
  NO_STREAM,
  type OutputFunction,
  type Stream,
} from "./streams.js";

/** Options of `createWasi`. */
export interface WasiOptions {
  /** The arguments of the program; the first one is its name. Default: none. */
  args?: readonly string[] | undefined;
  /** Its environment. Default: empty. */
  env?: Readonly<Record<string, string>> | undefined;
  /**
   * The directories that the program has: by the name that it knows one by, the path of the directory in the tree. What is above one of them does not exist for the
   * program. Default: none.
   */
  preopens?: Readonly<Record<string, PathLike>> | undefined;
  /**
   * Standard input: a descriptor of the context, which stays the caller's; a function that returns the next bytes, none at the end; "inherit": that of the process, nothing in a
   * browser; "ignore": nothing. Default: "inherit".
   */
  stdin?: number | "inherit" | "ignore" | InputFunction | undefined;
  /** Standard output: likewise, with a function that takes bytes. In a browser "inherit" is the console. Default: "inherit". */
  stdout?: number | "inherit" | "ignore" | OutputFunction | undefined;
  /** Standard error. As {@link stdout}. */
  stderr?: number | "inherit" | "ignore" | OutputFunction | undefined;
  /** Whether {@link Wasi.start} returns the code of a program that exits; else it throws {@link WasiExit}. Default: true. */
  returnOnExit?: boolean | undefined;
}

/** Options of `attachWasi`: streams of the thread, where the program's are functions or those of the host. */
export type WasiThreadOptions = Pick<WasiOptions, "stdin" | "stdout" | "stderr">;

const STREAMS = ["stdin", "stdout", "stderr"] as const;
const THREAD_OPTIONS: KeysOf<WasiThreadOptions> = { stdin: true, stdout: true, stderr: true };
const OPTIONS: KeysOf<WasiOptions> = { args: true, env: true, preopens: true, returnOnExit: true, ...THREAD_OPTIONS };

/** A standard stream: a descriptor of the context, or a stream of the host. */
export type Standard = number | Stream;

export interface CheckedOptions {
  readonly args: Uint8Array[];
  readonly env: Uint8Array[];
  readonly preopens: (readonly [name: string, path: unknown])[];
  readonly standard: Standard[];
  readonly returnOnExit: boolean;
}

/** A string that the program sees, which ends with its first NUL. */
function toText(value: unknown, name: string): Uint8Array {
  if (typeof value !== "string") throw invalidArgType(name, "of type string", value);
  if (value.includes("\0")) throw invalidArgValue(name, value, "must be a string without null bytes");
  return utf8Bytes(value);
}

export function toRecord(value: unknown, name: string): [string, unknown][] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidArgType(name, "of type object", value);
  return Object.entries(value);
}

function toStandard(value: unknown, fd: number): Standard {
  const name = `options.${STREAMS[fd]}`;
  if (value === undefined || value === "inherit") return hostStream(fd);
  if (value === "ignore") return NO_STREAM;
  if (typeof value === "number") return toFd(value);
  if (typeof value !== "function") {
    throw invalidArgValue(name, value, 'must be a descriptor, a function, "inherit" or "ignore"');
  }
  return fd === 0 ? new FunctionInput(value as InputFunction) : new FunctionOutput(value as OutputFunction);
}

/** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
export function toThreadOptions(value: unknown): Standard[] {
  const given = readOptions<WasiThreadOptions>(value, THREAD_OPTIONS);
  return STREAMS.map((name, fd) => toStandard(given[name], fd));
}

/** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE for a descriptor */
export function toOptions(value: unknown): CheckedOptions {
  const given = readOptions<WasiOptions>(value, OPTIONS);
  const { args = [], returnOnExit = true } = given;
  if (!Array.isArray(args)) throw invalidArgType("options.args", "an instance of Array", args);
  if (typeof returnOnExit !== "boolean") throw invalidArgType("options.returnOnExit", "of type boolean", returnOnExit);
  return {
    args: args.map((arg: unknown, n) => toText(arg, `options.args[${n}]`)),
    env: toRecord(given.env, "options.env").map(([key, text]) => {
      toText(text, `options.env.${key}`);
      return toText(`${key}=${text}`, `options.env.${key}`);
    }),
    preopens: toRecord(given.preopens, "options.preopens"),
    standard: STREAMS.map((name, fd) => toStandard(given[name], fd)),
    returnOnExit,
  };
}
