/** The operations on pipes: pipe2(2), and the size of a pipe, which fcntl(2) has. */
import { O_NONBLOCK } from "../../../abi/flags.js";
import { flagOption, type KeysOf, readOptions } from "../../bridge/options.js";
import { toFd, toInteger } from "../args.js";
import { operation } from "../operation.js";
import type { PipeOptions } from "./types.js";

const OPTIONS: KeysOf<PipeOptions> = { nonblocking: true };
/** The larger sizes are errors of the system. */
const SIZE_MAX = 2 ** 32 - 1;
/** In the result of the core: where the second descriptor is. */
const FD_SHIFT = 16;

export const pipe = operation(
  (options?: unknown) => flagOption(readOptions<PipeOptions>(options, OPTIONS).nonblocking, "options.nonblocking"),
  (calls, nonblocking): [number, number] => {
    calls.checkOpen();
    const fds = calls.check(calls.core.sysPipe(calls.ctx, nonblocking ? O_NONBLOCK : 0), "pipe2");
    return [fds & ((1 << FD_SHIFT) - 1), fds >>> FD_SHIFT];
  },
);

/** F_GETPIPE_SZ. */
export const getPipeSize = operation(
  (fd: unknown) => toFd(fd),
  (calls, fd): number => {
    calls.checkOpen();
    return calls.check(calls.core.sysPipeSize(calls.ctx, fd, -1), "fcntl");
  },
);

/** F_SETPIPE_SZ. */
export const setPipeSize = operation(
  (fd: unknown, size: unknown) => ({ fd: toFd(fd), size: toInteger(size, "size", 0, SIZE_MAX) }),
  (calls, { fd, size }): number => {
    calls.checkOpen();
    return calls.check(calls.core.sysPipeSize(calls.ctx, fd, size), "fcntl");
  },
);
