/** The limits of a tmpfs: random programs on a small one return what the kernel returns, and leave the same room after each step. */
import { constants } from "node:fs";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import { OPEN_FLAGS } from "../../../dist/src/index.js";
import { compare } from "./compare.js";
import type { Step } from "./steps.js";

const { O_CREAT, O_EXCL, O_RDWR, O_TRUNC, O_APPEND } = constants;
const NAMES = ["m/a", "m/b", "m/c", "m/d", "m/d/e", "m/d/f", "m/l"];
const KINDS = [O_CREAT | O_RDWR, O_CREAT | O_RDWR | O_TRUNC, O_CREAT | O_EXCL | O_RDWR, O_CREAT | O_RDWR | O_APPEND];
const PAGE = 4096;

/** @param opened how many descriptors the program has opened, if every open succeeded */
function randomStep(below: Random, opened: number): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const name = () => one(NAMES);
  const fd = () => below(opened + 1);
  const place = () => one([0, 1, 100, PAGE - 1, PAGE, 3 * PAGE, 5 * PAGE + 7, 30 * PAGE]);
  const bytes = () => one([1, 10, PAGE - 1, PAGE, PAGE + 1, 4 * PAGE, 9 * PAGE + 5, 40 * PAGE]);
  return one<() => Step>([
    () => ["open", null, name(), one(KINDS), 0o644],
    () => ["open", null, name(), one(KINDS), 0o644],
    () => ["open", null, one(["m", "m/d"]), OPEN_FLAGS.O_TMPFILE | O_RDWR, 0o644],
    () => ["linkfd", fd(), null, name()],
    () => ["close", fd()],
    () => ["close", fd()],
    () => ["write", fd(), "w".repeat(bytes())],
    () => ["pwrite", fd(), "p".repeat(bytes()), place()],
    () => ["pwrite", fd(), "p".repeat(bytes()), place()],
    () => ["truncate", fd(), one([0, 0, 5, place(), place()])],
    () => ["fallocate", fd(), 0, place(), bytes()],
    () => ["fallocate", fd(), 3, place(), bytes()],
    () => ["copy", fd(), 0, fd(), 20 * PAGE, bytes()],
    () => ["fstat", fd()],
    () => ["blocks", fd()],
    () => ["unlink", null, name()],
    () => ["unlink", null, name()],
    () => ["mkdir", null, name()],
    () => ["rmdir", null, name()],
    // Under a name that nothing opens: what an open of a pipe does is no matter of limits.
    () => ["mkfifo", null, one(["m/p", "m/d/p"]), 0o644],
    () => ["unlink", null, one(["m/p", "m/d/p"])],
    () => ["symlink", "s".repeat(one([1, 127, 128, 1000])), null, name()],
    () => ["lblocks", name()],
    () => ["linkat", null, name(), null, name(), 0],
    () => ["renameat2", null, name(), null, name(), one([0, 0, 0, 1, 2])],
    () => ["setxattr", name(), one(["user.a", "user.bb", "trusted.c"]), "x".repeat(one([0, 10, 900, 3000])), 0, 0],
    () => ["removexattr", name(), one(["user.a", "user.bb", "trusted.c"]), 0],
    () => ["remount", "m", one([null, 0, 8 * PAGE, 15 * PAGE + 1, 20 * PAGE]), one([null, 5, 10, 14])],
  ])();
}

for (const [what, size, inodes] of [
  ["a size and a number of inodes", 16 * PAGE, 10],
  ["a size that is no multiple of a page", 10 * PAGE + 1, 1000],
  ["few inodes", 1000 * PAGE, 6],
] as const)
  compare(`a tmpfs with ${what}`, 12, (seed) => {
    const below = randomBelow(seed);
    const steps: Step[] = [
      ["mkdir", null, "m"],
      ["mount", "m", size, inodes],
      ["statfs", "m"],
    ];
    let opened = 0;
    for (let n = 0; n < 150; n++) {
      const step = randomStep(below, opened);
      // Without a limit threadfs tells the room in its memory.
      if (step[0] === "remount" && step[2] === 0) continue;
      if (step[0] === "open") opened++;
      steps.push(step, ["statfs", "m"]);
    }
    return [...steps, ["list", null, "m"]];
  });
