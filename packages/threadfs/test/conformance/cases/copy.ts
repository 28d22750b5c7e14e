/**
 * copyFile and cp. cp is JavaScript in one version of Node and C++ in another: only the codes and the effect are compared.
 */
import nodeFs, { type CopySyncOptions } from "node:fs";
import type { Case, Tools } from "../support/case.js";

const { COPYFILE_EXCL, COPYFILE_FICLONE, COPYFILE_FICLONE_FORCE } = nodeFs.constants;

function fixture(t: Tools): void {
  t.tree({
    f: "hello",
    g: { data: "other contents", mode: 0o600 },
    h: { link: "f" },
    exec: { data: "#!", mode: 0o755 },
    "d/": null,
    "d/f": "inner",
    "d/sub/": null,
    "d/sub/deep": { data: "deep", mode: 0o640 },
    "d/l": ["f"],
    "e/": null,
    "e/f": "of e",
    "e/only": "only in e",
    "empty/": null,
    lf: ["f"],
    ld: ["d"],
    dang: ["missing"],
    self: ["self"],
  });
}

const FROM = "f g h exec lf dang self nope f/ d/f f/x nope/x".split(" ");
const TO = "made g h d lf ld dang self made/ d/made d/f nope/made f/made f/ . d/".split(" ");

const copies: Case[] = FROM.flatMap((from) =>
  TO.map((to) => ({
    name: `copyFile ${from} -> ${to}`,
    setup: fixture,
    only: ["code", "syscall"],
    run: (t) => t.fs.copyFileSync(t.p(from), t.p(to)),
  })),
);

/** Without existing targets: libuv truncates and removes them before it sees that the source is a directory. */
const ofDirectories: Case[] = ["d made", "ld made", "d d", "d made/", "empty d/made"].map((pair) => {
  const [from = "", to = ""] = pair.split(" ");
  return {
    name: `copyFile ${from} -> ${to}`,
    setup: fixture,
    only: ["code", "syscall"],
    run: (t) => t.fs.copyFileSync(t.p(from), t.p(to)),
  };
});

const modes: Case[] = [0, COPYFILE_EXCL, COPYFILE_FICLONE, COPYFILE_EXCL | COPYFILE_FICLONE].flatMap((mode) =>
  ["made", "g", "lf", "dang"].map((to) => ({
    name: `copyFile with mode ${mode} to ${to}`,
    setup: fixture,
    run: (t) => t.fs.copyFileSync(t.p("exec"), t.p(to), mode),
  })),
);

const badModes: Case[] = [-1, 8, 1.5, "1", null, {}, COPYFILE_FICLONE_FORCE | 8].map((mode) => ({
  name: `copyFile with mode ${JSON.stringify(mode)}`,
  setup: fixture,
  run: (t) => t.unchecked.copyFileSync(t.p("f"), t.p("made"), mode),
}));

const PAIRS = [
  ..."f made,f g,f h,f f,f d,f nope/made,f d/made,lf made,lf g,ld made,nope made,exec made".split(","),
  ..."d made,d e,d empty,d d,d d/sub,d d/new,d f,d nope/made,d/ made,d made/,d lf,empty made,empty e".split(","),
];

const CP_OPTIONS: readonly (CopySyncOptions | undefined)[] = [
  undefined,
  { recursive: true },
  { recursive: true, force: false },
  { recursive: true, force: false, errorOnExist: true },
  { recursive: true, dereference: true },
  { recursive: true, verbatimSymlinks: true },
];

/** Pairs for which versions of Node differ, also in the effect, without options and by option. */
const UNSETTLED_PLAIN = ["ld made", "d nope/made"];
const UNSETTLED: Readonly<Record<string, readonly string[]>> = {
  errorOnExist: ["d e", "d empty", "d made/", "empty e"],
  dereference: ["lf g", "ld made", "d made", "d e", "d empty", "d nope/made", "d/ made", "d made/"],
};

function settled(pair: string, options: CopySyncOptions | undefined): boolean {
  if (options === undefined) return !UNSETTLED_PLAIN.includes(pair);
  return !Object.keys(options).some((key) => UNSETTLED[key]?.includes(pair));
}

const trees: Case[] = PAIRS.flatMap((pair) =>
  CP_OPTIONS.filter((options) => settled(pair, options)).map((options) => {
    const [from = "", to = ""] = pair.split(" ");
    return {
      name: `cp ${from} -> ${to} ${JSON.stringify(options) ?? ""}`,
      setup: fixture,
      only: ["code"],
      run: (t) => t.fs.cpSync(t.p(from), t.p(to), options),
    };
  }),
);

const others: Case[] = [
  {
    name: "copyFile copies a large file",
    setup: (t) => t.fs.writeFileSync(t.p("f"), Buffer.alloc(300_000, "0123456789abcdef")),
    run: (t) => t.fs.copyFileSync(t.p("f"), t.p("made")),
  },
  {
    name: "copyFile gives the copy the mode of the source less the umask",
    setup: fixture,
    umask: 0o077,
    run: (t) => t.fs.copyFileSync(t.p("exec"), t.p("made")),
  },
  {
    name: "copyFile keeps the mode of an existing target",
    setup: fixture,
    run: (t) => t.fs.copyFileSync(t.p("exec"), t.p("h")),
  },
  {
    name: "cp copies only what its filter accepts",
    setup: fixture,
    only: ["code"],
    run: (t) => {
      const filtered: [string, string][] = [];
      t.fs.cpSync(t.p("d"), t.p("made"), {
        recursive: true,
        filter: (from, to) => {
          filtered.push([from, to]);
          return !from.endsWith("sub");
        },
      });
      return filtered.sort();
    },
  },
  {
    name: "cp with preserveTimestamps keeps the times",
    setup: (t) => {
      fixture(t);
      t.fs.utimesSync(t.p("d/f"), 1000, 2000);
    },
    only: ["code"],
    run: (t) => {
      t.fs.cpSync(t.p("d"), t.p("made"), { recursive: true, preserveTimestamps: true });
      return t.fs.statSync(t.p("made/f")).mtimeMs;
    },
  },
  {
    name: "cp makes links absolute unless verbatimSymlinks is set",
    setup: fixture,
    only: ["code"],
    run: (t) => {
      t.fs.cpSync(t.p("d"), t.p("made"), { recursive: true });
      t.fs.cpSync(t.p("d"), t.p("verbatim"), { recursive: true, verbatimSymlinks: true });
      return [t.fs.readlinkSync(t.p("made/l")), t.fs.readlinkSync(t.p("verbatim/l"))];
    },
  },
  {
    name: "wrong arguments give the errors of node:fs",
    setup: fixture,
    run: (t) => [
      t.out(() => t.unchecked.copyFileSync()),
      t.out(() => t.unchecked.copyFileSync(t.p("f"))),
      t.out(() => t.unchecked.copyFileSync(t.p("f\0"), t.p("made"))),
      t.out(() => t.unchecked.copyFileSync(t.p("f"), 5)),
      t.out(() => t.unchecked.cpSync()),
      t.out(() => t.unchecked.cpSync(t.p("f"))),
      t.out(() => t.unchecked.cpSync(t.p("f"), t.p("made"), { recursive: "yes" })),
      t.out(() => t.unchecked.cpSync(t.p("f"), t.p("made"), { filter: 5 })),
      t.out(() => t.unchecked.cpSync(t.p("f"), t.p("made"), { dereference: true, verbatimSymlinks: true })),
      t.out(() => t.unchecked.cpSync(t.p("f"), t.p("made"), 5)),
    ],
  },
];

const cases: readonly Case[] = [...copies, ...ofDirectories, ...modes, ...badModes, ...trees, ...others];

export default cases;
