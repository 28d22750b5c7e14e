/** Faults in locks, sections, recovery, sequences and grace periods: core/mem. */
import { death, fsck, meanwhile, pair, races, tests, torture } from "./detectors.js";
import type { Mutant } from "./faults.js";

const SHOWN =
  "  for (let p = lastSeq(); p != 0; p = lastSeq()) {\n    makeEven(p, load<u32>(p) + 1);\n    popSeq();\n  }\n  for (let p = lastLock(); p != 0; p = lastLock()) {\n    release(p, 0);\n    popLock();\n  }\n";
const RETIRED = "  if (!callRcu(p)) return;\n  rcuPoll();\n  reclaim(slot, BATCH);";

export const LOCKS: Mutant[] = [
  {
    name: "a lost wake-up: a lock is released without waking the thread that sleeps on it",
    edits: [
      { file: "mem/lock/lock.ts", from: "if (old & WAITERS) atomic.notify(p, 1);", to: "if (old & WAITERS) return;" },
    ],
    caughtBy: [pair("small@sysMkdir(path=/d/x || sysOpen(path=/d/x flags=65 ", { bound: 2 })],
  },
  {
    name: "the recovery of a dead thread wakes one of those that sleep on its lock",
    edits: [
      {
        file: "mem/undo/recover.ts",
        from: "if (v & WAITERS) atomic.notify(p, -1);",
        to: "if (v & WAITERS) atomic.notify(p, 1);",
      },
    ],
    caughtBy: [tests("mem/waiting", "wakes all threads")],
  },
  {
    name: "the free of a block takes the newest one off the list of pending blocks",
    edits: [
      {
        file: "mem/undo/log.ts",
        from: "    if (load<u32>(at) != <u32>p) continue;\n    set32(at",
        to: "    set32(at",
      },
    ],
    caughtBy: [tests("fs/hooks", "leaves no block behind")],
  },
  {
    name: "a lock is taken before it is logged",
    edits: [
      {
        file: "mem/lock/lock.ts",
        from: "  store<u32>(undoLog() + LOG_ACQUIRING, <u32>p);\n  if (atomic.cmpxchg<u32>(p, 0, tid) != 0) lockSlow(p);\n  recordLock(p);",
        to: "  if (atomic.cmpxchg<u32>(p, 0, tid) != 0) lockSlow(p);\n  recordLock(p);",
      },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "a mutex is taken before it is logged",
    edits: [
      {
        file: "mem/lock/lock.ts",
        from: "  store<u32>(undoLog() + LOG_ACQUIRING, <u32>p);\n  if (atomic.cmpxchg<u32>(p, 0, tid) != 0) {\n    lockSlow(p);\n    //",
        to: "  if (atomic.cmpxchg<u32>(p, 0, tid) != 0) {\n    lockSlow(p);\n    //",
      },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "a transaction's locks are released before it commits",
    edits: [
      {
        file: "mem/lock/lock.ts",
        from: `  discardEntries();\n${SHOWN}`,
        to: `${SHOWN}  discardEntries();\n`,
      },
    ],
    caughtBy: [meanwhile("small unlink: sysUnlink(path=/d/f)", "stat: sysStat(path=/d/")],
  },
  {
    name: "an old value is logged after the change",
    edits: [
      {
        file: "mem/undo/log.ts",
        from: "  if (txDepth != 0) logOldValue(p, 4, atomic.load<u32>(p));\n  atomic.store<u32>(p, v);",
        to: "  const old = atomic.load<u32>(p);\n  atomic.store<u32>(p, v);\n  if (txDepth != 0) logOldValue(p, 4, old);",
      },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "a commit leaves its sequences odd",
    edits: [{ file: "mem/lock/lock.ts", from: "    makeEven(p, load<u32>(p) + 1);\n", to: "" }],
    caughtBy: [fsck(), death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "a thread that may not block counts its looks at a taken lock",
    edits: [
      {
        file: "mem/lock/lock.ts",
        from: "  for (let late = false; ; late = isPast(deadline)) {\n    const v",
        to: "  let looks = 1000;\n  for (let late = false; ; late = --looks == 0 || isPast(deadline)) {\n    const v",
      },
    ],
    caughtBy: [tests("mem/waiting", "waits as long as its limit says")],
  },
  {
    name: "a thread counts its looks at the gate of a recount",
    edits: [
      {
        file: "vfs/recovery/quiescence.ts",
        from: "  while (!tryEnterActive()) deadline = waitFor(deadline, G_RECOUNT_OWNER);",
        to: "  for (let n = 0; !tryEnterActive(); n++) {\n    if (n == 10) panic(PANIC_CORRUPT, G_RECOUNT_OWNER);\n    deadline = waitFor(deadline, G_RECOUNT_OWNER);\n  }",
      },
      {
        file: "vfs/recovery/quiescence.ts",
        from: 'import { slot } from "../../mem/thread";',
        to: 'import { PANIC_CORRUPT } from "../../../abi/host";\nimport { panic, slot } from "../../mem/thread";',
      },
    ],
    caughtBy: [tests("mem/waiting", "waits at the gate")],
  },
  {
    name: "a thread that leaves its call still believes itself in its transaction",
    edits: [{ file: "sys/recovery.ts", from: "  forgetTransaction();\n", to: "" }],
    caughtBy: [tests("mem/waiting", "leaves a call"), death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "a thread that leaves its call keeps its mutexes",
    edits: [{ file: "sys/recovery.ts", from: "  releaseHeld(s, T.tid);\n", to: "" }],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "the gate of a recount is not opened again when the recovering thread dies",
    edits: [{ file: "sys/recovery.ts", from: "  atomic.cmpxchg<u32>(V.G_RECOUNT_OWNER, slot + 1, 0);\n", to: "" }],
    caughtBy: [tests("deaths/death.test", "the thread that recovers another may die")],
  },
  {
    name: "a context whose maker died stays, without a root",
    edits: [
      {
        file: "vfs/recovery/recount.ts",
        from: "    if (c.root_ == 0 || c.pwd_ == 0) removeContext(c);\n    else c.recount += 1;",
        to: "    c.recount += 1;",
      },
    ],
    caughtBy: [tests("api/context-lives", "has trapped before it had a root")],
  },
  {
    name: "the descriptors of a dead thread stay open, though it was to close them",
    edits: [
      {
        file: "sys/recovery.ts",
        from: "  if (closes || atomic.load<u32>(s + V.SLOT_OPENS) != 0) fdCloseOwned(owner, !closes);\n",
        to: "",
      },
    ],
    caughtBy: [tests("threads/ends", "gives back its slot and its descriptors")],
  },
  {
    name: "a thread that ends takes the threads that it has made with it, and their slots stay",
    edits: [
      {
        file: "sys/thread.ts",
        from: "    if (atomic.load<u32>(s + L.SLOT_ANCESTORS + (i << 2)) == hostId) return true;",
        to: "    if (atomic.load<u32>(s + L.SLOT_ANCESTORS + (i << 2)) == hostId) return false;",
      },
    ],
    caughtBy: [tests("threads/ends", "gives back its slot and its descriptors")],
  },
  {
    name: "a dead thread's transaction is not rolled back",
    edits: [
      {
        file: "mem/undo/recover.ts",
        from: "  for (let n = countOf(j, 0, LONG_ENTRIES_MAX); n > 0; n--) {",
        to: "  for (let n: u32 = 0; n > 0; n--) {",
      },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "a rollback in the wrong order: the oldest change first",
    edits: [
      {
        file: "mem/undo/recover.ts",
        from: "  for (let n = countOf(j, 0, LONG_ENTRIES_MAX); n > 0; n--) {\n    const e = entryAt(j, n - 1);",
        to: "  const all = countOf(j, 0, LONG_ENTRIES_MAX);\n  for (let n = all; n > 0; n--) {\n    const e = entryAt(j, all - n);",
      },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "a dead thread's mutexes are not released",
    edits: [
      { file: "mem/undo/recover.ts", from: "    release(load<u32>(j + LOG_MUTEX + ((n - 1) << 2)), dead);\n", to: "" },
    ],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "a dead thread's blocks are not freed",
    edits: [{ file: "mem/undo/recover.ts", from: "    slabFree(block);\n", to: "" }],
    caughtBy: [death("small symlink")],
  },
  {
    name: "a dead thread's sequences stay odd",
    edits: [{ file: "mem/undo/recover.ts", from: "    if (s & 1) makeEven(p, s + 1);\n", to: "" }],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "the lock that a dead thread was just taking stays taken",
    edits: [{ file: "mem/undo/recover.ts", from: "  release(load<u32>(j + LOG_ACQUIRING), dead);\n", to: "" }],
    caughtBy: [death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "attributes change without the inode's sequence",
    edits: [
      { file: "vfs/inode/inode.ts", from: "  lock(i.lock);\n  writeSeqBegin(i.seq);", to: "  lock(i.lock);" },
      { file: "vfs/inode/inode.ts", from: "  writeSeqEnd(i.seq);\n  unlock(i.lock);", to: "  unlock(i.lock);" },
    ],
    caughtBy: [pair("small@sysChown(path=/d/f || sysStat(path=/d/f); sysStat(path=/f)"), pair("small@chown || stat")],
  },
  {
    name: "a plain store makes a sequence even",
    edits: [
      {
        file: "mem/lock/seqlock.ts",
        from: "  atomic.store<u32>(p, s);\n  if ((s &",
        to: "  store<u32>(p, s);\n  if ((s &",
      },
    ],
    caughtBy: [races("small@sysMkdir(path=/d/x || sysStat(path=/d/x)")],
  },
  {
    name: "a walk loads a dentry's inode with a plain load",
    edits: [
      {
        file: "vfs/dcache/dentry.ts",
        from: 'atomic.load<u32>(changetype<usize>(this), offsetof<Dentry>("inode_"))',
        to: 'load<u32>(changetype<usize>(this), offsetof<Dentry>("inode_"))',
      },
    ],
    caughtBy: [races("small@sysUnlink(path=/d/e/g) || sysStat(path=/o/../d/e/g)")],
  },
  {
    name: "a plain store puts a dentry into its hash chain",
    edits: [
      {
        file: "vfs/dcache/d-hash.ts",
        from: "  put32(head, <u32>d.at);\n  tracepoint(",
        to: "  store<u32>(head, <u32>d.at);\n  tracepoint(",
      },
    ],
    caughtBy: [races("small@sysMkdir(path=/d/x || sysStat(path=/d/x)"), death("small mkdir: sysMkdir(path=/d/x")],
  },
  {
    name: "a sequence that was odd when it was read passes its check",
    edits: [
      {
        file: "mem/lock/seqlock.ts",
        from: "return atomic.load<u32>(p) != s || (s & 1) != 0;",
        to: "return atomic.load<u32>(p) != s;",
      },
    ],
    caughtBy: [
      tests("mem/smr", "stays odd|while a mount is being made"),
      tests("threadfs/unit/", "odd"),
      pair("small@sysChown(path=/d/f || stat"),
      pair("small@rename || stat"),
      torture(),
    ],
  },
  {
    name: "a grace period is skipped",
    torture: true,
    edits: [
      {
        file: "mem/smr/smr.ts",
        from: "rcuTaken < n && isOver(load<u32>(linkOf(p) + RETIRED_EPOCH))",
        to: "rcuTaken < n",
      },
    ],
    caughtBy: [torture(), tests("mem/smr", "row 24")],
  },
  {
    name: "no grace periods: a retired object is freed at once",
    known: 18,
    edits: [{ file: "vfs/recovery/reclaim.ts", from: RETIRED, to: "  freeObject(p);" }],
    caughtBy: [torture(), tests("known-bugs-memory", "bug 18:")],
  },
  {
    name: "a thread detaches in the middle of a call",
    edits: [
      {
        file: "sys/thread.ts",
        from: "  if (hookDepth != 0 || active || rcuDepth() != 0 || txDepth != 0) return -EDEADLK;\n",
        to: "",
      },
    ],
    caughtBy: [tests("fs/hooks", "refuses calls from inside a hook"), tests("threads/ends", "exit in the clock")],
  },
  {
    name: "the epoch of retirement is read too early",
    edits: [
      {
        file: "mem/smr/smr.ts",
        from: "set32(l + RETIRED_EPOCH, atomic.load<u32>(G_EPOCH));",
        to: "set32(l + RETIRED_EPOCH, atomic.load<u32>(G_EPOCH) - 2);",
      },
    ],
    caughtBy: [tests("mem/smr", "row 24"), torture()],
  },
  {
    name: "the scan for readers skips every second slot",
    edits: [
      {
        file: "mem/smr/smr.ts",
        from: "  for (let i: u32 = 0; i < used; i++) {\n    const s = SLOTS",
        to: "  for (let i: u32 = 0; i < used; i += 2) {\n    const s = SLOTS",
      },
    ],
    caughtBy: [torture(), tests("mem/smr", "row 24")],
  },
  {
    name: "a reference is taken on a dead dentry",
    torture: true,
    edits: [
      { file: "mem/lock/lockref.ts", from: "    if (<i64>v < 0) return false;\n", to: "" },
      {
        file: "mem/lock/lockref.ts",
        from: "  if (n >= 0) put32(p + 4, <u32>(n + 1));\n  unlock(p);\n  return n >= 0;",
        to: "  put32(p + 4, <u32>(n + 1));\n  unlock(p);\n  return true;",
      },
    ],
    caughtBy: [pair("driver@shrink || stat"), pair("small@sysUnlink(path=/d/e/g) || open"), torture()],
  },
  {
    name: "a sequence that is below the one read counts as unchanged",
    edits: [
      {
        file: "mem/lock/seqlock.ts",
        from: "return atomic.load<u32>(p) != s || (s & 1) != 0;",
        to: "return atomic.load<u32>(p) > s || (s & 1) != 0;",
      },
    ],
    caughtBy: [tests("mem/counters-end", "made there after it was moved")],
  },
  {
    name: "epochs of readers are compared as numbers",
    edits: [
      { file: "mem/smr/smr.ts", from: "if (<i32>(e - oldest) >= 0) continue;", to: "if (e >= oldest) continue;" },
    ],
    caughtBy: [tests("mem/counters-end", "the epoch comes round")],
  },
  {
    name: "the sign of a difference tells which of two epochs of retired objects is older",
    edits: [
      {
        file: "mem/smr/smr.ts",
        from: "return now - retired > now - safeEpoch;",
        to: "return <i32>(retired - safeEpoch) < 0 && now != 0;",
      },
    ],
    caughtBy: [tests("mem/counters-end", "waits for its grace period")],
  },
  {
    name: "the epoch 0 is not passed over",
    edits: [{ file: "mem/smr/smr.ts", from: "e + 2 == 0 ? 2 : e + 2", to: "e + 2" }],
    caughtBy: [tests("mem/counters-end", "epoch has just come round")],
  },
  {
    name: "device numbers have 32 bits",
    edits: [
      {
        file: "vfs/mount/super.ts",
        from: "sb.dev = atomic.add<u64>(G_NEXT_DEV, 1) + 1;",
        to: "sb.dev = atomic.add<u32>(G_NEXT_DEV, 1) + 1;",
      },
    ],
    caughtBy: [tests("mem/counters-end", "device number"), fsck({ nearEnd: true })],
  },
  {
    name: "the number of a driver has 22 bits of its slot's generation",
    edits: [
      {
        file: "vfs/mount/super.ts",
        from: "return <f64>(load<u64>(slotOf(driver) + DRIVER_GENERATION) * DRIVER_SLOTS + driver);",
        to: "return <f64>((load<u64>(slotOf(driver) + DRIVER_GENERATION) & 0x3fffff) * DRIVER_SLOTS + driver);",
      },
    ],
    caughtBy: [tests("mem/counters-end", "unregistered driver")],
  },
  {
    name: "a slot of drivers is used when its numbers are used up",
    edits: [
      {
        file: "vfs/mount/super.ts",
        from: "if (free == 0 && load<u64>(e + DRIVER_GENERATION) < DRIVER_GENERATIONS) free = slot;",
        to: "if (free == 0 && load<u64>(e + DRIVER_GENERATION) <= DRIVER_GENERATIONS) free = slot;",
      },
    ],
    caughtBy: [tests("mem/counters-end", "slot of drivers")],
  },
  {
    name: "the generation of an inode becomes 0 when it comes round",
    edits: [
      {
        file: "vfs/inode/icache.ts",
        from: "i.generation = max<u32>(i.generation + 1, 1);",
        to: "i.generation += 1;",
      },
    ],
    caughtBy: [tests("mem/counters-end", "inode numbers go on")],
  },
  {
    name: "a file may have any number of links",
    edits: [{ file: "vfs/ops/link.ts", from: "else if (i.nlink >= LINK_MAX) err = -EMLINK;\n", to: "" }],
    caughtBy: [tests("mem/counters-end", "EMLINK")],
  },
];
