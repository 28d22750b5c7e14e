/** link, symlink, readlink, unlink: who is linked, counted and followed. */
import { Buffer } from "node:buffer";

function fixture(t) {
  t.tree({
    f: "hello",
    g: "other",
    h: { link: "f" },
    "d/": null,
    "d/f": "inner",
    "empty/": null,
    lf: ["f"],
    ld: ["d"],
    dang: ["missing"],
    self: ["self"],
  });
}

const FROM = "f h d lf ld dang self nope f/ lf/ d/ d/f d/. f/x nope/x ld/f".split(" ");
const TO =
  "made g h d lf ld dang self made/ d/made d/f nope/made f/made f/ d/ d/. ld/made ld/ ld/../made dang/ .".split(" ");

const matrix = FROM.flatMap((from) =>
  TO.map((to) => ({
    name: `link ${from} -> ${to}`,
    setup: fixture,
    run: (t) => t.fs.linkSync(t.p(from), t.p(to)),
  })),
);

const BODIES = [
  "f",
  "./f",
  "a//b///c/",
  "..",
  "/",
  ".",
  "ünï☃",
  "\ud800",
  "x".repeat(256),
  "y/".repeat(500),
  "z".repeat(4095),
  "z".repeat(4096),
  "",
  "a\0b",
  Buffer.from("f"),
  Buffer.from([0x66, 0xff, 0xfe]),
  undefined,
  7,
];

const shown = (body) => {
  const text = typeof body === "object" ? `Buffer ${body.toString("hex")}` : `${JSON.stringify(body)}`;
  return text.length > 40 ? `${text.slice(0, 12)}..${body.length}` : text;
};

const bodies = BODIES.map((body) => ({
  name: `symlink body ${shown(body)}`,
  setup: fixture,
  run: (t) => {
    const made = t.out(() => t.fs.symlinkSync(body, t.p("made")));
    return [
      made,
      t.out(() => t.fs.readlinkSync(t.p("made"))),
      t.out(() => t.fs.readlinkSync(t.p("made"), "buffer")),
      t.out(() => t.fs.readlinkSync(t.p("made"), { encoding: "hex" })),
      t.out(() => t.fs.lstatSync(t.p("made"))),
      t.out(() => t.fs.statSync(t.p("made")).isDirectory()),
    ];
  },
}));

const others = [
  {
    name: "symlink types that only Windows knows",
    setup: fixture,
    run: (t) =>
      ["file", "dir", "junction", null, undefined].map((type, n) =>
        t.out(() => t.fs.symlinkSync("f", t.p(`made${n}`), type)),
      ),
  },
  {
    name: "link counts up and down",
    setup: fixture,
    run: (t) => {
      const counts = [];
      const count = () => counts.push(t.fs.statSync(t.p("f")).nlink);
      for (let n = 0; n < 20; n++) {
        t.fs.linkSync(t.p("f"), t.p(`d/link${n}`));
        count();
      }
      for (let n = 0; n < 20; n += 2) {
        t.fs.unlinkSync(t.p(`d/link${n}`));
        count();
      }
      return counts;
    },
  },
  {
    name: "the first name may go, the second still holds the file",
    setup: fixture,
    run: (t) => {
      t.fs.unlinkSync(t.p("f"));
      return [t.fs.statSync(t.p("h")), t.fs.readFileSync(t.p("h"), "latin1"), t.fs.existsSync(t.p("lf"))];
    },
  },
  {
    name: "a write through one name is seen through the other",
    setup: fixture,
    run: (t) => {
      t.fs.appendFileSync(t.p("h"), " and more");
      t.fs.chmodSync(t.p("h"), 0o604);
      return [t.fs.readFileSync(t.p("f"), "latin1"), t.fs.statSync(t.p("f"))];
    },
  },
  {
    name: "unlink while open: nlink 0, still read and written, then gone",
    setup: (t) => t.tree({ f: "hello" }),
    run: (t) => {
      const fd = t.fs.openSync(t.p("f"), "r+");
      t.fs.unlinkSync(t.p("f"));
      const told = [
        t.fs.fstatSync(fd),
        t.fs.existsSync(t.p("f")),
        t.fs.writeSync(fd, "HELLO, more", 0),
        t.fs.readFileSync(fd, "latin1"),
        t.fs.fstatSync(fd),
      ];
      t.fs.ftruncateSync(fd, 2);
      told.push(t.fs.fstatSync(fd).size);
      t.fs.closeSync(fd);
      return told;
    },
  },
  {
    name: "a new file under the name of an open unlinked one is another file",
    setup: (t) => t.tree({ f: "old" }),
    run: (t) => {
      const fd = t.fs.openSync(t.p("f"));
      t.fs.unlinkSync(t.p("f"));
      t.fs.writeFileSync(t.p("f"), "new");
      const told = [
        t.fs.readFileSync(fd, "latin1"),
        t.fs.readFileSync(t.p("f"), "latin1"),
        t.fs.fstatSync(fd).ino === t.fs.statSync(t.p("f")).ino,
      ];
      t.fs.closeSync(fd);
      return told;
    },
  },
  {
    name: "an unlinked link leaves its target",
    setup: fixture,
    run: (t) => {
      t.fs.unlinkSync(t.p("lf"));
      t.fs.unlinkSync(t.p("ld"));
      t.fs.unlinkSync(t.p("dang"));
      t.fs.unlinkSync(t.p("self"));
    },
  },
  {
    name: "a link's target may appear, change and go",
    setup: fixture,
    run: (t) => {
      const told = [t.fs.existsSync(t.p("dang"))];
      t.fs.writeFileSync(t.p("missing"), "here");
      told.push(t.fs.readFileSync(t.p("dang"), "latin1"));
      t.fs.unlinkSync(t.p("missing"));
      t.fs.mkdirSync(t.p("missing"));
      told.push(t.fs.statSync(t.p("dang")).isDirectory(), t.fs.readdirSync(t.p("dang")));
      t.fs.rmdirSync(t.p("missing"));
      told.push(t.fs.existsSync(t.p("dang")));
      return told;
    },
  },
  {
    name: "a link to a link moves with the directory that holds it",
    setup: (t) =>
      t.tree({ "a/": null, "a/x": "in a", "a/l": ["x"], "a/u": ["../top"], top: "top", "b/": null, "b/x": "in b" }),
    run: (t) => {
      t.fs.renameSync(t.p("a/l"), t.p("b/l"));
      t.fs.renameSync(t.p("b"), t.p("a/b"));
      t.fs.renameSync(t.p("a/u"), t.p("u"));
      return [t.fs.readFileSync(t.p("a/b/l"), "latin1"), t.out(() => t.fs.readFileSync(t.p("u"), "latin1"))];
    },
  },
  {
    name: "links to directories chained through ..",
    setup: (t) => t.tree({ "a/": null, "a/b/": null, "a/b/up": [".."], "a/b/upup": ["up/.."], f: "top", "a/f": "a" }),
    run: (t) =>
      ["a/b/up/f", "a/b/upup/f", "a/b/up/b/up/b/upup/a/f", "a/b/up/../f", "a/b/upup/../"].map((path) => [
        t.out(() => t.fs.statSync(t.p(path))),
        t.out(() => t.fs.realpathSync.native(t.p(path))),
      ]),
  },
];

export default [...matrix, ...bodies, ...others];
