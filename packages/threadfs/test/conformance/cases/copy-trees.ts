/**
 * `cp` of a tree with one entry over a destination with one entry of the same name: every type over every type, with every
 * option, once and again; and the paths that lead into themselves. Each directory has at most one entry that can fail, because
 * the two sides read directories in orders of their own.
 */
import { Buffer } from "node:buffer";
import type { Case, Tools, TreeSpec } from "../support/case.js";

const bytes = (text: string) => Buffer.from(text, "latin1");

export const OPTIONS: Readonly<Record<string, object>> = {
  "no options": {},
  dereference: { dereference: true },
  verbatimSymlinks: { verbatimSymlinks: true },
  "force: false": { force: false },
  errorOnExist: { force: false, errorOnExist: true },
  "errorOnExist with force": { errorOnExist: true },
  "a filter": { filter: () => true },
  "a filter and dereference": { filter: () => true, dereference: true },
  "a filter and verbatimSymlinks": { filter: () => true, verbatimSymlinks: true },
  "a filter and force: false": { filter: () => true, force: false },
  "mode 1": { mode: 1 },
};

/** What the source and the destination have; `t` and `u` are beside them. */
export const PAIRS: Readonly<Record<string, TreeSpec>> = {
  "a file over a directory": { "s/a": "A", "d/a/": null },
  "a directory over a file": { "s/a/": null, "d/a": "D" },
  "a directory over a directory": { "s/a/": 0o711, "s/a/x": "X", "d/a/": 0o750, "d/a/y": "Y" },
  "a directory over a link to one": { "s/a/": null, "s/a/x": "X", "t/": null, "d/a": ["../t"] },
  "a directory over a dangling link": { "s/a/": null, "s/a/x": "X", "d/a": ["nowhere"] },
  "a file over a file": { "s/a": { data: "A", mode: 0o751 }, "d/a": "longer" },
  "a file over a file with two names": { "s/a": "A", "d/a": "D", h: { link: "d/a" } },
  "a file over another name of it": { "s/a": "A", "d/a": { link: "s/a" } },
  "a file over a link to a file": { "s/a": "A", t: "T", "d/a": ["../t"] },
  "a file over a link to it": { "s/a": "A", "d/a": ["../s/a"] },
  "a file over a dangling link": { "s/a": "A", "d/a": ["nowhere"] },
  "a file over a link to a missing directory": { "s/a": "A", "d/a": ["no/where"] },
  "a file over a link to a directory": { "s/a": "A", "t/": null, "d/a": ["../t"] },
  "a link over a file": { t: "T", "s/a": ["../t"], "d/a": "D" },
  "a link over a directory": { t: "T", "s/a": ["../t"], "d/a/": null },
  "a link over an equal one": { t: "T", "s/a": ["../t"], "d/a": ["../t"] },
  "a link over another": { t: "T", u: "U", "s/a": ["../t"], "d/a": ["../u"] },
  "a link to a directory over an equal one": { "t/": null, "t/x": "X", "s/a": ["../t"], "d/a": ["../t"] },
  "a link to a directory": { "t/": null, "t/x": "X", "s/a": ["../t"] },
  "a link through a link": { "t/": null, u: ["t"], "s/a": ["../u"] },
  "a link over a dangling one": { t: "T", "s/a": ["../t"], "d/a": ["nowhere"] },
  "a dangling link": { "s/a": ["nope"] },
  "modes with set-id bits": { "s/x/": 0o511, "s/x/y": { data: "Y", mode: 0o4711 } },
  "a name that is no UTF-8": {},
};

function setup(t: Tools, name: string): void {
  t.tree({ "s/": 0o2751, "d/": null, ...PAIRS[name] });
  if (!name.startsWith("a name")) return;
  t.fs.mkdirSync(bytes(t.p("s/\xff")));
  t.fs.writeFileSync(bytes(t.p("s/\xff/\xfe")), "X");
}

const trees: Case[] = Object.keys(PAIRS).flatMap((name) =>
  Object.entries(OPTIONS)
    // Node's walk with a filter makes strings of names: it fails at names that are no UTF-8.
    .filter(([option]) => !(name.startsWith("a name") && option.includes("filter")))
    .flatMap(([option, options]) =>
      (/over/.test(name) ? ["d"] : ["d", "new"]).map(
        (dest): Case => ({
          name: `${name}, ${option}, to ${dest}`,
          setup: (t) => setup(t, name),
          run: (t) => {
            const copy = () => t.unchecked.cpSync(t.p("s"), t.p(dest), { recursive: true, ...options });
            return [t.out(copy), t.out(copy)];
          },
        }),
      ),
    ),
);

const absolute: Case[] = ["t", "t/u"].flatMap((from) =>
  ["t", "t/u"].flatMap((to) =>
    ["no options", "a filter"].map(
      (option): Case => ({
        name: `an absolute link to the directory ${from} over one to ${to}, ${option}`,
        setup: (t) =>
          t.tree({ "t/": null, "t/u/": null, "s/": null, "s/a": [t.p(from)], "d/": null, "d/a": [t.p(to)] }),
        run: (t) => t.unchecked.cpSync(t.p("s"), t.p("d"), { recursive: true, ...OPTIONS[option] }),
      }),
    ),
  ),
);

const TIMES = [{}, { filter: () => true }, { dereference: true }];

const times: Case[] = TIMES.flatMap((options, i) =>
  ["d", "new"].map(
    (dest): Case => ({
      name: `preserveTimestamps of directories and files to ${dest}, ${i}`,
      setup: (t) => {
        t.tree({ "s/": null, "s/sub/": null, "s/sub/f": "F", "s/g": "G", "d/": null });
        for (const name of ["s/sub/f", "s/g", "s/sub", "s"]) t.fs.utimesSync(t.p(name), 1000.5, 2000.25);
      },
      run: (t) => {
        t.unchecked.cpSync(t.p("s"), t.p(dest), { recursive: true, preserveTimestamps: true, ...options });
        return ["", "/sub", "/sub/f", "/g"].map((name) => t.fs.statSync(t.p(dest + name)).mtimeMs);
      },
    }),
  ),
);

const paths: Case[] = [
  ["f", Buffer.from("to")],
  [Buffer.from("f"), Buffer.from("to")],
  [Buffer.from("s"), "to"],
  ["s", bytes("to\xff")],
  [bytes("s"), bytes("to\xff")],
].map(([from, to], i) => ({
  name: `paths as bytes ${i}`,
  cwd: "",
  setup: (t: Tools) => t.tree({ f: "F", "s/": null, "s/sub/": null, "s/sub/x": "X", "s/l": ["sub"] }),
  run: (t: Tools) => t.unchecked.cpSync(from, to, { recursive: true }),
}));

const USER = { uid: 1001, gid: 1001, groups: [] };

/** The scans and the parents of the destination, as a user: each case has one thing that fails. */
const refused: Case[] = [{}, { filter: () => true }, { dereference: true }].flatMap((options, i) =>
  (
    [
      ["s", "w/new"],
      ["s/a/b", "w/new"],
      ["ok", "r/x/y/z"],
      ["ok", "r/x/y/"],
      ["ok", "f/x/y"],
      ["ok", "none/x/y"],
      ["ok/f", "none/x/y"],
      ["ok/f", "r/x/"],
    ] as const
  ).map(
    ([from, to]): Case => ({
      name: `what may not be read or made: ${from} to ${to}, ${i}`,
      as: USER,
      setup: (t) =>
        t.tree({ f: "", "s/": null, "s/a/": null, "s/a/b/": 0, "ok/": null, "ok/f": "F", "w/": 0o777, "r/": 0o755 }),
      run: (t) => t.unchecked.cpSync(t.p(from), t.p(to), { recursive: true, ...options }),
    }),
  ),
);

/** Where the destination cannot be a directory; a link to nothing would end Node's process. */
const noDirectories: Case[] = [{}, { filter: () => true }, { dereference: true }].flatMap((options, i) =>
  "f/ f// lf/ f/x f/x/ lf/x dang/ dang/x n/m/ n/. n/./m f/. f/.. f/../z t/../n/m".split(" ").map(
    (to): Case => ({
      name: `the directories above a copy: ${to}, ${i}`,
      setup: (t) => t.tree({ f: "", lf: ["f"], dang: ["nowhere"], "t/": null, "s/": null, "s/x/": null }),
      cwd: "",
      // Relative, so that a path may be as short as its last name.
      run: (t) => t.unchecked.cpSync("s", to, { recursive: true, ...options }),
    }),
  ),
);

/** With a mode Node copies a file with libuv, which keeps the owner. */
const owners: Case[] = [0, 1, 2].flatMap((mode) =>
  ["there", "new"].map((dest) => ({
    name: `the owner of a file that another user's is copied over, mode ${mode}, to ${dest}`,
    setup: (t) => t.tree({ f: { data: "F", uid: 1001, mode: 0o640 }, there: { data: "T", uid: 1002 } }),
    run: (t: Tools) => t.unchecked.cpSync(t.p("f"), t.p(dest), { mode }),
  })),
);

const cases: readonly Case[] = [...trees, ...absolute, ...times, ...paths, ...refused, ...noDirectories, ...owners];

export default cases;
