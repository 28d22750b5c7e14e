/** Faults in the copies between the caller's buffers and the pages, and in the calls for a whole file. */
import { death, pair, tests, timeouts } from "../detectors.js";
import type { Mutant } from "../faults.js";

export const CONTENTS: Mutant[] = [
  {
    name: "a direct read releases the file before the host copies its pages",
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "    const err = host.copyToUser(run, done, bytes);\n",
        to: "    mutexUnlock(i.mutex);\n    const err = host.copyToUser(run, done, bytes);\n    mutexLock(i.mutex);\n",
      },
    ],
    caughtBy: [tests("unit/vfs/write", "while the host copies")],
  },
  {
    name: "a call for a whole file releases it between emptying and writing it",
    edits: [
      {
        file: "vfs/file/whole-file.ts",
        from: "  if (n == 0) happened(0);\n",
        to: "  mutexUnlock(i.mutex);\n  mutexLock(i.mutex);\n  if (n == 0) happened(0);\n",
      },
    ],
    caughtBy: [
      tests("unit/vfs/whole-file", "neither emptied nor written|emptied and written"),
      pair("pages@readFile || sysWriteFile(path=/g data=w"),
    ],
  },
  {
    name: "a call for a whole file reads it without its lock",
    edits: [
      {
        file: "vfs/file/whole-file.ts",
        from: "  mutexLock(i.mutex);\n  const size = i.size;\n",
        to: "  const size = i.size;\n",
      },
      {
        file: "vfs/file/whole-file.ts",
        from: "  mutexUnlock(i.mutex);\n  return fits",
        to: "  return fits",
      },
    ],
    caughtBy: [pair("pages@truncate || sysReadFile(path=/f")],
  },
  {
    name: "a call for a whole file says that it has happened when it has opened it",
    edits: [
      {
        file: "vfs/file/whole-file.ts",
        from: "  let r: i32 = 0;\n  mutexLock(i.mutex);\n",
        to: "  let r: i32 = 0;\n  happened(n);\n  mutexLock(i.mutex);\n",
      },
    ],
    caughtBy: [
      tests("unit/vfs/whole-file", "waits too long"),
      timeouts("pages@sysWriteFile(path=/g append || truncate"),
    ],
  },
  {
    name: "an append of a whole file goes to where it ended before its lock",
    edits: [
      {
        file: "vfs/file/whole-file.ts",
        from: "  let r: i32 = 0;\n  mutexLock(i.mutex);\n",
        to: "  let r: i32 = 0;\n  const end = i.size;\n  mutexLock(i.mutex);\n",
      },
      { file: "vfs/file/whole-file.ts", from: "flags & O_APPEND ? i.size : 0", to: "flags & O_APPEND ? end : 0" },
    ],
    caughtBy: [pair("pages@sysWriteFile(path=/g append || sysWriteFile(path=/g append")],
  },
  {
    name: "a call for a whole file writes to a driver's file as if it were in memory",
    edits: [
      {
        file: "vfs/file/whole-file.ts",
        from: "  if (r == 0) r = isForeign(nd.inode) ? opened(nd, flags) : writeWhole",
        to: "  if (r == 0) r = writeWhole",
      },
    ],
    caughtBy: [tests("unit/vfs/whole-file", "has each hook called")],
  },
  {
    name: "the size is committed before the host has copied the bytes",
    edits: [
      {
        file: "vfs/file/read-write.ts",
        from: "    const err = copyToRoom(i, pos, done, room);\n    if (err < 0) return err;\n    removeSuid(c, i);\n    dataAppend(d, i, posAddress, pos, room, currentTime());\n",
        to: "    removeSuid(c, i);\n    dataAppend(d, i, posAddress, pos, room, currentTime());\n    const err = copyToRoom(i, pos, done, room);\n    if (err < 0) return err;\n",
      },
    ],
    caughtBy: [death("pages long: sysWrite(fd=4")],
  },
  {
    name: "pages that the host has not filled stay behind the end of the file",
    edits: [{ file: "vfs/file/read-write.ts", from: "      dataRepair(i);\n", to: "" }],
    caughtBy: [tests("unit/vfs/write", "without a caller's data")],
  },
  {
    name: "a page that a write at the end fills in part is not zeroed",
    edits: [{ file: "fs/tmpfs/data.ts", from: "!atEnd || part < PAGE", to: "!atEnd" }],
    caughtBy: [tests("unit/vfs/write", "zeros behind")],
  },
  {
    name: "a page inside of the file that a write fills is not zeroed before",
    edits: [{ file: "fs/tmpfs/data.ts", from: "const atEnd = pos >= i.size;", to: "const atEnd = true;" }],
    caughtBy: [death("pages hole")],
  },
  {
    name: "runs go on behind pages that are not neighbours",
    edits: [
      {
        file: "fs/tmpfs/data.ts",
        from: "    if (pageIn(slot) != next) break;\n",
        to: "    if (pageIn(slot) == 0) break;\n",
      },
    ],
    caughtBy: [tests("unit/vfs/write", "not neighbours")],
  },
  {
    name: "an errno of the write of a whole file is returned as one of its open",
    edits: [{ file: "vfs/file/whole-file.ts", from: "  return WRITE_FAILED + (", to: "  return (" }],
    caughtBy: [tests("unit/vfs/whole-file", "the memory is full")],
  },
  {
    name: "a file that readFile has opened because it is no file in memory stays open",
    edits: [
      {
        file: "packages/threadfs/src/node-fs/ops-file.ts",
        from: '  if (typeof whole === "number") return withOpened(calls, whole, work);',
        to: '  if (typeof whole === "number") return work(whole);',
      },
    ],
    caughtBy: [tests("unit/vfs/whole-file", "longer than a call transfers")],
  },
  {
    name: "the length that a buffer has now decides where the next byte belongs",
    edits: [
      {
        file: "packages/threadfs/src/bridge/transfer/transfer.ts",
        from: "    return this.#lengths[this.#next] ?? 0;",
        to: "    return this.#buffers[this.#next]?.length ?? 0;",
      },
    ],
    caughtBy: [tests("unit/vfs/transfer", "in the middle of a call")],
  },
  {
    name: "a listing in one call is made without the directory's lock",
    edits: [
      { file: "vfs/file/scandir.ts", from: "  mutexLockShared(dir.mutex);\n", to: "" },
      { file: "vfs/file/scandir.ts", from: "  mutexUnlockShared(dir.mutex);\n", to: "" },
    ],
    caughtBy: [tests("directory/listing", "of one moment"), pair("small@rename || sysScandir")],
  },
  {
    name: "a listing in one call shows names that are being removed",
    edits: [{ file: "vfs/dcache/d-children.ts", from: " && !(flags & D_UNHASHED)", to: "" }],
    caughtBy: [pair("small@unlink || sysScandir"), pair("split@unlink || sysScandir")],
  },
  {
    name: "a backslash in a name counts as plain",
    edits: [{ file: "mem/hash.ts", from: " | ((w ^ (ONES * 0x5c)) - ONES)", to: "" }],
    caughtBy: [tests("directory/listing", "sorted by the bytes")],
  },
  {
    name: "the bytes that all names begin with are one too many",
    edits: [
      {
        file: "vfs/file/scandir.ts",
        from: "(<u32>ctz<u64>(other) >> 3)",
        to: "(<u32>ctz<u64>(other) >> 3) + 1",
      },
    ],
    caughtBy: [tests("directory/listing", "sorted by the bytes")],
  },
  {
    name: "names with the same key stay in the order in which they were made",
    edits: [
      {
        file: "packages/threadfs/src/node-fs/directory/order.ts",
        from: "    if (place > first) sortPlaces(entries, first, place + 1, at + KEY_BYTES);\n",
        to: "",
      },
    ],
    caughtBy: [tests("directory/listing", "behind the bytes of a key")],
  },
];
