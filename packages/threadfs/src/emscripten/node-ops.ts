/** What FS asks of a file system by name: https://emscripten.org/docs/api_reference/Filesystem-API.html */
import { ENOENT as LINUX_ENOENT } from "../../abi/errno.js";
import { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, UTIME_OMIT } from "../../abi/flags.js";
import { NAME_MAX } from "../../abi/limits.js";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFMT } from "../../abi/mode.js";
import { roomOf } from "../node-fs/paths/statfs.js";
import { ERRNO } from "./errno.js";
import type { Tree } from "./tree.js";
import type { FsAttributes, FsChanges, FsNode } from "./types.js";

/** Bits of a mode that can be set. */
const MODE_BITS = 0o7777;
/** statfs(2) of a program has a number of 32 bits for the file system. */
const FSID = 0x01021994;

/** Splits milliseconds into the two parts of a timespec; UTIME_OMIT: the time stays. */
function timeOf(ms: number | null | undefined): [seconds: number, nanoseconds: number] {
  if (ms === null || ms === undefined) return [0, UTIME_OMIT];
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}

/** The two times that a program sets; undefined: none. */
function timesOf({
  atime,
  mtime,
  timestamp,
  mode,
  size,
  dontFollow,
}: FsChanges): [number, number, number, number] | undefined {
  if (atime !== undefined || mtime !== undefined) return [...timeOf(atime), ...timeOf(mtime)];
  // chmod(), truncate() and chown() pass a timestamp too, which nothing asks for: chown() with `dontFollow` in the builds whose utime() has `atime`.
  if (timestamp === undefined || mode !== undefined || size !== undefined || dontFollow !== undefined) return undefined;
  return [...timeOf(timestamp), ...timeOf(timestamp)];
}

/** setattr of a node or of an open file: whatever is known of an open file is done by its descriptor, since its name may be another file's by now. */
export function setAttributes(tree: Tree, node: FsNode, changes: FsChanges): void {
  const { calls, build } = tree;
  const { core, ctx } = calls;
  const fd = tree.opened(node)?.fd;
  const flags = changes.dontFollow === true ? AT_SYMLINK_NOFOLLOW : 0;
  const change = (byFd: (fd: number) => number, byPath: (length: number) => number): void => {
    build.run(() => {
      calls.checkOpen();
      const length = fd === undefined ? calls.tryPutPath(tree.pathOf(node)) : 0;
      const result = fd === undefined ? (length < 0 ? length : byPath(length)) : byFd(fd);
      if (result === -LINUX_ENOENT) throw build.disturbed(ERRNO.ENOENT);
      build.check(result);
    });
  };
  const { mode, size } = changes;
  if (mode !== undefined) {
    change(
      (at) => core.sysFchmod(ctx, at, mode & MODE_BITS),
      (length) => core.sysChmod(ctx, AT_FDCWD, length, mode & MODE_BITS, flags),
    );
    node.mode = (node.mode & S_IFMT) | (mode & MODE_BITS);
  }
  if (size !== undefined) {
    if (!Number.isSafeInteger(size) || size < 0) throw build.error(ERRNO.EINVAL);
    change(
      (at) => core.sysFtruncate(ctx, at, size),
      (length) => core.sysTruncate(ctx, AT_FDCWD, length, size),
    );
  }
  const times = timesOf(changes);
  if (times !== undefined) {
    change(
      (at) => core.sysFutimens(ctx, at, ...times),
      (length) => core.sysUtimens(ctx, AT_FDCWD, length, ...times, flags),
    );
  }
}

/** Passes two paths to a call. @throws the program's errors */
function withPaths(tree: Tree, path: string, dest: string, call: (length: number, length2: number) => number): void {
  const { build, calls } = tree;
  build.run(() => build.check(call(...calls.putPaths(path, dest, "rename"))));
}

/** Passes a path to a call. @throws the program's errors */
function withPath(tree: Tree, path: string, call: (length: number) => number): void {
  const { build, calls } = tree;
  build.run(() => {
    const length = calls.tryPutPath(path);
    build.check(length < 0 ? length : call(length));
  });
}

function makeNode(tree: Tree, parent: FsNode, name: string, mode: number): FsNode {
  const { core, ctx } = tree.calls;
  const type = mode & S_IFMT;
  // A device of the program is a number that means something in that program alone.
  if (type === S_IFCHR || type === S_IFBLK) throw tree.build.error(ERRNO.EPERM);
  withPath(tree, tree.childPath(parent, name), (length) =>
    type === S_IFDIR
      ? core.sysMkdir(ctx, AT_FDCWD, length, mode & MODE_BITS)
      : core.sysMknod(ctx, AT_FDCWD, length, mode, 0),
  );
  return tree.lookup(parent, name);
}

function rename(tree: Tree, node: FsNode, parent: FsNode, name: string): void {
  const { calls, build } = tree;
  const { core, ctx } = calls;
  const [path, dest] = [tree.pathOf(node), tree.childPath(parent, name)];
  // FS adds the node to its table afterwards, whether the call fails or not. No component of a path has a slash, so no walk finds it there.
  node.name = `/${name}`;
  build.willBeAdded(node);
  withPaths(tree, path, dest, (length, length2) => core.sysRename(ctx, AT_FDCWD, length, AT_FDCWD, length2, 0));
  node.parent = parent;
}

function symlink(tree: Tree, parent: FsNode, name: string, target: string): FsNode {
  const { core, ctx } = tree.calls;
  withPaths(tree, target, tree.childPath(parent, name), (length, length2) =>
    core.sysSymlink(ctx, length, AT_FDCWD, length2),
  );
  return tree.lookup(parent, name);
}

/** The body of a link that FS has found. */
function readlink(tree: Tree, node: FsNode): string {
  const { build } = tree;
  try {
    return build.run(() => tree.fs.readlinkSync(tree.pathOf(node)) as string);
  } catch (error) {
    throw build.errnoOf(error) === ERRNO.EINVAL ? build.disturbed(ERRNO.EINVAL) : error;
  }
}

/** link(2), of builds whose FS has it. `from` is a path of the program. */
function link(tree: Tree, parent: FsNode, name: string, from: string, flags = 0): FsNode {
  const { core, ctx } = tree.calls;
  const node = tree.build.find(from, (flags & AT_SYMLINK_FOLLOW) !== 0);
  if (node.mount !== parent.mount) throw tree.build.error(ERRNO.EXDEV);
  withPaths(tree, tree.pathOf(node), tree.childPath(parent, name), (length, length2) =>
    core.sysLink(ctx, AT_FDCWD, length, AT_FDCWD, length2, 0),
  );
  return tree.lookup(parent, name);
}

function statfs(tree: Tree): object {
  return tree.build.run(() => {
    const { room, flags } = roomOf(tree.calls, "/");
    const { bsize, frsize, blocks, bfree, bavail, files, ffree } = room;
    return { bsize, frsize, blocks, bfree, bavail, files, ffree, fsid: FSID, flags, namelen: NAME_MAX };
  });
}

/** The table of a mount. */
export function nodeOps(tree: Tree): object {
  const { build, calls, fs } = tree;
  const { core, ctx } = calls;
  const remove = (parent: FsNode, name: string, flags: number): void =>
    withPath(tree, tree.childPath(parent, name), (length) => core.sysUnlink(ctx, AT_FDCWD, length, flags));
  return {
    getattr(node: FsNode): FsAttributes {
      tree.stat(node);
      return tree.attributes();
    },
    setattr: (node: FsNode, changes: FsChanges): void => setAttributes(tree, node, changes),
    lookup(parent: FsNode, name: string): FsNode {
      build.removeAdded();
      return tree.lookup(parent, name);
    },
    mknod: (parent: FsNode, name: string, mode: number): FsNode => makeNode(tree, parent, name, mode),
    rename(node: FsNode, parent: FsNode, name: string): void {
      build.removeAdded();
      rename(tree, node, parent, name);
    },
    unlink: (parent: FsNode, name: string): void => remove(parent, name, 0),
    rmdir: (parent: FsNode, name: string): void => remove(parent, name, AT_REMOVEDIR),
    readdir: (node: FsNode): string[] => [".", "..", ...build.run(() => fs.readdirSync(tree.pathOf(node)) as string[])],
    symlink: (parent: FsNode, name: string, target: string): FsNode => symlink(tree, parent, name, target),
    readlink: (node: FsNode): string => readlink(tree, node),
    link: (parent: FsNode, name: string, from: string, flags?: number): FsNode => link(tree, parent, name, from, flags),
    statfs: (): object => statfs(tree),
  };
}
