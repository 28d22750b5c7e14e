/** Pipes and FIFOs that never wait: random programs of opens, reads, writes and sizes return what the kernel returns. */
import { constants } from "node:fs";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import { compare } from "./compare.js";
import type { Step } from "./steps.js";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, S_IFSOCK } = constants;

const START: Step[] = [
  ["mkfifo", null, "f", 0o644],
  ["mknod", null, "s", S_IFSOCK | 0o644],
  ["pipe", O_NONBLOCK],
];
/** With all of them calls end at once. */
const FLAGS = [
  ...[O_RDONLY, O_RDONLY, O_WRONLY, O_WRONLY, O_RDWR, O_RDWR | O_TRUNC, O_CREAT | O_WRONLY, O_CREAT | O_EXCL],
  ...[O_DIRECTORY, 3],
].map((flags) => flags | O_NONBLOCK);
const COUNTS = [0, 1, 2, 100, 1000, 4000, 4095, 4096, 4097, 5000, 8192, 10_000, 65_535, 65_536, 70_000, 200_000];
const SIZES = [0, 1, 4096, 4097, 8192, 20_000, 65_536, 100_000, 262_144, 1_048_576];

function randomStep(below: Random): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const fd = () => below(10);
  const letter = () => String.fromCharCode(97 + below(26));
  const count = () => (below(3) === 0 ? below(5000) : one(COUNTS));
  return one<() => Step>([
    () => ["open", null, "f", one(FLAGS), 0o644],
    () => ["open", null, "f", one(FLAGS), 0o644],
    () => ["open", null, one(["f", "s"]), one(FLAGS), 0o644],
    () => ["pipe", O_NONBLOCK],
    () => ["close", fd()],
    () => ["put", fd(), letter(), count()],
    () => ["put", fd(), letter(), count()],
    () => ["put", fd(), letter(), count()],
    () => ["putv", fd(), letter(), count(), count(), count()],
    // No read of no bytes, which Node does not pass on.
    () => ["take", fd(), count() + 1],
    () => ["take", fd(), count() + 1],
    () => ["take", fd(), count() + 1],
    () => ["pread", fd(), 10, one([0, 5])],
    () => ["pwrite", fd(), "xyz", one([0, 5])],
    () => ["lseek", fd(), 0, below(5)],
    () => ["truncate", fd(), one([0, 100])],
    () => ["fallocate", fd(), one([0, 1, 3]), 0, 100],
    () => ["copy", fd(), null, fd(), null, 100],
    () => ["fsync", fd()],
    () => ["fstat", fd()],
    () => ["blocks", fd()],
    () => ["pipesize", fd()],
    () => ["resize", fd(), one(SIZES)],
    () => ["stat", null, "f"],
  ])();
}

compare("pipes", 40, (seed) => {
  const below = randomBelow(seed);
  return [...START, ...Array.from({ length: 200 }, () => randomStep(below)), ["tree"]];
});
