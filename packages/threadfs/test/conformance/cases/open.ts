/** open(2): flags by name and by number on every type of path, modes and umask, what a descriptor then allows. */
import { Buffer } from "node:buffer";
import nodeFs from "node:fs";
import type { Case, Tools } from "../support/case.js";
import { SELF } from "../support/targets.js";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW } = nodeFs.constants;
const { O_DIRECT, O_NOATIME } = nodeFs.constants;
/** Linux's numbers of what Node has no name for. The access mode 3 asks for both permissions and grants neither. */
const O_PATH = 0o10000000;
const O_TMPFILE = 0o20000000 | O_DIRECTORY;
const ACCESS_3 = 3;

function fixture(t: Tools): void {
  t.tree({
    f: "hello",
    "d/": null,
    "d/f": "inner",
    lf: ["f"],
    ld: ["d"],
    dang: ["made"],
    dangin: ["nodir/x"],
    dangdir: ["made/"],
    self: ["self"],
    dangdang: ["dang"],
  });
}

const NAMED_FLAGS = "r rs sr r+ rs+ sr+ w wx xw w+ wx+ xw+ a ax xa as sa a+ ax+ xa+ as+ sa+".split(" ");

const FLAGS: readonly (readonly [name: string, flags: string | number])[] = [
  ...NAMED_FLAGS.map((flags) => [flags, flags] as const),
  ["O_RDONLY|O_CREAT", O_RDONLY | O_CREAT],
  ["O_RDONLY|O_TRUNC", O_RDONLY | O_TRUNC],
  ["O_WRONLY", O_WRONLY],
  ["O_WRONLY|O_TRUNC", O_WRONLY | O_TRUNC],
  ["O_RDWR|O_APPEND", O_RDWR | O_APPEND],
  ["O_WRONLY|O_CREAT|O_EXCL", O_WRONLY | O_CREAT | O_EXCL],
  ["O_RDWR|O_CREAT|O_TRUNC", O_RDWR | O_CREAT | O_TRUNC],
  ["O_RDONLY|O_DIRECTORY", O_RDONLY | O_DIRECTORY],
  ["O_WRONLY|O_DIRECTORY", O_WRONLY | O_DIRECTORY],
  ["O_RDONLY|O_NOFOLLOW", O_RDONLY | O_NOFOLLOW],
  ["O_RDONLY|O_NOFOLLOW|O_DIRECTORY", O_RDONLY | O_NOFOLLOW | O_DIRECTORY],
  ["O_WRONLY|O_CREAT|O_NOFOLLOW", O_WRONLY | O_CREAT | O_NOFOLLOW],
  ["O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW],
  ["O_RDONLY|O_EXCL", O_RDONLY | O_EXCL],
  ["O_RDONLY|O_NOATIME", O_RDONLY | O_NOATIME],
  ["O_RDONLY|O_DIRECT", O_RDONLY | O_DIRECT],
  ["the access mode 3", ACCESS_3],
  ["the access mode 3|O_TRUNC", ACCESS_3 | O_TRUNC],
  ["the access mode 3|O_CREAT", ACCESS_3 | O_CREAT],
  ["O_PATH", O_PATH],
  ["O_PATH|O_NOFOLLOW", O_PATH | O_NOFOLLOW],
  ["O_PATH|O_DIRECTORY", O_PATH | O_DIRECTORY],
  ["O_PATH|O_RDWR|O_CREAT|O_TRUNC, all of which O_PATH overrides", O_PATH | O_RDWR | O_CREAT | O_TRUNC],
  ["O_TMPFILE|O_RDWR", O_TMPFILE | O_RDWR],
  ["O_TMPFILE|O_WRONLY|O_EXCL", O_TMPFILE | O_WRONLY | O_EXCL],
  ["O_TMPFILE|O_RDONLY", O_TMPFILE | O_RDONLY],
  ["O_TMPFILE|O_RDWR|O_CREAT", O_TMPFILE | O_RDWR | O_CREAT],
  ["O_TMPFILE without O_DIRECTORY", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR],
  ["O_CREAT|O_DIRECTORY", O_CREAT | O_DIRECTORY],
];

/** One byte more than a name may have. */
const LONG = "x".repeat(256);

const PATHS =
  "f d lf ld dang dangin dangdir dangdang self made made/ f/ lf/ ld/ d/ d/. d/.. d/made d/f/ d/f/x nope/x dang/ . ./ .."
    .split(" ")
    .filter((path) => path !== "..")
    .concat(LONG, `${LONG}/`, `${LONG}/x`, `d/${LONG}`);

/** The outcomes of every kind of call on a descriptor, from open to after close. */
function tryOut(t: Tools, path: string, flags: string | number) {
  const fd = t.fs.openSync(path, flags);
  const buffer = Buffer.alloc(8);
  return [
    t.out(() => [t.fs.readSync(fd, buffer, 0, 3, null), buffer]),
    t.out(() => t.fs.writeSync(fd, "XY")),
    t.out(() => t.fs.writeSync(fd, "Z", 0)),
    t.out(() => t.fs.ftruncateSync(fd, 7)),
    t.out(() => t.fs.fstatSync(fd)),
    t.out(() => t.fs.closeSync(fd)),
    t.out(() => t.fs.fstatSync(fd)),
  ];
}

const flagCases: Case[] = FLAGS.flatMap(([name, flags]) =>
  PATHS.map((path) => ({
    name: `open ${name} on ${JSON.stringify(path)}`,
    setup: fixture,
    run: (t) => tryOut(t, t.p(path), flags),
  })),
);

const BAD = ["z", "", "rw", "R", " r", "r ", null, {}, 1.5, "0", true, NaN, 2 ** 40];

const badCases: Case[] = BAD.map((flags) => ({
  name: `open with flags ${JSON.stringify(flags)} (${typeof flags})`,
  setup: fixture,
  run: (t) => t.fs.fstatSync(t.unchecked.openSync(t.p("f"), flags) as number),
}));

const MODES = [0o666, 0o777, 0o600, 0o400, 0, 0o4755, 0o2755, 0o1777, 0o7777, "644", "0755", "0o700"];
const UMASKS = [0, 0o022, 0o027, 0o077, 0o777];

const MAKERS: Readonly<Record<string, (t: Tools, mode: string | number) => void>> = {
  openSync: (t, mode) => t.fs.closeSync(t.fs.openSync(t.p("made"), "wx", mode)),
  mkdirSync: (t, mode) => {
    t.fs.mkdirSync(t.p("made"), mode);
  },
  "mkdirSync mode": (t, mode) => {
    t.fs.mkdirSync(t.p("made"), { mode });
  },
  writeFileSync: (t, mode) => t.unchecked.writeFileSync(t.p("made"), "x", { mode }),
  appendFileSync: (t, mode) => t.unchecked.appendFileSync(t.p("made"), "x", { mode }),
};

/** The mode is read and then reset: an ordinary user could not list some of the directories afterwards. */
const modeCases: Case[] = UMASKS.flatMap((umask) =>
  Object.entries(MAKERS).flatMap(([call, make]) =>
    MODES.map((mode) => ({
      name: `${call} mode ${typeof mode === "number" ? `0${mode.toString(8)}` : `"${mode}"`} umask 0${umask.toString(8)}`,
      umask,
      run: (t) => {
        make(t, mode);
        const { mode: got } = t.fs.statSync(t.p("made"));
        t.fs.chmodSync(t.p("made"), 0o755);
        return got.toString(8);
      },
    })),
  ),
);

const badModes: Case[] = [-1, 1.5, 2 ** 32, "9", "x", "", null, {}, true].flatMap((mode) => [
  {
    name: `open mode ${JSON.stringify(mode)} (${typeof mode})`,
    run: (t) => t.fs.fstatSync(t.unchecked.openSync(t.p("made"), "wx", mode) as number),
  },
  { name: `mkdir mode ${JSON.stringify(mode)} (${typeof mode})`, run: (t) => t.unchecked.mkdirSync(t.p("made"), mode) },
  { name: `chmod mode ${JSON.stringify(mode)} (${typeof mode})`, run: (t) => t.unchecked.chmodSync(t.dir, mode) },
]);

const others: Case[] = [
  {
    name: "an existing file keeps its mode when opened with O_CREAT",
    setup: fixture,
    run: (t) => t.fs.closeSync(t.fs.openSync(t.p("f"), "w", 0o600)),
  },
  {
    name: "two descriptors have two positions",
    setup: fixture,
    run: (t) => {
      const [one, two] = [t.fs.openSync(t.p("f")), t.fs.openSync(t.p("f"), "r")] as const;
      const buffer = Buffer.alloc(2);
      const read = [one, one, two, one].map((fd) => {
        const count = t.fs.readSync(fd, buffer);
        return buffer.toString("latin1", 0, count);
      });
      for (const fd of [one, two]) t.fs.closeSync(fd);
      return read;
    },
  },
  {
    name: "open returns the lowest free descriptor",
    setup: fixture,
    run: (t) => {
      const open = (name: string) => t.fs.openSync(t.p(name));
      const fds = [open("f"), open("f"), open("f"), open("f"), open("f")] as const;
      t.fs.closeSync(fds[1]);
      t.fs.closeSync(fds[3]);
      const again = [open("f"), open("d")] as const;
      const results = [again[0] === fds[1], again[1] === fds[3], new Set(fds).size];
      for (const fd of [fds[0], fds[2], fds[4], ...again]) t.fs.closeSync(fd);
      return results;
    },
  },
  {
    name: "O_TRUNC through a hard link empties both names",
    setup: (t) => t.tree({ f: "hello", h: { link: "f" } }),
    run: (t) => {
      const reader = t.fs.openSync(t.p("h"));
      t.fs.closeSync(t.fs.openSync(t.p("f"), "w"));
      const contents = t.fs.readFileSync(reader, "latin1");
      t.fs.closeSync(reader);
      return contents;
    },
  },
  {
    name: "a descriptor of a directory outlives its removal",
    setup: (t) => t.tree({ "d/": null }),
    run: (t) => {
      const fd = t.fs.openSync(t.p("d"));
      t.fs.rmdirSync(t.p("d"));
      const outcome = t.out(() => t.fs.fstatSync(fd));
      t.fs.closeSync(fd);
      return outcome;
    },
  },
];

/** Calls on a descriptor that names a file and can neither read nor change it. */
const byPath: Case[] = ["f", "d", "lf"].map((name) => ({
  name: `O_PATH on ${name}: what a descriptor is good for`,
  setup: fixture,
  run: (t) => {
    const fd = t.fs.openSync(t.p(name), O_PATH | O_NOFOLLOW);
    return [
      t.out(() => t.fs.fstatSync(fd)),
      t.out(() => t.fs.fchmodSync(fd, 0o600)),
      t.out(() => t.fs.fchownSync(fd, SELF.uid, SELF.gid)),
      t.out(() => t.fs.futimesSync(fd, 1, 2)),
      t.out(() => t.fs.fsyncSync(fd)),
      t.out(() => t.fs.fdatasyncSync(fd)),
      t.out(() => t.fs.ftruncateSync(fd, 1)),
      t.out(() => t.fs.readFileSync(fd)),
      t.out(() => t.fs.writeFileSync(fd, "x")),
      t.out(() => t.fs.closeSync(fd)),
    ];
  },
}));

const tmpfile: Case = {
  name: "O_TMPFILE makes a file without a name, which ends with its descriptor",
  setup: fixture,
  run: (t) => {
    const fd = t.fs.openSync(t.p("d"), O_TMPFILE | O_RDWR, 0o640);
    t.fs.writeSync(fd, "text");
    const seen = [t.fs.readdirSync(t.p("d")).sort(), t.fs.fstatSync(fd), t.fs.readFileSync(fd, "utf8")];
    const read = t.fs.readSync(fd, Buffer.alloc(9), 0, 9, 0);
    t.fs.closeSync(fd);
    return [seen, read];
  },
};

const longPath: Case = {
  name: "wrong flags are refused before a path that is too long",
  run: (t) =>
    [O_CREAT | O_DIRECTORY, O_CREAT | O_DIRECTORY | O_WRONLY, O_TMPFILE, O_RDONLY, O_CREAT].flatMap((flags) =>
      ["x".repeat(300), "x/".repeat(2100)].map((path) => t.out(() => t.fs.openSync(t.p(path), flags))),
    ),
};

const cases: readonly Case[] = [
  longPath,
  ...byPath,
  tmpfile,
  ...flagCases,
  ...badCases,
  ...modeCases,
  ...badModes,
  ...others,
];

export default cases;
