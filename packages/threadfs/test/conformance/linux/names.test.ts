/** renameat2(2), linkat(2), O_TMPFILE, O_PATH, and paths that start at a descriptor: random programs return what the kernel returns. */
import { constants } from "node:fs";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import { AT_SYMLINK_FOLLOW } from "../../../dist/abi/abi.js";
import { OPEN_FLAGS } from "../../../dist/src/index.js";
import { compare } from "./compare.js";
import type { Step } from "./steps.js";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const { S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } = constants;
const { O_PATH, O_TMPFILE } = OPEN_FLAGS;

const NAMES = ["a", "b", "d", "d/a", "d/b", "d/e", "l", "d/l", "d/e/..", "nothing/x", ".", ""];
const START: Step[] = [
  ["open", null, ".", O_RDONLY | O_DIRECTORY, 0],
  ["mkdir", null, "d"],
  ["open", null, "d", O_RDONLY | O_DIRECTORY, 0],
  ["open", null, "a", O_CREAT | O_RDWR, 0o644],
  ["write", 2, "some bytes"],
  ["symlink", "a", null, "l"],
  ["open", null, "d", O_PATH, 0],
];
const FLAGS = [
  O_CREAT | O_RDWR,
  O_CREAT | O_EXCL | O_WRONLY,
  O_RDONLY,
  O_PATH,
  O_PATH | O_NOFOLLOW,
  O_DIRECTORY,
  O_TMPFILE | O_RDWR,
  O_TMPFILE | O_RDWR,
  O_TMPFILE | O_WRONLY | O_EXCL,
  O_TMPFILE,
];

function randomStep(below: Random): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const path = () => one(NAMES);
  const fd = () => below(12);
  /** Directories: `vfs.at()` refuses what is none before the call looks at its own arguments. */
  const at = () => one([null, null, 0, 1, 3]);
  const dir = () => (below(3) === 0 ? fd() : at());
  return one<() => Step>([
    () => ["open", at(), path(), one(FLAGS), 0o640],
    () => ["open", at(), path(), one(FLAGS), 0o666],
    () => ["close", one([2, 4, 5, 6, 7, 8, 9, 10, 11, 12])],
    () => ["mkdir", at(), path()],
    () => ["symlink", one(["a", "d", "../a", "l", "nothing"]), at(), path()],
    () => ["unlink", at(), path()],
    () => ["rmdir", at(), path()],
    () => ["stat", at(), path()],
    () => ["fstat", fd()],
    () => ["list", at(), one([".", "d", "..", "a"])],
    () => ["write", fd(), "xyz"],
    () => ["renameat2", dir(), path(), dir(), path(), below(4)],
    () => ["renameat2", dir(), path(), dir(), path(), one([1, 2])],
    () => ["linkat", dir(), path(), dir(), path(), one([0, AT_SYMLINK_FOLLOW])],
    () => ["linkfd", fd(), dir(), path()],
    () => ["mknod", at(), path(), one([S_IFSOCK, S_IFREG, S_IFDIR, 0]) | one([0o644, 0o777])],
    () => ["mkfifo", at(), one(["pipe", "d/pipe", "nothing/pipe"]), 0o640],
    // No name that is opened: the kernel's pipes wait, and those of the tree cannot be opened.
    () => ["mknod", at(), one(["pipe", "d/pipe"]), S_IFIFO | 0o777],
    // The device 0, a whiteout, which needs no capability; and a type that mknod(2) does not make.
    () => ["mknod", at(), one(["pipe", "d/pipe"]), one([S_IFCHR, S_IFLNK]) | 0o640],
    () => ["linkfd", fd(), dir(), one(["a", "b", "d/b"])],
  ])();
}

compare("names", 30, (seed) => {
  const below = randomBelow(seed);
  return [...START, ...Array.from({ length: 150 }, () => randomStep(below)), ["tree"]];
});
