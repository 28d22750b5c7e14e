/** Faults of advisory locks: core/vfs/locks, and what ends them. */
import { death, pair, type Step, tests, timeouts } from "../detectors.js";
import type { Mutant } from "../faults.js";

const programs = (): Step => tests("verify/locks", "the core returns");
const locks = (pattern: string): Step => tests("node-fs/locks", pattern);

export const ADVISORY: Mutant[] = [
  {
    name: "an advisory lock is released without waking the threads that sleep",
    edits: [{ file: "vfs/locks/file-lock.ts", from: "  notifyAtCommit(word);\n", to: "" }],
    caughtBy: [pair("lockWaits@flock: sysFlock(fd=3 op=2); || sysFlock(fd=5 op=1)")],
  },
  {
    name: "a request that is about to wait does not see the release",
    edits: [
      { file: "vfs/locks/file-lock.ts", from: "  atomic.add<u32>(word, 1);\n  notifyAtCommit", to: "  notifyAtCommit" },
    ],
    caughtBy: [locks("is woken by the release")],
  },
  {
    name: "a lock that becomes a shared one wakes no request",
    edits: [{ file: "vfs/locks/flock.ts", from: "    if (type == F_RDLCK) wakeBlocked(i);\n", to: "" }],
    caughtBy: [locks("lets others in")],
  },
  {
    name: "the locks of an owner that has died stay",
    edits: [{ file: "vfs/recovery/recount.ts", from: "  removeDeadLocks();\n", to: "" }],
    caughtBy: [death("locks close: sysClose(fd=3)")],
  },
  {
    name: "a split of a lock drops its tail",
    edits: [
      { file: "vfs/locks/flock.ts", from: "  if (behind != 0) place(behind, owner, end + 1, behindEnd);\n", to: "" },
    ],
    caughtBy: [programs()],
  },
  {
    name: "locks of one type that touch stay two",
    edits: [
      {
        file: "vfs/locks/flock.ts",
        from: "(l.type == type ? l.end < start - 1 : l.end < start)",
        to: "l.end < start",
      },
    ],
    caughtBy: [programs()],
  },
  {
    name: "a deadlock is not seen",
    edits: [{ file: "vfs/locks/blocked.ts", from: "    if (from == owner) return true;\n", to: "" }],
    caughtBy: [locks("two contexts that wait for each other")],
  },
  {
    name: "a deadlock of more than two is not seen",
    edits: [
      {
        file: "vfs/locks/blocked.ts",
        from: "  for (let i = 0; i <= MAX_DEADLK_ITERATIONS; i++) {",
        to: "  for (let i = 0; i < 1; i++) {",
      },
    ],
    caughtBy: [locks("a circle of three")],
  },
  {
    name: "the close of a descriptor leaves the context's locks",
    edits: [{ file: "vfs/file/close.ts", from: "    removeLocksOf(i, reinterpret<u64>(c.number));\n", to: "" }],
    caughtBy: [locks("the close of any descriptor")],
  },
  {
    name: "the last close of an open file leaves its locks",
    edits: [{ file: "vfs/file/file.ts", from: "    locksRemoveFile(i, f.at);\n", to: "" }],
    caughtBy: [locks("ends with the last descriptor")],
  },
  {
    name: "a context gets a lock by a descriptor that is closed at the same time",
    edits: [{ file: "vfs/locks/fcntl.ts", from: "    if (fdFile(c, askedFd) != f) err = -EBADF;\n", to: "" }],
    caughtBy: [pair("locks@lock: setLock(fd=3 type=0 start=100 || close: sysClose(fd=3)")],
  },
  {
    name: "a dead thread's requests stay",
    edits: [{ file: "sys/recovery.ts", from: "  giveUpRequestsOf(owner, false);\n", to: "" }],
    caughtBy: [death("locks request"), locks("leaves no request")],
  },
  {
    name: "a dead thread's locks that it has taken off a file are not freed",
    edits: [{ file: "sys/recovery.ts", from: "  freeLocks(s);\n", to: "" }],
    caughtBy: [death("locks unlock: setLock(fd=3 type=2 start=0 len=0")],
  },
  {
    name: "a call that is left while it waits leaves its request",
    edits: [{ file: "sys/recovery.ts", from: "  lockAbandon();\n", to: "" }],
    caughtBy: [timeouts("lockWaits@flock: sysFlock(fd=3 op=2); || flock: sysFlock(fd=3 op=2 ctx=1)", 2)],
  },
  {
    name: "a request that has waited in vain keeps its open file",
    edits: [{ file: "vfs/locks/fcntl.ts", from: "  if (found) fput(f);\n", to: "" }],
    caughtBy: [locks("ends with an AbortSignal")],
  },
  {
    name: "a lock that is to be exchanged is kept when the other is refused",
    edits: [
      {
        file: "vfs/locks/flock.ts",
        from: "  if (own && (type == F_UNLCK || inTheWay)) {",
        to: "  if (own && inTheWay) return -EAGAIN;\n  if (own && type == F_UNLCK) {",
      },
    ],
    caughtBy: [programs()],
  },
];
