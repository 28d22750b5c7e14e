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
  run: (t) => t.fs.realpathSync(path),
}));

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
];

const cases: readonly Case[] = [...paths, ...relatives, ...others];

export default cases;
