/** Faults in what explains a walk: the second instance of a thread, the debug build's reports, and what is made of them. */
import { tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const EXPLAIN = "packages/threadfs/src/api/explain";
const TRACE = "packages/threadfs/src/api/trace.ts";

export const REPLAYS: Mutant[] = [
  {
    name: "a second instance does not take over the context that the thread has acquired",
    edits: [
      {
        file: "sys/thread.ts",
        from: "  clearSearched(atomic.load<u32>(L.G_SEQ_WRAPS));\n  resumeContext();\n",
        to: "  clearSearched(atomic.load<u32>(L.G_SEQ_WRAPS));\n",
      },
    ],
    caughtBy: [tests("verify/deaths/replay", "a replay")],
  },
  {
    name: "the first instance goes on with the context from before the replay",
    edits: [
      {
        file: "sys/thread.ts",
        from: "  if (T.tid == 0) return -EINVAL;\n  resumeContext();\n  return 0;\n",
        to: "  if (T.tid == 0) return -EINVAL;\n  return 0;\n",
      },
    ],
    caughtBy: [tests("verify/deaths/replay", "a replay")],
  },
  {
    name: "a replay does not tell the first instance that it is over",
    edits: [{ file: `${EXPLAIN}/replay.ts`, from: "    attachment.core.threadResume();\n", to: "" }],
    caughtBy: [tests("explain/truth", "between calls of every kind")],
  },
  {
    name: "an explanation does not know who has decided, where the thread has searched a directory before",
    edits: [
      {
        file: "sys/thread.ts",
        from: "  clearSearched(atomic.load<u32>(L.G_SEQ_WRAPS));\n  resumeContext();\n",
        to: "  resumeContext();\n",
      },
    ],
    caughtBy: [tests("explain/explain", "who decides")],
  },
  {
    name: "an explanation walks without the limits of openat2",
    edits: [
      {
        file: "sys/path.ts",
        from: "  nd.how |= resolveFlags(resolve, false);\n  return syscallExit(filenameLookup(",
        to: "  return syscallExit(filenameLookup(",
      },
    ],
    caughtBy: [tests("explain/explain", "what openat2 forbids")],
  },
  {
    name: "a restart does not say what has changed",
    edits: [
      { file: TRACE, from: "    if (errno !== ERRNO.ECHILD || last", to: "    if (errno !== ERRNO.ESTALE || last" },
    ],
    caughtBy: [tests("explain/truth", "in the middle of the walk")],
  },
];
