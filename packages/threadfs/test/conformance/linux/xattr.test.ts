/** Extended attributes: random programs return what the kernel returns. */
import { constants } from "node:fs";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import { OPEN_FLAGS } from "../../../dist/src/index.js";
import { compare } from "./compare.js";
import type { Step } from "./steps.js";

const { O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR } = constants;

const START: Step[] = [
  ["open", null, "a", O_CREAT | O_RDWR, 0o644],
  ["mkdir", null, "d"],
  ["open", null, "d", O_RDONLY | O_DIRECTORY, 0],
  ["symlink", "a", null, "l"],
  ["open", null, "a", OPEN_FLAGS.O_PATH, 0],
  ["open", null, "private", O_CREAT | O_RDWR, 0o600],
];
const NAMES = [
  ...["user.a", "user.a", "user.b", "user.c", "user.aa", "trusted.a", "trusted.b", "security.a"],
  ...["user.", "user", "other.a", "", "user.".padEnd(255, "n"), "user.".padEnd(256, "n")],
];

function randomStep(below: Random): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const name = () => (below(3) === 0 ? one(NAMES) : one(["user.a", "user.b", "trusted.a"]));
  const file = () => one(["a", "a", "d", "l", "private", "nothing", "a/x", ""]);
  const fd = () => one([0, 0, 1, 2, 3, 9]);
  const value = () => one(["", "short", "x".repeat(200), "y".repeat(4096), "z".repeat(65_536), "w".repeat(65_537)]);
  const follow = () => one([0, 1, 1]);
  const how = () => one([0, 0, 0, 1, 2, 3]);
  return one<() => Step>([
    () => ["setxattr", file(), name(), value(), how(), follow()],
    () => ["setxattr", "a", name(), value(), 0, 1],
    () => ["getxattr", file(), name(), follow()],
    () => ["listxattr", file(), follow()],
    () => ["removexattr", file(), name(), follow()],
    () => ["fsetxattr", fd(), name(), value(), how()],
    () => ["fgetxattr", fd(), name()],
    () => ["flistxattr", fd()],
    () => ["fremovexattr", fd(), name()],
    () =>
      [
        "times",
        0,
        ...(below(2) === 0 ? ["setxattr", "a", name(), "v", 0, 1] : ["removexattr", "a", name(), 1]),
      ] as Step,
  ])();
}

compare("extended attributes of the superuser", 15, (seed) => {
  const below = randomBelow(seed);
  return [...START, ...Array.from({ length: 150 }, () => randomStep(below))];
});

/** Another user, by paths: the descriptors are the superuser's. */
compare("extended attributes of another user", 10, (seed) => {
  const below = randomBelow(seed);
  const steps: Step[] = [
    ...START,
    ["setxattr", "a", "trusted.a", "t", 0, 1],
    ["setxattr", "private", "user.a", "p", 0, 1],
  ];
  for (let n = 0; n < 100; n++) {
    if (n % 20 === 0)
      steps.push(
        ["as", 0],
        ["chmod", "a", [0o644, 0o666, 0o622][below(3)] ?? 0],
        ["chmod", "d", [0o755, 0o777, 0o1777][below(3)] ?? 0],
        ["as", 1000],
      );
    const step = randomStep(below);
    if (!`${step[0]}`.startsWith("f") && step[0] !== "times") steps.push(step);
  }
  return [...steps, ["as", 0]];
});
