/** A tree as one mount of a program sees it: the system calls, and the nodes that come of them. */
import { ENOENT } from "../../abi/errno.js";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, RESOLVE_NO_SYMLINKS } from "../../abi/flags.js";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../abi/mode.js";
import * as STAT from "../../abi/stat.js";
import type { Context } from "../api/context.js";
import type { SystemCalls } from "../node-fs/system-calls.js";
import type { Fs } from "../node-fs/types.js";
import type { Build } from "./build.js";
import type { FsAttributes, FsMount, FsNode, OpenFile } from "./types.js";

interface Ops {
  readonly node: object;
  readonly stream: object;
}

const NO_OPS: Ops = { node: {}, stream: {} };
/** The mode of a node that tells a name alone. */
const ANY_DIRECTORY = S_IFDIR | 0o777;
/** sysWalk() fills the attributes, as stat(2) does. */
const FOR_STAT = -1;

export class Tree {
  readonly build: Build;
  readonly calls: SystemCalls;
  readonly fs: Fs;
  ops: Ops = NO_OPS;
  /** The node that was made last, as long as the attributes that were read last are its own. */
  #fresh: FsNode | undefined;

  constructor(build: Build, context: Context) {
    this.build = build;
    this.calls = context.calls;
    this.fs = context.fs;
  }

  /** The root of a mount. */
  rootOf(mount: FsMount): FsNode {
    this.build.check(this.calls.statRaw("/", 0));
    const root = this.#node(null, "/", "");
    root.mount = mount;
    return root;
  }

  /** A node of the root for an open directory alone: that of the mount is every walk's. */
  rootOpened(root: FsNode): FsNode {
    const node = this.#nodeOf(null, root.name, root.treePath, root.mode, 0);
    node.mount = root.mount;
    return node;
  }

  /** The path of a node, from the root of the context. */
  pathOf(node: FsNode): string {
    return node.treePath === "" ? "/" : node.treePath;
  }

  /** The path of a name in a directory. */
  childPath(parent: FsNode, name: string): string {
    return `${parent.treePath}/${name}`;
  }

  /** A node with the attributes that were read last. */
  #node(parent: FsNode | null, name: string, treePath: string): FsNode {
    const { stat } = this.calls.attachment;
    const node = this.#nodeOf(parent, name, treePath, stat[STAT.mode] as number, stat[STAT.rdev] as number);
    this.#fresh = node;
    return node;
  }

  /** A node of a path that has just been walked. */
  nodeFound(parent: FsNode, name: string, treePath: string): FsNode {
    return this.#node(parent, name, treePath);
  }

  /** The node of a directory for nodes below it, of which nothing but its name is known. */
  directoryNode(parent: FsNode, name: string, treePath: string): FsNode {
    return this.#nodeOf(parent, name, treePath, ANY_DIRECTORY, 0);
  }

  /** The type of what was walked to last. */
  typeFound(): number {
    return (this.calls.attachment.stat[STAT.mode] as number) & S_IFMT;
  }

  #nodeOf(parent: FsNode | null, name: string, treePath: string, mode: number, rdev: number): FsNode {
    const node = this.build.node(parent, name, mode, rdev, treePath);
    node.node_ops = this.ops.node;
    node.stream_ops = this.ops.stream;
    return node;
  }

  /** The node of a name, as the tree has it now. @throws ENOENT and others, as the program's errors */
  lookup(parent: FsNode, name: string): FsNode {
    const path = this.childPath(parent, name);
    const { build } = this;
    const result = this.statAt(path);
    if (result < 0) {
      // Only getdents64 looks for names in an open directory: those that it has listed. Another thread has removed this one since then.
      if (result === -ENOENT && this.opened(parent) !== undefined) return this.#nodeOf(parent, name, path, S_IFREG, 0);
      build.check(result);
    }
    const node = this.#node(parent, name, path);
    const mounted = build.mountedOn(parent.mount, path);
    if (mounted !== undefined) node.mounted = mounted;
    return node;
  }

  /** The file that was opened with a node, if it is still open. */
  opened(node: FsNode): OpenFile | undefined {
    const file = node.treeFile;
    return file === undefined || file.fd < 0 ? undefined : file;
  }

  /** Reads the attributes of a path without links, but for the last component. Returns 0 or a negative errno of Linux: -ELOOP for a link on the way. */
  walkTo(path: string): number {
    const { calls } = this;
    this.#fresh = undefined;
    try {
      const length = calls.tryPutPath(path);
      if (length < 0) return length;
      return calls.core.sysWalk(calls.ctx, AT_FDCWD, length, AT_SYMLINK_NOFOLLOW, FOR_STAT, RESOLVE_NO_SYMLINKS);
    } catch (error) {
      throw this.build.translate(error);
    }
  }

  /** Reads the attributes of a path, of a link itself. Returns 0 or a negative errno of Linux. */
  statAt(path: string): number {
    this.#fresh = undefined;
    try {
      return this.calls.statRaw(path, AT_SYMLINK_NOFOLLOW);
    } catch (error) {
      throw this.build.translate(error);
    }
  }

  /**
   * Reads the attributes of a node: of the open file, whatever its name is by now, or of what has the name. In a call of FS.stat(), which has found the node a moment ago, they
   * have been read. @throws the program's errors
   */
  stat(node: FsNode): void {
    const isFresh = this.#fresh === node && this.build.isInStat;
    this.#fresh = undefined;
    if (isFresh) return;
    const file = this.opened(node);
    this.build.check(file === undefined ? this.statAt(this.pathOf(node)) : this.statFile(file));
  }

  /** Reads the attributes of an open file. Returns 0 or a negative errno of Linux. */
  statFile({ fd }: OpenFile): number {
    const { calls, build } = this;
    this.#fresh = undefined;
    try {
      calls.checkOpen();
      return calls.core.sysFstat(calls.ctx, fd);
    } catch (error) {
      throw build.translate(error);
    }
  }

  /** The attributes that were read last. */
  attributes(): FsAttributes {
    const { stat } = this.calls.attachment;
    const value = (at: number): number => stat[at] as number;
    const time = (seconds: number, nanoseconds: number): Date =>
      new Date(value(seconds) * 1000 + value(nanoseconds) / 1e6);
    return {
      dev: value(STAT.dev),
      ino: value(STAT.ino),
      mode: value(STAT.mode),
      nlink: value(STAT.nlink),
      uid: value(STAT.uid),
      gid: value(STAT.gid),
      rdev: value(STAT.rdev),
      size: value(STAT.size),
      atime: time(STAT.atimeSec, STAT.atimeNsec),
      mtime: time(STAT.mtimeSec, STAT.mtimeNsec),
      ctime: time(STAT.ctimeSec, STAT.ctimeNsec),
      blksize: value(STAT.blksize),
      blocks: value(STAT.blocks),
    };
  }
}
