/**
 * `vfs.changes()`: random programs make the events of names that inotify(7) has for the same directories, in the same order, with one
 * cookie for the two events of a rename.
 */
import { constants } from "node:fs";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import { compare } from "./compare.js";
import type { Step } from "./steps.js";

const { O_CREAT, O_RDWR, O_TRUNC, O_WRONLY, S_IFIFO, S_IFSOCK } = constants;

const NAMES = ["a", "b", "d/a", "d/b", "d/e", "d/e/x", "e"];
const START: Step[] = [
  ["mkdir", null, "d"],
  ["open", null, "kept", O_CREAT | O_RDWR, 0o644],
  ["open", null, "d/kept", O_CREAT | O_RDWR, 0o644],
  ["follow", ".", "d"],
];

function randomStep(below: Random): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const path = () => one(NAMES);
  return one<() => Step>([
    () => ["open", null, path(), one([O_CREAT | O_RDWR, O_CREAT | O_TRUNC | O_WRONLY, O_TRUNC | O_WRONLY]), 0o644],
    () => ["mkdir", null, path()],
    () => ["symlink", "a", null, path()],
    () => ["unlink", null, path()],
    () => ["rmdir", null, path()],
    () => ["renameat2", null, path(), null, path(), one([0, 0, 0, 1, 2])],
    () => ["linkat", null, path(), null, path(), 0],
    () => ["mknod", null, one(["d/pipe", "pipe"]), one([S_IFIFO, S_IFSOCK]) | 0o600],
    () => ["unlink", null, one(["d/pipe", "pipe"])],
    () => ["chmod", one(["kept", "d", "d/kept"]), one([0o600, 0o755])],
    () => ["setxattr", one(["kept", "d/kept"]), "user.x", "value", 0, 1],
    () => ["write", one([0, 1]), "bytes"],
    () => ["truncate", one([0, 1]), one([0, 3, 9000])],
  ])();
}

compare("changes", 12, (seed) => {
  const below = randomBelow(seed);
  const rounds = Array.from({ length: 12 }, () => [
    ...Array.from({ length: 8 }, () => randomStep(below)),
    ["changes"] satisfies Step,
  ]);
  return [...START, ...rounds.flat()];
});
