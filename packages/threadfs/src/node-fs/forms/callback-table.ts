/** The calls of `node:fs` with a callback: where each has it, and in which order Node looks at its arguments. */
import type * as NodeFs from "node:fs";
import { invalidArgValue } from "../../errors/errors.js";
import {
  isFd,
  NO_OPTIONS,
  type Path,
  toCallMode,
  toCheckedFd,
  toFd,
  toInteger,
  toMode,
  toObject,
  toOpenFlags,
  toOptions,
  toPath,
  toSignal,
} from "../args.js";
import {
  givenAppendOptions,
  givenWriteOptions,
  readFileOptions,
  toBytes,
  type WriteOptions,
  writeFileOptions,
} from "../arguments/files.js";
import type { AnyOperation } from "../operation.js";
import { cpLater } from "../ops-cp.js";
import { readFileArguments, type Target } from "../ops-file.js";
import { mkdirArguments, mkdirLater, mkdirOptions } from "../ops-path.js";
import { rmLater, rmOptions } from "../ops-rm.js";
import type { SystemCalls } from "../system-calls.js";
import { operations as ops, realpathNative } from "../table.js";
import { closeForm, existsForm, opendirForm, readForm, vectorForm, writeForm } from "./callback-transfers.js";
import {
  at,
  callbackForm,
  checkedFirst,
  checkedLast,
  type Form,
  fdLast,
  type Given,
  optional,
  otherwise,
  signalOf,
} from "./callbacks.js";

type Options = Readonly<Record<string, unknown>>;

/** Options of `stat`, `lstat` and `fstat`: whatever is no object counts for nothing. */
function statOptions(options: unknown): Options {
  return typeof options === "object" && options !== null ? (options as Options) : NO_OPTIONS;
}

function stats(mayMiss: boolean) {
  return {
    find: optional(1),
    parse: ([path, options]: Given, check: () => void) => {
      const given: Options = toOptions(statOptions(options), NO_OPTIONS);
      check();
      const checked = toPath(path);
      const throwIfNoEntry = !mayMiss || given.throwIfNoEntry !== false;
      return { path: checked, bigint: given.bigint === true, throwIfNoEntry, signal: toSignal(given.signal) };
    },
    mayMiss: true,
    listens: true,
    signal: signalOf,
  };
}

const fstat = {
  find: optional(1),
  parse: ([fd, options]: Given, check: () => void) => {
    const given = statOptions(options);
    check();
    const signal = toSignal(given.signal);
    return { fd: toFd(fd), bigint: given.bigint === true, signal };
  },
  listens: true,
  signal: signalOf,
};

const mkdir = {
  find: optional(1),
  parse: ([path, options]: Given, check: () => void) => {
    const { mode, recursive } = mkdirOptions(options);
    check();
    return mkdirArguments(toPath(path), mode, recursive);
  },
};

/** `open(path[, flags[, mode]], callback)`: with two arguments or fewer there are no flags. */
const open = {
  find: (given: Given) => {
    if (given.length < 3) return at(1)(given);
    return typeof given[2] === "function" ? at(2)(given) : at(3)(given);
  },
  parse: (before: Given, check: () => void) => {
    const [path, flags, mode] = before;
    const checkedMode = before.length < 3 ? 0o666 : toMode(mode, "mode", 0o666);
    const checkedFlags = toOpenFlags(before.length < 2 ? "r" : flags);
    const checked = toPath(path);
    check();
    return { path: checked, flags: checkedFlags, mode: checkedMode };
  },
};

const readFile = {
  find: otherwise(1),
  parse: ([path, options]: Given, check: () => void) => {
    check();
    const { buffer, encoding, flag, signal } = readFileOptions(options);
    const target = toTarget(path, flag, 0o666, signal, false);
    return { ...readFileArguments(target, encoding, buffer), named: buffer === undefined, signal };
  },
  signal: signalOf,
};

/** @param pathFirst the path is looked at before the flags */
function toTarget(
  path: unknown,
  flag: unknown,
  mode: number,
  signal: AbortSignal | undefined,
  pathFirst: boolean,
): Target {
  if (isFd(path)) return { fd: toFd(path) };
  // As in Node, nothing more is looked at.
  if (signal?.aborted) return { fd: -1 };
  if (pathFirst) toPath(path);
  const flags = toOpenFlags(flag, "options.flag");
  return { path: toPath(path), flags, mode };
}

function fileWriter(givenOptions: (options: unknown, path: unknown) => WriteOptions) {
  return {
    find: otherwise(2),
    parse: ([path, data, options]: Given, check: () => void) => {
      check();
      const { flush, mode, flag, encoding, signal } = writeFileOptions(givenOptions(options, path));
      const bytes = toBytes(data, encoding);
      const target = isFd(path) ? { fd: toCheckedFd(path) } : toTarget(path, flag, mode, signal, !flush);
      return { target, bytes, flush, signal, always: flush || isFd(path) };
    },
    signal: signalOf,
  };
}

const rm = {
  find: optional(1),
  parse: ([path, options]: Given, check: () => void) => {
    const checked = toPath(path);
    const parsed = { path: checked, given: checked, ...rmOptions(options as NodeFs.RmOptions) };
    check();
    return parsed;
  },
};

const rmdir = {
  find: optional(1),
  parse: ([path, options]: Given, check: () => void): Path => {
    const recursive: unknown = (options as Options | null | undefined)?.recursive;
    if (recursive !== undefined) throw invalidArgValue("options.recursive", recursive, "is no longer supported");
    check();
    const checked = toPath(path);
    if (options !== undefined) toObject(options, "options");
    return checked;
  },
};

/** `symlink(target, path[, type], callback)` */
const symlink = {
  find: (given: Given) => (given[3] === undefined ? at(2)(given) : at(3)(given)),
  parse: (before: Given, check: () => void) => {
    if (before.length < 3) check();
    const parsed = ops.symlink.parse(...(before as Parameters<typeof ops.symlink.parse>));
    check();
    return parsed;
  },
};

/** Node's `truncate` opens the file itself, when it has looked at the length and the callback. */
const truncate = {
  find: optional(1),
  parse: ([path, len = 0]: Given, check: () => void) => {
    const size = toInteger(len, "len");
    check();
    return { path: toPath(path), len: size };
  },
};

const ftruncate = {
  find: optional(1),
  parse: ([fd, len = 0]: Given, check: () => void) => {
    const size = Math.max(0, toInteger(len, "len"));
    check();
    return { size, fd: toFd(fd) };
  },
};

const access = {
  find: optional(1),
  parse: ([path, mode]: Given, check: () => void) => {
    const checked = toPath(path);
    check();
    return { path: checked, mode: toCallMode(mode) };
  },
};

const copyFile = {
  find: optional(2),
  parse: ([src, dest, mode]: Given, check: () => void) => {
    const path = toPath(src, "src");
    const target = toPath(dest, "dest");
    check();
    return { path, dest: target, mode: toCallMode(mode) };
  },
};

/** A form with the callback at an index. */
const plain = <P>(index: number, parse: Form<P>["parse"]) => ({ find: at(index), parse });
/** A form whose argument at an index may be left out. */
const shorter = <P>(index: number, parse: Form<P>["parse"]) => ({ find: optional(index), parse });

/** Makes the calls. They do not use `this` and may be taken out of the object. */
export function makeCallbacks(calls: SystemCalls) {
  const form = <A extends unknown[], Q, P extends Q, R>(op: AnyOperation<A, Q, R>, shape: Form<P>) =>
    callbackForm(calls, op, shape);
  return {
    access: form(ops.access, access),
    appendFile: form(
      ops.appendFile,
      fileWriter((options, path) => givenAppendOptions(options, () => isFd(path))),
    ),
    chmod: form(ops.chmod, plain(2, checkedLast(ops.chmod))),
    chown: form(ops.chown, plain(3, checkedFirst(ops.chown))),
    close: closeForm(calls),
    copyFile: form(ops.copyFile, copyFile),
    cp: form(cpLater, { ...shorter(2, checkedFirst({ parse: cpLater.parse })), mayMiss: true }),
    exists: existsForm(calls),
    fchmod: form(ops.fchmod, plain(2, fdLast(ops.fchmod))),
    fchown: form(ops.fchown, plain(3, fdLast(ops.fchown))),
    fdatasync: form(ops.fdatasync, plain(1, checkedFirst(ops.fdatasync))),
    fstat: form(ops.fstat, fstat),
    fsync: form(ops.fsync, plain(1, checkedFirst(ops.fsync))),
    ftruncate: form(ops.ftruncate, ftruncate),
    futimes: form(ops.futimes, plain(3, fdLast(ops.futimes))),
    glob: form(ops.glob, shorter(1, checkedFirst(ops.glob))),
    lchown: form(ops.lchown, plain(3, checkedFirst(ops.lchown))),
    link: form(ops.link, plain(2, checkedFirst(ops.link))),
    lstat: form(ops.lstat, stats(false)),
    lutimes: form(ops.lutimes, plain(3, checkedFirst(ops.lutimes))),
    mkdir: form(mkdirLater, mkdir),
    mkdtemp: form(ops.mkdtemp, shorter(1, checkedFirst(ops.mkdtemp))),
    open: form(ops.open, open),
    opendir: opendirForm(calls),
    read: readForm(calls),
    readdir: form(ops.readdir, shorter(1, checkedFirst(ops.readdir))),
    readFile: form(ops.readFile, readFile),
    readlink: form(ops.readlink, shorter(1, checkedFirst(ops.readlink))),
    readv: vectorForm(calls, false),
    realpath: Object.assign(form(ops.realpath, shorter(1, checkedFirst(ops.realpath))), {
      native: form(realpathNative, shorter(1, checkedFirst(realpathNative))),
    }),
    rename: form(ops.rename, plain(2, checkedFirst(ops.rename))),
    rm: form(rmLater, rm),
    rmdir: form(ops.rmdir, rmdir),
    stat: form(ops.stat, stats(true)),
    statfs: form(ops.statfs, shorter(1, checkedFirst(ops.statfs))),
    symlink: form(ops.symlink, symlink),
    truncate: form(ops.truncate, truncate),
    unlink: form(ops.unlink, plain(1, checkedFirst(ops.unlink))),
    utimes: form(ops.utimes, plain(3, checkedFirst(ops.utimes))),
    write: writeForm(calls),
    writeFile: form(ops.writeFile, fileWriter(givenWriteOptions)),
    writev: vectorForm(calls, true),
  };
}
