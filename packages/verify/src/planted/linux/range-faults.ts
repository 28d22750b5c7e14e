/** Faults of what Linux has beside the calls of `node:fs`, on contents. */
import { death, type Step, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const contents = (pattern: string): Step => tests("node-fs/linux", pattern);

export const RANGES: Mutant[] = [
  {
    name: "a hole that a dead thread was punching stays half punched",
    edits: [{ file: "sys/recovery.ts", from: "  redoPunch(i, s + L.SLOT_UNDO_LOG);\n", to: "" }],
    caughtBy: [death("pages punch: sysFallocate(fd=3")],
  },
  {
    name: "a hole takes the whole of the page in which it begins",
    edits: [
      {
        file: "fs/tmpfs/holes.ts",
        from: "  const from = (start + PAGE - 1) >> PAGE_SHIFT;\n  const to = end",
        to: "  const from = start >> PAGE_SHIFT;\n  const to = end",
      },
    ],
    caughtBy: [contents("punches holes")],
  },
  {
    name: "room that was made before the memory got full is kept",
    edits: [{ file: "vfs/file/ranges.ts", from: "      dataGiveBack(i, start, end);\n", to: "" }],
    caughtBy: [contents("all of the room, or none")],
  },
  {
    name: "the position of the source does not advance",
    edits: [
      {
        file: "vfs/file/ranges.ts",
        from: "    const source = movesFrom ? from.posAt : 0;\n",
        to: "    const source: usize = 0;\n",
      },
    ],
    caughtBy: [contents("between positions that advance")],
  },
  {
    name: "the end of a file is no hole",
    edits: [
      {
        file: "fs/tmpfs/holes.ts",
        from: "  if (at >= size) return data ? -1 : size;\n",
        to: "  if (at >= size) return -1;\n",
      },
    ],
    caughtBy: [contents("punches holes")],
  },
];
