/** What FS asks of a file system for an open file. A position is the program's: only the tree's end of a file that is appended to is the tree's. */
import {
  F_SETLK,
  F_UNLCK,
  O_ACCMODE,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
} from "../../abi/flags.js";
import { S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from "../../abi/mode.js";
import * as STAT from "../../abi/stat.js";
import { ERRNO } from "./errno.js";
import { setAttributes } from "./node-ops.js";
import type { Tree } from "./tree.js";
import type { FsAttributes, FsChanges, FsNode, FsStream, Mapping, OpenFile } from "./types.js";

const MAP_PRIVATE = 2;
/** As many bytes are copied one by one in less time than it takes to make a view of them. */
const FEW_BYTES = 128;

/** A part of the program's memory. */
type Bytes = Int8Array | Uint8Array;

/** Opens a path that leads to no link. @throws the program's errors */
function openPath({ build, calls }: Tree, path: string, flags: number, mode: number): number {
  try {
    return build.run(() => calls.openAny(path, flags, mode));
  } catch (error) {
    throw build.errnoOf(error) === ERRNO.ELOOP ? build.disturbed(ERRNO.ELOOP) : error;
  }
}

/** Opens the file of a stream that FS has made. FS has followed links, and emptied the file. */
function open(tree: Tree, stream: FsStream): void {
  const { node, flags } = stream;
  const type = node.mode & S_IFMT;
  let given = (flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_PATH)) | O_NOFOLLOW;
  if (type === S_IFDIR) given = (given & ~O_APPEND) | O_DIRECTORY;
  // FS has created the file a moment ago, or found it: another thread may have removed it since then.
  else if (type === S_IFREG) given |= flags & O_CREAT;
  const fd = openPath(tree, tree.pathOf(node), given, node.mode & 0o777);
  const file: OpenFile = { fd, appends: (given & O_APPEND) !== 0, isPipe: type === S_IFIFO };
  if (file.isPipe) stream.seekable = false;
  stream.treeFile = file;
  // Each walk has made nodes of its own, but for the root.
  if (node === node.parent) stream.node = tree.rootOpened(node);
  stream.node.treeFile = file;
}

/** The open file of a stream. @throws ERRNO.EBADF */
function fileOf(tree: Tree, { treeFile }: FsStream): OpenFile {
  if (treeFile === undefined || treeFile.fd < 0) throw tree.build.error(ERRNO.EBADF);
  return treeFile;
}

/** Closes the file with the last descriptor of the program that has it. Versions of Emscripten that do not tell of duplicates are many: so they are counted here. */
function close(tree: Tree, stream: FsStream): void {
  closeFile(tree, stream);
  tree.build.endUnused(stream);
}

function closeFile(tree: Tree, stream: FsStream): void {
  const { treeFile } = stream;
  if (treeFile === undefined || treeFile.fd < 0) return;
  const { calls, build } = tree;
  const { fd } = treeFile;
  const isLast = !build.isShared(stream);
  if (isLast) treeFile.fd = -1;
  // The tree, or the context, has been closed meanwhile, and its descriptors with it.
  if (calls.closed || calls.attachment.state !== 0) return;
  if (isLast) calls.closeQuietly(fd);
  // Whichever descriptor of a file is closed, the locks of fcntl(2) on it end.
  else {
    calls.attachment.nowOrLater(() => {
      if (treeFile.fd === fd) calls.core.sysFcntlLock(calls.ctx, fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0);
    });
  }
}

/** Where a call reads or writes; -1: at the file's own position, where a pipe ends. @throws ERRNO.EINVAL */
function offsetOf(tree: Tree, { isPipe }: OpenFile, position: number): number {
  if (!(Number.isSafeInteger(position) && position >= 0)) throw tree.build.error(ERRNO.EINVAL);
  return isPipe ? -1 : position;
}

/** Checks that the program's memory has the bytes that a call is about. @throws ERRNO.EFAULT */
function checkPart(tree: Tree, buffer: Bytes, offset: number, length: number): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= buffer.byteLength)) throw tree.build.error(ERRNO.EFAULT);
}

/** These bytes. @throws ERRNO.EFAULT */
function partOf(tree: Tree, buffer: Bytes, offset: number, length: number): Uint8Array {
  checkPart(tree, buffer, offset, length);
  return new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length);
}

function read(tree: Tree, stream: FsStream, buffer: Bytes, offset: number, length: number, position: number): number {
  const file = fileOf(tree, stream);
  const at = offsetOf(tree, file, position);
  const { calls } = tree;
  try {
    if (length > FEW_BYTES) return calls.read(file.fd, partOf(tree, buffer, offset, length), at);
    checkPart(tree, buffer, offset, length);
    calls.checkOpen();
    const got = calls.check(calls.core.sysRead(calls.ctx, file.fd, at, length), "read");
    const { io } = calls.attachment;
    // A driver's hook may have made the program's memory grow, and so transferred the buffer away.
    checkPart(tree, buffer, offset, got);
    for (let i = 0; i < got; i++) buffer[offset + i] = io[i] as number;
    return got;
  } catch (error) {
    throw tree.build.translate(error);
  }
}

/** Writes to a descriptor of the tree. */
function writeBytes({ calls }: Tree, fd: number, from: Bytes, offset: number, length: number, at: number): number {
  if (length > FEW_BYTES) return calls.write(fd, new Uint8Array(from.buffer, from.byteOffset + offset, length), at);
  calls.checkOpen();
  const { io } = calls.attachment;
  for (let i = 0; i < length; i++) io[i] = from[offset + i] as number;
  return calls.check(calls.core.sysWrite(calls.ctx, fd, at, length), "write");
}

/** FS does not tell of fcntl(F_SETFL): the tree's open file follows it with the next write. */
function setAppends({ calls }: Tree, file: OpenFile, appends: boolean): void {
  const { core, ctx } = calls;
  calls.checkOpen();
  const flags = calls.check(core.sysFileFlags(ctx, file.fd, -1), "fcntl");
  const wanted = appends ? flags | O_APPEND : flags & ~O_APPEND;
  calls.check(core.sysFileFlags(ctx, file.fd, wanted), "fcntl");
  file.appends = appends;
}

function write(
  tree: Tree,
  stream: FsStream,
  given: Bytes | number[],
  offset: number,
  length: number,
  position: number,
): number {
  const file = fileOf(tree, stream);
  // FS.createDataFile() makes an array of a string.
  const buffer = Array.isArray(given) ? Uint8Array.from(given) : given;
  checkPart(tree, buffer, offset, length);
  const at = offsetOf(tree, file, position);
  const { calls, build } = tree;
  try {
    // What is appended goes to the end as it is at that moment: FS has asked for the end before, and another thread may have moved it.
    const appends = (stream.flags & O_APPEND) !== 0;
    if (appends !== file.appends) setAppends(tree, file, appends);
    const wrote = writeBytes(tree, file.fd, buffer, offset, length, appends ? -1 : at);
    // FS adds what was written.
    if (appends && !file.isPipe) stream.position = calls.core.sysLseek(calls.ctx, file.fd, 0, SEEK_CUR) - wrote;
    return wrote;
  } catch (error) {
    throw build.translate(error);
  }
}

function seek(tree: Tree, stream: FsStream, offset: number, whence: number): number {
  const file = fileOf(tree, stream);
  let from = whence === SEEK_SET ? 0 : stream.position;
  if (whence === SEEK_END) {
    tree.build.check(tree.statFile(file));
    from = tree.calls.attachment.stat[STAT.size] as number;
  }
  const position = from + offset;
  if (!Number.isSafeInteger(position) || position < 0) throw tree.build.error(ERRNO.EINVAL);
  return position;
}

/** @throws ERRNO.ENOMEM */
function zeros({ build }: Tree, length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch {
    throw build.error(ERRNO.ENOMEM);
  }
}

/**
 * mmap(2): a copy of the file in the program's memory, which msync(2) and munmap(2) write back. FS passes an address before the length in old versions.
 */
function mmap(tree: Tree, stream: FsStream, rest: number[]): Mapping {
  const file = fileOf(tree, stream);
  if ((stream.node.mode & S_IFMT) !== S_IFREG) throw tree.build.error(ERRNO.ENODEV);
  const [length = 0, position = 0, prot = 0] = rest.slice(-4);
  const { build, calls } = tree;
  if (!(Number.isSafeInteger(length) && length >= 0)) throw build.error(ERRNO.EINVAL);
  if (!(Number.isSafeInteger(position) && position >= 0)) throw build.error(ERRNO.EINVAL);
  build.check(tree.statFile(file));
  const size = Math.max(Math.min((calls.attachment.stat[STAT.size] as number) - position, length), 0);
  // What is beyond the end of the file is zeros.
  const contents = zeros(tree, length);
  let done = 0;
  while (done < size) {
    const got = build.run(() => calls.read(file.fd, contents.subarray(done, size), position + done));
    if (got === 0) break;
    done += got;
  }
  return build.mapped(contents, rest.length > 4 ? [0, length, 0, prot, MAP_PRIVATE] : [length, 0, prot, MAP_PRIVATE]);
}

/** msync(2): writes a mapping back, without making the file longer. @param flags those of mmap(2): old versions of Emscripten ask for private mappings too */
function msync(tree: Tree, stream: FsStream, buffer: Bytes, offset: number, length: number, flags: number): number {
  const file = fileOf(tree, stream);
  if (flags & MAP_PRIVATE) return 0;
  const { build, calls } = tree;
  build.check(tree.statFile(file));
  const size = Math.max(Math.min((calls.attachment.stat[STAT.size] as number) - offset, length), 0);
  const from = partOf(tree, buffer, 0, size);
  for (let done = 0; done < size; ) {
    const wrote = build.run(() => calls.write(file.fd, from.subarray(done), offset + done));
    if (wrote === 0) throw build.error(ERRNO.EIO);
    done += wrote;
  }
  return 0;
}

/** The table of a mount. */
export function streamOps(tree: Tree): object {
  const { build, calls } = tree;
  const { core, ctx } = calls;
  return {
    open: (stream: FsStream): void => open(tree, stream),
    close: (stream: FsStream): void => close(tree, stream),
    read: (stream: FsStream, buffer: Bytes, offset: number, length: number, position: number): number =>
      read(tree, stream, buffer, offset, length, position),
    write: (stream: FsStream, buffer: Bytes, offset: number, length: number, position: number): number =>
      write(tree, stream, buffer, offset, length, position),
    llseek: (stream: FsStream, offset: number, whence: number): number => seek(tree, stream, offset, whence),
    getattr(stream: FsStream): FsAttributes {
      build.check(tree.statFile(fileOf(tree, stream)));
      return tree.attributes();
    },
    setattr(stream: FsStream, changes: FsChanges): void {
      fileOf(tree, stream);
      setAttributes(tree, stream.node as FsNode, changes);
    },
    allocate(stream: FsStream, offset: number, length: number): void {
      const { fd } = fileOf(tree, stream);
      build.run(() => build.check(core.sysFallocate(ctx, fd, 0, offset, length)));
    },
    mmap: (stream: FsStream, ...rest: number[]): Mapping => mmap(tree, stream, rest),
    msync: (stream: FsStream, buffer: Bytes, offset: number, length: number, flags = 0): number =>
      msync(tree, stream, buffer, offset, length, flags),
    fsync(stream: FsStream): number {
      fileOf(tree, stream);
      return 0;
    },
  };
}
