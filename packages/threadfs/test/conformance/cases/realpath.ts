/** `realpath`, which walks by the text of paths and links, and `realpath.native`, which is the kernel's. */
import { Buffer } from "node:buffer";
import type { Case, Tools } from "../support/case.js";

function fixture(t: Tools): void {
  t.tree({
    f: "",
    "a/": null,
    "a/b/": null,
    "a/b/c/": null,
    "a/x/": null,
    "a/up": [".."],
    "x/": null,
    "ü😀/": null,
    lf: ["f"],
    lb: [t.p("a/b")],
    dot: ["."],
    // By the text this is x, by the kernel's walk a/x.
    tricky: ["lb/../x"],
    chain: ["a/up/lf"],
    dang: ["nope"],
    self: ["self"],
    one: ["two"],
    two: ["one"],
  });
}

const PATHS = [
  ..."f f/ f/. f/x lf lf/ lf/. lf/x lb lb/.. lb/../f lb/../../f lb/c tricky no no/.. no/x dang dang/ dang/.. dang/x".split(
    " ",
  ),
  ..."self self/x one a/up/a/up/f a/up/up chain chain/ ü😀 // .//a/../f dot/dot/dot/f".split(" "),
  "",
  "x".repeat(300),
];

const paths: Case[] = PATHS.flatMap((path) =>
  [undefined, "buffer", "hex", "latin1"].map((encoding) => ({
    name: `realpath ${path.length > 20 ? path.length : JSON.stringify(path)} in ${encoding}`,
    shared: fixture,
    run: (t) =>
      [t.p(path), Buffer.from(t.p(path))].flatMap((given) => [
        t.out(() => t.unchecked.realpathSync(given, encoding)),
        t.out(() => t.fs.realpathSync.native(given, encoding as BufferEncoding)),
      ]),
  })),
);

const relatives: Case[] = ["", ".", "..", "../f", "./b/c", "up/lf", "b/", "nope/../b"].map((path) => ({
  name: `realpath of relative ${JSON.stringify(path)}`,
  setup: fixture,
  cwd: "a",
  run: (t) => [t.out(() => t.fs.realpathSync(path)), t.out(() => t.fs.realpathSync.native(path))],
}));

/** The C library looks names up one by one, so that only the path of each is limited, not the whole text. */
const long: Case[] = ["f", "f/", "lf", "no", "f/x", "é", "ü😀/."].flatMap((end) =>
  ["./", "/", "a/../", "a/b/../../"].map((before) => ({
    name: `realpath.native of a path over PATH_MAX: ${before} many times, ${end}`,
    shared: fixture,
    run: (t: Tools) =>
      [4090, 4095, 4096, 4097, 9000].map((length) =>
        t.out(() => t.fs.realpathSync.native(t.p(before.repeat(length / before.length) + end))),
      ),
  })),
);

const USER = { uid: 1001, gid: 1001, groups: [] };

const others: Case[] = [
  {
    name: "realpath of a directory that may not be searched, and below it",
    as: USER,
    setup: (t) => t.tree({ "d/": 0o600, "d/f": "" }),
    run: (t) =>
      ["d", "d/", "d/.", "d/f", "d/f/.."].flatMap((path) => [
        t.out(() => t.fs.realpathSync(t.p(path))),
        t.out(() => t.fs.realpathSync.native(t.p(path))),
      ]),
  },
  {
    name: "realpath.native takes .. from the text of the path before it, which need not be searchable",
    as: USER,
    setup: (t) =>
      t.tree({ f: "", "d/": 0o600, "d/f": "", l: ["d"], up: ["d/.."], dot: ["d/."], slash: ["d/"], file: ["f/"] }),
    run: (t) =>
      "d/.. d/../f d/./../f d/../d/../f d/f/../f l/.. l/../f up up/f dot dot/../f slash file f/.. f/../f no/.. d/..."
        .split(" ")
        .map((path) => t.out(() => t.fs.realpathSync.native(t.p(path)))),
  },
  {
    name: "realpath of relative paths in a working directory that may not be searched any more",
    as: USER,
    cwd: "d",
    setup: (t) => t.tree({ f: "", "d/": { mode: 0o700, uid: USER.uid } }),
    run: (t) => {
      t.fs.chmodSync(t.p("d"), 0);
      return [".", "..", "../f", "x", "../d", ""].map((path) => t.out(() => t.fs.realpathSync.native(path)));
    },
  },
  {
    name: "realpath of relative paths in a working directory that was removed",
    cwd: "d",
    setup: (t) => t.tree({ f: "", "d/": null }),
    run: (t) => {
      t.fs.rmdirSync(t.p("d"));
      return [".", "..", "../f", "x", ""].flatMap((path) => [
        t.out(() => t.fs.realpathSync.native(path)),
        t.out(() => t.fs.realpathSync(path)),
      ]);
    },
  },
];

const cases: readonly Case[] = [...paths, ...relatives, ...long, ...others];

export default cases;
