/**
 * Listings: every form of a directory's path, in every encoding, with and without types, of one directory and of a tree:
 * the names, the paths relative to the directory, and the paths of the directories.
 */
import { Buffer } from "node:buffer";
import type { Dir, Dirent } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Case, Tools } from "../support/case.js";

const bytes = (text: string) => Buffer.from(text, "latin1");

/** A tree in UTF-8, whose names sort differently in UTF-16. */
function fixture(t: Tools): void {
  t.tree({
    "d/": null,
    "d/sub/": null,
    "d/sub/deep/": null,
    "d/sub/deep/f": "",
    "d/f": "",
    "d/\uffee": "",
    "d/\u{1f600}": "",
    "d/link": ["sub"],
    "d/dangling": ["nowhere"],
    "d/self": ["self"],
  });
}

/** With a directory and a file whose names are no UTF-8. */
function withBytes(t: Tools): void {
  fixture(t);
  t.fs.mkdirSync(bytes(t.p("d/n\xff")));
  t.fs.writeFileSync(bytes(t.p("d/n\xff/in\xfe")), "");
}

const FORMS: Readonly<Record<string, (path: string) => unknown>> = {
  "a string": (path) => path,
  "a string with a slash": (path) => `${path}/`,
  "a string that ends in a dot": (path) => `${path}/.`,
  "a string with dots": (path) => `${path}//sub/./..`,
  "a Buffer": (path) => Buffer.from(path),
  "a Buffer with a slash": (path) => Buffer.from(`${path}/`),
  "a Uint8Array": (path) => new Uint8Array(Buffer.from(path)),
  "a URL": (path) => pathToFileURL(path),
};
const ENCODINGS = [undefined, "utf8", "latin1", "hex", "base64", "ucs2", "buffer"];
const TREES = [{}, { withFileTypes: true }, { recursive: true }, { recursive: true, withFileTypes: true }];

/** What a form of a path and an encoding give is given as it comes: strings, Buffers, plain arrays of bytes. */
const forms: Case[] = Object.entries(FORMS).flatMap(([form, make]) =>
  ENCODINGS.flatMap((encoding) =>
    TREES.map((tree) => ({
      name: `readdir of ${form} in ${encoding} with ${JSON.stringify(tree)}`,
      shared: withBytes,
      run: (t) => t.unchecked.readdirSync(make(t.p("d")), { encoding, ...tree }),
    })),
  ),
);

const RELATIVE = [".", "./", "./d", "d", "d/", "d/.", "d//sub/..", "../d", "d/link", "d/link/", ""];

const relatives: Case[] = RELATIVE.flatMap((path) => [
  ...TREES.map((tree) => ({
    name: `readdir of relative ${JSON.stringify(path)} with ${JSON.stringify(tree)}`,
    setup: fixture,
    cwd: path.startsWith("..") ? "d" : "",
    run: (t: Tools) => t.unchecked.readdirSync(path, tree),
  })),
  {
    name: `opendir recursive of relative ${JSON.stringify(path)}`,
    setup: fixture,
    cwd: path.startsWith("..") ? "d" : "",
    run: (t) => entriesOf(t.unchecked.opendirSync(path, { recursive: true }) as Dir),
  },
]);

/** The entries in an order of their own: each side reads them in the order of its file system. */
function entriesOf(dir: Dir): Dirent[] {
  const entries: Dirent[] = [];
  for (let entry = dir.readSync(); entry; entry = dir.readSync()) entries.push(entry);
  dir.closeSync();
  const key = ({ parentPath, name }: Dirent) => `${Buffer.from(parentPath)}/${Buffer.from(name)}`;
  return entries.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

const opened: Case[] = [
  ...Object.entries(FORMS).flatMap(([form, make]) =>
    ENCODINGS.map(
      (encoding): Case => ({
        name: `opendir of ${form} in ${encoding}`,
        shared: withBytes,
        run: (t) => {
          const dir = t.unchecked.opendirSync(make(t.p("d")), { encoding }) as Dir;
          return [dir.path, entriesOf(dir)];
        },
      }),
    ),
  ),
  ...["d", "d/", "d/.", "d//sub/.."].flatMap((path) =>
    [1, 2, 3, 32, 1000].map(
      (bufferSize): Case => ({
        name: `opendir recursive of ${path}, ${bufferSize} entries at a time`,
        shared: fixture,
        run: (t) => entriesOf(t.fs.opendirSync(t.p(path), { bufferSize, recursive: true })),
      }),
    ),
  ),
  ...[{ bufferSize: undefined }, { bufferSize: 1.5 }, { bufferSize: 2 ** 32 }, { encoding: 7 }, { recursive: "x" }].map(
    (options): Case => ({
      name: `opendir with ${JSON.stringify(options)}`,
      setup: fixture,
      run: (t) => [
        t.out(() => entriesOf(t.unchecked.opendirSync(t.p("d"), options) as Dir)),
        t.out(() => t.unchecked.opendirSync(t.p("nope"), options)),
      ],
    }),
  ),
];

const USER = { uid: 1001, gid: 1001, groups: [] };

const trees: Case[] = [
  {
    name: "a tree with a directory that may not be read gives the error of that directory",
    root: true,
    as: USER,
    setup: (t) => t.tree({ "d/": 0o755, "d/a/": 0o755, "d/closed/": 0o700, "d/closed/in": "", "d/z": "" }),
    run: (t) => TREES.map((tree) => t.out(() => t.unchecked.readdirSync(t.p("d"), tree))),
  },
  {
    name: "a tree in a directory that may be read and not searched",
    root: true,
    as: USER,
    setup: (t) => t.tree({ "d/": 0o744, "d/a/": 0o755, "d/l": ["a"], "d/f": "" }),
    run: (t) => TREES.map((tree) => t.out(() => t.unchecked.readdirSync(t.p("d"), tree))),
  },
  {
    name: "a directory that may be read and not searched, with nothing but files and links",
    root: true,
    as: USER,
    setup: (t) => t.tree({ "d/": 0o744, "d/l": ["/"], "d/f": "" }),
    run: (t) => TREES.map((tree) => t.out(() => t.unchecked.readdirSync(t.p("d"), tree))),
  },
  {
    name: "a loop of links is followed as far as a path may have links",
    setup: (t) => t.tree({ "d/": null, "d/up": ["../d"], "d/f": "" }),
    run: (t) => [
      longest(() => t.fs.readdirSync(t.p("d"), { recursive: true })),
      longest(() => t.fs.readdirSync(t.p("d"), { recursive: true, withFileTypes: true })),
    ],
  },
];

/** A kernel's walk that begins again outside of rcu mode counts the links before that once more: beside other work a listing may end too early. */
function longest(list: () => readonly unknown[]): readonly unknown[] {
  return Array.from({ length: 8 }, list).reduce((found, next) => (next.length > found.length ? next : found));
}

const cases: readonly Case[] = [...forms, ...relatives, ...opened, ...trees];

export default cases;
