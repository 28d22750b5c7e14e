/** The calls that streams make. A FileHandle has the same as methods that return promises. */
import { codedError } from "../../errors/errors.js";
import type { FileHandle } from "../promises/file-handle.js";
import { UNREF } from "../promises/files.js";

export type Done = (error?: Error | null) => void;

/** The calls of a file system that streams make: those of a tree, of `options.fs`, or of a FileHandle. */
export interface StreamCalls {
  open(path: unknown, flags: unknown, mode: unknown, done: (error: Error | null, fd: number) => void): void;
  read(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | undefined,
    done: (error: Error | null, bytesRead: number, buffer: Uint8Array) => void,
  ): void;
  write(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | undefined,
    done: (error: Error | null, bytesWritten: number) => void,
  ): void;
  writev(
    fd: number,
    buffers: readonly Uint8Array[],
    position: number | undefined,
    done: (error: Error | null, bytesWritten: number) => void,
  ): void;
  close(fd: number, done: Done): void;
  fsync(fd: number, done: Done): void;
}

/** The calls of a stream on a handle. */
export function handleCalls(handle: FileHandle): StreamCalls {
  return {
    open() {
      throw codedError(Error, "ERR_METHOD_NOT_IMPLEMENTED", "The open() method is not implemented");
    },
    read(_fd, buffer, offset, length, position, done) {
      handle.read(buffer, offset, length, position).then(
        (result) => done(null, result.bytesRead, buffer),
        (error: Error) => done(error, 0, buffer),
      );
    },
    write(_fd, buffer, offset, length, position, done) {
      handle.write(buffer, offset, length, position).then(
        (result) => done(null, result.bytesWritten),
        (error: Error) => done(error, 0),
      );
    },
    writev(_fd, buffers, position, done) {
      handle.writev(buffers, position).then(
        (result) => done(null, result.bytesWritten),
        (error: Error) => done(error, 0),
      );
    },
    close(_fd, done) {
      handle[UNREF]();
      handle.close().then(() => done(), done);
    },
    fsync(_fd, done) {
      handle.sync().then(() => done(), done);
    },
  };
}
