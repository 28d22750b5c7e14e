/** The public types of advisory locks. */
import type { Signal } from "../forms/types.js";

/** What {@link Context.flock} does, as flock(2): "sh" LOCK_SH, "ex" LOCK_EX, "un" LOCK_UN. */
export type FlockType = "sh" | "ex" | "un";

/** The type of a lock on a range, as fcntl(2): "rd" F_RDLCK, "wr" F_WRLCK, "un" F_UNLCK. */
export type RangeLockType = "rd" | "wr" | "un";

/** Which bytes of a file, and whose lock: struct flock. */
export interface LockRange {
  /** First byte, counted from `whence`. Default 0. An integer of at most 53 bits. */
  start?: number | undefined;
  /** Bytes; 0, the default: up to the end, however far the file grows; negative: the bytes before `start`. */
  length?: number | undefined;
  /** What `start` counts from: the file's beginning (the default), the descriptor's position, the file's end. */
  whence?: "set" | "cur" | "end" | undefined;
  /**
   * Whose lock it is. Default: the context's, as a process in Linux has it: all threads of the context share it, and it ends when the
   * context closes any descriptor of the file. `true`: the open file description's (F_OFD_SETLK), until that is closed.
   */
  ofd?: boolean | undefined;
}

/** A lock on a range that is asked for. */
export interface RangeLock extends LockRange {
  type: RangeLockType;
}

/** A lock of another owner. */
export interface HeldLock {
  type: "rd" | "wr";
  /** First byte. */
  start: number;
  /** Bytes; 0: up to the end. */
  length: number;
  /** The context that has it, as {@link ContextInfo.ctx}; -1: an open file description (l_pid). */
  owner: number;
}

/** How a request for a lock waits. */
export interface LockOptions {
  /** Fails with EAGAIN where the lock is not to be had at once: LOCK_NB, F_SETLK. Default: waits (F_SETLKW). */
  nonblocking?: boolean | undefined;
  /**
   * How long to wait, in milliseconds, 1 to 2^31 - 1; then the call fails with ERR_THREADFS_TIMEOUT. Default: `lockTimeoutMs` of the tree in this
   * thread, which is the most that a synchronous call waits.
   */
  timeoutMs?: number | undefined;
}

/** The same for promises. */
export interface AsyncLockOptions extends LockOptions {
  /** Ends the wait: the promise rejects with an AbortError, and the lock is not taken. */
  signal?: Signal | undefined;
}
