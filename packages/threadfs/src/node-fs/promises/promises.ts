/** `fs.promises` of one context: the table's operations in the forms that return promises. */
import type * as NodeFs from "node:fs";
import { bare } from "../../errors/bare.js";
import { codedError } from "../../errors/errors.js";
import { constants } from "../constants.js";
import { type Ends, promised, runAbortable, runLater } from "../forms/later.js";
import { nextFound, resultOf } from "../glob/ops-glob.js";
import { TreeReader } from "../glob/reader.js";
import { type Found, globSteps } from "../glob/walk.js";
import type { AnyOperation } from "../operation.js";
import { cpLater } from "../ops-cp.js";
import { openedDirectory } from "../ops-dir.js";
import { mkdirLater } from "../ops-path.js";
import { type RmArguments, rmLater } from "../ops-rm.js";
import { ASYNC_DISPOSE } from "../surface/dispose.js";
import type { SystemCalls } from "../system-calls.js";
import { operations as ops, realpathNative } from "../table.js";
import { makeWatchIterator } from "../watch/watch.js";
import * as args from "./arguments.js";
import { FileHandle } from "./file-handle.js";
import { appendFile, readFile, type WrittenData, writeFile } from "./files.js";

type PathLike = NodeFs.PathLike;

/** A form whose arguments are checked by `parse`, in place of the operation's own function. */
function form<A extends unknown[], B extends unknown[], P, R>(
  calls: SystemCalls,
  op: AnyOperation<B, P, R>,
  parse: (...args: A) => P,
): (...args: A) => Promise<R> {
  return (...given) => promised((ends) => runLater(calls, op, parse(...given), ends));
}

/** A form that takes an AbortSignal. */
function abortable<A extends unknown[], B extends unknown[], P, R>(
  calls: SystemCalls,
  op: AnyOperation<B, P, R>,
  parse: (...args: A) => args.Abortable<P>,
): (...args: A) => Promise<R> {
  return (...given) =>
    promised((ends: Ends<R>) => {
      const { parsed, signal } = parse(...given);
      runAbortable(calls, op, parsed, { signal, listens: true }, ends);
    });
}

/** A temporary directory, which `remove()` removes with everything in it. Without a prototype, as Node's. */
function temporary(calls: SystemCalls, made: string | Buffer): object {
  // The whole path: the context may change its working directory meanwhile.
  const whole = calls.whole(made);
  const parsed: RmArguments = {
    path: whole,
    given: whole,
    recursive: true,
    force: true,
    maxRetries: 0,
    retryDelay: 0,
  };
  const remove = (): Promise<void> => promised((ends) => runLater(calls, rmLater, parsed, ends));
  return bare({
    path: made,
    remove,
    [ASYNC_DISPOSE]: async (): Promise<void> => {
      await remove();
    },
  });
}

/** `fs.promises.glob`, which looks for what it finds next when it is asked. Argument errors come with the first result, as in Node. */
function globIterator(calls: SystemCalls): (...given: Parameters<typeof ops.glob.parse>) => AsyncGenerator<unknown> {
  return async function* (...given) {
    const request = ops.glob.parse(...given);
    const walk = globSteps(request, new TreeReader(calls));
    for (;;) {
      const found = await promised((ends: Ends<Found | undefined>) => runLater(calls, nextFound, walk, ends));
      if (found === undefined) return;
      yield resultOf(request, found);
    }
  };
}

/** Makes `fs.promises`. Its functions do not use `this` and may be taken out of the object. */
export function makePromises(calls: SystemCalls) {
  const mkdtemp = form(calls, ops.mkdtemp, ops.mkdtemp.parse);
  const open = form(calls, ops.open, args.open);
  return {
    access: form(calls, ops.access, ops.access.parse),
    copyFile: form(calls, ops.copyFile, ops.copyFile.parse),
    glob: globIterator(calls),
    cp: form(calls, cpLater, cpLater.parse),
    open: async (path: PathLike, flags?: unknown, mode?: unknown) =>
      new FileHandle(calls, await open(path, flags, mode)),
    opendir: form(calls, openedDirectory, openedDirectory.parse),
    rename: form(calls, ops.rename, ops.rename.parse),
    truncate: form(calls, ops.truncate, ops.truncate.parse),
    rm: form(calls, rmLater, args.rm),
    rmdir: form(calls, ops.rmdir, ops.rmdir.parse),
    mkdir: form(calls, mkdirLater, args.mkdir),
    readdir: form(calls, ops.readdir, args.readdir),
    readlink: form(calls, ops.readlink, args.readlink),
    symlink: form(calls, ops.symlink, ops.symlink.parse),
    lstat: abortable(calls, ops.lstat, args.lstat),
    stat: abortable(calls, ops.stat, args.stat),
    statfs: form(calls, ops.statfs, ops.statfs.parse),
    link: form(calls, ops.link, ops.link.parse),
    unlink: form(calls, ops.unlink, ops.unlink.parse),
    chmod: form(calls, ops.chmod, ops.chmod.parse),
    // Node has it on macOS alone.
    lchmod: async (): Promise<never> => {
      throw codedError(Error, "ERR_METHOD_NOT_IMPLEMENTED", "The lchmod() method is not implemented");
    },
    lchown: form(calls, ops.lchown, ops.lchown.parse),
    chown: form(calls, ops.chown, ops.chown.parse),
    utimes: form(calls, ops.utimes, ops.utimes.parse),
    lutimes: form(calls, ops.lutimes, ops.lutimes.parse),
    realpath: form(calls, realpathNative, realpathNative.parse),
    mkdtemp,
    mkdtempDisposable: async (prefix: PathLike, options?: NodeFs.EncodingOption) =>
      temporary(calls, await mkdtemp(prefix, options)),
    writeFile: (file: PathLike | FileHandle, data: WrittenData, options?: unknown) =>
      writeFile(calls, file, data, options),
    appendFile: (file: PathLike | FileHandle, data: WrittenData, options?: unknown) =>
      appendFile(calls, file, data, options),
    readFile: (file: PathLike | FileHandle, options?: unknown) => readFile(calls, file, options),
    watch: makeWatchIterator(calls),
    constants,
  };
}
