/**
 * One instance of Emscripten's `FS`, whose version and members differ from build to build: makes its nodes and errors, and keeps what it caches from
 * hiding changes of other threads.
 *
 * `FS` finds a name first in a table of the nodes that it knows, and asks the file system only for others. In a tree that other threads change, such a
 * node may be a file that is gone, or renamed. So no node of a tree is in that table: they are made without FS.createNode(), which would add
 * them, and the tree is asked for every path: walks.ts. FS.rename() adds the node that it was to rename: node-ops.ts gives it a name that no walk asks
 * for, and has it removed with the next call.
 */
import { codedError, ignoreError } from "../errors/errors.js";
import { ERRNO, programErrno, programErrnoOf } from "./errno.js";
import type { Tree } from "./tree.js";
import type { ErrorConstructor, FsMount, FsNode, FsStream, Mapping, NodeConstructor, RawFs } from "./types.js";
import { Walks } from "./walks.js";

const O_CREAT = 0o100;
const O_EXCL = 0o200;
/** How often a call is made once more when another thread has come between its steps. */
const MAX_TRIES = 16;
/** A file in the program's memory that exists for a moment. */
const MAPPED = "/.threadfs-mapped";

/** @throws TypeError ERR_INVALID_ARG_VALUE */
function refuse(message: string): never {
  throw codedError(TypeError, "ERR_INVALID_ARG_VALUE", message);
}

/** The class of the errors of a build that does not export it: that of an error. */
function errorClass(fs: RawFs): ErrorConstructor {
  if (typeof fs.ErrnoError === "function") return fs.ErrnoError;
  try {
    fs.stat("/\u0001");
  } catch (error) {
    return (error as Error).constructor as ErrorConstructor;
  }
  return refuse('The property "options.FS" has no ErrnoError');
}

/** Whether flags of FS.open() create a file, unless it exists: numbers, or as of fopen(3). */
function mayCreate(flags: unknown): boolean {
  if (typeof flags === "string") return /^[wa]/.test(flags) && !flags.includes("x");
  return typeof flags === "number" && (flags & (O_CREAT | O_EXCL)) === O_CREAT;
}

export class Build {
  readonly #fs: RawFs;
  readonly #Node: NodeConstructor;
  readonly #ErrnoError: ErrorConstructor;
  /** The property of its errors that has their number: the Closure compiler renames it. */
  readonly #errnoKey: string;
  /** What ends with a mount. */
  readonly #ends = new Map<FsMount, () => void>();
  /** Mounts that FS has no more, and whose files are open. */
  readonly #unmounted = new Set<FsMount>();
  #renamed: FsNode | undefined;
  #disturbed: Error | undefined;
  readonly #walks: Walks | undefined;
  /** Whether FS.stat() or FS.lstat() runs. */
  isInStat = false;

  /** @throws TypeError ERR_INVALID_ARG_VALUE: not such an object, or its members have been renamed */
  constructor(fs: RawFs) {
    const { root } = fs;
    if (root === null || typeof root !== "object" || typeof fs.open !== "function" || !Array.isArray(fs.streams)) {
      refuse('The property "options.FS" must be the FS of a program of Emscripten, which runs');
    }
    for (const member of ["node_ops", "stream_ops", "parent", "mount", "name", "mode"]) {
      if (member in root) continue;
      refuse(
        `The nodes of options.FS have no "${member}": the Closure compiler has renamed it, so no file system can be mounted. Build the program without --closure`,
      );
    }
    this.#fs = fs;
    this.#Node = fs.FSNode ?? (root.constructor as NodeConstructor);
    this.#ErrnoError = errorClass(fs);
    const error = new this.#ErrnoError(ERRNO.EEXIST) as unknown as Record<string, unknown>;
    this.#errnoKey = Object.keys(error).find((key) => error[key] === ERRNO.EEXIST) ?? "errno";
    this.#walks = Walks.take(fs, (walk) => this.#again(walk, (error) => error === this.#disturbed));
    this.#callAgain();
    this.#followUnmounts();
    this.#followStats();
  }

  /**
   * Makes calls again whose steps another thread has come between. FS.open() finds no file and is to create one, which is there by then; or finds one, which
   * is gone when it is to be emptied, or a link when it is to be opened. FS.rename() finds the new name taken or free, and checks that once more. A walk, which is in {@link Walks},
   * finds a link that is none when its body is asked for.
   */
  #callAgain(): void {
    const fs = this.#fs;
    const { open, rename } = fs;
    fs.open = (path, flags, ...rest): FsStream =>
      this.#again(
        () => open.call(fs, path, flags, ...rest),
        (error) => error === this.#disturbed || (mayCreate(flags) && this.errnoOf(error) === ERRNO.EEXIST),
      );
    fs.rename = (from, to): void =>
      this.#again(
        () => rename.call(fs, from, to),
        (error) => this.errnoOf(error) === ERRNO.EEXIST || (this.errnoOf(error) === ERRNO.ENOENT && this.#exists(from)),
      );
  }

  /** FS.stat() looks a node up, and asks for its attributes. FS.lstat() calls it. */
  #followStats(): void {
    const fs = this.#fs;
    const { stat } = fs;
    fs.stat = (path, ...rest): unknown => {
      this.isInStat = true;
      try {
        return stat.call(fs, path, ...rest);
      } finally {
        this.isInStat = false;
      }
    };
  }

  /** Paths below a mount are walked in one step. */
  walkAtOnce(mount: FsMount, tree: Tree): void {
    this.#walks?.add(mount, tree);
  }

  /** FS.unmount() does not tell the file system type. */
  #followUnmounts(): void {
    const fs = this.#fs;
    const { unmount } = fs;
    // The Closure compiler renames it.
    if (typeof unmount !== "function") return;
    fs.unmount = (place): void => {
      const mount = fs.lookupPath?.(place, { follow_mount: false }).node.mounted;
      unmount.call(fs, place);
      // Mounts on its directories go with it.
      for (const gone = mount ? [mount] : []; gone.length > 0; ) {
        const next = gone.pop() as FsMount;
        gone.push(...(next.mounts ?? []));
        this.#walks?.remove(next);
        if (this.#ends.has(next)) this.#unmounted.add(next);
      }
      this.endUnused();
    };
  }

  /** Has a function called when a mount is gone, and no file of it is open. */
  whenUnused(mount: FsMount, end: () => void): void {
    this.#ends.set(mount, end);
  }

  /** Ends the mounts that are gone. @param closing is being closed */
  endUnused(closing?: FsStream): void {
    for (const mount of this.#unmounted) {
      const isUsed = this.#fs.streams.some((one) => one != null && one !== closing && one.node?.mount === mount);
      if (isUsed) continue;
      try {
        this.#ends.get(mount)?.();
      } catch (error) {
        // Another thread has kept it waiting for too long: it ends with the next file that is closed.
        ignoreError(error);
        continue;
      }
      this.#ends.delete(mount);
      this.#unmounted.delete(mount);
    }
  }

  #again<R>(call: () => R, isDisturbed: (error: unknown) => boolean): R {
    for (let left = MAX_TRIES; ; left--) {
      try {
        return call();
      } catch (error) {
        if (left === 0 || !isDisturbed(error)) throw error;
      }
    }
  }

  #exists(path: string): boolean {
    try {
      this.#fs.lstat(path);
      return true;
    } catch {
      return false;
    }
  }

  /** The error of a file that FS has found a moment ago, and that is gone, a link, or no link by now. */
  disturbed(errno: number): Error {
    this.#disturbed = this.error(errno);
    return this.#disturbed;
  }

  /** A node that is in no table. */
  node(parent: FsNode | null, name: string, mode: number, rdev: number, treePath: string): FsNode {
    const node = new this.#Node(parent, name, mode, rdev);
    node.treePath = treePath;
    return node;
  }

  /** FS.rename() is going to add this node to the table. */
  willBeAdded(node: FsNode): void {
    this.#renamed = node;
  }

  /** Takes the node that was added last out of the table. */
  removeAdded(): void {
    if (this.#renamed !== undefined) this.#fs.hashRemoveNode?.(this.#renamed);
    this.#renamed = undefined;
  }

  /** The mount that stands on a path of another mount. */
  mountedOn(mount: FsMount, treePath: string): FsMount | undefined {
    const { mounts } = mount;
    if (mounts === undefined || mounts.length === 0) return undefined;
    const place = mount.mountpoint === "/" ? treePath : mount.mountpoint + treePath;
    return mounts.find(({ mountpoint }) => mountpoint === place);
  }

  /** Whether another descriptor of the program has the same open file of a tree. */
  isShared(stream: FsStream): boolean {
    return this.#fs.streams.some((other) => other != null && other !== stream && other.treeFile === stream.treeFile);
  }

  stream(fd: number): FsStream | undefined {
    return this.#fs.streams[fd] ?? undefined;
  }

  /**
   * Bytes in newly allocated memory of the program: a file of its own file system is mapped for that, because few programs export what allocates.
   * @param at the other arguments of FS.mmap()
   */
  mapped(bytes: Uint8Array, at: number[]): Mapping {
    const fs = this.#fs;
    const stream = fs.open(MAPPED, "w+");
    try {
      fs.write(stream, bytes, 0, bytes.length, 0);
      return fs.mmap(stream, ...at);
    } finally {
      fs.close(stream);
      fs.unlink(MAPPED);
    }
  }

  /** The node at a path of the program. @throws the program's errors */
  find(path: string, follow: boolean): FsNode {
    const found = this.#fs.lookupPath?.(path, { follow });
    if (found === undefined) throw this.error(ERRNO.ENOENT);
    return found.node;
  }

  /** An error of the program. @param errno a number of the program */
  error(errno: number): Error {
    return new this.#ErrnoError(errno);
  }

  /** The number of an error of the program. */
  errnoOf(error: unknown): unknown {
    return error instanceof this.#ErrnoError
      ? (error as unknown as Record<string, unknown>)[this.#errnoKey]
      : undefined;
  }

  /** The result of a system call of the tree. @throws the program's errors */
  check(result: number): number {
    if (result >= 0) return result;
    throw this.error(programErrno(result));
  }

  /** Makes calls of the library, whose exceptions become errors of the program. */
  run<R>(calls: () => R): R {
    try {
      return calls();
    } catch (error) {
      throw this.translate(error);
    }
  }

  /** The error of the program for an exception; the exception itself if it is none of a system call. */
  translate(error: unknown): unknown {
    const errno = programErrnoOf(error);
    return errno === undefined || error instanceof this.#ErrnoError ? error : this.error(errno);
  }
}
