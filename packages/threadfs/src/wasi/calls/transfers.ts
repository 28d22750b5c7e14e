/** Calls that read and write by descriptor. */
import { IO_SIZE } from "../../../abi/limits.js";
import { wasiErrno } from "../errno.js";
import { IOV_MAX, SHORT } from "../memory.js";
import { ERRNO, RIGHT } from "../preview1.js";
import type { Program } from "../program.js";

/** The largest position that the core takes exactly; what is larger is larger than every file. */
const POSITION_MAX = 2 ** 53 - 1;
const TWO_63 = 1n << 63n;

/** A position of pread and pwrite, -1: it is negative as a signed number, which no file has. */
function positionOf(offset: bigint): number {
  const unsigned = BigInt.asUintN(64, offset);
  return unsigned >= TWO_63 ? -1 : Math.min(Number(unsigned), POSITION_MAX);
}

/** Transfers of the vector that was read last to and from a stream of the host, which was found last. Each writes the bytes moved to an address, and returns 0 or an error. */
function makeStreamTransfers({ memory, descriptors, streams }: Program) {
  const end = (result: number, address: number): number => {
    if (result < 0) return -result;
    memory.setU32(address, result);
    return 0;
  };

  return {
    read(result: number): number {
      const bytes = streams[descriptors.stream]?.read(memory.total) ?? 0;
      if (typeof bytes === "number") return end(bytes, result);
      let done = 0;
      // The stream may have let the memory grow.
      memory.refresh();
      for (const buffer of memory.buffers()) {
        const part = bytes.subarray(done, done + buffer.length);
        buffer.set(part);
        done += part.length;
      }
      return end(done, result);
    },
    /** Writes as one piece, which the stream may keep. */
    write(result: number): number {
      const length = Math.min(memory.total, IO_SIZE);
      const bytes = new Uint8Array(length);
      let done = 0;
      for (const buffer of memory.buffers()) {
        const part = buffer.subarray(0, length - done);
        bytes.set(part, done);
        done += part.length;
      }
      return end(length === 0 ? 0 : (streams[descriptors.stream]?.write(bytes) ?? length), result);
    },
  };
}

export function makeTransferCalls(program: Program) {
  const { memory, descriptors } = program;
  const stream = makeStreamTransfers(program);

  /** Prepares a transfer. Returns 0 or an error. */
  const begin = (fd: number, rights: number, vectors: number, count: number, result: number): number => {
    const failed = program.enterFd(fd, rights);
    if (failed !== 0) return failed;
    if (count > IOV_MAX) return ERRNO.EINVAL;
    return memory.has(result, 4) && memory.readVectors(vectors, count) ? 0 : ERRNO.EFAULT;
  };

  const end = (result: number, address: number): number => {
    if (result < 0) return wasiErrno(result);
    memory.setU32(address, result);
    return 0;
  };

  const read = (fd: number, vectors: number, count: number, position: number, result: number): number => {
    const rights = position < 0 ? RIGHT.FD_READ : RIGHT.FD_READ | RIGHT.FD_SEEK;
    const failed = begin(fd, rights, vectors, count, result);
    if (failed !== 0) return failed;
    if (descriptors.fd >= 0) return end(program.read(descriptors.fd, position), result);
    if (position >= 0) return ERRNO.ESPIPE;
    return stream.read(result);
  };

  const write = (fd: number, vectors: number, count: number, position: number, result: number): number => {
    const rights = position < 0 ? RIGHT.FD_WRITE : RIGHT.FD_WRITE | RIGHT.FD_SEEK;
    const failed = begin(fd, rights, vectors, count, result);
    if (failed !== 0) return failed;
    if (descriptors.fd >= 0) return end(program.write(descriptors.fd, position), result);
    if (position >= 0) return ERRNO.ESPIPE;
    return stream.write(result);
  };

  /** The read of one short buffer that most reads are. -1: it is none. The other checks are those of read(). */
  const readOne = (vector: number, at: number): number => {
    if (descriptors.fd < 0 || !memory.has(vector, 8) || !memory.has(at, 4)) return -1;
    const start = memory.u32(vector);
    const length = memory.u32(vector + 4);
    if (length > SHORT || !memory.has(start, length)) return -1;
    return end(program.readShort(descriptors.fd, start, length), at);
  };

  return {
    fd_read(fd: number, vectors: number, count: number, result: number): number {
      if (count === 1 && program.enterFd(fd, RIGHT.FD_READ) === 0) {
        const error = readOne(vectors >>> 0, result >>> 0);
        if (error >= 0) return error;
      }
      return read(fd, vectors >>> 0, count >>> 0, -1, result >>> 0);
    },
    fd_write: (fd: number, vectors: number, count: number, result: number): number =>
      write(fd, vectors >>> 0, count >>> 0, -1, result >>> 0),
    fd_pread(fd: number, vectors: number, count: number, offset: bigint, result: number): number {
      program.enter();
      const position = positionOf(offset);
      return position < 0 ? ERRNO.EINVAL : read(fd, vectors >>> 0, count >>> 0, position, result >>> 0);
    },
    fd_pwrite(fd: number, vectors: number, count: number, offset: bigint, result: number): number {
      program.enter();
      const position = positionOf(offset);
      return position < 0 ? ERRNO.EINVAL : write(fd, vectors >>> 0, count >>> 0, position, result >>> 0);
    },
  };
}
