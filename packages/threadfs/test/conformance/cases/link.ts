/** link, symlink, readlink, unlink: what they link, count and follow. */
import { Buffer } from "node:buffer";
import type { Case, Tools } from "../support/case.js";

function fixture(t: Tools): void {
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

const matrix: Case[] = FROM.flatMap((from) =>
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

const shown = (body: string | Buffer | number | undefined) => {
  if (Buffer.isBuffer(body)) return `Buffer ${body.toString("hex")}`;
  const text = `${JSON.stringify(body)}`;
  return typeof body === "string" && text.length > 40 ? `${text.slice(0, 12)}..${body.length}` : text;
};

const bodies: Case[] = BODIES.map((body) => ({
  name: `symlink body ${shown(body)}`,
  setup: fixture,
  run: (t) => {
    const made = t.out(() => t.unchecked.symlinkSync(body, t.p("made")));
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

const others: Case[] = [
  {
    name: "symlink accepts the types that only Windows uses",
    setup: fixture,
    run: (t) =>
      (["file", "dir", "junction", null, undefined] as const).map((type, n) =>
        t.out(() => t.fs.symlinkSync("f", t.p(`made${n}`), type)),
      ),
  },
  {
    name: "the link count follows each link and unlink",
    setup: fixture,
    run: (t) => {
      const counts: number[] = [];
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
    name: "a file stays under its second name when its first is removed",
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
    name: "an open file without a name has link count 0 and can still be read and written",
    setup: (t) => t.tree({ f: "hello" }),
    run: (t) => {
      const fd = t.fs.openSync(t.p("f"), "r+");
      t.fs.unlinkSync(t.p("f"));
      const results: unknown[] = [
        t.fs.fstatSync(fd),
        t.fs.existsSync(t.p("f")),
        t.fs.writeSync(fd, "HELLO, more", 0),
        t.fs.readFileSync(fd, "latin1"),
        t.fs.fstatSync(fd),
      ];
      t.fs.ftruncateSync(fd, 2);
      results.push(t.fs.fstatSync(fd).size);
      t.fs.closeSync(fd);
      return results;
    },
  },
  {
    name: "a new file under the name of an open unlinked one is another file",
    setup: (t) => t.tree({ f: "old" }),
    run: (t) => {
      const fd = t.fs.openSync(t.p("f"));
      t.fs.unlinkSync(t.p("f"));
      t.fs.writeFileSync(t.p("f"), "new");
      const results = [
        t.fs.readFileSync(fd, "latin1"),
        t.fs.readFileSync(t.p("f"), "latin1"),
        t.fs.fstatSync(fd).ino === t.fs.statSync(t.p("f")).ino,
      ];
      t.fs.closeSync(fd);
      return results;
    },
  },
  {
    name: "unlink of a symbolic link leaves its target",
    setup: fixture,
    run: (t) => {
      t.fs.unlinkSync(t.p("lf"));
      t.fs.unlinkSync(t.p("ld"));
      t.fs.unlinkSync(t.p("dang"));
      t.fs.unlinkSync(t.p("self"));
    },
  },
  {
    name: "a symbolic link finds its target whenever the target exists",
    setup: fixture,
    run: (t) => {
      const results: unknown[] = [t.fs.existsSync(t.p("dang"))];
      t.fs.writeFileSync(t.p("missing"), "here");
      results.push(t.fs.readFileSync(t.p("dang"), "latin1"));
      t.fs.unlinkSync(t.p("missing"));
      t.fs.mkdirSync(t.p("missing"));
      results.push(t.fs.statSync(t.p("dang")).isDirectory(), t.fs.readdirSync(t.p("dang")));
      t.fs.rmdirSync(t.p("missing"));
      results.push(t.fs.existsSync(t.p("dang")));
      return results;
    },
  },
  {
    name: "a relative link resolves from the directory that holds it after a move",
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
    name: "chained links through .. resolve from the directory of each link",
    setup: (t) => t.tree({ "a/": null, "a/b/": null, "a/b/up": [".."], "a/b/upup": ["up/.."], f: "top", "a/f": "a" }),
    run: (t) =>
      ["a/b/up/f", "a/b/upup/f", "a/b/up/b/up/b/upup/a/f", "a/b/up/../f", "a/b/upup/../"].map((path) => [
        t.out(() => t.fs.statSync(t.p(path))),
        t.out(() => t.fs.realpathSync.native(t.p(path))),
      ]),
  },
];

const cases: readonly Case[] = [...matrix, ...bodies, ...others];

export default cases;
