/** The two forms of the calls that Linux has and `node:fs` has not, from one table of operations. */
import { toFd } from "../args.js";
import { promised, runLater } from "../forms/later.js";
import { type AnyOperation, syncForm } from "../operation.js";
import { FileHandle } from "../promises/file-handle.js";
import type { SystemCalls } from "../system-calls.js";
import { copyFileRange, fallocate, lseek } from "./contents.js";
import { linkat, mkfifo, mknod, renameat2 } from "./names.js";
import { getPipeSize, pipe, setPipeSize } from "./pipes.js";
import { openat2 } from "./resolve.js";
import { statfs } from "./statfs.js";
import { statx } from "./statx.js";
import type { LinuxCalls } from "./types.js";
import { getxattr, listxattr, removexattr, setxattr } from "./xattr.js";

/** By the name of the promise form. */
const OPERATIONS = {
  ...{ copyFileRange, fallocate, linkat, lseek, renameat2 },
  ...{ mkfifo, mknod, openat2, statfs, statx, pipe, getPipeSize, setPipeSize },
  ...{ getxattr, listxattr, removexattr, setxattr },
} as const;

/** `linux.fdopen`, whose handles have the streams of a surface that `surface` makes where there is none yet. */
function openedHandle(calls: SystemCalls, surface: () => unknown): LinuxCalls["fdopen"] {
  return (fd) => {
    const checked = toFd(fd);
    calls.check(calls.core.sysFstat(calls.ctx, checked), "fdopen");
    surface();
    return new FileHandle(calls, checked) as unknown as ReturnType<LinuxCalls["fdopen"]>;
  };
}

/** Creates the calls of one context. They do not use `this`. @param surface makes the context's `fs`, if there is none yet */
export function makeLinux(calls: SystemCalls, surface: () => unknown): LinuxCalls {
  return makeCalls(calls, openedHandle(calls, surface));
}

function makeCalls(calls: SystemCalls, fdopen: LinuxCalls["fdopen"]): LinuxCalls {
  const at = (fd: number) => makeCalls(calls.at(toFd(fd)), fdopen);
  const made: Record<string, unknown> = { at, fdopen };
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    const op = operation as AnyOperation<unknown[], unknown, unknown>;
    made[`${name}Sync`] = syncForm(calls, op);
    made[name] = (...args: unknown[]) => promised((ends) => runLater(calls, op, op.parse(...args), ends));
  }
  return made as unknown as LinuxCalls;
}
