/**
 * The kernel as a runner of the model's calls: node:fs in a directory of a process of its own (kernel.process.ts), with the
 * credentials, working directory and umask of the context that calls. Only the superuser can take others' credentials.
 */
import fs from "node:fs";
import path from "node:path";
import type { Attributes, Call, CallArguments, CallName, Result } from "../../dist/model/call.js";
import { codeOf, defined } from "../../dist/support/defined.js";

export const SELF: Credentials = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  groups: process.getgroups?.() ?? [],
};

/** Credentials of a context. */
export interface Credentials {
  uid: number;
  gid: number;
  groups: number[];
}

/** The attributes that the kernel and the model both know: no times, and no size of a directory. */
type KnownAttributes = Pick<Attributes, "ino" | "mode" | "nlink" | "uid" | "gid"> & { size?: number };
export type KernelResult = Result | KnownAttributes;
const attributes = ({ ino, mode, nlink, uid, gid, size }: KnownAttributes): KnownAttributes => ({
  ino,
  mode,
  nlink,
  uid,
  gid,
  ...(size === undefined ? {} : { size }),
});

/** The calls that node:fs makes by itself; run() makes the others. */
type KernelCall = Exclude<
  CallName,
  | ("sysChdir" | "sysUmask" | "sysOpen" | "sysClose")
  | (
      | "sysChroot"
      | "sysMknod"
      | "sysLseek"
      | "sysTruncate"
      | "sysGetdents"
      | "sysFsync"
      | "sysFileFlags"
      | "sysPoll"
      | "sysSetacl"
      | "sysGetacl"
    )
  | (
      | "sysUtimens"
      | "sysFutimens"
      | "sysMount"
      | "sysMountNew"
      | "sysMounts"
      | "sysPivotRoot"
      | "sysRemount"
      | "sysInvalidate"
      | "sysUmount"
      | "shrink"
      | "arenaCopy"
      | "contextDestroy"
    )
  | ("sysFlock" | "lockRequest" | "setLock" | "getLock" | "sysFallocate" | "sysCopyFileRange")
  | ("sysSetxattr" | "sysGetxattr" | "sysListxattr" | "sysRemovexattr")
  | ("sysPipe" | "sysPipeSize" | "sysFifoWait" | "sysFifoCancel")
  | ("sysReadFile" | "sysWriteFile" | "sysScandir" | "sysOpenat2" | "sysCloseTagged" | "sysStatx")
  | ("contextCreate" | "contextClose" | "contextList" | "threadCloses" | "threadEnd")
>;

/** A position for node:fs: null is the present one. */
const positionOf = (offset = -1): number | null => (offset < 0 ? null : offset);

/** The result of a call that returns nothing. */
const zero = (_nothing: unknown): number => 0;

/** Each call by node:fs; `fd` is the real descriptor. */
const CALLS: { [K in KernelCall]: (a: CallArguments[K], fd: number) => KernelResult } = {
  sysStat: (a) => attributes(a.nofollow ? fs.lstatSync(a.path) : fs.statSync(a.path)),
  sysAccess: (a) => zero(fs.accessSync(a.path, a.mode)),
  sysReadlink: (a) => ({ path: fs.readlinkSync(a.path) }),
  sysRealpath: (a) => ({ path: fs.realpathSync.native(a.path) }),
  sysGetcwd: () => ({ path: process.cwd() }),
  sysMkdir: (a) => zero(fs.mkdirSync(a.path, a.mode)),
  sysSymlink: (a) => zero(fs.symlinkSync(a.target, a.path2)),
  sysLink: (a) => zero(fs.linkSync(a.path, a.path2)),
  sysUnlink: (a) => zero(a.removedir ? fs.rmdirSync(a.path) : fs.unlinkSync(a.path)),
  sysRename: (a) => zero(fs.renameSync(a.path, a.path2)),
  sysFstat: (_a, fd) => attributes(fs.fstatSync(fd)),
  sysRead: (a, fd) => {
    const into = Buffer.alloc(a.n);
    return { data: into.toString("latin1", 0, fs.readSync(fd, into, 0, a.n, positionOf(a.offset))) };
  },
  sysWrite: (a, fd) => fs.writeSync(fd, Buffer.from(a.data, "latin1"), 0, a.data.length, positionOf(a.offset)),
  sysFtruncate: (a, fd) => zero(fs.ftruncateSync(fd, a.size)),
  sysChmod: (a) => zero(fs.chmodSync(a.path, a.mode)),
  sysFchmod: (a, fd) => zero(fs.fchmodSync(fd, a.mode)),
  sysChown: (a) => zero((a.nofollow ? fs.lchownSync : fs.chownSync)(a.path, a.uid, a.gid)),
  sysFchown: (a, fd) => zero(fs.fchownSync(fd, a.uid, a.gid)),
};

/** The errno's name of an error of node:fs, as the model has it. @throws the error if it has none */
function errorName(error: unknown): string {
  const code = codeOf(error);
  if (code === undefined) throw error;
  return code === "ENOTSUP" ? "EOPNOTSUPP" : code;
}

/** The state of a context: its working directory is held by a descriptor. */
interface ContextState {
  handle: number;
  umask: number;
  /** The real descriptors, by the model's numbers. */
  fds: Map<number, number>;
}

const isKernelCall = (name: CallName): name is KernelCall => Object.hasOwn(CALLS, name);

const isAttributes = (result: KernelResult): result is KnownAttributes =>
  typeof result === "object" && "mode" in result;

/** The contexts of the calls, played by this process: it takes the credentials, the working directory and the umask of each. */
class KernelContexts {
  readonly #contexts: readonly Credentials[];
  readonly #states: readonly ContextState[];

  /** @param contexts the first is this process's own @param cwd the working directory in which all start */
  constructor(contexts: readonly Credentials[], cwd: string) {
    this.#contexts = contexts;
    this.#states = contexts.map(() => ({
      handle: fs.openSync(cwd, fs.constants.O_DIRECTORY),
      umask: 0o022,
      fds: new Map(),
    }));
  }

  #stateOf(n: number): ContextState {
    return defined(this.#states[n], `context ${n}`);
  }

  /** Acts with the credentials of a context. */
  #as<T>(n: number, act: () => T): T {
    const { uid, gid, groups } = defined(this.#contexts[n], `context ${n}`);
    process.umask(this.#stateOf(n).umask);
    if (n !== 0) {
      process.setgroups?.(groups);
      process.setegid?.(gid);
      process.seteuid?.(uid);
    }
    try {
      return act();
    } finally {
      if (n !== 0) {
        process.seteuid?.(SELF.uid);
        process.setegid?.(SELF.gid);
        process.setgroups?.(SELF.groups);
      }
    }
  }

  /** Enters the working directory by its descriptor, as it may have been moved, removed or made inaccessible. */
  #enter(state: ContextState): void {
    process.chdir(`/proc/self/fd/${state.handle}`);
  }

  #chdir(state: ContextState, n: number, to: string): number {
    this.#as(n, () => process.chdir(to));
    const handle = fs.openSync(".", fs.constants.O_DIRECTORY);
    fs.closeSync(state.handle);
    state.handle = handle;
    return 0;
  }

  /** Opens with the model's descriptor number: the lowest free one from 3. */
  #open(state: ContextState, n: number, { path: name, flags, mode }: CallArguments["sysOpen"]): number {
    const real = this.#as(n, () => fs.openSync(name, flags, mode));
    let fd = 3;
    while (state.fds.has(fd)) fd++;
    state.fds.set(fd, real);
    return fd;
  }

  #close(state: ContextState, fd: number): number | string {
    const real = state.fds.get(fd);
    if (real === undefined) return "EBADF";
    fs.closeSync(real);
    state.fds.delete(fd);
    return 0;
  }

  run(call: Call): KernelResult {
    const ctx = call.ctx ?? 0;
    const state = this.#stateOf(ctx);
    try {
      this.#enter(state);
      if (call.call === "sysChdir") return this.#chdir(state, ctx, call.path);
      if (call.call === "sysUmask") {
        const old = state.umask;
        state.umask = call.mask;
        return old;
      }
      if (call.call === "sysOpen") return this.#open(state, ctx, call);
      if (call.call === "sysClose") return this.#close(state, call.fd);
      const fd = "fd" in call ? state.fds.get(call.fd) : -1;
      if (fd === undefined) return "EBADF";
      if (!isKernelCall(call.call)) throw new Error(`node:fs cannot make ${call.call}`);
      // The arguments are those of this very call.
      const make = CALLS[call.call] as (args: Call, fd: number) => KernelResult;
      return this.#as(ctx, () => make(call, fd));
    } catch (error) {
      return errorName(error);
    }
  }

  close(): void {
    for (const { fds, handle } of this.#states) for (const fd of [handle, ...fds.values()]) fs.closeSync(fd);
  }
}

/** The result without what only one of the two knows. */
export function comparable(result: KernelResult): KernelResult {
  if (!isAttributes(result)) return result;
  const { size, ...rest } = attributes(result);
  return (rest.mode & 0o170000) === 0o040000 ? rest : { ...rest, size };
}

/**
 * Whether the results of a call can be compared. Only with the process's own user: access(2) checks the real user, a link to a file of
 * another user may be refused by a setting of the machine, and realpath(3) is the C library's, which walks from "/". Never: a
 * read of nothing, which node:fs returns by itself.
 */
export function canCompare(call: Call): boolean {
  if (call.call === "sysRead" && call.n === 0) return false;
  return call.ctx === 0 || !["sysAccess", "sysLink", "sysRealpath"].includes(call.call);
}

/** The calls that read an entry of the tree: its attributes, and of a link the body. */
export function entryOf(run: (call: Call) => KernelResult, at: string): unknown {
  const stat = comparable(run({ call: "sysStat", path: at, nofollow: true, ctx: 0 }));
  const isLink = isAttributes(stat) && (stat.mode & 0o170000) === 0o120000;
  return isLink ? { ...stat, body: run({ call: "sysReadlink", path: at, ctx: 0 }) } : stat;
}

/** What the kernel's process is asked for. */
export interface KernelRequest {
  /** The directory in which it works. */
  readonly root: string;
  /** The first is the process's own. */
  readonly contexts: readonly Credentials[];
  /** Directories to start below. */
  readonly floor: string;
  readonly calls: readonly Call[];
}

/** What the calls came to. */
export interface KernelReply {
  /** The working directory at first. */
  readonly cwd: string;
  /** All directories down to `cwd`, which the model needs too. */
  readonly directories: readonly string[];
  readonly results: readonly KernelResult[];
  /** Every entry below `cwd` in the end, with the results of {@link entryOf} in their order. */
  readonly tree: readonly (readonly [at: string, results: readonly KernelResult[]])[];
}

/** The names in a directory, sorted: none if `at` is no directory, or cannot be read. */
function namesIn(at: string): string[] {
  try {
    return fs.lstatSync(at).isDirectory() ? fs.readdirSync(at).sort() : [];
  } catch {
    return [];
  }
}

function treeBelow(played: KernelContexts, cwd: string): KernelReply["tree"] {
  const found: [string, KernelResult[]][] = [];
  const visit = (at: string) => {
    const results: KernelResult[] = [];
    entryOf((call) => {
      const result = played.run(call);
      results.push(result);
      return result;
    }, at);
    found.push([at, results]);
    for (const name of namesIn(at)) visit(`${at}/${name}`);
  };
  visit(cwd);
  return found;
}

/** In the kernel's process: runs calls in a fresh directory. */
export function runOnKernel({ root, contexts, floor, calls }: KernelRequest): KernelReply {
  const top = fs.mkdtempSync(path.join(root, "model-"));
  process.umask(0);
  const cwd = path.join(top, floor).replace(/\/$/, "");
  fs.mkdirSync(cwd, { recursive: true, mode: 0o777 });
  const directories = cwd
    .split("/")
    .map((_name, n, names) => names.slice(0, n + 1).join("/") || "/")
    .slice(1);
  for (const dir of directories) if (dir.startsWith(top)) fs.chmodSync(dir, 0o777);
  const played = new KernelContexts(contexts, cwd);
  try {
    const results = calls.map((call) => played.run(call));
    return { cwd, directories, results, tree: treeBelow(played, cwd) };
  } finally {
    process.chdir("/");
    played.close();
    process.umask(0);
    fs.rmSync(top, { recursive: true, force: true });
  }
}
