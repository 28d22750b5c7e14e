/** rename(2): everything onto everything, and what it does to links, counts and open descriptors. */
import type { Case, Tools } from "../support/case.js";

function fixture(t: Tools): void {
  t.tree({
    f: "hello",
    g: "other",
    h: { link: "f" },
    "d/": null,
    "d/f": "inner",
    "d/sub/": null,
    "d/sub/deep": "deep",
    "e/": null,
    "e/f": "second",
    "empty/": null,
    "void/": null,
    lf: ["f"],
    lg: ["f"],
    ld: ["d"],
    lempty: ["empty"],
    dang: ["missing"],
    self: ["self"],
  });
}

const NAMES =
  "f g h d e empty void lf lg ld lempty dang self nope d/f d/sub d/sub/deep d/sub/new nope/x f/x f/ nope/ d/ empty/ void/ lf/ ld/ lempty/ dang/ d/. d/sub/.. d/sub/../../f ld/f ld/new ld/../nope ld/sub/.. d/../d .";

const names = NAMES.split(" ");

/** Fewer than the rows: one name of those that behave alike. */
const TARGETS =
  "f h d e empty void lf lg ld lempty dang nope d/f d/sub d/sub/new nope/x f/x f/ nope/ d/ void/ lf/ ld/ dang/ d/. ld/f ld/../nope .".split(
    " ",
  );

const matrix: Case[] = names.flatMap((from) =>
  TARGETS.map((to) => ({
    name: `rename ${from} -> ${to}`,
    setup: fixture,
    run: (t) => t.fs.renameSync(t.p(from), t.p(to)),
  })),
);

const others: Case[] = [
  {
    name: "an open file keeps its contents when another takes its name",
    setup: fixture,
    run: (t) => {
      const fd = t.fs.openSync(t.p("g"), "r+");
      t.fs.renameSync(t.p("d/f"), t.p("g"));
      const results = [t.fs.fstatSync(fd), t.fs.readFileSync(fd, "latin1"), t.fs.readFileSync(t.p("g"), "latin1")];
      t.fs.closeSync(fd);
      return results;
    },
  },
  {
    name: "a write to an open file appears under its new name",
    setup: fixture,
    run: (t) => {
      const fd = t.fs.openSync(t.p("d/f"), "a");
      t.fs.renameSync(t.p("d"), t.p("moved"));
      t.fs.writeSync(fd, "+");
      t.fs.closeSync(fd);
      return t.fs.readFileSync(t.p("moved/f"), "latin1");
    },
  },
  {
    name: "rename keeps the inode",
    setup: fixture,
    run: (t) => {
      const before = [t.fs.statSync(t.p("f")).ino, t.fs.statSync(t.p("d")).ino, t.fs.lstatSync(t.p("lf")).ino];
      t.fs.renameSync(t.p("f"), t.p("d/f"));
      t.fs.renameSync(t.p("lf"), t.p("d/lf"));
      t.fs.renameSync(t.p("d"), t.p("e/d"));
      const now = [t.fs.statSync(t.p("e/d/f")).ino, t.fs.statSync(t.p("e/d")).ino, t.fs.lstatSync(t.p("e/d/lf")).ino];
      return before.map((ino, n) => ino === now[n]);
    },
  },
  {
    name: ".. of a moved directory is its new parent",
    setup: fixture,
    run: (t) => {
      t.fs.renameSync(t.p("d/sub"), t.p("e/sub"));
      return [
        t.fs.realpathSync.native(t.p("e/sub/..")),
        t.out(() => t.fs.statSync(t.p("e/sub/../sub/deep"))),
        t.out(() => t.fs.statSync(t.p("e/sub/../../d/sub"))),
        t.fs.statSync(t.p("e/sub/..")).ino === t.fs.statSync(t.p("e")).ino,
        [t.fs.statSync(t.p("d")).nlink, t.fs.statSync(t.p("e")).nlink],
      ];
    },
  },
  {
    name: "relative paths resolve from inside a moved directory",
    setup: fixture,
    cwd: "d/sub",
    run: (t) => {
      t.fs.renameSync(t.p("d"), t.p("e/d"));
      return [
        t.fs.readFileSync("deep", "latin1"),
        t.fs.readFileSync("../../f", "latin1"),
        t.fs.realpathSync.native("."),
      ];
    },
  },
  {
    name: "a renamed directory keeps its 300 entries",
    setup: (t) => {
      t.tree({ "many/": null, "to/": null });
      for (let n = 0; n < 300; n++) t.fs.writeFileSync(t.p(`many/entry-${n}`), "");
    },
    run: (t) => {
      t.fs.renameSync(t.p("many"), t.p("to/renamed"));
      return t.fs.readdirSync(t.p("to/renamed")).sort();
    },
  },
  {
    name: "a directory moves to and fro a hundred times",
    setup: fixture,
    run: (t) => {
      for (let n = 0; n < 100; n++) {
        t.fs.renameSync(t.p("d"), t.p("e/d"));
        t.fs.renameSync(t.p("e/d"), t.p("d"));
      }
      return [t.fs.statSync(t.p("e")), t.out(() => t.fs.statSync(t.p("e/d")))];
    },
  },
  {
    name: "a file's name can become longer and shorter",
    setup: (t) => t.tree({ a: "1" }),
    run: (t) => {
      let now = "a";
      for (const length of [255, 1, 24, 40, 41, 39, 255, 254, 2, 63, 64, 65]) {
        const next = "n".repeat(length);
        t.fs.renameSync(t.p(now), t.p(next));
        now = next;
      }
      return t.fs.readdirSync(t.dir);
    },
  },
  {
    name: "wrong arguments give the errors of node:fs",
    run: (t) => [
      t.out(() => t.unchecked.renameSync()),
      t.out(() => t.unchecked.renameSync(t.p("f"))),
      t.out(() => t.unchecked.renameSync(1, t.p("f"))),
      t.out(() => t.unchecked.renameSync(t.p("a\0b"), t.p("f"))),
      t.out(() => t.unchecked.renameSync(t.p("a"), t.p("f\0"))),
    ],
  },
];

const cases: readonly Case[] = [...matrix, ...others];

export default cases;
