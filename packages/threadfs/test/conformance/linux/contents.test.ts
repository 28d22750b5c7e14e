/** fallocate(2), lseek(2) and copy_file_range(2): random programs return what the kernel returns. */
import { constants } from "node:fs";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, SEEK_DATA, SEEK_HOLE } from "../../../dist/abi/abi.js";
import { OPEN_FLAGS } from "../../../dist/src/index.js";
import { compare } from "./compare.js";
import type { Step } from "./steps.js";

const { O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

/** Descriptors 0 to 2 are of one file, 3 and 4 of another, 5 to 7 of what has no contents or gives none. */
const START: Step[] = [
  ["open", null, "a", O_CREAT | O_RDWR, 0o644],
  ["open", null, "a", O_RDWR, 0],
  ["open", null, "a", O_RDONLY, 0],
  ["open", null, "b", O_CREAT | O_RDWR, 0o644],
  ["open", null, "b", O_WRONLY | O_APPEND, 0],
  ["open", null, ".", O_RDONLY, 0],
  ["open", null, "a", OPEN_FLAGS.O_PATH, 0],
  ["close", 7],
];
const PAGE = 4096;

function randomStep(below: Random, allocates: boolean): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const fd = () => (below(6) === 0 ? below(8) : one([0, 0, 1, 3]));
  /** Small files are one block, larger ones have trees of one level and of two. */
  const scale = one([PAGE, 20 * PAGE, 300 * PAGE]);
  const place = () => (below(3) === 0 ? below(scale / PAGE + 1) * PAGE : below(scale));
  const length = () => one([0, 1, 100, PAGE, PAGE - 1, 2 * PAGE, below(scale), scale]);
  const fallocate = (): Step => {
    // Room that Linux makes is a hole for lseek(), here it is data. Beyond the end of the file there is none here.
    if (allocates && below(2) === 0) return ["fallocate", fd(), 0, place(), length()];
    return ["fallocate", fd(), PUNCH, place(), length()];
  };
  const seek = (): Step => ["lseek", fd(), place(), one([SEEK_DATA, SEEK_HOLE])];
  return one<() => Step>([
    () => ["pwrite", fd(), "data".repeat(1 + below(2000)), place()],
    () => ["pwrite", one([0, 3]), "x", place()],
    () => ["write", one([0, 1, 3]), "more"],
    () => ["truncate", one([0, 3]), place()],
    fallocate,
    fallocate,
    () => ["fallocate", fd(), one([0, PUNCH]), one([-1, 2 ** 41, 0]), one([-5, 0, 2 ** 41])],
    () => ["times", 0, ...fallocate()] as unknown as Step,
    allocates ? fallocate : seek,
    () => ["lseek", fd(), one([0, 10, -1, place()]), below(3)],
    () => ["copy", fd(), one([null, place()]), fd(), one([null, place()]), length()],
    () => ["copy", 0, place(), 3, place(), scale],
    () => ["blocks", one([0, 3])],
    () => ["digest", one([0, 3])],
    () => ["fstat", one([0, 3])],
  ])();
}

for (const [subject, allocates] of [
  ["holes", false],
  ["room", true],
] as const) {
  compare(subject, 15, (seed) => {
    const below = randomBelow(seed);
    const steps = Array.from({ length: 150 }, () => randomStep(below, allocates));
    return [...START, ...steps, ["digest", 0], ["digest", 3], ["tree"]];
  });
}
