/**
 * The set-user-id and set-group-id bits, in random cases: what a user makes in directories of each kind under each umask, and
 * what changes of owner, mode, contents and size leave of the bits.
 */
import { randomBelow } from "../../../../cli/dist/support/random.js";
import type { Case, Credentials } from "../support/case.js";

const USERS: readonly Credentials[] = [
  { uid: 0, gid: 0, groups: [] },
  { uid: 1000, gid: 1000, groups: [] },
  { uid: 1000, gid: 1000, groups: [2000, 2001] },
];
const UMASKS = [0, 0o010, 0o022, 0o077, 0o011, 0o777];
const DIRS = [0o777, 0o2777, 0o3777, 0o2707];
const GROUPS = [1000, 2000, 2001, 4000];
/** Set-id bits with and without the execute bits that give them a meaning. */
const MODES = [
  0o2755, 0o6755, 0o4755, 0o2745, 0o6745, 0o2675, 0o2010, 0o2000, 0o6777, 0o3755, 0o7777, 0o644, 0o2710, 0o6711,
];

const octal = (n: number) => `0${n.toString(8)}`;
const below = randomBelow(0x5e71d);
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
const named = ({ uid, groups }: Credentials) => `${uid}${groups.length > 0 ? " with groups" : ""}`;

const made: Case[] = Array.from({ length: 60 }, (_, n) => {
  const [as, umask, dirMode, gid] = [pick(USERS), pick(UMASKS), pick(DIRS), pick(GROUPS)];
  const modes = Array.from({ length: 6 }, () => pick(MODES));
  return {
    name: `${n}: ${named(as)}, umask ${octal(umask)}, makes ${modes.map(octal)} in ${octal(dirMode)} of group ${gid}`,
    as,
    umask,
    setup: (t) => t.tree({ "d/": { mode: dirMode, uid: 5, gid } }),
    run: (t) =>
      modes.flatMap((mode, i) => [
        t.out(() => t.fs.writeFileSync(t.p(`d/w${i}`), "", { mode })),
        t.out(() => t.fs.closeSync(t.fs.openSync(t.p(`d/o${i}`), "wx", mode))),
        t.out(() => t.fs.mkdirSync(t.p(`d/m${i}`), mode)),
      ]),
  };
});

const kept: Case[] = Array.from({ length: 60 }, (_, n) => {
  const [as, umask] = [pick(USERS), pick(UMASKS)];
  const mode = pick(MODES);
  const [uid, gid] = [pick([0, 1000]), pick(GROUPS)];
  const names = ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"];
  const other = pick(MODES);
  const target = pick(GROUPS);
  return {
    name: `${n}: ${named(as)} changes files of ${uid}:${gid} with mode ${octal(mode)} to ${octal(other)} and group ${target}`,
    as,
    umask,
    setup: (t) =>
      t.tree(Object.fromEntries(names.map((name) => [name, { data: "some text", mode: mode | 0o222, uid, gid }]))),
    run: (t) => [
      t.out(() => t.fs.chmodSync(t.p("f0"), other)),
      t.out(() => t.fs.chownSync(t.p("f1"), -1, target)),
      t.out(() => t.fs.chownSync(t.p("f2"), uid, -1)),
      t.out(() => t.fs.chownSync(t.p("f3"), -1, -1)),
      t.out(() => t.fs.appendFileSync(t.p("f4"), "+")),
      t.out(() => t.fs.truncateSync(t.p("f5"), 3)),
      t.out(() => t.fs.closeSync(t.fs.openSync(t.p("f6"), "w"))),
      t.out(() => t.fs.appendFileSync(t.p("f7"), "")),
    ],
  };
});

const cases: Case[] = [
  {
    name: "the mode asked for decides about set-group-id, not what the umask leaves of it",
    as: { uid: 1000, gid: 1000, groups: [] },
    umask: 0o010,
    setup: (t) => t.tree({ "d/": { mode: 0o2777, uid: 5, gid: 2000 } }),
    run: (t) => {
      for (const [name, mode] of [
        ["a", 0o2755],
        ["b", 0o6755],
      ] as const) {
        t.fs.closeSync(t.fs.openSync(t.p(`d/${name}`), "w", mode));
      }
      return ["a", "b"].map((name) => (t.fs.statSync(t.p(`d/${name}`)).mode & 0o7777).toString(8));
    },
  },
  ...made,
  ...kept,
];

export default cases.map((one): Case => ({ ...one, root: true }));
