/** The calls of WASI in which a thread of a program dies: each of the 46 imports of preview 1, and `thread-spawn`. */
import { EVENT, FDFLAG, FSTFLAG, OFLAG, RIGHT, WRITE_RIGHTS } from "../../../../threadfs/dist/src/wasi/preview1.js";
import type { TestProgram } from "./wasi-program.js";

/** Numbers of the program: streams, preopens, and what {@link OPEN} opens. */
export const [STDIN, STDOUT, DIR, OTHER_DIR] = [0, 1, 3, 4];
/** Files that the program has open, in the order of their numbers, from 5 on: paths below the first preopen. */
export const OPEN = ["f", "g", "locked", "d", "pipe"] as const;
export const [F, G, LOCKED, SUBDIR, PIPE] = [5, 6, 7, 8, 9];
const { RESULT, BUFFER } = { RESULT: 64, BUFFER: 32_768 };
/** No number of the program. */
const NONE = 99;

/** What a thread does: an argument that is a text becomes its address and its length. */
export type Calls = (program: TestProgram) => void;

export interface Case {
  /** The import that the thread is in when it dies. */
  readonly call: string;
  readonly arguments: readonly unknown[];
  /** Puts into the memory what the call finds there. */
  readonly prepare?: (program: TestProgram) => void;
  /** States beside "has not happened" and "has happened" that are documented: what brings them about. */
  readonly between?: readonly Calls[];
  /** It waits for the other end of a pipe until it dies. */
  readonly waits?: boolean;
}

const rights = BigInt(RIGHT.SOCK_SHUTDOWN - 1);
const readOnly = BigInt(~WRITE_RIGHTS & (RIGHT.SOCK_SHUTDOWN - 1));
const open = (path: string, oflags: number, own = rights, fdflags = 0): unknown[] => [
  ...[DIR, 1, path, oflags, own, own, fdflags, RESULT],
];
const opens = (path: string, oflags: number, more: Omit<Case, "call" | "arguments"> = {}): Case => ({
  ...{ call: "path_open", arguments: open(path, oflags), ...more },
});
/** Opens a path and closes it: what an open that creates or truncates leaves, if its thread dies before it has a number. */
const opensAndCloses =
  (path: string, oflags: number): Calls =>
  (program) => {
    program.call("path_open", ...open(path, oflags));
    program.call("fd_close", program.result);
  };

/** One buffer of so many bytes. */
const buffer =
  (length: number): Calls =>
  ({ view, memory }) => {
    new Uint8Array(memory.buffer, BUFFER, length).fill(0x78);
    view.setUint32(128, BUFFER, true);
    view.setUint32(132, length, true);
  };
const LONG = 70_000;
/** The most that one part of a write is. */
const PART = 65_536;

/** A subscription to a descriptor, or to a clock that is due. */
const subscribes =
  (type: number, fd: number): Calls =>
  ({ view }) => {
    view.setUint8(2008, type);
    view.setUint32(2016, fd, true);
    view.setBigUint64(2024, 0n, true);
    view.setUint16(2040, 0, true);
  };
const poll = (type: number, fd: number): Case => ({
  ...{ call: "poll_oneoff", arguments: [2000, BUFFER, 1, RESULT], prepare: subscribes(type, fd) },
});

const one = (call: string, ...args: unknown[]): Case => ({ call, arguments: args });

export const CASES: readonly Case[] = [
  one("args_get", BUFFER, BUFFER + 100),
  one("args_sizes_get", RESULT, RESULT + 4),
  one("environ_get", BUFFER, BUFFER + 100),
  one("environ_sizes_get", RESULT, RESULT + 4),
  one("clock_res_get", 0, RESULT),
  one("clock_time_get", 0, 0n, RESULT),
  one("fd_advise", F, 0n, 1n, 0),
  one("fd_allocate", F, 0n, 20_000n),
  one("fd_close", F),
  one("fd_close", SUBDIR),
  one("fd_close", DIR),
  one("fd_close", STDOUT),
  one("fd_close", STDIN),
  one("fd_close", PIPE),
  // With it the locks of the context on the file end.
  one("fd_close", LOCKED),
  one("fd_close", NONE),
  one("fd_datasync", F),
  one("fd_fdstat_get", F, RESULT),
  one("fd_fdstat_set_flags", F, FDFLAG.APPEND),
  one("fd_fdstat_set_rights", F, BigInt(RIGHT.FD_READ), BigInt(0)),
  one("fd_fdstat_set_rights", SUBDIR, BigInt(RIGHT.PATH_OPEN), BigInt(RIGHT.FD_READ)),
  one("fd_filestat_get", F, RESULT),
  one("fd_filestat_set_size", F, 3n),
  one("fd_filestat_set_size", F, 30_000n),
  one("fd_filestat_set_times", F, 5_000_000_000n, 7_000_000_000n, FSTFLAG.ATIM | FSTFLAG.MTIM),
  { call: "fd_pread", arguments: [F, 128, 1, 2n, RESULT], prepare: buffer(4) },
  one("fd_prestat_dir_name", DIR, BUFFER, 100),
  one("fd_prestat_get", DIR, RESULT),
  { call: "fd_pwrite", arguments: [F, 128, 1, 2n, RESULT], prepare: buffer(4) },
  { call: "fd_read", arguments: [F, 128, 1, RESULT], prepare: buffer(4) },
  { call: "fd_read", arguments: [PIPE, 128, 1, RESULT], prepare: buffer(4) },
  one("fd_readdir", DIR, BUFFER, 100, 0n, RESULT),
  one("fd_renumber", F, G),
  one("fd_renumber", G, F),
  one("fd_renumber", F, F),
  one("fd_renumber", SUBDIR, STDOUT),
  one("fd_renumber", STDIN, LOCKED),
  one("fd_renumber", LOCKED, PIPE),
  one("fd_renumber", F, NONE),
  one("fd_seek", F, 4n, 0, RESULT),
  one("fd_sync", F),
  one("fd_tell", F, RESULT),
  { call: "fd_write", arguments: [F, 128, 1, RESULT], prepare: buffer(4) },
  { call: "fd_write", arguments: [PIPE, 128, 1, RESULT], prepare: buffer(4) },
  {
    ...{ call: "fd_write", arguments: [G, 128, 1, RESULT], prepare: buffer(LONG) },
    // A part of it, with the position behind it.
    between: [
      (program) => {
        buffer(PART)(program);
        program.call("fd_write", G, 128, 1, RESULT);
      },
    ],
  },
  one("path_create_directory", DIR, "new"),
  one("path_filestat_get", DIR, 1, "d/h", RESULT),
  one("path_filestat_set_times", DIR, 1, "f", 5_000_000_000n, 7_000_000_000n, FSTFLAG.ATIM | FSTFLAG.MTIM),
  one("path_link", DIR, 0, "f", DIR, "new"),
  opens("d/h", 0),
  opens("nothing", 0),
  { call: "path_open", arguments: open("d", OFLAG.DIRECTORY, readOnly) },
  opens("new", OFLAG.CREAT, { between: [opensAndCloses("new", OFLAG.CREAT)] }),
  opens("f", OFLAG.TRUNC, { between: [opensAndCloses("f", OFLAG.TRUNC)] }),
  opens("link", 0),
  { call: "path_open", arguments: open("pipe", 0) },
  { call: "path_open", arguments: open("lonely", 0, BigInt(RIGHT.FD_READ)), waits: true },
  one("path_readlink", DIR, "link", BUFFER, 100, RESULT),
  one("path_remove_directory", DIR, "empty"),
  one("path_rename", DIR, "f", DIR, "new"),
  one("path_rename", DIR, "f", OTHER_DIR, "o"),
  one("path_symlink", "f", DIR, "new"),
  one("path_unlink_file", DIR, "f"),
  one("path_unlink_file", DIR, "link"),
  poll(EVENT.CLOCK, 0),
  poll(EVENT.FD_READ, F),
  poll(EVENT.FD_READ, PIPE),
  one("proc_exit", 7),
  one("proc_raise", 6),
  one("proc_raise", 17),
  one("random_get", BUFFER, 8),
  one("sched_yield"),
  one("sock_accept", F, 0, RESULT),
  one("sock_recv", F, 128, 1, 0, RESULT, RESULT),
  one("sock_send", F, 128, 1, 0, RESULT),
  one("sock_shutdown", F, 0),
  one("thread-spawn", 11),
];
