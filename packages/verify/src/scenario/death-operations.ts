/**
 * Operations of the death check alone: those that only one thread of a tree can make (it ends, or makes contexts that end with it), and
 * long ones. Beside them a bystander makes the operations that all checks have.
 */
import {
  F_RDLCK,
  LOCK_EX,
  LOCK_SH,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../../../threadfs/dist/abi/abi.js";
import type { ProgramCall } from "../model/call.js";
import { operation, operations } from "./operations.js";
import { mkdir, open } from "./setup-calls.js";

const write = (fd: number | { of: number }, data: string, offset?: number): ProgramCall => ({
  call: "sysWrite",
  fd,
  data,
  ...(offset === undefined ? {} : { offset }),
});
const truncate = (path: string, size: number): ProgramCall => ({ call: "sysTruncate", path, size });
const unlink = (path: string): ProgramCall => ({ call: "sysUnlink", path });
const create: ProgramCall = { call: "contextCreate", uid: 1000, gid: 1000 };
const closes: ProgramCall = { call: "threadCloses" };
const end: ProgramCall = { call: "threadEnd" };
const contextClose = (other: number, ctx = 0): ProgramCall => ({ call: "contextClose", other, ctx });

const set = (fd: number | { of: number }, type: number, ofd: boolean): ProgramCall => ({
  ...{ call: "setLock", fd, type, start: 500, len: 10, ofd },
});

const CATALOGUE: Record<string, Record<string, ProgramCall[][]>> = {
  small: {
    contextCreate: [[create], [create, mkdir("/o/x")]],
    /** The descriptors of a thread that closes them at its end, and those of the context, which stay. */
    end: [
      [closes, open("/d/f", O_RDWR), end],
      [open("/f", O_RDWR), closes, open("/o", O_DIRECTORY), open("/d/x", O_CREAT | O_RDWR), unlink("/d/x"), end],
      [create, end],
    ],
    closes: [[closes, open("/d/f", O_RDWR), mkdir("/o/x")]],
  },
  mounts: {
    end: [[closes, open("/m/f", O_RDWR), open("/b", O_DIRECTORY), end]],
  },
  locks: {
    /** With locks of every kind, and a request that waits. */
    end: [
      [
        closes,
        open("/f", O_RDWR),
        { call: "sysFlock", fd: { of: 1 }, op: LOCK_SH },
        set({ of: 1 }, F_RDLCK, true),
        set({ of: 1 }, F_RDLCK, false),
        end,
      ],
      [closes, open("/f", O_RDWR), { call: "lockRequest", fd: { of: 1 }, op: LOCK_EX }, mkdir("/x"), end],
    ],
    request: [[{ call: "lockRequest", fd: 5, op: LOCK_EX }, mkdir("/x")]],
    contextClose: [[contextClose(1)]],
  },
  pipes: {
    /** With an end of each kind, and an open that waits, which is taken back whether or not descriptors end with the thread. */
    end: [
      [closes, open("/p", O_NONBLOCK), open("/q", O_WRONLY | O_NONBLOCK), open("/n", O_WRONLY), end],
      [open("/n", O_RDONLY), mkdir("/x"), end],
      [closes, open("/n", O_RDWR), write({ of: 1 }, "e".repeat(5000)), end],
    ],
    waits: [[open("/n", O_RDONLY), mkdir("/x")]],
  },
  namespaces: {
    /** A copy, which ends with the thread that makes it, after a mount in it. */
    contextCreate: [
      [{ call: "contextCreate", uid: 0, gid: 0, mounts: "own" }],
      [{ call: "contextCreate", uid: 0, gid: 0, mounts: "own", ctx: 1 }, end],
    ],
    contextClose: [[contextClose(1), contextClose(2)], [contextClose(2)]],
  },
  closing: {
    contextClose: [[contextClose(1)], [contextClose(1, 2)], [contextClose(2, 1)], [contextClose(1), contextClose(1)]],
  },
  places: { contextClose: [[contextClose(1)], [contextClose(2)]] },
  pages: {
    /** More than the window, at a place, at the position, and at the end. */
    long: [
      [write(3, "l".repeat(140_000), 100)],
      [write(4, "m".repeat(70_000)), write(4, "n")],
      [open("/g", O_WRONLY | O_APPEND), { call: "sysWrite", fd: { of: 0 }, data: "o".repeat(66_000) }],
    ],
    /** Whole pages in the place of others. */
    replaced: [[write(3, "e".repeat(8192), 61_440), write(3, "r".repeat(69_632), 0)]],
    /** Whole pages of a hole, into memory that had other contents. */
    hole: [[truncate("/f", 0), truncate("/g", 40_000), write(4, "h".repeat(10_000), 12_288)]],
  },
  full: {
    /** No memory is left but that of names that are gone. */
    givenBack: [[write(4, "p".repeat(20_000), 0)]],
  },
};

/** All operations in which a thread dies. */
export const deathOperations = [
  ...operations,
  ...Object.entries(CATALOGUE).flatMap(([tree, kinds]) =>
    Object.entries(kinds).flatMap(([kind, list]) => list.map((calls) => operation(tree, kind, calls))),
  ),
];
