/** Faults of pipes: core/vfs/pipe, and what ends them. */
import { death, pair, type Step, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const pipes = (pattern: string): Step => tests("node-fs/linux/pipes", pattern);
const kernel = (): Step => tests("conformance/linux/pipes");

export const PIPES: Mutant[] = [
  {
    name: "a write to a pipe wakes no reader",
    edits: [
      {
        file: "vfs/pipe/transfer.ts",
        from: "  changeEnd(followed, d, i, IN_MODIFY);\n  txEnd();\n  if (woken) wake(word);\n",
        to: "  changeEnd(followed, d, i, IN_MODIFY);\n  txEnd();\n",
      },
    ],
    caughtBy: [pair("pipeWaits@token: sysRead || token: sysRead")],
  },
  {
    name: "the last close of one end of a pipe wakes nobody",
    edits: [{ file: "vfs/pipe/pipe.ts", from: "  if (woken) wake(readers);\n", to: "" }],
    caughtBy: [pair("pipeWaits@eof: || eof:")],
  },
  {
    name: "the ends of a dead thread stay counted",
    edits: [{ file: "vfs/recovery/recount.ts", from: "  recountPipes();\n", to: "" }],
    caughtBy: [death("pipes close: sysClose(fd=3)")],
  },
  {
    name: "a read of a pipe is shown before its last byte is copied",
    edits: [
      {
        file: "vfs/pipe/transfer.ts",
        from: "    if (part == bytes) tail++;",
        to: "    if (part == bytes) p.tail = ++tail;",
      },
    ],
    caughtBy: [death("pipes read: sysRead(fd=3 n=100"), tests("unit/vfs/pipe", "dies")],
  },
  {
    name: "a short write to a pipe is divided between two pages",
    edits: [
      {
        file: "vfs/pipe/transfer.ts",
        from: "    if (offset + bytes + rest <= PIPE_PAGE) {\n      err = copyIn(<usize>load<u32>(slot) + offset + bytes, 0, rest, n);",
        to: "    if (true) {\n      err = copyIn(<usize>load<u32>(slot) + offset + bytes, 0, rest, n);",
      },
    ],
    caughtBy: [kernel()],
  },
  {
    name: "the pages of a pipe stay when its last file is closed",
    edits: [{ file: "vfs/pipe/pipe.ts", from: "  if (left == 0) pipeFree(i);\n", to: "" }],
    caughtBy: [pipes("a pipe's pages end")],
  },
  {
    name: "a pipe whose last file was closed still has its bytes for the next one",
    edits: [{ file: "vfs/pipe/pipe.ts", from: "    p.head = 0;\n    p.tail = 0;\n", to: "" }],
    caughtBy: [tests("unit/vfs/pipe", "is opened while")],
  },
  {
    name: "an open of a FIFO that waits stays when its thread ends",
    edits: [
      {
        file: "vfs/file/owner.ts",
        from: "        takeBackOpen(c, b * FD_BLOCK + k, <usize>(block + (k << 2)), owner);\n",
        to: "",
      },
    ],
    caughtBy: [pipes("takes its opens")],
  },
  {
    name: "a descriptor whose open waits is open to other calls",
    edits: [
      {
        file: "vfs/file/file.ts",
        from: "return changetype<File>(v & FD_OPENING ? <usize>0 : <usize>v);",
        to: "return changetype<File>(v == FD_RESERVED ? <usize>0 : <usize>(v & ~FD_OPENING));",
      },
    ],
    caughtBy: [pipes("is not open")],
  },
  {
    name: "a reader of a FIFO waits for a writer that has come and gone",
    edits: [
      {
        file: "vfs/pipe/pipe.ts",
        from: "const came = (reads ? p.wCounter : p.rCounter) != seen;",
        to: "const came = (reads ? p.writers : p.readers) != 0;",
      },
    ],
    caughtBy: [pipes("opened and closed again")],
  },
  {
    name: "a write to a pipe goes on without readers",
    edits: [{ file: "vfs/pipe/transfer.ts", from: "    if (countReaders(i, p) != 0) {", to: "    if (true) {" }],
    caughtBy: [kernel()],
  },
  {
    name: "a page that was read is not used again",
    edits: [{ file: "vfs/pipe/transfer.ts", from: "    if (page == 0) continue;\n", to: "    if (true) continue;\n" }],
    caughtBy: [pipes("keep to one page")],
  },
  {
    name: "a promise of a write to a pipe ends with the part that there was room for",
    edits: [
      {
        file: "packages/threadfs/src/node-fs/system-calls.ts",
        from: "if (wrote !== PIPE_WAITS && this.core.pipeLeft() === 0) return done;",
        to: "if (wrote !== PIPE_WAITS) return done;",
      },
    ],
    caughtBy: [pipes("a write that was begun")],
  },
  {
    name: "an open of a FIFO is given up where it meets a lock after it has waited",
    edits: [
      {
        file: "packages/threadfs/src/node-fs/system-calls.ts",
        from: "if (limit.isGentle && limit.isPassed(error)) limit.setLeft(error, { pipe: undefined, goOn, giveUp });\n      else giveUp();",
        to: "giveUp();",
      },
    ],
    caughtBy: [pipes("goes on with its descriptor")],
  },
];
