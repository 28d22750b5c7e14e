/**
 * The locks of a program: Emscripten answers fcntl(2) and flock(2) that every lock is granted, and asks no file system. These functions take the place of its
 * own in what the program imports.
 */
import {
  F_GETLK,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_SETLK,
  F_SETLKW,
  F_UNLCK,
  SEEK_CUR,
  SEEK_SET,
} from "../../abi/flags.js";
import { FLOCK_LEN, FLOCK_PID, FLOCK_START, FLOCK_TYPE } from "../../abi/memory.js";
import { type KeysOf, readOptions } from "../bridge/options.js";
import { codedError, invalidArgType } from "../errors/errors.js";
import type { Build } from "./build.js";
import { ERRNO, programErrno, programErrnoOf } from "./errno.js";
import { buildOf, treeOf } from "./mount.js";
import { decideBefore, isSuspending, UNDECIDED } from "./suspending.js";
import type { Tree } from "./tree.js";
import type { FsStream } from "./types.js";

/** fcntl's commands by the numbers of Emscripten's C library, and by Linux's on x86-64. */
const COMMANDS: Readonly<Record<number, number>> = {
  12: F_GETLK,
  13: F_SETLK,
  14: F_SETLKW,
  [F_OFD_GETLK]: F_OFD_GETLK,
  [F_OFD_SETLK]: F_OFD_SETLK,
  [F_OFD_SETLKW]: F_OFD_SETLKW,
};

/** struct flock of that library, 32 bytes: l_type and l_whence are 16 bits, l_start and l_len 64, l_pid 32. */
const L_TYPE = 0;
const L_WHENCE = 2;
const L_START = 8;
const L_LEN = 16;
const L_PID = 24;
const FLOCK_SIZE = 32;

/** Options of {@link fileLocks}. */
export interface FileLockOptions {
  /** `Module.FS` of the program. */
  FS: object;
  /** The program's memory as it is now: a call may grow it, so this is called each time. */
  memory: () => ArrayBufferLike;
}

/** What a program asks for locks, answered by the tree. */
export interface FileLocks {
  /**
   * fcntl(2), as Emscripten's `__syscall_fcntl64`: F_GETLK, F_SETLK and F_SETLKW, and their OFD forms.
   * @param varargs address of the address of a struct flock
   * @returns 0 or a negative error number of the program; undefined: another command, or a descriptor that is not of a tree. Then it is for the
   * build's own function
   */
  fcntl64(fd: number, cmd: number, varargs: number): number | undefined;
  /** flock(2). Returns as {@link fcntl64} does. */
  flock(fd: number, operation: number): number | undefined;
}

/** Makes a call about an open file of a tree. Returns its result, or a negative error number of the program. */
function called(tree: Tree, call: () => number): number {
  try {
    tree.calls.checkOpen();
    const result = call();
    return result < 0 ? -programErrno(result) : 0;
  } catch (error) {
    const errno = programErrnoOf(error);
    if (errno === undefined) throw error;
    return -errno;
  }
}

/** The tree of a stream, and the stream's descriptor in it. */
function opened(build: Build, fd: number): { tree: Tree; stream: FsStream; at: number } | undefined {
  const stream = build.stream(fd);
  const at = stream?.treeFile?.fd ?? -1;
  const tree = stream === undefined || at < 0 ? undefined : treeOf(stream.node.mount);
  return tree === undefined || stream === undefined ? undefined : { tree, stream, at };
}

/** A lock on a range, which the program describes in a struct flock at an address. */
function lockRange(
  { tree, stream, at }: { tree: Tree; stream: FsStream; at: number },
  command: number,
  flock: DataView,
): number {
  const { core, ctx, attachment } = tree.calls;
  const type = flock.getInt16(L_TYPE, true);
  const whence = flock.getInt16(L_WHENCE, true);
  const start = Number(flock.getBigInt64(L_START, true));
  const length = Number(flock.getBigInt64(L_LEN, true));
  // The program's position is FS's: that of the tree's descriptor stays at 0.
  const [from, base] = whence === SEEK_CUR ? [SEEK_SET, stream.position] : [whence, 0];
  const result = called(tree, () => core.sysFcntlLock(ctx, at, command, type, from, base + start, length));
  if (result !== 0 || (command !== F_GETLK && command !== F_OFD_GETLK)) return result;
  const numbers = attachment.ioNumbers;
  const field = (offset: number): number => numbers[offset / 8] ?? 0;
  flock.setInt16(L_TYPE, field(FLOCK_TYPE), true);
  if (field(FLOCK_TYPE) === F_UNLCK) return 0;
  flock.setInt16(L_WHENCE, SEEK_SET, true);
  flock.setBigInt64(L_START, BigInt(field(FLOCK_START)), true);
  flock.setBigInt64(L_LEN, BigInt(field(FLOCK_LEN)), true);
  flock.setInt32(L_PID, field(FLOCK_PID), true);
  return 0;
}

const LOCK_OPTIONS: KeysOf<FileLockOptions> = { FS: true, memory: true };

/**
 * The locks of a program's files in trees, for builds that let an embedder answer fcntl() and flock(), such as php-wasm's `bindUserSpace`. For others:
 * {@link lockImports}. Locks of fcntl() belong to the mount's context, those of flock() to the open file, as in Linux; they end with the worker at the latest.
 * A lock that is waited for blocks the thread, for the tree's `lockTimeoutMs` at most: then it is ETIMEDOUT.
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
export function fileLocks(options: FileLockOptions): FileLocks {
  const { FS, memory } = readOptions<FileLockOptions>(options, LOCK_OPTIONS);
  const build = buildOf(FS, "options.FS");
  if (typeof memory !== "function") throw invalidArgType("options.memory", "of type function", memory);
  return {
    fcntl64(fd, cmd, varargs) {
      const command = COMMANDS[cmd];
      const open = command === undefined ? undefined : opened(build, fd);
      if (command === undefined || open === undefined) return undefined;
      const buffer = memory();
      const last = buffer.byteLength;
      // An address above 2 GiB is negative for JavaScript.
      const at = varargs >>> 0;
      if (at + 4 > last) return -ERRNO.EFAULT;
      const flock = new DataView(buffer).getUint32(at, true);
      return flock + FLOCK_SIZE > last
        ? -ERRNO.EFAULT
        : lockRange(open, command, new DataView(buffer, flock, FLOCK_SIZE));
    },
    flock(fd, operation) {
      const open = opened(build, fd);
      if (open === undefined) return undefined;
      const { core, ctx } = open.tree.calls;
      return called(open.tree, () => core.sysFlock(ctx, open.at, operation));
    },
  };
}

/** Options of {@link lockImports}. */
export interface LockImportsOptions {
  /** `Module.FS`, which exists when the program runs. */
  FS: () => object;
  /** The program's memory, where it does not import one named "memory": of `instance.exports`. */
  memory?: (() => ArrayBufferLike) | undefined;
}

/** The names that versions of Emscripten have had. */
const FCNTL = ["__syscall_fcntl64", "__sys_fcntl64", "__syscall221"];
const FLOCK = ["__syscall_flock", "__sys_flock", "__syscall143"];

const IMPORTS_OPTIONS: KeysOf<LockImportsOptions> = { FS: true, memory: true };

/**
 * Replaces fcntl() and flock() in what a program imports, for `Module.instantiateWasm`: locks on files of trees are then the tree's. Other files keep the
 * build's functions.
 * @param imports is changed, and returned
 * @throws Error ERR_THREADFS_LOCKS: the program imports no fcntl(): it makes no locks, or its imports have been renamed (-O3 with
 * MINIFY_WASM_IMPORTS); TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
export function lockImports<I extends object>(imports: I, options: LockImportsOptions): I {
  const { FS, memory } = readOptions<LockImportsOptions>(options, IMPORTS_OPTIONS);
  if (typeof FS !== "function") throw invalidArgType("options.FS", "of type function", FS);
  let locks: FileLocks | undefined;
  let replaced = 0;
  // Builds have the same object under two names.
  for (const module of new Set(Object.values(imports) as Record<string, unknown>[])) {
    const now = (): FileLocks => {
      locks ??= fileLocks({
        FS: FS(),
        memory: memory ?? (() => (module.memory as { buffer: ArrayBufferLike }).buffer),
      });
      return locks;
    };
    // The modules of a program with dynamic libraries make what they are asked for: only what is there is read.
    for (const name of [...FCNTL, ...FLOCK].filter((each) => Object.hasOwn(module, each))) {
      const before = module[name];
      const isFcntl = FCNTL.includes(name);
      const decide = (fd = -1, request = 0, address = 0): number | undefined =>
        isFcntl ? now().fcntl64(fd, request, address) : now().flock(fd, request);
      if (isSuspending(before)) {
        module[name] = decideBefore(before, isFcntl ? 3 : 2, (...args) => decide(...args) ?? UNDECIDED);
      } else if (typeof before === "function") {
        module[name] = (...args: number[]) => decide(...args) ?? before(...args);
      } else continue;
      replaced++;
    }
  }
  if (replaced > 0) return imports;
  const message =
    "The program imports no fcntl() that could ask the tree for locks: it makes none, or its imports have been renamed when it was built (MINIFY_WASM_IMPORTS)";
  throw codedError(Error, "ERR_THREADFS_LOCKS", message);
}
