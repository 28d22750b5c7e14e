/**
 * Permissions. Root makes the trees; other users make the calls: on the kernel in a child process that has given up root,
 * on threadfs in a context with those credentials.
 */
import nodeFs from "node:fs";
import type { Case, Credentials, Tools } from "../support/case.js";

const { R_OK, W_OK, X_OK, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NOATIME } = nodeFs.constants;
/** Linux's numbers of what Node has no name for. */
const O_PATH = 0o10000000;
const O_TMPFILE = 0o20200000;

const USER: Credentials = { uid: 1000, gid: 1000, groups: [] };
const MEMBER: Credentials = { uid: 1000, gid: 1000, groups: [2000, 2001] };
const OTHER: Credentials = { uid: 1001, gid: 1001, groups: [] };
const PEER: Credentials = { uid: 1001, gid: 1000, groups: [3000] };
const ROOT: Credentials = { uid: 0, gid: 0, groups: [] };

const USERS = { user: USER, member: MEMBER, other: OTHER, peer: PEER, root: ROOT };

/** Owner, group and other may each have or lack each right. */
const MODES = [
  0o000, 0o400, 0o200, 0o100, 0o700, 0o040, 0o020, 0o010, 0o070, 0o004, 0o002, 0o001, 0o007, 0o077, 0o707, 0o770, 0o644,
  0o755,
];

const OWNERS = [
  [1000, 1000],
  [1000, 2000],
  [0, 2001],
  [0, 0],
  [1001, 1000],
] as const;

const ACCESS = [R_OK, W_OK, X_OK, R_OK | W_OK, R_OK | X_OK, W_OK | X_OK, R_OK | W_OK | X_OK];

const modeName = (mode: number) => `0${mode.toString(8)}`;

/** One case for a user and an owner: files and directories of that owner in every mode. */
const ownership: Case[] = Object.entries(USERS).flatMap(([user, as]) =>
  OWNERS.map(([uid, gid]) => ({
    name: `${user} meets the modes of ${uid}:${gid}`,
    as,
    setup: (t) => {
      for (const mode of MODES) {
        t.tree({
          [`f${mode}`]: { data: "secret", mode, uid, gid },
          [`d${mode}/`]: null,
          [`d${mode}/f`]: { data: "inner", mode: 0o644 },
          [`d${mode}/sub/`]: 0o777,
          [`d${mode}/sub/deep`]: { data: "deep", mode: 0o644 },
        });
        t.fs.chownSync(t.p(`d${mode}`), uid, gid);
        t.fs.chmodSync(t.p(`d${mode}`), mode);
      }
    },
    run: (t) =>
      MODES.map((mode) => [
        modeName(mode),
        ACCESS.map((want) => [
          t.out(() => t.fs.accessSync(t.p(`f${mode}`), want)),
          t.out(() => t.fs.accessSync(t.p(`d${mode}`), want)),
        ]),
        t.out(() => t.fs.readFileSync(t.p(`f${mode}`), "latin1")),
        t.out(() => t.fs.closeSync(t.fs.openSync(t.p(`f${mode}`), "r+"))),
        t.out(() => t.fs.appendFileSync(t.p(`f${mode}`), "+")),
        t.out(() => t.fs.truncateSync(t.p(`f${mode}`), 3)),
        t.out(() => t.fs.closeSync(t.fs.openSync(t.p(`f${mode}`), O_WRONLY | O_CREAT))),
        t.out(() => t.fs.statSync(t.p(`f${mode}`))),
        t.out(() => t.fs.readdirSync(t.p(`d${mode}`)).sort()),
        t.out(() => t.fs.statSync(t.p(`d${mode}`))),
        t.out(() => t.fs.statSync(t.p(`d${mode}/.`))),
        t.out(() => t.fs.statSync(t.p(`d${mode}/..`)).isDirectory()),
        t.out(() => t.fs.statSync(t.p(`d${mode}/f`))),
        t.out(() => t.fs.statSync(t.p(`d${mode}/nope`))),
        t.out(() => t.fs.existsSync(t.p(`d${mode}/f`))),
        t.out(() => t.fs.readFileSync(t.p(`d${mode}/sub/deep`), "latin1")),
        t.out(() => t.fs.realpathSync.native(t.p(`d${mode}/sub/deep`))),
        t.out(() => t.fs.statSync(t.p(`d${mode}/sub/../f`))),
        t.out(() => t.fs.writeFileSync(t.p(`d${mode}/new`), "x")),
        t.out(() => t.fs.mkdirSync(t.p(`d${mode}/newd`))),
        t.out(() => t.fs.symlinkSync("f", t.p(`d${mode}/newl`))),
        t.out(() => t.fs.renameSync(t.p(`d${mode}/f`), t.p(`d${mode}/g`))),
        t.out(() => t.fs.unlinkSync(t.p(`d${mode}/g`))),
        t.out(() => t.fs.rmdirSync(t.p(`d${mode}/newd`))),
      ]),
  })),
);

/** A chain of directories of which one may not be searched. */
const depths: Case[] = [0, 1, 2, 3, 4].map((depth) => ({
  name: `search permission is missing at depth ${depth}`,
  as: USER,
  setup: (t) => {
    t.fs.mkdirSync(t.p("d0/d1/d2/d3/d4"), { recursive: true });
    t.fs.writeFileSync(t.p("d0/d1/d2/d3/d4/f"), "x");
    t.fs.symlinkSync(t.p("d0/d1/d2/d3/d4/f"), t.p("l"));
    t.fs.symlinkSync("d0/d1/d2/d3/d4", t.p("ld"));
    const closed = "d0/d1/d2/d3/d4".split("/", depth + 1).join("/");
    t.fs.chmodSync(t.p(closed), 0o766);
  },
  run: (t) =>
    [
      "d0",
      "d0/d1",
      "d0/d1/d2",
      "d0/d1/d2/d3",
      "d0/d1/d2/d3/d4",
      "d0/d1/d2/d3/d4/f",
      "d0/d1/d2/d3/d4/nope",
      "d0/.",
      "d0/d1/d2/..",
      "d0/d1/d2/d3/../../f",
      "l",
      "ld",
      "ld/f",
      "ld/..",
      "ld/../d4/f",
    ].map((path) => [
      t.out(() => t.fs.statSync(t.p(path))),
      t.out(() => t.fs.lstatSync(t.p(path))),
      t.out(() => t.fs.accessSync(t.p(path), R_OK)),
      // The C library's realpath removes "." and ".." without a check whether the directory may be searched.
      /\/\./.test(path) || t.out(() => t.fs.realpathSync.native(t.p(path))),
      t.out(() => t.fs.readFileSync(t.p(path), "latin1")),
      t.out(() => t.fs.writeFileSync(t.p(path), "new")),
      t.out(() => t.fs.mkdirSync(t.p(path))),
      t.out(() => t.fs.unlinkSync(t.p(`${path}/x`))),
    ]),
}));

/** What unlink and rename need: rights on both directories and, where a directory is sticky, on the entry itself. */
const sticky: Case[] = Object.entries(USERS).flatMap(([user, as]) =>
  [0o1777, 0o777, 0o1755, 0o1775, 0o555].map((mode) => ({
    name: `${user} in a directory of mode ${modeName(mode)}`,
    as,
    setup: (t) => {
      t.tree({
        "s/": { uid: 1001, gid: 2000 },
        "s/mine": { data: "m", uid: 1000, gid: 1000 },
        "s/theirs": { data: "t", uid: 1001, gid: 1001 },
        "s/roots": { data: "r", mode: 0o666 },
        "s/moved": { data: "v", uid: 1000, gid: 1000 },
        "s/target": { data: "y", mode: 0o666 },
        "s/dir/": { uid: 1000, gid: 1000 },
        "s/rootdir/": null,
        "free/": 0o777,
        "free/f": { data: "f", mode: 0o666 },
        "free/own": { data: "o", uid: 1000, gid: 1000 },
      });
      t.fs.chmodSync(t.p("s"), mode);
    },
    run: (t) => [
      t.out(() => t.fs.renameSync(t.p("s/moved"), t.p("s/target"))),
      t.out(() => t.fs.renameSync(t.p("s/roots"), t.p("s/new"))),
      t.out(() => t.fs.renameSync(t.p("free/f"), t.p("s/theirs"))),
      t.out(() => t.fs.renameSync(t.p("free/own"), t.p("s/fresh"))),
      t.out(() => t.fs.unlinkSync(t.p("s/mine"))),
      t.out(() => t.fs.unlinkSync(t.p("s/theirs"))),
      t.out(() => t.fs.unlinkSync(t.p("s/roots"))),
      t.out(() => t.fs.rmdirSync(t.p("s/dir"))),
      t.out(() => t.fs.rmdirSync(t.p("s/rootdir"))),
      t.out(() => t.fs.mkdirSync(t.p("s/made"))),
      t.out(() => t.fs.unlinkSync(t.p("s/nope"))),
    ],
  })),
);

/** A move under another parent changes the ".." of a directory: that needs write permission on the directory. */
const moves: Case[] = [USER, OTHER, ROOT].flatMap((as) =>
  [0o755, 0o555, 0o777].map((mode) => ({
    name: `uid ${as.uid} moves a directory of mode ${modeName(mode)} to another parent`,
    as,
    setup: (t) =>
      t.tree({
        "a/": 0o777,
        "b/": 0o777,
        "a/d/": { mode, uid: 1000, gid: 1000 },
        "a/e/": { mode, uid: 1000, gid: 1000 },
      }),
    run: (t) => [
      t.out(() => t.fs.renameSync(t.p("a/e"), t.p("a/renamed"))),
      t.out(() => t.fs.renameSync(t.p("a/d"), t.p("b/d"))),
    ],
  })),
);

/** chmod, chown and utimes of the user's own file, of another user's and of root's, and their effect on the set-id bits. */
const changes: Case[] = Object.entries(USERS).flatMap(([user, as]) =>
  [
    { uid: 1000, gid: 1000 },
    { uid: 1000, gid: 2000 },
    { uid: 1001, gid: 1001 },
    { uid: 0, gid: 0 },
  ].flatMap(({ uid, gid }) =>
    [0o644, 0o666, 0o6755, 0o2644].map((mode) => ({
      name: `${user} changes ${uid}:${gid} of mode ${modeName(mode)}`,
      as,
      setup: (t) => {
        const file = { data: "text", mode, uid, gid };
        for (let n = 0; n < 12; n++) t.tree({ [`f${n}`]: file });
        t.tree({ "d/": { mode: mode | 0o100, uid, gid } });
      },
      run: (t) => [
        t.out(() => t.fs.chmodSync(t.p("f0"), 0o600)),
        t.out(() => t.fs.chmodSync(t.p("f1"), 0o2755)),
        t.out(() => t.fs.chmodSync(t.p("f2"), 0o4755)),
        t.out(() => t.fs.chmodSync(t.p("f3"), 0o1644)),
        t.out(() => t.fs.chownSync(t.p("f4"), 1000, 1000)),
        t.out(() => t.fs.chownSync(t.p("f5"), -1, 2000)),
        t.out(() => t.fs.chownSync(t.p("f6"), 1001, -1)),
        t.out(() => t.fs.chownSync(t.p("f7"), -1, -1)),
        t.out(() => t.fs.utimesSync(t.p("f8"), 1000, 2000)),
        t.out(() => t.fs.appendFileSync(t.p("f9"), "+")),
        t.out(() => t.fs.truncateSync(t.p("f10"), 1)),
        t.out(() => t.fs.closeSync(t.fs.openSync(t.p("f11"), "w"))),
        t.out(() => t.fs.chmodSync(t.p("d"), 0o2755)),
        t.out(() => t.fs.chownSync(t.p("d"), -1, 2001)),
        t.out(() => t.fs.utimesSync(t.p("d"), 1, 2)),
      ],
    })),
  ),
);

/** Owner, group and bits of what each user makes in a setgid directory. */
const setgid: Case[] = Object.entries(USERS).flatMap(([user, as]) =>
  [2000, 1000, 4000].map((gid) => ({
    name: `${user} makes things in a setgid directory of group ${gid}`,
    as,
    setup: (t) => t.tree({ "d/": { mode: 0o2777, uid: 5, gid } }),
    run: (t) => [
      t.out(() => t.fs.writeFileSync(t.p("d/f"), "")),
      t.out(() => t.fs.writeFileSync(t.p("d/x"), "", { mode: 0o2775 })),
      t.out(() => t.fs.closeSync(t.fs.openSync(t.p("d/y"), "wx", 0o6710))),
      t.out(() => t.fs.closeSync(t.fs.openSync(t.p("d/z"), "wx", 0o2644))),
      t.out(() => t.fs.mkdirSync(t.p("d/sub"))),
      t.out(() => t.fs.mkdirSync(t.p("d/sub/sub"), 0o700)),
      t.out(() => t.fs.symlinkSync("f", t.p("d/l"))),
      t.out(() => t.fs.chmodSync(t.p("d/f"), 0o2755)),
      t.out(() => t.fs.copyFileSync(t.p("d/x"), t.p("d/copy"))),
    ],
  })),
);

const others: Case[] = [
  {
    name: "files of an ordinary user belong to the user, with the umask applied",
    as: MEMBER,
    umask: 0o027,
    setup: (t) => t.fs.chmodSync(t.dir, 0o777),
    run: (t) => {
      t.fs.writeFileSync(t.p("f"), "x");
      t.fs.mkdirSync(t.p("d"));
      t.fs.symlinkSync("f", t.p("l"));
      t.fs.linkSync(t.p("f"), t.p("h"));
      return t.fs.statSync(t.p("f"));
    },
  },
  {
    name: "an open descriptor keeps its rights when the mode changes",
    as: USER,
    setup: (t) => {
      t.fs.chmodSync(t.dir, 0o777);
      t.tree({
        "d/": { mode: 0o755, uid: 1000, gid: 1000 },
        "d/f": { data: "hello", mode: 0o644, uid: 1000, gid: 1000 },
      });
    },
    run: (t) => {
      const fd = t.fs.openSync(t.p("d/f"), "r+");
      t.fs.chmodSync(t.p("d/f"), 0);
      t.fs.chmodSync(t.p("d"), 0);
      const results = [
        t.out(() => t.fs.readFileSync(fd, "latin1")),
        t.out(() => t.fs.writeSync(fd, "more")),
        t.out(() => t.fs.fstatSync(fd)),
        t.out(() => t.fs.openSync(t.p("d/f"))),
      ];
      t.fs.closeSync(fd);
      t.fs.chmodSync(t.p("d"), 0o755);
      return [...results, t.out(() => t.fs.openSync(t.p("d/f"))), t.out(() => t.fs.unlinkSync(t.p("d/f")))];
    },
  },
  {
    name: "the creator of a file can write to it whatever its mode",
    as: USER,
    setup: (t) => t.fs.chmodSync(t.dir, 0o777),
    run: (t) => {
      const fd = t.fs.openSync(t.p("f"), "wx", 0);
      const results = [t.fs.writeSync(fd, "x"), t.fs.fstatSync(fd)];
      t.fs.closeSync(fd);
      return [...results, t.out(() => t.fs.openSync(t.p("f"), "w")), t.out(() => t.fs.accessSync(t.p("f"), R_OK))];
    },
  },
  {
    name: "a link's own mode and owner do not matter, its target's do",
    as: USER,
    setup: (t) => {
      t.tree({
        secret: { data: "x", mode: 0o600 },
        open: { data: "y", mode: 0o644 },
        ls: ["secret"],
        lo: ["open"],
        "c/": 0o700,
        "c/f": "z",
        lc: ["c/f"],
      });
      t.fs.lchownSync(t.p("ls"), 1000, 1000);
    },
    run: (t) =>
      ["ls", "lo", "lc"].map((name) => [
        t.out(() => t.fs.readFileSync(t.p(name), "latin1")),
        t.out(() => t.fs.readlinkSync(t.p(name))),
        t.out(() => t.fs.lstatSync(t.p(name))),
        t.out(() => t.fs.statSync(t.p(name))),
        t.out(() => t.fs.lchownSync(t.p(name), 1000, 1000)),
        t.out(() => t.fs.lutimesSync(t.p(name), 1, 2)),
        t.out(() => t.fs.unlinkSync(t.p(name))),
      ]),
  },
  {
    name: "of several errors the kernel's comes first: missing, not a directory, no permission",
    as: USER,
    setup: (t) =>
      t.tree({ "closed/": 0o700, "closed/f": "x", f: { data: "x", mode: 0o600 }, "list/": 0o744, "list/f": "x" }),
    run: (t) =>
      [
        "closed/nope",
        "closed/f/x",
        "f/x",
        "nope/x",
        "closed/../f",
        "f/../closed",
        "list/nope",
        "list/f",
        "closed/",
        "f/",
        "closed/..",
      ].map((path) => [
        t.out(() => t.fs.statSync(t.p(path)).isDirectory()),
        t.out(() => t.fs.openSync(t.p(path), "wx")),
        t.out(() => t.fs.mkdirSync(t.p(path))),
        t.out(() => t.fs.rmdirSync(t.p(path))),
        t.out(() => t.fs.unlinkSync(t.p(path))),
        t.out(() => t.fs.renameSync(t.p(path), t.p("moved"))),
        t.out(() => t.fs.renameSync(t.p("nope"), t.p(path))),
        t.out(() => t.fs.chmodSync(t.p(path), 0o777)),
        t.out(() => t.fs.readlinkSync(t.p(path))),
      ]),
  },
  {
    name: "a directory that may not be written still reports existing names",
    as: USER,
    setup: (t) => t.tree({ f: { data: "x", mode: 0o644 }, "d/": 0o755, "e/": 0o755, l: ["f"] }),
    run: (t) => [
      t.out(() => t.fs.mkdirSync(t.p("d"))),
      t.out(() => t.fs.mkdirSync(t.p("f"))),
      t.out(() => t.fs.mkdirSync(t.p("nope"))),
      t.out(() => t.fs.symlinkSync("x", t.p("f"))),
      t.out(() => t.fs.symlinkSync("x", t.p("nope"))),
      t.out(() => t.fs.openSync(t.p("f"), "wx")),
      t.out(() => t.fs.openSync(t.p("nope"), "w")),
      t.out(() => t.fs.rmdirSync(t.p("f"))),
      t.out(() => t.fs.unlinkSync(t.p("d"))),
      t.out(() => t.fs.unlinkSync(t.p("nope"))),
      t.out(() => t.fs.renameSync(t.p("f"), t.p("f"))),
      t.out(() => t.fs.renameSync(t.p("f"), t.p("d"))),
      t.out(() => t.fs.renameSync(t.p("d"), t.p("d/x"))),
      t.out(() => t.fs.renameSync(t.p("nope"), t.p("x"))),
      t.out(() => t.fs.renameSync(t.p("d"), t.p("e"))),
      t.out(() => t.fs.rmdirSync(t.p("."))),
      t.out(() => t.fs.mkdtempSync(t.p("tmp-"))),
    ],
  },
  {
    name: "a recursive removal stops where permission ends",
    as: USER,
    only: ["code"],
    setup: (t) => {
      t.fs.chmodSync(t.dir, 0o777);
      t.tree({
        "mine/": { uid: 1000, gid: 1000 },
        "mine/f": { uid: 1000, gid: 1000 },
        "mine/roots/": 0o755,
        "mine/roots/f": "x",
      });
      t.tree({ "ok/": { uid: 1000, gid: 1000 }, "ok/f": { uid: 1000, gid: 1000 }, "ok/empty/": 0o755 });
    },
    run: (t) => [
      t.out(() => t.fs.rmSync(t.p("ok"), { recursive: true })),
      t.out(() => t.fs.rmSync(t.p("mine/roots"), { recursive: true, force: true })),
    ],
  },
  {
    name: "root reads and writes everything but executes nothing without an x bit",
    as: ROOT,
    setup: (t) =>
      t.tree({
        none: { data: "x", mode: 0, uid: 1000, gid: 1000 },
        other: { data: "x", mode: 0o001 },
        "d/": 0,
        "d/f": "x",
      }),
    run: (t) => [
      ...ACCESS.flatMap((want) => ["none", "other", "d"].map((name) => t.out(() => t.fs.accessSync(t.p(name), want)))),
      t.out(() => t.fs.readFileSync(t.p("d/f"), "latin1")),
      t.out(() => t.fs.readFileSync(t.p("none"), "latin1")),
    ],
  },
];

/** What lies in a sticky directory of OTHER that every user may write, and how USER opens it. */
const stickyOpens: Case[] = ["file", "link", "dangling", "own", "ownlink", "none"].flatMap((name) =>
  [O_CREAT | O_WRONLY, O_CREAT | O_WRONLY | O_NOFOLLOW, O_CREAT | O_EXCL | O_WRONLY, O_WRONLY | O_NOFOLLOW].flatMap(
    (flags) =>
      [0o1777, 0o1775, 0o777].map((mode) => ({
        name: `open flags 0${flags.toString(8)} of ${name} in a directory of mode 0${mode.toString(8)}`,
        as: USER,
        root: true,
        setup: (t: Tools) => {
          t.tree({
            target: { data: "t", mode: 0o666 },
            "s/": null,
            "s/file": { data: "", mode: 0o666, uid: 1002, gid: 1002 },
          });
          t.tree({ "s/own": { data: "", uid: 1000, gid: 1000 }, "s/link": ["../target"], "s/dangling": ["none"] });
          t.tree({ "s/ownlink": ["../target"] });
          for (const link of ["link", "dangling"]) t.fs.lchownSync(t.p(`s/${link}`), 1002, 1002);
          t.fs.lchownSync(t.p("s/ownlink"), 1000, 1000);
          t.fs.chownSync(t.p("s"), 1001, 1001);
          t.fs.chmodSync(t.p("s"), mode);
        },
        run: (t: Tools) => t.fs.closeSync(t.fs.openSync(t.p(`s/${name}`), flags)),
      })),
  ),
);

/** O_NOATIME is for the owner of a file and for those who may act as the owner. */
const noAtime: Case[] = Object.entries(USERS).map(([user, as]) => ({
  name: `O_NOATIME by ${user} on a file of uid 1000 and on one of uid 1001`,
  as,
  root: true,
  setup: (t) => t.tree({ a: { data: "", mode: 0o666, uid: 1000 }, b: { data: "", mode: 0o666, uid: 1001 } }),
  run: (t) => ["a", "b"].map((name) => t.out(() => t.fs.closeSync(t.fs.openSync(t.p(name), O_NOATIME)))),
}));

/** The access mode 3 asks for the permissions to read and to write, O_PATH for none. */
const unusual: Case[] = [0o600, 0o644, 0o622, 0o666, 0o600].map((mode, n) => ({
  name: `access mode 3, O_PATH and O_TMPFILE with mode 0${mode.toString(8)} (${n})`,
  as: USER,
  root: true,
  setup: (t) => {
    t.tree({ f: { data: "", mode }, "d/": null });
    t.fs.chmodSync(t.p("d"), mode | 0o111);
  },
  run: (t) =>
    [3, O_PATH]
      .map((flags) => t.out(() => t.fs.closeSync(t.fs.openSync(t.p("f"), flags))))
      .concat(t.out(() => t.fs.closeSync(t.fs.openSync(t.p("d"), O_TMPFILE | O_WRONLY)))),
}));

const cases: readonly Case[] = [
  ...ownership,
  ...depths,
  ...sticky,
  ...moves,
  ...changes,
  ...setgid,
  ...others,
  ...stickyOpens,
  ...noAtime,
  ...unusual,
];

export default cases;
