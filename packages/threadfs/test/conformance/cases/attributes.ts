/** chmod, chown, utimes: what they set, through links or on links, by path or by descriptor, with arguments in every form. */
import type { BigIntStats, Stats } from "node:fs";
import type { Case, Tools } from "../support/case.js";

const FILES = ["f", "d", "lf", "ld", "dang", "nope", "h"];

function fixture(t: Tools): void {
  t.tree({ f: "hello", h: { link: "f" }, "d/": null, lf: ["f"], ld: ["d"], dang: ["missing"], "d/f": "x" });
}

const MODES = [
  0,
  0o1,
  0o777,
  0o644,
  0o4755,
  0o2755,
  0o1777,
  0o6755,
  0o7777,
  0o100644,
  0o170000,
  0o10000,
  "644",
  "0755",
  "4755",
];

const chmods: Case[] = MODES.flatMap((mode) =>
  FILES.map((name) => ({
    name: `chmod ${typeof mode === "number" ? `0${mode.toString(8)}` : `"${mode}"`} ${name}`,
    setup: fixture,
    run: (t) => {
      const done = t.out(() => t.fs.chmodSync(t.p(name), mode));
      const got = t.out(() => t.fs.statSync(t.p(name)));
      // An ordinary user could not list a directory without read permission afterwards.
      t.fs.chmodSync(t.p("d"), 0o755);
      t.fs.chmodSync(t.p("f"), 0o644);
      return [done, got];
    },
  })),
);

const fchmods: Case[] = [0, 0o600, 0o4755, 0o1777, "0640", -1, 1.5, "x", undefined, 2 ** 32].flatMap((mode) =>
  ["f", "d"].map((name) => ({
    name: `fchmod ${JSON.stringify(mode)} ${name}`,
    setup: fixture,
    run: (t) => {
      const fd = t.fs.openSync(t.p(name), "r");
      const results = [t.out(() => t.unchecked.fchmodSync(fd, mode)), t.fs.fstatSync(fd)];
      t.fs.fchmodSync(fd, 0o755);
      t.fs.closeSync(fd);
      return results;
    },
  })),
);

const OWNERS = [
  [0, 0],
  [1000, 1000],
  [1000, -1],
  [-1, 1000],
  [-1, -1],
  [65534, 65535],
  [2 ** 31, 2 ** 32 - 2],
  [2 ** 32 - 1, 5],
] as const;

const chowns: Case[] = OWNERS.flatMap(([uid, gid]) =>
  FILES.flatMap((name) => [
    {
      name: `chown ${uid}:${gid} ${name}`,
      root: true,
      setup: fixture,
      run: (t) => [t.out(() => t.fs.chownSync(t.p(name), uid, gid)), t.out(() => t.fs.statSync(t.p(name)))],
    },
    {
      name: `lchown ${uid}:${gid} ${name}`,
      root: true,
      setup: fixture,
      run: (t) => [t.out(() => t.fs.lchownSync(t.p(name), uid, gid)), t.out(() => t.fs.lstatSync(t.p(name)))],
    },
  ]),
);

/** The directory takes only modes with which an ordinary user can list it afterwards. */
const setIds: Case[] = [0o4755, 0o2755, 0o6755, 0o6711, 0o2644, 0o6644, 0o6777].flatMap((mode) =>
  (mode & 0o100 ? ["f", "d"] : ["f"]).flatMap((name) => [
    {
      name: `chown by root of ${name} with mode 0${mode.toString(8)}`,
      root: true,
      setup: (t) => {
        fixture(t);
        t.fs.chmodSync(t.p(name), mode);
      },
      run: (t) => t.fs.chownSync(t.p(name), 1000, 1000),
    },
    {
      name: `writing and truncating ${name} with mode 0${mode.toString(8)}`,
      setup: (t) => {
        fixture(t);
        t.fs.chmodSync(t.p(name), mode);
      },
      run: (t) => [
        t.out(() => t.fs.appendFileSync(t.p(name), "x")),
        t.fs.statSync(t.p(name)),
        t.out(() => t.fs.truncateSync(t.p(name), 1)),
        t.fs.statSync(t.p(name)),
      ],
    },
  ]),
);

const setgidDirectory: Case[] = [
  {
    name: "files and directories made in a setgid directory get its group",
    root: true,
    setup: (t) => t.tree({ "d/": { mode: 0o2775, uid: 5, gid: 77 } }),
    run: (t) => {
      t.fs.writeFileSync(t.p("d/f"), "");
      t.fs.mkdirSync(t.p("d/sub"));
      t.fs.mkdirSync(t.p("d/sub/sub"), 0o700);
      t.fs.symlinkSync("f", t.p("d/l"));
      t.fs.writeFileSync(t.p("d/exec"), "", { mode: 0o2755 });
      t.fs.linkSync(t.p("d/f"), t.p("h"));
      t.fs.renameSync(t.p("d/exec"), t.p("exec"));
      t.fs.mkdirSync(t.p("plain"));
      t.fs.renameSync(t.p("plain"), t.p("d/plain"));
    },
  },
];

const TIMES = [
  0,
  1,
  1.5,
  1000.123,
  1e9 + 0.123456,
  4e9,
  8e9,
  -1,
  -1.5,
  -0.001,
  "12",
  "1.25",
  "x",
  "",
  NaN,
  Infinity,
  null,
  undefined,
  {},
  true,
  5n,
  new Date(1234),
  new Date(-1500),
  new Date(1.7e12),
];
const shown = (time: unknown) => (time instanceof Date ? `Date ${time.getTime()}` : `${typeof time} ${String(time)}`);

/** Node takes negative and infinite numbers for the present. */
const unlessNow = (time: number) => (Math.abs(time - Date.now()) < 60_000 ? "now" : time);

const timesOf = (stat: Stats) =>
  [stat.atimeMs, stat.mtimeMs, stat.atime.getTime(), stat.mtime.getTime()].map(unlessNow);

const utimes: Case[] = TIMES.flatMap((time) => [
  {
    name: `utimes ${shown(time)}`,
    setup: fixture,
    run: (t) => {
      t.unchecked.utimesSync(t.p("lf"), time, 2000);
      t.unchecked.utimesSync(t.p("d"), 3000, time);
      return [
        timesOf(t.fs.statSync(t.p("f"))),
        timesOf(t.fs.statSync(t.p("d"))),
        t.fs.lstatSync(t.p("lf")).mtimeMs > 1e10,
      ];
    },
  },
  {
    name: `lutimes ${shown(time)}`,
    setup: fixture,
    run: (t) => {
      t.unchecked.lutimesSync(t.p("lf"), time, 2000);
      t.unchecked.lutimesSync(t.p("dang"), 3000, time);
      t.unchecked.lutimesSync(t.p("f"), 4000, time);
      return ["lf", "dang", "f"].map((name) => timesOf(t.fs.lstatSync(t.p(name))));
    },
  },
]);

/** Without the dates, which are fields in Node 20 and accessors later. */
const fieldTypes = (stat: Stats | BigIntStats) =>
  Object.entries(stat)
    .filter(([, value]) => !(value instanceof Date))
    .map(([key, value]) => `${key} ${typeof value}`);

const bigints: Case[] = ["f", "d", "lf"].flatMap((name) =>
  (["statSync", "lstatSync"] as const).map((call) => ({
    name: `${call} with bigint of ${name}`,
    setup: (t) => {
      fixture(t);
      t.fs.utimesSync(t.p("f"), 1.25, 2.5);
      t.fs.utimesSync(t.p("d"), 3.75, 4.125);
      t.fs.lutimesSync(t.p("lf"), 5.5, 6.5);
    },
    run: (t) => {
      const stat = t.fs[call](t.p(name), { bigint: true });
      const plain = t.fs[call](t.p(name), { bigint: false });
      return [
        stat,
        [stat.atimeMs, stat.mtimeMs, stat.atimeNs, stat.mtimeNs],
        fieldTypes(stat),
        fieldTypes(plain),
        stat.ino === BigInt(plain.ino) && stat.dev === BigInt(plain.dev),
        Object.prototype.toString.call(stat),
        [stat.constructor.name, plain.constructor.name],
      ];
    },
  })),
);

const others: Case[] = [
  {
    name: "stat of one file under two names and through a link gives one inode",
    setup: fixture,
    run: (t) => {
      const inode = (name: string) => t.fs.statSync(t.p(name)).ino;
      return [
        inode("f") === inode("h"),
        inode("f") === inode("lf"),
        inode("d") === inode("ld"),
        inode("f") === inode("d"),
      ];
    },
  },
  {
    name: "fstat returns what stat returns",
    setup: fixture,
    run: (t) => {
      const fd = t.fs.openSync(t.p("lf"));
      const [one, two] = [t.fs.fstatSync(fd, { bigint: true }), t.fs.statSync(t.p("f"), { bigint: true })];
      t.fs.closeSync(fd);
      const keys = ["ino", "dev", "mode", "nlink", "size", "mtimeNs", "ctimeNs", "birthtimeNs"] as const;
      return keys.map((key) => one[key] === two[key]);
    },
  },
  {
    name: "wrong arguments give the errors of node:fs",
    setup: fixture,
    run: (t) => [
      t.out(() => t.unchecked.chownSync(t.p("f"))),
      t.out(() => t.unchecked.chownSync(t.p("f"), "0", 0)),
      t.out(() => t.unchecked.chownSync(t.p("f"), 0, 1.5)),
      t.out(() => t.unchecked.chownSync(t.p("f"), -2, 0)),
      t.out(() => t.unchecked.chownSync(t.p("f"), 0, 2 ** 32)),
      t.out(() => t.unchecked.lchownSync(t.p("f"), null, 0)),
      t.out(() => t.unchecked.chmodSync(t.p("f"))),
      t.out(() => t.unchecked.utimesSync(t.p("f"))),
      t.out(() => t.unchecked.utimesSync(t.p("f\0"), 1, 1)),
      t.out(() => t.unchecked.accessSync(t.p("f"), 8)),
      t.out(() => t.unchecked.accessSync(t.p("f"), "r")),
      t.out(() => t.unchecked.accessSync(t.p("f"), -1)),
      t.out(() => t.unchecked.accessSync(t.p("f"), 1.5)),
      t.out(() => t.unchecked.accessSync(t.p("f"), null)),
      t.out(() => t.unchecked.statSync()),
      t.out(() => t.unchecked.existsSync()),
    ],
  },
];

const cases: readonly Case[] = [
  ...chmods,
  ...fchmods,
  ...chowns,
  ...setIds,
  ...setgidDirectory,
  ...utimes,
  ...bigints,
  ...others,
];

export default cases;
