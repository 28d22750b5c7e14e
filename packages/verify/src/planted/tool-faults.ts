/** Faults in the command line, the runner of the tests and the checks themselves. */
import { tests } from "./detectors.js";
import type { Mutant } from "./faults.js";

export const TOOLS: Mutant[] = [
  {
    name: "a check that is left nothing to check holds",
    edits: [
      {
        file: "packages/verify/src/support/usage-error.ts",
        from: "  if (list.length > 0) return list;",
        to: "  if (list.length >= 0) return list;",
      },
    ],
    caughtBy: [tests("verify/support/command-line", "left nothing to check")],
  },
  {
    name: "a file of tests is stopped by the clock, however busy the machine is",
    edits: [
      {
        file: "packages/tools/src/watchdog.worker.ts",
        from: "  const { user, system } = process.cpuUsage();",
        to: "  const [user, system] = [(performance.now() - begin) * 1000, 0];",
      },
    ],
    caughtBy: [tests("tools/watchdog")],
  },
  {
    name: "tables are as wide as their cells, whatever the terminal is",
    edits: [
      {
        file: "packages/cli/src/support/text-table.ts",
        from: "  return stream.columns || (Number",
        to: "  return stream.columns ? 1000 : (Number",
      },
    ],
    caughtBy: [tests("cli/support/text-table"), tests("cli/job")],
  },
  {
    name: "the job takes more threads than a tree has slots",
    edits: [
      {
        file: "packages/cli/src/main.ts",
        from: "between(1, MAX_THREADS - OTHER_THREADS)",
        to: "between(1, 2 * MAX_THREADS)",
      },
    ],
    caughtBy: [tests("cli/job/job", "a bad argument")],
  },
];
