/** Directories: make, remove, list, remove whole trees, make temporary ones; working directories, also removed ones. */
import { Buffer } from "node:buffer";
import type { Dir, Dirent } from "node:fs";
import { defined } from "../../../../cli/dist/support/defined.js";
import type { Case, Tools } from "../support/case.js";

function fixture(t: Tools): void {
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
function plain(t: Tools): void {
  fixture(t);
  t.fs.unlinkSync(t.p("d/up"));
  t.fs.unlinkSync(t.p("d/toe"));
}

type Entry = string | Buffer | Dirent<string | Buffer>;

const nameOf = (entry: Entry) => Buffer.from(typeof entry === "object" && "name" in entry ? entry.name : entry);

const byName = (entries: readonly Entry[]) =>
  [...entries].sort((a, b) => (Buffer.compare(nameOf(a), nameOf(b)) < 0 ? -1 : 1));

const MKDIR =
  "a a/b a/b/c d d/ d/f d/f/x d/sub d/new/er f f/ f/x ld ld/ ld/new ld/a/b ld/../new lf lf/x dang dang/ dang/x self self/x a//b/ ./a/./b a/../b d/../new d/sub/../new . empty/.";

const mkdirs: Case[] = MKDIR.split(" ").flatMap((path) => [
  { name: `mkdir ${path}`, setup: fixture, run: (t) => t.fs.mkdirSync(t.p(path)) },
  {
    name: `mkdir -p ${path}`,
    setup: fixture,
    only: ["code"],
    run: (t) => t.fs.mkdirSync(t.p(path), { recursive: true, mode: 0o710 }),
  },
]);

const relative: Case[] = ["a", "a/b", "./a", "../e/a/b", "f/../a", "", ".", "..", "/"].flatMap((path) => [
  { name: `mkdir of relative ${JSON.stringify(path)}`, setup: fixture, cwd: "d", run: (t) => t.fs.mkdirSync(path) },
  {
    name: `mkdir -p of relative ${JSON.stringify(path)}`,
    setup: fixture,
    cwd: "d",
    only: ["code"],
    run: (t) => t.fs.mkdirSync(path, { recursive: true }),
  },
]);

/** No path leads out of the case's directory: the trees that `rm` removes lie below it. */
const RM = "f d d/ ld lf dang dang/ self nope nope/ nope/x empty empty/ d/sub d/up d/toe ld/sub ld/../empty";
/** Node empties the target of such a link, or the directory, and then fails: see unit/node-fs/removal.test.ts. */
const RM_EMPTIED = "ld/ d/toe/ d/. d/sub/..";
const RM_SLASHED = "lf/ f/ f/. f/x self/";
const RM_OPTIONS = [
  undefined,
  { force: true },
  { recursive: true },
  { recursive: true, force: true },
  { recursive: false, force: false },
];

const removals: Case[] = `${RM} ${RM_SLASHED} ${RM_EMPTIED}`.split(" ").flatMap((path) =>
  RM_OPTIONS.filter((options) => !options?.recursive || !RM_EMPTIED.split(" ").includes(path)).map((options) => ({
    name: `rm ${path} ${JSON.stringify(options) ?? ""}`,
    setup: fixture,
    run: (t) => t.fs.rmSync(t.p(path), options),
  })),
);

const USER = { uid: 1001, gid: 1001, groups: [] };
const owned = { uid: 1001, gid: 1001 };

const refusedRemovals: Case[] = [{ recursive: true }, { recursive: true, force: true }].flatMap((options) => [
  {
    name: `rm ${JSON.stringify(options)} of a directory that may not be read`,
    as: USER,
    setup: (t) => t.tree({ "d/": { ...owned, mode: 0o300 }, "d/f": "" }),
    run: (t) => t.fs.rmSync(t.p("d"), options),
  },
  {
    name: `rm ${JSON.stringify(options)} of a tree with a directory that may not be written`,
    as: USER,
    setup: (t) => t.tree({ "p/": 0o777, "p/d/": owned, "p/d/locked/": 0o755, "p/d/locked/f": "" }),
    run: (t) => t.fs.rmSync(t.p("p/d"), options),
  },
  {
    name: `rm ${JSON.stringify(options)} below a directory that may not be searched`,
    as: USER,
    setup: (t) => t.tree({ "p/": 0o700, "p/f": "" }),
    run: (t) => t.fs.rmSync(t.p("p/f"), options),
  },
  {
    name: `rm ${JSON.stringify(options)} of a file in a directory that may not be written`,
    as: USER,
    setup: (t) => t.tree({ "p/": 0o755, "p/f": "" }),
    run: (t) => [t.out(() => t.fs.rmSync(t.p("p/f"), options)), t.out(() => t.fs.rmSync(Buffer.from(t.p("p/f"))))],
  },
]);

const RM_BAD_OPTIONS = [
  null,
  "x",
  5,
  [],
  { recursive: null },
  { recursive: 1 },
  { force: null },
  { force: undefined },
  { maxRetries: -1 },
  { maxRetries: undefined },
  { maxRetries: 1.5 },
  { maxRetries: 2 ** 32 },
  { retryDelay: -1 },
  { retryDelay: 2 ** 31 },
  { retryDelay: "x" },
];

const badRemovals: Case[] = RM_BAD_OPTIONS.map((options, i) => ({
  name: `rm and rmdir with wrong options ${i}: ${JSON.stringify(options)}`,
  setup: fixture,
  run: (t) => [
    t.out(() => t.unchecked.rmSync(t.p("empty"), options)),
    t.out(() => t.unchecked.rmSync(5, options)),
    t.out(() => t.unchecked.rmdirSync(t.p("empty"), options)),
    t.out(() => t.unchecked.rmdirSync(5, options)),
  ],
}));

const rmdirs: Case[] =
  "f d d/ ld ld/ lf dang self nope empty empty/ empty// empty/. empty/.. d/. d/.. d/sub/.. ld/sub/.. ."
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

const listings: Case[] = LISTING.flatMap((options) =>
  ["d", "ld", "empty", "f", "nope"].map((path) => ({
    name: `readdir ${path} with ${JSON.stringify(options)}`,
    setup: plain,
    run: (t) => {
      return byName(t.unchecked.readdirSync(t.p(path), options) as Entry[]);
    },
  })),
);

const OPENDIR_OPTIONS = [undefined, { encoding: "utf8" }, { bufferSize: 1 }, { bufferSize: 3 }, "utf8"];
const BAD_OPENDIR_OPTIONS = [{ bufferSize: 0 }, { bufferSize: "x" }];

const opendirs: Case[] = [...OPENDIR_OPTIONS, ...BAD_OPENDIR_OPTIONS].flatMap((options) =>
  // Not on wrong paths too: whether the option or the path is checked first is left open.
  (BAD_OPENDIR_OPTIONS.some((bad) => bad === options) ? ["d"] : ["d", "empty", "f", "nope"]).map((path) => ({
    name: `opendir ${path} with ${JSON.stringify(options)}`,
    setup: fixture,
    run: (t) => {
      const dir = t.unchecked.opendirSync(t.p(path), options) as Dir;
      const entries: Dirent[] = [];
      for (let entry = dir.readSync(); entry; entry = dir.readSync()) entries.push(entry);
      const results = [byName(entries), t.out(() => dir.readSync()), dir.path, dir.closeSync()];
      return [...results, t.out(() => dir.readSync()), t.out(() => dir.closeSync())];
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

/** What mkdtemp returned, without the six random characters; the directory is removed. */
function temporary(t: Tools, prefix: unknown, options?: unknown) {
  const made = t.unchecked.mkdtempSync(prefix, options) as string | Buffer;
  const text = made.toString();
  const { mode } = t.fs.statSync(text);
  t.fs.rmdirSync(text);
  return [Buffer.isBuffer(made), text.slice(0, -6), /^[A-Za-z0-9]{6}$/.test(text.slice(-6)), mode.toString(8)];
}

const temporaries: Case[] = [
  ...MKDTEMP.map(
    (prefix): Case => ({
      name: `mkdtemp ${prefix.length > 20 ? prefix.length : JSON.stringify(prefix)}`,
      setup: fixture,
      run: (t) => temporary(t, t.p(prefix)),
    }),
  ),
  ...["utf8", "buffer", { encoding: "buffer" }, "no-such"].map(
    (options): Case => ({
      name: `mkdtemp with ${JSON.stringify(options)}`,
      run: (t) => temporary(t, t.p("tmp-"), options),
    }),
  ),
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

const relatives: Case[] = RELATIVE.map((path) => ({
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

const others: Case[] = [
  {
    name: "every call from a removed working directory gives the kernel's result",
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
    name: "a working directory that is a link resolves to its target",
    setup: fixture,
    cwd: "ld",
    run: (t) => [t.fs.realpathSync.native("."), t.fs.readFileSync("../f", "latin1"), t.fs.readdirSync("..").sort()],
  },
  {
    name: "the link count of a directory follows its subdirectories",
    setup: fixture,
    run: (t) => {
      const counts = () => ["", "d", "e", "d/sub"].map((name) => t.fs.statSync(t.p(name)).nlink);
      const seen = [counts()];
      t.fs.mkdirSync(t.p("d/new"));
      seen.push(counts());
      t.fs.renameSync(t.p("d/new"), t.p("e/new"));
      seen.push(counts());
      t.fs.renameSync(t.p("e/new"), t.p("e/newer"));
      t.fs.renameSync(t.p("empty"), t.p("e/newer"));
      seen.push(counts());
      t.fs.rmdirSync(t.p("e/newer"));
      t.fs.symlinkSync("d", t.p("e/link"));
      seen.push(counts());
      return seen;
    },
  },
  {
    name: "a directory that is emptied and filled while it is listed shows each lasting entry once",
    setup: (t) => {
      t.fs.mkdirSync(t.p("d"));
      for (let n = 0; n < 400; n++) t.fs.writeFileSync(t.p(`d/${n}`), "");
    },
    run: (t) => {
      // Entries that stay throughout are listed exactly once; those that come or go may be listed or not.
      const dir = t.fs.opendirSync(t.p("d"), { bufferSize: 2 });
      const seen: string[] = [];
      for (let n = 0; n < 100; n++) seen.push(defined(dir.readSync(), `entry ${n}`).name);
      for (let n = 0; n < 400; n += 2) t.fs.unlinkSync(t.p(`d/${n}`));
      for (let n = 400; n < 500; n++) t.fs.writeFileSync(t.p(`d/${n}`), "");
      for (let entry = dir.readSync(); entry; entry = dir.readSync()) seen.push(entry.name);
      dir.closeSync();
      const stayed = seen.filter((name) => Number(name) % 2 === 1 && Number(name) < 400);
      return [stayed.length, new Set(stayed).size, new Set(seen).size === seen.length, seen.includes(".")];
    },
  },
  {
    name: "a directory lists a thousand entries with names of every length",
    run: (t) => {
      for (let n = 0; n < 1000; n++) t.fs.writeFileSync(t.p(`${n}`.padStart((n % 255) + 1, "-").slice(0, 255)), "");
      return t.fs.readdirSync(t.dir).sort();
    },
  },
  {
    name: "names of any bytes are listed unchanged",
    run: (t) => {
      const names = ["\xff\xfe", "caf\xe9", "\xc3\xa9", "\xed\xa0\x80", " ", "\t\n", "-rf", "...", "..a", "\\", "\x7f"];
      for (const name of names) t.fs.writeFileSync(Buffer.from(t.p(name), "latin1"), name);
      return [t.fs.readdirSync(t.dir, "buffer").sort(Buffer.compare), t.fs.readdirSync(t.dir).sort()];
    },
  },
  {
    name: "names that differ in case, in length or in the last byte are different names",
    run: (t) => {
      const names = ["a", "A", "aa", "ab", "a ", "á", "abcdefg", "abcdefgh", "abcdefghi", "abcdefgi", "zbcdefgh"];
      for (const name of names) t.fs.writeFileSync(t.p(name), name);
      return [...names, "b", "aA", "abcdefg ", "abcdefghij"].map((name) =>
        t.out(() => t.fs.readFileSync(t.p(name), "utf8")),
      );
    },
  },
  {
    name: "a removed name can be made again as another type of file",
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
    name: "a path goes 120 levels down and up again",
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
    name: "a tree can be deeper than the longest path",
    cwd: "",
    only: ["code"],
    run: (t) => {
      // 20 names of 250 bytes in two halves, which a rename joins: the whole path is longer than PATH_MAX.
      const name = "x".repeat(250);
      const half = Array.from({ length: 10 }, () => name).join("/");
      t.fs.mkdirSync(half, { recursive: true });
      t.fs.mkdirSync("other");
      t.fs.mkdirSync(`other/${half}`, { recursive: true });
      t.fs.renameSync(`other/${name}`, `${half}/moved`);
      const results = [t.out(() => t.fs.statSync(`${half}/moved/${half}`)), t.fs.readdirSync(`${half}/moved`)];
      // Taken apart again, so that the harness can list the directory.
      t.fs.renameSync(`${half}/moved`, `other/${name}`);
      t.fs.rmSync("other", { recursive: true });
      t.fs.rmSync(name, { recursive: true });
      return results;
    },
  },
  {
    name: "rm -r leaves the targets of links in the tree",
    setup: fixture,
    run: (t) => t.fs.rmSync(t.p("d"), { recursive: true }),
  },
  {
    name: "wrong arguments give the errors of node:fs",
    run: (t) => [
      t.out(() => t.unchecked.mkdirSync()),
      t.out(() => t.unchecked.mkdirSync(t.p("x"), { recursive: "yes" })),
      t.out(() => t.unchecked.mkdirSync(t.p("x\0y"))),
      t.out(() => t.unchecked.rmdirSync(5)),
      t.out(() => t.unchecked.rmSync(5)),
      t.out(() => t.unchecked.rmSync(t.p("x"), { force: "yes" })),
      t.out(() => t.unchecked.rmSync(t.p("x"), { recursive: 1 })),
      t.out(() => t.unchecked.readdirSync()),
      t.out(() => t.unchecked.opendirSync(null)),
    ],
  },
];

const cases: readonly Case[] = [
  ...mkdirs,
  ...relative,
  ...removals,
  ...refusedRemovals,
  ...badRemovals,
  ...rmdirs,
  ...listings,
  ...opendirs,
  ...temporaries,
  ...relatives,
  ...others,
];

export default cases;
