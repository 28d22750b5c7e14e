/** POSIX ACLs as extended attributes, and what files get of default ACLs: random programs return what the kernel returns. */
import { constants } from "node:fs";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import { OPEN_FLAGS } from "../../../dist/src/index.js";
import { compare } from "./compare.js";
import type { Step } from "./steps.js";

const { O_CREAT, O_RDWR } = constants;
const ACCESS = "system.posix_acl_access";
const DEFAULT = "system.posix_acl_default";
const PATHS = ["d", "d", "d/f", "d/e", "d/e/g", "d/p", "d/l", "f"];

type Entry = readonly [tag: number, perm: number, id: number];
const [USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER] = [1, 2, 4, 8, 16, 32];

/** The value of the attribute: version 2, then entries. */
function attributeOf(entries: readonly Entry[], version = 2): string {
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(version);
  for (const [n, [tag, perm, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + n * 8);
    bytes.writeUInt16LE(perm, 6 + n * 8);
    bytes.writeUInt32LE(id, 8 + n * 8);
  }
  return bytes.toString("hex");
}

/** Nearly always a list that acl(5) allows. */
function randomValue(below: Random): string {
  const perm = () => below(8);
  const entries: Entry[] = [[USER_OBJ as number, perm(), 0]];
  for (const id of [1000, 1001]) if (below(3) === 0) entries.push([USER as number, perm(), id]);
  entries.push([GROUP_OBJ as number, perm(), 7]);
  for (const id of [1000, 2000]) if (below(3) === 0) entries.push([GROUP as number, perm(), id]);
  if (entries.length > 2 || below(3) === 0) entries.push([MASK as number, perm(), 0xffffffff]);
  entries.push([OTHER as number, perm(), 0]);
  switch (below(14)) {
    case 0:
      return attributeOf(entries.slice(below(3)));
    case 1:
      return attributeOf(entries, below(4));
    case 2:
      return attributeOf(entries).slice(0, 2 * below(30));
    case 3:
      return attributeOf([...entries.slice(0, 1), [USER as number, perm(), 0xffffffff], ...entries.slice(1)]);
    case 4:
      return attributeOf([...entries, [[64, 3, OTHER, MASK][below(4)] as number, perm(), 0]]);
    case 5:
      return attributeOf(entries.map(([tag, bits, id]) => [tag, below(6) === 0 ? 8 : bits, id]));
    case 6:
      return attributeOf([]);
    default:
      return attributeOf(entries);
  }
}

function randomStep(below: Random): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const name = () => one([ACCESS, ACCESS, DEFAULT, DEFAULT, "system.posix_acl_other", "system.posix_acl_access_"]);
  const mode = () => one([0, 0o777, 0o666, 0o640, 0o755, 0o2775, 0o6711, below(0o1000)]);
  const path = () => one(PATHS);
  return one<() => Step>([
    () => ["setbytes", path(), name(), randomValue(below), one([0, 0, 0, 1, 2]), one([0, 1])],
    () => ["setbytes", one(["d", "d/e"]), DEFAULT, randomValue(below), 0, 1],
    () => ["setbytes", path(), ACCESS, randomValue(below), 0, 1],
    () => ["getbytes", path(), name(), one([0, 1])],
    () => ["getbytes", path(), one([ACCESS, DEFAULT]), 1],
    () => ["removexattr", path(), name(), one([0, 1])],
    () => ["listxattr", path(), one([0, 1])],
    () => ["setxattr", path(), one(["security.s", "trusted.t", "user.u"]), "v", 0, 1],
    () => ["chmod", one(["d", "d/f", "d/e"]), mode()],
    () => ["stat", null, path()],
    () => ["stat", null, path()],
    () => ["umask", one([0, 0o22, 0o77, 0o777])],
    () => ["make", one(["d/e", "d/e/g"]), mode()],
    () => ["open", null, one(["d/f", "d/e/g", "f"]), O_CREAT | O_RDWR, mode()],
    () => ["mkfifo", null, "d/p", mode()],
    () => ["symlink", "f", null, "d/l"],
    () => ["unlink", null, one(["d/f", "d/e/g", "d/p", "d/l", "f"])],
    () => ["rmdir", null, one(["d/e", "d/e/g"])],
    () => ["open", null, one(["d", "d/e"]), OPEN_FLAGS.O_TMPFILE | O_RDWR, mode()],
    () => ["linkfd", below(6), null, one(["d/f", "f"])],
    () => ["access", path(), below(8)],
  ])();
}

compare("POSIX ACLs of the superuser", 30, (seed) => {
  const below = randomBelow(seed);
  return [["make", "d", 0o755], ...Array.from({ length: 150 }, () => randomStep(below))];
});

/** What another user may do, and may not change. */
compare("POSIX ACLs for another user", 20, (seed) => {
  const below = randomBelow(seed);
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const steps: Step[] = [["make", "d", 0o777]];
  for (let n = 0; n < 120; n++) {
    const step = randomStep(below);
    steps.push(step);
    if (below(10) === 0) steps.push(["chown", one(["d", "d/e", "d/f"]), 1000, [0, 1000][below(2)] ?? 0]);
    if (!["setbytes", "removexattr", "listxattr", "getbytes", "access", "chmod"].includes(step[0])) continue;
    steps.push(["as", 1000], step, ["access", "d/f", below(8)], ["access", "d/e", below(8)], ["as", 0]);
  }
  return steps;
});
