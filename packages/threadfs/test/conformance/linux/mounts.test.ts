/** Mounts: random programs that mount, bind, move, change, unmount and list return what the kernel returns. */
import { constants } from "node:fs";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import {
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_BIND,
  MS_MOVE,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
  UMOUNT_NOFOLLOW,
} from "../../../dist/abi/abi.js";
import { compare, compareAll } from "./compare.js";
import { MS_REMOUNT, type Step } from "./steps.js";

const { O_CREAT, O_RDONLY, O_RDWR } = constants;
/** In Linux the default of a new mount, and not of a remount. */
const MS_RELATIME = 1 << 21;
/** Later than any change. */
const FUTURE = 2 ** 33;

/** One has the characters that the list of mounts escapes. */
const DIRECTORIES = ["a", "b", "a/c", "b/c", "a/c/d", "b/ \t\\#\n"];
const FILES = ["f", "a/f", "b/f", "a/c/f"];
const LINKS = ["la", "a/lf"];
const ANY = [...DIRECTORIES, ...DIRECTORIES, ...FILES, ...LINKS, "missing", "f/x"];

/** What all programs begin with: the directories, files and links, in a file system of their own. */
const TREE: Step[] = [
  ["fresh"],
  ...DIRECTORIES.map((path): Step => ["mkdir", null, path]),
  ...FILES.flatMap((path): Step[] => [
    ["open", null, path, O_CREAT | O_RDWR, 0o755],
    ["close", FILES.indexOf(path)],
  ]),
  ["symlink", "a", null, "la"],
  ["symlink", "f", null, "a/lf"],
];

const FLAGS = [MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOSYMFOLLOW, MS_NODIRATIME];

function randomStep(below: Random, opened: number): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const path = () => one(ANY);
  const dir = () => one(DIRECTORIES);
  const fd = () => below(opened + 1);
  const times = () => one([MS_RELATIME, MS_RELATIME, MS_NOATIME, MS_STRICTATIME, MS_NOATIME | MS_STRICTATIME]);
  const flags = () => times() | FLAGS.reduce((all, flag) => (below(4) === 0 ? all | flag : all), 0);
  return one<() => Step>([
    () => ["mnt", one(["none", "source", "with space\t\\ and #\n"]), path(), flags()],
    () => ["mnt", one(["none", "source"]), dir(), flags()],
    () => ["mnt", path(), path(), MS_BIND | one([0, MS_REC])],
    () => ["mnt", dir(), dir(), MS_BIND | one([0, MS_REC])],
    () => ["mnt", one(FILES), one(FILES), MS_BIND],
    () => ["mnt", path(), path(), MS_MOVE],
    () => ["mnt", dir(), dir(), MS_MOVE],
    () => ["mnt", "none", dir(), MS_REMOUNT | MS_BIND | flags()],
    () => ["mnt", "none", dir(), MS_REMOUNT | MS_BIND | MS_RDONLY | times()],
    () => ["mnt", "none", dir(), MS_REMOUNT | flags()],
    () => ["umount2", dir(), one([0, 0, MNT_DETACH, MNT_FORCE, MNT_EXPIRE | MNT_DETACH])],
    () => ["umount2", path(), one([0, UMOUNT_NOFOLLOW, MNT_DETACH])],
    () => ["open", null, path(), one([O_RDONLY, O_RDWR, O_RDWR | O_CREAT]), 0o755],
    () => ["open", null, one(FILES), O_RDWR, 0o755],
    () => ["close", fd()],
    () => ["close", fd()],
    () => ["mkdir", null, `${dir()}/c`],
    () => ["unlink", null, path()],
    () => ["rmdir", null, path()],
    () => ["access", path(), one([0, 1, 2, 4])],
    () => ["stat", null, path()],
    () => ["touched", path(), one([1000, FUTURE])],
    () => ["touched", path(), one([1000, FUTURE])],
    () => ["chmod", path(), 0o755],
  ])();
}

compare("mounts, their flags and their list", 20, (seed) => {
  const below = randomBelow(seed);
  const steps = [...TREE];
  let opened = FILES.length;
  for (let n = 0; n < 120; n++) {
    const step = randomStep(below, opened);
    if (step[0] === "open") opened++;
    steps.push(step, ["mounts"]);
  }
  return steps;
});

/** The first call marks a mount that nothing uses, a later one ends it unless it was used in between. */
const EXPIRIES: readonly (readonly Step[])[] = [
  [
    ["umount2", "a", MNT_EXPIRE],
    ["umount2", "a", MNT_EXPIRE],
    ["umount2", "a", MNT_EXPIRE],
  ],
  [
    ["umount2", "a", MNT_EXPIRE],
    ["stat", null, "a"],
    ["umount2", "a", MNT_EXPIRE],
    ["umount2", "a", MNT_EXPIRE],
  ],
  [
    ["umount2", "a", MNT_EXPIRE],
    ["open", null, "a/f", O_RDWR | O_CREAT, 0o644],
    ["umount2", "a", MNT_EXPIRE],
    ["close", FILES.length],
    ["umount2", "a", MNT_EXPIRE],
    ["umount2", "a", MNT_EXPIRE],
  ],
  [
    ["mkdir", null, "a/x"],
    ["mnt", "none", "a/x", 0],
    ["umount2", "a", MNT_EXPIRE],
    ["umount2", "a/x", MNT_EXPIRE],
    ["umount2", "a", MNT_EXPIRE],
    ["umount2", "a/x", MNT_EXPIRE],
    ["umount2", "a", MNT_EXPIRE],
    ["umount2", "a", MNT_EXPIRE],
  ],
  [
    ["umount2", "a", MNT_EXPIRE | MNT_FORCE],
    ["umount2", "b", MNT_EXPIRE],
    ["umount2", "a", MNT_EXPIRE],
    ["umount2", "b", MNT_EXPIRE],
    ["umount2", "a", MNT_EXPIRE],
    ["umount2", "la", MNT_EXPIRE | UMOUNT_NOFOLLOW],
  ],
  [
    ["umount2", "a", MNT_EXPIRE],
    ["mnt", "a", "b", MS_MOVE],
    ["umount2", "b", MNT_EXPIRE],
    ["umount2", "b", MNT_EXPIRE],
  ],
];

compareAll("mounts that expire", EXPIRIES.length, (seed) => [
  ...TREE,
  ["mnt", "none", "a", 0],
  ...(EXPIRIES[(seed - 1) % EXPIRIES.length] ?? []).flatMap((step): Step[] => [step, ["mounts"]]),
]);

compare("pivot_root", 10, (seed) => {
  const below = randomBelow(seed);
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const place = () => one(["/", "/c", "/c", "/c/d", "/x", "/c/x", "/f", "/missing", "/lf"]);
  const steps = [...TREE];
  for (let n = 0; n < 100; n++) {
    const step = one<() => Step>([
      () => ["mnt", one(["first", "second", "third"]), one(["a", "a/c", "b", "b/c", "a/c/d"]), 0],
      () => ["mnt", "a", "b", MS_BIND | MS_REC],
      () => ["mkdir", null, one(["a/c", "a/x", "a/c/x", "a/c/d", "b/c", "b/x"])],
      () => ["rmdir", null, one(["a/x", "a/c/x"])],
      () => ["umount2", one(["a", "b", "a/c", "b/c"]), one([0, MNT_DETACH])],
      () => ["pivot", one(["a", "a", "b", "a/c", "f"]), place(), place()],
      () => ["pivot", one(["a", "a", "b", "a/c"]), "/c", one(["/c", "/c/x", "/c/d", "/c/x"])],
      () => ["pivot", one(["a", "a", "b"]), "/c", "/c/x"],
    ])();
    steps.push(step, ["mounts"]);
  }
  return steps;
});

/** Places that are mount points now and then, in all mounts of the tree. */
const PLACES = ["a", "a", "b", "b", "a/c", "b/c", "a/c/d", "."];

/** A step that changes which mounts share, or mounts, moves or unmounts in them. */
function randomShare(below: Random): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const place = () => one(PLACES);
  const dir = () => one(PLACES.slice(0, -1));
  const type = () => one([MS_SHARED, MS_SHARED, MS_SHARED, MS_SLAVE, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE]);
  return one<() => Step>([
    () => ["mnt", "none", place(), type() | one([0, 0, MS_REC])],
    () => ["mnt", "none", place(), MS_SHARED | one([0, MS_REC])],
    () => ["mnt", one(["one", "two", "three"]), place(), 0],
    () => ["mnt", one(["one", "two", "three"]), place(), 0],
    () => ["mkdir", null, one(["a/c", "b/c", "a/c/d", "b/c/d"])],
    () => ["mnt", dir(), dir(), MS_BIND | one([0, 0, 0, MS_REC])],
    () => ["mnt", dir(), dir(), MS_BIND],
    () => ["mnt", dir(), dir(), MS_MOVE],
    () => ["umount2", dir(), one([0, 0, MNT_DETACH])],
    () => ["umount2", dir(), one([0, 0, MNT_DETACH])],
    () => ["umount2", dir(), one([0, MNT_EXPIRE])],
    () => ["pivot", one(["a", "b"]), one(["/c", "/c/d"]), one(["/c", "/c/d", "/"])],
  ])();
}

compare("peer groups, slaves and what is propagated", 20, (seed) => {
  const below = randomBelow(seed);
  const steps = [...TREE];
  for (let n = 0; n < 40; n++) steps.push(randomShare(below), ["mounts"]);
  return steps;
});

/** Namespaces that live at a time, the first one's included. */
const SPACES = 3;

compare("namespaces of mounts, and what is propagated between them", 20, (seed) => {
  const below = randomBelow(seed);
  const steps: Step[] = [...TREE, ["mnt", "none", ".", MS_SHARED]];
  const others: number[] = [];
  let made = 1;
  let present = 0;
  const enter = (n: number) => {
    steps.push(["enter", n]);
    present = n;
  };
  for (let n = 0; n < 40; n++) {
    const what = below(8);
    if (what === 0 && others.length < SPACES - 1) {
      // A copy of the first one.
      enter(0);
      steps.push(["unshare"]);
      present = made++;
      others.push(present);
    } else if (what === 1) enter([0, ...others][below(others.length + 1)] ?? 0);
    else if (what === 2 && others.length > 1 && below(3) === 0) {
      const [ended = 0] = others.splice(below(others.length), 1);
      if (ended === present) enter(0);
      steps.push(["endspace", ended]);
    } else {
      const step = randomShare(below);
      // The library makes contexts with the handle of the first one alone.
      if (step[0] === "pivot" && present !== 0) enter(0);
      steps.push(step);
    }
    steps.push(["allmounts"]);
  }
  return steps;
});
