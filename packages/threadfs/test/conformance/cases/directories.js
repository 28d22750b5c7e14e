/** Directories: make, remove, list, remove whole trees, temporary ones; working directories and those that are gone. */
import { Buffer } from "node:buffer";

function fixture(t) {
  t.tree({
    f: "hello",
    "d/": null,
    "d/f": "inner",
    "d/sub/": null,
    "d/sub/deep": "deep",
    "d/up": [".."],
    "d/toe": ["../e"],
    "e/": null,
    "e/kept": "kept",
    "empty/": null,
    lf: ["f"],
    ld: ["d"],
    dang: ["missing"],
    self: ["self"],
  });
}

/** Without links to directories: versions of Node differ in whether a recursive listing goes through them. */
function plain(t) {
  fixture(t);
  t.fs.unlinkSync(t.p("d/up"));
  t.fs.unlinkSync(t.p("d/toe"));
}

const byName = (entries) =>
  [...entries].sort((a, b) => (Buffer.compare(Buffer.from(a.name ?? a), Buffer.from(b.name ?? b)) < 0 ? -1 : 1));

const MKDIR =
  "a a/b a/b/c d d/ d/f d/f/x d/sub d/new/er f f/ f/x ld ld/ ld/new ld/a/b ld/../new lf lf/x dang dang/ dang/x self self/x a//b/ ./a/./b a/../b d/../new d/sub/../new . empty/.";

const mkdirs = MKDIR.split(" ").flatMap((path) => [
  { name: `mkdir ${path}`, setup: fixture, run: (t) => t.fs.mkdirSync(t.p(path)) },
  {
    name: `mkdir -p ${path}`,
    setup: fixture,
    only: ["code"],
    run: (t) => t.fs.mkdirSync(t.p(path), { recursive: true, mode: 0o710 }),
  },
]);

const relative = ["a", "a/b", "./a", "../e/a/b", "f/../a", "", ".", "..", "/"].flatMap((path) => [
  { name: `mkdir of relative ${JSON.stringify(path)}`, setup: fixture, cwd: "d", run: (t) => t.fs.mkdirSync(path) },
  {
    name: `mkdir -p of relative ${JSON.stringify(path)}`,
    setup: fixture,
    cwd: "d",
    only: ["code"],
    run: (t) => t.fs.mkdirSync(path, { recursive: true }),
  },
]);

/** The trees that `rm` takes away stay below the case's directory: no path here leads out of it. */
const RM = "f d d/ ld lf dang dang/ self nope nope/ nope/x empty empty/ d/sub d/up d/toe ld/sub ld/../empty";
/** What a recursive removal does with these differs among versions of Node. */
const RM_SLASHED = "ld/ lf/ f/ f/x d/toe/";
const RM_OPTIONS = [
  undefined,
  { force: true },
  { recursive: true },
  { recursive: true, force: true },
  { recursive: false, force: false },
];

const removals = [...RM.split(" "), ...RM_SLASHED.split(" ")].flatMap((path) =>
  RM_OPTIONS.filter((options) => !options?.recursive || RM.split(" ").includes(path)).map((options) => ({
    name: `rm ${path} ${JSON.stringify(options) ?? ""}`,
    setup: fixture,
    only: ["code"],
    run: (t) => t.fs.rmSync(t.p(path), options),
  })),
);

const rmdirs = "f d d/ ld ld/ lf dang self nope empty empty/ empty// empty/. empty/.. d/. d/.. d/sub/.. ld/sub/.. ."
  .split(" ")
  .map((path) => ({ name: `rmdir ${path}`, setup: fixture, run: (t) => t.fs.rmdirSync(t.p(path)) }));

const LISTING = [
  undefined,
  null,
  {},
  "utf8",
  "latin1",
  "hex",
  "buffer",
  "no-such",
  { encoding: "buffer" },
  { encoding: "base64" },
  { withFileTypes: true },
  { withFileTypes: false },
  { withFileTypes: true, encoding: "latin1" },
  { recursive: true },
  { recursive: false },
  { recursive: true, withFileTypes: true },
  { encoding: "no-such" },
  5,
  { recursive: "yes" },
];

const listings = LISTING.flatMap((options) =>
  ["d", "ld", "empty", "f", "nope"].map((path) => ({
    name: `readdir ${path} with ${JSON.stringify(options)}`,
    setup: plain,
    run: (t) => {
      const list = t.fs.readdirSync(t.p(path), options);
      return options === "buffer" || options?.encoding === "buffer" ? list.sort(Buffer.compare) : byName(list);
    },
  })),
);

const opendirs = [
  undefined,
  { encoding: "utf8" },
  { bufferSize: 1 },
  { bufferSize: 3 },
  { bufferSize: 0 },
  { bufferSize: "x" },
  "utf8",
].flatMap((options) =>
  // Which comes first, a bad option or a bad path, is not worth a rule.
  (options?.bufferSize === 0 || options?.bufferSize === "x" ? ["d"] : ["d", "empty", "f", "nope"]).map((path) => ({
    name: `opendir ${path} with ${JSON.stringify(options)}`,
    setup: fixture,
    run: (t) => {
      const dir = t.fs.opendirSync(t.p(path), options);
      const entries = [];
      for (let entry = dir.readSync(); entry; entry = dir.readSync()) entries.push(entry);
      const told = [byName(entries), t.out(() => dir.readSync()), dir.path, dir.closeSync()];
      return [...told, t.out(() => dir.readSync()), t.out(() => dir.closeSync())];
    },
  })),
);

const MKDTEMP = [
  "tmp-",
  "",
  "d/",
  "d/x",
  "nope/x",
  "f/x",
  "ld/x",
  "dang/x",
  "ünï-",
  "a\0b",
  "n".repeat(249),
  "n".repeat(250),
];

/** The six random characters are taken off the answer, and the directory away. */
function temporary(t, prefix, options) {
  const made = t.fs.mkdtempSync(prefix, options);
  const text = Buffer.isBuffer(made) ? made.toString() : made;
  const { mode } = t.fs.statSync(text);
  t.fs.rmdirSync(text);
  return [Buffer.isBuffer(made), text.slice(0, -6), /^[A-Za-z0-9]{6}$/.test(text.slice(-6)), mode.toString(8)];
}

const temporaries = [
  ...MKDTEMP.map((prefix) => ({
    name: `mkdtemp ${prefix.length > 20 ? prefix.length : JSON.stringify(prefix)}`,
    setup: fixture,
    run: (t) => temporary(t, t.p(prefix)),
  })),
  ...["utf8", "buffer", { encoding: "buffer" }, "no-such"].map((options) => ({
    name: `mkdtemp with ${JSON.stringify(options)}`,
    run: (t) => temporary(t, t.p("tmp-"), options),
  })),
  { name: "mkdtemp of a Buffer", run: (t) => temporary(t, Buffer.from(t.p("tmp-"))) },
  { name: "mkdtemp of a number", run: (t) => temporary(t, 5) },
  { name: "mkdtemp with the umask in its way", umask: 0o277, run: (t) => temporary(t, t.p("tmp-")) },
  { name: "mkdtemp relative", cwd: "", run: (t) => temporary(t, "tmp-") },
];

const RELATIVE = [
  "",
  ".",
  "./",
  "..",
  "../",
  "f",
  "sub",
  "sub/..",
  "../f",
  "../ld/f",
  "up/f",
  "../d/sub/deep",
  "nope",
  "toe/kept",
];

const relatives = RELATIVE.map((path) => ({
  name: `relative ${JSON.stringify(path)} from a working directory`,
  setup: fixture,
  cwd: "d",
  run: (t) => [
    t.out(() => t.fs.statSync(path)),
    t.out(() => t.fs.lstatSync(path)),
    t.out(() => t.fs.realpathSync.native(path)),
    t.out(() => t.fs.existsSync(path)),
    t.out(() => t.fs.accessSync(path)),
    t.out(() => t.fs.readFileSync(path, "latin1")),
    t.out(() => t.fs.readlinkSync(path)),
  ],
}));

const others = [
  {
    name: "the working directory removed under one's feet",
    setup: (t) => t.tree({ "gone/": null, f: "x" }),
    cwd: "gone",
    run: (t) => {
      t.fs.rmdirSync(t.p("gone"));
      return [
        t.out(() => t.fs.statSync(".")),
        t.out(() => t.fs.readdirSync(".")),
        t.out(() => t.fs.existsSync("f")),
        t.out(() => t.fs.writeFileSync("f", "x")),
        t.out(() => t.fs.mkdirSync("d")),
        t.out(() => t.fs.symlinkSync("f", "l")),
        t.out(() => t.fs.linkSync(t.p("f"), "l")),
        t.out(() => t.fs.renameSync(t.p("f"), "f")),
        t.out(() => t.fs.realpathSync.native(".")),
        t.out(() => t.fs.readFileSync("../f", "latin1")),
        t.out(() => t.fs.rmdirSync("../gone")),
        t.out(() => t.fs.rmdirSync(".")),
      ];
    },
  },
  {
    name: "through a working directory that is a link",
    setup: fixture,
    cwd: "ld",
    run: (t) => [t.fs.realpathSync.native("."), t.fs.readFileSync("../f", "latin1"), t.fs.readdirSync("..").sort()],
  },
  {
    name: "link counts of directories",
    setup: fixture,
    run: (t) => {
      const counts = () => ["", "d", "e", "d/sub"].map((name) => t.fs.statSync(t.p(name)).nlink);
      const told = [counts()];
      t.fs.mkdirSync(t.p("d/new"));
      told.push(counts());
      t.fs.renameSync(t.p("d/new"), t.p("e/new"));
      told.push(counts());
      t.fs.renameSync(t.p("e/new"), t.p("e/newer"));
      t.fs.renameSync(t.p("empty"), t.p("e/newer"));
      told.push(counts());
      t.fs.rmdirSync(t.p("e/newer"));
      t.fs.symlinkSync("d", t.p("e/link"));
      told.push(counts());
      return told;
    },
  },
  {
    name: "a directory being listed while it is emptied and filled",
    setup: (t) => {
      t.fs.mkdirSync(t.p("d"));
      for (let n = 0; n < 400; n++) t.fs.writeFileSync(t.p(`d/${n}`), "");
    },
    run: (t) => {
      // Entries that stay throughout are told exactly once; those that come or go may be told or not.
      const dir = t.fs.opendirSync(t.p("d"), { bufferSize: 2 });
      const seen = [];
      for (let n = 0; n < 100; n++) seen.push(dir.readSync().name);
      for (let n = 0; n < 400; n += 2) t.fs.unlinkSync(t.p(`d/${n}`));
      for (let n = 400; n < 500; n++) t.fs.writeFileSync(t.p(`d/${n}`), "");
      for (let entry = dir.readSync(); entry; entry = dir.readSync()) seen.push(entry.name);
      dir.closeSync();
      const stayed = seen.filter((name) => Number(name) % 2 === 1 && Number(name) < 400);
      return [stayed.length, new Set(stayed).size, new Set(seen).size === seen.length, seen.includes(".")];
    },
  },
  {
    name: "a thousand entries, with names of every length",
    run: (t) => {
      for (let n = 0; n < 1000; n++) t.fs.writeFileSync(t.p(`${n}`.padStart((n % 255) + 1, "-").slice(0, 255)), "");
      return t.fs.readdirSync(t.dir).sort();
    },
  },
  {
    name: "names in any bytes come back as they are",
    run: (t) => {
      const names = ["\xff\xfe", "caf\xe9", "\xc3\xa9", "\xed\xa0\x80", " ", "\t\n", "-rf", "...", "..a", "\\", "\x7f"];
      for (const name of names) t.fs.writeFileSync(Buffer.from(t.p(name), "latin1"), name);
      return [t.fs.readdirSync(t.dir, "buffer").sort(Buffer.compare), t.fs.readdirSync(t.dir).sort()];
    },
  },
  {
    name: "names that differ in case, in length, in the last byte",
    run: (t) => {
      const names = ["a", "A", "aa", "ab", "a ", "á", "abcdefg", "abcdefgh", "abcdefghi", "abcdefgi", "zbcdefgh"];
      for (const name of names) t.fs.writeFileSync(t.p(name), name);
      return [...names, "b", "aA", "abcdefg ", "abcdefghij"].map((name) =>
        t.out(() => t.fs.readFileSync(t.p(name), "utf8")),
      );
    },
  },
  {
    name: "a removed name may be made again as another kind",
    run: (t) => {
      t.fs.writeFileSync(t.p("n"), "file");
      t.fs.unlinkSync(t.p("n"));
      t.fs.mkdirSync(t.p("n"));
      t.fs.writeFileSync(t.p("n/inner"), "");
      t.fs.unlinkSync(t.p("n/inner"));
      t.fs.rmdirSync(t.p("n"));
      t.fs.symlinkSync("x", t.p("n"));
      return t.fs.readlinkSync(t.p("n"));
    },
  },
  {
    name: "a deep tree and its way down and up",
    run: (t) => {
      const deep = Array.from({ length: 120 }, (_, n) => `level${n}`).join("/");
      t.fs.mkdirSync(t.p(deep), { recursive: true });
      t.fs.writeFileSync(t.p(`${deep}/bottom`), "x");
      const up = "/..".repeat(120);
      return [
        t.fs.realpathSync.native(t.p(`${deep}/bottom`)),
        t.fs.statSync(t.p(deep + up)).ino === t.fs.statSync(t.dir).ino,
        t.fs.readFileSync(t.p(`${deep}${up}/${deep}/bottom`), "latin1"),
        t.fs.rmSync(t.p("level0"), { recursive: true }),
      ];
    },
  },
  {
    name: "a tree deeper than any path",
    cwd: "",
    only: ["code"],
    run: (t) => {
      // 20 names of 250 bytes, made step by step from the middle: the path as a whole is longer than PATH_MAX.
      const name = "x".repeat(250);
      const half = Array.from({ length: 10 }, () => name).join("/");
      t.fs.mkdirSync(half, { recursive: true });
      t.fs.mkdirSync("other");
      t.fs.mkdirSync(`other/${half}`, { recursive: true });
      t.fs.renameSync(`other/${name}`, `${half}/moved`);
      const told = [t.out(() => t.fs.statSync(`${half}/moved/${half}`)), t.fs.readdirSync(`${half}/moved`)];
      // Taken apart again, so that the picture can be made.
      t.fs.renameSync(`${half}/moved`, `other/${name}`);
      t.fs.rmSync("other", { recursive: true });
      t.fs.rmSync(name, { recursive: true });
      return told;
    },
  },
  {
    name: "rm -r leaves what links in the tree point to",
    setup: fixture,
    run: (t) => t.fs.rmSync(t.p("d"), { recursive: true }),
  },
  {
    name: "argument errors",
    run: (t) => [
      t.out(() => t.fs.mkdirSync()),
      t.out(() => t.fs.mkdirSync(t.p("x"), { recursive: "yes" })),
      t.out(() => t.fs.mkdirSync(t.p("x\0y"))),
      t.out(() => t.fs.rmdirSync(5)),
      t.out(() => t.fs.rmSync(5)),
      t.out(() => t.fs.rmSync(t.p("x"), { force: "yes" })),
      t.out(() => t.fs.rmSync(t.p("x"), { recursive: 1 })),
      t.out(() => t.fs.readdirSync()),
      t.out(() => t.fs.opendirSync(null)),
    ],
  },
];

export default [
  ...mkdirs,
  ...relative,
  ...removals,
  ...rmdirs,
  ...listings,
  ...opendirs,
  ...temporaries,
  ...relatives,
  ...others,
];
