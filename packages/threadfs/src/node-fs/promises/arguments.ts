/** The arguments of the promise forms that Node looks at in another order than in the synchronous forms, or differently. */
import type * as NodeFs from "node:fs";
import { NO_OPTIONS, toBoolean, toMode, toObject, toOpenFlags, toOptions, toPath, toSignal } from "../args.js";
import { checkAborted } from "../forms/abort.js";
import { type ReaddirOptions, readdirArguments } from "../ops-dir.js";
import { mkdirArguments, nameArguments, type StatArguments } from "../ops-path.js";
import { type RmArguments, rmOptions } from "../ops-rm.js";

type PathLike = NodeFs.PathLike;
type Options = Readonly<Record<string, unknown>>;

/** Checked arguments of a call that may be aborted. */
export interface Abortable<P> {
  parsed: P;
  signal: AbortSignal | undefined;
}

/** Options of `stat`, `lstat` and `fstat`. */
export function statOptions(options: unknown = NO_OPTIONS): Abortable<{ bigint: boolean; throwIfNoEntry: boolean }> {
  const given: Options = toObject(options, "options");
  const signal = toSignal(given.signal);
  checkAborted(signal);
  return { parsed: { bigint: given.bigint === true, throwIfNoEntry: given.throwIfNoEntry !== false }, signal };
}

export function stat(path: PathLike, options?: unknown): Abortable<StatArguments> {
  const { parsed, signal } = statOptions(options);
  return { parsed: { path: toPath(path), ...parsed }, signal };
}

/** Of stat and lstat, Node's stat alone may miss. */
export function lstat(path: PathLike, options?: unknown): Abortable<StatArguments> {
  const { parsed, signal } = stat(path, options);
  return { parsed: { ...parsed, throwIfNoEntry: true }, signal };
}

export function open(path: PathLike, flags?: unknown, mode?: unknown) {
  const checked = toPath(path);
  return { path: checked, flags: toOpenFlags(flags), mode: toMode(mode, "mode", 0o666) };
}

export function mkdir(path: PathLike, options?: NodeFs.Mode | NodeFs.MakeDirectoryOptions | null) {
  const given = typeof options === "number" || typeof options === "string" ? { mode: options } : options || NO_OPTIONS;
  const { recursive = false, mode = 0o777 } = given as Options;
  const checked = toPath(path);
  const all = toBoolean(recursive, "options.recursive");
  return mkdirArguments(checked, toMode(mode, "mode", 0o777), all);
}

export function readdir(path: PathLike, options?: ReaddirOptions | BufferEncoding | "buffer" | null) {
  const given = { ...toOptions<ReaddirOptions>(options, NO_OPTIONS) };
  return readdirArguments(toPath(path), given, Boolean(given.recursive));
}

export function readlink(path: PathLike, options?: NodeFs.EncodingOption) {
  return nameArguments(path, options, "oldPath");
}

export function rm(path: PathLike, options?: NodeFs.RmOptions): RmArguments {
  const checked = toPath(path);
  return { path: checked, given: checked, ...rmOptions(options) };
}
