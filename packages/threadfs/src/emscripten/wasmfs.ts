/**
 * Programs whose file system is WASMFS, which is compiled into them: what its Node backend imports to call `node:fs` calls the tree instead.
 *
 * The backend's calls return 0 or a positive error number of the program, which is lost where the backend makes an EIO or nothing of it; open() returns a
 * descriptor or a negative number. Its paths are those of the tree. Descriptors are numbers of the context, which all threads of a program have in common, since each of them
 * closes what another one has opened.
 */
import { EFAULT, EFBIG, ENOENT } from "../../abi/errno.js";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../../abi/flags.js";
import { PATH_MAX } from "../../abi/limits.js";
import { DT_DIR, DT_LNK, DT_REG } from "../../abi/mode.js";
import * as STAT from "../../abi/stat.js";
import type { Context } from "../api/context.js";
import type { Vfs } from "../api/vfs.js";
import { type KeysOf, readOptions } from "../bridge/options.js";
import { codedError, invalidArgType } from "../errors/errors.js";
import { utf8Bytes } from "../node-fs/bytes.js";
import { listDirectory } from "../node-fs/directory/entries.js";
import type { SystemCalls } from "../node-fs/system-calls.js";
import { programErrno, programErrnoOf } from "./errno.js";

/** What is used of an instance of the program. */
export interface ProgramInstance {
  readonly exports: object;
}

/** Options of {@link wasmfsImports}. */
export interface WasmfsImportsOptions {
  /** The tree. The program's files are opened in this context: threads of one program have the same, by its handle. */
  vfs: Vfs | Context;
  /** The instance of the program in this thread, which exists when the program runs. */
  instance: () => ProgramInstance;
  /** The program's memory, where it neither exports nor imports one named "memory". */
  memory?: (() => ArrayBufferLike) | undefined;
}

const OPTIONS: KeysOf<WasmfsImportsOptions> = { vfs: true, instance: true, memory: true };

const PREFIX = "_wasmfs_node_";
/** Offsets and sizes have 32 bits in the backend: a file that is longer could not be told from a short one. */
const SIZE_MAX = 2 ** 32 - 1;
const TWO_32 = 2 ** 32;

/** File::FileKind of WASMFS, by DT_*; others: 0. */
const KINDS: ReadonlyMap<number, number> = /* @__PURE__ */ new Map([
  [DT_REG, 1],
  [DT_DIR, 2],
  [DT_LNK, 3],
]);

type Call = (...args: number[]) => number;
/** A call of the backend. Its numbers have 32 bits, but for a size, which may be a bigint. */
type BackendCall = (...args: never[]) => number;
type Exports = Readonly<Record<string, unknown>>;

/** The names that versions of Emscripten have had for what a function needs of the program's stack. */
const STACK = {
  save: ["emscripten_stack_get_current", "stackSave"],
  allocate: ["_emscripten_stack_alloc", "stackAlloc"],
  restore: ["_emscripten_stack_restore", "stackRestore"],
} as const;

/** The memory and the functions of a program, in this thread. */
class Program {
  readonly #instance: () => ProgramInstance;
  readonly #buffer: () => ArrayBufferLike;
  #bytes = new Uint8Array(0);
  #view = new DataView(new ArrayBuffer(0));

  constructor(instance: () => ProgramInstance, buffer: (() => ArrayBufferLike) | undefined, imported: () => unknown) {
    this.#instance = instance;
    this.#buffer =
      buffer ??
      (() => ((this.#exports().memory ?? imported()) as { buffer: ArrayBufferLike } | undefined)?.buffer as never);
  }

  #exports(): Exports {
    return this.#instance().exports as Exports;
  }

  /** The memory as it is now: a call of the program may have grown it. */
  get bytes(): Uint8Array {
    const buffer = this.#buffer();
    if (this.#bytes.buffer !== buffer || this.#bytes.length !== buffer.byteLength) {
      this.#bytes = new Uint8Array(buffer as ArrayBuffer);
      this.#view = new DataView(buffer as ArrayBuffer);
    }
    return this.#bytes;
  }

  set32(address: number, value: number): void {
    // Makes the view anew.
    if (this.bytes.length < address + 4) return;
    this.#view.setUint32(address, value, true);
  }

  /** The bytes of a string. */
  string(address: number): Uint8Array {
    const { bytes } = this;
    const at = address >>> 0;
    const end = bytes.indexOf(0, at);
    // A string without an end is longer than any path.
    return bytes.slice(at, end < 0 ? Math.min(at + PATH_MAX + 1, bytes.length) : end);
  }

  /** @throws Error ERR_THREADFS_WASMFS */
  exported(names: readonly string[]): Call {
    const exports = this.#exports();
    const found = names.map((name) => exports[name]).find((one) => typeof one === "function");
    if (found !== undefined) return found as Call;
    throw wasmfsError(`The program exports no ${names.join(" or ")}: its exports have been renamed when it was built`);
  }
}

function wasmfsError(message: string): Error {
  return codedError(Error, "ERR_THREADFS_WASMFS", message);
}

/** The calls of the backend, on a context. */
class Backend {
  readonly #calls: SystemCalls;
  readonly #program: Program;

  constructor(calls: SystemCalls, program: Program) {
    this.#calls = calls;
    this.#program = program;
  }

  /** Makes a call of a path. @returns 0 or more, or a negative error number of Linux */
  #withPath(address: number, call: (length: number) => number): number {
    const length = this.#calls.tryPutPath(this.#program.string(address));
    return length < 0 ? length : call(length);
  }

  #withPaths(from: number, to: number, call: (length: number, length2: number) => number): number {
    return call(...this.#calls.putPaths(this.#program.string(from), this.#program.string(to), "rename"));
  }

  #stat(path: number): number {
    return this.#calls.statRaw(this.#program.string(path), AT_SYMLINK_NOFOLLOW);
  }

  /** Tells the program an attribute that has been read. */
  #tell(result: number, at: number, attribute: number): number {
    if (result < 0) return result;
    this.#program.set32(at >>> 0, Math.min(this.#calls.attachment.stat[attribute] as number, SIZE_MAX));
    return 0;
  }

  /** Opens a file as fopen(3)'s mode says, but for what "w" would create and empty: WASMFS has done the one before, and does the other afterwards. */
  #open(path: number, mode: number): number {
    const text = this.#program.string(mode);
    const writes = text[0] !== "r".charCodeAt(0);
    const both = text.includes("+".charCodeAt(0));
    const flags = both ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
    return this.#calls.openAny(this.#program.string(path), flags, 0);
  }

  #insertFile(path: number, mode: number): number {
    const fd = this.#calls.openAny(this.#program.string(path), O_CREAT | O_EXCL | O_WRONLY, mode & 0o7777);
    this.#calls.closeQuietly(fd);
    return 0;
  }

  /**
   * unlink(2) or rmdir(2). WASMFS has found the name, now or long ago: it asks for a 0 where the file is gone meanwhile, and forgets it then. So the program can
   * create the name again.
   */
  #remove(path: number, flags: number): number {
    const { core, ctx } = this.#calls;
    const result = this.#withPath(path, (length) => core.sysUnlink(ctx, AT_FDCWD, length, flags));
    return result === -ENOENT ? 0 : result;
  }

  /** A part of the program's memory; undefined: it is none. */
  #part(address: number, length: number): Uint8Array | undefined {
    const { bytes } = this.#program;
    const [at, size] = [address >>> 0, length >>> 0];
    return at + size <= bytes.length ? bytes.subarray(at, at + size) : undefined;
  }

  #read(fd: number, address: number, length: number, position: number, done: number): number {
    const part = this.#part(address, length);
    if (part === undefined) return -EFAULT;
    this.#program.set32(done >>> 0, this.#calls.read(fd, part, position >>> 0));
    return 0;
  }

  #write(fd: number, address: number, length: number, position: number, done: number): number {
    const part = this.#part(address, length);
    if (part === undefined) return -EFAULT;
    if ((position >>> 0) + part.length > SIZE_MAX) return -EFBIG;
    this.#program.set32(done >>> 0, this.#calls.write(fd, part, position >>> 0));
    return 0;
  }

  /** Writes the body of a link and its NUL. The backend ends the program if it fails: what is no link any more has an empty body, which leads nowhere. */
  #readlink(path: number, into: number, size: number): number {
    const part = this.#part(into, size);
    if (part === undefined || part.length === 0) return -EFAULT;
    const { core, ctx, attachment } = this.#calls;
    const got = this.#withPath(path, (bytes) => core.sysReadlink(ctx, AT_FDCWD, bytes));
    const length = Math.max(Math.min(got, part.length - 1), 0);
    part.set(attachment.io.subarray(0, length));
    part[length] = 0;
    return 0;
  }

  /** Tells the names of a directory one by one: the strings are on the program's stack meanwhile. */
  #readdir(path: number, into: number): number {
    const program = this.#program;
    const entries = listDirectory(this.#calls, program.string(path));
    const record = program.exported([`${PREFIX}record_dirent`]);
    const allocate = program.exported(STACK.allocate);
    const restore = program.exported(STACK.restore);
    const top = program.exported(STACK.save)();
    for (const { name: text, type } of entries) {
      const name = typeof text === "string" ? utf8Bytes(text) : text;
      const at = allocate(name.length + 1) >>> 0;
      program.bytes.set(name, at);
      program.bytes[at + name.length] = 0;
      record(into, at, KINDS.get(type) ?? 0);
      restore(top);
    }
    return 0;
  }

  /** By their names in the program. Each returns 0, a descriptor, or a negative error number of Linux. */
  table(): Record<string, BackendCall> {
    const { core, ctx } = this.#calls;
    const none = AT_FDCWD;
    return {
      readdir: (path: number, into: number) => this.#readdir(path, into),
      get_mode: (path: number, at: number) => this.#tell(this.#stat(path), at, STAT.mode),
      stat_size: (path: number, at: number) => this.#tell(this.#stat(path), at, STAT.size),
      fstat_size: (fd: number, at: number) => this.#tell(core.sysFstat(ctx, fd), at, STAT.size),
      insert_file: (path: number, mode: number) => this.#insertFile(path, mode),
      insert_directory: (path: number, mode: number) =>
        this.#withPath(path, (length) => core.sysMkdir(ctx, none, length, mode & 0o7777)),
      unlink: (path: number) => this.#remove(path, 0),
      rmdir: (path: number) => this.#remove(path, AT_REMOVEDIR),
      truncate: (path: number, ...size: (number | bigint)[]) =>
        this.#withPath(path, (length) => core.sysTruncate(ctx, none, length, sizeOf(size))),
      ftruncate: (fd: number, ...size: (number | bigint)[]) => core.sysFtruncate(ctx, fd, sizeOf(size)),
      rename: (from: number, to: number) =>
        this.#withPaths(from, to, (length, length2) => core.sysRename(ctx, none, length, none, length2, 0)),
      symlink: (target: number, path: number) =>
        this.#withPaths(target, path, (length, length2) => core.sysSymlink(ctx, length, none, length2)),
      readlink: (path: number, into: number, size: number) => this.#readlink(path, into, size),
      open: (path: number, mode: number) => this.#open(path, mode),
      close: (fd: number) => core.sysClose(ctx, fd),
      read: (fd: number, address: number, length: number, position: number, done: number) =>
        this.#read(fd, address, length, position, done),
      write: (fd: number, address: number, length: number, position: number, done: number) =>
        this.#write(fd, address, length, position, done),
    };
  }
}

/** An integer of 64 bits that the program passes: as one, or as two halves. */
function sizeOf([low = 0, high = 0]: readonly (number | bigint)[]): number {
  if (typeof low === "bigint") return Number(low);
  return (low >>> 0) + (Number(high) | 0) * TWO_32;
}

/**
 * Makes a call of the backend. Its errors are the program's numbers, which are positive, but for open(). What is no error of a system call, such as a tree that is closed, is thrown through
 * the program.
 */
function guarded(calls: SystemCalls, call: BackendCall, isOpen: boolean): Call {
  const sign = isOpen ? -1 : 1;
  return (...args) => {
    try {
      calls.checkOpen();
      const result = call(...(args as never[]));
      return result < 0 ? sign * programErrno(result) : result;
    } catch (error) {
      const errno = programErrnoOf(error);
      if (errno === undefined) throw error;
      return sign * errno;
    }
  };
}

/** The calls of a Vfs or of a context. @throws TypeError ERR_INVALID_ARG_TYPE; Error ERR_THREADFS_CLOSED */
function callsOf(vfs: Vfs | Context): SystemCalls {
  const calls = (vfs as Partial<Vfs> | null | undefined)?.calls;
  if (calls === undefined) throw invalidArgType("options.vfs", "a Vfs or a Context", vfs);
  calls.checkOpen();
  return calls;
}

/**
 * Gives a program that has been built with `-sWASMFS` a tree: replaces what the Node backend imports, for `Module.instantiateWasm`. A directory that the program makes with
 * `wasmfs_create_node_backend("/dir")` then is the directory "/dir" of the tree, and no call reaches the files of the machine. docs/emscripten.md says what works.
 *
 * In a program with threads each thread calls this for its own instance, with the same context, and works on the tree itself.
 * @param imports is changed, and returned
 * @throws Error ERR_THREADFS_WASMFS: the program has no such backend, or one with calls that are not known; or its imports have been renamed when it was
 * built; TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
export function wasmfsImports<I extends object>(imports: I, options: WasmfsImportsOptions): I {
  const { vfs, instance, memory } = readOptions<WasmfsImportsOptions>(options, OPTIONS);
  if (typeof instance !== "function") throw invalidArgType("options.instance", "of type function", instance);
  if (memory !== undefined && typeof memory !== "function") {
    throw invalidArgType("options.memory", "of type function", memory);
  }
  const calls = callsOf(vfs as Vfs | Context);
  let replaced = 0;
  // Builds have the same object under two names.
  for (const module of new Set(Object.values(imports) as Record<string, unknown>[])) {
    const names = Object.keys(module).filter((name) => name.startsWith(PREFIX));
    if (names.length === 0) continue;
    const table = new Backend(calls, new Program(instance, memory, () => module.memory)).table();
    for (const name of names) {
      const call = table[name.slice(PREFIX.length)];
      if (call === undefined) throw wasmfsError(`The program imports "${name}", which this version does not know`);
      module[name] = guarded(calls, call, name === `${PREFIX}open`);
      replaced++;
    }
  }
  if (replaced > 0) return imports;
  throw wasmfsError(
    "The program imports no Node backend of WASMFS: it has not been built with -sWASMFS, calls no wasmfs_create_node_backend(), or its imports have been renamed when it was built (MINIFY_WASM_IMPORTS)",
  );
}
