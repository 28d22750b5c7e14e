/** Names of mount points of other namespaces: removed, replaced, moved and exchanged, as in the kernel. */
import { constants } from "node:fs";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import {
  MNT_DETACH,
  MS_BIND,
  MS_MOVE,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
} from "../../../dist/abi/abi.js";
import { compare, compareAll } from "./compare.js";
import type { Step } from "./steps.js";

const { O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR } = constants;

const mkdir = (path: string): Step => ["mkdir", null, path];
const rmdir = (path: string): Step => ["rmdir", null, path];
const unlink = (path: string): Step => ["unlink", null, path];
const mount = (path: string, source = "new"): Step => ["mnt", source, path, 0];
const bind = (from: string, to: string, rec = 0): Step => ["mnt", from, to, MS_BIND | rec];
const share = (path: string, type: number): Step => ["mnt", "none", path, type];
const rename = (from: string, to: string, flags = 0): Step => ["renameat2", null, from, null, to, flags];
const enter = (n: number): Step => ["enter", n];
const unshare: Step = ["unshare"];
/** The first file of a program that is opened has number 2: TREE opens two. */
const open = (path: string, flags = O_RDONLY): Step => ["open", null, path, flags, 0o644];
const openDir = (path: string): Step => open(path, O_RDONLY | O_DIRECTORY);
const make = (path: string): Step => open(path, O_CREAT | O_RDWR);

/** Directories "d" and "e", files "f" and "g" and a directory for binds, in a file system of their own. */
const TREE: Step[] = [["fresh"], ...["d", "e", "b"].map(mkdir), make("f"), make("g")];
/** The same with a second namespace, which is the present one. */
const TWO: Step[] = [...TREE, unshare];

/** What the present namespace shows of all names. */
const SEEN: Step[] = [
  ["list", null, "."],
  ...["d", "e", "away", "f", "g", "b/d", "d/in", "away/in", "e/in"].map((path): Step => ["stat", null, path]),
];

/** What a program does, and after each step the mounts of all namespaces; at its end what two of them show. */
const told = (setup: readonly Step[], steps: readonly Step[]): Step[] => [
  ...setup,
  ...steps.flatMap((step): Step[] => [step, ["allmounts"]]),
  ...[0, 1].flatMap((n) => [enter(n), ...SEEN]),
];

/** What is seen from a directory that is open. */
const from = (n: number): Step[] => [
  ["list", n, "."],
  ["list", n, ".."],
  ["stat", n, "x"],
  ["fstat", n],
];

const CASES: Step[][] = [
  // A mount of one's own.
  told(TWO, [mount("d"), rmdir("d"), rename("d", "away"), rename("e", "d"), rename("e", "d", RENAME_EXCHANGE)]),
  told(TWO, [bind("g", "f"), unlink("f"), rename("f", "away"), rename("g", "f")]),
  // Another's.
  told(TWO, [mount("d"), mkdir("d/in"), enter(0), rmdir("d"), mkdir("d"), enter(1), mount("d")]),
  told(TWO, [
    mount("d"),
    mkdir("d/in"),
    enter(0),
    rename("d", "away"),
    mkdir("d"),
    enter(1),
    rmdir("away"),
    rmdir("d"),
  ]),
  told(TWO, [mount("d"), mkdir("d/in"), enter(0), rename("e", "d"), enter(1), mount("d")]),
  told(TWO, [mount("d"), mkdir("d/in"), enter(0), rename("d", "e"), enter(1), rmdir("e")]),
  told(TWO, [mount("d"), mount("e", "other"), enter(0), rename("d", "e")]),
  told(TWO, [mount("d"), mkdir("d/in"), mount("e", "other"), enter(0), rename("d", "e", RENAME_EXCHANGE)]),
  told(TWO, [mount("d"), enter(0), rename("f", "d", RENAME_EXCHANGE), rename("d", "e/f")]),
  told(TWO, [bind("g", "f"), enter(0), unlink("f"), make("f"), enter(1), bind("g", "f")]),
  told(TWO, [bind("g", "f"), enter(0), rename("f", "away"), enter(1), unlink("away"), unlink("g")]),
  told(TWO, [bind("g", "f"), enter(0), rename("g", "f")]),
  told(TWO, [bind("g", "f"), unlink("g"), make("g"), bind("f", "g"), ["mnt", "f", "g", MS_MOVE]]),
  told(TWO, [bind("g", "f"), enter(0), rename("f", "e/f")]),
  // It is not empty there, and here it is; or the other way round.
  told(TWO, [mkdir("d/in"), mount("d"), enter(0), rmdir("d"), rename("e", "d"), rmdir("d/in"), rmdir("d")]),
  // Stacked, and below each other.
  told(TWO, [mount("d", "lower"), mount("d", "upper"), enter(0), rmdir("d")]),
  told(TWO, [mount("d"), mkdir("d/in"), mount("d/in"), mkdir("d/in/x"), mount("d/in/x"), enter(0), rmdir("d")]),
  told(TWO, [mkdir("d/in"), mount("d/in"), mount("d"), enter(0), rmdir("d/in"), rmdir("d")]),
  // In three namespaces, each with its own.
  told(TWO, [mount("d", "one"), enter(0), unshare, mount("d", "two"), enter(0), rmdir("d")]),
  told(TWO, [enter(0), unshare, mount("d", "two"), enter(1), rmdir("d")]),
  told(TWO, [mount("d", "one"), enter(0), unshare, rmdir("d"), mkdir("d"), enter(1), mount("d")]),
  // Shared mounts have it everywhere; a slave's is its own, and so is a private one's.
  told([...TREE, share(".", MS_SHARED), unshare], [mount("d"), enter(0), rmdir("d"), rename("d", "away"), enter(1)]),
  told([...TREE, share(".", MS_SHARED), unshare, share(".", MS_SLAVE)], [mount("d"), enter(0), rmdir("d")]),
  told([...TREE, share(".", MS_SHARED), unshare, share(".", MS_SLAVE), enter(0)], [mount("d"), enter(1), rmdir("d")]),
  told([...TREE, share(".", MS_SHARED), unshare, share(".", MS_PRIVATE)], [mount("d"), enter(0), rmdir("d")]),
  told(
    [...TREE, share(".", MS_SHARED), unshare],
    [mount("d"), mkdir("d/in"), mount("d/in"), share(".", MS_PRIVATE), ["umount2", "d", MNT_DETACH], rmdir("d")],
  ),
  // The detached mount was a peer of others, which stay.
  told(
    [...TREE, unshare],
    [mount("d"), share("d", MS_SHARED), bind("d", "e"), mkdir("d/in"), enter(0), rmdir("d"), enter(1), mount("e/in")],
  ),
  // The same directory through another mount of the file system.
  told([...TREE, bind(".", "b"), unshare], [mount("b/d"), rmdir("d"), enter(0), rmdir("d")]),
  told([...TREE, bind(".", "b"), unshare], [mount("b/d"), rename("d", "away"), enter(0), rename("d", "away")]),
  told([...TREE, bind(".", "b"), unshare], [mount("d"), mount("b/d"), enter(0), rmdir("b/d")]),
  told([...TREE, bind("d", "e"), unshare], [mount("e"), enter(0), rmdir("d")]),
  told([...TREE, unshare, bind("d", "e"), mount("e")], [rmdir("d"), enter(0), rmdir("d")]),
  told([...TREE, unshare, bind("d", "e"), mount("e")], [enter(0), rmdir("e"), rmdir("d")]),
  told(
    [...TREE, unshare, bind("d", "e", MS_REC)],
    [rmdir("e"), enter(0), rmdir("d"), enter(1), rmdir("d"), ["umount2", "e", 0]],
  ),
  // What is open in what is detached, or is the way there.
  told(TWO, [
    mount("d"),
    make("d/x"),
    openDir("d"),
    openDir("."),
    enter(0),
    rmdir("d"),
    ...from(3),
    ...from(4),
    ["write", 2, "still"],
    ["fstat", 2],
  ]),
  told(
    [...TREE, openDir("d"), unshare, openDir("d")],
    [mount("d"), make("d/x"), enter(0), rmdir("d"), ...from(2), ...from(3), ["fstat", 4]],
  ),
  told(TWO, [
    bind("g", "f"),
    open("f", O_RDWR),
    enter(0),
    unlink("f"),
    ["write", 2, "kept"],
    ["fstat", 2],
    ["stat", null, "g"],
  ]),
];

compareAll(
  "removed and renamed mount points of other namespaces",
  CASES.length,
  (seed) => CASES[(seed - 1) % CASES.length] ?? [],
);

/** Names that become mount points, in three namespaces. */
const PLACES = ["d", "d", "e", "e", "d/in", "e/in", "away", "b/d", "b/e"];
const FILES = ["f", "f", "g", "d/x", "e/x"];

function randomStep(below: Random): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const place = () => one(PLACES);
  const file = () => one(FILES);
  return one<() => Step>([
    () => mount(place(), one(["one", "two"])),
    () => mount(one(["d", "e"])),
    () => bind(place(), place(), one([0, MS_REC])),
    () => bind(file(), file()),
    () => share(one([".", ".", "d", "e", "b"]), one([MS_SHARED, MS_SLAVE, MS_PRIVATE])),
    () => ["umount2", place(), one([0, MNT_DETACH])],
    () => mkdir(place()),
    () => mkdir(place()),
    () => make(file()),
    () => rmdir(place()),
    () => rmdir(one(["d", "e"])),
    () => unlink(file()),
    () => rename(place(), place()),
    // The list of mounts has another name for a file that was replaced (docs/differences.md).
    () => rename(file(), file(), RENAME_NOREPLACE),
    () => rename(place(), place(), RENAME_EXCHANGE),
  ])();
}

compare("mount points of three namespaces that come, go and move", 20, (seed) => {
  const below = randomBelow(seed);
  const steps: Step[] = [...TREE, ...(below(2) === 0 ? [bind(".", "b")] : [])];
  if (below(2) === 0) steps.push(share(".", MS_SHARED));
  steps.push(unshare, enter(0), unshare);
  for (let n = 0; n < 60; n++) {
    if (below(3) === 0) steps.push(enter(below(3)));
    steps.push(randomStep(below), ["allmounts"]);
  }
  return [...steps, ...[0, 1, 2].flatMap((n) => [enter(n), ...SEEN])];
});
